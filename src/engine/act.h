/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_ENGINE_ACT_H
#define SH_ENGINE_ACT_H
/* What may follow a convolution, or stand alone. */
typedef enum sh_act_kind {
    SH_ACT_NONE,
    SH_ACT_RELU,  /* max(v, 0) */
    SH_ACT_SLOPE, /* v < 0 ? v * slope[channel] : v */
    SH_ACT_CLIP,  /* min(max(v, low), high) */
    SH_ACT_BIAS,  /* v + slope[channel] */
    /* Those above may become part of a convolution; those below are rows of their own. */
    SH_ACT_SCALE,       /* v * slope[channel] */
    SH_ACT_SIGMOID,     /* 1 / (1 + exp(-v)) */
    SH_ACT_SILU,        /* v / (1 + exp(-v)) */
    SH_ACT_TANH,        /* tanh(v) */
    SH_ACT_HARD_SIGMOID /* min(max(v * low + high, 0), 1) */
} sh_act_kind;

#endif
