/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a call to the questions it raises: its row of the table, the resource that the input names, and the
 * roles that it passes on. */
#include "cloud/api/authorize.h"
#include "cloud/api/authorize_table.h"
#include "base/buf.h"

#include <stdio.h>
#include <string.h>

#define ARN_TEXT 2048

/* ---- words of each service ---- */

static int denied(sh_call *call, const char *action, const char *sentence)
{
    size_t length = strcspn(action, ":");
    if ((length == 3 && memcmp(action, "iam", 3) == 0 && strcmp(action, "iam:PassRole") != 0) ||
        (length == 3 && memcmp(action, "sts", 3) == 0))
        return sh_call_fail(call, 403, "AccessDenied", "%s", sentence);
    bool rest = (length == 12 && memcmp(action, "mediaconvert", 12) == 0) ||
                (length == 6 && memcmp(action, "lambda", 6) == 0);
    return sh_call_fail(call, rest ? 403 : 400, "AccessDeniedException", "%s", sentence);
}

int sh_authorize_one(sh_call *call, const char *action, const char *resource, const sh_policy_key *keys,
                     size_t key_count)
{
    const char *sentence;
    sh_err err = {0};
    sh_asked asked = {.action = action, .resource = resource, .keys = keys, .key_count = key_count};
    int status = sh_authorize(call->cloud, call->caller, &asked, call->arena, &sentence, &err);
    if (status == SH_E_DENIED)
        return denied(call, action, sentence);
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

int sh_authorize_pass_role(sh_call *call, const char *role_arn, const char *service)
{
    const char *associated = NULL;
    sh_context context = {.count = 0};
    sh_context_put(&context, "iam:PassedToService", service);
    if (strcmp(service, "states.amazonaws.com") == 0) /* the machine that is to have it */
        associated = json_string_value(json_object_get(call->in, "stateMachineArn"));
    sh_context_put(&context, "iam:AssociatedResourceArn", associated);
    int status = sh_authorize_one(call, "iam:PassRole", role_arn, context.keys, context.count);
    if (status < 0 && call->error.http_status < 500) { /* in the form of the service that asks */
        if (strcmp(service, "mediaconvert.amazonaws.com") == 0 ||
            strcmp(service, "lambda.amazonaws.com") == 0)
            call->error.http_status = 403;
        if (strcmp(service, "ec2.amazonaws.com") == 0)
            call->error = (sh_aws_error){"AccessDenied", 403, call->error.message};
    }
    return status;
}

/* ---- templates ---- */

static const char *member(const sh_call *call, const char *name, size_t length)
{
    char key[64];
    if (length >= sizeof(key))
        return NULL;
    memcpy(key, name, length);
    key[length] = '\0';
    const char *value = json_string_value(json_object_get(call->in, key));
    return value && *value ? value : NULL;
}

/* "{name}", "{name|otherwise}": *end is behind it. NULL: the member is not there. */
static const char *placeholder(const sh_call *call, const char *at, const char **end)
{
    const char *close = strchr(at, '}'), *bar = memchr(at, '|', (size_t)(close - at));
    const char *value = member(call, at + 1, (size_t)((bar ? bar : close) - at - 1));
    *end = close + 1;
    return value || !bar ? value : sh_arena_strndup(call->arena, bar + 1, (size_t)(close - bar - 1));
}

static void put_start(sh_buf *out, const sh_call *call, const char *service)
{
    const sh_cloud_settings *s = &call->cloud->settings;
    bool global = strcmp(service, "iam") == 0 || strcmp(service, "sts") == 0;
    sh_buf_printf(out, "arn:aws:%s:%s:%s:", service, global ? "" : s->region, s->account);
}

/* An ARN, or "*" when the input does not name what it needs: whoever may do it to everything learns from the
 * action what is missing. NULL: no memory. */
static const char *expand(const sh_call *call, const char *service, const char *template)
{
    sh_buf out;
    const char *at = template, *made = NULL;
    if (strcmp(template, "*") == 0)
        return "*";
    sh_buf_init(&out, ARN_TEXT);
    put_start(&out, call, service);
    at += *at == ':';
    while (*at) {
        size_t plain = strcspn(at, "{");
        sh_buf_append(&out, at, plain);
        at += plain;
        if (!*at)
            break;
        const char *value = placeholder(call, at, &at);
        if (!value || strncmp(value, "arn:", 4) == 0) {
            sh_buf_free(&out);
            return value ? value : "*";
        }
        sh_buf_puts(&out, value);
    }
    made = out.failed ? "*" : sh_arena_strdup(call->arena, sh_buf_cstr(&out));
    sh_buf_free(&out);
    return made;
}

/* ---- an action ---- */

const sh_ask *sh_ask_find(const char *service, const char *action)
{
    for (const sh_ask *row = sh_asks; row->service; row++)
        if (strcmp(row->service, service) == 0 && strcmp(row->action, action) == 0)
            return row;
    return NULL;
}

static int ask_row(sh_call *call, const sh_ask *row, const char *name)
{
    const char *resource = expand(call, row->service, row->resource);
    if (!resource)
        return sh_call_fail(call, 500, "InternalFailure", "no memory for an ARN");
    int status = row->fn ? row->fn(call, name, resource) : sh_authorize_one(call, name, resource, NULL, 0);
    const char *role = row->role ? json_string_value(json_object_get(call->in, row->role)) : NULL;
    return status == 0 && role && *role ? sh_authorize_pass_role(call, role, row->to) : status;
}

int sh_authorize_action(sh_call *call, const char *service, const char *action)
{
    char name[128];
    const sh_ask *row = sh_ask_find(service, action);
    int length = snprintf(name, sizeof(name), "%s:%s", service, action);
    if (length < 0 || (size_t)length >= sizeof(name))
        return sh_call_fail(call, 400, "UnknownOperationException", "the action's name is too long");
    if (row && !row->resource)
        return 0;
    if (row)
        return ask_row(call, row, name);
    if (strcmp(service, "iam") == 0)
        return sh_ask_identity(call, name, "*");
    return sh_authorize_one(call, name, "*", NULL, 0);
}
