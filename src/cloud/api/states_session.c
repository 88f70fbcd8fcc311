/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/api/states_session.h"
#include "cloud/api/iam.h"
#include "cloud/api/keys.h"
#include "cloud/api/s3_authorize.h"
#include "cloud/store/flows.h"

#include <string.h>

#define NOT_TRUSTED "The principal states.amazonaws.com is not authorized to assume the provided role."

/* 32 characters that nobody has had before, as AWS names such sessions. */
static void session_name(char name[SH_UUID_TEXT])
{
    size_t kept = 0;
    sh_uuid(name);
    for (size_t i = 0; name[i]; i++)
        if (name[i] != '-')
            name[kept++] = name[i];
    name[kept] = '\0';
}

int sh_actor_session(sh_cloud *cloud, const sh_actor *actor, sh_arena *arena, sh_caller *out,
                     const char **sentence, sh_err *err)
{
    char name[SH_UUID_TEXT];
    session_name(name);
    /* children of a distributed Map state ("…:stateMachine:NAME/LABEL") are the machine's */
    const char *machine = actor->machine_arn;
    if (machine && strchr(machine, '/'))
        machine = sh_arena_strndup(arena, machine, strcspn(machine, "/"));
    const sh_iam_taking taking = {.role_arn = actor->role,
                                  .service = "states.amazonaws.com",
                                  .session_name = name,
                                  .source_arn = machine};
    int status = actor->role ? sh_caller_by_role(cloud, &taking, arena, out, err) : SH_E_NOT_FOUND;
    if (status != SH_E_NOT_FOUND && status != SH_E_DENIED && status != SH_E_ARGUMENT)
        return status;
    *sentence = NOT_TRUSTED;
    return SH_E_DENIED;
}

int sh_actor_of_revision(sh_cloud *cloud, int64_t revision_row, sh_arena *arena, sh_actor *out, sh_err *err)
{
    sh_machine machine;
    int status = sh_revision_get(cloud->db, arena, revision_row, &machine, err);
    if (status == 0)
        *out = (sh_actor){machine.role_arn, machine.arn};
    return status;
}

int sh_actor_of_execution(sh_cloud *cloud, int64_t execution, sh_arena *arena, sh_actor *out, sh_err *err)
{
    sh_execution row;
    int status = sh_execution_by_id(cloud->db, arena, execution, &row, err);
    if (status == 0)
        status = sh_actor_of_revision(cloud, row.revision_row, arena, out, err);
    if (status == 0)
        out->trace = row.trace_header;
    return status;
}

int sh_actor_permit(sh_cloud *cloud, const sh_actor *actor, const char *action, const char *bucket,
                    const char *key, sh_arena *arena, const char **sentence, sh_err *err)
{
    sh_caller session;
    int status = sh_actor_session(cloud, actor, arena, &session, sentence, err);
    return status == 0 ? sh_s3_permit(cloud, &session, action, bucket, key, arena, sentence, err) : status;
}
