/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/duplicate.h"

#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <string.h>

typedef struct area {
    int planes;
    int bytes[4], rows[4];
} area;

static area area_of(const AVFrame *frame)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(frame->format);
    area it = {.planes = d ? av_pix_fmt_count_planes(frame->format) : 0};
    for (int i = 0; i < it.planes; i++) {
        const bool chroma = i == 1 || i == 2;
        it.bytes[i] = av_image_get_linesize(frame->format, frame->width, i);
        it.rows[i] = chroma ? AV_CEIL_RSHIFT(frame->height, d->log2_chroma_h) : frame->height;
    }
    if (d && d->flags & AV_PIX_FMT_FLAG_PAL) {
        it.planes = 2;
        it.bytes[1] = AVPALETTE_SIZE;
        it.rows[1] = 1;
    }
    return it;
}

static const uint8_t *row_of(const AVFrame *frame, int plane, int row)
{
    return frame->data[plane] + (ptrdiff_t)row * frame->linesize[plane];
}

bool sh_frames_same(const AVFrame *a, const AVFrame *b)
{
    const area it = area_of(a);
    if (a->format != b->format || a->width != b->width || a->height != b->height || it.planes == 0)
        return false;
    for (int i = 0; i < it.planes; i++) {
        if (!a->data[i] || !b->data[i])
            return false;
        if (a->data[i] == b->data[i] && a->linesize[i] == b->linesize[i])
            continue;
        for (int row = 0; row < it.rows[i]; row++)
            if (memcmp(row_of(a, i, row), row_of(b, i, row), (size_t)it.bytes[i]) != 0)
                return false;
    }
    return true;
}

/* ---- the number of a picture ---- */

static uint64_t stir(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 29;
}

/* Four chains side by side, so that one multiplication need not wait for the other. */
static void stir_row(uint64_t hash[4], const uint8_t *bytes, size_t count)
{
    uint64_t word[4];
    size_t done = 0;
    for (; done + sizeof(word) <= count; done += sizeof(word)) {
        memcpy(word, bytes + done, sizeof(word));
        for (int i = 0; i < 4; i++)
            hash[i] = stir(hash[i], word[i]);
    }
    memset(word, 0, sizeof(word));
    memcpy(word, bytes + done, count - done);
    for (int i = 0; i < 4; i++)
        hash[i] = stir(hash[i], word[i]);
}

uint64_t sh_frame_hash(const AVFrame *frame)
{
    const area it = area_of(frame);
    uint64_t hash[4] = {1, 2, 3, 4};
    for (int i = 0; i < it.planes; i++)
        for (int row = 0; frame->data[i] && row < it.rows[i]; row++)
            stir_row(hash, row_of(frame, i, row), (size_t)it.bytes[i]);
    uint64_t joint = stir((uint64_t)frame->width << 32 | (uint32_t)frame->height, (uint64_t)frame->format);
    for (int i = 0; i < 4; i++)
        joint = stir(joint, hash[i]);
    return joint;
}

/* ---- what was made of the frame before ---- */

static void take_tags(AVFrame *to, const AVFrame *from)
{
    to->color_range = from->color_range;
    to->colorspace = from->colorspace;
    to->color_primaries = from->color_primaries;
    to->color_trc = from->color_trc;
    to->chroma_location = from->chroma_location;
    to->sample_aspect_ratio = from->sample_aspect_ratio;
    to->pict_type = from->pict_type;
    to->key_frame = from->key_frame;
    to->interlaced_frame = from->interlaced_frame;
    to->crop_top = to->crop_bottom = to->crop_left = to->crop_right = 0;
}

bool sh_duplicates_take(sh_duplicates *duplicates, const AVFrame *source, AVFrame **result)
{
    if (!duplicates->source || !duplicates->result || !sh_frames_same(duplicates->source, source))
        return false;
    AVFrame *copy = av_frame_clone(duplicates->result);
    if (!copy)
        return false;
    while (copy->nb_side_data > 0)
        av_frame_remove_side_data(copy, copy->side_data[0]->type);
    av_dict_free(&copy->metadata);
    if (av_frame_copy_props(copy, source) < 0) {
        av_frame_free(&copy);
        return false;
    }
    take_tags(copy, duplicates->result);
    duplicates->found++;
    *result = copy;
    return true;
}

void sh_duplicates_note(sh_duplicates *duplicates, const AVFrame *source, const AVFrame *result)
{
    sh_duplicates_forget(duplicates);
    duplicates->source = av_frame_clone(source);
    duplicates->result = av_frame_clone(result);
}

void sh_duplicates_forget(sh_duplicates *duplicates)
{
    av_frame_free(&duplicates->source);
    av_frame_free(&duplicates->result);
}
