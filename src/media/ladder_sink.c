/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/ladder_sink.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "media/ladder_sink_inner.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static const sh_sink_ops *const kinds[] = {
    [SH_SINK_CMAF] = &sh_sink_cmaf_ops, [SH_SINK_TS] = &sh_sink_ts_ops, [SH_SINK_MP4] = &sh_sink_mp4_ops};

bool sh_sink_can_resume(sh_sink_kind kind)
{
    return kind == SH_SINK_CMAF;
}

bool sh_sink_is_video(const sh_sink_track *track)
{
    return track->parameters->codec_type == AVMEDIA_TYPE_VIDEO;
}

/* ---- files ---- */

int sh_sink_end_file(sh_sink *sink, int fd, sh_err *err)
{
    int status = 0;
    if (fdatasync(fd) < 0 && errno != EINVAL && errno != EROFS) /* a pipe has nothing to sync */
        status = sh_fail_errno(err, errno, "%s: what was written cannot be brought to disk", sink->name);
    if (close(fd) < 0 && status == 0)
        status = sh_fail_errno(err, errno, "%s: writing", sink->name);
    return status;
}

int sh_sink_put(sh_sink *sink, const sh_buf *bytes, sh_sink_written *written, sh_err *err)
{
    int fd = sink->host.open(sink->host.opaque, written->file, written->number, err);
    if (fd < 0)
        return fd;
    int status = sh_fd_write(fd, bytes->data, bytes->length, err);
    if (status < 0) {
        close(fd);
        return sh_err_prefix(err, "%s", sink->name);
    }
    status = sh_sink_end_file(sink, fd, err);
    if (status < 0)
        return status;
    written->bytes = (int64_t)bytes->length;
    written->crc = sh_crc32c(0, bytes->data, bytes->length);
    return sink->host.written(sink->host.opaque, written, err);
}

/* ---- opening ---- */

static int check_track(const sh_sink_settings *settings, size_t i, sh_err *err)
{
    const sh_sink_track *track = &settings->tracks[i];
    const bool video = sh_sink_is_video(track);
    if (track->time_base.num < 1 || track->time_base.den < 1)
        return sh_fail(err, SH_E_ARGUMENT, "%s: track %zu has no time base", settings->name, i);
    if (video && i > 0)
        return sh_fail(err, SH_E_ARGUMENT, "%s: one video track, the first, is what goes into a file",
                       settings->name);
    if (!video && track->parameters->codec_id != AV_CODEC_ID_AAC)
        return sh_fail(err, SH_E_ARGUMENT, "%s: track %zu is neither video nor AAC", settings->name, i);
    if (video && track->step < 1)
        return sh_fail(err, SH_E_ARGUMENT, "%s: a video track without the duration of a frame",
                       settings->name);
    return 0;
}

static int copy_track(sh_sink_track *to, const sh_sink_track *from, sh_err *err)
{
    AVCodecParameters *parameters = avcodec_parameters_alloc();
    if (!parameters || avcodec_parameters_copy(parameters, from->parameters) < 0) {
        avcodec_parameters_free(&parameters);
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    }
    *to = *from;
    to->parameters = parameters;
    to->side_data = NULL;
    to->side_data_count = 0;
    return 0;
}

static int fill(sh_sink *sink, const sh_sink_settings *settings, sh_err *err)
{
    int status = 0;
    for (size_t i = 0; i < settings->track_count && status == 0; i++) {
        status = check_track(settings, i, err);
        if (status == 0)
            status = copy_track(&sink->tracks[i], &settings->tracks[i], err);
        sink->track_count += status == 0;
    }
    return status;
}

int sh_sink_open(sh_sink **out, const sh_sink_settings *settings, sh_err *err)
{
    if (settings->track_count < 1 || settings->track_count > SH_SINK_TRACKS)
        return sh_fail(err, SH_E_ARGUMENT, "%s: a file of %zu tracks; 1 to %d are possible", settings->name,
                       settings->track_count, SH_SINK_TRACKS);
    sh_sink *sink = calloc(1, sizeof(*sink));
    if (!sink)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    sink->kind = settings->kind;
    sink->ops = kinds[settings->kind];
    sink->name = settings->name;
    sink->host = settings->host;
    int status = fill(sink, settings, err);
    if (status == 0)
        status = sink->ops->open(sink, settings, err);
    if (status < 0)
        sh_sink_close(&sink);
    else
        *out = sink;
    return status;
}

void sh_sink_close(sh_sink **out)
{
    sh_sink *sink = *out;
    if (!sink)
        return;
    if (sink->state)
        sink->ops->close(sink);
    for (size_t i = 0; i < sink->track_count; i++) {
        AVCodecParameters *parameters = (AVCodecParameters *)sink->tracks[i].parameters;
        avcodec_parameters_free(&parameters);
    }
    free(sink);
    *out = NULL;
}

/* ---- segments ---- */

static int check_segment(const sh_sink *sink, const sh_sink_segment_in *segment, sh_err *err)
{
    const sh_sink_packets *first = &segment->tracks[0];
    if (!sh_sink_is_video(&sink->tracks[0]))
        return 0;
    if (first->count == 0)
        return sh_fail(err, SH_E_INTERNAL, "%s: segment %lld has no picture", sink->name,
                       (long long)segment->number);
    if (!(first->packets[0]->flags & AV_PKT_FLAG_KEY))
        return sh_fail(err, SH_E_INTERNAL, "%s: segment %lld does not begin with a key picture", sink->name,
                       (long long)segment->number);
    if (first->packets[0]->pts != segment->start || segment->end <= segment->start)
        return sh_fail(err, SH_E_INTERNAL, "%s: segment %lld begins at %lld, its first picture at %lld",
                       sink->name, (long long)segment->number, (long long)segment->start,
                       (long long)first->packets[0]->pts);
    return 0;
}

int sh_sink_segment(sh_sink *sink, const sh_sink_segment_in *segment, sh_err *err)
{
    if (sink->failed)
        return sh_fail(err, SH_E_INTERNAL, "%s: a segment after a failure", sink->name);
    int status = check_segment(sink, segment, err);
    if (status == 0)
        status = sink->ops->segment(sink, segment, err);
    sink->failed = status < 0;
    return status;
}

int sh_sink_finish(sh_sink *sink, sh_err *err)
{
    if (sink->failed)
        return sh_fail(err, SH_E_INTERNAL, "%s: an end after a failure", sink->name);
    sink->failed = true;
    return sink->ops->finish ? sink->ops->finish(sink, err) : 0;
}

const uint8_t *sh_sink_config(const sh_sink *sink, size_t *size)
{
    *size = sink->config_size;
    return sink->config;
}

sh_codec sh_sink_codec(enum AVCodecID id)
{
    switch (id) {
    case AV_CODEC_ID_H264:
        return SH_CODEC_AVC;
    case AV_CODEC_ID_HEVC:
        return SH_CODEC_HEVC;
    case AV_CODEC_ID_AV1:
        return SH_CODEC_AV1;
    case AV_CODEC_ID_AAC:
        return SH_CODEC_AAC;
    default:
        return SH_CODEC_NONE;
    }
}
