/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CopyObject and UploadPartCopy. A copy is an object written in one: its ETag is the MD5 of its bytes and its
 * checksum that of the whole, however the source was made. */
#include "base/size.h"
#include "cloud/api/s3.h"
#include "cloud/api/s3_authorize.h"
#include "cloud/http/condition.h"
#include "cloud/http/digest.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct source {
    const char *bucket;
    const char *key;
    const char *version; /* NULL: the latest */
    sh_object object;
    int fd;
} source;

static bool bad_source(sh_s3 *s3, const char *text)
{
    sh_s3_fail_argument(s3, "x-amz-copy-source", text,
                        "Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
    return false;
}

/* "/bucket/key?versionId=id" or "bucket/key", percent-encoded. False after having answered. */
static bool read_name(sh_s3 *s3, source *from)
{
    static const char mark[] = "?versionId=";
    const char *text = sh_http_field_get(s3->head, "x-amz-copy-source");
    const char *version = strstr(text, mark);
    size_t length = version ? (size_t)(version - text) : strlen(text);
    char *name = sh_http_decode(s3->arena, text, length, false);
    if (name && *name == '/')
        name++;
    char *slash = name ? strchr(name, '/') : NULL;
    if (!slash || slash == name || !slash[1] || !sh_utf8_valid(name, strlen(name)))
        return bad_source(s3, text);
    *slash = '\0';
    from->bucket = name;
    from->key = slash + 1;
    from->version = NULL;
    if (version) {
        version += sizeof(mark) - 1;
        from->version = sh_http_decode(s3->arena, version, strlen(version), false);
        if (!from->version || !sh_version_id_valid(from->version)) {
            sh_s3_fail_argument(s3, "x-amz-copy-source", text, "Invalid version id specified");
            return false;
        }
    }
    return true;
}

/* An error that is about the source. */
static void fail_source(sh_s3 *s3, const source *from, const char *key, const char *code, const char *message)
{
    const char *bucket = s3->bucket, *own = s3->key;
    s3->bucket = from->bucket;
    s3->key = key;
    sh_s3_fail(s3, 404, code, "%s", message);
    s3->bucket = bucket;
    s3->key = own;
}

/* Whether the source may be said to be missing; else answers. */
static bool may_know(sh_s3 *s3, const source *from)
{
    sh_err err = {0};
    const char *sentence = "Access Denied";
    int status =
        sh_s3_permit(s3->cloud, s3->caller, "s3:ListBucket", from->bucket, NULL, s3->arena, &sentence, &err);
    if (status < 0)
        sh_s3_fail(s3, 403, "AccessDenied", "%s", sentence);
    return status == 0;
}

/* Finds the source; false after having answered. */
static bool find_source(sh_s3 *s3, source *from)
{
    sh_err err = {0};
    sh_bucket bucket;
    int status = sh_bucket_get(&s3->objects, from->bucket, &bucket, &err);
    if (status == SH_E_NOT_FOUND) {
        fail_source(s3, from, NULL, "NoSuchBucket", "The specified bucket does not exist");
        return false;
    }
    if (status == 0)
        status = sh_object_open_version(&s3->objects, from->bucket, from->key, from->version, s3->arena,
                                        &from->object, &from->fd, &err);
    if (status == 0 && from->object.marker && from->version) {
        sh_s3_fail(
            s3, 400, "InvalidRequest",
            "The source of a copy request may not specifically refer to a delete marker by version id.");
        return false;
    }
    if (status == SH_E_NOT_FOUND && from->version) {
        sh_s3_about(s3, "VersionId", from->version);
        fail_source(s3, from, from->key, "NoSuchVersion", "The specified version does not exist.");
    } else if (status == SH_E_NOT_FOUND || (status == 0 && from->object.marker)) {
        if (may_know(s3, from))
            fail_source(s3, from, from->key, "NoSuchKey", "The specified key does not exist.");
        return false;
    } else if (status < 0) {
        sh_s3_fail_store(s3, &err);
    }
    return status == 0;
}

static bool owner_expected(sh_s3 *s3)
{
    const char *owner = sh_http_field_get(s3->head, "x-amz-source-expected-bucket-owner");
    if (!owner || strcmp(owner, s3->objects.account) == 0)
        return true;
    sh_s3_fail(s3, 403, "AccessDenied", "Access Denied");
    return false;
}

/* Opens the source and checks its preconditions. False after having answered. */
static bool open_source(sh_s3 *s3, source *from)
{
    const char *failed = NULL;
    from->fd = -1;
    if (!owner_expected(s3) || !read_name(s3, from) ||
        !sh_s3_may_read(s3, from->bucket, from->key, from->version) || !find_source(s3, from))
        return false;
    if (sh_precondition(s3->head, "x-amz-copy-source-", from->object.etag, from->object.modified_ms,
                        &failed)) {
        sh_s3_about(s3, "Condition", sh_arena_printf(s3->arena, "x-amz-copy-source-%s", failed));
        sh_s3_fail(s3, 412, "PreconditionFailed",
                   "At least one of the pre-conditions you specified did not hold");
        return false;
    }
    if (from->object.versioned)
        sh_http_add_field(s3->http, "x-amz-copy-source-version-id", from->object.version_id);
    return true;
}

/* The checksum to compute for the copy: what is asked for, else what the source has. */
static bool wanted_checksum(sh_s3 *s3, const source *from, unsigned *out)
{
    if (!sh_s3_asked_algorithm(s3, out))
        return false;
    if (!*out)
        *out = sh_s3_digest_of_checksum(from->object.checksum);
    if (!*out)
        *out = SH_DIGEST_CRC64NVME;
    return true;
}

static void answer_copy(sh_s3 *s3, const char *root, const char *checksum, bool typed)
{
    sh_buf out;
    sh_s3_begin_xml(&out, root);
    sh_s3_put_time(&out, "LastModified", sh_now_ms(s3->objects.clock));
    sh_s3_put_etag(&out, s3->receiver.etag);
    if (typed)
        sh_s3_put_checksum_typed(&out, checksum);
    else
        sh_s3_put_checksum(&out, checksum);
    sh_xml_close(&out, root);
    sh_s3_answer_xml(s3, &out);
}

static void fail_large(sh_s3 *s3)
{
    sh_s3_fail(s3, 400, "InvalidRequest",
               "The specified copy source is larger than the maximum allowable size for a copy source: %lld",
               (long long)SH_S3_OBJECT_MAX);
}

/* A directive's value: COPY (also without it) or REPLACE. False after having answered. */
static bool directive(sh_s3 *s3, const char *name, const char *what, bool *replace)
{
    const char *value = sh_http_field_get(s3->head, name);
    *replace = value && strcmp(value, "REPLACE") == 0;
    if (!value || *replace || strcmp(value, "COPY") == 0)
        return true;
    sh_s3_fail_argument(s3, name, value, "Unknown %s directive.", what);
    return false;
}

/* Onto itself, and nothing would be another. False after having answered. */
static bool changes_something(sh_s3 *s3, const source *from, bool replace)
{
    static const char *const changing[] = {"x-amz-storage-class", "x-amz-website-redirect-location",
                                           "x-amz-server-side-encryption"};
    bool changes =
        replace || from->version || strcmp(from->bucket, s3->bucket) != 0 || strcmp(from->key, s3->key) != 0;
    for (size_t i = 0; i < SH_COUNT(changing); i++)
        if (sh_http_field_get(s3->head, changing[i]))
            changes = true;
    if (!changes)
        sh_s3_fail(
            s3, 400, "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing "
            "the object's metadata, storage class, website redirect location or encryption attributes.");
    return changes;
}

static void copy_object(sh_s3 *s3, source *from, bool replace, bool replace_tags)
{
    unsigned wanted;
    sh_object_new draft = {0};
    sh_object_if condition;
    if (!wanted_checksum(s3, from, &wanted) || !sh_s3_write_conditions(s3, &condition) ||
        !sh_s3_draft(s3, &draft))
        return;
    if (!replace) {
        draft.content_type = from->object.content_type;
        draft.headers = sh_s3_meta_copied(s3, from->object.headers, draft.headers);
    }
    if (!replace_tags)
        draft.tags = from->object.tags;
    if (!draft.headers)
        return;
    if (from->object.size > SH_S3_OBJECT_MAX) {
        fail_large(s3);
        return;
    }
    if (!sh_s3_receive_copy(s3, from->fd, 0, from->object.size, wanted) ||
        !sh_s3_write(s3, "CopyObject", &draft))
        return;
    sh_s3_encryption_field(s3, draft.headers);
    answer_copy(s3, "CopyObjectResult", s3->receiver.checksum, true);
}

void sh_s3_copy_object(sh_s3 *s3)
{
    source from = {.fd = -1};
    sh_bucket bucket;
    bool replace, replace_tags;
    if (sh_s3_need_bucket(s3, &bucket) && sh_s3_meta_supported(s3) &&
        directive(s3, "x-amz-metadata-directive", "metadata", &replace) &&
        directive(s3, "x-amz-tagging-directive", "tagging", &replace_tags) && open_source(s3, &from) &&
        changes_something(s3, &from, replace))
        copy_object(s3, &from, replace, replace_tags);
    if (from.fd >= 0)
        close(from.fd);
}

/* "bytes=first-last", both needed. */
static bool part_range(sh_s3 *s3, const source *from, int64_t *first, int64_t *length)
{
    static const char field[] = "x-amz-copy-source-range";
    const char *text = sh_http_field_get(s3->head, field);
    const char *dash = text ? strchr(text, '-') : NULL;
    int64_t last;
    *first = 0;
    *length = from->object.size;
    if (!text)
        return true;
    if (strncmp(text, "bytes=", 6) != 0 || !dash || dash == text + 6 ||
        !sh_parse_i64(text + 6, (size_t)(dash - text) - 6, 0, INT64_MAX - 1, first) ||
        !sh_parse_i64(dash + 1, strlen(dash + 1), 0, INT64_MAX - 1, &last)) {
        sh_s3_fail_argument(
            s3, field, text,
            "The %s value must be of the form bytes=first-last where first and last are the zero-based "
            "offsets of the first and last bytes to copy",
            field);
        return false;
    }
    if (last < *first || last >= from->object.size) {
        sh_s3_fail_argument(s3, field, text, "Range specified is not valid for source object of size: %lld",
                            (long long)from->object.size);
        return false;
    }
    *length = last - *first + 1;
    return true;
}

void sh_s3_upload_part_copy(sh_s3 *s3)
{
    source from = {.fd = -1};
    sh_upload upload;
    int64_t number, first, length;
    if (!sh_s3_need_part(s3, &number, &upload) || !open_source(s3, &from) ||
        !part_range(s3, &from, &first, &length))
        goto done;
    unsigned asked = sh_s3_digest_of_checksum(upload.checksum);
    if (length > SH_S3_OBJECT_MAX) {
        fail_large(s3);
    } else if (sh_s3_receive_copy(s3, from.fd, first, length, asked ? asked : SH_DIGEST_CRC64NVME) &&
               sh_s3_store_part(s3, number, &upload)) {
        sh_s3_encryption_field(s3, upload.headers);
        answer_copy(s3, "CopyPartResult", asked ? s3->receiver.checksum : NULL, false);
    }
done:
    if (from.fd >= 0)
        close(from.fd);
}
