/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_S3_AUTHORIZE_H
#define SH_API_S3_AUTHORIZE_H
/* Who may do what in S3. An operation of the API needs one or more actions of IAM (GetObject with versionId
 * needs s3:GetObjectVersion, CopyObject needs reading and writing); each is decided by the caller's policies,
 * the bucket's policy, public access block and ACLs together. The bucket of a request exists before anybody
 * is refused: who may not see it is told NoSuchBucket all the same, as AWS does. */
#include "cloud/api/caller.h"
#include "cloud/api/s3.h"

/* Before an operation begins: false after having answered AccessDenied (or NoSuchBucket). */
bool sh_s3_authorize(sh_s3 *s3);

/* One action on a key of the request's bucket (key NULL: on the bucket; version NULL: none), without an
 * answer: for each key of DeleteObjects. 0, SH_E_DENIED with *sentence (the message of AccessDenied), or
 * another failure. */
int sh_s3_may(sh_s3 *s3, const char *action, const char *key, const char *version, const char **sentence,
              sh_err *err);
/* Whether a missing key may be said to be missing (s3:ListBucket); else it is 403 AccessDenied. */
bool sh_s3_may_know(sh_s3 *s3);

/* May the caller read the source of a copy? (version NULL: the latest.) False after having answered. */
bool sh_s3_may_read(sh_s3 *s3, const char *bucket, const char *key, const char *version);

/* The same question without a request: for tasks, jobs and commands. action: "s3:GetObject". */
int sh_s3_permit(sh_cloud *cloud, const sh_caller *caller, const char *action, const char *bucket,
                 const char *key, sh_arena *arena, const char **sentence, sh_err *err);

/* ---- s3_authorize_table.c ---- */

typedef enum sh_s3_tells {
    SH_S3_TELLS_ACL = 1,     /* the request may bring an ACL: s3:PutObjectAcl, s3:PutBucketAcl */
    SH_S3_TELLS_TAGS = 2,    /* the request may bring tags: s3:PutObjectTagging */
    SH_S3_TELLS_NOTHING = 4, /* nothing is asked here: the operation asks for itself */
} sh_s3_tells;

typedef struct sh_s3_permission {
    const char *operation; /* as in sh_s3_operation */
    const char *action;    /* of IAM, without "s3:" */
    const char *versioned; /* with versionId in the request; NULL: the same */
    const char *second;    /* another one that is needed, too; NULL: none */
    const char *second_versioned;
    unsigned tells;
} sh_s3_permission;

/* NULL: the action is "s3:" and the operation's name. */
const sh_s3_permission *sh_s3_permission_find(const char *operation);

#endif
