/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/upscale_screen.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/size.h"
#include "cli/commands.h"
#include "media/media.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN_EVERY_US 5000000
#define KEYS_EVERY_US 500000
#define SAMPLE_EVERY_US 2000000

static void clear_line(sh_screen *s)
{
    if (s->line_open)
        fputs("\r\033[K", stderr);
    s->line_open = false;
}

void sh_screen_object(json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    if (text)
        printf("%s\n", text);
    fflush(stdout);
    free(text);
    json_decref(object);
}

static const char *name_of(const sh_screen *s)
{
    return s->command ? s->command : "upscale";
}

/* ---- speed ---- */

static void sample(sh_screen *s, int64_t now, const sh_upscale_progress *p)
{
    const int last = s->sample_count - 1;
    if (last < 0 && p->encoded <= p->resumed)
        return; /* no frame of this run yet */
    if (last >= 0 && (now - s->samples[last].at < SAMPLE_EVERY_US || p->encoded < s->samples[last].frames))
        return;
    if (s->sample_count == SH_SCREEN_SAMPLES) {
        memmove(s->samples, s->samples + 1, sizeof(s->samples[0]) * (SH_SCREEN_SAMPLES - 1));
        s->sample_count--;
    }
    s->samples[s->sample_count].at = now;
    s->samples[s->sample_count++].frames = p->encoded;
}

/* Frames a second; 0: not known yet. */
static double speed(const sh_screen *s, int64_t now, const sh_upscale_progress *p)
{
    int64_t since = s->start, frames = p->resumed;
    if (s->sample_count > 1) {
        since = s->samples[0].at;
        frames = s->samples[0].frames;
    }
    return now > since && p->encoded > frames ? (double)(p->encoded - frames) * 1e6 / (double)(now - since)
                                              : 0;
}

/* Seconds; -1: not known. */
static double left(const sh_upscale_progress *p, double fps)
{
    if (p->expected <= 0 || fps <= 0)
        return -1;
    return p->expected > p->encoded ? (double)(p->expected - p->encoded) / fps : 0;
}

/* ---- ffmpeg's keys ---- */

static void print_keys(sh_screen *s, int64_t now, const sh_upscale_progress *p, bool end)
{
    const double fps = speed(s, now, p), elapsed = (double)(now - s->start) / 1e6;
    const int64_t us = p->out_time_us > 0 ? p->out_time_us : 0, whole = us / 1000000;
    if (!s->keys || (!end && now - s->keys_at < KEYS_EVERY_US))
        return;
    s->keys_at = now;
    fprintf(s->keys, "frame=%" PRId64 "\nfps=%.2f\n", p->encoded, fps);
    if (us > 0 && p->bytes > 0)
        fprintf(s->keys, "bitrate=%.1fkbits/s\n", (double)p->bytes * 8000 / (double)us);
    else
        fprintf(s->keys, "bitrate=N/A\n");
    fprintf(s->keys, "total_size=%" PRId64 "\nout_time_us=%" PRId64 "\nout_time_ms=%" PRId64 "\n", p->bytes,
            us, us);
    fprintf(s->keys, "out_time=%02" PRId64 ":%02" PRId64 ":%02" PRId64 ".%06" PRId64 "\n", whole / 3600,
            whole / 60 % 60, whole % 60, us % 1000000);
    fprintf(s->keys, "dup_frames=0\ndrop_frames=0\n");
    if (us > 0 && elapsed > 0)
        fprintf(s->keys, "speed=%.3gx\n", (double)us / 1e6 / elapsed);
    else
        fprintf(s->keys, "speed=N/A\n");
    fprintf(s->keys, "progress=%s\n", end ? "end" : "continue");
    fflush(s->keys);
}

/* ---- words and objects ---- */

static void print_words(sh_screen *s, const sh_upscale_progress *p, double fps)
{
    char total[32] = "", rest[96] = "";
    const double to_go = left(p, fps);
    if (p->expected > 0) {
        const double percent = 100.0 * (double)p->encoded / (double)p->expected;
        snprintf(total, sizeof(total), "/%" PRId64, p->expected);
        snprintf(rest, sizeof(rest), ", %.0f%%", percent < 100 ? percent : 100.0);
    }
    if (to_go >= 0) {
        const int64_t seconds = to_go < 1e9 ? (int64_t)(to_go + 0.5) : 1000000000;
        const size_t used = strlen(rest);
        if (seconds < 3600)
            snprintf(rest + used, sizeof(rest) - used, ", %" PRId64 ":%02" PRId64 " left", seconds / 60,
                     seconds % 60);
        else
            snprintf(rest + used, sizeof(rest) - used, ", %" PRId64 ":%02" PRId64 ":%02" PRId64 " left",
                     seconds / 3600, seconds / 60 % 60, seconds % 60);
    }
    fprintf(stderr, "%sframe %" PRId64 "%s%s, %.1f fps%s", s->terminal ? "\r" : "", p->encoded, total, rest,
            fps, s->terminal ? "\033[K" : "\n");
    fflush(stderr);
    s->line_open = s->terminal;
}

static void print_progress_object(const sh_screen *s, int64_t now, const sh_upscale_progress *p, double fps)
{
    const double to_go = left(p, fps);
    json_t *rest = to_go >= 0 ? json_real(to_go) : json_null();
    sh_screen_object(json_pack(
        "{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:f,s:f,s:o}", "type", "progress", "frames", (json_int_t)p->encoded,
        "expected", (json_int_t)p->expected, "bytes", (json_int_t)p->bytes, "resumed", (json_int_t)p->resumed,
        "committed", (json_int_t)p->committed, "pieces", (json_int_t)p->pieces, "out_time_us",
        (json_int_t)p->out_time_us, "fps", fps, "seconds", (double)(now - s->start) / 1e6, "left", rest));
}

int sh_screen_open_keys(sh_screen *screen, const char *path)
{
    char name[SH_SHOWN];
    if (path)
        screen->keys = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    if (!path || screen->keys)
        return SH_EXIT_OK;
    fprintf(stderr, "spyhop %s: %s: %s\n", screen->command ? screen->command : "upscale",
            sh_shown_path(path, name), strerror(errno));
    return SH_EXIT_FAILED;
}

void sh_screen_start(sh_screen *s)
{
    s->start = s->printed_at = s->keys_at = sh_monotonic_us();
}

void sh_screen_progress(void *opaque, const sh_upscale_progress *p)
{
    sh_screen *s = opaque;
    const int64_t now = sh_monotonic_us();
    sample(s, now, p);
    s->last = *p;
    print_keys(s, now, p, false);
    if (s->quiet || (!s->terminal && !s->json && now - s->printed_at < PLAIN_EVERY_US))
        return;
    s->printed_at = now;
    if (s->json)
        print_progress_object(s, now, p, speed(s, now, p));
    else
        print_words(s, p, speed(s, now, p));
}

void sh_screen_log(void *opaque, int level, const char *text)
{
    sh_screen *s = opaque;
    if (level > SH_LOG_INFO && !s->verbose)
        return;
    clear_line(s);
    if (s->json) {
        json_t *words = json_string(text);
        sh_screen_object(json_pack("{s:s,s:i,s:o}", "type", "log", "level", level, "message",
                                   words ? words : json_string("(not UTF-8)")));
    } else if (!s->quiet || level <= SH_LOG_WARNING) {
        fprintf(stderr, "spyhop %s: %s%s\n", name_of(s), level <= SH_LOG_WARNING ? "warning: " : "", text);
    }
}

static void print_result_object(const sh_screen *s, const char *name, const sh_upscale_result *r, double fps)
{
    sh_screen_object(json_pack(
        "{s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:i,s:i,s:i,s:i,s:I,s:I,s:f,s:f,s:f}", "type", "result",
        "output", name, "frames_in", (json_int_t)r->frames_in, "frames_out", (json_int_t)r->frames, "lost",
        (json_int_t)r->lost, "duplicates", (json_int_t)r->duplicates, "pieces", (json_int_t)r->pieces,
        "redone", (json_int_t)r->redone, "resumed", (json_int_t)s->last.resumed, "damages",
        (json_int_t)r->damages, "width", r->width, "height", r->height, "out_width", r->out_width,
        "out_height", r->out_height, "bytes_in", (json_int_t)r->bytes_in, "bytes_out",
        (json_int_t)r->bytes_out, "duration", r->duration, "seconds", r->seconds, "fps", fps));
}

/* What is not as it would be of a whole file made in one go. */
static void print_remarks(FILE *out, const sh_screen *s, const sh_upscale_result *r)
{
    const struct {
        int64_t count;
        const char *text;
    } remarks[] = {
        {s->last.resumed, "frames from a run before"},
        {r->duplicates, "bit-equal frames not made twice"},
        {r->redone, "pieces made by a fallback"},
        {r->lost, "packets without a picture"},
        {r->damages, "damages accepted"},
    };
    for (size_t i = 0; i < SH_COUNT(remarks); i++)
        if (remarks[i].count > 0)
            fprintf(out, ", %" PRId64 " %s", remarks[i].count, remarks[i].text);
    fputc('\n', out);
}

void sh_screen_end(sh_screen *s, int64_t frames, int64_t bytes, double duration)
{
    clear_line(s);
    s->last.encoded = frames;
    s->last.bytes = bytes;
    s->last.out_time_us = (int64_t)(duration * 1e6);
    print_keys(s, sh_monotonic_us(), &s->last, true);
}

void sh_screen_result(sh_screen *s, const sh_upscale_options *options, const sh_upscale_result *r)
{
    const double fps = r->seconds > 0 ? (double)(r->frames - s->last.resumed) / r->seconds : 0;
    FILE *out = s->stdout_taken ? stderr : stdout;
    char name[SH_SHOWN];
    sh_screen_end(s, r->frames, r->bytes_out, r->duration);
    sh_shown_path(options->output, name);
    if (s->json) {
        print_result_object(s, name, r, fps);
    } else if (!s->quiet) {
        fprintf(out,
                "%s: %" PRId64 " frames in, %" PRId64 " out, %dx%d to %dx%d, %" PRId64 " to %" PRId64
                " bytes, %.2f s, %.1f fps, %.2fx real time",
                name, r->frames_in, r->frames, r->width, r->height, r->out_width, r->out_height, r->bytes_in,
                r->bytes_out, r->seconds, fps, r->seconds > 0 ? r->duration / r->seconds : 0);
        print_remarks(out, s, r);
    }
}

void sh_screen_error(sh_screen *s, int status, const char *message)
{
    clear_line(s);
    print_keys(s, sh_monotonic_us(), &s->last, true);
    fprintf(stderr, "spyhop %s: %s\n", name_of(s), message);
    if (s->json)
        sh_screen_object(json_pack("{s:s,s:s,s:s}", "type", "error", "status", sh_status_name(status),
                                   "message", message));
}
