/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/clock.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/models.h"
#include "cli/number.h"
#include "media/media.h"
#include "media/upscale.h"

#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <spyhop/spyhop.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PLAIN_EVERY_US 5000000

typedef struct screen {
    bool json, quiet, verbose, terminal;
    bool line_open; /* the terminal's line holds progress */
    int64_t start, printed_at;
} screen;

static void usage(FILE *out)
{
    fprintf(out,
            "usage: spyhop upscale [OPTION]... IN OUT\n\n"
            "Upscales the video IN to OUT (.mp4, .m4v, .mov, .mkv, .ts), as many times as the model does: "
            "H.264, every other\n"
            "track copied, time stamps and colour tags kept.\n\n"
            "  --model NAME|FILE.onnx  network for luma (default %s)\n"
            "  --crf N                 quality of x264, 0 best to 51 (default 17)\n"
            "  --preset P              speed of x264, ultrafast to placebo (default veryfast)\n"
            "  --threads N             threads (default: one for each CPU)\n"
            "  --cpu L                 c, avx2, avxvnni, avx512, avx512vnni or auto (default)\n"
            "  --precision P           int8, fp32 or auto (default: int8 for a quantised model)\n"
            "  --overwrite             replace OUT if it is there\n"
            "  --accept-damage         take what can be decoded of a damaged file\n"
            "  --json                  progress and result as JSON, one object a line, on stdout\n"
            "  --quiet                 no progress; --verbose: the libraries' own messages too\n",
            SH_MODEL_DEFAULT);
}

/* ---- progress ---- */

static void clear_line(screen *s)
{
    if (s->line_open)
        fputs("\r\033[K", stderr);
    s->line_open = false;
}

static void print_object(json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    if (text)
        printf("%s\n", text);
    fflush(stdout);
    free(text);
    json_decref(object);
}

static void print_words(screen *s, const sh_upscale_progress *p, double fps)
{
    char total[32] = "", rest[64] = "";
    if (p->expected > 0) {
        double left = fps > 0 ? (double)(p->expected - p->encoded) / fps : 0;
        int seconds = left > 0 ? (int)(left + 0.5) : 0;
        double percent = 100.0 * (double)p->encoded / (double)p->expected;
        snprintf(total, sizeof(total), "/%" PRId64, p->expected);
        snprintf(rest, sizeof(rest), ", %.0f%%, %d:%02d left", percent < 100 ? percent : 100.0, seconds / 60,
                 seconds % 60);
    }
    fprintf(stderr, "%sframe %" PRId64 "%s%s, %.1f fps%s", s->terminal ? "\r" : "", p->encoded, total, rest,
            fps, s->terminal ? "\033[K" : "\n");
    fflush(stderr);
    s->line_open = s->terminal;
}

static void on_progress(void *opaque, const sh_upscale_progress *p)
{
    screen *s = opaque;
    int64_t now = sh_monotonic_us();
    double elapsed = (double)(now - s->start) / 1e6;
    double fps = elapsed > 0 ? (double)p->encoded / elapsed : 0;
    if (s->quiet || (!s->terminal && !s->json && now - s->printed_at < PLAIN_EVERY_US))
        return;
    s->printed_at = now;
    if (s->json)
        print_object(json_pack("{s:s,s:I,s:I,s:I,s:f,s:f}", "type", "progress", "frames",
                               (json_int_t)p->encoded, "expected", (json_int_t)p->expected, "bytes",
                               (json_int_t)p->bytes, "fps", fps, "seconds", elapsed));
    else
        print_words(s, p, fps);
}

static void on_log(void *opaque, int level, const char *text)
{
    screen *s = opaque;
    if (level > SH_LOG_INFO && !s->verbose)
        return;
    clear_line(s);
    if (s->json) {
        json_t *words = json_string(text);
        print_object(json_pack("{s:s,s:i,s:o}", "type", "log", "level", level, "message",
                               words ? words : json_string("(not UTF-8)")));
    } else if (!s->quiet || level <= SH_LOG_WARNING) {
        fprintf(stderr, "spyhop upscale: %s%s\n", level <= SH_LOG_WARNING ? "warning: " : "", text);
    }
}

/* ---- the command ---- */

static void print_result(const screen *s, const sh_upscale_options *job, const sh_upscale_result *r)
{
    double fps = r->seconds > 0 ? (double)r->frames / r->seconds : 0;
    char name[SH_SHOWN];
    sh_shown_path(job->output, name);
    if (s->json)
        print_object(json_pack("{s:s,s:s,s:I,s:I,s:I,s:i,s:i,s:i,s:i,s:I,s:I,s:f,s:f,s:f}", "type", "result",
                               "output", name, "frames_in", (json_int_t)r->frames, "frames_out",
                               (json_int_t)r->frames, "damages", (json_int_t)r->damages, "width", r->width,
                               "height", r->height, "out_width", r->out_width, "out_height", r->out_height,
                               "bytes_in", (json_int_t)r->bytes_in, "bytes_out", (json_int_t)r->bytes_out,
                               "duration", r->duration, "seconds", r->seconds, "fps", fps));
    else if (!s->quiet)
        printf("%s: %" PRId64 " frames in, %" PRId64 " out, %dx%d to %dx%d, %" PRId64 " to %" PRId64
               " bytes, %.2f s, %.1f fps, %.2fx real time%s\n",
               name, r->frames, r->frames, r->width, r->height, r->out_width, r->out_height, r->bytes_in,
               r->bytes_out, r->seconds, fps, r->seconds > 0 ? r->duration / r->seconds : 0,
               r->damages ? ", damage accepted" : "");
}

enum {
    OPT_MODEL = 256,
    OPT_CRF,
    OPT_PRESET,
    OPT_THREADS,
    OPT_CPU,
    OPT_PRECISION,
    OPT_JSON,
    OPT_QUIET,
    OPT_VERBOSE,
    OPT_OVERWRITE,
    OPT_DAMAGE
};

static const struct option options[] = {
    {"model", required_argument, NULL, OPT_MODEL},
    {"crf", required_argument, NULL, OPT_CRF},
    {"preset", required_argument, NULL, OPT_PRESET},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"cpu", required_argument, NULL, OPT_CPU},
    {"precision", required_argument, NULL, OPT_PRECISION},
    {"json", no_argument, NULL, OPT_JSON},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {"verbose", no_argument, NULL, OPT_VERBOSE},
    {"overwrite", no_argument, NULL, OPT_OVERWRITE},
    {"accept-damage", no_argument, NULL, OPT_DAMAGE},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool is_preset(const char *name)
{
    static const char *const names[] = {"ultrafast", "superfast", "veryfast", "faster",   "fast",
                                        "medium",    "slow",      "slower",   "veryslow", "placebo"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    fprintf(stderr, "spyhop upscale: --preset takes ultrafast to placebo, not \"%s\"\n", name);
    return false;
}

/* 0, or the exit code plus one. */
static int take_option(int option, sh_upscale_options *job, screen *s, const char **model)
{
    bool good = true;
    switch (option) {
    case OPT_MODEL:
        *model = optarg;
        break;
    case OPT_CRF:
        good = sh_option_real("upscale", "--crf", optarg, 0, 51, &job->crf);
        break;
    case OPT_PRESET:
        good = is_preset(optarg);
        job->preset = optarg;
        break;
    case OPT_THREADS:
        good = sh_option_int("upscale", "--threads", optarg, 0, 256, &job->threads);
        break;
    case OPT_CPU:
        good = sh_option_cpu("upscale", optarg, &job->cpu);
        break;
    case OPT_PRECISION:
        good = sh_option_precision("upscale", optarg, &job->precision);
        break;
    case OPT_JSON:
        s->json = true;
        break;
    case OPT_QUIET:
        s->quiet = true;
        break;
    case OPT_VERBOSE:
        s->verbose = true;
        break;
    case OPT_OVERWRITE:
        job->overwrite = true;
        break;
    case OPT_DAMAGE:
        job->accept_damage = true;
        break;
    case 'h':
        usage(stdout);
        return SH_EXIT_OK + 1;
    default:
        good = false;
    }
    return good ? 0 : SH_EXIT_USAGE + 1;
}

/* Says why nothing was made. The exit code. */
static int fail(const screen *s, int status, const sh_err *err)
{
    fprintf(stderr, "spyhop upscale: %s\n", err->message);
    if (s->json)
        print_object(json_pack("{s:s,s:s,s:s}", "type", "error", "status", sh_status_name(status), "message",
                               err->message));
    return status == SH_E_CANCELLED ? SH_EXIT_INTERRUPTED : SH_EXIT_FAILED;
}

static int run(const sh_upscale_options *options_given, screen *s)
{
    const sh_upscale_job job = {options_given, on_progress, on_log, s};
    sh_upscale_result result;
    sh_err err = {0};
    s->start = s->printed_at = sh_monotonic_us();
    sh_media_catch_signals();
    int status = sh_upscale(&job, &result, &err);
    clear_line(s);
    if (status < 0)
        return fail(s, status, &err);
    print_result(s, options_given, &result);
    return SH_EXIT_OK;
}

int sh_cmd_upscale(int argc, char **argv)
{
    char model_path[PATH_MAX];
    const char *model = SH_MODEL_DEFAULT;
    screen s = {.terminal = isatty(STDERR_FILENO)};
    sh_upscale_options job;
    sh_err err = {0};
    int option;
    sh_upscale_options_default(&job);
    job.model = model_path;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        int code = take_option(option, &job, &s, &model);
        if (code)
            return code - 1;
    }
    if (argc - optind != 2) {
        usage(stderr);
        return SH_EXIT_USAGE;
    }
    job.input = argv[optind];
    job.output = argv[optind + 1];
    int status = sh_model_path(model, model_path, sizeof(model_path), &err);
    return status < 0 ? fail(&s, status, &err) : run(&job, &s);
}
