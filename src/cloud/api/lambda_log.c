/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines of log. A worker has two pipes: its output, a line of which is an event; and the telemetry descriptor
 * (_LAMBDA_TELEMETRY_LOG_FD) of AWS's runtimes, whose frames may have many lines: four bytes 0xA55A0003 (with
 * bits of the level in the second half), the length, the time in microseconds (eight bytes), the text; all
 * numbers big-endian.
 *
 * An invocation waits for no log: lines go into a queue that a thread of its own writes, all there is in one
 * transaction, as the role of the function, which must be allowed to. What an invocation writes beyond
 * SH_LAMBDA_LOG_MAX, and what does not fit into the queue, is counted and said. */
#include "base/log.h"
#include "cloud/api/authorize.h"
#include "cloud/api/lambda_work.h"
#include "cloud/api/logs.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { QUEUE_MAX = 64 << 20, LOT = 2000, ARENA = 256 * 1024, FRAME_HEAD = 16 };

typedef struct line {
    struct line *next;
    sh_lambda_target *target;
    int64_t time_ms;
    size_t length;
    char text[];
} line;

struct sh_lambda_log {
    sh_cloud *cloud;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t more;
    line *first, **last;
    size_t bytes;
    uint64_t lost; /* lines for which there was no room */
    bool stopping;
};

void sh_lambda_target_release(sh_lambda_target *target)
{
    if (target && atomic_fetch_sub(&target->references, 1) == 1)
        sh_arena_free(target->arena);
}

/* ---- into the queue ---- */

static void put(sh_lambda *l, sh_lambda_target *target, int64_t time_ms, const char *text, size_t length)
{
    struct sh_lambda_log *log = l->log;
    line *one = target ? malloc(sizeof(*one) + length + 1) : NULL;
    pthread_mutex_lock(&log->mutex);
    if (!one || log->bytes + length > QUEUE_MAX) {
        log->lost += target != NULL;
        free(one);
    } else {
        *one = (line){.target = target, .time_ms = time_ms, .length = length};
        memcpy(one->text, text, length);
        one->text[length] = '\0';
        for (char *c = one->text; (c = memchr(c, '\0', (size_t)(one->text + length - c)));)
            *c = ' ';
        sh_text_mend(one->text);
        atomic_fetch_add(&target->references, 1);
        *log->last = one;
        log->last = &one->next;
        log->bytes += length;
        pthread_cond_signal(&log->more);
    }
    pthread_mutex_unlock(&log->mutex);
}

static void remember_tail(sh_lambda_worker *worker, const char *text, size_t length)
{
    size_t keep = length < sizeof(worker->tail) ? length : sizeof(worker->tail);
    size_t room = sizeof(worker->tail) - keep;
    size_t old = worker->tail_length < room ? worker->tail_length : room;
    memmove(worker->tail, worker->tail + worker->tail_length - old, old);
    memcpy(worker->tail + old, text + length - keep, keep);
    worker->tail_length = old + keep;
}

void sh_lambda_log_say(sh_lambda *l, sh_lambda_worker *worker, const char *text, size_t length)
{
    remember_tail(worker, text, length);
    if (length == 0 || text[length - 1] != '\n')
        remember_tail(worker, "\n", 1);
    put(l, worker->target, sh_now_ms(l->cloud->clock), text, length);
}

/* An event of the function's own. */
static void take_event(sh_lambda *l, sh_lambda_worker *worker, int64_t time_ms, const char *text,
                       size_t length)
{
    if (worker->logged + length > SH_LAMBDA_LOG_MAX) {
        static const char said[] =
            "[spyhop] this invocation wrote more than 8 MiB of log; what follows is not kept";
        if (worker->dropped == 0)
            sh_lambda_log_say(l, worker, said, sizeof(said) - 1);
        worker->dropped += length;
        return;
    }
    worker->logged += length + 1;
    remember_tail(worker, text, length);
    remember_tail(worker, "\n", 1);
    put(l, worker->target, time_ms, text, length);
}

static void take_output(sh_lambda *l, sh_lambda_worker *worker, const char *bytes, size_t length)
{
    int64_t now_ms = sh_now_ms(l->cloud->clock);
    while (length > 0) {
        const char *end = memchr(bytes, '\n', length);
        size_t part = end ? (size_t)(end - bytes) : length;
        size_t room = SH_LAMBDA_LINE_MAX - worker->line.length;
        size_t used = part < room ? part : room;
        sh_buf_append(&worker->line, bytes, used);
        if ((end && used == part) || worker->line.length >= SH_LAMBDA_LINE_MAX) {
            take_event(l, worker, now_ms, sh_buf_cstr(&worker->line), worker->line.length);
            sh_buf_clear(&worker->line);
        }
        used += end && used == part;
        bytes += used;
        length -= used;
    }
}

static uint32_t big32(const char *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof(value));
    return be32toh(value);
}

static void take_text(sh_lambda *l, sh_lambda_worker *worker, int64_t time_ms, const char *text,
                      size_t length)
{
    while (length > 0 && text[length - 1] == '\n')
        length--;
    for (size_t at = 0; at == 0 || at < length; at += SH_LAMBDA_LINE_MAX)
        take_event(l, worker, time_ms, text + at,
                   length - at < SH_LAMBDA_LINE_MAX ? length - at : SH_LAMBDA_LINE_MAX);
}

/* Takes whole frames off the buffer; what is no frame is taken as text, so that nothing is lost. */
static void take_frames(sh_lambda *l, sh_lambda_worker *worker)
{
    sh_buf *frame = &worker->frame;
    size_t at = 0;
    while (frame->length - at >= FRAME_HEAD) {
        const char *head = frame->data + at;
        size_t length = big32(head + 4);
        uint64_t time_us;
        if ((big32(head) & 0xFFFF0003u) != 0xA55A0003u || length > frame->maximum - FRAME_HEAD) {
            take_text(l, worker, sh_now_ms(l->cloud->clock), head, frame->length - at);
            at = frame->length;
            break;
        }
        if (frame->length - at - FRAME_HEAD < length)
            break;
        memcpy(&time_us, head + 8, sizeof(time_us));
        take_text(l, worker, (int64_t)(be64toh(time_us) / 1000), head + FRAME_HEAD, length);
        at += FRAME_HEAD + length;
    }
    if (at == 0)
        return;
    memmove(frame->data, frame->data + at, frame->length - at);
    frame->length -= at;
}

bool sh_lambda_log_read(sh_lambda *l, sh_lambda_worker *worker, bool telemetry, size_t most)
{
    static _Thread_local char bytes[65536];
    int fd = telemetry ? worker->telemetry : worker->output;
    for (size_t sum = 0; fd >= 0 && sum < most;) {
        ssize_t got = read(fd, bytes, sizeof(bytes));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 && errno == EAGAIN;
        if (!telemetry) {
            take_output(l, worker, bytes, (size_t)got);
        } else if (sh_buf_append(&worker->frame, bytes, (size_t)got) == 0) {
            take_frames(l, worker);
        } else {
            sh_buf_clear(&worker->frame); /* a frame of more than 8 MiB */
            worker->dropped += (size_t)got;
        }
        sum += (size_t)got;
    }
    return true;
}

void sh_lambda_log_flush(sh_lambda *l, sh_lambda_worker *worker)
{
    char text[128];
    if (worker->line.length) {
        take_event(l, worker, sh_now_ms(l->cloud->clock), sh_buf_cstr(&worker->line), worker->line.length);
        sh_buf_clear(&worker->line);
    }
    if (!worker->dropped)
        return;
    int length = snprintf(text, sizeof(text), "[spyhop] %zu bytes of log were not kept", worker->dropped);
    sh_lambda_log_say(l, worker, text, (size_t)length);
    worker->dropped = 0;
}

/* ---- out of the queue ---- */

static int permit(sh_cloud *cloud, const sh_lambda_target *target, const char *action, bool stream,
                  sh_arena *arena, sh_err *err)
{
    const char *sentence = NULL;
    const char *arn = sh_arena_printf(arena, "arn:aws:logs:%s:%s:log-group:%s%s%s", cloud->settings.region,
                                      cloud->settings.account, target->group, stream ? ":log-stream:" : "",
                                      stream ? target->stream : "");
    if (!arn)
        return sh_fail(err, SH_E_MEMORY, "no memory for a log");
    const sh_asked asked = {.action = action, .resource = arn};
    int status = sh_authorize(cloud, &target->caller, &asked, arena, &sentence, err);
    return status == SH_E_DENIED ? sh_fail(err, status, "%s", sentence) : status;
}

static int permit_all(sh_cloud *cloud, const sh_lambda_target *target, sh_err *err)
{
    sh_log_group group;
    sh_arena *arena = sh_arena_new(ARENA);
    if (!arena)
        return sh_fail(err, SH_E_MEMORY, "no memory for a log");
    int status = sh_log_group_get(cloud->db, arena, target->group, &group, err);
    if (status == SH_E_NOT_FOUND)
        status = permit(cloud, target, "logs:CreateLogGroup", false, arena, err);
    if (status == 0)
        status = permit(cloud, target, "logs:CreateLogStream", true, arena, err);
    if (status == 0)
        status = permit(cloud, target, "logs:PutLogEvents", true, arena, err);
    sh_arena_free(arena);
    return status;
}

/* Lines of one target that follow each other; returns how many. */
static size_t write_some(sh_cloud *cloud, const line *first, sh_log_event *events, int *status, sh_err *err)
{
    sh_lambda_target *target = first->target;
    size_t count = 0;
    for (const line *one = first; one && one->target == target && count < LOT; one = one->next)
        events[count++] = (sh_log_event){.time_ms = one->time_ms, .message = one->text};
    *status = permit_all(cloud, target, err);
    if (*status == SH_E_DENIED) {
        if (!target->refused)
            sh_log(SH_LOG_WARNING, "lambda", "no logs in %s: %s", target->group, err->message);
        target->refused = true;
        *status = 0;
    } else if (*status == 0) {
        *status = sh_logs_write(cloud, target->group, target->stream, events, count, err);
    }
    return count;
}

/* All of the list in one transaction. */
static int write_all(sh_cloud *cloud, const line *first, sh_err *err)
{
    sh_log_event *events = malloc(LOT * sizeof(*events));
    if (!events)
        return sh_fail(err, SH_E_MEMORY, "no memory for a log");
    int status = sh_db_begin(cloud->db, err);
    if (status == 0) {
        while (first && status == 0)
            for (size_t count = write_some(cloud, first, events, &status, err); count > 0; count--)
                first = first->next;
        status = sh_db_end(cloud->db, status, err);
    }
    free(events);
    return status;
}

/* Takes at most LOT lines; the mutex is held. */
static line *take_lot(struct sh_lambda_log *log)
{
    line *first = log->first, *one = first;
    for (size_t i = 1; one && i < LOT && one->next; i++)
        one = one->next;
    if (!one)
        return NULL;
    log->first = one->next;
    one->next = NULL;
    if (!log->first)
        log->last = &log->first;
    return first;
}

static size_t free_lot(line *first)
{
    size_t bytes = 0;
    while (first) {
        line *next = first->next;
        bytes += first->length;
        sh_lambda_target_release(first->target);
        free(first);
        first = next;
    }
    return bytes;
}

static void *thread_main(void *opaque)
{
    struct sh_lambda_log *log = opaque;
    sh_err err = {0};
    pthread_mutex_lock(&log->mutex);
    while (log->first || !log->stopping) {
        line *lot = take_lot(log);
        uint64_t lost = log->lost;
        log->lost = 0;
        if (!lot) {
            pthread_cond_wait(&log->more, &log->mutex);
            continue;
        }
        pthread_mutex_unlock(&log->mutex);
        if (lost)
            sh_log(SH_LOG_ERROR, "lambda",
                   "%llu lines of functions were lost: they came faster than they "
                   "could be written",
                   (unsigned long long)lost);
        if (write_all(log->cloud, lot, &err) < 0)
            sh_log(SH_LOG_ERROR, "lambda", "lines of functions were lost: %s", err.message);
        size_t bytes = free_lot(lot);
        pthread_mutex_lock(&log->mutex);
        log->bytes -= bytes;
    }
    pthread_mutex_unlock(&log->mutex);
    return NULL;
}

int sh_lambda_log_open(sh_lambda *l, sh_err *err)
{
    struct sh_lambda_log *log = calloc(1, sizeof(*log));
    if (!log)
        return sh_fail(err, SH_E_MEMORY, "no memory for logs");
    log->cloud = l->cloud;
    log->last = &log->first;
    pthread_mutex_init(&log->mutex, NULL);
    pthread_cond_init(&log->more, NULL);
    int error = pthread_create(&log->thread, NULL, thread_main, log);
    if (error) {
        free(log);
        return sh_fail_errno(err, error, "cannot start the thread of functions' logs");
    }
    l->log = log;
    return 0;
}

void sh_lambda_log_close(sh_lambda *l)
{
    struct sh_lambda_log *log = l->log;
    if (!log)
        return;
    pthread_mutex_lock(&log->mutex);
    log->stopping = true;
    pthread_cond_signal(&log->more);
    pthread_mutex_unlock(&log->mutex);
    pthread_join(log->thread, NULL);
    pthread_cond_destroy(&log->more);
    pthread_mutex_destroy(&log->mutex);
    free(log);
    l->log = NULL;
}
