/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One execution, taken as far as it goes now, in one transaction: its events, its new state and timer, and
 * what its tasks changed (an action only changes rows) are on disk together or not at all. So a crash at any
 * moment leaves the execution at its last committed step, with no task called twice.
 *
 * A run of steps ends when the execution waits (for a timer, or for the end of what a .sync task started),
 * when it has ended, or when its slice of time is over: tasks not called by then become rows of their own and
 * the execution is due at once, behind the others.
 *
 * A run that fails for another reason than the disk would fail again: the execution is then FAILED with
 * States.Runtime and the reason, never stuck; should that fail, too, states_runner.c tries it again later. */
#include "base/log.h"
#include "cloud/api/states_event.h"
#include "cloud/store/outbox.h"
#include "cloud/api/states.h"
#include "cloud/api/states_map.h"
#include "cloud/api/states_session.h"
#include "cloud/api/states_token.h"
#include "cloud/api/steady.h"
#include "cloud/store/activities.h"

#include <stdlib.h>
#include <string.h>

#define RUN_MEMORY (256u << 20)
#define SLICE_US 20000
#define TASKS_MAX (1 << 20)

typedef struct pending {
    sh_wait wait; /* strings in the arena, or borrowed from the flow */
    json_t *parameters;
    bool gone;
} pending;

typedef struct sh_run {
    struct sh_run *outer;
    sh_cloud *cloud;
    sh_arena *arena;
    sh_execution execution;
    const sh_definition *definition;
    sh_actor actor; /* the machine */
    json_t *context;
    json_t *state; /* NULL before the first step */
    sh_flow_env env;
    pending *tasks; /* all that are neither answered nor cancelled, and some that are (gone) */
    size_t count, capacity;
    size_t first_new; /* none before is new */
    sh_flow_status status;
    bool stop; /* StopExecution came while the run was on */
    const char *stop_error, *stop_cause;
    int64_t deadline_us;
    bool calls_states; /* a task called this very service: something may have come for us within the run */
} sh_run;

bool sh_run_outage(int status)
{
    return status == SH_E_FULL || status == SH_E_IO;
}

/* ---- tasks ---- */

static bool has_activity(void *opaque, const char *arn)
{
    const sh_run *run = opaque;
    sh_activity activity;
    sh_err err = {0};
    /* another failure than that there is none shows in the next statement, too */
    return sh_activity_get(run->cloud->db, run->arena, arn, &activity, &err) != SH_E_NOT_FOUND;
}

static void write_token(void *opaque, int64_t task, char *text, size_t size)
{
    const sh_run *run = opaque;
    if (size >= SH_TOKEN_TEXT)
        sh_token_write(run->cloud, run->execution.id, run->execution.started_ms, task, NULL, text);
}

static int add_task(sh_run *run, const sh_wait *wait, json_t *parameters, sh_err *err)
{
    if (run->count == run->capacity) {
        size_t capacity = run->capacity ? 2 * run->capacity : 16;
        pending *tasks = capacity <= TASKS_MAX ? realloc(run->tasks, capacity * sizeof(*tasks)) : NULL;
        if (!tasks)
            return sh_fail(err, SH_E_MEMORY, "no memory for %zu tasks of an execution", capacity);
        run->tasks = tasks;
        run->capacity = capacity;
    }
    run->tasks[run->count++] = (pending){.wait = *wait, .parameters = json_incref(parameters)};
    return 0;
}

static const sh_flow_resource *find_resource(const sh_run *run, const char *state_name)
{
    const char *name;
    const sh_flow_resource *resource;
    for (size_t i = 0; (resource = sh_flow_resource_at(run->definition->flow, i, &name)); i++) {
        if (strcmp(name, state_name) == 0)
            return resource;
    }
    return NULL;
}

static void drop_task(sh_run *run, pending *task)
{
    json_decref(task->parameters);
    task->parameters = NULL;
    task->gone = true;
}

/* Nobody waits for it any more. */
static int cancel_task(sh_run *run, int64_t id, sh_err *err)
{
    for (size_t i = 0; i < run->count; i++) {
        pending *task = &run->tasks[i];
        if (task->gone || task->wait.task != id)
            continue;
        if (task->wait.stage == SH_WAIT_RUNNING)
            sh_task_cancel(run->cloud, run->arena, &run->actor, task->wait.service, task->wait.subject);
        drop_task(run, task);
        return sh_wait_remove(run->cloud->db, run->execution.id, id, err);
    }
    return 0;
}

typedef struct loading {
    sh_run *run;
    sh_err *err;
} loading;

static int load_task(void *opaque, const sh_wait *row)
{
    loading *l = opaque;
    sh_run *run = l->run;
    sh_wait wait = *row;
    json_t *parameters = NULL;
    wait.state_name = sh_arena_strdup(run->arena, row->state_name);
    wait.service = row->service ? sh_arena_strdup(run->arena, row->service) : NULL;
    wait.subject = row->subject ? sh_arena_strdup(run->arena, row->subject) : NULL;
    wait.news = row->news ? sh_arena_strdup(run->arena, row->news) : NULL;
    wait.parameters = NULL;
    if (!wait.state_name || (row->service && !wait.service) || (row->subject && !wait.subject) ||
        (row->news && !wait.news))
        return sh_fail(l->err, SH_E_MEMORY, "no memory for the tasks of an execution");
    int status =
        row->parameters ? sh_flow_load(&parameters, row->parameters, strlen(row->parameters), l->err) : 0;
    if (status == 0)
        status = add_task(run, &wait, parameters, l->err);
    json_decref(parameters);
    return status;
}

/* ---- one step ---- */

/* Writes what is gathered in `lines` and empties it. */
static int write_row(sh_run *run, int64_t first, sh_buf *lines, sh_err *err)
{
    if (lines->failed)
        return sh_fail(err, SH_E_MEMORY, "no memory for the history of an execution");
    int status =
        lines->length ? sh_history_add(run->cloud->db, run->execution.id, first, sh_buf_cstr(lines), err) : 0;
    sh_buf_clear(lines);
    return status;
}

static int write_history(sh_run *run, const json_t *history, sh_err *err)
{
    size_t index;
    const json_t *event;
    sh_buf lines;
    int64_t first = 0;
    int status = 0;
    sh_buf_init(&lines, RUN_MEMORY);
    json_array_foreach(history, index, event)
    {
        if (lines.length >= SH_HISTORY_ROW_MAX && (status = write_row(run, first, &lines, err)) < 0)
            break;
        if (lines.length == 0)
            first = json_integer_value(json_object_get(event, "id"));
        else
            sh_buf_putc(&lines, '\n');
        if (sh_flow_dump(&lines, event) < 0) {
            status = sh_fail(err, SH_E_MEMORY, "no memory for an event");
            break;
        }
    }
    if (status == 0)
        status = write_row(run, first, &lines, err);
    sh_buf_free(&lines);
    return status;
}

static const char *keep_text(sh_run *run, const char *text)
{
    return text ? sh_arena_strdup(run->arena, text) : NULL;
}

static int absorb_end(sh_run *run, const sh_flow_result *result, sh_err *err)
{
    sh_execution *e = &run->execution;
    e->status = sh_flow_status_name(result->status);
    e->error = keep_text(run, result->error);
    e->cause = keep_text(run, result->cause);
    char *output = result->output ? sh_flow_text(result->output) : NULL;
    e->output = keep_text(run, output);
    free(output);
    if ((result->output && !e->output) || (result->error && !e->error) || (result->cause && !e->cause))
        return sh_fail(err, SH_E_MEMORY, "no memory for the output of an execution");
    return 0;
}

static int absorb(sh_run *run, const sh_flow_result *result, sh_err *err)
{
    const sh_execution *e = &run->execution;
    const sh_logged logged = {&run->definition->logging, run->definition->machine_name, e->arn, e->started_ms,
                              e->redrive_count};
    int status = write_history(run, result->history, err);
    if (status == 0)
        status = sh_states_log(run->cloud, &logged, result->history, err);
    json_decref(run->state);
    run->state = json_incref(result->state);
    run->status = result->status;
    run->execution.timer_ms = result->wake_ms;
    for (size_t i = 0; status == 0 && i < result->cancelled_count; i++)
        status = cancel_task(run, result->cancelled[i], err);
    for (size_t i = 0; status == 0 && i < result->task_count; i++) {
        const sh_flow_task *task = &result->tasks[i];
        sh_wait wait = {.execution = run->execution.id,
                        .task = task->id,
                        .stage = SH_WAIT_NEW,
                        .state_name = task->state,
                        .scheduled_event = task->scheduled_event};
        status = add_task(run, &wait, task->parameters, err);
    }
    if (status == 0 && result->status != SH_FLOW_RUNNING)
        status = absorb_end(run, result, err);
    return status;
}

static int step(sh_run *run, const sh_flow_event *event, sh_err *err)
{
    sh_flow_result result = {0};
    run->env.now_ms = sh_now_ms(run->cloud->clock);
    run->env.steady_ms = sh_cloud_steady_ms(run->cloud);
    int status = sh_flow_step(run->definition->flow, &run->env, run->state, event, &result, err);
    if (status < 0)
        return status;
    if (!result.ignored)
        status = absorb(run, &result, err);
    else if (event->kind == SH_FLOW_TIMER) /* too early: the wall clock was set */
        run->execution.timer_ms = result.wake_ms;
    sh_flow_result_free(&result);
    return status;
}

/* Gives the answer of a task to the interpreter, if `status` says that its wait was put right; takes the
 * answer. */
static int step_answer(sh_run *run, int64_t task, sh_task_answer *answer, int status, sh_err *err)
{
    sh_flow_event event = {
        .kind = SH_FLOW_TASK_FAILED, .task = task, .error = answer->error, .cause = answer->cause};
    if (answer->output)
        event = (sh_flow_event){.kind = SH_FLOW_TASK_SUCCEEDED, .task = task, .output = answer->output};
    if (answer->waits)
        event.kind = SH_FLOW_TASK_SUBMITTED;
    if (status == 0 && !answer->quiet)
        status = step(run, &event, err);
    json_decref(answer->output);
    return status;
}

/* A task that others do: a worker of an activity, or a runner. */
static int hand_over(sh_run *run, size_t index, const sh_flow_resource *resource, sh_err *err)
{
    pending *task = &run->tasks[index];
    return sh_task_hand_over(run->cloud, resource, &task->wait, task->parameters, err);
}

/* Calls a new task. Its place in run->tasks may move while the answer is taken in: it is found by index. */
static int call_task(sh_run *run, size_t index, sh_err *err)
{
    sh_task_answer answer;
    int status = 0;
    sh_wait wait = run->tasks[index].wait;
    const sh_flow_resource *resource = find_resource(run, wait.state_name);
    if (!resource)
        return sh_fail(err, SH_E_INTERNAL, "state %s has no resource", wait.state_name);
    if (sh_task_elsewhere(resource))
        return hand_over(run, index, resource, err);
    if (resource->pattern ==
        SH_FLOW_TASK_TOKEN) { /* its row comes first: the call may use the token at once */
        wait.stage = SH_WAIT_RUNNING;
        wait.service = "token";
        status = sh_wait_add(run->cloud->db, &wait, err);
    }
    if (status == 0 && resource->kind == SH_FLOW_MAP_RUN)
        status = sh_map_start(run->cloud, run->arena, &run->execution, run->definition, wait.state_name,
                              run->tasks[index].parameters, &answer, err);
    else if (status == 0)
        status = sh_task_begin(run->cloud, run->arena, &run->actor, resource, run->tasks[index].parameters,
                               &answer, err);
    if (status < 0)
        return status;
    run->calls_states |= strcmp(resource->service, "states") == 0 || strcmp(resource->service, "sfn") == 0;
    if (answer.wait_for) {
        wait.stage = SH_WAIT_RUNNING;
        wait.service = answer.wait_service;
        wait.subject = answer.wait_for;
        status = sh_wait_add(run->cloud->db, &wait, err);
    }
    if (answer.waits) {
        run->tasks[index].wait = wait;
    } else {
        drop_task(run, &run->tasks[index]);
        status = sh_wait_remove(run->cloud->db, run->execution.id, wait.task, err);
    }
    return step_answer(run, wait.task, &answer, status, err);
}

/* A task of which something has come from outside. */
static int take_news(sh_run *run, size_t index, sh_err *err)
{
    sh_news news;
    int64_t task = run->tasks[index].wait.task;
    int status = sh_news_read(run->tasks[index].wait.news, task, &news, err);
    if (status < 0)
        return status;
    if (news.ended) {
        drop_task(run, &run->tasks[index]);
        status = sh_wait_remove(run->cloud->db, run->execution.id, task, err);
    } else {
        run->tasks[index].wait.stage = SH_WAIT_RUNNING;
        status = sh_wait_told(run->cloud->db, run->execution.id, task, err);
    }
    for (size_t i = 0; status == 0 && i < news.count; i++)
        status = step(run, &news.events[i], err);
    sh_news_clear(&news);
    return status;
}

/* A task whose subject has ended. */
static int finish_task(sh_run *run, size_t index, sh_err *err)
{
    sh_task_answer answer;
    sh_wait wait = run->tasks[index].wait;
    const sh_flow_resource *resource = find_resource(run, wait.state_name);
    if (!resource)
        return sh_fail(err, SH_E_INTERNAL, "state %s has no resource", wait.state_name);
    int status = sh_task_outcome(run->cloud, run->arena, &run->actor, resource, wait.subject, &answer, err);
    if (status < 0)
        return status;
    drop_task(run, &run->tasks[index]);
    status = sh_wait_remove(run->cloud->db, run->execution.id, wait.task, err);
    return step_answer(run, wait.task, &answer, status, err);
}

/* ---- a run ---- */

static int start(sh_run *run, sh_err *err)
{
    json_t *input = NULL;
    const char *text = run->execution.input;
    int status = sh_flow_load(&input, text, strlen(text), err);
    if (status == 0) {
        sh_flow_event event = {.kind = SH_FLOW_START, .output = input};
        status = step(run, &event, err);
    }
    json_decref(input);
    return status;
}

static bool goes_on(const sh_run *run)
{
    return run->status == SH_FLOW_RUNNING && !run->stop;
}

static int finish_ended(sh_run *run, sh_err *err)
{
    int status = 0;
    for (size_t i = 0; status == 0 && goes_on(run) && i < run->count; i++) {
        if (!run->tasks[i].gone && run->tasks[i].wait.stage == SH_WAIT_ENDED)
            status = finish_task(run, i, err);
        else if (!run->tasks[i].gone && run->tasks[i].wait.stage == SH_WAIT_NEWS)
            status = take_news(run, i, err);
    }
    return status;
}

static int call_new(sh_run *run, sh_err *err)
{
    int status = 0;
    for (; status == 0 && goes_on(run) && run->first_new < run->count; run->first_new++) {
        const pending *task = &run->tasks[run->first_new];
        if (task->gone || task->wait.stage != SH_WAIT_NEW)
            continue;
        if (sh_monotonic_us() >= run->deadline_us)
            break;
        status = call_task(run, run->first_new, err);
    }
    return status;
}

static int advance(sh_run *run, const sh_flow_event *event, sh_err *err)
{
    int status = run->state ? 0 : start(run, err);
    if (status == 0 && event && goes_on(run))
        status = step(run, event, err);
    if (event)
        return status;
    if (status == 0)
        status = finish_ended(run, err);
    int64_t timer_ms = run->execution.timer_ms;
    if (status == 0 && goes_on(run) && timer_ms >= 0 && timer_ms <= sh_now_ms(run->cloud->clock)) {
        sh_flow_event timer = {.kind = SH_FLOW_TIMER};
        status = step(run, &timer, err);
    }
    if (status == 0)
        status = call_new(run, err);
    if (status == 0 && run->stop && run->status == SH_FLOW_RUNNING) {
        sh_flow_event stop = {.kind = SH_FLOW_ABORT, .error = run->stop_error, .cause = run->stop_cause};
        status = step(run, &stop, err);
    }
    return status;
}

/* Rows for the tasks that are still to be called; *any when there are some. */
static int save_new_tasks(sh_run *run, bool *any, sh_err *err)
{
    int status = 0;
    for (size_t i = run->first_new; status == 0 && i < run->count; i++) {
        pending *task = &run->tasks[i];
        if (task->gone || task->wait.stage != SH_WAIT_NEW)
            continue;
        char *text = sh_flow_text(task->parameters);
        task->wait.parameters = text;
        status = text ? sh_wait_add(run->cloud->db, &task->wait, err)
                      : sh_fail(err, SH_E_MEMORY, "no memory for a task's parameters");
        task->wait.parameters = NULL;
        free(text);
        *any = true;
    }
    return status;
}

static int save_running(sh_run *run, sh_err *err)
{
    bool any = false;
    int status = save_new_tasks(run, &any, err);
    if (status == 0 && !any && run->calls_states)
        status = sh_wait_ready(run->cloud->db, run->execution.id, &any, err);
    char *text = status == 0 ? sh_flow_text(run->state) : NULL;
    if (status == 0 && !text)
        status = sh_fail(err, SH_E_MEMORY, "no memory for the state of an execution");
    run->execution.state = text;
    int64_t now_ms = sh_now_ms(run->cloud->clock);
    int64_t timer_ms = run->execution.timer_ms;
    bool gives_way = any || (timer_ms >= 0 && timer_ms <= now_ms);
    if (status == 0)
        status =
            sh_execution_save(run->cloud->db, &run->execution, gives_way ? now_ms : timer_ms, gives_way, err);
    run->execution.state = NULL;
    free(text);
    return status;
}

static int save_end(sh_cloud *cloud, sh_execution *execution, sh_err *err)
{
    int64_t now_ms = sh_now_ms(cloud->clock);
    execution->stopped_ms = now_ms;
    execution->timer_ms = -1;
    int status = sh_execution_save(cloud->db, execution, -1, false, err);
    if (status == 0)
        status = sh_wait_clear(cloud->db, execution->id, err);
    if (status == 0)
        status = sh_wait_notify(cloud->db, "states", execution->arn, now_ms, err);
    if (status == 0)
        status = sh_map_execution_ended(cloud, execution, err);
    if (status == 0)
        status = sh_states_announce(cloud, execution, err);
    sh_cloud_wake(cloud, SH_WAKE_FLOWS);
    return status;
}

static int save(sh_run *run, sh_err *err)
{
    if (run->status == SH_FLOW_RUNNING)
        return save_running(run, err);
    /* what failed may be driven again from where it stands */
    char *text = run->status == SH_FLOW_SUCCEEDED ? NULL : sh_flow_text(run->state);
    run->execution.state = text;
    int status = text || run->status == SH_FLOW_SUCCEEDED
                     ? save_end(run->cloud, &run->execution, err)
                     : sh_fail(err, SH_E_MEMORY, "no memory for the state of an execution");
    run->execution.state = NULL;
    free(text);
    return status;
}

/* In the context object of an execution that was driven again. */
static int add_redrive(json_t *context, const sh_execution *e)
{
    char text[SH_TIME_TEXT];
    json_t *execution = json_object_get(context, "Execution");
    if (!context || e->redrive_count == 0)
        return 0;
    sh_time_iso_ms(e->redriven_ms, text);
    return json_object_set_new(execution, "RedriveCount", json_integer(e->redrive_count)) |
           json_object_set_new(execution, "RedriveTime", json_string(text));
}

static int load(sh_run *run, int64_t id, sh_err *err)
{
    loading l = {run, err};
    const sh_execution *e = &run->execution;
    int status = sh_execution_by_id(run->cloud->db, run->arena, id, &run->execution, err);
    if (status < 0 || (status = sh_flow_cache_get(run->cloud, e->revision_row, &run->definition, err)) < 0 ||
        (e->state && (status = sh_flow_load(&run->state, e->state, strlen(e->state), err)) < 0) ||
        (status = sh_wait_list(run->cloud->db, id, load_task, &l, err)) < 0)
        return status;
    const sh_definition *d = run->definition;
    run->actor = (sh_actor){d->role_arn, d->machine_arn, e->trace_header};
    run->context =
        json_pack("{s:{s:s, s:s, s:s}, s:{s:s, s:s}}", "Execution", "Id", e->arn, "Name", e->name, "RoleArn",
                  d->role_arn, "StateMachine", "Id", d->machine_arn, "Name", d->machine_name);
    if (!run->context || add_redrive(run->context, e) < 0)
        return sh_fail(err, SH_E_MEMORY, "no memory for the context of an execution");
    run->env = (sh_flow_env){
        .context = run->context,
        .region = run->cloud->settings.region,
        .random = sh_world_random,
        .hash = sh_world_hash,
        .token = write_token,
        .activity = has_activity,
        .opaque = run,
    };
    return 0;
}

static void unload(sh_run *run)
{
    sh_flow_cache_put(run->cloud, run->definition);
    for (size_t i = 0; i < run->count; i++)
        json_decref(run->tasks[i].parameters);
    free(run->tasks);
    json_decref(run->context);
    json_decref(run->state);
    sh_arena_free(run->arena);
}

/* Loads, advances, saves. */
static int run_once(sh_cloud *cloud, int64_t id, const sh_flow_event *event, sh_err *err)
{
    struct sh_run **active = sh_flow_cache_active(cloud);
    sh_run run = {.outer = *active, .cloud = cloud, .status = SH_FLOW_RUNNING};
    run.deadline_us = sh_monotonic_us() + SLICE_US;
    run.arena = sh_arena_new(RUN_MEMORY);
    if (!run.arena)
        return sh_fail(err, SH_E_MEMORY, "no memory for a step");
    int status = load(&run, id, err);
    if (status == 0 && strcmp(run.execution.status, "RUNNING") == 0) {
        const char *before = sh_trace_set(run.execution.trace_header);
        *active = &run;
        status = advance(&run, event, err);
        *active = run.outer;
        sh_trace_set(before);
        if (status == 0)
            status = save(&run, err);
    }
    unload(&run);
    return status;
}

/* ---- failures ---- */

static int take_last(void *opaque, int64_t id, const char *event)
{
    *(int64_t *)opaque = id;
    return 0;
}

static int fail_rows(sh_cloud *cloud, sh_arena *arena, int64_t id, const char *cause, sh_err *err)
{
    sh_execution e;
    int64_t last = 0;
    int status = sh_execution_by_id(cloud->db, arena, id, &e, err);
    if (status == 0)
        status = sh_history_list(cloud->db, id, INT64_MAX, true, 1, take_last, &last, err);
    if (status < 0)
        return status;
    json_t *event =
        json_pack("{s:f, s:s, s:I, s:I, s:{s:s, s:s}}", "timestamp", (double)sh_now_ms(cloud->clock) / 1000.0,
                  "type", "ExecutionFailed", "id", (json_int_t)(last + 1), "previousEventId",
                  (json_int_t)last, "executionFailedEventDetails", "error", "States.Runtime", "cause", cause);
    char *text = event ? sh_flow_text(event) : NULL;
    json_decref(event);
    status = text ? sh_history_add(cloud->db, id, last + 1, text, err)
                  : sh_fail(err, SH_E_MEMORY, "no memory for an event");
    free(text);
    e.status = "FAILED";
    e.error = "States.Runtime";
    e.cause = cause;
    e.state = NULL;
    return status == 0 ? save_end(cloud, &e, err) : status;
}

static int fail_execution(sh_cloud *cloud, int64_t id, const char *cause, sh_err *err)
{
    sh_log(SH_LOG_ERROR, "states", "execution %lld: %s", (long long)id, cause);
    sh_arena *arena = sh_arena_new(RUN_MEMORY);
    if (!arena)
        return sh_fail(err, SH_E_MEMORY, "no memory to fail an execution");
    int status = sh_db_begin(cloud->db, err);
    if (status == 0)
        status = sh_db_end(cloud->db, fail_rows(cloud, arena, id, cause, err), err);
    sh_arena_free(arena);
    return status;
}

/* The run of that execution which is going on, if there is one. */
static sh_run *find_active(sh_cloud *cloud, int64_t id)
{
    sh_run *run = *sh_flow_cache_active(cloud);
    while (run && run->execution.id != id)
        run = run->outer;
    return run;
}

int sh_run_execution(sh_cloud *cloud, int64_t id, const sh_flow_event *event, sh_err *err)
{
    sh_err why = {0};
    sh_run *active = find_active(cloud, id);
    if (active) { /* it stops itself: once its step is done */
        active->stop = true;
        active->stop_error = event ? keep_text(active, event->error) : NULL;
        active->stop_cause = event ? keep_text(active, event->cause) : NULL;
        return 0;
    }
    int status = sh_db_begin(cloud->db, err);
    if (status < 0)
        return status;
    status = sh_db_end(cloud->db, run_once(cloud, id, event, &why), &why);
    if (status == 0)
        return 0;
    if (sh_run_outage(status))
        return sh_fail(err, status, "%s", why.message);
    return fail_execution(cloud, id, why.message, err);
}
