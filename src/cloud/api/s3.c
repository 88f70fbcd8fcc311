/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of S3's operations, and the way from a request to its row: by method, by what the request is
 * about (s3_target.h) and by the parameter that names a subresource. */
#include "cloud/api/s3.h"
#include "cloud/api/s3_authorize.h"
#include "cloud/api/s3_config.h"
#include "cloud/api/s3_form.h"

#include <string.h>
#include <strings.h>

static const sh_s3_operation operations[] = {
    {"GET", 's', NULL, "ListBuckets", sh_s3_list_buckets, NULL},
    {"PUT", 'b', NULL, "CreateBucket", sh_s3_create_bucket, NULL},
    {"HEAD", 'b', NULL, "HeadBucket", sh_s3_head_bucket, NULL},
    {"DELETE", 'b', NULL, "DeleteBucket", sh_s3_delete_bucket, NULL},
    {"GET", 'b', "location", "GetBucketLocation", sh_s3_get_location, NULL},
    {"GET", 'b', "versioning", "GetBucketVersioning", sh_s3_get_versioning, NULL},
    {"PUT", 'b', "versioning", "PutBucketVersioning", sh_s3_put_versioning, NULL},
    {"GET", 'b', "versions", "ListObjectVersions", sh_s3_list_versions, NULL},
    {"GET", 'b', "notification", "GetBucketNotificationConfiguration", sh_s3_get_notification, NULL},
    {"PUT", 'b', "notification", "PutBucketNotificationConfiguration", sh_s3_put_notification, NULL},
    {"GET", 'b', "acl", "GetBucketAcl", sh_s3_get_bucket_acl, NULL},
    {"PUT", 'b', "acl", "PutBucketAcl", sh_s3_put_bucket_acl, NULL},
    {"GET", 'o', "acl", "GetObjectAcl", sh_s3_get_object_acl, NULL},
    {"PUT", 'o', "acl", "PutObjectAcl", sh_s3_put_object_acl, NULL},
    {"GET", 'b', "cors", "GetBucketCors", sh_s3_get_cors, NULL},
    {"PUT", 'b', "cors", "PutBucketCors", sh_s3_put_cors, NULL},
    {"DELETE", 'b', "cors", "DeleteBucketCors", sh_s3_delete_cors, NULL},
    {"GET", 'b', "policy", "GetBucketPolicy", sh_s3_get_policy, NULL},
    {"PUT", 'b', "policy", "PutBucketPolicy", sh_s3_put_policy, NULL},
    {"DELETE", 'b', "policy", "DeleteBucketPolicy", sh_s3_delete_policy, NULL},
    {"GET", 'b', "policyStatus", "GetBucketPolicyStatus", sh_s3_get_policy_status, NULL},
    {"GET", 'b', "publicAccessBlock", "GetPublicAccessBlock", sh_s3_get_public_block, NULL},
    {"PUT", 'b', "publicAccessBlock", "PutPublicAccessBlock", sh_s3_put_public_block, NULL},
    {"DELETE", 'b', "publicAccessBlock", "DeletePublicAccessBlock", sh_s3_delete_public_block, NULL},
    {"GET", 'b', "ownershipControls", "GetBucketOwnershipControls", sh_s3_get_ownership, NULL},
    {"PUT", 'b', "ownershipControls", "PutBucketOwnershipControls", sh_s3_put_ownership, NULL},
    {"DELETE", 'b', "ownershipControls", "DeleteBucketOwnershipControls", sh_s3_delete_ownership, NULL},
    {"GET", 'b', "tagging", "GetBucketTagging", sh_s3_get_bucket_tagging, NULL},
    {"PUT", 'b', "tagging", "PutBucketTagging", sh_s3_put_bucket_tagging, NULL},
    {"DELETE", 'b', "tagging", "DeleteBucketTagging", sh_s3_delete_bucket_tagging, NULL},
    {"GET", 'b', "lifecycle", "GetBucketLifecycleConfiguration", sh_s3_get_lifecycle, NULL},
    {"PUT", 'b', "lifecycle", "PutBucketLifecycleConfiguration", sh_s3_put_lifecycle, NULL},
    {"DELETE", 'b', "lifecycle", "DeleteBucketLifecycle", sh_s3_delete_lifecycle, NULL},
    {"GET", 'b', "encryption", "GetBucketEncryption", sh_s3_get_encryption, NULL},
    {"PUT", 'b', "encryption", "PutBucketEncryption", sh_s3_put_encryption, NULL},
    {"DELETE", 'b', "encryption", "DeleteBucketEncryption", sh_s3_delete_encryption, NULL},
    {"GET", 'b', "requestPayment", "GetBucketRequestPayment", sh_s3_get_absent, NULL},
    {"PUT", 'b', "requestPayment", "PutBucketRequestPayment", sh_s3_put_absent, NULL},
    {"GET", 'b', "logging", "GetBucketLogging", sh_s3_get_absent, NULL},
    {"PUT", 'b', "logging", "PutBucketLogging", sh_s3_put_absent, NULL},
    {"GET", 'b', "accelerate", "GetBucketAccelerateConfiguration", sh_s3_get_absent, NULL},
    {"PUT", 'b', "accelerate", "PutBucketAccelerateConfiguration", sh_s3_put_absent, NULL},
    {"GET", 'b', "website", "GetBucketWebsite", sh_s3_get_absent, NULL},
    {"DELETE", 'b', "website", "DeleteBucketWebsite", sh_s3_delete_absent, NULL},
    {"GET", 'b', "replication", "GetBucketReplication", sh_s3_get_absent, NULL},
    {"DELETE", 'b', "replication", "DeleteBucketReplication", sh_s3_delete_absent, NULL},
    {"GET", 'b', "object-lock", "GetObjectLockConfiguration", sh_s3_get_absent, NULL},
    {"GET", 'b', "analytics", "GetAnalyticsConfiguration", sh_s3_get_absent, NULL},
    {"GET", 'b', "inventory", "GetInventoryConfiguration", sh_s3_get_absent, NULL},
    {"GET", 'b', "metrics", "GetMetricsConfiguration", sh_s3_get_absent, NULL},
    {"GET", 'b', "intelligent-tiering", "GetIntelligentTieringConfiguration", sh_s3_get_absent, NULL},
    {"GET", 'b', "uploads", "ListMultipartUploads", sh_s3_list_uploads, NULL},
    {"POST", 'b', NULL, "PostObject", sh_s3_post_object, sh_s3_post_object_begin},
    {"POST", 'b', "delete", "DeleteObjects", sh_s3_delete_objects, NULL},
    {"GET", 'b', NULL, "ListObjects", sh_s3_list_v1, NULL},
    {"PUT", 'o', NULL, "PutObject", sh_s3_put_object, sh_s3_put_object_begin},
    {"GET", 'o', NULL, "GetObject", sh_s3_get_object, NULL},
    {"HEAD", 'o', NULL, "HeadObject", sh_s3_get_object, NULL},
    {"DELETE", 'o', NULL, "DeleteObject", sh_s3_delete_object, NULL},
    {"GET", 'o', "attributes", "GetObjectAttributes", sh_s3_get_attributes, NULL},
    {"GET", 'o', "tagging", "GetObjectTagging", sh_s3_get_tagging, NULL},
    {"PUT", 'o', "tagging", "PutObjectTagging", sh_s3_put_tagging, NULL},
    {"DELETE", 'o', "tagging", "DeleteObjectTagging", sh_s3_delete_tagging, NULL},
    {"POST", 'o', "uploads", "CreateMultipartUpload", sh_s3_create_upload, NULL},
    {"PUT", 'o', "uploadId", "UploadPart", sh_s3_upload_part, sh_s3_upload_part_begin},
    {"POST", 'o', "uploadId", "CompleteMultipartUpload", sh_s3_complete_upload, NULL},
    {"DELETE", 'o', "uploadId", "AbortMultipartUpload", sh_s3_abort_upload, NULL},
    {"GET", 'o', "uploadId", "ListParts", sh_s3_list_parts, NULL},
};
static const sh_s3_operation copy_object = {"PUT", 'o', NULL, "CopyObject", sh_s3_copy_object, NULL};
static const sh_s3_operation upload_part_copy = {
    "PUT", 'o', "uploadId", "UploadPartCopy", sh_s3_upload_part_copy, NULL};

/* Query parameters that make another operation of a request, served here or not. */
static const char *const subresources[] = {
    "accelerate",
    "acl",
    "analytics",
    "attributes",
    "cors",
    "delete",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "location",
    "logging",
    "metadataTable",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "session",
    "tagging",
    "torrent",
    "uploads",
    "versioning",
    "versions",
    "website",
    "uploadId",
};

static const char *subresource_of(const sh_http_head *head)
{
    for (size_t i = 0; i < sizeof(subresources) / sizeof(subresources[0]); i++)
        if (sh_http_param_has(head, subresources[i]))
            return subresources[i];
    return NULL;
}

static const sh_s3_operation *find_operation(sh_s3 *s3)
{
    const char *method = s3->head->method;
    const char *subresource = subresource_of(s3->head);
    char level = s3->key ? 'o' : s3->bucket ? 'b' : 's';
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        const sh_s3_operation *row = &operations[i];
        bool same =
            row->subresource ? subresource && strcmp(row->subresource, subresource) == 0 : !subresource;
        if (row->level != level || !same || strcmp(row->method, method) != 0)
            continue;
        if (row->run == sh_s3_put_object && sh_http_field_get(s3->head, "x-amz-copy-source"))
            return &copy_object;
        if (row->run == sh_s3_upload_part && sh_http_field_get(s3->head, "x-amz-copy-source"))
            return &upload_part_copy;
        return row;
    }
    if (subresource)
        sh_s3_fail(
            s3, 501, "NotImplemented",
            "A header or query you provided implies functionality that is not implemented: %s with \"%s\"",
            method, subresource);
    else
        sh_s3_fail(s3, 405, "MethodNotAllowed", "The specified method is not allowed against this resource.");
    return NULL;
}

static bool names_valid(sh_s3 *s3)
{
    const char *owner = sh_http_field_get(s3->head, "x-amz-expected-bucket-owner");
    if (s3->bucket && !sh_bucket_name_valid(s3->bucket)) {
        sh_s3_fail(s3, 400, "InvalidBucketName", "The specified bucket is not valid.");
        return false;
    }
    if (s3->key && strlen(s3->key) > SH_OBJECT_KEY_MAX) {
        size_t length = strlen(s3->key);
        s3->key = NULL; /* not worth repeating in the answer */
        sh_s3_fail(s3, 400, "KeyTooLongError", "Your key is too long: %zu bytes, at most %d are possible",
                   length, SH_OBJECT_KEY_MAX);
        return false;
    }
    if (owner && strcmp(owner, s3->objects.account) != 0) {
        sh_s3_fail(s3, 403, "AccessDenied", "Access Denied");
        return false;
    }
    return true;
}

static bool version_valid(sh_s3 *s3)
{
    return !s3->key || sh_s3_version_good(s3, "versionId", sh_s3_version(s3));
}

void sh_s3_begin(sh_s3 **out, sh_cloud *cloud, sh_http_request *http, const sh_s3_target *target,
                 const sh_sigv4 *claim, const sh_caller *caller)
{
    sh_s3 *s3 = sh_arena_alloc(sh_http_request_arena(http), sizeof(*s3));
    const sh_http_head *head = sh_s3_hoist(sh_http_request_head(http), claim, sh_http_request_arena(http));
    if (!s3 || !head)
        return;
    *s3 = (sh_s3){.cloud = cloud,
                  .objects = sh_cloud_objects(cloud),
                  .http = http,
                  .head = head,
                  .arena = sh_http_request_arena(http),
                  .claim = claim,
                  .caller = caller,
                  .bucket = target->bucket,
                  .key = target->key,
                  .receiver = {.fd = -1}};
    *out = s3;
    if (!names_valid(s3) || !version_valid(s3))
        return;
    s3->operation = find_operation(s3);
    if (s3->operation)
        sh_http_note(http, "s3", s3->operation->name, s3->bucket);
    if (s3->operation && !sh_s3_authorize(s3))
        return;
    if (s3->operation && s3->operation->begin)
        s3->operation->begin(s3);
    else if (s3->operation)
        sh_http_keep_body(http, SH_S3_BODY_MAX);
}

void sh_s3_finish(sh_s3 *s3)
{
    bool overflow;
    if (!s3->operation) /* it was refused, but there was no memory to say so */
        return;
    if (!s3->operation->begin) {
        s3->body = sh_http_body(s3->http, &s3->body_length, &overflow);
        if (overflow) {
            sh_s3_fail(s3, 400, "MaxMessageLengthExceeded", "Your request was too large.");
            return;
        }
        if (!sh_s3_check_body(s3))
            return;
    }
    s3->operation->run(s3);
}

void sh_s3_end(sh_s3 *s3)
{
    if (!s3)
        return;
    sh_s3_receive_end(s3);
    sh_s3_form_end(s3->form);
    sh_bucket_rules_release(s3->rules);
    s3->rules = NULL;
}

sh_object_cause sh_s3_cause(const sh_s3 *s3, const char *reason)
{
    return (sh_object_cause){.reason = reason,
                             .request_id = sh_http_request_id(s3->http),
                             .requester = s3->objects.account,
                             .source_ip = sh_http_request_client(s3->http)};
}
