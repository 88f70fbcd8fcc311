/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_MEDIA_MUXWORK_H
#define TESTS_MEDIA_MUXWORK_H
/* A small job that writes a container in pieces: as `upscale` does it, without its engine. The pictures are
 * drawn by their number, the times are the source's; so two runs must give the same file. */
#include "media/mux.h"
#include "media/output.h"

#define MUXWORK_FRAMES 12 /* in a piece */

typedef struct muxwork {
    const char *source;  /* path; its tracks but the first video one are copied */
    const char *output;  /* path */
    int pieces;          /* of the whole job */
    int stop_after;      /* this many in this run; < 0: none is too many */
    const char *encoder; /* NULL: libx264 */
    bool no_finish;      /* stop before the trailer */
    bool no_commit;      /* stop after it, as if killed before the new name was given */
    bool same_packets;   /* each piece has the packets of the first, at other times */
    bool no_room;        /* does not say how long the film is */
    int64_t begin_us, end_us;
    sh_loss_fn say; /* losses; NULL: not asked for */
    void *opaque;
    int64_t replayed; /* out: pieces */
} muxwork;

/* 1: the file is whole; 0: stopped on the way; < 0: *err. */
int muxwork_run(muxwork *work, sh_err *err);

#endif
