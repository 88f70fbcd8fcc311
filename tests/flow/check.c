/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *check_json(const char *text)
{
    char *copy = strdup(text);

    assert_non_null(copy);
    for (char *p = copy; *p; p++)
        if (*p == '`')
            *p = '\'';
        else if (*p == '\'')
            *p = '"';
    return copy;
}

static json_t *load(const char *text)
{
    char *copy = check_json(text);
    json_t *value = NULL;
    sh_err err = {0};

    if (sh_flow_load(&value, copy, strlen(copy), &err))
        fail_msg("not JSON: %s: %s", err.message, copy);
    free(copy);
    return value;
}

void check_run(drive *d, const char *definition, const char *input, const char *script)
{
    char *text = check_json(definition);
    json_t *in = load(input), *answers = script ? load(script) : NULL;
    sh_flow *flow = NULL;
    sh_err err = {0};

    *d = (drive){0};
    if (sh_flow_parse(&flow, text, strlen(text), NULL, &err)) {
        d->status = SH_FLOW_FAILED;
        d->history = json_array();
        d->error = strdup("REFUSED");
        d->cause = strdup(err.message);
    } else if (!drive_run(d, flow, in, answers)) {
        fail_msg("did not run to its end: %s", text);
    }
    sh_flow_free(flow);
    json_decref(in);
    json_decref(answers);
    free(text);
}

char *check_outcome(const drive *d)
{
    char *text = NULL, *output = d->output ? sh_flow_text(d->output) : NULL;
    int length = output ? asprintf(&text, "%s %s", sh_flow_status_name(d->status), output)
                        : asprintf(&text, "%s %s | %s", sh_flow_status_name(d->status),
                                   d->error ? d->error : "-", d->cause ? d->cause : "-");

    assert_true(length > 0);
    free(output);
    return text;
}

void check_contains(const char *name, const char *got, const char *wanted)
{
    if (!strstr(got, wanted))
        fail_msg("%s:\n  wanted … %s\n  got      %s", name, wanted, got);
}

void check_equal(const char *name, const char *got, const char *wanted)
{
    if (strcmp(got, wanted))
        fail_msg("%s:\n  wanted %s\n  got    %s", name, wanted, got);
}
