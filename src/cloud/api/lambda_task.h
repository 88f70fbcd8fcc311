/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_LAMBDA_TASK_H
#define SH_API_LAMBDA_TASK_H
/* Tasks of state machines that invoke functions: the ARN of a function as Resource, lambda:invoke, and
 * aws-sdk:lambda:invoke. The step puts such a task into the queue (a row, as of states_effect.h); the runner
 * of lambda_queue.c submits it, and its end is the task's answer. After a crash it is submitted again. */
#include "cloud/api/states.h"
#include "cloud/api/states_session.h"
#include "cloud/store/flows.h"

bool sh_fn_task_is(const sh_flow_resource *resource);
int sh_fn_task_queue(sh_cloud *cloud, const sh_flow_resource *resource, sh_wait *wait, const json_t *input,
                     sh_err *err);
/* At once, outside of any transaction; waits for the end. As sh_task_call. */
int sh_fn_task_call(sh_cloud *cloud, sh_arena *arena, const sh_actor *actor, const sh_flow_resource *resource,
                    const json_t *parameters, sh_task_answer *answer, sh_err *err);

#endif
