/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The deliverer. An event leaves the outbox in the transaction that starts what its rules name, so a target
 * of this server gets it exactly once; the name of an execution is made of event, rule and target, so that
 * even an event that is put twice under one id starts one. What is called over the network becomes a row of
 * deliveries in that transaction, and events_outside.c calls it.
 *
 * Of one rule and target, events of one thing (an object, an execution, a job) are delivered in the order in
 * which they came: while one waits for another try, those behind it wait, too.
 *
 * A target that refuses for good (the state machine is gone, the template gives no JSON) is recorded with the
 * reason and not tried again; one that may come back is tried with growing pauses for a day, 185 times at
 * most, or as the target's RetryPolicy says. What is given up goes to the target's DeadLetterConfig. */
#include "base/log.h"
#include "cloud/api/events.h"
#include "cloud/store/eventparts.h"

#include <stdlib.h>
#include <string.h>

#define BATCH 32
#define BATCH_MEMORY (64u << 20)
#define INPUT_MAX (2 * SH_EVENT_BYTES) /* with its envelope, an event is longer than its entry */
#define ATTEMPTS_MAX 185
#define AGE_MAX_S 86400
#define FAILED_KEPT 1000
#define RETRY_MS 1000
#define LOOK_MS 60000

typedef struct rule {
    const char *name; /* "NAME", "BUS/NAME" */
    json_t *pattern;
} rule;

typedef struct queued {
    sh_dispatch d;          /* id 0: it comes from the outbox */
    int64_t outbox;         /* its row there */
    const char *bus, *only; /* NULL: default; all rules */
    bool forwarded;
    json_t *event;
} queued;

/* One transaction's work. */
typedef struct batch {
    sh_cloud *cloud;
    sh_arena *arena;
    rule *rules;
    size_t rule_count, rule_room;
    queued items[BATCH];
    size_t count;
    sh_err *err;
    int64_t now_ms;
    bool outside; /* there is something for that runner */
} batch;

static int no_memory(sh_err *err)
{
    return sh_fail(err, SH_E_MEMORY, "no memory to deliver events");
}

static bool is_disk(int status)
{
    return status == SH_E_FULL || status == SH_E_IO;
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* ---- what became of it ---- */

static int64_t pause_ms(int64_t attempts)
{
    int64_t pause = RETRY_MS << (attempts < 10 ? attempts : 10);
    return pause < 600000 ? pause : 600000;
}

static int64_t limit_of(const json_t *policy, const char *name, int64_t fallback)
{
    const json_t *value = json_object_get(policy, name);
    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

/* When to try again, -1: never. attempts: made so far, with this one. */
static int64_t next_try(const sh_dispatch *d, const json_t *target, int64_t now_ms, int64_t retry_after_ms)
{
    const json_t *policy = json_object_get(target, "RetryPolicy");
    int64_t wait_ms = pause_ms(d->attempts - 1);
    if (retry_after_ms > wait_ms)
        wait_ms = retry_after_ms;
    int64_t age_ms = limit_of(policy, "MaximumEventAgeInSeconds", AGE_MAX_S) * 1000;
    if (d->attempts > limit_of(policy, "MaximumRetryAttempts", ATTEMPTS_MAX) ||
        now_ms + wait_ms - d->first_ms > age_ms)
        return -1;
    return now_ms + wait_ms;
}

static int give_up(sh_cloud *cloud, sh_dispatch *d, const json_t *target, int64_t now_ms, sh_err *err)
{
    bool dead = text_of(json_object_get(target, "DeadLetterConfig"), "Arn") != NULL;
    int status;
    if (d->id) {
        status = sh_dispatch_end(cloud->db, d, d->reason, dead ? SH_LANE_DEAD : SH_LANE_INSIDE, now_ms, err);
    } else {
        d->lane = dead ? SH_LANE_DEAD : SH_LANE_INSIDE;
        d->due_ms = dead ? now_ms : -1;
        d->line = NULL;
        status = sh_dispatch_add(cloud->db, d, err);
    }
    if (dead)
        sh_cloud_wake(cloud, SH_WAKE_OUTSIDE);
    return status == 0 ? sh_dispatch_trim(cloud->db, FAILED_KEPT, err) : status;
}

int sh_events_settle(sh_cloud *cloud, const sh_dispatch *given, const sh_event_outcome *out,
                     int64_t retry_after_ms, sh_err *err)
{
    sh_dispatch d = *given;
    int64_t now_ms = sh_now_ms(cloud->clock), due_ms;
    if (!out->reason)
        return d.id ? sh_dispatch_end(cloud->db, &d, NULL, 0, now_ms, err) : 0;
    json_t *target = json_loads(d.target, JSON_ALLOW_NUL, NULL);
    d.attempts++;
    d.reason = out->reason;
    due_ms = out->again ? next_try(&d, target, now_ms, retry_after_ms) : -1;
    sh_log(due_ms < 0 ? SH_LOG_ERROR : SH_LOG_WARNING, "events", "rule %s, target %s: %s%s", d.rule,
           d.target_id, d.reason, due_ms < 0 ? "; given up" : "; to be tried again");
    d.due_ms = due_ms;
    int status;
    if (due_ms < 0)
        status = give_up(cloud, &d, target, now_ms, err);
    else
        status = d.id ? sh_dispatch_retry(cloud->db, d.id, d.attempts, due_ms, d.reason, err)
                      : sh_dispatch_add(cloud->db, &d, err);
    json_decref(target);
    return status;
}

/* ---- one delivery ---- */

static int fill_and_start(batch *b, const queued *item, sh_event_delivery *delivery, sh_event_outcome *out)
{
    sh_buf input;
    sh_err why = {0};
    const char *slash = strrchr(item->d.rule, '/');
    int status = 0;
    const sh_event_context context = {.event = item->event,
                                      .rule_name = slash ? slash + 1 : item->d.rule,
                                      .rule_arn = delivery->rule_arn,
                                      .ingested_ms = item->d.first_ms};
    sh_buf_init(&input, INPUT_MAX);
    if (sh_target_input(delivery->target, &context, &input, &why) == 0) {
        delivery->input = sh_buf_cstr(&input);
        status = sh_events_start(delivery, out, b->err);
    } else if (!(out->reason = sh_arena_strdup(b->arena, why.message))) {
        status = no_memory(b->err);
    }
    sh_buf_free(&input);
    return status;
}

static int try_target(batch *b, const queued *item, sh_event_outcome *out)
{
    json_t *target = json_loads(item->d.target, JSON_ALLOW_NUL, NULL);
    sh_event_delivery delivery = {
        .cloud = b->cloud,
        .arena = b->arena,
        .event = item->event,
        .event_text = item->d.event,
        .rule = item->d.rule,
        .rule_arn = sh_events_rule_arn(b->cloud, b->arena, item->d.rule),
        .target_id = item->d.target_id,
        .target = target,
        .trace = item->d.trace,
        .forwarded = item->forwarded,
        .now_ms = b->now_ms,
    };
    int status = delivery.rule_arn ? 0 : no_memory(b->err);
    if (!target)
        status = sh_fail(b->err, SH_E_FORMAT, "the target as it is kept cannot be read");
    if (status == 0)
        status = fill_and_start(b, item, &delivery, out);
    json_decref(target);
    return status;
}

/* One event to one target, in memory of its own. What fails for another reason than the disk is this target's
 * failure: the others are not to wait for it. */
static int deliver(batch *b, const queued *item)
{
    sh_event_outcome out = {0};
    sh_err why = {0};
    sh_err *err = b->err;
    sh_arena *outer = b->arena;
    b->err = &why;
    b->arena = sh_arena_new(BATCH_MEMORY);
    int status = b->arena ? try_target(b, item, &out) : no_memory(&why);
    b->err = err;
    if (is_disk(status)) {
        sh_fail(err, status, "%s", why.message);
    } else {
        if (status < 0)
            out = (sh_event_outcome){why.message[0] ? why.message : sh_status_name(status), true};
        status = sh_events_settle(b->cloud, &item->d, &out, 0, err);
    }
    sh_arena_free(b->arena);
    b->arena = outer;
    return status;
}

/* ---- new events ---- */

static int take_rule(void *opaque, const sh_rule *row)
{
    batch *b = opaque;
    sh_err why = {0};
    json_t *pattern = NULL;
    if (!row->enabled || !*row->pattern)
        return 0;
    if (sh_pattern_load(&pattern, row->pattern, &why) < 0) {
        sh_log(SH_LOG_ERROR, "events", "rule %s matches nothing: %s", row->name, why.message);
        return 0;
    }
    if (b->rule_count == b->rule_room) {
        size_t room = b->rule_room ? 2 * b->rule_room : 16;
        rule *rules = realloc(b->rules, room * sizeof(*rules));
        if (!rules) {
            json_decref(pattern);
            return no_memory(b->err);
        }
        b->rules = rules;
        b->rule_room = room;
    }
    const char *name = sh_arena_strdup(b->arena, row->name);
    b->rules[b->rule_count++] = (rule){.name = name, .pattern = pattern};
    return name ? 0 : no_memory(b->err);
}

static const char *copy(batch *b, const char *text, bool *failed)
{
    const char *made = text ? sh_arena_strdup(b->arena, text) : NULL;
    *failed |= text && !made;
    return made;
}

/* What events come in an order: an object, an execution, a job, a command; else the first resource. NULL: in
 * none. */
static const char *line_of(batch *b, const json_t *event)
{
    static const char *const ids[] = {"executionArn", "jobId", "command-id"};
    const json_t *detail = json_object_get(event, "detail");
    const char *source = text_of(event, "source"), *name = text_of(json_object_get(detail, "object"), "key");
    const char *bucket = text_of(json_object_get(detail, "bucket"), "name");
    if (!source)
        return NULL;
    if (name)
        return sh_arena_printf(b->arena, "%s\n%s/%s", source, bucket ? bucket : "", name);
    for (size_t i = 0; !name && i < sizeof(ids) / sizeof(*ids); i++)
        name = text_of(detail, ids[i]);
    if (!name)
        name = json_string_value(json_array_get(json_object_get(event, "resources"), 0));
    return name && strcmp(source, "aws.events") != 0 ? sh_arena_printf(b->arena, "%s\n%s", source, name)
                                                     : NULL;
}

static int take_event(void *opaque, const sh_outbox_entry *entry)
{
    batch *b = opaque;
    bool failed = false;
    queued item = {.outbox = entry->id,
                   .bus = copy(b, entry->bus, &failed),
                   .only = copy(b, entry->rule, &failed),
                   .forwarded = entry->forwarded,
                   .d = {.event = copy(b, entry->event, &failed),
                         .trace = copy(b, entry->trace, &failed),
                         .first_ms = b->now_ms,
                         .due_ms = b->now_ms}};
    if (failed)
        return no_memory(b->err);
    item.event = json_loads(item.d.event, JSON_ALLOW_NUL, NULL);
    item.d.line = line_of(b, item.event);
    b->items[b->count++] = item;
    return 0;
}

typedef struct target_row {
    const char *id, *text;
} target_row;

typedef struct target_taker {
    batch *b;
    target_row rows[16];
    size_t count;
} target_taker;

static int take_target(void *opaque, const char *id, const char *text)
{
    target_taker *t = opaque;
    target_row row = {sh_arena_strdup(t->b->arena, id), sh_arena_strdup(t->b->arena, text)};
    t->rows[t->count++] = row;
    return row.id && row.text ? 0 : no_memory(t->b->err);
}

static bool is_outside(const char *text)
{
    json_t *target = json_loads(text, JSON_ALLOW_NUL, NULL);
    bool outside = sh_events_lane(target) == SH_LANE_OUTSIDE;
    json_decref(target);
    return outside;
}

/* Now, or as a row: for the other runner, or behind what waits. */
static int deliver_or_queue(batch *b, queued *item)
{
    bool waits, outside = is_outside(item->d.target);
    int status =
        sh_dispatch_waits(b->cloud->db, item->d.rule, item->d.target_id, item->d.line, &waits, b->err);
    if (status < 0 || !(outside || waits))
        return status < 0 ? status : deliver(b, item);
    item->d.lane = outside ? SH_LANE_OUTSIDE : SH_LANE_INSIDE;
    b->outside |= outside;
    return sh_dispatch_add(b->cloud->db, &item->d, b->err);
}

static int deliver_to_target(batch *b, const queued *event, const char *name, const target_row *row)
{
    static const sh_event_outcome loop = {
        .reason = "LoopDetected: the event came through this rule 16 times: its targets make the events that "
                  "it matches"};
    queued item = *event;
    const char *arn = sh_events_rule_arn(b->cloud, b->arena, name);
    item.d.rule = name;
    item.d.target_id = row->id;
    item.d.target = row->text;
    if (!arn)
        return no_memory(b->err);
    item.d.trace = sh_trace_round(b->arena, event->d.trace, arn);
    if (!item.d.trace)
        return sh_events_settle(b->cloud, &item.d, &loop, 0, b->err);
    return deliver_or_queue(b, &item);
}

static int deliver_to_rule(batch *b, const queued *item, const char *name)
{
    sh_arena *outer = b->arena;
    target_taker t = {.b = b};
    b->arena = sh_arena_new(BATCH_MEMORY); /* of this rule's targets alone */
    int status =
        b->arena ? sh_target_list(b->cloud->db, name, "", 16, take_target, &t, b->err) : no_memory(b->err);
    for (size_t i = 0; status == 0 && i < t.count; i++)
        status = deliver_to_target(b, item, name, &t.rows[i]);
    sh_arena_free(b->arena);
    b->arena = outer;
    return status;
}

static bool is_on_bus(const char *name, const char *bus)
{
    const char *slash = strchr(name, '/');
    if (!bus || sh_events_is_default(bus))
        return !slash;
    return slash && strlen(bus) == (size_t)(slash - name) && memcmp(name, bus, strlen(bus)) == 0;
}

static int deliver_event(batch *b, queued *item)
{
    int status = 0;
    if (!item->event)
        sh_log(SH_LOG_ERROR, "events", "event %lld of the outbox is not JSON and is dropped: %.200s",
               (long long)item->outbox, item->d.event);
    else if (item->only)
        status = deliver_to_rule(b, item, item->only);
    for (size_t i = 0; status == 0 && item->event && !item->only && i < b->rule_count; i++) {
        if (is_on_bus(b->rules[i].name, item->bus) && sh_pattern_match(b->rules[i].pattern, item->event))
            status = deliver_to_rule(b, item, b->rules[i].name);
    }
    return status == 0 ? sh_outbox_remove(b->cloud->db, item->outbox, b->err) : status;
}

static int deliver_new(batch *b)
{
    size_t fired;
    int status = sh_events_fire(b->cloud, b->now_ms, &fired, b->err);
    if (status == 0)
        status = sh_outbox_list(b->cloud->db, BATCH, take_event, b, b->err);
    if (status == 0 && b->count > 0)
        status = sh_rule_list(b->cloud->db, "", false, "", INT64_MAX, take_rule, b, b->err);
    for (size_t i = 0; status == 0 && i < b->count; i++)
        status = deliver_event(b, &b->items[i]);
    return status;
}

/* ---- those to be tried again ---- */

static int take_due(void *opaque, const sh_dispatch *d)
{
    batch *b = opaque;
    bool failed = false;
    queued item = {.d = *d, .event = json_loads(d->event, JSON_ALLOW_NUL, NULL)};
    item.d.event = copy(b, d->event, &failed);
    item.d.rule = copy(b, d->rule, &failed);
    item.d.target_id = copy(b, d->target_id, &failed);
    item.d.target = copy(b, d->target, &failed);
    item.d.line = copy(b, d->line, &failed);
    item.d.trace = copy(b, d->trace, &failed);
    item.d.reason = NULL;
    b->items[b->count++] = item;
    return !failed && item.event ? 0 : no_memory(b->err);
}

static int deliver_again(batch *b)
{
    int status = sh_dispatch_due(b->cloud->db, false, b->now_ms, BATCH, take_due, b, b->err);
    for (size_t i = 0; status == 0 && i < b->count; i++)
        status = deliver(b, &b->items[i]);
    return status;
}

/* ---- the runner ---- */

static int run_batch(sh_cloud *cloud, int (*work)(batch *), size_t *done, sh_err *err)
{
    batch b = {.cloud = cloud, .now_ms = sh_now_ms(cloud->clock), .err = err};
    b.arena = sh_arena_new(BATCH_MEMORY);
    if (!b.arena)
        return no_memory(err);
    int status = sh_db_begin(cloud->db, err);
    if (status == 0)
        status = sh_db_end(cloud->db, work(&b), err);
    *done = b.count;
    for (size_t i = 0; i < b.count; i++)
        json_decref(b.items[i].event);
    for (size_t i = 0; i < b.rule_count; i++)
        json_decref(b.rules[i].pattern);
    free(b.rules);
    sh_arena_free(b.arena);
    if (status == 0 && b.outside)
        sh_cloud_wake(cloud, SH_WAKE_OUTSIDE);
    return status;
}

int sh_events_pump(sh_cloud *cloud, int64_t *next_ms, sh_err *err)
{
    size_t fresh, late = 0;
    int64_t scheduled_ms;
    int status;
    do {
        status = run_batch(cloud, deliver_new, &fresh, err);
        if (status == 0)
            status = run_batch(cloud, deliver_again, &late, err);
    } while (status == 0 && fresh + late > 0 && !sh_cloud_stopping(cloud));
    if (status < 0 || (status = sh_dispatch_next(cloud->db, false, -1, next_ms, err)) < 0 ||
        (status = sh_schedule_soonest(cloud->db, &scheduled_ms, err)) < 0)
        return status;
    if (scheduled_ms >= 0 && (*next_ms < 0 || scheduled_ms < *next_ms))
        *next_ms = scheduled_ms;
    return 0;
}

int sh_events_run(sh_cloud *cloud)
{
    int64_t until_ms;
    do {
        sh_err err = {0};
        int64_t next_ms = -1;
        until_ms = sh_monotonic_us() / 1000 + RETRY_MS;
        if (sh_events_pump(cloud, &next_ms, &err) < 0) {
            sh_log(SH_LOG_ERROR, "events", "events stand still, to be tried again: %s", err.message);
            continue;
        }
        int64_t wait_ms = next_ms - sh_now_ms(cloud->clock);
        wait_ms = wait_ms < 0 ? 0 : wait_ms > LOOK_MS ? LOOK_MS : wait_ms;
        until_ms = next_ms < 0 ? -1 : sh_monotonic_us() / 1000 + wait_ms;
    } while (sh_cloud_wait(cloud, SH_WAKE_EVENTS, until_ms));
    return 0;
}
