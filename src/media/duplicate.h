/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_DUPLICATE_H
#define SH_MEDIA_DUPLICATE_H
/* Frames whose samples are those of the frame before, bit for bit: drawn animation on twos, slides, a film
 * padded to a higher rate. They are shown as often as before but enlarged once. */
#include <libavutil/frame.h>
#include <stdbool.h>
#include <stdint.h>

/* Whether all samples in the picture's area agree, and size and format. Most pictures differ in the first
 * row, so asking costs next to nothing. */
bool sh_frames_same(const AVFrame *a, const AVFrame *b);
/* A number of all samples in the picture's area, of size and format: to tell whether two runs decoded the
 * same. Not against somebody who makes pictures of the same number on purpose. */
uint64_t sh_frame_hash(const AVFrame *frame);

/* The picture before the current one and what was made of it. All-zero is fine. */
typedef struct sh_duplicates {
    AVFrame *source, *result;
    int64_t found;
} sh_duplicates;

/* True: `source` is the same as the one before; *result is then a new frame that refers to the samples made
 * of that one and has the properties of `source` (times, side data) with the tags of the result. False also
 * where memory is short: the frame is then made anew. */
bool sh_duplicates_take(sh_duplicates *duplicates, const AVFrame *source, AVFrame **result);
/* What was made of a source that was no duplicate. Both stay the caller's.
 * Where memory is short, nothing is noted. */
void sh_duplicates_note(sh_duplicates *duplicates, const AVFrame *source, const AVFrame *result);
void sh_duplicates_forget(sh_duplicates *duplicates);

#endif
