/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The operators of ONNX, as plainly as they can be written. */
#include "netmodel.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct value {
    const char *name;
    int c, h, w;
    double *data;
} value;

typedef struct machine {
    const nm_model *model;
    value values[NM_NODES + 1];
    int count;
} machine;

static const value *get(const machine *m, const char *name)
{
    for (int i = 0; i < m->count; i++)
        if (strcmp(m->values[i].name, name) == 0)
            return &m->values[i];
    return NULL;
}

static const nm_tensor *constant(const machine *m, const nm_node *node, int input)
{
    for (int i = 0; input < node->in_count && i < m->model->tensor_count; i++)
        if (strcmp(m->model->tensors[i].name, node->in[input]) == 0)
            return &m->model->tensors[i];
    return NULL;
}

static const nm_attribute *attribute(const nm_node *node, const char *name)
{
    for (int i = 0; i < node->attribute_count; i++)
        if (strcmp(node->attributes[i].name, name) == 0)
            return &node->attributes[i];
    return NULL;
}

static double at(const value *v, int c, int y, int x)
{
    return v->data[((size_t)c * (size_t)v->h + (size_t)y) * (size_t)v->w + (size_t)x];
}

static value *make(machine *m, const nm_node *node, int c, int h, int w)
{
    value *v = &m->values[m->count++];
    *v = (value){node->out, c, h, w, calloc((size_t)c * (size_t)h * (size_t)w, sizeof(double))};
    return v;
}

static double *cell(value *v, int c, int y, int x)
{
    return &v->data[((size_t)c * (size_t)v->h + (size_t)y) * (size_t)v->w + (size_t)x];
}

static int number(const nm_node *node, const char *name, int otherwise)
{
    const nm_attribute *a = attribute(node, name);
    return a ? (int)a->i : otherwise;
}

static int listed(const nm_node *node, const char *name, int i, int otherwise)
{
    const nm_attribute *a = attribute(node, name);
    return a ? (int)a->ints[i] : otherwise;
}

/* top, left, bottom, right */
static void find_pads(const nm_node *node, const nm_tensor *w, int *pads)
{
    const nm_attribute *mode = attribute(node, "auto_pad");
    for (int i = 0; i < 4; i++)
        pads[i] = listed(node, "pads", i, 0);
    for (int i = 0; mode && i < 2; i++) {
        int total = (int)w->dims[2 + i] - 1;
        pads[i] = strcmp(mode->s, "SAME_LOWER") == 0 ? (total + 1) / 2 : total / 2;
        pads[2 + i] = total - pads[i];
    }
}

static double conv_at(const value *in, const nm_tensor *w, const int *pad, int first, int o, int y, int x)
{
    int ci = (int)w->dims[1], kh = (int)w->dims[2], kw = (int)w->dims[3];
    double sum = 0;
    for (int i = 0; i < ci; i++)
        for (int ky = 0; ky < kh; ky++)
            for (int kx = 0; kx < kw; kx++) {
                int sy = y - pad[0] + ky, sx = x - pad[1] + kx;
                if (sy >= 0 && sy < in->h && sx >= 0 && sx < in->w)
                    sum += (double)w->data[((o * ci + i) * kh + ky) * kw + kx] * at(in, first + i, sy, sx);
            }
    return sum;
}

static int eval_conv(machine *m, const nm_node *node)
{
    const value *in = get(m, node->in[0]);
    const nm_tensor *w = constant(m, node, 1), *b = constant(m, node, 2);
    int pads[4], group = number(node, "group", 1), outs = (int)w->dims[0] / group;
    find_pads(node, w, pads);
    value *out = make(m, node, (int)w->dims[0], in->h + pads[0] + pads[2] - (int)w->dims[2] + 1,
                      in->w + pads[1] + pads[3] - (int)w->dims[3] + 1);
    for (int o = 0; o < out->c; o++)
        for (int y = 0; y < out->h; y++)
            for (int x = 0; x < out->w; x++)
                *cell(out, o, y, x) =
                    conv_at(in, w, pads, o / outs * (int)w->dims[1], o, y, x) + (b ? (double)b->data[o] : 0);
    return 1;
}

/* Adds what one input sample gives to the output. */
static void scatter(value *out, const nm_node *node, const nm_tensor *w, int i, int y, int x, double v)
{
    int group = number(node, "group", 1), ins = (int)w->dims[0] / group, outs = (int)w->dims[1];
    for (int o = 0; o < outs; o++)
        for (int ky = 0; ky < (int)w->dims[2]; ky++)
            for (int kx = 0; kx < (int)w->dims[3]; kx++) {
                int oy = y * listed(node, "strides", 0, 1) + ky - listed(node, "pads", 0, 0);
                int ox = x * listed(node, "strides", 1, 1) + kx - listed(node, "pads", 1, 0);
                if (oy >= 0 && oy < out->h && ox >= 0 && ox < out->w)
                    *cell(out, i / ins * outs + o, oy, ox) +=
                        v * (double)w->data[((i * outs + o) * (int)w->dims[2] + ky) * (int)w->dims[3] + kx];
            }
}

static int eval_deconv(machine *m, const nm_node *node)
{
    const value *in = get(m, node->in[0]);
    const nm_tensor *w = constant(m, node, 1), *b = constant(m, node, 2);
    int size[2] = {in->h, in->w};
    for (int i = 0; i < 2; i++)
        size[i] = (size[i] - 1) * listed(node, "strides", i, 1) + (int)w->dims[2 + i] +
                  listed(node, "output_padding", i, 0) - listed(node, "pads", i, 0) -
                  listed(node, "pads", 2 + i, 0);
    value *out = make(m, node, (int)w->dims[1] * number(node, "group", 1), size[0], size[1]);
    for (int o = 0; b && o < out->c; o++)
        for (int y = 0; y < out->h; y++)
            for (int x = 0; x < out->w; x++)
                *cell(out, o, y, x) = (double)b->data[o];
    for (int i = 0; i < in->c; i++)
        for (int y = 0; y < in->h; y++)
            for (int x = 0; x < in->w; x++)
                scatter(out, node, w, i, y, x, at(in, i, y, x));
    return 1;
}

static int mirrored(int at, int size)
{
    while (size > 1 && (at < 0 || at >= size))
        at = at < 0 ? -at : 2 * (size - 1) - at;
    return size > 1 ? at : 0;
}

static int clamped(int at, int size)
{
    return at < 0 ? 0 : at >= size ? size - 1 : at;
}

static int eval_pad(machine *m, const nm_node *node)
{
    const value *in = get(m, node->in[0]);
    const nm_tensor *pads = constant(m, node, 1), *fill = constant(m, node, 2);
    const nm_attribute *mode = attribute(node, "mode");
    int p = (int)pads->data[2];
    value *out = make(m, node, in->c, in->h + 2 * p, in->w + 2 * p);
    for (int c = 0; c < out->c; c++)
        for (int y = -p; y < in->h + p; y++)
            for (int x = -p; x < in->w + p; x++) {
                int inside = y >= 0 && y < in->h && x >= 0 && x < in->w;
                double v = fill ? (double)fill->data[0] : 0;
                if (mode && strcmp(mode->s, "edge") == 0)
                    v = at(in, c, clamped(y, in->h), clamped(x, in->w));
                else if (mode && strcmp(mode->s, "reflect") == 0)
                    v = at(in, c, mirrored(y, in->h), mirrored(x, in->w));
                else if (inside)
                    v = at(in, c, y, x);
                *cell(out, c, y + p, x + p) = v;
            }
    return 1;
}

/* starts, ends, axes and steps of 1 or -1: channels, rows and columns in any order. */
static int eval_slice(machine *m, const nm_node *node)
{
    const value *in = get(m, node->in[0]);
    const nm_tensor *starts = constant(m, node, 1), *ends = constant(m, node, 2),
                    *axes = constant(m, node, 3), *steps = constant(m, node, 4);
    int from[3] = {0, 0, 0}, to[3] = {in->c, in->h, in->w}, step[3] = {1, 1, 1};
    for (int i = 0; i < starts->count; i++) {
        int axis = (int)axes->data[i] - 1, size = to[axis];
        double start = (double)starts->data[i], end = (double)ends->data[i];
        step[axis] = steps ? (int)steps->data[i] : 1;
        int least = step[axis] < 0 ? -1 : 0;
        from[axis] = (int)fmin(start < 0 ? size + start : start, size + least);
        to[axis] = (int)fmin(fmax(end < 0 ? size + end : end, least), size);
    }
    value *out =
        make(m, node, (to[0] - from[0]) * step[0], (to[1] - from[1]) * step[1], (to[2] - from[2]) * step[2]);
    for (int c = 0; c < out->c; c++)
        for (int y = 0; y < out->h; y++)
            for (int x = 0; x < out->w; x++)
                *cell(out, c, y, x) =
                    at(in, from[0] + c * step[0], from[1] + y * step[1], from[2] + x * step[2]);
    return 1;
}

static int eval_quant(machine *m, const nm_node *node)
{
    const value *in = get(m, node->in[0]);
    const nm_tensor *scale = constant(m, node, 1), *zero = constant(m, node, 2);
    int back = strcmp(node->op, "DequantizeLinear") == 0;
    double z = zero ? (double)zero->data[0] : 0, low = zero && zero->form == NM_INT8 ? -128 : 0;
    value *out = make(m, node, in->c, in->h, in->w);
    for (int c = 0; c < out->c; c++)
        for (int y = 0; y < out->h; y++)
            for (int x = 0; x < out->w; x++) {
                double v = at(in, c, y, x), s = (double)scale->data[0];
                *cell(out, c, y, x) = back ? (v - z) * s : fmin(fmax(rint(v / s) + z, low), low + 255);
            }
    return 1;
}

static double bound(const machine *m, const nm_node *node, int input, const char *name, double otherwise)
{
    const nm_tensor *t = constant(m, node, input);
    const nm_attribute *a = attribute(node, name);
    return t ? (double)t->data[0] : a ? (double)a->f : otherwise;
}

static double activate(const machine *m, const nm_node *node, int c, double v)
{
    if (strcmp(node->op, "Relu") == 0)
        return v > 0 ? v : 0;
    if (strcmp(node->op, "LeakyRelu") == 0)
        return v < 0 ? v * (attribute(node, "alpha") ? (double)attribute(node, "alpha")->f : 0.01) : v;
    if (strcmp(node->op, "PRelu") == 0) {
        const nm_tensor *t = constant(m, node, 1);
        return v < 0 ? v * (double)t->data[t->count == 1 ? 0 : c] : v;
    }
    if (strcmp(node->op, "Clip") == 0)
        return fmin(fmax(v, bound(m, node, 1, "min", -1e30)), bound(m, node, 2, "max", 1e30));
    if (strcmp(node->op, "Sigmoid") == 0)
        return 1 / (1 + exp(-v));
    if (strcmp(node->op, "Tanh") == 0)
        return tanh(v);
    if (strcmp(node->op, "HardSigmoid") == 0)
        return fmin(fmax(v * bound(m, node, 9, "alpha", (double)0.2f) + bound(m, node, 9, "beta", 0.5), 0),
                    1);
    if (strcmp(node->op, "HardSwish") == 0)
        return v * fmin(fmax(v / 6 + 0.5, 0), 1);
    return v;
}

static int eval_activation(machine *m, const nm_node *node)
{
    const value *in = get(m, node->in[0]);
    value *out = make(m, node, in->c, in->h, in->w);
    for (int c = 0; c < in->c; c++)
        for (int y = 0; y < in->h; y++)
            for (int x = 0; x < in->w; x++)
                *cell(out, c, y, x) = activate(m, node, c, at(in, c, y, x));
    return 1;
}

static double addend(const machine *m, const nm_node *node, int input, int c, int y, int x)
{
    const nm_tensor *t = constant(m, node, input);
    const value *v = get(m, node->in[input]);
    return t ? (double)t->data[t->count == 1 ? 0 : c] : at(v, v->c == 1 ? 0 : c, y, x);
}

static double combined(const char *op, double a, double b)
{
    return *op == 'A' ? a + b : *op == 'S' ? a - b : *op == 'M' ? a * b : a / b;
}

/* Add, Sub, Mul, Div. */
static int eval_pair(machine *m, const nm_node *node)
{
    const value *a = get(m, node->in[0]), *b = get(m, node->in[1]);
    const value *like = !a || (b && b->c > a->c) ? b : a;
    value *out = make(m, node, like->c, like->h, like->w);
    for (int c = 0; c < out->c; c++)
        for (int y = 0; y < out->h; y++)
            for (int x = 0; x < out->w; x++)
                *cell(out, c, y, x) =
                    combined(node->op, addend(m, node, 0, c, y, x), addend(m, node, 1, c, y, x));
    return 1;
}

static int eval_concat(machine *m, const nm_node *node)
{
    const value *first = get(m, node->in[0]);
    int axis = (number(node, "axis", 1) + 4) % 4 - 1;
    int size[3] = {first->c, first->h, first->w}, from[3] = {0, 0, 0};
    for (int i = 1; i < node->in_count; i++) {
        const value *in = get(m, node->in[i]);
        size[axis] += axis == 0 ? in->c : axis == 1 ? in->h : in->w;
    }
    value *out = make(m, node, size[0], size[1], size[2]);
    for (int i = 0; i < node->in_count; i++) {
        const value *in = get(m, node->in[i]);
        for (int c = 0; c < in->c; c++)
            for (int y = 0; y < in->h; y++)
                for (int x = 0; x < in->w; x++)
                    *cell(out, from[0] + c, from[1] + y, from[2] + x) = at(in, c, y, x);
        from[axis] += axis == 0 ? in->c : axis == 1 ? in->h : in->w;
    }
    return 1;
}

static int eval_shuffle(machine *m, const nm_node *node)
{
    const value *in = get(m, node->in[0]);
    const nm_attribute *mode = attribute(node, "mode");
    int b = (int)attribute(node, "blocksize")->i, crd = mode && strcmp(mode->s, "CRD") == 0;
    value *out = make(m, node, in->c / (b * b), in->h * b, in->w * b);
    for (int c = 0; c < out->c; c++)
        for (int y = 0; y < out->h; y++)
            for (int x = 0; x < out->w; x++) {
                int i = y % b, j = x % b;
                int from = crd ? c * b * b + i * b + j : (i * b + j) * out->c + c;
                *cell(out, c, y, x) = at(in, from, y / b, x / b);
            }
    return 1;
}

typedef struct resampling {
    const char *mode, *place, *rounding;
    double a;
    int factor;
} resampling;

static double coordinate(const resampling *r, int out)
{
    if (strcmp(r->place, "asymmetric") == 0)
        return (double)out / r->factor;
    if (strcmp(r->place, "tf_half_pixel_for_nn") == 0)
        return (out + 0.5) / r->factor;
    return (out + 0.5) / r->factor - 0.5;
}

static int round_coordinate(const resampling *r, double x)
{
    double whole = floor(x), rest = x - whole;
    if (strcmp(r->rounding, "floor") == 0)
        return (int)whole;
    if (strcmp(r->rounding, "ceil") == 0)
        return (int)ceil(x);
    if (rest == 0.5)
        return (int)whole + (strcmp(r->rounding, "round_prefer_ceil") == 0);
    return (int)whole + (rest > 0.5);
}

/* The one-dimensional weights of output sample `out` over input samples: at most 4. */
static int weights(const resampling *r, int out, int size, int *index, double *weight)
{
    double x = coordinate(r, out), f = x - floor(x), a = r->a;
    int base = (int)floor(x), n = 0;
    if (strcmp(r->mode, "nearest") == 0) {
        index[0] = round_coordinate(r, x);
        weight[0] = 1;
        n = 1;
    } else if (strcmp(r->mode, "linear") == 0) {
        index[0] = base;
        index[1] = base + 1;
        weight[0] = 1 - f;
        weight[1] = f;
        n = 2;
    } else {
        double g = 1 - f;
        for (n = 0; n < 4; n++)
            index[n] = base - 1 + n;
        weight[0] = ((a * (f + 1) - 5 * a) * (f + 1) + 8 * a) * (f + 1) - 4 * a;
        weight[1] = ((a + 2) * f - (a + 3)) * f * f + 1;
        weight[2] = ((a + 2) * g - (a + 3)) * g * g + 1;
        weight[3] = ((a * (g + 1) - 5 * a) * (g + 1) + 8 * a) * (g + 1) - 4 * a;
    }
    for (int i = 0; i < n; i++)
        index[i] = index[i] < 0 ? 0 : index[i] >= size ? size - 1 : index[i];
    return n;
}

static double resized(const value *in, const resampling *r, int c, int y, int x)
{
    int iy[4], ix[4];
    double wy[4], wx[4], sum = 0;
    int ny = weights(r, y, in->h, iy, wy), nx = weights(r, x, in->w, ix, wx);
    for (int i = 0; i < ny; i++)
        for (int j = 0; j < nx; j++)
            sum += wy[i] * wx[j] * at(in, c, iy[i], ix[j]);
    return sum;
}

static const char *text(const nm_node *node, const char *name, const char *otherwise)
{
    const nm_attribute *a = attribute(node, name);
    return a ? a->s : otherwise;
}

static int eval_resize(machine *m, const nm_node *node)
{
    const value *in = get(m, node->in[0]);
    int old = strcmp(node->op, "Upsample") == 0 || m->model->opset < 11;
    const nm_tensor *scales = constant(m, node, old ? 1 : 2);
    const nm_attribute *a = attribute(node, "cubic_coeff_a");
    resampling r = {text(node, "mode", "nearest"),
                    text(node, "coordinate_transformation_mode", old ? "asymmetric" : "half_pixel"),
                    text(node, "nearest_mode", old ? "floor" : "round_prefer_floor"),
                    a ? (double)a->f : -0.75, (int)scales->data[2]};
    value *out = make(m, node, in->c, in->h * r.factor, in->w * r.factor);
    for (int c = 0; c < out->c; c++)
        for (int y = 0; y < out->h; y++)
            for (int x = 0; x < out->w; x++)
                *cell(out, c, y, x) = resized(in, &r, c, y, x);
    return 1;
}

static int eval_node(machine *m, const nm_node *node)
{
    static const struct {
        const char *op;
        int (*fn)(machine *m, const nm_node *node);
    } table[] = {{"Conv", eval_conv},
                 {"ConvTranspose", eval_deconv},
                 {"Pad", eval_pad},
                 {"Slice", eval_slice},
                 {"QuantizeLinear", eval_quant},
                 {"DequantizeLinear", eval_quant},
                 {"Relu", eval_activation},
                 {"LeakyRelu", eval_activation},
                 {"PRelu", eval_activation},
                 {"Clip", eval_activation},
                 {"Sigmoid", eval_activation},
                 {"Tanh", eval_activation},
                 {"HardSigmoid", eval_activation},
                 {"HardSwish", eval_activation},
                 {"Identity", eval_activation},
                 {"Add", eval_pair},
                 {"Sub", eval_pair},
                 {"Mul", eval_pair},
                 {"Div", eval_pair},
                 {"Concat", eval_concat},
                 {"DepthToSpace", eval_shuffle},
                 {"Resize", eval_resize},
                 {"Upsample", eval_resize}};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(node->op, table[i].op) == 0)
            return table[i].fn(m, node);
    return 0;
}

double *nm_evaluate(const nm_model *model, const double *in, int height, int width, int *channels, int *scale)
{
    machine m = {.model = model};
    size_t size = (size_t)model->input_channels * (size_t)height * (size_t)width;
    double *result = NULL;
    int ok = 1;
    m.values[m.count++] =
        (value){model->input, model->input_channels, height, width, malloc(size * sizeof(double))};
    memcpy(m.values[0].data, in, size * sizeof(double));
    for (int i = 0; ok && i < model->node_count; i++)
        ok = eval_node(&m, &model->nodes[i]);
    const value *out = ok ? get(&m, model->output) : NULL;
    for (int i = 0; i < m.count; i++) {
        if (out == &m.values[i]) {
            *channels = out->c;
            *scale = out->w / width;
            result = out->data;
        } else {
            free(m.values[i].data);
        }
    }
    return result;
}
