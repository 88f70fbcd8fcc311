/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Expressions of JSONata inside a state: "{% … %}" with the field it stands in, which AWS's causes name. Any
 * failure is a States.QueryEvaluationError that Retry and Catch may take, and has a location of its own in
 * the history. */
#include "cloud/flow/query.h"
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

typedef struct findings {
    const char *field;
    bool error; /* $states.errorOutput is there */
    sh_query_report report;
    void *opaque;
    json_t *told; /* object: the names told before */
    sh_build *build;
    int status;
} findings;

static void tell(findings *f, const char *what, const char *name, const char *rest)
{
    char message[512];

    if (json_object_get(f->told, name))
        return;
    if (json_object_set_new(f->told, name, json_true())) {
        f->status = SH_E_MEMORY;
        return;
    }
    snprintf(message, sizeof(message), "%s'%.200s'%s", what, name, rest);
    f->report(f->opaque, "UNSUPPORTED_JSONATA_EXPRESSION", message);
    f->status = SH_E_FORMAT;
}

static void bare_name(void *opaque, const char *name)
{
    tell(opaque, "Reference to ", name, " at the top level is not supported.");
}

/* What an expression cannot see where it stands. */
static void variable(void *opaque, const char *name, const char *path, size_t position)
{
    findings *f = opaque;

    if (*name && strcmp(name, "$") && strcmp(name, "states") && sh_build_reads(f->build, name))
        f->status = SH_E_MEMORY;
    if (!strcmp(name, "$"))
        tell(f, "Reference to ", "$$", " is not supported.");
    else if (!strcmp(name, "states") && path && !strcmp(path, "errorOutput") && !f->error)
        tell(f, "Reference to ", "$states.errorOutput", " is not supported here.");
}

static int check_references(const sh_jsonata *jsonata, findings *f)
{
    f->told = json_object();
    if (!f->told)
        return SH_E_MEMORY;
    sh_query_names(jsonata, bare_name, f);
    sh_jsonata_variables(jsonata, variable, f);
    json_decref(f->told);
    return f->status;
}

static int invalid(const findings *f, const char *message)
{
    f->report(f->opaque, "INVALID_JSONATA_EXPRESSION", message);
    return SH_E_FORMAT;
}

/* "S0202: text" -> "text", as AWS shows a parser's message. */
static const char *without_code(const char *message)
{
    size_t length = strspn(message, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");

    return length == 5 && message[5] == ':' && message[6] == ' ' ? message + 7 : message;
}

int sh_query_parse(sh_build *build, const char *text, const char *field, bool error, const sh_query **out,
                   sh_query_report report, void *opaque)
{
    sh_query *query = sh_arena_alloc(build->arena, sizeof(*query));
    findings f = {.field = field, .error = error, .report = report, .opaque = opaque, .build = build};
    sh_err err = {0};
    size_t length;
    int status;

    if (!query)
        return SH_E_MEMORY;
    if (!trim(&text, &length))
        return invalid(&f, "A JSONata expression must be enclosed in {% and %}");
    build->variables = true;
    query->field = field;
    query->text = sh_arena_strndup(build->arena, text, length);
    if (!query->text)
        return SH_E_MEMORY;
    status = sh_jsonata_parse(build, query->text, length, &query->jsonata, NULL, &err);
    if (status)
        return status == SH_E_MEMORY ? status : invalid(&f, without_code(err.message));
    status = check_references(query->jsonata, &f);
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
        status = error.unsupported ? sh_query_refuse(query, eval, "returned an unsupported result type.")
                                   : threw(query, eval, &error);
    else if (!status && !value)
        status = sh_query_refuse(query, eval, "returned nothing (undefined).");
    sh_jsonata_error_clear(&error);
    if (!status)
        *out = value;
    return status;
}
