/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Buses, schedules, kinds of targets, order and loops, without threads. */
#include "cloud/api/events.h"
#include "cloud/store/outbox.h"
#include "test_cloud_help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_ARN "arn:aws:events:us-east-1:123456789012:"
#define MACHINE TEST_ARN "stateMachine:m"
#define PASS "{'StartAt':'A','States':{'A':{'Type':'Pass','End':true}}}"
#define SEND(N) "'Source':'my.app','DetailType':'d','Resources':['thing'],'Detail':'{\\'n\\':" N "}'"
#define PATTERN "'EventPattern':'{\\'source\\':[\\'my.app\\']}'"
#define TARGET(ID, ARN, MORE) "{'Id':'" ID "','Arn':'" ARN "','RoleArn':'" TEST_ROLE "'" MORE "}"

static void make(bed *b)
{
    json_decref(bed_call_json(
        b, "states", "CreateStateMachine",
        json_pack("{s:s, s:s, s:s}", "name", "m", "definition", quoted(PASS), "roleArn", TEST_ROLE)));
    assert_string_equal(b->code, "");
}

static void ok(bed *b, const char *service, const char *action, const char *in)
{
    json_t *out = bed_call(b, service, action, "%s", in);
    if (!out)
        fail_msg("%s %s: %s: %s", action, in, b->code, b->message);
    assert_int_equal(json_integer_value(json_object_get(out, "FailedEntryCount")), 0);
    json_decref(out);
}

static void refused(bed *b, const char *action, const char *in, const char *code)
{
    json_decref(bed_call(b, "events", action, "%s", in));
    assert_string_equal(b->code, code);
}

static size_t executions(bed *b)
{
    json_t *list = bed_call(b, "states", "ListExecutions", "{'stateMachineArn':'" MACHINE "'}");
    size_t count = json_array_size(json_object_get(list, "executions"));
    json_decref(list);
    return count;
}

static int take_failed(void *opaque, const sh_dispatch *d)
{
    snprintf(opaque, 512, "%s/%s/%s", d->rule, d->target_id, d->reason);
    return 1;
}

static const char *failed(bed *b)
{
    static char text[512];
    *text = '\0';
    assert_int_equal(sh_dispatch_failed(b->cloud->db, 1, take_failed, text, NULL), 0);
    return text;
}

static void test_buses(void **state)
{
    bed *b = *state;
    make(b);
    ok(b, "events", "CreateEventBus", "{'Name':'mine'}");
    refused(b, "CreateEventBus", "{'Name':'mine'}", "ResourceAlreadyExistsException");
    refused(b, "CreateEventBus", "{'Name':'default'}", "ResourceAlreadyExistsException");
    refused(b, "CreateEventBus", "{'Name':'a/b'}", "ValidationException");
    refused(b, "PutRule", "{'Name':'r','EventBusName':'none'," PATTERN "}", "ResourceNotFoundException");
    refused(b, "PutRule", "{'Name':'r','EventBusName':'mine','ScheduleExpression':'rate(1 hour)'}",
            "ValidationException");
    ok(b, "events", "PutRule", "{'Name':'r','EventBusName':'mine'," PATTERN "}");
    ok(b, "events", "PutTargets",
       "{'Rule':'r','EventBusName':'" EVENTS_ARN "event-bus/mine','Targets':[" TARGET("t", MACHINE, "") "]}");
    refused(b, "DescribeRule", "{'Name':'r'}", "ResourceNotFoundException");
    refused(b, "DeleteEventBus", "{'Name':'mine'}", "ValidationException");
    json_t *out = bed_call(b, "events", "DescribeRule", "{'Name':'r','EventBusName':'mine'}");
    assert_string_equal(json_string_value(json_object_get(out, "Arn")), EVENTS_ARN "rule/mine/r");
    json_decref(out);
    out = bed_call(b, "events", "ListRules", "{}");
    assert_int_equal(json_array_size(json_object_get(out, "Rules")), 0);
    json_decref(out);
    ok(b, "events", "PutEvents", "{'Entries':[{" SEND("1") "}]}");
    bed_pump(b);
    assert_int_equal(executions(b), 0); /* on the bus default */
    ok(b, "events", "PutEvents", "{'Entries':[{'EventBusName':'mine'," SEND("1") "}]}");
    bed_restart(b);
    bed_pump(b);
    assert_int_equal(executions(b), 1);
}

/* default -> mine -> third: the event reaches mine and goes no further. */
static void test_bus_to_bus(void **state)
{
    bed *b = *state;
    make(b);
    ok(b, "events", "CreateEventBus", "{'Name':'mine'}");
    ok(b, "events", "CreateEventBus", "{'Name':'third'}");
    ok(b, "events", "PutRule", "{'Name':'out'," PATTERN "}");
    refused(b, "PutTargets",
            "{'Rule':'out','Targets':[" TARGET("b", EVENTS_ARN "event-bus/mine", ",'Input':'{}'") "]}",
            "ValidationException");
    ok(b, "events", "PutTargets",
       "{'Rule':'out','Targets':[{'Id':'b','Arn':'" EVENTS_ARN "event-bus/mine'}]}");
    ok(b, "events", "PutRule", "{'Name':'in','EventBusName':'mine'," PATTERN "}");
    ok(b, "events", "PutTargets",
       "{'Rule':'in','EventBusName':'mine','Targets':[" TARGET("t", MACHINE, "") "," TARGET(
           "u", EVENTS_ARN "event-bus/third", "") "]}");
    ok(b, "events", "PutEvents", "{'Entries':[{" SEND("1") "}]}");
    bed_pump(b);
    assert_int_equal(executions(b), 0);
    assert_non_null(strstr(failed(b), "out/b/AccessDeniedException"));
    json_decref(bed_call_json(
        b, "events", "PutPermission",
        json_pack(
            "{s:s, s:s}", "EventBusName", "mine", "Policy",
            "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"a\",\"Effect\":\"Allow\",\"Principal\":"
            "{\"Service\":\"events.amazonaws.com\"},\"Action\":\"events:PutEvents\",\"Resource\":"
            "\"" EVENTS_ARN "event-bus/mine\",\"Condition\":{\"ArnEquals\":{\"aws:SourceArn\":\"" EVENTS_ARN
            "rule/out\"}}}]}")));
    assert_string_equal(b->code, "");
    ok(b, "events", "PutEvents", "{'Entries':[{" SEND("2") "}]}");
    bed_pump(b);
    assert_int_equal(executions(b), 1);
    assert_non_null(strstr(failed(b), "mine/in/u/InvalidEventBus"));
}

static void pump_at(bed *b, int64_t now_ms)
{
    int64_t next_ms;
    sh_err err = {0};
    b->now_ms = now_ms;
    if (sh_events_pump(b->cloud, &next_ms, &err) < 0)
        fail_msg("%s", err.message);
}

static void test_schedule(void **state)
{
    bed *b = *state;
    int64_t start = b->now_ms, next_ms;
    make(b);
    ok(b, "events", "PutRule", "{'Name':'tick','ScheduleExpression':'rate(2 minutes)'}");
    ok(b, "events", "PutTargets", "{'Rule':'tick','Targets':[" TARGET("t", MACHINE, "") "]}");
    assert_int_equal(sh_events_pump(b->cloud, &next_ms, NULL), 0);
    assert_int_equal(next_ms, start + 120000);
    pump_at(b, start + 119999);
    assert_int_equal(executions(b), 0);
    pump_at(b, start + 120000);
    assert_int_equal(executions(b), 1);
    bed_restart(b); /* the same moment once more: no second one */
    pump_at(b, start + 120500);
    assert_int_equal(executions(b), 1);
    pump_at(b, start + 600000 + 90000); /* down for some minutes: what was missed is not caught up */
    assert_int_equal(executions(b), 1);
    pump_at(b, start + 720000);
    assert_int_equal(executions(b), 2);
    ok(b, "events", "DisableRule", "{'Name':'tick'}");
    pump_at(b, start + 960000);
    assert_int_equal(executions(b), 2);
    ok(b, "events", "EnableRule", "{'Name':'tick'}");
    pump_at(b, start + 1080000);
    assert_int_equal(executions(b), 3);
}

/* The second event of a thing waits behind the first, and both come in their order. */
static void test_order(void **state)
{
    bed *b = *state;
    char text[1024];
    make(b);
    ok(b, "events", "PutRule", "{'Name':'r'," PATTERN "}");
    ok(b, "events", "PutTargets", "{'Rule':'r','Targets':[" TARGET("t", MACHINE, "") "]}");
    snprintf(text, sizeof(text), "%s", quoted(TARGET("t", MACHINE, "")));
    const sh_dispatch late = {
        .event = quoted("{'id':'first','source':'my.app','resources':['thing'],'detail':{'n':1}}"),
        .rule = "r",
        .target_id = "t",
        .target = text,
        .reason = "busy",
        .attempts = 1,
        .first_ms = b->now_ms,
        .due_ms = b->now_ms + 5000,
        .line = "my.app\nthing"};
    assert_int_equal(sh_dispatch_add(b->cloud->db, &late, NULL), 0);
    ok(b, "events", "PutEvents", "{'Entries':[{" SEND("2") "},{" SEND("3") "}]}");
    pump_at(b, b->now_ms + 1000);
    assert_int_equal(executions(b), 0);
    ok(b, "events", "PutEvents",
       "{'Entries':[{'Source':'my.app','DetailType':'d','Resources':['other'],'Detail':'{\\'n\\':9}'}]}");
    pump_at(b, b->now_ms + 1000);
    assert_int_equal(executions(b), 1); /* another thing waits for nobody */
    bed_restart(b);
    pump_at(b, b->now_ms + 3000);
    assert_int_equal(executions(b), 4);
}

static void test_retry_policy(void **state)
{
    bed *b = *state;
    make(b);
    ok(b, "events", "PutRule", "{'Name':'r'," PATTERN "}");
    refused(
        b, "PutTargets",
        "{'Rule':'r','Targets':[" TARGET("t", MACHINE, ",'RetryPolicy':{'MaximumRetryAttempts':186}") "]}",
        "ValidationException");
    refused(b, "PutTargets",
            "{'Rule':'r','Targets':[" TARGET(
                "t", MACHINE, ",'DeadLetterConfig':{'Arn':'arn:aws:sqs:us-east-1:123456789012:q'}") "]}",
            "ValidationException");
    refused(b, "PutTargets", "{'Rule':'r','Targets':[" TARGET("t", MACHINE, ",'EcsParameters':{}") "]}",
            "ValidationException");
    const sh_dispatch once = {.event = "{}",
                              .rule = "r",
                              .target_id = "t",
                              .target = "{\"Arn\":\"x\",\"RetryPolicy\":{\"MaximumRetryAttempts\":1}}",
                              .first_ms = b->now_ms,
                              .due_ms = b->now_ms};
    const sh_event_outcome busy = {"HTTP503: busy", true};
    assert_int_equal(sh_events_settle(b->cloud, &once, &busy, 0, NULL), 0);
    assert_string_equal(failed(b), "");
    sh_dispatch twice = once;
    twice.attempts = 1;
    assert_int_equal(sh_events_settle(b->cloud, &twice, &busy, 0, NULL), 0);
    assert_string_equal(failed(b), "r/t/HTTP503: busy");
}

#define LOG_ARN "arn:aws:logs:us-east-1:123456789012:log-group:/aws/events/x"

static void test_log_group(void **state)
{
    bed *b = *state;
    json_t *out;
    ok(b, "logs", "CreateLogGroup", "{'logGroupName':'/aws/events/x'}");
    ok(b, "events", "PutRule", "{'Name':'r'," PATTERN "}");
    ok(b, "events", "PutTargets", "{'Rule':'r','Targets':[{'Id':'l','Arn':'" LOG_ARN ":*'}]}");
    ok(b, "events", "PutEvents", "{'Entries':[{" SEND("1") "}]}");
    bed_pump(b);
    assert_non_null(strstr(failed(b), "r/l/AccessDeniedException"));
    json_decref(bed_call_json(
        b, "logs", "PutResourcePolicy",
        json_pack(
            "{s:s, s:s}", "policyName", "events", "policyDocument",
            "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":"
            "[\"events.amazonaws.com\",\"delivery.logs.amazonaws.com\"]},\"Action\":[\"logs:"
            "CreateLogStream\",\"logs:PutLogEvents\"],\"Resource\":\"arn:aws:logs:us-east-1:"
            "123456789012:log-group:/aws/events/*:*\"}]}")));
    assert_string_equal(b->code, "");
    ok(b, "events", "PutEvents", "{'Entries':[{" SEND("2") "}]}");
    bed_pump(b);
    out = bed_call(b, "logs", "FilterLogEvents", "{'logGroupName':'/aws/events/x'}");
    assert_int_equal(json_array_size(json_object_get(out, "events")), 1);
    const char *message =
        json_string_value(json_object_get(json_array_get(json_object_get(out, "events"), 0), "message"));
    assert_non_null(strstr(message, "\"n\":2"));
    json_decref(out);
    ok(b, "logs", "DeleteResourcePolicy", "{'policyName':'events'}");
    json_decref(bed_call(b, "logs", "PutMetricFilter", "{'logGroupName':'/aws/events/x'}"));
    assert_string_equal(b->code, "OperationAbortedException");
}

/* A rule that starts the machine whose ends it matches: sixteen rounds, and then a record of why. */
static void test_loop(void **state)
{
    bed *b = *state;
    make(b);
    ok(b, "events", "PutRule",
       "{'Name':'again','EventPattern':'{\\'source\\':[\\'aws.states\\'],\\'detail\\':{\\'status\\':"
       "[\\'SUCCEEDED\\']}}'}");
    ok(b, "events", "PutTargets",
       "{'Rule':'again','Targets':[" TARGET("t", MACHINE, ",'InputPath':'$.detail.name'") "]}");
    json_decref(bed_call(b, "states", "StartExecution", "{'stateMachineArn':'" MACHINE "'}"));
    for (int i = 0; i < 30; i++)
        bed_pump(b);
    assert_int_equal(executions(b), 1 + SH_EVENTS_ROUNDS);
    assert_non_null(strstr(failed(b), "again/t/LoopDetected"));
}

static void test_tags_and_refusals(void **state)
{
    bed *b = *state;
    ok(b, "events", "PutRule", "{'Name':'r'," PATTERN ",'Tags':[{'Key':'a','Value':'1'}]}");
    ok(b, "events", "TagResource", "{'ResourceARN':'" EVENTS_ARN "rule/r','Tags':[{'Key':'b','Value':'2'}]}");
    ok(b, "events", "UntagResource", "{'ResourceARN':'" EVENTS_ARN "rule/r','TagKeys':['a']}");
    json_t *out = bed_call(b, "events", "ListTagsForResource", "{'ResourceARN':'" EVENTS_ARN "rule/r'}");
    json_t *tags = json_object_get(out, "Tags");
    assert_int_equal(json_array_size(tags), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(tags, 0), "Key")), "b");
    json_decref(out);
    refused(b, "ListTagsForResource", "{'ResourceARN':'" EVENTS_ARN "rule/none'}",
            "ResourceNotFoundException");
    refused(b, "CreateArchive", "{'ArchiveName':'a','EventSourceArn':'x'}", "OperationDisabledException");
    refused(b, "CreateConnection",
            "{'Name':'c','AuthorizationType':'OAUTH_CLIENT_CREDENTIALS','AuthParameters':{}}",
            "ValidationException");
    ok(b, "events", "CreateConnection",
       "{'Name':'c','AuthorizationType':'API_KEY','AuthParameters':{'ApiKeyAuthParameters':{'ApiKeyName':'k',"
       "'ApiKeyValue':'hidden'}}}");
    out = bed_call(b, "events", "DescribeConnection", "{'Name':'c'}");
    char *text = json_dumps(out, 0);
    assert_null(strstr(text, "hidden"));
    assert_non_null(strstr(text, "ApiKeyName"));
    char arn[256];
    snprintf(arn, sizeof(arn), "%s", json_string_value(json_object_get(out, "ConnectionArn")));
    free(text);
    json_decref(out);
    static const char *const bad[] = {
        "http://example.com/",           "ftp://127.0.0.1/", "https://", "https://u@h/",
        "http://127.0.0.1.example.com/", "https://a b/"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        json_decref(bed_call(
            b, "events", "CreateApiDestination",
            "{'Name':'d','HttpMethod':'POST','ConnectionArn':'%s','InvocationEndpoint':'%s'}", arn, bad[i]));
        assert_string_equal(b->code, "ValidationException");
    }
    json_decref(bed_call(b, "events", "CreateApiDestination",
                         "{'Name':'d','HttpMethod':'POST','ConnectionArn':'%s','InvocationEndpoint':"
                         "'https://example.com/a/*'}",
                         arn));
    if (*b->code)
        fail_msg("%s", b->message);
}

#define BED(test) cmocka_unit_test_setup_teardown(test, bed_setup, bed_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED(test_buses),        BED(test_bus_to_bus), BED(test_schedule), BED(test_order),
        BED(test_retry_policy), BED(test_log_group),  BED(test_loop),     BED(test_tags_and_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
