/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/picture.h"
#include "base/size.h"

#include <libavutil/imgutils.h>
#include <stdio.h>
#include <string.h>

/* What the scaler takes, of those that decoders give. */
static const struct {
    enum AVPixelFormat format;
    int layout, depth, semi, msb;
} known[] = {
    {AV_PIX_FMT_GRAY8, SPYHOP_GREY, 8, 0, 0},      {AV_PIX_FMT_GRAY10, SPYHOP_GREY, 10, 0, 0},
    {AV_PIX_FMT_YUV420P, SPYHOP_YUV420, 8, 0, 0},  {AV_PIX_FMT_YUV420P10, SPYHOP_YUV420, 10, 0, 0},
    {AV_PIX_FMT_YUV422P, SPYHOP_YUV422, 8, 0, 0},  {AV_PIX_FMT_YUV422P10, SPYHOP_YUV422, 10, 0, 0},
    {AV_PIX_FMT_YUV444P, SPYHOP_YUV444, 8, 0, 0},  {AV_PIX_FMT_YUV444P10, SPYHOP_YUV444, 10, 0, 0},
    {AV_PIX_FMT_YUV440P, SPYHOP_YUV440, 8, 0, 0},  {AV_PIX_FMT_YUV440P10, SPYHOP_YUV440, 10, 0, 0},
    {AV_PIX_FMT_YUV411P, SPYHOP_YUV411, 8, 0, 0},  {AV_PIX_FMT_YUV410P, SPYHOP_YUV410, 8, 0, 0},
    {AV_PIX_FMT_YUVA420P, SPYHOP_YUV420, 8, 0, 0}, {AV_PIX_FMT_YUVA420P10, SPYHOP_YUV420, 10, 0, 0},
    {AV_PIX_FMT_YUVA422P, SPYHOP_YUV422, 8, 0, 0}, {AV_PIX_FMT_YUVA422P10, SPYHOP_YUV422, 10, 0, 0},
    {AV_PIX_FMT_YUVA444P, SPYHOP_YUV444, 8, 0, 0}, {AV_PIX_FMT_YUVA444P10, SPYHOP_YUV444, 10, 0, 0},
    {AV_PIX_FMT_NV12, SPYHOP_YUV420, 8, 1, 0},     {AV_PIX_FMT_P010, SPYHOP_YUV420, 10, 1, 1},
    {AV_PIX_FMT_NV16, SPYHOP_YUV422, 8, 1, 0},     {AV_PIX_FMT_P210, SPYHOP_YUV422, 10, 1, 1},
    {AV_PIX_FMT_NV24, SPYHOP_YUV444, 8, 1, 0},
};

static bool find_known(spyhop_format *format, enum AVPixelFormat wanted)
{
    for (size_t i = 0; i < SH_COUNT(known); i++)
        if (known[i].format == wanted) {
            format->layout = known[i].layout;
            format->depth = known[i].depth;
            format->semi = known[i].semi;
            format->msb = known[i].msb;
            return true;
        }
    return false;
}

/* What others are repacked into. */
static enum AVPixelFormat nearest_known(const AVPixFmtDescriptor *d, bool deep)
{
    if (d->flags & AV_PIX_FMT_FLAG_RGB || d->flags & AV_PIX_FMT_FLAG_PAL)
        return deep ? AV_PIX_FMT_YUV444P10 : AV_PIX_FMT_YUV444P;
    if (d->nb_components < 3)
        return deep ? AV_PIX_FMT_GRAY10 : AV_PIX_FMT_GRAY8;
    if (d->log2_chroma_w == 0 && d->log2_chroma_h == 0)
        return deep ? AV_PIX_FMT_YUV444P10 : AV_PIX_FMT_YUV444P;
    if (d->log2_chroma_w == 1 && d->log2_chroma_h == 0)
        return deep ? AV_PIX_FMT_YUV422P10 : AV_PIX_FMT_YUV422P;
    if (d->log2_chroma_w == 0 && d->log2_chroma_h == 1)
        return deep ? AV_PIX_FMT_YUV440P10 : AV_PIX_FMT_YUV440P;
    return deep ? AV_PIX_FMT_YUV420P10 : AV_PIX_FMT_YUV420P;
}

/* The "J" formats are others' names for the same layout with full range. */
static enum AVPixelFormat plain(enum AVPixelFormat format)
{
    static const enum AVPixelFormat same[][2] = {
        {AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUV420P},
        {AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUV422P},
        {AV_PIX_FMT_YUVJ444P, AV_PIX_FMT_YUV444P},
        {AV_PIX_FMT_YUVJ440P, AV_PIX_FMT_YUV440P},
    };
    for (size_t i = 0; i < SH_COUNT(same); i++)
        if (same[i][0] == format)
            return same[i][1];
    return format;
}

static bool is_j(enum AVPixelFormat format)
{
    return plain(format) != format;
}

/* Nobody's word is that of most: 4:2:0 lies left. */
static int siting_of(enum AVChromaLocation given)
{
    static const int sitings[] = {
        [AVCHROMA_LOC_UNSPECIFIED] = SPYHOP_LEFT, [AVCHROMA_LOC_LEFT] = SPYHOP_LEFT,
        [AVCHROMA_LOC_CENTER] = SPYHOP_CENTRE,    [AVCHROMA_LOC_TOPLEFT] = SPYHOP_TOPLEFT,
        [AVCHROMA_LOC_TOP] = SPYHOP_TOP,          [AVCHROMA_LOC_BOTTOMLEFT] = SPYHOP_BOTTOMLEFT,
        [AVCHROMA_LOC_BOTTOM] = SPYHOP_BOTTOM,
    };
    return given >= 0 && (size_t)given < SH_COUNT(sitings) ? sitings[given] : SPYHOP_LEFT;
}

/* The layout of the result, and where its chroma lies: where the source's does, and along an axis that the
 * source has whole, in the middle, where at twice the size every sample is one of the source. */
static void plan_result(sh_picture_plan *plan, const AVFrame *frame)
{
    static const enum AVPixelFormat kept[][2] = {
        [SPYHOP_YUV422] = {AV_PIX_FMT_YUV422P, AV_PIX_FMT_YUV422P10},
        [SPYHOP_YUV444] = {AV_PIX_FMT_YUV444P, AV_PIX_FMT_YUV444P10},
        [SPYHOP_YUV440] = {AV_PIX_FMT_YUV444P, AV_PIX_FMT_YUV444P10},
        [SPYHOP_YUV411] = {AV_PIX_FMT_YUV422P, AV_PIX_FMT_YUV422P10},
    };
    const int layout = plan->in.layout, deep = plan->in.depth > 8;
    const bool whole = layout == SPYHOP_YUV444 || layout == SPYHOP_YUV440;
    plan->result = deep ? AV_PIX_FMT_YUV420P10 : AV_PIX_FMT_YUV420P;
    plan->siting = frame->chroma_location;
    if (plan->scale == 1 && (whole || layout == SPYHOP_YUV422 || layout == SPYHOP_YUV411))
        plan->result = kept[layout][deep];
    else if (whole)
        plan->siting = AVCHROMA_LOC_CENTER;
    else if (layout == SPYHOP_YUV422 || layout == SPYHOP_YUV411)
        plan->siting = AVCHROMA_LOC_LEFT;
    plan->in.siting = siting_of(frame->chroma_location);
    if (whole || layout == SPYHOP_YUV422 || layout == SPYHOP_YUV411)
        plan->in.siting = whole ? SPYHOP_CENTRE : SPYHOP_LEFT;
    const bool untold = layout == SPYHOP_GREY && plan->range == AVCOL_RANGE_UNSPECIFIED;
    plan->in.range = plan->range == AVCOL_RANGE_JPEG || untold ? SPYHOP_FULL : SPYHOP_LIMITED;
    plan->in.width = plan->width;
    plan->in.height = plan->height;
    plan->out.range = plan->in.range;
    plan->out.siting = siting_of(plan->siting);
    find_known(&plan->out, plan->result);
    if (plan->out.layout == layout && plan->scale == 1) /* chroma passes, whatever it is called */
        plan->out.siting = plan->in.siting;
}

static int plan_shown(sh_picture_plan *plan, sh_err *err)
{
    const AVPixFmtDescriptor *result = av_pix_fmt_desc_get(plan->result);
    const int wide = 1 << result->log2_chroma_w, high = 1 << result->log2_chroma_h;
    plan->shown_width = plan->out_width / wide * wide;
    plan->shown_height = plan->out_height / high * high;
    if (plan->shown_width > 0 && plan->shown_height > 0)
        return 0;
    return sh_fail(err, SH_E_LIMIT, "pictures of %dx%d become %dx%d; H.264 of %s begins at %dx%d",
                   plan->width, plan->height, plan->out_width, plan->out_height, result->name, wide, high);
}

static void plan_note(sh_picture_plan *plan, const AVPixFmtDescriptor *source)
{
    const char *from = av_get_pix_fmt_name(plan->source);
    const bool alpha = source->flags & AV_PIX_FMT_FLAG_ALPHA;
    plan->note[0] = '\0';
    if (plan->rgb)
        snprintf(plan->note, sizeof(plan->note), "%s pictures become %s, BT.709, limited range%s", from,
                 av_get_pix_fmt_name(plan->result), alpha ? ", without alpha" : "");
    else if (alpha || source->comp[0].depth > 10)
        snprintf(plan->note, sizeof(plan->note), "%s pictures become %s%s", from,
                 av_get_pix_fmt_name(plan->result), alpha ? ", without alpha" : "");
    if (plan->shown_width == plan->out_width && plan->shown_height == plan->out_height)
        return;
    const size_t length = strlen(plan->note);
    snprintf(plan->note + length, sizeof(plan->note) - length,
             "%spictures of %dx%d lose a column or row: %dx%d is what H.264 of %s holds", length ? "; " : "",
             plan->out_width, plan->out_height, plan->shown_width, plan->shown_height,
             av_get_pix_fmt_name(plan->result));
}

int sh_picture_plan_make(sh_picture_plan *plan, const AVFrame *frame, int scale, sh_err *err)
{
    const AVPixFmtDescriptor *source = av_pix_fmt_desc_get(frame->format);
    const int most = SH_PICTURE_SIDE / scale;
    if (!source || source->flags & AV_PIX_FMT_FLAG_HWACCEL)
        return sh_fail(err, SH_E_UNSUPPORTED, "pictures of format %s cannot be read",
                       source ? source->name : "unknown");
    if (frame->width < 1 || frame->height < 1 || frame->width > most || frame->height > most)
        return sh_fail(err, SH_E_LIMIT,
                       "pictures of %dx%d; at most %dx%d can be upscaled, since H.264 ends at %dx%d",
                       frame->width, frame->height, most, most, SH_PICTURE_SIDE, SH_PICTURE_SIDE);
    *plan = (sh_picture_plan){.width = frame->width, .height = frame->height, .source = frame->format};
    plan->scale = scale;
    plan->out_width = scale * frame->width;
    plan->out_height = scale * frame->height;
    plan->rgb = source->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL);
    plan->work = plain(frame->format);
    if (!find_known(&plan->in, plan->work)) {
        plan->work = nearest_known(source, source->comp[0].depth > 8);
        find_known(&plan->in, plan->work);
        plan->repack = true;
    }
    plan->range = plan->rgb ? AVCOL_RANGE_MPEG : is_j(frame->format) ? AVCOL_RANGE_JPEG : frame->color_range;
    plan->matrix = plan->rgb ? AVCOL_SPC_BT709 : frame->colorspace;
    plan_result(plan, frame);
    if (plan_shown(plan, err) < 0)
        return SH_E_LIMIT;
    plan_note(plan, source);
    return 0;
}

bool sh_picture_fits(const sh_picture_plan *plan, const AVFrame *frame)
{
    return frame->width == plan->width && frame->height == plan->height && frame->format == plan->source;
}

/* ---- repacking ---- */

static int make_repacker(sh_picture_scaler *scaler, sh_err *err)
{
    const sh_picture_plan *plan = &scaler->plan;
    const int full = plan->rgb || plan->range == AVCOL_RANGE_JPEG;
    const int to_full = plan->range == AVCOL_RANGE_JPEG;
    const int *table = sws_getCoefficients(plan->rgb ? SWS_CS_ITU709 : SWS_CS_DEFAULT);
    scaler->repacker = sws_getContext(
        plan->width, plan->height, plain(plan->source), plan->width, plan->height, plan->work,
        SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP | SWS_FULL_CHR_H_INT, NULL, NULL, NULL);
    if (!scaler->repacker)
        return sh_fail(err, SH_E_UNSUPPORTED, "libswscale cannot turn %s of %dx%d into %s",
                       av_get_pix_fmt_name(plan->source), plan->width, plan->height,
                       av_get_pix_fmt_name(plan->work));
    sws_setColorspaceDetails(scaler->repacker, table, full, table, to_full, 0, 1 << 16, 1 << 16);
    return 0;
}

static int repack(sh_picture_scaler *scaler, const AVFrame *in, AVFrame **out, sh_err *err)
{
    if (!scaler->repacker && make_repacker(scaler, err) < 0)
        return SH_E_UNSUPPORTED;
    AVFrame *frame = av_frame_alloc();
    if (!frame)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    frame->width = in->width;
    frame->height = in->height;
    frame->format = scaler->plan.work;
    if (av_frame_get_buffer(frame, 0) < 0 ||
        sws_scale(scaler->repacker, (const uint8_t *const *)in->data, in->linesize, 0, in->height,
                  frame->data, frame->linesize) < 0) {
        av_frame_free(&frame);
        return sh_fail(err, SH_E_MEMORY, "a picture of %dx%d cannot be converted", in->width, in->height);
    }
    *out = frame;
    return 0;
}

/* ---- the result ---- */

static int new_result(sh_picture_scaler *scaler, const AVFrame *in, AVFrame **out, sh_err *err)
{
    const sh_picture_plan *plan = &scaler->plan;
    const int width = plan->out_width, height = plan->out_height;
    const int size = av_image_get_buffer_size(plan->result, width, height, 64);
    AVFrame *frame = av_frame_alloc();
    if (!scaler->pool && size > 0)
        scaler->pool = av_buffer_pool_init((size_t)size + 64, NULL);
    if (frame && scaler->pool)
        frame->buf[0] = av_buffer_pool_get(scaler->pool);
    if (!frame || !frame->buf[0] || av_frame_copy_props(frame, in) < 0 ||
        av_image_fill_arrays(frame->data, frame->linesize, frame->buf[0]->data, plan->result, width, height,
                             64) < 0) {
        av_frame_free(&frame);
        return sh_fail(err, SH_E_MEMORY, "no memory for a picture of %dx%d", width, height);
    }
    frame->extended_data = frame->data;
    frame->width = width;
    frame->height = height;
    frame->format = plan->result;
    frame->crop_top = frame->crop_bottom = frame->crop_left = frame->crop_right = 0;
    frame->color_range = plan->range;
    frame->colorspace = plan->matrix;
    frame->chroma_location = plan->siting;
    frame->pict_type = AV_PICTURE_TYPE_NONE;
    frame->key_frame = 0;
    frame->interlaced_frame = 0;
    *out = frame;
    return 0;
}

static spyhop_picture planes_of(const AVFrame *frame)
{
    spyhop_picture picture;
    for (int i = 0; i < 4; i++) {
        picture.data[i] = frame->data[i];
        picture.stride[i] = frame->linesize[i];
    }
    return picture;
}

static int enlarge(sh_picture_scaler *scaler, const AVFrame *in, AVFrame *out, sh_err *err)
{
    const spyhop_picture from = planes_of(in), to = planes_of(out);
    spyhop_error error;
    int status = spyhop_scaler_run(scaler->scaler, &from, &to, &error);
    return status < 0 ? sh_fail(err, status, "%s", error.message) : 0;
}

int sh_picture_scaler_open(sh_picture_scaler *scaler, const spyhop_model *model,
                           const spyhop_settings *settings, sh_err *err)
{
    spyhop_scaling scaling;
    spyhop_error error;
    spyhop_scaling_default(&scaling);
    scaling.scale = scaler->plan.scale;
    scaling.in = scaler->plan.in;
    scaling.convert = 1;
    scaling.out = scaler->plan.out;
    int status = spyhop_scaler_open(&scaler->scaler, model, settings, &scaling, &error);
    return status < 0 ? sh_fail(err, status, "%s", error.message) : 0;
}

int sh_picture_upscale(sh_picture_scaler *scaler, const AVFrame *in, AVFrame **out, sh_err *err)
{
    AVFrame *repacked = NULL, *result = NULL;
    int status = scaler->plan.repack ? repack(scaler, in, &repacked, err) : 0;
    const AVFrame *work = repacked ? repacked : in;
    if (status == 0)
        status = new_result(scaler, in, &result, err);
    if (status == 0)
        status = enlarge(scaler, work, result, err);
    if (status == 0) {
        result->width = scaler->plan.shown_width;
        result->height = scaler->plan.shown_height;
        *out = result;
    } else {
        av_frame_free(&result);
    }
    av_frame_free(&repacked);
    return status;
}

void sh_picture_scaler_close(sh_picture_scaler *scaler)
{
    spyhop_scaler_close(&scaler->scaler);
    sws_freeContext(scaler->repacker);
    av_buffer_pool_uninit(&scaler->pool);
    scaler->repacker = NULL;
}

/* ---- two in a row ---- */

/* A picture of what a plan makes, without samples. */
static AVFrame *result_of(const sh_picture_plan *plan)
{
    AVFrame *frame = av_frame_alloc();
    if (!frame)
        return NULL;
    frame->width = plan->shown_width;
    frame->height = plan->shown_height;
    frame->format = plan->result;
    frame->color_range = plan->range;
    frame->colorspace = plan->matrix;
    frame->chroma_location = plan->siting;
    return frame;
}

int sh_picture_chain_plan(sh_picture_chain *chain, const AVFrame *frame, bool restores, int scale,
                          sh_err *err)
{
    sh_picture_plan *first = &chain->restore.plan;
    chain->restores = restores;
    if (!restores)
        return sh_picture_plan_make(&chain->scaler.plan, frame, scale, err);
    int status = sh_picture_plan_make(first, frame, 1, err);
    if (status < 0)
        return status;
    first->shown_width = first->out_width;
    first->shown_height = first->out_height;
    plan_note(first, av_pix_fmt_desc_get(frame->format));
    AVFrame *between = result_of(first);
    status = between ? sh_picture_plan_make(&chain->scaler.plan, between, scale, err)
                     : sh_fail(err, SH_E_MEMORY, "memory is short");
    av_frame_free(&between);
    return status;
}

bool sh_picture_chain_fits(const sh_picture_chain *chain, const AVFrame *frame)
{
    return sh_picture_fits(chain->restores ? &chain->restore.plan : &chain->scaler.plan, frame);
}

int sh_picture_chain_open(sh_picture_chain *chain, const spyhop_model *restore, const spyhop_model *model,
                          const spyhop_settings *settings, sh_err *err)
{
    int status = chain->restores ? sh_picture_scaler_open(&chain->restore, restore, settings, err) : 0;
    return status < 0 ? status : sh_picture_scaler_open(&chain->scaler, model, settings, err);
}

int sh_picture_chain_run(sh_picture_chain *chain, const AVFrame *in, AVFrame **out, sh_err *err)
{
    AVFrame *between = NULL;
    int status = chain->restores ? sh_picture_upscale(&chain->restore, in, &between, err) : 0;
    if (status == 0)
        status = sh_picture_upscale(&chain->scaler, between ? between : in, out, err);
    av_frame_free(&between);
    return status;
}

void sh_picture_chain_close(sh_picture_chain *chain)
{
    sh_picture_scaler_close(&chain->restore);
    sh_picture_scaler_close(&chain->scaler);
}
