/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/prepare.h"

#include <inttypes.h>
#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/pixdesc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAITING_MAX 64 /* sources whose outputs are not out: filters hold two groups of five at most */
#define CYCLE 5
#define TRIPLET 3
#define TRIPLETS_MAX 31 /* of captions in one frame: the count has five bits */
#define CARRY_MAX (TRIPLETS_MAX * TRIPLET * 8)

/* A source on its way: what hangs on it, without its picture. */
typedef struct waiting {
    AVFrame *props;
    int64_t number;
    int outputs; /* made of it so far */
} waiting;

struct sh_prepare {
    sh_prepare_settings settings;
    AVFilterGraph *graph; /* NULL: frames pass */
    AVFilterContext *in, *out;
    int width, height, format; /* of sources */
    int64_t next;              /* number of the next source */
    int64_t wanted;            /* outputs before this number are not given out */
    bool ended;
    AVFrame *passing;          /* without a graph: the one that was sent */
    waiting line[WAITING_MAX]; /* by number */
    int count;
    int64_t dropped[WAITING_MAX];
    int dropped_count;
    int64_t pts[WAITING_MAX];     /* of sources, by number modulo its size */
    int64_t group, group_outputs; /* of five: the one that outputs came of last, and how many */
    uint8_t carry[CARRY_MAX];     /* captions without a frame */
    size_t carried;
};

/* ---- numbers ---- */

static int64_t no_less_than_0(int64_t number)
{
    return number > 0 ? number : 0;
}

int64_t sh_prepare_first(const sh_prepare_settings *settings, int64_t output)
{
    if (settings->telecine)
        return no_less_than_0(output / (CYCLE - 1) - 2) * CYCLE;
    if (settings->deinterlace == SH_DEINTERLACE_FIELD)
        return no_less_than_0(output / 2 - 2);
    return settings->deinterlace == SH_DEINTERLACE_FRAME ? no_less_than_0(output - 2) : output;
}

int64_t sh_prepare_output_of(const sh_prepare_settings *settings, int64_t source)
{
    if (settings->telecine)
        return source / CYCLE * (CYCLE - 1);
    return settings->deinterlace == SH_DEINTERLACE_FIELD ? 2 * source : source;
}

AVRational sh_prepare_time_base(const sh_prepare_settings *settings)
{
    const AVRational half = {1, 2};
    return settings->deinterlace == SH_DEINTERLACE_FIELD ? av_mul_q(settings->time_base, half)
                                                         : settings->time_base;
}

AVRational sh_prepare_rate(const sh_prepare_settings *settings, AVRational rate)
{
    if (settings->telecine)
        return av_mul_q(rate, (AVRational){CYCLE - 1, CYCLE});
    return settings->deinterlace == SH_DEINTERLACE_FIELD ? av_mul_q(rate, (AVRational){2, 1}) : rate;
}

static bool turns_sides(const sh_prepare_settings *settings)
{
    return settings->turn == 90 || settings->turn == 270;
}

void sh_prepare_size(const sh_prepare_settings *settings, int *width, int *height)
{
    const int side = *width;
    if (!turns_sides(settings))
        return;
    *width = *height;
    *height = side;
}

/* ---- the graph ---- */

static bool has_work(const sh_prepare_settings *settings)
{
    return settings->telecine || settings->deinterlace == SH_DEINTERLACE_FRAME ||
           settings->deinterlace == SH_DEINTERLACE_FIELD || settings->turn != 0 || settings->mirror;
}

/* The planar format that holds the same samples; for turning, one whose chroma can be turned. */
static enum AVPixelFormat planar(enum AVPixelFormat format, bool turned)
{
    static const enum AVPixelFormat same[][2] = {
        {AV_PIX_FMT_NV12, AV_PIX_FMT_YUV420P},    {AV_PIX_FMT_NV21, AV_PIX_FMT_YUV420P},
        {AV_PIX_FMT_NV16, AV_PIX_FMT_YUV422P},    {AV_PIX_FMT_NV24, AV_PIX_FMT_YUV444P},
        {AV_PIX_FMT_P010, AV_PIX_FMT_YUV420P10},  {AV_PIX_FMT_P210, AV_PIX_FMT_YUV422P10},
        {AV_PIX_FMT_YUYV422, AV_PIX_FMT_YUV422P}, {AV_PIX_FMT_UYVY422, AV_PIX_FMT_YUV422P},
    };
    static const enum AVPixelFormat whole[][2] = {
        {AV_PIX_FMT_YUV422P, AV_PIX_FMT_YUV444P},     {AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUVJ444P},
        {AV_PIX_FMT_YUV422P10, AV_PIX_FMT_YUV444P10}, {AV_PIX_FMT_YUV422P12, AV_PIX_FMT_YUV444P12},
        {AV_PIX_FMT_YUV440P, AV_PIX_FMT_YUV444P},     {AV_PIX_FMT_YUV411P, AV_PIX_FMT_YUV444P},
        {AV_PIX_FMT_YUV440P10, AV_PIX_FMT_YUV444P10},
    };
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
        if (format == same[i][0])
            format = same[i][1];
    for (size_t i = 0; turned && i < sizeof(whole) / sizeof(whole[0]); i++)
        if (format == whole[i][0])
            format = whole[i][1];
    return format;
}

typedef struct chain {
    sh_prepare *prepare;
    AVFilterContext *last;
    int status;
} chain;

/* Appends a filter; options may be NULL. */
static void append(chain *c, const char *name, const char *options, sh_err *err)
{
    const AVFilter *filter = avfilter_get_by_name(name);
    AVFilterContext *made = NULL;
    int error = 0;
    if (c->status < 0)
        return;
    if (!filter) {
        c->status = sh_fail(err, SH_E_UNSUPPORTED, "this libavfilter has no filter %s", name);
        return;
    }
    error = avfilter_graph_create_filter(&made, filter, NULL, options, NULL, c->prepare->graph);
    if (error >= 0 && c->last)
        error = avfilter_link(c->last, 0, made, 0);
    if (error < 0)
        c->status = sh_fail(err, error == AVERROR(ENOMEM) ? SH_E_MEMORY : SH_E_INTERNAL,
                            "libavfilter: %s (%s) cannot be set up", name, options ? options : "");
    c->last = made;
}

static const char *named_order(int first_field, const char *top, const char *bottom)
{
    return first_field > 0 ? top : first_field < 0 ? bottom : "auto";
}

static void append_work(chain *c, sh_err *err)
{
    const sh_prepare_settings *settings = &c->prepare->settings;
    const bool frames = settings->deinterlace == SH_DEINTERLACE_FRAME;
    const bool fields = settings->deinterlace == SH_DEINTERLACE_FIELD;
    char options[96];
    if (settings->telecine) {
        snprintf(options, sizeof(options), "order=%s:combmatch=full",
                 named_order(settings->first_field, "tff", "bff"));
        append(c, "fieldmatch", options, err);
    }
    if (frames || fields) {
        snprintf(options, sizeof(options), "mode=%s:parity=%s:deint=%s", fields ? "send_field" : "send_frame",
                 named_order(settings->first_field, "tff", "bff"),
                 settings->telecine || (frames && settings->only_flagged) ? "interlaced" : "all");
        append(c, "bwdif", options, err);
    }
    if (settings->telecine)
        append(c, "decimate", NULL, err);
    if (settings->mirror)
        append(c, "hflip", NULL, err);
    if (settings->turn == 180) {
        append(c, "hflip", NULL, err);
        append(c, "vflip", NULL, err);
    }
    if (turns_sides(settings))
        append(c, "transpose", settings->turn == 90 ? "dir=clock" : "dir=cclock", err);
}

static int build(sh_prepare *prepare, const AVFrame *picture, sh_err *err)
{
    const sh_prepare_settings *settings = &prepare->settings;
    const AVRational rate = settings->rate.num > 0 ? settings->rate : (AVRational){30000, 1001};
    const enum AVPixelFormat work = planar(picture->format, turns_sides(settings));
    chain c = {.prepare = prepare};
    char options[200];
    prepare->graph = avfilter_graph_alloc();
    if (!prepare->graph)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    prepare->graph->nb_threads = settings->threads > 0 ? settings->threads : 1;
    avfilter_graph_set_auto_convert(prepare->graph, AVFILTER_AUTO_CONVERT_NONE);
    snprintf(options, sizeof(options), "video_size=%dx%d:pix_fmt=%d:time_base=%d/%d:frame_rate=%d/%d",
             picture->width, picture->height, picture->format, settings->time_base.num,
             settings->time_base.den, rate.num, rate.den);
    append(&c, "buffer", options, err);
    prepare->in = c.last;
    if (work != picture->format) {
        append(&c, "scale", "flags=bicubic+accurate_rnd+full_chroma_inp+full_chroma_int", err);
        append(&c, "format", av_get_pix_fmt_name(work), err);
    }
    append_work(&c, err);
    append(&c, "buffersink", NULL, err);
    prepare->out = c.last;
    if (c.status < 0)
        return c.status;
    if (avfilter_graph_config(prepare->graph, NULL) < 0)
        return sh_fail(err, SH_E_UNSUPPORTED, "pictures of %dx%d (%s) cannot be %s%s", picture->width,
                       picture->height, av_get_pix_fmt_name(picture->format),
                       settings->telecine                   ? "rid of telecine"
                       : settings->turn || settings->mirror ? "turned"
                                                            : "deinterlaced",
                       settings->telecine ? " (which takes 8 bits)" : "");
    return 0;
}

static int check(const sh_prepare_settings *settings, int64_t output, sh_err *err)
{
    const int turn = settings->turn;
    if (turn != 0 && turn != 90 && turn != 180 && turn != 270)
        return sh_fail(err, SH_E_ARGUMENT, "a picture is turned by 90, 180 or 270 degrees, not by %d", turn);
    if (settings->telecine && settings->deinterlace == SH_DEINTERLACE_FIELD)
        return sh_fail(err, SH_E_ARGUMENT,
                       "telecine reversal makes whole frames; a frame for each field cannot be had with it");
    if (settings->deinterlace == SH_DEINTERLACE_AUTO || settings->time_base.num <= 0 ||
        settings->time_base.den <= 0 || output < 0)
        return sh_fail(err, SH_E_ARGUMENT, "prepare: the plan is not made yet");
    return 0;
}

int sh_prepare_open(sh_prepare **out, const sh_prepare_settings *settings, const AVFrame *picture,
                    int64_t output, sh_err *err)
{
    int status = check(settings, output, err);
    if (status < 0)
        return status;
    sh_prepare *prepare = calloc(1, sizeof(*prepare));
    if (!prepare)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    prepare->settings = *settings;
    prepare->width = picture->width;
    prepare->height = picture->height;
    prepare->format = picture->format;
    prepare->next = sh_prepare_first(settings, output);
    prepare->wanted = output;
    prepare->group = -1;
    prepare->passing = av_frame_alloc();
    if (!prepare->passing)
        status = sh_fail(err, SH_E_MEMORY, "memory is short");
    if (status == 0 && has_work(settings))
        status = build(prepare, picture, err);
    if (status < 0)
        sh_prepare_close(&prepare);
    else
        *out = prepare;
    return status;
}

void sh_prepare_close(sh_prepare **prepare)
{
    if (!*prepare)
        return;
    for (int i = 0; i < (*prepare)->count; i++)
        av_frame_free(&(*prepare)->line[i].props);
    avfilter_graph_free(&(*prepare)->graph);
    av_frame_free(&(*prepare)->passing);
    free(*prepare);
    *prepare = NULL;
}

/* ---- in ---- */

/* Takes what hangs on a frame off it and keeps it; the frame itself only has its number. */
static int keep_props(sh_prepare *prepare, AVFrame *frame, sh_err *err)
{
    AVBufferRef *tag = av_buffer_alloc(sizeof(int64_t));
    AVFrame *props = av_frame_alloc();
    if (prepare->count == WAITING_MAX || !tag || !props || av_frame_copy_props(props, frame) < 0) {
        av_buffer_unref(&tag);
        av_frame_free(&props);
        return prepare->count == WAITING_MAX
                   ? sh_fail(err, SH_E_INTERNAL, "libavfilter holds back more than %d frames", WAITING_MAX)
                   : sh_fail(err, SH_E_MEMORY, "memory is short");
    }
    memcpy(tag->data, &prepare->next, sizeof(int64_t));
    while (frame->nb_side_data > 0)
        av_frame_remove_side_data(frame, frame->side_data[0]->type);
    av_buffer_unref(&frame->opaque_ref);
    frame->opaque_ref = tag;
    prepare->pts[prepare->next % WAITING_MAX] = frame->pts;
    prepare->line[prepare->count++] = (waiting){.props = props, .number = prepare->next++};
    return 0;
}

int sh_prepare_send(sh_prepare *prepare, AVFrame *frame, sh_err *err)
{
    int status = 0;
    prepare->ended = !frame;
    if (!prepare->graph) {
        if (frame)
            av_frame_move_ref(prepare->passing, frame);
        return 0;
    }
    if (frame && (frame->width != prepare->width || frame->height != prepare->height ||
                  frame->format != prepare->format))
        status = sh_fail(err, SH_E_ARGUMENT, "a picture of %dx%d (%s) among those of %dx%d (%s)",
                         frame->width, frame->height, av_get_pix_fmt_name(frame->format), prepare->width,
                         prepare->height, av_get_pix_fmt_name(prepare->format));
    if (frame && status == 0)
        status = keep_props(prepare, frame, err);
    if (status == 0) {
        const int error = av_buffersrc_add_frame_flags(prepare->in, frame, 0);
        if (error < 0)
            status =
                sh_fail(err, error == AVERROR(ENOMEM) ? SH_E_MEMORY : SH_E_INTERNAL,
                        "libavfilter refuses frame %" PRId64 ": %s", prepare->next - 1, av_err2str(error));
    }
    if (frame)
        av_frame_unref(frame);
    return status;
}

/* ---- captions ---- */

/* Those of a source without an output wait for the next one. Padding is left out. */
static void carry(sh_prepare *prepare, const AVFrameSideData *captions)
{
    for (size_t i = 0; captions && i + TRIPLET <= captions->size; i += TRIPLET) {
        const bool valid = captions->data[i] & 4;
        if (!valid || prepare->carried + TRIPLET > CARRY_MAX)
            continue;
        memcpy(prepare->carry + prepare->carried, captions->data + i, TRIPLET);
        prepare->carried += TRIPLET;
    }
}

/* Puts as many as a frame holds on `frame`: those that wait, then its own. */
static int put_captions(sh_prepare *prepare, AVFrame *frame, sh_err *err)
{
    const AVFrameSideData *own = av_frame_get_side_data(frame, AV_FRAME_DATA_A53_CC);
    if (prepare->carried == 0)
        return 0;
    carry(prepare, own);
    const size_t size = FFMIN(prepare->carried, TRIPLETS_MAX * TRIPLET);
    av_frame_remove_side_data(frame, AV_FRAME_DATA_A53_CC);
    AVFrameSideData *all = av_frame_new_side_data(frame, AV_FRAME_DATA_A53_CC, size);
    if (!all)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    memcpy(all->data, prepare->carry, size);
    prepare->carried -= size;
    memmove(prepare->carry, prepare->carry + size, prepare->carried);
    return 0;
}

/* ---- out ---- */

static void take_first(sh_prepare *prepare)
{
    av_frame_free(&prepare->line[0].props);
    memmove(prepare->line, prepare->line + 1, (size_t)--prepare->count * sizeof(prepare->line[0]));
}

static int drop_first(sh_prepare *prepare, sh_err *err)
{
    const int64_t number = prepare->line[0].number;
    if (!prepare->settings.telecine)
        return sh_fail(err, SH_E_INTERNAL, "libavfilter lost frame %" PRId64, number);
    carry(prepare, av_frame_get_side_data(prepare->line[0].props, AV_FRAME_DATA_A53_CC));
    if (sh_prepare_output_of(&prepare->settings, number) + CYCLE - 1 > prepare->wanted &&
        prepare->dropped_count < WAITING_MAX)
        prepare->dropped[prepare->dropped_count++] = number;
    take_first(prepare);
    return 0;
}

/* Sources that are done with, or that had no output, leave the line up to that of `frame`. */
static int find_source(sh_prepare *prepare, const AVFrame *frame, waiting **out, sh_err *err)
{
    int64_t number;
    if (!frame->opaque_ref || frame->opaque_ref->size != sizeof(number))
        return sh_fail(err, SH_E_INTERNAL, "libavfilter lost the number of a frame");
    memcpy(&number, frame->opaque_ref->data, sizeof(number));
    while (prepare->count > 0 && prepare->line[0].number < number) {
        const int status = prepare->line[0].outputs == 0 ? drop_first(prepare, err) : 0;
        if (status < 0)
            return status;
        if (prepare->count > 0 && prepare->line[0].outputs > 0)
            take_first(prepare);
    }
    if (prepare->count == 0 || prepare->line[0].number != number)
        return sh_fail(err, SH_E_INTERNAL, "libavfilter gave frame %" PRId64 " out of order", number);
    *out = &prepare->line[0];
    return 0;
}

/* Where chroma lies after turning. What would be right of the middle, for which there is no name, is called
 * the middle: half a luma sample beside. */
static enum AVChromaLocation turned(const sh_prepare_settings *settings, enum AVChromaLocation given)
{
    /* columns and rows: -1 left or top, 0 middle, 1 right or bottom */
    static const enum AVChromaLocation named[3][3] = {
        {AVCHROMA_LOC_TOPLEFT, AVCHROMA_LOC_TOP, AVCHROMA_LOC_TOP},
        {AVCHROMA_LOC_LEFT, AVCHROMA_LOC_CENTER, AVCHROMA_LOC_CENTER},
        {AVCHROMA_LOC_BOTTOMLEFT, AVCHROMA_LOC_BOTTOM, AVCHROMA_LOC_BOTTOM},
    };
    int x =
        given == AVCHROMA_LOC_CENTER || given == AVCHROMA_LOC_TOP || given == AVCHROMA_LOC_BOTTOM ? 0 : -1;
    int y = given == AVCHROMA_LOC_TOP || given == AVCHROMA_LOC_TOPLEFT         ? -1
            : given == AVCHROMA_LOC_BOTTOM || given == AVCHROMA_LOC_BOTTOMLEFT ? 1
                                                                               : 0;
    if (settings->mirror)
        x = -x;
    for (int i = 0; i < settings->turn / 90; i++) {
        const int before = x;
        x = -y;
        y = before;
    }
    return named[y + 1][x + 1];
}

/* The time of output `index` of a group of five: the group's time in four even parts. Where the file ends
 * within a group nothing is left out of it, and its frames keep their time. */
static int64_t cycle_pts(const sh_prepare *prepare, const waiting *source, int64_t index)
{
    const int64_t first = source->number / CYCLE * CYCLE;
    const int64_t *pts = prepare->pts;
    if (prepare->next < first + CYCLE)
        return source->props->pts;
    const int64_t from = pts[first % WAITING_MAX];
    const int64_t span = prepare->next > first + CYCLE
                             ? pts[(first + CYCLE) % WAITING_MAX] - from
                             : (pts[(first + CYCLE - 1) % WAITING_MAX] - from) * CYCLE / (CYCLE - 1);
    return from + span * index / (CYCLE - 1);
}

/* The number of the output that is made of `source` now. */
static int64_t number_output(sh_prepare *prepare, waiting *source)
{
    const int64_t first = sh_prepare_output_of(&prepare->settings, source->number);
    if (!prepare->settings.telecine)
        return first + source->outputs++;
    if (source->number / CYCLE != prepare->group) {
        prepare->group = source->number / CYCLE;
        prepare->group_outputs = 0;
    }
    source->outputs++;
    return first + prepare->group_outputs++;
}

static void set_turned(const sh_prepare *prepare, AVFrame *frame)
{
    const sh_prepare_settings *settings = &prepare->settings;
    if (settings->turn == 0 && !settings->mirror)
        return;
    av_frame_remove_side_data(frame, AV_FRAME_DATA_DISPLAYMATRIX);
    frame->chroma_location = turned(settings, frame->chroma_location);
    if (turns_sides(settings) && frame->sample_aspect_ratio.num > 0)
        frame->sample_aspect_ratio =
            (AVRational){frame->sample_aspect_ratio.den, frame->sample_aspect_ratio.num};
}

/* Of a second field, what is said once is said already. */
static void strip_said(AVFrame *frame)
{
    av_frame_remove_side_data(frame, AV_FRAME_DATA_A53_CC);
    av_frame_remove_side_data(frame, AV_FRAME_DATA_S12M_TIMECODE);
    av_frame_remove_side_data(frame, AV_FRAME_DATA_GOP_TIMECODE);
    av_frame_remove_side_data(frame, AV_FRAME_DATA_SEI_UNREGISTERED);
}

static int dress(sh_prepare *prepare, AVFrame *frame, int64_t *number, sh_err *err)
{
    const sh_prepare_settings *settings = &prepare->settings;
    const int64_t pts = frame->pts;
    waiting *source = NULL;
    int status = find_source(prepare, frame, &source, err);
    if (status < 0)
        return status;
    const bool again = source->outputs > 0;
    *number = number_output(prepare, source);
    av_buffer_unref(&frame->opaque_ref);
    if (av_frame_copy_props(frame, source->props) < 0)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    frame->pts = settings->telecine ? cycle_pts(prepare, source, *number % (CYCLE - 1))
                 : settings->deinterlace == SH_DEINTERLACE_FIELD ? pts
                                                                 : source->props->pts;
    if (settings->telecine || settings->deinterlace != SH_DEINTERLACE_OFF)
        frame->interlaced_frame = frame->top_field_first = frame->repeat_pict = 0;
    set_turned(prepare, frame);
    if (again)
        strip_said(frame);
    return again ? 0 : put_captions(prepare, frame, err);
}

/* At the end: sources that are still in the line. */
static int clear_line(sh_prepare *prepare, sh_err *err)
{
    int status = 0;
    while (prepare->ended && prepare->count > 0 && status == 0)
        if (prepare->line[0].outputs > 0)
            take_first(prepare);
        else
            status = drop_first(prepare, err);
    return status;
}

static int pass(sh_prepare *prepare, AVFrame *frame, int64_t *number)
{
    if (!prepare->passing->buf[0])
        return 0;
    av_frame_move_ref(frame, prepare->passing);
    *number = prepare->next++;
    return 1;
}

static int receive(sh_prepare *prepare, AVFrame *frame, int64_t *number, sh_err *err)
{
    if (!prepare->graph)
        return pass(prepare, frame, number);
    const int error = av_buffersink_get_frame(prepare->out, frame);
    if (error == AVERROR_EOF)
        return clear_line(prepare, err);
    if (error == AVERROR(EAGAIN))
        return 0;
    if (error < 0)
        return sh_fail(err, error == AVERROR(ENOMEM) ? SH_E_MEMORY : SH_E_INTERNAL,
                       "libavfilter fails after frame %" PRId64 ": %s", prepare->next - 1, av_err2str(error));
    const int status = dress(prepare, frame, number, err);
    if (status < 0)
        av_frame_unref(frame);
    return status < 0 ? status : 1;
}

int sh_prepare_receive(sh_prepare *prepare, AVFrame *frame, int64_t *number, sh_err *err)
{
    int64_t at = 0;
    int status;
    while ((status = receive(prepare, frame, &at, err)) == 1 && at < prepare->wanted)
        av_frame_unref(frame);
    if (status == 1 && number)
        *number = at;
    return status;
}

int sh_prepare_dropped(sh_prepare *prepare, int64_t *number)
{
    if (prepare->dropped_count == 0)
        return 0;
    *number = prepare->dropped[0];
    memmove(prepare->dropped, prepare->dropped + 1, (size_t)--prepare->dropped_count * sizeof(int64_t));
    return 1;
}
