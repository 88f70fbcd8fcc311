/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Executions of express machines: in the call, without it, as tasks. */
#include "test_states_help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t pump_express(bed *b)
{
    int64_t next_ms;
    assert_int_equal(sh_express_pump(b->cloud, &next_ms, NULL), 0);
    return next_ms;
}

static void test_sync(void **state)
{
    bed *b = *state;
    make(b, "x", PASS, "'type':'EXPRESS'");
    json_t *out = bed_call(b, "states", "StartSyncExecution",
                           "{'stateMachineArn':'" MACHINE "x','name':'n','input':'{ }','traceHeader':'t'}");
    assert_string_equal(b->code, "");
    assert_string_equal(text_of(out, "status"), "SUCCEEDED");
    assert_string_equal(text_of(out, "output"), "{}");
    assert_string_equal(text_of(out, "input"), "{ }");
    assert_string_equal(text_of(out, "name"), "n");
    assert_string_equal(text_of(out, "traceHeader"), "t");
    assert_string_equal(text_of(out, "stateMachineArn"), MACHINE "x");
    assert_memory_equal(text_of(out, "executionArn"),
                        TEST_ARN "express:x:n:", strlen(TEST_ARN "express:x:n:"));
    const json_t *billing = json_object_get(out, "billingDetails");
    assert_int_equal(json_integer_value(json_object_get(billing, "billedDurationInMilliseconds")), 100);
    assert_int_equal(json_integer_value(json_object_get(billing, "billedMemoryUsedInMB")), 64);
    assert_true(json_number_value(json_object_get(out, "startDate")) == 1767225600.0);
    json_decref(out);
    out = bed_call(b, "states", "StartSyncExecution",
                   "{'stateMachineArn':'" MACHINE "x','includedData':'METADATA_ONLY'}");
    assert_null(json_object_get(out, "output"));
    assert_null(json_object_get(out, "input"));
    json_decref(out);
}

static void test_sync_failure(void **state)
{
    bed *b = *state;
    make(b, "x", "{'StartAt':'F','States':{'F':{'Type':'Fail','Error':'E','Cause':'C'}}}",
         "'type':'EXPRESS'");
    json_t *out = bed_call(b, "states", "StartSyncExecution", "{'stateMachineArn':'" MACHINE "x'}");
    assert_string_equal(text_of(out, "status"), "FAILED");
    assert_string_equal(text_of(out, "error"), "E");
    assert_string_equal(text_of(out, "cause"), "C");
    assert_null(json_object_get(out, "output"));
    json_decref(out);
}

/* A call that its machine does not let end at once. */
static void start_waiting(bed *b, waiting *w, const char *definition)
{
    make(b, "x", definition, "'type':'EXPRESS'");
    assert_int_equal(
        call_waiting(b, w, "StartSyncExecution", json_pack("{s:s}", "stateMachineArn", MACHINE "x")),
        SH_CALL_LATER);
}

static void test_sync_waits(void **state)
{
    bed *b = *state;
    waiting w;
    start_waiting(b, &w, WAIT5);
    assert_int_equal(pump_express(b), b->now_ms + 5000);
    assert_int_equal(w.released, 0);
    b->now_ms += 5000;
    assert_int_equal(pump_express(b), -1);
    assert_int_equal(w.released, 1);
    assert_int_equal(sh_states_start_sync(&w.call), 0);
    assert_string_equal(text_of(w.call.out, "status"), "SUCCEEDED");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(w.call.out, "billingDetails"),
                                                        "billedDurationInMilliseconds")),
                     5000);
    end_waiting(b, &w);
}

/* The client goes away: the execution runs to its end, and nothing of it is left. */
static void test_sync_forgotten(void **state)
{
    bed *b = *state;
    waiting w;
    start_waiting(b, &w, WAIT5);
    end_waiting(b, &w);
    b->now_ms += 5000;
    assert_int_equal(pump_express(b), -1);
}

static void test_five_minutes(void **state)
{
    bed *b = *state;
    waiting w;
    start_waiting(b, &w, "{'StartAt':'W','States':{'W':{'Type':'Wait','Seconds':301,'End':true}}}");
    b->now_ms += 299999;
    assert_int_equal(pump_express(b), b->now_ms + 1);
    b->now_ms += 1;
    pump_express(b);
    assert_int_equal(sh_states_start_sync(&w.call), 0);
    assert_string_equal(text_of(w.call.out, "status"), "TIMED_OUT");
    assert_string_equal(text_of(w.call.out, "error"), "States.Timeout");
    end_waiting(b, &w);
}

static int count_row(void *opaque, const sh_row *row)
{
    *(int64_t *)opaque = sh_row_int(row, 0);
    return 0;
}

static int64_t express_rows(bed *b)
{
    int64_t count = -1;
    assert_int_equal(sh_db_each(b->cloud->db, NULL, "SELECT count(*) FROM express", count_row, &count, ""),
                     0);
    return count;
}

/* One that is only started has a row until it ends, and starts anew after a crash. */
static void test_asynchronous(void **state)
{
    bed *b = *state;
    make(b, "x", WAIT5, "'type':'EXPRESS'");
    json_t *out = bed_call(b, "states", "StartExecution", "{'stateMachineArn':'" MACHINE "x','name':'n'}");
    assert_memory_equal(text_of(out, "executionArn"),
                        TEST_ARN "express:x:n:", strlen(TEST_ARN "express:x:n:"));
    json_decref(out);
    json_decref(bed_call(b, "states", "StartExecution", "{'stateMachineArn':'" MACHINE "x','name':'n'}"));
    assert_string_equal(b->code, ""); /* names are no keys here */
    assert_int_equal(pump_express(b), b->now_ms + 5000);
    assert_int_equal(express_rows(b), 2);
    b->now_ms += 4000;
    bed_restart(b);
    assert_int_equal(pump_express(b), b->now_ms + 5000);
    b->now_ms += 5000;
    assert_int_equal(pump_express(b), -1);
    assert_int_equal(express_rows(b), 0);
}

/* A standard machine, the one task of which runs an express one and waits for it. */
#define SYNC_TASK(parameters)                                                                                \
    "{'StartAt':'T','States':{'T':{'Type':'Task','End':true,'Resource':'arn:aws:states:::aws-sdk:sfn:"       \
    "startSyncExecution','Parameters':{" parameters "}}}}"

static const char *start_parent(bed *b, const char *definition)
{
    const char *arn = bed_start(b, "parent", definition, "{}");
    bed_pump(b);
    pump_express(b);
    return arn;
}

static void test_sync_as_a_task(void **state)
{
    bed *b = *state;
    make(b, "x", WAIT5, "'type':'EXPRESS'");
    const char *arn = start_parent(b, SYNC_TASK("'StateMachineArn':'" MACHINE "x','Input':{'a':1}"));
    bed_restart(b);
    pump_express(b);
    b->now_ms += 5000;
    pump_express(b);
    bed_pump(b);
    json_t *described = bed_call(b, "states", "DescribeExecution", "{'executionArn':'%s'}", arn);
    if (!json_object_get(described, "output"))
        fail_msg("%s: %s", text_of(described, "error"), text_of(described, "cause"));
    json_t *output = json_loads(text_of(described, "output"), 0, NULL);
    assert_string_equal(text_of(output, "Status"), "SUCCEEDED");
    assert_string_equal(text_of(output, "Output"), "{\"a\":1}");
    assert_string_equal(text_of(output, "StartDate"), "2026-01-01T00:00:00.000Z");
    json_decref(output);
    json_decref(described);
    assert_string_equal(bed_history(b, arn), "ExecutionStarted TaskStateEntered TaskScheduled TaskStarted "
                                             "TaskSucceeded TaskStateExited ExecutionSucceeded");
    assert_int_equal(express_rows(b), 0);
    arn = bed_start(b, "wrong", SYNC_TASK("'StateMachineArn':'" MACHINE "parent'"), "{}");
    bed_pump(b);
    assert_string_equal(
        bed_text(bed_call(b, "states", "DescribeExecution", "{'executionArn':'%s'}", arn), "error"),
        "Sfn.StateMachineTypeNotSupportedException");
}

static void test_sync_task_is_stopped(void **state)
{
    bed *b = *state;
    make(b, "x", WAIT5, "'type':'EXPRESS'");
    const char *arn = start_parent(b, SYNC_TASK("'StateMachineArn':'" MACHINE "x'"));
    json_decref(bed_call(b, "states", "StopExecution", "{'executionArn':'%s'}", arn));
    b->now_ms += 5000;
    assert_int_equal(pump_express(b), -1);
    assert_int_equal(express_rows(b), 0);
    assert_string_equal(bed_status(b, arn), "ABORTED");
}

static void test_tasks_in_express(void **state)
{
    bed *b = *state;
    make(b, "child", WAIT5, "");
    make(b, "x",
         "{'StartAt':'P','States':{'P':{'Type':'Parallel','End':true,'Branches':["
         "{'StartAt':'A','States':{'A':{'Type':'Task','Resource':'arn:aws:states:::aws-sdk:sfn:"
         "startExecution',"
         "'Parameters':{'StateMachineArn':'" MACHINE "child','Name':'a'},'ResultPath':null,'End':true}}},"
         "{'StartAt':'B','States':{'B':{'Type':'Task','Resource':'arn:aws:states:::states:startExecution',"
         "'Parameters':{'StateMachineArn':'" MACHINE "none'},'End':true,'Catch':[{'ErrorEquals':['"
         "StepFunctions.StateMachineDoesNotExistException'],'Next':'C'}]},'C':{'Type':'Pass','Result':1,"
         "'End':true}}}]}}}",
         "'type':'EXPRESS'");
    json_t *out = bed_call(b, "states", "StartSyncExecution", "{'stateMachineArn':'" MACHINE "x'}");
    if (strcmp(text_of(out, "output"), "[{},1]") != 0)
        fail_msg("%s %s %s", text_of(out, "output"), text_of(out, "error"), text_of(out, "cause"));
    json_decref(out);
    assert_string_equal(bed_status(b, TEST_ARN "execution:child:a"), "RUNNING");
}

/* There is no history, so it has no limit. */
static void test_many_events(void **state)
{
    bed *b = *state;
    waiting w;
    make(
        b, "x",
        "{'StartAt':'L','States':{'L':{'Type':'Pass','Parameters':{'l.$':'States.ArrayRange(1,1000,1)','m.$':"
        "'States.ArrayRange(1,10,1)'},'Next':'M'},'M':{'Type':'Map','ItemsPath':'$.l','ItemSelector':{'m.$':'"
        "$.m'},"
        "'ItemProcessor':{'StartAt':'N','States':{'N':{'Type':'Map','ItemsPath':'$.m','ItemProcessor':{'"
        "StartAt':"
        "'P','States':{'P':{'Type':'Pass','End':true}}},'ResultPath':null,'End':true}}},'ResultPath':null,"
        "'End':true}}}",
        "'type':'EXPRESS'");
    int status =
        call_waiting(b, &w, "StartSyncExecution", json_pack("{s:s}", "stateMachineArn", MACHINE "x"));
    while (status == SH_CALL_LATER) {
        pump_express(b);
        status = sh_states_start_sync(&w.call);
    }
    assert_int_equal(status, 0);
    if (strcmp(text_of(w.call.out, "status"), "SUCCEEDED") != 0)
        fail_msg("%s %s", text_of(w.call.out, "error"), text_of(w.call.out, "cause"));
    end_waiting(b, &w);
}

static void test_refused_of_express(void **state)
{
    bed *b = *state;
    make(b, "x", PASS, "'type':'EXPRESS'");
    make(b, "s", PASS, "");
    REFUSED("StateMachineTypeNotSupported", "This operation is not supported by this type of state machine",
            "ListExecutions", "{'stateMachineArn':'" MACHINE "x'}");
    REFUSED("StateMachineTypeNotSupported", "This operation is not supported by this type of state machine",
            "StartSyncExecution", "{'stateMachineArn':'" MACHINE "s'}");
    REFUSED("InvalidArn", "Invalid Arn: 'Resource type not valid in this context: express'",
            "DescribeExecution", "{'executionArn':'" TEST_ARN "express:x:n:u'}");
    static const char *const patterns[][2] = {
        {"arn:aws:states:::states:startExecution.sync", "'.sync' service integration"},
        {"arn:aws:states:::aws-sdk:sfn:startExecution.waitForTaskToken",
         "'.waitForTaskToken' service integration"},
        {TEST_ARN "activity:a", "Activity ARN"},
    };
    for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++) {
        char definition[512], wanted[256];
        snprintf(
            definition, sizeof(definition),
            "{'StartAt':'T','States':{'T':{'Type':'Task','Resource':'%s','Parameters':{'StateMachineArn':"
            "'x','Input':{'t.$':'$$.Task.Token'}},'End':true}}}",
            patterns[i][0]);
        if (i != 1)
            snprintf(definition, sizeof(definition),
                     "{'StartAt':'T','States':{'T':{'Type':'Task','Resource':'%s','End':true}}}",
                     patterns[i][0]);
        json_decref(create(b, "y", definition, "'type':'EXPRESS'"));
        assert_string_equal(b->code, "InvalidDefinition");
        snprintf(
            wanted, sizeof(wanted),
            "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: Express state machine does not "
            "support %s",
            patterns[i][1]);
        if (strncmp(b->message, wanted, strlen(wanted)) != 0)
            fail_msg("%s", b->message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED(test_sync),           BED(test_sync_failure),         BED(test_sync_waits),
        BED(test_sync_forgotten), BED(test_five_minutes),         BED(test_asynchronous),
        BED(test_sync_as_a_task), BED(test_sync_task_is_stopped), BED(test_tasks_in_express),
        BED(test_many_events),    BED(test_refused_of_express),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
