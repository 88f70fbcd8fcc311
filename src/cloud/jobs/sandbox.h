/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_JOBS_SANDBOX_H
#define SH_JOBS_SANDBOX_H
/* Programs in a sandbox, for code that is not ours: src/sandbox says what is in one. The sandbox is made
 * while the caller does something else; its channel becomes readable when it is there, or could not be made.
 */
#include "base/arena.h"
#include "cloud/jobs/child.h"
#include <stdint.h>

enum { SH_SANDBOX_PORTS = 4 };

typedef struct sh_sandbox_spec {
    const char *helper;             /* absolute path of spyhop-sandbox */
    const char *root;               /* an empty folder; many sandboxes may have the same one */
    const char *const *binds;       /* FROM, TO, FROM, TO …; NULL-terminated; FROM is absolute */
    const char *folder;             /* working folder, in the sandbox */
    const char *const *command;     /* NULL-terminated; absolute path first, in the sandbox */
    const char *const *environment; /* of the program */
    int tmp_mb, processes, files;
    int data_mb;                 /* writable memory of one process; 0: no limit */
    long uid;                    /* of the program when the server is root */
    int ports[SH_SANDBOX_PORTS]; /* to listen on; ends with 0 or the last one */
    int output, telemetry;       /* descriptors that become 1 and 2, and 3; -1: /dev/null */
} sh_sandbox_spec;

typedef struct sh_sandbox {
    sh_child child; /* ends as the program does */
    int channel;
} sh_sandbox;

/* The thread that calls this has to live as long as the sandbox is to. */
int sh_sandbox_start(sh_sandbox *out, const sh_sandbox_spec *spec, sh_err *err);
/* When the channel is readable: 1 with the pid of the sandbox's first process and its listeners (the caller's
 * from now on), in the order of `ports`; 0: nothing came; negative: why there is no sandbox. */
int sh_sandbox_ready(sh_sandbox *sandbox, pid_t *first, int listeners[SH_SANDBOX_PORTS], sh_err *err);
/* What its processes hold: bytes of resident memory, and microseconds of processor time. */
int64_t sh_sandbox_memory(pid_t first, int64_t *cpu_us);
/* Ends all of it now. The child is still to be waited for. */
void sh_sandbox_kill(const sh_sandbox *sandbox);
/* Kills and reaps what is left. */
void sh_sandbox_destroy(sh_sandbox *sandbox);

#endif
