/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the reader takes, and what it refuses with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "refusal.h"
#include "engine/onnx/graph.h"
#include <spyhop/spyhop.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void good(nm_model *net, spyhop_model_info *info)
{
    spyhop_model *model = NULL;
    spyhop_error error = {0};
    if (small_parse(net, &model, &error) < 0)
        fail_msg("refused: %s", error.message);
    *info = (spyhop_model_info){.size = sizeof(*info)};
    assert_int_equal(spyhop_model_describe(model, info), SPYHOP_OK);
    spyhop_model_free(&model);
    nm_free(net);
}

static void the_fast_network_is_described(void **state)
{
    nm_model net;
    spyhop_model_info info;
    (void)state;
    nm_fast(&net, 4, 1);
    good(&net, &info);
    assert_int_equal(info.scale, 2);
    assert_int_equal(info.channels, 1);
    assert_int_equal(info.macs_per_pixel, 9936);
    assert_int_equal(info.parameters, 9936 + 5 * 16 + 4);
    assert_int_equal(info.halo, 6);
}

static void weights_in_any_form(void **state)
{
    (void)state;
    for (int form = NM_RAW; form <= NM_HALF; form++) {
        nm_model net;
        spyhop_model_info info;
        sh_graph *graph = NULL;
        sh_buf file;
        small_net(&net);
        net.tensors[0].form = (nm_form)form;
        net.tensors[0].data[35] = -1.5f;
        net.inputs_list_weights = form & 1;
        sh_buf_init(&file, 1 << 20);
        nm_write(&net, &file);
        assert_int_equal(sh_graph_read(&graph, file.data, file.length, NULL), SH_OK);
        assert_true(graph->nodes[0].conv.weights[0] == 0.5f && graph->nodes[0].conv.weights[35] == -1.5f);
        assert_true(graph->nodes[0].conv.bias[0] == 0.25f && graph->nodes[0].conv.bias[3] == 0);
        sh_graph_free(graph);
        sh_buf_free(&file);
        good(&net, &info);
        assert_int_equal(info.scale, 2);
    }
}

static void older_operator_sets(void **state)
{
    nm_model net;
    spyhop_model_info info;
    (void)state;
    small_net(&net);
    net.opset = 9;
    net.nodes[1].op = "Identity";
    net.nodes[1].attribute_count = 0;
    net.output_channels = 0;
    nm_constant(&net, "s", 1, (const int64_t[]){4}, (const float[]){1, 1, 3, 3});
    net.node_count = 0;
    nm_string(nm_add(&net, "Upsample", "up", "input", "s", NULL), "mode", "linear");
    nm_node *clip = nm_add(&net, "Clip", "output", "up", NULL, NULL);
    nm_float(clip, "min", 0);
    nm_float(clip, "max", 1);
    good(&net, &info);
    assert_int_equal(info.scale, 3);
}

static void unknown_operator(nm_model *net)
{
    net->nodes[1].op = "GridSample";
}
static void cycle(nm_model *net)
{
    nm_add(net, "Add", "output", "t0", "t3", NULL);
    snprintf(net->nodes[1].out, 16, "t2");
    nm_add(net, "Relu", "t3", "output", NULL, NULL);
}
static void missing(nm_model *net)
{
    snprintf(net->nodes[1].in[0], 16, "nowhere");
}
static void twice(nm_model *net)
{
    nm_add(net, "Relu", "t0", "input", NULL, NULL);
}
static void two_constants(nm_model *net)
{
    nm_constant(net, "w", 1, (const int64_t[]){1}, (const float[]){1});
}
static void stride(nm_model *net)
{
    nm_ints(&net->nodes[0], "strides", 2, (const int64_t[]){2, 2});
}
static void dilation(nm_model *net)
{
    nm_ints(&net->nodes[0], "dilations", 2, (const int64_t[]){1, 2});
}
static void groups(nm_model *net)
{
    nm_int(&net->nodes[0], "group", 4);
}
static void shrinking(nm_model *net)
{
    net->nodes[0].attribute_count = 0;
}
static void negative_pads(nm_model *net)
{
    nm_ints(&net->nodes[0], "pads", 4, (const int64_t[]){-1, 1, 3, 1});
    net->nodes[0].attributes[0] = net->nodes[0].attributes[1];
}
static void channels_differ(nm_model *net)
{
    net->tensors[0].dims[1] = 2;
    net->tensors[0].dims[0] = 2;
}
static void huge_dimension(nm_model *net)
{
    net->tensors[0].dims[0] = INT64_MAX / 2;
}
static void huge_product(nm_model *net)
{
    net->tensors[0].dims[0] = 1024;
    net->tensors[0].dims[2] = 15;
    net->tensors[0].dims[3] = 15;
    for (int i = 0; i < 4; i++)
        net->nodes[0].attributes[0].ints[i] = 7;
}
static void negative_dimension(nm_model *net)
{
    net->tensors[0].dims[0] = -4;
}
static void huge_kernel(nm_model *net)
{
    net->tensors[0].dims[2] = 36;
    net->tensors[0].dims[0] = 1;
    net->tensors[0].dims[3] = 1;
}
static void too_few_numbers(nm_model *net)
{
    net->tensors[0].count = 35;
}
static void not_finite(nm_model *net)
{
    net->tensors[0].data[3] = INFINITY;
}
static void bias_count(nm_model *net)
{
    net->tensors[1].dims[0] = 3;
    net->tensors[1].count = 3;
}
static void block_of_three(nm_model *net)
{
    net->nodes[1].attributes[0].i = 3;
}
static void block_of_none(nm_model *net)
{
    net->nodes[1].attributes[0].i = -2;
}
static void shuffle_mode(nm_model *net)
{
    nm_string(&net->nodes[1], "mode", "RGB");
}
static void old_opset(nm_model *net)
{
    net->opset = 6;
}
static void new_opset(nm_model *net)
{
    net->opset = 99;
}
static void five_channels(nm_model *net)
{
    net->input_channels = 5;
}
static void other_output_channels(nm_model *net)
{
    net->output_channels = 3;
}
static void output_of_four(nm_model *net)
{
    net->nodes[1].op = "Relu";
    net->nodes[1].attribute_count = 0;
    net->output_channels = 4;
}
static void no_nodes(nm_model *net)
{
    net->node_count = 0;
}
static void unknown_attribute(nm_model *net)
{
    nm_int(&net->nodes[0], "activation", 1);
}
static void computed_weights(nm_model *net)
{
    snprintf(net->nodes[0].in[1], 16, "input");
}
static void too_many_inputs(nm_model *net)
{
    snprintf(net->nodes[1].in[net->nodes[1].in_count++], 16, "w");
}
static void no_output(nm_model *net)
{
    snprintf(net->output, 16, "other");
}
static void bad_resize(nm_model *net, float factor, const char *name, const char *value)
{
    nm_constant(net, "s", 1, (const int64_t[]){4}, (const float[]){1, 1, factor, factor});
    net->node_count = 0;
    nm_string(nm_add(net, "Resize", "output", "input", "", "s"), name, value);
}
static void resize_by_half(nm_model *net)
{
    bad_resize(net, 0.5f, "mode", "cubic");
}
static void resize_by_one_and_a_half(nm_model *net)
{
    bad_resize(net, 1.5f, "mode", "cubic");
}
static void resize_by_nan(nm_model *net)
{
    bad_resize(net, 1e30f, "mode", "cubic");
}
static void align_corners(nm_model *net)
{
    bad_resize(net, 2, "coordinate_transformation_mode", "align_corners");
}
static void resize_mode(nm_model *net)
{
    bad_resize(net, 2, "mode", "lanczos");
}
static void too_large(nm_model *net)
{
    nm_constant(net, "s", 1, (const int64_t[]){4}, (const float[]){1, 1, 4, 4});
    net->node_count = 0;
    nm_add(net, "Resize", "a", "input", "", "s");
    nm_add(net, "Resize", "output", "a", "", "s");
}
static void add_of_sizes(nm_model *net)
{
    snprintf(net->nodes[1].out, 16, "t1");
    nm_add(net, "Add", "output", "t1", "input", NULL);
}
static void concat_axis(nm_model *net)
{
    net->nodes[1].op = "Concat";
    net->nodes[1].attributes[0].name = "axis";
}
static void clip_bounds(nm_model *net)
{
    net->node_count = 0;
    nm_constant(net, "lo", 0, NULL, (const float[]){2});
    nm_constant(net, "hi", 0, NULL, (const float[]){1});
    nm_add(net, "Clip", "output", "input", "lo", "hi");
}
static void many_dimensions(nm_model *net)
{
    snprintf(net->nodes[0].in[0], 16, "t9");
}

static const bad_case bad_cases[] = {
    {"an operator that is not run", unknown_operator, SPYHOP_E_UNSUPPORTED, "GridSample"},
    {"a cycle", cycle, SPYHOP_E_FORMAT, "cycle"},
    {"an input that nothing makes", missing, SPYHOP_E_FORMAT, "'nowhere'"},
    {"a name made twice", twice, SPYHOP_E_FORMAT, "'t0' is defined twice"},
    {"two constants of one name", two_constants, SPYHOP_E_FORMAT, "'w' is defined twice"},
    {"strides", stride, SPYHOP_E_UNSUPPORTED, "strides are 2 x 2"},
    {"dilations", dilation, SPYHOP_E_UNSUPPORTED, "dilations are 1 x 2"},
    {"groups", groups, SPYHOP_E_FORMAT, "do not fall into 4 groups"},
    {"no pads", shrinking, SPYHOP_E_UNSUPPORTED, "smaller than the picture"},
    {"negative pads", negative_pads, SPYHOP_E_UNSUPPORTED, "pads of -1"},
    {"weights for other channels", channels_differ, SPYHOP_E_FORMAT, "for 2 channels"},
    {"2^62 output channels", huge_dimension, SPYHOP_E_LIMIT, "4611686018427387903"},
    {"dimensions without numbers", huge_product, SPYHOP_E_FORMAT, "its dimensions say 230400"},
    {"a negative dimension", negative_dimension, SPYHOP_E_LIMIT, "-4"},
    {"a kernel of 36 rows", huge_kernel, SPYHOP_E_LIMIT, "36 x 1"},
    {"a number too few", too_few_numbers, SPYHOP_E_FORMAT, "holds 35 numbers"},
    {"infinite weights", not_finite, SPYHOP_E_FORMAT, "not finite"},
    {"too few biases", bias_count, SPYHOP_E_FORMAT, "3 biases"},
    {"a block that does not divide", block_of_three, SPYHOP_E_FORMAT, "blocks of 9"},
    {"a negative block", block_of_none, SPYHOP_E_LIMIT, "-2"},
    {"an unknown shuffle", shuffle_mode, SPYHOP_E_FORMAT, "'RGB'"},
    {"an old opset", old_opset, SPYHOP_E_UNSUPPORTED, "opset 6"},
    {"a future opset", new_opset, SPYHOP_E_UNSUPPORTED, "opset 99"},
    {"five channels", five_channels, SPYHOP_E_UNSUPPORTED, "5 channels"},
    {"an output that lies", other_output_channels, SPYHOP_E_FORMAT, "says 3 channels"},
    {"more channels out than in", output_of_four, SPYHOP_E_UNSUPPORTED, "takes 1 channels and gives 4"},
    {"no nodes", no_nodes, SPYHOP_E_FORMAT, "no nodes"},
    {"an unknown attribute", unknown_attribute, SPYHOP_E_UNSUPPORTED, "'activation'"},
    {"computed weights", computed_weights, SPYHOP_E_UNSUPPORTED, "input 1 is computed"},
    {"too many inputs", too_many_inputs, SPYHOP_E_FORMAT, "2 inputs"},
    {"no such output", no_output, SPYHOP_E_FORMAT, "'other'"},
    {"reduction", resize_by_half, SPYHOP_E_UNSUPPORTED, "0.5 x 0.5"},
    {"a broken factor", resize_by_one_and_a_half, SPYHOP_E_UNSUPPORTED, "1.5 x 1.5"},
    {"an absurd factor", resize_by_nan, SPYHOP_E_UNSUPPORTED, "1e+30"},
    {"align_corners", align_corners, SPYHOP_E_UNSUPPORTED, "align_corners"},
    {"an unknown mode", resize_mode, SPYHOP_E_UNSUPPORTED, "lanczos"},
    {"sixteen times the size", too_large, SPYHOP_E_LIMIT, "enlarged 16 times"},
    {"a sum of two sizes", add_of_sizes, SPYHOP_E_FORMAT, "different sizes"},
    {"joined rows", concat_axis, SPYHOP_E_UNSUPPORTED, "mirror image of as many"},
    {"crossed bounds", clip_bounds, SPYHOP_E_FORMAT, "above the upper"},
    {"an unknown first input", many_dimensions, SPYHOP_E_FORMAT, "'t9'"},
};

static void bad_files(void **state)
{
    (void)state;
    check_refusals(bad_cases, sizeof(bad_cases) / sizeof(bad_cases[0]));
}

/* Raw bytes: not ONNX at all, or a field whose length lies. */
static void bad_bytes(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        int status;
        const char *words;
    } cases[] = {
        {"", 0, SPYHOP_E_FORMAT, "empty"},
        {"hello, world", 12, SPYHOP_E_FORMAT, "byte"},
        {"\x3a\xff\xff\xff\xff\x7f", 6, SPYHOP_E_FORMAT, "cut short or damaged at byte 6"},
        {"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, SPYHOP_E_FORMAT, "begins at byte 11"},
        {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 11, SPYHOP_E_FORMAT, "more than 64 bits"},
        {"\x08\x80", 2, SPYHOP_E_FORMAT, "at byte 2"},
        {"\x0b\x01", 2, SPYHOP_E_FORMAT, "wire type 3 at byte 0"},
        {"\x08\x07", 2, SPYHOP_E_FORMAT, "0 graphs"},
        {"\x3a\x00\x3a\x00", 4, SPYHOP_E_FORMAT, "2 graphs"},
        {"\x00\x01", 2, SPYHOP_E_FORMAT, "tag at byte 0"},
        {"\x3a\x00\x42\x02\x10\x0d", 6, SPYHOP_E_FORMAT, "no nodes"},
        {"\x38\x01", 2, SPYHOP_E_FORMAT, "wire type 0"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        spyhop_model *model = NULL;
        spyhop_error error = {0};
        int status = spyhop_model_parse(&model, cases[i].bytes, cases[i].size, &error);
        if (status != cases[i].status || !strstr(error.message, cases[i].words) || model)
            fail_msg("case %zu: status %d, '%s'", i, status, error.message);
    }
}

/* More nodes than allowed: refused by counting, before anything is allocated for them. */
static void too_many_nodes(void **state)
{
    size_t nodes = SPYHOP_MAX_NODES + 1, length = nodes * 2, at = 0;
    uint8_t *file = malloc(length + 16);
    spyhop_model *model = NULL;
    spyhop_error error = {0};
    (void)state;
    assert_non_null(file);
    file[at++] = 0x3a;
    file[at++] = (uint8_t)(length & 0x7f) | 0x80;
    file[at++] = (uint8_t)(length >> 7);
    for (size_t i = 0; i < nodes; i++) {
        file[at++] = 0x0a;
        file[at++] = 0;
    }
    assert_int_equal(spyhop_model_parse(&model, file, at, &error), SPYHOP_E_LIMIT);
    assert_non_null(strstr(error.message, "more than 4096 nodes"));
    free(file);
}

static void files(void **state)
{
    char path[] = "/tmp/spyhop-test-XXXXXX";
    spyhop_model *model = NULL;
    spyhop_error error = {0};
    (void)state;
    assert_int_equal(spyhop_model_load(&model, "/nonexistent/x.onnx", &error), SPYHOP_E_NOT_FOUND);
    assert_non_null(strstr(error.message, "/nonexistent/x.onnx"));
    assert_int_equal(spyhop_model_load(&model, "/", &error), SPYHOP_E_IO);
    assert_int_equal(spyhop_model_load(&model, NULL, &error), SPYHOP_E_ARGUMENT);
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, "\x3a\x7f", 2) == 2 && close(fd) == 0);
    assert_int_equal(spyhop_model_load(&model, path, &error), SPYHOP_E_FORMAT);
    assert_non_null(strstr(error.message, path));
    assert_non_null(strstr(error.message, "at byte 2"));
    assert_null(model);
    assert_int_equal(spyhop_model_load(&model, path, NULL), SPYHOP_E_FORMAT);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fast_network_is_described),
        cmocka_unit_test(weights_in_any_form),
        cmocka_unit_test(older_operator_sets),
        cmocka_unit_test(bad_files),
        cmocka_unit_test(bad_bytes),
        cmocka_unit_test(too_many_nodes),
        cmocka_unit_test(files),
    };
    return cmocka_run_group_tests_name("engine/onnx", tests, NULL, NULL);
}
