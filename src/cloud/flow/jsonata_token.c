/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lexer of JSONata. Whether a slash starts a regular expression depends on what the grammar expects, so
 * tokens are read one at a time on its demand. A token's position is the byte behind it. Half a surrogate
 * pair from a \u escape is kept as three bytes of its own, as JavaScript keeps it, until a value leaves. */
#include "cloud/flow/jsonata_node.h"
#include "cloud/flow/jsonata_text.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const operators[] = {":=", "!=", "<=", ">=", "~>", "..", "**", "??", "?:", ".", "[", "]",
                                        "{",  "}",  "(",  ")",  ",",  "@",  "#",  ";",  ":",  "?", "+", "-",
                                        "*",  "/",  "%",  "|",  "=",  "<",  ">",  "^",  "&",  "!", "~"};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v';
}

static size_t at(const jp *p)
{
    return (size_t)(p->p - p->start);
}

static void skip_blanks(jp *p)
{
    for (;;) {
        const char *from;

        while (p->p < p->end && is_space(*p->p))
            p->p++;
        if (p->end - p->p < 2 || p->p[0] != '/' || p->p[1] != '*')
            return;
        from = p->p;
        for (p->p += 2;; p->p++) {
            if (p->end - p->p < 2)
                jp_fail(p, "S0106", (size_t)(from - p->start), NULL, NULL);
            if (p->p[0] == '*' && p->p[1] == '/')
                break;
        }
        p->p += 2;
    }
}

/* ---- strings ---- */

static int hex4(const char *p, const char *end)
{
    int value = 0;

    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* At "uXXXX"; a pair of surrogates becomes one character. */
static size_t unicode_escape(jp *p, char *out)
{
    int unit = hex4(p->p + 1, p->end), low;

    if (unit < 0)
        jp_fail(p, "S0104", at(p), NULL, NULL);
    p->p += 4;
    if (unit >= 0xd800 && unit < 0xdc00 && p->end - p->p > 2 && p->p[1] == '\\' && p->p[2] == 'u') {
        low = hex4(p->p + 3, p->end);
        if (low >= 0xdc00 && low < 0xe000) {
            p->p += 6;
            unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    return sh_jv_put_utf8(out, (uint32_t)unit);
}

static size_t escape(jp *p, char *out)
{
    static const char letters[] = "\"\\/bfnrt", meaning[] = "\"\\/\b\f\n\r\t";
    const char *found;
    char token[8] = {0};

    if (p->p == p->end)
        jp_fail(p, "S0103", at(p), "", NULL);
    found = *p->p ? strchr(letters, *p->p) : NULL;
    if (found) {
        *out = meaning[found - letters];
        return 1;
    }
    if (*p->p == 'u')
        return unicode_escape(p, out);
    for (size_t i = 0; i < 4 && p->p + i < p->end && (!i || (p->p[i] & 0xc0) == 0x80); i++)
        token[i] = p->p[i];
    jp_fail(p, "S0103", at(p), token, NULL);
}

static void read_string(jp *p)
{
    char quote = *p->p++;
    char *out;
    const char *q = p->p;
    size_t length = 0;

    while (q < p->end && *q != quote)
        q += *q == '\\' && q + 1 < p->end ? 2 : 1;
    out = jp_alloc(p, (size_t)(q - p->p) + 5);
    for (; p->p < p->end && *p->p != quote; p->p++) {
        if (*p->p == '\\') {
            p->p++;
            length += escape(p, out + length);
        } else {
            out[length++] = *p->p;
        }
    }
    if (p->p >= p->end)
        jp_fail(p, "S0101", at(p) > (size_t)(p->end - p->start) ? (size_t)(p->end - p->start) : at(p), NULL,
                NULL);
    p->p++;
    p->token.type = JT_STRING;
    p->token.text = out;
    p->token.length = length;
}

/* ---- regular expressions ---- */

static _Noreturn void bad_regex(jp *p, const bool flags[2], const char *why)
{
    char message[400];

    snprintf(message, sizeof(message), "Invalid regular expression: /%.300s/g%s%s: %s", p->token.text,
             flags[0] ? "i" : "", flags[1] ? "m" : "", why);
    jp_stop(p, SH_E_FORMAT, message);
}

static void read_regex(jp *p)
{
    const char *from = ++p->p, *why = NULL;
    int depth = 0;
    bool flags[2] = {false, false};

    for (;; p->p++) {
        bool escaped = p->p > from && p->p[-1] == '\\' && !(p->p - 1 > from && p->p[-2] == '\\');

        if (p->p >= p->end)
            jp_fail(p, "S0302", at(p), NULL, NULL);
        if (*p->p == '/' && !escaped && depth == 0)
            break;
        if (strchr("([{", *p->p) && *p->p && !escaped)
            depth++;
        else if (strchr(")]}", *p->p) && *p->p && !escaped)
            depth--;
    }
    if (p->p == from)
        jp_fail(p, "S0301", at(p), NULL, NULL);
    p->token.text = jp_copy(p, from, (size_t)(p->p - from));
    p->token.length = (size_t)(p->p - from);
    for (p->p++; p->p < p->end && (*p->p == 'i' || *p->p == 'm'); p->p++)
        flags[*p->p == 'm'] = true;
    p->token.type = JT_REGEX;
    p->token.regex =
        jv_regex_compile(p->build->arena, p->token.text, p->token.length, flags[0], flags[1], &why);
    if (!p->token.regex && why)
        bad_regex(p, flags, why);
    if (!p->token.regex)
        jp_stop(p, SH_E_MEMORY, "out of memory");
}

/* ---- the rest ---- */

static bool read_operator(jp *p)
{
    for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++) {
        size_t length = strlen(operators[i]);

        if ((size_t)(p->end - p->p) < length || memcmp(p->p, operators[i], length))
            continue;
        p->p += length;
        p->token.type = JT_OPERATOR;
        memcpy(p->token.op, operators[i], length + 1);
        return true;
    }
    return false;
}

static const char *digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

static void read_number(jp *p)
{
    const char *from = p->p, *q = *p->p == '0' ? p->p + 1 : digits(p->p, p->end), *r;
    const char *text;

    if (q + 1 < p->end && *q == '.' && (r = digits(q + 1, p->end)) > q + 1)
        q = r;
    if (q < p->end && (*q == 'e' || *q == 'E')) {
        const char *sign = q + 1 + (q + 1 < p->end && (q[1] == '+' || q[1] == '-'));

        if ((r = digits(sign, p->end)) > sign)
            q = r;
    }
    text = jp_copy(p, from, (size_t)(q - from));
    p->token.number = strtod(text, NULL);
    if (!isfinite(p->token.number))
        jp_fail(p, "S0102", (size_t)(from - p->start), text, NULL);
    p->p = q;
    p->token.type = JT_NUMBER;
    p->token.text = text;
    p->token.length = strlen(text);
}

static void read_quoted_name(jp *p)
{
    const char *from = ++p->p, *close = memchr(from, '`', (size_t)(p->end - from));

    if (!close)
        jp_fail(p, "S0105", (size_t)(p->end - p->start), NULL, NULL);
    p->p = close + 1;
    p->token.type = JT_NAME;
    p->token.text = jp_copy(p, from, (size_t)(close - from));
    p->token.length = (size_t)(close - from);
}

static void read_name(jp *p)
{
    static const char *const words[] = {"or", "in", "and", "true", "false", "null"};
    const char *from = p->p;
    size_t length;

    while (p->p < p->end && !is_space(*p->p) && !(*p->p && strchr(".[]{}(),@#;:?+-*/%|=<>^&!~", *p->p)))
        p->p++;
    length = (size_t)(p->p - from);
    if (*from == '$') {
        p->token.type = JT_VARIABLE;
        p->token.text = jp_copy(p, from + 1, length - 1);
        p->token.length = length - 1;
        return;
    }
    p->token.type = JT_NAME;
    p->token.text = jp_copy(p, from, length);
    p->token.length = length;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (strcmp(p->token.text, words[i]))
            continue;
        p->token.type = i < 3 ? JT_OPERATOR : JT_VALUE;
        memcpy(p->token.op, words[i], i < 3 ? strlen(words[i]) + 1 : 1);
    }
}

static void read_token(jp *p, bool infix)
{
    if (p->p == p->end)
        return;
    if (!infix && *p->p == '/')
        read_regex(p);
    else if (*p->p == '"' || *p->p == '\'')
        read_string(p);
    else if (*p->p >= '0' && *p->p <= '9')
        read_number(p);
    else if (*p->p == '`')
        read_quoted_name(p);
    else if (!read_operator(p))
        read_name(p);
}

void jt_next(jp *p, bool infix)
{
    p->token = (jt_token){.type = JT_END};
    skip_blanks(p);
    read_token(p, infix);
    p->token.position = at(p);
    if (p->token.op[0] == '!' && !p->token.op[1])
        jp_fail(p, "S0204", at(p), "!", NULL);
    if (p->token.op[0] == '~' && !p->token.op[1])
        jp_fail(p, "S0204", at(p), "~", NULL);
    if (p->token.type == JT_OPERATOR && !p->token.text)
        p->token.text = jp_copy(p, p->token.op, p->token.length = strlen(p->token.op));
}
