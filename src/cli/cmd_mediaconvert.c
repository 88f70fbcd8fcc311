/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The child of one MediaConvert job: settings and a local file in, folders with checked streams out. What it
 * reads and writes is described in docs/mediaconvert.md. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/mc_make.h"
#include "cli/mc_report.h"
#include "media/media.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DOCUMENT_MAX (4U << 20)

typedef struct worker {
    json_t *document;
    sh_mc_job *job;
    const char *input, *out_dir;
    char *folders[SH_MC_GROUPS]; /* made by us */
    sh_mc_plan *plan;
    sh_mc_made made;
} worker;

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

/* ---- the command ---- */

static int make_folders(worker *w, sh_err *err)
{
    for (size_t i = 0; i < w->job->group_count; i++) {
        if (asprintf(&w->folders[i], "%s/%zu", w->out_dir, i) < 0) {
            w->folders[i] = NULL;
            return sh_fail(err, SH_E_MEMORY, "memory is short");
        }
        if (mkdir(w->folders[i], 0700) < 0) {
            int status = sh_fail_errno(err, errno, "cannot make %s", w->folders[i]);
            free(w->folders[i]);
            w->folders[i] = NULL;
            return status;
        }
    }
    return 0;
}

static int make_streams(worker *w, int *code, sh_err *err)
{
    const json_t *time = json_object_get(w->document, "time_ms");
    sh_mc_work_order order = {
        .job = w->job,
        .input = w->input,
        .time_ms = time ? (int64_t)json_integer_value(time) : sh_now_ms(&sh_clock_system),
        .progress = sh_mc_print_progress,
        .warning = sh_mc_print_warning,
        .opaque = w,
    };
    *code = SH_MC_CODE_INTERNAL;
    int status = make_folders(w, err);
    for (size_t i = 0; i < w->job->group_count; i++)
        order.folders[i] = w->folders[i];
    if (status == 0)
        status = sh_mc_make(&w->made, &w->plan, &order, code, err);
    for (size_t i = 0; i < w->job->group_count && status < 0; i++)
        if (w->folders[i])
            sh_dir_remove(w->folders[i], NULL);
    return status;
}

/* The input as the job names it, not as the path it was handed over by. */
static void name_input(const worker *w, sh_err *err)
{
    char text[sizeof(err->message)];
    const char *at = w->input ? strstr(err->message, w->input) : NULL;
    if (!at || !w->job || !w->job->file_input)
        return;
    snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - err->message), err->message, w->job->file_input,
             at + strlen(w->input));
    memcpy(err->message, text, sizeof(text));
}

static void free_worker(worker *w)
{
    for (size_t i = 0; i < SH_MC_GROUPS; i++)
        free(w->folders[i]);
    sh_mc_made_free(&w->made);
    sh_mc_plan_free(w->plan);
    sh_mc_job_free(w->job);
    json_decref(w->document);
    free(w);
}

int sh_cmd_mediaconvert_worker(int argc, char **argv)
{
    sh_err err = {0};
    int code = SH_MC_CODE_SETTINGS;
    worker *w = calloc(1, sizeof(*w));
    (void)argv;
    if (!w || argc != 1) {
        fprintf(stderr, "usage: spyhop mediaconvert-worker < JOB.json\n");
        free(w);
        return SH_EXIT_USAGE;
    }
    sh_media_catch_signals();
    int status = read_document(w, &err);
    int exit_code = status < 0 ? SH_EXIT_USAGE : SH_EXIT_FAILED;
    if (status == 0)
        status = sh_mc_job_read(&w->job, json_object_get(w->document, "settings"), &err);
    if (status == 0) {
        sh_mc_each_note(w->job, sh_mc_print_warning, NULL);
        status = make_streams(w, &code, &err);
    }
    if (status == 0) {
        sh_mc_print(sh_mc_result_json(&w->made, w->job->group_count));
    } else {
        name_input(w, &err);
        fprintf(stderr, "spyhop mediaconvert-worker: %s\n", err.message);
        sh_mc_print(sh_mc_error_json(code, err.message));
    }
    free_worker(w);
    return status == 0 ? SH_EXIT_OK : status == SH_E_CANCELLED ? SH_EXIT_INTERRUPTED : exit_code;
}
