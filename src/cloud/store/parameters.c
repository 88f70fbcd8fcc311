/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/parameters.h"
#include "cloud/store/schema.h"
#include "cloud/store/take.h"

#include <string.h>

const char sh_schema_parameters[] =
    "CREATE TABLE IF NOT EXISTS parameters (name TEXT PRIMARY KEY, version INTEGER NOT NULL, tags TEXT)"
    " WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS parameter_versions (name TEXT NOT NULL REFERENCES parameters (name),"
    " version INTEGER NOT NULL, type TEXT NOT NULL, value BLOB NOT NULL, description TEXT, pattern TEXT,"
    " key TEXT, tier TEXT NOT NULL, data_type TEXT NOT NULL, user TEXT NOT NULL, labels TEXT,"
    " modified_ms INTEGER NOT NULL, PRIMARY KEY (name, version)) WITHOUT ROWID;";

#define COLUMNS                                                                                              \
    "SELECT v.name, v.version, v.type, v.value, v.description, v.pattern, v.key, v.tier, v.data_type,"       \
    " v.user, v.labels, v.modified_ms FROM parameter_versions AS v"

typedef struct taker {
    sh_take take;
    sh_parameter *one;
    sh_parameter_fn fn;
    void *opaque;
} taker;

static const void *keep_value(taker *t, const sh_row *row, size_t *length)
{
    const void *value = sh_row_blob(row, 3, length);
    if (!t->take.arena)
        return value;
    char *copy = sh_arena_alloc(t->take.arena, *length + 1);
    if (!copy) {
        t->take.failed = true;
        return NULL;
    }
    if (*length)
        memcpy(copy, value, *length);
    copy[*length] = '\0';
    return copy;
}

static int take_parameter(void *opaque, const sh_row *row)
{
    taker *t = opaque;
    sh_parameter p = {
        .name = sh_take_text(&t->take, row, 0),
        .version = sh_row_int(row, 1),
        .type = sh_take_text(&t->take, row, 2),
        .description = sh_take_text(&t->take, row, 4),
        .pattern = sh_take_text(&t->take, row, 5),
        .key = sh_take_text(&t->take, row, 6),
        .tier = sh_take_text(&t->take, row, 7),
        .data_type = sh_take_text(&t->take, row, 8),
        .user = sh_take_text(&t->take, row, 9),
        .labels = sh_take_text(&t->take, row, 10),
        .modified_ms = sh_row_int(row, 11),
    };
    p.value = keep_value(t, row, &p.value_length);
    t->take.found = true;
    if (t->fn)
        return t->fn(t->opaque, &p);
    *t->one = p;
    return 1;
}

static int put(sh_db *db, const sh_parameter *p, sh_err *err)
{
    int status = sh_db_run(db, err,
                           "INSERT INTO parameters (name, version) VALUES (?1, ?2)"
                           " ON CONFLICT (name) DO UPDATE SET version = ?2",
                           "si", p->name, p->version);
    if (status == 0)
        status =
            sh_db_run(db, err,
                      "INSERT INTO parameter_versions (name, version, type, value, description, pattern,"
                      " key, tier, data_type, user, labels, modified_ms)"
                      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                      "sisbsssssssi", p->name, p->version, p->type, p->value, p->value_length, p->description,
                      p->pattern, p->key, p->tier, p->data_type, p->user, p->labels, p->modified_ms);
    if (status == 0)
        status = sh_db_run(db, err, "DELETE FROM parameter_versions WHERE name = ?1 AND version <= ?2", "si",
                           p->name, p->version - SH_PARAMETER_VERSIONS);
    return status;
}

int sh_parameter_put(sh_db *db, const sh_parameter *p, sh_err *err)
{
    int status = sh_db_begin(db, err);
    return status < 0 ? status : sh_db_end(db, put(db, p, err), err);
}

int sh_parameter_get(sh_db *db, sh_arena *arena, const char *name, int64_t version, sh_parameter *out,
                     sh_err *err)
{
    taker t = {.take = {.arena = arena}, .one = out};
    int status = sh_db_each(db, err,
                            COLUMNS " JOIN parameters AS p ON p.name = v.name WHERE v.name = ?1"
                                    " AND v.version = CASE ?2 WHEN 0 THEN p.version ELSE ?2 END",
                            take_parameter, &t, "si", name, version);
    return sh_take_end(&t.take, status, "a parameter", err, "there is no parameter %s", name);
}

int sh_parameter_versions(sh_db *db, const char *name, int64_t above, int64_t limit, sh_parameter_fn fn,
                          void *opaque, sh_err *err)
{
    taker t = {.fn = fn, .opaque = opaque};
    return sh_db_each(db, err, COLUMNS " WHERE v.name = ?1 AND v.version > ?2 ORDER BY v.version LIMIT ?3",
                      take_parameter, &t, "sii", name, above, limit);
}

int sh_parameters_list(sh_db *db, const char *prefix, const char *after, int64_t limit, sh_parameter_fn fn,
                       void *opaque, sh_err *err)
{
    taker t = {.fn = fn, .opaque = opaque};
    return sh_db_each(db, err,
                      COLUMNS " JOIN parameters AS p ON p.name = v.name AND p.version = v.version"
                              " WHERE p.name >= ?1 AND p.name > ?2 AND substr(p.name, 1, length(?1)) = ?1"
                              " ORDER BY p.name LIMIT ?3",
                      take_parameter, &t, "ssi", prefix, after, limit);
}

static int delete_one(sh_db *db, const char *name, sh_err *err)
{
    int status = sh_db_run(db, err, "DELETE FROM parameter_versions WHERE name = ?1", "s", name);
    if (status == 0)
        status = sh_db_run(db, err, "DELETE FROM parameters WHERE name = ?1", "s", name);
    if (status == 0 && sh_db_changes(db) == 0)
        status = sh_fail(err, SH_E_NOT_FOUND, "there is no parameter %s", name);
    return status;
}

int sh_parameter_delete(sh_db *db, const char *name, sh_err *err)
{
    int status = sh_db_begin(db, err);
    return status < 0 ? status : sh_db_end(db, delete_one(db, name, err), err);
}

int sh_parameter_set_labels(sh_db *db, const char *name, int64_t version, const char *labels, sh_err *err)
{
    return sh_db_run(db, err, "UPDATE parameter_versions SET labels = ?3 WHERE name = ?1 AND version = ?2",
                     "sis", name, version, labels);
}

int sh_parameter_tags(sh_db *db, sh_arena *arena, const char *name, const char **text, sh_err *err)
{
    sh_take_one_text t = {.take = {.arena = arena}, .text = text};
    int status =
        sh_db_each(db, err, "SELECT tags FROM parameters WHERE name = ?1", sh_take_text_row, &t, "s", name);
    return sh_take_end(&t.take, status, "tags", err, "there is no parameter %s", name);
}

int sh_parameter_set_tags(sh_db *db, const char *name, const char *text, sh_err *err)
{
    return sh_db_run(db, err, "UPDATE parameters SET tags = ?2 WHERE name = ?1", "ss", name, text);
}
