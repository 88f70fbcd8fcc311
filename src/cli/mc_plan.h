/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLI_MC_PLAN_H
#define SH_CLI_MC_PLAN_H
/* A MediaConvert job and its input, laid out: which files come to be, under which names, and the ladders
 * (media/ladder.h) that make them.
 *
 * An *item* is one output's worth of files; an output of automated ABR becomes an item for each step of its
 * ladder. A *pass* is one ladder, one reading of the input: it makes the items of all groups that have the
 * same segments and frame rate. Files without segments (FILE groups) go with the first pass.
 *
 * Names are AWS's. BASE is the destination's, MOD the output's name modifier, SEG its segment modifier:
 *
 *     HLS    BASE.m3u8  BASE MOD.m3u8  BASE MOD SEG _00001.ts  captions: BASE MOD SEG _00001.vtt
 *     CMAF   BASE.m3u8, BASE.mpd  BASE MOD.m3u8  BASE MOD init.cmfv  BASE MOD _000000001.cmfv (.cmfa)
 *            captions: BASE MOD _000000001.vtt, the whole: BASE MOD.vtt;  I-frames: BASE MOD _I-Frame.m3u8
 *     DASH   BASE.mpd  BASE MOD init.mp4  BASE MOD _000000001.mp4, or as $Number$ in MOD says;
 *            captions: BASE MOD.vtt
 *     FILE   BASE MOD.mp4  frame captures: BASE MOD.0000000.jpg  captions: BASE MOD.vtt */
#include "base/arena.h"
#include "cli/mc_source.h"
#include "cloud/jobs/mc_settings.h"
#include "media/ladder.h"

enum { SH_MC_ITEMS = SH_MC_OUTPUTS + SH_MC_GROUPS * SH_MC_STEPS, SH_MC_PASSES = SH_MC_GROUPS };

typedef struct sh_mc_item {
    size_t output;        /* in the job */
    size_t group;         /* the same output's */
    int step;             /* of automated ABR, from 1; 0: none */
    size_t pass;          /* which ladder makes it */
    int made;             /* its output there */
    const char *stem;     /* BASE MOD, expanded */
    const char *playlist; /* file name; NULL: has none */
    const char *iframes;  /* likewise */
    const char *init;     /* likewise */
    const char *whole;    /* the one file of MP4, captions; NULL: none */
    const char *language; /* for manifests; "": as the result says */
    int width, height;    /* of pictures */
    int64_t rate;         /* ceiling of an automatic step */
    bool keep_segments;   /* else they are written to nowhere */
    char **names;         /* of segments, by number from 1; grown by sh_mc_item_segment */
    size_t name_count;
    sh_mc_values values; /* of format identifiers */
} sh_mc_item;

typedef struct sh_mc_plan {
    const sh_mc_job *job;
    const sh_mc_source *source;
    sh_mc_place places[SH_MC_GROUPS];
    sh_mc_item items[SH_MC_ITEMS];
    size_t item_count;
    sh_ladder_job ladders[SH_MC_PASSES]; /* without callbacks, input and journal */
    size_t pass_count;
    sh_arena *arena;
} sh_mc_plan;

typedef void sh_mc_say(void *opaque, const char *text);

/* time_ms: of $dt$. warning: what is left out. On success the caller frees *out with sh_mc_plan_free. */
int sh_mc_plan_make(sh_mc_plan **out, const sh_mc_job *job, const sh_mc_source *source, int64_t time_ms,
                    sh_mc_say *warning, void *opaque, sh_err *err);
void sh_mc_plan_free(sh_mc_plan *plan); /* NULL is fine */

/* The name of a segment (number from 1), the same whenever it is asked for. NULL: memory is short, or it
 * would be longer than a file's name may be. now_ms: the time, for segment modifiers. */
const char *sh_mc_item_segment(sh_mc_plan *plan, sh_mc_item *item, int64_t number, int64_t now_ms,
                               sh_err *err);

/* No two files of one place have the same name: SH_E_ARGUMENT. */
int sh_mc_plan_check_names(const sh_mc_plan *plan, sh_err *err);

#endif
