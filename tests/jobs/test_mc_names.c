/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What names become, time codes, and automatic ladders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/size.h"
#include "cloud/jobs/mc_settings.h"

#include <stdlib.h>
#include <string.h>

static const sh_mc_values values = {.time_ms = 1591283128000, /* 2020-06-04 15:05:28 */
                                    .input = "s3://bucket/in/my.video.mov",
                                    .extension = "m3u8",
                                    .video = 5000000,
                                    .audio = 96000,
                                    .width = 1280,
                                    .height = 720,
                                    .rate = 59.94,
                                    .number = "7"};

/* The examples of AWS's guide among them. */
static void identifiers_are_replaced(void **state)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"plain", "plain"},
        {"$dt$", "20200604T150528"},
        {"a$d$b$t$c", "a20200604b150528c"},
        {"$rv$-$ra$-$rc$", "5000-96-5096"},
        {"$w$x$h$@$f$", "1280x720@59"},
        {"$h%04$", "0720"},
        {"$h%02$", "720"},
        {"$fn$.$ex$", "my.video.m3u8"},
        {"my-video$$hi-res-", "my-video$hi-res-"},
        {"video_$Number$", "video_7"},
        {"video_$Bandwidth$", "video_5096000"},
    };
    for (size_t i = 0; i < SH_COUNT(cases); i++) {
        char *text = NULL;
        sh_err err = {0};
        if (sh_mc_expand(&text, cases[i][0], &values, &err) < 0)
            fail_msg("%s: %s", cases[i][0], err.message);
        assert_string_equal(text, cases[i][1]);
        free(text);
    }
}

static void others_are_refused(void **state)
{
    static const char *const cases[] = {
        "$",     "$dt",    "a$b$c$",   "$DT$",   "$h%4$",
        "$h%0$", "$h%0x$", "$h%0999$", "$Time$", "$abcdefghijklmnopqrstuvwxyz$"};
    sh_mc_values destination = values;
    char *text = NULL;
    for (size_t i = 0; i < SH_COUNT(cases); i++) {
        sh_err err = {0};
        if (sh_mc_expand(&text, cases[i], &values, &err) != SH_E_ARGUMENT || !err.message[0])
            fail_msg("%s", cases[i]);
    }
    assert_null(text);
    destination.destination = true; /* a folder's name may have it */
    assert_int_equal(sh_mc_expand(&text, "$w$ costs $5, $x", &destination, NULL), 0);
    assert_string_equal(text, "$w$ costs $5, $x");
    free(text);
}

static void a_long_name_has_an_end(void **state)
{
    char *text = NULL, pattern[4096];
    sh_err err = {0};
    sh_mc_values long_name = values;
    char input[3000];
    memset(input, 'x', sizeof(input) - 1);
    input[sizeof(input) - 1] = '\0';
    long_name.input = input;
    for (size_t i = 0; i < 1000; i++)
        memcpy(pattern + 4 * i, "$fn$", 5);
    assert_int_not_equal(sh_mc_expand(&text, pattern, &long_name, &err), 0);
    assert_true(err.message[0] != '\0');
}

static void time_codes_count_frames(void **state)
{
    static const struct {
        sh_mc_timecode code;
        double rate;
        int64_t frame;
    } cases[] = {
        {{true, false, 0, 0, 0, 0}, 25, 0},
        {{true, false, 0, 0, 1, 5}, 25, 30},
        {{true, false, 1, 0, 0, 0}, 30000.0 / 1001, 108000},
        {{true, true, 1, 0, 0, 0}, 30000.0 / 1001, 107892},
        {{true, true, 0, 1, 0, 2}, 30000.0 / 1001, 1800},
        {{true, true, 0, 10, 0, 0}, 60000.0 / 1001, 35964},
    };
    for (size_t i = 0; i < SH_COUNT(cases); i++)
        assert_int_equal(sh_mc_timecode_frame(&cases[i].code, cases[i].rate), cases[i].frame);
}

static sh_mc_abr plain(void)
{
    return (sh_mc_abr){.wanted = true, .max_bitrate = 8000000, .min_bitrate = 600000, .max_renditions = 15};
}

static void check_order(const sh_mc_step *steps, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        assert_true(steps[i].width * steps[i].height < steps[i - 1].width * steps[i - 1].height);
        assert_true(steps[i].max_bitrate <= steps[i - 1].max_bitrate);
    }
}

static void ladders_fit_the_picture(void **state)
{
    static const int sizes[][2] = {{1920, 1080}, {1080, 1920}, {640, 360},
                                   {320, 180},   {7680, 4320}, {64, 64}};
    sh_mc_step steps[SH_MC_STEPS];
    const sh_mc_video pattern = {0};
    const sh_mc_abr abr = plain();
    for (size_t i = 0; i < SH_COUNT(sizes); i++) {
        size_t count = sh_mc_abr_steps(&abr, &pattern, sizes[i][0], sizes[i][1], 25, steps);
        assert_in_range(count, 1, 15);
        assert_int_equal(steps[0].width, sizes[i][0]);
        assert_int_equal(steps[0].height, sizes[i][1]);
        check_order(steps, count);
        assert_true(steps[count - 1].max_bitrate >= abr.min_bitrate &&
                    steps[0].max_bitrate <= abr.max_bitrate);
    }
}

static void ladders_follow_the_rules(void **state)
{
    sh_mc_step steps[SH_MC_STEPS];
    sh_mc_video pattern = {.width = 1280, .height = 720};
    sh_mc_abr abr = plain();
    size_t count = sh_mc_abr_steps(&abr, &pattern, 1920, 1080, 25, steps);
    assert_int_equal(steps[0].width, 1280);
    abr.max_renditions = 3;
    assert_in_range(sh_mc_abr_steps(&abr, &pattern, 1920, 1080, 25, steps), 1, 3);
    abr = plain();
    abr.min_bottom = (sh_mc_size){960, 540, false};
    count = sh_mc_abr_steps(&abr, &pattern, 1920, 1080, 25, steps);
    assert_true(steps[count - 1].width >= 960);
    abr = plain();
    abr.sizes[abr.size_count++] = (sh_mc_size){400, 224, false};
    count = sh_mc_abr_steps(&abr, &pattern, 1920, 1080, 25, steps);
    check_order(steps, count);
    bool found = false;
    for (size_t i = 0; i < count; i++)
        found = found || steps[i].width == 400;
    assert_true(found);
    abr.exclusive = true; /* that size and no other */
    assert_int_equal(sh_mc_abr_steps(&abr, &pattern, 1920, 1080, 25, steps), 1);
    assert_int_equal(steps[0].height, 224);
    abr.sizes[0].width = 4096; /* larger than the picture: then the picture's own */
    assert_int_equal(sh_mc_abr_steps(&abr, &pattern, 1920, 1080, 25, steps), 1);
    assert_int_equal(steps[0].width, 1280);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identifiers_are_replaced), cmocka_unit_test(others_are_refused),
        cmocka_unit_test(a_long_name_has_an_end),   cmocka_unit_test(time_codes_count_frames),
        cmocka_unit_test(ladders_fit_the_picture),  cmocka_unit_test(ladders_follow_the_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
