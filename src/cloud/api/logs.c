/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/api/logs.h"
#include "cloud/api/args.h"
#include "cloud/api/logs_policy.h"
#include "cloud/store/log_filters.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what all share ---- */

/* This service has a code of its own for what is wrong in a request. */
static int as_parameter(sh_call *call, int status)
{
    if (status < 0 && call->error.code && strcmp(call->error.code, "ValidationException") == 0)
        call->error.code = "InvalidParameterException";
    return status;
}

int sh_logs_text(sh_call *call, const char *name, size_t max, const char **out)
{
    return as_parameter(call, sh_arg_text(call, name, max, out));
}

int sh_logs_need(sh_call *call, const char *name, size_t max, const char **out)
{
    return as_parameter(call, sh_arg_need(call, name, max, out));
}

int sh_logs_int(sh_call *call, const char *name, int64_t min, int64_t max, int64_t fallback, int64_t *out)
{
    return as_parameter(call, sh_arg_int(call, name, min, max, fallback, out));
}

int sh_logs_refuse(sh_call *call, const char *format, ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    return sh_call_fail(call, 400, "InvalidParameterException", "%s", message);
}

int sh_logs_fail(sh_call *call, int status, const sh_err *err, const char *what)
{
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 400, "ResourceNotFoundException", "The specified %s does not exist.", what);
    if (status == SH_E_CONFLICT)
        return sh_call_fail(call, 400, "ResourceAlreadyExistsException", "The specified %s already exists",
                            what);
    return sh_call_fail_internal(call, err);
}

const char *sh_logs_arn(const sh_call *call, const char *group)
{
    return sh_arena_printf(call->arena, "arn:aws:logs:%s:%s:log-group:%s", call->cloud->settings.region,
                           call->cloud->settings.account, group);
}

const char *sh_logs_group_of(sh_arena *arena, const char *arn)
{
    static const char mark[] = ":log-group:";
    const char *name = strncmp(arn, "arn:aws:logs:", 13) == 0 ? strstr(arn, mark) : NULL;
    if (!name)
        return NULL;
    name += sizeof(mark) - 1;
    return sh_arena_strndup(arena, name, strcspn(name, ":"));
}

static int name_valid(sh_call *call, const char *member, const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-/#";
    if (strspn(name, letters) == strlen(name))
        return 0;
    return sh_logs_refuse(call,
                          "1 validation error detected: Value '%.300s' at '%s' failed to satisfy constraint: "
                          "Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+",
                          name, member);
}

static int group_name(sh_call *call, const char **out)
{
    const char *identifier;
    int status = sh_logs_text(call, "logGroupIdentifier", 2048, &identifier);
    if (status < 0)
        return status;
    if (identifier && *identifier) {
        const char *name = sh_logs_group_of(call->arena, identifier);
        *out = name ? name : identifier;
        return name_valid(call, "logGroupIdentifier", *out);
    }
    status = sh_logs_need(call, "logGroupName", SH_LOG_NAME_MAX, out);
    return status < 0 ? status : name_valid(call, "logGroupName", *out);
}

int sh_logs_need_group(sh_call *call, sh_log_group *out)
{
    sh_err err = {0};
    const char *name;
    int status = group_name(call, &name);
    if (status < 0)
        return status;
    status = sh_log_group_get(call->cloud->db, call->arena, name, out, &err);
    return status < 0 ? sh_logs_fail(call, status, &err, "log group") : 0;
}

/* ---- groups ---- */

static int read_tags(sh_call *call, const json_t *given, json_t *tags)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)given, key, value)
    {
        if (!*key || strlen(key) > 4 * 128 || !json_is_string(value) || json_string_length(value) > 4 * 256)
            return sh_logs_refuse(call, "a tag has a key of 1 to 128 and a value of at most 256 characters");
        json_object_set(tags, key, value);
    }
    if (json_object_size(tags) > 50)
        return sh_call_fail(call, 400, "TooManyTagsException", "a resource has at most 50 tags");
    return 0;
}

static int save_tags(sh_call *call, int64_t group, const json_t *tags)
{
    sh_err err = {0};
    char *text = json_dumps(tags, JSON_COMPACT);
    int status = text ? sh_log_group_set_tags(call->cloud->db, group, text, &err)
                      : sh_fail(&err, SH_E_MEMORY, "no memory for tags");
    free(text);
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

/* In a transaction. */
static int make_group(sh_call *call, const sh_log_group *group, const json_t *tags)
{
    sh_err err = {0};
    sh_log_group made;
    int status = sh_log_group_create(call->cloud->db, group, &err);
    if (status == 0 && json_object_size(tags) > 0) {
        status = sh_log_group_get(call->cloud->db, call->arena, group->name, &made, &err);
        if (status == 0)
            return save_tags(call, made.id, tags);
    }
    return status < 0 ? sh_logs_fail(call, status, &err, "log group") : 0;
}

static int create_group(sh_call *call)
{
    sh_err err = {0};
    const json_t *given;
    sh_log_group group = {.created_ms = call->now_ms};
    int status = sh_logs_need(call, "logGroupName", SH_LOG_NAME_MAX, &group.name);
    if (status == 0)
        status = name_valid(call, "logGroupName", group.name);
    if (status == 0)
        status = sh_logs_text(call, "logGroupClass", 64, &group.class);
    if (status == 0)
        status = as_parameter(call, sh_arg_object(call, "tags", &given));
    if (status < 0)
        return status;
    if (!group.class)
        group.class = "STANDARD";
    if (strcmp(group.class, "STANDARD") != 0 && strcmp(group.class, "INFREQUENT_ACCESS") != 0)
        return sh_logs_refuse(call, "logGroupClass is STANDARD or INFREQUENT_ACCESS");
    if (json_object_get(call->in, "kmsKeyId"))
        return sh_logs_refuse(call, "kmsKeyId is not supported: there are no KMS keys here");
    json_t *tags = json_object();
    status = read_tags(call, given, tags);
    if (status == 0)
        status = sh_db_begin(call->cloud->db, &err) < 0
                     ? sh_call_fail_internal(call, &err)
                     : sh_db_end(call->cloud->db, make_group(call, &group, tags), &err);
    json_decref(tags);
    return status < 0 ? status : sh_out_new(call);
}

static int delete_group(sh_call *call)
{
    sh_err err = {0};
    const char *name;
    int status = group_name(call, &name);
    if (status < 0)
        return status;
    if ((status = sh_db_begin(call->cloud->db, &err)) == 0) {
        status = sh_log_group_delete(call->cloud->db, name, &err);
        if (status == 0)
            status = sh_log_filters_clear(call->cloud->db, name, &err);
        status = sh_db_end(call->cloud->db, status, &err);
    }
    return status < 0 ? sh_logs_fail(call, status, &err, "log group") : sh_out_new(call);
}

typedef struct group_list {
    sh_call *call;
    json_t *list;
    const char *pattern; /* NULL: all */
    const char *last;
    int64_t left;
} group_list;

static int list_group(void *opaque, const sh_log_group *group)
{
    group_list *l = opaque;
    int status = 0;
    if (l->pattern && !strstr(group->name, l->pattern))
        return 0;
    if (l->left == 0)
        return 1;
    const char *arn = sh_logs_arn(l->call, group->name);
    json_t *item = json_object();
    l->last = sh_arena_strdup(l->call->arena, group->name);
    sh_put_text(&status, item, "logGroupName", group->name);
    sh_put(&status, item, "creationTime", json_integer(group->created_ms));
    if (group->retention_days > 0)
        sh_put(&status, item, "retentionInDays", json_integer(group->retention_days));
    sh_put(&status, item, "metricFilterCount", json_integer(0));
    sh_put(&status, item, "arn", arn ? json_sprintf("%s:*", arn) : NULL);
    sh_put(&status, item, "storedBytes", json_integer(group->bytes));
    sh_put_text(&status, item, "logGroupClass", group->class);
    sh_put_text(&status, item, "logGroupArn", arn);
    l->left--;
    return status == 0 && l->last && json_array_append_new(l->list, item) == 0 ? 0 : SH_E_MEMORY;
}

static int describe_groups(sh_call *call)
{
    sh_err err = {0};
    const char *prefix, *token;
    group_list l = {.call = call};
    int status = sh_logs_text(call, "logGroupNamePrefix", SH_LOG_NAME_MAX, &prefix);
    if (status == 0)
        status = sh_logs_text(call, "logGroupNamePattern", SH_LOG_NAME_MAX, &l.pattern);
    if (status == 0)
        status = sh_logs_text(call, "nextToken", SH_LOG_NAME_MAX, &token);
    if (status == 0)
        status = sh_logs_int(call, "limit", 1, 50, 50, &l.left);
    if (status < 0)
        return status;
    if (prefix && l.pattern)
        return sh_logs_refuse(call, "LogGroup name prefix and LogGroup name pattern are mutually exclusive "
                                    "parameters.");
    if ((status = sh_out_new(call)) < 0)
        return status;
    l.list = json_array();
    sh_put(&status, call->out, "logGroups", l.list);
    if (status == 0)
        status = sh_log_groups_list(call->cloud->db, prefix ? prefix : "", token ? token : "",
                                    l.pattern ? INT64_MAX : l.left + 1, list_group, &l, &err);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    if (l.left == 0 && l.last) /* there may be more: an empty page at worst */
        sh_put_text(&status, call->out, "nextToken", l.last);
    return sh_out_done(call, status);
}

static bool is_retention(int64_t days)
{
    static const short allowed[] = {1,   3,   5,   7,   14,   30,   60,   90,   120,  150,  180,
                                    365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653};
    for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++) {
        if (allowed[i] == days)
            return true;
    }
    return false;
}

static int set_retention(sh_call *call, int64_t days)
{
    sh_err err = {0};
    const char *name;
    int status = group_name(call, &name);
    if (status < 0)
        return status;
    status = sh_log_group_set_retention(call->cloud->db, name, days, &err);
    return status < 0 ? sh_logs_fail(call, status, &err, "log group") : sh_out_new(call);
}

static int put_retention(sh_call *call)
{
    int64_t days;
    int status = sh_logs_int(call, "retentionInDays", 0, 100000, 0, &days);
    if (status < 0)
        return status;
    if (!is_retention(days))
        return sh_logs_refuse(call,
                              "retentionInDays is 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, "
                              "731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653");
    return set_retention(call, days);
}

static int delete_retention(sh_call *call)
{
    return set_retention(call, 0);
}

/* ---- tags ---- */

/* The group of resourceArn (or, in the older actions, logGroupName) and its tags, a new reference. */
static int need_tags(sh_call *call, sh_log_group *group, json_t **tags)
{
    sh_err err = {0};
    const char *arn, *text = NULL;
    int status = sh_logs_text(call, "resourceArn", 1011, &arn);
    if (status < 0)
        return status;
    if (arn) {
        const char *name = sh_logs_group_of(call->arena, arn);
        if (!name)
            return sh_logs_refuse(call, "resourceArn '%.300s' is not the ARN of a log group", arn);
        status = sh_log_group_get(call->cloud->db, call->arena, name, group, &err);
        if (status < 0)
            return sh_logs_fail(call, status, &err, "log group");
    } else if ((status = sh_logs_need_group(call, group)) < 0) {
        return status;
    }
    status = sh_log_group_tags(call->cloud->db, call->arena, group->id, &text, &err);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    *tags = text ? json_loads(text, 0, NULL) : json_object();
    return *tags ? 0 : sh_out_done(call, SH_E_MEMORY);
}

static int list_tags(sh_call *call)
{
    sh_log_group group;
    json_t *tags;
    int status = need_tags(call, &group, &tags);
    if (status < 0 || (status = sh_out_new(call)) < 0)
        return status;
    sh_put(&status, call->out, "tags", tags);
    return sh_out_done(call, status);
}

static int tag(sh_call *call)
{
    sh_log_group group;
    json_t *tags;
    const json_t *given;
    int status = as_parameter(call, sh_arg_object(call, "tags", &given));
    if (status < 0 || (status = need_tags(call, &group, &tags)) < 0)
        return status;
    status = read_tags(call, given, tags);
    if (status == 0)
        status = save_tags(call, group.id, tags);
    json_decref(tags);
    return status < 0 ? status : sh_out_new(call);
}

static int untag(sh_call *call)
{
    sh_log_group group;
    json_t *tags;
    const json_t *keys, *key;
    size_t index;
    bool old = json_object_get(call->in, "tagKeys") == NULL;
    int status = as_parameter(call, sh_arg_array(call, old ? "tags" : "tagKeys", 50, &keys));
    if (status < 0 || (status = need_tags(call, &group, &tags)) < 0)
        return status;
    json_array_foreach(keys, index, key)
    {
        if (json_is_string(key))
            json_object_del(tags, json_string_value(key));
    }
    status = save_tags(call, group.id, tags);
    json_decref(tags);
    return status < 0 ? status : sh_out_new(call);
}

/* ---- the table ---- */

static int no_metrics(sh_call *call)
{
    return sh_call_fail(
        call, 400, "OperationAbortedException",
        "Metric filters are not supported by this server: it keeps no metrics. FilterLogEvents "
        "has the same patterns.");
}

static const sh_action actions[] = {
    {"CreateLogGroup", create_group},
    {"DeleteLogGroup", delete_group},
    {"DescribeLogGroups", describe_groups},
    {"PutRetentionPolicy", put_retention},
    {"DeleteRetentionPolicy", delete_retention},
    {"TagResource", tag},
    {"UntagResource", untag},
    {"ListTagsForResource", list_tags},
    {"TagLogGroup", tag},
    {"UntagLogGroup", untag},
    {"ListTagsLogGroup", list_tags},
    {"CreateLogStream", sh_logs_create_stream},
    {"DeleteLogStream", sh_logs_delete_stream},
    {"DescribeLogStreams", sh_logs_describe_streams},
    {"PutLogEvents", sh_logs_put_events},
    {"GetLogEvents", sh_logs_get_events},
    {"FilterLogEvents", sh_logs_filter_events},
    {"TestMetricFilter", sh_logs_test_pattern},
    {"PutMetricFilter", no_metrics},
    {"DescribeMetricFilters", no_metrics},
    {"PutSubscriptionFilter", sh_logs_put_subscription},
    {"DescribeSubscriptionFilters", sh_logs_describe_subscriptions},
    {"DeleteSubscriptionFilter", sh_logs_delete_subscription},
    {"PutResourcePolicy", sh_logs_put_resource_policy},
    {"DescribeResourcePolicies", sh_logs_describe_resource_policies},
    {"DeleteResourcePolicy", sh_logs_delete_resource_policy},
    {NULL, NULL},
};

const sh_service sh_service_logs = {
    .name = "logs", .target_prefix = "Logs_20140328", .json_version = "1.1", .actions = actions};
