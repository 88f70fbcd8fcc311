/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public functions: what they refuse, and that nothing is left behind when memory runs out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "chainmake.h"
#include "netmodel.h"
#include "scarce.h"
#include <spyhop/spyhop.h>
#include <stdlib.h>
#include <string.h>

/* All of it; out-parameters stay untouched on failure, so that freeing afterwards is always right. */
static int whole_life(const sh_buf *file, spyhop_error *error)
{
    spyhop_model *model = NULL;
    spyhop_context *context = NULL;
    spyhop_settings settings;
    uint8_t in[12 * 5] = {0}, out[24 * 10];
    spyhop_plane from = {in, 12, 12, 5, 8}, to = {out, 24, 24, 10, 8};
    spyhop_settings_default(&settings);
    settings.threads = 2;
    int status = spyhop_model_parse(&model, file->data, file->length, error);
    if (status == SPYHOP_OK)
        status = spyhop_open(&context, model, &settings, error);
    if (status == SPYHOP_OK)
        status = spyhop_run(context, &from, &to, error);
    spyhop_close(&context);
    spyhop_model_free(&model);
    return status;
}

static void every_allocation_fails_once(void **state)
{
    nm_model net;
    sh_buf file;
    long n;
    int status = SPYHOP_E_MEMORY;
    (void)state;
    nm_fast(&net, 1, 1);
    sh_buf_init(&file, 1 << 20);
    nm_write(&net, &file);
    for (n = 1; status != SPYHOP_OK && n < 10000; n++) {
        spyhop_error error = {0};
        scarce_fail(n);
        status = whole_life(&file, &error);
        scarce_fail(0);
        if (status != SPYHOP_OK)
            assert_int_equal(status, SPYHOP_E_MEMORY);
        if (status != SPYHOP_OK)
            assert_true(error.status == SPYHOP_E_MEMORY && error.message[0]);
    }
    assert_int_equal(status, SPYHOP_OK);
    assert_true(n > 10);
    sh_buf_free(&file);
    nm_free(&net);
}

/* Opened and run in half floats, where neither a frame takes memory. */
static void every_allocation_in_halves_fails_once(void **state)
{
    uint8_t in[12 * 5] = {0}, out[24 * 10];
    spyhop_plane from = {in, 12, 12, 5, 8}, to = {out, 24, 24, 10, 8};
    spyhop_settings settings;
    int status = SPYHOP_E_MEMORY;
    nm_model net;
    sh_buf file;
    spyhop_model *model = NULL;
    long n;
    (void)state;
    nm_fast(&net, 2, 1);
    sh_buf_init(&file, 1 << 20);
    nm_write(&net, &file);
    assert_int_equal(spyhop_model_parse(&model, file.data, file.length, NULL), SPYHOP_OK);
    spyhop_settings_default(&settings);
    settings.cpu = SPYHOP_CPU_C;
    settings.precision = SPYHOP_PRECISION_FP16;
    for (n = 1; status != SPYHOP_OK && n < 10000; n++) {
        spyhop_context *context = NULL;
        scarce_fail(n);
        status = spyhop_open(&context, model, &settings, NULL);
        scarce_fail(0);
        assert_true(status == SPYHOP_OK ? context != NULL : status == SPYHOP_E_MEMORY && !context);
        if (status == SPYHOP_OK) {
            const long before = scarce_calls();
            assert_int_equal(spyhop_run(context, &from, &to, NULL), SPYHOP_OK);
            assert_int_equal(scarce_calls(), before);
        }
        spyhop_close(&context);
    }
    assert_int_equal(status, SPYHOP_OK);
    assert_true(n > 8);
    spyhop_model_free(&model);
    sh_buf_free(&file);
    nm_free(&net);
}

/* A quantised network: made from its graph, opened and run. A frame takes no memory. */
static int life_of_chain(const spyhop_model *model)
{
    sh_chain *chain = NULL;
    spyhop_context *context = NULL;
    uint8_t in[12 * 5] = {0}, out[24 * 10];
    spyhop_plane from = {in, 12, 12, 5, 8}, to = {out, 24, 24, 10, 8};
    int status = sh_chain_new(&chain, model->graph, NULL);
    if (status == SPYHOP_OK)
        status = spyhop_open(&context, model, NULL, NULL);
    if (status == SPYHOP_OK) {
        const long before = scarce_calls();
        status = spyhop_run(context, &from, &to, NULL);
        assert_int_equal(scarce_calls(), before);
    }
    spyhop_close(&context);
    sh_chain_free(chain);
    return status;
}

static void every_allocation_of_a_chain_fails_once(void **state)
{
    spyhop_model *model = chain_model(&(chain_form){2, 16, 2, 1, 0, 5});
    int status = SPYHOP_E_MEMORY;
    long n;
    (void)state;
    for (n = 1; status != SPYHOP_OK && n < 10000; n++) {
        scarce_fail(n);
        status = life_of_chain(model);
        scarce_fail(0);
        assert_true(status == SPYHOP_OK || status == SPYHOP_E_MEMORY);
    }
    assert_int_equal(status, SPYHOP_OK);
    assert_true(n > 5);
    spyhop_model_free(&model);
}

typedef struct fixture {
    spyhop_model *model;
    spyhop_context *context;
} fixture;

static int setup(void **state)
{
    static fixture f;
    nm_model net;
    sh_buf file;
    spyhop_error error;
    nm_fast(&net, 0, 1);
    sh_buf_init(&file, 1 << 20);
    nm_write(&net, &file);
    int status = spyhop_model_parse(&f.model, file.data, file.length, &error);
    if (status == SPYHOP_OK)
        status = spyhop_open(&f.context, f.model, NULL, &error);
    sh_buf_free(&file);
    nm_free(&net);
    *state = &f;
    return status;
}

static int teardown(void **state)
{
    fixture *f = *state;
    spyhop_close(&f->context);
    spyhop_model_free(&f->model);
    assert_null(f->context);
    assert_null(f->model);
    return 0;
}

static void refused(const fixture *f, const spyhop_plane *in, const spyhop_plane *out, const char *words)
{
    spyhop_error error = {0};
    assert_int_equal(spyhop_run(f->context, in, out, &error), SPYHOP_E_ARGUMENT);
    if (!strstr(error.message, words))
        fail_msg("'%s' is not in '%s'", words, error.message);
}

static void planes_are_checked(void **state)
{
    fixture *f = *state;
    static uint16_t bytes[4096];
    const spyhop_plane in = {bytes, 8, 8, 4, 8}, out = {bytes + 1024, 16, 16, 8, 8};
    spyhop_plane bad = in;
    bad.data = NULL;
    refused(f, &bad, &out, "NULL");
    refused(f, NULL, &out, "NULL");
    bad = in;
    bad.width = 0;
    refused(f, &bad, &out, "0 x 4");
    bad.width = SPYHOP_MAX_SIDE + 1;
    refused(f, &bad, &out, "32769");
    bad = in;
    bad.stride = -7;
    refused(f, &bad, &out, "stride");
    bad = in;
    bad.depth = 7;
    refused(f, &bad, &out, "depth");
    bad = out;
    bad.height = 9;
    refused(f, &in, &bad, "16 x 9");
    bad = out;
    bad.depth = 10;
    bad.stride = 32;
    refused(f, &in, &bad, "depth");
    bad = (spyhop_plane){(uint8_t *)bytes + 1, 16, 8, 4, 10};
    refused(f, &bad, &out, "odd address");
    bad = (spyhop_plane){bytes, PTRDIFF_MIN, 8, 4, 8};
    refused(f, &bad, &out, "stride");
}

static void settings_are_checked(void **state)
{
    fixture *f = *state;
    static const struct {
        int threads, cpu, rows;
        const char *words;
    } cases[] = {{-1, 255, 0, "threads"},
                 {257, 255, 0, "257"},
                 {1, 7, 0, "instruction set 7"},
                 {1, 255, -1, "bands"},
                 {1, 255, 40000, "40000"}};
    spyhop_settings settings, kept;
    spyhop_context *context = NULL;
    spyhop_error error;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        spyhop_settings_default(&settings);
        settings.threads = cases[i].threads;
        settings.cpu = cases[i].cpu;
        settings.band_rows = cases[i].rows;
        assert_int_equal(spyhop_open(&context, f->model, &settings, &error), SPYHOP_E_ARGUMENT);
        assert_non_null(strstr(error.message, cases[i].words));
        assert_null(context);
    }
    settings.size = 3;
    assert_int_equal(spyhop_open(&context, f->model, &settings, &error), SPYHOP_E_ARGUMENT);
    assert_int_equal(spyhop_open(NULL, f->model, NULL, NULL), SPYHOP_E_ARGUMENT);
    assert_int_equal(spyhop_get_settings(f->context, &kept), SPYHOP_OK);
    assert_true(kept.threads >= 1 && kept.cpu == spyhop_cpu_detect());
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(spyhop_version(), "0.1.0");
    assert_string_equal(spyhop_cpu_name(SPYHOP_CPU_AVX2), "avx2");
    assert_true(spyhop_cpu_supported(SPYHOP_CPU_C) && spyhop_cpu_supported(SPYHOP_CPU_AUTO));
    assert_true(spyhop_cpu_supported(spyhop_cpu_detect()));
    assert_false(spyhop_cpu_supported(-1) || spyhop_cpu_supported(6) || spyhop_cpu_supported(254));
    assert_string_equal(spyhop_precision_name(SPYHOP_PRECISION_INT8), "int8");
    assert_string_equal(spyhop_precision_name(SPYHOP_PRECISION_FP16), "fp16");
    assert_null(spyhop_precision_name(4));
    assert_string_equal(spyhop_cpu_name(SPYHOP_CPU_AUTO), "auto");
    assert_string_equal(spyhop_cpu_name(SPYHOP_CPU_AVX512VNNI), "avx512vnni");
    assert_string_equal(spyhop_cpu_name(SPYHOP_CPU_AVX512FP16), "avx512fp16");
    assert_null(spyhop_cpu_name(6));
    spyhop_close(NULL);
    spyhop_model_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_fails_once),
        cmocka_unit_test(every_allocation_in_halves_fails_once),
        cmocka_unit_test(every_allocation_of_a_chain_fails_once),
        cmocka_unit_test_setup_teardown(planes_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(settings_are_checked, setup, teardown),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests_name("engine/api", tests, NULL, NULL);
}
