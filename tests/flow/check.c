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

void check_ends(const char *name, const drive *d, const char *wanted)
{
    char *got = check_outcome(d);

    if (*wanted == '~') {
        check_contains(name, got, wanted + 1);
    } else {
        char *exact = strstr(wanted, " | ") ? strdup(wanted) : check_json(wanted);

        check_equal(name, got, exact);
        free(exact);
    }
    free(got);
}

void check_run_tells(const char *name, const char *definition, const char *input, const char *wanted)
{
    char *got;
    drive d;

    check_run(&d, definition, input, NULL);
    got = check_outcome(&d);
    check_contains(name, got, wanted);
    free(got);
    drive_free(&d);
}

static char *all_parameters(const drive *d)
{
    json_t *list = json_array(), *task;
    size_t i;
    char *text;

    json_array_foreach(d->tasks, i, task) json_array_append(list, json_object_get(task, "parameters"));
    text = sh_flow_text(list);
    json_decref(list);
    return text;
}

void check_gapless(const char *name, const drive *d)
{
    json_t *event;
    size_t i;

    json_array_foreach(d->history, i, event)
    {
        json_int_t id = json_integer_value(json_object_get(event, "id"));
        json_int_t previous = json_integer_value(json_object_get(event, "previousEventId"));

        if (id != (json_int_t)i + 1 || previous >= id || previous < 0 || !json_object_get(event, "timestamp"))
            fail_msg("%s: event %zu has id %lld after %lld", name, i, (long long)id, (long long)previous);
    }
}

static void run_row(const check_row *r)
{
    char *types, *tasks;
    drive d;

    check_run(&d, r->definition, r->input, r->script);
    types = drive_types(&d);
    tasks = all_parameters(&d);
    check_ends(r->name, &d, r->outcome);
    if (r->types)
        check_equal(r->name, types, r->types);
    if (r->tasks) {
        char *wanted = check_json(r->tasks);

        check_equal(r->name, tasks, wanted);
        free(wanted);
    }
    if (d.end_ms != r->end_ms)
        fail_msg("%s: ended after %lld ms, not %lld", r->name, (long long)d.end_ms, (long long)r->end_ms);
    check_gapless(r->name, &d);
    free(types);
    free(tasks);
    drive_free(&d);
}

void check_rows(const check_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        run_row(&rows[i]);
}

long check_allocations = -1;

void *check_malloc(size_t size)
{
    if (check_allocations == 0)
        return NULL;
    if (check_allocations > 0)
        check_allocations--;
    return malloc(size);
}
