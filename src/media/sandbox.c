/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/sandbox.h"
#include "base/clock.h"
#include "base/log.h"
#include "media/confine.h"
#include "media/media.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static _Atomic int cancels;
static _Atomic int64_t first_cancel;

void sh_media_cancel(void)
{
    const int64_t now = sh_monotonic_us();
    int none = 0;
    if (atomic_compare_exchange_strong(&cancels, &none, 1))
        first_cancel = now;
    else if (first_cancel && now - first_cancel >= SH_MEDIA_ONE_STOP_MS * 1000)
        cancels = 2;
}

int sh_media_cancels(void)
{
    return cancels;
}

bool sh_media_cancelled(void)
{
    return cancels > 0;
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
    sh_message message = {.kind = SH_MSG_PATIENCE,
                          .number = {SH_SANDBOX_PATIENCE_MAX_MS, (int64_t)syscall(SYS_gettid)}};
    if (seconds * 1000 < SH_SANDBOX_PATIENCE_MAX_MS)
        message.number[0] = (int64_t)(seconds * 1000);
    sh_channel_send(channel, &message);
}

/* A page that parent and child share, NULL outside a child. The parent writes and never reads. */
typedef struct shared {
    _Atomic int stop;
} shared;

static shared *from_parent;
static bool confined;

bool sh_channel_stop_asked(int channel)
{
    return from_parent && from_parent->stop;
}

void sh_channel_limit_file(int channel, int64_t bytes)
{
    if (confined)
        sh_confine_file(bytes);
}

void sh_channel_limit_memory(int channel, int64_t more)
{
    if (confined)
        sh_confine_memory(more);
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

static int confine(const sh_sandbox_job *job, int channel, pid_t parent, sh_err *err)
{
    const sh_confinement want = {.keep = job->descriptors,
                                 .count = job->descriptor_count,
                                 .channel = channel,
                                 .parent = parent,
                                 .memory = job->memory,
                                 .file = job->file,
                                 .without = job->without};
    char means[200] = "";
    if (job->unconfined)
        return sh_confine_not(parent, err);
    confined = true;
    int status = sh_confine(&want, means, sizeof(means), err);
    if (status == 0)
        sh_channel_log(channel, SH_LOG_DEBUG, "%s", means);
    return status;
}

static _Noreturn void child(const sh_sandbox_job *job, int channel, pid_t parent, shared *page)
{
    sh_err err = {0};
    from_parent = page;
    int status = confine(job, channel, parent, &err);
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

#define THREADS 64 /* whose steps are waited for; those of more are waited for by the last of them */

typedef struct served {
    bool ended;  /* DONE or FAILED came, or the channel closed */
    bool done;   /* DONE came */
    bool failed; /* err is set */
    bool hangs, asked;
    int64_t waited_us;                    /* since there was progress */
    int64_t cpu_at;                       /* when its CPU limit was last moved */
    int64_t least_ms;                     /* patience of the job */
    int64_t last[SH_MESSAGE_NUMBERS];     /* of PROGRESS */
    int64_t thread[THREADS], ms[THREADS]; /* what they asked for */
    size_t threads;
} served;

static int64_t patience_ms(const served *state)
{
    int64_t longest = state->least_ms;
    for (size_t i = 0; i < state->threads; i++)
        longest = state->ms[i] > longest ? state->ms[i] : longest;
    return longest;
}

static void take_patience(served *state, int64_t ms, int64_t thread)
{
    size_t i = 0;
    while (i < state->threads && state->thread[i] != thread)
        i++;
    if (i == state->threads)
        i = i < THREADS ? state->threads++ : THREADS - 1;
    state->thread[i] = thread;
    state->ms[i] = ms < SH_SANDBOX_PATIENCE_MAX_MS ? ms : SH_SANDBOX_PATIENCE_MAX_MS;
    state->waited_us = 0;
}

/* Processor time that a child may use from now on until it makes progress: as much as all processors give in
 * that time, and half as much again. The kernel holds it to that even where this process is stopped. */
static void move_cpu_limit(const sh_sandbox_job *job, pid_t pid, served *state, bool at_once)
{
    const int64_t now = sh_monotonic_us();
    clockid_t clock;
    struct timespec used;
    if (job->unconfined || (!at_once && now - state->cpu_at < 1000000) ||
        clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        return;
    const rlim_t more = (rlim_t)(patience_ms(state) * sysconf(_SC_NPROCESSORS_ONLN) * 3 / 2000 + 1);
    const struct rlimit limit = {(rlim_t)used.tv_sec + more, RLIM_INFINITY};
    state->cpu_at = now;
    prlimit(pid, RLIMIT_CPU, &limit, NULL); /* where that is refused, the parent's own watch is left */
}

/* A child that says the same again and again gets nowhere. */
static void note_progress(served *state, const sh_message *message)
{
    if (message->kind == SH_MSG_LOG ||
        (message->kind == SH_MSG_PROGRESS && memcmp(state->last, message->number, sizeof(state->last)) == 0))
        return;
    if (message->kind == SH_MSG_PROGRESS)
        memcpy(state->last, message->number, sizeof(state->last));
    state->waited_us = 0;
}

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

static void serve_one(const sh_sandbox_job *job, int channel, pid_t pid, served *state, sh_err *err)
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
    note_progress(state, &message);
    if (message.kind == SH_MSG_PATIENCE)
        take_patience(state, message.number[0], message.number[1]);
    if (state->waited_us == 0)
        move_cpu_limit(job, pid, state, message.kind == SH_MSG_PATIENCE);
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
        break;
    default:
        if (job->message && job->message(job->receiver, &message, err) < 0)
            state->ended = state->failed = true;
    }
}

static int conclude(const sh_sandbox_job *job, const served *state, int wait_status, sh_err *err)
{
    if (sh_media_cancelled() && !(job->may_finish && (state->failed || state->done)))
        return sh_fail(err, SH_E_CANCELLED, "%s: interrupted", job->what);
    if (state->failed)
        return err ? err->status : SH_E_INTERNAL;
    if (state->done)
        return 0;
    if (state->hangs || (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGXCPU))
        return sh_fail(
            err, SH_E_FORMAT,
            "%s: the process that reads the file made no progress for %.0f s and was ended; the file "
            "may be damaged so that reading it never ends, or the storage does not answer",
            job->what, (double)patience_ms(state) / 1000);
    if (WIFSIGNALED(wait_status))
        return sh_fail(err, SH_E_FORMAT,
                       "%s: the process that reads the file died of signal %d (%s); the file may be damaged "
                       "on purpose, or memory is short",
                       job->what, WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
    return sh_fail(err, SH_E_INTERNAL, "%s: the process that reads the file ended with code %d and no report",
                   job->what, WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1);
}

static void say(const sh_sandbox_job *job, served *state, int level, const char *text, sh_err *err)
{
    sh_message message = {.kind = SH_MSG_LOG, .status = level};
    snprintf(message.text, sizeof(message.text), "%s", text);
    if (job->message && job->message(job->receiver, &message, err) < 0)
        state->ended = state->failed = true;
}

/* Time is counted in small steps that were waited through, so that the hours in which this process was
 * stopped (Ctrl-Z) count as one step. */
static void wait_for_message(const sh_sandbox_job *job, int channel, pid_t pid, served *state,
                             const sigset_t *open_mask, sh_err *err)
{
    const int64_t left = patience_ms(state) * 1000 - state->waited_us, step = left < 1000000 ? left : 1000000;
    const struct timespec time = {step / 1000000, step % 1000000 * 1000};
    struct pollfd item = {channel, POLLIN, 0};
    const int64_t before = sh_monotonic_us();
    int ready = step > 0 ? ppoll(&item, 1, &time, open_mask) : 0;
    const int64_t passed = sh_monotonic_us() - before;
    const int error = errno;
    state->waited_us += passed < step ? passed : step;
    if (ready > 0)
        serve_one(job, channel, pid, state, err);
    else if (ready < 0 && error != EINTR)
        state->ended = true;
    if (!state->ended && state->waited_us >= patience_ms(state) * 1000)
        state->ended = state->hangs = true;
}

static void ask_to_stop(const sh_sandbox_job *job, served *state, shared *page, sh_err *err)
{
    if (state->asked || !sh_media_cancelled())
        return;
    page->stop = 1;
    state->asked = true;
    say(job, state, SH_LOG_INFO, "stopping after the piece in hand; asked again, at once", err);
}

static int serve(const sh_sandbox_job *job, int channel, pid_t pid, const sigset_t *open_mask, shared *page,
                 sh_err *err)
{
    served state = {.least_ms = job->patience_ms > 0 ? job->patience_ms : SH_SANDBOX_PATIENCE_MS};
    int wait_status = 0;
    if (job->unconfined)
        say(job, &state, SH_LOG_WARNING,
            "--no-sandbox: the file is read WITHOUT CONFINEMENT; one that was made to do harm can do all "
            "that you "
            "can: read and change your files, use the network, start programs",
            err);
    move_cpu_limit(job, pid, &state, true);
    while (!state.ended && sh_media_cancels() <= (job->may_finish ? 1 : 0)) {
        if (job->may_finish)
            ask_to_stop(job, &state, page, err);
        if (!state.ended)
            wait_for_message(job, channel, pid, &state, open_mask, err);
    }
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

/* Both sides of the channel are open. Closes the parent's. */
static int fork_and_serve(const sh_sandbox_job *job, const int pair[2], shared *page, sh_err *err)
{
    sigset_t before, while_waiting;
    block_signals(&before, &while_waiting);
    fflush(NULL);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        child(job, pair[1], parent, page);
    }
    close(pair[1]);
    int status = pid < 0 ? sh_fail_errno(err, errno, "%s: new process", job->what)
                         : serve(job, pair[0], pid, &while_waiting, page, err);
    close(pair[0]);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return status;
}

int sh_sandbox_run(const sh_sandbox_job *job, sh_err *err)
{
    int pair[2];
    shared *page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return sh_fail_errno(err, errno, "%s: memory for the child process", job->what);
    int status = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0
                     ? sh_fail_errno(err, errno, "%s: channel to the child process", job->what)
                     : fork_and_serve(job, pair, page, err);
    munmap(page, sizeof(*page));
    return status;
}
