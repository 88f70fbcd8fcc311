/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Step Functions with a clock that stands still: what an execution does, and that a restart changes nothing.
 */
#include "cloud/api/mediaconvert.h"
#include "cloud/api/states.h"
#include "test_cloud_help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <signal.h>
#include <sys/stat.h>

#define PASS "{'StartAt':'A','States':{'A':{'Type':'Pass','End':true}}}"
#define WAIT5                                                                                                \
    "{'StartAt':'W','States':{'W':{'Type':'Wait','Seconds':5,'Next':'A'},'A':{'Type':'Pass','End':true}}}"

static json_t *describe(bed *b, const char *arn)
{
    json_t *out = bed_call(b, "states", "DescribeExecution", "{'executionArn':'%s'}", arn);
    assert_non_null(out);
    return out;
}

static const char *output_of(bed *b, const char *arn)
{
    return bed_text(describe(b, arn), "output");
}

static json_t *create(bed *b, const char *name, const char *definition)
{
    return bed_call_json(
        b, "states", "CreateStateMachine",
        json_pack("{s:s, s:s, s:s}", "name", name, "definition", quoted(definition), "roleArn", TEST_ROLE));
}

static void test_pass(void **state)
{
    bed *b = *state;
    const char *arn = bed_start(b, "pass", PASS, "{'x':1}");
    assert_string_equal(bed_status(b, arn), "RUNNING");
    assert_int_equal(bed_pump(b), -1);
    json_t *out = describe(b, arn);
    assert_string_equal(json_string_value(json_object_get(out, "status")), "SUCCEEDED");
    assert_string_equal(json_string_value(json_object_get(out, "output")), "{\"x\":1}");
    assert_string_equal(json_string_value(json_object_get(out, "stateMachineArn")),
                        TEST_ARN "stateMachine:pass");
    assert_true(json_number_value(json_object_get(out, "stopDate")) == 1767225600.0);
    json_decref(out);
    assert_string_equal(bed_history(b, arn),
                        "ExecutionStarted PassStateEntered PassStateExited ExecutionSucceeded");
}

static void test_wait_and_restart(void **state)
{
    bed *b = *state;
    const char *arn = bed_start(b, "wait", WAIT5, "{}");
    assert_int_equal(bed_pump(b), b->now_ms + 5000);
    bed_restart(b);
    b->now_ms += 4999;
    assert_int_equal(bed_pump(b), b->now_ms + 1);
    assert_string_equal(bed_status(b, arn), "RUNNING");
    bed_restart(b);
    b->now_ms += 1;
    assert_int_equal(bed_pump(b), -1);
    assert_string_equal(bed_status(b, arn), "SUCCEEDED");
    assert_string_equal(bed_history(b, arn),
                        "ExecutionStarted WaitStateEntered WaitStateExited PassStateEntered "
                        "PassStateExited ExecutionSucceeded");
}

static void test_execution_timeout(void **state)
{
    bed *b = *state;
    const char *arn = bed_start(
        b, "limit",
        "{'StartAt':'W','TimeoutSeconds':3,'States':{'W':{'Type':'Wait','Seconds':50,'End':true}}}", "{}");
    assert_int_equal(bed_pump(b), b->now_ms + 3000);
    b->now_ms += 3000;
    bed_pump(b);
    assert_string_equal(bed_status(b, arn), "TIMED_OUT");
}

static void test_many_waits(void **state)
{
    bed *b = *state;
    const char *first = bed_start(b, "many", WAIT5, "{}");
    for (int i = 1; i < 200; i++)
        json_decref(bed_call(b, "states", "StartExecution",
                             "{'stateMachineArn':'" TEST_ARN "stateMachine:many','name':'e%d'}", i));
    bed_pump(b);
    bed_restart(b);
    b->now_ms += 5000;
    assert_int_equal(bed_pump(b), -1);
    assert_string_equal(bed_status(b, first), "SUCCEEDED");
    json_t *running =
        bed_call(b, "states", "ListExecutions",
                 "{'stateMachineArn':'" TEST_ARN "stateMachine:many','statusFilter':'RUNNING'}");
    assert_int_equal(json_array_size(json_object_get(running, "executions")), 0);
    json_decref(running);
}

static void test_task_of_own_service(void **state)
{
    bed *b = *state;
    bed_start(b, "child", PASS, "{}");
    const char *arn = bed_start(
        b, "parent",
        "{'StartAt':'T','States':{'T':{'Type':'Task','Resource':'arn:aws:states:::aws-sdk:sfn:startExecution'"
        ","
        "'Parameters':{'StateMachineArn':'" TEST_ARN "stateMachine:child','Name':'n1','Input':'{}'},"
        "'Next':'D'},'D':{'Type':'Task','Resource':'arn:aws:states:::aws-sdk:sfn:describeExecution',"
        "'Parameters':{'ExecutionArn.$':'$.ExecutionArn'},'End':true}}}",
        "{}");
    bed_pump(b);
    json_t *out = json_loads(output_of(b, arn), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(out, "StateMachineArn")),
                        TEST_ARN "stateMachine:child");
    assert_string_equal(json_string_value(json_object_get(out, "StartDate")), "2026-01-01T00:00:00.000Z");
    json_decref(out);
    assert_string_equal(bed_status(b, TEST_ARN "execution:child:n1"), "SUCCEEDED");
    assert_string_equal(
        bed_history(b, arn),
        "ExecutionStarted TaskStateEntered TaskScheduled TaskStarted TaskSucceeded TaskStateExited "
        "TaskStateEntered TaskScheduled TaskStarted TaskSucceeded TaskStateExited "
        "ExecutionSucceeded");
}

static void test_put_events(void **state)
{
    bed *b = *state;
    const char *machine =
        "{'StartAt':'T','States':{'T':{'Type':'Task','End':true,"
        "'Resource':'arn:aws:states:::events:putEvents','Parameters':{'Entries':[{'Source.$':"
        "'$.source','DetailType':'t','Detail':{'a.$':'$.n'}}]}}}}";
    const char *good = bed_start(b, "put", machine, "{'source':'mine','n':[1]}");
    bed_pump(b);
    json_t *out = json_loads(output_of(b, good), 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(out, "FailedEntryCount")), 0);
    json_decref(out);
    const char *bad = bed_start(b, "put", machine, "{'source':'aws.s3','n':1}");
    bed_pump(b);
    out = describe(b, bad);
    assert_string_equal(json_string_value(json_object_get(out, "error")), "EventBridge.FailedEntry");
    assert_non_null(strstr(json_string_value(json_object_get(out, "cause")), "NotAuthorizedForSource"));
    json_decref(out);
}

static void test_error_names(void **state)
{
    bed *b = *state;
    const char *arn = bed_start(
        b, "errors",
        "{'StartAt':'T','States':{'T':{'Type':'Task','Resource':'arn:aws:states:::aws-sdk:sfn:"
        "describeExecution',"
        "'Parameters':{'ExecutionArn':'" TEST_ARN "execution:a:b'},'End':true,"
        "'Catch':[{'ErrorEquals':['Sfn.ExecutionDoesNotExistException'],'ResultPath':'$.e','Next':'F'}]},"
        "'F':{'Type':'Fail','ErrorPath':'$.e.Error','CausePath':'$.e.Cause'}}}",
        "{}");
    bed_pump(b);
    json_t *out = describe(b, arn);
    assert_string_equal(json_string_value(json_object_get(out, "error")),
                        "Sfn.ExecutionDoesNotExistException");
    assert_non_null(strstr(json_string_value(json_object_get(out, "cause")),
                           "Execution Does Not Exist: '" TEST_ARN
                           "execution:a:b' (Service: Sfn, Status Code: 400, "
                           "Request ID: "));
    json_decref(out);
}

#define SYNC(PATTERN)                                                                                        \
    "{'StartAt':'T','States':{'T':{'Type':'Task','Resource':'arn:aws:states:::states:startExecution" PATTERN \
    "','Parameters':{'StateMachineArn.$':'$.child','Input':{'a':1}},'End':true}}}"

static void test_sync_2(void **state)
{
    bed *b = *state;
    bed_start(b, "child", WAIT5, "{}");
    const char *arn = bed_start(b, "parent", SYNC(".sync:2"), "{'child':'" TEST_ARN "stateMachine:child'}");
    bed_pump(b);
    assert_string_equal(bed_status(b, arn), "RUNNING");
    bed_restart(b);
    b->now_ms += 5000;
    bed_pump(b);
    assert_string_equal(bed_status(b, arn), "SUCCEEDED");
    json_t *out = json_loads(output_of(b, arn), 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(out, "Output"), "a")), 1);
    assert_string_equal(json_string_value(json_object_get(out, "Status")), "SUCCEEDED");
    assert_true(json_is_integer(json_object_get(out, "StopDate")));
    json_decref(out);
    assert_string_equal(bed_history(b, arn),
                        "ExecutionStarted TaskStateEntered TaskScheduled TaskStarted "
                        "TaskSubmitted TaskSucceeded TaskStateExited ExecutionSucceeded");
}

static void test_sync_failure(void **state)
{
    bed *b = *state;
    bed_start(b, "child", "{'StartAt':'F','States':{'F':{'Type':'Fail','Error':'E','Cause':'C'}}}", "{}");
    const char *arn = bed_start(b, "parent", SYNC(".sync"), "{'child':'" TEST_ARN "stateMachine:child'}");
    bed_pump(b);
    json_t *out = describe(b, arn);
    assert_string_equal(json_string_value(json_object_get(out, "status")), "FAILED");
    assert_string_equal(json_string_value(json_object_get(out, "error")), "States.TaskFailed");
    json_t *cause = json_loads(json_string_value(json_object_get(out, "cause")), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(cause, "Status")), "FAILED");
    assert_string_equal(json_string_value(json_object_get(cause, "Error")), "E");
    json_decref(cause);
    json_decref(out);
}

static void test_stop(void **state)
{
    bed *b = *state;
    bed_start(b, "child", WAIT5, "{}");
    const char *arn = bed_start(b, "parent", SYNC(".sync"), "{'child':'" TEST_ARN "stateMachine:child'}");
    bed_pump(b);
    json_t *stopped =
        bed_call(b, "states", "StopExecution", "{'executionArn':'%s','error':'E','cause':'C'}", arn);
    assert_non_null(json_object_get(stopped, "stopDate"));
    json_decref(stopped);
    json_t *out = describe(b, arn);
    assert_string_equal(json_string_value(json_object_get(out, "status")), "ABORTED");
    assert_string_equal(json_string_value(json_object_get(out, "error")), "E");
    assert_string_equal(json_string_value(json_object_get(out, "cause")), "C");
    json_decref(out);
    assert_non_null(strstr(bed_history(b, arn), "ExecutionAborted"));
    json_t *list = bed_call(b, "states", "ListExecutions",
                            "{'stateMachineArn':'" TEST_ARN "stateMachine:child','statusFilter':'ABORTED'}");
    assert_int_equal(json_array_size(json_object_get(list, "executions")), 1); /* with its parent */
    json_decref(list);
    b->now_ms += 60000;
    bed_pump(b);
    assert_string_equal(bed_status(b, arn), "ABORTED");
    json_decref(bed_call(b, "states", "StopExecution", "{'executionArn':'%s'}", arn)); /* again: no harm */
    assert_string_equal(b->code, "");
}

static void test_stop_before_first_step(void **state)
{
    bed *b = *state;
    const char *arn = bed_start(b, "never", WAIT5, "{}");
    json_decref(bed_call(b, "states", "StopExecution", "{'executionArn':'%s'}", arn));
    bed_pump(b);
    assert_string_equal(bed_status(b, arn), "ABORTED");
}

static void test_stops_itself(void **state)
{
    bed *b = *state;
    const char *arn = bed_start(
        b, "self",
        "{'StartAt':'T','States':{'T':{'Type':'Task','Resource':'arn:aws:states:::aws-sdk:sfn:stopExecution',"
        "'Parameters':{'ExecutionArn.$':'$$.Execution.Id','Error':'Mine'},'Next':'A'},"
        "'A':{'Type':'Pass','Next':'W'},'W':{'Type':'Wait','Seconds':9,'End':true}}}",
        "{}");
    bed_pump(b);
    json_t *out = describe(b, arn);
    assert_string_equal(json_string_value(json_object_get(out, "status")), "ABORTED");
    assert_string_equal(json_string_value(json_object_get(out, "error")), "Mine");
    json_decref(out);
}

/* A loop of tasks that takes longer than a slice of time goes on in the next, others in between. */
static void test_long_loop(void **state)
{
    bed *b = *state;
    const char *loop = bed_start(
        b, "loop",
        "{'StartAt':'T','States':{'T':{'Type':'Task','Resource':'arn:aws:states:::"
        "aws-sdk:sfn:listStateMachines',"
        "'Parameters':{'MaxResults':1},'ResultPath':null,'Next':'C'},'C':{'Type':'Choice','Choices':[{"
        "'Variable':'$.gone','IsPresent':true,'Next':'E'}],'Default':'T'},'E':{'Type':'Succeed'"
        "}}}",
        "{}");
    const char *other = bed_start(b, "other", WAIT5, "{}");
    bed_pump(b);
    json_t *out = describe(b, loop);
    assert_string_equal(json_string_value(json_object_get(out, "status")), "FAILED"); /* 25,000 events */
    json_decref(out);
    b->now_ms += 5000;
    bed_pump(b);
    assert_string_equal(bed_status(b, other), "SUCCEEDED");
}

static void test_create(void **state)
{
    bed *b = *state;
    json_decref(create(b, "m", PASS));
    assert_string_equal(b->code, "");
    json_decref(create(b, "m", PASS));
    assert_string_equal(b->code, "");
    json_decref(create(b, "m", WAIT5));
    assert_string_equal(b->code, "StateMachineAlreadyExists");
    json_decref(create(b, "n", "{'StartAt':'A',\n 'States':{}}}"));
    assert_string_equal(b->code, "InvalidDefinition");
    assert_non_null(strstr(b->message, "Invalid State Machine Definition: 'INVALID_JSON_DESCRIPTION"));
    assert_non_null(strstr(b->message, "line 2"));
    json_decref(create(b, "n", "{'StartAt':'B','States':{'A':{'Type':'Pass','End':true}}}"));
    assert_string_equal(b->code, "InvalidDefinition");
    json_decref(create(b, "bad name", PASS));
    assert_string_equal(b->code, "InvalidName");
    json_decref(create(b, "n",
                       "{'StartAt':'A','States':{'A':{'Type':'Task','End':true,"
                       "'Resource':'arn:aws:states:::aws-sdk:dynamodb:getItem'}}}"));
    assert_string_equal(b->code, "InvalidDefinition");
    assert_non_null(strstr(b->message, "dynamodb"));
    assert_non_null(strstr(b->message, "/States/A/Resource"));
    json_decref(bed_call(b, "states", "CreateStateMachine", "{'name':'n','definition':'{}','roleArn':'x'}"));
    assert_string_equal(b->code, "InvalidArn");
    json_decref(bed_call(b, "states", "CreateStateMachine",
                         "{'name':'n','definition':'{}','roleArn':'" TEST_ROLE "','type':'FAST'}"));
    assert_string_equal(b->code, "ValidationException");
    json_decref(bed_call(b, "states", "CreateStateMachine", "{'name':'n','roleArn':'" TEST_ROLE "'}"));
    assert_string_equal(b->code, "ValidationException");
    json_decref(bed_call(b, "states", "CreateStateMachine", "{'name':1}"));
    assert_string_equal(b->code, "SerializationException");
}

static void test_start_errors(void **state)
{
    bed *b = *state;
    json_decref(create(b, "m", WAIT5));
    const char *machine = "'stateMachineArn':'" TEST_ARN "stateMachine:m'";
    json_t *one = bed_call(b, "states", "StartExecution", "{%s,'name':'e','input':'{}'}", machine);
    json_t *again = bed_call(b, "states", "StartExecution", "{%s,'name':'e','input':'{}'}", machine);
    assert_true(json_equal(one, again));
    json_decref(one);
    json_decref(again);
    json_decref(bed_call(b, "states", "StartExecution", "{%s,'name':'e','input':'[]'}", machine));
    assert_string_equal(b->code, "ExecutionAlreadyExists");
    bed_pump(b);
    b->now_ms += 5000;
    bed_pump(b);
    json_decref(bed_call(b, "states", "StartExecution", "{%s,'name':'e','input':'{}'}", machine));
    assert_string_equal(b->code, "ExecutionAlreadyExists"); /* it has ended */
    json_decref(bed_call(b, "states", "StartExecution", "{%s,'name':'a/b'}", machine));
    assert_string_equal(b->code, "InvalidName");
    json_decref(bed_call(b, "states", "StartExecution", "{%s,'input':'{'}", machine));
    assert_string_equal(b->code, "InvalidExecutionInput");
    assert_non_null(strstr(b->message, "line 1"));
    json_decref(bed_call(b, "states", "StartExecution", "{'stateMachineArn':'" TEST_ARN "stateMachine:no'}"));
    assert_string_equal(b->code, "StateMachineDoesNotExist");
    json_decref(bed_call(b, "states", "StartExecution", "{'stateMachineArn':'arn:aws:lambda:x'}"));
    assert_string_equal(b->code, "InvalidArn");
    char *large = malloc(300000);
    memset(large, '1', 300000);
    large[299999] = '\0';
    json_decref(
        bed_call_json(b, "states", "StartExecution",
                      json_pack("{s:s, s:s}", "stateMachineArn", TEST_ARN "stateMachine:m", "input", large)));
    assert_string_equal(b->code, "ValidationException");
    free(large);
}

static void test_update_and_delete(void **state)
{
    bed *b = *state;
    const char *arn = bed_start(b, "m", WAIT5, "{}");
    bed_pump(b);
    b->now_ms += 1000;
    json_t *updated = bed_call_json(
        b, "states", "UpdateStateMachine",
        json_pack("{s:s, s:s}", "stateMachineArn", TEST_ARN "stateMachine:m", "definition", quoted(PASS)));
    assert_non_null(json_object_get(updated, "revisionId"));
    json_decref(updated);
    const char *old =
        bed_text(bed_call(b, "states", "DescribeStateMachineForExecution", "{'executionArn':'%s'}", arn),
                 "definition");
    assert_string_equal(old, quoted(WAIT5));
    const char *now = bed_text(
        bed_call(b, "states", "DescribeStateMachine", "{'stateMachineArn':'" TEST_ARN "stateMachine:m'}"),
        "definition");
    assert_string_equal(now, quoted(PASS));
    json_decref(
        bed_call(b, "states", "UpdateStateMachine", "{'stateMachineArn':'" TEST_ARN "stateMachine:m'}"));
    assert_string_equal(b->code, "MissingRequiredParameter");
    json_decref(
        bed_call(b, "states", "DeleteStateMachine", "{'stateMachineArn':'" TEST_ARN "stateMachine:m'}"));
    bed_restart(b);
    b->now_ms += 4000;
    bed_pump(b);
    assert_string_equal(bed_status(b, arn), "SUCCEEDED");
    json_decref(
        bed_call(b, "states", "DescribeStateMachine", "{'stateMachineArn':'" TEST_ARN "stateMachine:m'}"));
    assert_string_equal(b->code, "StateMachineDoesNotExist");
}

static void test_pages(void **state)
{
    bed *b = *state;
    char token[128] = "";
    size_t seen = 0, index;
    json_int_t expected = 6;
    json_t *event;
    const char *arn = bed_start(b, "m", WAIT5, "{'secret':1}");
    bed_pump(b);
    b->now_ms += 5000;
    bed_pump(b);
    do {
        json_t *page = bed_call(b, "states", "GetExecutionHistory",
                                "{'executionArn':'%s','maxResults':4,'reverseOrder':true,"
                                "'includeExecutionData':false%s}",
                                arn, token);
        json_array_foreach(json_object_get(page, "events"), index, event)
        {
            assert_int_equal(json_integer_value(json_object_get(event, "id")), expected--);
            seen++;
        }
        char *text = json_dumps(page, 0);
        assert_null(strstr(text, "secret"));
        free(text);
        const char *next = json_string_value(json_object_get(page, "nextToken"));
        token[0] = '\0';
        if (next)
            snprintf(token, sizeof(token), ",'nextToken':'%s'", next);
        json_decref(page);
    } while (token[0]);
    assert_int_equal(seen, 6);
    json_decref(bed_call(b, "states", "GetExecutionHistory", "{'executionArn':'%s','nextToken':'h'}", arn));
    assert_string_equal(b->code, "InvalidToken");
    for (int i = 0; i < 5; i++)
        json_decref(
            bed_call(b, "states", "StartExecution", "{'stateMachineArn':'" TEST_ARN "stateMachine:m'}"));
    json_t *first = bed_call(b, "states", "ListExecutions",
                             "{'stateMachineArn':'" TEST_ARN "stateMachine:m','maxResults':5}");
    assert_int_equal(json_array_size(json_object_get(first, "executions")), 5);
    json_t *second = bed_call(b, "states", "ListExecutions",
                              "{'stateMachineArn':'" TEST_ARN "stateMachine:m','nextToken':'%s'}",
                              json_string_value(json_object_get(first, "nextToken")));
    assert_int_equal(json_array_size(json_object_get(second, "executions")), 1);
    assert_null(json_object_get(second, "nextToken"));
    json_decref(first);
    json_decref(second);
}

static void test_machines(void **state)
{
    bed *b = *state;
    json_t *list;
    json_decref(create(b, "b", PASS));
    json_decref(create(b, "a", PASS));
    json_decref(create(b, "c", PASS));
    list = bed_call(b, "states", "ListStateMachines", "{'maxResults':2}");
    const char *next = json_string_value(json_object_get(list, "nextToken"));
    json_t *rest = bed_call(b, "states", "ListStateMachines", "{'nextToken':'%s'}", next);
    assert_int_equal(json_array_size(json_object_get(list, "stateMachines")), 2);
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(json_object_get(rest, "stateMachines"), 0), "name")),
        "c");
    json_decref(list);
    json_decref(rest);
    json_decref(bed_call(b, "states", "TagResource",
                         "{'resourceArn':'" TEST_ARN "stateMachine:a','tags':[{'key':'k','value':'v'}]}"));
    assert_string_equal(b->code, "");
    list = bed_call(b, "states", "ListTagsForResource", "{'resourceArn':'" TEST_ARN "stateMachine:a'}");
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(json_object_get(list, "tags"), 0), "value")), "v");
    json_decref(list);
    list = bed_call(b, "states", "ValidateStateMachineDefinition", "{'definition':'{}'}");
    assert_string_equal(json_string_value(json_object_get(list, "result")), "FAIL");
    assert_true(json_array_size(json_object_get(list, "diagnostics")) > 0);
    json_decref(list);
}

/* A stored state that cannot be read (a fault of the disk, a newer program) fails its execution, visibly. */
static void test_broken_state(void **state)
{
    bed *b = *state;
    sh_execution e;
    sh_arena *arena = sh_arena_new(1 << 20);
    const char *arn = bed_start(b, "m", WAIT5, "{}");
    bed_pump(b);
    assert_int_equal(sh_execution_get(b->cloud->db, arena, arn, &e, NULL), 0);
    e.state = "{\"no\":\"state\"}";
    assert_int_equal(sh_execution_save(b->cloud->db, &e, e.timer_ms, false, NULL), 0);
    sh_arena_free(arena);
    b->now_ms += 5000;
    assert_int_equal(bed_pump(b), -1);
    json_t *out = describe(b, arn);
    assert_string_equal(json_string_value(json_object_get(out, "status")), "FAILED");
    assert_string_equal(json_string_value(json_object_get(out, "error")), "States.Runtime");
    assert_non_null(json_object_get(out, "cause"));
    json_decref(out);
    assert_string_equal(bed_history(b, arn), "ExecutionStarted WaitStateEntered ExecutionFailed");
}

/* One that can neither be stepped nor be failed is tried again after a minute, and holds up no other. */
static void test_stuck(void **state)
{
    bed *b = *state;
    sh_db *db = b->cloud->db;
    char stuck[512];
    snprintf(stuck, sizeof(stuck), "%s", bed_start(b, "stuck", WAIT5, "{}"));
    const char *other = bed_start(b, "m", WAIT5, "{}");
    bed_pump(b);
    assert_int_equal(sh_db_run(db, NULL,
                               "CREATE TRIGGER stuck BEFORE UPDATE OF state ON executions"
                               " WHEN OLD.arn LIKE '%:stuck:%' BEGIN SELECT RAISE(ABORT, 'stuck'); END",
                               ""),
                     0);
    b->now_ms += 5000;
    assert_int_equal(bed_pump(b), b->now_ms + 60000);
    assert_string_equal(bed_status(b, other), "SUCCEEDED");
    assert_string_equal(bed_status(b, stuck), "RUNNING");
    assert_int_equal(sh_db_run(db, NULL, "DROP TRIGGER stuck", ""), 0);
    b->now_ms += 60000;
    bed_pump(b);
    assert_string_equal(bed_status(b, stuck), "SUCCEEDED");
}

#define JOB                                                                                                  \
    "{'StartAt':'J','States':{'J':{'Type':'Task','Resource':'arn:aws:states:::mediaconvert:createJob.sync'," \
    "'Parameters':{'Role':'" TEST_ROLE                                                                       \
    "','UserMetadata':{'Film':'x'},'Settings':{'TimecodeConfig':{'Source':"                                  \
    "'ZEROBASED'},'OutputGroups':[{'Name':'Apple HLS','Outputs':[{'ContainerSettings':{'Container':'M3U8',"  \
    "'M3u8Settings':{}},'NameModifier':'_x','VideoDescription':{'CodecSettings':{'Codec':'H_264',"           \
    "'H264Settings':{'MaxBitrate':1000000,'RateControlMode':'QVBR'}}}}],'OutputGroupSettings':{'Type':"      \
    "'HLS_GROUP_SETTINGS','HlsGroupSettings':{'SegmentLength':6,'MinSegmentLength':0,'Destination':"         \
    "'s3://streams/hls/'}}}],'Inputs':[{'VideoSelector':{},'TimecodeSource':'ZEROBASED','FileInput':"        \
    "'s3://source/a.mp4'}]}},'End':true}}}"

static int take_job(void *opaque, const sh_mcjob *job)
{
    snprintf(opaque, 64, "%s", job->id);
    return 1;
}

/* Ends the only job there is, as its runner would. */
static void end_job(bed *b, const char *status)
{
    char id[64] = "";
    sh_mcjob job;
    sh_arena *arena = sh_arena_new(1 << 20);
    assert_int_equal(sh_mcjob_list(b->cloud->db, &(sh_mcjob_query){.limit = 1}, take_job, id, NULL), 0);
    assert_int_equal(sh_db_begin(b->cloud->db, NULL), 0);
    assert_int_equal(sh_mcjob_get(b->cloud->db, arena, id, &job, NULL), 0);
    job.status = status;
    job.finished_ms = b->now_ms;
    job.error = strcmp(status, "ERROR") == 0 ? "not a video" : "";
    assert_int_equal(sh_mcjob_save(b->cloud->db, &job, "SUBMITTED", NULL), 0);
    assert_int_equal(sh_mc_announce(b->cloud, &job, b->now_ms, NULL), 0);
    assert_int_equal(sh_db_end(b->cloud->db, 0, NULL), 0);
    sh_arena_free(arena);
}

static void test_job_completes(void **state)
{
    bed *b = *state;
    const char *arn = bed_start(b, "job", JOB, "{}");
    assert_int_equal(bed_pump(b), -1);
    json_t *now = describe(b, arn);
    if (json_object_get(now, "cause"))
        fail_msg("%s", json_string_value(json_object_get(now, "cause")));
    json_decref(now);
    bed_restart(b);
    end_job(b, "COMPLETE");
    bed_restart(b);
    bed_pump(b);
    assert_string_equal(bed_status(b, arn), "SUCCEEDED");
    json_t *out = json_loads(output_of(b, arn), 0, NULL);
    json_t *job = json_object_get(out, "Job");
    assert_string_equal(json_string_value(json_object_get(job, "Status")), "COMPLETE");
    assert_string_equal(json_string_value(json_object_get(json_object_get(job, "UserMetadata"), "Film")),
                        "x");
    json_decref(out);
}

static void test_job_fails(void **state)
{
    bed *b = *state;
    const char *arn = bed_start(b, "job", JOB, "{}");
    bed_pump(b);
    end_job(b, "ERROR");
    bed_pump(b);
    json_t *out = describe(b, arn);
    assert_string_equal(json_string_value(json_object_get(out, "error")), "States.TaskFailed");
    json_t *cause = json_loads(json_string_value(json_object_get(out, "cause")), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(cause, "ErrorMessage")), "not a video");
    json_decref(cause);
    json_decref(out);
}

static void test_stop_cancels_job(void **state)
{
    bed *b = *state;
    int64_t count = 0;
    const char *arn = bed_start(b, "job", JOB, "{}");
    bed_pump(b);
    json_decref(bed_call(b, "states", "StopExecution", "{'executionArn':'%s'}", arn));
    assert_string_equal(b->code, "");
    assert_int_equal(sh_mcjob_count(b->cloud->db, "Default", "CANCELED", &count, NULL), 0);
    assert_int_equal(count, 1);
    bed_pump(b);
    assert_string_equal(bed_status(b, arn), "ABORTED");
}

static void test_bad_job(void **state)
{
    bed *b = *state;
    const char *arn = bed_start(
        b, "job",
        "{'StartAt':'J','States':{'J':{'Type':'Task','End':true,'Parameters':{'Role':'x','Settings':{}},"
        "'Resource':'arn:aws:states:::mediaconvert:createJob.sync'}}}",
        "{}");
    bed_pump(b);
    json_t *out = describe(b, arn);
    assert_string_equal(json_string_value(json_object_get(out, "error")), "MediaConvert.BadRequestException");
    assert_non_null(strstr(json_string_value(json_object_get(out, "cause")),
                           "(Service: AWSMediaConvert; Status "
                           "Code: 400; Error Code: "
                           "BadRequestException; Request ID: "));
    json_decref(out);
}

/* A full disk: nothing can be started or stepped, and all goes on as if nothing had been once there is room.
 */
static void test_full_disk(void **state)
{
    bed *b = *state;
    char path[128];
    int64_t next_ms;
    struct stat st;
    struct rlimit kept, low;
    sh_err err = {0};
    const char *arn = bed_start(b, "m", WAIT5, "{}");
    bed_pump(b);
    b->now_ms += 5000;
    snprintf(path, sizeof(path), "%s/spyhop.db-wal", b->folder);
    assert_int_equal(stat(path, &st), 0);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &kept);
    low = (struct rlimit){(rlim_t)st.st_size, kept.rlim_max};
    setrlimit(RLIMIT_FSIZE, &low);
    json_decref(bed_call(b, "states", "StartExecution", "{'stateMachineArn':'" TEST_ARN "stateMachine:m'}"));
    char code[128];
    snprintf(code, sizeof(code), "%s", b->code);
    int status = sh_flows_pump(b->cloud, &next_ms, &err);
    setrlimit(RLIMIT_FSIZE, &kept);
    assert_true(strcmp(code, "ServiceUnavailable") == 0 || strcmp(code, "InternalServerError") == 0);
    assert_true(sh_run_outage(status));
    assert_string_equal(bed_status(b, arn), "RUNNING");
    bed_pump(b);
    assert_string_equal(bed_status(b, arn), "SUCCEEDED");
    assert_string_equal(bed_history(b, arn),
                        "ExecutionStarted WaitStateEntered WaitStateExited PassStateEntered "
                        "PassStateExited ExecutionSucceeded");
}

#define BED(test) cmocka_unit_test_setup_teardown(test, bed_setup, bed_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED(test_pass),
        BED(test_wait_and_restart),
        BED(test_execution_timeout),
        BED(test_many_waits),
        BED(test_task_of_own_service),
        BED(test_put_events),
        BED(test_error_names),
        BED(test_sync_2),
        BED(test_sync_failure),
        BED(test_stop),
        BED(test_stop_before_first_step),
        BED(test_stops_itself),
        BED(test_long_loop),
        BED(test_create),
        BED(test_start_errors),
        BED(test_update_and_delete),
        BED(test_pages),
        BED(test_machines),
        BED(test_broken_state),
        BED(test_stuck),
        BED(test_job_completes),
        BED(test_job_fails),
        BED(test_stop_cancels_job),
        BED(test_bad_job),
        BED(test_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
