/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a request is for follows from the service in its signature's scope: "s3", or a service of sh_services.
 * An unsigned request is refused in the shape its sender would understand. S3 is authenticated when its head
 * is there, before a body is taken; a JSON request when its body is complete, because its signature covers
 * the body's hash. */
#include "cloud/api/front.h"
#include "base/log.h"
#include "cloud/api/hold.h"
#include "cloud/api/s3.h"
#include "cloud/http/digest.h"
#include "cloud/http/sigv4.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JSON_BODY_MAX = 8 << 20 };

struct sh_front {
    sh_cloud *cloud;
};

/* State of one request, in its arena. */
typedef struct front_call {
    sh_front *front;
    sh_http_request *http;
    const sh_http_head *head;
    sh_sigv4 claim;
    sh_auth_fault fault; /* of reading the claim */
    const char *message;
    sh_caller caller;          /* once authenticated */
    sh_s3 *s3;                 /* NULL: a JSON request */
    const sh_service *service; /* of an action whose answer comes later, with its call */
    const sh_action *action;
    json_t *in;
    sh_call later;
    sh_hold hold;
} front_call;

int sh_front_new(sh_front **out, sh_cloud *cloud, sh_err *err)
{
    sh_front *front = calloc(1, sizeof(*front));
    if (!front)
        return sh_fail(err, SH_E_MEMORY, "no memory for the HTTP front");
    front->cloud = cloud;
    *out = front;
    return 0;
}

void sh_front_free(sh_front *front)
{
    free(front);
}

/* ---- who is it ---- */

/* Whose key signed, into call->caller, and its secret. */
static sh_auth_fault find_caller(front_call *call, const char **secret, const char **message)
{
    sh_err err = {0};
    const sh_sigv4 *claim = &call->claim;
    switch (sh_caller_by_key(call->front->cloud, claim->access_key, claim->token,
                             sh_http_request_arena(call->http), &call->caller, secret, &err)) {
    case SH_KEY_GOOD:
        break;
    case SH_KEY_UNKNOWN:
        *message = "The AWS Access Key Id you provided does not exist in our records.";
        return SH_AUTH_UNKNOWN_KEY;
    case SH_KEY_BAD_TOKEN:
        *message = "The provided token is malformed or otherwise invalid.";
        return SH_AUTH_BAD_TOKEN;
    case SH_KEY_EXPIRED:
        *message = "The provided token has expired.";
        return SH_AUTH_EXPIRED_TOKEN;
    default:
        sh_log(SH_LOG_ERROR, "front", "%s", err.message);
        *message = "no memory";
        return SH_AUTH_MEMORY;
    }
    call->caller.source_ip = sh_http_request_client(call->http);
    call->caller.user_agent = sh_http_field_get(call->head, "user-agent");
    call->caller.referer = sh_http_field_get(call->head, "referer");
    return SH_AUTH_OK;
}

static sh_auth_fault authenticate(front_call *call, const char *payload_hash, bool s3, const char *service,
                                  const char **message)
{
    const sh_cloud *cloud = call->front->cloud;
    sh_sigv4 *claim = &call->claim;
    if (call->fault) {
        *message = call->message;
        return call->fault;
    }
    if (strcmp(claim->region, cloud->settings.region) != 0) {
        *message =
            sh_arena_printf(sh_http_request_arena(call->http), "the region '%.60s' is wrong; expecting '%s'",
                            claim->region, cloud->settings.region);
        return SH_AUTH_REGION;
    }
    if (strcmp(claim->service, service) != 0) {
        *message = sh_arena_printf(sh_http_request_arena(call->http),
                                   "incorrect service '%.60s'; this request belongs to '%s'", claim->service,
                                   service);
        return SH_AUTH_SERVICE;
    }
    sh_auth_fault fault = sh_sigv4_check_time(claim, sh_now_ms(cloud->clock), message);
    if (fault)
        return fault;
    const char *secret = NULL;
    if ((fault = find_caller(call, &secret, message)))
        return fault;
    return sh_sigv4_check(claim, call->head, secret, payload_hash, s3, sh_http_request_arena(call->http),
                          message);
}

/* ---- JSON ---- */

static void json_headers(sh_http_request *http, const char *type)
{
    sh_http_add_field(http, "Content-Type", type);
    sh_http_add_field(http, "x-amzn-RequestId", sh_http_request_id(http));
}

static void json_refuse(sh_http_request *http, int status, const char *code, const char *message)
{
    char *text = NULL;
    char *said = sh_arena_strdup(sh_http_request_arena(http), message ? message : "");
    if (said)
        sh_text_mend(said); /* it may quote what the client sent */
    json_t *body = json_pack("{s:s, s:s}", "__type", code, "message", said ? said : "");
    if (body)
        text = json_dumps(body, JSON_COMPACT);
    json_headers(http, "application/x-amz-json-1.1");
    sh_http_add_field(http, "x-amzn-ErrorType", code);
    sh_http_answer(http, status, text ? text : "{}", text ? strlen(text) : 2);
    free(text);
    json_decref(body);
}

static void json_refuse_auth(sh_http_request *http, sh_auth_fault fault, const char *message)
{
    switch (fault) {
    case SH_AUTH_MISSING:
        json_refuse(http, 403, "MissingAuthenticationTokenException", message);
        break;
    case SH_AUTH_MALFORMED:
    case SH_AUTH_QUERY:
    case SH_AUTH_UNSUPPORTED:
    case SH_AUTH_DATE:
        json_refuse(http, 400, "IncompleteSignatureException", message);
        break;
    case SH_AUTH_EXPIRED_TOKEN:
        json_refuse(http, 403, "ExpiredTokenException",
                    "The security token included in the request is expired");
        break;
    case SH_AUTH_BAD_TOKEN:
    case SH_AUTH_UNKNOWN_KEY:
        json_refuse(http, 403, "UnrecognizedClientException",
                    "The security token included in the request is invalid.");
        break;
    case SH_AUTH_MEMORY:
        json_refuse(http, 500, "InternalFailure", message);
        break;
    default:
        json_refuse(http, 403, "InvalidSignatureException", message);
    }
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

static void answer_action(front_call *call, sh_call *c, int status)
{
    char type[64];
    char *text = status == 0 ? json_dumps(c->out, JSON_COMPACT) : NULL;
    if (status < 0 && c->error.code) {
        json_refuse(call->http, c->error.http_status ? c->error.http_status : 400, c->error.code,
                    c->error.message);
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

/* Releases what the call has; it may be called again. */
static void end_action(front_call *call)
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
    end_action(call);
}

static void begin_action(front_call *call, const sh_service *service, const sh_action *action, json_t *in)
{
    call->service = service;
    call->action = action;
    call->in = json_incref(in);
    call->hold = (sh_hold){.release = release, .opaque = call->http};
    call->later = (sh_call){.cloud = call->front->cloud,
                            .arena = sh_http_request_arena(call->http),
                            .principal = call->caller.arn,
                            .caller = &call->caller,
                            .in = in,
                            .hold = &call->hold};
    run_action(call);
}

static void finish_rest(front_call *call)
{
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

static void finish_json(front_call *call)
{
    size_t length;
    bool overflow;
    unsigned char hash[SH_DIGEST_BYTES];
    char hex[65];
    const char *message = NULL, *operation = NULL;
    const char *target = sh_http_field_get(call->head, "x-amz-target");
    const char *body = sh_http_body(call->http, &length, &overflow);
    const sh_service *service = target ? service_of_target(target, &operation) : &sh_service_mediaconvert;
    if (overflow) {
        json_refuse(call->http, 413, "RequestEntityTooLargeException", "the request is larger than 8 MiB");
        return;
    }
    if (sh_digest_once(SH_DIGEST_SHA256, body, length, hash) != 32) {
        json_refuse(call->http, 500, "InternalFailure", "no memory for a digest");
        return;
    }
    sh_hex(hash, 32, hex);
    sh_auth_fault fault = authenticate(call, hex, false,
                                       service               ? service->name
                                       : call->claim.service ? call->claim.service
                                                             : "",
                                       &message);
    if (fault)
        json_refuse_auth(call->http, fault, message);
    else if (!service)
        json_refuse(call->http, 400, "UnknownOperationException", "X-Amz-Target names no service known here");
    else if (target)
        finish_target(call, service, operation);
    else
        finish_rest(call);
}

/* ---- S3 ---- */

static void s3_refuse_auth(front_call *call, sh_auth_fault fault, const char *message)
{
    static const struct {
        sh_auth_fault fault;
        int status;
        const char *code;
    } rows[] = {
        {SH_AUTH_MALFORMED, 400, "AuthorizationHeaderMalformed"},
        {SH_AUTH_REGION, 400, "AuthorizationHeaderMalformed"},
        {SH_AUTH_SERVICE, 400, "AuthorizationHeaderMalformed"},
        {SH_AUTH_QUERY, 400, "AuthorizationQueryParametersError"},
        {SH_AUTH_UNSUPPORTED, 400, "InvalidRequest"},
        {SH_AUTH_SKEWED, 403, "RequestTimeTooSkewed"},
        {SH_AUTH_UNKNOWN_KEY, 403, "InvalidAccessKeyId"},
        {SH_AUTH_BAD_TOKEN, 400, "InvalidToken"},
        {SH_AUTH_EXPIRED_TOKEN, 400, "ExpiredToken"},
        {SH_AUTH_MISMATCH, 403, "SignatureDoesNotMatch"},
        {SH_AUTH_MEMORY, 500, "InternalError"},
    };
    bool region = fault == SH_AUTH_REGION;
    const char *name = region ? "Region" : fault == SH_AUTH_UNKNOWN_KEY ? "AWSAccessKeyId" : NULL;
    const char *value = region ? call->front->cloud->settings.region : call->claim.access_key;
    if (fault == SH_AUTH_MISSING)
        message = "Access Denied";
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].fault == fault) {
            sh_s3_refuse(call->http, rows[i].status, rows[i].code, message, name, value);
            return;
        }
    sh_s3_refuse(call->http, 403, "AccessDenied", message, NULL, NULL);
}

static void begin_s3(front_call *call)
{
    const char *message = NULL;
    sh_payload kind = call->claim.payload_kind;
    if (!call->fault && kind == SH_PAYLOAD_ABSENT) {
        sh_s3_refuse(call->http, 400, "InvalidRequest",
                     "Missing required header for this request: x-amz-content-sha256", NULL, NULL);
        return;
    }
    if (!call->fault && kind == SH_PAYLOAD_INVALID) {
        sh_s3_refuse(
            call->http, 400, "InvalidArgument",
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, another "
            "of the streaming values, or a valid sha256 value.",
            "ArgumentName", "x-amz-content-sha256");
        return;
    }
    sh_auth_fault fault = authenticate(call, call->claim.payload, true, "s3", &message);
    if (fault)
        s3_refuse_auth(call, fault, message);
    else
        sh_s3_begin(&call->s3, call->front->cloud, call->http, &call->claim, &call->caller);
}

/* ---- handler ---- */

static void on_begin(void *opaque, sh_http_request *http)
{
    front_call *call = sh_arena_alloc(sh_http_request_arena(http), sizeof(*call));
    if (!call)
        return;
    call->front = opaque;
    call->http = http;
    call->head = sh_http_request_head(http);
    *sh_http_user(http) = call;
    call->fault = sh_sigv4_parse(call->head, sh_http_request_arena(http), &call->claim, &call->message);
    const char *service = call->claim.service, *secret, *message;
    sh_auth_fault fault;
    bool target = sh_http_field_get(call->head, "x-amz-target") != NULL;
    if (service ? strcmp(service, "s3") == 0 || (!target && strcmp(service, "mediaconvert") != 0) : !target)
        begin_s3(call);
    else if (call->fault)
        json_refuse_auth(http, call->fault, call->message);
    else if ((fault = find_caller(call, &secret, &message)))
        json_refuse_auth(http, fault, message);
    else /* strangers have no memory here */
        sh_http_keep_body(http, JSON_BODY_MAX);
}

static void on_finish(void *opaque, sh_http_request *http)
{
    front_call *call = *sh_http_user(http);
    (void)opaque;
    if (!call)
        return;
    if (call->s3)
        sh_s3_finish(call->s3);
    else if (call->action && sh_http_gone(http)) { /* what it would be given would be lost */
        end_action(call);
        json_refuse(http, 503, "ServiceUnavailable", "the client went away");
    } else if (call->action)
        run_action(call);
    else
        finish_json(call);
}

static void on_end(void *opaque, sh_http_request *http)
{
    front_call *call = *sh_http_user(http);
    (void)opaque;
    if (!call)
        return;
    end_action(call);
    sh_s3_end(call->s3);
    OPENSSL_cleanse(call->claim.key, sizeof(call->claim.key));
}

sh_http_handler sh_front_handler(sh_front *front)
{
    return (sh_http_handler){.opaque = front, .begin = on_begin, .finish = on_finish, .end = on_end};
}
