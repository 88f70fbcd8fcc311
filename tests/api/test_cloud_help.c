/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test_cloud_help.h"
#include "base/file.h"
#include "cloud/api/events.h"
#include "cloud/api/states.h"
#include "cloud/api/states_effect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int64_t read_clock(void *opaque)
{
    return ((bed *)opaque)->now_ms;
}

static void open_cloud(bed *b)
{
    sh_err err = {0};
    sh_cloud_settings settings = {.data = b->folder,
                                  .region = "us-east-1",
                                  .account = "123456789012",
                                  .instance_id = "i-0123456789abcdef0"};
    if (sh_cloud_open(&b->cloud, &settings, &b->clock, &err) < 0)
        fail_msg("sh_cloud_open: %s", err.message);
}

const sh_caller test_root = {
    .arn = "arn:aws:iam::123456789012:root", .account = "123456789012", .id = "123456789012", .root = true};

/* For machines, rules and jobs, with what those call. */
static void make_role(bed *b, const char *name)
{
    json_decref(bed_call_json(
        b, "iam", "CreateRole",
        json_pack("{s:s, s:s}", "RoleName", name, "AssumeRolePolicyDocument",
                  "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{"
                  "\"Service\":[\"states.amazonaws.com\",\"events.amazonaws.com\","
                  "\"mediaconvert.amazonaws.com\"]},\"Action\":\"sts:AssumeRole\"}]}")));
    json_decref(bed_call_json(
        b, "iam", "PutRolePolicy",
        json_pack("{s:s, s:s, s:s}", "RoleName", name, "PolicyName", "work", "PolicyDocument",
                  "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":["
                  "\"states:*\",\"events:*\",\"ssm:*\",\"mediaconvert:*\",\"s3:*\",\"iam:PassRole\"],"
                  "\"Resource\":\"*\"}]}")));
    assert_string_equal(b->code, "");
}

int bed_setup(void **state)
{
    bed *b = calloc(1, sizeof(*b));
    snprintf(b->folder, sizeof(b->folder), "/tmp/spyhop-test-XXXXXX");
    if (!mkdtemp(b->folder))
        return -1;
    b->now_ms = 1767225600000; /* 2026-01-01T00:00:00Z */
    b->clock = (sh_clock){read_clock, b};
    open_cloud(b);
    make_role(b, "machine"); /* TEST_ROLE */
    make_role(b, "machine2");
    *state = b;
    return 0;
}

int bed_teardown(void **state)
{
    bed *b = *state;
    sh_cloud_close(b->cloud);
    sh_dir_remove(b->folder, NULL);
    free(b);
    return 0;
}

void bed_restart(bed *b)
{
    sh_cloud_close(b->cloud);
    open_cloud(b);
}

json_t *bed_call_json(bed *b, const char *service_name, const char *action_name, json_t *in)
{
    const sh_service *service = sh_service_find(service_name);
    const sh_action *action = service ? sh_action_find(service, action_name) : NULL;
    assert_non_null(action);
    sh_arena *arena = sh_arena_new(64u << 20);
    sh_call call = {.cloud = b->cloud,
                    .arena = arena,
                    .principal = test_root.arn,
                    .caller = &test_root,
                    .now_ms = b->now_ms,
                    .in = in};
    int status = action->fn(&call);
    assert_true((status < 0) == (call.error.code != NULL));
    snprintf(b->code, sizeof(b->code), "%s", call.error.code ? call.error.code : "");
    snprintf(b->message, sizeof(b->message), "%s", call.error.message ? call.error.message : "");
    json_t *out = call.out;
    if (status < 0) {
        json_decref(out);
        out = NULL;
    }
    sh_arena_free(arena);
    json_decref(in);
    return out;
}

const char *quoted(const char *text)
{
    static char buffers[4][65536];
    static int next;
    char *buffer = buffers[next++ % 4];
    snprintf(buffer, sizeof(buffers[0]), "%s", text);
    for (char *p = buffer; *p; p++) {
        if (*p == '\'')
            *p = '"';
    }
    return buffer;
}

json_t *bed_call(bed *b, const char *service, const char *action, const char *format, ...)
{
    static char text[65536];
    json_error_t error;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    json_t *in = json_loads(quoted(text), 0, &error);
    if (!in)
        fail_msg("%s in %s", error.text, text);
    return bed_call_json(b, service, action, in);
}

int64_t bed_pump(bed *b)
{
    int64_t next_ms = -2, other_ms;
    sh_err err = {0};
    for (int i = 0; i < 3; i++) { /* each may find work that the others made */
        if (sh_events_pump(b->cloud, &other_ms, &err) < 0 || sh_flows_pump(b->cloud, &next_ms, &err) < 0 ||
            sh_effects_pump(b->cloud, &other_ms, &err) < 0)
            fail_msg("pump: %s", err.message);
    }
    return next_ms;
}

const char *bed_text(json_t *answer, const char *name)
{
    static char buffers[16][8192];
    static int next;
    char *buffer = buffers[next++ % 16];
    const char *text = json_string_value(json_object_get(answer, name));
    if (text)
        snprintf(buffer, sizeof(buffers[0]), "%s", text);
    json_decref(answer);
    return text ? buffer : NULL;
}

const char *bed_start(bed *b, const char *name, const char *definition, const char *input)
{
    json_t *made = bed_call_json(
        b, "states", "CreateStateMachine",
        json_pack("{s:s, s:s, s:s}", "name", name, "definition", quoted(definition), "roleArn", TEST_ROLE));
    if (!made)
        fail_msg("%s: %s", b->code, b->message);
    const char *arn = bed_text(made, "stateMachineArn");
    json_t *started = bed_call_json(b, "states", "StartExecution",
                                    json_pack("{s:s, s:s}", "stateMachineArn", arn, "input", quoted(input)));
    if (!started)
        fail_msg("%s: %s", b->code, b->message);
    return bed_text(started, "executionArn");
}

const char *bed_status(bed *b, const char *arn)
{
    return bed_text(bed_call(b, "states", "DescribeExecution", "{'executionArn': '%s'}", arn), "status");
}

const char *bed_history(bed *b, const char *arn)
{
    static char text[65536];
    size_t used = 0, index;
    const json_t *event;
    json_t *out =
        bed_call(b, "states", "GetExecutionHistory", "{'executionArn': '%s', 'maxResults': 1000}", arn);
    text[0] = '\0';
    json_array_foreach(json_object_get(out, "events"), index, event)
    {
        json_int_t id = json_integer_value(json_object_get(event, "id"));
        const char *type = json_string_value(json_object_get(event, "type"));
        json_int_t previous = json_integer_value(json_object_get(event, "previousEventId"));
        assert_int_equal(id, index + 1);
        assert_true(previous < id && previous >= 0);
        assert_true(previous > 0 || id <= 2 || strcmp(type, "ExecutionAborted") == 0);
        assert_true(json_is_real(json_object_get(event, "timestamp")));
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", index ? " " : "", type);
    }
    json_decref(out);
    return text;
}
