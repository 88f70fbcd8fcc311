/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_PROBE_SAMPLE_H
#define SH_MEDIA_PROBE_SAMPLE_H
/* The steps by which probe.h's facts are gathered: told (describe), seen in the first picture and in every
 * one, then concluded. */
#include "media/probe.h"

void sh_facts_describe(const sh_source *source, sh_facts *facts);
void sh_facts_first(const sh_source *source, const AVFrame *frame, sh_facts *facts);
void sh_facts_side_data(sh_facts *facts, const AVFrame *frame);
void sh_facts_damaged(sh_facts *facts, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sh_facts_conclude(sh_facts *facts);
/* A measured number of frames a second as a fraction: what the file says, or a usual rate, where one of them
 * is as near as `tolerance` (a share of it, and a 5000th more) allows, else the number. */
AVRational sh_rate_snap(double rate, AVRational told, double tolerance);

#endif
