/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Halves for processors that cannot compute with them: the same bits as AVX-512 FP16, by single floats.
 *
 * A vector of halves is two of floats that hold halves. A product of halves is exact in a float; its sum with
 * a third is rounded to 24 bits and would then be rounded again to 11, which is not always the same as once.
 * So the first rounding is made one to odd: what it has dropped (`error`, which is exact) is kept as a last
 * bit of 1, which the second rounding, 13 bits higher, cannot take for a tie. The including file defines
 *   t_odd(sum, error)      sum, of which the magnitude is one bit less where error has the other sign, with
 *                          the last bit set where error is not 0
 *   t_round(v)             to a half and back */

typedef struct hvec {
    vec low, high;
} hvec;

static inline __attribute__((always_inline)) vec t_fma(vec a, vec b, vec c)
{
    vec product = v_mul(a, b), sum = v_add(product, c), added = v_sub(sum, product);
    vec error = v_add(v_sub(product, v_sub(sum, added)), v_sub(c, added));
    return t_round(t_odd(sum, error));
}

static inline __attribute__((always_inline)) hvec h_fma(hvec a, hvec b, hvec c)
{
    return (hvec){t_fma(a.low, b.low, c.low), t_fma(a.high, b.high, c.high)};
}

static inline hvec h_zero(void)
{
    return (hvec){v_zero(), v_zero()};
}

static inline hvec h_load(const sh_half *p)
{
    return (hvec){n_load(p), n_load(p + LANES)};
}

static inline hvec h_weight(const uint32_t *p)
{
    vec v = t_broadcast((sh_half)*p);
    return (hvec){v, v};
}

#define h_low(v) (v).low
#define h_high(v) (v).high
#define h_keep(v)                                                                                            \
    do {                                                                                                     \
        v_keep((v).low);                                                                                     \
        v_keep((v).high);                                                                                    \
    } while (0)
