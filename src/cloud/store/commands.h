/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_COMMANDS_H
#define SH_STORE_COMMANDS_H
/* SSM commands: one row a command and node, which is what AWS calls an invocation. What a client asked for is
 * kept as JSON and given back as it was; what changes has columns.
 *
 * Status goes Pending -> InProgress (<-> Delayed) -> (Cancelling ->) Success | Failed | TimedOut | Cancelled.
 * A row that is in one of the first four is open: it is looked after, after a restart as before.
 *
 * Strings that functions give live in the arena, or until the row function returns. */
#include "base/arena.h"
#include "cloud/store/db.h"
#include <stdbool.h>

typedef struct sh_invocation {
    int64_t sequence; /* grows with every command */
    const char *id;   /* of the command */
    const char *instance;
    const char *document, *comment;
    const char *request;      /* JSON object: the members of SendCommand that answers repeat */
    int64_t requested_ms;     /* when it was sent */
    int64_t deliver_by_ms;    /* it is not begun after this */
    int64_t expires_ms;       /* delivery and execution time-outs together */
    const char *status;       /* "Pending"... */
    const char *details;      /* StatusDetails */
    int64_t code;             /* ResponseCode; -1: none yet */
    int64_t start_ms, end_ms; /* 0: not yet */
    const char *out, *err;    /* StandardOutputContent, StandardErrorContent */
} sh_invocation;

int sh_invocation_insert(sh_db *db, const sh_invocation *row, sh_err *err);
/* instance NULL: any. SH_E_NOT_FOUND. */
int sh_invocation_get(sh_db *db, sh_arena *arena, const char *id, const char *instance, sh_invocation *out,
                      sh_err *err);
/* Writes status, details, code, times and output of the row with that id and instance, if its status is still
 * `expected`; SH_E_CONFLICT if it is not. */
int sh_invocation_save(sh_db *db, const sh_invocation *row, const char *expected, sh_err *err);

/* NULL and 0 select all. Rows come latest first. */
typedef struct sh_invocation_query {
    const char *id, *instance, *status, *document;
    int64_t after_ms, before_ms; /* of requested_ms, both exclusive; before_ms 0: none */
    int64_t below;               /* sequence of the last row of the page before; 0: first page */
    int64_t limit;
    bool once; /* of each command only the first row */
} sh_invocation_query;

typedef int (*sh_invocation_fn)(void *opaque, const sh_invocation *row);
int sh_invocation_list(sh_db *db, const sh_invocation_query *query, sh_invocation_fn fn, void *opaque,
                       sh_err *err);
/* Open rows of a node, oldest first; without output. */
int sh_invocation_each_open(sh_db *db, const char *instance, sh_invocation_fn fn, void *opaque, sh_err *err);
/* The same without texts but id, instance, status and details; instance NULL: of all nodes. */
int sh_invocation_each_brief(sh_db *db, const char *instance, sh_invocation_fn fn, void *opaque, sh_err *err);
/* Of one command: its rows; those that wait, that a node has, that ended badly (Failed, TimedOut). */
typedef struct sh_invocation_counts {
    int64_t total, pending, running, failed;
} sh_invocation_counts;
int sh_invocation_count(sh_db *db, const char *id, sh_invocation_counts *out, sh_err *err);
/* The same, as an answer shows it. */
typedef struct sh_invocation_summary {
    int64_t total, pending, running, cancelling;
    int64_t errors;      /* Failed, ExecutionTimedOut */
    int64_t undelivered; /* DeliveryTimedOut */
    int64_t cancelled, success;
} sh_invocation_summary;
int sh_invocation_sum(sh_db *db, const char *id, sh_invocation_summary *out, sh_err *err);
/* Fails the open rows of all nodes but `instance`, with `why` as their standard error. */
int sh_invocation_abandon(sh_db *db, const char *instance, int64_t now_ms, const char *why, sh_err *err);
/* Ids of commands that ended before that time, and removal of one. */
int sh_invocation_each_ended(sh_db *db, int64_t before_ms, int (*fn)(void *opaque, const char *id),
                             void *opaque, sh_err *err);
int sh_invocation_delete(sh_db *db, const char *id, sh_err *err);

#endif
