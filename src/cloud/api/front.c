/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a request is for follows from the service in its signature's scope: "s3", or a service of sh_services.
 * An unsigned request is S3's, where policies may let anybody in, unless it names an action of another
 * service. S3 is authenticated when its head is there, before a body is taken; another when its body is
 * complete, because its signature covers the body's hash. */
#include "base/size.h"
#include "cloud/store/outbox.h"
#include "cloud/api/front_call.h"
#include "cloud/api/s3_cors.h"
#include "cloud/api/s3_target.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

int sh_front_new(sh_front **out, sh_cloud *cloud, sh_err *err)
{
    sh_front *front = calloc(1, sizeof(*front));
    if (!front)
        return sh_fail(err, SH_E_MEMORY, "no memory for the HTTP front");
    front->cloud = cloud;
    json_object_seed(0); /* else the first threads to make an object spin until one of them has done it */
    *out = front;
    return 0;
}

void sh_front_free(sh_front *front)
{
    free(front);
}

/* ---- S3 ---- */

/* What an uploaded page may do in a browser: nothing, whatever origin it shares. */
static void tame_objects(sh_http_request *http)
{
    sh_http_add_field(http, "Content-Security-Policy", "sandbox");
    sh_http_add_field(http, "X-Content-Type-Options", "nosniff");
}

static bool payload_fits(front_call *call)
{
    if (call->fault || call->claim.payload_kind == SH_PAYLOAD_HASH)
        return true;
    if (call->claim.payload_kind == SH_PAYLOAD_ABSENT) {
        sh_s3_refuse(call->http, 400, "InvalidRequest",
                     "Missing required header for this request: x-amz-content-sha256", NULL, NULL);
        return false;
    }
    if (call->claim.payload_kind == SH_PAYLOAD_INVALID) {
        sh_s3_detail details[] = {
            {"ArgumentName", "x-amz-content-sha256"},
            {"ArgumentValue", sh_http_field_get(call->head, "x-amz-content-sha256")},
        };
        sh_s3_refuse_with(
            call->http, 400, "InvalidArgument",
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, or a valid "
            "sha256 value.",
            details, 2);
        return false;
    }
    return true;
}

static void begin_s3(front_call *call)
{
    const char *message = NULL;
    sh_s3_target target;
    sh_auth_fault fault = SH_AUTH_OK;
    sh_cloud *cloud = call->front->cloud;
    tame_objects(call->http);
    if (sh_s3_target_read(cloud, call->head, sh_http_request_arena(call->http), &target) < 0) {
        sh_s3_refuse(call->http, 400, "InvalidURI", "Couldn't parse the specified URI.", "URI",
                     call->head->path);
        return;
    }
    call->host_bucket = target.by_host ? target.bucket : NULL;
    sh_front_fill_caller(call);
    if (sh_s3_cors_preflight(cloud, call->http, target.bucket))
        return;
    sh_s3_cors_fields(cloud, call->http, target.bucket);
    if (!payload_fits(call))
        return;
    if (call->fault || call->claim.version)
        fault = sh_front_authenticate(call, call->claim.payload, true, "s3", &message);
    if (fault)
        sh_front_refuse_s3(call, fault, message);
    else
        sh_s3_begin(&call->s3, cloud, call->http, &target, &call->claim, &call->caller);
}

/* ---- handler ---- */

/* A request of S3, though its signature may be for something else: then S3 says so. */
static bool is_s3(const front_call *call)
{
    const char *service = call->claim.service;
    bool target = sh_http_field_get(call->head, "x-amz-target") != NULL;
    const char *type = sh_http_field_get(call->head, "content-type");
    if (service && strcmp(service, "s3") != 0)
        return !target && strcmp(service, "mediaconvert") != 0 && strcmp(service, "lambda") != 0 &&
               !(sh_query_find(service) && strcmp(call->head->path, "/") == 0);
    if (service)
        return true;
    bool form = type && strncmp(type, "application/x-www-form-urlencoded", 33) == 0 &&
                strcmp(call->head->path, "/") == 0 && strcmp(call->head->method, "POST") == 0;
    return !target && !form;
}

/* What led to the request, for the events that it makes (outbox.h). */
static void set_trace(const sh_http_head *head)
{
    const char *trace = head ? sh_http_field_get(head, "x-amzn-trace-id") : NULL;
    bool good = trace && strlen(trace) <= 256 && sh_utf8_valid(trace, strlen(trace));
    sh_trace_set(good ? trace : NULL);
}

static void on_begin(void *opaque, sh_http_request *http)
{
    front_call *call = sh_arena_alloc(sh_http_request_arena(http), sizeof(*call));
    if (!call)
        return;
    call->front = opaque;
    call->http = http;
    call->head = sh_http_request_head(http);
    *sh_http_user(http) = call;
    sh_front_read_claim(call);
    set_trace(call->head);
    if (is_s3(call))
        begin_s3(call);
    else
        sh_front_begin_action(call);
    set_trace(NULL);
}

static void on_refuse(void *opaque, sh_http_request *http, int status, const char *message)
{
    static const struct {
        int status;
        const char *code;
    } rows[] = {{414, "RequestURITooLong"},
                {431, "RequestHeaderSectionTooLarge"},
                {500, "InternalError"},
                {501, "NotImplemented"}};
    const char *code = "BadRequest";
    (void)opaque;
    for (size_t i = 0; i < SH_COUNT(rows); i++)
        if (rows[i].status == status)
            code = rows[i].code;
    sh_s3_refuse(http, status, code, message, NULL, NULL);
}

static void on_finish(void *opaque, sh_http_request *http)
{
    front_call *call = *sh_http_user(http);
    (void)opaque;
    if (!call)
        return;
    set_trace(call->head);
    if (call->s3)
        sh_s3_finish(call->s3);
    else
        sh_front_finish_action(call);
    set_trace(NULL);
}

static void on_end(void *opaque, sh_http_request *http)
{
    front_call *call = *sh_http_user(http);
    (void)opaque;
    if (!call)
        return;
    sh_front_end_action(call);
    sh_s3_end(call->s3);
    OPENSSL_cleanse(call->claim.key, sizeof(call->claim.key));
}

sh_http_handler sh_front_handler(sh_front *front)
{
    return (sh_http_handler){
        .opaque = front, .begin = on_begin, .finish = on_finish, .end = on_end, .refuse = on_refuse};
}
