/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/api/args.h"

#include <string.h>

#define TAGS_MAX 50

static int refuse(sh_call *call, const char *name, const char *why)
{
    return sh_call_fail(call, 400, "ValidationException",
                        "1 validation error detected: Value at '%s' failed to satisfy constraint: %s", name,
                        why);
}

static const json_t *member(const sh_call *call, const char *name)
{
    const json_t *value = json_object_get(call->in, name);
    return json_is_null(value) ? NULL : value;
}

static size_t characters(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

static int too_long(sh_call *call, const char *name, size_t max)
{
    return sh_call_fail(
        call, 400, "ValidationException",
        "1 validation error detected: Value at '%s' failed to satisfy constraint: Member must "
        "have length less than or equal to %zu",
        name, max);
}

int sh_arg_text(sh_call *call, const char *name, size_t max, const char **out)
{
    const json_t *value = member(call, name);
    *out = NULL;
    if (!value)
        return 0;
    if (!json_is_string(value))
        return sh_call_fail(call, 400, "SerializationException", "'%s' is not a string", name);
    const char *text = json_string_value(value);
    if (strlen(text) != json_string_length(value))
        return refuse(call, name, "Member must not contain a zero byte");
    if (characters(text) > max)
        return too_long(call, name, max);
    *out = text;
    return 0;
}

int sh_arg_need(sh_call *call, const char *name, size_t max, const char **out)
{
    int status = sh_arg_text(call, name, max, out);
    if (status < 0)
        return status;
    if (!*out)
        return sh_call_fail(
            call, 400, "ValidationException",
            "1 validation error detected: Value null at '%s' failed to satisfy constraint: Member "
            "must not be null",
            name);
    if (!**out)
        return sh_call_fail(call, 400, "ValidationException",
                            "1 validation error detected: Value '' at '%s' failed to satisfy constraint: "
                            "Member must have length greater than or equal to 1",
                            name);
    return 0;
}

int sh_arg_bool(sh_call *call, const char *name, bool fallback, bool *out)
{
    const json_t *value = member(call, name);
    *out = value ? json_is_true(value) : fallback;
    if (value && !json_is_boolean(value))
        return sh_call_fail(call, 400, "SerializationException", "'%s' is not true or false", name);
    return 0;
}

int sh_arg_int(sh_call *call, const char *name, int64_t min, int64_t max, int64_t fallback, int64_t *out)
{
    const json_t *value = member(call, name);
    *out = value ? json_integer_value(value) : fallback;
    if (value && !json_is_integer(value))
        return sh_call_fail(call, 400, "SerializationException", "'%s' is not an integer", name);
    if (*out < min || *out > max)
        return sh_call_fail(
            call, 400, "ValidationException",
            "1 validation error detected: Value '%lld' at '%s' failed to satisfy constraint: Member "
            "must have value %s than or equal to %lld",
            (long long)*out, name, *out < min ? "greater" : "less", (long long)(*out < min ? min : max));
    return 0;
}

int sh_arg_object(sh_call *call, const char *name, const json_t **out)
{
    *out = member(call, name);
    if (*out && !json_is_object(*out))
        return sh_call_fail(call, 400, "SerializationException", "'%s' is not an object", name);
    return 0;
}

int sh_arg_array(sh_call *call, const char *name, size_t max, const json_t **out)
{
    *out = member(call, name);
    if (*out && !json_is_array(*out))
        return sh_call_fail(call, 400, "SerializationException", "'%s' is not a list", name);
    if (json_array_size(*out) > max)
        return too_long(call, name, max);
    return 0;
}

bool sh_arg_lists(const json_t *values, const char *text)
{
    size_t index;
    const json_t *value;
    json_array_foreach(values, index, value)
    {
        if (json_is_string(value) && strcmp(json_string_value(value), text) == 0)
            return true;
    }
    return false;
}

void sh_put(int *status, json_t *object, const char *name, json_t *value)
{
    if (!value || json_object_set_new(object, name, value) < 0)
        *status = SH_E_MEMORY;
}

void sh_put_text(int *status, json_t *object, const char *name, const char *value)
{
    if (value)
        sh_put(status, object, name, json_string(value));
}

void sh_put_date(int *status, json_t *object, const char *name, int64_t ms)
{
    if (ms >= 0)
        sh_put(status, object, name, json_real((double)ms / 1000.0));
}

int sh_out_new(sh_call *call)
{
    call->out = json_object();
    return call->out ? 0 : sh_out_done(call, SH_E_MEMORY);
}

int sh_out_done(sh_call *call, int status)
{
    sh_err err = {SH_E_MEMORY, "no memory for an answer"};
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

int sh_tags_read(sh_call *call, const json_t *list, const char *key, const char *value, json_t *tags)
{
    size_t index;
    const json_t *tag;
    json_array_foreach(list, index, tag)
    {
        const char *k = json_string_value(json_object_get(tag, key));
        const char *v = json_string_value(json_object_get(tag, value));
        if (!k || !*k || characters(k) > 128 || (v && characters(v) > 256))
            return refuse(call, "tags", "a tag has a key of 1 to 128 and a value of at most 256 characters");
        if (json_object_set_new(tags, k, json_string(v ? v : "")) < 0)
            return sh_out_done(call, SH_E_MEMORY);
    }
    if (json_object_size(tags) > TAGS_MAX)
        return sh_call_fail(call, 400, "TooManyTags", "a resource has at most %d tags", TAGS_MAX);
    return 0;
}

json_t *sh_tags_list(const char *text, const char *key, const char *value)
{
    json_t *tags = json_loads(text, 0, NULL);
    json_t *list = json_array();
    const char *k;
    json_t *v;
    json_object_foreach(tags, k, v)
    {
        if (list && json_array_append_new(list, json_pack("{s:s, s:O}", key, k, value, v)) < 0) {
            json_decref(list);
            list = NULL;
        }
    }
    json_decref(tags);
    return list;
}
