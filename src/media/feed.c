/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/feed.h"
#include "base/log.h"
#include "base/size.h"
#include "media/sandbox.h"
#include "media/source_inner.h"

#include <inttypes.h>
#include <libavutil/mathematics.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AHEAD_US 1000000     /* read for the first time stamps */
#define PAST_US 10000000     /* read past the end of a part: tracks are not in step */
#define TEXT_BYTES (1 << 16) /* of a converted subtitle */

typedef struct node {
    AVPacket *packet;
    int64_t time_us;
    struct node *next;
} node;

typedef struct feed_track {
    sh_track_fate fate;
    int rank;
    AVRational clock;
    int64_t last_dts; /* AV_NOPTS_VALUE: there was none */
    int64_t next_dts; /* where the last packet ends; AV_NOPTS_VALUE: there was none */
    int64_t mended;   /* packets whose time went backwards */
    node *first, *last;
    AVCodecContext *decoder, *encoder;
} feed_track;

struct sh_feed {
    sh_feed_settings settings;
    sh_source source;
    feed_track *tracks;
    unsigned count;
    bool any, at_end;
    int64_t reached_us; /* by the main video */
    int64_t bytes;
    int64_t early; /* packets given before they were due, for want of memory */
};

static int64_t microseconds(int64_t time, AVRational clock)
{
    return time == AV_NOPTS_VALUE ? AV_NOPTS_VALUE : av_rescale_q(time, clock, AV_TIME_BASE_Q);
}

/* ---- conversion of text subtitles ---- */

static int open_conversion(sh_feed *feed, unsigned track, sh_err *err)
{
    const AVStream *from = feed->source.format->streams[track];
    feed_track *to = &feed->tracks[track];
    const AVCodec *decoder = avcodec_find_decoder(from->codecpar->codec_id);
    const AVCodec *encoder =
        avcodec_find_encoder(sh_track_conversion(from->codecpar->codec_id, feed->settings.container));
    to->decoder = decoder ? avcodec_alloc_context3(decoder) : NULL;
    to->encoder = encoder ? avcodec_alloc_context3(encoder) : NULL;
    if (!to->decoder || !to->encoder)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    int error = avcodec_parameters_to_context(to->decoder, from->codecpar);
    to->decoder->pkt_timebase = from->time_base;
    if (error >= 0)
        error = avcodec_open2(to->decoder, decoder, NULL);
    to->encoder->time_base = AV_TIME_BASE_Q;
    if (error >= 0 && to->decoder->subtitle_header) {
        to->encoder->subtitle_header =
            av_memdup(to->decoder->subtitle_header, (size_t)to->decoder->subtitle_header_size + 1);
        to->encoder->subtitle_header_size = to->decoder->subtitle_header_size;
        error = to->encoder->subtitle_header ? 0 : AVERROR(ENOMEM);
    }
    if (error >= 0)
        error = avcodec_open2(to->encoder, encoder, NULL);
    if (error < 0)
        return sh_av_fail(err, error, NULL, "%s: track %u (%s) as %s", feed->settings.name, track,
                          decoder->name, encoder->name);
    return 0;
}

/* 1: *packet has the text in the new form; 0: there is no text in it. */
static int convert(sh_feed *feed, unsigned track, AVPacket *packet, sh_err *err)
{
    const feed_track *with = &feed->tracks[track];
    AVSubtitle text = {0};
    int got = 0, size = 0;
    uint8_t *bytes = NULL;
    AVPacket *made = av_packet_alloc();
    int error = made ? avcodec_decode_subtitle2(with->decoder, &text, &got, packet) : AVERROR(ENOMEM);
    if (error >= 0 && got && text.num_rects > 0) {
        text.pts = microseconds(packet->pts, with->clock);
        text.end_display_time -= text.start_display_time;
        text.start_display_time = 0;
        bytes = av_malloc(TEXT_BYTES);
        size = bytes ? avcodec_encode_subtitle(with->encoder, bytes, TEXT_BYTES, &text) : AVERROR(ENOMEM);
        error = size < 0 ? size : 0;
    }
    if (error >= 0 && size > 0) {
        error = av_new_packet(made, size);
        if (error >= 0) {
            memcpy(made->data, bytes, (size_t)size);
            made->pts = packet->pts;
            made->dts = packet->dts;
            made->duration = packet->duration;
            made->flags = AV_PKT_FLAG_KEY;
            made->stream_index = packet->stream_index;
            av_packet_unref(packet);
            av_packet_move_ref(packet, made);
        }
    }
    if (got)
        avsubtitle_free(&text);
    av_free(bytes);
    av_packet_free(&made);
    if (error < 0 && error != AVERROR(ENOMEM)) {
        sh_channel_log(feed->settings.channel, SH_LOG_WARNING,
                       "%s: track %u: the text at %.3f s cannot be converted and is left out",
                       feed->settings.name, track,
                       (double)microseconds(packet->pts, with->clock) / AV_TIME_BASE);
        return 0;
    }
    return error < 0 ? sh_fail(err, SH_E_MEMORY, "memory is short") : size > 0;
}

int sh_feed_converted(const sh_feed *feed, unsigned track, AVCodecParameters *parameters, AVRational *clock,
                      sh_err *err)
{
    const AVCodecContext *encoder = feed->tracks[track].encoder;
    if (avcodec_parameters_from_context(parameters, encoder) < 0)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    if (encoder->codec_id == AV_CODEC_ID_SUBRIP) { /* its header is no part of Matroska's form */
        av_freep(&parameters->extradata);
        parameters->extradata_size = 0;
    }
    parameters->codec_tag = 0;
    *clock = (AVRational){1, 1000};
    return 0;
}

/* ---- opening ---- */

static int open_tracks(sh_feed *feed, sh_err *err)
{
    const AVFormatContext *format = feed->source.format;
    char reason[SH_TRACK_REASON];
    int status = 0;
    feed->count = format->nb_streams;
    feed->tracks = calloc(feed->count ? feed->count : 1, sizeof(*feed->tracks));
    if (!feed->tracks)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    for (unsigned i = 0; i < feed->count && status == 0; i++) {
        feed_track *track = &feed->tracks[i];
        track->fate = sh_track_decide(format, i, feed->settings.video, feed->settings.container, reason);
        track->clock = format->streams[i]->time_base;
        track->next_dts = track->last_dts = AV_NOPTS_VALUE;
        track->rank = (int)i;
        if (track->fate == SH_TRACK_CONVERTED)
            status = open_conversion(feed, i, err);
        const bool wanted = track->fate == SH_TRACK_COPIED || track->fate == SH_TRACK_CONVERTED;
        feed->any |= wanted;
        if (!wanted && track->fate != SH_TRACK_REPLACED)
            format->streams[i]->discard = AVDISCARD_ALL;
    }
    return status;
}

int sh_feed_open(sh_feed **out, const sh_feed_settings *settings, sh_err *err)
{
    sh_feed *feed = calloc(1, sizeof(*feed));
    if (!feed)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    feed->settings = *settings;
    feed->reached_us = INT64_MIN;
    feed->source.name = settings->name;
    feed->source.channel = settings->channel;
    feed->source.accept_damage = true;
    int status = sh_source_open(&feed->source, settings->source, 1, err);
    /* what is wrong with the file is told by who decodes it */
    feed->source.damages = feed->source.jumps = SH_SAID_MAX;
    if (status == 0 && (settings->video < 0 || (unsigned)settings->video >= feed->source.format->nb_streams))
        status = sh_fail(err, SH_E_INTERNAL, "%s: there is no track %d", settings->name, settings->video);
    if (status == 0)
        status = open_tracks(feed, err);
    if (status < 0)
        sh_feed_close(feed);
    else
        *out = feed;
    return status;
}

static node *take(sh_feed *feed, feed_track *track)
{
    node *first = track->first;
    track->first = first->next;
    if (!track->first)
        track->last = NULL;
    feed->bytes -= first->packet->size + (int64_t)sizeof(AVPacket);
    return first;
}

void sh_feed_close(sh_feed *feed)
{
    if (!feed)
        return;
    for (unsigned i = 0; feed->tracks && i < feed->count; i++) {
        feed_track *track = &feed->tracks[i];
        while (track->first) {
            node *first = take(feed, track);
            av_packet_free(&first->packet);
            free(first);
        }
        avcodec_free_context(&track->decoder);
        avcodec_free_context(&track->encoder);
    }
    free(feed->tracks);
    sh_source_close(&feed->source);
    free(feed);
}

const AVFormatContext *sh_feed_format(const sh_feed *feed)
{
    return feed->source.format;
}

sh_track_fate sh_feed_fate(const sh_feed *feed, unsigned track)
{
    return feed->tracks[track].fate;
}

void sh_feed_rank(sh_feed *feed, unsigned track, int rank)
{
    feed->tracks[track].rank = rank;
}

/* ---- reading ---- */

/* Sets the packet's dts, always after the last one. */
static void mend_times(sh_feed *feed, unsigned number, AVPacket *packet)
{
    feed_track *track = &feed->tracks[number];
    const bool timeless = packet->dts == AV_NOPTS_VALUE;
    if (timeless)
        packet->dts = packet->pts != AV_NOPTS_VALUE       ? packet->pts
                      : track->next_dts != AV_NOPTS_VALUE ? track->next_dts
                                                          : 0;
    if (track->last_dts != AV_NOPTS_VALUE && packet->dts < track->last_dts) {
        if (track->mended++ == 0)
            sh_channel_log(feed->settings.channel, SH_LOG_WARNING,
                           "%s: track %u: the time goes backwards at %.3f s; from there on it is mended",
                           feed->settings.name, number, (double)packet->dts * av_q2d(track->clock));
        packet->dts = track->last_dts;
    }
    if (packet->pts == AV_NOPTS_VALUE || packet->pts < packet->dts)
        packet->pts = packet->dts;
    track->last_dts = packet->dts;
    track->next_dts = packet->dts + (packet->duration > 0 ? packet->duration : 0);
}

/* Whether the packet belongs to the wanted part of the file. What is hidden by an edit list would be shown by
 * containers that cannot hide it, and by all of them in mid-file. */
static bool belongs(const sh_feed *feed, const feed_track *track, AVPacket *packet)
{
    const bool mov = feed->settings.container == SH_MP4 || feed->settings.container == SH_MOV;
    const int64_t begin = feed->settings.begin_us, end = feed->settings.end_us;
    const int64_t at = microseconds(packet->pts, track->clock);
    const int64_t stop = microseconds(packet->pts + packet->duration, track->clock);
    if (packet->flags & AV_PKT_FLAG_DISCARD) {
        if (begin != AV_NOPTS_VALUE || !mov || at >= 0)
            return false;
    }
    if (end != AV_NOPTS_VALUE && at >= end)
        return false;
    if (begin == AV_NOPTS_VALUE || at >= begin)
        return true;
    const bool subtitle =
        feed->source.format->streams[packet->stream_index]->codecpar->codec_type == AVMEDIA_TYPE_SUBTITLE;
    if (!subtitle || stop <= begin)
        return false;
    const int64_t first = av_rescale_q(begin, AV_TIME_BASE_Q, track->clock);
    packet->duration -= first - packet->pts;
    packet->pts = packet->dts = first;
    return true;
}

static int append(sh_feed *feed, feed_track *track, AVPacket *packet, sh_err *err)
{
    node *last = calloc(1, sizeof(*last));
    AVPacket *kept = last ? av_packet_alloc() : NULL;
    if (!kept || av_packet_make_refcounted(packet) < 0) {
        av_packet_free(&kept);
        free(last);
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    }
    av_packet_move_ref(kept, packet);
    last->packet = kept;
    last->time_us = microseconds(kept->dts, track->clock);
    if (track->last)
        track->last->next = last;
    else
        track->first = last;
    track->last = last;
    feed->bytes += kept->size + (int64_t)sizeof(AVPacket);
    return 0;
}

static int keep(sh_feed *feed, AVPacket *packet, sh_err *err)
{
    const unsigned number = (unsigned)packet->stream_index;
    if (number >= feed->count)
        return 0; /* a track that turns up in mid-file: the source says so */
    feed_track *track = &feed->tracks[number];
    if (track->fate == SH_TRACK_REPLACED) {
        const int64_t time = packet->dts != AV_NOPTS_VALUE ? packet->dts : packet->pts;
        const int64_t reached = microseconds(time, track->clock);
        if (time != AV_NOPTS_VALUE && reached > feed->reached_us)
            feed->reached_us = reached;
        const int64_t end = feed->settings.end_us;
        feed->at_end |= end != AV_NOPTS_VALUE && feed->reached_us - PAST_US > end;
        return 0;
    }
    if (track->fate != SH_TRACK_COPIED && track->fate != SH_TRACK_CONVERTED)
        return 0;
    mend_times(feed, number, packet);
    if (!belongs(feed, track, packet))
        return 0;
    if (track->fate == SH_TRACK_CONVERTED) {
        int status = convert(feed, number, packet, err);
        if (status <= 0)
            return status;
    }
    return append(feed, track, packet, err);
}

static int read_one(sh_feed *feed, AVPacket *packet, sh_err *err)
{
    int status = sh_source_read(&feed->source, packet, err);
    if (status == 1)
        status = keep(feed, packet, err);
    feed->at_end |= feed->source.at_end;
    av_packet_unref(packet);
    return status;
}

/* Reads until all that comes before the time has been read. */
static int read_until(sh_feed *feed, int64_t due_us, int64_t most, sh_err *err)
{
    AVPacket *packet = av_packet_alloc();
    int status = packet ? 0 : sh_fail(err, SH_E_MEMORY, "memory is short");
    while (status == 0 && feed->any && !feed->at_end && feed->reached_us <= due_us && feed->bytes < most)
        status = read_one(feed, packet, err);
    av_packet_free(&packet);
    return status;
}

/* The track whose packet comes first, or NULL. */
static feed_track *earliest(const sh_feed *feed)
{
    feed_track *found = NULL;
    for (unsigned i = 0; i < feed->count; i++) {
        feed_track *track = &feed->tracks[i];
        if (!track->first)
            continue;
        if (!found || track->first->time_us < found->first->time_us ||
            (track->first->time_us == found->first->time_us && track->rank < found->rank))
            found = track;
    }
    return found;
}

int sh_feed_first(sh_feed *feed, int64_t *first_us, sh_err *err)
{
    int64_t first = AV_NOPTS_VALUE;
    int status = read_until(feed, feed->reached_us, SH_FEED_BYTES, err); /* the video's first packet */
    if (status == 0 && feed->reached_us < INT64_MAX - AHEAD_US)
        status = read_until(feed, feed->reached_us + AHEAD_US, SH_FEED_BYTES, err);
    for (unsigned i = 0; i < feed->count; i++)
        for (const node *at = feed->tracks[i].first; at; at = at->next) {
            const int64_t time = microseconds(at->packet->pts, feed->tracks[i].clock);
            if (first == AV_NOPTS_VALUE || time < first)
                first = time;
        }
    if (status == 0)
        *first_us = first;
    return status;
}

int sh_feed_next(sh_feed *feed, int64_t due_us, int rank, AVPacket *packet, AVRational *clock, sh_err *err)
{
    const int64_t most = due_us == INT64_MAX ? SH_FEED_END_BYTES : SH_FEED_BYTES;
    int status = read_until(feed, due_us, most, err);
    if (status < 0)
        return status;
    feed_track *track = earliest(feed);
    if (!track)
        return 0;
    const int64_t time = track->first->time_us;
    if (time > due_us || (time == due_us && track->rank > rank)) {
        if (feed->bytes < most)
            return 0;
        if (feed->early++ == 0)
            sh_channel_log(feed->settings.channel, SH_LOG_INFO,
                           "%s: its tracks lie far apart; they are written as they come",
                           feed->settings.name);
    }
    node *first = take(feed, track);
    av_packet_move_ref(packet, first->packet);
    av_packet_free(&first->packet);
    free(first);
    *clock = track->clock;
    return 1;
}
