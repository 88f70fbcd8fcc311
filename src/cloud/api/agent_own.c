/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The built-in node. Its row is made at the start, with the public half of DATA/node/key.pem; its agent is a
 * child that dies with the server, while the supervisors of its commands live on and are found again by the
 * next agent. An agent that ends by itself is started again, at first after a second, then more seldom. */
#include "base/file.h"
#include "base/log.h"
#include "base/size.h"
#include "cloud/api/agent.h"
#include "cloud/api/bell.h"
#include "cloud/http/digest.h"
#include "cloud/jobs/child.h"
#include "cloud/jobs/node_key.h"

#include <limits.h>
#include <openssl/evp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEY_BYTES = 32, KEY_TEXT = 45, WORKERS = 5, VARIABLES_MAX = 16 };
enum { FIRST_WAIT_MS = 1000, LONGEST_WAIT_MS = 30000, STEADY_MS = 60000, STOP_MS = 2000 };

static int path_of(const sh_cloud *cloud, const char *name, char path[PATH_MAX], sh_err *err)
{
    char root[PATH_MAX];
    if (!realpath(cloud->settings.data, root))
        return sh_fail(err, SH_E_IO, "the data folder %s is not there", cloud->settings.data);
    if ((size_t)snprintf(path, PATH_MAX, "%s/node%s%s", root, *name ? "/" : "", name) >= PATH_MAX)
        return sh_fail(err, SH_E_LIMIT, "the path of the data folder is too long");
    return 0;
}

/* ---- the key ---- */

static int public_key(const sh_cloud *cloud, char text[KEY_TEXT], sh_err *err)
{
    char path[PATH_MAX];
    unsigned char bytes[KEY_BYTES];
    size_t length = sizeof(bytes);
    EVP_PKEY *key = NULL;
    int status = path_of(cloud, "", path, err);
    if (status == 0)
        status = sh_dir_make(path, 0700, err);
    if (status == 0)
        status = path_of(cloud, "key.pem", path, err);
    if (status == 0)
        status = sh_node_key_load(&key, path, true, err);
    if (status == 0 && (EVP_PKEY_get_raw_public_key(key, bytes, &length) != 1 || length != KEY_BYTES))
        status = sh_fail(err, SH_E_FORMAT, "%s is not an Ed25519 key: remove it to get a new one", path);
    if (status == 0)
        sh_base64(bytes, sizeof(bytes), text);
    EVP_PKEY_free(key);
    return status;
}

/* ---- its files ---- */

/* An agent of its own unit finds here what the server's child does. */
static int write_identity(const sh_cloud *cloud, sh_err *err)
{
    char path[PATH_MAX];
    const sh_cloud_settings *s = &cloud->settings;
    json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i}", "server",
                             cloud->node_endpoint ? cloud->node_endpoint : cloud->endpoint, "instance_id",
                             s->instance_id, "account", s->account, "region", s->region, "pin", "", "network",
                             s->node_network, "workers", WORKERS);
    char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
    int status = text ? path_of(cloud, "identity.json", path, err)
                      : sh_fail(err, SH_E_MEMORY, "no memory for the node's files");
    if (status == 0)
        status = sh_file_replace(path, text, strlen(text), 0600, err);
    free(text);
    json_decref(json);
    return status;
}

/* ---- its row ---- */

typedef struct others {
    const char *own;
    char ids[16][40];
    size_t count;
} others;

static int collect_other(void *opaque, const sh_node_row *row)
{
    others *o = opaque;
    if (!row->activation[0] && strcmp(row->id, o->own) != 0)
        snprintf(o->ids[o->count++], sizeof(o->ids[0]), "%s", row->id);
    return o->count == SH_COUNT(o->ids);
}

/* The server may have been started with another --instance-id before. */
static int remove_others(sh_cloud *cloud, sh_err *err)
{
    others o = {.own = cloud->settings.instance_id};
    int status = sh_node_each(cloud->db, collect_other, &o, err);
    for (size_t i = 0; status == 0 && i < o.count; i++)
        status = sh_node_delete(cloud->db, o.ids[i], err);
    return status;
}

static int put_row(sh_cloud *cloud, sh_arena *arena, const char *key, sh_err *err)
{
    sh_node_row row;
    const sh_node_row fresh = {.id = cloud->settings.instance_id,
                               .activation = "",
                               .role = "",
                               .name = "",
                               .host = "",
                               .address = "127.0.0.1",
                               .platform = "Linux",
                               .platform_version = "",
                               .arch = "",
                               .agent_version = "",
                               .machine = "",
                               .session = "",
                               .trouble = "",
                               .registered_ms = sh_now_ms(cloud->clock),
                               .workers = WORKERS};
    int status = sh_node_get(cloud->db, arena, cloud->settings.instance_id, &row, err);
    if (status == SH_E_NOT_FOUND) {
        row = fresh;
        status = 0;
    }
    if (status == 0 && row.key && strcmp(row.key, key) == 0)
        return 0; /* as it was: nothing has to be written, which a full disk would refuse */
    row.key = key;
    return status == 0 ? sh_node_put(cloud->db, &row, err) : status;
}

int sh_agent_own_prepare(sh_cloud *cloud, sh_err *err)
{
    char key[KEY_TEXT];
    sh_arena *arena = sh_arena_new(1 << 20);
    int status = arena ? public_key(cloud, key, err) : sh_fail(err, SH_E_MEMORY, "no memory for the node");
    if (status == 0)
        status = remove_others(cloud, err);
    if (status == 0)
        status = put_row(cloud, arena, key, err);
    if (status == 0)
        status = write_identity(cloud, err);
    if (status == SH_E_FULL) { /* all else is to work: it is what makes room */
        sh_log(SH_LOG_ERROR, "agent", "the built-in node does not learn the server's address: %s",
               err->message);
        status = 0;
    }
    sh_arena_free(arena);
    return status;
}

/* ---- its process ---- */

typedef struct variables {
    char text[VARIABLES_MAX][PATH_MAX];
    const char *list[VARIABLES_MAX + 1];
    size_t count;
} variables;

static void add(variables *v, const char *name, const char *value)
{
    if (!value || v->count == VARIABLES_MAX)
        return;
    char *to = v->text[v->count];
    if ((size_t)snprintf(to, sizeof(v->text[0]), "%s=%s", name, value) < sizeof(v->text[0]))
        v->list[v->count++] = to;
}

/* Nothing of the server's own keys. */
static void fill(const sh_cloud *cloud, variables *v)
{
    static const char *const kept[] = {"PATH",    "HOME",         "LANG",          "TMPDIR",
                                       "TZ",      "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS",
                                       "LOGNAME", "USER",         "SPYHOP_TEST"};
    v->count = 0;
    for (size_t i = 0; i < SH_COUNT(kept); i++)
        add(v, kept[i], getenv(kept[i]));
    add(v, "ONNX_DIR", cloud->settings.models ? cloud->settings.models : getenv("ONNX_DIR"));
    add(v, "SPYHOP", cloud->settings.program);
    v->list[v->count] = NULL;
}

static int spawn(const sh_cloud *cloud, sh_child *child, sh_err *err)
{
    char folder[PATH_MAX];
    const int fds[] = {-1, STDERR_FILENO, STDERR_FILENO};
    const char *argv[] = {
        "spyhop-agent", "run", "--data", folder, cloud->settings.json_log ? "--log-format=json" : NULL, NULL};
    variables *v = calloc(1, sizeof(*v));
    int status = v ? path_of(cloud, "", folder, err) : sh_fail(err, SH_E_MEMORY, "no memory for the agent");
    if (status == 0) {
        fill(cloud, v);
        const sh_child_spec spec = {.program = cloud->settings.agent,
                                    .argv = argv,
                                    .environment = v->list,
                                    .folder = folder,
                                    .fds = fds,
                                    .fd_count = 3,
                                    .session = true,
                                    .death_signal = SIGKILL,
                                    .mask = 077};
        status = sh_child_spawn(child, &spec, err);
    }
    free(v);
    return status;
}

/* Until the child has ended (true) or the server ends (false). */
static bool watch(sh_bell *bell, sh_child *child)
{
    for (;;) {
        struct pollfd ready[] = {{.fd = bell->fd, .events = POLLIN}, {.fd = child->pidfd, .events = POLLIN}};
        if (poll(ready, 2, -1) < 0)
            continue;
        if (ready[0].revents && !sh_bell_take(bell))
            return false;
        if (ready[1].revents)
            return true;
    }
}

static void stop(sh_child *child)
{
    int status;
    sh_err err = {0};
    kill(child->pid, SIGTERM);
    if (sh_child_wait(child, STOP_MS, &status, &err) <= 0)
        sh_child_destroy(child);
}

/* True: it ended by itself. */
static bool run_once(sh_cloud *cloud, sh_bell *bell)
{
    char how[128];
    int status;
    sh_err err = {0};
    sh_child child = SH_CHILD_NONE;
    if (spawn(cloud, &child, &err) < 0) {
        sh_log(SH_LOG_ERROR, "agent", "the agent of the built-in node cannot be started: %s", err.message);
        return true;
    }
    if (!watch(bell, &child)) {
        stop(&child);
        return false;
    }
    if (sh_child_wait(&child, 0, &status, &err) > 0) {
        sh_child_describe(status, how, sizeof(how));
        sh_log(SH_LOG_ERROR, "agent", "the agent of the built-in node ended: %s", how);
    }
    return true;
}

/* False: the server ends. */
static bool pause_for(sh_bell *bell, int64_t ms)
{
    int64_t until_us = sh_monotonic_us() + ms * 1000;
    for (;;) {
        int64_t left_ms = (until_us - sh_monotonic_us()) / 1000;
        struct pollfd ready = {.fd = bell->fd, .events = POLLIN};
        if (left_ms <= 0)
            return true;
        if (poll(&ready, 1, (int)left_ms) > 0 && !sh_bell_take(bell))
            return false;
    }
}

int sh_agent_own_run(sh_cloud *cloud)
{
    sh_bell bell;
    sh_err err = {0};
    int64_t wait_ms = FIRST_WAIT_MS;
    if (!cloud->settings.agent)
        return 0;
    int status = sh_bell_open(&bell, cloud, SH_WAKE_AGENT, &err);
    if (status < 0) {
        sh_log(SH_LOG_ERROR, "agent", "the built-in node has no agent: %s", err.message);
        return status;
    }
    for (;;) {
        int64_t start_us = sh_monotonic_us();
        if (!run_once(cloud, &bell))
            break;
        wait_ms = sh_monotonic_us() - start_us > (int64_t)STEADY_MS * 1000 ? FIRST_WAIT_MS : wait_ms;
        if (!pause_for(&bell, wait_ms))
            break;
        wait_ms = wait_ms * 2 < LONGEST_WAIT_MS ? wait_ms * 2 : LONGEST_WAIT_MS;
    }
    sh_bell_close(&bell);
    return 0;
}
