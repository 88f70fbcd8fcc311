/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_FLOWS_H
#define SH_STORE_FLOWS_H
/* State machines, executions, their history and the tasks they wait for.
 *
 * A machine is a name that points to a revision; a revision (definition, role) never changes, and an
 * execution keeps the one it started with, so that UpdateStateMachine and DeleteStateMachine leave running
 * executions alone.
 *
 * An execution has two times: timer_ms, when its own next timer fires (-1: never), and due_ms, when the
 * runner is to look at it (NULL once it has ended or while only a task can wake it). due_ms is the timer, or
 * the moment at which something else became ready, whichever comes first.
 *
 * Strings that functions give live in the arena. Text that is NULL in the row is NULL. */
#include "base/arena.h"
#include "cloud/store/db.h"
#include <stdbool.h>

typedef struct sh_machine {
    int64_t revision_row; /* of the revision; given by insert and update */
    const char *arn, *name, *type;
    const char *definition, *role_arn;
    const char *revision;                       /* id as the API shows it */
    const char *logging, *tracing, *encryption; /* JSON text or NULL */
    const char *tags;                           /* JSON object text; never NULL */
    int64_t created_ms, updated_ms;
} sh_machine;

/* SH_E_CONFLICT: the ARN is taken. */
int sh_machine_insert(sh_db *db, sh_machine *machine, sh_err *err);
/* Makes a new revision of the machine with that ARN. */
int sh_machine_update(sh_db *db, sh_machine *machine, sh_err *err);
int sh_machine_set_tags(sh_db *db, const char *arn, const char *tags, sh_err *err);
int sh_machine_get(sh_db *db, sh_arena *arena, const char *arn, sh_machine *out, sh_err *err);
/* A revision without a machine of its own, as the child executions of a Map state have. */
int sh_revision_insert(sh_db *db, sh_machine *machine, sh_err *err);
/* A revision, also of a machine that was deleted since. */
int sh_revision_get(sh_db *db, sh_arena *arena, int64_t row, sh_machine *out, sh_err *err);
/* Names in order, those after `after` ("" for all); fn's machine lives until it returns and has no
 * definition. */
typedef int (*sh_machine_fn)(void *opaque, const sh_machine *machine);
int sh_machine_list(sh_db *db, const char *after, int64_t limit, sh_machine_fn fn, void *opaque, sh_err *err);
/* With its versions and aliases. 0 also when there is none. */
int sh_machine_delete(sh_db *db, const char *arn, sh_err *err);

typedef struct sh_execution {
    int64_t id;
    const char *arn, *name, *machine_arn;
    int64_t revision_row;
    const char *status; /* RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED */
    const char *input, *output, *error, *cause;
    const char *state; /* text of the interpreter's state; NULL before the first step */
    int64_t started_ms, stopped_ms;
    int64_t timer_ms;
    int64_t redrive_count, redriven_ms;  /* -1: never */
    const char *version_arn, *alias_arn; /* by which it was started, or NULL */
    const char *trace_header;
} sh_execution;

/* Sets execution->id. SH_E_CONFLICT: the ARN is taken. It is due at started_ms. */
int sh_execution_insert(sh_db *db, sh_execution *execution, sh_err *err);
int sh_execution_get(sh_db *db, sh_arena *arena, const char *arn, sh_execution *out, sh_err *err);
int sh_execution_by_id(sh_db *db, sh_arena *arena, int64_t id, sh_execution *out, sh_err *err);
/* Latest first. The execution given to fn has no input, output and state. */
typedef int (*sh_execution_fn)(void *opaque, const sh_execution *execution);
typedef struct sh_execution_query {
    const char *machine_arn, *status;    /* NULL for all */
    const char *version_arn, *alias_arn; /* with machine_arn only; NULL: however it was started */
    int redriven;                        /* with machine_arn only; 1: those that were, 0: were not, -1: all */
    int64_t below;                       /* id of the last one of the page before, 0 for the first page */
    int64_t limit;
} sh_execution_query;
int sh_execution_list(sh_db *db, const sh_execution_query *query, sh_execution_fn fn, void *opaque,
                      sh_err *err);
/* Writes state, timer_ms, status, output, error, cause, stopped_ms; due_ms: -1 for none. gave_way: it could
 * have gone on, but has had its time: those that have not come first. */
int sh_execution_save(sh_db *db, const sh_execution *execution, int64_t due_ms, bool gave_way, sh_err *err);
/* Ids that are due at now_ms, of those that gave way or of the others, those that are so longest first;
 * *count in: room, out: how many. */
int sh_execution_due(sh_db *db, int64_t now_ms, bool gave_way, int64_t *ids, size_t *count, sh_err *err);
/* Makes it due at due_ms, not before; nothing else of it changes. */
int sh_execution_defer(sh_db *db, int64_t id, int64_t due_ms, sh_err *err);
/* All that are due later are due now: their times are to be told anew. */
int sh_execution_look_again(sh_db *db, int64_t now_ms, sh_err *err);
/* *due_ms: the earliest due_ms of all, -1 when there is none. */
int sh_execution_next(sh_db *db, int64_t *due_ms, sh_err *err);

/* Removes some of the executions that ended before before_ms, with their histories (prune.c). *cursor: 0 at
 * first, -1 when all have been looked at. Adds to *removed. */
int sh_execution_prune(sh_db *db, int64_t before_ms, int64_t *cursor, int64_t *removed, sh_err *err);

/* ---- history (history.c): events as JSON text, ids from 1 without gaps ---- */
#define SH_HISTORY_ROW_MAX (64 * 1024) /* bytes of a row, or one event */
/* One event, or several, each on a line of its own, whose ids follow each other from `id` on. */
int sh_history_add(sh_db *db, int64_t execution, int64_t id, const char *events, sh_err *err);
/* Events from `from` on, upwards or downwards, at most `limit`. */
typedef int (*sh_history_fn)(void *opaque, int64_t id, const char *event);
int sh_history_list(sh_db *db, int64_t execution, int64_t from, bool reverse, int64_t limit, sh_history_fn fn,
                    void *opaque, sh_err *err);

/* ---- tasks that are not answered within the step that made them ---- */
typedef enum sh_wait_stage {
    SH_WAIT_NEW = 0,     /* still to be called: the runner stopped to let others run */
    SH_WAIT_RUNNING = 1, /* called; waits for the end of `subject` */
    SH_WAIT_ENDED = 2,   /* the subject has ended: its row tells how */
    SH_WAIT_NEWS = 3,    /* `news` says what came from outside: a token's answer, a heartbeat, a worker */
} sh_wait_stage;

typedef struct sh_wait {
    int64_t execution, task;
    sh_wait_stage stage;
    const char *state_name; /* of the state whose task it is */
    const char *service;    /* NULL while new */
    const char *subject;    /* job id, execution ARN; NULL while new */
    const char *parameters; /* JSON text while new or queued, else NULL; a list gives that of new ones only */
    int64_t scheduled_event;
    int64_t queued_ms; /* waits for one who takes it since then; 0: does not */
    const char *news;  /* JSON text at SH_WAIT_NEWS (tokens.h); sh_wait_add clears it */
} sh_wait;

int sh_wait_add(sh_db *db, const sh_wait *wait, sh_err *err);
int sh_wait_remove(sh_db *db, int64_t execution, int64_t task, sh_err *err);
int sh_wait_clear(sh_db *db, int64_t execution, sh_err *err); /* all of an execution */
typedef int (*sh_wait_fn)(void *opaque, const sh_wait *wait); /* the wait lives until it returns */
int sh_wait_list(sh_db *db, int64_t execution, sh_wait_fn fn, void *opaque, sh_err *err);
/* For the service whose job has come to an end, in the transaction that says so: marks the tasks that wait
 * for it, and makes their executions due. Wake SH_WAKE_FLOWS afterwards. It does nothing when nobody waits.
 * service: "mediaconvert" with the job's id, "states" with the execution's ARN. */
int sh_wait_notify(sh_db *db, const char *service, const char *subject, int64_t now_ms, sh_err *err);

#endif
