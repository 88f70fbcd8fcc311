/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_ENGINE_CONTEXT_H
#define SH_ENGINE_CONTEXT_H
/* What the files behind the public header share. */
#include "base/pool.h"
#include "engine/chain.h"
#include "engine/exec.h"
#include "engine/ort/ort.h"
#include <spyhop/spyhop.h>

struct spyhop_model {
    sh_graph *graph;
    int halo;
    sh_chain *chain; /* NULL: the graph is none */
    /* NULL, or what runs the model instead: then the graph has no nodes, only an input and an output. */
    sh_ort_model *ort;
    char backend[64];
};

/* *error from *err, where the caller wants it. Returns err->status. */
int sh_public_error(spyhop_error *error, const sh_err *err);
/* spyhop_open with the cache that a thread's rows should fit into; 0: the machine's. For tests of narrow
 * tiles. */
int sh_context_open(spyhop_context **out, const spyhop_model *model, const spyhop_settings *settings,
                    size_t l2_bytes, sh_err *err);
/* As spyhop_open checks and settles them: threads stay as given, cpu is a level of this machine. */
int sh_settings_settle(spyhop_settings *settings, sh_err *err);
/* What a scaler of pictures shares with the context that it runs. */
sh_pool *sh_context_pool(const spyhop_context *context);
const sh_dsp *sh_context_dsp(const spyhop_context *context);

#endif
