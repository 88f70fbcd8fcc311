/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void sandbox_fail(const char *format, ...)
{
    char text[512];
    const char *reason = errno ? strerror(errno) : NULL;
    va_list args;
    va_start(args, format);
    int length = snprintf(text, sizeof(text), "failed ");
    length += vsnprintf(text + length, sizeof(text) - (size_t)length, format, args);
    va_end(args);
    if (reason && (size_t)length < sizeof(text))
        snprintf(text + length, sizeof(text) - (size_t)length, ": %s", reason);
    if (send(SANDBOX_CHANNEL, text, strlen(text), MSG_NOSIGNAL) < 0)
        fprintf(stderr, "spyhop-sandbox: %s\n", text);
    _exit(SANDBOX_FAILED);
}

/* ---- options ---- */

static long number(const char *option, const char *text, long max)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || *end || end == text || value < 0 || value > max) {
        errno = 0;
        sandbox_fail("%s takes a number of at most %ld, not '%s'", option, max, text);
    }
    return value;
}

static void take_bind(sandbox *s, char **values)
{
    errno = 0;
    if (s->bind_count == SANDBOX_BINDS)
        sandbox_fail("more than %d folders to show", SANDBOX_BINDS);
    s->binds[s->bind_count++] = (sandbox_bind){values[0], values[1]};
}

static void take_port(sandbox *s, const char *value)
{
    errno = 0;
    if (s->port_count == SANDBOX_PORTS)
        sandbox_fail("more than %d ports", SANDBOX_PORTS);
    s->ports[s->port_count++] = (int)number("--port", value, 65535);
}

/* Returns how many words the option took. */
static int take_option(sandbox *s, char **words, int left)
{
    const char *name = words[0];
    if (strcmp(name, "--bind") == 0 && left > 2) {
        take_bind(s, words + 1);
        return 3;
    }
    if (left > 1 && strcmp(name, "--root") == 0)
        s->root = words[1];
    else if (left > 1 && strcmp(name, "--folder") == 0)
        s->folder = words[1];
    else if (left > 1 && strcmp(name, "--port") == 0)
        take_port(s, words[1]);
    else if (left > 1 && strcmp(name, "--tmp") == 0)
        s->tmp = number(name, words[1], 1 << 20);
    else if (left > 1 && strcmp(name, "--data") == 0)
        s->data = number(name, words[1], 1 << 20);
    else if (left > 1 && strcmp(name, "--uid") == 0)
        s->uid = number(name, words[1], 0x7FFFFFFE);
    else if (left > 1 && strcmp(name, "--processes") == 0)
        s->processes = number(name, words[1], 1 << 22);
    else if (left > 1 && strcmp(name, "--files") == 0)
        s->files = number(name, words[1], 1 << 20);
    else {
        errno = 0;
        sandbox_fail("the option '%s' is unknown or lacks its value", name);
    }
    return 2;
}

static void read_options(sandbox *s, int argc, char **argv)
{
    int at = 1;
    while (at < argc && strcmp(argv[at], "--") != 0)
        at += take_option(s, argv + at, argc - at);
    s->command = argv + (at < argc ? at + 1 : argc);
    errno = 0;
    if (!s->root || !s->command[0])
        sandbox_fail("--root and a program are needed");
}

/* ---- processes ---- */

/* The first process of the namespace: gathers whoever ends, until the program does. */
static _Noreturn void reap(pid_t program, int report)
{
    int status;
    for (int fd = 0; fd < SANDBOX_CHANNEL; fd++)
        close(fd);
    for (;;) {
        pid_t pid = waitpid(-1, &status, 0);
        if (pid == program)
            break;
        if (pid < 0 && errno != EINTR)
            _exit(SANDBOX_FAILED);
    }
    ssize_t ignored = write(report, &status, sizeof(status));
    (void)ignored;
    _exit(0); /* and the kernel ends the rest */
}

static _Noreturn void first(sandbox *s, int report, int alive)
{
    char none;
    sandbox_mount(s);
    sandbox_confine(s);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        sandbox_fail("the sandbox cannot be made to end with the server");
    if (recv(alive, &none, 1, MSG_DONTWAIT | MSG_PEEK) == 0) /* it ended before the line above */
        _exit(SANDBOX_FAILED);
    pid_t pid = fork();
    if (pid < 0)
        sandbox_fail("no process for the program");
    if (pid > 0) {
        close(SANDBOX_CHANNEL);
        reap(pid, report);
    }
    setsid();
    execvp(s->command[0], s->command);
    sandbox_fail("cannot start %s", s->command[0]);
}

static void say_ready(const sandbox *s, pid_t pid)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * SANDBOX_PORTS)];
    } control = {0};
    char text[32];
    size_t size = sizeof(int) * s->port_count;
    struct iovec part = {text, (size_t)snprintf(text, sizeof(text), "ready %d", (int)pid)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (s->port_count) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(size);
        struct cmsghdr *extra = CMSG_FIRSTHDR(&message);
        *extra =
            (struct cmsghdr){.cmsg_len = CMSG_LEN(size), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(extra), s->listeners, size);
    }
    if (sendmsg(SANDBOX_CHANNEL, &message, MSG_NOSIGNAL) < 0)
        _exit(SANDBOX_FAILED);
}

/* Ends as the program did. */
static _Noreturn void follow(pid_t child, int report)
{
    int status = SIGKILL; /* what a sandbox that says nothing died of */
    ssize_t got;
    do {
        got = read(report, &status, sizeof(status));
    } while (got < 0 && errno == EINTR);
    int own = 0;
    while (waitpid(child, &own, 0) < 0 && errno == EINTR)
        ;
    if (got != (ssize_t)sizeof(status) && WIFEXITED(own))
        _exit(WEXITSTATUS(own)); /* it could not be made */
    if (WIFEXITED(status))
        _exit(WEXITSTATUS(status));
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    signal(WTERMSIG(status), SIG_DFL);
    raise(WTERMSIG(status));
    _exit(SANDBOX_FAILED);
}

int main(int argc, char **argv)
{
    sandbox s = {.uid = -1, .tmp = 512, .processes = 1024, .files = 1024, .folder = "/"};
    int report[2], alive[2];
    read_options(&s, argc, argv);
    umask(022);
    sandbox_separate(&s);
    sandbox_listen(&s);
    if (pipe(report) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, alive) < 0)
        sandbox_fail("no pipe");
    pid_t child = fork();
    if (child < 0)
        sandbox_fail("no process for the sandbox");
    if (child == 0) {
        close(report[0]);
        close(alive[1]);
        for (size_t i = 0; i < s.port_count; i++)
            close(s.listeners[i]);
        first(&s, report[1], alive[0]);
    }
    close(report[1]);
    close(alive[0]);
    say_ready(&s, child);
    for (size_t i = 0; i < s.port_count; i++)
        close(s.listeners[i]);
    for (int fd = 0; fd <= SANDBOX_CHANNEL; fd++)
        close(fd);
    follow(child, report[0]);
}
