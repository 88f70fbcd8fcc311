/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_MAPS_H
#define SH_STORE_MAPS_H
/* The runs of distributed Map states, and their child executions. A run is what the parent execution waits
 * for (sh_wait_notify with service "mapRun" and the run's ARN); a child is a row from the moment the items
 * are read, and an execution of its own once it has been started.
 *
 * A run goes through stages, each of which a restart finds and goes on with:
 *   READ   its items are still to be read; its children, if there are some, are what a crash left of that
 *   RUN    children are started, `limit` side by side
 *   STOP   no more are started, those that run are still to be aborted
 *   WRITE  all have ended, the results are still to be written to the bucket
 *   DONE   nothing is to be done */
#include "base/arena.h"
#include "cloud/store/db.h"
#include <stdbool.h>

typedef enum sh_map_stage { SH_MAP_READ, SH_MAP_RUN, SH_MAP_STOP, SH_MAP_WRITE, SH_MAP_DONE } sh_map_stage;

typedef struct sh_map_run {
    int64_t id;
    const char *arn, *execution_arn; /* its own, its parent's */
    int64_t execution;               /* the parent */
    int64_t revision_row;            /* of the parent's definition */
    const char *state_name;          /* of the Map state in it */
    int64_t child_row;               /* revision of the children */
    const char *child_arn;           /* what stands as state machine for them */
    bool express, writes;            /* kind of the children; results go to a bucket */
    const char *parameters;          /* JSON text: what is to be done */
    const char *status;              /* RUNNING, SUCCEEDED, FAILED, ABORTED */
    sh_map_stage stage;
    int64_t started_ms, stopped_ms;     /* -1: not yet */
    int64_t limit;                      /* children side by side, 0: no limit */
    int64_t failure_count;              /* -1: not given */
    double failure_percentage;          /* -1: not given */
    int64_t items, children;            /* in all, once read */
    int64_t next;                       /* position of the next child to start */
    int64_t running, failed_items;      /* children, items */
    int64_t redrive_count, redriven_ms; /* -1: never */
    int64_t written;                    /* children whose results are in the bucket */
    const char *result, *error, *cause; /* once it has ended; result: JSON text */
} sh_map_run;

/* Sets run->id. SH_E_CONFLICT: the ARN is taken. */
int sh_map_insert(sh_db *db, sh_map_run *run, sh_err *err);
/* Strings in the arena. SH_E_NOT_FOUND. */
int sh_map_get(sh_db *db, sh_arena *arena, const char *arn, sh_map_run *out, sh_err *err);
int sh_map_by_id(sh_db *db, sh_arena *arena, int64_t id, sh_map_run *out, sh_err *err);
/* Without parameters and result, which may be large. */
int sh_map_brief(sh_db *db, sh_arena *arena, int64_t id, sh_map_run *out, sh_err *err);
/* Writes all that changes after insert, but for the result. */
int sh_map_save(sh_db *db, const sh_map_run *run, sh_err *err);
/* A run that has ended is running again: items are read, or what runs is stopped, then children reset. */
int sh_map_redrive(sh_db *db, int64_t id, int64_t now_ms, sh_err *err);
int sh_map_set_result(sh_db *db, int64_t id, const char *result, sh_err *err);
/* The revision that children of that state had before, 0: none. */
int sh_map_child_row(sh_db *db, int64_t revision_row, const char *state_name, int64_t *row, sh_err *err);
/* Runs that the runner is to look at; *count in: room, out: how many. */
int sh_map_due(sh_db *db, int64_t *ids, size_t *count, sh_err *err);
/* Runs of a parent execution, latest first. below: id of the last one of the page before, or 0. */
typedef int (*sh_map_fn)(void *opaque, const sh_map_run *run);
int sh_map_list(sh_db *db, int64_t execution, int64_t below, int64_t limit, sh_map_fn fn, void *opaque,
                sh_err *err);

/* ---- children ---- */
typedef enum sh_map_child_status {
    SH_CHILD_PENDING,
    SH_CHILD_RUNNING,
    SH_CHILD_SUCCEEDED,
    SH_CHILD_FAILED,
    SH_CHILD_TIMED_OUT,
    SH_CHILD_ABORTED,
    SH_CHILD_STATUSES
} sh_map_child_status;

typedef struct sh_map_child {
    int64_t run, position; /* from 0 */
    int64_t items;
    sh_map_child_status status;
    const char *input; /* JSON text; NULL once it has been started */
    int64_t execution; /* id; 0 before it has been started */
} sh_map_child;

int sh_map_child_add(sh_db *db, const sh_map_child *child, sh_err *err);
/* Those that did not succeed are pending again; they keep their executions. */
int sh_map_children_reset(sh_db *db, int64_t run, sh_err *err);
int sh_map_children_clear(sh_db *db, int64_t run, sh_err *err);
/* A pending child; its input is in the arena. */
int sh_map_child_get(sh_db *db, sh_arena *arena, int64_t run, int64_t position, sh_map_child *out,
                     sh_err *err);
int sh_map_child_started(sh_db *db, int64_t run, int64_t position, int64_t execution, sh_err *err);
/* The child that is this execution. SH_E_NOT_FOUND: it is none. */
int sh_map_child_find(sh_db *db, int64_t execution, sh_map_child *out, sh_err *err);
int sh_map_child_ended(sh_db *db, const sh_map_child *child, sh_map_child_status status, sh_err *err);
/* Executions of children that run; *count in: room, out: how many. */
int sh_map_children_running(sh_db *db, int64_t run, int64_t *ids, size_t *count, sh_err *err);

/* How many children, and how many items they have, are in each status. */
typedef struct sh_map_counts {
    int64_t children[SH_CHILD_STATUSES], items[SH_CHILD_STATUSES];
} sh_map_counts;
int sh_map_count(sh_db *db, int64_t run, sh_map_counts *out, sh_err *err);

/* Children with what became of them, in order, from a position on. Strings live until fn returns. */
typedef struct sh_map_result {
    int64_t position, execution, items;
    sh_map_child_status status;
    const char *arn, *name, *input, *output, *error, *cause; /* NULL where there is none */
    int64_t started_ms, stopped_ms;
} sh_map_result;
typedef int (*sh_map_result_fn)(void *opaque, const sh_map_result *result);
/* Those that are executions, the last ones first. below: position of the last one of the page before, or -1.
 */
int sh_map_list_children(sh_db *db, int64_t run, int64_t below, sh_map_result_fn fn, void *opaque,
                         sh_err *err);
int sh_map_results(sh_db *db, int64_t run, int64_t from, int64_t limit, sh_map_result_fn fn, void *opaque,
                   sh_err *err);

#endif
