/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"
#include "cli/commands.h"
#include "cli/upscale_options.h"
#include "media/media.h"
#include "media/probe_job.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a file is and what would be done to it, from the JSON text of probe_job.h. That text comes from a
 * process that has read a file of unknown origin: every value is taken for what it is, one of another kind
 * reads as 0 or "", and nothing that steers a terminal is printed. */

enum { REPORT_MOST = 8 << 20, TRACKS_SHOWN = 6 };

static void usage(FILE *out)
{
    fprintf(out,
            "usage: spyhop probe [OPTION]... IN [OUT]\n\n"
            "Says what the video IN is, measured where its tags may be wrong, and what upscale would do to "
            "it and why.\n"
            "OUT, which is not written, tells by its ending for what container (default: one that fits "
            "IN). The options\n"
            "are those of upscale; the plan is the one that upscale follows.\n\n");
    sh_upscale_words_help(out);
    fprintf(out, "  --no-estimate           no trial for the time and size that upscale would take\n"
                 "  --json                  everything as one JSON object on stdout\n"
                 "  -v, --verbose           the libraries' own messages too\n\n"
                 "Exit codes: 0 done, 1 IN cannot be read, 2 wrong usage, 130 interrupted.\n");
}

/* ---- values ---- */

static const json_t *at(const json_t *object, const char *key)
{
    return json_object_get(object, key);
}

static const char *word(const json_t *object, const char *key)
{
    const char *text = json_string_value(at(object, key));
    return text ? text : "";
}

static int64_t whole(const json_t *object, const char *key)
{
    return json_integer_value(at(object, key));
}

static double real(const json_t *object, const char *key)
{
    return json_number_value(at(object, key));
}

static bool is(const json_t *object, const char *key)
{
    return json_is_true(at(object, key));
}

/* ---- lines ---- */

/* Bytes below a space, and the second byte of the controls above 127, do not reach the terminal. */
static void print_safe(const char *text)
{
    unsigned char before = 0;
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        const bool control = c < 0x20 || c == 0x7f || (before == 0xc2 && c >= 0x80 && c < 0xa0);
        putchar(control ? '?' : c);
        before = c;
    }
}

static void row(const char *label, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void row(const char *label, const char *format, ...)
{
    char text[1200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    printf("%-11.20s", label);
    print_safe(text);
    putchar('\n');
}

static const char *bytes_words(double bytes, char text[32])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    size_t unit = 0;
    while (bytes >= 999.5 && unit < 4) {
        bytes /= 1000;
        unit++;
    }
    snprintf(text, 32, unit == 0 || bytes >= 99.5 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
    return text;
}

static const char *time_words(double seconds, char text[32])
{
    const int64_t all = (int64_t)(seconds + 0.5);
    if (seconds < 60)
        snprintf(text, 32, "%.*f s", seconds < 10 ? 2 : 1, seconds);
    else if (all < 3600)
        snprintf(text, 32, "%" PRId64 " min %02" PRId64 " s", all / 60, all % 60);
    else
        snprintf(text, 32, "%" PRId64 " h %02" PRId64 " min", all / 3600, all % 3600 / 60);
    return text;
}

/* "30000/1001" as a number. */
static double ratio(const char *text)
{
    char *end;
    const double above = strtod(text, &end);
    const double below = *end == '/' || *end == ':' ? strtod(end + 1, NULL) : 1;
    return below > 0 ? above / below : 0;
}

/* ---- facts ---- */

static void print_file(const json_t *report)
{
    const json_t *file = at(report, "file");
    char size[32], length[32], start[48] = "";
    if (real(file, "start") != 0)
        snprintf(start, sizeof(start), ", begins at %.3f s", real(file, "start"));
    row("file", "%s, %s, %s (by %s)%s%s", word(file, "container_name"),
        bytes_words(real(file, "bytes"), size),
        json_is_null(at(file, "duration")) ? "of unknown length" : time_words(real(file, "duration"), length),
        word(file, "duration_by"), start, is(file, "edit_list") ? ", with an edit list" : "");
}

static void print_video(const json_t *report)
{
    const json_t *video = at(report, "video"), *file = at(report, "file");
    const char *rate = word(video, "rate");
    char turned[64] = "", range[64] = "", gaps[48] = "", frames[64] = "";
    if (whole(video, "rotation") || is(video, "mirrored"))
        snprintf(turned, sizeof(turned), ", to be shown %sturned by %d degrees",
                 is(video, "mirrored") ? "mirrored, " : "", (int)whole(video, "rotation"));
    row("video", "%s%s%s, %" PRId64 "x%" PRId64 ", %" PRId64 " bits %s, pixels %s%s, shown %s%s",
        word(video, "codec"), *word(video, "profile") ? " " : "", word(video, "profile"),
        whole(video, "width"), whole(video, "height"), whole(video, "bits"), word(video, "chroma"),
        word(video, "sar"), is(video, "sar_told") ? "" : " (assumed)", word(video, "dar"), turned);
    if (is(video, "vfr"))
        snprintf(range, sizeof(range), " on average, varying: %.1f to %.1f ms a frame",
                 1e3 * real(video, "step_min"), 1e3 * real(video, "step_max"));
    else if (whole(video, "gaps") > 0)
        snprintf(gaps, sizeof(gaps), ", with %d gap%s", (int)whole(video, "gaps"),
                 whole(video, "gaps") > 1 ? "s" : "");
    if (whole(file, "frames") > 0)
        snprintf(frames, sizeof(frames), "; %" PRId64 " frames (by %s)", whole(file, "frames"),
                 word(file, "frames_by"));
    row("rate", "%.3f a second%s%s%s", ratio(rate),
        *range  ? range
        : *rate ? ", constant"
                : ", not known",
        gaps, frames);
}

static void print_scan(const json_t *report)
{
    const json_t *scan = at(report, "scan");
    const int64_t combed = whole(scan, "frames_top_first") + whole(scan, "frames_bottom_first");
    const char *found = word(scan, "measured");
    const bool unknown = strcmp(found, "unknown") == 0, mixed = strcmp(found, "mixed") == 0;
    char what[80];
    snprintf(what, sizeof(what), "%s",
             !is(scan, "interlaced") ? "progressive"
             : mixed                 ? "partly interlaced"
                                     : "interlaced");
    if (is(scan, "interlaced"))
        snprintf(what + strlen(what), sizeof(what) - strlen(what), ", %s field first",
                 is(scan, "top_field_first") ? "top" : "bottom");
    row("scan",
        "%s (%s: %" PRId64 " of %" PRId64 " frames that move are combed; %" PRId64
        " flagged as interlaced)%s%s",
        what, unknown ? "by its flags, too little moves" : "measured", combed,
        combed + whole(scan, "frames_progressive"), whole(scan, "frames_flagged"),
        is(scan, "telecine") ? "; 3:2 pulldown" : "", is(scan, "soft_telecine") ? "; soft telecine" : "");
}

static void print_colour(const json_t *report)
{
    const json_t *colour = at(report, "colour"), *taken = at(colour, "taken"), *hdr = at(report, "hdr");
    const json_t *dolby = at(hdr, "dolby_vision"), *light = at(hdr, "light_level");
    char words[80] = "", levels[80] = "";
    row("colour", "%s primaries, %s transfer, %s matrix, %s range%s%s", word(taken, "primaries"),
        word(taken, "transfer"), word(taken, "matrix"), word(taken, "range"),
        *word(colour, "assumed") ? "; assumed: " : "", word(colour, "assumed"));
    if (json_is_object(dolby))
        snprintf(words, sizeof(words), ", Dolby Vision profile %d.%d", (int)whole(dolby, "profile"),
                 (int)whole(dolby, "compatibility"));
    if (json_is_object(light))
        snprintf(levels, sizeof(levels), ", at most %" PRId64 ", on average %" PRId64 " cd/m2",
                 whole(light, "max_cll"), whole(light, "max_fall"));
    if (strcmp(word(hdr, "kind"), "none") != 0 || *words)
        row("hdr", "%s%s%s%s", word(hdr, "kind"),
            json_is_object(at(hdr, "mastering_display")) ? ", mastering display told" : "", levels, words);
}

static void print_also(const json_t *report)
{
    const json_t *file = at(report, "file");
    char chapters[32] = "";
    if (whole(file, "chapters") > 0)
        snprintf(chapters, sizeof(chapters), "  %d chapters", (int)whole(file, "chapters"));
    const char *timecode = is(file, "timecode") ? "  time code" : "";
    const char *captions = is(at(report, "video"), "captions") ? "  captions in the pictures" : "";
    if (*chapters || *timecode || *captions)
        row("also", "%s%s%s", *chapters ? chapters + 2 : "",
            *chapters ? timecode : timecode + (*timecode ? 2 : 0),
            *chapters || *timecode ? captions : captions + 2);
}

static void print_tracks(const json_t *report)
{
    const json_t *tracks = at(report, "tracks");
    const size_t count = json_array_size(tracks);
    size_t shown = 0;
    for (size_t i = 0; i < count && shown < TRACKS_SHOWN; i++) {
        const json_t *track = json_array_get(tracks, i);
        if (is(track, "upscaled"))
            continue;
        char channels[32] = "";
        if (whole(track, "channels") > 0)
            snprintf(channels, sizeof(channels), ", %d channels", (int)whole(track, "channels"));
        row(shown++ ? "" : "tracks", "%d %s %s%s%s%s%s%s", (int)whole(track, "index"), word(track, "type"),
            *word(track, "codec") ? word(track, "codec") : word(track, "tag"), channels,
            *word(track, "language") ? ", " : "", word(track, "language"), *word(track, "title") ? ", " : "",
            word(track, "title"));
    }
    const int64_t all = whole(report, "track_count");
    if (all > (int64_t)shown + 1)
        row("", "and %" PRId64 " more", all - (int64_t)shown - 1);
    print_also(report);
}

static void print_sample(const json_t *report)
{
    const json_t *sample = at(report, "sample");
    char detail[80] = "";
    const int64_t places = whole(sample, "places"), damages = whole(sample, "damages");
    if (!json_is_null(at(sample, "detail_across")))
        snprintf(detail, sizeof(detail), "; detail fills %.0f%% of the width",
                 100 * real(sample, "detail_across"));
    if (!json_is_null(at(sample, "detail_down")))
        snprintf(detail + strlen(detail), sizeof(detail) - strlen(detail), "%s, %.0f%% of the height",
                 *detail ? "" : "; detail fills", 100 * real(sample, "detail_down"));
    row("sample",
        "%" PRId64 " frames at %" PRId64 " place%s; %" PRId64 " of %" PRId64 " repeat the one before%s",
        whole(sample, "frames"), places, places == 1 ? "" : "s", whole(sample, "duplicates"),
        whole(sample, "duplicates_of"), detail);
    if (damages == 0)
        row("damage", "none in the sample");
    else
        row("damage", "%" PRId64 " in the sample; %s", damages, word(sample, "damage"));
}

/* ---- plan ---- */

static void print_estimate(const json_t *report)
{
    const json_t *estimate = at(report, "estimate");
    char time[32], size[32];
    if (!json_is_object(estimate))
        return;
    if (json_is_null(at(estimate, "seconds")))
        row("estimate", "none: how many frames there are is not known");
    if (json_is_null(at(estimate, "seconds")))
        return;
    time_words(real(estimate, "seconds"), time);
    bytes_words(real(estimate, "bytes"), size);
    row("estimate",
        "%s, %s, for %" PRId64 " frames; from the first %" PRId64
        " (decode %.1f, engine %.1f, encode %.1f ms each)",
        time, size, whole(estimate, "frames"), whole(estimate, "sampled"), real(estimate, "decode_ms"),
        real(estimate, "engine_ms"), real(estimate, "encode_ms"));
}

static void print_plan(const json_t *report)
{
    const json_t *plan = at(report, "plan"), *notes = at(plan, "notes"), *losses = at(plan, "losses");
    const char *refused = word(report, "refused");
    printf("\n");
    row("plan", "to %s by the model %s, %d times", word(report, "output"), word(at(report, "model"), "name"),
        (int)whole(at(report, "model"), "scale"));
    if (*refused)
        row("refused", "%s", refused);
    for (size_t i = 0; i < json_array_size(notes); i++) {
        const json_t *note = json_array_get(notes, i);
        row(word(note, "topic"), "%s%s%s%s", word(note, "what"), *word(note, "why") ? " (" : "",
            word(note, "why"), *word(note, "why") ? ")" : "");
    }
    for (size_t i = 0; i < json_array_size(losses); i++) {
        const char *text = json_string_value(json_array_get(losses, i));
        row("loss", "%s (needs --allow-loss)", text ? text : "");
    }
    print_estimate(report);
}

static int print_report(const sh_buf *text, bool json)
{
    json_error_t error;
    json_t *report = json_loadb(sh_buf_cstr(text), text->length, 0, &error);
    if (!json_is_object(report)) {
        json_decref(report);
        fprintf(stderr, "spyhop probe: the child process gave a report that is none\n");
        return SH_EXIT_FAILED;
    }
    if (json) {
        char *words = json_dumps(report, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
        printf("%s\n", words ? words : "");
        free(words);
    } else {
        print_file(report);
        print_video(report);
        print_scan(report);
        print_colour(report);
        print_tracks(report);
        print_sample(report);
        print_plan(report);
    }
    json_decref(report);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return SH_EXIT_OK;
    fprintf(stderr, "spyhop probe: the report cannot be written to standard output\n");
    return SH_EXIT_FAILED;
}

/* ---- the command ---- */

static void on_log(void *opaque, int level, const char *text)
{
    const sh_upscale_words *words = opaque;
    if (words->verbose || level <= SH_LOG_ERROR)
        fprintf(stderr, "spyhop probe: %s\n", text);
}

/* Takes the word out of the arguments wherever it stands. */
static bool take_flag(int *argc, char **argv, const char *flag)
{
    int kept = 1;
    for (int i = 1; i < *argc; i++)
        if (strcmp(argv[i], flag) != 0)
            argv[kept++] = argv[i];
    const bool found = kept < *argc;
    *argc = kept;
    argv[kept] = NULL;
    return found;
}

int sh_cmd_probe(int argc, char **argv)
{
    sh_upscale_words words;
    sh_buf report;
    sh_err err = {0};
    int first;
    const bool no_estimate = argc > 1 && take_flag(&argc, argv, "--no-estimate");
    if (!sh_upscale_words_read(&words, "probe", argc, argv, &first))
        return SH_EXIT_USAGE;
    if (words.help || argc - first < 1 || argc - first > 2) {
        usage(words.help ? stdout : stderr);
        return words.help ? SH_EXIT_OK : SH_EXIT_USAGE;
    }
    words.options.input = argv[first];
    words.options.output = argc - first == 2 ? argv[first + 1] : NULL;
    if (strcmp(words.options.input, "-") == 0) {
        fprintf(stderr, "spyhop probe: IN has to be a file: it is read at several places\n");
        return SH_EXIT_USAGE;
    }
    sh_media_catch_signals();
    sh_buf_init(&report, REPORT_MOST);
    const sh_probe_job job = {&words.options, !no_estimate, on_log, &words};
    int status = sh_upscale_words_models(&words, &err);
    if (status == 0)
        status = sh_probe_run(&job, &report, &err);
    int code = status == 0 ? print_report(&report, words.json) : SH_EXIT_FAILED;
    if (status < 0)
        fprintf(stderr, "spyhop probe: %s\n", err.message);
    sh_buf_free(&report);
    return status == SH_E_CANCELLED ? SH_EXIT_INTERRUPTED : code;
}
