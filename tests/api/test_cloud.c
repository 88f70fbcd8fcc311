/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The server itself: keys, the lock on the folder, wake-ups, and runners on their threads. */
#include "cloud/api/keys.h"
#include "test_cloud_help.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void test_keys(void **state)
{
    bed *b = *state;
    char path[128], access[64], secret[64];
    struct stat st;
    snprintf(path, sizeof(path), "%s/credentials", b->folder);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(strlen(b->cloud->access_key), 20);
    assert_int_equal(strlen(b->cloud->secret_key), 40);
    snprintf(access, sizeof(access), "%s", b->cloud->access_key);
    snprintf(secret, sizeof(secret), "%s", b->cloud->secret_key);
    bed_restart(b);
    assert_string_equal(b->cloud->access_key, access);
    assert_string_equal(b->cloud->secret_key, secret);
    setenv("SPYHOP_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
    setenv("SPYHOP_SECRET_ACCESS_KEY", "secret", 1);
    bed_restart(b);
    assert_string_equal(b->cloud->access_key, "AKIDEXAMPLE");
    unsetenv("SPYHOP_ACCESS_KEY_ID");
    unsetenv("SPYHOP_SECRET_ACCESS_KEY");
}

static int open_again(bed *b, sh_err *err)
{
    sh_cloud *other = NULL;
    sh_cloud_settings settings = {.data = b->folder};
    int status = sh_cloud_open(&other, &settings, &sh_clock_system, err);
    sh_cloud_close(other);
    return status;
}

static void test_refusals(void **state)
{
    bed *b = *state;
    sh_err err = {0};
    sh_cloud *other = NULL;
    sh_cloud_settings settings = {.data = "/proc/no", .account = "123456789012"};
    assert_int_equal(open_again(b, &err), SH_E_CONFLICT);
    assert_non_null(strstr(err.message, "another server"));
    assert_true(sh_cloud_open(&other, &settings, &sh_clock_system, &err) < 0);
    settings = (sh_cloud_settings){.data = b->folder, .account = "12"};
    assert_int_equal(sh_cloud_open(&other, &settings, &sh_clock_system, &err), SH_E_ARGUMENT);
    assert_null(other);
}

static void test_bad_credentials(void **state)
{
    bed *b = *state;
    char path[128];
    sh_err err = {0};
    sh_cloud *kept = b->cloud;
    sh_cloud_close(kept);
    b->cloud = NULL;
    snprintf(path, sizeof(path), "%s/credentials", b->folder);
    FILE *file = fopen(path, "w");
    fputs("[default]\naws_access_key_id = x\n", file);
    fclose(file);
    assert_int_equal(open_again(b, &err), SH_E_FORMAT);
    assert_non_null(strstr(err.message, "credentials"));
}

/* A key that signatures cannot be made with is refused, from either place, and not cut. */
static void test_long_keys(void **state)
{
    bed *b = *state;
    char path[128], secret[257];
    sh_err err = {0};
    sh_cloud_close(b->cloud);
    b->cloud = NULL;
    memset(secret, 's', 256);
    secret[256] = '\0';
    snprintf(path, sizeof(path), "%s/credentials", b->folder);
    FILE *file = fopen(path, "w");
    fprintf(file, "[default]\naws_access_key_id = x\naws_secret_access_key = %s\n", secret);
    fclose(file);
    assert_int_equal(open_again(b, &err), SH_E_LIMIT);
    assert_non_null(strstr(err.message, "secret access key has more than 255 bytes"));
    setenv("SPYHOP_ACCESS_KEY_ID", "x", 1);
    setenv("SPYHOP_SECRET_ACCESS_KEY", secret, 1);
    int too_long = open_again(b, &err);
    secret[255] = '\0';
    setenv("SPYHOP_SECRET_ACCESS_KEY", secret, 1);
    int longest = open_again(b, &err);
    unsetenv("SPYHOP_ACCESS_KEY_ID");
    unsetenv("SPYHOP_SECRET_ACCESS_KEY");
    assert_int_equal(too_long, SH_E_LIMIT);
    assert_int_equal(longest, 0);
}

static void test_wakeups(void **state)
{
    bed *b = *state;
    sh_cloud_wake(b->cloud, SH_WAKE_FLOWS | SH_WAKE_EVENTS);
    int64_t start_us = sh_monotonic_us();
    assert_true(sh_cloud_wait(b->cloud, SH_WAKE_FLOWS, -1)); /* for ever, were it lost */
    assert_true(sh_cloud_wait(b->cloud, SH_WAKE_EVENTS, -1));
    assert_true(sh_cloud_wait(b->cloud, SH_WAKE_FLOWS, start_us / 1000)); /* that time has passed */
    assert_false(sh_cloud_stopping(b->cloud));
}

/* Wake and wait against each other, each turn of which hangs if a wake is lost. */
static void *answer(void *opaque)
{
    bed *b = opaque;
    for (int i = 0; i < 2000; i++) {
        sh_cloud_wait(b->cloud, SH_WAKE_COMMANDS, -1);
        sh_cloud_wake(b->cloud, SH_WAKE_MCJOBS);
    }
    return NULL;
}

static void test_no_wake_is_lost(void **state)
{
    bed *b = *state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, answer, b), 0);
    for (int i = 0; i < 2000; i++) {
        sh_cloud_wake(b->cloud, SH_WAKE_COMMANDS);
        sh_cloud_wait(b->cloud, SH_WAKE_MCJOBS, -1);
    }
    pthread_join(thread, NULL);
}

/* Runners on their threads, callers on others. */
static void *start_many(void *opaque)
{
    bed *b = opaque;
    const sh_action *action = sh_action_find(&sh_service_states, "startExecution");
    for (int i = 0; i < 25; i++) {
        sh_arena *arena = sh_arena_new(1 << 22);
        json_t *in = json_pack("{s:s}", "stateMachineArn", TEST_ARN "stateMachine:m");
        sh_call call = {.cloud = b->cloud, .arena = arena, .principal = "", .now_ms = b->now_ms, .in = in};
        if (action->fn(&call) < 0)
            return opaque;
        json_decref(call.out);
        json_decref(in);
        sh_arena_free(arena);
    }
    return NULL;
}

static size_t count_running(bed *b)
{
    json_t *list = bed_call(b, "states", "ListExecutions",
                            "{'stateMachineArn':'" TEST_ARN "stateMachine:m','statusFilter':'RUNNING'}");
    size_t count = json_array_size(json_object_get(list, "executions"));
    json_decref(list);
    return count;
}

static void test_threads(void **state)
{
    bed *b = *state;
    pthread_t threads[4];
    void *failed;
    sh_err err = {0};
    bed_start(
        b, "m",
        "{'StartAt':'A','States':{'A':{'Type':'Pass','Next':'W'},'W':{'Type':'Wait','Seconds':0,'Next':'B'},"
        "'B':{'Type':'Pass','End':true}}}",
        "{}");
    assert_int_equal(sh_cloud_start(b->cloud, "http://127.0.0.1:1", &err), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, start_many, b), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    while (count_running(b) > 0) /* the test's time-out is the bound */
        sched_yield();
    sh_cloud_close(b->cloud);
    b->cloud = NULL;
    sh_cloud_settings settings = {.data = b->folder, .account = "123456789012"};
    assert_int_equal(sh_cloud_open(&b->cloud, &settings, &b->clock, &err), 0);
    assert_int_equal(count_running(b), 0);
}

static void test_services(void **state)
{
    assert_ptr_equal(sh_service_find("sfn"), &sh_service_states);
    assert_ptr_equal(sh_service_find("eventbridge"), &sh_service_events);
    assert_null(sh_service_find("dynamodb"));
    assert_non_null(sh_action_find(&sh_service_states, "startExecution"));
    assert_ptr_equal(sh_action_find(&sh_service_states, "startExecution"),
                     sh_action_find(&sh_service_states, "StartExecution"));
    assert_null(sh_action_find(&sh_service_states, "startexecution"));
    assert_null(sh_action_find(&sh_service_states, ""));
    assert_null(sh_action_find(&sh_service_states, "TartExecution"));
}

#define BED(test) cmocka_unit_test_setup_teardown(test, bed_setup, bed_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED(test_keys),    BED(test_refusals),        BED(test_bad_credentials), BED(test_long_keys),
        BED(test_wakeups), BED(test_no_wake_is_lost), BED(test_threads),         BED(test_services),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
