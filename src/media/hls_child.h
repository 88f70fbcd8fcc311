/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_HLS_CHILD_H
#define SH_MEDIA_HLS_CHILD_H
/* The child's part of hls_job.h. */
#include "media/hls_job.h"

typedef struct sh_hls_child {
    const sh_hls_job *job;
    int input; /* descriptor */
} sh_hls_child;

/* SH_MSG_DATA: number[0] says what. SH_MSG_OPEN asks for segment number[0], from 1. */
enum {
    SH_HLS_SEGMENT = 1, /* number, start, duration, bytes, frames */
    SH_HLS_PICTURE,     /* width, height, sar, rate, frames decoded, frames encoded */
    SH_HLS_BYTES,       /* SPS (4 bytes as one number), audio config (bytes as one number), its size, first,
                           duration */
};

int sh_hls_child_main(void *opaque, int channel, sh_err *err);

#endif
