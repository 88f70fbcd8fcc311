/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Expressions of JSONata inside a state: "{% … %}" with the field it stands in, which AWS's causes name. Any
 * failure is a States.QueryEvaluationError that Retry and Catch may take, and has a location of its own in
 * the history. */
#include "cloud/flow/expr.h"
#include "cloud/flow/jsonata.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sh_query {
    const char *text;  /* without {% and %} and the blanks inside them */
    const char *field; /* "Output/a[0]" */
    const sh_jsonata *jsonata;
};

bool sh_query_is(const json_t *value)
{
    const char *text = json_string_value(value);
    size_t length = json_string_length(value);

    return text &&
           ((length >= 2 && !memcmp(text, "{%", 2)) || (length >= 2 && !memcmp(text + length - 2, "%}", 2)));
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The text between the signs; false when one of them is missing. */
static bool trim(const char **text, size_t *length)
{
    const char *from = *text, *to = from + strlen(from);

    if (to - from < 4 || memcmp(from, "{%", 2) || memcmp(to - 2, "%}", 2))
        return false;
    for (from += 2, to -= 2; from < to && blank(*from); from++) {
    }
    while (to > from && blank(to[-1]))
        to--;
    *text = from;
    *length = (size_t)(to - from);
    return true;
}

typedef struct search {
    const sh_template_form *form;
    char message[256];
} search;

/* What an expression cannot see where it stands. */
static void visit(void *opaque, const char *name, const char *path, size_t position)
{
    search *s = opaque;

    if (s->message[0])
        return;
    if (!strcmp(name, "$") || !strcmp(name, ""))
        snprintf(s->message, sizeof(s->message), "Reference to '$%s' is not supported.", name);
    else if (!strcmp(name, "states") && path && !strcmp(path, "errorOutput") && !s->form->error)
        snprintf(s->message, sizeof(s->message),
                 "Reference to '$states.errorOutput' is not supported in field '%.100s'.", s->form->field);
}

static int check_references(const sh_jsonata *jsonata, const sh_template_form *form, const char **code,
                            sh_err *err)
{
    search s = {.form = form};

    sh_jsonata_variables(jsonata, visit, &s);
    if (!s.message[0])
        return 0;
    *code = "UNSUPPORTED_JSONATA_EXPRESSION";
    return sh_fail(err, SH_E_FORMAT, "%s", s.message);
}

/* "S0202: text" -> "text", as AWS shows a parser's message. */
static int without_code(sh_err *err, int status)
{
    const char *message = err->message;
    size_t length = strspn(message, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");

    if (length == 5 && message[5] == ':' && message[6] == ' ')
        memmove(err->message, message + 7, strlen(message + 7) + 1);
    return status;
}

int sh_query_parse(sh_build *build, const char *text, const sh_template_form *form, const char *field,
                   const sh_query **out, const char **code, sh_err *err)
{
    sh_query *query = sh_arena_alloc(build->arena, sizeof(*query));
    size_t length;
    int status;

    if (!query)
        return SH_E_MEMORY;
    *code = "INVALID_JSONATA_EXPRESSION";
    if (!trim(&text, &length))
        return sh_fail(err, SH_E_FORMAT, "A JSONata expression must be enclosed in {%% and %%}: '%.100s'",
                       text);
    build->variables = true;
    query->field = field;
    query->text = sh_arena_strndup(build->arena, text, length);
    if (!query->text)
        return SH_E_MEMORY;
    status = sh_jsonata_parse(build, query->text, length, &query->jsonata, NULL, err);
    if (status)
        return without_code(err, status);
    status = check_references(query->jsonata, form, code, err);
    if (!status)
        *out = query;
    return status;
}

int sh_query_refuse(const sh_query *query, const sh_eval *eval, const char *what)
{
    int status = sh_fault_set(eval->fault, "States.QueryEvaluationError",
                              "The JSONata expression '%s' specified for the field '%s' %s", query->text,
                              query->field, what);

    if (status == SH_FAULT && !(eval->fault->location = strdup(query->field)))
        return SH_E_MEMORY;
    return status;
}

static int threw(const sh_query *query, const sh_eval *eval, const sh_jsonata_error *error)
{
    char *text = sh_jsonata_error_text(error), *what = NULL;
    int status = SH_E_MEMORY;

    if (text &&
        asprintf(&what, "threw an error during evaluation%s%s", error->code[0] ? ". " : ": ", text) >= 0) {
        status = sh_query_refuse(query, eval, what);
        free(what);
    }
    free(text);
    return status;
}

int sh_query_eval(const sh_query *query, const sh_eval *eval, json_t **out)
{
    sh_jsonata_env env = {.bindings = eval->bindings, .env = eval->env};
    sh_jsonata_error error = {0};
    json_t *value = NULL;
    int status = sh_jsonata_eval(query->jsonata, NULL, &env, &value, &error);

    if (status == SH_FAULT)
        status = threw(query, eval, &error);
    else if (!status && !value)
        status = sh_query_refuse(query, eval, "returned nothing (undefined).");
    sh_jsonata_error_clear(&error);
    if (!status)
        *out = value;
    return status;
}
