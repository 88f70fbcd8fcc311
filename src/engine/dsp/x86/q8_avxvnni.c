/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* 12 sums, 3 vectors of pixels and a weight in 16 registers. */
#include "engine/dsp/x86/q8_256.h"

#define v_dot(sum, u, s) _mm256_dpbusd_avx_epi32(sum, u, s)
#define v_dot_words(sum, a, b) _mm256_dpwssd_avx_epi32(sum, a, b)
#define OUTPUTS 4
#define VECTORS 3

/* In assembly because 12 sums, 3 vectors and a weight are all 16 registers, and compilers, free to move sums
 * about, store some of them at every tap. */
static inline __attribute__((always_inline)) void tap_4x3(vec *s, const uint8_t *from, const int8_t *w)
{
    __asm__("vmovdqu (%[from]), %%ymm12\n\t"
            "vmovdqu 32(%[from]), %%ymm13\n\t"
            "vmovdqu 64(%[from]), %%ymm14\n\t"
            "vpbroadcastd (%[w]), %%ymm15\n\t"
            "%{vex%} vpdpbusd %%ymm15, %%ymm12, %0\n\t"
            "%{vex%} vpdpbusd %%ymm15, %%ymm13, %1\n\t"
            "%{vex%} vpdpbusd %%ymm15, %%ymm14, %2\n\t"
            "vpbroadcastd 4(%[w]), %%ymm15\n\t"
            "%{vex%} vpdpbusd %%ymm15, %%ymm12, %3\n\t"
            "%{vex%} vpdpbusd %%ymm15, %%ymm13, %4\n\t"
            "%{vex%} vpdpbusd %%ymm15, %%ymm14, %5\n\t"
            "vpbroadcastd 8(%[w]), %%ymm15\n\t"
            "%{vex%} vpdpbusd %%ymm15, %%ymm12, %6\n\t"
            "%{vex%} vpdpbusd %%ymm15, %%ymm13, %7\n\t"
            "%{vex%} vpdpbusd %%ymm15, %%ymm14, %8\n\t"
            "vpbroadcastd 12(%[w]), %%ymm15\n\t"
            "%{vex%} vpdpbusd %%ymm15, %%ymm12, %9\n\t"
            "%{vex%} vpdpbusd %%ymm15, %%ymm13, %10\n\t"
            "%{vex%} vpdpbusd %%ymm15, %%ymm14, %11"
            : "+x"(s[0]), "+x"(s[1]), "+x"(s[2]), "+x"(s[3]), "+x"(s[4]), "+x"(s[5]), "+x"(s[6]), "+x"(s[7]),
              "+x"(s[8]), "+x"(s[9]), "+x"(s[10]), "+x"(s[11])
            : [from] "r"(from), [w] "r"(w), "m"(*(const uint8_t(*)[96])from), "m"(*(const int8_t(*)[16])w)
            : "xmm12", "xmm13", "xmm14", "xmm15");
}

#define v_tap(sums, from, w) (tap_4x3(sums, from, w), 1)
#include "engine/dsp/x86/q8_dot.h"

void sh_q8_init_avxvnni(sh_dsp *dsp)
{
    dsp->q8_first = first_simd;
    dsp->q8_conv = conv_simd;
    dsp->q8_sums = sums_simd;
    dsp->q8_peak = peak_simd;
}
