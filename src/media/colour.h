/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_COLOUR_H
#define SH_MEDIA_COLOUR_H
/* What code values mean, told or assumed.
 *
 * A file without tags is read differently by every player, and most of them decide by the picture's height:
 * a DVD's picture of twice the size is taken for HD and shown in wrong colours. So whatever the source leaves
 * out is settled here once, by what such a source is most likely to be, and the result is tagged with it:
 *
 *     RGB, and codecs of still pictures       full range; JPEG's matrix is BT.601's
 *     height up to 576 and width up to 1024   BT.601: of 625 lines at heights above 486 or at 25 and 50
 * frames a second (BT.470BG), else of 525 (SMPTE 170M) everything else                         BT.709 PQ or
 * HLG as transfer                   BT.2020, non-constant luminance one tag there, another not the family of
 * the one that is there range                                   limited siting of 4:2:0 left; top left with
 * BT.2020; centre for JPEG and MPEG-1 */
#include <libavutil/pixfmt.h>
#include <stdbool.h>

typedef struct sh_colour {
    enum AVColorPrimaries primaries;
    enum AVColorTransferCharacteristic transfer;
    enum AVColorSpace matrix;
    enum AVColorRange range;
    enum AVChromaLocation siting; /* meaningless where chroma is whole */
} sh_colour;

/* What there is to decide by. */
typedef struct sh_colour_hints {
    enum AVPixelFormat format;
    int width, height; /* as decoded */
    double rate;       /* frames a second; 0: not known */
    bool jpeg, mpeg1;  /* the codec is JPEG's, or MPEG-1's */
} sh_colour_hints;

/* *out is `told` with everything settled that it leaves unspecified (or that is reserved, or a matrix of RGB
 * on a YUV picture). why: which parts were assumed and by what, as "range limited, BT.601 (525 lines) by the
 * picture's size"; "" when all was told. RGB pictures are settled as what they become: BT.709, limited,
 * unless they say otherwise. */
#define SH_COLOUR_WHY 200
void sh_colour_settle(const sh_colour *told, const sh_colour_hints *hints, sh_colour *out,
                      char why[SH_COLOUR_WHY]);
bool sh_colour_same(const sh_colour *a, const sh_colour *b);
/* "BT.709", "BT.601 (525 lines)", ...: the common name of a family; else the three names of FFmpeg with
 * slashes. */
void sh_colour_name(const sh_colour *colour, char name[80]);

#endif
