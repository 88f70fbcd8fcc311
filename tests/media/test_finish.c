/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The size, the format and the grain of results. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "media/avlog.h"
#include "media/finish.h"
#include "media/grain.h"

#include <libavutil/pixdesc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- sizes ---- */

static void test_parse(void **state)
{
    static const struct {
        const char *text;
        int width, height;
        bool exact;
    } good[] = {{"1080p", 1920, 1080, false}, {"720p", 1280, 720, false}, {"480p", 854, 480, false},
                {"4k", 3840, 2160, false},    {"8K", 7680, 4320, false},  {"1280x960", 1280, 960, true},
                {"1280x", 1280, 0, false},    {"x720", 0, 720, false}};
    static const char *const bad[] = {"",     "p",    "x",      "0p",      "1080",  "1080q",
                                      "-5x5", "5x-5", "99999p", "99999x2", "1x2x3", " 4k"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int width, height;
        bool exact;
        assert_true(sh_finish_parse_size(good[i].text, &width, &height, &exact));
        assert_int_equal(width, good[i].width);
        assert_int_equal(height, good[i].height);
        assert_int_equal(exact, good[i].exact);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int width, height;
        bool exact;
        assert_false(sh_finish_parse_size(bad[i], &width, &height, &exact));
    }
}

static void test_fit(void **state)
{
    static const struct {
        int width, height;
        AVRational sar;
        int to_width, to_height;
        bool exact;
        int out_width, out_height;
        AVRational out_sar;
        bool enlarges;
    } cases[] = {
        {1280, 960, {1, 1}, 1920, 1080, false, 1440, 1080, {1, 1}, true},
        {1280, 960, {0, 1}, 0, 720, false, 960, 720, {1, 1}, false},
        {1440, 1152, {16, 15}, 1920, 1080, false, 1440, 1080, {1, 1}, false},
        {1440, 1152, {64, 45}, 1920, 1080, false, 1920, 1080, {1, 1}, true},
        {1440, 1152, {64, 45}, 0, 0, false, 1440, 1152, {64, 45}, false},
        {1440, 1152, {64, 45}, 1280, 720, true, 1280, 720, {1, 1}, false},
        {1280, 960, {1, 1}, 1280, 720, true, 1280, 720, {3, 4}, false},
        {1708, 960, {1, 1}, 1920, 1080, false, 1920, 1080, {1281, 1280}, true},
        {720, 1280, {1, 1}, 1920, 1080, false, 1080, 1920, {1, 1}, true},
        {4096, 2304, {1, 1}, 3840, 0, false, 3840, 2160, {1, 1}, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sh_finish_size size;
        assert_int_equal(sh_finish_fit(&size, cases[i].width, cases[i].height, cases[i].sar,
                                       cases[i].to_width, cases[i].to_height, cases[i].exact, NULL),
                         0);
        assert_int_equal(size.width, cases[i].out_width);
        assert_int_equal(size.height, cases[i].out_height);
        assert_int_equal(size.sar.num, cases[i].out_sar.num);
        assert_int_equal(size.sar.den, cases[i].out_sar.den);
        assert_int_equal(size.enlarges, cases[i].enlarges);
    }
    sh_finish_size size;
    sh_err err;
    assert_int_equal(sh_finish_fit(&size, 100, 100, (AVRational){1, 1}, 101, 100, true, &err), SH_E_ARGUMENT);
    assert_int_equal(sh_finish_fit(&size, 16000, 2, (AVRational){1, 1}, 0, 1080, false, &err), SH_E_ARGUMENT);
}

/* ---- scaling ---- */

static AVFrame *picture(int format, int width, int height, int luma, int chroma)
{
    AVFrame *frame = av_frame_alloc();
    frame->width = width;
    frame->height = height;
    frame->format = format;
    frame->color_range = AVCOL_RANGE_MPEG;
    frame->chroma_location = AVCHROMA_LOC_LEFT;
    frame->sample_aspect_ratio = (AVRational){1, 1};
    frame->pts = 77;
    assert_int_equal(av_frame_get_buffer(frame, 0), 0);
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(format);
    for (int p = 0; p < 3; p++)
        for (int y = 0; y < AV_CEIL_RSHIFT(height, p ? d->log2_chroma_h : 0); y++)
            for (int x = 0; x < AV_CEIL_RSHIFT(width, p ? d->log2_chroma_w : 0); x++)
                if (d->comp[0].depth > 8)
                    ((uint16_t *)(frame->data[p] + y * frame->linesize[p]))[x] =
                        (uint16_t)(p ? chroma : luma);
                else
                    frame->data[p][y * frame->linesize[p] + x] = (uint8_t)(p ? chroma : luma);
    return frame;
}

static void test_scale_keeps_flat(void **state)
{
    static const int formats[] = {AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV420P10, AV_PIX_FMT_YUV444P};
    for (int i = 0; i < 3; i++)
        for (int luma = 16; luma < 236; luma += 73) {
            const int unit = i == 1 ? 4 : 1;
            AVFrame *frame = picture(formats[i], 128, 96, luma * unit, 90 * unit);
            sh_finish *finish = NULL;
            sh_err err;
            const sh_finish_settings settings = {.width = 90, .height = 66, .format = AV_PIX_FMT_NONE};
            assert_int_equal(sh_finish_open(&finish, &settings, &err), 0);
            assert_int_equal(sh_finish_apply(finish, &frame, 0, &err), 0);
            assert_int_equal(frame->width, 90);
            assert_int_equal(frame->height, 66);
            assert_int_equal(frame->pts, 77);
            assert_int_equal(frame->sample_aspect_ratio.num * 90 * 96,
                             frame->sample_aspect_ratio.den * 66 * 128);
            for (int y = 0; y < 66; y++)
                for (int x = 0; x < 90; x++)
                    assert_int_equal(unit == 4 ? ((uint16_t *)(frame->data[0] + y * frame->linesize[0]))[x]
                                               : frame->data[0][y * frame->linesize[0] + x],
                                     luma * unit);
            sh_finish_close(&finish);
            av_frame_free(&frame);
        }
}

/* A colour edge stays where the luma edge is, for every siting. */
static void test_scale_keeps_siting(void **state)
{
    static const int sitings[] = {AVCHROMA_LOC_LEFT, AVCHROMA_LOC_CENTER};
    for (int i = 0; i < 2; i++) {
        AVFrame *frame = picture(AV_PIX_FMT_YUV420P, 128, 64, 100, 128);
        sh_finish *finish = NULL;
        sh_err err;
        const sh_finish_settings settings = {.width = 64, .height = 32, .format = AV_PIX_FMT_NONE};
        const double off = i == 0 ? 0 : 0.5;
        frame->chroma_location = sitings[i];
        for (int y = 0; y < 32; y++)
            for (int x = 0; x < 64; x++)
                frame->data[1][y * frame->linesize[1] + x] = (uint8_t)lrint(60 + 2 * x + off);
        /* chroma sample x lies at luma 2 x + off: its value is 60 + luma position, rounded */
        assert_int_equal(sh_finish_open(&finish, &settings, &err), 0);
        assert_int_equal(sh_finish_apply(finish, &frame, 0, &err), 0);
        double sum = 0;
        for (int x = 8; x < 24; x++) {
            /* now at luma 2 x + off of half the size; that was 2 (2 x + off + 0.5) - 0.5 */
            const double at = 2 * (2 * x + off + 0.5) - 0.5;
            sum += frame->data[1][8 * frame->linesize[1] + x] - (60 + at);
        }
        assert_in_range((int64_t)(fabs(sum / 16) * 100), 0, 51);
        sh_finish_close(&finish);
        av_frame_free(&frame);
    }
}

static void test_nothing_to_do(void **state)
{
    AVFrame *frame = picture(AV_PIX_FMT_YUV420P, 32, 32, 99, 100), *same = frame;
    const uint8_t *data = frame->data[0];
    sh_finish *finish = NULL;
    sh_err err;
    const sh_finish_settings settings = {.width = 32, .height = 32, .format = AV_PIX_FMT_YUV420P};
    assert_int_equal(sh_finish_open(&finish, &settings, &err), 0);
    assert_int_equal(sh_finish_apply(finish, &frame, 0, &err), 0);
    assert_ptr_equal(frame, same);
    assert_ptr_equal(frame->data[0], data);
    sh_finish_close(&finish);
    av_frame_free(&frame);
}

static void test_to_ten_bits(void **state)
{
    AVFrame *frame = picture(AV_PIX_FMT_YUV420P, 32, 32, 99, 100);
    sh_finish *finish = NULL;
    sh_err err;
    const sh_finish_settings settings = {.format = AV_PIX_FMT_YUV420P10};
    assert_int_equal(sh_finish_open(&finish, &settings, &err), 0);
    assert_int_equal(sh_finish_apply(finish, &frame, 0, &err), 0);
    assert_int_equal(frame->format, AV_PIX_FMT_YUV420P10);
    assert_int_equal(((uint16_t *)frame->data[0])[5], 396);
    assert_int_equal(((uint16_t *)frame->data[1])[5], 400);
    sh_finish_close(&finish);
    av_frame_free(&frame);
}

/* ---- grain ---- */

static double deviation(const AVFrame *frame, double *mean)
{
    double sum = 0, squares = 0;
    const int n = frame->width * frame->height;
    const bool deep = av_pix_fmt_desc_get(frame->format)->comp[0].depth > 8;
    for (int y = 0; y < frame->height; y++)
        for (int x = 0; x < frame->width; x++) {
            const uint8_t *row = frame->data[0] + y * frame->linesize[0];
            const double v = deep ? ((const uint16_t *)row)[x] : row[x];
            sum += v;
            squares += v * v;
        }
    *mean = sum / n;
    return sqrt(squares / n - *mean * *mean);
}

static AVFrame *grained(int format, int luma, int64_t number, double strength)
{
    AVFrame *frame = picture(format, 256, 256, luma, 128);
    sh_finish *finish = NULL;
    sh_err err;
    const sh_finish_settings settings = {.format = AV_PIX_FMT_NONE, .grain = strength};
    assert_int_equal(sh_finish_open(&finish, &settings, &err), 0);
    assert_int_equal(sh_finish_apply(finish, &frame, number, &err), 0);
    sh_finish_close(&finish);
    return frame;
}

static void test_grain_strength(void **state)
{
    static const struct {
        int format, luma;
        double strength, expected;
    } cases[] = {
        {AV_PIX_FMT_YUV420P, 100, SH_GRAIN_MODEL_A, 2.31}, /* rounding adds to it */
        {AV_PIX_FMT_YUV420P, 128, 8, 8.0},
        {AV_PIX_FMT_YUV420P10, 400, SH_GRAIN_MODEL_A, 9.16},
        {AV_PIX_FMT_YUV420P, 24, 4, 2.02},
        {AV_PIX_FMT_YUV420P, 16, 4, 0},
        {AV_PIX_FMT_YUV420P, 5, 4, 0},
        {AV_PIX_FMT_YUV420P, 240, 4, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AVFrame *frame = grained(cases[i].format, cases[i].luma, 5, cases[i].strength);
        double mean, got = deviation(frame, &mean);
        assert_true(fabs(got - cases[i].expected) <= 0.02 * cases[i].expected + 1e-9);
        assert_true(fabs(mean - cases[i].luma) <= 0.02 * cases[i].expected);
        assert_int_equal(frame->data[1][0] | frame->data[1][1] << 8,
                         128 | (cases[i].format == AV_PIX_FMT_YUV420P ? 128 << 8 : 0));
        av_frame_free(&frame);
    }
}

/* Neighbours, rows and frames have nothing to do with each other. */
static void test_grain_is_white(void **state)
{
    AVFrame *a = grained(AV_PIX_FMT_YUV420P, 128, 7, 8), *b = grained(AV_PIX_FMT_YUV420P, 128, 8, 8);
    double across = 0, down = 0, time = 0, own = 0;
    for (int y = 0; y < 255; y++)
        for (int x = 0; x < 255; x++) {
            const uint8_t *at = a->data[0] + y * a->linesize[0] + x;
            const double v = at[0] - 128.0;
            own += v * v;
            across += v * (at[1] - 128.0);
            down += v * (at[a->linesize[0]] - 128.0);
            time += v * (b->data[0][y * b->linesize[0] + x] - 128.0);
        }
    assert_true(fabs(across / own) < 0.02 && fabs(down / own) < 0.02 && fabs(time / own) < 0.02);
    av_frame_free(&a);
    av_frame_free(&b);
}

static void test_grain_is_a_function_of_the_number(void **state)
{
    AVFrame *a = grained(AV_PIX_FMT_YUV420P, 128, 9, 3), *b = grained(AV_PIX_FMT_YUV420P, 128, 9, 3);
    for (int y = 0; y < 256; y++)
        assert_memory_equal(a->data[0] + y * a->linesize[0], b->data[0] + y * b->linesize[0], 256);
    av_frame_free(&a);
    av_frame_free(&b);
}

/* Somebody else's picture is not written on. */
static void test_grain_copies_shared(void **state)
{
    AVFrame *frame = picture(AV_PIX_FMT_YUV420P, 64, 64, 128, 128), *other = av_frame_clone(frame);
    sh_finish *finish = NULL;
    sh_err err;
    const sh_finish_settings settings = {.format = AV_PIX_FMT_NONE, .grain = 8};
    assert_int_equal(sh_finish_open(&finish, &settings, &err), 0);
    assert_int_equal(sh_finish_apply(finish, &frame, 0, &err), 0);
    for (int x = 0; x < 64; x++)
        assert_int_equal(other->data[0][x], 128);
    assert_memory_not_equal(frame->data[0], other->data[0], 64);
    sh_finish_close(&finish);
    av_frame_free(&frame);
    av_frame_free(&other);
}

static void test_refused(void **state)
{
    sh_finish *finish = NULL;
    sh_err err;
    assert_int_equal(sh_finish_open(&finish, &(sh_finish_settings){.format = AV_PIX_FMT_RGB24}, &err),
                     SH_E_UNSUPPORTED);
    assert_int_equal(
        sh_finish_open(&finish, &(sh_finish_settings){.format = AV_PIX_FMT_NONE, .grain = 33}, &err),
        SH_E_ARGUMENT);
    assert_int_equal(
        sh_finish_open(&finish, &(sh_finish_settings){.format = AV_PIX_FMT_NONE, .grain = NAN}, &err),
        SH_E_ARGUMENT);
    assert_int_equal(
        sh_finish_open(&finish, &(sh_finish_settings){.format = AV_PIX_FMT_NONE, .width = 5}, &err),
        SH_E_ARGUMENT);
    assert_null(finish);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_fit),
        cmocka_unit_test(test_scale_keeps_flat),
        cmocka_unit_test(test_scale_keeps_siting),
        cmocka_unit_test(test_nothing_to_do),
        cmocka_unit_test(test_to_ten_bits),
        cmocka_unit_test(test_grain_strength),
        cmocka_unit_test(test_grain_is_white),
        cmocka_unit_test(test_grain_is_a_function_of_the_number),
        cmocka_unit_test(test_grain_copies_shared),
        cmocka_unit_test(test_refused),
    };
    sh_avlog_quiet();
    return cmocka_run_group_tests_name("finish", tests, NULL, NULL);
}
