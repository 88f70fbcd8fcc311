/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events in the form of GetExecutionHistory. A history ends at SH_FLOW_HISTORY_MAX events: the last place is
 * kept for the ExecutionFailed that says so. */
#include "cloud/flow/engine.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *sh_text_json(const json_t *value)
{
    sh_buf buf;
    json_t *text = NULL;

    sh_buf_init(&buf, SH_FLOW_TEXT_MAX);
    if (!sh_value_dump(&buf, value))
        text = sh_value_text(&buf);
    sh_buf_free(&buf);
    return text;
}

/* Of all that can be long in the details of an event. */
static size_t text_length(const json_t *details)
{
    const char *key;
    json_t *value;
    size_t length = 0;

    json_object_foreach((json_t *)details, key, value) length += json_string_length(value);
    return length;
}

static int append(sh_run *run, int64_t previous, const char *type, const char *key, json_t *details,
                  int64_t *id)
{
    json_t *event = json_object();

    if (!event ||
        json_object_set_new_nocheck(event, "timestamp", json_real((double)run->env->now_ms / 1000.0)) ||
        json_object_set_new_nocheck(event, "type", json_string_nocheck(type)) ||
        json_object_set_new_nocheck(event, "id", json_integer((json_int_t)(run->last_event + 1))) ||
        json_object_set_new_nocheck(event, "previousEventId", json_integer((json_int_t)previous)) ||
        (details && json_object_set(event, key, details)) || json_array_append(run->result.history, event)) {
        json_decref(event);
        return SH_E_MEMORY;
    }
    json_decref(event);
    run->written += text_length(details);
    *id = ++run->last_event;
    return 0;
}

int sh_emit_after(sh_run *run, int64_t previous, const char *type, const char *key, json_t *details,
                  int64_t *id)
{
    int status = 0;

    if (key && !details)
        return SH_E_MEMORY;
    if (run->last_event >= SH_FLOW_HISTORY_MAX - 1 && !run->env->unrecorded)
        run->overflow = true;
    else
        status = append(run, previous, type, key, details, id);
    json_decref(details);
    return status;
}

int sh_emit(sh_run *run, sh_frame *frame, const char *type, const char *key, json_t *details)
{
    return sh_emit_after(run, frame->previous, type, key, details, &frame->previous);
}

/* details with "input" or "output" and its "…Details"; text is given away */
static json_t *with_payload(json_t *details, const char *key, json_t *text)
{
    char extra[32];

    snprintf(extra, sizeof(extra), "%sDetails", key);
    if (!details) {
        json_decref(text);
        return NULL;
    }
    if (json_object_set_new(details, key, text) ||
        json_object_set_new(details, extra, json_pack("{s:b}", "truncated", 0))) {
        json_decref(details);
        return NULL;
    }
    return details;
}

static json_t *with_value(json_t *details, const char *key, const json_t *value)
{
    return with_payload(details, key, sh_text_json(value));
}

static json_t *with_text(json_t *details, const char *key, const char *text)
{
    if (details && text && json_object_set_new(details, key, sh_value_string(text))) {
        json_decref(details);
        return NULL;
    }
    return details;
}

static json_t *with_integer(json_t *details, const char *key, int64_t number)
{
    if (details && number > 0 && json_object_set_new(details, key, json_integer(number))) {
        json_decref(details);
        return NULL;
    }
    return details;
}

int sh_emit_started(sh_run *run)
{
    const json_t *role = json_object_get(json_object_get(run->env->context, "Execution"), "RoleArn");
    json_t *details = with_value(json_object(), "input", run->input);
    int64_t id;

    return sh_emit_after(run, 0, "ExecutionStarted", "executionStartedEventDetails",
                         with_text(details, "roleArn", json_string_value(role)), &id);
}

int sh_emit_entered(sh_run *run, sh_frame *frame)
{
    json_t *details = with_text(json_object(), "name", frame->state->name);
    char type[64];
    int status;

    snprintf(type, sizeof(type), "%sStateEntered", sh_state_type_name(frame->state->type));
    status =
        sh_emit(run, frame, type, "stateEnteredEventDetails", with_value(details, "input", frame->input));
    frame->entered_event = frame->previous;
    return status;
}

/* "assignedVariables" maps each name to the text of its value. */
static json_t *with_assigned(json_t *details, const json_t *assigned)
{
    json_t *texts, *value;
    const char *name;
    bool ok;

    if (!details || !json_object_size(assigned))
        return details;
    texts = json_object();
    ok = texts;
    json_object_foreach((json_t *)assigned, name, value)
    {
        ok = ok && !json_object_set_new(texts, name, sh_text_json(value));
    }
    if (json_object_set_new(details, "assignedVariables", texts) || !ok ||
        json_object_set_new(details, "assignedVariablesDetails", json_pack("{s:b}", "truncated", 0))) {
        json_decref(details);
        return NULL;
    }
    return details;
}

int sh_emit_exited(sh_run *run, sh_frame *frame, json_t *text, const json_t *assigned)
{
    json_t *details = with_text(json_object(), "name", frame->state->name);
    char type[64];

    snprintf(type, sizeof(type), "%sStateExited", sh_state_type_name(frame->state->type));
    details = with_assigned(with_payload(details, "output", text), assigned);
    return sh_emit(run, frame, type, "stateExitedEventDetails", details);
}

int sh_emit_evaluation_failed(sh_run *run, sh_frame *frame, const sh_fault *fault)
{
    json_t *details = with_text(json_object(), "error", fault->error);

    details = with_text(with_text(details, "cause", fault->cause), "location", fault->location);
    return sh_emit(run, frame, "EvaluationFailed", "evaluationFailedEventDetails",
                   with_text(details, "state", frame->state->name));
}

/* "aws-sdk:ssm" and "sendCommand"; "mediaconvert" and "createJob.sync" */
static json_t *resource_details(const sh_flow_resource *resource)
{
    static const char *const patterns[] = {[SH_FLOW_REQUEST_RESPONSE] = "",
                                           [SH_FLOW_SYNC] = ".sync",
                                           [SH_FLOW_SYNC_2] = ".sync:2",
                                           [SH_FLOW_TASK_TOKEN] = ".waitForTaskToken"};
    char *action = NULL, *service = NULL;
    json_t *details = NULL;

    if (asprintf(&action, "%s%s", resource->action, patterns[resource->pattern]) < 0)
        action = NULL;
    if (asprintf(&service, "%s%s", resource->kind == SH_FLOW_AWS_SDK ? "aws-sdk:" : "", resource->service) <
        0)
        service = NULL;
    if (action && service)
        details = json_pack("{s:s, s:s}", "resourceType", service, "resource", action);
    free(action);
    free(service);
    return details;
}

/* How the kinds of task name their events. */
static const struct family {
    const char *type, *key;
} families[] = {[SH_FLOW_OPTIMIZED] = {"Task", "task"},
                [SH_FLOW_AWS_SDK] = {"Task", "task"},
                [SH_FLOW_LAMBDA] = {"LambdaFunction", "lambdaFunction"},
                [SH_FLOW_ACTIVITY] = {"Activity", "activity"}};

static json_t *with_credentials(json_t *details, const json_t *credentials)
{
    const char *role = json_string_value(json_object_get(credentials, "RoleArn"));

    if (details && role &&
        json_object_set_new(details, "taskCredentials", json_pack("{s:s}", "roleArn", role))) {
        json_decref(details);
        return NULL;
    }
    return details;
}

static json_t *scheduled_details(const sh_run *run, bool plain, const sh_flow_resource *resource,
                                 json_t *details, const sh_flow_task *task)
{
    if (plain) {
        details = with_value(with_text(details, "resource", resource->arn), "input", task->parameters);
    } else {
        details = with_text(details, "region", run->env->region ? run->env->region : "us-east-1");
        if (details && json_object_set_new(details, "parameters", sh_text_json(task->parameters))) {
            json_decref(details);
            details = NULL;
        }
    }
    details = with_credentials(details, task->credentials);
    details = with_integer(details, "timeoutInSeconds", task->timeout_s);
    return with_integer(details, "heartbeatInSeconds", task->heartbeat_s);
}

int sh_emit_task(sh_run *run, sh_frame *frame, sh_task_event event, const json_t *value, const char *error,
                 const char *cause, const sh_flow_task *task)
{
    static const char *const names[] = {"Scheduled", "Started", "Submitted",
                                        "Succeeded", "Failed",  "TimedOut"};
    const sh_flow_resource *resource = &frame->state->resource;
    bool plain = resource->kind == SH_FLOW_LAMBDA || resource->kind == SH_FLOW_ACTIVITY;
    json_t *details = plain ? json_object() : resource_details(resource);
    char type[64], key[64];

    if (event == SH_TASK_SCHEDULED)
        details = scheduled_details(run, plain, resource, details, task);
    if (value)
        details = with_value(details, "output", value);
    details = with_text(with_text(details, "error", error), "cause", cause);
    if (!details)
        return SH_E_MEMORY;
    snprintf(type, sizeof(type), "%s%s", families[resource->kind].type, names[event]);
    snprintf(key, sizeof(key), "%s%sEventDetails", families[resource->kind].key, names[event]);
    if (plain && event == SH_TASK_STARTED) {
        json_decref(details);
        return sh_emit(run, frame, type, NULL, NULL);
    }
    return sh_emit(run, frame, type, key, details);
}

int sh_emit_end(sh_run *run, int64_t previous)
{
    static const struct {
        const char *type, *key;
    } rows[] = {[SH_FLOW_RUNNING] = {"", ""},
                [SH_FLOW_SUCCEEDED] = {"ExecutionSucceeded", "executionSucceededEventDetails"},
                [SH_FLOW_FAILED] = {"ExecutionFailed", "executionFailedEventDetails"},
                [SH_FLOW_TIMED_OUT] = {"ExecutionTimedOut", "executionTimedOutEventDetails"},
                [SH_FLOW_ABORTED] = {"ExecutionAborted", "executionAbortedEventDetails"}};
    const sh_flow_result *result = &run->result;
    json_t *details = json_object();
    int64_t id;
    int status;

    if (result->status == SH_FLOW_SUCCEEDED)
        details = with_value(details, "output", result->output);
    /* AWS names this error here only, DescribeExecution shows none */
    details =
        with_text(details, "error", result->status == SH_FLOW_TIMED_OUT ? "States.Timeout" : result->error);
    details = with_text(details, "cause", result->cause);
    if (!details)
        return SH_E_MEMORY;
    status = append(run, previous, rows[result->status].type, rows[result->status].key, details, &id);
    json_decref(details);
    return status;
}
