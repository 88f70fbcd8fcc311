/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes the streams of MediaConvert jobs: SUBMITTED rows in the order of the queue, a few at a time, a worker
 * process each. Workers die with this thread, so after a crash nothing is under way, staging folders are
 * removed, and rows that are PROGRESSING begin again: their files were not visible yet. One poll waits for
 * wake-ups, for what the workers say, and for their ends.
 *
 * An ERROR that cannot be written (the disk is full) is owed: it is kept here and tried again, with no new
 * job begun meanwhile. Only a server that ends before it could be written makes the job again. */
#include "base/log.h"
#include "base/pool.h"
#include "cloud/api/bell.h"
#include "cloud/api/mediaconvert_work.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define MAX_WORKERS 8
#define CPUS_A_WORKER 8 /* an encoder keeps that many busy */
#define SHOW_US 1000000 /* progress goes to the row at most that often */
#define SILENCE_US ((int64_t)600 * 1000000)
#define RETRY_MS 1000

typedef struct ending {
    char id[64];
    int code;
    char message[2048];
    int64_t now_ms;
} ending;

typedef struct runner {
    sh_cloud *cloud;
    sh_bell bell;
    sh_mc_work works[MAX_WORKERS];
    size_t count, limit;
    bool retry;               /* look again soon: the database failed */
    bool stranded;            /* rows may be PROGRESSING without a worker, from the server before us */
    ending owed[MAX_WORKERS]; /* no job begins while there are any, so it is one a worker at most */
    size_t owed_count;
} runner;

static size_t worker_limit(void)
{
    size_t limit = (size_t)sh_cpu_count() / CPUS_A_WORKER;
    return limit < 1 ? 1 : limit > MAX_WORKERS ? MAX_WORKERS : limit;
}

/* Changes a row in a transaction with its event and what waits for it. */
static int change_row(runner *r, const char *id, void (*change)(sh_mcjob *job, const void *opaque),
                      const void *opaque, const char *expected, sh_err *err)
{
    sh_mcjob job;
    sh_arena *arena = sh_arena_new(16 << 20);
    if (!arena)
        return sh_fail(err, SH_E_MEMORY, "no memory for job %s", id);
    int status = sh_db_begin(r->cloud->db, err);
    if (status < 0)
        goto done;
    status = sh_mcjob_get(r->cloud->db, arena, id, &job, err);
    if (status == 0) {
        change(&job, opaque);
        status = sh_mcjob_save(r->cloud->db, &job, expected, err);
    }
    if (status == 0)
        status = sh_mc_announce(r->cloud, &job, sh_now_ms(r->cloud->clock), err);
    status = sh_db_end(r->cloud->db, status, err);
    if (status == 0)
        sh_cloud_wake(r->cloud, SH_WAKE_NOTICES | SH_WAKE_FLOWS);
done:
    sh_arena_free(arena);
    return status;
}

static bool is_progressing(runner *r, const char *id)
{
    sh_mcjob job;
    sh_err err = {0};
    sh_arena *arena = sh_arena_new(16 << 20);
    int status = arena ? sh_mcjob_get(r->cloud->db, arena, id, &job, &err) : SH_E_MEMORY;
    bool progressing = status < 0 ? status != SH_E_NOT_FOUND : strcmp(job.status, "PROGRESSING") == 0;
    sh_arena_free(arena);
    return progressing;
}

static void become_error(sh_mcjob *job, const void *opaque)
{
    const ending *e = opaque;
    job->status = "ERROR";
    job->phase = "";
    job->error_code = e->code;
    job->error = e->message;
    job->finished_ms = e->now_ms;
}

static void become_progressing(sh_mcjob *job, const void *opaque)
{
    job->status = "PROGRESSING";
    job->phase = "PROBING";
    job->percent = 0;
    job->started_ms = *(const int64_t *)opaque;
}

/* Whether it is done with: a job that was canceled meanwhile stays so. */
static bool write_ending(runner *r, const ending *e)
{
    sh_err err = {0};
    int status = change_row(r, e->id, become_error, e, "PROGRESSING", &err);
    if (status == 0 || !is_progressing(r, e->id))
        return true;
    sh_log(SH_LOG_ERROR, "mediaconvert", "job %s: its end could not be written, to be tried again: %s", e->id,
           err.message);
    return false;
}

static void fail_job(runner *r, const char *id, int code, const char *message)
{
    ending e = {.code = code, .now_ms = sh_now_ms(r->cloud->clock)};
    snprintf(e.id, sizeof(e.id), "%s", id);
    snprintf(e.message, sizeof(e.message), "%s", message);
    sh_log(SH_LOG_WARNING, "mediaconvert", "job %s: error %d: %s", id, code, message);
    if (!write_ending(r, &e))
        r->owed[r->owed_count++] = e;
}

static void write_owed(runner *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->owed_count; i++)
        if (!write_ending(r, &r->owed[i]))
            r->owed[kept++] = r->owed[i];
    r->owed_count = kept;
}

static int begin(runner *r, const sh_mcjob *job, sh_err *err)
{
    int code = SH_MC_ERROR_INTERNAL;
    sh_err why = {0};
    int64_t now = sh_now_ms(r->cloud->clock);
    int status = change_row(r, job->id, become_progressing, &now, "SUBMITTED", err);
    if (status < 0)
        return status == SH_E_CONFLICT ? 0 : status; /* canceled in between */
    status = sh_mc_work_start(&r->works[r->count], r->cloud, job, &code, &why);
    if (status < 0) {
        fail_job(r, job->id, code, why.message);
        return 0;
    }
    r->works[r->count].tell_us = sh_mc_update_interval_s(job) * 1000000;
    r->works[r->count].told_us = sh_monotonic_us();
    sh_log(SH_LOG_INFO, "mediaconvert", "job %s: begins", job->id);
    r->count++;
    return 0;
}

/* Returns 1 when there may be another job, 0 when there is none. */
static int begin_next(runner *r, sh_err *err)
{
    sh_mcjob job;
    sh_arena *arena = sh_arena_new(16 << 20);
    if (!arena)
        return sh_fail(err, SH_E_MEMORY, "no memory for a job");
    int status = sh_mcjob_next(r->cloud->db, arena, &job, err);
    if (status == 0)
        status = begin(r, &job, err);
    sh_arena_free(arena);
    return status == SH_E_NOT_FOUND ? 0 : status < 0 ? status : 1;
}

/* ---- workers ---- */

static void stop(sh_mc_work *work)
{
    if (work->stopped)
        return;
    work->stopped = true;
    sh_child_signal_group(&work->child, SIGKILL); /* nothing of it is kept */
}

/* STATUS_UPDATE of a job that is still PROGRESSING. */
static void tell_progress(runner *r, const char *id)
{
    sh_mcjob job;
    sh_err err = {0};
    sh_arena *arena = sh_arena_new(16 << 20);
    int status = arena ? sh_mcjob_get(r->cloud->db, arena, id, &job, &err) : SH_E_MEMORY;
    if (status == 0 && strcmp(job.status, "PROGRESSING") == 0)
        status = sh_mc_announce_progress(r->cloud, &job, sh_now_ms(r->cloud->clock), &err);
    if (status == 0)
        sh_cloud_wake(r->cloud, SH_WAKE_NOTICES);
    else
        sh_log(SH_LOG_WARNING, "mediaconvert", "job %s: no event of its progress: %s", id, err.message);
    sh_arena_free(arena);
}

static void show_progress(runner *r, sh_mc_work *work)
{
    sh_err err = {0};
    int64_t now = sh_monotonic_us();
    if (work->percent == 0 || now - work->shown_us < SHOW_US)
        return;
    work->shown_us = now;
    if (sh_mcjob_progress(r->cloud->db, work->id, work->percent, work->phase, &err) < 0)
        sh_log(SH_LOG_WARNING, "mediaconvert", "job %s: %s", work->id, err.message);
    if (work->tell_us > 0 && now - work->told_us >= work->tell_us) {
        work->told_us = now;
        tell_progress(r, work->id);
    }
}

/* Why a worker that has ended has no result, in words. */
static void explain(const sh_mc_work *work, int *code, char *message, size_t size)
{
    char how[96];
    const char *said = json_string_value(json_object_get(work->final, "message"));
    *code = SH_MC_ERROR_INTERNAL;
    if (work->silent) {
        snprintf(message, size, "the worker made no progress for %d s and was ended",
                 (int)(SILENCE_US / 1000000));
    } else if (said) {
        int64_t given = json_integer_value(json_object_get(work->final, "code"));
        *code = given > 0 && given < 100000 ? (int)given : SH_MC_ERROR_INTERNAL;
        snprintf(message, size, "%s", said);
    } else {
        sh_child_describe(work->wait_status, how, sizeof(how));
        snprintf(message, size, "the worker ended with %s: %s", how, sh_buf_cstr(&work->tail));
        size_t length = strlen(message);
        while (length > 0 && (message[length - 1] == '\n' || message[length - 1] == ' '))
            message[--length] = '\0';
    }
    sh_text_mend(message);
}

static bool has_result(const sh_mc_work *work)
{
    const char *type = json_string_value(json_object_get(work->final, "type"));
    return !work->stopped && type && strcmp(type, "result") == 0 && WIFEXITED(work->wait_status) &&
           WEXITSTATUS(work->wait_status) == 0;
}

static void end(runner *r, sh_mc_work *work)
{
    char message[2048];
    int code;
    sh_err err = {0};
    if (!has_result(work)) {
        explain(work, &code, message, sizeof(message));
        if (work->stopped && !work->silent)
            sh_log(SH_LOG_INFO, "mediaconvert", "job %s: canceled", work->id);
        else
            fail_job(r, work->id, code, message);
    } else {
        sh_mcjob_progress(r->cloud->db, work->id, 99, "UPLOADING", NULL);
        int status = sh_mc_work_publish(work, r->cloud, &code, &err);
        if (status == 0) {
            sh_log(SH_LOG_INFO, "mediaconvert", "job %s: complete", work->id);
            sh_cloud_wake(r->cloud, SH_WAKE_NOTICES | SH_WAKE_FLOWS);
        } else if (status != SH_E_CONFLICT || is_progressing(r, work->id)) {
            fail_job(r, work->id, code, err.message);
        }
    }
    sh_mc_work_free(work);
    *work = r->works[--r->count];
}

/* Looks after one worker; it may be gone afterwards. */
static void attend(runner *r, sh_mc_work *work)
{
    sh_err err = {0};
    int ended = sh_child_wait(&work->child, 0, &work->wait_status, &err);
    sh_mc_work_listen(work); /* after the look at the worker: all it has said is in the pipes then */
    sh_mc_work_listen_log(work);
    if (ended < 0)
        sh_log(SH_LOG_ERROR, "mediaconvert", "job %s: %s", work->id, err.message);
    if (ended) {
        end(r, work);
        return;
    }
    show_progress(r, work);
    if (!work->stopped && sh_monotonic_us() - work->news_us > SILENCE_US) {
        work->silent = true;
        stop(work);
    }
}

/* ---- the loop ---- */

static void scan(runner *r)
{
    sh_err err = {0};
    int status = 1;
    for (size_t i = 0; i < r->count; i++)
        if (!is_progressing(r, r->works[i].id))
            stop(&r->works[i]);
    write_owed(r);
    if (r->stranded && r->count == 0) {
        int requeued = sh_mcjob_requeue(r->cloud->db, &err);
        r->stranded = requeued < 0;
        status = requeued < 0 ? requeued : 1;
    }
    while (status > 0 && r->count < r->limit && !r->stranded && r->owed_count == 0)
        status = begin_next(r, &err);
    if (status < 0)
        sh_log(SH_LOG_ERROR, "mediaconvert", "%s", err.message);
    r->retry = status < 0 || r->stranded || r->owed_count > 0;
}

/* Returns whether rows may have changed, or a worker has become free. */
static bool wait_for_news(runner *r)
{
    struct pollfd ready[1 + 3 * MAX_WORKERS] = {{.fd = r->bell.fd, .events = POLLIN}};
    size_t before = r->count;
    for (size_t i = 0; i < before; i++) {
        const sh_mc_work *work = &r->works[i];
        ready[1 + 3 * i] = (struct pollfd){.fd = work->out, .events = POLLIN};
        ready[2 + 3 * i] = (struct pollfd){.fd = work->log, .events = POLLIN};
        ready[3 + 3 * i] = (struct pollfd){.fd = work->child.pidfd, .events = POLLIN};
    }
    int timeout = r->retry || r->stranded ? RETRY_MS : before > 0 ? (int)(SILENCE_US / 2000) : -1;
    poll(ready, (nfds_t)(1 + 3 * before), timeout);
    for (size_t i = before; i-- > 0;) /* from the end: an ended one is replaced by the last */
        attend(r, &r->works[i]);
    return ready[0].revents || r->count < before || r->retry || r->stranded;
}

int sh_mcjobs_run(sh_cloud *cloud)
{
    runner r = {.cloud = cloud, .limit = worker_limit(), .stranded = true}; /* by the server before us */
    sh_err err = {0};
    int status = sh_bell_open(&r.bell, cloud, SH_WAKE_MCJOBS, &err);
    if (status < 0) {
        sh_log(SH_LOG_ERROR, "mediaconvert", "jobs cannot be made: %s", err.message);
        return status;
    }
    bool look = true;
    while (sh_bell_take(&r.bell)) {
        if (look)
            scan(&r);
        look = wait_for_news(&r);
    }
    while (r.count > 0)
        sh_mc_work_free(&r.works[--r.count]);
    sh_bell_close(&r.bell);
    return 0;
}
