/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_ENLARGE_H
#define SH_MEDIA_ENLARGE_H
/* The middle of upscaling: a prepared picture becomes one of the output. The restoring network where one is
 * asked for, the enlarging network, then size, format and grain of finish.h. A picture that is bit-equal to
 * the one before within its piece is not made twice; one that is no enlargement of its source (fallback.h) is
 * not given out.
 *
 * The result depends on the picture, its number and the level alone, not on what came before: what is
 * remembered is forgotten at the beginning of a piece, so that a piece comes out the same whenever it is
 * made. */
#include "media/duplicate.h"
#include "media/fallback.h"
#include "media/finish.h"
#include "media/picture.h"
#include "media/plan.h"
#include <spyhop/spyhop.h>

typedef struct sh_enlarge_settings {
    const spyhop_model *model, *restore; /* borrowed; restore NULL: none */
    const char *model_name, *restore_name;
    spyhop_settings engine;
    const sh_plan *plan; /* borrowed */
    uint64_t seed;       /* of the grain */
} sh_enlarge_settings;

typedef struct sh_enlarge sh_enlarge;

/* first: a prepared picture, for its format. note (of `size` bytes): what is converted, "" where nothing. */
int sh_enlarge_open(sh_enlarge **out, const sh_enlarge_settings *settings, const AVFrame *first, char *note,
                    size_t size, sh_err *err);
void sh_enlarge_close(sh_enlarge **enlarge); /* NULL in it is fine */
/* Before the first frame of each piece: the level that makes it. */
int sh_enlarge_piece(sh_enlarge *enlarge, sh_fallback level, sh_err *err);

enum { SH_ENLARGE_DONE = 0, SH_ENLARGE_BAD = 1 };
/* *frame becomes the result. DONE; BAD: what came out is none, reason says in what way, *frame is as it was;
 * SH_E_*. */
int sh_enlarge_frame(sh_enlarge *enlarge, AVFrame **frame, int64_t number, bool *duplicate, char *reason,
                     size_t size, sh_err *err);
/* The level to try when `level` has failed. */
sh_fallback sh_enlarge_next(const sh_enlarge *enlarge, sh_fallback level);

#endif
