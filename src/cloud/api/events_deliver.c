/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The deliverer. An event leaves the outbox in the transaction that starts what its rules name, so a target
 * of this server gets it exactly once; the name of the execution is made of event, rule and target, so that
 * even an event that is put twice under one id starts one.
 *
 * A target that refuses for good (the state machine is gone, the template gives no JSON) is recorded with the
 * reason and not tried again; one that may come back is tried with growing pauses for a day, 185 times at
 * most, as AWS does. */
#include "base/log.h"
#include "cloud/api/authorize.h"
#include "cloud/api/events.h"
#include "cloud/api/iam.h"
#include "cloud/api/keys.h"
#include "cloud/flow/flow.h"
#include "cloud/store/outbox.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 32
#define BATCH_MEMORY (64u << 20)
#define INPUT_MAX (256 * 1024)
#define ATTEMPTS_MAX 185
#define AGE_MAX_MS (24 * 3600 * 1000LL)
#define FAILED_KEPT 1000
#define RETRY_MS 1000
#define LOOK_MS 60000

typedef struct rule {
    const char *name, *arn;
    json_t *pattern;
} rule;

typedef struct queued {
    int64_t id;
    const char *text; /* of the event */
    json_t *event;
    const char *target_id, *target_text;
    const char *rule_name;
    int64_t attempts, first_ms;
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
} batch;

static int no_memory(sh_err *err)
{
    return sh_fail(err, SH_E_MEMORY, "no memory to deliver events");
}

/* ---- starting a target ---- */

/* "<event id>_<digest of rule and target>": at most 80 characters. */
static void execution_name(const char *event_id, const char *rule_name, const char *target_id, char name[81])
{
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    char key[512], text[SH_UUID_TEXT];
    int length = snprintf(key, sizeof(key), "%.200s\n%.100s\n%.100s", event_id, rule_name, target_id);
    EVP_Digest(key, (size_t)length, digest, NULL, EVP_sha256(), NULL);
    sh_uuid_from(digest, text);
    bool plain =
        strlen(event_id) <= 40 &&
        event_id[strspn(event_id, "0123456789abcdefABCDEFghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ-_")] == 0;
    snprintf(name, 81, "%.40s%s%s", plain ? event_id : "", plain ? "_" : "", text);
}

/* The rule's target is called under its role. */
static int take_on(batch *b, sh_call *call, const char *role, const char *rule_arn, sh_caller *session)
{
    sh_err why = {0};
    const sh_iam_taking taking = {.role_arn = role,
                                  .service = "events.amazonaws.com",
                                  .session_name = strrchr(rule_arn, '/') + 1,
                                  .source_arn = rule_arn};
    int status = role ? sh_caller_by_role(b->cloud, &taking, b->arena, session, &why) : SH_E_NOT_FOUND;
    if (status == SH_E_NOT_FOUND || status == SH_E_DENIED || status == SH_E_ARGUMENT)
        return sh_call_fail(call, 400, "AccessDeniedException",
                            "Provided role '%s' cannot be assumed by principal 'events.amazonaws.com'.",
                            role ? role : "");
    if (status < 0)
        return sh_fail(b->err, status, "%s", why.message);
    return sh_authorize_action(call, "states", "StartExecution");
}

static int start_execution(batch *b, const char *arn, const char *role, const char *rule_arn,
                           const char *name, const char *input, sh_aws_error *error)
{
    sh_caller session = {0};
    const sh_action *action = sh_action_find(&sh_service_states, "StartExecution");
    json_t *in = json_pack("{s:s, s:s, s:s}", "stateMachineArn", arn, "name", name, "input", input);
    sh_call call = {.cloud = b->cloud, .arena = b->arena, .caller = &session, .now_ms = b->now_ms, .in = in};
    if (!in || !action) {
        json_decref(in);
        return no_memory(b->err);
    }
    int status = take_on(b, &call, role, rule_arn, &session);
    call.principal = session.arn;
    if (status == 0 && (status = sh_db_begin(b->cloud->db, b->err)) == 0)
        status = sh_db_end(b->cloud->db, action->fn(&call), b->err);
    *error = call.error;
    json_decref(call.out);
    json_decref(in);
    return status;
}

typedef struct outcome {
    const char *reason; /* NULL: delivered */
    bool again;
} outcome;

static bool is_disk(int status)
{
    return status == SH_E_FULL || status == SH_E_IO;
}

/* Negative only when the transaction has to be done again. */
static int start_target(batch *b, const queued *item, const char *rule_arn, const json_t *target,
                        const char *input, outcome *out)
{
    char name[81];
    sh_aws_error error = {0};
    const char *id = json_string_value(json_object_get(item->event, "id"));
    const char *arn = json_string_value(json_object_get(target, "Arn"));
    const char *role = json_string_value(json_object_get(target, "RoleArn"));
    execution_name(id ? id : "", item->rule_name, item->target_id, name);
    int status = start_execution(b, arn ? arn : "", role, rule_arn, name, input, &error);
    if (is_disk(status))
        return status;
    if (status < 0 && !(error.code && strcmp(error.code, "ExecutionAlreadyExists") == 0)) {
        out->reason = sh_arena_printf(b->arena, "%s: %s", error.code ? error.code : "InternalServerError",
                                      error.message ? error.message : sh_status_name(status));
        out->again = error.http_status >= 500 || !error.code;
        return out->reason ? 0 : no_memory(b->err);
    }
    return 0;
}

static int try_target(batch *b, const queued *item, outcome *out)
{
    sh_buf input;
    sh_err why = {0};
    const sh_cloud_settings *s = &b->cloud->settings;
    json_t *target = json_loads(item->target_text, JSON_ALLOW_NUL, NULL);
    sh_event_context context = {
        .event = item->event,
        .rule_name = item->rule_name,
        .rule_arn =
            sh_arena_printf(b->arena, "arn:aws:events:%s:%s:rule/%s", s->region, s->account, item->rule_name),
        .ingested_ms = item->first_ms,
    };
    int status = context.rule_arn ? 0 : no_memory(b->err);
    if (!target)
        status = sh_fail(b->err, SH_E_FORMAT, "the target as it is kept cannot be read");
    if (status < 0) {
        json_decref(target);
        return status;
    }
    sh_buf_init(&input, INPUT_MAX);
    if (sh_target_input(target, &context, &input, &why) == 0)
        status = start_target(b, item, context.rule_arn, target, sh_buf_cstr(&input), out);
    else if (!(out->reason = sh_arena_strdup(b->arena, why.message)))
        status = no_memory(b->err);
    sh_buf_free(&input);
    json_decref(target);
    return status;
}

/* ---- what became of it ---- */

static int64_t pause_ms(int64_t attempts)
{
    int64_t pause = RETRY_MS << (attempts < 10 ? attempts : 10);
    return pause < 600000 ? pause : 600000;
}

/* When to try again, -1: never. */
static int64_t next_try(const batch *b, const queued *item, const outcome *out)
{
    if (!out->again || item->attempts + 1 >= ATTEMPTS_MAX || b->now_ms - item->first_ms > AGE_MAX_MS)
        return -1;
    return b->now_ms + pause_ms(item->attempts);
}

static int record_failure(batch *b, const queued *item, const outcome *out)
{
    int64_t due_ms = next_try(b, item, out);
    sh_delivery delivery = {
        .event = item->text,
        .rule = item->rule_name,
        .target_id = item->target_id,
        .target = item->target_text,
        .reason = out->reason,
        .attempts = item->attempts + 1,
        .first_ms = item->first_ms,
        .due_ms = due_ms,
    };
    sh_log(due_ms < 0 ? SH_LOG_ERROR : SH_LOG_WARNING, "events", "rule %s, target %s: %s%s", item->rule_name,
           item->target_id, out->reason, due_ms < 0 ? "; given up" : "; to be tried again");
    int status = item->attempts > 0 ? sh_delivery_retry(b->cloud->db, item->id, delivery.attempts, due_ms,
                                                        out->reason, b->err)
                                    : sh_delivery_add(b->cloud->db, &delivery, b->err);
    if (status == 0 && due_ms < 0)
        status = sh_delivery_trim(b->cloud->db, FAILED_KEPT, b->err);
    return status;
}

/* One event to one target, in memory of its own. What fails for another reason than the disk is this target's
 * failure: the others are not to wait for it. */
static int deliver(batch *b, const queued *item)
{
    outcome out = {0};
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
            out = (outcome){why.message[0] ? why.message : sh_status_name(status), true};
        if (out.reason)
            status = record_failure(b, item, &out);
        else
            status = item->attempts > 0 ? sh_delivery_remove(b->cloud->db, item->id, err) : 0;
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
    if (!row->enabled)
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

static int take_event(void *opaque, int64_t id, const char *text)
{
    batch *b = opaque;
    const char *copy = sh_arena_strdup(b->arena, text);
    json_t *event = copy ? json_loads(copy, JSON_ALLOW_NUL, NULL) : NULL;
    if (!copy)
        return no_memory(b->err);
    b->items[b->count++] = (queued){.id = id, .text = copy, .event = event, .first_ms = b->now_ms};
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

static int deliver_to_rule(batch *b, queued *item, const char *rule_name)
{
    sh_arena *outer = b->arena;
    target_taker t = {.b = b};
    b->arena = sh_arena_new(BATCH_MEMORY); /* of this rule's targets alone */
    int status = b->arena ? sh_target_list(b->cloud->db, rule_name, "", 16, take_target, &t, b->err)
                          : no_memory(b->err);
    for (size_t i = 0; status == 0 && i < t.count; i++) {
        item->rule_name = rule_name;
        item->target_id = t.rows[i].id;
        item->target_text = t.rows[i].text;
        status = deliver(b, item);
    }
    sh_arena_free(b->arena);
    b->arena = outer;
    return status;
}

static int deliver_event(batch *b, queued *item)
{
    int status = 0;
    if (!item->event)
        sh_log(SH_LOG_ERROR, "events", "event %lld of the outbox is not JSON and is dropped: %.200s",
               (long long)item->id, item->text);
    for (size_t i = 0; status == 0 && item->event && i < b->rule_count; i++) {
        if (sh_pattern_match(b->rules[i].pattern, item->event))
            status = deliver_to_rule(b, item, b->rules[i].name);
    }
    return status == 0 ? sh_outbox_remove(b->cloud->db, item->id, b->err) : status;
}

static int deliver_new(batch *b)
{
    int status = sh_outbox_list(b->cloud->db, BATCH, take_event, b, b->err);
    if (status == 0 && b->count > 0)
        status = sh_rule_list(b->cloud->db, "", "", INT64_MAX, take_rule, b, b->err);
    for (size_t i = 0; status == 0 && i < b->count; i++)
        status = deliver_event(b, &b->items[i]);
    return status;
}

/* ---- those to be tried again ---- */

static int take_due(void *opaque, const sh_delivery *d)
{
    batch *b = opaque;
    queued item = {
        .id = d->id,
        .text = sh_arena_strdup(b->arena, d->event),
        .event = json_loads(d->event, JSON_ALLOW_NUL, NULL),
        .target_id = sh_arena_strdup(b->arena, d->target_id),
        .target_text = sh_arena_strdup(b->arena, d->target),
        .rule_name = sh_arena_strdup(b->arena, d->rule),
        .attempts = d->attempts,
        .first_ms = d->first_ms,
    };
    b->items[b->count++] = item;
    return item.text && item.event && item.target_id && item.target_text && item.rule_name
               ? 0
               : no_memory(b->err);
}

static int deliver_again(batch *b)
{
    int status = sh_delivery_due(b->cloud->db, b->now_ms, BATCH, take_due, b, b->err);
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
    return status;
}

int sh_events_pump(sh_cloud *cloud, int64_t *next_ms, sh_err *err)
{
    size_t fresh, late = 0;
    int status;
    do {
        status = run_batch(cloud, deliver_new, &fresh, err);
        if (status == 0)
            status = run_batch(cloud, deliver_again, &late, err);
    } while (status == 0 && fresh + late > 0 && !sh_cloud_stopping(cloud));
    return status < 0 ? status : sh_delivery_next(cloud->db, next_ms, err);
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
