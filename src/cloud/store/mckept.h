/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_MCKEPT_H
#define SH_STORE_MCKEPT_H
/* What MediaConvert keeps beside its jobs: queues, output presets and job templates, a row each. What a row
 * says is one JSON object, camelCase as in the REST API, without name and dates; its "tags" are those of the
 * resource. Strings that functions give live in the arena, or until the row function returns. */
#include "base/arena.h"
#include "cloud/store/db.h"
#include <stdbool.h>

typedef struct sh_mckept {
    const char *kind; /* "queues", "presets", "jobTemplates": as in ARNs */
    const char *name;
    const char *category; /* "" where it has none */
    const char *body;
    int64_t created_ms, updated_ms;
} sh_mckept;

/* SH_E_CONFLICT: the name is taken. */
int sh_mckept_insert(sh_db *db, const sh_mckept *row, sh_err *err);
/* SH_E_NOT_FOUND. */
int sh_mckept_get(sh_db *db, sh_arena *arena, const char *kind, const char *name, sh_mckept *out,
                  sh_err *err);
/* Writes category, body and updated_ms; without a row of that name, nothing. */
int sh_mckept_save(sh_db *db, const sh_mckept *row, sh_err *err);
/* SH_E_NOT_FOUND. */
int sh_mckept_delete(sh_db *db, const char *kind, const char *name, sh_err *err);

typedef struct sh_mckept_query {
    const char *kind;
    const char *category; /* NULL: all */
    bool by_name;         /* else by the time of creation */
    bool descending;
    int64_t skip, limit;
} sh_mckept_query;

typedef int (*sh_mckept_fn)(void *opaque, const sh_mckept *row);
int sh_mckept_list(sh_db *db, const sh_mckept_query *query, sh_mckept_fn fn, void *opaque, sh_err *err);

#endif
