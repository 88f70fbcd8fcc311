/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is said of commands: their JSON, and the actions that look. */
#include "base/buf.h"
#include "base/size.h"
#include "cloud/api/agent_deliver.h"
#include "cloud/api/args.h"
#include "cloud/api/ssm.h"
#include "cloud/api/ssm_run.h"
#include "cloud/store/steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 50
#define PLUGIN_OUTPUT_CHARACTERS 2500 /* of "Output" in a list */

static void put_copy(int *status, json_t *to, const json_t *request, const char *name)
{
    const json_t *value = json_object_get(request, name);
    if (value)
        sh_put(status, to, name, json_deep_copy(value));
}

void sh_ssm_add_up(const sh_invocation_summary *n, const json_t *request, const sh_invocation *row,
                   const char **status, const char **details)
{
    const char *both = NULL;
    *status = row->status;
    *details = row->details;
    if (n->total <= 1)
        return;
    if (n->cancelling > 0)
        both = "Cancelling";
    else if (n->pending == n->total)
        both = "Pending";
    else if (n->pending + n->running > 0)
        both = "InProgress";
    else if (n->success == n->total)
        both = "Success";
    else if (n->cancelled > 0)
        both = "Cancelled";
    *status = *details = both ? both : "Failed";
    if (both || n->errors > sh_ssm_share(request, "MaxErrors", 0, n->total, 0))
        return;
    *status = n->undelivered > 0 ? "TimedOut" : "Failed";
    *details = n->undelivered > 0 ? "DeliveryTimedOut" : "Incomplete";
}

static void put_counts(int *status, json_t *json, const sh_invocation_summary *n)
{
    int64_t open = n->pending + n->running + n->cancelling;
    sh_put(status, json, "TargetCount", json_integer(n->total));
    sh_put(status, json, "CompletedCount", json_integer(n->total - open));
    sh_put(status, json, "ErrorCount", json_integer(n->errors));
    sh_put(status, json, "DeliveryTimedOutCount", json_integer(n->undelivered));
}

/* What both kinds of entry end with: `json`, or NULL when a field could not be put. */
static json_t *finished(json_t *json, json_t *request, int status)
{
    json_t *logs = json_object_get(request, "CloudWatchOutputConfig");
    sh_put(&status, json, "CloudWatchOutputConfig",
           logs ? json_incref(logs)
                : json_pack("{s:s, s:b}", "CloudWatchLogGroupName", "", "CloudWatchOutputEnabled", 0));
    json_decref(request);
    if (status < 0) {
        json_decref(json);
        return NULL;
    }
    return json;
}

json_t *sh_ssm_command_json(sh_call *call, const sh_invocation *row)
{
    static const char *const repeated[] = {
        "DocumentVersion", "Parameters", "InstanceIds",        "Targets",           "TimeoutSeconds",
        "MaxConcurrency",  "MaxErrors",  "OutputS3BucketName", "OutputS3KeyPrefix", "ServiceRole"};
    sh_err err = {0};
    const char *state, *details;
    sh_invocation_summary counts = {0};
    int status = sh_invocation_sum(call->cloud->db, row->id, &counts, &err);
    json_t *json = json_object();
    json_t *request = json_loads(row->request, 0, NULL);
    sh_ssm_add_up(&counts, request, row, &state, &details);
    sh_put_text(&status, json, "CommandId", row->id);
    sh_put_text(&status, json, "DocumentName", row->document);
    sh_put_text(&status, json, "Comment", row->comment);
    sh_put_date(&status, json, "RequestedDateTime", row->requested_ms);
    sh_put_date(&status, json, "ExpiresAfter", row->expires_ms);
    for (size_t i = 0; i < SH_COUNT(repeated); i++)
        put_copy(&status, json, request, repeated[i]);
    sh_put_text(&status, json, "Status", state);
    sh_put_text(&status, json, "StatusDetails", details);
    put_counts(&status, json, &counts);
    sh_put(
        &status, json, "NotificationConfig",
        json_pack("{s:s, s:[], s:s}", "NotificationArn", "", "NotificationEvents", "NotificationType", ""));
    return finished(json, request, status);
}

/* The step whose streams are meant: the named one, or the only one. NULL: none of several. */
static const char *step_meant(const json_t *request, const char *plugin)
{
    const json_t *steps = json_object_get(request, "Steps");
    if (plugin && *plugin && strcmp(plugin, SH_SSM_PLUGIN) != 0)
        return plugin;
    if (!steps)
        return "0.awsrunShellScript";
    return json_array_size(steps) == 1 ? json_string_value(json_object_get(json_array_get(steps, 0), "name"))
                                       : NULL;
}

/* The address of the whole output, "" when it goes nowhere or is not there yet. */
static json_t *output_url(const sh_call *call, const sh_invocation *row, const char *plugin,
                          const char *stream)
{
    json_t *request = json_loads(row->request, 0, NULL);
    const char *step = sh_ssm_is_open(row->status) ? NULL : step_meant(request, plugin);
    char *key = step ? sh_ssm_step_key(row, request, step, stream) : NULL;
    json_t *url = key ? json_sprintf("%s/%s/%s", call->cloud->endpoint ? call->cloud->endpoint : "",
                                     json_string_value(json_object_get(request, "OutputS3BucketName")), key)
                      : json_string("");
    free(key);
    json_decref(request);
    return url;
}

/* ISO 8601 duration, as AWS prints it: PT0.004S, PT1M5.25S, PT1H0.5S. */
static void elapsed_text(int64_t ms, char *text, size_t size)
{
    int64_t hours = ms / 3600000, minutes = ms / 60000 % 60;
    char h[32] = "", m[32] = "";
    if (hours)
        snprintf(h, sizeof(h), "%lldH", (long long)hours);
    if (minutes)
        snprintf(m, sizeof(m), "%lldM", (long long)minutes);
    snprintf(text, size, "PT%s%s%lld.%03lldS", h, m, (long long)(ms / 1000 % 60), (long long)(ms % 1000));
}

static void put_times(int *status, json_t *json, const sh_invocation *row)
{
    char start[SH_TIME_TEXT] = "", end[SH_TIME_TEXT] = "", elapsed[96] = "";
    if (row->start_ms)
        sh_time_iso_ms(row->start_ms, start);
    if (row->start_ms && row->end_ms) {
        sh_time_iso_ms(row->end_ms, end);
        elapsed_text(row->end_ms > row->start_ms ? row->end_ms - row->start_ms : 0, elapsed, sizeof(elapsed));
    }
    sh_put_text(status, json, "ExecutionStartDateTime", start);
    sh_put_text(status, json, "ExecutionEndDateTime", end);
    sh_put_text(status, json, "ExecutionElapsedTime", elapsed);
}

/* ---- the steps of a document of one's own ---- */

typedef struct step_search {
    sh_call *call;
    const char *name;
    sh_invocation *row;
    bool found, failed;
} step_search;

static const char *kept(step_search *s, const char *text)
{
    const char *copy = sh_arena_printf(s->call->arena, "%s", text);
    s->failed |= copy == NULL;
    return copy;
}

/* The invocation's row becomes what the step says of itself. */
static int take_step(void *opaque, const sh_step *step)
{
    step_search *s = opaque;
    if (strcmp(step->name, s->name) != 0)
        return 0;
    s->row->status = kept(s, step->status);
    s->row->details = kept(s, step->details);
    s->row->out = kept(s, step->out);
    s->row->err = kept(s, step->err);
    s->row->code = (int)step->code;
    s->row->start_ms = step->start_ms;
    s->row->end_ms = step->end_ms;
    s->found = true;
    return s->failed ? SH_E_MEMORY : 1;
}

/* A step that has not ended has no row: it is as the invocation is. */
static bool in_request(const sh_invocation *row, const char *name)
{
    size_t index;
    const json_t *step;
    bool found = false;
    json_t *request = json_loads(row->request, 0, NULL);
    json_array_foreach(json_object_get(request, "Steps"), index, step)
    {
        found |= strcmp(json_string_value(json_object_get(step, "name")), name) == 0;
    }
    json_decref(request);
    return found;
}

static int narrow_to_step(sh_call *call, sh_invocation *row, const char *plugin)
{
    sh_err err = {0};
    step_search search = {call, plugin, row, false, false};
    if (!plugin || !*plugin || strcmp(plugin, SH_SSM_PLUGIN) == 0)
        return 0;
    int status = sh_step_each(call->cloud->db, row->id, row->instance, take_step, &search, &err);
    if (status < 0)
        return search.failed ? sh_out_done(call, SH_E_MEMORY) : sh_call_fail_internal(call, &err);
    return search.found || in_request(row, plugin)
               ? 0
               : sh_call_fail(call, 400, "InvalidPluginName", "the command has no plugin '%s'", plugin);
}

enum { RACE_MS = 1000 };

/* Does the server show, as AWS sometimes does, a command only a while after it was sent? */
static bool too_early(const sh_call *call, const sh_invocation *row)
{
    return call->cloud->settings.ssm_race && call->now_ms - row->requested_ms < RACE_MS;
}

static json_t *invocation_json(const sh_call *call, const sh_invocation *row, const char *plugin)
{
    int status = 0;
    json_t *json = json_object();
    json_t *request = json_loads(row->request, 0, NULL);
    sh_put_text(&status, json, "CommandId", row->id);
    sh_put_text(&status, json, "InstanceId", row->instance);
    sh_put_text(&status, json, "Comment", row->comment);
    sh_put_text(&status, json, "DocumentName", row->document);
    put_copy(&status, json, request, "DocumentVersion");
    sh_put_text(&status, json, "PluginName", SH_SSM_PLUGIN);
    sh_put(&status, json, "ResponseCode", json_integer(row->code));
    put_times(&status, json, row);
    sh_put_text(&status, json, "Status", row->status);
    sh_put_text(&status, json, "StatusDetails", row->details);
    sh_put_text(&status, json, "StandardOutputContent", row->out);
    sh_put(&status, json, "StandardOutputUrl", output_url(call, row, plugin, "stdout"));
    sh_put_text(&status, json, "StandardErrorContent", row->err);
    sh_put(&status, json, "StandardErrorUrl", output_url(call, row, plugin, "stderr"));
    return finished(json, request, status);
}

int sh_ssm_get_command_invocation(sh_call *call)
{
    const char *id, *instance, *plugin;
    sh_invocation row;
    sh_err err = {0};
    int status;
    if ((status = sh_arg_need(call, "CommandId", 64, &id)) < 0 ||
        (status = sh_arg_need(call, "InstanceId", 64, &instance)) < 0 ||
        (status = sh_arg_text(call, "PluginName", 500, &plugin)) < 0)
        return status;
    status = sh_invocation_get(call->cloud->db, call->arena, id, instance, &row, &err);
    if (status == SH_E_NOT_FOUND || (status == 0 && too_early(call, &row)))
        return sh_call_fail(call, 400, "InvocationDoesNotExist",
                            "there is no invocation of command %s on instance %s", id, instance);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    if ((status = narrow_to_step(call, &row, plugin)) < 0)
        return status;
    call->out = invocation_json(call, &row, plugin);
    return sh_out_done(call, call->out ? 0 : SH_E_MEMORY);
}

/* ---- lists ---- */

typedef struct page {
    sh_call *call;
    json_t *list;
    bool details, commands;
    const char *status; /* of commands, which no row has; NULL: any */
    int64_t limit, count, last;
} page;

/* The first characters of both streams, as the console shows them. */
static json_t *plugin_output(const sh_invocation *row)
{
    static const char title[] = "\n----------ERROR-------\n";
    sh_buf text;
    size_t characters = 0, length = 0;
    sh_buf_init(&text, SH_SSM_OUT_CHARACTERS * 4 + SH_SSM_ERR_CHARACTERS * 4 + 64);
    sh_buf_puts(&text, row->out);
    if (*row->err) {
        sh_buf_puts(&text, title);
        sh_buf_puts(&text, row->err);
    }
    const char *at = sh_buf_cstr(&text);
    for (; length < text.length; length++) {
        if (((unsigned char)at[length] & 0xc0) != 0x80 && ++characters > PLUGIN_OUTPUT_CHARACTERS)
            break;
    }
    json_t *json = json_stringn(at, length);
    sh_buf_free(&text);
    return json;
}

static json_t *plugin_json(const page *p, const char *name, const sh_invocation *row)
{
    int status = 0;
    json_t *json = json_object();
    json_t *request = json_loads(row->request, 0, NULL);
    sh_put_text(&status, json, "Name", name);
    sh_put_text(&status, json, "Status", row->status);
    sh_put_text(&status, json, "StatusDetails", row->details);
    sh_put(&status, json, "ResponseCode", json_integer(row->code));
    if (row->start_ms)
        sh_put_date(&status, json, "ResponseStartDateTime", row->start_ms);
    if (row->end_ms)
        sh_put_date(&status, json, "ResponseFinishDateTime", row->end_ms);
    sh_put(&status, json, "Output", plugin_output(row));
    sh_put(&status, json, "StandardOutputUrl", output_url(p->call, row, name, "stdout"));
    sh_put(&status, json, "StandardErrorUrl", output_url(p->call, row, name, "stderr"));
    sh_put_text(&status, json, "OutputS3Region", p->call->cloud->settings.region);
    put_copy(&status, json, request, "OutputS3BucketName");
    put_copy(&status, json, request, "OutputS3KeyPrefix");
    json_decref(request);
    return json;
}

typedef struct plugin_list {
    const page *page;
    const sh_invocation *row;
    json_t *list;
} plugin_list;

static int add_plugin(void *opaque, const sh_step *step)
{
    const plugin_list *all = opaque;
    sh_invocation row = *all->row;
    row.status = step->status;
    row.details = step->details;
    row.out = step->out;
    row.err = step->err;
    row.code = (int)step->code;
    row.start_ms = step->start_ms;
    row.end_ms = step->end_ms;
    return json_array_append_new(all->list, plugin_json(all->page, step->name, &row)) < 0 ? SH_E_MEMORY : 0;
}

/* Each step of a document of one's own that has ended; else the one plugin there is. */
static int put_plugins(const page *p, const sh_invocation *row, const json_t *request, json_t *list)
{
    sh_err err = {0};
    plugin_list all = {p, row, list};
    if (json_object_get(request, "Steps") && !sh_ssm_is_open(row->status))
        return sh_step_each(p->call->cloud->db, row->id, row->instance, add_plugin, &all, &err);
    return json_array_append_new(list, plugin_json(p, SH_SSM_PLUGIN, row)) < 0 ? SH_E_MEMORY : 0;
}

static json_t *listed_json(const page *p, const sh_invocation *row)
{
    int status = 0;
    json_t *json = json_object(), *plugins = json_array();
    json_t *request = json_loads(row->request, 0, NULL);
    sh_put_text(&status, json, "CommandId", row->id);
    sh_put_text(&status, json, "InstanceId", row->instance);
    sh_put_text(&status, json, "InstanceName", "");
    sh_put_text(&status, json, "Comment", row->comment);
    sh_put_text(&status, json, "DocumentName", row->document);
    put_copy(&status, json, request, "DocumentVersion");
    put_copy(&status, json, request, "ServiceRole");
    sh_put_date(&status, json, "RequestedDateTime", row->requested_ms);
    sh_put_text(&status, json, "Status", row->status);
    sh_put_text(&status, json, "StatusDetails", row->details);
    sh_put(&status, json, "StandardOutputUrl", output_url(p->call, row, NULL, "stdout"));
    sh_put(&status, json, "StandardErrorUrl", output_url(p->call, row, NULL, "stderr"));
    if (plugins && p->details && put_plugins(p, row, request, plugins) < 0)
        status = SH_E_MEMORY;
    sh_put(&status, json, "CommandPlugins", plugins);
    json_decref(request);
    if (status < 0) {
        json_decref(json);
        return NULL;
    }
    return json;
}

/* One row more than the page holds says that there is another page. */
static int add_row(void *opaque, const sh_invocation *row)
{
    page *p = opaque;
    if (!p->commands && too_early(p->call, row))
        return 0;
    json_t *json = p->commands ? sh_ssm_command_json(p->call, row) : listed_json(p, row);
    const char *is = json_string_value(json_object_get(json, "Status"));
    bool kept = !p->status || (is && strcmp(is, p->status) == 0);
    if (!json || !kept || ++p->count > p->limit) {
        json_decref(json);
        return !json ? SH_E_MEMORY : kept;
    }
    p->last = row->sequence;
    return json_array_append_new(p->list, json) < 0 ? SH_E_MEMORY : 0;
}

static int read_filter(sh_call *call, const json_t *filter, sh_invocation_query *query)
{
    const char *key = json_string_value(json_object_get(filter, "key"));
    const char *value = json_string_value(json_object_get(filter, "value"));
    if (!key || !value)
        return sh_call_fail(call, 400, "InvalidFilterKey", "a filter has a key and a value");
    if (strcmp(key, "InvokedAfter") == 0 || strcmp(key, "InvokedBefore") == 0) {
        int64_t *to = key[7] == 'A' ? &query->after_ms : &query->before_ms;
        return sh_time_parse_iso(value, strlen(value), to)
                   ? 0
                   : sh_call_fail(call, 400, "ValidationException",
                                  "the filter %s is not a time like 2026-01-31T12:00:00Z", key);
    }
    if (strcmp(key, "Status") == 0)
        query->status = value;
    else if (strcmp(key, "DocumentName") == 0)
        query->document = value;
    else
        return sh_call_fail(call, 400, "InvalidFilterKey",
                            "the filter '%s' is not supported: use Status, DocumentName, InvokedAfter or "
                            "InvokedBefore",
                            key);
    return 0;
}

static int read_query(sh_call *call, sh_invocation_query *query, int64_t *limit)
{
    const json_t *filters, *filter;
    const char *token;
    size_t index;
    int status;
    if ((status = sh_arg_text(call, "CommandId", 64, &query->id)) < 0 ||
        (status = sh_arg_text(call, "InstanceId", 64, &query->instance)) < 0 ||
        (status = sh_arg_int(call, "MaxResults", 1, PAGE, PAGE, limit)) < 0 ||
        (status = sh_arg_text(call, "NextToken", 64, &token)) < 0 ||
        (status = sh_arg_array(call, "Filters", 5, &filters)) < 0)
        return status;
    if (token && *token && !sh_parse_i64(token, strlen(token), 1, INT64_MAX, &query->below))
        return sh_call_fail(call, 400, "InvalidNextToken", "the token is not one that a list gave");
    json_array_foreach(filters, index, filter)
    {
        if ((status = read_filter(call, filter, query)) < 0)
            return status;
    }
    query->limit = *limit + 1;
    return 0;
}

static int list_rows(sh_call *call, page *p, const char *name)
{
    sh_invocation_query query = {0};
    sh_err err = {0};
    char token[32];
    int status = read_query(call, &query, &p->limit);
    if (status == 0)
        status = sh_out_new(call);
    if (status < 0)
        return status;
    if (p->commands) {
        p->status = query.status;
        query.status = NULL;
        query.limit = INT64_MAX; /* add_row ends it */
        query.once = query.instance == NULL;
    }
    p->call = call;
    p->list = json_array();
    sh_put(&status, call->out, name, p->list);
    if (status < 0)
        return sh_out_done(call, status);
    status = sh_invocation_list(call->cloud->db, &query, add_row, p, &err);
    if (status == SH_E_MEMORY)
        return sh_out_done(call, status);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    if (p->count > p->limit) {
        snprintf(token, sizeof(token), "%lld", (long long)p->last);
        sh_put_text(&status, call->out, "NextToken", token);
    }
    return sh_out_done(call, status);
}

int sh_ssm_list_commands(sh_call *call)
{
    page p = {.commands = true};
    return list_rows(call, &p, "Commands");
}

int sh_ssm_list_command_invocations(sh_call *call)
{
    page p = {0};
    int status = sh_arg_bool(call, "Details", false, &p.details);
    return status < 0 ? status : list_rows(call, &p, "CommandInvocations");
}
