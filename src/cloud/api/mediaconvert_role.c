/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A job reads and writes under the role that CreateJob was given. The role is taken on when the job begins
 * and again when its files are published: what it may do then is what counts. */
#include "cloud/api/iam.h"
#include "cloud/api/mediaconvert_work.h"
#include "cloud/api/s3_authorize.h"

#include <string.h>

int sh_mc_session(sh_cloud *cloud, const char *role, const char *job, sh_arena *arena, sh_caller *out,
                  sh_err *err)
{
    const sh_iam_taking taking = {
        .role_arn = role, .service = "mediaconvert.amazonaws.com", .session_name = job};
    int status = sh_caller_by_role(cloud, &taking, arena, out, err);
    if (status == SH_E_NOT_FOUND || status == SH_E_DENIED || status == SH_E_ARGUMENT)
        return sh_fail(err, SH_E_DENIED,
                       "Unable to assume role [%s]: the role has to exist and to trust "
                       "mediaconvert.amazonaws.com",
                       role);
    return status;
}

int sh_mc_permit(sh_cloud *cloud, const sh_caller *session, const char *action, const char *bucket,
                 const char *key, sh_arena *arena, sh_err *err)
{
    const char *sentence;
    int status = sh_s3_permit(cloud, session, action, bucket, key, arena, &sentence, err);
    if (status == SH_E_DENIED)
        return sh_fail(err, status, "403 Access Denied: %s", sentence);
    return status == SH_E_NOT_FOUND ? 0 : status; /* opening it says so in its own words */
}
