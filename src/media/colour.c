/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/colour.h"
#include "base/size.h"

#include <libavutil/pixdesc.h>
#include <stdio.h>
#include <string.h>

/* What belongs together. */
typedef struct family {
    const char *name;
    enum AVColorPrimaries primaries;
    enum AVColorTransferCharacteristic transfer;
    enum AVColorSpace matrix;
} family;

enum { BT709, LINES_525, LINES_625, BT2020, BT2020_12, PQ, HLG, SRGB };
static const family families[] = {
    [BT709] = {"BT.709", AVCOL_PRI_BT709, AVCOL_TRC_BT709, AVCOL_SPC_BT709},
    [LINES_525] = {"BT.601 (525 lines)", AVCOL_PRI_SMPTE170M, AVCOL_TRC_SMPTE170M, AVCOL_SPC_SMPTE170M},
    [LINES_625] = {"BT.601 (625 lines)", AVCOL_PRI_BT470BG, AVCOL_TRC_SMPTE170M, AVCOL_SPC_BT470BG},
    [BT2020] = {"BT.2020", AVCOL_PRI_BT2020, AVCOL_TRC_BT2020_10, AVCOL_SPC_BT2020_NCL},
    [BT2020_12] = {"BT.2020", AVCOL_PRI_BT2020, AVCOL_TRC_BT2020_12, AVCOL_SPC_BT2020_NCL},
    [PQ] = {"BT.2020 PQ", AVCOL_PRI_BT2020, AVCOL_TRC_SMPTE2084, AVCOL_SPC_BT2020_NCL},
    [HLG] = {"BT.2020 HLG", AVCOL_PRI_BT2020, AVCOL_TRC_ARIB_STD_B67, AVCOL_SPC_BT2020_NCL},
    [SRGB] = {"sRGB", AVCOL_PRI_BT709, AVCOL_TRC_IEC61966_2_1, AVCOL_SPC_BT470BG},
};

static bool told_primaries(enum AVColorPrimaries value)
{
    return value != AVCOL_PRI_UNSPECIFIED && value != AVCOL_PRI_RESERVED0 && value != AVCOL_PRI_RESERVED &&
           av_color_primaries_name(value) != NULL;
}

static bool told_transfer(enum AVColorTransferCharacteristic value)
{
    return value != AVCOL_TRC_UNSPECIFIED && value != AVCOL_TRC_RESERVED0 && value != AVCOL_TRC_RESERVED &&
           av_color_transfer_name(value) != NULL;
}

static bool told_matrix(enum AVColorSpace value)
{
    return value != AVCOL_SPC_UNSPECIFIED && value != AVCOL_SPC_RESERVED && value != AVCOL_SPC_RGB &&
           av_color_space_name(value) != NULL;
}

/* 25 and 50 frames a second, with room for a measured number. */
static bool is_europe(double rate)
{
    return (rate > 24.9 && rate < 25.1) || (rate > 49.8 && rate < 50.2) || (rate > 12.4 && rate < 12.6);
}

static bool is_sd(const sh_colour_hints *hints)
{
    return hints->height <= 576 && hints->width <= 1024;
}

static const family *by_size(const sh_colour_hints *hints)
{
    if (!is_sd(hints))
        return &families[BT709];
    return &families[hints->height > 486 || is_europe(hints->rate) ? LINES_625 : LINES_525];
}

/* The family that the tags which are there point to; NULL: there is none. The transfer is asked last: that of
 * BT.709 is BT.601's by another name. */
static const family *by_tags(const sh_colour *told, const sh_colour_hints *hints)
{
    if (told->transfer == AVCOL_TRC_SMPTE2084)
        return &families[PQ];
    if (told->transfer == AVCOL_TRC_ARIB_STD_B67)
        return &families[HLG];
    if (told->matrix == AVCOL_SPC_BT2020_NCL || told->matrix == AVCOL_SPC_BT2020_CL ||
        told->primaries == AVCOL_PRI_BT2020)
        return &families[BT2020];
    if (told->matrix == AVCOL_SPC_SMPTE170M || told->primaries == AVCOL_PRI_SMPTE170M)
        return &families[LINES_525];
    if (told->primaries == AVCOL_PRI_BT470BG)
        return &families[LINES_625];
    if (told->matrix == AVCOL_SPC_BT470BG)
        return is_sd(hints) && !is_europe(hints->rate) && hints->height <= 486 ? &families[LINES_525]
                                                                               : &families[LINES_625];
    if (told->matrix == AVCOL_SPC_BT709 || told->primaries == AVCOL_PRI_BT709)
        return &families[BT709];
    if (told->transfer == AVCOL_TRC_IEC61966_2_1)
        return &families[SRGB];
    return NULL;
}

static enum AVChromaLocation settle_siting(const sh_colour *told, const sh_colour_hints *hints,
                                           enum AVColorSpace matrix)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(hints->format);
    if (told->siting != AVCHROMA_LOC_UNSPECIFIED)
        return told->siting;
    if (!d || d->flags & AV_PIX_FMT_FLAG_RGB || d->nb_components < 3 || d->log2_chroma_h != 1 ||
        d->log2_chroma_w != 1)
        return AVCHROMA_LOC_UNSPECIFIED;
    if (hints->jpeg || hints->mpeg1)
        return AVCHROMA_LOC_CENTER;
    return matrix == AVCOL_SPC_BT2020_NCL || matrix == AVCOL_SPC_BT2020_CL ? AVCHROMA_LOC_TOPLEFT
                                                                           : AVCHROMA_LOC_LEFT;
}

/* Formats whose name says so, and grey as most who write it mean it. */
static bool is_full(enum AVPixelFormat format)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(format);
    return (d && d->nb_components < 3) || format == AV_PIX_FMT_YUVJ420P || format == AV_PIX_FMT_YUVJ422P ||
           format == AV_PIX_FMT_YUVJ444P || format == AV_PIX_FMT_YUVJ440P || format == AV_PIX_FMT_YUVJ411P;
}

static bool is_rgb(enum AVPixelFormat format)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(format);
    return d && d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL);
}

/* The engine's front repacks RGB to BT.709, limited range, whatever curve it has. */
static void settle_rgb(const sh_colour *told, sh_colour *out, char why[SH_COLOUR_WHY])
{
    *out = *told;
    if (!told_primaries(told->primaries))
        out->primaries = AVCOL_PRI_BT709;
    if (!told_transfer(told->transfer))
        out->transfer = AVCOL_TRC_BT709;
    out->matrix = AVCOL_SPC_BT709;
    out->range = AVCOL_RANGE_MPEG;
    out->siting = AVCHROMA_LOC_CENTER;
    snprintf(why, SH_COLOUR_WHY, "RGB is of full range and becomes BT.709, limited range");
}

static void explain(const sh_colour *told, const sh_colour *out, const family *chosen, const char *by,
                    char why[SH_COLOUR_WHY])
{
    const bool primaries = out->primaries != told->primaries, transfer = out->transfer != told->transfer;
    const bool matrix = out->matrix != told->matrix, range = out->range != told->range;
    char parts[64] = "";
    if (primaries + transfer + matrix < 3)
        snprintf(parts, sizeof(parts), " for %s%s%s%s%s", matrix ? "the matrix" : "",
                 matrix && (primaries || transfer) ? ", " : "", primaries ? "primaries" : "",
                 primaries && transfer ? ", " : "", transfer ? "transfer" : "");
    why[0] = '\0';
    if (primaries || transfer || matrix)
        snprintf(why, SH_COLOUR_WHY, "%s%s by %s", chosen->name, parts, by);
    if (range) {
        const size_t length = strlen(why);
        snprintf(why + length, SH_COLOUR_WHY - length, "%s%s range", length ? "; " : "",
                 out->range == AVCOL_RANGE_JPEG ? "full" : "limited");
    }
}

void sh_colour_settle(const sh_colour *told, const sh_colour_hints *hints, sh_colour *out,
                      char why[SH_COLOUR_WHY])
{
    const sh_colour given = *told;
    if (is_rgb(hints->format)) {
        settle_rgb(&given, out, why);
        return;
    }
    const family *tagged = by_tags(&given, hints);
    const family *chosen = tagged ? tagged : hints->jpeg ? &families[SRGB] : by_size(hints);
    const char *by = tagged ? "the other tags" : hints->jpeg ? "the codec" : "the picture's size";
    if (chosen == &families[LINES_625] && hints->height <= 486 && !tagged)
        by = "the frame rate";
    *out = given;
    if (!told_primaries(given.primaries))
        out->primaries = chosen->primaries;
    if (!told_transfer(given.transfer))
        out->transfer = chosen->transfer;
    if (!told_matrix(given.matrix))
        out->matrix = chosen->matrix;
    if (given.range != AVCOL_RANGE_MPEG && given.range != AVCOL_RANGE_JPEG)
        out->range = hints->jpeg || is_full(hints->format) ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
    out->siting = settle_siting(&given, hints, out->matrix);
    explain(&given, out, chosen, by, why);
}

bool sh_colour_same(const sh_colour *a, const sh_colour *b)
{
    return a->primaries == b->primaries && a->transfer == b->transfer && a->matrix == b->matrix &&
           a->range == b->range && a->siting == b->siting;
}

static const char *or_unknown(const char *name)
{
    return name ? name : "unknown";
}

void sh_colour_name(const sh_colour *colour, char name[80])
{
    for (size_t i = 0; i < SH_COUNT(families); i++)
        if (families[i].primaries == colour->primaries && families[i].transfer == colour->transfer &&
            families[i].matrix == colour->matrix) {
            snprintf(name, 80, "%s", families[i].name);
            return;
        }
    snprintf(name, 80, "%.24s/%.24s/%.24s", or_unknown(av_color_primaries_name(colour->primaries)),
             or_unknown(av_color_transfer_name(colour->transfer)),
             or_unknown(av_color_space_name(colour->matrix)));
}
