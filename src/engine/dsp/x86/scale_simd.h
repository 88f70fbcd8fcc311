/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernels of scale.h, for both vector widths: the file that includes this has defined
 *   WORDS               16-bit elements of a vector
 *   word                a vector of integers
 *   w_load, w_store     a whole vector
 *   w_load8(p)          WORDS bytes as words
 *   w_store8(p, v)      words as bytes with unsigned saturation (of signed words)
 *   w_load_d16(p)       WORDS / 2 words, unsigned, as doublewords
 *   w_store_d16(p, v)   doublewords as words with unsigned saturation
 *   w_fix(a, b, to)     the halves of two interleaved vectors (low, high) stored one after the other
 *   w_join(a, b)        a's and b's elements, which packing has mixed by lanes, in order
 * and OP(name), the intrinsic of that name. A row is done in whole vectors, the last of which may begin
 * before the one before it ends; a row shorter than a vector goes to the scalar form. */
#include "engine/dsp/dsp.h"
#include <string.h>

static inline int next_block(int x, int n, int lanes)
{
    x += lanes;
    return x >= n ? n : x > n - lanes ? n - lanes : x;
}

/* ---- sums of six ---- */

typedef struct sums {
    word low, high;
} sums;

/* Pairs of coefficients, each in every doubleword. */
static inline void load_taps(word pair[3], const int16_t *taps)
{
    for (int i = 0; i < 3; i++)
        pair[i] = OP(set1_epi32)(
            (int32_t)((uint32_t)(uint16_t)taps[2 * i] | (uint32_t)(uint16_t)taps[2 * i + 1] << 16));
}

static inline sums add_pair(sums s, word a, word b, word pair)
{
    s.low = OP(add_epi32)(s.low, OP(madd_epi16)(OP(unpacklo_epi16)(a, b), pair));
    s.high = OP(add_epi32)(s.high, OP(madd_epi16)(OP(unpackhi_epi16)(a, b), pair));
    return s;
}

static inline sums sums_of_words(const void *const *in, int x, const word pair[3], word start)
{
    sums s = {start, start};
    for (int i = 0; i < 3; i++)
        s = add_pair(s, w_load((const int16_t *)in[2 * i] + x), w_load((const int16_t *)in[2 * i + 1] + x),
                     pair[i]);
    return s;
}

static inline sums sums_of_bytes(const void *const *in, int x, const word pair[3], word start)
{
    sums s = {start, start};
    for (int i = 0; i < 3; i++)
        s = add_pair(s, w_load8((const uint8_t *)in[2 * i] + x), w_load8((const uint8_t *)in[2 * i + 1] + x),
                     pair[i]);
    return s;
}

static void fir_in8(void *out, const void *const *in, const int16_t *taps, int n, int depth)
{
    word pair[3], start = OP(set1_epi32)(-(1 << 21) + (1 << 6));
    if (n < WORDS) {
        sh_fir_in8_c(out, in, taps, n, depth);
        return;
    }
    load_taps(pair, taps);
    for (int x = 0; x < n; x = next_block(x, n, WORDS)) {
        sums s = sums_of_bytes(in, x, pair, start);
        w_store((int16_t *)out + x, OP(packs_epi32)(OP(srai_epi32)(s.low, 7), OP(srai_epi32)(s.high, 7)));
    }
}

static void fir_in16(void *out, const void *const *in, const int16_t *taps, int n, int depth)
{
    word pair[3], start = OP(set1_epi32)(-(1 << (depth + 13)) + (1 << (depth - 2)));
    __m128i shift = _mm_cvtsi32_si128(depth - 1);
    if (n < WORDS) {
        sh_fir_in16_c(out, in, taps, n, depth);
        return;
    }
    load_taps(pair, taps);
    for (int x = 0; x < n; x = next_block(x, n, WORDS)) {
        sums s = sums_of_words(in, x, pair, start);
        w_store((int16_t *)out + x,
                OP(packs_epi32)(OP(sra_epi32)(s.low, shift), OP(sra_epi32)(s.high, shift)));
    }
}

static void fir_out8(void *out, const void *const *in, const int16_t *taps, int n, int depth)
{
    word pair[3], start = OP(set1_epi32)((1 << 28) + (1 << 20));
    if (n < WORDS) {
        sh_fir_out8_c(out, in, taps, n, depth);
        return;
    }
    load_taps(pair, taps);
    for (int x = 0; x < n; x = next_block(x, n, WORDS)) {
        sums s = sums_of_words(in, x, pair, start);
        w_store8((uint8_t *)out + x, OP(packs_epi32)(OP(srai_epi32)(s.low, 21), OP(srai_epi32)(s.high, 21)));
    }
}

static void fir_out16(void *out, const void *const *in, const int16_t *taps, int n, int depth)
{
    word pair[3], start = OP(set1_epi32)((1 << 28) + (1 << (28 - depth)));
    word peak = OP(set1_epi16)((int16_t)((1 << depth) - 1));
    __m128i shift = _mm_cvtsi32_si128(29 - depth);
    if (n < WORDS) {
        sh_fir_out16_c(out, in, taps, n, depth);
        return;
    }
    load_taps(pair, taps);
    for (int x = 0; x < n; x = next_block(x, n, WORDS)) {
        sums s = sums_of_words(in, x, pair, start);
        word v = OP(packus_epi32)(OP(sra_epi32)(s.low, shift), OP(sra_epi32)(s.high, shift));
        w_store((uint16_t *)out + x, OP(min_epu16)(v, peak));
    }
}

static void fir_deep_in(void *out, const void *const *in, const int16_t *taps, int n, int depth)
{
    const int lanes = WORDS / 2;
    if (n < lanes) {
        sh_fir_deep_in_c(out, in, taps, n, depth);
        return;
    }
    for (int x = 0; x < n; x = next_block(x, n, lanes)) {
        word v = OP(set1_epi32)(1 << 13);
        for (int t = 0; t < SH_FIR_TAPS; t++) {
            word from = OP(sub_epi32)(w_load_d16((const uint16_t *)in[t] + x), OP(set1_epi32)(32768));
            v = OP(add_epi32)(v, OP(mullo_epi32)(from, OP(set1_epi32)(taps[t])));
        }
        w_store((int32_t *)out + x, OP(srai_epi32)(v, 14));
    }
}

static void fir_deep_out(void *out, const void *const *in, const int16_t *taps, int n, int depth)
{
    const int lanes = WORDS / 2;
    if (n < lanes) {
        sh_fir_deep_out_c(out, in, taps, n, depth);
        return;
    }
    for (int x = 0; x < n; x = next_block(x, n, lanes)) {
        word v = OP(set1_epi32)((1 << 29) + (1 << 13));
        for (int t = 0; t < SH_FIR_TAPS; t++)
            v = OP(add_epi32)(v,
                              OP(mullo_epi32)(w_load((const int32_t *)in[t] + x), OP(set1_epi32)(taps[t])));
        w_store_d16((uint16_t *)out + x, OP(srai_epi32)(v, 14));
    }
}

/* ---- range ---- */

static void extremes8(void *lo, void *hi, const void *const *low, const void *const *high, int n, int black,
                      int white)
{
    if (n < 2 * WORDS) {
        sh_extremes8_c(lo, hi, low, high, n, black, white);
        return;
    }
    for (int x = 0; x < n; x = next_block(x, n, 2 * WORDS)) {
        word least = OP(set1_epi8)((int8_t)black), most = OP(set1_epi8)((int8_t)white);
        for (int i = 0; i < 3; i++) {
            least = OP(min_epu8)(least, w_load((const uint8_t *)low[i] + x));
            most = OP(max_epu8)(most, w_load((const uint8_t *)high[i] + x));
        }
        w_store((uint8_t *)lo + x, least);
        w_store((uint8_t *)hi + x, most);
    }
}

static void extremes16(void *lo, void *hi, const void *const *low, const void *const *high, int n, int black,
                       int white)
{
    if (n < WORDS) {
        sh_extremes16_c(lo, hi, low, high, n, black, white);
        return;
    }
    for (int x = 0; x < n; x = next_block(x, n, WORDS)) {
        word least = OP(set1_epi16)((int16_t)black), most = OP(set1_epi16)((int16_t)white);
        for (int i = 0; i < 3; i++) {
            least = OP(min_epu16)(least, w_load((const uint16_t *)low[i] + x));
            most = OP(max_epu16)(most, w_load((const uint16_t *)high[i] + x));
        }
        w_store((uint16_t *)lo + x, least);
        w_store((uint16_t *)hi + x, most);
    }
}

static void limit8(void *row, const void *lo, const void *hi, int n)
{
    uint8_t *to = row;
    if (n < 2 * WORDS) {
        sh_limit8_c(row, lo, hi, n);
        return;
    }
    for (int x = 0; x < n; x = next_block(x, n, 2 * WORDS)) {
        word v = OP(max_epu8)(w_load(to + x), w_load((const uint8_t *)lo + x));
        w_store(to + x, OP(min_epu8)(v, w_load((const uint8_t *)hi + x)));
    }
}

static void limit16(void *row, const void *lo, const void *hi, int n)
{
    uint16_t *to = row;
    if (n < WORDS) {
        sh_limit16_c(row, lo, hi, n);
        return;
    }
    for (int x = 0; x < n; x = next_block(x, n, WORDS)) {
        word v = OP(max_epu16)(w_load(to + x), w_load((const uint16_t *)lo + x));
        w_store(to + x, OP(min_epu16)(v, w_load((const uint16_t *)hi + x)));
    }
}

/* ---- packing ---- */

/* Three vectors of 16 bytes, a, b and c, as a0 b0 c0 a1 b1 c1 ...: [i][k] tells which bytes of the kth vector
 * go where in the ith of the result, for elements of one byte and of two. */
static const int8_t picks8[3][3][16] = {{{0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1, 5},
                                         {-1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1},
                                         {-1, -1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1}},
                                        {{-1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10, -1},
                                         {5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10},
                                         {-1, 5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1}},
                                        {{-1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1, -1},
                                         {-1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1},
                                         {10, -1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15}}};
static const int8_t picks16[3][3][16] = {{{0, 1, -1, -1, -1, -1, 2, 3, -1, -1, -1, -1, 4, 5, -1, -1},
                                          {-1, -1, 0, 1, -1, -1, -1, -1, 2, 3, -1, -1, -1, -1, 4, 5},
                                          {-1, -1, -1, -1, 0, 1, -1, -1, -1, -1, 2, 3, -1, -1, -1, -1}},
                                         {{-1, -1, 6, 7, -1, -1, -1, -1, 8, 9, -1, -1, -1, -1, 10, 11},
                                          {-1, -1, -1, -1, 6, 7, -1, -1, -1, -1, 8, 9, -1, -1, -1, -1},
                                          {4, 5, -1, -1, -1, -1, 6, 7, -1, -1, -1, -1, 8, 9, -1, -1}},
                                         {{-1, -1, -1, -1, 12, 13, -1, -1, -1, -1, 14, 15, -1, -1, -1, -1},
                                          {10, 11, -1, -1, -1, -1, 12, 13, -1, -1, -1, -1, 14, 15, -1, -1},
                                          {-1, -1, 10, 11, -1, -1, -1, -1, 12, 13, -1, -1, -1, -1, 14, 15}}};

static inline void zip_threes(uint8_t *out, const void *const *in, int n, int size, int shift)
{
    const int8_t(*table)[3][16] = size == 1 ? picks8 : picks16;
    const __m128i by = _mm_cvtsi32_si128(shift);
    __m128i picks[3][3];
    for (int i = 0; i < 9; i++)
        picks[i / 3][i % 3] = _mm_loadu_si128((const __m128i *)(const void *)table[i / 3][i % 3]);
    for (int x = 0; x < n; x = next_block(x, n, 16 / size)) {
        __m128i v[3];
        for (int k = 0; k < 3; k++)
            v[k] = _mm_loadu_si128((const __m128i *)(const void *)((const uint8_t *)in[k] + size * x));
        for (int i = 0; i < 3; i++) {
            __m128i sum =
                _mm_or_si128(_mm_shuffle_epi8(v[0], picks[i][0]), _mm_shuffle_epi8(v[1], picks[i][1]));
            sum = _mm_or_si128(sum, _mm_shuffle_epi8(v[2], picks[i][2]));
            if (size == 2)
                sum = _mm_sll_epi16(sum, by);
            _mm_storeu_si128((__m128i *)(void *)(out + 3 * size * x + 16 * i), sum);
        }
    }
}

static void zip8(void *out, const void *const *in, int count, int n, int shift)
{
    const uint8_t *const *from = (const uint8_t *const *)in;
    uint8_t *to = out;
    if (count == 1) {
        memcpy(out, in[0], (size_t)n);
    } else if (n < 2 * WORDS || count > 4) {
        sh_zip8_c(out, in, count, n, shift);
    } else if (count == 3) {
        zip_threes(out, in, n, 1, 0);
    } else if (count == 2) {
        for (int x = 0; x < n; x = next_block(x, n, 2 * WORDS)) {
            word a = w_load(from[0] + x), b = w_load(from[1] + x);
            w_fix(OP(unpacklo_epi8)(a, b), OP(unpackhi_epi8)(a, b), to + 2 * x);
        }
    } else {
        for (int x = 0; x < n; x = next_block(x, n, WORDS)) {
            word a = OP(or_si)(w_load8(from[0] + x), OP(slli_epi16)(w_load8(from[1] + x), 8));
            word b = OP(or_si)(w_load8(from[2] + x), OP(slli_epi16)(w_load8(from[3] + x), 8));
            w_fix(OP(unpacklo_epi16)(a, b), OP(unpackhi_epi16)(a, b), to + 4 * x);
        }
    }
}

static void zip16(void *out, const void *const *in, int count, int n, int shift)
{
    const uint16_t *const *from = (const uint16_t *const *)in;
    const __m128i by = _mm_cvtsi32_si128(shift);
    uint16_t *to = out;
    if (n < WORDS || count > 4) {
        sh_zip16_c(out, in, count, n, shift);
    } else if (count == 1) {
        for (int x = 0; x < n; x = next_block(x, n, WORDS))
            w_store(to + x, OP(sll_epi16)(w_load(from[0] + x), by));
    } else if (count == 3) {
        zip_threes(out, in, n, 2, shift);
    } else if (count == 2) {
        for (int x = 0; x < n; x = next_block(x, n, WORDS)) {
            word a = OP(sll_epi16)(w_load(from[0] + x), by), b = OP(sll_epi16)(w_load(from[1] + x), by);
            w_fix(OP(unpacklo_epi16)(a, b), OP(unpackhi_epi16)(a, b), to + 2 * x);
        }
    } else {
        for (int x = 0; x < n; x = next_block(x, n, WORDS / 2)) {
            word a = OP(or_si)(w_load_d16(from[0] + x), OP(slli_epi32)(w_load_d16(from[1] + x), 16));
            word b = OP(or_si)(w_load_d16(from[2] + x), OP(slli_epi32)(w_load_d16(from[3] + x), 16));
            a = OP(sll_epi16)(a, by);
            b = OP(sll_epi16)(b, by);
            w_fix(OP(unpacklo_epi32)(a, b), OP(unpackhi_epi32)(a, b), to + 4 * x);
        }
    }
}

static void unzip8(void *const *out, const void *in, int count, int n, int shift)
{
    const uint8_t *from = in;
    uint8_t *const *to = (uint8_t *const *)out;
    if (count == 1) {
        memcpy(out[0], in, (size_t)n);
    } else if (n < 2 * WORDS) {
        sh_unzip8_c(out, in, count, n, shift);
    } else {
        const word low = OP(set1_epi16)(0xff);
        for (int x = 0; x < n; x = next_block(x, n, 2 * WORDS)) {
            word a = w_load(from + 2 * x), b = w_load(from + 2 * x + 2 * WORDS);
            w_store(to[0] + x, w_join(OP(packus_epi16)(OP(and_si)(a, low), OP(and_si)(b, low))));
            w_store(to[1] + x, w_join(OP(packus_epi16)(OP(srli_epi16)(a, 8), OP(srli_epi16)(b, 8))));
        }
    }
}

static void unzip16(void *const *out, const void *in, int count, int n, int shift)
{
    const uint16_t *from = in;
    uint16_t *const *to = (uint16_t *const *)out;
    const __m128i by = _mm_cvtsi32_si128(shift);
    if (n < WORDS) {
        sh_unzip16_c(out, in, count, n, shift);
    } else if (count == 1) {
        for (int x = 0; x < n; x = next_block(x, n, WORDS))
            w_store(to[0] + x, OP(srl_epi16)(w_load(from + x), by));
    } else {
        const word low = OP(set1_epi32)(0xffff);
        for (int x = 0; x < n; x = next_block(x, n, WORDS)) {
            word a = OP(srl_epi16)(w_load(from + 2 * x), by);
            word b = OP(srl_epi16)(w_load(from + 2 * x + WORDS), by);
            w_store(to[0] + x, w_join(OP(packus_epi32)(OP(and_si)(a, low), OP(and_si)(b, low))));
            w_store(to[1] + x, w_join(OP(packus_epi32)(OP(srli_epi32)(a, 16), OP(srli_epi32)(b, 16))));
        }
    }
}

/* ---- blending ---- */

static void blend8(void *out, const void *base, const void *net, int n, int weight)
{
    const word a = OP(set1_epi16)((int16_t)(256 - weight)), b = OP(set1_epi16)((int16_t)weight);
    if (n < WORDS) {
        sh_blend8_c(out, base, net, n, weight);
        return;
    }
    for (int x = 0; x < n; x = next_block(x, n, WORDS)) {
        word v = OP(add_epi16)(OP(mullo_epi16)(w_load8((const uint8_t *)base + x), a), OP(set1_epi16)(128));
        v = OP(add_epi16)(v, OP(mullo_epi16)(w_load8((const uint8_t *)net + x), b));
        w_store8((uint8_t *)out + x, OP(srli_epi16)(v, 8));
    }
}

/* As signed words, less 32768, so that madd takes them. */
static void blend16(void *out, const void *base, const void *net, int n, int weight)
{
    const word pair = OP(set1_epi32)((256 - weight) | weight << 16), sign = OP(set1_epi16)((int16_t)0x8000);
    if (n < WORDS) {
        sh_blend16_c(out, base, net, n, weight);
        return;
    }
    for (int x = 0; x < n; x = next_block(x, n, WORDS)) {
        const sums start = {OP(set1_epi32)(128), OP(set1_epi32)(128)};
        word a = OP(xor_si)(w_load((const uint16_t *)base + x), sign);
        word b = OP(xor_si)(w_load((const uint16_t *)net + x), sign);
        sums s = add_pair(start, a, b, pair);
        word v = OP(packs_epi32)(OP(srai_epi32)(s.low, 8), OP(srai_epi32)(s.high, 8));
        w_store((uint16_t *)out + x, OP(xor_si)(v, sign));
    }
}

static void init_level(sh_dsp *dsp)
{
    dsp->fir_in8 = fir_in8;
    dsp->fir_in16 = fir_in16;
    dsp->fir_deep_in = fir_deep_in;
    dsp->fir_out8 = fir_out8;
    dsp->fir_out16 = fir_out16;
    dsp->fir_deep_out = fir_deep_out;
    dsp->extremes8 = extremes8;
    dsp->extremes16 = extremes16;
    dsp->limit8 = limit8;
    dsp->limit16 = limit16;
    dsp->zip8 = zip8;
    dsp->zip16 = zip16;
    dsp->unzip8 = unzip8;
    dsp->unzip16 = unzip16;
    dsp->blend8 = blend8;
    dsp->blend16 = blend16;
}
