/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/enlarge.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { LEVELS = SH_FALLBACK_CLASSIC + 1 };

struct sh_enlarge {
    sh_enlarge_settings settings;
    sh_picture_plan front_plan, plan;
    /* of each level, opened when it is needed first */
    sh_picture_scaler front[LEVELS], scaler[LEVELS];
    bool open[LEVELS];
    sh_fallback level;
    sh_finish *finish;
    sh_duplicates duplicates;
    sh_watch watch;
};

/* ---- opening ---- */

/* A picture without samples that looks like what `plan` makes. */
static void describe_result(const sh_picture_plan *plan, const AVFrame *like, AVFrame *out)
{
    out->width = plan->shown_width;
    out->height = plan->shown_height;
    out->format = plan->result;
    out->color_range = plan->range;
    out->colorspace = plan->matrix;
    out->chroma_location = plan->siting;
    out->color_primaries = like->color_primaries;
    out->color_trc = like->color_trc;
}

static int make_plans(sh_enlarge *e, const AVFrame *first, sh_err *err)
{
    AVFrame *between = av_frame_alloc();
    int status = between ? 0 : sh_fail(err, SH_E_MEMORY, "memory is short");
    if (status == 0 && e->settings.restore) {
        status = sh_picture_plan_make(&e->front_plan, first, 1, err);
        if (status == 0)
            describe_result(&e->front_plan, first, between);
    }
    if (status == 0)
        status = sh_picture_plan_make(&e->plan, e->settings.restore ? between : first,
                                      e->settings.plan->scale, err);
    av_frame_free(&between);
    return status;
}

static int open_scaler(sh_picture_scaler *scaler, const spyhop_model *model, const sh_enlarge_settings *s,
                       sh_fallback level, const char *name, sh_err *err)
{
    spyhop_settings engine = s->engine;
    if (level == SH_FALLBACK_SCALAR) {
        engine.cpu = SPYHOP_CPU_C;
        engine.precision = SPYHOP_PRECISION_FP32;
    } else if (level == SH_FALLBACK_CLASSIC) {
        engine.precision = SPYHOP_PRECISION_AUTO;
    }
    int status = sh_picture_scaler_open(scaler, level == SH_FALLBACK_CLASSIC ? NULL : model, &engine, err);
    if (status < 0)
        sh_err_prefix(err, "model %s", name);
    return status;
}

static int open_level(sh_enlarge *e, sh_fallback level, sh_err *err)
{
    const sh_enlarge_settings *s = &e->settings;
    int status = 0;
    if (e->open[level])
        return 0;
    e->front[level].plan = e->front_plan;
    e->scaler[level].plan = e->plan;
    if (s->restore)
        status = open_scaler(&e->front[level], s->restore, s, level, s->restore_name, err);
    if (status == 0)
        status = open_scaler(&e->scaler[level], s->model, s, level, s->model_name, err);
    e->open[level] = status == 0;
    return status;
}

static int open_finish(sh_enlarge *e, sh_err *err)
{
    const sh_plan *plan = e->settings.plan;
    const sh_finish_settings settings = {
        .width = plan->out_width,
        .height = plan->out_height,
        .format = plan->out_format,
        .grain = plan->grain,
        .seed = e->settings.seed,
    };
    return sh_finish_open(&e->finish, &settings, err);
}

int sh_enlarge_open(sh_enlarge **out, const sh_enlarge_settings *settings, const AVFrame *first, char *note,
                    size_t size, sh_err *err)
{
    sh_enlarge *e = calloc(1, sizeof(*e));
    if (!e)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    e->settings = *settings;
    int status = make_plans(e, first, err);
    if (status == 0)
        status = open_level(e, SH_FALLBACK_NONE, err);
    if (status == 0)
        status = open_finish(e, err);
    if (status < 0) {
        sh_enlarge_close(&e);
        return status;
    }
    snprintf(note, size, "%s",
             e->settings.restore && e->front_plan.note[0] ? e->front_plan.note : e->plan.note);
    *out = e;
    return 0;
}

void sh_enlarge_close(sh_enlarge **enlarge)
{
    sh_enlarge *e = *enlarge;
    if (!e)
        return;
    for (int i = 0; i < LEVELS; i++) {
        sh_picture_scaler_close(&e->front[i]);
        sh_picture_scaler_close(&e->scaler[i]);
    }
    sh_finish_close(&e->finish);
    sh_duplicates_forget(&e->duplicates);
    sh_watch_forget(&e->watch);
    free(e);
    *enlarge = NULL;
}

/* ---- pieces and frames ---- */

int sh_enlarge_piece(sh_enlarge *e, sh_fallback level, sh_err *err)
{
    sh_duplicates_forget(&e->duplicates);
    sh_watch_forget(&e->watch);
    e->level = level;
    return open_level(e, level, err);
}

sh_fallback sh_enlarge_next(const sh_enlarge *e, sh_fallback level)
{
    const spyhop_settings *s = &e->settings.engine;
    const bool scalar = s->cpu == SPYHOP_CPU_C && s->precision == SPYHOP_PRECISION_FP32;
    return level == SH_FALLBACK_NONE && !scalar ? SH_FALLBACK_SCALAR : SH_FALLBACK_CLASSIC;
}

static int run_networks(sh_enlarge *e, const AVFrame *in, AVFrame **out, sh_err *err)
{
    AVFrame *restored = NULL;
    int status = 0;
    if (e->settings.restore)
        status = sh_picture_upscale(&e->front[e->level], in, &restored, err);
    if (status == 0)
        status = sh_picture_upscale(&e->scaler[e->level], restored ? restored : in, out, err);
    av_frame_free(&restored);
    return status;
}

static void set_tags(const sh_plan *plan, AVFrame *frame)
{
    frame->color_primaries = plan->colour.primaries;
    frame->color_trc = plan->colour.transfer;
    frame->colorspace = plan->colour.matrix;
    frame->color_range = plan->colour.range;
    frame->sample_aspect_ratio = plan->sar;
    frame->pict_type = AV_PICTURE_TYPE_NONE;
    frame->key_frame = 0;
}

/* The result is kept for the next frame behind finish where finish does not depend on the number. */
static int make(sh_enlarge *e, const AVFrame *source, AVFrame **result, int64_t number, sh_err *err)
{
    const bool grain = e->settings.plan->grain > 0;
    if (grain)
        sh_duplicates_note(&e->duplicates, source, *result);
    int status = sh_finish_apply(e->finish, result, number, err);
    if (status == 0 && !grain)
        sh_duplicates_note(&e->duplicates, source, *result);
    return status;
}

int sh_enlarge_frame(sh_enlarge *e, AVFrame **frame, int64_t number, bool *duplicate, char *reason,
                     size_t size, sh_err *err)
{
    AVFrame *result = NULL;
    const sh_picture_plan *plan = e->settings.restore ? &e->front_plan : &e->plan;
    if (!sh_picture_fits(plan, *frame))
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "frame %" PRId64 " is %dx%d (%s) and those before it %dx%d (%s)", number + 1,
                       (*frame)->width, (*frame)->height, av_get_pix_fmt_name((*frame)->format), plan->width,
                       plan->height, av_get_pix_fmt_name(plan->source));
    *duplicate = sh_duplicates_take(&e->duplicates, *frame, &result);
    int status = 0;
    if (*duplicate && e->settings.plan->grain > 0) {
        status = sh_finish_apply(e->finish, &result, number, err);
    } else if (!*duplicate) {
        status = run_networks(e, *frame, &result, err);
        if (status == 0 && e->level != SH_FALLBACK_CLASSIC &&
            !sh_watch_passes(&e->watch, *frame, result, e->settings.plan->scale, reason, size)) {
            av_frame_free(&result);
            return SH_ENLARGE_BAD;
        }
        if (status == 0)
            status = make(e, *frame, &result, number, err);
    }
    if (status < 0) {
        av_frame_free(&result);
        return status;
    }
    set_tags(e->settings.plan, result);
    av_frame_free(frame);
    *frame = result;
    return SH_ENLARGE_DONE;
}
