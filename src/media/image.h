/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_IMAGE_H
#define SH_MEDIA_IMAGE_H
/* Pictures in files, for the measuring commands. They are read in the calling process: pictures that somebody
 * chose to measure, not files from outside. Nothing here is declared in terms of the libraries behind it. */
#include "base/err.h"
#include "media/metric.h"
#include <stdint.h>

typedef struct sh_rgb {
    uint8_t *data; /* owned; 3 bytes a sample, no gaps */
    int width, height;
} sh_rgb;

/* Luma of a picture file (png, jpg, bmp, webp, tiff, ppm, pgm, gif): BT.601 limited range as MATLAB's
 * rgb2ycbcr, rounded; a grey picture as if its file held it as RGB. */
int sh_image_read_luma(sh_plane8 *out, const char *path, sh_err *err);

/* Frame `number` (from 0) of a video: its luma as decoded (8 bits) and the picture as RGB. */
typedef struct sh_video_frame {
    sh_plane8 luma;
    sh_rgb rgb;
    sh_rgb doubled; /* twice the size by Lanczos; only when asked for */
    sh_plane8 doubled_luma;
} sh_video_frame;

int sh_video_frame_read(sh_video_frame *out, const char *path, int64_t number, bool doubled, sh_err *err);
void sh_video_frame_free(sh_video_frame *frame);

bool sh_rgb_new(sh_rgb *image, int width, int height);
void sh_rgb_free(sh_rgb *image);
int sh_png_write(const char *path, const sh_rgb *image, sh_err *err);

#endif
