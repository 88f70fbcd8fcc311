/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CompleteMultipartUpload. The ETag of the whole is the MD5 of the parts' MD5s and their number; a checksum
 * is either the digest of the parts' digests ("composite") or, for CRCs, that of the whole, combined from the
 * parts'. */
#include "base/size.h"
#include "cloud/api/s3_checksum.h"
#include "cloud/api/s3_lifecycle.h"
#include "cloud/api/s3_part.h"
#include "cloud/http/digest.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define PART_MIN ((int64_t)5 << 20)

typedef struct completion {
    sh_s3 *s3;
    sh_upload upload;
    sh_part *have; /* all parts, by number */
    size_t have_count;
    sh_part *use; /* those the request names */
    size_t use_count;
    const char *etag;
    const char *checksum;
    const char *parts; /* as they are kept with the object */
    sh_object_if condition;
} completion;

/* The entity tag without quotes. */
static const char *bare_tag(sh_s3 *s3, const char *text)
{
    size_t length = strlen(text);
    if (length >= 2 && text[0] == '"' && text[length - 1] == '"')
        return sh_arena_strndup(s3->arena, text + 1, length - 2);
    return text;
}

static bool bad_part(sh_s3 *s3, int64_t number, const char *etag)
{
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)number);
    sh_s3_about(s3, "UploadId", sh_http_param_get(s3->head, "uploadId"));
    sh_s3_about(s3, "PartNumber", text);
    sh_s3_about(s3, "ETag", etag);
    sh_s3_fail(
        s3, 400, "InvalidPart",
        "One or more of the specified parts could not be found. The part may not have been uploaded, or the "
        "specified entity tag may not match the part's entity tag.");
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
            return bad_part(s3, part->number, etag);
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

static bool small_part(sh_s3 *s3, const sh_part *part)
{
    char number[24], size[24], minimum[24];
    snprintf(number, sizeof(number), "%lld", (long long)part->number);
    snprintf(size, sizeof(size), "%lld", (long long)part->size);
    snprintf(minimum, sizeof(minimum), "%lld", (long long)PART_MIN);
    sh_s3_about(s3, "ETag", part->etag);
    sh_s3_about(s3, "MinSizeAllowed", minimum);
    sh_s3_about(s3, "ProposedSize", size);
    sh_s3_about(s3, "PartNumber", number);
    sh_s3_fail(s3, 400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size");
    return false;
}

static bool names_checksum(const sh_xml *at)
{
    for (const sh_xml *child = at->child; child; child = child->next)
        if (strncmp(child->name, "Checksum", 8) == 0)
            return true;
    return false;
}

/* Parts of a composite checksum are named with theirs. */
static bool checksums_given(completion *c, const sh_xml *root)
{
    if (sh_s3_upload_full(&c->upload))
        return true;
    for (const sh_xml *at = sh_xml_child(root, "Part"); at; at = sh_xml_next(at, "Part"))
        if (!names_checksum(at)) {
            sh_s3_fail(c->s3, 400, "InvalidRequest",
                       "The upload was created using a %s checksum. The complete request must include the "
                       "checksum for each part. It was missing for part %s in the request.",
                       sh_s3_digest_name(sh_s3_digest_of_checksum(c->upload.checksum)),
                       sh_xml_text(at, "PartNumber"));
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
            return bad_part(c->s3, part->number, part->etag);
        *part = c->have[at];
        if (i + 1 < c->use_count && part->size < PART_MIN)
            return small_part(c->s3, part);
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

static unsigned whole_algorithm(const completion *c)
{
    return c->upload.checksum ? sh_s3_digest_of_checksum(c->upload.checksum) : SH_DIGEST_CRC64NVME;
}

/* "crc32=…" of the whole, or NULL when the parts do not have it. */
static const char *whole_checksum(completion *c)
{
    unsigned one = whole_algorithm(c);
    bool full = sh_s3_upload_full(&c->upload);
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

/* A checksum that the client gives for the whole (x-amz-checksum-crc32 on this request), and its type. */
static bool claimed_whole_good(completion *c)
{
    sh_s3 *s3 = c->s3;
    char name[64];
    unsigned one = whole_algorithm(c);
    bool full = sh_s3_upload_full(&c->upload);
    const char *type = sh_http_field_get(s3->head, "x-amz-checksum-type");
    const char *value = c->checksum ? strchr(c->checksum, '=') + 1 : "";
    unsigned claimed_one;
    if (type && c->upload.checksum && (strcasecmp(type, "FULL_OBJECT") == 0) != full) {
        sh_s3_fail(
            s3, 400, "InvalidRequest",
            "The upload was created using the %s checksum mode. The complete request must use the same "
            "checksum mode.",
            full ? "FULL_OBJECT" : "COMPOSITE");
        return false;
    }
    if (!sh_s3_claimed_whole(s3, &claimed_one))
        return false;
    if (!claimed_one)
        return true;
    if (claimed_one != one) {
        sh_s3_fail(s3, 400, "InvalidRequest",
                   "Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s",
                   sh_s3_digest_name(one), sh_s3_digest_name(claimed_one));
        return false;
    }
    snprintf(name, sizeof(name), "x-amz-checksum-%s", sh_s3_digest_name(one));
    const char *claimed = sh_http_field_get(s3->head, name);
    size_t length = strlen(claimed);
    if (strncmp(claimed, value, length) == 0 && (!value[length] || value[length] == '-'))
        return true;
    sh_s3_fail(s3, 400, "BadDigest", "The %s you specified did not match the calculated checksum.",
               sh_s3_digest_name(one));
    return false;
}

/* What the request says of the whole besides its parts. False after having answered. */
static bool conditions_good(completion *c)
{
    const char *size = sh_http_field_get(c->s3->head, "x-amz-mp-object-size");
    int64_t claimed, total = 0;
    for (size_t i = 0; i < c->use_count; i++)
        total += c->use[i].size;
    if (size && (!sh_parse_i64(size, strlen(size), 0, INT64_MAX, &claimed) || claimed != total)) {
        sh_s3_fail(c->s3, 400, "InvalidRequest",
                   "The provided 'x-amz-mp-object-size' header value %.32s does not match what was computed: "
                   "%lld",
                   size, (long long)total);
        return false;
    }
    return claimed_whole_good(c) && sh_s3_write_conditions(c->s3, &c->condition);
}

static void answer_completion(completion *c)
{
    sh_buf out;
    sh_s3 *s3 = c->s3;
    const char *key = sh_http_encode(s3->arena, s3->key, strlen(s3->key), true);
    char *location = sh_arena_printf(s3->arena, "%s/%s/%s", s3->cloud->endpoint ? s3->cloud->endpoint : "",
                                     s3->bucket, key ? key : "");
    sh_s3_encryption_field(s3, c->upload.headers);
    sh_s3_begin_xml(&out, "CompleteMultipartUploadResult");
    sh_xml_put(&out, "Location", location ? location : "");
    sh_xml_put(&out, "Bucket", s3->bucket);
    sh_xml_put(&out, "Key", s3->key);
    sh_s3_put_etag(&out, c->etag);
    sh_s3_put_checksum_typed(&out, c->checksum);
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

/* If it still is, what was not found is the object that If-Match speaks of. */
static bool upload_there(completion *c)
{
    sh_upload upload;
    return sh_upload_get(&c->s3->objects, c->s3->bucket, c->s3->key, c->upload.id, c->s3->arena, &upload,
                         NULL) == 0;
}

static void join_and_publish(completion *c)
{
    sh_s3 *s3 = c->s3;
    sh_err err = {0};
    sh_object_cause cause = sh_s3_cause(s3, "CompleteMultipartUpload");
    char version[SH_VERSION_ID] = "";
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
                              .tags = c->upload.tags,
                              .acl = c->upload.acl,
                              .storage = c->upload.storage,
                              .parts = c->parts,
                              .condition = c->condition,
                              .version_id = version};
        status = sh_upload_complete(&s3->objects, c->upload.id, &item, &cause, &err);
        if (status < 0)
            unlink(path);
    }
    if (status == SH_E_NOT_FOUND && completed_before(c)) { /* by the same request, sent twice */
        answer_completion(c);
    } else if (status == SH_E_NOT_FOUND && !upload_there(c)) {
        sh_s3_no_such_upload(s3);
    } else if (status < 0) {
        sh_s3_fail_write(s3, &c->condition, &err);
    } else {
        sh_cloud_wake(s3->cloud, SH_WAKE_NOTICES);
        int64_t size = 0;
        for (size_t i = 0; i < c->use_count; i++)
            size += c->use[i].size;
        sh_s3_wrote_version(s3, version);
        sh_s3_expiration_written(s3, size, c->upload.tags);
        answer_completion(c);
    }
}

/* Those of checksums that nobody was told of are kept without. */
static const char *parts_text(completion *c)
{
    sh_part *parts = c->use;
    for (size_t i = 0; !c->upload.checksum && i < c->use_count; i++)
        parts[i].checksum = NULL;
    const char *text = sh_s3_parts_text(c->s3, parts, c->use_count);
    if (!text)
        sh_s3_fail(c->s3, 500, "InternalError", "We encountered an internal error: no memory");
    return text;
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
        sh_s3_need_upload(s3, &c.upload);
    } else if (status < 0 || !c.etag) {
        sh_s3_fail_store(s3, &err);
    } else if (checksums_given(&c, root) && match_parts(&c, root)) {
        c.checksum = whole_checksum(&c);
        c.parts = parts_text(&c);
        if (c.parts && conditions_good(&c))
            join_and_publish(&c);
    }
}
