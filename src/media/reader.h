/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_READER_H
#define SH_MEDIA_READER_H
/* The front half of upscaling: source, prepare and cutter as one row of frames with numbers and borders, and
 * a ledger with the last frame of each piece.
 *
 * It begins at the first frame of a piece: at the beginning of the file, or where the ledger of the piece
 * before says. In the latter case it decodes some frames that were done already and compares them with that
 * ledger's numbers; where they differ, or the source cannot be begun there, it says SH_E_CONFLICT, and is to
 * be opened again with `linear` set: then it decodes from the beginning of the file. */
#include "media/pieces.h"
#include "media/plan.h"
#include "media/prepare.h"
#include "media/source.h"
#include "media/stages.h"

typedef struct sh_reader_settings {
    int fd;
    const char *name;   /* of the source, for messages */
    const char *advice; /* sh_source.advice */
    int channel;
    int threads; /* of the decoder */
    bool accept_damage;
    double start, duration; /* sh_source_cut; < 0: not asked */
    const sh_plan *plan;    /* borrowed */
    int64_t piece_frames;
    /* Instead of that: whether a piece begins with this frame. Called for each in order, from the first one
     * that is given out; may set time and length of the work, and reads it alone. NULL: none */
    bool (*begins)(void *opaque, sh_work *work);
    /* A source that is read once, open and cut already, and its first frame (which is moved out); NULL: it is
     * opened here. Stays the caller's */
    sh_source *given;
    AVFrame *given_frame;
    int (*tick)(void *opaque); /* while reading; negative: stop (CANCELLED). NULL: none */
    void *opaque;
} sh_reader_settings;

/* The first frame to come. All-zero: the first of all. */
typedef struct sh_reader_start {
    int64_t piece, output; /* number of the piece, and of its first frame */
    int64_t source;        /* the first source frame that no piece has accounted for */
    const sh_ledger *from; /* of the piece before; copied. NULL for piece 0 */
    bool linear;
} sh_reader_start;

typedef struct sh_reader sh_reader;

int sh_reader_open(sh_reader **out, const sh_reader_settings *settings, const sh_reader_start *start,
                   sh_err *err);
void sh_reader_close(sh_reader **reader); /* NULL in it is fine */
/* 1: *work is the next frame (owned by the caller); 0: there are no more; SH_E_*. */
int sh_reader_next(sh_reader *reader, sh_work **work, sh_err *err);
/* Borrowed; valid until the reader is closed. For the caller of sh_reader_next only. */
const sh_source *sh_reader_source(const sh_reader *reader);
int64_t sh_reader_decoded(const sh_reader *reader); /* source frames so far */

#endif
