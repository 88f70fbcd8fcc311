/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Quantised networks with numbers that no training gives, and networks that ask for more work than any
 * picture is worth: refused with a reason, or run, with the same bytes at every level of the processor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "hostile.h"
#include "netmodel.h"
#include <spyhop/spyhop.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CHANNELS = 8, P = 3 };

typedef struct numbers {
    float first;      /* the first layer's weights are +- this */
    float activation; /* scale after the second layer */
    float unit;       /* scale of the second layer's weights */
    int64_t weight;   /* all of these; 0: -128 and 127 in turn */
    int64_t bias;
    int64_t zero; /* zero point of the activations */
} numbers;

static const numbers sane = {0.3f, 0.01f, 0.01f, 20, 100, 0};

static void add_pad(nm_model *net)
{
    static const int64_t pads[8] = {0, 0, P, P, 0, 0, P, P};
    nm_whole(net, "pads", NM_INT64, 8, pads);
    nm_string(nm_add(net, "Pad", "padded", "input", "pads", NULL), "mode", "edge");
}

static void add_quantised(nm_model *net, const char *in, const char *out, const char *scale)
{
    char relu[16], whole[16];
    snprintf(relu, sizeof(relu), "%s.r", out);
    snprintf(whole, sizeof(whole), "%s.q", out);
    nm_add(net, "Relu", relu, in, NULL, NULL);
    nm_add(net, "QuantizeLinear", whole, relu, scale, "zero");
    nm_add(net, "DequantizeLinear", out, whole, scale, "zero");
}

/* A convolution of whole numbers, with one scale for all outputs. */
static void add_whole_conv(nm_model *net, const char *name, const char *in, const numbers *n, int outputs)
{
    static float weights[CHANNELS * CHANNELS * 9];
    int64_t bias[CHANNELS];
    char w[16], b[16], wf[16], bf[16];
    snprintf(w, sizeof(w), "%s.w", name);
    snprintf(b, sizeof(b), "%s.b", name);
    snprintf(wf, sizeof(wf), "%s.wf", name);
    snprintf(bf, sizeof(bf), "%s.bf", name);
    for (int i = 0; i < outputs * CHANNELS * 9; i++)
        weights[i] = n->weight ? (float)n->weight : i % 2 ? 127 : -128;
    for (int o = 0; o < outputs; o++)
        bias[o] = n->bias;
    nm_constant(net, w, 4, (const int64_t[]){outputs, CHANNELS, 3, 3}, weights)->form = NM_INT8;
    nm_whole(net, b, NM_INT32, outputs, bias);
    nm_add(net, "DequantizeLinear", wf, w, "unit", NULL);
    nm_add(net, "DequantizeLinear", bf, b, "unit", NULL);
    nm_add(net, "Conv", name, in, wf, bf);
}

/* The form of the shipped networks: 1 -> 8 -> 8 -> 4, shuffle, and a base. */
static void make_chain(nm_model *net, const numbers *n)
{
    float first[CHANNELS * 9], unit = n->unit, activation = n->activation, before = 0.01f;
    *net = (nm_model){.opset = 13, .input_channels = 1, .input = "input", .output = "output"};
    for (int i = 0; i < CHANNELS * 9; i++)
        first[i] = i % 9 == 4 ? 0 : i % 9 < 4 ? n->first : -n->first;
    nm_constant(net, "first", 4, (const int64_t[]){CHANNELS, 1, 3, 3}, first);
    nm_constant(net, "unit", 0, NULL, &unit);
    nm_constant(net, "s0", 0, NULL, &before);
    nm_constant(net, "s1", 0, NULL, &activation);
    nm_whole(net, "zero", NM_UINT8, 1, &n->zero)->rank = 0;
    nm_constant(net, "scales", 1, (const int64_t[]){4}, (const float[]){1, 1, 2, 2});
    add_pad(net);
    nm_add(net, "Conv", "c0", "padded", "first", NULL);
    add_quantised(net, "c0", "a0", "s0");
    add_whole_conv(net, "c1", "a0", n, CHANNELS);
    add_quantised(net, "c1", "a1", "s1");
    add_whole_conv(net, "c2", "a1", n, 4);
    nm_node *shuffle = nm_add(net, "DepthToSpace", "rest", "c2", NULL, NULL);
    nm_int(shuffle, "blocksize", 2);
    nm_string(shuffle, "mode", "CRD");
    nm_node *base = nm_add(net, "Resize", "base", "input", "", "scales");
    nm_string(base, "mode", "cubic");
    nm_float(base, "cubic_coeff_a", -0.5f);
    nm_add(net, "Add", "output", "rest", "base", NULL);
}

static hostile_end try_numbers(const numbers *n, uint32_t seed)
{
    nm_model net;
    sh_buf file;
    sh_buf_init(&file, 1 << 20);
    make_chain(&net, n);
    nm_write(&net, &file);
    assert_false(file.failed);
    hostile_end end = hostile_try((const uint8_t *)file.data, file.length, seed);
    sh_buf_free(&file);
    nm_free(&net);
    return end;
}

/* That the tests below test what they are about. */
static void the_chain_runs_in_whole_numbers(void **state)
{
    nm_model net;
    sh_buf file;
    spyhop_model *model = NULL;
    spyhop_error error = {0};
    spyhop_model_info info = {.size = sizeof(info)};
    (void)state;
    sh_buf_init(&file, 1 << 20);
    make_chain(&net, &sane);
    nm_write(&net, &file);
    if (spyhop_model_parse(&model, file.data, file.length, &error) < 0)
        fail_msg("%s", error.message);
    spyhop_model_describe(model, &info);
    assert_int_equal(info.precision, SPYHOP_PRECISION_INT8);
    spyhop_model_free(&model);
    sh_buf_free(&file);
    nm_free(&net);
}

static void numbers_without_sense_are_refused(void **state)
{
    static const float scales[] = {0, -0.01f, INFINITY, -INFINITY, NAN};
    (void)state;
    assert_int_equal(try_numbers(&sane, 1), HOSTILE_RAN);
    for (size_t i = 0; i < sizeof(scales) / sizeof(scales[0]); i++) {
        numbers activation = sane, unit = sane, first = sane;
        activation.activation = unit.unit = first.first = scales[i];
        assert_int_equal(try_numbers(&activation, 1), HOSTILE_REFUSED);
        assert_int_equal(try_numbers(&unit, 1), HOSTILE_REFUSED);
        assert_int_equal(try_numbers(&first, 1), isfinite(scales[i]) ? HOSTILE_RAN : HOSTILE_REFUSED);
    }
}

static void absurd_numbers_are_harmless(void **state)
{
    static const float sizes[] = {1e-45f, 1e-30f, 1e-9f, 0.01f, 1, 1e9f, 1e30f, 3e38f};
    static const int64_t biases[] = {0, INT32_MAX - 127, INT32_MIN, 1 << 30}, weights[] = {0, 127, -128};
    uint32_t seed = 0;
    (void)state;
    for (size_t a = 0; a < 8; a++)
        for (size_t u = 0; u < 8; u++)
            for (size_t b = 0; b < 12; b++) {
                numbers n = {
                    sizes[(a + 3 * u + b) % 8], sizes[a], sizes[u], weights[b % 3], biases[b / 3], 0};
                n.zero = b == 5 ? 255 : 0;
                try_numbers(&n, seed++);
            }
}

/* 31 times the same 15x15 weights on a picture of eight times the size: a small file, 100 million
 * multiply-adds. */
static void work_without_end_is_refused(void **state)
{
    static float zeros[16 * 16 * 225];
    static const int64_t pads[4] = {7, 7, 7, 7};
    nm_model net = {.opset = 13, .input_channels = 1, .input = "input", .output = "output"};
    spyhop_model *model = NULL;
    spyhop_error error = {0};
    sh_buf file;
    char in[16], out[16];
    (void)state;
    sh_buf_init(&file, 1 << 20);
    nm_constant(&net, "up", 4, (const int64_t[]){64, 1, 1, 1}, zeros);
    nm_constant(&net, "wide", 4, (const int64_t[]){16, 1, 15, 15}, zeros);
    nm_constant(&net, "w", 4, (const int64_t[]){16, 16, 15, 15}, zeros);
    nm_constant(&net, "narrow", 4, (const int64_t[]){1, 16, 15, 15}, zeros);
    nm_add(&net, "Conv", "u", "input", "up", NULL);
    nm_int(nm_add(&net, "DepthToSpace", "s", "u", NULL, NULL), "blocksize", 8);
    nm_ints(nm_add(&net, "Conv", "c0", "s", "wide", NULL), "pads", 4, pads);
    for (int i = 0; i < 31; i++) {
        snprintf(in, sizeof(in), "c%d", i);
        snprintf(out, sizeof(out), "c%d", i + 1);
        nm_ints(nm_add(&net, "Conv", out, in, "w", NULL), "pads", 4, pads);
    }
    nm_ints(nm_add(&net, "Conv", "output", out, "narrow", NULL), "pads", 4, pads);
    nm_write(&net, &file);
    assert_int_equal(spyhop_model_parse(&model, file.data, file.length, &error), SPYHOP_E_LIMIT);
    assert_non_null(strstr(error.message, "multiply-adds"));
    sh_buf_free(&file);
    nm_free(&net);
}

/* A field of bytes: tag (one byte), length, contents. */
static void put_bytes(sh_buf *out, int tag, const sh_buf *contents)
{
    char head[3] = {(char)tag, (char)(contents->length % 128 | 128), (char)(contents->length / 128)};
    sh_buf_append(out, head, sizeof(head));
    sh_buf_append(out, contents->data, contents->length);
}

/* A constant of one number, and what `add` says 300 times: each use of it would walk over all that. */
static void check_stuffed(const char *once, size_t length, const char *add, size_t added)
{
    static const char head[] = {0x42, 1, 'w', 0x08, 1, 0x10, 7}; /* name, one dimension, int64 */
    sh_buf tensor, graph, file;
    spyhop_model *model = NULL;
    spyhop_error error = {0};
    sh_buf_init(&tensor, 1 << 14);
    sh_buf_init(&graph, 1 << 14);
    sh_buf_init(&file, 1 << 14);
    sh_buf_append(&tensor, head, sizeof(head));
    sh_buf_append(&tensor, once, length);
    for (int i = 0; i < 300; i++)
        sh_buf_append(&tensor, add, added);
    put_bytes(&graph, 5 << 3 | 2, &tensor);
    put_bytes(&file, 7 << 3 | 2, &graph);
    assert_int_equal(spyhop_model_parse(&model, file.data, file.length, &error), SPYHOP_E_FORMAT);
    assert_non_null(strstr(error.message, "more than the 1 numbers"));
    sh_buf_free(&tensor);
    sh_buf_free(&graph);
    sh_buf_free(&file);
}

static void stuffed_constants_are_refused(void **state)
{
    (void)state;
    check_stuffed("", 0, "\xa0\x06", 3);         /* field 100 is 0 */
    check_stuffed("\x3a\xac\x02", 3, "\x80", 1); /* a list of 300 bytes, none of which ends a number */
}

/* A graph inside an operator that the engine lacks, with a tensor: what is asked of ONNX Runtime nowhere. */
static void check_inner_graph(const char *operator, const char * tensor, const char *words)
{
    static const int tags[] = {5 << 3 | 2, 6 << 3 | 2, 5 << 3 | 2, 1 << 3 | 2, 7 << 3 | 2};
    static const char opset[] = {0x42, 2, 0x10, 13}, input[] = {0x5a, 3, 0x0a, 1, 'x'};
    sh_buf part[6], name;
    spyhop_model *model = NULL;
    spyhop_error error = {0};
    sh_buf_init(&name, 64);
    sh_buf_puts(&name, operator);
    for (int i = 0; i < 6; i++)
        sh_buf_init(&part[i], 1 << 14);
    sh_buf_puts(&part[0], tensor);
    for (int i = 0; i < 5; i++) {
        if (i == 3)
            put_bytes(&part[i], 4 << 3 | 2, &name);
        if (i == 4)
            sh_buf_append(&part[i], input, sizeof(input));
        put_bytes(&part[i + 1], tags[i], &part[i]);
    }
    sh_buf_append(&part[5], opset, sizeof(opset));
    int status = spyhop_model_parse(&model, part[5].data, part[5].length, &error);
    if (status != SPYHOP_E_UNSUPPORTED || !strstr(error.message, words))
        fail_msg("%d: %s", status, error.message);
    for (int i = 0; i < 6; i++)
        sh_buf_free(&part[i]);
    sh_buf_free(&name);
}

static void other_files_and_loops_are_left_alone(void **state)
{
    (void)state;
    check_inner_graph("If", "\x70\x01", "another file"); /* data_location */
    check_inner_graph("Loop", "\x10\x01", "repeats a graph");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_chain_runs_in_whole_numbers),
        cmocka_unit_test(numbers_without_sense_are_refused),
        cmocka_unit_test(absurd_numbers_are_harmless),
        cmocka_unit_test(work_without_end_is_refused),
        cmocka_unit_test(stuffed_constants_are_refused),
        cmocka_unit_test(other_files_and_loops_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
