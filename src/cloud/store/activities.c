/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/activities.h"
#include "cloud/store/schema.h"

#include <stdbool.h>

const char sh_schema_activities[] =
    "CREATE TABLE IF NOT EXISTS activities ("
    "  arn TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, tags TEXT NOT NULL, created_ms INTEGER NOT NULL)"
    "  WITHOUT ROWID;";

typedef struct taker {
    sh_arena *arena; /* NULL: borrowed from the row */
    sh_activity *one;
    sh_activity_fn fn;
    void *opaque;
    bool found, failed;
} taker;

static const char *keep(taker *t, const sh_row *row, int column)
{
    const char *text = sh_row_text(row, column);
    const char *copy = text && t->arena ? sh_arena_strdup(t->arena, text) : text;
    if (text && !copy)
        t->failed = true;
    return copy;
}

static int take(void *opaque, const sh_row *row)
{
    taker *t = opaque;
    sh_activity a = {.arn = keep(t, row, 0),
                     .name = keep(t, row, 1),
                     .tags = keep(t, row, 2),
                     .created_ms = sh_row_int(row, 3)};
    t->found = true;
    if (t->fn)
        return t->fn(t->opaque, &a);
    *t->one = a;
    return 1;
}

int sh_activity_insert(sh_db *db, const sh_activity *a, sh_err *err)
{
    return sh_db_run(db, err, "INSERT INTO activities (arn, name, tags, created_ms) VALUES (?1, ?2, ?3, ?4)",
                     "sssi", a->arn, a->name, a->tags, a->created_ms);
}

int sh_activity_get(sh_db *db, sh_arena *arena, const char *arn, sh_activity *out, sh_err *err)
{
    taker t = {.arena = arena, .one = out};
    int status = sh_db_each(db, err, "SELECT arn, name, tags, created_ms FROM activities WHERE arn = ?1",
                            take, &t, "s", arn);
    if (status < 0)
        return status;
    if (!t.found)
        return sh_fail(err, SH_E_NOT_FOUND, "no activity %s", arn);
    return t.failed ? sh_fail(err, SH_E_MEMORY, "no memory for an activity") : 0;
}

int sh_activity_set_tags(sh_db *db, const char *arn, const char *tags, sh_err *err)
{
    return sh_db_run(db, err, "UPDATE activities SET tags = ?2 WHERE arn = ?1", "ss", arn, tags);
}

int sh_activity_delete(sh_db *db, const char *arn, sh_err *err)
{
    return sh_db_run(db, err, "DELETE FROM activities WHERE arn = ?1", "s", arn);
}

int sh_activity_list(sh_db *db, const char *after, int64_t limit, sh_activity_fn fn, void *opaque,
                     sh_err *err)
{
    taker t = {.fn = fn, .opaque = opaque};
    return sh_db_each(db, err,
                      "SELECT arn, name, tags, created_ms FROM activities WHERE name > ?1 ORDER BY name LIMIT"
                      " ?2",
                      take, &t, "si", after, limit);
}
