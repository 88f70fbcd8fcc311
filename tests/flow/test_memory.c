/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every allocation of JSON failing in turn: a call either succeeds with the whole result or fails with
 * SH_E_MEMORY and leaves its outputs alone; nothing leaks (the sanitizer's part) and nothing is half done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "check.h"
#include <stdlib.h>
#include <string.h>

static const char machine[] =
    "{'StartAt':'P','States':{'P':{'Type':'Pass','Parameters':{'a.$':'$.x','n':1,'f.$':'States.Format(`{} "
    "{}`, $.x, "
    "$$.Execution.Id)','l.$':'States.ArrayPartition(States.ArrayRange(1, 5, 1), "
    "2)','u.$':'$..y'},'ResultPath':'$.r.s','Assign':{'v.$':'$.a','w':[1]},"
    "'Next':'C'},'C':{'Type':'Choice','Choices':[{'Variable':'$.x.y','StringMatches':'a*','Next':'M'}],'"
    "Default':'F'},'M':{"
    "'Type':'Map','ItemsPath':'$.r.s.l','ItemSelector':{'i.$':'$$.Map.Item.Value','v.$':'$v.y'},'Iterator':{'"
    "StartAt':'T',"
    "'States':{'T':{"
    "'Type':'Task','Resource':'arn:aws:states:::sqs:sendMessage.waitForTaskToken','TimeoutSeconds':5,'Assign'"
    ":{'t.$':'$'},'Retry':"
    "[{'ErrorEquals':"
    "['E']}],'End':true}}},'ResultSelector':{'all.$':'$[*]'},'Catch':[{'ErrorEquals':['States.ALL'],'"
    "ResultPath':'$.err',"
    "'Next':'F'}],'Next':'F'},'F':{'Type':'Fail','Error':'E','CausePath':'$.x.y'}}}";

static const sh_flow_event events[] = {
    {.kind = SH_FLOW_TASK_FAILED, .task = 1, .error = "E", .cause = "c"},
    {.kind = SH_FLOW_TASK_SUCCEEDED, .task = 2},
    {.kind = SH_FLOW_TASK_FAILED, .task = 3, .error = "G"},
    {.kind = SH_FLOW_ABORT, .error = "x"},
};

/* The step with its nth allocation failing, for n from 0 until it succeeds. */
static void torture_step(const sh_flow *flow, const sh_flow_env *env, const json_t *state,
                         const sh_flow_event *event, sh_flow_result *result)
{
    for (long n = 0;; n++) {
        sh_flow_result untouched = {.wake_ms = 77};
        sh_err err = {0};
        int status;

        assert_true(n < 100000);
        check_allocations = n;
        status = sh_flow_step(flow, env, state, event, &untouched, &err);
        check_allocations = -1;
        if (!status) {
            *result = untouched;
            assert_true(n > 20);
            return;
        }
        if (status != SH_E_MEMORY)
            fail_msg("allocation %ld: %d %s", n, status, err.message);
        assert_int_equal(untouched.wake_ms, 77);
        assert_null(untouched.history);
    }
}

static sh_flow *torture_parse(const char *text)
{
    for (long n = 0;; n++) {
        json_t *problems = NULL;
        sh_flow *flow = NULL;
        sh_err err = {0};
        int status;

        assert_true(n < 100000);
        check_allocations = n;
        status = sh_flow_parse(&flow, text, strlen(text), &problems, &err);
        check_allocations = -1;
        json_decref(problems);
        if (!status)
            return flow;
        assert_null(flow);
        /* the JSON library itself takes a failed allocation for a syntax error in places */
        if (status != SH_E_MEMORY && !strstr(err.message, "INVALID_JSON_DESCRIPTION"))
            fail_msg("allocation %ld: %d %s", n, status, err.message);
    }
}

static const char queries[] =
    "{'QueryLanguage':'JSONata','StartAt':'P','States':{'P':{'Type':'Pass','Assign':{'v':'{% $states.input.x "
    "%}'},"
    "'Output':{'l':'{% [1..3] %}','y':'{% $uppercase($states.input.x.y) "
    "%}'},'Next':'C'},'C':{'Type':'Choice','Choices':[{"
    "'Condition':'{% $count($states.input.l) = 3 %}','Assign':{'w':'{% $v.y "
    "%}'},'Next':'M'}]},'M':{'Type':'Map','Items':'{% "
    "$states.input.l %}','ItemSelector':{'i':'{% $states.context.Map.Item.Value %}','v':'{% $v "
    "%}'},'ItemProcessor':{'StartAt':"
    "'T','States':{'T':{'Type':'Task','Resource':'arn:aws:states:::sqs:sendMessage.waitForTaskToken','"
    "Arguments':{'t':'{% "
    "$states.context.Task.Token %}'},'TimeoutSeconds':'{% 2 + 3 "
    "%}','Retry':[{'ErrorEquals':['E']}],'Output':'{% "
    "$states.result %}','End':true}}},'Catch':[{'ErrorEquals':['States.ALL'],'Output':{'e':'{% "
    "$states.errorOutput %}'},"
    "'Assign':{'v':'{% $states.errorOutput.Error "
    "%}'},'Next':'F'}],'Next':'F'},'F':{'Type':'Fail','Error':'{% $v %}','Cause':"
    "'{% $nothing %}'}}}";

static void torture(const char *definition)
{
    char *text = check_json(definition);
    sh_flow *flow = torture_parse(text);
    json_t *context = json_pack("{s:{s:s}}", "Execution", "Id", "e");
    json_t *input = json_pack("{s:{s:s}}", "x", "y", "abc"), *stored;
    sh_flow_env env = {.now_ms = 1000, .context = context};
    sh_flow_event start = {.kind = SH_FLOW_START, .output = input};
    sh_flow_result result = {0};

    torture_step(flow, &env, NULL, &start, &result);
    assert_int_equal(result.task_count, 3);
    stored = json_incref(result.state);
    sh_flow_result_free(&result);
    for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++) {
        torture_step(flow, &env, stored, &events[i], &result);
        if (result.status == SH_FLOW_RUNNING) {
            json_decref(stored);
            stored = json_incref(result.state);
        }
        sh_flow_result_free(&result);
        if (i == 2)
            break; /* the execution has ended */
    }
    json_decref(stored);
    json_decref(input);
    json_decref(context);
    sh_flow_free(flow);
    free(text);
}

static void test_torture(void **state)
{
    torture(machine);
}

static void test_queries(void **state)
{
    torture(queries);
}

static const char apart[] =
    "{'StartAt':'M','States':{'M':{'Type':'Map','Label':'L','ItemProcessor':{'ProcessorConfig':{'Mode':'"
    "DISTRIBUTED',"
    "'ExecutionType':'EXPRESS'},'StartAt':'B','States':{'B':{'Type':'Pass','End':true}}},'MaxConcurrencyPath'"
    ":'$.n',"
    "'ToleratedFailurePercentagePath':'$.p','ItemReader':{'Resource':'arn:aws:states:::s3:getObject','"
    "ReaderConfig':{"
    "'InputType':'JSON','MaxItemsPath':'$.n'},'Parameters':{'Bucket.$':'$.b','Key':'k'}},'ItemSelector':{'i.$"
    "':"
    "'$$.Map.Item.Value','b.$':'$.b'},'ItemBatcher':{'MaxItemsPerBatch':2,'BatchInput':{'b.$':'$.b'}},'"
    "ResultWriter':{"
    "'Resource':'arn:aws:states:::s3:putObject','Parameters':{'Bucket.$':'$.b'}},'End':true}}}";

/* What the service asks for about one item. */
static void torture_item(const sh_flow *flow, const json_t *parameters)
{
    json_t *value = json_pack("{s:i}", "x", 1), *extra = json_pack("{s:s}", "Source", "s"), *made = NULL;
    sh_flow_env env = {.now_ms = 1000};
    int status = SH_E_MEMORY;

    for (long n = 0; status == SH_E_MEMORY; n++) {
        char *error = NULL, *cause = NULL;

        assert_true(n < 1000);
        check_allocations = n;
        status = sh_flow_map_item(flow, &env, "M", parameters, 3, value, extra, &made, &error, &cause);
        check_allocations = -1;
    }
    assert_int_equal(status, 0);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(made, "i"), "x")), 1);
    json_decref(made);
    json_decref(value);
    json_decref(extra);
}

static void test_distributed(void **state)
{
    char *text = check_json(apart), *definition = NULL;
    sh_flow *flow = torture_parse(text);
    json_t *context = json_pack("{s:{s:s}, s:{s:s}}", "Execution", "Id", "e", "StateMachine", "Id",
                                "arn:aws:states:r:a:stateMachine:m");
    json_t *input = json_pack("{s:i, s:s, s:s}", "n", 2, "p", "12.5", "b", "bucket"), *stored;
    json_t *output = json_pack("[i]", 1);
    sh_flow_env env = {.now_ms = 1000, .context = context};
    sh_flow_event start = {.kind = SH_FLOW_START, .output = input};
    sh_flow_event end = {.kind = SH_FLOW_TASK_SUCCEEDED, .task = 1, .output = output};
    sh_flow_result result = {0};

    torture_step(flow, &env, NULL, &start, &result);
    assert_int_equal(result.task_count, 1);
    torture_item(flow, result.tasks[0].parameters);
    for (check_allocations = 0; !definition; check_allocations++) {
        long n = check_allocations;

        assert_true(n < 1000);
        definition = sh_flow_map_definition(flow, "M");
        check_allocations = n;
    }
    check_allocations = -1;
    check_contains("definition", definition, "TimeoutSeconds");
    free(definition);
    stored = json_incref(result.state);
    sh_flow_result_free(&result);
    torture_step(flow, &env, stored, &end, &result);
    assert_int_equal(result.status, SH_FLOW_SUCCEEDED);
    sh_flow_result_free(&result);
    json_decref(stored);
    json_decref(input);
    json_decref(output);
    json_decref(context);
    sh_flow_free(flow);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_torture), cmocka_unit_test(test_queries),
                                       cmocka_unit_test(test_distributed)};

    json_set_alloc_funcs(check_malloc, free);
    json_object_seed(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
