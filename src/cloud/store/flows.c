/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/flows.h"
#include "cloud/store/schema.h"
#include "cloud/store/take.h"

#include <string.h>

const char sh_schema_flows[] =
    "CREATE TABLE IF NOT EXISTS revisions ("
    "  row INTEGER PRIMARY KEY, arn TEXT NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL,"
    "  definition TEXT NOT NULL, role_arn TEXT NOT NULL, revision TEXT NOT NULL, logging TEXT, tracing TEXT,"
    "  created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, encryption TEXT);"
    "CREATE TABLE IF NOT EXISTS machines ("
    "  arn TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, revision_row INTEGER NOT NULL REFERENCES revisions,"
    "  tags TEXT NOT NULL, last_version INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS executions ("
    "  id INTEGER PRIMARY KEY, arn TEXT NOT NULL UNIQUE, name TEXT NOT NULL, machine_arn TEXT NOT NULL,"
    "  revision_row INTEGER NOT NULL REFERENCES revisions, status TEXT NOT NULL, input TEXT NOT NULL,"
    "  output TEXT, error TEXT, cause TEXT, state TEXT, started_ms INTEGER NOT NULL,"
    "  stopped_ms INTEGER NOT NULL, timer_ms INTEGER NOT NULL, due_ms INTEGER,"
    "  turn INTEGER NOT NULL, wall_ms INTEGER, redrive_count INTEGER NOT NULL DEFAULT 0, redriven_ms "
    "INTEGER, redrive_token TEXT, version_arn TEXT, alias_arn TEXT, trace_header TEXT);"
    "CREATE INDEX IF NOT EXISTS executions_due ON executions (turn, due_ms) WHERE due_ms IS NOT NULL;"
    "CREATE INDEX IF NOT EXISTS executions_machine ON executions (machine_arn, id);"
    "CREATE TABLE IF NOT EXISTS history ("
    "  execution INTEGER NOT NULL, id INTEGER NOT NULL, event TEXT NOT NULL, PRIMARY KEY (execution, id))"
    "  WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS waits ("
    "  execution INTEGER NOT NULL, task INTEGER NOT NULL, stage INTEGER NOT NULL, state_name TEXT NOT NULL,"
    "  service TEXT, subject TEXT, parameters TEXT, scheduled_event INTEGER NOT NULL,"
    "  queued INTEGER, news TEXT, PRIMARY KEY (execution, task)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS waits_subject ON waits (subject, service) WHERE subject IS NOT NULL;"
    "CREATE INDEX IF NOT EXISTS waits_queue ON waits (service, subject, queued) WHERE queued IS NOT NULL;";

/* ---- machines ---- */

int sh_revision_insert(sh_db *db, sh_machine *m, sh_err *err)
{
    int status = sh_db_run(db, err,
                           "INSERT INTO revisions (arn, name, type, definition, role_arn, revision, logging,"
                           " tracing, created_ms, updated_ms, encryption)"
                           " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                           "ssssssssiis", m->arn, m->name, m->type, m->definition, m->role_arn, m->revision,
                           m->logging, m->tracing, m->created_ms, m->updated_ms, m->encryption);
    m->revision_row = sh_db_last_id(db);
    return status;
}

int sh_machine_insert(sh_db *db, sh_machine *machine, sh_err *err)
{
    int status = sh_db_begin(db, err);
    if (status < 0)
        return status;
    status = sh_revision_insert(db, machine, err);
    if (status == 0)
        status =
            sh_db_run(db, err, "INSERT INTO machines (arn, name, revision_row, tags) VALUES (?1, ?2, ?3, ?4)",
                      "ssis", machine->arn, machine->name, machine->revision_row, machine->tags);
    return sh_db_end(db, status, err);
}

int sh_machine_update(sh_db *db, sh_machine *machine, sh_err *err)
{
    int status = sh_db_begin(db, err);
    if (status < 0)
        return status;
    status = sh_revision_insert(db, machine, err);
    if (status == 0)
        status = sh_db_run(db, err, "UPDATE machines SET revision_row = ?2 WHERE arn = ?1", "si",
                           machine->arn, machine->revision_row);
    if (status == 0 && sh_db_changes(db) == 0)
        status = sh_fail(err, SH_E_NOT_FOUND, "no state machine %s", machine->arn);
    return sh_db_end(db, status, err);
}

int sh_machine_set_tags(sh_db *db, const char *arn, const char *tags, sh_err *err)
{
    return sh_db_run(db, err, "UPDATE machines SET tags = ?2 WHERE arn = ?1", "ss", arn, tags);
}

typedef struct machine_taker {
    sh_take take;
    sh_machine *one;
    sh_machine_fn fn;
    void *opaque;
} machine_taker;

#define MACHINE_COLUMNS                                                                                      \
    "r.row, r.arn, r.name, r.type, r.role_arn, r.revision, r.logging, r.tracing, r.created_ms, "             \
    "r.updated_ms, r.encryption, "

static int take_machine(void *opaque, const sh_row *row)
{
    machine_taker *t = opaque;
    sh_machine m = {
        .revision_row = sh_row_int(row, 0),
        .arn = sh_take_text(&t->take, row, 1),
        .name = sh_take_text(&t->take, row, 2),
        .type = sh_take_text(&t->take, row, 3),
        .role_arn = sh_take_text(&t->take, row, 4),
        .revision = sh_take_text(&t->take, row, 5),
        .logging = sh_take_text(&t->take, row, 6),
        .tracing = sh_take_text(&t->take, row, 7),
        .created_ms = sh_row_int(row, 8),
        .updated_ms = sh_row_int(row, 9),
        .encryption = sh_take_text(&t->take, row, 10),
        .tags = sh_take_text(&t->take, row, 11),
        .definition = sh_take_text(&t->take, row, 12),
    };
    t->take.found = true;
    if (t->fn)
        return t->fn(t->opaque, &m);
    *t->one = m;
    return 1;
}

static int one_machine(const sh_take *take, int status, const char *which, sh_err *err)
{
    return sh_take_end(take, status, "a state machine", err, "no state machine %s", which);
}

int sh_machine_get(sh_db *db, sh_arena *arena, const char *arn, sh_machine *out, sh_err *err)
{
    machine_taker t = {.take = {.arena = arena}, .one = out};
    int status = sh_db_each(db, err,
                            "SELECT " MACHINE_COLUMNS "m.tags, r.definition FROM machines m"
                            " JOIN revisions r ON r.row = m.revision_row WHERE m.arn = ?1",
                            take_machine, &t, "s", arn);
    return one_machine(&t.take, status, arn, err);
}

int sh_revision_get(sh_db *db, sh_arena *arena, int64_t row, sh_machine *out, sh_err *err)
{
    machine_taker t = {.take = {.arena = arena}, .one = out};
    int status =
        sh_db_each(db, err, "SELECT " MACHINE_COLUMNS "'{}', r.definition FROM revisions r WHERE r.row = ?1",
                   take_machine, &t, "i", row);
    return one_machine(&t.take, status, "of that revision", err);
}

int sh_machine_list(sh_db *db, const char *after, int64_t limit, sh_machine_fn fn, void *opaque, sh_err *err)
{
    machine_taker t = {.fn = fn, .opaque = opaque};
    return sh_db_each(
        db, err,
        "SELECT " MACHINE_COLUMNS "m.tags, NULL FROM machines m"
        " JOIN revisions r ON r.row = m.revision_row WHERE m.name > ?1 ORDER BY m.name LIMIT ?2",
        take_machine, &t, "si", after, limit);
}

int sh_machine_delete(sh_db *db, const char *arn, sh_err *err)
{
    int status = sh_db_begin(db, err);
    if (status < 0)
        return status;
    if ((status = sh_db_run(db, err, "DELETE FROM aliases WHERE machine_arn = ?1", "s", arn)) == 0 &&
        (status = sh_db_run(db, err, "DELETE FROM versions WHERE machine_arn = ?1", "s", arn)) == 0)
        status = sh_db_run(db, err, "DELETE FROM machines WHERE arn = ?1", "s", arn);
    return sh_db_end(db, status, err);
}

/* ---- executions ---- */

int sh_execution_insert(sh_db *db, sh_execution *e, sh_err *err)
{
    int status =
        sh_db_run(db, err,
                  "INSERT INTO executions (arn, name, machine_arn, revision_row, status, input,"
                  " started_ms, stopped_ms, timer_ms, due_ms, turn, version_arn, alias_arn, trace_header)"
                  " VALUES (?1, ?2, ?3, ?4, 'RUNNING', ?5, ?6, -1, -1, ?6, 0, ?7, ?8, ?9)",
                  "sssisisss", e->arn, e->name, e->machine_arn, e->revision_row, e->input, e->started_ms,
                  e->version_arn, e->alias_arn, e->trace_header);
    e->id = sh_db_last_id(db);
    return status;
}

typedef struct execution_taker {
    sh_take take;
    sh_execution *one;
    sh_execution_fn fn;
    void *opaque;
} execution_taker;

#define EXECUTION_COLUMNS                                                                                    \
    "id, arn, name, machine_arn, revision_row, status, error, cause,"                                        \
    " started_ms, stopped_ms, timer_ms, redrive_count, redriven_ms,"                                         \
    " version_arn, alias_arn, trace_header, "

static int take_execution(void *opaque, const sh_row *row)
{
    execution_taker *t = opaque;
    sh_execution e = {
        .id = sh_row_int(row, 0),
        .arn = sh_take_text(&t->take, row, 1),
        .name = sh_take_text(&t->take, row, 2),
        .machine_arn = sh_take_text(&t->take, row, 3),
        .revision_row = sh_row_int(row, 4),
        .status = sh_take_text(&t->take, row, 5),
        .error = sh_take_text(&t->take, row, 6),
        .cause = sh_take_text(&t->take, row, 7),
        .started_ms = sh_row_int(row, 8),
        .stopped_ms = sh_row_int(row, 9),
        .timer_ms = sh_row_int(row, 10),
        .redrive_count = sh_row_int(row, 11),
        .redriven_ms = sh_row_is_null(row, 12) ? -1 : sh_row_int(row, 12),
        .version_arn = sh_take_text(&t->take, row, 13),
        .alias_arn = sh_take_text(&t->take, row, 14),
        .trace_header = sh_take_text(&t->take, row, 15),
        .input = sh_take_text(&t->take, row, 16),
        .output = sh_take_text(&t->take, row, 17),
        .state = sh_take_text(&t->take, row, 18),
    };
    t->take.found = true;
    if (t->fn)
        return t->fn(t->opaque, &e);
    *t->one = e;
    return 1;
}

static int one_execution(const sh_take *take, int status, sh_err *err)
{
    return sh_take_end(take, status, "an execution", err, "no such execution");
}

int sh_execution_get(sh_db *db, sh_arena *arena, const char *arn, sh_execution *out, sh_err *err)
{
    execution_taker t = {.take = {.arena = arena}, .one = out};
    int status =
        sh_db_each(db, err, "SELECT " EXECUTION_COLUMNS "input, output, state FROM executions WHERE arn = ?1",
                   take_execution, &t, "s", arn);
    return one_execution(&t.take, status, err);
}

int sh_execution_by_id(sh_db *db, sh_arena *arena, int64_t id, sh_execution *out, sh_err *err)
{
    execution_taker t = {.take = {.arena = arena}, .one = out};
    int status =
        sh_db_each(db, err, "SELECT " EXECUTION_COLUMNS "input, output, state FROM executions WHERE id = ?1",
                   take_execution, &t, "i", id);
    return one_execution(&t.take, status, err);
}

int sh_execution_list(sh_db *db, const sh_execution_query *q, sh_execution_fn fn, void *opaque, sh_err *err)
{
    execution_taker t = {.fn = fn, .opaque = opaque};
    int64_t from = q->below > 0 ? q->below : INT64_MAX;
    if (!q->machine_arn)
        return sh_db_each(db, err,
                          "SELECT " EXECUTION_COLUMNS "NULL, NULL, NULL FROM executions"
                          " WHERE id < ?1 AND (?2 IS NULL OR status = ?2) ORDER BY id DESC LIMIT ?3",
                          take_execution, &t, "isi", from, q->status, q->limit);
    return sh_db_each(db, err,
                      "SELECT " EXECUTION_COLUMNS "NULL, NULL, NULL FROM executions"
                      " WHERE machine_arn = ?1 AND id < ?2 AND (?3 IS NULL OR status = ?3)"
                      " AND (?4 IS NULL OR version_arn = ?4) AND (?5 IS NULL OR alias_arn = ?5)"
                      " AND (?6 < 0 OR (redrive_count > 0) = ?6) ORDER BY id DESC LIMIT ?7",
                      take_execution, &t, "sisssii", q->machine_arn, from, q->status, q->version_arn,
                      q->alias_arn, (int64_t)q->redriven, q->limit);
}

int sh_execution_save(sh_db *db, const sh_execution *e, int64_t due_ms, bool gave_way, sh_err *err)
{
    return sh_db_run(
        db, err,
        "UPDATE executions SET status = ?2, output = ?3, error = ?4, cause = ?5, state = ?6,"
        " stopped_ms = ?7, timer_ms = ?8, due_ms = iif(?9 < 0, NULL, ?9), turn = ?10 WHERE id = ?1",
        "isssssiiii", e->id, e->status, e->output, e->error, e->cause, e->state, e->stopped_ms, e->timer_ms,
        due_ms, (int64_t)gave_way);
}

int sh_execution_due(sh_db *db, int64_t now_ms, bool gave_way, int64_t *ids, size_t *count, sh_err *err)
{
    sh_take_ids t = {ids, 0};
    int status =
        sh_db_each(db, err,
                   "SELECT id FROM executions WHERE due_ms IS NOT NULL AND turn = ?1 AND due_ms <= ?2"
                   " ORDER BY due_ms LIMIT ?3",
                   sh_take_id, &t, "iii", (int64_t)gave_way, now_ms, (int64_t)*count);
    *count = t.count;
    return status;
}

int sh_execution_defer(sh_db *db, int64_t id, int64_t due_ms, sh_err *err)
{
    return sh_db_run(db, err, "UPDATE executions SET due_ms = ?2 WHERE id = ?1", "ii", id, due_ms);
}

int sh_execution_look_again(sh_db *db, int64_t now_ms, sh_err *err)
{
    return sh_db_run(db, err,
                     "UPDATE executions SET due_ms = ?1, timer_ms = min(timer_ms, ?1) WHERE due_ms > ?1", "i",
                     now_ms);
}

static int take_due(void *opaque, const sh_row *row)
{
    int64_t *earliest = opaque, due_ms = sh_row_int(row, 0);
    if (!sh_row_is_null(row, 0) && (*earliest < 0 || due_ms < *earliest))
        *earliest = due_ms;
    return 0;
}

int sh_execution_next(sh_db *db, int64_t *due_ms, sh_err *err)
{
    *due_ms = -1;
    return sh_db_each(
        db, err,
        "SELECT (SELECT min(due_ms) FROM executions WHERE due_ms IS NOT NULL AND turn = 0) UNION ALL"
        " SELECT (SELECT min(due_ms) FROM executions WHERE due_ms IS NOT NULL AND turn = 1)",
        take_due, due_ms, "");
}

/* ---- waits ---- */

int sh_wait_add(sh_db *db, const sh_wait *w, sh_err *err)
{
    return sh_db_run(db, err,
                     "INSERT OR REPLACE INTO waits (execution, task, stage, state_name, service, subject,"
                     " parameters, scheduled_event, queued)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, iif(?9 = 0, NULL, ?9))",
                     "iiissssii", w->execution, w->task, (int64_t)w->stage, w->state_name, w->service,
                     w->subject, w->parameters, w->scheduled_event, w->queued_ms);
}

int sh_wait_remove(sh_db *db, int64_t execution, int64_t task, sh_err *err)
{
    return sh_db_run(db, err, "DELETE FROM waits WHERE execution = ?1 AND task = ?2", "ii", execution, task);
}

int sh_wait_clear(sh_db *db, int64_t execution, sh_err *err)
{
    return sh_db_run(db, err, "DELETE FROM waits WHERE execution = ?1", "i", execution);
}

typedef struct wait_taker {
    sh_wait_fn fn;
    void *opaque;
} wait_taker;

static int take_wait(void *opaque, const sh_row *row)
{
    wait_taker *t = opaque;
    sh_wait w = {
        .execution = sh_row_int(row, 0),
        .task = sh_row_int(row, 1),
        .stage = (sh_wait_stage)sh_row_int(row, 2),
        .state_name = sh_row_text(row, 3),
        .service = sh_row_text(row, 4),
        .subject = sh_row_text(row, 5),
        .parameters = sh_row_text(row, 6),
        .scheduled_event = sh_row_int(row, 7),
        .news = sh_row_text(row, 8),
    };
    return t->fn(t->opaque, &w);
}

int sh_wait_list(sh_db *db, int64_t execution, sh_wait_fn fn, void *opaque, sh_err *err)
{
    wait_taker t = {fn, opaque};
    return sh_db_each(
        db, err,
        "SELECT execution, task, stage, state_name, service, subject, iif(stage = 0, parameters, NULL),"
        " scheduled_event, news FROM waits WHERE execution = ?1 ORDER BY task",
        take_wait, &t, "i", execution);
}

int sh_wait_notify(sh_db *db, const char *service, const char *subject, int64_t now_ms, sh_err *err)
{
    int status = sh_db_begin(db, err);
    if (status < 0)
        return status;
    status = sh_db_run(
        db, err, "UPDATE waits SET stage = 2 WHERE subject = ?2 AND service = ?1 AND subject IS NOT NULL",
        "ss", service, subject);
    if (status == 0 && sh_db_changes(db) > 0)
        status = sh_db_run(db, err,
                           "UPDATE executions SET due_ms = iif(due_ms IS NULL OR due_ms > ?3, ?3, due_ms)"
                           " WHERE id IN (SELECT execution FROM waits WHERE subject = ?2 AND service = ?1"
                           " AND subject IS NOT NULL AND stage = 2)",
                           "ssi", service, subject, now_ms);
    return sh_db_end(db, status, err);
}
