/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finds the executions that are due and steps them, many in one transaction, and goes on with the next ones
 * while the disk still syncs: what a step leads to outside (a command, a job, an answer) waits for the disk
 * by itself. Whatever is due stands in the rows, so that a restart needs nothing but the first look.
 *
 * There is always more to do for a machine that runs in circles: a batch ends when its time is over, sooner
 * when others wait for the database, and then they go first. */
#include "base/log.h"
#include "cloud/api/states.h"
#include "cloud/api/steady.h"

#define BATCH 64
#define BATCH_AGAIN 4  /* of them at most, and at least one, executions that gave way to others */
#define BATCH_US 20000 /* how long one transaction lasts */
#define WANTED_US 2000 /* the same when others wait for the database */
#define RETRY_MS 1000
#define LOOK_MS 1000 /* at the latest, for the wall clock may be set */
#define STUCK_MS 60000
#define KEEP_DAYS 90 /* an execution and its history, after its end, as on AWS */
#define DAY_MS 86400000
#define PRUNE_MS 3600000 /* how often those that are older are looked for */
#define JUMP_MS 60000    /* of the wall clock meanwhile: then what is old is not certain */

/* What is to be forgotten: the clocks at the last time, and how far it is with it. */
typedef struct pruning {
    int64_t wall_ms, monotonic_ms;
    int64_t before_ms, cursor, removed; /* cursor -1: not now */
} pruning;

/* Steps one. One that cannot even be failed stands aside for a while: the others are not to wait for it. */
static int step_one(sh_cloud *cloud, int64_t id, sh_err *err)
{
    sh_err why = {0};
    int status = sh_run_execution(cloud, id, NULL, &why);
    if (status == 0)
        return 0;
    if (sh_run_outage(status))
        return sh_fail(err, status, "%s", why.message);
    sh_log(SH_LOG_ERROR, "states", "execution %lld can neither go on nor be failed, to be tried again: %s",
           (long long)id, why.message);
    return sh_execution_defer(cloud->db, id, sh_now_ms(cloud->clock) + STUCK_MS, err);
}

static bool is_over(sh_cloud *cloud, int64_t begun_us)
{
    int64_t taken_us = sh_monotonic_us() - begun_us;
    return taken_us >= BATCH_US || (taken_us >= WANTED_US && sh_db_wanted(cloud->db));
}

static int step_some(sh_cloud *cloud, bool gave_way, size_t limit, int64_t begun_us, size_t *stepped,
                     sh_err *err)
{
    int64_t ids[BATCH];
    size_t count = limit;
    int status = sh_execution_due(cloud->db, sh_now_ms(cloud->clock), gave_way, ids, &count, err);
    for (size_t i = 0; status == 0 && i < count; i++) {
        if (i > 0 && is_over(cloud, begun_us))
            break;
        status = step_one(cloud, ids[i], err);
        ++*stepped;
    }
    return status;
}

/* *next_ms is set when nothing is due any more. */
static int step_batch(sh_cloud *cloud, size_t *stepped, int64_t *next_ms, sh_err *err)
{
    int64_t begun_us = sh_monotonic_us();
    *stepped = 0;
    int status = step_some(cloud, false, BATCH, begun_us, stepped, err);
    if (status == 0)
        status = step_some(cloud, true, BATCH_AGAIN, begun_us, stepped, err);
    return status == 0 && *stepped == 0 ? sh_execution_next(cloud->db, next_ms, err) : status;
}

int sh_flows_pump(sh_cloud *cloud, int64_t *next_ms, sh_err *err)
{
    size_t stepped;
    int status = sh_steady_look(cloud, err);
    if (status < 0)
        return status;
    do {
        status = sh_db_begin_politely(cloud->db, err);
        if (status < 0)
            return status;
        status = sh_db_end_later(cloud->db, step_batch(cloud, &stepped, next_ms, err), err);
    } while (status == 0 && stepped > 0 && !sh_cloud_stopping(cloud));
    return status;
}

/* Whether there is more to forget at once. */
static bool prune(sh_cloud *cloud, pruning *p)
{
    sh_err err = {0};
    int64_t monotonic_ms = sh_monotonic_us() / 1000, wall_ms = sh_now_ms(cloud->clock);
    int64_t passed_ms = monotonic_ms - p->monotonic_ms;
    if (p->cursor < 0 && passed_ms >= PRUNE_MS) {
        int64_t jump_ms = wall_ms - p->wall_ms - passed_ms;
        if (jump_ms < JUMP_MS && jump_ms > -JUMP_MS)
            p->cursor = 0;
        int64_t days =
            cloud->settings.keep_executions_days ? cloud->settings.keep_executions_days : KEEP_DAYS;
        p->before_ms = wall_ms - days * DAY_MS;
        p->monotonic_ms = monotonic_ms;
        p->wall_ms = wall_ms;
    }
    if (p->cursor < 0)
        return false;
    if (sh_execution_prune(cloud->db, p->before_ms, &p->cursor, &p->removed, &err) < 0) {
        sh_log(SH_LOG_WARNING, "states", "old executions were not removed, to be tried again: %s",
               err.message);
        p->cursor = -1;
    }
    if (p->cursor < 0 && p->removed > 0) {
        sh_log(SH_LOG_INFO, "states", "removed %lld executions that ended more than %d days ago",
               (long long)p->removed, KEEP_DAYS);
        p->removed = 0;
    }
    return p->cursor >= 0;
}

/* How long to wait, milliseconds. */
static int64_t pause_of(const sh_cloud *cloud, int64_t next_ms)
{
    int64_t wait_ms = next_ms - sh_now_ms(cloud->clock);
    if (next_ms < 0)
        return PRUNE_MS;
    return wait_ms < 0 ? 0 : wait_ms > LOOK_MS ? LOOK_MS : wait_ms;
}

int sh_flows_run(sh_cloud *cloud)
{
    int64_t wait_ms;
    pruning p = {.wall_ms = sh_now_ms(cloud->clock), .monotonic_ms = sh_monotonic_us() / 1000, .cursor = -1};
    do {
        sh_err err = {0};
        int64_t next_ms = -1;
        if (sh_flows_pump(cloud, &next_ms, &err) < 0) {
            sh_log(SH_LOG_ERROR, "states", "executions stand still, to be tried again: %s", err.message);
            wait_ms = RETRY_MS;
        } else {
            wait_ms = prune(cloud, &p) ? 0 : pause_of(cloud, next_ms);
        }
    } while (sh_cloud_wait(cloud, SH_WAKE_FLOWS, sh_monotonic_us() / 1000 + wait_ms));
    return 0;
}
