/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `spyhop-agent register`. The key is made first and kept, so that a registration whose answer was lost is
 * the same one when it is made again. */
#include "agent/agent.h"
#include "agent/options.h"
#include "base/file.h"
#include "cloud/jobs/relay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { TIMEOUT_S = 30, KEY_BYTES = 32, CODE_MAX = 256 };

static bool is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

/* The code of a server with TLS carries the SHA-256 of its key. */
static int find_pin(const sh_agent_options *options, char pin[64], sh_err *err)
{
    sh_server_address address;
    int status = sh_server_address_read(&address, options->server, err);
    if (status < 0)
        return status;
    const char *dot = strchr(options->code, '.');
    snprintf(pin, 64, "%s", dot ? dot + 1 : "");
    if (!address.tls && !is_loopback(address.host) && !options->insecure)
        return sh_fail(
            err, SH_E_DENIED,
            "%s is another machine and speaks without TLS: whoever is in between could run commands here. "
            "Use https://, or --insecure where the network is trusted",
            options->server);
    return 0;
}

static int read_code(const char **code, char room[CODE_MAX], sh_err *err)
{
    if (strcmp(*code, "-") != 0)
        return 0;
    if (!fgets(room, CODE_MAX, stdin))
        return sh_fail(err, SH_E_ARGUMENT, "standard input holds no code");
    room[strcspn(room, "\r\n")] = '\0';
    *code = room;
    return 0;
}

static json_t *body_of(const sh_agent_options *options, sh_agent *agent)
{
    unsigned char bytes[KEY_BYTES], text[64];
    size_t length = sizeof(bytes);
    struct utsname names;
    uname(&names);
    if (EVP_PKEY_get_raw_public_key(agent->key, bytes, &length) != 1)
        return NULL;
    EVP_EncodeBlock(text, bytes, (int)length);
    return json_pack("{s:s, s:s, s:s, s:s, s:{s:s, s:s, s:s}, s:s, s:s}", "activation_id", options->id,
                     "code", options->code, "public_key", (const char *)text, "host", names.nodename,
                     "platform", "name", names.sysname, "version", names.release, "arch", names.machine,
                     "agent_version", SPYHOP_VERSION, "machine", agent->machine);
}

static int post(const sh_agent_options *options, sh_agent *agent, const char *pin, sh_agent_reply *reply,
                sh_err *err)
{
    CURL *curl = curl_easy_init();
    json_t *body = body_of(options, agent);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    const sh_agent_post request = {.server = options->server,
                                   .pin = pin,
                                   .node = "-",
                                   .verb = "register",
                                   .body = text,
                                   .length = text ? strlen(text) : 0,
                                   .timeout_s = TIMEOUT_S};
    int status = curl && text ? sh_agent_post_signed(agent, curl, &request, reply, err)
                              : sh_fail(err, SH_E_MEMORY, "no memory for a request");
    if (status == 0 && reply->status != 200) {
        const char *code = sh_agent_reply_code(reply), *message = sh_agent_reply_message(reply);
        status = sh_fail(err, SH_E_DENIED, "the server refuses: %s%s%s (%ld)", code, *message ? ": " : "",
                         message, reply->status);
    }
    free(text);
    json_decref(body);
    curl_easy_cleanup(curl);
    return status;
}

static int keep(const sh_agent_options *options, const char *pin, const json_t *answer,
                sh_agent_identity *identity, sh_err *err)
{
    const char *id = json_string_value(json_object_get(answer, "instance_id"));
    const char *account = json_string_value(json_object_get(answer, "account"));
    const char *region = json_string_value(json_object_get(answer, "region"));
    if (!id || !account || !region)
        return sh_fail(err, SH_E_FORMAT, "%s answers, but not as a Spyhop server does", options->server);
    *identity = (sh_agent_identity){.network = SH_NETWORK_SERVER};
    snprintf(identity->server, sizeof(identity->server), "%s", options->server);
    snprintf(identity->id, sizeof(identity->id), "%s", id);
    snprintf(identity->account, sizeof(identity->account), "%s", account);
    snprintf(identity->region, sizeof(identity->region), "%s", region);
    snprintf(identity->pin, sizeof(identity->pin), "%s", pin);
    return sh_agent_identity_write(identity, options->data, err);
}

/* Another node's folder is not taken over by mistake. */
static int check_folder(const char *data, sh_err *err)
{
    char path[PATH_MAX];
    int status = sh_agent_path(path, data, "identity.json", err);
    if (status == 0 && access(path, F_OK) == 0)
        status = sh_fail(err, SH_E_CONFLICT,
                         "%s is the folder of a node already: remove it, or name another one", data);
    return status;
}

static int do_register(sh_agent_options *options, sh_err *err)
{
    static sh_agent agent;
    char pin[64], room[CODE_MAX];
    sh_agent_reply reply = {0};
    sh_agent_identity identity;
    int status = check_folder(options->data, err);
    if (status == 0)
        status = read_code(&options->code, room, err);
    if (status == 0)
        status = find_pin(options, pin, err);
    if (status == 0)
        status = sh_dir_make(options->data, 0700, err);
    if (status == 0)
        status = sh_agent_key_load(&agent.key, options->data, true, err);
    if (status == 0)
        status = sh_agent_machine(agent.machine, options->data, err);
    if (status == 0)
        status = post(options, &agent, pin, &reply, err);
    if (status == 0)
        status = keep(options, pin, reply.json, &identity, err);
    if (status == 0)
        printf("%s\n", identity.id);
    json_decref(reply.json);
    EVP_PKEY_free(agent.key);
    return status;
}

int sh_agent_main_register(int argc, char **argv)
{
    sh_err err = {0};
    sh_agent_options options = {.data = SH_AGENT_DATA};
    int status = sh_agent_options_read(&options, argc, argv, "register");
    if (status)
        return status > 0 ? 0 : 2;
    if (!options.server || !options.id || !options.code) {
        fprintf(stderr, "spyhop agent register: --server, --id and --code are needed\n");
        return 2;
    }
    if (do_register(&options, &err) < 0) {
        fprintf(stderr, "spyhop agent register: %s\n", err.message);
        return 1;
    }
    return 0;
}
