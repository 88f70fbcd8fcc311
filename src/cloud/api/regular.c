/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/api/regular.h"

#include <stdlib.h>
#include <string.h>

enum { REPEAT_MAX = 1000 };

/* The C library writes a{2}{3} out as six copies: the product of all counts bounds them. */
static bool repeats_too_often(const char *text)
{
    long product = 1;
    for (const char *at = text; (at = strchr(at, '{')); at++) {
        long low = strtol(at + 1, NULL, 10);
        const char *comma = strpbrk(at, ",}");
        long high = comma && *comma == ',' ? strtol(comma + 1, NULL, 10) : low;
        long most = high > low ? high : low;
        product *= most > 1 ? most : 1;
        if (product > REPEAT_MAX)
            return true;
    }
    return false;
}

/* \1: an extension whose search has no bound. */
static bool refers_back(const char *text)
{
    for (const char *at = text; (at = strchr(at, '\\')) && at[1]; at += 2)
        if (at[1] >= '1' && at[1] <= '9')
            return true;
    return false;
}

bool sh_regex_compile(regex_t *out, const char *text)
{
    return !repeats_too_often(text) && !refers_back(text) &&
           regcomp(out, text, REG_EXTENDED | REG_NOSUB) == 0;
}
