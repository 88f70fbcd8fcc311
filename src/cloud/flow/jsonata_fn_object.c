/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Functions on objects, on any value, and those that fail on purpose. */
#include "cloud/flow/jsonata_eval.h"
#include <string.h>

/* ---- keys ---- */

static void collect_keys(jv_call *c, jv *value, jv *keys, int depth)
{
    jv_work(c->e, 1);
    if (depth > SH_FLOW_DEPTH_MAX)
        jv_bound(c->e, "value nested too deeply");
    if (jv_is(value, JV_ARRAY)) {
        for (size_t i = 0; i < jv_count(c->e, value); i++)
            collect_keys(c, jv_item(c->e, value, i), keys, depth + 1);
        return;
    }
    if (!jv_is(value, JV_OBJECT))
        return;
    jv_members(c->e, value);
    for (size_t i = 0; i < value->object.count; i++)
        jv_set(c->e, keys, value->object.members[i].key, value->object.members[i].length, jv_null(c->e));
}

static jv *run_keys(jv_call *c)
{
    jv *keys = jv_object(c->e), *names = jv_sequence(c->e);

    collect_keys(c, c->args[0], keys, 0);
    for (size_t i = 0; i < keys->object.count; i++)
        jv_push(c->e, names, jv_string(c->e, keys->object.members[i].key, keys->object.members[i].length));
    return names;
}

static jv *run_lookup(jv_call *c)
{
    const jv *key = c->args[1];

    return key ? jv_member_of(c->e, c->args[0], key->string.text, key->string.length) : NULL;
}

/* ---- taking apart and putting together ---- */

static jv *spread(jv_call *c, jv *value, int depth)
{
    jv *parts;

    if (depth > SH_FLOW_DEPTH_MAX)
        jv_bound(c->e, "value nested too deeply");
    if (jv_is(value, JV_ARRAY)) {
        parts = jv_sequence(c->e);
        for (size_t i = 0; i < jv_count(c->e, value); i++) {
            jv *part = spread(c, jv_item(c->e, value, i), depth + 1);

            parts->flags = 0;
            if (jv_is(part, JV_ARRAY))
                jv_push_all(c->e, parts, part);
            else if (part)
                jv_push(c->e, parts, part);
        }
        return parts;
    }
    if (!jv_is(value, JV_OBJECT))
        return value;
    parts = jv_sequence(c->e);
    jv_members(c->e, value);
    for (size_t i = 0; i < value->object.count; i++) {
        jv *single = jv_object(c->e);

        jv_set(c->e, single, value->object.members[i].key, value->object.members[i].length,
               value->object.members[i].value);
        jv_push(c->e, parts, single);
    }
    return parts;
}

static jv *run_spread(jv_call *c)
{
    return spread(c, c->args[0], 0);
}

static jv *run_merge(jv_call *c)
{
    jv *merged;

    if (!c->args[0])
        return NULL;
    merged = jv_object(c->e);
    for (size_t i = 0; i < jv_count(c->e, c->args[0]); i++) {
        jv *item = jv_item(c->e, c->args[0], i);

        jv_members(c->e, item);
        for (size_t k = 0; k < item->object.count; k++)
            jv_set(c->e, merged, item->object.members[k].key, item->object.members[k].length,
                   item->object.members[k].value);
    }
    return merged;
}

static jv *run_clone(jv_call *c)
{
    return jv_clone(c->e, c->args[0]);
}

/* ---- any value ---- */

static jv *run_type(jv_call *c)
{
    static const char *const names[] = {
        [JV_NULL] = "null",   [JV_BOOL] = "boolean",  [JV_NUMBER] = "number", [JV_STRING] = "string",
        [JV_ARRAY] = "array", [JV_OBJECT] = "object", [JV_TUPLE] = "object",  [JV_FUNCTION] = "function"};

    return c->args[0] ? jv_text(c->e, names[c->args[0]->kind]) : NULL;
}

static jv *run_boolean(jv_call *c)
{
    return c->args[0] ? jv_bool(c->e, jv_arg_truth(c, 0)) : NULL;
}

static jv *run_not(jv_call *c)
{
    return c->args[0] ? jv_bool(c->e, !jv_arg_truth(c, 0)) : NULL;
}

/* ---- failing ---- */

static _Noreturn void fail_with(jv_call *c, const char *code, const jv *message, const char *otherwise)
{
    jv_error_parts parts = {.token = c->row->name, .value_text = otherwise};

    if (message)
        parts.value_text = jv_copy(c->e, message->string.text, message->string.length);
    jv_fail_parts(c->e, code, c->position, &parts);
}

static jv *run_error(jv_call *c)
{
    fail_with(c, "D3137", c->args[0], "$error() function evaluated");
}

static jv *run_assert(jv_call *c)
{
    if (!jv_arg_truth(c, 0))
        fail_with(c, "D3141", c->args[1], "$assert() statement failed");
    return NULL;
}

const jv_builtin jv_builtins_object[] = {
    {"keys", "<x-:a<s>>", 1, run_keys},
    {"lookup", "<x-s:x>", 2, run_lookup},
    {"spread", "<x-:a<o>>", 1, run_spread},
    {"merge", "<a<o>:o>", 1, run_merge},
    {"clone", "<(oa)-:o>", 1, run_clone},
    {"type", "<x:s>", 1, run_type},
    {"boolean", "<x-:b>", 1, run_boolean},
    {"not", "<x-:b>", 1, run_not},
    {"error", "<s?:x>", 1, run_error},
    {"assert", "<bs?:x>", 2, run_assert},
    {0},
};
