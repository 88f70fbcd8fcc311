/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_BUCKETS_H
#define SH_STORE_BUCKETS_H
/* What is configured of a bucket, beside its row (objects.h): a text for each kind. What the texts mean is
 * cloud/api's business (s3_rules.h). */
#include "cloud/store/objects.h"

/* Kinds: "policy", "acl", "cors", "lifecycle", "tagging", "ownership", "block", "notification",
 * "encryption". value: NULL takes it away, which is fine when there is none. SH_E_NOT_FOUND: no such
 * bucket. */
int sh_bucket_config_set(const sh_objects *objects, const char *bucket, const char *kind, const char *value,
                         sh_err *err);

typedef struct sh_bucket_config {
    const char *kind;  /* NULL: the end of the list */
    const char *value; /* NULL: left out */
} sh_bucket_config;

/* What a new bucket has unless its maker says otherwise: all public access is blocked, ACLs are disabled. */
#define SH_BUCKET_BLOCK_ALL                                                                                  \
    "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>"                                \
    "<IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy>"                   \
    "<RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>"
#define SH_BUCKET_OWNER_ENFORCED                                                                             \
    "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>"                 \
    "</OwnershipControls>"
extern const sh_bucket_config sh_bucket_defaults[];

/* As sh_bucket_create, with other configurations than the defaults. */
int sh_bucket_create_with(const sh_objects *objects, const char *name, const char *region,
                          const sh_bucket_config *configs, sh_err *err);

/* name: the kind, or the bucket for sh_bucket_config_with. Strings live until fn returns; non-zero ends. */
typedef int (*sh_bucket_config_fn)(void *opaque, const char *name, const char *value, int64_t modified_ms);
int sh_bucket_config_each(const sh_objects *objects, const char *bucket, sh_bucket_config_fn fn, void *opaque,
                          sh_err *err);
/* Every bucket that has that kind. */
int sh_bucket_config_with(const sh_objects *objects, const char *kind, sh_bucket_config_fn fn, void *opaque,
                          sh_err *err);

/* Raised by every change of any bucket or of its configuration. What was read after this number was taken is
 * true for as long as the number stays. */
uint64_t sh_buckets_generation(void);

#endif
