/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* 12 sums, 3 inputs and a weight in 16 registers. */
#include "engine/dsp/x86/simd_avx2.h"
#include "engine/dsp/x86/act_simd.h"

#define WIDE_OUTPUTS 0
#define NARROW 3
#define v_act(v, conv, output)                                                                               \
    v_activate(v, (conv)->act, v_set((conv)->act == SH_ACT_CLIP ? (conv)->low : (conv)->slope[output]),      \
               v_set((conv)->high))

/* One tap of a tile of 4 outputs by 3 vectors. In assembly because 12 sums, 3 inputs and a weight are all 16
 * registers, and compilers, free to move sums about, store some of them at every tap. */
static inline __attribute__((always_inline)) void tap_4x3(vec *s, const float *from, const float *w)
{
    __asm__("vmovups (%[from]), %%ymm12\n\t"
            "vmovups 32(%[from]), %%ymm13\n\t"
            "vmovups 64(%[from]), %%ymm14\n\t"
            "vbroadcastss (%[w]), %%ymm15\n\t"
            "vfmadd231ps %%ymm12, %%ymm15, %0\n\t"
            "vfmadd231ps %%ymm13, %%ymm15, %1\n\t"
            "vfmadd231ps %%ymm14, %%ymm15, %2\n\t"
            "vbroadcastss 4(%[w]), %%ymm15\n\t"
            "vfmadd231ps %%ymm12, %%ymm15, %3\n\t"
            "vfmadd231ps %%ymm13, %%ymm15, %4\n\t"
            "vfmadd231ps %%ymm14, %%ymm15, %5\n\t"
            "vbroadcastss 8(%[w]), %%ymm15\n\t"
            "vfmadd231ps %%ymm12, %%ymm15, %6\n\t"
            "vfmadd231ps %%ymm13, %%ymm15, %7\n\t"
            "vfmadd231ps %%ymm14, %%ymm15, %8\n\t"
            "vbroadcastss 12(%[w]), %%ymm15\n\t"
            "vfmadd231ps %%ymm12, %%ymm15, %9\n\t"
            "vfmadd231ps %%ymm13, %%ymm15, %10\n\t"
            "vfmadd231ps %%ymm14, %%ymm15, %11"
            : "+x"(s[0]), "+x"(s[1]), "+x"(s[2]), "+x"(s[3]), "+x"(s[4]), "+x"(s[5]), "+x"(s[6]), "+x"(s[7]),
              "+x"(s[8]), "+x"(s[9]), "+x"(s[10]), "+x"(s[11])
            : [from] "r"(from), [w] "r"(w), "m"(*(const float(*)[24])from), "m"(*(const float(*)[4])w)
            : "xmm12", "xmm13", "xmm14", "xmm15");
}

#define v_tap(sums, from, w, outputs, vectors)                                                               \
    ((outputs) == 4 && (vectors) == 3 && (tap_4x3(sums, from, w), 1))
#include "engine/dsp/x86/conv_simd.h"

void sh_conv_init_avx2(sh_dsp *dsp)
{
    dsp->conv = conv_simd;
}
