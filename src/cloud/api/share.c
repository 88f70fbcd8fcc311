/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making, listing and revoking shares; and their tokens. A token is 8 bytes id, 5 bytes time of its end in
 * seconds, 16 bytes of a MAC over both, highest byte first: a wrong one costs a stranger no look at the
 * database. */
#include "cloud/api/share.h"
#include "cloud/api/s3_authorize.h"
#include "cloud/http/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { ID = 8, TIME = 5, MAC = 16, BYTES = ID + TIME + MAC, TEXT = (BYTES * 4 + 2) / 3 };
#define KEEP_EXPIRED_MS ((int64_t)30 * 86400 * 1000)
#define EXPIRES_DEFAULT_S 3600

_Static_assert(TEXT + 1 == SH_SHARE_TOKEN_TEXT, "a token is 29 bytes");

/* ---- tokens ---- */

static bool mac_of(const sh_cloud *cloud, const unsigned char *bytes, unsigned char mac[32])
{
    static const unsigned char use[] = "shares of folders, version 1";
    unsigned char key[32];
    unsigned length = sizeof(key);
    bool good =
        HMAC(EVP_sha256(), cloud->token_key, sizeof(cloud->token_key), use, sizeof(use) - 1, key, &length) &&
        HMAC(EVP_sha256(), key, sizeof(key), bytes, ID + TIME, mac, &length);
    OPENSSL_cleanse(key, sizeof(key));
    return good;
}

bool sh_share_token(const sh_cloud *cloud, const char *id, int64_t expires_ms,
                    char token[SH_SHARE_TOKEN_TEXT])
{
    unsigned char bytes[BYTES + 1], mac[32];
    char text[4 * (BYTES + 2) / 3 + 4];
    uint64_t seconds = (uint64_t)expires_ms / 1000;
    for (int i = 0; i < ID; i++) {
        unsigned value = 0;
        if (sscanf(id + 2 * i, "%2x", &value) != 1)
            return false;
        bytes[i] = (unsigned char)value;
    }
    for (int i = 0; i < TIME; i++)
        bytes[ID + i] = (unsigned char)(seconds >> (8 * (TIME - 1 - i)));
    if (!mac_of(cloud, bytes, mac))
        return false;
    memcpy(bytes + ID + TIME, mac, MAC);
    sh_base64(bytes, BYTES, text);
    for (int i = 0; i < TEXT; i++)
        token[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
    token[TEXT] = '\0';
    return true;
}

sh_share_state sh_share_check(const sh_cloud *cloud, const char *token, size_t length, int64_t now_ms,
                              char id[17])
{
    unsigned char bytes[BYTES + 2], mac[32];
    char text[TEXT + 2], again[TEXT + 8];
    int64_t seconds = 0;
    if (length != TEXT)
        return SH_SHARE_FORGED;
    for (int i = 0; i < TEXT; i++) {
        if (token[i] == '+' || token[i] == '/')
            return SH_SHARE_FORGED;
        text[i] = token[i] == '-' ? '+' : token[i] == '_' ? '/' : token[i];
    }
    text[TEXT] = '=';
    text[TEXT + 1] = '\0';
    if (sh_base64_decode(text, TEXT + 1, bytes, sizeof(bytes)) != BYTES)
        return SH_SHARE_FORGED;
    sh_base64(bytes, BYTES, again); /* the last letter has two bits to spare: one spelling alone is good */
    if (strcmp(again, text) != 0 || !mac_of(cloud, bytes, mac) ||
        CRYPTO_memcmp(mac, bytes + ID + TIME, MAC) != 0)
        return SH_SHARE_FORGED;
    for (int i = 0; i < TIME; i++)
        seconds = seconds << 8 | bytes[ID + i];
    sh_hex(bytes, ID, id);
    return now_ms / 1000 >= seconds ? SH_SHARE_EXPIRED : SH_SHARE_GOOD;
}

/* ---- making ---- */

static bool new_id(char id[17])
{
    unsigned char bytes[ID];
    if (RAND_bytes(bytes, ID) != 1)
        return false;
    sh_hex(bytes, ID, id);
    return true;
}

/* The share as its maker sees it. */
static json_t *share_json(const sh_cloud *cloud, const sh_share *share)
{
    char token[SH_SHARE_TOKEN_TEXT], expires[SH_TIME_TEXT], path[128];
    if (!sh_share_token(cloud, share->id, share->expires_ms, token))
        return NULL;
    snprintf(path, sizeof(path), SH_SHARE_PATH "%s/", token);
    sh_time_iso_s(share->expires_ms, expires);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "id", share->id, "path", path, "bucket", share->bucket,
                     "prefix", share->prefix, "expires", expires, "principal", share->principal);
}

/* Whether the caller may read all that is to be shared; else answers. */
static bool may_read(sh_cloud *cloud, sh_http_request *http, const sh_caller *caller, const sh_share *share)
{
    const char *sentence = NULL;
    sh_err err = {0};
    sh_arena *arena = sh_http_request_arena(http);
    const char *all = sh_arena_printf(arena, "%s*", share->prefix);
    int status = all ? sh_s3_permit(cloud, caller, "s3:GetObject", share->bucket, all, arena, &sentence, &err)
                     : SH_E_MEMORY;
    if (status == SH_E_DENIED)
        sh_own_fail(http, 403, "AccessDenied", "%s", sentence ? sentence : "Access Denied");
    else if (status < 0)
        sh_own_fail(http, 500, "InternalError", "it could not be found out whether you may");
    return status == 0;
}

/* Reads the request into *share; false after having answered. */
static bool read_request(sh_cloud *cloud, sh_http_request *http, const json_t *in, sh_share *share)
{
    const char *bucket = json_string_value(json_object_get(in, "bucket"));
    const char *prefix = json_string_value(json_object_get(in, "prefix"));
    const json_t *expires = json_object_get(in, "expires");
    int64_t seconds = expires ? json_integer_value(expires) : EXPIRES_DEFAULT_S;
    size_t length = prefix ? strlen(prefix) : 0;
    if (!bucket || !sh_bucket_name_valid(bucket)) {
        sh_own_fail(http, 400, "InvalidBucketName", "bucket: the name of a bucket is needed");
        return false;
    }
    if (length > SH_OBJECT_KEY_MAX - 2) {
        sh_own_fail(http, 400, "InvalidArgument", "prefix: it is longer than a key may be");
        return false;
    }
    if ((expires && !json_is_integer(expires)) || seconds < 1 || seconds > SH_SHARE_EXPIRES_MAX_S) {
        sh_own_fail(http, 400, "InvalidArgument", "expires: a number of seconds from 1 to %d is needed",
                    SH_SHARE_EXPIRES_MAX_S);
        return false;
    }
    share->bucket = bucket;
    share->prefix = sh_arena_printf(sh_http_request_arena(http), "%s%s", prefix ? prefix : "",
                                    length && prefix[length - 1] != '/' ? "/" : "");
    share->created_ms = sh_now_ms(cloud->clock);
    share->expires_ms = (share->created_ms / 1000 + seconds) * 1000;
    return share->prefix != NULL;
}

static bool bucket_there(sh_cloud *cloud, sh_http_request *http, const char *name)
{
    sh_bucket bucket;
    sh_err err = {0};
    sh_objects objects = sh_cloud_objects(cloud);
    int status = sh_bucket_get(&objects, name, &bucket, &err);
    if (status == SH_E_NOT_FOUND)
        sh_own_fail(http, 404, "NoSuchBucket", "The specified bucket does not exist");
    else if (status < 0)
        sh_own_fail(http, 500, "InternalError", "the database could not be read");
    return status == 0;
}

void sh_share_create(sh_cloud *cloud, sh_http_request *http, const sh_caller *caller, const json_t *in)
{
    char id[17];
    sh_err err = {0};
    sh_share share = {.id = id, .access_key = caller->access_key, .principal = caller->arn};
    if (caller->session_ms) {
        sh_own_fail(http, 403, "AccessDenied",
                    "temporary keys make no shares, because a share outlives them: use those of a user");
        return;
    }
    if (!read_request(cloud, http, in, &share) || !bucket_there(cloud, http, share.bucket) ||
        !may_read(cloud, http, caller, &share))
        return;
    int status = new_id(id) ? sh_share_add(cloud->db, &share, share.created_ms - KEEP_EXPIRED_MS, &err)
                            : SH_E_INTERNAL;
    json_t *body = status == 0 ? share_json(cloud, &share) : NULL;
    if (status == SH_E_LIMIT)
        sh_own_fail(http, 400, "LimitExceeded", "%s", err.message);
    else if (!body)
        sh_own_fail(http, 500, "InternalError", "the share could not be stored");
    else
        sh_own_answer(http, 201, body);
    json_decref(body);
}

/* ---- listing and revoking ---- */

typedef struct listing {
    const sh_cloud *cloud;
    const sh_caller *caller;
    json_t *list;
} listing;

static bool owns(const sh_caller *caller, const sh_share *share)
{
    return caller->root || (caller->arn && strcmp(caller->arn, share->principal) == 0);
}

static int list_one(void *opaque, const sh_share *share)
{
    listing *l = opaque;
    if (!owns(l->caller, share))
        return 0;
    json_t *one = share_json(l->cloud, share);
    return one && json_array_append_new(l->list, one) == 0 ? 0 : SH_E_MEMORY;
}

void sh_share_list(sh_cloud *cloud, sh_http_request *http, const sh_caller *caller)
{
    sh_err err = {0};
    listing l = {cloud, caller, json_array()};
    json_t *body = json_pack("{s:O*}", "shares", l.list);
    if (!body || sh_share_each(cloud->db, list_one, &l, &err) < 0)
        sh_own_fail(http, 500, "InternalError", "the shares could not be read");
    else
        sh_own_answer(http, 200, body);
    json_decref(body);
    json_decref(l.list);
}

void sh_share_revoke(sh_cloud *cloud, sh_http_request *http, const sh_caller *caller, const char *id)
{
    sh_share share;
    sh_err err = {0};
    int status = sh_share_get(cloud->db, id, sh_http_request_arena(http), &share, &err);
    if (status == 0 && !owns(caller, &share))
        status = SH_E_NOT_FOUND;
    if (status == 0)
        status = sh_share_remove(cloud->db, id, &err);
    if (status == SH_E_NOT_FOUND)
        sh_own_fail(http, 404, "NoSuchShare", "there is no share %.40s of yours", id);
    else if (status < 0)
        sh_own_fail(http, 500, "InternalError", "the share could not be removed");
    else
        sh_own_answer(http, 204, NULL);
}
