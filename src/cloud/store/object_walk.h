/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_OBJECT_WALK_H
#define SH_STORE_OBJECT_WALK_H
/* What the listings of objects and of versions share: a walk up the keys that gives out rows and common
 * prefixes. When keys roll up into a common prefix, the walk starts again behind the last key that could have
 * that prefix (no UTF-8 text has the byte 0xFF), so a page costs a step for each line of it, however many
 * keys hide behind a prefix. Used inside the store only. */
#include "cloud/store/object_rows.h"

typedef struct sh_walk {
    const char *prefix, *delimiter, *after; /* of the query */
    int max;
    sh_list_fn fn;
    void *opaque;
    sh_arena *arena;
    const char *cursor;                  /* later keys, and versions of this key older than `below` */
    int64_t below;                       /* 0: none of this key */
    const char *last_key, *last_version; /* what was given out last; a common prefix has no version */
    int given;
    bool again;     /* the cursor jumped: query again */
    bool truncated; /* there is more than fits */
} sh_walk;

/* Runs the statement for what comes at the cursor, with the row function sh_walk_row. */
typedef int (*sh_walk_fn)(const sh_objects *objects, const char *bucket, sh_walk *walk, sh_err *err);

/* A row function: columns as sh_object_read has them, in the order of keys. */
int sh_walk_row(void *walk, const sh_row *row);
/* How many rows fill the page and show that there is more. */
int64_t sh_walk_limit(const sh_walk *walk);
/* Walks until the page is full or nothing is left. */
int sh_walk_run(const sh_objects *objects, const char *bucket, sh_walk *walk, sh_walk_fn fn, sh_err *err);

#endif
