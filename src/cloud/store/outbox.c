/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/outbox.h"
#include "cloud/store/schema.h"
#include "cloud/store/take.h"

#include <stdatomic.h>

const char sh_schema_outbox[] =
    "CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL,"
    "  bus TEXT, rule TEXT, trace TEXT, forwarded INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE IF NOT EXISTS rules ("
    "  name TEXT PRIMARY KEY, pattern TEXT NOT NULL, description TEXT, role_arn TEXT, tags TEXT NOT NULL,"
    "  enabled INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS targets ("
    "  rule TEXT NOT NULL REFERENCES rules (name), id TEXT NOT NULL, arn TEXT NOT NULL, target TEXT NOT NULL,"
    "  PRIMARY KEY (rule, id)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS targets_arn ON targets (arn);"
    "CREATE TABLE IF NOT EXISTS deliveries ("
    "  id INTEGER PRIMARY KEY, event TEXT NOT NULL, rule TEXT NOT NULL, target_id TEXT NOT NULL,"
    "  target TEXT NOT NULL, reason TEXT, attempts INTEGER NOT NULL, first_ms INTEGER NOT NULL,"
    "  due_ms INTEGER NOT NULL, lane INTEGER NOT NULL DEFAULT 0, line TEXT, trace TEXT);"
    "CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due_ms);"
    "CREATE INDEX IF NOT EXISTS deliveries_line ON deliveries (rule, target_id, line, id)"
    "  WHERE line IS NOT NULL AND due_ms >= 0;";

static _Thread_local const char *thread_trace;
static atomic_uint_fast64_t generation = 1;

const char *sh_trace_set(const char *trace)
{
    const char *before = thread_trace;
    thread_trace = trace;
    return before;
}

const char *sh_trace(void)
{
    return thread_trace;
}

uint64_t sh_rules_generation(void)
{
    return atomic_load(&generation);
}

int sh_outbox_put(sh_db *db, const sh_outbox_entry *e, sh_err *err)
{
    return sh_db_run(db, err,
                     "INSERT INTO outbox (event, bus, rule, trace, forwarded) VALUES (?1, ?2, ?3, ?4, ?5)",
                     "ssssi", e->event, e->bus, e->rule, e->trace, (int64_t)e->forwarded);
}

int sh_outbox_add(sh_db *db, const char *event, sh_err *err)
{
    return sh_outbox_put(db, &(sh_outbox_entry){.event = event, .trace = thread_trace}, err);
}

typedef struct taker {
    union {
        sh_outbox_fn outbox;
        sh_target_fn target;
        sh_name_fn name;
        sh_rule_fn rule;
        sh_dispatch_fn delivery;
    };
    void *opaque;
    bool found;
} taker;

static int take_event(void *opaque, const sh_row *row)
{
    taker *t = opaque;
    sh_outbox_entry entry = {
        .id = sh_row_int(row, 0),
        .event = sh_row_text(row, 1),
        .bus = sh_row_text(row, 2),
        .rule = sh_row_text(row, 3),
        .trace = sh_row_text(row, 4),
        .forwarded = sh_row_int(row, 5) != 0,
    };
    return t->outbox(t->opaque, &entry);
}

int sh_outbox_list(sh_db *db, int64_t limit, sh_outbox_fn fn, void *opaque, sh_err *err)
{
    taker t = {.outbox = fn, .opaque = opaque};
    return sh_db_each(db, err,
                      "SELECT id, event, bus, rule, trace, forwarded FROM outbox ORDER BY id LIMIT ?1",
                      take_event, &t, "i", limit);
}

int sh_outbox_remove(sh_db *db, int64_t id, sh_err *err)
{
    return sh_db_run(db, err, "DELETE FROM outbox WHERE id = ?1", "i", id);
}

/* ---- rules ---- */

int sh_rule_put(sh_db *db, const sh_rule *rule, sh_err *err)
{
    int status = sh_db_run(db, err,
                           "INSERT INTO rules (name, pattern, description, role_arn, tags, enabled)"
                           " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (name) DO UPDATE SET pattern = ?2,"
                           " description = ?3, role_arn = ?4, enabled = ?6",
                           "sssssi", rule->name, rule->pattern, rule->description, rule->role_arn, rule->tags,
                           (int64_t)rule->enabled);
    atomic_fetch_add(&generation, 1); /* behind it: whoever looked before it looks again */
    return status;
}

int sh_rule_delete(sh_db *db, const char *name, sh_err *err)
{
    int status = sh_db_run(db, err, "DELETE FROM rules WHERE name = ?1", "s", name);
    atomic_fetch_add(&generation, 1);
    return status;
}

static int changed(sh_db *db, int status, const char *what, const char *name, sh_err *err)
{
    if (status == 0 && sh_db_changes(db) == 0)
        status = sh_fail(err, SH_E_NOT_FOUND, "no %s %s", what, name);
    return status;
}

int sh_rule_enable(sh_db *db, const char *name, bool enabled, sh_err *err)
{
    int status = sh_db_begin(db, err);
    if (status < 0)
        return status;
    status =
        sh_db_run(db, err, "UPDATE rules SET enabled = ?2 WHERE name = ?1", "si", name, (int64_t)enabled);
    atomic_fetch_add(&generation, 1);
    return sh_db_end(db, changed(db, status, "rule", name, err), err);
}

int sh_rule_set_tags(sh_db *db, const char *name, const char *tags, sh_err *err)
{
    return sh_db_run(db, err, "UPDATE rules SET tags = ?2 WHERE name = ?1", "ss", name, tags);
}

static int take_rule(void *opaque, const sh_row *row)
{
    taker *t = opaque;
    sh_rule rule = {
        .name = sh_row_text(row, 0),
        .pattern = sh_row_text(row, 1),
        .description = sh_row_text(row, 2),
        .role_arn = sh_row_text(row, 3),
        .tags = sh_row_text(row, 4),
        .enabled = sh_row_int(row, 5) != 0,
    };
    t->found = true;
    return t->rule(t->opaque, &rule);
}

int sh_rule_get(sh_db *db, const char *name, sh_rule_fn fn, void *opaque, sh_err *err)
{
    taker t = {.rule = fn, .opaque = opaque};
    int status = sh_db_each(
        db, err, "SELECT name, pattern, description, role_arn, tags, enabled FROM rules WHERE name = ?1",
        take_rule, &t, "s", name);
    if (status == 0 && !t.found)
        status = sh_fail(err, SH_E_NOT_FOUND, "no rule %s", name);
    return status;
}

int sh_rule_list(sh_db *db, const char *prefix, bool plain, const char *after, int64_t limit, sh_rule_fn fn,
                 void *opaque, sh_err *err)
{
    taker t = {.rule = fn, .opaque = opaque};
    return sh_db_each(db, err,
                      "SELECT name, pattern, description, role_arn, tags, enabled FROM rules"
                      " WHERE name > ?2 AND substr(name, 1, length(?1)) = ?1"
                      " AND NOT (?4 AND instr(name, '/')) ORDER BY name LIMIT ?3",
                      take_rule, &t, "ssii", prefix, after, limit, (int64_t)plain);
}

/* ---- targets ---- */

int sh_target_put(sh_db *db, const char *rule, const char *id, const char *arn, const char *target,
                  sh_err *err)
{
    return sh_db_run(db, err,
                     "INSERT OR REPLACE INTO targets (rule, id, arn, target) VALUES (?1, ?2, ?3, ?4)", "ssss",
                     rule, id, arn, target);
}

int sh_target_remove(sh_db *db, const char *rule, const char *id, sh_err *err)
{
    int status = sh_db_begin(db, err);
    if (status < 0)
        return status;
    status = sh_db_run(db, err, "DELETE FROM targets WHERE rule = ?1 AND id = ?2", "ss", rule, id);
    return sh_db_end(db, changed(db, status, "target", id, err), err);
}

static int take_target(void *opaque, const sh_row *row)
{
    taker *t = opaque;
    return t->target(t->opaque, sh_row_text(row, 0), sh_row_text(row, 1));
}

int sh_target_list(sh_db *db, const char *rule, const char *after, int64_t limit, sh_target_fn fn,
                   void *opaque, sh_err *err)
{
    taker t = {.target = fn, .opaque = opaque};
    return sh_db_each(db, err,
                      "SELECT id, target FROM targets WHERE rule = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
                      take_target, &t, "ssi", rule, after, limit);
}

int sh_target_count(sh_db *db, const char *rule, int64_t *count, sh_err *err)
{
    return sh_db_each(db, err, "SELECT count(*) FROM targets WHERE rule = ?1", sh_take_number, count, "s",
                      rule);
}

static int take_name(void *opaque, const sh_row *row)
{
    taker *t = opaque;
    return t->name(t->opaque, sh_row_text(row, 0));
}

int sh_target_rules(sh_db *db, const char *arn, const char *after, int64_t limit, sh_name_fn fn, void *opaque,
                    sh_err *err)
{
    taker t = {.name = fn, .opaque = opaque};
    return sh_db_each(db, err,
                      "SELECT DISTINCT rule FROM targets WHERE arn = ?1 AND rule > ?2 ORDER BY rule LIMIT ?3",
                      take_name, &t, "ssi", arn, after, limit);
}

/* ---- deliveries ---- */

int sh_dispatch_add(sh_db *db, const sh_dispatch *d, sh_err *err)
{
    bool waits = false;
    int status = d->due_ms >= 0 ? sh_dispatch_waits(db, d->rule, d->target_id, d->line, &waits, err) : 0;
    if (status < 0)
        return status;
    return sh_db_run(db, err,
                     "INSERT INTO deliveries (event, rule, target_id, target, reason, attempts, first_ms,"
                     " due_ms, lane, line, trace) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                     "sssssiiiiss", d->event, d->rule, d->target_id, d->target, d->reason, d->attempts,
                     d->first_ms, waits ? SH_DISPATCH_BEHIND : d->due_ms, d->lane, d->line, d->trace);
}

int sh_dispatch_waits(sh_db *db, const char *rule, const char *target_id, const char *line, bool *waits,
                      sh_err *err)
{
    int64_t count = 0;
    int status = line ? sh_db_each(db, err,
                                   "SELECT 1 FROM deliveries WHERE rule = ?1 AND target_id = ?2 AND line = ?3"
                                   " AND due_ms >= 0 LIMIT 1",
                                   sh_take_number, &count, "sss", rule, target_id, line)
                      : 0;
    *waits = count > 0;
    return status;
}

int sh_dispatch_retry(sh_db *db, int64_t id, int64_t attempts, int64_t due_ms, const char *reason,
                      sh_err *err)
{
    return sh_db_run(db, err, "UPDATE deliveries SET attempts = ?2, due_ms = ?3, reason = ?4 WHERE id = ?1",
                     "iiis", id, attempts, due_ms, reason);
}

int sh_dispatch_end(sh_db *db, const sh_dispatch *d, const char *reason, int64_t lane, int64_t now_ms,
                    sh_err *err)
{
    int status = reason
                     ? sh_db_run(db, err,
                                 "UPDATE deliveries SET attempts = ?2, due_ms = ?3, reason = ?4, lane = ?5,"
                                 " line = NULL WHERE id = ?1",
                                 "iiisi", d->id, d->attempts, lane == SH_LANE_DEAD ? now_ms : (int64_t)-1,
                                 reason, lane)
                     : sh_db_run(db, err, "DELETE FROM deliveries WHERE id = ?1", "i", d->id);
    if (status < 0 || !d->line)
        return status;
    return sh_db_run(db, err,
                     "UPDATE deliveries SET due_ms = ?4 WHERE id = (SELECT min(id) FROM deliveries"
                     " WHERE rule = ?1 AND target_id = ?2 AND line = ?3 AND due_ms >= 0)",
                     "sssi", d->rule, d->target_id, d->line, now_ms);
}

static int take_delivery(void *opaque, const sh_row *row)
{
    taker *t = opaque;
    sh_dispatch d = {
        .id = sh_row_int(row, 0),
        .event = sh_row_text(row, 1),
        .rule = sh_row_text(row, 2),
        .target_id = sh_row_text(row, 3),
        .target = sh_row_text(row, 4),
        .reason = sh_row_text(row, 5),
        .attempts = sh_row_int(row, 6),
        .first_ms = sh_row_int(row, 7),
        .due_ms = sh_row_int(row, 8),
        .lane = sh_row_int(row, 9),
        .line = sh_row_text(row, 10),
        .trace = sh_row_text(row, 11),
    };
    return t->delivery(t->opaque, &d);
}

#define DELIVERY                                                                                             \
    "SELECT id, event, rule, target_id, target, reason, attempts, first_ms, due_ms, lane, line, trace"       \
    " FROM deliveries"

int sh_dispatch_due(sh_db *db, bool outside, int64_t now_ms, int64_t limit, sh_dispatch_fn fn, void *opaque,
                    sh_err *err)
{
    taker t = {.delivery = fn, .opaque = opaque};
    return sh_db_each(db, err,
                      DELIVERY " WHERE due_ms >= 0 AND due_ms <= ?1 AND (lane > 0) = ?3"
                               " ORDER BY due_ms, id LIMIT ?2",
                      take_delivery, &t, "iii", now_ms, limit, (int64_t)outside);
}

int sh_dispatch_failed(sh_db *db, int64_t limit, sh_dispatch_fn fn, void *opaque, sh_err *err)
{
    taker t = {.delivery = fn, .opaque = opaque};
    return sh_db_each(db, err, DELIVERY " WHERE due_ms < 0 ORDER BY id DESC LIMIT ?1", take_delivery, &t, "i",
                      limit);
}

int sh_dispatch_next(sh_db *db, bool outside, int64_t after_ms, int64_t *due_ms, sh_err *err)
{
    *due_ms = -1;
    return sh_db_each(db, err,
                      "SELECT due_ms FROM deliveries WHERE due_ms >= 0 AND due_ms > ?2 AND due_ms < ?3"
                      " AND (lane > 0) = ?1 ORDER BY due_ms LIMIT 1",
                      sh_take_number, due_ms, "iii", (int64_t)outside, after_ms, SH_DISPATCH_BEHIND);
}

int sh_dispatch_trim(sh_db *db, int64_t keep, sh_err *err)
{
    return sh_db_run(db, err,
                     "DELETE FROM deliveries WHERE due_ms < 0 AND id <= (SELECT id FROM deliveries"
                     " WHERE due_ms < 0 ORDER BY id DESC LIMIT 1 OFFSET ?1)",
                     "i", keep);
}
