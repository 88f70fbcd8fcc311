/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_OUTBOX_H
#define SH_STORE_OUTBOX_H
/* Events waiting for delivery, and the rules and targets that say where they go.
 *
 * A service adds an event in the transaction that makes it true, so that neither can be without the other;
 * the deliverer matches it with the rules and removes it in the transaction that starts the targets. `event`
 * is a complete EventBridge event, JSON text: version, id, detail-type, source, account, time, region,
 * resources, detail.
 *
 * A delivery that could not be made leaves the outbox for the table of deliveries: to be tried again at
 * due_ms, or, when that is hopeless, as a record of what went wrong (due_ms -1). */
#include "cloud/store/db.h"
#include <stdbool.h>

int sh_outbox_add(sh_db *db, const char *event, sh_err *err);
/* The oldest events, at most `limit`. */
typedef int (*sh_outbox_fn)(void *opaque, int64_t id, const char *event);
int sh_outbox_list(sh_db *db, int64_t limit, sh_outbox_fn fn, void *opaque, sh_err *err);
int sh_outbox_remove(sh_db *db, int64_t id, sh_err *err);

typedef struct sh_rule {
    const char *name, *pattern;
    const char *description, *role_arn; /* may be NULL */
    const char *tags;                   /* JSON object text */
    bool enabled;
} sh_rule;

int sh_rule_put(sh_db *db, const sh_rule *rule, sh_err *err); /* makes or replaces */
int sh_rule_delete(sh_db *db, const char *name, sh_err *err);
int sh_rule_enable(sh_db *db, const char *name, bool enabled, sh_err *err); /* SH_E_NOT_FOUND */
/* Rules are given to fn in the order of their names; strings live until it returns. name: NULL for all;
 * prefix, after: "" for all. */
typedef int (*sh_rule_fn)(void *opaque, const sh_rule *rule);
int sh_rule_get(sh_db *db, const char *name, sh_rule_fn fn, void *opaque, sh_err *err); /* SH_E_NOT_FOUND */
int sh_rule_list(sh_db *db, const char *prefix, const char *after, int64_t limit, sh_rule_fn fn, void *opaque,
                 sh_err *err);

/* A target is kept as the JSON text of PutTargets; arn beside it for ListRuleNamesByTarget. */
int sh_target_put(sh_db *db, const char *rule, const char *id, const char *arn, const char *target,
                  sh_err *err);
int sh_target_remove(sh_db *db, const char *rule, const char *id, sh_err *err); /* SH_E_NOT_FOUND */
typedef int (*sh_target_fn)(void *opaque, const char *id, const char *target);
int sh_target_list(sh_db *db, const char *rule, const char *after, int64_t limit, sh_target_fn fn,
                   void *opaque, sh_err *err);
int sh_target_count(sh_db *db, const char *rule, int64_t *count, sh_err *err);
typedef int (*sh_name_fn)(void *opaque, const char *name);
int sh_target_rules(sh_db *db, const char *arn, const char *after, int64_t limit, sh_name_fn fn, void *opaque,
                    sh_err *err);

typedef struct sh_delivery {
    int64_t id;
    const char *event, *rule, *target_id;
    const char *target; /* as it was when the event matched */
    const char *reason; /* of the last failure */
    int64_t attempts, first_ms;
    int64_t due_ms; /* -1: given up */
} sh_delivery;

int sh_delivery_add(sh_db *db, const sh_delivery *delivery, sh_err *err);
int sh_delivery_retry(sh_db *db, int64_t id, int64_t attempts, int64_t due_ms, const char *reason,
                      sh_err *err);
int sh_delivery_remove(sh_db *db, int64_t id, sh_err *err);
typedef int (*sh_delivery_fn)(void *opaque, const sh_delivery *delivery);
int sh_delivery_due(sh_db *db, int64_t now_ms, int64_t limit, sh_delivery_fn fn, void *opaque, sh_err *err);
/* Those given up, latest first. */
int sh_delivery_failed(sh_db *db, int64_t limit, sh_delivery_fn fn, void *opaque, sh_err *err);
int sh_delivery_next(sh_db *db, int64_t *due_ms, sh_err *err); /* -1: none */
/* Forgets all but the latest `keep` of those given up. */
int sh_delivery_trim(sh_db *db, int64_t keep, sh_err *err);

#endif
