/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the states do: one function for each type enters it. */
#include "cloud/flow/choice.h"
#include "cloud/flow/engine.h"
#include "base/clock.h"
#include <stdlib.h>
#include <string.h>

/* A path that is there and does not give what the field needs; `why` ends with the path. */
static int bad_value(const sh_eval *eval, const char *field, const char *why, const sh_path *path,
                     const json_t *value)
{
    char *text = sh_flow_text(value);
    int status = text ? sh_fault_set(eval->fault, "States.Runtime", "The %s parameter %s: %s == %s", field,
                                     why, sh_path_text(path), text)
                      : SH_E_MEMORY;

    free(text);
    return status;
}

/* A Wait says it in words of its own. */
static int missing_value(const sh_eval *eval, const char *field, const sh_path *path)
{
    char *text;
    int status = SH_E_MEMORY;

    if (!strcmp(field, "SecondsPath") || !strcmp(field, "TimestampPath"))
        return sh_fault_set(eval->fault, "States.Runtime",
                            "The %s parameter does not reference an input value: %s", field,
                            sh_path_text(path));
    text = sh_flow_text(eval->input);
    if (text)
        status = sh_fault_set(
            eval->fault, "States.Runtime",
            "The JSONPath '%s' specified for the field '%s' could not be found in the input '%s'",
            sh_path_text(path), field, text);
    free(text);
    return status;
}

int sh_number_eval(const sh_number_field *field, const sh_eval *eval, double *out)
{
    json_t *value = NULL;
    int status;

    if (field->computed)
        return sh_template_whole(field->computed, eval, out);
    if (!field->path) {
        *out = field->value;
        return 0;
    }
    status = sh_eval_get(field->path, eval, eval->input, &value);
    if (status == SH_E_NOT_FOUND || status == SH_E_LIMIT)
        status = missing_value(eval, field->name, field->path);
    else if (!status && !json_is_integer(value))
        status = bad_value(eval, field->name, "cannot be parsed as a long value", field->path, value);
    else if (!status && json_integer_value(value) < 0)
        status = bad_value(eval, field->name, "references a negative value", field->path, value);
    else if (!status)
        *out = (double)json_integer_value(value);
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
    if (!status && !frame->state->jsonata)
        sh_test_note(run, frame, "afterParameters", frame->state->result ? eval->input : result);
    if (!status)
        status = sh_frame_leave(run, frame, result);
    json_decref(result);
    return status;
}

/* RFC 3339, or a fault. */
static int timestamp(const sh_state *state, const sh_eval *eval, int64_t *due)
{
    json_t *value = NULL;
    int status = sh_template_typed(state->timestamp, eval, "string", &value);

    if (!status && !sh_time_parse_iso(json_string_value(value), json_string_length(value), due))
        status = sh_template_refuse(state->timestamp, eval,
                                    "returned a value that is not a valid ISO-8601 extended offset date-time "
                                    "format string: %.200s",
                                    json_string_value(value));
    json_decref(value);
    return status;
}

static int bad_timestamp(const sh_eval *eval, const sh_path *path, const json_t *value)
{
    static const char why[] = "does not reference a valid ISO-8601 extended offset date-time format string";

    if (!json_is_string(value))
        return bad_value(eval, "TimestampPath", why, path, value);
    return sh_fault_set(eval->fault, "States.Runtime", "The TimestampPath parameter %s: %s == %.200s", why,
                        sh_path_text(path), json_string_value(value));
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
        *due = sh_steady_now(eval->env) + (int64_t)(seconds * 1000);
        return status;
    }
    *due = state->timestamp_ms;
    if (state->has_timestamp)
        return 0;
    if (state->timestamp)
        return timestamp(state, eval, due);
    status = sh_eval_get(state->timestamp_path, eval, eval->input, &value);
    if (status == SH_E_NOT_FOUND || status == SH_E_LIMIT)
        status = missing_value(eval, "TimestampPath", state->timestamp_path);
    else if (!status && (!json_is_string(value) ||
                         !sh_time_parse_iso(json_string_value(value), json_string_length(value), due)))
        status = bad_timestamp(eval, state->timestamp_path, value);
    json_decref(value);
    return status;
}

static int enter_wait(sh_run *run, sh_frame *frame, const sh_eval *eval)
{
    int status = wait_until(frame->state, eval, &frame->due_ms);

    if (status)
        return status;
    frame->due_wall = !frame->state->seconds.given;
    if (frame->due_ms <= (frame->due_wall ? run->env->now_ms : sh_steady_now(run->env)))
        return sh_frame_leave(run, frame, eval->input);
    frame->phase = SH_PHASE_WAIT;
    return 0;
}

static int rule_holds(const sh_choice *choice, const sh_eval *eval, bool *holds)
{
    json_t *value = NULL;
    int status;

    if (!choice->condition)
        return sh_rule_eval(choice->rule, eval, holds);
    status = sh_template_typed(choice->condition, eval, "boolean", &value);
    *holds = !status && json_is_true(value);
    json_decref(value);
    return status;
}

static int enter_choice(sh_run *run, sh_frame *frame, const sh_eval *eval)
{
    const sh_state *state = frame->state;
    bool holds = false;
    int status = 0;

    for (size_t i = 0; !status && i < state->choice_count; i++) {
        const sh_choice *choice = &state->choices[i];

        status = rule_holds(choice, eval, &holds);
        if (!status && holds)
            return sh_frame_pass(run, frame, eval, choice->next, choice->assign, choice->output);
    }
    if (!status && !state->default_next.name)
        status =
            sh_fault_set(eval->fault, "States.Runtime",
                         "Failed to transition out of the state. The state does not point to a next state.");
    return status ? status
                  : sh_frame_pass(run, frame, eval, state->default_next, state->assign, state->output);
}

static int enter_succeed(sh_run *run, sh_frame *frame, const sh_eval *eval)
{
    return sh_frame_pass(run, frame, eval, (sh_next){NULL, SH_NOWHERE}, NULL, frame->state->output);
}

/* A string given as such or by an expression. *value holds it as long as it is needed. */
static int fail_text(const char *given, const sh_template *computed, const sh_expr *expr, const char *field,
                     const sh_eval *eval, json_t **value, const char **text)
{
    int status;

    *text = given;
    if (computed) {
        status = sh_template_typed(computed, eval, "string", value);
        *text = status ? NULL : json_string_value(*value);
        return status;
    }
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
    int status = fail_text(state->error, state->error_value, state->error_path, "ErrorPath", eval,
                           &error_value, &error);

    if (!status)
        status = fail_text(state->cause, state->cause_value, state->cause_path, "CausePath", eval,
                           &cause_value, &cause);
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
    sh_eval eval = {0};
    int status = 0;

    if (!frame->entered) {
        frame->entered_ms = run->env->now_ms;
        frame->entered = true;
        sh_test_note(run, frame, "input", frame->input);
        status = sh_emit_entered(run, frame);
    }
    if (!status && frame->state->type == SH_STATE_TASK)
        status = sh_task_token(run, frame);
    if (!status)
        status = sh_eval_begin(run, frame, &fault, &eval);
    if (!status)
        status = sh_eval_states(&eval, frame, NULL, NULL);
    if (!status)
        status = sh_state_input(run, frame, &eval, &eval.input);
    if (!status && !frame->state->jsonata)
        sh_test_note(run, frame, "afterInputPath", eval.input);
    if (!status)
        status = enter_type[frame->state->type](run, frame, &eval);
    if (status)
        status = sh_frame_stumble(run, frame, &fault, status);
    sh_eval_end(&eval);
    sh_fault_clear(&fault);
    return status;
}
