/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_ENCODE_LINE_H
#define SH_MEDIA_ENCODE_LINE_H
/* What waits beside an encoder for its packets: one entry a frame in order of pts, from the sending of the
 * frame to the coming of its packet. Entries leave at the front, so that a film needs room for the frames
 * that are in the encoder and no more. For encode.c only. */
#include <libavutil/frame.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sh_encoder_entry {
    int64_t pts, duration;
    AVFrame *beside; /* side data only; NULL: none, or taken */
    bool key;        /* asked for */
    bool out;
} sh_encoder_entry;

typedef struct sh_encoder_line {
    sh_encoder_entry *entries;
    size_t head, count, capacity; /* of the entries, from `head` on */
} sh_encoder_line;

/* The new last entry, blank; NULL: memory is short, or more frames wait than any encoder holds. */
sh_encoder_entry *sh_encoder_line_add(sh_encoder_line *line);
/* That of `pts`, whose packet has not come; NULL: there is none. */
sh_encoder_entry *sh_encoder_line_find(const sh_encoder_line *line, int64_t pts);
/* The entry's packet has come. */
void sh_encoder_line_take(sh_encoder_line *line, sh_encoder_entry *entry);
void sh_encoder_line_free(sh_encoder_line *line);

#endif
