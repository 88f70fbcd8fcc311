/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tasks step by step, with two clocks that stand still: workers of activities, time-outs, answers without an
 * error, what is driven again, and a wall clock that is set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "check.h"
#include "cloud/flow/flow.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct bench {
    sh_flow *flow;
    json_t *state, *context;
    int64_t now_ms, steady_ms, wake_ms, task;
    sh_flow_status status;
    char error[128];
    bool (*activity)(void *opaque, const char *arn);
    char types[4096];  /* of all events so far */
    json_t *last;      /* event */
    json_t *scheduled; /* the last TaskScheduled */
    int64_t entered;   /* id of the last TaskStateEntered */
} bench;

static void begin(bench *b, const char *definition)
{
    sh_err err = {0};
    char *text = check_json(definition);

    *b = (bench){.now_ms = 1700000000000, .steady_ms = 5000};
    b->context = json_pack("{s:{s:s, s:i}}", "Execution", "Id", "arn:x", "RedriveCount", 0);
    if (sh_flow_parse(&b->flow, text, strlen(text), NULL, &err))
        fail_msg("%s", err.message);
    free(text);
}

static void end(bench *b)
{
    sh_flow_free(b->flow);
    json_decref(b->state);
    json_decref(b->context);
    json_decref(b->last);
    json_decref(b->scheduled);
}

static void note(bench *b, const json_t *history)
{
    size_t index;
    json_t *event;

    json_array_foreach((json_t *)history, index, event)
    {
        size_t used = strlen(b->types);

        snprintf(b->types + used, sizeof(b->types) - used, "%s%s", used ? " " : "",
                 json_string_value(json_object_get(event, "type")));
        json_decref(b->last);
        b->last = json_incref(event);
        if (!strcmp(json_string_value(json_object_get(event, "type")), "TaskStateEntered"))
            b->entered = json_integer_value(json_object_get(event, "id"));
        if (!strcmp(json_string_value(json_object_get(event, "type")), "TaskScheduled")) {
            json_decref(b->scheduled);
            b->scheduled = json_incref(event);
        }
    }
}

/* True when the event was taken. */
static bool step(bench *b, sh_flow_event event)
{
    sh_flow_env env = {
        .now_ms = b->now_ms, .steady_ms = b->steady_ms, .context = b->context, .activity = b->activity};
    sh_flow_result result = {0};
    sh_err err = {0};
    bool taken;

    if (sh_flow_step(b->flow, &env, b->state, &event, &result, &err))
        fail_msg("%s", err.message);
    taken = !result.ignored;
    b->wake_ms = result.wake_ms;
    if (taken) {
        note(b, result.history);
        if (result.task_count)
            b->task = result.tasks[result.task_count - 1].id;
        b->status = result.status;
        snprintf(b->error, sizeof(b->error), "%s", result.error ? result.error : "");
        json_decref(b->state);
        b->state = json_incref(result.state);
    }
    sh_flow_result_free(&result);
    return taken;
}

static bool timer(bench *b)
{
    return step(b, (sh_flow_event){.kind = SH_FLOW_TIMER});
}

static void pass(bench *b, int64_t ms)
{
    b->now_ms += ms;
    b->steady_ms += ms;
}

#define ACTIVITY                                                                                             \
    "{'StartAt':'T','States':{'T':{'Type':'Task','Resource':'arn:aws:states:us-east-1:123456789012:"         \
    "activity:a','TimeoutSeconds':60,'HeartbeatSeconds':10,'End':true}}}"

static void test_activity_times(void **state)
{
    bench b;

    begin(&b, ACTIVITY);
    step(&b, (sh_flow_event){.kind = SH_FLOW_START});
    assert_int_equal(b.wake_ms, -1); /* no time runs yet, nobody's heart is to be heard */
    pass(&b, 500000);
    assert_false(timer(&b));
    assert_true(step(&b, (sh_flow_event){.kind = SH_FLOW_TASK_STARTED, .task = b.task}));
    assert_int_equal(json_object_size(json_object_get(b.last, "activityStartedEventDetails")), 0);
    assert_int_equal(b.wake_ms, b.now_ms + 10000);
    pass(&b, 9000);
    assert_true(step(&b, (sh_flow_event){.kind = SH_FLOW_TASK_HEARTBEAT, .task = b.task}));
    assert_int_equal(b.wake_ms, b.now_ms + 10000);
    for (int i = 0; i < 5; i++) {
        pass(&b, 9000);
        step(&b, (sh_flow_event){.kind = SH_FLOW_TASK_HEARTBEAT, .task = b.task});
    }
    assert_int_equal(b.wake_ms, b.now_ms + 6000); /* a minute after it was taken, however it beats */
    pass(&b, 6000);
    assert_true(timer(&b));
    assert_int_equal(b.status, SH_FLOW_FAILED);
    assert_string_equal(b.error, "States.Timeout");
    assert_string_equal(b.types, "ExecutionStarted TaskStateEntered ActivityScheduled ActivityStarted "
                                 "ActivityTimedOut ExecutionFailed");
    end(&b);
}

static bool no_activity(void *opaque, const char *arn)
{
    (void)opaque;
    return strcmp(arn, "arn:aws:states:us-east-1:123456789012:activity:a") != 0;
}

static void test_no_activity(void **state)
{
    bench b;

    begin(&b, ACTIVITY);
    b.activity = no_activity;
    step(&b, (sh_flow_event){.kind = SH_FLOW_START});
    assert_string_equal(b.error, "States.Runtime");
    assert_string_equal(b.types, "ExecutionStarted TaskStateEntered ExecutionFailed");
    end(&b);
}

static void test_failure_without_error(void **state)
{
    bench b;

    begin(&b, "{'StartAt':'T','States':{'T':{'Type':'Task','Resource':'arn:aws:states:::aws-sdk:s3:getObject."
              "waitForTaskToken','Catch':[{'ErrorEquals':['States.TaskFailed'],'Next':'C'}],'End':true},'C':"
              "{'Type':'Pass','End':true}}}");
    step(&b, (sh_flow_event){.kind = SH_FLOW_START});
    step(&b, (sh_flow_event){.kind = SH_FLOW_TASK_FAILED, .task = b.task});
    assert_int_equal(b.status, SH_FLOW_SUCCEEDED);
    end(&b);
}

/* Two of three iterations have ended when the third fails: only that one runs again, at its second state. */
static void test_redrive_map(void **state)
{
    bench b;

    begin(&b,
          "{'StartAt':'M','States':{'M':{'Type':'Map','End':true,'ItemProcessor':{'StartAt':'P','States':{"
          "'P':{'Type':'Pass','Next':'C'},'C':{'Type':'Choice','Choices':[{'Variable':'$','NumericEquals':3,"
          "'Next':'T'}],'Default':'S'},'S':{'Type':'Succeed'},'T':{'Type':'Task','Resource':"
          "'arn:aws:states:::aws-sdk:s3:getObject','Parameters':{'Key.$':'$$.Execution.RedriveCount'},"
          "'End':true}}}}}}");
    json_t *items = json_pack("[i, i, i]", 1, 2, 3);
    step(&b, (sh_flow_event){.kind = SH_FLOW_START, .output = items});
    step(&b, (sh_flow_event){.kind = SH_FLOW_TASK_FAILED, .task = b.task, .error = "E"});
    assert_int_equal(b.status, SH_FLOW_FAILED);
    int64_t first = b.task;
    b.types[0] = '\0';
    assert_false(timer(&b)); /* an end is an end */
    json_object_set_new(json_object_get(b.context, "Execution"), "RedriveCount", json_integer(1));
    assert_true(step(&b, (sh_flow_event){.kind = SH_FLOW_REDRIVE}));
    assert_string_equal(b.types, "ExecutionRedriven TaskScheduled TaskStarted");
    assert_int_equal(json_integer_value(json_object_get(b.scheduled, "previousEventId")), b.entered);
    assert_true(b.task > first);
    assert_false(step(&b, (sh_flow_event){.kind = SH_FLOW_REDRIVE})); /* it runs */
    json_t *seven = json_integer(7);
    step(&b, (sh_flow_event){.kind = SH_FLOW_TASK_SUCCEEDED, .task = b.task, .output = seven});
    assert_int_equal(b.status, SH_FLOW_SUCCEEDED);
    assert_string_equal(b.types, "ExecutionRedriven TaskScheduled TaskStarted TaskSucceeded TaskStateExited "
                                 "MapIterationSucceeded MapStateSucceeded MapStateExited ExecutionSucceeded");
    json_decref(items);
    json_decref(seven);
    end(&b);
}

/* Results that together are too long: all begins anew. */
static void test_redrive_too_long(void **state)
{
    bench b;
    char *text = malloc(200001);

    begin(
        &b,
        "{'StartAt':'P','States':{'P':{'Type':'Parallel','End':true,'Branches':[{'StartAt':'A','States':{'A':"
        "{'Type':'Pass','End':true}}},{'StartAt':'B','States':{'B':{'Type':'Pass','End':true}}}]}}}");
    memset(text, 'x', 200000);
    text[200000] = '\0';
    json_t *input = json_string(text);
    step(&b, (sh_flow_event){.kind = SH_FLOW_START, .output = input});
    assert_string_equal(b.error, "States.DataLimitExceeded");
    b.types[0] = '\0';
    step(&b, (sh_flow_event){.kind = SH_FLOW_REDRIVE});
    assert_non_null(strstr(b.types, "ExecutionRedriven ParallelStateStarted PassStateEntered"));
    assert_string_equal(b.error, "States.DataLimitExceeded");
    json_decref(input);
    free(text);
    end(&b);
}

static void test_clock_is_set(void **state)
{
    bench b;

    begin(&b, "{'StartAt':'S','States':{'S':{'Type':'Wait','Seconds':100,'Next':'T'},'T':{'Type':'Wait','"
              "Timestamp':"
              "'2023-11-14T23:00:00Z','End':true}}}");
    step(&b, (sh_flow_event){.kind = SH_FLOW_START});
    assert_int_equal(b.wake_ms, b.now_ms + 100000);
    b.now_ms -= 3600000;
    b.steady_ms += 40000;
    assert_false(timer(&b));
    assert_int_equal(b.wake_ms, b.now_ms + 60000);
    b.steady_ms += 60000;
    assert_true(timer(&b));
    assert_int_equal(b.wake_ms, 1700002800000);
    b.steady_ms += 99999999;
    assert_false(timer(&b));
    b.now_ms = 1700002800000;
    assert_true(timer(&b));
    assert_int_equal(b.status, SH_FLOW_SUCCEEDED);
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_activity_times),        cmocka_unit_test(test_no_activity),
        cmocka_unit_test(test_failure_without_error), cmocka_unit_test(test_redrive_map),
        cmocka_unit_test(test_redrive_too_long),      cmocka_unit_test(test_clock_is_set),
    };
    return cmocka_run_group_tests_name("task", tests, NULL, NULL);
}
