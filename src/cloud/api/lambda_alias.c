/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Aliases: names of versions, one or two of them by weight. */
#include "cloud/api/lambda_inner.h"

#include <stdlib.h>
#include <string.h>

static int answer(sh_call *call, const char *name, const json_t *body)
{
    int status = 0;
    const char *alias = json_string_value(json_object_get(body, "Name"));
    call->out = json_deep_copy(body);
    sh_put_text(&status, call->out, "AliasArn", sh_fn_arn(call->cloud, call->arena, name, alias));
    return sh_out_done(call, status);
}

static int no_alias(sh_call *call, const char *name, const char *alias)
{
    const char *arn = sh_fn_arn(call->cloud, call->arena, name, alias);
    return sh_call_fail(call, 404, "ResourceNotFoundException", "Cannot find alias arn: %s", arn ? arn : "");
}

static int need_version(sh_call *call, const char *name, const char *version)
{
    sh_fn_part part;
    sh_err err = {0};
    int status = sh_fn_get(call->cloud->db, call->arena, SH_FN_VERSION, name, version, &part, &err);
    if (status == SH_E_NOT_FOUND)
        return sh_fn_not_found(call, name, version);
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

static int take_routing(sh_call *call, const char *name, json_t *body)
{
    const json_t *given;
    const char *version;
    json_t *weight;
    int status = sh_arg_object(call, "RoutingConfig", &given);
    if (status < 0 || !given)
        return status;
    json_t *weights = json_object_get(given, "AdditionalVersionWeights");
    if (json_object_size(weights) == 0) {
        json_object_del(body, "RoutingConfig");
        return 0;
    }
    if (json_object_size(weights) > 1)
        return sh_fn_bad(call, "Number of items in AdditionalVersionWeights cannot be greater than 1");
    const char *primary = json_string_value(json_object_get(body, "FunctionVersion"));
    if (primary && strcmp(primary, SH_FN_LATEST) == 0)
        return sh_fn_bad(call, "$LATEST is not supported for an alias pointing to more than 1 version");
    json_object_foreach(weights, version, weight)
    {
        double share = json_number_value(weight);
        if (!json_is_number(weight) || !(share >= 0.0 && share <= 1.0))
            return sh_fn_bad(call, "The weight of version %s is not between 0.0 and 1.0", version);
        if (primary && strcmp(primary, version) == 0)
            return sh_fn_bad(call,
                             "Invalid function version %s. Function version %s is already included in "
                             "routing configuration.",
                             version, version);
        if ((status = need_version(call, name, version)) < 0)
            return status;
    }
    json_object_set_new(body, "RoutingConfig", json_pack("{s:O}", "AdditionalVersionWeights", weights));
    return 0;
}

/* What CreateAlias and UpdateAlias take. */
static int take(sh_call *call, const char *name, json_t *body, bool created)
{
    const char *version, *description;
    int status = created ? sh_arg_need(call, "FunctionVersion", 1024, &version)
                         : sh_arg_text(call, "FunctionVersion", 1024, &version);
    if (status == 0)
        status = sh_arg_text(call, "Description", 256, &description);
    if (status == 0 && version)
        status = need_version(call, name, version);
    if (status < 0)
        return status;
    if (version)
        json_object_set_new(body, "FunctionVersion", json_string(version));
    if (description || created)
        json_object_set_new(body, "Description", json_string(description ? description : ""));
    if ((status = take_routing(call, name, body)) == 0)
        sh_fn_new_revision(call, body);
    return status;
}

static int save(sh_call *call, const char *name, const char *alias, const json_t *body)
{
    sh_err err = {0};
    int status = sh_fn_save(call->cloud, SH_FN_ALIAS, name, alias, 0, body, &err);
    return status < 0 ? sh_call_fail_internal(call, &err) : answer(call, name, body);
}

static int need(sh_call *call, sh_fn_name *name, const char **alias)
{
    int status = sh_fn_need(call, name);
    return status == 0 ? sh_arg_need(call, "Name", 128, alias) : status;
}

static bool alias_good(const char *alias)
{
    size_t length = strlen(alias);
    return strspn(alias, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == length &&
           strspn(alias, "0123456789") < length;
}

int sh_fn_create_alias(sh_call *call)
{
    sh_fn_name name;
    sh_fn_part part;
    const char *alias;
    sh_err err = {0};
    int status = need(call, &name, &alias);
    if (status < 0)
        return status;
    if (!alias_good(alias))
        return sh_call_fail(call, 400, "ValidationException",
                            "1 validation error detected: Value '%s' at 'name' failed to satisfy constraint: "
                            "Member must satisfy regular expression pattern: "
                            "(?!^[0-9]+$)([a-zA-Z0-9-_]+)",
                            alias);
    status = sh_fn_get(call->cloud->db, call->arena, SH_FN_ALIAS, name.name, alias, &part, &err);
    if (status == 0)
        return sh_call_fail(call, 409, "ResourceConflictException", "Alias already exists: %s",
                            sh_fn_arn(call->cloud, call->arena, name.name, alias));
    if (status != SH_E_NOT_FOUND)
        return sh_call_fail_internal(call, &err);
    json_t *body = json_pack("{s:s}", "Name", alias);
    status = take(call, name.name, body, true);
    if (status == 0)
        status = save(call, name.name, alias, body);
    json_decref(body);
    return status;
}

static int load(sh_call *call, sh_fn_name *name, const char **alias, json_t **body)
{
    sh_err err = {0};
    int status = sh_fn_need(call, name);
    if (status == 0)
        status = sh_arg_need(call, "Name", 128, alias);
    if (status < 0)
        return status;
    status = sh_fn_load(call->cloud, call->arena, SH_FN_ALIAS, name->name, *alias, body, &err);
    if (status == SH_E_NOT_FOUND)
        return no_alias(call, name->name, *alias);
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

int sh_fn_get_alias(sh_call *call)
{
    sh_fn_name name;
    const char *alias;
    json_t *body;
    int status = load(call, &name, &alias, &body);
    if (status < 0)
        return status;
    status = answer(call, name.name, body);
    json_decref(body);
    return status;
}

int sh_fn_update_alias(sh_call *call)
{
    sh_fn_name name;
    const char *alias;
    json_t *body;
    int status = load(call, &name, &alias, &body);
    if (status < 0)
        return status;
    status = sh_fn_check_revision(call, body);
    if (status == 0)
        status = take(call, name.name, body, false);
    if (status == 0)
        status = save(call, name.name, alias, body);
    json_decref(body);
    return status;
}

int sh_fn_delete_alias(sh_call *call)
{
    sh_fn_name name;
    const char *alias;
    sh_err err = {0};
    int status = need(call, &name, &alias);
    if (status < 0)
        return status;
    status = sh_fn_delete(call->cloud->db, SH_FN_ALIAS, name.name, alias, &err);
    if (status < 0 && status != SH_E_NOT_FOUND) /* there was none: fine, as on AWS */
        return sh_call_fail_internal(call, &err);
    return sh_out_new(call);
}

typedef struct page {
    sh_call *call;
    json_t *list;
    const char *version, *last;
    int64_t limit, count;
} page;

static int add_alias(void *opaque, const sh_fn_part *part)
{
    page *p = opaque;
    json_t *body = json_loads(part->body, 0, NULL);
    const char *version = json_string_value(json_object_get(body, "FunctionVersion"));
    const char *arn = sh_fn_arn(p->call->cloud, p->call->arena, part->name, part->id);
    if (!body || !version || !arn || (p->version && strcmp(version, p->version) != 0)) {
        json_decref(body);
        return 0;
    }
    if (++p->count > p->limit) {
        json_decref(body);
        return 1;
    }
    json_object_set_new(body, "AliasArn", json_string(arn));
    p->last = sh_arena_strdup(p->call->arena, part->id);
    return json_array_append_new(p->list, body) < 0 ? SH_E_MEMORY : 0;
}

int sh_fn_list_aliases(sh_call *call)
{
    sh_fn_name name;
    const char *marker;
    sh_err err = {0};
    page p = {.call = call};
    int status = sh_fn_need(call, &name);
    if (status == 0)
        status = sh_fn_read_page(call, &marker, &p.limit);
    if (status == 0)
        status = sh_arg_text(call, "FunctionVersion", 1024, &p.version);
    if (status == 0)
        status = sh_out_new(call);
    if (status < 0)
        return status;
    p.list = json_array();
    sh_put(&status, call->out, "Aliases", p.list);
    if (status == 0)
        status =
            sh_fn_parts(call->cloud->db, SH_FN_ALIAS, name.name, 0, marker, INT64_MAX, add_alias, &p, &err);
    if (status < 0)
        return status == SH_E_MEMORY ? sh_out_done(call, status) : sh_call_fail_internal(call, &err);
    if (p.count > p.limit)
        sh_put_text(&status, call->out, "NextMarker", p.last);
    return sh_out_done(call, status);
}
