/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Multipart uploads: their beginning, their parts and their abort. What checksum the parts have is settled at
 * the beginning ("crc32 composite", "crc64nvme full"). An upload that settles none has a CRC64NVME of the
 * whole made by the server: its parts are kept with one that nobody is told of. */
#include "base/size.h"
#include "cloud/api/s3_part.h"
#include "cloud/http/digest.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- create ---- */

static bool is_sha(unsigned one)
{
    return one == SH_DIGEST_SHA1 || one == SH_DIGEST_SHA256;
}

/* "crc32 composite" from the request's fields, NULL for none. False after having answered. */
static bool asked_checksum(sh_s3 *s3, const char **out)
{
    static const char field[] = "x-amz-checksum-type";
    const char *type = sh_http_field_get(s3->head, field);
    unsigned one;
    *out = NULL;
    if (!sh_s3_asked_algorithm(s3, &one))
        return false;
    bool full = type ? strcasecmp(type, "FULL_OBJECT") == 0 : one == SH_DIGEST_CRC64NVME;
    if (type && !full && strcasecmp(type, "COMPOSITE") != 0)
        sh_s3_fail(s3, 400, "InvalidRequest", "Value for %s header is invalid.", field);
    else if (type && !one)
        sh_s3_fail(s3, 400, "InvalidRequest",
                   "The %s header can only be used with the x-amz-checksum-algorithm header.", field);
    else if (one && (full ? is_sha(one) : one == SH_DIGEST_CRC64NVME))
        sh_s3_fail(s3, 400, "InvalidRequest",
                   "The %s checksum type cannot be used with the %s checksum algorithm.",
                   full ? "FULL_OBJECT" : "COMPOSITE", sh_s3_digest_name(one));
    else if (!one)
        return true;
    else
        *out = sh_arena_printf(s3->arena, "%s %s", sh_s3_digest_name(one), full ? "full" : "composite");
    return *out != NULL;
}

static void answer_created(sh_s3 *s3, const sh_upload *upload, const char *id)
{
    sh_buf out;
    if (upload->checksum) {
        unsigned one = sh_s3_digest_of_checksum(upload->checksum);
        sh_http_add_field(s3->http, "x-amz-checksum-algorithm", sh_s3_digest_said(one));
        sh_http_add_field(s3->http, "x-amz-checksum-type",
                          sh_s3_upload_full(upload) ? "FULL_OBJECT" : "COMPOSITE");
    }
    sh_s3_encryption_field(s3, upload->headers);
    sh_s3_begin_xml(&out, "InitiateMultipartUploadResult");
    sh_xml_put(&out, "Bucket", s3->bucket);
    sh_xml_put(&out, "Key", s3->key);
    sh_xml_put(&out, "UploadId", id);
    sh_xml_close(&out, "InitiateMultipartUploadResult");
    sh_s3_answer_xml(s3, &out);
}

void sh_s3_create_upload(sh_s3 *s3)
{
    sh_bucket bucket;
    sh_err err = {0};
    char id[SH_UPLOAD_ID_MAX];
    sh_object_new draft = {0};
    sh_upload upload = {.bucket = s3->bucket, .key = s3->key};
    if (!sh_s3_need_bucket(s3, &bucket) || !sh_s3_meta_supported(s3) ||
        !asked_checksum(s3, &upload.checksum) || !sh_s3_draft(s3, &draft))
        return;
    upload.content_type = draft.content_type;
    upload.headers = draft.headers;
    upload.tags = draft.tags;
    upload.acl = draft.acl;
    upload.storage = draft.storage;
    if (sh_upload_create(&s3->objects, &upload, id, &err) < 0)
        sh_s3_fail_store(s3, &err);
    else
        answer_created(s3, &upload, id);
}

/* ---- parts ---- */

bool sh_s3_upload_full(const sh_upload *upload)
{
    return !upload->checksum || strstr(upload->checksum, " full");
}

void sh_s3_no_such_upload(sh_s3 *s3)
{
    sh_s3_about(s3, "UploadId", sh_http_param_get(s3->head, "uploadId"));
    sh_s3_fail(
        s3, 404, "NoSuchUpload",
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been "
        "aborted or completed.");
}

bool sh_s3_need_upload(sh_s3 *s3, sh_upload *upload)
{
    sh_bucket bucket;
    sh_err err = {0};
    if (!sh_s3_need_bucket(s3, &bucket))
        return false;
    int status = sh_upload_get(&s3->objects, s3->bucket, s3->key, sh_http_param_get(s3->head, "uploadId"),
                               s3->arena, upload, &err);
    if (status == SH_E_NOT_FOUND)
        sh_s3_no_such_upload(s3);
    else if (status < 0)
        sh_s3_fail_store(s3, &err);
    return status == 0;
}

bool sh_s3_need_part(sh_s3 *s3, int64_t *number, sh_upload *upload)
{
    return sh_s3_part_number(s3, number) && sh_s3_need_upload(s3, upload);
}

bool sh_s3_store_part(sh_s3 *s3, int64_t number, const sh_upload *upload)
{
    sh_err err = {0};
    sh_part part = {.number = number,
                    .etag = s3->receiver.etag,
                    .checksum = s3->receiver.checksum,
                    .size = s3->receiver.size};
    int status =
        sh_upload_put_part(&s3->objects, upload->id, &part, s3->receiver.path, s3->receiver.bytes, &err);
    if (status == SH_E_NOT_FOUND)
        sh_s3_no_such_upload(s3);
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
    if (!sh_s3_need_part(s3, &number, &upload) || !sh_s3_meta_supported(s3))
        return;
    sh_s3_checksum_rule rule = {.keep = SH_DIGEST_CRC64NVME};
    if (upload.checksum)
        rule = (sh_s3_checksum_rule){.keep = sh_s3_digest_of_checksum(upload.checksum),
                                     .only = true,
                                     .demanded = !sh_s3_upload_full(&upload)};
    sh_s3_receive_begin(s3, rule);
}

void sh_s3_upload_part(sh_s3 *s3)
{
    int64_t number;
    sh_upload upload;
    if (!sh_s3_receive_finish(s3) || !sh_s3_need_part(s3, &number, &upload) ||
        !sh_s3_store_part(s3, number, &upload))
        return;
    sh_s3_field_quoted(s3, "ETag", s3->receiver.etag);
    sh_s3_checksum_value(s3, upload.checksum ? s3->receiver.checksum : s3->receiver.brought);
    sh_s3_encryption_field(s3, upload.headers);
    sh_s3_answer_empty(s3, 200);
}

void sh_s3_abort_upload(sh_s3 *s3)
{
    sh_err err = {0};
    sh_upload upload;
    if (!sh_s3_need_upload(s3, &upload))
        return;
    int status = sh_upload_abort(&s3->objects, upload.id, &err);
    if (status == SH_E_NOT_FOUND)
        sh_s3_no_such_upload(s3);
    else if (status < 0)
        sh_s3_fail_store(s3, &err);
    else
        sh_s3_answer_empty(s3, 204);
}
