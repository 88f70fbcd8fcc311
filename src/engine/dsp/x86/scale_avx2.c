/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <immintrin.h>
#include <stdint.h>

#define WORDS 16
#define OP(name) OP_##name
typedef __m256i word;
#define w_load(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define w_store(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), v)
#define w_load8(p) _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(p)))
#define w_load_d16(p) _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)(p)))
#define w_join(v) _mm256_permute4x64_epi64(v, 0xD8)

#define OP_set1_epi8 _mm256_set1_epi8
#define OP_set1_epi16 _mm256_set1_epi16
#define OP_set1_epi32 _mm256_set1_epi32
#define OP_add_epi16 _mm256_add_epi16
#define OP_add_epi32 _mm256_add_epi32
#define OP_sub_epi32 _mm256_sub_epi32
#define OP_madd_epi16 _mm256_madd_epi16
#define OP_mullo_epi16 _mm256_mullo_epi16
#define OP_mullo_epi32 _mm256_mullo_epi32
#define OP_unpacklo_epi8 _mm256_unpacklo_epi8
#define OP_unpackhi_epi8 _mm256_unpackhi_epi8
#define OP_unpacklo_epi16 _mm256_unpacklo_epi16
#define OP_unpackhi_epi16 _mm256_unpackhi_epi16
#define OP_unpacklo_epi32 _mm256_unpacklo_epi32
#define OP_unpackhi_epi32 _mm256_unpackhi_epi32
#define OP_packs_epi32 _mm256_packs_epi32
#define OP_packus_epi32 _mm256_packus_epi32
#define OP_packus_epi16 _mm256_packus_epi16
#define OP_srai_epi32 _mm256_srai_epi32
#define OP_sra_epi32 _mm256_sra_epi32
#define OP_srli_epi16 _mm256_srli_epi16
#define OP_srli_epi32 _mm256_srli_epi32
#define OP_srl_epi16 _mm256_srl_epi16
#define OP_slli_epi16 _mm256_slli_epi16
#define OP_slli_epi32 _mm256_slli_epi32
#define OP_sll_epi16 _mm256_sll_epi16
#define OP_min_epu8 _mm256_min_epu8
#define OP_max_epu8 _mm256_max_epu8
#define OP_min_epu16 _mm256_min_epu16
#define OP_max_epu16 _mm256_max_epu16
#define OP_and_si _mm256_and_si256
#define OP_or_si _mm256_or_si256
#define OP_xor_si _mm256_xor_si256

static inline void w_store8(uint8_t *to, __m256i v)
{
    __m256i bytes = _mm256_permute4x64_epi64(_mm256_packus_epi16(v, v), 0xD8);
    _mm_storeu_si128((__m128i *)(void *)to, _mm256_castsi256_si128(bytes));
}

static inline void w_store_d16(uint16_t *to, __m256i v)
{
    __m256i words = _mm256_permute4x64_epi64(_mm256_packus_epi32(v, v), 0xD8);
    _mm_storeu_si128((__m128i *)(void *)to, _mm256_castsi256_si128(words));
}

static inline void w_fix(__m256i low, __m256i high, void *to)
{
    w_store(to, _mm256_permute2x128_si256(low, high, 0x20));
    w_store((uint8_t *)to + 32, _mm256_permute2x128_si256(low, high, 0x31));
}

#include "engine/dsp/x86/scale_simd.h"

void sh_scale_init_avx2(sh_dsp *dsp)
{
    init_level(dsp);
}
