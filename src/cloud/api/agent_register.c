/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A new node: an activation is used up by one, and its key is what it is known by from then on. The same key
 * with the same activation is the same node, whose first answer was lost. */
#include "base/log.h"
#include "cloud/api/agent_inner.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

enum { ID_BYTES = 9, NAME_MAX_BYTES = 256 };

static const char *text_of(const json_t *in, const char *name)
{
    const char *text = json_string_value(json_object_get(in, name));
    return text && strlen(text) <= NAME_MAX_BYTES ? text : "";
}

static int make_id(char id[24], sh_err *err)
{
    unsigned char bytes[ID_BYTES];
    char hex[2 * ID_BYTES + 1];
    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return sh_fail(err, SH_E_INTERNAL, "the system gives no randomness");
    sh_hex(bytes, ID_BYTES, hex);
    snprintf(id, 24, "mi-%.17s", hex);
    return 0;
}

static int put_tags(sh_db *db, const char *node, const char *text, sh_err *err)
{
    const char *key;
    json_t *value, *tags = json_loads(text, 0, NULL);
    int status = 0;
    json_object_foreach(tags, key, value)
    {
        if (status == 0 && json_is_string(value))
            status = sh_node_tag_set(db, node, key, json_string_value(value), err);
    }
    json_decref(tags);
    return status;
}

static sh_node_row new_row(const sh_agent_ask *ask, const sh_activation *activation, const char *id)
{
    const json_t *platform = json_object_get(ask->in, "platform");
    return (sh_node_row){.id = id,
                         .activation = activation->id,
                         .role = activation->role,
                         .name = activation->name,
                         .key = text_of(ask->in, "public_key"),
                         .host = text_of(ask->in, "host"),
                         .address = sh_http_request_client(ask->http),
                         .platform = text_of(platform, "name"),
                         .platform_version = text_of(platform, "version"),
                         .arch = text_of(platform, "arch"),
                         .agent_version = text_of(ask->in, "agent_version"),
                         .machine = "",
                         .session = "",
                         .trouble = "",
                         .registered_ms = sh_now_ms(ask->cloud->clock)};
}

/* In a transaction. */
static int enroll(const sh_agent_ask *ask, const sh_activation *activation, char id[24], sh_err *err)
{
    sh_db *db = ask->cloud->db;
    sh_node_row known;
    int status =
        sh_node_find_key(db, ask->arena, activation->id, text_of(ask->in, "public_key"), &known, err);
    if (status == 0) {
        snprintf(id, 24, "%s", known.id);
        return 0;
    }
    if (status != SH_E_NOT_FOUND || (status = sh_activation_use(db, activation->id, err)) < 0 ||
        (status = make_id(id, err)) < 0)
        return status;
    const sh_node_row row = new_row(ask, activation, id);
    status = sh_node_put(db, &row, err);
    return status < 0 ? status : put_tags(db, id, activation->tags, err);
}

static void answer(sh_agent_ask *ask, const char *id)
{
    const sh_cloud_settings *s = &ask->cloud->settings;
    sh_log(SH_LOG_INFO, "agent", "node %s (%s, from %s) is registered", id, text_of(ask->in, "host"),
           sh_http_request_client(ask->http));
    sh_agent_answer(
        ask, json_pack("{s:s, s:s, s:s}", "instance_id", id, "account", s->account, "region", s->region));
}

static void fail(sh_agent_ask *ask, int status, const sh_err *err, const char *activation)
{
    if (status == SH_E_LIMIT) {
        sh_agent_refuse(ask, 403, "ActivationUsedUp",
                        "the activation %s has registered as many nodes as it may", activation);
        return;
    }
    sh_log(SH_LOG_ERROR, "agent", "a node could not be registered: %s", err->message);
    sh_agent_refuse(ask, status == SH_E_FULL ? 503 : 500, "InternalError",
                    "the node could not be registered");
}

void sh_agent_register(sh_agent_ask *ask)
{
    char id[24];
    sh_err err = {0};
    sh_activation activation;
    sh_db *db = ask->cloud->db;
    const char *name = text_of(ask->in, "activation_id");
    int status = sh_activation_get(db, ask->arena, name, &activation, &err);
    if (status == SH_E_NOT_FOUND ||
        (status == 0 && !sh_agent_code_good(text_of(ask->in, "code"), activation.secret))) {
        sh_log(SH_LOG_WARNING, "agent", "%s: no activation with that id and code",
               sh_http_request_client(ask->http));
        sh_agent_refuse(ask, 403, "InvalidActivation", "there is no activation with this id and code");
        return;
    }
    if (status == 0 && sh_now_ms(ask->cloud->clock) >= activation.expires_ms) {
        sh_agent_refuse(ask, 403, "ActivationExpired", "the activation %s has expired", name);
        return;
    }
    if (status == 0 && (status = sh_db_begin(db, &err)) == 0)
        status = sh_db_end(db, enroll(ask, &activation, id, &err), &err);
    if (status < 0)
        fail(ask, status, &err, name);
    else
        answer(ask, id);
}
