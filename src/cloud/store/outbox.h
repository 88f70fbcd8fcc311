/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_OUTBOX_H
#define SH_STORE_OUTBOX_H
/* Events waiting for delivery, and the rules and targets that say where they go. A rule's name is what stands
 * behind "rule/" in its ARN: "NAME" on the bus default, "BUS/NAME" on another.
 *
 * A service adds an event in the transaction that makes it true, so that neither can be without the other;
 * the deliverer matches it with the rules and removes it in the transaction that starts the targets. `event`
 * is a complete EventBridge event, JSON text: version, id, detail-type, source, account, time, region,
 * resources, detail.
 *
 * What cannot be done in that transaction leaves the outbox for the table of deliveries: a call to be made
 * outside (SH_LANE_OUTSIDE), one to be tried again at due_ms, or, when that is hopeless, a record of what
 * went wrong (due_ms -1). Deliveries of one rule and target with the same `line` are made in the order of
 * their ids: while one waits, those behind it have due_ms SH_DISPATCH_BEHIND.
 *
 * What an event comes from, when that was itself set off by events, is told by a trace: the value of an
 * X-Amzn-Trace-Id header. Whoever acts for an execution, an invocation or a request that has one says so to
 * its thread, and the events that the thread adds carry it on. */
#include "cloud/store/db.h"
#include <stdbool.h>

/* For the bus default, with the thread's trace. */
int sh_outbox_add(sh_db *db, const char *event, sh_err *err);

typedef struct sh_outbox_entry {
    int64_t id;
    const char *event;
    const char *bus; /* NULL: default */
    const char
        *rule; /* NULL: of the bus's rules those that match; else this one alone, whatever its pattern */
    const char *trace; /* NULL: none */
    bool forwarded;    /* from another bus: it goes to no third one */
} sh_outbox_entry;
int sh_outbox_put(sh_db *db, const sh_outbox_entry *entry, sh_err *err); /* id is not looked at */
/* The oldest events, at most `limit`. */
typedef int (*sh_outbox_fn)(void *opaque, const sh_outbox_entry *entry);
int sh_outbox_list(sh_db *db, int64_t limit, sh_outbox_fn fn, void *opaque, sh_err *err);
int sh_outbox_remove(sh_db *db, int64_t id, sh_err *err);

/* The trace of what this thread does now; borrowed until it is set anew. NULL: none. Returns the one
 * before, to be set again afterwards. */
const char *sh_trace_set(const char *trace);
const char *sh_trace(void);

typedef struct sh_rule {
    const char *name, *pattern;         /* pattern "": none, it has a schedule */
    const char *description, *role_arn; /* may be NULL */
    const char *tags;                   /* JSON object text */
    bool enabled;
} sh_rule;

int sh_rule_put(sh_db *db, const sh_rule *rule, sh_err *err); /* makes or replaces */
int sh_rule_delete(sh_db *db, const char *name, sh_err *err);
int sh_rule_enable(sh_db *db, const char *name, bool enabled, sh_err *err); /* SH_E_NOT_FOUND */
int sh_rule_set_tags(sh_db *db, const char *name, const char *tags, sh_err *err);
/* Grows with every change of rules, also with one that was taken back. */
uint64_t sh_rules_generation(void);
/* Rules are given to fn in the order of their names; strings live until it returns. prefix, after: "" for
 * all. plain: only those without a '/', which are those of the bus default. */
typedef int (*sh_rule_fn)(void *opaque, const sh_rule *rule);
int sh_rule_get(sh_db *db, const char *name, sh_rule_fn fn, void *opaque, sh_err *err); /* SH_E_NOT_FOUND */
int sh_rule_list(sh_db *db, const char *prefix, bool plain, const char *after, int64_t limit, sh_rule_fn fn,
                 void *opaque, sh_err *err);

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

enum { SH_LANE_INSIDE, SH_LANE_OUTSIDE, SH_LANE_DEAD };
#define SH_DISPATCH_BEHIND INT64_MAX

typedef struct sh_dispatch {
    int64_t id;
    const char *event, *rule, *target_id;
    const char *target; /* as it was when the event matched */
    const char *reason; /* of the last failure; NULL: none yet */
    int64_t attempts, first_ms;
    int64_t due_ms;    /* -1: given up */
    int64_t lane;      /* who makes it: SH_LANE_* */
    const char *line;  /* NULL: in any order */
    const char *trace; /* NULL: none */
} sh_dispatch;

/* Behind those of its line that wait. */
int sh_dispatch_add(sh_db *db, const sh_dispatch *delivery, sh_err *err);
/* Whether one of that line waits. line NULL: none does. */
int sh_dispatch_waits(sh_db *db, const char *rule, const char *target_id, const char *line, bool *waits,
                      sh_err *err);
int sh_dispatch_retry(sh_db *db, int64_t id, int64_t attempts, int64_t due_ms, const char *reason,
                      sh_err *err);
/* It goes (reason NULL), is given up (lane SH_LANE_INSIDE) or becomes a dead letter (SH_LANE_DEAD): the next
 * of its line is due. */
int sh_dispatch_end(sh_db *db, const sh_dispatch *delivery, const char *reason, int64_t lane, int64_t now_ms,
                    sh_err *err);
typedef int (*sh_dispatch_fn)(void *opaque, const sh_dispatch *delivery);
/* outside: of the lanes OUTSIDE and DEAD, else of INSIDE. */
int sh_dispatch_due(sh_db *db, bool outside, int64_t now_ms, int64_t limit, sh_dispatch_fn fn, void *opaque,
                    sh_err *err);
/* Those given up, latest first. */
int sh_dispatch_failed(sh_db *db, int64_t limit, sh_dispatch_fn fn, void *opaque, sh_err *err);
/* When the next is due, of those after after_ms; -1: none. */
int sh_dispatch_next(sh_db *db, bool outside, int64_t after_ms, int64_t *due_ms, sh_err *err);
/* Forgets all but the latest `keep` of those given up. */
int sh_dispatch_trim(sh_db *db, int64_t keep, sh_err *err);

#endif
