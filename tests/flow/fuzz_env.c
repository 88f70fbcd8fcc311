/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"
#include "drive.h"
#include <string.h>

/* Only for tests: as many bytes as the data modulo 64. */
static size_t toy_hash(void *opaque, const char *algorithm, const void *bytes, size_t length,
                       unsigned char digest[64])
{
    if (strcmp(algorithm, "MD5"))
        return 0;
    memset(digest, (int)length, 64);
    return length % 64 + 1;
}

sh_flow_env fuzz_env(void)
{
    return (sh_flow_env){.now_ms = 1700000000000, .random = drive_random, .hash = toy_hash};
}

bool fuzz_split(fuzz_parts *parts, const uint8_t *data, size_t size, const char *json)
{
    const char *text = (const char *)data, *tab = size ? memchr(text, '\t', size) : NULL;
    json_t *utf8 = json_stringn(text, size);

    *parts = (fuzz_parts){.text = text, .json = json, .length = size, .json_length = strlen(json)};
    if (tab) {
        parts->length = (size_t)(tab - text);
        parts->json = tab + 1;
        parts->json_length = size - parts->length - 1;
    }
    json_decref(utf8);
    return utf8 != NULL;
}
