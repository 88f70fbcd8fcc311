/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests for an action of a service: JSON by X-Amz-Target, MediaConvert's REST paths, the Query protocol of
 * IAM and STS. All end in the same row of a table and the same call; only reading the input and writing the
 * answer differ. The signature covers the hash of the body, so that it is checked when the body is complete.
 */
#include "base/log.h"
#include "base/size.h"
#include "cloud/api/authorize.h"
#include "cloud/api/front_call.h"
#include "cloud/api/lambda.h"
#include "cloud/http/digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_MAX = 8 << 20, LAMBDA_BODY_MAX = 70167211 - 1, QUERY_ANSWER_MAX = 32 << 20 };

/* ---- answers ---- */

static void json_headers(sh_http_request *http, const char *type)
{
    sh_http_add_field(http, "Content-Type", type);
    sh_http_add_field(http, "x-amzn-RequestId", sh_http_request_id(http));
}

static void refuse_with(sh_http_request *http, int status, const char *code, json_t *body, const char *type)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_headers(http, type);
    sh_http_add_field(http, "x-amzn-ErrorType", code);
    sh_http_answer(http, status, text ? text : "{}", text ? strlen(text) : 2);
    free(text);
    json_decref(body);
}

static void json_refuse(sh_http_request *http, int status, const char *code, const char *message)
{
    char *said = sh_arena_strdup(sh_http_request_arena(http), message ? message : "");
    if (said)
        sh_text_mend(said); /* it may quote what the client sent */
    refuse_with(http, status, code, json_pack("{s:s, s:s}", "__type", code, "message", said ? said : ""),
                "application/x-amz-json-1.1");
}

/* Lambda's errors have a Type, and some of them a capital Message. */
static void lambda_refuse(sh_http_request *http, int status, const char *code, const char *message)
{
    static const char *const capital[] = {"ResourceNotFoundException", "ServiceException",
                                          "AccessDeniedException"};
    bool large = false;
    char *said = sh_arena_strdup(sh_http_request_arena(http), message ? message : "");
    for (size_t i = 0; i < SH_COUNT(capital); i++)
        large |= strcmp(capital[i], code) == 0;
    if (said)
        sh_text_mend(said);
    json_t *body = json_pack("{s:s, s:s}", "Type", status < 500 ? "User" : "Service",
                             large ? "Message" : "message", said ? said : "");
    if (body && strcmp(code, "TooManyRequestsException") == 0)
        json_object_set_new(body, "Reason", json_string("ReservedFunctionConcurrentInvocationLimitExceeded"));
    refuse_with(http, status, code, body, "application/json");
}

static bool is_lambda(const front_call *call)
{
    return call->claim.service && strcmp(call->claim.service, "lambda") == 0;
}

/* In the shape of the protocol that the caller speaks. */
static void refuse(front_call *call, int status, const char *code, const char *message)
{
    if (call->query)
        sh_query_fail_with(call->http, call->query, status, code, message);
    else if (is_lambda(call))
        lambda_refuse(call->http, status, code, message);
    else
        json_refuse(call->http, status, code, message);
}

#define SERVICE_MISMATCH                                                                                     \
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret "  \
    "Access Key and signing method. Consult the service documentation for details."

static void refuse_auth(front_call *call, sh_auth_fault fault, const char *message)
{
    static const struct {
        sh_auth_fault fault;
        int status;
        const char *code, *query_code;
        const char *message; /* NULL: the fault's own */
    } rows[] = {
        {SH_AUTH_MISSING, 403, "MissingAuthenticationTokenException", "MissingAuthenticationToken",
         "Missing Authentication Token"},
        {SH_AUTH_MALFORMED, 400, "IncompleteSignatureException", "IncompleteSignature", NULL},
        {SH_AUTH_QUERY, 400, "IncompleteSignatureException", "IncompleteSignature", NULL},
        {SH_AUTH_UNSUPPORTED, 400, "IncompleteSignatureException", "IncompleteSignature", NULL},
        {SH_AUTH_ARGUMENT, 400, "IncompleteSignatureException", "IncompleteSignature", NULL},
        {SH_AUTH_INCOMPLETE, 400, "IncompleteSignatureException", "IncompleteSignature", NULL},
        {SH_AUTH_DATE, 400, "IncompleteSignatureException", "IncompleteSignature", NULL},
        {SH_AUTH_EXPIRED_TOKEN, 403, "ExpiredTokenException", "ExpiredToken",
         "The security token included in the request is expired"},
        {SH_AUTH_BAD_TOKEN, 403, "UnrecognizedClientException", "InvalidClientTokenId",
         "The security token included in the request is invalid."},
        {SH_AUTH_UNKNOWN_KEY, 403, "UnrecognizedClientException", "InvalidClientTokenId",
         "The security token included in the request is invalid."},
        {SH_AUTH_MISMATCH, 403, "InvalidSignatureException", "SignatureDoesNotMatch", SERVICE_MISMATCH},
        {SH_AUTH_MEMORY, 500, "InternalFailure", "InternalFailure", NULL},
    };
    for (size_t i = 0; i < SH_COUNT(rows); i++)
        if (rows[i].fault == fault) {
            refuse(call, rows[i].status, call->query ? rows[i].query_code : rows[i].code,
                   rows[i].message ? rows[i].message : message);
            return;
        }
    refuse(call, 403, call->query ? "SignatureDoesNotMatch" : "InvalidSignatureException", message);
}

static const sh_service *service_of_target(const char *target, const char **operation)
{
    const char *dot = strrchr(target, '.');
    for (int i = 0; dot && sh_services[i]; i++) {
        const char *prefix = sh_services[i]->target_prefix;
        if (prefix && strlen(prefix) == (size_t)(dot - target) &&
            memcmp(prefix, target, (size_t)(dot - target)) == 0) {
            *operation = dot + 1;
            return sh_services[i];
        }
    }
    return NULL;
}

static json_t *read_json(sh_http_request *http)
{
    json_error_t error;
    size_t length;
    bool overflow;
    char message[512];
    const char *body = sh_http_body(http, &length, &overflow);
    json_t *in = length ? json_loadb(body, length, JSON_REJECT_DUPLICATES, &error) : json_object();
    if (in && json_is_object(in))
        return in;
    if (in)
        snprintf(message, sizeof(message), "the request's body is not a JSON object");
    else
        snprintf(message, sizeof(message), "the request's body is not JSON: line %d, column %d: %s",
                 error.line, error.column, error.text);
    json_decref(in);
    json_refuse(http, 400, "SerializationException", message);
    return NULL;
}

static void answer_query(front_call *call, const sh_call *c)
{
    sh_buf out;
    sh_buf_init(&out, QUERY_ANSWER_MAX);
    sh_query_write(&out, call->query, call->action->name, c->out, sh_http_request_id(call->http));
    if (out.failed) {
        refuse(call, 500, "InternalFailure", "the answer is too large");
    } else {
        json_headers(call->http, "text/xml");
        sh_http_answer(call->http, 200, sh_buf_cstr(&out), out.length);
    }
    sh_buf_free(&out);
}

/* With the status and the fields of its route. */
static void answer_rest(front_call *call, const sh_wire *wire, const char *text)
{
    size_t length = wire->answer ? wire->answer_length : wire->status == 204 ? 0 : strlen(text);
    json_headers(call->http, wire->answer ? wire->type : "application/json");
    for (size_t i = 0; i < wire->field_count; i++)
        sh_http_add_field(call->http, wire->fields[i].name, wire->fields[i].value);
    sh_http_answer(call->http, wire->status, wire->answer ? wire->answer : text, length);
}

static void answer_action(front_call *call, sh_call *c, int status)
{
    char type[64];
    char *text = status == 0 && !call->query ? json_dumps(c->out, JSON_COMPACT) : NULL;
    if (status == 0 && c->wire && text)
        answer_rest(call, c->wire, text);
    else if (status < 0 && c->error.code) {
        refuse(call, c->error.http_status ? c->error.http_status : 400, c->error.code, c->error.message);
    } else if (status == 0 && call->query && c->out) {
        answer_query(call, c);
    } else if (call->query) {
        refuse(call, 500, "InternalFailure", "the action gave no answer");
    } else if (!text) {
        json_refuse(call->http, 500, "InternalFailure", "the action gave no answer");
    } else {
        if (call->service->target_prefix)
            snprintf(type, sizeof(type), "application/x-amz-json-%s", call->service->json_version);
        else
            snprintf(type, sizeof(type), "application/json");
        json_headers(call->http, type);
        sh_http_answer(call->http, 200, text, strlen(text));
    }
    free(text);
}

void sh_front_end_action(front_call *call)
{
    sh_call *c = &call->later;
    if (!call->action)
        return;
    sh_hold_drop(call->front->cloud, &call->hold);
    if (c->kept && c->forget)
        c->forget(c->cloud, c->kept);
    c->kept = NULL;
    json_decref(c->out);
    c->out = NULL;
    json_decref(call->in);
    call->in = NULL;
    call->action = NULL;
}

static void release(void *opaque)
{
    sh_http_release(opaque);
}

/* Makes the call, also for the second time. */
static void run_action(front_call *call)
{
    sh_call *c = &call->later;
    c->now_ms = sh_now_ms(c->cloud->clock);
    sh_db_answer_begin(c->cloud->db); /* it waits for the disk once, here */
    int status = call->action->fn(c);
    sh_db_answer_end(c->cloud->db);
    if (status == SH_CALL_LATER) {
        if (sh_http_hold(call->http)) {
            sh_hold_park(c->cloud, &call->hold);
            return;
        }
        status = sh_call_fail(c, 503, "ServiceUnavailable", "the server stops");
    }
    answer_action(call, c, status);
    sh_front_end_action(call);
}

static void begin_action(front_call *call, const sh_service *service, const sh_action *action, json_t *in)
{
    call->service = service;
    call->action = action;
    sh_http_note(call->http, service->name, action->name, NULL);
    call->in = json_incref(in);
    call->hold = (sh_hold){.release = release, .opaque = call->http};
    call->later = (sh_call){.cloud = call->front->cloud,
                            .arena = sh_http_request_arena(call->http),
                            .principal = call->caller.arn,
                            .caller = &call->caller,
                            .in = in,
                            .wire = call->wire.head ? &call->wire : NULL,
                            .hold = &call->hold};
    int status = sh_authorize_action(&call->later, service->name, action->name);
    if (status == 0) {
        run_action(call);
        return;
    }
    answer_action(call, &call->later, status);
    sh_front_end_action(call);
}

static void finish_lambda(front_call *call)
{
    bool raw = false, overflow;
    int status = 200;
    if (!sh_lambda_route(call->head->method, call->head->path, NULL, NULL, &status, &raw)) {
        lambda_refuse(call->http, 404, "ResourceNotFoundException", "Lambda has no such operation here");
        return;
    }
    json_t *in = raw ? json_object() : read_json(call->http);
    if (!in)
        return;
    const sh_action *action =
        sh_lambda_route(call->head->method, call->head->path, call->head->query, in, &status, &raw);
    call->wire = (sh_wire){.head = call->head, .status = status};
    if (raw)
        call->wire.body = sh_http_body(call->http, &call->wire.length, &overflow);
    if (action)
        begin_action(call, &sh_service_lambda, action, in);
    else
        lambda_refuse(call->http, 400, "ValidationException", "the path or the query is not UTF-8");
    json_decref(in);
}

static void finish_rest(front_call *call)
{
    if (is_lambda(call)) {
        finish_lambda(call);
        return;
    }
    json_t *in = read_json(call->http);
    if (!in)
        return;
    const sh_action *action =
        sh_mediaconvert_route(call->head->method, call->head->path, call->head->query, in);
    if (action)
        begin_action(call, &sh_service_mediaconvert, action, in);
    else
        json_refuse(call->http, 404, "NotFoundException", "MediaConvert has no such operation here");
    json_decref(in);
}

static void finish_target(front_call *call, const sh_service *service, const char *operation)
{
    char message[256];
    const sh_action *action = sh_action_find(service, operation);
    if (!action) {
        snprintf(message, sizeof(message), "the operation %.100s of %s is not known here", operation,
                 service->name);
        json_refuse(call->http, 400, "UnknownOperationException", message);
        return;
    }
    json_t *in = read_json(call->http);
    if (in)
        begin_action(call, service, action, in);
    json_decref(in);
}

/* ---- the Query protocol ---- */

static void finish_query(front_call *call)
{
    char message[256];
    size_t length;
    bool overflow, get = strcmp(call->head->method, "GET") == 0;
    const char *name = NULL;
    json_t *in = NULL;
    sh_err err = {0};
    const char *form = sh_http_body(call->http, &length, &overflow);
    int status =
        sh_query_read(call->query, get ? call->head->query : form, get ? strlen(call->head->query) : length,
                      sh_http_request_arena(call->http), &name, &in, &err);
    const sh_action *action = status == 0 && name ? sh_action_find(call->query->service, name) : NULL;
    if (status < 0) {
        refuse(call, status == SH_E_MEMORY ? 500 : 400,
               status == SH_E_MEMORY ? "InternalFailure" : "MalformedInput", err.message);
    } else if (!name) {
        refuse(call, 400, "MissingAction", "Missing Action");
    } else if (!action || strcmp(action->name, name) != 0) {
        snprintf(message, sizeof(message), "Could not find operation %.100s for version %s", name,
                 call->query->version);
        refuse(call, 400, "InvalidAction", message);
    } else {
        begin_action(call, call->query->service, action, in);
    }
    json_decref(in);
}

/* ---- all of them ---- */

static const char *service_to_be(const front_call *call, const sh_service *service)
{
    if (service)
        return service->name;
    return call->claim.service ? call->claim.service : "";
}

static void finish_signed(front_call *call)
{
    size_t length;
    bool overflow;
    unsigned char hash[SH_DIGEST_BYTES];
    char hex[65];
    const char *message = NULL, *operation = NULL;
    const char *target = sh_http_field_get(call->head, "x-amz-target");
    const char *body = sh_http_body(call->http, &length, &overflow);
    const sh_service *service = call->query       ? call->query->service
                                : target          ? service_of_target(target, &operation)
                                : is_lambda(call) ? &sh_service_lambda
                                                  : &sh_service_mediaconvert;
    if (overflow && is_lambda(call)) {
        lambda_refuse(call->http, 413, "RequestEntityTooLargeException",
                      "Request must be smaller than 70167211 bytes for the operation");
        return;
    }
    if (overflow) {
        refuse(call, 413, "RequestEntityTooLargeException", "the request is larger than 8 MiB");
        return;
    }
    if (sh_digest_once(SH_DIGEST_SHA256, body, length, hash) != 32) {
        refuse(call, 500, "InternalFailure", "no memory for a digest");
        return;
    }
    sh_hex(hash, 32, hex);
    sh_auth_fault fault = sh_front_authenticate(call, hex, false, service_to_be(call, service), &message);
    if (fault)
        refuse_auth(call, fault, message);
    else if (call->query)
        finish_query(call);
    else if (!service)
        refuse(call, 400, "UnknownOperationException", "X-Amz-Target names no service known here");
    else if (target)
        finish_target(call, service, operation);
    else
        finish_rest(call);
}

void sh_front_begin_action(front_call *call)
{
    const char *secret, *message = "Missing Authentication Token";
    sh_auth_fault fault = call->fault;
    call->query = sh_query_find(call->claim.service);
    if (!call->query && !call->claim.service && !sh_http_field_get(call->head, "x-amz-target"))
        call->query = sh_query_services[0]; /* nobody signed a form: the refusal is in its protocol */
    if (fault)
        message = call->message;
    else
        fault = call->claim.version == 4 ? sh_front_find_caller(call, &secret, &message) : SH_AUTH_MISSING;
    if (fault)
        refuse_auth(call, fault, message);
    else /* strangers have no memory here */
        sh_http_keep_body(call->http, is_lambda(call) ? LAMBDA_BODY_MAX : BODY_MAX);
}

void sh_front_finish_action(front_call *call)
{
    if (call->action && sh_http_gone(call->http)) { /* what it would be given would be lost */
        sh_front_end_action(call);
        refuse(call, 503, "ServiceUnavailable", "the client went away");
    } else if (call->action) {
        run_action(call);
    } else {
        finish_signed(call);
    }
}
