/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/shares.h"
#include "cloud/store/schema.h"
#include "cloud/store/take.h"

const char sh_schema_shares[] =
    "CREATE TABLE IF NOT EXISTS shares ("
    "  id TEXT PRIMARY KEY, bucket TEXT NOT NULL, prefix TEXT NOT NULL, access_key TEXT NOT NULL,"
    "  principal TEXT NOT NULL, created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS shares_expires ON shares (expires_ms);";

#define COLUMNS "id, bucket, prefix, access_key, principal, created_ms, expires_ms"

typedef struct taker {
    sh_take take;
    sh_share *one;
    sh_share_fn fn;
    void *opaque;
} taker;

static int take(void *opaque, const sh_row *row)
{
    taker *t = opaque;
    sh_share share = {
        .id = sh_take_text(&t->take, row, 0),
        .bucket = sh_take_text(&t->take, row, 1),
        .prefix = sh_take_text(&t->take, row, 2),
        .access_key = sh_take_text(&t->take, row, 3),
        .principal = sh_take_text(&t->take, row, 4),
        .created_ms = sh_row_int(row, 5),
        .expires_ms = sh_row_int(row, 6),
    };
    t->take.found = true;
    if (t->fn)
        return t->fn(t->opaque, &share);
    *t->one = share;
    return 1;
}

static int insert(sh_db *db, const sh_share *s, int64_t forget_ms, sh_err *err)
{
    int64_t count = 0;
    int status = sh_db_run(db, err, "DELETE FROM shares WHERE expires_ms < ?1", "i", forget_ms);
    if (status == 0)
        status = sh_db_each(db, err, "SELECT COUNT(*) FROM shares", sh_take_number, &count, "");
    if (status == 0 && count >= SH_SHARES_MAX)
        status = sh_fail(err, SH_E_LIMIT, "there are %d shares: revoke some first", SH_SHARES_MAX);
    if (status == 0)
        status = sh_db_run(db, err, "INSERT INTO shares (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                           "sssssii", s->id, s->bucket, s->prefix, s->access_key, s->principal, s->created_ms,
                           s->expires_ms);
    return status;
}

int sh_share_add(sh_db *db, const sh_share *share, int64_t forget_ms, sh_err *err)
{
    int status = sh_db_begin(db, err);
    return status < 0 ? status : sh_db_end(db, insert(db, share, forget_ms, err), err);
}

int sh_share_get(sh_db *db, const char *id, sh_arena *arena, sh_share *out, sh_err *err)
{
    sh_share found = {0};
    taker t = {.take = {.arena = arena}, .one = &found};
    int status = sh_db_each(db, err, "SELECT " COLUMNS " FROM shares WHERE id = ?1", take, &t, "s", id);
    status = sh_take_end(&t.take, status, "a share", err, "there is no share %s", id);
    if (status == 0)
        *out = found;
    return status;
}

int sh_share_remove(sh_db *db, const char *id, sh_err *err)
{
    int status = sh_db_run(db, err, "DELETE FROM shares WHERE id = ?1", "s", id);
    if (status == 0 && sh_db_changes(db) == 0)
        status = sh_fail(err, SH_E_NOT_FOUND, "there is no share %s", id);
    return status;
}

int sh_share_each(sh_db *db, sh_share_fn fn, void *opaque, sh_err *err)
{
    taker t = {.fn = fn, .opaque = opaque};
    return sh_db_each(db, err, "SELECT " COLUMNS " FROM shares ORDER BY created_ms, id", take, &t, "");
}
