/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One line a request, written in one piece, so that lines of threads do not mix; the descriptor is changed
 * under a lock that writers share. What clients choose (paths, names of buckets) is escaped as JSON in both
 * forms of the line. */
#include "cloud/api/agent.h"
#include "cloud/api/watch.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/size.h"
#include "cloud/store/gauges.h"
#include "cloud/store/settings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096, PATH_SHOWN = 1024 };
#define DISK_LEAST ((uint64_t)64 << 20)

struct sh_watch {
    sh_counters *counters;
    atomic_int_fast64_t began, ended;
    int64_t started_s;
    char *path; /* of the access log; NULL: none */
    bool json;
    pthread_rwlock_t lock;
    int fd; /* -1: none */
};

int sh_watch_new(sh_watch **out, const sh_watch_options *options, sh_err *err)
{
    sh_watch *w = calloc(1, sizeof(*w));
    if (!w)
        return sh_fail(err, SH_E_MEMORY, "no memory for the counters");
    w->fd = -1;
    w->json = options->json;
    w->started_s = sh_now_ms(&sh_clock_system) / 1000;
    pthread_rwlock_init(&w->lock, NULL);
    w->counters = sh_counters_new();
    w->path = options->access_log ? strdup(options->access_log) : NULL;
    int status = !w->counters || (options->access_log && !w->path)
                     ? sh_fail(err, SH_E_MEMORY, "no memory for the counters")
                     : sh_watch_reopen(w, err);
    if (status < 0) {
        sh_watch_free(w);
        return status;
    }
    *out = w;
    return 0;
}

static void close_log(int fd)
{
    if (fd > STDERR_FILENO)
        close(fd);
}

void sh_watch_free(sh_watch *watch)
{
    if (!watch)
        return;
    close_log(watch->fd);
    pthread_rwlock_destroy(&watch->lock);
    sh_counters_free(watch->counters);
    free(watch->path);
    free(watch);
}

int sh_watch_reopen(sh_watch *watch, sh_err *err)
{
    if (!watch->path)
        return 0;
    int fd = STDERR_FILENO;
    if (strcmp(watch->path, "-") != 0)
        fd = open(watch->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0)
        return sh_fail_errno(err, errno, "cannot open the access log %s", watch->path);
    pthread_rwlock_wrlock(&watch->lock);
    int old = watch->fd;
    watch->fd = fd;
    pthread_rwlock_unlock(&watch->lock);
    close_log(old);
    return 0;
}

/* ---- lines ---- */

/* A JSON string of about `most` bytes of the text at most. Bytes that are no UTF-8 are escaped one by one. */
static void put_string(sh_buf *line, const char *text, size_t most)
{
    bool utf8 = sh_utf8_valid(text, strlen(text));
    sh_buf_putc(line, '"');
    for (size_t i = 0; text[i] && (i < most || ((unsigned char)text[i] & 0xC0) == 0x80); i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            sh_buf_printf(line, "\\%c", c);
        else if (c < 0x20 || c == 0x7F || (c > 0x7F && !utf8))
            sh_buf_printf(line, "\\u%04x", c);
        else
            sh_buf_putc(line, (char)c);
    }
    sh_buf_putc(line, '"');
}

static void put_member(sh_buf *line, bool json, const char *name, const char *text)
{
    sh_buf_printf(line, json ? ",\"%s\":" : " %s=", name);
    put_string(line, text, PATH_SHOWN);
}

static void put_number(sh_buf *line, bool json, const char *name, int64_t number)
{
    sh_buf_printf(line, json ? ",\"%s\":%lld" : " %s=%lld", name, (long long)number);
}

static void write_line(const sh_watch *w, sh_buf *line)
{
    if (line->failed || write(w->fd, line->data, line->length) >= 0)
        return;
    static atomic_flag said = ATOMIC_FLAG_INIT; /* once: a full disk would fill it with complaints */
    if (!atomic_flag_test_and_set(&said))
        sh_log(SH_LOG_ERROR, "watch", "the access log %s cannot be written: %s", w->path, strerror(errno));
}

/* A share's token opens a folder for whoever reads it, so the log shows where it stood. */
static const char *path_shown(const sh_http_request *request, char *text, size_t size)
{
    static const char share[] = "/_spyhop/share/";
    const char *path = sh_http_request_head(request)->path;
    if (strncmp(path, share, sizeof(share) - 1) != 0)
        return path;
    const char *rest = strchr(path + sizeof(share) - 1, '/');
    snprintf(text, size, "%s-%s", share, rest ? rest : "");
    return text;
}

static void log_request(sh_watch *w, const sh_http_request *request, int64_t took_us)
{
    char time[SH_TIME_TEXT], path[PATH_SHOWN];
    const sh_http_record *r = sh_http_request_record(request);
    sh_buf line;
    sh_buf_init(&line, 8 * LINE_MAX_BYTES);
    sh_time_iso_ms(sh_now_ms(&sh_clock_system), time);
    sh_buf_printf(&line, w->json ? "{\"time\":\"%s\",\"level\":\"info\",\"area\":\"access\"" : "%s access",
                  time);
    put_member(&line, w->json, "request_id", sh_http_request_id(request));
    put_member(&line, w->json, "client", sh_http_request_client(request));
    put_member(&line, w->json, "method",
               sh_http_request_head(request)->method ? sh_http_request_head(request)->method : "");
    put_member(&line, w->json, "path", path_shown(request, path, sizeof(path)));
    if (r->service)
        put_member(&line, w->json, "service", r->service);
    if (r->operation)
        put_member(&line, w->json, "operation", r->operation);
    if (r->resource)
        put_member(&line, w->json, "bucket", r->resource);
    put_number(&line, w->json, "status", r->status);
    put_number(&line, w->json, "received", r->received);
    put_number(&line, w->json, "answered", r->answered);
    sh_buf_printf(&line, w->json ? ",\"ms\":%.3f" : " ms=%.3f", (double)took_us / 1000);
    sh_buf_printf(&line, w->json ? ",\"complete\":%s}\n" : " complete=%s\n", r->complete ? "true" : "false");
    pthread_rwlock_rdlock(&w->lock);
    write_line(w, &line);
    pthread_rwlock_unlock(&w->lock);
    sh_buf_free(&line);
}

static void json_log(void *opaque, int level, const char *area, const char *message)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    char time[SH_TIME_TEXT];
    sh_buf line;
    (void)opaque;
    sh_buf_init(&line, 8 * LINE_MAX_BYTES);
    sh_time_iso_ms(sh_now_ms(&sh_clock_system), time);
    sh_buf_printf(&line, "{\"time\":\"%s\",\"level\":\"%s\"", time, names[level]);
    put_member(&line, true, "area", area);
    put_member(&line, true, "message", message);
    sh_buf_puts(&line, "}\n");
    if (!line.failed && write(STDERR_FILENO, line.data, line.length) < 0)
        errno = 0; /* nowhere left to say it */
    sh_buf_free(&line);
}

void sh_watch_json_log(void)
{
    sh_log_set(json_log, NULL);
}

/* ---- counting ---- */

void sh_watch_began(sh_watch *watch)
{
    atomic_fetch_add_explicit(&watch->began, 1, memory_order_relaxed);
}

void sh_watch_observe(void *opaque, const sh_http_request *request)
{
    sh_watch *w = opaque;
    const sh_http_record *record = sh_http_request_record(request);
    int64_t took_us = sh_monotonic_us() - record->started_us;
    sh_counters_add(w->counters, record, took_us);
    if (sh_http_handled(request))
        atomic_fetch_add_explicit(&w->ended, 1, memory_order_relaxed);
    if (w->path)
        log_request(w, request, took_us);
}

/* ---- metrics ---- */

static void put_gauge(sh_buf *out, const char *name, const char *kind, const char *help, double value)
{
    sh_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.17g\n", name, help, name, kind, name, value);
}

static void put_process(sh_watch *w, sh_buf *out)
{
    struct rusage use;
    long long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f) {
        if (fscanf(f, "%lld %lld", &size, &resident) != 2)
            resident = 0;
        fclose(f);
    }
    put_gauge(out, "process_resident_memory_bytes", "gauge", "Resident memory of the server.",
              (double)resident * (double)sysconf(_SC_PAGESIZE));
    if (getrusage(RUSAGE_SELF, &use) == 0)
        put_gauge(out, "process_cpu_seconds_total", "counter", "Processor time of the server.",
                  (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                      (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6);
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (dir && readdir(dir))
        count++;
    if (dir) {
        closedir(dir);
        put_gauge(out, "process_open_fds", "gauge", "Open descriptors.", count - 3);
    }
    put_gauge(out, "process_start_time_seconds", "gauge", "When the server started.", (double)w->started_s);
}

static void put_disk(const sh_cloud *cloud, sh_buf *out)
{
    struct statvfs disk;
    if (statvfs(cloud->settings.data, &disk) < 0)
        return;
    put_gauge(out, "spyhop_disk_free_bytes", "gauge", "Free space where the data folder lies.",
              (double)disk.f_bavail * (double)disk.f_frsize);
    put_gauge(out, "spyhop_disk_size_bytes", "gauge", "Size of the file system of the data folder.",
              (double)disk.f_blocks * (double)disk.f_frsize);
}

static void put_queues(const sh_gauges *g, sh_buf *out)
{
    static const char name[] = "spyhop_queue_length";
    sh_buf_printf(out, "# HELP %s What waits to be done.\n# TYPE %s gauge\n", name, name);
    sh_buf_printf(out, "%s{queue=\"events\"} %lld\n", name, (long long)g->events);
    sh_buf_printf(out, "%s{queue=\"deliveries\"} %lld\n", name, (long long)g->deliveries);
    sh_buf_printf(out, "%s{queue=\"commands\"} %lld\n", name, (long long)g->commands);
    sh_buf_printf(out, "%s{queue=\"mediaconvert\"} %lld\n", name, (long long)g->mcjobs_waiting);
    put_gauge(out, "spyhop_executions_running", "gauge", "Executions of state machines that have not ended.",
              (double)g->executions);
    put_gauge(out, "spyhop_mediaconvert_jobs_running", "gauge", "MediaConvert jobs being made.",
              (double)g->mcjobs_running);
    put_gauge(out, "spyhop_database_commits_total", "counter", "Transactions committed.", (double)g->commits);
    put_gauge(out, "spyhop_database_syncs_total", "counter", "Times the database's log was synced to disk.",
              (double)g->syncs);
}

int sh_watch_metrics(sh_watch *watch, sh_cloud *cloud, sh_buf *out, sh_err *err)
{
    sh_gauges gauges;
    int status = sh_gauges_read(cloud->db, &gauges, err);
    if (status < 0)
        return status;
    sh_counters_write(watch->counters, out);
    put_gauge(out, "spyhop_http_requests_in_flight", "gauge", "Requests that have begun and not ended.",
              (double)(atomic_load(&watch->began) - atomic_load(&watch->ended)));
    put_queues(&gauges, out);
    if ((status = sh_agent_metrics(cloud, out, err)) < 0)
        return status;
    put_disk(cloud, out);
    put_process(watch, out);
    return out->failed ? sh_fail(err, SH_E_MEMORY, "no memory for the metrics") : 0;
}

/* ---- health ---- */

static bool check_disk(const sh_cloud *cloud, char *text, size_t size)
{
    struct statvfs disk;
    if (statvfs(cloud->settings.data, &disk) < 0) {
        snprintf(text, size, "the data folder cannot be reached: %s", strerror(errno));
        return false;
    }
    uint64_t free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (disk.f_flag & ST_RDONLY) {
        snprintf(text, size, "the file system of the data folder is read-only");
        return false;
    }
    if (free_bytes < DISK_LEAST) {
        snprintf(text, size, "only %llu MiB are free where the data folder lies: uploads will be refused",
                 (unsigned long long)(free_bytes >> 20));
        return false;
    }
    return true;
}

/* One row: anybody may ask, as often as they like. */
static bool check_database(const sh_cloud *cloud, char *text, size_t size)
{
    sh_buf value;
    sh_err err = {0};
    sh_buf_init(&value, LINE_MAX_BYTES);
    int status = sh_settings_get(cloud->db, "instance_id", &value, &err);
    sh_buf_free(&value);
    if (status == 0 || status == SH_E_NOT_FOUND)
        return true;
    sh_log(SH_LOG_ERROR, "watch", "%s", err.message); /* strangers read health: no names of files */
    snprintf(text, size, "the database cannot be read: the server's log says why");
    return false;
}

static bool check_runners(const sh_cloud *cloud, char *text, size_t size)
{
    unsigned lost = sh_cloud_lost(cloud);
    if (lost == 0)
        return true;
    snprintf(text, size, "%u of the server's threads have ended: the server's log says why; restart it",
             lost);
    return false;
}

bool sh_watch_health(sh_cloud *cloud, sh_buf *out)
{
    static const struct {
        const char *name;
        bool (*check)(const sh_cloud *cloud, char *text, size_t size);
    } rows[] = {{"disk", check_disk}, {"database", check_database}, {"runners", check_runners}};
    char texts[SH_COUNT(rows)][200];
    bool good = true;
    for (size_t i = 0; i < SH_COUNT(rows); i++) {
        snprintf(texts[i], sizeof(texts[i]), "ok");
        good = rows[i].check(cloud, texts[i], sizeof(texts[i])) && good;
    }
    sh_buf_printf(out, "{\"status\":\"%s\",\"checks\":{", good ? "ok" : "failing");
    for (size_t i = 0; i < SH_COUNT(rows); i++) {
        sh_buf_printf(out, "%s\"%s\":", i ? "," : "", rows[i].name);
        put_string(out, texts[i], sizeof(texts[i]));
    }
    sh_buf_puts(out, "}}\n");
    return good;
}
