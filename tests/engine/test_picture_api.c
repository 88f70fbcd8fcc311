/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spyhop/picture.h: what is refused and in which words, that running allocates nothing, and that nothing is
 * left behind when memory runs out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "netmodel.h"
#include "picture.h"
#include "scarce.h"
#include "whole.h"
#include <glob.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static spyhop_scaling packed_scaling(void)
{
    spyhop_scaling s;
    spyhop_scaling_default(&s);
    s.in = whole_format(SPYHOP_YUV420, 10, 66, 38);
    s.in.semi = s.in.msb = s.in.alpha = 1;
    s.strength = 0.5;
    return s;
}

static spyhop_model *network(uint32_t seed)
{
    nm_model net;
    nm_fast(&net, 1, seed);
    spyhop_model *model = picture_model(&net);
    nm_free(&net);
    return model;
}

/* ---- memory ---- */

static int one_life(const spyhop_model *model, const whole *in, const whole *out, spyhop_error *error)
{
    spyhop_scaler *scaler = NULL;
    spyhop_settings settings;
    const spyhop_scaling scaling = packed_scaling();
    spyhop_settings_default(&settings);
    settings.threads = 2;
    int status = spyhop_scaler_open(&scaler, model, &settings, &scaling, error);
    if (status == SPYHOP_OK)
        status = spyhop_scaler_run(scaler, &in->picture, &out->picture, error);
    spyhop_scaler_close(&scaler);
    return status;
}

static void every_allocation_fails_once(void **state)
{
    spyhop_scaling s = packed_scaling();
    spyhop_format large = s.in;
    (void)state;
    large.width *= 2;
    large.height *= 2;
    spyhop_model *model = network(1);
    whole in = whole_new(&s.in, 0, 0), out = whole_new(&large, 0, 0);
    whole_fill(&in, 1);
    long n;
    int status = SPYHOP_E_MEMORY;
    for (n = 1; status != SPYHOP_OK && n < 1000; n++) {
        spyhop_error error = {0};
        scarce_fail(n);
        status = one_life(model, &in, &out, &error);
        scarce_fail(0);
        if (status != SPYHOP_OK)
            assert_true(status == SPYHOP_E_MEMORY && error.status == status && error.message[0]);
    }
    assert_int_equal(status, SPYHOP_OK);
    assert_true(n > 10);
    whole_free(&in);
    whole_free(&out);
    spyhop_model_free(&model);
}

static void count_frames(const spyhop_model *model)
{
    const spyhop_scaling s = packed_scaling();
    spyhop_scaling made;
    spyhop_scaler *scaler = whole_open(model, &s, 2, SPYHOP_CPU_AUTO);
    spyhop_scaling_default(&made);
    spyhop_scaler_describe(scaler, &made);
    whole in = whole_new(&s.in, 0, 0), out = whole_new(&made.out, 0, 0);
    whole_fill(&in, 1);
    const long before = scarce_calls();
    for (int i = 0; i < 5; i++)
        assert_int_equal(spyhop_scaler_run(scaler, &in.picture, &out.picture, NULL), SPYHOP_OK);
    assert_int_equal(scarce_calls(), before);
    whole_free(&in);
    whole_free(&out);
    spyhop_scaler_close(&scaler);
    assert_true(before > 0);
}

static void for_shipped(void (*check)(const spyhop_model *model))
{
    glob_t files;
    assert_int_equal(glob(SH_TEST_MODELS "/*.onnx", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        spyhop_model_info info = {.size = sizeof(info)};
        spyhop_model *model = NULL;
        spyhop_error error;
        if (spyhop_model_load(&model, files.gl_pathv[i], &error) < 0)
            fail_msg("%s", error.message);
        spyhop_model_describe(model, &info);
        if (info.channels == 1)
            check(model);
        spyhop_model_free(&model);
    }
    globfree(&files);
}

/* The shipped networks too, of whatever precision they are. */
static void running_allocates_nothing(void **state)
{
    spyhop_model *model = network(2);
    (void)state;
    count_frames(model);
    spyhop_model_free(&model);
    for_shipped(count_frames);
}

/* ---- flat pictures ---- */

static void flat_stays_flat(const spyhop_model *model, int depth, int range, int step)
{
    spyhop_scaling s;
    spyhop_scaling_default(&s);
    s.in = whole_format(SPYHOP_YUV420, depth, 21, 13);
    s.in.range = range;
    spyhop_scaler *scaler = whole_open(model, &s, 1, SPYHOP_CPU_AUTO);
    whole in = whole_new(&s.in, 0, 0);
    for (int v = 0; v < 1 << depth; v += step) {
        const int values[4] = {v, v, (1 << depth) - 1 - v, 0};
        whole_flat(&in, values);
        whole out = whole_run(scaler, &in, 0, 0);
        if (!whole_is_flat(&out, values))
            fail_msg("a flat picture of %d is not flat behind the network, depth %d", v, depth);
        whole_free(&out);
    }
    whole_free(&in);
    spyhop_scaler_close(&scaler);
}

/* Networks in integers are made so; of floats nothing is promised. */
static void check_flat(const spyhop_model *model)
{
    spyhop_model_info info = {.size = sizeof(info)};
    spyhop_model_describe(model, &info);
    if (info.precision != SPYHOP_PRECISION_INT8) {
        print_message("%s is not in integers: not checked\n", info.name);
        return;
    }
    for (int range = SPYHOP_LIMITED; range <= SPYHOP_FULL; range++) {
        flat_stays_flat(model, 8, range, 1);
        flat_stays_flat(model, 10, range, 1);
        flat_stays_flat(model, 16, range, 251);
    }
}

static void shipped_networks_keep_flat_pictures(void **state)
{
    (void)state;
    for_shipped(check_flat);
}

/* ---- what is refused ---- */

static void refuse_scaling(const spyhop_model *model, const spyhop_scaling *s, int status, const char *words)
{
    spyhop_scaler *scaler = NULL;
    spyhop_error error = {0};
    const int got = spyhop_scaler_open(&scaler, model, NULL, s, &error);
    if (got != status || error.status != status || !strstr(error.message, words))
        fail_msg("status %d and '%s', not %d and '%s'", got, error.message, status, words);
    assert_null(scaler);
}

/* One field of a format that is well otherwise. */
static void formats_are_checked(void **state)
{
    static const struct {
        size_t field;
        int value, status;
        const char *words;
    } cases[] = {
        {offsetof(spyhop_format, width), 0, SPYHOP_E_ARGUMENT, "it is 0 x 48; 1 to"},
        {offsetof(spyhop_format, width), -1, SPYHOP_E_ARGUMENT, "-1 x 48"},
        {offsetof(spyhop_format, height), 0, SPYHOP_E_ARGUMENT, "64 x 0"},
        {offsetof(spyhop_format, height), -2147483647 - 1, SPYHOP_E_ARGUMENT, "64 x -2147483648"},
        {offsetof(spyhop_format, width), 65536, SPYHOP_E_LIMIT, "65536 x 48; at most 32768"},
        {offsetof(spyhop_format, height), 2147483647, SPYHOP_E_LIMIT, "at most"},
        {offsetof(spyhop_format, height), 32768, SPYHOP_E_LIMIT, "height of 32768 at scale 2 makes 65536"},
        {offsetof(spyhop_format, layout), 8, SPYHOP_E_ARGUMENT, "no layout 8"},
        {offsetof(spyhop_format, layout), -1, SPYHOP_E_ARGUMENT, "no layout -1"},
        {offsetof(spyhop_format, depth), 7, SPYHOP_E_ARGUMENT, "depth is 7"},
        {offsetof(spyhop_format, depth), 17, SPYHOP_E_ARGUMENT, "depth is 17"},
        {offsetof(spyhop_format, range), 2, SPYHOP_E_ARGUMENT, "no range 2"},
        {offsetof(spyhop_format, siting), 6, SPYHOP_E_ARGUMENT, "no siting 6"},
        {offsetof(spyhop_format, siting), -1, SPYHOP_E_ARGUMENT, "no siting -1"},
        {offsetof(spyhop_format, msb), 2, SPYHOP_E_ARGUMENT, "msb is 2"},
        {offsetof(spyhop_format, semi), -1, SPYHOP_E_ARGUMENT, "semi is -1"},
        {offsetof(spyhop_format, alpha), 3, SPYHOP_E_ARGUMENT, "alpha is 3"},
        {offsetof(spyhop_format, reserved) + sizeof(int), 1, SPYHOP_E_ARGUMENT, "reserved[1]"},
    };
    spyhop_scaling s;
    spyhop_error error;
    size_t bytes = 77;
    int rows;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        spyhop_scaling_default(&s);
        s.scale = 2;
        s.in = whole_format(SPYHOP_YUV420, 8, 64, 48);
        memcpy((char *)&s.in + cases[i].field, &cases[i].value, sizeof(int));
        refuse_scaling(NULL, &s, cases[i].status, cases[i].words);
        if (spyhop_format_check(&s.in, &error) == SPYHOP_OK)
            assert_non_null(strstr(cases[i].words, "at scale"));
    }
    assert_int_equal(spyhop_format_check(NULL, &error), SPYHOP_E_ARGUMENT);
    s.in = whole_format(SPYHOP_GREY, 8, 64, 48);
    assert_int_equal(spyhop_format_plane(&s.in, 4, &bytes, &rows), SPYHOP_E_ARGUMENT);
    s.in.semi = 1;
    refuse_scaling(NULL, &s, SPYHOP_E_ARGUMENT, "grey has no chroma planes");
    assert_int_equal(spyhop_format_plane(&s.in, 0, &bytes, &rows), SPYHOP_E_ARGUMENT);
    assert_int_equal(bytes, 77);
}

static void scalings_are_checked(void **state)
{
    spyhop_model *model = network(3);
    spyhop_scaling good, s;
    spyhop_scaler *scaler = NULL;
    (void)state;
    spyhop_scaling_default(&good);
    good.in = whole_format(SPYHOP_YUV420, 8, 64, 48);
    refuse_scaling(NULL, &good, SPYHOP_E_ARGUMENT, "without a model a scale");
    s = good;
    s.scale = 3;
    refuse_scaling(model, &s, SPYHOP_E_ARGUMENT, "a scale of 3 was asked for; the model");
    s = good;
    s.scale = 9;
    refuse_scaling(NULL, &s, SPYHOP_E_ARGUMENT, "a scale of 9");
    s = good;
    s.scale = -1;
    refuse_scaling(NULL, &s, SPYHOP_E_ARGUMENT, "a scale of -1");
    s = good;
    s.strength = 1.01;
    refuse_scaling(model, &s, SPYHOP_E_ARGUMENT, "strength of 1.01");
    s = good;
    s.strength = NAN;
    refuse_scaling(model, &s, SPYHOP_E_ARGUMENT, "strength");
    s = good;
    s.size = 8;
    refuse_scaling(model, &s, SPYHOP_E_ARGUMENT, "size is 8");
    assert_int_equal(spyhop_scaler_open(&scaler, model, NULL, NULL, NULL), SPYHOP_E_ARGUMENT);
    assert_int_equal(spyhop_scaler_open(NULL, model, NULL, &good, NULL), SPYHOP_E_ARGUMENT);
    assert_null(scaler);
    spyhop_model_free(&model);
}

static void conversions_are_checked(void **state)
{
    spyhop_scaling good, s;
    (void)state;
    spyhop_scaling_default(&good);
    good.scale = 2;
    good.convert = 1;
    good.in = good.out = whole_format(SPYHOP_YUV444, 8, 64, 48);
    good.out.layout = SPYHOP_YUV420;
    refuse_scaling(NULL, &good, SPYHOP_E_ARGUMENT, "its width is 64; scale 2 makes 128");
    good.out.width = good.out.height = 0;
    s = good;
    s.out.depth = 10;
    refuse_scaling(NULL, &s, SPYHOP_E_UNSUPPORTED, "depth and range");
    s = good;
    s.out.range = SPYHOP_FULL;
    refuse_scaling(NULL, &s, SPYHOP_E_UNSUPPORTED, "depth and range");
    s = good;
    s.out.layout = SPYHOP_GBR;
    refuse_scaling(NULL, &s, SPYHOP_E_UNSUPPORTED, "4:4:4 cannot become GBR");
    s = good;
    s.out.alpha = 1;
    refuse_scaling(NULL, &s, SPYHOP_E_UNSUPPORTED, "no alpha");
    s = good;
    s.out.siting = 9;
    refuse_scaling(NULL, &s, SPYHOP_E_ARGUMENT, "output format: there is no siting 9");
    s = good;
    s.scale = 1;
    refuse_scaling(NULL, &s, SPYHOP_E_UNSUPPORTED, "4:4:4 cannot become 4:2:0 at scale 1");
}

static void models_of_three_channels_want_colours(void **state)
{
    nm_model net = {.opset = 13, .input_channels = 3, .output_channels = 3, .input = "in", .output = "out"};
    spyhop_scaling s;
    (void)state;
    nm_add(&net, "Relu", "out", "in", NULL, NULL);
    spyhop_model *model = picture_model(&net);
    nm_free(&net);
    spyhop_scaling_default(&s);
    s.in = whole_format(SPYHOP_YUV444, 8, 64, 48);
    refuse_scaling(model, &s, SPYHOP_E_UNSUPPORTED, "red, green and blue");
    spyhop_model_free(&model);
}

static void refuse_picture(spyhop_scaler *scaler, const spyhop_picture *in, const spyhop_picture *out,
                           const char *words)
{
    spyhop_error error = {0};
    assert_int_equal(spyhop_scaler_run(scaler, in, out, &error), SPYHOP_E_ARGUMENT);
    if (!strstr(error.message, words))
        fail_msg("'%s' is not in '%s'", words, error.message);
}

static void pictures_are_checked(void **state)
{
    spyhop_scaling s = packed_scaling(), made;
    spyhop_picture bad;
    (void)state;
    s.scale = 2;
    spyhop_scaler *scaler = whole_open(NULL, &s, 1, SPYHOP_CPU_AUTO);
    spyhop_scaling_default(&made);
    assert_int_equal(spyhop_scaler_describe(scaler, &made), SPYHOP_OK);
    whole in = whole_new(&s.in, 0, 0), out = whole_new(&made.out, 0, 0);
    refuse_picture(scaler, NULL, &out.picture, "NULL");
    refuse_picture(NULL, &in.picture, &out.picture, "NULL");
    bad = in.picture;
    bad.data[1] = NULL;
    refuse_picture(scaler, &bad, &out.picture, "input picture, plane 1 (Cb and Cr): data is NULL");
    bad = in.picture;
    bad.stride[0] = 130;
    refuse_picture(scaler, &bad, &out.picture,
                   "plane 0 (luma): its stride of 130 bytes is less than a row's 132");
    bad = in.picture;
    bad.stride[0] = -130;
    refuse_picture(scaler, &bad, &out.picture, "stride of -130");
    bad = in.picture;
    bad.stride[3] = PTRDIFF_MAX;
    refuse_picture(scaler, &bad, &out.picture, "plane 3 (alpha)");
    bad = in.picture;
    bad.stride[3] = 135;
    refuse_picture(scaler, &bad, &out.picture, "odd address");
    bad = out.picture;
    bad.data[0] = (char *)bad.data[0] + 1;
    refuse_picture(scaler, &in.picture, &bad, "output picture, plane 0 (luma): samples of 16 bits");
    bad = out.picture;
    bad.data[3] = NULL;
    refuse_picture(scaler, &in.picture, &bad, "output picture, plane 3");
    bad = in.picture;
    bad.data[2] = NULL;
    bad.stride[2] = -1;
    assert_int_equal(spyhop_scaler_run(scaler, &bad, &out.picture, NULL), SPYHOP_OK);
    whole_free(&in);
    whole_free(&out);
    spyhop_scaler_close(&scaler);
    spyhop_scaler_close(&scaler);
    spyhop_scaler_close(NULL);
}

static void settings_are_told(void **state)
{
    spyhop_scaling s = packed_scaling();
    spyhop_settings settings;
    spyhop_scaler *scaler = NULL;
    spyhop_error error;
    (void)state;
    s.scale = 2;
    spyhop_settings_default(&settings);
    settings.threads = 300;
    assert_int_equal(spyhop_scaler_open(&scaler, NULL, &settings, &s, &error), SPYHOP_E_ARGUMENT);
    assert_non_null(strstr(error.message, "300 threads"));
    settings.threads = 3;
    assert_int_equal(spyhop_scaler_open(&scaler, NULL, &settings, &s, &error), SPYHOP_OK);
    assert_int_equal(spyhop_scaler_get_settings(scaler, &settings), SPYHOP_OK);
    assert_true(settings.threads == 3 && settings.cpu == spyhop_cpu_detect());
    assert_int_equal(spyhop_scaler_get_settings(scaler, NULL), SPYHOP_E_ARGUMENT);
    s.size = 1;
    assert_int_equal(spyhop_scaler_describe(scaler, &s), SPYHOP_E_ARGUMENT);
    spyhop_scaler_close(&scaler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_fails_once),
        cmocka_unit_test(running_allocates_nothing),
        cmocka_unit_test(shipped_networks_keep_flat_pictures),
        cmocka_unit_test(formats_are_checked),
        cmocka_unit_test(scalings_are_checked),
        cmocka_unit_test(conversions_are_checked),
        cmocka_unit_test(models_of_three_channels_want_colours),
        cmocka_unit_test(pictures_are_checked),
        cmocka_unit_test(settings_are_told),
    };
    return cmocka_run_group_tests_name("engine/picture-api", tests, NULL, NULL);
}
