/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Base64 and URL encoding, both over UTF-8. */
#include "cloud/flow/jsonata_eval.h"
#include "cloud/flow/jsonata_text.h"
#include <string.h>

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static jv *run_base64encode(jv_call *c)
{
    const jv *text = c->args[0];
    char *out;
    size_t length = 0;

    if (!text)
        return NULL;
    out = jv_alloc_items(c->e, text->string.length / 3 + 2, 4);
    for (size_t i = 0; i < text->string.length; i += 3) {
        size_t left = text->string.length - i;
        const unsigned char *p = (const unsigned char *)text->string.text + i;
        uint32_t bits = (uint32_t)p[0] << 16 | (left > 1 ? (uint32_t)p[1] << 8 : 0) | (left > 2 ? p[2] : 0u);

        out[length++] = base64[bits >> 18];
        out[length++] = base64[bits >> 12 & 63];
        out[length++] = left > 1 ? base64[bits >> 6 & 63] : '=';
        out[length++] = left > 2 ? base64[bits & 63] : '=';
    }
    return jv_string(c->e, out, length);
}

static int base64_digit(char c)
{
    const char *found = c ? strchr(base64, c) : NULL;

    return found ? (int)(found - base64) : -1;
}

static jv *run_base64decode(jv_call *c)
{
    const jv *text = c->args[0];
    char *out;
    size_t length = 0, end;
    uint32_t bits = 0;
    int count = 0;

    if (!text)
        return NULL;
    out = jv_alloc(c->e, text->string.length + 1);
    end = text->string.length;
    while (end && text->string.length - end < 2 && text->string.text[end - 1] == '=')
        end--;
    for (size_t i = 0; i < end; i++) {
        int digit = base64_digit(text->string.text[i]);

        if (digit < 0)
            jv_bound(c->e, "Illegal base64 character");
        bits = bits << 6 | (uint32_t)digit;
        if ((count += 6) >= 8)
            out[length++] = (char)(bits >> (count -= 8) & 255);
    }
    if (end % 4 == 1)
        jv_bound(c->e, "Last unit does not have enough valid bits");
    return jv_string(c->e, out, length);
}

/* ---- URLs ---- */

static const char component[] = "-_.!~*'()", whole[] = "-_.!~*'();/?:@&=+$,#", reserved[] = ";/?:@&=+$,#";

static bool is_plain(char c, const char *extra)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr(extra, c));
}

static jv *encode(jv_call *c, const char *extra)
{
    static const char hex[] = "0123456789ABCDEF";
    jv *text = c->args[0];
    char *out;
    size_t length = 0;

    if (!text)
        return NULL;
    for (size_t at = 0; at < text->string.length;) {
        uint32_t character = sh_jv_next(text->string.text, text->string.length, &at);

        if (character >= 0xd800 && character < 0xe000)
            jv_call_fail(c, "D3140", text);
    }
    out = jv_alloc_items(c->e, text->string.length + 1, 3);
    for (size_t i = 0; i < text->string.length; i++) {
        unsigned char byte = (unsigned char)text->string.text[i];

        if (is_plain((char)byte, extra)) {
            out[length++] = (char)byte;
            continue;
        }
        out[length++] = '%';
        out[length++] = hex[byte >> 4];
        out[length++] = hex[byte & 15];
    }
    return jv_string(c->e, out, length);
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

static int escape_at(const jv *text, size_t at)
{
    int high, low;

    if (at + 2 >= text->string.length || text->string.text[at] != '%')
        return -1;
    high = hex_value(text->string.text[at + 1]);
    low = hex_value(text->string.text[at + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* The bytes of the one character whose escapes start at `at`; 0: it is none. */
static size_t decode_character(const jv *text, size_t at, char out[4])
{
    int byte = escape_at(text, at);
    size_t count = byte < 0                      ? 0
                   : byte < 0x80                 ? 1
                   : byte >= 0xf0 && byte < 0xf5 ? 4
                   : byte >= 0xe0                ? 3
                                                 : 2,
           zero = 0;
    uint32_t character;

    if (byte < 0 || (byte >= 0x80 && byte < 0xc2) || byte >= 0xf5)
        return 0;
    for (size_t i = 0; i < count; i++) {
        byte = escape_at(text, at + 3 * i);
        if (byte < 0 || (i && (byte & 0xc0) != 0x80))
            return 0;
        out[i] = (char)byte;
    }
    character = sh_jv_next(out, count, &zero);
    if (zero != count || (count == 3 && (character < 0x800 || (character >= 0xd800 && character < 0xe000))) ||
        (count == 4 && (character < 0x10000 || character > 0x10ffff)))
        return 0;
    return count;
}

static jv *decode(jv_call *c, const char *kept)
{
    jv *text = c->args[0];
    char *out, bytes[4];
    size_t length = 0;

    if (!text)
        return NULL;
    out = jv_alloc(c->e, text->string.length + 1);
    for (size_t at = 0; at < text->string.length;) {
        size_t count;

        if (text->string.text[at] != '%') {
            out[length++] = text->string.text[at++];
            continue;
        }
        count = decode_character(text, at, bytes);
        if (!count)
            jv_call_fail(c, "D3140", text);
        if (count == 1 && bytes[0] && strchr(kept, bytes[0])) {
            memcpy(out + length, text->string.text + at, 3);
            length += 3;
        } else {
            memcpy(out + length, bytes, count);
            length += count;
        }
        at += 3 * count;
    }
    return jv_string(c->e, out, length);
}

static jv *run_encode_component(jv_call *c)
{
    return encode(c, component);
}

static jv *run_encode_url(jv_call *c)
{
    return encode(c, whole);
}

static jv *run_decode_component(jv_call *c)
{
    return decode(c, "");
}

static jv *run_decode_url(jv_call *c)
{
    return decode(c, reserved);
}

const jv_builtin jv_builtins_encode[] = {
    {"base64encode", "<s-:s>", 1, run_base64encode},
    {"base64decode", "<s-:s>", 1, run_base64decode},
    {"encodeUrlComponent", "<s-:s>", 1, run_encode_component},
    {"encodeUrl", "<s-:s>", 1, run_encode_url},
    {"decodeUrlComponent", "<s-:s>", 1, run_decode_component},
    {"decodeUrl", "<s-:s>", 1, run_decode_url},
    {0},
};
