/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_ENGINE_ACT_H
#define SH_ENGINE_ACT_H
/* What may follow a convolution, or stand alone. */
typedef enum sh_act_kind {
    SH_ACT_NONE,
    SH_ACT_RELU,  /* max(v, 0) */
    SH_ACT_SLOPE, /* v < 0 ? v * slope[channel] : v */
    SH_ACT_CLIP,  /* min(max(v, low), high) */
    SH_ACT_BIAS   /* v + slope[channel] */
} sh_act_kind;

#endif
