/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Subscription filters: what is written into a group goes to a function, in the transaction that writes it,
 * as AWS shapes it: {"awslogs": {"data": base64 of gzip of a DATA_MESSAGE}}. */
#include "base/buf.h"
#include "base/log.h"
#include "cloud/api/args.h"
#include "cloud/api/lambda.h"
#include "cloud/api/logs.h"
#include "cloud/api/logs_pattern.h"
#include "cloud/http/digest.h"
#include "cloud/store/log_filters.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { FILTERS_MAX = 2, NAME_MAX_LENGTH = 512 };
#define MEMORY ((size_t)32 << 20)

/* ---- sending ---- */

typedef struct sending {
    sh_cloud *cloud;
    sh_arena *arena;
    const char *group, *stream, *source_arn;
    const sh_log_event *events;
    size_t count;
    sh_log_filter filters[FILTERS_MAX];
    size_t filter_count;
} sending;

static int take_filter(void *opaque, const sh_log_filter *row)
{
    sending *s = opaque;
    sh_log_filter *f = &s->filters[s->filter_count++];
    *f = (sh_log_filter){.name = sh_arena_strdup(s->arena, row->name),
                         .pattern = sh_arena_strdup(s->arena, row->pattern),
                         .destination = sh_arena_strdup(s->arena, row->destination)};
    if (!f->name || !f->pattern || !f->destination)
        return SH_E_MEMORY;
    return s->filter_count == FILTERS_MAX;
}

static json_t *matching(const sending *s, const sh_log_pattern *pattern)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->count; i++) {
        const sh_log_event *e = &s->events[i];
        char id[64];
        if (pattern && !sh_log_pattern_matches(pattern, e->message))
            continue;
        snprintf(id, sizeof(id), "%032" PRId64 "%024zu", e->time_ms, i);
        json_array_append_new(list, json_pack("{s:s, s:I, s:s}", "id", id, "timestamp",
                                              (json_int_t)e->time_ms, "message", e->message));
    }
    return list;
}

/* In the arena; NULL: no memory. */
static unsigned char *zipped(sh_arena *arena, const char *text, size_t *length)
{
    z_stream z = {0};
    size_t size = strlen(text);
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return NULL;
    size_t room = deflateBound(&z, size);
    unsigned char *out = sh_arena_alloc(arena, room);
    z.next_in = (unsigned char *)text;
    z.avail_in = (uInt)size;
    z.next_out = out;
    z.avail_out = (uInt)room;
    bool good = out && deflate(&z, Z_FINISH) == Z_STREAM_END;
    *length = z.total_out;
    deflateEnd(&z);
    return good ? out : NULL;
}

static char *payload_of(const sending *s, const sh_log_filter *f, json_t *events)
{
    json_t *message = json_pack("{s:s, s:s, s:s, s:s, s:[s], s:O}", "messageType", "DATA_MESSAGE", "owner",
                                s->cloud->settings.account, "logGroup", s->group, "logStream", s->stream,
                                "subscriptionFilters", f->name, "logEvents", events);
    char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;
    size_t length = 0;
    unsigned char *bytes = text ? zipped(s->arena, text, &length) : NULL;
    char *data = bytes ? sh_arena_alloc(s->arena, (length + 2) / 3 * 4 + 1) : NULL;
    free(text);
    json_decref(message);
    if (!data)
        return NULL;
    sh_base64(bytes, length, data);
    return sh_arena_printf(s->arena, "{\"awslogs\":{\"data\":\"%s\"}}", data);
}

static int send_events(const sending *s, const sh_log_filter *f, json_t *events, sh_err *err)
{
    sh_aws_error error = {0};
    char *payload = payload_of(s, f, events);
    if (!payload)
        return sh_fail(err, SH_E_MEMORY, "no memory for a subscription");
    const sh_lambda_event e = {.function = f->destination,
                               .service = "logs.amazonaws.com",
                               .source_arn = s->source_arn,
                               .payload = payload,
                               .length = strlen(payload)};
    int status = sh_lambda_send_event(s->cloud, &e, s->arena, &error, err);
    if (status != SH_E_ARGUMENT)
        return status;
    sh_log(SH_LOG_WARNING, "logs", "lines of %s are not sent to %s: %s: %s", s->group, f->destination,
           error.code, error.message);
    return 0;
}

static int send_one(const sending *s, const sh_log_filter *f, sh_err *err)
{
    sh_log_pattern *pattern = NULL;
    int status = *f->pattern ? sh_log_pattern_parse(&pattern, f->pattern, err) : 0;
    if (status < 0)
        return status;
    json_t *events = matching(s, pattern);
    if (json_array_size(events) > 0)
        status = send_events(s, f, events, err);
    json_decref(events);
    sh_log_pattern_free(pattern);
    return status;
}

static const char *source_arn(const sh_cloud *cloud, sh_arena *arena, const char *group)
{
    return sh_arena_printf(arena, "arn:aws:logs:%s:%s:log-group:%s:*", cloud->settings.region,
                           cloud->settings.account, group);
}

int sh_logs_tell(sh_cloud *cloud, const char *group, const char *stream, const sh_log_event *events,
                 size_t count, sh_err *err)
{
    sending s = {.cloud = cloud, .group = group, .stream = stream, .events = events, .count = count};
    s.arena = count ? sh_arena_new(MEMORY) : NULL;
    if (!s.arena)
        return count ? sh_fail(err, SH_E_MEMORY, "no memory for subscriptions") : 0;
    int status = sh_log_filters_list(cloud->db, group, take_filter, &s, err);
    s.source_arn = source_arn(cloud, s.arena, group);
    for (size_t i = 0; status == 0 && i < s.filter_count; i++)
        status = send_one(&s, &s.filters[i], err);
    sh_arena_free(s.arena);
    return status;
}

/* ---- actions ---- */

typedef struct counted {
    const char *but;
    int count;
} counted;

static int count_filter(void *opaque, const sh_log_filter *filter)
{
    counted *c = opaque;
    c->count += strcmp(filter->name, c->but) != 0;
    return 0;
}

static int check_pattern(sh_call *call, const char *text)
{
    sh_err err = {0};
    sh_log_pattern *pattern;
    if (!*text)
        return 0;
    if (sh_log_pattern_parse(&pattern, text, &err) < 0)
        return sh_logs_refuse(call, "Invalid filter pattern: %s", err.message);
    sh_log_pattern_free(pattern);
    return 0;
}

/* The function has to be there and to let this group invoke it. Its own lines are not sent to it: that would
 * never end. */
static int check_destination(sh_call *call, const char *group, const char *arn)
{
    sh_err err = {0};
    sh_aws_error error = {0};
    const char *own = strstr(arn, ":function:");
    const sh_lambda_event event = {.function = arn,
                                   .service = "logs.amazonaws.com",
                                   .source_arn = source_arn(call->cloud, call->arena, group)};
    if (!sh_lambda_is_arn(call->cloud, arn))
        return sh_logs_refuse(call,
                              "PutSubscriptionFilter operation cannot work with destinationArn %.300s: this "
                              "server sends to functions of its own account and region",
                              arn);
    if (strncmp(group, "/aws/lambda/", 12) == 0 && strcmp(group + 12, own + 10) == 0)
        return sh_logs_refuse(call, "A function cannot be sent the lines of its own log group %.300s", group);
    int status = sh_lambda_may_send(call->cloud, &event, call->arena, &error, &err);
    if (status == SH_E_ARGUMENT)
        return sh_logs_refuse(call, "Could not execute the lambda function. Make sure you have given "
                                    "CloudWatch Logs permission to execute your function.");
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

/* In a transaction. */
static int put_filter(sh_call *call, const sh_log_filter *filter, sh_err *err)
{
    counted c = {.but = filter->name};
    int status = sh_log_filters_list(call->cloud->db, filter->group, count_filter, &c, err);
    if (status == 0 && c.count >= FILTERS_MAX)
        return sh_call_fail(call, 400, "LimitExceededException", "Resource limit exceeded.");
    return status < 0 ? status : sh_log_filter_put(call->cloud->db, filter, err);
}

int sh_logs_put_subscription(sh_call *call)
{
    sh_err err = {0};
    sh_log_group group;
    sh_log_filter filter = {.created_ms = call->now_ms};
    int status = sh_logs_need_group(call, &group);
    if (status == 0)
        status = sh_logs_need(call, "filterName", NAME_MAX_LENGTH, &filter.name);
    if (status == 0)
        status = sh_logs_text(call, "filterPattern", SH_LOG_PATTERN_MAX, &filter.pattern);
    if (status == 0)
        status = sh_logs_need(call, "destinationArn", 2048, &filter.destination);
    if (status < 0)
        return status;
    filter.group = group.name;
    filter.pattern = filter.pattern ? filter.pattern : "";
    if ((status = check_pattern(call, filter.pattern)) < 0 ||
        (status = check_destination(call, group.name, filter.destination)) < 0)
        return status;
    if ((status = sh_db_begin(call->cloud->db, &err)) == 0)
        status = sh_db_end(call->cloud->db, put_filter(call, &filter, &err), &err);
    if (status < 0)
        return call->error.code ? status : sh_call_fail_internal(call, &err);
    return sh_out_new(call);
}

int sh_logs_delete_subscription(sh_call *call)
{
    sh_err err = {0};
    sh_log_group group;
    const char *name;
    int status = sh_logs_need_group(call, &group);
    if (status == 0)
        status = sh_logs_need(call, "filterName", NAME_MAX_LENGTH, &name);
    if (status < 0)
        return status;
    status = sh_log_filter_delete(call->cloud->db, group.name, name, &err);
    return status < 0 ? sh_logs_fail(call, status, &err, "subscription filter") : sh_out_new(call);
}

typedef struct listing {
    const char *prefix;
    json_t *list;
} listing;

static int add_filter(void *opaque, const sh_log_filter *f)
{
    listing *l = opaque;
    if (l->prefix && strncmp(f->name, l->prefix, strlen(l->prefix)) != 0)
        return 0;
    json_t *item = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "filterName", f->name, "logGroupName",
                             f->group, "filterPattern", f->pattern, "destinationArn", f->destination,
                             "distribution", "ByLogStream", "creationTime", (json_int_t)f->created_ms);
    return item && json_array_append_new(l->list, item) == 0 ? 0 : SH_E_MEMORY;
}

int sh_logs_describe_subscriptions(sh_call *call)
{
    sh_err err = {0};
    sh_log_group group;
    listing l = {0};
    int status = sh_logs_need_group(call, &group);
    if (status == 0)
        status = sh_logs_text(call, "filterNamePrefix", NAME_MAX_LENGTH, &l.prefix);
    if (status == 0)
        status = sh_out_new(call);
    if (status < 0)
        return status;
    l.list = json_array();
    sh_put(&status, call->out, "subscriptionFilters", l.list);
    if (status == 0)
        status = sh_log_filters_list(call->cloud->db, group.name, add_filter, &l, &err);
    return sh_out_done(call, status);
}
