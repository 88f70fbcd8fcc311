/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Networks in half floats: close to the same in single floats, the same bits from all vector levels and from
 * every cut, and refused where they would be slow without being asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "picture.h"
#include "engine/context.h"
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *folder;

typedef struct way {
    int precision, cpu, threads, rows;
    size_t cache;
} way;

static spyhop_context *open_way(const spyhop_model *model, way w)
{
    spyhop_context *context = NULL;
    spyhop_settings settings;
    sh_err err = {0};
    spyhop_settings_default(&settings);
    settings.precision = w.precision;
    settings.cpu = w.cpu;
    settings.threads = w.threads;
    settings.band_rows = w.rows;
    if (sh_context_open(&context, model, &settings, w.cache, &err) < 0)
        fail_msg("%s", err.message);
    return context;
}

/* One picture after the other in out[0 .. channels - 1]. */
static void run_way(picture *out, const spyhop_model *model, way w, int width, int height, int depth)
{
    spyhop_model_info info = {.size = sizeof(info)};
    spyhop_plane ins[3], outs[3];
    spyhop_error error;
    picture in[3];
    spyhop_context *context = open_way(model, w);
    assert_int_equal(spyhop_model_describe(model, &info), SPYHOP_OK);
    for (int c = 0; c < info.channels; c++) {
        in[c] = picture_new(width, height, depth, 0, 0);
        picture_fill(&in[c], (uint32_t)(width * 31 + height + c));
        out[c] = picture_new(width * info.scale, height * info.scale, depth, 0, 0);
        ins[c] = in[c].plane;
        outs[c] = out[c].plane;
    }
    assert_int_equal(spyhop_run_planes(context, ins, outs, info.channels, &error), SPYHOP_OK);
    for (int c = 0; c < info.channels; c++)
        picture_free(&in[c]);
    spyhop_close(&context);
}

/* The most that two pictures differ by, in code values of 8 bits. */
static double distance(const picture *a, const picture *b)
{
    double most = 0, unit = ((1 << a->plane.depth) - 1) / 255.0;
    for (int y = 0; y < a->plane.height; y++)
        for (int x = 0; x < a->plane.width; x++)
            most = fmax(most, fabs((double)picture_sample(a, y, x) - (double)picture_sample(b, y, x)));
    return most / unit;
}

/* Single floats, scalar halves, and the halves of each vector level. */
static void check_levels(const spyhop_model *model, const char *name, int width, int height, double tolerance)
{
    picture single[3], scalar[3], first[3], other[3];
    spyhop_model_info info = {.size = sizeof(info)};
    int levels = 0;
    assert_int_equal(spyhop_model_describe(model, &info), SPYHOP_OK);
    run_way(single, model, (way){SPYHOP_PRECISION_FP32, SPYHOP_CPU_C, 1, 0, 0}, width, height, 16);
    run_way(scalar, model, (way){SPYHOP_PRECISION_FP16, SPYHOP_CPU_C, 1, 0, 0}, width, height, 16);
    for (int cpu = SPYHOP_CPU_AVX2; cpu <= spyhop_cpu_detect(); cpu++) {
        if (!spyhop_cpu_supported(cpu))
            continue;
        run_way(other, model, (way){SPYHOP_PRECISION_FP16, cpu, 2, 3, 1}, width, height, 16);
        for (int c = 0; c < info.channels; c++) {
            double off = levels ? 0 : distance(&scalar[c], &other[c]);
            if (off > tolerance)
                fail_msg("%s: %s is off the scalar form by %g", name, spyhop_cpu_name(cpu), off);
            if (levels && !picture_same(&first[c], &other[c]))
                fail_msg("%s: %s gives other bits", name, spyhop_cpu_name(cpu));
            if (levels)
                picture_free(&other[c]);
            else
                first[c] = other[c];
        }
        levels++;
    }
    for (int c = 0; c < info.channels; c++) {
        double off = distance(&single[c], &scalar[c]);
        if (!(off <= tolerance))
            fail_msg("%s, %d x %d: off by %g", name, width, height, off);
        picture_free(&single[c]);
        picture_free(&scalar[c]);
        if (levels)
            picture_free(&first[c]);
    }
}

static void close_to_floats(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 6; seed++) {
        nm_model net;
        nm_fast(&net, 1 + (int)seed % 4, seed);
        spyhop_model *model = picture_model(&net);
        check_levels(model, "fast", 29 + (int)seed * 13, 11, 0.5);
        check_levels(model, "fast", 1 + (int)seed % 3, 1 + (int)seed % 2, 0.5);
        spyhop_model_free(&model);
        nm_free(&net);
    }
}

static void random_networks(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 60; seed++) {
        nm_model net;
        char name[32];
        nm_random(&net, seed);
        snprintf(name, sizeof(name), "seed %u", (unsigned)seed);
        spyhop_model *model = picture_model(&net);
        check_levels(model, name, 1 + (int)(seed * 7 % 23), 1 + (int)(seed * 5 % 17), 1);
        spyhop_model_free(&model);
        nm_free(&net);
    }
}

/* The shapes of other projects. */
static void other_networks(void **state)
{
    DIR *files = opendir(folder);
    int ran = 0;
    (void)state;
    assert_non_null(files);
    for (struct dirent *entry; (entry = readdir(files));) {
        char path[4096];
        spyhop_model *model = NULL;
        size_t length = strlen(entry->d_name);
        if (length < 5 || strcmp(entry->d_name + length - 5, ".onnx") != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (spyhop_model_load(&model, path, NULL) < 0)
            continue; /* one that ONNX Runtime is for */
        check_levels(model, entry->d_name, 21, 10, 1);
        spyhop_model_free(&model);
        ran++;
    }
    closedir(files);
    assert_true(ran > 8);
}

static void cuts_change_nothing(void **state)
{
    static const struct {
        int threads, rows;
        size_t cache;
    } ways[] = {{1, 0, 0}, {1, 1, 1}, {2, 3, 1}, {3, 7, 40000}, {2, 1000, 100000}};
    (void)state;
    for (uint32_t seed = 400; seed < 408; seed++) {
        nm_model net;
        picture first[3], other[3];
        if (seed % 4)
            nm_random(&net, seed);
        else
            nm_fast(&net, 2, seed);
        spyhop_model *model = picture_model(&net);
        int cpu = spyhop_cpu_detect();
        for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
            way w = {SPYHOP_PRECISION_FP16, cpu, ways[i].threads, ways[i].rows, ways[i].cache};
            run_way(i ? other : first, model, w, 331, 13, 16);
            if (i && !picture_same(&first[0], &other[0]))
                fail_msg("seed %u: way %zu gives another picture", (unsigned)seed, i);
            if (i)
                picture_free(&other[0]);
        }
        picture_free(&first[0]);
        spyhop_model_free(&model);
        nm_free(&net);
    }
}

/* Slow ways are taken only where they are named. */
static void asked_for_by_name(void **state)
{
    nm_model net;
    spyhop_settings settings;
    spyhop_context *context = NULL;
    spyhop_error error;
    (void)state;
    nm_fast(&net, 1, 1);
    spyhop_model *model = picture_model(&net);
    spyhop_settings_default(&settings);
    settings.precision = SPYHOP_PRECISION_FP16;
    if (spyhop_cpu_supported(SPYHOP_CPU_AVX512FP16)) {
        assert_int_equal(spyhop_open(&context, model, &settings, &error), SPYHOP_OK);
        spyhop_close(&context);
    } else {
        assert_int_equal(spyhop_open(&context, model, &settings, &error), SPYHOP_E_UNSUPPORTED);
        assert_non_null(strstr(error.message, "avx512fp16"));
        assert_non_null(strstr(error.message, "fp32"));
        assert_null(context);
    }
    settings.cpu = SPYHOP_CPU_C;
    assert_int_equal(spyhop_open(&context, model, &settings, &error), SPYHOP_OK);
    assert_int_equal(spyhop_get_settings(context, &settings), SPYHOP_OK);
    assert_int_equal(settings.precision, SPYHOP_PRECISION_FP16);
    assert_int_equal(settings.cpu, SPYHOP_CPU_C);
    spyhop_close(&context);
    spyhop_model_free(&model);
    nm_free(&net);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(close_to_floats),   cmocka_unit_test(random_networks),
        cmocka_unit_test(other_networks),    cmocka_unit_test(cuts_change_nothing),
        cmocka_unit_test(asked_for_by_name),
    };
    folder = argc > 1 ? argv[1] : "tests/engine/networks";
    return cmocka_run_group_tests_name("engine/half", tests, NULL, NULL);
}
