/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_ENGINE_RESAMPLE_H
#define SH_ENGINE_RESAMPLE_H
/* Planes enlarged row by row, by Lanczos with three lobes or by the cubic kernel, along each axis by a
 * rational step, and the limits of a limited range.
 *
 * Where a sample lies. Enlarging a picture s times puts the luma position X of the result at (X + 1/2) / s -
 * 1/2 of the source. Sample k of a plane that is subsampled by b lies at luma position b * k + c, where c,
 * 0.. b - 1, is its siting. So output sample k lies at sample (((B k + C + 1/2) / s - 1/2) - c) / b of the
 * source plane (capitals: the result's), which is k * step / phases + a constant: sample m * phases + j lies
 * at m * step + at[j], and has the same coefficients for every m.
 *
 * A row of the result is made from six source rows first (down), then from six columns (across), one phase
 * after the other. Outside the plane is its border's sample. */
#include "base/err.h"
#include "engine/dsp/dsp.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SH_AXIS_STEP 4 /* the greatest `step` */

typedef enum sh_resample_kernel { SH_RESAMPLE_LANCZOS, SH_RESAMPLE_CUBIC } sh_resample_kernel;

typedef struct sh_axis_spec {
    int scale;
    int in_every, out_every; /* luma samples for one of the plane's: 1, 2 or 4 */
    int in_twice, out_twice; /* twice the siting */
    sh_resample_kernel kernel;
} sh_axis_spec;

typedef struct sh_axis {
    int step, phases;      /* coprime, step <= phases */
    bool same;             /* output sample k is source sample k */
    int first[SH_ZIP_MAX]; /* the source sample that the first coefficient is for, less m * step */
    int near[SH_ZIP_MAX];  /* the source sample closest to the output sample, less m * step */
    int16_t taps[SH_ZIP_MAX][SH_FIR_TAPS];
} sh_axis;

/* UNSUPPORTED when the plane would shrink. */
int sh_axis_make(sh_axis *axis, const sh_axis_spec *spec, sh_err *err);

/* A plane's enlargement: what it is, not the plane itself. */
typedef struct sh_resample {
    sh_axis across, down;
    int in_width, in_height, out_width, out_height;
    int depth;
    bool limited;     /* to black..white, widened to what the source has nearby */
    int black, white; /* code values */
} sh_resample;

/* Planar samples, right-aligned, of which `depth` says what they are. */
typedef struct sh_view {
    const uint8_t *data;
    ptrdiff_t stride;
} sh_view;

/* The rows that one thread needs. Which source row the limits are of is kept beside them, so that they are
 * made once for all rows of the result that share it: start each run of rows with limits_of = -1. */
typedef struct sh_rows {
    uint8_t *line;                  /* between down and across; sample 0 */
    uint8_t *strided[SH_AXIS_STEP]; /* every step-th sample of something; sample 0 */
    uint8_t *phase[SH_ZIP_MAX];
    uint8_t *lo, *hi;           /* for each source sample; sample 0 */
    uint8_t *lo_down, *hi_down; /* on the way there; sample 0 */
    uint8_t *lo_wide, *hi_wide; /* for each output sample */
    int limits_of, wide_of;
} sh_rows;

/* Bytes of rows for any of `count` enlargements, and how they lie in so many bytes at `memory`, aligned to
 * 64. */
size_t sh_rows_size(const sh_resample *const *all, int count);
void sh_rows_place(sh_rows *rows, const sh_resample *const *all, int count, uint8_t *memory);

/* Row y of the result of `in` to out: out_width samples. */
void sh_resample_row(const sh_resample *r, const sh_dsp *dsp, const sh_view *in, int y, void *out,
                     sh_rows *rows);

/* Row y of the result, however it was made, limited in place as sh_resample_row would do. `across` and `down`
 * must have a step of 1. */
void sh_resample_limit(const sh_resample *r, const sh_dsp *dsp, const sh_view *in, int y, void *row,
                       sh_rows *rows);

#endif
