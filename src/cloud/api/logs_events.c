/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events. Tokens of pages are places: "f/TIME.ID" for what comes after an event, "b/TIME.ID" for what comes
 * before it, "TIME.ID" in FilterLogEvents. */
#include "cloud/api/args.h"
#include "cloud/api/logs.h"
#include "cloud/api/logs_pattern.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_BYTES 1048576
#define BATCH_EVENTS 10000
#define EVENT_OVERHEAD 26
#define ANSWER_BYTES (1024 * 1024)
#define SCAN_MAX 20000 /* events looked at for one page of FilterLogEvents */
#define HOUR_MS ((int64_t)60 * 60 * 1000)
#define DAY_MS (24 * HOUR_MS)

/* ---- put ---- */

static int read_event(sh_call *call, const json_t *item, sh_log_event *event)
{
    const json_t *time = json_object_get(item, "timestamp"), *message = json_object_get(item, "message");
    if (!json_is_integer(time) || json_integer_value(time) < 0)
        return sh_logs_refuse(call,
                              "1 validation error detected: Value at 'logEvents.timestamp' failed to satisfy "
                              "constraint: Member must have value greater than or equal to 0");
    if (!json_is_string(message) || json_string_length(message) == 0)
        return sh_logs_refuse(call,
                              "1 validation error detected: Value at 'logEvents.message' failed to satisfy "
                              "constraint: Member must have length greater than or equal to 1");
    size_t length = json_string_length(message);
    if (length + EVENT_OVERHEAD > BATCH_BYTES)
        return sh_logs_refuse(call, "Log event too large: %zu bytes exceeds limit of %d",
                              length + EVENT_OVERHEAD, BATCH_BYTES);
    if (strlen(json_string_value(message)) != length)
        return sh_logs_refuse(call, "a message must not contain a zero byte");
    *event = (sh_log_event){.time_ms = json_integer_value(time), .message = json_string_value(message)};
    return 0;
}

/* *out: in the arena. */
static int read_batch(sh_call *call, sh_log_event **out, size_t *count)
{
    const json_t *list, *item;
    size_t index, bytes = 0;
    int status = sh_arg_array(call, "logEvents", BATCH_EVENTS, &list);
    if (status < 0)
        return status;
    if (json_array_size(list) == 0)
        return sh_logs_refuse(call,
                              "1 validation error detected: Value '[]' at 'logEvents' failed to satisfy "
                              "constraint: Member must have length greater than or equal to 1");
    sh_log_event *events = sh_arena_alloc(call->arena, json_array_size(list) * sizeof(*events));
    if (!events)
        return sh_out_done(call, SH_E_MEMORY);
    json_array_foreach(list, index, item)
    {
        if ((status = read_event(call, item, &events[index])) < 0)
            return status;
        bytes += strlen(events[index].message) + EVENT_OVERHEAD;
        if (index > 0 && events[index].time_ms < events[index - 1].time_ms)
            return sh_logs_refuse(
                call, "Log events in a single PutLogEvents request must be in chronological order.");
    }
    if (bytes > BATCH_BYTES)
        return sh_logs_refuse(call, "Upload too large: %zu bytes exceeds limit of %d", bytes, BATCH_BYTES);
    *count = json_array_size(list);
    if (events[*count - 1].time_ms - events[0].time_ms > DAY_MS)
        return sh_logs_refuse(
            call, "The batch of log events in a single PutLogEvents request cannot span more than "
                  "24 hours.");
    *out = events;
    return 0;
}

/* Those that are too old or too new are told of and left out. */
static int reject(sh_call *call, const sh_log_group *group, const sh_log_event *events, size_t count,
                  size_t *from, size_t *until)
{
    int status = 0;
    size_t expired = 0, old = 0, fit = count;
    int64_t kept_from = group->retention_days > 0 ? call->now_ms - group->retention_days * DAY_MS : 0;
    while (expired < count && events[expired].time_ms < kept_from)
        expired++;
    while (old < count && events[old].time_ms < call->now_ms - 14 * DAY_MS)
        old++;
    while (fit > 0 && events[fit - 1].time_ms > call->now_ms + 2 * HOUR_MS)
        fit--;
    *from = expired > old ? expired : old;
    *until = fit > *from ? fit : *from;
    if (expired == 0 && old == 0 && fit == count)
        return 0;
    json_t *told = json_object();
    if (fit < count)
        sh_put(&status, told, "tooNewLogEventStartIndex", json_integer((json_int_t)fit));
    if (old > 0)
        sh_put(&status, told, "tooOldLogEventEndIndex", json_integer((json_int_t)old));
    if (expired > 0)
        sh_put(&status, told, "expiredLogEventEndIndex", json_integer((json_int_t)expired));
    sh_put(&status, call->out, "rejectedLogEventsInfo", told);
    return status;
}

int sh_logs_put_events(sh_call *call)
{
    sh_err err = {0};
    sh_log_group group;
    sh_log_stream stream;
    sh_log_event *events = NULL;
    size_t count = 0, from = 0, until = 0;
    int status = sh_logs_need_group(call, &group);
    if (status == 0)
        status = sh_logs_need_stream(call, &group, &stream);
    if (status == 0)
        status = read_batch(call, &events, &count);
    if (status < 0 || (status = sh_out_new(call)) < 0)
        return status;
    sh_put(&status, call->out, "nextSequenceToken", json_sprintf("%056" PRId64, stream.id));
    if (status == 0)
        status = reject(call, &group, events, count, &from, &until);
    if (status < 0)
        return sh_out_done(call, status);
    if ((status = sh_db_begin(call->cloud->db, &err)) == 0) {
        status = sh_log_events_add(call->cloud->db, group.id, stream.id, events + from, until - from,
                                   call->now_ms, &err);
        if (status == 0)
            status = sh_logs_tell(call->cloud, group.name, stream.name, events + from, until - from, &err);
        status = sh_db_end(call->cloud->db, status, &err);
    }
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

/* ---- get ---- */

typedef struct page {
    json_t *list;
    int64_t limit, scanned, bytes;
    int64_t time_ms, id; /* of the last event looked at */
    bool full;
    const sh_log_pattern *pattern; /* NULL: all */
    const json_t *streams;         /* names, NULL: all */
} page;

static bool stream_wanted(const json_t *names, const char *name)
{
    size_t index;
    const json_t *item;
    json_array_foreach(names, index, item)
    {
        if (strcmp(json_string_value(item), name) == 0)
            return true;
    }
    return names == NULL;
}

static int take_event(void *opaque, const sh_log_event *event)
{
    page *p = opaque;
    int64_t length = (int64_t)strlen(event->message) + EVENT_OVERHEAD;
    int status = 0;
    if ((int64_t)json_array_size(p->list) == p->limit || p->scanned == SCAN_MAX ||
        (p->bytes > 0 && p->bytes + length > ANSWER_BYTES)) {
        p->full = true;
        return 1;
    }
    p->scanned++;
    p->time_ms = event->time_ms;
    p->id = event->id;
    if ((event->stream && !stream_wanted(p->streams, event->stream)) ||
        (p->pattern && !sh_log_pattern_matches(p->pattern, event->message)))
        return 0;
    json_t *item = json_object();
    if (event->stream)
        sh_put_text(&status, item, "logStreamName", event->stream);
    sh_put(&status, item, "timestamp", json_integer(event->time_ms));
    sh_put_text(&status, item, "message", event->message);
    sh_put(&status, item, "ingestionTime", json_integer(event->taken_ms));
    if (event->stream)
        sh_put(&status, item, "eventId", json_sprintf("%056" PRId64, event->id));
    p->bytes += length;
    return status == 0 && json_array_append_new(p->list, item) == 0 ? 0 : SH_E_MEMORY;
}

static bool read_place(const char *text, int64_t *time_ms, int64_t *id)
{
    int used = 0;
    return sscanf(text, "%" SCNd64 ".%" SCNd64 "%n", time_ms, id, &used) == 2 && text[used] == '\0';
}

static int read_range(sh_call *call, sh_log_range *range, int64_t limit_max)
{
    int64_t end;
    int status = sh_logs_int(call, "startTime", 0, INT64_MAX - 1, 0, &range->from_ms);
    if (status == 0)
        status = sh_logs_int(call, "endTime", 0, INT64_MAX - 1, INT64_MAX - 1, &end);
    if (status == 0)
        status = sh_logs_int(call, "limit", 1, limit_max, limit_max, &range->limit);
    if (status == 0)
        range->until_ms = end;
    return status;
}

/* The token's place; without one, the start or the end of all. */
static int read_token(sh_call *call, sh_log_range *range)
{
    const char *token;
    bool from_head;
    int status = sh_logs_text(call, "nextToken", 100, &token);
    if (status == 0)
        status = sh_arg_bool(call, "startFromHead", false, &from_head);
    if (status < 0)
        return status;
    range->downwards = token ? token[0] == 'b' : !from_head;
    range->time_ms = range->id = range->downwards ? INT64_MAX : 0;
    if (token && ((token[0] != 'f' && token[0] != 'b') || token[1] != '/' ||
                  !read_place(token + 2, &range->time_ms, &range->id)))
        return sh_logs_refuse(call, "The specified nextToken is invalid.");
    return 0;
}

/* Upwards as they are given, whichever way they were read. */
static void turn(json_t *list)
{
    for (size_t i = 0, j = json_array_size(list); i + 1 < j; i++) {
        json_t *last = json_incref(json_array_get(list, --j));
        json_t *first = json_incref(json_array_get(list, i));
        json_array_set_new(list, i, last);
        json_array_set_new(list, j, first);
    }
}

typedef struct ends {
    int64_t first_time, first_id, last_time, last_id;
} ends;

/* Where the page begins and ends; of an empty one, where it was looked for. */
static ends ends_of(const page *p, const sh_log_range *range, const ends *seen)
{
    if (p->scanned > 0)
        return *seen;
    bool start = range->id == INT64_MAX;
    return (ends){start ? 0 : range->time_ms, start ? 0 : range->id, start ? 0 : range->time_ms,
                  start ? 0 : range->id};
}

typedef struct get_walk {
    page p;
    ends seen;
    bool downwards;
} get_walk;

static int take_ends(void *opaque, const sh_log_event *event)
{
    get_walk *w = opaque;
    int64_t before = w->p.scanned;
    int status = take_event(&w->p, event);
    if (w->p.scanned == before)
        return status;
    if (before == 0)
        w->seen = (ends){event->time_ms, event->id, event->time_ms, event->id};
    if (w->downwards) {
        w->seen.first_time = event->time_ms;
        w->seen.first_id = event->id;
    } else {
        w->seen.last_time = event->time_ms;
        w->seen.last_id = event->id;
    }
    return status;
}

int sh_logs_get_events(sh_call *call)
{
    sh_err err = {0};
    sh_log_group group;
    sh_log_stream stream;
    sh_log_range range = {0};
    int status = read_range(call, &range, 10000);
    if (status == 0)
        status = read_token(call, &range);
    if (status == 0)
        status = sh_logs_need_group(call, &group);
    if (status == 0)
        status = sh_logs_need_stream(call, &group, &stream);
    if (status < 0 || (status = sh_out_new(call)) < 0)
        return status;
    get_walk w = {.p = {.list = json_array(), .limit = range.limit}, .downwards = range.downwards};
    sh_put(&status, call->out, "events", w.p.list);
    range.limit++;
    if (status == 0)
        status = sh_log_stream_events(call->cloud->db, stream.id, &range, take_ends, &w, &err);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    if (range.downwards)
        turn(w.p.list);
    ends e = ends_of(&w.p, &range, &w.seen);
    sh_put(&status, call->out, "nextForwardToken",
           json_sprintf("f/%" PRId64 ".%" PRId64, e.last_time, e.last_id));
    sh_put(&status, call->out, "nextBackwardToken",
           json_sprintf("b/%" PRId64 ".%" PRId64, e.first_time, e.first_id));
    return sh_out_done(call, status);
}

/* ---- filter ---- */

static int parse_pattern(sh_call *call, const char *text, sh_log_pattern **out)
{
    sh_err err = {0};
    int status = sh_log_pattern_parse(out, text, &err);
    if (status == SH_E_FORMAT)
        return sh_logs_refuse(call, "%s", err.message);
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

static int read_names(sh_call *call, const json_t **out)
{
    size_t index;
    const json_t *name;
    int status = sh_arg_array(call, "logStreamNames", 100, out);
    if (status < 0)
        return status;
    json_array_foreach(*out, index, name)
    {
        if (!json_is_string(name))
            return sh_logs_refuse(call, "logStreamNames is a list of names");
    }
    if (json_array_size(*out) == 0)
        *out = NULL;
    return 0;
}

static int filter(sh_call *call, const sh_log_group *group, const char *prefix, sh_log_range *range, page *p)
{
    sh_err err = {0};
    int status = sh_out_new(call);
    if (status < 0)
        return status;
    p->list = json_array();
    p->limit = range->limit;
    range->limit = SCAN_MAX + 1;
    sh_put(&status, call->out, "events", p->list);
    sh_put(&status, call->out, "searchedLogStreams", json_array());
    if (status == 0)
        status =
            sh_log_group_events(call->cloud->db, group->id, prefix ? prefix : "", range, take_event, p, &err);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    if (p->full)
        sh_put(&status, call->out, "nextToken", json_sprintf("%" PRId64 ".%" PRId64, p->time_ms, p->id));
    return sh_out_done(call, status);
}

int sh_logs_filter_events(sh_call *call)
{
    sh_log_group group;
    sh_log_range range = {0};
    page p = {0};
    const char *prefix, *text, *token;
    sh_log_pattern *pattern = NULL;
    int status = read_range(call, &range, 10000);
    if (status == 0)
        status = read_names(call, &p.streams);
    if (status == 0)
        status = sh_logs_text(call, "logStreamNamePrefix", SH_LOG_NAME_MAX, &prefix);
    if (status == 0)
        status = sh_logs_text(call, "filterPattern", SH_LOG_PATTERN_MAX, &text);
    if (status == 0)
        status = sh_logs_text(call, "nextToken", 100, &token);
    if (status == 0)
        status = sh_logs_need_group(call, &group);
    if (status < 0)
        return status;
    range.until_ms++; /* here the end belongs to it */
    if (prefix && p.streams)
        return sh_logs_refuse(call,
                              "logStreamNamePrefix and logStreamNames are mutually exclusive parameters.");
    if (token && !read_place(token, &range.time_ms, &range.id))
        return sh_logs_refuse(call, "The specified nextToken is invalid.");
    if (text && *text && (status = parse_pattern(call, text, &pattern)) < 0)
        return status;
    p.pattern = pattern;
    status = filter(call, &group, prefix, &range, &p);
    sh_log_pattern_free(pattern);
    return status;
}

/* ---- TestMetricFilter ---- */

static int test_messages(sh_call *call, const sh_log_pattern *pattern, const json_t *messages)
{
    size_t index;
    const json_t *message;
    int status = sh_out_new(call);
    if (status < 0)
        return status;
    json_t *matches = json_array();
    json_array_foreach(messages, index, message)
    {
        const char *text = json_string_value(message);
        if (!text || !sh_log_pattern_matches(pattern, text))
            continue;
        json_t *item = json_object();
        sh_put(&status, item, "eventNumber", json_integer((json_int_t)index + 1));
        sh_put_text(&status, item, "eventMessage", text);
        sh_put(&status, item, "extractedValues", sh_log_pattern_extract(pattern, text));
        if (json_array_append_new(matches, item) < 0)
            status = SH_E_MEMORY;
    }
    sh_put(&status, call->out, "matches", matches);
    return sh_out_done(call, status);
}

int sh_logs_test_pattern(sh_call *call)
{
    const char *text;
    const json_t *messages;
    sh_log_pattern *pattern;
    int status = sh_logs_text(call, "filterPattern", SH_LOG_PATTERN_MAX, &text);
    if (status == 0)
        status = sh_arg_array(call, "logEventMessages", 50, &messages);
    if (status < 0)
        return status;
    if (!text || json_array_size(messages) == 0)
        return sh_logs_refuse(call, "filterPattern and logEventMessages are needed");
    if ((status = parse_pattern(call, text, &pattern)) < 0)
        return status;
    status = test_messages(call, pattern, messages);
    sh_log_pattern_free(pattern);
    return status;
}
