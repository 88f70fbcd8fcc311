/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way of data through a state:
 *   JSONPath: input -> InputPath -> Parameters -> (work) -> ResultSelector -> ResultPath (onto the input) ->
 *             OutputPath -> output
 *   JSONata:  input -> Arguments -> (work) -> Output
 * then the variables and the transition to the next state. Assign and Output see the variables as they were
 * when the state was entered. */
#include "cloud/flow/engine.h"
#include <stdlib.h>
#include <string.h>

enum {
    VARIABLES_MAX = 10 * 1024 * 1024, /* bytes of all variables of an execution */
    MANY_VARIABLES = VARIABLES_MAX / SH_FLOW_PAYLOAD_MAX,
};

int sh_path_apply(const sh_path_field *field, const sh_eval *eval, json_t *value, json_t **out)
{
    int status;
    sh_buf why;

    if (field->null) {
        *out = json_object();
        return *out ? 0 : SH_E_MEMORY;
    }
    if (!field->path) {
        *out = json_incref(value);
        return 0;
    }
    status = sh_eval_get(field->path, eval, value, out);
    if (status != SH_E_NOT_FOUND && status != SH_E_LIMIT)
        return status;
    if (status == SH_E_LIMIT)
        return sh_fault_set(eval->fault, "States.Runtime", "The JSONPath '%s' visits too many values",
                            sh_path_text(field->path));
    sh_buf_init(&why, SH_FLOW_TEXT_MAX);
    sh_path_why(field->path, sh_eval_root(field->path, eval, value), &why);
    status = sh_fault_set(eval->fault, "States.Runtime", "Invalid path '%s' : %s", sh_path_text(field->path),
                          sh_buf_cstr(&why));
    sh_buf_free(&why);
    return status;
}

int sh_state_input(sh_run *run, sh_frame *frame, const sh_eval *eval, json_t **out)
{
    return sh_path_apply(&frame->state->input_path, eval, frame->input, out);
}

int sh_result_apply(const sh_path_field *field, const sh_frame *frame, json_t *result, sh_fault *fault,
                    json_t **out)
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

/* ---- variables ---- */

static size_t text_size(const json_t *value, size_t most)
{
    size_t size;
    sh_buf buf;

    sh_buf_init(&buf, most);
    size = sh_value_dump(&buf, value) ? most + 1 : buf.length;
    sh_buf_free(&buf);
    return size;
}

/* Each value fits a payload, so a few of them cannot be too many. */
static bool too_much(const sh_frame *frame, const json_t *assigned)
{
    size_t count = json_object_size(assigned), size = 0;

    for (const sh_frame *f = frame; f; f = f->parent)
        count += json_object_size(f->variables);
    if (count <= MANY_VARIABLES)
        return false;
    for (const sh_frame *f = frame; f && size <= VARIABLES_MAX; f = f->parent)
        size += f->variables ? text_size(f->variables, VARIABLES_MAX) : 0;
    return size + text_size(assigned, VARIABLES_MAX) > VARIABLES_MAX;
}

int sh_assign_eval(const sh_frame *frame, const sh_template *assign, const sh_eval *eval, json_t **out)
{
    json_t *assigned = NULL;
    int status;

    if (!assign)
        return 0;
    status = sh_template_eval(assign, eval, &assigned);
    if (!status && text_size(assigned, SH_FLOW_PAYLOAD_MAX) > SH_FLOW_PAYLOAD_MAX)
        status = sh_fault_set(eval->fault, "States.DataLimitExceeded",
                              "The state/task '%s' assigned variables with a size exceeding the maximum "
                              "number of bytes service limit.",
                              frame->state->name);
    else if (!status && too_much(frame, assigned))
        status = sh_fault_set(eval->fault, "States.DataLimitExceeded",
                              "The variables of the execution exceed the maximum number of bytes service "
                              "limit in the state/task '%s'.",
                              frame->state->name);
    if (status)
        json_decref(assigned);
    else
        *out = assigned;
    return status;
}

static int assign(sh_frame *frame, const json_t *assigned)
{
    json_t *all;

    if (!json_object_size(assigned))
        return 0;
    all = frame->variables ? json_copy(frame->variables) : json_object();
    if (!all || json_object_update(all, (json_t *)assigned)) {
        json_decref(all);
        return SH_E_MEMORY;
    }
    json_decref(frame->variables);
    frame->variables = all;
    return 0;
}

/* ---- the end of a state ---- */

static int move_on(sh_run *run, sh_frame *frame, sh_next next, json_t *output)
{
    if (sh_test_root(run, frame))
        sh_test_exit(run, frame, next);
    else if (next.index != SH_NOWHERE)
        return sh_frame_move(frame, &frame->machine->states[next.index], output);
    frame->phase = SH_PHASE_DONE;
    frame->output = json_incref(output);
    return 0;
}

int sh_frame_exit(sh_run *run, sh_frame *frame, const sh_exit *way)
{
    sh_fault fault = {0};
    json_t *text = NULL;
    int status = sh_payload_check(frame, way->output, &fault, &text);

    if (!status)
        status = sh_emit_exited(run, frame, text, way->assigned);
    if (!status)
        status = assign(frame, way->assigned);
    if (!status)
        status = move_on(run, frame, way->next, way->output);
    if (status == SH_FAULT)
        status = sh_frame_fail(run, frame, &fault, status);
    sh_fault_clear(&fault);
    return status;
}

static int select_result(sh_run *run, sh_frame *frame, const sh_eval *eval, json_t **out)
{
    int status = 0;

    if (frame->state->result_selector)
        status = sh_template_eval(frame->state->result_selector, eval, out);
    else
        *out = json_incref(eval->input);
    if (!status && frame->state->type != SH_STATE_WAIT)
        sh_test_note(run, frame, "afterResultSelector", *out);
    return status;
}

static int shape_output(sh_run *run, sh_frame *frame, const sh_eval *eval, json_t **out)
{
    json_t *selected = NULL, *placed = NULL;
    int status = select_result(run, frame, eval, &selected);

    if (!status)
        status = sh_result_apply(&frame->state->result_path, frame, selected, eval->fault, &placed);
    if (!status) {
        if (frame->state->type != SH_STATE_WAIT)
            sh_test_note(run, frame, "afterResultPath", placed);
        status = sh_path_apply(&frame->state->output_path, eval, placed, out);
    }
    json_decref(selected);
    json_decref(placed);
    return status;
}

static int end_state(sh_run *run, sh_frame *frame, const sh_eval *eval)
{
    const sh_state *state = frame->state;
    json_t *assigned = NULL, *output = NULL;
    int status = sh_assign_eval(frame, state->assign, eval, &assigned);

    if (!status && !state->jsonata)
        status = shape_output(run, frame, eval, &output);
    else if (!status && state->output)
        status = sh_template_eval(state->output, eval, &output);
    else if (!status)
        output = json_incref(eval->input);
    if (!status) {
        sh_exit way = {.next = state->next, .output = output, .assigned = assigned};

        status = sh_frame_exit(run, frame, &way);
    }
    json_decref(assigned);
    json_decref(output);
    return status;
}

int sh_frame_leave(sh_run *run, sh_frame *frame, json_t *result)
{
    bool works = frame->state->type == SH_STATE_TASK || frame->state->type == SH_STATE_PARALLEL ||
                 frame->state->type == SH_STATE_MAP;
    sh_fault fault = {0};
    sh_eval eval;
    int status = sh_eval_begin(run, frame, &fault, &eval);

    eval.input = json_incref(result);
    if (frame->state->type != SH_STATE_WAIT && frame->state->type != SH_STATE_PASS)
        sh_test_note(run, frame, "result", result);
    if (!status)
        status = sh_eval_states(&eval, frame, works ? result : NULL, NULL);
    if (!status)
        status = end_state(run, frame, &eval);
    if (status)
        status = sh_frame_stumble(run, frame, &fault, status);
    sh_eval_end(&eval);
    sh_fault_clear(&fault);
    return status;
}

int sh_frame_pass(sh_run *run, sh_frame *frame, const sh_eval *eval, sh_next next, const sh_template *assign,
                  const sh_template *output)
{
    json_t *assigned = NULL, *made = NULL;
    int status = sh_assign_eval(frame, assign, eval, &assigned);

    if (!status && !frame->state->jsonata)
        status = sh_path_apply(&frame->state->output_path, eval, eval->input, &made);
    else if (!status && output)
        status = sh_template_eval(output, eval, &made);
    else if (!status)
        made = json_incref(eval->input);
    if (!status) {
        sh_exit way = {.next = next, .output = made, .assigned = assigned};

        status = sh_frame_exit(run, frame, &way);
    }
    json_decref(assigned);
    json_decref(made);
    return status;
}
