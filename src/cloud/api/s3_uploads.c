/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ListParts and ListMultipartUploads. The latter is in order of the keys and, for one key, of the uploads'
 * beginning, which is the order of their ids. */
#include "cloud/api/s3.h"

#include <stdio.h>
#include <string.h>

enum { LISTED_MAX = 1000 };

static void put_upload_checksum(sh_buf *out, const sh_upload *upload)
{
    if (!upload->checksum)
        return;
    sh_xml_put(out, "ChecksumAlgorithm", sh_s3_digest_said(sh_s3_digest_of_checksum(upload->checksum)));
    sh_xml_put(out, "ChecksumType", sh_s3_upload_full(upload) ? "FULL_OBJECT" : "COMPOSITE");
}

void sh_s3_list_parts(sh_s3 *s3)
{
    sh_buf out;
    sh_err err = {0};
    sh_upload upload;
    sh_part *parts;
    size_t count;
    int64_t max, after;
    if (!sh_s3_int_param(s3, "max-parts", 0, INT32_MAX, 1000, &max) ||
        !sh_s3_int_param(s3, "part-number-marker", 0, INT32_MAX, 0, &after) ||
        !sh_s3_need_upload(s3, &upload))
        return;
    max = max > 1000 ? 1000 : max;
    if (sh_upload_parts(&s3->objects, upload.id, after, max + 1, s3->arena, &parts, &count, &err) < 0) {
        sh_s3_fail_store(s3, &err);
        return;
    }
    bool more = count > (size_t)max;
    count = more ? (size_t)max : count;
    sh_s3_begin_xml(&out, "ListPartsResult");
    sh_xml_put(&out, "Bucket", s3->bucket);
    sh_xml_put(&out, "Key", s3->key);
    sh_xml_put(&out, "UploadId", upload.id);
    sh_s3_put_owner(&out, s3, "Initiator");
    sh_s3_put_owner(&out, s3, "Owner");
    sh_xml_put(&out, "StorageClass", upload.storage ? upload.storage : "STANDARD");
    put_upload_checksum(&out, &upload);
    sh_xml_put_int(&out, "PartNumberMarker", after);
    if (more) /* AWS has it on the last page, too, and paginators that go by it alone never end */
        sh_xml_put_int(&out, "NextPartNumberMarker", count > 0 ? parts[count - 1].number : after);
    sh_xml_put_int(&out, "MaxParts", max);
    sh_xml_put(&out, "IsTruncated", more ? "true" : "false");
    for (size_t i = 0; i < count; i++) {
        sh_xml_open(&out, "Part");
        sh_xml_put_int(&out, "PartNumber", parts[i].number);
        sh_s3_put_time(&out, "LastModified", parts[i].modified_ms);
        sh_s3_put_etag(&out, parts[i].etag);
        sh_xml_put_int(&out, "Size", parts[i].size);
        sh_s3_put_checksum(&out, upload.checksum ? parts[i].checksum : NULL);
        sh_xml_close(&out, "Part");
    }
    sh_xml_close(&out, "ListPartsResult");
    sh_s3_answer_xml(s3, &out);
}

static const char *name_of(const sh_s3 *s3, bool url, const char *text)
{
    const char *encoded = url ? sh_http_encode(s3->arena, text, strlen(text), true) : text;
    return encoded ? encoded : "";
}

static const char *param(const sh_s3 *s3, const char *name)
{
    const char *value = sh_http_param_get(s3->head, name);
    return value ? value : "";
}

typedef struct listing {
    sh_s3 *s3;
    const char *prefix, *delimiter;
    const char *after_key, *after_id; /* what has been listed */
    bool url;                         /* encoding-type=url */
    size_t left;
    bool more;
    sh_buf uploads;
    sh_buf prefixes;
} listing;

static void put_upload(listing *l, const sh_upload *upload)
{
    sh_buf *out = &l->uploads;
    sh_xml_open(out, "Upload");
    sh_xml_put(out, "Key", name_of(l->s3, l->url, upload->key));
    sh_xml_put(out, "UploadId", upload->id);
    sh_s3_put_owner(out, l->s3, "Initiator");
    sh_s3_put_owner(out, l->s3, "Owner");
    sh_xml_put(out, "StorageClass", upload->storage ? upload->storage : "STANDARD");
    sh_s3_put_time(out, "Initiated", upload->created_ms);
    put_upload_checksum(out, upload);
    sh_xml_close(out, "Upload");
}

/* The common prefix that stands for a key, or NULL. */
static const char *rolled(const listing *l, const char *key)
{
    size_t prefix = strlen(l->prefix);
    const char *end = *l->delimiter ? strstr(key + prefix, l->delimiter) : NULL;
    return end ? sh_arena_strndup(l->s3->arena, key, (size_t)(end - key) + strlen(l->delimiter)) : NULL;
}

/* Lists an upload or what stands for it. False: there was no more room. */
static bool list_one(listing *l, const sh_upload *upload)
{
    const char *common = rolled(l, upload->key);
    if (common && strcmp(common, l->after_key) == 0)
        return true; /* the page before ended with it, or it is that of the upload before */
    if (l->left == 0) {
        l->more = true;
        return false;
    }
    l->left--;
    l->after_key = common ? common : upload->key;
    l->after_id = common ? "" : upload->id;
    if (common) {
        sh_xml_open(&l->prefixes, "CommonPrefixes");
        sh_xml_put(&l->prefixes, "Prefix", name_of(l->s3, l->url, common));
        sh_xml_close(&l->prefixes, "CommonPrefixes");
    } else {
        put_upload(l, upload);
    }
    return true;
}

/* Whether `key` is a common prefix: then nothing that begins with it is looked at again. */
static bool ends_rolled(const listing *l, const char *key)
{
    size_t length = strlen(key), tail = strlen(l->delimiter);
    return tail && length > strlen(l->prefix) && length >= tail &&
           strcmp(key + length - tail, l->delimiter) == 0 && strncmp(key, l->prefix, strlen(l->prefix)) == 0;
}

static int list_all(listing *l, sh_err *err)
{
    for (;;) {
        sh_upload *uploads;
        size_t count;
        const char *key = l->after_key, *id = l->after_id;
        if (ends_rolled(l, key)) {
            key = sh_arena_printf(l->s3->arena, "%s\xff", key);
            id = "";
        } else if (*key && !*id) {
            id = "\xff"; /* behind all uploads of that key */
        }
        if (!key)
            return sh_fail(err, SH_E_MEMORY, "no memory for a list of uploads");
        int status = sh_uploads_list(&l->s3->objects, l->s3->bucket, l->prefix, key, id, LISTED_MAX,
                                     l->s3->arena, &uploads, &count, err);
        for (size_t i = 0; status == 0 && i < count; i++)
            if (!list_one(l, &uploads[i]))
                return 0;
        if (status < 0 || count < LISTED_MAX)
            return status;
    }
}

static void answer_uploads(listing *l, const char *key_marker, const char *id_marker, int64_t max)
{
    sh_buf out;
    sh_s3 *s3 = l->s3;
    sh_s3_begin_xml(&out, "ListMultipartUploadsResult");
    sh_xml_put(&out, "Bucket", s3->bucket);
    sh_xml_put(&out, "KeyMarker", name_of(s3, l->url, key_marker));
    sh_xml_put(&out, "UploadIdMarker", id_marker);
    if (l->more) {
        sh_xml_put(&out, "NextKeyMarker", name_of(s3, l->url, l->after_key));
        sh_xml_put(&out, "NextUploadIdMarker", l->after_id);
    }
    sh_xml_put(&out, "Prefix", name_of(s3, l->url, l->prefix));
    if (*l->delimiter)
        sh_xml_put(&out, "Delimiter", name_of(s3, l->url, l->delimiter));
    if (l->url)
        sh_xml_put(&out, "EncodingType", "url");
    sh_xml_put_int(&out, "MaxUploads", max);
    sh_xml_put(&out, "IsTruncated", l->more ? "true" : "false");
    sh_buf_append(&out, sh_buf_cstr(&l->uploads), l->uploads.length);
    sh_buf_append(&out, sh_buf_cstr(&l->prefixes), l->prefixes.length);
    sh_xml_close(&out, "ListMultipartUploadsResult");
    out.failed = out.failed || l->uploads.failed || l->prefixes.failed;
    sh_s3_answer_xml(s3, &out);
}

void sh_s3_list_uploads(sh_s3 *s3)
{
    sh_err err = {0};
    sh_bucket bucket;
    int64_t max;
    const char *encoding = param(s3, "encoding-type");
    const char *key_marker = param(s3, "key-marker");
    const char *id_marker = *key_marker ? param(s3, "upload-id-marker") : ""; /* alone it means nothing */
    listing l = {.s3 = s3,
                 .prefix = param(s3, "prefix"),
                 .delimiter = param(s3, "delimiter"),
                 .after_key = key_marker,
                 .after_id = id_marker,
                 .url = strcmp(encoding, "url") == 0};
    if (*encoding && !l.url) {
        sh_s3_fail_argument(s3, "encoding-type", encoding, "Invalid Encoding Method specified in Request");
        return;
    }
    if (!sh_s3_need_bucket(s3, &bucket) ||
        !sh_s3_int_param(s3, "max-uploads", 0, INT32_MAX, LISTED_MAX, &max))
        return;
    max = max > LISTED_MAX ? LISTED_MAX : max;
    l.left = (size_t)max;
    sh_buf_init(&l.uploads, SH_S3_ANSWER_MAX);
    sh_buf_init(&l.prefixes, SH_S3_ANSWER_MAX);
    if (list_all(&l, &err) < 0)
        sh_s3_fail_store(s3, &err);
    else
        answer_uploads(&l, key_marker, id_marker, max);
    sh_buf_free(&l.uploads);
    sh_buf_free(&l.prefixes);
}
