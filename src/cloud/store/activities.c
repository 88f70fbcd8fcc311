/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/activities.h"
#include "cloud/store/schema.h"
#include "cloud/store/take.h"

const char sh_schema_activities[] =
    "CREATE TABLE IF NOT EXISTS activities ("
    "  arn TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, tags TEXT NOT NULL, created_ms INTEGER NOT NULL)"
    "  WITHOUT ROWID;";

typedef struct taker {
    sh_take take;
    sh_activity *one;
    sh_activity_fn fn;
    void *opaque;
} taker;

static int take(void *opaque, const sh_row *row)
{
    taker *t = opaque;
    sh_activity a = {.arn = sh_take_text(&t->take, row, 0),
                     .name = sh_take_text(&t->take, row, 1),
                     .tags = sh_take_text(&t->take, row, 2),
                     .created_ms = sh_row_int(row, 3)};
    t->take.found = true;
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
    taker t = {.take = {.arena = arena}, .one = out};
    int status = sh_db_each(db, err, "SELECT arn, name, tags, created_ms FROM activities WHERE arn = ?1",
                            take, &t, "s", arn);
    return sh_take_end(&t.take, status, "an activity", err, "no activity %s", arn);
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
