/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_LADDER_CHILD_H
#define SH_MEDIA_LADDER_CHILD_H
/* The child's part of ladder.h. */
#include "media/ladder.h"

typedef struct sh_ladder_child {
    const sh_ladder_job *job;
    int input;                   /* descriptor */
    const void *model, *restore; /* bytes of the ONNX files; NULL: none */
    size_t model_size, restore_size;
} sh_ladder_child;

/* A sh_sandbox_main; opaque: sh_ladder_child. */
int sh_ladder_child_main(void *opaque, int channel, sh_err *err);

/* Numbers of SH_MSG_PROGRESS. */
enum {
    SH_LP_PHASE,
    SH_LP_DECODED,
    SH_LP_ENCODED,
    SH_LP_EXPECTED,
    SH_LP_RESUMED,
    SH_LP_COMMITTED,
    SH_LP_SEGMENTS,
    SH_LP_BYTES
};

#endif
