/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/documents.h"
#include "cloud/store/schema.h"
#include "cloud/store/take.h"

const char sh_schema_documents[] =
    "CREATE TABLE IF NOT EXISTS documents ("
    " name TEXT PRIMARY KEY, default_version INTEGER NOT NULL, last_version INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS document_versions ("
    " name TEXT NOT NULL, version INTEGER NOT NULL, content TEXT NOT NULL, version_name TEXT NOT NULL,"
    " hash TEXT NOT NULL, created_ms INTEGER NOT NULL, PRIMARY KEY (name, version)) WITHOUT ROWID;";

#define LATEST "(SELECT max(l.version) FROM document_versions l WHERE l.name = d.name)"
#define COLUMNS                                                                                              \
    "SELECT d.name, d.default_version, " LATEST ", v.version, v.content, v.version_name, v.hash,"            \
    " v.created_ms FROM documents d JOIN document_versions v ON v.name = d.name "

/* ---- writing ---- */

static int put_version(sh_db *db, const sh_document *row, sh_err *err)
{
    return sh_db_run(db, err,
                     "INSERT INTO document_versions (name, version, content, version_name, hash, created_ms)"
                     " SELECT name, last_version, ?2, ?3, ?4, ?5 FROM documents WHERE name = ?1",
                     "ssssi", row->name, row->content, row->version_name, row->hash, row->created_ms);
}

static int put_first(sh_db *db, const sh_document *row, sh_err *err)
{
    int status = sh_db_run(
        db, err, "INSERT OR IGNORE INTO documents (name, default_version, last_version) VALUES (?1, 1, 1)",
        "s", row->name);
    if (status == 0 && sh_db_changes(db) == 0)
        return sh_fail(err, SH_E_CONFLICT, "there is a document %s already", row->name);
    return status < 0 ? status : put_version(db, row, err);
}

int sh_document_insert(sh_db *db, const sh_document *row, sh_err *err)
{
    int status = sh_db_begin(db, err);
    return status < 0 ? status : sh_db_end(db, put_first(db, row, err), err);
}

int sh_document_add_version(sh_db *db, const sh_document *row, sh_err *err)
{
    int status = sh_db_run(db, err, "UPDATE documents SET last_version = last_version + 1 WHERE name = ?1",
                           "s", row->name);
    return status < 0 ? status : put_version(db, row, err);
}

int sh_document_set_default(sh_db *db, const char *name, int64_t version, sh_err *err)
{
    return sh_db_run(db, err, "UPDATE documents SET default_version = ?2 WHERE name = ?1", "si", name,
                     version);
}

int sh_document_delete_version(sh_db *db, const char *name, int64_t version, sh_err *err)
{
    return sh_db_run(db, err, "DELETE FROM document_versions WHERE name = ?1 AND version = ?2", "si", name,
                     version);
}

static int delete_all(sh_db *db, const char *name, sh_err *err)
{
    int status = sh_db_run(db, err, "DELETE FROM documents WHERE name = ?1", "s", name);
    if (status == 0 && sh_db_changes(db) == 0)
        return sh_fail(err, SH_E_NOT_FOUND, "there is no document %s", name);
    return status < 0 ? status
                      : sh_db_run(db, err, "DELETE FROM document_versions WHERE name = ?1", "s", name);
}

int sh_document_delete(sh_db *db, const char *name, sh_err *err)
{
    int status = sh_db_begin(db, err);
    return status < 0 ? status : sh_db_end(db, delete_all(db, name, err), err);
}

/* ---- reading ---- */

static sh_document read_document(sh_take *take, const sh_row *row)
{
    return (sh_document){.name = sh_take_text(take, row, 0),
                         .default_version = sh_row_int(row, 1),
                         .latest_version = sh_row_int(row, 2),
                         .version = sh_row_int(row, 3),
                         .content = sh_take_text(take, row, 4),
                         .version_name = sh_take_text(take, row, 5),
                         .hash = sh_take_text(take, row, 6),
                         .created_ms = sh_row_int(row, 7)};
}

typedef struct getting {
    sh_take take;
    sh_document *out;
} getting;

static int take_document(void *opaque, const sh_row *row)
{
    getting *g = opaque;
    sh_document document = read_document(&g->take, row);
    if (!g->take.failed)
        *g->out = document;
    g->take.found = true;
    return 1;
}

int sh_document_get(sh_db *db, sh_arena *arena, const char *name, int64_t version, sh_document *out,
                    sh_err *err)
{
    getting g = {.take = {.arena = arena}, .out = out};
    int status = sh_db_each(db, err,
                            COLUMNS "WHERE d.name = ?1 AND v.version = CASE ?2 WHEN 0 THEN d.default_version"
                                    " WHEN -1 THEN " LATEST " ELSE ?2 END",
                            take_document, &g, "si", name, version);
    return sh_take_end(&g.take, status, "a document", err, "there is no document %s of that version", name);
}

typedef struct listing {
    sh_document_fn fn;
    void *opaque;
} listing;

static int hand_on(void *opaque, const sh_row *row)
{
    const listing *l = opaque;
    sh_take borrowed = {0};
    const sh_document document = read_document(&borrowed, row);
    return l->fn(l->opaque, &document);
}

int sh_document_each(sh_db *db, int64_t skip, int64_t limit, sh_document_fn fn, void *opaque, sh_err *err)
{
    listing l = {fn, opaque};
    return sh_db_each(db, err,
                      COLUMNS "WHERE v.version = d.default_version ORDER BY d.name LIMIT ?2 OFFSET ?1",
                      hand_on, &l, "ii", skip, limit);
}

int sh_document_each_version(sh_db *db, const char *name, int64_t skip, int64_t limit, sh_document_fn fn,
                             void *opaque, sh_err *err)
{
    listing l = {fn, opaque};
    return sh_db_each(db, err, COLUMNS "WHERE d.name = ?1 ORDER BY v.version DESC LIMIT ?3 OFFSET ?2",
                      hand_on, &l, "sii", name, skip, limit);
}

int sh_document_count_versions(sh_db *db, const char *name, int64_t *count, sh_err *err)
{
    *count = 0;
    int status = sh_db_each(db, err, "SELECT count(*) FROM document_versions WHERE name = ?1", sh_take_number,
                            count, "s", name);
    return status < 0 ? status : 0;
}
