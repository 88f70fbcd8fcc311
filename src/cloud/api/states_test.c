/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TestState: one state alone, in memory. A task is called at once; a state that waits holds the call. It
 * lasts five minutes at the most. */
#include "cloud/api/args.h"
#include "cloud/api/hold.h"
#include "cloud/api/states_effect.h"
#include "cloud/api/states_test.h"

#include <stdlib.h>
#include <string.h>

#define LIFE_MS (5 * 60 * 1000)

/* ---- the run ---- */

static int call_task(sh_state_test *t, const sh_flow_task *task, sh_err *err);

static void take_end(sh_state_test *t, sh_flow_result *result)
{
    t->ended = true;
    t->status = result->status;
    t->output = json_incref(result->output);
    t->error = result->error;
    t->cause = result->cause;
    result->error = result->cause = NULL;
}

static int step(sh_state_test *t, const sh_flow_event *event, int64_t now_ms, sh_err *err)
{
    sh_flow_result result = {0};
    sh_flow_env env = {
        .now_ms = now_ms,
        .context = t->context,
        .region = t->cloud->settings.region,
        .random = sh_world_random,
        .hash = sh_world_hash,
        .test = &t->test,
    };
    int status = sh_flow_step(t->flow, &env, t->state, event, &result, err);
    if (status < 0)
        return status;
    if (!result.ignored) {
        json_decref(t->state);
        t->state = json_incref(result.state);
        t->wake_ms = result.wake_ms;
        if (result.status != SH_FLOW_RUNNING)
            take_end(t, &result);
        for (size_t i = 0; status == 0 && !t->ended && i < result.task_count; i++)
            status = call_task(t, &result.tasks[i], err);
    }
    sh_flow_result_free(&result);
    return status;
}

static int take_answer(void *opaque, const sh_flow_event *event, sh_err *err)
{
    sh_state_test *t = opaque;
    return step(t, event, sh_now_ms(t->cloud->clock), err);
}

/* A distributed Map is a task, too: its mock comes in here. */
static int answer_mocked(sh_state_test *t, const sh_flow_task *task, sh_err *err)
{
    sh_flow_event event = {.kind = SH_FLOW_TASK_SUCCEEDED, .task = task->id, .output = t->test.result};
    if (t->test.error)
        event = (sh_flow_event){
            .kind = SH_FLOW_TASK_FAILED, .task = task->id, .error = t->test.error, .cause = t->test.cause};
    return take_answer(t, &event, err);
}

static int call_task(sh_state_test *t, const sh_flow_task *task, sh_err *err)
{
    if (t->test.mock)
        return answer_mocked(t, task, err);
    const sh_actor actor = {t->role, NULL};
    return sh_effect_or_task(t->cloud, &actor, task->resource, task->parameters, task->id, take_answer, t,
                             err);
}

static int time_out(sh_state_test *t)
{
    t->ended = true;
    t->status = SH_FLOW_FAILED;
    t->error = strdup("States.Timeout");
    return 0;
}

/* Takes it as far as it goes. Without a way to wait the time is taken to have come. */
static int advance(sh_state_test *t, bool can_wait, sh_err *err)
{
    int64_t now_ms = sh_now_ms(t->cloud->clock);
    int status = 0;
    if (!t->state) {
        sh_flow_event start = {.kind = SH_FLOW_START, .output = t->input};
        t->deadline_ms = now_ms + LIFE_MS;
        status = step(t, &start, now_ms, err);
    }
    while (status == 0 && !t->ended) {
        if (t->wake_ms < 0 || t->wake_ms > t->deadline_ms)
            t->wake_ms = t->deadline_ms;
        if (can_wait && t->wake_ms > now_ms)
            break;
        if (t->wake_ms >= t->deadline_ms)
            return time_out(t);
        sh_flow_event timer = {.kind = SH_FLOW_TIMER};
        status = step(t, &timer, t->wake_ms > now_ms ? t->wake_ms : now_ms, err);
    }
    return status;
}

/* ---- the answer ---- */

/* What is still the input as it came is shown as it was written. */
static void put_value(int *failed, json_t *out, const char *name, const json_t *value, const sh_state_test *t)
{
    char *text = value == t->input ? strdup(t->written) : sh_flow_text(value);
    sh_put(failed, out, name, text ? json_string(text) : NULL);
    free(text);
}

/* Values as their texts, but for those that the API has as numbers and objects. */
static json_t *inspection(int *failed, const sh_state_test *t)
{
    static const char *const plain[] = {"errorDetails", "maxConcurrency", "toleratedFailureCount",
                                        "toleratedFailurePercentage"};
    const char *name;
    json_t *value, *out = json_object();
    json_object_foreach(t->test.inspection, name, value)
    {
        bool as_is = false;
        for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
            as_is = as_is || strcmp(name, plain[i]) == 0;
        if (as_is)
            sh_put(failed, out, name, json_incref(value));
        else
            put_value(failed, out, name, value, t);
    }
    if (t->count)
        sh_put(failed, out, "toleratedFailureCount", json_incref(t->count));
    if (t->percentage)
        sh_put(failed, out, "toleratedFailurePercentage", json_incref(t->percentage));
    return out;
}

static const char *status_name(const sh_state_test *t)
{
    if (t->test.end == SH_FLOW_TEST_RETRIABLE)
        return "RETRIABLE";
    if (t->test.end == SH_FLOW_TEST_CAUGHT)
        return "CAUGHT_ERROR";
    return t->status == SH_FLOW_SUCCEEDED ? "SUCCEEDED" : "FAILED";
}

static int answer(sh_call *call, sh_state_test *t)
{
    int failed = 0;
    int status = sh_out_new(call);
    if (status < 0)
        return status;
    if (t->output)
        put_value(&failed, call->out, "output", t->output, t);
    bool caught = t->test.end == SH_FLOW_TEST_CAUGHT;
    sh_put_text(&failed, call->out, "error", caught ? t->test.caught_error : t->error);
    sh_put_text(&failed, call->out, "cause", caught ? t->test.caught_cause : t->cause);
    if (t->status == SH_FLOW_SUCCEEDED)
        sh_put_text(&failed, call->out, "nextState", t->test.next);
    sh_put_text(&failed, call->out, "status", status_name(t));
    if (t->inspect && t->test.inspection)
        sh_put(&failed, call->out, "inspectionData", inspection(&failed, t));
    return sh_out_done(call, failed);
}

static void forget(sh_cloud *cloud, void *kept)
{
    (void)cloud;
    sh_state_test_clear(kept);
    free(kept);
}

/* Goes on with what was begun; takes t. */
static int proceed(sh_call *call, sh_state_test *t)
{
    sh_err err = {0};
    int status = advance(t, call->hold != NULL, &err);
    if (status < 0) {
        status = sh_call_fail_internal(call, &err);
    } else if (!t->ended) {
        int64_t wait_ms = t->wake_ms - sh_now_ms(call->cloud->clock);
        call->kept = t;
        call->forget = forget;
        sh_call_wait_for(call, "test", sh_monotonic_us() + (wait_ms > 0 ? wait_ms : 0) * 1000);
        return SH_CALL_LATER;
    } else {
        status = answer(call, t);
    }
    forget(call->cloud, t);
    call->kept = NULL;
    return status;
}

int sh_states_test(sh_call *call)
{
    if (call->kept)
        return proceed(call, call->kept);
    sh_state_test *t = calloc(1, sizeof(*t));
    if (!t)
        return sh_out_done(call, SH_E_MEMORY);
    int status = sh_state_test_read(call, t);
    if (status == 0)
        return proceed(call, t);
    forget(call->cloud, t);
    return status;
}
