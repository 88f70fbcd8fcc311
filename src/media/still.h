/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_STILL_H
#define SH_MEDIA_STILL_H
/* Black and frozen runs of pictures, by the means of luma in cells (fallback.h).
 *
 * Two look for them: the checker in the stream (stream_decode.h) and the ladder in its source, and no run may
 * be in the stream that the source has not. An encoder takes grain out of a scene that stands, and what is
 * nearly black becomes black, so the source is asked with wider limits. */
#include "media/fallback.h"

typedef enum sh_still_kind { SH_STILL_BLACK, SH_STILL_FROZEN, SH_STILL_KINDS } sh_still_kind;

/* Times in the units of the caller. */
typedef struct sh_still {
    int64_t kind, from, to;
} sh_still;

typedef struct sh_still_finder {
    double black;  /* a picture is when no cell is brighter than so many codes of 8 bits above black */
    double frozen; /* and when no cell differs by more from the picture before, in codes of 8 bits */
    /* Called at the end of each run, however short; in order of their ends. */
    void (*found)(void *opaque, const sh_still *run);
    void *opaque;
    /* private; zero at first */
    sh_signature before;
    bool any;
    int64_t last;
    struct {
        bool on;
        int64_t from;
    } run[SH_STILL_KINDS];
} sh_still_finder;

void sh_still_frame(sh_still_finder *finder, const AVFrame *frame, int64_t at);
/* The last picture ends at `end`. What comes next has nothing before it. */
void sh_still_end(sh_still_finder *finder, int64_t end);

/* Runs, in order of their ends. */
typedef struct sh_stills {
    sh_still *list; /* owned */
    size_t count, capacity;
} sh_stills;

#define SH_STILLS_MAX (1 << 19)

/* One that begins at `border`, where the last of its kind ended, makes that longer (what lies on both sides
 * of a border was looked at by itself); -1: no border. False: memory, or more than SH_STILLS_MAX. */
bool sh_stills_add(sh_stills *stills, const sh_still *run, int64_t border);
/* Leaves out what is shorter. */
void sh_stills_prune(sh_stills *stills, int64_t shortest);
void sh_stills_free(sh_stills *stills); /* all-zero is fine, and is what is left */

#endif
