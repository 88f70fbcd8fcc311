/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MPEG-2 TS in segments. One muxer writes into memory, and what it wrote becomes a file at each border; so
 * continuity counters and clocks go on. Before a border all that waits in it (audio, which it gathers into
 * larger packets) is flushed. PAT and PMT stand in front of each key picture, so that decoding may begin
 * there with nothing else; the muxer's table of services is left out, so that they are the first.
 *
 * Where there is sound alone the clock goes with its packets; gathered, they would be too far apart.
 *
 * Where pictures are further apart than clock references may be, as with a varying frame rate, packets with
 * nothing but a reference are put between: the muxer has a place for them only in front of a picture.
 *
 * The muxer adds twice its delay to all times; they are given that much earlier. */
#include "media/ladder_sink_mux.h"
#include "media/source.h"

#include <inttypes.h>
#include <libavutil/opt.h>
#include <stdlib.h>
#include <string.h>

#define CLOCK 90000
#define DELAY_US 700000
#define SHIFT (2 * DELAY_US * 9 / 100) /* ticks */
#define SEGMENT_MAX (1u << 30)
#define PACKET 188
#define BUFFER_BYTES (PACKET * 300) /* whole packets reach take_bytes */
#define SDT 0x11                    /* names of services: nothing that HLS has a use for */

#define PCR_APART (CLOCK * 9 / 100) /* at most; 0.1 s is allowed */

typedef struct ts {
    AVFormatContext *muxer;
    AVIOContext *io;
    sh_times times;
    sh_buf bytes;      /* of the segment in hand */
    sh_sink_key *keys; /* owned */
    size_t key_count, key_room;
    /* the clock: the last reference in the stream, its PID (0: none yet) and the last counter on it; and the
     * last one that came with a picture, with the picture's decoding time */
    int64_t pcr, picture_pcr, picture_dts;
    int pcr_pid;
    uint8_t counter;
} ts;

static int pid_of(const uint8_t *packet)
{
    return (packet[1] & 0x1f) << 8 | packet[2];
}

static void note_clock(ts *t, const uint8_t *p)
{
    if ((p[3] & 0x20) && p[4] >= 7 && (p[5] & 0x10)) {
        t->pcr = (int64_t)p[6] << 25 | p[7] << 17 | p[8] << 9 | p[9] << 1 | p[10] >> 7;
        t->pcr_pid = pid_of(p);
    }
    if (t->pcr_pid && pid_of(p) == t->pcr_pid)
        t->counter = p[3] & 15;
}

static int take_bytes(void *opaque, uint8_t *bytes, int size)
{
    ts *t = opaque;
    if (size % PACKET != 0)
        return AVERROR(EINVAL);
    for (int i = 0; i < size; i += PACKET) {
        note_clock(t, bytes + i);
        if (pid_of(bytes + i) != SDT)
            sh_buf_append(&t->bytes, bytes + i, PACKET);
    }
    return t->bytes.failed ? AVERROR(ENOMEM) : size;
}

static int open_io(sh_sink *sink, ts *t, sh_err *err)
{
    unsigned char *buffer = av_malloc(BUFFER_BYTES);
    if (buffer)
        t->io = avio_alloc_context(buffer, BUFFER_BYTES, 1, t, NULL, take_bytes, NULL);
    if (!t->io) {
        av_free(buffer);
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    }
    t->muxer->pb = t->io;
    t->muxer->max_delay = DELAY_US;
    t->muxer->avoid_negative_ts = 0;
    int error = avformat_write_header(t->muxer, NULL);
    return error < 0 ? sh_av_fail(err, error, NULL, "%s: MPEG-TS", sink->name) : 0;
}

static int open_ts(sh_sink *sink, const sh_sink_settings *settings, sh_err *err)
{
    ts *t = sink->state = calloc(1, sizeof(*t));
    if (!t)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    sh_buf_init(&t->bytes, SEGMENT_MAX);
    int status = 0;
    if (sh_sink_is_video(&sink->tracks[0]))
        status = sh_times_start(&t->times, sink->tracks[0].delay, sink->tracks[0].step, err);
    if (status == 0 && sh_sink_is_video(&sink->tracks[0]) &&
        sink->tracks[0].parameters->codec_id != AV_CODEC_ID_H264 &&
        sink->tracks[0].parameters->codec_id != AV_CODEC_ID_HEVC)
        status = sh_fail(err, SH_E_ARGUMENT, "%s: %s cannot go into MPEG-TS", sink->name,
                         avcodec_get_name(sink->tracks[0].parameters->codec_id));
    if (status == 0)
        status = sh_sink_mux_open(sink, settings, "mpegts", &t->muxer, err);
    return status < 0 ? status : open_io(sink, t, err);
}

static void close_ts(sh_sink *sink)
{
    ts *t = sink->state;
    sh_sink_mux_close(&t->muxer);
    if (t->io) {
        av_freep(&t->io->buffer);
        avio_context_free(&t->io);
    }
    sh_buf_free(&t->bytes);
    free(t->keys);
    free(t);
}

/* ---- segments ---- */

static int64_t to_clock(const sh_sink *sink, const AVPacket *packet, int64_t time)
{
    return av_rescale_q(time, sink->tracks[packet->stream_index].time_base, (AVRational){1, CLOCK}) +
           SH_SINK_TS_ZERO - SHIFT;
}

/* In the segment's file, of what is written next. */
static int64_t position(const ts *t)
{
    avio_flush(t->io);
    return (int64_t)t->bytes.length;
}

/* A packet without payload: its counter is that of the one before. */
static void put_clock(ts *t, int64_t pcr)
{
    uint8_t p[PACKET];
    memset(p, 0xff, sizeof(p));
    p[0] = 0x47;
    p[1] = (uint8_t)(t->pcr_pid >> 8);
    p[2] = (uint8_t)t->pcr_pid;
    p[3] = 0x20 | t->counter;
    p[4] = PACKET - 5;
    p[5] = 0x10;
    p[6] = (uint8_t)(pcr >> 25);
    p[7] = (uint8_t)(pcr >> 17);
    p[8] = (uint8_t)(pcr >> 9);
    p[9] = (uint8_t)(pcr >> 1);
    p[10] = (uint8_t)((pcr & 1) << 7 | 0x7e);
    p[11] = 0;
    sh_buf_append(&t->bytes, p, sizeof(p));
    t->pcr = pcr;
}

/* References up to that of a picture with this decoding time, which comes next. */
static void fill_clock(ts *t, int64_t dts)
{
    if (!t->pcr_pid)
        return;
    avio_flush(t->io);
    const int64_t next = t->picture_pcr + dts - t->picture_dts;
    while (next - t->pcr > PCR_APART)
        put_clock(t, t->pcr + PCR_APART);
}

static void note_picture(ts *t, int64_t dts)
{
    const int64_t before = t->pcr;
    avio_flush(t->io);
    if (t->pcr != before || t->picture_dts == 0) {
        t->picture_pcr = t->pcr;
        t->picture_dts = dts;
    }
}

static int begin_key(ts *t, int64_t time, sh_err *err)
{
    if (t->key_count == t->key_room) {
        const size_t room = t->key_room ? 2 * t->key_room : 16;
        sh_sink_key *keys = realloc(t->keys, room * sizeof(*keys));
        if (!keys)
            return sh_fail(err, SH_E_MEMORY, "memory is short");
        t->keys = keys;
        t->key_room = room;
    }
    t->keys[t->key_count++] = (sh_sink_key){.time = time, .offset = position(t)};
    av_opt_set(t->muxer->priv_data, "mpegts_flags", "+resend_headers", 0);
    return 0;
}

/* first: of the segment, which tables are to begin. */
static int write_one(sh_sink *sink, ts *t, AVPacket *packet, bool first, sh_err *err)
{
    const AVRational clock = {1, CLOCK};
    const bool video = sh_sink_is_video(&sink->tracks[packet->stream_index]);
    const bool key = video && packet->flags & AV_PKT_FLAG_KEY;
    const int64_t time = packet->pts;
    packet->duration = av_rescale_q(packet->duration, sink->tracks[packet->stream_index].time_base, clock);
    packet->pts = to_clock(sink, packet, packet->pts);
    packet->dts = to_clock(sink, packet, packet->dts);
    if (packet->dts < 0)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: a packet is decoded %.1f s before the beginning",
                       sink->name, (double)(SH_SINK_TS_ZERO - SHIFT - packet->dts) / CLOCK);
    if (video && !first)
        fill_clock(t, packet->dts);
    int status = key ? begin_key(t, time, err) : 0;
    if (status < 0)
        return status;
    int error = av_write_frame(t->muxer, packet);
    if (video)
        note_picture(t, packet->dts);
    if (error >= 0 && !sh_sink_is_video(&sink->tracks[0]))
        error = av_write_frame(t->muxer, NULL);
    if (t->bytes.failed)
        return sh_fail(err, SH_E_LIMIT, "%s: a segment of more than %u bytes", sink->name, SEGMENT_MAX);
    if (error < 0)
        return sh_av_fail(err, error, NULL, "%s: MPEG-TS", sink->name);
    if (key)
        t->keys[t->key_count - 1].size = position(t) - t->keys[t->key_count - 1].offset;
    return 0;
}

/* Each group ends where the next one begins. */
static void end_keys(ts *t)
{
    for (size_t i = 0; i < t->key_count; i++) {
        const int64_t end = i + 1 < t->key_count ? t->keys[i + 1].offset : position(t);
        t->keys[i].whole = end - t->keys[i].offset;
    }
}

static int end_segment(sh_sink *sink, ts *t, const sh_sink_segment_in *segment, sh_err *err)
{
    const AVRational base = sink->tracks[0].time_base;
    const int64_t next = t->times.begun && t->times.delay > 0 ? t->times.carried[0] : segment->end;
    int error = av_write_frame(t->muxer, NULL);
    avio_flush(t->io);
    if (sh_sink_is_video(&sink->tracks[0]))
        fill_clock(t, av_rescale_q(next, base, (AVRational){1, CLOCK}) + SH_SINK_TS_ZERO - SHIFT);
    if (t->bytes.failed)
        return sh_fail(err, SH_E_LIMIT, "%s: a segment of more than %u bytes", sink->name, SEGMENT_MAX);
    if (error < 0)
        return sh_av_fail(err, error, NULL, "%s: segment %" PRId64, sink->name, segment->number);
    end_keys(t);
    sh_sink_written written = {.file = SH_SINK_SEGMENT,
                               .number = segment->number,
                               .start = segment->start,
                               .duration = segment->end - segment->start,
                               .samples = (int64_t)segment->tracks[0].count,
                               .keys = t->keys,
                               .key_count = t->key_count};
    return sh_sink_put(sink, &t->bytes, &written, err);
}

static int segment_ts(sh_sink *sink, const sh_sink_segment_in *segment, sh_err *err)
{
    ts *t = sink->state;
    sh_sink_row row = {0};
    sh_buf_clear(&t->bytes);
    t->key_count = 0;
    av_opt_set(t->muxer->priv_data, "mpegts_flags", "+resend_headers", 0);
    int status = sh_sink_row_make(&row, sink, &t->times, true, segment, err);
    for (size_t i = 0; i < row.count && status == 0; i++)
        status = write_one(sink, t, row.packets[i], i == 0, err);
    sh_sink_row_free(&row);
    return status < 0 ? status : end_segment(sink, t, segment, err);
}

const sh_sink_ops sh_sink_ts_ops = {open_ts, segment_ts, NULL, close_ts};
