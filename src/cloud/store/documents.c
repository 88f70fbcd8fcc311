/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/documents.h"
#include "cloud/store/schema.h"
#include "cloud/store/take.h"

const char sh_schema_documents[] =
    "CREATE TABLE IF NOT EXISTS documents ("
    " name TEXT PRIMARY KEY, content TEXT NOT NULL, created_ms INTEGER NOT NULL) WITHOUT ROWID;";

int sh_document_insert(sh_db *db, const sh_document *row, sh_err *err)
{
    int status =
        sh_db_run(db, err, "INSERT OR IGNORE INTO documents (name, content, created_ms) VALUES (?1, ?2, ?3)",
                  "ssi", row->name, row->content, row->created_ms);
    if (status == 0 && sh_db_changes(db) == 0)
        return sh_fail(err, SH_E_CONFLICT, "there is a document %s already", row->name);
    return status;
}

typedef struct getting {
    sh_take take;
    sh_document *out;
} getting;

static int take_document(void *opaque, const sh_row *row)
{
    getting *g = opaque;
    sh_document document = {.name = sh_take_text(&g->take, row, 0),
                            .content = sh_take_text(&g->take, row, 1),
                            .created_ms = sh_row_int(row, 2)};
    if (!g->take.failed)
        *g->out = document;
    g->take.found = true;
    return 1;
}

int sh_document_get(sh_db *db, sh_arena *arena, const char *name, sh_document *out, sh_err *err)
{
    getting g = {.take = {.arena = arena}, .out = out};
    int status = sh_db_each(db, err, "SELECT name, content, created_ms FROM documents WHERE name = ?1",
                            take_document, &g, "s", name);
    return sh_take_end(&g.take, status, "a document", err, "there is no document %s", name);
}

typedef struct listing {
    sh_document_fn fn;
    void *opaque;
} listing;

static int hand_on(void *opaque, const sh_row *row)
{
    const listing *l = opaque;
    const sh_document document = {
        .name = sh_row_text(row, 0), .content = sh_row_text(row, 1), .created_ms = sh_row_int(row, 2)};
    return l->fn(l->opaque, &document);
}

int sh_document_each(sh_db *db, int64_t skip, int64_t limit, sh_document_fn fn, void *opaque, sh_err *err)
{
    listing l = {fn, opaque};
    return sh_db_each(db, err,
                      "SELECT name, content, created_ms FROM documents ORDER BY name LIMIT ?2 OFFSET ?1",
                      hand_on, &l, "ii", skip, limit);
}

int sh_document_delete(sh_db *db, const char *name, sh_err *err)
{
    int status = sh_db_run(db, err, "DELETE FROM documents WHERE name = ?1", "s", name);
    if (status == 0 && sh_db_changes(db) == 0)
        return sh_fail(err, SH_E_NOT_FOUND, "there is no document %s", name);
    return status;
}
