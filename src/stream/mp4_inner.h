/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STREAM_MP4_INNER_H
#define SH_STREAM_MP4_INNER_H
/* Between the files of mp4_read.h. */
#include "stream/box.h"
#include "stream/mp4_read.h"

#define MOST_TIME (INT64_MAX / 2) /* so that sums and differences of times cannot overflow */

/* SH_E_FORMAT: the box is too short for what it must hold. */
int sh_mp4_cut(const sh_box *box, sh_err *err);
/* ftyp and styp. */
int sh_mp4_read_brands(sh_mp4_brands *out, sh_box *box, sh_err *err);
/* The first entry of stsd (its header not yet read), by the handler that *track already has. */
int sh_mp4_read_description(sh_mp4_track *track, sh_box *stsd, sh_err *err);

#endif
