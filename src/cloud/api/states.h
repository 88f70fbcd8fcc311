/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_STATES_H
#define SH_API_STATES_H
/* Step Functions inside: what the files states*.c share.
 *
 *   states.c            the table of actions, names and ARNs, tags
 *   states_machines.c   state machines
 *   states_exec.c       executions and their history
 *   states_cache.c      parsed definitions
 *   states_run.c        one execution: a run of steps, in one transaction
 *   states_runner.c     finds the executions that are due
 *   states_world.c      what the interpreter asks of the world
 *   states_tasks.c      what a Task calls, and how its answer becomes an event
 *   states_token.c      tokens of tasks, and what comes for a task from outside
 *   states_activity.c   activities and their workers
 *   states_effect.c     tasks whose work is more than a change of the database, and states_s3.c, the calls of
 * S3 states_answer.c     answers of actions as outputs of tasks states_case.c       names of members:
 * camelCase on the wire, PascalCase in a state machine */
#include "cloud/api/cloud.h"
#include "cloud/api/states_logging.h"
#include "cloud/flow/flow.h"
#include "cloud/store/flows.h"

/* ---- states.c ---- */
#define SH_ARN_MAX 2048
/* Checks the form "arn:aws:states:REGION:ACCOUNT:<kind>:…"; fails the call with InvalidArn. */
int sh_states_check_arn(sh_call *call, const char *arn, const char *kind);
/* Name rules of machines and executions; fails the call with InvalidName. */
int sh_states_check_name(sh_call *call, const char *name);
int sh_states_check_role(sh_call *call, const char *arn);
/* In the call's arena, NULL when memory is short. */
const char *sh_states_machine_arn(const sh_call *call, const char *name);
const char *sh_states_execution_arn(const sh_call *call, const char *machine, const char *name);
/* The machine, or the call failed with StateMachineDoesNotExist. The same for executions. */
int sh_states_machine(sh_call *call, const char *arn, sh_machine *out);
int sh_states_execution(sh_call *call, const char *arn, sh_execution *out);
/* An opaque page token: a letter that says what list it belongs to, and a number or name. */
int sh_states_token_number(sh_call *call, char kind, int64_t *value); /* 0: no token given */
/* Where a page of a list begins, as of sh_states_token_number, and how many it holds at the most. */
int sh_states_page(sh_call *call, char kind, int64_t *from, int64_t *room);

/* ---- states_machines.c: actions ---- */
int sh_states_create(sh_call *call);
int sh_states_update(sh_call *call);
int sh_states_describe(sh_call *call);
int sh_states_describe_for_execution(sh_call *call);
int sh_states_list(sh_call *call);
int sh_states_delete(sh_call *call);
int sh_states_validate(sh_call *call);

/* ---- states_exec.c: actions ---- */
int sh_states_start(sh_call *call);
int sh_states_stop(sh_call *call);
int sh_states_describe_execution(sh_call *call);
int sh_states_list_executions(sh_call *call);
int sh_states_history(sh_call *call);

/* ---- states_redrive.c ---- */
int sh_states_redrive(sh_call *call);
/* Why an execution cannot be driven again, in AWS's words; NULL: it can. */
const char *sh_redrive_refused(const sh_call *call, const sh_execution *e);

/* ---- states_cache.c ---- */
/* Definitions that were parsed lately, by their revision. To be used inside a transaction only: the
 * database's lock guards it. */
struct sh_flow_cache;
int sh_flow_cache_new(struct sh_flow_cache **out, sh_err *err);
void sh_flow_cache_free(struct sh_flow_cache *cache); /* NULL is fine */
typedef struct sh_definition {
    const sh_flow *flow;
    const char *role_arn, *machine_arn, *machine_name;
    sh_logging logging;
} sh_definition;
/* Valid until sh_flow_cache_put (NULL is fine). */
int sh_flow_cache_get(sh_cloud *cloud, int64_t revision_row, const sh_definition **out, sh_err *err);
void sh_flow_cache_put(sh_cloud *cloud, const sh_definition *definition);
/* The run of steps that goes on now, innermost first (an action called by a step may stop another execution,
 * or its own). NULL: none. */
struct sh_run **sh_flow_cache_active(sh_cloud *cloud);

/* ---- states_run.c ---- */
/* Whether a failure is one of the disk, which passes: everything is to be tried again later. */
bool sh_run_outage(int status);
/* Takes the execution as far as it goes now: start, tasks that ended, timers that are due, the tasks these
 * lead to. event: SH_FLOW_ABORT, or NULL. Within the caller's transaction, in one of its own. */
int sh_run_execution(sh_cloud *cloud, int64_t id, const sh_flow_event *event, sh_err *err);

/* ---- states_world.c: functions of a sh_flow_env ---- */
void sh_world_random(void *opaque, void *bytes, size_t length);
size_t sh_world_hash(void *opaque, const char *algorithm, const void *bytes, size_t length,
                     unsigned char digest[64]);

/* ---- states_runner.c ---- */
/* Steps all that is due by the server's clock; *next_ms is when to look again, wall clock, -1: when woken. */
int sh_flows_pump(sh_cloud *cloud, int64_t *next_ms, sh_err *err);

/* ---- states_tasks.c ---- */
/* Whether this server can do what a Task's resource names. *why (512 bytes) says why not. */
bool sh_task_supported(const sh_flow_resource *resource, char *why, size_t size);

/* Whether a task is no call of an action in the database, but work for somebody else: a worker of an
 * activity, or the runner of states_effect.c. */
bool sh_task_elsewhere(const sh_flow_resource *resource);
/* Puts such a task into its queue. */
int sh_task_hand_over(sh_cloud *cloud, const sh_flow_resource *resource, struct sh_wait *wait,
                      const json_t *parameters, sh_err *err);

/* How the call of a task came out. */
typedef struct sh_task_answer {
    json_t *output;                      /* owned; NULL when it failed */
    const char *error, *cause;           /* in the arena */
    const char *wait_service, *wait_for; /* of a .sync task under way: what sh_wait_notify will name */
    bool quiet;                          /* it waits, and the history is told nothing of the call */
    bool waits;                          /* output is the call's answer only; the task's end is to come */
} sh_task_answer;

struct sh_actor; /* states_session.h: who may not do it has a task that fails */

/* Calls the action of a task in a transaction of its own that is rolled back when the action fails. Negative:
 * the server could not try (memory, disk), to be tried again. */
int sh_task_call(sh_cloud *cloud, sh_arena *arena, const struct sh_actor *actor,
                 const sh_flow_resource *resource, const json_t *parameters, sh_task_answer *answer,
                 sh_err *err);
/* The same for a task of an execution that can wait: StartSyncExecution goes on without it. */
int sh_task_begin(sh_cloud *cloud, sh_arena *arena, const struct sh_actor *actor,
                  const sh_flow_resource *resource, const json_t *parameters, sh_task_answer *answer,
                  sh_err *err);
/* The outcome of a .sync task whose subject has ended. */
int sh_task_outcome(sh_cloud *cloud, sh_arena *arena, const struct sh_actor *actor,
                    const sh_flow_resource *resource, const char *subject, sh_task_answer *answer,
                    sh_err *err);
/* Stops what a .sync task started, as far as its service can. */
void sh_task_cancel(sh_cloud *cloud, sh_arena *arena, const struct sh_actor *actor, const char *service,
                    const char *subject);

/* ---- states_answer.c ---- */
/* The answer of an action as a task's output; times as ISO text, else as milliseconds. NULL: no memory. */
json_t *sh_answer_present(const json_t *answer, bool iso);
/* Adds SdkHttpMetadata and SdkResponseMetadata to an output. */
int sh_answer_metadata(json_t *output, const json_t *answer, const char *type, int64_t now_ms);

/* ---- states_case.c ---- */
/* A copy of value with the first letter of every member's name lowered (or raised), but for names that are
 * the user's own: those directly under AudioSelectors, UserMetadata, Tags and the like. NULL: no memory. */
json_t *sh_case_lower(const json_t *value);
json_t *sh_case_upper(const json_t *value);

#endif
