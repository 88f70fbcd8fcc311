/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the states do: one function for each type enters it. */
#include "cloud/flow/choice.h"
#include "cloud/flow/engine.h"
#include "base/clock.h"
#include <stdlib.h>
#include <string.h>

int sh_number_eval(const sh_number_field *field, const sh_eval *eval, double *out)
{
    json_t *value = NULL;
    int status;
    char *text;

    if (!field->path) {
        *out = field->value;
        return 0;
    }
    status = sh_path_get(field->path, sh_path_is_context(field->path) ? eval->context : eval->input, &value);
    if (status == SH_E_NOT_FOUND || status == SH_E_LIMIT) {
        text = sh_flow_text(eval->input);
        status =
            text ? sh_fault_set(
                       eval->fault, "States.Runtime",
                       "The JSONPath '%s' specified for the field '%s' could not be found in the input '%s'",
                       sh_path_text(field->path), field->name, text)
                 : SH_E_MEMORY;
        free(text);
    } else if (!status && !json_is_integer(value)) {
        status = sh_fault_set(eval->fault, "States.Runtime",
                              "The %s parameter does not reference a valid integer: %s", field->name,
                              sh_path_text(field->path));
    } else if (!status && json_integer_value(value) < 0) {
        status = sh_fault_set(eval->fault, "States.Runtime",
                              "The %s parameter references a negative value: %s == %lld", field->name,
                              sh_path_text(field->path), (long long)json_integer_value(value));
    } else if (!status) {
        *out = (double)json_integer_value(value);
    }
    json_decref(value);
    return status;
}

static int enter_pass(sh_run *run, sh_frame *frame, const sh_eval *eval)
{
    json_t *result = NULL;
    int status = 0;

    if (frame->state->result)
        result = json_incref(frame->state->result);
    else if (frame->state->parameters)
        status = sh_template_eval(frame->state->parameters, eval, &result);
    else
        result = json_incref(eval->input);
    if (!status)
        status = sh_frame_leave(run, frame, result);
    json_decref(result);
    return status;
}

static int wait_until(const sh_state *state, const sh_eval *eval, int64_t *due)
{
    json_t *value = NULL;
    double seconds = 0;
    int status;

    if (state->seconds.given) {
        status = sh_number_eval(&state->seconds, eval, &seconds);
        if (seconds > 99999999)
            seconds = 99999999;
        *due = eval->env->now_ms + (int64_t)(seconds * 1000);
        return status;
    }
    *due = state->timestamp_ms;
    if (state->has_timestamp)
        return 0;
    status = sh_path_get(state->timestamp_path,
                         sh_path_is_context(state->timestamp_path) ? eval->context : eval->input, &value);
    if (status == SH_E_NOT_FOUND || status == SH_E_LIMIT ||
        (!status && (!json_is_string(value) ||
                     !sh_time_parse_iso(json_string_value(value), json_string_length(value), due))))
        status = sh_fault_set(
            eval->fault, "States.Runtime",
            "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time "
            "format string: %s == %.200s",
            sh_path_text(state->timestamp_path), json_is_string(value) ? json_string_value(value) : "null");
    json_decref(value);
    return status;
}

static int enter_wait(sh_run *run, sh_frame *frame, const sh_eval *eval)
{
    int status = wait_until(frame->state, eval, &frame->due_ms);

    if (status)
        return status;
    if (frame->due_ms <= run->env->now_ms)
        return sh_frame_leave(run, frame, eval->input);
    frame->phase = SH_PHASE_WAIT;
    return 0;
}

static int enter_choice(sh_run *run, sh_frame *frame, const sh_eval *eval)
{
    size_t next = frame->state->default_next;
    json_t *output = NULL;
    bool holds = false;
    int status = 0;

    for (size_t i = 0; !status && !holds && i < frame->state->choice_count; i++) {
        status = sh_rule_eval(frame->state->choices[i].rule, eval, &holds);
        if (!status && holds)
            next = frame->state->choices[i].next;
    }
    if (!status && next == SH_NOWHERE)
        status =
            sh_fault_set(eval->fault, "States.Runtime",
                         "Failed to transition out of the state. The state does not point to a next state.");
    if (!status)
        status = sh_path_apply(&frame->state->output_path, eval->input, eval->context, eval->fault, &output);
    if (!status)
        status = sh_frame_exit(run, frame, next, output);
    json_decref(output);
    return status;
}

static int enter_succeed(sh_run *run, sh_frame *frame, const sh_eval *eval)
{
    json_t *output = NULL;
    int status = sh_path_apply(&frame->state->output_path, eval->input, eval->context, eval->fault, &output);

    if (!status)
        status = sh_frame_exit(run, frame, SH_NOWHERE, output);
    json_decref(output);
    return status;
}

/* A string given as such or by an expression. *value holds it as long as it is needed. */
static int fail_text(const char *given, const sh_expr *expr, const char *field, const sh_eval *eval,
                     json_t **value, const char **text)
{
    int status;

    *text = given;
    if (!expr)
        return 0;
    status = sh_expr_eval(expr, eval, field, value);
    if (!status && !json_is_string(*value))
        return sh_fault_set(eval->fault, "States.Runtime", "The value of the field '%s' must be a string",
                            field);
    *text = json_string_value(*value);
    return status;
}

static int enter_fail(sh_run *run, sh_frame *frame, const sh_eval *eval)
{
    const sh_state *state = frame->state;
    json_t *error_value = NULL, *cause_value = NULL;
    const char *error, *cause;
    int status = fail_text(state->error, state->error_path, "ErrorPath", eval, &error_value, &error);

    if (!status)
        status = fail_text(state->cause, state->cause_path, "CausePath", eval, &cause_value, &cause);
    if (!status) {
        status = sh_fault_take(eval->fault, error, cause);
        if (status == SH_FAULT)
            status = sh_frame_fail(run, frame, eval->fault, status);
    }
    json_decref(error_value);
    json_decref(cause_value);
    return status;
}

static int enter_nested(sh_run *run, sh_frame *frame, const sh_eval *eval)
{
    return sh_kids_start(run, frame, eval, eval->input);
}

static int (*const enter_type[])(sh_run *, sh_frame *, const sh_eval *) = {
    [SH_STATE_TASK] = sh_task_enter,    [SH_STATE_PASS] = enter_pass,       [SH_STATE_WAIT] = enter_wait,
    [SH_STATE_CHOICE] = enter_choice,   [SH_STATE_SUCCEED] = enter_succeed, [SH_STATE_FAIL] = enter_fail,
    [SH_STATE_PARALLEL] = enter_nested, [SH_STATE_MAP] = enter_nested,
};

int sh_frame_enter(sh_run *run, sh_frame *frame)
{
    sh_fault fault = {0};
    sh_eval eval = {.env = run->env, .fault = &fault};
    int status = 0;

    if (!frame->entered) {
        frame->entered_ms = run->env->now_ms;
        frame->entered = true;
        status = sh_emit_entered(run, frame);
    }
    if (!status && frame->state->type == SH_STATE_TASK)
        status = sh_task_token(run, frame);
    if (!status && run->flow->build.context)
        status = sh_context(run, frame, &eval.context);
    if (!status)
        status = sh_state_input(run, frame, &eval, &eval.input);
    if (!status)
        status = enter_type[frame->state->type](run, frame, &eval);
    if (status)
        status = sh_frame_stumble(run, frame, &fault, status);
    json_decref(eval.input);
    json_decref(eval.context);
    sh_fault_clear(&fault);
    return status;
}
