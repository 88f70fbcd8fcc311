/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_FUNCTIONS_H
#define SH_STORE_FUNCTIONS_H
/* Functions of Lambda, and their queue of asynchronous invocations.
 *
 * A function is a set of parts, each a JSON text under (name, kind, id):
 *   SH_FN_FUNCTION ""                 what is of the function as a whole: tags, concurrency, last version
 *   SH_FN_VERSION  "$LATEST", "3"     configuration and code; `place` orders them (0: $LATEST)
 *   SH_FN_ALIAS    alias
 *   SH_FN_POLICY   "", version, alias resource policy
 *   SH_FN_INVOKE   "$LATEST", …       EventInvokeConfig
 *   SH_FN_URL      "", alias          function URL
 *   SH_FN_LAYER    version            of a layer of that name (which is no function)
 * What is in the texts is known to api/lambda*.c alone.
 *
 * A queued invocation stays until its outcome is known, so that a crash makes it run again: at least once, as
 * on AWS. */
#include "base/arena.h"
#include "cloud/store/db.h"

typedef enum sh_fn_kind {
    SH_FN_FUNCTION,
    SH_FN_VERSION,
    SH_FN_ALIAS,
    SH_FN_POLICY,
    SH_FN_INVOKE,
    SH_FN_URL,
    SH_FN_LAYER,
} sh_fn_kind;

typedef struct sh_fn_part {
    const char *name, *id;
    int64_t place;
    const char *body; /* JSON text */
} sh_fn_part;

int sh_fn_put(sh_db *db, sh_fn_kind kind, const sh_fn_part *part, sh_err *err); /* makes or replaces */
/* Strings in the arena. SH_E_NOT_FOUND. */
int sh_fn_get(sh_db *db, sh_arena *arena, sh_fn_kind kind, const char *name, const char *id, sh_fn_part *out,
              sh_err *err);
int sh_fn_delete(sh_db *db, sh_fn_kind kind, const char *name, const char *id, sh_err *err); /* NOT_FOUND */
int sh_fn_delete_all(sh_db *db, const char *name, sh_err *err); /* of a function, not of a layer */
/* The part lives until fn returns; fn returns 1 to end the walk. Of one function, by place and id, those
 * after (place, id); of all functions, by name, those after `name`, with that id. */
typedef int (*sh_fn_part_fn)(void *opaque, const sh_fn_part *part);
int sh_fn_parts(sh_db *db, sh_fn_kind kind, const char *name, int64_t after_place, const char *after_id,
                int64_t limit, sh_fn_part_fn fn, void *opaque, sh_err *err);
int sh_fn_names(sh_db *db, sh_fn_kind kind, const char *id, const char *after, int64_t limit,
                sh_fn_part_fn fn, void *opaque, sh_err *err);

/* ---- the queue ---- */

typedef struct sh_fn_queued {
    int64_t id;
    const char *name, *qualifier; /* qualifier "" for none */
    const char *request_id;
    const char *context; /* JSON text, of api/lambda_queue.c */
    const void *payload;
    size_t length;
    int64_t attempts; /* that failed */
    int64_t first_ms, due_ms;
} sh_fn_queued;

int sh_fn_queue_add(sh_db *db, const sh_fn_queued *item, sh_err *err);
/* Those due, the longest due first, without their payloads. */
typedef int (*sh_fn_queued_fn)(void *opaque, const sh_fn_queued *item);
int sh_fn_queue_due(sh_db *db, int64_t now_ms, int64_t limit, sh_fn_queued_fn fn, void *opaque, sh_err *err);
/* With its payload; all in the arena. SH_E_NOT_FOUND. */
int sh_fn_queue_get(sh_db *db, sh_arena *arena, int64_t id, sh_fn_queued *out, sh_err *err);
int sh_fn_queue_retry(sh_db *db, int64_t id, int64_t attempts, int64_t due_ms, sh_err *err);
int sh_fn_queue_remove(sh_db *db, int64_t id, sh_err *err);
int sh_fn_queue_next(sh_db *db, int64_t after_ms, int64_t *due_ms, sh_err *err); /* -1: none */
int sh_fn_queue_count(sh_db *db, int64_t *count, sh_err *err);

#endif
