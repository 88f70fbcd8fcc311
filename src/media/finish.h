/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_FINISH_H
#define SH_MEDIA_FINISH_H
/* Between engine and encoder: the size that was asked for, the encoder's pixel format, and grain.
 *
 * Size. libswscale, Lanczos with three lobes, with accurate rounding and all chroma samples; chroma is scaled
 * from where it lies to where it shall lie, range and matrix stay. It runs on one thread: its bytes depend on
 * the picture alone. SAR is changed so that the display aspect ratio stays exact; sh_finish_fit chooses a
 * size that keeps it near 1 already.
 *
 * Grain. Model A of the commands that Spyhop replaces ends with noise=c0s=8:allf=t+u: luma alone, new in
 * every frame, uniform over the eight codes -4..3 (standard deviation 2.29, SH_GRAIN_MODEL_A). Here it has
 * the same deviation and no bias: a sum of four uniform numbers (close to a normal distribution, never
 * beyond 3.46 deviations), at 10 bits in steps of a 10-bit code. Its deviation is whole from 16 codes (of 8
 * bits) above black to 16 below white and falls linearly to nothing at both, so that black bars stay black
 * and nothing is clipped into a bias. Results are limited to the nominal range, or to what the sample was if
 * it was outside. The numbers come from counters (splitmix64 of frame number and row, mixed
 * with the column; no state), so that a frame's grain is a function of its number: pieces may be made in any
 * order and by any number of threads. */
#include "base/err.h"
#include <libavutil/frame.h>
#include <stdbool.h>
#include <stdint.h>

#define SH_GRAIN_MODEL_A 2.29 /* what --grain means without a number */

typedef struct sh_finish_settings {
    int width, height;         /* of results; 0: as they come */
    enum AVPixelFormat format; /* of results, planar YUV of 8 or 10 bits; AV_PIX_FMT_NONE: as they come */
    double grain;              /* standard deviation in codes of 8 bits; 0: none; at most 32 */
    uint64_t seed;             /* of the grain; 0 is as good as any */
} sh_finish_settings;

typedef struct sh_finish sh_finish;

/* The size to make of width x height with SAR `sar` when to_width x to_height is asked for. Both given: the
 * largest size inside them with the same display aspect ratio and square pixels, as 1080p and 4k mean it
 * (even
 * sides; the box stands upright for a picture that does). One given (the other 0): the other from it.
 * Neither: the picture's own size, SAR kept. exact: the size as given, SAR made to fit. *out_sar: what the
 * result's SAR is to be, exact. ARGUMENT: a result without a pixel, or of more than 16384. */
typedef struct sh_finish_size {
    int width, height;
    AVRational sar;
    bool enlarges; /* it is larger than what the network makes: worth a word */
} sh_finish_size;
int sh_finish_fit(sh_finish_size *out, int width, int height, AVRational sar, int to_width, int to_height,
                  bool exact, sh_err *err);

/* "1080p" and any other "Np" (a box N high and 16:9 wide), "4k" and "8k" (3840x2160, 7680x4320), "WxH"
 * (exact), "Wx" and "xH" into sides; 0: not said. False: not a size. */
bool sh_finish_parse_size(const char *text, int *width, int *height, bool *exact);

/* *out untouched on failure. ARGUMENT, UNSUPPORTED (a format), MEMORY. Anything that is asked for and would
 * change nothing costs nothing. */
int sh_finish_open(sh_finish **out, const sh_finish_settings *settings, sh_err *err);
void sh_finish_close(sh_finish **finish); /* NULL in it is fine */

/* *frame becomes the result: itself, changed (where nobody else holds its planes; else a copy), or a new one
 * with its properties. number: of the frame, of the output; the grain's. On failure *frame is as it was. */
int sh_finish_apply(sh_finish *finish, AVFrame **frame, int64_t number, sh_err *err);

#endif
