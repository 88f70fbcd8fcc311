/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_SANDBOX_H
#define SH_MEDIA_SANDBOX_H
/* A child process for code that reads files of unknown origin.
 *
 * The caller opens everything the work needs; the child keeps those descriptors and no others, and then gives
 * up, for good: network, new programs, new processes, opening, renaming and removing files, looking into
 * other processes, all capabilities. It may write core files no more, gains no rights by any program, has
 * bounds of memory, descriptors and file size, and dies with its parent. It has no environment variables.
 * What is left to code that a hostile file has taken over is to compute, to write to the descriptors it was
 * given, and to lie in its messages. confine.h tells by what means, and what happens where a kernel lacks
 * one.
 *
 * Parent and child speak through a socket pair that keeps message borders, one sh_message at a time. Where
 * the child needs files whose number is not known beforehand it asks (SH_MSG_OPEN) and the parent, which
 * knows the folder and makes up the names, sends a descriptor back.
 *
 * A child that loops or waits for ever in a damaged file is ended: its progress has to change now and then
 * (a PROGRESS message with other numbers than the one before, DATA, or OPEN; log lines are no progress), and
 * where one step may rightly take long it says so beforehand (sh_channel_patience). A limit of processor time
 * moves along, for when the parent is stopped. This is against faults; a child that was taken over can go on
 * for as long as it likes to lie, until it is cancelled.
 *
 * Cancellation: sh_media_cancel is safe in a signal handler. While a child runs, SIGINT, SIGTERM and SIGHUP
 * are blocked except when waiting, so none is missed. A child whose job says `may_finish` is first asked
 * (sh_channel_stop_asked) and killed at the second signal; any other is killed at the first. Signals that
 * come within SH_MEDIA_ONE_STOP_MS of the first are the same wish: timeout(1) and terminals send several. */
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SH_MSG_PROGRESS = 1, /* number[], meaning is the job's */
    SH_MSG_LOG,          /* status: SH_LOG_* level; text */
    SH_MSG_DATA,         /* number[], text: part of the result, meaning is the job's */
    SH_MSG_OPEN,         /* number[0]: which file; answered by a descriptor */
    SH_MSG_DONE,
    SH_MSG_FAILED,   /* status, text */
    SH_MSG_PATIENCE, /* number[0]: ms that may pass without progress; number[1]: thread that says so */
};

#define SH_SANDBOX_PATIENCE_MS (60 * 1000)            /* without progress */
#define SH_SANDBOX_PATIENCE_MAX_MS (24 * 3600 * 1000) /* that a child can ask for */

#define SH_MESSAGE_NUMBERS 8

typedef struct sh_message {
    int32_t kind;
    int32_t status;
    int64_t number[SH_MESSAGE_NUMBERS];
    char text[520]; /* NUL-terminated; the receiver makes sure */
} sh_message;

/* Runs in the child. Returns 0 or a negative SH_E_* with *err set. */
typedef int (*sh_sandbox_main)(void *opaque, int channel, sh_err *err);

typedef struct sh_sandbox_job {
    const char *what; /* "upscaling IN", for the message when the child dies */
    sh_sandbox_main main;
    void *opaque; /* for main: the child has a copy of all memory */
    const int *descriptors;
    size_t descriptor_count;
    /* In the parent, for PROGRESS, LOG and DATA. Non-zero stops the work with that status (err set by it). */
    int (*message)(void *receiver, const sh_message *message, sh_err *err);
    /* In the parent, for OPEN: an open descriptor, which is closed here once it was sent, or SH_E_*. NULL:
     * the job may open none. */
    int (*open)(void *receiver, int64_t number, sh_err *err);
    void *receiver;
    int patience_ms;  /* 0: SH_SANDBOX_PATIENCE_MS */
    bool may_finish;  /* the first signal asks it to stop, the second kills it */
    bool unconfined;  /* no bounds at all, which is said in a warning (LOG) each time. A child all the same */
    int64_t memory;   /* bytes it may allocate; 0: three quarters of the machine's memory */
    int64_t file;     /* bytes a file that it writes may have; 0: no bound */
    unsigned without; /* SH_CONFINE_* of confine.h: means to do without, for tests */
} sh_sandbox_job;

/* Starts the child, serves it and waits for its end. 0, or the child's own failure, or SH_E_CANCELLED (in the
 * child's own words where it was asked and answered so), or SH_E_FORMAT with the signal's name when it died,
 * or with the seconds when it made no progress for too long. A child that was asked to stop and ends well
 * gives 0. No child is left in any case. */
int sh_sandbox_run(const sh_sandbox_job *job, sh_err *err);

/* For the child. */
int sh_channel_send(int channel, const sh_message *message);
int sh_channel_open(int channel, int64_t number, sh_err *err); /* a descriptor, or SH_E_* */
/* The calling thread's next step may take this long, which holds until the same thread says another number; 0
 * takes it back. The largest of all threads counts, and never less than the job's patience. */
void sh_channel_patience(int channel, double seconds);
/* True from the first SIGINT, SIGTERM or SIGHUP on: finish what is nearly done, leave what can be resumed,
 * and return SH_E_CANCELLED with words on how to go on. Cheap: one load. False outside a child. */
bool sh_channel_stop_asked(int channel);
/* Narrower bounds once the child knows more; never wider ones. Files: bytes in all; memory: bytes more than
 * there are now. Without effect where unconfined, memory also under a sanitizer. */
void sh_channel_limit_file(int channel, int64_t bytes);
void sh_channel_limit_memory(int channel, int64_t more);
void sh_channel_log(int channel, int level, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
