/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hostile.h"
#include "netmodel.h"
#include <spyhop/spyhop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Multiply-adds that a pixel may take, and those of a picture of more than one: thousands of cases run on
 * several levels each, also under sanitizers. */
#define MOST_MACS ((int64_t)30000000)
#define PICTURE_MACS ((int64_t)4000000)

static void require(int condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "hostile: %s\n", what);
        abort();
    }
}

typedef struct picture {
    int width, height, depth, channels, scale;
    uint8_t *in[3], *out[3]; /* of exactly the bytes they need, so that a sanitizer sees the next one */
    size_t out_bytes;
} picture;

static void make_picture(picture *p, const spyhop_model_info *info, uint32_t seed)
{
    static const int sizes[][2] = {{1, 1}, {7, 5}, {2, 9}, {33, 3}, {17, 16}, {1, 20}};
    uint32_t state = seed * 2654435761u + 1;
    size_t choice = nm_next(&state) % 6, bytes;
    for (int i = 0; i < 6; i++) /* the first from there on that is not too large; 1 x 1 is not */
        if (sizes[choice][0] * sizes[choice][1] * info->macs_per_pixel > PICTURE_MACS)
            choice = (choice + 1) % 6;
    *p = (picture){sizes[choice][0], sizes[choice][1], nm_next(&state) % 4 ? 8 : 10, info->channels,
                   info->scale};
    if (p->width * p->height * info->macs_per_pixel > PICTURE_MACS)
        p->width = p->height = 1;
    bytes = (size_t)(p->width * p->height) * (p->depth > 8 ? 2 : 1);
    p->out_bytes = bytes * (size_t)(p->scale * p->scale);
    for (int c = 0; c < p->channels; c++) {
        p->in[c] = malloc(bytes);
        p->out[c] = malloc(p->out_bytes);
        require(p->in[c] && p->out[c], "out of memory");
        for (size_t i = 0; i < bytes; i++)
            p->in[c][i] = (uint8_t)(i % 3 == 0 ? 0 : i % 3 == 1 ? 255 : nm_next(&state));
        for (size_t i = 0; p->depth > 8 && i < bytes; i += 2)
            p->in[c][i + 1] &= 3;
    }
}

static void free_picture(picture *p)
{
    for (int c = 0; c < p->channels; c++) {
        free(p->in[c]);
        free(p->out[c]);
    }
}

static void run(spyhop_context *context, const picture *p)
{
    spyhop_plane in[3], out[3];
    ptrdiff_t row = (ptrdiff_t)p->width * (p->depth > 8 ? 2 : 1);
    for (int c = 0; c < p->channels; c++) {
        in[c] = (spyhop_plane){p->in[c], row, p->width, p->height, p->depth};
        out[c] =
            (spyhop_plane){p->out[c], row * p->scale, p->width * p->scale, p->height * p->scale, p->depth};
        memset(p->out[c], 0xa5, p->out_bytes);
    }
    require(spyhop_run_planes(context, in, out, p->channels, NULL) == SPYHOP_OK,
            "a model that opens and fails");
}

static uint64_t digest(const picture *p)
{
    uint64_t h = 1469598103934665603u;
    for (int c = 0; c < p->channels; c++)
        for (size_t i = 0; i < p->out_bytes; i++)
            h = (h ^ p->out[c][i]) * 1099511628211u;
    return h;
}

/* In half floats at the machine's highest level: some of the time, since most have to imitate them. */
static void run_halves(const spyhop_model *model, const picture *p)
{
    spyhop_settings settings;
    spyhop_context *context = NULL;
    spyhop_error error = {0};
    spyhop_settings_default(&settings);
    settings.threads = 1;
    settings.cpu = spyhop_cpu_detect();
    settings.precision = SPYHOP_PRECISION_FP16;
    if (spyhop_open(&context, model, &settings, &error) == SPYHOP_OK)
        run(context, p);
    else
        require(error.message[0], "a refusal without words");
    spyhop_close(&context);
}

/* Whether a level is worth a run. Floats gain nothing from dot products of integers: those levels are others
 * only for integers. Of a large network in floats, of which each sample costs what its halo does, the seed
 * chooses one level. */
static int worth(int level, const spyhop_model_info *info, const picture *p, uint32_t seed)
{
    static const int levels[] = {SPYHOP_CPU_C, SPYHOP_CPU_AVX2, SPYHOP_CPU_AVX512};
    int chosen = levels[seed % 3];
    if (info->precision == SPYHOP_PRECISION_INT8)
        return 1;
    if ((int64_t)(p->width + info->halo) * (p->height + info->halo) * info->macs_per_pixel > PICTURE_MACS * 2)
        return level == (spyhop_cpu_supported(chosen) ? chosen : SPYHOP_CPU_C);
    return level == levels[0] || level == levels[1] || level == levels[2];
}

/* At every level there is; what is refused at one is refused at all. */
static int run_levels(const spyhop_model *model, const spyhop_model_info *info, uint32_t seed)
{
    picture p;
    spyhop_settings settings;
    uint64_t first = 0;
    int runs = 0;
    spyhop_settings_default(&settings);
    settings.threads = 1;
    make_picture(&p, info, seed);
    for (int level = SPYHOP_CPU_C; level < SPYHOP_CPU_AUTO; level++) {
        spyhop_context *context = NULL;
        spyhop_error error = {0};
        settings.cpu = level;
        if (!spyhop_cpu_name(level))
            break;
        if (!worth(level, info, &p, seed))
            continue;
        int status = spyhop_open(&context, model, &settings, &error);
        require(status == SPYHOP_OK || error.message[0], "a refusal without words");
        if (status < 0)
            continue;
        run(context, &p);
        if (runs++ == 0)
            first = digest(&p);
        require(info->precision != SPYHOP_PRECISION_INT8 || digest(&p) == first,
                "whole numbers that differ between two levels of the processor");
        spyhop_close(&context);
    }
    if (runs && seed % 8 == 0)
        run_halves(model, &p);
    free_picture(&p);
    return runs;
}

hostile_end hostile_try(const uint8_t *data, size_t size, uint32_t seed)
{
    spyhop_model *model = NULL;
    spyhop_error error = {0};
    spyhop_model_info info = {.size = sizeof(info)};
    int runs = 0, status = spyhop_model_parse(&model, data, size, &error);
    require((status == SPYHOP_OK) == (model != NULL), "a status that does not go with its model");
    require(status == SPYHOP_OK || error.message[0], "a refusal without words");
    if (!model)
        return HOSTILE_REFUSED;
    require(spyhop_model_describe(model, &info) == SPYHOP_OK, "a model that cannot be described");
    require(info.scale >= 1 && info.scale <= 8 && (info.channels == 1 || info.channels == 3),
            "a model out of bounds");
    if (info.macs_per_pixel <= MOST_MACS)
        runs = run_levels(model, &info, seed);
    spyhop_model_free(&model);
    return runs ? HOSTILE_RAN : HOSTILE_LOADED;
}
