/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/etag.h"

#include <stddef.h>
#include <string.h>

bool sh_etag_listed(const char *list, const char *etag, bool weak)
{
    size_t length = strlen(etag);
    for (const char *at = list; *(at += strspn(at, ", \t"));) {
        size_t part = strcspn(at, ", \t");
        const char *tag = at;
        at += part;
        if (part == 1 && *tag == '*')
            return true;
        if (weak && part > 2 && strncmp(tag, "W/", 2) == 0) {
            tag += 2;
            part -= 2;
        }
        if (part >= 2 && tag[0] == '"' && tag[part - 1] == '"') {
            tag++;
            part -= 2;
        }
        if (part == length && memcmp(tag, etag, length) == 0)
            return true;
    }
    return false;
}
