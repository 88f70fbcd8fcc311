/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Map states: inline ones to their end, distributed ones up to what the service is told, and what it asks
 * for. ' stands for ". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SSM "'Type':'Task','Resource':'arn:aws:states:::aws-sdk:ssm:sendCommand'"
#define ONE(fields) "{'StartAt':'A','States':{'A':{'Type':'Map','End':true," fields "}}}"
#define STEPS "'StartAt':'B','States':{'B':{" SSM ",'End':true}}}"
#define AT "An error occurred while executing the state 'A' (entered at the event id #2). "
#define APART                                                                                                \
    "'Label':'L','ItemProcessor':{'ProcessorConfig':{'Mode':'DISTRIBUTED','ExecutionType':'STANDARD'}"       \
    "," STEPS
#define EXCEEDED                                                                                             \
    "States.ExceedToleratedFailureThreshold | The specified tolerated failure threshold was exceeded"

typedef struct row {
    const char *name, *definition, *input, *script, *outcome;
    const char *types; /* with ids and previous ids; NULL: whatever */
} row;

/* "type:previous …" without the first event */
static char *chain(const drive *d)
{
    char *text = NULL;
    size_t size = 0, i;
    FILE *out = open_memstream(&text, &size);
    json_t *event;

    json_array_foreach(d->history, i, event) if (i)
        fprintf(out, "%s%s:%lld", i > 1 ? " " : "", json_string_value(json_object_get(event, "type")),
                (long long)json_integer_value(json_object_get(event, "previousEventId")));
    fclose(out);
    return text;
}

static void run_rows(const row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        drive d;
        bool ends_well = !strncmp(rows[i].outcome, "SUCCEEDED", 9);
        char *outcome, *types, *wanted = ends_well ? check_json(rows[i].outcome) : strdup(rows[i].outcome);

        check_run(&d, rows[i].definition, rows[i].input, rows[i].script);
        outcome = check_outcome(&d);
        types = chain(&d);
        check_equal(rows[i].name, outcome, wanted);
        if (rows[i].types)
            check_equal(rows[i].name, types, rows[i].types);
        free(outcome);
        free(types);
        free(wanted);
        drive_free(&d);
    }
}

static void test_inline(void **state)
{
    static const row rows[] = {
        {"one fails beside another", ONE("'Iterator':{" STEPS), "[1,2]",
         "[{'silent':true},{'error':'E','cause':'c'}]", "FAILED E | c",
         "MapStateEntered:0 MapStateStarted:2 MapIterationStarted:3 MapIterationStarted:3 TaskStateEntered:4 "
         "TaskScheduled:6 TaskStarted:7 TaskStateEntered:5 TaskScheduled:9 TaskStarted:10 TaskFailed:11 "
         "MapIterationAborted:12 TaskStateAborted:12 MapIterationFailed:12 TaskStateAborted:12 "
         "MapStateFailed:12 "
         "ExecutionFailed:17"},
        {"a map in a branch that is given up",
         "{'StartAt':'P','States':{'P':{'Type':'Parallel','End':true,'Branches':[{'StartAt':'M','States':{'M'"
         ":{"
         "'Type':'Map','ItemsPath':'$.l','End':true,'ItemProcessor':{'StartAt':'W','States':{'W':{'Type':'"
         "Wait',"
         "'Seconds':9,'End':true}}}}}},{'StartAt':'F','States':{'F':{'Type':'Fail','Error':'E'}}}]}}}",
         "{'l':[1]}", NULL, "FAILED E | -",
         "ParallelStateEntered:0 ParallelStateStarted:2 MapStateEntered:3 MapStateStarted:4 "
         "MapIterationStarted:5 WaitStateEntered:6 FailStateEntered:3 MapStateAborted:8 "
         "MapIterationAborted:8 "
         "WaitStateAborted:8 ParallelStateFailed:8 ExecutionFailed:12"},
        {"a runtime error ends everything where it is",
         ONE("'Iterator':{'StartAt':'C','States':{'C':{'Type':'Choice','Choices':[{'Variable':'$','"
             "NumericEquals':1,"
             "'Next':'W'}],'Default':'P'},'W':{'Type':'Wait','Seconds':9,'End':true},'P':{'Type':'Pass','"
             "InputPath':"
             "'$.x','End':true}}}"),
         "[1,2]", NULL,
         "FAILED States.Runtime | An error occurred while executing the state 'P' (entered at the event id "
         "#11). "
         "Invalid path '$.x' : Property ['x'] not found in path $",
         "MapStateEntered:0 MapStateStarted:2 MapIterationStarted:3 MapIterationStarted:3 "
         "ChoiceStateEntered:4 "
         "ChoiceStateExited:6 WaitStateEntered:7 ChoiceStateEntered:5 ChoiceStateExited:9 "
         "PassStateEntered:10 "
         "ExecutionFailed:11"},
        {"some may fail", ONE("'MaxConcurrency':1,'ToleratedFailureCount':1,'Iterator':{" STEPS), "[1,2,3]",
         "[{'output':1},{'error':'E','cause':'c'},{'output':3}]", "SUCCEEDED [1,{'Error':'E','Cause':'c'},3]",
         NULL},
        {"too many fail",
         ONE("'MaxConcurrency':1,'ToleratedFailurePercentagePath':'$.p','ItemsPath':'$.l','Iterator':"
             "{" STEPS),
         "{'p':50,'l':[1,2,3]}", "[{'error':'E','cause':'c'},{'error':'E','cause':'c'}]", "FAILED " EXCEEDED,
         NULL},
        {"no number", ONE("'MaxConcurrencyPath':'$.n','ItemsPath':'$.l','Iterator':{" STEPS),
         "{'n':'x','l':[]}", NULL,
         "FAILED States.Runtime | " AT
         "The MaxConcurrencyPath field refers to value \"x\" which is not a valid "
         "integer: $.n",
         NULL},
        {"concurrency by path",
         ONE("'MaxConcurrencyPath':'$.n','ItemsPath':'$.l','Parameters':{'v.$':'$$.Map.Item.Value'},'"
             "Iterator':"
             "{'StartAt':'B','States':{'B':{'Type':'Pass','End':true}}}"),
         "{'n':1,'l':[1,2]}", NULL, "SUCCEEDED [{'v':1},{'v':2}]",
         "MapStateEntered:0 MapStateStarted:2 MapIterationStarted:3 PassStateEntered:4 PassStateExited:5 "
         "MapIterationSucceeded:6 MapIterationStarted:6 PassStateEntered:8 PassStateExited:9 "
         "MapIterationSucceeded:10 MapStateSucceeded:11 MapStateExited:11 ExecutionSucceeded:13"},
    };

    run_rows(rows, sizeof(rows) / sizeof(*rows));
}

static void test_distributed(void **state)
{
    static const row rows[] = {
        {"succeeds", ONE(APART), "[1,2]", "[{'output':['x','y'],'submitted':{}}]", "SUCCEEDED ['x','y']",
         "MapStateEntered:0 MapStateStarted:2 MapRunStarted:3 MapRunSucceeded:4 MapStateSucceeded:4 "
         "MapStateExited:4 ExecutionSucceeded:7"},
        {"fails", ONE(APART), "[1,2]", "[{'error':'E','cause':'c'}]", "FAILED E | c",
         "MapStateEntered:0 MapStateStarted:2 MapRunStarted:3 MapRunFailed:4 MapStateFailed:5 "
         "ExecutionFailed:6"},
        {"again", ONE(APART ",'Retry':[{'ErrorEquals':['E']}]"), "[1]", "[{'error':'E'},{'output':[7]}]",
         "SUCCEEDED [7]",
         "MapStateEntered:0 MapStateStarted:2 MapRunStarted:3 MapRunFailed:4 MapStateStarted:5 "
         "MapRunStarted:6 "
         "MapRunSucceeded:7 MapStateSucceeded:7 MapStateExited:7 ExecutionSucceeded:10"},
        {"given up",
         "{'StartAt':'P','States':{'P':{'Type':'Parallel','End':true,'Branches':[{'StartAt':'A','States':{'A'"
         ":{"
         "'Type':'Map','End':true," APART
         "}}},{'StartAt':'F','States':{'F':{'Type':'Fail','Error':'E'}}}]}}}",
         "[1]", "[{'silent':true}]", "FAILED E | -",
         "ParallelStateEntered:0 ParallelStateStarted:2 MapStateEntered:3 MapStateStarted:4 MapRunStarted:5 "
         "FailStateEntered:3 MapStateAborted:7 MapRunAborted:7 ParallelStateFailed:7 ExecutionFailed:10"},
        {"no array", ONE(APART), "{}", NULL,
         "FAILED States.Runtime | " AT "Reference path \"$\" must point to array.",
         "MapStateEntered:0 ExecutionFailed:2"},
        {"a negative number", ONE(APART ",'ToleratedFailureCountPath':'$.n','ItemsPath':'$.l'"),
         "{'n':-1,'l':[]}", NULL, "FAILED States.Runtime | " AT "ToleratedFailureCount cannot be negative.",
         NULL},
        {"more than all", ONE(APART ",'ToleratedFailurePercentagePath':'$.n','ItemsPath':'$.l'"),
         "{'n':'100.5','l':[]}", NULL,
         "FAILED States.Runtime | " AT "ToleratedFailurePercentage must be between 0 and 100.", NULL},
        {"its results are shaped",
         ONE(APART ",'ItemsPath':'$.l','ResultSelector':{'n.$':'States.ArrayLength($)'},'ResultPath':'$.r'"),
         "{'l':[]}", "[{'output':[]}]", "SUCCEEDED {'l':[],'r':{'n':0}}", NULL},
    };

    run_rows(rows, sizeof(rows) / sizeof(*rows));
}

#define ARN "arn:aws:states:eu-west-1:012345678901:"
#define UUID "5a5a5a5a-5a5a-4a5a-9a5a-5a5a5a5a5a5a"
#define NAMES                                                                                                \
    "'MapRunArn':'" ARN "mapRun:m/L:" UUID "','StateMachineArn':'" ARN "stateMachine:m/L','Label':'L',"
static void test_parameters(void **state)
{
    static const struct {
        const char *definition, *input, *wanted;
    } rows[] = {
        {ONE(APART ",'MaxConcurrency':3,'ToleratedFailureCountPath':'$.n','ItemsPath':'$.l',"
                   "'ToleratedFailurePercentage':12.5"),
         "{'n':4,'l':[1,2]}",
         "{" NAMES
         "'Express':false,'Items':[1,2],'MaxConcurrency':3,'FailureCount':4,'FailurePercentage':12.5}"},
        {ONE("'Label':'L','Iterator':{'ProcessorConfig':{'Mode':'DISTRIBUTED','ExecutionType':'EXPRESS'}"
             "," STEPS ",'ItemBatcher':{'MaxItemsPerBatchPath':'$.n','BatchInput':{'x.$':'$.n'}},'ItemReader'"
             ":{'Resource':"
             "'arn:aws:states:::s3:getObject','ReaderConfig':{'InputType':'JSON','MaxItemsPath':'$.n'},"
             "'Parameters':{'Bucket':'b','Key.$':'$.k'}},'ResultWriter':{'Resource':'arn:aws:states:::s3:"
             "putObject',"
             "'Parameters':{'Bucket':'b','Prefix.$':'$.k'},'WriterConfig':{'OutputType':'JSONL'}}"),
         "{'n':4,'k':'key'}",
         "{" NAMES "'Express':true,'Reader':{'Config':{'InputType':'JSON','MaxItemsPath':'$.n'},'Resource':"
         "'arn:aws:states:::s3:getObject','Parameters':{'Bucket':'b','Key':'key'},'MaxItems':4},"
         "'Batch':{'MaxItems':4,'Input':{'x':4}},'Writer':{'Transformation':'NONE','OutputType':'JSONL',"
         "'Parameters':{'Bucket':'b','Prefix':'key'}}}"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char *wanted = check_json(rows[i].wanted), *got;
        drive d;

        check_run(&d, rows[i].definition, rows[i].input, "[{'output':[]}]");
        if (!json_array_size(d.tasks))
            fail_msg("%s: %s", rows[i].definition, d.cause ? d.cause : "no task");
        got = sh_flow_text(json_object_get(json_array_get(d.tasks, 0), "parameters"));
        check_equal(rows[i].definition, got, wanted);
        free(wanted);
        free(got);
        drive_free(&d);
    }
}

static void test_items(void **state)
{
    char *text =
        check_json("{'QueryLanguage':'JSONPath','StartAt':'A','States':{'A':{'Type':'Map','End':true,"
                   "'ItemSelector':{'k.$':'$.k','n.$':'$$.Map.Item.Index','v.$':'$$.Map.Item.Value.x',"
                   "'m.$':'$$.StateMachine.Name'}," APART "}}}");
    json_t *input = json_pack("{s:s, s:[{s:i}]}", "k", "key", "Items", "x", 1);
    json_t *value = json_pack("{s:i}", "x", 7), *made = NULL, *script = json_pack("[{s:[]}]", "output");
    json_t *parameters;
    char *error = NULL, *cause = NULL, *shown;
    sh_flow_env env = {0};
    sh_flow *flow = NULL;
    sh_err err = {0};
    drive d;

    assert_int_equal(sh_flow_parse(&flow, text, strlen(text), NULL, &err), 0);
    json_object_set_new(input, "Items", json_array());
    assert_true(drive_run(&d, flow, json_object_get(input, "Items"), script));
    parameters = json_deep_copy(json_object_get(json_array_get(d.tasks, 0), "parameters"));
    json_object_set(json_object_get(parameters, "Selector"), "Input", input);
    assert_int_equal(sh_flow_map_item(flow, &env, "A", parameters, 3, value, NULL, &made, &error, &cause), 0);
    shown = sh_flow_text(made);
    assert_string_equal(shown, "{\"k\":\"key\",\"n\":3,\"v\":7,\"m\":\"m\"}");
    free(shown);
    json_decref(made);
    assert_int_equal(
        sh_flow_map_item(flow, &env, "A", parameters, 3, json_true(), NULL, &made, &error, &cause), 1);
    assert_string_equal(error, "States.Runtime");
    check_contains("cause", cause, "$$.Map.Item.Value.x");
    assert_int_equal(sh_flow_map_item(flow, &env, "B", parameters, 3, value, NULL, &made, &error, &cause),
                     SH_E_FORMAT);
    shown = sh_flow_map_definition(flow, "A");
    check_contains("definition", shown, "{\"StartAt\":\"B\",\"States\":{\"B\":{\"Type\":\"Task\"");
    assert_null(strstr(shown, "ProcessorConfig"));
    check_contains("definition", shown, "\"QueryLanguage\":\"JSONPath\"}");
    free(shown);
    free(error);
    free(cause);
    free(text);
    json_decref(input);
    json_decref(value);
    json_decref(script);
    json_decref(parameters);
    drive_free(&d);
    sh_flow_free(flow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inline),
        cmocka_unit_test(test_distributed),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_items),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
