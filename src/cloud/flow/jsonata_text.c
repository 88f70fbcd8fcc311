/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Characters and numbers as JavaScript shows them. */
#include "cloud/flow/jsonata_text.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t sh_jv_put_utf8(char *out, uint32_t c)
{
    unsigned char *o = (unsigned char *)out;

    if (c < 0x80) {
        o[0] = (unsigned char)c;
        return 1;
    }
    if (c < 0x800) {
        o[0] = (unsigned char)(0xc0 | c >> 6);
        o[1] = (unsigned char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        o[0] = (unsigned char)(0xe0 | c >> 12);
        o[1] = (unsigned char)(0x80 | (c >> 6 & 63));
        o[2] = (unsigned char)(0x80 | (c & 63));
        return 3;
    }
    o[0] = (unsigned char)(0xf0 | (c >> 18 & 7));
    o[1] = (unsigned char)(0x80 | (c >> 12 & 63));
    o[2] = (unsigned char)(0x80 | (c >> 6 & 63));
    o[3] = (unsigned char)(0x80 | (c & 63));
    return 4;
}

uint32_t sh_jv_next(const char *text, size_t length, size_t *at)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)text + *at;
    size_t left = length - *at;
    size_t more = *p >= 0xf8 ? 0 : *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : *p >= 0xc0 ? 1 : 0;
    uint32_t c = more == 3 ? *p & 7u : more == 2 ? *p & 15u : more == 1 ? *p & 31u : *p;

    if (more >= left)
        more = 0, c = *p;
    for (size_t i = 1; i <= more; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            *at += 1;
            return *p;
        }
        c = c << 6 | (p[i] & 63u);
    }
    if (c < least[more] || c > 0x10ffff) /* longer than need be, or no character: a byte by itself */
        more = 0, c = *p;
    *at += more + 1;
    return c;
}

size_t sh_jv_characters(const char *text, size_t length)
{
    size_t count = 0;

    for (size_t at = 0; at < length; count++)
        sh_jv_next(text, length, &at);
    return count;
}

size_t sh_jv_offset(const char *text, size_t length, size_t n)
{
    size_t at = 0;

    while (n-- && at < length)
        sh_jv_next(text, length, &at);
    return at;
}

/* Where a character sorts when surrogates come before U+E000 … U+FFFF. */
static uint32_t utf16_order(uint32_t c)
{
    if (c >= 0x10000)
        return c - 0x10000 + 0xd800;
    return c >= 0xe000 ? c + 0x110000 : c;
}

int sh_jv_compare(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t i = 0, j = 0;

    while (i < a_length && j < b_length) {
        uint32_t x = utf16_order(sh_jv_next(a, a_length, &i));
        uint32_t y = utf16_order(sh_jv_next(b, b_length, &j));

        if (x != y)
            return x < y ? -1 : 1;
    }
    return (i < a_length) - (j < b_length);
}

double sh_jv_round15(double number)
{
    char text[40];

    if (!isfinite(number))
        return number;
    snprintf(text, sizeof(text), "%.14e", number);
    return strtod(text, NULL);
}

/* The shortest digits that read back as the number, and the exponent of the first. */
static int shortest(double number, char digits[20], int *exponent)
{
    char text[40];
    int count = 0;
    const char *p;

    for (int precision = 0; precision <= 16; precision++) {
        snprintf(text, sizeof(text), "%.*e", precision, number);
        if (precision == 16 || strtod(text, NULL) == number)
            break;
    }
    for (p = text; *p && *p != 'e'; p++)
        if (*p != '.')
            digits[count++] = *p;
    *exponent = *p ? (int)strtol(p + 1, NULL, 10) : 0;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    digits[count] = '\0';
    return count;
}

static size_t put_plain(char *out, const char *digits, int count, int point)
{
    size_t n = 0;

    if (point <= 0) {
        out[n++] = '0';
        out[n++] = '.';
        for (int i = point; i < 0; i++)
            out[n++] = '0';
        for (int i = 0; i < count; i++)
            out[n++] = digits[i];
        return n;
    }
    for (int i = 0; i < count || i < point; i++) {
        if (i == point)
            out[n++] = '.';
        out[n++] = i < count ? digits[i] : '0';
    }
    return n;
}

void sh_jv_number_text(double number, char out[32])
{
    char digits[20];
    int exponent, count;
    size_t n = 0;

    if (!isfinite(number)) {
        snprintf(out, 32, "%s", isnan(number) ? "NaN" : number < 0 ? "-Infinity" : "Infinity");
        return;
    }
    if (number == 0) {
        snprintf(out, 32, "0");
        return;
    }
    if (number < 0)
        out[n++] = '-';
    count = shortest(fabs(number), digits, &exponent);
    if (exponent >= -6 && exponent < 21) {
        n += put_plain(out + n, digits, count, exponent + 1);
        out[n] = '\0';
    } else {
        out[n++] = digits[0];
        snprintf(out + n, 32 - n, "%s%se%+d", count > 1 ? "." : "", digits + 1, exponent);
    }
}

void sh_jv_quote(sh_buf *buf, const char *text, size_t length)
{
    static const char plain[] = "\b\f\n\r\t\"\\", letter[] = "bfnrt\"\\";

    sh_buf_putc(buf, '"');
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        const char *special = c ? strchr(plain, c) : NULL;

        if (special)
            sh_buf_printf(buf, "\\%c", letter[special - plain]);
        else if (c < 0x20)
            sh_buf_printf(buf, "\\u%04x", c);
        else
            sh_buf_putc(buf, (char)c);
    }
    sh_buf_putc(buf, '"');
}

/* ---- upper and lower case ---- */

/* Ranges in which case is a distance, or (distance 1, `paired`) upper and lower letters take turns. */
static const struct {
    uint32_t from, to; /* of the upper case letters; of both when paired */
    int32_t distance;
    int paired; /* 1: upper letters are even, 2: odd */
} ranges[] = {
    {'A', 'Z', 32, 0},         {0xc0, 0xd6, 32, 0},     {0xd8, 0xde, 32, 0},       {0x100, 0x12f, 1, 1},
    {0x132, 0x137, 1, 1},      {0x139, 0x148, 1, 2},    {0x14a, 0x177, 1, 1},      {0x178, 0x178, -121, 0},
    {0x179, 0x17e, 1, 2},      {0x1cd, 0x1dc, 1, 2},    {0x1de, 0x1ef, 1, 1},      {0x1f8, 0x21f, 1, 1},
    {0x222, 0x233, 1, 1},      {0x370, 0x373, 1, 1},    {0x386, 0x386, 38, 0},     {0x388, 0x38a, 37, 0},
    {0x38c, 0x38c, 64, 0},     {0x38e, 0x38f, 63, 0},   {0x391, 0x3a1, 32, 0},     {0x3a3, 0x3ab, 32, 0},
    {0x3d8, 0x3ef, 1, 1},      {0x400, 0x40f, 80, 0},   {0x410, 0x42f, 32, 0},     {0x460, 0x481, 1, 1},
    {0x48a, 0x4bf, 1, 1},      {0x4c1, 0x4ce, 1, 2},    {0x4d0, 0x52f, 1, 1},      {0x531, 0x556, 48, 0},
    {0x10a0, 0x10c5, 7264, 0}, {0x1e00, 0x1e95, 1, 1},  {0x1ea0, 0x1eff, 1, 1},    {0x2160, 0x216f, 16, 0},
    {0x24b6, 0x24cf, 26, 0},   {0x2c00, 0x2c2f, 48, 0}, {0x2c80, 0x2ce3, 1, 1},    {0xa640, 0xa66d, 1, 1},
    {0xa680, 0xa69b, 1, 1},    {0xff21, 0xff3a, 32, 0}, {0x10400, 0x10427, 40, 0},
};

uint32_t sh_jv_lower(uint32_t c)
{
    for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
        if (c < ranges[i].from || c > ranges[i].to)
            continue;
        if (ranges[i].paired)
            return (c & 1) == (ranges[i].paired == 2) ? c + 1 : c;
        return (uint32_t)((int32_t)c + ranges[i].distance);
    }
    return c;
}

uint32_t sh_jv_upper(uint32_t c)
{
    for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
        int32_t back = ranges[i].paired ? (int32_t)c : (int32_t)c - ranges[i].distance;

        if (back < (int32_t)ranges[i].from || back > (int32_t)ranges[i].to)
            continue;
        if (ranges[i].paired)
            return (c & 1) == (ranges[i].paired == 2) ? c : c - 1;
        return (uint32_t)back;
    }
    return c == 0x3c2 ? 0x3a3 : c == 0xb5 ? 0x39c : c;
}
