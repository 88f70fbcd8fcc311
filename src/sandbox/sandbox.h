/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_SANDBOX_H
#define SH_SANDBOX_H
/* spyhop-sandbox: a small program that makes a sandbox, runs one program in it, and ends as that one ends.
 *
 *   spyhop-sandbox OPTIONS -- PROGRAM ARGUMENTS…
 *     --root FOLDER        an empty folder, over which the sandbox's file system is mounted (in its own
 * namespace)
 *     --bind FROM TO       shows FROM, read-only, as TO; may be repeated
 *     --tmp MEBIBYTES      size of /tmp
 *     --port NUMBER        a socket that listens on 127.0.0.1 in the sandbox; may be repeated
 *     --uid NUMBER         user and group that the program runs as, for who starts this as root
 *     --processes NUMBER   processes and threads at once
 *     --files NUMBER       open files at once
 *     --data MEBIBYTES     writable memory of one process
 *     --folder FOLDER      working folder, in the sandbox
 *
 * It has four processes in a row: who started it; this one, which waits outside; the first of the sandbox's
 * process namespace, which reaps; the program. Each dies with the one before it, and with the third one dies
 * all that was ever started below it, whatever it did to get away.
 *
 * Descriptors 0 to 3 are the program's; 4 is a socket (SOCK_SEQPACKET) on which this one says "ready PID",
 * PID being the third process as seen from outside, together with the listening sockets in the order of
 * --port, or "failed WORDS". The environment is the program's. */
#include <stdbool.h>
#include <stddef.h>

enum { SANDBOX_BINDS = 64, SANDBOX_PORTS = 4, SANDBOX_CHANNEL = 4, SANDBOX_FAILED = 125 };

typedef struct sandbox_bind {
    const char *from, *to;
} sandbox_bind;

typedef struct sandbox {
    const char *root, *folder;
    sandbox_bind binds[SANDBOX_BINDS];
    size_t bind_count;
    int ports[SANDBOX_PORTS];
    int listeners[SANDBOX_PORTS];
    size_t port_count;
    long tmp, uid, processes, files, data; /* uid -1: stays; data 0: no limit */
    char *const *command;
} sandbox;

/* Each returns, or says on the channel why not and ends the process. */
_Noreturn void sandbox_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void sandbox_separate(const sandbox *s); /* namespaces, all but that of processes for the caller itself */
void sandbox_listen(sandbox *s);
void sandbox_mount(const sandbox *s);   /* in the process namespace */
void sandbox_confine(const sandbox *s); /* user, capabilities, limits, system calls */

#endif
