/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_EVENTPARTS_H
#define SH_STORE_EVENTPARTS_H
/* What EventBridge keeps beside rules and targets: things with a name, each a JSON object that api/events*.c
 * knows the members of, and when the schedules of rules are next due. */
#include "base/arena.h"
#include "cloud/store/db.h"

#define SH_PART_BUS "bus"
#define SH_PART_CONNECTION "connection"
#define SH_PART_DESTINATION "api-destination"
#define SH_PART_LOG_POLICY "log-policy" /* resource policies of CloudWatch Logs */

int sh_part_put(sh_db *db, const char *kind, const char *name, const char *value, sh_err *err);
/* *value in the arena. SH_E_NOT_FOUND. */
int sh_part_get(sh_db *db, sh_arena *arena, const char *kind, const char *name, const char **value,
                sh_err *err);
int sh_part_delete(sh_db *db, const char *kind, const char *name, sh_err *err); /* SH_E_NOT_FOUND */
/* In order of names after `after`, those that begin with `prefix`; borrowed until fn returns, non-zero ends.
 */
typedef int (*sh_part_fn)(void *opaque, const char *name, const char *value);
int sh_part_list(sh_db *db, const char *kind, const char *prefix, const char *after, int64_t limit,
                 sh_part_fn fn, void *opaque, sh_err *err);
int sh_part_count(sh_db *db, const char *kind, int64_t *count, sh_err *err);

/* ---- schedules: rule as in outbox.h ---- */
/* from_ms: what rate() counts from. NULL as expression: the rule has none (any more). */
int sh_schedule_put(sh_db *db, const char *rule, const char *expression, int64_t from_ms, int64_t next_ms,
                    sh_err *err);
int sh_schedule_next(sh_db *db, const char *rule, int64_t next_ms, sh_err *err); /* -1: never again */
typedef int (*sh_schedule_fn)(void *opaque, const char *rule, const char *expression, int64_t from_ms,
                              int64_t next_ms);
int sh_schedule_get(sh_db *db, const char *rule, sh_schedule_fn fn, void *opaque, sh_err *err); /* 0: none */
int sh_schedule_due(sh_db *db, int64_t now_ms, int64_t limit, sh_schedule_fn fn, void *opaque, sh_err *err);
int sh_schedule_soonest(sh_db *db, int64_t *next_ms, sh_err *err); /* -1: none */

#endif
