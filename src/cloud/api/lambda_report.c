/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How an invocation ends: what the function wrote is read to its end, then come the platform's own lines
 * (START was there before), in AWS's text or JSON form, and the answer. */
#include "base/clock.h"
#include "cloud/api/lambda_work.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DRAIN = 4 << 20, LINE = 1024, ERROR_MAX = 1024 };

/* ---- the platform's lines ---- */

static void say_json(sh_lambda *l, sh_lambda_worker *worker, const char *type, json_t *record)
{
    char now[SH_TIME_TEXT];
    sh_time_iso_ms(sh_now_ms(l->cloud->clock), now);
    json_t *whole = record ? json_pack("{s:s, s:s, s:o}", "time", now, "type", type, "record", record) : NULL;
    char *text = whole ? json_dumps(whole, JSON_COMPACT) : NULL;
    if (text)
        sh_lambda_log_say(l, worker, text, strlen(text));
    free(text);
    json_decref(whole);
}

static void say(sh_lambda *l, sh_lambda_worker *worker, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(sh_lambda *l, sh_lambda_worker *worker, const char *format, ...)
{
    char text[LINE];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    sh_lambda_log_say(l, worker, text, (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);
}

void sh_lambda_say_start(sh_lambda_worker *worker, sh_lambda *l)
{
    const char *id = worker->job->request_id;
    if (worker->code.json_logs)
        say_json(l, worker, "platform.start",
                 json_pack("{s:s, s:s}", "requestId", id, "version", worker->code.version));
    else
        say(l, worker, "START RequestId: %s Version: %s\n", id, worker->code.version);
}

static double milliseconds(int64_t us)
{
    return (double)us / 1000;
}

static void say_report(sh_lambda *l, sh_lambda_worker *worker, const sh_lambda_result *result)
{
    const char *id = worker->job->request_id;
    char init[64] = "", status[80] = "";
    if (result->init_us >= 0)
        snprintf(init, sizeof(init), "Init Duration: %.2f ms\t", milliseconds(result->init_us));
    bool late = result->error_type && strcmp(result->error_type, "Sandbox.Timedout") == 0;
    bool died = result->error_type && strcmp(result->error_type, "Runtime.ExitError") == 0;
    if (late || died)
        snprintf(status, sizeof(status), "Status: %s%s",
                 late ? "timeout" : "error\tError Type: ", late ? "" : result->error_type);
    say(l, worker, "END RequestId: %s\n", id);
    say(l, worker,
        "REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %lld ms\tMemory Size: %d MB\tMax Memory "
        "Used: %d MB\t%s%s\n",
        id, milliseconds(result->duration_us), (long long)result->billed_ms, worker->code.memory_mb,
        result->max_memory_mb, init, status);
}

static void say_report_json(sh_lambda *l, sh_lambda_worker *worker, const sh_lambda_result *result)
{
    json_t *metrics = json_pack("{s:f, s:I, s:i, s:i}", "durationMs", milliseconds(result->duration_us),
                                "billedDurationMs", (json_int_t)result->billed_ms, "memorySizeMB",
                                worker->code.memory_mb, "maxMemoryUsedMB", result->max_memory_mb);
    if (metrics && result->init_us >= 0)
        json_object_set_new(metrics, "initDurationMs", json_real(milliseconds(result->init_us)));
    const char *status = !result->function_error ? "success" : "error";
    if (result->error_type && strcmp(result->error_type, "Sandbox.Timedout") == 0)
        status = "timeout";
    say_json(l, worker, "platform.report",
             json_pack("{s:s, s:o, s:s}", "requestId", worker->job->request_id, "metrics", metrics, "status",
                       status));
}

/* ---- the end ---- */

static void take_memory(sh_lambda_worker *worker)
{
    int64_t cpu_us;
    int64_t bytes = worker->first > 0 ? sh_sandbox_memory(worker->first, &cpu_us) : 0;
    int64_t most = (int64_t)worker->code.memory_mb << 20;
    if (bytes > worker->memory)
        worker->memory = bytes < most ? bytes : most;
}

static void fill(sh_lambda_worker *worker, sh_lambda_result *result)
{
    int64_t now_us = sh_monotonic_us(), init_us = 0;
    result->duration_us = worker->delivered ? now_us - worker->given_us : 0;
    result->init_us = worker->init_us;
    if (!worker->initialised)
        result->init_us = now_us - worker->started_us;
    if (result->init_us >= 0)
        init_us = result->init_us;
    worker->init_us = -1;
    result->billed_ms = (result->duration_us + init_us + 999) / 1000;
    if (result->billed_ms < 1)
        result->billed_ms = 1;
    if (worker->memory == 0 || result->init_us >= 0)
        take_memory(worker);
    result->max_memory_mb = (int)((worker->memory + (1 << 20) - 1) >> 20);
}

/* The job leaves the worker; `done` is called without the mutex. */
static void finish(sh_lambda *l, sh_lambda_worker *worker, sh_lambda_result *result)
{
    char tail[SH_LAMBDA_TAIL];
    sh_lambda_job *job = worker->job;
    result->log_tail = tail;
    if (job->tail) {
        memcpy(tail, worker->tail, worker->tail_length);
        result->log_tail_length = worker->tail_length;
    }
    worker->job = NULL;
    worker->delivered = false;
    worker->tail_length = worker->logged = 0;
    worker->idle_us = sh_monotonic_us();
    worker->idle_cpu_us = -1;
    if (worker->state == SH_WORKER_BUSY)
        worker->state = SH_WORKER_IDLE;
    if (!job->reserved)
        l->running--;
    pthread_mutex_unlock(&l->mutex);
    job->done(job->opaque, result);
    sh_lambda_job_free(job);
    sh_cloud_wake(l->cloud, SH_WAKE_FUNCTIONS);
    pthread_mutex_lock(&l->mutex);
}

/* One that never came as far as the runtime has a first line, too. */
static void begin(sh_lambda *l, sh_lambda_worker *worker)
{
    if (worker->delivered)
        return;
    sh_lambda_say_start(worker, l);
    worker->delivered = true;
    worker->given_us = sh_monotonic_us();
}

void sh_lambda_succeed(sh_lambda *l, sh_lambda_worker *worker, sh_lambda_result *result)
{
    begin(l, worker);
    sh_lambda_log_read(l, worker, true, DRAIN);
    sh_lambda_log_read(l, worker, false, DRAIN);
    sh_lambda_log_flush(l, worker);
    fill(worker, result);
    if (worker->code.json_logs)
        say_report_json(l, worker, result);
    else
        say_report(l, worker, result);
    finish(l, worker, result);
}

void sh_lambda_fail(sh_lambda *l, sh_lambda_worker *worker, const char *type, const char *format, ...)
{
    char words[ERROR_MAX], text[ERROR_MAX + 128], now[SH_TIME_TEXT];
    const char *id = worker->job->request_id;
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    begin(l, worker);
    sh_lambda_log_read(l, worker, true, DRAIN);
    sh_lambda_log_read(l, worker, false, DRAIN);
    if (strcmp(type, "Sandbox.Timedout") == 0) {
        sh_time_iso_ms(sh_now_ms(l->cloud->clock), now);
        say(l, worker, "%s %s %s\n\n", now, id, words);
    } else if (strncmp(type, "Runtime.", 8) == 0) {
        say(l, worker, "RequestId: %s Error: %s\n%s\n", id, words, type);
    }
    snprintf(text, sizeof(text), "RequestId: %s Error: %s", id, words);
    if (strncmp(type, "Function.", 9) == 0)
        snprintf(text, sizeof(text), "%s", words);
    json_t *body = json_pack("{s:s, s:s}", "errorType", type, "errorMessage", text);
    char *payload = body ? json_dumps(body, JSON_COMPACT) : NULL;
    sh_lambda_result result = {.function_error = "Unhandled",
                               .error_type = type,
                               .payload = payload ? payload : "{}",
                               .length = payload ? strlen(payload) : 2,
                               .content_type = "application/json"};
    sh_lambda_succeed(l, worker, &result);
    free(payload);
    json_decref(body);
}

void sh_lambda_refuse(sh_lambda *l, sh_lambda_worker *worker)
{
    sh_lambda_result result = {.code = worker->failure_code,
                               .http_status = worker->failure_status,
                               .message = worker->failure,
                               .payload = "",
                               .init_us = -1};
    finish(l, worker, &result);
}
