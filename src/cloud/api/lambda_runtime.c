/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The Runtime API of AWS Lambda, version 2018-06-01, as AWS documents it for custom runtimes:
 *
 *   GET  /2018-06-01/runtime/invocation/next
 *   POST /2018-06-01/runtime/invocation/ID/response
 *   POST /2018-06-01/runtime/invocation/ID/error
 *   POST /2018-06-01/runtime/init/error
 *
 * One HTTP server without a socket of its own serves all workers: their connections are accepted by the
 * runner from the sockets in their sandboxes and carry the worker's number as their tag. So a worker can
 * speak for itself only. */
#include "base/clock.h"
#include "base/log.h"
#include "cloud/api/lambda_work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ROOT "/2018-06-01/runtime/"

enum { THREADS = 2 };

typedef enum verb { NEXT, RESPONSE, FAILURE, INIT_FAILURE } verb;

typedef struct asking {
    verb verb;
    uint64_t worker;
    const char *id; /* of the invocation */
    bool streaming;
} asking;

static void answer(sh_http_request *request, int status, const char *type, const char *message)
{
    char text[256];
    int length =
        type ? snprintf(text, sizeof(text), "{\"errorMessage\":\"%s\",\"errorType\":\"%s\"}", message, type)
             : snprintf(text, sizeof(text), "{\"status\":\"OK\"}");
    sh_http_add_field(request, "Content-Type", "application/json");
    sh_http_answer(request, status, text, (size_t)length);
}

/* "invocation/ID/response" */
static bool read_path(sh_http_request *request, asking *a)
{
    const sh_http_head *head = sh_http_request_head(request);
    const char *path = head->path;
    bool get = strcmp(head->method, "GET") == 0, post = strcmp(head->method, "POST") == 0;
    if (strncmp(path, ROOT, sizeof(ROOT) - 1) != 0)
        return false;
    path += sizeof(ROOT) - 1;
    if (get && strcmp(path, "invocation/next") == 0) {
        a->verb = NEXT;
        return true;
    }
    if (post && strcmp(path, "init/error") == 0) {
        a->verb = INIT_FAILURE;
        return true;
    }
    const char *id = strncmp(path, "invocation/", 11) == 0 ? path + 11 : NULL;
    const char *end = id ? strchr(id, '/') : NULL;
    if (!post || !end || (strcmp(end, "/response") != 0 && strcmp(end, "/error") != 0))
        return false;
    a->verb = end[1] == 'r' ? RESPONSE : FAILURE;
    a->id = sh_arena_strndup(sh_http_request_arena(request), id, (size_t)(end - id));
    return a->id != NULL;
}

static void begin(void *opaque, sh_http_request *request)
{
    (void)opaque;
    asking *a = sh_arena_alloc(sh_http_request_arena(request), sizeof(*a));
    if (!a || !read_path(request, a)) {
        answer(request, 404, "InvalidPath", "there is no such path in the Runtime API");
        return;
    }
    a->worker = sh_http_request_tag(request);
    const char *mode =
        sh_http_field_get(sh_http_request_head(request), "lambda-runtime-function-response-mode");
    a->streaming = mode && strcasecmp(mode, "streaming") == 0;
    *sh_http_user(request) = a;
    if (a->verb != NEXT)
        sh_http_keep_body(request, a->streaming ? SH_LAMBDA_STREAM_MAX : SH_LAMBDA_PAYLOAD_MAX);
}

/* ---- next ---- */

static void hand_over(sh_lambda *l, sh_lambda_worker *worker, sh_http_request *request)
{
    const sh_lambda_job *job = worker->job;
    char deadline[24];
    worker->delivered = true;
    worker->given_us = sh_monotonic_us();
    worker->deadline_us = worker->given_us + (int64_t)worker->code.timeout_s * 1000000;
    worker->state = SH_WORKER_BUSY;
    snprintf(deadline, sizeof(deadline), "%lld",
             (long long)(sh_now_ms(l->cloud->clock) + (int64_t)worker->code.timeout_s * 1000));
    sh_lambda_say_start(worker, l);
    sh_http_add_field(request, "Content-Type", "application/json");
    sh_http_add_field(request, "Lambda-Runtime-Aws-Request-Id", job->request_id);
    sh_http_add_field(request, "Lambda-Runtime-Deadline-Ms", deadline);
    sh_http_add_field(request, "Lambda-Runtime-Invoked-Function-Arn", job->invoked_arn);
    sh_http_add_field(request, "Lambda-Runtime-Trace-Id", job->trace_id);
    if (job->client_context)
        sh_http_add_field(request, "Lambda-Runtime-Client-Context", job->client_context);
    sh_http_answer(request, 200, job->payload, job->length);
}

void sh_lambda_deliver(sh_lambda_worker *worker)
{
    if (worker->job && !worker->delivered && worker->waiting)
        sh_http_release(worker->waiting); /* next() comes again */
}

static void next(sh_lambda *l, sh_lambda_worker *worker, sh_http_request *request)
{
    if (worker->waiting && worker->waiting != request) {
        answer(request, 403, "InvalidStateTransition", "another request for the next invocation waits");
        return;
    }
    if (worker->delivered) { /* asked again without an answer to the one before */
        answer(request, 403, "InvalidStateTransition", "the invocation before has not been answered");
        return;
    }
    worker->waiting = NULL;
    if (!worker->initialised) {
        worker->initialised = true;
        worker->init_us = sh_monotonic_us() - worker->started_us;
    }
    if (worker->job) {
        hand_over(l, worker, request);
        return;
    }
    worker->state = SH_WORKER_IDLE;
    if (worker->retired)
        sh_lambda_ring(l);
    if (sh_http_hold(request))
        worker->waiting = request;
    else
        answer(request, 503, "ServiceException", "the server stops");
}

/* ---- ends ---- */

static void too_large(sh_lambda *l, sh_lambda_worker *worker, sh_http_request *request, bool streaming)
{
    answer(request, 413, "RequestEntityTooLarge", "the response is too large");
    sh_lambda_fail(l, worker, "Function.ResponseSizeTooLarge",
                   "Response payload size exceeded maximum allowed payload size (%d bytes).",
                   streaming ? SH_LAMBDA_STREAM_MAX : SH_LAMBDA_PAYLOAD_MAX);
}

static void respond(sh_lambda *l, sh_lambda_worker *worker, sh_http_request *request, const asking *a)
{
    size_t length;
    bool overflow;
    const char *body = sh_http_body(request, &length, &overflow);
    const char *type = sh_http_trailer(request, "Lambda-Runtime-Function-Error-Type");
    if (overflow) {
        too_large(l, worker, request, a->streaming);
        return;
    }
    const char *content = sh_http_field_get(sh_http_request_head(request), "content-type");
    sh_lambda_result result = {.payload = body,
                               .length = length,
                               .content_type = content ? content : "application/json",
                               .streamed = a->streaming,
                               .function_error = type ? "Unhandled" : NULL,
                               .error_type = type};
    answer(request, 202, NULL, NULL);
    sh_lambda_succeed(l, worker, &result);
}

/* What a runtime posts as an error is the payload as it is. */
static void take_failure(sh_lambda *l, sh_lambda_worker *worker, sh_http_request *request)
{
    size_t length;
    bool overflow;
    const char *body = sh_http_body(request, &length, &overflow);
    const char *type = sh_http_field_get(sh_http_request_head(request), "lambda-runtime-function-error-type");
    if (overflow) {
        too_large(l, worker, request, false);
        return;
    }
    json_t *json = type ? NULL : json_loadb(body, length, 0, NULL); /* AWS's own client sends no such field */
    if (!type)
        type = json_string_value(json_object_get(json, "errorType"));
    sh_lambda_result result = {.payload = length ? body : "{}",
                               .length = length ? length : 2,
                               .content_type = "application/json",
                               .function_error = "Unhandled",
                               .error_type = type ? type : "Runtime.UnknownReason"};
    answer(request, 202, NULL, NULL);
    sh_lambda_succeed(l, worker, &result);
    json_decref(json);
}

static void act(sh_lambda *l, sh_lambda_worker *worker, sh_http_request *request, const asking *a)
{
    if (a->verb == NEXT) {
        next(l, worker, request);
    } else if (a->verb == INIT_FAILURE) {
        if (worker->initialised || !worker->job)
            answer(request, 403, "InvalidStateTransition", "the runtime has started already");
        else
            take_failure(l, worker, request);
    } else if (!worker->job || !worker->delivered || strcmp(worker->job->request_id, a->id) != 0) {
        answer(request, 400, "InvalidRequestID", "this invocation is not the one that runs");
    } else if (a->verb == RESPONSE) {
        respond(l, worker, request, a);
    } else {
        take_failure(l, worker, request);
    }
}

static void finish(void *opaque, sh_http_request *request)
{
    sh_lambda *l = opaque;
    const asking *a = *sh_http_user(request);
    pthread_mutex_lock(&l->mutex);
    sh_lambda_worker *worker = sh_lambda_find(l, a->worker);
    if (worker && worker->state != SH_WORKER_ENDING)
        act(l, worker, request, a);
    else
        answer(request, 410, "InvalidStateTransition", "this worker has ended");
    pthread_mutex_unlock(&l->mutex);
}

static void end(void *opaque, sh_http_request *request)
{
    sh_lambda *l = opaque;
    const asking *a = *sh_http_user(request);
    if (!a || a->verb != NEXT)
        return;
    pthread_mutex_lock(&l->mutex);
    sh_lambda_worker *worker = sh_lambda_find(l, a->worker);
    if (worker && worker->waiting == request)
        worker->waiting = NULL;
    pthread_mutex_unlock(&l->mutex);
}

int sh_lambda_runtime_open(sh_lambda *l, sh_err *err)
{
    const sh_http_options options = {.threads = THREADS};
    const sh_http_handler handler = {.opaque = l, .begin = begin, .finish = finish, .end = end};
    return sh_http_open(&l->runtime, &options, &handler, err);
}
