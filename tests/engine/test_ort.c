/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test_ort FOLDER [--write]: what ONNX Runtime runs, and the engine beside it on pictures made anew. Ends
 * with 77, which Meson counts as skipped, where there is no ONNX Runtime. --write writes the expected
 * pictures (NAME.u16). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "networks.h"
#include "base/buf.h"
#include "base/file.h"
#include "engine/dsp/dsp.h"
#include "engine/ort/library.h"
#include "engine/ort/ort.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *folder;

/* Read by the sanitizers: the library keeps a few bytes of its own, and has no frame pointers by which to
 * tell that they are. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libonnxruntime";
}

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "fast_unwind_on_malloc=0";
}

static sh_ort_model *load_there(const char *name)
{
    char path[4096];
    sh_buf bytes;
    sh_err err = {0};
    sh_ort_model *model = NULL;
    sh_buf_init(&bytes, 1 << 24);
    assert_in_range(snprintf(path, sizeof(path), "%s/%s.onnx", folder, name), 1, sizeof(path) - 1);
    if (sh_file_read(path, &bytes, &err) < 0 || sh_ort_model_new(&model, bytes.data, bytes.length, &err) < 0)
        fail_msg("%s", err.message);
    sh_buf_free(&bytes);
    return model;
}

/* A picture through ONNX Runtime, whatever the engine could do. */
static planes run_there(const char *name, const planes *in, int threads)
{
    sh_ort_model *model = load_there(name);
    sh_ort_session *session = NULL;
    sh_err err = {0};
    sh_dsp dsp;
    spyhop_plane ins[3], outs[3];
    const spyhop_plane *like = &in->planes[0].plane;
    int scale = sh_ort_scale(model);
    planes out = planes_new(in->count, like->width * scale, like->height * scale, like->depth);
    assert_int_equal(sh_ort_channels(model), in->count);
    sh_dsp_select(&dsp, SPYHOP_CPU_C);
    for (int i = 0; i < in->count; i++) {
        ins[i] = in->planes[i].plane;
        outs[i] = out.planes[i].plane;
    }
    if (sh_ort_session_new(&session, model, threads, &err) < 0 ||
        sh_ort_run(session, &dsp, ins, outs, &err) < 0)
        fail_msg("%s: %s", name, err.message);
    sh_ort_session_free(session);
    sh_ort_model_free(model);
    return out;
}

static int channels_of(const char *name)
{
    const char *tail = strrchr(name, '_');
    return tail && tail[1] == '3' ? 3 : 1;
}

static void check_size(const char *name, int width, int height, int depth, int tolerance)
{
    spyhop_model *model = network_load(folder, name);
    spyhop_model_info info = {.size = sizeof(info)};
    spyhop_context *context = picture_open(model, SPYHOP_CPU_AUTO, 2, 7, 40000);
    spyhop_model_describe(model, &info);
    planes in = planes_new(info.channels, width, height, depth);
    planes_fill(&in, (uint32_t)(width * 77 + height));
    planes here = planes_run(context, &in, info.scale), there = run_there(name, &in, 2);
    int distance = planes_distance(&here, &there);
    if (distance > tolerance)
        fail_msg("%s at %d x %d, depth %d: a sample is %d off", name, width, height, depth, distance);
    planes_free(&in);
    planes_free(&here);
    planes_free(&there);
    spyhop_close(&context);
    spyhop_model_free(&model);
}

/* A quarter of a code value of 8 bits; where a value lies between two steps of a quantisation, a whole one.
 */
static void the_engine_beside_it(void **state)
{
    int count = 0;
    char **names = network_names(folder, &count);
    (void)state;
    for (int i = 0; i < count; i++) {
        int quantised = strncmp(names[i], "quantised", 9) == 0;
        check_size(names[i], 131, 67, 8, 1);
        check_size(names[i], 64, 33, 16, quantised ? 257 : 64);
        check_size(names[i], 9, 8, 10, quantised ? 4 : 1);
    }
    network_free_names(names, count);
}

/* A network that the engine does not run, through the public interface. */
static void what_the_engine_lacks_runs_there(void **state)
{
    spyhop_model *model = network_load(folder, "attention_3x2");
    spyhop_model_info info = {.size = sizeof(info)};
    spyhop_settings settings;
    spyhop_error error = {0};
    (void)state;
    assert_int_equal(spyhop_model_describe(model, &info), SPYHOP_OK);
    assert_int_equal(strncmp(info.backend, "onnxruntime 1.", 14), 0);
    assert_int_equal(info.scale, 2);
    assert_int_equal(info.channels, 3);
    assert_non_null(info.name);
    planes in = planes_new(3, 45, 31, 8), first = {.count = 0};
    planes_fill(&in, 5);
    for (int threads = 1; threads <= 3; threads++) {
        spyhop_context *context = picture_open(model, SPYHOP_CPU_AUTO, threads, 0, 0);
        assert_int_equal(spyhop_get_settings(context, &settings), SPYHOP_OK);
        assert_int_equal(settings.threads, threads);
        planes out = planes_run(context, &in, 2), again = planes_run(context, &in, 2);
        assert_int_equal(planes_distance(&out, &again), 0);
        if (first.count)
            assert_true(planes_distance(&out, &first) <= 1);
        planes_free(&again);
        if (first.count)
            planes_free(&out);
        else
            first = out;
        assert_int_equal(spyhop_run(context, &in.planes[0].plane, &first.planes[0].plane, &error),
                         SPYHOP_E_ARGUMENT);
        spyhop_close(&context);
    }
    planes_free(&in);
    planes_free(&first);
    spyhop_model_free(&model);
}

/* What neither runs is refused with the words of both. */
static void what_neither_runs(void **state)
{
    nm_model net = {
        .opset = 13, .input_channels = 1, .output_channels = 1, .input = "input", .output = "output"};
    sh_buf file;
    spyhop_model *model = NULL;
    spyhop_error error = {0};
    (void)state;
    nm_add(&net, "NoSuchOperator", "output", "input", NULL, NULL);
    sh_buf_init(&file, 1 << 20);
    nm_write(&net, &file);
    assert_int_equal(spyhop_model_parse(&model, file.data, file.length, &error), SPYHOP_E_UNSUPPORTED);
    assert_non_null(strstr(error.message, "operator NoSuchOperator"));
    assert_non_null(strstr(error.message, "ONNX Runtime: "));
    assert_null(strchr(error.message, '\n'));
    sh_buf_free(&file);
}

static void write_expected(const char *name)
{
    char path[4096];
    planes in = network_input(channels_of(name)), out = run_there(name, &in, 1);
    snprintf(path, sizeof(path), "%s/%s.u16", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    for (int i = 0; i < out.count; i++)
        assert_int_equal(fwrite(out.planes[i].memory, 1, out.planes[i].size, file), out.planes[i].size);
    assert_int_equal(fclose(file), 0);
    planes_free(&in);
    planes_free(&out);
}

static void write_all(void **state)
{
    int count = 0;
    char **names = network_names(folder, &count);
    (void)state;
    for (int i = 0; i < count; i++)
        if (strncmp(names[i], "attention", 9) != 0)
            write_expected(names[i]);
    network_free_names(names, count);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_engine_beside_it),
                                       cmocka_unit_test(what_the_engine_lacks_runs_there),
                                       cmocka_unit_test(what_neither_runs)};
    const struct CMUnitTest writing[] = {cmocka_unit_test(write_all)};
    sh_ort_library library;
    sh_err err = {0};
    if (argc < 2)
        return 2;
    folder = argv[1];
    if (sh_ort_library_load(&library, &err) < 0) {
        printf("SKIPPED, NOT CHECKED: there is no ONNX Runtime (%s)\n", err.message);
        return 77;
    }
    printf("ONNX Runtime %s\n", library.version);
    if (argc > 2 && strcmp(argv[2], "--write") == 0)
        return cmocka_run_group_tests_name("engine/ort --write", writing, NULL, NULL);
    return cmocka_run_group_tests_name("engine/ort", tests, NULL, NULL);
}
