/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/functions.h"
#include "cloud/store/schema.h"
#include "cloud/store/take.h"

#include <string.h>

const char sh_schema_functions[] =
    "CREATE TABLE IF NOT EXISTS functions (name TEXT NOT NULL, kind INTEGER NOT NULL, id TEXT NOT NULL,"
    " place INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (name, kind, id)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS function_queue (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,"
    " qualifier TEXT NOT NULL, request_id TEXT NOT NULL, context TEXT NOT NULL, payload BLOB NOT NULL,"
    " attempts INTEGER NOT NULL, first_ms INTEGER NOT NULL, due_ms INTEGER NOT NULL);"
    "CREATE INDEX IF NOT EXISTS function_queue_due ON function_queue (due_ms, id);";

typedef struct taker {
    sh_take take;
    sh_fn_part *one;
    sh_fn_part_fn fn;
    void *opaque;
} taker;

static int take(void *opaque, const sh_row *row)
{
    taker *t = opaque;
    sh_fn_part part = {.name = sh_take_text(&t->take, row, 0),
                       .id = sh_take_text(&t->take, row, 1),
                       .place = sh_row_int(row, 2),
                       .body = sh_take_text(&t->take, row, 3)};
    t->take.found = true;
    if (t->fn)
        return t->fn(t->opaque, &part);
    *t->one = part;
    return 1;
}

int sh_fn_put(sh_db *db, sh_fn_kind kind, const sh_fn_part *part, sh_err *err)
{
    return sh_db_run(db, err,
                     "INSERT INTO functions (name, kind, id, place, body) VALUES (?1, ?2, ?3, ?4, ?5)"
                     " ON CONFLICT (name, kind, id) DO UPDATE SET place = ?4, body = ?5",
                     "sisis", part->name, (int64_t)kind, part->id, part->place, part->body);
}

int sh_fn_get(sh_db *db, sh_arena *arena, sh_fn_kind kind, const char *name, const char *id, sh_fn_part *out,
              sh_err *err)
{
    taker t = {.take = {.arena = arena}, .one = out};
    int status = sh_db_each(
        db, err, "SELECT name, id, place, body FROM functions WHERE name = ?1 AND kind = ?2 AND id = ?3",
        take, &t, "sis", name, (int64_t)kind, id);
    return sh_take_end(&t.take, status, "a function", err, "function %s has no such part '%s'", name, id);
}

int sh_fn_delete(sh_db *db, sh_fn_kind kind, const char *name, const char *id, sh_err *err)
{
    int status = sh_db_run(db, err, "DELETE FROM functions WHERE name = ?1 AND kind = ?2 AND id = ?3", "sis",
                           name, (int64_t)kind, id);
    if (status == 0 && sh_db_changes(db) == 0)
        status = sh_fail(err, SH_E_NOT_FOUND, "function %s has no such part '%s'", name, id);
    return status;
}

int sh_fn_delete_all(sh_db *db, const char *name, sh_err *err)
{
    return sh_db_run(db, err, "DELETE FROM functions WHERE name = ?1 AND kind <> ?2", "si", name,
                     (int64_t)SH_FN_LAYER);
}

int sh_fn_parts(sh_db *db, sh_fn_kind kind, const char *name, int64_t after_place, const char *after_id,
                int64_t limit, sh_fn_part_fn fn, void *opaque, sh_err *err)
{
    taker t = {.fn = fn, .opaque = opaque};
    return sh_db_each(db, err,
                      "SELECT name, id, place, body FROM functions WHERE name = ?1 AND kind = ?2"
                      " AND (place, id) > (?3, ?4) ORDER BY place, id LIMIT ?5",
                      take, &t, "siisi", name, (int64_t)kind, after_place, after_id, limit);
}

int sh_fn_names(sh_db *db, sh_fn_kind kind, const char *id, const char *after, int64_t limit,
                sh_fn_part_fn fn, void *opaque, sh_err *err)
{
    taker t = {.fn = fn, .opaque = opaque};
    return sh_db_each(db, err,
                      "SELECT name, id, place, body FROM functions WHERE kind = ?1 AND id = ?2 AND name > ?3"
                      " ORDER BY name LIMIT ?4",
                      take, &t, "issi", (int64_t)kind, id, after, limit);
}

/* ---- the queue ---- */

int sh_fn_queue_add(sh_db *db, const sh_fn_queued *q, sh_err *err)
{
    return sh_db_run(db, err,
                     "INSERT INTO function_queue (name, qualifier, request_id, context, payload, attempts,"
                     " first_ms, due_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                     "ssssbiii", q->name, q->qualifier, q->request_id, q->context, q->payload, q->length,
                     q->attempts, q->first_ms, q->due_ms);
}

typedef struct queue_walk {
    sh_take take;
    sh_fn_queued_fn fn;
    void *opaque;
    sh_fn_queued *one;
} queue_walk;

static void keep_payload(queue_walk *walk, const sh_row *row)
{
    size_t length;
    const void *bytes = sh_row_blob(row, 8, &length);
    char *copy = sh_arena_alloc(walk->take.arena, length + 1);
    walk->take.failed |= !copy;
    if (copy && length)
        memcpy(copy, bytes, length);
    walk->one->payload = copy;
    walk->one->length = length;
}

static int take_queued(void *opaque, const sh_row *row)
{
    queue_walk *walk = opaque;
    sh_fn_queued item = {.id = sh_row_int(row, 0),
                         .name = sh_take_text(&walk->take, row, 1),
                         .qualifier = sh_take_text(&walk->take, row, 2),
                         .request_id = sh_take_text(&walk->take, row, 3),
                         .context = sh_take_text(&walk->take, row, 4),
                         .attempts = sh_row_int(row, 5),
                         .first_ms = sh_row_int(row, 6),
                         .due_ms = sh_row_int(row, 7)};
    walk->take.found = true;
    if (walk->fn)
        return walk->fn(walk->opaque, &item);
    *walk->one = item;
    keep_payload(walk, row);
    return 1;
}

int sh_fn_queue_get(sh_db *db, sh_arena *arena, int64_t id, sh_fn_queued *out, sh_err *err)
{
    queue_walk walk = {.take = {.arena = arena}, .one = out};
    int status = sh_db_each(db, err,
                            "SELECT id, name, qualifier, request_id, context, attempts, first_ms, due_ms,"
                            " payload FROM function_queue WHERE id = ?1",
                            take_queued, &walk, "i", id);
    return sh_take_end(&walk.take, status, "an invocation", err, "no invocation is queued as %lld",
                       (long long)id);
}

int sh_fn_queue_due(sh_db *db, int64_t now_ms, int64_t limit, sh_fn_queued_fn fn, void *opaque, sh_err *err)
{
    queue_walk walk = {.fn = fn, .opaque = opaque};
    return sh_db_each(db, err,
                      "SELECT id, name, qualifier, request_id, context, attempts, first_ms, due_ms"
                      " FROM function_queue WHERE due_ms <= ?1 ORDER BY due_ms, id LIMIT ?2",
                      take_queued, &walk, "ii", now_ms, limit);
}

int sh_fn_queue_retry(sh_db *db, int64_t id, int64_t attempts, int64_t due_ms, sh_err *err)
{
    return sh_db_run(db, err, "UPDATE function_queue SET attempts = ?2, due_ms = ?3 WHERE id = ?1", "iii", id,
                     attempts, due_ms);
}

int sh_fn_queue_remove(sh_db *db, int64_t id, sh_err *err)
{
    return sh_db_run(db, err, "DELETE FROM function_queue WHERE id = ?1", "i", id);
}

int sh_fn_queue_next(sh_db *db, int64_t after_ms, int64_t *due_ms, sh_err *err)
{
    *due_ms = -1;
    return sh_db_each(db, err, "SELECT due_ms FROM function_queue WHERE due_ms > ?1 ORDER BY due_ms LIMIT 1",
                      sh_take_number, due_ms, "i", after_ms);
}

int sh_fn_queue_count(sh_db *db, int64_t *count, sh_err *err)
{
    return sh_db_each(db, err, "SELECT count(*) FROM function_queue", sh_take_number, count, "");
}
