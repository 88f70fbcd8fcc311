/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every action of every service has a row that says what it is asked for, what a decision is made of, and
 * what it costs. */
#include "cloud/api/authorize.h"
#include "cloud/api/authorize_table.h"
#include "cloud/api/iam.h"
#include "test_cloud_help.h"

#include <stdio.h>
#include <string.h>

#define USER "arn:aws:iam::123456789012:user/ann"

static void test_every_action_has_a_row(void **state)
{
    for (size_t i = 0; sh_services[i]; i++) {
        const sh_service *service = sh_services[i];
        for (const sh_action *action = service->actions; action->name; action++) {
            if (strcmp(service->name, "iam") != 0 && !sh_ask_find(service->name, action->name))
                fail_msg("%s:%s has no row in authorize_table.c", service->name, action->name);
        }
    }
}

static void test_every_row_is_of_an_action(void **state)
{
    for (const sh_ask *row = sh_asks; row->service; row++) {
        const sh_service *service = sh_service_find(row->service);
        if (!service || !sh_action_find(service, row->action))
            fail_msg("%s:%s is no action", row->service, row->action);
        assert_ptr_equal(sh_ask_find(row->service, row->action), row);
        assert_true(!row->role == !row->to);
    }
}

static sh_caller make_user(bed *b)
{
    static char id[64];
    json_t *made = bed_call(b, "iam", "CreateUser", "{'UserName':'ann'}");
    const char *text = json_string_value(json_object_get(json_object_get(made, "User"), "UserId"));
    assert_non_null(text);
    snprintf(id, sizeof(id), "%s", text);
    json_decref(made);
    return (sh_caller){.arn = USER, .account = "123456789012", .id = id, .source_ip = "127.0.0.1"};
}

static void put_policy(bed *b, const char *document)
{
    json_decref(bed_call_json(b, "iam", "PutUserPolicy",
                              json_pack("{s:s, s:s, s:s}", "UserName", "ann", "PolicyName", "p",
                                        "PolicyDocument", quoted(document))));
    assert_string_equal(b->code, "");
}

/* What the caller may do as the call's input stands: "" or the refusal. */
static const char *ask(bed *b, const sh_caller *caller, const char *service, const char *action,
                       const char *in)
{
    static char text[4096];
    sh_arena *arena = sh_arena_new(1 << 20);
    json_t *object = json_loads(quoted(in), 0, NULL);
    assert_non_null(object);
    sh_call call = {.cloud = b->cloud, .arena = arena, .caller = caller, .in = object};
    int status = sh_authorize_action(&call, service, action);
    assert_true((status < 0) == (call.error.code != NULL));
    snprintf(text, sizeof(text), "%s", status < 0 ? call.error.message : "");
    json_decref(object);
    sh_arena_free(arena);
    return text;
}

#define NO(action, resource)                                                                                 \
    "User: " USER " is not authorized to perform: " action " on resource: " resource                         \
    " because no identity-based policy allows the " action " action"

static void test_resources(void **state)
{
    bed *b = *state;
    sh_caller ann = make_user(b);
    static const char *const rows[][4] = {
        {"states", "StartExecution", "{'stateMachineArn':'" TEST_ARN "stateMachine:m'}",
         NO("states:StartExecution", TEST_ARN "stateMachine:m")},
        {"states", "StartExecution", "{'stateMachineArn':'" TEST_ARN "stateMachine:m:7'}",
         NO("states:StartExecution", TEST_ARN "stateMachine:m")},
        {"states", "ListExecutions", "{'mapRunArn':'" TEST_ARN "mapRun:m/L:1'}",
         NO("states:ListExecutions", TEST_ARN "mapRun:m/L:1")},
        {"states", "CreateStateMachineAlias",
         "{'routingConfiguration':[{'stateMachineVersionArn':'" TEST_ARN "stateMachine:m:1'}]}",
         NO("states:CreateStateMachineAlias", TEST_ARN "stateMachine:m")},
        {"ssm", "GetParameter", "{'Name':'/a/b:3'}",
         NO("ssm:GetParameter", "arn:aws:ssm:us-east-1:123456789012:parameter/a/b")},
        {"ssm", "GetParameters", "{'Names':['a']}",
         NO("ssm:GetParameters", "arn:aws:ssm:us-east-1:123456789012:parameter/a")},
        {"mediaconvert", "CreateJob", "{}",
         NO("mediaconvert:CreateJob", "arn:aws:mediaconvert:us-east-1:123456789012:queues/Default")},
        {"mediaconvert", "CreateJob", "{'queue':'arn:aws:mediaconvert:us-east-1:123456789012:queues/q'}",
         NO("mediaconvert:CreateJob", "arn:aws:mediaconvert:us-east-1:123456789012:queues/q")},
        {"events", "PutEvents", "{'Entries':[{'EventBusName':'other'}]}",
         NO("events:PutEvents", "arn:aws:events:us-east-1:123456789012:event-bus/other")},
        {"logs", "PutLogEvents", "{'logGroupName':'/a','logStreamName':'s'}",
         NO("logs:PutLogEvents", "arn:aws:logs:us-east-1:123456789012:log-group:/a:log-stream:s")},
        {"iam", "CreateAccessKey", "{}", NO("iam:CreateAccessKey", USER)},
        {"iam", "GetPolicy", "{'PolicyArn':'arn:aws:iam::aws:policy/ReadOnlyAccess'}",
         NO("iam:GetPolicy", "arn:aws:iam::aws:policy/ReadOnlyAccess")},
        {"states", "CreateStateMachine", "{}",
         "User: " USER " is not authorized to perform: states:CreateStateMachine because no identity-based "
         "policy allows the states:CreateStateMachine action"},
        {"sts", "GetCallerIdentity", "{}", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(ask(b, &ann, rows[i][0], rows[i][1], rows[i][2]), rows[i][3]);
}

/* A caller that is nobody, or whose user is gone, may do nothing; the root may. */
static void test_strangers(void **state)
{
    bed *b = *state;
    sh_caller gone = {
        .arn = "arn:aws:iam::123456789012:user/gone", .account = "123456789012", .id = "AIDAGONE"};
    sh_caller other = {.arn = "arn:aws:sts::999999999999:assumed-role/r/s",
                       .role_arn = "arn:aws:iam::999999999999:role/r",
                       .account = "999999999999",
                       .id = "AROA:s"};
    assert_string_not_equal(ask(b, &gone, "ssm", "ListCommands", "{}"), "");
    assert_string_not_equal(ask(b, &other, "ssm", "ListCommands", "{}"), "");
    assert_string_not_equal(ask(b, NULL, "ssm", "ListCommands", "{}"), "");
    assert_string_equal(ask(b, &test_root, "ssm", "ListCommands", "{}"), "");
}

static void test_changes_count_at_once(void **state)
{
    bed *b = *state;
    sh_caller ann = make_user(b);
    assert_string_not_equal(ask(b, &ann, "ssm", "ListCommands", "{}"), "");
    put_policy(b,
               "{'Version':'2012-10-17','Statement':{'Effect':'Allow','Action':'ssm:List*','Resource':'*'}}");
    assert_string_equal(ask(b, &ann, "ssm", "ListCommands", "{}"), "");
    put_policy(b, "{'Version':'2012-10-17','Statement':{'Effect':'Deny','Action':'ssm:*','Resource':'*'}}");
    assert_string_not_equal(ask(b, &ann, "ssm", "ListCommands", "{}"), "");
}

/* Printed, for whoever changes it. */
static void test_cost(void **state)
{
    enum { TIMES = 20000 };
    bed *b = *state;
    sh_caller ann = make_user(b);
    const char *sentence;
    sh_err err = {0};
    put_policy(
        b, "{'Version':'2012-10-17','Statement':[{'Effect':'Allow','Action':['s3:GetObject','s3:PutObject'],"
           "'Resource':'arn:aws:s3:::films/*','Condition':{'IpAddress':{'aws:SourceIp':'127.0.0.0/8'}}},"
           "{'Effect':'Deny','Action':'s3:Delete*','Resource':'*'}]}");
    sh_arena *arena = sh_arena_new(1 << 20);
    const sh_asked asked = {.action = "s3:GetObject", .resource = "arn:aws:s3:::films/a/b.mp4"};
    const int64_t begun = sh_monotonic_us();
    for (int i = 0; i < TIMES; i++)
        assert_int_equal(sh_authorize(b->cloud, &ann, &asked, arena, &sentence, &err), 0);
    print_message("a decision takes %.2f us\n", (double)(sh_monotonic_us() - begun) / TIMES);
    sh_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_action_has_a_row),
        cmocka_unit_test(test_every_row_is_of_an_action),
        cmocka_unit_test_setup_teardown(test_resources, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(test_strangers, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(test_changes_count_at_once, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(test_cost, bed_setup, bed_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
