/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/size.h"
#include "cli/commands.h"
#include "cli/label.h"
#include "cli/number.h"
#include "media/image.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GAP 4
#define STEP 8

typedef struct settings {
    const char *source, *result, *truth, *png;
    int frame, zoom;
    int x, y, width, height; /* of the crop, in the result's samples; width 0: to be chosen */
} settings;

static void usage(FILE *out)
{
    fprintf(out,
            "usage: spyhop compare --source IN --result OUT --png FILE [OPTION]...\n\n"
            "Writes a picture of one detail of one frame: the source enlarged by Lanczos, beside the result, "
            "beside the\n"
            "truth where there is one.\n\n"
            "  --frame N       frame, counted from 0 (default 0)\n"
            "  --truth FILE    video that the source was reduced from\n"
            "  --crop X,Y,W,H  detail in the result's pixels (default: where the two differ most, 240x180)\n"
            "  --zoom N        each pixel becomes NxN (default 2)\n");
}

/* ---- where to look ---- */

static int64_t difference(const sh_plane8 *a, const sh_plane8 *b, int x, int y, int width, int height)
{
    int64_t sum = 0;
    for (int row = y; row < y + height; row++)
        for (int column = x; column < x + width; column++) {
            size_t at = (size_t)row * (size_t)a->width + (size_t)column;
            sum += abs(a->data[at] - b->data[at]);
        }
    return sum;
}

/* The window in which the network changed the most. */
static void choose(settings *s, const sh_plane8 *plain, const sh_plane8 *result)
{
    int64_t most = -1;
    s->width = plain->width < 240 ? plain->width : 240;
    s->height = plain->height < 180 ? plain->height : 180;
    for (int y = 0; y + s->height <= plain->height; y += STEP)
        for (int x = 0; x + s->width <= plain->width; x += STEP) {
            int64_t sum = difference(plain, result, x, y, s->width, s->height);
            if (sum > most) {
                most = sum;
                s->x = x;
                s->y = y;
            }
        }
}

/* ---- the picture ---- */

static void paste(const sh_rgb *to, int left, const sh_rgb *from, const settings *s)
{
    for (int y = 0; y < s->height * s->zoom; y++)
        for (int x = 0; x < s->width * s->zoom; x++) {
            size_t at = (size_t)(s->y + y / s->zoom) * (size_t)from->width + (size_t)(s->x + x / s->zoom);
            memcpy(to->data + 3 * ((size_t)y * (size_t)to->width + (size_t)(left + x)), from->data + 3 * at,
                   3);
        }
}

static int draw(const settings *s, const sh_rgb *const *pictures, const char *const *names, int count,
                sh_err *err)
{
    const int step = s->width * s->zoom + GAP;
    sh_rgb image;
    if (!sh_rgb_new(&image, count * step - GAP, s->height * s->zoom))
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    memset(image.data, 255, (size_t)image.width * (size_t)image.height * 3);
    for (int i = 0; i < count; i++) {
        paste(&image, i * step, pictures[i], s);
        sh_label(&image, i * step + 8, 8, 2, names[i]);
    }
    int status = sh_png_write(s->png, &image, err);
    sh_rgb_free(&image);
    return status;
}

static int check_sizes(const settings *s, const sh_video_frame *source, const sh_video_frame *result,
                       const sh_video_frame *truth, sh_err *err)
{
    const sh_rgb *plain = &source->doubled, *other = &result->rgb,
                 *third = truth->rgb.data ? &truth->rgb : other;
    if (plain->width != other->width || plain->height != other->height || third->width != other->width ||
        third->height != other->height)
        return sh_fail(err, SH_E_ARGUMENT,
                       "sizes differ: the source doubled is %dx%d, the result %dx%d, the truth %dx%d",
                       plain->width, plain->height, other->width, other->height, third->width, third->height);
    if (s->width && (s->x < 0 || s->y < 0 || s->width < 1 || s->height < 1 ||
                     s->x > other->width - s->width || s->y > other->height - s->height))
        return sh_fail(err, SH_E_ARGUMENT, "--crop %d,%d,%d,%d leaves the picture of %dx%d", s->x, s->y,
                       s->width, s->height, other->width, other->height);
    return 0;
}

static int compare(settings *s, sh_err *err)
{
    static const char *const names[] = {"LANCZOS", "SPYHOP", "TRUTH"};
    sh_video_frame source = {0}, result = {0}, truth = {0};
    int status = sh_video_frame_read(&source, s->source, s->frame, true, err);
    if (status == 0)
        status = sh_video_frame_read(&result, s->result, s->frame, false, err);
    if (status == 0 && s->truth)
        status = sh_video_frame_read(&truth, s->truth, s->frame, false, err);
    if (status == 0)
        status = check_sizes(s, &source, &result, &truth, err);
    if (status == 0) {
        const sh_rgb *pictures[] = {&source.doubled, &result.rgb, &truth.rgb};
        if (!s->width)
            choose(s, &source.doubled_luma, &result.luma);
        status = draw(s, pictures, names, s->truth ? 3 : 2, err);
    }
    if (status == 0)
        printf("%s: frame %d, %dx%d at %d,%d, enlarged %d times\n", s->png, s->frame, s->width, s->height,
               s->x, s->y, s->zoom);
    sh_video_frame_free(&source);
    sh_video_frame_free(&result);
    sh_video_frame_free(&truth);
    return status;
}

/* ---- the command ---- */

static bool take_crop(settings *s, const char *text)
{
    int *const to[] = {&s->x, &s->y, &s->width, &s->height};
    for (int i = 0; i < 4; i++) {
        size_t length = strcspn(text, ",");
        int64_t value;
        if (!sh_parse_i64(text, length, i < 2 ? 0 : 1, 32768, &value) ||
            text[length] != (i < 3 ? ',' : '\0')) {
            fprintf(stderr, "spyhop compare: --crop takes X,Y,W,H in whole numbers\n");
            return false;
        }
        *to[i] = (int)value;
        text += length + 1;
    }
    return true;
}

static const struct option options[] = {
    {"source", required_argument, NULL, 's'},
    {"result", required_argument, NULL, 'r'},
    {"truth", required_argument, NULL, 't'},
    {"png", required_argument, NULL, 'p'},
    {"frame", required_argument, NULL, 'f'},
    {"crop", required_argument, NULL, 'c'},
    {"zoom", required_argument, NULL, 'z'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool take_option(int option, settings *s)
{
    switch (option) {
    case 's':
        s->source = optarg;
        return true;
    case 'r':
        s->result = optarg;
        return true;
    case 't':
        s->truth = optarg;
        return true;
    case 'p':
        s->png = optarg;
        return true;
    case 'f':
        return sh_option_int("compare", "--frame", optarg, 0, 100000000, &s->frame);
    case 'c':
        return take_crop(s, optarg);
    case 'z':
        return sh_option_int("compare", "--zoom", optarg, 1, 8, &s->zoom);
    default:
        return false;
    }
}

int sh_cmd_compare(int argc, char **argv)
{
    settings s = {.zoom = 2};
    sh_err err = {0};
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            usage(stdout);
            return SH_EXIT_OK;
        }
        if (!take_option(option, &s))
            return SH_EXIT_USAGE;
    }
    if (!s.source || !s.result || !s.png || optind != argc) {
        usage(stderr);
        return SH_EXIT_USAGE;
    }
    if (compare(&s, &err) == 0)
        return SH_EXIT_OK;
    fprintf(stderr, "spyhop compare: %s\n", err.message);
    return SH_EXIT_FAILED;
}
