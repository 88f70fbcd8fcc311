/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Functions that call the function they are given for each item. */
#include "cloud/flow/jsonata_eval.h"

static jv *run_map(jv_call *c)
{
    jv *list = c->args[0], *results;

    if (!list)
        return NULL;
    results = jv_sequence(c->e);
    for (size_t i = 0; i < jv_count(c->e, list); i++) {
        jv *result = jv_apply_item(c, c->args[1], jv_item(c->e, list, i), jv_number(c->e, (double)i), list);

        if (result)
            jv_push(c->e, results, result);
    }
    return results;
}

static bool keeps(jv_call *c, jv *list, size_t index)
{
    return jv_truth(
        c->e, jv_apply_item(c, c->args[1], jv_item(c->e, list, index), jv_number(c->e, (double)index), list));
}

static jv *run_filter(jv_call *c)
{
    jv *list = c->args[0], *results;

    if (!list)
        return NULL;
    results = jv_sequence(c->e);
    for (size_t i = 0; i < jv_count(c->e, list); i++)
        if (keeps(c, list, i))
            jv_push(c->e, results, jv_item(c->e, list, i));
    return results;
}

static jv *run_single(jv_call *c)
{
    jv *list = c->args[0], *found = NULL;
    bool any = false;

    if (!list)
        return NULL;
    for (size_t i = 0; i < jv_count(c->e, list); i++) {
        if (c->args[1] && !keeps(c, list, i))
            continue;
        if (any)
            jv_call_fail(c, "D3138", NULL);
        any = true;
        found = jv_item(c->e, list, i);
    }
    if (!any)
        jv_call_fail(c, "D3139", NULL);
    return found;
}

static jv *run_reduce(jv_call *c)
{
    jv *list = c->args[0], *result = c->args[2];
    size_t i = 0, count, arity;

    if (!list)
        return NULL;
    arity = jv_function_arity(c->args[1]);
    if (arity < 2)
        jv_call_fail(c, "D3050", NULL);
    count = jv_count(c->e, list);
    if (!result && count)
        result = jv_item(c->e, list, i++);
    for (; i < count; i++) {
        jv *args[4] = {result, jv_item(c->e, list, i), jv_number(c->e, (double)i), list};

        result = jv_apply(c->e, c->args[1], args, arity > 4 ? 4 : arity, c->input, c->frame);
    }
    return result;
}

static jv *each_member(jv_call *c, jv *object, size_t index)
{
    const jv_member *member = &object->object.members[index];

    return jv_apply_item(c, c->args[1], member->value, jv_string(c->e, member->key, member->length), object);
}

static jv *run_each(jv_call *c)
{
    jv *object = c->args[0], *results;

    if (!object)
        return NULL;
    results = jv_sequence(c->e);
    jv_members(c->e, object);
    for (size_t i = 0; i < object->object.count; i++) {
        jv *result = each_member(c, object, i);

        if (result)
            jv_push(c->e, results, result);
    }
    return results;
}

static jv *run_sift(jv_call *c)
{
    jv *object = c->args[0], *result = jv_object(c->e);

    if (!object)
        return NULL;
    jv_members(c->e, object);
    for (size_t i = 0; i < object->object.count; i++) {
        const jv_member *member = &object->object.members[i];

        if (jv_truth(c->e, each_member(c, object, i)))
            jv_set(c->e, result, member->key, member->length, member->value);
    }
    return result->object.count ? result : NULL;
}

const jv_builtin jv_builtins_higher[] = {
    {"map", "<af>", 2, run_map},
    {"filter", "<af>", 2, run_filter},
    {"single", "<af?>", 2, run_single},
    {"reduce", "<afj?:j>", 3, run_reduce},
    {"each", "<o-f:a>", 2, run_each},
    {"sift", "<o-f?:o>", 2, run_sift},
    {0},
};
