/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Decoded pictures to enlarged ones: which formats are taken as they are, what the result is tagged with, and
 * where chroma lies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "media/picture.h"

#include <string.h>

enum { WIDTH = 36, HEIGHT = 22 };

static AVFrame *picture(enum AVPixelFormat format, enum AVChromaLocation siting)
{
    AVFrame *frame = av_frame_alloc();
    assert_non_null(frame);
    frame->format = format;
    frame->width = WIDTH;
    frame->height = HEIGHT;
    frame->chroma_location = siting;
    assert_true(av_frame_get_buffer(frame, 0) >= 0);
    return frame;
}

/* Samples by component, as libavutil's description of the format says they are stored. */
static int at(const AVFrame *frame, int component, int x, int y, int put)
{
    const AVComponentDescriptor *c = &av_pix_fmt_desc_get(frame->format)->comp[component];
    uint8_t *p = frame->data[c->plane] + (ptrdiff_t)y * frame->linesize[c->plane] + x * c->step + c->offset;
    uint16_t wide;
    memcpy(&wide, p, c->depth > 8 ? 2 : 1);
    if (put >= 0) {
        wide = (uint16_t)(put << c->shift);
        memcpy(p, &wide, c->depth > 8 ? 2 : 1);
    }
    return c->depth > 8 ? wide >> c->shift : *p;
}

static void size_of(const AVFrame *frame, int component, int *width, int *height)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(frame->format);
    const int chroma = component == 1 || component == 2;
    *width = AV_CEIL_RSHIFT(frame->width, chroma ? d->log2_chroma_w : 0);
    *height = AV_CEIL_RSHIFT(frame->height, chroma ? d->log2_chroma_h : 0);
}

/* A ramp in every component, of `across` and `down` a sample. */
static void fill(AVFrame *frame, int across, int down)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(frame->format);
    for (int c = 0; c < d->nb_components && c < 3; c++) {
        int width, height;
        size_of(frame, c, &width, &height);
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                at(frame, c, x, y, (40 + across * x + down * y + 7 * c) << (d->comp[0].depth - 8));
    }
}

static AVFrame *enlarge(const AVFrame *in, int scale, sh_picture_plan *plan)
{
    sh_picture_scaler scaler = {0};
    sh_err err = {0};
    AVFrame *out = NULL;
    if (sh_picture_plan_make(&scaler.plan, in, scale, &err) < 0 ||
        sh_picture_scaler_open(&scaler, NULL, NULL, &err) < 0 ||
        sh_picture_upscale(&scaler, in, &out, &err) < 0)
        fail_msg("%s", err.message);
    assert_true(sh_picture_fits(&scaler.plan, in));
    *plan = scaler.plan;
    sh_picture_scaler_close(&scaler);
    return out;
}

/* A ramp of 4 a sample: where chroma lies shows in its values, an eighth of a sample as half a code value. */
static void chroma_lies_where_it_is_said(void **state)
{
    static const struct {
        enum AVChromaLocation siting;
        double across, down; /* of output sample 0, in source samples */
    } cases[] = {
        {AVCHROMA_LOC_UNSPECIFIED, -0.125, -0.25}, {AVCHROMA_LOC_LEFT, -0.125, -0.25},
        {AVCHROMA_LOC_CENTER, -0.25, -0.25},       {AVCHROMA_LOC_TOPLEFT, -0.125, -0.125},
        {AVCHROMA_LOC_TOP, -0.25, -0.125},         {AVCHROMA_LOC_BOTTOMLEFT, -0.125, -0.375},
        {AVCHROMA_LOC_BOTTOM, -0.25, -0.375},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AVFrame *in = picture(AV_PIX_FMT_YUV420P10, cases[i].siting);
        sh_picture_plan plan;
        fill(in, 4, 2);
        AVFrame *out = enlarge(in, 2, &plan);
        assert_int_equal(out->chroma_location, cases[i].siting);
        for (int y = 6; y < HEIGHT - 6; y++)
            for (int x = 6; x < WIDTH - 6; x++) {
                double wanted = 4 * (47 + 4 * (x / 2.0 + cases[i].across) + 2 * (y / 2.0 + cases[i].down));
                /* Lanczos is not exact on a ramp: by a fiftieth of its slope */
                assert_true(at(out, 1, x, y, -1) > wanted - 1 && at(out, 1, x, y, -1) < wanted + 1);
            }
        av_frame_free(&in);
        av_frame_free(&out);
    }
}

static void formats_become_what_loses_nothing(void **state)
{
    static const struct {
        enum AVPixelFormat in;
        int scale;
        enum AVPixelFormat out;
        int repack;
        enum AVChromaLocation siting;
    } cases[] = {
        {AV_PIX_FMT_YUV420P, 2, AV_PIX_FMT_YUV420P, 0, AVCHROMA_LOC_TOP},
        {AV_PIX_FMT_YUVJ420P, 3, AV_PIX_FMT_YUV420P, 0, AVCHROMA_LOC_TOP},
        {AV_PIX_FMT_YUV420P10, 4, AV_PIX_FMT_YUV420P10, 0, AVCHROMA_LOC_TOP},
        {AV_PIX_FMT_YUV420P, 1, AV_PIX_FMT_YUV420P, 0, AVCHROMA_LOC_TOP},
        {AV_PIX_FMT_NV12, 2, AV_PIX_FMT_YUV420P, 0, AVCHROMA_LOC_TOP},
        {AV_PIX_FMT_P010, 2, AV_PIX_FMT_YUV420P10, 0, AVCHROMA_LOC_TOP},
        {AV_PIX_FMT_P010, 1, AV_PIX_FMT_YUV420P10, 0, AVCHROMA_LOC_TOP},
        {AV_PIX_FMT_YUVA420P, 2, AV_PIX_FMT_YUV420P, 0, AVCHROMA_LOC_TOP},
        {AV_PIX_FMT_YUV422P, 2, AV_PIX_FMT_YUV420P, 0, AVCHROMA_LOC_LEFT},
        {AV_PIX_FMT_YUV422P, 1, AV_PIX_FMT_YUV422P, 0, AVCHROMA_LOC_TOP},
        {AV_PIX_FMT_YUV444P10, 1, AV_PIX_FMT_YUV444P10, 0, AVCHROMA_LOC_TOP},
        {AV_PIX_FMT_YUV444P, 2, AV_PIX_FMT_YUV420P, 0, AVCHROMA_LOC_CENTER},
        {AV_PIX_FMT_YUV444P, 3, AV_PIX_FMT_YUV420P, 0, AVCHROMA_LOC_CENTER},
        {AV_PIX_FMT_YUV440P, 2, AV_PIX_FMT_YUV420P, 0, AVCHROMA_LOC_CENTER},
        {AV_PIX_FMT_YUV411P, 2, AV_PIX_FMT_YUV420P, 0, AVCHROMA_LOC_LEFT},
        {AV_PIX_FMT_YUV410P, 1, AV_PIX_FMT_YUV420P, 0, AVCHROMA_LOC_TOP},
        {AV_PIX_FMT_YUV420P12, 2, AV_PIX_FMT_YUV420P10, 1, AVCHROMA_LOC_TOP},
        {AV_PIX_FMT_YUYV422, 2, AV_PIX_FMT_YUV420P, 1, AVCHROMA_LOC_LEFT},
        {AV_PIX_FMT_GRAY8, 2, AV_PIX_FMT_YUV420P, 0, AVCHROMA_LOC_TOP},
        {AV_PIX_FMT_RGB24, 2, AV_PIX_FMT_YUV420P, 1, AVCHROMA_LOC_CENTER},
        {AV_PIX_FMT_RGB24, 1, AV_PIX_FMT_YUV444P, 1, AVCHROMA_LOC_TOP},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AVFrame *in = picture(cases[i].in, AVCHROMA_LOC_TOP);
        sh_picture_plan plan;
        for (int p = 0; p < 4 && in->buf[p]; p++)
            memset(in->buf[p]->data, 0, (size_t)in->buf[p]->size);
        AVFrame *out = enlarge(in, cases[i].scale, &plan);
        if (out->format != cases[i].out || plan.repack != cases[i].repack ||
            out->chroma_location != cases[i].siting)
            fail_msg("%s times %d: %s, repack %d, siting %d", av_get_pix_fmt_name(cases[i].in),
                     cases[i].scale, av_get_pix_fmt_name(out->format), plan.repack, out->chroma_location);
        assert_int_equal(out->width, WIDTH * cases[i].scale);
        assert_int_equal(out->height, HEIGHT * cases[i].scale);
        av_frame_free(&in);
        av_frame_free(&out);
    }
}

/* The same picture, stored otherwise. */
static void packing_does_not_matter(void **state)
{
    static const enum AVPixelFormat pairs[][2] = {{AV_PIX_FMT_YUV420P, AV_PIX_FMT_NV12},
                                                  {AV_PIX_FMT_YUV420P10, AV_PIX_FMT_P010},
                                                  {AV_PIX_FMT_YUV422P, AV_PIX_FMT_NV16},
                                                  {AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUVA420P}};
    (void)state;
    for (int i = 0; i < 4; i++) {
        AVFrame *out[2];
        for (int k = 0; k < 2; k++) {
            AVFrame *in = picture(pairs[i][k], AVCHROMA_LOC_LEFT);
            sh_picture_plan plan;
            fill(in, 3, 2);
            out[k] = enlarge(in, 2, &plan);
            av_frame_free(&in);
        }
        for (int c = 0; c < 3; c++) {
            int width, height;
            size_of(out[0], c, &width, &height);
            for (int y = 0; y < height; y++)
                for (int x = 0; x < width; x++)
                    assert_int_equal(at(out[0], c, x, y, -1), at(out[1], c, x, y, -1));
        }
        av_frame_free(&out[0]);
        av_frame_free(&out[1]);
    }
}

static void what_is_too_large_is_refused(void **state)
{
    AVFrame *frame = picture(AV_PIX_FMT_YUV420P, AVCHROMA_LOC_LEFT);
    sh_picture_plan plan;
    sh_err err = {0};
    (void)state;
    frame->width = 8193;
    assert_int_equal(sh_picture_plan_make(&plan, frame, 2, &err), SH_E_LIMIT);
    assert_non_null(strstr(err.message, "8192x8192"));
    assert_int_equal(sh_picture_plan_make(&plan, frame, 1, &err), 0);
    frame->width = 4097;
    assert_int_equal(sh_picture_plan_make(&plan, frame, 4, &err), SH_E_LIMIT);
    frame->width = WIDTH;
    av_frame_free(&frame);
}

/* With nothing to restore, the chain is its second half, at odd sizes too. */
static void two_in_a_row_lose_nothing(void **state)
{
    static const enum AVPixelFormat formats[] = {AV_PIX_FMT_YUV420P, AV_PIX_FMT_NV12, AV_PIX_FMT_YUV422P10,
                                                 AV_PIX_FMT_YUV444P};
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        sh_picture_chain chain = {0};
        sh_picture_plan plan;
        sh_err err = {0};
        AVFrame *in = picture(formats[i], AVCHROMA_LOC_CENTER), *out = NULL;
        fill(in, 3, 2);
        in->width = WIDTH - 1;
        in->height = HEIGHT - 1;
        in->pts = 42;
        AVFrame *alone = enlarge(in, 2, &plan);
        if (sh_picture_chain_plan(&chain, in, true, 2, &err) < 0 ||
            sh_picture_chain_open(&chain, NULL, NULL, NULL, &err) < 0 ||
            sh_picture_chain_run(&chain, in, &out, &err) < 0)
            fail_msg("%s", err.message);
        assert_true(sh_picture_chain_fits(&chain, in));
        assert_string_equal(chain.restore.plan.note, "");
        assert_int_equal(out->width, alone->width);
        assert_int_equal(out->height, alone->height);
        assert_int_equal(out->format, alone->format);
        assert_int_equal(out->chroma_location, alone->chroma_location);
        assert_int_equal(out->pts, 42);
        for (int c = 0; c < 3; c++) {
            int width, height;
            size_of(out, c, &width, &height);
            for (int y = 0; y < height; y++)
                for (int x = 0; x < width; x++)
                    assert_int_equal(at(out, c, x, y, -1), at(alone, c, x, y, -1));
        }
        sh_picture_chain_close(&chain);
        av_frame_free(&in);
        av_frame_free(&out);
        av_frame_free(&alone);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chroma_lies_where_it_is_said), cmocka_unit_test(formats_become_what_loses_nothing),
        cmocka_unit_test(packing_does_not_matter),      cmocka_unit_test(what_is_too_large_is_refused),
        cmocka_unit_test(two_in_a_row_lose_nothing),
    };
    return cmocka_run_group_tests_name("media/picture", tests, NULL, NULL);
}
