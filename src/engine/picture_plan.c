/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From two formats to the steps that lead from one to the other. */
#include "engine/picture.h"
#include <stdlib.h>

#define BLACK 16
#define WHITE 235
#define CHROMA_WHITE 240

/* ---- enlargements ---- */

static void set_limits(sh_resample *r, const spyhop_format *format, int white)
{
    r->depth = format->depth;
    r->limited = format->range == SPYHOP_LIMITED;
    r->black = BLACK << (format->depth - 8);
    r->white = white << (format->depth - 8);
}

/* Planes with a sample for each luma sample. */
static int full_plane(sh_resample *r, const spyhop_scaler *scaler, sh_resample_kernel kernel, sh_err *err)
{
    const spyhop_scaling *s = &scaler->scaling;
    const sh_axis_spec spec = {s->scale, 1, 1, 0, 0, kernel};
    int status = sh_axis_make(&r->across, &spec, err);
    r->down = r->across;
    r->in_width = s->in.width;
    r->in_height = s->in.height;
    r->out_width = s->out.width;
    r->out_height = s->out.height;
    set_limits(r, &s->in, WHITE);
    return status;
}

static int chroma_plane(sh_resample *r, const spyhop_scaler *scaler, sh_err *err)
{
    const spyhop_format *in = &scaler->scaling.in, *out = &scaler->scaling.out;
    const sh_layout *from = sh_layout_of(in->layout), *to = sh_layout_of(out->layout);
    const sh_axis_spec across = {.scale = scaler->scaling.scale,
                                 .in_every = from->across,
                                 .out_every = to->across,
                                 .in_twice = sh_siting_across(in),
                                 .out_twice = sh_siting_across(out)};
    const sh_axis_spec down = {.scale = scaler->scaling.scale,
                               .in_every = from->down,
                               .out_every = to->down,
                               .in_twice = sh_siting_down(in),
                               .out_twice = sh_siting_down(out)};
    int status = sh_axis_make(&r->across, &across, err);
    if (status == SH_OK)
        status = sh_axis_make(&r->down, &down, err);
    if (status < 0)
        return sh_err_prefix(err, "%s cannot become %s at scale %d", from->name, to->name,
                             scaler->scaling.scale);
    sh_format_size(in, 1, &r->in_width, &r->in_height);
    sh_format_size(out, 1, &r->out_width, &r->out_height);
    set_limits(r, in, CHROMA_WHITE);
    return SH_OK;
}

/* ---- steps ---- */

static sh_step *add_step(spyhop_scaler *scaler, sh_step_kind kind, int plane)
{
    sh_step *step = &scaler->steps[scaler->step_count++];
    step->kind = kind;
    step->plane = step->source = plane;
    step->count = sh_format_samples(&scaler->scaling.out, plane);
    step->plain = step->count == 1 && sh_format_shift(&scaler->scaling.out) == 0;
    return step;
}

/* The cubic kernel is what a network is blended with. Where it runs in full and nothing else is to be done,
 * there is no step at all. */
static int plan_colours(spyhop_scaler *scaler, sh_err *err)
{
    const bool network = scaler->weight > 0;
    const bool finish = scaler->weight < 256 || scaler->scaling.in.range == SPYHOP_LIMITED ||
                        sh_format_shift(&scaler->scaling.out) > 0;
    const sh_resample_kernel kernel = scaler->model ? SH_RESAMPLE_CUBIC : SH_RESAMPLE_LANCZOS;
    int status = SH_OK;
    if (network && !finish)
        return SH_OK;
    for (int i = 0; status == SH_OK && i < sh_format_colours(&scaler->scaling.in); i++) {
        sh_step *step = add_step(scaler, network ? SH_STEP_FINISH : SH_STEP_ENLARGE, i);
        status = full_plane(&step->resample, scaler, kernel, err);
        if (network) {
            step->limited = step->resample.limited;
            step->resample.limited = false;
        }
    }
    return status;
}

static int plan_chroma(spyhop_scaler *scaler, sh_err *err)
{
    const spyhop_format *in = &scaler->scaling.in, *out = &scaler->scaling.out;
    int status = SH_OK;
    if (!sh_format_has_chroma(out))
        return SH_OK;
    for (int plane = 1; status == SH_OK && plane <= (out->semi ? 1 : 2); plane++) {
        const bool neutral = !sh_format_has_chroma(in);
        sh_step *step = add_step(scaler, neutral ? SH_STEP_NEUTRAL : SH_STEP_ENLARGE, plane);
        sh_format_size(out, plane, &step->resample.out_width, &step->resample.out_height);
        if (!neutral)
            status = chroma_plane(&step->resample, scaler, err);
    }
    return status;
}

static int plan_alpha(spyhop_scaler *scaler, sh_err *err)
{
    if (!scaler->scaling.out.alpha)
        return SH_OK;
    sh_step *step = add_step(scaler, SH_STEP_ENLARGE, 3);
    int status = full_plane(&step->resample, scaler, SH_RESAMPLE_LANCZOS, err);
    step->resample.limited = false;
    return status;
}

/* ---- imports ---- */

static int plan_import(spyhop_scaler *scaler, int plane, sh_err *err)
{
    const spyhop_format *in = &scaler->scaling.in;
    sh_import *import = &scaler->imports[scaler->import_count];
    *import = (sh_import){.plane = plane, .count = sh_format_samples(in, plane)};
    sh_format_size(in, plane, &import->width, &import->height);
    if (import->width == 0 || (import->count == 1 && sh_format_shift(in) == 0))
        return SH_OK;
    scaler->import_count++;
    import->stride = ((size_t)import->width * (size_t)sh_format_sample(in) + 63) / 64 * 64;
    for (int i = 0; i < import->count; i++) {
        import->memory[i] = aligned_alloc(64, import->stride * (size_t)import->height);
        if (!import->memory[i])
            return sh_fail(err, SH_E_MEMORY, "out of memory for a plane of %d x %d", import->width,
                           import->height);
    }
    return SH_OK;
}

int sh_picture_plan(spyhop_scaler *scaler, sh_err *err)
{
    int status = plan_colours(scaler, err);
    if (status == SH_OK)
        status = plan_chroma(scaler, err);
    if (status == SH_OK)
        status = plan_alpha(scaler, err);
    for (int i = 0; status == SH_OK && i < SH_PLANES; i++)
        status = plan_import(scaler, i, err);
    return status;
}
