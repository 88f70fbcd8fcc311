/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `spyhop transcode`: a MediaConvert job in this process, from and to local files.
 *
 * Files come to be in a folder .spyhop-XXXXXX beside their place and are renamed into it when all of the job
 * is there and checked: segments first, the top-level manifests last. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/mc_make.h"
#include "cli/mc_report.h"
#include "media/media.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOB_MAX (4U << 20)

static const char help[] =
    "usage: spyhop transcode JOB.json [OPTION]...\n\n"
    "Makes what a MediaConvert job says: JOB.json holds its Settings, or a CreateJob request. Inputs and\n"
    "destinations may be paths and file:// URIs.\n\n"
    "  --in FILE    instead of the job's input\n"
    "  --out DIR    folder for destinations in S3: s3://bucket/a/b becomes DIR/a/b\n"
    "  --json       an object a line on stdout: progress, warning, result, error\n"
    "  --quiet      nothing but errors\n";

typedef struct order {
    const char *file, *input, *out;
    bool json, quiet, line_open;
    json_t *document;
    sh_mc_job *job;
    int64_t time_ms;
    char *targets[SH_MC_GROUPS], *stages[SH_MC_GROUPS]; /* folders */
    char *made_root[SH_MC_GROUPS];                      /* the first folder of its path that was not there */
    sh_mc_plan *plan;
    sh_mc_made made;
} order;

/* ---- what is said ---- */

static void end_line(order *o)
{
    if (o->line_open)
        fputc('\n', stderr);
    o->line_open = false;
}

static void on_progress(void *opaque, int percent, int64_t frames, const char *phase)
{
    order *o = opaque;
    if (o->json) {
        sh_mc_print_progress(NULL, percent, frames, phase);
    } else if (!o->quiet && isatty(STDERR_FILENO)) {
        fprintf(stderr, "\r%3d%%  %lld frames  %-12s", percent, (long long)frames, phase);
        o->line_open = true;
    }
}

static void on_warning(void *opaque, const char *text)
{
    order *o = opaque;
    char shown[SH_SHOWN];
    if (o->json) {
        sh_mc_print_warning(NULL, text);
    } else if (!o->quiet) {
        end_line(o);
        fprintf(stderr, "spyhop transcode: %s\n",
                strlen(text) < SH_SHOWN ? sh_shown_path(text, shown) : text);
    }
}

static int fail(order *o, int code, int exit_code, const sh_err *err)
{
    end_line(o);
    fprintf(stderr, "spyhop transcode: %s\n", err->message);
    if (o->json)
        sh_mc_print(sh_mc_error_json(code, err->message));
    return exit_code;
}

static void print_result(const order *o)
{
    const sh_mc_made *made = &o->made;
    if (o->json) {
        json_t *result = sh_mc_result_json(made, o->job->group_count);
        for (size_t i = 0; i < o->job->group_count; i++)
            json_object_set_new(json_array_get(json_object_get(result, "groups"), i), "folder",
                                sh_mc_string(o->targets[i]));
        sh_mc_print(result);
        return;
    }
    for (size_t i = 0; i < made->file_count && !o->quiet; i++)
        if (strcmp(made->files[i].role, "segment") != 0 && strcmp(made->files[i].role, "init") != 0 &&
            strcmp(made->files[i].role, "image") != 0)
            printf("%s/%s\n", o->targets[made->files[i].group], made->files[i].name);
}

/* ---- the job ---- */

static int read_file(order *o, sh_err *err)
{
    json_error_t fault;
    sh_buf text;
    sh_buf_init(&text, JOB_MAX);
    int status = sh_file_read(o->file, &text, err);
    if (status == 0) {
        o->document = json_loadb(sh_buf_cstr(&text), text.length, JSON_REJECT_DUPLICATES, &fault);
        if (!o->document)
            status = sh_fail(err, SH_E_ARGUMENT, "%s: line %d, column %d: %s", o->file, fault.line,
                             fault.column, fault.text);
    }
    sh_buf_free(&text);
    return status;
}

static int read_job(order *o, sh_err *err)
{
    int status = read_file(o, err);
    if (status < 0)
        return status;
    const json_t *settings = json_object_get(o->document, "Settings");
    settings = settings ? settings : json_object_get(o->document, "settings");
    status = sh_mc_job_read_local(&o->job, settings ? settings : o->document, err);
    if (status < 0)
        return sh_err_prefix(err, "%s", o->file);
    if (!o->input && strncmp(o->job->file_input, "s3://", 5) == 0)
        return sh_fail(err, SH_E_ARGUMENT,
                       "%s: /inputs/0/fileInput: %s is not here; --in FILE says where it is", o->file,
                       o->job->file_input);
    if (!o->input)
        o->input =
            strncmp(o->job->file_input, "file://", 7) == 0 ? o->job->file_input + 7 : o->job->file_input;
    return 0;
}

/* ---- folders ---- */

/* mkdir -p; *first: the first that was not there, to be removed when the work fails; or NULL. */
static int make_path(const char *path, char **first, sh_err *err)
{
    char part[PATH_MAX];
    struct stat info;
    if (strlen(path) >= sizeof(part))
        return sh_fail(err, SH_E_LIMIT, "a destination's path is too long");
    for (size_t length = 1; length <= strlen(path); length++) {
        if (path[length] != '/' && path[length] != '\0')
            continue;
        snprintf(part, sizeof(part), "%.*s", (int)length, path);
        if (stat(part, &info) == 0)
            continue;
        if (mkdir(part, 0777) < 0)
            return sh_fail_errno(err, errno, "cannot make the folder %s", part);
        if (!*first && !(*first = strdup(part)))
            return sh_fail(err, SH_E_MEMORY, "memory is short");
    }
    return 0;
}

/* Keys of objects may hold any words between their slashes; names of folders lead nowhere but down. */
static bool leads_out(const char *prefix)
{
    for (const char *part = prefix; *part;) {
        const size_t length = strcspn(part, "/");
        if ((length == 1 && part[0] == '.') || (length == 2 && part[0] == '.' && part[1] == '.'))
            return true;
        part += length;
        part += *part == '/';
    }
    return false;
}

static int target_of(order *o, size_t group, sh_err *err)
{
    sh_mc_place place = {0};
    int status = sh_mc_place_of(&place, o->job, group, o->time_ms, err);
    if (status < 0)
        return status;
    if (place.bucket[0] && !o->out)
        status =
            sh_fail(err, SH_E_ARGUMENT, "%s: /outputGroups/%zu: %s is not here; --out DIR says where it is",
                    o->file, group, o->job->groups[group].destination);
    else if (place.bucket[0] && leads_out(place.prefix))
        status = sh_fail(
            err, SH_E_ARGUMENT,
            "%s: /outputGroups/%zu: %s has \".\" or \"..\" between slashes, which is no folder below --out",
            o->file, group, o->job->groups[group].destination);
    else if (asprintf(&o->targets[group], "%s%s%s", place.bucket[0] ? o->out : "", place.bucket[0] ? "/" : "",
                      *place.prefix ? place.prefix : ".") < 0)
        o->targets[group] = NULL;
    char *target = o->targets[group];
    while (target && strlen(target) > 1 && target[strlen(target) - 1] == '/')
        target[strlen(target) - 1] = '\0';
    sh_mc_place_free(&place);
    return status == 0 && !target ? sh_fail(err, SH_E_MEMORY, "memory is short") : status;
}

static int make_stage(order *o, size_t group, sh_err *err)
{
    int status = target_of(o, group, err);
    if (status == 0)
        status = make_path(o->targets[group], &o->made_root[group], err);
    if (status < 0)
        return status;
    if (asprintf(&o->stages[group], "%s/.spyhop-XXXXXX", o->targets[group]) < 0) {
        o->stages[group] = NULL;
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    }
    if (mkdtemp(o->stages[group]))
        return 0;
    status = sh_fail_errno(err, errno, "cannot make a folder in %s", o->targets[group]);
    free(o->stages[group]);
    o->stages[group] = NULL;
    return status;
}

/* Removes folders from the one given up to `root`, as far as they are empty. */
static void remove_path(const char *path, const char *root)
{
    char part[PATH_MAX];
    snprintf(part, sizeof(part), "%s", path);
    while (strlen(part) >= strlen(root) && rmdir(part) == 0) {
        char *slash = strrchr(part, '/');
        if (!slash || slash == part)
            break;
        *slash = '\0';
    }
}

static void clean(order *o, bool failed)
{
    for (size_t i = 0; i < SH_MC_GROUPS; i++)
        if (o->stages[i])
            sh_dir_remove(o->stages[i], NULL);
    for (size_t i = SH_MC_GROUPS; i-- > 0;) { /* the first made the folders that others lie in */
        if (failed && o->made_root[i])
            remove_path(o->targets[i], o->made_root[i]);
        free(o->targets[i]);
        free(o->stages[i]);
        free(o->made_root[i]);
    }
}

/* Whether the names of both groups' files were compared: their places are written alike. */
static bool same_place(const order *o, size_t a, size_t b)
{
    sh_mc_place one = {0}, other = {0};
    sh_err err = {0};
    const bool same = sh_mc_place_of(&one, o->job, a, o->time_ms, &err) == 0 &&
                      sh_mc_place_of(&other, o->job, b, o->time_ms, &err) == 0 &&
                      strcmp(one.bucket, other.bucket) == 0 && strcmp(one.prefix, other.prefix) == 0;
    sh_mc_place_free(&one);
    sh_mc_place_free(&other);
    return same;
}

/* Other buckets, "a/" and "a//": two destinations, and one folder in which one file would replace another. */
static int check_apart(const order *o, size_t group, sh_err *err)
{
    struct stat one, other;
    if (stat(o->targets[group], &one) < 0)
        return sh_fail_errno(err, errno, "cannot look at %s", o->targets[group]);
    for (size_t i = 0; i < group; i++)
        if (stat(o->targets[i], &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino &&
            !same_place(o, i, group))
            return sh_fail(err, SH_E_ARGUMENT,
                           "%s: /outputGroups/%zu: its destination is the same folder, %s, as that of group "
                           "%zu, which is "
                           "written differently; give one another folder, or write both alike",
                           o->file, group, o->targets[group], i);
    return 0;
}

static int publish(const order *o, sh_err *err)
{
    char from[PATH_MAX], to[PATH_MAX];
    int status = 0;
    for (size_t i = 0; i < o->made.file_count && status == 0; i++) {
        const sh_mc_file *f = &o->made.files[i];
        int a = snprintf(from, sizeof(from), "%s/%s", o->stages[f->group], f->name);
        int b = snprintf(to, sizeof(to), "%s/%s", o->targets[f->group], f->name);
        if (a < 0 || b < 0 || a >= PATH_MAX || b >= PATH_MAX)
            return sh_fail(err, SH_E_LIMIT, "the path of \"%.80s\" is too long", f->name);
        if (rename(from, to) < 0)
            status = sh_fail_errno(err, errno, "cannot put %s into its place", to);
    }
    for (size_t i = 0; i < o->job->group_count && status == 0; i++)
        status = sh_dir_sync(o->targets[i], err);
    return status;
}

/* ---- the command ---- */

static int work(order *o, int *code, sh_err *err)
{
    sh_mc_work_order w = {.job = o->job,
                          .input = o->input,
                          .time_ms = o->time_ms,
                          .progress = on_progress,
                          .warning = on_warning,
                          .opaque = o};
    int status = 0;
    *code = SH_MC_CODE_INTERNAL;
    for (size_t i = 0; i < o->job->group_count && status == 0; i++) {
        status = make_stage(o, i, err);
        if (status == 0)
            status = check_apart(o, i, err);
        w.folders[i] = o->stages[i];
    }
    if (status == SH_E_ARGUMENT)
        *code = SH_MC_CODE_SETTINGS;
    if (status == 0)
        status = sh_mc_make(&o->made, &o->plan, &w, code, err);
    return status == 0 ? publish(o, err) : status;
}

static int read_words(order *o, int argc, char **argv)
{
    static const struct option options[] = {
        {"in", required_argument, NULL, 'i'}, {"out", required_argument, NULL, 'o'},
        {"json", no_argument, NULL, 'j'},     {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},     {NULL, 0, NULL, 0}};
    int letter;
    optind = 1;
    while ((letter = getopt_long(argc, argv, "qh", options, NULL)) != -1) {
        if (letter == 'h') {
            fputs(help, stdout);
            return SH_EXIT_OK;
        }
        if (letter == '?') {
            fputs(help, stderr);
            return SH_EXIT_USAGE;
        }
        o->input = letter == 'i' ? optarg : o->input;
        o->out = letter == 'o' ? optarg : o->out;
        o->json = o->json || letter == 'j';
        o->quiet = o->quiet || letter == 'q';
    }
    if (argc - optind != 1) {
        fputs(help, stderr);
        return SH_EXIT_USAGE;
    }
    o->file = argv[optind];
    return -1;
}

int sh_cmd_transcode(int argc, char **argv)
{
    order o = {.time_ms = sh_now_ms(&sh_clock_system)};
    sh_err err = {0};
    int code = SH_MC_CODE_SETTINGS, result = read_words(&o, argc, argv);
    if (result >= 0)
        return result;
    sh_media_catch_signals();
    int status = read_job(&o, &err);
    if (status == 0) {
        sh_mc_each_note(o.job, on_warning, &o);
        status = work(&o, &code, &err);
    }
    end_line(&o);
    if (status == 0)
        print_result(&o);
    result = status == 0
                 ? SH_EXIT_OK
                 : fail(&o, code, status == SH_E_CANCELLED ? SH_EXIT_INTERRUPTED : SH_EXIT_FAILED, &err);
    clean(&o, status < 0);
    sh_mc_made_free(&o.made);
    sh_mc_plan_free(o.plan);
    sh_mc_job_free(o.job);
    json_decref(o.document);
    return result;
}
