/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/dsp/x86/simd_avx512.h"
#include "engine/dsp/dsp.h"
#include <stdint.h>

static part lanes_left(int left)
{
    return left >= LANES ? v_part(LANES) : v_part(left);
}

static void load8_avx512(float *out, const void *in, int n, int peak)
{
    vec unit = v_set(1.0f / (float)peak);
    for (int x = 0; x < n; x += LANES) {
        part lanes = lanes_left(n - x);
        __m512i wide = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(lanes, (const uint8_t *)in + x));
        v_store_part(out + x, v_mul(_mm512_cvtepi32_ps(wide), unit), lanes);
    }
}

static void load16_avx512(float *out, const void *in, int n, int peak)
{
    vec unit = v_set(1.0f / (float)peak);
    for (int x = 0; x < n; x += LANES) {
        part lanes = lanes_left(n - x);
        __m512i wide = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, (const uint16_t *)in + x));
        v_store_part(out + x, v_mul(_mm512_cvtepi32_ps(wide), unit), lanes);
    }
}

static inline __m512i samples(const float *in, part lanes, vec peak)
{
    vec v = v_mul(v_load_part(in, lanes), peak);
    return _mm512_cvtps_epi32(v_min(v_max(v, v_zero()), peak));
}

static void store8_avx512(void *out, const float *in, int n, int peak)
{
    vec top = v_set((float)peak);
    for (int x = 0; x < n; x += LANES) {
        part lanes = lanes_left(n - x);
        _mm512_mask_cvtepi32_storeu_epi8((uint8_t *)out + x, lanes, samples(in + x, lanes, top));
    }
}

static void store16_avx512(void *out, const float *in, int n, int peak)
{
    vec top = v_set((float)peak);
    for (int x = 0; x < n; x += LANES) {
        part lanes = lanes_left(n - x);
        _mm512_mask_cvtepi32_storeu_epi16((uint16_t *)out + x, lanes, samples(in + x, lanes, top));
    }
}

void sh_pixel_init_avx512(sh_dsp *dsp)
{
    dsp->load8 = load8_avx512;
    dsp->load16 = load16_avx512;
    dsp->store8 = store8_avx512;
    dsp->store16 = store16_avx512;
}
