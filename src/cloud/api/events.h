/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_EVENTS_H
#define SH_API_EVENTS_H
/* EventBridge inside: what the files events*.c share.
 *
 *   events.c          the table of actions, events of clients, test of a pattern
 *   events_rules.c    rules and their targets
 *   events_pattern.c  does an event match a pattern
 *   events_input.c    what a target is given: the event, a part of it, or a template filled from it
 *   events_deliver.c  the runner: outbox -> rules -> targets */
#include "base/buf.h"
#include "cloud/api/cloud.h"

/* ---- events_pattern.c ---- */
/* Reads and checks a pattern. SH_E_FORMAT says where (line and column) or which field. */
int sh_pattern_load(json_t **out, const char *text, sh_err *err);
/* The pattern was checked. */
bool sh_pattern_match(const json_t *pattern, const json_t *event);

/* ---- events_input.c ---- */
typedef struct sh_event_context {
    const json_t *event;
    const char *rule_name, *rule_arn;
    int64_t ingested_ms;
} sh_event_context;

/* Checks Input, InputPath and InputTransformer of a target of PutTargets. */
int sh_target_check(const json_t *target, sh_err *err);
/* Appends the text that the target is given. */
int sh_target_input(const json_t *target, const sh_event_context *context, sh_buf *out, sh_err *err);

/* ---- events_rules.c: actions ---- */
int sh_events_put_rule(sh_call *call);
int sh_events_describe_rule(sh_call *call);
int sh_events_list_rules(sh_call *call);
int sh_events_delete_rule(sh_call *call);
int sh_events_enable_rule(sh_call *call);
int sh_events_disable_rule(sh_call *call);
int sh_events_put_targets(sh_call *call);
int sh_events_remove_targets(sh_call *call);
int sh_events_list_targets(sh_call *call);
int sh_events_list_rule_names(sh_call *call);
/* Fails the call unless EventBusName is the default bus (by name, ARN or silence). */
int sh_events_check_bus(sh_call *call);
bool sh_events_is_default_bus(const sh_cloud *cloud, const char *name);

/* ---- events_deliver.c ---- */
/* Delivers all that can be delivered now; *next_ms is when to look again, wall clock, -1: when woken. */
int sh_events_pump(sh_cloud *cloud, int64_t *next_ms, sh_err *err);

#endif
