/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_STATES_EXPRESS_H
#define SH_API_STATES_EXPRESS_H
/* One execution of an express machine, in memory. It is on one thread at a time: the one that started it, or
 * a runner that took it out of the table. */
#include "cloud/api/states_api.h"
#include "cloud/store/express.h"

typedef struct sh_express_task {
    const char *state; /* name, borrowed from the flow */
    const sh_flow_resource *resource;
    json_t *parameters, *credentials;
    int64_t id;
} sh_express_task;

typedef struct sh_express {
    struct sh_express *next, **link; /* in the table's list while it sleeps; link NULL: it is not */
    int64_t id;                      /* of the process, for keys */
    sh_cloud *cloud;
    sh_arena *strings; /* those below live in it */
    const char *arn, *name, *machine_arn, *machine_name, *role, *input, *trace_header;
    int64_t row;  /* in the store; 0: none */
    bool awaited; /* the row's result is kept for a task */
    bool watched; /* a call waits for it, and frees it */
    sh_flow *flow;
    json_t *context, *state;
    sh_express_task *tasks; /* still to be called, from `called` on */
    size_t task_count, task_capacity, called;
    sh_logging logging;
    int64_t started_ms, stopped_ms;
    int64_t deadline_ms, wake_ms; /* by sh_express_now: the last moment; when to go on */
    bool ended;
    const char *status; /* SUCCEEDED, FAILED, TIMED_OUT */
    char *output, *error, *cause;
} sh_express;

/* The time that wake_ms and deadline_ms are of: a setting of the wall clock does not move it. */
int64_t sh_express_now(const sh_cloud *cloud);
/* *out has to be freed. machine is the revision that runs; row NULL: it is not stored. */
int sh_express_make(sh_express **out, sh_cloud *cloud, const sh_machine *machine, const sh_express_row *row,
                    sh_err *err);
void sh_express_unmake(sh_express *x); /* NULL is fine */
/* Takes it as far as it goes in a slice of time; then it has ended, or goes on at wake_ms. */
void sh_express_advance(sh_express *x);
/* The answer of StartSyncExecution. */
json_t *sh_express_answer(const sh_express *x, bool metadata_only);

#endif
