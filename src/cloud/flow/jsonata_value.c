/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making and asking values of JSONata; failing. */
#include "cloud/flow/jsonata_value.h"
#include "cloud/flow/jsonata_text.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL_OBJECT = 8 };

/* ---- failure ---- */

void jv_stop(jv_eval *e, int status)
{
    e->status = status;
    longjmp(e->failed, 1);
}

static _Noreturn void fail_text(jv_eval *e, const char *code, size_t position, const char *text)
{
    char *message = strdup(text);

    if (!message)
        jv_stop(e, SH_E_MEMORY);
    sh_text_mend(message);
    free(e->error->message);
    e->error->message = message;
    snprintf(e->error->code, sizeof(e->error->code), "%s", code);
    e->error->position = position ? position : e->position;
    jv_stop(e, SH_FAULT);
}

void jv_bound(jv_eval *e, const char *message)
{
    fail_text(e, "", 0, message);
}

void jv_fail_parts(jv_eval *e, const char *code, size_t position, const jv_error_parts *parts)
{
    size_t size = 1024 + (parts->value ? strlen(parts->value) : 0) +
                  (parts->value2 ? strlen(parts->value2) : 0) +
                  (parts->value_text ? strlen(parts->value_text) : 0);
    jv_error_parts told = *parts;
    char *text = jv_alloc(e, size);

    if (e->within) {
        told.token = e->within->text;
        position = e->within->position;
    }
    jv_error_show(text, size, code, &told);
    fail_text(e, code, position, text);
}

void jv_fail(jv_eval *e, const char *code, size_t position, const char *token)
{
    jv_fail_parts(e, code, position, &(jv_error_parts){.token = token});
}

/* A value as a message quotes it, in the arena. */
static const char *quoted(jv_eval *e, jv *value)
{
    sh_buf buf;
    char number[32];
    const char *text;

    if (!value)
        return NULL;
    if (value->kind == JV_NUMBER) {
        sh_jv_number_text(value->number, number);
        return isfinite(value->number) ? jv_copy(e, number, strlen(number)) : "null";
    }
    if (value->kind == JV_FUNCTION)
        return "undefined";
    sh_buf_init(&buf, SH_FLOW_TEXT_MAX);
    if (value->kind == JV_STRING)
        sh_jv_quote(&buf, value->string.text, value->string.length);
    else
        return jv_to_string(e, value, false)->string.text;
    text = jv_take(e, &buf)->string.text;
    return text;
}

void jv_fail_value(jv_eval *e, const char *code, size_t position, const char *token, jv *value, jv *value2)
{
    jv_error_parts parts = {.token = token, .value = quoted(e, value), .value2 = quoted(e, value2)};

    jv_fail_parts(e, code, position, &parts);
}

void jv_work(jv_eval *e, size_t steps)
{
    if (steps > e->most || (e->steps += steps) > e->most)
        jv_bound(e, "Expression evaluation timeout: Check for infinite loop");
}

/* ---- making ---- */

void *jv_alloc(jv_eval *e, size_t size)
{
    void *memory = sh_arena_alloc(e->arena, size);
    void *probe;

    if (memory)
        return memory;
    /* the arena's maximum, or the machine's */
    probe = size < SH_JSONATA_MEMORY_MAX ? malloc(size) : NULL;
    if (!probe && size < SH_JSONATA_MEMORY_MAX)
        jv_stop(e, SH_E_MEMORY);
    free(probe);
    jv_bound(e, "Expression evaluation memory limit exceeded: Check for excessive memory usage");
}

void *jv_alloc_items(jv_eval *e, size_t count, size_t size)
{
    return jv_alloc(e,
                    count > SH_JSONATA_MEMORY_MAX / size ? (size_t)SH_JSONATA_MEMORY_MAX + 1 : count * size);
}

char *jv_copy(jv_eval *e, const char *text, size_t length)
{
    char *copy = jv_alloc(e, length + 1);

    if (length)
        memcpy(copy, text, length);
    return copy;
}

static jv *make(jv_eval *e, jv_kind kind)
{
    jv *value = jv_alloc(e, sizeof(*value));

    value->kind = kind;
    return value;
}

jv *jv_from_json(jv_eval *e, const json_t *json)
{
    jv *value;

    if (!json)
        return NULL;
    switch (json_typeof(json)) {
    case JSON_NULL:
        value = jv_null(e);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        value = jv_bool(e, json_is_true(json));
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        value = jv_number(e, json_number_value(json));
        break;
    case JSON_STRING:
        value = jv_string(e, json_string_value(json), json_string_length(json));
        break;
    default:
        value = make(e, json_is_array(json) ? JV_ARRAY : JV_OBJECT);
        value->folded = true;
    }
    value->json = (json_t *)json;
    return value;
}

jv *jv_null(jv_eval *e)
{
    return make(e, JV_NULL);
}

jv *jv_bool(jv_eval *e, bool truth)
{
    jv *value = make(e, JV_BOOL);

    value->truth = truth;
    return value;
}

jv *jv_number(jv_eval *e, double number)
{
    jv *value = make(e, JV_NUMBER);

    value->number = number;
    return value;
}

jv *jv_string(jv_eval *e, const char *text, size_t length)
{
    jv *value = make(e, JV_STRING);

    value->string.text = text;
    value->string.length = length;
    return value;
}

jv *jv_text(jv_eval *e, const char *text)
{
    return jv_string(e, text, strlen(text));
}

jv *jv_take(jv_eval *e, sh_buf *buf)
{
    jv *value = NULL;
    char *copy = buf->failed ? NULL : sh_arena_alloc(e->arena, buf->length + 1);

    if (copy) {
        if (buf->length)
            memcpy(copy, buf->data, buf->length);
        value = sh_arena_alloc(e->arena, sizeof(*value));
    }
    if (value) {
        value->kind = JV_STRING;
        value->string.text = copy;
        value->string.length = buf->length;
    }
    sh_buf_free(buf);
    if (!value)
        jv_bound(e, "Expression evaluation memory limit exceeded: Check for excessive memory usage");
    return value;
}

jv *jv_array(jv_eval *e)
{
    return make(e, JV_ARRAY);
}

jv *jv_sequence(jv_eval *e)
{
    jv *value = make(e, JV_ARRAY);

    value->flags = JV_SEQUENCE;
    return value;
}

jv *jv_sequence_of(jv_eval *e, jv *item)
{
    jv *value = jv_sequence(e);

    jv_push(e, value, item);
    return value;
}

jv *jv_object(jv_eval *e)
{
    return make(e, JV_OBJECT);
}

jv *jv_tuple(jv_eval *e, jv *at, jv_binding *bindings)
{
    jv *value = make(e, JV_TUPLE);

    value->tuple.at = at;
    value->tuple.bindings = bindings;
    return value;
}

/* ---- arrays ---- */

static void unfold_array(jv_eval *e, jv *array)
{
    size_t count = json_array_size(array->json);

    array->folded = false;
    array->array.items = jv_alloc_items(e, count, sizeof(jv *));
    array->array.capacity = count;
    for (size_t i = 0; i < count; i++)
        array->array.items[i] = jv_from_json(e, json_array_get(array->json, i));
    array->array.count = count;
    jv_work(e, count / 8);
}

size_t jv_count(jv_eval *e, jv *array)
{
    if (array->folded)
        unfold_array(e, array);
    return array->array.count;
}

jv *jv_item(jv_eval *e, jv *array, size_t index)
{
    if (array->folded)
        unfold_array(e, array);
    return array->array.items[index];
}

static void reserve(jv_eval *e, jv *array, size_t more)
{
    size_t wanted = array->array.count + more, capacity = array->array.capacity * 2;
    jv **items;

    if (wanted <= array->array.capacity)
        return;
    if (capacity < wanted)
        capacity = wanted < 4 && more == 1 ? (array->array.count ? 4 : 1) : wanted;
    items = jv_alloc_items(e, capacity, sizeof(*items));
    if (array->array.count)
        memcpy(items, array->array.items, array->array.count * sizeof(*items));
    array->array.items = items;
    array->array.capacity = capacity;
}

void jv_push(jv_eval *e, jv *array, jv *item)
{
    reserve(e, array, 1);
    array->array.items[array->array.count++] = item;
}

void jv_push_all(jv_eval *e, jv *array, jv *other)
{
    size_t count = jv_count(e, other);

    reserve(e, array, count);
    if (count)
        memcpy(array->array.items + array->array.count, other->array.items, count * sizeof(jv *));
    array->array.count += count;
    jv_work(e, count / 8);
}

jv *jv_as_array(jv_eval *e, jv *value)
{
    if (jv_is(value, JV_ARRAY))
        return value;
    return value ? jv_sequence_of(e, value) : jv_sequence(e);
}

jv *jv_concat(jv_eval *e, jv *a, jv *b)
{
    jv *sum;

    if (!a || !b)
        return a ? a : b;
    sum = jv_array(e);
    reserve(e, sum, (a->kind == JV_ARRAY ? jv_count(e, a) : 1) + (b->kind == JV_ARRAY ? jv_count(e, b) : 1));
    if (a->kind == JV_ARRAY)
        jv_push_all(e, sum, a);
    else
        jv_push(e, sum, a);
    if (b->kind == JV_ARRAY)
        jv_push_all(e, sum, b);
    else
        jv_push(e, sum, b);
    return sum;
}

/* ---- objects ---- */

static uint32_t hash(const char *key, size_t length)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < length; i++)
        h = (h ^ (unsigned char)key[i]) * 16777619u;
    return h;
}

static bool is_key(const jv_member *member, const char *key, size_t length)
{
    return member->length == length && !memcmp(member->key, key, length);
}

/* The slot of the key, or the free one where it belongs. */
static uint32_t *slot_of(const jv *object, const char *key, size_t length)
{
    size_t size = object->object.capacity * 2, at = hash(key, length) % size;

    while (object->object.index[at] &&
           !is_key(&object->object.members[object->object.index[at] - 1], key, length))
        at = (at + 1) % size;
    return &object->object.index[at];
}

static jv_member *find(const jv *object, const char *key, size_t length)
{
    if (object->object.index) {
        uint32_t found = *slot_of(object, key, length);

        return found ? &object->object.members[found - 1] : NULL;
    }
    for (size_t i = 0; i < object->object.count; i++)
        if (is_key(&object->object.members[i], key, length))
            return &object->object.members[i];
    return NULL;
}

static void index_members(jv_eval *e, jv *object)
{
    object->object.index = NULL;
    if (object->object.capacity <= SMALL_OBJECT)
        return;
    object->object.index = jv_alloc_items(e, object->object.capacity * 2, sizeof(uint32_t));
    for (size_t i = 0; i < object->object.count; i++)
        *slot_of(object, object->object.members[i].key, object->object.members[i].length) = (uint32_t)i + 1;
}

static void grow_members(jv_eval *e, jv *object, size_t capacity)
{
    jv_member *members = jv_alloc_items(e, capacity, sizeof(*members));

    if (object->object.count)
        memcpy(members, object->object.members, object->object.count * sizeof(*members));
    object->object.members = members;
    object->object.capacity = capacity;
    index_members(e, object);
}

static void add_member(jv_eval *e, jv *object, const char *key, size_t length, jv *value)
{
    if (object->object.count == object->object.capacity)
        grow_members(e, object, object->object.capacity ? object->object.capacity * 2 : 4);
    object->object.members[object->object.count++] = (jv_member){key, length, value};
    if (object->object.index)
        *slot_of(object, key, length) = (uint32_t)object->object.count;
}

void jv_members(jv_eval *e, jv *object)
{
    const char *key;
    json_t *item;

    if (!object->folded)
        return;
    object->folded = false;
    if (json_object_size(object->json))
        grow_members(e, object, json_object_size(object->json));
    json_object_foreach(object->json, key, item)
        add_member(e, object, key, strlen(key), jv_from_json(e, item));
    jv_work(e, object->object.count / 8);
}

jv *jv_get(jv_eval *e, jv *object, const char *key, size_t length)
{
    jv_member *member;

    jv_members(e, object);
    member = find(object, key, length);
    return member ? member->value : NULL;
}

void jv_set(jv_eval *e, jv *object, const char *key, size_t length, jv *value)
{
    jv_member *member;

    jv_members(e, object);
    member = find(object, key, length);
    if (member)
        member->value = value;
    else
        add_member(e, object, key, length, value);
}

void jv_remove(jv_eval *e, jv *object, const char *key, size_t length)
{
    jv_member *member;
    size_t at;

    jv_members(e, object);
    member = find(object, key, length);
    if (!member)
        return;
    at = (size_t)(member - object->object.members);
    memmove(member, member + 1, (--object->object.count - at) * sizeof(*member));
    index_members(e, object);
}

static jv *clone(jv_eval *e, jv *value, int depth)
{
    jv *copy;

    if (!value || (value->kind != JV_ARRAY && value->kind != JV_OBJECT))
        return value;
    if (depth > SH_FLOW_DEPTH_MAX)
        jv_bound(e, "value nested too deeply");
    copy = make(e, value->kind);
    jv_work(e, 1);
    if (value->kind == JV_ARRAY) {
        for (size_t i = 0; i < jv_count(e, value); i++)
            jv_push(e, copy, clone(e, jv_item(e, value, i), depth + 1));
        return copy;
    }
    jv_members(e, value);
    for (size_t i = 0; i < value->object.count; i++) {
        const jv_member *member = &value->object.members[i];

        jv_set(e, copy, member->key, member->length, clone(e, member->value, depth + 1));
    }
    return copy;
}

jv *jv_clone(jv_eval *e, jv *value)
{
    return clone(e, value, 0);
}
