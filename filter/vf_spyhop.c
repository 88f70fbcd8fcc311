/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An FFmpeg filter over libspyhop (spyhop/picture.h): options, and frames in and out. All work on samples is
 * the library's, but for one thing: where a size was asked for that is no multiple of the network's scale,
 * libswscale brings the enlarged picture to it (lanczos).
 *
 * How a size is reached: the network of exactly that scale where there is one (NAME_x3.onnx); else the
 * network, run again on its own result while that is too small; then libswscale. What does not enlarge
 * (factor 1 or less) uses no enlarging network at all; a network of scale 1 runs once in any case.
 *
 * The graph is made of `passes` steps: in -> scaler[0] -> between[0] -> scaler[1] -> ... -> out, where the
 * last of them, or `resize`, writes into the frame that goes on. They are made for one size, range and siting
 * of the frames (`made_for`), and made anew when a frame differs.
 *
 * Each name is a filter with a class of its own, as FFmpeg wants it: SPYHOP_FILTER at the end of the file,
 * which script/ffmpeg reads to add them to FFmpeg's lists.
 */
#include "avfilter.h"
#include "formats.h"
#include "internal.h"
#include "scale_eval.h"
#include "spyhop_models.h"
#include "video.h"

#include "libavutil/avassert.h"
#include "libavutil/imgutils.h"
#include "libavutil/opt.h"
#include "libavutil/pixdesc.h"
#include "libswscale/swscale.h"

#include <math.h>
#include <spyhop/picture.h>
#include <string.h>

#define MAX_PASSES 3
#define MAX_SCALE 4

typedef struct SpyhopContext {
    const AVClass *class;
    /* options */
    double scale;
    char *w_expr, *h_expr;
    char *model_name;
    int engine_threads;
    char *cpu;
    char *device;
    double strength;
    char *precision;

    spyhop_settings settings;
    spyhop_model *model;                /* of model_name */
    spyhop_model *other[MAX_SCALE + 1]; /* of model_name_xN, when wanted */
    int scale_of_model;
    int channels;

    spyhop_format made_for;
    int passes;
    spyhop_scaler *scaler[MAX_PASSES];
    AVFrame *between[MAX_PASSES]; /* NULL behind the last pass if that makes the wanted size */
    struct SwsContext *resize;
    int warned_interlaced;
} SpyhopContext;

/* --- formats ------------------------------------------------------------------------------------------- */

static int layout_of(const AVPixFmtDescriptor *desc)
{
    static const struct {
        int across, down, layout;
    } known[] = {{1, 1, SPYHOP_YUV420}, {1, 0, SPYHOP_YUV422}, {0, 0, SPYHOP_YUV444},
                 {0, 1, SPYHOP_YUV440}, {2, 0, SPYHOP_YUV411}, {2, 2, SPYHOP_YUV410}};
    if (desc->flags & AV_PIX_FMT_FLAG_RGB)
        return desc->flags & AV_PIX_FMT_FLAG_PLANAR && desc->nb_components >= 3 ? SPYHOP_GBR : -1;
    if (desc->nb_components == 1)
        return SPYHOP_GREY;
    for (int i = 0; i < FF_ARRAY_ELEMS(known); i++)
        if (desc->log2_chroma_w == known[i].across && desc->log2_chroma_h == known[i].down)
            return known[i].layout;
    return -1;
}

/* Whether planes lie as spyhop_picture wants them: luma (or green) alone in plane 0, then chroma, then alpha.
 */
static int planes_fit(const AVPixFmtDescriptor *desc)
{
    int bytes = desc->comp[0].depth > 8 ? 2 : 1, components = desc->nb_components, semi;
    int green = desc->flags & AV_PIX_FMT_FLAG_RGB ? 1 : 0;
    if (components == 2 || desc->comp[green].plane != 0 || desc->comp[0].step != bytes)
        return 0;
    if (components == 1)
        return 1;
    semi = desc->comp[1].plane == desc->comp[2].plane;
    if (desc->comp[1].step != bytes * (semi ? 2 : 1))
        return 0;
    return components == 3 || (desc->comp[3].plane == 3 && !semi);
}

/* What libspyhop calls pictures of this format, their size being not yet known. Returns 0 if it has no name.
 */
static int describe_format(spyhop_format *format, enum AVPixelFormat pixels)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(pixels);
    const uint64_t refused = AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BITSTREAM |
                             AV_PIX_FMT_FLAG_FLOAT | AV_PIX_FMT_FLAG_BAYER;
    spyhop_scaling neutral;
    int layout;
    if (!desc || desc->flags & refused ||
        !!(desc->flags & AV_PIX_FMT_FLAG_BE) != HAVE_BIGENDIAN * (desc->comp[0].depth > 8))
        return 0;
    layout = layout_of(desc);
    if (layout < 0 || desc->comp[0].depth < 8 || desc->comp[0].depth > 16 || !planes_fit(desc))
        return 0;
    spyhop_scaling_default(&neutral);
    *format = neutral.in;
    format->layout = layout;
    format->depth = desc->comp[0].depth;
    format->msb = desc->comp[0].shift > 0;
    format->semi = desc->nb_components >= 3 && desc->comp[1].plane == desc->comp[2].plane;
    format->alpha = !!(desc->flags & AV_PIX_FMT_FLAG_ALPHA);
    return 1;
}

/* Whether libswscale, where it may be needed, takes and gives such pictures. */
static int can_be_resized(const SpyhopContext *s, enum AVPixelFormat pixels)
{
    int needed = s->w_expr || s->h_expr || (s->scale && s->scale != s->scale_of_model);
    return !needed || (sws_isSupportedInput(pixels) && sws_isSupportedOutput(pixels));
}

static int query_formats(AVFilterContext *ctx)
{
    const SpyhopContext *s = ctx->priv;
    AVFilterFormats *formats = NULL;
    const AVPixFmtDescriptor *desc = NULL;
    while ((desc = av_pix_fmt_desc_next(desc))) {
        enum AVPixelFormat pixels = av_pix_fmt_desc_get_id(desc);
        spyhop_format format;
        int ret;
        if (!describe_format(&format, pixels) || !can_be_resized(s, pixels) ||
            (s->channels == 3 && format.layout != SPYHOP_GBR))
            continue;
        if ((ret = ff_add_format(&formats, pixels)) < 0)
            return ret;
    }
    return ff_set_common_formats(ctx, formats);
}

/* Where nothing tells the range, colours and grey are taken as full, as libswscale does. */
static int range_of(enum AVColorRange range, enum AVPixelFormat pixels, const spyhop_format *format)
{
    if (range != AVCOL_RANGE_UNSPECIFIED)
        return range == AVCOL_RANGE_JPEG ? SPYHOP_FULL : SPYHOP_LIMITED;
    if (format->layout == SPYHOP_GBR || format->layout == SPYHOP_GREY)
        return SPYHOP_FULL;
    return strncmp(av_get_pix_fmt_name(pixels), "yuvj", 4) ? SPYHOP_LIMITED : SPYHOP_FULL;
}

static int siting_of(enum AVChromaLocation location)
{
    static const int known[] = {
        [AVCHROMA_LOC_UNSPECIFIED] = SPYHOP_LEFT, [AVCHROMA_LOC_LEFT] = SPYHOP_LEFT,
        [AVCHROMA_LOC_CENTER] = SPYHOP_CENTRE,    [AVCHROMA_LOC_TOPLEFT] = SPYHOP_TOPLEFT,
        [AVCHROMA_LOC_TOP] = SPYHOP_TOP,          [AVCHROMA_LOC_BOTTOMLEFT] = SPYHOP_BOTTOMLEFT,
        [AVCHROMA_LOC_BOTTOM] = SPYHOP_BOTTOM,
    };
    return location >= 0 && location < FF_ARRAY_ELEMS(known) ? known[location] : SPYHOP_LEFT;
}

static spyhop_format format_of(const AVFrame *frame)
{
    spyhop_format format;
    int known = describe_format(&format, frame->format);
    av_assert0(known); /* no other was negotiated */
    format.width = frame->width;
    format.height = frame->height;
    format.range = range_of(frame->color_range, frame->format, &format);
    format.siting = siting_of(frame->chroma_location);
    return format;
}

static spyhop_picture picture_of(const AVFrame *frame)
{
    spyhop_picture picture;
    for (int i = 0; i < 4; i++) {
        picture.data[i] = frame->data[i];
        picture.stride[i] = frame->linesize[i];
    }
    return picture;
}

/* --- options ------------------------------------------------------------------------------------------- */

static int report(AVFilterContext *ctx, const spyhop_error *error)
{
    av_log(ctx, AV_LOG_ERROR, "%s\n", error->message);
    return spyhop_filter_error(error->status);
}

/* The number that `name_of` calls `name`; else an error that lists the names there are. */
static int read_name(AVFilterContext *ctx, const char *option, const char *name, const char *(*name_of)(int),
                     int *number)
{
    const int last = 255;
    for (int i = 0; i <= last; i++)
        if (name_of(i) && !strcmp(name_of(i), name)) {
            *number = i;
            return 0;
        }
    av_log(ctx, AV_LOG_ERROR, "%s=%s is not known; there are:", option, name);
    for (int i = 0; i <= last; i++)
        if (name_of(i))
            av_log(ctx, AV_LOG_ERROR, " %s", name_of(i));
    av_log(ctx, AV_LOG_ERROR, "\n");
    return AVERROR(EINVAL);
}

static int read_cpu(AVFilterContext *ctx, const char *name, int *cpu)
{
    int ret = read_name(ctx, "cpu", name, spyhop_cpu_name, cpu);
    if (ret < 0 || spyhop_cpu_supported(*cpu))
        return ret;
    av_log(ctx, AV_LOG_ERROR, "cpu=%s: this machine has no such instructions; its highest are %s\n", name,
           spyhop_cpu_name(spyhop_cpu_detect()));
    return AVERROR(EINVAL);
}

static int read_device(AVFilterContext *ctx, const char *name)
{
    if (!strcmp(name, "cpu") || !strcmp(name, "auto"))
        return 0;
    if (!strcmp(name, "cuda")) {
        av_log(ctx, AV_LOG_ERROR,
               "device=cuda: this libspyhop has no CUDA yet; use device=cpu or device=auto\n");
        return AVERROR(ENOSYS);
    }
    av_log(ctx, AV_LOG_ERROR, "device=%s: there is no such device; there are: cpu auto cuda\n", name);
    return AVERROR(EINVAL);
}

static int describe_model(const spyhop_model *model, spyhop_model_info *info)
{
    info->size = sizeof(*info);
    return spyhop_model_describe(model, info);
}

static const char *default_model(const AVFilterContext *ctx)
{
    const SpyhopContext *s = ctx->priv;
    return s->scale == 1 || !strcmp(ctx->filter->name, "bdnvx_aws") ? "restore" : "fast";
}

static av_cold int init(AVFilterContext *ctx)
{
    SpyhopContext *s = ctx->priv;
    spyhop_model_info info;
    int ret;
    spyhop_settings_default(&s->settings);
    if ((ret = read_device(ctx, s->device)) < 0 || (ret = read_cpu(ctx, s->cpu, &s->settings.cpu)) < 0 ||
        (ret = read_name(ctx, "precision", s->precision, spyhop_precision_name, &s->settings.precision)) < 0)
        return ret;
    if (s->scale && (s->w_expr || s->h_expr)) {
        av_log(ctx, AV_LOG_ERROR, "scale and w or h are two sizes: give one of them\n");
        return AVERROR(EINVAL);
    }
    if (!s->model_name && !(s->model_name = av_strdup(default_model(ctx))))
        return AVERROR(ENOMEM);
    if ((ret = spyhop_filter_load_model(&s->model, s->model_name, 0, ctx)) < 0)
        return ret;
    describe_model(s->model, &info);
    s->scale_of_model = info.scale;
    s->channels = info.channels;
    return 0;
}

/* --- the steps from one size to the other --------------------------------------------------------------- */

static void free_steps(SpyhopContext *s)
{
    for (int i = 0; i < MAX_PASSES; i++) {
        spyhop_scaler_close(&s->scaler[i]);
        av_frame_free(&s->between[i]);
    }
    sws_freeContext(s->resize);
    s->resize = NULL;
    s->passes = 0;
    memset(&s->made_for, 0, sizeof(s->made_for));
}

/* The network that enlarges by `factor`, and its scale: the one for exactly that beside ours, or ours. */
static int choose_model(AVFilterContext *ctx, double factor, const spyhop_model **model, int *scale)
{
    SpyhopContext *s = ctx->priv;
    int wanted = (int)ceil(factor - 1e-6);
    *model = s->model;
    *scale = s->scale_of_model;
    if (*scale > 1 && wanted > 1 && wanted <= MAX_SCALE && wanted != *scale) {
        spyhop_model **other = &s->other[wanted];
        spyhop_model_info info;
        int ret = *other ? 0 : spyhop_filter_load_model(other, s->model_name, wanted, ctx);
        if (ret < 0 && ret != AVERROR(ENOENT))
            return ret;
        if (*other && describe_model(*other, &info) == 0 && info.channels == s->channels &&
            info.scale == wanted) {
            *model = *other;
            *scale = wanted;
        }
    }
    return 0;
}

/* Appends a pass; *format becomes that of its result. */
static int add_pass(AVFilterContext *ctx, const spyhop_model *model, spyhop_format *format)
{
    SpyhopContext *s = ctx->priv;
    spyhop_scaling scaling;
    spyhop_error error;
    spyhop_scaling_default(&scaling);
    scaling.strength = s->strength;
    scaling.in = *format;
    if (spyhop_scaler_open(&s->scaler[s->passes], model, &s->settings, &scaling, &error) < 0)
        return report(ctx, &error);
    spyhop_scaler_describe(s->scaler[s->passes++], &scaling);
    *format = scaling.out;
    return 0;
}

static int new_frame(AVFrame **out, const AVFrame *like, int width, int height)
{
    AVFrame *frame = av_frame_alloc();
    int ret;
    if (!frame)
        return AVERROR(ENOMEM);
    frame->format = like->format;
    frame->width = width;
    frame->height = height;
    if ((ret = av_frame_get_buffer(frame, 0)) < 0) {
        av_frame_free(&frame);
        return ret;
    }
    *out = frame;
    return 0;
}

/* Where libswscale is told that a chroma sample lies, in 256ths of a luma sample. */
static void set_siting(struct SwsContext *sws, const spyhop_format *format)
{
    int siting = format->siting;
    int across = siting == SPYHOP_LEFT || siting == SPYHOP_TOPLEFT || siting == SPYHOP_BOTTOMLEFT ? 0 : 128;
    int down = siting == SPYHOP_LEFT || siting == SPYHOP_CENTRE         ? 128
               : siting == SPYHOP_BOTTOMLEFT || siting == SPYHOP_BOTTOM ? 256
                                                                        : 0;
    av_opt_set_int(sws, "src_h_chr_pos", across, 0);
    av_opt_set_int(sws, "dst_h_chr_pos", across, 0);
    av_opt_set_int(sws, "src_v_chr_pos", down, 0);
    av_opt_set_int(sws, "dst_v_chr_pos", down, 0);
}

static int make_resize(AVFilterContext *ctx, const AVFrame *in, const spyhop_format *from)
{
    SpyhopContext *s = ctx->priv;
    const AVFilterLink *outlink = ctx->outputs[0];
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(in->format);
    if (!(s->resize = sws_alloc_context()))
        return AVERROR(ENOMEM);
    av_opt_set_int(s->resize, "srcw", from->width, 0);
    av_opt_set_int(s->resize, "srch", from->height, 0);
    av_opt_set_int(s->resize, "src_format", in->format, 0);
    av_opt_set_int(s->resize, "dstw", outlink->w, 0);
    av_opt_set_int(s->resize, "dsth", outlink->h, 0);
    av_opt_set_int(s->resize, "dst_format", in->format, 0);
    av_opt_set_int(s->resize, "src_range", from->range == SPYHOP_FULL, 0);
    av_opt_set_int(s->resize, "dst_range", from->range == SPYHOP_FULL, 0);
    av_opt_set_int(s->resize, "sws_flags", SWS_LANCZOS | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_BITEXACT,
                   0);
    av_opt_set_int(s->resize, "threads", s->settings.threads, 0);
    if (desc->log2_chroma_w || desc->log2_chroma_h)
        set_siting(s->resize, from);
    return sws_init_context(s->resize, NULL, NULL);
}

/* What the options have come to. */
static void tell(AVFilterContext *ctx, const AVFrame *in, int scale)
{
    const SpyhopContext *s = ctx->priv;
    const AVFilterLink *outlink = ctx->outputs[0];
    spyhop_settings used = s->settings;
    if (s->passes > 0)
        spyhop_scaler_get_settings(s->scaler[0], &used);
    av_log(ctx, AV_LOG_VERBOSE, "%dx%d %s to %dx%d: %s, x%d %d times%s, %d threads, cpu %s, %s\n", in->width,
           in->height, av_get_pix_fmt_name(in->format), outlink->w, outlink->h, s->model_name, scale,
           s->passes, s->resize ? " and libswscale" : "", used.threads, spyhop_cpu_name(used.cpu),
           spyhop_precision_name(used.precision));
}

/* Makes the steps for frames like `in` to the size of the output link. */
static int make_steps(AVFilterContext *ctx, const AVFrame *in)
{
    SpyhopContext *s = ctx->priv;
    const AVFilterLink *outlink = ctx->outputs[0];
    spyhop_format format = format_of(in), wanted = format;
    double factor = FFMAX((double)outlink->w / in->width, (double)outlink->h / in->height);
    const spyhop_model *model;
    int scale, ret;
    free_steps(s);
    if ((ret = choose_model(ctx, factor, &model, &scale)) < 0)
        return ret;
    do {
        if (scale > 1 && format.width >= outlink->w && format.height >= outlink->h)
            break;
        if (s->passes > 0 &&
            (ret = new_frame(&s->between[s->passes - 1], in, format.width, format.height)) < 0)
            return ret;
        if ((ret = add_pass(ctx, model, &format)) < 0)
            return ret;
    } while (scale > 1 && s->passes < MAX_PASSES);
    if (format.width != outlink->w || format.height != outlink->h) {
        if (s->passes > 0 &&
            (ret = new_frame(&s->between[s->passes - 1], in, format.width, format.height)) < 0)
            return ret;
        if ((ret = make_resize(ctx, in, &format)) < 0)
            return ret;
    }
    s->made_for = wanted;
    tell(ctx, in, scale);
    return 0;
}

/* --- frames -------------------------------------------------------------------------------------------- */

/* The size of the output from that of the input link. */
static int choose_size(AVFilterContext *ctx, int *width, int *height)
{
    SpyhopContext *s = ctx->priv;
    AVFilterLink *inlink = ctx->inputs[0];
    double scale = s->scale ? s->scale : s->scale_of_model;
    int64_t w = llrint(inlink->w * scale), h = llrint(inlink->h * scale);
    int ret;
    if (s->w_expr || s->h_expr) {
        int given_w, given_h;
        if ((ret = ff_scale_eval_dimensions(ctx, s->w_expr ? s->w_expr : "-2", s->h_expr ? s->h_expr : "-2",
                                            inlink, ctx->outputs[0], &given_w, &given_h)) < 0 ||
            (ret = ff_scale_adjust_dimensions(inlink, &given_w, &given_h, 0, 0)) < 0)
            return ret;
        w = given_w;
        h = given_h;
    }
    if (w < 1 || h < 1 || w > SPYHOP_MAX_SIDE || h > SPYHOP_MAX_SIDE) {
        av_log(ctx, AV_LOG_ERROR, "%dx%d would become %" PRId64 "x%" PRId64 ": a side has to be 1 to %d\n",
               inlink->w, inlink->h, w, h, SPYHOP_MAX_SIDE);
        return AVERROR(EINVAL);
    }
    *width = (int)w;
    *height = (int)h;
    return 0;
}

/* The aspect ratio of the result's samples; one that is not known stays so. */
static AVRational stretched(AVRational sar, const AVFilterLink *from, const AVFilterLink *to)
{
    if (!sar.num)
        return sar;
    return av_mul_q(av_div_q((AVRational){to->h, from->h}, (AVRational){to->w, from->w}), sar);
}

static int config_output(AVFilterLink *outlink)
{
    AVFilterContext *ctx = outlink->src;
    SpyhopContext *s = ctx->priv;
    AVFilterLink *inlink = ctx->inputs[0];
    AVFrame expected = {.format = inlink->format, .width = inlink->w, .height = inlink->h};
    int ret = choose_size(ctx, &outlink->w, &outlink->h);
    if (ret < 0)
        return ret;
    s->settings.threads = s->engine_threads ? s->engine_threads : ff_filter_get_nb_threads(ctx);
    outlink->sample_aspect_ratio = stretched(inlink->sample_aspect_ratio, inlink, outlink);
    if ((ret = make_steps(ctx, &expected)) < 0)
        return ret;
    if (s->scale_of_model == 1 && s->resize)
        av_log(ctx, AV_LOG_WARNING, "%s does not enlarge: lanczos does. Chain %s and a network that does.\n",
               s->model_name, ctx->filter->name);
    else if (!s->passes)
        av_log(ctx, AV_LOG_WARNING, "%dx%d is not larger than %dx%d: %s, which enlarges, is not used\n",
               outlink->w, outlink->h, inlink->w, inlink->h, s->model_name);
    return 0;
}

/* What side data says in samples, in those of the result. */
static int scale_side_data(AVFrame *out, const AVFrame *in)
{
    AVFrameSideData *data = av_frame_get_side_data(out, AV_FRAME_DATA_REGIONS_OF_INTEREST);
    AVRegionOfInterest *region;
    int ret;
    if (!data || data->size < sizeof(*region))
        return 0;
    if ((ret = av_buffer_make_writable(&data->buf)) < 0)
        return ret;
    data->data = data->buf->data;
    region = (AVRegionOfInterest *)data->data;
    if (region->self_size < sizeof(*region))
        return 0;
    for (size_t at = 0; at + region->self_size <= data->size; at += region->self_size) {
        AVRegionOfInterest *roi = (AVRegionOfInterest *)(data->data + at);
        roi->top = av_rescale(roi->top, out->height, in->height);
        roi->bottom = av_rescale(roi->bottom, out->height, in->height);
        roi->left = av_rescale(roi->left, out->width, in->width);
        roi->right = av_rescale(roi->right, out->width, in->width);
    }
    return 0;
}

static int run_steps(AVFilterContext *ctx, AVFrame *out, const AVFrame *in)
{
    SpyhopContext *s = ctx->priv;
    for (int i = 0; i < s->passes; i++) {
        AVFrame *target = s->between[i] ? s->between[i] : out;
        spyhop_picture from = picture_of(in), to = picture_of(target);
        spyhop_error error;
        if (spyhop_scaler_run(s->scaler[i], &from, &to, &error) < 0)
            return report(ctx, &error);
        in = target;
    }
    return s->resize ? sws_scale_frame(s->resize, out, in) : 0;
}

/* Follows a frame that differs from those before it. */
static int follow(AVFilterLink *inlink, const AVFrame *in)
{
    AVFilterContext *ctx = inlink->dst;
    SpyhopContext *s = ctx->priv;
    spyhop_format format = format_of(in);
    int ret;
    /* the link may tell the new size before the frame does */
    if (in->width != s->made_for.width || in->height != s->made_for.height) {
        inlink->w = in->width;
        inlink->h = in->height;
        if ((ret = config_output(ctx->outputs[0])) < 0)
            return ret;
    }
    return memcmp(&format, &s->made_for, sizeof(format)) ? make_steps(ctx, in) : 0;
}

static int filter_frame(AVFilterLink *inlink, AVFrame *in)
{
    AVFilterContext *ctx = inlink->dst;
    SpyhopContext *s = ctx->priv;
    AVFilterLink *outlink = ctx->outputs[0];
    AVFrame *out = NULL;
    int ret = follow(inlink, in);
    if (ret < 0)
        goto fail;
    if (in->interlaced_frame && !s->warned_interlaced) {
        av_log(ctx, AV_LOG_WARNING,
               "The input is interlaced, and its two fields are taken for one picture: put bwdif "
               "before this filter\n");
        s->warned_interlaced = 1;
    }
    if (!s->passes && !s->resize)
        return ff_filter_frame(outlink, in);
    if (!(out = ff_get_video_buffer(outlink, outlink->w, outlink->h))) {
        ret = AVERROR(ENOMEM);
        goto fail;
    }
    if ((ret = av_frame_copy_props(out, in)) < 0 || (ret = scale_side_data(out, in)) < 0 ||
        (ret = run_steps(ctx, out, in)) < 0)
        goto fail;
    out->sample_aspect_ratio = stretched(in->sample_aspect_ratio, inlink, outlink);
    av_frame_free(&in);
    return ff_filter_frame(outlink, out);
fail:
    av_frame_free(&out);
    av_frame_free(&in);
    return ret;
}

static av_cold void uninit(AVFilterContext *ctx)
{
    SpyhopContext *s = ctx->priv;
    free_steps(s);
    for (int i = 0; i <= MAX_SCALE; i++)
        spyhop_model_free(&s->other[i]);
    spyhop_model_free(&s->model);
}

static const AVFilterPad inputs[] = {
    {.name = "default", .type = AVMEDIA_TYPE_VIDEO, .filter_frame = filter_frame},
};

static const AVFilterPad outputs[] = {
    {.name = "default", .type = AVMEDIA_TYPE_VIDEO, .config_props = config_output},
};

#define OFFSET(field) offsetof(SpyhopContext, field)
#define FLAGS AV_OPT_FLAG_FILTERING_PARAM | AV_OPT_FLAG_VIDEO_PARAM
/* clang-format off */
static const AVOption options[] = {
    {"scale", "times the width and height; 0: the network's own", OFFSET(scale), AV_OPT_TYPE_DOUBLE, {.dbl = 0}, 0, MAX_SCALE, FLAGS},
    {"w", "width wanted, an expression as in the filter scale", OFFSET(w_expr), AV_OPT_TYPE_STRING, {.str = NULL}, .flags = FLAGS},
    {"h", "height wanted, an expression as in the filter scale", OFFSET(h_expr), AV_OPT_TYPE_STRING, {.str = NULL}, .flags = FLAGS},
    {"model", "network's name or ONNX file (default: fast; restore for scale=1 and in bdnvx_aws)", OFFSET(model_name), AV_OPT_TYPE_STRING, {.str = NULL}, .flags = FLAGS},
    {"engine_threads", "threads of the engine; 0: as many as filters may use", OFFSET(engine_threads), AV_OPT_TYPE_INT, {.i64 = 0}, 0, 256, FLAGS},
    {"cpu", "instruction set: c, avx2, avxvnni, avx512, avx512vnni, avx512fp16 or auto", OFFSET(cpu), AV_OPT_TYPE_STRING, {.str = "auto"}, .flags = FLAGS},
    {"device", "cpu, auto or cuda", OFFSET(device), AV_OPT_TYPE_STRING, {.str = "auto"}, .flags = FLAGS},
    {"strength", "how much of the network: 0 plain enlargement, 1 all of it", OFFSET(strength), AV_OPT_TYPE_DOUBLE, {.dbl = 1}, 0, 1, FLAGS},
    {"precision", "auto, fp32, fp16 or int8", OFFSET(precision), AV_OPT_TYPE_STRING, {.str = "auto"}, .flags = FLAGS},
    {NULL}
};
/* clang-format on */

#define SPYHOP_FILTER(label, text)                                                                           \
    AVFILTER_DEFINE_CLASS_EXT(label, #label, options);                                                       \
    const AVFilter ff_vf_##label = {                                                                         \
        .name = #label,                                                                                      \
        .description = NULL_IF_CONFIG_SMALL(text),                                                           \
        .priv_size = sizeof(SpyhopContext),                                                                  \
        .priv_class = &label##_class,                                                                        \
        .init = init,                                                                                        \
        .uninit = uninit,                                                                                    \
        FILTER_INPUTS(inputs),                                                                               \
        FILTER_OUTPUTS(outputs),                                                                             \
        FILTER_QUERY_FUNC(query_formats),                                                                    \
        .flags = AVFILTER_FLAG_SLICE_THREADS,                                                                \
    };

SPYHOP_FILTER(spyhop, "Enlarge or restore video with a neural network (libspyhop).")
SPYHOP_FILTER(bdsr_aws, "Super-resolution: spyhop under another name.")
SPYHOP_FILTER(bdsr_coupang_aws, "Super-resolution: spyhop under another name.")
SPYHOP_FILTER(bdwalrus_aws, "Super-resolution: spyhop under another name.")
SPYHOP_FILTER(bdnvx_aws, "Restoration at the same size: spyhop with the network restore.")
