/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_LADDER_TIME_H
#define SH_MEDIA_LADDER_TIME_H
/* The clock of a ladder's pictures, and where its segments begin.
 *
 * Ticks. Where the frame rate is constant, num/den, a second has num ticks (times the smallest whole number
 * that makes it 1000 or more) and a frame den of them (times the same): the length of any run of frames is
 * exact. A time stamp that lies within its own rounding of that grid is put on it; one that does not keeps
 * its time, to a tick. Where the rate varies, ticks are those of the source's time base, made 1000 a second
 * or more.
 *
 * Another rate. A picture is shown from the first slot of the new rate at or after its time to the slot of
 * the next one: never, where that is the same. So pictures are left out or repeated, and none is moved by a
 * slot or more.
 *
 * Borders. A segment begins with the first picture at or after n * length, counted from the first picture,
 * and has two pictures at least; what is left at the end of the film, as far as its length is known, is
 * not made a segment of its own when it is shorter than min_last (and where it goes on for longer than that
 * after all, there are borders again). All of it is a function of the time
 * stamps: a run that goes on behind a segment comes to the same. */
#include "base/err.h"
#include <libavutil/rational.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct sh_timeline {
    /* set by sh_timeline_open */
    AVRational source; /* of time stamps */
    int timescale;
    int64_t step;             /* ticks of a frame; where the rate varies a guess */
    bool constant;            /* there is a grid */
    bool converts;            /* to another rate: times are those of the first slot at or after the picture */
    int64_t slack;            /* ticks by which a time stamp may lie beside it */
    int64_t length, min_last; /* of segments, ticks */
    int64_t total;            /* of all pictures, ticks from the first; 0: not known */
    /* set by sh_timeline_begin */
    int64_t first_pts;
    int64_t offset; /* of the first picture */
    /* where it is */
    int64_t last;  /* time of the picture before; INT64_MIN: none */
    int64_t since; /* pictures since the border, it included */
    int64_t next;  /* number of the next border */
} sh_timeline;

typedef struct sh_timeline_settings {
    AVRational source, rate; /* rate 0/1: not known */
    bool vfr;
    AVRational to; /* the rate that pictures are brought to; 0/1: they stay */
    double segment_seconds, min_last_seconds;
    double duration; /* of the pictures, seconds; 0: not known */
} sh_timeline_settings;

/* ARGUMENT: segments shorter than 0.1 s or longer than an hour; UNSUPPORTED: a time base that is none. */
int sh_timeline_open(sh_timeline *timeline, const sh_timeline_settings *settings, sh_err *err);
/* first_pts: of the first picture of all; zero_us: the presentation's zero on the same clock. */
void sh_timeline_begin(sh_timeline *timeline, int64_t first_pts, int64_t zero_us);
/* Goes on behind a segment that began at `start` and whose last picture was at `last`. */
void sh_timeline_resume(sh_timeline *timeline, int64_t start, int64_t last);
/* The next picture's time. *begins: a segment begins with it. */
int64_t sh_timeline_take(sh_timeline *timeline, int64_t pts, bool *begins);

#endif
