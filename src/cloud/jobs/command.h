/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_JOBS_COMMAND_H
#define SH_JOBS_COMMAND_H
/* One command of a node, as a folder that outlives any process:
 *
 *   command.json    what to run; written by who starts it
 *   lock            flock()ed by the supervisor from before it starts until it ends, by whatever death
 *   running.json    the supervisor's pid and start; on disk before the first script's first instruction
 *   _script.sh      the script of the present step
 *   0.stdout 0.stderr 1.stdout ...   what each step wrote, at most output_max bytes each
 *   result.json     how it ended; on disk before the supervisor ends
 *
 * A supervisor (`spyhop-agent exec FOLDER`, a session of its own) runs the scripts, so that neither the end
 * nor the death of the server touches them. Whoever comes later learns the truth from the folder: a held lock
 * is a living supervisor (no pid can lie about that); without it, result.json says how it ended; without
 * that, running.json says that it began and was lost; and without that, it never began and may safely be
 * started. */
#include "base/buf.h"
#include "base/err.h"
#include "cloud/jobs/child.h"
#include <jansson.h>
#include <stdint.h>

#define SH_COMMAND_OUTPUT_MAX (16 << 20)
/* Between SIGTERM and SIGKILL, and for the output of what a script that has ended left running. */
#define SH_COMMAND_GRACE_MS 3000

/* command.json, what the supervisor reads of it; the rest is for who wrote it:
 *
 *   steps        [{"name", "script", "folder", "timeout_s", "on_failure": "continue" | "exit" | "success",
 *                "on_success": "continue" | "exit", "skip"}], run one after the other. A script is run by
 *                /bin/sh, or by the interpreter that its "#!" names. skip not empty: why it is not run
 *   environment  {"NAME": "value"}, added to that of the supervisor
 *   output_max   bytes of each stream; 0 or none: SH_COMMAND_OUTPUT_MAX
 *   grace_ms     0 or none: SH_COMMAND_GRACE_MS
 *   user         name of who runs the scripts; "" or none: who runs the supervisor
 *   identity     path of the node's identity.json (agent): there is a relay to the server (relay.h), whose
 *                address the scripts find in AWS_ENDPOINT_URL; none: there is not
 *   network      "open", else the scripts have a network that leads to the relay alone (netns.h)
 *   token        AWS_CONTAINER_AUTHORIZATION_TOKEN
 *
 * result.json: {"end", "code", "start_ms", "end_ms", "message", "steps": [{"name", "end", "code", "start_ms",
 * "end_ms", "stdout_bytes", "stderr_bytes", "message"}]}; bytes are those written, kept or not. */

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
    SH_COMMAND_SKIPPED,   /* a step that was not run; message says why */
} sh_command_end;
extern const char *const sh_command_ends[]; /* "exited", "timed_out", ... as in result.json */

/* Makes the folder's files and starts the supervisor, "PROGRAM exec FOLDER". program: absolute path.
 * SH_E_CONFLICT when one lives there already. */
int sh_command_start(const char *folder, const json_t *command, const char *program,
                     const char *const *environment, sh_child *supervisor, sh_err *err);
/* *pidfd (NULL: not wanted) becomes, for a running command, a descriptor that is readable when the supervisor
 * has ended and that SIGTERM may be sent through; -1 when it has not yet said its pid: ask again soon. */
int sh_command_look(const char *folder, sh_command_state *state, int *pidfd, sh_err *err);
/* "command.json", "result.json": an object, new reference. */
int sh_command_read(const char *folder, const char *name, json_t **out, sh_err *err);
/* Asks a supervisor to end its command: all of it, grace included. */
int sh_command_cancel(int pidfd, sh_err *err);
/* Appends the first max_characters of a stream ("0.stdout") as valid UTF-8 (U+FFFD for what is not). A file
 * that is not there is empty. */
int sh_command_output(const char *folder, const char *stream, size_t max_characters, sh_buf *out,
                      sh_err *err);

/* The supervisor's whole life. Descriptor 3 is the lock. Returns an exit status. */
int sh_supervisor_main(const char *folder);
/* Kills every process whose environment has exactly the entry `marker` ("NAME=value"). Returns how many. */
int sh_strays_kill(const char *marker);
/* Kills every descendant of this process (which must be a subreaper) but those two. */
void sh_descendants_kill(pid_t spare, pid_t other);

/* When a process started, in clock ticks after the machine's start: with its pid, its identity. 0: there is
 * none. */
int64_t sh_process_start(pid_t pid);

/* Used between start and supervisor. */
/* Takes the reference. */
int sh_command_write_result(int fd, const char *folder, json_t *result, sh_err *err);
int sh_command_write_running(const char *folder, sh_err *err);
#define SH_COMMAND_LOCK_FD 3

#endif
