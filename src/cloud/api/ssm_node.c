/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The built-in node: what a command finds when it runs.
 *
 *   DATA/node/bin    first on PATH: links to `spyhop`, this program, and to `run-sr.sh` of the pipelines, and
 *                    `aws`, a script that sends the AWS CLI to this server
 *   DATA/node/work   where a command begins unless it names a workingDirectory
 *   DATA/commands    a folder for each command (cloud/jobs/command.h)
 *
 * A command fetches keys of the node's role from the server with the token of its own that its environment
 * has; they end by themselves, and no others are given once it has ended. Where the server does not listen on
 * 127.0.0.1, which is all that clients fetch keys from, the keys themselves are in the environment. */
#include "base/file.h"
#include "base/log.h"
#include "cloud/api/agent_inner.h"
#include "cloud/api/front.h"
#include "cloud/api/iam.h"
#include "cloud/api/ssm.h"
#include "cloud/jobs/command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The AWS CLI of Debian 12 does not know AWS_ENDPOINT_URL. */
static const char aws_script[] =
    "#!/bin/sh\n"
    "# Runs the next aws on PATH against the endpoint of this server, unless the caller names another.\n"
    "named=\n"
    "for word in \"$@\"; do\n"
    "    case $word in --endpoint-url | --endpoint-url=*) named=1 ;; esac\n"
    "done\n"
    "set -f\n"
    "IFS=:\n"
    "for folder in $PATH; do\n"
    "    found=${folder:-.}/aws\n"
    "    if [ -f \"$found\" ] && [ -x \"$found\" ] && ! [ \"$found\" -ef \"$0\" ]; then\n"
    "        unset IFS\n"
    "        if [ -n \"${AWS_ENDPOINT_URL-}\" ] && [ -z \"$named\" ]; then\n"
    "            exec \"$found\" --endpoint-url \"$AWS_ENDPOINT_URL\" \"$@\"\n"
    "        fi\n"
    "        exec \"$found\" \"$@\"\n"
    "    fi\n"
    "done\n"
    "echo 'aws: the AWS CLI is not installed on this node (apt-get install awscli)' >&2\n"
    "exit 127\n";

static int place_link(const sh_node *node, const char *name, const char *target, sh_err *err)
{
    char link[PATH_MAX], temporary[PATH_MAX];
    if ((size_t)snprintf(link, sizeof(link), "%s/%s", node->bin, name) >= sizeof(link) ||
        (size_t)snprintf(temporary, sizeof(temporary), "%s/.%s", node->bin, name) >= sizeof(temporary))
        return sh_fail(err, SH_E_LIMIT, "the path of the data folder is too long");
    unlink(temporary);
    if (symlink(target, temporary) < 0 || rename(temporary, link) < 0)
        return sh_fail_errno(err, errno, "cannot make the link %s", link);
    return 0;
}

/* The run script of the pipelines lies beside the program, in a source tree or in an installation. */
static int place_script(const sh_node *node, const char *program, sh_err *err)
{
    static const char *const between[] = {"../pipelines", "../share/spyhop/pipelines"};
    char path[PATH_MAX], resolved[PATH_MAX];
    const char *slash = strrchr(program, '/');
    int folder = slash ? (int)(slash - program) : 0;
    for (size_t i = 0; i < sizeof(between) / sizeof(between[0]); i++) {
        int length = snprintf(path, sizeof(path), "%.*s/%s/run-sr.sh", folder, program, between[i]);
        if (length > 0 && length < (int)sizeof(path) && realpath(path, resolved))
            return place_link(node, "run-sr.sh", resolved, err);
    }
    sh_log(SH_LOG_WARNING, "ssm", "run-sr.sh is not beside the program: pipelines that name it will fail");
    return 0;
}

static int place_programs(const sh_node *node, sh_err *err)
{
    const char *program = node->cloud->settings.program;
    int status = program ? place_link(node, "spyhop", program, err) : 0;
    return program && status == 0 ? place_script(node, program, err) : status;
}

static int make_folders(sh_node *node, sh_err *err)
{
    static const char *const names[] = {"node/bin", "node/work", "commands"};
    const char **const to[] = {&node->bin, &node->work, &node->commands};
    char root[PATH_MAX];
    if (!realpath(node->cloud->settings.data, root))
        return sh_fail_errno(err, errno, "cannot find the data folder %s", node->cloud->settings.data);
    node->root = sh_arena_strdup(node->arena, root);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        *to[i] = sh_arena_printf(node->arena, "%s/%s", root, names[i]);
        if (!node->root || !*to[i])
            return sh_fail(err, SH_E_MEMORY, "no memory for the node's paths");
        int status = sh_dir_make(*to[i], 0700, err);
        if (status < 0)
            return status;
    }
    return 0;
}

int sh_node_prepare(sh_node *out, sh_cloud *cloud, sh_err *err)
{
    char path[PATH_MAX];
    sh_node node = {.cloud = cloud, .arena = sh_arena_new(8 * PATH_MAX)};
    if (!node.arena)
        return sh_fail(err, SH_E_MEMORY, "no memory for the node");
    int status = make_folders(&node, err);
    if (status == 0)
        status = place_programs(&node, err);
    if (status == 0 && (size_t)snprintf(path, sizeof(path), "%s/aws", node.bin) >= sizeof(path))
        status = sh_fail(err, SH_E_LIMIT, "the path of the data folder is too long");
    if (status == 0)
        status = sh_file_replace(path, aws_script, sizeof(aws_script) - 1, 0700, err);
    if (status < 0) {
        sh_node_free(&node);
        return status;
    }
    *out = node;
    return 0;
}

void sh_node_free(sh_node *node)
{
    sh_arena_free(node->arena);
    node->arena = NULL;
}

int sh_node_folder(const sh_node *node, const char *id, char *path, size_t size, sh_err *err)
{
    if ((size_t)snprintf(path, size, "%s/%s", node->commands, id) >= size)
        return sh_fail(err, SH_E_LIMIT, "the path of the data folder is too long");
    return 0;
}

#define MAX_VARIABLES 32
#define KEYS_S (49 * 3600) /* a command runs for 48 hours at most */

typedef struct variables {
    sh_arena *arena;
    const char **list;
    size_t count;
    bool failed;
} variables;

/* A NULL value leaves the variable out. */
static void add(variables *v, const char *name, const char *value)
{
    if (!value || v->failed)
        return;
    char *text = v->count < MAX_VARIABLES ? sh_arena_printf(v->arena, "%s=%s", name, value) : NULL;
    if (text)
        v->list[v->count++] = text;
    else
        v->failed = true;
}

static const char *or_else(const char *value, const char *fallback)
{
    return value && *value ? value : fallback;
}

static int make_keys(const sh_node *node, sh_arena *arena, sh_iam_keys *out, sh_err *err)
{
    sh_caller session;
    int status = sh_node_session(node->cloud, arena, &session, err);
    return status == 0 ? sh_iam_session_keys(node->cloud, &session, KEYS_S, arena, out, err) : status;
}

const char *const *sh_node_environment(const sh_node *node, const char *id, sh_arena *arena, sh_err *err)
{
    const sh_cloud *cloud = node->cloud;
    sh_iam_keys keys = {0};
    variables v = {.arena = arena, .list = sh_arena_alloc(arena, (MAX_VARIABLES + 1) * sizeof(*v.list))};
    const char *endpoint = cloud->node_endpoint ? cloud->node_endpoint : cloud->endpoint;
    bool fetches = strncmp(endpoint, "http://127.0.0.1:", 17) == 0;
    if (!fetches && make_keys(node, arena, &keys, err) < 0)
        return NULL;
    if (!v.list) {
        sh_fail(err, SH_E_MEMORY, "no memory for a command");
        return NULL;
    }
    const char *path =
        or_else(getenv("PATH"), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    const char *models = or_else(cloud->settings.models, getenv("ONNX_DIR"));
    add(&v, "PATH", sh_arena_printf(arena, "%s:%s", node->bin, path));
    add(&v, "HOME", or_else(getenv("HOME"), node->work));
    add(&v, "LANG", or_else(getenv("LANG"), "C.UTF-8"));
    add(&v, "TMPDIR", getenv("TMPDIR"));
    add(&v, "AWS_ENDPOINT_URL", endpoint);
    if (fetches) { /* keys that a script sets itself must not meet the token of others */
        add(&v, "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            sh_arena_printf(arena, "%s/_spyhop/credentials", endpoint));
        add(&v, "AWS_CONTAINER_AUTHORIZATION_TOKEN",
            sh_agent_token(cloud, id, cloud->settings.instance_id, arena));
    }
    add(&v, "AWS_ACCESS_KEY_ID", keys.access_key);
    add(&v, "AWS_SECRET_ACCESS_KEY", keys.secret_key);
    add(&v, "AWS_SESSION_TOKEN", keys.token);
    add(&v, "AWS_DEFAULT_REGION", cloud->settings.region);
    add(&v, "AWS_REGION", cloud->settings.region);
    add(&v, "AWS_EC2_METADATA_DISABLED", "true");
    add(&v, "AWS_PAGER", "");
    add(&v, "SPYHOP_INSTANCE_ID", cloud->settings.instance_id);
    add(&v, "SPYHOP_COMMAND_ID", id);
    add(&v, "ONNX_DIR", models);
    if (v.failed)
        sh_fail(err, SH_E_MEMORY, "no memory for a command's environment");
    return v.failed ? NULL : v.list;
}

/* ---- the whole output, to a bucket ---- */

static int copy_file(int from, int to, sh_err *err)
{
    char block[65536];
    for (;;) {
        ssize_t got = read(from, block, sizeof(block));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return sh_fail_errno(err, errno, "cannot read a command's output");
        if (got == 0)
            return 0;
        int status = sh_fd_write(to, block, (size_t)got, err);
        if (status < 0)
            return status;
    }
}

/* Copies a stream to a staged file. 0 with an empty path when nothing was written to the stream. */
static int stage_stream(const sh_objects *objects, const char *folder, const char *stream, char *path,
                        sh_err *err)
{
    char from_path[PATH_MAX];
    struct stat st;
    int to = -1;
    path[0] = '\0';
    if ((size_t)snprintf(from_path, sizeof(from_path), "%s/%s", folder, stream) >= sizeof(from_path))
        return sh_fail(err, SH_E_LIMIT, "the path of the data folder is too long");
    int from = open(from_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (from < 0 || fstat(from, &st) < 0 || st.st_size == 0) {
        if (from >= 0)
            close(from);
        return 0;
    }
    int status = sh_stage_file(objects, path, &to, err);
    if (status == 0)
        status = copy_file(from, to, err);
    if (to >= 0)
        close(to);
    close(from);
    return status;
}

static int publish_streams(const sh_node *node, const sh_objects *objects, const char *folder,
                           const sh_invocation *row, const json_t *request, sh_object_with_fn with,
                           void *opaque, sh_err *err)
{
    static const char *const streams[] = {"stdout", "stderr"};
    static const sh_object_cause cause = {.reason = "PutObject", .requester = "ssm.amazonaws.com"};
    char paths[2][SH_STAGE_PATH] = {"", ""};
    char *keys[2] = {NULL, NULL};
    sh_object_new items[2];
    size_t count = 0;
    int status = 0;
    for (int i = 0; status == 0 && i < 2; i++) {
        keys[i] = sh_ssm_output_key(row, request, streams[i]);
        status = keys[i] ? stage_stream(objects, folder, streams[i], paths[i], err)
                         : sh_fail(err, SH_E_MEMORY, "no memory for a key");
        if (status == 0 && paths[i][0])
            status = sh_node_may_write(
                node->cloud, json_string_value(json_object_get(request, "OutputS3BucketName")), keys[i], err);
        if (status == 0 && paths[i][0])
            items[count++] =
                (sh_object_new){.bucket = json_string_value(json_object_get(request, "OutputS3BucketName")),
                                .key = keys[i],
                                .path = paths[i],
                                .content_type = "text/plain; charset=utf-8"};
    }
    if (status == 0 && count > 0)
        status = sh_objects_publish_with(objects, items, count, &cause, with, opaque, err);
    if (status == 0)
        status = count > 0;
    for (int i = 0; i < 2; i++) {
        if (paths[i][0])
            unlink(paths[i]);
        free(keys[i]);
    }
    return status;
}

int sh_node_deliver_output(const sh_node *node, const sh_invocation *row, sh_object_with_fn with,
                           void *opaque, sh_err *err)
{
    char folder[PATH_MAX];
    json_t *request = json_loads(row->request, 0, NULL);
    const char *bucket = json_string_value(json_object_get(request, "OutputS3BucketName"));
    int status = 0;
    if (bucket && *bucket) {
        sh_objects objects = sh_cloud_objects(node->cloud);
        status = sh_node_folder(node, row->id, folder, sizeof(folder), err);
        if (status == 0)
            status = publish_streams(node, &objects, folder, row, request, with, opaque, err);
    }
    json_decref(request);
    return status;
}
