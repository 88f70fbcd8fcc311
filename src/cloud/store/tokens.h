/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_TOKENS_H
#define SH_STORE_TOKENS_H
/* Tasks whose end comes from outside: by a token (SendTaskSuccess and its like), from a worker of an
 * activity, from a runner that does a task's work. Their rows are those of flows.h, with what came as JSON
 * text in `news` until the execution's next step has taken it in:
 *   {"started":WORKER or null, "beat":true, "answer":{"output":VALUE} or {"error":TEXT,"cause":TEXT}} */
#include "cloud/store/flows.h"

/* The task's row, of the execution that started then; strings in the arena. SH_E_NOT_FOUND: nobody waits for
 * it any more. */
int sh_wait_get(sh_db *db, sh_arena *arena, int64_t execution, int64_t started_ms, int64_t task, sh_wait *out,
                sh_err *err);
int sh_execution_started(sh_db *db, int64_t execution, int64_t *started_ms, sh_err *err);
/* Replaces the task's news, takes it out of its queue, and makes its execution due. Wake SH_WAKE_FLOWS
 * afterwards. SH_E_NOT_FOUND as above. */
int sh_wait_tell(sh_db *db, int64_t execution, int64_t task, const char *news, int64_t now_ms, sh_err *err);
/* The news are taken in, the task goes on. */
int sh_wait_told(sh_db *db, int64_t execution, int64_t task, sh_err *err);
/* The one that is longest in the queue of a subject. *found tells whether there is one; parameters is set.
 * The strings are in the arena. */
int sh_wait_next(sh_db *db, sh_arena *arena, const char *service, const char *subject, sh_wait *out,
                 bool *found, sh_err *err);
/* Those queued for a service, the first `limit`. */
int sh_wait_queue(sh_db *db, const char *service, int64_t limit, sh_wait_fn fn, void *opaque, sh_err *err);
/* Makes an execution run again that had ended; the step is the caller's. `token` (may be NULL) names the
 * call. */
int sh_execution_redrive(sh_db *db, int64_t execution, int64_t now_ms, const char *token, sh_err *err);
/* Whether the last redrive had that name. */
int sh_execution_redriven_by(sh_db *db, int64_t execution, const char *token, bool *same, sh_err *err);
/* Whether something has come for tasks of the execution. */
int sh_wait_ready(sh_db *db, int64_t execution, bool *ready, sh_err *err);

#endif
