/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CopyObject and UploadPartCopy. */
#include "base/size.h"
#include "cloud/api/s3.h"
#include "cloud/http/condition.h"

#include <string.h>
#include <unistd.h>

typedef struct source {
    const char *bucket;
    const char *key;
    sh_object object;
    int fd;
} source;

/* "/bucket/key" or "bucket/key", percent-encoded. False after having answered. */
static bool read_name(sh_s3 *s3, source *from)
{
    const char *text = sh_http_field_get(s3->head, "x-amz-copy-source");
    size_t length = strcspn(text, "?");
    const char *version = text[length] ? text + length : NULL;
    char *name = sh_http_decode(s3->arena, text, length, false);
    if (name && *name == '/')
        name++;
    char *slash = name ? strchr(name, '/') : NULL;
    if (!slash || !slash[1] || !sh_utf8_valid(name, strlen(name))) {
        sh_s3_fail(s3, 400, "InvalidArgument",
                   "Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
        return false;
    }
    if (version && strcmp(version, "?versionId=null") != 0) {
        sh_s3_fail(s3, 400, "InvalidArgument", "Invalid version id specified");
        return false;
    }
    *slash = '\0';
    from->bucket = name;
    from->key = slash + 1;
    return true;
}

/* Opens the source and checks its preconditions. False after having answered. */
static bool open_source(sh_s3 *s3, source *from)
{
    sh_err err = {0};
    sh_bucket bucket;
    from->fd = -1;
    if (!read_name(s3, from))
        return false;
    int status = sh_bucket_get(&s3->objects, from->bucket, &bucket, &err);
    if (status == SH_E_NOT_FOUND) {
        sh_s3_fail(s3, 404, "NoSuchBucket", "The specified source bucket does not exist");
        return false;
    }
    if (status == 0)
        status =
            sh_object_open(&s3->objects, from->bucket, from->key, s3->arena, &from->object, &from->fd, &err);
    if (status == SH_E_NOT_FOUND) {
        sh_s3_fail(s3, 404, "NoSuchKey", "The specified source key does not exist.");
        return false;
    }
    if (status < 0) {
        sh_s3_fail_store(s3, &err);
        return false;
    }
    if (sh_precondition(s3->head, "x-amz-copy-source-", from->object.etag, from->object.modified_ms)) {
        sh_s3_fail(s3, 412, "PreconditionFailed",
                   "At least one of the pre-conditions you specified did not hold");
        return false;
    }
    return true;
}

/* The checksum to compute for the copy: what is asked for, else what the source has. */
static bool wanted_checksum(sh_s3 *s3, const source *from, unsigned *out)
{
    const char *name = sh_http_field_get(s3->head, "x-amz-checksum-algorithm");
    const char *kept = from->object.checksum;
    *out = 0;
    if (name && !(*out = sh_s3_digest_of(name))) {
        sh_s3_fail(s3, 400, "InvalidRequest", "Checksum algorithm provided is unsupported: %.40s", name);
        return false;
    }
    if (!name && kept) {
        char *text = sh_arena_strndup(s3->arena, kept, strcspn(kept, "="));
        *out = text ? sh_s3_digest_of(text) : 0;
    }
    return true;
}

static void answer_copy(sh_s3 *s3, const char *root)
{
    sh_buf out;
    sh_s3_begin_xml(&out, root);
    sh_s3_put_time(&out, "LastModified", sh_now_ms(s3->objects.clock));
    sh_s3_put_etag(&out, s3->receiver.etag);
    sh_s3_put_checksum(&out, s3->receiver.checksum);
    sh_xml_close(&out, root);
    sh_s3_answer_xml(s3, &out);
}

static void copy_object(sh_s3 *s3, source *from, bool replace)
{
    unsigned wanted;
    const char *tags = sh_http_field_get(s3->head, "x-amz-tagging-directive");
    sh_object_new more = {.content_type = replace ? sh_http_field_get(s3->head, "content-type")
                                                  : from->object.content_type,
                          .headers = replace ? sh_s3_meta_json(s3) : from->object.headers,
                          .tags = from->object.tags};
    if (!more.headers || !wanted_checksum(s3, from, &wanted) ||
        !sh_s3_write_conditions(s3, &more.condition) ||
        (tags && strcmp(tags, "REPLACE") == 0 && !sh_s3_tags_asked(s3, &more.tags)))
        return;
    if (from->object.size > SH_S3_OBJECT_MAX) {
        sh_s3_fail(
            s3, 400, "InvalidRequest",
            "The specified copy source is larger than the maximum allowable size for a copy source: 5 GiB");
        return;
    }
    if (sh_s3_receive_copy(s3, from->fd, 0, from->object.size, wanted) &&
        sh_s3_write(s3, "CopyObject", &more))
        answer_copy(s3, "CopyObjectResult");
}

void sh_s3_copy_object(sh_s3 *s3)
{
    source from = {.fd = -1};
    sh_bucket bucket;
    const char *directive = sh_http_field_get(s3->head, "x-amz-metadata-directive");
    const char *tags = sh_http_field_get(s3->head, "x-amz-tagging-directive");
    bool replace = directive && strcmp(directive, "REPLACE") == 0;
    if (!sh_s3_need_bucket(s3, &bucket) || !sh_s3_meta_supported(s3) || !open_source(s3, &from))
        goto done;
    if ((directive && !replace && strcmp(directive, "COPY") != 0) ||
        (tags && strcmp(tags, "COPY") != 0 && strcmp(tags, "REPLACE") != 0))
        sh_s3_fail(s3, 400, "InvalidArgument", "Unknown metadata or tagging directive.");
    else if (!replace && strcmp(from.bucket, s3->bucket) == 0 && strcmp(from.key, s3->key) == 0)
        sh_s3_fail(
            s3, 400, "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing "
            "the object's metadata, storage class, website redirect location or encryption attributes.");
    else
        copy_object(s3, &from, replace);
done:
    if (from.fd >= 0)
        close(from.fd);
}

/* "bytes=first-last", both needed. */
static bool part_range(sh_s3 *s3, const source *from, int64_t *first, int64_t *length)
{
    const char *text = sh_http_field_get(s3->head, "x-amz-copy-source-range");
    const char *dash = text ? strchr(text, '-') : NULL;
    int64_t last;
    *first = 0;
    *length = from->object.size;
    if (!text)
        return true;
    if (strncmp(text, "bytes=", 6) == 0 && dash && dash > text + 6 &&
        sh_parse_i64(text + 6, (size_t)(dash - text) - 6, 0, INT64_MAX - 1, first) &&
        sh_parse_i64(dash + 1, strlen(dash + 1), *first, from->object.size - 1, &last)) {
        *length = last - *first + 1;
        return true;
    }
    sh_s3_fail(s3, 400, "InvalidArgument",
               "The x-amz-copy-source-range value must be of the form bytes=first-last, within the source's "
               "%lld bytes",
               (long long)from->object.size);
    return false;
}

void sh_s3_upload_part_copy(sh_s3 *s3)
{
    source from = {.fd = -1};
    sh_upload upload;
    int64_t number, first, length;
    unsigned wanted = 0;
    if (!sh_s3_need_part(s3, &number, &upload) || !open_source(s3, &from) ||
        !part_range(s3, &from, &first, &length))
        goto done;
    if (upload.checksum) {
        char *name = sh_arena_strndup(s3->arena, upload.checksum, strcspn(upload.checksum, " "));
        wanted = name ? sh_s3_digest_of(name) : 0;
    }
    if (length > SH_S3_OBJECT_MAX)
        sh_s3_fail(s3, 400, "EntityTooLarge", "A part may have at most 5 GiB");
    else if (sh_s3_receive_copy(s3, from.fd, first, length, wanted) && sh_s3_store_part(s3, number, &upload))
        answer_copy(s3, "CopyPartResult");
done:
    if (from.fd >= 0)
        close(from.fd);
}
