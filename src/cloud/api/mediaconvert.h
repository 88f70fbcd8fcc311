/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_MEDIACONVERT_H
#define SH_API_MEDIACONVERT_H
/* MediaConvert inside: what mediaconvert*.c share.
 *
 * Names: the REST API speaks camelCase, Step Functions PascalCase. Actions take either and answer in
 * camelCase. */
#include "cloud/api/cloud.h"
#include "cloud/store/mcjobs.h"

/* A deep copy with the first letter of every member's name in small (or, large true, capital) letters, except
 * where names are the user's own: user metadata, tags, selectors. NULL when memory is short. */
json_t *sh_mc_rename(const json_t *value, bool large);

/* "arn:aws:mediaconvert:REGION:ACCOUNT:KIND/NAME" in the arena; NULL when memory is short. */
char *sh_mc_arn(const sh_cloud *cloud, sh_arena *arena, const char *kind, const char *name);
/* The "job" of GetJob. NULL when memory is short. */
json_t *sh_mc_job_json(const sh_cloud *cloud, const sh_mcjob *job);
/* The EventBridge event that says what the job is now, JSON text, free(). NULL when memory is short. */
char *sh_mc_event(const sh_cloud *cloud, const sh_mcjob *job, int64_t now_ms);

int sh_mc_create_job(sh_call *call); /* mediaconvert_create.c; call->in is camelCase */

#endif
