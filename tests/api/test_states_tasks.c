/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tasks that others end: tokens, activities, calls of S3; and executions that are driven again. The clock
 * stands still; nothing here waits. */
#include "cloud/api/front.h"
#include "cloud/api/states.h"
#include "cloud/store/objects.h"
#include "test_cloud_help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHILD "{'StartAt':'A','States':{'A':{'Type':'Wait','Seconds':5,'End':true}}}"
#define ASK                                                                                                  \
    "{'StartAt':'T','States':{'T':{'Type':'Task','End':true,'HeartbeatSeconds':10,'TimeoutSeconds':60,"      \
    "'Resource':'arn:aws:states:::states:startExecution.waitForTaskToken','Parameters':{'StateMachineArn':"  \
    "'" TEST_ARN "stateMachine:child','Name':'n','Input':{'token.$':'$$.Task.Token'}}}}}"
#define ACTIVITY TEST_ARN "activity:paint"
#define PAINT                                                                                                \
    "{'StartAt':'T','States':{'T':{'Type':'Task','End':true,'Resource':'" ACTIVITY                           \
    "','TimeoutSeconds':60,'HeartbeatSeconds':10}}}"

/* The token that the child's input has. */
static const char *asked(bed *b, const char *arn)
{
    json_t *out = bed_call(b, "states", "DescribeExecution", "{'executionArn':'%s'}", arn);
    json_t *input = json_loads(json_string_value(json_object_get(out, "input")), 0, NULL);
    const char *token = bed_text(input, "token");
    json_decref(out);
    return token;
}

static const char *ask(bed *b, const char **token)
{
    bed_start(b, "child", CHILD, "{}");
    const char *arn = bed_start(b, "asks", ASK, "{}");
    bed_pump(b);
    *token = asked(b, TEST_ARN "execution:child:n");
    return arn;
}

static const char *member(bed *b, const char *arn, const char *name)
{
    json_t *out = bed_call(b, "states", "DescribeExecution", "{'executionArn':'%s'}", arn);
    assert_non_null(out);
    return bed_text(out, name);
}

static json_t *answer(bed *b, const char *action, json_t *in)
{
    return bed_call_json(b, "states", action, in);
}

static void good(bed *b, const char *action, json_t *in)
{
    json_t *out = answer(b, action, in);
    assert_non_null(out);
    json_decref(out);
}

static void bad(bed *b, const char *code, const char *action, json_t *in)
{
    assert_null(answer(b, action, in));
    assert_string_equal(b->code, code);
}

static void test_token_succeeds(void **state)
{
    bed *b = *state;
    const char *token, *arn = ask(b, &token);
    assert_string_equal(bed_history(b, arn),
                        "ExecutionStarted TaskStateEntered TaskScheduled TaskStarted TaskSubmitted");
    bad(b, "InvalidOutput", "SendTaskSuccess", json_pack("{s:s, s:s}", "taskToken", token, "output", "{"));
    bed_restart(b);
    good(b, "SendTaskSuccess", json_pack("{s:s, s:s}", "taskToken", token, "output", "{\"a\":[1]}"));
    bad(b, "TaskTimedOut", "SendTaskSuccess", json_pack("{s:s, s:s}", "taskToken", token, "output", "1"));
    assert_string_equal(b->message, "Task Timed Out: 'Provided task does not exist anymore'");
    bed_restart(b);
    bed_pump(b);
    assert_string_equal(member(b, arn, "output"), "{\"a\":[1]}");
    bad(b, "TaskTimedOut", "SendTaskHeartbeat", json_pack("{s:s}", "taskToken", token));
    assert_string_equal(bed_history(b, arn),
                        "ExecutionStarted TaskStateEntered TaskScheduled TaskStarted TaskSubmitted "
                        "TaskSucceeded TaskStateExited ExecutionSucceeded");
}

static void test_token_fails(void **state)
{
    bed *b = *state;
    const char *token, *arn = ask(b, &token);
    good(b, "SendTaskFailure",
         json_pack("{s:s, s:s, s:s}", "taskToken", token, "error", "Mine", "cause", "it broke"));
    bed_pump(b);
    assert_string_equal(member(b, arn, "error"), "Mine");
    assert_string_equal(member(b, arn, "cause"), "it broke");
    assert_string_equal(
        bed_history(b, arn),
        "ExecutionStarted TaskStateEntered TaskScheduled TaskStarted TaskSubmitted TaskFailed "
        "ExecutionFailed");
}

static void test_tokens_that_are_none(void **state)
{
    bed *b = *state;
    const char *token;
    char other[256];
    ask(b, &token);
    snprintf(other, sizeof(other), "%s", token);
    other[20] = other[20] == 'A' ? 'B' : 'A';
    bad(b, "InvalidToken", "SendTaskHeartbeat", json_pack("{s:s}", "taskToken", other));
    bad(b, "InvalidToken", "SendTaskSuccess",
        json_pack("{s:s, s:s}", "taskToken", "nonsense", "output", "{"));
    bad(b, "InvalidToken", "SendTaskHeartbeat", json_pack("{s:s}", "taskToken", "nonsense"));
    assert_string_equal(b->message, "Invalid Token: 'Invalid token'");
    bad(b, "ValidationException", "SendTaskHeartbeat", json_object());
}

static void test_heartbeats(void **state)
{
    bed *b = *state;
    const char *token, *arn = ask(b, &token);
    for (int i = 0; i < 5; i++) {
        b->now_ms += 9000;
        good(b, "SendTaskHeartbeat", json_pack("{s:s}", "taskToken", token));
        bed_restart(b);
        bed_pump(b);
        assert_string_equal(bed_status(b, arn), "RUNNING");
    }
    b->now_ms += 10000;
    bed_pump(b);
    assert_string_equal(member(b, arn, "error"), "States.Timeout");
    assert_string_equal(
        bed_history(b, arn),
        "ExecutionStarted TaskStateEntered TaskScheduled TaskStarted TaskSubmitted TaskTimedOut "
        "ExecutionFailed");
    bad(b, "TaskTimedOut", "SendTaskSuccess", json_pack("{s:s, s:s}", "taskToken", token, "output", "1"));
}

/* An execution that answers its own task from another branch. */
static void test_own_token(void **state)
{
    bed *b = *state;
    const char *arn = bed_start(b, "self",
                                "{'StartAt':'T','States':{'T':{'Type':'Task','End':true,'Resource':"
                                "'arn:aws:states:::aws-sdk:sfn:sendTaskSuccess.waitForTaskToken',"
                                "'Parameters':{'TaskToken.$':'$$.Task.Token','Output':'7'}}}}",
                                "{}");
    bed_pump(b);
    assert_string_equal(member(b, arn, "output"), "7");
}

static json_t *take(bed *b)
{
    json_t *out =
        bed_call(b, "states", "GetActivityTask", "{'activityArn':'" ACTIVITY "','workerName':'me'}");
    assert_non_null(out);
    return out;
}

static void test_activity(void **state)
{
    bed *b = *state;
    const char *made = bed_text(bed_call(b, "states", "CreateActivity", "{'name':'paint'}"), "activityArn");
    assert_string_equal(made, ACTIVITY);
    json_decref(bed_call(b, "states", "CreateActivity", "{'name':'paint'}")); /* the same again */
    json_t *none = take(b);
    assert_int_equal(json_object_size(none), 0);
    json_decref(none);
    const char *arn = bed_start(b, "paints", PAINT, "{'colour':'red'}");
    bed_pump(b);
    bed_restart(b);
    json_t *task = take(b);
    assert_string_equal(json_string_value(json_object_get(task, "input")), "{\"colour\":\"red\"}");
    const char *token = bed_text(task, "taskToken");
    none = take(b); /* it is handed out once */
    assert_int_equal(json_object_size(none), 0);
    json_decref(none);
    good(b, "SendTaskSuccess", json_pack("{s:s, s:s}", "taskToken", token, "output", "\"done\""));
    bed_pump(b);
    assert_string_equal(member(b, arn, "output"), "\"done\"");
    assert_string_equal(
        bed_history(b, arn),
        "ExecutionStarted TaskStateEntered ActivityScheduled ActivityStarted ActivitySucceeded "
        "TaskStateExited ExecutionSucceeded");
}

static void test_activity_times_out(void **state)
{
    bed *b = *state;
    json_decref(bed_call(b, "states", "CreateActivity", "{'name':'paint'}"));
    const char *first = bed_start(b, "one", PAINT, "{}");
    bed_pump(b);
    json_t *task = take(b);
    const char *token = bed_text(task, "taskToken");
    bed_pump(b);
    b->now_ms += 10000; /* no heartbeat */
    bed_pump(b);
    assert_string_equal(
        bed_history(b, first),
        "ExecutionStarted TaskStateEntered ActivityScheduled ActivityStarted ActivityTimedOut "
        "ExecutionFailed");
    bad(b, "TaskTimedOut", "SendTaskSuccess", json_pack("{s:s, s:s}", "taskToken", token, "output", "1"));
    const char *second = bed_start(b, "two", PAINT, "{}");
    bed_pump(b);
    b->now_ms += 600000; /* nobody took it: its time has not begun */
    bed_pump(b);
    assert_string_equal(bed_status(b, second), "RUNNING");
    json_decref(take(b));
}

static void test_activity_that_is_none(void **state)
{
    bed *b = *state;
    const char *arn = bed_start(b, "none", PAINT, "{}");
    bed_pump(b);
    assert_string_equal(member(b, arn, "error"), "States.Runtime");
    assert_string_equal(
        member(b, arn, "cause"),
        "An error occurred while executing the state 'T' (entered at the event id #2). The activity " ACTIVITY
        " does not exist.");
    assert_string_equal(bed_history(b, arn), "ExecutionStarted TaskStateEntered ExecutionFailed");
    bad(b, "ActivityDoesNotExist", "DescribeActivity", json_pack("{s:s}", "activityArn", ACTIVITY));
    bad(b, "InvalidArn", "DescribeActivity", json_pack("{s:s}", "activityArn", "arn:x"));
    bad(b, "InvalidName", "CreateActivity", json_pack("{s:s}", "name", "a b"));
}

static void test_list_activities(void **state)
{
    bed *b = *state;
    for (int i = 0; i < 5; i++)
        json_decref(bed_call(b, "states", "CreateActivity", "{'name':'a%d'}", i));
    json_t *page = bed_call(b, "states", "ListActivities", "{'maxResults':3}");
    assert_int_equal(json_array_size(json_object_get(page, "activities")), 3);
    const char *next = bed_text(page, "nextToken");
    page = bed_call(b, "states", "ListActivities", "{'maxResults':3,'nextToken':'%s'}", next);
    assert_int_equal(json_array_size(json_object_get(page, "activities")), 2);
    assert_null(json_object_get(page, "nextToken"));
    json_decref(page);
    json_decref(bed_call(b, "states", "DeleteActivity", "{'activityArn':'" TEST_ARN "activity:a0'}"));
    page = bed_call(b, "states", "ListActivities", "{}");
    assert_int_equal(json_array_size(json_object_get(page, "activities")), 4);
    json_decref(page);
}

/* ---- S3 ---- */

static void make_bucket(bed *b, const char *name)
{
    sh_err err = {0};
    sh_objects objects = sh_cloud_objects(b->cloud);
    assert_int_equal(sh_objects_recover(&objects, &err), 0);
    assert_int_equal(sh_bucket_create(&objects, name, "us-east-1", &err), 0);
}

/* A machine of one call; gives the execution's ARN. */
static const char *s3(bed *b, const char *name, const char *action, const char *parameters)
{
    char text[2048];
    snprintf(
        text, sizeof(text),
        "{'StartAt':'T','States':{'T':{'Type':'Task','End':true,'Resource':'arn:aws:states:::aws-sdk:s3:%s',"
        "'Parameters':%s}}}",
        action, parameters);
    const char *arn = bed_start(b, name, text, "{'data':{'b':[1,2]},'text':'hello'}");
    bed_pump(b);
    return arn;
}

static json_t *s3_output(bed *b, const char *name, const char *action, const char *parameters)
{
    const char *arn = s3(b, name, action, parameters);
    const char *text = member(b, arn, "output");
    if (!text)
        fail_msg("%s: %s: %s", action, member(b, arn, "error"), member(b, arn, "cause"));
    return json_loads(text, JSON_DECODE_ANY, NULL);
}

static void expect(json_t *out, const char *wanted)
{
    json_t *value = json_loads(quoted(wanted), JSON_DECODE_ANY, NULL);
    char *got = json_dumps(out, JSON_COMPACT | JSON_ENCODE_ANY);
    assert_non_null(value);
    if (!json_equal(out, value))
        fail_msg("%s is not %s", got, wanted);
    free(got);
    json_decref(value);
    json_decref(out);
}

static void test_s3_objects(void **state)
{
    bed *b = *state;
    make_bucket(b, "films");
    expect(s3_output(b, "put", "putObject",
                     "{'Bucket':'films','Key':'a/b.json','Body.$':'$.data','ContentType':'application/json',"
                     "'Metadata':{'Film':'one'}}"),
           "{'ChecksumCRC32':'LlvnQQ==','ChecksumType':'FULL_OBJECT','ETag':'"
           "\\\"77ad0cb10ff5d109c3e9f181962ff60c\\\"'}");
    expect(s3_output(b, "get", "getObject", "{'Bucket':'films','Key':'a/b.json'}"),
           "{'AcceptRanges':'bytes','Body':'{\\\"b\\\":[1,2]}','ContentLength':11,'ContentType':'application/"
           "json',"
           "'ETag':'\\\"77ad0cb10ff5d109c3e9f181962ff60c\\\"','"
           "LastModified"
           "':'2026-01-"
           "01T00:00:"
           "00Z',"
           "'Metadata':{"
           "'film':'one'"
           "}}");
    json_decref(
        s3_output(b, "copy", "copyObject", "{'Bucket':'films','Key':'c d','CopySource':'films/a%2Fb.json'}"));
    expect(s3_output(b, "list", "listObjectsV2", "{'Bucket':'films','Delimiter':'/'}"),
           "{'CommonPrefixes':[{'Prefix':'a/"
           "'}],'Contents':[{'ChecksumAlgorithm':['CRC32'],'ChecksumType':'FULL_OBJECT','ETag':'"
           "\\\"77ad0cb10ff5d109c3e9f181962ff60c\\\"',"
           "'Key"
           "':'"
           "c "
           "d','"
           "Last"
           "Modi"
           "fied"
           "':'"
           "2026"
           "-01-"
           "01T0"
           "0:"
           "00:"
           "00Z'"
           ",'"
           "Size"
           "':"
           "11,'"
           "Stor"
           "ageC"
           "lass"
           "':'"
           "STAN"
           "DARD"
           "'}],"
           "'Del"
           "imit"
           "er':"
           "'/',"
           "'IsT"
           "runc"
           "ated"
           "':"
           "fals"
           "e,'"
           "KeyC"
           "ount"
           "':2,"
           "'Max"
           "Keys"
           "':"
           "1000"
           ",'"
           "Name"
           "':'"
           "film"
           "s','"
           "Pref"
           "ix':"
           "''"
           "}");
    expect(s3_output(b, "delete", "deleteObjects",
                     "{'Bucket':'films','Delete':{'Objects':[{'Key':'a/b.json'}]}}"),
           "{'Deleted':[{'Key':'a/b.json'}]}");
    expect(s3_output(b, "head", "headObject", "{'Bucket':'films','Key':'c d'}"),
           "{'AcceptRanges':'bytes','ContentLength':11,'ContentType':'application/json','ETag':"
           "'\\\"77ad0cb10ff5d109c3e9f181962ff60c\\\"','LastModified':'2026-01-01T00:00:00Z','Metadata':{'"
           "film':'one'}}");
    expect(s3_output(b, "text", "putObject", "{'Bucket':'films','Key':'t','Body.$':'$.text'}"),
           "{'ChecksumCRC32':'dwPOsg==','ChecksumType':'FULL_OBJECT','ETag':'"
           "\\\"5deaee1c1332199e5b5bc7c5e4f7f0c2\\\"'}");
}

static void expect_error(bed *b, const char *arn, const char *error, const char *cause)
{
    const char *got = member(b, arn, "cause");
    assert_string_equal(member(b, arn, "error"), error);
    if (!got || strncmp(got, cause, strlen(cause)) != 0)
        fail_msg("%s does not begin with %s", got ? got : "nothing", cause);
}

static void test_s3_errors(void **state)
{
    bed *b = *state;
    make_bucket(b, "films");
    expect_error(b, s3(b, "key", "getObject", "{'Bucket':'films','Key':'none'}"), "S3.NoSuchKeyException",
                 "The specified key does not exist. (Service: S3, Status Code: 404, Request ID: ");
    expect_error(b, s3(b, "bucket", "putObject", "{'Bucket':'none','Key':'k','Body':'x'}"),
                 "S3.NoSuchBucketException",
                 "The specified bucket does not exist (Service: S3, Status Code: 404, Request ID: ");
    expect_error(b, s3(b, "head", "headObject", "{'Bucket':'films','Key':'none'}"), "S3.NoSuchKeyException",
                 "null (Service: S3, Status Code: 404, Request ID: ");
    expect_error(b, s3(b, "acl", "putObject", "{'Bucket':'films','Key':'k','Body':'x','ACL':'public-read'}"),
                 "S3.S3Exception",
                 "A parameter you provided implies functionality that is not implemented: ACL");
    json_decref(
        s3_output(b, "one", "putObject", "{'Bucket':'films','Key':'k','Body':'x','IfNoneMatch':'*'}"));
    expect_error(b, s3(b, "two", "putObject", "{'Bucket':'films','Key':'k','Body':'x','IfNoneMatch':'*'}"),
                 "S3.S3Exception", "At least one of the pre-conditions you specified did not hold");
}

/* The call was made and its answer lost, or it was never made: either way it is there once. */
static void test_s3_restart(void **state)
{
    bed *b = *state;
    int64_t next_ms;
    sh_err err = {0};
    make_bucket(b, "films");
    const char *arn =
        bed_start(b, "put",
                  "{'StartAt':'T','States':{'T':{'Type':'Task','End':true,'Resource':"
                  "'arn:aws:states:::aws-sdk:s3:putObject.waitForTaskToken','Parameters':{'Bucket':"
                  "'films','Key':'token','Body.$':'$$.Task.Token'}}}}",
                  "{}");
    assert_int_equal(sh_flows_pump(b->cloud, &next_ms, &err), 0);
    bed_restart(b);
    bed_pump(b);
    assert_string_equal(bed_history(b, arn),
                        "ExecutionStarted TaskStateEntered TaskScheduled TaskStarted TaskSubmitted");
    json_t *out = s3_output(b, "get", "getObject", "{'Bucket':'films','Key':'token'}");
    char token[1024];
    const char *body = bed_text(out, "Body"); /* the text of a JSON string */
    snprintf(token, sizeof(token), "%.*s", (int)strlen(body) - 2, body + 1);
    good(b, "SendTaskSuccess", json_pack("{s:s, s:s}", "taskToken", token, "output", "8"));
    bed_pump(b);
    assert_string_equal(member(b, arn, "output"), "8");
}

/* ---- driven again ---- */

#define TWICE                                                                                                \
    "{'StartAt':'P','States':{'P':{'Type':'Parallel','End':true,'Branches':["                                \
    "{'StartAt':'G','States':{'G':{'Type':'Task','Resource':'arn:aws:states:::aws-sdk:s3:getObject',"        \
    "'Parameters':{'Bucket':'films','Key':'late'},'ResultSelector':{'body.$':'$.Body'},'End':true,"          \
    "'Retry':[{'ErrorEquals':['S3.NoSuchKeyException'],'MaxAttempts':1,'IntervalSeconds':1}]}}},"            \
    "{'StartAt':'Q','States':{'Q':{'Type':'Pass','Parameters':{'count.$':'$$.Execution.RedriveCount'},"      \
    "'End':true}}},{'StartAt':'W','States':{'W':{'Type':'Wait','Seconds':100,'Next':'R'},'R':{'Type':"       \
    "'Pass','Parameters':{'count.$':'$$.Execution.RedriveCount'},'End':true}}}]}}}"

static void test_redrive(void **state)
{
    bed *b = *state;
    make_bucket(b, "films");
    const char *arn = bed_start(b, "twice", TWICE, "{}");
    bad(b, "ExecutionNotRedrivable", "RedriveExecution", json_pack("{s:s}", "executionArn", arn));
    assert_non_null(strstr(b->message, "execution:twice:"));
    assert_non_null(
        strstr(b->message, " invalid for redrive as: Execution is RUNNING and cannot be redriven"));
    bed_pump(b);
    b->now_ms += 1000;
    bed_pump(b);
    assert_string_equal(member(b, arn, "status"), "FAILED");
    assert_string_equal(member(b, arn, "redriveStatus"), "REDRIVABLE");
    bed_restart(b);
    good(b, "RedriveExecution", json_pack("{s:s, s:s}", "executionArn", arn, "clientToken", "t"));
    good(b, "RedriveExecution", json_pack("{s:s, s:s}", "executionArn", arn, "clientToken", "t"));
    assert_string_equal(member(b, arn, "status"), "RUNNING");
    bed_restart(b);
    bed_pump(b);
    json_decref(s3_output(b, "put", "putObject", "{'Bucket':'films','Key':'late','Body':'x'}"));
    b->now_ms += 1000; /* its retries are all there again */
    bed_pump(b);
    assert_string_equal(member(b, arn, "status"), "RUNNING");
    b->now_ms += 100000;
    bed_pump(b);
    assert_string_equal(member(b, arn, "output"), "[{\"body\":\"\\\"x\\\"\"},{\"count\":0},{\"count\":1}]");
    assert_string_equal(
        bed_history(b, arn),
        "ExecutionStarted ParallelStateEntered ParallelStateStarted TaskStateEntered TaskScheduled "
        "TaskStarted PassStateEntered PassStateExited WaitStateEntered TaskFailed TaskScheduled TaskStarted "
        "TaskFailed TaskStateAborted WaitStateAborted ParallelStateFailed ExecutionFailed ExecutionRedriven "
        "TaskScheduled TaskStarted TaskFailed TaskScheduled TaskStarted TaskSucceeded TaskStateExited "
        "WaitStateExited PassStateEntered PassStateExited ParallelStateSucceeded ParallelStateExited "
        "ExecutionSucceeded");
    json_t *out = bed_call(b, "states", "DescribeExecution", "{'executionArn':'%s'}", arn);
    assert_int_equal(json_integer_value(json_object_get(out, "redriveCount")), 1);
    assert_true(json_number_value(json_object_get(out, "redriveDate")) > 1767225600);
    assert_string_equal(bed_text(out, "redriveStatusReason"),
                        "Execution is SUCCEEDED and cannot be redriven");
}

/* A state's own failure, an abort and a time-out of the whole are driven again, too. */
static void test_redrive_ends(void **state)
{
    bed *b = *state;
    const char *arn =
        bed_start(b, "fails", "{'StartAt':'F','States':{'F':{'Type':'Fail','Error':'E'}}}", "{}");
    bed_pump(b);
    good(b, "RedriveExecution", json_pack("{s:s}", "executionArn", arn));
    bed_pump(b);
    assert_string_equal(bed_history(b, arn),
                        "ExecutionStarted FailStateEntered ExecutionFailed ExecutionRedriven "
                        "ExecutionFailed");
    arn = bed_start(b, "waits",
                    "{'StartAt':'W','TimeoutSeconds':20,'States':{'W':{'Type':'Wait','Seconds':15,'Next':'V'}"
                    ",'V':{'Type':'Wait',"
                    "'Seconds':10,'End':true}}}",
                    "{}");
    bed_pump(b);
    good(b, "StopExecution", json_pack("{s:s}", "executionArn", arn));
    good(b, "RedriveExecution", json_pack("{s:s}", "executionArn", arn));
    for (int i = 0; i < 2; i++) {
        bed_pump(b);
        b->now_ms += 15000;
    }
    bed_pump(b);
    assert_string_equal(member(b, arn, "status"), "TIMED_OUT");
    good(b, "RedriveExecution", json_pack("{s:s}", "executionArn", arn));
    bed_pump(b);
    b->now_ms += 10000;
    bed_pump(b);
    assert_string_equal(member(b, arn, "status"), "SUCCEEDED");
    bad(b, "ExecutionDoesNotExist", "RedriveExecution",
        json_pack("{s:s}", "executionArn", TEST_ARN "execution:none:none"));
}

/* Names inside of Input are the user's own. */
static void test_names_of_input(void **state)
{
    bed *b = *state;
    bed_start(b, "child", CHILD, "{}");
    bed_start(b, "parent",
              "{'StartAt':'T','States':{'T':{'Type':'Task','End':true,'Resource':'arn:aws:states:::states:"
              "startExecution','Parameters':{'StateMachineArn':'" TEST_ARN
              "stateMachine:child','Name':'n','Input':{'Film':{'Title':1}}}}}}",
              "{}");
    bed_pump(b);
    assert_string_equal(member(b, TEST_ARN "execution:child:n", "input"), "{\"Film\":{\"Title\":1}}");
}

/* ---- the clock is set ---- */

static int64_t steady;

static int64_t steady_ms(void *opaque)
{
    (void)opaque;
    return steady;
}

static void pass(bed *b, int64_t ms)
{
    steady += ms;
    b->now_ms += ms;
}

static void test_clock_is_set(void **state)
{
    bed *b = *state;
    steady = 5000;
    b->clock.steady_ms = steady_ms;
    bed_restart(b); /* opens with that clock */
    const char *seconds = bed_start(
        b, "seconds", "{'StartAt':'W','States':{'W':{'Type':'Wait','Seconds':100,'End':true}}}", "{}");
    const char *timestamp = bed_start(b, "timestamp",
                                      "{'StartAt':'W','States':{'W':{'Type':'Wait','Timestamp':"
                                      "'2026-01-01T01:00:00Z','End':true}}}",
                                      "{}");
    bed_pump(b);
    pass(b, 10000);
    b->now_ms += 3600000; /* an hour forward */
    bed_pump(b);
    assert_string_equal(bed_status(b, seconds), "RUNNING");
    assert_string_equal(bed_status(b, timestamp), "SUCCEEDED");
    bed_restart(b);
    pass(b, 80000);
    assert_int_equal(bed_pump(b), b->now_ms + 10000);
    b->now_ms -= 7200000; /* two hours back */
    assert_int_equal(bed_pump(b), b->now_ms + 10000);
    pass(b, 9999);
    bed_pump(b);
    assert_string_equal(bed_status(b, seconds), "RUNNING");
    pass(b, 1);
    bed_pump(b);
    assert_string_equal(bed_status(b, seconds), "SUCCEEDED");
}

static void test_tags(void **state)
{
    bed *b = *state;
    json_decref(bed_call(b, "states", "CreateActivity", "{'name':'paint','tags':[{'key':'a','value':'1'}]}"));
    good(b, "TagResource",
         json_pack("{s:s, s:[{s:s, s:s}]}", "resourceArn", ACTIVITY, "tags", "key", "b", "value", "2"));
    good(b, "UntagResource", json_pack("{s:s, s:[s]}", "resourceArn", ACTIVITY, "tagKeys", "a"));
    expect(bed_call(b, "states", "ListTagsForResource", "{'resourceArn':'" ACTIVITY "'}"),
           "{'tags':[{'key':'b','value':'2'}]}");
    bad(b, "ResourceNotFound", "ListTagsForResource",
        json_pack("{s:s}", "resourceArn", TEST_ARN "activity:none"));
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, bed_setup, bed_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(test_token_succeeds),
        ROW(test_token_fails),
        ROW(test_tokens_that_are_none),
        ROW(test_heartbeats),
        ROW(test_own_token),
        ROW(test_activity),
        ROW(test_activity_times_out),
        ROW(test_activity_that_is_none),
        ROW(test_list_activities),
        ROW(test_s3_objects),
        ROW(test_s3_errors),
        ROW(test_s3_restart),
        ROW(test_redrive),
        ROW(test_redrive_ends),
        ROW(test_clock_is_set),
        ROW(test_tags),
        ROW(test_names_of_input),
    };
    return cmocka_run_group_tests_name("states_tasks", tests, NULL, NULL);
}
