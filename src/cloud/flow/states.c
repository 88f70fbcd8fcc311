/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the states do: one function for each type enters it. The way of data through a state:
 *   input -> InputPath -> Parameters -> (work) -> ResultSelector -> ResultPath (onto the input) -> OutputPath
 * -> output A fault goes to Retry, then to Catch, then it ends the frame; States.Runtime ends the execution.
 */
#include "cloud/flow/choice.h"
#include "cloud/flow/engine.h"
#include "base/clock.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the context object ---- */

/* The value is given away, also when it fails; object may be NULL. */
static bool put(json_t *object, const char *key, json_t *value)
{
    return !json_object_set_new(object, key, value);
}

static json_t *time_text(int64_t ms)
{
    char text[SH_TIME_TEXT];

    sh_time_iso_ms(ms, text);
    return json_string(text);
}

static json_t *execution_context(const sh_run *run)
{
    const json_t *given = json_object_get(run->env->context, "Execution");
    static const char *const keys[] = {"Id", "Input", "StartTime", "Name", "RoleArn", "RedriveCount"};
    json_t *made = json_object(), *item;
    const char *key;
    bool ok = made;

    for (size_t i = 0; ok && i < sizeof(keys) / sizeof(*keys); i++) {
        json_t *value = json_object_get(given, keys[i]);

        if (value)
            ok = !json_object_set(made, keys[i], value);
        else if (!strcmp(keys[i], "Input"))
            ok = !json_object_set(made, keys[i], run->input);
        else if (!strcmp(keys[i], "StartTime"))
            ok = put(made, keys[i], time_text(run->start_ms));
        else if (!strcmp(keys[i], "RedriveCount"))
            ok = put(made, keys[i], json_integer(0));
    }
    json_object_foreach((json_t *)given, key, item) ok = ok && !json_object_set(made, key, item);
    if (ok)
        return made;
    json_decref(made);
    return NULL;
}

static bool add_state_context(const sh_frame *frame, json_t *context)
{
    json_t *state = json_object();
    bool ok = put(state, "Name", json_string(frame->state->name)) &&
              put(state, "EnteredTime", time_text(frame->entered_ms));

    if (ok && frame->state->type == SH_STATE_TASK)
        ok = put(state, "RetryCount", json_integer(frame->retries));
    return put(context, "State", state) && ok;
}

static bool add_map_context(const sh_frame *frame, json_t *context)
{
    const sh_frame *kid = frame;
    json_t *item, *map;
    bool ok;

    while (kid->parent && kid->parent->state->type != SH_STATE_MAP)
        kid = kid->parent;
    if (!kid->parent)
        return true;
    item = json_object();
    map = json_object();
    ok = put(item, "Index", json_integer((json_int_t)kid->index)) &&
         !json_object_set(item, "Value", json_array_get(kid->parent->items, kid->index));
    ok = put(map, "Item", item) && ok;
    return put(context, "Map", map) && ok;
}

static bool add_token(const sh_run *run, const sh_frame *frame, json_t *context)
{
    json_t *task;
    bool ok;

    if (!frame->token)
        return true;
    task = json_object();
    ok = put(task, "Token", sh_value_string(frame->token));
    return put(context, "Task", task) && ok;
}

int sh_context(const sh_run *run, const sh_frame *frame, json_t **out)
{
    json_t *context = json_object(), *machine = json_object_get(run->env->context, "StateMachine");
    bool ok = put(context, "Execution", execution_context(run)) &&
              (!machine || !json_object_set(context, "StateMachine", machine)) &&
              add_state_context(frame, context) && add_map_context(frame, context) &&
              add_token(run, frame, context);

    if (ok) {
        *out = context;
        return 0;
    }
    json_decref(context);
    return SH_E_MEMORY;
}

/* ---- the way of data ---- */

/* $.path, null (an empty object), or everything */
static int apply_path(const sh_path_field *field, json_t *value, json_t *context, sh_fault *fault,
                      json_t **out)
{
    int status;
    sh_buf normal;

    if (field->null) {
        *out = json_object();
        return *out ? 0 : SH_E_MEMORY;
    }
    if (!field->path) {
        *out = json_incref(value);
        return 0;
    }
    status = sh_path_get(field->path, sh_path_is_context(field->path) ? context : value, out);
    if (status != SH_E_NOT_FOUND && status != SH_E_LIMIT)
        return status;
    sh_buf_init(&normal, SH_FLOW_TEXT_MAX);
    sh_path_normal(field->path, &normal);
    status = sh_fault_set(fault, "States.Runtime", "Invalid path '%s' : No results for path: %s",
                          sh_path_text(field->path), sh_buf_cstr(&normal));
    sh_buf_free(&normal);
    return status;
}

int sh_state_input(sh_run *run, sh_frame *frame, const sh_eval *eval, json_t **out)
{
    return apply_path(&frame->state->input_path, frame->input, eval->context, eval->fault, out);
}

static int apply_result_path(const sh_path_field *field, const sh_frame *frame, json_t *result,
                             sh_fault *fault, json_t **out)
{
    char *text;
    int status;

    if (field->null || !field->path || sh_path_is_root(field->path)) {
        *out = json_incref(field->null ? frame->input : result);
        return 0;
    }
    status = sh_path_put(field->path, frame->input, result, out);
    if (status != SH_E_CONFLICT)
        return status;
    text = sh_flow_text(frame->input);
    status =
        text ? sh_fault_set(fault, "States.ResultPathMatchFailure",
                            "Unable to apply ReferencePath %s to input %s", sh_path_text(field->path), text)
             : SH_E_MEMORY;
    free(text);
    return status;
}

int sh_payload_check(const sh_frame *frame, const json_t *value, sh_fault *fault, json_t **text)
{
    sh_buf buf;
    int status;

    sh_buf_init(&buf, SH_FLOW_PAYLOAD_MAX);
    status = sh_value_dump(&buf, value);
    if (status == SH_E_LIMIT)
        status = sh_fault_set(fault, "States.Runtime", "The data is nested deeper than %d levels",
                              SH_FLOW_DEPTH_MAX);
    else if (status)
        status = sh_fault_set(
            fault, "States.DataLimitExceeded",
            "The state/task '%s' returned a result with a size exceeding the maximum number of bytes "
            "service limit.",
            frame->state->name);
    else if (text && !(*text = sh_value_text(&buf)))
        status = SH_E_MEMORY;
    sh_buf_free(&buf);
    return status;
}

static int move_on(sh_run *run, sh_frame *frame, size_t next, json_t *output)
{
    if (next != SH_NOWHERE)
        return sh_frame_move(frame, &frame->machine->states[next], output);
    frame->phase = SH_PHASE_DONE;
    frame->output = json_incref(output);
    return 0;
}

/* Exited event and transition. `output` is borrowed. */
static int exit_state(sh_run *run, sh_frame *frame, size_t next, json_t *output)
{
    sh_fault fault = {0};
    json_t *text = NULL;
    int status = sh_payload_check(frame, output, &fault, &text);

    if (!status)
        status = sh_emit_exited(run, frame, text);
    if (!status)
        status = move_on(run, frame, next, output);
    if (status == SH_FAULT)
        status = sh_frame_fail(run, frame, &fault, status);
    sh_fault_clear(&fault);
    return status;
}

static int shape_output(sh_run *run, sh_frame *frame, json_t *result, json_t *context, sh_fault *fault,
                        json_t **out)
{
    sh_eval eval = {.input = result, .context = context, .env = run->env, .fault = fault};
    json_t *selected = NULL, *placed = NULL;
    int status = 0;

    if (frame->state->result_selector)
        status = sh_template_eval(frame->state->result_selector, &eval, &selected);
    else
        selected = json_incref(result);
    if (!status)
        status = apply_result_path(&frame->state->result_path, frame, selected, fault, &placed);
    if (!status)
        status = apply_path(&frame->state->output_path, placed, context, fault, out);
    json_decref(selected);
    json_decref(placed);
    return status;
}

int sh_frame_leave(sh_run *run, sh_frame *frame, json_t *result)
{
    json_t *context = NULL, *output = NULL;
    sh_fault fault = {0};
    int status = run->flow->build.context ? sh_context(run, frame, &context) : 0;

    if (!status)
        status = shape_output(run, frame, result, context, &fault, &output);
    if (!status)
        status = exit_state(run, frame, frame->state->end ? SH_NOWHERE : frame->state->next, output);
    else
        status = sh_frame_stumble(run, frame, &fault, status);
    json_decref(context);
    json_decref(output);
    sh_fault_clear(&fault);
    return status;
}

/* ---- faults ---- */

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

        if (!named(&retrier->errors, fault))
            continue;
        if (frame->attempts[i] >= retrier->max_attempts)
            return false;
        frame->due_ms = run->env->now_ms + delay_ms(run, retrier, frame->attempts[i]++);
        frame->retries++;
        frame->phase = SH_PHASE_RETRY;
        sh_frame_drop_kids(frame);
        return true;
    }
    return false;
}

static int caught(sh_run *run, sh_frame *frame, const sh_catcher *catcher, const sh_fault *fault)
{
    json_t *error = json_object(), *output = NULL;
    sh_fault again = {0};
    int status = SH_E_MEMORY;

    if (put(error, "Error", sh_value_string(fault->error ? fault->error : "")) &&
        put(error, "Cause", sh_value_string(fault->cause ? fault->cause : "")))
        status = apply_result_path(&catcher->result_path, frame, error, &again, &output);
    if (!status)
        status = exit_state(run, frame, catcher->next, output);
    if (status == SH_FAULT) { /* nothing catches what Catch itself breaks */
        sh_fault_clear(&frame->fault);
        frame->fault = again;
        frame->phase = SH_PHASE_FAILED;
        again = (sh_fault){0};
        status = 0;
    }
    json_decref(error);
    json_decref(output);
    sh_fault_clear(&again);
    return status;
}

static int emit_nested_failure(sh_run *run, sh_frame *frame)
{
    if (!frame->results)
        return 0;
    return sh_emit(run, frame, frame->state->type == SH_STATE_MAP ? "MapStateFailed" : "ParallelStateFailed",
                   NULL, NULL);
}

int sh_frame_fail(sh_run *run, sh_frame *frame, sh_fault *fault, int status)
{
    if (status != SH_FAULT)
        return status;
    if (try_retry(run, frame, fault)) {
        sh_fault_clear(fault);
        return 0;
    }
    status = emit_nested_failure(run, frame);
    if (status)
        return status;
    for (size_t i = 0; i < frame->state->catcher_count; i++)
        if (named(&frame->state->catchers[i].errors, fault)) {
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

int sh_frame_stumble(sh_run *run, sh_frame *frame, sh_fault *fault, int status)
{
    sh_fault made = {0};

    if (status != SH_FAULT)
        return status;
    status =
        sh_fault_set(&made, fault->error,
                     "An error occurred while executing the state '%s' (entered at the event id #%lld). %s",
                     frame->state->name, (long long)frame->entered_event, fault->cause ? fault->cause : "");
    if (status == SH_FAULT)
        status = sh_frame_fail(run, frame, &made, status);
    sh_fault_clear(&made);
    return status;
}

/* ---- entering ---- */

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
        status = apply_path(&frame->state->output_path, eval->input, eval->context, eval->fault, &output);
    if (!status)
        status = exit_state(run, frame, next, output);
    json_decref(output);
    return status;
}

static int enter_succeed(sh_run *run, sh_frame *frame, const sh_eval *eval)
{
    json_t *output = NULL;
    int status = apply_path(&frame->state->output_path, eval->input, eval->context, eval->fault, &output);

    if (!status)
        status = exit_state(run, frame, SH_NOWHERE, output);
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
