/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A row for each service, operation and status, found by a hash over the three. Rows are only added, so that
 * a request finds its own without a lock and adds to it atomically; the lock is for new rows alone. When the
 * table is full (there are far fewer operations), the rest is counted as "other". The histogram's bounds rise
 * by four, from half a millisecond to half a minute. */
#include "cloud/api/watch.h"
#include "base/size.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 2048, ROWS_USED_MAX = ROWS * 3 / 4, BOUNDS = 9 };

static const int64_t bounds_us[BOUNDS] = {500, 2000, 8000, 32000, 128000, 512000, 2048000, 8192000, 32768000};

typedef struct row {
    const char *service, *operation;
    int status;
    atomic_bool there; /* set last */
    atomic_uint_fast64_t count, received, answered, sum_us;
    atomic_uint_fast64_t buckets[BOUNDS + 1]; /* not cumulative; the last one is what is slower */
} row;

struct sh_counters {
    pthread_mutex_t mutex;
    size_t used;
    row rows[ROWS];
};

sh_counters *sh_counters_new(void)
{
    sh_counters *c = calloc(1, sizeof(*c));
    if (c)
        pthread_mutex_init(&c->mutex, NULL);
    return c;
}

void sh_counters_free(sh_counters *counters)
{
    if (!counters)
        return;
    pthread_mutex_destroy(&counters->mutex);
    free(counters);
}

static size_t hash_of(const char *service, const char *operation, int status)
{
    uint64_t h = 1469598103934665603u ^ (unsigned)status;
    for (const char *c = service; *c; c++)
        h = (h ^ (unsigned char)*c) * 1099511628211u;
    for (const char *c = operation; *c; c++)
        h = (h ^ (unsigned char)*c) * 1099511628211u;
    return (size_t)(h ^ h >> 32) % ROWS;
}

static bool is_row(const row *r, const char *service, const char *operation, int status)
{
    return r->status == status && strcmp(r->service, service) == 0 && strcmp(r->operation, operation) == 0;
}

/* The row, or the empty place where it belongs. */
static row *look(sh_counters *c, const char *service, const char *operation, int status)
{
    size_t at = hash_of(service, operation, status);
    while (atomic_load_explicit(&c->rows[at].there, memory_order_acquire) &&
           !is_row(&c->rows[at], service, operation, status))
        at = (at + 1) % ROWS;
    return &c->rows[at];
}

static row *row_of(sh_counters *c, const char *service, const char *operation, int status)
{
    row *r = look(c, service, operation, status);
    if (atomic_load_explicit(&r->there, memory_order_acquire))
        return r;
    pthread_mutex_lock(&c->mutex);
    if (c->used >= ROWS_USED_MAX)
        service = operation = "other", status = 0;
    r = look(c, service, operation, status);
    if (!atomic_load_explicit(&r->there, memory_order_acquire)) {
        r->service = service;
        r->operation = operation;
        r->status = status;
        c->used++;
        atomic_store_explicit(&r->there, true, memory_order_release);
    }
    pthread_mutex_unlock(&c->mutex);
    return r;
}

static void add(atomic_uint_fast64_t *to, int64_t value)
{
    atomic_fetch_add_explicit(to, value > 0 ? (uint_fast64_t)value : 0, memory_order_relaxed);
}

void sh_counters_add(sh_counters *counters, const sh_http_record *record, int64_t took_us)
{
    size_t bucket = 0;
    row *r = row_of(counters, record->service ? record->service : "none",
                    record->operation ? record->operation : "none", record->status);
    while (bucket < BOUNDS && took_us > bounds_us[bucket])
        bucket++;
    add(&r->buckets[bucket], 1);
    add(&r->count, 1);
    add(&r->sum_us, took_us);
    add(&r->received, record->received);
    add(&r->answered, record->answered);
}

/* ---- as text ---- */

static void metric(sh_buf *out, const char *name, const char *kind, const char *help)
{
    sh_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

static unsigned long long value_of(atomic_uint_fast64_t *from)
{
    return (unsigned long long)atomic_load_explicit(from, memory_order_relaxed);
}

static int compare(const void *a, const void *b)
{
    const row *x = *(row *const *)a, *y = *(row *const *)b;
    int order = strcmp(x->service, y->service);
    if (order == 0)
        order = strcmp(x->operation, y->operation);
    return order ? order : x->status - y->status;
}

static size_t sorted_rows(sh_counters *c, row **rows)
{
    size_t count = 0;
    for (size_t i = 0; i < ROWS; i++)
        if (atomic_load_explicit(&c->rows[i].there, memory_order_acquire))
            rows[count++] = &c->rows[i];
    qsort(rows, count, sizeof(*rows), compare);
    return count;
}

typedef struct histogram {
    unsigned long long buckets[BOUNDS + 1], count, sum_us, received, answered;
} histogram;

/* Rows first..next of one operation, all statuses together. */
static size_t gather(row *const *rows, size_t first, size_t count, histogram *h)
{
    size_t next = first;
    *h = (histogram){0};
    for (; next < count && strcmp(rows[next]->service, rows[first]->service) == 0 &&
           strcmp(rows[next]->operation, rows[first]->operation) == 0;
         next++) {
        row *r = rows[next];
        for (size_t i = 0; i <= BOUNDS; i++)
            h->buckets[i] += value_of(&r->buckets[i]);
        h->sum_us += value_of(&r->sum_us);
        h->received += value_of(&r->received);
        h->answered += value_of(&r->answered);
    }
    for (size_t i = 0; i <= BOUNDS; i++)
        h->count += h->buckets[i];
    return next;
}

static void write_histogram(sh_buf *out, const row *r, const histogram *h)
{
    static const char name[] = "spyhop_http_request_duration_seconds";
    unsigned long long so_far = 0;
    for (size_t i = 0; i <= BOUNDS; i++) {
        so_far += h->buckets[i];
        sh_buf_printf(out, "%s_bucket{service=\"%s\",operation=\"%s\",le=\"", name, r->service, r->operation);
        if (i < BOUNDS)
            sh_buf_printf(out, "%g", (double)bounds_us[i] / 1e6);
        else
            sh_buf_puts(out, "+Inf");
        sh_buf_printf(out, "\"} %llu\n", so_far);
    }
    sh_buf_printf(out, "%s_sum{service=\"%s\",operation=\"%s\"} %.6f\n", name, r->service, r->operation,
                  (double)h->sum_us / 1e6);
    sh_buf_printf(out, "%s_count{service=\"%s\",operation=\"%s\"} %llu\n", name, r->service, r->operation,
                  h->count);
}

static void write_bytes(sh_buf *out, row *const *rows, size_t count, const char *name, const char *help,
                        bool received)
{
    histogram h;
    metric(out, name, "counter", help);
    for (size_t i = 0, next; i < count; i = next) {
        next = gather(rows, i, count, &h);
        sh_buf_printf(out, "%s{service=\"%s\",operation=\"%s\"} %llu\n", name, rows[i]->service,
                      rows[i]->operation, received ? h.received : h.answered);
    }
}

void sh_counters_write(sh_counters *counters, sh_buf *out)
{
    row *rows[ROWS];
    histogram h;
    size_t count = sorted_rows(counters, rows);
    metric(out, "spyhop_http_requests_total", "counter",
           "Requests that ended; code 0: the connection was cut without an answer.");
    for (size_t i = 0; i < count; i++)
        sh_buf_printf(out, "spyhop_http_requests_total{service=\"%s\",operation=\"%s\",code=\"%d\"} %llu\n",
                      rows[i]->service, rows[i]->operation, rows[i]->status, value_of(&rows[i]->count));
    metric(out, "spyhop_http_request_duration_seconds", "histogram",
           "From a request's head to the end of its answer.");
    for (size_t i = 0, next; i < count; i = next) {
        next = gather(rows, i, count, &h);
        write_histogram(out, rows[i], &h);
    }
    write_bytes(out, rows, count, "spyhop_http_received_bytes_total", "Bytes of the bodies of requests.",
                true);
    write_bytes(out, rows, count, "spyhop_http_answered_bytes_total",
                "Bytes of the bodies of answers, as announced.", false);
}
