/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/maps.h"
#include "cloud/store/schema.h"
#include "cloud/store/take.h"

#include <string.h>

const char sh_schema_maps[] =
    "CREATE TABLE IF NOT EXISTS map_runs ("
    "  id INTEGER PRIMARY KEY, arn TEXT NOT NULL UNIQUE, execution INTEGER NOT NULL, execution_arn TEXT NOT "
    "NULL,"
    "  revision_row INTEGER NOT NULL, state_name TEXT NOT NULL, child_row INTEGER NOT NULL,"
    "  child_arn TEXT NOT NULL, express INTEGER NOT NULL, writes INTEGER NOT NULL,"
    "  parameters TEXT NOT NULL, status TEXT NOT NULL, stage INTEGER NOT NULL, started_ms INTEGER NOT NULL,"
    "  stopped_ms INTEGER NOT NULL, max_running INTEGER NOT NULL, failure_count INTEGER NOT NULL,"
    "  failure_percentage REAL NOT NULL, items INTEGER NOT NULL, children INTEGER NOT NULL,"
    "  next INTEGER NOT NULL, running INTEGER NOT NULL, failed_items INTEGER NOT NULL,"
    "  written INTEGER NOT NULL, redrive_count INTEGER NOT NULL DEFAULT 0,"
    "  redriven_ms INTEGER NOT NULL DEFAULT -1, result TEXT, error TEXT, cause TEXT);"
    "CREATE INDEX IF NOT EXISTS map_runs_execution ON map_runs (execution, id);"
    "CREATE INDEX IF NOT EXISTS map_runs_state ON map_runs (revision_row, state_name);"
    "CREATE INDEX IF NOT EXISTS map_runs_stage ON map_runs (stage) WHERE stage < 4;"
    "CREATE TABLE IF NOT EXISTS map_children ("
    "  run INTEGER NOT NULL, position INTEGER NOT NULL, items INTEGER NOT NULL, status INTEGER NOT NULL,"
    "  input TEXT, execution INTEGER, PRIMARY KEY (run, position)) WITHOUT ROWID;"
    "CREATE UNIQUE INDEX IF NOT EXISTS map_children_execution ON map_children (execution)"
    "  WHERE execution IS NOT NULL;"
    "CREATE INDEX IF NOT EXISTS map_children_running ON map_children (run) WHERE status = 1;";

/* ---- runs ---- */

int sh_map_insert(sh_db *db, sh_map_run *r, sh_err *err)
{
    int status = sh_db_run(
        db, err,
        "INSERT INTO map_runs (arn, execution, execution_arn, revision_row, state_name, child_row,"
        " parameters, status, stage, started_ms, stopped_ms, max_running, failure_count,"
        " failure_percentage, items, children, next, running, failed_items, written, child_arn,"
        " express, writes)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, -1, ?11, ?12, ?13, 0, 0, 0, 0, 0, 0,"
        " ?14, ?15, ?16)",
        "sisisissiiiidsii", r->arn, r->execution, r->execution_arn, r->revision_row, r->state_name,
        r->child_row, r->parameters, r->status, (int64_t)r->stage, r->started_ms, r->limit, r->failure_count,
        r->failure_percentage, r->child_arn, (int64_t)r->express, (int64_t)r->writes);
    r->id = sh_db_last_id(db);
    return status;
}

typedef struct run_taker {
    sh_take take;
    sh_map_run *one;
    sh_map_fn fn;
    void *opaque;
} run_taker;

#define RUN_COLUMNS                                                                                          \
    "id, arn, execution_arn, execution, revision_row, state_name, child_row, status, stage, started_ms,"     \
    " stopped_ms, max_running, failure_count, failure_percentage, items, children, next, running,"           \
    " failed_items, written, error, cause, child_arn, express, writes, redrive_count, redriven_ms, "

static int take_run(void *opaque, const sh_row *row)
{
    run_taker *t = opaque;
    sh_map_run r = {
        .id = sh_row_int(row, 0),
        .arn = sh_take_text(&t->take, row, 1),
        .execution_arn = sh_take_text(&t->take, row, 2),
        .execution = sh_row_int(row, 3),
        .revision_row = sh_row_int(row, 4),
        .state_name = sh_take_text(&t->take, row, 5),
        .child_row = sh_row_int(row, 6),
        .status = sh_take_text(&t->take, row, 7),
        .stage = (sh_map_stage)sh_row_int(row, 8),
        .started_ms = sh_row_int(row, 9),
        .stopped_ms = sh_row_int(row, 10),
        .limit = sh_row_int(row, 11),
        .failure_count = sh_row_int(row, 12),
        .failure_percentage = sh_row_real(row, 13),
        .items = sh_row_int(row, 14),
        .children = sh_row_int(row, 15),
        .next = sh_row_int(row, 16),
        .running = sh_row_int(row, 17),
        .failed_items = sh_row_int(row, 18),
        .written = sh_row_int(row, 19),
        .error = sh_take_text(&t->take, row, 20),
        .cause = sh_take_text(&t->take, row, 21),
        .child_arn = sh_take_text(&t->take, row, 22),
        .express = sh_row_int(row, 23) != 0,
        .writes = sh_row_int(row, 24) != 0,
        .redrive_count = sh_row_int(row, 25),
        .redriven_ms = sh_row_int(row, 26),
        .parameters = sh_take_text(&t->take, row, 27),
        .result = sh_take_text(&t->take, row, 28),
    };
    t->take.found = true;
    if (t->fn)
        return t->fn(t->opaque, &r);
    *t->one = r;
    return 1;
}

static int one_run(const sh_take *take, int status, sh_err *err)
{
    return sh_take_end(take, status, "the run of a Map state", err, "no such run of a Map state");
}

int sh_map_get(sh_db *db, sh_arena *arena, const char *arn, sh_map_run *out, sh_err *err)
{
    run_taker t = {.take = {.arena = arena}, .one = out};
    int status = sh_db_each(db, err, "SELECT " RUN_COLUMNS "parameters, result FROM map_runs WHERE arn = ?1",
                            take_run, &t, "s", arn);
    return one_run(&t.take, status, err);
}

int sh_map_by_id(sh_db *db, sh_arena *arena, int64_t id, sh_map_run *out, sh_err *err)
{
    run_taker t = {.take = {.arena = arena}, .one = out};
    int status = sh_db_each(db, err, "SELECT " RUN_COLUMNS "parameters, result FROM map_runs WHERE id = ?1",
                            take_run, &t, "i", id);
    return one_run(&t.take, status, err);
}

int sh_map_brief(sh_db *db, sh_arena *arena, int64_t id, sh_map_run *out, sh_err *err)
{
    run_taker t = {.take = {.arena = arena}, .one = out};
    int status = sh_db_each(db, err, "SELECT " RUN_COLUMNS "NULL, NULL FROM map_runs WHERE id = ?1", take_run,
                            &t, "i", id);
    return one_run(&t.take, status, err);
}

int sh_map_save(sh_db *db, const sh_map_run *r, sh_err *err)
{
    return sh_db_run(db, err,
                     "UPDATE map_runs SET status = ?2, stage = ?3, stopped_ms = ?4, max_running = ?5,"
                     " failure_count = ?6, failure_percentage = ?7, items = ?8, children = ?9, next = ?10,"
                     " running = ?11, failed_items = ?12, written = ?13, error = ?14, cause = ?15"
                     " WHERE id = ?1",
                     "isiiiidiiiiiiss", r->id, r->status, (int64_t)r->stage, r->stopped_ms, r->limit,
                     r->failure_count, r->failure_percentage, r->items, r->children, r->next, r->running,
                     r->failed_items, r->written, r->error, r->cause);
}

int sh_map_set_result(sh_db *db, int64_t id, const char *result, sh_err *err)
{
    return sh_db_run(db, err, "UPDATE map_runs SET result = ?2 WHERE id = ?1", "is", id, result);
}

int sh_map_redrive(sh_db *db, int64_t id, int64_t now_ms, sh_err *err)
{
    return sh_db_run(db, err,
                     "UPDATE map_runs SET status = 'RUNNING', stopped_ms = -1, error = NULL, cause = NULL,"
                     " stage = iif(children = 0, 0, 2), redrive_count = redrive_count + 1, redriven_ms = ?2"
                     " WHERE id = ?1",
                     "ii", id, now_ms);
}

int sh_map_children_reset(sh_db *db, int64_t run, sh_err *err)
{
    return sh_db_run(db, err, "UPDATE map_children SET status = 0 WHERE run = ?1 AND status > 2", "i", run);
}

int sh_map_child_row(sh_db *db, int64_t revision_row, const char *state_name, int64_t *row, sh_err *err)
{
    *row = 0;
    return sh_db_each(db, err,
                      "SELECT child_row FROM map_runs WHERE revision_row = ?1 AND state_name = ?2 LIMIT 1",
                      sh_take_number, row, "is", revision_row, state_name);
}

int sh_map_due(sh_db *db, int64_t *ids, size_t *count, sh_err *err)
{
    sh_take_ids t = {ids, 0};
    int status = sh_db_each(
        db, err,
        "SELECT id FROM map_runs WHERE stage < 4 AND (stage <> 1 OR (next < children AND (max_running = 0"
        " OR running < max_running)) OR (next = children AND running = 0)) ORDER BY id LIMIT ?1",
        sh_take_id, &t, "i", (int64_t)*count);
    *count = t.count;
    return status;
}

int sh_map_list(sh_db *db, int64_t execution, int64_t below, int64_t limit, sh_map_fn fn, void *opaque,
                sh_err *err)
{
    run_taker t = {.fn = fn, .opaque = opaque};
    return sh_db_each(db, err,
                      "SELECT " RUN_COLUMNS "NULL, NULL FROM map_runs WHERE execution = ?1 AND id < ?2"
                      " ORDER BY id DESC LIMIT ?3",
                      take_run, &t, "iii", execution, below > 0 ? below : INT64_MAX, limit);
}

/* ---- children ---- */

int sh_map_child_add(sh_db *db, const sh_map_child *c, sh_err *err)
{
    return sh_db_run(
        db, err, "INSERT INTO map_children (run, position, items, status, input) VALUES (?1, ?2, ?3, 0, ?4)",
        "iiis", c->run, c->position, c->items, c->input);
}

int sh_map_children_clear(sh_db *db, int64_t run, sh_err *err)
{
    return sh_db_run(db, err, "DELETE FROM map_children WHERE run = ?1", "i", run);
}

typedef struct child_taker {
    sh_take take;
    sh_map_child *one;
} child_taker;

static int take_child(void *opaque, const sh_row *row)
{
    child_taker *t = opaque;
    *t->one = (sh_map_child){
        .run = sh_row_int(row, 0),
        .position = sh_row_int(row, 1),
        .items = sh_row_int(row, 2),
        .status = (sh_map_child_status)sh_row_int(row, 3),
        .execution = sh_row_int(row, 4),
        .input = t->take.arena ? sh_take_text(&t->take, row, 5) : NULL,
    };
    t->take.found = true;
    return 1;
}

static int one_child(const sh_take *take, int status, sh_err *err)
{
    return sh_take_end(take, status, "a child execution", err, "no such child execution");
}

int sh_map_child_get(sh_db *db, sh_arena *arena, int64_t run, int64_t position, sh_map_child *out,
                     sh_err *err)
{
    child_taker t = {.take = {.arena = arena}, .one = out};
    int status = sh_db_each(db, err,
                            "SELECT run, position, items, status, execution, input FROM map_children"
                            " WHERE run = ?1 AND position = ?2",
                            take_child, &t, "ii", run, position);
    return one_child(&t.take, status, err);
}

int sh_map_child_find(sh_db *db, int64_t execution, sh_map_child *out, sh_err *err)
{
    child_taker t = {.one = out};
    int status = sh_db_each(db, err,
                            "SELECT run, position, items, status, execution FROM map_children"
                            " WHERE execution = ?1 AND execution IS NOT NULL",
                            take_child, &t, "i", execution);
    return one_child(&t.take, status, err);
}

int sh_map_child_started(sh_db *db, int64_t run, int64_t position, int64_t execution, sh_err *err)
{
    return sh_db_run(db, err,
                     "UPDATE map_children SET status = 1, input = NULL, execution = ?3"
                     " WHERE run = ?1 AND position = ?2",
                     "iii", run, position, execution);
}

int sh_map_child_ended(sh_db *db, const sh_map_child *child, sh_map_child_status status, sh_err *err)
{
    return sh_db_run(db, err, "UPDATE map_children SET status = ?3 WHERE run = ?1 AND position = ?2", "iii",
                     child->run, child->position, (int64_t)status);
}

int sh_map_children_running(sh_db *db, int64_t run, int64_t *ids, size_t *count, sh_err *err)
{
    sh_take_ids t = {ids, 0};
    int status =
        sh_db_each(db, err, "SELECT execution FROM map_children WHERE run = ?1 AND status = 1 LIMIT ?2",
                   sh_take_id, &t, "ii", run, (int64_t)*count);
    *count = t.count;
    return status;
}

static int take_count(void *opaque, const sh_row *row)
{
    sh_map_counts *counts = opaque;
    int64_t status = sh_row_int(row, 0);
    if (status >= 0 && status < SH_CHILD_STATUSES) {
        counts->children[status] = sh_row_int(row, 1);
        counts->items[status] = sh_row_int(row, 2);
    }
    return 0;
}

int sh_map_count(sh_db *db, int64_t run, sh_map_counts *out, sh_err *err)
{
    *out = (sh_map_counts){0};
    return sh_db_each(db, err,
                      "SELECT status, count(*), sum(items) FROM map_children WHERE run = ?1 GROUP BY status",
                      take_count, out, "i", run);
}

typedef struct result_taker {
    sh_map_result_fn fn;
    void *opaque;
} result_taker;

static int take_result(void *opaque, const sh_row *row)
{
    result_taker *t = opaque;
    sh_map_result r = {
        .position = sh_row_int(row, 0),
        .status = (sh_map_child_status)sh_row_int(row, 1),
        .execution = sh_row_int(row, 2),
        .arn = sh_row_text(row, 3),
        .name = sh_row_text(row, 4),
        .input = sh_row_text(row, 5),
        .output = sh_row_text(row, 6),
        .error = sh_row_text(row, 7),
        .cause = sh_row_text(row, 8),
        .started_ms = sh_row_int(row, 9),
        .stopped_ms = sh_row_int(row, 10),
        .items = sh_row_int(row, 11),
    };
    return t->fn(t->opaque, &r);
}

#define RESULT_COLUMNS                                                                                       \
    "SELECT c.position, c.status, c.execution, e.arn, e.name, coalesce(c.input, e.input), e.output,"         \
    " e.error, e.cause, e.started_ms, e.stopped_ms, c.items FROM map_children c"

int sh_map_list_children(sh_db *db, int64_t run, int64_t below, sh_map_result_fn fn, void *opaque,
                         sh_err *err)
{
    result_taker t = {fn, opaque};
    return sh_db_each(db, err,
                      RESULT_COLUMNS " JOIN executions e ON e.id = c.execution"
                                     " WHERE c.run = ?1 AND c.position < ?2 ORDER BY c.position DESC",
                      take_result, &t, "ii", run, below < 0 ? INT64_MAX : below);
}

int sh_map_results(sh_db *db, int64_t run, int64_t from, int64_t limit, sh_map_result_fn fn, void *opaque,
                   sh_err *err)
{
    result_taker t = {fn, opaque};
    return sh_db_each(db, err,
                      RESULT_COLUMNS " LEFT JOIN executions e ON e.id = c.execution"
                                     " WHERE c.run = ?1 AND c.position >= ?2 ORDER BY c.position LIMIT ?3",
                      take_result, &t, "iii", run, from, limit);
}
