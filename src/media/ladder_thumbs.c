/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The work file: a record that says what the tiles are, then tile after tile, planes of 8 bits 4:2:0 without
 * gaps. It is of this machine and of one job, so numbers stand in it as they are. */
#include "base/size.h"
#include "media/ladder_frames.h"
#include "media/ladder_scale.h"

#include <errno.h>
#include <libavutil/imgutils.h>
#include <libavutil/mathematics.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TILE_MAX 1024
#define ACROSS_MAX 100
#define TILES_MAX 1000000
#define SHEET_MAX 16384

typedef struct record {
    char mark[8];
    int32_t width, height, range, matrix;
} record;

struct sh_thumbs {
    sh_thumbs_settings settings;
    record about;
    bool known;    /* `about` is in the file */
    int64_t count; /* tiles in it */
    uint8_t *tile; /* the last one */
    size_t tile_size;
    sh_scale *scale; /* for pictures like `scaled` */
    int scaled[3];
    sh_jpeg *jpeg;
};

/* ---- the work file ---- */

static int put_at(const sh_thumbs *t, const void *bytes, size_t size, int64_t offset, sh_err *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t put =
            pwrite(t->settings.work, (const char *)bytes + done, size - done, offset + (int64_t)done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return sh_fail_errno(err, put < 0 ? errno : ENOSPC, "the work file of thumbnails");
        done += (size_t)put;
    }
    return 0;
}

static int get_at(const sh_thumbs *t, void *bytes, size_t size, int64_t offset, sh_err *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(t->settings.work, (char *)bytes + done, size - done, offset + (int64_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return sh_fail_errno(err, errno, "the work file of thumbnails");
        if (got == 0)
            return sh_fail(err, SH_E_FORMAT, "the work file of thumbnails ends at byte %lld",
                           (long long)(offset + (int64_t)done));
        done += (size_t)got;
    }
    return 0;
}

static int64_t place_of(const sh_thumbs *t, int64_t number)
{
    return (int64_t)sizeof(record) + number * (int64_t)t->tile_size;
}

static int append(sh_thumbs *t, sh_err *err)
{
    if (t->count >= TILES_MAX)
        return sh_fail(err, SH_E_LIMIT, "more than %d thumbnails", TILES_MAX);
    int status = put_at(t, t->tile, t->tile_size, place_of(t, t->count), err);
    t->count += status == 0;
    return status;
}

/* ---- opening ---- */

static int check(const sh_thumbs_settings *s, sh_err *err)
{
    if (s->width < 2 || s->height < 2 || s->width > TILE_MAX || s->height > TILE_MAX || s->width % 2 ||
        s->height % 2)
        return sh_fail(err, SH_E_ARGUMENT, "thumbnails of %dx%d: both sides are even, from 2 to %d", s->width,
                       s->height, TILE_MAX);
    if (s->columns < 1 || s->rows < 1 || s->columns > ACROSS_MAX || s->rows > ACROSS_MAX ||
        s->columns * s->width > SHEET_MAX || s->rows * s->height > SHEET_MAX)
        return sh_fail(err, SH_E_ARGUMENT, "a sheet of %dx%d thumbnails of %dx%d; at most %d samples a side",
                       s->columns, s->rows, s->width, s->height, SHEET_MAX);
    if (s->period.num < 1 || s->period.den < 1)
        return sh_fail(err, SH_E_ARGUMENT, "a thumbnail every %d/%d seconds", s->period.num, s->period.den);
    return 0;
}

static int load(sh_thumbs *t, sh_err *err)
{
    if (t->settings.begin <= 0)
        return 0;
    int status = get_at(t, &t->about, sizeof(t->about), 0, err);
    if (status == 0 && (memcmp(t->about.mark, "SHTILES", 8) != 0 || t->about.width != t->settings.width ||
                        t->about.height != t->settings.height))
        status = sh_fail(err, SH_E_CONFLICT, "the work file of thumbnails is another job's");
    if (status == 0)
        status = get_at(t, t->tile, t->tile_size, place_of(t, t->settings.begin - 1), err);
    t->known = status == 0;
    t->count = t->settings.begin;
    return status;
}

int sh_thumbs_open(sh_thumbs **out, const sh_thumbs_settings *settings, sh_err *err)
{
    int status = check(settings, err);
    if (status < 0)
        return status;
    sh_thumbs *t = calloc(1, sizeof(*t));
    if (!t)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    t->settings = *settings;
    t->tile_size = (size_t)settings->width * (size_t)settings->height * 3 / 2;
    t->tile = malloc(t->tile_size);
    status = t->tile ? sh_jpeg_open(&t->jpeg, settings->quality ? settings->quality : 75, err)
                     : sh_fail(err, SH_E_MEMORY, "memory is short");
    if (status == 0)
        status = load(t, err);
    if (status < 0)
        sh_thumbs_close(&t);
    else
        *out = t;
    return status;
}

void sh_thumbs_close(sh_thumbs **thumbs)
{
    if (!*thumbs)
        return;
    sh_scale_close(&(*thumbs)->scale);
    sh_jpeg_close(&(*thumbs)->jpeg);
    free((*thumbs)->tile);
    free(*thumbs);
    *thumbs = NULL;
}

/* ---- tiles ---- */

static int prepare(sh_thumbs *t, const AVFrame *frame, sh_err *err)
{
    const int like[3] = {frame->width, frame->height, frame->format};
    sh_scale_settings settings = {.format = AV_PIX_FMT_YUV420P};
    if (t->scale && memcmp(like, t->scaled, sizeof(like)) == 0)
        return 0;
    sh_scale_close(&t->scale);
    memcpy(t->scaled, like, sizeof(like));
    int status = sh_scale_lay_out(&settings.layout, frame->width, frame->height, frame->sample_aspect_ratio,
                                  t->settings.width, t->settings.height, SH_SCALING_PAD, false, err);
    return status < 0 ? status : sh_scale_open(&t->scale, &settings, frame, err);
}

static int draw(sh_thumbs *t, const AVFrame *frame, sh_err *err)
{
    AVFrame *small = NULL;
    int status = prepare(t, frame, err);
    if (status == 0)
        status = sh_scale_run(t->scale, frame, &small, err);
    if (status < 0)
        return status;
    av_image_copy_to_buffer(t->tile, (int)t->tile_size, (const uint8_t *const *)small->data, small->linesize,
                            AV_PIX_FMT_YUV420P, small->width, small->height, 1);
    if (!t->known) {
        t->about =
            (record){"SHTILES", t->settings.width, t->settings.height, small->color_range, small->colorspace};
        status = put_at(t, &t->about, sizeof(t->about), 0, err);
        t->known = status == 0;
    }
    av_frame_free(&small);
    return status;
}

int sh_thumbs_frame(sh_thumbs *t, const AVFrame *frame, int64_t pts, AVRational base, sh_err *err)
{
    const int64_t number = pts < 0 ? 0 : av_rescale_q_rnd(pts, base, t->settings.period, AV_ROUND_DOWN);
    int status = 0;
    if (number < t->count)
        return 0;
    while (t->known && t->count < number && status == 0)
        status = append(t, err);
    if (status == 0)
        status = draw(t, frame, err);
    while (t->count <= number && status == 0) /* before the first frame of all there is only that one */
        status = append(t, err);
    return status;
}

int64_t sh_thumbs_count(const sh_thumbs *t)
{
    return t->count;
}

/* ---- sheets ---- */

int64_t sh_thumbs_sheets(const sh_thumbs *t)
{
    const int64_t many = (int64_t)t->settings.columns * t->settings.rows;
    return (t->count + many - 1) / many;
}

static int place_tile(sh_thumbs *t, AVFrame *sheet, int64_t number, int place, sh_err *err)
{
    const int width = t->settings.width, height = t->settings.height;
    const int x = place % t->settings.columns * width, y = place / t->settings.columns * height;
    uint8_t *from[4], *to[4] = {NULL};
    int steps[4];
    int status = get_at(t, t->tile, t->tile_size, place_of(t, number), err);
    if (status < 0)
        return status;
    av_image_fill_arrays(from, steps, t->tile, AV_PIX_FMT_YUV420P, width, height, 1);
    for (int i = 0; i < 3; i++)
        to[i] = sheet->data[i] + (ptrdiff_t)(i ? y / 2 : y) * sheet->linesize[i] + (i ? x / 2 : x);
    av_image_copy(to, sheet->linesize, (const uint8_t **)from, steps, AV_PIX_FMT_YUV420P, width, height);
    return 0;
}

static AVFrame *new_sheet(const sh_thumbs *t, int rows)
{
    AVFrame *sheet = av_frame_alloc();
    if (!sheet)
        return NULL;
    sheet->width = t->settings.columns * t->settings.width;
    sheet->height = rows * t->settings.height;
    sheet->format = AV_PIX_FMT_YUV420P;
    sheet->color_range = t->about.range;
    sheet->colorspace = t->about.matrix;
    if (av_frame_get_buffer(sheet, 0) < 0) {
        av_frame_free(&sheet);
        return NULL;
    }
    const ptrdiff_t steps[4] = {sheet->linesize[0], sheet->linesize[1], sheet->linesize[2], 0};
    av_image_fill_black(sheet->data, steps, sheet->format, sheet->color_range, sheet->width, sheet->height);
    return sheet;
}

int sh_thumbs_sheet(sh_thumbs *t, int64_t number, sh_buf *bytes, int *width, int *height, sh_err *err)
{
    const int many = t->settings.columns * t->settings.rows;
    if (number < 0 || number >= sh_thumbs_sheets(t))
        return sh_fail(err, SH_E_ARGUMENT, "there is no sheet %lld of thumbnails", (long long)number);
    const int64_t first = number * many;
    const int count = t->count - first < many ? (int)(t->count - first) : many;
    const int rows = (count + t->settings.columns - 1) / t->settings.columns;
    AVFrame *sheet = new_sheet(t, rows);
    int status = sheet ? 0 : sh_fail(err, SH_E_MEMORY, "memory is short");
    for (int i = 0; i < count && status == 0; i++)
        status = place_tile(t, sheet, first + i, i, err);
    if (status == 0)
        status = sh_jpeg_make(t->jpeg, sheet, bytes, err);
    if (status == 0) {
        *width = sheet->width;
        *height = sheet->height;
    }
    av_frame_free(&sheet);
    return status;
}
