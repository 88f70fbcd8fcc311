/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Invoke. A synchronous one is handed to a worker and put aside: no thread waits for it (hold.h). What the
 * worker answers comes on a thread of its own into a structure that both sides hold; whichever lets go last
 * frees it, so that a client who goes away leaves nothing behind. */
#include "base/log.h"
#include "cloud/api/hold.h"
#include "cloud/api/keys.h"
#include "cloud/api/lambda_inner.h"
#include "cloud/http/digest.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct waiting {
    sh_cloud *cloud;
    atomic_int holders;
    atomic_bool ended;
    char id[SH_UUID_TEXT], version[32];
    const char *code; /* static or in `arena` */
    int http_status;
    const char *message, *function_error, *tail;
    const void *payload;
    size_t length;
    sh_arena *arena; /* of the result */
} waiting;

static void let_go(waiting *w)
{
    if (atomic_fetch_sub(&w->holders, 1) != 1)
        return;
    sh_arena_free(w->arena);
    free(w);
}

static void forget(sh_cloud *cloud, void *kept)
{
    (void)cloud;
    let_go(kept);
}

static const char *copy(waiting *w, const char *text)
{
    return text ? sh_arena_strdup(w->arena, text) : NULL;
}

static void copy_tail(waiting *w, const sh_lambda_result *r)
{
    char *text = sh_arena_alloc(w->arena, (r->log_tail_length + 2) / 3 * 4 + 1);
    if (text)
        sh_base64((const unsigned char *)r->log_tail, r->log_tail_length, text);
    w->tail = text;
}

static void copy_result(waiting *w, const sh_lambda_result *r)
{
    bool failed = false;
    w->code = copy(w, r->code);
    w->http_status = r->http_status;
    w->message = copy(w, r->message);
    w->function_error = copy(w, r->function_error);
    if (r->log_tail)
        copy_tail(w, r);
    if (r->payload) {
        void *bytes = sh_arena_alloc(w->arena, r->length + 1);
        failed = !bytes;
        if (bytes)
            memcpy(bytes, r->payload, r->length);
        w->payload = bytes;
        w->length = r->length;
    }
    if (failed || (r->code && !w->code)) {
        w->code = "ServiceException";
        w->http_status = 500;
        w->message = "no memory for the answer";
    }
}

static const char *key_of(char key[64], const char *id)
{
    snprintf(key, 64, "lambda/%s", id);
    return key;
}

static void done(void *opaque, const sh_lambda_result *result)
{
    waiting *w = opaque;
    char key[64];
    copy_result(w, result);
    atomic_store(&w->ended, true);
    sh_hold_wake(w->cloud, key_of(key, w->id));
    let_go(w);
}

/* ---- the request ---- */

typedef struct request {
    sh_fn_name name;
    const char *type, *log_type, *context; /* context: JSON text, decoded */
    const char *payload;
    size_t length;
    char *made; /* of `payload`, when the caller gave JSON */
} request;

static const char *option(sh_call *call, const char *field, const char *member)
{
    const char *value = call->wire ? sh_http_field_get(call->wire->head, field) : NULL;
    return value ? value : json_string_value(json_object_get(call->in, member));
}

static int read_context(sh_call *call, request *r)
{
    const char *text = option(call, "x-amz-client-context", "ClientContext");
    size_t length = text ? strlen(text) : 0;
    if (!text)
        return 0;
    char *plain = sh_arena_alloc(call->arena, length + 4);
    int got =
        plain && length <= 4096 ? sh_base64_decode(text, length, (unsigned char *)plain, length + 3) : -1;
    json_t *json = got >= 0 ? json_loadb(plain, (size_t)got, JSON_DECODE_ANY, NULL) : NULL;
    if (!json)
        return sh_call_fail(call, 400, "InvalidRequestContentException",
                            "Client context must be a valid Base64-encoded JSON object.");
    json_decref(json);
    plain[got] = '\0';
    r->context = plain;
    return 0;
}

/* Of a task the payload is JSON; of REST it is the body. */
static int read_payload(sh_call *call, request *r)
{
    const json_t *given = json_object_get(call->in, "Payload");
    if (call->wire) {
        r->payload = call->wire->body;
        r->length = call->wire->length;
    } else if (given) {
        r->payload = r->made = json_dumps(given, JSON_COMPACT | JSON_ENCODE_ANY);
        r->length = r->made ? strlen(r->made) : 0;
    }
    if (r->length == 0) {
        r->payload = "{}";
        r->length = 2;
    }
    json_error_t error;
    json_t *json = json_loadb(r->payload, r->length, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!json)
        return sh_call_fail(call, 400, "InvalidRequestContentException",
                            "Could not parse request body into json: line %d, column %d: %s", error.line,
                            error.column, error.text);
    json_decref(json);
    return 0;
}

static int check_size(sh_call *call, const request *r)
{
    size_t limit = strcmp(r->type, "Event") == 0 ? SH_FN_EVENT_MAX : SH_FN_SYNC_MAX;
    if (r->length <= limit)
        return 0;
    return sh_call_fail(call, 413, "RequestTooLargeException",
                        "%zu byte payload is too large for the %s invocation type (limit %zu bytes)",
                        r->length, r->type, limit);
}

static int read_request(sh_call *call, request *r)
{
    int status = sh_fn_read_name(call, &r->name);
    r->type = option(call, "x-amz-invocation-type", "InvocationType");
    r->log_type = option(call, "x-amz-log-type", "LogType");
    if (!r->type)
        r->type = "RequestResponse";
    if (status < 0)
        return status;
    if (strcmp(r->type, "RequestResponse") != 0 && strcmp(r->type, "Event") != 0 &&
        strcmp(r->type, "DryRun") != 0)
        return sh_call_fail(call, 400, "ValidationException",
                            "1 validation error detected: Value '%s' at 'invocationType' failed to satisfy "
                            "constraint: Member must satisfy enum value set: [Event, RequestResponse, "
                            "DryRun]",
                            r->type);
    status = read_context(call, r);
    if (status == 0)
        status = read_payload(call, r);
    return status < 0 ? status : check_size(call, r);
}

/* ---- the answer ---- */

static int answer_wire(sh_call *call, waiting *w)
{
    void *bytes = sh_arena_alloc(call->arena, w->length + 1);
    if (!bytes)
        return sh_call_fail(call, 500, "ServiceException", "no memory for the answer");
    if (w->length)
        memcpy(bytes, w->payload, w->length);
    call->wire->answer = bytes;
    call->wire->answer_length = w->length;
    call->wire->type = "application/json";
    call->wire->status = 200;
    if (w->function_error)
        sh_wire_field(call->wire, "X-Amz-Function-Error", sh_arena_strdup(call->arena, w->function_error));
    if (w->tail)
        sh_wire_field(call->wire, "X-Amz-Log-Result", sh_arena_strdup(call->arena, w->tail));
    sh_wire_field(call->wire, "X-Amz-Executed-Version", sh_arena_strdup(call->arena, w->version));
    return sh_out_new(call);
}

static int answer(sh_call *call, waiting *w)
{
    if (w->code)
        return sh_call_fail(call, w->http_status ? w->http_status : 500,
                            sh_arena_strdup(call->arena, w->code), "%s", w->message ? w->message : w->code);
    return answer_wire(call, w);
}

static int finish(sh_call *call)
{
    waiting *w = call->kept;
    char key[64];
    if (!atomic_load(&w->ended)) {
        sh_call_wait_for(call, key_of(key, w->id), -1);
        if (!atomic_load(&w->ended)) {
            if (!sh_cloud_stopping(call->cloud))
                return SH_CALL_LATER;
            call->kept = NULL;
            let_go(w);
            return sh_call_fail(call, 503, "ServiceException", "the server stops");
        }
    }
    int status = answer(call, w);
    call->kept = NULL;
    let_go(w);
    return status;
}

/* ---- ways to invoke ---- */

static int empty_answer(sh_call *call, int status)
{
    if (call->wire) {
        call->wire->status = status;
        call->wire->answer = "";
        call->wire->type = "application/json";
    }
    return sh_out_new(call);
}

static int send(sh_call *call, const request *r)
{
    sh_err err = {0};
    json_t *context = json_object();
    const char *trace = option(call, "x-amzn-trace-id", "TraceId");
    if (r->context)
        json_object_set_new(context, "client", json_string(r->context));
    if (trace && sh_utf8_valid(trace, strlen(trace)))
        json_object_set_new(context, "trace", json_string(trace));
    int status = sh_fn_enqueue(call->cloud, &r->name, NULL, r->payload, r->length, context, &err);
    json_decref(context);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    return empty_answer(call, 202);
}

static waiting *new_waiting(sh_cloud *cloud, const char *version)
{
    waiting *w = calloc(1, sizeof(*w));
    if (!w)
        return NULL;
    w->arena = sh_arena_new((size_t)SH_LAMBDA_STREAM_MAX + (1 << 20));
    if (!w->arena) {
        free(w);
        return NULL;
    }
    w->cloud = cloud;
    atomic_init(&w->holders, 2);
    snprintf(w->version, sizeof(w->version), "%s", version);
    sh_uuid(w->id);
    return w;
}

static int submit(sh_call *call, const request *r, const sh_fn_version *version)
{
    sh_err err = {0};
    sh_lambda_invocation i = {.payload = r->payload,
                              .length = r->length,
                              .client_context = r->context,
                              .trace_id = option(call, "x-amzn-trace-id", "TraceId"),
                              .tail = r->log_type && strcmp(r->log_type, "Tail") == 0,
                              .done = done};
    int status = sh_fn_code(call->cloud, call->arena, version, &i.code, &err);
    waiting *w = status == 0 ? new_waiting(call->cloud, version->number) : NULL;
    i.invoked_arn = sh_fn_arn(call->cloud, call->arena, r->name.name, r->name.qualifier);
    if (!w || !i.invoked_arn) {
        sh_arena_free(w ? w->arena : NULL);
        free(w);
        return sh_call_fail(call, 500, "ServiceException", "no memory for an invocation");
    }
    i.request_id = w->id;
    i.opaque = w;
    call->kept = w;
    call->forget = forget;
    if (sh_lambda_submit(call->cloud, &i, &err) < 0) {
        call->kept = NULL;
        let_go(w);
        let_go(w);
        return sh_call_fail_internal(call, &err);
    }
    return finish(call);
}

static int invoke(sh_call *call, const request *r)
{
    sh_fn_version version;
    int status = sh_fn_need_version(call, &r->name, &version);
    if (status < 0)
        return status;
    if (strcmp(r->type, "DryRun") == 0)
        status = empty_answer(call, 204);
    else if (strcmp(r->type, "Event") == 0)
        status = send(call, r);
    else if (!call->hold)
        status = sh_call_fail(call, 400, "InvalidParameterValueException",
                              "a synchronous invocation cannot be made from here");
    else
        status = submit(call, r, &version);
    json_decref(version.body);
    return status;
}

int sh_fn_invoke(sh_call *call)
{
    request r = {0};
    if (call->kept)
        return finish(call);
    int status = read_request(call, &r);
    if (status == 0)
        status = invoke(call, &r);
    free(r.made);
    return status;
}

int sh_fn_invoke_stream(sh_call *call)
{
    return sh_call_fail(call, 501, "ServiceException",
                        "InvokeWithResponseStream is not supported by this server yet: use Invoke, which "
                        "answers a streamed response as a whole");
}
