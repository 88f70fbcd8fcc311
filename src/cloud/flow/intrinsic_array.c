/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Intrinsic functions of arrays and of JSON as a whole. */
#include "cloud/flow/expr_node.h"
#include <stdint.h>
#include <string.h>

enum { MAX_RANGE = 1000 };

static int done(json_t *value, json_t **out)
{
    if (!value)
        return SH_E_MEMORY;
    *out = value;
    return 0;
}

static int run_array(const sh_intrinsic_call *call, json_t **out)
{
    json_t *array = json_array();

    for (size_t i = 0; array && i < call->count; i++)
        if (json_array_append(array, call->args[i])) {
            json_decref(array);
            array = NULL;
        }
    return done(array, out);
}

static int run_partition(const sh_intrinsic_call *call, json_t **out)
{
    json_t *array, *part = NULL, *item;
    json_int_t size = 0;
    size_t i;
    int status = sh_call_array(call, 0);

    if (!status)
        status = sh_call_integer(call, 1, &size);
    if (!status && size <= 0)
        status = sh_expr_fail(call, "the chunk size must be positive");
    if (status)
        return status;
    array = json_array();
    json_array_foreach(call->args[0], i, item)
    {
        if (i % (size_t)size == 0) {
            part = json_array();
            if (json_array_append_new(array, part))
                goto fail;
        }
        if (json_array_append(part, item))
            goto fail;
    }
    return done(array, out);
fail:
    json_decref(array);
    return SH_E_MEMORY;
}

static int run_contains(const sh_intrinsic_call *call, json_t **out)
{
    json_t *item;
    size_t i;
    bool found = false;
    int status = sh_call_array(call, 0);

    if (status)
        return status;
    json_array_foreach(call->args[0], i, item) found = found || sh_value_equal(item, call->args[1]);
    return done(json_boolean(found), out);
}

static int run_range(const sh_intrinsic_call *call, json_t **out)
{
    json_int_t from = 0, to = 0, step = 0, count;
    json_t *array;
    int status = sh_call_integer(call, 0, &from);

    if (!status)
        status = sh_call_integer(call, 1, &to);
    if (!status)
        status = sh_call_integer(call, 2, &step);
    if (!status && !step)
        status = sh_expr_fail(call, "the step must not be 0");
    if (!status && (from > INT32_MAX || from < INT32_MIN || to > INT32_MAX || to < INT32_MIN ||
                    step > INT32_MAX || step < INT32_MIN))
        status = sh_expr_fail(call, "a number is out of range");
    if (status)
        return status;
    count = (step > 0 ? to < from : to > from) ? 0 : (to - from) / step + 1;
    if (count > MAX_RANGE)
        return sh_expr_fail(call, "the range has %lld elements, at most %d are allowed", (long long)count,
                            MAX_RANGE);
    array = json_array();
    for (json_int_t i = 0; array && i < count; i++)
        if (json_array_append_new(array, json_integer(from + i * step))) {
            json_decref(array);
            array = NULL;
        }
    return done(array, out);
}

static int run_get_item(const sh_intrinsic_call *call, json_t **out)
{
    json_int_t index = 0;
    int status = sh_call_array(call, 0);

    if (!status)
        status = sh_call_integer(call, 1, &index);
    if (!status && (index < 0 || (size_t)index >= json_array_size(call->args[0])))
        status = sh_expr_fail(call, "index %lld is out of range, the array has %zu elements",
                              (long long)index, json_array_size(call->args[0]));
    return status ? status : done(json_incref(json_array_get(call->args[0], (size_t)index)), out);
}

static int run_length(const sh_intrinsic_call *call, json_t **out)
{
    int status = sh_call_array(call, 0);

    return status ? status : done(json_integer((json_int_t)json_array_size(call->args[0])), out);
}

/* Quadratic, but a payload of 256 KiB bounds it only at 2^17 numbers: compare texts in a table instead. */
static int run_unique(const sh_intrinsic_call *call, json_t **out)
{
    json_t *array = json_array(), *seen = json_object(), *item;
    sh_buf text;
    size_t i;
    int status = sh_call_array(call, 0);

    sh_buf_init(&text, SH_FLOW_TEXT_MAX);
    if (!status && (!array || !seen))
        status = SH_E_MEMORY;
    json_array_foreach(call->args[0], i, item)
    {
        if (status)
            break;
        sh_buf_clear(&text);
        status = sh_value_dump(&text, item);
        if (!status && !json_object_get(seen, sh_buf_cstr(&text)) &&
            (json_object_set_new(seen, sh_buf_cstr(&text), json_true()) || json_array_append(array, item)))
            status = SH_E_MEMORY;
    }
    sh_buf_free(&text);
    json_decref(seen);
    if (status) {
        json_decref(array);
        return status;
    }
    return done(array, out);
}

static int run_merge(const sh_intrinsic_call *call, json_t **out)
{
    json_t *merged;

    for (size_t i = 0; i < 2; i++)
        if (!json_is_object(call->args[i]))
            return sh_expr_fail(call, "argument %zu must be an object", i + 1);
    if (!json_is_false(call->args[2]))
        return sh_expr_fail(call, "only the shallow merge is supported: argument 3 must be false");
    merged = json_copy(call->args[0]);
    if (merged && json_object_update(merged, call->args[1])) {
        json_decref(merged);
        merged = NULL;
    }
    return done(merged, out);
}

const sh_intrinsic sh_intrinsics_array[] = {
    {"Array", 0, SIZE_MAX, run_array},
    {"ArrayPartition", 2, 2, run_partition},
    {"ArrayContains", 2, 2, run_contains},
    {"ArrayRange", 3, 3, run_range},
    {"ArrayGetItem", 2, 2, run_get_item},
    {"ArrayLength", 1, 1, run_length},
    {"ArrayUnique", 1, 1, run_unique},
    {"JsonMerge", 3, 3, run_merge},
    {NULL, 0, 0, NULL},
};
