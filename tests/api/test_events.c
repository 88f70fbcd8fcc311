/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From an event to an execution. */
#include "cloud/api/events.h"
#include "cloud/store/outbox.h"
#include "test_cloud_help.h"

#include <stdio.h>
#include <string.h>

#define PASS "{'StartAt':'A','States':{'A':{'Type':'Pass','End':true}}}"
#define RULE(NAME, PATTERN) "{'Name':'" NAME "','EventPattern':'" PATTERN "'}"
#define TARGET(ID, MACHINE, MORE)                                                                            \
    "{'Id':'" ID "','Arn':'" TEST_ARN "stateMachine:" MACHINE "','RoleArn':'" TEST_ROLE "'" MORE "}"

static const char event[] =
    "{'version':'0','id':'11111111-2222-3333-4444-555555555555','detail-type':'Object Created',"
    "'source':'aws.s3','account':'123456789012','time':'2026-01-01T00:00:00Z','region':"
    "'us-east-1','resources':[],'detail':{'object':{'key':'a b.mp4'}}}";

static void make(bed *b, const char *machine)
{
    json_t *made = bed_call_json(
        b, "states", "CreateStateMachine",
        json_pack("{s:s, s:s, s:s}", "name", machine, "definition", quoted(PASS), "roleArn", TEST_ROLE));
    assert_non_null(made);
    json_decref(made);
}

static void ok(bed *b, const char *action, const char *in)
{
    json_t *out = bed_call(b, "events", action, "%s", in);
    if (!out)
        fail_msg("%s: %s: %s", action, b->code, b->message);
    json_decref(out);
}

static void refused(bed *b, const char *action, const char *in, const char *code)
{
    json_decref(bed_call(b, "events", action, "%s", in));
    assert_string_equal(b->code, code);
}

static size_t executions(bed *b, const char *machine, char *arn, size_t size)
{
    json_t *list =
        bed_call(b, "states", "ListExecutions", "{'stateMachineArn':'" TEST_ARN "stateMachine:%s'}", machine);
    json_t *items = json_object_get(list, "executions");
    size_t count = json_array_size(items);
    if (count > 0 && arn)
        snprintf(arn, size, "%s",
                 json_string_value(json_object_get(json_array_get(items, 0), "executionArn")));
    json_decref(list);
    return count;
}

static void add_event(bed *b)
{
    assert_int_equal(sh_outbox_add(b->cloud->db, quoted(event), NULL), 0);
}

static void test_upload_starts_machine(void **state)
{
    bed *b = *state;
    char arn[512];
    make(b, "m");
    ok(b, "PutRule", RULE("r", "{\\'source\\':[\\'aws.s3\\']}"));
    ok(b, "PutTargets",
       "{'Rule':'r','Targets':[" TARGET("t", "m",
                                        ",'InputTransformer':{'InputPathsMap':{'k':'$.detail.object.key'},"
                                        "'InputTemplate':'{\\'key\\':<k>}'}") "]}");
    add_event(b);
    bed_restart(b);
    bed_pump(b);
    assert_int_equal(executions(b, "m", arn, sizeof(arn)), 1);
    assert_non_null(strstr(arn, "execution:m:11111111-2222-3333-4444-555555555555_"));
    const char *output =
        bed_text(bed_call(b, "states", "DescribeExecution", "{'executionArn':'%s'}", arn), "output");
    assert_string_equal(output, "{\"key\":\"a b.mp4\"}");
    add_event(b); /* the same event once more, as after a repeated notification */
    bed_pump(b);
    assert_int_equal(executions(b, "m", NULL, 0), 1);
}

static void test_two_targets(void **state)
{
    bed *b = *state;
    make(b, "m");
    ok(b, "PutRule", RULE("r", "{\\'source\\':[\\'aws.s3\\']}"));
    ok(b, "PutRule", RULE("s", "{\\'source\\':[\\'aws.s3\\']}"));
    ok(b, "PutRule", RULE("no", "{\\'source\\':[\\'aws.ec2\\']}"));
    ok(b, "PutTargets", "{'Rule':'r','Targets':[" TARGET("t", "m", "") "," TARGET("u", "m", "") "]}");
    ok(b, "PutTargets", "{'Rule':'s','Targets':[" TARGET("t", "m", "") "]}");
    ok(b, "PutTargets", "{'Rule':'no','Targets':[" TARGET("t", "m", "") "]}");
    ok(b, "DisableRule", "{'Name':'s'}");
    add_event(b);
    bed_pump(b);
    assert_int_equal(executions(b, "m", NULL, 0), 2);
}

static int take_failed(void *opaque, const sh_dispatch *d)
{
    snprintf(opaque, 512, "%s/%s/%d/%s", d->rule, d->target_id, (int)d->attempts, d->reason);
    return 1;
}

static void test_hopeless_target(void **state)
{
    bed *b = *state;
    char reason[512] = "";
    int64_t next_ms;
    make(b, "m");
    ok(b, "PutRule", RULE("r", "{\\'source\\':[\\'aws.s3\\']}"));
    ok(b, "PutTargets", "{'Rule':'r','Targets':[" TARGET("gone", "x", "") "," TARGET("good", "m", "") "]}");
    add_event(b);
    bed_pump(b);
    assert_int_equal(executions(b, "m", NULL, 0), 1);
    assert_int_equal(sh_dispatch_failed(b->cloud->db, 1, take_failed, reason, NULL), 0);
    assert_non_null(strstr(reason, "r/gone/1/StateMachineDoesNotExist"));
    assert_int_equal(sh_events_pump(b->cloud, &next_ms, NULL), 0);
    assert_int_equal(next_ms, -1);
}

static void test_template_without_json(void **state)
{
    bed *b = *state;
    char reason[512] = "";
    make(b, "m");
    ok(b, "PutRule", RULE("r", "{\\'source\\':[\\'aws.s3\\']}"));
    ok(b, "PutTargets",
       "{'Rule':'r','Targets':[" TARGET("t", "m",
                                        ",'InputTransformer':{'InputTemplate':'plain words'}") "]}");
    add_event(b);
    bed_pump(b);
    assert_int_equal(executions(b, "m", NULL, 0), 0);
    assert_int_equal(sh_dispatch_failed(b->cloud->db, 1, take_failed, reason, NULL), 0);
    assert_non_null(strstr(reason, "InvalidExecutionInput"));
}

/* A delivery that is to be tried again is, when its time has come, also by the server that follows. */
static void test_late_delivery(void **state)
{
    bed *b = *state;
    int64_t next_ms;
    char text[2048];
    make(b, "m");
    snprintf(text, sizeof(text), "%s", quoted(TARGET("t", "m", "")));
    sh_dispatch late = {.event = quoted(event),
                        .rule = "r",
                        .target_id = "t",
                        .target = text,
                        .reason = "busy",
                        .attempts = 1,
                        .first_ms = b->now_ms,
                        .due_ms = b->now_ms + 2000};
    assert_int_equal(sh_dispatch_add(b->cloud->db, &late, NULL), 0);
    assert_int_equal(sh_events_pump(b->cloud, &next_ms, NULL), 0);
    assert_int_equal(next_ms, late.due_ms);
    assert_int_equal(executions(b, "m", NULL, 0), 0);
    bed_restart(b);
    b->now_ms = late.due_ms;
    assert_int_equal(sh_events_pump(b->cloud, &next_ms, NULL), 0);
    assert_int_equal(next_ms, -1);
    assert_int_equal(executions(b, "m", NULL, 0), 1);
}

/* A target that fails without an answer is tried again later, and holds up neither the rest nor the outbox.
 */
static void test_broken_target(void **state)
{
    bed *b = *state;
    int64_t next_ms;
    sh_err err = {0};
    make(b, "m");
    ok(b, "PutRule", RULE("r", "{\\'source\\':[\\'aws.s3\\']}"));
    ok(b, "PutTargets", "{'Rule':'r','Targets':[" TARGET("good", "m", "") "]}");
    assert_int_equal(sh_target_put(b->cloud->db, "r", "bad", TEST_ARN "stateMachine:m", "{\"Id\":", NULL), 0);
    add_event(b);
    if (sh_events_pump(b->cloud, &next_ms, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(next_ms, b->now_ms + 1000);
    assert_int_equal(executions(b, "m", NULL, 0), 1);
    b->now_ms = next_ms;
    assert_int_equal(sh_events_pump(b->cloud, &next_ms, NULL), 0);
    assert_int_equal(next_ms, b->now_ms + 2000);
    assert_int_equal(executions(b, "m", NULL, 0), 1);
}

static void test_put_events(void **state)
{
    bed *b = *state;
    make(b, "m");
    ok(b, "PutRule",
       RULE("r", "{\\'source\\':[\\'my.app\\'],\\'detail\\':{\\'n\\':[{\\'numeric\\':[\\'>\\',1]}]}}"));
    ok(b, "PutTargets", "{'Rule':'r','Targets':[" TARGET("t", "m", "") "]}");
    json_t *out = bed_call(b, "events", "PutEvents",
                           "{'Entries':[{'Source':'my.app','DetailType':'d','Detail':'{\\'n\\':2}'},"
                           "{'Source':'my.app','DetailType':'d','Detail':'{\\'n\\':1}','Time':1e300},"
                           "{'Source':'my.app','DetailType':'d','Detail':'{'},"
                           "{'Source':'aws.s3','DetailType':'d','Detail':'{}'},{'Source':'x'}]}");
    assert_int_equal(json_integer_value(json_object_get(out, "FailedEntryCount")), 3);
    json_t *entries = json_object_get(out, "Entries");
    assert_non_null(json_object_get(json_array_get(entries, 0), "EventId"));
    assert_string_equal(json_string_value(json_object_get(json_array_get(entries, 2), "ErrorCode")),
                        "MalformedDetail");
    json_decref(out);
    bed_pump(b);
    assert_int_equal(executions(b, "m", NULL, 0), 1);
}

static void test_refusals(void **state)
{
    bed *b = *state;
    refused(b, "PutRule", RULE("r", "{\\'source\\':\\'aws.s3\\'}"), "InvalidEventPatternException");
    refused(b, "PutRule", "{'Name':'r','ScheduleExpression':'rate(1 minutes)'}", "ValidationException");
    refused(b, "PutRule", "{'Name':'r'}", "ValidationException");
    refused(b, "PutRule", "{'Name':'a b','EventPattern':'{}'}", "ValidationException");
    refused(b, "PutRule", "{'Name':'r','EventPattern':'{}','EventBusName':'mine'}",
            "ResourceNotFoundException");
    refused(b, "DescribeRule", "{'Name':'r'}", "ResourceNotFoundException");
    refused(b, "PutTargets", "{'Rule':'r','Targets':[" TARGET("t", "m", "") "]}",
            "ResourceNotFoundException");
    ok(b, "PutRule", RULE("r", "{\\'source\\':[\\'aws.s3\\']}"));
    refused(b, "PutTargets", "{'Rule':'r','Targets':[{'Id':'t','Arn':'arn:aws:sqs:x'}]}",
            "ValidationException");
    refused(b, "PutTargets", "{'Rule':'r','Targets':[{'Id':'t','Arn':'" TEST_ARN "stateMachine:m'}]}",
            "ValidationException");
    refused(b, "PutTargets", "{'Rule':'r','Targets':[" TARGET("t", "m", ",'Input':'{'") "]}",
            "ValidationException");
    ok(b, "PutTargets", "{'Rule':'r','Targets':[" TARGET("t", "m", "") "]}");
    refused(b, "DeleteRule", "{'Name':'r'}", "ValidationException");
    json_t *out = bed_call(b, "events", "RemoveTargets", "{'Rule':'r','Ids':['t','u']}");
    assert_int_equal(json_integer_value(json_object_get(out, "FailedEntryCount")), 1);
    json_decref(out);
    ok(b, "DeleteRule", "{'Name':'r'}");
    ok(b, "DeleteRule", "{'Name':'r'}");
}

static void test_lists(void **state)
{
    bed *b = *state;
    ok(b, "PutRule", RULE("r1", "{\\'source\\':[\\'a\\']}"));
    ok(b, "PutRule", RULE("r2", "{\\'source\\':[\\'a\\']}"));
    ok(b, "PutRule", RULE("q", "{\\'source\\':[\\'a\\']}"));
    ok(b, "PutTargets", "{'Rule':'r1','Targets':[" TARGET("t", "m", "") "]}");
    json_t *out = bed_call(b, "events", "ListRules", "{'NamePrefix':'r','Limit':1}");
    assert_int_equal(json_array_size(json_object_get(out, "Rules")), 1);
    const char *token = json_string_value(json_object_get(out, "NextToken"));
    json_t *rest = bed_call(b, "events", "ListRules", "{'NamePrefix':'r','NextToken':'%s'}", token);
    assert_int_equal(json_array_size(json_object_get(rest, "Rules")), 1);
    json_decref(out);
    json_decref(rest);
    out = bed_call(b, "events", "ListTargetsByRule", "{'Rule':'r1'}");
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(json_object_get(out, "Targets"), 0), "Id")), "t");
    json_decref(out);
    out = bed_call(b, "events", "ListRuleNamesByTarget", "{'TargetArn':'" TEST_ARN "stateMachine:m'}");
    assert_string_equal(json_string_value(json_array_get(json_object_get(out, "RuleNames"), 0)), "r1");
    json_decref(out);
    out = bed_call(b, "events", "DescribeRule", "{'Name':'r1'}");
    assert_string_equal(json_string_value(json_object_get(out, "Arn")),
                        "arn:aws:events:us-east-1:123456789012:rule/r1");
    json_decref(out);
}

static void test_test_pattern(void **state)
{
    bed *b = *state;
    json_t *out = bed_call_json(b, "events", "TestEventPattern",
                                json_pack("{s:s, s:s}", "EventPattern", "{\"source\":[{\"suffix\":\"s3\"}]}",
                                          "Event", quoted(event)));
    assert_true(json_is_true(json_object_get(out, "Result")));
    json_decref(out);
}

#define BED(test) cmocka_unit_test_setup_teardown(test, bed_setup, bed_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED(test_upload_starts_machine), BED(test_two_targets), BED(test_hopeless_target),
        BED(test_template_without_json), BED(test_put_events),  BED(test_broken_target),
        BED(test_late_delivery),         BED(test_refusals),    BED(test_lists),
        BED(test_test_pattern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
