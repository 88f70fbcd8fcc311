/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The most that multiply-adds of bytes can reach: PEAK_CHAINS sums in registers, each moved by v_peak. */

static int64_t peak_simd(int64_t rounds, int32_t *sink)
{
    enum { CHAINS = PEAK_CHAINS };
    vec chain[CHAINS], bytes = v_set(sink[0] + 0x01020304), weights = v_set(sink[0] + 0x0102fffe);
    UNROLL
    for (int i = 0; i < CHAINS; i++)
        chain[i] = v_set(i);
    for (int64_t r = 0; r < rounds; r++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++) {
            v_keep(bytes);
            chain[i] = v_peak(chain[i], bytes, weights);
            v_keep(chain[i]);
        }
    }
    UNROLL
    for (int i = 1; i < CHAINS; i++)
        chain[0] = v_add(chain[0], chain[i]);
    int32_t all[PIXELS];
    v_store(all, chain[0]);
    sink[0] = all[0];
    return rounds * CHAINS * PIXELS * SH_Q8_GROUP;
}
