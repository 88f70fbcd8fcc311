/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STREAM_M3U_H
#define SH_STREAM_M3U_H
/* A playlist cut into lines, tags and attributes (RFC 8216, 4.1 and 4.2), without a judgement on what they
 * mean: the checker's. Everything points into the caller's text. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sh_m3u_line {
    const char *text; /* without the line's end */
    size_t length;
    int64_t number; /* 1.. */
} sh_m3u_line;

typedef struct sh_m3u {
    const char *at, *end;
    int64_t number;
} sh_m3u;

void sh_m3u_begin(sh_m3u *m3u, const char *text, size_t length);
/* The next line that is neither empty nor a comment. False: there is none. */
bool sh_m3u_next(sh_m3u *m3u, sh_m3u_line *line);
bool sh_m3u_is_tag(const sh_m3u_line *line); /* begins with #EXT */
/* Whether the line is exactly this tag (`name` without colon): *value is what follows the colon, "" where
 * there is none. */
bool sh_m3u_tag(const sh_m3u_line *line, const char *name, const char **value, size_t *length);

typedef struct sh_m3u_attribute {
    const char *name, *value; /* value without its quotes */
    size_t name_length, value_length;
    bool quoted;
} sh_m3u_attribute;

#define SH_M3U_ATTRIBUTES 40

typedef struct sh_m3u_attributes {
    sh_m3u_attribute list[SH_M3U_ATTRIBUTES];
    size_t count;
} sh_m3u_attributes;

/* NULL, or what is wrong with the list. */
const char *sh_m3u_attributes_read(sh_m3u_attributes *out, const char *value, size_t length);
const sh_m3u_attribute *sh_m3u_find(const sh_m3u_attributes *list, const char *name);
bool sh_m3u_equals(const sh_m3u_attribute *attribute, const char *value); /* NULL: false */

/* "6.006" as 6006000000 (further digits are cut). False: it is no decimal number without a sign. */
bool sh_m3u_nano(const char *text, size_t length, int64_t *nano, bool *integer);
/* "1280x720". */
bool sh_m3u_resolution(const char *text, size_t length, int *width, int *height);
/* "LENGTH[@FROM]"; *from stays where it is not given. */
bool sh_m3u_range(const char *text, size_t size, int64_t *length, int64_t *from, bool *has_from);

#endif
