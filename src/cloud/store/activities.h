/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_ACTIVITIES_H
#define SH_STORE_ACTIVITIES_H
/* Activities of Step Functions: names under which workers ask for tasks. The tasks themselves are waits of
 * executions (tokens.h). */
#include "base/arena.h"
#include "cloud/store/db.h"

typedef struct sh_activity {
    const char *arn, *name;
    const char *tags; /* JSON object text; never NULL */
    int64_t created_ms;
} sh_activity;

/* SH_E_CONFLICT: the ARN is taken. */
int sh_activity_insert(sh_db *db, const sh_activity *activity, sh_err *err);
/* Strings in the arena. SH_E_NOT_FOUND. */
int sh_activity_get(sh_db *db, sh_arena *arena, const char *arn, sh_activity *out, sh_err *err);
int sh_activity_set_tags(sh_db *db, const char *arn, const char *tags, sh_err *err);
int sh_activity_delete(sh_db *db, const char *arn, sh_err *err); /* 0 also when there is none */
/* Names in order, those after `after` ("" for all); fn's activity lives until it returns. */
typedef int (*sh_activity_fn)(void *opaque, const sh_activity *activity);
int sh_activity_list(sh_db *db, const char *after, int64_t limit, sh_activity_fn fn, void *opaque,
                     sh_err *err);

#endif
