/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A fault goes to Retry, then to Catch, then it ends the frame; States.Runtime ends the execution. */
#include "cloud/flow/engine.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The value is given away, also when it fails; object may be NULL. */
static bool put(json_t *object, const char *key, json_t *value)
{
    return !json_object_set_new(object, key, value);
}

static bool named(const sh_names *names, const sh_fault *fault)
{
    const char *error = fault->error ? fault->error : "";
    bool timeout = !strcmp(error, "States.Timeout"), limit = !strcmp(error, "States.DataLimitExceeded");

    if (fault->runtime)
        return false;
    for (size_t i = 0; i < names->count; i++) {
        const char *name = names->names[i];

        if (!strcmp(name, error) || (!strcmp(name, "States.ALL") && !limit) ||
            (!strcmp(name, "States.TaskFailed") && !timeout && !limit) ||
            (!strcmp(name, "States.HeartbeatTimeout") && fault->heartbeat))
            return true;
    }
    return false;
}

static int64_t delay_ms(const sh_run *run, const sh_retrier *retrier, int64_t attempt)
{
    double seconds = (double)retrier->interval_s * pow(retrier->backoff, (double)attempt);
    int64_t ms;

    if (retrier->max_delay_s && seconds > (double)retrier->max_delay_s)
        seconds = (double)retrier->max_delay_s;
    ms = seconds > 31622400.0 ? 31622400000LL : (int64_t)llround(seconds * 1000.0);
    if (retrier->full_jitter && run->env->random) {
        uint64_t random;

        run->env->random(run->env->opaque, &random, sizeof(random));
        ms = (int64_t)(random % (uint64_t)(ms + 1));
    }
    return ms;
}

static bool try_retry(sh_run *run, sh_frame *frame, const sh_fault *fault)
{
    for (size_t i = 0; i < frame->state->retrier_count; i++) {
        const sh_retrier *retrier = &frame->state->retriers[i];
        int64_t delay;

        if (!named(&retrier->errors, fault))
            continue;
        if (frame->attempts[i] >= retrier->max_attempts)
            return false;
        delay = delay_ms(run, retrier, frame->attempts[i]++);
        if (sh_test_retry(run, frame, i, delay))
            return false;
        frame->due_ms = sh_steady_now(run->env) + delay;
        frame->due_wall = 0;
        frame->retries++;
        frame->phase = SH_PHASE_RETRY;
        sh_frame_drop_kids(frame);
        return true;
    }
    return false;
}

static json_t *error_output(const sh_fault *fault)
{
    json_t *error = json_object();

    if (put(error, "Error", sh_value_string(fault->error ? fault->error : "")) &&
        put(error, "Cause", sh_value_string(fault->cause ? fault->cause : "")))
        return error;
    json_decref(error);
    return NULL;
}

/* eval->input is the error output. */
static int catch_output(sh_run *run, sh_frame *frame, const sh_catcher *catcher, const sh_eval *eval)
{
    json_t *assigned = NULL, *output = NULL;
    int status = sh_assign_eval(frame, catcher->assign, eval, &assigned);

    if (!status && !frame->state->jsonata)
        status = sh_result_apply(&catcher->result_path, frame, eval->input, eval->fault, &output);
    else if (!status && catcher->output)
        status = sh_template_eval(catcher->output, eval, &output);
    else if (!status)
        output = json_incref(eval->input);
    if (!status) {
        sh_exit way = {.next = catcher->next, .output = output, .assigned = assigned};

        status = sh_frame_exit(run, frame, &way);
    }
    json_decref(assigned);
    json_decref(output);
    return status;
}

static int caught(sh_run *run, sh_frame *frame, const sh_catcher *catcher, const sh_fault *fault)
{
    sh_fault again = {0};
    sh_eval eval;
    int status = sh_eval_begin(run, frame, &again, &eval);

    if (!status && !(eval.input = error_output(fault)))
        status = SH_E_MEMORY;
    if (!status)
        status = sh_eval_states(&eval, frame, NULL, eval.input);
    if (!status)
        status = catch_output(run, frame, catcher, &eval);
    if (status == SH_FAULT && again.location)
        status = sh_frame_place(run, frame, &again, status);
    if (status == SH_FAULT) { /* nothing catches what Catch itself breaks */
        sh_fault_clear(&frame->fault);
        frame->fault = again;
        frame->phase = SH_PHASE_FAILED;
        again = (sh_fault){0};
        status = 0;
    }
    sh_eval_end(&eval);
    sh_fault_clear(&again);
    return status;
}

/* States.Runtime ends the execution where it happens: the states around it have no events of their own. */
static int emit_nested_failure(sh_run *run, sh_frame *frame, const sh_fault *fault)
{
    if (!frame->results || fault->runtime)
        return 0;
    return sh_emit(run, frame, frame->state->type == SH_STATE_MAP ? "MapStateFailed" : "ParallelStateFailed",
                   NULL, NULL);
}

int sh_frame_fail(sh_run *run, sh_frame *frame, sh_fault *fault, int status)
{
    bool retriable;

    if (status != SH_FAULT)
        return status;
    if (try_retry(run, frame, fault)) {
        sh_fault_clear(fault);
        return 0;
    }
    status = emit_nested_failure(run, frame, fault);
    if (status)
        return status;
    retriable = sh_test_root(run, frame) && run->env->test->end == SH_FLOW_TEST_RETRIABLE;
    for (size_t i = 0; i < frame->state->catcher_count && !retriable; i++)
        if (named(&frame->state->catchers[i].errors, fault)) {
            sh_test_caught(run, frame, i, fault);
            status = caught(run, frame, &frame->state->catchers[i], fault);
            sh_fault_clear(fault);
            return status;
        }
    sh_fault_clear(&frame->fault);
    frame->fault = *fault;
    *fault = (sh_fault){0};
    frame->phase = SH_PHASE_FAILED;
    return 0;
}

int sh_frame_place(sh_run *run, sh_frame *frame, sh_fault *fault, int status)
{
    sh_fault made = {0};

    if (status != SH_FAULT)
        return status;
    if (!run->env->test) {
        status = sh_fault_set(
            &made, fault->error,
            "An error occurred while executing the state '%s' (entered at the event id #%lld). %s",
            frame->state->name, (long long)frame->entered_event, fault->cause ? fault->cause : "");
        if (status != SH_FAULT)
            return status;
        made.location = fault->location;
        fault->location = NULL;
        sh_fault_clear(fault);
        *fault = made;
    }
    if (fault->location)
        status = sh_emit_evaluation_failed(run, frame, fault);
    return status && status != SH_FAULT ? status : SH_FAULT;
}

int sh_frame_stumble(sh_run *run, sh_frame *frame, sh_fault *fault, int status)
{
    status = sh_frame_place(run, frame, fault, status);
    return status == SH_FAULT ? sh_frame_fail(run, frame, fault, status) : status;
}
