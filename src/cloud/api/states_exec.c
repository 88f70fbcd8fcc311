/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Actions on executions that there are. */
#include "cloud/api/args.h"
#include "cloud/api/states_api.h"
#include "cloud/api/states_map.h"

#include <stdio.h>
#include <string.h>

static int stop_in_transaction(sh_call *call, const char *arn, const char *error, const char *cause,
                               int64_t *stopped_ms, sh_err *err)
{
    sh_execution execution;
    int status = sh_states_execution(call, arn, &execution);
    if (status < 0)
        return status;
    *stopped_ms = execution.stopped_ms >= 0 ? execution.stopped_ms : call->now_ms;
    if (strcmp(execution.status, "RUNNING") != 0)
        return 0;
    sh_flow_event event = {.kind = SH_FLOW_ABORT, .error = error, .cause = cause};
    status = sh_run_execution(call->cloud, execution.id, &event, err);
    return status < 0 ? sh_call_fail_internal(call, err) : 0;
}

int sh_states_stop(sh_call *call)
{
    const char *arn, *error, *cause;
    int64_t stopped_ms = 0;
    sh_err err = {0};
    int failed = 0;
    int status = sh_arg_need(call, "executionArn", SH_ARN_MAX, &arn);
    if (status < 0 || (status = sh_arg_text(call, "error", 256, &error)) < 0 ||
        (status = sh_arg_text(call, "cause", 32768, &cause)) < 0)
        return status;
    if (sh_db_begin(call->cloud->db, &err) < 0)
        return sh_call_fail_internal(call, &err);
    status = stop_in_transaction(call, arn, error, cause, &stopped_ms, &err);
    status = sh_db_end(call->cloud->db, status, &err);
    if (status < 0)
        return call->error.code ? status : sh_call_fail_internal(call, &err);
    if ((status = sh_out_new(call)) < 0)
        return status;
    sh_put_date(&failed, call->out, "stopDate", stopped_ms);
    return sh_out_done(call, failed);
}

static void put_execution(int *failed, json_t *out, const sh_execution *e)
{
    sh_put_text(failed, out, "executionArn", e->arn);
    sh_put_text(failed, out, "stateMachineArn", e->machine_arn);
    sh_put_text(failed, out, "name", e->name);
    sh_put_text(failed, out, "status", e->status);
    sh_put_date(failed, out, "startDate", e->started_ms);
    sh_put_date(failed, out, "stopDate", e->stopped_ms);
    sh_put_text(failed, out, "stateMachineVersionArn", e->version_arn);
    sh_put_text(failed, out, "stateMachineAliasArn", e->alias_arn);
    sh_put(failed, out, "redriveCount", json_integer(e->redrive_count));
    sh_put_date(failed, out, "redriveDate", e->redriven_ms);
}

static void put_redrive(int *failed, sh_call *call, const sh_execution *e)
{
    const char *reason = sh_redrive_refused(call, e);
    bool child = strchr(e->machine_arn, '/') != NULL;
    sh_put_text(failed, call->out, "redriveStatus",
                reason  ? "NOT_REDRIVABLE"
                : child ? "REDRIVABLE_BY_MAP_RUN"
                        : "REDRIVABLE");
    sh_put_text(failed, call->out, "redriveStatusReason", reason);
}

static void put_payload(int *failed, json_t *out, const char *name, const char *text, bool included)
{
    char details[32];
    if (!text)
        return;
    snprintf(details, sizeof(details), "%sDetails", name);
    if (included)
        sh_put_text(failed, out, name, text);
    sh_put(failed, out, details, json_pack("{s:b}", "included", included));
}

int sh_states_describe_execution(sh_call *call)
{
    const char *arn;
    sh_execution e;
    bool metadata_only;
    int failed = 0;
    int status = sh_arg_need(call, "executionArn", SH_ARN_MAX, &arn);
    if (status < 0 || (status = sh_states_metadata_only(call, &metadata_only)) < 0 ||
        (status = sh_states_execution(call, arn, &e)) < 0 || (status = sh_out_new(call)) < 0)
        return status;
    put_execution(&failed, call->out, &e);
    put_payload(&failed, call->out, "input", e.input, !metadata_only);
    put_payload(&failed, call->out, "output", e.output, !metadata_only);
    sh_put_text(&failed, call->out, "error", e.error);
    sh_put_text(&failed, call->out, "cause", e.cause);
    sh_put_text(&failed, call->out, "traceHeader", e.trace_header);
    put_redrive(&failed, call, &e);
    if (strchr(e.machine_arn, '/'))
        sh_states_put_map(&failed, call, e.id, false);
    return sh_out_done(call, failed);
}

typedef struct page {
    json_t *list;
    int64_t room, last;
    bool more;
    int failed;
} page;

static int take_execution(void *opaque, const sh_execution *e)
{
    page *p = opaque;
    if (p->room-- == 0) {
        p->more = true;
        return 1;
    }
    json_t *item = json_object();
    put_execution(&p->failed, item, e);
    p->last = e->id;
    if (json_array_append_new(p->list, item) < 0)
        p->failed = SH_E_MEMORY;
    return 0;
}

static int read_filters(sh_call *call, sh_execution_query *query)
{
    static const char *const statuses[] = {"RUNNING", "SUCCEEDED",       "FAILED", "TIMED_OUT",
                                           "ABORTED", "PENDING_REDRIVE", NULL};
    static const char *const redrives[] = {"REDRIVEN", "NOT_REDRIVEN", NULL};
    const char *redrive;
    int status = sh_states_enum(call, "statusFilter", statuses, &query->status);
    if (status < 0 || (status = sh_states_enum(call, "redriveFilter", redrives, &redrive)) < 0 ||
        (status = sh_states_page(call, 'e', &query->below, &query->limit)) < 0)
        return status;
    query->redriven = redrive ? strcmp(redrive, "REDRIVEN") == 0 : -1;
    return 0;
}

/* Of a machine: all its executions; of a version or alias: those started by it. */
static int read_listed(sh_call *call, sh_execution_query *query)
{
    const char *arn;
    sh_target target;
    int status = sh_arg_need(call, "stateMachineArn", SH_ARN_MAX, &arn);
    if (status < 0 || (status = sh_states_target(call, arn, &target)) < 0)
        return status;
    if (strcmp(target.machine.type, "EXPRESS") == 0)
        return sh_call_fail(call, 400, "StateMachineTypeNotSupported",
                            "This operation is not supported by this type of state machine");
    query->machine_arn = target.machine.arn;
    query->alias_arn = target.alias_arn;
    query->version_arn = target.alias_arn ? NULL : target.version_arn;
    return 0;
}

int sh_states_list_executions(sh_call *call)
{
    sh_execution_query query = {0};
    sh_err err = {0};
    page p = {0};
    if (json_object_get(call->in, "mapRunArn"))
        return sh_states_list_map_executions(call);
    int status = read_filters(call, &query);
    if (status < 0 || (status = read_listed(call, &query)) < 0 || (status = sh_out_new(call)) < 0)
        return status;
    p.list = json_array();
    p.room = query.limit++;
    status = sh_execution_list(call->cloud->db, &query, take_execution, &p, &err);
    sh_put(&p.failed, call->out, "executions", p.list);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    if (p.more)
        sh_put(&p.failed, call->out, "nextToken", json_sprintf("e%lld", (long long)p.last));
    return sh_out_done(call, p.failed);
}

typedef struct history_page {
    json_t *list;
    int64_t room, next;
    bool data; /* includeExecutionData */
    bool more;
    int failed;
} history_page;

/* Leaves out what includeExecutionData=false hides: input, output and parameters of the event's details. */
static void hide_data(json_t *event)
{
    static const char *const hidden[] = {"input",
                                         "output",
                                         "parameters",
                                         "assignedVariables",
                                         "inputDetails",
                                         "outputDetails",
                                         "assignedVariablesDetails"};
    const char *key;
    json_t *details;
    json_object_foreach(event, key, details)
    {
        for (size_t i = 0; json_is_object(details) && i < sizeof(hidden) / sizeof(*hidden); i++)
            json_object_del(details, hidden[i]);
    }
}

static int take_event(void *opaque, int64_t id, const char *text)
{
    history_page *p = opaque;
    if (p->room-- == 0) {
        p->more = true;
        p->next = id;
        return 1;
    }
    json_t *event = json_loads(text, JSON_ALLOW_NUL, NULL);
    if (event && !p->data)
        hide_data(event);
    if (json_array_append_new(p->list, event) < 0)
        p->failed = SH_E_MEMORY;
    return 0;
}

int sh_states_history(sh_call *call)
{
    const char *arn;
    int64_t from;
    bool reverse;
    sh_execution e;
    sh_err err = {0};
    history_page p = {0};
    int status = sh_arg_need(call, "executionArn", SH_ARN_MAX, &arn);
    if (status < 0 || (status = sh_arg_bool(call, "reverseOrder", false, &reverse)) < 0 ||
        (status = sh_arg_bool(call, "includeExecutionData", true, &p.data)) < 0 ||
        (status = sh_states_page(call, reverse ? 'r' : 'h', &from, &p.room)) < 0 ||
        (status = sh_states_execution(call, arn, &e)) < 0 || (status = sh_out_new(call)) < 0)
        return status;
    if (reverse && from == 0)
        from = INT64_MAX;
    p.list = json_array();
    status = sh_history_list(call->cloud->db, e.id, from, reverse, p.room + 1, take_event, &p, &err);
    sh_put(&p.failed, call->out, "events", p.list);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    if (p.more)
        sh_put(&p.failed, call->out, "nextToken",
               json_sprintf("%c%lld", reverse ? 'r' : 'h', (long long)p.next));
    return sh_out_done(call, p.failed);
}
