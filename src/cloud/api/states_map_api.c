/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Actions on the runs of distributed Map states. */
#include "cloud/api/args.h"
#include "cloud/api/states_map.h"

#include <string.h>

static int find_run(sh_call *call, sh_map_run *out)
{
    const char *arn;
    sh_err err = {0};
    int status = sh_arg_need(call, "mapRunArn", SH_ARN_MAX, &arn);
    if (status < 0 || (status = sh_states_check_arn(call, arn, "mapRun")) < 0)
        return status;
    status = sh_map_get(call->cloud->db, call->arena, arn, out, &err);
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 400, "ResourceNotFound", "Resource not found: '%s'", arn);
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

static json_t *show_counts(const int64_t counts[SH_CHILD_STATUSES], int64_t written)
{
    json_int_t total = 0;
    for (int i = 0; i < SH_CHILD_STATUSES; i++)
        total += counts[i];
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "pending", (json_int_t)counts[SH_CHILD_PENDING],
        "running", (json_int_t)counts[SH_CHILD_RUNNING], "succeeded", (json_int_t)counts[SH_CHILD_SUCCEEDED],
        "failed", (json_int_t)counts[SH_CHILD_FAILED], "timedOut", (json_int_t)counts[SH_CHILD_TIMED_OUT],
        "aborted", (json_int_t)counts[SH_CHILD_ABORTED], "total", total, "resultsWritten",
        (json_int_t)written, "failuresNotRedrivable", (json_int_t)0, "pendingRedrive", (json_int_t)0);
}

/* Items whose results are written: all that have ended, once the children's are. */
static int64_t items_written(const sh_map_run *run, const sh_map_counts *counts)
{
    int64_t sum = 0;
    for (int i = SH_CHILD_SUCCEEDED; run->written && i < SH_CHILD_STATUSES; i++)
        sum += counts->items[i];
    return sum;
}

int sh_states_describe_map_run(sh_call *call)
{
    sh_map_run run;
    sh_map_counts counts;
    sh_err err = {0};
    int failed = 0;
    int status = find_run(call, &run);
    if (status < 0)
        return status;
    if (sh_map_count(call->cloud->db, run.id, &counts, &err) < 0)
        return sh_call_fail_internal(call, &err);
    if ((status = sh_out_new(call)) < 0)
        return status;
    sh_put_text(&failed, call->out, "mapRunArn", run.arn);
    sh_put_text(&failed, call->out, "executionArn", run.execution_arn);
    sh_put_text(&failed, call->out, "status", run.status);
    sh_put_date(&failed, call->out, "startDate", run.started_ms);
    sh_put_date(&failed, call->out, "stopDate", run.stopped_ms);
    sh_put(&failed, call->out, "maxConcurrency", json_integer(run.limit));
    sh_put(&failed, call->out, "toleratedFailurePercentage",
           json_real(run.failure_percentage < 0 ? 0 : run.failure_percentage));
    sh_put(&failed, call->out, "toleratedFailureCount",
           json_integer(run.failure_count < 0 ? 0 : run.failure_count));
    sh_put(&failed, call->out, "itemCounts", show_counts(counts.items, items_written(&run, &counts)));
    sh_put(&failed, call->out, "executionCounts", show_counts(counts.children, run.written));
    sh_put(&failed, call->out, "redriveCount", json_integer(run.redrive_count));
    sh_put_date(&failed, call->out, "redriveDate", run.redriven_ms);
    return sh_out_done(call, failed);
}

typedef struct page {
    json_t *list;
    int64_t room, last;
    bool more;
    int failed;
    const char *machine_arn;
    const sh_map_run *run;
    const char *status;
} page;

/* Whether there is a place for one more. */
static bool has_room(page *p)
{
    p->more = p->room-- == 0;
    return !p->more;
}

static int take_run(void *opaque, const sh_map_run *run)
{
    page *p = opaque;
    json_t *item = json_object();
    if (!has_room(p)) {
        json_decref(item);
        return 1;
    }
    sh_put_text(&p->failed, item, "executionArn", run->execution_arn);
    sh_put_text(&p->failed, item, "mapRunArn", run->arn);
    sh_put_text(&p->failed, item, "stateMachineArn", p->machine_arn);
    sh_put_date(&p->failed, item, "startDate", run->started_ms);
    sh_put_date(&p->failed, item, "stopDate", run->stopped_ms);
    p->last = run->id;
    if (json_array_append_new(p->list, item) < 0)
        p->failed = SH_E_MEMORY;
    return 0;
}

int sh_states_list_map_runs(sh_call *call)
{
    const char *arn;
    int64_t below;
    sh_execution e;
    sh_err err = {0};
    page p = {0};
    int status = sh_arg_need(call, "executionArn", SH_ARN_MAX, &arn);
    if (status < 0 || (status = sh_states_page(call, 'm', &below, &p.room)) < 0 ||
        (status = sh_states_execution(call, arn, &e)) < 0 || (status = sh_out_new(call)) < 0)
        return status;
    p.list = json_array();
    p.machine_arn = e.machine_arn;
    status = sh_map_list(call->cloud->db, e.id, below, p.room + 1, take_run, &p, &err);
    sh_put(&p.failed, call->out, "mapRuns", p.list);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    if (p.more)
        sh_put(&p.failed, call->out, "nextToken", json_sprintf("m%lld", (long long)p.last));
    return sh_out_done(call, p.failed);
}

static int update(sh_call *call, sh_map_run *run, sh_err *err)
{
    int64_t limit, count = run->failure_count;
    const json_t *percentage = json_object_get(call->in, "toleratedFailurePercentage");
    int status = sh_arg_int(call, "maxConcurrency", 0, INT32_MAX, run->limit, &limit);
    if (status == 0 && json_object_get(call->in, "toleratedFailureCount"))
        status = sh_arg_int(call, "toleratedFailureCount", 0, INT64_MAX, 0, &count);
    if (status < 0)
        return status;
    if (percentage && (!json_is_number(percentage) || json_number_value(percentage) < 0 ||
                       json_number_value(percentage) > 100))
        return sh_call_fail(call, 400, "ValidationException",
                            "1 validation error detected: Value at 'toleratedFailurePercentage' failed to "
                            "satisfy constraint: Member must be between 0 and 100");
    if (strcmp(run->status, "RUNNING") != 0)
        return sh_call_fail(call, 400, "ValidationException", "Map Run is not running: '%s'", run->arn);
    run->limit = limit;
    run->failure_count = count;
    if (percentage)
        run->failure_percentage = json_number_value(percentage);
    status = sh_map_save(call->cloud->db, run, err);
    return status < 0 ? sh_call_fail_internal(call, err) : 0;
}

int sh_states_update_map_run(sh_call *call)
{
    sh_map_run run;
    sh_err err = {0};
    if (sh_db_begin(call->cloud->db, &err) < 0)
        return sh_call_fail_internal(call, &err);
    int status = find_run(call, &run);
    if (status == 0)
        status = update(call, &run, &err);
    status = sh_db_end(call->cloud->db, status, &err);
    if (status < 0)
        return call->error.code ? status : sh_call_fail_internal(call, &err);
    sh_cloud_wake(call->cloud, SH_WAKE_MAPS);
    return sh_out_new(call);
}

/* ---- executions ---- */

static const char *status_name(sh_map_child_status status)
{
    static const char *const names[] = {"PENDING", "RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"};
    return names[status];
}

static int take_child(void *opaque, const sh_map_result *child)
{
    page *p = opaque;
    const char *status = child->status == SH_CHILD_PENDING ? "PENDING_REDRIVE" : status_name(child->status);
    if (p->status && strcmp(p->status, status) != 0)
        return 0;
    if (!has_room(p))
        return 1;
    json_t *item = json_object();
    sh_put_text(&p->failed, item, "executionArn", child->arn);
    sh_put_text(&p->failed, item, "stateMachineArn", p->run->child_arn);
    sh_put_text(&p->failed, item, "mapRunArn", p->run->arn);
    sh_put(&p->failed, item, "itemCount", json_integer(child->items));
    sh_put_text(&p->failed, item, "name", child->name);
    sh_put_text(&p->failed, item, "status", status);
    sh_put_date(&p->failed, item, "startDate", child->started_ms);
    sh_put_date(&p->failed, item, "stopDate", child->stopped_ms);
    p->last = child->position;
    if (json_array_append_new(p->list, item) < 0)
        p->failed = SH_E_MEMORY;
    return 0;
}

int sh_states_list_map_executions(sh_call *call)
{
    int64_t from;
    sh_map_run run;
    sh_err err = {0};
    page p = {.run = &run};
    int status = find_run(call, &run);
    if (status < 0 || (status = sh_arg_text(call, "statusFilter", 64, &p.status)) < 0 ||
        (status = sh_states_page(call, 'c', &from, &p.room)) < 0)
        return status;
    if (json_object_get(call->in, "stateMachineArn"))
        return sh_call_fail(call, 400, "ValidationException",
                            "Only one of 'stateMachineArn' and 'mapRunArn' may be given");
    if (run.express)
        return sh_call_fail(call, 400, "StateMachineTypeNotSupported",
                            "State Machine type is not supported: 'Child executions of '%s' are EXPRESS'",
                            run.arn);
    if ((status = sh_out_new(call)) < 0)
        return status;
    p.list = json_array();
    status = sh_map_list_children(call->cloud->db, run.id, from - 1, take_child, &p, &err);
    sh_put(&p.failed, call->out, "executions", p.list);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    if (p.more)
        sh_put(&p.failed, call->out, "nextToken",
               json_sprintf("c%lld", (long long)p.last + 1)); /* a token is never 0 */
    return sh_out_done(call, p.failed);
}

void sh_states_put_map(int *failed, sh_call *call, int64_t execution, bool label)
{
    sh_map_child child;
    sh_map_run run;
    sh_err none = {0};
    if (sh_map_child_find(call->cloud->db, execution, &child, &none) < 0 ||
        sh_map_brief(call->cloud->db, call->arena, child.run, &run, &none) < 0)
        return;
    const char *slash = strrchr(run.child_arn, '/');
    sh_put_text(failed, call->out, "mapRunArn", run.arn);
    if (label && slash)
        sh_put_text(failed, call->out, "label", slash + 1);
}
