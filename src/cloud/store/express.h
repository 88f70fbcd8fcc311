/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_EXPRESS_H
#define SH_STORE_EXPRESS_H
/* Executions of express state machines that outlive the call that started them. A row is there from the start
 * to the end of one that nobody waits for, and until its result was fetched when a task waits for it. Nothing
 * in between is kept: after a crash it starts anew. */
#include "base/arena.h"
#include "cloud/store/db.h"
#include <stdbool.h>

typedef struct sh_express_row {
    int64_t id; /* never given twice */
    const char *arn, *name, *machine_arn;
    int64_t revision_row, started_ms;
    const char *input;
    const char *trace_header; /* or NULL */
    bool awaited;             /* its result is kept */
    const char *result;       /* JSON text; NULL while it runs */
} sh_express_row;

int sh_express_insert(sh_db *db, sh_express_row *row, sh_err *err); /* sets row->id */
/* Those without a result whose id is above `after`, in order. The row lives until fn returns. */
typedef int (*sh_express_fn)(void *opaque, const sh_express_row *row);
int sh_express_list(sh_db *db, int64_t after, int64_t limit, sh_express_fn fn, void *opaque, sh_err *err);
int sh_express_by_arn(sh_db *db, sh_arena *arena, const char *arn, sh_express_row *out, sh_err *err);
int sh_express_save(sh_db *db, int64_t id, const char *result, sh_err *err);
int sh_express_delete(sh_db *db, int64_t id, sh_err *err);

#endif
