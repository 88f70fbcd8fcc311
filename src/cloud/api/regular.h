/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_REGULAR_H
#define SH_API_REGULAR_H
/* Regular expressions of callers: extended ones of POSIX, without what makes them cost memory or time without
 * bound (repeats of repeats, references back). */
#include <regex.h>
#include <stdbool.h>

/* False: malformed, or too large. Else regfree is the caller's. */
bool sh_regex_compile(regex_t *out, const char *text);

#endif
