/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One activation on one vector. max and min give their second operand for what is not a number. */
#include "engine/act.h"

static inline __attribute__((always_inline)) vec v_activate(vec v, int kind, vec a, vec b)
{
    switch (kind) {
    case SH_ACT_RELU:
        return v_max(v, v_zero());
    case SH_ACT_SLOPE:
        return v_slope(v, a);
    case SH_ACT_CLIP:
        return v_min(v_max(v, a), b);
    case SH_ACT_BIAS:
        return v_add(v, a);
    default:
        return v;
    }
}
