/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/commands.h"
#include "cloud/store/schema.h"
#include "cloud/store/take.h"

#define OPEN "status IN ('Pending', 'InProgress', 'Delayed', 'Cancelling')"

const char sh_schema_commands[] =
    "CREATE TABLE IF NOT EXISTS invocations ("
    " sequence INTEGER PRIMARY KEY AUTOINCREMENT,"
    " id TEXT NOT NULL, instance TEXT NOT NULL, document TEXT NOT NULL, comment TEXT NOT NULL,"
    " request TEXT NOT NULL, requested_ms INTEGER NOT NULL, deliver_by_ms INTEGER NOT NULL,"
    " expires_ms INTEGER NOT NULL, status TEXT NOT NULL, details TEXT NOT NULL, code INTEGER NOT NULL,"
    " start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, out TEXT NOT NULL, err TEXT NOT NULL,"
    " UNIQUE (id, instance));"
    "CREATE INDEX IF NOT EXISTS invocations_open ON invocations (instance, sequence)"
    " WHERE " OPEN ";"
    "CREATE INDEX IF NOT EXISTS invocations_ended ON invocations (end_ms);";

#define COLUMNS                                                                                              \
    "sequence, id, instance, document, comment, request, requested_ms, deliver_by_ms, expires_ms, status,"   \
    " details, code, start_ms, end_ms"

int sh_invocation_insert(sh_db *db, const sh_invocation *row, sh_err *err)
{
    return sh_db_run(db, err,
                     "INSERT INTO invocations (id, instance, document, comment, request, requested_ms,"
                     " deliver_by_ms, expires_ms, status, details, code, start_ms, end_ms, out, err)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
                     "sssssiiissiiiss", row->id, row->instance, row->document, row->comment, row->request,
                     row->requested_ms, row->deliver_by_ms, row->expires_ms, row->status, row->details,
                     row->code, row->start_ms, row->end_ms, row->out, row->err);
}

static sh_invocation read_row(sh_take *take, const sh_row *row, bool output)
{
    return (sh_invocation){.sequence = sh_row_int(row, 0),
                           .id = sh_take_text(take, row, 1),
                           .instance = sh_take_text(take, row, 2),
                           .document = sh_take_text(take, row, 3),
                           .comment = sh_take_text(take, row, 4),
                           .request = sh_take_text(take, row, 5),
                           .requested_ms = sh_row_int(row, 6),
                           .deliver_by_ms = sh_row_int(row, 7),
                           .expires_ms = sh_row_int(row, 8),
                           .status = sh_take_text(take, row, 9),
                           .details = sh_take_text(take, row, 10),
                           .code = sh_row_int(row, 11),
                           .start_ms = sh_row_int(row, 12),
                           .end_ms = sh_row_int(row, 13),
                           .out = output ? sh_take_text(take, row, 14) : "",
                           .err = output ? sh_take_text(take, row, 15) : ""};
}

typedef struct getting {
    sh_take take;
    sh_invocation *out;
} getting;

static int take(void *opaque, const sh_row *row)
{
    getting *g = opaque;
    sh_invocation r = read_row(&g->take, row, true);
    if (!g->take.failed)
        *g->out = r;
    g->take.found = true;
    return 1;
}

int sh_invocation_get(sh_db *db, sh_arena *arena, const char *id, const char *instance, sh_invocation *out,
                      sh_err *err)
{
    getting g = {.take = {.arena = arena}, .out = out};
    int status = sh_db_each(db, err,
                            "SELECT " COLUMNS ", out, err FROM invocations"
                            " WHERE id = ?1 AND (?2 IS NULL OR instance = ?2)",
                            take, &g, "ss", id, instance);
    return sh_take_end(&g.take, status, "a command's row", err, "there is no command %s on this node", id);
}

int sh_invocation_save(sh_db *db, const sh_invocation *row, const char *expected, sh_err *err)
{
    int status = sh_db_begin(db, err);
    if (status < 0)
        return status;
    status = sh_db_run(db, err,
                       "UPDATE invocations SET status = ?1, details = ?2, code = ?3, start_ms = ?4,"
                       " end_ms = ?5, out = ?6, err = ?7 WHERE id = ?8 AND instance = ?9 AND status = ?10",
                       "ssiiisssss", row->status, row->details, row->code, row->start_ms, row->end_ms,
                       row->out, row->err, row->id, row->instance, expected);
    if (status == 0 && sh_db_changes(db) == 0)
        status = sh_fail(err, SH_E_CONFLICT, "command %s is no longer %s", row->id, expected);
    return sh_db_end(db, status, err);
}

typedef struct listing {
    sh_invocation_fn fn;
    void *opaque;
    bool output;
} listing;

static int hand_on(void *opaque, const sh_row *row)
{
    listing *l = opaque;
    sh_take borrowed = {0};
    sh_invocation r = read_row(&borrowed, row, l->output);
    return l->fn(l->opaque, &r);
}

int sh_invocation_list(sh_db *db, const sh_invocation_query *query, sh_invocation_fn fn, void *opaque,
                       sh_err *err)
{
    listing l = {fn, opaque, true};
    return sh_db_each(db, err,
                      "SELECT " COLUMNS ", out, err FROM invocations"
                      " WHERE (?1 IS NULL OR id = ?1) AND (?2 IS NULL OR instance = ?2)"
                      " AND (?3 IS NULL OR status = ?3) AND (?4 IS NULL OR document = ?4)"
                      " AND requested_ms > ?5 AND (?6 = 0 OR requested_ms < ?6)"
                      " AND (?7 = 0 OR sequence < ?7)"
                      " AND (?9 = 0 OR sequence = (SELECT min(sequence) FROM invocations AS other"
                      " WHERE other.id = invocations.id)) ORDER BY sequence DESC LIMIT ?8",
                      hand_on, &l, "ssssiiiii", query->id, query->instance, query->status, query->document,
                      query->after_ms, query->before_ms, query->below, query->limit, (int64_t)query->once);
}

int sh_invocation_each_open(sh_db *db, const char *instance, sh_invocation_fn fn, void *opaque, sh_err *err)
{
    listing l = {fn, opaque, false};
    return sh_db_each(db, err,
                      "SELECT " COLUMNS " FROM invocations WHERE instance = ?1"
                      " AND " OPEN " ORDER BY sequence",
                      hand_on, &l, "s", instance);
}

static int hand_brief(void *opaque, const sh_row *row)
{
    const listing *l = opaque;
    const sh_invocation brief = {.sequence = sh_row_int(row, 0),
                                 .id = sh_row_text(row, 1),
                                 .instance = sh_row_text(row, 2),
                                 .requested_ms = sh_row_int(row, 3),
                                 .deliver_by_ms = sh_row_int(row, 4),
                                 .expires_ms = sh_row_int(row, 5),
                                 .status = sh_row_text(row, 6),
                                 .details = sh_row_text(row, 7),
                                 .start_ms = sh_row_int(row, 8)};
    return l->fn(l->opaque, &brief);
}

#define BRIEF                                                                                                \
    "SELECT sequence, id, instance, requested_ms, deliver_by_ms, expires_ms, status, details, start_ms"      \
    " FROM invocations WHERE " OPEN

int sh_invocation_each_brief(sh_db *db, const char *instance, sh_invocation_fn fn, void *opaque, sh_err *err)
{
    listing l = {fn, opaque, false};
    if (!instance)
        return sh_db_each(db, err, BRIEF " ORDER BY sequence", hand_brief, &l, "");
    return sh_db_each(db, err, BRIEF " AND instance = ?1 ORDER BY sequence", hand_brief, &l, "s", instance);
}

static int take_counts(void *opaque, const sh_row *row)
{
    *(sh_invocation_counts *)opaque = (sh_invocation_counts){.total = sh_row_int(row, 0),
                                                             .pending = sh_row_int(row, 1),
                                                             .running = sh_row_int(row, 2),
                                                             .failed = sh_row_int(row, 3)};
    return 1;
}

int sh_invocation_count(sh_db *db, const char *id, sh_invocation_counts *out, sh_err *err)
{
    return sh_db_each(db, err,
                      "SELECT count(*), sum(status = 'Pending'),"
                      " sum(status IN ('InProgress', 'Delayed', 'Cancelling')),"
                      " sum(status IN ('Failed', 'TimedOut')) FROM invocations WHERE id = ?1",
                      take_counts, out, "s", id);
}

static int take_summary(void *opaque, const sh_row *row)
{
    *(sh_invocation_summary *)opaque = (sh_invocation_summary){.total = sh_row_int(row, 0),
                                                               .pending = sh_row_int(row, 1),
                                                               .running = sh_row_int(row, 2),
                                                               .cancelling = sh_row_int(row, 3),
                                                               .errors = sh_row_int(row, 4),
                                                               .undelivered = sh_row_int(row, 5),
                                                               .cancelled = sh_row_int(row, 6),
                                                               .success = sh_row_int(row, 7)};
    return 1;
}

int sh_invocation_sum(sh_db *db, const char *id, sh_invocation_summary *out, sh_err *err)
{
    int status =
        sh_db_each(db, err,
                   "SELECT count(*), sum(status = 'Pending'), sum(status IN ('InProgress', 'Delayed')),"
                   " sum(status = 'Cancelling'), sum(status = 'Failed' OR details = 'ExecutionTimedOut'),"
                   " sum(details = 'DeliveryTimedOut'), sum(status = 'Cancelled'), sum(status = 'Success')"
                   " FROM invocations WHERE id = ?1",
                   take_summary, out, "s", id);
    return status < 0 ? status : 0;
}

int sh_invocation_abandon(sh_db *db, const char *instance, int64_t now_ms, const char *why, sh_err *err)
{
    return sh_db_run(
        db, err,
        "UPDATE invocations SET status = 'Failed', details = 'Terminated', code = 1, end_ms = ?2,"
        " err = ?3 WHERE instance <> ?1 AND " OPEN,
        "sis", instance, now_ms, why);
}

typedef struct ids {
    int (*fn)(void *opaque, const char *id);
    void *opaque;
} ids;

static int hand_id(void *opaque, const sh_row *row)
{
    ids *i = opaque;
    return i->fn(i->opaque, sh_row_text(row, 0));
}

int sh_invocation_each_ended(sh_db *db, int64_t before_ms, int (*fn)(void *opaque, const char *id),
                             void *opaque, sh_err *err)
{
    ids i = {fn, opaque};
    return sh_db_each(db, err,
                      "SELECT id FROM invocations WHERE end_ms > 0 AND end_ms < ?1"
                      " AND NOT " OPEN " LIMIT 1000",
                      hand_id, &i, "i", before_ms);
}

int sh_invocation_delete(sh_db *db, const char *id, sh_err *err)
{
    return sh_db_run(db, err, "DELETE FROM invocations WHERE id = ?1", "s", id);
}
