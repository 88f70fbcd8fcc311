/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_BITS_H
#define SH_MEDIA_BITS_H
/* Bits, the most significant first, into a sh_buf. */
#include "base/buf.h"
#include <libavutil/mathematics.h>
#include <libavutil/rational.h>
#include <stdint.h>

typedef struct sh_bits {
    sh_buf *out;
    uint32_t pending; /* the lower `count` bits, not yet a byte */
    int count;
} sh_bits;

/* The lower n (0 to 32) bits of value. */
static inline void sh_bits_put(sh_bits *bits, int n, uint32_t value)
{
    while (n-- > 0) {
        bits->pending = bits->pending << 1 | (value >> n & 1);
        if (++bits->count == 8) {
            sh_buf_putc(bits->out, (char)bits->pending);
            bits->pending = 0;
            bits->count = 0;
        }
    }
}

/* Fills the last byte up: one bit, then zeros (one = 1), or zeros only. */
static inline void sh_bits_end(sh_bits *bits, uint32_t one)
{
    if (bits->count == 0)
        return;
    sh_bits_put(bits, 1, one);
    while (bits->count > 0)
        sh_bits_put(bits, 1, 0);
}

/* A value that is not negative, in steps of 1/steps, kept within n bits. */
static inline void sh_bits_ratio(sh_bits *bits, int n, AVRational value, int64_t steps)
{
    const int64_t most = (INT64_C(1) << n) - 1;
    const int64_t number = value.den > 0 && value.num > 0 ? av_rescale(value.num, steps, value.den) : 0;
    sh_bits_put(bits, n, (uint32_t)(number < most ? number : most));
}

#endif
