/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_LADDER_CHOOSE_H
#define SH_MEDIA_LADDER_CHOOSE_H
/* Which renditions a film gets when nobody says: the ladder of `spyhop stream`. A pure function of the facts,
 * the plan and a few wishes; every decision is a note of the plan ("ladder").
 *
 * Sizes. The top is the enlarged picture with square pixels. Below it stand 2160, 1440, 1080, 720, 540, 360
 * and 240 of the shorter side, each with the picture's shape: none that is not smaller than the top by 1.3
 * times or more, and none nearer to the one above.
 *
 * Ceilings. Quality is constant (CRF) under a ceiling, so that easy films cost less than hard ones. The
 * ceiling of 1920x1080 at 30 pictures a second is 8 Mb/s in H.264. It goes with the area to the power of 0.8
 * (larger pictures have more that is flat) and with the rate to the power of 0.6 (pictures that follow
 * quickly are more alike); HEVC has 0.65 of it, AV1 0.55. The decoder's buffer is what 1.5 s of it fill.
 *
 * Codecs. H.264 of 8 bits, which every player has, unless another is wished for. HDR is HEVC Main10, or AV1:
 * Apple's rules know no HDR in H.264. With `sdr` an HDR film has a ladder of H.264 beside it, tone mapped;
 * where H.264 is wished for, that ladder alone.
 *
 * Sound: each audio track of the source, as AAC of one or two channels. Text: each track that is text, and
 * captions in the pictures. One sheet of thumbnails for the time line. */
#include "media/ladder.h"

typedef enum sh_ladder_codec {
    SH_LADDER_ANY, /* as the film wants it */
    SH_LADDER_H264,
    SH_LADDER_HEVC,
    SH_LADDER_AV1
} sh_ladder_codec;

typedef struct sh_ladder_wish {
    int codec;          /* SH_LADDER_ANY ... */
    bool sdr;           /* an SDR ladder beside one of HDR */
    const char *preset; /* NULL: the encoder's default */
    double crf;         /* < 0: the codec's default for streams */
    double gop_seconds; /* 0: 2 */
    int most;           /* steps of one ladder; 0: all that there are */
    bool no_thumbnails, no_text, no_audio;
} sh_ladder_wish;

enum { SH_LADDER_STEPS = 8, SH_LADDER_GRID = 5 /* thumbnails across and down a sheet */ };

typedef struct sh_ladder_step {
    int width, height; /* even */
    int64_t ceiling;   /* bits a second */
} sh_ladder_step;

/* The steps under and with a picture of width x height square pixels, the largest first. Returns how many.
 * rate: 0/1: not known (30). */
int sh_ladder_steps(sh_ladder_step steps[SH_LADDER_STEPS], int width, int height, AVRational rate, int codec);

/* For sh_ladder_job.choose; opaque: sh_ladder_wish. The job is to have no renditions before.
 * SH_E_UNSUPPORTED, SH_E_LIMIT: the codec does not take the picture; SH_E_ARGUMENT: the preset or the
 * quality. */
int sh_ladder_choose(void *wish, sh_ladder_choice *choice, sh_err *err);

/* What an output's id says of the source's track that sh_ladder_choose made it of. */
enum {
    SH_LADDER_IS_DEFAULT = 1,
    SH_LADDER_IS_FORCED = 2,
    SH_LADDER_IS_FOR_THE_DEAF = 4,
    SH_LADDER_IS_DESCRIPTION = 8,
    SH_LADDER_IS_COMMENTARY = 16,
    SH_LADDER_IS_DUB = 32,
    SH_LADDER_IS_THINNED = 64, /* a video of fewer pictures a second than the source's */
};
int sh_ladder_id_flags(int64_t id);
int sh_ladder_id_track(int64_t id); /* of the file; -1: none (pictures) */

#endif
