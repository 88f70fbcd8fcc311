/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_ENGINE_NETWORKS_H
#define TESTS_ENGINE_NETWORKS_H
/* The files of tests/engine/networks: networks in the shapes of other projects, written by PyTorch's exporter
 * (make_networks.py there), each with the picture that ONNX Runtime makes of a known one (NAME.u16: planes of
 * 16-bit samples, little-endian). Include picture.h's headers before. */
#include "picture.h"

#define NETWORK_WIDTH 21
#define NETWORK_HEIGHT 14

/* Planes of one picture. */
typedef struct planes {
    int count;
    picture planes[3];
} planes;

planes planes_new(int count, int width, int height, int depth);
void planes_fill(planes *p, uint32_t seed);
void planes_free(planes *p);
planes planes_run(spyhop_context *context, const planes *in, int scale);
/* The largest difference of two samples, in code values. */
int planes_distance(const planes *a, const planes *b);
/* The picture that expected files are of. */
planes network_input(int count);

/* Names without ".onnx", sorted; to be freed with network_free_names. */
char **network_names(const char *folder, int *count);
void network_free_names(char **names, int count);
spyhop_model *network_load(const char *folder, const char *name);

#endif
