/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/api/lambda_task.h"
#include "cloud/api/states_effect.h"
#include "base/log.h"
#include "cloud/api/keys.h"
#include "cloud/api/lambda_inner.h"
#include "cloud/api/states_token.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 256 };
#define SERVICE "lambda"
#define MEMORY ((size_t)64 << 20)

typedef enum form { FORM_ARN, FORM_OPTIMIZED, FORM_SDK } form;

/* One call, and how it came out. */
typedef struct task {
    sh_cloud *cloud;
    sh_arena *arena;
    form form;
    bool token;
    int64_t execution, number;
    char id[SH_UUID_TEXT];
    sh_fn_name name;
    const char *version;
    char *payload;  /* owned */
    json_t *output; /* owned */
    const char *error, *cause;
    pthread_mutex_t mutex; /* of one that is waited for */
    pthread_cond_t condition;
    bool ended;
} task;

static form form_of(const char *arn)
{
    if (strncmp(arn, "arn:aws:states:::lambda:", 24) == 0)
        return FORM_OPTIMIZED;
    return strncmp(arn, "arn:aws:states:::", 17) == 0 ? FORM_SDK : FORM_ARN;
}

bool sh_fn_task_is(const sh_flow_resource *resource)
{
    bool service = resource->kind == SH_FLOW_OPTIMIZED || resource->kind == SH_FLOW_AWS_SDK;
    return resource->kind == SH_FLOW_LAMBDA ||
           (service && strcmp(resource->service, "lambda") == 0 && strcmp(resource->action, "invoke") == 0 &&
            (resource->pattern == SH_FLOW_REQUEST_RESPONSE || resource->pattern == SH_FLOW_TASK_TOKEN));
}

int sh_fn_task_queue(sh_cloud *cloud, const sh_flow_resource *resource, sh_wait *wait, const json_t *input,
                     sh_err *err)
{
    static const sh_effect_queue_name to = {SERVICE, SH_WAKE_FUNCTIONS};
    return sh_effect_put(cloud, &to, resource, wait, input, err);
}

/* ---- outcome ---- */

static void fail(task *t, const char *code, int http_status, const char *message)
{
    bool denied = strncmp(code, "AccessDenied", 12) == 0;
    const char *base = t->form == FORM_SDK ? "LambdaException" : "AWSLambdaException";
    t->error = sh_arena_printf(t->arena, "Lambda.%s", denied ? base : code);
    if (t->form == FORM_SDK)
        t->cause = sh_arena_printf(t->arena, "%s (Service: Lambda, Status Code: %d, Request ID: %s)", message,
                                   http_status, t->id);
    else
        t->cause = sh_arena_printf(t->arena,
                                   "%s (Service: AWSLambda; Status Code: %d; Error Code: %s; Request ID: %s; "
                                   "Proxy: null)",
                                   message, http_status, code, t->id);
}

static void fail_function(task *t, const sh_lambda_result *r)
{
    json_t *payload = json_loadb(r->payload, r->length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    const char *type = json_string_value(json_object_get(payload, "errorType"));
    if (!type || !*type)
        type = r->error_type && *r->error_type ? r->error_type : "Lambda.Unknown";
    t->error = sh_arena_strdup(t->arena, type);
    t->cause = sh_arena_strndup(t->arena, r->payload ? r->payload : "", r->length);
    json_decref(payload);
}

static json_t *envelope(task *t, json_t *payload, int http_status, const char *function_error)
{
    json_t *out = json_pack("{s:o, s:i}", "Payload", payload, "StatusCode", http_status);
    if (out && t->version)
        json_object_set_new(out, "ExecutedVersion", json_string(t->version));
    if (out && function_error)
        json_object_set_new(out, "FunctionError", json_string(function_error));
    if (out && t->form == FORM_OPTIMIZED &&
        sh_answer_metadata(out, payload, "application/json", sh_now_ms(t->cloud->clock)) < 0) {
        json_decref(out);
        return NULL;
    }
    return out;
}

static void succeed(task *t, const sh_lambda_result *r)
{
    json_t *payload = t->form == FORM_SDK
                          ? json_stringn(r->payload ? r->payload : "", r->length)
                          : json_loadb(r->payload ? r->payload : "null", r->length ? r->length : 4,
                                       JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (!payload)
        fail(t, "Unknown", 200, "The function's answer is not JSON");
    else if (t->form == FORM_ARN)
        t->output = payload;
    else if (!(t->output = envelope(t, payload, 200, r->function_error)))
        fail(t, "ServiceException", 500, "no memory for the answer");
}

static void take_result(task *t, const sh_lambda_result *r)
{
    if (r->code)
        fail(t, r->code, r->http_status, r->message ? r->message : r->code);
    else if (r->function_error && t->form != FORM_SDK)
        fail_function(t, r);
    else
        succeed(t, r);
}

/* ---- what is called ---- */

static const char *member(const json_t *in, const char *name)
{
    return json_string_value(json_object_get(in, name));
}

/* The text of the payload; of the SDK's form a string is the bytes themselves. */
static char *payload_text(const task *t, const json_t *in)
{
    const json_t *payload = t->form == FORM_ARN ? in : json_object_get(in, "Payload");
    if (!payload)
        return strdup("{}");
    if (t->form == FORM_SDK && json_is_string(payload))
        return strdup(json_string_value(payload));
    return sh_flow_text(payload);
}

static int read_target(task *t, const char *resource, const json_t *in)
{
    const char *name = t->form == FORM_ARN ? resource : member(in, "FunctionName");
    const char *qualifier = t->form == FORM_ARN ? NULL : member(in, "Qualifier");
    if (!name || !sh_fn_split(t->cloud, t->arena, name, &t->name)) {
        fail(t, name ? "ResourceNotFoundException" : "ValidationException", name ? 404 : 400,
             name ? sh_arena_printf(t->arena, "Function not found: %s", name)
                  : "FunctionName must not be null");
        return 1;
    }
    if (qualifier)
        t->name.qualifier = qualifier;
    return 0;
}

/* 1: the call has failed, and t says how. */
static int check(task *t, const sh_actor *actor, sh_fn_version *version, sh_err *err)
{
    sh_caller session;
    const char *sentence = "";
    int status = sh_actor_session(t->cloud, actor, t->arena, &session, &sentence, err);
    if (status == 0)
        status = sh_fn_permit(t->cloud, &t->name, &session, NULL, NULL, t->arena, &sentence, err);
    if (status == SH_E_DENIED) {
        fail(t, "AccessDeniedException", 403, sentence);
        return 1;
    }
    if (status == 0)
        status = sh_fn_find(t->cloud, t->arena, &t->name, version, err);
    if (status == SH_E_NOT_FOUND) {
        const char *arn = sh_fn_arn(t->cloud, t->arena, t->name.name, t->name.qualifier);
        fail(t, "ResourceNotFoundException", 404,
             sh_arena_printf(t->arena, "Function not found: %s", arn ? arn : ""));
        return 1;
    }
    return status;
}

/* 1: it is done. */
static int send_event(task *t, sh_err *err)
{
    int status = sh_fn_enqueue(t->cloud, &t->name, NULL, t->payload, strlen(t->payload), NULL, err);
    if (status < 0)
        return status;
    t->version = NULL;
    if (!(t->output = envelope(t, json_string(""), 202, NULL)))
        return sh_fail(err, SH_E_MEMORY, "no memory for a task's output");
    return 1;
}

/* 0: submitted, `done` will be called with `opaque`. 1: it is over, t says how. */
static int begin(task *t, const sh_actor *actor, const char *resource, const json_t *in,
                 sh_lambda_done_fn done, void *opaque, sh_err *err)
{
    sh_fn_version version;
    sh_uuid(t->id);
    t->form = form_of(resource);
    int status = read_target(t, resource, in);
    if (status == 0)
        status = check(t, actor, &version, err);
    if (status != 0)
        return status;
    const char *type = t->form == FORM_ARN ? NULL : member(in, "InvocationType");
    sh_lambda_invocation i = {.request_id = t->id,
                              .invoked_arn = sh_fn_arn(t->cloud, t->arena, t->name.name, t->name.qualifier),
                              .done = done,
                              .opaque = opaque};
    t->payload = payload_text(t, in);
    t->version = sh_arena_strdup(t->arena, version.number);
    i.payload = t->payload;
    i.length = t->payload ? strlen(t->payload) : 0;
    if (!t->payload || !t->version || !i.invoked_arn)
        status = sh_fail(err, SH_E_MEMORY, "no memory for an invocation");
    if (status == 0 && type && strcmp(type, "Event") == 0)
        status = send_event(t, err);
    else if (status == 0 && (status = sh_fn_code(t->cloud, t->arena, &version, &i.code, err)) == 0)
        status = sh_lambda_submit(t->cloud, &i, err);
    json_decref(version.body);
    return status;
}

/* ---- tasks of executions ---- */

static void free_task(task *t)
{
    if (!t)
        return;
    sh_fn_flight_end(t->cloud, t->execution, t->number + 1);
    json_decref(t->output);
    free(t->payload);
    sh_arena_free(t->arena);
}

static json_t *answer_of(const task *t)
{
    if (t->error)
        return json_pack("{s:s, s:s}", "error", t->error, "cause", t->cause ? t->cause : "");
    return t->token ? json_incref(t->output) : json_pack("{s:O}", "output", t->output);
}

/* In a transaction. The row is read anew: the task's token may have been used meanwhile. */
static int tell(task *t, sh_err *err)
{
    sh_wait wait;
    int64_t started_ms;
    int status = sh_execution_started(t->cloud->db, t->execution, &started_ms, err);
    if (status == 0)
        status = sh_wait_get(t->cloud->db, t->arena, t->execution, started_ms, t->number, &wait, err);
    if (status == 0)
        status =
            sh_news_add(t->cloud, &wait, t->token && !t->error ? "submitted" : "answer", answer_of(t), err);
    return status == SH_E_NOT_FOUND ? 0 : status; /* the task was given up in between */
}

static void end_task(task *t)
{
    sh_err err = {0};
    sh_cloud *cloud = t->cloud;
    int status = t->error || t->output ? sh_db_begin(cloud->db, &err)
                                       : sh_fail(&err, SH_E_MEMORY, "no memory for a task's output");
    if (status == 0)
        status = sh_db_end_later(cloud->db, tell(t, &err), &err);
    if (status < 0)
        sh_log(SH_LOG_ERROR, "states", "the answer of function %s is lost, it will be called again: %s",
               t->name.name, err.message);
    free_task(t);
    sh_cloud_wake(cloud, SH_WAKE_FLOWS);
}

static void on_done(void *opaque, const sh_lambda_result *result)
{
    task *t = opaque;
    if (sh_cloud_stopping(t->cloud) && result->code) { /* it is called again after the start */
        free_task(t);
        return;
    }
    take_result(t, result);
    end_task(t);
}

static int start(sh_cloud *cloud, int64_t execution, int64_t number, const char *subject,
                 const char *parameters, sh_err *err)
{
    json_t *in = NULL;
    sh_actor actor;
    sh_arena *arena = sh_arena_new(MEMORY);
    task *t = arena ? sh_arena_alloc(arena, sizeof(*t)) : NULL;
    if (!t || !sh_fn_flight_begin(cloud, execution, number + 1)) {
        sh_arena_free(arena);
        return t ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for a task's call");
    }
    *t = (task){.cloud = cloud, .arena = arena, .execution = execution, .number = number};
    t->token = strstr(subject, ".waitForTaskToken") != NULL;
    int status = sh_flow_load(&in, parameters, strlen(parameters), err);
    if (status == 0)
        status = sh_actor_of_execution(cloud, execution, arena, &actor, err);
    if (status == 0)
        status = begin(t, &actor, subject, in, on_done, t, err);
    if (status > 0)
        end_task(t);
    else if (status < 0)
        free_task(t);
    json_decref(in);
    return status < 0 ? status : 0;
}

typedef struct batch {
    sh_cloud *cloud;
    sh_arena *arena;
    sh_wait waits[BATCH];
    size_t count;
} batch;

static int take(void *opaque, const sh_wait *row)
{
    batch *b = opaque;
    if (b->count == BATCH || sh_fn_flight_known(b->cloud, row->execution, row->task + 1))
        return 0;
    sh_wait *w = &b->waits[b->count++];
    *w = (sh_wait){.execution = row->execution, .task = row->task};
    w->subject = sh_arena_strdup(b->arena, row->subject ? row->subject : "");
    w->parameters = sh_arena_strdup(b->arena, row->parameters ? row->parameters : "{}");
    return w->subject && w->parameters ? 0 : SH_E_MEMORY;
}

int sh_fn_tasks_pump(sh_cloud *cloud, sh_err *err)
{
    batch *b = calloc(1, sizeof(*b));
    sh_arena *arena = sh_arena_new(MEMORY);
    int status = b && arena ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for the calls of tasks");
    if (status == 0) {
        b->cloud = cloud;
        b->arena = arena;
        status = sh_wait_queue(cloud->db, SERVICE, INT64_MAX, take, b, err);
    }
    for (size_t i = 0; status == 0 && i < b->count && !sh_cloud_stopping(cloud); i++) {
        const sh_wait *w = &b->waits[i];
        sh_err why = {0};
        if (start(cloud, w->execution, w->task, w->subject, w->parameters, &why) < 0)
            sh_log(SH_LOG_ERROR, "states", "%s, to be tried again: %s", w->subject, why.message);
    }
    if (status == 0 && b->count == BATCH)
        sh_cloud_wake(cloud, SH_WAKE_FUNCTIONS);
    sh_arena_free(arena);
    free(b);
    return status;
}

/* ---- at once ---- */

static void on_awaited(void *opaque, const sh_lambda_result *result)
{
    task *t = opaque;
    take_result(t, result);
    pthread_mutex_lock(&t->mutex);
    t->ended = true;
    pthread_cond_signal(&t->condition);
    pthread_mutex_unlock(&t->mutex);
}

int sh_fn_task_call(sh_cloud *cloud, sh_arena *arena, const sh_actor *actor, const sh_flow_resource *resource,
                    const json_t *parameters, sh_task_answer *answer, sh_err *err)
{
    task t = {.cloud = cloud, .arena = arena};
    *answer = (sh_task_answer){0};
    pthread_mutex_init(&t.mutex, NULL);
    pthread_cond_init(&t.condition, NULL);
    int status = begin(&t, actor, resource->arn, parameters, on_awaited, &t, err);
    pthread_mutex_lock(&t.mutex);
    while (status == 0 && !t.ended)
        pthread_cond_wait(&t.condition, &t.mutex);
    pthread_mutex_unlock(&t.mutex);
    pthread_cond_destroy(&t.condition);
    pthread_mutex_destroy(&t.mutex);
    free(t.payload);
    if (status < 0) {
        json_decref(t.output);
        return status;
    }
    if (!t.error && !t.output)
        return sh_fail(err, SH_E_MEMORY, "no memory for a task's output");
    answer->output = t.output;
    answer->error = t.error;
    answer->cause = t.cause ? t.cause : "";
    answer->waits = resource->pattern == SH_FLOW_TASK_TOKEN;
    return 0;
}
