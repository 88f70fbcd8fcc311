/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Decisions: facts and options in, plan out. Each case changes one thing of a plain film. */
#include "media/facts_json.h"
#include "media/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct making {
    sh_facts facts;
    sh_upscale_options options;
    spyhop_model_info model;
    const AVOutputFormat *muxer;
    sh_plan plan;
    sh_err err;
} making;

static making *film(int width, int height)
{
    making *m = calloc(1, sizeof(*m));
    assert_non_null(m);
    sh_upscale_options_default(&m->options);
    m->model = (spyhop_model_info){
        .size = sizeof(m->model), .name = "test", .scale = 2, .channels = 1, .macs_per_pixel = 5000};
    m->muxer = av_guess_format("mp4", NULL, NULL);
    m->facts.width = width;
    m->facts.height = height;
    m->facts.format = AV_PIX_FMT_YUV420P;
    m->facts.bits = 8;
    snprintf(m->facts.chroma, sizeof(m->facts.chroma), "4:2:0");
    m->facts.sar = (AVRational){1, 1};
    m->facts.time_base = (AVRational){1, 12800};
    m->facts.rate = (AVRational){25, 1};
    m->facts.frames = 1000;
    m->facts.sampled = m->facts.fields.compared = 40;
    m->facts.fields.progressive = 40;
    m->facts.scan = SH_SCAN_PROGRESSIVE;
    m->facts.fields_top = true;
    m->facts.colour = (sh_colour){AVCOL_PRI_BT470BG, AVCOL_TRC_SMPTE170M, AVCOL_SPC_BT470BG, AVCOL_RANGE_MPEG,
                                  AVCHROMA_LOC_LEFT};
    m->facts.track_count = 2;
    return m;
}

static int make(making *m)
{
    return sh_plan_make(&m->facts, &m->options, &m->model, m->muxer, &m->plan, &m->err);
}

static const sh_plan_note *note(const making *m, const char *topic)
{
    for (int i = 0; i < m->plan.note_count; i++)
        if (strcmp(m->plan.notes[i].topic, topic) == 0)
            return &m->plan.notes[i];
    return NULL;
}

static void assert_ratio(AVRational value, int num, int den)
{
    assert_int_equal(value.num, num);
    assert_int_equal(value.den, den);
}

static void test_plain(void **state)
{
    (void)state;
    making *m = film(640, 480);
    assert_int_equal(make(m), 0);
    assert_int_equal(m->plan.deinterlace, SH_DEINTERLACE_OFF);
    assert_int_equal(m->plan.out_width, 1280);
    assert_int_equal(m->plan.out_height, 960);
    assert_int_equal(m->plan.out_format, AV_PIX_FMT_YUV420P);
    assert_int_equal(m->plan.out_bits, 8);
    assert_int_equal(m->plan.codec, AV_CODEC_ID_H264);
    assert_string_equal(m->plan.encoder, "libx264");
    assert_int_equal(m->plan.loss_count, 0);
    assert_int_equal(m->plan.piece_frames, 250);
    assert_ratio(m->plan.rate, 25, 1);
    assert_true(sh_colour_same(&m->plan.colour, &m->facts.colour)); /* BT.601 stays BT.601 at HD size */
    for (int i = 0; i < m->plan.note_count; i++)
        assert_true(m->plan.notes[i].topic[0] && m->plan.notes[i].what[0]);
    free(m);
}

static void test_interlace(void **state)
{
    (void)state;
    making *m = film(720, 576);
    m->facts.scan = SH_SCAN_BOTTOM_FIRST;
    m->facts.fields_top = false;
    m->facts.fields = (sh_facts_fields){.compared = 40, .bottom = 38};
    assert_int_equal(make(m), 0);
    assert_int_equal(m->plan.deinterlace, SH_DEINTERLACE_FRAME);
    assert_false(m->plan.top_field_first);
    assert_false(m->plan.only_flagged);
    assert_non_null(strstr(note(m, "interlace")->why, "38 of 38"));
    assert_non_null(strstr(note(m, "interlace")->why, "flagged progressive"));
    m->options.deinterlace = SH_DEINTERLACE_OFF;
    assert_int_equal(make(m), 0);
    assert_int_equal(m->plan.deinterlace, SH_DEINTERLACE_OFF);
    m->options.deinterlace = SH_DEINTERLACE_FIELD;
    assert_int_equal(make(m), 0);
    assert_ratio(m->plan.rate, 50, 1);
    assert_ratio(m->plan.time_base, 1, 25600);
    assert_int_equal(m->plan.frames, 2000);
    m->options.telecine = true;
    assert_int_equal(make(m), SH_E_ARGUMENT);
    free(m);
}

/* What is measured counts, unless nothing moves: then what is flagged. */
static void test_flags(void **state)
{
    (void)state;
    making *m = film(720, 576);
    m->facts.fields.flagged = m->facts.fields.flagged_top = 40;
    assert_int_equal(make(m), 0);
    assert_int_equal(m->plan.deinterlace, SH_DEINTERLACE_OFF);
    m->facts.scan = SH_SCAN_UNKNOWN;
    assert_int_equal(make(m), 0);
    assert_int_equal(m->plan.deinterlace, SH_DEINTERLACE_FRAME);
    m->facts.scan = SH_SCAN_MIXED;
    m->facts.fields =
        (sh_facts_fields){.compared = 39, .progressive = 20, .top = 19, .flagged = 20, .flagged_top = 20};
    assert_int_equal(make(m), 0);
    assert_true(m->plan.only_flagged);
    m->facts.fields.flagged = 40;
    assert_int_equal(make(m), 0);
    assert_false(m->plan.only_flagged);
    free(m);
}

static void test_telecine(void **state)
{
    (void)state;
    making *m = film(720, 480);
    m->facts.rate = (AVRational){30000, 1001};
    m->facts.scan = SH_SCAN_MIXED;
    m->facts.telecine = true;
    m->facts.fields =
        (sh_facts_fields){.compared = 39, .progressive = 23, .top = 16, .cadence = 30, .cadence_hits = 30};
    assert_int_equal(make(m), 0);
    assert_false(m->plan.telecine);
    assert_non_null(strstr(note(m, "telecine")->why, "--telecine"));
    m->options.telecine = true;
    assert_int_equal(make(m), 0);
    assert_true(m->plan.telecine);
    assert_ratio(m->plan.rate, 24000, 1001);
    assert_int_equal(m->plan.frames, 800);
    m->facts.bits = 10;
    m->facts.format = AV_PIX_FMT_YUV420P10;
    assert_int_equal(make(m), SH_E_UNSUPPORTED);
    free(m);
}

/* ---- size, shape, turn ---- */

static void test_size(void **state)
{
    (void)state;
    static const struct {
        int width, height, scale, to_width, to_height;
        bool large;
        int out_width, out_height; /* 0: refused */
    } cases[] = {
        {640, 480, 2, 0, 0, false, 1280, 960},      {640, 480, 3, 0, 0, false, 1920, 1440},
        {960, 540, 2, 0, 1080, false, 1920, 1080},  {720, 400, 4, 0, 1080, false, 1920, 1066},
        {720, 540, 2, 0, 720, false, 960, 720},     {540, 960, 2, 0, 1080, false, 1080, 1920},
        {480, 640, 2, 0, 720, false, 720, 960},     {640, 480, 2, 0, 1080, false, 0, 0},
        {640, 360, 2, 1024, 0, false, 1024, 576},   {640, 360, 2, 1000, 500, false, 1000, 500},
        {640, 360, 2, 2000, 500, false, 0, 0},      {1920, 1080, 2, 0, 0, false, 3840, 2160},
        {2048, 1080, 2, 0, 0, false, 4096, 2160},   {2560, 1440, 2, 0, 0, false, 3840, 2160},
        {2560, 1440, 2, 0, 0, true, 5120, 2880},    {3840, 2160, 2, 0, 0, false, 3840, 2160},
        {5120, 2880, 2, 0, 0, false, 0, 0},         {2560, 1440, 2, 5000, 0, false, 0, 0},
        {2560, 1440, 2, 5000, 0, true, 5000, 2812}, {1080, 1920, 4, 0, 0, false, 2160, 3840},
        {321, 241, 3, 0, 0, false, 962, 722},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        making *m = film(cases[i].width, cases[i].height);
        m->model.scale = cases[i].scale;
        m->options.to_width = cases[i].to_width;
        m->options.to_height = cases[i].to_height;
        m->options.large = cases[i].large;
        const int status = make(m);
        assert_int_equal(status == 0 ? m->plan.out_width : 0, cases[i].out_width);
        assert_int_equal(status == 0 ? m->plan.out_height : 0, cases[i].out_height);
        if (status < 0)
            assert_true(m->err.message[0]);
        free(m);
    }
}

static void test_shape(void **state)
{
    (void)state;
    making *m = film(720, 576);
    m->facts.sar = (AVRational){64, 45};
    assert_int_equal(make(m), 0);
    assert_ratio(m->plan.sar, 64, 45);
    assert_non_null(note(m, "shape"));
    m->options.to_width = 1440; /* exact, of another shape: the pixels make up for it */
    m->options.to_height = 810;
    assert_int_equal(make(m), 0);
    assert_int_equal(m->plan.out_height, 810);
    assert_ratio(m->plan.sar, 1, 1); /* 16:9 as it is shown */
    m->options.to_width = 0;
    m->options.to_height = 720;
    assert_int_equal(make(m), 0);
    assert_ratio(m->plan.sar, 64, 45);
    assert_int_equal(m->plan.out_width, 900);
    assert_int_equal(m->plan.out_height, 720);
    free(m);
}

static void test_turn(void **state)
{
    (void)state;
    making *m = film(640, 360);
    m->facts.turn = 90;
    m->facts.matrix_told = true;
    m->facts.sar = (AVRational){4, 3};
    assert_int_equal(make(m), 0); /* MP4 can tell it */
    assert_true(m->plan.keep_matrix);
    assert_int_equal(m->plan.turn, 0);
    assert_int_equal(m->plan.out_width, 1280);
    m->options.to_height = 480; /* a box for the picture as it is shown: upright */
    assert_int_equal(make(m), 0);
    assert_int_equal(m->plan.out_width, 854);
    assert_int_equal(m->plan.out_height, 480);
    m->options.to_height = 0;
    m->options.rotation = SH_ROTATION_APPLY;
    assert_int_equal(make(m), 0);
    assert_false(m->plan.keep_matrix);
    assert_int_equal(m->plan.turn, 90);
    assert_int_equal(m->plan.work_width, 360);
    assert_int_equal(m->plan.out_width, 720);
    assert_int_equal(m->plan.out_height, 1280);
    assert_ratio(m->plan.sar, 3, 4);
    m->muxer = av_guess_format("matroska", NULL, NULL); /* cannot */
    m->options.rotation = SH_ROTATION_AUTO;
    assert_int_equal(make(m), 0);
    assert_int_equal(m->plan.turn, 90);
    m->options.rotation = SH_ROTATION_KEEP;
    assert_int_equal(make(m), SH_E_ARGUMENT);
    free(m);
}

/* ---- depth, HDR, Dolby Vision ---- */

static void test_depth(void **state)
{
    (void)state;
    making *m = film(640, 360);
    m->facts.bits = 10;
    m->facts.format = AV_PIX_FMT_YUV420P10;
    assert_int_equal(make(m), 0);
    assert_int_equal(m->plan.codec, AV_CODEC_ID_HEVC);
    assert_int_equal(m->plan.out_bits, 10);
    m->facts.bits = 12;
    m->facts.format = AV_PIX_FMT_YUV420P12;
    assert_int_equal(make(m), 0);
    assert_int_equal(m->plan.loss_count, 1);
    m->facts.bits = 8;
    m->facts.format = AV_PIX_FMT_YUVA420P;
    m->facts.alpha = true;
    assert_int_equal(make(m), 0);
    assert_int_equal(m->plan.loss_count, 1);
    assert_non_null(strstr(m->plan.losses[0], "alpha"));
    free(m);
}

static void test_hdr(void **state)
{
    (void)state;
    making *m = film(640, 360);
    m->facts.bits = 10;
    m->facts.format = AV_PIX_FMT_YUV420P10;
    m->facts.hdr = SH_HDR_HDR10P;
    m->facts.colour = (sh_colour){AVCOL_PRI_BT2020, AVCOL_TRC_SMPTE2084, AVCOL_SPC_BT2020_NCL,
                                  AVCOL_RANGE_MPEG, AVCHROMA_LOC_TOPLEFT};
    m->facts.has_light = true;
    m->facts.light = (AVContentLightMetadata){1000, 400};
    assert_int_equal(make(m), 0);
    assert_int_equal(m->plan.hdr, SH_HDR_HDR10P);
    assert_true(m->plan.hdr10plus);
    assert_true(m->plan.has_light);
    assert_int_equal(m->plan.light.MaxCLL, 1000);
    assert_int_equal(m->plan.codec, AV_CODEC_ID_HEVC);
    m->muxer = NULL; /* Y4M */
    assert_int_equal(make(m), 0);
    assert_string_equal(m->plan.encoder, "y4m");
    assert_false(m->plan.hdr10plus);
    assert_true(m->plan.loss_count >= 2); /* HDR, the other track */
    free(m);
}

static void test_dolby(void **state)
{
    (void)state;
    static const struct {
        int profile, compatibility;
        enum AVColorTransferCharacteristic told;
        bool refused;
    } cases[] = {
        {5, 0, AVCOL_TRC_UNSPECIFIED, true},   {8, 1, AVCOL_TRC_SMPTE2084, false},
        {8, 4, AVCOL_TRC_ARIB_STD_B67, false}, {7, 6, AVCOL_TRC_SMPTE2084, false},
        {10, 0, AVCOL_TRC_SMPTE2084, true},    {10, 1, AVCOL_TRC_SMPTE2084, false},
        {0, 0, AVCOL_TRC_UNSPECIFIED, true},   {0, 0, AVCOL_TRC_SMPTE2084, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        making *m = film(640, 360);
        m->facts.bits = 10;
        m->facts.format = AV_PIX_FMT_YUV420P10;
        m->facts.dolby = true;
        m->facts.dolby_profile = cases[i].profile;
        m->facts.dolby_compatibility = cases[i].compatibility;
        m->facts.colour_told.transfer = cases[i].told;
        assert_int_equal(make(m), cases[i].refused ? SH_E_UNSUPPORTED : 0);
        if (cases[i].refused)
            assert_non_null(strstr(m->err.message, "Dolby Vision"));
        else
            assert_int_equal(m->plan.loss_count, cases[i].profile == 0); /* else the container says so */
        free(m);
    }
}

/* ---- pieces, words, text ---- */

static void test_pieces(void **state)
{
    (void)state;
    making *m = film(640, 480);
    m->model.macs_per_pixel = 300000;
    assert_int_equal(make(m), 0);
    assert_true(m->plan.piece_frames < 100 && m->plan.piece_frames >= 24);
    m->model.macs_per_pixel = 50000000;
    assert_int_equal(make(m), 0);
    assert_int_equal(m->plan.piece_frames, 24);
    m->model.macs_per_pixel = 0;
    assert_int_equal(make(m), 0);
    assert_int_equal(m->plan.piece_frames, 48);
    m->options.piece_frames = 1;
    assert_int_equal(make(m), 0);
    assert_int_equal(m->plan.piece_frames, 2);
    free(m);
}

static void test_losses_end(void **state)
{
    (void)state;
    making *m = film(640, 480);
    for (int i = 0; i < SH_PLAN_LOSSES + 5; i++)
        sh_plan_lose(&m->plan, "loss %d", i);
    assert_int_equal(m->plan.loss_count, SH_PLAN_LOSSES);
    assert_string_equal(m->plan.losses[0], "loss 0");
    assert_string_equal(m->plan.losses[SH_PLAN_LOSSES - 1], "and 6 more");
    for (int i = 0; i < SH_PLAN_NOTES + 5; i++)
        sh_plan_say(&m->plan, "a", "b", "%d", i);
    assert_int_equal(m->plan.note_count, SH_PLAN_NOTES);
    free(m);
}

static char *text_of(making *m)
{
    sh_buf text;
    sh_buf_init(&text, 4096);
    assert_int_equal(make(m), 0);
    assert_int_equal(sh_plan_text(&m->plan, &text), 0);
    char *made = sh_buf_take(&text, NULL);
    assert_non_null(made);
    return made;
}

static void test_text(void **state)
{
    (void)state;
    making *m = film(640, 480);
    char *first = text_of(m), *second = text_of(m);
    assert_string_equal(first, second);
    free(second);
    /* What the result's bytes do not depend on is not in it; what they do is. */
    m->facts.frames = 7;
    m->options.report = "x";
    second = text_of(m);
    assert_string_equal(first, second);
    free(second);
    m->options.crf = 21.5;
    second = text_of(m);
    assert_non_null(strstr(second, "crf=21500\n"));
    assert_string_not_equal(first, second);
    free(second);
    m->options.crf = -1;
    m->facts.colour.range = AVCOL_RANGE_JPEG;
    second = text_of(m);
    assert_string_not_equal(first, second);
    free(second);
    free(first);
    sh_buf small;
    sh_buf_init(&small, 40);
    assert_int_equal(sh_plan_text(&m->plan, &small), SH_E_MEMORY);
    sh_buf_free(&small);
    free(m);
}

static void test_untouched(void **state)
{
    (void)state;
    making *m = film(640, 480);
    m->options.to_width = 9999;
    m->plan.out_width = 77;
    assert_int_equal(make(m), SH_E_ARGUMENT);
    assert_int_equal(m->plan.out_width, 77);
    m->options.to_width = 0;
    m->options.crf = 60;
    assert_int_equal(make(m), SH_E_ARGUMENT);
    free(m);
}

static void test_json(void **state)
{
    (void)state;
    making *m = film(640, 480);
    assert_int_equal(make(m), 0);
    json_t *plan = sh_plan_json(&m->plan), *facts = sh_facts_json(&m->facts);
    assert_int_equal(json_integer_value(json_object_get(plan, "width")), 1280);
    assert_int_equal(json_array_size(json_object_get(plan, "notes")), m->plan.note_count);
    assert_string_equal(json_string_value(json_object_get(json_object_get(facts, "video"), "rate")), "25/1");
    assert_true(json_is_null(json_object_get(json_object_get(facts, "file"), "duration")));
    json_decref(plan);
    json_decref(facts);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),    cmocka_unit_test(test_interlace), cmocka_unit_test(test_flags),
        cmocka_unit_test(test_telecine), cmocka_unit_test(test_size),      cmocka_unit_test(test_shape),
        cmocka_unit_test(test_turn),     cmocka_unit_test(test_depth),     cmocka_unit_test(test_hdr),
        cmocka_unit_test(test_dolby),    cmocka_unit_test(test_pieces),    cmocka_unit_test(test_losses_end),
        cmocka_unit_test(test_text),     cmocka_unit_test(test_untouched), cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
