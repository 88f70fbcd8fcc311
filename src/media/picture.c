/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/picture.h"
#include "base/size.h"
#include "media/lanczos.h"

#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <stdio.h>

static int chroma_format(const AVPixFmtDescriptor *d, bool deep)
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

static void plan_siting(sh_picture_plan *plan, const AVFrame *frame, const AVPixFmtDescriptor *work)
{
    const enum AVChromaLocation given = frame->chroma_location;
    const bool top = given == AVCHROMA_LOC_TOP || given == AVCHROMA_LOC_TOPLEFT;
    const bool centred = given == AVCHROMA_LOC_CENTER || given == AVCHROMA_LOC_TOP;
    plan->siting = given;
    plan->horizontal = centred ? SH_LANCZOS_CENTRED : SH_LANCZOS_COSITED;
    plan->vertical = top ? SH_LANCZOS_COSITED : SH_LANCZOS_CENTRED;
    if (work->log2_chroma_h == 0) {
        plan->vertical = SH_LANCZOS_KEEP;
        plan->siting = AVCHROMA_LOC_LEFT;
        plan->horizontal = SH_LANCZOS_COSITED;
    }
    if (work->log2_chroma_w == 0) {
        plan->horizontal = SH_LANCZOS_KEEP;
        plan->siting = AVCHROMA_LOC_CENTER;
        plan->vertical = work->log2_chroma_h ? SH_LANCZOS_CENTRED : SH_LANCZOS_KEEP;
    }
}

static void plan_note(sh_picture_plan *plan, const AVPixFmtDescriptor *source)
{
    const char *from = av_get_pix_fmt_name(plan->source);
    const bool alpha = source->flags & AV_PIX_FMT_FLAG_ALPHA;
    if (plan->rgb)
        snprintf(plan->note, sizeof(plan->note), "%s pictures become YUV 4:2:0, BT.709, limited range%s",
                 from, alpha ? ", without alpha" : "");
    else if (alpha || source->comp[0].depth > 10)
        snprintf(plan->note, sizeof(plan->note), "%s pictures become %s%s", from,
                 av_get_pix_fmt_name(plan->result), alpha ? ", without alpha" : "");
}

int sh_picture_plan_make(sh_picture_plan *plan, const AVFrame *frame, sh_err *err)
{
    const AVPixFmtDescriptor *source = av_pix_fmt_desc_get(frame->format);
    if (!source || source->flags & AV_PIX_FMT_FLAG_HWACCEL)
        return sh_fail(err, SH_E_UNSUPPORTED, "pictures of format %s cannot be read",
                       source ? source->name : "unknown");
    if (frame->width < 1 || frame->height < 1 || frame->width > 8192 || frame->height > 8192)
        return sh_fail(
            err, SH_E_LIMIT,
            "pictures of %dx%d; at most 8192x8192 can be upscaled, since H.264 ends at 16384x16384",
            frame->width, frame->height);
    const bool deep = source->comp[0].depth > 8;
    *plan = (sh_picture_plan){.width = frame->width, .height = frame->height, .source = frame->format};
    plan->rgb = source->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL);
    plan->work = chroma_format(source, deep);
    plan->depth = deep ? 10 : 8;
    plan->result = deep ? AV_PIX_FMT_YUV420P10 : AV_PIX_FMT_YUV420P;
    plan->repack = plain(frame->format) != plan->work;
    plan->range = plan->rgb ? AVCOL_RANGE_MPEG : is_j(frame->format) ? AVCOL_RANGE_JPEG : frame->color_range;
    plan->matrix = plan->rgb ? AVCOL_SPC_BT709 : frame->colorspace;
    plan_siting(plan, frame, av_pix_fmt_desc_get(plan->work));
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
    const int width = 2 * plan->width, height = 2 * plan->height;
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

static int luma(sh_picture_scaler *scaler, const AVFrame *in, AVFrame *out, sh_err *err)
{
    const sh_picture_plan *plan = &scaler->plan;
    const spyhop_plane from = {in->data[0], in->linesize[0], plan->width, plan->height, plan->depth};
    const spyhop_plane to = {out->data[0], out->linesize[0], out->width, out->height, plan->depth};
    spyhop_error error;
    if (scaler->engine) {
        int status = spyhop_run(scaler->engine, &from, &to, &error);
        return status < 0 ? sh_fail(err, status, "%s", error.message) : 0;
    }
    const sh_samples a = {in->data[0], in->linesize[0], plan->width, plan->height};
    const sh_samples b = {out->data[0], out->linesize[0], out->width, out->height};
    return sh_lanczos(&b, &a, plan->depth, SH_LANCZOS_CENTRED, SH_LANCZOS_CENTRED)
               ? 0
               : sh_fail(err, SH_E_MEMORY, "memory is short");
}

static void neutral(const sh_samples *plane, int depth)
{
    for (int y = 0; y < plane->height; y++) {
        uint8_t *line = plane->data + (ptrdiff_t)y * plane->stride;
        for (int x = 0; x < plane->width; x++) {
            if (depth == 8)
                line[x] = 128;
            else
                ((uint16_t *)(void *)line)[x] = (uint16_t)(1 << (depth - 1));
        }
    }
}

static int chroma(const sh_picture_plan *plan, const AVFrame *in, AVFrame *out, sh_err *err)
{
    const AVPixFmtDescriptor *work = av_pix_fmt_desc_get(plan->work);
    for (int i = 1; i < 3; i++) {
        const sh_samples to = {out->data[i], out->linesize[i], plan->width, plan->height};
        if (work->nb_components < 3) {
            neutral(&to, plan->depth);
            continue;
        }
        const sh_samples from = {in->data[i], in->linesize[i],
                                 AV_CEIL_RSHIFT(plan->width, work->log2_chroma_w),
                                 AV_CEIL_RSHIFT(plan->height, work->log2_chroma_h)};
        if (!sh_lanczos(&to, &from, plan->depth, plan->horizontal, plan->vertical))
            return sh_fail(err, SH_E_MEMORY, "memory is short");
    }
    return 0;
}

int sh_picture_upscale(sh_picture_scaler *scaler, const AVFrame *in, AVFrame **out, sh_err *err)
{
    AVFrame *repacked = NULL, *result = NULL;
    int status = scaler->plan.repack ? repack(scaler, in, &repacked, err) : 0;
    const AVFrame *work = repacked ? repacked : in;
    if (status == 0)
        status = new_result(scaler, in, &result, err);
    if (status == 0)
        status = luma(scaler, work, result, err);
    if (status == 0)
        status = chroma(&scaler->plan, work, result, err);
    if (status == 0)
        *out = result;
    else
        av_frame_free(&result);
    av_frame_free(&repacked);
    return status;
}

void sh_picture_scaler_close(sh_picture_scaler *scaler)
{
    sws_freeContext(scaler->repacker);
    av_buffer_pool_uninit(&scaler->pool);
    scaler->repacker = NULL;
}
