/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/source.h"
#include "base/log.h"
#include "base/pool.h"
#include "media/avlog.h"
#include "media/sandbox.h"
#include "media/source_inner.h"

#include <errno.h>
#include <inttypes.h>
#include <libavutil/avstring.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Containers that hold video and refer to no other file. */
static const char containers[] =
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,avi,flv,asf,ogg,mxf,nut,ivf,h264,hevc,m4v,mpegvideo,"
    "yuv4mpegpipe,gif,apng,dv,rm,wtv,swf,gxf,live_flv,amv,roq,nsv,bink,smk,vc1,vc1test,obu,av1,3gp,wav,mp3,"
    "aac,"
    "flac";

#define FRAME_THREADS_PIXELS (INT64_C(1) << 28) /* pictures that the decoder's threads hold, all together */

int sh_av_fail(sh_err *err, int error, const sh_fdio *io, const char *format, ...)
{
    char text[400], reason[AV_ERROR_MAX_STRING_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (io && io->error)
        return sh_fail_errno(err, io->error, "%s", text);
    if (error == AVERROR(ENOMEM) || error == AVERROR(ENOSPC) || error == AVERROR(EIO))
        return sh_fail_errno(err, AVUNERROR(error), "%s", text);
    av_strerror(error, reason, sizeof(reason));
    return sh_fail(err, SH_E_FORMAT, "%s: %s", text, reason);
}

static int64_t frames_done(const sh_source *source)
{
    return source->packets + source->discarded;
}

static int count_damage(sh_source *source, sh_err *err, const char *format, va_list arguments)
{
    char text[sizeof(source->damage)];
    vsnprintf(text, sizeof(text), format, arguments);
    if (source->damages++ == 0)
        memcpy(source->damage, text, sizeof(text));
    if (!source->accept_damage)
        return sh_fail(err, SH_E_FORMAT, "%s: %s%s", source->name, text,
                       source->advice ? source->advice : "");
    if (source->damages <= SH_SAID_MAX)
        sh_channel_log(source->channel, SH_LOG_WARNING, "%s: %s", source->name, text);
    return 0;
}

int sh_source_damaged(sh_source *source, sh_err *err, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int status = count_damage(source, err, format, arguments);
    va_end(arguments);
    return status;
}

int sh_source_broken(sh_source *source, sh_err *err, const char *format, ...)
{
    va_list arguments;
    if (source->inner->waiting_first)
        return 0;
    source->inner->decode_damages++;
    va_start(arguments, format);
    int status = count_damage(source, err, format, arguments);
    va_end(arguments);
    return status;
}

static int64_t hidden(const sh_source *source);

/* ---- opening ---- */

static int open_container(sh_source *source, int fd, sh_err *err)
{
    int error = sh_fdio_open(&source->io, fd, false);
    if (error < 0)
        return sh_av_fail(err, error, NULL, "%s", source->name);
    if (source->io.size == 0)
        return sh_fail(err, SH_E_FORMAT, "%s: the file is empty (0 bytes), not a video", source->name);
    source->format = avformat_alloc_context();
    if (!source->format)
        return sh_fail(err, SH_E_MEMORY, "%s: memory is short", source->name);
    source->format->pb = source->io.context;
    source->format->io_open = sh_fdio_refuse;
    source->format->format_whitelist = av_strdup(containers);
    source->format->protocol_whitelist = av_strdup("");
    source->format->flags |= AVFMT_FLAG_CUSTOM_IO;
    error = avformat_open_input(&source->format, NULL, NULL, NULL);
    if ((error == AVERROR_INVALIDDATA || error == AVERROR(EINVAL)) && source->io.size < 0)
        return sh_av_fail(err, error, &source->io,
                          "%s: what comes through the pipe is no video that can be read without seeking",
                          source->name);
    if (error == AVERROR_INVALIDDATA || error == AVERROR(EINVAL)) /* the latter: none of `containers` */
        return sh_av_fail(err, error, &source->io,
                          "%s: not a video that can be read; its %" PRId64
                          " bytes are of no known container, or its index is missing because it is cut short",
                          source->name, source->io.size);
    if (error < 0 && !source->io.error && error != AVERROR(ENOMEM))
        return sh_fail(err, SH_E_FORMAT,
                       "%s: its header cannot be read, or tells of pictures too large to be decoded",
                       source->name);
    if (error < 0)
        return sh_av_fail(err, error, &source->io, "%s", source->name);
    error = avformat_find_stream_info(source->format, NULL);
    if (error < 0)
        return sh_av_fail(err, error, &source->io, "%s: its tracks cannot be read", source->name);
    return 0;
}

static bool is_picture(const AVStream *stream)
{
    return stream->disposition & AV_DISPOSITION_ATTACHED_PIC;
}

static int choose_track(sh_source *source, sh_err *err)
{
    int found = av_find_best_stream(source->format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    unsigned pictures = 0;
    for (unsigned i = 0; i < source->format->nb_streams; i++)
        pictures += is_picture(source->format->streams[i]) ? 1 : 0;
    if (found < 0 || is_picture(source->format->streams[found]))
        return sh_fail(err, SH_E_FORMAT, "%s: no video track (%s, %u tracks%s)", source->name,
                       source->format->iformat->long_name, source->format->nb_streams,
                       pictures ? ", the only pictures are attached covers" : "");
    source->video = source->format->streams[found];
    if (source->video->codecpar->width <= 0 || source->video->codecpar->height <= 0)
        return sh_fail(
            err, SH_E_FORMAT,
            "%s: the video track (%s) says no picture size; the file is damaged or holds no picture",
            source->name, avcodec_get_name(source->video->codecpar->codec_id));
    if ((int64_t)source->video->codecpar->width * source->video->codecpar->height > SH_SOURCE_PIXELS)
        return sh_fail(
            err, SH_E_LIMIT, "%s: pictures of %dx%d; at most 16384x16384 (%" PRId64 " pixels) are decoded",
            source->name, source->video->codecpar->width, source->video->codecpar->height, SH_SOURCE_PIXELS);
    return 0;
}

/* So many that the pictures they hold stay within bounds. It is a function of the file and the wish alone. */
static int decoder_threads(const sh_source *source, int wanted)
{
    const int64_t pixels = (int64_t)source->video->codecpar->width * source->video->codecpar->height;
    const int64_t most = FRAME_THREADS_PIXELS / pixels;
    if (wanted <= 0)
        wanted = sh_cpu_count();
    return most < 1 ? 1 : wanted > most ? (int)most : wanted;
}

static int open_decoder(sh_source *source, int threads, sh_err *err)
{
    const AVCodecParameters *parameters = source->video->codecpar;
    const AVCodec *codec = avcodec_find_decoder(parameters->codec_id);
    if (!codec)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: there is no decoder for %s", source->name,
                       avcodec_get_name(parameters->codec_id));
    source->decoder = avcodec_alloc_context3(codec);
    if (!source->decoder)
        return sh_fail(err, SH_E_MEMORY, "%s: memory is short", source->name);
    int error = avcodec_parameters_to_context(source->decoder, parameters);
    source->decoder->pkt_timebase = source->video->time_base;
    source->decoder->thread_count = decoder_threads(source, threads);
    if (parameters->codec_id ==
        AV_CODEC_ID_H264) /* frames in order, where the stream does not say how far back */
        source->decoder->strict_std_compliance = FF_COMPLIANCE_STRICT;
    source->decoder->max_pixels = SH_SOURCE_PIXELS;
    source->decoder->err_recognition = AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER;
    if (error >= 0)
        error = avcodec_open2(source->decoder, codec, NULL);
    if (error < 0)
        return sh_av_fail(err, error, NULL, "%s: decoder of %s", source->name, codec->name);
    return 0;
}

/* ---- what hangs on it ---- */

static bool is_one_to_one(const AVCodecParameters *parameters, bool intra)
{
    const bool frames =
        parameters->field_order == AV_FIELD_PROGRESSIVE || parameters->field_order == AV_FIELD_UNKNOWN;
    switch (parameters->codec_id) {
    case AV_CODEC_ID_H264:
    case AV_CODEC_ID_HEVC:
        return frames;
    case AV_CODEC_ID_MPEG1VIDEO:
    case AV_CODEC_ID_MPEG2VIDEO:
    case AV_CODEC_ID_VP9:
    case AV_CODEC_ID_AV1:
        return true;
    default:
        return intra;
    }
}

/* Without one changes of size are the decoder's alone to notice. */
static void open_parser(sh_source *source)
{
    struct sh_source_inner *inner = source->inner;
    inner->parser = av_parser_init(source->video->codecpar->codec_id);
    inner->parsed = avcodec_alloc_context3(NULL);
    if (inner->parser)
        inner->parser->flags |= PARSER_FLAG_COMPLETE_FRAMES;
    if (!inner->parsed || avcodec_parameters_to_context(inner->parsed, source->video->codecpar) < 0) {
        av_parser_close(inner->parser);
        inner->parser = NULL;
    }
}

static int open_inner(sh_source *source, int threads, sh_err *err)
{
    struct sh_source_inner *inner = source->inner;
    const AVCodecDescriptor *codec = avcodec_descriptor_get(source->video->codecpar->codec_id);
    inner->threads = threads;
    inner->tracks = source->format->nb_streams;
    inner->intra = codec && codec->props & AV_CODEC_PROP_INTRA_ONLY;
    inner->one_to_one = is_one_to_one(source->video->codecpar, inner->intra);
    inner->past = calloc(inner->tracks, sizeof(*inner->past));
    inner->waiting = av_frame_alloc();
    inner->held = av_packet_alloc();
    inner->late.number = -1;
    open_parser(source);
    if (!inner->past || !inner->waiting || !inner->held || !sh_tsclock_open(&inner->clock, inner->tracks))
        return sh_fail(err, SH_E_MEMORY, "%s: memory is short", source->name);
    return 0;
}

static void close_inner(struct sh_source_inner **inner)
{
    if (!*inner)
        return;
    av_frame_free(&(*inner)->waiting);
    av_packet_free(&(*inner)->held);
    av_parser_close((*inner)->parser);
    avcodec_free_context(&(*inner)->parsed);
    sh_tsclock_close(&(*inner)->clock);
    sh_adapt_close(&(*inner)->adapt);
    free((*inner)->past);
    free(*inner);
    *inner = NULL;
}

int sh_source_open(sh_source *source, int fd, int threads, sh_err *err)
{
    source->inner = calloc(1, sizeof(*source->inner));
    int status = source->inner ? open_container(source, fd, err)
                               : sh_fail(err, SH_E_MEMORY, "%s: memory is short", source->name);
    if (status == 0)
        status = choose_track(source, err);
    if (status == 0)
        status = open_decoder(source, threads, err);
    if (status == 0)
        status = open_inner(source, threads, err);
    source->hidden = status == 0 ? hidden(source) : 0;
    source->last_pts = AV_NOPTS_VALUE;
    source->reached = AV_NOPTS_VALUE;
    source->cut_start = source->cut_end = AV_NOPTS_VALUE;
    if (status < 0)
        sh_source_close(source);
    return status;
}

static void close_container(sh_source *source)
{
    avcodec_free_context(&source->decoder);
    avformat_close_input(&source->format);
    sh_fdio_close(&source->io);
    source->video = NULL;
}

void sh_source_close(sh_source *source)
{
    close_container(source);
    close_inner(&source->inner);
}

int sh_source_rewind(sh_source *source, sh_err *err)
{
    const int fd = source->io.fd, threads = source->inner->threads;
    close_container(source);
    sh_tsclock_close(&source->inner->clock);
    int status = open_container(source, fd, err);
    if (status == 0)
        status = choose_track(source, err);
    if (status == 0)
        status = open_decoder(source, threads, err);
    if (status == 0 && source->format->nb_streams != source->inner->tracks)
        status = sh_fail(err, SH_E_CONFLICT, "%s: the file was changed while it was read", source->name);
    if (status == 0 && !sh_tsclock_open(&source->inner->clock, source->inner->tracks))
        status = sh_fail(err, SH_E_MEMORY, "%s: memory is short", source->name);
    return status;
}

/* ---- what the container promises ---- */

/* Pictures that an index lists. Only the formats of the MOV family have an index of every packet. */
static int64_t indexed(const sh_source *source)
{
    if (strstr(source->format->iformat->name, "mov") == NULL)
        return 0;
    int64_t entries = avformat_index_get_entries_count(source->video);
    return entries > 0 ? entries : source->video->nb_frames;
}

static int64_t hidden(const sh_source *source)
{
    const int64_t listed = indexed(source), all = source->video->nb_frames;
    return listed > 0 && avformat_index_get_entries_count(source->video) > 0 && all > listed ? all - listed
                                                                                             : 0;
}

double sh_source_duration(const sh_source *source)
{
    return source->format->duration > 0 ? (double)source->format->duration / AV_TIME_BASE : 0;
}

static int check_duration(sh_source *source, sh_err *err)
{
    const AVFormatContext *format = source->format;
    if (format->duration_estimation_method != AVFMT_DURATION_FROM_STREAM || format->duration <= 0 ||
        source->reached == AV_NOPTS_VALUE || indexed(source) > 0)
        return 0;
    int64_t start = format->start_time == AV_NOPTS_VALUE ? 0 : format->start_time;
    /* Matroska counts from 0, wherever its first frame is */
    int64_t from = start > 0 && strstr(format->iformat->name, "matroska") ? 0 : start;
    int64_t missing = from + format->duration - source->reached;
    AVRational rate = av_guess_frame_rate(source->format, source->video, NULL);
    double frame = rate.num > 0 && rate.den > 0 ? AV_TIME_BASE / av_q2d(rate) : 0;
    if ((double)missing < AV_TIME_BASE / 10 + 1.5 * frame)
        return sh_avlog_premature()
                   ? sh_source_damaged(source, err,
                                       "the file breaks off at byte %" PRId64 ", after frame %" PRId64,
                                       source->io.size, source->packets)
                   : 0;
    return sh_source_damaged(source, err,
                             "the file ends at %.3f s (byte %" PRId64
                             ") of the %.3f s that its header promises, %" PRId64 " frames were read",
                             (double)(source->reached - start) / AV_TIME_BASE, source->io.size,
                             (double)format->duration / AV_TIME_BASE, source->packets);
}

/* A transport stream promises no length, only whole packets: of 188 bytes, or 192 and 204 with additions. */
static int check_transport(sh_source *source, sh_err *err)
{
    const int64_t size = source->io.size;
    if (strcmp(source->format->iformat->name, "mpegts") != 0 || size < 0 || size % 188 == 0 ||
        size % 192 == 0 || size % 204 == 0)
        return 0;
    return sh_source_damaged(source, err,
                             "the file ends within a packet, at byte %" PRId64
                             ": it is cut short after frame %" PRId64
                             ", how many frames are lost is not known",
                             size, source->packets);
}

/* An AVI file's index lists frames that the demultiplexer does not find where they should be. An entry
 * without bytes is a repetition, and no packet. */
static int check_listed(sh_source *source, sh_err *err)
{
    int64_t listed = 0;
    if (strcmp(source->format->iformat->name, "avi") != 0)
        return 0;
    for (int i = 0; i < avformat_index_get_entries_count(source->video); i++)
        listed += avformat_index_get_entry(source->video, i)->size > 0 ? 1 : 0;
    if (listed <= frames_done(source))
        return 0;
    return sh_source_damaged(source, err,
                             "%" PRId64 " of the %" PRId64 " frames that its index lists are not found",
                             listed - frames_done(source), listed);
}

static int check_end(sh_source *source, sh_err *err)
{
    int64_t promised = indexed(source);
    if (promised > frames_done(source))
        return sh_source_damaged(source, err,
                                 "the file is cut short: frames %" PRId64 " to %" PRId64
                                 " are missing (%" PRId64 " of %" PRId64 " lost), it ends at byte %" PRId64,
                                 frames_done(source) + 1, promised, promised - frames_done(source), promised,
                                 source->io.size);
    const int64_t damages = source->damages;
    int status = check_transport(source, err);
    if (status == 0)
        status = check_duration(source, err);
    return status < 0 || source->damages > damages ? status : check_listed(source, err);
}

/* ---- reading ---- */

static void note_reached(sh_source *source, const AVPacket *packet)
{
    const AVStream *stream = source->format->streams[packet->stream_index];
    int64_t at = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
    if (at == AV_NOPTS_VALUE)
        return;
    int64_t end = av_rescale_q(at + packet->duration, stream->time_base, AV_TIME_BASE_Q);
    if (source->reached == AV_NOPTS_VALUE || end > source->reached)
        source->reached = end;
}

static int read_failed(sh_source *source, int error, sh_err *err)
{
    int64_t promised = indexed(source);
    char reason[AV_ERROR_MAX_STRING_SIZE];
    if (source->io.error)
        return sh_fail_errno(err, source->io.error, "%s: reading at byte %" PRId64, source->name,
                             source->io.position);
    source->at_end = true;
    if (promised > frames_done(source))
        return check_end(source, err);
    av_strerror(error, reason, sizeof(reason));
    return sh_source_damaged(source, err,
                             "reading stops after frame %" PRId64 ", at byte %" PRId64 " of %" PRId64 ": %s",
                             frames_done(source), source->io.position, source->io.size, reason);
}

static int corrupt(sh_source *source, const AVPacket *packet, sh_err *err)
{
    int64_t promised = indexed(source), done = frames_done(source);
    int64_t at = packet->pos >= 0 ? packet->pos : source->io.position;
    if (promised > done)
        return sh_source_damaged(source, err,
                                 "the packet after frame %" PRId64 " (byte %" PRId64
                                 ") is damaged or cut short, %" PRId64 " of %" PRId64
                                 " frames are lost at least",
                                 done, at, promised - done, promised);
    return sh_source_damaged(source, err,
                             "the packet after frame %" PRId64 " (byte %" PRId64 ") is damaged or cut short",
                             done, at);
}

/* One packet from the file. 1, or 0 at the end, or SH_E_*. */
static int read_packet(sh_source *source, AVPacket *packet, sh_err *err)
{
    int error = av_read_frame(source->format, packet);
    if (error == AVERROR_EOF && !source->io.error) {
        source->at_end = true;
        return check_end(source, err);
    }
    if (error == AVERROR(ENOMEM))
        return sh_fail(err, SH_E_MEMORY, "%s: memory is short", source->name);
    if (error < 0)
        return read_failed(source, error, err);
    if (packet->flags & AV_PKT_FLAG_CORRUPT) {
        int status = corrupt(source, packet, err);
        if (status < 0)
            av_packet_unref(packet);
        return status < 0 ? status : 1;
    }
    return 1;
}

static void mend_clock(sh_source *source, AVPacket *packet)
{
    int64_t by = 0;
    if (!(source->format->iformat->flags & AVFMT_TS_DISCONT))
        return;
    const AVStream *stream = source->format->streams[packet->stream_index];
    if (!sh_tsclock_mend(&source->inner->clock, stream, packet, &by))
        return;
    if (source->jumps++ < SH_SAID_MAX)
        sh_channel_log(source->channel, SH_LOG_WARNING,
                       "%s: the clock jumps by %.3f s at byte %" PRId64 " (track %d, frame %" PRId64
                       "); the time goes on as if it had not",
                       source->name, (double)-by / AV_TIME_BASE, packet->pos, packet->stream_index,
                       source->packets);
}

int sh_source_read(sh_source *source, AVPacket *packet, sh_err *err)
{
    struct sh_source_inner *inner = source->inner;
    int status = read_packet(source, packet, err);
    if (status != 1)
        return status;
    if ((unsigned)packet->stream_index >= inner->tracks) {
        if (!inner->late_track)
            sh_channel_log(source->channel, SH_LOG_WARNING,
                           "%s: track %d turns up at byte %" PRId64 ", in mid-file; it is left out",
                           source->name, packet->stream_index, packet->pos);
        inner->late_track = true;
        av_packet_unref(packet);
        return 0;
    }
    mend_clock(source, packet);
    note_reached(source, packet);
    return 1;
}
