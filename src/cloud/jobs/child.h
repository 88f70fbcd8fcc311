/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_JOBS_CHILD_H
#define SH_JOBS_CHILD_H
/* Child processes. A child inherits exactly what its sh_child_spec says: the argument and environment lists,
 * the descriptors of `fds` (numbered from 0), the working folder. Everything else is closed, signals are at
 * their defaults and none is blocked, the soft limit of open files is at most 1,024, and it leads a process
 * group or session of its own, so that the whole of it can be killed. No shell is involved.
 *
 * A child is watched through its pidfd: it becomes readable when the child has ended, so that one poll loop
 * looks after any number of them. */
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct sh_child {
    pid_t pid; /* also its process group; 0: none */
    int pidfd; /* close-on-exec; -1: none */
} sh_child;

#define SH_CHILD_NONE ((sh_child){0, -1})
#define SH_CHILD_MAX_FDS 16

typedef struct sh_child_user {
    uid_t uid;
    gid_t gid;
    const gid_t *groups;
    size_t group_count;
} sh_child_user;

typedef struct sh_child_spec {
    const char *program;            /* absolute path */
    const char *const *argv;        /* NULL-terminated */
    const char *const *environment; /* NULL-terminated "NAME=value"; NULL: empty */
    const char *folder;             /* working folder; NULL: "/" */
    const int *fds; /* fds[i] becomes descriptor i; -1 is /dev/null. Fewer than three: the rest of 0..2 are
                       /dev/null too. Borrowed, never closed here */
    size_t fd_count;
    bool session;     /* a session of its own (setsid), else a process group of its own */
    int death_signal; /* sent to the child when the thread that spawned it ends; 0: none. The thread must
                         therefore live as long as the child is to */
    mode_t mask;      /* umask; 0 means 077 */
    const struct sh_child_user *user; /* who it runs as; NULL: as we do. Needs root */
} sh_child_spec;

/* Starts a child. Fails, with the reason, when the program cannot be run: 0 means that execve succeeded. */
int sh_child_spawn(sh_child *out, const sh_child_spec *spec, sh_err *err);
/* Waits up to timeout_ms (-1: for ever) for a child of this process. Returns 1 with *status as waitpid gives
 * it, and the child is reaped and closed; 0 when it still runs; negative on error. */
int sh_child_wait(sh_child *child, int timeout_ms, int *status, sh_err *err);
/* Sends `number` to the whole process group. A group that is gone is fine. */
void sh_child_signal_group(const sh_child *child, int number);
/* Kills the group with SIGKILL and reaps the child. For clean-up; SH_CHILD_NONE is fine. */
void sh_child_destroy(sh_child *child);
/* "exit status 3", "signal 9 (Killed)": for messages. */
void sh_child_describe(int status, char *text, size_t size);

#endif
