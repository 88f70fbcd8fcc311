/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/pipeline.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/pool.h"
#include "media/avlog.h"
#include "media/h264.h"
#include "media/media.h"
#include "media/picture.h"
#include "media/queue.h"
#include "media/sandbox.h"

#include <inttypes.h>
#include <libavutil/pixdesc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE 4         /* pictures waiting between two stages */
#define HELD_MAX 20000 /* packets of other tracks before the first picture */
#define DURATIONS 256  /* pictures that x264 may hold back: its lookahead and threads stay below */
#define REPORT_US 100000
#define SLOWEST_MACS 5e7 /* a second, of a processor that can still be called one; for the watchdog alone */

typedef struct pipeline {
    const sh_upscale_child *child;
    int channel;
    char input_name[SH_SHOWN], output_name[SH_SHOWN], model_name[SH_SHOWN];
    sh_source source;
    spyhop_model *model;
    spyhop_model_info info; /* of the model */
    sh_picture_scaler scaler;
    AVCodecContext *encoder;
    sh_mux mux;
    sh_queue *decoded, *upscaled;
    sh_item *held; /* read before the first picture, and that picture */
    size_t held_count;
    int64_t frames_decoded, frames_sent, first_pts, end_pts;
    int64_t expected;                /* frames in all, 0: not known */
    _Atomic int64_t frames_upscaled; /* counted by one thread, shown by another */
    struct {
        int64_t pts, duration;
    } durations[DURATIONS];
    int64_t reported_at;
    pthread_mutex_t lock;
    sh_err failure; /* the first of any thread */
} pipeline;

static void stop(pipeline *p, const sh_err *err)
{
    pthread_mutex_lock(&p->lock);
    if (p->failure.status == 0)
        p->failure = *err;
    pthread_mutex_unlock(&p->lock);
    sh_queue_close(p->decoded);
    sh_queue_close(p->upscaled);
}

/* ---- stage 1: read and decode ---- */

/* One item from the source; both NULL at the end. */
static int read_item(pipeline *p, sh_item *item, sh_err *err)
{
    AVFrame *frame = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    int status = frame && packet ? sh_source_next(&p->source, frame, packet, err)
                                 : sh_fail(err, SH_E_MEMORY, "memory is short");
    *item = (sh_item){status == SH_SOURCE_FRAME ? frame : NULL, status == SH_SOURCE_PACKET ? packet : NULL};
    if (!item->frame)
        av_frame_free(&frame);
    if (!item->packet)
        av_packet_free(&packet);
    return status < 0 ? status : 0;
}

static void *decode_stage(void *opaque)
{
    pipeline *p = opaque;
    sh_err err = {0};
    sh_item item;
    do {
        if (read_item(p, &item, &err) < 0) {
            stop(p, &err);
            return NULL;
        }
        p->frames_decoded += item.frame ? 1 : 0;
    } while (sh_queue_push(p->decoded, item) && (item.frame || item.packet));
    return NULL;
}

/* ---- stage 2: the engine ---- */

static int upscale_item(pipeline *p, sh_item *item, sh_err *err)
{
    AVFrame *result = NULL;
    if (!item->frame)
        return 0;
    if (!sh_picture_fits(&p->scaler.plan, item->frame))
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "%s: frame %" PRId64
                       " is %dx%d (%s) and those before it %dx%d (%s): a change of picture "
                       "size or format within a file is not supported",
                       p->source.name, (int64_t)p->frames_upscaled + 1, item->frame->width,
                       item->frame->height, av_get_pix_fmt_name(item->frame->format), p->scaler.plan.width,
                       p->scaler.plan.height, av_get_pix_fmt_name(p->scaler.plan.source));
    int status = sh_picture_upscale(&p->scaler, item->frame, &result, err);
    if (status < 0)
        return status;
    av_frame_free(&item->frame);
    item->frame = result;
    p->frames_upscaled++;
    return 0;
}

static void *engine_stage(void *opaque)
{
    pipeline *p = opaque;
    sh_err err = {0};
    sh_item item;
    bool more = true;
    while (more && sh_queue_pop(p->decoded, &item)) {
        more = item.frame || item.packet;
        if (upscale_item(p, &item, &err) < 0) {
            sh_item_free(&item);
            stop(p, &err);
            return NULL;
        }
        more = sh_queue_push(p->upscaled, item) && more;
    }
    return NULL;
}

/* ---- stage 3: encode and write ---- */

static void report(pipeline *p)
{
    int64_t now = sh_monotonic_us();
    sh_message message = {.kind = SH_MSG_PROGRESS};
    if (now - p->reported_at < REPORT_US)
        return;
    p->reported_at = now;
    message.number[SH_UP_DECODED] = p->frames_upscaled;
    message.number[SH_UP_ENCODED] = p->frames_sent;
    message.number[SH_UP_EXPECTED] = p->expected;
    message.number[SH_UP_WRITTEN] = p->mux.io.size;
    sh_channel_send(p->channel, &message);
}

static int64_t take_duration(const pipeline *p, int64_t pts)
{
    for (int i = 0; i < DURATIONS; i++)
        if (p->durations[i].pts == pts)
            return p->durations[i].duration;
    return 0;
}

/* Writes what the encoder has ready. */
static int write_ready(pipeline *p, sh_err *err)
{
    AVPacket *packet = av_packet_alloc();
    int status = packet ? 0 : sh_fail(err, SH_E_MEMORY, "memory is short");
    while (status == 0) {
        int error = avcodec_receive_packet(p->encoder, packet);
        if (error == AVERROR(EAGAIN) || error == AVERROR_EOF)
            break;
        if (error < 0) {
            status = sh_av_fail(err, error, NULL, "x264 fails after frame %" PRId64, p->mux.frames);
        } else {
            packet->duration = take_duration(p, packet->pts);
            status = sh_mux_video(&p->mux, packet, p->encoder->time_base, err);
            report(p);
        }
    }
    av_packet_free(&packet);
    return status;
}

static int encode(pipeline *p, AVFrame *frame, sh_err *err)
{
    if (frame) {
        int64_t duration = frame->pkt_duration > 0 ? frame->pkt_duration : 0;
        p->durations[p->frames_sent % DURATIONS].pts = frame->pts;
        p->durations[p->frames_sent % DURATIONS].duration = duration;
        if (p->frames_sent == 0)
            p->first_pts = frame->pts;
        p->end_pts = frame->pts + duration;
        p->frames_sent++;
    }
    int error = avcodec_send_frame(p->encoder, frame);
    if (error < 0)
        return sh_av_fail(err, error, NULL, "x264 refuses frame %" PRId64, p->frames_sent);
    return write_ready(p, err);
}

static int encode_stage(pipeline *p, sh_err *err)
{
    sh_item item;
    while (sh_queue_pop(p->upscaled, &item)) {
        const bool end = !item.frame && !item.packet;
        int status = item.packet ? sh_mux_copy(&p->mux, item.packet, err) : encode(p, item.frame, err);
        sh_item_free(&item);
        if (status < 0) {
            stop(p, err);
            return status;
        }
        if (end)
            return 0;
        report(p);
    }
    return SH_E_CANCELLED; /* another stage stopped; its reason is in p->failure */
}

/* ---- setting up ---- */

static int read_model(pipeline *p, sh_err *err)
{
    spyhop_error error;
    int status = spyhop_model_parse(&p->model, p->child->model, p->child->model_size, &error);
    if (status < 0)
        return sh_fail(err, status, "model %s: %s", p->model_name, error.message);
    p->info.size = sizeof(p->info);
    spyhop_model_describe(p->model, &p->info);
    if (p->info.channels != 1)
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "model %s: it makes pictures of %d channels; a model of one channel (luma) is needed",
                       p->model_name, p->info.channels);
    return 0;
}

static int open_scaler(pipeline *p, sh_err *err)
{
    const sh_upscale_options *job = p->child->job->options;
    spyhop_settings settings;
    spyhop_settings_default(&settings);
    settings.threads = job->threads;
    settings.cpu = job->cpu;
    settings.precision = job->precision;
    int status = sh_picture_scaler_open(&p->scaler, p->model, &settings, err);
    if (status < 0)
        sh_err_prefix(err, "model %s", p->model_name);
    return status;
}

/* Reads up to the first picture: the encoder and the file's header depend on it. */
static int read_ahead(pipeline *p, sh_err *err)
{
    p->held = calloc(HELD_MAX, sizeof(*p->held));
    if (!p->held)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    while (p->held_count < HELD_MAX) {
        sh_item *item = &p->held[p->held_count];
        int status = read_item(p, item, err);
        if (status < 0)
            return status;
        p->held_count++;
        if (item->frame) {
            p->frames_decoded++;
            return 0;
        }
        if (!item->packet)
            return sh_fail(err, SH_E_FORMAT, "%s: there is no picture in the video track", p->source.name);
    }
    return sh_fail(err, SH_E_FORMAT, "%s: no picture among the first %d packets", p->source.name, HELD_MAX);
}

static int64_t or_else(int64_t given, int64_t unset, int64_t otherwise)
{
    return given != unset ? given : otherwise;
}

static int open_encoder(pipeline *p, const AVFrame *first, sh_err *err)
{
    const sh_picture_plan *plan = &p->scaler.plan;
    const AVCodecParameters *tags = p->source.video->codecpar;
    sh_h264_settings settings;
    sh_h264_defaults(&settings);
    settings.width = plan->shown_width;
    settings.height = plan->shown_height;
    settings.format = plan->result;
    settings.time_base = p->source.video->time_base;
    settings.rate = av_guess_frame_rate(p->source.format, p->source.video, NULL);
    settings.sar = av_guess_sample_aspect_ratio(p->source.format, p->source.video, (AVFrame *)first);
    settings.range = (enum AVColorRange)or_else(plan->range, AVCOL_RANGE_UNSPECIFIED, tags->color_range);
    settings.primaries =
        (enum AVColorPrimaries)or_else(first->color_primaries, AVCOL_PRI_UNSPECIFIED, tags->color_primaries);
    settings.transfer =
        (enum AVColorTransferCharacteristic)or_else(first->color_trc, AVCOL_TRC_UNSPECIFIED, tags->color_trc);
    settings.matrix = (enum AVColorSpace)or_else(plan->matrix, AVCOL_SPC_UNSPECIFIED, tags->color_space);
    settings.siting = plan->siting;
    settings.preset = p->child->job->options->preset ? p->child->job->options->preset : "veryfast";
    settings.crf = p->child->job->options->crf >= 0 ? p->child->job->options->crf : 17;
    settings.threads = p->child->job->options->threads > 0 ? p->child->job->options->threads : sh_cpu_count();
    settings.global_header = p->child->muxer->flags & AVFMT_GLOBALHEADER;
    return sh_h264_open(&p->encoder, &settings, err);
}

/* The engine's time for one picture has an end that is known; a decoder's has not. */
static void ask_for_patience(const pipeline *p)
{
    const double pixels = (double)p->scaler.plan.width * p->scaler.plan.height;
    sh_channel_patience(p->channel, SH_SANDBOX_PATIENCE_MS / 1000 +
                                        pixels * (double)p->info.macs_per_pixel / SLOWEST_MACS);
}

static int set_up(pipeline *p, sh_err *err)
{
    const sh_upscale_options *job = p->child->job->options;
    int status = read_model(p, err);
    if (status == 0)
        status = sh_source_open(&p->source, p->child->input, job->threads > 0 ? job->threads : sh_cpu_count(),
                                err);
    if (status == 0)
        status = read_ahead(p, err);
    if (status < 0)
        return status;
    const AVFrame *first = p->held[p->held_count - 1].frame;
    status = sh_picture_plan_make(&p->scaler.plan, first, p->info.scale, err);
    if (status < 0) {
        sh_err_prefix(err, "%s", p->source.name);
        return status;
    }
    status = open_scaler(p, err);
    if (status < 0)
        return status;
    p->expected = sh_source_frame_estimate(&p->source);
    ask_for_patience(p);
    if (p->scaler.plan.note[0])
        sh_channel_log(p->channel, SH_LOG_INFO, "%s", p->scaler.plan.note);
    if (first->interlaced_frame)
        sh_channel_log(p->channel, SH_LOG_WARNING,
                       "the source is interlaced; its pictures are upscaled as if they were not");
    status = open_encoder(p, first, err);
    if (status == 0)
        status = sh_mux_open(&p->mux, p->child->output, p->child->muxer, &p->source, p->encoder, err);
    return status;
}

/* ---- the whole ---- */

/* What was held goes down the line before the stages start: the first line is made long enough. */
static int run_stages(pipeline *p, sh_err *err)
{
    pthread_t decoder, engine;
    p->decoded = sh_queue_new(LINE + (int)p->held_count);
    p->upscaled = sh_queue_new(LINE);
    if (!p->decoded || !p->upscaled)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    for (size_t i = 0; i < p->held_count; i++)
        sh_queue_push(p->decoded, p->held[i]);
    p->held_count = 0;
    if (pthread_create(&decoder, NULL, decode_stage, p) != 0)
        return sh_fail(err, SH_E_MEMORY, "no thread for the decoder");
    if (pthread_create(&engine, NULL, engine_stage, p) != 0) {
        sh_queue_close(p->decoded);
        pthread_join(decoder, NULL);
        return sh_fail(err, SH_E_MEMORY, "no thread for the engine");
    }
    int status = encode_stage(p, err);
    pthread_join(decoder, NULL);
    pthread_join(engine, NULL);
    if (p->failure.status < 0) {
        *err = p->failure;
        return p->failure.status;
    }
    return status;
}

static int check_counts(const pipeline *p, sh_err *err)
{
    if (p->frames_decoded == p->frames_upscaled && p->frames_upscaled == p->frames_sent &&
        p->frames_sent == p->mux.frames)
        return 0;
    return sh_fail(err, SH_E_INTERNAL,
                   "frames were lost: %" PRId64 " decoded, %" PRId64 " upscaled, %" PRId64
                   " encoded, %" PRId64 " written",
                   p->frames_decoded, (int64_t)p->frames_upscaled, p->frames_sent, p->mux.frames);
}

static void send_result(const pipeline *p)
{
    sh_message message = {.kind = SH_MSG_DATA};
    message.number[SH_UP_FRAMES] = p->mux.frames;
    message.number[SH_UP_DAMAGES] = p->source.damages;
    message.number[SH_UP_WIDTH] = p->scaler.plan.width;
    message.number[SH_UP_HEIGHT] = p->scaler.plan.height;
    message.number[SH_UP_OUT_WIDTH] = p->scaler.plan.shown_width;
    message.number[SH_UP_OUT_HEIGHT] = p->scaler.plan.shown_height;
    message.number[SH_UP_DURATION_US] =
        av_rescale_q(p->end_pts - p->first_pts, p->source.video->time_base, AV_TIME_BASE_Q);
    message.number[SH_UP_BYTES] = p->mux.io.size;
    sh_channel_send(p->channel, &message);
}

static void tear_down(pipeline *p)
{
    for (size_t i = 0; i < p->held_count; i++)
        sh_item_free(&p->held[i]);
    free(p->held);
    sh_queue_free(p->decoded);
    sh_queue_free(p->upscaled);
    sh_mux_close(&p->mux);
    avcodec_free_context(&p->encoder);
    sh_picture_scaler_close(&p->scaler);
    spyhop_model_free(&p->model);
    sh_source_close(&p->source);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

int sh_upscale_child_main(void *opaque, int channel, sh_err *err)
{
    const sh_upscale_child *child = opaque;
    pipeline *p = calloc(1, sizeof(*p));
    if (!p)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    p->child = child;
    p->channel = p->source.channel = p->mux.channel = channel;
    p->source.name = sh_shown_path(child->job->options->input, p->input_name);
    p->source.accept_damage = child->job->options->accept_damage;
    p->source.advice = ". Nothing was written; --accept-damage takes what can be decoded";
    p->mux.name = sh_shown_path(child->job->options->output, p->output_name);
    sh_shown_path(child->job->options->model, p->model_name);
    pthread_mutex_init(&p->lock, NULL);
    sh_avlog_start(channel);
    int status = set_up(p, err);
    if (status == 0)
        status = run_stages(p, err);
    if (status == 0)
        status = sh_mux_finish(&p->mux, err);
    if (status == 0)
        status = check_counts(p, err);
    if (status == 0)
        send_result(p);
    sh_avlog_stop();
    tear_down(p);
    return status;
}
