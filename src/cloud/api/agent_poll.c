/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A poll: in one transaction, what the node says it has is compared with the rows, and what it may begin is
 * handed to it. A delivery is on disk before the node hears of it (the answer waits for the disk).
 *
 *   a row that is open and handed, in the list      it is the node's: listed; Delayed becomes InProgress
 *                                not in the list    listed before: lost. Else the node never got it, and it
 * is handed again to the same machine no open row, in the list                        forget
 *
 * A poll that has no message is put aside until sh_agent_wake names its node. */
#include "base/log.h"
#include "base/size.h"
#include "cloud/api/agent_inner.h"
#include "cloud/api/ssm.h"
#include "cloud/api/ssm_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LIST_MAX = 4096,
    ROWS_MAX = 2000, /* looked at in one poll */
    WORKERS_MAX = 256,
    MESSAGES_MAX = 32,
    TEXT_MAX = 256,
    WRITE_EVERY_MS = 10000,
};

typedef struct polling {
    sh_agent_ask *ask;
    sh_cloud *cloud;
    sh_arena *arena; /* of this look */
    int64_t now_ms;
    const char *session, *machine;
    const json_t *list; /* of {"id", "state"} */
    json_t *messages;
    int64_t workers, handed;
    sh_invocation rows[ROWS_MAX];
    size_t count;
} polling;

/* ---- what the node says ---- */

static const char *text_in(const json_t *in, const char *name)
{
    const char *text = json_string_value(json_object_get(in, name));
    return text && strlen(text) <= TEXT_MAX ? text : "";
}

static int64_t number_in(const json_t *in, const char *name, int64_t most)
{
    double number = json_number_value(json_object_get(in, name));
    return number > 0 ? (number < (double)most ? (int64_t)number : most) : 0;
}

static bool is_list(const json_t *list)
{
    size_t index;
    const json_t *item;
    if (!json_is_array(list) || json_array_size(list) > LIST_MAX)
        return false;
    json_array_foreach(list, index, item)
    {
        const char *id = json_string_value(json_object_get(item, "id"));
        const char *state = json_string_value(json_object_get(item, "state"));
        if (!id || strlen(id) > 64 || !state)
            return false;
    }
    return true;
}

static bool is_poll(const json_t *in)
{
    const char *session = text_in(in, "session"), *machine = text_in(in, "machine");
    return strlen(session) == 32 && strlen(machine) >= 16 && strlen(machine) <= 64 &&
           is_list(json_object_get(in, "commands"));
}

static const json_t *listed(const polling *p, const char *id)
{
    size_t index;
    const json_t *item;
    json_array_foreach(p->list, index, item)
    {
        if (strcmp(json_string_value(json_object_get(item, "id")), id) == 0)
            return item;
    }
    return NULL;
}

static int write_seen(sh_agent_ask *ask, bool now, sh_err *err)
{
    const json_t *in = ask->in, *platform = json_object_get(in, "platform");
    sh_node_row row = ask->row;
    row.host = text_in(in, "host");
    row.address = sh_http_request_client(ask->http);
    row.platform = text_in(platform, "name");
    row.platform_version = text_in(platform, "version");
    row.arch = text_in(platform, "arch");
    row.agent_version = text_in(in, "agent_version");
    row.machine = text_in(in, "machine");
    row.session = text_in(in, "session");
    row.seen_ms = sh_now_ms(ask->cloud->clock);
    row.workers = number_in(in, "workers", WORKERS_MAX);
    row.busy = number_in(in, "busy", LIST_MAX);
    row.cores = number_in(in, "cores", 1 << 16);
    row.load_milli = (int64_t)(json_number_value(json_object_get(in, "load")) * 1000);
    row.free_disk = number_in(in, "free_disk", INT64_MAX / 4);
    row.skew_ms = json_integer_value(json_object_get(in, "clock_skew_ms"));
    row.open_network = strcmp(text_in(in, "network"), "open") == 0;
    now = now || row.workers != ask->row.workers || strcmp(row.session, ask->row.session) != 0 ||
          row.open_network != ask->row.open_network || !sh_node_online(&ask->row, row.seen_ms);
    if (!sh_agents_due(ask->cloud->agents, ask->node, false, now ? 0 : WRITE_EVERY_MS))
        return 0;
    if (!sh_node_online(&ask->row, row.seen_ms))
        sh_log(SH_LOG_INFO, "agent", "node %s (%s, from %s) is online", ask->node, row.host, row.address);
    return sh_node_seen(ask->cloud->db, &row, err);
}

/* ---- messages ---- */

static int add_message(polling *p, json_t *message, sh_err *err)
{
    if (json_array_append_new(p->messages, message) < 0)
        return sh_fail(err, SH_E_MEMORY, "no memory for a message");
    return 0;
}

static int say(polling *p, const char *type, const char *command, sh_err *err)
{
    return add_message(p, json_pack("{s:s, s:s}", "type", type, "command_id", command), err);
}

static int end_row(polling *p, const sh_invocation *row, const char *status, const char *details, int code,
                   const char *message, sh_err *err)
{
    return sh_ssm_end(p->cloud, row->id, row->instance, status, details, code, message, err);
}

/* ---- handing out ---- */

static bool keeps_output(const char *request)
{
    json_t *in = json_loads(request, 0, NULL);
    const char *bucket = json_string_value(json_object_get(in, "OutputS3BucketName"));
    const json_t *logs = json_object_get(in, "CloudWatchOutputConfig");
    bool keep = (bucket && *bucket) || json_is_true(json_object_get(logs, "CloudWatchOutputEnabled"));
    json_decref(in);
    return keep;
}

static json_t *run_message(polling *p, const sh_invocation *row, json_t *spec)
{
    const sh_cloud_settings *s = &p->cloud->settings;
    const char *token = sh_agent_token(p->cloud, row->id, row->instance, p->arena);
    json_t *environment = json_pack("{s:s, s:s}", "AWS_DEFAULT_REGION", s->region, "AWS_REGION", s->region);
    if (!token || json_object_set_new(spec, "environment", environment) < 0 ||
        json_object_set_new(spec, "output_max", json_integer(SH_AGENT_OUTPUT_MAX)) < 0) {
        json_decref(spec);
        return NULL;
    }
    return json_pack("{s:s, s:s, s:s, s:b, s:o}", "type", "run", "command_id", row->id, "token", token,
                     "keep_output", keeps_output(row->request), "spec", spec);
}

/* What cannot be run ends here, as it would on the node. */
static int make_message(polling *p, const sh_invocation *row, json_t **out, sh_err *err)
{
    sh_err why = {0};
    sh_caller session;
    json_t *spec = NULL;
    int status = sh_agent_session(p->cloud, row->instance, p->arena, &session, &why);
    if (status == 0)
        status = sh_ssm_spec(p->cloud, row, &spec, &why);
    if (status < 0 && status != SH_E_MEMORY) {
        sh_log(SH_LOG_WARNING, "agent", "command %s: %s", row->id, why.message);
        return end_row(p, row, "Failed", "Failed", 1, why.message, err);
    }
    *out = status == 0 ? run_message(p, row, spec) : NULL;
    return *out ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for a command");
}

static int hand(polling *p, const sh_invocation *brief, sh_err *err)
{
    sh_invocation row;
    json_t *message = NULL;
    int status = sh_invocation_get(p->cloud->db, p->arena, brief->id, brief->instance, &row, err);
    if (status < 0 || (status = make_message(p, &row, &message, err)) < 0 || !message)
        return status;
    const sh_handout delivery = {.command = row.id,
                                 .node = row.instance,
                                 .session = p->session,
                                 .machine = p->machine,
                                 .handed_ms = p->now_ms};
    status = sh_handout_put(p->cloud->db, &delivery, err);
    if (status == 0 && strcmp(row.status, "InProgress") != 0) {
        const char *before = row.status;
        row.status = row.details = "InProgress";
        row.start_ms = p->now_ms;
        status = sh_ssm_save(p->cloud, &row, before, err);
    }
    if (status < 0) {
        json_decref(message);
        return status;
    }
    sh_log(SH_LOG_INFO, "ssm", "command %s: handed to %s", row.id, row.instance);
    p->handed++;
    return add_message(p, message, err);
}

/* ---- what the node was handed ---- */

static int missing(polling *p, const sh_invocation *row, const sh_handout *delivery, sh_err *err)
{
    if (delivery->listed)
        return end_row(p, row, "Failed", "Terminated", 137,
                       "the command is lost: its node had begun it and knows nothing of it any more", err);
    if (strcmp(row->status, "Cancelling") == 0)
        return end_row(p, row, "Cancelled", "Cancelled", -1, "", err);
    if (p->now_ms >= row->deliver_by_ms)
        return end_row(p, row, "TimedOut", "DeliveryTimedOut", -1,
                       "the command did not reach its node before the delivery time-out", err);
    if (strcmp(delivery->machine, p->machine) != 0)
        return end_row(p, row, "Failed", "Terminated", 137,
                       "the command was handed to another machine with the id of this node; whether it began "
                       "there is not known",
                       err);
    return hand(p, row, err);
}

static int present(polling *p, const sh_invocation *row, const sh_handout *delivery, const json_t *item,
                   sh_err *err)
{
    int status = 0;
    bool running = strcmp(json_string_value(json_object_get(item, "state")), "running") == 0;
    p->handed += running;
    if (!delivery->listed)
        status = sh_handout_listed(p->cloud->db, row->id, row->instance, err);
    if (status == 0 && strcmp(row->status, "Delayed") == 0) {
        sh_invocation whole;
        status = sh_invocation_get(p->cloud->db, p->arena, row->id, row->instance, &whole, err);
        whole.status = whole.details = "InProgress";
        if (status == 0)
            status = sh_ssm_save(p->cloud, &whole, "Delayed", err);
    }
    if (status == 0 && running && strcmp(row->status, "Cancelling") == 0)
        status = say(p, "cancel", row->id, err);
    return status;
}

static int compare_row(polling *p, const sh_invocation *row, sh_err *err)
{
    sh_handout delivery;
    const json_t *item = listed(p, row->id);
    if (strcmp(row->status, "Pending") == 0) {
        if (item)
            sh_agent_distrust(p->ask, "it names command %s, which it was not given", row->id);
        return 0;
    }
    int status = sh_handout_get(p->cloud->db, p->arena, row->id, row->instance, &delivery, err);
    if (status == SH_E_NOT_FOUND) /* of the time before there were agents: ssm_legacy.c looks after it */
        return 0;
    if (status < 0)
        return status;
    return item ? present(p, row, &delivery, item, err) : missing(p, row, &delivery, err);
}

static bool is_row(const polling *p, const char *id)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->rows[i].id, id) == 0)
            return true;
    return false;
}

/* A command that has ended, or that never was this node's. */
static int forget(polling *p, const char *id, sh_err *err)
{
    sh_invocation row;
    int status = sh_invocation_get(p->cloud->db, p->arena, id, p->ask->node, &row, err);
    if (status == 0 && sh_ssm_is_open(row.status))
        return 0; /* beyond ROWS_MAX */
    if (status == SH_E_NOT_FOUND)
        sh_log(SH_LOG_INFO, "agent", "node %s has a command %s that is not its own, or was forgotten",
               p->ask->node, id);
    else if (status < 0 || (status = sh_agent_outputs_remove(p->cloud, id, p->ask->node, err)) < 0)
        return status;
    return say(p, "forget", id, err);
}

static int forget_ended(polling *p, sh_err *err)
{
    size_t index;
    const json_t *item;
    int status = 0;
    json_array_foreach(p->list, index, item)
    {
        const char *id = json_string_value(json_object_get(item, "id"));
        if (!is_row(p, id) && (status = forget(p, id, err)) < 0)
            return status;
    }
    return status;
}

static int hand_pending(polling *p, sh_err *err)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < p->count; i++) {
        const sh_invocation *row = &p->rows[i];
        bool go;
        if (p->handed >= p->workers || json_array_size(p->messages) >= MESSAGES_MAX)
            break;
        if (strcmp(row->status, "Pending") != 0 || p->now_ms >= row->deliver_by_ms || listed(p, row->id))
            continue;
        status = sh_ssm_may_begin(p->cloud, row->id, p->arena, &go, err);
        if (status == 0 && go)
            status = hand(p, row, err);
    }
    return status;
}

/* ---- one look ---- */

static int collect(void *opaque, const sh_invocation *row)
{
    polling *p = opaque;
    sh_invocation *to = &p->rows[p->count++];
    *to = *row;
    to->id = sh_arena_strdup(p->arena, row->id);
    to->instance = sh_arena_strdup(p->arena, row->instance);
    to->status = sh_arena_strdup(p->arena, row->status);
    to->details = "";
    if (!to->id || !to->instance || !to->status)
        return SH_E_MEMORY;
    return p->count == ROWS_MAX;
}

static int look_inside(polling *p, sh_err *err)
{
    int status = sh_invocation_each_brief(p->cloud->db, p->ask->node, collect, p, err);
    for (size_t i = 0; status == 0 && i < p->count; i++)
        status = compare_row(p, &p->rows[i], err);
    if (status == 0)
        status = forget_ended(p, err);
    return status == 0 ? hand_pending(p, err) : status;
}

static int look(sh_agent_ask *ask, json_t *messages, sh_err *err)
{
    polling *p = calloc(1, sizeof(*p));
    sh_arena *arena = sh_arena_new(SH_HTTP_ARENA_MAX);
    int status = p && arena ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for a poll");
    if (status < 0)
        goto done;
    *p = (polling){.ask = ask,
                   .cloud = ask->cloud,
                   .arena = arena,
                   .now_ms = sh_now_ms(ask->cloud->clock),
                   .session = text_in(ask->in, "session"),
                   .machine = text_in(ask->in, "machine"),
                   .list = json_object_get(ask->in, "commands"),
                   .messages = messages,
                   .workers = number_in(ask->in, "workers", WORKERS_MAX)};
    status = sh_db_begin(ask->cloud->db, err);
    if (status == 0)
        status = sh_db_end(ask->cloud->db, look_inside(p, err), err);
done:
    sh_arena_free(arena);
    free(p);
    return status;
}

/* ---- the request ---- */

static bool enter(sh_agent_ask *ask)
{
    switch (sh_agents_enter(ask->cloud->agents, &ask->row, text_in(ask->in, "session"),
                            text_in(ask->in, "machine"), &ask->turn)) {
    case SH_AGENT_FIRST:
        return true;
    case SH_AGENT_SECOND:
        sh_agent_distrust(ask,
                          "another machine (%s) asks with its id and key: a copied disk? It gets nothing "
                          "while the first one lives",
                          text_in(ask->in, "host"));
        sh_agent_refuse(ask, 409, "AnotherAgent",
                        "another machine with the id %s is alive: register this one by itself", ask->node);
        return false;
    case SH_AGENT_SUPERSEDED:
        sh_agent_refuse(ask, 409, "Superseded", "a newer agent of this data folder asks for work");
        return false;
    case SH_AGENT_LOST:
        sh_agent_refuse(ask, 500, "InternalError", "no memory for a node");
        return false;
    }
    return false;
}

static bool begin(sh_agent_ask *ask)
{
    sh_err err = {0};
    if (!is_poll(ask->in)) {
        sh_agent_refuse(ask, 400, "BadRequest",
                        "session, machine or commands are not as the protocol has them");
        return false;
    }
    if (!enter(ask))
        return false;
    ask->until_us = sh_monotonic_us() + (int64_t)SH_AGENT_POLL_MS * 1000;
    char key[64];
    snprintf(key, sizeof(key), "node/%s", ask->node);
    sh_hold_wake(ask->cloud, key); /* an older poll of it ends */
    if (write_seen(ask, false, &err) == 0)
        return true;
    sh_log(SH_LOG_ERROR, "agent", "node %s: %s", ask->node, err.message);
    sh_agent_refuse(ask, 503, "InternalError", "the node's row could not be written");
    return false;
}

static void release(void *opaque)
{
    sh_http_release(opaque);
}

static void answer(sh_agent_ask *ask, json_t *messages)
{
    const sh_cloud_settings *s = &ask->cloud->settings;
    sh_hold_drop(ask->cloud, &ask->hold);
    sh_agent_answer(ask,
                    json_pack("{s:I, s:s, s:s, s:o}", "time_ms", (json_int_t)sh_now_ms(ask->cloud->clock),
                              "account", s->account, "region", s->region, "messages", messages));
}

/* False: there is nothing to say, and it waits. */
static bool try_once(sh_agent_ask *ask)
{
    sh_err err = {0};
    json_t *messages = json_array();
    bool current = sh_agents_current(ask->cloud->agents, ask->node, ask->turn);
    int status = messages && current ? look(ask, messages, &err) : 0;
    if (status < 0) {
        sh_log(SH_LOG_ERROR, "agent", "node %s: %s", ask->node, err.message);
        json_decref(messages);
        sh_hold_drop(ask->cloud, &ask->hold);
        sh_agent_refuse(ask, 503, "InternalError", "the node's commands could not be looked at");
        return true;
    }
    if (messages && current && json_array_size(messages) == 0 && sh_monotonic_us() < ask->until_us &&
        sh_http_hold(ask->http)) {
        json_decref(messages);
        sh_hold_park(ask->cloud, &ask->hold);
        return false;
    }
    answer(ask, messages);
    return true;
}

void sh_agent_poll(sh_agent_ask *ask)
{
    char key[64];
    if (!ask->until_us && !begin(ask))
        return;
    snprintf(key, sizeof(key), "node/%s", ask->node);
    ask->hold.release = release;
    ask->hold.opaque = ask->http;
    ask->waiting = (sh_call){.cloud = ask->cloud, .hold = &ask->hold};
    sh_call_wait_for(&ask->waiting, key, ask->until_us);
    try_once(ask);
}
