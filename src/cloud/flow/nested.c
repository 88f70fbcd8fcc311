/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parallel and inline Map: a frame for each branch or iteration. A frame that ends is taken out at once; its
 * output goes to its place in `results`. The first that fails ends the state, and the tasks of the others are
 * cancelled.
 *
 * The chain of events: the first event of a branch follows ParallelStateStarted, that of an iteration its
 * MapIterationStarted; the state's Succeeded and Exited events both follow the last event of the frame that
 * finished last (of a Map: its MapIterationSucceeded); an iteration that waited for a free place follows the
 * last event of the one that made the place. */
#include "cloud/flow/engine.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INLINE_LIMIT = 40 }; /* iterations side by side, at most, as on AWS */

static bool is_map(const sh_frame *frame)
{
    return frame->state->type == SH_STATE_MAP;
}

static size_t part_count(const sh_frame *frame)
{
    return is_map(frame) ? json_array_size(frame->items) : frame->state->machine_count;
}

static json_t *iteration_details(const sh_frame *frame, size_t index)
{
    return json_pack("{s:s, s:I}", "name", frame->state->name, "index", (json_int_t)index);
}

static int add_kid(sh_frame *frame, size_t index, json_t *input, sh_frame **out)
{
    const sh_machine *machine = frame->state->machines[is_map(frame) ? 0 : index];
    sh_frame **kids = realloc(frame->kids, (frame->kid_count + 1) * sizeof(*kids));
    sh_frame *kid;

    if (!kids)
        return SH_E_MEMORY;
    frame->kids = kids;
    kid = sh_frame_new(frame, machine, &machine->states[machine->start], input);
    if (!kid)
        return SH_E_MEMORY;
    kid->index = index;
    kids[frame->kid_count++] = kid;
    *out = kid;
    return 0;
}

/* The input of an iteration: the item, or what ItemSelector makes of it. */
static int item_input(sh_run *run, sh_frame *kid, sh_fault *fault)
{
    const sh_frame *frame = kid->parent;
    sh_eval eval = {.input = json_incref(frame->selected), .env = run->env, .fault = fault};
    json_t *input = NULL;
    int status = 0;

    if (frame->state->item_selector && (run->flow->build.context || frame->state->computed))
        status = sh_context(run, kid, &eval.context);
    if (!status && frame->state->item_selector && run->flow->build.variables)
        status = sh_frame_variables(frame, &eval.variables);
    if (!status && frame->state->item_selector)
        status = sh_eval_states(&eval, frame, NULL, NULL);
    if (!status && !frame->state->item_selector) {
        sh_eval_end(&eval);
        return 0;
    }
    if (!status)
        status = sh_template_eval(frame->state->item_selector, &eval, &input);
    if (!status)
        status = sh_frame_move(kid, kid->state, input);
    json_decref(input);
    sh_eval_end(&eval);
    return status;
}

static int start_iteration(sh_run *run, sh_frame *frame, int64_t previous, sh_fault *fault)
{
    size_t index = frame->next_item;
    sh_frame *kid = NULL;
    int status = add_kid(frame, index, json_array_get(frame->items, index), &kid);

    if (status)
        return status;
    frame->next_item++;
    kid->previous = previous;
    status = sh_emit(run, kid, "MapIterationStarted", "mapIterationStartedEventDetails",
                     iteration_details(frame, index));
    if (!status)
        status = item_input(run, kid, fault);
    if (status == SH_FAULT)
        frame->previous = kid->previous;
    return status;
}

int sh_map_items(const sh_frame *frame, const sh_eval *eval, json_t **out)
{
    const sh_path *path = frame->state->items_path.path;
    json_t *items = NULL;
    int status = 0;

    if (frame->state->items)
        return sh_template_typed(frame->state->items, eval, "array", out);
    if (!path)
        items = json_incref(eval->input);
    else
        status = sh_eval_get(path, eval, eval->input, &items);
    if (status && status != SH_E_NOT_FOUND && status != SH_E_LIMIT)
        return status;
    if (status || !json_is_array(items)) {
        json_decref(items);
        return sh_fault_set(eval->fault, "States.Runtime", "Reference path \"%s\" must point to array.",
                            path ? sh_path_text(path) : "$");
    }
    *out = items;
    return 0;
}

/* What ItemSelector makes of each item, for TestState. */
static int note_items(sh_run *run, sh_frame *frame, sh_fault *fault)
{
    json_t *inputs = json_array();
    int status = inputs ? 0 : SH_E_MEMORY;

    for (size_t i = 0; !status && i < part_count(frame); i++) {
        sh_frame *kid = NULL;

        status = add_kid(frame, i, json_array_get(frame->items, i), &kid);
        if (!status)
            status = item_input(run, kid, fault);
        if (!status && json_array_append(inputs, kid->input))
            status = SH_E_MEMORY;
        if (kid)
            sh_frame_free(frame->kids[--frame->kid_count]);
    }
    if (!status)
        sh_test_note(run, frame, "afterItemSelector", inputs);
    json_decref(inputs);
    return status;
}

static int note_map(sh_run *run, sh_frame *frame, double limit, sh_fault *fault, bool *mocked)
{
    json_t *number;
    int status = 0;

    *mocked = false;
    if (!sh_test_root(run, frame))
        return 0;
    if (frame->state->item_selector)
        status = note_items(run, frame, fault);
    if (status)
        return status;
    number = json_integer((json_int_t)limit);
    sh_test_note(run, frame, "afterItemsPath", frame->items);
    sh_test_note(run, frame, "maxConcurrency", number);
    json_decref(number);
    return sh_test_mock(run, frame, mocked);
}

/* How many iterations may fail, and one; 0: the state has no such threshold. */
static int tolerance(const sh_frame *frame, const sh_eval *eval, size_t *out)
{
    const sh_map *map = frame->state->map;
    double count = 0, percentage = 0, most = (double)part_count(frame);
    int status = 0;

    *out = 0;
    if (!map || (!map->failure_count.given && !map->failure_percentage.given))
        return 0;
    if (map->failure_count.given)
        status = sh_map_number(&map->failure_count, eval, &count);
    if (!status && map->failure_percentage.given)
        status = sh_map_number(&map->failure_percentage, eval, &percentage);
    percentage = most * percentage / 100;
    if (map->failure_count.given && count < most)
        most = count;
    if (map->failure_percentage.given && percentage < most)
        most = percentage;
    *out = (size_t)most + 1;
    return status;
}

static int start_map(sh_run *run, sh_frame *frame, const sh_eval *eval, json_t *input)
{
    double limit = 0;
    bool mocked = false;
    size_t first;
    int status = sh_map_items(frame, eval, &frame->items);

    if (!status && frame->state->item_selector)
        frame->selected = json_incref(input);
    if (!status)
        status = sh_map_number(&frame->state->max_concurrency, eval, &limit);
    if (!status)
        status = tolerance(frame, eval, &frame->tolerated);
    if (!status)
        status = note_map(run, frame, limit, eval->fault, &mocked);
    if (status || mocked)
        return status;
    frame->limit = limit < 1 || limit > INLINE_LIMIT ? INLINE_LIMIT : (size_t)limit;
    frame->results = json_array();
    for (size_t i = 0; frame->results && i < part_count(frame); i++)
        if (json_array_append_new(frame->results, json_null()))
            return SH_E_MEMORY;
    if (!frame->results)
        return SH_E_MEMORY;
    status = sh_emit(run, frame, "MapStateStarted", "mapStateStartedEventDetails",
                     json_pack("{s:I}", "length", (json_int_t)part_count(frame)));
    first = part_count(frame) < frame->limit ? part_count(frame) : frame->limit;
    for (size_t i = 0; !status && i < first; i++)
        status = start_iteration(run, frame, frame->previous, eval->fault);
    return status;
}

static int start_parallel(sh_run *run, sh_frame *frame, const sh_eval *eval, json_t *input)
{
    json_t *parameters = NULL;
    sh_frame *kid = NULL;
    bool mocked = false;
    int status = 0;

    if (frame->state->parameters)
        status = sh_template_eval(frame->state->parameters, eval, &parameters);
    else
        parameters = json_incref(input);
    if (!status && frame->state->parameters)
        sh_test_note(run, frame, frame->state->jsonata ? "afterArguments" : "afterParameters", parameters);
    if (!status)
        status = sh_test_mock(run, frame, &mocked);
    if (mocked) {
        json_decref(parameters);
        return status;
    }
    if (!status && !(frame->results = json_array()))
        status = SH_E_MEMORY;
    if (!status)
        status = sh_emit(run, frame, "ParallelStateStarted", NULL, NULL);
    for (size_t i = 0; !status && i < part_count(frame); i++) {
        status = json_array_append_new(frame->results, json_null()) ? SH_E_MEMORY
                                                                    : add_kid(frame, i, parameters, &kid);
        if (!status)
            kid->previous = frame->previous;
    }
    json_decref(parameters);
    return status;
}

int sh_kids_start(sh_run *run, sh_frame *frame, const sh_eval *eval, json_t *input)
{
    int status;

    if (frame->state->map && frame->state->map->distributed)
        return sh_map_enter(run, frame, eval, input);
    sh_frame_drop_kids(frame);
    status = is_map(frame) ? start_map(run, frame, eval, input) : start_parallel(run, frame, eval, input);
    if (!status && frame->results)
        frame->phase = SH_PHASE_KIDS;
    return status;
}

static sh_frame *detach(sh_frame *frame, size_t position)
{
    sh_frame *kid = frame->kids[position];

    frame->kid_count--;
    memmove(&frame->kids[position], &frame->kids[position + 1],
            (frame->kid_count - position) * sizeof(*frame->kids));
    return kid;
}

static void take_out(sh_frame *frame, size_t position)
{
    sh_frame_free(detach(frame, position));
}

/* A kid that was detached comes back to a frame that failed with it: it may be driven again. */
static void bring_back(sh_frame *frame, sh_frame *kid)
{
    if (frame->phase == SH_PHASE_FAILED && frame->kids)
        frame->kids[frame->kid_count++] = kid;
    else
        sh_frame_free(kid);
}

/* ---- the ends of the others when one fails ---- */

/* What was entered and not left. All these events follow the one that made the others fail; they lead on to
 * nothing. */
static int emit_aborted(sh_run *run, const sh_frame *frame, int64_t previous)
{
    char type[64];
    int64_t id;
    int status;
    bool has = frame->state->type == SH_STATE_TASK || frame->state->type == SH_STATE_WAIT ||
               frame->state->type == SH_STATE_PARALLEL || is_map(frame);

    if (!has || !frame->entered)
        return 0;
    snprintf(type, sizeof(type), "%sStateAborted", sh_state_type_name(frame->state->type));
    status = sh_emit_after(run, previous, type, NULL, NULL, &id);
    if (!status && frame->state->map && frame->state->map->distributed && frame->phase == SH_PHASE_TASK)
        status = sh_emit_after(run, previous, "MapRunAborted", NULL, NULL, &id);
    return status;
}

static int emit_iteration_end(sh_run *run, const sh_frame *kid, int64_t previous)
{
    bool failed = kid->phase == SH_PHASE_FAILED;
    int64_t id;

    if (!is_map(kid->parent))
        return 0;
    return sh_emit_after(run, previous, failed ? "MapIterationFailed" : "MapIterationAborted",
                         failed ? "mapIterationFailedEventDetails" : "mapIterationAbortedEventDetails",
                         iteration_details(kid->parent, kid->index), &id);
}

/* The events of all that is under way below the frame, and of what failed there. */
static int abort_kids(sh_run *run, const sh_frame *frame, int64_t previous)
{
    int status = 0;

    for (size_t i = 0; !status && i < frame->kid_count; i++) {
        const sh_frame *kid = frame->kids[i];

        status = emit_iteration_end(run, kid, previous);
        if (!status)
            status = emit_aborted(run, kid, previous);
        if (!status)
            status = abort_kids(run, kid, previous);
    }
    return status;
}

static int cancel_kids(sh_run *run, sh_frame *frame, const sh_fault *fault)
{
    int status = sh_frame_cancel(run, frame);

    return status || fault->runtime ? status : abort_kids(run, frame, frame->previous);
}

/* Puts the result of an iteration or branch in its place. A stored state shares the array: it is never
 * changed in place. */
static int set_result(sh_frame *frame, size_t index, json_t *value)
{
    json_t *results = json_copy(frame->results);

    if (!results || json_array_set(results, index, value)) {
        json_decref(results);
        return SH_E_MEMORY;
    }
    json_decref(frame->results);
    frame->results = results;
    return 0;
}

/* The next iteration takes the place of one that has ended. */
static int start_next(sh_run *run, sh_frame *frame, int64_t last)
{
    sh_fault fault = {0};
    int status = 0;

    if (is_map(frame) && frame->next_item < part_count(frame))
        status = start_iteration(run, frame, last, &fault);
    if (status == SH_FAULT) {
        status = cancel_kids(run, frame, &fault);
        if (!status)
            status = sh_frame_stumble(run, frame, &fault, SH_FAULT);
    }
    sh_fault_clear(&fault);
    return status;
}

static int kid_done(sh_run *run, sh_frame *frame, size_t position)
{
    sh_frame *kid = frame->kids[position];
    int64_t last = kid->previous;
    int status = set_result(frame, kid->index, kid->output);

    if (status)
        return status;
    frame->previous = last;
    if (is_map(frame))
        status = sh_emit_after(run, last, "MapIterationSucceeded", "mapIterationSucceededEventDetails",
                               iteration_details(frame, kid->index), &frame->previous);
    take_out(frame, position);
    return status ? status : start_next(run, frame, last);
}

/* An iteration has failed and may. Its place gets the error. */
static int tolerate(sh_run *run, sh_frame *frame, size_t index, const sh_fault *fault)
{
    json_t *error = json_pack("{s:o, s:o}", "Error", sh_value_string(fault->error ? fault->error : ""),
                              "Cause", sh_value_string(fault->cause ? fault->cause : ""));
    int status = error ? set_result(frame, index, error) : SH_E_MEMORY;

    json_decref(error);
    return status ? status : start_next(run, frame, frame->previous);
}

/* One of so many that some may fail. */
static int kid_tolerated(sh_run *run, sh_frame *frame, size_t position, sh_fault *fault)
{
    size_t index = frame->kids[position]->index;
    int status = emit_iteration_end(run, frame->kids[position], frame->previous);

    take_out(frame, position);
    return status ? status : tolerate(run, frame, index, fault);
}

static int kid_failed(sh_run *run, sh_frame *frame, size_t position)
{
    sh_frame *kid = frame->kids[position];
    sh_fault fault = kid->fault;
    int status;

    kid->fault = (sh_fault){0};
    frame->previous = kid->previous;
    if (frame->tolerated && !fault.runtime && ++frame->failures < frame->tolerated) {
        status = kid_tolerated(run, frame, position, &fault);
        sh_fault_clear(&fault);
        return status;
    }
    status = cancel_kids(run, frame, &fault);
    detach(frame, position);
    if (!status && frame->tolerated && !fault.runtime)
        status = sh_fault_set(&fault, "States.ExceedToleratedFailureThreshold",
                              "The specified tolerated failure threshold was exceeded");
    if (!status || status == SH_FAULT)
        status = sh_frame_fail(run, frame, &fault, SH_FAULT);
    bring_back(frame, kid);
    sh_fault_clear(&fault);
    return status;
}

static int finish(sh_run *run, sh_frame *frame)
{
    json_t *results = json_incref(frame->results);
    int64_t id;
    int status =
        sh_emit_after(run, frame->previous, is_map(frame) ? "MapStateSucceeded" : "ParallelStateSucceeded",
                      NULL, NULL, &id);

    /* a fault in what makes the output of them is not one of the branches */
    json_decref(frame->results);
    frame->results = NULL;
    if (!status)
        status = sh_frame_leave(run, frame, results);
    json_decref(results);
    return status;
}

int sh_kids_collect(sh_run *run, sh_frame *frame)
{
    for (size_t i = 0; i < frame->kid_count;) {
        sh_frame *kid = frame->kids[i];
        int status = sh_frame_run(run, kid);

        if (!status && kid->phase == SH_PHASE_DONE)
            status = kid_done(run, frame, i);
        else if (!status && kid->phase == SH_PHASE_FAILED)
            status = kid_failed(run, frame, i);
        else
            i++;
        if (status || frame->phase != SH_PHASE_KIDS)
            return status;
    }
    if (frame->kid_count || run->overflow)
        return 0;
    return finish(run, frame);
}
