/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/flow/query.h"
#include "cloud/flow/reader.h"
#include "base/clock.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PROBLEMS = 100 };

void sh_reader_enter(sh_reader *r, const char *key)
{
    if (r->depth < sizeof(r->places) / sizeof(*r->places))
        r->places[r->depth] = (sh_place){.key = key};
    r->depth++;
}

void sh_reader_enter_index(sh_reader *r, size_t index)
{
    sh_reader_enter(r, NULL);
    if (r->depth <= sizeof(r->places) / sizeof(*r->places))
        r->places[r->depth - 1].index = index;
}

void sh_reader_leave(sh_reader *r)
{
    r->depth--;
}

static size_t known_depth(const sh_reader *r)
{
    size_t most = sizeof(r->places) / sizeof(*r->places);

    return r->depth < most ? r->depth : most;
}

static void put_place(const sh_reader *r, sh_buf *buf)
{
    for (size_t i = 0; i + r->unnamed < known_depth(r); i++) {
        if (r->places[i].key)
            sh_buf_printf(buf, "/%s", r->places[i].key);
        else
            sh_buf_printf(buf, "[%zu]", r->places[i].index);
    }
    if (!r->depth)
        sh_buf_putc(buf, '/');
}

/* `placed`: where we are is where it is wrong. */
static void record(sh_reader *r, const char *severity, const char *code, const char *text, bool placed)
{
    int line = 0, column = 0;
    sh_buf place;
    json_t *problem;

    sh_buf_init(&place, SH_FLOW_DEFINITION_MAX * 2);
    put_place(r, &place);
    problem = json_pack("{s:s, s:s, s:s, s:s*}", "severity", severity, "code", code, "message", text,
                        "location", placed ? sh_buf_cstr(&place) : NULL);
    if (problem && placed && sh_locate(r->text, r->length, r->places, known_depth(r), &line, &column)) {
        json_object_set_new(problem, "line", json_integer(line));
        json_object_set_new(problem, "column", json_integer(column));
    }
    if (!problem || place.failed || json_array_append_new(r->problems, problem))
        r->memory = true;
    sh_buf_free(&place);
}

void sh_reader_problem_nowhere(sh_reader *r, const char *code, const char *text)
{
    if (r->errors++ < MAX_PROBLEMS)
        record(r, "ERROR", code, text, false);
}

void sh_reader_unsupported(sh_reader *r, const char *field)
{
    sh_reader_leave(r);
    sh_reader_problem(r, SH_SCHEMA, "Field '%.100s' is not supported", field);
    sh_reader_enter(r, field);
}

void sh_reader_problem(sh_reader *r, const char *code, const char *format, ...)
{
    char text[1024];
    va_list args;

    if (r->errors++ >= MAX_PROBLEMS)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    /* a cut in the middle of a character is not UTF-8 any more */
    for (size_t n = strlen(text); n == sizeof(text) - 1 && n && (text[n - 1] & 0x80); n--)
        text[n - 1] = '\0';
    record(r, "ERROR", code, text, true);
}

void sh_reader_warn(sh_reader *r, const char *code, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    record(r, "WARNING", code, text, true);
}

/* A string that is computed where the name of its field ends with ".$". */
static bool looks_computed(const json_t *value)
{
    const char *text = json_string_value(value);

    return text && (!strncmp(text, "$.", 2) || !strncmp(text, "$$.", 3) || !strncmp(text, "$[", 2) ||
                    (!strncmp(text, "States.", 7) && strchr(text, '(')));
}

static bool ends_with_dollar(const char *key)
{
    size_t length = strlen(key);

    return length > 2 && !strcmp(key + length - 2, ".$");
}

static void hint_at(sh_reader *r, const char *key, const json_t *value, bool result)
{
    bool dollar = ends_with_dollar(key);

    if (result && dollar)
        sh_reader_warn(r, "PASS_RESULT_IS_STATIC",
                       "The Result of a Pass state is taken as it is: '%.100s' computes nothing", key);
    else if (!result && !dollar && looks_computed(value))
        sh_reader_warn(
            r, "NO_DOLLAR",
            "The value of '%.100s' looks like a JSONPath or an intrinsic function, but the name does "
            "not end with '.$'",
            key);
}

void sh_reader_hint(sh_reader *r, const json_t *value, bool result)
{
    const char *key;
    json_t *item;
    size_t i;

    if (r->state->jsonata)
        return;
    json_object_foreach((json_t *)value, key, item)
    {
        sh_reader_enter(r, key);
        hint_at(r, key, item, result);
        sh_reader_hint(r, item, result);
        sh_reader_leave(r);
    }
    for (i = 0; i < json_array_size(value); i++) {
        sh_reader_enter_index(r, i);
        sh_reader_hint(r, json_array_get(value, i), result);
        sh_reader_leave(r);
    }
}

void *sh_reader_alloc(sh_reader *r, size_t count, size_t size)
{
    size_t total;
    void *p =
        __builtin_mul_overflow(count, size, &total) ? NULL : sh_arena_alloc(r->flow->build.arena, total);

    if (!p)
        r->memory = true;
    return p;
}

bool sh_read_string(sh_reader *r, const json_t *value, const char **out)
{
    if (!json_is_string(value)) {
        sh_reader_problem(r, SH_SCHEMA, "Expected value of type String");
        return false;
    }
    *out = json_string_value(value);
    return true;
}

bool sh_read_integer(sh_reader *r, const json_t *value, int64_t least, int64_t most, int64_t *out)
{
    if (!json_is_integer(value)) {
        sh_reader_problem(r, SH_SCHEMA, "Expected value of type Integer");
        return false;
    }
    if (json_integer_value(value) < least) {
        sh_reader_problem(r, SH_SCHEMA, "Minimum value is %lld", (long long)least);
        return false;
    }
    if (json_integer_value(value) > most) {
        sh_reader_problem(r, SH_SCHEMA, "Maximum value is %lld", (long long)most);
        return false;
    }
    *out = json_integer_value(value);
    return true;
}

bool sh_read_number(sh_reader *r, const json_t *value, double least, double most, double *out)
{
    double number = json_number_value(value);

    if (!json_is_number(value)) {
        sh_reader_problem(r, SH_SCHEMA, "Expected value of type Number");
        return false;
    }
    if (number < least || number > most) {
        sh_reader_problem(r, SH_SCHEMA, "%s value is %.1f", number < least ? "Minimum" : "Maximum",
                          number < least ? least : most);
        return false;
    }
    *out = number;
    return true;
}

bool sh_read_bool(sh_reader *r, const json_t *value, bool *out)
{
    if (!json_is_boolean(value)) {
        sh_reader_problem(r, SH_SCHEMA, "Expected value of type Boolean");
        return false;
    }
    *out = json_is_true(value);
    return true;
}

/* False after a finding, or when memory was short. */
static bool parsed(sh_reader *r, int status, const char *kind, const sh_err *err)
{
    if (status == SH_E_MEMORY)
        r->memory = true;
    else if (status)
        sh_reader_problem(r, SH_SCHEMA, "Value must be a %s. %s", kind, err->message);
    return !status;
}

bool sh_read_path(sh_reader *r, const json_t *value, const sh_path **out)
{
    sh_err err = {0};
    const char *text;

    if (!sh_read_string(r, value, &text))
        return false;
    return parsed(r, sh_path_parse(&r->flow->build, text, strlen(text), out, &err), "valid JSONPath", &err);
}

bool sh_read_reference(sh_reader *r, const json_t *value, const sh_path **out)
{
    const sh_path *path = NULL;

    if (!sh_read_path(r, value, &path))
        return false;
    if (!sh_path_is_reference(path)) {
        sh_reader_problem(r, SH_SCHEMA, "Value is not a Reference Path: '%s' can name more than one value",
                          sh_path_text(path));
        return false;
    }
    *out = path;
    return true;
}

bool sh_read_expr(sh_reader *r, const json_t *value, const sh_expr **out)
{
    sh_err err = {0};
    const char *text;

    if (!sh_read_string(r, value, &text))
        return false;
    return parsed(r, sh_expr_parse(&r->flow->build, text, strlen(text), out, &err),
                  "valid JSONPath or a valid intrinsic function call", &err);
}

static void template_problem(void *opaque, const char *const *keys, size_t depth, const char *code,
                             const char *message)
{
    sh_reader *r = opaque;
    size_t before = r->depth;

    for (size_t i = 0; i < depth; i++) {
        if (keys[i][0] == '[') /* an index, as template.c writes it */
            sh_reader_enter_index(r, strtoul(keys[i] + 1, NULL, 10));
        else
            sh_reader_enter(r, keys[i]);
    }
    /* AWS names the field in the message and the object around it as the place */
    r->unnamed = depth && ends_with_dollar(keys[depth - 1]);
    sh_reader_problem(r, code, "%s", message);
    r->unnamed = 0;
    r->depth = before;
}

/* Where we are inside of the state: "Catch[0]/Output". */
static char *field_here(sh_reader *r)
{
    char *field;
    sh_buf buf;

    sh_buf_init(&buf, SH_FLOW_DEFINITION_MAX);
    for (size_t i = r->state_depth; i < known_depth(r); i++) {
        if (!r->places[i].key)
            sh_buf_printf(&buf, "[%zu]", r->places[i].index);
        else
            sh_buf_printf(&buf, "%s%s", i > r->state_depth ? "/" : "", r->places[i].key);
    }
    field = buf.failed ? NULL : sh_arena_strdup(r->flow->build.arena, sh_buf_cstr(&buf));
    sh_buf_free(&buf);
    return field;
}

bool sh_read_template(sh_reader *r, json_t *value, const sh_template **out)
{
    sh_template_form form = {.report = template_problem, .opaque = r};
    int status = 0;

    if (r->state && r->state->jsonata) {
        form.jsonata = true;
        form.field = field_here(r);
        form.error = form.field && !strncmp(form.field, "Catch[", 6);
        status = form.field ? 0 : SH_E_MEMORY;
    }
    if (!status)
        status = sh_template_parse(&r->flow->build, value, out, &form);
    if (status == SH_E_MEMORY)
        r->memory = true;
    if (!status && form.jsonata && sh_template_queries(*out))
        r->state->computed = true;
    return !status;
}

bool sh_read_query(sh_reader *r, json_t *value, const sh_template **out)
{
    if (!r->state || !r->state->jsonata || !sh_query_is(value))
        return false;
    sh_read_template(r, value, out);
    return true;
}

enum { MAX_VARIABLE = 80 };

static size_t characters(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

static void check_variable(sh_reader *r, const char *key, bool computed)
{
    size_t length = strlen(key) - (computed ? 2 : 0);
    char *name = sh_arena_strndup(r->flow->build.arena, key, length);

    if (!name) {
        r->memory = true;
    } else if (!length || sh_variable_length(name, length) != length) {
        sh_reader_problem(
            r, SH_SCHEMA,
            "The variable name '%.100s' is not valid: a letter or '_', then letters, digits, '_'", name);
    } else if (characters(name) > MAX_VARIABLE) {
        sh_reader_problem(r, SH_SCHEMA, "The variable name '%.100s' has more than %d characters", name,
                          MAX_VARIABLE);
    } else if (!strcmp(name, "states")) {
        sh_reader_problem(r, SH_SCHEMA, "The variable name 'states' is reserved");
    } else if (sh_scope_taken(r, name)) {
        sh_reader_problem(r, SH_SCHEMA,
                          "The variable '%.100s' is assigned in an outer scope and cannot be assigned here",
                          name);
    }
}

void sh_read_assign(sh_reader *r, json_t *value, const sh_template **out)
{
    const char *key;
    json_t *item;

    if (!json_is_object(value)) {
        sh_reader_problem(r, SH_SCHEMA, "Expected value of type Object");
        return;
    }
    r->flow->build.variables = true;
    json_object_foreach(value, key, item)
    {
        size_t length = strlen(key);

        sh_reader_enter(r, key);
        check_variable(r, key, !r->state->jsonata && length > 2 && !strcmp(key + length - 2, ".$"));
        sh_reader_leave(r);
    }
    sh_read_template(r, value, out);
}

bool sh_read_time(sh_reader *r, const json_t *value, int64_t *ms)
{
    const char *text;

    if (!sh_read_string(r, value, &text))
        return false;
    if (!sh_time_parse_iso(text, strlen(text), ms)) {
        sh_reader_problem(r, SH_SCHEMA, "Value is not a valid RFC 3339 timestamp: '%.100s'", text);
        return false;
    }
    return true;
}
