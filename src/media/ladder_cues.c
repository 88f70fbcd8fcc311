/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text tracks of a ladder: read before the work begins, written as WebVTT with its segments. */
#include "media/ladder_inner.h"
#include "stream/vtt.h"

#include <stdlib.h>

#define BYTES_MAX (64u << 20)

int ladder_open_texts(ladder *l, sh_err *err)
{
    int tracks[SH_LADDER_TEXTS];
    for (int i = 0; i < l->job.text_count; i++)
        tracks[i] = l->job.texts[i].track;
    const sh_text_settings settings = {
        .fd = l->child->input,
        .name = l->name,
        .channel = l->channel,
        .zero_us = l->zero_us,
        .end_us = l->reader ? sh_reader_source(l->reader)->cut_end : AV_NOPTS_VALUE,
        .tracks = tracks,
        .count = (size_t)l->job.text_count,
    };
    return l->job.text_count > 0 ? sh_text_read(l->texts, &settings, err) : 0;
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
    int status = cues ? sh_vtt_segment(&bytes, cues, count, start, end, l->time.timescale, 0, err)
                      : sh_fail(err, SH_E_MEMORY, "memory is short");
    if (status == 0)
        status = ladder_put(o, SH_LADDER_SEGMENT, &segment, &bytes, err);
    free(cues);
    sh_buf_free(&bytes);
    return status;
}

int ladder_text_commit(ladder *l, int64_t start, int64_t end, int64_t number, sh_err *err)
{
    int status = 0;
    for (int i = 0; i < l->output_count && status == 0; i++)
        if (l->outputs[i].asked->kind == SH_LADDER_VTT)
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

int ladder_text_finish(ladder *l, sh_err *err)
{
    int status = 0;
    for (int i = 0; i < l->output_count && status == 0; i++)
        if (l->outputs[i].asked->kind == SH_LADDER_VTT)
            status = write_whole(l, &l->outputs[i], err);
    return status;
}
