/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The folder of a command, as servers of before there were agents made it:
 *
 *   lock          flock()ed by its supervisor as long as that lives
 *   running.json  it began
 *   result.json   how it ended
 *   stdout stderr what it wrote
 */
#include "cloud/api/ssm_legacy.h"
#include "base/file.h"
#include "base/log.h"
#include "cloud/api/agent.h"
#include "cloud/api/ssm.h"
#include "cloud/api/ssm_run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { FILE_MAX = 1 << 20, ROW_MEMORY = 8 << 20, AGAIN_MS = 1000 };

typedef enum state { NEVER, RUNNING, DONE, LOST } state;

static int path_of(const sh_cloud *cloud, const char *id, const char *name, char path[PATH_MAX], sh_err *err)
{
    if ((size_t)snprintf(path, PATH_MAX, "%s/commands/%s%s%s", cloud->settings.data, id, *name ? "/" : "",
                         name) >= PATH_MAX)
        return sh_fail(err, SH_E_LIMIT, "the path of the data folder is too long");
    return 0;
}

static bool there(const sh_cloud *cloud, const char *id, const char *name)
{
    char path[PATH_MAX];
    return path_of(cloud, id, name, path, NULL) == 0 && access(path, F_OK) == 0;
}

static int look(const sh_cloud *cloud, const char *id, state *out, sh_err *err)
{
    char path[PATH_MAX];
    int status = path_of(cloud, id, "lock", path, err);
    if (status < 0)
        return status;
    *out = NEVER;
    int lock = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (lock < 0)
        return errno == ENOENT ? 0 : sh_fail_errno(err, errno, "cannot open %s", path);
    if (flock(lock, LOCK_EX | LOCK_NB) < 0)
        *out = RUNNING;
    else if (there(cloud, id, "result.json"))
        *out = DONE;
    else
        *out = there(cloud, id, "running.json") ? LOST : NEVER;
    close(lock);
    return 0;
}

static int read_file(const sh_cloud *cloud, const char *id, const char *name, sh_buf *out, sh_err *err)
{
    char path[PATH_MAX];
    sh_err why = {0};
    int status = path_of(cloud, id, name, path, err);
    if (status == 0)
        status = sh_file_read(path, out, &why);
    if (status == 0 || status == SH_E_NOT_FOUND || status == SH_E_MEMORY || status == SH_E_LIMIT)
        return 0; /* a stream longer than is shown stays in its folder */
    return sh_fail(err, status, "%s", why.message);
}

static void take_end(const json_t *result, sh_invocation *row)
{
    const char *end = json_string_value(json_object_get(result, "end"));
    row->code = json_integer_value(json_object_get(result, "code"));
    row->start_ms = json_integer_value(json_object_get(result, "start_ms"));
    row->end_ms = json_integer_value(json_object_get(result, "end_ms"));
    if (end && strcmp(end, "timed-out") == 0) {
        row->status = "TimedOut";
        row->details = "ExecutionTimedOut";
    } else if (end && strcmp(end, "cancelled") == 0) {
        row->status = row->details = "Cancelled";
    } else {
        bool good = end && strcmp(end, "exited") == 0 && row->code == 0;
        row->status = row->details = good ? "Success" : "Failed";
    }
}

static const char *shown(sh_arena *arena, const sh_buf *text, size_t characters)
{
    char *copy = sh_arena_strndup(arena, sh_buf_cstr(text), text->length);
    if (!copy)
        return "";
    sh_text_mend(copy);
    size_t length = 0;
    for (size_t seen = 0; copy[length]; length++)
        if (((unsigned char)copy[length] & 0xc0) != 0x80 && ++seen > characters)
            break;
    copy[length] = '\0';
    return copy;
}

static int finish(sh_cloud *cloud, sh_arena *arena, sh_invocation *row, sh_err *err)
{
    sh_buf result, out, error;
    const char *before = row->status;
    sh_buf_init(&result, FILE_MAX);
    sh_buf_init(&out, FILE_MAX);
    sh_buf_init(&error, FILE_MAX);
    int status = read_file(cloud, row->id, "result.json", &result, err);
    if (status == 0)
        status = read_file(cloud, row->id, "stdout", &out, err);
    if (status == 0)
        status = read_file(cloud, row->id, "stderr", &error, err);
    if (status == 0) {
        json_t *json = json_loadb(sh_buf_cstr(&result), result.length, 0, NULL);
        take_end(json, row);
        json_decref(json);
        row->out = shown(arena, &out, SH_SSM_OUT_CHARACTERS);
        row->err = shown(arena, &error, SH_SSM_ERR_CHARACTERS);
        sh_log(SH_LOG_INFO, "ssm", "command %s, of before the agents: %s", row->id, row->details);
        status = sh_ssm_save(cloud, row, before, err);
    }
    sh_buf_free(&result);
    sh_buf_free(&out);
    sh_buf_free(&error);
    return status;
}

static int begin_again(sh_cloud *cloud, sh_invocation *row, sh_err *err)
{
    const char *before = row->status;
    if (strcmp(before, "Cancelling") == 0)
        return sh_ssm_end(cloud, row->id, row->instance, "Cancelled", "Cancelled", -1, "", err);
    row->status = row->details = "Pending";
    row->start_ms = 0;
    int status = sh_ssm_save(cloud, row, before, err);
    if (status == 0)
        sh_agent_wake(cloud, row->instance);
    return status;
}

static int settle(sh_cloud *cloud, sh_arena *arena, state found, sh_invocation *row, sh_err *err)
{
    if (found == DONE)
        return finish(cloud, arena, row, err);
    if (found == NEVER)
        return begin_again(cloud, row, err);
    return sh_ssm_end(cloud, row->id, row->instance, "Failed", "Terminated", 137,
                      "the command's supervisor ended before the command did (killed, or the machine "
                      "restarted); what it had done stays as it is",
                      err);
}

int sh_legacy_consider(sh_cloud *cloud, const sh_invocation *brief, int64_t *look_ms, sh_err *err)
{
    state found;
    sh_invocation row;
    int status = look(cloud, brief->id, &found, err);
    if (status < 0)
        return status;
    if (found == RUNNING) {
        int64_t again_ms = sh_now_ms(cloud->clock) + AGAIN_MS;
        *look_ms = again_ms < *look_ms ? again_ms : *look_ms;
        return 0;
    }
    sh_arena *arena = sh_arena_new(ROW_MEMORY);
    if (!arena)
        return sh_fail(err, SH_E_MEMORY, "no memory for a command");
    status = sh_invocation_get(cloud->db, arena, brief->id, brief->instance, &row, err);
    if (status == 0)
        status = settle(cloud, arena, found, &row, err);
    sh_arena_free(arena);
    return status;
}

int sh_legacy_remove(sh_cloud *cloud, const char *id, sh_err *err)
{
    char path[PATH_MAX];
    int status = path_of(cloud, id, "", path, err);
    return status == 0 ? sh_dir_remove(path, err) : status;
}
