/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_MEASURE_H
#define SH_MEDIA_MEASURE_H
/* Measurements on decoded luma. Pure functions of the samples: no clock, no threads, whole numbers wherever a
 * verdict on fields or repetition hangs on them.
 *
 * Fields. Of two frames that follow each other, p and n, four sums are taken over all blocks in which
 * something moves, of |2b - a - c| for rows a, b, c above each other:
 *
 *     self     b, a and c from n                          how much n combs by itself (half of it: all rows)
 *     field    b from n, a and c from n's same field      how much detail there is from row to row
 *     top      b a top row of n, a and c from p           n's top field woven into p's bottom field
 *     bottom   b a bottom row of n, a and c from p        the other way round
 *
 * Rows that lie next to each other are more alike than rows that are two apart, unless they come from two
 * moments: a frame is combed when self is more than field (0.4 to 0.9 of it in progressive pictures, 1.2 and
 * more in interlaced ones that move). The further apart in time two fields are the worse their weave combs:
 * in a combed frame whose top field comes first `top` joins fields half a frame apart and `bottom` those one
 * and a half apart, and the other way round where the bottom field comes first. A little less of self
 * will do where one weave alone is as good. A frame that is not combed counts as progressive when both weaves
 * comb far worse and about alike; one that moves too slowly to comb says nothing. Where nothing moves nothing
 * is said, and neither at cuts.
 *
 * Telecine. 3:2 pulldown shows four frames as ten fields: of five frames the third repeats the second's one
 * field and the fifth the fourth's other one. A field counts as repeated when it differs from the frame
 * before by less than a quarter (in squares) of what the other field does.
 *
 * Detail. A picture that was enlarged holds next to nothing above the frequency at which the smaller one
 * ended. Runs of 64 samples, rows and columns apart, that hold contrast go through a Hann window and a
 * Fourier transform. From their mean power that of the noise is taken away (the least of the highest bins;
 * coding puts some everywhere), and the rest multiplied by the square of the frequency, which makes the
 * spectrum of edges flat. Detail is the frequency from which on it stays 10 dB below its level in the lower
 * half, as a share of the highest that the picture could hold. Measured: 0.6 to 0.7 for a picture that was
 * enlarged twice by interpolation (whose slope is gentle), 0.8 and more for cameras' own. An enlarged picture
 * cannot be told from one that is out of focus by as much, nor one to which a network or grain has added
 * detail from one that was taken so. */
#include <libavutil/frame.h>
#include <stdbool.h>
#include <stdint.h>

/* One plane of 8 bits: luma (green of RGB, the highest bits of more) of a part of a frame. */
typedef struct sh_luma {
    uint8_t *data; /* owned; rows without gaps */
    int width, height;
} sh_luma;

/* The part of the frame at x, y, of which every `step`th column is taken; all rows. False when memory is
 * short. What *luma held is freed. */
bool sh_luma_take(sh_luma *luma, const AVFrame *frame, int x, int y, int width, int height, int step);
void sh_luma_free(sh_luma *luma); /* all-zero is fine */

typedef enum sh_step {
    SH_STEP_STILL,   /* nothing moves, or too little */
    SH_STEP_UNCLEAR, /* it moves and says nothing, or is a cut */
    SH_STEP_PROGRESSIVE,
    SH_STEP_TOP, /* interlaced, top field first */
    SH_STEP_BOTTOM,
} sh_step;

typedef struct sh_motion {
    sh_step step;
    bool same;                          /* no visible difference at all */
    bool top_repeated, bottom_repeated; /* never both */
} sh_motion;

/* From p to n, of one size. */
void sh_measure_motion(const sh_luma *p, const sh_luma *n, sh_motion *motion);

/* Whether five steps in a row are those of 3:2 pulldown, at whatever place of the pattern they begin. moving:
 * whether there is enough in them to tell. */
bool sh_measure_cadence(const sh_motion steps[5], bool *moving);

enum { SH_DETAIL_RUN = 64, SH_DETAIL_BINS = SH_DETAIL_RUN / 2 };
typedef struct sh_detail {
    double across[SH_DETAIL_BINS], down[SH_DETAIL_BINS]; /* sums of power */
    int64_t across_runs, down_runs;
} sh_detail;
/* Adds a picture (step 1). */
void sh_measure_detail(sh_detail *detail, const sh_luma *luma);
/* 0 to 1; -1: too little contrast to tell. */
double sh_detail_across(const sh_detail *detail);
double sh_detail_down(const sh_detail *detail);

#endif
