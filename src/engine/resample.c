/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/resample.h"
#include "base/size.h"
#include <math.h>
#include <string.h>

#define ALIGN 64
#define BEFORE 2 /* coefficients before the one at or below the position */

/* ---- where samples lie, and their coefficients ---- */

static int divide_up(int a, int b)
{
    return (a + b - 1) / b;
}

static int common(int a, int b)
{
    return b ? common(b, a % b) : a;
}

static double lanczos(double x)
{
    const double p = 3.14159265358979323846 * x;
    if (fabs(x) < 1e-9)
        return 1;
    return fabs(x) >= 3 ? 0 : 3 * sin(p) * sin(p / 3) / (p * p);
}

static double cubic(double x)
{
    x = fabs(x);
    if (x <= 1)
        return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

/* Rounding leaves a few units of 2^-14, which the greatest takes. */
static void make_taps(int16_t *taps, double fraction, sh_resample_kernel kernel)
{
    double weight[SH_FIR_TAPS], sum = 0;
    int total = 0;
    for (int t = 0; t < SH_FIR_TAPS; t++) {
        double x = fraction - (t - BEFORE);
        sum += weight[t] = kernel == SH_RESAMPLE_LANCZOS ? lanczos(x) : cubic(x);
    }
    for (int t = 0; t < SH_FIR_TAPS; t++) {
        taps[t] = (int16_t)lrint(weight[t] / sum * (1 << SH_FIR_BITS));
        total += taps[t];
    }
    int16_t *most = &taps[fraction < 0.5 ? BEFORE : BEFORE + 1];
    *most = (int16_t)(*most + (1 << SH_FIR_BITS) - total);
}

int sh_axis_make(sh_axis *axis, const sh_axis_spec *spec, sh_err *err)
{
    const int s = spec->scale, unit = 2 * s * spec->in_every; /* positions are counted in 1 / unit */
    const int constant = spec->out_twice + 1 - s - s * spec->in_twice;
    const int divisor = common(spec->out_every, s * spec->in_every);
    axis->step = spec->out_every / divisor;
    axis->phases = s * spec->in_every / divisor;
    if (axis->step > axis->phases || axis->step > SH_AXIS_STEP || axis->phases > SH_ZIP_MAX)
        return sh_fail(err, SH_E_UNSUPPORTED, "the result would have fewer chroma samples than the source");
    axis->same = axis->phases == 1 && constant == 0;
    for (int j = 0; j < axis->phases; j++) {
        int at = 2 * j * spec->out_every + constant;
        int whole = sh_divide_down(at, unit);
        axis->first[j] = whole - BEFORE;
        axis->near[j] = sh_divide_down(at + unit / 2, unit);
        make_taps(axis->taps[j], (double)(at - whole * unit) / unit, spec->kernel);
    }
    return SH_OK;
}

/* ---- rows ---- */

static int sample_bytes(const sh_resample *r)
{
    return r->depth > 8 ? 2 : 1;
}

/* Of the row between down and across. */
static int line_bytes(const sh_resample *r)
{
    return r->depth == 16 ? 4 : 2;
}

static int phase_width(const sh_resample *r)
{
    return divide_up(r->out_width, r->across.phases);
}

/* Samples beyond both borders that some output sample is made from, and at least one for the limits. */
static int row_margin(const sh_resample *r)
{
    int margin = 1;
    for (int j = 0; j < r->across.phases; j++) {
        int last = (phase_width(r) - 1) * r->across.step + r->across.first[j] + SH_FIR_TAPS - r->in_width;
        margin = -r->across.first[j] > margin ? -r->across.first[j] : margin;
        margin = last > margin ? last : margin;
    }
    return (margin + SH_AXIS_STEP) / SH_AXIS_STEP * SH_AXIS_STEP;
}

typedef struct widths {
    size_t margin, line, plain, phase; /* bytes; phase is of all phases together */
    int phases;
} widths;

static size_t aligned(size_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static size_t greater(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* What the largest of them needs. */
static widths measure(const sh_resample *const *all, int count)
{
    widths w = {0};
    size_t phase = 0;
    for (int i = 0; i < count; i++) {
        const sh_resample *r = all[i];
        size_t margin = (size_t)row_margin(r), width = (size_t)r->in_width + 2 * margin;
        w.margin = greater(w.margin, aligned(margin * (size_t)line_bytes(r)));
        w.line = greater(w.line, width * (size_t)line_bytes(r));
        w.plain = greater(w.plain, (size_t)r->out_width * (size_t)sample_bytes(r));
        phase = greater(phase, (size_t)phase_width(r) * (size_t)sample_bytes(r));
        w.phases = r->across.phases > w.phases ? r->across.phases : w.phases;
    }
    w.line = aligned(w.line) + 2 * w.margin;
    w.plain = aligned(w.plain);
    w.phase = aligned(phase);
    return w;
}

size_t sh_rows_size(const sh_resample *const *all, int count)
{
    widths w = measure(all, count);
    return (5 + SH_AXIS_STEP) * w.line + (size_t)w.phases * w.phase + 2 * w.plain;
}

void sh_rows_place(sh_rows *rows, const sh_resample *const *all, int count, uint8_t *memory)
{
    widths w = measure(all, count);
    uint8_t **const lines[] = {&rows->line, &rows->lo, &rows->hi, &rows->lo_down, &rows->hi_down};
    memset(rows, 0, sizeof(*rows));
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++, memory += w.line)
        *lines[i] = memory + w.margin;
    for (int i = 0; i < SH_AXIS_STEP; i++, memory += w.line)
        rows->strided[i] = memory + w.margin;
    for (int i = 0; i < w.phases; i++, memory += w.phase)
        rows->phase[i] = memory;
    rows->lo_wide = memory;
    rows->hi_wide = memory + w.plain;
    rows->limits_of = rows->wide_of = -1;
}

/* The border's sample, `margin` times beyond both. */
static void repeat_borders(uint8_t *row, int width, int margin, int bytes)
{
    const uint8_t *last = row + (ptrdiff_t)(width - 1) * bytes;
    for (int i = 1; i <= margin; i++) {
        memcpy(row - (ptrdiff_t)i * bytes, row, (size_t)bytes);
        memcpy(row + (ptrdiff_t)(width - 1 + i) * bytes, last, (size_t)bytes);
    }
}

static const uint8_t *source_row(const sh_resample *r, const sh_view *in, int y)
{
    y = y < 0 ? 0 : y >= r->in_height ? r->in_height - 1 : y;
    return in->data + in->stride * y;
}

/* rows[i] such that sample m of it is sample m * step + i of `from`, margins included. */
static void stride_row(uint8_t *const *rows, uint8_t *from, const sh_resample *r, int bytes)
{
    const int step = r->across.step, margin = row_margin(r);
    const int end = divide_up(r->in_width + margin, step);
    for (int i = 0; i < step; i++)
        for (int m = sh_divide_down(-margin, step); m < end; m++)
            if (m * step + i >= -margin && m * step + i < r->in_width + margin)
                memcpy(rows[i] + (ptrdiff_t)m * bytes, from + (ptrdiff_t)(m * step + i) * bytes,
                       (size_t)bytes);
}

/* Where samples m * step + offset, for m = 0, 1, ..., stand one after the other. */
static const uint8_t *from_sample(const sh_axis *axis, uint8_t *const *strided, const uint8_t *row,
                                  int offset, int bytes)
{
    int whole = sh_divide_down(offset, axis->step);
    const uint8_t *base = axis->step == 1 ? row : strided[offset - whole * axis->step];
    return base + (ptrdiff_t)whole * bytes;
}

/* ---- limits ---- */

/* lo and hi of source row y, with margins. */
static void find_limits(const sh_resample *r, const sh_dsp *dsp, const sh_view *in, int y, sh_rows *rows)
{
    const int bytes = sample_bytes(r);
    const sh_extremes_fn extremes = bytes == 1 ? dsp->extremes8 : dsp->extremes16;
    const void *down[3], *low[3], *high[3];
    if (rows->limits_of == y)
        return;
    for (int i = 0; i < 3; i++) {
        down[i] = source_row(r, in, y + i - 1);
        low[i] = rows->lo_down + (i - 1) * bytes;
        high[i] = rows->hi_down + (i - 1) * bytes;
    }
    extremes(rows->lo_down, rows->hi_down, down, down, r->in_width, r->black, r->white);
    repeat_borders(rows->lo_down, r->in_width, 1, bytes);
    repeat_borders(rows->hi_down, r->in_width, 1, bytes);
    extremes(rows->lo, rows->hi, low, high, r->in_width, r->black, r->white);
    repeat_borders(rows->lo, r->in_width, row_margin(r), bytes);
    repeat_borders(rows->hi, r->in_width, row_margin(r), bytes);
    rows->limits_of = y;
    rows->wide_of = -1;
}

static int near_row(const sh_resample *r, int y)
{
    int phase = y % r->down.phases, row = y / r->down.phases * r->down.step + r->down.near[phase];
    return row < 0 ? 0 : row >= r->in_height ? r->in_height - 1 : row;
}

static void limit_phases(const sh_resample *r, const sh_dsp *dsp, sh_rows *rows)
{
    const int bytes = sample_bytes(r), n = phase_width(r);
    const sh_axis *axis = &r->across;
    const sh_limit_fn limit = bytes == 1 ? dsp->limit8 : dsp->limit16;
    const int at_once = axis->step == 1 ? n : 1;
    for (int j = 0; j < axis->phases; j++)
        for (int m = 0; m < n; m += at_once) {
            ptrdiff_t at = (ptrdiff_t)(m * axis->step + axis->near[j]) * bytes;
            limit(rows->phase[j] + (ptrdiff_t)m * bytes, rows->lo + at, rows->hi + at, at_once);
        }
}

/* ---- a row of the result ---- */

static void put_together(const sh_axis *axis, const sh_dsp *dsp, uint8_t *const *phases, int width, int bytes,
                         uint8_t *out)
{
    const int groups = width / axis->phases;
    const void *from[SH_ZIP_MAX];
    for (int j = 0; j < axis->phases; j++)
        from[j] = phases[j];
    if (groups > 0)
        (bytes == 1 ? dsp->zip8 : dsp->zip16)(out, from, axis->phases, groups, 0);
    for (int x = groups * axis->phases; x < width; x++)
        memcpy(out + (ptrdiff_t)x * bytes, phases[x - groups * axis->phases] + (ptrdiff_t)groups * bytes,
               (size_t)bytes);
}

static void go_down(const sh_resample *r, const sh_dsp *dsp, const sh_view *in, int y, sh_rows *rows)
{
    const int phase = y % r->down.phases, first = y / r->down.phases * r->down.step + r->down.first[phase];
    const sh_fir_fn fir = r->depth == 8 ? dsp->fir_in8 : r->depth < 16 ? dsp->fir_in16 : dsp->fir_deep_in;
    const void *from[SH_FIR_TAPS];
    for (int t = 0; t < SH_FIR_TAPS; t++)
        from[t] = source_row(r, in, first + t);
    fir(rows->line, from, r->down.taps[phase], r->in_width, r->depth);
    repeat_borders(rows->line, r->in_width, row_margin(r), line_bytes(r));
}

static void go_across(const sh_resample *r, const sh_dsp *dsp, sh_rows *rows)
{
    const sh_axis *axis = &r->across;
    const sh_fir_fn fir = r->depth == 8 ? dsp->fir_out8 : r->depth < 16 ? dsp->fir_out16 : dsp->fir_deep_out;
    const int bytes = line_bytes(r);
    if (axis->step > 1)
        stride_row(rows->strided, rows->line, r, bytes);
    for (int j = 0; j < axis->phases; j++) {
        const void *from[SH_FIR_TAPS];
        for (int t = 0; t < SH_FIR_TAPS; t++)
            from[t] = from_sample(axis, rows->strided, rows->line, axis->first[j] + t, bytes);
        fir(rows->phase[j], from, axis->taps[j], phase_width(r), r->depth);
    }
}

void sh_resample_row(const sh_resample *r, const sh_dsp *dsp, const sh_view *in, int y, void *out,
                     sh_rows *rows)
{
    if (r->across.same && r->down.same) {
        memcpy(out, source_row(r, in, y), (size_t)r->out_width * (size_t)sample_bytes(r));
        return;
    }
    go_down(r, dsp, in, y, rows);
    go_across(r, dsp, rows);
    if (r->limited) {
        find_limits(r, dsp, in, near_row(r, y), rows);
        limit_phases(r, dsp, rows);
    }
    put_together(&r->across, dsp, rows->phase, r->out_width, sample_bytes(r), out);
}

void sh_resample_limit(const sh_resample *r, const sh_dsp *dsp, const sh_view *in, int y, void *row,
                       sh_rows *rows)
{
    const int bytes = sample_bytes(r), near = near_row(r, y);
    find_limits(r, dsp, in, near, rows);
    if (rows->wide_of != near) {
        uint8_t *low[SH_ZIP_MAX], *high[SH_ZIP_MAX];
        for (int j = 0; j < r->across.phases; j++) {
            low[j] = rows->lo + (ptrdiff_t)r->across.near[j] * bytes;
            high[j] = rows->hi + (ptrdiff_t)r->across.near[j] * bytes;
        }
        put_together(&r->across, dsp, low, r->out_width, bytes, rows->lo_wide);
        put_together(&r->across, dsp, high, r->out_width, bytes, rows->hi_wide);
        rows->wide_of = near;
    }
    (bytes == 1 ? dsp->limit8 : dsp->limit16)(row, rows->lo_wide, rows->hi_wide, r->out_width);
}
