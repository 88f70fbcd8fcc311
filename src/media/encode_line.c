/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/encode_line.h"

#include <stdlib.h>
#include <string.h>

#define LINE_FIRST 64
#define LINE_MAX_FRAMES 100000

static bool make_room(sh_encoder_line *line)
{
    if (line->head > 0 && line->head >= line->capacity / 2) {
        memmove(line->entries, line->entries + line->head, line->count * sizeof(*line->entries));
        line->head = 0;
        return true;
    }
    const size_t capacity = line->capacity > 0 ? 2 * line->capacity : LINE_FIRST;
    sh_encoder_entry *larger =
        line->count < LINE_MAX_FRAMES ? realloc(line->entries, capacity * sizeof(*larger)) : NULL;
    if (!larger)
        return false;
    line->entries = larger;
    line->capacity = capacity;
    return true;
}

sh_encoder_entry *sh_encoder_line_add(sh_encoder_line *line)
{
    if (line->head + line->count == line->capacity && !make_room(line))
        return NULL;
    sh_encoder_entry *entry = &line->entries[line->head + line->count++];
    *entry = (sh_encoder_entry){0};
    return entry;
}

sh_encoder_entry *sh_encoder_line_find(const sh_encoder_line *line, int64_t pts)
{
    size_t low = line->head, high = line->head + line->count;
    const size_t end = high;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (line->entries[middle].pts < pts)
            low = middle + 1;
        else
            high = middle;
    }
    sh_encoder_entry *entry = low < end ? &line->entries[low] : NULL;
    return entry && entry->pts == pts && !entry->out ? entry : NULL;
}

void sh_encoder_line_take(sh_encoder_line *line, sh_encoder_entry *entry)
{
    av_frame_free(&entry->beside);
    entry->out = true;
    for (; line->count > 0 && line->entries[line->head].out; line->count--)
        line->head++;
}

void sh_encoder_line_free(sh_encoder_line *line)
{
    for (size_t i = 0; i < line->count; i++)
        av_frame_free(&line->entries[line->head + i].beside);
    free(line->entries);
    *line = (sh_encoder_line){0};
}
