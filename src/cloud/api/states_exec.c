/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Actions on executions. Starting one only adds a row that is due: the runner takes it from there. */
#include "cloud/api/args.h"
#include "cloud/api/keys.h"
#include "cloud/api/states.h"

#include <string.h>

#define INPUT_MAX (256 * 1024)

static int check_input(sh_call *call, const char **input)
{
    json_t *value = NULL;
    sh_err err = {0};
    int status = sh_arg_text(call, "input", INPUT_MAX, input);
    if (status < 0)
        return status;
    if (!*input)
        *input = "{}";
    if (strlen(*input) > INPUT_MAX)
        return sh_call_fail(call, 400, "InvalidExecutionInput",
                            "Invalid State Machine Execution Input: 'more than %d bytes'", INPUT_MAX);
    status = sh_flow_load(&value, *input, strlen(*input), &err);
    json_decref(value);
    if (status == SH_E_MEMORY)
        return sh_call_fail_internal(call, &err);
    if (status < 0)
        return sh_call_fail(call, 400, "InvalidExecutionInput", "Invalid State Machine Execution Input: '%s'",
                            err.message);
    return 0;
}

static int answer_start(sh_call *call, const sh_execution *execution)
{
    int failed = 0;
    int status = sh_out_new(call);
    if (status < 0)
        return status;
    sh_put_text(&failed, call->out, "executionArn", execution->arn);
    sh_put_date(&failed, call->out, "startDate", execution->started_ms);
    return sh_out_done(call, failed);
}

/* The name is taken: well if by a running execution with the same input. */
static int start_again(sh_call *call, const sh_execution *execution)
{
    sh_execution old;
    int status = sh_states_execution(call, execution->arn, &old);
    if (status < 0)
        return status;
    if (strcmp(old.status, "RUNNING") == 0 && strcmp(old.input, execution->input) == 0)
        return answer_start(call, &old);
    return sh_call_fail(call, 400, "ExecutionAlreadyExists", "Execution Already Exists: '%s'",
                        execution->arn);
}

int sh_states_start(sh_call *call)
{
    const char *arn;
    char uuid[SH_UUID_TEXT];
    sh_machine machine;
    sh_err err = {0};
    sh_execution e = {.started_ms = call->now_ms};
    int status = sh_arg_need(call, "stateMachineArn", SH_ARN_MAX, &arn);
    if (status < 0 || (status = sh_arg_text(call, "name", 1024, &e.name)) < 0 ||
        (e.name && (status = sh_states_check_name(call, e.name)) < 0) ||
        (status = check_input(call, &e.input)) < 0 || (status = sh_states_machine(call, arn, &machine)) < 0)
        return status;
    if (!e.name) {
        sh_uuid(uuid);
        e.name = uuid;
    }
    e.machine_arn = machine.arn;
    e.revision_row = machine.revision_row;
    e.arn = sh_states_execution_arn(call, machine.name, e.name);
    if (!e.arn)
        return sh_out_done(call, SH_E_MEMORY);
    status = sh_execution_insert(call->cloud->db, &e, &err);
    if (status == SH_E_CONFLICT)
        return start_again(call, &e);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    sh_cloud_wake(call->cloud, SH_WAKE_FLOWS);
    return answer_start(call, &e);
}

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
}

int sh_states_describe_execution(sh_call *call)
{
    const char *arn;
    sh_execution e;
    int failed = 0;
    int status = sh_arg_need(call, "executionArn", SH_ARN_MAX, &arn);
    if (status < 0 || (status = sh_states_execution(call, arn, &e)) < 0 || (status = sh_out_new(call)) < 0)
        return status;
    put_execution(&failed, call->out, &e);
    sh_put_text(&failed, call->out, "input", e.input);
    sh_put(&failed, call->out, "inputDetails", json_pack("{s:b}", "included", 1));
    if (e.output) {
        sh_put_text(&failed, call->out, "output", e.output);
        sh_put(&failed, call->out, "outputDetails", json_pack("{s:b}", "included", 1));
    }
    sh_put_text(&failed, call->out, "error", e.error);
    sh_put_text(&failed, call->out, "cause", e.cause);
    sh_put(&failed, call->out, "redriveCount", json_integer(0));
    sh_put_text(&failed, call->out, "redriveStatus", "NOT_REDRIVABLE");
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

static int check_filter(sh_call *call, const char *filter)
{
    static const char *const known[] = {"RUNNING",   "SUCCEEDED", "FAILED",
                                        "TIMED_OUT", "ABORTED",   "PENDING_REDRIVE"};
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (!filter || strcmp(filter, known[i]) == 0)
            return 0;
    }
    return sh_call_fail(
        call, 400, "ValidationException",
        "1 validation error detected: Value '%s' at 'statusFilter' failed to satisfy constraint: "
        "Member must satisfy enum value set: [RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED, "
        "PENDING_REDRIVE]",
        filter);
}

int sh_states_list_executions(sh_call *call)
{
    const char *arn, *filter;
    int64_t below, limit;
    sh_machine machine;
    sh_err err = {0};
    page p = {0};
    int status = sh_arg_need(call, "stateMachineArn", SH_ARN_MAX, &arn);
    if (status < 0 || (status = sh_arg_text(call, "statusFilter", 64, &filter)) < 0 ||
        (status = check_filter(call, filter)) < 0 ||
        (status = sh_arg_int(call, "maxResults", 0, 1000, 100, &limit)) < 0 ||
        (status = sh_states_token_number(call, 'e', &below)) < 0 ||
        (status = sh_states_machine(call, arn, &machine)) < 0 || (status = sh_out_new(call)) < 0)
        return status;
    p.list = json_array();
    p.room = limit ? limit : 100;
    sh_execution_query query = {
        .machine_arn = arn, .status = filter, .redriven = -1, .below = below, .limit = p.room + 1};
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
    static const char *const hidden[] = {"input", "output", "parameters", "inputDetails", "outputDetails"};
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
    int64_t from, limit;
    bool reverse;
    sh_execution e;
    sh_err err = {0};
    history_page p = {0};
    int status = sh_arg_need(call, "executionArn", SH_ARN_MAX, &arn);
    if (status < 0 || (status = sh_arg_bool(call, "reverseOrder", false, &reverse)) < 0 ||
        (status = sh_arg_bool(call, "includeExecutionData", true, &p.data)) < 0 ||
        (status = sh_arg_int(call, "maxResults", 0, 1000, 100, &limit)) < 0 ||
        (status = sh_states_token_number(call, reverse ? 'r' : 'h', &from)) < 0 ||
        (status = sh_states_execution(call, arn, &e)) < 0 || (status = sh_out_new(call)) < 0)
        return status;
    if (reverse && from == 0)
        from = INT64_MAX;
    p.list = json_array();
    p.room = limit ? limit : 100;
    status = sh_history_list(call->cloud->db, e.id, from, reverse, p.room + 1, take_event, &p, &err);
    sh_put(&p.failed, call->out, "events", p.list);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    if (p.more)
        sh_put(&p.failed, call->out, "nextToken",
               json_sprintf("%c%lld", reverse ? 'r' : 'h', (long long)p.next));
    return sh_out_done(call, p.failed);
}
