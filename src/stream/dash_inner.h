/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STREAM_DASH_INNER_H
#define SH_STREAM_DASH_INNER_H
/* The MPD writer's parts: dash_mpd.c the presentation, dash_set.c adaptation sets, dash_segments.c how
 * segment files are named and timed. */
#include "stream/dash_xml.h"
#include "stream/manifest_inner.h"

/* An adaptation set is the tracks that a client may switch between, or one that stands alone. */
typedef struct sh_dash_set {
    const sh_stream_track *members[SH_MANIFEST_TRACKS];
    size_t count;
} sh_dash_set;

/* Whether the track is in the MPD at all. */
bool sh_dash_takes(const sh_stream *stream, const sh_stream_track *track);
/* Whether two tracks belong in one set. */
bool sh_dash_alike(const sh_stream_track *a, const sh_stream_track *b);
/* hdr_choice: the MPD offers SDR pictures beside HDR ones. */
int sh_dash_put_set(sh_dash_xml *x, const sh_stream *stream, const sh_dash_set *set, int number,
                    int64_t buffer_ms, bool hdr_choice, sh_err *err);

/* SegmentTemplate of a CMAF track or of sheets. SH_E_ARGUMENT: names that no template gives. */
int sh_dash_put_segments(sh_dash_xml *x, const sh_stream_track *track, sh_err *err);
/* All members have the same presented borders. */
bool sh_dash_aligned(const sh_dash_set *set);

#endif
