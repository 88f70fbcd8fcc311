/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spyhop bench: how fast a model runs here, beside what the processor could do at most.
 *
 * Frames run for a warm-up and then for a number of rounds; the reported rate is the median round's and the
 * spread that of the middle half of the rounds, relative to the median, so that a neighbour's burst of work
 * neither hides nor decides. The peak is measured before and after in the same process, with as many threads
 * at the same level. */
#include "cli/commands.h"
#include "cli/models.h"
#include "cli/number.h"
#include "base/clock.h"
#include "base/size.h"
#include "engine/dsp/peak.h"
#include <spyhop/spyhop.h>

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 15

typedef struct options {
    const char *model;
    int width, height;
    spyhop_settings settings;
    int seconds;
    int json;
} options;

typedef struct result {
    double fps, spread, gmac, peak;
    spyhop_settings settings; /* as the context settled on them */
    char model[128];
} result;

static void usage(FILE *out)
{
    fprintf(
        out,
        "usage: spyhop bench [OPTION]...\n"
        "Measures a model's steady-state speed, and the processor's multiply-add peak in the same run.\n\n"
        "  --model NAME|FILE    a network (default " SH_MODEL_DEFAULT ")\n"
        "  --size WxH           of the input (default 640x480)\n"
        "  --threads N          1 to 256 (default: one for each CPU)\n"
        "  --cpu LEVEL          c, avx2, avxvnni, avx512, avx512vnni, avx512fp16 or auto (default)\n"
        "  --precision P        int8, fp16, fp32 or auto (default: int8 for a quantised model)\n"
        "  --seconds S          for measuring frames, 1 to 600 (default 5)\n"
        "  --json               one JSON object: fps, gmac_per_s, peak_gmac_per_s, spread, threads, cpu, "
        "precision,\n"
        "                       width, height, model, rounds; the peak is of the same precision\n");
}

static bool read_size(const char *text, options *o)
{
    const char *x = strchr(text, 'x');
    int64_t width, height;
    if (!x || !sh_parse_i64(text, (size_t)(x - text), 1, SPYHOP_MAX_SIDE, &width) ||
        !sh_parse_i64(x + 1, strlen(x + 1), 1, SPYHOP_MAX_SIDE, &height)) {
        fprintf(stderr, "spyhop bench: --size takes WIDTHxHEIGHT, each 1 to %d, not \"%s\"\n",
                SPYHOP_MAX_SIDE, text);
        return false;
    }
    o->width = (int)width;
    o->height = (int)height;
    return true;
}

enum { OPT_MODEL = 256, OPT_SIZE, OPT_THREADS, OPT_CPU, OPT_PRECISION, OPT_SECONDS, OPT_JSON, OPT_HELP };

static bool read_option(int option, const char *value, options *o)
{
    switch (option) {
    case OPT_MODEL:
        o->model = value;
        return true;
    case OPT_SIZE:
        return read_size(value, o);
    case OPT_THREADS:
        return sh_option_int("bench", "--threads", value, 1, 256, &o->settings.threads);
    case OPT_CPU:
        return sh_option_cpu("bench", value, &o->settings.cpu);
    case OPT_PRECISION:
        return sh_option_precision("bench", value, &o->settings.precision);
    case OPT_SECONDS:
        return sh_option_int("bench", "--seconds", value, 1, 600, &o->seconds);
    case OPT_JSON:
        o->json = 1;
        return true;
    default:
        return false;
    }
}

/* 0, or the exit code; *help when help was asked for. */
static int read_options(int argc, char **argv, options *o, int *help)
{
    static const struct option names[] = {{"model", required_argument, NULL, OPT_MODEL},
                                          {"size", required_argument, NULL, OPT_SIZE},
                                          {"threads", required_argument, NULL, OPT_THREADS},
                                          {"cpu", required_argument, NULL, OPT_CPU},
                                          {"precision", required_argument, NULL, OPT_PRECISION},
                                          {"seconds", required_argument, NULL, OPT_SECONDS},
                                          {"json", no_argument, NULL, OPT_JSON},
                                          {"help", no_argument, NULL, OPT_HELP},
                                          {NULL, 0, NULL, 0}};
    int option, code = SH_EXIT_OK;
    optind = 1;
    while (code == SH_EXIT_OK && !*help && (option = getopt_long(argc, argv, "h", names, NULL)) != -1) {
        if (option == OPT_HELP || option == 'h')
            *help = 1;
        else
            code = read_option(option, optarg, o) ? SH_EXIT_OK : SH_EXIT_USAGE;
    }
    if (code == SH_EXIT_OK && !*help && optind < argc) {
        fprintf(stderr, "spyhop bench: '%s' is not an option\n", argv[optind]);
        code = SH_EXIT_USAGE;
    }
    if (code != SH_EXIT_OK)
        fprintf(stderr, "See spyhop bench --help\n");
    return code;
}

/* The planes of a picture with edges, slopes and noise, so that nothing is constant. */
typedef struct frame {
    spyhop_plane in[3], out[3];
    int count;
} frame;

static void frame_free(frame *f)
{
    for (int i = 0; i < f->count; i++) {
        free(f->in[i].data);
        free(f->out[i].data);
    }
}

static int frame_make(frame *f, int width, int height, const spyhop_model_info *info, sh_err *err)
{
    uint32_t random = 1;
    int scale = info->scale;
    size_t samples = (size_t)width * (size_t)height;
    if (width > SPYHOP_MAX_SIDE / scale || height > SPYHOP_MAX_SIDE / scale)
        return sh_fail(err, SH_E_ARGUMENT, "--size %dx%d: enlarged by %d that is more than %d", width, height,
                       scale, SPYHOP_MAX_SIDE);
    for (f->count = 0; f->count < info->channels; f->count++) {
        uint8_t *in = malloc(samples), *out = calloc(samples, (size_t)scale * (size_t)scale);
        f->in[f->count] = (spyhop_plane){in, width, width, height, 8};
        f->out[f->count] = (spyhop_plane){out, (ptrdiff_t)width * scale, width * scale, height * scale, 8};
        if (!in || !out) {
            f->count++;
            return sh_fail(err, SH_E_MEMORY, "out of memory for a picture of %d x %d", width, height);
        }
        for (size_t i = 0; i < samples; i++) {
            random = random * 1664525 + 1013904223;
            in[i] = (uint8_t)((i % (size_t)width / 8 + i / (size_t)width) * 3 + (random >> 28));
        }
    }
    return SH_OK;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Seconds for `frames` frames. */
static int run_frames(spyhop_context *context, const frame *f, int frames, double *seconds,
                      spyhop_error *error)
{
    int64_t start = sh_monotonic_us();
    for (int i = 0; i < frames; i++) {
        int status = spyhop_run_planes(context, f->in, f->out, f->count, error);
        if (status < 0)
            return status;
    }
    *seconds = (double)(sh_monotonic_us() - start) * 1e-6;
    return SH_OK;
}

/* A fifth of the time warms up and tells how many frames make a round. */
static int measure(spyhop_context *context, const frame *f, const options *o, result *r, spyhop_error *error)
{
    double rates[ROUNDS], spent = 0, seconds = 0;
    int frames = 0, status = SH_OK;
    while (spent < o->seconds * 0.2) {
        status = run_frames(context, f, 1, &seconds, error);
        if (status < 0)
            return status;
        spent += seconds;
        frames++;
    }
    frames = frames * 4 / ROUNDS > 1 ? frames * 4 / ROUNDS : 1;
    for (int i = 0; i < ROUNDS; i++) {
        status = run_frames(context, f, frames, &seconds, error);
        if (status < 0)
            return status;
        rates[i] = frames / (seconds > 0 ? seconds : 1e-6);
    }
    qsort(rates, ROUNDS, sizeof(rates[0]), compare_doubles);
    r->fps = rates[ROUNDS / 2];
    r->spread = (rates[ROUNDS * 3 / 4] - rates[ROUNDS / 4]) / r->fps;
    return SH_OK;
}

static int measure_all(spyhop_context *context, const spyhop_model_info *info, const options *o, result *r,
                       sh_err *err)
{
    frame f = {.count = 0};
    spyhop_error error = {.status = 0};
    double before = 0, after = 0;
    spyhop_get_settings(context, &r->settings);
    const int precision = r->settings.precision;
    const sh_peak_kind kind = precision == SPYHOP_PRECISION_INT8   ? SH_PEAK_WHOLE
                              : precision == SPYHOP_PRECISION_FP16 ? SH_PEAK_HALF
                                                                   : SH_PEAK_SINGLE;
    if (kind == SH_PEAK_HALF && r->settings.cpu < SPYHOP_CPU_AVX512FP16)
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "--precision fp16 is imitated by %s: nothing to measure without avx512fp16",
                       spyhop_cpu_name(r->settings.cpu));
    int status = frame_make(&f, o->width, o->height, info, err);
    if (status == SH_OK)
        status = sh_peak_measure(r->settings.cpu, kind, r->settings.threads, 0.5, &before, err);
    if (status == SH_OK) {
        status = measure(context, &f, o, r, &error);
        if (status < 0)
            sh_fail(err, status, "%s", error.message);
    }
    if (status == SH_OK)
        status = sh_peak_measure(r->settings.cpu, kind, r->settings.threads, 0.5, &after, err);
    r->peak = before > after ? before : after;
    r->gmac = r->fps * (double)info->macs_per_pixel * o->width * o->height * 1e-9;
    snprintf(r->model, sizeof(r->model), "%s", info->name);
    frame_free(&f);
    return status;
}

static int bench(const options *o, result *r, sh_err *err)
{
    char path[4096];
    spyhop_model *model = NULL;
    spyhop_context *context = NULL;
    spyhop_model_info info = {.size = sizeof(info)};
    spyhop_error error = {.status = 0};
    int status = sh_model_path(o->model, path, sizeof(path), err);
    if (status < 0)
        return status;
    status = spyhop_model_load(&model, path, &error);
    if (status == SH_OK)
        status = spyhop_model_describe(model, &info);
    if (status == SH_OK)
        status = spyhop_open(&context, model, &o->settings, &error);
    if (status < 0)
        sh_fail(err, status, "%s", error.message);
    else
        status = measure_all(context, &info, o, r, err);
    spyhop_close(&context);
    spyhop_model_free(&model);
    return status;
}

static int print_json(const options *o, const result *r)
{
    json_t *object = json_pack("{s:f, s:f, s:f, s:f, s:i, s:s, s:s, s:i, s:i, s:s, s:i}", "fps", r->fps,
                               "gmac_per_s", r->gmac, "peak_gmac_per_s", r->peak, "spread", r->spread,
                               "threads", r->settings.threads, "cpu", spyhop_cpu_name(r->settings.cpu),
                               "precision", spyhop_precision_name(r->settings.precision), "width", o->width,
                               "height", o->height, "model", o->model, "rounds", ROUNDS);
    int failed =
        !object || json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) < 0 || puts("") < 0;
    json_decref(object);
    return failed;
}

static int print_table(const options *o, const result *r)
{
    printf("%-16s %s (%s)\n%-16s %d x %d\n%-16s %d\n%-16s %s, %s\n", "model", o->model, r->model, "input",
           o->width, o->height, "threads", r->settings.threads, "cpu", spyhop_cpu_name(r->settings.cpu),
           spyhop_precision_name(r->settings.precision));
    return printf(
               "%-16s %.2f (median of %d rounds, spread %.1f %%)\n%-16s %.1f\n%-16s %.1f (%.0f %% reached)\n",
               "fps", r->fps, ROUNDS, r->spread * 100, "GMAC/s", r->gmac, "peak GMAC/s", r->peak,
               r->peak > 0 ? r->gmac / r->peak * 100 : 0) < 0;
}

int sh_cmd_bench(int argc, char **argv)
{
    options o = {.model = SH_MODEL_DEFAULT, .width = 640, .height = 480, .seconds = 5};
    result r = {.fps = 0};
    sh_err err = {.status = 0};
    int help = 0;
    spyhop_settings_default(&o.settings);
    int code = read_options(argc, argv, &o, &help);
    if (help) {
        usage(stdout);
        return SH_EXIT_OK;
    }
    if (code != SH_EXIT_OK)
        return code;
    if (bench(&o, &r, &err) < 0) {
        fprintf(stderr, "spyhop bench: %s\n", err.message);
        return SH_EXIT_FAILED;
    }
    if ((o.json ? print_json(&o, &r) : print_table(&o, &r)) || fflush(stdout) != 0) {
        fprintf(stderr, "spyhop bench: cannot write the result\n");
        return SH_EXIT_FAILED;
    }
    return SH_EXIT_OK;
}
