/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/states_client.h"
#include "base/buf.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MOST = 64 * 1024 * 1024, PAGES_MOST = 1000 };

typedef struct call {
    const sh_states_service *service;
    CURL *curl;
    struct curl_slist *headers;
    sh_buf answer;
    char user[512], signer[128], fault[CURL_ERROR_SIZE];
} call;

static size_t take(char *bytes, size_t size, size_t count, void *opaque)
{
    return sh_buf_append(opaque, bytes, size * count) < 0 ? 0 : size * count;
}

static int prepare(call *c, const char *action, const char *body)
{
    char target[128];
    snprintf(target, sizeof(target), "X-Amz-Target: AWSStepFunctions.%s", action);
    snprintf(c->user, sizeof(c->user), "%s:%s", c->service->key_id, c->service->secret);
    snprintf(c->signer, sizeof(c->signer), "aws:amz:%s:states", c->service->region);
    c->headers = curl_slist_append(NULL, "Content-Type: application/x-amz-json-1.0");
    if (c->headers)
        curl_slist_append(c->headers, target);
    c->curl = curl_easy_init();
    if (!c->curl || !c->headers)
        return SH_E_MEMORY;
    curl_easy_setopt(c->curl, CURLOPT_URL, c->service->endpoint);
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, c->headers);
    curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(c->curl, CURLOPT_AWS_SIGV4, c->signer);
    curl_easy_setopt(c->curl, CURLOPT_USERPWD, c->user);
    curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &c->answer);
    curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, c->fault);
    curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT, 10L);
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, 60L);
    curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
    return 0;
}

/* What the service says when it refuses: {"__type":"…#ExecutionDoesNotExist","message":"…"}. */
static int refused(const json_t *answer, long code, const char *action, sh_err *err)
{
    const char *type = json_string_value(json_object_get(answer, "__type"));
    const char *message = json_string_value(json_object_get(answer, "message")), *hash;
    if (!message)
        message = json_string_value(json_object_get(answer, "Message"));
    hash = type ? strrchr(type, '#') : NULL;
    return sh_fail(err, SH_E_NOT_FOUND, "%s: %s: %s", action,
                   hash   ? hash + 1
                   : type ? type
                          : "refused",
                   message       ? message
                   : code == 403 ? "the keys are not accepted"
                                 : "no reason given");
}

static int ask(const sh_states_service *service, const char *action, const json_t *question, json_t **out,
               sh_err *err)
{
    call c = {.service = service};
    char *body = json_dumps(question, JSON_COMPACT);
    json_t *answer = NULL;
    long code = 0;
    CURLcode result;
    int status;
    sh_buf_init(&c.answer, ANSWER_MOST);
    status = body ? prepare(&c, action, body) : SH_E_MEMORY;
    if (status) {
        sh_fail(err, status, "memory is short");
        goto done;
    }
    result = curl_easy_perform(c.curl);
    if (result != CURLE_OK) {
        status = sh_fail(err, SH_E_IO, "%s: %s", service->endpoint,
                         *c.fault ? c.fault : curl_easy_strerror(result));
        goto done;
    }
    curl_easy_getinfo(c.curl, CURLINFO_RESPONSE_CODE, &code);
    answer = json_loadb(sh_buf_cstr(&c.answer), c.answer.length, 0, NULL);
    if (code != 200)
        status = refused(answer, code, action, err);
    else if (!json_is_object(answer))
        status =
            sh_fail(err, SH_E_FORMAT, "%s: the answer of %s is no JSON object", action, service->endpoint);
    if (!status) {
        *out = answer;
        answer = NULL;
    }
done:
    json_decref(answer);
    curl_slist_free_all(c.headers);
    curl_easy_cleanup(c.curl);
    sh_buf_free(&c.answer);
    free(body);
    return status;
}

static int ask_events(const sh_states_service *service, const char *arn, json_t *events, sh_err *err)
{
    json_t *token = NULL;
    int status = 0;
    for (int page = 0; !status && page < PAGES_MOST && (!page || token); page++) {
        json_t *question = json_pack("{s:s, s:i, s:b, s:O*}", "executionArn", arn, "maxResults", 1000,
                                     "includeExecutionData", 0, "nextToken", token);
        json_t *answer = NULL;
        status = ask(service, "GetExecutionHistory", question, &answer, err);
        json_decref(question);
        json_decref(token);
        token = NULL;
        if (!status && json_array_extend(events, json_object_get(answer, "events")))
            status = sh_fail(err, SH_E_FORMAT, "GetExecutionHistory: an answer without events");
        else if (!status)
            token = json_incref(json_object_get(answer, "nextToken"));
        json_decref(answer);
    }
    json_decref(token);
    return status;
}

int sh_states_fetch(const sh_states_service *service, const char *arn, sh_states_execution *out, sh_err *err)
{
    json_t *question = json_pack("{s:s}", "executionArn", arn), *answer = NULL;
    int status;
    *out = (sh_states_execution){.events = json_array()};
    status = question && out->events ? ask(service, "DescribeExecution", question, &answer, err)
                                     : sh_fail(err, SH_E_MEMORY, "memory is short");
    if (!status) {
        out->status = json_incref(json_object_get(answer, "status"));
        json_decref(answer);
        answer = NULL;
        status = ask(service, "DescribeStateMachineForExecution", question, &answer, err);
    }
    if (!status)
        out->definition = json_incref(json_object_get(answer, "definition"));
    if (!status)
        status = ask_events(service, arn, out->events, err);
    if (!status && (!json_is_string(out->status) || !json_is_string(out->definition)))
        status = sh_fail(err, SH_E_FORMAT, "the answer of %s lacks status or definition", service->endpoint);
    json_decref(answer);
    json_decref(question);
    return status;
}

void sh_states_execution_free(sh_states_execution *execution)
{
    json_decref(execution->definition);
    json_decref(execution->status);
    json_decref(execution->events);
    *execution = (sh_states_execution){0};
}
