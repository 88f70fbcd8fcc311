/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Schedules of rules. When one is due is a row; the event and the next time are written in one transaction,
 * so that a time comes once, however often the server ends. A time that was missed because the server was
 * down is not caught up: the event would say that it is now. */
#include "base/log.h"
#include "cloud/api/events.h"
#include "cloud/api/keys.h"
#include "cloud/flow/flow.h"
#include "cloud/store/eventparts.h"

#include <stdlib.h>
#include <string.h>

#define LATE_MS 60000 /* AWS's schedules are exact to a minute */
#define BATCH 64

typedef struct due_row {
    const char *rule, *expression;
    int64_t from_ms, next_ms;
} due_row;

typedef struct due {
    sh_arena *arena;
    due_row rows[BATCH];
    size_t count;
} due;

static int take_due(void *opaque, const char *rule, const char *expression, int64_t from_ms, int64_t next_ms)
{
    due *d = opaque;
    due_row row = {sh_arena_strdup(d->arena, rule), sh_arena_strdup(d->arena, expression), from_ms, next_ms};
    d->rows[d->count++] = row;
    return row.rule && row.expression ? 0 : SH_E_MEMORY;
}

static int add_event(sh_cloud *cloud, sh_arena *arena, const due_row *row, sh_err *err)
{
    char id[SH_UUID_TEXT], time[SH_TIME_TEXT];
    const sh_cloud_settings *s = &cloud->settings;
    sh_uuid(id);
    sh_time_iso_s(row->next_ms, time);
    json_t *event =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:[s], s:{}}", "version", "0", "id", id, "detail-type",
                  "Scheduled Event", "source", "aws.events", "account", s->account, "time", time, "region",
                  s->region, "resources", sh_events_rule_arn(cloud, arena, row->rule), "detail");
    char *text = event ? sh_flow_text(event) : NULL;
    sh_outbox_entry entry = {.event = text, .rule = row->rule};
    int status = text ? sh_outbox_put(cloud->db, &entry, err)
                      : sh_fail(err, SH_E_MEMORY, "no memory for the event of a schedule");
    free(text);
    json_decref(event);
    return status;
}

static int fire(sh_cloud *cloud, sh_arena *arena, const due_row *row, int64_t now_ms, sh_err *err)
{
    int64_t next_ms = -1;
    sh_err why = {0};
    int status = 0;
    if (now_ms - row->next_ms > LATE_MS)
        sh_log(SH_LOG_WARNING, "events", "rule %s: its schedule was due %lld s ago and is not caught up",
               row->rule, (long long)(now_ms - row->next_ms) / 1000);
    else
        status = add_event(cloud, arena, row, err);
    if (sh_schedule_after(row->expression, row->from_ms, now_ms, &next_ms, &why) < 0)
        sh_log(SH_LOG_ERROR, "events", "rule %s has a schedule that cannot be read: %s", row->rule,
               why.message);
    return status == 0 ? sh_schedule_next(cloud->db, row->rule, next_ms, err) : status;
}

int sh_events_fire(sh_cloud *cloud, int64_t now_ms, size_t *fired, sh_err *err)
{
    due d = {.arena = sh_arena_new(4u << 20)};
    int status = d.arena ? sh_schedule_due(cloud->db, now_ms, BATCH, take_due, &d, err) : SH_E_MEMORY;
    if (status == SH_E_MEMORY)
        sh_fail(err, SH_E_MEMORY, "no memory for schedules");
    for (size_t i = 0; status == 0 && i < d.count; i++)
        status = fire(cloud, d.arena, &d.rows[i], now_ms, err);
    *fired = d.count;
    sh_arena_free(d.arena);
    return status;
}

typedef struct standing {
    const char *expression;
    int64_t from_ms;
} standing;

static int take_standing(void *opaque, const char *rule, const char *expression, int64_t from_ms,
                         int64_t next_ms)
{
    standing *s = opaque;
    if (s->expression && strcmp(s->expression, expression) != 0)
        return 1; /* another one: it counts from now */
    s->from_ms = from_ms;
    return 1;
}

int sh_events_schedule(sh_cloud *cloud, const char *rule, const char *expression, bool enabled,
                       int64_t now_ms, sh_err *err)
{
    standing s = {expression, now_ms};
    int64_t next_ms = -1;
    int status = 0;
    if (!expression)
        return sh_schedule_put(cloud->db, rule, NULL, 0, 0, err);
    if ((status = sh_schedule_get(cloud->db, rule, take_standing, &s, err)) < 0 ||
        (status = sh_schedule_after(expression, s.from_ms, now_ms, &next_ms, err)) < 0)
        return status;
    return sh_schedule_put(cloud->db, rule, expression, s.from_ms, enabled ? next_ms : -1, err);
}
