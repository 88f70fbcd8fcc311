/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finds the executions that are due and steps them, many in one transaction: one sync of the disk carries all
 * of them. Whatever is due stands in the rows, so that a restart needs nothing but the first look. */
#include "base/log.h"
#include "cloud/api/states.h"

#define BATCH 64
#define BATCH_US 50000 /* how long one transaction keeps others waiting */
#define RETRY_MS 1000
#define LOOK_MS 60000 /* at the latest, for the wall clock may be set */

static int step_batch(sh_cloud *cloud, size_t *stepped, sh_err *err)
{
    int64_t ids[BATCH];
    size_t count = BATCH;
    int64_t deadline_us = sh_monotonic_us() + BATCH_US;
    int status = sh_execution_due(cloud->db, sh_now_ms(cloud->clock), ids, &count, err);
    for (*stepped = 0; status == 0 && *stepped < count; ++*stepped) {
        if (*stepped > 0 && sh_monotonic_us() >= deadline_us)
            break;
        status = sh_run_execution(cloud, ids[*stepped], NULL, err);
    }
    return status;
}

int sh_flows_pump(sh_cloud *cloud, int64_t *next_ms, sh_err *err)
{
    size_t stepped;
    int status;
    do {
        status = sh_db_begin(cloud->db, err);
        if (status < 0)
            return status;
        status = sh_db_end(cloud->db, step_batch(cloud, &stepped, err), err);
    } while (status == 0 && stepped > 0 && !sh_cloud_stopping(cloud));
    return status < 0 ? status : sh_execution_next(cloud->db, next_ms, err);
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
