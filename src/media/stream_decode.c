/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/stream_decode.h"
#include "base/file.h"
#include "media/avlog.h"
#include "media/fdio.h"
#include "media/sandbox.h"
#include "media/still.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLACK 4 /* codes */
#define STILL (1.0 / 64)
#define RUN_SHORTEST 500000 /* microseconds */
#define TELL_EVERY 64       /* frames */

enum { RUN_BLACK = 1, RUN_FROZEN, TOTALS };

/* ---- the child ---- */

typedef struct decoding {
    int fd, channel;
    bool transport;
    sh_fdio io;
    AVFormatContext *format;
    AVCodecContext *codec;
    AVFrame *frame;
    AVPacket *packet;
    int stream;
    int64_t frames, damaged;
    int64_t first, last, step; /* microseconds */
    sh_still_finder finder;
} decoding;

static void tell(const decoding *d, int kind, int64_t a, int64_t b)
{
    sh_message m = {.kind = SH_MSG_DATA, .number = {kind, a, b}};
    sh_channel_send(d->channel, &m);
}

static void found(void *opaque, const sh_still *run)
{
    if (run->to - run->from >= RUN_SHORTEST)
        tell(opaque, run->kind == SH_STILL_BLACK ? RUN_BLACK : RUN_FROZEN, run->from, run->to);
}

static void take_frame(decoding *d)
{
    const AVFrame *f = d->frame;
    const AVRational base = d->format->streams[d->stream]->time_base;
    int64_t at = f->best_effort_timestamp == AV_NOPTS_VALUE
                     ? d->last + d->step
                     : av_rescale_q(f->best_effort_timestamp, base, AV_TIME_BASE_Q);
    if (d->frames++ == 0)
        d->first = at;
    at -= d->first;
    if (d->frames > 1 && at > d->last)
        d->step = at - d->last;
    if (f->decode_error_flags || (f->flags & AV_FRAME_FLAG_CORRUPT))
        d->damaged++;
    sh_still_frame(&d->finder, f, at);
    d->last = at;
    if (d->frames % TELL_EVERY == 0) {
        sh_message m = {.kind = SH_MSG_PROGRESS, .number = {d->frames}};
        sh_channel_send(d->channel, &m);
    }
}

static int drain(decoding *d, sh_err *err)
{
    int got;
    while ((got = avcodec_receive_frame(d->codec, d->frame)) >= 0) {
        take_frame(d);
        av_frame_unref(d->frame);
    }
    if (got == AVERROR(ENOMEM))
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    if (got != AVERROR(EAGAIN) && got != AVERROR_EOF)
        d->damaged++;
    return 0;
}

static int give(decoding *d, const AVPacket *packet, sh_err *err)
{
    const int sent = avcodec_send_packet(d->codec, packet);
    if (sent < 0 && sent != AVERROR_EOF)
        d->damaged++;
    return drain(d, err);
}

static int open_track(decoding *d, sh_err *err)
{
    const AVInputFormat *input = av_find_input_format(d->transport ? "mpegts" : "mov");
    const AVCodec *codec = NULL;
    d->format = avformat_alloc_context();
    d->frame = av_frame_alloc();
    d->packet = av_packet_alloc();
    if (!d->format || !d->frame || !d->packet || sh_fdio_open(&d->io, d->fd, false) < 0)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    d->format->pb = d->io.context;
    d->format->io_open = sh_fdio_refuse;
    d->format->flags |= AVFMT_FLAG_CUSTOM_IO;
    if (avformat_open_input(&d->format, NULL, input, NULL) < 0 ||
        avformat_find_stream_info(d->format, NULL) < 0)
        return sh_fail(err, SH_E_FORMAT, "the track cannot be opened by the decoder's reader");
    d->stream = av_find_best_stream(d->format, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
    if (d->stream < 0 || !codec)
        return sh_fail(err, SH_E_FORMAT, "there is no decoder for the track");
    d->codec = avcodec_alloc_context3(codec);
    if (!d->codec || avcodec_parameters_to_context(d->codec, d->format->streams[d->stream]->codecpar) < 0 ||
        avcodec_open2(d->codec, codec, NULL) < 0)
        return sh_fail(err, SH_E_FORMAT, "the decoder cannot be opened");
    return 0;
}

static int decode_all(decoding *d, sh_err *err)
{
    int status = open_track(d, err), got;
    while (status == 0 && (got = av_read_frame(d->format, d->packet)) >= 0) {
        if (d->packet->stream_index == d->stream)
            status = give(d, d->packet, err);
        av_packet_unref(d->packet);
    }
    if (status == 0)
        status = give(d, NULL, err);
    if (status < 0)
        return status;
    sh_still_end(&d->finder, d->last + d->step);
    tell(d, TOTALS, d->frames, d->damaged);
    return 0;
}

static int child_main(void *opaque, int channel, sh_err *err)
{
    decoding *d = opaque;
    d->channel = channel;
    d->finder = (sh_still_finder){.black = BLACK, .frozen = STILL, .found = found, .opaque = d};
    sh_avlog_start(channel);
    const int status = decode_all(d, err);
    sh_avlog_stop();
    avcodec_free_context(&d->codec);
    avformat_close_input(&d->format);
    av_frame_free(&d->frame);
    av_packet_free(&d->packet);
    sh_fdio_close(&d->io);
    return status;
}

/* ---- the parent ---- */

static void add_run(sh_stream_run *runs, size_t *count, const int64_t *number)
{
    const sh_stream_run one = {(double)number[1] / 1e6, (double)number[2] / 1e6};
    if (*count < SH_STREAM_RUNS)
        runs[(*count)++] = one;
    else
        runs[SH_STREAM_RUNS - 1].to = one.to;
}

static int receive(void *opaque, const sh_message *m, sh_err *err)
{
    sh_stream_decoded *out = opaque;
    if (m->kind != SH_MSG_DATA)
        return 0;
    if (m->number[0] == RUN_BLACK)
        add_run(out->black, &out->black_count, m->number);
    else if (m->number[0] == RUN_FROZEN)
        add_run(out->frozen, &out->frozen_count, m->number);
    else {
        out->frames = m->number[1];
        out->damaged = m->number[2];
    }
    return 0;
}

/* An unlinked file with all of the track's bytes; memory where the folder for such files has none. */
static int gather(const sh_stream_track_bytes *track, int *fd, sh_err *err)
{
    const char *folder = getenv("TMPDIR");
    int status = 0;
    *fd = open(folder && *folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (*fd < 0)
        *fd = memfd_create("track", MFD_CLOEXEC);
    if (*fd < 0)
        return sh_fail_errno(err, errno, "a file for the bytes of %s", track->name);
    for (size_t i = 0; status == 0 && i < track->parts; i++) {
        const uint8_t *bytes;
        size_t size;
        status = track->part(track->opaque, i, &bytes, &size, err);
        if (status == 0)
            status = sh_fd_write(*fd, bytes, size, err);
    }
    if (status == 0 && lseek(*fd, 0, SEEK_SET) < 0)
        status = sh_fail_errno(err, errno, "the bytes of %s", track->name);
    return status;
}

int sh_stream_decode_track(void *opaque, const sh_stream_track_bytes *track, sh_stream_decoded *out,
                           sh_err *err)
{
    decoding d = {.fd = -1, .transport = track->transport, .stream = -1};
    const bool *unconfined = opaque;
    int status = gather(track, &d.fd, err);
    if (status == 0) {
        const sh_sandbox_job job = {.what = track->name,
                                    .main = child_main,
                                    .opaque = &d,
                                    .descriptors = &d.fd,
                                    .descriptor_count = 1,
                                    .message = receive,
                                    .receiver = out,
                                    .unconfined = unconfined && *unconfined};
        status = sh_sandbox_run(&job, err);
    }
    if (d.fd >= 0)
        close(d.fd);
    return status;
}
