/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/probe_job.h"
#include "base/file.h"
#include "media/encode.h"
#include "media/media.h"
#include "media/mux.h"
#include "media/probe_child.h"
#include "media/sandbox.h"
#include "media/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct receiver {
    const sh_probe_job *job;
    sh_buf *json;
} receiver;

static int receive(void *opaque, const sh_message *message, sh_err *err)
{
    receiver *to = opaque;
    const size_t length = strlen(message->text);
    if (message->kind == SH_MSG_LOG && to->job->log)
        to->job->log(to->job->opaque, message->status, message->text);
    if (message->kind != SH_MSG_DATA)
        return 0;
    if (message->number[0] != (int64_t)length || sh_buf_append(to->json, message->text, length) < 0)
        return sh_fail(err, SH_E_INTERNAL, "the child process gave a report that is none");
    return 0;
}

static int open_input(const char *path, int *fd, sh_err *err)
{
    struct stat info;
    char name[SH_SHOWN];
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0 || fstat(*fd, &info) < 0)
        return sh_fail_errno(err, errno, "%s", sh_shown_path(path, name));
    if (!S_ISREG(info.st_mode) && !S_ISBLK(info.st_mode))
        return sh_fail(err, SH_E_ARGUMENT, "%s: is no file; probe reads at several places of one",
                       sh_shown_path(path, name));
    return 0;
}

static int run(const sh_probe_job *job, sh_probe_child *child, sh_buf *json, sh_err *err)
{
    receiver to = {job, json};
    char name[SH_SHOWN];
    const sh_sandbox_job box = {
        .what = sh_shown_path(job->options->input, name),
        .main = sh_probe_child_main,
        .opaque = child,
        .descriptors = &child->input,
        .descriptor_count = 1,
        .message = receive,
        .receiver = &to,
        .unconfined = job->options->no_sandbox,
    };
    sh_encoder_before_confinement();
    return sh_sandbox_run(&box, err);
}

int sh_probe_run(const sh_probe_job *job, sh_buf *json, sh_err *err)
{
    const char *output = job->options->output;
    sh_probe_child child = {.job = job, .input = -1, .y4m = output && strcmp(output, "-") == 0};
    sh_buf model, restore;
    int status = 0;
    sh_buf_init(&model, SPYHOP_MAX_FILE_BYTES);
    sh_buf_init(&restore, SPYHOP_MAX_FILE_BYTES);
    if (output && !child.y4m && !(child.muxer = sh_mux_find(output, err)))
        status = SH_E_ARGUMENT;
    if (status == 0)
        status = open_input(job->options->input, &child.input, err);
    if (status == 0)
        status = sh_network_read(job->options->model, &model, err);
    if (status == 0)
        status = sh_network_read(job->options->restore, &restore, err);
    if (status == 0) {
        child.model = model.data;
        child.model_size = model.length;
        child.restore = job->options->restore ? restore.data : NULL;
        child.restore_size = restore.length;
        status = run(job, &child, json, err);
    }
    sh_buf_free(&model);
    sh_buf_free(&restore);
    if (child.input >= 0)
        close(child.input);
    return status;
}
