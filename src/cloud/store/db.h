/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_DB_H
#define SH_STORE_DB_H
/* The one owner of state: one SQLite database in WAL mode, one connection, one writer. The files of
 * src/cloud/store each own some tables and offer functions over them; nobody else writes SQL.
 *
 * Transactions nest: sh_db_begin takes a recursive lock and opens a transaction (a savepoint inside another),
 * sh_db_end closes it. Single statements outside a transaction commit by themselves. No transaction is held
 * across I/O other than the database's, and none across a response.
 *
 * Every function returns, at the outermost level, when what it committed *and what it may have read* is on
 * disk (sync.h: one sync of the disk for many commits, outside the lock). So an answer never tells of what a
 * loss of power could undo, and no effect on the outside comes before its intent is durable. Who only goes on
 * with rows, as the runner of executions, need not wait: sh_db_end_later. */
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sh_db sh_db;
typedef struct sh_row sh_row;

/* Opens or makes the database and brings its tables up to date. A database of a newer program is refused. */
int sh_db_open(sh_db **out, const char *path, sh_err *err);
void sh_db_close(sh_db *db); /* NULL is fine */

int sh_db_begin(sh_db *db, sh_err *err);
/* Commits when status >= 0, else rolls back to sh_db_begin. Returns status, or the error of the commit. */
int sh_db_end(sh_db *db, int status, sh_err *err);

/* For work in long batches: lets others who wait for the database go first (for some milliseconds at most);
 * whether there are any; and an end that does not wait for the disk: it is synced soon, and before any later
 * commit is. */
int sh_db_begin_politely(sh_db *db, sh_err *err);
bool sh_db_wanted(sh_db *db);
bool sh_db_inside(sh_db *db); /* whether this thread is inside a transaction */
int sh_db_end_later(sh_db *db, int status, sh_err *err);

/* Between the two, this thread's calls do not wait for the disk; the second waits once for all of them. For
 * who does nothing with what he writes and reads but answer afterwards. They nest. */
void sh_db_answer_begin(sh_db *db);
void sh_db_answer_end(sh_db *db);

/* Values are given by `types`, a letter each: s const char* (NULL is SQL NULL), i int64_t, d double,
 * b const void* and size_t. Pass int64_t values as int64_t: (int64_t)1. `sql` is a string literal: statements
 * are kept prepared by its address. */
int sh_db_run(sh_db *db, sh_err *err, const char *sql, const char *types, ...);
/* Calls fn for each row until it returns non-zero. Returns 0, fn's own negative value, or an error; a
 * positive value of fn ends the loop and counts as 0. fn may not change the database. */
typedef int (*sh_row_fn)(void *opaque, const sh_row *row);
int sh_db_each(sh_db *db, sh_err *err, const char *sql, sh_row_fn fn, void *opaque, const char *types, ...);
int64_t sh_db_changes(const sh_db *db); /* rows that this thread's last sh_db_run changed */
/* Commits, and syncs of the disk for them, since the database was opened. */
void sh_db_counts(sh_db *db, uint64_t *commits, uint64_t *syncs);
int64_t sh_db_last_id(const sh_db *db); /* rowid of this thread's last insert */

/* Borrowed until the row function returns. Text of SQL NULL is NULL, its number 0. */
const char *sh_row_text(const sh_row *row, int column);
const void *sh_row_blob(const sh_row *row, int column, size_t *length);
int64_t sh_row_int(const sh_row *row, int column);
double sh_row_real(const sh_row *row, int column);
int sh_row_is_null(const sh_row *row, int column);

#endif
