/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <immintrin.h>
#include <stdint.h>

#define WORDS 32
#define OP(name) OP_##name
typedef __m512i word;
#define w_load(p) _mm512_loadu_si512((const __m512i *)(const void *)(p))
#define w_store(p, v) _mm512_storeu_si512((__m512i *)(void *)(p), v)
#define w_load8(p) _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)(p)))
#define w_load_d16(p) _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)(p)))
#define w_join(v) _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), v)

#define OP_set1_epi8 _mm512_set1_epi8
#define OP_set1_epi16 _mm512_set1_epi16
#define OP_set1_epi32 _mm512_set1_epi32
#define OP_add_epi16 _mm512_add_epi16
#define OP_add_epi32 _mm512_add_epi32
#define OP_sub_epi32 _mm512_sub_epi32
#define OP_madd_epi16 _mm512_madd_epi16
#define OP_mullo_epi16 _mm512_mullo_epi16
#define OP_mullo_epi32 _mm512_mullo_epi32
#define OP_unpacklo_epi8 _mm512_unpacklo_epi8
#define OP_unpackhi_epi8 _mm512_unpackhi_epi8
#define OP_unpacklo_epi16 _mm512_unpacklo_epi16
#define OP_unpackhi_epi16 _mm512_unpackhi_epi16
#define OP_unpacklo_epi32 _mm512_unpacklo_epi32
#define OP_unpackhi_epi32 _mm512_unpackhi_epi32
#define OP_packs_epi32 _mm512_packs_epi32
#define OP_packus_epi32 _mm512_packus_epi32
#define OP_packus_epi16 _mm512_packus_epi16
#define OP_srai_epi32 _mm512_srai_epi32
#define OP_sra_epi32 _mm512_sra_epi32
#define OP_srli_epi16 _mm512_srli_epi16
#define OP_srli_epi32 _mm512_srli_epi32
#define OP_srl_epi16 _mm512_srl_epi16
#define OP_slli_epi16 _mm512_slli_epi16
#define OP_slli_epi32 _mm512_slli_epi32
#define OP_sll_epi16 _mm512_sll_epi16
#define OP_min_epu8 _mm512_min_epu8
#define OP_max_epu8 _mm512_max_epu8
#define OP_min_epu16 _mm512_min_epu16
#define OP_max_epu16 _mm512_max_epu16
#define OP_and_si _mm512_and_si512
#define OP_or_si _mm512_or_si512
#define OP_xor_si _mm512_xor_si512

static inline void w_store8(uint8_t *to, __m512i v)
{
    __m512i clipped = _mm512_max_epi16(v, _mm512_setzero_si512());
    _mm256_storeu_si256((__m256i *)(void *)to, _mm512_cvtusepi16_epi8(clipped));
}

static inline void w_store_d16(uint16_t *to, __m512i v)
{
    __m512i clipped = _mm512_max_epi32(v, _mm512_setzero_si512());
    _mm256_storeu_si256((__m256i *)(void *)to, _mm512_cvtusepi32_epi16(clipped));
}

static inline void w_fix(__m512i low, __m512i high, void *to)
{
    const __m512i first = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    const __m512i second = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    w_store(to, _mm512_permutex2var_epi64(low, first, high));
    w_store((uint8_t *)to + 64, _mm512_permutex2var_epi64(low, second, high));
}

#include "engine/dsp/x86/scale_simd.h"

void sh_scale_init_avx512(sh_dsp *dsp)
{
    init_level(dsp);
}
