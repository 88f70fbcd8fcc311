/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/jobs/child.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Runs a script of /bin/sh with its output in a pipe; returns the wait status. */
static int run_shell(const char *script, sh_child_spec spec, char *output, size_t size)
{
    int ends[2], status = -1;
    size_t length = 0;
    ssize_t got;
    sh_child child = SH_CHILD_NONE;
    sh_err err = {0};
    const char *argv[] = {"sh", "-c", script, NULL};
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    int fds[] = {-1, ends[1], ends[1]};
    spec.program = "/bin/sh";
    spec.argv = argv;
    spec.fds = fds;
    spec.fd_count = 3;
    assert_int_equal(sh_child_spawn(&child, &spec, &err), 0);
    close(ends[1]);
    while (length + 1 < size && (got = read(ends[0], output + length, size - 1 - length)) > 0)
        length += (size_t)got;
    output[length] = '\0';
    close(ends[0]);
    assert_int_equal(sh_child_wait(&child, -1, &status, &err), 1);
    assert_int_equal(child.pid, 0);
    return status;
}

static void gives_exit_status_and_output(void **state)
{
    char output[256], text[64];
    int status = run_shell("echo out; echo err >&2; exit 7", (sh_child_spec){0}, output, sizeof(output));
    assert_string_equal(output, "out\nerr\n");
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    sh_child_describe(status, text, sizeof(text));
    assert_string_equal(text, "exit status 7");
}

static void inherits_nothing_unintended(void **state)
{
    char output[4096];
    int leak = fcntl(0, F_DUPFD, 40); /* without close-on-exec, on purpose */
    const char *environment[] = {"ONLY=this", NULL};
    assert_int_equal(leak, 40);
    run_shell("[ -e /proc/$$/fd/2 ] && ! [ -e /proc/$$/fd/40 ] && echo \"$ONLY${HOME-none}\"; pwd; umask",
              (sh_child_spec){.environment = environment, .folder = "/usr"}, output, sizeof(output));
    close(leak);
    assert_string_equal(output, "thisnone\n/usr\n0077\n");
}

static void resets_signals_and_mask(void **state)
{
    char output[4096];
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, &before);
    signal(SIGPIPE, SIG_IGN);
    run_shell("grep -E 'Sig(Blk|Ign)' /proc/self/status", (sh_child_spec){0}, output, sizeof(output));
    sigprocmask(SIG_SETMASK, &before, NULL);
    signal(SIGPIPE, SIG_DFL);
    assert_string_equal(output, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

static void lowers_the_limit_of_files(void **state)
{
    char output[64];
    struct rlimit before, raised;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    raised = before;
    raised.rlim_cur = raised.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &raised), 0);
    run_shell("ulimit -Sn", (sh_child_spec){0}, output, sizeof(output));
    setrlimit(RLIMIT_NOFILE, &before);
    assert_in_range(strtol(output, NULL, 10), 1, 1024);
}

static void stdin_is_empty(void **state)
{
    char output[64];
    run_shell("read line && echo got || echo end", (sh_child_spec){0}, output, sizeof(output));
    assert_string_equal(output, "end\n");
}

static void places_many_descriptors(void **state)
{
    int a[2], b[2], status;
    char text[2] = {0};
    sh_child child;
    sh_err err = {0};
    const char *argv[] = {"sh", "-c", "printf a >&4; printf b >&3", NULL};
    assert_int_equal(pipe2(a, O_CLOEXEC) | pipe2(b, O_CLOEXEC), 0);
    int fds[] = {-1, -1, -1, b[1], a[1]};
    sh_child_spec spec = {.program = "/bin/sh", .argv = argv, .fds = fds, .fd_count = 5};
    assert_int_equal(sh_child_spawn(&child, &spec, &err), 0);
    assert_int_equal(sh_child_wait(&child, -1, &status, &err), 1);
    assert_int_equal(read(a[0], text, 1), 1);
    assert_string_equal(text, "a");
    assert_int_equal(read(b[0], text, 1), 1);
    assert_string_equal(text, "b");
    for (int i = 0; i < 2; i++)
        close(a[i]), close(b[i]);
}

static void says_why_it_cannot_start(void **state)
{
    const char *argv[] = {"x", NULL};
    sh_child child = SH_CHILD_NONE;
    sh_err err = {0};
    sh_child_spec spec = {.program = "/nonexistent/program", .argv = argv};
    assert_int_equal(sh_child_spawn(&child, &spec, &err), SH_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "/nonexistent/program"));
    assert_int_equal(child.pid, 0);
    spec = (sh_child_spec){.program = "/bin/true", .argv = argv, .folder = "/nonexistent"};
    assert_int_equal(sh_child_spawn(&child, &spec, &err), SH_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "working folder /nonexistent"));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left to reap */
}

/* The child starts a grandchild; both hold the pipe. Its end of file says that both are gone. */
static void kills_the_whole_group(void **state)
{
    int ends[2], status;
    char byte;
    sh_child child;
    sh_err err = {0};
    const char *argv[] = {"sh", "-c", "(trap '' TERM; echo r; exec sleep 1000) & wait", NULL};
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    int fds[] = {-1, ends[1], -1};
    sh_child_spec spec = {.program = "/bin/sh", .argv = argv, .fds = fds, .fd_count = 3};
    assert_int_equal(sh_child_spawn(&child, &spec, &err), 0);
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(sh_child_wait(&child, 0, &status, &err), 0);
    sh_child_signal_group(&child, SIGKILL);
    assert_int_equal(read(ends[0], &byte, 1), 1); /* the newline */
    assert_int_equal(read(ends[0], &byte, 1), 0);
    assert_int_equal(sh_child_wait(&child, -1, &status, &err), 1);
    assert_true(WIFSIGNALED(status));
    close(ends[0]);
}

static void destroy_takes_anything(void **state)
{
    const char *argv[] = {"sleep", "1000", NULL};
    sh_child child = SH_CHILD_NONE;
    sh_err err = {0};
    sh_child_destroy(NULL);
    sh_child_destroy(&child);
    sh_child_spec spec = {.program = "/bin/sleep", .argv = argv, .session = true};
    assert_int_equal(sh_child_spawn(&child, &spec, &err), 0);
    assert_int_equal(getsid(child.pid), child.pid);
    sh_child_destroy(&child);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_exit_status_and_output),
        cmocka_unit_test(inherits_nothing_unintended),
        cmocka_unit_test(resets_signals_and_mask),
        cmocka_unit_test(lowers_the_limit_of_files),
        cmocka_unit_test(stdin_is_empty),
        cmocka_unit_test(places_many_descriptors),
        cmocka_unit_test(says_why_it_cannot_start),
        cmocka_unit_test(kills_the_whole_group),
        cmocka_unit_test(destroy_takes_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
