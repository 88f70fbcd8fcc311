/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/clock.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/stream_options.h"
#include "cli/upscale_screen.h"
#include "media/media.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void usage(FILE *out)
{
    fprintf(
        out,
        "usage: spyhop stream [OPTION]... IN OUTDIR\n\n"
        "Upscales the video IN once and makes an adaptive stream of it in the folder OUTDIR: index.m3u8 "
        "(HLS) "
        "and\n"
        "index.mpd (DASH) over the same CMAF segments, audio tracks, subtitles, I-frame playlists and "
        "thumbnails.\n"
        "The stream is checked before it is published; a stream that was there stays until then. Stopped or "
        "killed,\n"
        "the same command goes on where it was.\n\n");
    sh_stream_words_help(out);
    fprintf(
        out,
        "  --no-sandbox            decodes and encodes unconfined: only for files that you trust\n"
        "  --progress FILE|-       progress in the keys of ffmpeg's -progress\n"
        "  --json                  progress and result as JSON, one object a line, on stdout\n"
        "  -q, --quiet             no progress; -v, --verbose: the libraries' own messages too\n\n"
        "Exit codes: 0 done, 1 failed (also: the stream fails its check), 2 wrong usage, 130 stopped (the "
        "same\n"
        "command goes on).\n");
}

typedef struct view {
    sh_screen screen;
    AVRational rate; /* of the first video; 0/1: not known yet */
} view;

static void show_progress(void *opaque, const sh_ladder_progress *p)
{
    view *v = opaque;
    const sh_upscale_progress same = {
        .decoded = p->decoded,
        .encoded = p->encoded,
        .expected = p->expected,
        .bytes = p->bytes,
        .resumed = p->resumed,
        .committed = p->committed,
        .pieces = p->segments,
        .out_time_us = v->rate.num > 0 ? av_rescale(p->encoded * v->rate.den, 1000000, v->rate.num) : 0};
    sh_screen_progress(&v->screen, &same);
}

static void note_rate(void *opaque, const sh_ladder_result *result)
{
    view *v = opaque;
    for (size_t i = 0; i < result->track_count && v->rate.num <= 0; i++)
        if (result->tracks[i].video >= 0)
            v->rate = result->tracks[i].rate;
}

static void show_log(void *opaque, int level, const char *text)
{
    view *v = opaque;
    sh_screen_log(&v->screen, level, text);
}

/* ---- the end ---- */

static void print_findings(const view *v, const sh_stream_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        const sh_stream_finding *f = &report->findings[i];
        char where[64] = "";
        if (f->line > 0)
            snprintf(where, sizeof(where), ":%" PRId64, f->line);
        else if (f->byte >= 0)
            snprintf(where, sizeof(where), ", byte %" PRId64, f->byte);
        if (v->screen.json)
            sh_screen_object(json_pack("{s:s,s:s,s:s,s:s,s:I,s:s}", "type", "finding", "rule", f->rule->id,
                                       "severity", f->rule->severity == SH_STREAM_ERROR ? "error" : "warning",
                                       "file", f->file, "line", (json_int_t)f->line, "words", f->words));
        else if (f->rule->severity == SH_STREAM_ERROR || v->screen.verbose)
            fprintf(stderr, "  %s (%s): %s%s: %s\n", f->rule->id, f->rule->clause, f->file, where, f->words);
    }
}

static void print_object(const view *v, const char *name, const sh_stream_done *d, double fps)
{
    const sh_ladder_result *r = &d->result;
    json_t *tracks = json_array();
    for (size_t i = 0; i < d->check.track_count; i++) {
        const sh_stream_checked *t = &d->check.tracks[i];
        const char kind[2] = {t->kind, '\0'};
        json_array_append_new(tracks,
                              json_pack("{s:s,s:s,s:s,s:i,s:i,s:I,s:I,s:I,s:I}", "name", t->name, "kind",
                                        kind, "codecs", t->codecs, "width", t->width, "height", t->height,
                                        "segments", (json_int_t)t->segments, "bytes", (json_int_t)t->bytes,
                                        "peak", (json_int_t)t->peak, "average", (json_int_t)t->average));
    }
    sh_screen_object(json_pack(
        "{s:s,s:s,s:s,s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:f,s:f,s:f,s:I,s:o}", "type", "result",
        "output", name, "version", d->version, "already", (int)d->already, "frames_in",
        (json_int_t)r->sums.frames_in, "frames_out", (json_int_t)r->frames, "resumed",
        (json_int_t)v->screen.last.resumed, "checked", (json_int_t)r->checked, "redone",
        (json_int_t)r->redone, "damages", (json_int_t)r->damages, "width", (json_int_t)r->width, "height",
        (json_int_t)r->height, "out_width", (json_int_t)r->out_width, "out_height", (json_int_t)r->out_height,
        "bytes_out", (json_int_t)d->bytes, "duration", r->duration, "seconds", r->seconds, "fps", fps,
        "check_warnings", (json_int_t)d->check.warnings, "tracks", tracks));
}

static void print_words(FILE *out, const char *name, const view *v, const sh_stream_done *d, double fps)
{
    const sh_ladder_result *r = &d->result;
    int videos = 0, audios = 0, texts = 0;
    for (size_t i = 0; i < r->track_count; i++) {
        videos += r->tracks[i].video >= 0;
        audios += r->tracks[i].video < 0 && r->tracks[i].audio >= 0;
        texts += r->tracks[i].text >= 0;
    }
    fprintf(out,
            "%s: %" PRId64 " frames in, %" PRId64 " out, %" PRId64 "x%" PRId64 " to %" PRId64 "x%" PRId64
            ", %d sizes, %d audio and %d text tracks, %" PRId64
            " bytes, %.2f s, %.1f fps; checked, %zu warnings",
            name, r->sums.frames_in, r->frames, r->width, r->height, r->out_width, r->out_height, videos,
            audios, texts, d->bytes, r->seconds, fps, d->check.warnings);
    if (v->screen.last.resumed > 0)
        fprintf(out, ", %" PRId64 " frames from a run before", v->screen.last.resumed);
    if (r->redone > 0)
        fprintf(out, ", %" PRId64 " segments made again", r->redone);
    if (r->damages > 0)
        fprintf(out, ", %" PRId64 " damages accepted", r->damages);
    fputc('\n', out);
}

static void print_result(view *v, const char *output, const sh_stream_done *d)
{
    const sh_ladder_result *r = &d->result;
    const double fps = r->seconds > 0 ? (double)(r->frames - v->screen.last.resumed) / r->seconds : 0;
    FILE *out = v->screen.stdout_taken ? stderr : stdout;
    char name[SH_SHOWN];
    sh_shown_path(output, name);
    sh_screen_end(&v->screen, r->frames, d->bytes, r->duration);
    if (v->screen.json)
        print_object(v, name, d, fps);
    else if (!v->screen.quiet && d->already)
        fprintf(out, "%s: this stream is there already (version %s)\n", name, d->version);
    else if (!v->screen.quiet)
        print_words(out, name, v, d, fps);
}

static int run(sh_stream_words *words, view *v, const char *output)
{
    sh_stream_work work;
    sh_stream_done done = {0};
    sh_err err = {0};
    sh_screen_start(&v->screen);
    int status = sh_stream_words_work(words, &work, &err);
    if (status == 0) {
        work.output = output;
        work.progress = show_progress;
        work.growing = note_rate;
        work.log = show_log;
        work.opaque = v;
        sh_media_catch_signals();
        status = sh_stream_make(&work, &done, &err);
    }
    if (status == 0) {
        print_result(v, output, &done);
    } else {
        sh_screen_error(&v->screen, status, err.message);
        print_findings(v, &done.check);
    }
    sh_stream_done_free(&done);
    return status == 0 ? SH_EXIT_OK : status == SH_E_CANCELLED ? SH_EXIT_INTERRUPTED : SH_EXIT_FAILED;
}

int sh_cmd_stream(int argc, char **argv)
{
    sh_stream_words words;
    int first;
    if (!sh_stream_words_read(&words, "stream", NULL, 0, argc, argv, &first))
        return SH_EXIT_USAGE;
    if (words.words.help || argc - first != 2) {
        usage(words.words.help ? stdout : stderr);
        return words.words.help ? SH_EXIT_OK : SH_EXIT_USAGE;
    }
    const bool keys_on_stdout = words.words.progress && strcmp(words.words.progress, "-") == 0;
    if (words.words.json && keys_on_stdout) {
        fprintf(stderr, "spyhop stream: only one of --json and --progress - can have standard output\n");
        return SH_EXIT_USAGE;
    }
    words.words.options.input = argv[first];
    view v = {.screen = {.command = "stream",
                         .json = words.words.json,
                         .quiet = words.words.quiet,
                         .verbose = words.words.verbose,
                         .terminal = isatty(STDERR_FILENO),
                         .stdout_taken = keys_on_stdout}};
    int code = sh_screen_open_keys(&v.screen, words.words.progress);
    if (code == SH_EXIT_OK)
        code = run(&words, &v, argv[first + 1]);
    if (v.screen.keys && v.screen.keys != stdout && fclose(v.screen.keys) != 0)
        fprintf(stderr, "spyhop stream: warning: --progress: %s\n", strerror(errno));
    return code;
}
