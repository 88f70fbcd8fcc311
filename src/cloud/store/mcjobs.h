/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_MCJOBS_H
#define SH_STORE_MCJOBS_H
/* MediaConvert jobs, a row each. What was asked for is kept as JSON and given back as it was.
 *
 * SUBMITTED -> PROGRESSING -> COMPLETE | ERROR, or CANCELED from the first two. SUBMITTED and PROGRESSING
 * rows are open: the runner looks after them. After a crash, PROGRESSING rows begin again.
 *
 * Strings that functions give live in the arena, or until the row function returns. */
#include "base/arena.h"
#include "cloud/store/db.h"
#include <stdbool.h>

typedef struct sh_mcjob {
    int64_t sequence;
    const char *id;
    const char *status;
    const char *request; /* JSON object, camelCase: role, queue, settings, userMetadata, ... */
    const char *token;   /* ClientRequestToken, or NULL */
    int64_t priority;    /* higher first */
    int64_t created_ms, started_ms, finished_ms; /* 0: not yet */
    int64_t percent;
    const char *phase; /* PROBING, TRANSCODING, UPLOADING; "" before */
    int64_t error_code;
    const char *error;    /* errorMessage; "" */
    const char *details;  /* JSON object: outputGroupDetails, warnings; "{}" */
    const char *queue;    /* its name */
    const char *settings; /* JSON object: what is to be made, where it is not the request's "settings" as they
                             stand (presets put in their places), or NULL */
} sh_mcjob;

/* SH_E_CONFLICT: the token is taken. */
int sh_mcjob_insert(sh_db *db, const sh_mcjob *job, sh_err *err);
int sh_mcjob_get(sh_db *db, sh_arena *arena, const char *id, sh_mcjob *out, sh_err *err);
int sh_mcjob_by_token(sh_db *db, sh_arena *arena, const char *token, sh_mcjob *out, sh_err *err);
/* The SUBMITTED job whose turn it is, of those whose queue is not PAUSED; SH_E_NOT_FOUND: none. */
int sh_mcjob_next(sh_db *db, sh_arena *arena, sh_mcjob *out, sh_err *err);
/* After a crash: jobs that were PROGRESSING are SUBMITTED again. */
int sh_mcjob_requeue(sh_db *db, sh_err *err);
/* Writes everything but id, request, settings, queue, token, priority and created_ms, if the status is still
 * `expected`; SH_E_CONFLICT if not. */
int sh_mcjob_save(sh_db *db, const sh_mcjob *job, const char *expected, sh_err *err);
/* What its tags are kept in. */
int sh_mcjob_set_request(sh_db *db, const char *id, const char *request, sh_err *err);
/* Progress of a PROGRESSING job; of any other, nothing. */
int sh_mcjob_progress(sh_db *db, const char *id, int64_t percent, const char *phase, sh_err *err);
int sh_mcjob_count(sh_db *db, const char *queue, const char *status, int64_t *count, sh_err *err);

typedef struct sh_mcjob_query {
    const char *status, *queue; /* NULL: all */
    bool ascending;
    int64_t after; /* sequence of the last job of the page before, 0 for the first page */
    int64_t limit;
} sh_mcjob_query;

typedef int (*sh_mcjob_fn)(void *opaque, const sh_mcjob *job);
int sh_mcjob_list(sh_db *db, const sh_mcjob_query *query, sh_mcjob_fn fn, void *opaque, sh_err *err);

#endif
