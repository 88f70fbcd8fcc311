/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_LAMBDA_H
#define SH_API_LAMBDA_H
/* Lambda as the rest of the server sees it. What runs functions is lambda_run.h; what the files lambda*.c
 * share is lambda_inner.h. */
#include "cloud/api/caller.h"
#include "cloud/api/cloud.h"

extern const sh_service sh_service_lambda; /* lambda.c */

/* The REST route of a request: the action, with path and query values merged into *in. NULL: there is none.
 * *status: of its answer. *raw: its body is no JSON of the API's, but the payload. */
const sh_action *sh_lambda_route(const char *method, const char *path, const char *query, json_t *in,
                                 int *status, bool *raw);
/* Whether a path is one of this service's ("/2015-03-31/functions…"). */
bool sh_lambda_path(const char *path);

/* ---- for services that invoke functions ---- */

/* A service of AWS asks for an asynchronous invocation. */
typedef struct sh_lambda_event {
    const char *function;    /* ARN, with or without qualifier */
    const char *service;     /* "events.amazonaws.com": is to be allowed by the function's resource policy */
    const char *source_arn;  /* aws:SourceArn: the rule, the bucket */
    const sh_caller *caller; /* acts instead of a service (a session of a role): is to be allowed by its
                                policies; NULL: `service` asks */
    const char *payload;     /* JSON text */
    size_t length;
    const char *trace; /* of what led to it, for loops: X-Ray header of the invocation before, or NULL */
} sh_lambda_event;

/* Puts it into the queue, in the caller's transaction or one of its own; wakes who runs it. 0: it is queued
 * (also when it is a loop that was cut: that is logged). SH_E_ARGUMENT: it is refused for good, *error tells
 * why ("ResourceNotFoundException", "AccessDeniedException", "RequestTooLargeException" …), strings in the
 * arena. Other: the server's trouble, to be tried again. */
int sh_lambda_send_event(sh_cloud *cloud, const sh_lambda_event *event, sh_arena *arena, sh_aws_error *error,
                         sh_err *err);
/* Whether it would be refused now; as above. */
int sh_lambda_may_send(sh_cloud *cloud, const sh_lambda_event *event, sh_arena *arena, sh_aws_error *error,
                       sh_err *err);
/* Whether the ARN is one of a function of this server ("arn:aws:lambda:REGION:ACCOUNT:function:…"). */
bool sh_lambda_is_arn(const sh_cloud *cloud, const char *arn);

/* The runner: queue, notifications of buckets, tasks of executions. */
int sh_lambda_queue_run(sh_cloud *cloud);
int sh_lambda_queue_open(sh_cloud *cloud, sh_err *err); /* before the runners start */
void sh_lambda_queue_close(sh_cloud *cloud);            /* when nothing is under way any more; NULL is fine */

#endif
