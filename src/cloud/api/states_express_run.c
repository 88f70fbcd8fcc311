/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An express execution lives in memory and has no history. It ends after five minutes at the latest. Its
 * tasks are calls that answer at once (the definition was checked for that), each in a transaction of its
 * own. */
#include "base/log.h"
#include "cloud/api/states_effect.h"
#include "cloud/api/states_express.h"
#include "cloud/api/steady.h"

#include <stdlib.h>
#include <string.h>

#define STRINGS_MAX (4u << 20)
#define LIFE_MS (5 * 60 * 1000)
#define SLICE_US 20000
#define RETRY_MS 1000
#define EARLY_MS 100
#define TASKS_MAX (1 << 16)
#define BILLED_MS 100
#define BILLED_MB 64

/* ---- making ---- */

static const char *keep(sh_express *x, const char *text, bool *failed)
{
    const char *copy = text ? sh_arena_strdup(x->strings, text) : NULL;
    if (text && !copy)
        *failed = true;
    return copy;
}

static int copy_strings(sh_express *x, const sh_machine *machine, const sh_express_row *row, sh_err *err)
{
    bool failed = false;
    x->arn = keep(x, row->arn, &failed);
    x->name = keep(x, row->name, &failed);
    x->input = keep(x, row->input, &failed);
    x->trace_header = keep(x, row->trace_header, &failed);
    x->machine_arn = keep(x, machine->arn, &failed);
    x->machine_name = keep(x, machine->name, &failed);
    x->role = keep(x, machine->role_arn, &failed);
    x->context =
        failed ? NULL
               : json_pack("{s:{s:s, s:s, s:s}, s:{s:s, s:s}}", "Execution", "Id", x->arn, "Name", x->name,
                           "RoleArn", x->role, "StateMachine", "Id", x->machine_arn, "Name", x->machine_name);
    if (!x->context)
        return sh_fail(err, SH_E_MEMORY, "no memory for an execution");
    return sh_logging_read(&x->logging, machine->logging, x->strings, err);
}

int sh_express_make(sh_express **out, sh_cloud *cloud, const sh_machine *machine, const sh_express_row *row,
                    sh_err *err)
{
    sh_express *x = calloc(1, sizeof(*x));
    if (!x)
        return sh_fail(err, SH_E_MEMORY, "no memory for an execution");
    x->cloud = cloud;
    x->row = row->id;
    x->awaited = row->awaited;
    x->started_ms = row->started_ms;
    x->wake_ms = sh_express_now(cloud);
    x->deadline_ms = x->wake_ms + LIFE_MS;
    x->strings = sh_arena_new(STRINGS_MAX);
    int status = x->strings ? copy_strings(x, machine, row, err)
                            : sh_fail(err, SH_E_MEMORY, "no memory for an execution");
    if (status == 0)
        status = sh_flow_parse(&x->flow, machine->definition, strlen(machine->definition), NULL, err);
    if (status < 0) {
        sh_express_unmake(x);
        return status;
    }
    *out = x;
    return 0;
}

static void drop_tasks(sh_express *x)
{
    for (size_t i = x->called; i < x->task_count; i++) {
        json_decref(x->tasks[i].parameters);
        json_decref(x->tasks[i].credentials);
    }
    x->called = x->task_count = 0;
}

void sh_express_unmake(sh_express *x)
{
    if (!x)
        return;
    drop_tasks(x);
    free(x->tasks);
    json_decref(x->context);
    json_decref(x->state);
    sh_flow_free(x->flow);
    free(x->output);
    free(x->error);
    free(x->cause);
    sh_arena_free(x->strings);
    free(x);
}

int64_t sh_express_now(const sh_cloud *cloud)
{
    int64_t steady_ms = sh_cloud_steady_ms(cloud);
    return steady_ms ? steady_ms : sh_now_ms(cloud->clock);
}

/* ---- steps ---- */

static void end(sh_express *x, const char *status, const char *error, const char *cause)
{
    x->ended = true;
    x->status = status;
    x->stopped_ms = sh_now_ms(x->cloud->clock);
    x->error = error ? strdup(error) : NULL;
    x->cause = cause ? strdup(cause) : NULL;
    drop_tasks(x);
}

static int add_task(sh_express *x, const sh_flow_task *task, sh_err *err)
{
    if (x->task_count == x->task_capacity) {
        size_t capacity = x->task_capacity ? 2 * x->task_capacity : 8;
        sh_express_task *tasks = capacity <= TASKS_MAX ? realloc(x->tasks, capacity * sizeof(*tasks)) : NULL;
        if (!tasks)
            return sh_fail(err, SH_E_MEMORY, "no memory for %zu tasks of an execution", capacity);
        x->tasks = tasks;
        x->task_capacity = capacity;
    }
    x->tasks[x->task_count++] = (sh_express_task){
        .state = task->state,
        .resource = task->resource,
        .id = task->id,
        .parameters = json_incref(task->parameters),
        .credentials = json_incref(task->credentials),
    };
    return 0;
}

/* A task that nobody waits for any more is not called. */
static void cancel_task(sh_express *x, int64_t id)
{
    for (size_t i = x->called; i < x->task_count; i++) {
        if (x->tasks[i].id == id)
            x->tasks[i].resource = NULL;
    }
}

static void absorb_end(sh_express *x, const sh_flow_result *result)
{
    bool timed_out = result->status == SH_FLOW_TIMED_OUT;
    end(x, sh_flow_status_name(result->status), timed_out ? "States.Timeout" : result->error, result->cause);
    if (result->output)
        x->output = sh_flow_text(result->output);
}

static int log_events(const sh_express *x, const json_t *history, sh_err *err)
{
    const sh_logged logged = {&x->logging, x->machine_name, x->arn, x->started_ms, 0};
    return sh_states_log(x->cloud, &logged, history, err);
}

static int step(sh_express *x, const sh_flow_event *event, sh_err *err)
{
    sh_flow_result result = {0};
    sh_flow_env env = {
        .now_ms = sh_now_ms(x->cloud->clock),
        .steady_ms = sh_cloud_steady_ms(x->cloud),
        .context = x->context,
        .region = x->cloud->settings.region,
        .unrecorded = true,
        .random = sh_world_random,
        .hash = sh_world_hash,
    };
    int status = sh_flow_step(x->flow, &env, x->state, event, &result, err);
    if (status == 0 && !result.ignored && (status = log_events(x, result.history, err)) < 0)
        sh_flow_result_free(&result);
    if (status < 0)
        return status;
    if (!result.ignored) {
        json_decref(x->state);
        x->state = json_incref(result.state);
        x->wake_ms = result.wake_ms < 0 ? -1 : sh_express_now(x->cloud) + result.wake_ms - env.now_ms;
        for (size_t i = 0; i < result.cancelled_count; i++)
            cancel_task(x, result.cancelled[i]);
        for (size_t i = 0; status == 0 && i < result.task_count; i++)
            status = add_task(x, &result.tasks[i], err);
        if (status == 0 && result.status != SH_FLOW_RUNNING)
            absorb_end(x, &result);
    } else if (event->kind == SH_FLOW_TIMER) { /* the wall clock was set back before a Timestamp */
        x->wake_ms = sh_express_now(x->cloud) + EARLY_MS;
    }
    sh_flow_result_free(&result);
    return status;
}

static int start(sh_express *x, sh_err *err)
{
    json_t *input = NULL;
    int status = sh_flow_load(&input, x->input, strlen(x->input), err);
    sh_flow_event event = {.kind = SH_FLOW_START, .output = input};
    if (status == 0)
        status = step(x, &event, err);
    json_decref(input);
    return status;
}

static int take_answer(void *opaque, const sh_flow_event *event, sh_err *err)
{
    return step(opaque, event, err);
}

static int call_task(sh_express *x, const sh_express_task *task, sh_err *err)
{
    const sh_actor actor = {x->role, x->machine_arn};
    return sh_effect_or_task(x->cloud, &actor, task->resource, task->parameters, task->id, take_answer, x,
                             err);
}

/* Calls the next task; it stays the next one when the disk fails. */
static int call_next(sh_express *x, sh_err *err)
{
    sh_express_task task = x->tasks[x->called];
    int status = task.resource ? call_task(x, &task, err) : 0;
    if (sh_run_outage(status) || x->ended) /* the end has dropped all tasks, this one, too */
        return status;
    json_decref(task.parameters);
    json_decref(task.credentials);
    if (++x->called == x->task_count)
        x->called = x->task_count = 0;
    return status;
}

static bool has_tasks(const sh_express *x)
{
    return !x->ended && x->called < x->task_count;
}

static int go_on(sh_express *x, sh_err *err)
{
    int64_t until_us = sh_monotonic_us() + SLICE_US;
    int status = x->state ? 0 : start(x, err);
    do {
        int64_t now_ms = sh_express_now(x->cloud);
        if (status == 0 && !x->ended && x->wake_ms >= 0 && x->wake_ms <= now_ms) {
            sh_flow_event timer = {.kind = SH_FLOW_TIMER};
            status = step(x, &timer, err);
        }
        while (status == 0 && has_tasks(x) && sh_monotonic_us() < until_us)
            status = call_next(x, err);
        if (status < 0 || x->ended || has_tasks(x) || x->wake_ms < 0 || x->wake_ms > now_ms)
            break;
    } while (sh_monotonic_us() < until_us);
    return status;
}

/* The end of its time is no event of the interpreter's. */
static void log_timeout(const sh_express *x)
{
    sh_err err = {0};
    json_t *history =
        json_pack("[{s:f, s:s, s:i, s:i, s:{s:s}}]", "timestamp", (double)sh_now_ms(x->cloud->clock) / 1000.0,
                  "type", "ExecutionTimedOut", "id", 0, "previousEventId", 0, "executionTimedOutEventDetails",
                  "error", "States.Timeout");
    int status =
        history ? log_events(x, history, &err) : sh_fail(&err, SH_E_MEMORY, "no memory for an event");
    if (status < 0)
        sh_log(SH_LOG_ERROR, "states", "the end of %s is not in its log: %s", x->arn, err.message);
    json_decref(history);
}

void sh_express_advance(sh_express *x)
{
    sh_err err = {0};
    int64_t now_ms = sh_express_now(x->cloud);
    if (now_ms >= x->deadline_ms) {
        log_timeout(x);
        end(x, "TIMED_OUT", "States.Timeout", NULL);
        return;
    }
    int status = go_on(x, &err);
    if (x->ended)
        return;
    now_ms = sh_express_now(x->cloud);
    if (sh_run_outage(status)) {
        sh_log(SH_LOG_ERROR, "states", "execution %s stands still, to be tried again: %s", x->arn,
               err.message);
        x->wake_ms = now_ms + RETRY_MS;
    } else if (status < 0) {
        end(x, "FAILED", "States.Runtime", err.message);
    } else if (has_tasks(x)) {
        x->wake_ms = now_ms;
    }
    if (x->wake_ms < 0 || x->wake_ms > x->deadline_ms)
        x->wake_ms = x->deadline_ms;
}

/* ---- the end ---- */

json_t *sh_express_answer(const sh_express *x, bool metadata_only)
{
    int failed = 0;
    int64_t ms = x->stopped_ms > x->started_ms ? x->stopped_ms - x->started_ms : 1;
    json_int_t billed = (json_int_t)((ms + BILLED_MS - 1) / BILLED_MS * BILLED_MS);
    json_t *out =
        json_pack("{s:s, s:s, s:s, s:s, s:f, s:f, s:{s:b}, s:{s:b}, s:{s:I, s:i}}", "executionArn", x->arn,
                  "stateMachineArn", x->machine_arn, "name", x->name, "status", x->status, "startDate",
                  (double)x->started_ms / 1000.0, "stopDate", (double)x->stopped_ms / 1000.0, "inputDetails",
                  "included", !metadata_only, "outputDetails", "included", !metadata_only, "billingDetails",
                  "billedDurationInMilliseconds", billed, "billedMemoryUsedInMB", BILLED_MB);
    const char *const names[] = {"input", "output", "error", "cause", "traceHeader"};
    const char *const values[] = {metadata_only ? NULL : x->input, metadata_only ? NULL : x->output, x->error,
                                  x->cause, x->trace_header};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (values[i] && json_object_set_new(out, names[i], json_string(values[i])) < 0)
            failed = SH_E_MEMORY;
    }
    if (!failed)
        return out;
    json_decref(out);
    return NULL;
}
