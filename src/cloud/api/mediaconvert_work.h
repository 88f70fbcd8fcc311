/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_MEDIACONVERT_WORK_H
#define SH_API_MEDIACONVERT_WORK_H
/* One job being made: its worker process, and what the worker has said so far (docs/mediaconvert.md describes
 * the messages). */
#include "base/buf.h"
#include "cloud/api/caller.h"
#include "cloud/api/mediaconvert.h"
#include "cloud/jobs/child.h"
#include "cloud/jobs/mc_settings.h"
#include <limits.h>

#define SH_MC_ERROR_INTERNAL 1999 /* the worker died, the disk is full, ... */
#define SH_MC_ERROR_INPUT 1404
#define SH_MC_ERROR_OUTPUT 3450
#define SH_MC_ERROR_DENIED 1401 /* the role of the job may not read or write it */

typedef struct sh_mc_work {
    char id[64];
    char role[2049];
    sh_child child;
    int out, log;                     /* read ends of the worker's stdout and stderr; -1: at their end */
    int wait_status;                  /* once child.pid is 0 */
    sh_buf line;                      /* of stdout, not complete yet */
    sh_buf tail;                      /* of stderr: its last line */
    char folder[PATH_MAX];            /* staging; "": none */
    sh_mc_place places[SH_MC_GROUPS]; /* where the files of each output group go */
    size_t place_count;
    json_t *final;    /* the "result" or "error" message */
    json_t *warnings; /* array of texts */
    int percent;
    char phase[32];
    int64_t told_us;  /* when an event last told of it */
    int64_t tell_us;  /* how often; 0: never */
    int64_t shown_us; /* when progress was last written to the row */
    int64_t news_us;  /* when the worker was last heard of */
    bool stopped;     /* by us: the job was canceled, or the worker was silent for too long */
    bool silent;
} sh_mc_work;

/* ---- mediaconvert_role.c ---- */
/* The session of the job's role, strings in the arena. SH_E_DENIED: it cannot be taken on, err says why. */
int sh_mc_session(sh_cloud *cloud, const char *role, const char *job, sh_arena *arena, sh_caller *out,
                  sh_err *err);
/* May the session do this ("s3:GetObject")? 0 also when there is no such bucket. SH_E_DENIED: err says why.
 */
int sh_mc_permit(sh_cloud *cloud, const sh_caller *session, const char *action, const char *bucket,
                 const char *key, sh_arena *arena, sh_err *err);

/* Opens the input, makes the staging folder and starts the worker. On failure *code is the job's errorCode
 * and err says it in words. */
int sh_mc_work_start(sh_mc_work *out, sh_cloud *cloud, const sh_mcjob *job, int *code, sh_err *err);
/* Kills what is alive and removes the staging folder. */
void sh_mc_work_free(sh_mc_work *work);
/* Reads what the worker's stdout, stderr have. */
void sh_mc_work_listen(sh_mc_work *work);
void sh_mc_work_listen_log(sh_mc_work *work);

/* After the worker's end: publishes its files and makes the job COMPLETE, in one transaction, or says why
 * not. SH_E_CONFLICT: the job is no longer PROGRESSING. */
int sh_mc_work_publish(sh_mc_work *work, sh_cloud *cloud, int *code, sh_err *err);

#endif
