/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This program is its own supervisor: started as "PROGRAM agent-exec FOLDER" it does what spyhop does then.
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

static sh_child start(const char *name, sh_command_spec spec)
{
    char folder[PATH_MAX];
    sh_child child = SH_CHILD_NONE;
    sh_err err = {0};
    folder_of(name, folder);
    spec.program = self;
    spec.folder = spec.folder ? spec.folder : base;
    spec.timeout_s = spec.timeout_s ? spec.timeout_s : 600;
    spec.environment = environment;
    spec.grace_ms = 200;
    if (sh_command_start(folder, &spec, &child, &err) < 0)
        fail_msg("%s", err.message);
    return child;
}

static sh_command_result finish(const char *name, sh_child *child)
{
    char folder[PATH_MAX];
    int status = -1;
    sh_command_state state;
    sh_command_result result = {0};
    sh_err err = {0};
    folder_of(name, folder);
    assert_int_equal(sh_child_wait(child, -1, &status, &err), 1);
    assert_int_equal(sh_command_look(folder, &state, NULL, &err), 0);
    assert_int_equal(state, SH_COMMAND_DONE);
    assert_int_equal(sh_command_read_result(folder, &result, &err), 0);
    assert_int_equal(WEXITSTATUS(status), 0);
    return result;
}

static sh_command_result run(const char *name, sh_command_spec spec)
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
    sh_command_result result = run("plain", (sh_command_spec){.script = "echo out\necho err >&2\nexit 3\n"});
    assert_int_equal(result.end, SH_COMMAND_EXITED);
    assert_int_equal(result.code, 3);
    assert_int_equal(result.stdout_bytes, 4);
    assert_true(result.end_ms >= result.start_ms && result.start_ms > 0);
    assert_string_equal(result.message, "");
    assert_string_equal(output("plain", "stdout", 100), "out\n");
    assert_string_equal(output("plain", "stderr", 100), "err\n");
}

static void runs_the_script_as_it_is(void **state)
{
    run("quotes", (sh_command_spec){.script = "printf '%s\\n' 'a  b' \"$HOME;\" '$(x)' `echo y`"});
    assert_string_equal(output("quotes", "stdout", 100), "a  b\n;\n$(x)\ny\n");
}

static void honours_the_interpreter(void **state)
{
    run("python", (sh_command_spec){.script = "#!/usr/bin/python3\nprint(6 * 7)\n"});
    assert_string_equal(output("python", "stdout", 100), "42\n");
    sh_command_result result = run("bad", (sh_command_spec){.script = "#!/no/such/interpreter\n"});
    assert_int_equal(result.end, SH_COMMAND_UNABLE);
    assert_non_null(strstr(result.message, "No such file"));
}

static void says_that_the_folder_is_missing(void **state)
{
    sh_command_result result =
        run("folder", (sh_command_spec){.script = "echo x", .folder = "/no/such/folder"});
    assert_int_equal(result.end, SH_COMMAND_UNABLE);
    assert_int_equal(result.code, 1);
    assert_non_null(strstr(result.message, "/no/such/folder"));
}

static void bounds_the_output(void **state)
{
    char path[PATH_MAX];
    struct stat st;
    sh_command_result result =
        run("bounded", (sh_command_spec){.script = "head -c 1000000 /dev/zero | tr '\\0' x; echo e >&2",
                                         .output_max = 5000});
    assert_int_equal(result.code, 0);
    assert_int_equal(result.stdout_bytes, 1000000);
    snprintf(path, sizeof(path), "%s/bounded/stdout", base);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 5000);
    assert_int_equal(strlen(output("bounded", "stdout", 24)), 24);
}

static void makes_valid_text(void **state)
{
    run("text", (sh_command_spec){.script = "printf 'h\\303\\244\\377\\000z\\342\\202\\254\\342\\202'"});
    assert_string_equal(output("text", "stdout", 100),
                        "h\xc3\xa4\xef\xbf\xbd\xef\xbf\xbdz\xe2\x82\xac\xef\xbf\xbd\xef\xbf\xbd");
    assert_string_equal(output("text", "stdout", 2), "h\xc3\xa4");
    assert_string_equal(output("text", "nothing", 2), "");
}

static void ends_at_the_time_limit(void **state)
{
    sh_command_result result =
        run("timeout", (sh_command_spec){.script = "echo begun; (trap '' HUP; sleep 1000) & sleep 1000",
                                         .timeout_s = 1});
    assert_int_equal(result.end, SH_COMMAND_TIMED_OUT);
    assert_int_equal(result.code, 128 + SIGTERM);
    assert_true(result.end_ms - result.start_ms >= 1000);
    assert_string_equal(output("timeout", "stdout", 100), "begun\n");
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
    sh_child child = start("cancel", (sh_command_spec){.script = script});
    assert_int_equal(read(fifo, &byte, 1), 1);
    int readable = open(path, O_RDONLY | O_CLOEXEC);
    close(fifo);
    folder_of("cancel", folder);
    assert_int_equal(sh_command_look(folder, &look, &pidfd, &err), 0);
    assert_int_equal(look, SH_COMMAND_RUNNING);
    assert_true(pidfd >= 0);
    assert_int_equal(sh_command_cancel(pidfd, &err), 0);
    close(pidfd);
    sh_command_result result = finish("cancel", &child);
    assert_int_equal(result.end, SH_COMMAND_CANCELLED);
    assert_int_equal(result.code, 128 + SIGKILL);
    struct pollfd gone = {.fd = readable, .events = POLLIN};
    assert_int_equal(poll(&gone, 1, 10000), 1);
    assert_true(gone.revents & POLLHUP);
    close(readable);
}

static void says_what_daemons_hold(void **state)
{
    sh_command_result result = run("daemon", (sh_command_spec){.script = "sleep 1000 & echo $!"});
    assert_int_equal(result.code, 0);
    assert_non_null(strstr(result.message, "still holds its output"));
    pid_t pid = (pid_t)strtol(output("daemon", "stdout", 20), NULL, 10);
    assert_true(pid > 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
}

static void only_one_supervisor_at_a_time(void **state)
{
    char path[PATH_MAX], folder[PATH_MAX], script[PATH_MAX + 64];
    sh_err err = {0};
    int fifo = make_fifo("one-fifo", path);
    snprintf(script, sizeof(script), "read line < '%s'; echo \"$line\"", path);
    sh_child child = start("one", (sh_command_spec){.script = script}), other = SH_CHILD_NONE;
    sh_command_spec spec = {.script = "echo second", .program = self, .folder = base, .timeout_s = 9};
    folder_of("one", folder);
    assert_int_equal(sh_command_start(folder, &spec, &other, &err), SH_E_CONFLICT);
    assert_int_equal(write(fifo, "first\n", 6), 6);
    assert_int_equal(finish("one", &child).code, 0);
    assert_string_equal(output("one", "stdout", 20), "first\n");
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
    sh_child child = start("lost", (sh_command_spec){.script = script});
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
    if (argc == 3 && strcmp(argv[1], "agent-exec") == 0)
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
    };
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (length <= 0)
        return 1;
    return cmocka_run_group_tests(tests, make_base, remove_base);
}
