/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole executions: definition, input, scripted answers of tasks -> outcome, types of events, times. ' stands
 * for ". */
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
#define ONE(fields) "{'StartAt':'A','States':{'A':{" fields "}}}"
#define THEN(fields) "{'StartAt':'A','States':{'A':{" fields ",'Next':'Z'},'Z':{'Type':'Succeed'}}}"
#define AT "An error occurred while executing the state 'A' (entered at the event id #2). "

static void test_data(void **state)
{
    static const check_row rows[] = {
        {"pass", ONE("'Type':'Pass','End':true"), "{'a':1}", NULL, "SUCCEEDED {'a':1}",
         "ExecutionStarted PassStateEntered PassStateExited ExecutionSucceeded"},
        {"result", ONE("'Type':'Pass','Result':[1,{'x.$':'$'}],'End':true"), "{}", NULL,
         "SUCCEEDED [1,{'x.$':'$'}]"},
        {"input path", ONE("'Type':'Pass','InputPath':'$.a','End':true"), "{'a':[2]}", NULL, "SUCCEEDED [2]"},
        {"input path null", ONE("'Type':'Pass','InputPath':null,'End':true"), "{'a':1}", NULL,
         "SUCCEEDED {}"},
        {"input path missing", ONE("'Type':'Pass','InputPath':'$.b','End':true"), "{'a':1}", NULL,
         "FAILED States.Runtime | " AT "Invalid path '$.b' : No results for path: $['b']"},
        {"output path", ONE("'Type':'Pass','OutputPath':'$.a','End':true"), "{'a':3}", NULL, "SUCCEEDED 3"},
        {"output path null", ONE("'Type':'Pass','OutputPath':null,'End':true"), "{'a':3}", NULL,
         "SUCCEEDED {}"},
        {"output path missing", ONE("'Type':'Pass','OutputPath':'$.x[0].y','End':true"), "{}", NULL,
         "FAILED States.Runtime | " AT "Invalid path '$.x[0].y' : Missing property in path $['x']"},
        {"result path", ONE("'Type':'Pass','Result':1,'ResultPath':'$.b.c','End':true"), "{'a':1}", NULL,
         "SUCCEEDED {'a':1,'b':{'c':1}}"},
        {"result path into raw input",
         ONE("'Type':'Pass','InputPath':'$.a','ResultPath':'$.r','OutputPath':'$','End':true"),
         "{'a':{'x':1}}", NULL, "SUCCEEDED {'a':{'x':1},'r':{'x':1}}"},
        {"result path replaces", ONE("'Type':'Pass','Result':2,'ResultPath':'$.a','End':true"),
         "{'a':{'x':1},'b':0}", NULL, "SUCCEEDED {'a':2,'b':0}"},
        {"result path in array", ONE("'Type':'Pass','Result':9,'ResultPath':'$.a[1]','End':true"),
         "{'a':[1,2]}", NULL, "SUCCEEDED {'a':[1,9]}"},
        {"result path null", ONE("'Type':'Pass','Result':1,'ResultPath':null,'End':true"), "{'a':1}", NULL,
         "SUCCEEDED {'a':1}"},
        {"result path that does not fit", ONE("'Type':'Pass','Result':1,'ResultPath':'$.a.b','End':true"),
         "{'a':1}", NULL,
         "~FAILED States.ResultPathMatchFailure | " AT
         "Unable to apply ReferencePath $.a.b to input {\"a\":1}"},
        {"result path on a string", ONE("'Type':'Pass','Result':1,'ResultPath':'$.a','End':true"), "'text'",
         NULL, "~FAILED States.ResultPathMatchFailure"},
        {"any input", ONE("'Type':'Succeed'"), "null", NULL, "SUCCEEDED null",
         "ExecutionStarted SucceedStateEntered SucceedStateExited ExecutionSucceeded"},
        {"fail", ONE("'Type':'Fail','Error':'E','Cause':'C'"), "{}", NULL, "FAILED E | C",
         "ExecutionStarted FailStateEntered ExecutionFailed"},
        {"fail without a reason", ONE("'Type':'Fail'"), "{}", NULL, "FAILED - | -"},
        {"fail by paths", ONE("'Type':'Fail','ErrorPath':'$.e','CausePath':'States.Format(`{}!`, $.c)'"),
         "{'e':'E','c':1}", NULL, "FAILED E | 1!"},
        {"fail by a wrong path", ONE("'Type':'Fail','ErrorPath':'$.e'"), "{}", NULL,
         "FAILED States.Runtime | " AT
         "The JSONPath '$.e' specified for the field 'ErrorPath' could not be found in the input '{}'"},
        {"fail by a number", ONE("'Type':'Fail','ErrorPath':'$.e'"), "{'e':1}", NULL, "~must be a string"},
    };

    check_rows(rows, sizeof(rows) / sizeof(*rows));
}

static void test_waits(void **state)
{
    static const check_row rows[] = {
        {"seconds", ONE("'Type':'Wait','Seconds':5,'End':true"), "{'a':1}", NULL, "SUCCEEDED {'a':1}",
         "ExecutionStarted WaitStateEntered WaitStateExited ExecutionSucceeded", NULL, 5000},
        {"no seconds", ONE("'Type':'Wait','Seconds':0,'End':true"), "{}", NULL, "SUCCEEDED {}"},
        {"seconds path", ONE("'Type':'Wait','SecondsPath':'$.s','OutputPath':'$.s','End':true"), "{'s':7}",
         NULL, "SUCCEEDED 7", NULL, NULL, 7000},
        {"seconds path negative", ONE("'Type':'Wait','SecondsPath':'$.s','End':true"), "{'s':-7}", NULL,
         "FAILED States.Runtime | " AT "The SecondsPath parameter references a negative value: $.s == -7"},
        {"seconds path text", ONE("'Type':'Wait','SecondsPath':'$.s','End':true"), "{'s':'7'}", NULL,
         "~States.Runtime"},
        {"seconds path missing", ONE("'Type':'Wait','SecondsPath':'$.s','End':true"), "{}", NULL,
         "~The SecondsPath parameter does not reference an input value: $.s"},
        {"timestamp", ONE("'Type':'Wait','Timestamp':'2023-11-14T22:13:22.5Z','End':true"), "{}", NULL,
         "SUCCEEDED {}", NULL, NULL, 2500},
        {"timestamp past", ONE("'Type':'Wait','Timestamp':'2001-01-01T00:00:00Z','End':true"), "{}", NULL,
         "SUCCEEDED {}"},
        {"timestamp path", ONE("'Type':'Wait','InputPath':'$.i','TimestampPath':'$.t','End':true"),
         "{'i':{'t':'2023-11-15T00:13:21+02:00'}}", NULL, "SUCCEEDED {'t':'2023-11-15T00:13:21+02:00'}", NULL,
         NULL, 1000},
        {"timestamp path wrong", ONE("'Type':'Wait','TimestampPath':'$.t','End':true"), "{'t':'soon'}", NULL,
         "~States.Runtime | " AT "The TimestampPath parameter"},
        {"execution time-out",
         "{'TimeoutSeconds':3,'StartAt':'A','States':{'A':{'Type':'Wait','Seconds':5,'End':true}}}", "{}",
         NULL, "TIMED_OUT - | -", "ExecutionStarted WaitStateEntered ExecutionTimedOut", NULL, 3000},
    };

    check_rows(rows, sizeof(rows) / sizeof(*rows));
}

static void test_tasks(void **state)
{
    static const check_row rows[] = {
        {"request and response",
         ONE(SSM ",'Parameters':{'Id.$':'$.i','Doc':'D'},'ResultSelector':{'c.$':'$.Command.Id'},'ResultPath'"
                 ":'$.r','End':true"),
         "{'i':7}", "[{'output':{'Command':{'Id':'c1'}},'after':1500}]", "SUCCEEDED {'i':7,'r':{'c':'c1'}}",
         "ExecutionStarted TaskStateEntered TaskScheduled TaskStarted TaskSucceeded TaskStateExited "
         "ExecutionSucceeded",
         "[{'Id':7,'Doc':'D'}]", 1500},
        {"without parameters the input", ONE(SSM ",'InputPath':'$.x','End':true"), "{'x':{'y':1}}", NULL,
         "SUCCEEDED {}", NULL, "[{'y':1}]"},
        {"a job", ONE("'Type':'Task','Resource':'arn:aws:states:::mediaconvert:createJob.sync','End':true"),
         "{}", "[{'submitted':{'Job':{'Id':'1'}},'output':{'Job':{'Status':'COMPLETE'}},'after':60000}]",
         "SUCCEEDED {'Job':{'Status':'COMPLETE'}}",
         "ExecutionStarted TaskStateEntered TaskScheduled TaskStarted TaskSubmitted TaskSucceeded "
         "TaskStateExited "
         "ExecutionSucceeded",
         NULL, 60000},
        {"a token",
         ONE("'Type':'Task','Resource':'arn:aws:states:::sqs:sendMessage.waitForTaskToken','Parameters':{'t.$"
             "':"
             "'$$.Task.Token'},'End':true"),
         "{}", "[{'submitted':{},'output':1,'after':5}]", "SUCCEEDED 1", NULL,
         "[{'t':'arn:aws:states:eu-west-1:012345678901:execution:m:e#1'}]", 5},
        {"lambda",
         ONE("'Type':'Task','Resource':'arn:aws:lambda:eu-west-1:012345678901:function:f','End':true"), "{}",
         "[{'error':'Error','cause':'{}'}]", "FAILED Error | {}",
         "ExecutionStarted TaskStateEntered LambdaFunctionScheduled LambdaFunctionStarted "
         "LambdaFunctionFailed "
         "ExecutionFailed"},
        {"failure", ONE(SSM ",'End':true"), "{}", "[{'error':'Ssm.Gone','cause':'c'}]", "FAILED Ssm.Gone | c",
         "ExecutionStarted TaskStateEntered TaskScheduled TaskStarted TaskFailed ExecutionFailed"},
        {"parameters that do not resolve",
         ONE(SSM ",'Parameters':{'a.$':'$.x'},'End':true,'Catch':[{'ErrorEquals':["
                 "'States.ALL'],'Next':'A'}]"),
         "{}", NULL,
         "FAILED States.Runtime | " AT
         "The JSONPath '$.x' specified for the field 'a.$' could not be found in the input '{}'",
         "ExecutionStarted TaskStateEntered ExecutionFailed"},
        {"result selector that does not resolve", ONE(SSM ",'ResultSelector':{'a.$':'$.x'},'End':true"), "{}",
         NULL, "~States.Runtime"},
        {"time-out", ONE(SSM ",'TimeoutSeconds':30,'End':true"), "{}", "[{'silent':true}]",
         "FAILED States.Timeout | -",
         "ExecutionStarted TaskStateEntered TaskScheduled TaskStarted TaskTimedOut ExecutionFailed", NULL,
         30000},
        {"time-out path", ONE(SSM ",'TimeoutSecondsPath':'$.t','End':true"), "{'t':2}",
         "[{'output':1,'after':3000}]", "FAILED States.Timeout | -", NULL, NULL, 2000},
        {"time-out path of 0", ONE(SSM ",'TimeoutSecondsPath':'$.t','End':true"), "{'t':0}", NULL,
         "~States.Runtime | " AT "The TimeoutSecondsPath parameter must be between"},
        {"heartbeats", ONE(SSM ",'HeartbeatSeconds':10,'End':true"), "{}",
         "[{'output':1,'after':29000,'beats':[9000,18000,27000]}]", "SUCCEEDED 1", NULL, NULL, 29000},
        {"no heartbeat",
         THEN(SSM ",'HeartbeatSeconds':10,'Catch':[{'ErrorEquals':['States.HeartbeatTimeout'],'Next':"
                  "'Z'}]"),
         "{}", "[{'silent':true,'beats':[9000]}]", "SUCCEEDED {'Error':'States.Timeout','Cause':''}", NULL,
         NULL, 19000},
    };

    check_rows(rows, sizeof(rows) / sizeof(*rows));
}

#define FAILS "{'error':'E','cause':'c'}"
static void test_retry_and_catch(void **state)
{
    static const check_row rows[] = {
        {"retry", ONE(SSM ",'End':true,'Retry':[{'ErrorEquals':['E']}]"), "{}",
         "[" FAILS "," FAILS "," FAILS ",{'output':7}]", "SUCCEEDED 7",
         "ExecutionStarted TaskStateEntered TaskScheduled TaskStarted TaskFailed TaskScheduled TaskStarted "
         "TaskFailed "
         "TaskScheduled TaskStarted TaskFailed TaskScheduled TaskStarted TaskSucceeded TaskStateExited "
         "ExecutionSucceeded",
         NULL, 1000 + 2000 + 4000},
        {"retries used up",
         ONE(SSM ",'End':true,'Retry':[{'ErrorEquals':['States.TaskFailed'],'IntervalSeconds':3,"
                 "'MaxAttempts':2,'BackoffRate':1.5}]"),
         "{}", "[" FAILS "," FAILS "," FAILS "]", "FAILED E | c", NULL, "[{},{},{}]", 3000 + 4500},
        {"longest delay",
         ONE(SSM ",'End':true,'Retry':[{'ErrorEquals':['States.ALL'],'IntervalSeconds':10,'BackoffRate':"
                 "10,'MaxDelaySeconds':15}]"),
         "{}", "[" FAILS "," FAILS ",{'output':1}]", "SUCCEEDED 1", NULL, NULL, 10000 + 15000},
        {"no attempts",
         ONE(SSM
             ",'End':true,'Retry':[{'ErrorEquals':['E'],'MaxAttempts':0},{'ErrorEquals':['States.ALL']}]"),
         "{}", "[" FAILS "]", "FAILED E | c"},
        {"second retrier",
         ONE(SSM ",'End':true,'Retry':[{'ErrorEquals':['F','G']},{'ErrorEquals':['E'],'MaxAttempts':1}]"),
         "{}", "[" FAILS ",{'error':'G'},{'output':1}]", "SUCCEEDED 1", NULL, NULL, 2000},
        {"retry count",
         ONE(SSM ",'Parameters':{'n.$':'$$.State.RetryCount'},'End':true,'Retry':[{'ErrorEquals':['E']}]"),
         "{}", "[" FAILS "," FAILS ",{'output':1}]", "SUCCEEDED 1", NULL, "[{'n':0},{'n':1},{'n':2}]", 3000},
        {"a time-out is no States.TaskFailed",
         ONE(SSM ",'TimeoutSeconds':1,'End':true,'Retry':[{'ErrorEquals':['States.TaskFailed']}]"), "{}",
         "[{'silent':true}]", "FAILED States.Timeout | -", NULL, NULL, 1000},
        {"late answers do not count",
         ONE(SSM
             ",'TimeoutSeconds':2,'End':true,'Retry':[{'ErrorEquals':['States.Timeout'],'MaxAttempts':1}]"),
         "{}", "[{'output':'late','after':4000},{'output':'in time','after':1500}]", "SUCCEEDED 'in time'",
         NULL, NULL, 4500},
        {"catch", THEN(SSM ",'Catch':[{'ErrorEquals':['F'],'Next':'A'},{'ErrorEquals':['E'],'Next':'Z'}]"),
         "{'a':1}", "[" FAILS "]", "SUCCEEDED {'Error':'E','Cause':'c'}",
         "ExecutionStarted TaskStateEntered TaskScheduled TaskStarted TaskFailed TaskStateExited "
         "SucceedStateEntered "
         "SucceedStateExited ExecutionSucceeded"},
        {"catch with a result path",
         THEN(SSM ",'Catch':[{'ErrorEquals':['States.ALL'],'ResultPath':'$.e','Next':'Z'}]"), "{'a':1}",
         "[" FAILS "]", "SUCCEEDED {'a':1,'e':{'Error':'E','Cause':'c'}}"},
        {"catch without a result",
         THEN(SSM ",'Catch':[{'ErrorEquals':['States.ALL'],'ResultPath':null,'Next':'Z'}]"), "{'a':1}",
         "[" FAILS "]", "SUCCEEDED {'a':1}"},
        {"catch after retries",
         THEN(SSM ",'Retry':[{'ErrorEquals':['E'],'MaxAttempts':1}],'Catch':[{'ErrorEquals':['E'],'"
                  "ResultPath':null,'Next':"
                  "'Z'}]"),
         "{}", "[" FAILS "," FAILS "]", "SUCCEEDED {}", NULL, "[{},{}]", 1000},
        {"catch whose result path does not fit",
         THEN(SSM ",'Catch':[{'ErrorEquals':['States.ALL'],'ResultPath':'$.a.b','Next':'Z'}]"), "{'a':1}",
         "[" FAILS "]", "~FAILED States.ResultPathMatchFailure"},
        {"catch of a function's failure",
         THEN(SSM ",'Parameters':{'a.$':'States.MathAdd($.a, "
                  "`x`)'},'Catch':[{'ErrorEquals':['States.IntrinsicFailure'],"
                  "'ResultPath':null,'Next':'Z'}]"),
         "{'a':1}", NULL, "SUCCEEDED {'a':1}"},
    };

    check_rows(rows, sizeof(rows) / sizeof(*rows));
}

#define STEP(name) "{'StartAt':'" name "','States':{'" name "':{" SSM ",'End':true}}}"
static void test_nested(void **state)
{
    static const check_row rows[] = {
        {"parallel", ONE("'Type':'Parallel','Branches':[" STEP("B") "," STEP("C") "],'End':true"), "{'a':1}",
         "[{'output':'b','after':2000},{'output':'c','after':1000}]", "SUCCEEDED ['b','c']",
         "ExecutionStarted ParallelStateEntered ParallelStateStarted TaskStateEntered TaskScheduled "
         "TaskStarted "
         "TaskStateEntered TaskScheduled TaskStarted TaskSucceeded TaskStateExited TaskSucceeded "
         "TaskStateExited "
         "ParallelStateSucceeded ParallelStateExited ExecutionSucceeded",
         "[{'a':1},{'a':1}]", 2000},
        {"parallel of which one fails",
         THEN("'Type':'Parallel','Branches':[" STEP("B") "," STEP(
             "C") "],'Catch':[{'ErrorEquals':['E'],'Next':'Z'}]"),
         "{}", "[{'silent':true},{'error':'E','cause':'c','after':3}]", "SUCCEEDED {'Error':'E','Cause':'c'}",
         "ExecutionStarted ParallelStateEntered ParallelStateStarted TaskStateEntered TaskScheduled "
         "TaskStarted "
         "TaskStateEntered TaskScheduled TaskStarted TaskFailed TaskStateAborted TaskStateAborted "
         "ParallelStateFailed ParallelStateExited "
         "SucceedStateEntered SucceedStateExited ExecutionSucceeded",
         NULL, 3},
        {"parallel again",
         ONE("'Type':'Parallel','Parameters':{'p.$':'$.a'},'ResultSelector':{'n.$':'$[0]'},'ResultPath':'$.r'"
             ",'Branches':[" STEP("B") "],'Retry':[{'ErrorEquals':['E']}],'End':true"),
         "{'a':1}", "[{'error':'E'},{'output':5}]", "SUCCEEDED {'a':1,'r':{'n':5}}", NULL,
         "[{'p':1},{'p':1}]", 1000},
        {"a runtime error in a branch is not caught",
         THEN("'Type':'Parallel','Branches':[{'StartAt':'B','States':{'B':{'Type':'Pass','InputPath':'$.x','"
              "End':true}}}],"
              "'Catch':[{'ErrorEquals':['States.ALL'],'Next':'Z'}]"),
         "{}", NULL, "~FAILED States.Runtime"},
        {"map, two at a time",
         ONE("'Type':'Map','MaxConcurrency':2,'ItemProcessor':" STEP("B") ",'End':true"), "[1,2,3]",
         "[{'output':'a','after':30},{'output':'b','after':10},{'output':'c','after':5}]",
         "SUCCEEDED ['a','b','c']",
         "ExecutionStarted MapStateEntered MapStateStarted MapIterationStarted MapIterationStarted "
         "TaskStateEntered "
         "TaskScheduled TaskStarted TaskStateEntered TaskScheduled TaskStarted TaskSucceeded TaskStateExited "
         "MapIterationSucceeded MapIterationStarted TaskStateEntered TaskScheduled TaskStarted TaskSucceeded "
         "TaskStateExited MapIterationSucceeded TaskSucceeded TaskStateExited MapIterationSucceeded "
         "MapStateSucceeded "
         "MapStateExited ExecutionSucceeded",
         "[1,2,3]", 30},
        {"map with a selector",
         ONE("'Type':'Map','ItemsPath':'$.l','ItemSelector':{'i.$':'$$.Map.Item.Index','v.$':'$$.Map.Item."
             "Value','k.$':'$.k'},"
             "'ItemProcessor':{'StartAt':'B','States':{'B':{'Type':'Pass','Parameters':{'again.$':'$$.Map."
             "Item.Index','x.$':"
             "'$'},'End':true}}},'ResultPath':'$.l','End':true"),
         "{'l':['p','q'],'k':0}", NULL,
         "SUCCEEDED "
         "{'l':[{'again':0,'x':{'i':0,'v':'p','k':0}},{'again':1,'x':{'i':1,'v':'q','k':0}}],'k':0}"},
        {"map of nothing", ONE("'Type':'Map','Iterator':" STEP("B") ",'End':true"), "[]", NULL,
         "SUCCEEDED []",
         "ExecutionStarted MapStateEntered MapStateStarted MapStateSucceeded MapStateExited "
         "ExecutionSucceeded"},
        {"map of no array", ONE("'Type':'Map','ItemsPath':'$.l','Iterator':" STEP("B") ",'End':true"),
         "{'l':1}", NULL, "FAILED States.Runtime | " AT "Reference path \"$.l\" must point to array."},
        {"map whose item fails", ONE("'Type':'Map','MaxConcurrency':1,'Iterator':" STEP("B") ",'End':true"),
         "[1,2,3]", "[{'output':1},{'error':'E','cause':'c'}]", "FAILED E | c",
         "ExecutionStarted MapStateEntered MapStateStarted MapIterationStarted TaskStateEntered "
         "TaskScheduled "
         "TaskStarted TaskSucceeded TaskStateExited MapIterationSucceeded MapIterationStarted "
         "TaskStateEntered "
         "TaskScheduled TaskStarted TaskFailed MapIterationFailed TaskStateAborted MapStateFailed "
         "ExecutionFailed"},
        {"map of waits in a parallel",
         ONE("'Type':'Parallel','End':true,'Branches':[{'StartAt':'M','States':{'M':{'Type':'Map','End':true,"
             "'MaxConcurrency':"
             "1,'Iterator':{'StartAt':'W','States':{'W':{'Type':'Wait','SecondsPath':'$','End':true}}}}}},{'"
             "StartAt':'V',"
             "'States':{'V':{'Type':'Wait','Seconds':4,'End':true}}}]"),
         "[1,2]", NULL, "SUCCEEDED [[1,2],[1,2]]", NULL, NULL, 4000},
    };

    check_rows(rows, sizeof(rows) / sizeof(*rows));
}

static void test_cancelled(void **state)
{
    drive d;
    char *text;

    check_run(&d, ONE("'Type':'Parallel','Branches':[" STEP("B") "," STEP("C") "," STEP("D") "],'End':true"),
              "{}", "[{'silent':true},{'error':'E','after':3},{'silent':true}]");
    text = sh_flow_text(d.cancelled);
    assert_string_equal(text, "[1,3]");
    free(text);
    drive_free(&d);
}

/* previousEventId of every event, as AWS chains them. */
static void check_chain(const char *definition, const char *input, const char *script, const char *wanted)
{
    char *text = NULL;
    size_t size = 0, i;
    FILE *out = open_memstream(&text, &size);
    json_t *event;
    drive d;

    check_run(&d, definition, input, script);
    json_array_foreach(d.history, i, event)
        fprintf(out, " %lld", (long long)json_integer_value(json_object_get(event, "previousEventId")));
    fclose(out);
    check_equal(definition, text, wanted);
    free(text);
    drive_free(&d);
}

#define GO(name) "{'StartAt':'" name "','States':{'" name "':{'Type':'Pass','End':true}}}"
static void test_chain(void **state)
{
    check_chain(ONE("'Type':'Pass','End':true"), "{}", NULL, " 0 0 2 3");
    check_chain(ONE("'Type':'Parallel','Branches':[" GO("B") "," GO("C") "],'End':true"), "{}", NULL,
                " 0 0 2 3 4 3 6 7 7 9");
    check_chain(ONE("'Type':'Map','MaxConcurrency':1,'Iterator':" GO("B") ",'End':true"), "[1,2]", NULL,
                " 0 0 2 3 4 5 6 6 8 9 10 11 11 13");
    check_chain(ONE("'Type':'Map','MaxConcurrency':1,'Iterator':{'StartAt':'B','States':{'B':{'Type':'Fail'}}"
                    "},'End':true,"
                    "'Retry':[{'ErrorEquals':['States.ALL'],'MaxAttempts':1}]"),
                "[1,2]", NULL, " 0 0 2 3 4 5 5 7 8 9 9 11");
    check_chain(ONE(SSM ",'Retry':[{'ErrorEquals':['E']}],'End':true"), "{}", "[{'error':'E'}]",
                " 0 0 2 3 4 5 6 7 8 9");
}

static void test_timed_out_execution(void **state)
{
    json_t *last, *details;
    char *text;
    drive d;

    check_run(&d, "{'TimeoutSeconds':3,'StartAt':'A','States':{'A':{" SSM ",'End':true}}}", "{}",
              "[{'silent':true}]");
    assert_int_equal(d.status, SH_FLOW_TIMED_OUT);
    assert_int_equal(json_array_size(d.cancelled), 1);
    last = json_array_get(d.history, json_array_size(d.history) - 1);
    details = json_object_get(last, "executionTimedOutEventDetails");
    text = sh_flow_text(details);
    assert_string_equal(text, "{\"error\":\"States.Timeout\"}");
    assert_int_equal(json_integer_value(json_object_get(last, "previousEventId")), 0);
    free(text);
    drive_free(&d);
}

static void test_timed_out_task(void **state)
{
    drive d;

    check_run(&d, ONE(SSM ",'TimeoutSeconds':3,'End':true,'Retry':[{'ErrorEquals':['States.Timeout']}]"),
              "{}", "[{'silent':true},{'output':1}]");
    assert_int_equal(d.status, SH_FLOW_SUCCEEDED);
    assert_int_equal(json_array_size(d.cancelled), 1);
    assert_int_equal(json_integer_value(json_array_get(d.cancelled, 0)), 1);
    drive_free(&d);
}

/* A machine must have a state that ends it, be it never entered. */
#define BACK_TO_A                                                                                            \
    "'B':{'Type':'Choice','Choices':[{'Variable':'$.gone','IsPresent':true,'Next':'C'}],'Default':'A'},'C':" \
    "{'Type':'"                                                                                              \
    "Succeed'}"

/* A cycle without a wait ends at the limit of the history, and every step is short. */
static void test_endless(void **state)
{
    drive d;

    check_run(&d, "{'StartAt':'A','States':{'A':{'Type':'Pass','Next':'B'}," BACK_TO_A "}}", "{}", NULL);
    assert_string_equal(d.error, "States.Runtime");
    check_contains("limit", d.cause, "25000");
    assert_int_equal(json_array_size(d.history), SH_FLOW_HISTORY_MAX);
    assert_in_range(d.steps, 20, 30);
    check_gapless("endless", &d);
    drive_free(&d);
}

static void test_too_much(void **state)
{
    drive d;
    char *big = malloc(300000), *script = NULL;

    check_run(&d,
              "{'StartAt':'A','States':{'A':{'Type':'Pass','Parameters':{'a.$':'$','b.$':'$'},'Next':'B'}"
              "," BACK_TO_A "}}",
              "'0123456789'", NULL);
    assert_string_equal(d.error, "States.DataLimitExceeded");
    drive_free(&d);
    memset(big, 'x', 299999);
    big[299999] = '\0';
    assert_true(asprintf(&script, "[{'output':'%s'}]", big) > 0);
    check_run(&d, ONE(SSM ",'End':true,'Catch':[{'ErrorEquals':['States.ALL'],'Next':'A'}]"), "{}", script);
    assert_string_equal(d.error, "States.DataLimitExceeded");
    drive_free(&d);
    check_run(&d,
              "{'StartAt':'A','States':{'A':{'Type':'Pass','Parameters':{'a.$':'$'},'Next':'B'}," BACK_TO_A
              "}}",
              "1", NULL);
    assert_string_equal(d.error, "States.Runtime");
    check_contains("depth", d.cause, "nested deeper");
    drive_free(&d);
    free(script);
    free(big);
}

static sh_flow *parse(const char *definition)
{
    char *text = check_json(definition);
    sh_flow *flow = NULL;

    assert_int_equal(sh_flow_parse(&flow, text, strlen(text), NULL, NULL), 0);
    free(text);
    return flow;
}

/* The contract of a single step: what it says to a service. */
static void test_step(void **state)
{
    sh_flow *flow = parse(ONE(SSM ",'TimeoutSeconds':60,'HeartbeatSeconds':9,'End':true"));
    sh_flow_env env = {.now_ms = 1000};
    sh_flow_event event = {.kind = SH_FLOW_START};
    sh_flow_result first = {0}, result = {0};
    sh_err err = {0};
    json_t *output = json_pack("[i]", 1);

    assert_int_equal(sh_flow_step(flow, &env, NULL, &event, &first, &err), 0);
    assert_int_equal(first.status, SH_FLOW_RUNNING);
    assert_int_equal(first.task_count, 1);
    assert_int_equal(first.tasks[0].timeout_s, 60);
    assert_int_equal(first.tasks[0].heartbeat_s, 9);
    assert_int_equal(first.tasks[0].scheduled_event, 3);
    assert_null(first.tasks[0].token);
    assert_int_equal(first.wake_ms, 10000);
    /* a timer that is not due, and the answer of another task */
    event.kind = SH_FLOW_TIMER;
    assert_int_equal(sh_flow_step(flow, &env, first.state, &event, &result, &err), 0);
    assert_true(result.ignored);
    sh_flow_result_free(&result);
    event = (sh_flow_event){.kind = SH_FLOW_TASK_SUCCEEDED, .task = 2, .output = output};
    assert_int_equal(sh_flow_step(flow, &env, first.state, &event, &result, &err), 0);
    assert_true(result.ignored);
    sh_flow_result_free(&result);
    /* the same state can be stepped twice: it is not changed */
    for (int i = 0; i < 2; i++) {
        event.task = 1;
        env.now_ms = 2000;
        assert_int_equal(sh_flow_step(flow, &env, first.state, &event, &result, &err), 0);
        assert_int_equal(result.status, SH_FLOW_SUCCEEDED);
        assert_true(json_equal(result.output, output));
        assert_int_equal(result.wake_ms, -1);
        if (!i)
            sh_flow_result_free(&result);
    }
    /* after the end everything is late */
    json_t *ended = json_incref(result.state);
    sh_flow_result_free(&result);
    assert_int_equal(sh_flow_step(flow, &env, ended, &event, &result, &err), 0);
    assert_true(result.ignored);
    json_decref(ended);
    sh_flow_result_free(&result);
    sh_flow_result_free(&first);
    json_decref(output);
    sh_flow_free(flow);
}

static void test_abort(void **state)
{
    sh_flow *flow = parse(ONE(SSM ",'End':true"));
    sh_flow_env env = {.now_ms = 1000};
    sh_flow_event event = {.kind = SH_FLOW_START};
    sh_flow_result first = {0}, result = {0};

    assert_int_equal(sh_flow_step(flow, &env, NULL, &event, &first, NULL), 0);
    event = (sh_flow_event){.kind = SH_FLOW_ABORT, .error = "Stop", .cause = "by hand"};
    assert_int_equal(sh_flow_step(flow, &env, first.state, &event, &result, NULL), 0);
    assert_int_equal(result.status, SH_FLOW_ABORTED);
    assert_string_equal(result.error, "Stop");
    assert_string_equal(result.cause, "by hand");
    assert_int_equal(result.cancelled_count, 1);
    assert_int_equal(result.cancelled[0], 1);
    sh_flow_result_free(&result);
    sh_flow_result_free(&first);
    sh_flow_free(flow);
}

/* A stored state that is damaged or of another definition is refused, not followed. */
static void test_foreign_state(void **state)
{
    static const char *const states[] = {
        "1",
        "{}",
        "{'v':2,'status':'RUNNING'}",
        "{'v':1,'status':'RUNNING','input':{}}",
        "{'v':1,'status':'RUNNING','input':{},'frame':{'state':'B','phase':1,'input':{}}}",
        "{'v':1,'status':'RUNNING','input':{},'frame':{'state':'A','phase':5,'input':{}}}",
        "{'v':1,'status':'RUNNING','input':{},'frame':{'state':'A','phase':4,'input':{}}}",
        ("{'v':1,'status':'RUNNING','input':{},'frame':{'state':'A','phase':4,'input':{},'results':[],"
         "'kids':[{}]}}"),
        "{'v':1,'status':'RUNNING','input':{},'frame':{'state':'A','phase':1}}",
        "{'v':1,'status':'RUNNING','input':{},'frame':{'state':'A','phase':1,'input':{},'next':-1}}",
    };
    sh_flow *flow = parse(ONE(SSM ",'End':true"));
    sh_flow_env env = {.now_ms = 1000};
    sh_flow_event event = {.kind = SH_FLOW_TIMER};

    for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
        char *text = check_json(states[i]);
        json_t *stored = json_loads(text, JSON_DECODE_ANY, NULL);
        sh_flow_result result = {0};
        sh_err err = {0};

        if (sh_flow_step(flow, &env, stored, &event, &result, &err) != SH_E_FORMAT)
            fail_msg("taken: %s", text);
        assert_true(err.message[0]);
        json_decref(stored);
        free(text);
    }
    sh_flow_free(flow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data),
        cmocka_unit_test(test_waits),
        cmocka_unit_test(test_tasks),
        cmocka_unit_test(test_retry_and_catch),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_timed_out_task),
        cmocka_unit_test(test_timed_out_execution),
        cmocka_unit_test(test_endless),
        cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_step),
        cmocka_unit_test(test_abort),
        cmocka_unit_test(test_foreign_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
