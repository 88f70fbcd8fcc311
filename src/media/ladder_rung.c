/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/ladder_rung.h"
#include "stream/codec_config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE 4        /* pictures waiting */
#define CODED_LINE 64 /* packets and what is expected of them */
#define WORST_CRF 51  /* what a ceiling may come to */
#define CHECK_THREADS 4
#define BORDERS_MAX (1 << 16)
#define FRAMES_UNKNOWN 250

/* ---- settings of the encoder ---- */

static bool is_hdr(const sh_rung_settings *s)
{
    return s->plan->hdr != SH_HDR_NONE && !s->sdr;
}

/* 8 bits for H.264 unless asked for otherwise; else as the pictures have. */
static int bits_of(const sh_rung_settings *s, enum AVCodecID codec)
{
    const int own = s->sdr ? 8 : s->plan->out_bits;
    if (s->video->bits > 0)
        return s->video->bits > 8 ? 10 : 8;
    return codec == AV_CODEC_ID_H264 || own <= 8 ? 8 : 10;
}

static int gop_of(const sh_rung_settings *s)
{
    const AVRational rate = s->plan->rate;
    const double fps = rate.num > 0 ? av_q2d(rate) : (double)s->timescale / (double)s->step;
    if (s->video->encoder.gop_frames > 0)
        return s->video->encoder.gop_frames;
    const double seconds = s->video->gop_seconds > 0 ? s->video->gop_seconds : 2 * s->segment_seconds;
    const double frames = floor(fps * seconds + 0.5);
    return frames < 1 ? 1 : frames > 100000 ? 100000 : (int)frames;
}

static void set_colour(sh_encoder_settings *e, const AVFrame *like)
{
    e->range = like->color_range;
    e->primaries = like->color_primaries;
    e->transfer = like->color_trc;
    e->matrix = like->colorspace;
    e->siting = like->chroma_location;
}

static void set_encoder(sh_rung *rung, const AVFrame *like)
{
    const sh_rung_settings *s = &rung->settings;
    const sh_plan *plan = s->plan;
    sh_encoder_settings *e = &rung->encoder;
    *e = s->video->encoder;
    e->width = rung->layout.width;
    e->height = rung->layout.height;
    e->sar = rung->layout.sar;
    e->format = like->format;
    e->time_base = (AVRational){1, s->timescale};
    e->rate = plan->rate;
    e->fixed_rate = !plan->vfr && plan->rate.num > 0;
    set_colour(e, like);
    e->threads = s->threads;
    e->piece_frames = 0;
    e->global_header = true;
    e->tag = rung->info->codec == AV_CODEC_ID_HEVC ? MKTAG('h', 'v', 'c', '1') : 0;
    e->delimiters = false;
    e->gop_frames = gop_of(s);
    e->has_mastering = is_hdr(s) && plan->has_mastering;
    e->mastering = plan->mastering;
    e->has_light = is_hdr(s) && plan->has_light;
    e->light = plan->light;
    if (!s->whole && e->max_bitrate > 0 && e->buffer_fill <= 0)
        e->buffer_fill = 0.5;
}

static double tolerance_of(const sh_rung *rung)
{
    const sh_encoder_settings *e = &rung->encoder;
    const bool steered = e->rate_control != SH_ENCODER_QUALITY || e->max_bitrate > 0;
    const double crf = e->crf >= 0 ? e->crf : rung->info->crf;
    return sh_check_tolerance(steered && crf < WORST_CRF ? WORST_CRF : crf);
}

/* ---- opening ---- */

static int open_scale(sh_rung *rung, sh_err *err)
{
    const sh_rung_settings *s = &rung->settings;
    static const sh_scaling scalings[] = {[SH_LADDER_FIT] = SH_SCALING_PAD,
                                          [SH_LADDER_STRETCH] = SH_SCALING_STRETCH,
                                          [SH_LADDER_FILL] = SH_SCALING_FILL};
    const int scaling = s->video->scaling;
    if (scaling < 0 || scaling > SH_LADDER_FILL)
        return sh_fail(err, SH_E_ARGUMENT, "video %d: no way of scaling has the number %d", s->index + 1,
                       scaling);
    int status =
        sh_scale_lay_out(&rung->layout, s->like->width, s->like->height, s->like->sample_aspect_ratio,
                         s->video->width, s->video->height, scalings[scaling], false, err);
    const sh_scale_settings settings = {
        .layout = rung->layout,
        .format = bits_of(s, rung->info->codec) > 8 ? AV_PIX_FMT_YUV420P10 : AV_PIX_FMT_YUV420P,
    };
    return status < 0 ? status : sh_scale_open(&rung->scale, &settings, s->like, err);
}

static int open_encoder(sh_rung *rung, sh_err *err)
{
    AVFrame *like = av_frame_alloc();
    if (!like)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    sh_scale_describe(rung->scale, like);
    like->color_primaries = rung->settings.like->color_primaries;
    like->color_trc = rung->settings.like->color_trc;
    set_encoder(rung, like);
    av_frame_free(&like);
    int status = sh_encoder_open(&rung->spare, &rung->encoder, err);
    if (status < 0)
        return status;
    rung->delay = sh_encoder_delay(rung->spare);
    rung->tolerance = tolerance_of(rung);
    rung->parameters = avcodec_parameters_alloc();
    rung->holder = avformat_alloc_context();
    AVStream *stream = rung->holder ? avformat_new_stream(rung->holder, NULL) : NULL;
    rung->shown = avcodec_parameters_alloc();
    rung->settled = rung->info->codec != AV_CODEC_ID_AV1;
    if (!rung->parameters || !rung->shown || !stream ||
        avcodec_parameters_copy(rung->parameters, sh_encoder_parameters(rung->spare)) < 0 ||
        avcodec_parameters_copy(rung->shown, rung->parameters) < 0)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    return sh_encoder_describe(rung->spare, stream, err);
}

int sh_rung_open(sh_rung *rung, const sh_rung_settings *settings, sh_err *err)
{
    *rung = (sh_rung){.settings = *settings};
    rung->info = sh_encoder_find(settings->video->encoder.name);
    if (!rung->info)
        return sh_fail(err, SH_E_ARGUMENT, "video %d: there is no encoder \"%.60s\"", settings->index + 1,
                       settings->video->encoder.name ? settings->video->encoder.name : "");
    int status = open_scale(rung, err);
    if (status == 0)
        status = open_encoder(rung, err);
    rung->settings.like = NULL;
    if (status < 0)
        sh_rung_close(rung);
    return status;
}

void sh_rung_close(sh_rung *rung)
{
    sh_encoder_close(&rung->spare);
    sh_scale_close(&rung->scale);
    avcodec_parameters_free(&rung->parameters);
    avcodec_parameters_free(&rung->shown);
    avformat_free_context(rung->holder);
    rung->holder = NULL;
}

int sh_rung_settle_as(sh_rung *rung, const void *config, size_t size, sh_err *err)
{
    uint8_t *copy = av_mallocz(size + AV_INPUT_BUFFER_PADDING_SIZE);
    if (!copy)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    memcpy(copy, config, size);
    av_freep(&rung->shown->extradata);
    rung->shown->extradata = copy;
    rung->shown->extradata_size = (int)size;
    rung->settled = true;
    return 0;
}

int sh_rung_settle(sh_rung *rung, const AVPacket *first, sh_err *err)
{
    sh_buf config;
    if (rung->settled)
        return 0;
    sh_buf_init(&config, SH_LADDER_CONFIG);
    int status = sh_av1c_make(&config, first->data, (size_t)first->size, err);
    if (status == 0)
        status = sh_rung_settle_as(rung, config.data, config.length, err);
    sh_buf_free(&config);
    return status;
}

AVStream *sh_rung_stream(const sh_rung *rung)
{
    return rung->holder->streams[0];
}

/* ---- encoding ---- */

/* Everything that the encoder holds, and the word that this was all. */
static int finish_encoder(sh_rung *rung, sh_encoder **encoder, sh_work_kind end, sh_err *err)
{
    int status = *encoder ? sh_encoder_send(*encoder, NULL, err) : 0;
    if (status == 0 && *encoder)
        status = sh_line_encoded(rung->coded, *encoder, err);
    sh_encoder_close(encoder);
    if (status == 0 && !sh_line_push(rung->coded, sh_work_new(end)))
        status = SH_E_CANCELLED;
    return status;
}

static int begin_encoder(sh_rung *rung, sh_encoder **encoder, sh_err *err)
{
    sh_encoder_close(encoder);
    *encoder = rung->spare;
    rung->spare = NULL;
    if (*encoder)
        return 0;
    int status = sh_encoder_open(encoder, &rung->encoder, err);
    return status < 0 ? status : sh_encoder_check_parameters(*encoder, rung->parameters, err);
}

/* What the decoder has to find, ahead of the packets. */
static int announce(sh_rung *rung, const sh_work *work, const AVFrame *picture)
{
    sh_work *check = sh_work_new(SH_WORK_FRAME);
    if (!check)
        return SH_E_MEMORY;
    check->piece = work->piece;
    check->first = work->first;
    check->level = work->level;
    check->check.pts = picture->pts;
    sh_signature_make(&check->check.signature, picture, 1);
    return sh_line_push(rung->coded, check) ? 0 : SH_E_CANCELLED;
}

static int encode(sh_rung *rung, sh_encoder **encoder, const sh_work *work, sh_err *err)
{
    const bool whole = rung->settings.whole;
    AVFrame *picture = NULL;
    int status = work->first && (!whole || !*encoder) ? begin_encoder(rung, encoder, err) : 0;
    if (status == 0)
        status = sh_scale_run(rung->scale, work->frame, &picture, err);
    if (status < 0)
        return status;
    picture->pts = work->time;
    picture->pkt_duration = work->length;
    status = announce(rung, work, picture);
    if (status == SH_E_MEMORY)
        sh_fail(err, status, "memory is short");
    if (status == 0)
        status = work->first && whole ? sh_encoder_send_key(*encoder, picture, err)
                                      : sh_encoder_send(*encoder, picture, err);
    av_frame_free(&picture);
    if (status == 0)
        status = sh_line_encoded(rung->coded, *encoder, err);
    if (status == 0) {
        rung->frames++;
        rung->settings.encoded(rung->settings.opaque);
    }
    return status;
}

static void *encode_main(void *opaque)
{
    sh_rung *rung = opaque;
    sh_encoder *encoder = NULL;
    sh_err err = {0};
    sh_work *work;
    int status = 0;
    while (status == 0 && (work = sh_line_pop(rung->in)) != NULL) {
        const bool end = work->kind == SH_WORK_STOP;
        if (work->kind == SH_WORK_FRAME)
            status = encode(rung, &encoder, work, &err);
        else if (!end && !rung->settings.whole)
            status = finish_encoder(rung, &encoder, SH_WORK_PIECE, &err);
        else if (!end)
            status = 0;
        else if (rung->settings.whole)
            status = finish_encoder(rung, &encoder, SH_WORK_STOP, &err);
        else
            sh_line_push(rung->coded, sh_work_new(SH_WORK_STOP));
        sh_work_free(work);
        if (end)
            break;
    }
    if (status < 0 && err.status < 0)
        rung->settings.failed(rung->settings.opaque, &err);
    sh_encoder_close(&encoder);
    sh_line_close(rung->in);
    return NULL;
}

/* ---- decoding back ---- */

static int begin_check(sh_rung *rung, sh_err *err)
{
    const int threads = (rung->settings.threads + 3) / 4;
    sh_check_close(&rung->check);
    rung->expected = 0;
    rung->level = 0;
    return sh_check_open(&rung->check, rung->parameters, rung->encoder.time_base, rung->tolerance,
                         threads < CHECK_THREADS ? threads : CHECK_THREADS, err);
}

static int add_border(sh_rung *rung, int64_t time, sh_err *err)
{
    if (rung->border_count == rung->border_capacity) {
        const size_t capacity = rung->border_capacity ? 2 * rung->border_capacity : 64;
        int64_t *grown = capacity <= BORDERS_MAX ? calloc(capacity, sizeof(*grown)) : NULL;
        if (!grown)
            return sh_fail(err, SH_E_MEMORY, "memory is short");
        for (size_t i = 0; i < rung->border_count; i++)
            grown[i] = rung->borders[(rung->border_first + i) % rung->border_capacity];
        free(rung->borders);
        rung->borders = grown;
        rung->border_capacity = capacity;
        rung->border_first = 0;
    }
    rung->borders[(rung->border_first + rung->border_count++) % rung->border_capacity] = time;
    return 0;
}

static int expect(sh_rung *rung, const sh_work *work, sh_err *err)
{
    int status = 0;
    if (work->first && (!rung->settings.whole || !rung->check))
        status = begin_check(rung, err);
    if (status == 0 && work->first && rung->settings.whole)
        status = add_border(rung, work->check.pts, err);
    if (status < 0)
        return status;
    rung->expected++;
    rung->level = work->level > rung->level ? work->level : rung->level;
    return sh_check_expect(rung->check, &work->check, err);
}

static int push_bundle(sh_rung *rung)
{
    sh_bundle *bundle = rung->bundle;
    rung->bundle = NULL;
    rung->piece++;
    return sh_queue_push(rung->ready, bundle) ? 0 : SH_E_CANCELLED;
}

/* `whole`: whether the packet begins a segment. */
static bool at_border(const sh_rung *rung, const AVPacket *packet)
{
    return rung->settings.whole && rung->border_count > 0 && packet->flags & AV_PKT_FLAG_KEY &&
           packet->pts == rung->borders[rung->border_first];
}

static int keep(sh_rung *rung, sh_work *work, sh_err *err)
{
    int status = 0;
    if (at_border(rung, work->packet)) {
        rung->border_first = (rung->border_first + 1) % rung->border_capacity;
        rung->border_count--;
        if (rung->bundle)
            status = push_bundle(rung);
    }
    if (status == 0 && !rung->bundle)
        rung->bundle = sh_bundle_new(rung->piece);
    if (status < 0)
        return status;
    AVPacket *packet = work->packet;
    work->packet = NULL;
    if (!rung->bundle || !sh_bundle_add(rung->bundle, packet)) {
        if (!rung->bundle)
            av_packet_free(&packet);
        return sh_fail(err, SH_E_MEMORY, "a segment has too many pictures, or memory is short");
    }
    return sh_check_packet(rung->check, packet, err);
}

static int conclude(sh_rung *rung, sh_err *err)
{
    if (!rung->check)
        return 0;
    int status = sh_check_packet(rung->check, NULL, err);
    if (status == 0 && sh_check_frames(rung->check) != rung->expected)
        status = sh_fail(err, SH_E_CONFLICT, "%" PRId64 " of %" PRId64 " frames decode back",
                         sh_check_frames(rung->check), rung->expected);
    if (status < 0)
        return status;
    rung->checked += rung->expected;
    sh_check_close(&rung->check);
    return rung->bundle ? push_bundle(rung) : 0;
}

static int take_coded(sh_rung *rung, sh_work *work, sh_err *err)
{
    if (work->kind == SH_WORK_FRAME)
        return expect(rung, work, err);
    if (work->kind == SH_WORK_PACKET)
        return keep(rung, work, err);
    if (work->kind == SH_WORK_PIECE || rung->settings.whole)
        return conclude(rung, err);
    return 0;
}

static void push_stop(sh_rung *rung)
{
    sh_bundle *bundle = sh_bundle_new(rung->piece);
    if (bundle)
        bundle->stop = true;
    sh_queue_push(rung->ready, bundle);
}

static void end_check(sh_rung *rung, int status, const sh_err *err)
{
    const sh_rung_settings *s = &rung->settings;
    char reason[240];
    if (status < 0)
        snprintf(reason, sizeof(reason), "video %d (%dx%d): %.200s", s->index + 1, rung->layout.width,
                 rung->layout.height, err->message);
    if (status == SH_E_CONFLICT && !s->whole) {
        s->mistaken(s->opaque, rung->piece, rung->level, reason);
    } else if (status < 0 && err->status < 0) {
        sh_err told = *err;
        snprintf(told.message, sizeof(told.message), "%s", reason);
        s->failed(s->opaque, &told);
    }
    push_stop(rung);
}

static void *check_main(void *opaque)
{
    sh_rung *rung = opaque;
    sh_err err = {0};
    sh_work *work;
    int status = 0;
    bool end = false;
    while (status == 0 && !end && (work = sh_line_pop(rung->coded)) != NULL) {
        end = work->kind == SH_WORK_STOP;
        status = take_coded(rung, work, &err);
        sh_work_free(work);
    }
    sh_line_close(rung->coded);
    sh_line_close(rung->in);
    end_check(rung, status, &err);
    return NULL;
}

/* ---- a run ---- */

int sh_rung_start(sh_rung *rung, int64_t piece, sh_err *err)
{
    void *(*const mains[])(void *) = {encode_main, check_main};
    rung->piece = piece;
    rung->started = 0;
    rung->border_first = rung->border_count = 0;
    rung->in = sh_line_new(LINE);
    rung->coded = sh_line_new(CODED_LINE);
    rung->ready = sh_queue_new(SH_BUNDLE_PACKETS);
    if (!rung->in || !rung->coded || !rung->ready)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    for (int i = 0; i < 2; i++) {
        if (pthread_create(&rung->threads[i], NULL, mains[i], rung) != 0)
            return sh_fail(err, SH_E_MEMORY, "no thread for video %d", rung->settings.index + 1);
        rung->started++;
    }
    return 0;
}

void sh_rung_stop(sh_rung *rung)
{
    if (rung->in)
        sh_line_close(rung->in);
    if (rung->coded)
        sh_line_close(rung->coded);
    if (rung->ready)
        sh_queue_close(rung->ready);
}

void sh_rung_join(sh_rung *rung)
{
    for (int i = 0; i < rung->started; i++)
        pthread_join(rung->threads[i], NULL);
    rung->started = 0;
    sh_line_free(rung->in);
    sh_line_free(rung->coded);
    sh_queue_free(rung->ready);
    sh_bundle_free(rung->bundle);
    sh_check_close(&rung->check);
    free(rung->borders);
    rung->in = rung->coded = NULL;
    rung->ready = NULL;
    rung->bundle = NULL;
    rung->borders = NULL;
    rung->border_capacity = rung->border_count = 0;
}
