/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* RedriveExecution. When an execution ends badly its frames are wound back before they are saved: each one
 * that had failed or was under way stands again before the state it was in, entered already, with all its
 * retries; a Parallel or Map goes on with the branches and iterations that had not ended. So driving it again
 * is only to let them run. */
#include "cloud/flow/engine.h"
#include <string.h>

/* A distributed Map goes on with the run that it had, whose name stands where results do. */
static bool keeps_run(const sh_frame *frame)
{
    return frame->state->map && frame->state->map->distributed && json_array_size(frame->results) == 1;
}

/* What has to begin anew: a state alone, or one whose results together were too long. */
static bool begins_anew(const sh_frame *frame)
{
    return !frame->results || !frame->kid_count ||
           (frame->fault.error && !strcmp(frame->fault.error, "States.DataLimitExceeded"));
}

void sh_frame_wind_back(sh_frame *frame)
{
    bool anew = begins_anew(frame);

    for (size_t i = 0; i < frame->state->retrier_count; i++)
        frame->attempts[i] = 0;
    frame->retries = frame->task = 0;
    frame->due_ms = frame->timeout_ms = frame->heartbeat_ms = -1;
    if (frame->entered)
        frame->previous = frame->entered_event; /* what follows, follows that */
    frame->phase = anew ? SH_PHASE_ENTER : SH_PHASE_KIDS;
    sh_fault_clear(&frame->fault);
    if (anew && !keeps_run(frame))
        sh_frame_drop_kids(frame);
    for (size_t i = 0; i < frame->kid_count; i++)
        sh_frame_wind_back(frame->kids[i]);
}

int sh_redrive(sh_run *run)
{
    const json_t *count = json_object_get(json_object_get(run->env->context, "Execution"), "RedriveCount");
    int64_t timeout_s = run->flow->machine->timeout_s, id;

    run->deadline_ms = timeout_s ? sh_steady_now(run->env) + timeout_s * 1000 : -1;
    return sh_emit_after(run, run->last_event, "ExecutionRedriven", "executionRedrivenEventDetails",
                         json_pack("{s:I}", "redriveCount", json_integer_value(count)), &id);
}
