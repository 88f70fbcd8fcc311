/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/api/args.h"
#include "cloud/api/logs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int need_name(sh_call *call, const char **out)
{
    int status = sh_logs_need(call, "logStreamName", SH_LOG_NAME_MAX, out);
    if (status == 0 && strpbrk(*out, ":*"))
        return sh_logs_refuse(call,
                              "1 validation error detected: Value '%.300s' at 'logStreamName' failed to "
                              "satisfy constraint: Member must satisfy regular expression pattern: [^:*]*",
                              *out);
    return status;
}

int sh_logs_need_stream(sh_call *call, const sh_log_group *group, sh_log_stream *out)
{
    sh_err err = {0};
    const char *name;
    int status = need_name(call, &name);
    if (status < 0)
        return status;
    status = sh_log_stream_get(call->cloud->db, call->arena, group->id, name, out, &err);
    return status < 0 ? sh_logs_fail(call, status, &err, "log stream") : 0;
}

static int need_group_and_name(sh_call *call, sh_log_group *group, const char **name)
{
    int status = need_name(call, name);
    return status < 0 ? status : sh_logs_need_group(call, group);
}

int sh_logs_create_stream(sh_call *call)
{
    sh_err err = {0};
    sh_log_group group;
    const char *name;
    int status = need_group_and_name(call, &group, &name);
    if (status < 0)
        return status;
    status = sh_log_stream_create(call->cloud->db, group.id, name, call->now_ms, &err);
    return status < 0 ? sh_logs_fail(call, status, &err, "log stream") : sh_out_new(call);
}

int sh_logs_delete_stream(sh_call *call)
{
    sh_err err = {0};
    sh_log_group group;
    const char *name;
    int status = need_group_and_name(call, &group, &name);
    if (status < 0)
        return status;
    status = sh_log_stream_delete(call->cloud->db, group.id, name, &err);
    return status < 0 ? sh_logs_fail(call, status, &err, "log stream") : sh_out_new(call);
}

/* ---- list ---- */

typedef struct stream_list {
    sh_call *call;
    const char *arn; /* of the group */
    json_t *list;
    const char *last;
    int64_t left, given;
} stream_list;

static int list_stream(void *opaque, const sh_log_stream *stream)
{
    stream_list *l = opaque;
    int status = 0;
    if (l->left == 0)
        return 1;
    json_t *item = json_object();
    l->last = sh_arena_strdup(l->call->arena, stream->name);
    sh_put_text(&status, item, "logStreamName", stream->name);
    sh_put(&status, item, "creationTime", json_integer(stream->created_ms));
    if (stream->last_ms >= 0) {
        sh_put(&status, item, "firstEventTimestamp", json_integer(stream->first_ms));
        sh_put(&status, item, "lastEventTimestamp", json_integer(stream->last_ms));
        sh_put(&status, item, "lastIngestionTime", json_integer(stream->taken_ms));
    }
    sh_put(&status, item, "uploadSequenceToken", json_sprintf("%056" PRId64, stream->id));
    sh_put(&status, item, "arn", json_sprintf("%s:log-stream:%s", l->arn, stream->name));
    sh_put(&status, item, "storedBytes", json_integer(0));
    l->left--;
    l->given++;
    return status == 0 && l->last && json_array_append_new(l->list, item) == 0 ? 0 : SH_E_MEMORY;
}

typedef struct stream_query {
    const char *prefix, *token;
    bool by_time, descending;
    int64_t skip;
} stream_query;

static int read_query(sh_call *call, stream_query *q, int64_t *limit)
{
    const char *order;
    int status = sh_logs_text(call, "logStreamNamePrefix", SH_LOG_NAME_MAX, &q->prefix);
    if (status == 0)
        status = sh_logs_text(call, "orderBy", 64, &order);
    if (status == 0)
        status = sh_logs_text(call, "nextToken", SH_LOG_NAME_MAX, &q->token);
    if (status == 0)
        status = sh_logs_int(call, "limit", 1, 50, 50, limit);
    if (status == 0)
        status = sh_arg_bool(call, "descending", false, &q->descending);
    if (status < 0)
        return status;
    if (order && strcmp(order, "LogStreamName") != 0 && strcmp(order, "LastEventTime") != 0)
        return sh_logs_refuse(call, "orderBy is LogStreamName or LastEventTime");
    q->by_time = order && strcmp(order, "LastEventTime") == 0;
    if (q->by_time && q->prefix)
        return sh_logs_refuse(call, "Cannot order by LastEventTime with a logStreamNamePrefix.");
    if (q->by_time && q->token) {
        char *end;
        q->skip = strtoll(q->token, &end, 10);
        if (*end || q->skip < 0)
            return sh_logs_refuse(call, "The specified nextToken is invalid.");
    }
    return 0;
}

int sh_logs_describe_streams(sh_call *call)
{
    sh_err err = {0};
    sh_log_group group;
    stream_query q = {0};
    stream_list l = {.call = call};
    int status = read_query(call, &q, &l.left);
    if (status == 0)
        status = sh_logs_need_group(call, &group);
    if (status < 0 || (status = sh_out_new(call)) < 0)
        return status;
    l.arn = sh_logs_arn(call, group.name);
    l.list = json_array();
    sh_put(&status, call->out, "logStreams", l.list);
    if (status == 0 && q.by_time)
        status = sh_log_streams_by_time(call->cloud->db, group.id, q.skip, q.descending, l.left + 1,
                                        list_stream, &l, &err);
    else if (status == 0)
        status =
            sh_log_streams_by_name(call->cloud->db, group.id, q.prefix ? q.prefix : "",
                                   q.token ? q.token : "", q.descending, l.left + 1, list_stream, &l, &err);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    if (l.left == 0 && q.by_time)
        sh_put(&status, call->out, "nextToken", json_sprintf("%" PRId64, q.skip + l.given));
    else if (l.left == 0)
        sh_put_text(&status, call->out, "nextToken", l.last);
    return sh_out_done(call, status);
}
