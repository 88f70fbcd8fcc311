/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Holds the place of the checker of job settings: refuses every job until it is written. */
#include "cloud/jobs/mc_settings.h"

int sh_mc_job_read(sh_mc_job **out, const json_t *settings, sh_err *err)
{
    return sh_fail(err, SH_E_UNSUPPORTED, "/settings: this version does not read job settings yet");
}

void sh_mc_job_free(sh_mc_job *job)
{
}

int sh_mc_s3_uri(const char *uri, char *bucket, size_t size, const char **key, sh_err *err)
{
    return sh_fail(err, SH_E_UNSUPPORTED, "this version does not read job settings yet");
}

int sh_mc_output_prefix(const sh_mc_job *job, char **prefix, sh_err *err)
{
    return sh_fail(err, SH_E_UNSUPPORTED, "this version does not read job settings yet");
}

int sh_mc_base_name(const sh_mc_job *job, char **base, sh_err *err)
{
    return sh_fail(err, SH_E_UNSUPPORTED, "this version does not read job settings yet");
}
