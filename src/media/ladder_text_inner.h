/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_LADDER_TEXT_INNER_H
#define SH_MEDIA_LADDER_TEXT_INNER_H
#include "base/buf.h"
#include "media/ladder_text.h"

/* Appends what a line of ASS (as libavcodec's text decoders make of all formats) says, as WebVTT cue text. */
int sh_ass_to_vtt(const char *ass, sh_buf *text);
/* Adds what a decoded subtitle says, from start_us on; nothing where it says nothing. end_us <= start_us: not
 * known, until the next one begins. MEMORY, LIMIT. */
int sh_text_add(sh_text *text, const AVSubtitle *subtitle, int64_t start_us, int64_t end_us, sh_err *err);
/* Orders them, ends what has no end, and drops what is outside of [0, end_us); INT64_MAX: no end. */
void sh_text_settle(sh_text *text, int64_t end_us);

#endif
