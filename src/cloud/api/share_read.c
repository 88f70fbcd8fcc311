/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A read through a share is a GetObject (or HeadObject) by the share's maker: the same code authorises it and
 * gives the bytes, with ranges and preconditions. Only the head is another one: path and query of the
 * request are not S3's. */
#include "base/log.h"
#include "cloud/api/s3_authorize.h"
#include "cloud/api/share.h"

#include <string.h>
#include <strings.h>

static const sh_s3_operation get_object = {"GET", 'o', NULL, "GetObject", sh_s3_get_object, NULL};
static const sh_s3_operation head_object = {"HEAD", 'o', NULL, "HeadObject", sh_s3_get_object, NULL};

const char *sh_share_type(const char *name)
{
    static const struct {
        const char *end, *type;
    } rows[] = {
        {".m3u8", "application/vnd.apple.mpegurl"},
        {".mpd", "application/dash+xml"},
        {".m4s", "video/iso.segment"},
        {".mp4", "video/mp4"},
        {".m4v", "video/mp4"},
        {".cmfv", "video/mp4"},
        {".m4a", "audio/mp4"},
        {".cmfa", "audio/mp4"},
        {".ts", "video/mp2t"},
        {".aac", "audio/aac"},
        {".vtt", "text/vtt"},
        {".webvtt", "text/vtt"},
        {".jpg", "image/jpeg"},
        {".jpeg", "image/jpeg"},
        {".png", "image/png"},
    };
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof(rows) / sizeof(*rows); i++)
        if (strcasecmp(dot, rows[i].end) == 0)
            return rows[i].type;
    return NULL;
}

/* Any page may play it: whoever has the address may read, and no cookie is looked at. */
static void cors_fields(sh_http_request *http)
{
    sh_http_add_field(http, "Access-Control-Allow-Origin", "*");
    sh_http_add_field(http, "Access-Control-Expose-Headers",
                      "Content-Length, Content-Range, Accept-Ranges, ETag, Last-Modified, x-amz-request-id");
    sh_http_add_field(http, "Cross-Origin-Resource-Policy", "cross-origin");
}

static void answer_preflight(sh_http_request *http)
{
    sh_http_add_field(http, "Access-Control-Allow-Methods", "GET, HEAD");
    sh_http_add_field(http, "Access-Control-Allow-Headers",
                      "Range, If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, If-Range");
    sh_http_add_field(http, "Access-Control-Max-Age", "86400");
    sh_http_answer(http, 204, "", 0);
}

static void refuse(sh_http_request *http, int status, const char *code, const char *message)
{
    sh_s3_refuse(http, status, code, message, NULL, NULL);
}

/* The share that the path names, and what of the path stands behind it; NULL after having answered. */
static const char *find_share(sh_cloud *cloud, sh_http_request *http, sh_share *share)
{
    char id[17];
    sh_err err = {0};
    const char *token = sh_http_request_head(http)->path + strlen(SH_SHARE_PATH);
    size_t length = strcspn(token, "/");
    if (token[length] != '/') {
        refuse(http, 404, "NoSuchKey",
               "The address of a share ends with a file's name after the token and a /");
        return NULL;
    }
    switch (sh_share_check(cloud, token, length, sh_now_ms(cloud->clock), id)) {
    case SH_SHARE_GOOD:
        break;
    case SH_SHARE_EXPIRED:
        refuse(http, 403, "AccessDenied", "Request has expired");
        return NULL;
    default:
        refuse(http, 403, "AccessDenied", "This is not the address of a share");
        return NULL;
    }
    int status = sh_share_get(cloud->db, id, sh_http_request_arena(http), share, &err);
    if (status == SH_E_NOT_FOUND) {
        refuse(http, 403, "AccessDenied", "The share was revoked");
        return NULL;
    }
    if (status < 0) {
        sh_log(SH_LOG_ERROR, "share", "%s", err.message);
        refuse(http, 500, "InternalError", "We encountered an internal error. Please try again.");
        return NULL;
    }
    return token + length + 1;
}

/* Who made it, as of now; false after having answered. */
static bool find_maker(sh_cloud *cloud, sh_http_request *http, const sh_share *share, sh_caller *caller)
{
    const char *secret;
    sh_err err = {0};
    sh_key_state state =
        sh_caller_by_key(cloud, share->access_key, NULL, sh_http_request_arena(http), caller, &secret, &err);
    if (state == SH_KEY_FAILED) {
        sh_log(SH_LOG_ERROR, "share", "%s", err.message);
        refuse(http, 500, "InternalError", "We encountered an internal error. Please try again.");
        return false;
    }
    if (state != SH_KEY_GOOD) {
        refuse(http, 403, "AccessDenied", "The key that made the share is not valid any more");
        return false;
    }
    caller->source_ip = sh_http_request_client(http);
    caller->user_agent = sh_http_field_get(sh_http_request_head(http), "user-agent");
    caller->referer = sh_http_field_get(sh_http_request_head(http), "referer");
    caller->secure = sh_http_secure(http);
    return true;
}

/* The request's head without its query; the type is given by a parameter of S3's. */
static sh_http_head *head_for(sh_http_request *http, const char *key)
{
    sh_arena *arena = sh_http_request_arena(http);
    const char *type = sh_share_type(key);
    sh_http_head *head = sh_arena_alloc(arena, sizeof(*head));
    sh_http_param *param = sh_arena_alloc(arena, sizeof(*param));
    if (!head || !param)
        return NULL;
    *head = *sh_http_request_head(http);
    *param = (sh_http_param){.raw_name = "response-content-type",
                             .raw_value = type,
                             .name = "response-content-type",
                             .value = type,
                             .has_value = true};
    head->query = "";
    head->params = param;
    head->param_count = type ? 1 : 0;
    return head;
}

static void read_object(sh_cloud *cloud, sh_http_request *http, const sh_share *share,
                        const sh_caller *caller, const char *rest)
{
    sh_arena *arena = sh_http_request_arena(http);
    const char *name = sh_http_decode(arena, rest, strlen(rest), false);
    const char *key = name ? sh_arena_printf(arena, "%s%s", share->prefix, name) : NULL;
    sh_s3 *s3 = sh_arena_alloc(arena, sizeof(*s3));
    sh_sigv4 *claim = sh_arena_alloc(arena, sizeof(*claim));
    sh_http_head *head = key ? head_for(http, key) : NULL;
    if (!key || !*name || !sh_utf8_valid(key, strlen(key)) || strlen(key) > SH_OBJECT_KEY_MAX) {
        refuse(http, 404, "NoSuchKey", "The specified key does not exist.");
        return;
    }
    if (!s3 || !claim || !head) {
        refuse(http, 500, "InternalError", "We encountered an internal error. Please try again.");
        return;
    }
    *s3 = (sh_s3){.cloud = cloud,
                  .objects = sh_cloud_objects(cloud),
                  .http = http,
                  .head = head,
                  .arena = arena,
                  .claim = claim,
                  .caller = caller,
                  .operation = strcmp(head->method, "HEAD") == 0 ? &head_object : &get_object,
                  .bucket = share->bucket,
                  .key = key,
                  .receiver = {.fd = -1}};
    if (sh_s3_authorize(s3))
        s3->operation->run(s3);
    sh_s3_end(s3);
}

void sh_share_serve(sh_cloud *cloud, sh_http_request *http)
{
    sh_share share;
    sh_caller *caller = sh_arena_alloc(sh_http_request_arena(http), sizeof(*caller));
    const char *method = sh_http_request_head(http)->method;
    cors_fields(http);
    if (strcmp(method, "OPTIONS") == 0) {
        answer_preflight(http);
        return;
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        sh_http_add_field(http, "Allow", "GET, HEAD, OPTIONS");
        refuse(http, 405, "MethodNotAllowed", "The specified method is not allowed against this resource.");
        return;
    }
    const char *rest = caller ? find_share(cloud, http, &share) : NULL;
    if (!rest)
        return;
    sh_http_note(http, "share", strcmp(method, "HEAD") == 0 ? "HeadObject" : "GetObject", share.bucket);
    if (find_maker(cloud, http, &share, caller))
        read_object(cloud, http, &share, caller, rest);
}
