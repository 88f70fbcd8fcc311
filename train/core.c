/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The training core: value and gradient of a chain network on a batch of crops, in float32.
 *
 * The network is conv 1->C, ReLU, `inner` times (conv C->C, ReLU), conv C->outs; all 3x3 and valid, so that a
 * crop of h x w with `inner + 2` convolutions gives (h - 2 * (inner + 2)) rows.  C is 16, 32 or 48, outs 1,
 * 4, 9 or 16.
 *
 * Pictures are [y][x][channel]: sixteen channels are one vector.  A convolution holds up to 24 sums of
 * neighbouring pixels in registers and adds weight vector times broadcast sample; the gradient of its input
 * is the same loop over the gradient of its output, padded by zeros, with turned weights; the gradient of its
 * weights holds a sum for each input channel and runs over a few rows, so that what it reads stays in the
 * first cache.  A crop goes through the whole chain forward and backward before the next one; threads share
 * the crops and add their gradients at the end, in order, so the thread count changes a result by rounding
 * only.
 *
 * `params` is, layer after layer, weights [tap][input][output] then biases; gradients have the same form.
 *
 * With `scales`, what a ReLU gives is rounded to a multiple of its layer's scale, at most 255 of them (u8).
 * Backward this counts as the identity within that range and as zero beyond; the scales get LSQ gradients
 * (arXiv 1902.08153).
 */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"
#include "rows.h"

/* ---- convolution of one row ---- */

INLINE void conv_block(const int n, const int nv, const int step, const float *in, long row, const float *w,
                       const float *bias, float *out)
{
    v16 sum[24];
    UNROLL for (int v = 0; v < nv; v++)
    {
        v16 b = {0};
        if (bias)
            b = *(const v16u *)(bias + 16 * v);
        UNROLL for (int i = 0; i < n; i++) sum[i * nv + v] = b;
    }
    const long next = 16L * nv * step; /* weights of the next tap */
    for (int ky = 0; ky < 3; ky++, w += 2 * next) {
        const float *x = in + ky * row;
        _Pragma("GCC unroll 1") for (int c = 0; c < step; c++, w += 16 * nv, x++)
        {
            if (nv == 1) {
                const v16 k0 = *(const v16 *)w, k1 = *(const v16 *)(w + next),
                          k2 = *(const v16 *)(w + 2 * next);
                UNROLL for (int i = 0; i < n + 2; i++)
                {
                    const float b = x[i * step];
                    if (i < n)
                        sum[i] += k0 * b;
                    if (i > 0 && i <= n)
                        sum[i - 1] += k1 * b;
                    if (i > 1)
                        sum[i - 2] += k2 * b;
                }
            } else {
                UNROLL for (int kx = 0; kx < 3; kx++)
                {
                    v16 k[3];
                    UNROLL for (int v = 0; v < nv; v++) k[v] = *(const v16 *)(w + kx * next + 16 * v);
                    UNROLL for (int i = 0; i < n; i++)
                    {
                        UNROLL for (int v = 0; v < nv; v++) sum[i * nv + v] += k[v] * x[(i + kx) * step];
                    }
                }
            }
        }
    }
    UNROLL for (int i = 0; i < n * nv; i++) * (v16 *)(out + 16 * i) = sum[i];
}

CONV_ROW(float, 1, 1)
CONV_ROW(float, 1, 4)
CONV_ROW(float, 1, 9)
CONV_ROW(float, 1, 16)
CONV_ROW(float, 1, 32)
CONV_ROW(float, 1, 48)
CONV_ROW(float, 2, 1)
CONV_ROW(float, 2, 4)
CONV_ROW(float, 2, 32)
CONV_ROW(float, 3, 1)
CONV_ROW(float, 3, 4)
CONV_ROW(float, 3, 48)

static conv_row_fn *find_conv(int nv, int step)
{
    static const struct {
        int nv, step;
        conv_row_fn *fn;
    } rows[] = {{1, 1, conv_row_1_1},   {1, 4, conv_row_1_4},   {1, 9, conv_row_1_9}, {1, 16, conv_row_1_16},
                {1, 32, conv_row_1_32}, {1, 48, conv_row_1_48}, {2, 1, conv_row_2_1}, {2, 4, conv_row_2_4},
                {2, 32, conv_row_2_32}, {3, 1, conv_row_3_1},   {3, 4, conv_row_3_4}, {3, 48, conv_row_3_48}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].nv == nv && rows[i].step == step)
            return rows[i].fn;
    return NULL;
}

/* ---- gradient of the weights, over `rows` rows; `in` and `grad` point to their first samples ---- */

/* inner layers: 16 sums for 16 inputs (8 and 2 vectors, 5 and 3) */
INLINE void weights_block(const int n, const int nv, const int step, const float *in, long in_row,
                          const float *grad, long grad_row, int width, int rows, float *out)
{
    v16 sum[24];
    UNROLL for (int i = 0; i < n * nv; i++) sum[i] = *(v16 *)(out + 16 * i);
    for (int y = 0; y < rows; y++) {
        const float *x = in + y * in_row, *g = grad + y * grad_row;
        for (int p = 0; p < width; p++, x += step, g += 16 * nv) {
            v16 d[3];
            UNROLL for (int v = 0; v < nv; v++) d[v] = *(const v16 *)(g + 16 * v);
            UNROLL for (int i = 0; i < n; i++)
            {
                UNROLL for (int v = 0; v < nv; v++) sum[i * nv + v] += d[v] * x[i];
            }
        }
    }
    UNROLL for (int i = 0; i < n * nv; i++) * (v16 *)(out + 16 * i) = sum[i];
}

/* 16 channels: eight inputs at the three taps of a row; a sample, once broadcast, meets three gradients */
INLINE void weights_three(const float *in, long in_row, const float *grad, long grad_row, int width, int rows,
                          float *out)
{
    v16 sum[24];
    UNROLL for (int i = 0; i < 24; i++) sum[i] = *(v16 *)(out + 256 * (i / 8) + 16 * (i % 8));
    for (int y = 0; y < rows; y++) {
        const float *x = in + y * in_row, *g = grad + y * grad_row;
        /* the gradient's zero border is what the samples before its first and behind its last meet */
        for (int p = 0; p < width + 2; p++, x += 16, g += 16) {
            const v16 d0 = *(const v16 *)g, d1 = *(const v16 *)(g - 16), d2 = *(const v16 *)(g - 32);
            UNROLL for (int i = 0; i < 8; i++)
            {
                const float b = x[i];
                sum[i] += d0 * b;
                sum[8 + i] += d1 * b;
                sum[16 + i] += d2 * b;
            }
        }
    }
    UNROLL for (int i = 0; i < 24; i++) * (v16 *)(out + 256 * (i / 8) + 16 * (i % 8)) = sum[i];
}

static void weights_16(const float *in, long in_row, const float *grad, long grad_row, int width, int rows,
                       float *out)
{
    for (int ky = 0; ky < 3; ky++, in += in_row, out += 3 * 256) {
        weights_three(in, in_row, grad, grad_row, width, rows, out);
        weights_three(in + 8, in_row, grad, grad_row, width, rows, out + 128);
    }
}

#define WEIGHTS(name, n, nv, step)                                                                           \
    static void name(const float *in, long in_row, const float *grad, long grad_row, int width, int rows,    \
                     float *out)                                                                             \
    {                                                                                                        \
        for (int tap = 0; tap < 9; tap++)                                                                    \
            for (int c = 0; c < step; c += n, out += 16 * nv * n)                                            \
                weights_block(n, nv, step, in + tap / 3 * in_row + tap % 3 * step + c, in_row, grad,         \
                              grad_row, width, rows, out);                                                   \
    }
WEIGHTS(weights_32, 8, 2, 32)
WEIGHTS(weights_48, 8, 3, 48)

/* the first layer: a sum for each tap */
INLINE void first_block(const int nv, const float *in, long in_row, const float *grad, long grad_row,
                        int width, int rows, float *out)
{
    v16 sum[9];
    for (int v = 0; v < nv; v++) {
        UNROLL for (int i = 0; i < 9; i++) sum[i] = *(v16 *)(out + 16 * (i * nv + v));
        for (int y = 0; y < rows; y++) {
            const float *x = in + y * in_row, *g = grad + y * grad_row + 16 * v;
            for (int p = 0; p < width; p++, x++, g += 16 * nv) {
                v16 d = *(const v16 *)g;
                UNROLL for (int i = 0; i < 9; i++) sum[i] += d * x[i / 3 * in_row + i % 3];
            }
        }
        UNROLL for (int i = 0; i < 9; i++) * (v16 *)(out + 16 * (i * nv + v)) = sum[i];
    }
}

/* the last layer: `outs` gradients broadcast, the inputs are the vectors; sums [tap][output][input] */
INLINE void last_block(const int outs, const int taps, const int step, const float *in, long in_row,
                       const float *grad, long grad_row, int width, int rows, float *out)
{
    v16 sum[16];
    UNROLL for (int i = 0; i < taps * outs; i++) sum[i] = *(v16 *)(out + step * i);
    for (int y = 0; y < rows; y++) {
        const float *x = in + y * in_row, *g = grad + y * grad_row;
        for (int p = 0; p < width; p++, x += step, g += outs) {
            UNROLL for (int t = 0; t < taps; t++)
            {
                v16 a = *(const v16 *)(x + t * step);
                UNROLL for (int o = 0; o < outs; o++) sum[t * outs + o] += a * g[o];
            }
        }
    }
    UNROLL for (int i = 0; i < taps * outs; i++) * (v16 *)(out + step * i) = sum[i];
}

#define LAST(outs, taps, step)                                                                               \
    static void last_##outs##_##step(const float *in, long in_row, const float *grad, long grad_row,         \
                                     int width, int rows, float *out)                                        \
    {                                                                                                        \
        for (int tap = 0; tap < 9; tap += taps)                                                              \
            for (int v = 0; v < step; v += 16)                                                               \
                last_block(outs, taps, step, in + tap / 3 * in_row + tap % 3 * step + v, in_row, grad,       \
                           grad_row, width, rows, out + (long)tap * outs * step + v);                        \
    }
LAST(1, 3, 16)
LAST(4, 3, 16)
LAST(9, 1, 16)
LAST(16, 1, 16)
LAST(1, 3, 32)
LAST(4, 3, 32)
LAST(1, 3, 48)
LAST(4, 3, 48)

static void first_16(const float *in, long ir, const float *g, long gr, int width, int rows, float *out)
{
    first_block(1, in, ir, g, gr, width, rows, out);
}
static void first_32(const float *in, long ir, const float *g, long gr, int width, int rows, float *out)
{
    first_block(2, in, ir, g, gr, width, rows, out);
}
static void first_48(const float *in, long ir, const float *g, long gr, int width, int rows, float *out)
{
    first_block(3, in, ir, g, gr, width, rows, out);
}

static weights_fn *find_weights(int ci, int co)
{
    static const struct {
        int ci, co;
        weights_fn *fn;
    } rows[] = {{1, 16, first_16},    {1, 32, first_32},    {1, 48, first_48},  {16, 16, weights_16},
                {32, 32, weights_32}, {48, 48, weights_48}, {16, 1, last_1_16}, {16, 4, last_4_16},
                {16, 9, last_9_16},   {32, 1, last_1_32},   {32, 4, last_4_32}, {48, 1, last_1_48},
                {48, 4, last_4_48}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].ci == ci && rows[i].co == co)
            return rows[i].fn;
    return NULL;
}

/* ---- the chain ---- */

void *core_floats(size_t floats)
{
    void *p = NULL;
    return posix_memalign(&p, 64, (floats + 256) * sizeof(float)) ? NULL : p;
}

static void chain_free(struct chain *c)
{
    if (!c)
        return;
    for (int i = 0; i < c->count; i++) {
        free(c->layers[i].w);
        free(c->layers[i].wt);
        free(c->layers[i].half_w);
        free(c->layers[i].half_wt);
    }
    free(c);
}

static int layer_init(struct layer *l, const float *params)
{
    l->lanes = (l->co + 15) / 16 * 16;
    l->forward = find_conv(l->lanes / 16, l->ci);
    l->backward = l->ci > 1 ? find_conv(l->ci / 16, l->co) : NULL;
    l->turned = l->co < 16 || l->ci != l->co;
    l->turned = l->turned && l->ci > 1;
    l->weights = find_weights(l->ci, l->co);
    if (l->co == 16 && l->ci == 16 && l->turned)
        l->weights = last_16_16;
    l->w = core_floats((size_t)9 * l->ci * l->lanes);
    l->wt = core_floats((size_t)9 * l->ci * l->co);
    if (!l->forward || !l->w || !l->wt)
        return -1;
    memset(l->w, 0, sizeof(float) * 9 * l->ci * l->lanes);
    memset(l->bias, 0, sizeof(l->bias));
    for (int tap = 0; tap < 9; tap++)
        for (int i = 0; i < l->ci; i++)
            for (int o = 0; o < l->co; o++) {
                float value = params[l->at + ((long)tap * l->ci + i) * l->co + o];
                l->w[(tap * l->ci + i) * l->lanes + o] = value;
                l->wt[((8 - tap) * l->co + o) * l->ci + i] = value;
            }
    memcpy(l->bias, params + l->at + 9L * l->ci * l->co, sizeof(float) * l->co);
    return 0;
}

static struct chain *chain_new(const struct spec *s, const float *params, const float *scales, int height,
                               int width)
{
    struct chain *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->spec = *s, c->height = height, c->width = width, c->scales = scales;
    if (s->inner < 0 || s->inner + 2 > LAYERS_MAX || height <= 2 * (s->inner + 2) ||
        width <= 2 * (s->inner + 2))
        goto fail;
    for (int i = 0; i < s->inner + 2; i++) {
        struct layer *l = &c->layers[c->count++];
        l->ci = i ? s->channels : 1;
        l->co = i == s->inner + 1 ? s->outs : s->channels;
        l->at = c->params;
        c->params += 9L * l->ci * l->co + l->co;
        if (layer_init(l, params) || (s->half && half_layer_init(l)))
            goto fail;
    }
    return c;
fail:
    chain_free(c);
    return NULL;
}

static void work_free(struct work *w)
{
    for (int i = 0; i < LAYERS_MAX; i++) {
        free(w->act[i]);
        free(w->pre[i]);
    }
    free(w->grad[0]);
    free(w->grad[1]);
    free(w->dw);
    half_work_free(w);
}

static int work_init(struct work *w, struct chain *c, int backward)
{
    memset(w, 0, sizeof(*w));
    w->chain = c;
    size_t padded =
        (size_t)(c->height + 4) * (c->width + 4) * (c->spec.channels > 16 ? c->spec.channels : 16);
    for (int i = 0; i < c->count; i++) {
        size_t size = (size_t)height_of(c, i) * width_of(c, i) * c->layers[i].lanes;
        if (!(w->act[i] = core_floats(size)) || (c->scales && !(w->pre[i] = core_floats(size))))
            return -1;
    }
    if (!backward)
        return 0;
    size_t sums = 0;
    for (int i = 0; i < c->count; i++)
        sums += (size_t)9 * c->layers[i].ci * c->layers[i].lanes + c->layers[i].lanes;
    if (c->spec.half && half_work_init(w, 1))
        return -1;
    if (!(w->grad[0] = core_floats(padded)) || !(w->grad[1] = core_floats(padded)) ||
        !(w->dw = core_floats(sums)))
        return -1;
    memset(w->dw, 0, sums * sizeof(float));
    return 0;
}

INLINE v16 select16(m16 mask, v16 a)
{
    return (v16)(mask & (m16)a);
}
INLINE v16 either16(m16 mask, v16 a, v16 b)
{
    return (v16)((mask & (m16)a) | (~mask & (m16)b));
}

static void relu_row(float *row, float *pre, long n, float scale)
{
    const v16 zero = {0};
    if (!pre) {
        for (long i = 0; i < n; i += 16) {
            v16 *a = (v16 *)(row + i);
            *a = select16(*a > zero, *a);
        }
        return;
    }
    const float inverse = 1 / scale;
    for (long i = 0; i < n; i += 16) {
        v16 x = *(v16 *)(row + i), q = x * inverse;
        *(v16 *)(pre + i) = x;
        q = select16(q > zero, q);
        q = either16(q > 255.0f, zero + 255.0f, q);
        *(v16 *)(row + i) = __builtin_convertvector(__builtin_convertvector(q + 0.5f, m16), v16) * scale;
    }
}

static void forward(struct work *w, const float *x)
{
    struct chain *c = w->chain;
    const float *in = x;
    long in_row = c->width;
    for (int k = 0; k < c->count; k++) {
        struct layer *l = &c->layers[k];
        int height = height_of(c, k), width = width_of(c, k);
        long out_row = (long)width * l->lanes;
        for (int y = 0; y < height; y++) {
            float *out = w->act[k] + y * out_row;
            l->forward(in + y * in_row, in_row, l->w, l->bias, out, width);
            if (k + 1 < c->count)
                relu_row(out, c->scales ? w->pre[k] + y * out_row : NULL, out_row,
                         c->scales ? c->scales[k] : 0);
        }
        in = w->act[k], in_row = out_row;
    }
}

/* Zeros of two samples around a gradient of height x width x depth; the inside is left to its writer. */
static void clear_border(float *g, int height, int width, int depth)
{
    size_t row = (size_t)(width + 4) * depth, side = 2 * (size_t)depth;
    memset(g, 0, 2 * row * sizeof(float));
    memset(g + (height + 2) * row, 0, 2 * row * sizeof(float));
    for (int y = 2; y < height + 2; y++) {
        memset(g + y * row, 0, side * sizeof(float));
        memset(g + y * row + row - side, 0, side * sizeof(float));
    }
}

/* Mean squared error of the crop in w. */
static double crop_error(const struct work *w, const float *target)
{
    const struct chain *c = w->chain;
    const struct layer *l = &c->layers[c->count - 1];
    long pixels = (long)height_of(c, c->count - 1) * width_of(c, c->count - 1);
    const float *o = w->act[c->count - 1];
    double sum = 0;
    for (long p = 0; p < pixels; p++)
        for (int i = 0; i < l->co; i++) {
            float miss = o[p * l->lanes + i] - target[p * l->co + i];
            sum += miss * miss;
        }
    return sum / ((double)pixels * l->co);
}

static void loss_gradient(struct work *w, const float *target, float known, float *grad)
{
    struct chain *c = w->chain;
    const struct layer *l = &c->layers[c->count - 1];
    int height = height_of(c, c->count - 1), width = width_of(c, c->count - 1), outs = l->co;
    float each = 1.0f / ((float)w->batch * height * width * outs), eps = c->spec.epsilon;
    double loss = 0, squared = 0;
    const double part = c->spec.loss == 2 ? crop_error(w, target) + known + eps * eps : 0;
    const float weight = part > 0 ? (float)(1 / part) : 1;
    clear_border(grad, height, width, outs);
    for (int y = 0; y < height; y++) {
        const float *o = w->act[c->count - 1] + (long)y * width * l->lanes,
                    *t = target + (long)y * width * outs;
        float *g = grad + ((long)(y + 2) * (width + 4) + 2) * outs;
        float row_loss = 0, row_squared = 0;
        for (int x = 0; x < width; x++)
            for (int i = 0; i < outs; i++) {
                float miss = o[x * l->lanes + i] - t[x * outs + i];
                float size = c->spec.loss == 1 ? sqrtf(miss * miss + eps * eps) : miss * miss;
                g[x * outs + i] = each * weight * (c->spec.loss == 1 ? miss / size : 2 * miss);
                row_loss += size, row_squared += miss * miss;
            }
        loss += row_loss, squared += row_squared;
    }
    w->loss += part > 0 ? log(part) / w->batch : loss * each, w->squared += squared * each;
}

void core_bias_gradient(const float *g, int height, int width, int depth, float *out)
{
    for (int y = 0; y < height; y++) {
        const float *row = g + ((long)(y + 2) * (width + 4) + 2) * depth;
        if (depth % 16 == 0) {
            for (int v = 0; v < depth; v += 16) {
                v16 sum = {0};
                for (int x = 0; x < width; x++)
                    sum += *(const v16 *)(row + (long)x * depth + v);
                *(v16u *)(out + v) += sum;
            }
            continue;
        }
        for (int x = 0; x < width; x++)
            for (int i = 0; i < depth; i++)
                out[i] += row[x * depth + i];
    }
}

/* The ReLU (and rounding) behind layer k: closes the gradient row where it was closed; LSQ's gradient of the
 * scale. */
static float relu_back(float *g, const float *act, const float *pre, long n, float scale)
{
    const v16 zero = {0};
    if (!pre) {
        for (long i = 0; i < n; i += 16)
            *(v16 *)(g + i) = select16(*(const v16 *)(act + i) > zero, *(v16 *)(g + i));
        return 0;
    }
    const float inverse = 1 / scale, top = 255.5f * scale;
    v16 sum = {0};
    for (long i = 0; i < n; i += 16) {
        v16 x = *(const v16 *)(pre + i), d = *(v16 *)(g + i);
        v16 by = either16(x >= top, zero + 255.0f, (*(const v16 *)(act + i) - x) * inverse);
        sum += d * select16(x > zero, by);
        *(v16 *)(g + i) = select16((x > zero) & (x < top), d);
    }
    float total = 0;
    for (int i = 0; i < 16; i++)
        total += sum[i];
    return total;
}

static void backward(struct work *w, const float *x)
{
    struct chain *c = w->chain;
    float *dw_end = w->dw;
    for (int k = 0; k < c->count; k++)
        dw_end += (size_t)9 * c->layers[k].ci * c->layers[k].lanes + c->layers[k].lanes;
    for (int k = c->count - 1; k >= 0; k--) {
        struct layer *l = &c->layers[k];
        int height = height_of(c, k), width = width_of(c, k);
        const float *in = k ? w->act[k - 1] : x;
        long in_row = (long)(width + 2) * l->ci, grad_row = (long)(width + 4) * l->co;
        float *g = w->grad[k & 1], *dw = dw_end - ((size_t)9 * l->ci * l->lanes + l->lanes);
        dw_end = dw;
        for (int y = 0; y < height; y += ROWS)
            l->weights(in + y * in_row, in_row, g + (y + 2) * grad_row + 2 * l->co, grad_row, width,
                       height - y < ROWS ? height - y : ROWS, dw);
        core_bias_gradient(g, height, width, l->co, dw + (size_t)9 * l->ci * l->lanes);
        if (!k)
            break;
        float *to = w->grad[~k & 1];
        long to_row = (long)(width + 6) * l->ci, act_row = (long)(width + 2) * l->ci;
        clear_border(to, height + 2, width + 2, l->ci);
        for (int y = 0; y < height + 2; y++) {
            float *row = to + (y + 2) * to_row + 2 * l->ci;
            l->backward(g + y * grad_row, grad_row, l->wt, NULL, row, width + 2);
            w->gscale[k - 1] +=
                relu_back(row, w->act[k - 1] + y * act_row, c->scales ? w->pre[k - 1] + y * act_row : NULL,
                          act_row, c->scales ? c->scales[k - 1] : 0);
        }
    }
}

static void *work_run(void *arg)
{
    struct work *w = arg;
    struct chain *c = w->chain;
    size_t in = (size_t)c->height * c->width;
    size_t out = (size_t)height_of(c, c->count - 1) * width_of(c, c->count - 1) * c->spec.outs;
    for (int i = w->first; i < w->batch; i += w->step) {
        (c->spec.half ? half_forward : forward)(w, w->x + i * in);
        loss_gradient(w, w->target + i * out, w->known ? w->known[i] : 0, w->grad[(c->count - 1) & 1]);
        (c->spec.half ? half_backward : backward)(w, w->x + i * in);
    }
    return NULL;
}

static void add_gradient(const struct work *w, float *grad)
{
    const float *from = w->dw;
    for (int k = 0; k < w->chain->count; k++) {
        const struct layer *l = &w->chain->layers[k];
        float *to = grad + l->at;
        for (int tap = 0; tap < 9; tap++)
            for (int i = 0; i < l->ci; i++)
                for (int o = 0; o < l->co; o++)
                    to[(tap * l->ci + i) * l->co + o] += l->turned ? from[(tap * l->co + o) * l->ci + i]
                                                                   : from[(tap * l->ci + i) * l->lanes + o];
        from += (size_t)9 * l->ci * l->lanes;
        for (int o = 0; o < l->co; o++)
            to[9 * l->ci * l->co + o] += from[o];
        from += l->lanes;
    }
}

/* known (or NULL): squared error of each crop that the target already has; the log counts it. Adds nothing up
 * over calls: grad, gscale and loss[2] (the loss, the mean squared error) are written. 0, or -1. */
int train_batch(const struct spec *s, const float *params, const float *scales, int batch, int height,
                int width, const float *x, const float *target, const float *known, float *grad,
                float *gscale, double *loss)
{
    enum { THREADS_MAX = 16 };
    struct work works[THREADS_MAX];
    pthread_t threads[THREADS_MAX];
    int count = s->threads < 1             ? 1
                : s->threads > THREADS_MAX ? THREADS_MAX
                                           : s->threads,
        made = 0, status = -1;
    struct chain *c = chain_new(s, params, scales, height, width);
    if (!c)
        return -1;
    for (int i = 0; i < c->count; i++)
        if (!c->layers[i].weights || (i && !c->layers[i].backward))
            goto done;
    for (; made < count; made++) {
        struct work *w = &works[made];
        int failed = work_init(w, c, 1);
        w->first = made, w->step = count, w->batch = batch, w->x = x, w->target = target, w->known = known;
        if (failed) {
            made++;
            goto done;
        }
    }
    for (int i = 1; i < count; i++)
        if (pthread_create(&threads[i], NULL, work_run, &works[i]))
            abort();
    work_run(&works[0]);
    memset(grad, 0, c->params * sizeof(float));
    memset(gscale, 0, c->count * sizeof(float));
    loss[0] = loss[1] = 0;
    for (int i = 0; i < count; i++) {
        if (i)
            pthread_join(threads[i], NULL);
        add_gradient(&works[i], grad);
        for (int k = 0; k < c->count; k++)
            gscale[k] += works[i].gscale[k];
        loss[0] += works[i].loss, loss[1] += works[i].squared;
    }
    status = 0;
done:
    for (int i = 0; i < made; i++)
        work_free(&works[i]);
    chain_free(c);
    return status;
}

/* The network's output on one picture: [height - 2p][width - 2p][outs]; `top` (or NULL) gets each ReLU's
 * maximum. */
int run_picture(const struct spec *s, const float *params, const float *scales, int height, int width,
                const float *x, float *out, float *top)
{
    struct work w;
    struct chain *c = chain_new(s, params, scales, height, width);
    int status = -1;
    if (!c)
        return -1;
    if (work_init(&w, c, 0))
        goto done;
    forward(&w, x);
    int last = c->count - 1, lanes = c->layers[last].lanes;
    long pixels = (long)height_of(c, last) * width_of(c, last);
    for (long p = 0; p < pixels; p++)
        memcpy(out + p * s->outs, w.act[last] + p * lanes, s->outs * sizeof(float));
    for (int k = 0; top && k < last; k++) {
        const float *a = scales ? w.pre[k] : w.act[k];
        top[k] = 0;
        for (long i = 0; i < (long)height_of(c, k) * width_of(c, k) * s->channels; i++)
            top[k] = a[i] > top[k] ? a[i] : top[k];
    }
    status = 0;
done:
    work_free(&w);
    chain_free(c);
    return status;
}
