/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A row of a convolution out of blocks of pixels, each unrolled for its own length: at most 24 sums. The file
 * that includes this has conv_block. */
#ifndef SPYHOP_TRAIN_ROWS_H
#define SPYHOP_TRAIN_ROWS_H

#define CASE(n, nv, step)                                                                                    \
    case n:                                                                                                  \
        if ((n) * (nv) <= 24)                                                                                \
            conv_block(n, nv, step, in, row, w, bias, out);                                                  \
        break;
#define CASES_3(nv, step)                                                                                    \
    CASE(1, nv, step)                                                                                        \
    CASE(2, nv, step)                                                                                        \
    CASE(3, nv, step)                                                                                        \
    CASE(4, nv, step) CASE(5, nv, step) CASE(6, nv, step) CASE(7, nv, step) CASE(8, nv, step)
#define CASES_2(nv, step)                                                                                    \
    CASES_3(nv, step) CASE(9, nv, step) CASE(10, nv, step) CASE(11, nv, step) CASE(12, nv, step)
#define CASES_1(nv, step)                                                                                    \
    CASES_2(nv, step)                                                                                        \
    CASE(13, nv, step)                                                                                       \
    CASE(14, nv, step)                                                                                       \
    CASE(15, nv, step)                                                                                       \
    CASE(16, nv, step)                                                                                       \
    CASE(17, nv, step)                                                                                       \
    CASE(18, nv, step)                                                                                       \
    CASE(19, nv, step)                                                                                       \
    CASE(20, nv, step) CASE(21, nv, step) CASE(22, nv, step) CASE(23, nv, step) CASE(24, nv, step)

/* `width` pixels in blocks of nearly equal length: no short rest. */
#define CONV_ROW(type, nv, step)                                                                             \
    static void conv_row_##nv##_##step(const type *in, long row, const type *w, const float *bias,           \
                                       float *out, int width)                                                \
    {                                                                                                        \
        int blocks = (width + 24 / nv - 1) / (24 / nv);                                                      \
        for (int b = 0, done = 0; b < blocks; b++) {                                                         \
            int n = (width - done) / (blocks - b);                                                           \
            switch (n) {                                                                                     \
                CASES_##nv(nv, step)                                                                         \
            }                                                                                                \
            done += n, in += (long)n * step, out += 16 * nv * n;                                             \
        }                                                                                                    \
    }

#endif
