/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a state machine's logging configuration asks for: events of the history as lines in a log group
 * ("Logging using CloudWatch Logs", Step Functions Developer Guide), written in the transaction of the step
 * that made them. A stream is states/NAME/TIME OF START/EXECUTION. */
#include "cloud/api/states_logging.h"
#include "cloud/api/logs.h"
#include "cloud/flow/flow.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ARENA_MAX ((size_t)64 << 20)

static bool is_fatal(const char *type)
{
    return strcmp(type, "ExecutionFailed") == 0 || strcmp(type, "ExecutionAborted") == 0 ||
           strcmp(type, "ExecutionTimedOut") == 0;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static bool is_wanted(sh_logging_level level, const char *type)
{
    switch (level) {
    case SH_LOGGING_ALL:
        return true;
    case SH_LOGGING_ERROR:
        return ends_with(type, "Failed") || ends_with(type, "TimedOut") || ends_with(type, "Aborted") ||
               strcmp(type, "FailStateEntered") == 0;
    case SH_LOGGING_FATAL:
        return is_fatal(type);
    default:
        return false;
    }
}

int sh_logging_read(sh_logging *out, const char *text, sh_arena *arena, sh_err *err)
{
    *out = (sh_logging){0};
    json_t *config = text ? json_loads(text, 0, NULL) : NULL;
    const char *level = json_string_value(json_object_get(config, "level"));
    const json_t *destination = json_array_get(json_object_get(config, "destinations"), 0);
    const char *arn = json_string_value(
        json_object_get(json_object_get(destination, "cloudWatchLogsLogGroup"), "logGroupArn"));
    const char *group = level && arn ? sh_logs_group_of(arena, arn) : NULL;
    if (group) {
        out->level = strcmp(level, "ALL") == 0     ? SH_LOGGING_ALL
                     : strcmp(level, "ERROR") == 0 ? SH_LOGGING_ERROR
                     : strcmp(level, "FATAL") == 0 ? SH_LOGGING_FATAL
                                                   : SH_LOGGING_OFF;
        out->data = json_is_true(json_object_get(config, "includeExecutionData"));
        out->group = group;
    }
    json_decref(config);
    return level && arn && !group ? sh_fail(err, SH_E_MEMORY, "no memory for a logging configuration") : 0;
}

/* ---- lines ---- */

/* The member that holds what the event has of its own ("taskScheduledEventDetails"), without what executions
 * work on unless that is wanted. A new reference. */
static json_t *details_of(const json_t *event, bool data)
{
    static const char *const works[] = {"input", "output", "parameters", "result", "assignedVariables"};
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)event, name, value)
    {
        if (!ends_with(name, "EventDetails"))
            continue;
        json_t *copy = json_copy(value);
        for (size_t i = 0; !data && i < sizeof(works) / sizeof(*works); i++)
            json_object_del(copy, works[i]);
        return copy;
    }
    return json_object();
}

static json_t *number_text(const json_t *event, const char *name)
{
    return json_sprintf("%" PRId64, (int64_t)json_integer_value(json_object_get(event, name)));
}

static const char *line_of(sh_arena *arena, const json_t *event, const sh_logging *logging, const char *arn,
                           int64_t redrives, int64_t *time_ms)
{
    *time_ms = (int64_t)(json_number_value(json_object_get(event, "timestamp")) * 1000 + 0.5);
    json_t *line = json_pack("{s:o, s:O, s:o, s:o, s:o, s:s, s:o}", "id", number_text(event, "id"), "type",
                             json_object_get(event, "type"), "details", details_of(event, logging->data),
                             "previous_event_id", number_text(event, "previousEventId"), "event_timestamp",
                             json_sprintf("%" PRId64, *time_ms), "execution_arn", arn, "redrive_count",
                             json_sprintf("%" PRId64, redrives));
    char *text = line ? sh_flow_text(line) : NULL;
    const char *kept = text ? sh_arena_strdup(arena, text) : NULL;
    free(text);
    json_decref(line);
    return kept;
}

static const char *stream_of(sh_arena *arena, const char *machine, const char *arn, int64_t started_ms)
{
    struct tm tm;
    time_t seconds = (time_t)(started_ms / 1000);
    uint32_t hash = 2166136261u; /* FNV-1a */
    if (!gmtime_r(&seconds, &tm))
        return NULL;
    for (const char *at = arn; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 16777619u;
    return sh_arena_printf(arena, "states/%s/%04d-%02d-%02d-%02d-%02d/%08" PRIx32, machine, tm.tm_year + 1900,
                           tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, hash);
}

static int write_lines(sh_cloud *cloud, sh_arena *arena, const sh_logged *logged, const json_t *history,
                       sh_err *err)
{
    size_t index, count = 0;
    const json_t *event;
    const sh_logging *logging = logged->logging;
    sh_log_event *lines = sh_arena_alloc(arena, (json_array_size(history) + 1) * sizeof(*lines));
    const char *stream = stream_of(arena, logged->machine, logged->arn, logged->started_ms);
    if (!lines || !stream)
        return sh_fail(err, SH_E_MEMORY, "no memory for the log of an execution");
    json_array_foreach(history, index, event)
    {
        const char *type = json_string_value(json_object_get(event, "type"));
        if (!type || !is_wanted(logging->level, type))
            continue;
        sh_log_event *line = &lines[count++];
        *line = (sh_log_event){0};
        line->message = line_of(arena, event, logging, logged->arn, logged->redrives, &line->time_ms);
        if (!line->message)
            return sh_fail(err, SH_E_MEMORY, "no memory for the log of an execution");
    }
    return count ? sh_logs_write(cloud, logging->group, stream, lines, count, err) : 0;
}

int sh_states_log(sh_cloud *cloud, const sh_logged *logged, const json_t *history, sh_err *err)
{
    if (logged->logging->level == SH_LOGGING_OFF)
        return 0;
    sh_arena *arena = sh_arena_new(ARENA_MAX);
    int status = arena ? write_lines(cloud, arena, logged, history, err)
                       : sh_fail(err, SH_E_MEMORY, "no memory for the log of an execution");
    sh_arena_free(arena);
    return status;
}
