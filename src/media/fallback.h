/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_FALLBACK_H
#define SH_MEDIA_FALLBACK_H
/* Whether an enlarged picture is one of its source: pictures that come out black, flat, frozen or as noise
 * are the failure that users of networks meet and that no exit code tells.
 *
 * Both pictures are laid out in the same cells, at most 16 across and 16 down, at least eight source samples
 * to a side where the picture has them, and the mean of luma is taken in each. Enlarging changes details and
 * not means: across the networks of this project a cell moves by less than two codes of 8 bits. A picture is
 * refused when
 *     a cell has moved by more than 32 codes (64 for cells below 64 samples): a part is black, or noise
 *     all cells together have moved by more than 12: the whole is darker or lighter
 *     the cells lie closer together than a quarter of what they do in the source, which has at least 8 codes
 *     between its darkest and its lightest: the whole is flat
 *     the picture is bit-equal to the one before it while the sources differ visibly: it is frozen
 * Values that are not finite come out of the engine as the ends of the scale and show as one of these.
 *
 * What is then done with the piece stands in sh_fallback: first the same network once more in plain C and
 * single precision, then Lanczos. The level that made a piece is kept in the journal and told in the
 * report. */
#include <libavutil/frame.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SH_CELLS = 16 };

/* Means of luma in cells, in 256ths of a code of 8 bits. */
typedef struct sh_signature {
    int across, down;
    bool small; /* cells of less than 64 samples */
    uint16_t mean[SH_CELLS * SH_CELLS];
} sh_signature;

/* Of a picture in planar or semi-planar YUV or grey, any depth up to 16. unit: how many samples across and
 * down stand for one of the picture that it is to be compared with (1: itself); cells end at multiples of
 * that. False for other formats: nothing is known, *signature has no cells. */
bool sh_signature_make(sh_signature *signature, const AVFrame *frame, int unit);
/* The largest difference of a cell in codes; 0 where they have no cells in common. */
double sh_signature_distance(const sh_signature *a, const sh_signature *b);

/* What makes a piece. */
typedef enum sh_fallback {
    SH_FALLBACK_NONE,   /* as asked */
    SH_FALLBACK_SCALAR, /* the network in plain C, single precision */
    SH_FALLBACK_CLASSIC /* Lanczos, no network */
} sh_fallback;
const char *sh_fallback_name(int level); /* "none", "scalar", "classic" */

/* The pair before the current one. All-zero is fine. */
typedef struct sh_watch {
    sh_signature source;
    AVFrame *picture; /* the result */
} sh_watch;

/* False: `result` is no enlargement of `source`, and reason (of `size` bytes) says in what way. scale: sides
 * of the result by those of the source. Remembers both for the next call when true. */
bool sh_watch_passes(sh_watch *watch, const AVFrame *source, const AVFrame *result, int scale, char *reason,
                     size_t size);
void sh_watch_forget(sh_watch *watch);

#endif
