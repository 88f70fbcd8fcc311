/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What core.c and half.c share: the vectors, the chain of layers, and the memory a thread works in. */
#ifndef SPYHOP_TRAIN_CORE_H
#define SPYHOP_TRAIN_CORE_H

#include <stdint.h>

typedef float v16 __attribute__((vector_size(64)));
typedef int m16 __attribute__((vector_size(64)));
typedef float v16u __attribute__((vector_size(64), aligned(4)));

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 32")
enum { LAYERS_MAX = 64, ROWS = 2 };

struct spec {
    int channels, inner, outs;
    int loss; /* 0: squared error, 1: Charbonnier with `epsilon`, 2: each crop's log(mean squared error +
                 epsilon^2) */
    float epsilon;
    int threads;
    int half; /* inner layers in bfloat16: half.c */
};

typedef void conv_row_fn(const float *, long, const float *, const float *, float *, int);
typedef void weights_fn(const float *, long, const float *, long, int, int, float *);

struct layer {
    int ci, co, lanes; /* lanes: co rounded up to a vector */
    conv_row_fn *forward, *backward;
    weights_fn *weights;
    int turned;    /* its weights' gradient is [tap][output][input] */
    float *w, *wt; /* [tap][ci][lanes] and turned: [tap][co][ci] */
    float bias[48];
    uint16_t *half_w, *half_wt; /* bfloat16: [tap][ci / 2][lanes][2] and turned: [tap][co / 2][ci][2] */
    long at;                    /* in params */
};

struct chain {
    struct layer layers[LAYERS_MAX];
    int count, height, width; /* of the input */
    long params;
    const float *scales;
    struct spec spec;
};

struct work {
    struct chain *chain;
    float *act[LAYERS_MAX], *pre[LAYERS_MAX]; /* outputs of the layers, before rounding */
    float *grad[2];
    float *dw; /* like params, lanes wide */
    float gscale[LAYERS_MAX];
    uint16_t *half_act[LAYERS_MAX], *half_grad[2];
    float *row, *bands; /* half.c's scratch */
    double loss, squared;
    int first, step, batch;
    const float *x, *target, *known;
};

static inline int height_of(const struct chain *c, int layer)
{
    return c->height - 2 * (layer + 1);
}
static inline int width_of(const struct chain *c, int layer)
{
    return c->width - 2 * (layer + 1);
}

void *core_floats(size_t floats);
void core_bias_gradient(const float *g, int height, int width, int depth, float *out);

/* half.c: like their namesakes in core.c, inner layers in bfloat16. half_init: 0, or -1 without memory or the
 * CPU. */
int half_layer_init(struct layer *l);
int half_work_init(struct work *w, int backward);
void half_work_free(struct work *w);
void half_forward(struct work *w, const float *x);
void half_backward(struct work *w, const float *x);

#endif
