/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One connection behind a recursive lock. Prepared statements are kept in a small table by the address of
 * their SQL text; a statement that is in use (a row function that queries again) is prepared anew for that
 * one call. */
#include "cloud/store/db.h"
#include "base/log.h"
#include "cloud/store/schema.h"
#include "cloud/store/sync.h"
#include "cloud/store/turn.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_SIZE 512
#define CACHE_PROBES 8
#define MAX_DEPTH 16

typedef struct cached {
    const char *sql;
    sqlite3_stmt *statement;
    int busy;
} cached;

struct sh_db {
    sqlite3 *handle;
    sh_turn turn;
    sh_sync *sync; /* NULL: in memory, or not open yet */
    int depth;
    cached cache[CACHE_SIZE];
};

struct sh_row {
    sqlite3_stmt *statement;
};

/* Of this thread's last statement: outside a transaction the connection is another's by now. */
static _Thread_local int64_t last_changes, last_id;

static int db_fail(sh_db *db, int code, sh_err *err, const char *what)
{
    int status = SH_E_IO;
    if (code == SQLITE_FULL)
        status = SH_E_FULL;
    else if (code == SQLITE_NOMEM)
        status = SH_E_MEMORY;
    else if ((code & 0xff) == SQLITE_CONSTRAINT)
        status = SH_E_CONFLICT;
    else if (code == SQLITE_MISUSE || code == SQLITE_ERROR || code == SQLITE_RANGE)
        status = SH_E_INTERNAL;
    return sh_fail(err, status, "database: %s: %s", what,
                   db->handle ? sqlite3_errmsg(db->handle) : "no memory");
}

static int exec(sh_db *db, const char *sql, sh_err *err)
{
    int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : db_fail(db, code, err, sql);
}

static int take_version(void *opaque, const sh_row *row)
{
    *(int64_t *)opaque = sh_row_int(row, 0);
    return 1;
}

static int make_tables(sh_db *db, sh_err *err)
{
    int64_t version = 0;
    char pragma[64];
    int status = sh_db_each(db, err, "PRAGMA user_version", take_version, &version, "");
    if (status < 0)
        return status;
    if (version > SH_SCHEMA_VERSION)
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "the data folder was written by a newer version (schema %d, this program knows %d): "
                       "use that version, or another data folder",
                       (int)version, SH_SCHEMA_VERSION);
    status = sh_db_begin(db, err);
    if (status < 0)
        return status;
    for (int64_t i = version; status == 0 && i > 0 && i < SH_SCHEMA_VERSION; i++)
        status = exec(db, sh_schema_steps[i], err);
    for (int i = 0; status == 0 && sh_schema_all[i]; i++)
        status = exec(db, sh_schema_all[i], err);
    if (status == 0 &&
        version != SH_SCHEMA_VERSION) { /* else nothing is written: a full disk can be opened */
        snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d", SH_SCHEMA_VERSION);
        status = exec(db, pragma, err);
    }
    return sh_db_end(db, status, err);
}

/* The rest of a log that grows faster than it is copied: while nobody commits. */
static void copy_rest(void *opaque)
{
    sh_db *db = opaque;
    sh_turn_take(&db->turn);
    sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    sh_turn_give(&db->turn);
}

static int on_commit(void *opaque, sqlite3 *handle, const char *name, int pages)
{
    sh_db *db = opaque;
    sh_sync_committed(db->sync, pages);
    return SQLITE_OK;
}

/* From here on commits are not synced one by one. */
static int open_sync(sh_db *db, const char *path, sh_err *err)
{
    int status;
    if (strcmp(path, ":memory:") == 0)
        return 0;
    status = sh_sync_open(&db->sync, path, copy_rest, db, err);
    if (status == 0)
        status = exec(db, "PRAGMA synchronous = NORMAL", err);
    if (status == 0)
        sqlite3_wal_hook(db->handle, on_commit, db);
    return status;
}

int sh_db_open(sh_db **out, const char *path, sh_err *err)
{
    int status;
    sh_db *db = calloc(1, sizeof(*db));
    if (!db)
        return sh_fail(err, SH_E_MEMORY, "no memory for the database");
    sh_turn_init(&db->turn);
    int code = sqlite3_open_v2(path, &db->handle,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK) {
        status = db_fail(db, code, err, path);
        goto fail;
    }
    sqlite3_busy_timeout(db->handle, 10000);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    status = exec(db,
                  "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                  "PRAGMA recursive_triggers = ON;" /* INSERT OR REPLACE deletes, as triggers see it */
                  "PRAGMA cache_size = -16000;",
                  err);
    if (status < 0 || (status = make_tables(db, err)) < 0 || (status = open_sync(db, path, err)) < 0)
        goto fail;
    *out = db;
    return 0;
fail:
    sh_db_close(db);
    return status;
}

void sh_db_close(sh_db *db)
{
    if (!db)
        return;
    sh_sync_close(db->sync);
    if (db->handle)
        sqlite3_wal_hook(db->handle, NULL, NULL);
    for (int i = 0; i < CACHE_SIZE; i++)
        sqlite3_finalize(db->cache[i].statement);
    sqlite3_close(db->handle);
    sh_turn_destroy(&db->turn);
    free(db);
}

/* SQLite may end a whole transaction when a statement fails (disk, memory). What comes after in it, from a
 * caller that took the failure lightly, may not run outside of it. */
static int check_transaction(sh_db *db, sh_err *err)
{
    if (db->depth == 0 || !sqlite3_get_autocommit(db->handle))
        return 0;
    return sh_fail(err, SH_E_IO, "database: the transaction was rolled back when a statement of it failed");
}

/* Its place, else a free one, else that of another which has to go. */
static cached *find_cached(sh_db *db, const char *sql)
{
    size_t first = ((uintptr_t)sql >> 3) % CACHE_SIZE;
    cached *other = NULL;
    for (size_t i = 0; i < CACHE_PROBES; i++) {
        cached *entry = &db->cache[(first + i) % CACHE_SIZE];
        if (entry->sql == sql || !entry->sql)
            return entry;
        if (!other || (other->busy && !entry->busy))
            other = entry;
    }
    return other;
}

static int prepare(sh_db *db, const char *sql, cached **slot, sqlite3_stmt **statement, sh_err *err)
{
    cached *entry = find_cached(db, sql);
    *slot = NULL;
    if (entry->sql == sql && !entry->busy) {
        entry->busy = 1;
        *slot = entry;
        *statement = entry->statement;
        return 0;
    }
    int code = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
    if (code != SQLITE_OK)
        return db_fail(db, code, err, sql);
    if (!entry->busy) {
        sqlite3_finalize(entry->statement);
        *entry = (cached){.sql = sql, .statement = *statement, .busy = 1};
        *slot = entry;
    }
    return 0;
}

static void release(cached *slot, sqlite3_stmt *statement)
{
    if (!slot) {
        sqlite3_finalize(statement);
        return;
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    slot->busy = 0;
}

/* A statement without values and rows, of a transaction. */
static int verb(sh_db *db, const char *sql, sh_err *err)
{
    cached *slot;
    sqlite3_stmt *statement = NULL;
    int status = prepare(db, sql, &slot, &statement, err);
    if (status < 0)
        return status;
    int code = sqlite3_step(statement);
    if (code != SQLITE_DONE)
        status = db_fail(db, code, err, sql);
    release(slot, statement);
    return status;
}

/* Savepoints have all the same name: the innermost of that name is always this level's. */
static const char save_point[] = "SAVEPOINT level", save_release[] = "RELEASE level",
                  save_back[] = "ROLLBACK TO level", begin_all[] = "BEGIN IMMEDIATE", commit_all[] = "COMMIT";

/* Of sh_db_answer_begin: how deep, and the commit to wait for. */
static _Thread_local int answering;
static _Thread_local uint64_t answer_number;

/* Gives the lock back and, at the outermost level, waits until all that the caller can have seen is on disk.
 */
static void leave(sh_db *db, bool wait)
{
    uint64_t number = db->sync ? sh_sync_last(db->sync) : 0;
    bool outermost = sh_turn_give(&db->turn);
    if (!db->sync || !outermost)
        return;
    if (wait && answering)
        answer_number = number;
    else if (wait)
        sh_sync_wait(db->sync, number);
    else
        sh_sync_soon(db->sync);
}

void sh_db_answer_begin(sh_db *db)
{
    (void)db;
    if (answering++ == 0)
        answer_number = 0;
}

void sh_db_answer_end(sh_db *db)
{
    if (--answering == 0 && db->sync)
        sh_sync_wait(db->sync, answer_number);
}

static int begin(sh_db *db, sh_err *err)
{
    int status;
    if ((status = check_transaction(db, err)) < 0)
        ; /* said already */
    else if (db->depth >= MAX_DEPTH)
        status = sh_fail(err, SH_E_INTERNAL, "database: transactions nest deeper than %d", MAX_DEPTH);
    else
        status = verb(db, db->depth ? save_point : begin_all, err);
    if (status < 0) {
        sh_turn_give(&db->turn);
        return status;
    }
    db->depth++;
    return 0;
}

int sh_db_begin(sh_db *db, sh_err *err)
{
    sh_turn_take(&db->turn);
    return begin(db, err);
}

int sh_db_begin_politely(sh_db *db, sh_err *err)
{
    sh_turn_take_politely(&db->turn);
    return begin(db, err);
}

bool sh_db_wanted(sh_db *db)
{
    return sh_turn_wanted(&db->turn);
}

bool sh_db_inside(sh_db *db)
{
    sh_turn_take(&db->turn);
    bool inside = db->depth > 0;
    sh_turn_give(&db->turn);
    return inside;
}

static void roll_back(sh_db *db)
{
    sh_err ignored = {0};
    int status = 0;
    if (sqlite3_get_autocommit(db->handle)) /* SQLite has rolled back by itself, as after a full disk */
        return;
    if (db->depth > 0) {
        status = verb(db, save_back, &ignored);
        if (status == 0)
            status = verb(db, save_release, &ignored);
    } else {
        status = exec(db, "ROLLBACK", &ignored);
    }
    if (status < 0)
        sh_log(SH_LOG_WARNING, "store", "%s", ignored.message);
}

static int end(sh_db *db, int status, sh_err *err)
{
    int there = status >= 0 ? check_transaction(db, err) : 0;
    db->depth--;
    if (there < 0) {
        status = there;
    } else if (status >= 0) {
        int ended = verb(db, db->depth ? save_release : commit_all, err);
        if (ended < 0)
            status = ended;
    }
    if (status < 0)
        roll_back(db);
    return status;
}

int sh_db_end(sh_db *db, int status, sh_err *err)
{
    status = end(db, status, err);
    leave(db, true);
    return status;
}

int sh_db_end_later(sh_db *db, int status, sh_err *err)
{
    status = end(db, status, err);
    leave(db, false);
    return status;
}

static int bind_one(sqlite3_stmt *statement, int index, char type, sqlite3_destructor_type keep,
                    va_list *args)
{
    switch (type) {
    case 's':
        return sqlite3_bind_text(statement, index, va_arg(*args, const char *), -1, keep);
    case 'i':
        return sqlite3_bind_int64(statement, index, va_arg(*args, int64_t));
    case 'd':
        return sqlite3_bind_double(statement, index, va_arg(*args, double));
    case 'b': {
        const void *bytes = va_arg(*args, const void *);
        size_t length = va_arg(*args, size_t);
        return sqlite3_bind_blob64(statement, index, bytes, length, keep);
    }
    default:
        return SQLITE_MISUSE;
    }
}

static int run_rows(sh_db *db, sqlite3_stmt *statement, const char *sql, sh_row_fn fn, void *opaque,
                    sh_err *err)
{
    sh_row row = {statement};
    for (;;) {
        int code = sqlite3_step(statement);
        if (code == SQLITE_DONE)
            return 0;
        if (code != SQLITE_ROW)
            return db_fail(db, code, err, sql);
        int answer = fn ? fn(opaque, &row) : 0;
        if (answer)
            return answer < 0 ? answer : 0;
    }
}

static int run(sh_db *db, sh_err *err, const char *sql, sh_row_fn fn, void *opaque, const char *types,
               va_list *args)
{
    cached *slot;
    sqlite3_stmt *statement = NULL;
    /* A row function may write to what a value points to. */
    sqlite3_destructor_type keep = fn ? SQLITE_TRANSIENT : SQLITE_STATIC;
    sh_turn_take(&db->turn);
    int status = check_transaction(db, err);
    if (status == 0)
        status = prepare(db, sql, &slot, &statement, err);
    if (status < 0)
        goto done;
    for (int i = 0; status == 0 && types[i]; i++) {
        int code = bind_one(statement, i + 1, types[i], keep, args);
        if (code != SQLITE_OK)
            status = db_fail(db, code, err, sql);
    }
    if (status == 0)
        status = run_rows(db, statement, sql, fn, opaque, err);
    last_changes = sqlite3_changes64(db->handle);
    last_id = sqlite3_last_insert_rowid(db->handle);
    release(slot, statement);
done:
    leave(db, true);
    return status;
}

int sh_db_run(sh_db *db, sh_err *err, const char *sql, const char *types, ...)
{
    va_list args;
    va_start(args, types);
    int status = run(db, err, sql, NULL, NULL, types, &args);
    va_end(args);
    return status;
}

int sh_db_each(sh_db *db, sh_err *err, const char *sql, sh_row_fn fn, void *opaque, const char *types, ...)
{
    va_list args;
    va_start(args, types);
    int status = run(db, err, sql, fn, opaque, types, &args);
    va_end(args);
    return status;
}

int64_t sh_db_changes(const sh_db *db)
{
    (void)db;
    return last_changes;
}

int64_t sh_db_last_id(const sh_db *db)
{
    (void)db;
    return last_id;
}

const char *sh_row_text(const sh_row *row, int column)
{
    return (const char *)sqlite3_column_text(row->statement, column);
}

const void *sh_row_blob(const sh_row *row, int column, size_t *length)
{
    const void *bytes = sqlite3_column_blob(row->statement, column);
    *length = (size_t)sqlite3_column_bytes(row->statement, column);
    return bytes;
}

int64_t sh_row_int(const sh_row *row, int column)
{
    return sqlite3_column_int64(row->statement, column);
}

double sh_row_real(const sh_row *row, int column)
{
    return sqlite3_column_double(row->statement, column);
}

int sh_row_is_null(const sh_row *row, int column)
{
    return sqlite3_column_type(row->statement, column) == SQLITE_NULL;
}

void sh_db_counts(sh_db *db, uint64_t *commits, uint64_t *syncs)
{
    *commits = db->sync ? sh_sync_last(db->sync) : 0;
    *syncs = db->sync ? sh_sync_count(db->sync) : 0;
}
