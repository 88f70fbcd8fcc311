/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_AUTHORIZE_H
#define SH_API_AUTHORIZE_H
/* May this caller do this? Gathers what applies (the caller's identity policies and boundary, its session's
 * policy, the resource's policy), adds the keys that every request has (aws:SourceIp, aws:CurrentTime,
 * aws:SecureTransport, aws:PrincipalArn, aws:username ...) and lets cloud/policy decide. There is no switch
 * that turns it off. */
#include "cloud/api/caller.h"
#include "cloud/policy/policy.h"

typedef struct sh_asked {
    const char *action;   /* "s3:GetObject" */
    const char *resource; /* ARN, or "*" */
    const sh_policy *resource_policy;
    const sh_policy_key *keys; /* of this action: s3:prefix, iam:PassedToService ... */
    size_t key_count;
} sh_asked;

/* 0: allowed. SH_E_DENIED: not, and *sentence (in the arena) is AWS's: "User: arn:... is not authorized to
 * perform: ...". Another negative status: the database or memory failed, see err. */
int sh_authorize(struct sh_cloud *cloud, const sh_caller *caller, const sh_asked *asked, sh_arena *arena,
                 const char **sentence, sh_err *err);

#endif
