/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/mc_plan.h"
#include "base/size.h"
#include "cli/mc_plan_inner.h"
#include "media/ladder_sink.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX ((size_t)512 << 20)
#define FILES_SEGMENT 10.0 /* seconds of work at a time where nothing has segments */

typedef struct maker {
    sh_mc_plan *plan;
    const sh_mc_job *job;
    const sh_mc_source *source;
    int64_t time_ms;
    sh_mc_say *warning;
    void *opaque;
    bool silent; /* it has been said that there is no sound */
    sh_err *err;
} maker;

/* ---- passes ---- */

static double rate_of(const sh_mc_source *source)
{
    return source->rate_num > 0 ? (double)source->rate_num / source->rate_den : 0;
}

static void put_clip(sh_ladder_job *ladder, const sh_mc_job *job, const sh_mc_source *source)
{
    double rate = rate_of(source) > 0 ? rate_of(source) : 25;
    int64_t origin = job->clip_origin.given ? sh_mc_timecode_frame(&job->clip_origin, rate) : 0;
    int64_t start = job->clip_start.given ? sh_mc_timecode_frame(&job->clip_start, rate) - origin : 0;
    int64_t end = job->clip_end.given ? sh_mc_timecode_frame(&job->clip_end, rate) - origin + 1 : -1;
    if (start > 0)
        ladder->options.start = (double)start / rate;
    if (end >= 0)
        ladder->options.duration = (double)(end > start ? end - start : 1) / rate;
}

static void begin_pass(const maker *m, sh_ladder_job *ladder, double seconds, double min_last)
{
    const sh_mc_job *job = m->job;
    sh_ladder_job_default(ladder);
    ladder->options.model = ladder->options.restore = NULL;
    ladder->options.large = true;
    ladder->options.deinterlace =
        job->deinterlace == SH_MC_DEINTERLACE_ALL ? SH_DEINTERLACE_FRAME : SH_DEINTERLACE_AUTO;
    ladder->options.telecine = job->deinterlace == SH_MC_DEINTERLACE_TELECINE;
    ladder->turn = job->turn;
    ladder->segment_seconds = seconds;
    ladder->min_last_seconds = min_last;
    ladder->whole = true;
    put_clip(ladder, job, m->source);
}

static bool same_rate(const sh_mc_video *a, const sh_mc_video *b)
{
    return (int64_t)a->rate_num * b->rate_den == (int64_t)b->rate_num * a->rate_den &&
           !a->rate_num == !b->rate_num;
}

/* Whether a pass can take an output: the same segments (files have none), and pictures at the same times. */
static bool fits(const maker *m, size_t pass, const sh_mc_output *o)
{
    const sh_mc_plan *p = m->plan;
    const sh_mc_group *g = &m->job->groups[o->group];
    const sh_ladder_job *ladder = &p->ladders[pass];
    if (g->kind != SH_MC_FILES &&
        (ladder->segment_seconds != g->segment_length || ladder->min_last_seconds != g->min_last))
        return false;
    for (size_t i = 0; i < p->item_count && o->video >= 0; i++) {
        int other = m->job->outputs[p->items[i].output].video;
        if (p->items[i].pass == pass && other >= 0)
            return same_rate(&m->job->videos[o->video], &m->job->videos[other]);
    }
    return true;
}

/* The pass of an output: the first that fits. SH_MC_PASSES: there would be too many. */
static size_t pass_of(const maker *m, const sh_mc_output *o)
{
    sh_mc_plan *p = m->plan;
    const sh_mc_group *g = &m->job->groups[o->group];
    for (size_t i = 0; i < p->pass_count; i++)
        if (fits(m, i, o))
            return i;
    if (p->pass_count == SH_MC_PASSES)
        return SH_MC_PASSES;
    begin_pass(m, &p->ladders[p->pass_count], g->kind == SH_MC_FILES ? FILES_SEGMENT : g->segment_length,
               g->min_last);
    return p->pass_count++;
}

/* ---- renditions ---- */

static bool same_video(const sh_ladder_video *a, const sh_ladder_video *b)
{
    const sh_encoder_settings *x = &a->encoder, *y = &b->encoder;
    return a->width == b->width && a->height == b->height && a->scaling == b->scaling &&
           a->rate.num == b->rate.num && a->rate.den == b->rate.den && a->gop_seconds == b->gop_seconds &&
           a->bits == b->bits && x->name == y->name && x->preset == y->preset && x->crf == y->crf &&
           x->gop_frames == y->gop_frames && x->scene_keys == y->scene_keys &&
           x->rate_control == y->rate_control && x->bitrate == y->bitrate &&
           x->max_bitrate == y->max_bitrate && x->buffer_bits == y->buffer_bits &&
           x->buffer_fill == y->buffer_fill && x->profile == y->profile && x->level == y->level &&
           x->b_frames == y->b_frames && x->references == y->references;
}

static int add_video(const maker *m, sh_mc_item *item, sh_ladder_job *ladder, sh_ladder_output *to,
                     const sh_mc_step *step)
{
    const sh_mc_video *v = &m->job->videos[m->job->outputs[item->output].video];
    sh_ladder_video video;
    int width = step ? step->width : v->width, height = step ? step->height : v->height, scaling;
    int status = sh_mc_rendition_size(m->source, width, height, v->scaling, &item->width, &item->height,
                                      &scaling, m->err);
    item->values.rate = v->rate_num ? (double)v->rate_num / v->rate_den : rate_of(m->source);
    if (status == 0)
        status = sh_mc_rendition_level(v, item->width, item->height, item->values.rate, m->err);
    if (status < 0)
        return sh_err_prefix(m->err, "/outputGroups/%zu/outputs/%zu/videoDescription",
                             m->job->outputs[item->output].group, m->job->outputs[item->output].number);
    sh_mc_rendition_video(&video, v, item->width, item->height, step ? step->max_bitrate : 0);
    video.scaling = scaling;
    int i = 0;
    while (i < ladder->video_count && !same_video(&ladder->videos[i], &video))
        i++;
    if (i == SH_LADDER_VIDEOS)
        return sh_fail(m->err, SH_E_UNSUPPORTED, "more than %d different videos with the same segments",
                       SH_LADDER_VIDEOS);
    ladder->videos[i] = video;
    ladder->video_count += i == ladder->video_count;
    to->video = i;
    item->values.width = item->width;
    item->values.height = item->height;
    item->values.video = step                                 ? step->max_bitrate
                         : v->rate_control == SH_MC_RATE_QVBR ? v->max_bitrate
                                                              : v->bitrate;
    return 0;
}

/* "eng" for the container; BCP 47 has no place there. */
static void put_code(char code[4], const char *language)
{
    snprintf(code, 4, "%s", strlen(language) == 3 ? language : "");
}

/* What the container and the manifests call it. */
static void put_language(sh_mc_item *item, char code[4], const char *configured, bool follow,
                         const char *found)
{
    const char *word = follow && *found ? "" : configured;
    put_code(code, word);
    if (!*item->language)
        item->language = word;
}

static int same_audio(const sh_ladder_audio *a, const sh_ladder_audio *b)
{
    return a->track == b->track && a->bitrate == b->bitrate && a->channels == b->channels &&
           a->sample_rate == b->sample_rate && strcmp(a->language, b->language) == 0;
}

static int add_audio(maker *m, sh_mc_item *item, sh_ladder_job *ladder, sh_ladder_output *to, int index)
{
    const sh_mc_output *o = &m->job->outputs[item->output];
    const sh_mc_audio *a = &m->job->audios[index];
    sh_ladder_audio audio = {.bitrate = a->bitrate, .channels = a->channels, .sample_rate = a->sample_rate};
    const char *found;
    int status = sh_mc_source_audio(m->source, a, &audio.track, &found, m->err), i = 0;
    if (status == SH_E_NOT_FOUND && a->by == SH_MC_BY_DEFAULT && o->video >= 0) {
        if (!m->silent)
            m->warning(m->opaque, "the input has no audio; the outputs are without sound");
        m->silent = true;
        return 0;
    }
    if (status < 0)
        return sh_err_prefix(m->err, "/outputGroups/%zu/outputs/%zu/audioDescriptions", o->group, o->number);
    put_language(item, audio.language, a->language, a->follow, found);
    while (i < ladder->audio_count && !same_audio(&ladder->audios[i], &audio))
        i++;
    if (i == SH_LADDER_AUDIOS)
        return sh_fail(m->err, SH_E_UNSUPPORTED, "more than %d different sounds with the same segments",
                       SH_LADDER_AUDIOS);
    ladder->audios[i] = audio;
    ladder->audio_count += i == ladder->audio_count;
    to->audios[to->audio_count++] = i;
    item->values.audio += a->bitrate;
    return 0;
}

static int add_text(const maker *m, sh_mc_item *item, sh_ladder_job *ladder, sh_ladder_output *to)
{
    const sh_mc_output *o = &m->job->outputs[item->output];
    const sh_mc_text *t = &m->job->texts[o->text];
    sh_ladder_text text = {0};
    const char *found;
    int status = sh_mc_source_text(m->source, t, &text.track, &found, m->err), i = 0;
    if (status < 0)
        return sh_err_prefix(m->err, "/outputGroups/%zu/outputs/%zu/captionDescriptions/0", o->group,
                             o->number);
    put_language(item, text.language, t->language, false, found);
    while (i < ladder->text_count &&
           (ladder->texts[i].track != text.track || strcmp(ladder->texts[i].language, text.language) != 0))
        i++;
    if (i == SH_LADDER_TEXTS)
        return sh_fail(m->err, SH_E_UNSUPPORTED, "more than %d different texts", SH_LADDER_TEXTS);
    ladder->texts[i] = text;
    ladder->text_count += i == ladder->text_count;
    to->text = i;
    to->mpegts = m->job->groups[o->group].kind == SH_MC_HLS ? SH_SINK_TS_ZERO : 0;
    return 0;
}

static int add_capture(const maker *m, sh_mc_item *item, sh_ladder_job *ladder, sh_ladder_output *to)
{
    const sh_mc_capture *c = &m->job->captures[m->job->outputs[item->output].capture];
    int scaling;
    int status = sh_mc_rendition_size(m->source, c->width, c->height, c->scaling, &item->width, &item->height,
                                      &scaling, m->err);
    if (status < 0)
        return status;
    if (ladder->capture_count == SH_LADDER_CAPTURES)
        return sh_fail(m->err, SH_E_UNSUPPORTED, "more than %d frame captures", SH_LADDER_CAPTURES);
    ladder->captures[ladder->capture_count] = (sh_ladder_capture){.width = item->width,
                                                                  .height = item->height,
                                                                  .scaling = scaling,
                                                                  .rate = {c->rate_num, c->rate_den},
                                                                  .most = c->most,
                                                                  .quality = c->quality,
                                                                  .across = 1,
                                                                  .down = 1};
    to->capture = ladder->capture_count++;
    item->values.width = item->width;
    item->values.height = item->height;
    item->values.rate = (double)c->rate_num / c->rate_den;
    return 0;
}

/* ---- items ---- */

static int kind_of(const sh_mc_group *g, const sh_mc_output *o)
{
    return o->text >= 0             ? SH_LADDER_VTT
           : o->capture >= 0        ? SH_LADDER_FRAMES
           : g->kind == SH_MC_HLS   ? SH_LADDER_TS
           : g->kind == SH_MC_FILES ? SH_LADDER_MP4
                                    : SH_LADDER_CMAF;
}

static const char *manifest_extension(const sh_mc_group *g, const sh_mc_output *o)
{
    return g->kind == SH_MC_FILES ? o->extension : g->hls ? "m3u8" : "mpd";
}

static int fill_item(maker *m, sh_mc_item *item, sh_ladder_job *ladder, sh_ladder_output *to,
                     const sh_mc_step *step)
{
    const sh_mc_output *o = &m->job->outputs[item->output];
    int status = 0;
    if (o->video >= 0)
        status = add_video(m, item, ladder, to, step);
    for (int i = 0; i < o->audio_count && status == 0; i++)
        status = add_audio(m, item, ladder, to, o->audios[i]);
    if (status == 0 && o->text >= 0)
        status = add_text(m, item, ladder, to);
    if (status == 0 && o->capture >= 0)
        status = add_capture(m, item, ladder, to);
    return status;
}

static int add_item(maker *m, size_t output, const sh_mc_step *step, int number)
{
    sh_mc_plan *p = m->plan;
    const sh_mc_output *o = &m->job->outputs[output];
    const sh_mc_group *g = &m->job->groups[o->group];
    sh_mc_item *item = &p->items[p->item_count];
    *item = (sh_mc_item){
        .output = output, .group = o->group, .step = number, .pass = pass_of(m, o), .language = ""};
    item->values = (sh_mc_values){
        .time_ms = m->time_ms, .input = m->job->file_input, .extension = manifest_extension(g, o)};
    if (item->pass == SH_MC_PASSES)
        return sh_fail(m->err, SH_E_UNSUPPORTED, "more than %d different lengths of segments and frame rates",
                       SH_MC_PASSES);
    sh_ladder_job *ladder = &p->ladders[item->pass];
    if (ladder->output_count == SH_LADDER_OUTPUTS)
        return sh_fail(m->err, SH_E_UNSUPPORTED, "more than %d outputs", SH_LADDER_OUTPUTS);
    item->made = ladder->output_count++;
    item->rate = step ? step->max_bitrate : 0;
    sh_ladder_output *to = &ladder->outputs[item->made];
    sh_ladder_output_default(to, kind_of(g, o));
    to->id = (int64_t)p->item_count;
    p->item_count++;
    int status = fill_item(m, item, ladder, to, step);
    if (status == 0)
        status = sh_mc_item_names(p, item, m->err);
    if (status == 0 && !sh_mc_item_segment(p, item, 1, m->time_ms, m->err))
        status = m->err && m->err->status < 0 ? m->err->status : SH_E_LIMIT;
    return status;
}

static int add_steps(maker *m, size_t output)
{
    const sh_mc_output *o = &m->job->outputs[output];
    const sh_mc_video *v = &m->job->videos[o->video];
    sh_mc_step steps[SH_MC_STEPS];
    double rate = v->rate_num ? (double)v->rate_num / v->rate_den : rate_of(m->source);
    double width = (double)m->source->width * m->source->sar_num / m->source->sar_den;
    size_t count =
        sh_mc_abr_steps(&m->job->groups[o->group].abr, v, (int)(width + 0.5), m->source->height, rate, steps);
    int status = 0;
    for (size_t i = 0; i < count && status == 0; i++)
        status = add_item(m, output, &steps[i], (int)i + 1);
    return status;
}

static int add_output(maker *m, size_t output)
{
    const sh_mc_output *o = &m->job->outputs[output];
    return m->job->groups[o->group].abr.wanted && o->video >= 0 ? add_steps(m, output)
                                                                : add_item(m, output, NULL, 0);
}

static int make(maker *m)
{
    sh_mc_plan *p = m->plan;
    int status = 0;
    for (size_t i = 0; i < m->job->group_count && status == 0; i++)
        status = sh_mc_place_of(&p->places[i], m->job, i, m->time_ms, m->err);
    for (int files = 0; files < 2; files++) /* streams first: files go with them */
        for (size_t i = 0; i < m->job->output_count && status == 0; i++)
            if ((m->job->groups[m->job->outputs[i].group].kind == SH_MC_FILES) == (files == 1))
                status = add_output(m, i);
    return status == 0 ? sh_mc_plan_check_names(p, m->err) : status;
}

int sh_mc_plan_make(sh_mc_plan **out, const sh_mc_job *job, const sh_mc_source *source, int64_t time_ms,
                    sh_mc_say *warning, void *opaque, sh_err *err)
{
    sh_mc_plan *plan = calloc(1, sizeof(*plan));
    maker m = {plan, job, source, time_ms, warning, opaque, false, err};
    if (!plan || !(plan->arena = sh_arena_new(ARENA_MAX))) {
        free(plan);
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    }
    plan->job = job;
    plan->source = source;
    int status = make(&m);
    if (status < 0)
        sh_mc_plan_free(plan);
    else
        *out = plan;
    return status;
}

void sh_mc_plan_free(sh_mc_plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < SH_MC_ITEMS; i++)
        free(plan->items[i].names);
    for (size_t i = 0; i < SH_MC_GROUPS; i++)
        sh_mc_place_free(&plan->places[i]);
    sh_arena_free(plan->arena);
    free(plan);
}
