/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The runner of what nobody waits for: the queue of asynchronous invocations, notifications of buckets (which
 * become such invocations), tasks of executions.
 *
 * An item stays a row until its end is known and is remembered as under way in memory only: after a crash it
 * runs again. A function's error is tried again after one minute and after two; what could not run (no place,
 * a role that cannot be taken on) is tried until MaximumEventAge with growing pauses, and has no number of
 * tries. An item without a place stays due: the runner is woken when a place becomes free. */
#include "base/log.h"
#include "cloud/api/lambda_inner.h"
#include "cloud/api/events.h"
#include "cloud/store/notices.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DUE_MAX = 2000, /* looked at in one go */
    NOTICES_MAX = 64,
    RETRY_MS = 60000, /* times the number of the try */
    BLOCKED_MS = 2000,
    LOOK_MS = 60000,
    MEMORY = 64 << 20,
};

typedef struct flight {
    int64_t a, b;
} flight;

struct sh_fn_flights {
    pthread_mutex_t mutex;
    flight *list;
    size_t count, room;
    int64_t retry_ms;
};

/* ---- what is under way ---- */

int sh_lambda_queue_open(sh_cloud *cloud, sh_err *err)
{
    struct sh_fn_flights *f = calloc(1, sizeof(*f));
    const char *pause = getenv("SPYHOP_LAMBDA_RETRY_MS"); /* for tests: they do not wait for minutes */
    long long ms;
    if (!f)
        return sh_fail(err, SH_E_MEMORY, "no memory for the queue of functions");
    pthread_mutex_init(&f->mutex, NULL);
    f->retry_ms = pause && sscanf(pause, "%lld", &ms) == 1 && ms > 0 ? ms : RETRY_MS;
    cloud->flights = f;
    return 0;
}

void sh_lambda_queue_close(sh_cloud *cloud)
{
    if (!cloud->flights)
        return;
    pthread_mutex_destroy(&cloud->flights->mutex);
    free(cloud->flights->list);
    free(cloud->flights);
    cloud->flights = NULL;
}

static size_t find_flight(const struct sh_fn_flights *f, int64_t a, int64_t b)
{
    size_t i = 0;
    while (i < f->count && (f->list[i].a != a || f->list[i].b != b))
        i++;
    return i;
}

bool sh_fn_flight_known(sh_cloud *cloud, int64_t a, int64_t b)
{
    struct sh_fn_flights *f = cloud->flights;
    pthread_mutex_lock(&f->mutex);
    bool known = find_flight(f, a, b) < f->count;
    pthread_mutex_unlock(&f->mutex);
    return known;
}

static bool make_room(struct sh_fn_flights *f)
{
    size_t room = f->room ? 2 * f->room : 64;
    flight *list = f->count < f->room ? f->list : realloc(f->list, room * sizeof(*list));
    if (!list)
        return false;
    f->room = f->count < f->room ? f->room : room;
    f->list = list;
    return true;
}

bool sh_fn_flight_begin(sh_cloud *cloud, int64_t a, int64_t b)
{
    struct sh_fn_flights *f = cloud->flights;
    pthread_mutex_lock(&f->mutex);
    bool fresh = find_flight(f, a, b) == f->count && make_room(f);
    if (fresh)
        f->list[f->count++] = (flight){a, b};
    pthread_mutex_unlock(&f->mutex);
    return fresh;
}

void sh_fn_flight_end(sh_cloud *cloud, int64_t a, int64_t b)
{
    struct sh_fn_flights *f = cloud->flights;
    pthread_mutex_lock(&f->mutex);
    size_t i = find_flight(f, a, b);
    if (i < f->count)
        f->list[i] = f->list[--f->count];
    pthread_mutex_unlock(&f->mutex);
}

/* ---- how one ended ---- */

typedef struct running {
    sh_cloud *cloud;
    sh_arena *arena;
    sh_fn_queued item;
    sh_fn_rules rules;
    const char *version, *role;
} running;

static void free_running(running *r)
{
    sh_fn_flight_end(r->cloud, r->item.id, 0);
    sh_arena_free(r->arena);
}

/* In a transaction: the item is over. */
static int end_item(running *r, const char *condition, const sh_lambda_result *result, sh_err *err)
{
    const sh_fn_ended ended = {&r->item, condition, result, r->version, r->role};
    if (strcmp(condition, "Success") != 0)
        sh_log(SH_LOG_ERROR, "lambda", "function %s, request %s: %s after %lld tries%s%.300s%s", r->item.name,
               r->item.request_id, condition, (long long)r->item.attempts,
               result && result->length ? ": " : "",
               result && result->length ? (const char *)result->payload : "",
               r->rules.on_failure ? "" : "; the event is dropped: it has no on-failure destination");
    int status = sh_fn_queue_remove(r->cloud->db, r->item.id, err);
    return status < 0 ? status : sh_fn_destine(r->cloud, &ended, &r->rules, err);
}

/* Growing with the age of the item, so that it needs no number. */
static int64_t pause_ms(const running *r, int64_t now_ms)
{
    int64_t pause = (now_ms - r->item.first_ms) / 2;
    return pause < 1000 ? 1000 : pause > 300000 ? 300000 : pause;
}

static int settle_item(running *r, const sh_lambda_result *result, sh_err *err)
{
    sh_db *db = r->cloud->db;
    int64_t now_ms = sh_now_ms(r->cloud->clock);
    if (result->code) {
        bool full = strcmp(result->code, "TooManyRequestsException") == 0;
        if (!full && !sh_cloud_stopping(r->cloud))
            sh_log(SH_LOG_WARNING, "lambda", "function %s could not run, to be tried again: %s: %s",
                   r->item.name, result->code, result->message ? result->message : "");
        return sh_fn_queue_retry(db, r->item.id, r->item.attempts,
                                 full ? now_ms : now_ms + pause_ms(r, now_ms), err);
    }
    r->item.attempts++;
    if (!result->function_error)
        return end_item(r, "Success", result, err);
    if (r->item.attempts > r->rules.retries)
        return end_item(r, "RetriesExhausted", result, err);
    return sh_fn_queue_retry(db, r->item.id, r->item.attempts,
                             now_ms + r->item.attempts * r->cloud->flights->retry_ms, err);
}

static void on_done(void *opaque, const sh_lambda_result *result)
{
    running *r = opaque;
    sh_cloud *cloud = r->cloud;
    sh_err err = {0};
    int status = sh_db_begin(cloud->db, &err);
    if (status == 0)
        status = sh_db_end_later(cloud->db, settle_item(r, result, &err), &err);
    if (status < 0)
        sh_log(SH_LOG_ERROR, "lambda", "the end of request %s cannot be kept, it will run again: %s",
               r->item.request_id, err.message);
    free_running(r);
    sh_cloud_wake(cloud, SH_WAKE_FUNCTIONS | SH_WAKE_EVENTS);
}

/* ---- starting one ---- */

static int give_up(running *r, const char *condition, sh_err *err)
{
    int status = sh_db_begin(r->cloud->db, err);
    return status < 0 ? status : sh_db_end(r->cloud->db, end_item(r, condition, NULL, err), err);
}

static int submit(running *r, const sh_fn_version *version, sh_err *err)
{
    sh_cloud *cloud = r->cloud;
    const sh_fn_name name = {r->item.name, r->item.qualifier[0] ? r->item.qualifier : NULL};
    json_t *context = json_loads(r->item.context, 0, NULL);
    const char *client = json_string_value(json_object_get(context, "client"));
    const char *before = json_string_value(json_object_get(context, "trace"));
    sh_lambda_invocation i = {.request_id = r->item.request_id,
                              .invoked_arn = sh_fn_arn(cloud, r->arena, name.name, name.qualifier),
                              .payload = r->item.payload,
                              .length = r->item.length,
                              .client_context = client,
                              .done = on_done,
                              .opaque = r};
    int status = sh_fn_code(cloud, r->arena, version, &i.code, err);
    const char *arn = sh_fn_arn(cloud, r->arena, name.name, NULL);
    if (status == 0)
        i.trace_id = sh_trace_round(r->arena, before, arn ? arn : name.name);
    bool loop = status == 0 && !i.trace_id;
    r->version = sh_arena_strdup(r->arena, version->number);
    r->role = i.code.role ? sh_arena_strdup(r->arena, i.code.role) : NULL;
    if (loop) {
        sh_log(SH_LOG_ERROR, "lambda",
               "function %s was led to by itself %d times: a recursive loop, the event is dropped",
               r->item.name, SH_EVENTS_ROUNDS);
        status = give_up(r, "RecursiveInvocation", err);
        free_running(r);
    } else if (status == 0 && (status = sh_lambda_submit(cloud, &i, err)) < 0) {
        free_running(r);
    } else if (status < 0) {
        free_running(r);
    }
    json_decref(context);
    return status;
}

/* The function is gone, and its events with it. */
static int drop(running *r, sh_err *err)
{
    sh_log(SH_LOG_WARNING, "lambda", "function %s is gone: request %s is dropped", r->item.name,
           r->item.request_id);
    return sh_fn_queue_remove(r->cloud->db, r->item.id, err);
}

static int start(running *r, bool *blocked, sh_err *err)
{
    sh_cloud *cloud = r->cloud;
    sh_fn_version version;
    const sh_fn_name name = {r->item.name, r->item.qualifier[0] ? r->item.qualifier : NULL};
    int status = sh_fn_find(cloud, r->arena, &name, &version, err);
    if (status == 0)
        status = sh_fn_invoke_rules(cloud, r->arena, name.name, name.qualifier, &r->rules, err);
    if (status < 0) {
        if (status == SH_E_NOT_FOUND)
            status = drop(r, err);
        free_running(r);
        return status;
    }
    const char *role = json_string_value(json_object_get(version.body, "Role"));
    r->role = role ? sh_arena_strdup(r->arena, role) : NULL;
    if (sh_now_ms(cloud->clock) - r->item.first_ms > r->rules.age_s * 1000) {
        status = give_up(r, "EventAgeExceeded", err);
        free_running(r);
    } else if (sh_lambda_free_places(cloud, name.name, (int)version.reserved) <= 0) {
        *blocked = true;
        free_running(r);
    } else {
        status = submit(r, &version, err);
    }
    json_decref(version.body);
    return status;
}

static int start_id(sh_cloud *cloud, int64_t id, bool *blocked, sh_err *err)
{
    sh_arena *arena = sh_arena_new(MEMORY);
    running *r = arena ? sh_arena_alloc(arena, sizeof(*r)) : NULL;
    if (!r || !sh_fn_flight_begin(cloud, id, 0)) {
        sh_arena_free(arena);
        return r ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for an invocation");
    }
    r->cloud = cloud;
    r->arena = arena;
    r->item.id = id;
    int status = sh_fn_queue_get(cloud->db, arena, id, &r->item, err);
    if (status == 0)
        return start(r, blocked, err);
    r->item.id = id;
    free_running(r);
    return status == SH_E_NOT_FOUND ? 0 : status;
}

/* ---- the queue ---- */

typedef struct due {
    sh_cloud *cloud;
    sh_arena *arena;
    struct {
        int64_t id;
        const char *name;
    } items[DUE_MAX];
    size_t count;
} due;

static int take_due(void *opaque, const sh_fn_queued *item)
{
    due *d = opaque;
    if (sh_fn_flight_known(d->cloud, item->id, 0))
        return 0;
    d->items[d->count].id = item->id;
    d->items[d->count].name = sh_arena_strdup(d->arena, item->name);
    return d->items[d->count++].name ? 0 : SH_E_MEMORY;
}

static bool seen(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* A function that has no place holds up its own items only. */
static int start_due(sh_cloud *cloud, due *d, int64_t now_ms, bool *blocked, sh_err *err)
{
    enum { BLOCKED_NAMES = 256 };
    const char *names[BLOCKED_NAMES];
    size_t count = 0;
    int status = sh_fn_queue_due(cloud->db, now_ms, DUE_MAX, take_due, d, err);
    for (size_t i = 0; status == 0 && i < d->count && !sh_cloud_stopping(cloud); i++) {
        bool full = false;
        sh_err why = {0};
        if (count == BLOCKED_NAMES || seen(names, count, d->items[i].name)) {
            *blocked = true;
            continue;
        }
        if (start_id(cloud, d->items[i].id, &full, &why) < 0) {
            sh_log(SH_LOG_ERROR, "lambda", "function %s, to be tried again: %s", d->items[i].name,
                   why.message);
            full = true;
        }
        if (full) {
            *blocked = true;
            names[count++] = d->items[i].name;
        }
    }
    return status;
}

/* ---- notifications ---- */

typedef struct notices {
    sh_arena *arena;
    sh_notice items[NOTICES_MAX];
    size_t count;
} notices;

static int take_notice(void *opaque, const sh_notice *row)
{
    notices *n = opaque;
    sh_notice *one = &n->items[n->count++];
    *one = (sh_notice){.id = row->id,
                       .function = sh_arena_strdup(n->arena, row->function),
                       .event = sh_arena_strdup(n->arena, row->event),
                       .trace = row->trace ? sh_arena_strdup(n->arena, row->trace) : NULL};
    return one->function && one->event && (one->trace || !row->trace) ? 0 : SH_E_MEMORY;
}

static int send_notice(sh_cloud *cloud, sh_arena *arena, const sh_notice *one, sh_err *err)
{
    sh_aws_error error = {0};
    json_t *event = json_loads(one->event, 0, NULL);
    const json_t *record = json_array_get(json_object_get(event, "Records"), 0);
    const json_t *bucket = json_object_get(json_object_get(record, "s3"), "bucket");
    const char *arn = json_string_value(json_object_get(bucket, "arn"));
    const sh_lambda_event e = {.function = one->function,
                               .service = "s3.amazonaws.com",
                               .source_arn = arn,
                               .payload = one->event,
                               .length = strlen(one->event),
                               .trace = one->trace};
    int status = sh_lambda_send_event(cloud, &e, arena, &error, err);
    if (status == SH_E_ARGUMENT) {
        sh_log(SH_LOG_ERROR, "lambda", "a notification of %s to %s is dropped: %s: %s",
               arn ? arn : "a bucket", one->function, error.code, error.message);
        status = 0;
    }
    json_decref(event);
    return status < 0 ? status : sh_notices_remove(cloud->db, one->id, err);
}

static int send_notices(sh_cloud *cloud, notices *n, sh_err *err)
{
    int status = sh_notices_list(cloud->db, NOTICES_MAX, take_notice, n, err);
    for (size_t i = 0; status == 0 && i < n->count; i++)
        status = send_notice(cloud, n->arena, &n->items[i], err);
    return status;
}

static int pump_notices(sh_cloud *cloud, sh_err *err)
{
    notices n;
    int status;
    do {
        n = (notices){.arena = sh_arena_new(MEMORY)};
        status = n.arena ? sh_db_begin(cloud->db, err) : sh_fail(err, SH_E_MEMORY, "no memory for notices");
        if (status == 0)
            status = sh_db_end_later(cloud->db, send_notices(cloud, &n, err), err);
        sh_arena_free(n.arena);
    } while (status == 0 && n.count == NOTICES_MAX && !sh_cloud_stopping(cloud));
    return status;
}

/* ---- the runner ---- */

static int pump_queue(sh_cloud *cloud, int64_t now_ms, bool *blocked, sh_err *err)
{
    due *d = calloc(1, sizeof(*d));
    sh_arena *arena = sh_arena_new(MEMORY);
    int status = d && arena ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for the queue of functions");
    if (status == 0) {
        d->cloud = cloud;
        d->arena = arena;
        status = start_due(cloud, d, now_ms, blocked, err);
    }
    sh_arena_free(arena);
    free(d);
    return status;
}

/* When to look again, monotonic. What became due since the last look counts as well. */
static int64_t next_look(sh_cloud *cloud, int64_t looked_ms, bool blocked)
{
    sh_err err = {0};
    int64_t due_ms = -1, now_ms = sh_now_ms(cloud->clock), wait_ms = blocked ? BLOCKED_MS : LOOK_MS;
    if (sh_fn_queue_next(cloud->db, looked_ms, &due_ms, &err) == 0 && due_ms >= 0 &&
        due_ms - now_ms < wait_ms)
        wait_ms = due_ms - now_ms;
    return sh_monotonic_us() / 1000 + (wait_ms > 0 ? wait_ms : 1);
}

int sh_lambda_queue_run(sh_cloud *cloud)
{
    int64_t until_ms;
    sh_fn_sweep(cloud);
    sh_fn_tell_reserved(cloud);
    do {
        sh_err err = {0};
        bool blocked = false;
        int status = pump_notices(cloud, &err);
        int64_t now_ms = sh_now_ms(cloud->clock);
        if (status == 0)
            status = pump_queue(cloud, now_ms, &blocked, &err);
        if (status == 0)
            status = sh_fn_tasks_pump(cloud, &err);
        if (status < 0)
            sh_log(SH_LOG_ERROR, "lambda", "queued invocations stand still, to be tried again: %s",
                   err.message);
        until_ms = status < 0 ? sh_monotonic_us() / 1000 + 1000 : next_look(cloud, now_ms, blocked);
    } while (sh_cloud_wait(cloud, SH_WAKE_FUNCTIONS, until_ms));
    return 0;
}
