/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The clock of ladders: ticks that make lengths exact, borders by time, another rate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "media/ladder_time.h"
#include <libavutil/mathematics.h>

#define SH_COUNT(array) (sizeof(array) / sizeof((array)[0]))

static sh_timeline open_time(AVRational base, AVRational rate, bool vfr, AVRational to, double seconds,
                             double least, double duration)
{
    const sh_timeline_settings settings = {.source = base,
                                           .rate = rate,
                                           .vfr = vfr,
                                           .to = to,
                                           .segment_seconds = seconds,
                                           .min_last_seconds = least,
                                           .duration = duration};
    sh_timeline t;
    assert_int_equal(sh_timeline_open(&t, &settings, NULL), 0);
    return t;
}

static void ticks_are_exact(void **state)
{
    static const struct {
        AVRational rate;
        int timescale;
        int64_t step;
    } rows[] = {{{25, 1}, 1000, 40},
                {{30000, 1001}, 30000, 1001},
                {{24000, 1001}, 24000, 1001},
                {{30, 1}, 1020, 34},
                {{24, 1}, 1008, 42},
                {{60, 1}, 1020, 17},
                {{120000, 1001}, 120000, 1001},
                {{1, 2}, 1000, 2000},
                {{1000, 1}, 1000, 1}};
    for (size_t i = 0; i < SH_COUNT(rows); i++) {
        sh_timeline t = open_time((AVRational){1, 90000}, rows[i].rate, false, (AVRational){0, 1}, 2, 0, 0);
        bool begins;
        assert_int_equal(t.timescale, rows[i].timescale);
        assert_int_equal(t.step, rows[i].step);
        sh_timeline_begin(&t, 1234, 13711); /* 1234 / 90000 s */
        for (int64_t n = 0; n < 500; n++) {
            const int64_t pts = 1234 + av_rescale_q(n, av_inv_q(rows[i].rate), (AVRational){1, 90000});
            assert_int_equal(sh_timeline_take(&t, pts, &begins), n * rows[i].step);
        }
    }
}

/* Milliseconds, as Matroska rounds them, come to the same. */
static void rounded_stamps_lie_on_the_grid(void **state)
{
    sh_timeline t =
        open_time((AVRational){1, 1000}, (AVRational){30000, 1001}, false, (AVRational){0, 1}, 2, 0, 0);
    bool begins;
    sh_timeline_begin(&t, 21, 0);
    for (int64_t n = 0; n < 300; n++) {
        const int64_t pts = 21 + (n * 1001 + 15) / 30;
        assert_int_equal(sh_timeline_take(&t, pts, &begins), 630 + n * 1001);
        assert_int_equal(begins, n % 60 == 0);
    }
}

/* Pictures that are not on the grid keep their times, and none goes backwards. */
static void odd_stamps_stay(void **state)
{
    sh_timeline t =
        open_time((AVRational){1, 90000}, (AVRational){25, 1}, false, (AVRational){0, 1}, 2, 0, 0);
    bool begins;
    sh_timeline_begin(&t, 0, 0);
    assert_int_equal(sh_timeline_take(&t, 0, &begins), 0);
    assert_int_equal(sh_timeline_take(&t, 1800, &begins), 20);
    assert_int_equal(sh_timeline_take(&t, 3600, &begins), 40);
    assert_int_equal(sh_timeline_take(&t, 3601, &begins), 41);
    assert_int_equal(sh_timeline_take(&t, 90000, &begins), 1000);
    assert_false(begins);
}

static void varying_rates_have_the_source_s_ticks(void **state)
{
    sh_timeline t = open_time((AVRational){1, 600}, (AVRational){0, 1}, true, (AVRational){0, 1}, 1, 0, 0);
    bool begins;
    assert_int_equal(t.timescale, 1200);
    sh_timeline_begin(&t, 100, 166666);
    assert_int_equal(sh_timeline_take(&t, 100, &begins), 0);
    assert_int_equal(sh_timeline_take(&t, 107, &begins), 14);
    t = open_time((AVRational){1001, 30000}, (AVRational){0, 1}, true, (AVRational){0, 1}, 1, 0, 0);
    assert_int_equal(t.timescale, 30000);
    sh_timeline_begin(&t, 0, 0);
    sh_timeline_take(&t, 0, &begins);
    assert_int_equal(sh_timeline_take(&t, 7, &begins), 7007);
}

/* First picture at or after n times the length; two pictures at least; no short end. */
static void borders_go_by_time(void **state)
{
    static const struct {
        double seconds, least, duration;
        int frames;
        int64_t borders[8];
    } rows[] = {
        {1, 0, 0, 100, {0, 25, 50, 75}},
        {1, 0.5, 4.2, 105, {0, 25, 50, 75}},      /* what is left is 0.2 s */
        {1, 0.1, 4.2, 105, {0, 25, 50, 75, 100}}, /* and may be */
        {1.01, 0, 0, 100, {0, 26, 51, 76}},
        {0.1, 0, 0, 10, {0, 3, 5, 8}},
    };
    for (size_t i = 0; i < SH_COUNT(rows); i++) {
        sh_timeline t = open_time((AVRational){1, 25}, (AVRational){25, 1}, false, (AVRational){0, 1},
                                  rows[i].seconds, rows[i].least, rows[i].duration);
        size_t found = 0;
        bool begins;
        sh_timeline_begin(&t, 0, 0);
        for (int64_t n = 0; n < rows[i].frames; n++) {
            sh_timeline_take(&t, n, &begins);
            if (begins)
                assert_int_equal(rows[i].borders[found++], n);
        }
        assert_true(found == SH_COUNT(rows[i].borders) || rows[i].borders[found] == 0);
    }
}

/* Behind any segment a second run comes to the same. */
static void going_on_is_the_same(void **state)
{
    const AVRational base = {1, 30000}, rate = {30000, 1001};
    sh_timeline t = open_time(base, rate, false, (AVRational){0, 1}, 0.7, 0.3, 10);
    int64_t start = 0, last = 0;
    bool begins, other;
    sh_timeline_begin(&t, 500, 0);
    for (int64_t n = 0; n < 290; n++) {
        const int64_t time = sh_timeline_take(&t, 500 + n * 1001, &begins);
        if (begins && n > 0) {
            sh_timeline again = open_time(base, rate, false, (AVRational){0, 1}, 0.7, 0.3, 10), copy = t;
            sh_timeline_begin(&again, 500, 0);
            sh_timeline_resume(&again, start, last);
            assert_int_equal(sh_timeline_take(&again, 500 + n * 1001, &other), time);
            for (int64_t k = n + 1; k < 290; k++) {
                const int64_t there = sh_timeline_take(&again, 500 + k * 1001, &other);
                assert_int_equal(there, sh_timeline_take(&copy, 500 + k * 1001, &begins));
                assert_int_equal(other, begins);
            }
            begins = true;
        }
        start = begins ? time : start;
        last = time;
    }
}

/* Each slot shows the last picture that has begun by then. */
static void another_rate_moves_nothing_far(void **state)
{
    static const AVRational rates[] = {{24, 1}, {60, 1}, {25, 1}, {15, 2}, {30000, 1001}};
    for (size_t i = 0; i < SH_COUNT(rates); i++) {
        sh_timeline t =
            open_time((AVRational){1, 90000}, (AVRational){30000, 1001}, false, rates[i], 2, 0, 0);
        int64_t before = 0;
        bool begins;
        sh_timeline_begin(&t, 0, 0);
        for (int64_t n = 0; n < 300; n++) {
            const int64_t pts = av_rescale_q(n, (AVRational){1001, 30000}, (AVRational){1, 90000});
            const int64_t time = sh_timeline_take(&t, pts, &begins);
            const int64_t own = av_rescale_q(pts, (AVRational){1, 90000}, (AVRational){1, t.timescale});
            assert_int_equal(time % t.step, 0);
            assert_true(time >= before);
            assert_true(time - own < t.step && own - time <= t.slack);
            before = time;
        }
    }
}

static void what_cannot_be_is_refused(void **state)
{
    sh_timeline t = {.timescale = 7};
    sh_timeline_settings s = {.source = {1, 90000}, .rate = {25, 1}, .segment_seconds = 0.05};
    assert_int_equal(sh_timeline_open(&t, &s, NULL), SH_E_ARGUMENT);
    s.segment_seconds = 4000;
    assert_int_equal(sh_timeline_open(&t, &s, NULL), SH_E_ARGUMENT);
    s.segment_seconds = 0.0 / 1.0 - 1;
    assert_int_equal(sh_timeline_open(&t, &s, NULL), SH_E_ARGUMENT);
    s.segment_seconds = 2;
    s.source = (AVRational){0, 1};
    assert_int_equal(sh_timeline_open(&t, &s, NULL), SH_E_UNSUPPORTED);
    assert_int_equal(t.timescale, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ticks_are_exact),
        cmocka_unit_test(rounded_stamps_lie_on_the_grid),
        cmocka_unit_test(odd_stamps_stay),
        cmocka_unit_test(varying_rates_have_the_source_s_ticks),
        cmocka_unit_test(borders_go_by_time),
        cmocka_unit_test(going_on_is_the_same),
        cmocka_unit_test(another_rate_moves_nothing_far),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
