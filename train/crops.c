/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Crops of a picture and its reduction, turned and flipped, with the residual that is to be learnt. */
#include <stdlib.h>

struct crop {
    const unsigned char *lr, *hr; /* whole pictures */
    int height, width, scale;     /* of lr; hr is scale times that */
    int y, x, size, margin;       /* the crop's corner in lr; `margin` samples of context around it */
    int turn;                     /* bits: swap the axes, flip y, flip x */
    const short *taught; /* NULL, or what another network makes of lr, in TAUGHT parts of a code value */
};

enum { TAUGHT = 64 };

/* The sample of n that stands at i where they continue as their mirror image. */
static int mirrored(int i, int n)
{
    i = (i % (2 * n) + 2 * n) % (2 * n);
    return i < n ? i : 2 * n - 1 - i;
}

static void turned(int turn, int n, int i, int j, int *u, int *v)
{
    int a = turn & 1 ? j : i, b = turn & 1 ? i : j;
    *u = turn & 2 ? n - 1 - a : a;
    *v = turn & 4 ? n - 1 - b : b;
}

/* The mean squared error of `taught`, whose picture is then the target instead of the truth; 0 without. low
 * [size + 2 margin]^2, 0..1; target [size][size][scale^2]: truth less base. taps [scale][5]: the base's
 * phases. */
float make_crop(const struct crop *c, const float *taps, float *low, float *target)
{
    const int s = c->scale, side = c->size + 2 * c->margin, n = s * c->size, rows = c->size + 4;
    float *wide = malloc(sizeof(float) * rows * n);
    float error = 0;
    int u, v;
    if (!wide)
        abort();
    for (int i = 0; i < side; i++)
        for (int j = 0; j < side; j++) {
            turned(c->turn, side, i, j, &u, &v);
            low[i * side + j] = c->lr[(long)mirrored(c->y - c->margin + u, c->height) * c->width +
                                      mirrored(c->x - c->margin + v, c->width)] *
                                (1 / 255.0f);
        }
    const float *from = low + (c->margin - 2) * side + c->margin - 2;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < n; j++) {
            const float *x = from + i * side + j / s, *t = taps + j % s * 5;
            wide[i * n + j] = x[0] * t[0] + x[1] * t[1] + x[2] * t[2] + x[3] * t[3] + x[4] * t[4];
        }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            const float *x = wide + i / s * n + j, *t = taps + i % s * 5;
            float base = x[0] * t[0] + x[n] * t[1] + x[2 * n] * t[2] + x[3 * n] * t[3] + x[4 * n] * t[4];
            turned(c->turn, n, i, j, &u, &v);
            const long at = (long)(s * c->y + u) * s * c->width + s * c->x + v;
            float truth = c->hr[at] * (1 / 255.0f);
            if (c->taught) {
                const float other = c->taught[at] * (1 / (255.0f * TAUGHT));
                error += (other - truth) * (other - truth);
                truth = other;
            }
            target[((i / s) * c->size + j / s) * s * s + i % s * s + j % s] = truth - base;
        }
    free(wide);
    return error / (n * n);
}
