/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The built-in node acts as an EC2 instance does: under the role of its instance profile. */
#include "cloud/api/iam.h"
#include "cloud/api/s3_authorize.h"
#include "cloud/api/ssm.h"

#define MEMORY (256u << 10)

int sh_node_session(sh_cloud *cloud, sh_arena *arena, sh_caller *out, sh_err *err)
{
    const char *role;
    int status = sh_iam_profile_role(cloud, SH_IAM_NODE_PROFILE, arena, &role, err);
    if (status == SH_E_NOT_FOUND)
        return sh_fail(err, SH_E_DENIED,
                       "the node has no role: put one into the instance profile " SH_IAM_NODE_PROFILE);
    if (status < 0)
        return status;
    const sh_iam_taking taking = {
        .role_arn = role, .service = "ec2.amazonaws.com", .session_name = cloud->settings.instance_id};
    status = sh_caller_by_role(cloud, &taking, arena, out, err);
    if (status == SH_E_NOT_FOUND || status == SH_E_DENIED)
        return sh_fail(err, SH_E_DENIED, "the role %s of the node does not trust ec2.amazonaws.com", role);
    return status;
}

int sh_node_may_write(sh_cloud *cloud, const char *bucket, const char *key, sh_err *err)
{
    sh_caller session;
    const char *sentence;
    sh_arena *arena = sh_arena_new(MEMORY);
    if (!arena)
        return sh_fail(err, SH_E_MEMORY, "no memory for a session");
    int status = sh_node_session(cloud, arena, &session, err);
    if (status == 0) {
        status = sh_s3_permit(cloud, &session, "s3:PutObject", bucket, key, arena, &sentence, err);
        if (status == SH_E_DENIED)
            sh_fail(err, status, "%s", sentence);
        if (status == SH_E_NOT_FOUND) /* writing it says so */
            status = 0;
    }
    sh_arena_free(arena);
    return status;
}
