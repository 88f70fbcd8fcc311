/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_ENGINE_CHAIN_H
#define SH_ENGINE_CHAIN_H
/* A quantised network that runs in eight-bit integers from its second layer on.
 *
 * What is a chain: a Pad that continues the picture by its border or its mirror image (EDGE or SYMMETRIC of
 * graph.h), by one sample for each convolution; 3x3
 * convolutions without pads to a multiple of four channels, each but the last followed by Relu and
 * QuantizeLinear/DequantizeLinear (uint8, zero point 0); the weights of those in the middle int8 with a scale
 * for each output; DepthToSpace; an Add with the input, enlarged by taps that reach two samples. Everything
 * else runs as a plan (plan.h).
 *
 * Arithmetic (dsp/q8.h), the same bits at every level:
 *   - the first layer multiplies samples by 16-bit weights that are made here from the file's floats;
 *   - the middle ones uint8 by int8, requantised to uint8;
 *   - the last one uint8 by int8, or by 16 bits where the file's weights are floats, and its sums go as
 * floats onto the base, which is rounded to a sample once, with the residual.
 *
 * Flat pictures: where the first layer's kernels sum to zero, they do so to the bit here, and so no layer
 * sees the code value of a flat picture. What the last layer answers to one is then a constant, which is
 * taken off its bias: a flat picture comes out as it went in.
 *
 * The rows run depth first, as a plan's do, over rings of three rows a layer. Rows and columns beyond the
 * picture are made as all others are, from samples that were taken from inside; only the base repeats the
 * border sample, whatever the Pad does. */
#include "base/arena.h"
#include "base/err.h"
#include "engine/dsp/dsp.h"
#include "engine/onnx/graph.h"
#include <spyhop/spyhop.h>

#define SH_CHAIN_DEPTHS 9 /* of samples: 8 to 16 bits */
#define SH_CHAIN_OUTPUTS (SH_Q8_SCALE * SH_Q8_SCALE)
#define SH_CHAIN_CHANNELS 128

typedef struct sh_chain {
    sh_arena *arena; /* of everything here */
    int scale, channels;
    int reach;                          /* convolutions: how far an output sample sees */
    bool mirrors;                       /* the picture is continued by its mirror image */
    sh_q8_first first[SH_CHAIN_DEPTHS]; /* they differ in all but the weights */
    sh_q8_conv *inner;                  /* reach - 2 of them */
    sh_q8_conv last[SH_CHAIN_DEPTHS];   /* they differ in their biases */
    float residual[SH_CHAIN_OUTPUTS];   /* what a unit of the last sums is, where the peak is 1 */
    sh_q8_base base;                    /* starting two columns to the left */
    float vertical[SH_Q8_SCALE][4];     /* its other half, */
    int vertical_start[SH_Q8_SCALE];    /* from so many rows below the second above */
} sh_chain;

/* *out is NULL when the graph is something else. The graph is not needed afterwards. */
int sh_chain_new(sh_chain **out, const sh_graph *graph, sh_err *err);
void sh_chain_free(sh_chain *chain); /* NULL is fine */

/* Bytes of one thread's scratch for tiles of so many columns. */
size_t sh_chain_scratch(const sh_chain *chain, int columns);
/* The widest tile whose scratch fits into so many bytes, or the narrowest there is. */
int sh_chain_columns(const sh_chain *chain, size_t bytes);

typedef struct sh_chain_picture {
    const sh_chain *chain;
    const sh_dsp *dsp;
    const spyhop_plane *in, *out;
    int columns; /* what the scratch was made for */
} sh_chain_picture;

/* Input columns [x0, x1), at most picture->columns, and rows [y0, y1). scratch: aligned to 64 bytes, of the
 * calling thread, once filled with zeros. */
void sh_chain_tile_run(const sh_chain_picture *picture, int x0, int x1, int y0, int y1, void *scratch);

#endif
