/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One step: load the tree of frames, deliver the event to the frame it belongs to, let every frame run on
 * until it has to wait, save the tree. A step that wrote STEP_EVENTS events or STEP_BYTES of payloads stops
 * where it is and asks to be called again at once, so that a cycle without a Wait cannot keep others from
 * running. */
#include "cloud/flow/engine.h"
#include <stdlib.h>
#include <string.h>

enum { STEP_EVENTS = 1000, STEP_BYTES = 2 << 20 };

const char *sh_flow_status_name(sh_flow_status status)
{
    static const char *const names[] = {"RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"};

    return (unsigned)status < sizeof(names) / sizeof(*names) ? names[status] : "?";
}

void sh_flow_result_free(sh_flow_result *result)
{
    for (size_t i = 0; i < result->task_count; i++) {
        json_decref(result->tasks[i].parameters);
        json_decref(result->tasks[i].credentials);
        free(result->tasks[i].token);
    }
    free(result->tasks);
    free(result->cancelled);
    json_decref(result->state);
    json_decref(result->history);
    json_decref(result->output);
    free(result->error);
    free(result->cause);
    *result = (sh_flow_result){0};
}

bool sh_run_pauses(const sh_run *run)
{
    return run->overflow || json_array_size(run->result.history) >= STEP_EVENTS || run->written >= STEP_BYTES;
}

int sh_frame_run(sh_run *run, sh_frame *frame)
{
    int status = 0;

    while (!status && frame->phase == SH_PHASE_ENTER && !sh_run_pauses(run)) {
        status = sh_frame_enter(run, frame);
        if (!status && frame->phase == SH_PHASE_KIDS)
            status = sh_kids_collect(run, frame);
    }
    return status;
}

int sh_run_cancel_task(sh_run *run, int64_t task)
{
    sh_flow_result *result = &run->result;
    int64_t *more;

    /* one that this very step wanted to start is just not started */
    for (size_t i = 0; i < result->task_count; i++)
        if (result->tasks[i].id == task) {
            json_decref(result->tasks[i].parameters);
            json_decref(result->tasks[i].credentials);
            free(result->tasks[i].token);
            memmove(&result->tasks[i], &result->tasks[i + 1],
                    (--result->task_count - i) * sizeof(*result->tasks));
            return 0;
        }
    more = realloc(result->cancelled, (result->cancelled_count + 1) * sizeof(*more));
    if (!more)
        return SH_E_MEMORY;
    result->cancelled = more;
    more[result->cancelled_count++] = task;
    return 0;
}

int sh_frame_cancel(sh_run *run, sh_frame *frame)
{
    int status = frame->phase == SH_PHASE_TASK ? sh_run_cancel_task(run, frame->task) : 0;

    for (size_t i = 0; !status && i < frame->kid_count; i++)
        status = sh_frame_cancel(run, frame->kids[i]);
    return status;
}

/* ---- events ---- */

static int wait_ended(sh_run *run, sh_frame *frame)
{
    sh_fault fault = {0};
    sh_eval eval;
    int status = sh_eval_begin(run, frame, &fault, &eval);

    if (!status)
        status = sh_state_input(run, frame, &eval, &eval.input);
    if (!status)
        status = sh_frame_leave(run, frame, eval.input);
    else
        status = sh_frame_stumble(run, frame, &fault, status);
    sh_eval_end(&eval);
    sh_fault_clear(&fault);
    return status;
}

static int deliver_timer(sh_run *run, sh_frame *frame, bool *taken)
{
    if (frame->phase == SH_PHASE_TASK)
        return sh_task_timer(run, frame, taken);
    if (frame->due_ms > (frame->due_wall ? run->env->now_ms : sh_steady_now(run->env)))
        return 0;
    if (frame->phase == SH_PHASE_WAIT) {
        *taken = true;
        return wait_ended(run, frame);
    }
    if (frame->phase == SH_PHASE_RETRY) {
        *taken = true;
        frame->due_ms = -1;
        frame->phase = SH_PHASE_ENTER;
    }
    return 0;
}

static int deliver(sh_run *run, sh_frame *frame, const sh_flow_event *event, bool *taken)
{
    int status = 0;

    if (frame->phase == SH_PHASE_KIDS) {
        for (size_t i = 0; !status && i < frame->kid_count; i++)
            status = deliver(run, frame->kids[i], event, taken);
        if (!status)
            status = sh_kids_collect(run, frame);
    } else if (event->kind == SH_FLOW_TIMER) {
        status = deliver_timer(run, frame, taken);
    } else if (frame->phase == SH_PHASE_TASK && frame->task == event->task) {
        *taken = true;
        status = sh_task_answer(run, frame, event);
    }
    return status ? status : sh_frame_run(run, frame);
}

/* ---- ends ---- */

static int end_with(sh_run *run, sh_flow_status status, const char *error, const char *cause)
{
    run->result.status = status;
    run->result.error = error ? strdup(error) : NULL;
    run->result.cause = cause ? strdup(cause) : NULL;
    return (error && !run->result.error) || (cause && !run->result.cause) ? SH_E_MEMORY : 0;
}

/* Nothing of the tree matters any more except the tasks under way. */
static int stop(sh_run *run, sh_flow_status status, const char *error, const char *cause)
{
    int result = sh_frame_cancel(run, run->root);

    if (!result)
        result = end_with(run, status, error, cause);
    return result ? result : sh_emit_end(run, 0);
}

static int settle(sh_run *run)
{
    sh_frame *root = run->root;
    int status;

    if (run->overflow)
        return stop(run, SH_FLOW_FAILED, "States.Runtime",
                    "The execution reached the maximum number of history events (25000).");
    if (root->phase == SH_PHASE_DONE) {
        run->result.status = SH_FLOW_SUCCEEDED;
        run->result.output = json_incref(root->output);
        return sh_emit_end(run, root->previous);
    }
    if (root->phase != SH_PHASE_FAILED)
        return 0;
    status = end_with(run, SH_FLOW_FAILED, root->fault.error, root->fault.cause);
    return status ? status : sh_emit_end(run, root->previous);
}

static void earliest(int64_t *wake, int64_t due)
{
    if (due >= 0 && (*wake < 0 || due < *wake))
        *wake = due;
}

/* A time of the steady clock as the wall clock will show it unless somebody sets it. */
static int64_t on_wall(const sh_run *run, int64_t due)
{
    return due < 0 ? due : due - sh_steady_now(run->env) + run->env->now_ms;
}

static void find_wake(const sh_run *run, const sh_frame *frame, int64_t *wake)
{
    if (frame->phase == SH_PHASE_ENTER)
        earliest(wake, run->env->now_ms);
    if (frame->phase == SH_PHASE_WAIT || frame->phase == SH_PHASE_RETRY)
        earliest(wake, frame->due_ms < 0 ? 0 : frame->due_wall ? frame->due_ms : on_wall(run, frame->due_ms));
    if (frame->phase == SH_PHASE_TASK) {
        earliest(wake, on_wall(run, frame->timeout_ms));
        earliest(wake, on_wall(run, frame->heartbeat_ms));
    }
    if (frame->phase == SH_PHASE_KIDS)
        for (size_t i = 0; i < frame->kid_count; i++)
            find_wake(run, frame->kids[i], wake);
}

/* ---- steps ---- */

static int begin(sh_run *run, const sh_flow_event *event)
{
    const sh_machine *machine = run->flow->machine;
    int status;

    run->input = event->output ? json_incref((json_t *)event->output) : json_object();
    run->start_ms = run->env->now_ms;
    run->deadline_ms = machine->timeout_s ? sh_steady_now(run->env) + machine->timeout_s * 1000 : -1;
    if (!run->input)
        return SH_E_MEMORY;
    if (run->env->test) {
        status = sh_test_begin(run);
        if (status)
            return status;
    } else {
        run->root = sh_frame_new(NULL, machine, &machine->states[machine->start], run->input);
    }
    if (!run->root)
        return SH_E_MEMORY;
    status = sh_emit_started(run);
    return status ? status : sh_frame_run(run, run->root);
}

static int go_on(sh_run *run, const sh_flow_event *event)
{
    bool taken = false;
    int status;

    if (event->kind == SH_FLOW_ABORT)
        return stop(run, SH_FLOW_ABORTED, event->error, event->cause);
    if (run->deadline_ms >= 0 && run->deadline_ms <= sh_steady_now(run->env))
        return stop(run, SH_FLOW_TIMED_OUT, NULL, NULL);
    status = deliver(run, run->root, event, &taken);
    run->result.ignored = !taken && !json_array_size(run->result.history) && !run->overflow;
    return status;
}

static int drive_again(sh_run *run, const json_t *state, sh_err *err)
{
    static const sh_flow_event timer = {.kind = SH_FLOW_TIMER}; /* lets all that can run do so */
    bool taken = false;
    int status;

    if (!json_object_get(state, "frame"))
        return sh_fail(err, SH_E_ARGUMENT, "that execution cannot be driven again");
    status = sh_run_load(run, state, err);
    if (!status)
        status = sh_redrive(run);
    return status ? status : deliver(run, run->root, &timer, &taken);
}

static int run_event(sh_run *run, const json_t *state, const sh_flow_event *event, sh_err *err)
{
    const char *name = json_string_value(json_object_get(state, "status"));
    bool ended = name && strcmp(name, "RUNNING");
    int status = 0;

    if (event->kind == SH_FLOW_START)
        return begin(run, event);
    if (event->kind == SH_FLOW_REDRIVE && ended)
        return drive_again(run, state, err);
    if (ended || event->kind == SH_FLOW_REDRIVE) {
        run->result.ignored = true;
        return 0;
    }
    status = sh_run_load(run, state, err);
    return status ? status : go_on(run, event);
}

int sh_flow_step(const sh_flow *flow, const sh_flow_env *env, const json_t *state, const sh_flow_event *event,
                 sh_flow_result *result, sh_err *err)
{
    sh_run run = {.flow = flow, .env = env, .deadline_ms = -1, .result = {.wake_ms = -1}};
    sh_err problem = {0};
    int status;

    if ((event->kind == SH_FLOW_START) != (state == NULL))
        return sh_fail(err, SH_E_ARGUMENT, "only the start event goes without a state");
    run.result.history = json_array();
    status = run.result.history ? run_event(&run, state, event, &problem) : SH_E_MEMORY;
    if (!status && !run.result.ignored && run.result.status == SH_FLOW_RUNNING)
        status = settle(&run);
    if (!status && run.memory)
        status = SH_E_MEMORY;
    if (!status && !run.result.ignored && run.result.status > SH_FLOW_SUCCEEDED)
        sh_frame_wind_back(run.root);
    if (!status && !run.result.ignored)
        status = sh_run_save(&run, &run.result.state);
    if (!status && run.root && run.result.status == SH_FLOW_RUNNING) {
        find_wake(&run, run.root, &run.result.wake_ms);
        earliest(&run.result.wake_ms, on_wall(&run, run.deadline_ms));
    }
    sh_frame_free(run.root);
    json_decref(run.input);
    if (status) {
        sh_flow_result_free(&run.result);
        return sh_fail(err, status, "%s",
                       problem.status          ? problem.message
                       : status == SH_E_MEMORY ? "out of memory"
                                               : sh_status_name(status));
    }
    *result = run.result;
    return 0;
}
