/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One MP4 file. libavformat writes it with the index behind and then moves it to the front, reading again
 * what it wrote: by the same descriptor, since no name is known here. Priming of AAC and the reordering of
 * pictures become edit lists. */
#include "media/fdio.h"
#include "media/ladder_sink_mux.h"
#include "media/source.h"

#include <inttypes.h>
#include <libavutil/opt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct mp4 {
    AVFormatContext *muxer;
    sh_fdio out, again; /* again: while the index is moved */
    int fd;
    sh_times times;
    int64_t samples, start, end;
    bool begun;
} mp4;

/* ---- its bytes, again ---- */

static int open_again(AVFormatContext *muxer, AVIOContext **out, const char *url, int flags,
                      AVDictionary **options)
{
    mp4 *m = muxer->opaque;
    if (flags != AVIO_FLAG_READ || m->again.context)
        return AVERROR(EACCES);
    int error = sh_fdio_open(&m->again, m->fd, false);
    if (error >= 0)
        *out = m->again.context;
    return error;
}

static int close_again(AVFormatContext *muxer, AVIOContext *io)
{
    mp4 *m = muxer->opaque;
    if (io != m->again.context)
        return AVERROR(EINVAL);
    const int error = m->again.error;
    sh_fdio_close(&m->again);
    return error ? AVERROR(error) : 0;
}

/* ---- opening ---- */

static int write_header(sh_sink *sink, mp4 *m, sh_err *err)
{
    AVDictionary *options = NULL;
    int error = av_dict_set(&options, "movflags", "+faststart", 0);
    m->muxer->pb = m->out.context;
    m->muxer->opaque = m;
    m->muxer->io_open = open_again;
    m->muxer->io_close2 = close_again;
    if (error >= 0)
        error = avformat_write_header(m->muxer, &options);
    av_dict_free(&options);
    return error < 0 ? sh_av_fail(err, error, &m->out, "%s: MP4", sink->name) : 0;
}

static int open_mp4(sh_sink *sink, const sh_sink_settings *settings, sh_err *err)
{
    mp4 *m = sink->state = calloc(1, sizeof(*m));
    if (!m)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    m->fd = -1;
    int status = 0;
    if (sh_sink_is_video(&sink->tracks[0]))
        status = sh_times_start(&m->times, sink->tracks[0].delay, sink->tracks[0].step, err);
    if (status == 0)
        status = sh_sink_mux_open(sink, settings, "mp4", &m->muxer, err);
    if (status == 0)
        status = m->fd = sink->host.open(sink->host.opaque, SH_SINK_WHOLE, 0, err);
    if (status < 0)
        return status;
    int error = sh_fdio_open(&m->out, m->fd, true);
    if (error < 0)
        return sh_av_fail(err, error, NULL, "%s", sink->name);
    if (!m->out.seekable)
        return sh_fail(err, SH_E_ARGUMENT, "%s: MP4 needs a file, not a pipe", sink->name);
    return write_header(sink, m, err);
}

static void close_mp4(sh_sink *sink)
{
    mp4 *m = sink->state;
    sh_sink_mux_close(&m->muxer);
    sh_fdio_close(&m->again);
    sh_fdio_close(&m->out);
    if (m->fd >= 0)
        close(m->fd);
    free(m);
}

/* ---- packets ---- */

static int write_one(sh_sink *sink, mp4 *m, AVPacket *packet, sh_err *err)
{
    const AVStream *stream = m->muxer->streams[packet->stream_index];
    av_packet_rescale_ts(packet, sink->tracks[packet->stream_index].time_base, stream->time_base);
    int error = av_write_frame(m->muxer, packet);
    if (error < 0 || m->out.error)
        return sh_av_fail(err, error < 0 ? error : AVERROR(m->out.error), &m->out, "%s: MP4", sink->name);
    return 0;
}

static int segment_mp4(sh_sink *sink, const sh_sink_segment_in *segment, sh_err *err)
{
    mp4 *m = sink->state;
    sh_sink_row row = {0};
    int status = sh_sink_row_make(&row, sink, &m->times, false, segment, err);
    for (size_t i = 0; i < row.count && status == 0; i++)
        status = write_one(sink, m, row.packets[i], err);
    sh_sink_row_free(&row);
    if (!m->begun)
        m->start = segment->start;
    m->begun = true;
    m->end = segment->end;
    m->samples += (int64_t)segment->tracks[0].count;
    return status;
}

static int finish_mp4(sh_sink *sink, sh_err *err)
{
    mp4 *m = sink->state;
    int error = av_write_trailer(m->muxer);
    avio_flush(m->out.context);
    if (error < 0 || m->out.error || m->again.error)
        return sh_av_fail(err, error < 0 ? error : AVERROR(EIO), &m->out, "%s: the index of the MP4",
                          sink->name);
    const int fd = m->fd;
    m->fd = -1;
    int status = sh_sink_end_file(sink, fd, err);
    const sh_sink_written written = {.file = SH_SINK_WHOLE,
                                     .bytes = m->out.size,
                                     .start = m->start,
                                     .duration = m->end - m->start,
                                     .samples = m->samples};
    return status < 0 ? status : sink->host.written(sink->host.opaque, &written, err);
}

const sh_sink_ops sh_sink_mp4_ops = {open_mp4, segment_mp4, finish_mp4, close_mp4};
