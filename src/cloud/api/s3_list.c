/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ListObjects and ListObjectsV2. A continuation token is the last line of the page before,
 * behind a CRC, in base64:
 * nothing is kept for it on the server. */
#include "base/size.h"
#include "cloud/api/s3.h"
#include "cloud/api/s3_config.h"
#include "cloud/http/digest.h"

#include <string.h>

enum { PAGE = 1000 };

typedef struct listing {
    sh_s3 *s3;
    bool v2;
    bool url; /* encoding-type=url */
    bool owner;
    const char *prefix, *delimiter, *after, *token, *marker;
    int64_t max;
    int count;
    sh_buf contents;
    sh_buf prefixes;
} listing;

void sh_s3_put_name(sh_s3 *s3, bool url, sh_buf *out, const char *name, const char *text)
{
    const char *encoded = url ? sh_http_encode(s3->arena, text, strlen(text), true) : text;
    if (encoded)
        sh_xml_put(out, name, encoded);
    else
        out->failed = true;
}

static void put_name(const listing *l, sh_buf *out, const char *name, const char *text)
{
    sh_s3_put_name(l->s3, l->url, out, name, text);
}

/* ListObjects gives the prefix back as it was asked for, whatever the encoding, where XML can hold it:
 * clients do not decode it there, as they do in ListObjectsV2. */
static void put_prefix(const listing *l, sh_buf *out)
{
    bool plain = !l->v2;
    for (const char *c = l->prefix; plain && *c; c++)
        plain = (unsigned char)*c >= 0x20 || strchr("\t\n\r", *c);
    if (plain)
        sh_xml_put(out, "Prefix", l->prefix);
    else
        put_name(l, out, "Prefix", l->prefix);
}

void sh_s3_put_checksum_kind(sh_buf *out, const char *checksum)
{
    char name[32] = "";
    const char *equals = checksum ? strchr(checksum, '=') : NULL;
    if (!equals || (size_t)(equals - checksum) >= sizeof(name))
        return;
    for (const char *c = checksum; c < equals; c++)
        name[c - checksum] = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
    sh_xml_put(out, "ChecksumAlgorithm", name);
    sh_xml_put(out, "ChecksumType", strchr(equals, '-') ? "COMPOSITE" : "FULL_OBJECT");
}

static int on_entry(void *opaque, const sh_object *object, const char *common_prefix)
{
    listing *l = opaque;
    l->count++;
    if (common_prefix) {
        sh_xml_open(&l->prefixes, "CommonPrefixes");
        put_name(l, &l->prefixes, "Prefix", common_prefix);
        sh_xml_close(&l->prefixes, "CommonPrefixes");
        return l->prefixes.failed ? SH_E_MEMORY : 0;
    }
    sh_buf *out = &l->contents;
    sh_xml_open(out, "Contents");
    put_name(l, out, "Key", object->key);
    sh_s3_put_time(out, "LastModified", object->modified_ms);
    sh_s3_put_etag(out, object->etag);
    sh_s3_put_checksum_kind(out, object->checksum);
    sh_xml_put_int(out, "Size", object->size);
    if (l->owner)
        sh_s3_put_owner(out, l->s3, "Owner");
    sh_xml_put(out, "StorageClass", object->storage ? object->storage : "STANDARD");
    sh_xml_close(out, "Contents");
    return out->failed ? SH_E_MEMORY : 0;
}

static const char *param(const sh_s3 *s3, const char *name)
{
    const char *value = sh_http_param_get(s3->head, name);
    return value ? value : "";
}

/* ---- tokens ---- */

/* The CRC before the text tells what this server made from what a client made up. */
const char *sh_s3_token_read(sh_s3 *s3, const char *token)
{
    size_t length = strlen(token);
    unsigned char *bytes = sh_arena_alloc(s3->arena, length + 4);
    int decoded = bytes ? sh_base64_decode(token, length, bytes, length + 1) : -1;
    if (decoded < 5)
        return NULL;
    bytes[decoded] = '\0';
    uint32_t crc = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    const char *text = (const char *)bytes + 4;
    return crc == sh_crc(SH_DIGEST_CRC32C, 0, text, (size_t)decoded - 4) ? text : NULL;
}

void sh_s3_put_token(sh_s3 *s3, sh_buf *out, const char *name, const char *text)
{
    size_t length = strlen(text);
    unsigned char *bytes = sh_arena_alloc(s3->arena, length + 4);
    char *token = sh_arena_alloc(s3->arena, (length + 6) / 3 * 4 + 1);
    if (!bytes || !token) {
        out->failed = true;
        return;
    }
    uint64_t crc = sh_crc(SH_DIGEST_CRC32C, 0, text, length);
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(crc >> (24 - 8 * i));
    memcpy(bytes + 4, text, length);
    sh_base64(bytes, length + 4, token);
    sh_xml_put(out, name, token);
}

/* ---- the request ---- */

bool sh_s3_max_keys(sh_s3 *s3, int64_t *max)
{
    const char *text = param(s3, "max-keys");
    int64_t value;
    *max = PAGE;
    if (!*text)
        return true;
    if (!sh_parse_i64(text, strlen(text), INT32_MIN, INT32_MAX, &value)) {
        sh_s3_bad_argument(s3, "max-keys", text, "Provided max-keys not an integer or within integer range");
        return false;
    }
    if (value < 0) {
        sh_s3_bad_argument(s3, "maxKeys", text,
                           "Argument maxKeys must be an integer between 0 and 2147483647");
        return false;
    }
    *max = value < PAGE ? value : PAGE;
    return true;
}

static bool read_query(listing *l)
{
    sh_s3 *s3 = l->s3;
    const char *encoding = param(s3, "encoding-type");
    const char *type = param(s3, "list-type");
    l->v2 = strcmp(type, "2") == 0;
    l->url = strcmp(encoding, "url") == 0;
    l->prefix = param(s3, "prefix");
    l->delimiter = param(s3, "delimiter");
    l->marker = param(s3, "marker");
    l->after = l->v2 ? param(s3, "start-after") : l->marker;
    l->owner = !l->v2 || strcmp(param(s3, "fetch-owner"), "true") == 0;
    if (*encoding && !l->url) {
        sh_s3_bad_argument(s3, "encoding-type", encoding, "Invalid Encoding Method specified in Request");
        return false;
    }
    if (*type && !l->v2 && strcmp(type, "1") != 0) {
        sh_s3_bad_argument(s3, "list-type", type, "Invalid List Type specified in Request");
        return false;
    }
    l->token = l->v2 ? sh_http_param_get(s3->head, "continuation-token") : NULL;
    if (l->token && *l->token && !(l->after = sh_s3_token_read(s3, l->token))) {
        sh_s3_bad_argument(s3, "continuation-token", l->token,
                           "The continuation token provided is incorrect");
        return false;
    }
    return sh_s3_max_keys(s3, &l->max);
}

/* ---- the answer ---- */

static void put_next(listing *l, sh_buf *out, const char *next)
{
    if (next && l->v2)
        sh_s3_put_token(l->s3, out, "NextContinuationToken", next);
    else if (next && *l->delimiter)
        put_name(l, out, "NextMarker", next);
}

static void put_page(listing *l, sh_buf *out, const char *next)
{
    sh_s3_begin_xml(out, "ListBucketResult");
    sh_xml_put(out, "Name", l->s3->bucket);
    put_prefix(l, out);
    if (*l->delimiter)
        put_name(l, out, "Delimiter", l->delimiter);
    sh_xml_put_int(out, "MaxKeys", l->max);
    if (l->url)
        sh_xml_put(out, "EncodingType", "url");
    if (l->v2) {
        sh_xml_put_int(out, "KeyCount", l->count);
        if (l->token)
            sh_xml_put(out, "ContinuationToken", l->token);
        if (sh_http_param_has(l->s3->head, "start-after"))
            put_name(l, out, "StartAfter", param(l->s3, "start-after"));
    } else {
        put_name(l, out, "Marker", l->marker);
    }
    sh_xml_put(out, "IsTruncated", next ? "true" : "false");
    put_next(l, out, next);
    sh_buf_append(out, sh_buf_cstr(&l->contents), l->contents.length);
    sh_buf_append(out, sh_buf_cstr(&l->prefixes), l->prefixes.length);
    sh_xml_close(out, "ListBucketResult");
}

void sh_s3_list_v1(sh_s3 *s3)
{
    sh_buf out;
    sh_bucket bucket;
    sh_err err = {0};
    const char *next = NULL;
    listing l = {.s3 = s3};
    if (!sh_s3_need_bucket(s3, &bucket) || !read_query(&l))
        return;
    sh_buf_init(&l.contents, SH_S3_ANSWER_MAX);
    sh_buf_init(&l.prefixes, SH_S3_ANSWER_MAX);
    sh_list_query query = {s3->bucket, l.prefix, l.delimiter, l.after, (int)l.max};
    if (sh_objects_list(&s3->objects, &query, on_entry, &l, s3->arena, &next, &err) < 0) {
        sh_s3_fail_store(s3, &err);
    } else {
        put_page(&l, &out, next);
        sh_s3_answer_xml(s3, &out);
    }
    sh_buf_free(&l.contents);
    sh_buf_free(&l.prefixes);
}
