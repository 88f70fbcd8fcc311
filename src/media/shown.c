/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/media.h"

#include <stddef.h>
#include <string.h>

#define HEAD 48
#define TAIL 96

/* Bytes of the UTF-8 character at s, 0 if there is none. */
static size_t character(const unsigned char *s)
{
    size_t length = s[0] < 0x80 ? 1 : s[0] >= 0xC2 && s[0] < 0xE0 ? 2 : (s[0] & 0xF0) == 0xE0 ? 3 : 4;
    if (s[0] < 0x20 || s[0] == 0x7F || s[0] > 0xF4 || (s[0] >= 0x80 && s[0] < 0xC2))
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) || (s[0] == 0xF0 && s[1] < 0x90) ||
        (s[0] == 0xF4 && s[1] > 0x8F))
        return 0;
    return length;
}

static char *put(char *to, const char *from, const char *end)
{
    while (from < end) {
        size_t length = character((const unsigned char *)from);
        if (length == 0 || from + length > end) {
            *to++ = '?';
            from++;
        } else {
            memcpy(to, from, length);
            to += length;
            from += length;
        }
    }
    return to;
}

const char *sh_shown_path(const char *path, char shown[SH_SHOWN])
{
    const size_t length = strlen(path);
    char *to = shown;
    if (length < SH_SHOWN) {
        to = put(to, path, path + length);
    } else {
        const char *tail = path + length - TAIL;
        while (((unsigned char)*tail & 0xC0) == 0x80)
            tail++;
        to = put(to, path, path + HEAD);
        memcpy(to, "...", 3);
        to = put(to + 3, tail, path + length);
    }
    *to = '\0';
    return shown;
}
