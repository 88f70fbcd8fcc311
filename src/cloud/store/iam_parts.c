/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What hangs on an entity of IAM and has a content of its own. */
#include "cloud/store/iam.h"
#include "cloud/store/take.h"

#include <string.h>

/* ---- inline policies ---- */

int sh_iam_inline_put(sh_db *db, int64_t owner, const char *name, const char *document, sh_err *err)
{
    return sh_db_run(db, err,
                     "INSERT OR REPLACE INTO iam_inline (entity, name, document) VALUES (?1, ?2, ?3)", "iss",
                     owner, name, document);
}

typedef struct named_taker {
    sh_take take;
    const char **one;
    sh_iam_named_fn fn;
    void *opaque;
} named_taker;

static int take_named(void *opaque, const sh_row *row)
{
    named_taker *t = opaque;
    t->take.found = true;
    if (t->fn)
        return t->fn(t->opaque, sh_row_text(row, 0), sh_row_text(row, 1));
    *t->one = sh_take_text(&t->take, row, 1);
    return 1;
}

int sh_iam_inline_get(sh_db *db, sh_arena *arena, int64_t owner, const char *name, const char **document,
                      sh_err *err)
{
    named_taker t = {.take = {.arena = arena}, .one = document};
    int status = sh_db_each(db, err, "SELECT name, document FROM iam_inline WHERE entity = ?1 AND name = ?2",
                            take_named, &t, "is", owner, name);
    return sh_take_end(&t.take, status, "a policy", err, "no such policy: %s", name);
}

int sh_iam_inline_list(sh_db *db, int64_t owner, const char *after, int64_t limit, sh_iam_named_fn fn,
                       void *opaque, sh_err *err)
{
    named_taker t = {.fn = fn, .opaque = opaque};
    return sh_db_each(db, err,
                      "SELECT name, document FROM iam_inline WHERE entity = ?1 AND name > ?2 ORDER BY name"
                      " LIMIT ?3",
                      take_named, &t, "isi", owner, after, limit);
}

int sh_iam_inline_delete(sh_db *db, int64_t owner, const char *name, sh_err *err)
{
    int status =
        sh_db_run(db, err, "DELETE FROM iam_inline WHERE entity = ?1 AND name = ?2", "is", owner, name);
    if (status == 0 && sh_db_changes(db) == 0)
        status = sh_fail(err, SH_E_NOT_FOUND, "no such policy: %s", name);
    return status;
}

/* ---- versions ---- */

int sh_iam_version_put(sh_db *db, int64_t policy, const sh_iam_policy_version *v, sh_err *err)
{
    return sh_db_run(db, err,
                     "INSERT INTO iam_versions (policy, number, created_ms, document)"
                     " VALUES (?1, ?2, ?3, ?4)",
                     "iiis", policy, v->number, v->created_ms, v->document);
}

typedef struct version_taker {
    sh_take take;
    sh_iam_policy_version *one;
    sh_iam_version_fn fn;
    void *opaque;
} version_taker;

static int take_version(void *opaque, const sh_row *row)
{
    version_taker *t = opaque;
    sh_iam_policy_version v = {
        .number = sh_row_int(row, 0),
        .created_ms = sh_row_int(row, 1),
        .document = sh_take_text(&t->take, row, 2),
    };
    t->take.found = true;
    if (t->fn)
        return t->fn(t->opaque, &v);
    *t->one = v;
    return 1;
}

int sh_iam_version_get(sh_db *db, sh_arena *arena, int64_t policy, int64_t number, sh_iam_policy_version *out,
                       sh_err *err)
{
    version_taker t = {.take = {.arena = arena}, .one = out};
    int status = sh_db_each(db, err,
                            "SELECT number, created_ms, document FROM iam_versions"
                            " WHERE policy = ?1 AND number = ?2",
                            take_version, &t, "ii", policy, number);
    return sh_take_end(&t.take, status, "a policy", err, "no such version of the policy");
}

int sh_iam_version_list(sh_db *db, int64_t policy, int64_t below, int64_t limit, sh_iam_version_fn fn,
                        void *opaque, sh_err *err)
{
    version_taker t = {.fn = fn, .opaque = opaque};
    return sh_db_each(db, err,
                      "SELECT number, created_ms, document FROM iam_versions"
                      " WHERE policy = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3",
                      take_version, &t, "iii", policy, below > 0 ? below : INT64_MAX, limit);
}

int sh_iam_version_delete(sh_db *db, int64_t policy, int64_t number, sh_err *err)
{
    return sh_db_run(db, err, "DELETE FROM iam_versions WHERE policy = ?1 AND number = ?2", "ii", policy,
                     number);
}

/* ---- access keys ---- */

int sh_iam_key_insert(sh_db *db, const sh_iam_key *k, sh_err *err)
{
    return sh_db_run(db, err,
                     "INSERT INTO iam_keys (id, user, active, created_ms, used_ms, sealed)"
                     " VALUES (?1, ?2, ?3, ?4, 0, ?5)",
                     "siiib", k->id, k->user, (int64_t)k->active, k->created_ms, (const void *)k->sealed,
                     k->sealed_length);
}

typedef struct key_taker {
    sh_take take;
    sh_iam_key *one;
    sh_iam_key_fn fn;
    void *opaque;
} key_taker;

static const unsigned char *take_sealed(key_taker *t, const sh_row *row, int column, size_t *length)
{
    const unsigned char *bytes = sh_row_blob(row, column, length);
    if (!t->take.arena || !bytes)
        return bytes;
    unsigned char *copy = sh_arena_alloc(t->take.arena, *length);
    if (copy)
        memcpy(copy, bytes, *length);
    else
        t->take.failed = true;
    return copy;
}

static int take_key(void *opaque, const sh_row *row)
{
    key_taker *t = opaque;
    sh_iam_key k = {
        .id = sh_take_text(&t->take, row, 0),
        .user = sh_row_int(row, 1),
        .active = sh_row_int(row, 2) != 0,
        .created_ms = sh_row_int(row, 3),
        .used_ms = sh_row_int(row, 4),
        .used_service = sh_take_text(&t->take, row, 5),
    };
    k.sealed = take_sealed(t, row, 6, &k.sealed_length);
    t->take.found = true;
    if (t->fn)
        return t->fn(t->opaque, &k);
    *t->one = k;
    return 1;
}

#define KEY_COLUMNS "id, user, active, created_ms, used_ms, used_service, sealed FROM iam_keys "

int sh_iam_key_get(sh_db *db, sh_arena *arena, const char *id, sh_iam_key *out, sh_err *err)
{
    key_taker t = {.take = {.arena = arena}, .one = out};
    int status = sh_db_each(db, err, "SELECT " KEY_COLUMNS "WHERE id = ?1", take_key, &t, "s", id);
    return sh_take_end(&t.take, status, "an access key", err, "no such access key");
}

int sh_iam_key_list(sh_db *db, int64_t user, const char *after, int64_t limit, sh_iam_key_fn fn, void *opaque,
                    sh_err *err)
{
    key_taker t = {.fn = fn, .opaque = opaque};
    return sh_db_each(db, err, "SELECT " KEY_COLUMNS "WHERE user = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
                      take_key, &t, "isi", user, after, limit);
}

int sh_iam_key_activate(sh_db *db, const char *id, bool active, sh_err *err)
{
    return sh_db_run(db, err, "UPDATE iam_keys SET active = ?2 WHERE id = ?1", "si", id, (int64_t)active);
}

int sh_iam_key_delete(sh_db *db, const char *id, sh_err *err)
{
    return sh_db_run(db, err, "DELETE FROM iam_keys WHERE id = ?1", "s", id);
}

int sh_iam_key_used(sh_db *db, const char *id, int64_t ms, const char *service, sh_err *err)
{
    return sh_db_run(db, err, "UPDATE iam_keys SET used_ms = ?2, used_service = ?3 WHERE id = ?1", "sis", id,
                     ms, service);
}
