/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz driver for definitions. One that is accepted is also run for some steps: its tasks succeed and fail in
 * turn, its timers come when they are due, and its state goes through text between any two steps. */
#include "fuzz.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_STEPS = 6 };

static const char input_text[] = "{\"a\":[1,2.5,{\"b\":\"c\"},[\"x\",null]],\"k\":{\"a\":true,\"d-e\":"
                                 "\"\\u00fc\"},\"s\":\"text\",\"n\":1,\"t\":"
                                 "\"2030-01-01T00:00:00Z\"}";

/* Takes the state's reference; what comes back is new. */
static json_t *through_text(json_t *state)
{
    char *text = sh_flow_text(state);
    json_t *again = NULL;

    assert(text);
    assert(!sh_flow_load(&again, text, strlen(text), NULL) || !again);
    free(text);
    json_decref(state);
    return again;
}

static void choose_event(sh_flow_event *event, sh_flow_env *env, const sh_flow_result *result, json_t *answer,
                         int step)
{
    *event = (sh_flow_event){.kind = SH_FLOW_TIMER};
    if (result->task_count) {
        event->kind = step % 2 ? SH_FLOW_TASK_FAILED : SH_FLOW_TASK_SUCCEEDED;
        event->task = result->tasks[0].id;
        event->output = answer;
        event->error = step % 2 ? "E" : NULL;
    } else if (result->wake_ms > env->now_ms) {
        env->now_ms = result->wake_ms;
    }
}

static void run_flow(const sh_flow *flow, json_t *input)
{
    sh_flow_env env = fuzz_env();
    sh_flow_event event = {.kind = SH_FLOW_START, .output = input};
    sh_flow_result result = {0};
    json_t *state = NULL;

    for (int step = 0; step < MAX_STEPS; step++) {
        bool goes_on;

        if (sh_flow_step(flow, &env, state, &event, &result, NULL))
            break;
        assert(result.ignored || (result.state && result.history));
        if (!result.ignored) {
            json_decref(state);
            state = through_text(json_incref(result.state));
        }
        goes_on = state && result.status == SH_FLOW_RUNNING && (result.task_count || result.wake_ms >= 0);
        choose_event(&event, &env, &result, input, step);
        sh_flow_result_free(&result);
        if (!goes_on)
            break;
    }
    json_decref(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *problems = NULL, *input = NULL;
    sh_flow *flow = NULL;
    sh_err err = {0};

    if (sh_flow_parse(&flow, (const char *)data, size, &problems, &err)) {
        assert(!flow && err.message[0] && err.status);
    } else if (!sh_flow_load(&input, input_text, sizeof(input_text) - 1, NULL)) {
        run_flow(flow, input);
    }
    json_decref(input);
    json_decref(problems);
    sh_flow_free(flow);
    return 0;
}
