/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The source's second half: packets of the video track into frames with a number, a time and a history.
 *
 * A packet's number travels through the decoder as its opaque value, so that a frame knows its packet without
 * guessing from time stamps. A decoded frame waits until the losses before it were told. */
#include "base/log.h"
#include "media/sandbox.h"
#include "media/source_inner.h"

#include <inttypes.h>
#include <libavutil/pixdesc.h>
#include <math.h>
#include <string.h>

#define CUT_TOLERANCE_US 500           /* a start that was rounded to milliseconds still means its frame */
#define CUT_BEYOND_US INT64_C(5000000) /* that tracks may lag behind the video in the file */

const sh_frame_facts *sh_frame_facts_of(const AVFrame *frame)
{
    const AVBufferRef *facts = frame->opaque_ref;
    return facts && facts->size == sizeof(sh_frame_facts) ? (const sh_frame_facts *)facts->data : NULL;
}

static double seconds(const sh_source *source, int64_t pts)
{
    return pts == AV_NOPTS_VALUE ? 0 : (double)pts * av_q2d(source->video->time_base);
}

/* ---- the cut ---- */

/* -1: before the cut; 0: within; 1: after. */
static int side_of_cut(const sh_source *source, int64_t at, AVRational time_base)
{
    if (at == AV_NOPTS_VALUE)
        return 0;
    if (source->cut_start != AV_NOPTS_VALUE &&
        av_compare_ts(at, time_base, source->cut_start - CUT_TOLERANCE_US, AV_TIME_BASE_Q) < 0)
        return -1;
    return source->cut_end != AV_NOPTS_VALUE &&
           av_compare_ts(at, time_base, source->cut_end - CUT_TOLERANCE_US, AV_TIME_BASE_Q) >= 0;
}

/* A subtitle is shown for a while: the part within the cut stays. */
static void shorten(const sh_source *source, AVPacket *packet, AVRational time_base)
{
    int64_t end = packet->pts + packet->duration;
    if (side_of_cut(source, packet->pts, time_base) < 0) {
        packet->pts = packet->dts = av_rescale_q(source->cut_start, AV_TIME_BASE_Q, time_base);
        packet->duration = end - packet->pts;
    }
    if (side_of_cut(source, end, time_base) > 0)
        packet->duration = av_rescale_q(source->cut_end, AV_TIME_BASE_Q, time_base) - packet->pts;
}

/* Whether a packet of another track is delivered. */
static bool within_cut(const sh_source *source, AVPacket *packet)
{
    const AVStream *stream = source->format->streams[packet->stream_index];
    const int64_t at = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
    const int side = side_of_cut(source, at, stream->time_base);
    if (stream->codecpar->codec_type != AVMEDIA_TYPE_SUBTITLE || packet->pts == AV_NOPTS_VALUE ||
        packet->duration <= 0 || side > 0)
        return side == 0;
    if (side < 0 && side_of_cut(source, at + packet->duration, stream->time_base) < 0)
        return false;
    shorten(source, packet, stream->time_base);
    return packet->duration > 0;
}

/* Notes that a track has come to the end of the cut; true once nothing more is to be read. */
static bool cut_is_over(sh_source *source, const AVPacket *packet)
{
    struct sh_source_inner *inner = source->inner;
    const AVStream *stream = source->format->streams[packet->stream_index];
    const int64_t at = packet->dts != AV_NOPTS_VALUE ? packet->dts : packet->pts;
    if (source->cut_end == AV_NOPTS_VALUE || at == AV_NOPTS_VALUE ||
        side_of_cut(source, at, stream->time_base) <= 0)
        return false;
    inner->past[packet->stream_index] = true;
    if (!inner->past[source->video->index])
        return false;
    if (stream == source->video &&
        av_compare_ts(at, stream->time_base, source->cut_end + CUT_BEYOND_US, AV_TIME_BASE_Q) > 0)
        return true;
    for (unsigned i = 0; i < inner->tracks; i++) {
        const AVStream *other = source->format->streams[i];
        if (other->codecpar->codec_type == AVMEDIA_TYPE_AUDIO && !inner->past[i])
            return false;
    }
    return true;
}

/* Reads up to the cut's start for the key packet that decoding has to begin with. */
static int64_t scan_for_key(sh_source *source, AVPacket *packet)
{
    const AVRational time_base = source->video->time_base;
    int64_t number = 0, last = 0, before = 0, by;
    for (; av_read_frame(source->format, packet) >= 0; av_packet_unref(packet)) {
        if ((unsigned)packet->stream_index < source->inner->tracks &&
            source->format->iformat->flags & AVFMT_TS_DISCONT)
            sh_tsclock_mend(&source->inner->clock, source->format->streams[packet->stream_index], packet,
                            &by);
        if (packet->stream_index != source->video->index)
            continue;
        const int64_t at = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
        if (packet->flags & AV_PKT_FLAG_KEY && at != AV_NOPTS_VALUE &&
            side_of_cut(source, at, time_base) < 0) {
            before = last;
            last = number;
        }
        if (packet->dts != AV_NOPTS_VALUE &&
            av_compare_ts(packet->dts, time_base, source->cut_start + AV_TIME_BASE, AV_TIME_BASE_Q) > 0)
            break;
        number++;
    }
    av_packet_unref(packet);
    return source->inner->intra ? last : before;
}

int sh_source_cut(sh_source *source, double start, double duration, sh_err *err)
{
    const int64_t zero = source->format->start_time == AV_NOPTS_VALUE ? 0 : source->format->start_time;
    const double most = 1e12;
    if (source->inner->started || !isfinite(start) || !isfinite(duration) || start > most ||
        duration > most || duration == 0)
        return sh_fail(err, SH_E_ARGUMENT, "a cut from %g s, %g s long, is not one", start, duration);
    const int64_t from = start > 0 ? llrint(start * AV_TIME_BASE) : 0;
    if (start >= 0)
        source->cut_start = zero + from;
    if (duration > 0)
        source->cut_end = zero + from + llrint(duration * AV_TIME_BASE);
    if (from == 0)
        return 0;
    source->inner->waiting_first = true;
    if (!source->io.seekable)
        return 0;
    AVPacket *packet = av_packet_alloc();
    if (!packet)
        return sh_fail(err, SH_E_MEMORY, "%s: memory is short", source->name);
    source->inner->decode_from = scan_for_key(source, packet);
    av_packet_free(&packet);
    return sh_source_rewind(source, err);
}

int sh_source_begin_at(sh_source *source, const sh_source_place *place, sh_err *err)
{
    struct sh_source_inner *inner = source->inner;
    if (!source->io.seekable)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: a pipe cannot be begun in the middle", source->name);
    if (inner->started || place->packet < 0 || place->key < 0 || place->key > place->packet ||
        place->frame < 0)
        return sh_fail(err, SH_E_ARGUMENT, "%s: there is no way back to frame %" PRId64, source->name,
                       place->frame);
    inner->target = *place;
    inner->has_target = inner->waiting_first = true;
    inner->decode_from = place->key;
    return 0;
}

/* ---- into the decoder ---- */

static void set_opaque(AVCodecContext *decoder, AVPacket *packet, int64_t number)
{
#if LIBAVCODEC_VERSION_MAJOR < 60
    decoder->reordered_opaque = number + 1;
#else
    decoder->flags |= AV_CODEC_FLAG_COPY_OPAQUE;
    packet->opaque = (void *)(intptr_t)(number + 1);
#endif
}

static int64_t packet_of(const AVFrame *frame)
{
#if LIBAVCODEC_VERSION_MAJOR < 60
    return frame->reordered_opaque > 0 ? frame->reordered_opaque - 1 : -1;
#else
    return (int64_t)(intptr_t)frame->opaque - 1;
#endif
}

/* NULL: there are no more. */
static int decode(sh_source *source, AVPacket *packet, int64_t number, sh_err *err)
{
    if (packet)
        set_opaque(source->decoder, packet, number);
    const int error = avcodec_send_packet(source->decoder, packet);
    if (error == AVERROR(ENOMEM))
        return sh_fail(err, SH_E_MEMORY, "%s: memory is short", source->name);
    if (error >= 0 || error == AVERROR_EOF)
        return 0;
    sh_flight_fail(&source->inner->flight, number);
    if (source->inner->flight.key_count == 0)
        return 0; /* before the first key packet nothing is promised */
    return sh_source_broken(source, err, "frame %" PRId64 " cannot be decoded (byte %" PRId64 ")",
                            source->packets, packet ? packet->pos : source->io.size);
}

/* Whether the picture size changes with this key packet. Some decoders then forget the pictures that they
 * have not given out yet. */
static bool changes_size(struct sh_source_inner *inner, const AVPacket *packet)
{
    uint8_t *data;
    int size;
    if (!inner->parser)
        return false;
    av_parser_parse2(inner->parser, inner->parsed, &data, &size, packet->data, packet->size, packet->pts,
                     packet->dts, packet->pos);
    const int now[4] = {inner->parser->coded_width, inner->parser->coded_height, inner->parsed->width,
                        inner->parsed->height};
    const bool other = inner->size[2] > 0 && memcmp(now, inner->size, sizeof(now)) != 0;
    memcpy(inner->size, now, sizeof(now));
    return other;
}

static int take_video(sh_source *source, AVPacket *packet, sh_err *err)
{
    struct sh_source_inner *inner = source->inner;
    const int64_t second = av_rescale_q(1, (AVRational){1, 1}, source->video->time_base);
    const sh_flight_packet it = {.number = inner->next_packet++,
                                 .pts = packet->pts,
                                 .key = packet->flags & AV_PKT_FLAG_KEY,
                                 .edit = packet->flags & AV_PKT_FLAG_DISCARD,
                                 .epoch = sh_flight_epoch(&inner->flight, packet->dts, second)};
    if (inner->past[source->video->index])
        return 0;
    (*(it.edit ? &source->discarded : &source->packets))++;
    if (it.key)
        sh_flight_key(&inner->flight, it.number, it.pts);
    if (it.number < inner->decode_from)
        return 0;
    sh_flight_add(&inner->flight, &it);
    if (!it.key || !changes_size(inner, packet))
        return decode(source, packet, it.number, err);
    av_packet_move_ref(inner->held, packet);
    inner->held_number = it.number;
    return decode(source, NULL, 0, err);
}

/* The decoder is empty: what was held goes in. 1; 0: nothing was, it is the end; or SH_E_*. */
static int go_on(sh_source *source, sh_err *err)
{
    struct sh_source_inner *inner = source->inner;
    if (!inner->held->data)
        return 0;
    avcodec_flush_buffers(source->decoder);
    const int status = decode(source, inner->held, inner->held_number, err);
    av_packet_unref(inner->held);
    return status < 0 ? status : 1;
}

/* Feeds the decoder or finds a packet of another track: 1 a packet for the caller, 0 go on, or SH_E_*. */
static int advance(sh_source *source, AVPacket *packet, sh_err *err)
{
    int status = sh_source_read(source, packet, err);
    if (status < 0)
        return status;
    if (status == 0)
        return source->at_end ? decode(source, NULL, 0, err) : 0;
    if (cut_is_over(source, packet)) {
        source->inner->cut_short = true;
        av_packet_unref(packet);
        return decode(source, NULL, 0, err);
    }
    if (packet->stream_index != source->video->index) {
        if (within_cut(source, packet))
            return 1;
        av_packet_unref(packet);
        return 0;
    }
    status = take_video(source, packet, err);
    av_packet_unref(packet);
    return status;
}

/* ---- out of it ---- */

static int64_t step_of(const sh_source *source, const AVFrame *frame)
{
    if (source->last_step > 0 && frame->pkt_duration > 0)
        return FFMIN(source->last_step, frame->pkt_duration);
    return source->last_step > 0 ? source->last_step : frame->pkt_duration > 0 ? frame->pkt_duration : 1;
}

/* Its time: what the file says, or what can be made of it. */
static void set_time(sh_source *source, AVFrame *frame, sh_frame_facts *facts)
{
    const int64_t given = frame->best_effort_timestamp, step = step_of(source, frame);
    facts->given_pts = frame->pts = given;
    facts->duration = frame->pkt_duration > 0 ? frame->pkt_duration : 0;
    facts->place.last_pts = source->last_pts;
    facts->place.last_step = source->last_step;
    facts->place.odd_times = source->odd_times;
    if (given == AV_NOPTS_VALUE || (source->last_pts != AV_NOPTS_VALUE && given <= source->last_pts)) {
        frame->pts = source->last_pts == AV_NOPTS_VALUE ? 0 : source->last_pts + step;
        frame->pkt_duration = step;
        facts->marks |= SH_FRAME_TIME_MADE;
    }
    if (source->last_pts != AV_NOPTS_VALUE)
        source->last_step = frame->pts - source->last_pts;
    source->last_pts = facts->place.pts = frame->pts;
}

static void say_time(sh_source *source, const sh_frame_facts *facts)
{
    if (!(facts->marks & SH_FRAME_TIME_MADE) || source->odd_times++ >= SH_SAID_MAX)
        return;
    sh_channel_log(source->channel, SH_LOG_WARNING, "%s: frame %" PRId64 " has %s; %" PRId64 " is taken",
                   source->name, source->frames,
                   facts->given_pts == AV_NOPTS_VALUE ? "no time stamp"
                                                      : "a time stamp not after the one before it",
                   facts->place.pts);
}

static void remember_first(sh_source *source, const AVFrame *frame, AVRational sar, sh_source_place *place)
{
    sh_adapt *first = &source->inner->adapt;
    if (first->width > 0) {
        place->width = first->width;
        place->height = first->height;
        place->format = first->format;
        place->sar_num = first->sar.num;
        place->sar_den = first->sar.den;
        place->range = first->range;
        place->matrix = first->matrix;
        return;
    }
    first->width = frame->width;
    first->height = frame->height;
    first->format = frame->format;
    first->sar = sar;
    first->range = frame->color_range;
    first->matrix = frame->colorspace;
}

static int adapt(sh_source *source, AVFrame *frame, sh_frame_facts *facts, sh_err *err)
{
    const AVRational sar = av_guess_sample_aspect_ratio(source->format, source->video, frame);
    remember_first(source, frame, sar, &facts->place);
    if (!source->adapt || sh_adapt_fits(&source->inner->adapt, frame, sar))
        return 0;
    if (source->adapted++ == 0)
        sh_channel_log(source->channel, SH_LOG_WARNING,
                       "%s: frame %" PRId64 " (at %.3f s) is %dx%d, SAR %d:%d, %s, and the first one %dx%d, "
                       "SAR %d:%d, %s: it and others like it are converted to that",
                       source->name, source->frames, seconds(source, frame->pts), frame->width, frame->height,
                       sar.num, sar.den, av_get_pix_fmt_name(frame->format), facts->place.width,
                       facts->place.height, facts->place.sar_num, facts->place.sar_den,
                       av_get_pix_fmt_name(facts->place.format));
    facts->marks |= SH_FRAME_ADAPTED;
    if (sh_adapt_frame(&source->inner->adapt, frame, sar, err) < 0)
        return sh_err_prefix(err, "%s: frame %" PRId64, source->name, source->frames);
    return 0;
}

static void go_back(sh_source *source)
{
    struct sh_source_inner *inner = source->inner;
    const sh_source_place *place = &inner->target;
    source->frames = place->frame;
    source->last_pts = place->last_pts;
    source->last_step = place->last_step;
    source->odd_times = place->odd_times;
    source->damages += place->damages - inner->decode_damages;
    inner->decode_damages = place->damages;
    memcpy(source->losses, place->losses, sizeof(source->losses));
    if (place->width > 0) {
        const AVRational sar = {place->sar_num, place->sar_den};
        inner->adapt = (sh_adapt){.width = place->width,
                                  .height = place->height,
                                  .format = place->format,
                                  .sar = sar,
                                  .range = place->range,
                                  .matrix = place->matrix};
    }
    sh_flight_begin(&inner->flight, &inner->waiting_of);
    inner->has_target = inner->waiting_first = false;
}

static int moved(const sh_source *source, int64_t found, sh_err *err)
{
    return sh_fail(err, SH_E_CONFLICT,
                   "%s: frame %" PRId64 " is not where it was (packet %" PRId64 ", time %" PRId64
                   ", now %" PRId64 "): decoding has to begin at the start of the file",
                   source->name, source->inner->target.frame, source->inner->target.packet,
                   source->inner->target.pts, found);
}

static int note_concealed(sh_source *source, const AVFrame *frame, sh_frame_facts *facts, sh_err *err)
{
    facts->place.damages = source->inner->decode_damages;
    if (!frame->decode_error_flags && !(frame->flags & AV_FRAME_FLAG_CORRUPT))
        return 0;
    facts->marks |= SH_FRAME_CONCEALED;
    return sh_source_broken(source, err,
                            "frame %" PRId64 " (at %.3f s) is damaged and was patched up by the decoder",
                            source->frames, seconds(source, frame->pts));
}

/* What a frame is that is wanted. */
static int describe(sh_source *source, AVFrame *frame, sh_frame_facts *facts, sh_err *err)
{
    facts->place.frame = source->frames++;
    facts->place.key = source->inner->waiting_of.from;
    if (facts->place.key < 0 ||
        (source->inner->one_to_one && sh_flight_doubts(&source->inner->flight, &source->inner->waiting_of)))
        facts->place.packet = -1;
    say_time(source, facts);
    int status = note_concealed(source, frame, facts, err);
    if (status == 0)
        status = adapt(source, frame, facts, err);
    if (status < 0)
        return status;
    AVBufferRef *buffer = av_buffer_alloc(sizeof(*facts));
    if (!buffer)
        return sh_fail(err, SH_E_MEMORY, "%s: memory is short", source->name);
    memcpy(buffer->data, facts, sizeof(*facts));
    av_buffer_unref(&frame->opaque_ref);
    frame->opaque_ref = buffer;
    return 0;
}

/* Whether a frame comes after one that follows it in time, which happens behind damage: its packet was told
 * to be lost already, and so it is. */
static bool is_late(sh_source *source, bool in_flight)
{
    struct sh_source_inner *inner = source->inner;
    const sh_flight_packet *it = &inner->waiting_of;
    if (in_flight || it->number < 0 || it->pts == AV_NOPTS_VALUE || source->last_pts == AV_NOPTS_VALUE ||
        it->pts > source->last_pts)
        return false;
    if (!inner->one_to_one)
        inner->late = *it;
    return true;
}

/* 1: the waiting frame is wanted; 0: it is not. */
static int choose(sh_source *source, sh_frame_facts *facts, sh_err *err)
{
    struct sh_source_inner *inner = source->inner;
    AVFrame *frame = inner->waiting;
    sh_flight_packet *it = &inner->waiting_of;
    *it = (sh_flight_packet){.number = packet_of(frame), .epoch = inner->flight.epoch};
    const bool in_flight =
        sh_flight_take(&inner->flight, it->number, it) || sh_flight_take_at(&inner->flight, frame->pts, it);
    const bool target = inner->has_target && it->number == inner->target.packet;
    it->pts = frame->best_effort_timestamp;
    sh_flight_come(&inner->flight, it->number);
    facts->place.packet = it->number;
    if ((inner->has_target && !target) || (!target && is_late(source, in_flight)))
        return 0;
    it->from = sh_flight_from(&inner->flight, it->number, it->pts, inner->intra ? 0 : 1);
    it->before = target ? inner->target.frame : source->frames;
    if (target) {
        it->pts = inner->target.pts;
        go_back(source);
    }
    set_time(source, frame, facts);
    if (target && frame->pts != inner->target.pts)
        return moved(source, frame->pts, err);
    it->pts = frame->pts;
    const int side = side_of_cut(source, frame->pts, source->video->time_base);
    if (side < 0)
        sh_flight_begin(&inner->flight, it);
    return side == 0;
}

/* 1: the waiting frame is wanted; 0: it was not, and is gone; or SH_E_*. */
static int accept(sh_source *source, sh_err *err)
{
    sh_frame_facts facts = {0};
    const int wanted = choose(source, &facts, err);
    if (wanted == 0)
        av_frame_unref(source->inner->waiting);
    if (wanted <= 0)
        return wanted;
    source->inner->waiting_first = false;
    const int status = describe(source, source->inner->waiting, &facts, err);
    return status < 0 ? status : 1;
}

/* 1 a frame waits (or a late one is to be told), 0 none yet, 2 the decoder is empty, or SH_E_*. */
static int receive(sh_source *source, sh_err *err)
{
    for (;;) {
        const int error = avcodec_receive_frame(source->decoder, source->inner->waiting);
        int status = 0;
        if (error == AVERROR(EAGAIN))
            return 0;
        if (error == AVERROR_EOF)
            return 2;
        if (error == AVERROR(ENOMEM))
            return sh_fail(err, SH_E_MEMORY, "%s: memory is short", source->name);
        if (error == 0)
            status = accept(source, err);
        else if (source->inner->flight.key_count > 0)
            status = sh_source_broken(source, err, "frame %" PRId64 " (after %.3f s) cannot be decoded",
                                      source->frames + 1, seconds(source, source->last_pts));
        if (status != 0)
            return status;
        if (source->inner->late.number >= 0)
            return 1;
    }
}

/* ---- delivery ---- */

static bool is_leading(const struct sh_source_inner *inner, const sh_flight_packet *packet, int64_t before)
{
    if (before > 0)
        return false;
    if (inner->flight.key_count == 0 || packet->number < inner->flight.keys[0].number)
        return true;
    return packet->pts != AV_NOPTS_VALUE && inner->flight.keys[0].pts != AV_NOPTS_VALUE &&
           packet->pts < inner->flight.keys[0].pts;
}

/* SH_LOSS_*; 0: nothing is known to be lost. */
static int kind_of_loss(const sh_source *source, const sh_flight_packet *packet, int64_t before)
{
    if (side_of_cut(source, packet->pts, source->video->time_base) != 0)
        return 0;
    if (packet->edit)
        return SH_LOSS_EDIT;
    if (!packet->failed && !source->inner->one_to_one)
        return 0;
    return is_leading(source->inner, packet, before) ? SH_LOSS_LEADING : SH_LOSS_UNDECODABLE;
}

/* SH_SOURCE_LOSS, 0, or SH_E_*. */
static int tell(sh_source *source, const sh_flight_packet *packet, int64_t before, sh_err *err)
{
    const int64_t place = packet->passed ? packet->before : before;
    const int kind = kind_of_loss(source, packet, place);
    if (kind == 0)
        return 0;
    source->losses[kind]++;
    if (kind == SH_LOSS_LEADING && source->losses[kind] == 1)
        sh_channel_log(
            source->channel, SH_LOG_WARNING,
            "%s: its first pictures refer to others that are before its beginning and cannot be shown",
            source->name);
    if (kind == SH_LOSS_UNDECODABLE && !packet->failed) {
        int status = sh_source_broken(
            source, err, "frame %" PRId64 " (packet %" PRId64 ", at %.3f s) could not be decoded", place + 1,
            packet->number, seconds(source, packet->pts));
        if (status < 0)
            return status;
        if (source->inner->waiting->opaque_ref) /* who begins with that frame is not told again */
            ((sh_frame_facts *)source->inner->waiting->opaque_ref->data)->place.damages++;
    }
    source->loss = (sh_source_loss){kind, packet->number, packet->pts, before};
    return source->tell_losses ? SH_SOURCE_LOSS : 0;
}

static int deliver(sh_source *source, AVFrame *frame)
{
    sh_frame_facts *facts = (sh_frame_facts *)source->inner->waiting->opaque_ref->data;
    memcpy(facts->place.losses, source->losses, sizeof(source->losses));
    av_frame_move_ref(frame, source->inner->waiting);
    return SH_SOURCE_FRAME;
}

/* A loss or the waiting frame; 0: neither. */
static int give(sh_source *source, AVFrame *frame, sh_err *err)
{
    struct sh_source_inner *inner = source->inner;
    const bool waits = inner->waiting->buf[0] != NULL;
    sh_flight_packet lost = inner->late;
    inner->late.number = -1;
    if (lost.number >= 0) {
        source->losses[SH_LOSS_UNDECODABLE]++;
        source->loss = (sh_source_loss){SH_LOSS_UNDECODABLE, lost.number, lost.pts, source->frames};
        if (source->tell_losses)
            return SH_SOURCE_LOSS;
    }
    while (waits ? sh_flight_lost(&inner->flight, &inner->waiting_of, &lost)
                 : inner->drained && sh_flight_rest(&inner->flight, &lost)) {
        int status = tell(source, &lost, source->frames - (waits ? 1 : 0), err);
        if (status != 0)
            return status;
    }
    return waits ? deliver(source, frame) : 0;
}

/* Pictures in against pictures out, where a packet is a picture. */
static int check_decoded(sh_source *source, sh_err *err)
{
    const bool cut = source->cut_start != AV_NOPTS_VALUE || source->cut_end != AV_NOPTS_VALUE;
    const int64_t missing = source->packets - source->frames - source->losses[SH_LOSS_LEADING] -
                            source->losses[SH_LOSS_UNDECODABLE];
    if (source->frames == 0 && cut)
        return sh_fail(err, SH_E_FORMAT,
                       "%s: no frame begins within the time that was asked for (the file lasts %.3f s)",
                       source->name, sh_source_duration(source));
    if (source->frames == 0 && source->packets == 0)
        return sh_fail(err, SH_E_FORMAT, "%s: its video track has no frames%s", source->name,
                       source->discarded ? " that its edit list shows" : "");
    if (source->frames == 0)
        return sh_fail(err, SH_E_FORMAT,
                       "%s: none of the %" PRId64 " packets of the video track could be decoded",
                       source->name, source->packets);
    if (cut || !source->inner->one_to_one || missing <= 0)
        return 0;
    return sh_source_broken(source, err, "%" PRId64 " of %" PRId64 " frames could not be decoded", missing,
                            source->packets);
}

static int finish_all(sh_source *source, sh_err *err)
{
    if (source->inner->has_target)
        return moved(source, AV_NOPTS_VALUE, err);
    if (source->odd_times > SH_SAID_MAX)
        sh_channel_log(
            source->channel, SH_LOG_WARNING,
            "%s: %" PRId64 " of %" PRId64
            " frames had no time stamp, or one not after the one before; %d of them are named above",
            source->name, source->odd_times, source->frames, SH_SAID_MAX);
    int status = check_decoded(source, err);
    return status < 0 ? status : SH_SOURCE_END;
}

int sh_source_next(sh_source *source, AVFrame *frame, AVPacket *packet, sh_err *err)
{
    source->inner->started = true;
    for (;;) {
        int status = give(source, frame, err);
        if (status != 0)
            return status;
        if (source->inner->drained)
            return finish_all(source, err);
        status = receive(source, err);
        if (status < 0)
            return status;
        if (status == 2) {
            status = go_on(source, err);
            source->inner->drained = status == 0;
        }
        if (status < 0)
            return status;
        if (status != 0 || source->inner->drained)
            continue;
        status = advance(source, packet, err);
        if (status != 0)
            return status < 0 ? status : SH_SOURCE_PACKET;
    }
}
