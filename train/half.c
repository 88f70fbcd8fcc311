/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inner layers of the training core in bfloat16 with float32 sums (AVX512_BF16): half the time of
 * core.c's.
 *
 * One instruction multiplies pairs.  Forward and for the gradient of the input a pair is two channels of one
 * pixel; for the gradient of the weights it is two pixels of one row.  The three taps of a row move the
 * gradient against the input by one pixel each, so its pairs are made twice, from an even and from an odd
 * pixel on; the inputs' once. Both are made for a few rows at a time (`bands`), in the first cache.
 *
 * First and last layer keep float32 weights; what goes between the layers is bfloat16.  Gradients are as
 * exact as that: good to about one in a hundred, less than what batches differ by.
 */
#include <stdlib.h>
#include <string.h>

#include "core.h"
#include "rows.h"

#ifdef __AVX512BF16__
#include <immintrin.h>

static inline v16 dot(v16 sum, v16 a, v16 b)
{
    return (v16)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
}

static inline v16 spread(const uint16_t *pair)
{
    int both;
    memcpy(&both, pair, sizeof(both));
    return (v16)_mm512_set1_epi32(both);
}

static inline v16 load16(const uint16_t *p)
{
    return (v16)_mm512_loadu_si512(p);
}

static inline v16 widen(const uint16_t *p)
{
    return (v16)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)p)), 16);
}

static inline void narrow(uint16_t *to, v16 a)
{
    _mm256_storeu_si256((void *)to, (__m256i)_mm512_cvtneps_pbh((__m512)a));
}

static uint16_t narrow_one(float a)
{
    uint16_t out[16];
    narrow(out, (v16){a});
    return out[0];
}

/* ---- a row of a convolution; `step` channels, all of them even ---- */

INLINE void conv_block(const int n, const int nv, const int step, const uint16_t *in, long row,
                       const uint16_t *w, const float *bias, float *out)
{
    v16 sum[24];
    UNROLL for (int i = 0; i < n * nv; i++) sum[i] = (v16){0};
    if (bias) {
        UNROLL for (int i = 0; i < n * nv; i++) sum[i] = *(const v16u *)(bias + 16 * (i % nv));
    }
    const long next = 16L * nv * step;
    for (int ky = 0; ky < 3; ky++, w += 2 * next) {
        const uint16_t *x = in + ky * row;
        _Pragma("GCC unroll 1") for (int c = 0; c < step; c += 2, w += 32 * nv, x += 2)
        {
            if (nv == 1) {
                const v16 k0 = load16(w), k1 = load16(w + next), k2 = load16(w + 2 * next);
                UNROLL for (int i = 0; i < n + 2; i++)
                {
                    const v16 b = spread(x + i * step);
                    if (i < n)
                        sum[i] = dot(sum[i], k0, b);
                    if (i > 0 && i <= n)
                        sum[i - 1] = dot(sum[i - 1], k1, b);
                    if (i > 1)
                        sum[i - 2] = dot(sum[i - 2], k2, b);
                }
            } else {
                UNROLL for (int kx = 0; kx < 3; kx++)
                {
                    v16 k[3];
                    UNROLL for (int v = 0; v < nv; v++) k[v] = load16(w + kx * next + 32 * v);
                    UNROLL for (int i = 0; i < n; i++)
                    {
                        const v16 b = spread(x + (i + kx) * step);
                        UNROLL for (int v = 0; v < nv; v++) sum[i * nv + v] = dot(sum[i * nv + v], k[v], b);
                    }
                }
            }
        }
    }
    UNROLL for (int i = 0; i < n * nv; i++) * (v16 *)(out + 16 * i) = sum[i];
}

CONV_ROW(uint16_t, 1, 16)
CONV_ROW(uint16_t, 1, 32)
CONV_ROW(uint16_t, 1, 48)
CONV_ROW(uint16_t, 2, 32)
CONV_ROW(uint16_t, 3, 48)

typedef void half_row_fn(const uint16_t *, long, const uint16_t *, const float *, float *, int);

static half_row_fn *find_conv(int nv, int step)
{
    if (nv == 1)
        return step == 16 ? conv_row_1_16 : step == 32 ? conv_row_1_32 : conv_row_1_48;
    return nv == 2 ? conv_row_2_32 : conv_row_3_48;
}

/* ---- gradient of the weights ---- */

/* Pairs of pixels of a row: to[j][c] = (a[2j + shift][c], a[2j + shift + 1][c]); a has what it reads. */
static void pair_pixels(const uint16_t *a, int depth, int shift, int pairs, uint16_t *to)
{
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23,
                                           7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    a += shift * depth;
    for (int j = 0; j < pairs; j++, a += 2 * depth)
        for (int c = 0; c < depth; c += 16, to += 32) {
            __m512i both = _mm512_castsi256_si512(_mm256_loadu_si256((const void *)(a + c)));
            both = _mm512_inserti64x4(both, _mm256_loadu_si256((const void *)(a + depth + c)), 1);
            _mm512_storeu_si512(to, _mm512_permutexvar_epi16(order, both));
        }
}

/* Eight inputs (nv 1), four (2) or two (3), at the three taps of a row. x, even, odd: pairs; even has one
 * before it. */
INLINE void weights_block(const int n, const int nv, const uint16_t *x, const uint16_t *even,
                          const uint16_t *odd, int pairs, float *out)
{
    const long tap = 256L * nv * nv, depth = 32L * nv;
    v16 sum[24];
    UNROLL for (int i = 0; i < 3 * n * nv; i++) sum[i] =
        *(v16 *)(out + tap * (i / (n * nv)) + 16 * (i % (n * nv)));
    for (int j = 0; j < pairs; j++, x += depth, even += depth, odd += depth) {
        UNROLL for (int v = 0; v < nv; v++)
        {
            const v16 d0 = load16(even + 32 * v), d1 = load16(odd + 32 * v),
                      d2 = load16(even - depth + 32 * v);
            UNROLL for (int i = 0; i < n; i++)
            {
                const v16 b = spread(x + 2 * i);
                sum[i * nv + v] = dot(sum[i * nv + v], d0, b);
                sum[(n + i) * nv + v] = dot(sum[(n + i) * nv + v], d1, b);
                sum[(2 * n + i) * nv + v] = dot(sum[(2 * n + i) * nv + v], d2, b);
            }
        }
    }
    UNROLL for (int i = 0; i < 3 * n * nv; i++) * (v16 *)(out + tap * (i / (n * nv)) + 16 * (i % (n * nv))) =
        sum[i];
}

INLINE void weights_row(const int nv, const uint16_t *x, const uint16_t *even, const uint16_t *odd, int pairs,
                        float *out)
{
    const int n = nv == 1 ? 8 : nv == 2 ? 4 : 2;
    for (int c = 0; c < 16 * nv; c += n)
        weights_block(n, nv, x + 2 * c, even, odd, pairs, out + 16L * nv * c);
}

enum { BAND = 4 };

/* All of a layer: in [height + 2][width + 2], g with its border of two. */
static void weights_gradient(const struct work *w, const uint16_t *in, const uint16_t *g, int height,
                             int width, int nv, float *out)
{
    const int depth = 16 * nv, pairs = (width + 3) / 2;
    const long size = (long)(pairs + 2) * 2 * depth;
    uint16_t *x = (uint16_t *)w->bands, *even = x + (BAND + 2) * size, *odd = even + BAND * size;
    for (int first = 0; first < height; first += BAND) {
        int rows = height - first < BAND ? height - first : BAND;
        for (int y = 0; y < rows + 2; y++) {
            const uint16_t *from = in + (long)(first + y) * (width + 2) * depth;
            pair_pixels(from, depth, 0, (width + 2) / 2, x + y * size);
            if (width & 1) { /* the last pixel has no neighbour: zeros */
                uint16_t last[2 * 48] = {0};
                memcpy(last, from + (long)(width + 1) * depth, sizeof(uint16_t) * depth);
                pair_pixels(last, depth, 0, 1, x + y * size + (long)(pairs - 1) * 2 * depth);
            }
        }
        for (int y = 0; y < rows; y++) {
            const uint16_t *row = g + ((long)(first + y + 2) * (width + 4) + 2) * depth;
            pair_pixels(row, depth, -2, pairs + 1, even + y * size);
            pair_pixels(row, depth, -1, pairs, odd + y * size);
        }
        for (int ky = 0; ky < 3; ky++)
            for (int y = 0; y < rows; y++) {
                const uint16_t *a = x + (y + ky) * size, *d = even + y * size + 2 * depth,
                               *e = odd + y * size;
                float *to = out + 3L * ky * depth * depth;
                if (nv == 1)
                    weights_row(1, a, d, e, pairs, to);
                else if (nv == 2)
                    weights_row(2, a, d, e, pairs, to);
                else
                    weights_row(3, a, d, e, pairs, to);
            }
    }
}

/* ---- the chain ---- */

int half_layer_init(struct layer *l)
{
    l->half_w = (uint16_t *)core_floats((size_t)9 * l->ci * l->lanes);
    l->half_wt = (uint16_t *)core_floats((size_t)9 * l->ci * l->co);
    if (!l->half_w || !l->half_wt)
        return -1;
    for (int tap = 0; l->ci > 1 && tap < 9; tap++)
        for (int i = 0; i < l->ci; i++)
            for (int o = 0; o < l->lanes; o++)
                l->half_w[((tap * l->ci + (i & ~1)) * l->lanes + 2 * o) + (i & 1)] =
                    narrow_one(l->w[(tap * l->ci + i) * l->lanes + o]);
    for (int tap = 0; l->ci == l->co && tap < 9; tap++)
        for (int o = 0; o < l->co; o++)
            for (int i = 0; i < l->ci; i++)
                l->half_wt[((tap * l->co + (o & ~1)) * l->ci + 2 * i) + (o & 1)] =
                    narrow_one(l->wt[(tap * l->co + o) * l->ci + i]);
    return 0;
}

int half_work_init(struct work *w, int backward)
{
    const struct chain *c = w->chain;
    size_t depth = c->spec.channels, padded = (size_t)(c->height + 4) * (c->width + 4) * depth;
    for (int i = 0; i + 1 < c->count; i++)
        if (!(w->half_act[i] = (uint16_t *)core_floats((size_t)height_of(c, i) * width_of(c, i) * depth / 2)))
            return -1;
    w->row = core_floats((size_t)(c->width + 8) * depth);
    if (!w->row || !backward)
        return w->row ? 0 : -1;
    w->half_grad[0] = (uint16_t *)core_floats(padded / 2);
    w->half_grad[1] = (uint16_t *)core_floats(padded / 2);
    w->bands = core_floats((size_t)(3 * BAND + 2) * (c->width + 8) * depth);
    return w->half_grad[0] && w->half_grad[1] && w->bands ? 0 : -1;
}

void half_work_free(struct work *w)
{
    for (int i = 0; i < LAYERS_MAX; i++)
        free(w->half_act[i]);
    free(w->half_grad[0]);
    free(w->half_grad[1]);
    free(w->row);
    free(w->bands);
}

void half_forward(struct work *w, const float *x)
{
    const v16 zero = {0};
    struct chain *c = w->chain;
    for (int k = 0; k < c->count; k++) {
        struct layer *l = &c->layers[k];
        int height = height_of(c, k), width = width_of(c, k);
        long in_row = (long)(width + 2) * l->ci, out_row = (long)width * l->lanes;
        half_row_fn *conv = find_conv(l->lanes / 16, l->ci);
        for (int y = 0; y < height; y++) {
            float *out = k + 1 < c->count ? w->row : w->act[k] + y * out_row;
            if (k)
                conv(w->half_act[k - 1] + y * in_row, in_row, l->half_w, l->bias, out, width);
            else
                l->forward(x + y * in_row, in_row, l->w, l->bias, out, width);
            for (long i = 0; k + 1 < c->count && i < out_row; i += 16) {
                v16 a = *(v16 *)(out + i);
                narrow(w->half_act[k] + y * out_row + i, (v16)((a > zero) & (m16)a));
            }
        }
    }
}

static void clear_border(uint16_t *g, int height, int width, int depth)
{
    size_t row = (size_t)(width + 4) * depth, side = 2 * (size_t)depth;
    memset(g, 0, 2 * row * sizeof(*g));
    memset(g + (height + 2) * row, 0, 2 * row * sizeof(*g));
    for (int y = 2; y < height + 2; y++) {
        memset(g + y * row, 0, side * sizeof(*g));
        memset(g + y * row + row - side, 0, side * sizeof(*g));
    }
}

static void bias_gradient(const uint16_t *g, int height, int width, int depth, float *out)
{
    for (int y = 0; y < height; y++)
        for (int v = 0; v < depth; v += 16) {
            const uint16_t *row = g + ((long)(y + 2) * (width + 4) + 2) * depth + v;
            v16 sum = {0};
            for (int x = 0; x < width; x++)
                sum += widen(row + (long)x * depth);
            *(v16u *)(out + v) += sum;
        }
}

/* Row by row in float32, for the first layer's weights and the last's. */
static void widen_row(const uint16_t *from, long n, float *to)
{
    for (long i = 0; i < n; i += 16)
        *(v16 *)(to + i) = widen(from + i);
}

static void last_weights(struct work *w, const struct layer *l, int k, float *dw)
{
    int height = height_of(w->chain, k), width = width_of(w->chain, k);
    long in_row = (long)(width + 2) * l->ci, grad_row = (long)(width + 4) * l->co;
    float *rows = w->bands;
    for (int y = 0; y < height; y++) {
        int from = y ? 2 : 0;
        if (y)
            memmove(rows, rows + in_row, 2 * in_row * sizeof(float));
        for (int r = from; r < 3; r++)
            widen_row(w->half_act[k - 1] + (y + r) * in_row, in_row, rows + r * in_row);
        l->weights(rows, in_row, w->grad[k & 1] + (y + 2) * grad_row + 2 * l->co, grad_row, width, 1, dw);
    }
}

static void first_weights(struct work *w, const struct layer *l, const float *x, float *dw)
{
    int height = height_of(w->chain, 0), width = width_of(w->chain, 0);
    for (int y = 0; y < height; y++) {
        widen_row(w->half_grad[0] + ((long)(y + 2) * (width + 4) + 2) * l->co, (long)width * l->co, w->row);
        l->weights(x + (long)y * (width + 2), width + 2, w->row, 0, width, 1, dw);
    }
}

/* The gradient of layer k's input, through its ReLU, into half_grad of layer k - 1. */
static void input_gradient(struct work *w, const struct layer *l, int k)
{
    const v16 zero = {0};
    struct chain *c = w->chain;
    int height = height_of(c, k), width = width_of(c, k), last = k + 1 == c->count;
    long grad_row = (long)(width + 4) * l->co, to_row = (long)(width + 6) * l->ci,
         act_row = (long)(width + 2) * l->ci;
    uint16_t *to = w->half_grad[~k & 1];
    half_row_fn *conv = find_conv(l->ci / 16, l->ci);
    clear_border(to, height + 2, width + 2, l->ci);
    for (int y = 0; y < height + 2; y++) {
        if (last)
            l->backward(w->grad[k & 1] + y * grad_row, grad_row, l->wt, NULL, w->row, width + 2);
        else
            conv(w->half_grad[k & 1] + y * grad_row, grad_row, l->half_wt, NULL, w->row, width + 2);
        const uint16_t *act = w->half_act[k - 1] + y * act_row;
        uint16_t *row = to + (y + 2) * to_row + 2 * l->ci;
        for (long i = 0; i < act_row; i += 16)
            narrow(row + i, (v16)((widen(act + i) > zero) & *(m16 *)(w->row + i)));
    }
}

void half_backward(struct work *w, const float *x)
{
    struct chain *c = w->chain;
    float *dw = w->dw;
    for (int k = 0; k < c->count; k++)
        dw += (size_t)9 * c->layers[k].ci * c->layers[k].lanes + c->layers[k].lanes;
    for (int k = c->count - 1; k >= 0; k--) {
        struct layer *l = &c->layers[k];
        int height = height_of(c, k), width = width_of(c, k);
        size_t size = (size_t)9 * l->ci * l->lanes;
        dw -= size + l->lanes;
        if (k + 1 == c->count) {
            last_weights(w, l, k, dw);
            core_bias_gradient(w->grad[k & 1], height, width, l->co, dw + size);
        } else {
            bias_gradient(w->half_grad[k & 1], height, width, l->co, dw + size);
            if (k)
                weights_gradient(w, w->half_act[k - 1], w->half_grad[k & 1], height, width, l->co / 16, dw);
            else
                first_weights(w, l, x, dw);
        }
        if (k)
            input_gradient(w, l, k);
    }
}

#else /* no such instruction: half_layer_init says so */

int half_layer_init(struct layer *l)
{
    (void)l;
    return -1;
}
int half_work_init(struct work *w, int backward)
{
    (void)w, (void)backward;
    return -1;
}
void half_work_free(struct work *w)
{
    (void)w;
}
void half_forward(struct work *w, const float *x)
{
    (void)w, (void)x;
}
void half_backward(struct work *w, const float *x)
{
    (void)w, (void)x;
}

#endif
