/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/metric.h"
#include "base/size.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define PI 3.14159265358979323846
#define WINDOW 11

bool sh_plane8_new(sh_plane8 *plane, int width, int height)
{
    size_t size;
    if (width < 1 || height < 1 || !sh_mul_size((size_t)width, (size_t)height, &size))
        return false;
    uint8_t *data = calloc(size, 1);
    if (!data)
        return false;
    *plane = (sh_plane8){data, width, height};
    return true;
}

void sh_plane8_free(sh_plane8 *plane)
{
    free(plane->data);
    *plane = (sh_plane8){0};
}

/* ---- resizing ---- */

static double cubic(double x)
{
    x = fabs(x);
    if (x <= 1)
        return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

static double lanczos3(double x)
{
    if (fabs(x) < 1e-12)
        return 1;
    return fabs(x) < 3 ? 3 * sin(PI * x) * sin(PI * x / 3) / (PI * PI * x * x) : 0;
}

/* For each output position the first input index and the weights; indexes outside are mirrored when read. */
typedef struct weights {
    int taps;
    int *first;
    double *weight;
} weights;

static void free_weights(weights *w)
{
    free(w->first);
    free(w->weight);
}

static bool make_weights(weights *w, int out, int in, int kernel)
{
    const double scale = (double)out / in, shrink = scale < 1 ? scale : 1;
    const double width = (kernel == SH_KERNEL_CUBIC ? 4 : 6) / shrink;
    w->taps = (int)ceil(width) + 2;
    w->first = calloc((size_t)out, sizeof(int));
    w->weight = calloc((size_t)out * (size_t)w->taps, sizeof(double));
    if (!w->first || !w->weight)
        return false;
    for (int i = 0; i < out; i++) {
        const double centre = (i + 0.5) / scale - 0.5;
        double *weight = w->weight + (size_t)i * (size_t)w->taps, sum = 0;
        w->first[i] = (int)floor(centre - width / 2);
        for (int k = 0; k < w->taps; k++) {
            double x = shrink * (centre - (w->first[i] + k));
            sum += weight[k] = kernel == SH_KERNEL_CUBIC ? cubic(x) : lanczos3(x);
        }
        for (int k = 0; k < w->taps; k++)
            weight[k] /= sum;
    }
    return true;
}

static int mirror(int i, int size)
{
    const int period = 2 * size;
    i %= period;
    if (i < 0)
        i += period;
    return i < size ? i : period - 1 - i;
}

/* Along columns: in (in_height rows) to out (rows of `width` doubles). */
static void resize_columns(double *out, const sh_plane8 *in, const weights *w, int height)
{
    for (int y = 0; y < height; y++) {
        double *row = out + (size_t)y * (size_t)in->width;
        for (int k = 0; k < w->taps; k++) {
            const double weight = w->weight[(size_t)y * (size_t)w->taps + (size_t)k];
            const uint8_t *from = in->data + (size_t)mirror(w->first[y] + k, in->height) * (size_t)in->width;
            if (weight == 0)
                continue;
            for (int x = 0; x < in->width; x++)
                row[x] += weight * from[x];
        }
    }
}

static void resize_rows(const sh_plane8 *out, const double *in, int in_width, const weights *w)
{
    for (int y = 0; y < out->height; y++) {
        const double *row = in + (size_t)y * (size_t)in_width;
        for (int x = 0; x < out->width; x++) {
            double sum = 0;
            for (int k = 0; k < w->taps; k++)
                sum += w->weight[(size_t)x * (size_t)w->taps + (size_t)k] *
                       row[mirror(w->first[x] + k, in_width)];
            sum = floor(sum + 0.5);
            out->data[(size_t)y * (size_t)out->width + (size_t)x] = (uint8_t)(sum < 0     ? 0
                                                                              : sum > 255 ? 255
                                                                                          : sum);
        }
    }
}

bool sh_imresize(const sh_plane8 *out, const sh_plane8 *in, int kernel)
{
    weights rows = {0}, columns = {0};
    double *between = calloc((size_t)out->height * (size_t)in->width, sizeof(double));
    bool good = between && make_weights(&rows, out->height, in->height, kernel) &&
                make_weights(&columns, out->width, in->width, kernel);
    if (good) {
        resize_columns(between, in, &rows, out->height);
        resize_rows(out, between, in->width, &columns);
    }
    free_weights(&rows);
    free_weights(&columns);
    free(between);
    return good;
}

/* ---- measures ---- */

double sh_psnr(const sh_plane8 *a, const sh_plane8 *b, int border)
{
    double sum = 0;
    int64_t count = 0;
    for (int y = border; y < a->height - border; y++) {
        for (int x = border; x < a->width - border; x++) {
            size_t at = (size_t)y * (size_t)a->width + (size_t)x;
            int d = a->data[at] - b->data[at];
            sum += (double)(d * d);
            count++;
        }
    }
    return sum > 0 ? 10 * log10(255.0 * 255.0 * (double)count / sum) : 100;
}

static void make_window(double window[WINDOW])
{
    double sum = 0;
    for (int i = 0; i < WINDOW; i++)
        sum += window[i] = exp(-(double)((i - WINDOW / 2) * (i - WINDOW / 2)) / (2 * 1.5 * 1.5));
    for (int i = 0; i < WINDOW; i++)
        window[i] /= sum;
}

/* The five weighted sums of one window: a, b, aa, bb, ab. */
typedef struct moments {
    double a, b, aa, bb, ab;
} moments;

static void add(moments *to, double weight, const moments *m)
{
    to->a += weight * m->a;
    to->b += weight * m->b;
    to->aa += weight * m->aa;
    to->bb += weight * m->bb;
    to->ab += weight * m->ab;
}

static double similarity(const moments *m)
{
    const double c1 = 0.01 * 255 * 0.01 * 255, c2 = 0.03 * 255 * 0.03 * 255;
    const double va = m->aa - m->a * m->a, vb = m->bb - m->b * m->b, cov = m->ab - m->a * m->b;
    return (2 * m->a * m->b + c1) * (2 * cov + c2) / ((m->a * m->a + m->b * m->b + c1) * (va + vb + c2));
}

/* Windows are separable: rows are weighed once, then WINDOW of them for each output row. */
double sh_ssim(const sh_plane8 *a, const sh_plane8 *b, int border)
{
    const int width = a->width - 2 * border - WINDOW + 1, height = a->height - 2 * border;
    double window[WINDOW], sum = 0;
    if (width < 1 || height < WINDOW)
        return 0;
    moments *rows = calloc((size_t)width * (size_t)height, sizeof(*rows));
    if (!rows)
        return 0;
    make_window(window);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int k = 0; k < WINDOW; k++) {
                size_t at = (size_t)(y + border) * (size_t)a->width + (size_t)(x + border + k);
                double p = a->data[at], q = b->data[at];
                const moments m = {p, q, p * p, q * q, p * q};
                add(&rows[(size_t)y * (size_t)width + (size_t)x], window[k], &m);
            }
    for (int y = 0; y + WINDOW <= height; y++)
        for (int x = 0; x < width; x++) {
            moments m = {0};
            for (int k = 0; k < WINDOW; k++)
                add(&m, window[k], &rows[(size_t)(y + k) * (size_t)width + (size_t)x]);
            sum += similarity(&m);
        }
    free(rows);
    return sum / ((double)width * (height - WINDOW + 1));
}
