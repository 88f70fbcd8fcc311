/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* $match, $contains, $split, $replace. What they look for is a string, a regular expression, or any function
 * that answers as a regular expression does when it is called: {match, start, end, groups, next}. Positions
 * in such answers count UTF-16 units. */
#include "cloud/flow/jsonata_eval.h"
#include "cloud/flow/jsonata_text.h"
#include <math.h>
#include <string.h>

enum { TEXT_MAX = 6 * 1024 * 1024 };

/* ---- UTF-16 positions ---- */

typedef struct units {
    size_t byte, unit; /* a place already known */
} units;

static double unit_at(units *u, const char *text, size_t length, size_t byte)
{
    if (byte < u->byte)
        *u = (units){0};
    while (u->byte < byte)
        u->unit += sh_jv_next(text, length, &u->byte) >= 0x10000 ? 2 : 1;
    return (double)u->unit;
}

static size_t byte_at(const char *text, size_t length, double unit)
{
    size_t at = 0;

    for (double u = 0; u < unit && at < length;)
        u += sh_jv_next(text, length, &at) >= 0x10000 ? 2 : 1;
    return at;
}

/* ---- calling a regular expression ---- */

static jv *groups_of(jv_eval *e, const jv_match *m, const char *text)
{
    jv *groups = jv_array(e);

    for (size_t i = 0; i < m->groups; i++)
        jv_push(e, groups,
                m->starts[i] < 0 ? NULL
                                 : jv_string(e, text + m->starts[i], (size_t)(m->ends[i] - m->starts[i])));
    return groups;
}

static void check_progress(jv_eval *e, const jnode *node, const jv_match *m)
{
    if (m->from == m->to)
        jv_fail(e, "D1004", e->position ? e->position : node->position, NULL);
}

jv *jv_regex_call(jv_eval *e, const jnode *node, const char *text, size_t length, size_t from)
{
    jv_match m;
    units u = {0};
    jv *hit, *next;

    if ((from && from >= length) || !jv_regex_search(e, node->regex, text, length, from, &m))
        return NULL;
    check_progress(e, node, &m);
    hit = jv_object(e);
    jv_set(e, hit, "match", 5, jv_string(e, text + m.from, m.to - m.from));
    jv_set(e, hit, "start", 5, jv_number(e, unit_at(&u, text, length, m.from)));
    jv_set(e, hit, "end", 3, jv_number(e, unit_at(&u, text, length, m.to)));
    jv_set(e, hit, "groups", 6, groups_of(e, &m, text));
    next = jv_function_new(e, JF_NEXT);
    next->function->node = node;
    next->function->text = text;
    next->function->length = length;
    next->function->from = m.to;
    jv_set(e, hit, "next", 4, next);
    return hit;
}

/* ---- all hits one after the other ---- */

typedef struct hits {
    jv_call *c;
    const char *text;
    size_t length;
    const jnode *regex; /* NULL: a function */
    jv *function;
    size_t at;
    units u;
    bool first;
    size_t from, to; /* of the hit, in bytes */
    jv *groups, *object;
} hits;

static hits start_hits(jv_call *c, const jv *text, jv *matcher)
{
    hits h = {
        .c = c, .text = text->string.text, .length = text->string.length, .function = matcher, .first = true};

    if (matcher->function->kind == JF_REGEX)
        h.regex = matcher->function->node;
    return h;
}

static bool ask_function(hits *h)
{
    jv *argument = jv_string(h->c->e, h->text, h->length), *from, *to;
    jv_eval *e = h->c->e;

    if (!h->function)
        return false;
    h->object = jv_apply(e, h->function, &argument, h->first ? 1 : 0, h->c->input, h->c->frame);
    h->first = false;
    if (!h->object)
        return false;
    if (h->object->kind != JV_OBJECT)
        jv_call_fail(h->c, "T1010", NULL);
    from = jv_get(e, h->object, "start", 5);
    to = jv_get(e, h->object, "end", 3);
    h->groups = jv_get(e, h->object, "groups", 6);
    h->function = jv_get(e, h->object, "next", 4);
    if (!jv_is(from, JV_NUMBER) || !jv_is(to, JV_NUMBER) || !jv_is(h->groups, JV_ARRAY) ||
        !jv_is(h->function, JV_FUNCTION))
        jv_call_fail(h->c, "T1010", NULL);
    h->from = byte_at(h->text, h->length, from->number);
    h->to = byte_at(h->text, h->length, to->number);
    return true;
}

static bool next_hit(hits *h)
{
    jv_match m;

    jv_work(h->c->e, 1);
    if (!h->regex)
        return ask_function(h);
    if (!h->first && h->at >= h->length)
        return false;
    h->first = false;
    if (!jv_regex_search(h->c->e, h->regex->regex, h->text, h->length, h->at, &m))
        return false;
    check_progress(h->c->e, h->regex, &m);
    h->from = m.from;
    h->at = h->to = m.to;
    h->groups = groups_of(h->c->e, &m, h->text);
    return true;
}

static jv *hit_text(const hits *h)
{
    jv *given = h->object ? jv_get(h->c->e, h->object, "match", 5) : NULL;

    return given ? given : jv_string(h->c->e, h->text + h->from, h->to > h->from ? h->to - h->from : 0);
}

/* The hit as a lambda of $replace sees it. */
static jv *hit_object(hits *h)
{
    jv *object = jv_object(h->c->e);

    if (h->object)
        return h->object;
    jv_set(h->c->e, object, "match", 5, hit_text(h));
    jv_set(h->c->e, object, "start", 5, jv_number(h->c->e, unit_at(&h->u, h->text, h->length, h->from)));
    jv_set(h->c->e, object, "end", 3, jv_number(h->c->e, unit_at(&h->u, h->text, h->length, h->to)));
    jv_set(h->c->e, object, "groups", 6, h->groups);
    return object;
}

/* ---- the functions ---- */

static double limit_of(jv_call *c, size_t index, const char *code)
{
    double limit = c->args[index] ? c->args[index]->number : INFINITY;

    if (limit < 0)
        jv_call_fail(c, code, c->args[index]);
    return limit;
}

static jv *run_match(jv_call *c)
{
    jv *results = jv_sequence(c->e);
    double limit;
    hits h;

    if (!c->args[0])
        return NULL;
    limit = limit_of(c, 2, "D3040");
    h = start_hits(c, c->args[0], c->args[1]);
    for (double count = 0; count < limit && next_hit(&h); count++) {
        jv *hit = jv_object(c->e);

        jv_set(c->e, hit, "match", 5, hit_text(&h));
        jv_set(c->e, hit, "index", 5, jv_number(c->e, unit_at(&h.u, h.text, h.length, h.from)));
        jv_set(c->e, hit, "groups", 6, h.groups);
        jv_push(c->e, results, hit);
    }
    return results;
}

static jv *run_contains(jv_call *c)
{
    const jv *text = c->args[0], *token = c->args[1];
    hits h;

    if (!text)
        return NULL;
    if (jv_is(token, JV_STRING))
        return jv_bool(c->e, !token->string.length || memmem(text->string.text, text->string.length,
                                                             token->string.text, token->string.length));
    if (!token)
        return jv_bool(c->e, false);
    h = start_hits(c, text, c->args[1]);
    return jv_bool(c->e, next_hit(&h));
}

static void push_part(jv_call *c, jv *list, const jv *text, size_t from, size_t to)
{
    jv_push(c->e, list, jv_string(c->e, text->string.text + from, to > from ? to - from : 0));
}

static void split_characters(jv_call *c, jv *parts, const jv *text, double limit)
{
    for (size_t at = 0; at < text->string.length && (double)parts->array.count < limit;) {
        size_t from = at;

        sh_jv_next(text->string.text, text->string.length, &at);
        push_part(c, parts, text, from, at);
    }
}

static void split_text(jv_call *c, jv *parts, const jv *text, const jv *separator, double limit)
{
    size_t at = 0, length = text->string.length, step = separator->string.length;
    const char *found;

    limit = trunc(limit);
    if (!step) {
        split_characters(c, parts, text, limit);
        return;
    }
    while ((double)parts->array.count < limit &&
           (found = memmem(text->string.text + at, length - at, separator->string.text, step))) {
        push_part(c, parts, text, at, (size_t)(found - text->string.text));
        at = (size_t)(found - text->string.text) + step;
    }
    if ((double)parts->array.count < limit)
        push_part(c, parts, text, at, length);
}

static jv *run_split(jv_call *c)
{
    jv *text = c->args[0], *separator = c->args[1], *parts = jv_array(c->e);
    double limit, count = 0;
    size_t at = 0;
    hits h;

    if (!text)
        return NULL;
    limit = limit_of(c, 2, "D3020");
    jv_work(c->e, text->string.length / 16);
    if (!separator) {
        push_part(c, parts, text, 0, text->string.length);
        return parts;
    }
    if (separator->kind == JV_STRING) {
        split_text(c, parts, text, separator, limit);
        return parts;
    }
    h = start_hits(c, text, separator);
    for (; count < limit && next_hit(&h); count++) {
        push_part(c, parts, text, at, h.from);
        at = h.to;
    }
    if (count < limit)
        push_part(c, parts, text, at, text->string.length);
    return parts;
}

/* ---- $replace ---- */

typedef struct replacing {
    jv_call *c;
    char *out;
    size_t length, capacity;
} replacing;

static void put(replacing *r, const char *text, size_t length)
{
    if (r->length + length > TEXT_MAX)
        jv_bound(r->c->e, "Expression evaluation memory limit exceeded: Check for excessive memory usage");
    if (r->length + length > r->capacity) {
        size_t capacity = (r->length + length) * 2 + 64;
        char *out = jv_alloc(r->c->e, capacity);

        if (r->length)
            memcpy(out, r->out, r->length);
        r->out = out;
        r->capacity = capacity;
    }
    if (length)
        memcpy(r->out + r->length, text, length);
    r->length += length;
}

static size_t read_digits(const char *text, size_t length, size_t most, size_t *value)
{
    size_t n = 0;

    for (*value = 0; n < length && n < most && text[n] >= '0' && text[n] <= '9'; n++)
        *value = *value * 10 + (size_t)(text[n] - '0');
    return n;
}

/* At what follows a '$' in a replacement; returns how many bytes it was. */
static size_t put_reference(replacing *r, hits *h, const char *text, size_t length)
{
    size_t groups = jv_count(h->c->e, h->groups), index, used, most = 1;
    jv *group;

    if (length && *text == '$') {
        put(r, "$", 1);
        return 1;
    }
    if (length && *text == '0') {
        group = hit_text(h);
        put(r, group->string.text, group->string.length);
        return 1;
    }
    for (size_t n = groups; n >= 10; n /= 10)
        most++;
    used = read_digits(text, length, most, &index);
    if (used > 1 && index > groups)
        used = read_digits(text, length, most - 1, &index);
    if (!used)
        put(r, "$", 1);
    group = used && index && index <= groups ? jv_item(h->c->e, h->groups, index - 1) : NULL;
    if (jv_is(group, JV_STRING))
        put(r, group->string.text, group->string.length);
    return used;
}

static void put_replacement(replacing *r, hits *h, jv *replacement)
{
    size_t at = 0, length;
    const char *text, *dollar;

    if (jv_is(replacement, JV_FUNCTION)) {
        jv *argument = hit_object(h);

        replacement = jv_apply(r->c->e, replacement, &argument, 1, r->c->input, r->c->frame);
        if (!jv_is(replacement, JV_STRING))
            jv_call_fail(r->c, "D3012", replacement);
        put(r, replacement->string.text, replacement->string.length);
        return;
    }
    text = replacement ? replacement->string.text : "";
    length = replacement ? replacement->string.length : 0;
    while (at < length && (dollar = memchr(text + at, '$', length - at))) {
        put(r, text + at, (size_t)(dollar - text) - at);
        at = (size_t)(dollar - text) + 1;
        at += put_reference(r, h, text + at, length - at);
    }
    put(r, text + at, length - at);
}

static void replace_text(replacing *r, const jv *text, const jv *pattern, const jv *replacement, double limit)
{
    size_t at = 0;
    const char *found;

    for (double count = 0; count < limit; count++) {
        found = memmem(text->string.text + at, text->string.length - at, pattern->string.text,
                       pattern->string.length);
        if (!found)
            break;
        put(r, text->string.text + at, (size_t)(found - text->string.text) - at);
        if (jv_is(replacement, JV_STRING))
            put(r, replacement->string.text, replacement->string.length);
        at = (size_t)(found - text->string.text) + pattern->string.length;
        jv_work(r->c->e, 1);
    }
    put(r, text->string.text + at, text->string.length - at);
}

static jv *run_replace(jv_call *c)
{
    jv *text = c->args[0], *pattern = c->args[1], *replacement = c->args[2];
    replacing r = {.c = c};
    double limit;
    size_t at = 0;
    hits h;

    if (!text)
        return NULL;
    if (jv_is(pattern, JV_STRING) && !pattern->string.length)
        jv_call_fail(c, "D3010", NULL);
    limit = limit_of(c, 3, "D3011");
    jv_work(c->e, text->string.length / 16);
    if (!pattern)
        return text;
    if (pattern->kind == JV_STRING) {
        replace_text(&r, text, pattern, replacement, limit);
        return jv_string(c->e, r.out ? r.out : "", r.length);
    }
    h = start_hits(c, text, pattern);
    for (double count = 0; count < limit && next_hit(&h); count++) {
        put(&r, text->string.text + at, h.from > at ? h.from - at : 0);
        put_replacement(&r, &h, replacement);
        at = h.to;
    }
    put(&r, text->string.text + at, text->string.length - at);
    return jv_string(c->e, r.out ? r.out : "", r.length);
}

const jv_builtin jv_builtins_match[] = {
    {"match", "<s-f<s:o>n?:a<o>>", 3, run_match},
    {"contains", "<s-(sf):b>", 2, run_contains},
    {"replace", "<s-(sf)(sf)n?:s>", 4, run_replace},
    {"split", "<s-(sf)n?:a<s>>", 3, run_split},
    {0},
};
