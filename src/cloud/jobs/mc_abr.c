/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Automated ABR: rules, and the ladder they make. The sizes are those of the 16:9 steps that streams usually
 * have, brought to the picture's shape; each step has at most what AWS's default limits leave it by its area.
 * Steps that would need less than minAbrBitrate go, and so do those larger than the picture. */
#include "base/size.h"
#include "cloud/jobs/mc_inner.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- rules ---- */

static sh_mc_size size_of(const json_t *object)
{
    return (sh_mc_size){(int)sh_mc_number_of(object, "width", 0), (int)sh_mc_number_of(object, "height", 0),
                        sh_mc_is(object, "required", "ENABLED")};
}

static int check_size(sh_mc_size size, const char *at, sh_err *err)
{
    if (!size.width || !size.height)
        return sh_mc_missing(err, at, size.width ? "height" : "width");
    if (size.width % 2 || size.height % 2)
        return sh_fail(err, SH_E_ARGUMENT, "%s/%s: must be even", at, size.width % 2 ? "width" : "height");
    return 0;
}

static int read_sizes(sh_mc_abr *abr, const json_t *rule, const char *member, const char *at, sh_err *err)
{
    const json_t *list = sh_mc_get(rule, member);
    char path[SH_MC_PATH];
    if (json_array_size(list) == 0)
        return sh_mc_missing(err, at, member);
    if (abr->size_count)
        return sh_fail(
            err, SH_E_ARGUMENT,
            "%s/type: there is one rule with sizes, FORCE_INCLUDE_RENDITIONS or ALLOWED_RENDITIONS", at);
    for (size_t i = 0; i < json_array_size(list) && i < SH_MC_SIZES; i++) {
        sh_mc_size size = size_of(json_array_get(list, i));
        sh_mc_at(path, "%s/%s/%zu", at, member, i);
        int status = check_size(size, path, err);
        if (status < 0)
            return status;
        abr->sizes[abr->size_count++] = size;
    }
    return 0;
}

static int read_rule(sh_mc_abr *abr, const json_t *rule, const char *at, sh_err *err)
{
    const char *type = sh_mc_text_of(rule, "type", NULL);
    char path[SH_MC_PATH];
    if (!type)
        return sh_mc_missing(err, at, "type");
    if (strcmp(type, "FORCE_INCLUDE_RENDITIONS") == 0)
        return read_sizes(abr, rule, "forceIncludeRenditions", at, err);
    if (strcmp(type, "ALLOWED_RENDITIONS") == 0) {
        int status = read_sizes(abr, rule, "allowedRenditions", at, err);
        abr->exclusive = true;
        return status;
    }
    bool top = strcmp(type, "MIN_TOP_RENDITION_SIZE") == 0;
    const char *member = top ? "minTopRenditionSize" : "minBottomRenditionSize";
    sh_mc_at(path, "%s/%s", at, member);
    sh_mc_size size = size_of(sh_mc_get(rule, member));
    *(top ? &abr->min_top : &abr->min_bottom) = size;
    return check_size(size, path, err);
}

int sh_mc_read_abr(sh_mc_abr *abr, const json_t *settings, const char *at, sh_err *err)
{
    const json_t *rules = sh_mc_get(settings, "rules");
    char path[SH_MC_PATH];
    int status = 0;
    abr->wanted = true;
    abr->max_bitrate = (int64_t)sh_mc_number_of(settings, "maxAbrBitrate", 8000000);
    abr->min_bitrate = (int64_t)sh_mc_number_of(settings, "minAbrBitrate", 600000);
    abr->max_renditions = (int)sh_mc_number_of(settings, "maxRenditions", SH_MC_STEPS);
    if (abr->min_bitrate > abr->max_bitrate)
        return sh_fail(err, SH_E_ARGUMENT, "%s/minAbrBitrate: is above maxAbrBitrate", at);
    for (size_t i = 0; i < json_array_size(rules) && status == 0; i++) {
        sh_mc_at(path, "%s/rules/%zu", at, i);
        status = read_rule(abr, json_array_get(rules, i), path, err);
    }
    if (status == 0 && abr->size_count > (size_t)abr->max_renditions && !abr->exclusive)
        status =
            sh_fail(err, SH_E_ARGUMENT, "%s/rules: more renditions are to be there than maxRenditions", at);
    return status;
}

/* ---- the ladder ---- */

static bool below(int width, int height, sh_mc_size least)
{
    return (int64_t)width * height < (int64_t)least.width * least.height;
}

/* What a picture of this area may take at most: 1280x720 at 30 frames a second has 3.2 Mb/s, and bits grow
 * slower than pixels. */
static int64_t ceiling(int width, int height, double rate)
{
    double area = (double)width * height / (1280.0 * 720.0), frames = rate > 0 ? rate / 30 : 1;
    return (int64_t)(3200000 * pow(area, 0.8) * pow(frames, 0.5) / 1000) * 1000;
}

static void insert(sh_mc_step *steps, size_t *count, int width, int height, int64_t bitrate)
{
    size_t at = 0;
    while (at < *count && (int64_t)steps[at].width * steps[at].height > (int64_t)width * height)
        at++;
    if (*count == SH_MC_STEPS || (at < *count && steps[at].width == width && steps[at].height == height))
        return;
    memmove(&steps[at + 1], &steps[at], (*count - at) * sizeof(*steps));
    steps[at] = (sh_mc_step){width, height, bitrate};
    ++*count;
}

static int even(double value)
{
    int whole = 2 * (int)(value / 2 + 0.5);
    return whole < 32 ? 32 : whole;
}

size_t sh_mc_abr_steps(const sh_mc_abr *abr, const sh_mc_video *pattern, int width, int height, double rate,
                       sh_mc_step steps[SH_MC_STEPS])
{
    static const double heights[] = {1, 2160, 1440, 1080, 720, 540, 432, 360, 270, 234};
    double shrink = 1, shorter;
    size_t count = 0;
    if (pattern->width && width > pattern->width)
        shrink = (double)pattern->width / width;
    if (pattern->height && height * shrink > pattern->height)
        shrink = (double)pattern->height / height;
    shorter = shrink * (width < height ? width : height);
    for (size_t i = 0; i < abr->size_count; i++) /* those that are to be there, first */
        if (abr->exclusive ? abr->sizes[i].required : true)
            insert(steps, &count, abr->sizes[i].width, abr->sizes[i].height, 0);
    for (size_t i = 0; abr->exclusive && i < abr->size_count && count < (size_t)abr->max_renditions; i++)
        if (abr->sizes[i].width <= width && abr->sizes[i].height <= height)
            insert(steps, &count, abr->sizes[i].width, abr->sizes[i].height, 0);
    for (size_t i = 0; !abr->exclusive && i < SH_COUNT(heights) && count < (size_t)abr->max_renditions; i++) {
        double part = i == 0 ? 1 : heights[i] / shorter;
        int w = even(width * shrink * part), h = even(height * shrink * part);
        bool small = below(w, h, abr->min_bottom) || ceiling(w, h, rate) < abr->min_bitrate;
        if (part <= 1 && (i == 0 || (part < 0.9 && !small)))
            insert(steps, &count, w, h, 0);
    }
    if (count == 0)
        insert(steps, &count, even(width * shrink), even(height * shrink), 0);
    for (size_t i = 0; i < count; i++) {
        int64_t most = ceiling(steps[i].width, steps[i].height, rate);
        steps[i].max_bitrate = most > abr->max_bitrate   ? abr->max_bitrate
                               : most < abr->min_bitrate ? abr->min_bitrate
                                                         : most;
    }
    return count;
}
