/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/versions.h"
#include "cloud/store/schema.h"
#include "cloud/store/take.h"

const char sh_schema_versions[] =
    "CREATE TABLE IF NOT EXISTS versions ("
    "  machine_arn TEXT NOT NULL, number INTEGER NOT NULL, revision_row INTEGER NOT NULL REFERENCES "
    "revisions,"
    "  description TEXT, created_ms INTEGER NOT NULL, PRIMARY KEY (machine_arn, number)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS aliases ("
    "  machine_arn TEXT NOT NULL, name TEXT NOT NULL, description TEXT, version_1 INTEGER NOT NULL,"
    "  weight_1 INTEGER NOT NULL, version_2 INTEGER NOT NULL, weight_2 INTEGER NOT NULL,"
    "  created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, PRIMARY KEY (machine_arn, name))"
    "  WITHOUT ROWID;";

/* ---- versions ---- */

int sh_version_publish(sh_db *db, const char *machine_arn, sh_version *v, sh_err *err)
{
    int status = sh_db_begin(db, err);
    if (status < 0)
        return status;
    status = sh_db_run(db, err, "UPDATE machines SET last_version = last_version + 1 WHERE arn = ?1", "s",
                       machine_arn);
    if (status == 0)
        status = sh_db_each(db, err, "SELECT last_version FROM machines WHERE arn = ?1", sh_take_number,
                            &v->number, "s", machine_arn);
    if (status == 0)
        status = sh_db_run(db, err,
                           "INSERT INTO versions (machine_arn, number, revision_row, description, created_ms)"
                           " VALUES (?1, ?2, ?3, ?4, ?5)",
                           "siisi", machine_arn, v->number, v->revision_row, v->description, v->created_ms);
    return sh_db_end(db, status, err);
}

typedef struct version_taker {
    sh_take take;
    sh_version *one;
    sh_version_fn fn;
    void *opaque;
} version_taker;

static int take_version(void *opaque, const sh_row *row)
{
    version_taker *t = opaque;
    sh_version v = {
        .number = sh_row_int(row, 0),
        .revision_row = sh_row_int(row, 1),
        .description = sh_take_text(&t->take, row, 2),
        .created_ms = sh_row_int(row, 3),
    };
    t->take.found = true;
    if (t->fn)
        return t->fn(t->opaque, &v);
    *t->one = v;
    return 1;
}

int sh_version_get(sh_db *db, sh_arena *arena, const char *machine_arn, int64_t number, sh_version *out,
                   sh_err *err)
{
    version_taker t = {.take = {.arena = arena}, .one = out};
    int status = sh_db_each(db, err,
                            "SELECT number, revision_row, description, created_ms FROM versions"
                            " WHERE machine_arn = ?1 AND number = ?2",
                            take_version, &t, "si", machine_arn, number);
    return sh_take_end(&t.take, status, "a version", err, "no such version");
}

int sh_version_of_revision(sh_db *db, sh_arena *arena, const char *machine_arn, int64_t revision_row,
                           sh_version *out, sh_err *err)
{
    version_taker t = {.take = {.arena = arena}, .one = out};
    int status = sh_db_each(db, err,
                            "SELECT number, revision_row, description, created_ms FROM versions"
                            " WHERE machine_arn = ?1 AND revision_row = ?2 ORDER BY number DESC LIMIT 1",
                            take_version, &t, "si", machine_arn, revision_row);
    return sh_take_end(&t.take, status, "a version", err, "no such version");
}

int sh_version_list(sh_db *db, const char *machine_arn, int64_t below, int64_t limit, sh_version_fn fn,
                    void *opaque, sh_err *err)
{
    version_taker t = {.fn = fn, .opaque = opaque};
    return sh_db_each(db, err,
                      "SELECT number, revision_row, description, created_ms FROM versions"
                      " WHERE machine_arn = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3",
                      take_version, &t, "sii", machine_arn, below > 0 ? below : INT64_MAX, limit);
}

int sh_version_count(sh_db *db, const char *machine_arn, int64_t *count, sh_err *err)
{
    return sh_db_each(db, err, "SELECT count(*) FROM versions WHERE machine_arn = ?1", sh_take_number, count,
                      "s", machine_arn);
}

int sh_version_delete(sh_db *db, const char *machine_arn, int64_t number, sh_err *err)
{
    return sh_db_run(db, err, "DELETE FROM versions WHERE machine_arn = ?1 AND number = ?2", "si",
                     machine_arn, number);
}

/* ---- aliases ---- */

int sh_alias_insert(sh_db *db, const char *machine_arn, const sh_alias *a, sh_err *err)
{
    return sh_db_run(db, err,
                     "INSERT INTO aliases (machine_arn, name, description, version_1, weight_1, version_2,"
                     " weight_2, created_ms, updated_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                     "sssiiiiii", machine_arn, a->name, a->description, a->versions[0], a->weights[0],
                     a->versions[1], a->weights[1], a->created_ms, a->updated_ms);
}

int sh_alias_update(sh_db *db, const char *machine_arn, const sh_alias *a, sh_err *err)
{
    return sh_db_run(db, err,
                     "UPDATE aliases SET description = ?3, version_1 = ?4, weight_1 = ?5, version_2 = ?6,"
                     " weight_2 = ?7, updated_ms = ?8 WHERE machine_arn = ?1 AND name = ?2",
                     "sssiiiii", machine_arn, a->name, a->description, a->versions[0], a->weights[0],
                     a->versions[1], a->weights[1], a->updated_ms);
}

typedef struct alias_taker {
    sh_take take;
    sh_alias *one;
    sh_alias_fn fn;
    void *opaque;
} alias_taker;

static int take_alias(void *opaque, const sh_row *row)
{
    alias_taker *t = opaque;
    sh_alias a = {
        .name = sh_take_text(&t->take, row, 0),
        .description = sh_take_text(&t->take, row, 1),
        .versions = {sh_row_int(row, 2), sh_row_int(row, 4)},
        .weights = {sh_row_int(row, 3), sh_row_int(row, 5)},
        .created_ms = sh_row_int(row, 6),
        .updated_ms = sh_row_int(row, 7),
    };
    t->take.found = true;
    if (t->fn)
        return t->fn(t->opaque, &a);
    *t->one = a;
    return 1;
}

#define ALIAS_COLUMNS                                                                                        \
    "name, description, version_1, weight_1, version_2, weight_2, created_ms, updated_ms FROM aliases "

int sh_alias_get(sh_db *db, sh_arena *arena, const char *machine_arn, const char *name, sh_alias *out,
                 sh_err *err)
{
    alias_taker t = {.take = {.arena = arena}, .one = out};
    int status = sh_db_each(db, err, "SELECT " ALIAS_COLUMNS "WHERE machine_arn = ?1 AND name = ?2",
                            take_alias, &t, "ss", machine_arn, name);
    return sh_take_end(&t.take, status, "an alias", err, "no such alias");
}

int sh_alias_list(sh_db *db, const char *machine_arn, const char *after, int64_t version, int64_t limit,
                  sh_alias_fn fn, void *opaque, sh_err *err)
{
    alias_taker t = {.fn = fn, .opaque = opaque};
    return sh_db_each(db, err,
                      "SELECT " ALIAS_COLUMNS "WHERE machine_arn = ?1 AND name > ?2"
                      " AND (?3 = 0 OR version_1 = ?3 OR version_2 = ?3) ORDER BY name LIMIT ?4",
                      take_alias, &t, "ssii", machine_arn, after, version, limit);
}

int sh_alias_delete(sh_db *db, const char *machine_arn, const char *name, sh_err *err)
{
    return sh_db_run(db, err, "DELETE FROM aliases WHERE machine_arn = ?1 AND name = ?2", "ss", machine_arn,
                     name);
}
