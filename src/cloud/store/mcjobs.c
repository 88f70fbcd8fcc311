/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/mcjobs.h"
#include "cloud/store/schema.h"
#include "cloud/store/take.h"

const char sh_schema_mcjobs[] =
    "CREATE TABLE IF NOT EXISTS mcjobs ("
    " sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, status TEXT NOT NULL,"
    " request TEXT NOT NULL, token TEXT UNIQUE, priority INTEGER NOT NULL, created_ms INTEGER NOT NULL,"
    " started_ms INTEGER NOT NULL, finished_ms INTEGER NOT NULL, percent INTEGER NOT NULL,"
    " phase TEXT NOT NULL, error_code INTEGER NOT NULL, error TEXT NOT NULL, details TEXT NOT NULL,"
    " queue TEXT NOT NULL DEFAULT 'Default', settings TEXT);"
    "CREATE INDEX IF NOT EXISTS mcjobs_queue ON mcjobs (status, priority DESC, sequence);";

#define COLUMNS                                                                                              \
    "sequence, id, status, request, token, priority, created_ms, started_ms, finished_ms, percent, phase,"   \
    " error_code, error, details, queue, settings"

int sh_mcjob_insert(sh_db *db, const sh_mcjob *job, sh_err *err)
{
    return sh_db_run(db, err,
                     "INSERT INTO mcjobs (id, status, request, token, priority, created_ms, started_ms,"
                     " finished_ms, percent, phase, error_code, error, details, queue, settings)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
                     "ssssiiiiisissss", job->id, job->status, job->request, job->token, job->priority,
                     job->created_ms, job->started_ms, job->finished_ms, job->percent, job->phase,
                     job->error_code, job->error, job->details, job->queue, job->settings);
}

static sh_mcjob read_row(sh_take *take, const sh_row *row)
{
    return (sh_mcjob){.sequence = sh_row_int(row, 0),
                      .id = sh_take_text(take, row, 1),
                      .status = sh_take_text(take, row, 2),
                      .request = sh_take_text(take, row, 3),
                      .token = sh_take_text(take, row, 4),
                      .priority = sh_row_int(row, 5),
                      .created_ms = sh_row_int(row, 6),
                      .started_ms = sh_row_int(row, 7),
                      .finished_ms = sh_row_int(row, 8),
                      .percent = sh_row_int(row, 9),
                      .phase = sh_take_text(take, row, 10),
                      .error_code = sh_row_int(row, 11),
                      .error = sh_take_text(take, row, 12),
                      .details = sh_take_text(take, row, 13),
                      .queue = sh_take_text(take, row, 14),
                      .settings = sh_take_text(take, row, 15)};
}

typedef struct getting {
    sh_take take;
    sh_mcjob *out;
} getting;

static int take(void *opaque, const sh_row *row)
{
    getting *g = opaque;
    sh_mcjob job = read_row(&g->take, row);
    if (!g->take.failed)
        *g->out = job;
    g->take.found = true;
    return 1;
}

static int got(int status, const getting *g, const char *what, sh_err *err)
{
    return sh_take_end(&g->take, status, "a job's row", err, "there is no job %s", what);
}

int sh_mcjob_get(sh_db *db, sh_arena *arena, const char *id, sh_mcjob *out, sh_err *err)
{
    getting g = {.take = {.arena = arena}, .out = out};
    int status = sh_db_each(db, err, "SELECT " COLUMNS " FROM mcjobs WHERE id = ?1", take, &g, "s", id);
    return got(status, &g, id, err);
}

int sh_mcjob_by_token(sh_db *db, sh_arena *arena, const char *token, sh_mcjob *out, sh_err *err)
{
    getting g = {.take = {.arena = arena}, .out = out};
    int status = sh_db_each(db, err, "SELECT " COLUMNS " FROM mcjobs WHERE token = ?1", take, &g, "s", token);
    return got(status, &g, token, err);
}

int sh_mcjob_next(sh_db *db, sh_arena *arena, sh_mcjob *out, sh_err *err)
{
    getting g = {.take = {.arena = arena}, .out = out};
    int answer =
        sh_db_each(db, err,
                   "SELECT " COLUMNS " FROM mcjobs WHERE status = 'SUBMITTED'"
                   " AND NOT EXISTS (SELECT 1 FROM mckept WHERE kind = 'queues' AND name = queue"
                   " AND json_extract(body, '$.status') = 'PAUSED') ORDER BY priority DESC, sequence LIMIT 1",
                   take, &g, "");
    return got(answer, &g, "to be made", err);
}

int sh_mcjob_requeue(sh_db *db, sh_err *err)
{
    return sh_db_run(db, err,
                     "UPDATE mcjobs SET status = 'SUBMITTED', percent = 0, phase = ''"
                     " WHERE status = 'PROGRESSING'",
                     "");
}

int sh_mcjob_save(sh_db *db, const sh_mcjob *job, const char *expected, sh_err *err)
{
    int status = sh_db_begin(db, err);
    if (status < 0)
        return status;
    status =
        sh_db_run(db, err,
                  "UPDATE mcjobs SET status = ?1, started_ms = ?2, finished_ms = ?3, percent = ?4,"
                  " phase = ?5, error_code = ?6, error = ?7, details = ?8 WHERE id = ?9 AND status = ?10",
                  "siiisissss", job->status, job->started_ms, job->finished_ms, job->percent, job->phase,
                  job->error_code, job->error, job->details, job->id, expected);
    if (status == 0 && sh_db_changes(db) == 0)
        status = sh_fail(err, SH_E_CONFLICT, "job %s is no longer %s", job->id, expected);
    return sh_db_end(db, status, err);
}

int sh_mcjob_set_request(sh_db *db, const char *id, const char *request, sh_err *err)
{
    return sh_db_run(db, err, "UPDATE mcjobs SET request = ?1 WHERE id = ?2", "ss", request, id);
}

int sh_mcjob_progress(sh_db *db, const char *id, int64_t percent, const char *phase, sh_err *err)
{
    return sh_db_run(db, err,
                     "UPDATE mcjobs SET percent = ?1, phase = ?2 WHERE id = ?3 AND status = 'PROGRESSING'",
                     "iss", percent, phase, id);
}

int sh_mcjob_count(sh_db *db, const char *queue, const char *status, int64_t *count, sh_err *err)
{
    return sh_db_each(db, err, "SELECT count(*) FROM mcjobs WHERE status = ?1 AND queue = ?2", sh_take_number,
                      count, "ss", status, queue);
}

typedef struct listing {
    sh_mcjob_fn fn;
    void *opaque;
} listing;

static int hand_on(void *opaque, const sh_row *row)
{
    listing *l = opaque;
    sh_take borrowed = {0};
    sh_mcjob job = read_row(&borrowed, row);
    return l->fn(l->opaque, &job);
}

int sh_mcjob_list(sh_db *db, const sh_mcjob_query *q, sh_mcjob_fn fn, void *opaque, sh_err *err)
{
    listing l = {fn, opaque};
#define WHERE " FROM mcjobs WHERE (?1 IS NULL OR status = ?1) AND (?2 IS NULL OR queue = ?2)"
    if (q->ascending)
        return sh_db_each(db, err, "SELECT " COLUMNS WHERE " AND sequence > ?3 ORDER BY sequence LIMIT ?4",
                          hand_on, &l, "ssii", q->status, q->queue, q->after, q->limit);
    return sh_db_each(
        db, err, "SELECT " COLUMNS WHERE " AND (?3 = 0 OR sequence < ?3) ORDER BY sequence DESC LIMIT ?4",
        hand_on, &l, "ssii", q->status, q->queue, q->after, q->limit);
}
