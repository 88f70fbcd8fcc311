/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of services, and how an action answers. */
#include "base/log.h"
#include "cloud/api/cloud.h"
#include "cloud/api/ec2.h"
#include "cloud/api/iam.h"
#include "cloud/api/lambda.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const sh_service *const sh_services[] = {
    &sh_service_states, &sh_service_events, &sh_service_ssm,    &sh_service_mediaconvert, &sh_service_logs,
    &sh_service_iam,    &sh_service_sts,    &sh_service_lambda, &sh_service_ec2,          NULL,
};

const sh_service *sh_service_find(const char *name)
{
    if (strcmp(name, "sfn") == 0)
        name = "states";
    if (strcmp(name, "eventbridge") == 0)
        name = "events";
    if (strcmp(name, "cloudwatchlogs") == 0)
        name = "logs";
    for (size_t i = 0; sh_services[i]; i++) {
        if (strcmp(sh_services[i]->name, name) == 0)
            return sh_services[i];
    }
    return NULL;
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

const sh_action *sh_action_find(const sh_service *service, const char *name)
{
    if (!*name)
        return NULL;
    for (const sh_action *action = service->actions; action->name; action++) {
        if (action->name[0] == upper(name[0]) && strcmp(action->name + 1, name + 1) == 0)
            return action;
    }
    return NULL;
}

int sh_call_fail(sh_call *call, int http_status, const char *code, const char *format, ...)
{
    char message[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    sh_text_mend(message);
    const char *copy = sh_arena_strdup(call->arena, message);
    call->error = (sh_aws_error){code, http_status, copy ? copy : "no memory for the message"};
    return SH_E_ARGUMENT;
}

int sh_call_fail_internal(sh_call *call, const sh_err *err)
{
    int status = err->status < 0 ? err->status : SH_E_INTERNAL;
    sh_log(SH_LOG_ERROR, "cloud", "%s", err->message);
    if (status == SH_E_FULL)
        sh_call_fail(call, 503, "ServiceUnavailable", "no space is left on the server's disk");
    else
        sh_call_fail(call, 500, "InternalServerError", "internal failure, see the server's log");
    return status;
}
