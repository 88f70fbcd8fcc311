/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pictures that a ladder takes out of the film: coded by the pictures' stage, written with their segment.
 * Sprite sheets are put together at the end, out of tiles that wait in a work file. */
#include "media/ladder_inner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUALITY 75

static bool is_sheet(const sh_ladder_capture *asked)
{
    return asked->across > 1 || asked->down > 1;
}

/* ---- opening ---- */

static const AVFrame *like_of(const ladder *l)
{
    return l->tonemap ? l->like_sdr : l->like;
}

static int lay_out(ladder *l, ladder_capture *c, sh_err *err)
{
    static const sh_scaling scalings[] = {[SH_LADDER_FIT] = SH_SCALING_PAD,
                                          [SH_LADDER_STRETCH] = SH_SCALING_STRETCH,
                                          [SH_LADDER_FILL] = SH_SCALING_FILL};
    const sh_ladder_capture *asked = c->asked;
    const AVFrame *like = like_of(l);
    if (asked->rate.num <= 0 || asked->rate.den <= 0 || asked->quality < 0 || asked->quality > 100 ||
        asked->scaling < 0 || asked->scaling > SH_LADDER_FILL)
        return sh_fail(err, SH_E_ARGUMENT, "capture %d: its rate, quality or scaling cannot be",
                       (int)(c - l->captures) + 1);
    return sh_scale_lay_out(&c->layout, like->width, like->height, like->sample_aspect_ratio, asked->width,
                            asked->height, scalings[asked->scaling], false, err);
}

static int open_single(ladder *l, ladder_capture *c, sh_err *err)
{
    const sh_scale_settings settings = {.layout = c->layout, .format = AV_PIX_FMT_YUV420P};
    int status = sh_scale_open(&c->scale, &settings, like_of(l), err);
    return status < 0 ? status : sh_jpeg_open(&c->jpeg, c->asked->quality ? c->asked->quality : QUALITY, err);
}

static int open_work(ladder *l, ladder_capture *c, sh_err *err)
{
    const int capture = (int)(c - l->captures);
    for (int i = 0; i < l->job.output_count && c->work < 0; i++)
        if (l->job.outputs[i].kind == SH_LADDER_FRAMES && l->job.outputs[i].capture == capture)
            c->work = sh_channel_open(l->channel, sh_wire_file(i, SH_LADDER_WORK, 0), err);
    return c->work < 0 ? err->status : 0;
}

static int open_thumbs(ladder *l, ladder_capture *c, sh_err *err)
{
    const int i = (int)(c - l->captures);
    const sh_thumbs_settings settings = {
        .work = c->work,
        .width = c->layout.width,
        .height = c->layout.height,
        .columns = c->asked->across,
        .rows = c->asked->down,
        .period = av_inv_q(c->asked->rate),
        .quality = c->asked->quality,
        .begin = l->known_tiles[i],
    };
    sh_thumbs_close(&c->thumbs);
    return sh_thumbs_open(&c->thumbs, &settings, err);
}

static bool is_wanted(const ladder *l, int capture)
{
    for (int i = 0; i < l->job.output_count; i++)
        if (l->job.outputs[i].kind == SH_LADDER_FRAMES && l->job.outputs[i].capture == capture)
            return true;
    return false;
}

int ladder_open_captures(ladder *l, sh_err *err)
{
    int status = 0;
    for (int i = 0; i < l->job.capture_count && status == 0; i++) {
        ladder_capture *c = &l->captures[i];
        c->work = -1;
        c->asked = &l->job.captures[i];
        status = is_wanted(l, i) ? lay_out(l, c, err)
                                 : sh_fail(err, SH_E_ARGUMENT, "capture %d goes into no output", i + 1);
        if (status == 0)
            status = is_sheet(c->asked) ? open_work(l, c, err) : open_single(l, c, err);
    }
    return status;
}

int ladder_rewind_captures(ladder *l, sh_err *err)
{
    int status = 0;
    for (int i = 0; i < l->job.capture_count && status == 0; i++) {
        ladder_capture *c = &l->captures[i];
        c->due = (sh_capture){.rate = c->asked->rate, .maximum = c->asked->most, .next = l->known_taken[i]};
        if (is_sheet(c->asked))
            status = open_thumbs(l, c, err);
    }
    return status;
}

/* ---- taking ---- */

static int add_taken(sh_bundle *bundle, const sh_taken *taken, sh_err *err)
{
    sh_taken *grown =
        taken->bytes ? reallocarray(bundle->taken, bundle->taken_count + 1, sizeof(*grown)) : NULL;
    if (!grown) {
        free(taken->bytes);
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    }
    bundle->taken = grown;
    grown[bundle->taken_count++] = *taken;
    return 0;
}

static int take(ladder *l, int capture, int64_t number, sh_bundle *bundle, const AVFrame *frame, int64_t time,
                sh_err *err)
{
    ladder_capture *c = &l->captures[capture];
    AVFrame *small = NULL;
    sh_buf bytes;
    sh_buf_init(&bytes, SH_JPEG_MAX);
    int status = sh_scale_run(c->scale, frame, &small, err);
    if (status == 0)
        status = sh_jpeg_make(c->jpeg, small, &bytes, err);
    if (status == 0) {
        sh_taken taken = {.capture = capture, .number = number, .time = time};
        taken.bytes = sh_buf_take(&bytes, &taken.size);
        status = add_taken(bundle, &taken, err);
    }
    av_frame_free(&small);
    sh_buf_free(&bytes);
    return status;
}

int ladder_capture_frame(ladder *l, sh_bundle *bundle, const AVFrame *frame, int64_t time, sh_err *err)
{
    const AVRational base = {1, l->time.timescale};
    int status = 0;
    for (int i = 0; i < l->job.capture_count && status == 0; i++) {
        ladder_capture *c = &l->captures[i];
        int64_t number;
        if (c->thumbs)
            status = sh_thumbs_frame(c->thumbs, frame, time, base, err);
        else if (sh_capture_wants(&c->due, time, base, &number))
            status = take(l, i, number, bundle, frame, time, err);
        bundle->due[i] = c->due.next;
        bundle->tiles[i] = c->thumbs ? sh_thumbs_count(c->thumbs) : 0;
    }
    return status;
}

/* ---- writing ---- */

static int write_one(ladder *l, ladder_output *o, const sh_taken *taken, sh_err *err)
{
    const AVRational base = {1, l->time.timescale};
    sh_ladder_segment segment = {.number = taken->number + 1, .samples = 1};
    sh_buf bytes;
    segment.start = av_rescale_q(taken->time, base, (AVRational){1, o->track.timescale});
    sh_buf_init(&bytes, SH_JPEG_MAX);
    int status = sh_buf_append(&bytes, taken->bytes, taken->size) < 0
                     ? sh_fail(err, SH_E_MEMORY, "memory is short")
                     : ladder_put(o, SH_LADDER_SEGMENT, &segment, &bytes, err);
    sh_buf_free(&bytes);
    return status;
}

int ladder_capture_commit(ladder *l, const sh_bundle *pictures, sh_err *err)
{
    int status = 0;
    for (int i = 0; i < l->output_count && status == 0; i++) {
        ladder_output *o = &l->outputs[i];
        if (o->asked->kind != SH_LADDER_FRAMES)
            continue;
        for (size_t k = 0; k < pictures->taken_count && status == 0; k++)
            if (pictures->taken[k].capture == o->asked->capture)
                status = write_one(l, o, &pictures->taken[k], err);
        const int work = l->captures[o->asked->capture].work;
        if (status == 0 && l->journal && work >= 0 && fdatasync(work) < 0)
            status = sh_fail_errno(err, errno, "%s: the work file of sprite sheets", o->name);
    }
    return status;
}

static int write_sheet(ladder_output *o, ladder_capture *c, int64_t number, sh_err *err)
{
    const int64_t each = (int64_t)c->asked->across * c->asked->down;
    const int64_t left = sh_thumbs_count(c->thumbs) - number * each;
    const AVRational period = av_inv_q(c->asked->rate), base = {1, o->track.timescale};
    sh_ladder_segment segment = {.number = number + 1, .samples = left < each ? left : each};
    sh_buf bytes;
    int width, height;
    segment.start = av_rescale_q(number * each, period, base);
    segment.duration = av_rescale_q(number * each + segment.samples, period, base) - segment.start;
    sh_buf_init(&bytes, SH_JPEG_MAX);
    int status = sh_thumbs_sheet(c->thumbs, number, &bytes, &width, &height, err);
    if (status == 0)
        status = ladder_put(o, SH_LADDER_SEGMENT, &segment, &bytes, err);
    sh_buf_free(&bytes);
    return status;
}

int ladder_capture_finish(ladder *l, sh_err *err)
{
    int status = 0;
    for (int i = 0; i < l->output_count && status == 0; i++) {
        ladder_output *o = &l->outputs[i];
        ladder_capture *c = o->asked->kind == SH_LADDER_FRAMES ? &l->captures[o->asked->capture] : NULL;
        if (!c || !c->thumbs)
            continue;
        o->track.tiles = sh_thumbs_count(c->thumbs);
        status = ladder_tell_track(l, i, err);
        for (int64_t k = 0; k < sh_thumbs_sheets(c->thumbs) && status == 0; k++)
            status = write_sheet(o, c, k, err);
    }
    return status;
}
