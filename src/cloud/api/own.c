/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/api/own.h"
#include "cloud/api/agent.h"
#include "base/file.h"
#include "base/log.h"
#include "cloud/api/caller.h"
#include "cloud/api/s3_target.h"
#include "cloud/api/share.h"
#include "cloud/http/digest.h"
#include "cloud/http/sigv4.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { BODY_MAX = 64 << 10, METRICS_MAX = 4 << 20, TOKEN_BYTES = 24, TOKEN_FILE_MAX = 1024 };
#define ROOT "/_spyhop/"
#define SHARES ROOT "shares"

struct sh_own {
    sh_cloud *cloud;
    sh_http_handler behind;
    sh_watch *watch;
    char token[2 * TOKEN_BYTES + 1]; /* of who reads the metrics from afar */
    atomic_bool stopping;
};

/* ---- answers ---- */

void sh_own_answer(sh_http_request *http, int status, const json_t *body)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    sh_http_add_field(http, "Cache-Control", "no-store");
    sh_http_add_field(http, "X-Content-Type-Options", "nosniff");
    sh_http_add_field(http, "x-amz-request-id", sh_http_request_id(http));
    if (text)
        sh_http_add_field(http, "Content-Type", "application/json");
    sh_http_answer(http, status, text ? text : "", text ? strlen(text) : 0);
    free(text);
}

void sh_own_fail(sh_http_request *http, int status, const char *code, const char *format, ...)
{
    char message[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    sh_text_mend(message);
    json_t *body = json_pack("{s:s, s:s}", "__type", code, "message", message);
    sh_own_answer(http, status, body);
    json_decref(body);
}

static void answer_text(sh_http_request *http, int status, const char *type, const sh_buf *text)
{
    sh_http_add_field(http, "Cache-Control", "no-store");
    sh_http_add_field(http, "X-Content-Type-Options", "nosniff");
    sh_http_add_field(http, "Content-Type", type);
    sh_http_answer(http, status, sh_buf_cstr(text), text->length);
}

/* ---- what is watched ---- */

static void serve_health(sh_own *own, sh_http_request *http)
{
    sh_buf text;
    sh_buf_init(&text, METRICS_MAX);
    bool good = sh_watch_health(own->cloud, &text);
    sh_http_note(http, "spyhop", "Health", NULL);
    answer_text(http, good ? 200 : 503, "application/json", &text);
    sh_buf_free(&text);
}

/* A proxy on this machine speaks for others. */
static bool is_near(const sh_http_request *http)
{
    const char *client = sh_http_request_client(http);
    const sh_http_head *head = sh_http_request_head(http);
    bool local = strncmp(client, "127.", 4) == 0 || strcmp(client, "::1") == 0 ||
                 strncmp(client, "::ffff:127.", 11) == 0;
    return local && !sh_http_field_get(head, "x-forwarded-for") && !sh_http_field_get(head, "forwarded") &&
           !sh_http_field_get(head, "x-real-ip");
}

static bool has_token(const sh_own *own, const sh_http_request *http)
{
    const char *field = sh_http_field_get(sh_http_request_head(http), "authorization");
    size_t length = strlen(own->token);
    if (!field || strncasecmp(field, "Bearer ", 7) != 0 || strlen(field + 7) != length)
        return false;
    return CRYPTO_memcmp(field + 7, own->token, length) == 0;
}

static void serve_metrics(sh_own *own, sh_http_request *http)
{
    sh_buf text;
    sh_err err = {0};
    sh_http_note(http, "spyhop", "Metrics", NULL);
    if (!is_near(http) && !has_token(own, http)) {
        sh_http_add_field(http, "WWW-Authenticate", "Bearer");
        sh_own_fail(http, 401, "AccessDenied",
                    "metrics are for this machine, or for who sends the token of DATA/metrics-token as "
                    "\"Authorization: Bearer TOKEN\"");
        return;
    }
    sh_buf_init(&text, METRICS_MAX);
    if (sh_watch_metrics(own->watch, own->cloud, &text, &err) < 0) {
        sh_log(SH_LOG_ERROR, "own", "%s", err.message);
        sh_own_fail(http, 500, "InternalError", "the metrics could not be read");
    } else {
        answer_text(http, 200, "text/plain; version=0.0.4; charset=utf-8", &text);
    }
    sh_buf_free(&text);
}

/* ---- signed requests ---- */

static bool check_signature(sh_own *own, sh_http_request *http, sh_sigv4 *claim, const char *secret)
{
    size_t length;
    bool overflow;
    char hex[65];
    unsigned char hash[SH_DIGEST_BYTES];
    const char *message = NULL, *body = sh_http_body(http, &length, &overflow);
    (void)own;
    if (overflow) {
        sh_own_fail(http, 413, "RequestEntityTooLargeException", "the request is larger than 64 KiB");
        return false;
    }
    if (sh_digest_once(SH_DIGEST_SHA256, body, length, hash) != 32) {
        sh_own_fail(http, 500, "InternalError", "no memory for a digest");
        return false;
    }
    sh_hex(hash, 32, hex);
    if (sh_sigv4_check(claim, sh_http_request_head(http), secret, hex, false, sh_http_request_arena(http),
                       &message)) {
        sh_own_fail(http, 403, "InvalidSignatureException", "%s", message ? message : "not signed rightly");
        return false;
    }
    return true;
}

/* False after having answered. */
static bool authenticate(sh_own *own, sh_http_request *http, sh_caller *caller)
{
    const sh_http_head *head = sh_http_request_head(http);
    sh_arena *arena = sh_http_request_arena(http);
    const char *message = NULL, *secret = NULL;
    sh_err err = {0};
    sh_sigv4 claim = {0};
    bool good = false;
    if (sh_sigv4_parse(head, arena, &claim, &message)) {
        sh_own_fail(http, 403, "MissingAuthenticationTokenException", "%s", message ? message : "not signed");
    } else if (claim.presigned || strcmp(claim.service, "spyhop") != 0 ||
               strcmp(claim.region, own->cloud->settings.region) != 0) {
        sh_own_fail(http, 403, "InvalidSignatureException",
                    "sign for the region %s and the service spyhop, in the Authorization field",
                    own->cloud->settings.region);
    } else if (sh_sigv4_check_time(&claim, sh_now_ms(own->cloud->clock), &message)) {
        sh_own_fail(http, 403, "InvalidSignatureException", "%s", message ? message : "signed too long ago");
    } else if (sh_caller_by_key(own->cloud, claim.access_key, claim.token, arena, caller, &secret, &err) !=
               SH_KEY_GOOD) {
        sh_own_fail(http, 403, "UnrecognizedClientException",
                    "The security token included in the request is invalid.");
    } else {
        caller->source_ip = sh_http_request_client(http);
        caller->user_agent = sh_http_field_get(head, "user-agent");
        caller->secure = sh_http_secure(http);
        good = check_signature(own, http, &claim, secret);
    }
    OPENSSL_cleanse(claim.key, sizeof(claim.key));
    return good;
}

static void create_share(sh_own *own, sh_http_request *http, const sh_caller *caller)
{
    size_t length;
    bool overflow;
    const char *body = sh_http_body(http, &length, &overflow);
    json_t *in = json_loadb(body, length, JSON_REJECT_DUPLICATES, NULL);
    sh_http_note(http, "spyhop", "CreateShare", NULL);
    if (!json_is_object(in))
        sh_own_fail(http, 400, "SerializationException", "the request's body is not a JSON object");
    else
        sh_share_create(own->cloud, http, caller, in);
    json_decref(in);
}

static void serve_shares(sh_own *own, sh_http_request *http)
{
    const sh_http_head *head = sh_http_request_head(http);
    const char *rest = head->path + strlen(SHARES);
    sh_caller *caller = sh_arena_alloc(sh_http_request_arena(http), sizeof(*caller));
    if (!caller || !authenticate(own, http, caller))
        return;
    if (!*rest && strcmp(head->method, "POST") == 0) {
        create_share(own, http, caller);
    } else if (!*rest && strcmp(head->method, "GET") == 0) {
        sh_http_note(http, "spyhop", "ListShares", NULL);
        sh_share_list(own->cloud, http, caller);
    } else if (*rest && rest[1] && strcmp(head->method, "DELETE") == 0) {
        sh_http_note(http, "spyhop", "DeleteShare", NULL);
        sh_share_revoke(own->cloud, http, caller, rest + 1);
    } else {
        sh_own_fail(http, 405, "MethodNotAllowed", "%s is not possible here", head->method);
    }
}

/* ---- routes ---- */

typedef struct route {
    const char *path;
    bool below; /* also what stands below it */
    bool reads; /* GET and HEAD alone */
    void (*serve)(sh_own *own, sh_http_request *http);
} route;

static void serve_share(sh_own *own, sh_http_request *http)
{
    sh_http_note(http, "share", "GetObject", NULL);
    sh_share_serve(own->cloud, http);
}

static void serve_credentials(sh_own *own, sh_http_request *http)
{
    sh_agent_credentials(own->cloud, http);
}

static const route routes[] = {
    {ROOT "healthz", false, true, serve_health},
    {ROOT "metrics", false, true, serve_metrics},
    {ROOT "share", true, false, serve_share},
    {SHARES, true, false, serve_shares},
    {ROOT "credentials", false, true, serve_credentials},
};

static const route *route_of(const char *path)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++) {
        size_t length = strlen(routes[i].path);
        if (strncmp(path, routes[i].path, length) == 0 &&
            (!path[length] || (routes[i].below && path[length] == '/')))
            return &routes[i];
    }
    return NULL;
}

static bool is_read(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

static void serve(sh_own *own, sh_http_request *http)
{
    const sh_http_head *head = sh_http_request_head(http);
    const route *found = route_of(head->path);
    if (!found)
        sh_own_fail(http, 404, "NotFound", "there is nothing at this address");
    else if (found->reads && !is_read(head->method))
        sh_own_fail(http, 405, "MethodNotAllowed", "%s is not possible here", head->method);
    else
        found->serve(own, http);
}

/* Where the host names a bucket the path is a key. */
static bool is_own(const sh_own *own, sh_http_request *http)
{
    const sh_http_head *head = sh_http_request_head(http);
    const sh_cloud_settings *settings = &own->cloud->settings;
    return strncmp(head->path, ROOT, sizeof(ROOT) - 1) == 0 &&
           !sh_s3_host_bucket(sh_http_field_get(head, "host"), settings->domains, settings->region,
                              sh_http_request_arena(http));
}

static bool is_agent(const sh_own *own, sh_http_request *http)
{
    return strncmp(sh_http_request_head(http)->path, SH_AGENT_ROOT, sizeof(SH_AGENT_ROOT) - 1) == 0 &&
           is_own(own, http);
}

/* ---- handler ---- */

static void on_begin(void *opaque, sh_http_request *http)
{
    sh_own *own = opaque;
    sh_watch_began(own->watch);
    if (atomic_load(&own->stopping)) {
        sh_http_add_field(http, "Connection", "close");
        sh_http_add_field(http, "Retry-After", "5");
        sh_s3_refuse(http, 503, "ServiceUnavailable", "The server is being stopped: try again.", NULL, NULL);
    } else if (is_agent(own, http)) {
        sh_agent_begin(own->cloud, http);
    } else if (is_own(own, http)) {
        sh_http_keep_body(http, BODY_MAX);
    } else {
        own->behind.begin(own->behind.opaque, http);
    }
}

static void on_finish(void *opaque, sh_http_request *http)
{
    sh_own *own = opaque;
    if (is_agent(own, http))
        sh_agent_finish(own->cloud, http);
    else if (is_own(own, http))
        serve(own, http);
    else
        own->behind.finish(own->behind.opaque, http);
}

static void on_end(void *opaque, sh_http_request *http)
{
    sh_own *own = opaque;
    if (is_agent(own, http))
        sh_agent_end(own->cloud, http);
    else if (!is_own(own, http))
        own->behind.end(own->behind.opaque, http);
}

static void on_refuse(void *opaque, sh_http_request *http, int status, const char *message)
{
    sh_own *own = opaque;
    if (own->behind.refuse)
        own->behind.refuse(own->behind.opaque, http, status, message);
}

sh_http_handler sh_own_handler(sh_own *own)
{
    return (sh_http_handler){
        .opaque = own, .begin = on_begin, .finish = on_finish, .end = on_end, .refuse = on_refuse};
}

void sh_own_stop(sh_own *own)
{
    if (own)
        atomic_store(&own->stopping, true);
}

/* ---- life ---- */

static int make_token(sh_own *own, const char *path, sh_err *err)
{
    unsigned char bytes[TOKEN_BYTES];
    char text[sizeof(own->token) + 1];
    if (RAND_bytes(bytes, TOKEN_BYTES) != 1)
        return sh_fail(err, SH_E_INTERNAL, "the system gives no randomness");
    sh_hex(bytes, TOKEN_BYTES, own->token);
    snprintf(text, sizeof(text), "%s\n", own->token);
    return sh_file_replace(path, text, strlen(text), 0600, err);
}

static int load_token(sh_own *own, sh_err *err)
{
    char path[PATH_MAX];
    sh_buf text;
    sh_err local = {0};
    if ((size_t)snprintf(path, sizeof(path), "%s/metrics-token", own->cloud->settings.data) >= sizeof(path))
        return sh_fail(err, SH_E_ARGUMENT, "the name of the data folder is too long");
    sh_buf_init(&text, TOKEN_FILE_MAX);
    int status = sh_file_read(path, &text, &local);
    if (status == SH_E_NOT_FOUND) {
        status = make_token(own, path, err);
    } else if (status < 0) {
        sh_fail(err, status, "%s", local.message);
    } else {
        size_t length = strcspn(sh_buf_cstr(&text), "\r\n");
        if (length < 16 || length >= sizeof(own->token))
            status = sh_fail(err, SH_E_FORMAT,
                             "%s holds no token of 16 to %zu characters: remove it to get a new one", path,
                             sizeof(own->token) - 1);
        else
            memcpy(own->token, sh_buf_cstr(&text), length);
    }
    sh_buf_free(&text);
    return status;
}

int sh_own_new(sh_own **out, sh_cloud *cloud, const sh_http_handler *behind, sh_watch *watch, sh_err *err)
{
    sh_own *own = calloc(1, sizeof(*own));
    if (!own)
        return sh_fail(err, SH_E_MEMORY, "no memory for the server's own addresses");
    own->cloud = cloud;
    own->behind = *behind;
    own->watch = watch;
    int status = load_token(own, err);
    if (status < 0) {
        sh_own_free(own);
        return status;
    }
    *out = own;
    return 0;
}

void sh_own_free(sh_own *own)
{
    if (!own)
        return;
    OPENSSL_cleanse(own->token, sizeof(own->token));
    free(own);
}
