/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/upscale.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "media/encode.h"
#include "media/media.h"
#include "media/output.h"
#include "media/pipeline.h"
#include "media/report.h"
#include "media/sandbox.h"
#include "media/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spyhop/spyhop.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct receiver {
    const sh_upscale_job *job;
    sh_upscale_result *result;
    AVRational in, out; /* time bases */
    bool complete;
} receiver;

static int take_result(receiver *to, const sh_message *message, sh_err *err)
{
    if (sscanf(message->text, "%9d/%9d %9d/%9d", &to->in.num, &to->in.den, &to->out.num, &to->out.den) != 4)
        return sh_fail(err, SH_E_INTERNAL, "the child process gave no time bases");
    to->complete = true;
    to->result->frames = message->number[SH_UP_FRAMES];
    to->result->damages = message->number[SH_UP_DAMAGES];
    to->result->width = (int)message->number[SH_UP_WIDTH];
    to->result->height = (int)message->number[SH_UP_HEIGHT];
    to->result->out_width = (int)message->number[SH_UP_OUT_WIDTH];
    to->result->out_height = (int)message->number[SH_UP_OUT_HEIGHT];
    to->result->duration = (double)message->number[SH_UP_DURATION_US] / 1e6;
    to->result->bytes_out = message->number[SH_UP_BYTES];
    return 0;
}

static int receive(void *opaque, const sh_message *message, sh_err *err)
{
    receiver *to = opaque;
    const sh_upscale_progress progress = {
        .decoded = message->number[SH_UP_DECODED],
        .encoded = message->number[SH_UP_ENCODED],
        .expected = message->number[SH_UP_EXPECTED],
        .bytes = message->number[SH_UP_WRITTEN],
        .resumed = message->number[SH_UP_RESUMED],
        .committed = message->number[SH_UP_COMMITTED],
        .pieces = message->number[SH_UP_PIECES],
        .out_time_us = message->number[SH_UP_TIME_US],
    };
    if (message->kind == SH_MSG_DATA)
        return take_result(to, message, err);
    if (message->kind == SH_MSG_PROGRESS && to->job->progress)
        to->job->progress(to->job->opaque, &progress);
    else if (message->kind == SH_MSG_LOG && to->job->log)
        to->job->log(to->job->opaque, message->status, message->text);
    return 0;
}

static bool is_pipe(const char *path)
{
    return strcmp(path, "-") == 0;
}

/* A descriptor of our own, above those that the child gives up. */
static int copy_of(int fd, sh_err *err)
{
    const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return copy < 0 ? sh_fail_errno(err, errno, "-") : copy;
}

static int open_input(const char *path, int *fd, int64_t *bytes, sh_err *err)
{
    struct stat info;
    char name[SH_SHOWN];
    *fd = is_pipe(path) ? copy_of(STDIN_FILENO, err) : open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0 || fstat(*fd, &info) < 0)
        return sh_fail_errno(err, errno, "%s", sh_shown_path(path, name));
    if (S_ISDIR(info.st_mode))
        return sh_fail(err, SH_E_ARGUMENT, "%s: is a folder, not a video", sh_shown_path(path, name));
    *bytes = info.st_size;
    return 0;
}

static int run(receiver *to, sh_upscale_child *child, sh_err *err)
{
    char name[SH_SHOWN];
    int keep[4] = {child->input, child->part}, count = 2;
    if (child->muxer) {
        keep[count++] = child->journal;
        keep[count++] = child->folder;
    }
    const sh_sandbox_job box = {
        .what = sh_shown_path(to->job->options->input, name),
        .main = sh_upscale_child_main,
        .opaque = child,
        .descriptors = keep,
        .descriptor_count = (size_t)count,
        .message = receive,
        .receiver = to,
        .may_finish = true,
        .unconfined = to->job->options->no_sandbox,
    };
    sh_encoder_before_confinement();
    int status = sh_sandbox_run(&box, err);
    if (status == 0 && !to->complete)
        return sh_fail(err, SH_E_INTERNAL, "%s: the child process gave no result", name);
    return status;
}

static int check_written(const sh_unfinished *output, const sh_upscale_result *result, sh_err *err)
{
    struct stat info;
    if (fstat(output->part, &info) < 0)
        return sh_fail_errno(err, errno, "%s", output->shown);
    if (info.st_size != result->bytes_out || result->bytes_out == 0)
        return sh_fail(err, SH_E_INTERNAL, "%s: %" PRId64 " bytes were written and %" PRId64 " are there",
                       output->shown, result->bytes_out, (int64_t)info.st_size);
    return 0;
}

/* ---- the journal, read by the parent ---- */

/* Every frame has to be accounted for before the file gets its name. */
static int account(receiver *to, const sh_unfinished *output, sh_err *err)
{
    const sh_upscale_options *options = to->job->options;
    char input[SH_SHOWN], model[SH_SHOWN];
    sh_report report = {.input = sh_shown_path(options->input, input),
                        .output = output->shown,
                        .model = sh_shown_path(options->model, model),
                        .in = to->in,
                        .out = to->out};
    sh_journal *journal = NULL;
    int status = sh_journal_open(&journal, output->journal, output->shown, err);
    if (status == 0)
        status = sh_report_sum(journal, &report.sums, err);
    if (status == 0 && report.sums.frames_out != to->result->frames)
        status = sh_fail(err, SH_E_INTERNAL, "%s: %" PRId64 " frames are in the ledger and %" PRId64 " in it",
                         output->shown, report.sums.frames_out, to->result->frames);
    if (status == 0 && options->report)
        status = sh_report_write(options->report, journal, &report, err);
    sh_journal_close(journal);
    to->result->frames_in = report.sums.frames_in;
    to->result->lost = report.sums.packets_lost;
    to->result->duplicates = report.sums.duplicates;
    to->result->pieces = report.sums.pieces;
    to->result->redone = report.sums.scalar + report.sums.classic;
    return status;
}

/* After a failure: what is worth going on with stays. */
static void keep_or_discard(const receiver *to, sh_unfinished *output, int status)
{
    sh_journal *journal = NULL;
    char text[SH_SHOWN + 160];
    if (output->journal < 0 || sh_journal_open(&journal, output->journal, output->shown, NULL) < 0)
        return;
    const sh_journal_piece *last = sh_journal_last(journal);
    const int64_t frames = last ? last->first_frame + last->frames : 0;
    sh_journal_close(journal);
    snprintf(text, sizeof(text),
             "%s: %" PRId64 " frames are kept beside it; the same command goes on from there", output->shown,
             frames);
    if (frames == 0)
        sh_unfinished_discard(output);
    else if (to->job->log && status != SH_E_CANCELLED && status != SH_E_CONFLICT)
        to->job->log(to->job->opaque, SH_LOG_WARNING, text);
}

/* ---- the ways of writing ---- */

static int to_file(receiver *to, sh_upscale_child *child, sh_err *err)
{
    const sh_upscale_options *options = to->job->options;
    sh_unfinished output = SH_UNFINISHED_NONE;
    int status = sh_unfinished_open(&output, options->output, options->overwrite, child->input, err);
    if (status == 0) {
        child->part = output.part;
        child->journal = output.journal;
        child->folder = output.folder;
        status = run(to, child, err);
        if (status == 0)
            status = check_written(&output, to->result, err);
        if (status == 0)
            status = account(to, &output, err);
        if (status == 0)
            status = sh_unfinished_commit(&output, err);
        if (status < 0 && child->piped)
            sh_unfinished_discard(&output);
        else if (status < 0)
            keep_or_discard(to, &output, status);
    }
    sh_unfinished_close(&output);
    return status;
}

static int to_pipe(receiver *to, sh_upscale_child *child, sh_err *err)
{
    child->part = copy_of(STDOUT_FILENO, err);
    int status = child->part < 0 ? child->part : run(to, child, err);
    if (child->part >= 0)
        close(child->part);
    to->result->frames_in = to->result->frames;
    return status;
}

static int to_preview(receiver *to, sh_upscale_child *child, sh_err *err)
{
    const sh_upscale_options *options = to->job->options;
    sh_output output;
    int status = sh_output_open(&output, options->output, options->overwrite, child->input, err);
    if (status < 0)
        return status;
    child->part = output.fd;
    status = run(to, child, err);
    if (status == 0)
        status = sh_output_commit(&output, err);
    sh_output_close(&output);
    to->result->frames_in = to->result->frames;
    return status;
}

static int work(receiver *to, sh_upscale_child *child, sh_err *err)
{
    const sh_upscale_options *options = to->job->options;
    if (options->preview)
        return to_preview(to, child, err);
    if (is_pipe(options->output))
        return to_pipe(to, child, err);
    child->muxer = sh_mux_find(options->output, err);
    return child->muxer ? to_file(to, child, err) : SH_E_ARGUMENT;
}

int sh_upscale(const sh_upscale_job *job, sh_upscale_result *result, sh_err *err)
{
    const int64_t start = sh_monotonic_us();
    const sh_upscale_options *options = job->options;
    sh_upscale_result got = {0};
    receiver to = {.job = job, .result = &got};
    sh_upscale_child child = {.job = job, .input = -1, .part = -1, .journal = -1, .folder = -1};
    sh_buf model, restore;
    sh_buf_init(&restore, SPYHOP_MAX_FILE_BYTES);
    int status = sh_network_read(options->model, &model, err);
    if (status == 0)
        status = sh_network_read(options->restore, &restore, err);
    if (status == 0)
        status = open_input(options->input, &child.input, &got.bytes_in, err);
    if (status == 0) {
        child.piped = lseek(child.input, 0, SEEK_CUR) < 0;
        child.model = model.data;
        child.model_size = model.length;
        child.restore = options->restore ? restore.data : NULL;
        child.restore_size = restore.length;
        status = work(&to, &child, err);
    }
    sh_buf_free(&model);
    sh_buf_free(&restore);
    if (child.input >= 0)
        close(child.input);
    if (status == 0) {
        got.seconds = (double)(sh_monotonic_us() - start) / 1e6;
        *result = got;
    }
    return status;
}
