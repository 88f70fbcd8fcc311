/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CPUID says what the processor can do; XGETBV says which registers the operating system saves when it
 * switches between threads. Without the second, wide registers would be lost at random. */
#include "engine/dsp/dsp.h"
#include <spyhop/spyhop.h>

#if SH_HAVE_X86
#include <cpuid.h>
#include <stdint.h>

enum {
    FMA = 1 << 12,
    OSXSAVE = 1 << 27, /* leaf 1, ecx */
    AVX = 1 << 28,
    F16C = 1 << 29,
    AVX2 = 1 << 5, /* leaf 7, ebx */
    AVX512F = 1 << 16,
    AVX512DQ = 1 << 17,
    AVX512BW = 1 << 30
};
#define AVX512VL (1u << 31)

static uint64_t saved_registers(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low | (uint64_t)high << 32;
}

int sh_cpu_detect(void)
{
    const unsigned need1 = FMA | OSXSAVE | AVX | F16C;
    const unsigned need512 = AVX512F | AVX512DQ | AVX512BW | AVX512VL;
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & need1) != need1)
        return SPYHOP_CPU_C;
    uint64_t saved = saved_registers();
    if ((saved & 0x06) != 0x06 || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & AVX2))
        return SPYHOP_CPU_C;
    if ((saved & 0xe6) != 0xe6 || (b & need512) != need512)
        return SPYHOP_CPU_AVX2;
    return SPYHOP_CPU_AVX512;
}
#else
int sh_cpu_detect(void)
{
    return SPYHOP_CPU_C;
}
#endif
