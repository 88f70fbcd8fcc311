/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The multiply-add peak of one instruction set: more chains than latency times units, all in registers. The
 * including file has included its simd_*.h and defined CHAINS, at most what its registers hold. */
#include "engine/dsp/dsp.h"

static int64_t peak_simd(int64_t rounds, float *sink)
{
    vec chain[CHAINS], factor = v_set(0.999f), term = v_set(sink[0] + 0.001f);
#pragma GCC unroll 24
    for (int i = 0; i < CHAINS; i++)
        chain[i] = v_set((float)i);
    for (int64_t r = 0; r < rounds; r++)
#pragma GCC unroll 24
        for (int i = 0; i < CHAINS; i++)
            chain[i] = v_fma(chain[i], factor, term);
#pragma GCC unroll 24
    for (int i = 1; i < CHAINS; i++)
        chain[0] = v_add(chain[0], chain[i]);
    float all[LANES];
    v_store(all, chain[0]);
    sink[0] = all[0];
    return rounds * CHAINS * LANES;
}
