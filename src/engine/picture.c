/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scalers: what may be made of what, and their memory. */
#include "engine/picture.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SCALE 8
#define BAND_ROWS 16 /* no smaller bands than that: each picks up its source rows anew */
#define BANDS_A_THREAD 4

void spyhop_scaling_default(spyhop_scaling *scaling)
{
    *scaling = (spyhop_scaling){.size = sizeof(*scaling), .strength = 1};
    scaling->in.depth = scaling->out.depth = 8;
}

/* ---- what may be made of what ---- */

static int settle_scale(spyhop_scaler *scaler, sh_err *err)
{
    spyhop_model_info info = {.size = sizeof(info)};
    spyhop_scaling *s = &scaler->scaling;
    if (s->scale < 0 || s->scale > MAX_SCALE)
        return sh_fail(err, SH_E_ARGUMENT, "scaling: a scale of %d; 0 (the model's) to %d are allowed",
                       s->scale, MAX_SCALE);
    if (!(s->strength >= 0 && s->strength <= 1))
        return sh_fail(err, SH_E_ARGUMENT, "scaling: a strength of %g; 0 to 1 are allowed", s->strength);
    scaler->weight = scaler->model ? (int)lrint(s->strength * 256) : 0;
    if (!scaler->model)
        return s->scale ? SH_OK
                        : sh_fail(err, SH_E_ARGUMENT, "scaling: without a model a scale must be given");
    spyhop_model_describe(scaler->model, &info);
    if (s->scale && s->scale != info.scale)
        return sh_fail(err, SH_E_ARGUMENT,
                       "scaling: a scale of %d was asked for; the model %s enlarges %d times", s->scale,
                       info.name, info.scale);
    s->scale = info.scale;
    scaler->model_channels = info.channels;
    if (info.channels == 3 && s->in.layout != SPYHOP_GBR)
        return sh_fail(
            err, SH_E_UNSUPPORTED,
            "the model %s works on red, green and blue: it takes pictures of the layout GBR, not %s",
            info.name, sh_layout_of(s->in.layout)->name);
    return SH_OK;
}

static int settle_size(int *given, int from, int scale, const char *side, sh_err *err)
{
    const int made = from * scale;
    if (made > SPYHOP_MAX_SIDE)
        return sh_fail(err, SH_E_LIMIT, "a %s of %d at scale %d makes %d; at most %d are allowed", side, from,
                       scale, made, SPYHOP_MAX_SIDE);
    if (*given != 0 && *given != made)
        return sh_fail(err, SH_E_ARGUMENT, "output format: its %s is %d; scale %d makes %d of %d", side,
                       *given, scale, made, from);
    *given = made;
    return SH_OK;
}

static int settle_output(spyhop_scaling *s, sh_err *err)
{
    const spyhop_format *in = &s->in;
    spyhop_format *out = &s->out;
    if (!s->convert) {
        *out = *in;
        out->width = out->height = 0;
    }
    int status = settle_size(&out->width, in->width, s->scale, "width", err);
    if (status == SH_OK)
        status = settle_size(&out->height, in->height, s->scale, "height", err);
    if (status == SH_OK)
        status = sh_format_check(out, "output format", err);
    if (status < 0)
        return status;
    s->convert = 1;
    if (out->depth != in->depth || out->range != in->range)
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "output format: depth and range cannot differ from the input's");
    if ((out->layout == SPYHOP_GBR) != (in->layout == SPYHOP_GBR))
        return sh_fail(err, SH_E_UNSUPPORTED, "%s cannot become %s: colours are not converted here",
                       sh_layout_of(in->layout)->name, sh_layout_of(out->layout)->name);
    if (out->alpha && !in->alpha)
        return sh_fail(err, SH_E_UNSUPPORTED, "output format: there is no alpha in the input");
    return SH_OK;
}

static int settle(spyhop_scaler *scaler, const spyhop_scaling *scaling, sh_err *err)
{
    if (scaling->size < sizeof(*scaling))
        return sh_fail(err, SH_E_ARGUMENT, "scaling: size is %zu; call spyhop_scaling_default first",
                       scaling->size);
    scaler->scaling = *scaling;
    scaler->scaling.size = sizeof(*scaling);
    int status = sh_format_check(&scaler->scaling.in, "input format", err);
    if (status == SH_OK)
        status = settle_scale(scaler, err);
    if (status == SH_OK)
        status = settle_output(&scaler->scaling, err);
    return status;
}

/* ---- memory and threads ---- */

static int open_threads(spyhop_scaler *scaler, const spyhop_settings *settings, sh_err *err)
{
    spyhop_settings_default(&scaler->settings);
    if (settings)
        scaler->settings = *settings;
    int status;
    if (scaler->weight > 0) {
        status = sh_context_open(&scaler->context, scaler->model, &scaler->settings, 0, err);
        if (status < 0)
            return status;
        spyhop_get_settings(scaler->context, &scaler->settings);
        scaler->pool = sh_context_pool(scaler->context);
        scaler->dsp = *sh_context_dsp(scaler->context);
    } else {
        status = sh_settings_settle(&scaler->settings, err);
        if (status == SH_OK)
            status = sh_pool_new(&scaler->own_pool, scaler->settings.threads, err);
        if (status < 0)
            return status;
        scaler->pool = scaler->own_pool;
        sh_dsp_select(&scaler->dsp, scaler->settings.cpu);
    }
    scaler->settings.threads = sh_pool_threads(scaler->pool);
    return SH_OK;
}

static int open_workers(spyhop_scaler *scaler, sh_err *err)
{
    const sh_resample *all[SH_PLANES];
    int count = 0;
    for (int i = 0; i < scaler->step_count; i++)
        if (scaler->steps[i].kind != SH_STEP_NEUTRAL)
            all[count++] = &scaler->steps[i].resample;
    const size_t rows = sh_rows_size(all, count);
    const size_t row =
        ((size_t)scaler->scaling.out.width * (size_t)sh_format_sample(&scaler->scaling.out) + 63) / 64 * 64;
    scaler->workers = calloc((size_t)scaler->settings.threads, sizeof(*scaler->workers));
    if (!scaler->workers)
        return sh_fail(err, SH_E_MEMORY, "out of memory for the threads");
    scaler->worker_count = scaler->settings.threads;
    for (int i = 0; i < scaler->worker_count; i++) {
        sh_picture_worker *w = &scaler->workers[i];
        w->memory = aligned_alloc(64, rows + 3 * row);
        if (!w->memory)
            return sh_fail(err, SH_E_MEMORY, "out of memory for %zu bytes of a thread's rows",
                           rows + 3 * row);
        memset(w->memory, 0, rows + 3 * row);
        sh_rows_place(&w->rows, all, count, w->memory);
        w->row[0] = w->memory + rows;
        w->row[1] = w->row[0] + row;
        w->base = w->row[1] + row;
    }
    return SH_OK;
}

static int open_scaler(spyhop_scaler **out, const spyhop_model *model, const spyhop_settings *settings,
                       const spyhop_scaling *scaling, sh_err *err)
{
    spyhop_scaler *scaler = calloc(1, sizeof(*scaler));
    if (!scaler)
        return sh_fail(err, SH_E_MEMORY, "out of memory for a scaler");
    scaler->model = model;
    int status = settle(scaler, scaling, err);
    if (status == SH_OK)
        status = sh_picture_plan(scaler, err);
    if (status == SH_OK)
        status = open_threads(scaler, settings, err);
    if (status == SH_OK)
        status = open_workers(scaler, err);
    if (status < 0) {
        spyhop_scaler_close(&scaler);
        return status;
    }
    const int most = (scaler->scaling.out.height + BAND_ROWS - 1) / BAND_ROWS;
    scaler->bands = BANDS_A_THREAD * scaler->settings.threads;
    scaler->bands = scaler->settings.threads == 1 ? 1 : scaler->bands < most ? scaler->bands : most;
    *out = scaler;
    return SH_OK;
}

/* ---- public ---- */

int spyhop_scaler_open(spyhop_scaler **out, const spyhop_model *model, const spyhop_settings *settings,
                       const spyhop_scaling *scaling, spyhop_error *error)
{
    sh_err err = {0};
    int status;
    if (!out || !scaling)
        status = sh_fail(&err, SH_E_ARGUMENT, "spyhop_scaler_open: NULL where a scaler or a scaling belongs");
    else
        status = open_scaler(out, model, settings, scaling, &err);
    return status < 0 ? sh_public_error(error, &err) : SPYHOP_OK;
}

void spyhop_scaler_close(spyhop_scaler **scaler)
{
    if (!scaler || !*scaler)
        return;
    spyhop_scaler *s = *scaler;
    for (int i = 0; i < s->worker_count; i++)
        free(s->workers[i].memory);
    free(s->workers);
    for (int i = 0; i < SH_PLANES; i++) {
        free(s->imports[i].memory[0]);
        free(s->imports[i].memory[1]);
    }
    sh_pool_free(s->own_pool);
    spyhop_close(&s->context);
    free(s);
    *scaler = NULL;
}

int spyhop_scaler_describe(const spyhop_scaler *scaler, spyhop_scaling *scaling)
{
    if (!scaler || !scaling || scaling->size < sizeof(*scaling))
        return SPYHOP_E_ARGUMENT;
    *scaling = scaler->scaling;
    return SPYHOP_OK;
}

int spyhop_scaler_get_settings(const spyhop_scaler *scaler, spyhop_settings *settings)
{
    if (!scaler || !settings)
        return SPYHOP_E_ARGUMENT;
    *settings = scaler->settings;
    return SPYHOP_OK;
}

int spyhop_scaler_run(spyhop_scaler *scaler, const spyhop_picture *in, const spyhop_picture *out,
                      spyhop_error *error)
{
    sh_err err = {0};
    int status;
    if (!scaler || !in || !out)
        status = sh_fail(&err, SH_E_ARGUMENT, "spyhop_scaler_run: NULL where a scaler or a picture belongs");
    else
        status = sh_picture_check(in, &scaler->scaling.in, "input", &err);
    if (status == SH_OK)
        status = sh_picture_check(out, &scaler->scaling.out, "output", &err);
    if (status == SH_OK)
        status = sh_picture_run(scaler, in, out, &err);
    return status < 0 ? sh_public_error(error, &err) : SPYHOP_OK;
}
