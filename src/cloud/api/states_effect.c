/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/api/states_effect.h"
#include "base/log.h"
#include "base/size.h"
#include "cloud/api/keys.h"
#include "cloud/api/lambda_task.h"
#include "cloud/api/s3_authorize.h"
#include "cloud/store/outbox.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 32, RETRY_MS = 1000, NAME_MAX = 64 };
#define SERVICE "effect"
#define CALL_MEMORY (64u << 20)

/* ---- the table ---- */

static const sh_effect_row *find_name(const char *name)
{
    for (const sh_effect_row *row = sh_effects_s3; row->name; row++) {
        if (strcmp(row->name, name) == 0)
            return row;
    }
    return NULL;
}

const sh_effect_row *sh_effect_find(const sh_flow_resource *resource)
{
    char name[NAME_MAX];
    int length = snprintf(name, sizeof(name), "%s:%s", resource->service, resource->action);
    if (resource->kind != SH_FLOW_AWS_SDK || length < 0 || (size_t)length >= sizeof(name))
        return NULL;
    return find_name(name);
}

int sh_effect_put(sh_cloud *cloud, const sh_effect_queue_name *to, const sh_flow_resource *resource,
                  sh_wait *wait, const json_t *input, sh_err *err)
{
    char *text = sh_flow_text(input);
    wait->stage = SH_WAIT_RUNNING;
    wait->service = to->service;
    wait->subject = resource->arn;
    wait->queued_ms = sh_now_ms(cloud->clock);
    wait->parameters = text;
    int status =
        text ? sh_wait_add(cloud->db, wait, err) : sh_fail(err, SH_E_MEMORY, "no memory for a task's call");
    wait->parameters = NULL;
    free(text);
    sh_cloud_wake(cloud, to->wake);
    return status;
}

int sh_effect_queue(sh_cloud *cloud, const sh_flow_resource *resource, sh_wait *wait, const json_t *input,
                    sh_err *err)
{
    static const sh_effect_queue_name to = {SERVICE, SH_WAKE_EFFECTS};
    return sh_effect_put(cloud, &to, resource, wait, input, err);
}

/* ---- answers ---- */

int sh_effect_fail(sh_effect *effect, int http_status, const char *code, const char *format, ...)
{
    char message[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    sh_text_mend(message);
    const char *copy = sh_arena_strdup(effect->arena, message);
    effect->error = (sh_aws_error){code, http_status, copy ? copy : "no memory for the message"};
    return SH_E_ARGUMENT;
}

int sh_effect_permit(sh_effect *effect, const char *action, const char *bucket, const char *key, sh_err *err)
{
    const char *sentence;
    int status =
        sh_s3_permit(effect->cloud, &effect->caller, action, bucket, key, effect->arena, &sentence, err);
    if (status == SH_E_DENIED)
        return sh_effect_fail(effect, 403, "AccessDenied", "%s", sentence);
    return status == SH_E_NOT_FOUND ? 0 : status;
}

int sh_effect_tell(sh_effect *effect, sh_err *err)
{
    if (!effect->wait)
        return 0;
    json_t *answer = effect->submitted ? json_incref(effect->out) : json_pack("{s:O}", "output", effect->out);
    int status =
        sh_news_add(effect->cloud, effect->wait, effect->submitted ? "submitted" : "answer", answer, err);
    effect->told = status == 0;
    return status;
}

/* The errors that the SDK has classes for; all others of S3 are of its base class. */
static const char *class_of(const char *code)
{
    static const char *const known[] = {"NoSuchKey",          "NoSuchBucket",
                                        "NoSuchUpload",       "BucketAlreadyExists",
                                        "InvalidObjectState", "BucketAlreadyOwnedByYou"};
    for (size_t i = 0; i < SH_COUNT(known); i++) {
        if (strcmp(known[i], code) == 0)
            return code;
    }
    return "S3";
}

static int describe(sh_arena *arena, const sh_aws_error *error, const char **name, const char **cause,
                    sh_err *err)
{
    char id[SH_UUID_TEXT], extended[SH_UUID_TEXT];
    sh_uuid(id);
    sh_uuid(extended);
    *name = sh_arena_printf(arena, "S3.%sException", class_of(error->code));
    *cause =
        sh_arena_printf(arena, "%s (Service: S3, Status Code: %d, Request ID: %s, Extended Request ID: %s)",
                        error->message, error->http_status, id, extended);
    return *name && *cause ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for a task's error");
}

static int tell_error(sh_effect *effect, sh_err *err)
{
    const char *name, *cause;
    int status = describe(effect->arena, &effect->error, &name, &cause, err);
    if (status < 0)
        return status;
    return sh_news_add(effect->cloud, effect->wait, "answer",
                       json_pack("{s:s, s:s}", "error", name, "cause", cause), err);
}

/* ---- calls ---- */

/* Calls; a disk that is full is the caller's to know, any other trouble ours. */
static int make_call(const sh_effect_row *row, sh_effect *effect, const sh_actor *actor, sh_err *err)
{
    const char *sentence;
    int status = sh_actor_session(effect->cloud, actor, effect->arena, &effect->caller, &sentence, err);
    if (status == SH_E_DENIED)
        return sh_effect_fail(effect, 403, "AccessDenied", "%s", sentence);
    if (status == 0) {
        const char *before = sh_trace_set(actor->trace);
        status = row->fn(effect, err);
        sh_trace_set(before);
    }
    if (status == SH_E_FULL)
        status = sh_effect_fail(effect, 507, "InsufficientStorage", "no space is left on the server's disk");
    return status;
}

int sh_effect_call(sh_cloud *cloud, sh_arena *arena, const sh_actor *actor, const sh_flow_resource *resource,
                   const json_t *parameters, sh_task_answer *answer, sh_err *err)
{
    sh_effect effect = {.cloud = cloud, .arena = arena, .in = parameters};
    const sh_effect_row *row = sh_effect_find(resource);
    *answer = (sh_task_answer){0};
    if (!row)
        return sh_fail(err, SH_E_INTERNAL, "%s is no call of that kind", resource->arn);
    int status = make_call(row, &effect, actor, err);
    if (status == 0) {
        answer->output = effect.out;
        answer->waits = resource->pattern == SH_FLOW_TASK_TOKEN;
        return 0;
    }
    json_decref(effect.out);
    return status == SH_E_ARGUMENT ? describe(arena, &effect.error, &answer->error, &answer->cause, err)
                                   : status;
}

int sh_effect_or_task(sh_cloud *cloud, const sh_actor *actor, const sh_flow_resource *resource,
                      const json_t *parameters, int64_t task, sh_task_event_fn fn, void *opaque, sh_err *err)
{
    sh_task_answer answer = {0};
    sh_arena *arena = sh_arena_new(CALL_MEMORY);
    if (!arena)
        return sh_fail(err, SH_E_MEMORY, "no memory for a task");
    int status =
        sh_fn_task_is(resource)    ? sh_fn_task_call(cloud, arena, actor, resource, parameters, &answer, err)
        : sh_effect_find(resource) ? sh_effect_call(cloud, arena, actor, resource, parameters, &answer, err)
                                   : sh_task_call(cloud, arena, actor, resource, parameters, &answer, err);
    if (status == 0) {
        sh_flow_event event = {
            .kind = SH_FLOW_TASK_FAILED, .task = task, .error = answer.error, .cause = answer.cause};
        if (answer.output)
            event = (sh_flow_event){.kind = SH_FLOW_TASK_SUCCEEDED, .task = task, .output = answer.output};
        status = fn(opaque, &event, err);
    }
    json_decref(answer.output);
    sh_arena_free(arena);
    return status;
}

/* Says in the row how it came out, unless the call has done so. */
static int settle(sh_effect *effect, int status, sh_err *err)
{
    sh_db *db = effect->cloud->db;
    if (effect->told || (status < 0 && status != SH_E_ARGUMENT))
        return status;
    if ((status = sh_db_begin(db, err)) < 0)
        return status;
    status = effect->error.code ? tell_error(effect, err) : sh_effect_tell(effect, err);
    return sh_db_end(db, status, err);
}

/* "arn:aws:states:::aws-sdk:s3:putObject.waitForTaskToken" -> "s3:putObject" */
static const sh_effect_row *row_of(const char *arn, bool *token)
{
    char name[NAME_MAX];
    const char *sdk = strstr(arn, ":aws-sdk:");
    if (!sdk)
        return NULL;
    sdk += strlen(":aws-sdk:");
    size_t length = strcspn(sdk, ".");
    if (length >= sizeof(name))
        return NULL;
    memcpy(name, sdk, length);
    name[length] = '\0';
    *token = sdk[length] != '\0';
    return find_name(name);
}

static int do_one(sh_cloud *cloud, const sh_wait *wait, sh_err *err)
{
    json_t *in = NULL;
    sh_arena *arena = sh_arena_new(CALL_MEMORY);
    sh_actor actor;
    sh_effect effect = {.cloud = cloud, .arena = arena, .wait = wait};
    const sh_effect_row *row = row_of(wait->subject, &effect.submitted);
    int status = arena ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for a task's call");
    if (status == 0 && !row)
        status = sh_effect_fail(&effect, 501, "NotImplemented", "%s is not known here", wait->subject);
    if (status == 0)
        status = sh_flow_load(&in, wait->parameters, strlen(wait->parameters), err);
    effect.in = in;
    if (status == 0)
        status = sh_actor_of_execution(cloud, wait->execution, arena, &actor, err);
    if (status == 0)
        status = make_call(row, &effect, &actor, err);
    status = settle(&effect, status, err);
    json_decref(effect.out);
    json_decref(in);
    sh_arena_free(arena);
    return status == SH_E_NOT_FOUND ? 0 : status; /* the task was given up in between */
}

typedef struct batch {
    sh_arena *arena;
    sh_wait waits[BATCH];
    size_t count;
    bool failed;
} batch;

static int take(void *opaque, const sh_wait *row)
{
    batch *b = opaque;
    sh_wait *w = &b->waits[b->count++];
    *w = *row;
    w->state_name = "";
    w->subject = sh_arena_strdup(b->arena, row->subject ? row->subject : "");
    w->parameters = sh_arena_strdup(b->arena, row->parameters ? row->parameters : "{}");
    w->news = row->news ? sh_arena_strdup(b->arena, row->news) : NULL;
    b->failed |= !w->subject || !w->parameters || (row->news && !w->news);
    return 0;
}

static int do_batch(sh_cloud *cloud, batch *b, size_t *left, sh_err *err)
{
    int status = sh_wait_queue(cloud->db, SERVICE, BATCH, take, b, err);
    if (status == 0 && b->failed)
        status = sh_fail(err, SH_E_MEMORY, "no memory for the calls of tasks");
    *left = 0;
    for (size_t i = 0; status == 0 && i < b->count && !sh_cloud_stopping(cloud); i++) {
        sh_err why = {0};
        if (do_one(cloud, &b->waits[i], &why) == 0)
            continue;
        sh_log(SH_LOG_ERROR, "states", "%s, to be tried again: %s", b->waits[i].subject, why.message);
        ++*left;
    }
    return status;
}

int sh_effects_pump(sh_cloud *cloud, int64_t *next_ms, sh_err *err)
{
    size_t left;
    batch b;
    int status;
    do {
        b = (batch){.arena = sh_arena_new(CALL_MEMORY)};
        status = b.arena ? do_batch(cloud, &b, &left, err)
                         : sh_fail(err, SH_E_MEMORY, "no memory for a task's call");
        sh_arena_free(b.arena);
    } while (status == 0 && b.count > 0 && left == 0 && !sh_cloud_stopping(cloud));
    *next_ms = status < 0 || left > 0 ? sh_monotonic_us() / 1000 + RETRY_MS : -1;
    return status;
}

int sh_effects_run(sh_cloud *cloud)
{
    int64_t next_ms = -1;
    do {
        sh_err err = {0};
        if (sh_effects_pump(cloud, &next_ms, &err) < 0)
            sh_log(SH_LOG_ERROR, "states", "calls of tasks stand still, to be tried again: %s", err.message);
    } while (sh_cloud_wait(cloud, SH_WAKE_EFFECTS, next_ms));
    return 0;
}
