/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_MEASURE_H
#define SH_MEDIA_MEASURE_H
/* Measurements on decoded luma. Pure functions of the samples: no clock, no threads, whole numbers wherever a
 * verdict hangs on them.
 *
 * Interlace. Two frames that follow each other, p and n, are woven in four ways: with itself (the rows of n
 * as they stand), top rows of n between bottom rows of p, and bottom rows of n between top rows of p. How
 * badly the rows of a weave comb is the sum of |2b - a - c| over rows a, b, c above each other. In a
 * progressive picture that moves, n alone combs least. In an interlaced one n alone combs; of the two mixed
 * weaves the one that joins fields 1/50 s apart (n's first field with p's second) combs less than the one
 * that joins fields 3/50 s apart, and this tells which field comes first. Where nothing moves all are alike
 * and nothing is counted.
 *
 * Telecine. In 3:2 pulldown every fifth frame repeats a field of the frame before it (top and bottom in
 * turn). A window of five steps is counted where something moves, and is a hit when in exactly one or two of
 * them a field is repeated (its difference from the frame before is a small part of the other field's) and
 * these lie at places that the pattern has.
 *
 * Detail. A picture that was enlarged holds nothing above the frequency where the smaller one ended. The
 * picture is scaled down to a share of its size (area average of a triangle twice as wide) and up again; what
 * is lost is the energy above that share. Detail is the smallest share at which less than a small part of the
 * energy of the finest differences is lost: 0.5 for a picture that was enlarged twice by interpolation, near
 * 1 for one that was taken at its size. It cannot tell an enlarged picture from one that is out of focus. */
#include <libavutil/frame.h>
#include <stdbool.h>
#include <stdint.h>

/* Luma as 8 bits, of whatever the frame has, smaller where it is large: columns only are left out, so that
 * rows keep their fields. */
typedef struct sh_luma {
    uint8_t *data; /* owned */
    int width, height;
} sh_luma;

#endif
