/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "networks.h"
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

planes planes_new(int count, int width, int height, int depth)
{
    planes p = {.count = count};
    for (int i = 0; i < count; i++)
        p.planes[i] = picture_new(width, height, depth, 0, 0);
    return p;
}

/* Slopes with some noise and edges, as pictures are: the whole range, and neighbours that mostly resemble
 * each other. */
void planes_fill(planes *p, uint32_t seed)
{
    for (int c = 0; c < p->count; c++) {
        picture *one = &p->planes[c];
        int width = one->plane.width;
        for (int y = 0; y < one->plane.height; y++)
            for (int x = 0; x < width; x++) {
                double v = 0.5 + 0.4 * ((x * (c + 2) + y * 3) % 40 - 20) / 20.0 +
                           (double)nm_uniform(&seed, -0.1f, 0.1f);
                v = v < 0 ? 0 : v > 1 ? 1 : v;
                if (one->plane.depth > 8)
                    ((uint16_t *)one->plane.data)[y * width + x] =
                        (uint16_t)(v * ((1 << one->plane.depth) - 1));
                else
                    ((uint8_t *)one->plane.data)[y * width + x] = (uint8_t)(v * 255);
            }
    }
}

void planes_free(planes *p)
{
    for (int i = 0; i < p->count; i++)
        picture_free(&p->planes[i]);
}

planes planes_run(spyhop_context *context, const planes *in, int scale)
{
    const spyhop_plane *like = &in->planes[0].plane;
    planes out = planes_new(in->count, like->width * scale, like->height * scale, like->depth);
    spyhop_plane ins[3], outs[3];
    spyhop_error error = {0};
    for (int i = 0; i < in->count; i++) {
        ins[i] = in->planes[i].plane;
        outs[i] = out.planes[i].plane;
    }
    if (spyhop_run_planes(context, ins, outs, in->count, &error) < 0)
        fail_msg("%s", error.message);
    return out;
}

int planes_distance(const planes *a, const planes *b)
{
    int worst = 0;
    assert_int_equal(a->count, b->count);
    for (int c = 0; c < a->count; c++) {
        const spyhop_plane *plane = &a->planes[c].plane;
        assert_true(plane->width == b->planes[c].plane.width && plane->height == b->planes[c].plane.height);
        for (int y = 0; y < plane->height; y++)
            for (int x = 0; x < plane->width; x++) {
                int d =
                    abs((int)picture_sample(&a->planes[c], y, x) - (int)picture_sample(&b->planes[c], y, x));
                worst = d > worst ? d : worst;
            }
    }
    return worst;
}

planes network_input(int count)
{
    planes in = planes_new(count, NETWORK_WIDTH, NETWORK_HEIGHT, 16);
    planes_fill(&in, 2024);
    return in;
}

char **network_names(const char *folder, int *count)
{
    char pattern[4096];
    glob_t found = {0};
    assert_in_range(snprintf(pattern, sizeof(pattern), "%s/*.onnx", folder), 1, sizeof(pattern) - 1);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    char **names = calloc(found.gl_pathc, sizeof(*names));
    assert_non_null(names);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        names[i] = strdup(strrchr(found.gl_pathv[i], '/') + 1);
        assert_non_null(names[i]);
        names[i][strlen(names[i]) - strlen(".onnx")] = '\0';
    }
    *count = (int)found.gl_pathc;
    globfree(&found);
    return names;
}

void network_free_names(char **names, int count)
{
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

spyhop_model *network_load(const char *folder, const char *name)
{
    char path[4096];
    spyhop_model *model = NULL;
    spyhop_error error = {0};
    assert_in_range(snprintf(path, sizeof(path), "%s/%s.onnx", folder, name), 1, sizeof(path) - 1);
    if (spyhop_model_load(&model, path, &error) < 0)
        fail_msg("%s", error.message);
    return model;
}
