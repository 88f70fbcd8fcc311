/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* RedriveExecution: an execution that did not succeed goes on from the states that had not ended. The first
 * step is made within the call, so that who asks afterwards finds it running. */
#include "cloud/api/states_event.h"
#include "cloud/api/args.h"
#include "cloud/api/states.h"
#include "cloud/store/tokens.h"

#include <string.h>

#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)
#define PERIOD_MS (14 * DAY_MS) /* after its end */
#define OPEN_MS (365 * DAY_MS)  /* after its start */
#define SAME_MS ((int64_t)15 * 60 * 1000)
#define TOKEN_MAX 64

const char *sh_redrive_refused(const sh_call *call, const sh_execution *e)
{
    if (strcmp(e->status, "RUNNING") == 0)
        return "Execution is RUNNING and cannot be redriven";
    if (strcmp(e->status, "SUCCEEDED") == 0)
        return "Execution is SUCCEEDED and cannot be redriven";
    if (call->now_ms - e->stopped_ms > PERIOD_MS)
        return "Execution redrivable period exceeded";
    if (call->now_ms - e->started_ms > OPEN_MS)
        return "Execution has exceeded the max execution time";
    return NULL;
}

static int take_last(void *opaque, int64_t id, const char *event)
{
    (void)event;
    *(int64_t *)opaque = id;
    return 1;
}

/* What only the rows tell: whether its state was kept, and whether there is room in its history. */
static int check_rows(sh_call *call, const sh_execution *e, const char **reason, sh_err *err)
{
    int64_t last = 0;
    *reason = sh_redrive_refused(call, e);
    int status = sh_history_list(call->cloud->db, e->id, INT64_MAX, true, 1, take_last, &last, err);
    if (*reason || status < 0)
        return status;
    if (last >= SH_FLOW_HISTORY_MAX - 1)
        *reason = "Execution history event limit exceeded";
    else if (!e->state)
        *reason = "Execution was started before the launch of RedriveExecution";
    return 0;
}

/* The same call again, as the one that has driven it. */
static int is_same(sh_call *call, const sh_execution *e, const char *token, bool *same, sh_err *err)
{
    *same = false;
    if (!token || e->redriven_ms < 0 || call->now_ms - e->redriven_ms > SAME_MS)
        return 0;
    return sh_execution_redriven_by(call->cloud->db, e->id, token, same, err);
}

static int redrive(sh_call *call, const char *arn, const char *token, int64_t *date_ms, sh_err *err)
{
    static const sh_flow_event event = {.kind = SH_FLOW_REDRIVE};
    sh_execution e;
    const char *reason;
    bool same;
    int status = sh_states_execution(call, arn, &e);
    if (status < 0 || (status = is_same(call, &e, token, &same, err)) < 0)
        return status;
    *date_ms = e.redriven_ms;
    if (same)
        return 0;
    if ((status = check_rows(call, &e, &reason, err)) < 0)
        return status;
    if (!reason && strchr(e.machine_arn, '/'))
        reason = "Execution is REDRIVABLE_BY_MAP_RUN: redrive the execution that started its Map Run";
    if (reason)
        return sh_call_fail(call, 400, "ExecutionNotRedrivable", "Execution %s invalid for redrive as: %s",
                            arn, reason);
    *date_ms = call->now_ms;
    status = sh_execution_redrive(call->cloud->db, e.id, call->now_ms, token, err);
    if (status == 0) {
        e.status = "RUNNING";
        e.redrive_count++;
        e.redriven_ms = call->now_ms;
        status = sh_states_announce(call->cloud, &e, err);
    }
    return status < 0 ? status : sh_run_execution(call->cloud, e.id, &event, err);
}

int sh_states_redrive(sh_call *call)
{
    const char *arn, *token;
    int64_t date_ms = 0;
    sh_err err = {0};
    int failed = 0;
    int status = sh_arg_need(call, "executionArn", 256, &arn);
    if (status < 0 || (status = sh_arg_text(call, "clientToken", TOKEN_MAX, &token)) < 0)
        return status;
    if (sh_db_begin(call->cloud->db, &err) < 0)
        return sh_call_fail_internal(call, &err);
    status = sh_db_end(call->cloud->db, redrive(call, arn, token, &date_ms, &err), &err);
    if (status < 0)
        return call->error.code ? status : sh_call_fail_internal(call, &err);
    sh_cloud_wake(call->cloud, SH_WAKE_FLOWS);
    if ((status = sh_out_new(call)) < 0)
        return status;
    sh_put_date(&failed, call->out, "redriveDate", date_ms);
    return sh_out_done(call, failed);
}
