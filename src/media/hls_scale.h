/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_HLS_SCALE_H
#define SH_MEDIA_HLS_SCALE_H
/* Decoded pictures as 8 bit 4:2:0 of the size of a rendition, limited range, with black bars where the shapes
 * differ. */
#include "media/hls_job.h"
#include <libavutil/frame.h>
#include <libswscale/swscale.h>

typedef struct sh_hls_scale {
    int width, height;                        /* of the rendition, even */
    int left, top, inner_width, inner_height; /* the picture within it, even */
    int from_width, from_height;
    enum AVPixelFormat from;
    bool full, rgb, direct; /* direct: nothing to do */
    AVRational sar;         /* of the rendition */
    struct SwsContext *scaler;
} sh_hls_scale;

/* first: the first picture. sar: the source's, 0/1 when not known. */
int sh_hls_scale_open(sh_hls_scale *scale, const sh_hls_video *video, const AVFrame *first, AVRational sar,
                      sh_err *err);
void sh_hls_scale_close(sh_hls_scale *scale);
/* *out is a new reference or picture with the properties of `in`. A change of size or format is
 * SH_E_UNSUPPORTED. */
int sh_hls_scale_run(sh_hls_scale *scale, const AVFrame *in, AVFrame **out, sh_err *err);

#endif
