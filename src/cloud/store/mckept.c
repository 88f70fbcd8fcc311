/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/mckept.h"
#include "cloud/store/schema.h"
#include "cloud/store/take.h"

const char sh_schema_mckept[] =
    "CREATE TABLE IF NOT EXISTS mckept ("
    " sequence INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, name TEXT NOT NULL,"
    " category TEXT NOT NULL, body TEXT NOT NULL, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,"
    " UNIQUE (kind, name));";

#define COLUMNS "kind, name, category, body, created_ms, updated_ms"

int sh_mckept_insert(sh_db *db, const sh_mckept *row, sh_err *err)
{
    int status = sh_db_begin(db, err);
    if (status < 0)
        return status;
    status =
        sh_db_run(db, err,
                  "INSERT OR IGNORE INTO mckept (kind, name, category, body, created_ms, updated_ms)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                  "ssssii", row->kind, row->name, row->category, row->body, row->created_ms, row->updated_ms);
    if (status == 0 && sh_db_changes(db) == 0)
        status = sh_fail(err, SH_E_CONFLICT, "the name %s is taken", row->name);
    return sh_db_end(db, status, err);
}

int sh_mckept_save(sh_db *db, const sh_mckept *row, sh_err *err)
{
    return sh_db_run(db, err,
                     "UPDATE mckept SET category = ?1, body = ?2, updated_ms = ?3"
                     " WHERE kind = ?4 AND name = ?5",
                     "ssiss", row->category, row->body, row->updated_ms, row->kind, row->name);
}

static sh_mckept read_row(sh_take *take, const sh_row *row)
{
    return (sh_mckept){.kind = sh_take_text(take, row, 0),
                       .name = sh_take_text(take, row, 1),
                       .category = sh_take_text(take, row, 2),
                       .body = sh_take_text(take, row, 3),
                       .created_ms = sh_row_int(row, 4),
                       .updated_ms = sh_row_int(row, 5)};
}

typedef struct getting {
    sh_take take;
    sh_mckept *out;
} getting;

static int take(void *opaque, const sh_row *row)
{
    getting *g = opaque;
    sh_mckept kept = read_row(&g->take, row);
    if (!g->take.failed)
        *g->out = kept;
    g->take.found = true;
    return 1;
}

int sh_mckept_get(sh_db *db, sh_arena *arena, const char *kind, const char *name, sh_mckept *out, sh_err *err)
{
    getting g = {.take = {.arena = arena}, .out = out};
    int status = sh_db_each(db, err, "SELECT " COLUMNS " FROM mckept WHERE kind = ?1 AND name = ?2", take, &g,
                            "ss", kind, name);
    return sh_take_end(&g.take, status, name, err, "there is none of the name %s", name);
}

int sh_mckept_delete(sh_db *db, const char *kind, const char *name, sh_err *err)
{
    int status = sh_db_begin(db, err);
    if (status < 0)
        return status;
    status = sh_db_run(db, err, "DELETE FROM mckept WHERE kind = ?1 AND name = ?2", "ss", kind, name);
    if (status == 0 && sh_db_changes(db) == 0)
        status = sh_fail(err, SH_E_NOT_FOUND, "there is none of the name %s", name);
    return sh_db_end(db, status, err);
}

typedef struct listing {
    sh_mckept_fn fn;
    void *opaque;
} listing;

static int hand_on(void *opaque, const sh_row *row)
{
    listing *l = opaque;
    sh_take borrowed = {0};
    sh_mckept kept = read_row(&borrowed, row);
    return l->fn(l->opaque, &kept);
}

#define SELECT "SELECT " COLUMNS " FROM mckept WHERE kind = ?1 AND (?2 IS NULL OR category = ?2) ORDER BY "

int sh_mckept_list(sh_db *db, const sh_mckept_query *q, sh_mckept_fn fn, void *opaque, sh_err *err)
{
    listing l = {fn, opaque};
    static const char *const orders[2][2] = {
        {SELECT "sequence LIMIT ?3 OFFSET ?4", SELECT "sequence DESC LIMIT ?3 OFFSET ?4"},
        {SELECT "name LIMIT ?3 OFFSET ?4", SELECT "name DESC LIMIT ?3 OFFSET ?4"},
    };
    return sh_db_each(db, err, orders[q->by_name][q->descending], hand_on, &l, "ssii", q->kind, q->category,
                      q->limit, q->skip);
}
