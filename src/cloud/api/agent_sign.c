/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who asks: the four headers of docs/agent.md. A request is taken when its node is known, its date is near
 * and not before the server's start, its nonce is new, and the node's key signed all of it. */
#include "base/log.h"
#include "base/size.h"
#include "cloud/api/agent_inner.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum { KEY_BYTES = 32, SIGNATURE_BYTES = 64, NONCE_HEX = 32 };

static bool is_hex(const char *text, size_t length)
{
    return strlen(text) == length && strspn(text, "0123456789abcdef") == length;
}

static bool is_node(const char *text)
{
    return strcmp(text, "-") == 0 ||
           (strlen(text) < 40 && (strncmp(text, "mi-", 3) == 0 || strncmp(text, "i-", 2) == 0));
}

static bool read_clock(sh_agent_ask *ask)
{
    int64_t now_ms = sh_now_ms(ask->cloud->clock);
    int64_t least = sh_agents_start_ms(ask->cloud->agents);
    if (least < now_ms - SH_AGENT_WINDOW_MS || least > now_ms)
        least = now_ms - SH_AGENT_WINDOW_MS;
    if (ask->date_ms >= least && ask->date_ms <= now_ms + SH_AGENT_WINDOW_MS)
        return true;
    sh_http_add_field(ask->http, "Connection", "keep-alive");
    sh_agent_refuse(ask, 403, "ClockSkew",
                    "the request's date %lld is too far from the server's time %lld: sign with the server's",
                    (long long)ask->date_ms, (long long)now_ms);
    return false;
}

static bool find_node(sh_agent_ask *ask)
{
    sh_err err = {0};
    int status = sh_node_get(ask->cloud->db, ask->arena, ask->node, &ask->row, &err);
    if (status == 0)
        return true;
    if (status == SH_E_NOT_FOUND) {
        sh_agent_refuse(ask, 403, "UnknownNode", "no node %s is registered here", ask->node);
    } else {
        sh_log(SH_LOG_ERROR, "agent", "node %s: %s", ask->node, err.message);
        sh_agent_refuse(ask, 500, "InternalError", "the node could not be looked up");
    }
    return false;
}

bool sh_agent_read(sh_agent_ask *ask)
{
    const sh_http_head *head = sh_http_request_head(ask->http);
    bool registers = strcmp(ask->verb, "register") == 0;
    ask->node = sh_http_field_get(head, "x-spyhop-node");
    ask->date = sh_http_field_get(head, "x-spyhop-date");
    ask->nonce = sh_http_field_get(head, "x-spyhop-nonce");
    ask->signature = sh_http_field_get(head, "x-spyhop-signature");
    if (!ask->node || !ask->date || !ask->nonce || !ask->signature || !is_node(ask->node) ||
        (strcmp(ask->node, "-") == 0) != registers || !is_hex(ask->nonce, NONCE_HEX) ||
        !sh_parse_i64(ask->date, strlen(ask->date), 0, INT64_MAX / 2, &ask->date_ms)) {
        sh_agent_refuse(ask, 400, "BadRequest",
                        "X-Spyhop-Node, -Date, -Nonce and -Signature are not as the protocol has them");
        return false;
    }
    return (registers || find_node(ask)) && read_clock(ask);
}

static bool verify(const unsigned char key[KEY_BYTES], const char *text, size_t length,
                   const unsigned char signature[SIGNATURE_BYTES])
{
    EVP_PKEY *public = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, KEY_BYTES);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good =
        public && context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, public) == 1 &&
        EVP_DigestVerify(context, signature, SIGNATURE_BYTES, (const unsigned char *)text, length) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(public);
    return good;
}

static bool is_signed(const sh_agent_ask *ask, const char *key, const unsigned char sha256[32])
{
    char hex[65];
    unsigned char key_bytes[KEY_BYTES], signature[SIGNATURE_BYTES];
    sh_hex(sha256, 32, hex);
    char *text = sh_arena_printf(ask->arena, "spyhop-agent-1\n%s\n%s\n%s\n%s\n%s", ask->verb, ask->node,
                                 ask->date, ask->nonce, hex);
    return text && sh_base64_decode(key, strlen(key), key_bytes, KEY_BYTES) == KEY_BYTES &&
           sh_base64_decode(ask->signature, strlen(ask->signature), signature, SIGNATURE_BYTES) ==
               SIGNATURE_BYTES &&
           verify(key_bytes, text, strlen(text), signature);
}

bool sh_agent_check(sh_agent_ask *ask, const char *key, const unsigned char sha256[32])
{
    if (!is_signed(ask, key, sha256)) {
        sh_agent_distrust(ask, "a request in its name (%s) was not signed with its key", ask->verb);
        sh_agent_refuse(ask, 403, "BadSignature", "the signature is not that of the node's key");
        return false;
    }
    if (strcmp(ask->node, "-") == 0)
        return ask->checked = true;
    int status = sh_agents_nonce(ask->cloud->agents, ask->node, ask->nonce, ask->date_ms,
                                 sh_now_ms(ask->cloud->clock));
    if (status == SH_E_CONFLICT) {
        sh_agent_distrust(ask, "a request (%s) was sent twice", ask->verb);
        sh_agent_refuse(ask, 403, "Replayed", "this request was taken before: its nonce is used");
    } else if (status == SH_E_LIMIT) {
        sh_agent_refuse(ask, 429, "TooManyRequests", "the node asks too often");
    } else if (status < 0) {
        sh_agent_refuse(ask, 500, "InternalError", "no memory for a nonce");
    }
    return ask->checked = status == 0;
}
