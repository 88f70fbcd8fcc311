/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* By libavfilter, zimg at both ends. 1.0 of the linear light is SDR's white; the roll-off leaves what is
 * below a third of it as it is and bends the rest, so that the peak becomes white (Moebius's function). */
#include "media/ladder_tonemap.h"
#include "media/source.h"

#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/mastering_display_metadata.h>
#include <libavutil/pixdesc.h>
#include <stdio.h>
#include <stdlib.h>

#define WHITE 203 /* cd/m2, ITU-R BT.2408 */
#define PEAK 1000
#define PEAK_MAX 10000

struct sh_tonemap {
    AVFilterGraph *graph;
    AVFilterContext *in, *out;
    int width, height, format;
};

/* ---- the graph ---- */

static int append(sh_tonemap *t, const char *name, const char *options, sh_err *err)
{
    const AVFilter *filter = avfilter_get_by_name(name);
    AVFilterContext *made = NULL;
    if (!filter)
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "tone mapping needs the filter %s, which this libavfilter lacks", name);
    int error = avfilter_graph_create_filter(&made, filter, NULL, options, NULL, t->graph);
    if (error >= 0 && t->out)
        error = avfilter_link(t->out, 0, made, 0);
    if (error < 0)
        return sh_av_fail(err, error, NULL, "libavfilter: %s (%s)", name, options ? options : "");
    t->in = t->in ? t->in : made;
    t->out = made;
    return 0;
}

static double peak_of(const AVFrame *first)
{
    const AVFrameSideData *mastering =
        av_frame_get_side_data(first, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA);
    const AVFrameSideData *light = av_frame_get_side_data(first, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL);
    double peak = 0;
    if (mastering && ((const AVMasteringDisplayMetadata *)mastering->data)->has_luminance)
        peak = av_q2d(((const AVMasteringDisplayMetadata *)mastering->data)->max_luminance);
    if (light && ((const AVContentLightMetadata *)light->data)->MaxCLL > 0) {
        const double most = ((const AVContentLightMetadata *)light->data)->MaxCLL;
        peak = peak > 0 && peak < most ? peak : most;
    }
    return peak;
}

static int build(sh_tonemap *t, const sh_tonemap_settings *settings, const AVFrame *first, sh_err *err)
{
    const bool hlg = first->color_trc == AVCOL_TRC_ARIB_STD_B67;
    const double white = settings->white > 0 ? settings->white : WHITE;
    double peak = settings->peak > 0 ? settings->peak : peak_of(first);
    char options[240];
    peak = peak > 0 ? peak : PEAK;
    peak = peak < white * 1.01 ? white * 1.01 : peak > PEAK_MAX ? PEAK_MAX : peak;
    snprintf(options, sizeof(options), "video_size=%dx%d:pix_fmt=%d:time_base=1/90000:frame_rate=25/1",
             first->width, first->height, first->format);
    int status = append(t, "buffer", options, err);
    snprintf(options, sizeof(options),
             "transferin=%s:primariesin=bt2020:matrixin=bt2020nc:rangein=%s:transfer=linear:npl=%.4f",
             hlg ? "arib-std-b67" : "smpte2084", first->color_range == AVCOL_RANGE_JPEG ? "full" : "limited",
             white);
    if (status == 0)
        status = append(t, "zscale", options, err);
    if (status == 0)
        status = append(t, "format", "gbrpf32le", err);
    if (status == 0)
        status = append(t, "zscale", "primaries=bt709", err);
    snprintf(options, sizeof(options), "tonemap=mobius:peak=%.6f", peak / white);
    if (status == 0)
        status = append(t, "tonemap", options, err);
    if (status == 0)
        status =
            append(t, "zscale", "transfer=bt709:matrix=bt709:range=limited:chromal=left:dither=none", err);
    if (status == 0)
        status = append(t, "format", "yuv420p", err);
    return status < 0 ? status : append(t, "buffersink", NULL, err);
}

int sh_tonemap_open(sh_tonemap **out, const sh_tonemap_settings *settings, const AVFrame *first, sh_err *err)
{
    if (first->color_trc != AVCOL_TRC_SMPTE2084 && first->color_trc != AVCOL_TRC_ARIB_STD_B67)
        return sh_fail(err, SH_E_UNSUPPORTED, "tone mapping of pictures that are not HDR (%s)",
                       av_color_transfer_name(first->color_trc) ? av_color_transfer_name(first->color_trc)
                                                                : "unknown");
    sh_tonemap *t = calloc(1, sizeof(*t));
    if (!t)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    t->width = first->width;
    t->height = first->height;
    t->format = first->format;
    t->graph = avfilter_graph_alloc();
    int status = t->graph ? 0 : sh_fail(err, SH_E_MEMORY, "memory is short");
    if (status == 0) {
        t->graph->nb_threads = settings->threads > 0 ? settings->threads : 1;
        status = build(t, settings, first, err);
    }
    if (status == 0) {
        int error = avfilter_graph_config(t->graph, NULL);
        if (error < 0)
            status = sh_av_fail(err, error, NULL, "tone mapping of %s pictures",
                                av_get_pix_fmt_name(first->format));
    }
    if (status < 0)
        sh_tonemap_close(&t);
    else
        *out = t;
    return status;
}

void sh_tonemap_close(sh_tonemap **tonemap)
{
    if (!*tonemap)
        return;
    avfilter_graph_free(&(*tonemap)->graph);
    free(*tonemap);
    *tonemap = NULL;
}

/* ---- pictures ---- */

static void clean(AVFrame *frame, const AVFrame *in)
{
    static const enum AVFrameSideDataType hdr[] = {
        AV_FRAME_DATA_MASTERING_DISPLAY_METADATA, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL,
        AV_FRAME_DATA_DYNAMIC_HDR_PLUS, AV_FRAME_DATA_DOVI_RPU_BUFFER, AV_FRAME_DATA_DOVI_METADATA};
    for (size_t i = 0; i < sizeof(hdr) / sizeof(hdr[0]); i++)
        av_frame_remove_side_data(frame, hdr[i]);
    frame->pts = in->pts;
    frame->pkt_duration = in->pkt_duration;
    frame->sample_aspect_ratio = in->sample_aspect_ratio;
    frame->color_range = AVCOL_RANGE_MPEG;
    frame->color_primaries = AVCOL_PRI_BT709;
    frame->color_trc = AVCOL_TRC_BT709;
    frame->colorspace = AVCOL_SPC_BT709;
    frame->chroma_location = AVCHROMA_LOC_LEFT;
}

int sh_tonemap_run(sh_tonemap *tonemap, const AVFrame *in, AVFrame **out, sh_err *err)
{
    if (in->width != tonemap->width || in->height != tonemap->height || in->format != tonemap->format)
        return sh_fail(err, SH_E_UNSUPPORTED, "pictures change from %dx%d to %dx%d on the way",
                       tonemap->width, tonemap->height, in->width, in->height);
    AVFrame *frame = av_frame_alloc();
    int error = frame ? av_buffersrc_add_frame_flags(tonemap->in, (AVFrame *)in, AV_BUFFERSRC_FLAG_KEEP_REF)
                      : AVERROR(ENOMEM);
    if (error >= 0)
        error = av_buffersink_get_frame(tonemap->out, frame);
    if (error < 0) {
        av_frame_free(&frame);
        return sh_av_fail(err, error, NULL, "tone mapping");
    }
    clean(frame, in);
    *out = frame;
    return 0;
}
