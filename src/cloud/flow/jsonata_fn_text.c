/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Functions on strings. Positions and lengths count characters. */
#include "cloud/flow/jsonata_eval.h"
#include "cloud/flow/jsonata_text.h"
#include <math.h>
#include <string.h>

enum { PAD_MAX = 4 * 1024 * 1024 };

static jv *run_string(jv_call *c)
{
    jv *value = c->args[0];

    if (!value)
        return NULL;
    if (value->kind == JV_NUMBER && !isfinite(value->number))
        jv_call_fail(c, "D3001", value);
    return jv_to_string(c->e, value, jv_arg_truth(c, 1));
}

static jv *part(jv_call *c, const jv *text, size_t from, size_t to)
{
    return jv_string(c->e, text->string.text + from, to > from ? to - from : 0);
}

/* As slice() of JavaScript: negative positions count from the end. */
static size_t slice_at(double position, size_t count)
{
    position = isnan(position) ? 0 : trunc(position);
    if (position < 0)
        position += (double)count;
    return position <= 0 ? 0 : position >= (double)count ? count : (size_t)position;
}

static jv *run_substring(jv_call *c)
{
    jv *text = c->args[0];
    size_t count, from, to;
    double start;

    if (!text)
        return NULL;
    count = sh_jv_characters(text->string.text, text->string.length);
    jv_work(c->e, text->string.length / 64);
    start = c->args[1] ? c->args[1]->number : 0;
    if ((double)count + start < 0)
        start = 0;
    from = slice_at(start, count);
    to = count;
    if (c->args[2]) {
        double length = c->args[2]->number;

        if (length <= 0)
            return jv_text(c->e, "");
        to = slice_at(start >= 0 ? start + length : (double)count + start + length, count);
    }
    return part(c, text, sh_jv_offset(text->string.text, text->string.length, from),
                sh_jv_offset(text->string.text, text->string.length, to));
}

static const char *find(const jv *text, const jv *token)
{
    if (!token || token->string.length > text->string.length)
        return NULL;
    if (!token->string.length)
        return text->string.text;
    return memmem(text->string.text, text->string.length, token->string.text, token->string.length);
}

static jv *run_substring_before(jv_call *c)
{
    jv *text = c->args[0];
    const char *found;

    if (!text)
        return NULL;
    found = find(text, c->args[1]);
    return found ? part(c, text, 0, (size_t)(found - text->string.text)) : text;
}

static jv *run_substring_after(jv_call *c)
{
    jv *text = c->args[0];
    const char *found;

    if (!text)
        return NULL;
    found = find(text, c->args[1]);
    if (!found)
        return text;
    return part(c, text, (size_t)(found - text->string.text) + c->args[1]->string.length,
                text->string.length);
}

static jv *change_case(jv_call *c, bool upper)
{
    jv *text = c->args[0];
    char *out;
    size_t length = 0;

    if (!text)
        return NULL;
    out = jv_alloc(c->e, text->string.length * 2 + 4);
    jv_work(c->e, text->string.length / 16);
    for (size_t at = 0; at < text->string.length;) {
        size_t from = at;
        uint32_t character = sh_jv_next(text->string.text, text->string.length, &at), changed;

        if (upper && character == 0xdf) {
            memcpy(out + length, "SS", 2);
            length += 2;
            continue;
        }
        changed = upper ? sh_jv_upper(character) : sh_jv_lower(character);
        if (changed == character) {
            memcpy(out + length, text->string.text + from, at - from);
            length += at - from;
        } else {
            length += sh_jv_put_utf8(out + length, changed);
        }
    }
    return jv_string(c->e, out, length);
}

static jv *run_lowercase(jv_call *c)
{
    return change_case(c, false);
}

static jv *run_uppercase(jv_call *c)
{
    return change_case(c, true);
}

static jv *run_length(jv_call *c)
{
    jv *text = c->args[0];

    if (!text)
        return NULL;
    jv_work(c->e, text->string.length / 64);
    return jv_number(c->e, (double)sh_jv_characters(text->string.text, text->string.length));
}

static jv *run_trim(jv_call *c)
{
    jv *text = c->args[0];
    char *out;
    size_t length = 0;

    if (!text)
        return NULL;
    out = jv_alloc(c->e, text->string.length + 1);
    for (size_t i = 0; i < text->string.length; i++) {
        char byte = text->string.text[i];
        bool blank = byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';

        if (!blank)
            out[length++] = byte;
        else if (length && out[length - 1] != ' ')
            out[length++] = ' ';
    }
    return jv_string(c->e, out, length && out[length - 1] == ' ' ? length - 1 : length);
}

/* `count` characters of the filler, again and again. */
static size_t fill(jv_call *c, const jv *filler, size_t count, char **out)
{
    size_t characters = filler ? sh_jv_characters(filler->string.text, filler->string.length) : 0, length,
           rest;

    if (!characters) {
        *out = jv_alloc(c->e, count + 1);
        memset(*out, ' ', count);
        return count;
    }
    length = filler->string.length;
    rest = sh_jv_offset(filler->string.text, length, count % characters);
    *out = jv_alloc_items(c->e, count / characters + 2, length);
    for (size_t i = 0; i < count / characters; i++)
        memcpy(*out + i * length, filler->string.text, length);
    memcpy(*out + count / characters * length, filler->string.text, rest);
    return count / characters * length + rest;
}

static jv *run_pad(jv_call *c)
{
    jv *text = c->args[0];
    double width, missing;
    char *padding, *out;
    size_t length;

    if (!text)
        return NULL;
    width = c->args[1] ? c->args[1]->number : 0;
    missing = fabs(width) - (double)sh_jv_characters(text->string.text, text->string.length);
    if (!(missing >= 1))
        return text;
    if (missing > PAD_MAX)
        jv_bound(c->e, "Expression evaluation memory limit exceeded: Check for excessive memory usage");
    jv_work(c->e, (size_t)missing / 8);
    length = fill(c, c->args[2], (size_t)missing, &padding);
    out = jv_alloc(c->e, length + text->string.length + 1);
    memcpy(out + (width > 0 ? text->string.length : 0), padding, length);
    memcpy(out + (width > 0 ? 0 : length), text->string.text, text->string.length);
    return jv_string(c->e, out, length + text->string.length);
}

static jv *run_join(jv_call *c)
{
    jv *list = c->args[0], *separator = c->args[1];
    sh_buf buf;

    if (!list)
        return NULL;
    jv_work(c->e, jv_count(c->e, list));
    sh_buf_init(&buf, PAD_MAX);
    for (size_t i = 0; i < list->array.count; i++) {
        const jv *text = list->array.items[i];

        if (i && separator)
            sh_buf_append(&buf, separator->string.text, separator->string.length);
        if (text)
            sh_buf_append(&buf, text->string.text, text->string.length);
    }
    return jv_take(c->e, &buf);
}

const jv_builtin jv_builtins_text[] = {
    {"string", "<x-b?:s>", 1, run_string},
    {"substring", "<s-nn?:s>", 3, run_substring},
    {"substringBefore", "<s-s:s>", 2, run_substring_before},
    {"substringAfter", "<s-s:s>", 2, run_substring_after},
    {"lowercase", "<s-:s>", 1, run_lowercase},
    {"uppercase", "<s-:s>", 1, run_uppercase},
    {"length", "<s-:n>", 1, run_length},
    {"trim", "<s-:s>", 1, run_trim},
    {"pad", "<s-ns?:s>", 3, run_pad},
    {"join", "<a<s>s?:s>", 2, run_join},
    {0},
};
