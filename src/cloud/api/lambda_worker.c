/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The runner: one thread that waits, by epoll, for everything that workers do outside the Runtime API: their
 * sandbox is there, they connect, they write, they end; and for the moments at which they are due. It alone
 * starts, kills and frees workers. */
#include "base/clock.h"
#include "base/log.h"
#include "cloud/api/lambda_work.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EVENTS = 64, READ_MOST = 1 << 20, KINDS = 8, IDLE_LOOK_MS = 2000, WEIGHED_MAX = 1024 };
enum { BELL, CHANNEL, OUTPUT, TELEMETRY, CHILD, RUNTIME, ENDPOINT };

static void watch(sh_lambda *l, const sh_lambda_worker *worker, int kind, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = worker->number * KINDS + (uint64_t)kind};
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        sh_log(SH_LOG_ERROR, "lambda", "a worker of %s cannot be watched: %s", worker->code.name,
               strerror(errno));
}

static void stop_watching(sh_lambda *l, int *fd)
{
    if (*fd < 0)
        return;
    epoll_ctl(l->epoll, EPOLL_CTL_DEL, *fd, NULL);
    close(*fd);
    *fd = -1;
}

static void kill_worker(sh_lambda_worker *worker, sh_lambda_why why)
{
    if (worker->state == SH_WORKER_ENDING)
        return;
    worker->state = SH_WORKER_ENDING;
    worker->why = why;
    sh_sandbox_kill(&worker->sandbox);
}

/* ---- the end of a worker ---- */

/* The job begins again with another worker: it never reached this one's runtime. */
static void pass_on(sh_lambda *l, sh_lambda_worker *worker)
{
    sh_err err = {0};
    sh_lambda_job *job = worker->job;
    sh_lambda_invocation again = {.code = worker->code,
                                  .request_id = job->request_id,
                                  .invoked_arn = job->invoked_arn,
                                  .payload = job->payload,
                                  .length = job->length,
                                  .client_context = job->client_context,
                                  .trace_id = job->trace_id,
                                  .tail = job->tail,
                                  .done = job->done,
                                  .opaque = job->opaque};
    worker->job = NULL;
    worker->retired = true;
    again.code.reserved = job->reserved ? worker->code.reserved : -1;
    if (!job->reserved)
        l->running--;
    pthread_mutex_unlock(&l->mutex);
    if (sh_lambda_submit(l->cloud, &again, &err) < 0) {
        const sh_lambda_result result = {.code = "ServiceException",
                                         .http_status = 500,
                                         .message = err.message,
                                         .payload = "",
                                         .log_tail = "",
                                         .init_us = -1};
        job->done(job->opaque, &result);
    }
    sh_lambda_job_free(job);
    pthread_mutex_lock(&l->mutex);
}

static const char *signal_words(int number)
{
    switch (number) {
    case SIGKILL:
        return "killed";
    case SIGSEGV:
        return "segmentation fault";
    case SIGABRT:
        return "aborted";
    case SIGTERM:
        return "terminated";
    case SIGTRAP:
        return "trace/breakpoint trap";
    default:
        return strsignal(number);
    }
}

static void fail_by_status(sh_lambda *l, sh_lambda_worker *worker, int status)
{
    if (worker->why == SH_WHY_TIME)
        sh_lambda_fail(l, worker, "Sandbox.Timedout", "Task timed out after %.2f seconds",
                       (double)worker->code.timeout_s);
    else if (worker->why == SH_WHY_MEMORY)
        sh_lambda_fail(l, worker, "Runtime.ExitError", "Runtime exited with error: signal: killed");
    else if (WIFSIGNALED(status))
        sh_lambda_fail(l, worker, "Runtime.ExitError", "Runtime exited with error: signal: %s",
                       signal_words(WTERMSIG(status)));
    else if (WEXITSTATUS(status))
        sh_lambda_fail(l, worker, "Runtime.ExitError", "Runtime exited with error: exit status %d",
                       WEXITSTATUS(status));
    else
        sh_lambda_fail(l, worker, "Runtime.ExitError", "Runtime exited without providing a reason");
}

static void end_job(sh_lambda *l, sh_lambda_worker *worker, int status)
{
    if (!worker->job)
        return;
    if (worker->failure && strncmp(worker->failure, "no sandbox: cannot start ", 25) == 0)
        sh_lambda_fail(l, worker, "Runtime.InvalidEntrypoint", "%s",
                       strstr(worker->failure, "No such file")
                           ? "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
                           : worker->failure + 12);
    else if (worker->failure || l->stopping) {
        if (!worker->failure) {
            worker->failure = "the server stops";
            worker->failure_code = "ServiceException";
            worker->failure_status = 503;
        }
        sh_lambda_refuse(l, worker);
    } else if (worker->initialised && !worker->delivered)
        pass_on(l, worker);
    else
        fail_by_status(l, worker, status);
}

static void unlink_worker(sh_lambda *l, const sh_lambda_worker *worker)
{
    sh_lambda_worker **link = &l->workers;
    while (*link != worker)
        link = &(*link)->next;
    *link = worker->next;
}

/* Its process has been reaped, or it never had one. */
static void bury(sh_lambda *l, sh_lambda_worker *worker, int status)
{
    worker->state = SH_WORKER_ENDING;
    end_job(l, worker, status);
    if (worker->waiting)
        sh_http_release(worker->waiting); /* finds no worker, and the connection goes */
    sh_lambda_log_read(l, worker, true, READ_MOST);
    sh_lambda_log_read(l, worker, false, READ_MOST);
    sh_lambda_log_flush(l, worker);
    unlink_worker(l, worker);
    stop_watching(l, &worker->output);
    stop_watching(l, &worker->telemetry);
    stop_watching(l, &worker->listeners[0]);
    stop_watching(l, &worker->listeners[1]);
    stop_watching(l, &worker->sandbox.channel);
    sh_lambda_worker_free(worker);
    sh_cloud_wake(l->cloud, SH_WAKE_FUNCTIONS);
}

static void reap(sh_lambda *l, sh_lambda_worker *worker, int timeout_ms)
{
    int status = 0;
    int fd = worker->sandbox.child.pidfd;
    if (sh_child_wait(&worker->sandbox.child, timeout_ms, &status, NULL) != 1)
        return;
    (void)fd; /* closed, and so it is watched no more */
    bury(l, worker, status);
}

/* ---- what workers do ---- */

static void take_sandbox(sh_lambda *l, sh_lambda_worker *worker)
{
    sh_err err = {0};
    int listeners[SH_SANDBOX_PORTS];
    int status = sh_sandbox_ready(&worker->sandbox, &worker->first, listeners, &err);
    if (status == 0)
        return;
    if (status < 0) {
        if (worker->first == 0 || strncmp(err.message, "no sandbox: ", 12) == 0) {
            worker->failure = sh_arena_strdup(worker->arena, err.message);
            worker->failure_code = "ServiceException";
            worker->failure_status = 500;
            if (!strstr(err.message, "cannot start ")) /* that is the function's own fault */
                sh_log(SH_LOG_ERROR, "lambda", "a worker of %s: %s", worker->code.name, err.message);
        }
        stop_watching(l, &worker->sandbox.channel); /* its end follows */
        return;
    }
    for (int i = 0; i < 2; i++) {
        worker->listeners[i] = listeners[i];
        watch(l, worker, RUNTIME + i, listeners[i]);
    }
}

static void accept_all(sh_lambda *l, sh_lambda_worker *worker, bool endpoint)
{
    for (;;) {
        int fd = accept4(worker->listeners[endpoint], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        if (!endpoint)
            sh_http_adopt(l->runtime, fd, worker->number);
        else if (l->endpoint)
            sh_http_adopt(l->endpoint, fd, 0);
        else
            close(fd);
    }
}

static void handle(sh_lambda *l, uint64_t what)
{
    eventfd_t rung;
    sh_lambda_worker *worker = sh_lambda_find(l, what / KINDS);
    int kind = (int)(what % KINDS);
    if (kind == BELL)
        eventfd_read(l->bell, &rung);
    else if (!worker)
        return;
    else if (kind == CHANNEL)
        take_sandbox(l, worker);
    else if (kind == RUNTIME || kind == ENDPOINT)
        accept_all(l, worker, kind == ENDPOINT);
    else if (kind == CHILD)
        reap(l, worker, 0);
    else if (!sh_lambda_log_read(l, worker, kind == TELEMETRY, READ_MOST))
        stop_watching(l, kind == TELEMETRY ? &worker->telemetry : &worker->output);
}

/* ---- what is due ---- */

static void start(sh_lambda *l, sh_lambda_worker *worker)
{
    worker->state = SH_WORKER_STARTING;
    pthread_mutex_unlock(&l->mutex);
    int status = sh_lambda_start(l, worker);
    pthread_mutex_lock(&l->mutex);
    if (status < 0) {
        bury(l, worker, 0);
        return;
    }
    worker->started = true;
    watch(l, worker, CHANNEL, worker->sandbox.channel);
    watch(l, worker, OUTPUT, worker->output);
    watch(l, worker, TELEMETRY, worker->telemetry);
    watch(l, worker, CHILD, worker->sandbox.child.pidfd);
}

static void look_at_idle(sh_lambda *l, sh_lambda_worker *worker, int64_t now_us)
{
    int64_t keys_ms = sh_now_ms(l->cloud->clock) + SH_LAMBDA_KEYS_REST_S * 1000;
    if (worker->job) { /* given to one that had just answered */
        if (!worker->delivered && !worker->waiting && now_us - worker->given_us > SH_LAMBDA_STEAL_MS * 1000)
            pass_on(l, worker);
    } else if (worker->retired || now_us - worker->idle_us > SH_LAMBDA_IDLE_MS * 1000ll ||
               worker->keys_ms < keys_ms) {
        kill_worker(worker, SH_WHY_RETIRED);
    }
}

static bool is_late(const sh_lambda_worker *worker, int64_t now_us)
{
    bool starting = worker->state == SH_WORKER_STARTING;
    return (starting || worker->state == SH_WORKER_BUSY) && now_us > worker->deadline_us;
}

static void look(sh_lambda *l, sh_lambda_worker *worker, int64_t now_us)
{
    if (worker->state == SH_WORKER_WANTED)
        start(l, worker);
    else if (is_late(worker, now_us))
        kill_worker(worker, SH_WHY_TIME);
    else if (worker->state == SH_WORKER_IDLE)
        look_at_idle(l, worker, now_us);
}

static void sooner(int64_t *wait_us, int64_t us)
{
    if (us < *wait_us)
        *wait_us = us > 0 ? us : 0;
}

/* Looks at all workers; returns after how many milliseconds to look again, -1: when something happens. */
static int look_at_all(sh_lambda *l)
{
    int64_t now_us = sh_monotonic_us(), wait_us = INT64_MAX;
    for (sh_lambda_worker *worker = l->workers, *next; worker; worker = next) {
        next = worker->next;
        look(l, worker, now_us);
    }
    for (const sh_lambda_worker *worker = l->workers; worker; worker = worker->next) {
        if (worker->state == SH_WORKER_BUSY || worker->state == SH_WORKER_STARTING) {
            sooner(&wait_us, worker->deadline_us - now_us);
            sooner(&wait_us, SH_LAMBDA_WATCH_MS * 1000);
        } else if (worker->state == SH_WORKER_IDLE) {
            sooner(&wait_us, worker->job ? SH_LAMBDA_STEAL_MS * 1000 : IDLE_LOOK_MS * 1000);
        } else if (worker->state == SH_WORKER_WANTED) {
            wait_us = 0;
        }
    }
    return wait_us == INT64_MAX ? -1 : (int)((wait_us + 999) / 1000);
}

/* An idle worker sleeps; what a function left behind to go on computing ends it. */
static void judge_idle(sh_lambda_worker *worker, int64_t cpu_us)
{
    if (worker->idle_cpu_us < 0)
        worker->idle_cpu_us = cpu_us;
    if (cpu_us - worker->idle_cpu_us <= SH_LAMBDA_IDLE_CPU_MS * 1000)
        return;
    sh_log(SH_LOG_WARNING, "lambda", "a worker of %s computed on after its answer, and was ended",
           worker->code.name);
    kill_worker(worker, SH_WHY_RETIRED);
}

static void judge(sh_lambda_worker *worker, int64_t bytes, int64_t cpu_us)
{
    int64_t most = (int64_t)worker->code.memory_mb << 20;
    if (worker->state == SH_WORKER_ENDING)
        return;
    if (bytes > worker->memory)
        worker->memory = bytes < most ? bytes : most;
    if (bytes > most)
        kill_worker(worker, worker->job ? SH_WHY_MEMORY : SH_WHY_RETIRED);
    else if (worker->state == SH_WORKER_IDLE && !worker->job)
        judge_idle(worker, cpu_us);
}

typedef struct weighed {
    sh_lambda_worker *worker;
    pid_t first;
    int64_t bytes, cpu_us;
} weighed;

/* Mutex held: busy workers at each look, idle ones now and then. */
static size_t list_heavy(sh_lambda *l, weighed *list, size_t room, int64_t now_us)
{
    size_t count = 0;
    bool idle_too = now_us - l->idle_looked_us >= IDLE_LOOK_MS * 1000;
    if (idle_too)
        l->idle_looked_us = now_us;
    for (sh_lambda_worker *worker = l->workers; worker && count < room; worker = worker->next) {
        bool busy = worker->state == SH_WORKER_BUSY || worker->state == SH_WORKER_STARTING;
        if (worker->first > 0 && (busy || (idle_too && worker->state == SH_WORKER_IDLE)))
            list[count++] = (weighed){.worker = worker, .first = worker->first};
    }
    return count;
}

/* Mutex held, but given up while /proc is read: nobody else frees workers. */
static void weigh_all(sh_lambda *l, int64_t now_us)
{
    weighed list[WEIGHED_MAX];
    size_t count = list_heavy(l, list, WEIGHED_MAX, now_us);
    pthread_mutex_unlock(&l->mutex);
    for (size_t i = 0; i < count; i++)
        list[i].bytes = sh_sandbox_memory(list[i].first, &list[i].cpu_us);
    pthread_mutex_lock(&l->mutex);
    for (size_t i = 0; i < count; i++)
        judge(list[i].worker, list[i].bytes, list[i].cpu_us);
}

static void end_all(sh_lambda *l)
{
    for (sh_lambda_worker *worker = l->workers; worker; worker = worker->next)
        if (worker->started)
            kill_worker(worker, SH_WHY_RETIRED);
    while (l->workers) {
        sh_lambda_worker *worker = l->workers;
        if (worker->started)
            reap(l, worker, -1);
        else
            bury(l, worker, 0);
    }
}

/* What only a server that runs needs. */
static int prepare(sh_lambda *l)
{
    sh_err err = {0};
    int status;
    if ((status = sh_lambda_paths(l, &err)) < 0 || (status = sh_lambda_log_open(l, &err)) < 0 ||
        (status = sh_lambda_runtime_open(l, &err)) < 0)
        sh_log(SH_LOG_ERROR, "lambda", "functions cannot run: %s", err.message);
    return status;
}

int sh_lambda_runner(sh_cloud *cloud)
{
    sh_lambda *l = cloud->lambda;
    struct epoll_event events[EVENTS];
    int64_t weighed_us = 0;
    int status = prepare(l);
    if (status < 0)
        return status;
    pthread_mutex_lock(&l->mutex);
    while (!l->stopping) {
        int wait_ms = look_at_all(l);
        pthread_mutex_unlock(&l->mutex);
        int count = epoll_wait(l->epoll, events, EVENTS, wait_ms);
        int64_t now_us = sh_monotonic_us();
        pthread_mutex_lock(&l->mutex);
        if (now_us - weighed_us >= SH_LAMBDA_WATCH_MS * 1000) {
            weighed_us = now_us;
            weigh_all(l, now_us);
        }
        for (int i = 0; i < count; i++)
            handle(l, events[i].data.u64);
    }
    end_all(l);
    pthread_mutex_unlock(&l->mutex);
    return 0;
}
