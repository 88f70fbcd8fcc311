/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "agent/agent.h"
#include "base/file.h"
#include "cloud/jobs/node_key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_MAX = 65536 };

int sh_agent_path(char path[PATH_MAX], const char *data, const char *name, sh_err *err)
{
    if ((size_t)snprintf(path, PATH_MAX, "%s/%s", data, name) >= PATH_MAX)
        return sh_fail(err, SH_E_LIMIT, "the path of the data folder is too long");
    return 0;
}

static void copy(char *to, size_t size, const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    snprintf(to, size, "%s", text ? text : "");
}

static int take(sh_agent_identity *out, const json_t *json, const char *path, sh_err *err)
{
    sh_agent_identity identity = {.workers = (int)json_integer_value(json_object_get(json, "workers"))};
    const char *network = json_string_value(json_object_get(json, "network"));
    copy(identity.server, sizeof(identity.server), json, "server");
    copy(identity.id, sizeof(identity.id), json, "instance_id");
    copy(identity.account, sizeof(identity.account), json, "account");
    copy(identity.region, sizeof(identity.region), json, "region");
    copy(identity.pin, sizeof(identity.pin), json, "pin");
    identity.network = network && strcmp(network, "open") == 0 ? SH_NETWORK_OPEN : SH_NETWORK_SERVER;
    if (!identity.server[0] || !identity.id[0])
        return sh_fail(err, SH_E_FORMAT, "%s names no server or no node: register again", path);
    *out = identity;
    return 0;
}

int sh_agent_identity_read(sh_agent_identity *out, const char *data, sh_err *err)
{
    char path[PATH_MAX];
    sh_buf text;
    sh_err why = {0};
    sh_buf_init(&text, FILE_MAX);
    int status = sh_agent_path(path, data, "identity.json", err);
    if (status < 0)
        return status;
    status = sh_file_read(path, &text, &why);
    if (status == SH_E_NOT_FOUND)
        sh_fail(err, status, "%s is no node's folder: spyhop agent register makes one", data);
    else if (status < 0)
        sh_fail(err, status, "%s", why.message);
    json_t *json = status == 0 ? json_loadb(sh_buf_cstr(&text), text.length, 0, NULL) : NULL;
    if (status == 0)
        status = take(out, json, path, err);
    json_decref(json);
    sh_buf_free(&text);
    return status;
}

int sh_agent_identity_write(const sh_agent_identity *identity, const char *data, sh_err *err)
{
    char path[PATH_MAX];
    json_t *json = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:i}", "server", identity->server, "instance_id", identity->id,
        "account", identity->account, "region", identity->region, "pin", identity->pin, "network",
        identity->network == SH_NETWORK_OPEN ? "open" : "server", "workers", identity->workers);
    char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
    int status = text ? sh_agent_path(path, data, "identity.json", err)
                      : sh_fail(err, SH_E_MEMORY, "no memory for the node's identity");
    if (status == 0)
        status = sh_file_replace(path, text, strlen(text), 0600, err);
    free(text);
    json_decref(json);
    return status;
}

/* ---- the key ---- */

int sh_agent_key_load(EVP_PKEY **out, const char *data, bool make, sh_err *err)
{
    char path[PATH_MAX];
    int status = sh_agent_path(path, data, "key.pem", err);
    return status == 0 ? sh_node_key_load(out, path, make, err) : status;
}

/* ---- the machine ---- */

static void add_file(sh_buf *to, const char *path)
{
    sh_buf text;
    sh_buf_init(&text, 4096);
    if (sh_file_read(path, &text, NULL) == 0)
        sh_buf_append(to, sh_buf_cstr(&text), strcspn(sh_buf_cstr(&text), "\n"));
    sh_buf_putc(to, '\n');
    sh_buf_free(&text);
}

int sh_agent_machine(char out[65], const char *data, sh_err *err)
{
    struct stat st;
    unsigned char digest[32];
    sh_buf text;
    if (stat(data, &st) < 0)
        return sh_fail_errno(err, errno, "cannot look at %s", data);
    sh_buf_init(&text, 8192);
    add_file(&text, "/etc/machine-id");
    add_file(&text, "/proc/sys/kernel/random/boot_id");
    sh_buf_printf(&text, "%llx:%llx", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    int status =
        !text.failed && EVP_Digest(sh_buf_cstr(&text), text.length, digest, NULL, EVP_sha256(), NULL) == 1
            ? 0
            : sh_fail(err, SH_E_MEMORY, "no memory for the name of the machine");
    for (int i = 0; status == 0 && i < 32; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    sh_buf_free(&text);
    return status;
}
