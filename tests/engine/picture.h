/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_ENGINE_PICTURE_H
#define TESTS_ENGINE_PICTURE_H
/* What the tests of the executor share: contexts from a written network, pictures, and the comparison with
 * the direct evaluation. Failures are cmocka's. */
#include "netmodel.h"
#include <spyhop/spyhop.h>

/* The network as the engine reads it; to be freed with spyhop_model_free. */
spyhop_model *picture_model(const nm_model *net);
/* A context with so much cache a thread; 0: the machine's. */
spyhop_context *picture_open(const spyhop_model *model, int cpu, int threads, int band_rows, size_t l2_bytes);
/* A plane of its own memory: tight rows when extra is 0, else `extra` bytes between the rows. Bottom-up when
 * flip. */
typedef struct picture {
    spyhop_plane plane;
    uint8_t *memory;
    size_t size;
} picture;
picture picture_new(int width, int height, int depth, int extra, int flip);
void picture_free(picture *p);
void picture_fill(picture *p, uint32_t seed);
unsigned picture_sample(const picture *p, int y, int x);
/* Runs the context on the picture; the result is tight, of the input's depth. */
picture picture_run(spyhop_context *context, const picture *in, int scale);
int picture_same(const picture *a, const picture *b); /* every sample */
/* How far, in code values, the picture is from the direct evaluation of the network on `in`. */
double picture_distance(const nm_model *net, const picture *in, const picture *out);

#endif
