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
    int channels, scale;
} point;

typedef struct maker {
    nm_model *model;
    uint32_t seed;
    point points[NM_NODES];
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
static void done(maker *m, int channels, int scale)
{
    m->points[m->count - 1].channels = channels;
    m->points[m->count - 1].scale = scale;
}

static void add_conv(maker *m, point in, int channels)
{
    int kh = 1 + pick(m, 5), kw = pick(m, 2) ? 3 : 1 + pick(m, 7);
    nm_node *node = conv(m->model, fresh(m), in.name, channels, in.channels, kh, kw, &m->seed);
    if (pick(m, 3) == 0) {
        nm_string(node, "auto_pad", pick(m, 2) ? "SAME_UPPER" : "SAME_LOWER");
    } else {
        int top = pick(m, kh), left = pick(m, kw);
        nm_ints(node, "pads", 4, (const int64_t[]){top, left, kh - 1 - top, kw - 1 - left});
    }
    done(m, channels, in.scale);
}

static void add_activation(maker *m, point in)
{
    char name[16], high[16];
    int kind = pick(m, 5);
    int64_t dims[3] = {pick(m, 2) ? in.channels : 1, 1, 1};
    snprintf(name, sizeof(name), "s%d", m->model->node_count);
    snprintf(high, sizeof(high), "h%d", m->model->node_count);
    if (kind == 0) {
        nm_add(m->model, "Relu", fresh(m), in.name, NULL, NULL);
    } else if (kind == 1) {
        nm_float(nm_add(m->model, "LeakyRelu", fresh(m), in.name, NULL, NULL), "alpha", 0.2f);
    } else if (kind == 2) {
        constant(m->model, name, 3, dims, 0.5f, &m->seed);
        nm_add(m->model, "PRelu", fresh(m), in.name, name, NULL);
    } else if (kind == 3) {
        nm_constant(m->model, name, 0, dims, (const float[]){-0.25f});
        nm_constant(m->model, high, 0, dims, (const float[]){0.75f});
        nm_add(m->model, "Clip", fresh(m), in.name, pick(m, 2) ? name : "", high);
    } else {
        constant(m->model, name, 3, dims, 0.2f, &m->seed);
        nm_add(m->model, "Add", fresh(m), in.name, name, NULL);
    }
    done(m, in.channels, in.scale);
}

static void add_join(maker *m, point a)
{
    point b = m->points[pick(m, m->count)];
    if (b.scale != a.scale || b.channels + a.channels > 24)
        b = a;
    if (b.channels == a.channels || b.channels == 1 || a.channels == 1) {
        nm_add(m->model, "Add", fresh(m), a.name, b.name, NULL);
        done(m, a.channels > b.channels ? a.channels : b.channels, a.scale);
    } else {
        nm_int(nm_add(m->model, "Concat", fresh(m), a.name, b.name, NULL), "axis", pick(m, 2) ? 1 : -3);
        done(m, a.channels + b.channels, a.scale);
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
    snprintf(name, sizeof(name), "f%d", m->model->node_count);
    scales(m->model, name, (float)factor);
    nm_node *node = nm_add(m->model, "Resize", fresh(m), in.name, "", name);
    nm_string(node, "mode", modes[mode]);
    nm_string(node, "coordinate_transformation_mode", places[pick(m, mode == 0 ? 4 : 3)]);
    nm_string(node, "nearest_mode", roundings[pick(m, 4)]);
    if (pick(m, 2))
        nm_float(node, "cubic_coeff_a", -0.5f);
    done(m, in.channels, in.scale * factor);
}

static void add_shuffle(maker *m, point in)
{
    nm_node *node = nm_add(m->model, "DepthToSpace", fresh(m), in.name, NULL, NULL);
    nm_int(node, "blocksize", 2);
    if (pick(m, 2))
        nm_string(node, "mode", pick(m, 2) ? "CRD" : "DCR");
    done(m, in.channels / 4, in.scale * 2);
}

static void add_any(maker *m)
{
    point in = m->points[pick(m, 2) ? m->count - 1 : pick(m, m->count)];
    switch (pick(m, 7)) {
    case 0:
        add_activation(m, in);
        break;
    case 1:
        add_join(m, in);
        break;
    case 2:
        if (in.scale <= 2)
            add_resize(m, in);
        break;
    case 3:
        if (in.scale <= 2 && in.channels % 4 == 0)
            add_shuffle(m, in);
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
    m.points[m.count++] = (point){"input", 1, 1};
    int nodes = 2 + pick(&m, 8);
    while (model->node_count < nodes)
        add_any(&m);
    add_conv(&m, m.points[m.count - 1], 1);
    nm_add(model, "Identity", "output", m.points[m.count - 1].name, NULL, NULL);
    snprintf(model->output, sizeof(model->output), "output");
}
