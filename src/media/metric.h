/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_METRIC_H
#define SH_MEDIA_METRIC_H
/* Resizing and measures as the super-resolution literature computes them, so that numbers can be compared:
 * MATLAB's imresize, PSNR, and SSIM with an 11x11 Gaussian window (sigma 1.5, K1 0.01, K2 0.03) where it fits
 * whole. All of it in double, for 8 bit planes. */
#include <stdbool.h>
#include <stdint.h>

typedef struct sh_plane8 {
    uint8_t *data; /* owned; rows follow each other without gaps */
    int width, height;
} sh_plane8;

bool sh_plane8_new(sh_plane8 *plane, int width, int height); /* false: memory */
void sh_plane8_free(sh_plane8 *plane);                       /* all-zero is fine */

enum { SH_KERNEL_CUBIC, SH_KERNEL_LANCZOS3 }; /* cubic: a = -0.5 */

/* out's size is given by the caller. Where it is smaller the kernel is widened (antialiasing); borders are
 * symmetric; rounded to nearest. False: memory. */
bool sh_imresize(const sh_plane8 *out, const sh_plane8 *in, int kernel);

/* Both planes of the same size; `border` samples are left out on each side. PSNR of equal planes is 100 by
 * convention. SSIM of planes smaller than the window is 0. */
double sh_psnr(const sh_plane8 *a, const sh_plane8 *b, int border);
double sh_ssim(const sh_plane8 *a, const sh_plane8 *b, int border);

#endif
