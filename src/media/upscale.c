/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/upscale.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "media/media.h"
#include "media/output.h"
#include "media/pipeline.h"
#include "media/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spyhop/spyhop.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct receiver {
    const sh_upscale_job *job;
    sh_upscale_result *result;
    bool complete;
} receiver;

static void take_result(receiver *to, const sh_message *message)
{
    to->complete = true;
    to->result->frames = message->number[SH_UP_FRAMES];
    to->result->damages = message->number[SH_UP_DAMAGES];
    to->result->width = (int)message->number[SH_UP_WIDTH];
    to->result->height = (int)message->number[SH_UP_HEIGHT];
    to->result->out_width = (int)message->number[SH_UP_OUT_WIDTH];
    to->result->out_height = (int)message->number[SH_UP_OUT_HEIGHT];
    to->result->duration = (double)message->number[SH_UP_DURATION_US] / 1e6;
    to->result->bytes_out = message->number[SH_UP_BYTES];
}

static int receive(void *opaque, const sh_message *message, sh_err *err)
{
    receiver *to = opaque;
    const sh_upscale_progress progress = {message->number[SH_UP_DECODED], message->number[SH_UP_ENCODED],
                                          message->number[SH_UP_EXPECTED], message->number[SH_UP_WRITTEN]};
    if (message->kind == SH_MSG_DATA)
        take_result(to, message);
    else if (message->kind == SH_MSG_PROGRESS && to->job->progress)
        to->job->progress(to->job->opaque, &progress);
    else if (message->kind == SH_MSG_LOG && to->job->log)
        to->job->log(to->job->opaque, message->status, message->text);
    return 0;
}

static int open_input(const char *path, int *fd, int64_t *bytes, sh_err *err)
{
    struct stat info;
    char name[SH_SHOWN];
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0 || fstat(*fd, &info) < 0)
        return sh_fail_errno(err, errno, "%s", sh_shown_path(path, name));
    if (S_ISDIR(info.st_mode))
        return sh_fail(err, SH_E_ARGUMENT, "%s: is a folder, not a video", sh_shown_path(path, name));
    *bytes = info.st_size;
    return 0;
}

static int run(const sh_upscale_job *job, sh_upscale_child *child, sh_upscale_result *result, sh_err *err)
{
    receiver to = {job, result, false};
    char name[SH_SHOWN];
    const int keep[] = {child->input, child->output};
    const sh_sandbox_job box = {
        .what = sh_shown_path(job->options->input, name),
        .main = sh_upscale_child_main,
        .opaque = child,
        .descriptors = keep,
        .descriptor_count = 2,
        .message = receive,
        .receiver = &to,
    };
    int status = sh_sandbox_run(&box, err);
    if (status == 0 && !to.complete)
        return sh_fail(err, SH_E_INTERNAL, "%s: the child process gave no result", name);
    return status;
}

/* A model that the engine does not run may run on a library that is loaded for it, which the child could not
 * open. Once loaded it stays; what is wrong with the model, the child tells. */
static void load_libraries(const sh_buf *bytes)
{
    spyhop_model *model = NULL;
    if (spyhop_model_parse(&model, bytes->data, bytes->length, NULL) == 0)
        spyhop_model_free(&model);
}

static int check_written(const sh_output *output, const sh_upscale_result *result, sh_err *err)
{
    struct stat info;
    if (fstat(output->fd, &info) < 0)
        return sh_fail_errno(err, errno, "%s", output->shown);
    if (info.st_size != result->bytes_out || result->bytes_out == 0)
        return sh_fail(err, SH_E_INTERNAL, "%s: %" PRId64 " bytes were written and %" PRId64 " are there",
                       output->shown, result->bytes_out, (int64_t)info.st_size);
    return 0;
}

int sh_upscale(const sh_upscale_job *job, sh_upscale_result *result, sh_err *err)
{
    const int64_t start = sh_monotonic_us();
    sh_upscale_result got = {0};
    sh_upscale_child child = {.job = job, .muxer = sh_mux_find(job->options->output, err), .input = -1};
    sh_output output = {.fd = -1, .folder = -1};
    sh_buf model;
    if (!child.muxer)
        return SH_E_ARGUMENT;
    sh_buf_init(&model, SPYHOP_MAX_FILE_BYTES);
    int status = open_input(job->options->input, &child.input, &got.bytes_in, err);
    if (status == 0 && (status = sh_file_read(job->options->model, &model, err)) < 0)
        sh_err_prefix(err, "model");
    if (status == 0)
        status = sh_output_open(&output, job->options->output, job->options->overwrite, child.input, err);
    if (status == 0) {
        child.output = output.fd;
        child.model = model.data;
        child.model_size = model.length;
        load_libraries(&model);
        status = run(job, &child, &got, err);
    }
    if (status == 0)
        status = check_written(&output, &got, err);
    if (status == 0)
        status = sh_output_commit(&output, err);
    sh_output_close(&output);
    sh_buf_free(&model);
    if (child.input >= 0)
        close(child.input);
    if (status == 0) {
        got.seconds = (double)(sh_monotonic_us() - start) / 1e6;
        *result = got;
    }
    return status;
}
