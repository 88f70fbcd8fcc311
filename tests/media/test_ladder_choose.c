/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which renditions films get: sizes, ceilings, codecs, tracks. */
#include "media/ladder_choose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void words_of(char *words, size_t size, int width, int height)
{
    sh_ladder_step steps[SH_LADDER_STEPS];
    const int count = sh_ladder_steps(steps, width, height, (AVRational){30, 1}, SH_LADDER_H264);
    words[0] = '\0';
    for (int i = 0; i < count; i++) {
        const size_t used = strlen(words);
        snprintf(words + used, size - used, "%s%dx%d", i ? " " : "", steps[i].width, steps[i].height);
    }
}

static void test_sizes(void **state)
{
    static const struct {
        int width, height;
        const char *expected;
    } cases[] = {
        {3840, 2160, "3840x2160 2560x1440 1920x1080 1280x720 960x540 640x360 426x240"},
        {1920, 1080, "1920x1080 1280x720 960x540 640x360 426x240"},
        {1280, 960, "1280x960 960x720 720x540 480x360 320x240"},
        {960, 540, "960x540 640x360 426x240"},
        {540, 960, "540x960 360x640 240x426"},
        {1440, 1152, "1440x1152 900x720 676x540 450x360 300x240"},
        {640, 480, "640x480 480x360 320x240"},
        {1000, 700, "1000x700 514x360 342x240"}, /* 540 is nearer than 1.3 */
        {702, 702, "702x702 540x540 360x360 240x240"},
        {300, 200, "300x200"},
        {64, 64, "64x64"},
        {8192, 4320, "8192x4320 4096x2160 2730x1440 2048x1080 1366x720 1024x540 682x360 456x240"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char words[200];
        words_of(words, sizeof(words), cases[i].width, cases[i].height);
        assert_string_equal(words, cases[i].expected);
    }
}

static int64_t ceiling_of(int width, int height, int num, int den, int codec)
{
    sh_ladder_step steps[SH_LADDER_STEPS];
    sh_ladder_steps(steps, width, height, (AVRational){num, den}, codec);
    return steps[0].ceiling;
}

static void test_ceilings(void **state)
{
    assert_int_equal(ceiling_of(1920, 1080, 30, 1, SH_LADDER_H264), 8000000);
    assert_int_equal(ceiling_of(1920, 1080, 0, 1, SH_LADDER_H264), 8000000);
    assert_int_equal(ceiling_of(1080, 1920, 30, 1, SH_LADDER_H264), 8000000);
    assert_in_range(ceiling_of(1920, 1080, 60, 1, SH_LADDER_H264), 12000000, 12500000);
    assert_in_range(ceiling_of(1280, 720, 30, 1, SH_LADDER_H264), 4000000, 4300000);
    assert_in_range(ceiling_of(640, 360, 30, 1, SH_LADDER_H264), 1300000, 1500000);
    assert_int_equal(ceiling_of(1920, 1080, 30, 1, SH_LADDER_HEVC), 5200000);
    assert_int_equal(ceiling_of(1920, 1080, 30, 1, SH_LADDER_AV1), 4400000);
    assert_int_equal(ceiling_of(16, 16, 1, 1, SH_LADDER_AV1), 50000);
    for (int codec = SH_LADDER_H264; codec <= SH_LADDER_AV1; codec++) {
        sh_ladder_step steps[SH_LADDER_STEPS];
        const int count = sh_ladder_steps(steps, 3840, 2160, (AVRational){24000, 1001}, codec);
        for (int i = 1; i < count; i++)
            assert_true(steps[i].ceiling < steps[i - 1].ceiling);
    }
}

/* ---- whole choices ---- */

static sh_facts facts;
static sh_plan plan;
static sh_ladder_job job;
static sh_ladder_wish wish;

static void film(int width, int height, sh_hdr hdr)
{
    facts = (sh_facts){.track_count = 1, .tracks = {{.type = AVMEDIA_TYPE_VIDEO, .codec = AV_CODEC_ID_H264}}};
    plan = (sh_plan){.out_width = width,
                     .out_height = height,
                     .sar = {1, 1},
                     .rate = {25, 1},
                     .out_bits = hdr ? 10 : 8,
                     .hdr = hdr};
    wish = (sh_ladder_wish){.crf = -1};
    sh_ladder_job_default(&job);
}

static int choose(sh_err *err)
{
    sh_ladder_choice choice = {.job = &job, .facts = &facts, .plan = &plan, .duration = 30};
    err->message[0] = '\0';
    return sh_ladder_choose(&wish, &choice, err);
}

static void add_track(int type, int codec, int channels, int disposition)
{
    sh_facts_track *track = &facts.tracks[facts.track_count];
    *track = (sh_facts_track){.index = (int)facts.track_count++,
                              .type = type,
                              .codec = codec,
                              .channels = channels,
                              .disposition = disposition};
}

static bool said(const char *words)
{
    for (int i = 0; i < plan.note_count; i++)
        if (strstr(plan.notes[i].what, words) || strstr(plan.notes[i].why, words))
            return true;
    return false;
}

static void test_plain(void **state)
{
    sh_err err;
    film(960, 540, SH_HDR_NONE);
    assert_int_equal(choose(&err), 0);
    assert_int_equal(job.video_count, 3);
    assert_int_equal(job.audio_count, 0);
    assert_int_equal(job.text_count, 0);
    assert_int_equal(job.capture_count, 1);
    assert_int_equal(job.output_count, 4);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(job.videos[i].encoder.name, "libx264");
        assert_int_equal(job.videos[i].bits, 8);
        assert_true(job.videos[i].encoder.crf == 21);
        assert_true(job.videos[i].encoder.max_bitrate > 0);
        assert_false(job.videos[i].sdr);
        assert_int_equal(job.outputs[i].kind, SH_LADDER_CMAF);
        assert_int_equal(job.outputs[i].video, i);
        assert_int_equal(job.outputs[i].audio_count, 0);
    }
    assert_int_equal(job.captures[0].width, 160);
    assert_int_equal(job.captures[0].height, 90);
    assert_true(said("960x540, H.264"));
}

static void test_pixels_become_square(void **state)
{
    sh_err err;
    film(1440, 1152, SH_HDR_NONE);
    plan.sar = (AVRational){16, 15};
    assert_int_equal(choose(&err), 0);
    assert_int_equal(job.videos[0].width, 1536);
    assert_int_equal(job.videos[0].height, 1152);
    assert_int_equal(job.videos[1].width, 960);
    assert_int_equal(job.videos[1].height, 720);
}

static void test_many_pictures_a_second(void **state)
{
    static const struct {
        AVRational rate, expected;
    } cases[] = {
        {{60, 1}, {0, 1}},   {{60000, 1001}, {0, 1}}, {{120, 1}, {60, 1}}, {{120000, 1001}, {60000, 1001}},
        {{100, 1}, {50, 1}}, {{144, 1}, {48, 1}},     {{240, 1}, {60, 1}}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        sh_err err;
        film(640, 360, SH_HDR_NONE);
        plan.rate = cases[i].rate;
        assert_int_equal(choose(&err), 0);
        assert_int_equal(av_cmp_q(job.videos[0].rate, cases[i].expected), 0);
        assert_int_equal(said("pictures left out"), cases[i].expected.num > 0);
    }
}

static void test_hdr(void **state)
{
    static const struct {
        int codec;
        bool sdr;
        const char *first, *second; /* encoders; NULL: no second ladder */
        bool first_sdr;
    } cases[] = {
        {SH_LADDER_ANY, false, "libx265", NULL, false},
        {SH_LADDER_ANY, true, "libx265", "libx264", false},
        {SH_LADDER_AV1, false, "libsvtav1", NULL, false},
        {SH_LADDER_AV1, true, "libsvtav1", "libx264", false},
        {SH_LADDER_H264, false, "libx264", NULL, true},
        {SH_LADDER_H264, true, "libx264", NULL, true},
        {SH_LADDER_HEVC, true, "libx265", "libx264", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        sh_err err;
        film(1280, 720, i % 2 ? SH_HDR_HLG : SH_HDR_HDR10);
        wish.codec = cases[i].codec;
        wish.sdr = cases[i].sdr;
        assert_int_equal(choose(&err), 0);
        assert_int_equal(job.video_count, cases[i].second ? 8 : 4);
        for (int n = 0; n < job.video_count; n++) {
            const bool second = n >= 4;
            assert_string_equal(job.videos[n].encoder.name, second ? cases[i].second : cases[i].first);
            assert_int_equal(job.videos[n].sdr, second || cases[i].first_sdr);
        }
    }
}

/* Words of one encoder are not for another. */
static void test_words_of_an_encoder(void **state)
{
    sh_err err;
    film(1280, 720, SH_HDR_HDR10);
    wish = (sh_ladder_wish){.sdr = true, .crf = 30, .preset = "fast"};
    assert_int_equal(choose(&err), 0);
    assert_true(job.videos[0].encoder.crf == 30 && job.videos[4].encoder.crf == 21);
    assert_string_equal(job.videos[4].encoder.preset, "fast");
    assert_true(said("SDR at its own quality"));
    film(1280, 720, SH_HDR_HDR10);
    wish = (sh_ladder_wish){.codec = SH_LADDER_AV1, .sdr = true, .crf = -1, .preset = "9"};
    assert_int_equal(choose(&err), 0);
    assert_null(job.videos[4].encoder.preset);
    assert_true(said("SDR at its own quality"));
}

static void test_wishes(void **state)
{
    sh_err err;
    film(1280, 720, SH_HDR_NONE);
    wish = (sh_ladder_wish){.codec = SH_LADDER_AV1,
                            .sdr = true,
                            .crf = 40,
                            .preset = "10",
                            .most = 2,
                            .gop_seconds = 1,
                            .no_thumbnails = true};
    assert_int_equal(choose(&err), 0);
    assert_int_equal(job.video_count, 2);
    assert_int_equal(job.capture_count, 0);
    assert_string_equal(job.videos[1].encoder.preset, "10");
    assert_true(job.videos[1].encoder.crf == 40 && job.videos[1].gop_seconds == 1);
    assert_true(said("the source is SDR itself"));
}

static void test_too_small(void **state)
{
    sh_err err;
    film(400, 60, SH_HDR_NONE);
    wish.codec = SH_LADDER_AV1;
    assert_int_equal(choose(&err), SH_E_LIMIT);
    assert_non_null(strstr(err.message, "64x64"));
    film(400, 60, SH_HDR_NONE);
    assert_int_equal(choose(&err), 0);
    assert_int_equal(job.video_count, 1);
}

static void test_tracks(void **state)
{
    sh_err err;
    film(640, 360, SH_HDR_NONE);
    add_track(AVMEDIA_TYPE_AUDIO, AV_CODEC_ID_AAC, 1, 0);
    add_track(AVMEDIA_TYPE_AUDIO, AV_CODEC_ID_AC3, 6, AV_DISPOSITION_DEFAULT);
    add_track(AVMEDIA_TYPE_AUDIO, AV_CODEC_ID_NONE, 2, 0);
    add_track(AVMEDIA_TYPE_SUBTITLE, AV_CODEC_ID_SUBRIP, 0, AV_DISPOSITION_FORCED);
    add_track(AVMEDIA_TYPE_SUBTITLE, AV_CODEC_ID_HDMV_PGS_SUBTITLE, 0, 0);
    add_track(AVMEDIA_TYPE_SUBTITLE, AV_CODEC_ID_MOV_TEXT, 0, AV_DISPOSITION_HEARING_IMPAIRED);
    facts.captions = true;
    assert_int_equal(choose(&err), 0);
    assert_int_equal(job.audio_count, 2);
    assert_int_equal(job.audios[0].bitrate, 96000);
    assert_int_equal(job.audios[1].bitrate, 128000);
    assert_int_equal(job.text_count, 3);
    assert_int_equal(job.texts[0].track, 4);
    assert_int_equal(job.texts[1].track, 6);
    assert_int_equal(job.texts[2].track, -1);
    const sh_ladder_output *audio = &job.outputs[job.video_count], *text = audio + 2;
    assert_int_equal(audio[0].kind, SH_LADDER_CMAF);
    assert_int_equal(audio[0].video, -1);
    assert_int_equal(audio[0].audios[0], 0);
    assert_int_equal(sh_ladder_id_track(audio[1].id), 2);
    assert_int_equal(sh_ladder_id_flags(audio[1].id), SH_LADDER_IS_DEFAULT);
    assert_int_equal(text[0].kind, SH_LADDER_VTT);
    assert_int_equal(sh_ladder_id_flags(text[0].id), SH_LADDER_IS_FORCED);
    assert_int_equal(sh_ladder_id_flags(text[1].id), SH_LADDER_IS_FOR_THE_DEAF);
    assert_int_equal(sh_ladder_id_track(text[2].id), -1);
    assert_true(said("pictures of words"));
}

static void test_too_many_tracks(void **state)
{
    sh_err err;
    film(640, 360, SH_HDR_NONE);
    for (int i = 0; i < 40; i++) {
        add_track(AVMEDIA_TYPE_AUDIO, AV_CODEC_ID_AAC, 2, 0);
        add_track(AVMEDIA_TYPE_SUBTITLE, AV_CODEC_ID_SUBRIP, 0, 0);
    }
    assert_int_equal(choose(&err), 0);
    assert_int_equal(job.audio_count, SH_LADDER_AUDIOS);
    assert_int_equal(job.text_count, SH_LADDER_TEXTS);
    assert_true(said("audio track left out"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_ceilings),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_pixels_become_square),
        cmocka_unit_test(test_many_pictures_a_second),
        cmocka_unit_test(test_hdr),
        cmocka_unit_test(test_words_of_an_encoder),
        cmocka_unit_test(test_wishes),
        cmocka_unit_test(test_too_small),
        cmocka_unit_test(test_tracks),
        cmocka_unit_test(test_too_many_tracks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
