/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Functions on arrays that call no other function. */
#include "cloud/flow/jsonata_eval.h"
#include "cloud/flow/jsonata_text.h"
#include <math.h>
#include <string.h>

static jv *run_count(jv_call *c)
{
    return jv_number(c->e, c->args[0] ? (double)jv_count(c->e, c->args[0]) : 0);
}

static jv *run_append(jv_call *c)
{
    return jv_concat(c->e, c->args[0], c->args[1]);
}

static jv *run_exists(jv_call *c)
{
    return jv_bool(c->e, c->args[0] != NULL);
}

static jv *run_reverse(jv_call *c)
{
    jv *list = c->args[0], *result;
    size_t count;

    if (!list || (count = jv_count(c->e, list)) < 2)
        return list;
    result = jv_array(c->e);
    while (count--)
        jv_push(c->e, result, jv_item(c->e, list, count));
    return result;
}

static jv *run_zip(jv_call *c)
{
    jv *result = jv_array(c->e);
    size_t shortest = SIZE_MAX;

    for (size_t i = 0; i < c->count; i++) {
        size_t count = c->args[i] ? jv_count(c->e, c->args[i]) : 0;

        if (count < shortest)
            shortest = count;
    }
    for (size_t i = 0; c->count && i < shortest; i++) {
        jv *row = jv_array(c->e);

        for (size_t k = 0; k < c->count; k++)
            jv_push(c->e, row, jv_item(c->e, c->args[k], i));
        jv_push(c->e, result, row);
    }
    return result;
}

static jv *run_distinct(jv_call *c)
{
    jv *list = c->args[0], *result;
    size_t count;

    if (!jv_is(list, JV_ARRAY) || (count = jv_count(c->e, list)) < 2)
        return list;
    result = list->flags & JV_SEQUENCE ? jv_sequence(c->e) : jv_array(c->e);
    for (size_t i = 0; i < count; i++) {
        jv *item = jv_item(c->e, list, i);
        bool seen = false;

        jv_work(c->e, result->array.count / 8);
        for (size_t k = 0; !seen && k < result->array.count; k++)
            seen = jv_equal(c->e, result->array.items[k], item);
        if (!seen)
            jv_push(c->e, result, item);
    }
    return result;
}

/* ---- order ---- */

static uint64_t random_bits(jv_call *c)
{
    uint64_t bits = 0;

    if (!c->e->env || !c->e->env->env || !c->e->env->env->random)
        jv_bound(c->e, "no source of random numbers");
    c->e->env->env->random(c->e->env->env->opaque, &bits, sizeof(bits));
    return bits;
}

static jv *run_shuffle(jv_call *c)
{
    jv *list = c->args[0], *result;
    size_t count;

    if (!list || (count = jv_count(c->e, list)) < 2)
        return list;
    result = jv_array(c->e);
    jv_push_all(c->e, result, list);
    for (size_t i = count; i-- > 1;) {
        size_t k = random_bits(c) % (i + 1);
        jv *item = result->array.items[i];

        result->array.items[i] = result->array.items[k];
        result->array.items[k] = item;
    }
    return result;
}

typedef struct sorting {
    jv_call *c;
    jv *comparator;
} sorting;

static bool belongs_after(void *opaque, jv *a, jv *b)
{
    sorting *s = opaque;

    if (s->comparator) {
        jv *args[2] = {a, b};

        return jv_truth(s->c->e, jv_apply(s->c->e, s->comparator, args, 2, s->c->input, s->c->frame));
    }
    if (a->kind == JV_STRING)
        return sh_jv_compare(a->string.text, a->string.length, b->string.text, b->string.length) > 0;
    return a->number > b->number;
}

static bool all_of(jv *list, jv_kind kind)
{
    for (size_t i = 0; i < list->array.count; i++)
        if (!jv_is(list->array.items[i], kind))
            return false;
    return true;
}

static jv *run_sort(jv_call *c)
{
    sorting s = {.c = c, .comparator = c->args[1]};
    jv *list = c->args[0], *result;

    if (!list || jv_count(c->e, list) < 2)
        return list;
    if (!s.comparator && !all_of(list, JV_NUMBER) && !all_of(list, JV_STRING))
        jv_call_fail(c, "D3070", NULL);
    result = jv_array(c->e);
    jv_push_all(c->e, result, list);
    jv_merge_sort(c->e, result->array.items, result->array.count, belongs_after, &s);
    return result;
}

const jv_builtin jv_builtins_array[] = {
    {"count", "<a:n>", 1, run_count},
    {"append", "<xx:a>", 2, run_append},
    {"exists", "<x:b>", 1, run_exists},
    {"reverse", "<a:a>", 1, run_reverse},
    {"zip", "<a+>", 0, run_zip},
    {"distinct", "<x:x>", 1, run_distinct},
    {"shuffle", "<a:a>", 1, run_shuffle},
    {"sort", "<af?:a>", 2, run_sort},
    {0},
};
