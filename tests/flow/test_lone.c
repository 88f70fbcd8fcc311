/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One state alone, as TestState runs it: its end, what it leads to, and the values on the way. ' stands for
 * ".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "check.h"
#include <stdlib.h>
#include <string.h>

#define SSM "'Type':'Task','Resource':'arn:aws:states:::aws-sdk:ssm:sendCommand'"

typedef struct row {
    const char *name, *definition, *input;
    const char *variables, *result, *error; /* the last two: the mock */
    const char *outcome;                    /* "STATUS end next output-or-error|cause" */
    const char *inspection;                 /* NULL: whatever */
    int64_t retries;
} row;

static json_t *load(const char *text)
{
    char *copy = text ? check_json(text) : NULL;
    json_t *value = NULL;

    if (copy && sh_flow_load(&value, copy, strlen(copy), NULL))
        fail_msg("not JSON: %s", copy);
    free(copy);
    return value;
}

static char *outcome(const sh_flow_result *result, const sh_flow_test *test)
{
    static const char *const ends[] = {"plain", "retriable", "caught"};
    char *output = result->output ? sh_flow_text(result->output) : NULL, *text = NULL;

    if (asprintf(&text, "%s %s %s %s", sh_flow_status_name(result->status), ends[test->end],
                 test->next ? test->next : "-", output ? output : "") < 0)
        fail();
    free(output);
    if (result->status == SH_FLOW_FAILED) {
        char *more = NULL;

        if (asprintf(&more, "%s%s|%s", text, result->error, result->cause ? result->cause : "") < 0)
            fail();
        free(text);
        text = more;
    }
    return text;
}

static void run_row(const row *r)
{
    json_t *input = load(r->input), *variables = load(r->variables), *mocked = load(r->result);
    sh_flow_test test = {.variables = variables,
                         .mock = r->result || r->error,
                         .result = mocked,
                         .error = r->error,
                         .cause = r->error ? "why" : NULL,
                         .retries = r->retries};
    sh_flow_env env = {.now_ms = 1000, .test = &test};
    sh_flow_event start = {.kind = SH_FLOW_START, .output = input};
    char *text = check_json(r->definition), *got, *inspection;
    sh_flow_result result = {0};
    sh_flow *flow = NULL;
    sh_err err = {0};

    if (sh_flow_parse_state(&flow, text, strlen(text), NULL, &err) ||
        sh_flow_step(flow, &env, NULL, &start, &result, &err))
        fail_msg("%s: %s", r->name, err.message);
    got = outcome(&result, &test);
    free(text);
    text = check_json(r->outcome);
    check_equal(r->name, got, text);
    if (r->inspection) {
        char *wanted = check_json(r->inspection);

        inspection = sh_flow_text(test.inspection);
        check_equal(r->name, inspection, wanted);
        free(inspection);
        free(wanted);
    }
    sh_flow_result_free(&result);
    sh_flow_test_clear(&test);
    sh_flow_free(flow);
    json_decref(input);
    json_decref(variables);
    json_decref(mocked);
    free(got);
    free(text);
}

static void test_rows(void **state)
{
    static const row rows[] = {
        {"pass",
         "{'Type':'Pass','InputPath':'$.a','Parameters':{'v.$':'$v','x.$':'$'},'ResultPath':'$.r','Assign':{'"
         "w':2},'Next':'N'}",
         "{'a':1}", "{'v':7}", NULL, NULL, "SUCCEEDED plain N {'a':1,'r':{'v':7,'x':1}}",
         "{'input':{'a':1},'afterInputPath':1,'afterParameters':{'v':7,'x':1},"
         "'afterResultSelector':{'v':7,'x':1},"
         "'afterResultPath':{'a':1,'r':{'v':7,'x':1}},'variables':{'v':7,'w':2}}"},
        {"end", "{'Type':'Succeed'}", "1", NULL, NULL, NULL, "SUCCEEDED plain - 1"},
        {"choice",
         "{'Type':'Choice','Choices':[{'Variable':'$.a','IsPresent':true,'Next':'X'}],'Default':'Y'}", "{}",
         NULL, NULL, NULL, "SUCCEEDED plain Y {}"},
        {"bare causes", "{'Type':'Pass','Parameters':{'a.$':'$.b'},'End':true}", "{}", NULL, NULL, NULL,
         "FAILED plain - States.Runtime|The JSONPath `$.b` specified for the field `a.$` could not be found "
         "in the input "
         "`{}`"},
        {"mock", "{" SSM ",'Parameters':{'k':1},'ResultSelector':{'r.$':'$.x'},'Next':'N'}", "{}", NULL,
         "{'x':3}", NULL, "SUCCEEDED plain N {'r':3}",
         "{'input':{},'afterInputPath':{},'afterParameters':{'k':1},'result':{'x':3},'afterResultSelector':{'"
         "r':3},"
         "'afterResultPath':{'r':3}}"},
        {"mocked error", "{" SSM ",'Next':'N'}", "{}", NULL, NULL, "E", "FAILED plain - E|why"},
        {"retriable",
         "{" SSM ",'Retry':[{'ErrorEquals':['X']},{'ErrorEquals':['E'],'IntervalSeconds':4}],'Next':'N'}",
         "{}", NULL, NULL, "E", "FAILED retriable - E|why",
         "{'input':{},'afterInputPath':{},'afterParameters':{},'errorDetails':{'retryIndex':1,'"
         "retryBackoffIntervalSeconds':4}}"},
        {"second retry", "{" SSM ",'Retry':[{'ErrorEquals':['E'],'IntervalSeconds':4}],'Next':'N'}", "{}",
         NULL, NULL, "E", "FAILED retriable - E|why",
         "{'input':{},'afterInputPath':{},'afterParameters':{},'errorDetails':{'retryIndex':0,'"
         "retryBackoffIntervalSeconds':8}}",
         1},
        {"no more retries, caught",
         "{" SSM ",'Retry':[{'ErrorEquals':['E'],'MaxAttempts':2}],'Catch':[{'ErrorEquals':['E'],'Next':'C','"
         "ResultPath':'$.e'}],"
         "'Next':'N'}",
         "{}", NULL, NULL, "E", "SUCCEEDED caught C {'e':{'Error':'E','Cause':'why'}}",
         "{'input':{},'afterInputPath':{},'afterParameters':{},'errorDetails':{'catchIndex':0}}", 2},
        {"a mocked Map",
         "{'Type':'Map','ItemsPath':'$.l','MaxConcurrency':2,'ItemProcessor':{'StartAt':'P','States':{'P':{'"
         "Type':'Pass',"
         "'End':true}}},'Next':'N'}",
         "{'l':[1]}", NULL, "[9]", NULL, "SUCCEEDED plain N [9]",
         "{'input':{'l':[1]},'afterInputPath':{'l':[1]},'afterItemsPath':[1],'maxConcurrency':2,'result':[9],"
         "'afterResultSelector':[9],'afterResultPath':[9]}"},
        {"a Parallel in earnest",
         "{'Type':'Parallel','Branches':[{'StartAt':'P','States':{'P':{'Type':'Pass','Next':'Q'},'Q':{'Type':"
         "'Pass','Result':4,"
         "'End':true}}}],'Next':'N'}",
         "{}", NULL, NULL, NULL, "SUCCEEDED plain N [4]"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        run_row(&rows[i]);
}

/* A real task between two steps, in a state named inside of a whole definition. */
static void test_task(void **state)
{
    char *text = check_json("{'StartAt':'M','States':{'M':{'Type':'Map','End':true,'ItemProcessor':{'StartAt'"
                            ":'T','States':{'T':{" SSM
                            ",'Parameters':{'i.$':'$.i'},'Next':'U'},'U':{'Type':'Succeed'}}}}}}");
    json_t *input = load("{'i':1}"), *output = load("{'o':2}"), *stored;
    sh_flow_test test = {.state = "T"};
    sh_flow_env env = {.now_ms = 1000, .test = &test};
    sh_flow_event event = {.kind = SH_FLOW_START, .output = input};
    sh_flow_result result = {0};
    sh_flow *flow = NULL;
    char *got;

    assert_int_equal(sh_flow_parse(&flow, text, strlen(text), NULL, NULL), 0);
    assert_int_equal(sh_flow_step(flow, &env, NULL, &event, &result, NULL), 0);
    assert_int_equal(result.task_count, 1);
    assert_string_equal(result.tasks[0].state, "T");
    stored = json_incref(result.state);
    sh_flow_result_free(&result);
    event = (sh_flow_event){.kind = SH_FLOW_TASK_SUCCEEDED, .task = 1, .output = output};
    assert_int_equal(sh_flow_step(flow, &env, stored, &event, &result, NULL), 0);
    got = outcome(&result, &test);
    assert_string_equal(got, "SUCCEEDED plain U {\"o\":2}");
    free(got);
    sh_flow_result_free(&result);
    test.state = "nowhere";
    event = (sh_flow_event){.kind = SH_FLOW_START, .output = input};
    assert_int_equal(sh_flow_step(flow, &env, NULL, &event, &result, NULL), SH_E_ARGUMENT);
    sh_flow_test_clear(&test);
    sh_flow_free(flow);
    json_decref(stored);
    json_decref(input);
    json_decref(output);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_task)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
