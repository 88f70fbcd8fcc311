/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/m3u.h"
#include "base/size.h"

#include <string.h>

void sh_m3u_begin(sh_m3u *m3u, const char *text, size_t length)
{
    *m3u = (sh_m3u){text, text + length, 0};
}

bool sh_m3u_next(sh_m3u *m3u, sh_m3u_line *line)
{
    while (m3u->at < m3u->end) {
        const char *stop = memchr(m3u->at, '\n', (size_t)(m3u->end - m3u->at));
        line->text = m3u->at;
        line->length = (size_t)((stop ? stop : m3u->end) - m3u->at);
        line->number = ++m3u->number;
        m3u->at = stop ? stop + 1 : m3u->end;
        if (line->length && line->text[line->length - 1] == '\r')
            line->length--;
        if (line->length && (line->text[0] != '#' || sh_m3u_is_tag(line)))
            return true;
    }
    return false;
}

bool sh_m3u_is_tag(const sh_m3u_line *line)
{
    return line->length >= 4 && memcmp(line->text, "#EXT", 4) == 0;
}

bool sh_m3u_tag(const sh_m3u_line *line, const char *name, const char **value, size_t *length)
{
    const size_t n = strlen(name);
    if (line->length < n || memcmp(line->text, name, n) != 0)
        return false;
    if (line->length > n && line->text[n] != ':')
        return false;
    *value = line->text + n + (line->length > n);
    *length = line->length - n - (line->length > n);
    return true;
}

static bool name_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

/* Cuts one NAME=VALUE; *at then stands at the comma or the end. */
static const char *take(sh_m3u_attribute *a, const char **at, const char *end)
{
    const char *p = *at;
    a->name = p;
    while (p < end && name_char(*p))
        p++;
    a->name_length = (size_t)(p - a->name);
    if (a->name_length == 0 || p == end || *p != '=')
        return "a name of capitals, digits and '-' with '=' after it is missing";
    p++;
    a->quoted = p < end && *p == '"';
    if (a->quoted) {
        a->value = ++p;
        p = memchr(p, '"', (size_t)(end - p));
        if (!p)
            return "a quote is not closed";
        a->value_length = (size_t)(p++ - a->value);
    } else {
        a->value = p;
        while (p < end && *p != ',' && *p != '"' && *p != ' ')
            p++;
        a->value_length = (size_t)(p - a->value);
        if (a->value_length == 0)
            return "a value is empty";
    }
    *at = p;
    return p < end && *p != ',' ? "something stands between a value and the comma after it" : NULL;
}

const char *sh_m3u_attributes_read(sh_m3u_attributes *out, const char *value, size_t length)
{
    const char *at = value, *end = value + length, *problem = NULL;
    out->count = 0;
    while (!problem && at < end) {
        if (out->count == SH_M3U_ATTRIBUTES)
            return "it has too many attributes";
        sh_m3u_attribute *a = &out->list[out->count];
        problem = take(a, &at, end);
        for (size_t i = 0; !problem && i < out->count; i++)
            if (out->list[i].name_length == a->name_length &&
                memcmp(out->list[i].name, a->name, a->name_length) == 0)
                problem = "an attribute stands twice";
        out->count++;
        if (!problem && at < end && ++at == end)
            problem = "it ends with a comma";
    }
    return problem ? problem : out->count ? NULL : "it is empty";
}

const sh_m3u_attribute *sh_m3u_find(const sh_m3u_attributes *list, const char *name)
{
    const size_t n = strlen(name);
    for (size_t i = 0; i < list->count; i++)
        if (list->list[i].name_length == n && memcmp(list->list[i].name, name, n) == 0)
            return &list->list[i];
    return NULL;
}

bool sh_m3u_equals(const sh_m3u_attribute *attribute, const char *value)
{
    return attribute && attribute->value_length == strlen(value) &&
           memcmp(attribute->value, value, attribute->value_length) == 0;
}

bool sh_m3u_nano(const char *text, size_t length, int64_t *nano, bool *integer)
{
    const char *dot = memchr(text, '.', length);
    const size_t before = dot ? (size_t)(dot - text) : length, after = dot ? length - before - 1 : 0;
    int64_t whole, part = 0;
    if (before == 0 || text[0] == '-' || !sh_parse_i64(text, before, 0, 1000000000, &whole) ||
        (dot && after == 0))
        return false;
    for (size_t i = 0; i < after; i++)
        if (dot[1 + i] < '0' || dot[1 + i] > '9')
            return false;
    for (size_t i = 0; i < 9; i++)
        part = part * 10 + (i < after ? dot[1 + i] - '0' : 0);
    *nano = whole * 1000000000 + part;
    *integer = !dot;
    return true;
}

bool sh_m3u_resolution(const char *text, size_t length, int *width, int *height)
{
    const char *x = memchr(text, 'x', length);
    int64_t w, h;
    if (!x || !sh_parse_i64(text, (size_t)(x - text), 1, 65536, &w) ||
        !sh_parse_i64(x + 1, length - (size_t)(x - text) - 1, 1, 65536, &h))
        return false;
    *width = (int)w;
    *height = (int)h;
    return true;
}

bool sh_m3u_range(const char *text, size_t size, int64_t *length, int64_t *from, bool *has_from)
{
    const char *at = memchr(text, '@', size);
    *has_from = at != NULL;
    return sh_parse_i64(text, at ? (size_t)(at - text) : size, 1, INT64_MAX / 4, length) &&
           (!at || sh_parse_i64(at + 1, size - (size_t)(at - text) - 1, 0, INT64_MAX / 4, from));
}
