/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* States in JSONata: every kind of state, failures of expressions with their events, what is refused at
 * creation; and Credentials in both languages. ' stands for ". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "check.h"
#include <stdlib.h>
#include <string.h>

#define SSM "'Type':'Task','Resource':'arn:aws:states:::aws-sdk:ssm:sendCommand'"
#define ONE(fields) "{'QueryLanguage':'JSONata','StartAt':'A','States':{'A':{" fields "}}}"
#define THEN(fields, more) "{'QueryLanguage':'JSONata','StartAt':'A','States':{'A':{" fields "}," more "}}"
#define AT "An error occurred while executing the state 'A' (entered at the event id #2). "

static void test_states(void **state)
{
    static const check_row rows[] = {
        {"pass", ONE("'Type':'Pass','End':true"), "{'a':1}", NULL, "SUCCEEDED {'a':1}"},
        {"output",
         ONE("'Type':'Pass','Output':{'b':'{% $states.input.a + 1 %}','c':['{% $states.context.State.Name "
             "%}','x',null]},'End':true"),
         "{'a':1}", NULL, "SUCCEEDED {'b':2,'c':['A','x',null]}"},
        {"one expression", ONE("'Type':'Pass','Output':'{%$states.input.a%}','End':true"), "{'a':[1]}", NULL,
         "SUCCEEDED [1]"},
        {"a constant", ONE("'Type':'Pass','Output':7,'End':true"), "{}", NULL, "SUCCEEDED 7"},
        {"'.$' means nothing", ONE("'Type':'Pass','Output':{'a.$':'$.b'},'End':true"), "{}", NULL,
         "SUCCEEDED {'a.$':'$.b'}"},
        {"succeed", ONE("'Type':'Succeed','Output':'{% $states.input.a %}'"), "{'a':5}", NULL, "SUCCEEDED 5"},
        {"fail",
         ONE("'Type':'Fail','Error':'{% $states.input.e %}','Cause':'{% `c` & $string($states.input.n) %}'"),
         "{'e':'E','n':1}", NULL, "FAILED E | c1"},
        {"wait",
         ONE("'Type':'Wait','Seconds':'{% $states.input.s %}','Output':'{% $states.input.s * 2 "
             "%}','End':true"),
         "{'s':3}", NULL, "SUCCEEDED 6", NULL, NULL, 3000},
        {"wait until", ONE("'Type':'Wait','Timestamp':'{% $states.input.t %}','End':true"),
         "{'t':'2023-11-14T22:13:25Z'}", NULL, "SUCCEEDED {'t':'2023-11-14T22:13:25Z'}", NULL, NULL, 5000},
        {"task",
         ONE(SSM ",'Arguments':{'i':'{% $states.input.a %}','k':'K'},'Output':{'r':'{% $states.result.v "
                 "%}','i':'{% "
                 "$states.input.a %}'},'End':true"),
         "{'a':1}", "[{'output':{'v':2}}]", "SUCCEEDED {'r':2,'i':1}", NULL, "[{'i':1,'k':'K'}]"},
        {"a task's result is its output", ONE(SSM ",'End':true"), "{'a':1}", "[{'output':{'v':2}}]",
         "SUCCEEDED {'v':2}"},
        {"times of a task", ONE(SSM ",'TimeoutSeconds':'{% $states.input.t %}','End':true"), "{'t':4}",
         "[{'silent':true}]", "FAILED States.Timeout | -", NULL, NULL, 4000},
        {"catch",
         THEN(SSM ",'Next':'Z','Catch':[{'ErrorEquals':['E'],'Next':'Z','Output':{'e':'{% "
                  "$states.errorOutput %}','i':'{% "
                  "$states.input %}'},'Assign':{'c':'{% $states.errorOutput.Cause %}'}}]",
              "'Z':{'Type':'Pass','Output':{'in':'{% $states.input %}','c':'{% $c %}'},'End':true}"),
         "1", "[{'error':'E','cause':'why'}]",
         "SUCCEEDED {'in':{'e':{'Error':'E','Cause':'why'},'i':1},'c':'why'}"},
        {"catch without Output",
         THEN(SSM ",'Next':'Z','Catch':[{'ErrorEquals':['E'],'Next':'Z'}]", "'Z':{'Type':'Succeed'}"), "1",
         "[{'error':'E','cause':'why'}]", "SUCCEEDED {'Error':'E','Cause':'why'}"},
        {"choice",
         THEN("'Type':'Choice','Choices':[{'Condition':'{% $states.input.n > 5 "
              "%}','Next':'Y','Output':'big'},{'Condition':'{% "
              "$states.input.n > 2 %}','Next':'Z','Assign':{'v':'{% $states.input.n "
              "%}'}}],'Default':'Y','Output':'none'",
              "'Y':{'Type':'Succeed'},'Z':{'Type':'Pass','Output':'{% $v %}','End':true}"),
         "{'n':3}", NULL, "SUCCEEDED 3"},
        {"choice, output of a rule",
         THEN("'Type':'Choice','Choices':[{'Condition':'{% true "
              "%}','Next':'Y','Output':'big'}],'Output':'none'",
              "'Y':{'Type':'Succeed'}"),
         "{'n':3}", NULL, "SUCCEEDED 'big'"},
        {"choice, a constant",
         THEN("'Type':'Choice','Choices':[{'Condition':false,'Next':'Y','Output':1},{'Condition':true,'Next':"
              "'Y','Output':2}]",
              "'Y':{'Type':'Succeed'}"),
         "{}", NULL, "SUCCEEDED 2"},
        {"choice, default",
         THEN("'Type':'Choice','Choices':[{'Condition':'{% false "
              "%}','Next':'Y'}],'Default':'Y','Output':'none'",
              "'Y':{'Type':'Succeed'}"),
         "{'n':3}", NULL, "SUCCEEDED 'none'"},
    };

    check_rows(rows, sizeof(rows) / sizeof(*rows));
}

static void test_nested(void **state)
{
    static const check_row rows[] = {
        {"parallel",
         ONE("'Type':'Parallel','Arguments':{'x':'{% $states.input.a %}'},'Output':'{% $states.result[0].x "
             "%}','End':true,'Branches':[{"
             "'StartAt':'P','States':{'P':{'Type':'Pass','End':true}}}]"),
         "{'a':4}", NULL, "SUCCEEDED 4"},
        {"map",
         ONE("'Type':'Map','Items':'{% $states.input.l %}','MaxConcurrency':'{% 1 "
             "%}','ItemSelector':{'i':'{% "
             "$states.context.Map.Item.Index %}','v':'{% $states.context.Map.Item.Value %}','a':'{% "
             "$states.input.a %}'},'End':true,"
             "'ItemProcessor':{'StartAt':'P','States':{'P':{'Type':'Pass','Output':'{% "
             "$string($states.input.v) & $states.input.a & "
             "$string($states.context.Map.Item.Index) %}','End':true}}}"),
         "{'l':[5,6],'a':'-'}", NULL, "SUCCEEDED ['5-0','6-1']"},
        {"map over constants",
         ONE("'Type':'Map','Items':[1,'{% 1 + 1 "
             "%}'],'End':true,'ItemProcessor':{'StartAt':'P','States':{'P':{'Type':'Pass',"
             "'End':true}}}"),
         "{}", NULL, "SUCCEEDED [1,2]"},
        {"variables",
         THEN("'Type':'Pass','Assign':{'x':'{% $states.input.a %}','y':{'z':'{% 2 %}'}},'Next':'B'",
              "'B':{'Type':'Pass','Assign':{'x':'{% $x + 1 %}'},'Output':'{% $x + $y.z "
              "%}','Next':'C'},'C':{'Type':'Pass',"
              "'Output':{'x':'{% $x %}','i':'{% $states.input %}'},'End':true}"),
         "{'a':1}", NULL, "SUCCEEDED {'x':2,'i':3}"},
        {"one state only",
         "{'StartAt':'A','States':{'A':{'Type':'Pass','Assign':{'v':1},'Next':'B'},'B':{'QueryLanguage':'"
         "JSONata','Type':'Pass','Output':'{% $v "
         "%}','Assign':{'w':'{% $v + 1 "
         "%}'},'Next':'C'},'C':{'Type':'Pass','Parameters':{'w.$':'$w','i.$':'$'},'End':true}}}",
         "{}", NULL, "SUCCEEDED {'w':2,'i':1}"},
        {"the token",
         ONE("'Type':'Task','Resource':'arn:aws:states:::sqs:sendMessage.waitForTaskToken','Arguments':{'t':'"
             "{% $length("
             "$states.context.Task.Token) > 0 %}'},'End':true"),
         "{}", "[{'output':1}]", "SUCCEEDED 1", NULL, "[{'t':true}]"},
    };

    check_rows(rows, sizeof(rows) / sizeof(*rows));
}

static void test_failures(void **state)
{
    static const check_row rows[] = {
        {"nothing", ONE("'Type':'Pass','Output':{'v':'{% $states.input.missing %}'},'End':true"), "{}", NULL,
         "FAILED States.QueryEvaluationError | " AT
         "The JSONata expression '$states.input.missing' specified for the field 'Output/v' "
         "returned nothing (undefined).",
         "ExecutionStarted PassStateEntered EvaluationFailed ExecutionFailed"},
        {"in an array", ONE("'Type':'Pass','Output':{'v':[1,'{% $x %}']},'End':true"), "{}", NULL,
         "~for the field 'Output/v[1]' returned nothing"},
        {"in Assign", ONE("'Type':'Pass','Assign':{'v':'{% $x %}'},'End':true"), "{}", NULL,
         "~for the field 'Assign/v' returned nothing"},
        {"threw", ONE("'Type':'Pass','Output':'{% $sum([`a`]) %}','End':true"), "{}", NULL,
         "FAILED States.QueryEvaluationError | " AT
         "The JSONata expression '$sum(['a'])' specified for the field 'Output' threw an error "
         "during evaluation. T0412: Argument 1 of function \"sum\" must be an array of \"numbers\""},
        {"caught",
         THEN(SSM ",'Arguments':'{% $x "
                  "%}','Next':'Z','Catch':[{'ErrorEquals':['States.QueryEvaluationError'],'Next':'Z'}]",
              "'Z':{'Type':'Pass','Output':'{% $states.input.Error %}','End':true}"),
         "{}", NULL, "SUCCEEDED 'States.QueryEvaluationError'",
         "ExecutionStarted TaskStateEntered EvaluationFailed TaskStateExited PassStateEntered "
         "PassStateExited ExecutionSucceeded"},
        {"retried",
         ONE(SSM
             ",'Arguments':'{% $x %}','End':true,'Retry':[{'ErrorEquals':['States.ALL'],'MaxAttempts':1}]"),
         "{}", NULL, "~returned nothing",
         "ExecutionStarted TaskStateEntered EvaluationFailed EvaluationFailed ExecutionFailed", NULL, 1000},
        {"a condition that is none",
         THEN("'Type':'Choice','Choices':[{'Condition':'{% 1 %}','Next':'Z'}]", "'Z':{'Type':'Succeed'}"),
         "{}", NULL,
         "~'1' specified for the field 'Choices[0]/Condition' returned an unexpected result type. Expected "
         "'boolean', but was "
         "'number' for value: 1"},
        {"items that are none",
         ONE("'Type':'Map','Items':'{% $states.input "
             "%}','End':true,'ItemProcessor':{'StartAt':'P','States':{'P':{'Type':"
             "'Succeed'}}}"),
         "{'a':1}", NULL,
         "~for the field 'Items' returned an unexpected result type. Expected 'array', but was 'object' for "
         "value: {\"a\":1}"},
        {"seconds that are none", ONE("'Type':'Wait','Seconds':'{% `1` %}','End':true"), "{}", NULL,
         "~for the field 'Seconds' returned an unexpected result type. Expected 'number', but was 'string' "
         "for value: \"1\""},
        {"no moment", ONE("'Type':'Wait','Timestamp':'{% `x` %}','End':true"), "{}", NULL,
         "~for the field 'Timestamp' returned"},
        {"a function", ONE("'Type':'Pass','Output':'{% $sum %}','End':true"), "{}", NULL,
         "~States.QueryEvaluationError"},
        {"after the branches of a Parallel",
         ONE("'Type':'Parallel','Output':'{% $x "
             "%}','End':true,'Branches':[{'StartAt':'P','States':{'P':{'Type':'Succeed'}}}]"),
         "{}", NULL, "~for the field 'Output' returned nothing",
         "ExecutionStarted ParallelStateEntered ParallelStateStarted SucceedStateEntered SucceedStateExited "
         "ParallelStateSucceeded EvaluationFailed ExecutionFailed"},
        {"in a Catch",
         THEN(SSM ",'Next':'Z','Catch':[{'ErrorEquals':['E'],'Next':'Z','Output':'{% $x %}'}]",
              "'Z':{'Type':'Succeed'}"),
         "{}", "[{'error':'E','cause':'c'}]",
         "~" AT "The JSONata expression '$x' specified for the field 'Catch[0]/Output' returned nothing",
         "ExecutionStarted TaskStateEntered TaskScheduled TaskStarted TaskFailed EvaluationFailed "
         "ExecutionFailed"},
    };

    check_rows(rows, sizeof(rows) / sizeof(*rows));
}

static void test_event(void **state)
{
    drive d;
    char *text, *wanted;

    check_run(&d, ONE("'Type':'Pass','Output':{'v':'{% $x %}'},'End':true"), "{}", NULL);
    text = sh_flow_text(json_object_get(json_array_get(d.history, 2), "evaluationFailedEventDetails"));
    wanted = check_json("{'error':'States.QueryEvaluationError','cause':'An error occurred while executing "
                        "the state `A` (entered at the event id #2). "
                        "The JSONata expression `$x` specified for the field `Output/v` returned nothing "
                        "(undefined).','location':'Output/v','state':"
                        "'A'}");
    check_equal("details", text, wanted);
    free(text);
    free(wanted);
    drive_free(&d);
}

static void test_refused(void **state)
{
    static const check_row rows[] = {
        {"syntax", ONE("'Type':'Pass','Output':{'v':'{% 1 + %}'},'End':true"), "{}", NULL,
         "~'INVALID_JSONATA_EXPRESSION: Unexpected end of expression at /States/A/Output/v "},
        {"a bare name", ONE("'Type':'Pass','Output':{'v':'{% phone.number %}'},'End':true"), "{}", NULL,
         "~UNSUPPORTED_JSONATA_EXPRESSION: Reference to 'phone' at the top level is not supported. at "
         "/States/A/Output/v "},
        {"bare names where there is something",
         ONE("'Type':'Pass','Output':'{% $states.input.l[a > 1].{`x`: b}.x %}','End':true"),
         "{'l':[{'a':2,'b':3}]}", NULL, "SUCCEEDED 3"},
        {"the root", ONE("'Type':'Pass','Output':'{% $$ %}','End':true"), "{}", NULL,
         "~UNSUPPORTED_JSONATA_EXPRESSION: "},
        {"no error here", ONE("'Type':'Pass','Output':'{% $states.errorOutput %}','End':true"), "{}", NULL,
         "~UNSUPPORTED_JSONATA_EXPRESSION: "},
        {"signs that do not match", ONE("'Type':'Pass','Output':'{% 1','End':true"), "{}", NULL,
         "~must be enclosed"},
        {"Parameters", ONE("'Type':'Pass','Parameters':{},'End':true"), "{}", NULL,
         "~The QueryLanguage is set to 'JSONata', but field 'Parameters' is only supported for the "
         "'JSONPath' QueryLanguage at /States/A "},
        {"ResultPath in Catch",
         ONE(SSM ",'End':true,'Catch':[{'ErrorEquals':['E'],'Next':'A','ResultPath':'$'}]"), "{}", NULL,
         "~field 'ResultPath' is only supported for the 'JSONPath'"},
        {"Variable",
         THEN("'Type':'Choice','Choices':[{'Variable':'$.a','IsNull':true,'Next':'Z'}]",
              "'Z':{'Type':'Succeed'}"),
         "{}", NULL, "~field 'Variable' is only supported for the 'JSONPath'"},
        {"no Condition", THEN("'Type':'Choice','Choices':[{'Next':'Z'}]", "'Z':{'Type':'Succeed'}"), "{}",
         NULL, "~These fields are required: [Condition] at /States/A/Choices[0]"},
        {"in ItemProcessor",
         ONE("'Type':'Map','End':true,'ItemProcessor':{'QueryLanguage':'JSONata','StartAt':'P','States':{'P':"
             "{'Type':'Succeed'}}}"),
         "{}", NULL, "~Field 'QueryLanguage' is not supported at /States/A/ItemProcessor "},
        {"the states inside of a Map have the language of the machine",
         "{'StartAt':'A','States':{'A':{'Type':'Map','QueryLanguage':'JSONata','End':true,'ItemProcessor':{'"
         "StartAt':'P','States':{'P':{'Type':'Pass',"
         "'Output':1,'End':true}}}}}}",
         "{}", NULL,
         "~field 'Output' is only supported for the 'JSONata' QueryLanguage at "
         "/States/A/ItemProcessor/States/P "},
    };

    check_rows(rows, sizeof(rows) / sizeof(*rows));
}

static void test_credentials(void **state)
{
    static const char *const definitions[] = {
        "{'StartAt':'A','States':{'A':{" SSM
        ",'Credentials':{'RoleArn.$':'$.r'},'Parameters':{},'End':true}}}",
        ONE(SSM ",'Credentials':{'RoleArn':'{% $states.input.r %}'},'Arguments':{},'End':true"),
    };

    for (size_t i = 0; i < 2; i++) {
        json_t *details;
        char *text;
        drive d;

        check_run(&d, definitions[i], "{'r':'arn:aws:iam::012345678901:role/x'}", NULL);
        details = json_object_get(json_array_get(d.history, 2), "taskScheduledEventDetails");
        text = sh_flow_text(json_object_get(details, "taskCredentials"));
        check_equal("credentials", text, "{\"roleArn\":\"arn:aws:iam::012345678901:role/x\"}");
        free(text);
        drive_free(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states), cmocka_unit_test(test_nested),  cmocka_unit_test(test_failures),
        cmocka_unit_test(test_event),  cmocka_unit_test(test_refused), cmocka_unit_test(test_credentials),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
