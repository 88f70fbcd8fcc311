/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/eventparts.h"
#include "cloud/store/schema.h"
#include "cloud/store/take.h"

const char sh_schema_eventparts[] =
    "CREATE TABLE IF NOT EXISTS eventparts ("
    "  kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS schedules ("
    "  rule TEXT PRIMARY KEY, expression TEXT NOT NULL, from_ms INTEGER NOT NULL,"
    "  next_ms INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS schedules_next ON schedules (next_ms);";

int sh_part_put(sh_db *db, const char *kind, const char *name, const char *value, sh_err *err)
{
    return sh_db_run(db, err, "INSERT OR REPLACE INTO eventparts (kind, name, value) VALUES (?1, ?2, ?3)",
                     "sss", kind, name, value);
}

int sh_part_get(sh_db *db, sh_arena *arena, const char *kind, const char *name, const char **value,
                sh_err *err)
{
    sh_take_one_text t = {.take = {.arena = arena}, .text = value};
    int status = sh_db_each(db, err, "SELECT value FROM eventparts WHERE kind = ?1 AND name = ?2",
                            sh_take_text_row, &t, "ss", kind, name);
    return sh_take_end(&t.take, status, kind, err, "no %s %s", kind, name);
}

int sh_part_delete(sh_db *db, const char *kind, const char *name, sh_err *err)
{
    int status = sh_db_begin(db, err);
    if (status < 0)
        return status;
    status = sh_db_run(db, err, "DELETE FROM eventparts WHERE kind = ?1 AND name = ?2", "ss", kind, name);
    if (status == 0 && sh_db_changes(db) == 0)
        status = sh_fail(err, SH_E_NOT_FOUND, "no %s %s", kind, name);
    return sh_db_end(db, status, err);
}

typedef struct taker {
    union {
        sh_part_fn part;
        sh_schedule_fn schedule;
    };
    void *opaque;
} taker;

static int take_part(void *opaque, const sh_row *row)
{
    taker *t = opaque;
    return t->part(t->opaque, sh_row_text(row, 0), sh_row_text(row, 1));
}

int sh_part_list(sh_db *db, const char *kind, const char *prefix, const char *after, int64_t limit,
                 sh_part_fn fn, void *opaque, sh_err *err)
{
    taker t = {.part = fn, .opaque = opaque};
    return sh_db_each(db, err,
                      "SELECT name, value FROM eventparts WHERE kind = ?1 AND name > ?3"
                      " AND substr(name, 1, length(?2)) = ?2 ORDER BY name LIMIT ?4",
                      take_part, &t, "sssi", kind, prefix, after, limit);
}

int sh_part_count(sh_db *db, const char *kind, int64_t *count, sh_err *err)
{
    return sh_db_each(db, err, "SELECT count(*) FROM eventparts WHERE kind = ?1", sh_take_number, count, "s",
                      kind);
}

/* ---- schedules ---- */

int sh_schedule_put(sh_db *db, const char *rule, const char *expression, int64_t from_ms, int64_t next_ms,
                    sh_err *err)
{
    if (!expression)
        return sh_db_run(db, err, "DELETE FROM schedules WHERE rule = ?1", "s", rule);
    return sh_db_run(
        db, err,
        "INSERT OR REPLACE INTO schedules (rule, expression, from_ms, next_ms) VALUES (?1, ?2, ?3, ?4)",
        "ssii", rule, expression, from_ms, next_ms);
}

int sh_schedule_next(sh_db *db, const char *rule, int64_t next_ms, sh_err *err)
{
    return sh_db_run(db, err, "UPDATE schedules SET next_ms = ?2 WHERE rule = ?1", "si", rule, next_ms);
}

static int take_schedule(void *opaque, const sh_row *row)
{
    taker *t = opaque;
    return t->schedule(t->opaque, sh_row_text(row, 0), sh_row_text(row, 1), sh_row_int(row, 2),
                       sh_row_int(row, 3));
}

int sh_schedule_get(sh_db *db, const char *rule, sh_schedule_fn fn, void *opaque, sh_err *err)
{
    taker t = {.schedule = fn, .opaque = opaque};
    return sh_db_each(db, err, "SELECT rule, expression, from_ms, next_ms FROM schedules WHERE rule = ?1",
                      take_schedule, &t, "s", rule);
}

int sh_schedule_due(sh_db *db, int64_t now_ms, int64_t limit, sh_schedule_fn fn, void *opaque, sh_err *err)
{
    taker t = {.schedule = fn, .opaque = opaque};
    return sh_db_each(db, err,
                      "SELECT rule, expression, from_ms, next_ms FROM schedules WHERE next_ms >= 0"
                      " AND next_ms <= ?1 ORDER BY next_ms LIMIT ?2",
                      take_schedule, &t, "ii", now_ms, limit);
}

int sh_schedule_soonest(sh_db *db, int64_t *next_ms, sh_err *err)
{
    *next_ms = -1;
    return sh_db_each(db, err, "SELECT next_ms FROM schedules WHERE next_ms >= 0 ORDER BY next_ms LIMIT 1",
                      sh_take_number, next_ms, "");
}
