/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/sandbox.h"
#include "base/log.h"
#include "media/confine.h"
#include "media/media.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t cancelled;

void sh_media_cancel(void)
{
    cancelled = 1;
}

bool sh_media_cancelled(void)
{
    return cancelled != 0;
}

static void on_signal(int number)
{
    sh_media_cancel();
}

static const int stop_signals[] = {SIGINT, SIGTERM, SIGHUP};

void sh_media_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal}, before;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(stop_signals) / sizeof(stop_signals[0]); i++)
        if (sigaction(stop_signals[i], NULL, &before) == 0 &&
            before.sa_handler != SIG_IGN) /* nohup's stays */
            sigaction(stop_signals[i], &action, NULL);
}

/* ---- the child's side of the channel ---- */

int sh_channel_send(int channel, const sh_message *message)
{
    ssize_t sent;
    do
        sent = write(channel, message, sizeof(*message));
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)sizeof(*message) ? 0 : SH_E_IO;
}

void sh_channel_log(int channel, int level, const char *format, ...)
{
    sh_message message = {.kind = SH_MSG_LOG, .status = level};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message.text, sizeof(message.text), format, arguments);
    va_end(arguments);
    sh_channel_send(channel, &message);
}

void sh_channel_patience(int channel, double seconds)
{
    sh_message message = {.kind = SH_MSG_PATIENCE, .number = {SH_SANDBOX_PATIENCE_MAX_MS}};
    if (seconds * 1000 < SH_SANDBOX_PATIENCE_MAX_MS)
        message.number[0] = (int64_t)(seconds * 1000);
    sh_channel_send(channel, &message);
}

/* Receives one message and at most one descriptor (-1: none). 1, 0 at the end, -1 on failure. */
static int receive(int channel, sh_message *message, int *descriptor)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {message, sizeof(*message)};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control)};
    ssize_t length;
    *descriptor = -1;
    do
        length = recvmsg(channel, &header, MSG_CMSG_CLOEXEC);
    while (length < 0 && errno == EINTR);
    if (length <= 0)
        return length == 0 || errno == ECONNRESET ? 0 : -1;
    struct cmsghdr *extra = CMSG_FIRSTHDR(&header);
    if (extra && extra->cmsg_level == SOL_SOCKET && extra->cmsg_type == SCM_RIGHTS &&
        extra->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(descriptor, CMSG_DATA(extra), sizeof(int));
    message->text[sizeof(message->text) - 1] = '\0';
    return length == (ssize_t)sizeof(*message) ? 1 : -1;
}

int sh_channel_open(int channel, int64_t number, sh_err *err)
{
    sh_message message = {.kind = SH_MSG_OPEN, .number = {number}};
    int descriptor;
    if (sh_channel_send(channel, &message) < 0 || receive(channel, &message, &descriptor) != 1)
        return sh_fail(err, SH_E_INTERNAL, "the parent process does not answer");
    if (descriptor < 0)
        return sh_fail(err, message.status ? message.status : SH_E_INTERNAL, "%s", message.text);
    return descriptor;
}

/* ---- the child ---- */

static _Noreturn void child(const sh_sandbox_job *job, int channel, pid_t parent)
{
    sh_err err = {0};
    int status = sh_confine(job->descriptors, job->descriptor_count, channel, parent, &err);
    sh_message last = {.kind = SH_MSG_DONE};
    if (status == 0)
        status = job->main(job->opaque, channel, &err);
    if (status < 0) {
        last.kind = SH_MSG_FAILED;
        last.status = status;
        snprintf(last.text, sizeof(last.text), "%s", err.message);
    }
    sh_channel_send(channel, &last);
    _exit(status < 0 ? 1 : 0);
}

/* ---- the parent ---- */

typedef struct served {
    bool ended;  /* DONE or FAILED came, or the channel closed */
    bool done;   /* DONE came */
    bool failed; /* err is set */
    bool hangs;
    int64_t patience_ms, waited_ms;
} served;

static void answer_open(const sh_sandbox_job *job, int channel, int64_t number)
{
    sh_err err = {0};
    sh_message message = {.kind = SH_MSG_OPEN};
    int descriptor = job->open ? job->open(job->receiver, number, &err)
                               : sh_fail(&err, SH_E_INTERNAL, "this work opens no files");
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {&message, sizeof(message)};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (descriptor < 0) {
        message.status = descriptor;
        snprintf(message.text, sizeof(message.text), "%s", err.message);
    } else {
        header.msg_control = control.bytes;
        header.msg_controllen = sizeof(control);
        struct cmsghdr *extra = CMSG_FIRSTHDR(&header);
        extra->cmsg_level = SOL_SOCKET;
        extra->cmsg_type = SCM_RIGHTS;
        extra->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(extra), &descriptor, sizeof(int));
    }
    /* A child that is gone shows at the next receive. */
    if (sendmsg(channel, &header, MSG_NOSIGNAL) < 0)
        sh_log(SH_LOG_DEBUG, "media", "answer to the child: %s", strerror(errno));
    if (descriptor >= 0)
        close(descriptor);
}

static void serve_one(const sh_sandbox_job *job, int channel, served *state, sh_err *err)
{
    sh_message message;
    int descriptor;
    int got = receive(channel, &message, &descriptor);
    if (descriptor >= 0)
        close(descriptor); /* the child has nothing to give */
    if (got <= 0) {
        state->ended = true;
        return;
    }
    switch (message.kind) {
    case SH_MSG_OPEN:
        answer_open(job, channel, message.number[0]);
        break;
    case SH_MSG_DONE:
        state->ended = state->done = true;
        break;
    case SH_MSG_FAILED:
        state->ended = state->failed = true;
        sh_fail(err, message.status < 0 ? message.status : SH_E_INTERNAL, "%s", message.text);
        break;
    case SH_MSG_PATIENCE:
        if (message.number[0] > state->patience_ms)
            state->patience_ms = message.number[0] < SH_SANDBOX_PATIENCE_MAX_MS ? message.number[0]
                                                                                : SH_SANDBOX_PATIENCE_MAX_MS;
        break;
    default:
        if (job->message && job->message(job->receiver, &message, err) < 0)
            state->ended = state->failed = true;
    }
}

static int conclude(const sh_sandbox_job *job, const served *state, int wait_status, sh_err *err)
{
    if (sh_media_cancelled())
        return sh_fail(err, SH_E_CANCELLED, "%s: interrupted", job->what);
    if (state->failed)
        return err ? err->status : SH_E_INTERNAL;
    if (state->done)
        return 0;
    if (state->hangs)
        return sh_fail(
            err, SH_E_FORMAT,
            "%s: the process that reads the file made no progress for %.0f s and was ended; the file "
            "may be damaged so that reading it never ends, or the storage does not answer",
            job->what, (double)state->patience_ms / 1000);
    if (WIFSIGNALED(wait_status))
        return sh_fail(err, SH_E_FORMAT,
                       "%s: the process that reads the file died of signal %d (%s); the file may be damaged "
                       "on purpose, or memory is short",
                       job->what, WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
    return sh_fail(err, SH_E_INTERNAL, "%s: the process that reads the file ended with code %d and no report",
                   job->what, WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1);
}

/* Time is counted in small steps that were waited through, so that the hours in which this process was
 * stopped (Ctrl-Z) count as one step. */
static void wait_for_message(const sh_sandbox_job *job, int channel, served *state, const sigset_t *open_mask,
                             sh_err *err)
{
    const int64_t left = state->patience_ms - state->waited_ms, step = left < 1000 ? left : 1000;
    const struct timespec time = {step / 1000, step % 1000 * 1000000};
    struct pollfd item = {channel, POLLIN, 0};
    int ready = ppoll(&item, 1, &time, open_mask);
    if (ready > 0) {
        state->waited_ms = 0;
        serve_one(job, channel, state, err);
    } else if (ready == 0) {
        state->waited_ms += step;
        state->hangs = state->waited_ms >= state->patience_ms;
        state->ended = state->hangs;
    } else if (errno != EINTR) {
        state->ended = true;
    }
}

static int serve(const sh_sandbox_job *job, int channel, pid_t pid, const sigset_t *open_mask, sh_err *err)
{
    served state = {.patience_ms = job->patience_ms > 0 ? job->patience_ms : SH_SANDBOX_PATIENCE_MS};
    int wait_status = 0;
    while (!state.ended && !sh_media_cancelled())
        wait_for_message(job, channel, &state, open_mask, err);
    /* Its own death by a signal came first, if there was one. After DONE there is nothing left that it should
     * do, and one that was taken over must not be waited for. */
    kill(pid, SIGKILL);
    while (waitpid(pid, &wait_status, 0) < 0 && errno == EINTR)
        ;
    return conclude(job, &state, wait_status, err);
}

static void block_signals(sigset_t *before, sigset_t *while_waiting)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(stop_signals) / sizeof(stop_signals[0]); i++)
        sigaddset(&set, stop_signals[i]);
    sigprocmask(SIG_BLOCK, &set, before);
    *while_waiting = *before;
    for (size_t i = 0; i < sizeof(stop_signals) / sizeof(stop_signals[0]); i++)
        sigdelset(while_waiting, stop_signals[i]);
}

int sh_sandbox_run(const sh_sandbox_job *job, sh_err *err)
{
    int pair[2];
    sigset_t before, while_waiting;
    int status;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return sh_fail_errno(err, errno, "%s: channel to the child process", job->what);
    block_signals(&before, &while_waiting);
    fflush(NULL);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        child(job, pair[1], parent);
    }
    close(pair[1]);
    status = pid < 0 ? sh_fail_errno(err, errno, "%s: new process", job->what)
                     : serve(job, pair[0], pid, &while_waiting, err);
    close(pair[0]);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return status;
}
