/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way of data through a state:
 *   input -> InputPath -> Parameters -> (work) -> ResultSelector -> ResultPath (onto the input) -> OutputPath
 * -> output, and the transition to the next state. */
#include "cloud/flow/engine.h"
#include <stdlib.h>
#include <string.h>

/* $.path, null (an empty object), or everything */
int sh_path_apply(const sh_path_field *field, json_t *value, json_t *context, sh_fault *fault, json_t **out)
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
    status = sh_path_get(field->path, sh_path_is_context(field->path) ? context : value, out);
    if (status != SH_E_NOT_FOUND && status != SH_E_LIMIT)
        return status;
    if (status == SH_E_LIMIT)
        return sh_fault_set(fault, "States.Runtime", "The JSONPath '%s' visits too many values",
                            sh_path_text(field->path));
    sh_buf_init(&why, SH_FLOW_TEXT_MAX);
    sh_path_why(field->path, sh_path_is_context(field->path) ? context : value, &why);
    status = sh_fault_set(fault, "States.Runtime", "Invalid path '%s' : %s", sh_path_text(field->path),
                          sh_buf_cstr(&why));
    sh_buf_free(&why);
    return status;
}

int sh_state_input(sh_run *run, sh_frame *frame, const sh_eval *eval, json_t **out)
{
    return sh_path_apply(&frame->state->input_path, frame->input, eval->context, eval->fault, out);
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

static int move_on(sh_run *run, sh_frame *frame, size_t next, json_t *output)
{
    if (next != SH_NOWHERE)
        return sh_frame_move(frame, &frame->machine->states[next], output);
    frame->phase = SH_PHASE_DONE;
    frame->output = json_incref(output);
    return 0;
}

/* Exited event and transition. `output` is borrowed. */
int sh_frame_exit(sh_run *run, sh_frame *frame, size_t next, json_t *output)
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
        status = sh_result_apply(&frame->state->result_path, frame, selected, fault, &placed);
    if (!status)
        status = sh_path_apply(&frame->state->output_path, placed, context, fault, out);
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
        status = sh_frame_exit(run, frame, frame->state->end ? SH_NOWHERE : frame->state->next, output);
    else
        status = sh_frame_stumble(run, frame, &fault, status);
    json_decref(context);
    json_decref(output);
    sh_fault_clear(&fault);
    return status;
}
