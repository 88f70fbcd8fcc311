/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/iam.h"
#include "cloud/store/schema.h"
#include "cloud/store/take.h"

/* What stands in attached.arn may be a policy of AWS, which has no row. */
const char sh_schema_iam[] =
    "CREATE TABLE IF NOT EXISTS iam_entities ("
    "  entity INTEGER PRIMARY KEY, kind INTEGER NOT NULL, name TEXT NOT NULL COLLATE NOCASE,"
    "  id TEXT NOT NULL UNIQUE, path TEXT NOT NULL, created_ms INTEGER NOT NULL, description TEXT,"
    "  trust TEXT, boundary TEXT, tags TEXT, max_session_s INTEGER NOT NULL, version INTEGER NOT NULL,"
    "  last_version INTEGER NOT NULL, updated_ms INTEGER NOT NULL, used_ms INTEGER NOT NULL,"
    "  UNIQUE (kind, name));"
    "CREATE INDEX IF NOT EXISTS iam_boundaries ON iam_entities (boundary) WHERE boundary IS NOT NULL;"
    "CREATE TABLE IF NOT EXISTS iam_inline ("
    "  entity INTEGER NOT NULL REFERENCES iam_entities, name TEXT NOT NULL, document TEXT NOT NULL,"
    "  PRIMARY KEY (entity, name)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS iam_attached ("
    "  entity INTEGER NOT NULL REFERENCES iam_entities, arn TEXT NOT NULL, PRIMARY KEY (entity, arn))"
    "  WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS iam_attached_arns ON iam_attached (arn);"
    "CREATE TABLE IF NOT EXISTS iam_members ("
    "  parent INTEGER NOT NULL REFERENCES iam_entities, child INTEGER NOT NULL REFERENCES iam_entities,"
    "  PRIMARY KEY (parent, child)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS iam_parents ON iam_members (child);"
    "CREATE TABLE IF NOT EXISTS iam_versions ("
    "  policy INTEGER NOT NULL REFERENCES iam_entities, number INTEGER NOT NULL, created_ms INTEGER NOT NULL,"
    "  document TEXT NOT NULL, PRIMARY KEY (policy, number)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS iam_keys ("
    "  id TEXT PRIMARY KEY, user INTEGER NOT NULL REFERENCES iam_entities, active INTEGER NOT NULL,"
    "  created_ms INTEGER NOT NULL, used_ms INTEGER NOT NULL, used_service TEXT, sealed BLOB NOT NULL)"
    "  WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS iam_user_keys ON iam_keys (user);";

#define COLUMNS                                                                                              \
    "entity, kind, name, id, path, created_ms, description, trust, boundary, tags, max_session_s, version,"  \
    " last_version, updated_ms, used_ms "

typedef struct entity_taker {
    sh_take take;
    sh_iam_entity *one;
    sh_iam_entity_fn fn;
    void *opaque;
} entity_taker;

static int take_entity(void *opaque, const sh_row *row)
{
    entity_taker *t = opaque;
    sh_iam_entity e = {
        .row = sh_row_int(row, 0),
        .kind = (sh_iam_kind)sh_row_int(row, 1),
        .name = sh_take_text(&t->take, row, 2),
        .id = sh_take_text(&t->take, row, 3),
        .path = sh_take_text(&t->take, row, 4),
        .created_ms = sh_row_int(row, 5),
        .description = sh_take_text(&t->take, row, 6),
        .trust = sh_take_text(&t->take, row, 7),
        .boundary = sh_take_text(&t->take, row, 8),
        .tags = sh_take_text(&t->take, row, 9),
        .max_session_s = sh_row_int(row, 10),
        .version = sh_row_int(row, 11),
        .last_version = sh_row_int(row, 12),
        .updated_ms = sh_row_int(row, 13),
        .used_ms = sh_row_int(row, 14),
    };
    t->take.found = true;
    if (t->fn)
        return t->fn(t->opaque, &e);
    *t->one = e;
    return 1;
}

/* ---- entities ---- */

int sh_iam_insert(sh_db *db, sh_iam_entity *e, sh_err *err)
{
    int status = sh_db_run(
        db, err,
        "INSERT INTO iam_entities (kind, name, id, path, created_ms, description, trust, boundary, tags,"
        " max_session_s, version, last_version, updated_ms, used_ms)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        "isssissssiiiii", (int64_t)e->kind, e->name, e->id, e->path, e->created_ms, e->description, e->trust,
        e->boundary, e->tags, e->max_session_s, e->version, e->last_version, e->updated_ms, e->used_ms);
    if (status == 0)
        e->row = sh_db_last_id(db);
    return status;
}

int sh_iam_update(sh_db *db, const sh_iam_entity *e, sh_err *err)
{
    return sh_db_run(db, err,
                     "UPDATE iam_entities SET name = ?2, path = ?3, description = ?4, trust = ?5,"
                     " boundary = ?6, tags = ?7, max_session_s = ?8, version = ?9, last_version = ?10,"
                     " updated_ms = ?11, used_ms = ?12 WHERE entity = ?1",
                     "issssssiiiii", e->row, e->name, e->path, e->description, e->trust, e->boundary, e->tags,
                     e->max_session_s, e->version, e->last_version, e->updated_ms, e->used_ms);
}

int sh_iam_delete(sh_db *db, int64_t row, sh_err *err)
{
    return sh_db_run(db, err, "DELETE FROM iam_entities WHERE entity = ?1", "i", row);
}

int sh_iam_get(sh_db *db, sh_arena *arena, sh_iam_kind kind, const char *name, sh_iam_entity *out,
               sh_err *err)
{
    entity_taker t = {.take = {.arena = arena}, .one = out};
    int status = sh_db_each(db, err, "SELECT " COLUMNS "FROM iam_entities WHERE kind = ?1 AND name = ?2",
                            take_entity, &t, "is", (int64_t)kind, name);
    return sh_take_end(&t.take, status, "an identity", err, "no such identity: %s", name);
}

int sh_iam_get_id(sh_db *db, sh_arena *arena, const char *id, sh_iam_entity *out, sh_err *err)
{
    entity_taker t = {.take = {.arena = arena}, .one = out};
    int status =
        sh_db_each(db, err, "SELECT " COLUMNS "FROM iam_entities WHERE id = ?1", take_entity, &t, "s", id);
    return sh_take_end(&t.take, status, "an identity", err, "no such identity: %s", id);
}

int sh_iam_get_row(sh_db *db, sh_arena *arena, int64_t row, sh_iam_entity *out, sh_err *err)
{
    entity_taker t = {.take = {.arena = arena}, .one = out};
    int status = sh_db_each(db, err, "SELECT " COLUMNS "FROM iam_entities WHERE entity = ?1", take_entity, &t,
                            "i", row);
    return sh_take_end(&t.take, status, "an identity", err, "no such identity");
}

int sh_iam_list(sh_db *db, sh_iam_kind kind, const char *path, const char *after, int64_t limit,
                sh_iam_entity_fn fn, void *opaque, sh_err *err)
{
    entity_taker t = {.fn = fn, .opaque = opaque};
    return sh_db_each(db, err,
                      "SELECT " COLUMNS "FROM iam_entities WHERE kind = ?1 AND name > ?2"
                      " AND substr(path, 1, length(?3)) = ?3 ORDER BY name LIMIT ?4",
                      take_entity, &t, "issi", (int64_t)kind, after, path, limit);
}

int sh_iam_count(sh_db *db, sh_iam_kind kind, int64_t *count, sh_err *err)
{
    return sh_db_each(db, err, "SELECT count(*) FROM iam_entities WHERE kind = ?1", sh_take_number, count,
                      "i", (int64_t)kind);
}

int sh_iam_role_used(sh_db *db, const char *id, int64_t ms, sh_err *err)
{
    return sh_db_run(db, err, "UPDATE iam_entities SET used_ms = ?2 WHERE id = ?1", "si", id, ms);
}

/* ---- attachments ---- */

int sh_iam_attach(sh_db *db, int64_t owner, const char *arn, sh_err *err)
{
    return sh_db_run(db, err, "INSERT OR IGNORE INTO iam_attached (entity, arn) VALUES (?1, ?2)", "is", owner,
                     arn);
}

int sh_iam_detach(sh_db *db, int64_t owner, const char *arn, sh_err *err)
{
    int status =
        sh_db_run(db, err, "DELETE FROM iam_attached WHERE entity = ?1 AND arn = ?2", "is", owner, arn);
    if (status == 0 && sh_db_changes(db) == 0)
        status = sh_fail(err, SH_E_NOT_FOUND, "%s is not attached", arn);
    return status;
}

typedef struct text_taker {
    sh_iam_text_fn fn;
    void *opaque;
} text_taker;

static int take_text(void *opaque, const sh_row *row)
{
    const text_taker *t = opaque;
    return t->fn(t->opaque, sh_row_text(row, 0));
}

int sh_iam_attached(sh_db *db, int64_t owner, const char *after, int64_t limit, sh_iam_text_fn fn,
                    void *opaque, sh_err *err)
{
    text_taker t = {fn, opaque};
    return sh_db_each(db, err,
                      "SELECT arn FROM iam_attached WHERE entity = ?1 AND arn > ?2 ORDER BY arn LIMIT ?3",
                      take_text, &t, "isi", owner, after, limit);
}

int sh_iam_attachments(sh_db *db, const char *arn, int64_t *count, int64_t *boundaries, sh_err *err)
{
    int status = sh_db_each(db, err, "SELECT count(*) FROM iam_attached WHERE arn = ?1", sh_take_number,
                            count, "s", arn);
    return status < 0 ? status
                      : sh_db_each(db, err, "SELECT count(*) FROM iam_entities WHERE boundary = ?1",
                                   sh_take_number, boundaries, "s", arn);
}

int sh_iam_attached_to(sh_db *db, const char *arn, sh_iam_kind kind, bool boundary, const char *after,
                       int64_t limit, sh_iam_entity_fn fn, void *opaque, sh_err *err)
{
    entity_taker t = {.fn = fn, .opaque = opaque};
    if (boundary)
        return sh_db_each(db, err,
                          "SELECT " COLUMNS "FROM iam_entities WHERE boundary = ?1 AND kind = ?2"
                          " AND name > ?3 ORDER BY name LIMIT ?4",
                          take_entity, &t, "sisi", arn, (int64_t)kind, after, limit);
    return sh_db_each(db, err,
                      "SELECT " COLUMNS "FROM iam_attached JOIN iam_entities USING (entity)"
                      " WHERE arn = ?1 AND kind = ?2 AND name > ?3 ORDER BY name LIMIT ?4",
                      take_entity, &t, "sisi", arn, (int64_t)kind, after, limit);
}

/* ---- members ---- */

int sh_iam_join(sh_db *db, int64_t parent, int64_t child, sh_err *err)
{
    return sh_db_run(db, err, "INSERT OR IGNORE INTO iam_members (parent, child) VALUES (?1, ?2)", "ii",
                     parent, child);
}

int sh_iam_leave(sh_db *db, int64_t parent, int64_t child, sh_err *err)
{
    int status =
        sh_db_run(db, err, "DELETE FROM iam_members WHERE parent = ?1 AND child = ?2", "ii", parent, child);
    if (status == 0 && sh_db_changes(db) == 0)
        status = sh_fail(err, SH_E_NOT_FOUND, "it is not a member");
    return status;
}

int sh_iam_members(sh_db *db, int64_t parent, const char *after, int64_t limit, sh_iam_entity_fn fn,
                   void *opaque, sh_err *err)
{
    entity_taker t = {.fn = fn, .opaque = opaque};
    return sh_db_each(db, err,
                      "SELECT " COLUMNS "FROM iam_members JOIN iam_entities ON entity = child"
                      " WHERE parent = ?1 AND name > ?2 ORDER BY name LIMIT ?3",
                      take_entity, &t, "isi", parent, after, limit);
}

int sh_iam_parents(sh_db *db, int64_t child, const char *after, int64_t limit, sh_iam_entity_fn fn,
                   void *opaque, sh_err *err)
{
    entity_taker t = {.fn = fn, .opaque = opaque};
    return sh_db_each(db, err,
                      "SELECT " COLUMNS "FROM iam_members JOIN iam_entities ON entity = parent"
                      " WHERE child = ?1 AND name > ?2 ORDER BY name LIMIT ?3",
                      take_entity, &t, "isi", child, after, limit);
}

/* ---- what hangs on one ---- */

static int take_load(void *opaque, const sh_row *row)
{
    *(sh_iam_load *)opaque = (sh_iam_load){
        .inlines = sh_row_int(row, 0),
        .attached = sh_row_int(row, 1),
        .members = sh_row_int(row, 2),
        .parents = sh_row_int(row, 3),
        .keys = sh_row_int(row, 4),
        .versions = sh_row_int(row, 5),
    };
    return 1;
}

int sh_iam_load_of(sh_db *db, int64_t row, sh_iam_load *out, sh_err *err)
{
    return sh_db_each(db, err,
                      "SELECT (SELECT count(*) FROM iam_inline WHERE entity = ?1),"
                      " (SELECT count(*) FROM iam_attached WHERE entity = ?1),"
                      " (SELECT count(*) FROM iam_members WHERE parent = ?1),"
                      " (SELECT count(*) FROM iam_members WHERE child = ?1),"
                      " (SELECT count(*) FROM iam_keys WHERE user = ?1),"
                      " (SELECT count(*) FROM iam_versions WHERE policy = ?1)",
                      take_load, out, "i", row);
}
