/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asynchronous invocations of services: permission, size, and then the queue. An event that a function led to
 * carries the trace of its invocation (outbox.h), so that a function that goes on invoking itself is found
 * out when it is to run (lambda_queue.c). */
#include "base/log.h"
#include "cloud/api/keys.h"
#include "cloud/api/lambda_inner.h"
#include "cloud/store/outbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int sh_fn_enqueue(sh_cloud *cloud, const sh_fn_name *function, const char *request_id, const void *payload,
                  size_t length, const json_t *context, sh_err *err)
{
    char id[SH_UUID_TEXT];
    int64_t now_ms = sh_now_ms(cloud->clock);
    char *text = context ? json_dumps(context, JSON_COMPACT) : NULL;
    sh_uuid(id);
    const sh_fn_queued item = {.name = function->name,
                               .qualifier = function->qualifier ? function->qualifier : "",
                               .request_id = request_id ? request_id : id,
                               .context = text ? text : "{}",
                               .payload = payload,
                               .length = length,
                               .first_ms = now_ms,
                               .due_ms = now_ms};
    int status = sh_fn_queue_add(cloud->db, &item, err);
    free(text);
    if (status == 0)
        sh_cloud_wake(cloud, SH_WAKE_FUNCTIONS);
    return status;
}

static int refuse(sh_aws_error *error, int http_status, const char *code, const char *message)
{
    *error = (sh_aws_error){code, http_status, message ? message : "no memory for the message"};
    return SH_E_ARGUMENT;
}

static int check(sh_cloud *cloud, const sh_lambda_event *e, sh_fn_name *name, sh_arena *arena,
                 sh_aws_error *error, sh_err *err)
{
    sh_fn_version version;
    const char *sentence = "";
    if (!sh_lambda_is_arn(cloud, e->function) || !sh_fn_split(cloud, arena, e->function, name))
        return refuse(error, 404, "ResourceNotFoundException",
                      sh_arena_printf(arena, "Function not found: %s", e->function));
    int status = sh_fn_find(cloud, arena, name, &version, err);
    if (status == SH_E_NOT_FOUND)
        return refuse(error, 404, "ResourceNotFoundException",
                      sh_arena_printf(arena, "Function not found: %s", e->function));
    if (status < 0)
        return status;
    json_decref(version.body);
    status = sh_fn_permit(cloud, name, e->caller, e->service, e->source_arn, arena, &sentence, err);
    if (status == SH_E_DENIED)
        return refuse(error, 403, "AccessDeniedException", sentence);
    return status;
}

int sh_lambda_may_send(sh_cloud *cloud, const sh_lambda_event *event, sh_arena *arena, sh_aws_error *error,
                       sh_err *err)
{
    sh_fn_name name;
    return check(cloud, event, &name, arena, error, err);
}

int sh_lambda_send_event(sh_cloud *cloud, const sh_lambda_event *event, sh_arena *arena, sh_aws_error *error,
                         sh_err *err)
{
    sh_fn_name name;
    int status = check(cloud, event, &name, arena, error, err);
    if (status < 0)
        return status;
    if (event->length > SH_FN_EVENT_MAX)
        return refuse(error, 413, "RequestTooLargeException",
                      sh_arena_printf(arena,
                                      "%zu byte payload is too large for the Event invocation type "
                                      "(limit %d bytes)",
                                      event->length, SH_FN_EVENT_MAX));
    json_t *context = json_object();
    const char *trace = event->trace ? event->trace : sh_trace();
    if (trace)
        json_object_set_new(context, "trace", json_string(trace));
    status = sh_fn_enqueue(cloud, &name, NULL, event->payload, event->length, context, err);
    json_decref(context);
    return status;
}
