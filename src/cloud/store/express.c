/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/express.h"
#include "cloud/store/schema.h"
#include "cloud/store/take.h"

/* AUTOINCREMENT: an id is taken up once by the runner, so that of a deleted row must not come again. */
const char sh_schema_express[] =
    "CREATE TABLE IF NOT EXISTS express ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, arn TEXT NOT NULL UNIQUE, name TEXT NOT NULL,"
    "  machine_arn TEXT NOT NULL, revision_row INTEGER NOT NULL REFERENCES revisions,"
    "  started_ms INTEGER NOT NULL, input TEXT NOT NULL, trace_header TEXT, awaited INTEGER NOT NULL,"
    "  result TEXT);";

#define COLUMNS                                                                                              \
    "id, arn, name, machine_arn, revision_row, started_ms, input, trace_header, awaited, result FROM "       \
    "express "

int sh_express_insert(sh_db *db, sh_express_row *r, sh_err *err)
{
    int status = sh_db_run(db, err,
                           "INSERT INTO express (arn, name, machine_arn, revision_row, started_ms, input,"
                           " trace_header, awaited) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                           "sssiissi", r->arn, r->name, r->machine_arn, r->revision_row, r->started_ms,
                           r->input, r->trace_header, (int64_t)r->awaited);
    r->id = sh_db_last_id(db);
    return status;
}

typedef struct taker {
    sh_take take;
    sh_express_row *one;
    sh_express_fn fn;
    void *opaque;
} taker;

static int take(void *opaque, const sh_row *row)
{
    taker *t = opaque;
    sh_express_row r = {
        .id = sh_row_int(row, 0),
        .arn = sh_take_text(&t->take, row, 1),
        .name = sh_take_text(&t->take, row, 2),
        .machine_arn = sh_take_text(&t->take, row, 3),
        .revision_row = sh_row_int(row, 4),
        .started_ms = sh_row_int(row, 5),
        .input = sh_take_text(&t->take, row, 6),
        .trace_header = sh_take_text(&t->take, row, 7),
        .awaited = sh_row_int(row, 8) != 0,
        .result = sh_take_text(&t->take, row, 9),
    };
    t->take.found = true;
    if (t->fn)
        return t->fn(t->opaque, &r);
    *t->one = r;
    return 1;
}

int sh_express_list(sh_db *db, int64_t after, int64_t limit, sh_express_fn fn, void *opaque, sh_err *err)
{
    taker t = {.fn = fn, .opaque = opaque};
    return sh_db_each(db, err, "SELECT " COLUMNS "WHERE id > ?1 AND result IS NULL ORDER BY id LIMIT ?2",
                      take, &t, "ii", after, limit);
}

int sh_express_by_arn(sh_db *db, sh_arena *arena, const char *arn, sh_express_row *out, sh_err *err)
{
    taker t = {.take = {.arena = arena}, .one = out};
    int status = sh_db_each(db, err, "SELECT " COLUMNS "WHERE arn = ?1", take, &t, "s", arn);
    return sh_take_end(&t.take, status, "an execution", err, "no such execution");
}

int sh_express_save(sh_db *db, int64_t id, const char *result, sh_err *err)
{
    return sh_db_run(db, err, "UPDATE express SET result = ?2 WHERE id = ?1", "is", id, result);
}

int sh_express_delete(sh_db *db, int64_t id, sh_err *err)
{
    return sh_db_run(db, err, "DELETE FROM express WHERE id = ?1", "i", id);
}
