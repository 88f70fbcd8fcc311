/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_EVENTS_H
#define SH_API_EVENTS_H
/* EventBridge inside: what the files events*.c share.
 *
 *   events.c           the table of actions, events of clients, test of a pattern
 *   events_names.c     names and ARNs of buses and rules, pages of lists
 *   events_bus.c       buses and their policies
 *   events_rules.c     rules
 *   events_targets.c   targets of rules: actions
 *   events_tags.c      tags of rules and buses
 *   events_http.c      connections and API destinations: actions
 *   events_pattern.c   does an event match a pattern
 *   events_input.c     what a target is given: the event, a part of it, or a template filled from it
 *   events_cron.c      when a schedule is due
 *   events_schedule.c  events of schedules
 *   events_start.c     kinds of targets: how each is checked and started
 *   events_deliver.c   the runner: outbox -> rules -> targets
 *   events_outside.c   the runner of what is done outside the transaction: web calls, dead letters
 *   events_web.c       one call of an API destination
 *   events_trace.c     loops: how often an event went through a rule; whether anybody wants an event */
#include "base/buf.h"
#include "cloud/api/caller.h"
#include "cloud/api/cloud.h"
#include "cloud/store/outbox.h"

#define SH_EVENTS_SERVICE "events.amazonaws.com"
#define SH_EVENT_BYTES (1024 * 1024) /* of an event, and of all entries of PutEvents */

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

/* ---- events_names.c ---- */
/* EventBusName, a name or an ARN, as a name; "default" when it is not there. The call fails unless there is
 * such a bus. */
int sh_events_bus(sh_call *call, const char **bus);
/* The same of any text. NULL: no ARN of a bus of this server. In the arena. */
const char *sh_events_bus_name(const sh_cloud *cloud, sh_arena *arena, const char *name);
bool sh_events_bus_exists(sh_cloud *cloud, const char *bus, sh_arena *arena);
bool sh_events_is_default(const char *bus);
/* A rule as the store names it: "NAME", or "BUS/NAME". The call fails when the member is no name. */
int sh_events_rule(sh_call *call, const char *member, const char **bus, const char **name, const char **rule);
const char *sh_events_rule_key(sh_arena *arena, const char *bus, const char *name);
const char *sh_events_rule_arn(const sh_cloud *cloud, sh_arena *arena, const char *rule);
const char *sh_events_bus_arn(const sh_cloud *cloud, sh_arena *arena, const char *bus);
int sh_events_no_rule(sh_call *call, const char *bus, const char *name);
/* [\.\-_A-Za-z0-9]+ and not longer than max, or the call fails. */
int sh_events_need_name(sh_call *call, const char *member, size_t max, const char **name);
int sh_events_invalid(sh_call *call, const char *member, const char *value, const char *constraint);

/* A page of a list: Limit and NextToken, which is the name after which to go on. */
typedef struct sh_event_page {
    sh_call *call;
    json_t *into;
    const char *last;
    int64_t room;
    int failed;
    bool more;
} sh_event_page;
int sh_events_page(sh_call *call, sh_event_page *page, const char **after);
/* Takes the item, or releases it when there is no more room; 1: the page is full. */
int sh_events_page_add(sh_event_page *page, const char *name, json_t *item);
int sh_events_page_end(sh_event_page *page, const char *member, int status, const sh_err *err);

/* ---- events_bus.c ---- */
int sh_events_create_bus(sh_call *call);
int sh_events_update_bus(sh_call *call);
int sh_events_describe_bus(sh_call *call);
int sh_events_delete_bus(sh_call *call);
int sh_events_list_buses(sh_call *call);
int sh_events_put_permission(sh_call *call);
int sh_events_remove_permission(sh_call *call);
/* What is kept of a bus, {} for one that nothing was said of. New reference. SH_E_NOT_FOUND. */
int sh_events_bus_load(sh_cloud *cloud, sh_arena *arena, const char *bus, json_t **out, sh_err *err);
int sh_events_bus_save(sh_cloud *cloud, const char *bus, const json_t *value, sh_err *err);
/* Whether the bus's policy, or that of the caller, lets the caller put events on it. 0, SH_E_DENIED ... */
int sh_events_may_put(sh_cloud *cloud, const sh_caller *caller, const char *bus, const char *source_arn,
                      sh_arena *arena, const char **sentence, sh_err *err);

/* ---- events_tags.c ---- */
int sh_events_tag(sh_call *call);
int sh_events_untag(sh_call *call);
int sh_events_list_tags(sh_call *call);
/* Tags of a call that makes something, as JSON object text in the arena. */
int sh_events_read_tags(sh_call *call, const char **text);

/* ---- events_rules.c, events_targets.c: actions ---- */
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
int sh_events_rule_failed(sh_call *call, int status, const char *bus, const char *name, const sh_err *err);
int sh_events_need_rule(sh_call *call, const char *bus, const char *name, const char *rule);

/* ---- events_http.c: actions ---- */
int sh_events_create_connection(sh_call *call);
int sh_events_update_connection(sh_call *call);
int sh_events_describe_connection(sh_call *call);
int sh_events_delete_connection(sh_call *call);
int sh_events_list_connections(sh_call *call);
int sh_events_create_destination(sh_call *call);
int sh_events_update_destination(sh_call *call);
int sh_events_describe_destination(sh_call *call);
int sh_events_delete_destination(sh_call *call);
int sh_events_list_destinations(sh_call *call);

/* ---- events_cron.c ---- */
/* "rate(5 minutes)", "cron(0 12 * * ? *)": the first time after after_ms; rate counts from from_ms. *next_ms
 * -1: never. SH_E_FORMAT: it is no such expression. */
int sh_schedule_after(const char *expression, int64_t from_ms, int64_t after_ms, int64_t *next_ms,
                      sh_err *err);

/* ---- events_schedule.c ---- */
/* Puts the events of schedules that are due into the outbox. In a transaction. *fired: how many. */
int sh_events_fire(sh_cloud *cloud, int64_t now_ms, size_t *fired, sh_err *err);
/* Sets the expression of a rule; NULL: none. */
int sh_events_schedule(sh_cloud *cloud, const char *rule, const char *expression, bool enabled,
                       int64_t now_ms, sh_err *err);

/* ---- events_start.c ---- */
/* One delivery, as the kinds of targets see it. */
typedef struct sh_event_delivery {
    sh_cloud *cloud;
    sh_arena *arena;
    const json_t *event;
    const char *event_text;
    const char *rule, *rule_arn, *target_id;
    const json_t *target;
    const char *input; /* what the target is given */
    const char *trace; /* with this round, or NULL */
    bool forwarded;
    int64_t now_ms;
} sh_event_delivery;

/* What became of it. */
typedef struct sh_event_outcome {
    const char *reason; /* NULL: delivered. "CODE: message" */
    bool again;         /* another time it may go well */
} sh_event_outcome;

/* SH_LANE_OUTSIDE: a call over the network. */
int sh_events_lane(const json_t *target);
/* Is the target one of this server, and has it what its kind needs? The call fails when not. */
int sh_events_check_target(sh_call *call, const char *rule, const json_t *target);
/* Starts it, in the caller's transaction. Negative only when the transaction has to be done again. */
int sh_events_start(const sh_event_delivery *delivery, sh_event_outcome *out, sh_err *err);
/* The target's role, taken on for the rule: 0, or *out has the reason. */
int sh_events_take_role(const sh_event_delivery *d, sh_caller *session, sh_event_outcome *out, sh_err *err);
/* "<event id>_<digest of rule and target>": at most 80 characters. */
void sh_events_delivery_name(const char *event_id, const char *rule, const char *target_id, char name[81]);

/* ---- events_web.c ---- */
/* What is called: all in the arena. */
typedef struct sh_web_call {
    const char *url, *method, *body;
    const char *const *headers; /* NULL-terminated lines */
    const char *destination;    /* name */
    int64_t limit;              /* calls a second */
} sh_web_call;
/* From destination and connection of the delivery's target. *out->reason: it cannot be. */
int sh_events_web_call(const sh_event_delivery *d, sh_web_call *call, sh_event_outcome *out, sh_err *err);
/* Checks the endpoint of a destination: https, or http on the loopback. Words, NULL: good. */
const char *sh_events_web_refuses(const char *url);
const char *sh_events_unseal(const sh_cloud *cloud, sh_arena *arena, const char *connection,
                             const char *sealed);
const char *sh_events_seal(const sh_cloud *cloud, sh_arena *arena, const char *connection,
                           const char *secret);

/* ---- events_trace.c ---- */
#define SH_EVENTS_ROUNDS 16
/* The trace with one more round through `what` (a rule), in the arena; NULL: it would be more than
 * SH_EVENTS_ROUNDS. trace may be NULL. */
const char *sh_trace_round(sh_arena *arena, const char *trace, const char *what);
/* Whether a rule of the bus default may want events of executions: most servers make very many, and none
 * that is wanted. Errs on the side of yes. */
bool sh_events_states_wanted(sh_cloud *cloud);

/* ---- events_deliver.c ---- */
/* Delivers all that can be delivered now; *next_ms is when to look again, wall clock, -1: when woken. */
int sh_events_pump(sh_cloud *cloud, int64_t *next_ms, sh_err *err);
/* What becomes of a delivery that was tried: it goes, waits for another try, is given up or becomes a dead
 * letter. In the caller's transaction. retry_after_ms: 0 unless the target said when. */
int sh_events_settle(sh_cloud *cloud, const sh_dispatch *d, const sh_event_outcome *out,
                     int64_t retry_after_ms, sh_err *err);

/* ---- events_outside.c ---- */
int sh_events_outside_run(sh_cloud *cloud);

#endif
