/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Intrinsic functions of numbers. A seeded MathRandom repeats: the same seed gives the same number, from the
 * 48-bit linear congruential generator that the Java platform documents. */
#include "cloud/flow/expr_node.h"
#include <stdint.h>
#include <string.h>

static int run_add(const sh_intrinsic_call *call, json_t **out)
{
    json_int_t a = 0, b = 0, sum;
    int status = sh_call_integer(call, 0, &a);

    if (!status)
        status = sh_call_integer(call, 1, &b);
    if (!status && __builtin_add_overflow(a, b, &sum))
        status = sh_expr_fail(call, "the sum is out of range");
    if (status)
        return status;
    *out = json_integer(sum);
    return *out ? 0 : SH_E_MEMORY;
}

static uint64_t next_bits(uint64_t *state, int bits)
{
    *state = (*state * 0x5DEECE66DULL + 0xB) & ((1ULL << 48) - 1);
    return *state >> (48 - bits);
}

/* Evenly among 0 … range - 1: what would make the first numbers likelier is drawn again. */
static uint64_t seeded(json_int_t seed, uint64_t range)
{
    uint64_t state = ((uint64_t)seed ^ 0x5DEECE66DULL) & ((1ULL << 48) - 1), value;

    if (range > INT32_MAX) {
        value = next_bits(&state, 32) << 32;
        return (value + next_bits(&state, 32)) % range;
    }
    value = next_bits(&state, 31);
    if ((range & (range - 1)) == 0)
        return range * value >> 31;
    while (value - value % range + range - 1 > INT32_MAX)
        value = next_bits(&state, 31);
    return value % range;
}

/* The end is not included. */
static int run_random(const sh_intrinsic_call *call, json_t **out)
{
    const sh_flow_env *env = call->eval->env;
    json_int_t from = 0, to = 0, seed = 0;
    uint64_t range, value;
    int status = sh_call_integer(call, 0, &from);

    if (!status)
        status = sh_call_integer(call, 1, &to);
    if (!status && call->count == 3)
        status = sh_call_integer(call, 2, &seed);
    if (!status && to <= from)
        status = sh_expr_fail(call, "the end must be greater than the start");
    if (!status && call->count < 3 && !env->random)
        status = sh_expr_fail(call, "no source of randomness");
    if (status)
        return status;
    range = (uint64_t)to - (uint64_t)from;
    if (call->count == 3) {
        value = seeded(seed, range);
    } else {
        env->random(env->opaque, &value, sizeof(value));
        value %= range;
    }
    *out = json_integer((json_int_t)((uint64_t)from + value));
    return *out ? 0 : SH_E_MEMORY;
}

const sh_intrinsic sh_intrinsics_math[] = {
    {"MathAdd", 2, 2, run_add},
    {"MathRandom", 2, 3, run_random},
    {NULL, 0, 0, NULL},
};
