/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sizes and shapes of renditions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "media/ladder_scale.h"

#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <string.h>

static const struct layout_case {
    int from_width, from_height;
    AVRational sar;
    int width, height, scaling;
    bool keep_sar;
    int made[6], cut[4];
    AVRational out_sar;
} cases[] = {
    /* the size as it is */
    {640, 480, {1, 1}, 0, 0, SH_SCALING_PAD, false, {640, 480, 0, 0, 640, 480}, {0, 0, 640, 480}, {1, 1}},
    {641, 361, {0, 1}, 0, 0, SH_SCALING_PAD, false, {642, 362, 0, 0, 642, 362}, {0, 0, 641, 361}, {1, 1}},
    {720, 576, {16, 15}, 0, 0, SH_SCALING_PAD, false, {768, 576, 0, 0, 768, 576}, {0, 0, 720, 576}, {1, 1}},
    {720, 480, {8, 9}, 0, 0, SH_SCALING_PAD, false, {720, 540, 0, 0, 720, 540}, {0, 0, 720, 480}, {1, 1}},
    {720, 480, {8, 9}, 0, 0, SH_SCALING_PAD, true, {720, 480, 0, 0, 720, 480}, {0, 0, 720, 480}, {8, 9}},
    /* one side */
    {640, 480, {1, 1}, 320, 0, SH_SCALING_PAD, false, {320, 240, 0, 0, 320, 240}, {0, 0, 640, 480}, {1, 1}},
    {1920,
     1080,
     {1, 1},
     0,
     480,
     SH_SCALING_PAD,
     false,
     {854, 480, 0, 0, 854, 480},
     {0, 0, 1920, 1080},
     {1, 1}},
    /* bars at both sides; above and below */
    {640,
     480,
     {1, 1},
     1280,
     720,
     SH_SCALING_PAD,
     false,
     {1280, 720, 160, 0, 960, 720},
     {0, 0, 640, 480},
     {1, 1}},
    {640,
     272,
     {1, 1},
     640,
     480,
     SH_SCALING_PAD,
     false,
     {640, 480, 0, 104, 640, 272},
     {0, 0, 640, 272},
     {1, 1}},
    {640,
     480,
     {1, 1},
     640,
     360,
     SH_SCALING_STRETCH,
     false,
     {640, 360, 0, 0, 640, 360},
     {0, 0, 640, 480},
     {1, 1}},
    {640,
     480,
     {1, 1},
     640,
     360,
     SH_SCALING_FILL,
     false,
     {640, 360, 0, 0, 640, 360},
     {0, 60, 640, 360},
     {1, 1}},
    {1920,
     1080,
     {1, 1},
     480,
     480,
     SH_SCALING_FILL,
     false,
     {480, 480, 0, 0, 480, 480},
     {420, 0, 1080, 1080},
     {1, 1}},
    {640,
     480,
     {1, 1},
     1280,
     720,
     SH_SCALING_FIT,
     false,
     {960, 720, 0, 0, 960, 720},
     {0, 0, 640, 480},
     {1, 1}},
    {640, 480, {1, 1}, 320, 320, SH_SCALING_FIT, false, {320, 240, 0, 0, 320, 240}, {0, 0, 640, 480}, {1, 1}},
    {640,
     480,
     {1, 1},
     1280,
     720,
     SH_SCALING_FIT_NO_UPSCALE,
     false,
     {640, 480, 0, 0, 640, 480},
     {0, 0, 640, 480},
     {1, 1}},
    {640,
     480,
     {1, 1},
     320,
     320,
     SH_SCALING_FIT_NO_UPSCALE,
     false,
     {320, 240, 0, 0, 320, 240},
     {0, 0, 640, 480},
     {1, 1}},
};

static void test_layout(void **state)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sh_scale_layout l;
        sh_err err = {0};
        if (sh_scale_lay_out(&l, cases[i].from_width, cases[i].from_height, cases[i].sar, cases[i].width,
                             cases[i].height, cases[i].scaling, cases[i].keep_sar, &err) < 0)
            fail_msg("case %zu: %s", i, err.message);
        const int made[6] = {l.width, l.height, l.left, l.top, l.inner_width, l.inner_height};
        const int cut[4] = {l.cut_left, l.cut_top, l.cut_width, l.cut_height};
        for (int k = 0; k < 6; k++)
            if (made[k] != cases[i].made[k])
                fail_msg("case %zu, number %d of the layout: %d, not %d", i, k, made[k], cases[i].made[k]);
        for (int k = 0; k < 4; k++)
            if (cut[k] != cases[i].cut[k])
                fail_msg("case %zu, number %d of the cut: %d, not %d", i, k, cut[k], cases[i].cut[k]);
        assert_int_equal(av_cmp_q(l.sar, cases[i].out_sar), 0);
    }
}

static void test_refused(void **state)
{
    sh_scale_layout l;
    sh_err err = {0};
    const AVRational square = {1, 1};
    assert_int_equal(sh_scale_lay_out(&l, 640, 480, square, 321, 240, SH_SCALING_PAD, false, &err),
                     SH_E_ARGUMENT);
    assert_non_null(strstr(err.message, "even"));
    assert_int_equal(sh_scale_lay_out(&l, 0, 480, square, 320, 240, SH_SCALING_PAD, false, &err),
                     SH_E_ARGUMENT);
    assert_int_equal(sh_scale_lay_out(&l, 16000, 2, square, 0, 480, SH_SCALING_PAD, false, &err),
                     SH_E_ARGUMENT);
    assert_int_equal(sh_scale_lay_out(&l, 640, 480, square, 20000, 240, SH_SCALING_PAD, false, &err),
                     SH_E_ARGUMENT);
}

/* ---- pictures ---- */

static AVFrame *new_picture(int width, int height, enum AVPixelFormat format)
{
    AVFrame *frame = av_frame_alloc();
    frame->width = width;
    frame->height = height;
    frame->format = format;
    frame->color_range = AVCOL_RANGE_MPEG;
    frame->colorspace = AVCOL_SPC_BT709;
    frame->chroma_location = AVCHROMA_LOC_LEFT;
    frame->pts = 77;
    assert_int_equal(av_frame_get_buffer(frame, 0), 0);
    return frame;
}

static void set(AVFrame *frame, int plane, int x, int y, int value)
{
    if (av_pix_fmt_desc_get(frame->format)->comp[0].depth > 8)
        ((uint16_t *)(frame->data[plane] + (ptrdiff_t)y * frame->linesize[plane]))[x] = (uint16_t)value;
    else
        frame->data[plane][(ptrdiff_t)y * frame->linesize[plane] + x] = (uint8_t)value;
}

static int get(const AVFrame *frame, int plane, int x, int y)
{
    if (av_pix_fmt_desc_get(frame->format)->comp[0].depth > 8)
        return ((const uint16_t *)(frame->data[plane] + (ptrdiff_t)y * frame->linesize[plane]))[x];
    return frame->data[plane][(ptrdiff_t)y * frame->linesize[plane] + x];
}

/* Four columns of luma, 40 + 40 for each; chroma 100 and 150. */
static AVFrame *columns(int width, int height, enum AVPixelFormat format)
{
    AVFrame *frame = new_picture(width, height, format);
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(format);
    const int unit = d->comp[0].depth > 8 ? 4 : 1;
    for (int plane = 0; plane < 3; plane++) {
        const int w = AV_CEIL_RSHIFT(width, plane ? d->log2_chroma_w : 0);
        const int h = AV_CEIL_RSHIFT(height, plane ? d->log2_chroma_h : 0);
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++)
                set(frame, plane, x, y, unit * (plane ? 50 + 50 * plane : 40 + 40 * (4 * x / w)));
    }
    return frame;
}

static AVFrame *scaled(const AVFrame *in, int width, int height, sh_scaling scaling,
                       enum AVPixelFormat format)
{
    sh_scale_settings settings = {.format = format};
    sh_scale *scale = NULL;
    AVFrame *out = NULL;
    sh_err err = {0};
    if (sh_scale_lay_out(&settings.layout, in->width, in->height, in->sample_aspect_ratio, width, height,
                         scaling, false, &err) < 0 ||
        sh_scale_open(&scale, &settings, in, &err) < 0 || sh_scale_run(scale, in, &out, &err) < 0)
        fail_msg("%s", err.message);
    sh_scale_close(&scale);
    assert_int_equal(out->width, settings.layout.width);
    assert_int_equal(out->height, settings.layout.height);
    assert_int_equal(av_cmp_q(out->sample_aspect_ratio, (AVRational){1, 1}), 0);
    assert_int_equal(out->pts, 77);
    return out;
}

static void near(int value, int wanted, int by)
{
    if (value < wanted - by || value > wanted + by)
        fail_msg("%d is not within %d of %d", value, by, wanted);
}

static void test_bars(void **state)
{
    AVFrame *in = columns(64, 64, AV_PIX_FMT_YUV420P);
    AVFrame *out = scaled(in, 128, 64, SH_SCALING_PAD, AV_PIX_FMT_NONE);
    assert_int_equal(get(out, 0, 31, 0), 16);
    assert_int_equal(get(out, 0, 96, 63), 16);
    assert_int_equal(get(out, 1, 15, 31), 128);
    assert_int_equal(get(out, 2, 48, 0), 128);
    for (int y = 0; y < 64; y++)
        for (int x = 0; x < 64; x++)
            assert_int_equal(get(out, 0, 32 + x, y), 40 + 40 * (x / 16));
    assert_int_equal(get(out, 1, 16, 0), 100);
    assert_int_equal(get(out, 2, 47, 31), 150);
    av_frame_free(&out);
    av_frame_free(&in);
    in = columns(64, 32, AV_PIX_FMT_YUV420P10);
    out = scaled(in, 64, 64, SH_SCALING_PAD, AV_PIX_FMT_YUV420P10);
    assert_int_equal(get(out, 0, 5, 15), 64);
    assert_int_equal(get(out, 0, 5, 48), 64);
    assert_int_equal(get(out, 1, 5, 0), 512);
    assert_int_equal(get(out, 0, 20, 16), 4 * 80);
    av_frame_free(&out);
    av_frame_free(&in);
}

static void test_fill(void **state)
{
    AVFrame *in = columns(128, 64, AV_PIX_FMT_YUV420P);
    AVFrame *out = scaled(in, 32, 32, SH_SCALING_FILL, AV_PIX_FMT_NONE);
    near(get(out, 0, 4, 16), 80, 2); /* the middle two columns are left */
    near(get(out, 0, 27, 16), 120, 2);
    av_frame_free(&out);
    out = scaled(in, 32, 32, SH_SCALING_STRETCH, AV_PIX_FMT_NONE);
    near(get(out, 0, 3, 16), 40, 2);
    near(get(out, 0, 28, 16), 160, 2);
    av_frame_free(&out);
    av_frame_free(&in);
}

static void test_formats(void **state)
{
    AVFrame *in = columns(64, 64, AV_PIX_FMT_YUV422P10);
    AVFrame *out = scaled(in, 64, 64, SH_SCALING_PAD, AV_PIX_FMT_YUV420P);
    assert_int_equal(out->format, AV_PIX_FMT_YUV420P);
    near(get(out, 0, 4, 4), 40, 1);
    near(get(out, 2, 4, 4), 150, 1);
    av_frame_free(&out);
    out = scaled(in, 32, 32, SH_SCALING_PAD, AV_PIX_FMT_NONE);
    assert_int_equal(out->format, AV_PIX_FMT_YUV420P10);
    av_frame_free(&out);
    av_frame_free(&in);
    in = new_picture(64, 64, AV_PIX_FMT_RGB24);
    in->colorspace = AVCOL_SPC_RGB;
    in->color_range = AVCOL_RANGE_JPEG;
    memset(in->data[0], 255, (size_t)in->linesize[0] * 64);
    out = scaled(in, 32, 32, SH_SCALING_PAD, AV_PIX_FMT_NONE);
    assert_int_equal(out->format, AV_PIX_FMT_YUV420P);
    near(get(out, 0, 9, 9), 235, 1);
    near(get(out, 1, 9, 9), 128, 1);
    assert_int_equal(out->color_range, AVCOL_RANGE_MPEG);
    assert_int_equal(out->colorspace, AVCOL_SPC_BT709);
    av_frame_free(&out);
    av_frame_free(&in);
}

/* What is right already is not copied; what changes on the way is refused. */
static void test_as_it_is(void **state)
{
    AVFrame *in = columns(64, 48, AV_PIX_FMT_YUV420P), *other = columns(64, 64, AV_PIX_FMT_YUV420P);
    AVFrame *out = scaled(in, 64, 48, SH_SCALING_PAD, AV_PIX_FMT_NONE), *none = NULL;
    assert_ptr_equal(in->data[0], out->data[0]);
    av_frame_free(&out);
    sh_scale_settings settings = {.format = AV_PIX_FMT_NONE};
    sh_scale *scale = NULL;
    sh_err err = {0};
    assert_int_equal(
        sh_scale_lay_out(&settings.layout, 64, 48, (AVRational){1, 1}, 0, 0, SH_SCALING_PAD, false, NULL), 0);
    assert_int_equal(sh_scale_open(&scale, &settings, in, NULL), 0);
    assert_int_equal(sh_scale_run(scale, other, &none, &err), SH_E_UNSUPPORTED);
    assert_null(none);
    assert_non_null(strstr(err.message, "64x48"));
    sh_scale_close(&scale);
    av_frame_free(&in);
    av_frame_free(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_layout),  cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_bars),    cmocka_unit_test(test_fill),
                                       cmocka_unit_test(test_formats), cmocka_unit_test(test_as_it_is)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
