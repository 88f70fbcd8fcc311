/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_LANES_H
#define SH_MEDIA_LANES_H
/* Pieces side by side (`--jobs`), for machines with more cores than one picture can keep busy.
 *
 *     scout: decodes everything once, to know where pieces begin
 *     lanes: each takes the next piece, decodes it from there, enlarges, encodes and checks it by stages of
 *            its own (run.h), and commits it when its turn comes
 *
 * A lane goes to its piece exactly as a resumed job does, with the same comparison of the frames before it,
 * and decoder and encoder have the same pinned numbers of threads: so the bytes are those of one job. In
 * memory are, for each lane, its engine, and the packets of one piece that waits for its turn. After a crash
 * one piece of each lane is made again. */
#include "media/run.h"

typedef struct sh_lanes_settings {
    int jobs;
    void *opaque; /* of the functions, which are called by several threads at once */
    /* As sh_reader_open, linear where it has to be, and the first frame of it. */
    int (*open_reader)(void *opaque, const sh_reader_start *start, sh_reader **reader, sh_work **first,
                       sh_err *err);
    int (*open_enlarge)(void *opaque, const AVFrame *first, sh_enlarge **enlarge, sh_err *err);
    void (*say_again)(void *opaque, const sh_run *run, const sh_err *err);
} sh_lanes_settings;

/* As sh_run_stages, from run->next to the end. run->reader, first, spare and enlarge are not used. */
int sh_lanes_run(const sh_lanes_settings *settings, sh_run *run, sh_err *err);

/* How often a piece that does not decode back is made. */
#define SH_RUN_TRIES 2

#endif
