/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TestState. */
#include "test_states_help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *test_state(bed *b, const char *definition, const char *more)
{
    char text[4096];
    snprintf(text, sizeof(text), "{%s}", more);
    json_t *in = json_loads(quoted(text), 0, NULL);
    assert_non_null(in);
    json_object_set_new(in, "definition", json_string(quoted(definition)));
    return bed_call_json(b, "states", "TestState", in);
}

#define TASK                                                                                                 \
    "'Type':'Task','Resource':'arn:aws:states:::aws-sdk:sfn:listStateMachines','Parameters':{'MaxResults':"  \
    "1}"

static void test_one_state(void **state)
{
    bed *b = *state;
    static const struct {
        const char *definition, *more, *wanted;
    } rows[] = {
        {"{'Type':'Pass','InputPath':'$.payload','Parameters':{'data':1},'ResultPath':'$.result','OutputPath'"
         ":"
         "'$.result.data','Next':'Another State'}",
         "'inspectionLevel':'DEBUG'",
         "{'output':'1','inspectionData':{'input':'{%payload%: {%foo%: "
         "%bar%}}','afterInputPath':'{%foo%:%bar%}',"
         "'afterParameters':'{%data%:1}','afterResultSelector':'{%data%:1}','afterResultPath':'{%payload%:{%"
         "foo%:"
         "%bar%},%result%:{%data%:1}}'},'nextState':'Another State','status':'SUCCEEDED'}"},
        {"{'Type':'Choice','Choices':[{'Variable':'$.payload.foo','StringEquals':'bar','Next':'X'}]}",
         "'revealSecrets':false",
         "{'output':'{%payload%: {%foo%: %bar%}}','nextState':'X','status':'SUCCEEDED'}"},
        {"{'Type':'Succeed'}", "'inspectionLevel':'INFO'",
         "{'output':'{%payload%: {%foo%: %bar%}}','status':'SUCCEEDED'}"},
        {"{'Type':'Fail','Error':'E','Cause':'C'}", "'inspectionLevel':'INFO'",
         "{'error':'E','cause':'C','status':'FAILED'}"},
        {"{'Type':'Wait','Seconds':100,'Next':'N'}", "'inspectionLevel':'INFO'",
         "{'output':'{%payload%: {%foo%: %bar%}}','nextState':'N','status':'SUCCEEDED'}"},
        {"{'Type':'Wait','Seconds':301,'Next':'N'}", "'inspectionLevel':'INFO'",
         "{'error':'States.Timeout','status':'FAILED'}"},
        {"{" TASK ",'ResultSelector':{'n.$':'$.StateMachines'},'End':true}", "'roleArn':'" TEST_ROLE "'",
         "{'output':'{%n%:[]}','status':'SUCCEEDED'}"},
        {"{" TASK ",'End':true}", "'mock':{'result':'7'}", "{'output':'7','status':'SUCCEEDED'}"},
        {"{" TASK ",'End':true,'Retry':[{'ErrorEquals':['E'],'IntervalSeconds':2}]}",
         "'mock':{'errorOutput':{'error':'E','cause':'C'}},'stateConfiguration':{'retrierRetryCount':2}",
         "{'error':'E','cause':'C','status':'RETRIABLE'}"},
        {"{" TASK ",'End':true,'Catch':[{'ErrorEquals':['States.ALL'],'Next':'N'}]}",
         "'mock':{'errorOutput':{'error':'E','cause':'C'}}",
         "{'output':'{%Error%:%E%,%Cause%:%C%}','error':'E','cause':'C','nextState':'N','status':'CAUGHT_"
         "ERROR'}"},
        {"{'StartAt':'M','States':{'M':{'Type':'Map','ItemProcessor':{'StartAt':'I','States':{'I':{'Type':'"
         "Pass',"
         "'Result':5,'End':true}}},'End':true}}}",
         "'stateName':'I'", "{'output':'5','status':'SUCCEEDED'}"},
        {"{'StartAt':'M','States':{'M':{'Type':'Map','ItemsPath':'$.payload','ToleratedFailureCount':1,'"
         "ItemProcessor':{"
         "'ProcessorConfig':{'Mode':'DISTRIBUTED','ExecutionType':'STANDARD'},"
         "'StartAt':'I','States':{'I':{'Type':'Pass','End':true}}},'End':true}}}",
         "'stateName':'M','input':'{%payload%:[1,2]}','mock':{'result':'[1,2]'},'stateConfiguration':{'"
         "mapIterationFailureCount':2}",
         "{'error':'States.ExceedToleratedFailureThreshold','cause':'The specified tolerated failure "
         "threshold was exceeded',"
         "'status':'FAILED'}"},
        {"{'Type':'Map','ItemsPath':'$.payload','ToleratedFailureCount':1,'ItemProcessor':{'StartAt':'I','"
         "States':{"
         "'I':{'Type':'Pass','End':true}}},'End':true}",
         "'input':'{%payload%:[1,2]}','mock':{'result':'[3,4]'},'inspectionLevel':'DEBUG'",
         "{'output':'[3,4]','inspectionData':{'input':'{%payload%:[1,2]}','afterInputPath':'{%payload%:[1,2]}"
         "',"
         "'afterItemsPath':'[1,2]','result':'[3,4]','afterResultSelector':'[3,4]'"
         ","
         "'afterResultPath':'[3,4]','maxConcurrency':0,'toleratedFailureCount':1},'status':'SUCCEEDED'}"},
        {"{'Type':'Pass','Assign':{'w.$':'$v'},'End':true}", "'variables':'{%v%:1}'",
         "{'output':'{%payload%: {%foo%: %bar%}}','status':'SUCCEEDED'}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char more[4096], wanted[4096];
        snprintf(more, sizeof(more), "%s%s",
                 strstr(rows[i].more, "'input'") ? "" : "'input':'{%payload%: {%foo%: %bar%}}',",
                 rows[i].more);
        for (char *p = more; (p = strstr(p, "%"));) { /* a quote within a text */
            memmove(p + 2, p + 1, strlen(p));
            memcpy(p, "\\\x01", 2);
        }
        for (char *p = more; *p; p++)
            *p = *p == '\x01' ? '"' : *p;
        snprintf(wanted, sizeof(wanted), "%s", quoted(rows[i].wanted));
        for (char *p = wanted; (p = strstr(p, "%"));) {
            memmove(p + 2, p + 1, strlen(p));
            memcpy(p, "\\\x01", 2);
        }
        for (char *p = wanted; *p; p++)
            *p = *p == '\x01' ? '"' : *p;
        json_t *out = test_state(b, rows[i].definition, more), *expected = json_loads(wanted, 0, NULL);
        assert_non_null(expected);
        char *shown = json_dumps(out, 0);
        if (!out || !json_equal(out, expected))
            fail_msg("row %zu: %s %s %s", i, shown ? shown : "", b->code, b->message);
        free(shown);
        json_decref(out);
        json_decref(expected);
    }
}

static void test_bad_tests(void **state)
{
    bed *b = *state;
    static const struct {
        const char *definition, *more, *code, *message;
    } rows[] = {
        {"{" TASK ",'End':true}", "", "ValidationException",
         "RoleArn must be specified when testing a Task state"},
        {"{'Type':'Pass','End':true}", "'mock':{'result':'1'}", "ValidationException",
         "State type 'Pass' is not supported when a mock is specified"},
        {"{'Type':'Parallel','Branches':[" PASS "],'End':true}", "", "InvalidDefinition",
         "TestState API does not support Map or Parallel states. Supported state types include: [Task, Wait, "
         "Pass, "
         "Succeed, Fail, Choice]"},
        {"{" TASK ",'End':true}", "'mock':{'result':'1','errorOutput':{'error':'e'}}", "ValidationException",
         "A test mock should have only one of the following fields: [result, errorOutput]."},
        {"{" TASK ",'End':true}", "'mock':{'result':'{'}", "ValidationException",
         "Mocked result must be valid JSON"},
        {"{" TASK ",'End':true}", "'mock':{'result':'1'},'revealSecrets':true", "ValidationException",
         "TestState does not support RevealSecrets when a mock is specified."},
        {"{'Type':'Parallel','Branches':[" PASS "],'End':true}", "'mock':{'result':'{}'}",
         "ValidationException", "Mocked result must be an array."},
        {PASS, "'stateName':'Z'", "ValidationException", "State not found in definition"},
        {"{'Type':'Pass'}", "", "InvalidDefinition", "Invalid State Machine Definition: '"},
        {"{'Type':'Task','Resource':'" TEST_ARN "activity:a','End':true}", "", "InvalidDefinition", ""},
        {"{'Type':'Pass','End':true}", "'input':'{'", "InvalidExecutionInput", ""},
        {"{'Type':'Pass','End':true}", "'variables':'[]'", "ValidationException", ""},
        {"{'Type':'Pass','End':true}", "'context':'{}'", "ValidationException", ""},
        {"{'Type':'Pass','End':true}", "'inspectionLevel':'ALL'", "ValidationException", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        json_decref(test_state(b, rows[i].definition, rows[i].more));
        if (strcmp(b->code, rows[i].code) != 0 ||
            strncmp(b->message, rows[i].message, strlen(rows[i].message)) != 0)
            fail_msg("row %zu: %s: %s", i, b->code, b->message);
    }
}

/* A state that waits holds the call. */
static void test_a_wait_is_tested(void **state)
{
    bed *b = *state;
    waiting w;
    assert_int_equal(
        call_waiting(b, &w, "TestState",
                     json_pack("{s:s}", "definition", "{\"Type\":\"Wait\",\"Seconds\":5,\"End\":true}")),
        SH_CALL_LATER);
    b->now_ms += 5000;
    assert_int_equal(sh_states_test(&w.call), 0);
    assert_string_equal(text_of(w.call.out, "status"), "SUCCEEDED");
    end_waiting(b, &w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED(test_one_state),
        BED(test_bad_tests),
        BED(test_a_wait_is_tested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
