/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/ladder_sink_mux.h"
#include "media/fdio.h"
#include "media/source.h"
#include "media/stored.h"

#include <stdlib.h>
#include <string.h>

#define PACKETS_MAX 1000000

/* ---- streams ---- */

static int copy_side_data(AVStream *stream, const sh_sink_track *track)
{
    for (int i = 0; i < track->side_data_count; i++) {
        const AVPacketSideData *from = &track->side_data[i];
        uint8_t *to = av_stream_new_side_data(stream, from->type, from->size);
        if (!to)
            return AVERROR(ENOMEM);
        memcpy(to, from->data, from->size);
    }
    return 0;
}

static int add_stream(AVFormatContext *muxer, const sh_sink_track *track)
{
    AVStream *stream = avformat_new_stream(muxer, NULL);
    int error = stream ? avcodec_parameters_copy(stream->codecpar, track->parameters) : AVERROR(ENOMEM);
    if (error < 0)
        return error;
    stream->time_base = track->time_base;
    stream->codecpar->codec_tag = 0;
    if (strcmp(muxer->oformat->name, "mp4") == 0 && stream->codecpar->codec_id == AV_CODEC_ID_HEVC)
        stream->codecpar->codec_tag = MKTAG('h', 'v', 'c', '1');
    if (sh_sink_is_video(track)) {
        stream->avg_frame_rate = track->rate;
        stream->sample_aspect_ratio = stream->codecpar->sample_aspect_ratio =
            track->sar.num > 0 && track->sar.den > 0 ? track->sar : (AVRational){1, 1};
    } else {
        stream->codecpar->initial_padding = track->priming;
    }
    if (track->language[0])
        error = av_dict_set(&stream->metadata, "language", track->language, 0);
    return error < 0 ? error : copy_side_data(stream, track);
}

int sh_sink_mux_open(sh_sink *sink, const sh_sink_settings *settings, const char *format,
                     AVFormatContext **out, sh_err *err)
{
    AVFormatContext *muxer = NULL;
    int error = avformat_alloc_output_context2(&muxer, NULL, format, NULL);
    if (error >= 0) {
        muxer->io_open = sh_fdio_refuse;
        muxer->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_BITEXACT;
    }
    for (size_t i = 0; i < settings->track_count && error >= 0; i++)
        error = add_stream(muxer, &settings->tracks[i]);
    if (error < 0) {
        sh_sink_mux_close(&muxer);
        return sh_av_fail(err, error, NULL, "%s: a file of kind %s", sink->name, format);
    }
    *out = muxer;
    return 0;
}

void sh_sink_mux_close(AVFormatContext **muxer)
{
    if (!*muxer)
        return;
    (*muxer)->pb = NULL;
    avformat_free_context(*muxer);
    *muxer = NULL;
}

/* ---- packets ---- */

static int copy(const sh_sink *sink, size_t track, bool delimited, const AVPacket *from, sh_buf *work,
                AVPacket **out, sh_err *err)
{
    const AVCodecParameters *parameters = sink->tracks[track].parameters;
    AVPacket *packet = NULL;
    int status = 0;
    if (delimited && sh_sink_is_video(&sink->tracks[track])) {
        packet = av_packet_alloc();
        status = sh_stored_make(SH_STORED_TRANSPORT, parameters, from->data, (size_t)from->size,
                                from->flags & AV_PKT_FLAG_KEY, work, err);
        if (status == 0 && packet)
            status =
                sh_stored_give(SH_STORED_TRANSPORT, (const uint8_t *)work->data, work->length, packet, err);
        if (packet)
            packet->flags = from->flags;
    } else {
        packet = av_packet_clone(from);
    }
    if (status == 0 && !packet)
        status = sh_fail(err, SH_E_MEMORY, "memory is short");
    if (status < 0) {
        av_packet_free(&packet);
        return status;
    }
    packet->pts = packet->dts = from->pts;
    packet->duration = from->duration;
    packet->stream_index = (int)track;
    *out = packet;
    return 0;
}

/* Copies of a track's packets are appended to the row. */
static int take_track(sh_sink_row *row, const sh_sink *sink, size_t track, bool delimited,
                      const sh_sink_packets *in, sh_err *err)
{
    sh_buf work;
    int status = 0;
    sh_buf_init(&work, SH_STORED_MAX);
    for (size_t i = 0; i < in->count && status == 0; i++) {
        status = copy(sink, track, delimited, in->packets[i], &work, &row->packets[row->count], err);
        row->count += status == 0;
    }
    sh_buf_free(&work);
    return status;
}

typedef struct place {
    int64_t time; /* of decoding, microseconds */
    size_t order; /* keeps packets with equal times as they are */
    AVPacket *packet;
} place;

static int by_place(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static int sort(sh_sink_row *row, const sh_sink *sink, sh_err *err)
{
    place *places = calloc(row->count ? row->count : 1, sizeof(*places));
    const bool video = sh_sink_is_video(&sink->tracks[0]);
    if (!places)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    for (size_t i = 0; i < row->count; i++) {
        AVPacket *packet = row->packets[i];
        places[i] =
            (place){av_rescale_q(packet->dts, sink->tracks[packet->stream_index].time_base, AV_TIME_BASE_Q),
                    i, packet};
    }
    const size_t first = video && row->count ? 1 : 0;
    qsort(places + first, row->count - first, sizeof(*places), by_place);
    for (size_t i = 0; i < row->count; i++)
        row->packets[i] = places[i].packet;
    free(places);
    return 0;
}

int sh_sink_row_make(sh_sink_row *row, const sh_sink *sink, sh_times *times, bool delimited,
                     const sh_sink_segment_in *segment, sh_err *err)
{
    size_t count = 0;
    for (size_t i = 0; i < sink->track_count; i++)
        count += segment->tracks[i].count;
    if (count > PACKETS_MAX)
        return sh_fail(err, SH_E_LIMIT, "%s: a segment of %zu packets; at most %d are taken", sink->name,
                       count, PACKETS_MAX);
    *row = (sh_sink_row){.packets = calloc(count ? count : 1, sizeof(*row->packets))};
    int status = row->packets ? 0 : sh_fail(err, SH_E_MEMORY, "memory is short");
    for (size_t i = 0; i < sink->track_count && status == 0; i++) {
        const size_t before = row->count;
        status = take_track(row, sink, i, delimited, &segment->tracks[i], err);
        if (status == 0 && sh_sink_is_video(&sink->tracks[i]))
            status = sh_times_piece(times, row->packets + before, row->count - before, err);
    }
    if (status == 0)
        status = sort(row, sink, err);
    if (status < 0)
        sh_sink_row_free(row);
    return status;
}

void sh_sink_row_free(sh_sink_row *row)
{
    for (size_t i = 0; i < row->count; i++)
        av_packet_free(&row->packets[i]);
    free(row->packets);
    *row = (sh_sink_row){0};
}
