/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Express machines: who starts an execution, and who takes it on.
 *
 * StartSyncExecution runs it at once on the thread of the call. If it comes to wait, it goes into the table
 * of those that sleep, the call is held (hold.h), and a runner goes on with it. Nothing of it is on disk: a
 * crash ends it, and the client sees its connection close.
 *
 * StartExecution, and StartSyncExecution as the task of a state machine, only add a row. A runner makes the
 * execution of it and deletes the row, or puts the result there and tells the task. After a crash it starts
 * anew (at least once, as on AWS).
 *
 * The table's mutex guards the list and the flags of the table only, never an execution that runs. */
#include "base/log.h"
#include "base/size.h"
#include "cloud/api/args.h"
#include "cloud/api/hold.h"
#include "cloud/api/keys.h"
#include "cloud/api/states_express.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LIVE_MAX 20000 /* executions in memory that came from rows; the others wait in their rows */
#define LOAD_AT_ONCE 256
#define LOOK_MS 60000 /* at the latest */
#define RETRY_MS 1000
#define ROW_MEMORY (8u << 20)

struct sh_express_table {
    pthread_mutex_t mutex;
    pthread_cond_t condition; /* on CLOCK_MONOTONIC */
    sh_express *sleeping;
    int64_t next_id;
    int64_t last_row; /* the last one that was taken up */
    size_t live;      /* that have a row */
    int64_t look_ms;  /* when to look for rows: 0 now, -1 not before a wake-up */
    bool stopping;
};

struct sh_express_table *sh_express_new(void)
{
    pthread_condattr_t attributes;
    struct sh_express_table *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    pthread_mutex_init(&t->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&t->condition, &attributes);
    pthread_condattr_destroy(&attributes);
    return t;
}

void sh_express_stop(struct sh_express_table *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->mutex);
    t->stopping = true;
    pthread_cond_broadcast(&t->condition);
    pthread_mutex_unlock(&t->mutex);
}

static void take_out(sh_express *x)
{
    *x->link = x->next;
    if (x->next)
        x->next->link = x->link;
    x->link = NULL;
}

void sh_express_free(struct sh_express_table *t)
{
    if (!t)
        return;
    while (t->sleeping) {
        sh_express *x = t->sleeping;
        take_out(x);
        sh_express_unmake(x);
    }
    pthread_cond_destroy(&t->condition);
    pthread_mutex_destroy(&t->mutex);
    free(t);
}

/* ---- the list ---- */

static void put_in(struct sh_express_table *t, sh_express *x)
{
    x->next = t->sleeping;
    x->link = &t->sleeping;
    if (t->sleeping)
        t->sleeping->link = &x->next;
    t->sleeping = x;
    pthread_cond_signal(&t->condition);
}

/* The one that is due first, out of the list; NULL with *next_ms, -1: there is none. */
static sh_express *take_due(struct sh_express_table *t, int64_t now_ms, int64_t *next_ms)
{
    sh_express *first = NULL;
    for (sh_express *x = t->sleeping; x; x = x->next) {
        if ((!x->ended || x->row) && (!first || x->wake_ms < first->wake_ms))
            first = x;
    }
    *next_ms = first ? first->wake_ms : -1;
    if (!first || first->wake_ms > now_ms)
        return NULL;
    take_out(first);
    return first;
}

/* ---- rows ---- */

typedef struct loading {
    sh_cloud *cloud;
    sh_express *made[LOAD_AT_ONCE];
    size_t count;
    int64_t last;
    sh_err *err;
} loading;

/* One whose definition cannot be read any more is no reason to hold up the others. */
static int load_row(void *opaque, const sh_express_row *row)
{
    loading *l = opaque;
    sh_machine machine;
    sh_err why = {0};
    sh_arena *arena = sh_arena_new(ROW_MEMORY);
    int status = arena ? sh_revision_get(l->cloud->db, arena, row->revision_row, &machine, &why)
                       : sh_fail(&why, SH_E_MEMORY, "no memory for an execution");
    if (status == 0)
        status = sh_express_make(&l->made[l->count], l->cloud, &machine, row, &why);
    sh_arena_free(arena);
    if (status == SH_E_MEMORY || sh_run_outage(status))
        return sh_fail(l->err, status, "%s", why.message);
    l->last = row->id;
    if (status < 0)
        sh_log(SH_LOG_ERROR, "states", "execution %s cannot be run: %s", row->arn, why.message);
    else
        l->count++;
    return 0;
}

/* Takes up rows; called and returns with the mutex held. */
static void look(sh_cloud *cloud, struct sh_express_table *t)
{
    sh_err err = {0};
    loading l = {.cloud = cloud, .last = t->last_row, .err = &err};
    size_t room = t->live < LIVE_MAX ? LIVE_MAX - t->live : 0;
    if (room > LOAD_AT_ONCE)
        room = LOAD_AT_ONCE;
    t->look_ms = -1;
    if (room == 0)
        return;
    int64_t after = t->last_row;
    t->last_row = INT64_MAX; /* nobody else looks meanwhile */
    pthread_mutex_unlock(&t->mutex);
    int status = sh_express_list(cloud->db, after, (int64_t)room, load_row, &l, &err);
    pthread_mutex_lock(&t->mutex);
    t->last_row = l.last;
    for (size_t i = 0; i < l.count; i++) {
        l.made[i]->id = ++t->next_id;
        put_in(t, l.made[i]);
    }
    t->live += l.count;
    if (status < 0) {
        sh_log(SH_LOG_ERROR, "states", "express executions cannot be read, to be tried again: %s",
               err.message);
        t->look_ms = sh_express_now(cloud) + RETRY_MS;
    } else if (l.count == room) {
        t->look_ms = 0;
    }
}

static void wake_runner(sh_cloud *cloud)
{
    struct sh_express_table *t = cloud->express;
    pthread_mutex_lock(&t->mutex);
    t->look_ms = 0;
    pthread_cond_signal(&t->condition);
    pthread_mutex_unlock(&t->mutex);
}

/* ---- ends ---- */

static int end_row(sh_express *x, sh_err *err)
{
    sh_db *db = x->cloud->db;
    json_t *answer = x->awaited ? sh_express_answer(x, false) : NULL;
    char *text = answer ? sh_flow_text(answer) : NULL;
    json_decref(answer);
    if (x->awaited && !text)
        return sh_fail(err, SH_E_MEMORY, "no memory for the result of an execution");
    int status = sh_db_begin(db, err);
    if (status == 0) {
        status = text ? sh_express_save(db, x->row, text, err) : sh_express_delete(db, x->row, err);
        if (status == 0 && text)
            status = sh_wait_notify(db, SH_EXPRESS_SERVICE, x->arn, x->stopped_ms, err);
        status = sh_db_end_later(db, status, err); /* lost, it is run again */
    }
    free(text);
    if (status == 0 && x->awaited)
        sh_cloud_wake(x->cloud, SH_WAKE_FLOWS);
    return status;
}

static void hold_key(const sh_express *x, char key[64])
{
    snprintf(key, 64, "express/%lld", (long long)x->id);
}

/* After a slice, with the mutex held: back to sleep, to the call that waits, or away. */
static void settle(struct sh_express_table *t, sh_express *x, int status, const sh_err *err)
{
    char key[64];
    hold_key(x, key);
    if (x->row && x->ended && status == 0) {
        x->row = 0;
        t->live--;
        if (t->live == LIVE_MAX - 1)
            t->look_ms = 0;
    }
    if (status < 0) {
        sh_log(SH_LOG_ERROR, "states", "the end of execution %s cannot be written, to be tried again: %s",
               x->arn, err->message);
        x->wake_ms = sh_express_now(x->cloud) + RETRY_MS;
    }
    sh_cloud *cloud = x->cloud;
    bool gone = x->ended && !x->row && !x->watched;
    if (!gone)
        put_in(t, x);
    if (x->ended && !x->row && x->watched)
        sh_hold_wake(cloud, key);
    if (gone)
        sh_express_unmake(x);
}

/* Takes the one that is due a slice further; called and returns with the mutex held. */
static void go_on(struct sh_express_table *t, sh_express *x)
{
    sh_err err = {0};
    pthread_mutex_unlock(&t->mutex);
    if (!x->ended)
        sh_express_advance(x);
    int status = x->ended && x->row ? end_row(x, &err) : 0;
    pthread_mutex_lock(&t->mutex);
    settle(t, x, status, &err);
}

/* One thing that is to be done; false when there is nothing before *next_ms. The mutex is held. */
static bool work(sh_cloud *cloud, struct sh_express_table *t, int64_t *next_ms)
{
    int64_t now_ms = sh_express_now(cloud);
    if (t->look_ms >= 0 && t->look_ms <= now_ms && t->last_row != INT64_MAX) {
        look(cloud, t);
        return true;
    }
    sh_express *x = take_due(t, now_ms, next_ms);
    if (x)
        go_on(t, x);
    else if (t->look_ms > now_ms && (*next_ms < 0 || t->look_ms < *next_ms))
        *next_ms = t->look_ms;
    return x != NULL;
}

static void sleep_until(sh_cloud *cloud, struct sh_express_table *t, int64_t next_ms)
{
    struct timespec until;
    int64_t ms = next_ms < 0 ? LOOK_MS : next_ms - sh_express_now(cloud);
    if (ms < 0)
        ms = 0;
    if (ms > LOOK_MS)
        ms = LOOK_MS;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&t->condition, &t->mutex, &until);
}

int sh_express_runner(sh_cloud *cloud)
{
    struct sh_express_table *t = cloud->express;
    int64_t next_ms;
    pthread_mutex_lock(&t->mutex);
    while (!t->stopping) {
        if (!work(cloud, t, &next_ms))
            sleep_until(cloud, t, next_ms);
    }
    pthread_mutex_unlock(&t->mutex);
    return 0;
}

int sh_express_pump(sh_cloud *cloud, int64_t *next_ms, sh_err *err)
{
    struct sh_express_table *t = cloud->express;
    (void)err;
    *next_ms = -1;
    pthread_mutex_lock(&t->mutex);
    while (work(cloud, t, next_ms))
        ;
    pthread_mutex_unlock(&t->mutex);
    return 0;
}

/* ---- actions ---- */

static int make_row(sh_call *call, const sh_start *start, sh_express_row *row)
{
    char uuid[SH_UUID_TEXT];
    const sh_cloud_settings *s = &call->cloud->settings;
    const sh_machine *machine = &start->target.machine;
    sh_uuid(uuid);
    *row = (sh_express_row){
        .name = start->name,
        .input = start->input,
        .trace_header = start->trace_header,
        .machine_arn = machine->arn,
        .revision_row = machine->revision_row,
        .started_ms = call->now_ms,
        .arn = sh_arena_printf(call->arena, "arn:aws:states:%s:%s:express:%s:%s:%s", s->region, s->account,
                               machine->name, start->name, uuid),
    };
    return row->arn ? 0 : sh_out_done(call, SH_E_MEMORY);
}

int sh_express_start(sh_call *call, const sh_start *start)
{
    sh_express_row row;
    sh_err err = {0};
    int failed = 0;
    int status = make_row(call, start, &row);
    if (status < 0)
        return status;
    if (sh_express_insert(call->cloud->db, &row, &err) < 0)
        return sh_call_fail_internal(call, &err);
    wake_runner(call->cloud);
    if ((status = sh_out_new(call)) < 0)
        return status;
    sh_put_text(&failed, call->out, "executionArn", row.arn);
    sh_put_date(&failed, call->out, "startDate", row.started_ms);
    return sh_out_done(call, failed);
}

static int read_sync(sh_call *call, sh_express_row *row, sh_start *start)
{
    int status = sh_states_read_start(call, start);
    if (status < 0)
        return status;
    if (strcmp(start->target.machine.type, "EXPRESS") != 0)
        return sh_call_fail(call, 400, "StateMachineTypeNotSupported",
                            "This operation is not supported by this type of state machine");
    return make_row(call, start, row);
}

const char *sh_express_start_awaited(sh_call *call)
{
    sh_express_row row;
    sh_start start;
    sh_err err = {0};
    if (read_sync(call, &row, &start) < 0)
        return NULL;
    row.awaited = true;
    if (sh_express_insert(call->cloud->db, &row, &err) < 0) {
        sh_call_fail_internal(call, &err);
        return NULL;
    }
    wake_runner(call->cloud);
    return row.arn;
}

int sh_express_take(sh_cloud *cloud, sh_arena *arena, const char *arn, json_t **out, sh_err *err)
{
    sh_express_row row;
    int status = sh_express_by_arn(cloud->db, arena, arn, &row, err);
    if (status < 0)
        return status;
    if (!row.result)
        return sh_fail(err, SH_E_INTERNAL, "execution %s has not ended", arn);
    status = sh_flow_load(out, row.result, strlen(row.result), err);
    return status < 0 ? status : sh_express_delete(cloud->db, row.id, err);
}

/* One that runs goes on to its end, as its tasks cannot be undone; its result is kept nowhere. */
void sh_express_abandon(sh_cloud *cloud, const char *arn)
{
    sh_express_row row;
    sh_err err = {0};
    sh_arena *arena = sh_arena_new(ROW_MEMORY);
    int status = arena ? sh_express_by_arn(cloud->db, arena, arn, &row, &err) : SH_E_MEMORY;
    if (status == 0)
        status = sh_express_delete(cloud->db, row.id, &err);
    if (status < 0)
        sh_log(SH_LOG_INFO, "states", "execution %s was not given up: %s", arn, err.message);
    sh_arena_free(arena);
}

static int answer_sync(sh_call *call, sh_express *x)
{
    bool metadata_only;
    int status = sh_states_metadata_only(call, &metadata_only);
    if (status == 0)
        call->out = sh_express_answer(x, metadata_only);
    sh_express_unmake(x);
    call->kept = NULL;
    if (status == 0 && !call->out)
        status = sh_out_done(call, SH_E_MEMORY);
    return status;
}

/* The client went away: it runs on to its end. */
static void forget(sh_cloud *cloud, void *kept)
{
    sh_express *x = kept;
    struct sh_express_table *t = cloud->express;
    pthread_mutex_lock(&t->mutex);
    x->watched = false;
    bool gone = x->ended && x->link;
    if (gone)
        take_out(x);
    pthread_mutex_unlock(&t->mutex);
    if (gone)
        sh_express_unmake(x);
}

/* The call again. */
static int look_again(sh_call *call)
{
    char key[64];
    sh_express *x = call->kept;
    struct sh_express_table *t = call->cloud->express;
    hold_key(x, key);
    sh_call_wait_for(call, key, -1);
    pthread_mutex_lock(&t->mutex);
    bool ended = x->link && x->ended;
    if (ended)
        take_out(x);
    pthread_mutex_unlock(&t->mutex);
    return ended ? answer_sync(call, x) : SH_CALL_LATER;
}

static int wait_for(sh_call *call, sh_express *x)
{
    struct sh_express_table *t = call->cloud->express;
    call->kept = x;
    call->forget = forget;
    x->watched = true;
    pthread_mutex_lock(&t->mutex);
    x->id = ++t->next_id;
    put_in(t, x);
    pthread_mutex_unlock(&t->mutex);
    return look_again(call);
}

int sh_states_start_sync(sh_call *call)
{
    sh_express_row row;
    sh_express *x = NULL;
    sh_start start;
    sh_err err = {0};
    bool metadata_only;
    if (call->kept)
        return look_again(call);
    int status = read_sync(call, &row, &start);
    if (status < 0 || (status = sh_states_metadata_only(call, &metadata_only)) < 0)
        return status;
    if (sh_express_make(&x, call->cloud, &start.target.machine, &row, &err) < 0)
        return sh_call_fail_internal(call, &err);
    sh_express_advance(x);
    if (x->ended)
        return answer_sync(call, x);
    if (call->hold)
        return wait_for(call, x);
    sh_express_unmake(x);
    return sh_call_fail(call, 400, "StateMachineTypeNotSupported",
                        "an execution that waits cannot be started from here");
}
