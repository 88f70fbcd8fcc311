/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What operators are refused with: pads, cuts, transposed convolutions, quantisation, shapes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "refusal.h"
#include <stdio.h>
#include <string.h>

static void one_node(nm_model *net)
{
    net->node_count = 0;
    net->output_channels = 1;
}
static void pad_of(nm_model *net, const char *mode, int64_t top, int64_t left)
{
    one_node(net);
    nm_whole(net, "p", NM_INT64, 8, (const int64_t[]){0, 0, top, left, 0, 0, top, left});
    nm_string(nm_add(net, "Pad", "output", "input", "p", NULL), "mode", mode);
}
static void pad_to_the_end(nm_model *net)
{
    pad_of(net, "edge", 2, 2);
}
static void pad_of_two_sizes(nm_model *net)
{
    pad_of(net, "edge", 2, 1);
}
static void pad_without_end(nm_model *net)
{
    pad_of(net, "reflect", 500, 500);
}
static void pad_wrapped(nm_model *net)
{
    pad_of(net, "wrap", 1, 1);
}
static void pad_absurd(nm_model *net)
{
    pad_of(net, "edge", (int64_t)1 << 40, (int64_t)1 << 40);
}
static void pad_of_two_numbers(nm_model *net)
{
    pad_of(net, "edge", 1, 1);
    net->tensors[net->tensor_count - 1].count = 2;
    net->tensors[net->tensor_count - 1].dims[0] = 2;
}
static void slice_of(nm_model *net, const char *in, int64_t from, int64_t to, int64_t axis, const char *out)
{
    nm_whole(net, "from", NM_INT64, 1, &from);
    nm_whole(net, "to", NM_INT64, 1, &to);
    nm_whole(net, "axis", NM_INT64, 1, &axis);
    nm_node *node = nm_add(net, "Slice", out, in, "from", "to");
    snprintf(node->in[node->in_count++], 16, "axis");
}
static void slice_of_rows(nm_model *net)
{
    one_node(net);
    slice_of(net, "input", 0, 10, 2, "output");
}
static void slice_of_one_side(nm_model *net)
{
    one_node(net);
    slice_of(net, "input", 2, -2, 2, "output");
}
static void slice_of_one_side_and_on(nm_model *net)
{
    one_node(net);
    slice_of(net, "input", 2, -2, 2, "half");
    nm_add(net, "Relu", "output", "half", NULL, NULL);
}
static void slice_to_the_lowest(nm_model *net)
{
    one_node(net);
    slice_of(net, "input", 5, INT64_MIN, 2, "output");
}
static void slice_twice(nm_model *net)
{
    one_node(net);
    nm_whole(net, "from", NM_INT64, 2, (const int64_t[]){1, 2});
    nm_whole(net, "to", NM_INT64, 2, (const int64_t[]){-1, -2});
    nm_whole(net, "axis", NM_INT64, 2, (const int64_t[]){2, 2});
    nm_node *node = nm_add(net, "Slice", "output", "input", "from", "to");
    snprintf(node->in[node->in_count++], 16, "axis");
}
static void slice_of_nothing(nm_model *net)
{
    one_node(net);
    slice_of(net, "input", 3, 2, 1, "output");
}
static void slice_of_pictures(nm_model *net)
{
    one_node(net);
    slice_of(net, "input", 0, 1, 0, "output");
}
static void slice_backwards(nm_model *net)
{
    one_node(net);
    slice_of(net, "input", 0, 1, 1, "output");
    nm_whole(net, "step", NM_INT64, 1, (const int64_t[]){-1});
    snprintf(net->nodes[0].in[net->nodes[0].in_count++], 16, "step");
}
/* input, or `in`, with its mirror image of 2 along the axis, by nodes that a test may change. */
static void mirror_of(nm_model *net, const char *in, int64_t axis, const char *out)
{
    char names[3][16];
    for (int i = 0; i < 2; i++) {
        int64_t numbers[4] = {i ? -1 : 1, i ? -3 : INT64_MIN, axis, -1};
        snprintf(names[i], 16, "%s%d", out, i);
        nm_node *node = nm_add(net, "Slice", names[i], in, NULL, NULL);
        for (int k = 0; k < 4; k++) {
            snprintf(names[2], 16, "%s%d%d", out, i, k);
            nm_whole(net, names[2], NM_INT64, 1, &numbers[k]);
            snprintf(node->in[node->in_count++], 16, "%s", names[2]);
        }
    }
    nm_int(nm_add(net, "Concat", out, names[0], in, names[1]), "axis", axis);
}
static void mirror_both(nm_model *net)
{
    one_node(net);
    mirror_of(net, "input", 3, "wide");
    mirror_of(net, "wide", 2, "output");
}
static void mirror_across(nm_model *net)
{
    one_node(net);
    mirror_of(net, "input", 3, "output");
}
static void mirror_twice(nm_model *net)
{
    one_node(net);
    mirror_of(net, "input", 3, "wide");
    mirror_of(net, "wide", 3, "output");
}
static void mirror_and_on(nm_model *net)
{
    mirror_across(net);
    snprintf(net->nodes[2].out, 16, "wide");
    nm_add(net, "Relu", "output", "wide", NULL, NULL);
}
static void mirror_ends_exchanged(nm_model *net)
{
    mirror_both(net);
    snprintf(net->nodes[5].in[0], 16, "output1");
    snprintf(net->nodes[5].in[2], 16, "output0");
}
static void mirror_of_another(nm_model *net)
{
    mirror_both(net);
    snprintf(net->nodes[4].in[0], 16, "input");
}
static void mirror_alone(nm_model *net)
{
    mirror_both(net);
    net->nodes[2].in_count = 2;
}
static void mirror_of_two_sizes(nm_model *net)
{
    mirror_both(net);
    for (int i = 0; i < net->tensor_count; i++) {
        if (strcmp(net->tensors[i].name, "output00") == 0)
            net->tensors[i].data[0] = 2;
        if (strcmp(net->tensors[i].name, "output11") == 0)
            net->tensors[i].data[0] = -4;
    }
}
static void mirror_number(nm_model *net, const char *name, float number)
{
    mirror_both(net);
    for (int i = 0; i < net->tensor_count; i++)
        if (strcmp(net->tensors[i].name, name) == 0)
            net->tensors[i].data[0] = number;
}
static void mirror_uneven(nm_model *net)
{
    mirror_number(net, "output11", -4);
}
static void mirror_in_steps_of_two(nm_model *net)
{
    mirror_number(net, "wide03", -2);
}
static void mirror_without_border(nm_model *net)
{
    mirror_number(net, "wide01", 0);
}
static void mirror_of_600(nm_model *net)
{
    mirror_number(net, "wide00", 599);
}
static void mirror_unordered(nm_model *net)
{
    mirror_number(net, "output02", 3);
}
static nm_node *deconv_of(nm_model *net, int kernel, int stride, int pad)
{
    static const float weights[1024] = {0.5f};
    one_node(net);
    nm_constant(net, "dw", 4, (const int64_t[]){1, 1, kernel, kernel}, weights);
    nm_node *node = nm_add(net, "ConvTranspose", "output", "input", "dw", NULL);
    nm_ints(node, "strides", 2, (const int64_t[]){stride, stride});
    nm_ints(node, "pads", 4, (const int64_t[]){pad, pad, pad, pad});
    return node;
}
static void deconv_not_whole(nm_model *net)
{
    deconv_of(net, 9, 2, 4);
}
static void deconv_too_far(nm_model *net)
{
    deconv_of(net, 9, 9, 0);
}
static void deconv_kernel(nm_model *net)
{
    deconv_of(net, 16, 2, 7);
}
static void deconv_groups(nm_model *net)
{
    nm_int(deconv_of(net, 4, 2, 1), "group", 2);
}
static void deconv_dilated(nm_model *net)
{
    nm_ints(deconv_of(net, 4, 2, 1), "dilations", 2, (const int64_t[]){2, 2});
}
static void deconv_smaller(nm_model *net)
{
    deconv_of(net, 4, 2, 2);
}
static void divided_by_zero(nm_model *net)
{
    one_node(net);
    nm_constant(net, "zero", 0, NULL, (const float[]){0});
    nm_add(net, "Div", "output", "input", "zero", NULL);
}
static void divided_by_itself(nm_model *net)
{
    one_node(net);
    nm_add(net, "Div", "output", "input", "input", NULL);
}
static void margins_differ(nm_model *net)
{
    pad_of(net, "edge", 1, 1);
    snprintf(net->nodes[0].out, 16, "wide");
    nm_add(net, "Mul", "output", "wide", "input", NULL);
}
static void quant_of(nm_model *net, float scale, float back)
{
    one_node(net);
    nm_constant(net, "scale", 0, NULL, &scale);
    nm_constant(net, "back", 0, NULL, &back);
    nm_add(net, "QuantizeLinear", "q", "input", "scale", NULL);
    nm_add(net, "DequantizeLinear", "output", "q", "back", NULL);
}
static void quant_back_by_another(nm_model *net)
{
    quant_of(net, 0.5f, 0.25f);
}
static void quant_without_size(nm_model *net)
{
    quant_of(net, 0, 0);
}
static void quant_and_nothing(nm_model *net)
{
    quant_of(net, 0.5f, 0.5f);
    net->nodes[1].op = "Relu";
    net->nodes[1].in_count = 1;
}
static void quant_at_the_end(nm_model *net)
{
    quant_of(net, 0.5f, 0.5f);
    net->node_count = 1;
    snprintf(net->nodes[0].out, 16, "output");
}
static void quant_by_channels(nm_model *net)
{
    quant_of(net, 0.5f, 0.5f);
    nm_constant(net, "many", 1, (const int64_t[]){2}, (const float[]){1, 2});
    snprintf(net->nodes[0].in[1], 16, "many");
}
static void dequant_of_nothing(nm_model *net)
{
    quant_of(net, 0.5f, 0.5f);
    snprintf(net->nodes[1].in[0], 16, "input");
}
static void dequant_weights(nm_model *net, int64_t axis)
{
    nm_constant(net, "scales", 1, (const int64_t[]){3}, (const float[]){1, 2, 3});
    net->tensors[0].form = NM_INT8;
    snprintf(net->nodes[0].in[1], 16, "dw");
    nm_int(nm_add(net, "DequantizeLinear", "dw", "w", "scales", NULL), "axis", axis);
    nm_node conv = net->nodes[0], shuffle = net->nodes[1];
    net->nodes[0] = net->nodes[2];
    net->nodes[1] = conv;
    net->nodes[2] = shuffle;
}
static void scales_of_no_axis(nm_model *net)
{
    dequant_weights(net, 0);
}
static void scales_beyond_axes(nm_model *net)
{
    dequant_weights(net, INT64_MAX);
}
static void reshape_of_pictures(nm_model *net)
{
    one_node(net);
    nm_whole(net, "shape", NM_INT64, 1, (const int64_t[]){-1});
    nm_add(net, "Reshape", "output", "input", "shape", NULL);
}
static void gather_beyond(nm_model *net)
{
    one_node(net);
    nm_whole(net, "at", NM_INT64, 1, (const int64_t[]){4});
    nm_add(net, "Shape", "shape", "input", NULL, NULL);
    nm_add(net, "Gather", "one", "shape", "at", NULL);
    nm_add(net, "Relu", "output", "input", NULL, NULL);
}
static void pads_of_sizes(nm_model *net)
{
    pad_of(net, "edge", 1, 1);
    nm_node pad = net->nodes[0];
    net->node_count = 0;
    nm_add(net, "Shape", "shape", "input", NULL, NULL);
    nm_int(nm_add(net, "Concat", "both", "shape", "shape", NULL), "axis", 0);
    snprintf(pad.in[1], 16, "both");
    net->nodes[net->node_count++] = pad;
}
static void split_unevenly(nm_model *net)
{
    one_node(net);
    nm_whole(net, "parts", NM_INT64, 1, (const int64_t[]){2});
    nm_int(nm_add(net, "Split", "output", "input", "parts", NULL), "axis", 1);
}
static void split_by_a_long_list(nm_model *net)
{
    one_node(net);
    net->opset = 11;
    nm_node *split = nm_add(net, "Split", "output", "input", NULL, NULL);
    nm_int(split, "axis", 1);
    nm_ints(split, "split", 9, (const int64_t[]){1, 1, 1, 1, 1, 1, 1, 1, 1});
}
/* Nothing, as many times as it takes to turn a table of 2^40 rows. */
static void table_of_nothing(nm_model *net)
{
    one_node(net);
    nm_tensor *table = nm_whole(net, "table", NM_INT64, 0, (const int64_t[]){0});
    table->rank = 2;
    table->dims[0] = 0;
    table->dims[1] = (int64_t)1 << 40;
    nm_add(net, "Transpose", "turned", "table", NULL, NULL);
    nm_add(net, "Transpose", "back", "turned", NULL, NULL);
    nm_add(net, "Relu", "output", "input", NULL, NULL);
}
static const bad_case bad_cases[] = {
    {"an output that is padded", pad_to_the_end, SPYHOP_E_UNSUPPORTED, "larger than the picture, by 2"},
    {"a pad of two sizes", pad_of_two_sizes, SPYHOP_E_UNSUPPORTED, "not 2, 1, 2 and 1"},
    {"a pad of 500", pad_without_end, SPYHOP_E_LIMIT, "500 samples"},
    {"a pad that wraps around", pad_wrapped, SPYHOP_E_UNSUPPORTED, "'wrap'"},
    {"a pad of 2^40", pad_absurd, SPYHOP_E_LIMIT, "1099511627776 samples"},
    {"two pads", pad_of_two_numbers, SPYHOP_E_UNSUPPORTED, "2 pads; 8"},
    {"ten rows of any picture", slice_of_rows, SPYHOP_E_UNSUPPORTED, "[0, 10)"},
    {"rows cut and columns not", slice_of_one_side, SPYHOP_E_UNSUPPORTED, "cut the other side"},
    {"rows cut, then something else", slice_of_one_side_and_on, SPYHOP_E_UNSUPPORTED, "half of something"},
    {"rows to -2^63", slice_to_the_lowest, SPYHOP_E_UNSUPPORTED, "[5, -9223372036854775808)"},
    {"rows cut twice", slice_twice, SPYHOP_E_FORMAT, "axis 2 twice"},
    {"no channel left", slice_of_nothing, SPYHOP_E_FORMAT, "no channel of 1"},
    {"pictures cut off", slice_of_pictures, SPYHOP_E_UNSUPPORTED, "axes 1 to 3"},
    {"backwards", slice_backwards, SPYHOP_E_UNSUPPORTED, "steps of 1"},
    {"a mirror image that stays", mirror_both, SPYHOP_E_UNSUPPORTED, "larger than the picture, by 2"},
    {"columns mirrored and rows not", mirror_across, SPYHOP_E_UNSUPPORTED, "continue the other side"},
    {"columns mirrored twice", mirror_twice, SPYHOP_E_UNSUPPORTED, "which is half of something"},
    {"columns mirrored, then a ReLU", mirror_and_on, SPYHOP_E_UNSUPPORTED, "continue the other side"},
    {"the last rows above the first", mirror_ends_exchanged, SPYHOP_E_UNSUPPORTED, "mirror image of as many"},
    {"rows of another tensor", mirror_of_another, SPYHOP_E_UNSUPPORTED, "mirror image of as many"},
    {"a mirror image at one end", mirror_alone, SPYHOP_E_UNSUPPORTED, "mirror image of as many"},
    {"3 rows and 2 columns mirrored", mirror_of_two_sizes, SPYHOP_E_UNSUPPORTED, "not 2 and 3"},
    {"2 rows before and 3 behind", mirror_uneven, SPYHOP_E_UNSUPPORTED, "mirror image of as many"},
    {"every second row, backwards", mirror_in_steps_of_two, SPYHOP_E_UNSUPPORTED, "steps of -1"},
    {"a mirror image without the border", mirror_without_border, SPYHOP_E_UNSUPPORTED, "not [1, 0)"},
    {"600 columns mirrored", mirror_of_600, SPYHOP_E_UNSUPPORTED, "1 to 512"},
    {"rows joined to columns", mirror_unordered, SPYHOP_E_UNSUPPORTED, "half of something"},
    {"one row less than twice as many", deconv_not_whole, SPYHOP_E_UNSUPPORTED, "whole factor"},
    {"nine times as large", deconv_too_far, SPYHOP_E_UNSUPPORTED, "strides of 9"},
    {"a kernel of 16", deconv_kernel, SPYHOP_E_LIMIT, "16 x 16"},
    {"one channel in two groups", deconv_groups, SPYHOP_E_FORMAT, "2 groups"},
    {"a dilated ConvTranspose", deconv_dilated, SPYHOP_E_UNSUPPORTED, "dilations are 2 x 2"},
    {"a ConvTranspose that cuts", deconv_smaller, SPYHOP_E_UNSUPPORTED, "smaller than the picture, by 1"},
    {"a division by 0", divided_by_zero, SPYHOP_E_FORMAT, "divides by 0"},
    {"a division by a tensor", divided_by_itself, SPYHOP_E_UNSUPPORTED, "only constants"},
    {"tensors of two margins", margins_differ, SPYHOP_E_FORMAT, "different sizes"},
    {"two scales of one quantisation", quant_back_by_another, SPYHOP_E_UNSUPPORTED,
     "is not that of Quantize"},
    {"a scale of 0", quant_without_size, SPYHOP_E_FORMAT, "scales are positive"},
    {"a ReLU of integers", quant_and_nothing, SPYHOP_E_UNSUPPORTED, "only DequantizeLinear may follow"},
    {"an output of integers", quant_at_the_end, SPYHOP_E_UNSUPPORTED, "only DequantizeLinear"},
    {"a scale for each of two channels", quant_by_channels, SPYHOP_E_UNSUPPORTED, "2 scales"},
    {"floats dequantised", dequant_of_nothing, SPYHOP_E_UNSUPPORTED, "no QuantizeLinear made"},
    {"three scales for four outputs", scales_of_no_axis, SPYHOP_E_FORMAT, "do not go with axis 0"},
    {"scales along axis 2^63 - 1", scales_beyond_axes, SPYHOP_E_FORMAT, "do not go with axis"},
    {"a picture of another shape", reshape_of_pictures, SPYHOP_E_UNSUPPORTED, "Reshape 'output'"},
    {"a fifth dimension", gather_beyond, SPYHOP_E_FORMAT, "number 4 of 4"},
    {"pads as large as the picture", pads_of_sizes, SPYHOP_E_UNSUPPORTED, "depends on the picture's size"},
    {"channels that do not add up", split_unevenly, SPYHOP_E_FORMAT, "share 1 channels out"},
    {"nine parts in an old file", split_by_a_long_list, SPYHOP_E_UNSUPPORTED, "a list of 9 parts"},
    {"an empty table of 2^40 columns", table_of_nothing, SPYHOP_E_LIMIT, "dimension 1099511627776"},
};

static void refused(void **state)
{
    (void)state;
    check_refusals(bad_cases, sizeof(bad_cases) / sizeof(bad_cases[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(refused)};
    return cmocka_run_group_tests_name("engine/operators", tests, NULL, NULL);
}
