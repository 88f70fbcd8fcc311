/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Multipart uploads. The ETag of the whole is the MD5 of the parts' MD5s and their number; a checksum is
 * either the digest of the parts' digests ("composite") or, for CRCs, that of the whole, combined from the
 * parts'. */
#include "base/size.h"
#include "cloud/api/s3.h"
#include "cloud/http/digest.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define PART_MIN ((int64_t)5 << 20)

static unsigned algorithm_of(sh_s3 *s3, const sh_upload *upload)
{
    if (!upload->checksum)
        return 0;
    char *name = sh_arena_strndup(s3->arena, upload->checksum, strcspn(upload->checksum, " "));
    return name ? sh_s3_digest_of(name) : 0;
}

/* ---- create ---- */

/* "crc32 composite" from the request's fields, NULL for none. False after having answered. */
static bool asked_checksum(sh_s3 *s3, const char **out)
{
    const char *name = sh_http_field_get(s3->head, "x-amz-checksum-algorithm");
    const char *type = sh_http_field_get(s3->head, "x-amz-checksum-type");
    unsigned one = name ? sh_s3_digest_of(name) : 0;
    bool sha = one == SH_DIGEST_SHA1 || one == SH_DIGEST_SHA256;
    *out = NULL;
    if (!name && !type)
        return true;
    bool full = type ? strcasecmp(type, "FULL_OBJECT") == 0 : one == SH_DIGEST_CRC64NVME;
    if (!one || (type && !full && strcasecmp(type, "COMPOSITE") != 0) || (full && sha) ||
        (!full && one == SH_DIGEST_CRC64NVME)) {
        sh_s3_fail(s3, 400, "InvalidRequest",
                   "The checksum algorithm and type of the upload do not go together");
        return false;
    }
    *out = sh_arena_printf(s3->arena, "%s %s", sh_s3_digest_name(one), full ? "full" : "composite");
    return *out != NULL;
}

void sh_s3_create_upload(sh_s3 *s3)
{
    sh_buf out;
    sh_bucket bucket;
    sh_err err = {0};
    char id[SH_UPLOAD_ID_MAX];
    sh_upload upload = {.bucket = s3->bucket, .key = s3->key};
    if (!sh_s3_need_bucket(s3, &bucket) || !sh_s3_meta_supported(s3) || !asked_checksum(s3, &upload.checksum))
        return;
    upload.content_type = sh_http_field_get(s3->head, "content-type");
    upload.headers = sh_s3_meta_json(s3);
    if (!upload.headers)
        return;
    if (sh_upload_create(&s3->objects, &upload, id, &err) < 0) {
        sh_s3_fail_store(s3, &err);
        return;
    }
    if (upload.checksum) {
        const char *name = sh_http_field_get(s3->head, "x-amz-checksum-algorithm");
        sh_http_add_field(s3->http, "x-amz-checksum-algorithm", name);
        sh_http_add_field(s3->http, "x-amz-checksum-type",
                          strstr(upload.checksum, " full") ? "FULL_OBJECT" : "COMPOSITE");
    }
    sh_s3_begin_xml(&out, "InitiateMultipartUploadResult");
    sh_xml_put(&out, "Bucket", s3->bucket);
    sh_xml_put(&out, "Key", s3->key);
    sh_xml_put(&out, "UploadId", id);
    sh_xml_close(&out, "InitiateMultipartUploadResult");
    sh_s3_answer_xml(s3, &out);
}

/* ---- parts ---- */

static void no_such_upload(sh_s3 *s3)
{
    sh_s3_fail(
        s3, 404, "NoSuchUpload",
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been "
        "aborted or completed.");
}

/* False after having answered. */
static bool need_upload(sh_s3 *s3, sh_upload *upload)
{
    sh_bucket bucket;
    sh_err err = {0};
    if (!sh_s3_need_bucket(s3, &bucket))
        return false;
    int status = sh_upload_get(&s3->objects, s3->bucket, s3->key, sh_http_param_get(s3->head, "uploadId"),
                               s3->arena, upload, &err);
    if (status == SH_E_NOT_FOUND)
        no_such_upload(s3);
    else if (status < 0)
        sh_s3_fail_store(s3, &err);
    return status == 0;
}

bool sh_s3_need_part(sh_s3 *s3, int64_t *number, sh_upload *upload)
{
    const char *text = sh_http_param_get(s3->head, "partNumber");
    if (!text || !sh_parse_i64(text, strlen(text), 1, SH_PARTS_MAX, number)) {
        sh_s3_fail(s3, 400, "InvalidArgument", "Part number must be an integer between 1 and %d, inclusive",
                   SH_PARTS_MAX);
        return false;
    }
    return need_upload(s3, upload);
}

bool sh_s3_store_part(sh_s3 *s3, int64_t number, const sh_upload *upload)
{
    sh_err err = {0};
    sh_part part = {.number = number,
                    .etag = s3->receiver.etag,
                    .checksum = s3->receiver.checksum,
                    .size = s3->receiver.size};
    int status = sh_upload_put_part(&s3->objects, upload->id, &part, s3->receiver.path, &err);
    if (status == SH_E_NOT_FOUND)
        no_such_upload(s3);
    else if (status < 0)
        sh_s3_fail_store(s3, &err);
    else
        s3->receiver.path = NULL;
    return status == 0;
}

void sh_s3_upload_part_begin(sh_s3 *s3)
{
    int64_t number;
    sh_upload upload;
    if (sh_s3_need_part(s3, &number, &upload))
        sh_s3_receive_begin(s3, algorithm_of(s3, &upload));
}

void sh_s3_upload_part(sh_s3 *s3)
{
    int64_t number;
    sh_upload upload;
    if (!sh_s3_receive_finish(s3) || !sh_s3_need_part(s3, &number, &upload) ||
        !sh_s3_store_part(s3, number, &upload))
        return;
    sh_s3_field_quoted(s3, "ETag", s3->receiver.etag);
    sh_s3_checksum_field(s3, s3->receiver.checksum);
    sh_s3_answer_empty(s3, 200);
}

/* ---- complete ---- */

typedef struct completion {
    sh_s3 *s3;
    sh_upload upload;
    sh_part *have; /* all parts, by number */
    size_t have_count;
    sh_part *use; /* those the request names */
    size_t use_count;
    const char *etag;
    const char *checksum;
} completion;

/* The entity tag without quotes. */
static const char *bare_tag(sh_s3 *s3, const char *text)
{
    size_t length = strlen(text);
    if (length >= 2 && text[0] == '"' && text[length - 1] == '"')
        return sh_arena_strndup(s3->arena, text + 1, length - 2);
    return text;
}

static bool bad_part(sh_s3 *s3, int64_t number)
{
    sh_s3_fail(
        s3, 400, "InvalidPart",
        "One or more of the specified parts could not be found. The part may not have been uploaded, or the "
        "specified entity tag may not match the part's entity tag: part %lld",
        (long long)number);
    return false;
}

/* Numbers and tags of the document into c->use. */
static bool read_parts(completion *c, const sh_xml *root)
{
    sh_s3 *s3 = c->s3;
    c->use = sh_arena_alloc(s3->arena, SH_PARTS_MAX * sizeof(*c->use));
    for (const sh_xml *at = sh_xml_child(root, "Part"); at && c->use; at = sh_xml_next(at, "Part")) {
        const char *number = sh_xml_text(at, "PartNumber");
        const char *etag = sh_xml_text(at, "ETag");
        sh_part *part = &c->use[c->use_count];
        if (c->use_count == SH_PARTS_MAX || !number || !etag ||
            !sh_parse_i64(number, strlen(number), 1, SH_PARTS_MAX, &part->number)) {
            sh_s3_fail(s3, 400, "MalformedXML", "Each <Part> needs a <PartNumber> from 1 to %d and an <ETag>",
                       SH_PARTS_MAX);
            return false;
        }
        if (c->use_count > 0 && part->number <= part[-1].number) {
            sh_s3_fail(
                s3, 400, "InvalidPartOrder",
                "The list of parts was not in ascending order. The parts list must be specified in order by "
                "part number.");
            return false;
        }
        part->etag = bare_tag(s3, etag);
        if (!part->etag || strlen(part->etag) != 32)
            return bad_part(s3, part->number);
        c->use_count++;
    }
    if (c->use_count == 0)
        sh_s3_fail(s3, 400, "MalformedXML", "The document names no <Part>");
    return c->use_count > 0;
}

/* A checksum named in the document for a part must be that of the part. */
static bool part_checksum_good(const sh_xml *at, const sh_part *part)
{
    const char *equals = part->checksum ? strchr(part->checksum, '=') : NULL;
    for (const sh_xml *child = at->child; child; child = child->next) {
        if (strncmp(child->name, "Checksum", 8) != 0)
            continue;
        if (!equals || strncasecmp(child->name + 8, part->checksum, (size_t)(equals - part->checksum)) != 0 ||
            strcmp(child->text, equals + 1) != 0)
            return false;
    }
    return true;
}

/* Fills c->use from c->have. */
static bool match_parts(completion *c, const sh_xml *root)
{
    size_t at = 0;
    const sh_xml *node = sh_xml_child(root, "Part");
    for (size_t i = 0; i < c->use_count; i++, node = sh_xml_next(node, "Part")) {
        sh_part *part = &c->use[i];
        while (at < c->have_count && c->have[at].number < part->number)
            at++;
        if (at == c->have_count || c->have[at].number != part->number ||
            strcmp(c->have[at].etag, part->etag) != 0 || !part_checksum_good(node, &c->have[at]))
            return bad_part(c->s3, part->number);
        *part = c->have[at];
        if (i + 1 < c->use_count && part->size < PART_MIN) {
            sh_s3_fail(
                c->s3, 400, "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size: part %lld has %lld bytes, "
                "5 MiB are needed",
                (long long)part->number, (long long)part->size);
            return false;
        }
    }
    return true;
}

static int hex_value(char c)
{
    return c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

static const char *whole_etag(completion *c)
{
    unsigned char md5[SH_DIGEST_BYTES];
    char hex[33];
    unsigned char *all = sh_arena_alloc(c->s3->arena, c->use_count * 16);
    if (!all)
        return NULL;
    for (size_t i = 0; i < c->use_count; i++)
        for (int j = 0; j < 16; j++)
            all[i * 16 + (size_t)j] =
                (unsigned char)(hex_value(c->use[i].etag[2 * j]) * 16 + hex_value(c->use[i].etag[2 * j + 1]));
    if (sh_digest_once(SH_DIGEST_MD5, all, c->use_count * 16, md5) != 16)
        return NULL;
    sh_hex(md5, 16, hex);
    return sh_arena_printf(c->s3->arena, "%s-%zu", hex, c->use_count);
}

/* "crc32=…" of the whole, or NULL when the parts do not have it. */
static const char *whole_checksum(completion *c)
{
    unsigned one = algorithm_of(c->s3, &c->upload);
    bool full = c->upload.checksum && strstr(c->upload.checksum, " full");
    unsigned char *all = one ? sh_arena_alloc(c->s3->arena, c->use_count * SH_DIGEST_BYTES) : NULL;
    unsigned char hash[SH_DIGEST_BYTES];
    size_t used = 0, length = 0;
    uint64_t crc = 0;
    char text[64];
    for (size_t i = 0; all && i < c->use_count; i++) {
        const char *value = c->use[i].checksum ? strchr(c->use[i].checksum, '=') : NULL;
        int got = value ? sh_base64_decode(value + 1, strlen(value + 1), all + used, SH_DIGEST_BYTES) : -1;
        if (got <= 0)
            return NULL;
        uint64_t part = 0;
        for (int j = 0; j < got && j < 8; j++)
            part = part << 8 | all[used + (size_t)j];
        crc = i == 0 ? part : sh_crc_combine(one, crc, part, (uint64_t)c->use[i].size);
        used += (size_t)got;
        length = (size_t)got;
    }
    if (!all)
        return NULL;
    if (full) {
        for (size_t j = 0; j < length; j++)
            hash[j] = (unsigned char)(crc >> (8 * (length - 1 - j)));
        sh_base64(hash, length, text);
        return sh_arena_printf(c->s3->arena, "%s=%s", sh_s3_digest_name(one), text);
    }
    length = sh_digest_once(one, all, used, hash);
    sh_base64(hash, length, text);
    return sh_arena_printf(c->s3->arena, "%s=%s-%zu", sh_s3_digest_name(one), text, c->use_count);
}

/* A checksum that the client gives for the whole (x-amz-checksum-crc32 on this request). */
static bool claimed_whole_good(completion *c)
{
    char name[64];
    const char *equals = c->checksum ? strchr(c->checksum, '=') : NULL;
    if (!equals)
        return true;
    snprintf(name, sizeof(name), "x-amz-checksum-%.*s", (int)(equals - c->checksum), c->checksum);
    const char *claimed = sh_http_field_get(c->s3->head, name);
    size_t length = claimed ? strlen(claimed) : 0;
    if (!claimed ||
        (strncmp(claimed, equals + 1, length) == 0 && (!equals[1 + length] || equals[1 + length] == '-')))
        return true;
    sh_s3_fail(c->s3, 400, "BadDigest", "The %.*s you specified did not match the calculated checksum.",
               (int)(equals - c->checksum), c->checksum);
    return false;
}

/* What the request says of the whole besides its parts. False after having answered. */
static bool conditions_good(completion *c)
{
    const char *none = sh_http_field_get(c->s3->head, "if-none-match");
    const char *size = sh_http_field_get(c->s3->head, "x-amz-mp-object-size");
    int64_t claimed, total = 0;
    for (size_t i = 0; i < c->use_count; i++)
        total += c->use[i].size;
    if (sh_http_field_get(c->s3->head, "if-match") || (none && strcmp(none, "*") != 0)) {
        sh_s3_fail(
            c->s3, 501, "NotImplemented",
            "A header you provided implies functionality that is not implemented: If-Match, or If-None-Match "
            "other than *");
        return false;
    }
    if (size && (!sh_parse_i64(size, strlen(size), 0, INT64_MAX, &claimed) || claimed != total)) {
        sh_s3_fail(c->s3, 400, "InvalidRequest",
                   "The provided 'x-amz-mp-object-size' header does not match what was computed: %lld bytes",
                   (long long)total);
        return false;
    }
    return claimed_whole_good(c);
}

static void answer_completion(completion *c)
{
    sh_buf out;
    sh_s3 *s3 = c->s3;
    const char *key = sh_http_encode(s3->arena, s3->key, strlen(s3->key), true);
    char *location = sh_arena_printf(s3->arena, "%s/%s/%s", s3->cloud->endpoint ? s3->cloud->endpoint : "",
                                     s3->bucket, key ? key : "");
    sh_s3_begin_xml(&out, "CompleteMultipartUploadResult");
    sh_xml_put(&out, "Location", location ? location : "");
    sh_xml_put(&out, "Bucket", s3->bucket);
    sh_xml_put(&out, "Key", s3->key);
    sh_s3_put_etag(&out, c->etag);
    sh_s3_put_checksum(&out, c->checksum);
    if (c->checksum)
        sh_xml_put(&out, "ChecksumType", strchr(c->checksum, '-') ? "COMPOSITE" : "FULL_OBJECT");
    sh_xml_close(&out, "CompleteMultipartUploadResult");
    sh_s3_answer_xml(s3, &out);
}

/* The upload is gone: if the object is exactly what this request would make, an answer was lost and the
 * client repeats itself. */
static bool completed_before(completion *c)
{
    sh_object object;
    if (sh_object_get(&c->s3->objects, c->s3->bucket, c->s3->key, c->s3->arena, &object, NULL) < 0 ||
        strcmp(object.etag, c->etag) != 0)
        return false;
    c->checksum = object.checksum;
    return true;
}

static void join_and_publish(completion *c)
{
    sh_s3 *s3 = c->s3;
    sh_err err = {0};
    sh_object_cause cause = sh_s3_cause(s3, "CompleteMultipartUpload");
    char *path = sh_arena_alloc(s3->arena, SH_STAGE_PATH);
    int status = path ? sh_upload_join(&s3->objects, c->use, c->use_count, path, &err)
                      : sh_fail(&err, SH_E_MEMORY, "no memory");
    if (status == 0) {
        sh_object_new item = {.bucket = s3->bucket,
                              .key = s3->key,
                              .path = path,
                              .content_type = c->upload.content_type,
                              .headers = c->upload.headers,
                              .checksum = c->checksum,
                              .etag = c->etag,
                              .condition = {.absent = sh_http_field_get(s3->head, "if-none-match") != NULL}};
        status = sh_upload_complete(&s3->objects, c->upload.id, &item, &cause, &err);
        if (status < 0)
            unlink(path);
    }
    if (status == SH_E_NOT_FOUND && completed_before(c)) { /* by the same request, sent twice */
        answer_completion(c);
    } else if (status == SH_E_NOT_FOUND) {
        no_such_upload(s3);
    } else if (status == SH_E_CONFLICT) {
        sh_s3_fail(s3, 412, "PreconditionFailed",
                   "At least one of the pre-conditions you specified did not hold: If-None-Match");
    } else if (status < 0) {
        sh_s3_fail_store(s3, &err);
    } else {
        sh_cloud_wake(s3->cloud, SH_WAKE_EVENTS);
        answer_completion(c);
    }
}

void sh_s3_complete_upload(sh_s3 *s3)
{
    sh_err err = {0};
    completion c = {.s3 = s3};
    const sh_xml *root = sh_s3_need_xml(s3, "CompleteMultipartUpload");
    const char *id = sh_http_param_get(s3->head, "uploadId");
    if (!root || !read_parts(&c, root))
        return;
    c.etag = whole_etag(&c);
    int status = sh_upload_get(&s3->objects, s3->bucket, s3->key, id, s3->arena, &c.upload, &err);
    if (status == 0)
        status = sh_upload_parts(&s3->objects, id, 0, SH_PARTS_MAX, s3->arena, &c.have, &c.have_count, &err);
    if (status == SH_E_NOT_FOUND && c.etag && completed_before(&c)) {
        answer_completion(&c);
    } else if (status == SH_E_NOT_FOUND) {
        need_upload(s3, &c.upload);
    } else if (status < 0 || !c.etag) {
        sh_s3_fail_store(s3, &err);
    } else if (match_parts(&c, root)) {
        c.checksum = whole_checksum(&c);
        if (conditions_good(&c))
            join_and_publish(&c);
    }
}

void sh_s3_abort_upload(sh_s3 *s3)
{
    sh_err err = {0};
    sh_upload upload;
    if (!need_upload(s3, &upload))
        return;
    int status = sh_upload_abort(&s3->objects, upload.id, &err);
    if (status == SH_E_NOT_FOUND)
        no_such_upload(s3);
    else if (status < 0)
        sh_s3_fail_store(s3, &err);
    else
        sh_s3_answer_empty(s3, 204);
}

/* ---- lists ---- */

static void put_upload_checksum(sh_buf *out, const sh_upload *upload)
{
    char name[32];
    if (!upload->checksum)
        return;
    size_t length = strcspn(upload->checksum, " ");
    if (length >= sizeof(name))
        return;
    for (size_t i = 0; i < length; i++)
        name[i] = (char)toupper((unsigned char)upload->checksum[i]);
    name[length] = '\0';
    sh_xml_put(out, "ChecksumAlgorithm", name);
    sh_xml_put(out, "ChecksumType", strstr(upload->checksum, " full") ? "FULL_OBJECT" : "COMPOSITE");
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
        !sh_s3_int_param(s3, "part-number-marker", 0, INT32_MAX, 0, &after) || !need_upload(s3, &upload))
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
    sh_xml_put(&out, "StorageClass", "STANDARD");
    put_upload_checksum(&out, &upload);
    sh_xml_put_int(&out, "PartNumberMarker", after);
    if (count > 0)
        sh_xml_put_int(&out, "NextPartNumberMarker", parts[count - 1].number);
    sh_xml_put_int(&out, "MaxParts", max);
    sh_xml_put(&out, "IsTruncated", more ? "true" : "false");
    for (size_t i = 0; i < count; i++) {
        sh_xml_open(&out, "Part");
        sh_xml_put_int(&out, "PartNumber", parts[i].number);
        sh_s3_put_time(&out, "LastModified", parts[i].modified_ms);
        sh_s3_put_etag(&out, parts[i].etag);
        sh_xml_put_int(&out, "Size", parts[i].size);
        sh_s3_put_checksum(&out, parts[i].checksum);
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

static void put_uploads(sh_s3 *s3, sh_buf *out, const sh_upload *uploads, size_t count, bool url)
{
    for (size_t i = 0; i < count; i++) {
        sh_xml_open(out, "Upload");
        sh_xml_put(out, "Key", name_of(s3, url, uploads[i].key));
        sh_xml_put(out, "UploadId", uploads[i].id);
        sh_s3_put_owner(out, s3, "Initiator");
        sh_s3_put_owner(out, s3, "Owner");
        sh_xml_put(out, "StorageClass", "STANDARD");
        sh_s3_put_time(out, "Initiated", uploads[i].created_ms);
        put_upload_checksum(out, &uploads[i]);
        sh_xml_close(out, "Upload");
    }
}

void sh_s3_list_uploads(sh_s3 *s3)
{
    sh_buf out;
    sh_err err = {0};
    sh_bucket bucket;
    sh_upload *uploads;
    size_t count;
    int64_t max;
    bool url = strcmp(param(s3, "encoding-type"), "url") == 0;
    const char *after_key = param(s3, "key-marker"), *after_id = param(s3, "upload-id-marker");
    if (*param(s3, "delimiter")) {
        sh_s3_fail(s3, 501, "NotImplemented", "ListMultipartUploads with a delimiter is not implemented");
        return;
    }
    if (!sh_s3_need_bucket(s3, &bucket) || !sh_s3_int_param(s3, "max-uploads", 0, INT32_MAX, 1000, &max))
        return;
    max = max > 1000 ? 1000 : max;
    /* Without an id, the marker stands behind all uploads of its key. */
    if (sh_uploads_list(&s3->objects, s3->bucket, param(s3, "prefix"), after_key,
                        *after_key && !*after_id ? "\xff" : after_id, max + 1, s3->arena, &uploads, &count,
                        &err) < 0) {
        sh_s3_fail_store(s3, &err);
        return;
    }
    bool more = count > (size_t)max;
    count = more ? (size_t)max : count;
    sh_s3_begin_xml(&out, "ListMultipartUploadsResult");
    sh_xml_put(&out, "Bucket", s3->bucket);
    sh_xml_put(&out, "KeyMarker", name_of(s3, url, after_key));
    sh_xml_put(&out, "UploadIdMarker", after_id);
    if (more && count > 0) {
        sh_xml_put(&out, "NextKeyMarker", name_of(s3, url, uploads[count - 1].key));
        sh_xml_put(&out, "NextUploadIdMarker", uploads[count - 1].id);
    }
    sh_xml_put(&out, "Prefix", name_of(s3, url, param(s3, "prefix")));
    if (url)
        sh_xml_put(&out, "EncodingType", "url");
    sh_xml_put_int(&out, "MaxUploads", max);
    sh_xml_put(&out, "IsTruncated", more ? "true" : "false");
    put_uploads(s3, &out, uploads, count, url);
    sh_xml_close(&out, "ListMultipartUploadsResult");
    sh_s3_answer_xml(s3, &out);
}
