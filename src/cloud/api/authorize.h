/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_AUTHORIZE_H
#define SH_API_AUTHORIZE_H
/* May this caller do this? Gathers what applies (the caller's identity policies and boundary, its session's
 * policy, the resource's policy), adds the keys that every request has (aws:SourceIp, aws:CurrentTime,
 * aws:SecureTransport, aws:PrincipalArn, aws:username ...) and lets cloud/policy decide. There is no switch
 * that turns it off. */
#include "cloud/api/caller.h"
#include "cloud/policy/policy.h"

struct sh_context; /* authorize_context.h */

typedef struct sh_asked {
    const char *action;   /* "s3:GetObject" */
    const char *resource; /* ARN, or "*" */
    const sh_policy *resource_policy;
    const sh_policy_key *keys; /* of this action: s3:prefix, iam:PassedToService ... */
    size_t key_count;
    /* keys that cost something to find: asked for only when a policy has a condition on a key that begins
     * so ("s3:ExistingObjectTag/"). NULL: none. late() says false when there is no room for them. */
    const char *late_prefix;
    bool (*late)(void *opaque, struct sh_context *context);
    void *opaque;
} sh_asked;

/* 0: allowed. SH_E_DENIED: not, and *sentence (in the arena) is AWS's: "User: arn:... is not authorized to
 * perform: ...". Another negative status: the database or memory failed, see err. */
int sh_authorize(struct sh_cloud *cloud, const sh_caller *caller, const sh_asked *asked, sh_arena *arena,
                 const char **sentence, sh_err *err);
/* The same; *reason (untouched unless 0 or SH_E_DENIED is returned) tells an explicit deny from silence. */
int sh_authorize_why(struct sh_cloud *cloud, const sh_caller *caller, const sh_asked *asked, sh_arena *arena,
                     sh_policy_reason *reason, const char **sentence, sh_err *err);

/* ---- actions of the services with a table of actions: authorize_action.c ---- */

struct sh_call;

/* May call->caller do this action with call->in? Each resource that the input names is asked for, with the
 * action's own condition keys. 0, or a negative status with call->error set (AccessDeniedException, 400).
 * What an action hands on (iam:PassRole) is asked for here, too. service: "ssm"; action: "SendCommand". */
int sh_authorize_action(struct sh_call *call, const char *service, const char *action);
/* ssm:SendCommand on one node. As above. */
int sh_ask_command_node(struct sh_call *call, const char *id);
/* iam:PassRole of a role to a service ("states.amazonaws.com"). As above. */
int sh_authorize_pass_role(struct sh_call *call, const char *role_arn, const char *service);
/* Any one action on one resource. As above. */
int sh_authorize_one(struct sh_call *call, const char *action, const char *resource,
                     const sh_policy_key *keys, size_t key_count);

#endif
