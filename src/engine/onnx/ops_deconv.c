/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ConvTranspose as a convolution and a shuffle. With stride s, output row s * j + a of the picture takes from
 * input row j - d the kernel's row s * d + a + pad, for every d for which there is one: for each a that is an
 * ordinary convolution of a few rows. All s * s of them, over the rows that any of them reads, are one
 * convolution to s * s times as many outputs, in the order that DepthToSpace (CRD) puts together; taps that a
 * phase lacks are zeros. */
#include "engine/onnx/build.h"
#include "base/size.h"
#include <spyhop/spyhop.h>

/* One direction: the kernel's side, the stride, what the file's pads cut off the beginning. */
typedef struct side {
    int kernel, stride, pad;
    int least, most; /* d */
} side;

/* The smallest and largest d with 0 <= stride * d + a + pad < kernel for some phase a. */
static side make_side(int kernel, int stride, int pad)
{
    side s = {kernel, stride, pad, 0, 0};
    for (int a = 0; a < stride; a++) {
        int least = -sh_divide_down(a + pad, stride), most = sh_divide_down(kernel - 1 - a - pad, stride);
        s.least = least < s.least ? least : s.least;
        s.most = most > s.most ? most : s.most;
    }
    return s;
}

/* The kernel's row of phase a at tap t, or -1. Tap t reads input row j - most + t. */
static int kernel_place(const side *s, int a, int t)
{
    int at = s->stride * (s->most - t) + a + s->pad;
    return at >= 0 && at < s->kernel ? at : -1;
}

static int check_weights(const sh_draft *draft, const sh_onnx_tensor *w, const sh_graph_tensor *in,
                         sh_err *err)
{
    int64_t group = sh_draft_int(draft, "group", 1);
    const sh_onnx_attribute *kernel = sh_draft_attribute(draft, "kernel_shape");
    if (!w || w->rank != 4)
        return sh_fail(err, SH_E_FORMAT, "%s: its weights have %d dimensions, not 4", draft->label,
                       w ? w->rank : 0);
    if (w->dims[0] != in->channels)
        return sh_fail(err, SH_E_FORMAT, "%s: its weights are for %lld channels; '%s' has %d", draft->label,
                       (long long)w->dims[0], in->name, in->channels);
    if (group < 1 || in->channels % group != 0)
        return sh_fail(err, SH_E_FORMAT, "%s: %d channels do not fall into %lld groups", draft->label,
                       in->channels, (long long)group);
    if (w->dims[1] < 1 || w->dims[1] > SPYHOP_MAX_CHANNELS / group)
        return sh_fail(err, SH_E_LIMIT,
                       "%s gives %lld channels in each of %lld groups; at most %d in all are run",
                       draft->label, (long long)w->dims[1], (long long)group, SPYHOP_MAX_CHANNELS);
    for (int i = 2; i < 4; i++)
        if (w->dims[i] < 1 || w->dims[i] > SPYHOP_MAX_KERNEL)
            return sh_fail(err, SH_E_LIMIT, "%s: its kernel is %lld x %lld; 1 to %d are run", draft->label,
                           (long long)w->dims[2], (long long)w->dims[3], SPYHOP_MAX_KERNEL);
    if (kernel && (kernel->count != 2 || kernel->ints[0] != w->dims[2] || kernel->ints[1] != w->dims[3]))
        return sh_fail(err, SH_E_FORMAT, "%s: kernel_shape is not that of its weights", draft->label);
    return SH_OK;
}

/* Numbers of a list attribute, zeros (or `otherwise`) where it is not there. */
static int list_of(const sh_draft *draft, const char *name, int count, int otherwise, int most, int *values,
                   sh_err *err)
{
    const sh_onnx_attribute *list = sh_draft_attribute(draft, name);
    if (list && list->count != count)
        return sh_fail(err, SH_E_FORMAT, "%s: %s has %d numbers, not %d", draft->label, name, list->count,
                       count);
    for (int i = 0; i < count; i++) {
        int64_t value = list ? list->ints[i] : otherwise;
        if (value < 0 || value > most)
            return sh_fail(err, SH_E_UNSUPPORTED, "%s: %s of %lld; 0 to %d are run", draft->label, name,
                           (long long)value, most);
        values[i] = (int)value;
    }
    return SH_OK;
}

/* The two sides, and the margin of the output: as much more than the input's, enlarged, on all four sides. */
static int find_sides(const sh_draft *draft, const sh_onnx_tensor *w, side *sides, int *margin, sh_err *err)
{
    int strides[2], extra[2], pads[4], won[2];
    int status = list_of(draft, "strides", 2, 1, SH_GRAPH_SCALE, strides, err);
    if (status == SH_OK)
        status = list_of(draft, "output_padding", 2, 0, SH_GRAPH_SCALE, extra, err);
    if (status == SH_OK)
        status = list_of(draft, "pads", 4, 0, SPYHOP_MAX_KERNEL, pads, err);
    if (status == SH_OK && !sh_text_is(sh_draft_string(draft, "auto_pad", "NOTSET"), "NOTSET"))
        status = sh_fail(err, SH_E_UNSUPPORTED, "%s: auto_pad is not run here; give pads", draft->label);
    if (status < 0)
        return status;
    for (int i = 0; i < 2; i++)
        won[i] = (int)w->dims[2 + i] + extra[i] - pads[i] - pads[2 + i] - strides[i];
    if (strides[0] != strides[1] || strides[0] < 1 || won[0] != won[1] || won[0] % 2 != 0)
        return sh_fail(
            err, SH_E_UNSUPPORTED,
            "%s: strides %d x %d with these pads do not enlarge by a whole factor, by as much on all sides",
            draft->label, strides[0], strides[1]);
    for (int i = 0; i < 2; i++)
        sides[i] = make_side((int)w->dims[2 + i], strides[i], pads[i] + won[i] / 2);
    *margin = *margin * strides[0] + won[0] / 2;
    return SH_OK;
}

/* One output of one phase (a, b) from one input of its group. */
static void fill_taps(float *to, const sh_graph_conv *conv, const side *sides, int a, int b,
                      const float *from)
{
    for (int y = 0; y < conv->kernel_h; y++)
        for (int x = 0; x < conv->kernel_w; x++) {
            int ky = kernel_place(&sides[0], a, y), kx = kernel_place(&sides[1], b, x);
            to[y * conv->kernel_w + x] = ky < 0 || kx < 0 ? 0 : from[ky * sides[1].kernel + kx];
        }
}

/* from: [inputs][outputs of a group][kernel_h][kernel_w] of the file; bias: one an output of the file. */
static int fill(sh_builder *builder, const sh_draft *draft, sh_graph_conv *conv, const side *sides,
                const float *from, const float *bias, sh_err *err)
{
    int s = sides[0].stride, phases = s * s, ins = conv->inputs / conv->group, outs = conv->outputs / phases;
    int group_outs = outs / conv->group, kernel = sides[0].kernel * sides[1].kernel;
    size_t taps = (size_t)(conv->kernel_h * conv->kernel_w);
    float *weights =
        sh_arena_alloc(builder->graph->arena, (size_t)conv->outputs * (size_t)ins * taps * sizeof(float));
    float *biases = sh_arena_alloc(builder->graph->arena, (size_t)conv->outputs * sizeof(float));
    if (!weights || !biases)
        return sh_fail(err, SH_E_MEMORY, "out of memory for %s", draft->label);
    for (int o = 0; o < conv->outputs; o++) {
        int out = o / phases, first = out / group_outs * ins;
        biases[o] = bias[out];
        for (int i = 0; i < ins; i++)
            fill_taps(weights + ((size_t)o * (size_t)ins + (size_t)i) * taps, conv, sides, o % phases / s,
                      o % s,
                      from + ((size_t)(first + i) * (size_t)group_outs + (size_t)(out % group_outs)) *
                                 (size_t)kernel);
    }
    conv->weights = weights;
    conv->bias = biases;
    return SH_OK;
}

static int add_nodes(sh_builder *builder, const sh_draft *draft, const sh_graph_conv *conv, const side *sides,
                     const sh_graph_tensor *in, int margin, sh_err *err)
{
    int s = sides[0].stride, output, grown = (margin + s - 1) / s;
    sh_graph_node first = {.op = SH_OP_CONV, .conv = *conv},
                  second = {.op = SH_OP_SHUFFLE, .shuffle = {s, 1}};
    sh_graph_node third = {.op = SH_OP_SLICE, .slice = {0}};
    sh_size size = {conv->outputs, in->scale, grown},
            large = {conv->outputs / (s * s), in->scale * s, grown * s};
    int cut = large.margin != margin;
    sh_text none = {"", 0};
    int status =
        sh_builder_add_to(builder, draft, first, &draft->inputs[0]->tensor, 1, none, size, &output, err);
    if (status == SH_OK)
        status = sh_builder_add_to(builder, draft, second, &output, 1, cut ? none : draft->node->outputs[0],
                                   large, &output, err);
    large.margin = margin;
    if (status == SH_OK && cut)
        status = sh_builder_add_to(builder, draft, third, &output, 1, draft->node->outputs[0], large, &output,
                                   err);
    return status;
}

int sh_operator_deconv(sh_builder *builder, const sh_draft *draft, sh_err *err)
{
    static const char *const names[] = {"auto_pad",       "dilations", "group",   "kernel_shape",
                                        "output_padding", "pads",      "strides", NULL};
    const sh_graph_tensor *in = NULL;
    const sh_onnx_tensor *weights = NULL;
    const float *bias = NULL;
    float *values;
    int64_t count;
    int margin = 0;
    side sides[2];
    int status = sh_draft_known(draft, names, err);
    if (status == SH_OK)
        status = sh_draft_tensor(builder, draft, 0, &in, err);
    if (status == SH_OK)
        status = sh_draft_constant(draft, 1, &weights, err);
    if (status == SH_OK)
        status = check_weights(draft, weights, in, err);
    if (status == SH_OK)
        status = sh_draft_both(draft, "dilations", 1, err);
    margin = in ? in->margin : 0;
    if (status == SH_OK)
        status = find_sides(draft, weights, sides, &margin, err);
    if (status == SH_OK)
        status = sh_onnx_floats(weights, builder->scratch, &values, &count, err);
    if (status < 0)
        return status;
    sh_graph_conv conv = {.inputs = in->channels, .group = (int)sh_draft_int(draft, "group", 1)};
    int outputs = (int)weights->dims[1] * conv.group;
    conv.outputs = outputs * sides[0].stride * sides[0].stride;
    conv.kernel_h = sides[0].most - sides[0].least + 1;
    conv.kernel_w = sides[1].most - sides[1].least + 1;
    conv.pad_top = sides[0].most;
    conv.pad_left = sides[1].most;
    if (conv.outputs > SPYHOP_MAX_CHANNELS)
        return sh_fail(err, SH_E_LIMIT, "%s: %d channels enlarged %d times; %d channels in one step are run",
                       draft->label, outputs, sides[0].stride, SPYHOP_MAX_CHANNELS);
    status = sh_draft_bias(builder, draft, outputs, &bias, err);
    if (status == SH_OK)
        status = fill(builder, draft, &conv, sides, values, bias, err);
    builder->graph->parameters += count;
    builder->graph->macs += count * in->scale * in->scale;
    return status < 0 ? status : add_nodes(builder, draft, &conv, sides, in, margin, err);
}
