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

int sh_flows_run(sh_cloud *cloud)
{
    int64_t until_ms;
    do {
        sh_err err = {0};
        int64_t next_ms = -1;
        int64_t monotonic_ms = sh_monotonic_us() / 1000;
        if (sh_flows_pump(cloud, &next_ms, &err) < 0) {
            sh_log(SH_LOG_ERROR, "states", "executions stand still, to be tried again: %s", err.message);
            until_ms = monotonic_ms + RETRY_MS;
            continue;
        }
        int64_t wait_ms = next_ms - sh_now_ms(cloud->clock);
        if (wait_ms < 0)
            wait_ms = 0;
        if (wait_ms > LOOK_MS)
            wait_ms = LOOK_MS;
        until_ms = next_ms < 0 ? -1 : sh_monotonic_us() / 1000 + wait_ms;
    } while (sh_cloud_wait(cloud, SH_WAKE_FLOWS, until_ms));
    return 0;
}
