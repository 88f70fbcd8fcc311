/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_MEDIACONVERT_H
#define SH_API_MEDIACONVERT_H
/* MediaConvert inside: what mediaconvert*.c share. All of it is camelCase, as in the REST API; what Step
 * Functions writes in PascalCase is renamed before it comes here, and the answers after. */
#include "cloud/api/cloud.h"
#include "cloud/store/mcjobs.h"

/* "arn:aws:mediaconvert:REGION:ACCOUNT:KIND/NAME" in the arena; NULL when memory is short. */
char *sh_mc_arn(const sh_cloud *cloud, sh_arena *arena, const char *kind, const char *name);
/* The "job" of GetJob. NULL when memory is short. */
json_t *sh_mc_job_json(const sh_cloud *cloud, const sh_mcjob *job);
/* In the transaction that changed the job's status: its event, and, when it has ended, word to the tasks that
 * wait for it. Wake SH_WAKE_EVENTS and SH_WAKE_FLOWS afterwards. */
int sh_mc_announce(const sh_cloud *cloud, const sh_mcjob *job, int64_t now_ms, sh_err *err);
/* The event STATUS_UPDATE of a job under way, and how often its request wants one. */
int sh_mc_announce_progress(const sh_cloud *cloud, const sh_mcjob *job, int64_t now_ms, sh_err *err);
int64_t sh_mc_update_interval_s(const sh_mcjob *job);

int sh_mc_create_job(sh_call *call); /* mediaconvert_create.c */

#endif
