/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests to the server, each signed by the node's key. */
#include "agent/agent.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { ANSWER_MAX = 16 << 20, TRIES = 3, CONNECT_S = 10 };

static size_t keep_bytes(char *bytes, size_t size, size_t count, void *opaque)
{
    return sh_buf_append(opaque, bytes, size * count) == 0 ? size * count : 0;
}

static void to_hex(const unsigned char *bytes, size_t count, char *text)
{
    for (size_t i = 0; i < count; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

typedef struct signing {
    char date[24], nonce[33], signature[96];
} signing;

static int sign(EVP_PKEY *key, const sh_agent_post *post, int64_t now_ms, signing *s, sh_err *err)
{
    unsigned char random[16], digest[32], signature[64];
    char hash[65];
    size_t length = sizeof(signature);
    sh_buf text;
    sh_buf_init(&text, 4096);
    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        return sh_fail_errno(err, errno, "no random bytes");
    to_hex(random, sizeof(random), s->nonce);
    snprintf(s->date, sizeof(s->date), "%lld", (long long)now_ms);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done = EVP_Digest(post->body, post->length, digest, NULL, EVP_sha256(), NULL) == 1;
    to_hex(digest, sizeof(digest), hash);
    sh_buf_printf(&text, "spyhop-agent-1\n%s\n%s\n%s\n%s\n%s", post->verb, post->node, s->date, s->nonce,
                  hash);
    done = done && context && !text.failed && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
           EVP_DigestSign(context, signature, &length, (const unsigned char *)sh_buf_cstr(&text),
                          text.length) == 1;
    if (done)
        EVP_EncodeBlock((unsigned char *)s->signature, signature, (int)length);
    EVP_MD_CTX_free(context);
    sh_buf_free(&text);
    return done ? 0 : sh_fail(err, SH_E_MEMORY, "a request could not be signed");
}

static struct curl_slist *headers_of(const sh_agent_post *post, const signing *s)
{
    char lines[6][160];
    struct curl_slist *list = NULL;
    snprintf(lines[0], sizeof(lines[0]), "X-Spyhop-Node: %s", post->node);
    snprintf(lines[1], sizeof(lines[1]), "X-Spyhop-Date: %s", s->date);
    snprintf(lines[2], sizeof(lines[2]), "X-Spyhop-Nonce: %s", s->nonce);
    snprintf(lines[3], sizeof(lines[3]), "X-Spyhop-Signature: %s", s->signature);
    snprintf(lines[4], sizeof(lines[4]), "Content-Type: %s",
             strncmp(post->verb, "output", 6) == 0 ? "application/octet-stream" : "application/json");
    snprintf(lines[5], sizeof(lines[5]), "Expect:");
    for (int i = 0; i < 6; i++) {
        struct curl_slist *longer = curl_slist_append(list, lines[i]);
        if (!longer) {
            curl_slist_free_all(list);
            return NULL;
        }
        list = longer;
    }
    return list;
}

/* base64url, as the activation has it, to what curl wants. */
static void pin_for_curl(const char *pin, char text[80])
{
    snprintf(text, 80, "sha256//%.48s=", pin);
    for (char *c = text + 8; *c; c++)
        *c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
}

static void set_options(CURL *curl, const sh_agent_post *post, const char *url, struct curl_slist *headers,
                        sh_buf *to, char *message)
{
    char pin[80];
    curl_easy_reset(curl); /* keeps the connections */
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)post->length);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, post->body);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, to);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)post->timeout_s);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    if (post->pin[0]) {
        pin_for_curl(post->pin, pin);
        curl_easy_setopt(curl, CURLOPT_PINNEDPUBLICKEY, pin);
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L); /* the key itself is known */
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

static int perform(CURL *curl, const sh_agent_post *post, const signing *s, sh_agent_reply *reply,
                   sh_err *err)
{
    char url[1024], message[CURL_ERROR_SIZE] = "";
    sh_buf text;
    sh_buf_init(&text, ANSWER_MAX);
    struct curl_slist *headers = headers_of(post, s);
    size_t length = strlen(post->server);
    while (length > 0 && post->server[length - 1] == '/')
        length--;
    snprintf(url, sizeof(url), "%.*s/_spyhop/agent/%s", (int)length, post->server, post->verb);
    if (!headers)
        return sh_fail(err, SH_E_MEMORY, "no memory for a request");
    set_options(curl, post, url, headers, &text, message);
    CURLcode code = curl_easy_perform(curl);
    int status = 0;
    if (code != CURLE_OK) {
        status = sh_fail(err, code == CURLE_SSL_PINNEDPUBKEYNOTMATCH ? SH_E_DENIED : SH_E_IO, "%s: %s",
                         post->server, message[0] ? message : curl_easy_strerror(code));
    } else {
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply->status);
        reply->json = json_loadb(sh_buf_cstr(&text), text.length, 0, NULL);
        if (!json_is_object(reply->json)) {
            json_decref(reply->json);
            reply->json = json_object();
        }
    }
    curl_slist_free_all(headers);
    sh_buf_free(&text);
    return status;
}

const char *sh_agent_reply_code(const sh_agent_reply *reply)
{
    const char *code = json_string_value(json_object_get(reply->json, "code"));
    return code ? code : "";
}

const char *sh_agent_reply_message(const sh_agent_reply *reply)
{
    const char *message = json_string_value(json_object_get(reply->json, "message"));
    return message ? message : "";
}

/* The server's clock is the one that counts from now on. */
static void take_clock(sh_agent *agent, const sh_agent_reply *reply)
{
    int64_t skew_ms =
        json_integer_value(json_object_get(reply->json, "time_ms")) - sh_now_ms(&sh_clock_system);
    atomic_store(&agent->skew_ms, skew_ms);
    sh_log(SH_LOG_WARNING, "agent", "this machine's clock is %.1f s %s the server's, whose is used",
           (double)(skew_ms < 0 ? -skew_ms : skew_ms) / 1000, skew_ms < 0 ? "ahead of" : "behind");
}

int sh_agent_post_signed(sh_agent *agent, CURL *curl, const sh_agent_post *post, sh_agent_reply *reply,
                         sh_err *err)
{
    for (int try = 1;; try++) {
        signing s;
        sh_agent_reply got = {0};
        int64_t now_ms = sh_now_ms(&sh_clock_system) + atomic_load(&agent->skew_ms);
        int status = sign(agent->key, post, now_ms, &s, err);
        if (status == 0)
            status = perform(curl, post, &s, &got, err);
        if (status < 0)
            return status;
        const char *code = sh_agent_reply_code(&got);
        bool skew = got.status == 403 && strcmp(code, "ClockSkew") == 0;
        bool seen = got.status == 403 && strcmp(code, "Replayed") == 0;
        if ((!skew && !seen) || try == TRIES) {
            *reply = got;
            return 0;
        }
        if (skew)
            take_clock(agent, &got);
        json_decref(got.json);
    }
}

int sh_agent_call(sh_agent *agent, CURL *curl, const char *verb, json_t *body, int timeout_s,
                  sh_agent_reply *reply, sh_err *err)
{
    sh_agent_identity identity;
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    int status = text ? sh_agent_identity_read(&identity, agent->data, err)
                      : sh_fail(err, SH_E_MEMORY, "no memory for a request");
    if (status == 0) {
        const sh_agent_post post = {.server = identity.server,
                                    .pin = identity.pin,
                                    .node = agent->identity.id,
                                    .verb = verb,
                                    .body = text,
                                    .length = strlen(text),
                                    .timeout_s = timeout_s};
        status = sh_agent_post_signed(agent, curl, &post, reply, err);
    }
    free(text);
    json_decref(body);
    return status;
}
