/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One picture through the passes of picture.h. */
#include "engine/picture.h"
#include <string.h>

typedef struct job {
    spyhop_scaler *scaler;
    const spyhop_picture *in, *out;
    sh_view sources[SH_PLANES]; /* planes as the steps read them */
    sh_err *err;
} job;

/* Rows [*from, *to) of band `item`. */
static void band_rows(const spyhop_scaler *scaler, int item, int height, int *from, int *to)
{
    *from = (int)((int64_t)height * item / scaler->bands);
    *to = (int)((int64_t)height * (item + 1) / scaler->bands);
}

/* ---- import ---- */

static void import_band(void *opaque, int item, int index)
{
    const job *j = opaque;
    const spyhop_scaler *s = j->scaler;
    const sh_unzip_fn unzip = s->scaling.in.depth > 8 ? s->dsp.unzip16 : s->dsp.unzip8;
    (void)index;
    for (int i = 0; i < s->import_count; i++) {
        const sh_import *import = &s->imports[i];
        int from, to;
        band_rows(s, item, import->height, &from, &to);
        for (int y = from; y < to; y++) {
            const uint8_t *row =
                (const uint8_t *)j->in->data[import->plane] + j->in->stride[import->plane] * y;
            void *rows[2];
            for (int k = 0; k < import->count; k++)
                rows[k] = import->memory[k] + import->stride * (size_t)y;
            unzip(rows, row, import->count, import->width, sh_format_shift(&s->scaling.in));
        }
    }
}

static void import_picture(job *j)
{
    const spyhop_scaler *s = j->scaler;
    for (int i = 0; i < SH_PLANES; i++)
        j->sources[i] = (sh_view){j->in->data[i], j->in->stride[i]};
    for (int i = 0; i < s->import_count; i++)
        for (int k = 0; k < s->imports[i].count; k++)
            j->sources[s->imports[i].plane + k] =
                (sh_view){s->imports[i].memory[k], (ptrdiff_t)s->imports[i].stride};
    if (s->import_count > 0)
        sh_pool_run(s->pool, import_band, j, s->bands);
}

/* ---- network ---- */

static int run_network(const job *j)
{
    static const int rgb[3] = {2, 0, 1}; /* the planes of GBR */
    const spyhop_scaler *s = j->scaler;
    const spyhop_format *from = &s->scaling.in, *to = &s->scaling.out;
    const int colours = sh_format_colours(from);
    spyhop_plane in[3], out[3];
    spyhop_error error;
    int status = SPYHOP_OK;
    for (int i = 0; i < colours; i++) {
        const int plane = colours == 3 ? rgb[i] : i;
        /* spyhop_plane is not const; the engine only reads what comes in */
        in[i] = (spyhop_plane){(void *)(uintptr_t)j->sources[plane].data, j->sources[plane].stride,
                               from->width, from->height, from->depth};
        out[i] = (spyhop_plane){j->out->data[plane], j->out->stride[plane], to->width, to->height, to->depth};
    }
    for (int i = 0; status == SPYHOP_OK && i < colours; i += s->model_channels)
        status = spyhop_run_planes(s->context, &in[i], &out[i], s->model_channels, &error);
    return status < 0 ? sh_fail(j->err, status, "%s", error.message) : SH_OK;
}

/* ---- finish ---- */

/* Rows of both channels, as they were made, into the result's. */
static void emit(const spyhop_scaler *s, const sh_step *step, uint8_t *const *rows, void *out)
{
    const void *const from[2] = {rows[0], rows[1]};
    const int shift = sh_format_shift(&s->scaling.out);
    (s->scaling.out.depth > 8 ? s->dsp.zip16 : s->dsp.zip8)(out, from, step->count, step->resample.out_width,
                                                            shift);
}

static void enlarge_row(const job *j, const sh_step *step, int y, uint8_t *out, sh_picture_worker *w)
{
    if (step->plain) {
        sh_resample_row(&step->resample, &j->scaler->dsp, &j->sources[step->source], y, out, &w->rows);
        return;
    }
    for (int i = 0; i < step->count; i++) {
        w->rows.limits_of = step->count > 1 ? -1 : w->rows.limits_of;
        sh_resample_row(&step->resample, &j->scaler->dsp, &j->sources[step->source + i], y, w->row[i],
                        &w->rows);
    }
    emit(j->scaler, step, w->row, out);
}

static void finish_row(const job *j, const sh_step *step, int y, uint8_t *out, sh_picture_worker *w)
{
    const spyhop_scaler *s = j->scaler;
    const sh_resample *r = &step->resample;
    const sh_view *source = &j->sources[step->source];
    const size_t bytes = (size_t)r->out_width * (size_t)sh_format_sample(&s->scaling.out);
    uint8_t *row = step->plain && s->weight == 256 ? out : w->row[0];
    if (s->weight < 256) {
        sh_resample_row(r, &s->dsp, source, y, w->base, &w->rows);
        (r->depth > 8 ? s->dsp.blend16 : s->dsp.blend8)(row, w->base, out, r->out_width, s->weight);
    } else if (row != out) {
        memcpy(row, out, bytes);
    }
    if (step->limited)
        sh_resample_limit(r, &s->dsp, source, y, row, &w->rows);
    if (row != out)
        emit(s, step, w->row, out);
}

static void neutral_row(const job *j, const sh_step *step, uint8_t *out)
{
    const spyhop_format *format = &j->scaler->scaling.out;
    const int count = step->resample.out_width * step->count, depth = format->depth;
    if (depth == 8) {
        memset(out, 128, (size_t)count);
        return;
    }
    for (int x = 0; x < count; x++)
        ((uint16_t *)(void *)out)[x] = (uint16_t)(1 << (depth - 1 + sh_format_shift(format)));
}

static void finish_band(void *opaque, int item, int index)
{
    const job *j = opaque;
    const spyhop_scaler *s = j->scaler;
    sh_picture_worker *w = &j->scaler->workers[index];
    for (int i = 0; i < s->step_count; i++) {
        const sh_step *step = &s->steps[i];
        int from, to;
        band_rows(s, item, step->resample.out_height, &from, &to);
        w->rows.limits_of = w->rows.wide_of = -1;
        for (int y = from; y < to; y++) {
            uint8_t *out = (uint8_t *)j->out->data[step->plane] + j->out->stride[step->plane] * y;
            if (step->kind == SH_STEP_ENLARGE)
                enlarge_row(j, step, y, out, w);
            else if (step->kind == SH_STEP_FINISH)
                finish_row(j, step, y, out, w);
            else
                neutral_row(j, step, out);
        }
    }
}

int sh_picture_run(spyhop_scaler *scaler, const spyhop_picture *in, const spyhop_picture *out, sh_err *err)
{
    job j = {.scaler = scaler, .in = in, .out = out, .err = err};
    int status = SH_OK;
    import_picture(&j);
    if (scaler->weight > 0)
        status = run_network(&j);
    if (status == SH_OK && scaler->step_count > 0)
        sh_pool_run(scaler->pool, finish_band, &j, scaler->bands);
    return status;
}
