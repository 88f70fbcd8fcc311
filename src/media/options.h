/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_OPTIONS_H
#define SH_MEDIA_OPTIONS_H
/* What a person asks of `upscale`. Plain data: names and numbers as given, checked by who uses them. */
#include <stdbool.h>
#include <stddef.h>

typedef enum sh_deinterlace {
    SH_DEINTERLACE_AUTO, /* what is measured to be interlaced, a frame a frame */
    SH_DEINTERLACE_OFF,
    SH_DEINTERLACE_FRAME,
    SH_DEINTERLACE_FIELD /* a frame for each field */
} sh_deinterlace;

typedef enum sh_rotation {
    SH_ROTATION_AUTO, /* a tag where the container has one, else turned pictures */
    SH_ROTATION_KEEP,
    SH_ROTATION_APPLY
} sh_rotation;

typedef struct sh_upscale_options {
    const char *input, *output;         /* paths, any bytes; "-": Y4M */
    const char *model, *restore;        /* paths of ONNX files; restore NULL: none in front */
    double grain;                       /* 0: none; standard deviation in codes of 8 bits */
    int threads;                        /* 0: one for each CPU */
    int jobs;                           /* pieces side by side; 0 and 1: one */
    int cpu, precision;                 /* a spyhop_cpu, a spyhop_precision */
    const char *encoder;                /* "auto", "libx264", ... */
    double crf;                         /* < 0: the encoder's default here */
    const char *preset;                 /* NULL: the encoder's default here */
    const char *const *encoder_options; /* key=value */
    size_t encoder_option_count;
    int to_width, to_height; /* 0: as the model makes it. One may be 0: from the other */
    bool large;              /* more than 4K may come out */
    double start, duration;  /* seconds; < 0: not asked */
    bool preview;            /* output is a PNG: the frame at `start` before and after */
    sh_deinterlace deinterlace;
    bool telecine; /* reverse 3:2 pulldown */
    sh_rotation rotation;
    bool overwrite, accept_damage, allow_loss, no_sandbox;
    int piece_frames;   /* 0: by the model's cost */
    const char *report; /* path or NULL */
} sh_upscale_options;

void sh_upscale_options_default(sh_upscale_options *options);

#endif
