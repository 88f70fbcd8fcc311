/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_S3_ACL_H
#define SH_API_S3_ACL_H
/* Access control lists of buckets and objects. As text an ACL is its grants, one behind the other with a
 * blank between, in the order they were given: "<PERMISSION>:<grantee>", the grantee a canonical user id (64
 * hex digits), "AllUsers", "AuthenticatedUsers" or "LogDelivery". No text (NULL) is the ACL "private": the
 * owner has FULL_CONTROL, and nobody else anything. The owner is always the account of the server.
 *
 * An ACL lets in who is not let in by a policy: everybody, or everybody with a key. What it grants to the
 * account itself it grants to its root, who needs no grant, and for users of the account policies decide. */
#include "cloud/api/s3_rules.h"

typedef enum sh_acl_permission {
    SH_ACL_READ,
    SH_ACL_WRITE,
    SH_ACL_READ_ACP,
    SH_ACL_WRITE_ACP,
    SH_ACL_FULL_CONTROL,
} sh_acl_permission;

/* Whether the ACL grants this to the caller by a group he belongs to. */
bool sh_acl_allows(const char *acl, const sh_caller *caller, sh_acl_permission permission);
/* The same under the bucket's ownership controls (ACLs disabled) and public access block (ignored). acl: the
 * object's, or rules->acl. */
bool sh_acl_allows_here(const sh_bucket_rules *rules, const char *acl, const sh_caller *caller,
                        sh_acl_permission permission);
/* Whether it grants anything to AllUsers or AuthenticatedUsers. */
bool sh_acl_is_public(const char *acl);

/* The canonical user id of an account: 64 hex digits. */
#define SH_CANONICAL_ID 65
void sh_canonical_id(const char *account, char id[SH_CANONICAL_ID]);

struct sh_s3;
/* The ACL that x-amz-acl or x-amz-grant-* ask for, for a new object (or, bucket true, a new bucket), in the
 * arena; *acl NULL: private, or none asked for. Checks the bucket's ownership (AccessControlListNotSupported)
 * and public access block (AccessDenied). False after having answered. */
bool sh_s3_acl_asked(struct sh_s3 *s3, const char **acl);

#endif
