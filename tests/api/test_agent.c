/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Nodes without a network: who polls, nonces, roll-out, time-outs, and the commands of before there were
 * agents. */
#include "base/file.h"
#include "cloud/api/agent_inner.h"
#include "cloud/api/ssm_legacy.h"
#include "cloud/api/ssm_run.h"
#include "cloud/store/steps.h"
#include "test_cloud_help.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMMAND "11111111-2222-4333-8444-555555555555"
#define OTHER "66666666-7777-4888-8999-aaaaaaaaaaaa"
#define MINUTE 60000

static const sh_node_row *node_row(const char *id)
{
    static sh_node_row row;
    row = (sh_node_row){.id = id,
                        .activation = "a",
                        .role = "",
                        .name = "",
                        .key = "",
                        .host = "",
                        .address = "",
                        .platform = "",
                        .platform_version = "",
                        .arch = "",
                        .agent_version = "",
                        .machine = "",
                        .session = "",
                        .trouble = ""};
    return &row;
}

static void add_node(bed *b, const char *id, int64_t seen_ms)
{
    sh_err err = {0};
    sh_node_row row = *node_row(id);
    row.seen_ms = seen_ms;
    assert_int_equal(sh_node_put(b->cloud->db, &row, &err), 0);
}

static void add_row(bed *b, const char *id, const char *instance, const char *status, const char *request)
{
    sh_err err = {0};
    const sh_invocation row = {.id = id,
                               .instance = instance,
                               .document = "AWS-RunShellScript",
                               .comment = "",
                               .request = request,
                               .requested_ms = b->now_ms,
                               .deliver_by_ms = b->now_ms + 10 * MINUTE,
                               .expires_ms = b->now_ms + 20 * MINUTE,
                               .status = status,
                               .details = status,
                               .code = -1,
                               .out = "",
                               .err = ""};
    if (sh_invocation_insert(b->cloud->db, &row, &err) < 0)
        fail_msg("%s", err.message);
}

static void hand(bed *b, const char *id, const char *instance, bool listed)
{
    sh_err err = {0};
    const sh_handout row = {.command = id,
                            .node = instance,
                            .session = "s",
                            .machine = "m",
                            .handed_ms = b->now_ms,
                            .listed = listed};
    assert_int_equal(sh_handout_put(b->cloud->db, &row, &err), 0);
}

/* "Status/Details" of a row, in a static buffer. */
static const char *state(bed *b, const char *id, const char *instance)
{
    static char text[4][64];
    static int next;
    char *to = text[next++ % 4];
    sh_err err = {0};
    sh_invocation row;
    sh_arena *arena = sh_arena_new(1 << 20);
    if (sh_invocation_get(b->cloud->db, arena, id, instance, &row, &err) < 0)
        fail_msg("%s", err.message);
    snprintf(to, sizeof(text[0]), "%s/%s", row.status, row.details);
    sh_arena_free(arena);
    return to;
}

/* ---- who polls ---- */

static void test_one_agent_a_node(void **state_)
{
    bed *b = *state_;
    int64_t turn, later;
    struct sh_agents *agents = sh_agents_new(&b->clock);
    const sh_node_row *row = node_row("mi-1");
    assert_int_equal(sh_agents_enter(agents, row, "s1", "machine", &turn), SH_AGENT_FIRST);
    assert_true(sh_agents_current(agents, "mi-1", turn));
    assert_int_equal(sh_agents_enter(agents, row, "s1", "machine", &later), SH_AGENT_FIRST);
    assert_false(sh_agents_current(agents, "mi-1", turn));
    assert_true(sh_agents_current(agents, "mi-1", later));
    assert_int_equal(sh_agents_enter(agents, row, "s9", "copy", &turn), SH_AGENT_SECOND);
    assert_true(sh_agents_current(agents, "mi-1", later));
    assert_int_equal(sh_agents_enter(agents, row, "s2", "machine", &turn), SH_AGENT_FIRST); /* restarted */
    assert_int_equal(sh_agents_enter(agents, row, "s1", "machine", &later), SH_AGENT_SUPERSEDED);
    assert_int_equal(sh_agents_enter(agents, row, "s2", "machine", &turn), SH_AGENT_FIRST);
    assert_int_equal(sh_agents_enter(agents, node_row("mi-2"), "s9", "copy", &turn), SH_AGENT_FIRST);
    sh_agents_forget(agents, "mi-1");
    assert_int_equal(sh_agents_enter(agents, node_row("mi-1"), "s9", "copy", &turn), SH_AGENT_FIRST);
    sh_agents_free(agents);
}

static void nonce_text(char text[33], int64_t number)
{
    snprintf(text, 33, "%032llx", (unsigned long long)number);
}

static void test_nonces(void **state_)
{
    bed *b = *state_;
    char text[33];
    int64_t now = b->now_ms;
    struct sh_agents *agents = sh_agents_new(&b->clock);
    for (int64_t i = 0; i < 1000; i++) {
        nonce_text(text, i);
        assert_int_equal(sh_agents_nonce(agents, "mi-1", text, now, now), 0);
        assert_int_equal(sh_agents_nonce(agents, "mi-1", text, now, now), SH_E_CONFLICT);
    }
    assert_int_equal(sh_agents_nonce(agents, "mi-2", text, now, now), 0);
    int64_t taken = 1000;
    int status = 0;
    for (; taken < 100000 && status == 0; taken++) {
        nonce_text(text, taken);
        status = sh_agents_nonce(agents, "mi-1", text, now, now);
    }
    assert_int_equal(status, SH_E_LIMIT); /* it has a maximum, and is used again when time has passed */
    assert_int_equal(sh_agents_nonce(agents, "mi-1", text, now + MINUTE * 6, now + MINUTE * 6), 0);
    sh_agents_free(agents);
}

static void put_pin(char *text)
{
    snprintf(text, 44, "%043d", 7);
}

static void test_codes(void **state_)
{
    bed *b = *state_;
    char code[SH_ACTIVATION_CODE], secret[SH_ACTIVATION_SECRET];
    sh_err err = {0};
    assert_int_equal(sh_activation_code(b->cloud, code, secret, &err), 0);
    assert_int_equal(strlen(code), 20);
    assert_true(sh_agent_code_good(code, secret));
    code[3] ^= 1;
    assert_false(sh_agent_code_good(code, secret));
    b->cloud->tls_pin = put_pin;
    assert_int_equal(sh_activation_code(b->cloud, code, secret, &err), 0);
    assert_int_equal(strlen(code), 64);
    assert_int_equal(code[20], '.');
    assert_true(sh_agent_code_good(code, secret));
    code[20] = '\0';
    assert_true(sh_agent_code_good(code, secret));
    code[19] = '\0';
    assert_false(sh_agent_code_good(code, secret));
    assert_false(sh_agent_code_good("", secret));
}

/* ---- roll-out ---- */

static bool may(bed *b, const char *id)
{
    bool go;
    sh_err err = {0};
    sh_arena *arena = sh_arena_new(1 << 20);
    if (sh_ssm_may_begin(b->cloud, id, arena, &go, &err) < 0)
        fail_msg("%s", err.message);
    sh_arena_free(arena);
    return go;
}

static void set(bed *b, const char *id, const char *instance, const char *before, const char *status)
{
    sh_err err = {0};
    const sh_invocation row = {
        .id = id, .instance = instance, .status = status, .details = status, .out = "", .err = ""};
    if (sh_ssm_save(b->cloud, &row, before, &err) < 0)
        fail_msg("%s", err.message);
}

static void test_roll_out(void **state_)
{
    bed *b = *state_;
    char name[8];
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof(name), "mi-%d", i);
        add_row(b, COMMAND, name, "Pending", "{\"MaxConcurrency\":\"34%\",\"MaxErrors\":\"1\"}");
    }
    assert_true(may(b, COMMAND)); /* 34 % of 6 are 2 */
    set(b, COMMAND, "mi-0", "Pending", "InProgress");
    assert_true(may(b, COMMAND));
    set(b, COMMAND, "mi-1", "Pending", "InProgress");
    assert_false(may(b, COMMAND));
    set(b, COMMAND, "mi-0", "InProgress", "Failed");
    assert_true(may(b, COMMAND)); /* one error is allowed */
    set(b, COMMAND, "mi-2", "Pending", "Delayed");
    set(b, COMMAND, "mi-1", "InProgress", "TimedOut");
    assert_false(may(b, COMMAND));
    assert_string_equal(state(b, COMMAND, "mi-2"), "Delayed/Delayed");
    for (int i = 3; i < 6; i++) {
        snprintf(name, sizeof(name), "mi-%d", i);
        assert_string_equal(state(b, COMMAND, name), "Failed/Terminated");
    }
    add_row(b, OTHER, "mi-0", "Pending", "{\"MaxConcurrency\":\"1\",\"MaxErrors\":\"0\"}");
    assert_true(may(b, OTHER));
}

/* ---- time ---- */

static void test_time(void **state_)
{
    bed *b = *state_;
    int64_t start = b->now_ms;
    add_node(b, "mi-1", start);
    add_row(b, COMMAND, "mi-1", "Pending", "{}");
    add_row(b, OTHER, "mi-1", "InProgress", "{}");
    hand(b, OTHER, "mi-1", false);
    assert_int_equal(sh_nodes_look(b->cloud), start + MINUTE);
    b->now_ms = start + MINUTE;
    sh_nodes_look(b->cloud);
    assert_string_equal(state(b, OTHER, "mi-1"), "Delayed/Delayed");
    assert_string_equal(state(b, COMMAND, "mi-1"), "Pending/Pending");
    assert_int_equal(sh_nodes_look(b->cloud), start + 10 * MINUTE);
    b->now_ms = start + 10 * MINUTE;
    assert_int_equal(sh_nodes_look(b->cloud), start + 20 * MINUTE);
    assert_string_equal(state(b, COMMAND, "mi-1"), "TimedOut/DeliveryTimedOut");
    assert_string_equal(state(b, OTHER, "mi-1"), "Delayed/Delayed");
    b->now_ms = start + 20 * MINUTE;
    sh_nodes_look(b->cloud);
    assert_string_equal(state(b, OTHER, "mi-1"), "TimedOut/DeliveryTimedOut");
    assert_int_equal(sh_nodes_look(b->cloud), INT64_MAX);
}

static void test_listed_and_silent(void **state_)
{
    bed *b = *state_;
    int64_t start = b->now_ms;
    add_node(b, "mi-1", start);
    add_row(b, COMMAND, "mi-1", "InProgress", "{}");
    hand(b, COMMAND, "mi-1", true);
    b->now_ms = start + 15 * MINUTE;
    sh_nodes_look(b->cloud);
    assert_string_equal(state(b, COMMAND, "mi-1"), "InProgress/InProgress");
    b->now_ms = start + 20 * MINUTE;
    sh_nodes_look(b->cloud);
    assert_string_equal(state(b, COMMAND, "mi-1"), "TimedOut/ExecutionTimedOut");
}

/* A node that is heard of ends its commands itself, but not for ever later. */
static void test_listed_and_heard_of(void **state_)
{
    bed *b = *state_;
    int64_t start = b->now_ms;
    add_row(b, COMMAND, "mi-1", "InProgress", "{}");
    hand(b, COMMAND, "mi-1", true);
    b->now_ms = start + 25 * MINUTE;
    add_node(b, "mi-1", b->now_ms);
    sh_nodes_look(b->cloud);
    assert_string_equal(state(b, COMMAND, "mi-1"), "InProgress/InProgress");
    b->now_ms = start + 31 * MINUTE;
    add_node(b, "mi-1", b->now_ms);
    sh_nodes_look(b->cloud);
    assert_string_equal(state(b, COMMAND, "mi-1"), "TimedOut/ExecutionTimedOut");
}

static void test_gone(void **state_)
{
    bed *b = *state_;
    sh_err err = {0};
    add_node(b, "mi-1", b->now_ms);
    add_row(b, COMMAND, "mi-1", "Pending", "{}");
    add_row(b, OTHER, "mi-1", "Cancelling", "{}");
    hand(b, OTHER, "mi-1", true);
    sh_nodes_look(b->cloud);
    assert_string_equal(state(b, COMMAND, "mi-1"), "Pending/Pending");
    assert_int_equal(sh_node_delete(b->cloud->db, "mi-1", &err), 0);
    assert_int_equal(sh_node_delete(b->cloud->db, "mi-1", &err), SH_E_NOT_FOUND);
    sh_nodes_look(b->cloud);
    assert_string_equal(state(b, COMMAND, "mi-1"), "Failed/Undeliverable");
    assert_string_equal(state(b, OTHER, "mi-1"), "Failed/Terminated");
}

/* ---- before there were agents ---- */

static void put_file(bed *b, const char *name, const char *text)
{
    char path[256];
    sh_err err = {0};
    snprintf(path, sizeof(path), "%s/commands/" COMMAND, b->folder);
    assert_int_equal(sh_dir_make(path, 0700, &err), 0);
    snprintf(path, sizeof(path), "%s/commands/" COMMAND "/%s", b->folder, name);
    if (sh_file_replace(path, text, strlen(text), 0600, &err) < 0)
        fail_msg("%s", err.message);
}

static int hold_lock(bed *b)
{
    char path[256];
    put_file(b, "lock", "");
    snprintf(path, sizeof(path), "%s/commands/" COMMAND "/lock", b->folder);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    return fd;
}

static void test_old_command_that_runs_and_ends(void **state_)
{
    bed *b = *state_;
    add_node(b, "i-1", b->now_ms);
    add_row(b, COMMAND, "i-1", "InProgress", "{}");
    int lock = hold_lock(b);
    assert_int_equal(sh_nodes_look(b->cloud), b->now_ms + 1000);
    assert_string_equal(state(b, COMMAND, "i-1"), "InProgress/InProgress");
    put_file(b, "running.json", "{}");
    put_file(
        b, "result.json",
        "{\"end\":\"exited\",\"code\":0,\"start_ms\":5,\"end_ms\":9,\"stdout_bytes\":3,\"stderr_bytes\":0,"
        "\"message\":\"\"}");
    put_file(b, "stdout", "out\xff");
    close(lock);
    sh_nodes_look(b->cloud);
    assert_string_equal(state(b, COMMAND, "i-1"), "Success/Success");
}

static void test_old_command_that_is_lost(void **state_)
{
    bed *b = *state_;
    add_node(b, "i-1", b->now_ms);
    add_row(b, COMMAND, "i-1", "InProgress", "{}");
    put_file(b, "lock", "");
    put_file(b, "running.json", "{}");
    sh_nodes_look(b->cloud);
    assert_string_equal(state(b, COMMAND, "i-1"), "Failed/Terminated");
}

static void test_old_command_that_never_began(void **state_)
{
    bed *b = *state_;
    sh_err err = {0};
    char path[256];
    add_node(b, "i-1", b->now_ms);
    add_row(b, COMMAND, "i-1", "InProgress", "{}");
    put_file(b, "lock", "");
    sh_nodes_look(b->cloud);
    assert_string_equal(state(b, COMMAND, "i-1"), "Pending/Pending");
    assert_int_equal(sh_legacy_remove(b->cloud, COMMAND, &err), 0);
    snprintf(path, sizeof(path), "%s/commands/" COMMAND, b->folder);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(sh_legacy_remove(b->cloud, COMMAND, &err), 0);
}

/* ---- the built-in node ---- */

static void test_own_node(void **state_)
{
    bed *b = *state_;
    sh_err err = {0};
    sh_node_row first, second;
    char path[256];
    struct stat st;
    sh_arena *arena = sh_arena_new(1 << 20);
    const char *id = b->cloud->settings.instance_id;
    b->cloud->endpoint = strdup("http://127.0.0.1:1");
    sh_node_row old = *node_row("i-old");
    old.activation = "";
    assert_int_equal(sh_node_put(b->cloud->db, &old, &err), 0);
    assert_int_equal(sh_agent_own_prepare(b->cloud, &err), 0);
    assert_int_equal(sh_node_get(b->cloud->db, arena, id, &first, &err), 0);
    assert_int_equal(sh_node_get(b->cloud->db, arena, "i-old", &second, &err), SH_E_NOT_FOUND);
    assert_int_equal(strlen(first.key), 44);
    assert_int_equal(sh_agent_own_prepare(b->cloud, &err), 0);
    assert_int_equal(sh_node_get(b->cloud->db, arena, id, &second, &err), 0);
    assert_string_equal(first.key, second.key);
    snprintf(path, sizeof(path), "%s/node/key.pem", b->folder);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(sh_file_replace(path, "no key", 6, 0600, &err), 0);
    assert_int_equal(sh_agent_own_prepare(b->cloud, &err), SH_E_FORMAT);
    assert_non_null(strstr(err.message, "remove it"));
    sh_arena_free(arena);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_setup, bed_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_one_agent_a_node),
        TEST(test_nonces),
        TEST(test_codes),
        TEST(test_roll_out),
        TEST(test_time),
        TEST(test_listed_and_silent),
        TEST(test_listed_and_heard_of),
        TEST(test_gone),
        TEST(test_old_command_that_runs_and_ends),
        TEST(test_old_command_that_is_lost),
        TEST(test_old_command_that_never_began),
        TEST(test_own_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
