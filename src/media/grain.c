/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/grain.h"

#include <math.h>

#define SUM_MEAN 510           /* of four bytes */
#define SUM_DEVIATION 147.8005 /* sqrt(4 (256^2 - 1) / 12) */
#define FADE 16                /* codes of 8 bits */

static uint64_t splitmix64(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

void sh_grain_make(sh_grain *grain, double deviation, int depth, int full_range, uint64_t seed)
{
    const int unit = 1 << (depth - 8), codes = 1 << depth;
    *grain = (sh_grain){.seed = seed, .depth = depth};
    grain->black = full_range ? 0 : 16 * unit;
    grain->white = full_range ? codes - 1 : 235 * unit;
    for (int code = 0; code < codes; code++) {
        const int below = grain->white - code, above = code - grain->black;
        double weight = (double)(below < above ? below : above) / (FADE * unit);
        weight = weight < 0 ? 0 : weight > 1 ? 1 : weight;
        grain->gain[code] = (int32_t)lrint(deviation * unit / SUM_DEVIATION * weight * 65536);
    }
}

/* The sum of the four bytes of a mix of counter and row, less its mean. */
static inline int32_t draw(uint32_t row, int x)
{
    uint32_t v = row + (uint32_t)x * 0x9e3779b9u;
    v = (v ^ (v >> 16)) * 0x21f0aaadu;
    v = (v ^ (v >> 15)) * 0x735a2d97u;
    v ^= v >> 15;
    const uint32_t pairs = (v & 0x00ff00ffu) + ((v >> 8) & 0x00ff00ffu);
    return (int32_t)((pairs & 0xffff) + (pairs >> 16)) - SUM_MEAN;
}

static inline int add(const sh_grain *grain, int code, int32_t drawn)
{
    const int low = code < grain->black ? code : grain->black,
              high = code > grain->white ? code : grain->white;
    const int to = code + ((drawn * grain->gain[code] + 32768) >> 16);
    return to < low ? low : to > high ? high : to;
}

void sh_grain_row(const sh_grain *grain, void *row, int width, int64_t frame, int y)
{
    const uint32_t seed =
        (uint32_t)(splitmix64(splitmix64(grain->seed + (uint64_t)frame) + (uint64_t)y) >> 32);
    uint8_t *bytes = row;
    uint16_t *words = row;
    const int most = (1 << grain->depth) - 1;
    if (grain->depth == 8)
        for (int x = 0; x < width; x++)
            bytes[x] = (uint8_t)add(grain, bytes[x], draw(seed, x));
    else
        for (int x = 0; x < width; x++)
            words[x] = (uint16_t)add(grain, words[x] & most, draw(seed, x));
}
