/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of an encoder of one piece or stream; its promises stand in encode.h.
 *
 * What goes beside the samples waits in `line` until the packet of that pts comes out: the duration (which
 * libavcodec 5.1 does not carry), the side data that becomes messages, and whether a key frame was asked for.
 * The encoder itself gets the frame without side data, so that no wrapper writes a message of its own. An
 * encoder that keeps a grid of key frames is ended and opened anew where one is wanted beside the grid. */
#include "media/encode.h"
#include "media/avlog.h"
#include "media/encode_line.h"
#include "media/encode_row.h"
#include "media/plan.h"
#include "media/sei.h"
#include "media/source.h"

#include <inttypes.h>
#include <libavutil/fifo.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_MAX 100000
#define SAID_MAX 4096
#define HEVC_DELAY 2    /* the most that x265 needs: B-frames that refer to B-frames */
#define GUESSED_RATE 25 /* for the encoder's guesses where the rate is not known */

#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100)
#define DURATION_OF(frame) ((frame)->duration)
#else
#define DURATION_OF(frame) ((frame)->pkt_duration)
#endif

struct sh_encoder {
    const sh_encoder_row *row;
    sh_encoder_settings settings; /* strings and options are its own */
    AVCodecContext *codec;
    AVCodecParameters *parameters;
    sh_encoder_line line;
    int64_t sent, received, last_pts;
    int64_t since_open; /* frames sent to `codec` */
    sh_encoder_groups groups;
    int delay;
    AVFifo *ready; /* packets that came while frames were sent */
    bool ending, ended;
    sh_sei sei;
};

void sh_encoder_settings_default(sh_encoder_settings *settings)
{
    *settings = (sh_encoder_settings){
        .name = "libx264",
        .format = AV_PIX_FMT_YUV420P,
        .time_base = {1, 1000},
        .rate = {0, 1},
        .sar = {0, 1},
        .primaries = AVCOL_PRI_UNSPECIFIED,
        .transfer = AVCOL_TRC_UNSPECIFIED,
        .matrix = AVCOL_SPC_UNSPECIFIED,
        .crf = -1,
        .threads = 1,
        .piece_frames = 250,
        .global_header = true,
        .b_frames = -1,
        .references = -1,
    };
}

void sh_encoder_settings_for(sh_encoder_settings *settings, const AVOutputFormat *muxer)
{
    const uint32_t hvc1 = MKTAG('h', 'v', 'c', '1');
    const sh_encoder_info *info = sh_encoder_find(settings->name);
    const bool hevc = info && info->codec == AV_CODEC_ID_HEVC;
    settings->global_header = muxer && muxer->flags & AVFMT_GLOBALHEADER;
    settings->tag =
        hevc && muxer && muxer->codec_tag && av_codec_get_id(muxer->codec_tag, hvc1) == AV_CODEC_ID_HEVC
            ? hvc1
            : 0;
}

void sh_encoder_settings_from_plan(sh_encoder_settings *settings, const sh_plan *plan,
                                   const AVOutputFormat *muxer)
{
    sh_encoder_settings_default(settings);
    settings->name = plan->encoder;
    settings->width = plan->out_width;
    settings->height = plan->out_height;
    settings->format = plan->out_format;
    settings->time_base = plan->time_base;
    settings->rate = plan->rate;
    settings->sar = plan->sar;
    settings->range = plan->colour.range;
    settings->primaries = plan->colour.primaries;
    settings->transfer = plan->colour.transfer;
    settings->matrix = plan->colour.matrix;
    settings->siting = plan->colour.siting;
    settings->preset = plan->preset[0] ? plan->preset : NULL;
    settings->crf = plan->crf;
    settings->piece_frames = plan->piece_frames;
    settings->has_mastering = plan->has_mastering;
    settings->mastering = plan->mastering;
    settings->has_light = plan->has_light;
    settings->light = plan->light;
    sh_encoder_settings_for(settings, muxer);
}

/* ---- opening ---- */

void sh_codec_tags(AVCodecContext *codec, const sh_encoder_settings *settings)
{
    codec->width = settings->width;
    codec->height = settings->height;
    codec->pix_fmt = settings->format;
    codec->time_base = settings->time_base;
    codec->framerate = settings->rate;
    codec->sample_aspect_ratio = settings->sar;
    codec->color_range = settings->range;
    codec->color_primaries = settings->primaries;
    codec->color_trc = settings->transfer;
    codec->colorspace = settings->matrix;
    codec->chroma_sample_location = settings->siting;
    codec->thread_count = settings->threads;
    if (settings->global_header)
        codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
}

static int check_settings(const sh_encoder_info *info, const sh_encoder_settings *settings, sh_err *err)
{
    const double crf = settings->crf;
    if (settings->threads < 1 || settings->piece_frames < 0 ||
        (settings->piece_frames > PIECE_MAX && settings->gop_frames == 0) || settings->time_base.num <= 0 ||
        settings->time_base.den <= 0)
        return sh_fail(err, SH_E_ARGUMENT, "an encoder of %d threads for pieces of %d frames",
                       settings->threads, settings->piece_frames);
    if (!(crf >= info->crf_min && crf <= info->crf_max) || (info->crf_whole && crf != (int)crf))
        return sh_fail(err, SH_E_ARGUMENT, "--crf %g: %s takes %g to %g%s", crf, info->title, info->crf_min,
                       info->crf_max, info->crf_whole ? ", whole numbers" : "");
    if (sh_encoder_format(info, settings->format) != settings->format &&
        sh_encoder_format(info, settings->format) != AV_PIX_FMT_NONE)
        return sh_fail(err, SH_E_ARGUMENT, "%s wants pictures of %s as %s", info->title,
                       av_get_pix_fmt_name(settings->format),
                       av_get_pix_fmt_name(sh_encoder_format(info, settings->format)));
    int status = sh_encoder_check_stream(settings, err);
    if (status < 0)
        return status;
    return sh_encoder_check_picture(info, settings->width, settings->height, settings->format, err);
}

/* The last line of what was said, for the end of a message. */
static void last_line(char *said)
{
    size_t length = strlen(said);
    while (length > 0 && (said[length - 1] == '\n' || said[length - 1] == '.'))
        said[--length] = '\0';
    const char *line = strrchr(said, '\n');
    if (line)
        memmove(said, line + 1, strlen(line));
}

static int open_codec(sh_encoder *e, const sh_encoder_settings *settings, sh_err *err)
{
    const sh_encoder_row *row = e->row;
    const AVCodec *codec = avcodec_find_encoder_by_name(row->info.name);
    AVDictionary *native = NULL, *own = NULL;
    char said[SAID_MAX];
    int status;
    if (!(e->codec = avcodec_alloc_context3(codec)))
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    sh_codec_tags(e->codec, settings);
    if (settings->rate.num <= 0 || settings->rate.den <= 0)
        e->codec->framerate = (AVRational){GUESSED_RATE, 1};
    sh_encoder_steer(e->codec, settings);
    if ((status = row->configure(e->codec, settings, &own, err)) == 0)
        status = sh_encoder_apply_options(e->codec, row, settings, &native, err);
    if (status == 0 && row->native &&
        (av_dict_copy(&native, own, 0) < 0 ||
         av_opt_set_dict_val(e->codec->priv_data, row->native, native, 0) < 0))
        status = sh_fail(err, SH_E_MEMORY, "memory is short");
    if (status == 0) {
        sh_avlog_catch(said, sizeof(said));
        int error = avcodec_open2(e->codec, codec, NULL);
        sh_avlog_release();
        status = sh_encoder_find_complaint(row, said, err);
        last_line(said);
        if (status == 0 && error < 0)
            status =
                sh_fail(err, error == AVERROR(ENOMEM) ? SH_E_MEMORY : SH_E_ARGUMENT,
                        "%s does not open for %dx%d with preset %s: %.200s", row->info.title, settings->width,
                        settings->height, settings->preset, said[0] ? said : av_err2str(error));
    }
    av_dict_free(&native);
    av_dict_free(&own);
    return status;
}

/* The wrapper of x265 does not tell; the parameter sets do, and libavcodec's decoder reads them. */
static int find_delay(const sh_encoder *e)
{
    const AVCodecContext *codec = e->codec;
    int delay = codec->has_b_frames;
    if (codec->codec_id != AV_CODEC_ID_HEVC)
        return delay;
    AVCodecContext *reader = avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_HEVC));
    delay = HEVC_DELAY;
    if (reader && codec->extradata_size > 0 && avcodec_parameters_to_context(reader, e->parameters) >= 0 &&
        avcodec_open2(reader, NULL, NULL) >= 0)
        delay = reader->has_b_frames;
    avcodec_free_context(&reader);
    return delay;
}

static int note_parameters(sh_encoder *e, sh_err *err)
{
    e->parameters = avcodec_parameters_alloc();
    if (!e->parameters || avcodec_parameters_from_context(e->parameters, e->codec) < 0)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    const enum AVChromaLocation siting = e->settings.siting;
    if (e->row->info.hardware && siting > AVCHROMA_LOC_LEFT && e->parameters->extradata_size > 0) {
        int status = sh_nvenc_tell_siting(e->parameters, siting, err);
        if (status < 0)
            return status;
    }
    e->parameters->codec_tag = e->settings.tag;
    e->parameters->format = e->settings.format;
    e->parameters->bit_rate = 0;
    e->parameters->video_delay = e->delay = find_delay(e);
    return 0;
}

/* The encoder's own defaults where nothing was asked for. */
static int fill_in(sh_encoder *e, sh_err *err)
{
    sh_encoder_settings *s = &e->settings;
    if (!(s->crf >= 0))
        s->crf = e->row->info.crf;
    if (!s->preset)
        s->preset = strdup(e->row->info.preset);
    return s->preset ? 0 : sh_fail(err, SH_E_MEMORY, "memory is short");
}

int sh_encoder_open(sh_encoder **out, const sh_encoder_settings *settings, sh_err *err)
{
    const sh_encoder_row *row = sh_encoder_row_of(settings->name);
    if (!row)
        return sh_fail(err, SH_E_ARGUMENT, "there is no encoder \"%.60s\"",
                       settings->name ? settings->name : "");
    sh_encoder *e = calloc(1, sizeof(*e));
    if (!e)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    e->row = row;
    sh_sei_init(&e->sei, row->info.codec);
    int status = sh_encoder_keep(&e->settings, settings, err);
    if (status == 0)
        status = fill_in(e, err);
    if (status == 0)
        status = check_settings(&row->info, &e->settings, err);
    if (status == 0) {
        e->ready = av_fifo_alloc2(16, sizeof(AVPacket *), AV_FIFO_FLAG_AUTO_GROW);
        status = e->ready ? open_codec(e, &e->settings, err) : sh_fail(err, SH_E_MEMORY, "memory is short");
    }
    if (status == 0)
        status = note_parameters(e, err);
    if (status < 0)
        sh_encoder_close(&e);
    else
        *out = e;
    return status;
}

int sh_encoder_check_options(const sh_encoder_settings *settings, sh_err *err)
{
    sh_encoder_settings small = *settings;
    sh_encoder *encoder = NULL;
    small.width = small.height = 256;
    small.threads = 1;
    small.piece_frames = 1;
    int status = sh_encoder_open(&encoder, &small, err);
    sh_encoder_close(&encoder);
    return status;
}

/* ---- frames in ---- */

static void drop_side_data(AVFrame *frame)
{
    while (frame->nb_side_data > 0)
        av_frame_remove_side_data(frame, frame->side_data[0]->type);
}

/* Side data of `frame` alone, NULL when there is none. */
static int keep_beside(AVFrame **beside, const AVFrame *frame)
{
    if (frame->nb_side_data == 0)
        return 0;
    *beside = av_frame_alloc();
    return *beside && av_frame_copy_props(*beside, frame) >= 0 ? 0 : SH_E_MEMORY;
}

static int check_frame(const sh_encoder *e, const AVFrame *frame, sh_err *err)
{
    const int64_t n = e->sent;
    if (n >= e->settings.piece_frames && e->settings.piece_frames > 0)
        return sh_fail(err, SH_E_INTERNAL, "a piece of %d frames gets one more", e->settings.piece_frames);
    if (frame->pts == AV_NOPTS_VALUE || (n > 0 && frame->pts <= e->last_pts))
        return sh_fail(err, SH_E_INTERNAL,
                       "frame %" PRId64 " of a piece has time stamp %" PRId64 ", not after the one before",
                       n + 1, frame->pts);
    if (frame->width != e->settings.width || frame->height != e->settings.height ||
        frame->format != (int)e->settings.format)
        return sh_fail(err, SH_E_INTERNAL, "frame %" PRId64 " of a piece is %dx%d (%s), not %dx%d (%s)",
                       n + 1, frame->width, frame->height, av_get_pix_fmt_name(frame->format),
                       e->settings.width, e->settings.height, av_get_pix_fmt_name(e->settings.format));
    return 0;
}

static int note_frame(sh_encoder *e, const AVFrame *frame, bool key, sh_err *err)
{
    sh_encoder_entry *entry = sh_encoder_line_add(&e->line);
    if (!entry)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    entry->pts = e->last_pts = frame->pts;
    entry->duration = DURATION_OF(frame) > 0 ? DURATION_OF(frame) : 0;
    entry->key = key;
    e->sent++;
    e->since_open++;
    return keep_beside(&entry->beside, frame) < 0 ? sh_fail(err, SH_E_MEMORY, "memory is short") : 0;
}

static AVFrame *bare_frame(const sh_encoder *e, const AVFrame *frame, bool key)
{
    AVFrame *bare = av_frame_clone(frame);
    if (!bare)
        return NULL;
    drop_side_data(bare);
    bare->pict_type = key && !e->row->grid ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100)
    bare->flags &= ~(AV_FRAME_FLAG_KEY | AV_FRAME_FLAG_INTERLACED);
#else
    bare->key_frame = 0;
    bare->interlaced_frame = 0;
#endif
    if (e->row->info.hardware && sh_nvenc_format(frame->format) != frame->format &&
        sh_nvenc_convert(bare) < 0)
        av_frame_free(&bare);
    return bare;
}

/* Everything the encoder has ready goes into the line. Returns whether there was any, or an error. */
static int drain(sh_encoder *e, sh_err *err)
{
    for (int count = 0;; count++) {
        AVPacket *packet = av_packet_alloc();
        int error = packet ? avcodec_receive_packet(e->codec, packet) : AVERROR(ENOMEM);
        if (error == 0)
            error = av_fifo_write(e->ready, &packet, 1);
        if (error >= 0)
            continue;
        av_packet_free(&packet);
        if (error == AVERROR_EOF)
            e->ended = true;
        if (error == AVERROR_EOF || error == AVERROR(EAGAIN))
            return count;
        return sh_av_fail(err, error, NULL, "%s fails after frame %" PRId64 " of a piece", e->row->info.title,
                          e->sent);
    }
}

/* A frame without what is beside it, or the end; what comes out at once is taken. */
static int feed(sh_encoder *e, const AVFrame *bare, sh_err *err)
{
    int status;
    for (;;) {
        int error = avcodec_send_frame(e->codec, bare);
        if (error != AVERROR(EAGAIN) && error < 0)
            return sh_av_fail(err, error, NULL, "%s refuses frame %" PRId64 " of a piece", e->row->info.title,
                              e->sent);
        if ((status = drain(e, err)) < 0 || error == 0)
            return status < 0 ? status : 0;
        if (status == 0)
            return sh_fail(err, SH_E_INTERNAL, "%s neither takes a frame nor gives a packet",
                           e->row->info.title);
    }
}

/* The same encoder from here on, with a key frame. Its headers are those of before. */
static int begin_anew(sh_encoder *e, sh_err *err)
{
    int status = feed(e, NULL, err);
    if (status == 0 && !e->ended)
        status = sh_fail(err, SH_E_INTERNAL, "%s does not end before a key frame", e->row->info.title);
    if (status < 0)
        return status;
    avcodec_free_context(&e->codec);
    e->ended = false;
    e->since_open = 0;
    status = open_codec(e, &e->settings, err);
    const AVCodecParameters *p = e->parameters;
    if (status == 0 && (e->codec->extradata_size != p->extradata_size ||
                        (p->extradata_size > 0 &&
                         memcmp(e->codec->extradata, p->extradata, (size_t)p->extradata_size) != 0)))
        status =
            sh_fail(err, SH_E_INTERNAL, "%s begins a group with other parameter sets", e->row->info.title);
    return status;
}

static int send(sh_encoder *e, const AVFrame *frame, bool key, sh_err *err)
{
    if (e->ending)
        return sh_fail(err, SH_E_INTERNAL, "a piece that has ended gets a frame");
    if (!frame) {
        e->ending = true;
        return feed(e, NULL, err);
    }
    int status = check_frame(e, frame, err);
    if (status == 0 && key && e->row->grid && e->since_open % e->settings.gop_frames != 0)
        status = begin_anew(e, err);
    if (status == 0)
        status = note_frame(e, frame, key, err);
    if (status < 0)
        return status;
    AVFrame *bare = bare_frame(e, frame, key);
    if (!bare)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    status = feed(e, bare, err);
    av_frame_free(&bare);
    return status;
}

int sh_encoder_send(sh_encoder *e, const AVFrame *frame, sh_err *err)
{
    return send(e, frame, false, err);
}

int sh_encoder_send_key(sh_encoder *e, const AVFrame *frame, sh_err *err)
{
    if (e->settings.gop_frames == 0 && e->sent > 0)
        return sh_fail(err, SH_E_INTERNAL, "a key frame is asked for inside a piece");
    return send(e, frame, e->settings.gop_frames > 0, err);
}

/* ---- closing ---- */

static AVFrame *plain_frame(const sh_encoder *e)
{
    AVFrame *frame = av_frame_alloc();
    if (!frame)
        return NULL;
    frame->width = e->settings.width;
    frame->height = e->settings.height;
    frame->format = (int)e->settings.format;
    frame->pts = 0;
    if (av_frame_get_buffer(frame, 0) < 0)
        av_frame_free(&frame);
    for (int i = 0; frame && i < AV_NUM_DATA_POINTERS && frame->buf[i]; i++)
        memset(frame->buf[i]->data, 0, frame->buf[i]->size);
    return frame;
}

static void end_early(sh_encoder *e)
{
    sh_err ignored;
    if (e->since_open == 0) {
        AVFrame *frame = plain_frame(e);
        if (frame)
            avcodec_send_frame(e->codec, frame);
        av_frame_free(&frame);
    }
    if (!e->ending)
        feed(e, NULL, &ignored);
}

void sh_encoder_close(sh_encoder **encoder)
{
    sh_encoder *e = *encoder;
    if (!e)
        return;
    if (e->row->must_end && e->codec && avcodec_is_open(e->codec))
        end_early(e);
    for (AVPacket *left; e->ready && av_fifo_read(e->ready, &left, 1) >= 0;)
        av_packet_free(&left);
    av_fifo_freep2(&e->ready);
    avcodec_parameters_free(&e->parameters);
    avcodec_free_context(&e->codec);
    sh_sei_free(&e->sei);
    sh_encoder_line_free(&e->line);
    sh_encoder_let_go(&e->settings);
    free(e);
    *encoder = NULL;
}

/* ---- packets out ---- */

static int add_messages(sh_encoder *e, sh_encoder_entry *at, bool start, AVPacket *packet, sh_err *err)
{
    const sh_encoder_settings *s = &e->settings;
    sh_sei_clear(&e->sei);
    if (start && s->has_mastering)
        sh_sei_mastering(&e->sei, &s->mastering);
    if (start && s->has_light)
        sh_sei_light(&e->sei, &s->light);
    if (start && s->transfer == AVCOL_TRC_ARIB_STD_B67)
        sh_sei_preferred_transfer(&e->sei, s->transfer);
    if (at->beside)
        sh_sei_frame(&e->sei, at->beside, s->rate);
    return sh_sei_insert(&e->sei, packet, 0, err);
}

/* One place to start, at the front: whatever the encoder was told, its bytes decide. */
static int check_start(const sh_encoder *e, bool start, sh_err *err)
{
    if (start == (e->received == 0))
        return 0;
    return sh_fail(err, SH_E_INTERNAL,
                   start ? "%s puts a key frame inside a piece (packet %" PRId64
                           "); an option given with -o may do that"
                         : "%s begins a piece without a key frame (packet %" PRId64 ")",
                   e->row->info.title, e->received + 1);
}

static int finish_packet(sh_encoder *e, AVPacket *packet, sh_err *err)
{
    sh_encoder_entry *at = sh_encoder_line_find(&e->line, packet->pts);
    const bool start = sh_sei_is_start(e->row->info.codec, packet->data, (size_t)packet->size);
    if (!at)
        return sh_fail(err, SH_E_INTERNAL, "%s gives a packet of time stamp %" PRId64 ", which no frame had",
                       e->row->info.title, packet->pts);
    int status = e->settings.gop_frames > 0 ? sh_encoder_judge(&e->groups, &e->settings, e->row->info.title,
                                                               start, at->key, packet->pts, err)
                                            : check_start(e, start, err);
    if (status == 0)
        status = add_messages(e, at, start, packet, err);
    packet->duration = at->duration;
    packet->time_base = e->settings.time_base;
    packet->flags &= ~AV_PKT_FLAG_KEY;
    packet->flags |= start ? AV_PKT_FLAG_KEY : 0;
    sh_encoder_line_take(&e->line, at);
    e->received++;
    return status;
}

int sh_encoder_receive(sh_encoder *e, AVPacket *packet, sh_err *err)
{
    AVPacket *next = NULL;
    if (av_fifo_read(e->ready, &next, 1) >= 0) {
        av_packet_move_ref(packet, next);
        av_packet_free(&next);
        int status = finish_packet(e, packet, err);
        if (status < 0)
            av_packet_unref(packet);
        return status < 0 ? status : SH_ENCODER_PACKET;
    }
    if (!e->ended)
        return SH_ENCODER_MORE;
    if (e->received != e->sent)
        return sh_fail(err, SH_E_INTERNAL, "%s gives %" PRId64 " packets for %" PRId64 " frames",
                       e->row->info.title, e->received, e->sent);
    return SH_ENCODER_END;
}

/* ---- what it is ---- */

const AVCodecParameters *sh_encoder_parameters(const sh_encoder *e)
{
    return e->parameters;
}

int sh_encoder_delay(const sh_encoder *e)
{
    return e->delay;
}

int sh_encoder_check_parameters(const sh_encoder *e, const AVCodecParameters *expected, sh_err *err)
{
    const AVCodecParameters *own = e->parameters;
    const char *what = NULL;
    if (own->codec_id != expected->codec_id)
        what = "codecs";
    else if (own->width != expected->width || own->height != expected->height ||
             own->format != expected->format)
        what = "sizes or formats";
    else if (own->profile != expected->profile || own->level != expected->level)
        what = "profiles or levels";
    else if (own->video_delay != expected->video_delay)
        what = "delays";
    else if (own->extradata_size != expected->extradata_size ||
             (own->extradata_size > 0 &&
              memcmp(own->extradata, expected->extradata, (size_t)own->extradata_size) != 0))
        what = "parameter sets";
    if (!what)
        return 0;
    return sh_fail(err, SH_E_INTERNAL, "two pieces by %s have different %s", e->row->info.title, what);
}

static int add_stream_data(AVStream *stream, enum AVPacketSideDataType type, const void *bytes, size_t size)
{
    uint8_t *copy = av_malloc(size);
    if (!copy)
        return SH_E_MEMORY;
    memcpy(copy, bytes, size);
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
    const bool added = av_packet_side_data_add(&stream->codecpar->coded_side_data,
                                               &stream->codecpar->nb_coded_side_data, type, copy, size, 0);
#else
    const bool added = av_stream_add_side_data(stream, type, copy, size) >= 0;
#endif
    if (!added)
        av_free(copy);
    return added ? 0 : SH_E_MEMORY;
}

int sh_encoder_describe(const sh_encoder *e, AVStream *stream, sh_err *err)
{
    const sh_encoder_settings *s = &e->settings;
    int status = avcodec_parameters_copy(stream->codecpar, e->parameters) < 0 ? SH_E_MEMORY : 0;
    stream->time_base = s->time_base;
    stream->avg_frame_rate = s->rate;
    stream->sample_aspect_ratio = s->sar;
    if (status == 0 && s->has_mastering)
        status = add_stream_data(stream, AV_PKT_DATA_MASTERING_DISPLAY_METADATA, &s->mastering,
                                 sizeof(s->mastering));
    if (status == 0 && s->has_light)
        status = add_stream_data(stream, AV_PKT_DATA_CONTENT_LIGHT_LEVEL, &s->light, sizeof(s->light));
    return status < 0 ? sh_fail(err, status, "memory is short") : 0;
}

/* ---- versions ---- */

/* The first packet of a piece of one picture; NULL: there is none. */
static AVPacket *first_packet(sh_encoder *e)
{
    AVFrame *frame = plain_frame(e);
    AVPacket *packet = av_packet_alloc();
    sh_err ignored;
    const bool good = frame && packet && sh_encoder_send(e, frame, &ignored) == 0 &&
                      sh_encoder_send(e, NULL, &ignored) == 0 &&
                      sh_encoder_receive(e, packet, &ignored) == SH_ENCODER_PACKET;
    av_frame_free(&frame);
    if (!good)
        av_packet_free(&packet);
    return packet;
}

void sh_encoder_own_words(const char *name, const char *mark, const char *stop, char *text, size_t size)
{
    sh_encoder_settings settings;
    sh_encoder *encoder = NULL;
    sh_err ignored;
    text[0] = '\0';
    sh_encoder_settings_default(&settings);
    settings.name = name;
    settings.width = settings.height = 64;
    settings.global_header = false;
    if (sh_encoder_open(&encoder, &settings, &ignored) < 0)
        return;
    AVPacket *packet = first_packet(encoder);
    if (packet) {
        const char *at = memmem(packet->data, (size_t)packet->size, mark, strlen(mark));
        const size_t left = at ? (size_t)((char *)packet->data + packet->size - at) : 0;
        const char *end = at ? memmem(at, left, stop, strlen(stop)) : NULL;
        if (end)
            snprintf(text, size, "%.*s", (int)(end - at), at);
    }
    av_packet_free(&packet);
    sh_encoder_close(&encoder);
}
