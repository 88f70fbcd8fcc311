/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/still.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/pool.h"
#include "media/avlog.h"
#include "media/enlarge.h"
#include "media/media.h"
#include "media/output.h"
#include "media/preview.h"
#include "media/reader.h"
#include "media/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define LONGEST 3600 /* seconds that one frame may take the slowest network */

typedef struct still {
    const sh_upscale_job *job;
    const sh_upscale_options *options;
    int input, output; /* descriptors */
    sh_buf model_bytes, restore_bytes;
    sh_upscale_result *result;
    /* of the child */
    int channel;
    char name[SH_SHOWN], model_name[SH_SHOWN], restore_name[SH_SHOWN];
    spyhop_model *model, *restore;
    sh_plan plan;
    sh_reader *reader;
    sh_work *work;
    sh_enlarge *enlarge;
} still;

/* ---- the child ---- */

static int parse(spyhop_model **model, const sh_buf *bytes, const char *name, sh_err *err)
{
    spyhop_error error;
    int status = spyhop_model_parse(model, bytes->data, bytes->length, &error);
    return status < 0 ? sh_fail(err, status, "model %s: %s", name, error.message) : 0;
}

/* Matroska has every kind of picture and no tag for rotation: the frame is shown upright. */
static int make_plan(still *s, sh_err *err)
{
    sh_source source = {.name = s->name, .channel = s->channel, .accept_damage = true};
    spyhop_model_info info = {.size = sizeof(info)};
    sh_probe_limits limits;
    sh_facts *facts = calloc(1, sizeof(*facts));
    if (!facts)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    sh_probe_limits_default(&limits);
    spyhop_model_describe(s->model, &info);
    int status = sh_source_open(&source, s->input, 1, err);
    if (status == 0)
        status = sh_probe_measure(&source, &limits, facts, err);
    sh_source_close(&source);
    if (status == 0)
        status =
            sh_plan_make(facts, s->options, &info, av_guess_format("matroska", NULL, NULL), &s->plan, err);
    free(facts);
    return status;
}

static int read_frame(still *s, sh_err *err)
{
    const sh_reader_settings settings = {.fd = s->input,
                                         .name = s->name,
                                         .channel = s->channel,
                                         .threads = sh_cpu_count(),
                                         .accept_damage = true,
                                         .start = s->options->start,
                                         .duration = -1,
                                         .plan = &s->plan,
                                         .piece_frames = 2};
    const sh_reader_start start = {0};
    int status = sh_reader_open(&s->reader, &settings, &start, err);
    if (status == 0)
        status = sh_reader_next(s->reader, &s->work, err);
    if (status == 0)
        return sh_fail(err, SH_E_FORMAT, "%s: there is no picture at that time", s->name);
    return status < 0 ? status : 0;
}

static int open_enlarge(still *s, sh_err *err)
{
    char note[240];
    sh_enlarge_settings settings = {.model = s->model,
                                    .restore = s->restore,
                                    .model_name = s->model_name,
                                    .restore_name = s->restore_name,
                                    .plan = &s->plan};
    spyhop_settings_default(&settings.engine);
    settings.engine.threads = s->options->threads;
    settings.engine.cpu = s->options->cpu;
    settings.engine.precision = s->options->precision;
    int status = sh_enlarge_open(&s->enlarge, &settings, s->work->frame, note, sizeof(note), err);
    return status == 0 ? sh_enlarge_piece(s->enlarge, SH_FALLBACK_NONE, err) : status;
}

static int make_picture(still *s, sh_err *err)
{
    char reason[200] = "";
    bool duplicate;
    AVFrame *before = av_frame_clone(s->work->frame);
    if (!before)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    sh_channel_patience(s->channel, LONGEST);
    int status = sh_enlarge_frame(s->enlarge, &s->work->frame, 0, &duplicate, reason, sizeof(reason), err);
    if (status == SH_ENLARGE_BAD)
        status = sh_fail(err, SH_E_INTERNAL, "model %s: %s", s->model_name, reason);
    if (status == 0)
        status = sh_preview_write(s->output, before, s->work->frame, SH_PREVIEW_SIDES, err);
    const sh_message done = {
        .kind = SH_MSG_DATA,
        .number = {before->width, before->height, s->work->frame->width, s->work->frame->height}};
    av_frame_free(&before);
    if (status == 0)
        sh_channel_send(s->channel, &done);
    return status;
}

static int child_main(void *opaque, int channel, sh_err *err)
{
    still *s = opaque;
    s->channel = channel;
    sh_shown_path(s->options->input, s->name);
    sh_shown_path(s->options->model, s->model_name);
    sh_avlog_start(channel);
    int status = parse(&s->model, &s->model_bytes, s->model_name, err);
    if (status == 0 && s->options->restore) {
        sh_shown_path(s->options->restore, s->restore_name);
        status = parse(&s->restore, &s->restore_bytes, s->restore_name, err);
    }
    if (status == 0)
        status = make_plan(s, err);
    if (status == 0)
        status = read_frame(s, err);
    if (status == 0)
        status = open_enlarge(s, err);
    if (status == 0)
        status = make_picture(s, err);
    sh_avlog_stop();
    sh_enlarge_close(&s->enlarge);
    sh_work_free(s->work);
    sh_reader_close(&s->reader);
    spyhop_model_free(&s->restore);
    spyhop_model_free(&s->model);
    return status;
}

/* ---- the parent ---- */

static int receive(void *opaque, const sh_message *message, sh_err *err)
{
    const still *s = opaque;
    if (message->kind == SH_MSG_LOG && s->job->log)
        s->job->log(s->job->opaque, message->status, message->text);
    if (message->kind == SH_MSG_DATA) {
        s->result->frames = s->result->frames_in = 1;
        s->result->width = (int)message->number[0];
        s->result->height = (int)message->number[1];
        s->result->out_width = (int)message->number[2];
        s->result->out_height = (int)message->number[3];
    }
    return 0;
}

static int run(still *s, sh_err *err)
{
    char name[SH_SHOWN];
    const int keep[] = {s->input, s->output};
    const sh_sandbox_job box = {.what = sh_shown_path(s->options->input, name),
                                .main = child_main,
                                .opaque = s,
                                .descriptors = keep,
                                .descriptor_count = 2,
                                .message = receive,
                                .receiver = s,
                                .unconfined = s->options->no_sandbox};
    int status = sh_sandbox_run(&box, err);
    if (status == 0 && s->result->frames == 0)
        status = sh_fail(err, SH_E_INTERNAL, "%s: the child process gave no result", name);
    return status;
}

/* Parsed here too: a library that runs it has to be loaded before the child is confined. */
static int read_model(const char *path, sh_buf *bytes, sh_err *err)
{
    spyhop_model *model = NULL;
    if (!path)
        return 0;
    if (sh_file_read(path, bytes, err) < 0)
        return sh_err_prefix(err, "model");
    if (spyhop_model_parse(&model, bytes->data, bytes->length, NULL) == 0)
        spyhop_model_free(&model);
    return 0;
}

static int open_input(still *s, sh_err *err)
{
    struct stat info;
    char name[SH_SHOWN];
    s->input = open(s->options->input, O_RDONLY | O_CLOEXEC);
    if (s->input < 0 || fstat(s->input, &info) < 0)
        return sh_fail_errno(err, errno, "%s", sh_shown_path(s->options->input, name));
    if (!S_ISREG(info.st_mode))
        return sh_fail(err, SH_E_ARGUMENT, "%s: a preview needs a file",
                       sh_shown_path(s->options->input, name));
    s->result->bytes_in = info.st_size;
    return 0;
}

static bool is_png(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && strcasecmp(dot, ".png") == 0;
}

int sh_still(const sh_upscale_job *job, sh_upscale_result *result, sh_err *err)
{
    const int64_t start = sh_monotonic_us();
    const sh_upscale_options *options = job->options;
    sh_upscale_result got = {0};
    sh_output output = {.fd = -1, .folder = -1};
    still s = {.job = job, .options = options, .input = -1, .result = &got};
    struct stat info;
    char name[SH_SHOWN];
    if (!is_png(options->output))
        return sh_fail(err, SH_E_ARGUMENT, "%s: the name of a preview must end in .png",
                       sh_shown_path(options->output, name));
    sh_buf_init(&s.model_bytes, SPYHOP_MAX_FILE_BYTES);
    sh_buf_init(&s.restore_bytes, SPYHOP_MAX_FILE_BYTES);
    int status = read_model(options->model, &s.model_bytes, err);
    if (status == 0)
        status = read_model(options->restore, &s.restore_bytes, err);
    if (status == 0)
        status = open_input(&s, err);
    if (status == 0)
        status = sh_output_open(&output, options->output, options->overwrite, s.input, err);
    if (status == 0) {
        s.output = output.fd;
        status = run(&s, err);
    }
    if (status == 0 && fstat(output.fd, &info) == 0)
        got.bytes_out = info.st_size;
    if (status == 0)
        status = sh_output_commit(&output, err);
    sh_output_close(&output);
    sh_buf_free(&s.model_bytes);
    sh_buf_free(&s.restore_bytes);
    if (s.input >= 0)
        close(s.input);
    if (status == 0) {
        got.seconds = (double)(sh_monotonic_us() - start) / 1e6;
        *result = got;
    }
    return status;
}
