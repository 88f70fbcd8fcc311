/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_AVLOG_H
#define SH_MEDIA_AVLOG_H
#include <stdbool.h>
#include <stddef.h>

/* The libraries' own messages, from the warnings up, as SH_LOG_DEBUG lines on a channel: they help to
 * understand a failure, and never are the report of it. */
void sh_avlog_start(int channel);
void sh_avlog_stop(void);
/* Whether a demultiplexer has said since the start that its file ended too early: Matroska's says it nowhere
 * else. */
bool sh_avlog_premature(void);
/* Silence, for programs that run no child. */
void sh_avlog_quiet(void);
/* What this thread's calls say from now on, warnings and worse, is written into `text` (at most size - 1
 * bytes, one line a message), until sh_avlog_release: encoders name an option that they do not know nowhere
 * else. */
void sh_avlog_catch(char *text, size_t size);
void sh_avlog_release(void);

#endif
