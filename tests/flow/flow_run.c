/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* usage: flow_run < CASES > RESULTS
 * A tool for trying definitions: reads JSON objects {"definition": text, "input": text, "script": array}, one
 * a line, and prints for each {"status","output","error","cause","history","tasks"} or {"refused": message}.
 * Time is fictitious. */
#include "drive.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *run_case(const json_t *c)
{
    const char *definition = json_string_value(json_object_get(c, "definition"));
    const char *input = json_string_value(json_object_get(c, "input"));
    json_t *value = NULL, *result;
    sh_flow *flow = NULL;
    sh_err err = {0};
    drive d;

    if (!definition || !input || sh_flow_load(&value, input, strlen(input), &err) ||
        sh_flow_parse(&flow, definition, strlen(definition), NULL, &err)) {
        json_decref(value);
        return json_pack("{s:s}", "refused", err.message);
    }
    if (!drive_run(&d, flow, value, json_object_get(c, "script")))
        result = json_pack("{s:s}", "refused", "stuck");
    else
        result = json_pack("{s:s, s:O?, s:s?, s:s?, s:O, s:O, s:I}", "status", sh_flow_status_name(d.status),
                           "output", d.output, "error", d.error, "cause", d.cause, "history", d.history,
                           "tasks", d.tasks, "ms", (json_int_t)d.end_ms);
    drive_free(&d);
    json_decref(value);
    sh_flow_free(flow);
    return result;
}

int main(void)
{
    char *line = NULL;
    size_t size = 0;

    while (getline(&line, &size, stdin) > 0) {
        json_t *c = json_loads(line, 0, NULL), *result = run_case(c);
        char *text = sh_flow_text(result);

        puts(text ? text : "{}");
        free(text);
        json_decref(result);
        json_decref(c);
    }
    free(line);
    return 0;
}
