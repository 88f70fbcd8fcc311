/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_IAM_H
#define SH_API_IAM_H
/* Who may do what: identities as the rest of the server needs them. The actions (CreateUser, AssumeRole …)
 * are rows of sh_service_iam and sh_service_sts. They take and give JSON with AWS's member names: lists are
 * arrays, times are ISO 8601 texts; numbers and truth values may come as texts, as the Query protocol has
 * them. In answers two members are maps and not structures: sh_iam_is_map. Error codes are those of the Query
 * protocol (NoSuchEntity, 404).
 *
 * What a caller's identity brings to a decision is parsed once and kept until IAM changes: every change
 * raises a generation number, and what was parsed under an older one is not used any more. All of this is
 * thread-safe. */
#include "cloud/api/caller.h"
#include "cloud/api/cloud.h"
#include "cloud/policy/policy.h"

/* Makes cloud->iam: the key that seals secrets (DATA/iam.key, mode 0600), the cache, and at the first start
 * the roles that are there from the beginning. Called by sh_cloud_open. */
int sh_iam_open(sh_cloud *cloud, sh_err *err);
void sh_iam_close(sh_cloud *cloud);

/* ---- decisions ---- */

/* All borrowed until sh_iam_release. A caller that has nothing (anonymous, another account) has an empty set.
 * The keys are those of the principal: aws:PrincipalArn, aws:PrincipalAccount, aws:PrincipalType, aws:userid,
 * aws:username, aws:PrincipalTag/…, aws:TokenIssueTime, aws:PrincipalIsAWSService. */
typedef struct sh_iam_grant {
    sh_policy_set set; /* identity, boundary, session, root; resource is NULL, for who asks to fill in */
    const sh_policy_key *keys;
    size_t key_count;
    void *held;
} sh_iam_grant;

/* On a hit, some hundred nanoseconds. SH_E_NOT_FOUND: the user or role is not there any more. */
int sh_iam_policies(sh_cloud *cloud, const sh_caller *caller, sh_iam_grant *out, sh_err *err);
void sh_iam_release(sh_iam_grant *grant); /* once for each success; does nothing on one that is all zero */

/* ---- services act under roles ---- */

/* What the role's trust policy is asked. */
typedef struct sh_iam_taking {
    const char *role_arn;
    const char *service;      /* "states.amazonaws.com"; a trust policy may have a regional name of it */
    const char *session_name; /* made fit when it has other characters or more than 64 */
    const char *source_arn;   /* aws:SourceArn: the state machine, the rule; NULL: none */
} sh_iam_taking;

/* A service takes on a role: *out (strings in the arena) is the session. A role of another account is taken
 * without being looked at, and has no permission at all. SH_E_NOT_FOUND: there is no such role in this
 * account. SH_E_DENIED: it does not trust the service. SH_E_ARGUMENT: not the ARN of a role. */
int sh_caller_by_role(sh_cloud *cloud, const sh_iam_taking *taking, sh_arena *arena, sh_caller *out,
                      sh_err *err);

/* Temporary keys of a session, for processes outside the server. Nothing is stored: the token holds it all,
 * sealed. */
typedef struct sh_iam_keys {
    const char *access_key, *secret_key, *token; /* in the arena */
    int64_t expires_ms;
} sh_iam_keys;
int sh_iam_session_keys(sh_cloud *cloud, const sh_caller *session, int64_t duration_s, sh_arena *arena,
                        sh_iam_keys *out, sh_err *err);

/* The role of an instance profile, by the profile's name: its ARN in the arena. SH_E_NOT_FOUND. */
int sh_iam_profile_role(sh_cloud *cloud, const char *profile, sh_arena *arena, const char **role_arn,
                        sh_err *err);
/* Instance profile of the built-in node, and of the role in it. */
#define SH_IAM_NODE_PROFILE "SpyhopNode"

/* ---- the rest ---- */

/* Remembers when and for which service a caller's key was used; cheap. Written at most once a minute. */
void sh_iam_used(sh_cloud *cloud, const sh_caller *caller, const char *service);

/* Whether a member of an answer is a map (<entry><key>…) and not a structure. */
bool sh_iam_is_map(const char *member);

extern const sh_service sh_service_iam; /* version 2010-05-08 */
extern const sh_service sh_service_sts; /* version 2011-06-15 */

#endif
