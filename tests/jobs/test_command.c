/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This program is its own supervisor: started as "PROGRAM exec FOLDER" it does what spyhop-agent does then.
 */
#include "cloud/jobs/command.h"
#include "base/file.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char self[PATH_MAX];
static char base[] = "/tmp/spyhop-test-command-XXXXXX";
static const char *const environment[] = {"PATH=/usr/bin:/bin", "SPYHOP_COMMAND_ID=test", NULL};

static void folder_of(const char *name, char *folder)
{
    snprintf(folder, PATH_MAX, "%s/%s", base, name);
}

/* A command of one step. */
typedef struct one_step {
    const char *script, *folder;
    int timeout_s, output_max;
} one_step;

typedef struct one_result {
    char end[32], message[512];
    int code;
    int64_t start_ms, end_ms, stdout_bytes, stderr_bytes;
} one_result;

static json_t *step_of(const char *name, const char *script)
{
    return json_pack("{s:s, s:s, s:s, s:i}", "name", name, "script", script, "folder", base, "timeout_s",
                     600);
}

static json_t *command_of(one_step spec)
{
    return json_pack("{s:[{s:s, s:s, s:s, s:i}], s:i, s:i}", "steps", "name", "one", "script", spec.script,
                     "folder", spec.folder ? spec.folder : base, "timeout_s",
                     spec.timeout_s ? spec.timeout_s : 600, "grace_ms", 200, "output_max", spec.output_max);
}

/* Takes the command. */
static sh_child start_command(const char *name, json_t *command)
{
    char folder[PATH_MAX];
    sh_child child = SH_CHILD_NONE;
    sh_err err = {0};
    folder_of(name, folder);
    assert_non_null(command);
    if (sh_command_start(folder, command, self, environment, &child, &err) < 0)
        fail_msg("%s", err.message);
    json_decref(command);
    return child;
}

static sh_child start(const char *name, one_step spec)
{
    return start_command(name, command_of(spec));
}

static json_t *finish_command(const char *name, sh_child *child)
{
    char folder[PATH_MAX];
    int status = -1;
    sh_command_state state;
    json_t *result = NULL;
    sh_err err = {0};
    folder_of(name, folder);
    assert_int_equal(sh_child_wait(child, -1, &status, &err), 1);
    assert_int_equal(sh_command_look(folder, &state, NULL, &err), 0);
    assert_int_equal(state, SH_COMMAND_DONE);
    assert_int_equal(sh_command_read(folder, "result.json", &result, &err), 0);
    assert_int_equal(WEXITSTATUS(status), 0);
    return result;
}

static int64_t number_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static one_result finish(const char *name, sh_child *child)
{
    one_result result = {0};
    json_t *json = finish_command(name, child);
    const json_t *step = json_array_get(json_object_get(json, "steps"), 0);
    snprintf(result.end, sizeof(result.end), "%s", json_string_value(json_object_get(json, "end")));
    snprintf(result.message, sizeof(result.message), "%s",
             json_string_value(json_object_get(step, "message")));
    assert_string_equal(json_string_value(json_object_get(step, "end")), result.end);
    result.code = (int)number_of(json, "code");
    assert_int_equal(number_of(step, "code"), result.code);
    result.start_ms = number_of(step, "start_ms");
    result.end_ms = number_of(step, "end_ms");
    result.stdout_bytes = number_of(step, "stdout_bytes");
    result.stderr_bytes = number_of(step, "stderr_bytes");
    json_decref(json);
    return result;
}

static one_result run(const char *name, one_step spec)
{
    sh_child child = start(name, spec);
    return finish(name, &child);
}

static const char *output(const char *name, const char *stream, size_t characters)
{
    static char text[100000];
    char folder[PATH_MAX];
    sh_buf buf;
    sh_err err = {0};
    sh_buf_init(&buf, sizeof(text) - 1);
    folder_of(name, folder);
    assert_int_equal(sh_command_output(folder, stream, characters, &buf, &err), 0);
    memcpy(text, sh_buf_cstr(&buf), buf.length + 1);
    sh_buf_free(&buf);
    return text;
}

/* Waits until a pipe that the script was told to write to says so. */
static int make_fifo(const char *name, char *path)
{
    snprintf(path, PATH_MAX, "%s/%s", base, name);
    assert_int_equal(mkfifo(path, 0600), 0);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void gives_status_output_and_times(void **state)
{
    one_result result = run("plain", (one_step){.script = "echo out\necho err >&2\nexit 3\n"});
    assert_string_equal(result.end, "exited");
    assert_int_equal(result.code, 3);
    assert_int_equal(result.stdout_bytes, 4);
    assert_true(result.end_ms >= result.start_ms && result.start_ms > 0);
    assert_string_equal(result.message, "");
    assert_string_equal(output("plain", "0.stdout", 100), "out\n");
    assert_string_equal(output("plain", "0.stderr", 100), "err\n");
}

static void runs_the_script_as_it_is(void **state)
{
    run("quotes", (one_step){.script = "printf '%s\\n' 'a  b' \"$HOME;\" '$(x)' `echo y`"});
    assert_string_equal(output("quotes", "0.stdout", 100), "a  b\n;\n$(x)\ny\n");
}

static void honours_the_interpreter(void **state)
{
    run("python", (one_step){.script = "#!/usr/bin/python3\nprint(6 * 7)\n"});
    assert_string_equal(output("python", "0.stdout", 100), "42\n");
    one_result result = run("bad", (one_step){.script = "#!/no/such/interpreter\n"});
    assert_string_equal(result.end, "unable");
    assert_non_null(strstr(result.message, "No such file"));
}

static void says_that_the_folder_is_missing(void **state)
{
    one_result result = run("folder", (one_step){.script = "echo x", .folder = "/no/such/folder"});
    assert_string_equal(result.end, "unable");
    assert_int_equal(result.code, 1);
    assert_non_null(strstr(result.message, "/no/such/folder"));
}

static void bounds_the_output(void **state)
{
    char path[PATH_MAX];
    struct stat st;
    one_result result =
        run("bounded",
            (one_step){.script = "head -c 1000000 /dev/zero | tr '\\0' x; echo e >&2", .output_max = 5000});
    assert_int_equal(result.code, 0);
    assert_int_equal(result.stdout_bytes, 1000000);
    snprintf(path, sizeof(path), "%s/bounded/0.stdout", base);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 5000);
    assert_int_equal(strlen(output("bounded", "0.stdout", 24)), 24);
}

static void makes_valid_text(void **state)
{
    run("text", (one_step){.script = "printf 'h\\303\\244\\377\\000z\\342\\202\\254\\342\\202'"});
    assert_string_equal(output("text", "0.stdout", 100),
                        "h\xc3\xa4\xef\xbf\xbd\xef\xbf\xbdz\xe2\x82\xac\xef\xbf\xbd\xef\xbf\xbd");
    assert_string_equal(output("text", "0.stdout", 2), "h\xc3\xa4");
    assert_string_equal(output("text", "nothing", 2), "");
}

static void ends_at_the_time_limit(void **state)
{
    one_result result =
        run("timeout",
            (one_step){.script = "echo begun; (trap '' HUP; sleep 1000) & sleep 1000", .timeout_s = 1});
    assert_string_equal(result.end, "timed_out");
    assert_int_equal(result.code, 128 + SIGTERM);
    assert_true(result.end_ms - result.start_ms >= 1000);
    assert_string_equal(output("timeout", "0.stdout", 100), "begun\n");
}

/* A grandchild in a session of its own, deaf to SIGTERM, dies too: it alone holds the pipe's write end. */
static void cancel_ends_everything(void **state)
{
    char path[PATH_MAX], folder[PATH_MAX], script[PATH_MAX * 2];
    char byte;
    int pidfd = -1;
    sh_command_state look;
    sh_err err = {0};
    int fifo = make_fifo("cancel-fifo", path);
    snprintf(script, sizeof(script),
             "exec 5>'%s'; trap '' TERM\n"
             "setsid sh -c 'trap \"\" TERM; echo >&5; exec sleep 1000' & exec sleep 1000",
             path);
    sh_child child = start("cancel", (one_step){.script = script});
    assert_int_equal(read(fifo, &byte, 1), 1);
    int readable = open(path, O_RDONLY | O_CLOEXEC);
    close(fifo);
    folder_of("cancel", folder);
    assert_int_equal(sh_command_look(folder, &look, &pidfd, &err), 0);
    assert_int_equal(look, SH_COMMAND_RUNNING);
    assert_true(pidfd >= 0);
    assert_int_equal(sh_command_cancel(pidfd, &err), 0);
    close(pidfd);
    one_result result = finish("cancel", &child);
    assert_string_equal(result.end, "cancelled");
    assert_int_equal(result.code, 128 + SIGKILL);
    struct pollfd gone = {.fd = readable, .events = POLLIN};
    assert_int_equal(poll(&gone, 1, 10000), 1);
    assert_true(gone.revents & POLLHUP);
    close(readable);
}

static void says_what_daemons_hold(void **state)
{
    one_result result = run("daemon", (one_step){.script = "sleep 1000 & echo $!"});
    assert_int_equal(result.code, 0);
    assert_non_null(strstr(result.message, "still holds its output"));
    pid_t pid = (pid_t)strtol(output("daemon", "0.stdout", 20), NULL, 10);
    assert_true(pid > 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
}

static void only_one_supervisor_at_a_time(void **state)
{
    char path[PATH_MAX], folder[PATH_MAX], script[PATH_MAX + 64];
    sh_err err = {0};
    int fifo = make_fifo("one-fifo", path);
    snprintf(script, sizeof(script), "read line < '%s'; echo \"$line\"", path);
    sh_child child = start("one", (one_step){.script = script}), other = SH_CHILD_NONE;
    json_t *second = command_of((one_step){.script = "echo second"});
    folder_of("one", folder);
    assert_int_equal(sh_command_start(folder, second, self, environment, &other, &err), SH_E_CONFLICT);
    json_decref(second);
    assert_int_equal(write(fifo, "first\n", 6), 6);
    assert_int_equal(finish("one", &child).code, 0);
    assert_string_equal(output("one", "0.stdout", 20), "first\n");
    close(fifo);
}

/* The supervisor is killed: the folder says "lost", the script dies with it, and what it started is found by
 * its environment. */
static void a_killed_supervisor_is_noticed(void **state)
{
    char path[PATH_MAX], folder[PATH_MAX], script[PATH_MAX * 2];
    char byte;
    int status;
    sh_command_state look;
    sh_err err = {0};
    int fifo = make_fifo("lost-fifo", path);
    snprintf(script, sizeof(script), "exec 5>'%s'; sleep 1000 & echo >&5; wait", path);
    sh_child child = start("lost", (one_step){.script = script});
    assert_int_equal(read(fifo, &byte, 1), 1);
    int readable = open(path, O_RDONLY | O_CLOEXEC);
    close(fifo);
    kill(child.pid, SIGKILL);
    assert_int_equal(sh_child_wait(&child, -1, &status, &err), 1);
    folder_of("lost", folder);
    assert_int_equal(sh_command_look(folder, &look, NULL, &err), 0);
    assert_int_equal(look, SH_COMMAND_LOST);
    assert_true(sh_strays_kill("SPYHOP_COMMAND_ID=test") >= 1);
    assert_int_equal(sh_strays_kill("SPYHOP_COMMAND_ID=tes"), 0);
    struct pollfd gone = {.fd = readable, .events = POLLIN};
    assert_int_equal(poll(&gone, 1, 10000), 1);
    close(readable);
}

static void what_never_began_is_known(void **state)
{
    char folder[PATH_MAX], path[PATH_MAX + 8];
    sh_command_state look = SH_COMMAND_LOST;
    sh_err err = {0};
    folder_of("never", folder);
    assert_int_equal(sh_command_look(folder, &look, NULL, &err), 0);
    assert_int_equal(look, SH_COMMAND_NEVER);
    assert_int_equal(sh_dir_make(folder, 0700, &err), 0);
    snprintf(path, sizeof(path), "%s/lock", folder);
    int lock = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_int_equal(sh_command_look(folder, &look, NULL, &err), 0);
    assert_int_equal(look, SH_COMMAND_NEVER);
    assert_int_equal(flock(lock, LOCK_EX), 0); /* started, has not said its pid yet */
    int pidfd = 0;
    assert_int_equal(sh_command_look(folder, &look, &pidfd, &err), 0);
    assert_int_equal(look, SH_COMMAND_RUNNING);
    assert_int_equal(pidfd, -1);
    close(lock);
}

/* ---- several steps ---- */

static void check_step(const json_t *result, size_t number, const char *end, int code)
{
    const json_t *step = json_array_get(json_object_get(result, "steps"), number);
    assert_string_equal(json_string_value(json_object_get(step, "end")), end);
    assert_int_equal(number_of(step, "code"), code);
}

static json_t *run_steps(const char *name, json_t *steps)
{
    sh_child child = start_command(name, json_pack("{s:o, s:i}", "steps", steps, "grace_ms", 200));
    return finish_command(name, &child);
}

static json_t *with(json_t *step, const char *name, const char *value)
{
    json_object_set_new(step, name, json_string(value));
    return step;
}

static void steps_follow_each_other(void **state)
{
    json_t *result =
        run_steps("follow", json_pack("[o, o, o]", step_of("a", "echo one"), step_of("b", "exit 4"),
                                      step_of("c", "echo three; exit 5")));
    assert_string_equal(json_string_value(json_object_get(result, "end")), "exited");
    assert_int_equal(number_of(result, "code"), 4); /* of the first that failed */
    check_step(result, 0, "exited", 0);
    check_step(result, 1, "exited", 4);
    check_step(result, 2, "exited", 5);
    assert_string_equal(output("follow", "0.stdout", 100), "one\n");
    assert_string_equal(output("follow", "2.stdout", 100), "three\n");
    json_decref(result);
}

static void a_step_can_end_the_command(void **state)
{
    json_t *result = run_steps("exit", json_pack("[o, o]", with(step_of("a", "exit 4"), "on_failure", "exit"),
                                                 step_of("b", "echo two")));
    assert_int_equal(number_of(result, "code"), 4);
    check_step(result, 1, "skipped", 0);
    json_decref(result);
    result = run_steps("fine", json_pack("[o, o]", with(step_of("a", "exit 4"), "on_failure", "success"),
                                         step_of("b", "echo two")));
    assert_int_equal(number_of(result, "code"), 0);
    check_step(result, 0, "exited", 4);
    check_step(result, 1, "skipped", 0);
    json_decref(result);
    result = run_steps("early", json_pack("[o, o]", with(step_of("a", "true"), "on_success", "exit"),
                                          with(step_of("b", "echo two"), "skip", "not here")));
    assert_int_equal(number_of(result, "code"), 0);
    check_step(result, 1, "skipped", 0);
    json_decref(result);
}

static void a_step_that_is_skipped_counts_for_nothing(void **state)
{
    json_t *result = run_steps("skip", json_pack("[o, o]", with(step_of("a", "exit 4"), "skip", "not here"),
                                                 step_of("b", "echo $X")));
    check_step(result, 0, "skipped", 0);
    check_step(result, 1, "exited", 0);
    assert_string_equal(json_string_value(json_object_get(result, "end")), "exited");
    json_decref(result);
}

static void cancel_ends_the_steps_to_come(void **state)
{
    char path[PATH_MAX], folder[PATH_MAX], script[PATH_MAX + 64], byte;
    int pidfd = -1;
    sh_command_state look;
    sh_err err = {0};
    int fifo = make_fifo("steps-fifo", path);
    snprintf(script, sizeof(script), "echo > '%s'; sleep 1000", path);
    sh_child child = start_command("steps", json_pack("{s:[o, o], s:i}", "steps", step_of("a", script),
                                                      step_of("b", "echo two"), "grace_ms", 200));
    assert_int_equal(read(fifo, &byte, 1), 1);
    folder_of("steps", folder);
    assert_int_equal(sh_command_look(folder, &look, &pidfd, &err), 0);
    assert_int_equal(sh_command_cancel(pidfd, &err), 0);
    json_t *result = finish_command("steps", &child);
    assert_string_equal(json_string_value(json_object_get(result, "end")), "cancelled");
    check_step(result, 0, "cancelled", 128 + SIGTERM);
    check_step(result, 1, "skipped", 0);
    json_decref(result);
    close(pidfd);
    close(fifo);
}

static void a_user_that_is_not_there_is_named(void **state)
{
    sh_child child = start_command(
        "user", json_pack("{s:[o], s:s}", "steps", step_of("a", "echo x"), "user", "nobody-of-this-name"));
    json_t *result = finish_command("user", &child);
    assert_string_equal(json_string_value(json_object_get(result, "end")), "unable");
    assert_non_null(strstr(json_string_value(json_object_get(result, "message")), "nobody-of-this-name"));
    json_decref(result);
}

/* As root only: another user, who reaches the script though not its folder. */
static void runs_as_another_user(void **state)
{
    if (geteuid() != 0)
        skip();
    json_t *step =
        step_of("a", "id -un; echo $HOME; cat /proc/self/status | grep -c '^CapEff:.*0000000000000000'");
    with(step, "folder", "/");
    sh_child child = start_command("other", json_pack("{s:[o], s:s}", "steps", step, "user", "daemon"));
    json_decref(finish_command("other", &child));
    assert_string_equal(output("other", "0.stdout", 100), "daemon\n/usr/sbin\n1\n");
    step = step_of("a", "#!/usr/bin/python3\nimport os\nprint(os.getuid() == 1)\n");
    child = start_command("other2",
                          json_pack("{s:[o], s:s}", "steps", with(step, "folder", "/"), "user", "daemon"));
    json_decref(finish_command("other2", &child));
    assert_string_equal(output("other2", "0.stdout", 100), "True\n");
}

static int make_base(void **state)
{
    return mkdtemp(base) ? 0 : -1;
}

static int remove_base(void **state)
{
    return sh_dir_remove(base, NULL);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "exec") == 0)
        return sh_supervisor_main(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_status_output_and_times),
        cmocka_unit_test(runs_the_script_as_it_is),
        cmocka_unit_test(honours_the_interpreter),
        cmocka_unit_test(says_that_the_folder_is_missing),
        cmocka_unit_test(bounds_the_output),
        cmocka_unit_test(makes_valid_text),
        cmocka_unit_test(ends_at_the_time_limit),
        cmocka_unit_test(cancel_ends_everything),
        cmocka_unit_test(says_what_daemons_hold),
        cmocka_unit_test(only_one_supervisor_at_a_time),
        cmocka_unit_test(a_killed_supervisor_is_noticed),
        cmocka_unit_test(what_never_began_is_known),
        cmocka_unit_test(steps_follow_each_other),
        cmocka_unit_test(a_step_can_end_the_command),
        cmocka_unit_test(a_step_that_is_skipped_counts_for_nothing),
        cmocka_unit_test(cancel_ends_the_steps_to_come),
        cmocka_unit_test(a_user_that_is_not_there_is_named),
        cmocka_unit_test(runs_as_another_user),
    };
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (length <= 0)
        return 1;
    return cmocka_run_group_tests(tests, make_base, remove_base);
}
