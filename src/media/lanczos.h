/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_LANCZOS_H
#define SH_MEDIA_LANCZOS_H
/* A plane brought to twice its size, or kept, along each axis, by Lanczos with three lobes, in integers.
 *
 * Where a sample lies. Doubling a picture puts source luma position x at 2x + 1/2. A chroma sample lies
 * either on a luma sample of its axis (siting left or top) or between two (centre), before and after; so
 * output sample k lies at source sample k/2 - 1/8 or k/2 - 1/4. A plane that is not subsampled along an axis
 * lies between two output luma samples, where centred chroma lies: it is copied along that axis. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SH_LANCZOS_KEEP, SH_LANCZOS_COSITED, SH_LANCZOS_CENTRED };

typedef struct sh_samples {
    uint8_t *data;
    ptrdiff_t stride; /* bytes */
    int width, height;
} sh_samples;

/* depth 8: bytes; 9..16: native 16 bit. out is twice or once as large along each axis, or one sample less
 * (the source of an odd picture has a half sample of chroma). horizontal, vertical: SH_LANCZOS_*. False:
 * memory. */
bool sh_lanczos(const sh_samples *out, const sh_samples *in, int depth, int horizontal, int vertical);

#endif
