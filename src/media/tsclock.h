/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_TSCLOCK_H
#define SH_MEDIA_TSCLOCK_H
/* The clock of transport and program streams, which may jump where streams were joined.
 *
 * A jump is a packet of a video or audio track that lies half a second or more before what its track has
 * reached, or a minute or more after what any track has reached: a gap in all tracks that is shorter is a gap
 * and stays. From there on a shift is added to the time stamps of all tracks, such that the track that jumped
 * goes on where it was. Tracks do not jump at the same packet; so for each packet the present shift and the
 * one before are tried, and that one is taken which brings it nearer to where its track was. A single time
 * stamp with flipped bits is healed by the same rule: the packet after it takes the old shift again. */
#include <libavformat/avformat.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct sh_tsclock {
    int64_t *next;    /* for each track, microseconds, shifted: where it has arrived; owned */
    unsigned count;   /* tracks */
    int64_t shift[2]; /* microseconds: the present one, the one before */
    int64_t jumps;
} sh_tsclock;

bool sh_tsclock_open(sh_tsclock *clock, unsigned tracks); /* false: memory */
void sh_tsclock_close(sh_tsclock *clock);                 /* all-zero is fine */
/* Shifts the packet's time stamps. True: a jump was found here, by `*by` microseconds. */
bool sh_tsclock_mend(sh_tsclock *clock, const AVStream *stream, AVPacket *packet, int64_t *by);

#endif
