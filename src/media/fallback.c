/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/fallback.h"
#include "media/duplicate.h"

#include <libavutil/pixdesc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define CODE 256      /* of a signature's means */
#define CELL_MOVES 32 /* codes */
#define CELL_MOVES_SMALL 64
#define ALL_MOVE 12
#define LIVELY 8  /* codes between the darkest and the lightest cell */
#define VISIBLE 2 /* codes by which a cell of two sources differs */

/* ---- means ---- */

static uint64_t sum8(const uint8_t *at, int count)
{
    uint32_t sum = 0; /* 16384 samples of 255 fit */
    for (int i = 0; i < count; i++)
        sum += at[i];
    return sum;
}

static uint64_t sum16(const uint16_t *at, int count)
{
    uint32_t sum = 0;
    for (int i = 0; i < count; i++)
        sum += at[i];
    return sum;
}

typedef struct luma {
    const uint8_t *data;
    ptrdiff_t stride;
    int width, height;
    int top; /* weight of the highest sample bit's successor: values are below 1 << top */
    bool wide;
} luma;

static bool find_luma(luma *l, const AVFrame *frame)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(frame->format);
    if (!d || d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_HWACCEL |
                          AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_FLOAT | AV_PIX_FMT_FLAG_BE))
        return false;
    if (d->comp[0].plane != 0 || d->comp[0].offset != 0 || d->comp[0].step > 2 || frame->width > 16384)
        return false;
    l->wide = d->comp[0].depth > 8;
    l->top = d->comp[0].depth + d->comp[0].shift;
    l->data = frame->data[0];
    l->stride = frame->linesize[0];
    l->width = frame->width;
    l->height = frame->height;
    return d->comp[0].step == (l->wide ? 2 : 1);
}

static int cells_of(int side)
{
    const int cells = side / 8;
    return cells < 1 ? 1 : cells > SH_CELLS ? SH_CELLS : cells;
}

static int border(int cell, int cells, int side, int unit)
{
    return cell == cells ? side : (int)((int64_t)(side / unit) * cell / cells) * unit;
}

static void add_row(uint64_t *sums, const luma *l, int row, const int *edge, int across)
{
    const uint8_t *at = l->data + (ptrdiff_t)row * l->stride;
    for (int x = 0; x < across; x++)
        sums[x] += l->wide ? sum16((const uint16_t *)(const void *)at + edge[x], edge[x + 1] - edge[x])
                           : sum8(at + edge[x], edge[x + 1] - edge[x]);
}

bool sh_signature_make(sh_signature *signature, const AVFrame *frame, int unit)
{
    luma l;
    int edge[SH_CELLS + 1];
    signature->across = signature->down = 0;
    if (unit < 1 || !find_luma(&l, frame) || l.width < unit || l.height < unit)
        return false;
    const int across = cells_of(l.width / unit), down = cells_of(l.height / unit);
    for (int x = 0; x <= across; x++)
        edge[x] = border(x, across, l.width, unit);
    for (int y = 0; y < down; y++) {
        uint64_t sums[SH_CELLS] = {0};
        const int top = border(y, down, l.height, unit), bottom = border(y + 1, down, l.height, unit);
        for (int row = top; row < bottom; row++)
            add_row(sums, &l, row, edge, across);
        for (int x = 0; x < across; x++) {
            const uint64_t samples = (uint64_t)(bottom - top) * (uint64_t)(edge[x + 1] - edge[x]);
            signature->mean[y * across + x] = (uint16_t)((sums[x] * CODE / samples) >> (l.top - 8));
        }
    }
    signature->across = across;
    signature->down = down;
    signature->small = l.width / unit < 8 || l.height / unit < 8;
    return true;
}

static bool comparable(const sh_signature *a, const sh_signature *b)
{
    return a->across > 0 && a->across == b->across && a->down == b->down;
}

double sh_signature_distance(const sh_signature *a, const sh_signature *b)
{
    int most = 0;
    if (!comparable(a, b))
        return 0;
    for (int i = 0; i < a->across * a->down; i++) {
        const int difference = abs(a->mean[i] - b->mean[i]);
        most = difference > most ? difference : most;
    }
    return (double)most / CODE;
}

static double mean_of(const sh_signature *s)
{
    double sum = 0;
    for (int i = 0; i < s->across * s->down; i++)
        sum += s->mean[i];
    return sum / CODE / (s->across * s->down);
}

static double spread_of(const sh_signature *s)
{
    int low = s->mean[0], high = s->mean[0];
    for (int i = 1; i < s->across * s->down; i++) {
        low = s->mean[i] < low ? s->mean[i] : low;
        high = s->mean[i] > high ? s->mean[i] : high;
    }
    return (double)(high - low) / CODE;
}

/* ---- the watch ---- */

const char *sh_fallback_name(int level)
{
    static const char *const names[] = {"none", "scalar", "classic"};
    return level >= 0 && level < 3 ? names[level] : "unknown";
}

static bool looks_like(const sh_signature *source, const sh_signature *result, double limit, char *reason,
                       size_t size)
{
    const double most = sh_signature_distance(source, result);
    const double moved = fabs(mean_of(source) - mean_of(result));
    const double before = spread_of(source), after = spread_of(result);
    if (before >= LIVELY && after < before / 4)
        snprintf(reason, size, "the picture is %s where the source is not (luma %.0f, spread %.1f of %.1f)",
                 mean_of(result) < 20 ? "black" : "flat", mean_of(result), after, before);
    else if (moved > ALL_MOVE)
        snprintf(reason, size, "the picture's luma is %.0f on average and the source's %.0f", mean_of(result),
                 mean_of(source));
    else if (most > limit)
        snprintf(reason, size, "a part of the picture differs from the source by %.0f codes of luma", most);
    else
        return true;
    return false;
}

bool sh_watch_passes(sh_watch *watch, const AVFrame *source, const AVFrame *result, int scale, char *reason,
                     size_t size)
{
    sh_signature from, to;
    if (!sh_signature_make(&from, source, 1) || !sh_signature_make(&to, result, scale) ||
        !comparable(&from, &to))
        return true;
    /* a last column that was left out moves the cells against each other */
    const bool exact = result->width == source->width * scale && result->height == source->height * scale;
    if (!looks_like(&from, &to, exact && !from.small ? CELL_MOVES : CELL_MOVES_SMALL, reason, size))
        return false;
    if (watch->picture && sh_signature_distance(&watch->source, &from) >= VISIBLE &&
        sh_frames_same(watch->picture, result)) {
        snprintf(reason, size, "the picture is that of the frame before, and the source's is not");
        return false;
    }
    av_frame_free(&watch->picture);
    watch->picture = av_frame_clone(result);
    watch->source = from;
    return true;
}

void sh_watch_forget(sh_watch *watch)
{
    av_frame_free(&watch->picture);
}
