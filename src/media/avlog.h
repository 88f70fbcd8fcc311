/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_AVLOG_H
#define SH_MEDIA_AVLOG_H
#include <stdbool.h>

/* The libraries' own messages, from the warnings up, as SH_LOG_DEBUG lines on a channel: they help to
 * understand a failure, and never are the report of it. */
void sh_avlog_start(int channel);
void sh_avlog_stop(void);
/* Whether a demultiplexer has said since the start that its file ended too early: Matroska's says it nowhere
 * else. */
bool sh_avlog_premature(void);
/* Silence, for programs that run no child. */
void sh_avlog_quiet(void);

#endif
