/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What happens to commands though nobody asks (agent_poll.c and agent_report.c do the rest): the delivery
 * time-out of those that wait, the end of those whose node is gone or silent for too long, Delayed, and the
 * forgetting of old ones.
 *
 *   Pending      its node is not registered (any more): Undeliverable. After deliver_by: DeliveryTimedOut
 *   InProgress   handed, not yet listed, and the node is silent: Delayed, until it is heard of again
 *   those and Cancelling   the node is not registered any more: Terminated. Past expires and the node is
 *                silent (or says for SLACK_MS longer that it runs): ExecutionTimedOut
 */
#include "base/file.h"
#include "base/log.h"
#include "cloud/api/agent_inner.h"
#include "cloud/api/ssm.h"
#include "cloud/api/ssm_legacy.h"
#include "cloud/api/ssm_run.h"
#include "cloud/store/steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS_MAX = 2000, /* looked at in one round; those after them wait for the next one */
    RETRY_MS = 1000,
    SLACK_MS = 600000,
    PRUNE_MS = 3600000,
    ROUND_MS = 600000, /* the wall clock may be set meanwhile */
    OLD_MAX = 256,
};

typedef struct runner {
    sh_cloud *cloud;
    int64_t look_ms;  /* wall clock: when to look again without a wake-up; INT64_MAX: never */
    int64_t prune_ms; /* wall clock */
} runner;

typedef struct round {
    runner *r;
    sh_arena *arena;
    int64_t now_ms;
    sh_invocation rows[ROWS_MAX];
    size_t count;
    sh_node_row node; /* of the row before: rows of a node often stand together */
    bool there;
} round;

static void look_at(runner *r, int64_t ms)
{
    if (ms < r->look_ms)
        r->look_ms = ms;
}

static int end_as(round *all, const sh_invocation *row, const char *status, const char *details, int code,
                  const char *message, sh_err *err)
{
    return sh_ssm_end(all->r->cloud, row->id, row->instance, status, details, code, message, err);
}

static int find_node(round *all, const char *id, sh_err *err)
{
    if (all->node.id && strcmp(all->node.id, id) == 0)
        return 0;
    int status = sh_node_get(all->r->cloud->db, all->arena, id, &all->node, err);
    all->there = status == 0;
    if (status == SH_E_NOT_FOUND) {
        all->node = (sh_node_row){.id = id};
        status = 0;
    }
    return status;
}

static int consider_pending(round *all, const sh_invocation *row, sh_err *err)
{
    bool go;
    if (!all->there)
        return end_as(all, row, "Failed", "Undeliverable", -1,
                      "the node is not registered any more: the command could not be delivered", err);
    if (all->now_ms >= row->deliver_by_ms)
        return end_as(all, row, "TimedOut", "DeliveryTimedOut", -1,
                      sh_node_online(&all->node, all->now_ms)
                          ? "the node was busy until the delivery time-out"
                          : "the node was not heard of until the delivery time-out",
                      err);
    look_at(all->r, row->deliver_by_ms);
    return sh_ssm_may_begin(all->r->cloud, row->id, all->arena, &go, err); /* ends those held back */
}

static int delay(round *all, const sh_invocation *brief, sh_err *err)
{
    sh_invocation row;
    int status = sh_invocation_get(all->r->cloud->db, all->arena, brief->id, brief->instance, &row, err);
    if (status < 0)
        return status;
    row.status = row.details = "Delayed";
    return sh_ssm_save(all->r->cloud, &row, "InProgress", err);
}

static int consider_silent(round *all, const sh_invocation *row, const sh_handout *delivery, sh_err *err)
{
    if (all->now_ms >= row->expires_ms)
        return end_as(all, row, "TimedOut", delivery->listed ? "ExecutionTimedOut" : "DeliveryTimedOut", -1,
                      "the node was not heard of until the command's time was over; what the command did is "
                      "not known",
                      err);
    look_at(all->r, row->expires_ms);
    return !delivery->listed && strcmp(row->status, "InProgress") == 0 ? delay(all, row, err) : 0;
}

static int consider_handed(round *all, const sh_invocation *row, sh_err *err)
{
    sh_handout delivery;
    int status = sh_handout_get(all->r->cloud->db, all->arena, row->id, row->instance, &delivery, err);
    if (status == SH_E_NOT_FOUND && all->there)
        return sh_legacy_consider(all->r->cloud, row, &all->r->look_ms, err);
    if (status < 0 && status != SH_E_NOT_FOUND)
        return status;
    if (!all->there)
        return end_as(all, row, "Failed", "Terminated", 137,
                      "the node was deregistered while it had the command; what the command did is not known",
                      err);
    int64_t silent_ms =
        (all->node.seen_ms > delivery.handed_ms ? all->node.seen_ms : delivery.handed_ms) + SH_NODE_SILENT_MS;
    if (all->now_ms >= silent_ms)
        return consider_silent(all, row, &delivery, err);
    if (all->now_ms >= row->expires_ms + SLACK_MS)
        return end_as(all, row, "TimedOut", "ExecutionTimedOut", -1,
                      "the node did not end the command when its time was over", err);
    look_at(all->r, delivery.listed ? row->expires_ms + 1000 : silent_ms);
    return 0;
}

static int consider(round *all, const sh_invocation *row, sh_err *err)
{
    int status = find_node(all, row->instance, err);
    if (status < 0)
        return status;
    if (strcmp(row->status, "Pending") == 0)
        return consider_pending(all, row, err);
    return consider_handed(all, row, err);
}

/* ---- the rows ---- */

static int collect(void *opaque, const sh_invocation *row)
{
    round *all = opaque;
    sh_invocation *to = &all->rows[all->count++];
    *to = *row;
    to->id = sh_arena_strdup(all->arena, row->id);
    to->instance = sh_arena_strdup(all->arena, row->instance);
    to->status = sh_arena_strdup(all->arena, row->status);
    to->details = "";
    if (!to->id || !to->instance || !to->status)
        return SH_E_MEMORY;
    return all->count == ROWS_MAX;
}

static void consider_all(round *all)
{
    for (size_t i = 0; i < all->count; i++) {
        sh_err why = {0};
        if (consider(all, &all->rows[i], &why) < 0) {
            sh_log(SH_LOG_ERROR, "ssm", "command %s: %s", all->rows[i].id, why.message);
            look_at(all->r, all->now_ms + RETRY_MS);
        }
    }
}

/* One transaction: what is decided of a row is decided by what it is, not by what it was when it was
 * collected. Rows are collected first, as looking at one changes the table. */
static int scan_inside(round *all, sh_err *err)
{
    int status = sh_db_begin(all->r->cloud->db, err);
    if (status < 0)
        return status;
    status = sh_invocation_each_brief(all->r->cloud->db, NULL, collect, all, err);
    if (status == 0)
        consider_all(all);
    return sh_db_end(all->r->cloud->db, status, err);
}

static void scan(runner *r)
{
    sh_err err = {0};
    round *all = calloc(1, sizeof(*all));
    sh_arena *arena = sh_arena_new(256 << 20);
    int status = all && arena ? 0 : sh_fail(&err, SH_E_MEMORY, "no memory for the open commands");
    r->look_ms = INT64_MAX;
    if (status == 0) {
        *all = (round){.r = r, .arena = arena, .now_ms = sh_now_ms(r->cloud->clock)};
        status = scan_inside(all, &err);
    }
    if (status < 0) {
        sh_log(SH_LOG_ERROR, "ssm", "%s", err.message[0] ? err.message : sh_status_name(status));
        look_at(r, sh_now_ms(r->cloud->clock) + RETRY_MS);
    }
    sh_arena_free(arena);
    free(all);
}

/* ---- forgetting ---- */

typedef struct old {
    char ids[OLD_MAX][40];
    size_t count;
} old;

static int collect_old(void *opaque, const char *id)
{
    old *o = opaque;
    snprintf(o->ids[o->count], sizeof(o->ids[0]), "%s", id);
    return ++o->count == OLD_MAX;
}

static int forget(runner *r, const char *id, sh_err *err)
{
    int status = sh_legacy_remove(r->cloud, id, err);
    if (status == 0)
        status = sh_steps_delete(r->cloud->db, id, err);
    return status == 0 ? sh_invocation_delete(r->cloud->db, id, err) : status;
}

static void prune(runner *r)
{
    old o = {.count = 0};
    sh_err err = {0};
    int64_t now_ms = sh_now_ms(r->cloud->clock);
    int64_t days =
        r->cloud->settings.keep_commands_days ? r->cloud->settings.keep_commands_days : SH_SSM_KEEP_DAYS;
    if (now_ms < r->prune_ms)
        return;
    r->prune_ms = now_ms + PRUNE_MS;
    int status = sh_invocation_each_ended(r->cloud->db, now_ms - days * 86400000, collect_old, &o, &err);
    for (size_t i = 0; status == 0 && i < o.count; i++)
        status = forget(r, o.ids[i], &err);
    if (status < 0)
        sh_log(SH_LOG_WARNING, "ssm", "cannot remove old commands: %s", err.message);
}

/* ---- the loop ---- */

static int64_t until(const runner *r)
{
    int64_t left = r->look_ms == INT64_MAX ? PRUNE_MS : r->look_ms - sh_now_ms(r->cloud->clock);
    left = left < 10 ? 10 : left > ROUND_MS ? ROUND_MS : left;
    return sh_monotonic_us() / 1000 + left;
}

int64_t sh_nodes_look(sh_cloud *cloud)
{
    runner r = {.cloud = cloud};
    scan(&r);
    return r.look_ms;
}

int sh_nodes_run(sh_cloud *cloud)
{
    runner r = {.cloud = cloud, .look_ms = INT64_MAX};
    do {
        prune(&r);
        scan(&r);
    } while (sh_cloud_wait(cloud, SH_WAKE_NODES, until(&r)));
    return 0;
}
