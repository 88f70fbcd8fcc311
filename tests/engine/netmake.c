/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Networks with random weights, kept small enough that their outputs stay mostly within a picture's range. */
#include "netmodel.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void constant(nm_model *model, const char *name, int rank, const int64_t *dims, float size,
                     uint32_t *seed)
{
    int count = 1;
    for (int i = 0; i < rank; i++)
        count *= (int)dims[i];
    float *data = malloc((size_t)count * sizeof(float));
    for (int i = 0; i < count; i++)
        data[i] = nm_uniform(seed, -size, size);
    nm_form form = (nm_form)(nm_next(seed) % 3);
    if (form == NM_SINGLES && count > 64)
        form = NM_LIST;
    nm_constant(model, name, rank, dims, data)->form = form;
    free(data);
}

/* Names w<n> and b<n> go with the number of the node that uses them. */
static nm_node *conv(nm_model *model, const char *out, const char *in, int co, int ci, int kh, int kw,
                     uint32_t *seed)
{
    char w[16], b[16];
    int n = model->node_count;
    snprintf(w, sizeof(w), "w%d", n);
    snprintf(b, sizeof(b), "b%d", n);
    constant(model, w, 4, (const int64_t[]){co, ci, kh, kw}, 1.5f / sqrtf((float)(ci * kh * kw)), seed);
    constant(model, b, 1, (const int64_t[]){co}, 0.1f, seed);
    return nm_add(model, "Conv", out, in, w, b);
}

static void scales(nm_model *model, const char *name, float factor)
{
    nm_constant(model, name, 1, (const int64_t[]){4}, (const float[]){1, 1, factor, factor});
}

void nm_fast(nm_model *model, int depth, uint32_t seed)
{
    static const int64_t pads[4] = {1, 1, 1, 1};
    char in[16] = "input", out[16];
    *model = (nm_model){
        .opset = 13, .input_channels = 1, .output_channels = 1, .input = "input", .output = "output"};
    for (int i = 0; i < depth + 1; i++) {
        snprintf(out, sizeof(out), "c%d", i);
        nm_ints(conv(model, out, in, 16, i ? 16 : 1, 3, 3, &seed), "pads", 4, pads);
        snprintf(in, sizeof(in), "r%d", i);
        nm_add(model, "Relu", in, out, NULL, NULL);
    }
    nm_ints(conv(model, "last", in, 4, 16, 3, 3, &seed), "pads", 4, pads);
    nm_node *shuffle = nm_add(model, "DepthToSpace", "residual", "last", NULL, NULL);
    nm_int(shuffle, "blocksize", 2);
    nm_string(shuffle, "mode", "CRD");
    scales(model, "scales", 2);
    nm_node *resize = nm_add(model, "Resize", "base", "input", "", "scales");
    nm_string(resize, "mode", "cubic");
    nm_string(resize, "coordinate_transformation_mode", "half_pixel");
    nm_float(resize, "cubic_coeff_a", -0.5f);
    nm_add(model, "Add", "output", "base", "residual", NULL);
}

/* A tensor that the random network has so far. */
typedef struct point {
    char name[16];
    int channels, scale, margin;
} point;

typedef struct maker {
    nm_model *model;
    uint32_t seed;
    point points[NM_NODES + 1];
    int count;
} maker;

static int pick(maker *m, int n)
{
    return (int)(nm_next(&m->seed) >> 4) % n;
}

static const char *fresh(maker *m)
{
    point *p = &m->points[m->count++];
    snprintf(p->name, sizeof(p->name), "t%d", m->count);
    return p->name;
}

/* By value: `fresh` and the arrays of the model move on. */
static void done(maker *m, point like, int channels, int scale, int margin)
{
    point *p = &m->points[m->count - 1];
    p->channels = channels;
    p->scale = like.scale * scale;
    p->margin = margin;
}

/* A name for a constant of the next node. */
static void constant_name(const maker *m, char *name, char letter)
{
    snprintf(name, 16, "%c%d", letter, m->model->node_count);
}

/* Pads that keep the size, or, of a tensor with a margin, sometimes lose some of it. */
static void conv_pads(maker *m, nm_node *node, int kh, int kw, int *margin)
{
    int change = kh > 2 && kw > 2 ? pick(m, 1 + (*margin < 2 ? *margin : 2)) : 0, top, left;
    if (change == 0 && pick(m, 3) == 0) {
        nm_string(node, "auto_pad", pick(m, 2) ? "SAME_UPPER" : "SAME_LOWER");
        return;
    }
    int high = kh - 1 - 2 * change, wide = kw - 1 - 2 * change;
    if (high < 0 || wide < 0) {
        change = 0;
        high = kh - 1;
        wide = kw - 1;
    }
    top = pick(m, high + 1);
    left = pick(m, wide + 1);
    nm_ints(node, "pads", 4, (const int64_t[]){top, left, high - top, wide - left});
    *margin -= change;
}

static void add_conv(maker *m, point in, int channels)
{
    int kh = 1 + pick(m, 5), kw = pick(m, 2) ? 3 : 1 + pick(m, 7), group = 1, margin = in.margin;
    if (in.channels > 1 && pick(m, 3) == 0) {
        group = in.channels % 2 || pick(m, 2) ? in.channels : 2;
        channels = group * (1 + pick(m, 2));
    }
    nm_node *node = conv(m->model, fresh(m), in.name, channels, in.channels / group, kh, kw, &m->seed);
    conv_pads(m, node, kh, kw, &margin);
    if (group > 1)
        nm_int(node, "group", group);
    done(m, in, channels, 1, margin);
}

/* Kernels, strides, pads and output paddings that go together. */
static void add_deconv(maker *m, point in)
{
    char w[16], b[16];
    int s = 1 + pick(m, in.scale > 1 ? 2 : 3), kh = 1 + pick(m, 9), extra = s > 1 ? pick(m, 2) : 0;
    int over = kh + extra - s, margin = in.margin * s,
        group = in.channels > 1 && pick(m, 3) == 0 ? in.channels : 1;
    int outs = group > 1 ? 1 : 1 + pick(m, 4), top, left;
    if (over < 0) {
        kh += -over;
        over = 0;
    }
    if (over > 1 && pick(m, 4) == 0) { /* wins a margin */
        over -= 2;
        margin += 1;
    }
    top = pick(m, over + 1);
    left = pick(m, over + 1);
    constant_name(m, w, 'w');
    constant_name(m, b, 'b');
    constant(m->model, w, 4, (const int64_t[]){in.channels, outs, kh, kh},
             1.5f * (float)s / sqrtf((float)(in.channels / group * kh * kh)), &m->seed);
    constant(m->model, b, 1, (const int64_t[]){outs * group}, 0.1f, &m->seed);
    nm_node *node = nm_add(m->model, "ConvTranspose", fresh(m), in.name, w, pick(m, 2) ? b : NULL);
    nm_ints(node, "strides", 2, (const int64_t[]){s, s});
    nm_ints(node, "pads", 4, (const int64_t[]){top, left, over - top, over - left});
    nm_ints(node, "output_padding", 2, (const int64_t[]){extra, extra});
    nm_int(node, "group", group);
    done(m, in, outs * group, s, margin);
}

static void add_pad(maker *m, point in)
{
    static const char *const modes[] = {"constant", "edge", "reflect"};
    char pads[16], fill[16];
    int p = 1 + pick(m, 3);
    constant_name(m, pads, 'p');
    constant_name(m, fill, 'f');
    nm_whole(m->model, pads, NM_INT64, 8, (const int64_t[]){0, 0, p, p, 0, 0, p, p});
    nm_constant(m->model, fill, 0, NULL, (const float[]){0.375f});
    nm_node *node = nm_add(m->model, "Pad", fresh(m), in.name, pads, pick(m, 2) ? fill : NULL);
    nm_string(node, "mode", modes[pick(m, 3)]);
    done(m, in, in.channels, 1, in.margin + p);
}

/* starts, ends and axes of `count` cuts. */
static void add_cuts(maker *m, point in, int count, const int64_t *starts, const int64_t *ends,
                     const int64_t *axes)
{
    char s[16], e[16], a[16];
    constant_name(m, s, 's');
    constant_name(m, e, 'e');
    constant_name(m, a, 'a');
    nm_whole(m->model, s, NM_INT64, count, starts);
    nm_whole(m->model, e, NM_INT64, count, ends);
    nm_whole(m->model, a, NM_INT64, count, axes);
    nm_node *node = nm_add(m->model, "Slice", fresh(m), in.name, s, e);
    snprintf(node->in[node->in_count++], sizeof(node->in[0]), "%s", a);
}

/* What the point is called while more nodes are to come. */
static point half_of(maker *m, point in)
{
    point half = m->points[--m->count]; /* nothing else may use it */
    nm_node *node = &m->model->nodes[m->model->node_count - 1];
    snprintf(half.name, sizeof(half.name), "h%d", m->model->node_count);
    snprintf(node->out, sizeof(node->out), "%s", half.name);
    half.channels = in.channels;
    half.margin = in.margin;
    return half;
}

/* The first or the last `amount` rows or columns in reverse. */
static point turned(maker *m, point in, int amount, int axis, int behind)
{
    char steps[16];
    constant_name(m, steps, 'm');
    nm_whole(m->model, steps, NM_INT64, 1, (const int64_t[]){-1});
    add_cuts(m, in, 1, (const int64_t[]){behind ? -1 : amount - 1},
             (const int64_t[]){behind ? -1 - amount : INT64_MIN}, (const int64_t[]){axis});
    nm_node *node = &m->model->nodes[m->model->node_count - 1];
    snprintf(node->in[node->in_count++], sizeof(node->in[0]), "%s", steps);
    done(m, in, in.channels, 1, in.margin);
    return half_of(m, in);
}

/* The mirror image on all sides, of a picture that is large enough. */
static void add_mirror(maker *m, point in)
{
    int least = in.scale + 2 * in.margin, first = 2 + pick(m, 2);
    int amount = 1 + pick(m, least < 3 ? least : 3);
    for (int i = 0; i < 2; i++) {
        int axis = i ? 5 - first : first;
        point before = turned(m, in, amount, axis, 0), behind = turned(m, in, amount, axis, 1);
        nm_node *node = nm_add(m->model, "Concat", fresh(m), before.name, in.name, behind.name);
        nm_int(node, "axis", pick(m, 2) ? axis : axis - 4);
        done(m, in, in.channels, 1, in.margin + (i ? amount : 0));
        in = i ? in : half_of(m, in);
    }
}

/* Rows and columns at once, or one after the other, or channels. */
static void add_slice(maker *m, point in, int crop)
{
    int first = pick(m, in.channels), channels = 1 + pick(m, in.channels - first);
    if (crop == 0) {
        add_cuts(m, in, 1, (const int64_t[]){first}, (const int64_t[]){first + channels},
                 (const int64_t[]){1});
        done(m, in, channels, 1, in.margin);
    } else if (pick(m, 2)) {
        add_cuts(m, in, 2, (const int64_t[]){crop, crop}, (const int64_t[]){-crop, -crop},
                 (const int64_t[]){3, 2});
        done(m, in, in.channels, 1, in.margin - crop);
    } else {
        add_cuts(m, in, 1, (const int64_t[]){crop}, (const int64_t[]){-crop}, (const int64_t[]){2});
        point half = m->points[--m->count]; /* nothing else may use it */
        snprintf(half.name, sizeof(half.name), "h%d", m->model->node_count);
        nm_node *node = &m->model->nodes[m->model->node_count - 1];
        snprintf(node->out, sizeof(node->out), "%s", half.name);
        add_cuts(m, half, 1, (const int64_t[]){crop}, (const int64_t[]){-crop}, (const int64_t[]){3});
        done(m, in, in.channels, 1, in.margin - crop);
    }
}

static void add_activation(maker *m, point in)
{
    static const char *const plain[] = {"Relu", "Sigmoid", "Tanh", "HardSwish", "LeakyRelu", "HardSigmoid"};
    char name[16], high[16];
    int kind = pick(m, 9);
    int64_t dims[3] = {pick(m, 2) ? in.channels : 1, 1, 1};
    constant_name(m, name, 's');
    constant_name(m, high, 'h');
    if (kind < 6) {
        nm_node *node = nm_add(m->model, plain[kind], fresh(m), in.name, NULL, NULL);
        if (kind > 3)
            nm_float(node, "alpha", 0.25f);
    } else if (kind == 6) {
        constant(m->model, name, 3, dims, 0.5f, &m->seed);
        nm_add(m->model, "PRelu", fresh(m), in.name, name, NULL);
    } else if (kind == 7) {
        nm_constant(m->model, name, 0, dims, (const float[]){-0.25f});
        nm_constant(m->model, high, 0, dims, (const float[]){0.75f});
        nm_add(m->model, "Clip", fresh(m), in.name, pick(m, 2) ? name : "", high);
    } else { /* SiLU, as exporters write it */
        point sigmoid = in;
        snprintf(sigmoid.name, sizeof(sigmoid.name), "h%d", m->model->node_count);
        nm_add(m->model, "Sigmoid", sigmoid.name, in.name, NULL, NULL);
        int turned = pick(m, 2);
        nm_add(m->model, "Mul", fresh(m), turned ? sigmoid.name : in.name, turned ? in.name : sigmoid.name,
               NULL);
    }
    done(m, in, in.channels, 1, in.margin);
}

/* With a constant for all or for each channel, on either side where ONNX and the engine allow it. */
static void add_arithmetic(maker *m, point in)
{
    static const char *const ops[] = {"Add", "Sub", "Mul", "Div"};
    char name[16];
    int op = pick(m, 4), first = op < 3 && pick(m, 2);
    int64_t dims[3] = {pick(m, 2) ? in.channels : 1, 1, 1};
    constant_name(m, name, 's');
    constant(m->model, name, 3, dims, op < 2 ? 0.2f : 1.5f, &m->seed);
    nm_tensor *tensor = &m->model->tensors[m->model->tensor_count - 1];
    for (int i = 0; op == 3 && i < tensor->count; i++)
        tensor->data[i] += tensor->data[i] < 0 ? -0.5f : 0.5f;
    nm_add(m->model, ops[op], fresh(m), first ? name : in.name, first ? in.name : name, NULL);
    done(m, in, in.channels, 1, in.margin);
}

static void add_join(maker *m, point a)
{
    static const char *const ops[] = {"Add", "Sub", "Mul"};
    point b = m->points[pick(m, m->count)];
    if (b.scale != a.scale || b.margin != a.margin || b.channels + a.channels > 24)
        b = a;
    if (b.channels == a.channels || b.channels == 1 || a.channels == 1) {
        nm_add(m->model, ops[pick(m, 3)], fresh(m), a.name, b.name, NULL);
        done(m, a, a.channels > b.channels ? a.channels : b.channels, 1, a.margin);
    } else {
        nm_int(nm_add(m->model, "Concat", fresh(m), a.name, b.name, NULL), "axis", pick(m, 2) ? 1 : -3);
        done(m, a, a.channels + b.channels, 1, a.margin);
    }
}

static void add_resize(maker *m, point in)
{
    static const char *const modes[] = {"nearest", "linear", "cubic"};
    static const char *const places[] = {"half_pixel", "asymmetric", "pytorch_half_pixel",
                                         "tf_half_pixel_for_nn"};
    static const char *const roundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
    char name[16];
    int factor = 1 + pick(m, in.scale > 1 ? 2 : 3), mode = pick(m, 3);
    constant_name(m, name, 'f');
    scales(m->model, name, (float)factor);
    nm_node *node = nm_add(m->model, "Resize", fresh(m), in.name, "", name);
    nm_string(node, "mode", modes[mode]);
    nm_string(node, "coordinate_transformation_mode", places[pick(m, mode == 0 ? 4 : 3)]);
    nm_string(node, "nearest_mode", roundings[pick(m, 4)]);
    if (pick(m, 2))
        nm_float(node, "cubic_coeff_a", -0.5f);
    done(m, in, in.channels, factor, in.margin * factor);
}

static void add_shuffle(maker *m, point in)
{
    nm_node *node = nm_add(m->model, "DepthToSpace", fresh(m), in.name, NULL, NULL);
    nm_int(node, "blocksize", 2);
    if (pick(m, 2))
        nm_string(node, "mode", pick(m, 2) ? "CRD" : "DCR");
    done(m, in, in.channels / 4, 2, in.margin * 2);
}

/* Of the input only, whose values are known: anything else may lie so near to the border between two steps
 * that single precision takes the other one. */
static void add_quant(maker *m)
{
    point in = m->points[0];
    char scale[16], zero[16], half[16];
    constant_name(m, scale, 'q');
    constant_name(m, zero, 'z');
    constant_name(m, half, 'i');
    nm_constant(m->model, scale, 0, NULL, (const float[]){0.0625f});
    nm_whole(m->model, zero, pick(m, 2) ? NM_UINT8 : NM_INT8, 1, (const int64_t[]){pick(m, 7)})->rank = 0;
    nm_add(m->model, "QuantizeLinear", half, in.name, scale, zero);
    nm_add(m->model, "DequantizeLinear", fresh(m), half, scale, zero);
    done(m, in, in.channels, 1, in.margin);
}

static void add_any(maker *m)
{
    point in = m->points[pick(m, 2) ? m->count - 1 : pick(m, m->count)];
    switch (pick(m, 12)) {
    case 0:
    case 1:
        add_activation(m, in);
        break;
    case 2:
        add_join(m, in);
        break;
    case 3:
        if (in.scale <= 2)
            add_resize(m, in);
        break;
    case 4:
        if (in.scale <= 2 && in.channels % 4 == 0)
            add_shuffle(m, in);
        break;
    case 5:
        if (in.scale <= 2)
            add_deconv(m, in);
        break;
    case 6:
        if (in.margin < 4 * in.scale)
            (pick(m, 3) ? add_pad : add_mirror)(m, in);
        break;
    case 7:
        add_slice(m, in, in.margin ? pick(m, in.margin + 1) : 0);
        break;
    case 8:
        add_arithmetic(m, in);
        break;
    case 9:
        if (pick(m, 4) == 0)
            add_quant(m);
        break;
    default:
        add_conv(m, in, pick(m, 2) ? 4 * (1 + pick(m, 4)) : 1 + pick(m, 9));
        if (pick(m, 2))
            add_activation(m, m->points[m->count - 1]);
        break;
    }
}

void nm_random(nm_model *model, uint32_t seed)
{
    maker m = {.model = model, .seed = seed * 2654435761u + 1};
    *model = (nm_model){.opset = 13, .input_channels = 1, .input = "input"};
    m.points[m.count++] = (point){"input", 1, 1, 0};
    int nodes = 2 + pick(&m, 10);
    while (model->node_count < nodes)
        add_any(&m);
    if (m.points[m.count - 1].margin)
        add_slice(&m, m.points[m.count - 1], m.points[m.count - 1].margin);
    point last = m.points[m.count - 1];
    conv(model, fresh(&m), last.name, 1, last.channels, 1, 1, &m.seed);
    nm_add(model, "Identity", "output", m.points[m.count - 1].name, NULL, NULL);
    snprintf(model->output, sizeof(model->output), "output");
}
