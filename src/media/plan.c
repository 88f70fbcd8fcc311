/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/plan.h"
#include "base/size.h"
#include "media/encode.h"
#include "media/picture.h"
#include "media/plan_steps.h"
#include "media/tracks.h"

#include <libavutil/pixdesc.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The order of the steps is that of the work (plan.h); each reads what the ones before it have settled. */

enum { LONG_4K = 3840, SHORT_4K = 2160, LONG_4K_CINEMA = 4096 };

/* ---- words ---- */

void sh_plan_say(sh_plan *plan, const char *topic, const char *what, const char *why, ...)
{
    if (plan->note_count == SH_PLAN_NOTES)
        return;
    sh_plan_note *note = &plan->notes[plan->note_count++];
    va_list arguments;
    va_start(arguments, why);
    snprintf(note->topic, sizeof(note->topic), "%s", topic);
    snprintf(note->what, sizeof(note->what), "%s", what);
    vsnprintf(note->why, sizeof(note->why), why, arguments);
    va_end(arguments);
    sh_text_mend(note->what);
    sh_text_mend(note->why);
}

void sh_plan_lose(sh_plan *plan, const char *format, ...)
{
    if (plan->loss_count == SH_PLAN_LOSSES) {
        snprintf(plan->losses[SH_PLAN_LOSSES - 1], sizeof(plan->losses[0]), "and %d more",
                 1 + ++plan->losses_more);
        return;
    }
    char *text = plan->losses[plan->loss_count++];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(plan->losses[0]), format, arguments);
    va_end(arguments);
    sh_text_mend(text);
}

static void take_loss(void *opaque, bool loss, const char *text)
{
    if (loss)
        sh_plan_lose(opaque, "%s", text);
    else
        sh_plan_say(opaque, "container", "worth knowing", "%s", text);
}

void sh_plan_add_container(sh_plan *plan, const sh_source *source, const AVOutputFormat *muxer)
{
    const int before = plan->loss_count;
    const unsigned others = source->format->nb_streams - 1;
    char what[112];
    if (!muxer)
        return;
    sh_mux_losses(source->format, source->video->index, muxer, plan->keep_matrix, take_loss, plan);
    if (others == 0)
        snprintf(what, sizeof(what), "none beside the video");
    else
        snprintf(what, sizeof(what), "%u beside the video kept%s", others,
                 plan->loss_count > before ? ", but for what is named below" : "");
    sh_plan_say(plan, "tracks", what, "%s", "");
}

/* ---- turn ---- */

static int plan_turn(plan_making *m)
{
    const sh_facts *facts = m->facts;
    sh_plan *plan = m->plan;
    char what[112];
    const bool turned = facts->turn || facts->mirror || facts->odd_turn;
    const bool holds = m->muxer && sh_mux_holds_rotation(m->muxer);
    const sh_rotation asked = m->options->rotation;
    plan->work_width = plan->width;
    plan->work_height = plan->height;
    plan->sar = facts->sar;
    if (!turned)
        return 0;
    if (asked == SH_ROTATION_KEEP && !holds)
        return sh_fail(
            m->err, SH_E_ARGUMENT,
            "%s has no place for the picture's rotation; leave it to be turned into the picture, or "
            "write MP4 or MOV",
            m->muxer ? m->muxer->long_name : "Y4M");
    plan->keep_matrix = holds && asked != SH_ROTATION_APPLY;
    snprintf(what, sizeof(what), "%s%s%d degrees clockwise", plan->keep_matrix ? "kept as a tag: " : "",
             facts->mirror ? "mirrored, " : "", facts->turn);
    if (plan->keep_matrix) {
        sh_plan_say(plan, "rotation", what, "%s",
                    asked == SH_ROTATION_KEEP ? "asked for"
                                              : "the output's container can tell it to players");
        return 0;
    }
    if (facts->odd_turn)
        sh_plan_lose(plan,
                     "the picture's display matrix is no turn by quarters; the nearest, %d degrees, is taken",
                     facts->turn);
    plan->turn = facts->turn;
    plan->mirror = facts->mirror;
    if (plan->turn % 180) {
        plan->work_width = plan->height;
        plan->work_height = plan->width;
        plan->sar = (AVRational){facts->sar.den, facts->sar.num};
    }
    char baked[112];
    snprintf(baked, sizeof(baked), "turned into the picture: %.80s", what);
    sh_plan_say(plan, "rotation", baked, "%s",
                asked == SH_ROTATION_APPLY ? "asked for"
                                           : "the output's container cannot tell it to players");
    return 0;
}

/* ---- size ---- */

/* How the picture stands when it is shown. */
static bool stands(const plan_making *m)
{
    const bool sideways = m->plan->keep_matrix && m->facts->turn % 180;
    const double shape =
        (double)m->plan->work_width * m->plan->sar.num / ((double)m->plan->work_height * m->plan->sar.den);
    return sideways ? shape > 1 : shape < 1;
}

static int even(double side)
{
    const int whole = (int)(side / 2 + 0.5) * 2;
    return whole < 2 ? 2 : whole;
}

/* The largest size of the model's shape within the box, which stands as the picture does. */
static void fit(const plan_making *m, int model_width, int model_height, int box_long, int box_short,
                int *width, int *height)
{
    const bool sideways = m->plan->keep_matrix && m->facts->turn % 180;
    const bool upright = stands(m) != sideways; /* as stored */
    const double box_width = upright ? box_short : box_long, box_height = upright ? box_long : box_short;
    const double by_width = box_width / model_width, by_height = box_height / model_height;
    const double share = by_width < by_height ? by_width : by_height;
    *width = even(model_width * share);
    *height = even(model_height * share);
}

static void correct_sar(sh_plan *plan, int model_width, int model_height)
{
    const double stretch = (double)plan->out_width * model_height / ((double)plan->out_height * model_width);
    const double pixel = 1.0 / (plan->out_width < plan->out_height ? plan->out_width : plan->out_height);
    if (stretch < 1 + 2 * pixel && stretch > 1 - 2 * pixel)
        return; /* rounding to whole and even sides */
    av_reduce(&plan->sar.num, &plan->sar.den, (int64_t)plan->sar.num * model_width * plan->out_height,
              (int64_t)plan->sar.den * model_height * plan->out_width, 1 << 16);
}

static int asked_size(plan_making *m, int model_width, int model_height, int *width, int *height)
{
    const sh_upscale_options *o = m->options;
    const bool sideways = m->plan->keep_matrix && m->facts->turn % 180;
    int to_width = o->to_width, to_height = o->to_height;
    if (to_width > 0 && to_height <= 0) {
        *width = even(sideways ? (double)model_width * to_width / model_height : to_width);
        *height = even(sideways ? to_width : (double)model_height * to_width / model_width);
    } else if (to_width <= 0) {
        fit(m, model_width, model_height, (to_height * 16 + 8) / 9, to_height, width, height);
    } else {
        *width = sideways ? to_height : to_width;
        *height = sideways ? to_width : to_height;
    }
    if (*width > model_width || *height > model_height)
        return sh_fail(
            m->err, SH_E_ARGUMENT,
            "--to asks for %dx%d, and the model makes %dx%d of %dx%d: use a model of a larger scale, or "
            "ask for less",
            *width, *height, model_width, model_height, m->plan->work_width, m->plan->work_height);
    return 0;
}

static bool within_4k(int width, int height)
{
    const int longer = width > height ? width : height, shorter = width > height ? height : width;
    return (longer <= LONG_4K_CINEMA && shorter <= SHORT_4K);
}

static int limit_size(plan_making *m, int model_width, int model_height)
{
    sh_plan *plan = m->plan;
    if (!within_4k(plan->width, plan->height))
        return sh_fail(m->err, SH_E_LIMIT,
                       "pictures of %dx%d are larger than 4K already; --large makes %dx%d of them",
                       plan->width, plan->height, model_width, model_height);
    fit(m, model_width, model_height, LONG_4K, SHORT_4K, &plan->out_width, &plan->out_height);
    return 0;
}

static int plan_size(plan_making *m)
{
    sh_plan *plan = m->plan;
    const sh_upscale_options *o = m->options;
    const bool asked = o->to_width > 0 || o->to_height > 0;
    const int model_width = m->picture.shown_width, model_height = m->picture.shown_height;
    char what[112], why[160];
    snprintf(why, sizeof(why), "%d times %dx%d", plan->scale, plan->work_width, plan->work_height);
    plan->out_width = model_width;
    plan->out_height = model_height;
    int status = asked ? asked_size(m, model_width, model_height, &plan->out_width, &plan->out_height) : 0;
    if (status < 0)
        return status;
    if (asked) {
        snprintf(why, sizeof(why), "asked for; scaled down from the model's %dx%d", model_width,
                 model_height);
        if (!o->large && !within_4k(plan->out_width, plan->out_height))
            return sh_fail(m->err, SH_E_LIMIT, "--to asks for %dx%d, more than 4K: --large allows it",
                           plan->out_width, plan->out_height);
    } else if (!o->large && !within_4k(model_width, model_height)) {
        if ((status = limit_size(m, model_width, model_height)) < 0)
            return status;
        snprintf(why, sizeof(why), "4K at most unless --large; scaled down from the model's %dx%d",
                 model_width, model_height);
    }
    if (plan->out_width < 2 || plan->out_height < 2)
        return sh_fail(m->err, SH_E_LIMIT, "a result of %dx%d is too small to be encoded", plan->out_width,
                       plan->out_height);
    correct_sar(plan, model_width, model_height);
    snprintf(what, sizeof(what), "%dx%d", plan->out_width, plan->out_height);
    sh_plan_say(plan, "size", what, "%s", why);
    if (plan->sar.num != plan->sar.den)
        sh_plan_shape(m);
    return 0;
}

/* ---- picture format ---- */

static int plan_format(plan_making *m)
{
    sh_plan *plan = m->plan;
    AVFrame *like = av_frame_alloc();
    if (!like)
        return sh_fail(m->err, SH_E_MEMORY, "memory is short");
    like->width = plan->work_width;
    like->height = plan->work_height;
    like->format = plan->format;
    like->color_range = plan->colour.range;
    like->colorspace = plan->colour.matrix;
    like->chroma_location = plan->colour.siting;
    const int status = sh_picture_plan_make(&m->picture, like, plan->scale, m->err);
    av_frame_free(&like);
    if (status < 0)
        return status;
    plan->colour.siting = m->picture.siting;
    if (m->facts->alpha)
        sh_plan_lose(plan, "the picture's alpha channel (transparency) is dropped");
    if (m->facts->bits > 10)
        sh_plan_lose(plan, "%d bits a sample become 10", m->facts->bits);
    return 0;
}

/* ---- encoder ---- */

/* Work of a piece that a crash costs: seconds of it on a machine of two cores, whatever the model. */
static int piece_length(const plan_making *m)
{
    enum { MOST = 250, LEAST = 24, UNKNOWN = 48 };
    const double budget = 5e12; /* multiply-adds */
    const double each = (double)m->model->macs_per_pixel * m->plan->work_width * m->plan->work_height;
    if (m->options->piece_frames > 0)
        return m->options->piece_frames < 2 ? 2 : m->options->piece_frames;
    if (each <= 0)
        return UNKNOWN;
    return budget / each > MOST ? MOST : budget / each < LEAST ? LEAST : (int)(budget / each);
}

static int plan_y4m(plan_making *m)
{
    sh_plan *plan = m->plan;
    snprintf(plan->encoder, sizeof(plan->encoder), "y4m");
    plan->codec = AV_CODEC_ID_WRAPPED_AVFRAME;
    plan->out_format = m->picture.result;
    plan->piece_frames = piece_length(m);
    sh_plan_say(plan, "encoder", "none", "Y4M holds pictures as they are");
    if (m->facts->track_count > 1)
        sh_plan_lose(plan, "Y4M holds the video track alone; %u other tracks are dropped",
                     m->facts->track_count - 1);
    if (plan->hdr != SH_HDR_NONE)
        sh_plan_lose(plan, "Y4M cannot say that the picture is HDR (%s)", sh_hdr_name(plan->hdr));
    if (plan->vfr)
        sh_plan_lose(plan, "Y4M has no time stamps; the file's frame rate varies");
    if (m->facts->captions)
        sh_plan_lose(plan, "Y4M holds no captions");
    plan->captions = plan->hdr10plus = plan->has_mastering = plan->has_light = false;
    return 0;
}

static int plan_encoder(plan_making *m)
{
    sh_plan *plan = m->plan;
    const sh_upscale_options *o = m->options;
    const sh_encoder_info *info = NULL;
    char reason[200] = "", what[112];
    const sh_encoder_wish wish = {.name = o->encoder,
                                  .format = m->picture.result,
                                  .width = plan->out_width,
                                  .height = plan->out_height,
                                  .hdr = plan->hdr != SH_HDR_NONE,
                                  .hardware = o->no_sandbox,
                                  .muxer = m->muxer};
    int status = sh_encoder_choose(&wish, &info, reason, sizeof(reason), m->err);
    if (status < 0)
        return status;
    plan->out_format = sh_encoder_format(info, m->picture.result);
    if (plan->out_format == AV_PIX_FMT_NONE)
        return sh_fail(m->err, SH_E_UNSUPPORTED, "%s does not take %s", info->name,
                       av_get_pix_fmt_name(m->picture.result));
    snprintf(plan->encoder, sizeof(plan->encoder), "%s", info->name);
    snprintf(plan->preset, sizeof(plan->preset), "%s",
             o->preset      ? o->preset
             : info->preset ? info->preset
                            : "");
    plan->codec = (int)info->codec;
    plan->crf = o->crf >= 0 ? o->crf : info->crf;
    if (plan->crf > info->crf_max)
        return sh_fail(m->err, SH_E_ARGUMENT, "%s takes a %s of 0 to %g, not %g", info->title, info->crf_name,
                       (double)info->crf_max, plan->crf);
    snprintf(what, sizeof(what), "%s, %s %g, preset %s", info->title, info->crf_name, plan->crf,
             plan->preset);
    sh_plan_say(plan, "encoder", what, "%s", reason);
    plan->piece_frames = piece_length(m);
    snprintf(what, sizeof(what), "%d frames each", plan->piece_frames);
    sh_plan_say(plan, "pieces", what, "%s",
                o->piece_frames > 0             ? "asked for"
                : plan->piece_frames == 250     ? "so many at most are done again after a crash"
                : m->model->macs_per_pixel <= 0 ? "what the model costs is not known"
                                                : "fewer than 250, by what the model costs a frame");
    return 0;
}

static void plan_result_words(plan_making *m)
{
    sh_plan *plan = m->plan;
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(plan->out_format);
    char what[112];
    plan->out_bits = d ? d->comp[0].depth : 8;
    snprintf(what, sizeof(what), "%d bits, %s", plan->out_bits, av_get_pix_fmt_name(plan->out_format));
    sh_plan_say(plan, "depth", what, "the source has %d, %s%s", m->facts->bits, m->facts->chroma,
                plan->scale > 1 &&
                        (strcmp(m->facts->chroma, "4:4:4") == 0 || strcmp(m->facts->chroma, "4:2:2") == 0)
                    ? "; at its size the result's 4:2:0 holds all of that chroma"
                    : "");
}

/* ---- the whole ---- */

static int make(plan_making *m)
{
    int status = sh_plan_refuse(m);
    if (status == 0)
        status = sh_plan_scan(m);
    if (status == 0)
        status = plan_turn(m);
    if (status == 0) {
        sh_plan_time(m);
        sh_plan_colour(m);
        status = plan_format(m);
    }
    if (status == 0)
        status = plan_size(m);
    if (status == 0)
        status = m->muxer ? plan_encoder(m) : plan_y4m(m);
    if (status == 0) {
        plan_result_words(m);
        sh_plan_advise(m);
    }
    return status;
}

int sh_plan_make(const sh_facts *facts, const sh_upscale_options *options, const spyhop_model_info *model,
                 const AVOutputFormat *muxer, sh_plan *plan, sh_err *err)
{
    sh_plan *made = calloc(1, sizeof(*made));
    if (!made)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    plan_making m = {facts, options, model, muxer, made, {0}, err};
    made->width = facts->width;
    made->height = facts->height;
    made->format = facts->format;
    made->scale = model->scale;
    made->restore = options->restore != NULL;
    made->grain = options->grain;
    const int status = make(&m);
    if (status == 0)
        *plan = *made;
    free(made);
    return status;
}
