/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The child of one MediaConvert job: settings and a local file in, a folder with a checked HLS stream out.
 * What it reads and writes is described in media/hls_job.h. */
#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cloud/jobs/mc_settings.h"
#include "media/hls_job.h"
#include "media/media.h"
#include "stream/hls.h"
#include "stream/hls_check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DOCUMENT_MAX (4U << 20)
#define PLAYLIST_MAX (64U << 20)

/* Codes of MediaConvert's own list where it has one for the case. */
enum {
    CODE_INPUT = 1010,    /* the input cannot be opened or decoded */
    CODE_SETTINGS = 1040, /* settings and input do not go together */
    CODE_INTERNAL = 1999,
};

typedef struct worker {
    json_t *document;
    sh_mc_job *job;
    const char *input, *out_dir;
    char *base, *master;
    size_t current; /* output being made */
    int reported;   /* percent */
    struct output {
        char *prefix, *playlist;
        sh_hls_result result;
        sh_segment *segments;
        sh_rendition rendition;
        bool made, written;
    } outputs[SH_MC_OUTPUTS];
    bool master_written;
} worker;

static void print_object(json_t *object)
{
    char *line = object ? json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    printf("%s\n", line ? line : "{\"type\":\"error\",\"code\":1999,\"message\":\"memory is short\"}");
    fflush(stdout);
    free(line);
    json_decref(object);
}

/* Text from outside may not be UTF-8, which JSON is. */
static json_t *safe_string(const char *text)
{
    json_t *value = json_string(text);
    char shown[SH_SHOWN];
    return value ? value : json_string(sh_shown_path(text, shown));
}

/* ---- progress ---- */

static void on_progress(void *opaque, const sh_hls_progress *progress)
{
    worker *w = opaque;
    double part = ((double)w->current + progress->fraction) / (double)w->job->output_count;
    int percent = (int)(99 * part);
    if (percent == w->reported)
        return;
    w->reported = percent;
    print_object(json_pack("{s:s,s:i,s:I,s:s}", "type", "progress", "percent", percent, "frames",
                           (json_int_t)progress->frames, "phase", "TRANSCODING"));
}

static void on_warning(void *opaque, const char *text)
{
    print_object(json_pack("{s:s,s:o}", "type", "warning", "message", safe_string(text)));
}

static void warn_of_notes(const worker *w)
{
    char line[512];
    for (const char *at = w->job->notes; at && *at;) {
        size_t length = strcspn(at, "\n");
        snprintf(line, sizeof(line), "%.*s", (int)length, at);
        on_warning(NULL, line);
        at += length + (at[length] == '\n');
    }
}

/* ---- the document ---- */

static int read_stdin(sh_buf *text, sh_err *err)
{
    char block[8192];
    ssize_t got;
    while ((got = read(STDIN_FILENO, block, sizeof(block))) != 0) {
        if (got < 0 && errno == EINTR && !sh_media_cancelled())
            continue;
        if (got < 0)
            return sh_fail_errno(err, errno, "reading the job from stdin");
        if (sh_buf_append(text, block, (size_t)got) < 0)
            return sh_fail(err, SH_E_LIMIT, "the job is larger than %u bytes", DOCUMENT_MAX);
    }
    return 0;
}

static int read_document(worker *w, sh_err *err)
{
    json_error_t fault;
    sh_buf text;
    sh_buf_init(&text, DOCUMENT_MAX);
    int status = read_stdin(&text, err);
    if (status == 0) {
        w->document = json_loadb(sh_buf_cstr(&text), text.length, JSON_REJECT_DUPLICATES, &fault);
        if (!w->document)
            status = sh_fail(err, SH_E_ARGUMENT, "the job is no JSON: line %d, column %d: %s", fault.line,
                             fault.column, fault.text);
    }
    sh_buf_free(&text);
    if (status < 0)
        return status;
    w->input = json_string_value(json_object_get(w->document, "input"));
    w->out_dir = json_string_value(json_object_get(w->document, "out_dir"));
    if (!w->input || !w->out_dir || !json_object_get(w->document, "settings"))
        return sh_fail(err, SH_E_ARGUMENT, "the job needs \"settings\", \"input\" and \"out_dir\"");
    return 0;
}

/* ---- from settings to the job of one rendition ---- */

/* QVBR's levels, 1 to 10, on x264's scale; 8 where the service is to choose. */
static double crf_of(double level)
{
    return 37 - 2 * (level > 0 ? level : 8);
}

static sh_hls_job rendition_job(worker *w, size_t i)
{
    static const char *const presets[] = {"veryfast", "medium", "slow"};
    const sh_mc_group *g = &w->job->groups[0];
    const sh_mc_output *o = &w->job->outputs[i];
    const sh_mc_video *v = &w->job->videos[o->video];
    const sh_mc_audio *a = o->audio_count ? &w->job->audios[o->audios[0]] : NULL;
    sh_hls_job job = {
        .input = w->input,
        .out_dir = w->out_dir,
        .segment_prefix = w->outputs[i].prefix,
        .segment_ticks = (int64_t)g->segment_length * SH_HLS_CLOCK,
        .min_segment_ticks = (int64_t)(g->min_last * SH_HLS_CLOCK),
        .video = {.width = v->width,
                  .height = v->height,
                  .scaling = v->scaling == SH_MC_SCALE_STRETCH ? SH_HLS_SCALE_STRETCH : SH_HLS_SCALE_FIT,
                  .rate = v->rate_control == SH_MC_RATE_QVBR  ? SH_HLS_RATE_QUALITY
                          : v->rate_control == SH_MC_RATE_CBR ? SH_HLS_RATE_CBR
                                                              : SH_HLS_RATE_VBR,
                  .crf = crf_of(v->quality_level),
                  .bitrate = v->bitrate,
                  .max_bitrate = v->rate_control == SH_MC_RATE_CBR ? v->bitrate : v->max_bitrate,
                  .buffer_bits = v->hrd_buffer,
                  .gop_frames = v->gop_frames,
                  .gop_seconds = v->gop_seconds,
                  .scene_cuts = v->scene_cuts,
                  .b_frames = v->b_frames,
                  .references = v->references,
                  .profile = v->profile,
                  .level = v->level,
                  .preset = presets[v->effort]},
        .audio = {.wanted = a != NULL,
                  .bitrate = a ? a->bitrate : 0,
                  .channels = a ? a->channels : 0,
                  .sample_rate = a ? a->sample_rate : 0},
        .progress = on_progress,
        .warning = on_warning,
        .opaque = w,
    };
    return job;
}

static int make_names(worker *w, sh_err *err)
{
    sh_mc_place place = {0};
    int status = sh_mc_place_of(&place, w->job, 0, 0, err);
    if (status < 0)
        return status;
    w->base = place.base;
    place.base = NULL;
    sh_mc_place_free(&place);
    bool good = asprintf(&w->master, "%s.m3u8", w->base) > 0;
    for (size_t i = 0; i < w->job->output_count && good; i++) {
        struct output *o = &w->outputs[i];
        if (w->job->outputs[i].video < 0 || w->job->groups[0].kind != SH_MC_HLS || w->job->group_count > 1)
            return sh_fail(err, SH_E_UNSUPPORTED, "/outputGroups: one HLS group with pictures is made here");
        good = asprintf(&o->prefix, "%s%s", w->base, w->job->outputs[i].name_modifier) > 0 &&
               asprintf(&o->playlist, "%s.m3u8", o->prefix) > 0;
        if (good && strlen(o->playlist) > 255)
            return sh_fail(err, SH_E_LIMIT,
                           "the name of a playlist would have %zu bytes; at most 255 are possible",
                           strlen(o->playlist));
    }
    return good ? 0 : sh_fail(err, SH_E_MEMORY, "memory is short");
}

/* ---- playlists ---- */

static int describe(struct output *o, sh_err *err)
{
    const sh_hls_result *r = &o->result;
    o->segments = calloc(r->segment_count, sizeof(*o->segments));
    if (!o->segments)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    for (size_t i = 0; i < r->segment_count; i++)
        o->segments[i] = (sh_segment){r->segments[i].name, r->segments[i].duration, r->segments[i].bytes};
    o->rendition = (sh_rendition){.playlist = o->playlist,
                                  .segments = o->segments,
                                  .segment_count = r->segment_count,
                                  .timescale = SH_HLS_CLOCK,
                                  .width = r->width,
                                  .height = r->height,
                                  .rate_num = r->rate_num,
                                  .rate_den = r->rate_den > 0 ? r->rate_den : 1};
    int status =
        sh_codecs_add_avc(o->rendition.codecs, sizeof(o->rendition.codecs), r->sps, sizeof(r->sps), err);
    if (status == 0 && r->audio)
        status = sh_codecs_add_aac(o->rendition.codecs, sizeof(o->rendition.codecs), r->audio_config,
                                   r->audio_config_size, err);
    return status;
}

/* In out_dir and nowhere else: names hold no '/'. */
static int write_file(const worker *w, const char *name, const sh_buf *text, sh_err *err)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", w->out_dir, name) < 0)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    int status = sh_file_replace(path, sh_buf_cstr(text), text->length, 0644, err);
    free(path);
    return status;
}

static int write_playlists(worker *w, sh_err *err)
{
    sh_rendition all[SH_MC_OUTPUTS];
    sh_buf text;
    int status = 0;
    sh_buf_init(&text, PLAYLIST_MAX);
    for (size_t i = 0; i < w->job->output_count && status == 0; i++) {
        struct output *o = &w->outputs[i];
        sh_buf_clear(&text);
        all[i] = o->rendition;
        status = sh_hls_write_media(
            &text, &o->rendition, w->job->groups[0].integer_durations ? SH_HLS_INTEGER : SH_HLS_DECIMAL, err);
        o->written = status == 0;
        if (status == 0)
            status = write_file(w, o->playlist, &text, err);
    }
    sh_buf_clear(&text);
    if (status == 0)
        status = sh_hls_write_master(&text, all, w->job->output_count, err);
    w->master_written = status == 0;
    if (status == 0)
        status = write_file(w, w->master, &text, err);
    sh_buf_free(&text);
    return status;
}

static int check_stream(const worker *w, sh_err *err)
{
    sh_hls_checked checked;
    int status = sh_hls_check(&checked, w->out_dir, w->master, err);
    if (status < 0) {
        sh_err_prefix(err, "the stream fails its check and is not published");
        return status == SH_E_FORMAT ? SH_E_INTERNAL : status;
    }
    for (size_t i = 0; i < w->job->output_count; i++) {
        const sh_hls_result *r = &w->outputs[i].result;
        if (checked.variant[i].frames != r->frames_decoded)
            return sh_fail(err, SH_E_INTERNAL,
                           "the stream fails its check: %" PRId64 " frames were decoded and %" PRId64
                           " are in it",
                           r->frames_decoded, checked.variant[i].frames);
    }
    return 0;
}

/* ---- the result ---- */

static int64_t size_of(const worker *w, const char *name)
{
    char *path = NULL;
    struct stat info = {0};
    if (asprintf(&path, "%s/%s", w->out_dir, name) < 0 || stat(path, &info) < 0)
        info.st_size = 0;
    free(path);
    return info.st_size;
}

static void add_file(json_t *files, const char *name, int64_t bytes, const char *role)
{
    const char *type = strcmp(role, "segment") == 0 ? "video/MP2T" : "application/vnd.apple.mpegurl";
    json_array_append_new(files, json_pack("{s:o,s:I,s:s,s:s}", "name", safe_string(name), "bytes",
                                           (json_int_t)bytes, "content_type", type, "role", role));
}

static int64_t milliseconds(const sh_rendition *r)
{
    return (sh_hls_duration(r) * 1000 + r->timescale / 2) / r->timescale;
}

static void print_result(const worker *w)
{
    json_t *files = json_array(), *outputs = json_array();
    for (size_t i = 0; i < w->job->output_count; i++)
        for (size_t k = 0; k < w->outputs[i].result.segment_count; k++)
            add_file(files, w->outputs[i].segments[k].name, w->outputs[i].segments[k].bytes, "segment");
    for (size_t i = 0; i < w->job->output_count; i++) {
        const struct output *o = &w->outputs[i];
        add_file(files, o->playlist, size_of(w, o->playlist), "variant");
        json_array_append_new(outputs,
                              json_pack("{s:o,s:i,s:i,s:I,s:I,s:I,s:I}", "playlist", safe_string(o->playlist),
                                        "width", o->result.width, "height", o->result.height, "duration_ms",
                                        (json_int_t)milliseconds(&o->rendition), "frames",
                                        (json_int_t)o->result.frames_encoded, "bandwidth",
                                        (json_int_t)sh_hls_peak_rate(&o->rendition), "average_bandwidth",
                                        (json_int_t)sh_hls_average_rate(&o->rendition)));
    }
    add_file(files, w->master, size_of(w, w->master), "master");
    print_object(json_pack("{s:s,s:I,s:I,s:o,s:o}", "type", "result", "duration_ms",
                           (json_int_t)milliseconds(&w->outputs[0].rendition), "frames",
                           (json_int_t)w->outputs[0].result.frames_encoded, "files", files, "outputs",
                           outputs));
}

static void remove_name(const worker *w, const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", w->out_dir, name) >= 0) {
        unlink(path);
        free(path);
    }
}

static void remove_files(const worker *w)
{
    for (size_t i = 0; i < w->job->output_count; i++) {
        const struct output *o = &w->outputs[i];
        for (size_t k = 0; o->made && k < o->result.segment_count; k++)
            remove_name(w, o->result.segments[k].name);
        if (o->written)
            remove_name(w, o->playlist);
    }
    if (w->master_written)
        remove_name(w, w->master);
}

/* ---- the command ---- */

static int make_stream(worker *w, sh_err *err)
{
    int status = make_names(w, err);
    for (w->current = 0; status == 0 && w->current < w->job->output_count; w->current++) {
        struct output *o = &w->outputs[w->current];
        sh_hls_job job = rendition_job(w, w->current);
        status = sh_hls_make(&o->result, &job, err);
        o->made = status == 0;
        if (status == 0)
            status = describe(o, err);
    }
    if (status == 0)
        status = write_playlists(w, err);
    if (status == 0)
        status = check_stream(w, err);
    if (status < 0)
        remove_files(w);
    return status;
}

static int code_of(int status)
{
    switch (status) {
    case SH_E_FORMAT:
    case SH_E_NOT_FOUND:
        return CODE_INPUT;
    case SH_E_ARGUMENT:
    case SH_E_UNSUPPORTED:
    case SH_E_LIMIT:
        return CODE_SETTINGS;
    default:
        return CODE_INTERNAL;
    }
}

static void free_worker(worker *w)
{
    for (size_t i = 0; i < SH_MC_OUTPUTS; i++) {
        free(w->outputs[i].prefix);
        free(w->outputs[i].playlist);
        free(w->outputs[i].segments);
        sh_hls_result_free(&w->outputs[i].result);
    }
    free(w->base);
    free(w->master);
    sh_mc_job_free(w->job);
    json_decref(w->document);
    free(w);
}

int sh_cmd_mediaconvert_worker(int argc, char **argv)
{
    sh_err err = {0};
    worker *w = calloc(1, sizeof(*w));
    if (!w || argc != 1) {
        fprintf(stderr, "usage: spyhop mediaconvert-worker < JOB.json\n");
        free(w);
        return SH_EXIT_USAGE;
    }
    w->reported = -1;
    sh_media_catch_signals();
    int status = read_document(w, &err);
    int code = status < 0 ? SH_EXIT_USAGE : SH_EXIT_FAILED;
    if (status == 0)
        status = sh_mc_job_read(&w->job, json_object_get(w->document, "settings"), &err);
    if (status == 0) {
        warn_of_notes(w);
        status = make_stream(w, &err);
    }
    if (status == 0) {
        print_result(w);
    } else {
        fprintf(stderr, "spyhop mediaconvert-worker: %s\n", err.message);
        print_object(json_pack("{s:s,s:i,s:o}", "type", "error", "code", code_of(status), "message",
                               safe_string(err.message)));
    }
    free_worker(w);
    return status == 0 ? SH_EXIT_OK : status == SH_E_CANCELLED ? SH_EXIT_INTERRUPTED : code;
}
