/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_S3_ACL_READ_H
#define SH_API_S3_ACL_READ_H
/* What s3_acl.c has for the operations on ACLs and for CreateBucket. */
#include "cloud/api/s3.h"
#include "cloud/api/s3_acl.h"

enum { SH_ACL_GRANTS_MAX = 100 };

typedef struct sh_acl_group {
    const char *name, *uri;
} sh_acl_group;
extern const sh_acl_group sh_acl_groups[]; /* ends with a NULL name */

/* A grant of a text, not terminated. */
typedef struct sh_acl_grant {
    const char *permission;
    size_t permission_length;
    const char *grantee;
    size_t grantee_length;
} sh_acl_grant;
bool sh_acl_next(const char **at, sh_acl_grant *out);

/* An ACL that is being made. */
typedef struct sh_acl_list {
    sh_buf text;
    int count;
} sh_acl_list;
/* kind: "id", "uri", "emailAddress". False after having answered. */
bool sh_acl_put(sh_s3 *s3, sh_acl_list *list, const char *permission, const char *kind, const char *value);
/* The text in the arena; NULL with *good: private. Frees the list. !*good: answered. */
const char *sh_acl_finish(sh_s3 *s3, sh_acl_list *list, bool *good);

/* What x-amz-acl or x-amz-grant-* ask for; *given: either is there. False after having answered. */
bool sh_s3_acl_fields(sh_s3 *s3, bool bucket, bool *given, const char **acl);
/* Whether the bucket takes that ACL. False after having answered. action: for the sentence. */
bool sh_s3_acl_permitted(sh_s3 *s3, const sh_bucket_rules *rules, const char *acl, const char *action);

#endif
