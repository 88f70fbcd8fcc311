/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_GRAIN_H
#define SH_MEDIA_GRAIN_H
/* Grain on luma; finish.h says what it is like. */
#include <stddef.h>
#include <stdint.h>

typedef struct sh_grain {
    uint64_t seed;
    int depth;             /* 8 to 10 */
    int black, white;      /* nominal range, in codes of that depth */
    int32_t gain[1 << 10]; /* for each code: of the random number, times 2^16 */
} sh_grain;

/* deviation: in codes of 8 bits. */
void sh_grain_make(sh_grain *grain, double deviation, int depth, int full_range, uint64_t seed);
/* One row of one frame, in place; uint8_t samples of 8 bits, else uint16_t. */
void sh_grain_row(const sh_grain *grain, void *row, int width, int64_t frame, int y);

#endif
