/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an expression sees: the context object ($$), made for one state of one frame. */
#include "cloud/flow/engine.h"
#include "base/clock.h"
#include <string.h>

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
    bool ok;

    if (!frame->entered && frame->parent) /* ItemSelector belongs to the Map */
        frame = frame->parent;
    ok = put(state, "Name", json_string(frame->state->name)) &&
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

/* ---- what an expression sees ---- */

int sh_frame_variables(const sh_frame *frame, json_t **out)
{
    const sh_frame *only = NULL;
    json_t *all;
    int scopes = 0;

    for (const sh_frame *f = frame; f; f = f->parent)
        if (f->variables) {
            only = f;
            scopes++;
        }
    if (scopes <= 1) {
        *out = only ? json_incref(only->variables) : NULL;
        return 0;
    }
    all = json_object();
    for (; frame && all; frame = frame->parent)
        if (frame->variables && json_object_update_missing(all, frame->variables)) {
            json_decref(all);
            all = NULL;
        }
    *out = all;
    return all ? 0 : SH_E_MEMORY;
}

int sh_eval_begin(const sh_run *run, const sh_frame *frame, sh_fault *fault, sh_eval *eval)
{
    int status = 0;

    *eval = (sh_eval){.env = run->env, .fault = fault};
    if (run->flow->build.context || frame->state->computed)
        status = sh_context(run, frame, &eval->context);
    if (!status && run->flow->build.variables)
        status = sh_frame_variables(frame, &eval->variables);
    return status;
}

void sh_eval_end(sh_eval *eval)
{
    json_decref(eval->input);
    json_decref(eval->context);
    json_decref(eval->variables);
    json_decref(eval->bindings);
    *eval = (sh_eval){0};
}

/* {"input", "result", "errorOutput", "context"}; what is NULL is left out. */
static json_t *states_object(const sh_eval *eval, json_t *input, json_t *result, json_t *error)
{
    json_t *states = json_object();
    bool ok = states && !json_object_set(states, "input", input) &&
              (!result || !json_object_set(states, "result", result)) &&
              (!error || !json_object_set(states, "errorOutput", error)) &&
              (!eval->context || !json_object_set(states, "context", eval->context));

    if (ok)
        return states;
    json_decref(states);
    return NULL;
}

int sh_eval_states(sh_eval *eval, const sh_frame *frame, json_t *result, json_t *error)
{
    return frame->state->computed ? sh_eval_bind(eval, frame->input, result, error) : 0;
}

int sh_eval_bind(sh_eval *eval, json_t *input, json_t *result, json_t *error)
{
    json_t *bindings = eval->variables ? json_copy(eval->variables) : json_object();

    if (!put(bindings, "states", states_object(eval, input, result, error))) {
        json_decref(bindings);
        return SH_E_MEMORY;
    }
    json_decref(eval->bindings);
    eval->bindings = bindings;
    return 0;
}
