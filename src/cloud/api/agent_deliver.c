/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/api/agent_deliver.h"
#include "base/file.h"
#include "base/size.h"
#include "cloud/api/agent_inner.h"
#include "cloud/api/authorize.h"
#include "cloud/api/front.h"
#include "cloud/api/logs.h"
#include "cloud/api/s3_authorize.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STREAMS_MAX = 128, LINES_MAX = 100000, LINE_MAX_BYTES = 256 << 10, ARENA_MAX = 1 << 20 };

typedef struct stream {
    const char *step, *name; /* "stdout" */
    char from[PATH_MAX];
    char staged[SH_STAGE_PATH];
    char *key;
} stream;

typedef struct delivery {
    sh_cloud *cloud;
    sh_arena *arena;
    const sh_invocation *row;
    json_t *request;
    const char *bucket, *group; /* NULL: none */
    sh_caller session;
    stream *streams;
    size_t count;
    sh_object_with_fn with;
    void *opaque;
} delivery;

char *sh_ssm_step_key(const sh_invocation *row, const json_t *request, const char *step, const char *name)
{
    const char *bucket = json_string_value(json_object_get(request, "OutputS3BucketName"));
    const char *prefix = json_string_value(json_object_get(request, "OutputS3KeyPrefix"));
    char *key = NULL;
    if (!bucket || !*bucket)
        return NULL;
    if (asprintf(&key, "%s%s%s/%s/awsrunShellScript/%s/%s", prefix ? prefix : "",
                 prefix && *prefix ? "/" : "", row->id, row->instance, step, name) < 0)
        return NULL;
    return key;
}

static void read_places(delivery *d)
{
    const json_t *logs = json_object_get(d->request, "CloudWatchOutputConfig");
    const char *bucket = json_string_value(json_object_get(d->request, "OutputS3BucketName"));
    const char *group = json_string_value(json_object_get(logs, "CloudWatchLogGroupName"));
    d->bucket = bucket && *bucket ? bucket : NULL;
    if (json_is_true(json_object_get(logs, "CloudWatchOutputEnabled")))
        d->group = group && *group ? group : sh_arena_printf(d->arena, "/aws/ssm/%s", d->row->document);
}

/* Those that came and are not empty. */
static int find_streams(delivery *d, const json_t *steps, sh_err *err)
{
    static const char *const names[] = {"stdout", "stderr"};
    size_t index;
    const json_t *step;
    struct stat st;
    json_array_foreach(steps, index, step)
    {
        for (size_t i = 0; i < SH_COUNT(names) && d->count < STREAMS_MAX; i++) {
            stream *s = &d->streams[d->count];
            *s = (stream){.step = json_string_value(json_object_get(step, "name")), .name = names[i]};
            int status = sh_agent_output_path(d->cloud, d->row->id, d->row->instance, (int64_t)index,
                                              names[i], s->from, sizeof(s->from), err);
            if (status < 0)
                return status;
            if (strchr(s->step, '/') == NULL && stat(s->from, &st) == 0 && st.st_size > 0)
                d->count++;
        }
    }
    return 0;
}

/* ---- to a bucket ---- */

static int copy_file(int from, int to, sh_err *err)
{
    char block[65536];
    for (;;) {
        ssize_t got = read(from, block, sizeof(block));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return sh_fail_errno(err, errno, "cannot read a command's output");
        if (got == 0)
            return 0;
        int status = sh_fd_write(to, block, (size_t)got, err);
        if (status < 0)
            return status;
    }
}

static int stage(const sh_objects *objects, stream *s, sh_err *err)
{
    int to = -1;
    int from = open(s->from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (from < 0)
        return sh_fail_errno(err, errno, "cannot read a command's output");
    int status = sh_stage_file(objects, s->staged, &to, err);
    if (status == 0)
        status = copy_file(from, to, err);
    if (to >= 0)
        close(to);
    close(from);
    return status;
}

/* A bucket that is not there is said by who writes to it. */
static int may_write(const delivery *d, const char *key, sh_err *err)
{
    const char *sentence;
    int status =
        sh_s3_permit(d->cloud, &d->session, "s3:PutObject", d->bucket, key, d->arena, &sentence, err);
    if (status == SH_E_DENIED)
        return sh_fail(err, status, "%s", sentence);
    return status == SH_E_NOT_FOUND ? 0 : status;
}

static int prepare_objects(delivery *d, const sh_objects *objects, sh_object_new *items, sh_err *err)
{
    for (size_t i = 0; i < d->count; i++) {
        stream *s = &d->streams[i];
        s->key = sh_ssm_step_key(d->row, d->request, s->step, s->name);
        if (!s->key)
            return sh_fail(err, SH_E_MEMORY, "no memory for a key");
        int status = may_write(d, s->key, err);
        if (status == 0)
            status = stage(objects, s, err);
        if (status < 0)
            return status;
        items[i] = (sh_object_new){.bucket = d->bucket,
                                   .key = s->key,
                                   .path = s->staged,
                                   .content_type = "text/plain; charset=utf-8"};
    }
    return 0;
}

/* ---- to a log group ---- */

static int may_log(const delivery *d, const char *name, sh_err *err)
{
    const sh_cloud_settings *s = &d->cloud->settings;
    const char *sentence = "";
    const char *resource = sh_arena_printf(d->arena, "arn:aws:logs:%s:%s:log-group:%s:log-stream:%s",
                                           s->region, s->account, d->group, name);
    const sh_asked asked = {.action = "logs:PutLogEvents", .resource = resource};
    if (!resource)
        return sh_fail(err, SH_E_MEMORY, "no memory for a log stream");
    int status = sh_authorize(d->cloud, &d->session, &asked, d->arena, &sentence, err);
    return status == SH_E_DENIED ? sh_fail(err, status, "%s", sentence) : status;
}

typedef struct lines {
    sh_log_event *list;
    size_t count;
    int64_t now_ms;
} lines;

/* A line is an event; an empty one has none, as an event may not be empty. */
static void split(char *text, size_t length, lines *out)
{
    char *end = text + length;
    for (char *at = text; at < end && out->count < LINES_MAX;) {
        char *stop = memchr(at, '\n', (size_t)(end - at));
        char *next = stop ? stop + 1 : end;
        size_t size = (size_t)((stop ? stop : end) - at);
        if (size > LINE_MAX_BYTES)
            size = LINE_MAX_BYTES;
        at[size] = '\0';
        sh_text_mend(at);
        if (*at)
            out->list[out->count++] = (sh_log_event){.time_ms = out->now_ms, .message = at};
        at = next;
    }
    if (out->count == LINES_MAX)
        out->list[LINES_MAX - 1].message =
            "(the rest of the output is not in this log: it has too many lines)";
}

static int log_stream(const delivery *d, const stream *s, sh_err *err)
{
    sh_buf text;
    lines all = {.now_ms = sh_now_ms(d->cloud->clock)};
    bool named = strcmp(s->step, "0.awsrunShellScript") != 0;
    const char *name = sh_arena_printf(d->arena, "%s/%s/%s/%s", d->row->id, d->row->instance,
                                       named ? s->step : "aws-runShellScript", s->name);
    sh_buf_init(&text, SH_AGENT_OUTPUT_MAX + 1);
    int status = name ? may_log(d, name, err) : sh_fail(err, SH_E_MEMORY, "no memory for a log stream");
    if (status == 0)
        status = sh_file_read(s->from, &text, err);
    if (status == 0 && !(all.list = calloc(LINES_MAX, sizeof(*all.list))))
        status = sh_fail(err, SH_E_MEMORY, "no memory for a command's output");
    if (status == 0) {
        split(text.data, text.length, &all);
        if (all.count > 0)
            status = sh_logs_write(d->cloud, d->group, name, all.list, all.count, err);
    }
    free(all.list);
    sh_buf_free(&text);
    return status;
}

/* In the transaction of the objects. */
static int log_and_settle(void *opaque, sh_err *err)
{
    const delivery *d = opaque;
    int status = 0;
    for (size_t i = 0; d->group && status == 0 && i < d->count; i++)
        status = log_stream(d, &d->streams[i], err);
    return status == 0 ? d->with(d->opaque, err) : status;
}

static int settle_alone(delivery *d, sh_err *err)
{
    int status = sh_db_begin(d->cloud->db, err);
    return status < 0 ? status : sh_db_end(d->cloud->db, log_and_settle(d, err), err);
}

static int bring(delivery *d, sh_err *err)
{
    static const sh_object_cause cause = {.reason = "PutObject", .requester = "ssm.amazonaws.com"};
    sh_object_new items[STREAMS_MAX];
    sh_objects objects = sh_cloud_objects(d->cloud);
    int status = sh_agent_session(d->cloud, d->row->instance, d->arena, &d->session, err);
    if (status < 0)
        return status;
    if (!d->bucket)
        return settle_alone(d, err);
    status = prepare_objects(d, &objects, items, err);
    if (status == 0)
        status = sh_objects_publish_with(&objects, items, d->count, &cause, log_and_settle, d, err);
    for (size_t i = 0; i < d->count; i++) {
        if (d->streams[i].staged[0])
            unlink(d->streams[i].staged);
        free(d->streams[i].key);
    }
    return status;
}

int sh_agent_deliver(sh_cloud *cloud, const sh_invocation *row, const json_t *steps, sh_object_with_fn with,
                     void *opaque, sh_err *err)
{
    delivery d = {.cloud = cloud,
                  .arena = sh_arena_new(ARENA_MAX),
                  .row = row,
                  .request = json_loads(row->request, 0, NULL),
                  .streams = calloc(STREAMS_MAX, sizeof(stream)),
                  .with = with,
                  .opaque = opaque};
    int status = d.arena && d.streams ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for a command's output");
    if (status == 0) {
        read_places(&d);
        if (d.bucket || d.group)
            status = find_streams(&d, steps, err);
    }
    if (status == 0 && d.count > 0) {
        status = bring(&d, err);
        status = status == 0 ? 1 : status;
    }
    json_decref(d.request);
    free(d.streams);
    sh_arena_free(d.arena);
    return status;
}
