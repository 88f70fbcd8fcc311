/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/still.h"

#include <libavutil/frame.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static AVFrame *grey(int luma)
{
    AVFrame *frame = av_frame_alloc();
    frame->format = AV_PIX_FMT_GRAY8;
    frame->width = 64;
    frame->height = 48;
    assert_int_equal(av_frame_get_buffer(frame, 0), 0);
    for (int y = 0; y < frame->height; y++)
        memset(frame->data[0] + y * frame->linesize[0], luma, (size_t)frame->width);
    return frame;
}

static void keep(void *opaque, const sh_still *run)
{
    assert_true(sh_stills_add(opaque, run, -1));
}

/* Pictures of one luma each, one a unit of time. */
static void look(sh_stills *found, const uint8_t *luma, int count, double black, double frozen)
{
    sh_still_finder finder = {.black = black, .frozen = frozen, .found = keep, .opaque = found};
    for (int i = 0; i < count; i++) {
        AVFrame *frame = grey(luma[i]);
        sh_still_frame(&finder, frame, i);
        av_frame_free(&frame);
    }
    sh_still_end(&finder, count);
}

static void is_run(const sh_still *run, int kind, int64_t from, int64_t to)
{
    assert_int_equal(run->kind, kind);
    assert_int_equal(run->from, from);
    assert_int_equal(run->to, to);
}

static void runs_end_where_pictures_change(void **state)
{
    static const uint8_t luma[] = {90, 90, 90, 120, 150, 16, 18, 20, 21, 80};
    sh_stills found = {0};
    look(&found, luma, 10, 4, 1.5);
    assert_int_equal(found.count, 3);
    is_run(&found.list[0], SH_STILL_FROZEN, 0, 3);
    is_run(&found.list[1], SH_STILL_BLACK, 5, 8);
    is_run(&found.list[2], SH_STILL_FROZEN, 7, 9);
    sh_stills_prune(&found, 3);
    assert_int_equal(found.count, 2);
    is_run(&found.list[1], SH_STILL_BLACK, 5, 8);
    sh_stills_free(&found);
}

static void the_last_run_ends_with_the_pictures(void **state)
{
    static const uint8_t luma[] = {200, 16, 16};
    sh_stills found = {0};
    look(&found, luma, 3, 4, 0);
    assert_int_equal(found.count, 2);
    is_run(&found.list[0], SH_STILL_BLACK, 1, 3);
    is_run(&found.list[1], SH_STILL_FROZEN, 1, 3);
    sh_stills_free(&found);
}

/* A picture that stands after a cut is another one: only a border of segments joins. */
static void runs_are_joined_at_borders_alone(void **state)
{
    const sh_still first = {SH_STILL_FROZEN, 0, 5}, cut = {SH_STILL_FROZEN, 5, 10},
                   on = {SH_STILL_FROZEN, 10, 12}, other = {SH_STILL_BLACK, 12, 14};
    sh_stills runs = {0};
    assert_true(sh_stills_add(&runs, &first, 0));
    assert_true(sh_stills_add(&runs, &cut, -1));
    assert_true(sh_stills_add(&runs, &on, 10));
    assert_true(sh_stills_add(&runs, &other, 12));
    assert_int_equal(runs.count, 3);
    is_run(&runs.list[1], SH_STILL_FROZEN, 5, 12);
    is_run(&runs.list[2], SH_STILL_BLACK, 12, 14);
    sh_stills_free(&runs);
}

/* After an end nothing is known of the picture before. */
static void nothing_reaches_over_an_end(void **state)
{
    sh_stills found = {0};
    sh_still_finder finder = {.black = 4, .frozen = 1, .found = keep, .opaque = &found};
    AVFrame *frame = grey(100);
    sh_still_frame(&finder, frame, 0);
    sh_still_end(&finder, 1);
    sh_still_frame(&finder, frame, 1);
    sh_still_end(&finder, 2);
    assert_int_equal(found.count, 0);
    av_frame_free(&frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_end_where_pictures_change),
        cmocka_unit_test(the_last_run_ends_with_the_pictures),
        cmocka_unit_test(runs_are_joined_at_borders_alone),
        cmocka_unit_test(nothing_reaches_over_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
