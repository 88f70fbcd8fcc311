/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making, finding and removing buckets. */
#include "cloud/api/s3.h"
#include "cloud/api/s3_acl_read.h"
#include "cloud/api/s3_config.h"
#include "cloud/store/buckets.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- ListBuckets ---- */

enum { PAGE_MAX = 10000, CREATE_TAGS = 50 };

typedef struct bucket_page {
    sh_s3 *s3;
    sh_buf *out;
    const char *prefix, *after;
    bool regions; /* the request has a parameter: then each bucket says its region */
    int64_t max, given;
    char last[SH_BUCKET_NAME_MAX + 1];
    bool more;
} bucket_page;

static int put_bucket(void *opaque, const sh_bucket *bucket)
{
    bucket_page *p = opaque;
    if (strncmp(bucket->name, p->prefix, strlen(p->prefix)) != 0 || strcmp(bucket->name, p->after) <= 0)
        return 0;
    if (p->given == p->max) {
        p->more = true;
        return 1;
    }
    p->given++;
    snprintf(p->last, sizeof(p->last), "%s", bucket->name);
    sh_xml_open(p->out, "Bucket");
    sh_xml_put(p->out, "Name", bucket->name);
    sh_s3_put_time(p->out, "CreationDate", bucket->created_ms);
    if (p->regions)
        sh_xml_put(p->out, "BucketRegion", bucket->region);
    sh_xml_close(p->out, "Bucket");
    return 0;
}

static bool read_page(bucket_page *p)
{
    sh_s3 *s3 = p->s3;
    const char *prefix = sh_http_param_get(s3->head, "prefix");
    const char *region = sh_http_param_get(s3->head, "bucket-region");
    const char *token = sh_http_param_get(s3->head, "continuation-token");
    p->regions = prefix || region || token || sh_http_param_has(s3->head, "max-buckets");
    p->prefix = prefix ? prefix : "";
    p->after = "";
    if (!sh_s3_int_param(s3, "max-buckets", 1, PAGE_MAX, PAGE_MAX, &p->max))
        return false;
    if (!sh_http_param_has(s3->head, "max-buckets"))
        p->max = INT64_MAX;
    if (token && *token && !(p->after = sh_s3_token_read(s3, token))) {
        sh_s3_bad_argument(s3, "continuation-token", token, "The continuation token provided is incorrect");
        return false;
    }
    if (region && strcmp(region, s3->objects.region) != 0) /* all are in this one */
        p->max = 0;
    return true;
}

void sh_s3_list_buckets(sh_s3 *s3)
{
    sh_buf out;
    sh_err err = {0};
    bucket_page p = {.s3 = s3, .out = &out};
    if (!read_page(&p))
        return;
    sh_s3_begin_xml(&out, "ListAllMyBucketsResult");
    sh_xml_open(&out, "Buckets");
    if (p.max > 0 && sh_bucket_each(&s3->objects, put_bucket, &p, &err) < 0) {
        sh_buf_free(&out);
        sh_s3_fail_store(s3, &err);
        return;
    }
    sh_xml_close(&out, "Buckets");
    sh_s3_put_owner(&out, s3, "Owner");
    if (p.more)
        sh_s3_put_token(s3, &out, "ContinuationToken", p.last);
    if (*p.prefix)
        sh_xml_put(&out, "Prefix", p.prefix);
    sh_xml_close(&out, "ListAllMyBucketsResult");
    sh_s3_answer_xml(s3, &out);
}

/* ---- CreateBucket ---- */

static bool is_region(const char *name)
{
    static const char *const starts[] = {"us-", "eu-", "ap-", "sa-", "ca-",
                                         "me-", "af-", "il-", "mx-", "cn-"};
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
        if (strncmp(name, starts[i], 3) == 0)
            return length > 8 && name[length - 1] >= '1' && name[length - 1] <= '9';
    return false;
}

/* us-east-1 is the region of a request that names none, and is never named. */
static bool location_good(sh_s3 *s3, const char *wanted)
{
    const char *region = s3->objects.region;
    bool first = strcmp(region, "us-east-1") == 0;
    if (wanted && strcmp(wanted, "EU") == 0)
        wanted = "eu-west-1";
    if (wanted ? !first && strcmp(wanted, region) == 0 : first)
        return true;
    if (!wanted)
        sh_s3_fail(
            s3, 400, "IllegalLocationConstraintException",
            "The unspecified location constraint is incompatible for the region specific endpoint this "
            "request was sent to.");
    else if (!is_region(wanted) || strcmp(wanted, "us-east-1") == 0)
        sh_s3_fail(s3, 400, "InvalidLocationConstraint", "The specified location-constraint is not valid");
    else
        sh_s3_fail(s3, 400, "IllegalLocationConstraintException",
                   "The %.60s location constraint is incompatible for the region specific endpoint this "
                   "request was sent to.",
                   wanted);
    return false;
}

/* Region and tags that the body asks for. */
static bool read_configuration(sh_s3 *s3, const char **tagging)
{
    static const char *const only[] = {"LocationConstraint", "Tags", "Location", "Bucket", NULL};
    const sh_xml *root = NULL;
    if (s3->body_length && !(root = sh_s3_need_xml(s3, "CreateBucketConfiguration")))
        return false;
    if (root && !sh_s3_only_children(s3, root, only))
        return false;
    if (sh_xml_child(root, "Location") || sh_xml_child(root, "Bucket")) {
        sh_s3_fail(s3, 501, "NotImplemented",
                   "CreateBucketConfiguration with <%s> (a directory bucket) is not implemented",
                   sh_xml_child(root, "Location") ? "Location" : "Bucket");
        return false;
    }
    const sh_xml *tags = sh_xml_child(root, "Tags");
    if (tags) {
        if (!sh_s3_tag_set_good(s3, tags, CREATE_TAGS))
            return false;
        sh_xml set = {.name = "TagSet", .text = "", .child = tags->child};
        sh_xml tagged = {.name = "Tagging", .text = "", .child = &set};
        *tagging = sh_s3_xml_text(&tagged, s3->arena);
    }
    const char *wanted = sh_xml_text(root, "LocationConstraint");
    return location_good(s3, wanted && *wanted ? wanted : NULL);
}

/* The ownership asked for, and whether it goes together with the ACL. False after having answered. */
static bool ownership_good(sh_s3 *s3, const char *acl, const char **text)
{
    const char *wanted = sh_http_field_get(s3->head, "x-amz-object-ownership");
    if (wanted && !sh_s3_ownership_known(wanted)) {
        sh_s3_bad_argument(s3, "x-amz-object-ownership", wanted, "Invalid x-amz-object-ownership header");
        return false;
    }
    bool open = s3->cloud->settings.open_buckets;
    if (acl && (wanted ? strcmp(wanted, "BucketOwnerEnforced") == 0 : !open)) {
        sh_s3_fail(s3, 400, "InvalidBucketAclWithObjectOwnership",
                   "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting");
        return false;
    }
    if (sh_acl_is_public(acl) && !open) {
        sh_s3_fail(s3, 400, "InvalidBucketAclWithBlockPublicAccessError",
                   "Bucket cannot have public ACLs set with BlockPublicAccess enabled");
        return false;
    }
    *text = wanted ? sh_arena_printf(s3->arena,
                                     "<OwnershipControls><Rule><ObjectOwnership>%s</ObjectOwnership></Rule>"
                                     "</OwnershipControls>",
                                     wanted)
            : open ? NULL
                   : SH_BUCKET_OWNER_ENFORCED;
    return true;
}

static void answer_created(sh_s3 *s3)
{
    char *location = sh_arena_printf(s3->arena, "/%s", s3->bucket);
    char *arn = sh_arena_printf(s3->arena, "arn:aws:s3:::%s", s3->bucket);
    if (location && arn) {
        sh_http_add_field(s3->http, "Location", location);
        sh_http_add_field(s3->http, "x-amz-bucket-arn", arn);
    }
    sh_s3_answer_empty(s3, 200);
}

void sh_s3_create_bucket(sh_s3 *s3)
{
    bool given;
    sh_err err = {0};
    const char *acl, *ownership, *tagging = NULL;
    const char *lock = sh_http_field_get(s3->head, "x-amz-bucket-object-lock-enabled");
    if (lock && strcasecmp(lock, "true") == 0) {
        sh_s3_fail(s3, 501, "NotImplemented",
                   "A header you provided implies functionality that is not implemented: "
                   "x-amz-bucket-object-lock-enabled");
        return;
    }
    if (!read_configuration(s3, &tagging) || !sh_s3_acl_fields(s3, true, &given, &acl) ||
        !ownership_good(s3, acl, &ownership))
        return;
    const sh_bucket_config configs[] = {
        {"block", s3->cloud->settings.open_buckets ? NULL : SH_BUCKET_BLOCK_ALL},
        {"ownership", ownership},
        {"acl", acl},
        {"tagging", tagging},
        {NULL, NULL}};
    int status = sh_bucket_create_with(&s3->objects, s3->bucket, s3->objects.region, configs, &err);
    /* Everything belongs to one account; us-east-1 answers a repetition as a success. */
    if (status == SH_E_CONFLICT && strcmp(s3->objects.region, "us-east-1") != 0)
        sh_s3_fail(s3, 409, "BucketAlreadyOwnedByYou",
                   "Your previous request to create the named bucket succeeded and you already own it.");
    else if (status < 0 && status != SH_E_CONFLICT)
        sh_s3_fail_store(s3, &err);
    else
        answer_created(s3);
}

/* ---- the others ---- */

void sh_s3_head_bucket(sh_s3 *s3)
{
    sh_bucket bucket;
    if (!sh_s3_need_bucket(s3, &bucket))
        return;
    char *arn = sh_arena_printf(s3->arena, "arn:aws:s3:::%s", s3->bucket);
    if (arn)
        sh_http_add_field(s3->http, "x-amz-bucket-arn", arn);
    sh_http_add_field(s3->http, "x-amz-bucket-region", bucket.region);
    sh_http_add_field(s3->http, "x-amz-access-point-alias", "false");
    sh_s3_answer_empty(s3, 200);
}

void sh_s3_delete_bucket(sh_s3 *s3)
{
    sh_err err = {0};
    sh_bucket bucket;
    if (!sh_s3_need_bucket(s3, &bucket))
        return;
    int status = sh_bucket_delete(&s3->objects, s3->bucket, &err);
    if (status == SH_E_CONFLICT)
        sh_s3_fail(
            s3, 409, "BucketNotEmpty", "The bucket you tried to delete is not empty%s",
            bucket.versioning == SH_VERSIONING_NEVER ? "" : ". You must delete all versions in the bucket.");
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
