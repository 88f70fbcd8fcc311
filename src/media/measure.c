/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/measure.h"
#include "base/size.h"

#include <libavutil/pixdesc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK_WIDTH = 32,
    BLOCK_ROWS = 16,
    MOVES = 2,         /* mean difference of a block's samples, in codes, from which on it moves */
    CUT = 40,          /* likewise of the whole picture, from which on it is a cut */
    MOVING_SHARE = 200 /* one block of so many has to move */
};

/* ---- luma ---- */

typedef struct reading {
    const AVPixFmtDescriptor *format;
    int component;
    bool bytes; /* one byte a sample, without gaps */
} reading;

static void take_row(const reading *how, const AVFrame *frame, int x, int y, int width, int step,
                     uint16_t *line, uint8_t *to)
{
    const AVComponentDescriptor *c = &how->format->comp[how->component];
    if (how->bytes) {
        const uint8_t *from =
            frame->data[c->plane] + (ptrdiff_t)y * frame->linesize[c->plane] + c->offset + x;
        for (int i = 0; i < width; i += step)
            *to++ = from[i];
        return;
    }
    av_read_image_line2(line, (const uint8_t **)frame->data, frame->linesize, how->format, x, y,
                        how->component, width, how->format->flags & AV_PIX_FMT_FLAG_PAL ? 1 : 0, 2);
    for (int i = 0; i < width; i += step)
        *to++ = (uint8_t)(c->depth > 8 ? line[i] >> (c->depth - 8) : line[i]);
}

bool sh_luma_take(sh_luma *luma, const AVFrame *frame, int x, int y, int width, int height, int step)
{
    reading how = {.format = av_pix_fmt_desc_get(frame->format)};
    const int columns = (width + step - 1) / step;
    size_t size;
    if (!how.format || columns < 1 || height < 1 || !sh_mul_size((size_t)columns, (size_t)height, &size))
        return false;
    if (how.format->flags & AV_PIX_FMT_FLAG_RGB && how.format->nb_components >= 3)
        how.component = 1;
    const AVComponentDescriptor *c = &how.format->comp[how.component];
    how.bytes = c->depth == 8 && c->step == 1 && c->shift == 0 &&
                !(how.format->flags & (AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BITSTREAM));
    uint16_t *line = calloc((size_t)width, sizeof(*line));
    uint8_t *data = malloc(size);
    if (line && data) {
        for (int row = 0; row < height; row++)
            take_row(&how, frame, x, y + row, width, step, line, data + (size_t)row * (size_t)columns);
        free(luma->data);
        *luma = (sh_luma){data, columns, height};
        data = NULL;
    }
    const bool good = line && !data;
    free(line);
    free(data);
    return good;
}

void sh_luma_free(sh_luma *luma)
{
    free(luma->data);
    *luma = (sh_luma){0};
}

/* ---- fields ---- */

/* Over rows of one parity of a block: difference of n from p, and how their weaves comb. */
typedef struct sums {
    int64_t difference[2], squares[2]; /* of top and bottom rows */
    int64_t self, field, weave[2];
} sums;

static void add_row(sums *to, const uint8_t *p, const uint8_t *n, ptrdiff_t stride, int width, int parity)
{
    int difference = 0, squares = 0, self = 0, field = 0, weave = 0;
    for (int i = 0; i < width; i++) {
        const int d = n[i] - p[i];
        difference += abs(d);
        squares += d * d;
        self += abs(2 * n[i] - n[i - stride] - n[i + stride]);
        field += abs(2 * n[i] - n[i - 2 * stride] - n[i + 2 * stride]);
        weave += abs(2 * n[i] - p[i - stride] - p[i + stride]);
    }
    to->difference[parity] += difference;
    to->squares[parity] += squares;
    to->self += self;
    to->field += field;
    to->weave[parity] += weave;
}

static void add(sums *to, const sums *part)
{
    for (int parity = 0; parity < 2; parity++) {
        to->difference[parity] += part->difference[parity];
        to->squares[parity] += part->squares[parity];
        to->weave[parity] += part->weave[parity];
    }
    to->self += part->self;
    to->field += part->field;
}

static sums block(const sh_luma *p, const sh_luma *n, int x, int y, int width, int rows)
{
    sums all = {0};
    for (int row = y; row < y + rows; row++) {
        const size_t at = (size_t)row * (size_t)n->width + (size_t)x;
        add_row(&all, p->data + at, n->data + at, n->width, width, row & 1);
    }
    return all;
}

/* Whether n's rows come from two moments: surely, or likely where one weave alone fits as well as they do. */
static bool is_combed(const sums *moving, int64_t self, int64_t least, int64_t most)
{
    if (moving->self > moving->field)
        return true;
    return 10 * moving->self > 8 * moving->field && 2 * most > 3 * least && 4 * least < 5 * self;
}

static sh_step verdict(const sums *moving)
{
    const int64_t self = moving->self / 2, top = moving->weave[0], bottom = moving->weave[1];
    const int64_t least = top < bottom ? top : bottom, most = top < bottom ? bottom : top;
    if (!is_combed(moving, self, least, most))
        return 2 * least > 3 * self && 2 * most < 3 * least ? SH_STEP_PROGRESSIVE : SH_STEP_UNCLEAR;
    if (100 * most <= 112 * least)
        return SH_STEP_UNCLEAR;
    return top < bottom ? SH_STEP_TOP : SH_STEP_BOTTOM;
}

void sh_measure_motion(const sh_luma *p, const sh_luma *n, sh_motion *motion)
{
    sums moving = {0}, all = {0};
    int blocks = 0, moving_blocks = 0;
    *motion = (sh_motion){.step = SH_STEP_STILL, .same = true};
    if (p->width != n->width || p->height != n->height || n->height < BLOCK_ROWS + 4) {
        motion->same = false;
        return;
    }
    for (int y = 2; y + 4 <= n->height; y += BLOCK_ROWS) {
        const int rows = (n->height - 2 - y < BLOCK_ROWS ? n->height - 2 - y : BLOCK_ROWS) & ~1;
        for (int x = 0; x < n->width; x += BLOCK_WIDTH) {
            const int width = n->width - x < BLOCK_WIDTH ? n->width - x : BLOCK_WIDTH;
            const sums one = block(p, n, x, y, width, rows);
            const int64_t area = (int64_t)width * rows, difference = one.difference[0] + one.difference[1];
            blocks++;
            add(&all, &one);
            motion->same &= difference <= area;
            /* A field that is repeated leaves half of the rows alone. */
            if (one.difference[0] > MOVES * area / 2 || one.difference[1] > MOVES * area / 2) {
                moving_blocks++;
                add(&moving, &one);
            }
        }
    }
    if (moving_blocks == 0 || moving_blocks * MOVING_SHARE < blocks)
        return;
    const int64_t top = moving.squares[0], bottom = moving.squares[1];
    motion->top_repeated = 4 * top < bottom;
    motion->bottom_repeated = 4 * bottom < top;
    const int64_t whole = all.difference[0] + all.difference[1];
    motion->step = whole > CUT * (int64_t)n->width * n->height ? SH_STEP_UNCLEAR : verdict(&moving);
}

bool sh_measure_cadence(const sh_motion steps[5], bool *moving)
{
    int tops = 0, bottoms = 0, still = 0, top = 0, bottom = 0;
    for (int i = 0; i < 5; i++) {
        still += steps[i].step == SH_STEP_STILL ? 1 : 0;
        tops += steps[i].top_repeated ? 1 : 0;
        bottoms += steps[i].bottom_repeated ? 1 : 0;
        top = steps[i].top_repeated ? i : top;
        bottom = steps[i].bottom_repeated ? i : bottom;
    }
    *moving = still == 0;
    const int apart = (bottom - top + 5) % 5;
    return *moving && tops == 1 && bottoms == 1 && (apart == 2 || apart == 3);
}

/* ---- detail ---- */

enum { CONTRAST = 24, RUNS_LEAST = 24, RUNS_A_PICTURE = 600, NOISE_FROM = 26 };
#define KEPT 0.1 /* of the level of the lower half: -10 dB */

typedef struct transform {
    double window[SH_DETAIL_RUN], cosine[SH_DETAIL_RUN], sine[SH_DETAIL_RUN];
} transform;

static void make_transform(transform *t)
{
    for (int i = 0; i < SH_DETAIL_RUN; i++) {
        const double angle = 2 * M_PI * i / SH_DETAIL_RUN;
        t->cosine[i] = cos(angle);
        t->sine[i] = sin(angle);
        t->window[i] = 0.5 - 0.5 * cos(2 * M_PI * (i + 0.5) / SH_DETAIL_RUN);
    }
}

/* One run of samples `step` apart. False: too little contrast. */
static bool add_run(const transform *t, const uint8_t *from, ptrdiff_t step, double power[SH_DETAIL_BINS])
{
    double run[SH_DETAIL_RUN], mean = 0;
    int least = 255, most = 0;
    for (int i = 0; i < SH_DETAIL_RUN; i++) {
        const int value = from[i * step];
        least = value < least ? value : least;
        most = value > most ? value : most;
        mean += value;
    }
    if (most - least < CONTRAST)
        return false;
    mean /= SH_DETAIL_RUN;
    for (int i = 0; i < SH_DETAIL_RUN; i++)
        run[i] = (from[i * step] - mean) * t->window[i];
    for (int k = 1; k < SH_DETAIL_BINS; k++) {
        double real = 0, imaginary = 0;
        for (int i = 0; i < SH_DETAIL_RUN; i++) {
            real += run[i] * t->cosine[i * k % SH_DETAIL_RUN];
            imaginary += run[i] * t->sine[i * k % SH_DETAIL_RUN];
        }
        power[k] += real * real + imaginary * imaginary;
    }
    return true;
}

/* Runs that lie evenly over the picture, as many as there is time for. */
static int64_t add_runs(const transform *t, const sh_luma *luma, bool down, double power[SH_DETAIL_BINS])
{
    const int along = (down ? luma->height : luma->width) / SH_DETAIL_RUN;
    const int lines = down ? luma->width : luma->height;
    const ptrdiff_t step = down ? luma->width : 1, next = down ? 1 : luma->width;
    const int64_t all = (int64_t)along * lines;
    const int64_t stride = all / RUNS_A_PICTURE + 1;
    int64_t taken = 0;
    for (int64_t i = 0; i < all; i += stride) {
        const int64_t line = i / along, place = i % along;
        if (add_run(t, luma->data + line * next + place * SH_DETAIL_RUN * step, step, power))
            taken++;
    }
    return taken;
}

void sh_measure_detail(sh_detail *detail, const sh_luma *luma)
{
    transform t;
    make_transform(&t);
    detail->across_runs += add_runs(&t, luma, false, detail->across);
    detail->down_runs += add_runs(&t, luma, true, detail->down);
}

/* Power times the square of the frequency, without noise, each bin the mean of three. */
static double flatten(const double power[SH_DETAIL_BINS], double flat[SH_DETAIL_BINS])
{
    double clean[SH_DETAIL_BINS], noise = power[SH_DETAIL_BINS - 1], level = 0;
    const int half = SH_DETAIL_BINS / 2;
    for (int k = NOISE_FROM; k < SH_DETAIL_BINS; k++)
        noise = power[k] < noise ? power[k] : noise;
    for (int k = 0; k < SH_DETAIL_BINS; k++)
        clean[k] = (power[k] - noise) * k * k;
    for (int k = 1; k < SH_DETAIL_BINS - 1; k++)
        flat[k] = (clean[k - 1] + clean[k] + clean[k + 1]) / 3;
    for (int k = 2; k < half; k++)
        level += clean[k] / (half - 2);
    return level;
}

static double share(const double power[SH_DETAIL_BINS], int64_t runs)
{
    double flat[SH_DETAIL_BINS] = {0};
    if (runs < RUNS_LEAST)
        return -1;
    const double least = KEPT * flatten(power, flat);
    for (int k = SH_DETAIL_BINS / 4; k <= NOISE_FROM; k++)
        if (flat[k] < least && flat[k + 1] < least && flat[k + 2] < least)
            return (double)k / SH_DETAIL_BINS;
    return 1;
}

double sh_detail_across(const sh_detail *detail)
{
    return share(detail->across, detail->across_runs);
}

double sh_detail_down(const sh_detail *detail)
{
    return share(detail->down, detail->down_runs);
}
