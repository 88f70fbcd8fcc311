/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/jobs/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    WORDS_MAX = 256,
    ARENA = 64 * 1024,
    PROCESSES_MAX = 4096, /* that are looked at */
};

typedef struct words {
    const char *list[WORDS_MAX + 1];
    size_t count;
    sh_arena *arena;
    bool failed;
} words;

static void add(words *w, const char *word)
{
    if (!word || w->count == WORDS_MAX)
        w->failed = true;
    else
        w->list[w->count++] = word;
}

static void add_number(words *w, const char *option, long value)
{
    add(w, option);
    add(w, sh_arena_printf(w->arena, "%ld", value));
}

static void write_words(words *w, const sh_sandbox_spec *spec)
{
    add(w, "spyhop-sandbox");
    add(w, "--root");
    add(w, spec->root);
    add(w, "--folder");
    add(w, spec->folder ? spec->folder : "/");
    add_number(w, "--tmp", spec->tmp_mb);
    add_number(w, "--processes", spec->processes);
    add_number(w, "--files", spec->files);
    add_number(w, "--data", spec->data_mb);
    if (geteuid() == 0)
        add_number(w, "--uid", spec->uid);
    for (int i = 0; i < SH_SANDBOX_PORTS && spec->ports[i]; i++)
        add_number(w, "--port", spec->ports[i]);
    for (const char *const *bind = spec->binds; bind && bind[0]; bind += 2) {
        add(w, "--bind");
        add(w, bind[0]);
        add(w, bind[1]);
    }
    add(w, "--");
    for (const char *const *word = spec->command; *word; word++)
        add(w, *word);
}

int sh_sandbox_start(sh_sandbox *out, const sh_sandbox_spec *spec, sh_err *err)
{
    int pair[2] = {-1, -1}, status;
    words w = {.arena = sh_arena_new(ARENA)};
    if (!w.arena)
        return sh_fail(err, SH_E_MEMORY, "no memory for a sandbox");
    write_words(&w, spec);
    if (w.failed) {
        status = sh_fail(err, SH_E_LIMIT, "a sandbox is described in more than %d words", WORDS_MAX);
        goto done;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        status = sh_fail_errno(err, errno, "no socket for a sandbox");
        goto done;
    }
    const int fds[] = {-1, spec->output, spec->output, spec->telemetry, pair[1]};
    const sh_child_spec child = {.program = spec->helper,
                                 .argv = w.list,
                                 .environment = spec->environment,
                                 .fds = fds,
                                 .fd_count = 5,
                                 .session = true,
                                 .death_signal = SIGKILL,
                                 .mask = 022};
    status = sh_child_spawn(&out->child, &child, err);
    close(pair[1]);
    if (status < 0)
        close(pair[0]);
    else
        out->channel = pair[0];
done:
    sh_arena_free(w.arena);
    return status;
}

static int read_message(int channel, char *text, size_t size, int listeners[SH_SANDBOX_PORTS])
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * SH_SANDBOX_PORTS)];
    } control;
    struct iovec part = {text, size - 1};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control)};
    ssize_t length;
    do {
        length = recvmsg(channel, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    } while (length < 0 && errno == EINTR);
    text[length > 0 ? length : 0] = '\0';
    for (int i = 0; i < SH_SANDBOX_PORTS; i++)
        listeners[i] = -1;
    const struct cmsghdr *extra = length > 0 ? CMSG_FIRSTHDR(&header) : NULL;
    if (extra && extra->cmsg_level == SOL_SOCKET && extra->cmsg_type == SCM_RIGHTS &&
        extra->cmsg_len <= CMSG_LEN(sizeof(int) * SH_SANDBOX_PORTS))
        memcpy(listeners, CMSG_DATA(extra), extra->cmsg_len - CMSG_LEN(0));
    return (int)length;
}

int sh_sandbox_ready(sh_sandbox *sandbox, pid_t *first, int listeners[SH_SANDBOX_PORTS], sh_err *err)
{
    char text[600];
    int length = read_message(sandbox->channel, text, sizeof(text), listeners);
    if (length < 0 && errno == EAGAIN)
        return 0;
    if (length <= 0)
        return sh_fail(err, SH_E_IO, "the sandbox ended before it was made");
    int pid;
    if (sscanf(text, "ready %d", &pid) != 1)
        return sh_fail(err, SH_E_IO, "no sandbox: %s", strncmp(text, "failed ", 7) == 0 ? text + 7 : text);
    *first = pid;
    return 1;
}

/* ---- what its processes hold ---- */

static int read_text(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return -1;
    size_t length = fread(text, 1, size - 1, file);
    fclose(file);
    text[length] = '\0';
    return 0;
}

/* Pages of files count once: processes of one sandbox mostly share them. */
static void measure(pid_t pid, int64_t *own, int64_t *shared, int64_t *cpu_us)
{
    char path[64], text[1024];
    long pages, files;
    unsigned long user, system;
    snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    if (read_text(path, text, sizeof(text)) == 0 && sscanf(text, "%*s %ld %ld", &pages, &files) == 2) {
        *own += (pages - files) * sysconf(_SC_PAGESIZE);
        if (files * sysconf(_SC_PAGESIZE) > *shared)
            *shared = files * sysconf(_SC_PAGESIZE);
    }
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (read_text(path, text, sizeof(text)) < 0)
        return;
    const char *after = strrchr(text, ')'); /* a name may hold anything */
    if (after &&
        sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) == 2)
        *cpu_us += (int64_t)(user + system) * 1000000 / sysconf(_SC_CLK_TCK);
}

static size_t add_children_of(pid_t pid, const char *thread, pid_t *list, size_t count)
{
    char path[64], text[16384];
    snprintf(path, sizeof(path), "/proc/%d/task/%.16s/children", (int)pid, thread);
    if (read_text(path, text, sizeof(text)) < 0)
        return count;
    for (char *at = text, *end; count < PROCESSES_MAX; at = end) {
        long child = strtol(at, &end, 10);
        if (end == at)
            break;
        list[count++] = (pid_t)child;
    }
    return count;
}

/* Children of all threads of a process. */
static size_t add_children(pid_t pid, pid_t *list, size_t count)
{
    char path[64];
    const struct dirent *entry;
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *threads = opendir(path);
    while (threads && (entry = readdir(threads)))
        if (entry->d_name[0] != '.')
            count = add_children_of(pid, entry->d_name, list, count);
    if (threads)
        closedir(threads);
    return count;
}

int64_t sh_sandbox_memory(pid_t first, int64_t *cpu_us)
{
    int64_t own = 0, shared = 0;
    size_t count = 0;
    pid_t *list = malloc(PROCESSES_MAX * sizeof(*list));
    *cpu_us = 0;
    if (!list)
        return 0;
    count = add_children(first, list, count);
    for (size_t i = 0; i < count; i++) {
        measure(list[i], &own, &shared, cpu_us);
        count = add_children(list[i], list, count);
    }
    free(list);
    return own + shared;
}

void sh_sandbox_kill(const sh_sandbox *sandbox)
{
    sh_child_signal_group(&sandbox->child, SIGKILL);
}

void sh_sandbox_destroy(sh_sandbox *sandbox)
{
    if (sandbox->channel >= 0)
        close(sandbox->channel);
    sandbox->channel = -1;
    sh_child_destroy(&sandbox->child);
}
