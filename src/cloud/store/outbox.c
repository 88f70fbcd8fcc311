/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/outbox.h"
#include "cloud/store/schema.h"
#include "cloud/store/take.h"

const char sh_schema_outbox[] =
    "CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL);"
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
    "  due_ms INTEGER NOT NULL);"
    "CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due_ms);";

int sh_outbox_add(sh_db *db, const char *event, sh_err *err)
{
    return sh_db_run(db, err, "INSERT INTO outbox (event) VALUES (?1)", "s", event);
}

typedef struct taker {
    union {
        sh_outbox_fn outbox;
        sh_target_fn target;
        sh_name_fn name;
        sh_rule_fn rule;
        sh_delivery_fn delivery;
    };
    void *opaque;
    bool found;
} taker;

static int take_event(void *opaque, const sh_row *row)
{
    taker *t = opaque;
    return t->outbox(t->opaque, sh_row_int(row, 0), sh_row_text(row, 1));
}

int sh_outbox_list(sh_db *db, int64_t limit, sh_outbox_fn fn, void *opaque, sh_err *err)
{
    taker t = {.outbox = fn, .opaque = opaque};
    return sh_db_each(db, err, "SELECT id, event FROM outbox ORDER BY id LIMIT ?1", take_event, &t, "i",
                      limit);
}

int sh_outbox_remove(sh_db *db, int64_t id, sh_err *err)
{
    return sh_db_run(db, err, "DELETE FROM outbox WHERE id = ?1", "i", id);
}

/* ---- rules ---- */

int sh_rule_put(sh_db *db, const sh_rule *rule, sh_err *err)
{
    return sh_db_run(db, err,
                     "INSERT INTO rules (name, pattern, description, role_arn, tags, enabled)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (name) DO UPDATE SET pattern = ?2,"
                     " description = ?3, role_arn = ?4, enabled = ?6",
                     "sssssi", rule->name, rule->pattern, rule->description, rule->role_arn, rule->tags,
                     (int64_t)rule->enabled);
}

int sh_rule_delete(sh_db *db, const char *name, sh_err *err)
{
    return sh_db_run(db, err, "DELETE FROM rules WHERE name = ?1", "s", name);
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
    return sh_db_end(db, changed(db, status, "rule", name, err), err);
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

int sh_rule_list(sh_db *db, const char *prefix, const char *after, int64_t limit, sh_rule_fn fn, void *opaque,
                 sh_err *err)
{
    taker t = {.rule = fn, .opaque = opaque};
    return sh_db_each(db, err,
                      "SELECT name, pattern, description, role_arn, tags, enabled FROM rules"
                      " WHERE name > ?2 AND substr(name, 1, length(?1)) = ?1 ORDER BY name LIMIT ?3",
                      take_rule, &t, "ssi", prefix, after, limit);
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

int sh_delivery_add(sh_db *db, const sh_delivery *d, sh_err *err)
{
    return sh_db_run(
        db, err,
        "INSERT INTO deliveries (event, rule, target_id, target, reason, attempts, first_ms, due_ms)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        "sssssiii", d->event, d->rule, d->target_id, d->target, d->reason, d->attempts, d->first_ms,
        d->due_ms);
}

int sh_delivery_retry(sh_db *db, int64_t id, int64_t attempts, int64_t due_ms, const char *reason,
                      sh_err *err)
{
    return sh_db_run(db, err, "UPDATE deliveries SET attempts = ?2, due_ms = ?3, reason = ?4 WHERE id = ?1",
                     "iiis", id, attempts, due_ms, reason);
}

int sh_delivery_remove(sh_db *db, int64_t id, sh_err *err)
{
    return sh_db_run(db, err, "DELETE FROM deliveries WHERE id = ?1", "i", id);
}

static int take_delivery(void *opaque, const sh_row *row)
{
    taker *t = opaque;
    sh_delivery d = {
        .id = sh_row_int(row, 0),
        .event = sh_row_text(row, 1),
        .rule = sh_row_text(row, 2),
        .target_id = sh_row_text(row, 3),
        .target = sh_row_text(row, 4),
        .reason = sh_row_text(row, 5),
        .attempts = sh_row_int(row, 6),
        .first_ms = sh_row_int(row, 7),
        .due_ms = sh_row_int(row, 8),
    };
    return t->delivery(t->opaque, &d);
}

int sh_delivery_due(sh_db *db, int64_t now_ms, int64_t limit, sh_delivery_fn fn, void *opaque, sh_err *err)
{
    taker t = {.delivery = fn, .opaque = opaque};
    return sh_db_each(db, err,
                      "SELECT id, event, rule, target_id, target, reason, attempts, first_ms, due_ms"
                      " FROM deliveries WHERE due_ms >= 0 AND due_ms <= ?1 ORDER BY due_ms LIMIT ?2",
                      take_delivery, &t, "ii", now_ms, limit);
}

int sh_delivery_failed(sh_db *db, int64_t limit, sh_delivery_fn fn, void *opaque, sh_err *err)
{
    taker t = {.delivery = fn, .opaque = opaque};
    return sh_db_each(db, err,
                      "SELECT id, event, rule, target_id, target, reason, attempts, first_ms, due_ms"
                      " FROM deliveries WHERE due_ms < 0 ORDER BY id DESC LIMIT ?1",
                      take_delivery, &t, "i", limit);
}

int sh_delivery_next(sh_db *db, int64_t *due_ms, sh_err *err)
{
    *due_ms = -1;
    return sh_db_each(db, err, "SELECT due_ms FROM deliveries WHERE due_ms >= 0 ORDER BY due_ms LIMIT 1",
                      sh_take_number, due_ms, "");
}

int sh_delivery_trim(sh_db *db, int64_t keep, sh_err *err)
{
    return sh_db_run(db, err,
                     "DELETE FROM deliveries WHERE due_ms < 0 AND id <= (SELECT id FROM deliveries"
                     " WHERE due_ms < 0 ORDER BY id DESC LIMIT 1 OFFSET ?1)",
                     "i", keep);
}
