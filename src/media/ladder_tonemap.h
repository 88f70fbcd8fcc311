/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_LADDER_TONEMAP_H
#define SH_MEDIA_LADDER_TONEMAP_H
/* HDR pictures (PQ or HLG, BT.2020) as SDR ones (BT.709, 8 bits, limited range), for the SDR renditions of an
 * HDR source. Made once for all of them, at the size that comes from the network, before ladder_scale.h.
 *
 * Light is made linear, brought to BT.709's primaries, and what is brighter than SDR's white is rolled off up
 * to the source's peak (of its mastering display or its content light level, else 1000 cd/m2). HDR's metadata
 * goes from the result. */
#include "base/err.h"
#include <libavutil/frame.h>
#include <stdbool.h>

typedef struct sh_tonemap_settings {
    double
        peak; /* cd/m2, of the brightest that the source says it has; 0: from the first frame's side data */
    double white; /* cd/m2 that SDR's white stands for; 0: 203 */
    int threads;  /* 0: one */
} sh_tonemap_settings;

typedef struct sh_tonemap sh_tonemap;

/* first: the first picture (format, size, tags). UNSUPPORTED: not HDR, or this libavfilter cannot do it. */
int sh_tonemap_open(sh_tonemap **out, const sh_tonemap_settings *settings, const AVFrame *first, sh_err *err);
void sh_tonemap_close(sh_tonemap **tonemap); /* NULL in it is fine */
/* *out: a new picture, yuv420p, with the times of `in`. */
int sh_tonemap_run(sh_tonemap *tonemap, const AVFrame *in, AVFrame **out, sh_err *err);

#endif
