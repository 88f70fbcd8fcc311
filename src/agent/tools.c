/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What commands find on their PATH, and in their environment. */
#include "agent/agent.h"
#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static int place_link(const char *bin, const char *name, const char *target, sh_err *err)
{
    char link[PATH_MAX], temporary[PATH_MAX];
    if ((size_t)snprintf(link, sizeof(link), "%s/%s", bin, name) >= sizeof(link) ||
        (size_t)snprintf(temporary, sizeof(temporary), "%s/.%s", bin, name) >= sizeof(temporary))
        return sh_fail(err, SH_E_LIMIT, "the path of the data folder is too long");
    unlink(temporary);
    if (symlink(target, temporary) < 0 || rename(temporary, link) < 0)
        return sh_fail_errno(err, errno, "cannot make the link %s", link);
    return 0;
}

/* Beside this program, in a source tree or in an installation: the first of the places that is there. */
static bool find_beside(const sh_agent *agent, const char *const *places, size_t count,
                        char resolved[PATH_MAX])
{
    char path[PATH_MAX];
    const char *slash = strrchr(agent->own, '/');
    for (size_t i = 0; i < count; i++) {
        int length =
            snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - agent->own), agent->own, places[i]);
        if (length > 0 && length < (int)sizeof(path) && realpath(path, resolved))
            return true;
    }
    return false;
}

static int place_beside(const sh_agent *agent, const char *bin, const char *name, const char *const *places,
                        size_t count, sh_err *err)
{
    char resolved[PATH_MAX];
    if (find_beside(agent, places, count, resolved))
        return place_link(bin, name, resolved, err);
    sh_log(SH_LOG_WARNING, "agent", "%s is not beside the program: commands that name it will fail", name);
    return 0;
}

int sh_agent_tools_place(const sh_agent *agent, sh_err *err)
{
    static const char *const scripts[] = {"../pipelines/run-sr.sh", "../../share/spyhop/pipelines/run-sr.sh",
                                          "../share/spyhop/pipelines/run-sr.sh"};
    static const char *const programs[] = {"spyhop", "../../bin/spyhop"};
    char bin[PATH_MAX], path[PATH_MAX];
    int status = sh_agent_path(path, agent->data, "work", err);
    if (status == 0)
        status = sh_dir_make(path, agent->config.user && *agent->config.user ? 0755 : 0700, err);
    if (status == 0)
        status = sh_agent_path(bin, agent->data, "bin", err);
    if (status == 0)
        status = sh_dir_make(bin, 0755, err);
    if (status == 0)
        status = getenv("SPYHOP") ? place_link(bin, "spyhop", getenv("SPYHOP"), err)
                                  : place_beside(agent, bin, "spyhop", programs, 2, err);
    if (status == 0)
        status = place_beside(agent, bin, "run-sr.sh", scripts, 3, err);
    if (status == 0 && (size_t)snprintf(path, sizeof(path), "%s/aws", bin) >= sizeof(path))
        status = sh_fail(err, SH_E_LIMIT, "the path of the data folder is too long");
    return status == 0 ? sh_file_replace(path, aws_script, sizeof(aws_script) - 1, 0755, err) : status;
}

/* ---- the environment ---- */

enum { VARIABLES_MAX = 32 };

typedef struct variables {
    char **list;
    size_t count;
    bool failed;
} variables;

static void add(variables *v, const char *name, const char *value)
{
    char *text = NULL;
    if (!value || v->failed)
        return;
    if (v->count == VARIABLES_MAX || asprintf(&text, "%s=%s", name, value) < 0)
        v->failed = true;
    else
        v->list[v->count++] = text;
}

static void add_path(const sh_agent *agent, variables *v)
{
    const char *path = getenv("PATH");
    char *text = NULL;
    if (asprintf(&text, "%s/bin:%s", agent->data,
                 path && *path ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin") < 0) {
        v->failed = true;
        return;
    }
    add(v, "PATH", text);
    free(text);
}

char **sh_agent_environment(const sh_agent *agent, const char *id)
{
    static const char *const kept[] = {"TMPDIR", "TZ",           "ONNX_DIR",      "LOGNAME",
                                       "USER",   "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"};
    variables v = {.list = calloc(VARIABLES_MAX + 1, sizeof(*v.list))};
    const char *home = getenv("HOME"), *language = getenv("LANG");
    if (!v.list)
        return NULL;
    add_path(agent, &v);
    add(&v, "HOME", home && *home ? home : "/");
    add(&v, "LANG", language && *language ? language : "C.UTF-8");
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        add(&v, kept[i], getenv(kept[i]));
    add(&v, "AWS_DEFAULT_REGION", agent->identity.region);
    add(&v, "AWS_REGION", agent->identity.region);
    add(&v, "AWS_EC2_METADATA_DISABLED", "true");
    add(&v, "AWS_PAGER", "");
    add(&v, "SPYHOP_INSTANCE_ID", agent->identity.id);
    add(&v, "SPYHOP_COMMAND_ID", id);
    if (v.failed) {
        sh_agent_environment_free(v.list);
        return NULL;
    }
    return v.list;
}

void sh_agent_environment_free(char **environment)
{
    for (char **at = environment; at && *at; at++)
        free(*at);
    free(environment);
}
