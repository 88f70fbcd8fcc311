/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Activations: the id and code that an agent registers with (agent_register.c uses them up). */
#include "cloud/api/agent.h"
#include "cloud/api/args.h"
#include "cloud/api/authorize.h"
#include "cloud/api/front.h"
#include "cloud/api/iam.h"
#include "cloud/api/keys.h"
#include "cloud/api/ssm.h"

#include <stdlib.h>
#include <string.h>

enum { DAY_MS = 86400000, DAYS_MAX = 30, NODES_MAX = 1000, PAGE_MAX = 50, ROLE_MAX = 64 };

/* The role as the console, the CLI and SDKs give it: a name, or a path and a name. *name is the last part. */
int sh_ssm_check_role(sh_call *call, const char *given, const char **name)
{
    sh_err err = {0};
    sh_caller session;
    const sh_cloud_settings *s = &call->cloud->settings;
    const char *slash = strrchr(given, '/');
    const char *arn = sh_arena_printf(call->arena, "arn:aws:iam::%s:role/%s", s->account, given);
    if (!arn)
        return sh_out_done(call, SH_E_MEMORY);
    int status = sh_authorize_pass_role(call, arn, "ssm.amazonaws.com");
    if (status < 0)
        return status;
    const sh_iam_taking taking = {
        .role_arn = arn, .service = "ssm.amazonaws.com", .session_name = "activation"};
    status = sh_caller_by_role(call->cloud, &taking, call->arena, &session, &err);
    if (status == SH_E_NOT_FOUND || status == SH_E_DENIED || status == SH_E_ARGUMENT)
        return sh_call_fail(call, 400, "ValidationException",
                            "Nonexistent role or missing ssm service principal in trust policy: %.200s", arn);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    *name = slash ? slash + 1 : given;
    return 0;
}

static int read_expiry(sh_call *call, int64_t *ms)
{
    const json_t *given = json_object_get(call->in, "ExpirationDate");
    const char *text = json_string_value(given);
    *ms = call->now_ms + DAY_MS;
    if (!given || json_is_null(given))
        return 0;
    if (json_is_number(given))
        *ms = (int64_t)(json_number_value(given) * 1000);
    else if (!text || !sh_time_parse_iso(text, strlen(text), ms))
        return sh_call_fail(call, 400, "SerializationException", "ExpirationDate is not a time");
    if (*ms <= call->now_ms || *ms > call->now_ms + (int64_t)DAYS_MAX * DAY_MS)
        return sh_call_fail(call, 400, "InvalidParameters",
                            "ExpirationDate has to be in the future, and within %d days", DAYS_MAX);
    return 0;
}

/* The tags as a JSON object's text, free(). */
static int read_tags(sh_call *call, char **text)
{
    const json_t *given;
    json_t *tags = json_object();
    int status = sh_arg_array(call, "Tags", 1000, &given);
    if (status == 0)
        status = tags ? sh_tags_read(call, given, "Key", "Value", tags) : sh_out_done(call, SH_E_MEMORY);
    if (status == 0 && !(*text = json_dumps(tags, JSON_COMPACT)))
        status = sh_out_done(call, SH_E_MEMORY);
    json_decref(tags);
    return status;
}

static int insert(sh_call *call, sh_activation *row)
{
    char id[SH_UUID_TEXT], code[SH_ACTIVATION_CODE], secret[SH_ACTIVATION_SECRET];
    sh_err err = {0};
    sh_uuid(id);
    int status = sh_activation_code(call->cloud, code, secret, &err);
    row->id = id;
    row->secret = secret;
    if (status == 0)
        status = sh_activation_insert(call->cloud->db, row, &err);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    if ((status = sh_out_new(call)) < 0)
        return status;
    sh_put_text(&status, call->out, "ActivationId", id);
    sh_put_text(&status, call->out, "ActivationCode", code);
    return sh_out_done(call, status);
}

int sh_ssm_create_activation(sh_call *call)
{
    const char *role, *name, *description;
    char *tags = NULL;
    sh_activation row = {.created_ms = call->now_ms};
    int status;
    if ((status = sh_arg_need(call, "IamRole", ROLE_MAX, &role)) < 0 ||
        (status = sh_arg_text(call, "DefaultInstanceName", 256, &name)) < 0 ||
        (status = sh_arg_text(call, "Description", 256, &description)) < 0 ||
        (status = sh_arg_int(call, "RegistrationLimit", 1, NODES_MAX, 1, &row.limit)) < 0 ||
        (status = read_expiry(call, &row.expires_ms)) < 0 ||
        (status = sh_ssm_check_role(call, role, &row.role)) < 0 || (status = read_tags(call, &tags)) < 0)
        return status;
    row.name = name ? name : "";
    row.description = description ? description : "";
    row.tags = tags;
    status = insert(call, &row);
    free(tags);
    return status;
}

int sh_ssm_delete_activation(sh_call *call)
{
    const char *id;
    sh_err err = {0};
    int status = sh_arg_need(call, "ActivationId", 64, &id);
    if (status < 0)
        return status;
    status = sh_activation_delete(call->cloud->db, id, &err);
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 400, "InvalidActivation", "the activation %.64s does not exist", id);
    return status < 0 ? sh_call_fail_internal(call, &err) : sh_out_new(call);
}

/* ---- the list ---- */

typedef struct listing {
    sh_call *call;
    const json_t *filters;
    json_t *list;
    int64_t skip, limit, seen;
} listing;

static bool wanted(const listing *l, const sh_activation *row)
{
    size_t index;
    const json_t *filter;
    json_array_foreach(l->filters, index, filter)
    {
        const char *key = json_string_value(json_object_get(filter, "FilterKey"));
        const char *text = strcmp(key, "ActivationIds") == 0         ? row->id
                           : strcmp(key, "DefaultInstanceName") == 0 ? row->name
                                                                     : row->role;
        if (!sh_arg_lists(json_object_get(filter, "FilterValues"), text))
            return false;
    }
    return true;
}

static json_t *activation_json(const sh_call *call, const sh_activation *row)
{
    int status = 0;
    json_t *json = json_object();
    sh_put_text(&status, json, "ActivationId", row->id);
    if (*row->description)
        sh_put_text(&status, json, "Description", row->description);
    if (*row->name)
        sh_put_text(&status, json, "DefaultInstanceName", row->name);
    sh_put_text(&status, json, "IamRole", row->role);
    sh_put(&status, json, "RegistrationLimit", json_integer(row->limit));
    sh_put(&status, json, "RegistrationsCount", json_integer(row->count));
    sh_put_date(&status, json, "ExpirationDate", row->expires_ms);
    sh_put(&status, json, "Expired", json_boolean(row->expires_ms <= call->now_ms));
    sh_put_date(&status, json, "CreatedDate", row->created_ms);
    sh_put(&status, json, "Tags", sh_tags_list(row->tags, "Key", "Value"));
    return json;
}

static int add_activation(void *opaque, const sh_activation *row)
{
    listing *l = opaque;
    if (!wanted(l, row) || ++l->seen <= l->skip)
        return 0;
    if (l->seen > l->skip + l->limit)
        return 1;
    return json_array_append_new(l->list, activation_json(l->call, row)) < 0 ? SH_E_MEMORY : 0;
}

static int check_filters(sh_call *call, const json_t *filters)
{
    size_t index;
    const json_t *filter;
    json_array_foreach(filters, index, filter)
    {
        const char *key = json_string_value(json_object_get(filter, "FilterKey"));
        if (!key || (strcmp(key, "ActivationIds") != 0 && strcmp(key, "DefaultInstanceName") != 0 &&
                     strcmp(key, "IamRole") != 0))
            return sh_call_fail(call, 400, "InvalidFilter",
                                "a filter's key is ActivationIds, DefaultInstanceName or IamRole");
    }
    return 0;
}

int sh_ssm_describe_activations(sh_call *call)
{
    listing l = {.call = call};
    sh_err err = {0};
    int status;
    if ((status = sh_arg_array(call, "Filters", 3, &l.filters)) < 0 ||
        (status = sh_arg_int(call, "MaxResults", 1, PAGE_MAX, PAGE_MAX, &l.limit)) < 0 ||
        (status = sh_ssm_page(call, &l.skip)) < 0 || (status = check_filters(call, l.filters)) < 0 ||
        (status = sh_out_new(call)) < 0)
        return status;
    sh_put(&status, call->out, "ActivationList", l.list = json_array());
    if (status == 0)
        status = sh_activation_each(call->cloud->db, add_activation, &l, &err);
    if (status < 0 && status != SH_E_MEMORY)
        return sh_call_fail_internal(call, &err);
    if (l.seen > l.skip + l.limit)
        sh_put(&status, call->out, "NextToken", json_sprintf("%lld", (long long)(l.skip + l.limit)));
    return sh_out_done(call, status);
}
