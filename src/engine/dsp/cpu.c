/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CPUID says what the processor can do; XGETBV says which registers the operating system saves when it
 * switches between threads. Without the second, wide registers would be lost at random. */
#include "engine/dsp/dsp.h"
#include <spyhop/spyhop.h>

#if SH_HAVE_X86
#include <cpuid.h>
#include <stdint.h>

enum {
    FMA = 1 << 12, /* leaf 1, ecx */
    OSXSAVE = 1 << 27,
    AVX = 1 << 28,
    F16C = 1 << 29,
    AVX2 = 1 << 5, /* leaf 7, ebx */
    AVX512F = 1 << 16,
    AVX512DQ = 1 << 17,
    AVX512BW = 1 << 30,
    AVX512VNNI = 1 << 11, /* leaf 7, ecx */
    AVX512FP16 = 1 << 23, /* leaf 7, edx */
    AVXVNNI = 1 << 4      /* leaf 7, subleaf 1, eax */
};
#define AVX512VL (1u << 31)

static uint64_t saved_registers(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low | (uint64_t)high << 32;
}

/* One bit a level, 1 << SPYHOP_CPU_... */
static unsigned levels(void)
{
    const unsigned need1 = FMA | OSXSAVE | AVX | F16C;
    const unsigned need512 = AVX512F | AVX512DQ | AVX512BW | AVX512VL;
    unsigned a, b, c, d, subleaves, more, found = 1u << SPYHOP_CPU_C;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & need1) != need1)
        return found;
    uint64_t saved = saved_registers();
    if ((saved & 0x06) != 0x06 || !__get_cpuid_count(7, 0, &subleaves, &b, &c, &d) || !(b & AVX2))
        return found;
    found |= 1u << SPYHOP_CPU_AVX2;
    if (subleaves >= 1 && __get_cpuid_count(7, 1, &a, &more, &more, &more) && (a & AVXVNNI))
        found |= 1u << SPYHOP_CPU_AVXVNNI;
    if ((saved & 0xe6) != 0xe6 || (b & need512) != need512)
        return found;
    found |= 1u << SPYHOP_CPU_AVX512;
    if (!(c & AVX512VNNI))
        return found;
    found |= 1u << SPYHOP_CPU_AVX512VNNI;
    return SH_HAVE_FP16 && (d & AVX512FP16) ? found | 1u << SPYHOP_CPU_AVX512FP16 : found;
}
#else
static unsigned levels(void)
{
    return 1u << SPYHOP_CPU_C;
}
#endif

bool sh_cpu_has(int cpu)
{
    return cpu >= 0 && cpu <= SPYHOP_CPU_AVX512FP16 && (levels() >> cpu & 1);
}

int sh_cpu_detect(void)
{
    int best = SPYHOP_CPU_AVX512FP16;
    while (best > SPYHOP_CPU_C && !sh_cpu_has(best))
        best--;
    return best;
}
