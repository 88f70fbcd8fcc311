/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs of distributed Map states, row by row: a crash after every transaction, runs that are stopped or that
 * cannot go on, and records of CSV. */
#include "test_cloud_help.h"
#include "cloud/api/states_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EACH                                                                                                 \
    "'Type':'Map','Label':'Each','End':true,'ItemProcessor':{'ProcessorConfig':{'Mode':'DISTRIBUTED',"       \
    "'ExecutionType':'STANDARD'},'StartAt':"
#define MAP(machine, more) "{'StartAt':'M','States':{'M':{" EACH machine "}" more "}}}"
#define PASS "'P','States':{'P':{'Type':'Pass','End':true}}"
#define WAIT "'W','States':{'W':{'Type':'Wait','Seconds':60,'End':true}}"
#define BED(test) cmocka_unit_test_setup_teardown(test, bed_setup, bed_teardown)

static void pump_flows(bed *b)
{
    int64_t next_ms;
    sh_err err = {0};
    if (sh_flows_pump(b->cloud, &next_ms, &err) < 0)
        fail_msg("executions: %s", err.message);
}

static void pump_maps(bed *b)
{
    sh_err err = {0};
    if (sh_maps_pump(b->cloud, &err) < 0)
        fail_msg("runs of Map states: %s", err.message);
}

static void pump(bed *b)
{
    for (int i = 0; i < 4; i++) {
        pump_flows(b);
        pump_maps(b);
    }
}

static json_t *describe(bed *b, const char *arn)
{
    return bed_call(b, "states", "DescribeExecution", "{'executionArn':'%s'}", arn);
}

static const char *run_arn(bed *b, const char *execution)
{
    json_t *out = bed_call(b, "states", "ListMapRuns", "{'executionArn':'%s'}", execution);
    json_t *runs = json_object_get(out, "mapRuns");
    assert_int_equal(json_array_size(runs), 1);
    const char *arn = bed_text(json_incref(json_array_get(runs, 0)), "mapRunArn");
    json_decref(out);
    return arn;
}

/* "pending running succeeded failed aborted" of the children */
static const char *counts(bed *b, const char *arn)
{
    static char text[128];
    json_t *out = bed_call(b, "states", "DescribeMapRun", "{'mapRunArn':'%s'}", arn);
    const json_t *c = json_object_get(out, "executionCounts");
    const char *const names[] = {"pending", "running", "succeeded", "failed", "aborted"};
    size_t used = 0;
    for (size_t i = 0; i < 5; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%lld", i ? " " : "",
                                 (long long)json_integer_value(json_object_get(c, names[i])));
    json_decref(out);
    return text;
}

static void test_crash_after_every_step(void **state)
{
    bed *b = *state;
    const char *arn = bed_start(b, "m", MAP(PASS, ",'MaxConcurrency':2"), "[1,2,3,4,5]");
    for (int i = 0; i < 12; i++) {
        bed_restart(b);
        pump_flows(b);
        bed_restart(b);
        pump_maps(b);
    }
    assert_string_equal(bed_text(describe(b, arn), "output"), "[1,2,3,4,5]");
    assert_string_equal(counts(b, run_arn(b, arn)), "0 0 5 0 0");
    assert_string_equal(bed_history(b, arn),
                        "ExecutionStarted MapStateEntered MapStateStarted MapRunStarted MapRunSucceeded "
                        "MapStateSucceeded MapStateExited ExecutionSucceeded");
}

/* What a crash in the middle of reading left is cleared. */
static void test_crash_while_reading(void **state)
{
    bed *b = *state;
    sh_err err = {0};
    const char *arn = bed_start(b, "m", MAP(PASS, ""), "['a','b']");
    pump_flows(b);
    for (int64_t i = 0; i < 3; i++) {
        sh_map_child child = {.run = 1, .position = i, .items = 1, .input = "\"stale\""};
        assert_int_equal(sh_map_child_add(b->cloud->db, &child, &err), 0);
    }
    bed_restart(b);
    pump(b);
    assert_string_equal(bed_text(describe(b, arn), "output"), "[\"a\",\"b\"]");
}

static void test_side_by_side(void **state)
{
    bed *b = *state;
    const char *arn = bed_start(b, "m", MAP(WAIT, ",'MaxConcurrency':2"), "[1,2,3]");
    pump(b);
    assert_string_equal(counts(b, run_arn(b, arn)), "1 2 0 0 0");
    bed_restart(b);
    b->now_ms += 60000;
    pump(b);
    assert_string_equal(counts(b, run_arn(b, arn)), "0 1 2 0 0");
    json_decref(
        bed_call(b, "states", "UpdateMapRun", "{'mapRunArn':'%s','maxConcurrency':0}", run_arn(b, arn)));
    b->now_ms += 60000;
    pump(b);
    assert_string_equal(bed_status(b, arn), "SUCCEEDED");
}

static void test_stopped(void **state)
{
    bed *b = *state;
    const char *arn = bed_start(b, "m", MAP(WAIT, ",'MaxConcurrency':2"), "[1,2,3]");
    pump(b);
    const char *run = run_arn(b, arn);
    json_decref(bed_call(b, "states", "StopExecution", "{'executionArn':'%s'}", arn));
    assert_string_equal(counts(b, run), "1 2 0 0 0");
    bed_restart(b);
    pump(b);
    assert_string_equal(counts(b, run), "1 0 0 0 2");
    assert_string_equal(
        bed_text(bed_call(b, "states", "DescribeMapRun", "{'mapRunArn':'%s'}", run), "status"), "ABORTED");
    b->now_ms += 60000;
    pump(b);
    assert_string_equal(counts(b, run), "1 0 0 0 2");
}

/* Stopped before anything was read, and while the parent's time is over. */
static void test_stopped_early(void **state)
{
    bed *b = *state;
    const char *arn = bed_start(b, "m", MAP(PASS, ""), "[1]");
    pump_flows(b);
    json_decref(bed_call(b, "states", "StopExecution", "{'executionArn':'%s'}", arn));
    pump(b);
    assert_string_equal(counts(b, run_arn(b, arn)), "0 0 0 0 0");
    arn = bed_start(b, "t", "{'TimeoutSeconds':5,'StartAt':'M','States':{'M':{" EACH WAIT "}}}}", "[1]");
    pump(b);
    b->now_ms += 5000;
    pump(b);
    assert_string_equal(bed_status(b, arn), "TIMED_OUT");
    assert_string_equal(counts(b, run_arn(b, arn)), "0 0 0 0 1");
}

/* A row that makes no sense fails its run and its parent, and holds nobody up. */
static void test_broken(void **state)
{
    bed *b = *state;
    sh_err err = {0};
    const char *broken = bed_start(b, "m", MAP(PASS, ""), "[1]");
    pump_flows(b);
    assert_int_equal(sh_db_run(b->cloud->db, &err, "UPDATE map_runs SET parameters = 'x'", ""), 0);
    const char *whole = bed_start(b, "n", MAP(PASS, ""), "[1]");
    pump(b);
    assert_string_equal(bed_status(b, whole), "SUCCEEDED");
    json_t *out = describe(b, broken);
    assert_string_equal(json_string_value(json_object_get(out, "error")), "States.Runtime");
    json_decref(out);
}

/* A child that is gone does not keep its run from coming to an end. */
static void test_lost_child(void **state)
{
    bed *b = *state;
    sh_err err = {0};
    const char *arn = bed_start(b, "m", MAP(WAIT, ""), "[1]");
    pump(b);
    const char *run = run_arn(b, arn);
    assert_int_equal(sh_db_run(b->cloud->db, &err, "DELETE FROM executions WHERE machine_arn LIKE '%/%'", ""),
                     0);
    json_decref(bed_call(b, "states", "StopExecution", "{'executionArn':'%s'}", arn));
    pump(b);
    assert_string_equal(
        bed_text(bed_call(b, "states", "DescribeMapRun", "{'mapRunArn':'%s'}", run), "status"), "ABORTED");
}

static void drive_again(bed *b, const char *arn)
{
    json_t *out = bed_call(b, "states", "RedriveExecution", "{'executionArn':'%s'}", arn);
    if (!out)
        fail_msg("%s: %s", b->code, b->message);
    json_decref(out);
}

/* Asks for a machine that the item names. */
#define ASK                                                                                                  \
    "'T','States':{'T':{'Type':'Task','Resource':'arn:aws:states:::aws-sdk:sfn:describeStateMachine',"       \
    "'Parameters':{'StateMachineArn.$':'$'},'ResultSelector':{'n.$':'$.Name'},'End':true}}"
#define ASKED "['" TEST_ARN "stateMachine:m','" TEST_ARN "stateMachine:late','" TEST_ARN "stateMachine:m']"

static void redriven(bed *b, const char *definition, const char *children)
{
    const char *arn = bed_start(b, "m", definition, ASKED);
    pump(b);
    const char *run = run_arn(b, arn);
    assert_string_equal(bed_status(b, arn), "FAILED");
    assert_string_equal(counts(b, run), "1 0 1 1 0");
    json_decref(bed_call_json(b, "states", "CreateStateMachine",
                              json_pack("{s:s, s:s, s:s}", "name", "late", "definition",
                                        quoted("{'StartAt':'P','States':{'P':{'Type':'Pass','End':true}}}"),
                                        "roleArn", TEST_ROLE)));
    drive_again(b, arn);
    for (int i = 0; i < 6; i++) {
        bed_restart(b);
        pump_flows(b);
        bed_restart(b);
        pump_maps(b);
    }
    assert_string_equal(bed_text(describe(b, arn), "output"), quoted("[{'n':'m'},{'n':'late'},{'n':'m'}]"));
    assert_string_equal(run_arn(b, arn), run);
    assert_string_equal(counts(b, run), "0 0 3 0 0");
    assert_string_equal(bed_history(b, arn),
                        "ExecutionStarted MapStateEntered MapStateStarted MapRunStarted MapRunFailed "
                        "MapStateFailed ExecutionFailed ExecutionRedriven MapRunRedriven MapRunSucceeded "
                        "MapStateSucceeded MapStateExited ExecutionSucceeded");
    json_t *out = bed_call(b, "states", "DescribeMapRun", "{'mapRunArn':'%s'}", run);
    assert_int_equal(json_integer_value(json_object_get(out, "redriveCount")), 1);
    assert_non_null(json_object_get(out, "redriveDate"));
    json_decref(out);
    out = bed_call(b, "states", "ListExecutions", "{'mapRunArn':'%s'}", run);
    const json_t *second = json_array_get(json_object_get(out, "executions"), 1);
    if (second)
        assert_string_equal(bed_history(b, json_string_value(json_object_get(second, "executionArn"))),
                            children);
    json_decref(out);
}

static void test_redriven(void **state)
{
    redriven(*state, MAP(ASK, ",'MaxConcurrency':1"),
             "ExecutionStarted TaskStateEntered TaskScheduled TaskStarted TaskFailed ExecutionFailed "
             "ExecutionRedriven TaskScheduled TaskStarted TaskSucceeded TaskStateExited ExecutionSucceeded");
}

static void test_redriven_express(void **state)
{
    redriven(
        *state,
        "{'StartAt':'M','States':{'M':{'Type':'Map','Label':'Each','End':true,'MaxConcurrency':1,"
        "'ItemProcessor':{'ProcessorConfig':{'Mode':'DISTRIBUTED','ExecutionType':'EXPRESS'},'StartAt':" ASK
        "}}}}",
        NULL);
}

/* Driven again while what it had started is still being stopped. */
static void test_redriven_at_once(void **state)
{
    bed *b = *state;
    const char *arn = bed_start(b, "m", MAP(WAIT, ",'MaxConcurrency':2"), "[1,2,3]");
    pump(b);
    const char *run = run_arn(b, arn);
    json_decref(bed_call(b, "states", "StopExecution", "{'executionArn':'%s'}", arn));
    drive_again(b, arn);
    pump(b);
    assert_string_equal(counts(b, run), "1 2 0 0 0");
    for (int i = 0; i < 2; i++) {
        b->now_ms += 60000;
        pump(b);
    }
    assert_string_equal(bed_status(b, arn), "SUCCEEDED");
    assert_string_equal(counts(b, run), "0 0 3 0 0");
}

/* A child is driven again with its run only. */
static void test_redriven_alone(void **state)
{
    bed *b = *state;
    const char *arn = bed_start(b, "m", MAP(ASK, ""), "['" TEST_ARN "stateMachine:none']");
    pump(b);
    json_t *out = bed_call(b, "states", "ListExecutions", "{'mapRunArn':'%s'}", run_arn(b, arn));
    const char *child =
        bed_text(json_incref(json_array_get(json_object_get(out, "executions"), 0)), "executionArn");
    json_decref(out);
    assert_string_equal(bed_text(describe(b, child), "redriveStatus"), "REDRIVABLE_BY_MAP_RUN");
    assert_null(bed_call(b, "states", "RedriveExecution", "{'executionArn':'%s'}", child));
    assert_string_equal(b->code, "ExecutionNotRedrivable");
}

static void test_many(void **state)
{
    bed *b = *state;
    json_t *list = json_array(), *out;
    for (int i = 0; i < 1500; i++)
        json_array_append_new(list, json_integer(i));
    char *input = json_dumps(list, JSON_COMPACT);
    const char *arn = bed_start(b, "m", MAP(PASS, ",'ItemBatcher':{'MaxItemsPerBatch':2}"), input);
    pump(b);
    out = bed_call(b, "states", "ListExecutions", "{'mapRunArn':'%s','maxResults':700}", run_arn(b, arn));
    assert_int_equal(json_array_size(json_object_get(out, "executions")), 700);
    assert_int_equal(json_integer_value(
                         json_object_get(json_array_get(json_object_get(out, "executions"), 0), "itemCount")),
                     2);
    const char *token = bed_text(out, "nextToken");
    out = bed_call(b, "states", "ListExecutions", "{'mapRunArn':'%s','nextToken':'%s'}", run_arn(b, arn),
                   token);
    assert_int_equal(json_array_size(json_object_get(out, "executions")), 50);
    assert_null(json_object_get(out, "nextToken"));
    json_decref(out);
    assert_string_equal(bed_status(b, arn), "SUCCEEDED");
    json_decref(list);
    free(input);
}

static void test_csv(void **state)
{
    static const struct {
        const char *text;
        char delimiter;
        const char *wanted;
    } rows[] = {
        {"a,b", ',', "[['a','b']]"},
        {"a,b\nc", ',', "[['a','b'],['c']]"},
        {"a,b\r\nc,\r\n", ',', "[['a','b'],['c','']]"},
        {"\n", ',', "[['']]"},
        {"a|b,c", '|', "[['a','b,c']]"},
        {"`a,b`,c", ',', "[['a,b','c']]"},
        {"`a\nb`,`c``d`", ',', "[['a\\nb','c`d']]"},
        {"x\\,y,\\\\z,q\\q", ',', "[['x,y','\\\\z','qq']]"},
        {"a\\`b", ',', "[['a`b']]"},
        {"`open,\nend", ',', "[['open,\\nend']]"},
        {"a\rb", ',', "[['a\\rb']]"},
        {"\\", ',', "[['']]"},
        {"\xff,a", ',', "[['','a']]"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[64], wanted[128];
        snprintf(text, sizeof(text), "%s", rows[i].text);
        snprintf(wanted, sizeof(wanted), "%s", rows[i].wanted);
        for (char *p = text; *p; p++)
            *p = *p == '`' ? '"' : *p;
        json_t *got = json_array(), *expected;
        const char *at = text, *end = text + strlen(text);
        while (at < end)
            json_array_append_new(got, sh_csv_record(&at, end, rows[i].delimiter));
        for (char *p = wanted; *p; p++)
            *p = *p == '\'' ? '"' : *p;
        char final[160];
        size_t used = 0;
        for (const char *p = wanted; *p; p++)
            used += (size_t)snprintf(final + used, sizeof(final) - used, *p == '`' ? "\\\"" : "%c", *p);
        expected = json_loads(final, 0, NULL);
        if (!expected || !json_equal(got, expected))
            fail_msg("row %zu: %s", i, json_dumps(got, JSON_COMPACT));
        json_decref(got);
        json_decref(expected);
    }
    assert_int_equal(sh_csv_delimiter("TAB"), '\t');
    assert_int_equal(sh_csv_delimiter(NULL), ',');
}

/* Any bytes are records, and all of them are read. */
static void test_csv_of_anything(void **state)
{
    static const char letters[] = "a,\"\\\n\r|\xc3\xa9";
    unsigned seed = 1;
    for (int round = 0; round < 5000; round++) {
        char text[40];
        size_t length = (size_t)(round % (int)sizeof(text));
        for (size_t i = 0; i < length; i++) {
            seed = seed * 1103515245 + 12345;
            text[i] = letters[(seed >> 16) % (sizeof(letters) - 1)];
        }
        char *copy = malloc(length + 1); /* of just that size, for the sanitizers */
        memcpy(copy, text, length);
        const char *at = copy, *end = copy + length;
        while (at < end) {
            const char *before = at;
            json_t *record = sh_csv_record(&at, end, ',');
            assert_non_null(record);
            assert_true(at > before && at <= end);
            json_decref(record);
        }
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED(test_crash_after_every_step),
        BED(test_crash_while_reading),
        BED(test_side_by_side),
        BED(test_stopped),
        BED(test_stopped_early),
        BED(test_broken),
        BED(test_lost_child),
        BED(test_redriven),
        BED(test_redriven_express),
        BED(test_redriven_at_once),
        BED(test_redriven_alone),
        BED(test_many),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_csv_of_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
