/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_ENGINE_EXEC_H
#define SH_ENGINE_EXEC_H
/* Runs a plan on one tile of a picture. */
#include "engine/plan.h"
#include <spyhop/spyhop.h>

/* One picture: what every tile of it shares. */
typedef struct sh_exec_picture {
    const sh_plan *plan;
    const sh_dsp *dsp;
    const spyhop_plane *in;  /* one a channel */
    const spyhop_plane *out; /* one a channel */
} sh_exec_picture;

/* Input columns [x0, x1) and rows [y0, y1). */
typedef struct sh_exec_tile {
    int x0, x1, y0, y1;
} sh_exec_tile;

/* scratch: plan->scratch floats, aligned to 64 bytes, of which those at zero_offset are zero for a row's
 * length. pointers: room for 2 * plan->pointers. Both belong to the calling thread. */
void sh_exec_tile_run(const sh_exec_picture *picture, sh_exec_tile tile, float *scratch, void **pointers);

#endif
