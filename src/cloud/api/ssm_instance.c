/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Nodes as Systems Manager shows them, and what is changed of them there. */
#include "base/size.h"
#include "cloud/api/agent.h"
#include "cloud/api/args.h"
#include "cloud/api/ssm.h"
#include "cloud/api/ssm_parameter.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE_MAX = 50 };

int sh_ssm_page(sh_call *call, int64_t *skip)
{
    const char *token;
    *skip = 0;
    int status = sh_arg_text(call, "NextToken", 64, &token);
    if (status == 0 && token && *token && !sh_parse_i64(token, strlen(token), 1, INT64_MAX, skip))
        return sh_call_fail(call, 400, "InvalidNextToken", "The specified token is not valid.");
    return status;
}

static bool is_managed(const sh_node_row *row)
{
    return strncmp(row->id, "mi-", 3) == 0;
}

/* ---- filters: both forms, as {"key", "values"} of the new one ---- */

typedef struct listing {
    sh_call *call;
    json_t *filters; /* [[key, values], ...] */
    json_t *list;
    int64_t skip, limit, seen;
} listing;

static const char *value_of(const listing *l, const sh_node_row *row, const char *key)
{
    if (strcmp(key, "InstanceIds") == 0)
        return row->id;
    if (strcmp(key, "PingStatus") == 0)
        return sh_node_online(row, l->call->now_ms) ? "Online" : "ConnectionLost";
    if (strcmp(key, "ResourceType") == 0)
        return is_managed(row) ? "ManagedInstance" : "EC2Instance";
    if (strcmp(key, "ActivationIds") == 0)
        return row->activation;
    if (strcmp(key, "IamRole") == 0)
        return row->role;
    if (strcmp(key, "AgentVersion") == 0)
        return row->agent_version;
    return strcmp(key, "PlatformTypes") == 0 ? "Linux" : NULL;
}

/* The values of a tag filter are compared with the node's tags. */
typedef struct tagged {
    const json_t *values; /* NULL: the key is looked for */
    const char *key;      /* NULL: any key whose name is among the values */
    bool found;
} tagged;

static int look_at_tag(void *opaque, const char *node, const char *key, const char *value)
{
    tagged *t = opaque;
    (void)node;
    t->found = t->found || sh_arg_lists(t->values, t->key ? value : key);
    return 0;
}

bool sh_ssm_node_tagged(sh_cloud *cloud, const char *node, const char *key, const json_t *values)
{
    sh_err err = {0};
    tagged t = {.values = values, .key = key};
    return sh_node_tag_each(cloud->db, node, key, look_at_tag, &t, &err) >= 0 && t.found;
}

static bool wanted(const listing *l, const sh_node_row *row)
{
    size_t index;
    const json_t *filter;
    json_array_foreach(l->filters, index, filter)
    {
        const char *key = json_string_value(json_array_get(filter, 0));
        const json_t *values = json_array_get(filter, 1);
        bool tag = strncmp(key, "tag:", 4) == 0, any = strcmp(key, "tag-key") == 0;
        const char *value = tag || any ? NULL : value_of(l, row, key);
        if (tag || any ? !sh_ssm_node_tagged(l->call->cloud, row->id, tag ? key + 4 : NULL, values)
                       : !value || !sh_arg_lists(values, value))
            return false;
    }
    return true;
}

static int read_filters(listing *l, const char *name, const char *key_name, const char *values_name)
{
    static const char *const known[] = {"InstanceIds", "PingStatus",   "ResourceType", "ActivationIds",
                                        "IamRole",     "AgentVersion", "PlatformTypes"};
    const json_t *filters, *filter;
    size_t index;
    int status = sh_arg_array(l->call, name, 50, &filters);
    json_array_foreach(filters, index, filter)
    {
        const char *key = json_string_value(json_object_get(filter, key_name));
        json_t *values = json_object_get(filter, values_name);
        bool good = key && (strncmp(key, "tag:", 4) == 0 || strcmp(key, "tag-key") == 0);
        for (size_t i = 0; key && i < SH_COUNT(known); i++)
            good = good || strcmp(key, known[i]) == 0;
        if (!good)
            return sh_call_fail(l->call, 400, "InvalidFilterKey", "there is no filter %.100s",
                                key ? key : "");
        if (!json_is_array(values) || json_array_size(values) == 0)
            return sh_call_fail(l->call, 400, "InvalidInstanceInformationFilterValue",
                                "the filter %.100s has no values", key);
        if (json_array_append_new(l->filters, json_pack("[s, O]", key, values)) < 0)
            return sh_out_done(l->call, SH_E_MEMORY);
    }
    return status;
}

/* ---- DescribeInstanceInformation ---- */

static json_t *node_json(const sh_call *call, const sh_node_row *row)
{
    int status = 0;
    json_t *json = json_object();
    sh_put_text(&status, json, "InstanceId", row->id);
    sh_put_text(&status, json, "PingStatus", sh_node_online(row, call->now_ms) ? "Online" : "ConnectionLost");
    if (row->seen_ms)
        sh_put_date(&status, json, "LastPingDateTime", row->seen_ms);
    sh_put_text(&status, json, "AgentVersion", *row->agent_version ? row->agent_version : "0");
    sh_put(&status, json, "IsLatestVersion", json_true());
    sh_put_text(&status, json, "PlatformType", "Linux");
    sh_put_text(&status, json, "PlatformName", row->platform);
    sh_put_text(&status, json, "PlatformVersion", row->platform_version);
    if (*row->activation)
        sh_put_text(&status, json, "ActivationId", row->activation);
    if (*row->role)
        sh_put_text(&status, json, "IamRole", row->role);
    if (is_managed(row))
        sh_put_date(&status, json, "RegistrationDate", row->registered_ms);
    sh_put_text(&status, json, "ResourceType", is_managed(row) ? "ManagedInstance" : "EC2Instance");
    if (*row->name)
        sh_put_text(&status, json, "Name", row->name);
    sh_put_text(&status, json, "IPAddress", *row->address ? row->address : "127.0.0.1");
    sh_put_text(&status, json, "ComputerName", row->host);
    return json;
}

static int add_node(void *opaque, const sh_node_row *row)
{
    listing *l = opaque;
    if (!wanted(l, row) || ++l->seen <= l->skip)
        return 0;
    if (l->seen > l->skip + l->limit)
        return 1;
    return json_array_append_new(l->list, node_json(l->call, row)) < 0 ? SH_E_MEMORY : 0;
}

static int describe(listing *l)
{
    sh_call *call = l->call;
    sh_err err = {0};
    int status;
    if ((status = read_filters(l, "Filters", "Key", "Values")) < 0 ||
        (status = read_filters(l, "InstanceInformationFilterList", "key", "valueSet")) < 0 ||
        (status = sh_arg_int(call, "MaxResults", 1, PAGE_MAX, PAGE_MAX, &l->limit)) < 0 ||
        (status = sh_ssm_page(call, &l->skip)) < 0 || (status = sh_out_new(call)) < 0)
        return status;
    sh_put(&status, call->out, "InstanceInformationList", l->list = json_array());
    if (status == 0)
        status = sh_node_each(call->cloud->db, add_node, l, &err);
    if (status < 0 && status != SH_E_MEMORY)
        return sh_call_fail_internal(call, &err);
    if (l->seen > l->skip + l->limit)
        sh_put(&status, call->out, "NextToken", json_sprintf("%lld", (long long)(l->skip + l->limit)));
    return sh_out_done(call, status);
}

int sh_ssm_describe_instances(sh_call *call)
{
    listing l = {.call = call, .filters = json_array()};
    int status = describe(&l);
    json_decref(l.filters);
    return status;
}

/* ---- changes ---- */

static int need_node(sh_call *call, const char *member, sh_node_row *row)
{
    const char *id;
    sh_err err = {0};
    int status = sh_arg_need(call, member, 124, &id);
    if (status < 0)
        return status;
    status = sh_node_get(call->cloud->db, call->arena, id, row, &err);
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 400, "InvalidInstanceId", "there is no managed node %.124s", id);
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

static int need_managed(sh_call *call, sh_node_row *row)
{
    int status = need_node(call, "InstanceId", row);
    if (status == 0 && !is_managed(row))
        return sh_call_fail(call, 400, "InvalidInstanceId", "%s was not registered by an activation",
                            row->id);
    return status;
}

int sh_ssm_deregister(sh_call *call)
{
    sh_node_row row;
    sh_err err = {0};
    int status = need_managed(call, &row);
    if (status < 0)
        return status;
    if (sh_node_delete(call->cloud->db, row.id, &err) < 0)
        return sh_call_fail_internal(call, &err);
    sh_agent_wake(call->cloud, row.id);
    sh_cloud_wake(call->cloud, SH_WAKE_NODES);
    return sh_out_new(call);
}

int sh_ssm_update_role(sh_call *call)
{
    sh_node_row row;
    sh_err err = {0};
    const char *role, *name;
    int status = need_managed(call, &row);
    if (status == 0)
        status = sh_arg_need(call, "IamRole", 64, &role);
    if (status == 0)
        status = sh_ssm_check_role(call, role, &name);
    if (status < 0)
        return status;
    if (sh_node_set_role(call->cloud->db, row.id, name, &err) < 0)
        return sh_call_fail_internal(call, &err);
    return sh_out_new(call);
}

int sh_ssm_connection_status(sh_call *call)
{
    sh_node_row row = {0};
    sh_err err = {0};
    const char *id;
    int status = sh_arg_need(call, "Target", 400, &id);
    if (status < 0)
        return status;
    status = sh_node_get(call->cloud->db, call->arena, id, &row, &err);
    if (status < 0 && status != SH_E_NOT_FOUND)
        return sh_call_fail_internal(call, &err);
    bool there = status == 0 && sh_node_online(&row, call->now_ms);
    if ((status = sh_out_new(call)) < 0)
        return status;
    sh_put_text(&status, call->out, "Target", id);
    sh_put_text(&status, call->out, "Status", there ? "connected" : "notconnected");
    return sh_out_done(call, status);
}

/* ---- tags ---- */

static bool of_node(const sh_call *call)
{
    const char *type = json_string_value(json_object_get(call->in, "ResourceType"));
    return type && strcmp(type, "ManagedInstance") == 0;
}

static int tag_node(sh_call *call, const json_t *tags, sh_err *err)
{
    const char *id = json_string_value(json_object_get(call->in, "ResourceId")), *key;
    json_t *value;
    int64_t count = 0;
    int status = 0;
    json_object_foreach((json_t *)tags, key, value)
    {
        if (status == 0)
            status = sh_node_tag_set(call->cloud->db, id, key, json_string_value(value), err);
    }
    if (status == 0)
        status = sh_node_tag_count(call->cloud->db, id, &count, err);
    if (status >= 0 && count > 50)
        return sh_call_fail(call, 400, "TooManyTagsError", "a node has at most 50 tags");
    return status < 0 ? status : 0;
}

int sh_ssm_add_any_tags(sh_call *call)
{
    sh_node_row row;
    sh_err err = {0};
    const json_t *given;
    if (!of_node(call))
        return sh_ssm_add_tags(call);
    int status = need_node(call, "ResourceId", &row);
    if (status == 0)
        status = sh_arg_array(call, "Tags", 1000, &given);
    if (status < 0)
        return status;
    json_t *tags = json_object();
    status = sh_tags_read(call, given, "Key", "Value", tags);
    if (status == 0)
        status = sh_db_begin(call->cloud->db, &err);
    if (status == 0)
        status = sh_db_end(call->cloud->db, tag_node(call, tags, &err), &err);
    json_decref(tags);
    if (status < 0)
        return call->error.code ? status : sh_call_fail_internal(call, &err);
    return sh_out_new(call);
}

int sh_ssm_remove_any_tags(sh_call *call)
{
    sh_node_row row;
    sh_err err = {0};
    const json_t *keys, *key;
    size_t index;
    if (!of_node(call))
        return sh_ssm_remove_tags(call);
    int status = need_node(call, "ResourceId", &row);
    if (status == 0)
        status = sh_arg_array(call, "TagKeys", 1000, &keys);
    if (status < 0)
        return status;
    json_array_foreach(keys, index, key)
    {
        if (json_is_string(key) &&
            sh_node_tag_remove(call->cloud->db, row.id, json_string_value(key), &err) < 0)
            return sh_call_fail_internal(call, &err);
    }
    return sh_out_new(call);
}

static int add_tag(void *opaque, const char *node, const char *key, const char *value)
{
    (void)node;
    return json_array_append_new(opaque, json_pack("{s:s, s:s}", "Key", key, "Value", value)) < 0
               ? SH_E_MEMORY
               : 0;
}

int sh_ssm_list_any_tags(sh_call *call)
{
    sh_node_row row;
    sh_err err = {0};
    json_t *list;
    if (!of_node(call))
        return sh_ssm_list_tags(call);
    int status = need_node(call, "ResourceId", &row);
    if (status < 0 || (status = sh_out_new(call)) < 0)
        return status;
    sh_put(&status, call->out, "TagList", list = json_array());
    if (status == 0 && sh_node_tag_each(call->cloud->db, row.id, NULL, add_tag, list, &err) < 0)
        return sh_call_fail_internal(call, &err);
    return sh_out_done(call, status);
}
