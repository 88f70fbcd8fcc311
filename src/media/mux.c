/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/mux_inner.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "base/size.h"
#include "media/media.h"
#include "media/sandbox.h"

#include <errno.h>
#include <inttypes.h>
#include <libavutil/mathematics.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

typedef struct ending {
    const char *ending, *muxer;
} ending;

static const ending endings[] = {
    {"mp4", "mp4"}, {"m4v", "mp4"}, {"mov", "mov"}, {"mkv", "matroska"}, {"ts", "mpegts"}, {"m2ts", "mpegts"},
};

const AVOutputFormat *sh_mux_find(const char *path, sh_err *err)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    char shown[SH_SHOWN];
    for (size_t i = 0; dot && i < SH_COUNT(endings); i++)
        if (strcasecmp(dot + 1, endings[i].ending) == 0)
            return av_guess_format(endings[i].muxer, NULL, NULL);
    sh_fail(err, SH_E_ARGUMENT, "%s: the output's name must end in .mp4, .m4v, .mov, .mkv, .ts or .m2ts",
            sh_shown_path(path, shown));
    return NULL;
}

void sh_muxer_settings_default(sh_muxer_settings *settings)
{
    *settings = (sh_muxer_settings){.channel = -1,
                                    .part = -1,
                                    .folder = -1,
                                    .source = -1,
                                    .frame_rate = {0, 1},
                                    .sample_aspect = {0, 1},
                                    .scale_x = 2,
                                    .scale_y = 2,
                                    .begin_us = AV_NOPTS_VALUE,
                                    .end_us = AV_NOPTS_VALUE};
}

/* ---- one packet ---- */

bool sh_muxer_counts(const AVCodecParameters *track, const AVPacket *packet)
{
    return track->codec_id != AV_CODEC_ID_MOV_TEXT || packet->size > 2;
}

/* Takes over what the packet refers to. clock: that of its time stamps. */
static int write_packet(sh_muxer *muxer, AVPacket *packet, int track, AVRational clock, sh_err *err)
{
    const AVStream *stream = muxer->format->streams[track];
    av_packet_rescale_ts(packet, clock, stream->time_base);
    packet->pts -= muxer->shift[track];
    packet->dts -= muxer->shift[track];
    /* a coarser clock may make two times one, which MP4 refuses */
    if (muxer->last_dts[track] != AV_NOPTS_VALUE && packet->dts <= muxer->last_dts[track] &&
        muxer->container != SH_MATROSKA)
        packet->dts = muxer->last_dts[track] + 1;
    if (packet->pts < packet->dts)
        packet->pts = packet->dts;
    muxer->last_dts[track] = packet->dts;
    packet->stream_index = track;
    packet->pos = -1;
    muxer->written[track] += sh_muxer_counts(stream->codecpar, packet) ? 1 : 0;
    const double time = (double)packet->dts * av_q2d(stream->time_base);
    int error = av_write_frame(muxer->format, packet);
    av_packet_unref(packet);
    if (muxer->io.failure.status < 0)
        return sh_replay_flush(&muxer->io, err);
    if (error < 0)
        return sh_av_fail(err, error, NULL, "%s: the packet at %.3f s of its track %d (%s)",
                          muxer->settings.name, time, track, avcodec_get_name(stream->codecpar->codec_id));
    return 0;
}

/* All packets of other tracks that come before this time. */
static int write_due(sh_muxer *muxer, int64_t due_us, sh_err *err)
{
    AVRational clock;
    AVPacket *packet = muxer->feed ? av_packet_alloc() : NULL;
    if (!muxer->feed)
        return 0;
    int status = packet ? 1 : sh_fail(err, SH_E_MEMORY, "memory is short");
    while (status > 0) {
        status = sh_feed_next(muxer->feed, due_us, muxer->video->index, packet, &clock, err);
        if (status > 0) {
            const int from = packet->stream_index;
            int written = write_packet(muxer, packet, muxer->track[from], clock, err);
            status = written < 0 ? written : 1;
        }
    }
    av_packet_free(&packet);
    return status;
}

/* One video packet in its stored form, with what is due before it. */
static int write_video(sh_muxer *muxer, const sh_journal_packet *with, const sh_buf *stored, sh_err *err)
{
    const AVRational clock = muxer->settings.time_base;
    AVPacket *packet = av_packet_alloc();
    int status = packet ? write_due(muxer, av_rescale_q(with->dts, clock, AV_TIME_BASE_Q), err)
                        : sh_fail(err, SH_E_MEMORY, "memory is short");
    if (status == 0)
        status = sh_stored_give(muxer->form, (const uint8_t *)stored->data, stored->length, packet, err);
    if (status == 0) {
        packet->pts = with->pts;
        packet->dts = with->dts;
        packet->duration = with->duration;
        packet->flags = (int)with->flags;
        status = write_packet(muxer, packet, muxer->video->index, clock, err);
    }
    av_packet_free(&packet);
    return status;
}

/* The end of a piece: everything that the muxer holds back of it goes out. */
static int flush(sh_muxer *muxer, sh_err *err)
{
    int error = av_write_frame(muxer->format, NULL);
    int status = sh_replay_flush(&muxer->io, err);
    if (status == 0 && error < 0)
        status = sh_av_fail(err, error, NULL, "%s", muxer->settings.name);
    return status;
}

static int reserve(sh_muxer *muxer, size_t count, sh_err *err)
{
    if (count > SH_JOURNAL_PACKETS_MAX)
        return sh_fail(err, SH_E_LIMIT, "a piece of %zu packets", count);
    if (count <= muxer->packet_capacity)
        return 0;
    sh_journal_packet *more = realloc(muxer->packets, count * sizeof(*more));
    if (!more)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    muxer->packets = more;
    muxer->packet_capacity = count;
    return 0;
}

/* ---- a new piece ---- */

static int store(sh_muxer *muxer, const AVPacket *packet, sh_journal_packet *entry, sh_err *err)
{
    const bool key = packet->flags & AV_PKT_FLAG_KEY;
    int status = sh_stored_make(muxer->form, muxer->video->codecpar, packet->data, (size_t)packet->size, key,
                                &muxer->stored, err);
    if (status < 0)
        return status;
    *entry = (sh_journal_packet){.size = (uint32_t)muxer->stored.length,
                                 .crc = sh_crc32c(0, muxer->stored.data, muxer->stored.length),
                                 .pts = packet->pts,
                                 .dts = packet->dts,
                                 .duration = packet->duration,
                                 .flags = (uint32_t)packet->flags};
    return 0;
}

static int write_all(sh_muxer *muxer, AVPacket *const *packets, size_t count, sh_err *err)
{
    int status = sh_times_piece(&muxer->times, packets, count, err);
    for (size_t i = 0; i < count && status == 0; i++) {
        status = store(muxer, packets[i], &muxer->packets[i], err);
        if (status == 0)
            status = write_video(muxer, &muxer->packets[i], &muxer->stored, err);
    }
    return status < 0 ? status : flush(muxer, err);
}

/* Where the packets have come to stand. */
static int locate(sh_muxer *muxer, AVPacket *const *packets, size_t count, int64_t from, sh_err *err)
{
    const int transport_track = 0x100 + muxer->video->index;
    int64_t offset = from;
    sh_journal_packet entry;
    for (size_t i = 0; i < count; i++) {
        int status = store(muxer, packets[i], &entry, err);
        if (status == 0)
            status = sh_stored_find(muxer->form, muxer->settings.part, &muxer->stored, &offset,
                                    muxer->io.size, transport_track, err);
        if (status < 0)
            return sh_err_prefix(err, "%s", muxer->settings.name);
        muxer->packets[i].offset = offset;
        offset += muxer->form == SH_STORED_TRANSPORT ? 188 : (int64_t)entry.size;
    }
    return 0;
}

static int make_durable(sh_muxer *muxer, sh_err *err)
{
    if (fdatasync(muxer->settings.part) < 0)
        return sh_fail_errno(err, errno, "%s: sync", muxer->settings.name);
    if (!muxer->folder_synced && muxer->settings.folder >= 0 && fsync(muxer->settings.folder) < 0)
        return sh_fail_errno(err, errno, "%s: sync of its folder", muxer->settings.name);
    muxer->folder_synced = true;
    return 0;
}

int sh_muxer_piece(sh_muxer *muxer, sh_journal_piece *piece, AVPacket *const *packets, size_t count,
                   sh_err *err)
{
    const int64_t from = muxer->io.size;
    if (count == 0)
        return sh_fail(err, SH_E_INTERNAL, "%s: a piece without packets", muxer->settings.name);
    int status = reserve(muxer, count, err);
    if (status == 0)
        status = write_all(muxer, packets, count, err);
    if (status == 0)
        status = locate(muxer, packets, count, from, err);
    if (status == 0)
        status = make_durable(muxer, err);
    if (status < 0)
        return status;
    piece->number = sh_journal_pieces(muxer->settings.journal);
    piece->offset = muxer->io.size;
    piece->packets = muxer->packets;
    piece->packet_count = count;
    piece->header_size = muxer->io.header;
    piece->header_crc = muxer->io.header_crc;
    status = sh_journal_append(muxer->settings.journal, piece, err);
    for (size_t i = 0; i < count; i++)
        av_packet_unref(packets[i]);
    return status;
}

/* ---- a replay ---- */

static int conflict(const sh_muxer *muxer, int64_t number, sh_err *err)
{
    err->status = SH_E_CONFLICT;
    return sh_err_prefix(
        err, "%s: its unfinished file is not what the journal says of piece %" PRId64 "; start anew",
        muxer->settings.name, number);
}

static int replay_packet(sh_muxer *muxer, const sh_journal_piece *piece, const sh_journal_packet *with,
                         sh_err *err)
{
    int status = sh_stored_read(muxer->form, muxer->settings.part, with->offset, with->size, piece->offset,
                                &muxer->stored, err);
    if (status == 0 && sh_crc32c(0, muxer->stored.data, muxer->stored.length) != with->crc)
        status = sh_fail(err, SH_E_FORMAT, "the packet at byte %" PRId64 " is damaged", with->offset);
    if (status == SH_E_FORMAT)
        return conflict(muxer, piece->number, err);
    return status < 0 ? status : write_video(muxer, with, &muxer->stored, err);
}

/* The decoding times that the piece must have, so that the next ones go on from there. */
static int replay_times(sh_muxer *muxer, const sh_journal_piece *piece, sh_err *err)
{
    const size_t count = piece->packet_count;
    AVPacket *packets = calloc(count, sizeof(*packets));
    AVPacket **list = calloc(count, sizeof(*list));
    int status = packets && list ? 0 : sh_fail(err, SH_E_MEMORY, "memory is short");
    for (size_t i = 0; i < count && status == 0; i++) {
        packets[i].pts = piece->packets[i].pts;
        packets[i].duration = piece->packets[i].duration;
        list[i] = &packets[i];
    }
    if (status == 0 && (status = sh_times_piece(&muxer->times, list, count, err)) < 0)
        status = conflict(muxer, piece->number, err);
    for (size_t i = 0; i < count && status == 0; i++)
        if (packets[i].dts != piece->packets[i].dts) {
            sh_fail(err, SH_E_CONFLICT, "packet %zu has another decoding time", i);
            status = conflict(muxer, piece->number, err);
        }
    free(list);
    free(packets);
    return status;
}

static int replay_piece(sh_muxer *muxer, const sh_journal_piece *piece, sh_err *err)
{
    if (piece->packet_count == 0) {
        sh_fail(err, SH_E_CONFLICT, "it has no packets");
        return conflict(muxer, piece->number, err);
    }
    int status = replay_times(muxer, piece, err);
    for (size_t i = 0; i < piece->packet_count && status == 0; i++)
        status = replay_packet(muxer, piece, &piece->packets[i], err);
    if (status == 0)
        status = flush(muxer, err);
    if (status == 0 && muxer->io.size != piece->offset) {
        sh_fail(err, SH_E_CONFLICT, "it ends at byte %" PRId64 ", not %" PRId64, muxer->io.size,
                piece->offset);
        status = conflict(muxer, piece->number, err);
    }
    return status;
}

static int replay(sh_muxer *muxer, sh_err *err)
{
    sh_journal *journal = muxer->settings.journal;
    const sh_journal_piece *last = sh_journal_last(journal);
    sh_journal_piece piece;
    int64_t cursor = 0;
    if (!last)
        return 0;
    if (last->header_size != muxer->io.header || last->header_crc != muxer->io.header_crc)
        return sh_fail(err, SH_E_CONFLICT,
                       "%s: the new file would begin differently from the unfinished one (%" PRId64
                       " bytes, CRC %08x; was %" PRId64 ", %08x); start anew",
                       muxer->settings.name, muxer->io.header, muxer->io.header_crc, last->header_size,
                       last->header_crc);
    int status = sh_journal_next(journal, &cursor, &piece, err);
    while (status > 0) {
        status = replay_piece(muxer, &piece, err);
        if (status == 0 && muxer->settings.progress)
            muxer->settings.progress(muxer->settings.opaque, piece.number + 1);
        if (status == 0)
            status = sh_journal_next(journal, &cursor, &piece, err);
    }
    return status;
}

/* ---- the whole ---- */

static int open_feed(sh_muxer *muxer, sh_err *err)
{
    const sh_muxer_settings *s = &muxer->settings;
    const sh_feed_settings feed = {.name = s->input_name,
                                   .channel = s->channel,
                                   .source = s->source,
                                   .video = s->video_track,
                                   .container = muxer->container,
                                   .begin_us = s->begin_us,
                                   .end_us = s->end_us};
    return s->source >= 0 ? sh_feed_open(&muxer->feed, &feed, err) : 0;
}

static int open_format(sh_muxer *muxer, sh_err *err)
{
    const sh_journal_piece *last = sh_journal_last(muxer->settings.journal);
    int status = sh_replay_open(&muxer->io, muxer->settings.part, last ? last->offset : 0, err);
    if (status < 0)
        return status;
    int error = avformat_alloc_output_context2(&muxer->format, muxer->settings.format, NULL, NULL);
    if (error < 0)
        return sh_av_fail(err, error, NULL, "%s", muxer->settings.name);
    muxer->format->pb = muxer->io.context;
    muxer->format->io_open = sh_fdio_refuse;
    muxer->format->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_BITEXACT;
    muxer->format->strict_std_compliance =
        FF_COMPLIANCE_EXPERIMENTAL; /* spherical and stereo boxes, TrueHD */
    muxer->format->avoid_negative_ts = 0;
    return 0;
}

int sh_muxer_open(sh_muxer **out, const sh_muxer_settings *settings, sh_err *err)
{
    sh_err own = {0};
    sh_muxer *muxer = calloc(1, sizeof(*muxer));
    err = err ? err : &own;
    if (!muxer)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    muxer->settings = *settings;
    muxer->container = sh_container_of(settings->format);
    muxer->io.name = settings->name;
    sh_buf_init(&muxer->stored, SH_STORED_MAX);
    int status = open_format(muxer, err);
    if (status == 0)
        status = sh_times_start(&muxer->times, settings->delay, settings->step, err);
    if (status == 0)
        status = open_feed(muxer, err);
    if (status == 0)
        status = sh_muxer_tracks(muxer, err);
    if (status == 0)
        status = sh_muxer_header(muxer, err);
    if (status == 0)
        status = replay(muxer, err);
    if (status < 0)
        sh_muxer_close(muxer);
    else
        *out = muxer;
    return status;
}

void sh_muxer_close(sh_muxer *muxer)
{
    if (!muxer)
        return;
    if (muxer->format)
        muxer->format->pb = NULL;
    avformat_free_context(muxer->format);
    sh_feed_close(muxer->feed);
    sh_replay_close(&muxer->io);
    sh_buf_free(&muxer->stored);
    free(muxer->packets);
    free(muxer->track);
    free(muxer->written);
    free(muxer->last_dts);
    free(muxer->shift);
    free(muxer);
}

int sh_muxer_finish(sh_muxer *muxer, sh_err *err)
{
    /* what other tracks have left, and an index: 1 MB/s is a slow disk */
    sh_channel_patience(muxer->settings.channel,
                        SH_SANDBOX_PATIENCE_MS / 1000 + (double)muxer->io.size / 1e6);
    int status = write_due(muxer, INT64_MAX, err);
    if (status == 0)
        status = sh_muxer_trailer(muxer, err);
    if (status == 0 && fsync(muxer->settings.part) < 0)
        status = sh_fail_errno(err, errno, "%s: sync", muxer->settings.name);
    muxer->finished = status == 0;
    return status;
}

int64_t sh_muxer_size(const sh_muxer *muxer)
{
    return muxer->io.size;
}
