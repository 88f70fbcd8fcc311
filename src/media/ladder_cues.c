/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Texts of a ladder as WebVTT. Tracks are read before the work begins and written with its segments; captions
 * in the pictures are collected with the segments, and written when all of them are known. */
#include "media/ladder_inner.h"
#include "stream/vtt.h"

#include <stdlib.h>
#include <string.h>

#define FIELD 1 /* of the pictures: CC1 */
#define BYTES_MAX (64u << 20)

/* ---- captions in the pictures ---- */

static bool has_captions(const ladder *l)
{
    for (int i = 0; i < l->job.text_count; i++)
        if (l->job.texts[i].track < 0)
            return true;
    return false;
}

int ladder_open_captions(ladder *l, sh_err *err)
{
    return has_captions(l) ? sh_captions_open(&l->captions, FIELD, err) : 0;
}

static int64_t to_us(const ladder *l, int64_t time)
{
    return av_rescale_q(time, (AVRational){1, l->time.timescale}, AV_TIME_BASE_Q);
}

int ladder_caption_frame(const ladder *l, sh_bundle *bundle, const AVFrame *frame, int64_t time, sh_err *err)
{
    const AVFrameSideData *data = l->captions ? av_frame_get_side_data(frame, AV_FRAME_DATA_A53_CC) : NULL;
    const int64_t head[2] = {time, data ? (int64_t)data->size : 0};
    if (!data)
        return 0;
    sh_buf_append(&bundle->captions, head, sizeof(head));
    if (sh_buf_append(&bundle->captions, data->data, data->size) < 0)
        return sh_fail(err, SH_E_LIMIT, "a segment has too many captions, or memory is short");
    return 0;
}

static int feed(ladder *l, const char *bytes, size_t size, int64_t time, sh_err *err)
{
    AVFrame *frame = av_frame_alloc();
    AVFrameSideData *data = frame ? av_frame_new_side_data(frame, AV_FRAME_DATA_A53_CC, size) : NULL;
    int status = data ? 0 : sh_fail(err, SH_E_MEMORY, "memory is short");
    if (status == 0) {
        memcpy(data->data, bytes, size);
        status = sh_captions_frame(l->captions, frame, to_us(l, time), err);
    }
    av_frame_free(&frame);
    return status;
}

static int add_border(ladder *l, int64_t start, int64_t end, sh_err *err)
{
    if (l->border_count == l->border_capacity) {
        const size_t capacity = l->border_capacity ? 2 * l->border_capacity : 256;
        void *grown = reallocarray(l->borders, capacity, sizeof(*l->borders));
        if (!grown)
            return sh_fail(err, SH_E_MEMORY, "memory is short");
        l->borders = grown;
        l->border_capacity = capacity;
    }
    l->borders[l->border_count].start = start;
    l->borders[l->border_count++].end = end;
    return 0;
}

int ladder_caption_commit(ladder *l, const char *bytes, size_t size, int64_t start, int64_t end, sh_err *err)
{
    int64_t head[2];
    int status = l->captions ? add_border(l, start, end, err) : 0;
    for (size_t at = 0; l->captions && at + sizeof(head) <= size && status == 0;) {
        memcpy(head, bytes + at, sizeof(head));
        at += sizeof(head);
        if (head[1] <= 0 || (uint64_t)head[1] > size - at)
            return sh_fail(err, SH_E_FORMAT, "the journal's captions contradict themselves");
        status = feed(l, bytes + at, (size_t)head[1], head[0], err);
        at += (size_t)head[1];
    }
    return status;
}

static int finish_captions(ladder *l, sh_err *err)
{
    sh_text text = {0};
    int status = l->captions ? sh_captions_finish(l->captions, to_us(l, l->end), &text, err) : 0;
    for (int i = 0; i < l->job.text_count && l->captions && status == 0; i++)
        if (l->job.texts[i].track < 0 && l->texts[i].count == 0) {
            l->texts[i] = text;
            text = (sh_text){0};
        }
    sh_text_free(&text);
    return status;
}

/* ---- tracks of text ---- */

int ladder_open_texts(ladder *l, sh_err *err)
{
    int tracks[SH_LADDER_TEXTS], place[SH_LADDER_TEXTS];
    sh_text read[SH_LADDER_TEXTS] = {0};
    size_t count = 0;
    for (int i = 0; i < l->job.text_count; i++) {
        place[count] = i;
        tracks[count] = l->job.texts[i].track;
        count += tracks[count] >= 0;
    }
    const sh_text_settings settings = {
        .fd = l->child->input,
        .name = l->name,
        .channel = l->channel,
        .zero_us = l->zero_us,
        .end_us = l->reader ? sh_reader_source(l->reader)->cut_end : AV_NOPTS_VALUE,
        .tracks = tracks,
        .count = count,
    };
    int status = count > 0 ? sh_text_read(read, &settings, err) : 0;
    for (size_t i = 0; i < count && status == 0; i++)
        l->texts[place[i]] = read[i];
    return status;
}

/* Borrowed texts; the array is the caller's. NULL: memory. *count: those that begin before end_us. */
static sh_vtt_cue *cues_of(const sh_text *text, int64_t end_us, size_t *count)
{
    sh_vtt_cue *cues = calloc(text->count + 1, sizeof(*cues));
    *count = 0;
    for (size_t i = 0; i < text->count && cues; i++) {
        const sh_text_cue *c = &text->cues[i];
        const int64_t stop = c->end_us < end_us ? c->end_us : end_us;
        if (c->start_us / 1000 < stop / 1000)
            cues[(*count)++] = (sh_vtt_cue){.start = c->start_us / 1000, .end = stop / 1000, .text = c->text};
    }
    return cues;
}

static int write_segment(ladder *l, ladder_output *o, int64_t start, int64_t end, int64_t number, sh_err *err)
{
    const AVRational ticks = {1, l->time.timescale}, ms = {1, 1000};
    sh_ladder_segment segment = {.number = number, .start = av_rescale_q(start, ticks, ms)};
    sh_buf bytes;
    size_t count;
    segment.duration = av_rescale_q(end, ticks, ms) - segment.start;
    sh_buf_init(&bytes, BYTES_MAX);
    sh_vtt_cue *cues = cues_of(&l->texts[o->asked->text], INT64_MAX, &count);
    int status =
        cues ? sh_vtt_segment(&bytes, cues, count, start, end, l->time.timescale, o->asked->mpegts, err)
             : sh_fail(err, SH_E_MEMORY, "memory is short");
    if (status == 0)
        status = ladder_put(o, SH_LADDER_SEGMENT, &segment, &bytes, err);
    free(cues);
    sh_buf_free(&bytes);
    return status;
}

/* Captions in the pictures are known when all pictures are. */
static bool is_caption(const ladder *l, const ladder_output *o)
{
    return o->asked->kind == SH_LADDER_VTT && l->job.texts[o->asked->text].track < 0;
}

static bool is_written_along(const ladder *l, const ladder_output *o)
{
    return o->asked->kind == SH_LADDER_VTT && !is_caption(l, o);
}

int ladder_text_commit(ladder *l, int64_t start, int64_t end, int64_t number, sh_err *err)
{
    int status = 0;
    for (int i = 0; i < l->output_count && status == 0; i++)
        if (is_written_along(l, &l->outputs[i]))
            status = write_segment(l, &l->outputs[i], number == 1 ? 0 : start, end, number, err);
    return status;
}

static int write_whole(ladder *l, ladder_output *o, sh_err *err)
{
    sh_buf bytes;
    size_t count;
    const int64_t end_us = av_rescale_q(l->end, (AVRational){1, l->time.timescale}, AV_TIME_BASE_Q);
    sh_buf_init(&bytes, BYTES_MAX);
    sh_vtt_cue *cues = cues_of(&l->texts[o->asked->text], end_us, &count);
    int status = cues ? sh_vtt_whole(&bytes, cues, count, err) : sh_fail(err, SH_E_MEMORY, "memory is short");
    if (status == 0)
        status = ladder_put(o, SH_LADDER_WHOLE, NULL, &bytes, err);
    free(cues);
    sh_buf_free(&bytes);
    return status;
}

static int write_captions(ladder *l, ladder_output *o, sh_err *err)
{
    int status = 0;
    for (size_t i = 0; i < l->border_count && status == 0; i++)
        status =
            write_segment(l, o, i == 0 ? 0 : l->borders[i].start, l->borders[i].end, (int64_t)i + 1, err);
    return status;
}

int ladder_text_finish(ladder *l, sh_err *err)
{
    int status = finish_captions(l, err);
    for (int i = 0; i < l->output_count && status == 0; i++)
        if (is_caption(l, &l->outputs[i]))
            status = write_captions(l, &l->outputs[i], err);
    for (int i = 0; i < l->output_count && status == 0; i++)
        if (l->outputs[i].asked->kind == SH_LADDER_VTT)
            status = write_whole(l, &l->outputs[i], err);
    return status;
}
