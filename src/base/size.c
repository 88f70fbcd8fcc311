/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/size.h"

bool sh_parse_i64(const char *s, size_t length, int64_t min, int64_t max, int64_t *out)
{
    size_t at = 0;
    bool negative = length > 0 && s[0] == '-';
    if (negative)
        at++;
    if (at == length)
        return false;
    int64_t value = 0; /* kept negative: the range of int64_t reaches one further down than up */
    for (; at < length; at++) {
        if (s[at] < '0' || s[at] > '9')
            return false;
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, s[at] - '0', &value))
            return false;
    }
    if (!negative && __builtin_sub_overflow((int64_t)0, value, &value))
        return false;
    if (value < min || value > max)
        return false;
    *out = value;
    return true;
}
