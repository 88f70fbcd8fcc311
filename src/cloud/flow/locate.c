/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finds a value again in the text it was read from: the JSON library keeps no positions. The text is known to
 * be valid JSON, so that skipping needs strings and brackets only. */
#include "cloud/flow/reader.h"
#include <string.h>

typedef struct scan {
    const char *p, *end;
} scan;

static void blanks(scan *s)
{
    while (s->p < s->end && strchr(" \t\r\n,:", *s->p) && *s->p)
        s->p++;
}

static void skip_string(scan *s)
{
    for (s->p++; s->p < s->end && *s->p != '"'; s->p++)
        if (*s->p == '\\')
            s->p++;
    if (s->p < s->end)
        s->p++;
}

static void skip_value(scan *s)
{
    long open = 0;

    do {
        blanks(s);
        if (s->p >= s->end)
            return;
        if (*s->p == '"') {
            skip_string(s);
        } else if (*s->p == '{' || *s->p == '[') {
            open++;
            s->p++;
        } else if (*s->p == '}' || *s->p == ']') {
            open--;
            s->p++;
        } else {
            do
                s->p++;
            while (s->p < s->end && !strchr(" \t\r\n,:{}[]\"", *s->p));
        }
    } while (open > 0);
}

/* The string at s->p (in quotes, escapes decoded) equals key. */
static bool is_key(scan *s, const char *key)
{
    const char *from = s->p;
    json_t *name;
    bool same;

    skip_string(s);
    name = json_loadb(from, (size_t)(s->p - from), JSON_DECODE_ANY, NULL);
    same = name && json_is_string(name) && !strcmp(json_string_value(name), key);
    json_decref(name);
    return same;
}

static bool step_into(scan *s, const sh_place *place)
{
    size_t index = place->index;
    const char *close = place->key ? "}" : "]";

    blanks(s);
    if (s->p >= s->end || *s->p != (place->key ? '{' : '['))
        return false;
    s->p++;
    for (;;) {
        blanks(s);
        if (s->p >= s->end || *s->p == *close)
            return false;
        if (place->key ? is_key(s, place->key) : index-- == 0)
            break;
        if (place->key)
            blanks(s);
        skip_value(s);
    }
    blanks(s);
    return true;
}

bool sh_locate(const char *text, size_t length, const sh_place *places, size_t depth, int *line, int *column)
{
    scan s = {.p = text, .end = text + length};
    size_t i = 0;

    blanks(&s);
    /* a place that is not there (a missing field) is shown where the object that lacks it begins */
    for (; i < depth; i++) {
        scan before = s;

        if (!step_into(&s, &places[i])) {
            s = before;
            break;
        }
    }
    *line = 1;
    *column = 1;
    for (const char *q = text; q < s.p && q < s.end; q++) {
        if (*q == '\n') {
            ++*line;
            *column = 1;
        } else if (((unsigned char)*q & 0xC0) != 0x80) {
            ++*column;
        }
    }
    return true;
}

bool sh_misaligned(const char *text, size_t length, int *line, int *column)
{
    int indents[SH_FLOW_DEPTH_MAX], depth = 0, indent = 0;
    const char *line_start = text, *end = text + length;
    bool blank = true; /* nothing but blanks on this line so far */

    *line = 1;
    for (scan s = {text, end}; s.p < end; s.p++) {
        if (*s.p == '\n') {
            line_start = s.p + 1;
            blank = true;
            ++*line;
            continue;
        }
        if (*s.p == ' ' || *s.p == '\t' || *s.p == '\r')
            continue;
        if (blank)
            indent = (int)(s.p - line_start);
        if ((*s.p == '{' || *s.p == '[') && depth < SH_FLOW_DEPTH_MAX)
            indents[depth++] = indent;
        if ((*s.p == '}' || *s.p == ']') && (!depth || (indents[--depth] != indent && blank))) {
            *column = (int)(s.p - line_start) + 1;
            return true;
        }
        blank = false;
        if (*s.p == '"') {
            skip_string(&s);
            s.p--;
        }
    }
    return false;
}
