/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ListObjects and ListObjectsV2. A continuation token is the last line of the page before, in base64:
 * nothing is kept for it on the server. */
#include "cloud/api/s3.h"
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

static void put_name(const listing *l, sh_buf *out, const char *name, const char *text)
{
    const char *encoded = l->url ? sh_http_encode(l->s3->arena, text, strlen(text), true) : text;
    if (encoded)
        sh_xml_put(out, name, encoded);
    else
        out->failed = true;
}

static void put_checksum_kind(sh_buf *out, const char *checksum)
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
    put_checksum_kind(out, object->checksum);
    sh_xml_put_int(out, "Size", object->size);
    if (l->owner)
        sh_s3_put_owner(out, l->s3, "Owner");
    sh_xml_put(out, "StorageClass", "STANDARD");
    sh_xml_close(out, "Contents");
    return out->failed ? SH_E_MEMORY : 0;
}

static const char *param(const sh_s3 *s3, const char *name)
{
    const char *value = sh_http_param_get(s3->head, name);
    return value ? value : "";
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
    if ((*encoding && !l->url) || (*type && !l->v2)) {
        sh_s3_fail(s3, 400, "InvalidArgument", "Invalid %s specified in Request",
                   *type && !l->v2 ? "List Type" : "Encoding Method");
        return false;
    }
    if (!sh_s3_int_param(s3, "max-keys", 0, INT32_MAX, PAGE, &l->max))
        return false;
    if (l->max > PAGE)
        l->max = PAGE;
    l->token = l->v2 ? sh_http_param_get(s3->head, "continuation-token") : NULL;
    if (!l->token)
        return true;
    size_t length = strlen(l->token);
    char *after = sh_arena_alloc(s3->arena, length + 4);
    int decoded = after ? sh_base64_decode(l->token, length, (unsigned char *)after, length + 1) : -1;
    if (decoded < 0 || !*l->token) {
        sh_s3_fail(s3, 400, "InvalidArgument", "The continuation token provided is incorrect");
        return false;
    }
    after[decoded] = '\0';
    l->after = after;
    return true;
}

static void put_next(listing *l, sh_buf *out, const char *next)
{
    if (!next)
        return;
    if (!l->v2) {
        if (*l->delimiter)
            put_name(l, out, "NextMarker", next);
        return;
    }
    size_t length = strlen(next);
    char *token = sh_arena_alloc(l->s3->arena, (length + 2) / 3 * 4 + 1);
    if (!token) {
        out->failed = true;
        return;
    }
    sh_base64((const unsigned char *)next, length, token);
    sh_xml_put(out, "NextContinuationToken", token);
}

static void put_page(listing *l, sh_buf *out, const char *next)
{
    sh_s3_begin_xml(out, "ListBucketResult");
    sh_xml_put(out, "Name", l->s3->bucket);
    put_name(l, out, "Prefix", l->prefix);
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
