/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPYHOP_PICTURE_H
#define SPYHOP_PICTURE_H
/*
 * libspyhop: whole pictures, on top of the planes of spyhop.h.
 *
 * A picture is a luma plane, or three colour planes, with what belongs to it: chroma, alpha, a range of code
 * values, a place where the chroma samples lie. A scaler is made once for one kind of picture and then run on
 * as many as there are:
 *
 *     spyhop_scaling scaling;
 *     spyhop_scaler *scaler = NULL;
 *     spyhop_scaling_default(&scaling);
 *     scaling.in.layout = SPYHOP_YUV420;
 *     scaling.in.width = 640;
 *     scaling.in.height = 480;
 *     if (spyhop_scaler_open(&scaler, model, NULL, &scaling, &error) < 0)
 *         ... error.message says what, where and what to do ...
 *     spyhop_scaler_run(scaler, &in, &out, &error);    for each picture
 *     spyhop_scaler_close(&scaler);
 *
 * What is done with each plane, s being the scale:
 *   luma    runs through the network. With `strength` below 1 it is blended with the cubic enlargement
 *           (a = -0.5) that networks of this kind add their residual to.
 *   chroma  is enlarged by Lanczos with three lobes, each sample where the siting says it lies, in the source
 *           and in the result. At s = 1 it passes unchanged.
 *   alpha   is enlarged by Lanczos too, and is of full range whatever the colours are.
 *   G, B, R run through a network of three channels together, or through one of one channel one by one.
 * Where the range is limited, a network's or Lanczos' overshoot does not leave it: every output sample is
 * limited to the nominal range (luma and G, B, R 16..235, chroma 16..240, times 2^(depth - 8)) widened to
 * what occurs in the source among the 3 x 3 samples around its place. So the super-whites and sub-blacks of
 * the source survive and no others arise. A full range is only clipped to its code values.
 * Lanczos keeps what is flat exactly flat, for every code value and up to the borders. So does every network
 * of this project that runs in 8-bit integers; of others it is their own matter.
 *
 * Everything is allocated when a scaler is opened; running allocates nothing, save where ONNX Runtime runs
 * the model. The result depends on the picture, the model, the precision and `strength` alone, not on
 * threads, bands or strides; for chroma and alpha not on the level of instruction set either.
 *
 * Threads: a scaler serves one caller at a time; any number of scalers may run at once, on one model too. The
 * library has no state of its own.
 */
#include <spyhop/spyhop.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which planes there are, and how many luma samples share one of chroma, across and down. */
typedef enum spyhop_layout {
    SPYHOP_GREY = 0, /* luma alone */
    SPYHOP_YUV420,   /* 2 across, 2 down */
    SPYHOP_YUV422,   /* 2, 1 */
    SPYHOP_YUV444,   /* 1, 1 */
    SPYHOP_YUV440,   /* 1, 2 */
    SPYHOP_YUV411,   /* 4, 1 */
    SPYHOP_YUV410,   /* 4, 4 */
    SPYHOP_GBR       /* green, blue and red, in this order */
} spyhop_layout;

/* Which code values are black and white. */
typedef enum spyhop_range {
    SPYHOP_LIMITED = 0, /* luma and G, B, R 16..235, chroma 16..240, times 2^(depth - 8) */
    SPYHOP_FULL         /* 0..2^depth - 1 */
} spyhop_range;

/* Where a chroma sample lies among the luma samples that share it. Along an axis that is not subsampled it
 * lies on its luma sample, whatever this says. */
typedef enum spyhop_siting {
    SPYHOP_LEFT = 0,   /* on the first column, between the rows: MPEG-2, H.264, HEVC */
    SPYHOP_CENTRE,     /* in the middle: MPEG-1, JPEG */
    SPYHOP_TOPLEFT,    /* on the first column and row: 4:2:0 of BT.2020 */
    SPYHOP_TOP,        /* between the columns, on the first row */
    SPYHOP_BOTTOMLEFT, /* on the first column and the last row */
    SPYHOP_BOTTOM      /* between the columns, on the last row */
} spyhop_siting;

/*
 * A kind of picture. All zero but depth, width and height is luma alone, 8 bits are a depth of 8.
 */
typedef struct spyhop_format {
    int layout; /* a spyhop_layout */
    int depth;  /* bits of a sample, 8..16: bytes for 8, uint16_t in native order for more */
    int msb;    /* 1: samples of more than 8 bits are left-aligned in their 16, the rest being zero, as in
                   P010, P012 and P210; what the rest of a source holds is ignored. 0: right-aligned */
    int semi;   /* 1: semi-planar, as NV12 and P010: plane 1 holds Cb and Cr in turn and there is no plane 2.
                   0: planar. (NV21 is the same with the names of Cb and Cr exchanged.) */
    int alpha;  /* 1: plane 3 is alpha, of the size of luma */
    int range;  /* a spyhop_range */
    int siting; /* a spyhop_siting */
    int width; /* of luma, in samples, 1..SPYHOP_MAX_SIDE; even or odd. Chroma has width / 2 (4) rounded up */
    int height;      /* as width */
    int reserved[7]; /* 0 */
} spyhop_format;

/*
 * A picture in memory, owned by the caller. Planes: 0 luma or green; 1 Cb, both chromas (semi), or blue;
 * 2 Cr or red; 3 alpha. Those that the format has not are ignored.
 */
typedef struct spyhop_picture {
    void *data[4];       /* the first sample of the first row, rows from top to bottom */
    ptrdiff_t stride[4]; /* bytes from one row to the next; negative for bottom-up pictures. At least a row's
                            bytes, whole samples */
} spyhop_picture;

/*
 * What to make of what. Call spyhop_scaling_default first, then say what comes in.
 */
typedef struct spyhop_scaling {
    size_t size;      /* sizeof(spyhop_scaling), set by spyhop_scaling_default: room for later fields */
    int scale;        /* 1..8; 0 (default): the model's. Without a model it has to be given */
    int convert;      /* 0 (default): the result is of the format `in`, enlarged. 1: of `out` */
    double strength;  /* 0..1: how much of the network's difference from the cubic enlargement is added to
                         that: 1 (default) all of it, 0 none (the network is not run at all). At scale 1 the
                         enlargement is the source itself. Rounded to 1/256; sample by sample
                         (cubic * (256 - w) + network * w + 128) >> 8, w = round(256 * strength) */
    spyhop_format in; /* of the sources; default: GREY, 8 bits, limited, left, 0 x 0 */
    /*
     * With `convert`: the format of the results. width and height: 0, or what the scale makes of in's. depth
     * and range are in's. Free to differ are msb, semi and siting; layout among GREY and the YUV ones, as
     * long as that enlarges or keeps the chroma planes, and never between these and GBR; alpha, which may be
     * left out but not be made. Chroma that the source has not is neutral (2^(depth - 1)).
     */
    spyhop_format out;
} spyhop_scaling;

/* A model made ready for one kind of picture: a context of spyhop.h, or only its threads, and scratch. */
typedef struct spyhop_scaler spyhop_scaler;

/* Sets every field of *scaling to its default. */
SPYHOP_API void spyhop_scaling_default(spyhop_scaling *scaling);

/* SPYHOP_OK where *format can be an `in`; else ARGUMENT (a value out of its range: the message names it) or
 * LIMIT (a side above SPYHOP_MAX_SIDE). */
SPYHOP_API int spyhop_format_check(const spyhop_format *format, spyhop_error *error);

/*
 * The size of plane 0..3 in a picture of *format, which must pass spyhop_format_check: the bytes of a row,
 * without padding, and the number of rows. Both are 0 for a plane that the format has not. For allocation:
 * bytes * rows fits into size_t. Errors: ARGUMENT.
 */
SPYHOP_API int spyhop_format_plane(const spyhop_format *format, int plane, size_t *bytes, int *rows);

/*
 * Makes a scaler of `model`, which must outlive it, for pictures of scaling->in. `model` may be NULL: luma
 * and colours are then enlarged by Lanczos as the rest is. `settings` may be NULL: the defaults of
 * spyhop_settings_default. Both structures are copied. On success *out is a new scaler, to be closed with
 * spyhop_scaler_close. On failure *out is untouched.
 * Errors: ARGUMENT (a format or a number out of its range; a scale that is not the model's), UNSUPPORTED (a
 * conversion that is not among those above; a model of three channels for anything but GBR), LIMIT (a side,
 * of the source or of the result, above SPYHOP_MAX_SIDE), MEMORY, and those of spyhop_open.
 */
SPYHOP_API int spyhop_scaler_open(spyhop_scaler **out, const spyhop_model *model,
                                  const spyhop_settings *settings, const spyhop_scaling *scaling,
                                  spyhop_error *error);

/* Closes *scaler and sets it to NULL. *scaler may be NULL. */
SPYHOP_API void spyhop_scaler_close(spyhop_scaler **scaler);

/* What the scaler settled on: `scale` and both formats with their sizes are filled in, `convert` is 1, and
 * `strength` is as given. The caller sets scaling->size, as spyhop_scaling_default does. Errors: ARGUMENT. */
SPYHOP_API int spyhop_scaler_describe(const spyhop_scaler *scaler, spyhop_scaling *scaling);

/* The engine's settings, as spyhop_get_settings tells them. */
SPYHOP_API int spyhop_scaler_get_settings(const spyhop_scaler *scaler, spyhop_settings *settings);

/*
 * Makes *out of *in; every sample of every plane of the result is written, and no byte beside them. The
 * pictures must not overlap. Errors: ARGUMENT, with the plane's name: a plane that is NULL, a stride that is
 * less than a row, 16-bit samples at an odd address. On failure nothing was written.
 */
SPYHOP_API int spyhop_scaler_run(spyhop_scaler *scaler, const spyhop_picture *in, const spyhop_picture *out,
                                 spyhop_error *error);

#ifdef __cplusplus
}
#endif
#endif
