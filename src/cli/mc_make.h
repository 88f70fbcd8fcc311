/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLI_MC_MAKE_H
#define SH_CLI_MC_MAKE_H
/* A MediaConvert job from its input to checked files: the work of `spyhop mediaconvert-worker` and of `spyhop
 * transcode`.
 *
 *     look at the input (mc_source.h) -> lay out (mc_plan.h) -> ladders (media/ladder.h) -> manifests, check
 *     (mc_made.h) */
#include "cli/mc_made.h"

/* Codes of MediaConvert's own list where it has one for the case. */
enum {
    SH_MC_CODE_INPUT = 1010,    /* the input cannot be opened or decoded */
    SH_MC_CODE_SETTINGS = 1040, /* settings and input do not go together */
    SH_MC_CODE_INTERNAL = 1999,
};

typedef struct sh_mc_work_order {
    const sh_mc_job *job;
    const char *input;                 /* path */
    const char *folders[SH_MC_GROUPS]; /* existing and empty, one a group */
    int64_t time_ms;                   /* of $dt$ */
    void (*progress)(void *opaque, int percent, int64_t frames, const char *phase);
    sh_mc_say *warning;
    void *opaque;
} sh_mc_work_order;

/* On success *made and *plan (whose names *made uses) are the caller's to free. On failure *code is the job's
 * error code, and what the folders hold is to be removed. */
int sh_mc_make(sh_mc_made *made, sh_mc_plan **plan, const sh_mc_work_order *order, int *code, sh_err *err);

/* AWS's code for a status. */
int sh_mc_code(int status);

#endif
