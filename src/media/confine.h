/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_CONFINE_H
#define SH_MEDIA_CONFINE_H
/* How a child process gives up what it must not have. In this order:
 *
 *   capabilities  all dropped, so that root's child can no more than anybody's
 *   limits        no core files, 64 descriptors, bytes of memory (RLIMIT_DATA: private memory that can be
 *                 written; not RLIMIT_AS, which reservations of address space would trip) and of files
 *   Landlock      no file by name, no TCP, no signals to others: what the kernel's version of it knows (2 in
 *                 Linux 6.1). It holds even for a call that the list below forgot.
 *   seccomp       a list of calls refused by name
 *   namespaces    only where the kernel has no seccomp: an empty folder as root, no network, own processes
 *
 * Landlock may be missing where seccomp is there: seccomp refuses every call that names a file. Where both
 * seccomp and namespaces are refused the work is not begun. The limit of processor time is the parent's
 * (sandbox.c): it moves on with the work's progress, which a long film makes and a loop in a damaged file
 * does not. */
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    SH_CONFINE_SECCOMP = 1,
    SH_CONFINE_LANDLOCK = 2,
    SH_CONFINE_LANDLOCK_NEW = 4,
    SH_CONFINE_NAMESPACES = 8
};

typedef struct sh_confinement {
    const int *keep; /* descriptors */
    size_t count;
    int channel;
    pid_t parent;         /* dies at once if that is no longer its parent */
    int64_t memory, file; /* bytes; 0: see sandbox.h */
    unsigned without; /* SH_CONFINE_*: taken as if the kernel had none; LANDLOCK_NEW: what came after 6.1 */
} sh_confinement;

/* Makes the calling process the confined child that sandbox.h describes: overwrites its environment, closes
 * every descriptor but stderr, the channel and those in `keep`, and gives up rights for good. `means` (of
 * `size` bytes) tells in words what was found. */
int sh_confine(const sh_confinement *want, char *means, size_t size, sh_err *err);

/* Only that it dies with its parent. */
int sh_confine_not(pid_t parent, sh_err *err);

/* Bytes more of private memory than there are now; bytes of a file. Never wider than before. */
void sh_confine_memory(int64_t more);
void sh_confine_file(int64_t bytes);

#endif
