/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Payload templates (Parameters, ResultSelector, ItemSelector, Assign; of JSONata Arguments, Output and all
 * others). A part without any "name.$" (JSONata: any "{% … %}") inside stays the JSON value it is, shared
 * with every result; only what has to be computed becomes a table. */
#include "cloud/flow/query.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sh_template {
    json_t *constant;    /* no expression inside; or */
    const sh_expr *expr; /* the value of a "name.$" field, `field` is its name; or */
    const char *field;
    const sh_query *query; /* JSONata; or */
    const char **keys;     /* an object (keys without ".$"), or NULL: an array */
    const struct sh_template **items;
    size_t count;
};

typedef struct parser {
    sh_build *build;
    const sh_template_form *form;
    const char *keys[SH_FLOW_DEPTH_MAX + 1];
    size_t depth;
    bool bad;
} parser;

static int parse(parser *p, json_t *value, const sh_template **out);

static void complain_of(parser *p, const char *code, const char *message)
{
    p->bad = true;
    p->form->report(p->form->opaque, p->keys, p->depth, code, message);
}

static void complain(parser *p, const char *message)
{
    complain_of(p, "SCHEMA_VALIDATION_FAILED", message);
}

static bool dynamic(const json_t *value, bool jsonata)
{
    const char *key;
    json_t *item;
    size_t i;

    if (jsonata && sh_query_is(value))
        return true;
    if (json_is_object(value)) {
        json_object_foreach((json_t *)value, key, item)
        {
            size_t length = strlen(key);

            if ((!jsonata && length >= 2 && !strcmp(key + length - 2, ".$")) || dynamic(item, jsonata))
                return true;
        }
    } else if (json_is_array(value)) {
        json_array_foreach((json_t *)value, i, item) if (dynamic(item, jsonata)) return true;
    }
    return false;
}

static const char *article_name(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an OBJECT", [JSON_ARRAY] = "an ARRAY", [JSON_STRING] = "a STRING",
        [JSON_INTEGER] = "a NUMBER", [JSON_REAL] = "a NUMBER",  [JSON_TRUE] = "a BOOLEAN",
        [JSON_FALSE] = "a BOOLEAN",  [JSON_NULL] = "NULL"};

    return names[json_typeof(value)];
}

static int parse_expr(parser *p, const char *key, const json_t *value, const sh_template **out)
{
    sh_template *made = sh_arena_alloc(p->build->arena, sizeof(*made));
    sh_err err = {0};
    char message[768];
    int status;

    if (!made)
        return SH_E_MEMORY;
    *out = made;
    made->field = key;
    if (!json_is_string(value)) {
        snprintf(message, sizeof(message),
                 "The value for the field '%.100s' must be a STRING that contains a JSONPath but was %s", key,
                 article_name(value));
        complain(p, message);
        return 0;
    }
    status = sh_expr_parse(p->build, json_string_value(value), json_string_length(value), &made->expr, &err);
    if (status == SH_E_MEMORY)
        return status;
    if (status) {
        snprintf(message, sizeof(message),
                 "The value for the field '%.100s' must be a valid JSONPath or a valid intrinsic function "
                 "call: %s",
                 key, err.message);
        complain(p, message);
    }
    return 0;
}

/* "Output/a/b[0]" */
static char *field_path(const parser *p)
{
    sh_buf buf;
    char *path;

    sh_buf_init(&buf, SH_FLOW_TEXT_MAX);
    sh_buf_puts(&buf, p->form->field ? p->form->field : "");
    for (size_t i = 0; i < p->depth; i++)
        sh_buf_printf(&buf, "%s%s", p->keys[i][0] == '[' ? "" : "/", p->keys[i]);
    path = buf.failed ? NULL : sh_arena_strdup(p->build->arena, sh_buf_cstr(&buf));
    sh_buf_free(&buf);
    return path;
}

static void query_problem(void *opaque, const char *code, const char *message)
{
    complain_of(opaque, code, message);
}

static int parse_query(parser *p, const json_t *value, sh_template *into)
{
    const char *field = field_path(p);
    int status = field ? sh_query_parse(p->build, json_string_value(value), field, p->form->error,
                                        &into->query, query_problem, p)
                       : SH_E_MEMORY;

    return status == SH_E_MEMORY ? status : 0;
}

static int parse_field(parser *p, sh_template *into, const json_t *object, const char *key, json_t *value)
{
    size_t length = strlen(key);
    bool computed = !p->form->jsonata && length >= 2 && !strcmp(key + length - 2, ".$");
    char *name = sh_arena_strndup(p->build->arena, key, computed ? length - 2 : length);
    int status;

    if (!name)
        return SH_E_MEMORY;
    p->keys[p->depth++] = key;
    if (computed && json_object_get(object, name))
        complain(p, "The field stands twice, with and without '.$'");
    into->keys[into->count] = name;
    status = computed ? parse_expr(p, key, value, &into->items[into->count])
                      : parse(p, value, &into->items[into->count]);
    into->count++;
    p->depth--;
    return status;
}

static int parse_object(parser *p, json_t *value, sh_template *into)
{
    const char *key;
    json_t *item;

    into->keys = sh_arena_alloc(p->build->arena, json_object_size(value) * sizeof(*into->keys));
    into->items = sh_arena_alloc(p->build->arena, json_object_size(value) * sizeof(*into->items));
    if (!into->keys || !into->items)
        return SH_E_MEMORY;
    json_object_foreach(value, key, item)
    {
        int status = parse_field(p, into, value, key, item);

        if (status)
            return status;
    }
    return 0;
}

static int parse_array(parser *p, json_t *value, sh_template *into)
{
    char index[24];
    int status = 0;

    into->items = sh_arena_alloc(p->build->arena, json_array_size(value) * sizeof(*into->items));
    if (!into->items)
        return SH_E_MEMORY;
    p->depth++;
    while (!status && into->count < json_array_size(value)) {
        snprintf(index, sizeof(index), "[%zu]", into->count);
        p->keys[p->depth - 1] = index;
        status = parse(p, json_array_get(value, into->count), &into->items[into->count]);
        into->count++;
    }
    p->depth--;
    return status;
}

static int parse(parser *p, json_t *value, const sh_template **out)
{
    sh_template *made = sh_arena_alloc(p->build->arena, sizeof(*made));

    if (!made)
        return SH_E_MEMORY;
    *out = made;
    if (p->depth >= SH_FLOW_DEPTH_MAX) {
        complain(p, "nested too deeply");
        return 0;
    }
    if (!dynamic(value, p->form->jsonata)) {
        made->constant = value;
        return 0;
    }
    if (json_is_string(value))
        return parse_query(p, value, made);
    return json_is_object(value) ? parse_object(p, value, made) : parse_array(p, value, made);
}

int sh_template_parse(sh_build *build, json_t *value, const sh_template **out, const sh_template_form *form)
{
    parser p = {.build = build, .form = form};
    int status = parse(&p, value, out);

    return status ? status : p.bad ? SH_E_FORMAT : 0;
}

static int eval_object(const sh_template *t, const sh_eval *eval, json_t **out)
{
    json_t *object = json_object();
    int status = object ? 0 : SH_E_MEMORY;

    for (size_t i = 0; !status && i < t->count; i++) {
        json_t *item = NULL;

        status = sh_template_eval(t->items[i], eval, &item);
        if (!status && json_object_set_new(object, t->keys[i], item))
            status = SH_E_MEMORY;
    }
    if (status)
        json_decref(object);
    else
        *out = object;
    return status;
}

static int eval_array(const sh_template *t, const sh_eval *eval, json_t **out)
{
    json_t *array = json_array();
    int status = array ? 0 : SH_E_MEMORY;

    for (size_t i = 0; !status && i < t->count; i++) {
        json_t *item = NULL;

        status = sh_template_eval(t->items[i], eval, &item);
        if (!status && json_array_append_new(array, item))
            status = SH_E_MEMORY;
    }
    if (status)
        json_decref(array);
    else
        *out = array;
    return status;
}

int sh_template_eval(const sh_template *t, const sh_eval *eval, json_t **out)
{
    if (t->constant) {
        *out = json_incref(t->constant);
        return 0;
    }
    if (t->query)
        return sh_query_eval(t->query, eval, out);
    if (t->expr)
        return sh_expr_eval(t->expr, eval, t->field, out);
    return t->keys ? eval_object(t, eval, out) : eval_array(t, eval, out);
}

bool sh_template_queries(const sh_template *t)
{
    bool queries = t && t->query;

    for (size_t i = 0; t && i < t->count && !queries; i++)
        queries = sh_template_queries(t->items[i]);
    return queries;
}

/* ---- one expression of a certain type ---- */

static const char *type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "object";
    case JSON_ARRAY:
        return "array";
    case JSON_STRING:
        return "string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "boolean";
    default:
        return "null";
    }
}

int sh_template_refuse(const sh_template *t, const sh_eval *eval, const char *format, ...)
{
    char *what = NULL;
    va_list args;
    int status;

    va_start(args, format);
    status = vasprintf(&what, format, args);
    va_end(args);
    if (status < 0)
        return SH_E_MEMORY;
    status = t->query ? sh_query_refuse(t->query, eval, what)
                      : sh_fault_set(eval->fault, "States.Runtime", "The field %s", what);
    free(what);
    return status;
}

static int refuse_type(const sh_template *t, const sh_eval *eval, const char *type, const json_t *value)
{
    char *text = sh_flow_text(value);
    int status = SH_E_MEMORY;

    if (text)
        status = sh_template_refuse(
            t, eval, "returned an unexpected result type. Expected '%s', but was '%s' for value: %s", type,
            type_name(value), text);
    free(text);
    return status;
}

int sh_template_typed(const sh_template *t, const sh_eval *eval, const char *type, json_t **out)
{
    json_t *value = NULL;
    int status = sh_template_eval(t, eval, &value);

    if (!status && strcmp(type_name(value), type))
        status = refuse_type(t, eval, type, value);
    if (status)
        json_decref(value);
    else
        *out = value;
    return status;
}

int sh_template_whole(const sh_template *t, const sh_eval *eval, double *out)
{
    json_t *value = NULL;
    double number;
    int status = sh_template_typed(t, eval, "number", &value);

    number = json_number_value(value);
    if (!status && number != floor(number))
        status = refuse_type(t, eval, "integer", value);
    else if (!status && number < 0)
        status = sh_template_refuse(t, eval, "returned a negative value: %.17g", number);
    if (!status)
        *out = number;
    json_decref(value);
    return status;
}
