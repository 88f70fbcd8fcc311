/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fork, then only async-signal-safe calls until execve: the server has many threads, and any of them may hold
 * the allocator's lock at that moment. The descriptors are first copied out of the way of the numbers they
 * are to get, then put in place, then all others are closed by close_range. Why execve failed comes back
 * through a close-on-exec pipe, whose end of file means that it succeeded. */
#include "cloud/jobs/child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define USUAL_FILES 1024 /* open files at once, as a login shell has it */

typedef struct failure {
    int error;
    char step; /* index of step_names */
} failure;

enum { STEP_GROUP, STEP_FILES, STEP_USER, STEP_DEATH, STEP_FOLDER, STEP_EXEC };
static const char *const step_names[] = {"make its process group",   "place its descriptors",
                                         "become its user",          "arrange its end with ours",
                                         "enter its working folder", "run the program"};

static _Noreturn void give_up(int report, int step)
{
    failure why = {errno, (char)step};
    ssize_t ignored = write(report, &why, sizeof(why));
    (void)ignored;
    _exit(127);
}

static void reset_signals(void)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int i = 1; i < NSIG; i++)
        sigaction(i, &standard, NULL); /* refused for SIGKILL, SIGSTOP and the C library's own */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The server raises its own limit; programs that use select() count on the usual one. */
static void lower_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur <= USUAL_FILES)
        return;
    limit.rlim_cur = USUAL_FILES;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void close_between(unsigned first, unsigned last)
{
    if (first > last || close_range(first, last, 0) == 0)
        return;
    struct rlimit limit; /* a kernel or sandbox without close_range */
    unsigned end = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < (1u << 20)
                       ? (unsigned)limit.rlim_cur
                       : (1u << 20);
    for (unsigned fd = first; fd <= last && fd < end; fd++)
        close((int)fd);
}

/* Returns where the report pipe is now, or -1. */
static int place_files(const sh_child_spec *spec, int report)
{
    int safe[SH_CHILD_MAX_FDS];
    int count = spec->fd_count < 3 ? 3 : (int)spec->fd_count;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int kept = fcntl(report, F_DUPFD_CLOEXEC, SH_CHILD_MAX_FDS);
    if (null < 0 || kept < 0)
        return -1;
    for (int i = 0; i < count; i++) {
        int fd = (size_t)i < spec->fd_count && spec->fds[i] >= 0 ? spec->fds[i] : null;
        safe[i] = fcntl(fd, F_DUPFD_CLOEXEC, SH_CHILD_MAX_FDS);
        if (safe[i] < 0)
            return -1;
    }
    for (int i = 0; i < count; i++)
        if (dup2(safe[i], i) < 0) /* clears close-on-exec */
            return -1;
    close_between((unsigned)count, (unsigned)kept - 1);
    close_between((unsigned)kept + 1, ~0u);
    return kept;
}

/* Before the wish to die with the parent, which a change of user undoes. */
static int change_user(const sh_child_user *user)
{
    if (setgroups(user->group_count, user->groups) < 0 || setgid(user->gid) < 0 || setuid(user->uid) < 0)
        return -1;
    return 0;
}

static _Noreturn void become(const sh_child_spec *spec, int report, pid_t parent)
{
    static const char *const nothing[] = {NULL};
    const char *const *environment = spec->environment ? spec->environment : nothing;
    if (spec->session ? setsid() < 0 : setpgid(0, 0) < 0)
        give_up(report, STEP_GROUP);
    reset_signals();
    umask(spec->mask ? spec->mask : 077);
    int kept = place_files(spec, report);
    if (kept < 0)
        give_up(report, STEP_FILES);
    lower_file_limit();
    if (spec->user && change_user(spec->user) < 0)
        give_up(kept, STEP_USER);
    if (spec->death_signal) {
        if (prctl(PR_SET_PDEATHSIG, spec->death_signal) < 0)
            give_up(kept, STEP_DEATH);
        if (getppid() != parent) /* it ended before the line above */
            _exit(127);
    }
    if (chdir(spec->folder ? spec->folder : "/") < 0)
        give_up(kept, STEP_FOLDER);
    execve(spec->program, (char *const *)spec->argv, (char *const *)environment);
    give_up(kept, STEP_EXEC);
}

/* 0: execve succeeded. */
static int await_exec(int fd, failure *why)
{
    ssize_t got;
    do {
        got = read(fd, why, sizeof(*why));
    } while (got < 0 && errno == EINTR);
    if (got == 0)
        return 0;
    if (got != (ssize_t)sizeof(*why))
        *why = (failure){EIO, STEP_EXEC};
    if (why->step < 0 || why->step > STEP_EXEC)
        why->step = STEP_EXEC;
    return -1;
}

static pid_t fork_quietly(const sh_child_spec *spec, int report)
{
    sigset_t all, before;
    pid_t parent = getpid();
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* no handler of ours may run in the child */
    pid_t pid = fork();
    if (pid == 0)
        become(spec, report, parent);
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return pid;
}

static void reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

int sh_child_spawn(sh_child *out, const sh_child_spec *spec, sh_err *err)
{
    int report[2];
    failure why;
    int status = 0;
    if (spec->fd_count > SH_CHILD_MAX_FDS || !spec->program || !spec->argv || !spec->argv[0])
        return sh_fail(err, SH_E_ARGUMENT, "a child process needs a program, arguments and at most %d files",
                       SH_CHILD_MAX_FDS);
    if (pipe2(report, O_CLOEXEC) < 0)
        return sh_fail_errno(err, errno, "cannot make a pipe for %s", spec->program);
    pid_t pid = fork_quietly(spec, report[1]);
    int error = errno;
    close(report[1]);
    if (pid < 0) {
        status = sh_fail_errno(err, error, "cannot start a process for %s", spec->program);
        goto done;
    }
    if (await_exec(report[0], &why) < 0) {
        reap(pid);
        status = sh_fail_errno(err, why.error, "cannot start %s: its process could not %s%s%s", spec->program,
                               step_names[(int)why.step], why.step == STEP_FOLDER ? " " : "",
                               why.step == STEP_FOLDER && spec->folder ? spec->folder : "");
        goto done;
    }
    int pidfd = pidfd_open(pid, 0); /* close-on-exec by itself; the pid is ours until it is reaped */
    if (pidfd < 0) {
        status = sh_fail_errno(err, errno, "cannot watch %s", spec->program);
        kill(-pid, SIGKILL);
        reap(pid);
        goto done;
    }
    *out = (sh_child){pid, pidfd};
done:
    close(report[0]);
    return status;
}

int sh_child_wait(sh_child *child, int timeout_ms, int *status, sh_err *err)
{
    struct pollfd ready = {.fd = child->pidfd, .events = POLLIN};
    int count, result;
    do {
        count = poll(&ready, 1, timeout_ms);
    } while (count < 0 && errno == EINTR && timeout_ms < 0);
    if (count < 0 && errno != EINTR)
        return sh_fail_errno(err, errno, "cannot wait for process %d", (int)child->pid);
    if (count <= 0)
        return 0;
    pid_t pid;
    do {
        pid = waitpid(child->pid, &result, 0);
    } while (pid < 0 && errno == EINTR);
    if (pid < 0)
        return sh_fail_errno(err, errno, "cannot wait for process %d", (int)child->pid);
    close(child->pidfd);
    *child = SH_CHILD_NONE;
    *status = result;
    return 1;
}

void sh_child_signal_group(const sh_child *child, int number)
{
    if (child->pid > 0)
        kill(-child->pid, number);
}

void sh_child_destroy(sh_child *child)
{
    if (!child || child->pid <= 0)
        return;
    kill(-child->pid, SIGKILL);
    reap(child->pid);
    close(child->pidfd);
    *child = SH_CHILD_NONE;
}

void sh_child_describe(int status, char *text, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(text, size, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(text, size, "exit status %d", WEXITSTATUS(status));
}
