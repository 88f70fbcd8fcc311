/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_BASE_SIZE_H
#define SH_BASE_SIZE_H
/* Checked arithmetic for every size that comes from outside. Each returns false and leaves *out alone on
 * overflow. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool sh_add_size(size_t a, size_t b, size_t *out)
{
    size_t r;
    if (__builtin_add_overflow(a, b, &r))
        return false;
    *out = r;
    return true;
}

static inline bool sh_mul_size(size_t a, size_t b, size_t *out)
{
    size_t r;
    if (__builtin_mul_overflow(a, b, &r))
        return false;
    *out = r;
    return true;
}

/* Strict decimal: digits only (an optional '-' first), the whole of s, within [min, max]. */
bool sh_parse_i64(const char *s, size_t length, int64_t min, int64_t max, int64_t *out);

#define SH_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* a / b rounded down, of any a and of b > 0. */
static inline int sh_divide_down(int a, int b)
{
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

#endif
