/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_LADDER_SINK_MUX_H
#define SH_MEDIA_LADDER_SINK_MUX_H
/* What the sinks over libavformat share: streams, and a segment's packets in the order of a file. */
#include "media/ladder_sink_inner.h"
#include "media/times.h"
#include <libavformat/avformat.h>

/* *out is a muxer of this kind with the sink's tracks; the caller gives it bytes and writes its header.
 * FREE: sh_sink_mux_close. */
int sh_sink_mux_open(sh_sink *sink, const sh_sink_settings *settings, const char *format,
                     AVFormatContext **out, sh_err *err);
void sh_sink_mux_close(AVFormatContext **muxer); /* NULL in it is fine; pb stays the caller's */

/* A segment's packets as a muxer wants them: copies, dts set, stream_index the track, times in the track's
 * time base, in the order of decoding times; the first picture comes first of all. */
typedef struct sh_sink_row {
    AVPacket **packets;
    size_t count;
} sh_sink_row;
/* delimited: with delimiters and parameter sets, as transport streams have them. times: the video's. */
int sh_sink_row_make(sh_sink_row *row, const sh_sink *sink, sh_times *times, bool delimited,
                     const sh_sink_segment_in *segment, sh_err *err);
void sh_sink_row_free(sh_sink_row *row); /* all-zero is fine */

#endif
