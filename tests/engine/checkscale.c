/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Random rows of every width, each ending where memory ends; the level must give the scalar form's bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "checkscale.h"
#include "guard.h"
#include "netmodel.h"
#include <string.h>

enum { WIDEST = 150, MOST = 8 };

static void fill_bytes(guard *g, uint32_t *seed)
{
    for (size_t i = 0; i < g->size; i++)
        g->start[i] = (unsigned char)(nm_next(seed) >> 9);
}

static guard random_bytes(size_t size, uint32_t *seed)
{
    guard g = guard_new(size);
    fill_bytes(&g, seed);
    return g;
}

static void intact(guard *g)
{
    assert_true(guard_intact(g));
    guard_free(g);
}

static void same(guard *expected, guard *got)
{
    assert_memory_equal(expected->start, got->start, got->size);
    intact(expected);
    intact(got);
}

/* Six that add up to 2^14, as far from each other as the contract allows. */
static void random_taps(int16_t *taps, uint32_t *seed)
{
    static const int16_t extreme[4][SH_FIR_TAPS] = {{398, -2213, 10007, 10007, -2213, 398},
                                                    {0, 0, 16384, 0, 0, 0},
                                                    {0, 0, 0, 16384, 0, 0},
                                                    {-2457, -2458, 21299, 0, 0, 0}};
    unsigned pick = nm_next(seed) >> 8;
    memcpy(taps, extreme[pick % 4], sizeof(extreme[0]));
    if (pick % 8 > 3) {
        taps[1] = (int16_t)(taps[1] + 100);
        taps[4] = (int16_t)(taps[4] - 100);
    }
}

/* Rows of in_bits (8, 16 or 32); of 32 bits no more than fir_deep_in makes. */
static void fir_rows(guard *in, int in_bits, int n, uint32_t *seed)
{
    for (int t = 0; t < SH_FIR_TAPS; t++) {
        in[t] = random_bytes((size_t)(n * in_bits / 8), seed);
        if (nm_next(seed) % 4 == 0)
            memset(in[t].start, nm_next(seed) % 2 ? 0xff : 0, in[t].size);
        for (int x = 0; in_bits == 32 && x < n; x++)
            ((int32_t *)(void *)in[t].start)[x] = (int32_t)(nm_next(seed) % 104858u) - 52429;
    }
}

void checkscale_fir(sh_fir_fn scalar, sh_fir_fn level, int in_bits, int out_bytes, int depth, uint32_t *seed)
{
    for (int n = 1; n <= WIDEST; n++)
        for (int run = 0; run < 2; run++) {
            guard in[SH_FIR_TAPS];
            const void *rows[SH_FIR_TAPS];
            int16_t taps[SH_FIR_TAPS];
            guard expected = guard_new((size_t)(n * out_bytes)), out = guard_new(expected.size);
            fir_rows(in, in_bits, n, seed);
            random_taps(taps, seed);
            for (int t = 0; t < SH_FIR_TAPS; t++)
                rows[t] = in[t].start;
            scalar(expected.start, rows, taps, n, depth);
            level(out.start, rows, taps, n, depth);
            same(&expected, &out);
            for (int t = 0; t < SH_FIR_TAPS; t++)
                intact(&in[t]);
        }
}

void checkscale_extremes(sh_extremes_fn scalar, sh_extremes_fn level, int bytes, uint32_t *seed)
{
    for (int n = 1; n <= WIDEST; n++) {
        guard in[6], lo[2], hi[2];
        const void *rows[6];
        for (int i = 0; i < 6; i++) {
            in[i] = random_bytes((size_t)(n * bytes), seed);
            rows[i] = in[i].start;
        }
        for (int i = 0; i < 2; i++) {
            lo[i] = guard_new((size_t)(n * bytes));
            hi[i] = guard_new((size_t)(n * bytes));
        }
        int black = bytes == 1 ? 16 : 40000, white = bytes == 1 ? 235 : 50000;
        scalar(lo[0].start, hi[0].start, rows, rows + 3, n, black, white);
        level(lo[1].start, hi[1].start, rows, rows + 3, n, black, white);
        same(&lo[0], &lo[1]);
        same(&hi[0], &hi[1]);
        for (int i = 0; i < 6; i++)
            intact(&in[i]);
    }
}

void checkscale_limit(sh_limit_fn scalar, sh_limit_fn level, int bytes, uint32_t *seed)
{
    for (int n = 1; n <= WIDEST; n++) {
        guard expected = random_bytes((size_t)(n * bytes), seed), out = guard_new(expected.size);
        guard lo = random_bytes(expected.size, seed), hi = random_bytes(expected.size, seed);
        for (int x = 0; x < n; x++) {
            lo.start[bytes * (x + 1) - 1] &= 0x3f;
            hi.start[bytes * (x + 1) - 1] |= 0xc0;
        }
        memcpy(out.start, expected.start, out.size);
        scalar(expected.start, lo.start, hi.start, n);
        level(out.start, lo.start, hi.start, n);
        same(&expected, &out);
        intact(&lo);
        intact(&hi);
    }
}

void checkscale_zip(sh_zip_fn scalar, sh_zip_fn level, int bytes, uint32_t *seed)
{
    for (int n = 1; n <= WIDEST; n++)
        for (int count = 1; count <= MOST; count++) {
            guard in[MOST], expected = guard_new((size_t)(n * count * bytes)), out = guard_new(expected.size);
            const void *rows[MOST];
            int shift = bytes == 1 ? 0 : n % 8;
            for (int i = 0; i < count; i++) {
                in[i] = random_bytes((size_t)(n * bytes), seed);
                rows[i] = in[i].start;
            }
            scalar(expected.start, rows, count, n, shift);
            level(out.start, rows, count, n, shift);
            same(&expected, &out);
            for (int i = 0; i < count; i++)
                intact(&in[i]);
        }
}

void checkscale_unzip(sh_unzip_fn scalar, sh_unzip_fn level, int bytes, uint32_t *seed)
{
    for (int n = 1; n <= WIDEST; n++)
        for (int count = 1; count <= 2; count++) {
            guard in = random_bytes((size_t)(n * count * bytes), seed), expected[2], out[2];
            void *to[2], *wanted[2];
            for (int i = 0; i < 2; i++) {
                expected[i] = guard_new((size_t)(n * bytes));
                out[i] = guard_new(expected[i].size);
                wanted[i] = expected[i].start;
                to[i] = out[i].start;
            }
            scalar(wanted, in.start, count, n, bytes == 1 ? 0 : n % 8);
            level(to, in.start, count, n, bytes == 1 ? 0 : n % 8);
            same(&expected[0], &out[0]);
            same(&expected[1], &out[1]);
            intact(&in);
        }
}

void checkscale_blend(sh_blend_fn scalar, sh_blend_fn level, int bytes, uint32_t *seed)
{
    for (int n = 1; n <= WIDEST; n++)
        for (int weight = 0; weight <= 256; weight += n % 2 ? 64 : 37) {
            guard a = random_bytes((size_t)(n * bytes), seed), b = random_bytes(a.size, seed);
            guard expected = guard_new(a.size), out = guard_new(a.size);
            scalar(expected.start, a.start, b.start, n, weight);
            level(out.start, a.start, b.start, n, weight);
            same(&expected, &out);
            intact(&a);
            intact(&b);
        }
}
