/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_TRACKS_H
#define SH_MEDIA_TRACKS_H
/* Which tracks, side data, metadata and chapters of a source a container can hold, and how. One table a
 * container, one decision a track: kept packet for packet, kept in another form (text subtitles, covers), or
 * lost, with the reason in words. sh_mux_losses and the muxer ask the same functions, so what is said is what
 * happens. */
#include "base/err.h"
#include <libavformat/avformat.h>
#include <stdbool.h>

typedef enum sh_track_fate {
    SH_TRACK_REPLACED, /* the main video */
    SH_TRACK_COPIED,
    SH_TRACK_CONVERTED, /* text subtitles in the container's own codec */
    SH_TRACK_ATTACHED,  /* a cover or a file, without packets of its own */
    SH_TRACK_WRITTEN,   /* a timecode track, which the muxer makes from the time code itself */
    SH_TRACK_LOST
} sh_track_fate;

/* loss: true for what the container cannot hold, false for what is only worth saying. text: one line, without
 * a full stop, e.g. "track 3 (subtitle, hdmv_pgs_subtitle) cannot be held by MP4; MKV keeps it". */
typedef void (*sh_loss_fn)(void *opaque, bool loss, const char *text);

/* Tells what `format` cannot hold of `source`. video: number of the main video track; keep_matrix: its
 * rotation is to stay a tag (not turned into the picture). */
void sh_mux_losses(const AVFormatContext *source, int video, const AVOutputFormat *format, bool keep_matrix,
                   sh_loss_fn say, void *opaque);
/* Whether the container can say how the picture is turned. Not Matroska as libavformat 59 writes it, nor
 * MPEG-TS: there the picture itself must be turned. */
bool sh_mux_holds_rotation(const AVOutputFormat *format);

#endif
