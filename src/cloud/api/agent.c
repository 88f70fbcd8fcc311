/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What agents ask (docs/agent.md): who may, and which verb it is. */
#include "cloud/api/agent_inner.h"
#include "base/log.h"
#include "base/size.h"
#include "cloud/api/share.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TROUBLE_EVERY_MS = 1000 };

static void wake_one(void *opaque, const char *node)
{
    char key[64];
    snprintf(key, sizeof(key), "node/%s", node);
    sh_hold_wake(opaque, key);
}

void sh_agent_wake(sh_cloud *cloud, const char *node)
{
    sh_cloud_wake(cloud, SH_WAKE_COMMANDS | SH_WAKE_NODES);
    if (node)
        wake_one(cloud, node);
    else
        sh_agents_each(cloud->agents, wake_one, cloud);
}

/* ---- answers ---- */

void sh_agent_answer(sh_agent_ask *ask, json_t *body)
{
    if (body)
        sh_own_answer(ask->http, 200, body);
    else
        sh_agent_refuse(ask, 500, "InternalError", "no memory for an answer");
    json_decref(body);
}

void sh_agent_refuse(sh_agent_ask *ask, int status, const char *code, const char *format, ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    sh_text_mend(message);
    json_t *body = json_pack("{s:s, s:s, s:I}", "code", code, "message", message, "time_ms",
                             (json_int_t)sh_now_ms(ask->cloud->clock));
    sh_agents_refused(ask->cloud->agents, true);
    sh_own_answer(ask->http, status, body);
    json_decref(body);
}

void sh_agent_distrust(sh_agent_ask *ask, const char *format, ...)
{
    char message[512];
    sh_err err = {0};
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    sh_text_mend(message);
    sh_agents_refused(ask->cloud->agents, true);
    if (!sh_agents_due(ask->cloud->agents, ask->node, true, TROUBLE_EVERY_MS))
        return;
    sh_log(SH_LOG_WARNING, "agent", "node %s (from %s): %s", ask->node, sh_http_request_client(ask->http),
           message);
    if (sh_node_trouble(ask->cloud->db, ask->node, sh_now_ms(ask->cloud->clock), message, &err) < 0)
        sh_log(SH_LOG_ERROR, "agent", "node %s: %s", ask->node, err.message);
}

/* ---- verbs ---- */

typedef struct verb {
    const char *name;
    const char *operation; /* in the log of requests */
    void (*serve)(sh_agent_ask *ask);
} verb;

static const verb verbs[] = {
    {"register", "RegisterNode", sh_agent_register},
    {"poll", "PollCommands", sh_agent_poll},
    {"report", "ReportCommand", sh_agent_report},
    {"output", "PutOutput", NULL},
};

static const verb *verb_of(const char *text)
{
    for (size_t i = 0; i < SH_COUNT(verbs); i++) {
        size_t length = strlen(verbs[i].name);
        if (strncmp(text, verbs[i].name, length) == 0 && (!text[length] || text[length] == '?'))
            return &verbs[i];
    }
    return NULL;
}

static bool is_output(const sh_agent_ask *ask)
{
    return strncmp(ask->verb, "output", 6) == 0;
}

void sh_agent_begin(sh_cloud *cloud, sh_http_request *http)
{
    const sh_http_head *head = sh_http_request_head(http);
    sh_arena *arena = sh_http_request_arena(http);
    sh_agent_ask *ask = sh_arena_alloc(arena, sizeof(*ask));
    if (!ask)
        return;
    *ask = (sh_agent_ask){.cloud = cloud, .http = http, .arena = arena};
    ask->verb = head->path + strlen(SH_AGENT_ROOT);
    if (head->query && *head->query)
        ask->verb = sh_arena_printf(arena, "%s?%s", ask->verb, head->query);
    *sh_http_user(http) = ask;
    const verb *v = ask->verb ? verb_of(ask->verb) : NULL;
    sh_http_note(http, "spyhop", v ? v->operation : "UnknownVerb", NULL);
    if (!v || strcmp(head->method, "POST") != 0)
        sh_agent_refuse(ask, v ? 405 : 404, "BadRequest", "agents POST register, poll, report and output");
    else if (sh_agent_read(ask) && is_output(ask))
        sh_agent_output_begin(ask);
    else if (!sh_http_answered(http))
        sh_http_keep_body(http, SH_AGENT_BODY_MAX);
}

/* The body as an object, and whose it is. False after having answered. */
static bool take_body(sh_agent_ask *ask)
{
    size_t length;
    bool overflow;
    unsigned char hash[SH_DIGEST_BYTES];
    const char *body = sh_http_body(ask->http, &length, &overflow);
    if (overflow) {
        sh_agent_refuse(ask, 413, "TooLarge", "the body is larger than %d bytes", SH_AGENT_BODY_MAX);
        return false;
    }
    ask->in = json_loadb(body, length, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(ask->in)) {
        sh_agent_refuse(ask, 400, "BadRequest", "the body is not a JSON object");
        return false;
    }
    const char *key = strcmp(ask->node, "-") == 0 ? json_string_value(json_object_get(ask->in, "public_key"))
                                                  : ask->row.key;
    if (sh_digest_once(SH_DIGEST_SHA256, body, length, hash) != 32) {
        sh_agent_refuse(ask, 500, "InternalError", "no memory for a digest");
        return false;
    }
    return sh_agent_check(ask, key ? key : "", hash);
}

void sh_agent_finish(sh_cloud *cloud, sh_http_request *http)
{
    sh_agent_ask *ask = *sh_http_user(http);
    (void)cloud;
    if (!ask)
        return;
    if (is_output(ask))
        sh_agent_output_finish(ask);
    else if (ask->checked || take_body(ask)) /* a poll that was held comes again */
        verb_of(ask->verb)->serve(ask);
}

void sh_agent_end(sh_cloud *cloud, sh_http_request *http)
{
    sh_agent_ask *ask = *sh_http_user(http);
    if (!ask)
        return;
    sh_hold_drop(cloud, &ask->hold);
    if (ask->upload)
        sh_agent_output_end(ask);
    json_decref(ask->in);
    ask->in = NULL;
    *sh_http_user(http) = NULL;
}
