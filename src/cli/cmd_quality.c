/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/commands.h"
#include "cli/models.h"
#include "cli/number.h"
#include "media/image.h"
#include "media/media.h"
#include "media/metric.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <spyhop/spyhop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PICTURES_MAX 100000

enum { MODEL, BICUBIC, LANCZOS, METHODS };
static const char *const prefixes[METHODS] = {"", "bicubic_", "lanczos_"};

typedef struct scores {
    double psnr[METHODS], ssim[METHODS];
    int width, height;
} scores;

typedef struct network {
    spyhop_model *model;
    spyhop_context *engine;
    int scale;
} network;

typedef struct settings {
    const char *model;
    int cpu, precision, threads;
    bool json;
} settings;

static void usage(FILE *out)
{
    fprintf(out,
            "usage: spyhop quality [--model NAME|FILE.onnx] [--cpu L] [--precision P] [--threads N] [--json] "
            "DIR\n\n"
            "Reduces each picture of DIR by the model's scale (antialiased bicubic, as MATLAB's imresize), "
            "enlarges it again\n"
            "with the model, and measures luma against the original: PSNR in dB and SSIM, as many pixels of "
            "border left out as\n"
            "the scale, beside bicubic and Lanczos enlargement.\n");
}

/* ---- the pictures ---- */

static int is_picture(const struct dirent *entry)
{
    static const char *const endings[] = {"png", "jpg",  "jpeg", "bmp", "webp",
                                          "tif", "tiff", "ppm",  "pgm", "gif"};
    const char *dot = strrchr(entry->d_name, '.');
    for (size_t i = 0; dot && entry->d_name[0] != '.' && i < sizeof(endings) / sizeof(endings[0]); i++)
        if (strcasecmp(dot + 1, endings[i]) == 0)
            return 1;
    return 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* ---- one picture ---- */

/* To whole multiples of the scale. */
static void crop(sh_plane8 *p, int scale)
{
    const int width = p->width / scale * scale, height = p->height / scale * scale;
    for (int y = 0; y < height; y++)
        memmove(p->data + (size_t)y * (size_t)width, p->data + (size_t)y * (size_t)p->width, (size_t)width);
    p->width = width;
    p->height = height;
}

static int enlarge(int method, const sh_plane8 *out, const sh_plane8 *in, spyhop_context *engine, sh_err *err)
{
    const spyhop_plane from = {in->data, in->width, in->width, in->height, 8};
    const spyhop_plane to = {out->data, out->width, out->width, out->height, 8};
    spyhop_error error;
    if (method == MODEL) {
        int status = spyhop_run(engine, &from, &to, &error);
        return status < 0 ? sh_fail(err, status, "%s", error.message) : 0;
    }
    return sh_imresize(out, in, method == BICUBIC ? SH_KERNEL_CUBIC : SH_KERNEL_LANCZOS3)
               ? 0
               : sh_fail(err, SH_E_MEMORY, "memory is short");
}

static int measure(scores *s, const sh_plane8 *truth, const network *net, sh_err *err)
{
    sh_plane8 small = {0}, result = {0};
    int status = sh_plane8_new(&small, truth->width / net->scale, truth->height / net->scale) &&
                         sh_plane8_new(&result, truth->width, truth->height) &&
                         sh_imresize(&small, truth, SH_KERNEL_CUBIC)
                     ? 0
                     : sh_fail(err, SH_E_MEMORY, "memory is short");
    for (int i = 0; i < METHODS && status == 0; i++) {
        status = enlarge(i, &result, &small, net->engine, err);
        s->psnr[i] = sh_psnr(truth, &result, net->scale);
        s->ssim[i] = sh_ssim(truth, &result, net->scale);
    }
    s->width = truth->width;
    s->height = truth->height;
    sh_plane8_free(&small);
    sh_plane8_free(&result);
    return status;
}

static int measure_file(scores *s, const char *folder, const char *name, const network *net, sh_err *err)
{
    char *path = NULL;
    sh_plane8 truth = {0};
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    int status = sh_image_read_luma(&truth, path, err);
    if (status == 0) {
        crop(&truth, net->scale);
        status = truth.width < 16 || truth.height < 16
                     ? sh_fail(err, SH_E_ARGUMENT, "%s: smaller than 16x16, too small to measure", name)
                     : measure(s, &truth, net, err);
    }
    sh_plane8_free(&truth);
    free(path);
    return status;
}

/* ---- output ---- */

static json_t *as_json(const scores *s)
{
    char key[32];
    json_t *object = json_object();
    for (int i = 0; i < METHODS; i++) {
        snprintf(key, sizeof(key), "%spsnr_y", prefixes[i]);
        json_object_set_new(object, key, json_real(s->psnr[i]));
        snprintf(key, sizeof(key), "%sssim_y", prefixes[i]);
        json_object_set_new(object, key, json_real(s->ssim[i]));
    }
    return object;
}

static void print_row(const char *name, const scores *s)
{
    printf("%-24.24s %8.2f %7.4f %8.2f %7.4f %8.2f %7.4f\n", name, s->psnr[MODEL], s->ssim[MODEL],
           s->psnr[BICUBIC], s->ssim[BICUBIC], s->psnr[LANCZOS], s->ssim[LANCZOS]);
}

static void print_table_head(const char *model)
{
    printf("%-24s %16.16s %16s %16s\n%-24s %8s %7s %8s %7s %8s %7s\n", "", model, "bicubic", "lanczos",
           "picture", "PSNR-Y", "SSIM-Y", "PSNR-Y", "SSIM-Y", "PSNR-Y", "SSIM-Y");
}

static void add_image(json_t *images, const char *name, const scores *s)
{
    char shown[SH_SHOWN];
    json_t *image = as_json(s);
    json_object_set_new(image, "name", json_string(sh_shown_path(name, shown)));
    json_object_set_new(image, "width", json_integer(s->width));
    json_object_set_new(image, "height", json_integer(s->height));
    json_array_append_new(images, image);
}

static void add_scores(scores *sum, const scores *s)
{
    for (int i = 0; i < METHODS; i++) {
        sum->psnr[i] += s->psnr[i];
        sum->ssim[i] += s->ssim[i];
    }
}

static int conclude(const settings *set, const scores *sum, int count, json_t *images, sh_err *err)
{
    char model[SH_SHOWN];
    scores mean = *sum;
    for (int i = 0; i < METHODS; i++) {
        mean.psnr[i] /= count;
        mean.ssim[i] /= count;
    }
    if (!set->json) {
        print_row("mean", &mean);
        return 0;
    }
    json_t *all = json_pack("{s:s,s:O,s:o}", "model", sh_shown_path(set->model, model), "images", images,
                            "mean", as_json(&mean));
    char *text = all ? json_dumps(all, JSON_INDENT(2) | JSON_REAL_PRECISION(8)) : NULL;
    if (text)
        printf("%s\n", text);
    free(text);
    json_decref(all);
    return text ? 0 : sh_fail(err, SH_E_INTERNAL, "the report cannot be put as JSON");
}

/* ---- the command ---- */

static int measure_all(const settings *set, const char *folder, const network *net, sh_err *err)
{
    struct dirent **names = NULL;
    scores sum = {0};
    int status = 0, count = scandir(folder, &names, is_picture, by_bytes);
    if (count < 0)
        return sh_fail_errno(err, errno, "%s", folder);
    json_t *images = json_array();
    if (count == 0 || count > PICTURES_MAX)
        status = sh_fail(err, SH_E_NOT_FOUND, "%s: no pictures (png, jpg, bmp, webp, tiff, ppm, pgm, gif)",
                         folder);
    else if (!set->json)
        print_table_head(set->model);
    for (int i = 0; i < count && status == 0; i++) {
        scores one = {0};
        char shown[SH_SHOWN];
        status = measure_file(&one, folder, names[i]->d_name, net, err);
        if (status < 0)
            break;
        add_scores(&sum, &one);
        add_image(images, names[i]->d_name, &one);
        if (!set->json)
            print_row(sh_shown_path(names[i]->d_name, shown), &one);
    }
    if (status == 0)
        status = conclude(set, &sum, count, images, err);
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
    json_decref(images);
    return status;
}

static int open_network(network *net, const settings *set, sh_err *err)
{
    char path[PATH_MAX];
    spyhop_error error;
    spyhop_settings run;
    spyhop_model_info info = {.size = sizeof(info)};
    int status = sh_model_path(set->model, path, sizeof(path), err);
    if (status < 0)
        return status;
    spyhop_settings_default(&run);
    run.cpu = set->cpu;
    run.precision = set->precision;
    run.threads = set->threads;
    status = spyhop_model_load(&net->model, path, &error);
    if (status < 0)
        return sh_fail(err, status, "model: %s", error.message);
    spyhop_model_describe(net->model, &info);
    if (info.scale < 2)
        return sh_fail(
            err, SH_E_UNSUPPORTED,
            "%s keeps the size of pictures: only a model that enlarges can be measured against them", path);
    if (info.channels != 1)
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "%s makes pictures of %d channels: only a model of one channel (luma) is measured",
                       path, info.channels);
    net->scale = info.scale;
    status = spyhop_open(&net->engine, net->model, &run, &error);
    return status < 0 ? sh_fail(err, status, "model: %s", error.message) : 0;
}

static const struct option options[] = {
    {"model", required_argument, NULL, 'm'},
    {"cpu", required_argument, NULL, 'c'},
    {"precision", required_argument, NULL, 'p'},
    {"threads", required_argument, NULL, 't'},
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool take_option(int option, settings *set)
{
    switch (option) {
    case 'm':
        set->model = optarg;
        return true;
    case 'c':
        return sh_option_cpu("quality", optarg, &set->cpu);
    case 'p':
        return sh_option_precision("quality", optarg, &set->precision);
    case 't':
        return sh_option_int("quality", "--threads", optarg, 0, 256, &set->threads);
    case 'j':
        set->json = true;
        return true;
    default:
        return false;
    }
}

int sh_cmd_quality(int argc, char **argv)
{
    settings set = {.model = SH_MODEL_DEFAULT, .cpu = SPYHOP_CPU_AUTO};
    network net = {0};
    sh_err err = {0};
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            usage(stdout);
            return SH_EXIT_OK;
        }
        if (!take_option(option, &set))
            return SH_EXIT_USAGE;
    }
    if (argc - optind != 1) {
        usage(stderr);
        return SH_EXIT_USAGE;
    }
    int status = open_network(&net, &set, &err);
    if (status == 0)
        status = measure_all(&set, argv[optind], &net, &err);
    if (status < 0)
        fprintf(stderr, "spyhop quality: %s\n", err.message);
    spyhop_close(&net.engine);
    spyhop_model_free(&net.model);
    return status < 0 ? SH_EXIT_FAILED : SH_EXIT_OK;
}
