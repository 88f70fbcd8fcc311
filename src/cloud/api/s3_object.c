/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PutObject, GetObject, HeadObject, DeleteObject, DeleteObjects. */
#include "cloud/api/s3.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- writing ---- */

void sh_s3_put_object_begin(sh_s3 *s3)
{
    sh_bucket bucket;
    const char *none = sh_http_field_get(s3->head, "if-none-match");
    if (none && strcmp(none, "*") != 0) {
        sh_s3_fail(s3, 501, "NotImplemented",
                   "A header you provided implies functionality that is not implemented: If-None-Match other "
                   "than *");
        return;
    }
    if (sh_s3_need_bucket(s3, &bucket) && sh_s3_meta_supported(s3))
        sh_s3_receive_begin(s3, 0);
}

bool sh_s3_publish(sh_s3 *s3, const char *reason, const char *content_type, const char *headers,
                   bool only_if_absent)
{
    sh_err err = {0};
    sh_object_cause cause = sh_s3_cause(s3, reason);
    sh_object_new item = {.bucket = s3->bucket,
                          .key = s3->key,
                          .path = s3->receiver.path,
                          .content_type = content_type,
                          .headers = headers,
                          .checksum = s3->receiver.checksum,
                          .etag = s3->receiver.etag,
                          .condition = {.absent = only_if_absent}};
    int status = sh_objects_publish(&s3->objects, &item, 1, &cause, &err);
    if (status == SH_E_CONFLICT) {
        sh_s3_fail(s3, 412, "PreconditionFailed",
                   "At least one of the pre-conditions you specified did not hold: If-None-Match");
        return false;
    }
    if (status < 0) {
        sh_s3_fail_store(s3, &err);
        return false;
    }
    s3->receiver.path = NULL;
    sh_cloud_wake(s3->cloud, SH_WAKE_EVENTS);
    return true;
}

void sh_s3_put_object(sh_s3 *s3)
{
    if (!sh_s3_receive_finish(s3))
        return;
    const char *headers = sh_s3_meta_json(s3);
    bool absent = sh_http_field_get(s3->head, "if-none-match") != NULL;
    if (!headers ||
        !sh_s3_publish(s3, "PutObject", sh_http_field_get(s3->head, "content-type"), headers, absent))
        return;
    sh_s3_field_quoted(s3, "ETag", s3->receiver.etag);
    sh_s3_checksum_field(s3, s3->receiver.checksum);
    sh_s3_answer_empty(s3, 200);
}

/* ---- reading ---- */

void sh_s3_get_object(sh_s3 *s3)
{
    sh_object object;
    sh_err err = {0};
    int fd = -1;
    bool head = strcmp(s3->head->method, "HEAD") == 0;
    int status = head ? sh_object_get(&s3->objects, s3->bucket, s3->key, s3->arena, &object, &err)
                      : sh_object_open(&s3->objects, s3->bucket, s3->key, s3->arena, &object, &fd, &err);
    if (status < 0) {
        sh_s3_fail_store(s3, &err);
        return;
    }
    sh_s3_answer_object(s3, &object, fd);
}

/* Tags cannot be set, so there are none. The AWS CLI asks before it copies a large object. */
void sh_s3_get_tagging(sh_s3 *s3)
{
    sh_buf out;
    sh_object object;
    sh_err err = {0};
    if (sh_object_get(&s3->objects, s3->bucket, s3->key, s3->arena, &object, &err) < 0) {
        sh_s3_fail_store(s3, &err);
        return;
    }
    sh_s3_begin_xml(&out, "Tagging");
    sh_xml_put(&out, "TagSet", "");
    sh_xml_close(&out, "Tagging");
    sh_s3_answer_xml(s3, &out);
}

/* ---- deleting ---- */

void sh_s3_delete_object(sh_s3 *s3)
{
    sh_err err = {0};
    sh_object_cause cause = sh_s3_cause(s3, "DeleteObject");
    if (sh_http_field_get(s3->head, "if-match")) {
        sh_s3_fail(s3, 501, "NotImplemented",
                   "A header you provided implies functionality that is not implemented: If-Match");
        return;
    }
    if (sh_object_delete(&s3->objects, s3->bucket, s3->key, &cause, &err) < 0) {
        sh_s3_fail_store(s3, &err);
        return;
    }
    sh_cloud_wake(s3->cloud, SH_WAKE_EVENTS);
    sh_s3_answer_empty(s3, 204);
}

enum { DELETE_MAX = 1000 };

/* Keys of the document; -1 after having answered. */
static int read_keys(sh_s3 *s3, const sh_xml *root, const char **keys)
{
    int count = 0;
    for (const sh_xml *at = sh_xml_child(root, "Object"); at; at = sh_xml_next(at, "Object")) {
        const char *key = sh_xml_text(at, "Key");
        const char *version = sh_xml_text(at, "VersionId");
        if (count == DELETE_MAX || !key || !*key) {
            sh_s3_fail(
                s3, 400, "MalformedXML",
                "The XML you provided was not well-formed or did not validate against our published schema: "
                "1 to %d <Object> with a <Key> each",
                DELETE_MAX);
            return -1;
        }
        if (sh_xml_child(at, "ETag") || (version && strcmp(version, "null") != 0)) {
            sh_s3_fail(s3, 501, "NotImplemented", "DeleteObjects with VersionId or ETag is not implemented");
            return -1;
        }
        keys[count++] = key;
    }
    if (count == 0)
        sh_s3_fail(s3, 400, "MalformedXML", "The XML you provided names no <Object>");
    return count ? count : -1;
}

void sh_s3_delete_objects(sh_s3 *s3)
{
    sh_buf out;
    sh_err err = {0};
    sh_object_cause cause = sh_s3_cause(s3, "DeleteObject");
    const char **keys = sh_arena_alloc(s3->arena, DELETE_MAX * sizeof(*keys));
    const sh_xml *root = sh_s3_need_xml(s3, "Delete");
    int count = root && keys ? read_keys(s3, root, keys) : -1;
    if (count < 0)
        return;
    const char *quiet = sh_xml_text(root, "Quiet");
    if (sh_objects_delete(&s3->objects, s3->bucket, keys, (size_t)count, &cause, &err) < 0) {
        sh_s3_fail_store(s3, &err);
        return;
    }
    sh_cloud_wake(s3->cloud, SH_WAKE_EVENTS);
    sh_s3_begin_xml(&out, "DeleteResult");
    for (int i = 0; i < count && !(quiet && strcmp(quiet, "true") == 0); i++) {
        sh_xml_open(&out, "Deleted");
        sh_xml_put(&out, "Key", keys[i]);
        sh_xml_close(&out, "Deleted");
    }
    sh_xml_close(&out, "DeleteResult");
    sh_s3_answer_xml(s3, &out);
}
