/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/number.h"
#include "base/size.h"

#include <ctype.h>
#include <spyhop/spyhop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool sh_option_int(const char *command, const char *option, const char *text, int min, int max, int *out)
{
    int64_t value;
    if (!sh_parse_i64(text, strlen(text), min, max, &value)) {
        fprintf(stderr, "spyhop %s: %s takes a whole number from %d to %d, not \"%s\"\n", command, option,
                min, max, text);
        return false;
    }
    *out = (int)value;
    return true;
}

bool sh_option_real(const char *command, const char *option, const char *text, double min, double max,
                    double *out)
{
    char *end = NULL;
    double value = isdigit((unsigned char)text[0]) ? strtod(text, &end) : -1;
    if (!end || *end || !(value >= min && value <= max)) {
        fprintf(stderr, "spyhop %s: %s takes a number from %g to %g, not \"%s\"\n", command, option, min, max,
                text);
        return false;
    }
    *out = value;
    return true;
}

bool sh_option_cpu(const char *command, const char *text, int *out)
{
    for (int level = 0; level <= SPYHOP_CPU_AUTO; level++) {
        if (!spyhop_cpu_name(level) || strcmp(spyhop_cpu_name(level), text) != 0)
            continue;
        if (!spyhop_cpu_supported(level)) {
            fprintf(stderr, "spyhop %s: this machine has no %s; its highest level is %s\n", command, text,
                    spyhop_cpu_name(spyhop_cpu_detect()));
            return false;
        }
        *out = level;
        return true;
    }
    fprintf(stderr,
            "spyhop %s: --cpu takes c, avx2, avxvnni, avx512, avx512vnni, avx512fp16 or auto, not \"%s\"\n",
            command, text);
    return false;
}

bool sh_option_precision(const char *command, const char *text, int *out)
{
    for (int precision = 0; spyhop_precision_name(precision); precision++)
        if (strcmp(spyhop_precision_name(precision), text) == 0) {
            *out = precision;
            return true;
        }
    fprintf(stderr, "spyhop %s: --precision takes auto, fp32, fp16 or int8, not \"%s\"\n", command, text);
    return false;
}

/* [[HOURS:]MINUTES:]SECONDS[.PART]; what stands behind a colon is below 60. */
bool sh_option_time(const char *command, const char *option, const char *text, double *out)
{
    double all = 0;
    const char *at = text;
    for (int colons = 0; colons < 3; colons++) {
        char *end = NULL;
        const double part = isdigit((unsigned char)*at) ? strtod(at, &end) : -1;
        const size_t length = strspn(at, "0123456789.");
        if (!end || end != at + length || (colons > 0 && part >= 60))
            break;
        all = all * 60 + part;
        if (!*end && all <= 1e7) {
            *out = all;
            return true;
        }
        if (*end != ':' || memchr(at, '.', length))
            break;
        at = end + 1;
    }
    fprintf(stderr, "spyhop %s: %s takes seconds or a time like 1:02:03.5, not \"%s\"\n", command, option,
            text);
    return false;
}
