/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Expressions: parser and evaluation. In arguments a path ends at the first comma or closing parenthesis
 * outside brackets and quotes. */
#include "cloud/flow/cursor.h"
#include "cloud/flow/expr_node.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ARGS = 64, MAX_DEPTH = 32, MAX_EXPR = 65536 };

static int read_expr(cursor *c, const sh_expr **out);

/* 'text': \' \\ \{ \} stand for the second character, any other backslash for itself. */
static int read_string(cursor *c, sh_expr *expr)
{
    const char *from = ++c->p;
    char *text;
    size_t length = 0;

    while (c->p < c->end && *c->p != '\'')
        c->p += *c->p == '\\' && c->p + 1 < c->end ? 2 : 1;
    if (c->p >= c->end)
        return bad(c, "string not closed");
    text = sh_arena_alloc(c->build->arena, (size_t)(c->p - from) + 1);
    if (!text)
        return no_memory(c);
    for (const char *q = from; q < c->p; q++) {
        if (*q == '\\' && strchr("'\\{}", q[1]))
            q++;
        text[length++] = *q;
    }
    expr->raw = sh_arena_strndup(c->build->arena, from, (size_t)(c->p - from));
    expr->constant = sh_build_keep(c->build, json_stringn(text, length));
    c->p++;
    return expr->raw && expr->constant ? 0 : no_memory(c);
}

static void skip_path(cursor *c)
{
    int brackets = 0;
    char quote = 0;

    for (; c->p < c->end; c->p++) {
        if (quote) {
            if (*c->p == '\\' && c->p + 1 < c->end)
                c->p++;
            else if (*c->p == quote)
                quote = 0;
        } else if (brackets && (*c->p == '\'' || *c->p == '"')) {
            quote = *c->p;
        } else if (*c->p == '[') {
            brackets++;
        } else if (*c->p == ']') {
            brackets--;
        } else if (!brackets && strchr(",) \t\r\n", *c->p)) {
            return;
        }
    }
}

static int read_path(cursor *c, sh_expr *expr)
{
    const char *from = c->p;

    skip_path(c);
    return sh_path_parse(c->build, from, (size_t)(c->p - from), &expr->path, c->err);
}

static int read_constant(cursor *c, sh_expr *expr)
{
    const char *from = c->p;
    json_t *value;

    while (c->p < c->end && !strchr(",) \t\r\n", *c->p))
        c->p++;
    value = json_loadb(from, (size_t)(c->p - from), JSON_DECODE_ANY, NULL);
    if (json_is_string(value) || json_is_object(value) || json_is_array(value)) {
        json_decref(value);
        value = NULL;
    }
    if (!value) {
        c->p = from;
        return bad(c, "argument expected: a path, a 'string', a number, true, false, null or a function");
    }
    expr->constant = sh_build_keep(c->build, value);
    return expr->constant ? 0 : no_memory(c);
}

static int add_arg(cursor *c, sh_expr *expr)
{
    const sh_expr *arg = NULL;
    int status;

    if (expr->count == MAX_ARGS)
        return bad(c, "too many arguments");
    status = read_expr(c, &arg);
    if (!status)
        expr->args[expr->count++] = arg;
    return status;
}

static int read_args(cursor *c, sh_expr *expr)
{
    int status = 0;

    expr->args = sh_arena_alloc(c->build->arena, MAX_ARGS * sizeof(*expr->args));
    if (!expr->args)
        return no_memory(c);
    blanks(c);
    if (c->p < c->end && *c->p == ')') {
        c->p++;
        return 0;
    }
    while (!(status = add_arg(c, expr))) {
        blanks(c);
        if (c->p < c->end && *c->p == ')') {
            c->p++;
            return 0;
        }
        if (c->p == c->end || *c->p != ',')
            return bad(c, "',' or ')' expected");
        c->p++;
    }
    return status;
}

static int read_call(cursor *c, sh_expr *expr)
{
    const char *name = c->p += strlen("States.");
    int status;

    while (c->p < c->end && *c->p != '(')
        c->p++;
    expr->intrinsic = sh_intrinsic_find(name, (size_t)(c->p - name));
    if (!expr->intrinsic || c->p == c->end) {
        c->p = name;
        return bad(c, "unknown intrinsic function");
    }
    c->p++;
    status = read_args(c, expr);
    if (!status && (expr->count < expr->intrinsic->least || expr->count > expr->intrinsic->most))
        status = sh_fail(c->err, SH_E_FORMAT, "States.%s takes %zu to %zu arguments, %zu given",
                         expr->intrinsic->name, expr->intrinsic->least, expr->intrinsic->most, expr->count);
    return status;
}

static int read_expr(cursor *c, const sh_expr **out)
{
    sh_expr *expr = sh_arena_alloc(c->build->arena, sizeof(*expr));
    const char *from;
    int status;

    if (!expr)
        return no_memory(c);
    if (++c->depth > MAX_DEPTH)
        return bad(c, "functions nested too deeply");
    blanks(c);
    from = c->p;
    if (c->p == c->end)
        status = bad(c, "argument expected");
    else if (*c->p == '$')
        status = read_path(c, expr);
    else if (*c->p == '\'')
        status = read_string(c, expr);
    else if ((size_t)(c->end - c->p) > 7 && !memcmp(c->p, "States.", 7))
        status = read_call(c, expr);
    else
        status = read_constant(c, expr);
    if (!status && !(expr->text = sh_arena_strndup(c->build->arena, from, (size_t)(c->p - from))))
        status = no_memory(c);
    c->depth--;
    *out = expr;
    return status;
}

int sh_expr_parse(sh_build *build, const char *text, size_t length, const sh_expr **out, sh_err *err)
{
    cursor c = {.start = text, .p = text, .end = text + length, .build = build, .err = err};
    sh_expr *expr;
    int status;

    if (length > MAX_EXPR)
        return sh_fail(err, SH_E_LIMIT, "expression longer than %d bytes", MAX_EXPR);
    if (memchr(text, 0, length))
        return sh_fail(err, SH_E_FORMAT, "expression contains a NUL character");
    if (length && *text == '$') {
        expr = sh_arena_alloc(build->arena, sizeof(*expr));
        if (!expr || !(expr->text = sh_arena_strndup(build->arena, text, length)))
            return no_memory(&c);
        status = sh_path_parse(build, text, length, &expr->path, err);
        if (!status)
            *out = expr;
        return status;
    }
    if (length < 7 || memcmp(text, "States.", 7))
        return bad(&c, "a path that starts with '$' or an intrinsic function 'States.…' expected");
    const sh_expr *call = NULL;
    status = read_expr(&c, &call);
    blanks(&c);
    if (!status && c.p != c.end)
        status = bad(&c, "surplus text");
    if (!status)
        *out = call;
    return status;
}

const sh_path *sh_expr_path(const sh_expr *expr)
{
    return expr->path;
}

json_t *sh_eval_root(const sh_path *path, const sh_eval *eval, json_t *data)
{
    const char *variable = sh_path_variable(path);

    return variable                   ? json_object_get(eval->variables, variable)
           : sh_path_is_context(path) ? eval->context
                                      : data;
}

int sh_eval_get(const sh_path *path, const sh_eval *eval, json_t *data, json_t **out)
{
    json_t *root = sh_eval_root(path, eval, data);

    return root ? sh_path_get(path, root, out) : SH_E_NOT_FOUND;
}

static int fail_missing(const sh_eval *eval, const sh_path *path, const char *field)
{
    char *input = sh_flow_text(sh_path_is_context(path) ? eval->context : eval->input);
    int status = SH_E_MEMORY;

    if (input && field)
        status = sh_fault_set(
            eval->fault, "States.Runtime",
            "The JSONPath '%s' specified for the field '%s' could not be found in the input '%s'",
            sh_path_text(path), field, input);
    else if (input)
        status = sh_fault_set(eval->fault, "States.Runtime",
                              "The JsonPath argument for the field '%s' could not be found in the input '%s'",
                              sh_path_text(path), input);
    free(input);
    return status;
}

static int eval_path(const sh_path *path, const sh_eval *eval, const char *field, json_t **out)
{
    int status;

    if (json_is_null(eval->input) && !sh_path_variable(path) && !sh_path_is_context(path))
        return sh_fault_set(eval->fault, "States.Runtime",
                            "Unable to apply Path transformation to null or empty input.");
    status = sh_eval_get(path, eval, eval->input, out);
    if (status == SH_E_NOT_FOUND)
        return fail_missing(eval, path, field);
    if (status == SH_E_LIMIT)
        return sh_fault_set(eval->fault, "States.Runtime", "The JSONPath '%s' visits too many values",
                            sh_path_text(path));
    return status;
}

static int eval_call(const sh_expr *expr, const sh_eval *eval, json_t **out)
{
    json_t **args = calloc(expr->count + 1, sizeof(*args));
    sh_intrinsic_call call = {
        .intrinsic = expr->intrinsic, .expr = expr, .eval = eval, .args = args, .count = expr->count};
    int status = args ? 0 : SH_E_MEMORY;

    for (size_t i = 0; !status && i < expr->count; i++)
        status = sh_expr_eval(expr->args[i], eval, NULL, &args[i]);
    if (!status)
        status = expr->intrinsic->run(&call, out);
    for (size_t i = 0; args && i < expr->count; i++)
        json_decref(args[i]);
    free(args);
    return status;
}

int sh_expr_eval(const sh_expr *expr, const sh_eval *eval, const char *field, json_t **out)
{
    if (expr->path)
        return eval_path(expr->path, eval, field, out);
    if (expr->constant) {
        *out = json_incref(expr->constant);
        return 0;
    }
    return eval_call(expr, eval, out);
}

/* ---- what the functions use ---- */

const sh_intrinsic *sh_intrinsic_find(const char *name, size_t length)
{
    const sh_intrinsic *const tables[] = {sh_intrinsics_array, sh_intrinsics_text, sh_intrinsics_math};

    for (size_t t = 0; t < sizeof(tables) / sizeof(*tables); t++)
        for (const sh_intrinsic *row = tables[t]; row->name; row++)
            if (strlen(row->name) == length && !memcmp(row->name, name, length))
                return row;
    return NULL;
}

int sh_expr_fail(const sh_intrinsic_call *call, const char *format, ...)
{
    char reason[512];
    va_list args;

    va_start(args, format);
    vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    return sh_fault_set(call->eval->fault, "States.IntrinsicFailure",
                        "The function '%s' had the following error: %s", call->expr->text, reason);
}

int sh_call_integer(const sh_intrinsic_call *call, size_t index, json_int_t *out)
{
    const json_t *arg = call->args[index];
    double number;

    if (json_is_integer(arg)) {
        *out = json_integer_value(arg);
        return 0;
    }
    number = json_number_value(arg);
    if (!json_is_real(arg) || !(number > -9e15 && number < 9e15))
        return sh_expr_fail(call, "argument %zu must be a number", index + 1);
    *out = (json_int_t)(number < 0 ? number - 0.5 : number + 0.5);
    return 0;
}

int sh_call_array(const sh_intrinsic_call *call, size_t index)
{
    return json_is_array(call->args[index]) ? 0
                                            : sh_expr_fail(call, "argument %zu must be an array", index + 1);
}

int sh_call_string(const sh_intrinsic_call *call, size_t index)
{
    return json_is_string(call->args[index]) ? 0
                                             : sh_expr_fail(call, "argument %zu must be a string", index + 1);
}
