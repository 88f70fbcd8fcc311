/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a command ended, as the server wants it: first the whole streams, if it keeps them, then the report. */
#include "agent/agent.h"
#include "base/file.h"
#include "base/log.h"
#include "cloud/jobs/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUT_CHARACTERS = 24000, ERR_CHARACTERS = 8000, STEPS_MAX = 256, TIMEOUT_S = 120 };

static const char *const streams[] = {"stdout", "stderr"};

static int send_stream(sh_agent *agent, CURL *curl, const char *id, size_t step, const char *name,
                       const sh_buf *bytes, sh_err *err)
{
    char verb[SH_AGENT_ID_MAX + 64];
    sh_agent_identity identity;
    sh_agent_reply reply = {0};
    int status = sh_agent_identity_read(&identity, agent->data, err);
    if (status < 0)
        return status;
    snprintf(verb, sizeof(verb), "output?command=%s&step=%zu&stream=%s", id, step, name);
    const sh_agent_post post = {.server = identity.server,
                                .pin = identity.pin,
                                .node = agent->identity.id,
                                .verb = verb,
                                .body = bytes->data,
                                .length = bytes->length,
                                .timeout_s = TIMEOUT_S};
    status = sh_agent_post_signed(agent, curl, &post, &reply, err);
    if (status == 0 && reply.status != 200)
        status = sh_fail(err, SH_E_IO, "%s: %ld %s", identity.server, reply.status,
                         sh_agent_reply_message(&reply));
    json_decref(reply.json);
    return status;
}

static int send_streams(sh_agent *agent, CURL *curl, const char *id, const char *folder, size_t steps,
                        sh_err *err)
{
    int status = 0;
    for (size_t step = 0; status == 0 && step < steps; step++) {
        for (size_t i = 0; status == 0 && i < 2; i++) {
            char path[PATH_MAX + 64];
            sh_err why = {0};
            sh_buf bytes;
            sh_buf_init(&bytes, SH_COMMAND_OUTPUT_MAX);
            snprintf(path, sizeof(path), "%s/%zu.%s", folder, step, streams[i]);
            if (sh_file_read(path, &bytes, &why) == 0 && bytes.length > 0)
                status = send_stream(agent, curl, id, step, streams[i], &bytes, err);
            sh_buf_free(&bytes);
        }
    }
    return status;
}

static int add_text(const char *folder, json_t *step, size_t number, sh_err *err)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < 2; i++) {
        char name[64];
        sh_buf text;
        size_t characters = i == 0 ? OUT_CHARACTERS : ERR_CHARACTERS;
        sh_buf_init(&text, characters * 4 + 1);
        snprintf(name, sizeof(name), "%zu.%s", number, streams[i]);
        status = sh_command_output(folder, name, characters, &text, err);
        if (status == 0 && json_object_set_new(step, streams[i], json_string(sh_buf_cstr(&text))) < 0)
            status = sh_fail(err, SH_E_MEMORY, "no memory for a report");
        sh_buf_free(&text);
    }
    return status;
}

/* What was there when the supervisor went: the steps that had begun. */
static json_t *lost_result(const char *folder, const json_t *command)
{
    size_t number;
    const json_t *step;
    json_t *list = json_array();
    json_array_foreach(json_object_get(command, "steps"), number, step)
    {
        char path[PATH_MAX + 64];
        sh_buf bytes;
        sh_buf_init(&bytes, SH_COMMAND_OUTPUT_MAX);
        snprintf(path, sizeof(path), "%s/%zu.stdout", folder, number);
        if (sh_file_read(path, &bytes, NULL) == 0)
            json_array_append_new(list, json_pack("{s:O, s:s, s:i}", "name", json_object_get(step, "name"),
                                                  "end", "lost", "code", 137));
        sh_buf_free(&bytes);
    }
    return json_pack(
        "{s:s, s:i, s:s, s:o}", "end", "lost", "code", 137, "message",
        "the command's supervisor ended before the command did (killed, or the machine restarted); what "
        "it had done stays as it is",
        "steps", list);
}

/* refused: it will never be taken; the server says "forget" */
static int send_report(sh_agent *agent, CURL *curl, const char *id, const char *folder, json_t *result,
                       bool *refused, sh_err *err)
{
    size_t number;
    json_t *step;
    sh_agent_reply reply = {0};
    int status = json_object_set_new(result, "command_id", json_string(id));
    json_array_foreach(json_object_get(result, "steps"), number, step)
    {
        if (status == 0)
            status = add_text(folder, step, number, err);
    }
    if (status == 0)
        status = sh_agent_call(agent, curl, "report", json_incref(result), TIMEOUT_S, &reply, err);
    *refused = status == 0 && reply.status == 400;
    if (status == 0 && reply.status != 200)
        status = sh_fail(err, SH_E_IO, "%ld %s", reply.status, sh_agent_reply_message(&reply));
    json_decref(reply.json);
    return status;
}

int sh_agent_report(sh_agent *agent, CURL *curl, const char *id, bool lost)
{
    char folder[PATH_MAX];
    sh_err err = {0};
    bool refused = false;
    json_t *command = NULL, *result = NULL;
    int status = sh_agent_command_folder(agent, id, folder, &err);
    if (status == 0)
        status = sh_command_read(folder, "command.json", &command, &err);
    if (status == 0 && lost)
        result = lost_result(folder, command);
    else if (status == 0)
        status = sh_command_read(folder, "result.json", &result, &err);
    size_t steps = json_array_size(json_object_get(result, "steps"));
    if (status == 0 && json_is_true(json_object_get(command, "keep_output")))
        status = send_streams(agent, curl, id, folder, steps < STEPS_MAX ? steps : STEPS_MAX, &err);
    if (status == 0)
        status = send_report(agent, curl, id, folder, result, &refused, &err);
    if (status < 0)
        sh_log(SH_LOG_WARNING, "agent", "command %s: its report did not arrive: %s", id, err.message);
    else
        sh_log(SH_LOG_INFO, "agent", "command %s: %s", id, json_string_value(json_object_get(result, "end")));
    json_decref(command);
    json_decref(result);
    return status == 0 || refused ? 0 : 1;
}
