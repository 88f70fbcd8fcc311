/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls of S3 by tasks (aws-sdk:s3:…): names, forms and errors as the SDK for Java gives them. Bytes of an
 * object are text in a state machine. A copy shares the file of its source: files never change. */
#include "base/file.h"
#include "base/size.h"
#include "cloud/api/front.h"
#include "cloud/api/keys.h"
#include "cloud/api/states_s3.h"
#include "cloud/http/digest.h"
#include "cloud/http/head.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { DELETE_MAX = 1000, BLOCK = 1 << 20 };

/* ---- parameters ---- */

int sh_s3_check(sh_effect *e, const char *const *names)
{
    const char *key;
    json_t *value;
    for (size_t i = 0; names[i] && *names[i]; i++) {
        if (!sh_s3_text(e, names[i]) || !*sh_s3_text(e, names[i]))
            return sh_effect_fail(e, 400, "InvalidRequest",
                                  "The parameter %s is needed, a text that is not empty", names[i]);
    }
    json_object_foreach((json_t *)e->in, key, value)
    {
        bool known = json_is_null(value);
        for (size_t i = 0; names[i]; i++)
            known |= strcmp(names[i], key) == 0;
        if (!known)
            return sh_effect_fail(
                e, 501, "NotImplemented",
                "A parameter you provided implies functionality that is not implemented: %.80s", key);
    }
    return 0;
}

int sh_s3_refuse_task(sh_effect *e, int status, const char *bucket, bool key)
{
    sh_bucket row;
    sh_objects objects = sh_cloud_objects(e->cloud);
    sh_err other = {0};
    if (status == SH_E_CONFLICT)
        return sh_effect_fail(e, 412, "PreconditionFailed",
                              "At least one of the pre-conditions you specified did not hold");
    if (status != SH_E_NOT_FOUND)
        return status;
    if (sh_bucket_get(&objects, bucket, &row, &other) == SH_E_NOT_FOUND)
        return sh_effect_fail(e, 404, "NoSuchBucket", "The specified bucket does not exist");
    if (!key)
        return status;
    /* whether there is such a key is for those to know who may list the bucket */
    status = sh_effect_permit(e, "s3:ListBucket", bucket, NULL, &other);
    return status < 0 ? status : sh_effect_fail(e, 404, "NoSuchKey", "The specified key does not exist.");
}

int sh_s3_no_memory(sh_err *err)
{
    return sh_fail(err, SH_E_MEMORY, "no memory for the answer of S3");
}

/* ---- what an object is ---- */

static int put(json_t *out, const char *name, json_t *value)
{
    return json_object_set_new(out, name, value);
}

json_t *sh_s3_time(int64_t ms)
{
    char iso[SH_TIME_TEXT];
    sh_time_iso_s(ms, iso);
    return json_string(iso);
}

json_t *sh_s3_etag(const char *etag)
{
    return json_sprintf("\"%s\"", etag);
}

static int put_headers(json_t *out, const char *headers)
{
    static const char *const names[][2] = {{"cache-control", "CacheControl"},
                                           {"content-disposition", "ContentDisposition"},
                                           {"content-encoding", "ContentEncoding"},
                                           {"content-language", "ContentLanguage"},
                                           {"expires", "Expires"}};
    const char *key;
    json_t *value, *from = json_loads(headers, 0, NULL), *meta = json_object();
    int failed = !from || !meta;
    json_object_foreach(from, key, value)
    {
        if (strncmp(key, "x-amz-meta-", 11) == 0)
            failed |= json_object_set(meta, key + 11, value);
        for (size_t i = 0; i < SH_COUNT(names); i++) {
            if (strcmp(key, names[i][0]) == 0)
                failed |= json_object_set(out, names[i][1], value);
        }
    }
    json_decref(from);
    return json_object_set_new(out, "Metadata", meta) | failed;
}

static json_t *describe(const sh_object *object)
{
    json_t *out = json_object();
    int failed = put(out, "AcceptRanges", json_string("bytes"));
    failed |= put(out, "ContentLength", json_integer(object->size));
    failed |= put(out, "ContentType", json_string(object->content_type));
    failed |= put(out, "ETag", sh_s3_etag(object->etag));
    failed |= put(out, "LastModified", sh_s3_time(object->modified_ms));
    failed |= put_headers(out, object->headers);
    if (object->versioned)
        failed |= put(out, "VersionId", json_string(object->version_id));
    if (!failed)
        return out;
    json_decref(out);
    return NULL;
}

/* ---- reading ---- */

static int head_object(sh_effect *e, sh_err *err)
{
    static const char *const names[] = {"Bucket", "Key", NULL};
    sh_object object;
    sh_objects objects = sh_cloud_objects(e->cloud);
    int status = sh_s3_check(e, names);
    if (status < 0)
        return status;
    if ((status = sh_effect_permit(e, "s3:GetObject", sh_s3_text(e, "Bucket"), sh_s3_text(e, "Key"), err)) <
        0)
        return status;
    status = sh_object_get(&objects, sh_s3_text(e, "Bucket"), sh_s3_text(e, "Key"), e->arena, &object, err);
    if (status == SH_E_NOT_FOUND) { /* an answer to HEAD has no body to say more */
        status = sh_effect_permit(e, "s3:ListBucket", sh_s3_text(e, "Bucket"), NULL, err);
        return status < 0 ? status : sh_effect_fail(e, 404, "NoSuchKey", "null");
    }
    if (status < 0)
        return status;
    e->out = describe(&object);
    return e->out ? 0 : sh_s3_no_memory(err);
}

/* The length of the character that begins here, 0 when it is none. */
static size_t character(const unsigned char *p, size_t left)
{
    size_t length = *p < 0x80 ? 1 : *p < 0xc2 ? 0 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf5 ? 4 : 0;
    return length && length <= left && sh_utf8_valid((const char *)p, length) ? length : 0;
}

/* Bytes as text: what is no UTF-8 becomes U+FFFD. */
static json_t *as_text(const char *bytes, size_t length)
{
    sh_buf out;
    json_t *made = NULL;
    sh_buf_init(&out, 3 * length + 1);
    for (size_t i = 0; i < length;) {
        size_t n = character((const unsigned char *)bytes + i, length - i);
        if (n)
            sh_buf_append(&out, bytes + i, n);
        else
            sh_buf_puts(&out, "\xef\xbf\xbd");
        i += n ? n : 1;
    }
    if (!out.failed)
        made = json_stringn(sh_buf_cstr(&out), out.length);
    sh_buf_free(&out);
    return made;
}

/* One byte more than an output may have is enough to show that it is too long. */
static json_t *read_body(sh_arena *arena, int fd, int64_t size)
{
    size_t want = size > SH_FLOW_PAYLOAD_MAX ? SH_FLOW_PAYLOAD_MAX + 1 : (size_t)size, have = 0;
    char *bytes = sh_arena_alloc(arena, want + 1);
    while (bytes && have < want) {
        ssize_t n = read(fd, bytes + have, want - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return NULL;
        have += (size_t)n;
    }
    return bytes ? as_text(bytes, have) : NULL;
}

static int get_object(sh_effect *e, sh_err *err)
{
    static const char *const names[] = {"Bucket", "Key", NULL};
    int fd = -1;
    sh_object object;
    sh_objects objects = sh_cloud_objects(e->cloud);
    int status = sh_s3_check(e, names);
    if (status < 0)
        return status;
    if ((status = sh_effect_permit(e, "s3:GetObject", sh_s3_text(e, "Bucket"), sh_s3_text(e, "Key"), err)) <
        0)
        return status;
    status =
        sh_object_open(&objects, sh_s3_text(e, "Bucket"), sh_s3_text(e, "Key"), e->arena, &object, &fd, err);
    if (status < 0)
        return sh_s3_refuse_task(e, status, sh_s3_text(e, "Bucket"), true);
    e->out = describe(&object);
    if (!e->out || put(e->out, "Body", read_body(e->arena, fd, object.size)) < 0)
        status = sh_fail(err, SH_E_IO, "the bytes of s3://%s/%s cannot be read", sh_s3_text(e, "Bucket"),
                         sh_s3_text(e, "Key"));
    close(fd);
    return status;
}

/* ---- writing ---- */

typedef struct published {
    sh_effect *effect;
    char version[SH_VERSION_ID]; /* "": the bucket never had versions */
} published;

/* In the transaction of the object: its version is known by now. */
static int tell(void *opaque, sh_err *err)
{
    published *p = opaque;
    if (p->version[0] && put(p->effect->out, "VersionId", json_string(p->version)) < 0)
        return sh_s3_no_memory(err);
    return sh_effect_tell(p->effect, err);
}

static int publish(sh_effect *e, const sh_object_new *item, const char *reason, sh_err *err)
{
    sh_objects objects = sh_cloud_objects(e->cloud);
    sh_object_cause cause = {.reason = reason};
    published p = {.effect = e};
    sh_object_new made = *item;
    made.version_id = p.version;
    int status = sh_objects_publish_with(&objects, &made, 1, &cause, tell, &p, err);
    if (status == 0)
        sh_cloud_wake(e->cloud, SH_WAKE_NOTICES | SH_WAKE_FLOWS);
    else
        e->told = false;
    return status;
}

/* The fields of the object that the writer gives, as JSON text in the arena. 0, or the call failed. */
static int read_headers(sh_effect *e, const char **out, sh_err *err)
{
    static const char *const names[][2] = {{"CacheControl", "cache-control"},
                                           {"ContentDisposition", "content-disposition"},
                                           {"ContentEncoding", "content-encoding"},
                                           {"ContentLanguage", "content-language"}};
    const char *key;
    char name[256];
    json_t *value, *made = json_object();
    int failed = !made;
    for (size_t i = 0; i < SH_COUNT(names); i++) {
        if (sh_s3_text(e, names[i][0]))
            failed |= put(made, names[i][1], json_string(sh_s3_text(e, names[i][0])));
    }
    json_object_foreach(json_object_get(e->in, "Metadata"), key, value)
    {
        int length = snprintf(name, sizeof(name), "x-amz-meta-%s", key);
        if (!json_is_string(value) || length < 0 || (size_t)length >= sizeof(name)) {
            json_decref(made);
            return sh_effect_fail(e, 400, "InvalidArgument", "The metadata %.80s are not a text", key);
        }
        for (char *c = name; *c; c++)
            *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
        failed |= json_object_set(made, name, value);
    }
    char *dump = failed ? NULL : json_dumps(made, JSON_COMPACT | JSON_SORT_KEYS);
    *out = dump ? sh_arena_strdup(e->arena, dump) : NULL;
    free(dump);
    json_decref(made);
    return *out ? 0 : sh_s3_no_memory(err);
}

/* Body as the text of its JSON: a string keeps its quotes, as on AWS. NULL: no memory. */
static char *body_of(const sh_effect *e, size_t *length)
{
    const json_t *body = json_object_get(e->in, "Body");
    char *made = body ? sh_flow_text(body) : strdup("");
    *length = made ? strlen(made) : 0;
    return made;
}

/* "crc32=<base64>" */
static int make_checksum(const char *bytes, size_t length, char checksum[32])
{
    unsigned char crc[SH_DIGEST_BYTES];
    if (sh_digest_once(SH_DIGEST_CRC32, bytes, length, crc) != 4)
        return SH_E_MEMORY;
    snprintf(checksum, 32, "crc32=");
    sh_base64(crc, 4, checksum + strlen(checksum));
    return 0;
}

static int write_body(sh_effect *e, int fd, char etag[33], char checksum[32], sh_err *err)
{
    unsigned char md5[SH_DIGEST_BYTES];
    size_t length;
    char *bytes = body_of(e, &length);
    int status = bytes ? sh_fd_write(fd, bytes, length, err) : sh_s3_no_memory(err);
    if (status == 0 && (sh_digest_once(SH_DIGEST_MD5, bytes, length, md5) != 16 ||
                        make_checksum(bytes, length, checksum) < 0))
        status = sh_s3_no_memory(err);
    if (status == 0)
        sh_hex(md5, 16, etag);
    free(bytes);
    return status;
}

static int put_object(sh_effect *e, sh_err *err)
{
    static const char *const names[] = {"Bucket",
                                        "Key",
                                        "",
                                        "Body",
                                        "Metadata",
                                        "ContentType",
                                        "CacheControl",
                                        "ContentDisposition",
                                        "ContentEncoding",
                                        "ContentLanguage",
                                        "IfNoneMatch",
                                        NULL};
    char path[SH_STAGE_PATH], etag[33], checksum[32];
    int fd = -1;
    sh_objects objects = sh_cloud_objects(e->cloud);
    sh_object_new item = {.path = path, .etag = etag, .checksum = checksum};
    int status = sh_s3_check(e, names);
    if (status < 0 || (status = read_headers(e, &item.headers, err)) < 0)
        return status;
    item.bucket = sh_s3_text(e, "Bucket");
    item.key = sh_s3_text(e, "Key");
    item.content_type =
        sh_s3_text(e, "ContentType") ? sh_s3_text(e, "ContentType") : "text/plain; charset=UTF-8";
    item.condition.absent = sh_s3_text(e, "IfNoneMatch") != NULL;
    if ((status = sh_effect_permit(e, "s3:PutObject", item.bucket, item.key, err)) < 0)
        return status;
    if (strlen(item.key) > SH_OBJECT_KEY_MAX)
        return sh_effect_fail(e, 400, "KeyTooLongError", "Your key is too long");
    if ((status = sh_stage_file(&objects, path, &fd, err)) < 0)
        return status;
    status = write_body(e, fd, etag, checksum, err);
    close(fd);
    if (status == 0 && !(e->out = json_pack("{s:s, s:s, s:o}", "ChecksumCRC32", checksum + strlen("crc32="),
                                            "ChecksumType", "FULL_OBJECT", "ETag", sh_s3_etag(etag))))
        status = sh_s3_no_memory(err);
    if (status == 0)
        status = publish(e, &item, "PutObject", err);
    unlink(path);
    return status < 0 ? sh_s3_refuse_task(e, status, item.bucket, false) : 0;
}

/* MD5 of a file. */
static int digest_file(const char *path, char etag[33], sh_err *err)
{
    unsigned char md5[SH_DIGEST_BYTES];
    sh_digest *digest = NULL;
    FILE *file = fopen(path, "rbe");
    char *block = malloc(BLOCK);
    int status = file && block ? sh_digest_new(&digest, SH_DIGEST_MD5, err)
                               : sh_fail(err, SH_E_IO, "%s cannot be read", path);
    size_t n;
    while (status == 0 && (n = fread(block, 1, BLOCK, file)) > 0)
        sh_digest_update(digest, block, n);
    if (status == 0 && (ferror(file) || sh_digest_final(digest, SH_DIGEST_MD5, md5) != 16))
        status = sh_fail(err, SH_E_IO, "%s cannot be read", path);
    if (status == 0)
        sh_hex(md5, 16, etag);
    sh_digest_free(digest);
    free(block);
    if (file)
        fclose(file);
    return status;
}

static int copy_of(sh_effect *e, const sh_object *from, sh_object_new *item, sh_err *err)
{
    char path[SH_STAGE_PATH], etag[33];
    sh_objects objects = sh_cloud_objects(e->cloud);
    int status = sh_object_share(&objects, from, path, err);
    if (status < 0)
        return status;
    if (strlen(from->etag) == 32)
        snprintf(etag, sizeof(etag), "%s", from->etag);
    else
        status = digest_file(path, etag, err);
    item->path = path;
    item->etag = etag;
    if (status == 0)
        e->out = json_pack("{s:{s:o, s:o}}", "CopyObjectResult", "ETag", sh_s3_etag(etag), "LastModified",
                           sh_s3_time(sh_now_ms(e->cloud->clock)));
    if (status == 0 && !e->out)
        status = sh_s3_no_memory(err);
    if (status == 0)
        status = publish(e, item, "CopyObject", err);
    unlink(path);
    return status;
}

/* "bucket/key", percent-encoded. */
static int read_source(sh_effect *e, const char **bucket, const char **key)
{
    const char *given = sh_s3_text(e, "CopySource");
    char *name = sh_http_decode(e->arena, given, strlen(given), false);
    if (name && *name == '/')
        name++;
    char *slash = name ? strchr(name, '/') : NULL;
    if (!slash || !slash[1] || !sh_utf8_valid(name, strlen(name)))
        return sh_effect_fail(e, 400, "InvalidArgument",
                              "Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
    *slash = '\0';
    *bucket = name;
    *key = slash + 1;
    return 0;
}

static int copy_object(sh_effect *e, sh_err *err)
{
    static const char *const names[] = {"Bucket",
                                        "Key",
                                        "CopySource",
                                        "",
                                        "Metadata",
                                        "ContentType",
                                        "MetadataDirective",
                                        "CacheControl",
                                        "ContentDisposition",
                                        "ContentEncoding",
                                        "ContentLanguage",
                                        NULL};
    const char *bucket = NULL, *key = NULL, *headers, *directive = sh_s3_text(e, "MetadataDirective");
    bool replace = directive && strcmp(directive, "REPLACE") == 0;
    sh_object from;
    sh_objects objects = sh_cloud_objects(e->cloud);
    int status = sh_s3_check(e, names);
    if (status < 0 || (status = read_source(e, &bucket, &key)) < 0 ||
        (status = read_headers(e, &headers, err)) < 0)
        return status;
    sh_object_new item = {.bucket = sh_s3_text(e, "Bucket"), .key = sh_s3_text(e, "Key")};
    if ((status = sh_effect_permit(e, "s3:PutObject", item.bucket, item.key, err)) < 0)
        return status;
    if ((status = sh_effect_permit(e, "s3:GetObject", bucket, key, err)) < 0)
        return status;
    if (strlen(item.key) > SH_OBJECT_KEY_MAX)
        return sh_effect_fail(e, 400, "KeyTooLongError", "Your key is too long");
    if (!replace && strcmp(bucket, item.bucket) == 0 && strcmp(key, item.key) == 0)
        return sh_effect_fail(
            e, 400, "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself "
            "without changing the object's metadata, storage class, website redirect location or "
            "encryption attributes.");
    status = sh_object_get(&objects, bucket, key, e->arena, &from, err);
    if (status < 0)
        return sh_s3_refuse_task(e, status, bucket, true);
    item.content_type = replace ? sh_s3_text(e, "ContentType") : from.content_type;
    item.headers = replace ? headers : from.headers;
    item.checksum = from.checksum;
    status = copy_of(e, &from, &item, err);
    return status < 0 ? sh_s3_refuse_task(e, status, item.bucket, false) : 0;
}

static int delete_object(sh_effect *e, sh_err *err)
{
    static const char *const names[] = {"Bucket", "Key", NULL};
    sh_objects objects = sh_cloud_objects(e->cloud);
    sh_object_cause cause = {.reason = "DeleteObject"};
    int status = sh_s3_check(e, names);
    if (status < 0)
        return status;
    if ((status =
             sh_effect_permit(e, "s3:DeleteObject", sh_s3_text(e, "Bucket"), sh_s3_text(e, "Key"), err)) < 0)
        return status;
    sh_object_doomed doomed = {.key = sh_s3_text(e, "Key")};
    status = sh_objects_delete_each(&objects, sh_s3_text(e, "Bucket"), &doomed, 1, &cause, err);
    if (status < 0)
        return sh_s3_refuse_task(e, status, sh_s3_text(e, "Bucket"), false);
    sh_cloud_wake(e->cloud, SH_WAKE_NOTICES);
    e->out = doomed.marker ? json_pack("{s:b, s:s}", "DeleteMarker", 1, "VersionId", doomed.version_id)
                           : json_object();
    return e->out ? 0 : sh_s3_no_memory(err);
}

/* A key that may not be deleted is named in the answer, and the others are deleted all the same. 1: it may.
 */
static int sort_out(sh_effect *e, const char *key, json_t *deleted, sh_err *err)
{
    json_t *errors = json_object_get(e->out, "Errors");
    int status = sh_effect_permit(e, "s3:DeleteObject", sh_s3_text(e, "Bucket"), key, err);
    if (status == 0)
        return json_array_append_new(deleted, json_pack("{s:s}", "Key", key)) < 0 ? sh_s3_no_memory(err) : 1;
    if (status != SH_E_ARGUMENT)
        return status;
    if (!errors && json_object_set_new(e->out, "Errors", errors = json_array()) < 0)
        return sh_s3_no_memory(err);
    json_t *refusal =
        json_pack("{s:s, s:s, s:s}", "Code", e->error.code, "Key", key, "Message", e->error.message);
    e->error = (sh_aws_error){0};
    return json_array_append_new(errors, refusal) < 0 ? sh_s3_no_memory(err) : 0;
}

static int delete_keys(sh_effect *e, const json_t *list, const char **keys, json_t *deleted, sh_err *err)
{
    size_t index, count = 0;
    json_t *item;
    sh_objects objects = sh_cloud_objects(e->cloud);
    sh_object_cause cause = {.reason = "DeleteObjects"};
    json_array_foreach((json_t *)list, index, item)
    {
        keys[count] = json_string_value(json_object_get(item, "Key"));
        if (!keys[count])
            return sh_effect_fail(e, 400, "MalformedXML", "Each of Delete.Objects has a Key");
        int may = sort_out(e, keys[count], deleted, err);
        if (may < 0)
            return may;
        count += (size_t)may;
    }
    if (count == 0)
        return 0;
    int status = sh_objects_delete(&objects, sh_s3_text(e, "Bucket"), keys, count, &cause, err);
    return status < 0 ? sh_s3_refuse_task(e, status, sh_s3_text(e, "Bucket"), false) : 0;
}

static int delete_objects(sh_effect *e, sh_err *err)
{
    static const char *const names[] = {"Bucket", "", "Delete", NULL};
    const json_t *list = json_object_get(json_object_get(e->in, "Delete"), "Objects");
    int status = sh_s3_check(e, names);
    if (status < 0)
        return status;
    if (!json_is_array(list) || json_array_size(list) < 1 || json_array_size(list) > DELETE_MAX)
        return sh_effect_fail(e, 400, "MalformedXML", "Delete.Objects is a list of 1 to %d objects",
                              DELETE_MAX);
    const char **keys = calloc(json_array_size(list), sizeof(*keys));
    e->out = json_pack("{s:[]}", "Deleted");
    if (!keys || !e->out) {
        free(keys);
        return sh_s3_no_memory(err);
    }
    status = delete_keys(e, list, keys, json_object_get(e->out, "Deleted"), err);
    free(keys);
    if (status == 0)
        sh_cloud_wake(e->cloud, SH_WAKE_NOTICES);
    return status;
}

const sh_effect_row sh_effects_s3[] = {
    {"s3:getObject", get_object},
    {"s3:headObject", head_object},
    {"s3:putObject", put_object},
    {"s3:copyObject", copy_object},
    {"s3:deleteObject", delete_object},
    {"s3:deleteObjects", delete_objects},
    {"s3:listObjectsV2", sh_s3_task_list_objects},
    {"s3:headBucket", sh_s3_task_head_bucket},
    {"s3:listBuckets", sh_s3_task_list_buckets},
    {NULL, NULL},
};
