/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/api/s3.h"

#include <stdio.h>
#include <string.h>

typedef struct bucket_xml {
    sh_buf *out;
} bucket_xml;

static int put_bucket(void *opaque, const sh_bucket *bucket)
{
    bucket_xml *x = opaque;
    sh_xml_open(x->out, "Bucket");
    sh_xml_put(x->out, "Name", bucket->name);
    sh_s3_put_time(x->out, "CreationDate", bucket->created_ms);
    sh_xml_close(x->out, "Bucket");
    return 0;
}

void sh_s3_list_buckets(sh_s3 *s3)
{
    sh_buf out;
    sh_err err = {0};
    bucket_xml x = {&out};
    sh_s3_begin_xml(&out, "ListAllMyBucketsResult");
    sh_s3_put_owner(&out, s3, "Owner");
    sh_xml_open(&out, "Buckets");
    if (sh_bucket_each(&s3->objects, put_bucket, &x, &err) < 0) {
        sh_buf_free(&out);
        sh_s3_fail_store(s3, &err);
        return;
    }
    sh_xml_close(&out, "Buckets");
    sh_xml_close(&out, "ListAllMyBucketsResult");
    sh_s3_answer_xml(s3, &out);
}

/* The region that the body asks for: this server's, or an error. */
static bool location_good(sh_s3 *s3)
{
    const char *region = s3->objects.region;
    if (s3->body_length == 0)
        return true;
    const sh_xml *root = sh_s3_need_xml(s3, "CreateBucketConfiguration");
    if (!root)
        return false;
    const char *wanted = sh_xml_text(root, "LocationConstraint");
    for (const sh_xml *child = root->child; child; child = child->next)
        if (strcmp(child->name, "LocationConstraint") != 0) {
            sh_s3_fail(s3, 501, "NotImplemented", "CreateBucketConfiguration with <%.60s> is not implemented",
                       child->name);
            return false;
        }
    if (!wanted || strcmp(wanted, region) == 0)
        return true;
    sh_s3_fail(
        s3, 400, "IllegalLocationConstraintException",
        "The %.60s location constraint is incompatible for the region specific endpoint this request was "
        "sent to: this server is region %s.",
        wanted, region);
    return false;
}

void sh_s3_create_bucket(sh_s3 *s3)
{
    sh_err err = {0};
    const char *lock = sh_http_field_get(s3->head, "x-amz-bucket-object-lock-enabled");
    if (lock && strcmp(lock, "true") == 0) {
        sh_s3_fail(s3, 501, "NotImplemented", "Object lock is not implemented");
        return;
    }
    if (!sh_s3_meta_supported(s3) || !location_good(s3))
        return;
    int status = sh_bucket_create(&s3->objects, s3->bucket, s3->objects.region, &err);
    if (status == SH_E_CONFLICT) {
        /* Everything belongs to one account; us-east-1 answers a repetition as a success. */
        if (strcmp(s3->objects.region, "us-east-1") != 0) {
            sh_s3_fail(s3, 409, "BucketAlreadyOwnedByYou",
                       "Your previous request to create the named bucket succeeded and you already own it.");
            return;
        }
    } else if (status < 0) {
        sh_s3_fail_store(s3, &err);
        return;
    }
    char *location = sh_arena_printf(s3->arena, "/%s", s3->bucket);
    if (location)
        sh_http_add_field(s3->http, "Location", location);
    sh_s3_answer_empty(s3, 200);
}

void sh_s3_head_bucket(sh_s3 *s3)
{
    sh_bucket bucket;
    if (!sh_s3_need_bucket(s3, &bucket))
        return;
    sh_http_add_field(s3->http, "x-amz-bucket-region", bucket.region);
    sh_http_add_field(s3->http, "x-amz-access-point-alias", "false");
    sh_s3_answer_empty(s3, 200);
}

void sh_s3_delete_bucket(sh_s3 *s3)
{
    sh_err err = {0};
    int status = sh_bucket_delete(&s3->objects, s3->bucket, &err);
    if (status == SH_E_CONFLICT)
        sh_s3_fail(s3, 409, "BucketNotEmpty", "The bucket you tried to delete is not empty");
    else if (status < 0)
        sh_s3_fail_store(s3, &err);
    else
        sh_s3_answer_empty(s3, 204);
}

void sh_s3_get_location(sh_s3 *s3)
{
    sh_buf out;
    sh_bucket bucket;
    if (!sh_s3_need_bucket(s3, &bucket))
        return;
    sh_s3_begin_xml(&out, "LocationConstraint");
    if (strcmp(bucket.region, "us-east-1") != 0) /* which S3 writes as nothing */
        sh_xml_escape(&out, bucket.region);
    sh_xml_close(&out, "LocationConstraint");
    sh_s3_answer_xml(s3, &out);
}

void sh_s3_get_notification(sh_s3 *s3)
{
    sh_buf out;
    sh_bucket bucket;
    if (!sh_s3_need_bucket(s3, &bucket))
        return;
    sh_s3_begin_xml(&out, "NotificationConfiguration");
    if (bucket.eventbridge)
        sh_xml_put(&out, "EventBridgeConfiguration", "");
    sh_xml_close(&out, "NotificationConfiguration");
    sh_s3_answer_xml(s3, &out);
}

void sh_s3_put_notification(sh_s3 *s3)
{
    static const char *const others[] = {"TopicConfiguration", "QueueConfiguration",
                                         "CloudFunctionConfiguration", "LambdaFunctionConfiguration"};
    sh_err err = {0};
    sh_bucket bucket;
    bool on = false;
    if (!sh_s3_need_bucket(s3, &bucket))
        return;
    const sh_xml *root = sh_s3_need_xml(s3, "NotificationConfiguration");
    if (!root)
        return;
    for (const sh_xml *child = root->child; child; child = child->next) {
        if (strcmp(child->name, "EventBridgeConfiguration") == 0) {
            on = true;
            continue;
        }
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
            if (strcmp(child->name, others[i]) == 0) {
                sh_s3_fail(s3, 501, "NotImplemented",
                           "Bucket notifications to SNS, SQS and Lambda (<%s>) are not implemented; "
                           "EventBridgeConfiguration is",
                           child->name);
                return;
            }
        sh_s3_fail(s3, 400, "MalformedXML",
                   "The XML you provided did not validate against our published schema: <%.60s> is unknown",
                   child->name);
        return;
    }
    if (sh_bucket_set_eventbridge(&s3->objects, s3->bucket, on, &err) < 0)
        sh_s3_fail_store(s3, &err);
    else
        sh_s3_answer_empty(s3, 200);
}
