/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Run Command through its actions, with the agent of the built-in node: argv[1] is its program. */
#include "base/file.h"
#include "base/log.h"
#include "cloud/api/cloud.h"
#include "cloud/api/front.h"
#include "cloud/api/own.h"
#include "cloud/api/watch.h"
#include "cloud/http/server.h"

#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NODE "i-0fc7eb64184f98251"

static char agent[PATH_MAX];
static char data[] = "/tmp/spyhop-test-ssm-XXXXXX";
static sh_cloud *cloud;
static sh_front *front;
static sh_watch *watch;
static sh_own *own;
static sh_http_server *server;

static void open_cloud(void)
{
    sh_err err = {0};
    sh_cloud_settings settings = {.data = data, .instance_id = NODE, .agent = agent, .node_network = "open"};
    if (sh_cloud_open(&cloud, &settings, &sh_clock_system, &err) < 0)
        fail_msg("%s", err.message);
    sh_objects objects = sh_cloud_objects(cloud);
    const sh_watch_options quiet = {0};
    if (sh_objects_recover(&objects, &err) < 0 || sh_front_new(&front, cloud, &err) < 0 ||
        sh_watch_new(&watch, &quiet, &err) < 0)
        fail_msg("%s", err.message);
    sh_http_handler behind = sh_front_handler(front);
    if (sh_own_new(&own, cloud, &behind, watch, &err) < 0)
        fail_msg("%s", err.message);
    sh_http_handler handler = sh_own_handler(own);
    const sh_http_options http = {
        .address = "127.0.0.1:0", .threads = 4, .observe = sh_watch_observe, .observer = watch};
    if (sh_http_open(&server, &http, &handler, &err) < 0 ||
        sh_cloud_start(cloud, sh_http_endpoint(server), &err) < 0)
        fail_msg("%s", err.message);
}

static void close_cloud(void)
{
    sh_own_stop(own);
    sh_http_stop(server, 5000);
    sh_cloud_close(cloud);
    sh_own_free(own);
    sh_front_free(front);
    sh_watch_free(watch);
}

/* The answer, or the error's code as a string. */
static json_t *call(const char *name, json_t *in)
{
    sh_call c = {
        .cloud = cloud, .arena = sh_arena_new(16 << 20), .now_ms = sh_now_ms(cloud->clock), .in = in};
    const sh_action *action = sh_action_find(&sh_service_ssm, name);
    assert_non_null(in);
    assert_non_null(action);
    json_t *answer = action->fn(&c) == 0 ? c.out : json_string(c.error.code);
    sh_arena_free(c.arena);
    json_decref(in);
    return answer;
}

static void refused(const char *code, const char *name, json_t *in)
{
    json_t *answer = call(name, in);
    assert_true(json_is_string(answer));
    assert_string_equal(json_string_value(answer), code);
    json_decref(answer);
}

/* The command's id; parameters is taken. */
static void send_parameters(json_t *parameters, char *id)
{
    json_t *answer = call("SendCommand", json_pack("{s:s, s:[s], s:o}", "DocumentName", "AWS-RunShellScript",
                                                   "InstanceIds", NODE, "Parameters", parameters));
    const json_t *command = json_object_get(answer, "Command");
    assert_string_equal(json_string_value(json_object_get(command, "Status")), "Pending");
    snprintf(id, 40, "%s", json_string_value(json_object_get(command, "CommandId")));
    json_decref(answer);
}

static void send_script(const char *script, char *id)
{
    send_parameters(json_pack("{s:[s]}", "commands", script), id);
}

static json_t *invocation(const char *id)
{
    return call("GetCommandInvocation", json_pack("{s:s, s:s}", "CommandId", id, "InstanceId", NODE));
}

static bool has_ended(const json_t *answer)
{
    const char *status = json_string_value(json_object_get(answer, "Status"));
    return strcmp(status, "Pending") != 0 && strcmp(status, "InProgress") != 0 &&
           strcmp(status, "Cancelling") != 0;
}

/* The runner tells the executions when a command ends; here, the test listens in their place. */
static json_t *wait_for(const char *id)
{
    int64_t limit = sh_monotonic_us() / 1000 + 60000;
    for (;;) {
        json_t *answer = invocation(id);
        if (has_ended(answer))
            return answer;
        json_decref(answer);
        assert_true(sh_monotonic_us() / 1000 < limit);
        usleep(5000);
    }
}

static void check(const json_t *answer, const char *status, const char *details, int code, const char *out,
                  const char *err)
{
    assert_string_equal(json_string_value(json_object_get(answer, "Status")), status);
    assert_string_equal(json_string_value(json_object_get(answer, "StatusDetails")), details);
    assert_int_equal(json_integer_value(json_object_get(answer, "ResponseCode")), code);
    assert_string_equal(json_string_value(json_object_get(answer, "StandardOutputContent")), out);
    assert_string_equal(json_string_value(json_object_get(answer, "StandardErrorContent")), err);
}

static void runs_and_tells(void **state)
{
    char id[40];
    send_script("echo \"$SPYHOP_INSTANCE_ID\"; pwd | grep -o '/node/work$'", id);
    json_t *answer = wait_for(id);
    check(answer, "Success", "Success", 0, NODE "\n/node/work\n", "");
    const char *elapsed = json_string_value(json_object_get(answer, "ExecutionElapsedTime"));
    assert_true(strncmp(elapsed, "PT", 2) == 0 && elapsed[strlen(elapsed) - 1] == 'S');
    assert_int_equal(strlen(json_string_value(json_object_get(answer, "ExecutionStartDateTime"))), 24);
    json_decref(answer);
}

static void lines_are_joined(void **state)
{
    char id[40];
    send_parameters(json_pack("{s:[s,s,s], s:[s]}", "commands", "x=1", "if [ $x = 1 ]",
                              "then pwd; fi; exit 9", "workingDirectory", "/usr"),
                    id);
    json_t *answer = wait_for(id);
    check(answer, "Failed", "Failed", 9, "/usr\n", "failed to run commands: exit status 9");
    json_decref(answer);
}

/* The keys are those of a session of the node's role. */
static void environment_has_what_is_needed(void **state)
{
    char id[40], want[PATH_MAX];
    send_script(
        "echo \"${PATH%%:*}\"; command -v aws; echo \"${AWS_ENDPOINT_URL%:*} $AWS_REGION $AWS_DEFAULT_REGION "
        "${AWS_CONTAINER_CREDENTIALS_FULL_URI#$AWS_ENDPOINT_URL}\"; "
        "[ -n \"$AWS_CONTAINER_AUTHORIZATION_TOKEN\" ] && [ -z \"$AWS_SECRET_ACCESS_KEY\" ]",
        id);
    json_t *answer = wait_for(id);
    snprintf(want, sizeof(want),
             "%s/node/bin\n%s/node/bin/aws\nhttp://127.0.0.1 us-east-1 us-east-1 /_spyhop/credentials\n",
             data, data);
    check(answer, "Success", "Success", 0, want, "");
    json_decref(answer);
}

/* What a command may ask keys with ends with it. */
static void a_token_ends_with_its_command(void **state)
{
    char id[40];
    send_script(
        "curl -s -o /dev/null -w '%{http_code} ' -H \"Authorization: $AWS_CONTAINER_AUTHORIZATION_TOKEN\" "
        "$AWS_CONTAINER_CREDENTIALS_FULL_URI; echo $AWS_CONTAINER_AUTHORIZATION_TOKEN",
        id);
    json_t *answer = wait_for(id), *later;
    const char *out = json_string_value(json_object_get(answer, "StandardOutputContent"));
    char script[1024], token[512] = "";
    assert_int_equal(sscanf(out, "200 %511s", token), 1);
    json_decref(answer);
    snprintf(
        script, sizeof(script),
        "curl -s -o /dev/null -w '%%{http_code}' -H 'Authorization: %s' $AWS_CONTAINER_CREDENTIALS_FULL_URI",
        token);
    send_script(script, id);
    later = wait_for(id);
    check(later, "Success", "Success", 0, "403", "");
    json_decref(later);
}

static bool has_object(const char *id, const char *stream)
{
    char key[256];
    sh_object found;
    sh_arena *arena = sh_arena_new(1 << 20);
    sh_objects objects = sh_cloud_objects(cloud);
    snprintf(key, sizeof(key), "out/%s/" NODE "/awsrunShellScript/0.awsrunShellScript/%s", id, stream);
    int status = sh_object_get(&objects, "logs", key, arena, &found, NULL);
    sh_arena_free(arena);
    return status == 0;
}

static void send_with_output(const char *script, char *id)
{
    json_t *answer =
        call("SendCommand", json_pack("{s:s, s:[s], s:{s:[s]}, s:s, s:s}", "DocumentName",
                                      "AWS-RunShellScript", "InstanceIds", NODE, "Parameters", "commands",
                                      script, "OutputS3BucketName", "logs", "OutputS3KeyPrefix", "out"));
    const json_t *command = json_object_get(answer, "Command");
    assert_non_null(command);
    snprintf(id, 40, "%s", json_string_value(json_object_get(command, "CommandId")));
    json_decref(answer);
}

/* The objects of a command's output and the end of its row are one transaction: when the row cannot be
 * written with them, they are not there. */
static void output_and_row_are_one(void **state)
{
    char id[40];
    sh_objects objects = sh_cloud_objects(cloud);
    assert_int_equal(sh_bucket_create(&objects, "logs", "us-east-1", NULL), 0);
    send_with_output("echo hello", id);
    json_t *answer = wait_for(id);
    check(answer, "Success", "Success", 0, "hello\n", "");
    json_decref(answer);
    assert_true(has_object(id, "stdout"));
    assert_false(has_object(id, "stderr"));
    assert_int_equal(sh_db_run(cloud->db, NULL,
                               "CREATE TRIGGER no_end BEFORE UPDATE ON invocations"
                               " WHEN NEW.status = 'Success' AND NEW.err = ''"
                               " BEGIN SELECT json('no end'); END",
                               ""),
                     0);
    send_with_output("echo hello", id);
    answer = wait_for(id);
    assert_int_equal(sh_db_run(cloud->db, NULL, "DROP TRIGGER no_end", ""), 0);
    assert_non_null(strstr(json_string_value(json_object_get(answer, "StandardErrorContent")),
                           "could not be written to its place"));
    json_decref(answer);
    assert_false(has_object(id, "stdout"));
}

static void output_is_cut(void **state)
{
    char id[40];
    send_script("head -c 30000 /dev/zero | tr '\\0' o; head -c 30000 /dev/zero | tr '\\0' e >&2", id);
    json_t *answer = wait_for(id);
    assert_int_equal(json_string_length(json_object_get(answer, "StandardOutputContent")), 24000);
    assert_int_equal(json_string_length(json_object_get(answer, "StandardErrorContent")), 8000);
    json_decref(answer);
}

static void time_limit_ends_it(void **state)
{
    char id[40];
    send_parameters(json_pack("{s:[s], s:[s]}", "commands", "sleep 1000", "executionTimeout", "1"), id);
    json_t *answer = wait_for(id);
    check(answer, "TimedOut", "ExecutionTimedOut", 143, "", "failed to run commands: exit status 143");
    json_decref(answer);
}

static void cancel_ends_it(void **state)
{
    char id[40], path[PATH_MAX], script[PATH_MAX + 64], byte;
    snprintf(path, sizeof(path), "%s/cancel-fifo", data);
    assert_int_equal(mkfifo(path, 0600), 0);
    int fifo = open(path, O_RDWR | O_CLOEXEC);
    snprintf(script, sizeof(script), "echo > '%s'; sleep 1000", path);
    send_script(script, id);
    assert_int_equal(read(fifo, &byte, 1), 1);
    json_t *answer = invocation(id);
    check(answer, "InProgress", "InProgress", -1, "", "");
    json_decref(answer);
    json_decref(call("CancelCommand", json_pack("{s:s}", "CommandId", id)));
    answer = wait_for(id);
    check(answer, "Cancelled", "Cancelled", 143, "", "failed to run commands: exit status 143");
    json_decref(answer);
    json_decref(call("CancelCommand", json_pack("{s:s}", "CommandId", id))); /* of an ended one: nothing */
    close(fifo);
}

static void more_than_the_workers_wait(void **state)
{
    char ids[8][40], path[PATH_MAX], script[PATH_MAX + 64];
    snprintf(path, sizeof(path), "%s/many-fifo", data);
    assert_int_equal(mkfifo(path, 0600), 0);
    int fifo = open(path, O_RDWR | O_CLOEXEC);
    snprintf(script, sizeof(script), "head -c 1 '%s' > /dev/null; echo done", path);
    for (int i = 0; i < 8; i++)
        send_script(script, ids[i]);
    json_t *answer = invocation(ids[7]);
    check(answer, "Pending", "Pending", -1, "", "");
    json_decref(answer);
    json_decref(call("CancelCommand", json_pack("{s:s}", "CommandId", ids[7])));
    answer = invocation(ids[7]);
    check(answer, "Cancelled", "Cancelled", -1, "", "");
    json_decref(answer);
    assert_int_equal(write(fifo, "1234567", 7), 7);
    for (int i = 0; i < 7; i++) {
        answer = wait_for(ids[i]);
        check(answer, "Success", "Success", 0, "done\n", "");
        json_decref(answer);
    }
    close(fifo);
}

/* The server ends and another takes over while a command runs, and after a command has ended unseen. */
static void a_new_server_finds_commands(void **state)
{
    char running[40], ended[40], path[PATH_MAX], done[PATH_MAX], script[2 * PATH_MAX + 64], byte;
    snprintf(path, sizeof(path), "%s/restart-fifo", data);
    snprintf(done, sizeof(done), "%s/restart-done", data);
    assert_int_equal(mkfifo(path, 0600) | mkfifo(done, 0600), 0);
    int fifo = open(path, O_RDWR | O_CLOEXEC), begun = open(done, O_RDWR | O_CLOEXEC);
    snprintf(script, sizeof(script), "echo > '%s'; read line < '%s'; echo got $line", done, path);
    send_script(script, running);
    send_script(script, ended);
    assert_int_equal(read(begun, &byte, 1), 1);
    assert_int_equal(read(begun, &byte, 1), 1);
    close_cloud();
    assert_int_equal(write(fifo, "a\n", 2), 2);
    open_cloud();
    assert_int_equal(write(fifo, "b\n", 2), 2);
    json_t *one = wait_for(running), *two = wait_for(ended);
    assert_string_equal(json_string_value(json_object_get(one, "Status")), "Success");
    assert_string_equal(json_string_value(json_object_get(two, "Status")), "Success");
    json_decref(one);
    json_decref(two);
    close(fifo);
    close(begun);
}

/* The supervisor dies with the server. */
static void a_lost_command_fails(void **state)
{
    char id[40], path[PATH_MAX], running[PATH_MAX], script[PATH_MAX + 64], byte;
    json_error_t where;
    snprintf(path, sizeof(path), "%s/lost-fifo", data);
    assert_int_equal(mkfifo(path, 0600), 0);
    int fifo = open(path, O_RDWR | O_CLOEXEC);
    snprintf(script, sizeof(script), "echo > '%s'; sleep 1000", path);
    send_script(script, id);
    assert_int_equal(read(fifo, &byte, 1), 1);
    close_cloud();
    snprintf(running, sizeof(running), "%.3000s/node/commands/%s/running.json", data, id);
    json_t *said = json_load_file(running, 0, &where);
    assert_int_equal(kill((pid_t)json_integer_value(json_object_get(said, "pid")), SIGKILL), 0);
    json_decref(said);
    open_cloud();
    json_t *answer = wait_for(id);
    assert_string_equal(json_string_value(json_object_get(answer, "Status")), "Failed");
    assert_string_equal(json_string_value(json_object_get(answer, "StatusDetails")), "Terminated");
    json_decref(answer);
    close(fifo);
}

static json_t *with(const char *name, json_t *value)
{
    json_t *in = json_pack("{s:s, s:[s], s:{s:[s]}}", "DocumentName", "AWS-RunShellScript", "InstanceIds",
                           NODE, "Parameters", "commands", "true");
    json_object_set_new(in, name, value);
    return in;
}

static json_t *with_parameter(const char *name, json_t *value)
{
    return with("Parameters", json_pack("{s:[s], s:o}", "commands", "true", name, value));
}

static void refuses_what_is_wrong(void **state)
{
    refused("InvalidDocument", "SendCommand", with("DocumentName", json_string("AWS-RunPowerShellScript")));
    refused("InvalidInstanceId", "SendCommand", with("InstanceIds", json_pack("[s]", "i-1")));
    refused("DuplicateInstanceId", "SendCommand", with("InstanceIds", json_pack("[s,s]", NODE, NODE)));
    refused("InvalidParameters", "SendCommand", with("Parameters", json_object()));
    refused("InvalidParameters", "SendCommand", with_parameter("other", json_pack("[s]", "x")));
    refused("InvalidParameters", "SendCommand", with_parameter("executionTimeout", json_pack("[s]", "0")));
    refused("InvalidParameters", "SendCommand", with_parameter("executionTimeout", json_pack("[s]", "1x")));
    refused("InvalidParameters", "SendCommand", with_parameter("workingDirectory", json_pack("[s]", "x")));
    refused("SerializationException", "SendCommand", with_parameter("executionTimeout", json_pack("[i]", 5)));
    refused("SerializationException", "SendCommand", with_parameter("workingDirectory", json_string("/")));
    refused("ValidationException", "SendCommand", with("TimeoutSeconds", json_integer(1)));
    refused("InvalidOutputFolder", "SendCommand", with("OutputS3BucketName", json_string("no-such-bucket")));
    refused("InvocationDoesNotExist", "GetCommandInvocation",
            json_pack("{s:s, s:s}", "CommandId", "00000000-0000-0000-0000-000000000000", "InstanceId", NODE));
    refused("InvalidCommandId", "CancelCommand",
            json_pack("{s:s}", "CommandId", "00000000-0000-0000-0000-000000000000"));
    json_t *targets = json_pack("{s:s, s:[{s:s, s:[s]}], s:{s:[s]}}", "DocumentName", "AWS-RunShellScript",
                                "Targets", "Key", "tag:a", "Values", "b", "Parameters", "commands", "true");
    refused("InvalidTarget", "SendCommand", targets);
}

static void lists_in_pages(void **state)
{
    size_t seen = 0;
    json_t *token = NULL;
    do {
        json_t *in = json_pack("{s:i, s:b}", "MaxResults", 3, "Details", 1);
        if (token)
            json_object_set_new(in, "NextToken", token);
        json_t *answer = call("ListCommandInvocations", in);
        const json_t *list = json_object_get(answer, "CommandInvocations");
        const json_t *first = json_array_get(list, 0);
        assert_int_equal(json_array_size(json_object_get(first, "CommandPlugins")), 1);
        seen += json_array_size(list);
        token = json_incref(json_object_get(answer, "NextToken"));
        json_decref(answer);
    } while (token);
    json_t *answer = call("ListCommands", json_object());
    assert_int_equal(json_array_size(json_object_get(answer, "Commands")), seen);
    assert_true(seen > 10);
    json_decref(answer);
}

static void describes_its_node(void **state)
{
    json_t *answer = call("DescribeInstanceInformation", json_object());
    const json_t *node = json_array_get(json_object_get(answer, "InstanceInformationList"), 0);
    assert_string_equal(json_string_value(json_object_get(node, "InstanceId")), NODE);
    assert_string_equal(json_string_value(json_object_get(node, "PingStatus")), "Online");
    json_decref(answer);
}

static int begin_all(void **state)
{
    if (!mkdtemp(data))
        return -1;
    open_cloud();
    return 0;
}

static int end_all(void **state)
{
    close_cloud();
    return sh_dir_remove(data, NULL);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_and_tells),
        cmocka_unit_test(lines_are_joined),
        cmocka_unit_test(environment_has_what_is_needed),
        cmocka_unit_test(a_token_ends_with_its_command),
        cmocka_unit_test(output_and_row_are_one),
        cmocka_unit_test(output_is_cut),
        cmocka_unit_test(time_limit_ends_it),
        cmocka_unit_test(cancel_ends_it),
        cmocka_unit_test(more_than_the_workers_wait),
        cmocka_unit_test(a_new_server_finds_commands),
        cmocka_unit_test(a_lost_command_fails),
        cmocka_unit_test(refuses_what_is_wrong),
        cmocka_unit_test(lists_in_pages),
        cmocka_unit_test(describes_its_node),
    };
    sh_log_level(SH_LOG_ERROR);
    return argc != 2 || !realpath(argv[1], agent) ? 1 : cmocka_run_group_tests(tests, begin_all, end_all);
}
