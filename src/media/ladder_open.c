/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is open while a ladder is made. */
#include "base/log.h"
#include "media/ladder_inner.h"
#include "stream/codec_config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the front: reader, network, tone mapping ---- */

/* The first picture of all: now it is known when the presentation begins. Of a part of a film: with it. */
static void begin_time(ladder *l, const AVFrame *frame)
{
    const int64_t first_us = av_rescale_q(frame->pts, l->plan.time_base, AV_TIME_BASE_Q);
    l->zero_us = first_us;
    if (l->heard_us != AV_NOPTS_VALUE && l->heard_us < first_us)
        l->zero_us = l->heard_us;
    sh_timeline_begin(&l->time, frame->pts, l->zero_us);
}

static bool begins(void *opaque, sh_work *work)
{
    ladder *l = opaque;
    bool border;
    if (work->number == 0)
        begin_time(l, work->frame);
    work->time = sh_timeline_take(&l->time, work->frame->pts, &border);
    return border;
}

static int tick(void *opaque)
{
    ladder *l = opaque;
    l->decoded++; /* on the way to the first picture; from then on the stages tell */
    ladder_report(l);
    return !l->working && sh_channel_stop_asked(l->channel) ? -1 : 0;
}

static void set_time(ladder *l, const sh_reader_start *start)
{
    l->time.last = INT64_MIN;
    l->time.next = 1;
    l->time.since = 0;
    if (start->output > 0)
        sh_timeline_resume(&l->time, l->start, l->last);
}

static int open_reader_at(ladder *l, const sh_reader_start *start, sh_err *err)
{
    const sh_upscale_options *o = &l->job.options;
    const sh_reader_settings settings = {
        .fd = l->child->input,
        .name = l->name,
        .advice = ". Nothing was published; accepting damage takes what can be decoded",
        .channel = l->channel,
        .threads = l->threads,
        .accept_damage = o->accept_damage,
        .start = o->start,
        .duration = o->duration,
        .plan = &l->plan,
        .begins = begins,
        .tick = tick,
        .opaque = l,
    };
    set_time(l, start);
    int status = sh_reader_open(&l->reader, &settings, start, err);
    if (status < 0)
        return status;
    status = sh_reader_next(l->reader, &l->first, err);
    if (status == 0)
        status = sh_fail(err, SH_E_FORMAT, "%s: there is no picture %s the video track", l->name,
                         start->output > 0 ? "any more in" : "in");
    if (status < 0)
        sh_reader_close(&l->reader);
    return status < 0 ? status : 0;
}

int ladder_open_reader(ladder *l, sh_err *err)
{
    sh_reader_start linear = l->next;
    sh_work_free(l->first);
    l->first = NULL;
    sh_reader_close(&l->reader);
    int status = open_reader_at(l, &l->next, err);
    if (status != SH_E_CONFLICT || !l->next.from || l->next.linear)
        return status;
    sh_channel_log(l->channel, SH_LOG_DEBUG, "%s: decoded from the beginning", err->message);
    linear.linear = true;
    return open_reader_at(l, &linear, err);
}

static int open_enlarge(ladder *l, sh_err *err)
{
    const sh_upscale_options *o = &l->job.options;
    char note[240];
    sh_enlarge_settings s = {
        .model = l->model.model,
        .restore = l->restore.model,
        .model_name = l->model.name,
        .restore_name = l->restore.name,
        .plan = &l->plan,
    };
    spyhop_settings_default(&s.engine);
    s.engine.threads = o->threads;
    s.engine.cpu = o->cpu;
    s.engine.precision = o->precision;
    int status = sh_enlarge_open(&l->enlarge, &s, l->first->frame, note, sizeof(note), err);
    if (status == 0 && note[0] && !l->noted)
        sh_channel_log(l->channel, SH_LOG_INFO, "%s", note);
    l->noted = true;
    return status;
}

/* Pictures without samples that look like those that the videos get. */
static int describe(ladder *l, sh_err *err)
{
    AVFrame *like = l->like = av_frame_alloc();
    AVFrame *sdr = l->like_sdr = av_frame_alloc();
    if (!like || !sdr || av_frame_copy_props(like, l->first->frame) < 0)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    const AVFrame *first = l->first->frame;
    like->width = l->enlarge ? l->plan.out_width : first->width;
    like->height = l->enlarge ? l->plan.out_height : first->height;
    like->format = l->enlarge ? l->plan.out_format : (enum AVPixelFormat)first->format;
    like->color_primaries = l->plan.colour.primaries;
    like->color_trc = l->plan.colour.transfer;
    like->colorspace = l->plan.colour.matrix;
    like->color_range = l->plan.colour.range;
    like->chroma_location = l->plan.colour.siting;
    like->sample_aspect_ratio = l->plan.sar;
    sdr->width = like->width;
    sdr->height = like->height;
    sdr->format = AV_PIX_FMT_YUV420P;
    sdr->color_primaries = AVCOL_PRI_BT709;
    sdr->color_trc = AVCOL_TRC_BT709;
    sdr->colorspace = AVCOL_SPC_BT709;
    sdr->color_range = AVCOL_RANGE_MPEG;
    sdr->chroma_location = AVCHROMA_LOC_LEFT;
    sdr->sample_aspect_ratio = like->sample_aspect_ratio;
    return 0;
}

static bool wants_sdr(const ladder *l)
{
    bool wanted = l->job.capture_count > 0;
    for (int i = 0; i < l->job.video_count; i++)
        wanted = wanted || l->job.videos[i].sdr;
    return l->hdr && wanted;
}

static int open_tonemap(ladder *l, sh_err *err)
{
    sh_tonemap_settings settings = {.threads = l->threads};
    if (!wants_sdr(l))
        return 0;
    if (l->plan.has_mastering && l->plan.mastering.has_luminance)
        settings.peak = av_q2d(l->plan.mastering.max_luminance);
    else if (l->plan.has_light)
        settings.peak = l->plan.light.MaxCLL;
    return sh_tonemap_open(&l->tonemap, &settings, l->like, err);
}

int ladder_open_front(ladder *l, sh_err *err)
{
    int status = ladder_open_reader(l, err);
    if (status == 0 && l->child->model)
        status = open_enlarge(l, err);
    if (status == 0)
        status = describe(l, err);
    return status < 0 ? status : open_tonemap(l, err);
}

/* ---- videos ---- */

static void failed(void *opaque, const sh_err *err)
{
    ladder_fail(opaque, err);
}

static void mistaken(void *opaque, int64_t piece, int level, const char *reason)
{
    ladder_again(opaque, piece, (sh_fallback)level, reason, true);
}

static void encoded(void *opaque)
{
    ladder_report(opaque);
}

/* Processors by size: the largest video is what the others wait for. Where a rate has a ceiling, only one
 * thread gives the same bytes each time, which going on needs. */
static int threads_for(const ladder *l, int video)
{
    const sh_ladder_video *v = &l->job.videos[video];
    double all = 0, own = 0;
    if (l->job.journal_fd >= 0 && v->encoder.max_bitrate > 0)
        return 1;
    for (int i = 0; i < l->job.video_count; i++) {
        const sh_ladder_video *each = &l->job.videos[i];
        const double width = each->width > 0 ? each->width : l->like->width;
        const double height = each->height > 0 ? each->height : l->like->height;
        all += width * height;
        own = i == video ? width * height : own;
    }
    const double share = ceil(l->threads * own / all);
    return share < 1 ? 1 : share > 64 ? 64 : (int)share;
}

static int open_rung(ladder *l, int i, sh_err *err)
{
    const sh_ladder_video *video = &l->job.videos[i];
    const bool sdr = video->sdr && l->tonemap;
    const sh_rung_settings settings = {
        .index = i,
        .video = video,
        .plan = &l->plan,
        .like = sdr ? l->like_sdr : l->like,
        .timescale = l->time.timescale,
        .step = l->time.step,
        .whole = l->job.whole,
        .sdr = sdr,
        .threads = threads_for(l, i),
        .segment_seconds = l->job.segment_seconds,
        .failed = failed,
        .mistaken = mistaken,
        .encoded = encoded,
        .opaque = l,
    };
    return sh_rung_open(&l->rungs[i], &settings, err);
}

int ladder_open_rungs(ladder *l, sh_err *err)
{
    int status = 0;
    for (int i = 0; i < l->job.video_count && status == 0; i++)
        status = open_rung(l, i, err);
    return status;
}

/* ---- tracks of outputs ---- */

static int set_config(sh_ladder_track *t, const AVCodecParameters *p, sh_err *err)
{
    sh_buf config;
    sh_buf_init(&config, sizeof(t->config));
    int status =
        sh_config_make(&config, sh_sink_codec(p->codec_id), p->extradata, (size_t)p->extradata_size, err);
    if (status == 0 && config.failed)
        status = sh_fail(err, SH_E_LIMIT, "the encoder's parameter sets have more than %zu bytes",
                         sizeof(t->config));
    if (status == 0) {
        memcpy(t->config, config.data, config.length);
        t->config_size = config.length;
    }
    sh_buf_free(&config);
    return status;
}

static int set_video(const ladder *l, sh_ladder_track *t, sh_err *err)
{
    const sh_rung *rung = &l->rungs[t->video];
    const sh_encoder_settings *e = &rung->encoder;
    t->codec = rung->info->codec;
    t->timescale = l->time.timescale;
    t->width = e->width;
    t->height = e->height;
    t->rate = l->plan.rate;
    t->vfr = l->plan.vfr;
    t->colour = (sh_colour){.primaries = e->primaries, .transfer = e->transfer, .matrix = e->matrix};
    t->colour.range = e->range;
    t->colour.siting = e->siting;
    t->hdr = rung->settings.sdr ? SH_HDR_NONE : l->plan.hdr;
    t->bits = e->format == AV_PIX_FMT_YUV420P10 ? 10 : 8;
    return set_config(t, rung->shown, err);
}

static void set_audio(const ladder *l, sh_ladder_track *t)
{
    const size_t rendition = l->sounds[t->audio].rendition;
    const AVCodecParameters *p = sh_sound_parameters(l->sound, rendition);
    const char *asked = l->job.audios[t->audio].language;
    t->has_audio = true;
    t->channels = p->ch_layout.nb_channels;
    t->sample_rate = p->sample_rate;
    t->audio_bitrate = p->bit_rate;
    t->priming = t->kind == SH_LADDER_CMAF ? sh_sound_priming(l->sound, rendition) : 0;
    if (t->video < 0)
        t->timescale = p->sample_rate;
    snprintf(t->language, sizeof(t->language), "%s",
             asked[0] ? asked : sh_sound_language(l->sound, rendition));
    if (p->extradata_size > 0 && (size_t)p->extradata_size <= sizeof(t->audio_config)) {
        memcpy(t->audio_config, p->extradata, (size_t)p->extradata_size);
        t->audio_config_size = (size_t)p->extradata_size;
    }
}

static int set_track(ladder *l, ladder_output *o, sh_err *err)
{
    sh_ladder_track *t = &o->track;
    const sh_ladder_output *asked = o->asked;
    *t = (sh_ladder_track){.kind = asked->kind, .id = asked->id, .timescale = 1000};
    t->video = asked->video;
    t->text = asked->text;
    t->capture = asked->capture;
    t->audio = asked->audio_count > 0 ? asked->audios[0] : -1;
    int status = t->video >= 0 ? set_video(l, t, err) : 0;
    if (status == 0 && t->audio >= 0)
        set_audio(l, t);
    if (t->kind == SH_LADDER_TS)
        t->timescale = l->time.timescale;
    if (t->capture >= 0) {
        const ladder_capture *c = &l->captures[t->capture];
        t->width = c->layout.width;
        t->height = c->layout.height;
        t->rate = l->job.captures[t->capture].rate;
        t->across = l->job.captures[t->capture].across;
        t->down = l->job.captures[t->capture].down;
    }
    if (t->text >= 0) {
        const char *language = l->job.texts[t->text].language;
        snprintf(t->language, sizeof(t->language), "%s", language[0] ? language : l->texts[t->text].language);
    }
    return status;
}

/* ---- sinks ---- */

/* Ticks that the longest picture is shown, as far as the source's time stamps were looked at. */
static int64_t longest_of(const ladder *l)
{
    const bool even = l->time.converts || (!l->plan.vfr && l->facts.stamp_gaps == 0);
    return even ? l->time.step
                : av_rescale_q_rnd(l->facts.step_max, l->facts.time_base, (AVRational){1, l->time.timescale},
                                   AV_ROUND_UP);
}

static void video_of_sink(const ladder *l, int video, sh_sink_track *t)
{
    const sh_rung *rung = &l->rungs[video];
    const sh_encoder_settings *e = &rung->encoder;
    const AVStream *stream = sh_rung_stream(rung);
    *t = (sh_sink_track){
        .parameters = rung->shown,
        .time_base = e->time_base,
        .rate = l->plan.rate,
        .sar = rung->layout.sar,
        .delay = rung->delay,
        .step = l->time.step,
        .longest = longest_of(l),
        .bitrate = e->rate_control == SH_ENCODER_QUALITY ? 0 : e->bitrate,
        .peak = e->max_bitrate,
        .side_data = stream->side_data,
        .side_data_count = stream->nb_side_data,
    };
}

static void audio_of_sink(const ladder *l, int audio, sh_sink_track *t)
{
    const size_t rendition = l->sounds[audio].rendition;
    const AVCodecParameters *p = sh_sound_parameters(l->sound, rendition);
    const char *asked = l->job.audios[audio].language;
    *t = (sh_sink_track){
        .parameters = p,
        .time_base = {1, p->sample_rate},
        .priming = sh_sound_priming(l->sound, rendition),
        .bitrate = p->bit_rate,
    };
    snprintf(t->language, sizeof(t->language), "%s",
             asked[0] ? asked : sh_sound_language(l->sound, rendition));
}

static int open_sink(ladder *l, ladder_output *o, sh_err *err)
{
    static const sh_sink_kind kinds[] = {
        [SH_LADDER_CMAF] = SH_SINK_CMAF, [SH_LADDER_TS] = SH_SINK_TS, [SH_LADDER_MP4] = SH_SINK_MP4};
    const sh_ladder_output *asked = o->asked;
    sh_sink_track tracks[1 + SH_LADDER_OUTPUT_AUDIOS];
    size_t count = 0;
    snprintf(o->name, sizeof(o->name), "output %d", (int)(o - l->outputs) + 1);
    if (asked->kind > SH_LADDER_MP4)
        return 0;
    if (asked->video >= 0)
        video_of_sink(l, asked->video, &tracks[count++]);
    for (int i = 0; i < asked->audio_count; i++)
        audio_of_sink(l, asked->audios[i], &tracks[count++]);
    const sh_sink_settings settings = {.kind = kinds[asked->kind],
                                       .name = o->name,
                                       .host = ladder_host(o),
                                       .tracks = tracks,
                                       .track_count = count};
    return sh_sink_open(&o->sink, &settings, err);
}

int ladder_describe_outputs(ladder *l, sh_err *err)
{
    int status = 0;
    l->output_count = l->job.output_count;
    for (int i = 0; i < l->output_count && status == 0; i++) {
        l->outputs[i].owner = l;
        l->outputs[i].asked = &l->job.outputs[i];
        status = set_track(l, &l->outputs[i], err);
        if (status == 0)
            status = ladder_tell_track(l, i, err);
    }
    return status;
}

int ladder_open_outputs(ladder *l, sh_err *err)
{
    int status = ladder_describe_outputs(l, err);
    l->outputs_open = true;
    for (int i = 0; i < l->output_count && status == 0; i++)
        status = open_sink(l, &l->outputs[i], err);
    return status < 0 ? status : ladder_tell_known(l, err);
}

/* ---- the end ---- */

static void close_captures(ladder *l)
{
    for (int i = 0; i < SH_LADDER_CAPTURES; i++) {
        ladder_capture *c = &l->captures[i];
        sh_scale_close(&c->scale);
        sh_jpeg_close(&c->jpeg);
        sh_thumbs_close(&c->thumbs);
        if (c->asked && c->work >= 0)
            close(c->work);
    }
}

void ladder_close(ladder *l)
{
    for (int i = 0; i < l->output_count; i++)
        sh_sink_close(&l->outputs[i].sink);
    for (int i = 0; i < SH_LADDER_VIDEOS; i++)
        sh_rung_close(&l->rungs[i]);
    for (int i = 0; i < SH_LADDER_TEXTS; i++)
        sh_text_free(&l->texts[i]);
    for (int i = 0; i < SH_LADDER_AUDIOS; i++)
        sh_bundle_free(l->sounds[i].bundle);
    for (size_t i = 0; i < l->row_count; i++)
        free(l->rows[i].keys);
    free(l->rows);
    free(l->borders);
    sh_stills_free(&l->stills);
    sh_captions_close(&l->captions);
    close_captures(l);
    sh_sound_close(&l->sound);
    sh_tonemap_close(&l->tonemap);
    sh_enlarge_close(&l->enlarge);
    sh_work_free(l->first);
    sh_reader_close(&l->reader);
    sh_ledger_free(&l->ledger);
    ladder_journal_close(l);
    av_frame_free(&l->like);
    av_frame_free(&l->like_sdr);
    spyhop_model_free(&l->model.model);
    spyhop_model_free(&l->restore.model);
}
