/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CreateFunction and its like. A function is ready when the call returns: code is unpacked within it, so that
 * State is Active and LastUpdateStatus Successful at once. */
#include "cloud/api/lambda_inner.h"

#include <stdio.h>
#include <string.h>

static int begin(sh_call *call)
{
    sh_err err = {0};
    int status = sh_db_begin(call->cloud->db, &err);
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

/* Ends the transaction; `failed`: what sh_call_fail gave within. */
static int end(sh_call *call, int status, sh_err *err)
{
    status = sh_db_end(call->cloud->db, status, err);
    if (status < 0 && !call->error.code)
        sh_call_fail_internal(call, err);
    return status;
}

static int answer_version(sh_call *call, const char *name, const char *qualifier, const json_t *body)
{
    json_decref(call->out);
    call->out = sh_fn_json(call->cloud, call->arena, name, qualifier, body);
    return call->out ? 0 : sh_call_fail(call, 500, "ServiceException", "no memory for the answer");
}

static void set_state(json_t *body)
{
    json_object_set_new(body, "State", json_string("Active"));
    json_object_set_new(body, "LastUpdateStatus", json_string("Successful"));
    json_object_set_new(body, "Version", json_string(SH_FN_LATEST));
}

/* ---- CreateFunction ---- */

static json_t *new_function(sh_call *call)
{
    json_t *function = json_object();
    json_t *tags = json_object_get(call->in, "Tags");
    json_object_set(function, "Tags", json_is_object(tags) ? tags : json_null());
    json_object_set_new(function, "LastVersion", json_integer(0));
    return function;
}

static int insert(sh_call *call, const char *name, json_t *body, sh_err *err)
{
    sh_fn_part part;
    json_t *function = new_function(call);
    int status = sh_fn_get(call->cloud->db, call->arena, SH_FN_FUNCTION, name, "", &part, err);
    if (status == 0)
        status = sh_call_fail(call, 409, "ResourceConflictException", "Function already exist: %s", name);
    else if (status == SH_E_NOT_FOUND)
        status = sh_fn_save(call->cloud, SH_FN_FUNCTION, name, "", 0, function, err);
    if (status == 0)
        status = sh_fn_save(call->cloud, SH_FN_VERSION, name, SH_FN_LATEST, 0, body, err);
    json_decref(function);
    return status;
}

/* "publish": true makes a version at once, which is what is answered. */
static int publish_too(sh_call *call, const char *name, const char **number)
{
    bool publish = false;
    int status = sh_arg_bool(call, "Publish", false, &publish);
    *number = NULL;
    return status == 0 && publish ? sh_fn_publish_version(call, name, number) : status;
}

static int answer_published(sh_call *call, const char *name, const char *number, const json_t *body)
{
    json_t *copy = json_deep_copy(body);
    if (number)
        json_object_set_new(copy, "Version", json_string(number));
    int status = answer_version(call, name, number, copy);
    json_decref(copy);
    return status;
}

static int check_tags(sh_call *call, const json_t *tags)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)tags, name, value)
    {
        if (!json_is_string(value) || !*name || strlen(name) > 128 * 4 || json_string_length(value) > 256 * 4)
            return sh_fn_bad(call, "The tag key and/or tag value was invalid: %s", name);
    }
    return json_object_size(tags) > 50 ? sh_fn_bad(call, "Too many tags: at most 50") : 0;
}

static int create(sh_call *call, const sh_fn_name *name, json_t *body)
{
    const json_t *code, *tags;
    const char *number = NULL;
    sh_err err = {0};
    int status;
    if ((status = sh_arg_object(call, "Code", &code)) < 0 ||
        (status = sh_arg_object(call, "Tags", &tags)) < 0 || (status = check_tags(call, tags)) < 0 ||
        (status = sh_fn_read_config(call, body, true)) < 0 ||
        (status = sh_fn_read_code(call, code, name->name, body, true)) < 0 || (status = begin(call)) < 0)
        return status;
    set_state(body);
    status = insert(call, name->name, body, &err);
    if (status == 0)
        status = publish_too(call, name->name, &number);
    status = end(call, status, &err);
    return status < 0 ? status : answer_published(call, name->name, number, body);
}

static int known_already(sh_call *call, const char *name)
{
    sh_fn_part part;
    sh_err err = {0};
    int status = sh_fn_get(call->cloud->db, call->arena, SH_FN_FUNCTION, name, "", &part, &err);
    if (status == SH_E_NOT_FOUND)
        return 0;
    return status < 0
               ? sh_call_fail_internal(call, &err)
               : sh_call_fail(call, 409, "ResourceConflictException", "Function already exist: %s", name);
}

int sh_fn_create(sh_call *call)
{
    sh_fn_name name;
    int status = sh_fn_read_name(call, &name);
    if (status == 0)
        status = known_already(call, name.name);
    if (status < 0)
        return status;
    json_t *body = json_object();
    status = create(call, &name, body);
    json_decref(body);
    return status;
}

/* ---- get ---- */

int sh_fn_get_configuration(sh_call *call)
{
    sh_fn_name name;
    sh_fn_version version;
    int status = sh_fn_read_name(call, &name);
    if (status == 0)
        status = sh_fn_need_version(call, &name, &version);
    if (status < 0)
        return status;
    status = answer_version(call, name.name, name.qualifier, version.body);
    json_decref(version.body);
    return status;
}

static void put_function(sh_call *call, const char *name, json_t *out)
{
    sh_err err = {0};
    json_t *function;
    if (sh_fn_load(call->cloud, call->arena, SH_FN_FUNCTION, name, "", &function, &err) < 0)
        return;
    json_t *tags = json_object_get(function, "Tags"), *reserved = json_object_get(function, "Concurrency");
    if (json_object_size(tags) > 0)
        json_object_set(out, "Tags", tags);
    if (json_is_integer(reserved))
        json_object_set_new(out, "Concurrency", json_pack("{s:O}", "ReservedConcurrentExecutions", reserved));
    json_decref(function);
}

int sh_fn_get_function(sh_call *call)
{
    int status = sh_fn_get_configuration(call);
    if (status < 0)
        return status;
    sh_fn_name name;
    json_t *configuration = call->out;
    call->out = json_pack("{s:o, s:{s:s}}", "Configuration", configuration, "Code", "RepositoryType", "S3");
    if (!call->out)
        return sh_call_fail(call, 500, "ServiceException", "no memory for the answer");
    if ((status = sh_fn_read_name(call, &name)) == 0)
        put_function(call, name.name, call->out);
    return status;
}

/* ---- update ---- */

static int save_latest(sh_call *call, const char *name, json_t *body, const char **number)
{
    sh_err err = {0};
    int status = begin(call);
    if (status < 0)
        return status;
    status = sh_fn_save(call->cloud, SH_FN_VERSION, name, SH_FN_LATEST, 0, body, &err);
    if (status == 0 && number)
        status = publish_too(call, name, number);
    return end(call, status, &err);
}

static int update(sh_call *call, int (*how)(sh_call *call, const char *name, json_t *body), bool publish,
                  bool dry)
{
    sh_fn_name name;
    sh_fn_version latest;
    const char *number = NULL;
    int status = sh_fn_need(call, &name);
    if (status < 0)
        return status;
    name.qualifier = NULL;
    if ((status = sh_fn_need_version(call, &name, &latest)) < 0)
        return status;
    status = sh_fn_check_revision(call, latest.body);
    if (status == 0)
        status = how(call, name.name, latest.body);
    if (status == 0 && !dry)
        status = save_latest(call, name.name, latest.body, publish ? &number : NULL);
    if (status == 0 && !dry)
        sh_fn_retire(call, name.name);
    if (status == 0)
        status = answer_published(call, name.name, number, latest.body);
    json_decref(latest.body);
    return status;
}

static int new_code(sh_call *call, const char *name, json_t *body)
{
    char time[SH_TIME_TEXT];
    bool dry = json_is_true(json_object_get(call->in, "DryRun"));
    int status = sh_fn_read_code(call, call->in, name, body, !dry);
    if (status < 0)
        return status;
    sh_time_iso_ms(call->now_ms, time);
    snprintf(time + strlen(time) - 1, 6, "+0000");
    json_object_set_new(body, "LastModified", json_string(time));
    sh_fn_new_revision(call, body);
    return 0;
}

static int new_configuration(sh_call *call, const char *name, json_t *body)
{
    (void)name;
    return sh_fn_read_config(call, body, false);
}

int sh_fn_update_code(sh_call *call)
{
    bool dry;
    int status = sh_arg_bool(call, "DryRun", false, &dry);
    return status < 0 ? status : update(call, new_code, true, dry);
}

int sh_fn_update_configuration(sh_call *call)
{
    return update(call, new_configuration, false, false);
}

/* ---- delete ---- */

typedef struct user {
    const char *version, *alias;
    char name[132];
} user;

static int uses(void *opaque, const sh_fn_part *part)
{
    user *u = opaque;
    char quoted[160];
    snprintf(quoted, sizeof(quoted), "\"%.128s\"", u->version);
    if (!strstr(part->body, quoted))
        return 0;
    snprintf(u->name, sizeof(u->name), "%s", part->id);
    u->alias = u->name;
    return 1;
}

static int delete_version(sh_call *call, const sh_fn_name *name, sh_err *err)
{
    user u = {.version = name->qualifier};
    if (strcmp(name->qualifier, SH_FN_LATEST) == 0)
        return sh_fn_bad(call, "$LATEST version cannot be deleted without deleting the function.");
    int status = sh_fn_parts(call->cloud->db, SH_FN_ALIAS, name->name, -1, "", INT64_MAX, uses, &u, err);
    if (status == 0 && u.alias)
        return sh_call_fail(call, 409, "ResourceConflictException",
                            "Version %s of the function cannot be deleted: alias %s points to it",
                            name->qualifier, u.alias);
    return status < 0 ? status
                      : sh_fn_delete(call->cloud->db, SH_FN_VERSION, name->name, name->qualifier, err);
}

int sh_fn_delete_function(sh_call *call)
{
    sh_fn_name name;
    sh_err err = {0};
    int status = sh_fn_need(call, &name);
    if (status == 0)
        status = begin(call);
    if (status < 0)
        return status;
    status = name.qualifier ? delete_version(call, &name, &err)
                            : sh_fn_delete_all(call->cloud->db, name.name, &err);
    if (status == SH_E_NOT_FOUND)
        status = sh_fn_not_found(call, name.name, name.qualifier);
    status = end(call, status, &err);
    if (status < 0)
        return status;
    if (name.qualifier)
        sh_fn_retire(call, name.name);
    else
        sh_lambda_retire(call->cloud, name.name, NULL);
    sh_fn_tell_reserved(call->cloud);
    return sh_out_new(call);
}

/* ---- list ---- */

typedef struct page {
    sh_call *call;
    json_t *list;
    int64_t limit, count;
    const char *last;
    int failed;
} page;

static int add_function(void *opaque, const sh_fn_part *part)
{
    page *p = opaque;
    if (++p->count > p->limit)
        return 1;
    json_t *body = json_loads(part->body, JSON_ALLOW_NUL, NULL);
    json_t *one = body ? sh_fn_json(p->call->cloud, p->call->arena, part->name, NULL, body) : NULL;
    p->last = sh_arena_strdup(p->call->arena, part->name);
    json_decref(body);
    if (!one || !p->last || json_array_append_new(p->list, one) < 0)
        p->failed = SH_E_MEMORY;
    return p->failed;
}

int sh_fn_list(sh_call *call)
{
    const char *marker;
    sh_err err = {0};
    page p = {.call = call};
    int status = sh_fn_read_page(call, &marker, &p.limit);
    if (status == 0)
        status = sh_out_new(call);
    if (status < 0)
        return status;
    p.list = json_array();
    sh_put(&status, call->out, "Functions", p.list);
    if (status == 0)
        status = sh_fn_names(call->cloud->db, SH_FN_VERSION, SH_FN_LATEST, marker, p.limit + 1, add_function,
                             &p, &err);
    if (status < 0)
        return p.failed ? sh_out_done(call, p.failed) : sh_call_fail_internal(call, &err);
    if (p.count > p.limit)
        sh_put_text(&status, call->out, "NextMarker", p.last);
    return sh_out_done(call, status);
}
