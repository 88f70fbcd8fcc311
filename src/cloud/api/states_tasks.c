/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a Task calls. An integration finds its action in the same tables as the HTTP front end; this file
 * turns parameters into the action's input, its answer into the task's output, and its errors into the names
 * that a Retry or Catch expects:
 *
 *   arn:aws:states:::aws-sdk:ssm:getCommandInvocation   any action of any service here; errors
 *                                                       "Ssm.InvocationDoesNotExistException"
 *   arn:aws:states:::mediaconvert:createJob.sync        the rows of `optimized` below
 *
 * A .sync task is under way until sh_wait_notify names its subject; then its service is asked once more how
 * it ended. */
#include "base/log.h"
#include "base/size.h"
#include "cloud/api/authorize.h"
#include "cloud/api/keys.h"
#include "cloud/api/lambda_task.h"
#include "cloud/api/states.h"
#include "cloud/api/states_api.h"
#include "cloud/api/states_effect.h"
#include "cloud/api/states_map.h"

#include <stdlib.h>
#include <string.h>

#define CALL_MEMORY (64u << 20)
#define PATTERN(p) (1u << (p))

/* How to follow what a .sync task started. */
typedef struct follow {
    const char *wrapper,
        *member; /* where its id stands in the answer: answer[wrapper][member], or answer[member] */
    const char *describe, *cancel; /* actions, both with {argument: id} */
    const char *argument;
    bool (*succeeded)(const json_t *described);
    json_t *(*output)(const json_t *described, sh_flow_pattern pattern); /* PascalCase */
    json_t *(*cause)(const json_t *output);                              /* borrowed part of output */
} follow;

typedef struct integration {
    const char *service, *action; /* as in the ARN */
    const char *prefix;           /* of error names */
    const char *legacy;           /* service as messages name it */
    unsigned patterns;
    const follow *follow;
    json_t *(*prepare)(const json_t *parameters); /* new reference; NULL: only names are changed */
    const char *(*refused)(const json_t *out);    /* error name when an answer is a failure, else NULL */
    const char *http_type;                        /* Content-Type, when the output tells of the HTTP answer */
} integration;

/* ---- mediaconvert:createJob ---- */

static const char *job_status(const json_t *described)
{
    return json_string_value(json_object_get(json_object_get(described, "job"), "status"));
}

static bool job_succeeded(const json_t *described)
{
    const char *status = job_status(described);
    return status && strcmp(status, "COMPLETE") == 0;
}

static json_t *job_output(const json_t *described, sh_flow_pattern pattern)
{
    return sh_answer_present(described, false);
}

static json_t *job_cause(const json_t *output)
{
    return json_object_get(output, "Job");
}

static const follow follow_job = {
    "job", "id", "GetJob", "CancelJob", "id", job_succeeded, job_output, job_cause,
};

/* ---- states:startExecution ---- */

static bool execution_succeeded(const json_t *described)
{
    const char *status = json_string_value(json_object_get(described, "status"));
    return status && strcmp(status, "SUCCEEDED") == 0;
}

static void parse_member(json_t *object, const char *name)
{
    const json_t *text = json_object_get(object, name);
    json_t *value = NULL;
    if (text && sh_flow_load(&value, json_string_value(text), json_string_length(text), NULL) == 0)
        json_object_set_new(object, name, value);
}

static json_t *execution_output(const json_t *described, sh_flow_pattern pattern)
{
    json_t *output = sh_answer_present(described, false);
    if (output && pattern == SH_FLOW_SYNC_2) {
        parse_member(output, "Input");
        parse_member(output, "Output");
    }
    return output;
}

static json_t *execution_cause(const json_t *output)
{
    return (json_t *)output;
}

static const follow follow_execution = {
    NULL,           "executionArn",      "DescribeExecution", "StopExecution",
    "executionArn", execution_succeeded, execution_output,    execution_cause,
};

/* Input and Output may be any JSON in a state machine; the API wants their text. What is in them is the
 * user's: its names stay. */
static json_t *texts_of_states(const json_t *parameters)
{
    static const char *const names[] = {"Input", "input", "Output", "output"};
    json_t *out = json_copy((json_t *)parameters);
    for (size_t i = 0; out && i < SH_COUNT(names); i++) {
        const json_t *value = json_object_get(parameters, names[i]);
        char *text = value && !json_is_string(value) ? sh_flow_text(value) : NULL;
        if (value && !json_is_string(value) &&
            (!text || json_object_set_new(out, names[i], json_string(text)) < 0)) {
            json_decref(out);
            out = NULL;
        }
        free(text);
    }
    return out;
}

/* ---- events:putEvents ---- */

/* Detail may be an object in a state machine; the API wants its text. */
static int detail_to_text(json_t *entry)
{
    const json_t *detail = json_object_get(entry, "Detail");
    if (!json_is_object(detail))
        return 0;
    char *text = sh_flow_text(detail);
    int status = text ? json_object_set_new(entry, "Detail", json_string(text)) : -1;
    free(text);
    return status;
}

static json_t *prepare_events(const json_t *parameters)
{
    size_t index;
    json_t *entry, *in = json_deep_copy(parameters);
    json_array_foreach(json_object_get(in, "Entries"), index, entry)
    {
        if (detail_to_text(entry) < 0 && json_is_object(entry)) {
            json_decref(in);
            return NULL;
        }
    }
    return in;
}

static const char *events_refused(const json_t *out)
{
    return json_integer_value(json_object_get(out, "FailedEntryCount")) > 0 ? "EventBridge.FailedEntry"
                                                                            : NULL;
}

static const integration optimized[] = {
    {"mediaconvert", "createJob", "MediaConvert", "AWSMediaConvert",
     PATTERN(SH_FLOW_REQUEST_RESPONSE) | PATTERN(SH_FLOW_SYNC), &follow_job, NULL, NULL, NULL},
    {"states", "startExecution", "StepFunctions", "AWSStepFunctions",
     PATTERN(SH_FLOW_REQUEST_RESPONSE) | PATTERN(SH_FLOW_SYNC) | PATTERN(SH_FLOW_SYNC_2) |
         PATTERN(SH_FLOW_TASK_TOKEN),
     &follow_execution, NULL, NULL, "application/x-amz-json-1.0"},
    {"events", "putEvents", "EventBridge", "AmazonCloudWatchEvents",
     PATTERN(SH_FLOW_REQUEST_RESPONSE) | PATTERN(SH_FLOW_TASK_TOKEN), NULL, prepare_events, events_refused,
     "application/x-amz-json-1.1"},
};

static const integration *find_optimized(const sh_flow_resource *resource)
{
    for (size_t i = 0; i < SH_COUNT(optimized); i++) {
        if (strcmp(optimized[i].service, resource->service) == 0 &&
            strcmp(optimized[i].action, resource->action) == 0)
            return &optimized[i];
    }
    return NULL;
}

static const integration *find_service(const char *service)
{
    for (size_t i = 0; i < SH_COUNT(optimized); i++) {
        if (strcmp(optimized[i].service, service) == 0 && optimized[i].follow)
            return &optimized[i];
    }
    return NULL;
}

/* ---- what is supported ---- */

static const sh_action *find_action(const sh_flow_resource *resource, const sh_service **service)
{
    *service = sh_service_find(resource->service);
    return *service ? sh_action_find(*service, resource->action) : NULL;
}

bool sh_task_supported(const sh_flow_resource *resource, char *why, size_t size)
{
    const sh_service *service;
    const integration *row = find_optimized(resource);
    if (resource->kind == SH_FLOW_MAP_RUN)
        return true;
    if (resource->kind == SH_FLOW_ACTIVITY || sh_fn_task_is(resource))
        return true;
    else if (resource->kind == SH_FLOW_OPTIMIZED && (!row || !(row->patterns & PATTERN(resource->pattern))))
        snprintf(why, size, "this server has no such optimized integration");
    else if (!sh_effect_find(resource) && !find_action(resource, &service))
        snprintf(why, size, "service %s of this server has no action %s", resource->service,
                 resource->action);
    else
        return true;
    return false;
}

bool sh_task_elsewhere(const sh_flow_resource *resource)
{
    return resource->kind == SH_FLOW_ACTIVITY || sh_fn_task_is(resource) || sh_effect_find(resource) != NULL;
}

int sh_task_hand_over(sh_cloud *cloud, const sh_flow_resource *resource, sh_wait *wait,
                      const json_t *parameters, sh_err *err)
{
    if (sh_fn_task_is(resource))
        return sh_fn_task_queue(cloud, resource, wait, parameters, err);
    return resource->kind == SH_FLOW_ACTIVITY ? sh_activity_queue(cloud, resource, wait, parameters, err)
                                              : sh_effect_queue(cloud, resource, wait, parameters, err);
}

/* ---- calls ---- */

static bool is_start_sync(const sh_flow_resource *resource)
{
    const sh_service *service;
    const sh_action *action = resource->kind == SH_FLOW_AWS_SDK ? find_action(resource, &service) : NULL;
    return action && action->fn == sh_states_start_sync;
}

/* Services whose JSON has camelCase names. */
static bool is_camel(const sh_service *service)
{
    return strcmp(service->name, "mediaconvert") == 0 || strcmp(service->name, "states") == 0;
}

static int run_action(sh_call *call, const sh_action *action, sh_err *err)
{
    int status = sh_db_begin(call->cloud->db, err);
    if (status < 0)
        return status;
    status = action->fn(call);
    return sh_db_end(call->cloud->db, status, err);
}

/* "ssm" -> "Ssm"; names of more than one word stand in the table. */
static const char *sdk_prefix(sh_arena *arena, const char *service)
{
    static const char *const words[] = {"MediaConvert", "EventBridge"};
    for (size_t i = 0; i < SH_COUNT(words); i++) {
        if (strcasecmp(words[i], service) == 0)
            return words[i];
    }
    char *name = sh_arena_strdup(arena, service);
    if (name && name[0] >= 'a' && name[0] <= 'z')
        name[0] = (char)(name[0] - 'a' + 'A');
    return name;
}

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

/* What no class of the SDK is for, as a refusal by IAM, is of the service's base class. */
static const char *base_error(sh_arena *arena, const char *prefix, const char *service)
{
    return prefix ? sh_arena_printf(arena, "%s.%sException", prefix, service) : NULL;
}

/* Error and cause in the words of the SDK that Step Functions calls through: version 1 for the optimized
 * integrations, 2 for aws-sdk. */
static int describe_error(sh_arena *arena, const sh_flow_resource *resource, const sh_aws_error *error,
                          sh_task_answer *answer, sh_err *err)
{
    char id[SH_UUID_TEXT];
    const integration *row = resource->kind == SH_FLOW_OPTIMIZED ? find_optimized(resource) : NULL;
    const char *prefix = row ? row->prefix : sdk_prefix(arena, resource->service);
    sh_uuid(id);
    if (strcmp(error->code, "AccessDeniedException") == 0 || strcmp(error->code, "AccessDenied") == 0)
        answer->error = base_error(arena, prefix, row ? row->legacy : prefix);
    else
        answer->error = sh_arena_printf(arena, "%s.%s%s", prefix ? prefix : "", error->code,
                                        ends_with(error->code, "Exception") ? "" : "Exception");
    if (row)
        answer->cause = sh_arena_printf(
            arena, "%s (Service: %s; Status Code: %d; Error Code: %s; Request ID: %s; Proxy: null)",
            error->message, row->legacy, error->http_status, error->code, id);
    else
        answer->cause = sh_arena_printf(arena, "%s (Service: %s, Status Code: %d, Request ID: %s)",
                                        error->message, prefix ? prefix : "", error->http_status, id);
    return answer->error && answer->cause ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for a task's error");
}

static json_t *prepare(const sh_service *service, const integration *row, const json_t *parameters)
{
    if (row && row->prepare)
        return row->prepare(parameters);
    if (!is_camel(service))
        return json_incref((json_t *)parameters);
    json_t *own = strcmp(service->name, "states") == 0 ? texts_of_states(parameters)
                                                       : json_incref((json_t *)parameters);
    json_t *in = own ? sh_case_lower(own) : NULL;
    json_decref(own);
    return in;
}

static int keep_subject(sh_arena *arena, const integration *row, const json_t *out, sh_task_answer *answer,
                        sh_err *err)
{
    const follow *f = row->follow;
    const json_t *holder = f->wrapper ? json_object_get(out, f->wrapper) : out;
    const char *id = json_string_value(json_object_get(holder, f->member));
    if (!id)
        return sh_fail(err, SH_E_INTERNAL, "the answer of %s:%s has no %s to wait for", row->service,
                       row->action, f->member);
    answer->wait_service = row->service;
    answer->wait_for = sh_arena_strdup(arena, id);
    return answer->wait_for ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for a task's subject");
}

static int fail_task(sh_arena *arena, const char *error, const char *cause, sh_task_answer *answer,
                     sh_err *err)
{
    answer->error = error;
    answer->waits = false;
    answer->wait_for = NULL;
    answer->cause = sh_arena_strdup(arena, cause);
    return answer->cause ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for a task's error");
}

static int take_answer(sh_arena *arena, const sh_flow_resource *resource, const sh_call *call, int status,
                       sh_task_answer *answer, sh_err *err)
{
    const integration *row = resource->kind == SH_FLOW_OPTIMIZED ? find_optimized(resource) : NULL;
    if (status < 0)
        return describe_error(arena, resource, &call->error, answer, err);
    answer->waits = resource->pattern != SH_FLOW_REQUEST_RESPONSE;
    if (resource->pattern == SH_FLOW_SYNC || resource->pattern == SH_FLOW_SYNC_2) {
        status = keep_subject(arena, row, call->out, answer, err);
        if (status < 0)
            return status;
    }
    const char *refused = row && row->refused ? row->refused(call->out) : NULL;
    if (refused) {
        char *text = sh_flow_text(call->out);
        status = text ? fail_task(arena, refused, text, answer, err)
                      : sh_fail(err, SH_E_MEMORY, "no memory for a task's error");
        free(text);
        return status;
    }
    answer->output = sh_answer_present(call->out, resource->kind == SH_FLOW_AWS_SDK);
    if (answer->output && row && row->http_type &&
        sh_answer_metadata(answer->output, call->out, row->http_type, call->now_ms) < 0) {
        json_decref(answer->output);
        answer->output = NULL;
    }
    return answer->output ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for a task's output");
}

/* The session under which the call is made. */
static int take_on(sh_call *call, const sh_actor *actor, sh_caller *session, sh_err *err)
{
    const char *sentence;
    int status = sh_actor_session(call->cloud, actor, call->arena, session, &sentence, err);
    call->principal = session->arn;
    if (status == SH_E_DENIED)
        return sh_call_fail(call, 400, "AccessDeniedException", "%s", sentence);
    return status;
}

/* Calls an action with a call of its own; *out is as the service gave it. When the action fails call->error
 * says how; when the disk does it is empty, and the whole step is to be done again. */
static int call_action(sh_cloud *cloud, sh_arena *arena, const sh_actor *actor, const sh_service *service,
                       const sh_action *action, const json_t *in, sh_call *call, sh_err *err)
{
    sh_caller session = {0};
    *call = (sh_call){
        .cloud = cloud, .arena = arena, .caller = &session, .now_ms = sh_now_ms(cloud->clock), .in = in};
    int status = take_on(call, actor, &session, err);
    if (status == 0)
        status = sh_authorize_action(call, service->name, action->name);
    if (status == 0)
        status = run_action(call, action, err);
    call->caller = NULL;
    if (sh_run_outage(status)) {
        call->error = (sh_aws_error){0};
        return sh_fail(err, status, "%s: %s", action->name, sh_status_name(status));
    }
    if (status < 0 && !call->error.code)
        sh_call_fail(call, 500, "InternalServerError", "internal failure, see the server's log");
    return status;
}

/* StartSyncExecution for a task: the answer comes when the execution has ended. */
static int start_awaited(sh_call *call)
{
    const char *arn = sh_express_start_awaited(call);
    if (!arn)
        return SH_E_ARGUMENT;
    call->out = json_pack("{s:s}", "executionArn", arn);
    return call->out ? 0 : SH_E_MEMORY;
}

static int await_express(sh_arena *arena, const sh_call *call, sh_task_answer *answer, sh_err *err)
{
    answer->quiet = answer->waits = true;
    answer->wait_service = SH_EXPRESS_SERVICE;
    answer->wait_for = sh_arena_strdup(arena, json_string_value(json_object_get(call->out, "executionArn")));
    return answer->wait_for ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for a task's subject");
}

static int call_task(sh_cloud *cloud, sh_arena *arena, const sh_actor *actor,
                     const sh_flow_resource *resource, const json_t *parameters, bool can_wait,
                     sh_task_answer *answer, sh_err *err)
{
    static const sh_action awaited = {"StartSyncExecution", start_awaited};
    char why[512];
    const sh_service *service;
    sh_call call = {0};
    *answer = (sh_task_answer){0};
    if (!sh_task_supported(resource, why, sizeof(why)))
        return fail_task(arena, "States.Runtime", why, answer, err);
    if (!json_is_object(parameters))
        return fail_task(arena, "States.Runtime", "The Parameters of a service integration are not an object",
                         answer, err);
    const sh_action *action = find_action(resource, &service);
    bool express = can_wait && is_start_sync(resource);
    const integration *row = resource->kind == SH_FLOW_OPTIMIZED ? find_optimized(resource) : NULL;
    json_t *in = prepare(service, row, parameters);
    sh_arena *own = sh_arena_new(CALL_MEMORY);
    int status = SH_E_MEMORY;
    if (in && own)
        status = call_action(cloud, own, actor, service, express ? &awaited : action, in, &call, err);
    else
        sh_fail(err, SH_E_MEMORY, "no memory for a task's call");
    if (status == 0 && express)
        status = await_express(arena, &call, answer, err);
    else if (status == 0 || call.error.code)
        status = take_answer(arena, resource, &call, status, answer, err);
    json_decref(call.out);
    json_decref(in);
    sh_arena_free(own);
    return status;
}

int sh_task_call(sh_cloud *cloud, sh_arena *arena, const sh_actor *actor, const sh_flow_resource *resource,
                 const json_t *parameters, sh_task_answer *answer, sh_err *err)
{
    return call_task(cloud, arena, actor, resource, parameters, false, answer, err);
}

int sh_task_begin(sh_cloud *cloud, sh_arena *arena, const sh_actor *actor, const sh_flow_resource *resource,
                  const json_t *parameters, sh_task_answer *answer, sh_err *err)
{
    return call_task(cloud, arena, actor, resource, parameters, true, answer, err);
}

/* {argument: subject} given to one of the follow-up actions. */
static int ask(sh_cloud *cloud, sh_arena *arena, const sh_actor *actor, const integration *row,
               const char *name, const char *subject, sh_call *call, sh_err *err)
{
    const sh_service *service = sh_service_find(row->service);
    const sh_action *action = service ? sh_action_find(service, name) : NULL;
    if (!action)
        return sh_fail(err, SH_E_INTERNAL, "service %s has no action %s", row->service, name);
    json_t *in = json_pack("{s:s}", row->follow->argument, subject);
    if (!in)
        return sh_fail(err, SH_E_MEMORY, "no memory for a task's call");
    int status = call_action(cloud, arena, actor, service, action, in, call, err);
    json_decref(in);
    return status;
}

static int judge(sh_arena *arena, const follow *f, const sh_flow_resource *resource, const json_t *described,
                 sh_task_answer *answer, sh_err *err)
{
    json_t *output = f->output(described, resource->pattern);
    if (output && f->succeeded(described)) {
        answer->output = output;
        return 0;
    }
    const json_t *cause = output ? f->cause(output) : NULL;
    char *text = cause ? sh_flow_text(cause) : NULL;
    int status = text ? fail_task(arena, "States.TaskFailed", text, answer, err)
                      : sh_fail(err, SH_E_MEMORY, "no memory for a task's outcome");
    free(text);
    json_decref(output);
    return status;
}

static int express_outcome(sh_cloud *cloud, sh_arena *arena, const sh_flow_resource *resource,
                           const char *subject, sh_task_answer *answer, sh_err *err)
{
    sh_call call = {.cloud = cloud, .arena = arena, .now_ms = sh_now_ms(cloud->clock)};
    int status = sh_express_take(cloud, arena, subject, &call.out, err);
    if (status == 0)
        status = take_answer(arena, resource, &call, 0, answer, err);
    json_decref(call.out);
    return status;
}

int sh_task_outcome(sh_cloud *cloud, sh_arena *arena, const sh_actor *actor, const sh_flow_resource *resource,
                    const char *subject, sh_task_answer *answer, sh_err *err)
{
    sh_call call = {0};
    const integration *row = find_optimized(resource);
    if (resource->kind == SH_FLOW_MAP_RUN)
        return sh_map_outcome(cloud, arena, subject, answer, err);
    *answer = (sh_task_answer){0};
    if (is_start_sync(resource))
        return express_outcome(cloud, arena, resource, subject, answer, err);
    if (!row || !row->follow)
        return sh_fail(err, SH_E_INTERNAL, "nobody can say how %s ended", resource->arn);
    sh_arena *own = sh_arena_new(CALL_MEMORY);
    if (!own)
        return sh_fail(err, SH_E_MEMORY, "no memory for a task's outcome");
    int status = ask(cloud, own, actor, row, row->follow->describe, subject, &call, err);
    if (status == 0)
        status = judge(arena, row->follow, resource, call.out, answer, err);
    else if (call.error.code)
        status = describe_error(arena, resource, &call.error, answer, err);
    json_decref(call.out);
    sh_arena_free(own);
    return status;
}

void sh_task_cancel(sh_cloud *cloud, sh_arena *arena, const sh_actor *actor, const char *service,
                    const char *subject)
{
    sh_call call = {0};
    sh_err err = {0};
    const integration *row = find_service(service);
    if (strcmp(service, SH_MAP_SERVICE) == 0)
        sh_map_cancel(cloud, subject);
    if (strcmp(service, SH_EXPRESS_SERVICE) == 0)
        sh_express_abandon(cloud, subject);
    if (!row)
        return;
    int status = ask(cloud, arena, actor, row, row->follow->cancel, subject, &call, &err);
    json_decref(call.out);
    if (status < 0) /* it has ended in between, most often: then there is nothing to stop */
        sh_log(SH_LOG_INFO, "states", "%s %s was not cancelled: %s", service, subject,
               call.error.message ? call.error.message : err.message);
}
