/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_MEDIA_LADDERFOLDER_H
#define TESTS_MEDIA_LADDERFOLDER_H
/* A place for a ladder's files in tests, and what is in them. */
#include "media/ladder.h"

typedef struct lw_place {
    char folder[64];
    int64_t opened, full_at; /* full_at: the file of that count is on a full disk; 0: none */
    int64_t cancel_at;       /* segments committed; 0: never */
    int64_t kill_at;         /* likewise: this process kills itself */
    int64_t grew;            /* calls of `growing` */
    int warnings;
    char warning[600]; /* the last */
} lw_place;

void lw_make(lw_place *place);   /* an empty folder */
void lw_remove(lw_place *place); /* and all in it */
/* Fills open, reopen, log, progress, growing of the job. */
void lw_use(lw_place *place, sh_ladder_job *job);
/* "v0/init.mp4" and the like: what the place calls a file. */
void lw_name(const sh_ladder_file *file, char name[64]);
/* The file's bytes as one number; 0: not there. */
uint32_t lw_file(const lw_place *place, const char *name);
/* All files but a name that begins with "j": 0 where both places have the same ones with the same bytes. */
int lw_differ(const lw_place *a, const lw_place *b);
/* Decodes CMAF files of a folder one behind the other as one, or a file: pictures or audio frames. first and
 * end: presentation times of the first and behind the last, in ticks of the track. < 0: not whole. */
int64_t lw_decode(const lw_place *place, const char *name, int64_t *first, int64_t *end);
int lw_ffmpeg(const char *arguments, const char *output); /* 0: made */
/* A video of this size and an output CMAF that holds it. */
sh_ladder_video *lw_video(sh_ladder_job *job, int kind, int width, int height);
void lw_audio(sh_ladder_job *job, int kind);

#endif
