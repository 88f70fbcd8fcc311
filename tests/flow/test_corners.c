/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* States in their corners, each as AWS answers: Wait, Fail, Choice, Retry and Catch, the context object. In
 * the tables ' stands for " in JSON and ` for '. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ONE(fields) "{'StartAt':'A','States':{'A':{" fields "}}}"
#define AT "An error occurred while executing the state 'A' (entered at the event id #2). "
#define RUNTIME "FAILED States.Runtime | " AT
#define TASK "'Type':'Task','Resource':'arn:aws:states:::aws-sdk:ssm:x','End':true"

typedef struct row {
    const char *definition, *input, *script, *wanted; /* the outcome, ' as it is; after "~" a part of it */
} row;

static void run_rows(const row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *got;
        drive d;

        check_run(&d, rows[i].definition, rows[i].input, rows[i].script);
        got = check_outcome(&d);
        if (*rows[i].wanted == '~')
            check_contains(rows[i].definition, got, rows[i].wanted + 1);
        else
            check_equal(rows[i].definition, got, rows[i].wanted);
        free(got);
        drive_free(&d);
    }
}

static void test_wait(void **state)
{
    static const row rows[] = {
        {ONE("'Type':'Wait','SecondsPath':'$.s','End':true"), "{'s':0}", NULL, "SUCCEEDED {\"s\":0}"},
        {ONE("'Type':'Wait','SecondsPath':'$.s','End':true"), "{'s':1.5}", NULL,
         RUNTIME "The SecondsPath parameter cannot be parsed as a long value: $.s == 1.5"},
        {ONE("'Type':'Wait','SecondsPath':'$.s','End':true"), "{'s':'x'}", NULL,
         RUNTIME "The SecondsPath parameter cannot be parsed as a long value: $.s == \"x\""},
        {ONE("'Type':'Wait','SecondsPath':'$.s','End':true"), "{'s':-1}", NULL,
         RUNTIME "The SecondsPath parameter references a negative value: $.s == -1"},
        {ONE("'Type':'Wait','SecondsPath':'$.s.t','End':true"), "{}", NULL,
         RUNTIME "The SecondsPath parameter does not reference an input value: $.s.t"},
        {ONE("'Type':'Wait','TimestampPath':'$.t','End':true"), "{}", NULL,
         RUNTIME "The TimestampPath parameter does not reference an input value: $.t"},
        {ONE("'Type':'Wait','TimestampPath':'$.t','End':true"), "{'t':'2030-01-01'}", NULL,
         RUNTIME
         "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format "
         "string: $.t == 2030-01-01"},
        {ONE("'Type':'Wait','TimestampPath':'$.t','End':true"), "{'t':7}", NULL,
         "~date-time format string: $.t == 7"},
        {ONE("'Type':'Wait','TimestampPath':'$.t','End':true"), "{'t':'2024-12-05T21:29:29.243167252Z'}",
         NULL, "SUCCEEDED {\"t\":\"2024-12-05T21:29:29.243167252Z\"}"},
        {ONE("'Type':'Wait','TimestampPath':'$.t','End':true"), "{'t':'2024-12-05T21:29:29+01:00'}", NULL,
         "SUCCEEDED {\"t\":\"2024-12-05T21:29:29+01:00\"}"},
        {ONE("'Type':'Wait','Timestamp':'2024-12-05T21:29:29.243167252Z','End':true"), "{}", NULL,
         "SUCCEEDED {}"},
        {ONE("'Type':'Wait','Seconds':1,'InputPath':'$.a','OutputPath':'$.b','End':true"), "{'a':{'b':3}}",
         NULL, "SUCCEEDED 3"},
        {ONE("'Type':'Wait','SecondsPath':'$$.Execution.Input.s','End':true"), "{'s':2}", NULL,
         "SUCCEEDED {\"s\":2}"},
    };

    run_rows(rows, sizeof(rows) / sizeof(*rows));
}

static void test_fail(void **state)
{
    static const row rows[] = {
        {ONE("'Type':'Fail'"), "{}", NULL, "FAILED - | -"},
        {ONE("'Type':'Fail','Error':'E'"), "{}", NULL, "FAILED E | -"},
        {ONE("'Type':'Fail','Cause':'c'"), "{}", NULL, "FAILED - | c"},
        {ONE("'Type':'Fail','ErrorPath':'$.e','CausePath':'$.c'"), "{'e':'E','c':'C'}", NULL, "FAILED E | C"},
        {ONE("'Type':'Fail','Error':'422','CausePath':'$.c'"), "{'c':'C'}", NULL, "FAILED 422 | C"},
        {ONE("'Type':'Fail','ErrorPath':'States.Format(`{}-{}`, $.a, $.b)'"), "{'a':1,'b':'x'}", NULL,
         "FAILED 1-x | -"},
        {ONE("'Type':'Fail','CausePath':'States.JsonToString($)'"), "{'a':1}", NULL, "FAILED - | {\"a\":1}"},
        {ONE("'Type':'Fail','ErrorPath':'$$.Execution.Name'"), "{}", NULL, "FAILED e | -"},
        {ONE("'Type':'Fail','ErrorPath':'$.x'"), "{'a':1}", NULL,
         RUNTIME "The JSONPath '$.x' specified for the field 'ErrorPath' could not be found in the input "
                 "'{\"a\":1}'"},
    };

    run_rows(rows, sizeof(rows) / sizeof(*rows));
}

#define PARALLEL(fail, catch)                                                                                \
    "{'StartAt':'A','States':{'A':{'Type':'Parallel','Branches':[{'StartAt':'F','States':{'F':{'Type':'"     \
    "Fail'" fail "}}}],'Catch':[" catch "],'End':true},'B':{'Type':'Pass','End':true}}}"

static void test_catch(void **state)
{
    static const row rows[] = {
        {PARALLEL(",'Error':'E','Cause':'c'", "{'ErrorEquals':['E'],'Next':'B'}"), "{'k':1}", NULL,
         "SUCCEEDED {\"Error\":\"E\",\"Cause\":\"c\"}"},
        {PARALLEL(",'Error':'E'", "{'ErrorEquals':['E'],'ResultPath':'$.e','Next':'B'}"), "{'k':1}", NULL,
         "SUCCEEDED {\"k\":1,\"e\":{\"Error\":\"E\",\"Cause\":\"\"}}"},
        {PARALLEL(",'Error':'E'", "{'ErrorEquals':['E'],'ResultPath':null,'Next':'B'}"), "{'k':1}", NULL,
         "SUCCEEDED {\"k\":1}"},
        {PARALLEL(",'Error':'E'",
                  "{'ErrorEquals':['X'],'Next':'B'},{'ErrorEquals':['States.ALL'],'Next':'B'}"),
         "{}", NULL, "SUCCEEDED {\"Error\":\"E\",\"Cause\":\"\"}"},
        {PARALLEL(",'Error':'E'", "{'ErrorEquals':['States.TaskFailed'],'Next':'B'}"), "{}", NULL,
         "SUCCEEDED {\"Error\":\"E\",\"Cause\":\"\"}"},
        {PARALLEL(",'Error':'States.Timeout'", "{'ErrorEquals':['States.TaskFailed'],'Next':'B'}"), "{}",
         NULL, "FAILED States.Timeout | -"},
        {PARALLEL(",'Error':'States.DataLimitExceeded'", "{'ErrorEquals':['States.ALL'],'Next':'B'}"), "{}",
         NULL, "FAILED States.DataLimitExceeded | -"},
        {PARALLEL(",'ErrorPath':'$.gone'", "{'ErrorEquals':['States.ALL'],'Next':'B'}"), "{}", NULL,
         "~FAILED States.Runtime | "},
        {"{'StartAt':'A','States':{'A':{'Type':'Task','Resource':'arn:aws:states:::aws-sdk:ssm:x','"
         "ResultPath':'$.a.b',"
         "'Catch':[{'ErrorEquals':['States.ResultPathMatchFailure'],'ResultPath':'$.e','Next':'B'}],'End':"
         "true},'B':{"
         "'Type':'Pass','OutputPath':'$.e.Error','End':true}}}",
         "{'a':'text'}", NULL, "SUCCEEDED \"States.ResultPathMatchFailure\""},
        {"{'StartAt':'A','States':{'A':{'Type':'Task','Resource':'arn:aws:states:::aws-sdk:ssm:x','"
         "Parameters':{'r.$':"
         "'States.ArrayGetItem($.l, "
         "9)'},'Catch':[{'ErrorEquals':['States.IntrinsicFailure'],'ResultPath':'$.e','Next':"
         "'B'}],'End':true},'B':{'Type':'Pass','OutputPath':'$.e.Error','End':true}}}",
         "{'l':[1]}", NULL, "SUCCEEDED \"States.IntrinsicFailure\""},
    };

    run_rows(rows, sizeof(rows) / sizeof(*rows));
}

static void test_retry(void **state)
{
    static const row rows[] = {
        /* the first that names the error counts, each for itself */
        {ONE(TASK ",'Retry':[{'ErrorEquals':['X'],'MaxAttempts':1},{'ErrorEquals':['States.ALL'],'"
                  "MaxAttempts':2}]"),
         "{}", "[{'error':'X'},{'error':'Y'},{'error':'Y'},{'output':1}]", "SUCCEEDED 1"},
        {ONE(TASK ",'Retry':[{'ErrorEquals':['X'],'MaxAttempts':1},{'ErrorEquals':['States.ALL'],'"
                  "MaxAttempts':2}]"),
         "{}", "[{'error':'X','cause':'a'},{'error':'X','cause':'b'},{'output':1}]", "FAILED X | b"},
        {ONE(TASK ",'Retry':[{'ErrorEquals':['X'],'MaxAttempts':0},{'ErrorEquals':['States.ALL']}]"), "{}",
         "[{'error':'X','cause':'a'},{'output':1}]", "FAILED X | a"},
        {ONE(TASK ",'Retry':[{'ErrorEquals':['States.TaskFailed']}]"), "{}",
         "[{'error':'X'},{'error':'Y'},{'error':'Z'},{'output':2}]", "SUCCEEDED 2"},
        {ONE(TASK ",'Retry':[{'ErrorEquals':['States.TaskFailed']}]"), "{}",
         "[{'error':'X'},{'error':'Y'},{'error':'Z'},{'error':'W','cause':'last'}]", "FAILED W | last"},
        {ONE(TASK ",'TimeoutSeconds':2,'Retry':[{'ErrorEquals':['States.TaskFailed']}]"), "{}",
         "[{'silent':true}]", "FAILED States.Timeout | -"},
        {ONE(TASK
             ",'TimeoutSeconds':9,'HeartbeatSeconds':2,'Retry':[{'ErrorEquals':['States.HeartbeatTimeout'],"
             "'MaxAttempts':1}]"),
         "{}", "[{'silent':true},{'output':3}]", "SUCCEEDED 3"},
        {ONE(TASK ",'Retry':[{'ErrorEquals':['States.ALL'],'MaxAttempts':2}],'Parameters':{'n.$':'$$.State."
                  "RetryCount'"
                  "},'ResultSelector':{'n.$':'$$.State.RetryCount'}"),
         "{}", "[{'error':'X'},{'error':'Y'},{'output':1}]", "SUCCEEDED {\"n\":2}"},
    };

    run_rows(rows, sizeof(rows) / sizeof(*rows));
}

#define SHOW(path) ONE("'Type':'Pass','Parameters':{'r.$':'" path "'},'End':true")

static void test_context(void **state)
{
    static const row rows[] = {
        {SHOW("$$.Execution.Input"), "{'a':[1]}", NULL, "SUCCEEDED {\"r\":{\"a\":[1]}}"},
        {SHOW("$$.Execution.Input.a[0]"), "{'a':[1]}", NULL, "SUCCEEDED {\"r\":1}"},
        {SHOW("$$[`State`][`Name`]"), "{}", NULL, "SUCCEEDED {\"r\":\"A\"}"},
        {SHOW("$$.State.EnteredTime"), "{}", NULL, "SUCCEEDED {\"r\":\"2023-11-14T22:13:20.000Z\"}"},
        {SHOW("$$.Execution.RedriveCount"), "{}", NULL, "SUCCEEDED {\"r\":0}"},
        {SHOW("$$.Map.Item.Value"), "{}", NULL,
         "~The JSONPath '$$.Map.Item.Value' specified for the field 'r.$' could"},
        {SHOW("$$.Task.Token"), "{}", NULL,
         "~The JSONPath '$$.Task.Token' specified for the field 'r.$' could"},
        {SHOW("States.Format(`{} in {}`, $$.State.Name, $$.Execution.Name)"), "{}", NULL,
         "SUCCEEDED {\"r\":\"A in e\"}"},
        {ONE("'Type':'Pass','InputPath':'$$.Execution.Input','End':true"), "{'a':1}", NULL,
         "SUCCEEDED {\"a\":1}"},
        {ONE("'Type':'Pass','OutputPath':'$$.State.Name','End':true"), "{'a':1}", NULL, "SUCCEEDED \"A\""},
        {ONE("'Type':'Map','ItemsPath':'$$.Execution.Input.l','ItemSelector':{'i.$':'$$.Map.Item.Index','v.$'"
             ":"
             "'$$.Map.Item.Value'},'ItemProcessor':{'StartAt':'P','States':{'P':{'Type':'Pass','End':true}}},"
             "'End':true"),
         "{'l':['x','y']}", NULL, "SUCCEEDED [{\"i\":0,\"v\":\"x\"},{\"i\":1,\"v\":\"y\"}]"},
        {SHOW("$"), "null", NULL, RUNTIME "Unable to apply Path transformation to null or empty input."},
        {SHOW("$$.Execution.Input"), "null", NULL, "SUCCEEDED {\"r\":null}"},
        {ONE("'Type':'Pass','End':true"), "null", NULL, "SUCCEEDED null"},
        {ONE("'Type':'Pass','Result':{'a.$':'$.x'},'ResultPath':'$.r[0]','End':true"), "{'r':[1,2]}", NULL,
         "SUCCEEDED {\"r\":[{\"a.$\":\"$.x\"},2]}"},
        {ONE("'Type':'Pass','Result':1,'ResultPath':'$.a.b.c','End':true"), "{'k':0}", NULL,
         "SUCCEEDED {\"k\":0,\"a\":{\"b\":{\"c\":1}}}"},
        {ONE("'Type':'Pass','InputPath':null,'Parameters':{'k':1,'in.$':'$'},'ResultPath':'$.r','End':true"),
         "{'a':1}", NULL, "SUCCEEDED {\"a\":1,\"r\":{\"k\":1,\"in\":{}}}"},
        {ONE("'Type':'Succeed','InputPath':'$.a','OutputPath':null"), "{'a':1}", NULL, "SUCCEEDED {}"},
    };

    run_rows(rows, sizeof(rows) / sizeof(*rows));
}

#define CHOICE(rule)                                                                                         \
    "{'StartAt':'A','States':{'A':{'Type':'Choice','Choices':[{" rule                                        \
    ",'Next':'Y'}],'Default':'N'},'Y':{'Type':"                                                              \
    "'Pass','Result':'yes','End':true},'N':{'Type':'Pass','Result':'no','End':true}}}"
#define YES NULL, "SUCCEEDED \"yes\""
#define NO NULL, "SUCCEEDED \"no\""
#define INVALID NULL, "~The choice state's condition path references an invalid value."

static void test_choice(void **state)
{
    static const row rows[] = {
        {CHOICE("'Variable':'$.v','StringMatches':'a\\\\*c'"), "{'v':'a*c'}", YES},
        {CHOICE("'Variable':'$.v','StringMatches':'a\\\\*c'"), "{'v':'abc'}", NO},
        {CHOICE("'Variable':'$.v','StringMatches':'*a*b*'"), "{'v':'xxaxxbxx'}", YES},
        {CHOICE("'Variable':'$.v','StringMatches':'*'"), "{'v':''}", YES},
        {CHOICE("'Variable':'$.v','StringMatches':'*.zip'"), "{'v':7}", NO},
        {CHOICE("'Variable':'$.v','StringMatches':'log-\\\\\\\\*'"), "{'v':'log-\\\\x'}", YES},
        {CHOICE("'Variable':'$.v','StringGreaterThan':'a'"), "{'v':'B'}", NO},
        {CHOICE("'Variable':'$.v','NumericEquals':1"), "{'v':1.0}", YES},
        {CHOICE("'Variable':'$.v','NumericEquals':1"), "{'v':'1'}", NO},
        {CHOICE("'Variable':'$.v','NumericEqualsPath':'$.w'"), "{'v':1,'w':1.0}", YES},
        {CHOICE("'Variable':'$.v','NumericEqualsPath':'$.w'"), "{'v':1,'w':'1'}", NO},
        {CHOICE("'Variable':'$.v','NumericEqualsPath':'$.w'"), "{'v':1}", INVALID},
        {CHOICE("'Variable':'$.v','NumericEqualsPath':'$$.Execution.Input.v'"), "{'v':1}", YES},
        {CHOICE("'Variable':'$.v','TimestampEquals':'2020-01-01T00:00:00Z'"),
         "{'v':'2020-01-01T01:00:00+01:00'}", YES},
        {CHOICE("'Variable':'$.v','TimestampLessThan':'2020-01-01T00:00:00.5Z'"),
         "{'v':'2020-01-01T00:00:00Z'}", YES},
        {CHOICE("'Variable':'$.v','TimestampEquals':'2020-01-01T00:00:00Z'"), "{'v':'text'}", NO},
        {CHOICE("'Variable':'$.v','IsTimestamp':true"), "{'v':'2020-01-01T00:00:00'}", NO},
        {CHOICE("'Variable':'$.v','IsTimestamp':true"), "{'v':'2020-01-01t00:00:00z'}", NO},
        {CHOICE("'Variable':'$.v','IsTimestamp':false"), "{'v':5}", YES},
        {CHOICE("'Variable':'$.v','IsTimestamp':true"), "{'v':'2024-02-29T00:00:00Z'}", YES},
        {CHOICE("'Variable':'$.v','IsTimestamp':true"), "{'v':'2023-02-29T00:00:00Z'}", NO},
        {CHOICE("'Variable':'$.v','IsNull':true"), "{}", INVALID},
        {CHOICE("'Variable':'$.v','IsString':false"), "{}", INVALID},
        {CHOICE("'Variable':'$.v','IsPresent':true"), "{'v':null}", YES},
        {CHOICE("'Variable':'$.v.w','IsPresent':false"), "{'v':7}", YES},
        {CHOICE("'Variable':'$.v[1]','IsPresent':true"), "{'v':[0]}", NO},
        {CHOICE("'Variable':'$.v','BooleanEqualsPath':'$.w'"), "{'v':false,'w':false}", YES},
        {CHOICE("'Variable':'$.v','BooleanEquals':true"), "{'v':'true'}", NO},
        {CHOICE("'And':[{'Variable':'$.v','IsPresent':true},{'Variable':'$.v','StringEquals':'x'}]"), "{}",
         NO},
        {CHOICE("'Or':[{'Variable':'$.v','IsPresent':false},{'Variable':'$.v','StringEquals':'x'}]"), "{}",
         YES},
        {CHOICE(
             "'Not':{'And':[{'Variable':'$.v','IsNumeric':true},{'Variable':'$.v','NumericGreaterThan':3}]}"),
         "{'v':3}", YES},
    };

    run_rows(rows, sizeof(rows) / sizeof(*rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wait),  cmocka_unit_test(test_fail),    cmocka_unit_test(test_catch),
        cmocka_unit_test(test_retry), cmocka_unit_test(test_context), cmocka_unit_test(test_choice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
