/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Listings of S3 for tasks, and what there is to know of buckets. */
#include "base/size.h"
#include "cloud/api/front.h"
#include "cloud/api/states_s3.h"
#include "cloud/http/digest.h"
#include "cloud/http/head.h"

#include <string.h>

enum { PAGE = 1000 };

static int put(json_t *out, const char *name, json_t *value)
{
    return json_object_set_new(out, name, value);
}

typedef struct listing {
    json_t *contents, *prefixes;
} listing;

/* "crc32=…" as the names that a listing has for it. */
static int put_checksum(json_t *item, const char *checksum)
{
    char name[32];
    size_t length = checksum ? strcspn(checksum, "=") : 0;
    if (length == 0 || length >= sizeof(name))
        return 0;
    for (size_t i = 0; i <= length; i++)
        name[i] = (char)(checksum[i] >= 'a' && checksum[i] <= 'z' ? checksum[i] - 32 : checksum[i]);
    name[length] = '\0';
    return put(item, "ChecksumAlgorithm", json_pack("[s]", name)) |
           put(item, "ChecksumType",
               json_string(strchr(checksum + length, '-') ? "COMPOSITE" : "FULL_OBJECT"));
}

static int take_object(void *opaque, const sh_object *object, const char *prefix)
{
    listing *l = opaque;
    if (prefix)
        return json_array_append_new(l->prefixes, json_pack("{s:s}", "Prefix", prefix)) < 0 ? SH_E_MEMORY : 0;
    json_t *item = json_object();
    int failed = put_checksum(item, object->checksum);
    failed |= put(item, "ETag", sh_s3_etag(object->etag));
    failed |= put(item, "Key", json_string(object->key));
    failed |= put(item, "LastModified", sh_s3_time(object->modified_ms));
    failed |= put(item, "Size", json_integer(object->size));
    failed |= put(item, "StorageClass", json_string("STANDARD"));
    if (failed) {
        json_decref(item);
        item = NULL;
    }
    return json_array_append_new(l->contents, item) < 0 ? SH_E_MEMORY : 0;
}

/* Continuation tokens are those of the HTTP interface: the last name in base64. */
static int read_query(sh_effect *e, sh_list_query *q)
{
    const char *token = sh_s3_text(e, "ContinuationToken");
    const json_t *max = json_object_get(e->in, "MaxKeys");
    const char *after = sh_s3_text(e, "StartAfter");
    *q = (sh_list_query){.bucket = sh_s3_text(e, "Bucket"),
                         .prefix = sh_s3_text(e, "Prefix"),
                         .delimiter = sh_s3_text(e, "Delimiter"),
                         .after = after ? after : "",
                         .max = PAGE};
    q->prefix = q->prefix ? q->prefix : "";
    q->delimiter = q->delimiter ? q->delimiter : "";
    if (max && (!json_is_integer(max) || json_integer_value(max) < 0))
        return sh_effect_fail(e, 400, "InvalidArgument",
                              "Argument maxKeys must be an integer between 0 and 2147483647");
    if (max && json_integer_value(max) < PAGE)
        q->max = (int)json_integer_value(max);
    if (!token)
        return 0;
    size_t length = strlen(token);
    char *name = sh_arena_alloc(e->arena, length + 4);
    int decoded = name ? sh_base64_decode(token, length, (unsigned char *)name, length + 1) : -1;
    if (decoded < 0 || !length)
        return sh_effect_fail(e, 400, "InvalidArgument", "The continuation token provided is incorrect");
    name[decoded] = '\0';
    q->after = name;
    return 0;
}

static int answer_list(sh_effect *e, const sh_list_query *q, listing *l, const char *next, sh_err *err)
{
    size_t count = json_array_size(l->contents) + json_array_size(l->prefixes);
    const char *token = sh_s3_text(e, "ContinuationToken");
    int failed = 0;
    e->out = json_object();
    if (json_array_size(l->prefixes))
        failed |= json_object_set(e->out, "CommonPrefixes", l->prefixes);
    if (json_array_size(l->contents))
        failed |= json_object_set(e->out, "Contents", l->contents);
    if (token)
        failed |= put(e->out, "ContinuationToken", json_string(token));
    if (*q->delimiter)
        failed |= put(e->out, "Delimiter", json_string(q->delimiter));
    failed |= put(e->out, "IsTruncated", json_boolean(next != NULL));
    failed |= put(e->out, "KeyCount", json_integer((json_int_t)count));
    failed |= put(e->out, "MaxKeys", json_integer(q->max));
    failed |= put(e->out, "Name", json_string(q->bucket));
    if (next) {
        size_t length = strlen(next);
        char *made = sh_arena_alloc(e->arena, (length + 2) / 3 * 4 + 1);
        if (made)
            sh_base64((const unsigned char *)next, length, made);
        failed |= put(e->out, "NextContinuationToken", made ? json_string(made) : NULL);
    }
    failed |= put(e->out, "Prefix", json_string(q->prefix));
    if (sh_s3_text(e, "StartAfter"))
        failed |= put(e->out, "StartAfter", json_string(sh_s3_text(e, "StartAfter")));
    return failed ? sh_s3_no_memory(err) : 0;
}

int sh_s3_task_list_objects(sh_effect *e, sh_err *err)
{
    static const char *const names[] = {
        "Bucket",     "",  "Prefix", "Delimiter", "MaxKeys", "StartAfter", "ContinuationToken",
        "FetchOwner", NULL};
    sh_list_query q;
    sh_bucket bucket;
    const char *next = NULL;
    sh_objects objects = sh_cloud_objects(e->cloud);
    int status = sh_s3_check(e, names);
    if (status < 0 || (status = read_query(e, &q)) < 0)
        return status;
    if ((status = sh_effect_permit(e, "s3:ListBucket", q.bucket, NULL, err)) < 0)
        return status;
    listing l = {json_array(), json_array()};
    status = sh_bucket_get(&objects, q.bucket, &bucket, err);
    if (status == 0 && q.max > 0)
        status = sh_objects_list(&objects, &q, take_object, &l, e->arena, &next, err);
    status = status < 0 ? sh_s3_refuse_task(e, status, q.bucket, false) : answer_list(e, &q, &l, next, err);
    json_decref(l.contents);
    json_decref(l.prefixes);
    return status;
}

int sh_s3_task_head_bucket(sh_effect *e, sh_err *err)
{
    static const char *const names[] = {"Bucket", NULL};
    sh_bucket bucket;
    sh_objects objects = sh_cloud_objects(e->cloud);
    int status = sh_s3_check(e, names);
    if (status < 0)
        return status;
    if ((status = sh_effect_permit(e, "s3:ListBucket", sh_s3_text(e, "Bucket"), NULL, err)) < 0)
        return status;
    status = sh_bucket_get(&objects, sh_s3_text(e, "Bucket"), &bucket, err);
    if (status == SH_E_NOT_FOUND)
        return sh_effect_fail(e, 404, "NoSuchBucket", "null");
    if (status == 0 && !(e->out = json_pack("{s:s}", "BucketRegion", bucket.region)))
        status = sh_s3_no_memory(err);
    return status;
}

static int take_bucket(void *opaque, const sh_bucket *bucket)
{
    json_t *item =
        json_pack("{s:o, s:s}", "CreationDate", sh_s3_time(bucket->created_ms), "Name", bucket->name);
    return json_array_append_new(opaque, item) < 0 ? SH_E_MEMORY : 0;
}

int sh_s3_task_list_buckets(sh_effect *e, sh_err *err)
{
    static const char *const names[] = {NULL};
    sh_objects objects = sh_cloud_objects(e->cloud);
    int status = sh_s3_check(e, names);
    if (status < 0 || (status = sh_effect_permit(e, "s3:ListAllMyBuckets", NULL, NULL, err)) < 0)
        return status;
    e->out = json_pack("{s:[], s:{s:s}}", "Buckets", "Owner", "ID", objects.account);
    if (!e->out)
        return sh_s3_no_memory(err);
    return sh_bucket_each(&objects, take_bucket, json_object_get(e->out, "Buckets"), err);
}
