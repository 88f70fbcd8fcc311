/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One thread reads, decodes, encodes and writes; decoder and encoder have threads of their own. Packets of
 * the two tracks wait in lines and are written in the order of their decoding times, so that it is known
 * which segment each lands in: a boundary is written when its IDR packet is, and everything that waits in the
 * muxer is flushed before. Audio never gets ahead of the pictures, so that at the end it is known how much of
 * it there is behind the last one: up to the length of a segment belongs to the last segment, more is cut. */
#include "media/hls_child.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/pool.h"
#include "media/avlog.h"
#include "media/h264.h"
#include "media/hls_audio.h"
#include "media/hls_scale.h"
#include "media/media.h"
#include "media/sandbox.h"

#include <errno.h>
#include <inttypes.h>
#include <libavutil/fifo.h>
#include <libavutil/opt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MUX_DELAY_US 700000                    /* the muxer adds twice this to every time stamp */
#define MUX_SHIFT (2 * MUX_DELAY_US * 9 / 100) /* the same in ticks */
#define FIRST_PTS (10 * SH_HLS_CLOCK)          /* of the first picture, as it stands in the segments */
#define BOUNDARIES 64                          /* more than pictures in the encoder can hold */
#define PATIENCE 1000                          /* pictures that wait for audio, which may have ended early */
#define WAITING_MAX 100000
#define TAIL_MIN (SH_HLS_CLOCK / 10) /* of audio after the last picture; less is padding of its blocks */
#define REPORT_US 200000

typedef struct hls {
    const sh_hls_job *job;
    int channel;
    char name[SH_SHOWN];
    sh_source source;
    sh_hls_scale scale;
    AVCodecContext *encoder;
    sh_audio audio;
    AVFormatContext *muxer;
    AVStream *video_track, *audio_track;
    sh_fdio out;                           /* fd: of the open segment */
    AVFifo *video_waiting, *audio_waiting; /* of AVPacket *, time stamps on the segments' clock */
    bool video_ended, audio_ended;
    int64_t origin;   /* of the source's first picture, ticks */
    int64_t next_cut; /* index of the next boundary, in segment lengths */
    int64_t boundary[BOUNDARIES];
    unsigned boundaries_in, boundaries_out;
    sh_message segment; /* the open one; number[2..] is filled at its end */
    int64_t segments, written_before;
    int64_t frames_sent, frames_written, last_end, last_duration;
    int64_t audio_end;    /* on the muxer's clock, as last_end is on the segments' */
    int64_t dropped_from; /* time of the first packet after WAITING_MAX others; no picture may follow it */
    uint32_t sps;
    int64_t reported_at;
} hls;

/* A time of the source on the clock that the muxer is given. */
static int64_t to_clock(const hls *h, int64_t pts, AVRational base)
{
    return av_rescale_q(pts, base, (AVRational){1, SH_HLS_CLOCK}) - h->origin + FIRST_PTS - MUX_SHIFT;
}

/* ---- segments ---- */

static int end_segment(hls *h, int64_t at, sh_err *err)
{
    int error = av_write_frame(h->muxer, NULL);
    avio_flush(h->muxer->pb);
    if (error >= 0 && h->out.error)
        error = AVERROR(h->out.error);
    if (error < 0)
        return sh_av_fail(err, error, &h->out, "segment %" PRId64, h->segments);
    h->segment.number[3] = at - h->segment.number[2];
    h->segment.number[4] = h->out.written - h->written_before;
    h->segment.number[5] = h->frames_written - h->segment.number[5];
    sh_channel_send(h->channel, &h->segment);
    close(h->out.fd);
    h->out.fd = -1;
    return 0;
}

static int begin_segment(hls *h, int64_t at, sh_err *err)
{
    int fd = sh_channel_open(h->channel, h->segments + 1, err);
    if (fd < 0)
        return fd;
    h->out.fd = fd;
    h->out.position = 0;
    h->written_before = h->out.written;
    h->segments++;
    h->segment = (sh_message){.kind = SH_MSG_DATA};
    h->segment.number[0] = SH_HLS_SEGMENT;
    h->segment.number[1] = h->segments;
    h->segment.number[2] = at;
    h->segment.number[5] = h->frames_written;
    av_opt_set(h->muxer->priv_data, "mpegts_flags", "+resend_headers", 0);
    return 0;
}

/* Ends a segment and begins the next when the packet is the IDR picture of a boundary. */
static int cut_at(hls *h, const AVPacket *packet, sh_err *err)
{
    if (h->boundaries_out == h->boundaries_in || h->boundary[h->boundaries_out % BOUNDARIES] != packet->pts)
        return 0;
    if (!(packet->flags & AV_PKT_FLAG_KEY))
        return sh_fail(err, SH_E_INTERNAL, "x264 made no key picture at the boundary of segment %" PRId64,
                       h->segments + 1);
    h->boundaries_out++;
    int status = h->segments ? end_segment(h, packet->pts, err) : 0;
    return status < 0 ? status : begin_segment(h, packet->pts, err);
}

static void note_sps(hls *h, const AVPacket *packet)
{
    for (int i = 0; h->sps == 0 && i + 7 <= packet->size; i++) {
        const uint8_t *d = packet->data + i;
        if (d[0] == 0 && d[1] == 0 && d[2] == 1 && (d[3] & 0x1F) == 7)
            h->sps = (uint32_t)d[3] << 24 | (uint32_t)d[4] << 16 | (uint32_t)d[5] << 8 | d[6];
    }
}

static int write_packet(hls *h, AVPacket *packet, bool video, sh_err *err)
{
    int status = video ? cut_at(h, packet, err) : 0;
    if (status < 0)
        return status;
    if (video) {
        note_sps(h, packet);
        h->frames_written++;
    }
    packet->stream_index = video ? h->video_track->index : h->audio_track->index;
    int error = av_write_frame(h->muxer, packet);
    if (error < 0 || h->out.error)
        return sh_av_fail(err, error < 0 ? error : AVERROR(h->out.error), &h->out, "segment %" PRId64,
                          h->segments);
    return 0;
}

/* Writes what waits as long as it is known which packet is next. Audio from before the first picture waits
 * for the first segment to be open. */
static int write_waiting(hls *h, sh_err *err)
{
    for (;;) {
        AVPacket *video = NULL, *audio = NULL;
        bool has_video = av_fifo_peek(h->video_waiting, &video, 1, 0) >= 0;
        bool has_audio = av_fifo_peek(h->audio_waiting, &audio, 1, 0) >= 0;
        if (!has_video && !has_audio)
            return 0;
        if (!has_video && !h->video_ended)
            return 0;
        if (!has_audio && !h->audio_ended && av_fifo_can_read(h->video_waiting) < PATIENCE)
            return 0;
        bool take_video = !has_audio || (has_video && (h->segments == 0 || video->dts <= audio->dts));
        AVPacket *next = take_video ? video : audio;
        av_fifo_drain2(take_video ? h->video_waiting : h->audio_waiting, 1);
        int status = write_packet(h, next, take_video, err);
        av_packet_free(&next);
        if (status < 0)
            return status;
    }
}

static int wait_in(AVFifo *line, AVPacket *packet, sh_err *err)
{
    AVPacket *own = av_packet_alloc();
    if (!own || av_fifo_write(line, &own, 1) < 0) {
        av_packet_free(&own);
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    }
    av_packet_move_ref(own, packet);
    return 0;
}

/* ---- video ---- */

static void report(hls *h)
{
    int64_t now = sh_monotonic_us();
    sh_message message = {.kind = SH_MSG_PROGRESS};
    double duration = sh_source_duration(&h->source);
    if (now - h->reported_at < REPORT_US)
        return;
    h->reported_at = now;
    double done = (double)(h->last_end - FIRST_PTS) / SH_HLS_CLOCK;
    double fraction = duration > 0 ? done / duration : 0;
    message.number[0] = h->frames_sent;
    message.number[1] = (int64_t)(1e6 * (fraction > 1 ? 1 : fraction));
    sh_channel_send(h->channel, &message);
}

static int take_video(hls *h, sh_err *err)
{
    AVPacket *packet = av_packet_alloc();
    int status = packet ? 0 : sh_fail(err, SH_E_MEMORY, "memory is short");
    while (status == 0) {
        int error = avcodec_receive_packet(h->encoder, packet);
        if (error == AVERROR(EAGAIN) || error == AVERROR_EOF)
            break;
        status = error < 0
                     ? sh_av_fail(err, error, NULL, "x264 fails after frame %" PRId64, h->frames_written)
                     : wait_in(h->video_waiting, packet, err);
        report(h);
    }
    av_packet_free(&packet);
    return status < 0 ? status : write_waiting(h, err);
}

/* Whether a boundary belongs before this picture: the first at or after a multiple of the segment length,
 * unless what remains is too short for a segment of its own. */
static bool is_boundary(hls *h, int64_t pts)
{
    int64_t since = pts - (FIRST_PTS - MUX_SHIFT), length = h->job->segment_ticks;
    int64_t total = (int64_t)(sh_source_duration(&h->source) * SH_HLS_CLOCK);
    if (since < h->next_cut * length)
        return false;
    if (since > 0 && total > 0 && total - since < h->job->min_segment_ticks)
        return false;
    h->next_cut = since / length + 1;
    return true;
}

static int encode(hls *h, const AVFrame *frame, sh_err *err)
{
    AVFrame *picture = NULL;
    const AVRational base = h->source.video->time_base;
    int status = sh_hls_scale_run(&h->scale, frame, &picture, err);
    if (status < 0)
        return status;
    picture->pts = to_clock(h, frame->pts, base);
    if (h->dropped_from && picture->pts >= h->dropped_from) {
        av_frame_free(&picture);
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "%s: frame %" PRId64
                       " comes %d blocks of audio after the one before it, too many to hold",
                       h->name, h->frames_sent + 1, WAITING_MAX);
    }
    if (is_boundary(h, picture->pts)) {
        if (h->boundaries_in - h->boundaries_out >= BOUNDARIES) {
            av_frame_free(&picture);
            return sh_fail(err, SH_E_LIMIT, "segments of less than a few pictures");
        }
        h->boundary[h->boundaries_in++ % BOUNDARIES] = picture->pts;
        picture->pict_type = AV_PICTURE_TYPE_I;
    }
    h->last_duration = frame->pkt_duration > 0
                           ? av_rescale_q(frame->pkt_duration, base, h->encoder->time_base)
                           : h->last_duration;
    h->last_end = picture->pts + MUX_SHIFT + h->last_duration;
    h->frames_sent++;
    int error = avcodec_send_frame(h->encoder, picture);
    av_frame_free(&picture);
    if (error < 0)
        return sh_av_fail(err, error, NULL, "x264 refuses frame %" PRId64, h->frames_sent);
    report(h);
    return take_video(h, err);
}

/* ---- audio ---- */

static int take_audio(void *opaque, AVPacket *packet, sh_err *err)
{
    hls *h = opaque;
    const AVRational base = h->audio.encoder->time_base;
    packet->duration = av_rescale_q(packet->duration, base, (AVRational){1, SH_HLS_CLOCK});
    packet->pts = packet->dts = to_clock(h, packet->pts, base);
    if (packet->pts < 0)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: its audio begins %.1f s before the first picture", h->name,
                       (double)-packet->pts / SH_HLS_CLOCK + 8.6);
    h->audio_end = packet->pts + packet->duration;
    if (av_fifo_can_read(h->audio_waiting) >= WAITING_MAX - 1) {
        h->dropped_from = h->dropped_from ? h->dropped_from : packet->pts;
        return 0;
    }
    return wait_in(h->audio_waiting, packet, err);
}

/* Drops what begins after `end` (on the muxer's clock) from those that wait. */
static int cut_audio(hls *h, int64_t end, sh_err *err)
{
    size_t count = av_fifo_can_read(h->audio_waiting);
    int status = 0;
    for (AVPacket *packet; count > 0 && av_fifo_read(h->audio_waiting, &packet, 1) >= 0; count--) {
        if (packet->pts >= end || status < 0 || av_fifo_write(h->audio_waiting, &packet, 1) < 0) {
            status = packet->pts >= end ? status : sh_fail(err, SH_E_MEMORY, "memory is short");
            av_packet_free(&packet);
        }
    }
    return status;
}

/* Where the stream ends, on the muxer's clock: with the picture, or with audio that fits in the last segment.
 * All packets are encoded and those behind the last picture still wait. */
static int settle_end(hls *h, int64_t *end, sh_err *err)
{
    const int64_t picture = h->last_end - MUX_SHIFT, tail = h->audio_end - picture;
    const int64_t start = h->boundary[(h->boundaries_in - 1) % BOUNDARIES];
    const int64_t room = picture - start > h->job->segment_ticks ? picture - start : h->job->segment_ticks;
    const double seconds = (double)tail / SH_HLS_CLOCK;
    *end = picture;
    if (h->audio_end == 0 || tail <= TAIL_MIN)
        return 0;
    if (h->audio_end - start <= room && !h->dropped_from) {
        *end = h->audio_end;
        sh_channel_log(h->channel, SH_LOG_WARNING,
                       "the audio goes on for %.1f s after the last picture, which stays until its end",
                       seconds);
        return 0;
    }
    sh_channel_log(
        h->channel, SH_LOG_WARNING,
        "the audio goes on for %.1f s after the last picture, more than the last segment has room for: "
        "%.1f s of it are cut",
        seconds, seconds);
    return cut_audio(h, picture, err);
}

static int take_packet(hls *h, const AVPacket *packet, sh_err *err)
{
    if (!h->audio.track || packet->stream_index != h->audio.track->index)
        return 0;
    int status = sh_audio_feed(&h->audio, packet, take_audio, h, err);
    report(h);
    return status < 0 ? status : write_waiting(h, err);
}

/* ---- setting up ---- */

static int open_encoder(hls *h, const AVFrame *first, sh_err *err)
{
    const sh_hls_video *video = &h->job->video;
    AVRational rate = av_guess_frame_rate(h->source.format, h->source.video, NULL);
    sh_h264_settings settings;
    sh_h264_defaults(&settings);
    const double fps = rate.num > 0 ? av_q2d(rate) : 25;
    const int64_t peak = video->max_bitrate               ? video->max_bitrate
                         : video->rate == SH_HLS_RATE_CBR ? video->bitrate
                         : video->rate == SH_HLS_RATE_VBR ? video->bitrate * 3 / 2
                                                          : 0;
    settings.width = h->scale.width;
    settings.height = h->scale.height;
    settings.time_base = (AVRational){1, SH_HLS_CLOCK};
    settings.rate = rate;
    settings.sar = h->scale.sar;
    settings.range = first->color_range == AVCOL_RANGE_UNSPECIFIED && h->scale.direct
                         ? AVCOL_RANGE_UNSPECIFIED
                         : AVCOL_RANGE_MPEG;
    settings.primaries = first->color_primaries;
    settings.transfer = first->color_trc;
    settings.matrix = h->scale.rgb ? AVCOL_SPC_BT709 : first->colorspace;
    settings.siting = h->scale.direct ? first->chroma_location : AVCHROMA_LOC_LEFT;
    settings.preset = video->preset;
    settings.profile = video->profile;
    settings.level = video->level;
    settings.crf = video->rate == SH_HLS_RATE_QUALITY ? video->crf : -1;
    settings.bitrate = video->bitrate;
    settings.max_bitrate = peak;
    settings.buffer_bits = video->buffer_bits ? video->buffer_bits : 2 * peak;
    settings.constant = video->rate == SH_HLS_RATE_CBR;
    settings.gop = video->gop_frames ? video->gop_frames
                                     : (int)(fps * (video->gop_seconds > 0 ? video->gop_seconds : 2) + 0.5);
    settings.gop = settings.gop > 0 ? settings.gop : 1;
    settings.scene_cuts = video->scene_cuts;
    settings.b_frames = video->b_frames;
    settings.references = video->references;
    settings.access_unit_delimiters = true;
    settings.threads = h->job->threads > 0 ? h->job->threads : sh_cpu_count();
    return sh_h264_open(&h->encoder, &settings, err);
}

static int open_muxer(hls *h, sh_err *err)
{
    int error = sh_fdio_open(&h->out, h->channel, true);
    h->out.fd = -1;
    if (error >= 0)
        error = avformat_alloc_output_context2(&h->muxer, NULL, "mpegts", NULL);
    if (error < 0)
        return sh_av_fail(err, error, NULL, "MPEG-TS");
    h->out.context->seekable = 0;
    h->muxer->pb = h->out.context;
    h->muxer->io_open = sh_fdio_refuse;
    h->muxer->max_delay = MUX_DELAY_US;
    h->muxer->avoid_negative_ts = 0;
    h->muxer->flags |= AVFMT_FLAG_CUSTOM_IO;
    h->video_track = avformat_new_stream(h->muxer, NULL);
    h->audio_track = h->audio.track ? avformat_new_stream(h->muxer, NULL) : NULL;
    if (!h->video_track || (h->audio.track && !h->audio_track) ||
        avcodec_parameters_from_context(h->video_track->codecpar, h->encoder) < 0 ||
        (h->audio_track && avcodec_parameters_from_context(h->audio_track->codecpar, h->audio.encoder) < 0))
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    h->video_track->time_base = h->encoder->time_base;
    if (h->audio_track)
        h->audio_track->time_base = h->encoder->time_base;
    error = avformat_write_header(h->muxer, NULL);
    return error < 0 ? sh_av_fail(err, error, NULL, "MPEG-TS") : 0;
}

static void warn_of_source(const hls *h, const AVFrame *first)
{
    if (first->interlaced_frame)
        sh_channel_log(h->channel, SH_LOG_WARNING,
                       "the source is interlaced; its pictures are encoded as they are");
    if (first->color_trc == AVCOL_TRC_SMPTE2084 || first->color_trc == AVCOL_TRC_ARIB_STD_B67)
        sh_channel_log(h->channel, SH_LOG_WARNING,
                       "the source is HDR; it becomes 8 bits without tone mapping");
    if (av_stream_get_side_data(h->source.video, AV_PKT_DATA_DISPLAYMATRIX, NULL))
        sh_channel_log(
            h->channel, SH_LOG_WARNING,
            "the source asks players to turn the picture; MPEG-TS cannot, and it is not turned here");
    if (h->job->audio.wanted && !h->audio.track)
        sh_channel_log(h->channel, SH_LOG_WARNING, "the source has no audio; the stream has none");
}

static int start_with(hls *h, const AVFrame *first, sh_err *err)
{
    AVRational sar = av_guess_sample_aspect_ratio(h->source.format, h->source.video, (AVFrame *)first);
    h->origin = av_rescale_q(first->pts, h->source.video->time_base, (AVRational){1, SH_HLS_CLOCK});
    h->last_duration = SH_HLS_CLOCK / 25;
    int status = sh_hls_scale_open(&h->scale, &h->job->video, first, sar, err);
    if (status == 0)
        status = open_encoder(h, first, err);
    if (status == 0)
        status = open_muxer(h, err);
    if (status == 0)
        warn_of_source(h, first);
    return status;
}

static int open_all(hls *h, int input, sh_err *err)
{
    int threads = h->job->threads > 0 ? h->job->threads : sh_cpu_count();
    h->video_waiting = av_fifo_alloc2(64, sizeof(AVPacket *), AV_FIFO_FLAG_AUTO_GROW);
    h->audio_waiting = av_fifo_alloc2(64, sizeof(AVPacket *), AV_FIFO_FLAG_AUTO_GROW);
    if (!h->video_waiting || !h->audio_waiting)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    av_fifo_auto_grow_limit(h->video_waiting, WAITING_MAX);
    av_fifo_auto_grow_limit(h->audio_waiting, WAITING_MAX);
    int status = sh_source_open(&h->source, input, threads, err);
    if (status == 0)
        status = sh_audio_open(&h->audio, &h->source, &h->job->audio, h->channel, err);
    h->audio_ended = !h->audio.track;
    return status;
}

/* ---- the run ---- */

static int finish(hls *h, sh_err *err)
{
    int64_t end = 0;
    int status = 0;
    if (h->frames_sent == 0)
        return sh_fail(err, SH_E_FORMAT, "%s: there is no picture in the video track", h->name);
    if (avcodec_send_frame(h->encoder, NULL) >= 0)
        status = take_video(h, err);
    if (status == 0 && h->audio.track)
        status = sh_audio_feed(&h->audio, NULL, take_audio, h, err);
    if (status == 0)
        status = settle_end(h, &end, err);
    h->video_ended = h->audio_ended = true;
    if (status == 0)
        status = write_waiting(h, err);
    if (status == 0)
        status = end_segment(h, end, err);
    h->last_end = end + MUX_SHIFT;
    if (status == 0 && (h->source.frames != h->frames_sent || h->frames_sent != h->frames_written))
        status = sh_fail(err, SH_E_INTERNAL,
                         "frames were lost: %" PRId64 " decoded, %" PRId64 " encoded, %" PRId64 " written",
                         h->source.frames, h->frames_sent, h->frames_written);
    return status;
}

/* Audio that comes before the first picture has no origin yet and waits. */
static int run(hls *h, sh_err *err)
{
    AVFrame *frame = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    AVFifo *early = av_fifo_alloc2(64, sizeof(AVPacket *), AV_FIFO_FLAG_AUTO_GROW);
    int status = frame && packet && early ? 0 : sh_fail(err, SH_E_MEMORY, "memory is short");
    int what = 0;
    while (status == 0 && what != SH_SOURCE_END) {
        status = what = sh_source_next(&h->source, frame, packet, err);
        if (what > 0)
            status = 0;
        if (what == SH_SOURCE_FRAME) {
            AVPacket *waiting = NULL;
            if (!h->muxer)
                status = start_with(h, frame, err);
            while (status == 0 && av_fifo_read(early, &waiting, 1) >= 0) {
                status = take_packet(h, waiting, err);
                av_packet_free(&waiting);
            }
            if (status == 0)
                status = encode(h, frame, err);
            av_frame_unref(frame);
        } else if (what == SH_SOURCE_PACKET) {
            status = h->muxer ? take_packet(h, packet, err) : wait_in(early, packet, err);
            av_packet_unref(packet);
        }
    }
    for (AVPacket *left; early && av_fifo_read(early, &left, 1) >= 0;)
        av_packet_free(&left);
    av_fifo_freep2(&early);
    av_packet_free(&packet);
    av_frame_free(&frame);
    return status < 0 ? status : finish(h, err);
}

static void send_result(const hls *h)
{
    const AVRational rate = h->encoder->framerate;
    sh_message picture = {.kind = SH_MSG_DATA}, bytes = {.kind = SH_MSG_DATA};
    const bool sar = h->scale.sar.num > 0 && h->scale.sar.den > 0;
    uint64_t config = 0;
    int size = h->audio.encoder ? h->audio.encoder->extradata_size : 0;
    size = size < 8 ? size : 8;
    for (int i = 0; i < size; i++)
        config = config << 8 | h->audio.encoder->extradata[i];
    picture.number[0] = SH_HLS_PICTURE;
    picture.number[1] = h->scale.width;
    picture.number[2] = h->scale.height;
    picture.number[3] = (int64_t)(sar ? h->scale.sar.num : 1) << 32 | (sar ? h->scale.sar.den : 1);
    picture.number[4] = (int64_t)rate.num << 32 | rate.den;
    picture.number[5] = h->source.frames;
    picture.number[6] = h->frames_written;
    bytes.number[0] = SH_HLS_BYTES;
    bytes.number[1] = h->sps;
    bytes.number[2] = (int64_t)config;
    bytes.number[3] = size;
    bytes.number[4] = FIRST_PTS;
    bytes.number[5] = h->last_end - FIRST_PTS;
    sh_channel_send(h->channel, &picture);
    sh_channel_send(h->channel, &bytes);
}

static void free_line(AVFifo **line)
{
    for (AVPacket *left; *line && av_fifo_read(*line, &left, 1) >= 0;)
        av_packet_free(&left);
    av_fifo_freep2(line);
}

static void tear_down(hls *h)
{
    free_line(&h->video_waiting);
    free_line(&h->audio_waiting);
    if (h->muxer) {
        h->muxer->pb = NULL;
        avformat_free_context(h->muxer);
    }
    if (h->out.fd >= 0 && h->segments)
        close(h->out.fd);
    sh_fdio_close(&h->out);
    sh_audio_close(&h->audio);
    avcodec_free_context(&h->encoder);
    sh_hls_scale_close(&h->scale);
    sh_source_close(&h->source);
    free(h);
}

int sh_hls_child_main(void *opaque, int channel, sh_err *err)
{
    const sh_hls_child *child = opaque;
    hls *h = calloc(1, sizeof(*h));
    if (!h)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    h->job = child->job;
    h->channel = h->source.channel = channel;
    h->source.name = sh_shown_path(child->job->input, h->name);
    h->out.fd = -1;
    sh_avlog_start(channel);
    int status = open_all(h, child->input, err);
    if (status == 0)
        status = run(h, err);
    if (status == 0)
        send_result(h);
    sh_avlog_stop();
    tear_down(h);
    return status;
}
