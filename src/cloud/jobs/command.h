/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_JOBS_COMMAND_H
#define SH_JOBS_COMMAND_H
/* One command of a node, as a folder that outlives any process:
 *
 *   command.json  what to run; written by who starts it
 *   lock          flock()ed by the supervisor from before it starts until it ends, by whatever death
 *   running.json  the supervisor's pid and start; on disk before the script's first instruction
 *   _script.sh    the script
 *   stdout stderr what it wrote, at most output_max bytes each
 *   result.json   how it ended; on disk before the supervisor ends
 *
 * A supervisor (`spyhop agent-exec FOLDER`, a session of its own) runs the script, so that neither the end
 * nor the death of the server touches it. Whoever comes later learns the truth from the folder: a held lock
 * is a living supervisor (no pid can lie about that); without it, result.json says how it ended; without
 * that, running.json says that it began and was lost; and without that, it never began and may safely be
 * started. */
#include "base/buf.h"
#include "base/err.h"
#include "cloud/jobs/child.h"
#include <stdint.h>

#define SH_COMMAND_OUTPUT_MAX (16 << 20)
/* Between SIGTERM and SIGKILL, and for the output of what a script that has ended left running. */
#define SH_COMMAND_GRACE_MS 3000

typedef struct sh_command_spec {
    const char *script;  /* run by /bin/sh, or by the interpreter that its "#!" names */
    const char *folder;  /* working folder */
    int64_t timeout_s;   /* of the execution */
    size_t output_max;   /* of each stream; 0: SH_COMMAND_OUTPUT_MAX */
    int64_t grace_ms;    /* 0: SH_COMMAND_GRACE_MS */
    const char *program; /* absolute path of spyhop; not needed by the supervisor */
    const char *const *environment;
} sh_command_spec;

typedef enum sh_command_state {
    SH_COMMAND_NEVER,   /* was not begun */
    SH_COMMAND_RUNNING, /* its supervisor lives */
    SH_COMMAND_DONE,    /* sh_command_result tells how it ended */
    SH_COMMAND_LOST,    /* began, and its supervisor is gone without a result */
} sh_command_state;

typedef enum sh_command_end {
    SH_COMMAND_EXITED,    /* code is its exit status, or 128 + the signal that ended it */
    SH_COMMAND_TIMED_OUT, /* ended by us after timeout_s */
    SH_COMMAND_CANCELLED, /* ended by us on request */
    SH_COMMAND_UNABLE,    /* could not be started; message says why */
} sh_command_end;

typedef struct sh_command_result {
    sh_command_end end;
    int code;
    int64_t start_ms, end_ms;           /* wall clock */
    int64_t stdout_bytes, stderr_bytes; /* written by the script, kept or not */
    char message[512];                  /* what else is to be said, "" usually */
} sh_command_result;

/* Makes the folder's files and starts the supervisor. SH_E_CONFLICT when one lives there already. */
int sh_command_start(const char *folder, const sh_command_spec *spec, sh_child *supervisor, sh_err *err);
/* *pidfd (NULL: not wanted) becomes, for a running command, a descriptor that is readable when the supervisor
 * has ended and that SIGTERM may be sent through; -1 when it has not yet said its pid: ask again soon. */
int sh_command_look(const char *folder, sh_command_state *state, int *pidfd, sh_err *err);
int sh_command_read_result(const char *folder, sh_command_result *result, sh_err *err);
/* Asks a supervisor to end its command: all of it, grace included. */
int sh_command_cancel(int pidfd, sh_err *err);
/* Appends the first max_characters of "stdout" or "stderr" as valid UTF-8 (U+FFFD for what is not). A file
 * that is not there is empty. */
int sh_command_output(const char *folder, const char *stream, size_t max_characters, sh_buf *out,
                      sh_err *err);

/* The supervisor's whole life. Descriptor 3 is the lock. Returns an exit status. */
int sh_supervisor_main(const char *folder);
/* Kills every process whose environment has exactly the entry `marker` ("NAME=value"). Returns how many. */
int sh_strays_kill(const char *marker);
/* Kills every descendant of this process (which must be a subreaper) but `spare`. */
void sh_descendants_kill(pid_t spare);

/* When a process started, in clock ticks after the machine's start: with its pid, its identity. 0: there is
 * none. */
int64_t sh_process_start(pid_t pid);

/* Used between start and supervisor. */
int sh_command_write_result(int fd, const char *folder, const sh_command_result *result, sh_err *err);
int sh_command_write_running(const char *folder, sh_err *err);
#define SH_COMMAND_LOCK_FD 3

#endif
