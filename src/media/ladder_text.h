/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_LADDER_TEXT_H
#define SH_MEDIA_LADDER_TEXT_H
/* Text tracks of a source as cues for WebVTT.
 *
 * They are small: all of a track is read before the work begins, in one pass over the file that decodes
 * nothing else. mov_text, subrip, webvtt, ass, ssa and plain text are understood; pictures (PGS, DVD, DVB)
 * are not text, and sh_text_fits says so. Styling becomes WebVTT's own: b, i, u; the rest goes, drawings too.
 * `&`, `<` and `>` are escaped, empty lines (which would end a cue) go. A cue without an end lasts until the
 * next one, one that says nothing is no cue. What cannot be decoded, or ends before it begins, is dropped and
 * told.
 *
 * Closed captions (CEA-608 in the pictures' side data) come out of sh_captions, which is given the frames in
 * the order of display. */
#include "base/err.h"
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SH_TEXT_CUES_MAX 100000
#define SH_TEXT_LAST_US INT64_C(5000000) /* that a last cue without an end stays */

typedef struct sh_text_cue {
    int64_t start_us, end_us; /* of the presentation; start >= 0, end > start */
    char *text;               /* UTF-8, WebVTT's cue text, lines separated by \n, no empty line */
} sh_text_cue;

typedef struct sh_text {
    int track;         /* of the file */
    char language[16]; /* "": not told */
    char title[80];
    bool forced, hearing_impaired, is_default;
    sh_text_cue *cues; /* in the order of their starts */
    size_t count;
    int64_t dropped; /* cues that made no sense; told in log lines */
} sh_text;

typedef struct sh_text_settings {
    int fd;
    const char *name; /* of the source; borrowed */
    int channel;
    int64_t zero_us, end_us; /* the presentation on the file's clock; end AV_NOPTS_VALUE: not cut */
    const int *tracks;       /* of the file; -1: not one of the file's, its text stays empty */
    size_t count;
} sh_text_settings;

/* Whether the stream is text that becomes cues. */
bool sh_text_fits(const AVStream *stream);
/* texts: count of them, zero before; on success owned by the caller. On failure nothing is left in them. */
int sh_text_read(sh_text *texts, const sh_text_settings *settings, sh_err *err);
void sh_text_free(sh_text *text); /* all-zero is fine */

typedef struct sh_captions sh_captions;
/* field: 1 for CC1 and CC2, 2 for CC3 and CC4. */
int sh_captions_open(sh_captions **out, int field, sh_err *err);
void sh_captions_close(sh_captions **captions);
/* time_us: of the presentation. Frames without captions cost nothing. */
int sh_captions_frame(sh_captions *captions, const AVFrame *frame, int64_t time_us, sh_err *err);
/* What was said, in full. After the last frame; time_us: of the end. */
int sh_captions_finish(sh_captions *captions, int64_t time_us, sh_text *text, sh_err *err);

#endif
