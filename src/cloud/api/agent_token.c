/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Roles of nodes, and keys for their commands. A command has a token, which says which command of which node
 * it is and is good until the command ends; with it, it gets keys of the node's role for an hour, as often
 * as it likes. Nothing is stored. */
#include "base/log.h"
#include "cloud/api/agent_inner.h"
#include "cloud/api/iam.h"
#include "cloud/api/share.h"
#include "cloud/api/ssm_run.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

enum { MAC = 32, ROW_MEMORY = 8 << 20, KEYS_S = 3600, CODE_CHARACTERS = 20, PIN_TEXT = 44 };
#define VERSION "v1"

/* ---- the code of an activation ---- */

static void hash_code(const char *code, char secret[SH_ACTIVATION_SECRET])
{
    unsigned char hash[SH_DIGEST_BYTES] = {0};
    sh_digest_once(SH_DIGEST_SHA256, code, strlen(code), hash);
    sh_hex(hash, 32, secret);
}

int sh_activation_code(const sh_cloud *cloud, char code[SH_ACTIVATION_CODE],
                       char secret[SH_ACTIVATION_SECRET], sh_err *err)
{
    static const char letters[] = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefgh";
    unsigned char bytes[CODE_CHARACTERS];
    char text[CODE_CHARACTERS + 1] = "", pin[PIN_TEXT] = "";
    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return sh_fail(err, SH_E_INTERNAL, "the system gives no randomness");
    for (size_t i = 0; i < sizeof(bytes); i++)
        text[i] = letters[bytes[i] & 31];
    if (cloud->tls_pin)
        cloud->tls_pin(pin);
    snprintf(code, SH_ACTIVATION_CODE, "%s%s%s", text, pin[0] ? "." : "", pin);
    hash_code(text, secret);
    OPENSSL_cleanse(bytes, sizeof(bytes));
    OPENSSL_cleanse(text, sizeof(text));
    return 0;
}

bool sh_agent_code_good(const char *code, const char *secret)
{
    char text[CODE_CHARACTERS + 1], hash[SH_ACTIVATION_SECRET];
    if (strlen(code) < CODE_CHARACTERS || (code[CODE_CHARACTERS] && code[CODE_CHARACTERS] != '.'))
        return false;
    snprintf(text, sizeof(text), "%.*s", (int)CODE_CHARACTERS, code);
    hash_code(text, hash);
    return CRYPTO_memcmp(hash, secret, SH_ACTIVATION_SECRET - 1) == 0;
}

/* ---- the role of a node ---- */

static int role_of(sh_cloud *cloud, const char *node, sh_arena *arena, const char **role,
                   const char **service, sh_err *err)
{
    sh_node_row row;
    *service = "ec2.amazonaws.com";
    if (strcmp(node, cloud->settings.instance_id) == 0) {
        int status = sh_iam_profile_role(cloud, SH_IAM_NODE_PROFILE, arena, role, err);
        if (status == SH_E_NOT_FOUND)
            return sh_fail(err, SH_E_DENIED,
                           "the node has no role: put one into the instance profile " SH_IAM_NODE_PROFILE);
        return status;
    }
    int status = sh_node_get(cloud->db, arena, node, &row, err);
    if (status < 0)
        return status;
    *service = "ssm.amazonaws.com";
    *role = strncmp(row.role, "arn:", 4) == 0
                ? row.role
                : sh_arena_printf(arena, "arn:aws:iam::%s:role/%s", cloud->settings.account, row.role);
    return *role ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for a role's ARN");
}

int sh_agent_session(sh_cloud *cloud, const char *node, sh_arena *arena, sh_caller *out, sh_err *err)
{
    const char *role, *service;
    int status = role_of(cloud, node, arena, &role, &service, err);
    if (status < 0)
        return status;
    const sh_iam_taking taking = {.role_arn = role, .service = service, .session_name = node};
    status = sh_caller_by_role(cloud, &taking, arena, out, err);
    if (status == SH_E_NOT_FOUND || status == SH_E_DENIED)
        return sh_fail(err, SH_E_DENIED, "the role %s of the node does not trust %s", role, service);
    return status;
}

/* ---- tokens of commands ---- */

static bool mac_of(const sh_cloud *cloud, const char *node, const char *command, char hex[2 * MAC + 1])
{
    char text[256];
    unsigned char mac[MAC];
    unsigned length = 0;
    int size = snprintf(text, sizeof(text), "credentials of a command\n%s\n%s", node, command);
    if (size < 0 || (size_t)size >= sizeof(text) ||
        !HMAC(EVP_sha256(), cloud->token_key, sizeof(cloud->token_key), (unsigned char *)text, (size_t)size,
              mac, &length) ||
        length != MAC)
        return false;
    sh_hex(mac, MAC, hex);
    return true;
}

char *sh_agent_token(const sh_cloud *cloud, const char *command, const char *node, sh_arena *arena)
{
    char hex[2 * MAC + 1];
    return mac_of(cloud, node, command, hex) ? sh_arena_printf(arena, VERSION ".%s.%s.%s", node, command, hex)
                                             : NULL;
}

/* Splits the token; the parts are in the arena. */
static bool read_token(const sh_cloud *cloud, const char *text, sh_arena *arena, const char **node,
                       const char **command)
{
    char hex[2 * MAC + 1];
    char *copy = strlen(text) < 256 ? sh_arena_strdup(arena, text) : NULL, *rest = NULL;
    const char *version = copy ? strtok_r(copy, ".", &rest) : NULL;
    *node = version ? strtok_r(NULL, ".", &rest) : NULL;
    *command = *node ? strtok_r(NULL, ".", &rest) : NULL;
    const char *mac = *command ? strtok_r(NULL, ".", &rest) : NULL;
    return mac && strcmp(version, VERSION) == 0 && strlen(mac) == 2 * MAC &&
           mac_of(cloud, *node, *command, hex) && CRYPTO_memcmp(hex, mac, 2 * MAC) == 0;
}

static bool is_running(sh_cloud *cloud, const char *node, const char *command)
{
    sh_err err = {0};
    sh_invocation row;
    sh_arena *arena = sh_arena_new(ROW_MEMORY);
    bool open = arena && sh_invocation_get(cloud->db, arena, command, node, &row, &err) == 0 &&
                sh_ssm_is_open(row.status) && strcmp(row.status, "Pending") != 0;
    sh_arena_free(arena);
    return open;
}

static void refuse(sh_http_request *http, int status, const char *code, const char *message)
{
    json_t *body = json_pack("{s:s, s:s}", "code", code, "message", message);
    sh_own_answer(http, status, body);
    json_decref(body);
}

static void answer_keys(sh_cloud *cloud, sh_http_request *http, const char *node)
{
    char until[SH_TIME_TEXT];
    sh_err err = {0};
    sh_caller session;
    sh_iam_keys keys;
    sh_arena *arena = sh_http_request_arena(http);
    int status = sh_agent_session(cloud, node, arena, &session, &err);
    if (status == 0)
        status = sh_iam_session_keys(cloud, &session, KEYS_S, arena, &keys, &err);
    if (status < 0) {
        sh_log(SH_LOG_WARNING, "agent", "node %s gets no keys: %s", node, err.message);
        refuse(http, status == SH_E_DENIED ? 403 : 500, "AccessDenied", err.message);
        return;
    }
    sh_time_iso_s(keys.expires_ms, until);
    json_t *body =
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "AccessKeyId", keys.access_key, "SecretAccessKey",
                  keys.secret_key, "Token", keys.token, "Expiration", until, "RoleArn", session.role_arn);
    sh_own_answer(http, body ? 200 : 500, body);
    json_decref(body);
}

void sh_agent_credentials(sh_cloud *cloud, sh_http_request *http)
{
    const char *text = sh_http_field_get(sh_http_request_head(http), "authorization");
    const char *node, *command;
    sh_http_note(http, "spyhop", "GetCredentials", NULL);
    if (!text || !read_token(cloud, text, sh_http_request_arena(http), &node, &command))
        refuse(http, 403, "AccessDenied", "Authorization is not the token of a command");
    else if (!is_running(cloud, node, command))
        refuse(http, 403, "AccessDenied", "the command of this token has ended");
    else
        answer_keys(cloud, http, node);
}
