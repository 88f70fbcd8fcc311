/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STREAM_VTT_H
#define SH_STREAM_VTT_H
/* WebVTT (W3C): subtitle cues as one file (DASH) and as segments (HLS), and the map from time to thumbnail.
 *
 * A cue stands in every segment whose time it touches, each time with its own whole times, as RFC 8216 asks
 * (3.5): players know it by times and text. Segments share the video's borders; one without a cue is a header
 * alone. Every segment says by X-TIMESTAMP-MAP that cue time 0 is presentation time 0. */
#include "base/buf.h"
#include "base/err.h"
#include "stream/manifest.h"
#include <stddef.h>
#include <stdint.h>

typedef struct sh_vtt_cue {
    int64_t start, end;   /* milliseconds of presentation time; 0 <= start < end */
    const char *text;     /* UTF-8 WebVTT cue text: sh_vtt_text made it, or it was WebVTT already */
    const char *settings; /* "line:10% align:start"; NULL: none */
    const char *id;       /* NULL: none */
} sh_vtt_cue;

/* All cues in one file. cues: by start; SH_E_ARGUMENT names the one that is not as it must be (times, "-->"
 * or an empty line in text, a line break in id or settings). */
int sh_vtt_whole(sh_buf *out, const sh_vtt_cue *cues, size_t count, sh_err *err);
/* The cues that touch [from, to), ticks of presentation time. mpegts: the 90 kHz time stamp of presentation
 * time 0 in the video's segments (0 for CMAF). */
int sh_vtt_segment(sh_buf *out, const sh_vtt_cue *cues, size_t count, int64_t from, int64_t to,
                   int64_t timescale, int64_t mpegts, sh_err *err);
/* Appends cue text made from a subtitle's text: line breaks (CR, LF, CR LF) become LF, empty lines go, '&',
 * '<' and '>' are escaped, except the tags <b> <i> <u> and their ends, which stay where they are balanced
 * (<font ...> and other tags of SubRip go); bytes that are no UTF-8 and control characters become U+FFFD.
 * Nothing is appended when nothing is left. */
int sh_vtt_text(sh_buf *out, const char *text);
/* One cue a thumbnail: "sprite_001.jpg#xywh=160,90,160,90", by sheets and segment names of the track (kind
 * SH_STREAM_SHEETS). The file lies beside the sheets. end: presented end of the stream in the track's ticks,
 * where the last cue ends. */
int sh_vtt_sheets(sh_buf *out, const sh_stream_track *sheets, int64_t end, sh_err *err);

#endif
