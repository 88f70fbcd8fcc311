/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_STATES_EFFECT_H
#define SH_API_STATES_EFFECT_H
/* Tasks whose work is more than a change of the database: objects of S3, and whatever else reads or writes
 * outside of it. The step of an execution only puts the task into a queue (a row); the runner of
 * states_effect.c takes it from there, without the database's lock, and says in the row how it came out.
 *
 * After a crash the row is still queued and the work is done again. A call that changes something makes its
 * answer part of the transaction that makes the change (sh_effect_tell), so that it is done once. */
#include "cloud/api/states_session.h"
#include "cloud/api/states_token.h"

typedef struct sh_effect {
    sh_cloud *cloud;
    sh_arena *arena;     /* lives as long as the call */
    const sh_wait *wait; /* NULL: nobody's row, as in TestState */
    sh_caller caller;    /* who calls: a session of the machine's role */
    const json_t *in;    /* an object, names as in the state machine */
    json_t *out;         /* made by the call */
    sh_aws_error error;  /* code as S3 has it: "NoSuchKey" */
    bool submitted;      /* the task goes on after the call: a token ends it */
    bool told;           /* the answer stands in the row */
} sh_effect;

/* Returns 0 with out set, SH_E_ARGUMENT with error set, or another status: the server could not. */
typedef int (*sh_effect_fn)(sh_effect *effect, sh_err *err);

typedef struct sh_effect_row {
    const char *name; /* "s3:getObject" */
    sh_effect_fn fn;
} sh_effect_row;

extern const sh_effect_row sh_effects_s3[]; /* states_s3.c; ends with a row without a name */

/* NULL when it is no such call. */
const sh_effect_row *sh_effect_find(const sh_flow_resource *resource);
/* Puts a task into the queue of `service`, whose runners are woken. */
typedef struct sh_effect_queue_name {
    const char *service;
    unsigned wake;
} sh_effect_queue_name;
int sh_effect_put(sh_cloud *cloud, const sh_effect_queue_name *to, const sh_flow_resource *resource,
                  sh_wait *wait, const json_t *input, sh_err *err);
/* Puts the task of a row into the queue. */
int sh_effect_queue(sh_cloud *cloud, const sh_flow_resource *resource, sh_wait *wait, const json_t *input,
                    sh_err *err);
/* Within the transaction that makes the call's change: its answer is effect->out. Does nothing where there is
 * no row. SH_E_NOT_FOUND: nobody waits for it any more, and nothing is to be changed. */
int sh_effect_tell(sh_effect *effect, sh_err *err);
/* May the caller do this ("s3:GetObject"; key NULL: to the bucket)? 0 also when there is no such bucket. Else
 * the call has failed. */
int sh_effect_permit(sh_effect *effect, const char *action, const char *bucket, const char *key, sh_err *err);
/* Sets effect->error; returns SH_E_ARGUMENT. */
int sh_effect_fail(sh_effect *effect, int http_status, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Makes such a call at once, outside of any transaction. The answer as of sh_task_call. */
int sh_effect_call(sh_cloud *cloud, sh_arena *arena, const sh_actor *actor, const sh_flow_resource *resource,
                   const json_t *parameters, sh_task_answer *answer, sh_err *err);

/* Calls the action of a task, of this kind or another (sh_task_call), and hands its answer on as an event
 * that lives until fn returns. */
typedef int (*sh_task_event_fn)(void *opaque, const sh_flow_event *event, sh_err *err);
int sh_effect_or_task(sh_cloud *cloud, const sh_actor *actor, const sh_flow_resource *resource,
                      const json_t *parameters, int64_t task, sh_task_event_fn fn, void *opaque, sh_err *err);

/* Does what is queued; *next_ms: when to look again, monotonic, -1: when woken. */
int sh_effects_pump(sh_cloud *cloud, int64_t *next_ms, sh_err *err);
int sh_effects_run(sh_cloud *cloud);

#endif
