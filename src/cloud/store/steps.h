/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_STEPS_H
#define SH_STORE_STEPS_H
/* How the steps (plugins) of an invocation ended: a row each, written in the transaction that settles the
 * invocation. Strings live in the arena, or until the row function returns. */
#include "base/arena.h"
#include "cloud/store/db.h"

typedef struct sh_step {
    int64_t number;            /* from 0 */
    const char *name, *plugin; /* "0.awsrunShellScript" or as the document calls it; "aws:runShellScript" */
    const char *status, *details; /* "Success", "Failed", "TimedOut", "Cancelled"; "Skipped": see details */
    int64_t code;                 /* ResponseCode; -1: none */
    int64_t start_ms, end_ms;     /* 0: did not run */
    const char *out, *err;        /* cut as AWS cuts them */
} sh_step;

typedef int (*sh_step_fn)(void *opaque, const sh_step *row);
int sh_step_put(sh_db *db, const char *command, const char *instance, const sh_step *row, sh_err *err);
int sh_step_each(sh_db *db, const char *command, const char *instance, sh_step_fn fn, void *opaque,
                 sh_err *err); /* in order; fn may not write */
int sh_steps_delete(sh_db *db, const char *command, sh_err *err);

#endif
