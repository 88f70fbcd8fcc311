/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_PREVIEW_H
#define SH_MEDIA_PREVIEW_H
/* A frame before and after as one PNG: the prepared source, enlarged by Lanczos to the result's size, on the
 * left, the result on the right, a thin line between; as they would be shown (square pixels, full-range RGB
 * by the frame's own matrix; HDR is not tone-mapped). */
#include "base/err.h"
#include <libavutil/frame.h>

typedef enum sh_preview_kind {
    SH_PREVIEW_SIDES, /* side by side: twice the width */
    SH_PREVIEW_WIPE   /* one picture: the left half is before, the right half after */
} sh_preview_kind;

/* To descriptor fd, which is a new file of the caller's. */
int sh_preview_write(int fd, const AVFrame *before, const AVFrame *after, sh_preview_kind kind, sh_err *err);

#endif
