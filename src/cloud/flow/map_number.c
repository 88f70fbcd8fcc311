/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The numbers of a Map state. One that a path names is read from the text of what is there, so that "2" is a
 * number, too. One row a field that has words of its own for what is wrong. */
#include "cloud/flow/engine.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct rule {
    const char *name; /* without Path */
    bool real;
    const char *wrong; /* the value is out of range; NULL: whoever takes it says so */
    bool shown;        /* followed by the value */
    double least, most;
} rule;

static const rule rules[] = {
    {"MaxConcurrency", false, "Expected non-negative integer for MaxConcurrency", true, 0, 9e18},
    {"ToleratedFailureCount", false, "ToleratedFailureCount cannot be negative.", false, 0, 9e18},
    {"ToleratedFailurePercentage", true, "ToleratedFailurePercentage must be between 0 and 100.", false, 0,
     100},
    {"MaxItems", false, NULL, false, 0, 0},
    {"", false, "Expected a non-negative integer", true, 0, 9e18},
};

static const rule *find_rule(const char *name)
{
    const rule *row = rules;

    while (*row->name && (strncmp(row->name, name, strlen(row->name)) ||
                          (name[strlen(row->name)] && strcmp(name + strlen(row->name), "Path"))))
        row++;
    return row;
}

static bool parse(const char *text, bool real, double *out)
{
    char *end = NULL;

    errno = 0;
    *out = real ? strtod(text, &end) : (double)strtoll(text, &end, 10);
    return *text && !strchr(" \t\n", *text) && end && !*end && !errno && isfinite(*out);
}

static int check(const rule *row, const sh_eval *eval, const char *text, double number)
{
    if (!row->wrong || (number >= row->least && number <= row->most))
        return 0;
    if (row->shown)
        return sh_fault_set(eval->fault, "States.Runtime", "%s, got '%s' instead.", row->wrong, text);
    return sh_fault_set(eval->fault, "States.Runtime", "%s", row->wrong);
}

static int from_value(const rule *row, const sh_number_field *field, const sh_eval *eval, const json_t *value,
                      double *out)
{
    char *text = json_is_string(value) ? strdup(json_string_value(value)) : sh_flow_text(value);
    int status = SH_E_MEMORY;

    if (text && !parse(text, row->real, out))
        status = sh_fault_set(eval->fault, "States.Runtime",
                              "The %s field refers to value \"%.300s\" which is not a valid %s: %s",
                              field->name, text, row->real ? "float" : "integer", sh_path_text(field->path));
    else if (text)
        status = check(row, eval, text, *out);
    free(text);
    return status;
}

int sh_map_number(const sh_number_field *field, const sh_eval *eval, double *out)
{
    const rule *row = field->given ? find_rule(field->name) : NULL;
    json_t *value = NULL;
    int status;

    if (row && field->computed && row->real) {
        status = sh_template_typed(field->computed, eval, "number", &value);
        *out = json_number_value(value);
        if (!status)
            status = check(row, eval, "", *out);
    } else if (!row || !field->path) {
        return sh_number_eval(field, eval, out);
    } else {
        status = sh_eval_get(field->path, eval, eval->input, &value);
        if (status == SH_E_NOT_FOUND || status == SH_E_LIMIT)
            status = sh_number_eval(field, eval, out); /* it says so */
        else if (!status)
            status = from_value(row, field, eval, value, out);
    }
    json_decref(value);
    return status;
}
