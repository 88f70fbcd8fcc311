/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "picture.h"
#include "engine/context.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

spyhop_model *picture_model(const nm_model *net)
{
    spyhop_model *model = NULL;
    spyhop_error error = {0};
    sh_buf file;
    sh_buf_init(&file, 1 << 24);
    nm_write(net, &file);
    assert_false(file.failed);
    if (spyhop_model_parse(&model, file.data, file.length, &error) < 0)
        fail_msg("%s", error.message);
    sh_buf_free(&file);
    return model;
}

spyhop_context *picture_open(const spyhop_model *model, int cpu, int threads, int band_rows, size_t l2_bytes)
{
    spyhop_context *context = NULL;
    spyhop_settings settings;
    sh_err err = {0};
    spyhop_settings_default(&settings);
    settings.cpu = cpu;
    settings.threads = threads;
    settings.band_rows = band_rows;
    if (sh_context_open(&context, model, &settings, l2_bytes, &err) < 0)
        fail_msg("%s", err.message);
    return context;
}

picture picture_new(int width, int height, int depth, int extra, int flip)
{
    picture p;
    ptrdiff_t stride = (ptrdiff_t)width * (depth > 8 ? 2 : 1) + extra;
    p.size = (size_t)stride * (size_t)height;
    p.memory = malloc(p.size);
    assert_non_null(p.memory);
    memset(p.memory, 0xa5, p.size);
    p.plane = (spyhop_plane){p.memory, stride, width, height, depth};
    if (flip) {
        p.plane.data = p.memory + stride * (height - 1);
        p.plane.stride = -stride;
    }
    return p;
}

void picture_free(picture *p)
{
    free(p->memory);
    p->memory = NULL;
}

static void *place(const picture *p, int y, int x)
{
    return (uint8_t *)p->plane.data + p->plane.stride * y + (ptrdiff_t)x * (p->plane.depth > 8 ? 2 : 1);
}

unsigned picture_sample(const picture *p, int y, int x)
{
    return p->plane.depth > 8 ? *(uint16_t *)place(p, y, x) : *(uint8_t *)place(p, y, x);
}

/* Noise on slopes, with blocks of black and white: all code values, and sharp edges. */
void picture_fill(picture *p, uint32_t seed)
{
    unsigned peak = (1u << p->plane.depth) - 1;
    for (int y = 0; y < p->plane.height; y++)
        for (int x = 0; x < p->plane.width; x++) {
            unsigned value = nm_next(&seed) % (peak + 1);
            if ((x / 5 + y / 3) % 4 == 0)
                value = (x + y) % 8 ? peak : 0;
            if (p->plane.depth > 8)
                *(uint16_t *)place(p, y, x) = (uint16_t)value;
            else
                *(uint8_t *)place(p, y, x) = (uint8_t)value;
        }
}

picture picture_run(spyhop_context *context, const picture *in, int scale)
{
    spyhop_error error = {0};
    picture out = picture_new(in->plane.width * scale, in->plane.height * scale, in->plane.depth, 0, 0);
    if (spyhop_run(context, &in->plane, &out.plane, &error) < 0)
        fail_msg("%s", error.message);
    return out;
}

int picture_same(const picture *a, const picture *b)
{
    if (a->plane.width != b->plane.width || a->plane.height != b->plane.height)
        return 0;
    for (int y = 0; y < a->plane.height; y++)
        for (int x = 0; x < a->plane.width; x++)
            if (picture_sample(a, y, x) != picture_sample(b, y, x))
                return 0;
    return 1;
}

double picture_distance(const nm_model *net, const picture *in, const picture *out)
{
    int width = in->plane.width, height = in->plane.height, channels = 0, scale = 0;
    double peak = (1 << in->plane.depth) - 1, worst = 0;
    double *samples = malloc((size_t)width * (size_t)height * sizeof(double));
    assert_non_null(samples);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            samples[y * width + x] = picture_sample(in, y, x) / peak;
    double *expected = nm_evaluate(net, samples, height, width, &channels, &scale);
    assert_non_null(expected);
    assert_int_equal(channels, 1);
    assert_int_equal(scale * width, out->plane.width);
    for (int y = 0; y < out->plane.height; y++)
        for (int x = 0; x < out->plane.width; x++) {
            double value = fmin(fmax(expected[y * out->plane.width + x] * peak, 0), peak);
            worst = fmax(worst, fabs(value - picture_sample(out, y, x)));
        }
    free(samples);
    free(expected);
    return worst;
}
