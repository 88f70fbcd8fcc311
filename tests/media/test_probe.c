/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Measurements on made-up pictures whose truth is known: fields, pulldown, repetition, detail, colours,
 * rates. */
#include "media/colour.h"
#include "media/measure.h"
#include "media/probe_sample.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WIDTH = 192, HEIGHT = 128 };

/* Bars that lean and a disc, both moving to the right by `speed` samples a frame, with soft edges. */
static double scene(double x, double y, double time, double speed)
{
    const double moved = x - speed * time;
    const double bars = 90 + 60 * tanh(2.5 * sin(moved * 0.16 + y * 0.05));
    const double dx = fmod(moved + 4096, WIDTH) - WIDTH / 2.0, dy = y - HEIGHT / 2.0;
    const double disc = 60 * (1 - tanh((sqrt(dx * dx + dy * dy) - 30) * 1.2)) / 2;
    return bars + disc;
}

static uint8_t *fields_at(double top, double bottom, double speed)
{
    uint8_t *data = malloc((size_t)WIDTH * HEIGHT);
    assert_non_null(data);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            data[y * WIDTH + x] = (uint8_t)(scene(x, y, y & 1 ? bottom : top, speed) + 0.5);
    return data;
}

static sh_luma luma(double top, double bottom, double speed)
{
    return (sh_luma){fields_at(top, bottom, speed), WIDTH, HEIGHT};
}

static sh_motion step(double top, double bottom, double next_top, double next_bottom, double speed)
{
    sh_luma p = luma(top, bottom, speed), n = luma(next_top, next_bottom, speed);
    sh_motion motion;
    sh_measure_motion(&p, &n, &motion);
    sh_luma_free(&p);
    sh_luma_free(&n);
    return motion;
}

static void test_fields(void **state)
{
    (void)state;
    static const double speeds[] = {1.5, 2.5, 4, 5.5};
    for (size_t i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++) {
        const double v = speeds[i];
        assert_int_equal(step(0, 0, 1, 1, v).step, SH_STEP_PROGRESSIVE);
        assert_int_equal(step(0, 0.5, 1, 1.5, v).step, SH_STEP_TOP);
        assert_int_equal(step(0.5, 0, 1.5, 1, v).step, SH_STEP_BOTTOM);
    }
}

static void test_still(void **state)
{
    (void)state;
    sh_motion motion = step(3, 3, 3, 3, 5);
    assert_int_equal(motion.step, SH_STEP_STILL);
    assert_true(motion.same);
    assert_false(motion.top_repeated || motion.bottom_repeated);
    /* An interlaced picture that stands still combs and says nothing of movement. */
    motion = step(3, 3.5, 3, 3.5, 5);
    assert_int_equal(motion.step, SH_STEP_STILL);
    assert_true(motion.same);
    assert_false(step(0, 0, 1, 1, 5).same);
}

static void test_cut(void **state)
{
    (void)state;
    sh_luma p = luma(0, 0.5, 4), n = luma(1, 1.5, 4);
    sh_motion motion;
    for (int i = 0; i < WIDTH * HEIGHT; i++)
        n.data[i] = (uint8_t)(255 - n.data[i]);
    sh_measure_motion(&p, &n, &motion);
    assert_int_equal(motion.step, SH_STEP_UNCLEAR);
    sh_luma_free(&p);
    sh_luma_free(&n);
}

static void test_sizes(void **state)
{
    (void)state;
    sh_luma p = {calloc(8, 4), 8, 4}, n = {calloc(8, 4), 8, 4}, other = luma(0, 0, 1);
    sh_motion motion;
    sh_measure_motion(&p, &n, &motion); /* too low for a block */
    assert_int_equal(motion.step, SH_STEP_STILL);
    sh_measure_motion(&p, &other, &motion);
    assert_int_equal(motion.step, SH_STEP_STILL);
    assert_false(motion.same);
    sh_luma_free(&p);
    sh_luma_free(&n);
    sh_luma_free(&other);
}

/* Frame i of 3:2 pulldown: film frames of its top and bottom field. */
static void pulldown(int i, bool top_first, double *top, double *bottom)
{
    static const int first[] = {0, 1, 1, 2, 3}, second[] = {0, 1, 2, 3, 3};
    const int group = i / 5 * 4;
    const int a = group + first[i % 5], b = group + second[i % 5];
    *top = top_first ? a : b;
    *bottom = top_first ? b : a;
}

static int cadence_hits(bool top_first, bool film, int *tested)
{
    sh_motion steps[24];
    int hits = 0;
    for (int i = 0; i < 24; i++) {
        double a = i, b = i, c = i + 1, d = i + 1;
        if (film) {
            pulldown(i, top_first, &a, &b);
            pulldown(i + 1, top_first, &c, &d);
        } else {
            b += 0.5;
            d += 0.5;
        }
        steps[i] = step(a, b, c, d, 4);
    }
    *tested = 0;
    for (int i = 0; i + 5 <= 24; i++) {
        bool moving;
        hits += sh_measure_cadence(steps + i, &moving) ? 1 : 0;
        *tested += moving ? 1 : 0;
    }
    return hits;
}

static void test_telecine(void **state)
{
    (void)state;
    int tested;
    assert_int_equal(cadence_hits(true, true, &tested), 20);
    assert_int_equal(tested, 20);
    assert_int_equal(cadence_hits(false, true, &tested), 20);
    assert_int_equal(cadence_hits(true, false, &tested), 0); /* video */
    assert_int_equal(tested, 20);
    bool moving;
    const sh_motion still[5] = {{0}};
    assert_false(sh_measure_cadence(still, &moving));
    assert_false(moving);
}

/* ---- detail ---- */

/* Hard edges everywhere: rectangles of sizes and greys from a counter. */
static void draw(sh_luma *to)
{
    uint32_t seed = 7;
    memset(to->data, 100, (size_t)to->width * (size_t)to->height);
    for (int i = 0; i < 500; i++) {
        int value[5];
        for (int k = 0; k < 5; k++) {
            seed = seed * 1664525 + 1013904223;
            value[k] = (int)(seed >> 8 & 0xffff);
        }
        const int x = value[0] % to->width, y = value[1] % to->height, w = 3 + value[2] % 40,
                  h = 3 + value[3] % 40;
        for (int row = y; row < y + h && row < to->height; row++)
            for (int column = x; column < x + w && column < to->width; column++)
                to->data[row * to->width + column] = (uint8_t)(value[4] % 220 + 16);
    }
}

/* Cubic interpolation (Catmull-Rom) to twice the size, or the picture itself. */
static double cubic(const double s[4], double t)
{
    return s[1] + 0.5 * t *
                      (s[2] - s[0] +
                       t * (2 * s[0] - 5 * s[1] + 4 * s[2] - s[3] + t * (3 * (s[1] - s[2]) + s[3] - s[0])));
}

static double sample(const sh_luma *from, double x, double y)
{
    double rows[4], columns[4];
    const int x0 = (int)floor(x), y0 = (int)floor(y);
    for (int j = 0; j < 4; j++) {
        for (int i = 0; i < 4; i++) {
            int cx = x0 - 1 + i, cy = y0 - 1 + j;
            cx = cx < 0 ? 0 : cx >= from->width ? from->width - 1 : cx;
            cy = cy < 0 ? 0 : cy >= from->height ? from->height - 1 : cy;
            columns[i] = from->data[cy * from->width + cx];
        }
        rows[j] = cubic(columns, x - x0);
    }
    return cubic(rows, y - y0);
}

static sh_detail detail_of(bool enlarged, int noise)
{
    sh_luma small = {malloc(160 * 128), 160, 128}, large = {malloc(320 * 256), 320, 256};
    sh_detail detail = {0};
    uint32_t seed = 1;
    draw(&small);
    if (enlarged)
        for (int y = 0; y < 256; y++)
            for (int x = 0; x < 320; x++) {
                seed = seed * 1664525 + 1013904223;
                const double value = sample(&small, (x - 0.5) / 2, (y - 0.5) / 2) +
                                     (noise ? (int)(seed >> 24) % (2 * noise + 1) - noise : 0);
                large.data[y * 320 + x] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value + 0.5);
            }
    else
        draw(&large);
    sh_measure_detail(&detail, &large);
    sh_luma_free(&small);
    sh_luma_free(&large);
    return detail;
}

static void test_detail(void **state)
{
    (void)state;
    const sh_detail sharp = detail_of(false, 0), soft = detail_of(true, 0), noisy = detail_of(true, 3);
    assert_true(sh_detail_across(&sharp) > 0.9 && sh_detail_down(&sharp) > 0.9);
    assert_true(sh_detail_across(&soft) > 0.4 && sh_detail_across(&soft) < 0.75);
    assert_true(sh_detail_down(&soft) > 0.4 && sh_detail_down(&soft) < 0.75);
    assert_true(sh_detail_across(&noisy) < 0.8); /* noise is no detail */
    sh_luma flat = {malloc(320 * 256), 320, 256};
    memset(flat.data, 90, 320 * 256);
    sh_detail none = {0};
    sh_measure_detail(&none, &flat);
    assert_true(sh_detail_across(&none) < 0 && sh_detail_down(&none) < 0);
    sh_luma_free(&flat);
}

static void test_luma_of_formats(void **state)
{
    (void)state;
    static const struct {
        enum AVPixelFormat format;
        int plane, offset, step, shift, depth;
    } cases[] = {
        {AV_PIX_FMT_YUV420P, 0, 0, 1, 0, 8},    {AV_PIX_FMT_NV12, 0, 0, 1, 0, 8},
        {AV_PIX_FMT_YUV420P10, 0, 0, 2, 0, 10}, {AV_PIX_FMT_P010, 0, 0, 2, 6, 10},
        {AV_PIX_FMT_YUYV422, 0, 0, 2, 0, 8},    {AV_PIX_FMT_RGB24, 0, 1, 3, 0, 8},
        {AV_PIX_FMT_YUV444P12, 0, 0, 2, 0, 12},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        AVFrame *frame = av_frame_alloc();
        frame->width = 37;
        frame->height = 5;
        frame->format = cases[i].format;
        assert_int_equal(av_frame_get_buffer(frame, 0), 0);
        for (int plane = 0; plane < 4 && frame->buf[plane]; plane++)
            memset(frame->buf[plane]->data, 0, (size_t)frame->buf[plane]->size);
        for (int y = 0; y < 5; y++)
            for (int x = 0; x < 37; x++) {
                uint8_t *to = frame->data[cases[i].plane] + y * frame->linesize[0] + x * cases[i].step +
                              cases[i].offset;
                const unsigned value = (unsigned)(x * 5 + y) << (cases[i].depth - 8);
                if (cases[i].depth == 8)
                    *to = (uint8_t)value;
                else
                    *(uint16_t *)(void *)to = (uint16_t)(value << cases[i].shift);
            }
        sh_luma got = {0};
        assert_true(sh_luma_take(&got, frame, 1, 2, 36, 3, 3));
        assert_int_equal(got.width, 12);
        assert_int_equal(got.height, 3);
        for (int y = 0; y < 3; y++)
            for (int x = 0; x < 12; x++)
                assert_int_equal(got.data[y * 12 + x], (1 + 3 * x) * 5 + y + 2);
        sh_luma_free(&got);
        av_frame_free(&frame);
    }
}

/* ---- colours and rates ---- */

static void test_colour(void **state)
{
    (void)state;
    const sh_colour none = {AVCOL_PRI_UNSPECIFIED, AVCOL_TRC_UNSPECIFIED, AVCOL_SPC_UNSPECIFIED,
                            AVCOL_RANGE_UNSPECIFIED, AVCHROMA_LOC_UNSPECIFIED};
    static const struct {
        enum AVPixelFormat format;
        int width, height;
        double rate;
        bool jpeg;
        enum AVColorPrimaries primaries;
        enum AVColorSpace matrix;
        enum AVColorRange range;
        const char *why;
    } cases[] = {
        {AV_PIX_FMT_YUV420P, 720, 480, 29.97, false, AVCOL_PRI_SMPTE170M, AVCOL_SPC_SMPTE170M,
         AVCOL_RANGE_MPEG, "525"},
        {AV_PIX_FMT_YUV420P, 720, 486, 29.97, false, AVCOL_PRI_SMPTE170M, AVCOL_SPC_SMPTE170M,
         AVCOL_RANGE_MPEG, "525"},
        {AV_PIX_FMT_YUV420P, 720, 576, 25, false, AVCOL_PRI_BT470BG, AVCOL_SPC_BT470BG, AVCOL_RANGE_MPEG,
         "625"},
        {AV_PIX_FMT_YUV420P, 352, 288, 25, false, AVCOL_PRI_BT470BG, AVCOL_SPC_BT470BG, AVCOL_RANGE_MPEG,
         "frame rate"},
        {AV_PIX_FMT_YUV420P, 640, 360, 23.976, false, AVCOL_PRI_SMPTE170M, AVCOL_SPC_SMPTE170M,
         AVCOL_RANGE_MPEG, "size"},
        {AV_PIX_FMT_YUV420P, 1280, 720, 50, false, AVCOL_PRI_BT709, AVCOL_SPC_BT709, AVCOL_RANGE_MPEG,
         "BT.709"},
        {AV_PIX_FMT_YUV420P, 1280, 536, 24, false, AVCOL_PRI_BT709, AVCOL_SPC_BT709, AVCOL_RANGE_MPEG,
         "BT.709"},
        {AV_PIX_FMT_YUVJ422P, 640, 480, 15, true, AVCOL_PRI_BT709, AVCOL_SPC_BT470BG, AVCOL_RANGE_JPEG,
         "codec"},
        {AV_PIX_FMT_YUVJ420P, 1920, 1080, 30, false, AVCOL_PRI_BT709, AVCOL_SPC_BT709, AVCOL_RANGE_JPEG,
         "full"},
        {AV_PIX_FMT_RGB24, 320, 240, 10, false, AVCOL_PRI_BT709, AVCOL_SPC_BT709, AVCOL_RANGE_MPEG, "RGB"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const sh_colour_hints hints = {cases[i].format, cases[i].width, cases[i].height,
                                       cases[i].rate,   cases[i].jpeg,  false};
        sh_colour got;
        char why[SH_COLOUR_WHY];
        sh_colour_settle(&none, &hints, &got, why);
        assert_int_equal(got.primaries, cases[i].primaries);
        assert_int_equal(got.matrix, cases[i].matrix);
        assert_int_equal(got.range, cases[i].range);
        assert_int_not_equal(got.transfer, AVCOL_TRC_UNSPECIFIED);
        assert_non_null(strstr(why, cases[i].why));
    }
}

static void test_colour_told(void **state)
{
    (void)state;
    const sh_colour_hints sd = {AV_PIX_FMT_YUV420P, 720, 576, 25, false, false};
    const sh_colour_hints deep = {AV_PIX_FMT_YUV420P10, 640, 360, 24, false, false};
    char why[SH_COLOUR_WHY], name[80];
    sh_colour got;
    const sh_colour hd = {AVCOL_PRI_BT709, AVCOL_TRC_BT709, AVCOL_SPC_BT709, AVCOL_RANGE_JPEG,
                          AVCHROMA_LOC_CENTER};
    sh_colour_settle(&hd, &sd, &got, why); /* all told: nothing assumed, however small it is */
    assert_true(sh_colour_same(&got, &hd));
    assert_string_equal(why, "");
    sh_colour_name(&got, name);
    assert_string_equal(name, "BT.709");
    const sh_colour part = {AVCOL_PRI_UNSPECIFIED, AVCOL_TRC_UNSPECIFIED, AVCOL_SPC_BT709, AVCOL_RANGE_MPEG,
                            AVCHROMA_LOC_UNSPECIFIED};
    sh_colour_settle(&part, &sd, &got, why);
    assert_int_equal(got.primaries, AVCOL_PRI_BT709);
    assert_int_equal(got.siting, AVCHROMA_LOC_LEFT);
    assert_non_null(strstr(why, "other tags"));
    const sh_colour pq = {AVCOL_PRI_UNSPECIFIED, AVCOL_TRC_SMPTE2084, AVCOL_SPC_UNSPECIFIED,
                          AVCOL_RANGE_UNSPECIFIED, AVCHROMA_LOC_UNSPECIFIED};
    sh_colour_settle(&pq, &deep, &got, why);
    assert_int_equal(got.primaries, AVCOL_PRI_BT2020);
    assert_int_equal(got.matrix, AVCOL_SPC_BT2020_NCL);
    assert_int_equal(got.siting, AVCHROMA_LOC_TOPLEFT);
    const sh_colour wrong = {AVCOL_PRI_RESERVED, AVCOL_TRC_RESERVED0, AVCOL_SPC_RGB, AVCOL_RANGE_MPEG,
                             AVCHROMA_LOC_LEFT};
    sh_colour_settle(&wrong, &sd, &got, why);
    assert_int_equal(got.matrix, AVCOL_SPC_BT470BG);
    assert_int_equal(got.primaries, AVCOL_PRI_BT470BG);
}

static void assert_rate(double rate, AVRational told, double tolerance, int num, int den)
{
    const AVRational got = sh_rate_snap(rate, told, tolerance);
    assert_int_equal(got.num, num);
    assert_int_equal(got.den, den);
}

static void test_rates(void **state)
{
    (void)state;
    const AVRational unknown = {0, 1};
    assert_rate(23.9762, unknown, 0, 24000, 1001);
    assert_rate(24.0001, unknown, 0, 24, 1);
    assert_rate(29.97, unknown, 0, 30000, 1001);
    assert_rate(59.94, (AVRational){60000, 1001}, 0, 60000, 1001);
    assert_rate(25.02, unknown, 0.001, 25, 1);
    assert_rate(12.5, unknown, 0, 25, 2);
    assert_rate(30, (AVRational){1000, 1}, 0, 30, 1); /* what the header says is far off */
    assert_rate(17.25, unknown, 0, 69, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_still),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_telecine),
        cmocka_unit_test(test_detail),
        cmocka_unit_test(test_luma_of_formats),
        cmocka_unit_test(test_colour),
        cmocka_unit_test(test_colour_told),
        cmocka_unit_test(test_rates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
