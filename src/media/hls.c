/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"
#include "base/size.h"
#include "media/hls_child.h"
#include "media/hls_job.h"
#include "media/media.h"
#include "media/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENTS_MAX 99999 /* five digits */

typedef struct receiver {
    const sh_hls_job *job;
    sh_hls_result *result;
    int folder;
    int64_t opened;
    bool picture, bytes;
} receiver;

static int segment_name(const sh_hls_job *job, int64_t number, char name[300], sh_err *err)
{
    int length = snprintf(name, 300, "%s_%05d.ts", job->segment_prefix, (int)number);
    if (length < 0 || length > 255)
        return sh_fail(err, SH_E_LIMIT,
                       "the name of a segment would have %d bytes; a file name has at most 255", length);
    return 0;
}

static int open_segment(void *opaque, int64_t number, sh_err *err)
{
    receiver *to = opaque;
    char name[300];
    if (number != to->opened + 1 || number > SEGMENTS_MAX)
        return sh_fail(err, SH_E_LIMIT, "segment %" PRId64 " after segment %" PRId64, number, to->opened);
    int status = segment_name(to->job, number, name, err);
    if (status < 0)
        return status;
    int fd = openat(to->folder, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    if (fd < 0)
        return sh_fail_errno(err, errno, "%s", name);
    to->opened = number;
    return fd;
}

/* What the child says is checked against what it may say. */
static int take_segment(receiver *to, const int64_t *n, sh_err *err)
{
    sh_hls_result *r = to->result;
    struct stat info;
    sh_hls_segment *grown = reallocarray(r->segments, r->segment_count + 1, sizeof(*grown));
    if (!grown)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    r->segments = grown;
    sh_hls_segment *s = &r->segments[r->segment_count];
    *s = (sh_hls_segment){.start = n[2], .duration = n[3], .bytes = n[4], .frames = n[5]};
    int status = segment_name(to->job, n[1], s->name, err);
    if (status < 0)
        return status;
    if (n[1] != (int64_t)r->segment_count + 1 || n[1] != to->opened || s->duration <= 0 || s->frames <= 0 ||
        fstatat(to->folder, s->name, &info, AT_SYMLINK_NOFOLLOW) < 0 || info.st_size != s->bytes)
        return sh_fail(err, SH_E_INTERNAL, "segment %" PRId64 " is not as it was reported", n[1]);
    r->segment_count++;
    return 0;
}

static void take_picture(receiver *to, const int64_t *n)
{
    sh_hls_result *r = to->result;
    r->width = (int)n[1];
    r->height = (int)n[2];
    r->sar_num = (int)(n[3] >> 32);
    r->sar_den = (int)(n[3] & 0xFFFFFFFF);
    r->rate_num = (int)(n[4] >> 32);
    r->rate_den = (int)(n[4] & 0xFFFFFFFF);
    r->frames_decoded = n[5];
    r->frames_encoded = n[6];
    to->picture = true;
}

static void take_bytes(receiver *to, const int64_t *n)
{
    sh_hls_result *r = to->result;
    for (int i = 0; i < 4; i++)
        r->sps[i] = (uint8_t)(n[1] >> (24 - 8 * i));
    r->audio_config_size = n[3] > 0 && n[3] <= 8 ? (size_t)n[3] : 0;
    for (size_t i = 0; i < r->audio_config_size; i++)
        r->audio_config[i] = (uint8_t)((uint64_t)n[2] >> (8 * (r->audio_config_size - 1 - i)));
    r->audio = r->audio_config_size > 0;
    r->first_pts = n[4];
    r->duration = n[5];
    to->bytes = true;
}

static int receive(void *opaque, const sh_message *message, sh_err *err)
{
    receiver *to = opaque;
    const sh_hls_progress progress = {message->number[0], (double)message->number[1] / 1e6};
    if (message->kind == SH_MSG_PROGRESS && to->job->progress)
        to->job->progress(to->job->opaque, &progress);
    if (message->kind == SH_MSG_LOG && message->status <= SH_LOG_WARNING && to->job->warning)
        to->job->warning(to->job->opaque, message->text);
    if (message->kind != SH_MSG_DATA)
        return 0;
    if (message->number[0] == SH_HLS_SEGMENT)
        return take_segment(to, message->number, err);
    if (message->number[0] == SH_HLS_PICTURE)
        take_picture(to, message->number);
    if (message->number[0] == SH_HLS_BYTES)
        take_bytes(to, message->number);
    return 0;
}

static void remove_segments(receiver *to)
{
    char name[300];
    for (int64_t i = 1; i <= to->opened; i++)
        if (segment_name(to->job, i, name, NULL) == 0)
            unlinkat(to->folder, name, 0);
}

static int check_job(const sh_hls_job *job, sh_err *err)
{
    if (strchr(job->segment_prefix, '/') || job->segment_prefix[0] == '\0')
        return sh_fail(err, SH_E_ARGUMENT, "the name of the segments is empty or holds a '/'");
    if (job->segment_ticks < SH_HLS_CLOCK / 10)
        return sh_fail(err, SH_E_ARGUMENT, "segments of less than 0.1 s");
    return 0;
}

int sh_hls_make(sh_hls_result *result, const sh_hls_job *job, sh_err *err)
{
    sh_hls_result got = {0};
    char shown[SH_SHOWN];
    receiver to = {.job = job, .result = &got};
    sh_hls_child child = {.job = job};
    int status = check_job(job, err);
    if (status < 0)
        return status;
    sh_shown_path(job->input, shown);
    to.folder = open(job->out_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    child.input = open(job->input, O_RDONLY | O_CLOEXEC);
    if (to.folder < 0 || child.input < 0)
        status = sh_fail_errno(err, errno, "%s", to.folder < 0 ? job->out_dir : shown);
    const sh_sandbox_job box = {.what = shown,
                                .main = sh_hls_child_main,
                                .opaque = &child,
                                .descriptors = &child.input,
                                .descriptor_count = 1,
                                .message = receive,
                                .open = open_segment,
                                .receiver = &to};
    if (status == 0)
        status = sh_sandbox_run(&box, err);
    if (status == 0 && (!to.picture || !to.bytes || got.segment_count != (size_t)to.opened))
        status = sh_fail(err, SH_E_INTERNAL, "%s: the child process gave no full result", shown);
    if (status < 0 && to.folder >= 0)
        remove_segments(&to);
    if (to.folder >= 0)
        close(to.folder);
    if (child.input >= 0)
        close(child.input);
    if (status < 0)
        sh_hls_result_free(&got);
    else
        *result = got;
    return status;
}

void sh_hls_result_free(sh_hls_result *result)
{
    free(result->segments);
    *result = (sh_hls_result){0};
}
