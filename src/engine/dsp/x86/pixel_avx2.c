/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* AVX2 has no masked load or store of bytes: the ends of rows go sample by sample, through the same
 * arithmetic. */
#include "engine/dsp/x86/simd_avx2.h"
#include "engine/dsp/dsp.h"

static void load8_avx2(float *out, const void *in, int n, int peak)
{
    const uint8_t *from = in;
    float unit = 1.0f / (float)peak;
    int x = 0;
    for (; x + LANES <= n; x += LANES) {
        __m256i wide = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(from + x)));
        v_store(out + x, v_mul(_mm256_cvtepi32_ps(wide), v_set(unit)));
    }
    for (; x < n; x++)
        out[x] = (float)from[x] * unit;
}

static void load16_avx2(float *out, const void *in, int n, int peak)
{
    const uint16_t *from = in;
    float unit = 1.0f / (float)peak;
    int x = 0;
    for (; x + LANES <= n; x += LANES) {
        __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(from + x)));
        v_store(out + x, v_mul(_mm256_cvtepi32_ps(wide), v_set(unit)));
    }
    for (; x < n; x++)
        out[x] = (float)from[x] * unit;
}

/* Eight samples as words of 16 bits. */
static inline __m128i samples(vec v, vec peak)
{
    v = v_min(v_max(v_mul(v, peak), v_zero()), peak);
    __m256i wide = _mm256_cvtps_epi32(v);
    return _mm_packus_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
}

static inline int one_sample(float f, float peak)
{
    __m128 v = _mm_mul_ss(_mm_set_ss(f), _mm_set_ss(peak));
    return _mm_cvtss_si32(_mm_min_ss(_mm_max_ss(v, _mm_setzero_ps()), _mm_set_ss(peak)));
}

static void store8_avx2(void *out, const float *in, int n, int peak)
{
    uint8_t *to = out;
    int x = 0;
    for (; x + LANES <= n; x += LANES) {
        __m128i words = samples(v_load(in + x), v_set((float)peak));
        _mm_storel_epi64((__m128i *)(to + x), _mm_packus_epi16(words, words));
    }
    for (; x < n; x++)
        to[x] = (uint8_t)one_sample(in[x], (float)peak);
}

static void store16_avx2(void *out, const float *in, int n, int peak)
{
    uint16_t *to = out;
    int x = 0;
    for (; x + LANES <= n; x += LANES)
        _mm_storeu_si128((__m128i *)(to + x), samples(v_load(in + x), v_set((float)peak)));
    for (; x < n; x++)
        to[x] = (uint16_t)one_sample(in[x], (float)peak);
}

void sh_pixel_init_avx2(sh_dsp *dsp)
{
    dsp->load8 = load8_avx2;
    dsp->load16 = load16_avx2;
    dsp->store8 = store8_avx2;
    dsp->store16 = store16_avx2;
}
