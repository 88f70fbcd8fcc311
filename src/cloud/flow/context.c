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
