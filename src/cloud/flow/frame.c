/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The frames of an execution in memory, and as the JSON object in which they survive between steps:
 *   {"v":1, "status":"RUNNING", "input":…, "start":ms, "deadline":ms, "events":n, "tasks":n, "frame":FRAME}
 *   FRAME: {"state":name, "phase":n, "input":…, "previous":n, …} with "kids":[FRAME, …]
 * A field at its usual value is left out. Text that comes back from storage is checked like any other input.
 */
#include "cloud/flow/engine.h"
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1, MAX_KIDS = 100000 };

sh_frame *sh_frame_new(sh_frame *parent, const sh_machine *machine, const sh_state *state, json_t *input)
{
    sh_frame *frame = calloc(1, sizeof(*frame));

    if (!frame)
        return NULL;
    frame->parent = parent;
    frame->machine = machine;
    if (!sh_frame_move(frame, state, input))
        return frame;
    sh_frame_free(frame);
    return NULL;
}

void sh_frame_drop_kids(sh_frame *frame)
{
    for (size_t i = 0; i < frame->kid_count; i++)
        sh_frame_free(frame->kids[i]);
    free(frame->kids);
    frame->kids = NULL;
    frame->kid_count = 0;
    json_decref(frame->results);
    json_decref(frame->items);
    json_decref(frame->selected);
    frame->results = frame->items = frame->selected = NULL;
    frame->next_item = frame->limit = frame->failures = frame->tolerated = 0;
}

void sh_frame_free(sh_frame *frame)
{
    if (!frame)
        return;
    sh_frame_drop_kids(frame);
    json_decref(frame->input);
    json_decref(frame->output);
    json_decref(frame->variables);
    sh_fault_clear(&frame->fault);
    free(frame->attempts);
    free(frame->token);
    free(frame);
}

int sh_frame_move(sh_frame *frame, const sh_state *state, json_t *input)
{
    int64_t *attempts = NULL;

    if (state->retrier_count) {
        attempts = calloc(state->retrier_count, sizeof(*attempts));
        if (!attempts)
            return SH_E_MEMORY;
    }
    json_incref(input);
    json_decref(frame->input);
    free(frame->attempts);
    free(frame->token);
    frame->token = NULL;
    sh_frame_drop_kids(frame);
    frame->input = input;
    frame->attempts = attempts;
    frame->state = state;
    frame->phase = SH_PHASE_ENTER;
    frame->entered = false;
    frame->due_ms = frame->timeout_ms = frame->heartbeat_ms = -1;
    frame->due_wall = 0;
    frame->task = frame->heartbeat_s = frame->timeout_s = frame->retries = 0;
    return 0;
}

/* ---- saving ---- */

typedef struct number_field {
    const char *key;
    size_t offset;
    int64_t usual;
} number_field;

#define NUMBER(key, field, usual)                                                                            \
    {                                                                                                        \
        key, offsetof(sh_frame, field), usual                                                                \
    }

static const number_field numbers[] = {
    NUMBER("previous", previous, 0),   NUMBER("event", entered_event, 0),     NUMBER("at", entered_ms, 0),
    NUMBER("due", due_ms, -1),         NUMBER("wall", due_wall, 0),           NUMBER("task", task, 0),
    NUMBER("timeout", timeout_ms, -1), NUMBER("heartbeat", heartbeat_ms, -1), NUMBER("beat", heartbeat_s, 0),
    NUMBER("limit_s", timeout_s, 0),   NUMBER("retries", retries, 0),
};

static const number_field sizes[] = {
    NUMBER("index", index, 0),       NUMBER("next", next_item, 0),      NUMBER("limit", limit, 0),
    NUMBER("failures", failures, 0), NUMBER("tolerated", tolerated, 0),
};

static const number_field values[] = {
    NUMBER("input", input, 0), NUMBER("output", output, 0),     NUMBER("results", results, 0),
    NUMBER("items", items, 0), NUMBER("selected", selected, 0), NUMBER("variables", variables, 0),
};

static void *at(const sh_frame *frame, const number_field *field)
{
    return (char *)frame + field->offset;
}

static int save_frame(const sh_frame *frame, json_t **out);

static bool set(json_t *object, const char *key, json_t *value)
{
    return !json_object_set_new(object, key, value);
}

static bool save_fields(const sh_frame *frame, json_t *object)
{
    bool ok = set(object, "state", json_string(frame->state->name)) &&
              set(object, "phase", json_integer(frame->phase)) &&
              (!frame->entered || set(object, "entered", json_true()));

    for (size_t i = 0; ok && i < sizeof(numbers) / sizeof(*numbers); i++) {
        int64_t value = *(int64_t *)at(frame, &numbers[i]);

        ok = value == numbers[i].usual || set(object, numbers[i].key, json_integer(value));
    }
    for (size_t i = 0; ok && i < sizeof(sizes) / sizeof(*sizes); i++) {
        size_t value = *(size_t *)at(frame, &sizes[i]);

        ok = !value || set(object, sizes[i].key, json_integer((json_int_t)value));
    }
    for (size_t i = 0; ok && i < sizeof(values) / sizeof(*values); i++) {
        json_t *value = *(json_t **)at(frame, &values[i]);

        ok = !value || !json_object_set(object, values[i].key, value);
    }
    return ok;
}

static bool save_attempts(const sh_frame *frame, json_t *object)
{
    json_t *array;

    if (!frame->retries)
        return true;
    array = json_array();
    for (size_t i = 0; array && i < frame->state->retrier_count; i++)
        if (json_array_append_new(array, json_integer(frame->attempts[i]))) {
            json_decref(array);
            array = NULL;
        }
    return set(object, "attempts", array);
}

static bool save_kids(const sh_frame *frame, json_t *object)
{
    json_t *array;

    if (frame->phase != SH_PHASE_KIDS)
        return true;
    array = json_array();
    for (size_t i = 0; array && i < frame->kid_count; i++) {
        json_t *kid = NULL;

        if (save_frame(frame->kids[i], &kid) || json_array_append_new(array, kid)) {
            json_decref(array);
            array = NULL;
        }
    }
    return set(object, "kids", array);
}

static int save_frame(const sh_frame *frame, json_t **out)
{
    json_t *object = json_object();

    if (object && save_fields(frame, object) && save_attempts(frame, object) && save_kids(frame, object)) {
        *out = object;
        return 0;
    }
    json_decref(object);
    return SH_E_MEMORY;
}

static int save_end(const sh_run *run, json_t **out)
{
    *out = json_pack("{s:i, s:s}", "v", VERSION, "status", sh_flow_status_name(run->result.status));
    return *out ? 0 : SH_E_MEMORY;
}

/* What has failed because it was too deep would not come back from its text. */
static bool has_text(const json_t *state)
{
    char *text = sh_flow_text(state);

    free(text);
    return text;
}

int sh_run_save(const sh_run *run, json_t **out)
{
    json_t *frame = NULL, *state;

    if (run->result.status == SH_FLOW_SUCCEEDED || run->overflow)
        return save_end(run, out);
    if (save_frame(run->root, &frame))
        return SH_E_MEMORY;
    state = json_pack("{s:i, s:s, s:O, s:I, s:I, s:I, s:I}", "v", VERSION, "status",
                      sh_flow_status_name(run->result.status), "input", run->input, "start",
                      (json_int_t)run->start_ms, "deadline", (json_int_t)run->deadline_ms, "events",
                      (json_int_t)run->last_event, "tasks", (json_int_t)run->last_task);
    if (json_object_set_new(state, "frame", frame)) {
        json_decref(state);
        return SH_E_MEMORY;
    }
    if (run->result.status != SH_FLOW_RUNNING && !has_text(state)) {
        json_decref(state);
        return save_end(run, out);
    }
    *out = state;
    return 0;
}

/* ---- loading ---- */

static int load_frame(const json_t *object, sh_frame *parent, const sh_machine *machine, sh_frame **out);

static const sh_machine *kid_machine(const sh_frame *frame, size_t index)
{
    if (frame->state->type == SH_STATE_MAP)
        return frame->state->machines[0];
    return frame->state->type == SH_STATE_PARALLEL && index < frame->state->machine_count
               ? frame->state->machines[index]
               : NULL;
}

/* The branches or items of the state; SIZE_MAX when it has none. */
static size_t parts(const sh_frame *frame)
{
    if (frame->state->type == SH_STATE_MAP && json_is_array(frame->items))
        return json_array_size(frame->items);
    return frame->state->type == SH_STATE_PARALLEL ? frame->state->machine_count : SIZE_MAX;
}

static int load_kids(sh_frame *frame, const json_t *object)
{
    const json_t *array = json_object_get(object, "kids");
    size_t count = json_array_size(array);

    if (frame->phase != SH_PHASE_KIDS)
        return 0;
    if (!json_is_array(array) || count > MAX_KIDS || !json_is_array(frame->results) ||
        json_array_size(frame->results) != parts(frame))
        return SH_E_FORMAT;
    frame->kids = calloc(count + 1, sizeof(*frame->kids));
    if (!frame->kids)
        return SH_E_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const json_t *kid = json_array_get(array, i);
        json_int_t index = json_integer_value(json_object_get(kid, "index"));
        const sh_machine *machine = index < 0 ? NULL : kid_machine(frame, (size_t)index);
        int status = machine && (size_t)index < json_array_size(frame->results)
                         ? load_frame(kid, frame, machine, &frame->kids[i])
                         : SH_E_FORMAT;

        if (status)
            return status;
        frame->kid_count++;
    }
    return 0;
}

static int load_fields(sh_frame *frame, const json_t *object)
{
    const json_t *attempts = json_object_get(object, "attempts");
    json_int_t phase = json_integer_value(json_object_get(object, "phase"));

    if (phase < SH_PHASE_ENTER || phase >= SH_PHASE_DONE || !json_object_get(object, "input"))
        return SH_E_FORMAT;
    frame->phase = (sh_phase)phase;
    frame->entered = json_is_true(json_object_get(object, "entered"));
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        const json_t *value = json_object_get(object, numbers[i].key);

        if (value)
            *(int64_t *)at(frame, &numbers[i]) = json_integer_value(value);
    }
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        json_int_t value = json_integer_value(json_object_get(object, sizes[i].key));

        if (value < 0)
            return SH_E_FORMAT;
        *(size_t *)at(frame, &sizes[i]) = (size_t)value;
    }
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        json_t **place = at(frame, &values[i]);

        json_decref(*place);
        *place = json_incref(json_object_get(object, values[i].key));
    }
    if (frame->variables && !json_is_object(frame->variables))
        return SH_E_FORMAT;
    for (size_t i = 0; i < frame->state->retrier_count; i++)
        frame->attempts[i] = json_integer_value(json_array_get(attempts, i));
    return 0;
}

static int load_frame(const json_t *object, sh_frame *parent, const sh_machine *machine, sh_frame **out)
{
    size_t position = sh_machine_find(machine, json_string_value(json_object_get(object, "state")));
    sh_frame *frame;
    int status;

    if (position == SH_NOWHERE)
        return SH_E_FORMAT;
    frame = sh_frame_new(parent, machine, &machine->states[position], json_object_get(object, "input"));
    if (!frame)
        return SH_E_MEMORY;
    status = load_fields(frame, object);
    if (!status)
        status = load_kids(frame, object);
    if (status)
        sh_frame_free(frame);
    else
        *out = frame;
    return status;
}

int sh_run_load(sh_run *run, const json_t *state, sh_err *err)
{
    const sh_machine *machine;
    size_t position;
    int status;

    if (json_integer_value(json_object_get(state, "v")) != VERSION)
        return sh_fail(err, SH_E_FORMAT, "the stored state of the execution is not of version %d", VERSION);
    run->start_ms = json_integer_value(json_object_get(state, "start"));
    run->deadline_ms = json_integer_value(json_object_get(state, "deadline"));
    run->last_event = json_integer_value(json_object_get(state, "events"));
    run->last_task = json_integer_value(json_object_get(state, "tasks"));
    run->input = json_incref(json_object_get(state, "input"));
    machine = sh_test_machine(run, &position);
    status = run->input && machine ? load_frame(json_object_get(state, "frame"), NULL, machine, &run->root)
                                   : SH_E_FORMAT;
    return status ? sh_fail(err, status,
                            status == SH_E_MEMORY
                                ? "out of memory"
                                : "the stored state of the execution does not fit its definition")
                  : 0;
}
