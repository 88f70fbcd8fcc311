/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What runs of distributed Map states need besides the steps of executions. Which run is at what stage stands
 * in its row, so that a restart goes on with the first look. Reading and writing objects is not done within a
 * transaction: a run that was stopped in between is left as it is then. */
#include "cloud/api/states_map.h"
#include "base/log.h"
#include "cloud/store/tokens.h"

#include <string.h>

#define RUN_MEMORY (64u << 20)
#define RUNS 16
#define STARTS 256 /* of one run, in one transaction */
#define ABORTS 64
#define RETRY_MS 1000

typedef struct work {
    sh_cloud *cloud;
    sh_arena *arena;
    sh_map_run run;
} work;

/* Calls `with` in a transaction, if the run is still at the stage at which it was found. */
static int in_stage(work *w, int (*with)(work *w, void *opaque, sh_err *err), void *opaque, sh_err *err)
{
    sh_map_stage stage = w->run.stage;
    int status = sh_db_begin(w->cloud->db, err);
    if (status < 0)
        return status;
    status = sh_map_by_id(w->cloud->db, w->arena, w->run.id, &w->run, err);
    if (status == 0 && w->run.stage == stage)
        status = with(w, opaque, err);
    return sh_db_end(w->cloud->db, status, err);
}

static int fail(work *w, void *opaque, sh_err *err)
{
    const sh_map_fault *fault = opaque;
    return sh_map_fail(w->cloud, &w->run, fault->error, fault->cause, err);
}

/* What fails for another reason than the disk would fail again. */
static int give_up(work *w, void *opaque, sh_err *err)
{
    if (w->run.stage != SH_MAP_STOP && w->run.stage != SH_MAP_WRITE)
        return fail(w, opaque, err);
    w->run.stage = SH_MAP_DONE;
    if (strcmp(w->run.status, "RUNNING") == 0)
        return fail(w, opaque, err);
    return sh_map_done(w->cloud, &w->run, err);
}

/* ---- READ ---- */

typedef struct found {
    int64_t items, children;
} found;

static int clear_children(work *w, void *opaque, sh_err *err)
{
    return sh_map_children_clear(w->cloud->db, w->run.id, err);
}

static int begin(work *w, void *opaque, sh_err *err)
{
    const found *f = opaque;
    w->run.items = f->items;
    w->run.children = f->children;
    w->run.stage = SH_MAP_RUN;
    return sh_map_advance(w->cloud, &w->run, STARTS, err);
}

static int read_items(work *w, sh_err *err)
{
    found f = {0};
    sh_map_fault fault = {0};
    int status = in_stage(w, clear_children, NULL, err);
    if (status == 0 && w->run.stage == SH_MAP_READ)
        status = sh_map_read(w->cloud, w->arena, &w->run, &f.items, &f.children, &fault, err);
    if (status < 0 || w->run.stage != SH_MAP_READ)
        return status;
    return fault.error ? in_stage(w, fail, &fault, err) : in_stage(w, begin, &f, err);
}

/* ---- RUN, STOP, WRITE ---- */

/* The next child is an execution that failed before. Its row and the run's are right before it runs, for it
 * may come to its end at once. */
static int drive_again(work *w, const sh_map_child *child, sh_err *err)
{
    static const sh_flow_event event = {.kind = SH_FLOW_REDRIVE};
    int64_t now_ms = sh_now_ms(w->cloud->clock);
    int status = sh_map_child_started(w->cloud->db, child->run, child->position, child->execution, err);
    w->run.next++;
    w->run.running++;
    if (status == 0)
        status = sh_map_save(w->cloud->db, &w->run, err);
    if (status == 0)
        status = sh_execution_redrive(w->cloud->db, child->execution, now_ms, NULL, err);
    return status == 0 ? sh_run_execution(w->cloud, child->execution, &event, err) : status;
}

static int start_more(work *w, void *opaque, sh_err *err)
{
    sh_map_child child;
    if (sh_map_has_room(&w->run) && !w->run.express) {
        int status = sh_map_child_get(w->cloud->db, w->arena, w->run.id, w->run.next, &child, err);
        if (status < 0)
            return status;
        if (child.status == SH_CHILD_PENDING && child.execution)
            return drive_again(w, &child, err);
    }
    return sh_map_advance(w->cloud, &w->run, STARTS, err);
}

/* It was driven again, and nothing of it runs any more. */
static int begin_again(work *w, sh_err *err)
{
    w->run.stage = SH_MAP_RUN;
    w->run.next = w->run.running = w->run.failed_items = 0;
    int status = sh_map_children_reset(w->cloud->db, w->run.id, err);
    return status == 0 ? sh_map_save(w->cloud->db, &w->run, err) : status;
}

static int stopped(work *w, sh_err *err)
{
    bool writes = w->run.writes && strcmp(w->run.status, "FAILED") == 0;
    if (strcmp(w->run.status, "RUNNING") == 0)
        return begin_again(w, err);
    w->run.stage = writes ? SH_MAP_WRITE : SH_MAP_DONE;
    return sh_map_save(w->cloud->db, &w->run, err);
}

static int abort_some(work *w, void *opaque, sh_err *err)
{
    int64_t ids[ABORTS];
    size_t count = ABORTS;
    int status = sh_map_children_running(w->cloud->db, w->run.id, ids, &count, err);
    sh_flow_event event = {.kind = SH_FLOW_ABORT};
    if (status == 0 && count == 0)
        return stopped(w, err);
    for (size_t i = 0; status == 0 && i < count; i++)
        status = sh_run_execution(w->cloud, ids[i], &event, err);
    return status;
}

static int write_results(work *w, sh_err *err)
{
    sh_map_fault fault = {0};
    int status = sh_map_write(w->cloud, w->arena, &w->run, &fault, err);
    return status == 0 && fault.error ? in_stage(w, give_up, &fault, err) : status;
}

static int do_stage(work *w, sh_err *err)
{
    switch (w->run.stage) {
    case SH_MAP_READ:
        return read_items(w, err);
    case SH_MAP_RUN:
        return in_stage(w, start_more, NULL, err);
    case SH_MAP_STOP:
        return in_stage(w, abort_some, NULL, err);
    case SH_MAP_WRITE:
        return write_results(w, err);
    default:
        return 0;
    }
}

/* ---- the loop ---- */

static int work_on(work *w, int64_t id, sh_err *err)
{
    sh_err why = {0};
    int status = sh_map_by_id(w->cloud->db, w->arena, id, &w->run, err);
    if (status < 0)
        return status;
    status = do_stage(w, &why);
    if (status == 0)
        return 0;
    if (sh_run_outage(status))
        return sh_fail(err, status, "%s", why.message);
    sh_log(SH_LOG_ERROR, "states", "%s: %s", w->run.arn, why.message);
    sh_map_fault fault = {"States.Runtime", why.message};
    return in_stage(w, give_up, &fault, err);
}

int sh_maps_pump(sh_cloud *cloud, sh_err *err)
{
    int64_t ids[RUNS];
    size_t count;
    int status;
    do {
        count = RUNS;
        status = sh_map_due(cloud->db, ids, &count, err);
        for (size_t i = 0; status == 0 && i < count && !sh_cloud_stopping(cloud); i++) {
            work w = {.cloud = cloud, .arena = sh_arena_new(RUN_MEMORY)};
            status = w.arena ? work_on(&w, ids[i], err)
                             : sh_fail(err, SH_E_MEMORY, "no memory for the run of a Map state");
            sh_arena_free(w.arena);
        }
    } while (status == 0 && count > 0 && !sh_cloud_stopping(cloud));
    return status;
}

int sh_maps_run(sh_cloud *cloud)
{
    int64_t until_ms;
    do {
        sh_err err = {0};
        until_ms = -1;
        if (sh_maps_pump(cloud, &err) < 0) {
            sh_log(SH_LOG_ERROR, "states", "runs of Map states stand still, to be tried again: %s",
                   err.message);
            until_ms = sh_monotonic_us() / 1000 + RETRY_MS;
        }
    } while (sh_cloud_wait(cloud, SH_WAKE_MAPS, until_ms));
    return 0;
}
