/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/logs.h"
#include "cloud/store/schema.h"
#include "cloud/store/take.h"

#include <string.h>

#define OVERHEAD 26 /* bytes that AWS counts for an event beside its message */

const char sh_schema_logs[] =
    "CREATE TABLE IF NOT EXISTS log_groups (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,"
    " class TEXT NOT NULL, created_ms INTEGER NOT NULL, retention_days INTEGER NOT NULL DEFAULT 0,"
    " bytes INTEGER NOT NULL DEFAULT 0, tags TEXT);"
    "CREATE TABLE IF NOT EXISTS log_streams (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " log_group INTEGER NOT NULL REFERENCES log_groups (id), name TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL, first_ms INTEGER NOT NULL DEFAULT -1, last_ms INTEGER NOT NULL DEFAULT -1,"
    " taken_ms INTEGER NOT NULL DEFAULT -1, UNIQUE (log_group, name));"
    "CREATE INDEX IF NOT EXISTS log_streams_by_time ON log_streams (log_group, last_ms, id);"
    "CREATE TABLE IF NOT EXISTS log_events (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " log_group INTEGER NOT NULL, stream INTEGER NOT NULL, time_ms INTEGER NOT NULL,"
    " taken_ms INTEGER NOT NULL, message TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS log_events_by_stream ON log_events (stream, time_ms, id);"
    "CREATE INDEX IF NOT EXISTS log_events_by_group ON log_events (log_group, time_ms, id);";

/* ---- groups ---- */

#define GROUP_COLUMNS "SELECT id, name, class, created_ms, retention_days, bytes FROM log_groups"

typedef struct group_taker {
    sh_take take;
    sh_log_group *one;
    sh_log_group_fn fn;
    void *opaque;
} group_taker;

static int take_group(void *opaque, const sh_row *row)
{
    group_taker *t = opaque;
    sh_log_group group = {
        .id = sh_row_int(row, 0),
        .name = sh_take_text(&t->take, row, 1),
        .class = sh_take_text(&t->take, row, 2),
        .created_ms = sh_row_int(row, 3),
        .retention_days = sh_row_int(row, 4),
        .bytes = sh_row_int(row, 5),
    };
    t->take.found = true;
    if (t->fn)
        return t->fn(t->opaque, &group);
    *t->one = group;
    return 1;
}

int sh_log_group_create(sh_db *db, const sh_log_group *group, sh_err *err)
{
    return sh_db_run(db, err, "INSERT INTO log_groups (name, class, created_ms) VALUES (?1, ?2, ?3)", "ssi",
                     group->name, group->class, group->created_ms);
}

int sh_log_group_get(sh_db *db, sh_arena *arena, const char *name, sh_log_group *out, sh_err *err)
{
    group_taker t = {.take = {.arena = arena}, .one = out};
    int status = sh_db_each(db, err, GROUP_COLUMNS " WHERE name = ?1", take_group, &t, "s", name);
    return sh_take_end(&t.take, status, "a log group", err, "there is no log group %s", name);
}

static int delete_group(sh_db *db, const char *name, sh_err *err)
{
    int64_t id = 0;
    int status =
        sh_db_each(db, err, "SELECT id FROM log_groups WHERE name = ?1", sh_take_number, &id, "s", name);
    if (status == 0 && id == 0)
        return sh_fail(err, SH_E_NOT_FOUND, "there is no log group %s", name);
    if (status == 0)
        status = sh_db_run(db, err, "DELETE FROM log_events WHERE log_group = ?1", "i", id);
    if (status == 0)
        status = sh_db_run(db, err, "DELETE FROM log_streams WHERE log_group = ?1", "i", id);
    if (status == 0)
        status = sh_db_run(db, err, "DELETE FROM log_groups WHERE id = ?1", "i", id);
    return status;
}

int sh_log_group_delete(sh_db *db, const char *name, sh_err *err)
{
    int status = sh_db_begin(db, err);
    return status < 0 ? status : sh_db_end(db, delete_group(db, name, err), err);
}

int sh_log_group_set_retention(sh_db *db, const char *name, int64_t days, sh_err *err)
{
    int status =
        sh_db_run(db, err, "UPDATE log_groups SET retention_days = ?2 WHERE name = ?1", "si", name, days);
    if (status == 0 && sh_db_changes(db) == 0)
        status = sh_fail(err, SH_E_NOT_FOUND, "there is no log group %s", name);
    return status;
}

int sh_log_groups_list(sh_db *db, const char *prefix, const char *after, int64_t limit, sh_log_group_fn fn,
                       void *opaque, sh_err *err)
{
    group_taker t = {.fn = fn, .opaque = opaque};
    return sh_db_each(db, err,
                      GROUP_COLUMNS " WHERE name > ?2 AND name >= ?1 AND substr(name, 1, length(?1)) = ?1"
                                    " ORDER BY name LIMIT ?3",
                      take_group, &t, "ssi", prefix, after, limit);
}

int sh_log_group_tags(sh_db *db, sh_arena *arena, int64_t group, const char **text, sh_err *err)
{
    sh_take_one_text t = {.take = {.arena = arena}, .text = text};
    int status =
        sh_db_each(db, err, "SELECT tags FROM log_groups WHERE id = ?1", sh_take_text_row, &t, "i", group);
    return sh_take_end(&t.take, status, "tags", err, "there is no such log group");
}

int sh_log_group_set_tags(sh_db *db, int64_t group, const char *text, sh_err *err)
{
    return sh_db_run(db, err, "UPDATE log_groups SET tags = ?2 WHERE id = ?1", "is", group, text);
}

/* ---- streams ---- */

#define STREAM_COLUMNS "SELECT id, name, created_ms, first_ms, last_ms, taken_ms FROM log_streams"

typedef struct stream_taker {
    sh_take take;
    sh_log_stream *one;
    sh_log_stream_fn fn;
    void *opaque;
} stream_taker;

static int take_stream(void *opaque, const sh_row *row)
{
    stream_taker *t = opaque;
    sh_log_stream stream = {
        .id = sh_row_int(row, 0),
        .name = sh_take_text(&t->take, row, 1),
        .created_ms = sh_row_int(row, 2),
        .first_ms = sh_row_int(row, 3),
        .last_ms = sh_row_int(row, 4),
        .taken_ms = sh_row_int(row, 5),
    };
    t->take.found = true;
    if (t->fn)
        return t->fn(t->opaque, &stream);
    *t->one = stream;
    return 1;
}

int sh_log_stream_create(sh_db *db, int64_t group, const char *name, int64_t now_ms, sh_err *err)
{
    return sh_db_run(db, err, "INSERT INTO log_streams (log_group, name, created_ms) VALUES (?1, ?2, ?3)",
                     "isi", group, name, now_ms);
}

int sh_log_stream_get(sh_db *db, sh_arena *arena, int64_t group, const char *name, sh_log_stream *out,
                      sh_err *err)
{
    stream_taker t = {.take = {.arena = arena}, .one = out};
    int status = sh_db_each(db, err, STREAM_COLUMNS " WHERE log_group = ?1 AND name = ?2", take_stream, &t,
                            "is", group, name);
    return sh_take_end(&t.take, status, "a log stream", err, "there is no log stream %s", name);
}

static int delete_stream(sh_db *db, int64_t group, const char *name, sh_err *err)
{
    int64_t id = 0, bytes = 0;
    int status = sh_db_each(db, err, "SELECT id FROM log_streams WHERE log_group = ?1 AND name = ?2",
                            sh_take_number, &id, "is", group, name);
    if (status == 0 && id == 0)
        return sh_fail(err, SH_E_NOT_FOUND, "there is no log stream %s", name);
    if (status == 0)
        status = sh_db_each(db, err,
                            "SELECT coalesce(sum(length(CAST(message AS BLOB)) + ?2), 0) FROM log_events"
                            " WHERE stream = ?1",
                            sh_take_number, &bytes, "ii", id, (int64_t)OVERHEAD);
    if (status == 0)
        status =
            sh_db_run(db, err, "UPDATE log_groups SET bytes = bytes - ?2 WHERE id = ?1", "ii", group, bytes);
    if (status == 0)
        status = sh_db_run(db, err, "DELETE FROM log_events WHERE stream = ?1", "i", id);
    if (status == 0)
        status = sh_db_run(db, err, "DELETE FROM log_streams WHERE id = ?1", "i", id);
    return status;
}

int sh_log_stream_delete(sh_db *db, int64_t group, const char *name, sh_err *err)
{
    int status = sh_db_begin(db, err);
    return status < 0 ? status : sh_db_end(db, delete_stream(db, group, name, err), err);
}

int sh_log_streams_by_name(sh_db *db, int64_t group, const char *prefix, const char *after, bool descending,
                           int64_t limit, sh_log_stream_fn fn, void *opaque, sh_err *err)
{
    stream_taker t = {.fn = fn, .opaque = opaque};
    if (descending)
        return sh_db_each(db, err,
                          STREAM_COLUMNS " WHERE log_group = ?1 AND (?3 = '' OR name < ?3)"
                                         " AND substr(name, 1, length(?2)) = ?2 ORDER BY name DESC LIMIT ?4",
                          take_stream, &t, "issi", group, prefix, after, limit);
    return sh_db_each(db, err,
                      STREAM_COLUMNS " WHERE log_group = ?1 AND name > ?3 AND name >= ?2"
                                     " AND substr(name, 1, length(?2)) = ?2 ORDER BY name LIMIT ?4",
                      take_stream, &t, "issi", group, prefix, after, limit);
}

int sh_log_streams_by_time(sh_db *db, int64_t group, int64_t skip, bool descending, int64_t limit,
                           sh_log_stream_fn fn, void *opaque, sh_err *err)
{
    stream_taker t = {.fn = fn, .opaque = opaque};
    if (descending)
        return sh_db_each(db, err,
                          STREAM_COLUMNS " WHERE log_group = ?1 ORDER BY last_ms DESC, id DESC"
                                         " LIMIT ?2 OFFSET ?3",
                          take_stream, &t, "iii", group, limit, skip);
    return sh_db_each(db, err, STREAM_COLUMNS " WHERE log_group = ?1 ORDER BY last_ms, id LIMIT ?2 OFFSET ?3",
                      take_stream, &t, "iii", group, limit, skip);
}

/* ---- events ---- */

typedef struct sums {
    int64_t bytes, first_ms, last_ms;
} sums;

static int add_events(sh_db *db, int64_t group, int64_t stream, const sh_log_event *events, size_t count,
                      int64_t now_ms, sums *s, sh_err *err)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < count; i++) {
        const sh_log_event *event = &events[i];
        status = sh_db_run(db, err,
                           "INSERT INTO log_events (log_group, stream, time_ms, taken_ms, message)"
                           " VALUES (?1, ?2, ?3, ?4, ?5)",
                           "iiiis", group, stream, event->time_ms, now_ms, event->message);
        s->bytes += (int64_t)strlen(event->message) + OVERHEAD;
        if (i == 0 || event->time_ms < s->first_ms)
            s->first_ms = event->time_ms;
        if (i == 0 || event->time_ms > s->last_ms)
            s->last_ms = event->time_ms;
    }
    return status;
}

int sh_log_events_add(sh_db *db, int64_t group, int64_t stream, const sh_log_event *events, size_t count,
                      int64_t now_ms, sh_err *err)
{
    sums s = {0};
    if (count == 0)
        return 0;
    int status = sh_db_begin(db, err);
    if (status < 0)
        return status;
    status = add_events(db, group, stream, events, count, now_ms, &s, err);
    if (status == 0)
        status = sh_db_run(db, err, "UPDATE log_groups SET bytes = bytes + ?2 WHERE id = ?1", "ii", group,
                           s.bytes);
    if (status == 0)
        status = sh_db_run(db, err,
                           "UPDATE log_streams SET taken_ms = ?4, last_ms = max(last_ms, ?3),"
                           " first_ms = CASE WHEN first_ms < 0 THEN ?2 ELSE min(first_ms, ?2) END"
                           " WHERE id = ?1",
                           "iiii", stream, s.first_ms, s.last_ms, now_ms);
    return sh_db_end(db, status, err);
}

typedef struct event_walk {
    sh_log_event_fn fn;
    void *opaque;
} event_walk;

static int walk_event(void *opaque, const sh_row *row)
{
    event_walk *walk = opaque;
    sh_log_event event = {.id = sh_row_int(row, 0),
                          .time_ms = sh_row_int(row, 1),
                          .taken_ms = sh_row_int(row, 2),
                          .message = sh_row_text(row, 3),
                          .stream = sh_row_text(row, 4)};
    return walk->fn(walk->opaque, &event);
}

int sh_log_stream_events(sh_db *db, int64_t stream, const sh_log_range *r, sh_log_event_fn fn, void *opaque,
                         sh_err *err)
{
    event_walk walk = {fn, opaque};
    if (r->downwards)
        return sh_db_each(db, err,
                          "SELECT id, time_ms, taken_ms, message, NULL FROM log_events"
                          " WHERE stream = ?1 AND time_ms >= ?2 AND time_ms < ?3"
                          " AND (time_ms, id) < (?4, ?5) ORDER BY time_ms DESC, id DESC LIMIT ?6",
                          walk_event, &walk, "iiiiii", stream, r->from_ms, r->until_ms, r->time_ms, r->id,
                          r->limit);
    return sh_db_each(db, err,
                      "SELECT id, time_ms, taken_ms, message, NULL FROM log_events"
                      " WHERE stream = ?1 AND time_ms >= ?2 AND time_ms < ?3"
                      " AND (time_ms, id) > (?4, ?5) ORDER BY time_ms, id LIMIT ?6",
                      walk_event, &walk, "iiiiii", stream, r->from_ms, r->until_ms, r->time_ms, r->id,
                      r->limit);
}

int sh_log_group_events(sh_db *db, int64_t group, const char *prefix, const sh_log_range *r,
                        sh_log_event_fn fn, void *opaque, sh_err *err)
{
    event_walk walk = {fn, opaque};
    return sh_db_each(db, err,
                      "SELECT e.id, e.time_ms, e.taken_ms, e.message, s.name FROM log_events AS e"
                      " INDEXED BY log_events_by_group JOIN log_streams AS s ON s.id = e.stream"
                      " WHERE e.log_group = ?1 AND e.time_ms >= ?2 AND e.time_ms < ?3"
                      " AND (e.time_ms, e.id) > (?4, ?5) AND substr(s.name, 1, length(?7)) = ?7"
                      " ORDER BY e.time_ms, e.id LIMIT ?6",
                      walk_event, &walk, "iiiiiis", group, r->from_ms, r->until_ms, r->time_ms, r->id,
                      r->limit, prefix);
}

/* ---- what is too old ---- */

#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)

typedef struct old_event {
    int64_t id, group, bytes;
} old_event;

static int take_old(void *opaque, const sh_row *row)
{
    old_event *old = opaque;
    *old = (old_event){sh_row_int(row, 0), sh_row_int(row, 1), sh_row_int(row, 2)};
    return 1;
}

static int expire(sh_db *db, int64_t now_ms, int64_t limit, int64_t *removed, sh_err *err)
{
    int status = 0;
    for (int64_t n = 0; status == 0 && n < limit; n++) {
        old_event old = {0};
        status = sh_db_each(db, err,
                            "SELECT e.id, g.id, length(CAST(e.message AS BLOB)) + ?2 FROM log_groups AS g"
                            " JOIN log_events AS e ON e.log_group = g.id"
                            " WHERE g.retention_days > 0 AND e.time_ms < ?1 - g.retention_days * ?3 LIMIT 1",
                            take_old, &old, "iii", now_ms, (int64_t)OVERHEAD, DAY_MS);
        if (status < 0 || old.id == 0)
            return status;
        status = sh_db_run(db, err, "DELETE FROM log_events WHERE id = ?1", "i", old.id);
        if (status == 0)
            status = sh_db_run(db, err, "UPDATE log_groups SET bytes = bytes - ?2 WHERE id = ?1", "ii",
                               old.group, old.bytes);
        ++*removed;
    }
    return status;
}

int sh_log_events_expire(sh_db *db, int64_t now_ms, int64_t limit, int64_t *removed, sh_err *err)
{
    *removed = 0;
    int status = sh_db_begin_politely(db, err);
    return status < 0 ? status : sh_db_end_later(db, expire(db, now_ms, limit, removed, err), err);
}
