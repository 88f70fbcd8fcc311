/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_TIMES_H
#define SH_MEDIA_TIMES_H
/* Decoding times of the video packets.
 *
 * Encoders that reorder begin each piece anew, and their own decoding times overlap at the joins. Over the
 * whole output the nth packet in decoding order gets the (n - delay)th smallest presentation time: it
 * increases always and is never after the packet's own, if the encoder reorders by `delay` packets at most.
 * The first `delay` packets get times before the first frame, in steps as between the first two. Since a
 * piece is closed, all that is carried from one to the next are `delay` times. */
#include "base/err.h"
#include <libavcodec/avcodec.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SH_DELAY_MAX 64

typedef struct sh_times {
    int delay;
    bool begun;
    int64_t step;                  /* for a file of one frame */
    int64_t carried[SH_DELAY_MAX]; /* the last `delay` presentation times in order, once begun */
} sh_times;

/* INTERNAL: a delay that is not 0..SH_DELAY_MAX. step: duration of a frame, > 0. */
int sh_times_start(sh_times *times, int delay, int64_t step, sh_err *err);
/* Sets dts of a whole piece's packets, given in decoding order with their pts. INTERNAL when a packet would
 * be shown before it is decoded, or a presentation time is not after those of the piece before, or comes
 * twice: the encoder did not do what it said. *times is then undefined. */
int sh_times_piece(sh_times *times, AVPacket *const *packets, size_t count, sh_err *err);

#endif
