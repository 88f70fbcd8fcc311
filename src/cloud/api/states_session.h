/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_STATES_SESSION_H
#define SH_API_STATES_SESSION_H
/* A state machine acts under its role: whatever its tasks call is asked of a session of that role, which it
 * takes on anew for each call, so that what IAM says now is what counts. A role of another account is nobody
 * here: its session may do nothing. */
#include "cloud/api/caller.h"
#include "cloud/api/cloud.h"

/* Who acts: strings are borrowed. */
typedef struct sh_actor {
    const char *role;        /* ARN; NULL: none, as in TestState: nothing is allowed */
    const char *machine_arn; /* what the role's trust policy is told in aws:SourceArn; NULL: none */
    const char *trace;       /* of the execution: outbox.h; NULL: none */
} sh_actor;

/* 0 with *out (in the arena). SH_E_DENIED: the role cannot be taken on, *sentence (in the arena) says so. */
int sh_actor_session(sh_cloud *cloud, const sh_actor *actor, sh_arena *arena, sh_caller *out,
                     const char **sentence, sh_err *err);
/* Who acts in an execution; strings in the arena. */
int sh_actor_of_execution(sh_cloud *cloud, int64_t execution, sh_arena *arena, sh_actor *out, sh_err *err);
/* The same for the revision of a machine. */
int sh_actor_of_revision(sh_cloud *cloud, int64_t revision_row, sh_arena *arena, sh_actor *out, sh_err *err);
/* Whether one who acts may do this to an object or bucket (key NULL). 0, SH_E_DENIED with *sentence,
 * SH_E_NOT_FOUND (there is no such bucket), or another failure. */
int sh_actor_permit(sh_cloud *cloud, const sh_actor *actor, const char *action, const char *bucket,
                    const char *key, sh_arena *arena, const char **sentence, sh_err *err);

#endif
