/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The whole of a command's streams on their way to a bucket or a log group. A stream comes before the report,
 * as bytes into a file beside its place, DATA/outputs/COMMAND_NODE/STEP.STREAM, and is renamed to it once the
 * signature is good. Only a command that was handed to this node, and has not ended, takes any. */
#include "base/file.h"
#include "base/log.h"
#include "base/size.h"
#include "cloud/api/agent_inner.h"
#include "cloud/api/ssm_run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STEPS_MAX = 1000 };

typedef struct sh_agent_upload {
    const char *command, *stream;
    int64_t step, length;
    int fd; /* -1: none */
    bool failed;
    char part[PATH_MAX], path[PATH_MAX];
    sh_digest *digest;
} upload;

static int folder_of(const sh_cloud *cloud, const char *command, const char *node, char *path, size_t size,
                     sh_err *err)
{
    if ((size_t)snprintf(path, size, "%s/outputs/%s_%s", cloud->settings.data, command, node) >= size)
        return sh_fail(err, SH_E_LIMIT, "the path of the data folder is too long");
    return 0;
}

int sh_agent_output_path(const sh_cloud *cloud, const char *command, const char *node, int64_t step,
                         const char *stream, char *path, size_t size, sh_err *err)
{
    char folder[PATH_MAX];
    int status = folder_of(cloud, command, node, folder, sizeof(folder), err);
    if (status == 0 && (size_t)snprintf(path, size, "%s/%lld.%s", folder, (long long)step, stream) >= size)
        status = sh_fail(err, SH_E_LIMIT, "the path of the data folder is too long");
    return status;
}

int sh_agent_outputs_remove(const sh_cloud *cloud, const char *command, const char *node, sh_err *err)
{
    char folder[PATH_MAX];
    int status = folder_of(cloud, command, node, folder, sizeof(folder), err);
    return status == 0 ? sh_dir_remove(folder, err) : status;
}

/* ---- the request ---- */

static bool read_query(sh_agent_ask *ask, upload *u)
{
    const sh_http_head *head = sh_http_request_head(ask->http);
    const char *step = sh_http_param_get(head, "step");
    u->command = sh_http_param_get(head, "command");
    u->stream = sh_http_param_get(head, "stream");
    if (!u->command || !step || !u->stream || strlen(u->command) > 64 ||
        strspn(u->command, "0123456789abcdef-") != strlen(u->command) ||
        (strcmp(u->stream, "stdout") != 0 && strcmp(u->stream, "stderr") != 0) ||
        !sh_parse_i64(step, strlen(step), 0, STEPS_MAX, &u->step)) {
        sh_agent_refuse(ask, 400, "BadRequest", "output needs command, step and stream (stdout or stderr)");
        return false;
    }
    return true;
}

static bool is_handed(sh_agent_ask *ask, const upload *u)
{
    sh_err err = {0};
    sh_handout delivery;
    if (sh_handout_get(ask->cloud->db, ask->arena, u->command, ask->node, &delivery, &err) == 0)
        return true;
    sh_agent_refuse(ask, 400, "NotHanded", "command %s was not handed to node %s, or has ended", u->command,
                    ask->node);
    return false;
}

static int open_part(sh_agent_ask *ask, upload *u, sh_err *err)
{
    char folder[PATH_MAX];
    int status = folder_of(ask->cloud, u->command, ask->node, folder, sizeof(folder), err);
    if (status == 0)
        status = sh_dir_make(folder, 0700, err);
    if (status == 0)
        status = sh_agent_output_path(ask->cloud, u->command, ask->node, u->step, u->stream, u->path,
                                      sizeof(u->path), err);
    if (status == 0 &&
        (size_t)snprintf(u->part, sizeof(u->part), "%s.%s", u->path, ask->nonce) >= sizeof(u->part))
        status = sh_fail(err, SH_E_LIMIT, "the path of the data folder is too long");
    if (status < 0)
        return status;
    u->fd = open(u->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return u->fd < 0 ? sh_fail_errno(err, errno, "cannot make %s", u->part) : 0;
}

static void take_bytes(void *opaque, sh_http_request *http, const void *bytes, size_t length)
{
    sh_agent_ask *ask = opaque;
    upload *u = ask->upload;
    sh_err err = {0};
    (void)http;
    u->length += (int64_t)length;
    if (u->failed)
        return;
    sh_digest_update(u->digest, bytes, length);
    if (u->length > SH_AGENT_OUTPUT_MAX) {
        u->failed = true;
        sh_agent_refuse(ask, 413, "TooLarge", "a stream is larger than %d bytes", SH_AGENT_OUTPUT_MAX);
    } else if (sh_fd_write(u->fd, bytes, length, &err) < 0) {
        u->failed = true;
        sh_log(SH_LOG_ERROR, "agent", "command %s: %s", u->command, err.message);
        sh_agent_refuse(ask, 503, "InternalError", "the output could not be kept");
    }
}

void sh_agent_output_begin(sh_agent_ask *ask)
{
    sh_err err = {0};
    upload *u = sh_arena_alloc(ask->arena, sizeof(*u));
    if (!u) {
        sh_agent_refuse(ask, 503, "InternalError", "no memory for an output");
        return;
    }
    u->fd = -1;
    if (!read_query(ask, u) || !is_handed(ask, u))
        return;
    ask->upload = u;
    int status = sh_digest_new(&u->digest, SH_DIGEST_SHA256, &err);
    if (status == 0)
        status = open_part(ask, u, &err);
    if (status < 0) {
        sh_log(SH_LOG_ERROR, "agent", "command %s: %s", u->command, err.message);
        sh_agent_refuse(ask, 503, "InternalError", "the output could not be kept");
        return;
    }
    sh_http_sink_body(ask->http, take_bytes, ask);
}

void sh_agent_output_finish(sh_agent_ask *ask)
{
    unsigned char hash[SH_DIGEST_BYTES];
    upload *u = ask->upload;
    if (!u || u->failed || sh_digest_final(u->digest, SH_DIGEST_SHA256, hash) != 32) {
        sh_agent_refuse(ask, 500, "InternalError", "no digest of the output");
        return;
    }
    if (!sh_agent_check(ask, ask->row.key, hash))
        return;
    if (fdatasync(u->fd) < 0 || rename(u->part, u->path) < 0) {
        sh_log(SH_LOG_ERROR, "agent", "command %s: cannot keep its output: %s", u->command, strerror(errno));
        sh_agent_refuse(ask, 503, "InternalError", "the output could not be kept");
        return;
    }
    u->part[0] = '\0';
    sh_agent_answer(ask, json_pack("{s:I}", "bytes", (json_int_t)u->length));
}

void sh_agent_output_end(sh_agent_ask *ask)
{
    upload *u = ask->upload;
    if (u->fd >= 0) {
        close(u->fd);
        if (u->part[0])
            unlink(u->part);
    }
    sh_digest_free(u->digest);
    u->digest = NULL;
    u->fd = -1;
}
