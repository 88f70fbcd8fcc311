/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Definitions that are refused, and what the message says. ' stands for ". */
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
#define TASK "'Type':'Task','Resource':'arn:aws:states:::aws-sdk:ssm:sendCommand'"

static const struct {
    const char *definition, *wanted;
} rows[] = {
    /* JSON */
    {"", "INVALID_JSON_DESCRIPTION"},
    {"{\n  'StartAt': 'A',\n}", "line 3, column 1"},
    {"{'StartAt':'A','States':{'A':{'Type':'Succeed'}}}}", "INVALID_JSON_DESCRIPTION"},
    {"{'StartAt':'A','States':{'A':{'Type':'Succeed'}}", "INVALID_JSON_DESCRIPTION"},
    {ONE("'Type':'Pass','End':true,'End':true"), "duplicate"},
    {ONE("'Type':'Pass','End':true,'Comment':'\\ud800'"), "INVALID_JSON_DESCRIPTION"},
    {ONE("'Type':'Pass','End':true,'Result':123456789012345678901"), "too big"},
    /* one brace too many, noticed by a parser only at the end */
    {"{\n 'StartAt':'A',\n 'States':{\n  'A':{\n   'Type':'Pass',\n   'Parameters':{\n    'a':{\n     "
     "'b':1\n    }\n    }\n   },"
     "\n   'End':true\n  }\n }\n}",
     "at line 15, column 1; the brackets do not line up from line 10, column 5 on"},
    {"[]", "Expected value of type Object at /"},
    {"1", "Expected value of type Object at /"},
    /* the machine */
    {"{}", "These fields are required: [StartAt]"},
    {"{'StartAt':'A'}", "These fields are required: [States]"},
    {"{'StartAt':'A','States':{}}", "at least one state at /States"},
    {"{'StartAt':'B','States':{'A':{'Type':'Succeed'}}}",
     "'MISSING_TRANSITION_TARGET: Missing 'Next' target: B at /StartAt (line 1, column 12), "
     "MISSING_TRANSITION_TARGET: State \"A\" is not reachable. at "
     "/States/A (line 1, column 30)'"},
    {"{'StartAt':1,'States':{'A':{'Type':'Succeed'}}}", "Expected value of type String at /StartAt"},
    {"{'StartAt':'A','States':{'A':{'Type':'Succeed'}},'Stats':{}}", "Field 'Stats' is not supported at / "},
    {"{'StartAt':'A','States':{'A':{'Type':'Succeed'}},'TimeoutSeconds':0}", "value is"},
    {"{'StartAt':'A','States':{'A':{'Type':'Pass','Next':'B'}}}",
     "MISSING_TRANSITION_TARGET: Missing 'Next' target: B at /States/A/Next"},
    {"{'StartAt':'A','States':{'A':{'Type':'Succeed'},'B':{'Type':'Succeed'}}}",
     "MISSING_TRANSITION_TARGET: State \"B\" is not reachable. at /States/B"},
    /* as AWS words them, and in its order */
    {"{'StartAt':'A','States':{'A':{'Type':'Pass','Next':'B'},'B':{'Type':'Pass','Next':'A'}}}",
     "'MISSING_END_STATE: Workflow has no terminal state at null'"},
    {"{'StartAt':'A','States':{'A':{'Type':'Pass','Next':'B'},'B':{'Type':'Pass','Next':'A'},'C':{'Type':'"
     "Pass',"
     "'End':true}}}",
     "'MISSING_TRANSITION_TARGET: State \"C\" is not reachable. at /States/C (line"},
    {"{'StartAt':'A','States':{'A':{'Type':'Pass','Next':'NOPE'}}}",
     "Missing 'Next' target: NOPE at /States/A/Next (line 1, column 52), MISSING_END_STATE: Workflow has no "
     "terminal "
     "state at null'"},
    {"{'StartAt':'p','States':{'p':{'Type':'Pass','Next':'q'},'r':{'Type':'Pass','End':true}}}",
     "MISSING_TRANSITION_TARGET: State \"r\" is not reachable. at /States/r"},
    {"{'StartAt':'Not sure','States':{'P':{'Type':'Succeed'}}}",
     "MISSING_TRANSITION_TARGET: Missing 'Next' target: Not sure at /StartAt"},
    {"{'StartAt':'A','States':{'A':[]}}", "Expected value of type Object at /States/A"},
    {"{'StartAt':'','States':{'':{'Type':'Succeed'}}}", "1 to 80 characters"},
    {"{'StartAt':'A','QueryLanguage':'JSONata','States':{'A':{'Type':'Succeed','QueryLanguage':'JSONPath'}}}",
     "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine at /States/A "},
    {"{'StartAt':'A','QueryLanguage':'JQ','States':{'A':{'Type':'Succeed'}}}", "must be JSONPath or JSONata"},
    /* states */
    {ONE("'End':true"), "These fields are required: [Type] at /States/A"},
    {ONE("'Type':'Loop'"), "Value is not a state type"},
    {ONE("'Type':'Pass'"), "These fields are required: [Next]"},
    {ONE("'Type':'Pass','Next':'A','End':true"), "should only be one of the following fields: [Next, End]"},
    {ONE("'Type':'Pass','End':'yes'"), "Expected value of type Boolean at /States/A/End"},
    {ONE("'Type':'Pass','End':true,'Seconds':1"), "Field 'Seconds' is not supported at /States/A "},
    {ONE("'Type':'Succeed','End':true"), "Field 'End' is not supported at /States/A "},
    {ONE("'Type':'Fail','Next':'A'"), "Field 'Next' is not supported at /States/A "},
    {ONE("'Type':'Fail','Error':'a','ErrorPath':'$.b'"),
     "only be one of the following fields: [Error, ErrorPath]"},
    {ONE("'Type':'Fail','CausePath':'$.['"), "/States/A/CausePath"},
    {ONE("'Type':'Pass','End':true,'InputPath':'x'"), "Value must be a valid JSONPath"},
    {ONE("'Type':'Pass','End':true,'ResultPath':'$.a[*]'"), "not a Reference Path"},
    {ONE("'Type':'Pass','End':true,'ResultPath':'$$.a'"), "can write to the state's input only"},
    {ONE("'Type':'Pass','End':true,'Parameters':{'a':[{'b.$':'x'}]}"),
     "The value for the field 'b.$' must be a valid JSONPath or a valid intrinsic function call"},
    {ONE("'Type':'Pass','End':true,\n'Parameters':{\n'b.$':1}"),
     "The value for the field 'b.$' must be a STRING that contains a JSONPath but was a NUMBER at "
     "/States/A/Parameters (line 3, column 7)"},
    {ONE("'Type':'Pass','End':true,'Parameters':{'a':[{'b.$':'x'}]}"),
     "at /States/A/Parameters/a[0] (line 1, column 82)"},
    {ONE("'Type':'Pass','End':true,'Parameters':{'b.$':1}"), "must be a STRING"},
    {ONE("'Type':'Pass','End':true,'Parameters':{'b.$':'$','b':1}"), "stands twice"},
    {ONE("'Type':'Pass','End':true,'Output':{}"),
     "The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for the 'JSONata' "
     "QueryLanguage at /States/A "},
    {ONE("'Type':'Pass','End':true,'QueryLanguage':'JSONata','InputPath':'$'"),
     "The QueryLanguage is set to 'JSONata', but field 'InputPath' is only supported for the 'JSONPath' "
     "QueryLanguage at /States/A "},
    /* Wait */
    {ONE("'Type':'Wait','End':true"), "one of the following fields: [Seconds, "},
    {ONE("'Type':'Wait','End':true,'Seconds':1,'Timestamp':'2020-01-01T00:00:00Z'"),
     "one of the following fields: [Seconds, "},
    {ONE("'Type':'Wait','End':true,'Seconds':1,'SecondsPath':'$.a'"), "only be one of the following fields"},
    {ONE("'Type':'Wait','End':true,'Seconds':-1"), "value is"},
    {ONE("'Type':'Wait','End':true,'Seconds':1.5"), "Expected value of type Integer"},
    {ONE("'Type':'Wait','End':true,'Timestamp':'tomorrow'"), "RFC 3339"},
    /* Choice */
    {ONE("'Type':'Choice'"), "These fields are required: [Choices]"},
    {ONE("'Type':'Choice','Choices':[]"), "array of 1 to"},
    {ONE("'Type':'Choice','Choices':[{'Variable':'$','IsNull':true}]"),
     "These fields are required: [Next] at /States/A/Choices[0]"},
    {ONE("'Type':'Choice','Choices':[{'Variable':'$','IsNull':true,'Next':'Z'}]"),
     "target: Z at /States/A/Choices[0]/Next"},
    {ONE("'Type':'Choice','Choices':[{'Variable':'$','IsNull':true,'Next':'A'}],'Default':'Z'"),
     "Missing 'Next' target: Z"},
    /* Task */
    {ONE("'Type':'Task','End':true"), "These fields are required: [Resource]"},
    {ONE("'Type':'Task','End':true,'Resource':'ssm:sendCommand'"), "Value is not a valid resource ARN"},
    {ONE("'Type':'Task','End':true,'Resource':'arn:aws:states:::ssm'"), "SERVICE:ACTION expected"},
    {ONE("'Type':'Task','End':true,'Resource':'arn:aws:states:::mediaconvert:createJob.async'"),
     "unknown pattern"},
    {ONE("'Type':'Task','End':true,'Resource':'arn:aws:states:::aws-sdk:ssm:sendCommand.sync'"),
     "no .sync pattern"},
    {ONE("'Type':'Task','End':true,'Resource':'arn:aws:sqs:eu-west-1:012345678901:q'"),
     "not a valid resource ARN"},
    {ONE(TASK ",'End':true,'TimeoutSeconds':0"), "value is"},
    {ONE(TASK ",'End':true,'TimeoutSeconds':5,'HeartbeatSeconds':5"), "HeartbeatSeconds must be less than"},
    {ONE(TASK ",'End':true,'TimeoutSeconds':5,'TimeoutSecondsPath':'$.a'"),
     "only be one of the following fields"},
    {ONE(TASK ",'End':true,'Credentials':1"), "Expected value of type Object at /States/A/Credentials"},
    {ONE(TASK ",'End':true,'ResultSelector':1"), "Expected value of type Object"},
    {ONE(TASK ",'End':true,'Retry':{}"), "Expected an array"},
    {ONE(TASK ",'End':true,'Retry':[{}]"), "These fields are required: [ErrorEquals] at /States/A/Retry[0]"},
    {ONE(TASK ",'End':true,'Retry':[{'ErrorEquals':[]}]"), "/States/A/Retry[0]/ErrorEquals"},
    {ONE(TASK ",'End':true,'Retry':[{'ErrorEquals':['States.ALL','X']}]"), "States.ALL must appear alone"},
    {ONE(TASK ",'End':true,'Retry':[{'ErrorEquals':['States.ALL']},{'ErrorEquals':['X']}]"),
     "must appear alone and at end of list"},
    {ONE(TASK ",'End':true,'Retry':[{'ErrorEquals':['X'],'BackoffRate':0.5}]"), "value is"},
    {ONE(TASK ",'End':true,'Retry':[{'ErrorEquals':['X'],'IntervalSeconds':0}]"), "value is"},
    {ONE(TASK ",'End':true,'Retry':[{'ErrorEquals':['X'],'MaxAttempts':-1}]"), "value is"},
    {ONE(TASK ",'End':true,'Retry':[{'ErrorEquals':['X'],'JitterStrategy':'SOME'}]"), "FULL or NONE"},
    {ONE(TASK ",'End':true,'Retry':[{'ErrorEquals':['X'],'Attempts':1}]"),
     "Field 'Attempts' is not supported at"},
    {ONE(TASK ",'End':true,'Catch':[{'ErrorEquals':['X']}]"),
     "These fields are required: [Next] at /States/A/Catch[0]"},
    {ONE(TASK ",'End':true,'Catch':[{'ErrorEquals':['X'],'Next':'Q'}]"),
     "Missing 'Next' target: Q at /States/A/Catch[0]/Next"},
    {ONE(TASK ",'End':true,'Catch':[{'ErrorEquals':['X'],'Next':'A','Output':{}}]"),
     "field 'Output' is only supported for the 'JSONata' QueryLanguage"},
    /* Parallel, Map */
    {ONE("'Type':'Parallel','End':true"), "[Branches]"},
    {ONE("'Type':'Parallel','End':true,'Branches':[{}]"), "/States/A/Branches[0]"},
    {ONE("'Type':'Parallel','End':true,'Branches':[{'StartAt':'A','States':{'A':{'Type':'Succeed'}}}]"),
     "DUPLICATE_STATE_NAME"},
    {ONE("'Type':'Map','End':true"), "[ItemProcessor]"},
#define GOES "'StartAt':'B','States':{'B':{'Type':'Succeed'}}}"
#define APART                                                                                                \
    "'Type':'Map','End':true,'ItemProcessor':{'ProcessorConfig':{'Mode':'DISTRIBUTED','ExecutionType':'"     \
    "STANDARD'}," GOES
    {ONE("'Type':'Map','End':true,'ItemProcessor':{'ProcessorConfig':{'Mode':'DISTRIBUTED'}," GOES),
     "ExecutionType is required when Mode is DISTRIBUTED at /States/A/ItemProcessor/ProcessorConfig"},
    {ONE("'Type':'Map','End':true,'ItemProcessor':{'ProcessorConfig':{'Mode':'ELSEWHERE'}," GOES),
     "Value is not one of: INLINE, DISTRIBUTED at /States/A/ItemProcessor/ProcessorConfig/Mode"},
    {ONE("'Type':'Map','End':true,'ItemReader':{'Resource':'arn:aws:states:::s3:getObject'},'ItemProcessor':"
         "{" GOES),
     "ItemReader needs a ProcessorConfig with Mode DISTRIBUTED at /States/A/ItemReader"},
    {ONE(APART ",'ItemReader':{}"), "These fields are required: [Resource] at /States/A/ItemReader"},
    {ONE(APART ",'ItemReader':{'Resource':'arn:aws:states:::s3:putObject'}"),
     "/States/A/ItemReader/Resource"},
    {ONE(APART
         ",'ItemReader':{'Resource':'arn:aws:states:::s3:getObject','ReaderConfig':{'InputType':'XML'}}"),
     "Value is not one of: CSV, JSON, JSONL, PARQUET, MANIFEST at "
     "/States/A/ItemReader/ReaderConfig/InputType"},
    {ONE(APART
         ",'ItemReader':{'Resource':'arn:aws:states:::s3:getObject','ReaderConfig':{'InputType':'CSV'}}"),
     "[CSVHeaderLocation]"},
    {ONE(APART ",'ItemReader':{'Resource':'arn:aws:states:::s3:getObject','ReaderConfig':{'InputType':'CSV',"
               "'CSVHeaderLocation':'GIVEN'}}"),
     "[CSVHeaders]"},
    {ONE(APART ",'ItemReader':{'Resource':'arn:aws:states:::s3:getObject','ReaderConfig':{'MaxItems':-1}}"),
     "Minimum value is 0 at /States/A/ItemReader/ReaderConfig/MaxItems"},
    {ONE(APART ",'ItemBatcher':{}"), "MaxItemsPerBatch or MaxInputBytesPerBatch at /States/A/ItemBatcher"},
    {ONE(APART ",'ItemBatcher':{'MaxInputBytesPerBatch':262145}"),
     "/States/A/ItemBatcher/MaxInputBytesPerBatch"},
    {ONE(APART ",'ResultWriter':{}"),
     "needs Resource and Parameters, or WriterConfig at /States/A/ResultWriter"},
    {ONE(APART ",'ResultWriter':{'Resource':'arn:aws:states:::s3:putObject'}"),
     "both Resource and Parameters"},
    {ONE(APART ",'MaxConcurrencyPath':'$$.Execution.Input.n'"),
     "Value is not a Reference Path at /States/A/MaxConcurrencyPath"},
    {ONE(APART ",'ItemBatcher':{'MaxItemsPerBatchPath':'$.n[*]'}"),
     "Value is not a Reference Path at /States/A/ItemBatcher/MaxItemsPerBatchPath"},
    {ONE(APART ",'Label':'a b'"), "A Label has at most 40 characters"},
    {ONE(APART ",'ToleratedFailurePercentage':101"), "value is"},
};

static void test_refused(void **state)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char *text = check_json(rows[i].definition);
        json_t *problems = NULL;
        sh_flow *flow = NULL;
        sh_err err = {0};
        int status = sh_flow_parse(&flow, text, strlen(text), &problems, &err);

        if (!status)
            fail_msg("accepted: %s", text);
        assert_null(flow);
        check_contains(text, err.message, rows[i].wanted);
        assert_int_equal(status,
                         strstr(rows[i].wanted, "not supported yet") ? SH_E_UNSUPPORTED : SH_E_FORMAT);
        assert_true(json_array_size(problems) > 0);
        json_decref(problems);
        free(text);
    }
}

static void test_limits(void **state)
{
    size_t size = SH_FLOW_DEFINITION_MAX + 1;
    char *big = malloc(size);
    sh_flow *flow = NULL;
    sh_err err = {0};

    memset(big, ' ', size);
    assert_int_equal(sh_flow_parse(&flow, big, size, NULL, &err), SH_E_LIMIT);
    memset(big, '[', size);
    assert_int_equal(sh_flow_parse(&flow, big, 100000, NULL, &err), SH_E_FORMAT);
    memset(big + 1000, ']', 1000);
    assert_int_equal(sh_flow_parse(&flow, big, 2000, NULL, &err), SH_E_LIMIT);
    assert_null(flow);
    free(big);
}

/* More findings than a message holds: all are in the list, the message says that it was cut. */
static void test_many_problems(void **state)
{
    char *text = NULL, *json;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    json_t *problems = NULL;
    sh_flow *flow = NULL;
    sh_err err = {0};

    fprintf(out, "{'StartAt':'S0','States':{\n");
    for (int i = 0; i < 50; i++)
        fprintf(out, "'S%d':{'Type':'Pass','Next':'Nowhere%d','InputPath':'x'}%s\n", i, i,
                i < 49 ? "," : "}}");
    fclose(out);
    json = check_json(text);
    assert_int_equal(sh_flow_parse(&flow, json, strlen(json), &problems, &err), SH_E_FORMAT);
    assert_int_equal(json_array_size(problems), 100);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(problems, 57), "line")), 9);
    check_contains("cut", err.message, ", …'");
    json_decref(problems);
    free(json);
    free(text);
}

static void test_accepted(void **state)
{
    static const char *const fine[] = {
        /* a cycle that can be left */
        "{'StartAt':'A','States':{'A':{'Type':'Pass','Next':'B'},'B':{'Type':'Choice','Choices':[{'Variable':"
        "'$.x',"
        "'IsPresent':true,'Next':'C'}],'Default':'A'},'C':{'Type':'Succeed'}}}",
        "{'Comment':'c','Version':'1.0','QueryLanguage':'JSONPath','StartAt':'A','States':{'A':{'Type':'"
        "Succeed','Comment':'x'}}}",
        ONE("'Type':'Task','End':true,'Resource':'arn:aws:lambda:eu-west-1:012345678901:function:f:live'"),
        ONE("'Type':'Task','End':true,'Resource':'arn:aws:states:eu-west-1:012345678901:activity:a'"),
        ONE("'Type':'Task','End':true,'Resource':'arn:aws:states:::states:startExecution.sync:2'"),
        ONE("'Type':'Task','End':true,'Resource':'arn:aws-cn:states:::aws-sdk:sfn:startExecution."
            "waitForTaskToken'"),
        ONE("'Type':'Pass','End':true,'InputPath':null,'OutputPath':null,'ResultPath':null"),
    };

    for (size_t i = 0; i < sizeof(fine) / sizeof(*fine); i++) {
        char *text = check_json(fine[i]);
        json_t *problems = NULL;
        sh_flow *flow = NULL;
        sh_err err = {0};

        if (sh_flow_parse(&flow, text, strlen(text), &problems, &err))
            fail_msg("%s: %s", text, err.message);
        assert_int_equal(json_array_size(problems), 0);
        json_decref(problems);
        sh_flow_free(flow);
        free(text);
    }
}

/* What is allowed and most likely not meant. */
static void test_warnings(void **state)
{
    static const struct {
        const char *definition, *code, *location;
    } hints[] = {
        {ONE("'Type':'Pass','End':true,'Parameters':{'a':{'b':'$.x.y'}}"), "NO_DOLLAR",
         "/States/A/Parameters/a/b"},
        {ONE("'Type':'Pass','End':true,'Parameters':{'l':[{'b':'States.UUID()'}]}"), "NO_DOLLAR",
         "/States/A/Parameters/l[0]/b"},
        {ONE("'Type':'Pass','End':true,'Parameters':{'b':'$$.State.Name'}"), "NO_DOLLAR",
         "/States/A/Parameters/b"},
        {ONE("'Type':'Pass','End':true,'Parameters':{'b':'$5'}"), NULL, NULL},
        {ONE("'Type':'Pass','End':true,'Result':{'b.$':'$.x'}"), "PASS_RESULT_IS_STATIC",
         "/States/A/Result/b.$"},
        {ONE("'Type':'Pass','End':true,'Result':{'b':'$.x'}"), NULL, NULL},
    };

    for (size_t i = 0; i < sizeof(hints) / sizeof(*hints); i++) {
        char *text = check_json(hints[i].definition);
        json_t *problems = NULL, *first;
        sh_flow *flow = NULL;

        assert_int_equal(sh_flow_parse(&flow, text, strlen(text), &problems, NULL), 0);
        assert_int_equal(json_array_size(problems), hints[i].code != NULL);
        if (hints[i].code) {
            first = json_array_get(problems, 0);
            check_equal("severity", json_string_value(json_object_get(first, "severity")), "WARNING");
            check_equal("code", json_string_value(json_object_get(first, "code")), hints[i].code);
            check_equal("location", json_string_value(json_object_get(first, "location")), hints[i].location);
        }
        json_decref(problems);
        sh_flow_free(flow);
        free(text);
    }
}

static void test_resources(void **state)
{
    static const struct {
        const char *arn;
        sh_flow_kind kind;
        sh_flow_pattern pattern;
        const char *service, *action;
    } wanted[] = {
        {"arn:aws:states:::aws-sdk:ssm:getCommandInvocation", SH_FLOW_AWS_SDK, SH_FLOW_REQUEST_RESPONSE,
         "ssm", "getCommandInvocation"},
        {"arn:aws:states:::mediaconvert:createJob.sync", SH_FLOW_OPTIMIZED, SH_FLOW_SYNC, "mediaconvert",
         "createJob"},
        {"arn:aws:states:::states:startExecution.sync:2", SH_FLOW_OPTIMIZED, SH_FLOW_SYNC_2, "states",
         "startExecution"},
        {"arn:aws:states:::lambda:invoke.waitForTaskToken", SH_FLOW_OPTIMIZED, SH_FLOW_TASK_TOKEN, "lambda",
         "invoke"},
        {"arn:aws:lambda:eu-west-1:012345678901:function:f", SH_FLOW_LAMBDA, SH_FLOW_REQUEST_RESPONSE,
         "lambda", "invoke"},
        {"arn:aws:states:eu-west-1:012345678901:activity:a", SH_FLOW_ACTIVITY, SH_FLOW_REQUEST_RESPONSE,
         "states", "activity"},
    };

    for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
        char *text = NULL, *json;
        const sh_flow_resource *r;
        const char *name = NULL;
        sh_flow *flow = NULL;

        assert_true(asprintf(&text, ONE("'Type':'Task','End':true,'Resource':'%s'"), wanted[i].arn) > 0);
        json = check_json(text);
        assert_int_equal(sh_flow_parse(&flow, json, strlen(json), NULL, NULL), 0);
        r = sh_flow_resource_at(flow, 0, &name);
        assert_string_equal(name, "A");
        assert_string_equal(r->arn, wanted[i].arn);
        assert_string_equal(r->service, wanted[i].service);
        assert_string_equal(r->action, wanted[i].action);
        assert_int_equal(r->kind, wanted[i].kind);
        assert_int_equal(r->pattern, wanted[i].pattern);
        assert_null(sh_flow_resource_at(flow, 1, NULL));
        sh_flow_free(flow);
        free(json);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),       cmocka_unit_test(test_limits),
        cmocka_unit_test(test_many_problems), cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_warnings),      cmocka_unit_test(test_resources),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
