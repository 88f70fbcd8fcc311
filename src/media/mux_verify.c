/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The finished part file, read as any player would read it, against the journal and the muxer's counts. */
#include "base/crc32c.h"
#include "media/fdio.h"
#include "media/mux_inner.h"
#include "media/sandbox.h"
#include "media/source.h"

#include <inttypes.h>
#include <stdlib.h>

typedef struct reader {
    const sh_muxer *muxer;
    sh_fdio io;
    AVFormatContext *format;
    int64_t *found; /* packets of each track */
    int64_t cursor; /* in the journal */
    sh_journal_piece piece;
    size_t next;    /* packet in it */
    int64_t number; /* of video packets so far */
    int64_t offset; /* of a transport stream's clock */
    bool any;
    sh_buf stored;
} reader;

static int wrong(const reader *r, sh_err *err, const char *what, int64_t is, int64_t should)
{
    return sh_fail(err, SH_E_INTERNAL,
                   "%s: reading it again, %s of video packet %" PRId64 " is %" PRId64 " where %" PRId64
                   " was written",
                   r->muxer->settings.name, what, r->number, is, should);
}

/* The journal's next packet: 1, or 0 after the last. */
static int next_written(reader *r, const sh_journal_packet **packet, sh_err *err)
{
    const sh_muxer_settings *s = &r->muxer->settings;
    while (r->next >= r->piece.packet_count) {
        int status = sh_journal_next(s->journal, &r->cursor, &r->piece, err);
        if (status <= 0)
            return status;
        r->next = 0;
        if (s->progress)
            s->progress(s->opaque, r->piece.number);
    }
    *packet = &r->piece.packets[r->next++];
    return 1;
}

static int check_video(reader *r, const AVPacket *packet, sh_err *err)
{
    const sh_muxer *muxer = r->muxer;
    const AVRational clock = r->format->streams[packet->stream_index]->time_base;
    const sh_journal_packet *written;
    int status = next_written(r, &written, err);
    if (status < 0)
        return status;
    if (status == 0)
        return sh_fail(err, SH_E_INTERNAL,
                       "%s: reading it again, it has more than the %" PRId64 " video packets written",
                       muxer->settings.name, r->number);
    const int64_t pts =
        av_rescale_q(written->pts, muxer->settings.time_base, clock) - muxer->shift[muxer->video->index];
    if (muxer->container == SH_TRANSPORT && !r->any)
        r->offset = packet->pts - pts;
    r->any = true;
    status = sh_stored_seen(muxer->form, muxer->video->codecpar, packet->data, (size_t)packet->size,
                            &r->stored, err);
    if (status < 0)
        return status;
    if (r->stored.length != written->size)
        return wrong(r, err, "the size", (int64_t)r->stored.length, written->size);
    if (packet->pts != pts + r->offset)
        return wrong(r, err, "the time", packet->pts, pts + r->offset);
    const uint32_t crc = sh_crc32c(0, r->stored.data, r->stored.length);
    if (crc != written->crc)
        return wrong(r, err, "the CRC32C", crc, written->crc);
    r->number++;
    return 0;
}

static int check_counts(const reader *r, sh_err *err)
{
    const sh_muxer *muxer = r->muxer;
    for (unsigned i = 0; i < muxer->format->nb_streams; i++) {
        const AVStream *track = muxer->format->streams[i];
        const bool attached = track->codecpar->codec_type == AVMEDIA_TYPE_ATTACHMENT ||
                              track->disposition & AV_DISPOSITION_ATTACHED_PIC;
        const int64_t found = i < r->format->nb_streams ? r->found[i] : 0;
        if (!attached && found != muxer->written[i])
            return sh_fail(err, SH_E_INTERNAL,
                           "%s: reading it again, its track %u (%s) has %" PRId64 " packets where %" PRId64
                           " were written",
                           muxer->settings.name, i, avcodec_get_name(track->codecpar->codec_id), found,
                           muxer->written[i]);
    }
    return 0;
}

static int open_reader(reader *r, sh_err *err)
{
    const sh_muxer *muxer = r->muxer;
    int error = sh_fdio_open(&r->io, muxer->settings.part, false);
    r->found = calloc(muxer->format->nb_streams, sizeof(*r->found));
    r->format = avformat_alloc_context();
    if (error < 0 || !r->found || !r->format)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    r->format->pb = r->io.context;
    r->format->io_open = sh_fdio_refuse;
    r->format->format_whitelist = av_strdup("mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts");
    r->format->flags |= AVFMT_FLAG_CUSTOM_IO;
    error = avformat_open_input(&r->format, NULL, NULL, NULL);
    /* a transport stream has its tracks in its packets */
    if (error >= 0 && muxer->container == SH_TRANSPORT)
        error = avformat_find_stream_info(r->format, NULL);
    if (error < 0)
        return sh_av_fail(err, error, &r->io, "%s: reading it again", muxer->settings.name);
    return 0;
}

static int read_all(reader *r, sh_err *err)
{
    const sh_muxer *muxer = r->muxer;
    AVPacket *packet = av_packet_alloc();
    int status = packet ? 0 : sh_fail(err, SH_E_MEMORY, "memory is short");
    while (status == 0) {
        int error = av_read_frame(r->format, packet);
        if (error == AVERROR_EOF && !r->io.error)
            break;
        if (error < 0) {
            status = sh_av_fail(err, error, &r->io, "%s: reading it again", muxer->settings.name);
            break;
        }
        const unsigned track = (unsigned)packet->stream_index;
        if (track < muxer->format->nb_streams &&
            sh_muxer_counts(muxer->format->streams[track]->codecpar, packet))
            r->found[track]++;
        if ((int)track == muxer->video->index)
            status = check_video(r, packet, err);
        av_packet_unref(packet);
    }
    av_packet_free(&packet);
    return status;
}

int sh_mux_verify(sh_muxer *muxer, sh_err *err)
{
    reader r = {.muxer = muxer};
    if (!muxer->finished)
        return sh_fail(err, SH_E_INTERNAL, "%s: is not finished", muxer->settings.name);
    sh_channel_patience(muxer->settings.channel,
                        SH_SANDBOX_PATIENCE_MS / 1000 + (double)muxer->io.size / 1e6);
    sh_buf_init(&r.stored, SH_STORED_MAX);
    int status = open_reader(&r, err);
    if (status == 0)
        status = read_all(&r, err);
    if (status == 0)
        status = check_counts(&r, err);
    avformat_close_input(&r.format);
    sh_fdio_close(&r.io);
    sh_buf_free(&r.stored);
    free(r.found);
    return status;
}
