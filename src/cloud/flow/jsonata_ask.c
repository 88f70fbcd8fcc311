/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Questions about values of JSONata: equality, truth, text, and the way out to JSON. */
#include "cloud/flow/jsonata_text.h"
#include "cloud/flow/jsonata_value.h"
#include <math.h>
#include <string.h>

bool jv_is_integer(const jv *value)
{
    return jv_is(value, JV_NUMBER) && isfinite(value->number) && value->number == floor(value->number);
}

static bool same_text(const jv *a, const jv *b)
{
    return a->string.length == b->string.length && !memcmp(a->string.text, b->string.text, a->string.length);
}

bool jv_same(const jv *a, const jv *b)
{
    if (a == b)
        return true;
    if (!a || !b || a->kind != b->kind)
        return false;
    switch (a->kind) {
    case JV_NULL:
        return true;
    case JV_BOOL:
        return a->truth == b->truth;
    case JV_NUMBER:
        return a->number == b->number;
    case JV_STRING:
        return same_text(a, b);
    case JV_FUNCTION:
        return a->function == b->function;
    default:
        return a->json && a->json == b->json;
    }
}

static bool equal(jv_eval *e, jv *a, jv *b, int depth);

static bool equal_objects(jv_eval *e, jv *a, jv *b, int depth)
{
    jv_members(e, a);
    jv_members(e, b);
    if (a->object.count != b->object.count)
        return false;
    for (size_t i = 0; i < a->object.count; i++) {
        const jv_member *member = &a->object.members[i];

        if (!equal(e, member->value, jv_get(e, b, member->key, member->length), depth + 1))
            return false;
    }
    return true;
}

static bool equal(jv_eval *e, jv *a, jv *b, int depth)
{
    if (jv_same(a, b))
        return true;
    if (!a || !b || a->kind != b->kind)
        return false;
    if (depth > SH_FLOW_DEPTH_MAX)
        jv_bound(e, "value nested too deeply");
    jv_work(e, 1);
    if (a->kind == JV_OBJECT)
        return equal_objects(e, a, b, depth);
    if (a->kind != JV_ARRAY || jv_count(e, a) != jv_count(e, b))
        return false;
    for (size_t i = 0; i < jv_count(e, a); i++)
        if (!equal(e, jv_item(e, a, i), jv_item(e, b, i), depth + 1))
            return false;
    return true;
}

bool jv_equal(jv_eval *e, jv *a, jv *b)
{
    return equal(e, a, b, 0);
}

static bool array_truth(jv_eval *e, jv *array, int depth)
{
    size_t count = jv_count(e, array);

    for (size_t i = 0; i < count; i++) {
        jv *item = jv_item(e, array, i);

        jv_work(e, 1);
        if (depth > SH_FLOW_DEPTH_MAX)
            jv_bound(e, "value nested too deeply");
        if (jv_is(item, JV_ARRAY) ? array_truth(e, item, depth + 1) : jv_truth(e, item))
            return true;
    }
    return false;
}

bool jv_truth(jv_eval *e, jv *value)
{
    if (!value)
        return false;
    switch (value->kind) {
    case JV_BOOL:
        return value->truth;
    case JV_NUMBER:
        if (isinf(value->number))
            jv_fail_parts(e, "D1001", 0, &(jv_error_parts){.value = "null"});
        return value->number != 0 && !isnan(value->number);
    case JV_STRING:
        return value->string.length > 0;
    case JV_ARRAY:
        return array_truth(e, value, 0);
    case JV_OBJECT:
        return value->folded ? json_object_size(value->json) > 0 : value->object.count > 0;
    default:
        return false;
    }
}

/* ---- text ---- */

typedef struct shown {
    jv_eval *e;
    sh_buf *buf;
    bool pretty;
    bool bad_number;
    bool deep;
} shown;

static void show(shown *s, jv *value, int depth);

static void new_line(shown *s, int depth)
{
    if (!s->pretty)
        return;
    sh_buf_putc(s->buf, '\n');
    for (int i = 0; i < depth; i++)
        sh_buf_puts(s->buf, "  ");
}

static void show_array(shown *s, jv *array, int depth)
{
    size_t count = jv_count(s->e, array);

    sh_buf_putc(s->buf, '[');
    for (size_t i = 0; i < count; i++) {
        if (i)
            sh_buf_putc(s->buf, ',');
        new_line(s, depth + 1);
        show(s, jv_item(s->e, array, i), depth + 1);
    }
    if (count)
        new_line(s, depth);
    sh_buf_putc(s->buf, ']');
}

static void show_object(shown *s, jv *object, int depth)
{
    jv_members(s->e, object);
    sh_buf_putc(s->buf, '{');
    for (size_t i = 0; i < object->object.count; i++) {
        const jv_member *member = &object->object.members[i];

        if (i)
            sh_buf_putc(s->buf, ',');
        new_line(s, depth + 1);
        sh_jv_quote(s->buf, member->key, member->length);
        sh_buf_puts(s->buf, s->pretty ? ": " : ":");
        show(s, member->value, depth + 1);
    }
    if (object->object.count)
        new_line(s, depth);
    sh_buf_putc(s->buf, '}');
}

static void show_number(shown *s, double number)
{
    char text[32];

    s->bad_number |= !isfinite(number);
    sh_jv_number_text(number == floor(number) ? number : sh_jv_round15(number), text);
    sh_buf_puts(s->buf, text);
}

static void show(shown *s, jv *value, int depth)
{
    if (depth > SH_FLOW_DEPTH_MAX) {
        s->deep = true;
        return;
    }
    if (!value || value->kind == JV_NULL)
        sh_buf_puts(s->buf, "null");
    else if (value->kind == JV_BOOL)
        sh_buf_puts(s->buf, value->truth ? "true" : "false");
    else if (value->kind == JV_NUMBER)
        show_number(s, value->number);
    else if (value->kind == JV_STRING)
        sh_jv_quote(s->buf, value->string.text, value->string.length);
    else if (value->kind == JV_ARRAY)
        show_array(s, value, depth);
    else if (value->kind == JV_OBJECT)
        show_object(s, value, depth);
    else
        sh_buf_puts(s->buf, "\"\"");
}

/* Everything that could fail and leave has to be unfolded before a buffer is held. */
static void unfold(jv_eval *e, jv *value, int depth)
{
    jv_work(e, 1);
    if (depth > SH_FLOW_DEPTH_MAX)
        jv_bound(e, "value nested too deeply");
    if (jv_is(value, JV_ARRAY))
        for (size_t i = 0; i < jv_count(e, value); i++)
            unfold(e, jv_item(e, value, i), depth + 1);
    if (!jv_is(value, JV_OBJECT))
        return;
    jv_members(e, value);
    for (size_t i = 0; i < value->object.count; i++)
        unfold(e, value->object.members[i].value, depth + 1);
}

jv *jv_to_string(jv_eval *e, jv *value, bool pretty)
{
    sh_buf buf;
    shown s = {.e = e, .buf = &buf, .pretty = pretty};

    if (value->kind == JV_STRING)
        return value;
    if (value->kind == JV_FUNCTION)
        return jv_text(e, "");
    unfold(e, value, 0);
    sh_buf_init(&buf, SH_FLOW_TEXT_MAX);
    show(&s, value, 0);
    if (s.bad_number) {
        sh_buf_free(&buf);
        jv_fail(e, "D3001", 0, NULL);
    }
    return jv_take(e, &buf);
}

/* ---- out ---- */

static json_t *to_json(jv_eval *e, jv *value, int depth, const char **why);

static json_t *text_to_json(const jv *value)
{
    json_t *json = json_stringn(value->string.text, value->string.length);
    sh_buf buf;

    if (json)
        return json;
    sh_buf_init(&buf, SH_FLOW_TEXT_MAX);
    for (size_t at = 0; at < value->string.length;) {
        size_t from = at;
        uint32_t c = sh_jv_next(value->string.text, value->string.length, &at);

        if ((c >= 0xd800 && c < 0xe000) || (at == from + 1 && c >= 0x80))
            sh_buf_putc(&buf, '?');
        else
            sh_buf_append(&buf, value->string.text + from, at - from);
    }
    json = buf.failed ? NULL : json_stringn(sh_buf_cstr(&buf), buf.length);
    sh_buf_free(&buf);
    return json;
}

static json_t *number_to_json(double number)
{
    if (!isfinite(number))
        return json_string(isnan(number) ? "NaN" : number < 0 ? "-Infinity" : "Infinity");
    if (number == floor(number) && fabs(number) <= 9007199254740992.0)
        return json_integer((json_int_t)number);
    return json_real(number);
}

static json_t *array_to_json(jv_eval *e, jv *array, int depth, const char **why)
{
    json_t *json = json_array();

    for (size_t i = 0; json && i < array->array.count; i++) {
        json_t *item = to_json(e, array->array.items[i], depth + 1, why);

        if (!item || json_array_append_new(json, item)) {
            json_decref(json);
            json = NULL;
        }
    }
    return json;
}

/* Gives `item` away. */
static int set_member(json_t *json, const jv_member *member, json_t *item)
{
    jv name = {.kind = JV_STRING, .string = {member->key, member->length}};
    json_t *key = item ? text_to_json(&name) : NULL; /* which mends what is not UTF-8 */
    int status = key && item ? json_object_set(json, json_string_value(key), item) : -1;

    json_decref(key);
    json_decref(item);
    return status;
}

static json_t *object_to_json(jv_eval *e, jv *object, int depth, const char **why)
{
    json_t *json = json_object();

    for (size_t i = 0; json && i < object->object.count; i++) {
        const jv_member *member = &object->object.members[i];

        if (memchr(member->key, 0, member->length))
            *why = "key of an object contains a NUL character";
        if (*why || set_member(json, member, to_json(e, member->value, depth + 1, why))) {
            json_decref(json);
            json = NULL;
        }
    }
    return json;
}

/* Values may be shared a thousand times, JSON made of them is not: each costs work, a string as much as it is
 * long. Without jv_work, which would not come back to free what was made. */
static bool may_make(jv_eval *e, const jv *value)
{
    size_t cost = value && value->kind == JV_STRING ? 1 + value->string.length / 16 : 1;

    if (cost > e->most || e->steps > e->most - cost)
        return false;
    e->steps += cost;
    return true;
}

static json_t *to_json(jv_eval *e, jv *value, int depth, const char **why)
{
    if (value && value->json)
        return json_incref(value->json);
    if (!*why && !may_make(e, value))
        *why = "Expression evaluation timeout: Check for infinite loop";
    if (depth > SH_FLOW_DEPTH_MAX)
        *why = "result nested too deeply";
    if (jv_is(value, JV_FUNCTION)) {
        e->error->unsupported = true;
        *why = "result is a function";
    }
    if (*why)
        return NULL;
    switch (value ? (int)value->kind : JV_NULL) {
    case JV_BOOL:
        return json_boolean(value->truth);
    case JV_NUMBER:
        return number_to_json(value->number);
    case JV_STRING:
        return text_to_json(value);
    case JV_ARRAY:
        return array_to_json(e, value, depth, why);
    case JV_OBJECT:
        return object_to_json(e, value, depth, why);
    default:
        return json_null();
    }
}

json_t *jv_to_json(jv_eval *e, jv *value)
{
    const char *why = NULL;
    json_t *json = to_json(e, value, 0, &why);

    if (!json && why)
        jv_bound(e, why);
    if (!json)
        jv_stop(e, SH_E_MEMORY);
    return json;
}
