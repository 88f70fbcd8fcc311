/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STREAM_CHECK_DASH_H
#define SH_STREAM_CHECK_DASH_H
/* Shared by the two files that check MPDs. */
#include "stream/check_inner.h"
#include "stream/mpd_read.h"

typedef struct sh_dash {
    sh_checker *c;
    const char *name; /* of the MPD */
    bool dynamic, has_duration;
    double duration, buffer; /* mediaPresentationDuration, minBufferTime */
    double longest, frame;   /* of the tracks of a period: the longest, and the longest frame */
    bool exact;              /* one of the tracks lasts as long as the presentation, to 1 ms */
} sh_dash;

/* The attribute of the representation, or of what it stands in. */
const char *sh_dash_inherited(const sh_mpd_node *node, const char *name);
void sh_dash_track_rules(sh_dash *d, sh_check_track *track, const sh_mpd_node *node, double period);

#endif
