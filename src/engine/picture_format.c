/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Formats of pictures: what they say, and what is wrong with one. */
#include "base/size.h"
#include "engine/picture.h"

static const sh_layout layouts[] = {
    [SPYHOP_GREY] = {"grey", 0, 0},    [SPYHOP_YUV420] = {"4:2:0", 2, 2}, [SPYHOP_YUV422] = {"4:2:2", 2, 1},
    [SPYHOP_YUV444] = {"4:4:4", 1, 1}, [SPYHOP_YUV440] = {"4:4:0", 1, 2}, [SPYHOP_YUV411] = {"4:1:1", 4, 1},
    [SPYHOP_YUV410] = {"4:1:0", 4, 4}, [SPYHOP_GBR] = {"GBR", 0, 0},
};

const sh_layout *sh_layout_of(int layout)
{
    return layout >= 0 && (size_t)layout < SH_COUNT(layouts) ? &layouts[layout] : NULL;
}

bool sh_format_has_chroma(const spyhop_format *format)
{
    return sh_layout_of(format->layout)->across > 0;
}

int sh_format_colours(const spyhop_format *format)
{
    return format->layout == SPYHOP_GBR ? 3 : 1;
}

int sh_format_shift(const spyhop_format *format)
{
    return format->msb && format->depth > 8 ? 16 - format->depth : 0;
}

int sh_format_sample(const spyhop_format *format)
{
    return format->depth > 8 ? 2 : 1;
}

int sh_format_samples(const spyhop_format *format, int plane)
{
    return format->semi && plane == 1 ? 2 : 1;
}

void sh_format_size(const spyhop_format *format, int plane, int *width, int *height)
{
    const sh_layout *layout = sh_layout_of(format->layout);
    const bool chroma = layout->across > 0 && (plane == 1 || plane == 2),
               full = plane < sh_format_colours(format);
    *width = *height = 0;
    if (full || (plane == 3 && format->alpha)) {
        *width = format->width;
        *height = format->height;
    } else if (chroma && !(format->semi && plane == 2)) {
        *width = (format->width + layout->across - 1) / layout->across;
        *height = (format->height + layout->down - 1) / layout->down;
    }
}

int sh_siting_across(const spyhop_format *format)
{
    const bool between =
        format->siting == SPYHOP_CENTRE || format->siting == SPYHOP_TOP || format->siting == SPYHOP_BOTTOM;
    return between ? sh_layout_of(format->layout)->across - 1 : 0;
}

int sh_siting_down(const spyhop_format *format)
{
    const int last = sh_layout_of(format->layout)->down - 1;
    switch (format->siting) {
    case SPYHOP_TOPLEFT:
    case SPYHOP_TOP:
        return 0;
    case SPYHOP_BOTTOMLEFT:
    case SPYHOP_BOTTOM:
        return 2 * last;
    default:
        return last;
    }
}

static int check_flags(const spyhop_format *f, const char *what, sh_err *err)
{
    const int flags[] = {f->msb, f->semi, f->alpha};
    static const char *const names[] = {"msb", "semi", "alpha"};
    for (int i = 0; i < 3; i++)
        if (flags[i] != 0 && flags[i] != 1)
            return sh_fail(err, SH_E_ARGUMENT, "%s: %s is %d; it is 0 or 1", what, names[i], flags[i]);
    for (size_t i = 0; i < SH_COUNT(f->reserved); i++)
        if (f->reserved[i] != 0)
            return sh_fail(err, SH_E_ARGUMENT,
                           "%s: reserved[%zu] is not 0; start from spyhop_scaling_default", what, i);
    return SH_OK;
}

int sh_format_check(const spyhop_format *f, const char *what, sh_err *err)
{
    if (!sh_layout_of(f->layout))
        return sh_fail(err, SH_E_ARGUMENT, "%s: there is no layout %d; a spyhop_layout is 0 to %d", what,
                       f->layout, SPYHOP_GBR);
    if (f->depth < 8 || f->depth > 16)
        return sh_fail(err, SH_E_ARGUMENT, "%s: its depth is %d; 8 to 16 are allowed", what, f->depth);
    if (f->range != SPYHOP_LIMITED && f->range != SPYHOP_FULL)
        return sh_fail(err, SH_E_ARGUMENT, "%s: there is no range %d; a spyhop_range is 0 or 1", what,
                       f->range);
    if (f->siting < SPYHOP_LEFT || f->siting > SPYHOP_BOTTOM)
        return sh_fail(err, SH_E_ARGUMENT, "%s: there is no siting %d; a spyhop_siting is 0 to %d", what,
                       f->siting, SPYHOP_BOTTOM);
    if (check_flags(f, what, err) < 0)
        return SH_E_ARGUMENT;
    if (f->semi && !sh_format_has_chroma(f))
        return sh_fail(err, SH_E_ARGUMENT, "%s: %s has no chroma planes to be interleaved (semi)", what,
                       sh_layout_of(f->layout)->name);
    if (f->width < 1 || f->height < 1)
        return sh_fail(err, SH_E_ARGUMENT, "%s: it is %d x %d; 1 to %d are allowed", what, f->width,
                       f->height, SPYHOP_MAX_SIDE);
    if (f->width > SPYHOP_MAX_SIDE || f->height > SPYHOP_MAX_SIDE)
        return sh_fail(err, SH_E_LIMIT, "%s: it is %d x %d; at most %d x %d are allowed", what, f->width,
                       f->height, SPYHOP_MAX_SIDE, SPYHOP_MAX_SIDE);
    return SH_OK;
}

static const char *plane_name(const spyhop_format *format, int plane)
{
    static const char *const gbr[] = {"G", "B", "R", "alpha"}, *const yuv[] = {"luma", "Cb", "Cr", "alpha"};
    if (format->semi && plane == 1)
        return "Cb and Cr";
    return (format->layout == SPYHOP_GBR ? gbr : yuv)[plane];
}

int sh_picture_check(const spyhop_picture *picture, const spyhop_format *format, const char *what,
                     sh_err *err)
{
    for (int i = 0; i < SH_PLANES; i++) {
        int width, height;
        const char *name = plane_name(format, i);
        const ptrdiff_t stride = picture->stride[i], sample = sh_format_sample(format);
        sh_format_size(format, i, &width, &height);
        if (width == 0)
            continue;
        const ptrdiff_t least = width * sample * sh_format_samples(format, i), most = PTRDIFF_MAX / height;
        if (!picture->data[i])
            return sh_fail(err, SH_E_ARGUMENT, "%s picture, plane %d (%s): data is NULL", what, i, name);
        if ((height > 1 && stride < least && stride > -least) || stride > most || stride < -most)
            return sh_fail(
                err, SH_E_ARGUMENT,
                "%s picture, plane %d (%s): its stride of %td bytes is less than a row's %td, or absurd",
                what, i, name, stride, least);
        if (sample == 2 && (stride % 2 != 0 || (uintptr_t)picture->data[i] % 2 != 0))
            return sh_fail(err, SH_E_ARGUMENT,
                           "%s picture, plane %d (%s): samples of 16 bits at an odd address or stride", what,
                           i, name);
    }
    return SH_OK;
}

/* ---- public ---- */

int spyhop_format_check(const spyhop_format *format, spyhop_error *error)
{
    sh_err err = {0};
    int status = format ? sh_format_check(format, "picture format", &err)
                        : sh_fail(&err, SH_E_ARGUMENT, "spyhop_format_check: format is NULL");
    return status < 0 ? sh_public_error(error, &err) : SPYHOP_OK;
}

int spyhop_format_plane(const spyhop_format *format, int plane, size_t *bytes, int *rows)
{
    int width;
    if (!format || !bytes || !rows || plane < 0 || plane >= SH_PLANES ||
        sh_format_check(format, "picture format", NULL) < 0)
        return SPYHOP_E_ARGUMENT;
    sh_format_size(format, plane, &width, rows);
    *bytes = (size_t)width * (size_t)(sh_format_sample(format) * sh_format_samples(format, plane));
    return SPYHOP_OK;
}
