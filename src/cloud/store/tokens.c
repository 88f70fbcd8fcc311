/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/tokens.h"
#include "cloud/store/take.h"

#define COLUMNS                                                                                              \
    "execution, task, stage, state_name, service, subject, parameters, scheduled_event, news, queued"

typedef struct taker {
    sh_take take;
    sh_wait *one;
    sh_wait_fn fn;
    void *opaque;
} taker;

static int take(void *opaque, const sh_row *row)
{
    taker *t = opaque;
    sh_wait w = {
        .execution = sh_row_int(row, 0),
        .task = sh_row_int(row, 1),
        .stage = (sh_wait_stage)sh_row_int(row, 2),
        .state_name = sh_take_text(&t->take, row, 3),
        .service = sh_take_text(&t->take, row, 4),
        .subject = sh_take_text(&t->take, row, 5),
        .parameters = sh_take_text(&t->take, row, 6),
        .scheduled_event = sh_row_int(row, 7),
        .news = sh_take_text(&t->take, row, 8),
        .queued_ms = sh_row_int(row, 9),
    };
    t->take.found = true;
    if (t->fn)
        return t->fn(t->opaque, &w);
    *t->one = w;
    return 1;
}

int sh_wait_get(sh_db *db, sh_arena *arena, int64_t execution, int64_t started_ms, int64_t task, sh_wait *out,
                sh_err *err)
{
    taker t = {.take = {.arena = arena}, .one = out};
    int status = sh_db_each(db, err,
                            "SELECT " COLUMNS " FROM waits WHERE execution = ?1 AND task = ?3 AND EXISTS"
                            " (SELECT 1 FROM executions WHERE id = ?1 AND started_ms = ?2)",
                            take, &t, "iii", execution, started_ms, task);
    return sh_take_end(&t.take, status, "a task", err, "nobody waits for that task");
}

int sh_execution_started(sh_db *db, int64_t execution, int64_t *started_ms, sh_err *err)
{
    return sh_db_each(db, err, "SELECT started_ms FROM executions WHERE id = ?1", sh_take_number, started_ms,
                      "i", execution);
}

static int tell(sh_db *db, int64_t execution, int64_t task, const char *news, int64_t now_ms, sh_err *err)
{
    int status = sh_db_run(db, err,
                           "UPDATE waits SET stage = 3, news = ?3, queued = NULL WHERE execution = ?1 AND"
                           " task = ?2",
                           "iis", execution, task, news);
    if (status == 0 && sh_db_changes(db) == 0)
        return sh_fail(err, SH_E_NOT_FOUND, "nobody waits for that task");
    if (status == 0)
        status = sh_db_run(db, err,
                           "UPDATE executions SET due_ms = iif(due_ms IS NULL OR due_ms > ?2, ?2, due_ms)"
                           " WHERE id = ?1",
                           "ii", execution, now_ms);
    return status;
}

int sh_wait_tell(sh_db *db, int64_t execution, int64_t task, const char *news, int64_t now_ms, sh_err *err)
{
    int status = sh_db_begin(db, err);
    return status < 0 ? status : sh_db_end(db, tell(db, execution, task, news, now_ms, err), err);
}

int sh_wait_told(sh_db *db, int64_t execution, int64_t task, sh_err *err)
{
    return sh_db_run(
        db, err,
        "UPDATE waits SET stage = 1, news = NULL, parameters = NULL WHERE execution = ?1 AND task = ?2", "ii",
        execution, task);
}

int sh_wait_next(sh_db *db, sh_arena *arena, const char *service, const char *subject, sh_wait *out,
                 bool *found, sh_err *err)
{
    taker t = {.take = {.arena = arena}, .one = out};
    int status = sh_db_each(db, err,
                            "SELECT " COLUMNS " FROM waits WHERE service = ?1 AND subject = ?2 AND"
                            " queued IS NOT NULL ORDER BY queued, execution, task LIMIT 1",
                            take, &t, "ss", service, subject);
    *found = t.take.found;
    return status == 0 && t.take.failed ? sh_fail(err, SH_E_MEMORY, "no memory for a task") : status;
}

int sh_wait_queue(sh_db *db, const char *service, int64_t limit, sh_wait_fn fn, void *opaque, sh_err *err)
{
    taker t = {.fn = fn, .opaque = opaque};
    return sh_db_each(db, err,
                      "SELECT " COLUMNS " FROM waits WHERE service = ?1 AND queued IS NOT NULL"
                      " ORDER BY queued, execution, task LIMIT ?2",
                      take, &t, "si", service, limit);
}

static int take_any(void *opaque, const sh_row *row)
{
    (void)row;
    *(bool *)opaque = true;
    return 1;
}

int sh_execution_redrive(sh_db *db, int64_t execution, int64_t now_ms, const char *token, sh_err *err)
{
    return sh_db_run(db, err,
                     "UPDATE executions SET status = 'RUNNING', output = NULL, error = NULL, cause = NULL,"
                     " stopped_ms = -1, timer_ms = -1, due_ms = ?2, turn = 0, redriven_ms = ?2,"
                     " redrive_count = redrive_count + 1, redrive_token = ?3 WHERE id = ?1",
                     "iis", execution, now_ms, token);
}

int sh_execution_redriven_by(sh_db *db, int64_t execution, const char *token, bool *same, sh_err *err)
{
    *same = false;
    return sh_db_each(db, err, "SELECT 1 FROM executions WHERE id = ?1 AND redrive_token = ?2", take_any,
                      same, "is", execution, token);
}

int sh_wait_ready(sh_db *db, int64_t execution, bool *ready, sh_err *err)
{
    *ready = false;
    return sh_db_each(db, err, "SELECT 1 FROM waits WHERE execution = ?1 AND stage > 1 LIMIT 1", take_any,
                      ready, "i", execution);
}
