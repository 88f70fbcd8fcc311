/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The worker of a job. It gets the input as descriptor 3, so that it reads the object's own file, and reads
 * it to the end whatever becomes of the key; its settings on stdin; and a staging folder for its files. It
 * dies with the thread that started it. */
#include "cloud/api/mediaconvert_work.h"
#include "base/file.h"
#include "base/log.h"
#include "cloud/api/front.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LINE_MAX_BYTES (32 << 20) /* a result names every segment */
#define TAIL_MAX_BYTES 4096
#define WARNINGS_MAX 100
#define INPUT_FD 3
#define INPUT_PATH "/proc/self/fd/3"

static int open_input(const sh_mc_work *work, sh_cloud *cloud, const sh_mc_job *job, int *fd, int *code,
                      sh_err *err)
{
    char bucket[SH_BUCKET_NAME_MAX + 1];
    const char *key;
    sh_object object;
    sh_caller session;
    sh_err why = {0};
    sh_objects objects = sh_cloud_objects(cloud);
    sh_arena *arena = sh_arena_new(1 << 20);
    *code = SH_MC_ERROR_INTERNAL;
    int status = arena ? sh_mc_s3_uri(job->file_input, bucket, sizeof(bucket), &key, &why)
                       : sh_fail(&why, SH_E_MEMORY, "no memory");
    if (status == 0)
        status = sh_mc_session(cloud, work->role, work->id, arena, &session, &why);
    if (status == 0)
        status = sh_mc_permit(cloud, &session, "s3:GetObject", bucket, key, arena, &why);
    if (status == 0)
        status = sh_object_open(&objects, bucket, key, arena, &object, fd, &why);
    if (status < 0) {
        if (status == SH_E_NOT_FOUND || status == SH_E_ARGUMENT)
            *code = SH_MC_ERROR_INPUT;
        if (status == SH_E_DENIED)
            *code = SH_MC_ERROR_DENIED;
        sh_fail(err, status, "Unable to open input file [%s]: [%s%s]", job->file_input,
                status == SH_E_NOT_FOUND ? "404 Not Found: " : "", why.message);
    }
    sh_arena_free(arena);
    return status;
}

static int find_destination(sh_cloud *cloud, const char *destination, const sh_mc_place *place, sh_err *err)
{
    sh_bucket bucket;
    sh_err why = {0};
    sh_objects objects = sh_cloud_objects(cloud);
    int status = sh_bucket_get(&objects, place->bucket, &bucket, &why);
    if (status == 0)
        return 0;
    return sh_fail(err, status, "Unable to write to output destination [%s]: [%s%s]", destination,
                   status == SH_E_NOT_FOUND ? "404 Not Found: " : "", why.message);
}

static int find_destinations(sh_mc_work *work, sh_cloud *cloud, const sh_mc_job *job, int64_t time_ms,
                             int *code, sh_err *err)
{
    int status = 0;
    *code = SH_MC_ERROR_OUTPUT;
    for (size_t i = 0; i < job->group_count && status == 0; i++) {
        status = sh_mc_place_of(&work->places[i], job, i, time_ms, err);
        if (status < 0)
            break;
        work->place_count++;
        status = find_destination(cloud, job->groups[i].destination, &work->places[i], err);
    }
    return status;
}

/* The worker's stdin: a file in memory, so that nobody waits for a pipe. */
static int settings_file(const sh_mc_work *work, const sh_mc_job *job, int64_t time_ms, int *out, sh_err *err)
{
    json_t *document = json_pack("{s:O, s:s, s:s, s:I}", "settings", job->settings, "input", INPUT_PATH,
                                 "out_dir", work->folder, "time_ms", (json_int_t)time_ms);
    char *text = document ? json_dumps(document, JSON_COMPACT) : NULL;
    json_decref(document);
    if (!text)
        return sh_fail(err, SH_E_MEMORY, "no memory for a job's settings");
    int status = 0;
    int fd = memfd_create("job", MFD_CLOEXEC);
    if (fd < 0)
        status = sh_fail_errno(err, errno, "cannot make a file in memory");
    else
        status = sh_fd_write(fd, text, strlen(text), err);
    if (status == 0 && lseek(fd, 0, SEEK_SET) < 0)
        status = sh_fail_errno(err, errno, "cannot rewind a file in memory");
    free(text);
    if (status == 0)
        *out = fd;
    else if (fd >= 0)
        close(fd);
    return status;
}

static int spawn(sh_mc_work *work, sh_cloud *cloud, int settings, int input, sh_err *err)
{
    int out[2] = {-1, -1}, log[2] = {-1, -1};
    const char *path = getenv("PATH");
    char path_entry[PATH_MAX];
    const char *argv[] = {cloud->settings.program, "mediaconvert-worker", NULL};
    const char *environment[] = {path_entry, "LANG=C.UTF-8", NULL};
    snprintf(path_entry, sizeof(path_entry), "PATH=%s", path ? path : "/usr/bin:/bin");
    if (pipe2(out, O_CLOEXEC) < 0 || pipe2(log, O_CLOEXEC) < 0) {
        int status = sh_fail_errno(err, errno, "cannot make a pipe");
        if (out[0] >= 0)
            close(out[0]), close(out[1]);
        return status;
    }
    const int fds[] = {settings, out[1], log[1], input};
    sh_child_spec spec = {.program = cloud->settings.program,
                          .argv = argv,
                          .environment = environment,
                          .folder = work->folder,
                          .fds = fds,
                          .fd_count = INPUT_FD + 1,
                          .death_signal = SIGKILL,
                          .mask = 077};
    int status = sh_child_spawn(&work->child, &spec, err);
    close(out[1]);
    close(log[1]);
    work->out = out[0];
    work->log = log[0];
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    fcntl(log[0], F_SETFL, O_NONBLOCK);
    return status;
}

static int prepare(sh_mc_work *work, sh_cloud *cloud, const sh_mc_job *job, int *code, sh_err *err)
{
    char name[96];
    int settings = -1, input = -1;
    const int64_t time_ms = sh_now_ms(cloud->clock); /* of $dt$ and the like, here and in the worker */
    sh_objects objects = sh_cloud_objects(cloud);
    int status = open_input(work, cloud, job, &input, code, err);
    if (status < 0)
        return status;
    status = find_destinations(work, cloud, job, time_ms, code, err);
    if (status < 0)
        goto done;
    *code = SH_MC_ERROR_INTERNAL;
    snprintf(name, sizeof(name), "mc-%s", work->id);
    status = sh_stage_folder(&objects, name, work->folder, err);
    if (status == 0)
        status = settings_file(work, job, time_ms, &settings, err);
    if (status == 0)
        status = spawn(work, cloud, settings, input, err);
done:
    if (settings >= 0)
        close(settings);
    close(input);
    return status;
}

int sh_mc_work_start(sh_mc_work *out, sh_cloud *cloud, const sh_mcjob *job, int *code, sh_err *err)
{
    sh_mc_work work = {.child = SH_CHILD_NONE, .out = -1, .log = -1, .warnings = json_array()};
    sh_mc_job *checked = NULL;
    json_t *request = json_loads(job->request, 0, NULL);
    json_t *resolved = job->settings ? json_loads(job->settings, 0, NULL) : NULL;
    snprintf(work.id, sizeof(work.id), "%s", job->id);
    snprintf(work.phase, sizeof(work.phase), "PROBING");
    const char *role = json_string_value(json_object_get(request, "role"));
    snprintf(work.role, sizeof(work.role), "%s", role ? role : "");
    sh_buf_init(&work.line, LINE_MAX_BYTES);
    sh_buf_init(&work.tail, TAIL_MAX_BYTES);
    work.news_us = sh_monotonic_us();
    *code = SH_MC_ERROR_INTERNAL;
    int status = sh_mc_job_read(&checked, resolved ? resolved : json_object_get(request, "settings"), err);
    if (status == 0)
        status = prepare(&work, cloud, checked, code, err);
    sh_mc_job_free(checked);
    json_decref(request);
    json_decref(resolved);
    if (status < 0)
        sh_mc_work_free(&work);
    else
        *out = work;
    return status;
}

void sh_mc_work_free(sh_mc_work *work)
{
    sh_err err = {0};
    sh_child_destroy(&work->child);
    if (work->out >= 0)
        close(work->out);
    if (work->log >= 0)
        close(work->log);
    if (work->folder[0] && sh_dir_remove(work->folder, &err) < 0)
        sh_log(SH_LOG_WARNING, "mediaconvert", "job %s: %s", work->id, err.message);
    sh_buf_free(&work->line);
    sh_buf_free(&work->tail);
    json_decref(work->final);
    json_decref(work->warnings);
    for (size_t i = 0; i < SH_MC_GROUPS; i++)
        sh_mc_place_free(&work->places[i]);
    *work = (sh_mc_work){.child = SH_CHILD_NONE, .out = -1, .log = -1};
}

/* ---- what the worker says ---- */

static void take_message(sh_mc_work *work, json_t *message)
{
    const char *type = json_string_value(json_object_get(message, "type"));
    const char *phase = json_string_value(json_object_get(message, "phase"));
    if (!type)
        return;
    if (strcmp(type, "progress") == 0) {
        work->percent = (int)json_integer_value(json_object_get(message, "percent"));
        work->percent = work->percent < 0 ? 0 : work->percent > 100 ? 100 : work->percent;
        if (phase)
            snprintf(work->phase, sizeof(work->phase), "%s", phase);
    } else if (strcmp(type, "warning") == 0) {
        json_t *text = json_object_get(message, "message");
        if (json_is_string(text) && json_array_size(work->warnings) < WARNINGS_MAX)
            json_array_append(work->warnings, text);
    } else if (strcmp(type, "result") == 0 || strcmp(type, "error") == 0) {
        json_decref(work->final);
        work->final = json_incref(message);
    }
}

static void take_line(sh_mc_work *work, const char *line, size_t length)
{
    json_t *message = json_loadb(line, length, 0, NULL);
    if (message)
        take_message(work, message);
    else if (length > 0)
        sh_log(SH_LOG_WARNING, "mediaconvert", "job %s: the worker wrote a line that is not JSON", work->id);
    json_decref(message);
}

static void take_lines(sh_mc_work *work)
{
    const char *at = sh_buf_cstr(&work->line), *end = at + work->line.length, *stop;
    while (at < end && (stop = memchr(at, '\n', (size_t)(end - at)))) {
        take_line(work, at, (size_t)(stop - at));
        at = stop + 1;
    }
    size_t left = (size_t)(end - at);
    if (left > 0 && at != work->line.data)
        memmove(work->line.data, at, left);
    work->line.length = left;
    if (work->line.data)
        work->line.data[left] = '\0';
}

/* Reads one block. Returns 0 at the end of the pipe, which is then closed. */
static ssize_t read_block(int *fd, char *block, size_t size)
{
    ssize_t got = read(*fd, block, size);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return -1;
    if (got <= 0) {
        close(*fd);
        *fd = -1;
        return 0;
    }
    return got;
}

void sh_mc_work_listen(sh_mc_work *work)
{
    char block[65536];
    ssize_t got;
    while (work->out >= 0 && (got = read_block(&work->out, block, sizeof(block))) > 0) {
        work->news_us = sh_monotonic_us();
        if (sh_buf_append(&work->line, block, (size_t)got) < 0)
            sh_buf_clear(&work->line); /* an absurd line: its rest will not be JSON, and is said to be so */
        take_lines(work);
    }
}

void sh_mc_work_listen_log(sh_mc_work *work)
{
    char block[TAIL_MAX_BYTES];
    ssize_t got;
    while (work->log >= 0 && (got = read_block(&work->log, block, sizeof(block))) > 0) {
        if (work->tail.length + (size_t)got > TAIL_MAX_BYTES)
            sh_buf_clear(&work->tail);
        sh_buf_append(&work->tail, block, (size_t)got);
    }
}
