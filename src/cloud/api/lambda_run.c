/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/api/lambda_run.h"
#include "base/clock.h"
#include "base/log.h"
#include "cloud/api/lambda_work.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    WORKER_ARENA = 4 << 20,
    JOB_ARENA = SH_LAMBDA_PAYLOAD_MAX + (64 << 10),
    LINES_MAX = SH_LAMBDA_LINE_MAX + 1,
    FRAME_MAX = SH_LAMBDA_LOG_MAX + 64,
    HTTP_STOP_MS = 500,
    THROTTLED = 429,
    FRESH_BYTES = 64 << 20, /* of a worker that was not weighed yet */
    MEMORY_PART = 4,        /* of the machine's memory idle workers may hold one in so many */
    KEPT_TIMES = 4,         /* workers there may be, for each invocation that may run */
};

sh_lambda_worker *sh_lambda_find(sh_lambda *l, uint64_t number)
{
    sh_lambda_worker *worker = l->workers;
    while (worker && worker->number != number)
        worker = worker->next;
    return worker;
}

void sh_lambda_ring(sh_lambda *l)
{
    eventfd_write(l->bell, 1);
}

void sh_lambda_job_free(sh_lambda_job *job)
{
    if (job)
        sh_arena_free(job->arena);
}

void sh_lambda_worker_free(sh_lambda_worker *worker)
{
    if (!worker)
        return;
    sh_sandbox_destroy(&worker->sandbox);
    int fds[] = {worker->listeners[0], worker->listeners[1], worker->output, worker->telemetry};
    for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    sh_buf_free(&worker->line);
    sh_buf_free(&worker->frame);
    sh_lambda_target_release(worker->target);
    json_decref((json_t *)worker->code.environment);
    sh_arena_free(worker->arena);
}

/* ---- copies ---- */

static const char *copy(sh_arena *arena, const char *text, bool *failed)
{
    const char *kept = text ? sh_arena_strdup(arena, text) : NULL;
    *failed |= text && !kept;
    return kept;
}

static bool copy_layers(sh_lambda_worker *worker, const char *const *layers)
{
    size_t count = 0;
    bool failed = false;
    while (layers && layers[count])
        count++;
    const char **list = sh_arena_alloc(worker->arena, (count + 1) * sizeof(*list));
    for (size_t i = 0; list && i < count; i++)
        list[i] = copy(worker->arena, layers[i], &failed);
    worker->code.layers = list;
    return list && !failed;
}

static bool copy_code(sh_lambda_worker *worker, const sh_lambda_code *code)
{
    bool failed = false;
    sh_arena *arena = worker->arena;
    worker->code = *code;
    worker->code.name = copy(arena, code->name, &failed);
    worker->code.version = copy(arena, code->version, &failed);
    worker->code.revision = copy(arena, code->revision, &failed);
    worker->code.folder = copy(arena, code->folder, &failed);
    worker->code.runtime = copy(arena, code->runtime, &failed);
    worker->code.handler = copy(arena, code->handler, &failed);
    worker->code.role = copy(arena, code->role, &failed);
    worker->code.log_group = copy(arena, code->log_group, &failed);
    worker->code.environment = code->environment ? json_deep_copy(code->environment) : NULL;
    return copy_layers(worker, code->layers) && !failed && (!code->environment || worker->code.environment);
}

static sh_lambda_worker *worker_new(sh_lambda *l, const sh_lambda_code *code)
{
    sh_arena *arena = sh_arena_new(WORKER_ARENA);
    sh_lambda_worker *worker = arena ? sh_arena_alloc(arena, sizeof(*worker)) : NULL;
    if (!worker) {
        sh_arena_free(arena);
        return NULL;
    }
    worker->arena = arena;
    worker->sandbox = (sh_sandbox){SH_CHILD_NONE, -1};
    worker->listeners[0] = worker->listeners[1] = worker->output = worker->telemetry = -1;
    worker->init_us = -1;
    sh_buf_init(&worker->line, LINES_MAX);
    sh_buf_init(&worker->frame, FRAME_MAX);
    if (!copy_code(worker, code)) {
        sh_lambda_worker_free(worker);
        return NULL;
    }
    worker->number = ++l->last;
    return worker;
}

/* "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0" */
static const char *make_trace(sh_arena *arena, int64_t now_ms)
{
    unsigned long long r[3] = {0};
    if (getrandom(r, sizeof(r), 0) != sizeof(r))
        return "";
    return sh_arena_printf(arena, "Root=1-%08llx-%016llx%08llx;Parent=%016llx;Sampled=0",
                           (unsigned long long)(now_ms / 1000), r[0], r[1] & 0xFFFFFFFFu, r[2]);
}

static sh_lambda_job *job_new(sh_lambda *l, const sh_lambda_invocation *from)
{
    bool failed = false;
    sh_arena *arena = sh_arena_new(JOB_ARENA);
    sh_lambda_job *job = arena ? sh_arena_alloc(arena, sizeof(*job)) : NULL;
    if (!job) {
        sh_arena_free(arena);
        return NULL;
    }
    *job = (sh_lambda_job){.arena = arena,
                           .done = from->done,
                           .opaque = from->opaque,
                           .request_id = copy(arena, from->request_id, &failed),
                           .invoked_arn = copy(arena, from->invoked_arn, &failed),
                           .client_context = copy(arena, from->client_context, &failed),
                           .trace_id = from->trace_id ? copy(arena, from->trace_id, &failed)
                                                      : make_trace(arena, sh_now_ms(l->cloud->clock)),
                           .length = from->length ? from->length : 2,
                           .tail = from->tail,
                           .reserved = from->code.reserved >= 0};
    job->payload = sh_arena_strndup(arena, from->length ? from->payload : "{}", job->length);
    if (!failed && job->payload && job->trace_id)
        return job;
    sh_lambda_job_free(job);
    return NULL;
}

/* ---- places ---- */

int sh_lambda_limit(const sh_cloud *cloud)
{
    int told = cloud->settings.functions_at_once;
    return told > 0 ? told : SH_LAMBDA_AT_ONCE;
}

static int running_of(const sh_lambda *l, const char *name)
{
    int count = 0;
    for (const sh_lambda_worker *worker = l->workers; worker; worker = worker->next)
        count += worker->job && strcmp(worker->code.name, name) == 0;
    return count;
}

static int free_places(const sh_lambda *l, const char *name, int reserved)
{
    int places =
        reserved >= 0 ? reserved - running_of(l, name) : sh_lambda_limit(l->cloud) - l->reserved - l->running;
    return places > 0 ? places : 0;
}

int sh_lambda_free_places(sh_cloud *cloud, const char *name, int reserved)
{
    sh_lambda *l = cloud->lambda;
    pthread_mutex_lock(&l->mutex);
    int places = free_places(l, name, reserved);
    pthread_mutex_unlock(&l->mutex);
    return places;
}

void sh_lambda_reserve(sh_cloud *cloud, int reserved_in_all)
{
    sh_lambda *l = cloud->lambda;
    pthread_mutex_lock(&l->mutex);
    l->reserved = reserved_in_all;
    pthread_mutex_unlock(&l->mutex);
}

static bool is_of(const sh_lambda_worker *worker, const sh_lambda_code *code)
{
    return !worker->retired && strcmp(worker->code.name, code->name) == 0 &&
           strcmp(worker->code.version, code->version) == 0 &&
           strcmp(worker->code.revision, code->revision) == 0;
}

/* The one used last, of those that wait; else one that has just answered and will ask again. */
static sh_lambda_worker *find_idle(const sh_lambda *l, const sh_lambda_code *code)
{
    sh_lambda_worker *best = NULL;
    int64_t keys_ms = sh_now_ms(l->cloud->clock) + SH_LAMBDA_KEYS_REST_S * 1000;
    for (sh_lambda_worker *worker = l->workers; worker; worker = worker->next) {
        if (worker->state != SH_WORKER_IDLE || worker->job || !is_of(worker, code) ||
            worker->keys_ms < keys_ms)
            continue;
        if (!best || (worker->waiting && !best->waiting) ||
            (!worker->waiting == !best->waiting && worker->idle_us > best->idle_us))
            best = worker;
    }
    return best;
}

/* Idle workers are kept as long as there is memory for them; then they give way, the one that has been idle
 * longest first. */
static void make_room(sh_lambda *l)
{
    int live = 0;
    int64_t bytes = 0;
    sh_lambda_worker *oldest = NULL;
    for (sh_lambda_worker *worker = l->workers; worker; worker = worker->next) {
        if (worker->state == SH_WORKER_ENDING || worker->retired)
            continue;
        live++;
        bytes += worker->memory ? worker->memory : FRESH_BYTES;
        if (worker->state == SH_WORKER_IDLE && !worker->job && (!oldest || worker->idle_us < oldest->idle_us))
            oldest = worker;
    }
    int limit = sh_lambda_limit(l->cloud);
    int64_t most = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / MEMORY_PART;
    if (oldest && live >= limit && (bytes >= most || live >= KEPT_TIMES * limit))
        oldest->retired = true;
}

/* A version whose code or configuration changed has no use for its workers of before. */
static void retire_older(sh_lambda *l, const sh_lambda_code *code)
{
    for (sh_lambda_worker *worker = l->workers; worker; worker = worker->next)
        if (strcmp(worker->code.name, code->name) == 0 && strcmp(worker->code.version, code->version) == 0 &&
            strcmp(worker->code.revision, code->revision) != 0)
            worker->retired = true;
}

static int give_place(sh_lambda *l, const sh_lambda_code *code, sh_lambda_job *job)
{
    sh_lambda_worker *worker = find_idle(l, code);
    if (worker) {
        worker->given_us = sh_monotonic_us();
        worker->job = job;
        sh_lambda_deliver(worker);
        if (!worker->waiting)
            sh_lambda_ring(l); /* watches that it asks soon */
    } else {
        retire_older(l, code);
        make_room(l);
        if (!(worker = worker_new(l, code)))
            return SH_E_MEMORY;
        worker->job = job;
        worker->next = l->workers;
        l->workers = worker;
        sh_lambda_ring(l);
    }
    if (!job->reserved)
        l->running++;
    return 0;
}

static int refuse(const sh_lambda_invocation *invocation, int http_status, const char *code,
                  const char *message)
{
    const sh_lambda_result result = {.code = code,
                                     .http_status = http_status,
                                     .message = message,
                                     .payload = "",
                                     .log_tail = "",
                                     .init_us = -1};
    invocation->done(invocation->opaque, &result);
    return 0;
}

int sh_lambda_submit(sh_cloud *cloud, const sh_lambda_invocation *invocation, sh_err *err)
{
    sh_lambda *l = cloud->lambda;
    sh_err why = {0};
    if (sh_lambda_runtime_check(invocation->code.runtime, &why) < 0)
        return refuse(invocation, 502, "InvalidRuntimeException", why.message);
    if (invocation->length > SH_LAMBDA_PAYLOAD_MAX)
        return refuse(invocation, 413, "RequestTooLargeException", "the request payload is too large");
    sh_lambda_job *job = job_new(l, invocation);
    if (!job)
        return sh_fail(err, SH_E_MEMORY, "no memory for an invocation");
    pthread_mutex_lock(&l->mutex);
    bool stopping = l->stopping;
    bool full = free_places(l, invocation->code.name, invocation->code.reserved) == 0;
    int status = stopping || full ? 0 : give_place(l, &invocation->code, job);
    pthread_mutex_unlock(&l->mutex);
    if (stopping || full || status < 0)
        sh_lambda_job_free(job);
    if (stopping)
        return sh_fail(err, SH_E_CANCELLED, "the server stops");
    if (status < 0)
        return sh_fail(err, status, "no memory for a worker");
    return full ? refuse(invocation, THROTTLED, "TooManyRequestsException", "Rate Exceeded.") : 0;
}

static bool is_kept(const char *revision, const char *const *kept)
{
    for (; kept && *kept; kept++)
        if (strcmp(*kept, revision) == 0)
            return true;
    return false;
}

void sh_lambda_retire(sh_cloud *cloud, const char *name, const char *const *kept)
{
    sh_lambda *l = cloud->lambda;
    pthread_mutex_lock(&l->mutex);
    for (sh_lambda_worker *worker = l->workers; worker; worker = worker->next)
        if (strcmp(worker->code.name, name) == 0 && !is_kept(worker->code.revision, kept))
            worker->retired = true;
    sh_lambda_ring(l);
    pthread_mutex_unlock(&l->mutex);
}

/* ---- life ---- */

void sh_lambda_serve(sh_cloud *cloud, sh_http_server *plain)
{
    sh_lambda *l = cloud->lambda;
    pthread_mutex_lock(&l->mutex);
    l->endpoint = plain;
    pthread_mutex_unlock(&l->mutex);
}

int sh_lambda_open(sh_cloud *cloud, sh_err *err)
{
    sh_lambda *l = calloc(1, sizeof(*l));
    if (!l)
        return sh_fail(err, SH_E_MEMORY, "no memory for functions");
    cloud->lambda = l;
    l->cloud = cloud;
    pthread_mutex_init(&l->mutex, NULL);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event bell = {.events = EPOLLIN};
    if (l->epoll < 0 || l->bell < 0 || epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->bell, &bell) < 0)
        return sh_fail_errno(err, errno, "no descriptor for functions");
    return 0;
}

void sh_lambda_stop(sh_cloud *cloud)
{
    sh_lambda *l = cloud->lambda;
    if (!l)
        return;
    pthread_mutex_lock(&l->mutex);
    l->stopping = true;
    l->endpoint = NULL;
    sh_lambda_ring(l);
    pthread_mutex_unlock(&l->mutex);
}

void sh_lambda_close(sh_cloud *cloud)
{
    sh_lambda *l = cloud->lambda;
    if (!l)
        return;
    sh_http_stop(l->runtime, HTTP_STOP_MS);
    sh_lambda_log_close(l);
    if (l->epoll >= 0)
        close(l->epoll);
    if (l->bell >= 0)
        close(l->bell);
    free(l->helper);
    free(l->root);
    free(l->bootstrap);
    free(l->sdk);
    pthread_mutex_destroy(&l->mutex);
    free(l);
    cloud->lambda = NULL;
}
