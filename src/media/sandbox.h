/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_SANDBOX_H
#define SH_MEDIA_SANDBOX_H
/* A child process for code that reads files of unknown origin.
 *
 * The caller opens everything the work needs; the child keeps those descriptors and no others, and then gives
 * up, by seccomp and for good: network, new programs, new processes, opening, renaming and removing files,
 * looking into other processes. It may write core files no more, gains no rights by any program, and dies
 * with its parent. It has no environment variables. What is left to code that a hostile file has taken over
 * is to compute, to write to the descriptors it was given, and to lie in its messages.
 *
 * Parent and child speak through a socket pair that keeps message borders, one sh_message at a time. Where
 * the child needs files whose number is not known beforehand it asks (SH_MSG_OPEN) and the parent, which
 * knows the folder and makes up the names, sends a descriptor back.
 *
 * A child that loops or waits for ever in a damaged file is ended: it has to send something now and then,
 * and where one step may rightly take long it says so beforehand (SH_MSG_PATIENCE). This is against faults;
 * a child that was taken over can go on for as long as it likes to lie, until it is cancelled.
 *
 * Cancellation: sh_media_cancel is safe in a signal handler. While a child runs, SIGINT, SIGTERM and SIGHUP
 * are blocked except when waiting, so none is missed; the child is killed. */
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
    SH_MSG_PATIENCE, /* number[0]: ms that may pass without a message from now on, if it is more than now */
};

#define SH_SANDBOX_PATIENCE_MS (600 * 1000)           /* without any message from the child */
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
    int patience_ms; /* 0: SH_SANDBOX_PATIENCE_MS */
} sh_sandbox_job;

/* Starts the child, serves it and waits for its end. 0, or the child's own failure, or SH_E_CANCELLED, or
 * SH_E_FORMAT with the signal's name when it died, or the seconds when it sent nothing for too long. No child
 * is left in any case. */
int sh_sandbox_run(const sh_sandbox_job *job, sh_err *err);

/* For the child. */
int sh_channel_send(int channel, const sh_message *message);
int sh_channel_open(int channel, int64_t number, sh_err *err); /* a descriptor, or SH_E_* */
void sh_channel_patience(int channel, double seconds);         /* for the longest step to come */
void sh_channel_log(int channel, int level, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
