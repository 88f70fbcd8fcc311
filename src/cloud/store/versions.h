/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_VERSIONS_H
#define SH_STORE_VERSIONS_H
/* Versions of state machines (numbers that point to a revision for good) and aliases (names that point to one
 * or two versions). The number of a version is never given again, also when it was deleted. Strings that
 * functions give live in the arena; those given to a row function until it returns. */
#include "base/arena.h"
#include "cloud/store/db.h"
#include <stdbool.h>

typedef struct sh_version {
    int64_t number, revision_row;
    const char *description; /* or NULL */
    int64_t created_ms;
} sh_version;

/* Gives version->number. */
int sh_version_publish(sh_db *db, const char *machine_arn, sh_version *version, sh_err *err);
/* SH_E_NOT_FOUND when there is none. */
int sh_version_get(sh_db *db, sh_arena *arena, const char *machine_arn, int64_t number, sh_version *out,
                   sh_err *err);
/* The latest that points to that revision; SH_E_NOT_FOUND. */
int sh_version_of_revision(sh_db *db, sh_arena *arena, const char *machine_arn, int64_t revision_row,
                           sh_version *out, sh_err *err);
typedef int (*sh_version_fn)(void *opaque, const sh_version *version);
/* Latest first, those below that number (0: all). */
int sh_version_list(sh_db *db, const char *machine_arn, int64_t below, int64_t limit, sh_version_fn fn,
                    void *opaque, sh_err *err);
int sh_version_count(sh_db *db, const char *machine_arn, int64_t *count, sh_err *err);
int sh_version_delete(sh_db *db, const char *machine_arn, int64_t number, sh_err *err);

#define SH_ALIAS_ROUTES 2
typedef struct sh_alias {
    const char *name, *description;    /* description may be NULL */
    int64_t versions[SH_ALIAS_ROUTES]; /* 0: none */
    int64_t weights[SH_ALIAS_ROUTES];  /* of 100 */
    int64_t created_ms, updated_ms;
} sh_alias;

/* SH_E_CONFLICT: the name is taken. */
int sh_alias_insert(sh_db *db, const char *machine_arn, const sh_alias *alias, sh_err *err);
int sh_alias_update(sh_db *db, const char *machine_arn, const sh_alias *alias, sh_err *err);
int sh_alias_get(sh_db *db, sh_arena *arena, const char *machine_arn, const char *name, sh_alias *out,
                 sh_err *err);
typedef int (*sh_alias_fn)(void *opaque, const sh_alias *alias);
/* Names in order, those after `after`; version: those that point to it, 0 for all. */
int sh_alias_list(sh_db *db, const char *machine_arn, const char *after, int64_t version, int64_t limit,
                  sh_alias_fn fn, void *opaque, sh_err *err);
int sh_alias_delete(sh_db *db, const char *machine_arn, const char *name, sh_err *err);

#endif
