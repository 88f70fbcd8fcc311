/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* DeleteObject and DeleteObjects. Both are one transaction of the store, which looks at each one's condition;
 * what is not allowed is left out of it and told in the answer. */
#include "base/size.h"
#include "cloud/api/s3.h"
#include "cloud/api/s3_authorize.h"
#include "cloud/http/condition.h"

#include <string.h>
#include <strings.h>

enum { DELETE_MAX = 1000 };

/* Conditions from their texts; each may be NULL. False: one is not of its form. */
static bool read_condition(const char *match, const char *modified, const char *size, sh_object_if *out)
{
    *out = (sh_object_if){.match = match, .has_modified = modified != NULL, .has_size = size != NULL};
    if (modified && !sh_http_date_parse(modified, &out->modified_ms) &&
        !sh_time_parse_iso(modified, strlen(modified), &out->modified_ms))
        return false;
    return !size || sh_parse_i64(size, strlen(size), 0, INT64_MAX, &out->size);
}

static void fail_delete(sh_s3 *s3, const sh_object_doomed *d)
{
    sh_s3_detail detail = {"Condition", d->condition.match ? "If-Match" : NULL};
    if (d->status == SH_E_NOT_FOUND)
        sh_s3_fail_not_found(s3);
    else
        sh_s3_fail_with(s3, 412, "PreconditionFailed", &detail, 1,
                        "At least one of the pre-conditions you specified did not hold");
}

void sh_s3_delete_object(sh_s3 *s3)
{
    sh_err err = {0};
    sh_object_cause cause = sh_s3_cause(s3, "DeleteObject");
    sh_object_doomed d = {.key = s3->key, .version = sh_s3_version(s3)};
    if (!read_condition(sh_http_field_get(s3->head, "if-match"),
                        sh_http_field_get(s3->head, "x-amz-if-match-last-modified-time"),
                        sh_http_field_get(s3->head, "x-amz-if-match-size"), &d.condition)) {
        sh_s3_fail(s3, 400, "InvalidArgument",
                   "x-amz-if-match-last-modified-time is a date of HTTP, x-amz-if-match-size a number");
        return;
    }
    if (sh_objects_delete_each(&s3->objects, s3->bucket, &d, 1, &cause, &err) < 0) {
        sh_s3_fail_store(s3, &err);
        return;
    }
    if (d.status < 0) {
        fail_delete(s3, &d);
        return;
    }
    sh_cloud_wake(s3->cloud, SH_WAKE_NOTICES);
    if (d.version_id[0])
        sh_http_add_field(s3->http, "x-amz-version-id", d.version_id);
    if (d.marker)
        sh_http_add_field(s3->http, "x-amz-delete-marker", "true");
    sh_s3_answer_empty(s3, 204);
}

/* ---- many ---- */

typedef struct entry {
    sh_object_doomed doomed;
    const char *code; /* of why it is not deleted; NULL: it is */
    const char *message;
} entry;

typedef struct batch {
    sh_s3 *s3;
    entry *entries;
    size_t count;
    bool quiet;
} batch;

static const char no_version[] = "The specified version does not exist.";

/* One <Object>. False: it is not of its form. */
static bool read_entry(const sh_xml *at, entry *e)
{
    sh_object_doomed *d = &e->doomed;
    d->key = sh_xml_text(at, "Key");
    d->version = sh_xml_text(at, "VersionId");
    if (!d->key || !*d->key ||
        !read_condition(sh_xml_text(at, "ETag"), sh_xml_text(at, "LastModifiedTime"), sh_xml_text(at, "Size"),
                        &d->condition))
        return false;
    if (d->version && !*d->version)
        d->version = NULL;
    if (strlen(d->key) > SH_OBJECT_KEY_MAX) {
        e->code = "KeyTooLongError";
        e->message = "Your key is too long";
    } else if (d->version && !sh_version_id_valid(d->version)) {
        e->code = "NoSuchVersion";
        e->message = no_version;
    }
    return true;
}

/* False after having answered. */
static bool read_batch(batch *b, const sh_xml *root)
{
    const char *quiet = sh_xml_text(root, "Quiet");
    bool good = true;
    b->quiet = quiet && strcmp(quiet, "true") == 0;
    b->entries = sh_arena_alloc(b->s3->arena, DELETE_MAX * sizeof(*b->entries));
    for (const sh_xml *at = root->child; b->entries && good && at; at = at->next) {
        if (strcmp(at->name, "Quiet") == 0)
            continue;
        good =
            strcmp(at->name, "Object") == 0 && b->count < DELETE_MAX && read_entry(at, &b->entries[b->count]);
        b->count++;
    }
    if (b->entries && (!good || b->count == 0))
        sh_s3_fail(b->s3, 400, "MalformedXML", SH_S3_MALFORMED);
    return b->entries && good && b->count > 0;
}

/* Each key is asked for by itself. */
static void authorize_batch(batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        entry *e = &b->entries[i];
        const sh_object_doomed *d = &e->doomed;
        const char *sentence = "Access Denied";
        sh_err err = {0};
        const char *action = d->version ? "s3:DeleteObjectVersion" : "s3:DeleteObject";
        int status = e->code ? 0 : sh_s3_may(b->s3, action, d->key, d->version, &sentence, &err);
        if (status < 0) {
            e->code = status == SH_E_DENIED ? "AccessDenied" : "InternalError";
            e->message = status == SH_E_DENIED ? sentence : "We encountered an internal error.";
        }
    }
}

/* Deletes those that nothing speaks against. False after having answered. */
static bool delete_batch(batch *b)
{
    sh_err err = {0};
    size_t count = 0;
    sh_object_cause cause = sh_s3_cause(b->s3, "DeleteObject");
    sh_object_doomed *doomed = sh_arena_alloc(b->s3->arena, b->count * sizeof(*doomed));
    for (size_t i = 0; doomed && i < b->count; i++)
        if (!b->entries[i].code)
            doomed[count++] = b->entries[i].doomed;
    int status = doomed ? sh_objects_delete_each(&b->s3->objects, b->s3->bucket, doomed, count, &cause, &err)
                        : sh_fail(&err, SH_E_MEMORY, "no memory to delete %zu objects", b->count);
    if (status < 0) {
        sh_s3_fail_store(b->s3, &err);
        return false;
    }
    for (size_t i = 0, at = 0; i < b->count; i++)
        if (!b->entries[i].code)
            b->entries[i].doomed = doomed[at++];
    return true;
}

static void put_error(sh_buf *out, const entry *e)
{
    const sh_object_doomed *d = &e->doomed;
    bool missing = d->status == SH_E_NOT_FOUND;
    const char *code = e->code ? e->code : missing ? "NoSuchKey" : "PreconditionFailed";
    const char *message = e->code   ? e->message
                          : missing ? "The specified key does not exist."
                                    : "At least one of the pre-conditions you specified did not hold";
    sh_xml_open(out, "Error");
    sh_xml_put(out, "Key", d->key);
    if (d->version)
        sh_xml_put(out, "VersionId", d->version);
    sh_xml_put(out, "Code", code);
    sh_xml_put(out, "Message", message);
    sh_xml_close(out, "Error");
}

static void put_deleted(sh_buf *out, const sh_object_doomed *d)
{
    sh_xml_open(out, "Deleted");
    sh_xml_put(out, "Key", d->key);
    if (d->version)
        sh_xml_put(out, "VersionId", d->version);
    if (d->marker) {
        sh_xml_put(out, "DeleteMarker", "true");
        sh_xml_put(out, "DeleteMarkerVersionId", d->version_id);
    }
    sh_xml_close(out, "Deleted");
}

/* The request has to prove its body by more than the signature. */
static bool body_is_proved(sh_s3 *s3)
{
    static const char prefix[] = "x-amz-checksum-";
    if (sh_http_field_get(s3->head, "content-md5") || sh_http_field_get(s3->head, "x-amz-trailer"))
        return true;
    for (size_t i = 0; i < s3->head->field_count; i++)
        if (strncasecmp(s3->head->fields[i].name, prefix, sizeof(prefix) - 1) == 0)
            return true;
    sh_s3_fail(s3, 400, "InvalidRequest",
               "Missing required header for this request: Content-MD5 OR x-amz-checksum-*");
    return false;
}

void sh_s3_delete_objects(sh_s3 *s3)
{
    sh_buf out;
    sh_bucket bucket;
    batch b = {.s3 = s3};
    if (!sh_s3_need_bucket(s3, &bucket) || !body_is_proved(s3))
        return;
    const sh_xml *root = sh_s3_need_xml(s3, "Delete");
    if (!root || !read_batch(&b, root))
        return;
    authorize_batch(&b);
    if (!delete_batch(&b))
        return;
    sh_cloud_wake(s3->cloud, SH_WAKE_NOTICES);
    sh_s3_begin_xml(&out, "DeleteResult");
    for (size_t i = 0; i < b.count; i++) {
        const entry *e = &b.entries[i];
        if (e->code || e->doomed.status < 0)
            put_error(&out, e);
        else if (!b.quiet)
            put_deleted(&out, &e->doomed);
    }
    sh_xml_close(&out, "DeleteResult");
    sh_s3_answer_xml(s3, &out);
}
