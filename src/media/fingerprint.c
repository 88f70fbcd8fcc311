/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/fingerprint.h"
#include "media/journal.h"

#include <string.h>

uint64_t sh_fingerprint_bytes(const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001B3);
    return hash;
}

void sh_fingerprint_plan(const sh_plan *plan, sh_buf *print)
{
    sh_buf text;
    sh_buf_init(&text, SH_JOURNAL_FINGERPRINT_MAX);
    if (sh_plan_text(plan, &text) < 0)
        print->failed = true;
    for (char *line = text.data, *end; line && (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        char *value = strchr(line, '=');
        if (value)
            *value++ = '\0';
        sh_journal_say(print, line, "%s", value ? value : "");
    }
    sh_buf_free(&text);
}
