/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_S3_RULES_H
#define SH_API_S3_RULES_H
/* What is configured of a bucket, parsed: its policy, ACL, ownership, public access block, CORS, lifecycle.
 * Parsed once and kept until a bucket changes (sh_buckets_generation), shared by all requests, immutable. On
 * a hit it costs a lock and a look at a table; no statement of SQL. */
#include "cloud/api/caller.h"
#include "cloud/api/cloud.h"
#include "cloud/policy/policy.h"
#include "cloud/store/objects.h"

typedef enum sh_ownership {
    SH_OWNERSHIP_ENFORCED,  /* BucketOwnerEnforced, of new buckets: ACLs count for nothing */
    SH_OWNERSHIP_PREFERRED, /* BucketOwnerPreferred */
    SH_OWNERSHIP_WRITER,    /* ObjectWriter */
} sh_ownership;

/* Public access block: all four are on for a new bucket. */
typedef struct sh_public_block {
    bool acls;             /* BlockPublicAcls: no public ACL is taken */
    bool ignore;           /* IgnorePublicAcls: public grants of ACLs count for nothing */
    bool policy;           /* BlockPublicPolicy: no public policy is taken */
    bool restrict_buckets; /* RestrictPublicBuckets: a public policy lets in only the own account */
} sh_public_block;

struct sh_cors;
struct sh_lifecycle;

typedef struct sh_bucket_rules {
    sh_bucket bucket;
    const sh_policy *policy; /* NULL: none */
    bool policy_public;      /* it is public in the sense of "The meaning of public" */
    const char *acl;         /* as in s3_acl.h; NULL: private */
    sh_ownership ownership;
    sh_public_block block;
    const struct sh_cors *cors;           /* s3_cors.h; NULL: none */
    const struct sh_lifecycle *lifecycle; /* s3_lifecycle.h; NULL: none */
    /* the texts as they are kept; NULL: none */
    const char *policy_text, *tagging_text, *lifecycle_text, *notification_text, *encryption_text,
        *block_text, *ownership_text, *cors_text;
} sh_bucket_rules;

/* Borrowed until sh_bucket_rules_release. SH_E_NOT_FOUND: no such bucket. A configuration that cannot be
 * parsed any more is an error, never as if it were not there. */
int sh_bucket_rules_get(sh_cloud *cloud, const char *bucket, const sh_bucket_rules **out, sh_err *err);
void sh_bucket_rules_release(const sh_bucket_rules *rules); /* NULL is fine */

struct sh_s3;
/* Those of the request's bucket, looked up once and held until the request's end. */
int sh_s3_rules(struct sh_s3 *s3, const sh_bucket_rules **out, sh_err *err);
/* The same; NULL after having answered NoSuchBucket and the like. */
const sh_bucket_rules *sh_s3_need_rules(struct sh_s3 *s3);

/* sh_cloud_open and sh_cloud_close. */
struct sh_rules_cache;
int sh_rules_open(sh_cloud *cloud, sh_err *err);
void sh_rules_close(sh_cloud *cloud);

#endif
