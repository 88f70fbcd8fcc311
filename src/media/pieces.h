/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_PIECES_H
#define SH_MEDIA_PIECES_H
/* Where pieces begin and end.
 *
 * A piece is a run of frames of the output that is encoded as one closed group of pictures. Its borders are a
 * function of the frames' count and of the length alone: each piece has `length` frames, the last one what is
 * left over; were that a single frame, it goes to the piece before. (Two key pictures in a row may carry the
 * same idr_pic_id, which H.264 forbids.) Only a file of one frame has a piece of one frame. To know this the
 * cutter holds two frames back.
 *
 * Where `length` is 0 the caller says with each frame whether a piece begins with it (segments of a stream,
 * whose borders go by time); a single last frame that would begin one belongs to the piece before too. */
#include <stdbool.h>
#include <stdint.h>

#define SH_PIECE_AHEAD 2 /* frames held back */

typedef struct sh_cutter {
    int64_t length;   /* >= 2; 0: as said by sh_cutter_put_border */
    int64_t position; /* in its piece, of the next frame that comes out */
    bool ended;
    int count;
    void *held[SH_PIECE_AHEAD + 1];
    bool begins[SH_PIECE_AHEAD + 1];
} sh_cutter;

/* Begins at the first frame of a piece. length 0: see above. */
void sh_cutter_start(sh_cutter *cutter, int64_t length);
/* Takes a frame (anything that stands for one), NULL: there are no more. After each, sh_cutter_get is to be
 * called until it gives NULL. */
void sh_cutter_put(sh_cutter *cutter, void *frame);
/* For length 0. begins: a piece begins with it; of the first frame it is not asked. */
void sh_cutter_put_border(sh_cutter *cutter, void *frame, bool begins);
/* The next frame whose place is decided, or NULL. */
void *sh_cutter_get(sh_cutter *cutter, bool *first, bool *last);
/* What is still held, one at a time, for giving up. */
void *sh_cutter_drop(sh_cutter *cutter);

#endif
