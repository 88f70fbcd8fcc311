/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ending processes that are in no group we know. Two ways to recognise them: descent (a subreaper inherits
 * every orphan below it, so that its tree is complete) and, when the subreaper itself is gone, an entry of
 * the environment that all of them were given. Each pid is pinned by a pidfd before it is judged. */
#include "base/buf.h"
#include "base/file.h"
#include "cloud/jobs/command.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 200 /* against a tree that forks while it is being felled */

static bool has_marker(pid_t pid, const char *marker)
{
    char path[64];
    sh_buf text;
    bool found = false;
    size_t wanted = strlen(marker);
    sh_buf_init(&text, 4 << 20);
    snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    if (sh_file_read(path, &text, NULL) == 0 && text.length > 0)
        for (const char *at = text.data, *end = at + text.length; at < end; at += strlen(at) + 1)
            found = found || (strncmp(at, marker, wanted) == 0 && at[wanted] == '\0');
    sh_buf_free(&text);
    return found;
}

static int kill_if_marked(pid_t pid, const char *marker)
{
    int pidfd = pidfd_open(pid, 0);
    if (pidfd < 0)
        return 0;
    int killed = has_marker(pid, marker) && pidfd_send_signal(pidfd, SIGKILL, NULL, 0) == 0;
    close(pidfd);
    return killed;
}

static int kill_marked_once(const char *marker)
{
    int killed = 0;
    DIR *proc = opendir("/proc");
    if (!proc)
        return 0;
    for (struct dirent *entry; (entry = readdir(proc));) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 1 && pid != getpid())
            killed += kill_if_marked(pid, marker);
    }
    closedir(proc);
    return killed;
}

int sh_strays_kill(const char *marker)
{
    int total = 0, killed = 1;
    for (int round = 0; killed > 0 && round < ROUNDS; round++) {
        killed = kill_marked_once(marker);
        total += killed;
    }
    return total;
}

typedef struct process {
    char state;
    int parent;
    unsigned long long start; /* clock ticks after the machine's start */
} process;

/* All zero when there is no such process. */
static process read_process(pid_t pid)
{
    char path[64];
    sh_buf text;
    process p = {0};
    sh_buf_init(&text, 4096);
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (sh_file_read(path, &text, NULL) == 0) {
        const char *after = strrchr(sh_buf_cstr(&text), ')'); /* the name may hold anything */
        if (!after ||
            sscanf(after + 1,
                   " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
                   &p.state, &p.parent, &p.start) != 3)
            p = (process){0};
    }
    sh_buf_free(&text);
    return p;
}

int64_t sh_process_start(pid_t pid)
{
    return (int64_t)read_process(pid).start;
}

/* True when `pid` descends from this process. */
static bool is_descendant(pid_t pid, char *state)
{
    pid_t self = getpid(), at = pid;
    for (int depth = 0; at > 1 && depth < 10000; depth++) {
        process p = read_process(at);
        if (depth == 0)
            *state = p.state;
        at = (pid_t)p.parent;
        if (at == self)
            return true;
    }
    return false;
}

/* Returns how many living descendants it met. */
static int kill_descendants_once(pid_t spare, pid_t other)
{
    int met = 0;
    DIR *proc = opendir("/proc");
    if (!proc)
        return 0;
    for (struct dirent *entry; (entry = readdir(proc));) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        char state = 'Z';
        if (pid <= 1 || pid == spare || pid == other || pid == getpid())
            continue;
        int pidfd = pidfd_open(pid, 0);
        if (pidfd < 0)
            continue;
        if (is_descendant(pid, &state) && state != 'Z') {
            pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
            met++;
        }
        close(pidfd);
        waitpid(pid, NULL, WNOHANG); /* an orphan that came to us; refused for all others */
    }
    closedir(proc);
    return met;
}

void sh_descendants_kill(pid_t spare, pid_t other)
{
    for (int round = 0; round < ROUNDS && kill_descendants_once(spare, other) > 0; round++)
        usleep(1000); /* lets the killed die and their orphans arrive */
}
