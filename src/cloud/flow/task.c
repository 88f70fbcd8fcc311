/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Task states: starting one, its answer, its time-outs. Each attempt has an id of its own, so that the answer
 * to an attempt that has timed out can never pass for the next one's. */
#include "cloud/flow/engine.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKEN_MAX = 1024 };

int sh_task_token(sh_run *run, sh_frame *frame)
{
    char text[TOKEN_MAX + 1] = "";
    const char *id =
        json_string_value(json_object_get(json_object_get(run->env->context, "Execution"), "Id"));

    frame->task = run->last_task + 1;
    free(frame->token);
    frame->token = NULL;
    if (frame->state->resource.pattern != SH_FLOW_TASK_TOKEN)
        return 0;
    if (run->env->token)
        run->env->token(run->env->opaque, frame->task, text, sizeof(text));
    else
        snprintf(text, sizeof(text), "%.900s#%lld", id ? id : "", (long long)frame->task);
    frame->token = strdup(text);
    return frame->token ? 0 : SH_E_MEMORY;
}

static int seconds(const sh_number_field *field, const sh_eval *eval, int64_t *out)
{
    double value = 0;
    int status = field->given ? sh_number_eval(field, eval, &value) : 0;

    if (!status && field->given && (value < 1 || value > 99999999))
        status =
            sh_fault_set(eval->fault, "States.Runtime",
                         "The %s parameter must be between 1 and 99999999, not %.0f", field->name, value);
    *out = (int64_t)value;
    return status;
}

int sh_task_add(sh_run *run, const sh_flow_task *task)
{
    sh_flow_result *result = &run->result;
    sh_flow_task *tasks = realloc(result->tasks, (result->task_count + 1) * sizeof(*tasks));

    if (!tasks)
        return SH_E_MEMORY;
    result->tasks = tasks;
    tasks[result->task_count++] = *task;
    return 0;
}

static int64_t after(const sh_run *run, int64_t seconds)
{
    return seconds ? sh_steady_now(run->env) + seconds * 1000 : -1;
}

static int start(sh_run *run, sh_frame *frame, sh_flow_task *task)
{
    bool activity = frame->state->resource.kind == SH_FLOW_ACTIVITY;
    int status = sh_emit_task(run, frame, SH_TASK_SCHEDULED, NULL, NULL, NULL, task);

    task->scheduled_event = frame->previous;
    if (!status && !activity)
        status = sh_emit_task(run, frame, SH_TASK_STARTED, NULL, NULL, NULL, NULL);
    if (!status && frame->token && !(task->token = strdup(frame->token)))
        status = SH_E_MEMORY;
    if (status || run->overflow)
        return status;
    run->last_task = task->id;
    frame->phase = SH_PHASE_TASK;
    frame->heartbeat_s = task->heartbeat_s;
    frame->timeout_s = task->timeout_s;
    frame->timeout_ms = activity ? -1 : after(run, task->timeout_s); /* an activity's run from its start */
    frame->heartbeat_ms = activity ? -1 : after(run, task->heartbeat_s);
    return 0;
}

/* A worker has taken the activity: from now on it has its time, and its heart is to be heard. */
static int worker_started(sh_run *run, sh_frame *frame, const char *worker)
{
    if (frame->state->resource.kind != SH_FLOW_ACTIVITY)
        return 0;
    frame->timeout_ms = after(run, frame->timeout_s);
    frame->heartbeat_ms = after(run, frame->heartbeat_s);
    return sh_emit(run, frame, "ActivityStarted", "activityStartedEventDetails",
                   worker ? json_pack("{s:s}", "workerName", worker) : json_object());
}

static int check_activity(const sh_flow_resource *resource, const sh_eval *eval)
{
    const sh_flow_env *env = eval->env;

    if (resource->kind != SH_FLOW_ACTIVITY || !env->activity || env->activity(env->opaque, resource->arn))
        return 0;
    return sh_fault_set(eval->fault, "States.Runtime", "The activity %s does not exist.", resource->arn);
}

int sh_task_enter(sh_run *run, sh_frame *frame, const sh_eval *eval)
{
    sh_flow_task task = {.id = frame->task, .state = frame->state->name, .resource = &frame->state->resource};
    bool mocked = false;
    int status = 0;

    if (frame->state->parameters)
        status = sh_template_eval(frame->state->parameters, eval, &task.parameters);
    else
        task.parameters = json_incref(eval->input);
    if (!status)
        status = sh_payload_check(frame, task.parameters, eval->fault, NULL);
    if (!status && (frame->state->parameters || !frame->state->jsonata))
        sh_test_note(run, frame, frame->state->jsonata ? "afterArguments" : "afterParameters",
                     task.parameters);
    if (!status)
        status = seconds(&frame->state->timeout, eval, &task.timeout_s);
    if (!status)
        status = seconds(&frame->state->heartbeat, eval, &task.heartbeat_s);
    if (!status && frame->state->credentials)
        status = sh_template_eval(frame->state->credentials, eval, &task.credentials);
    if (!status)
        status = sh_test_mock(run, frame, &mocked);
    if (!status && !mocked)
        status = check_activity(task.resource, eval);
    if (!status && !mocked)
        status = start(run, frame, &task);
    if (!status && frame->phase == SH_PHASE_TASK)
        status = sh_task_add(run, &task);
    else if (!status)
        task.id = 0; /* the history is full, or the work is mocked */
    if (status || !task.id) {
        json_decref(task.parameters);
        json_decref(task.credentials);
        free(task.token);
    }
    return status;
}

static int succeeded(sh_run *run, sh_frame *frame, json_t *output)
{
    sh_fault fault = {0};
    int status = sh_payload_check(frame, output, &fault, NULL);

    frame->timeout_ms = frame->heartbeat_ms = -1;
    if (status == SH_FAULT)
        status = sh_emit_task(run, frame, SH_TASK_FAILED, NULL, fault.error, fault.cause, NULL);
    else if (!status)
        status = sh_emit_task(run, frame, SH_TASK_SUCCEEDED, output, NULL, NULL, NULL);
    if (!status)
        status =
            fault.error ? sh_frame_fail(run, frame, &fault, SH_FAULT) : sh_frame_leave(run, frame, output);
    sh_fault_clear(&fault);
    return status;
}

static int failed(sh_run *run, sh_frame *frame, sh_task_event event, const char *error, const char *cause,
                  bool heartbeat)
{
    sh_fault fault = {0};
    int status = sh_emit_task(run, frame, event, NULL, error, cause, NULL);

    frame->timeout_ms = frame->heartbeat_ms = -1;
    if (!status)
        status = sh_fault_take(&fault, error, cause);
    fault.heartbeat = heartbeat;
    fault.runtime = error && !strcmp(error, "States.Runtime");
    if (status == SH_FAULT)
        status = sh_frame_fail(run, frame, &fault, status);
    sh_fault_clear(&fault);
    return status;
}

int sh_task_answer(sh_run *run, sh_frame *frame, const sh_flow_event *event)
{
    json_t *output = event->output ? json_incref((json_t *)event->output) : json_null();
    int status = 0;

    if (frame->state->type == SH_STATE_MAP) {
        json_decref(output);
        return sh_map_answer(run, frame, event);
    }
    switch (event->kind) {
    case SH_FLOW_TASK_STARTED:
        status = worker_started(run, frame, event->cause);
        break;
    case SH_FLOW_TASK_SUBMITTED:
        status = sh_emit_task(run, frame, SH_TASK_SUBMITTED, output, NULL, NULL, NULL);
        break;
    case SH_FLOW_TASK_SUCCEEDED:
        status = succeeded(run, frame, output);
        break;
    case SH_FLOW_TASK_FAILED:
        status = failed(run, frame, SH_TASK_FAILED, event->error, event->cause, false);
        break;
    case SH_FLOW_TASK_HEARTBEAT:
        frame->heartbeat_ms = after(run, frame->heartbeat_s);
        break;
    default:
        status = SH_E_INTERNAL;
    }
    json_decref(output);
    return status;
}

int sh_task_timer(sh_run *run, sh_frame *frame, bool *due)
{
    int64_t now_ms = sh_steady_now(run->env);
    bool timeout = frame->timeout_ms >= 0 && frame->timeout_ms <= now_ms;
    bool heartbeat = frame->heartbeat_ms >= 0 && frame->heartbeat_ms <= now_ms;
    int status;

    if (!timeout && !heartbeat)
        return 0;
    *due = true;
    status = sh_run_cancel_task(run, frame->task);
    return status ? status : failed(run, frame, SH_TASK_TIMED_OUT, "States.Timeout", NULL, !timeout);
}
