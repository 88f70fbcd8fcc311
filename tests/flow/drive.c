/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "drive.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PENDING = 4096, MAX_STEPS = 200000 };

typedef struct pending {
    int64_t at_ms;
    sh_flow_event event;
} pending;

typedef struct world {
    pending queue[MAX_PENDING];
    size_t count;
    int64_t now_ms, wake_ms;
    json_t *state;
    const json_t *script;
    size_t next_answer;
} world;

void drive_random(void *opaque, void *bytes, size_t length)
{
    memset(bytes, 0x5a, length);
}

/* Only good for tests: the text "md5:" and the like, and the length of the data. */
static size_t toy_hash(void *opaque, const char *algorithm, const void *bytes, size_t length,
                       unsigned char digest[64])
{
    if (strcmp(algorithm, "MD5"))
        return 0;
    memset(digest, (int)length, 16);
    return 16;
}

static void push(world *w, int64_t at_ms, const sh_flow_event *event)
{
    if (w->count < MAX_PENDING)
        w->queue[w->count++] = (pending){.at_ms = at_ms, .event = *event};
}

static void answer(world *w, const sh_flow_task *task)
{
    static json_t *nothing;
    const json_t *a = json_array_get(w->script, w->next_answer++), *beat;
    int64_t at_ms = w->now_ms + json_integer_value(json_object_get(a, "after"));
    sh_flow_event event = {.kind = SH_FLOW_TASK_SUCCEEDED, .task = task->id};
    size_t i;

    if (!nothing)
        nothing = json_object();
    json_array_foreach(json_object_get(a, "beats"), i, beat)
    {
        sh_flow_event heart = {.kind = SH_FLOW_TASK_HEARTBEAT, .task = task->id};

        push(w, w->now_ms + json_integer_value(beat), &heart);
    }
    if (json_object_get(a, "submitted")) {
        sh_flow_event submitted = {
            .kind = SH_FLOW_TASK_SUBMITTED, .task = task->id, .output = json_object_get(a, "submitted")};

        push(w, w->now_ms, &submitted);
    }
    if (json_object_get(a, "silent"))
        return;
    event.output = a ? json_object_get(a, "output") : nothing;
    if (json_object_get(a, "error")) {
        event.kind = SH_FLOW_TASK_FAILED;
        event.error = json_string_value(json_object_get(a, "error"));
        event.cause = json_string_value(json_object_get(a, "cause"));
    }
    push(w, at_ms, &event);
}

static void note_task(drive *d, const world *w, const sh_flow_task *task)
{
    json_t *note =
        json_pack("{s:I, s:s, s:s, s:s, s:O, s:I}", "id", (json_int_t)task->id, "state", task->state,
                  "service", task->resource->service, "action", task->resource->action, "parameters",
                  task->parameters, "at", (json_int_t)(w->now_ms - DRIVE_START_MS));

    if (task->token)
        json_object_set_new(note, "token", json_string(task->token));
    json_array_append_new(d->tasks, note);
}

/* As the service does: everything that is to survive goes through text. */
static bool keep_state(world *w, const json_t *state)
{
    char *text = sh_flow_text(state);
    json_t *again = NULL;
    sh_err err = {0};

    if (!text || sh_flow_load(&again, text, strlen(text), &err)) {
        fprintf(stderr, "state does not survive: %s\n", err.message);
        free(text);
        return false;
    }
    free(text);
    json_decref(w->state);
    w->state = again;
    return true;
}

static bool take(drive *d, world *w, sh_flow_result *result)
{
    bool ok = true;

    if (result->ignored)
        return true;
    json_array_extend(d->history, result->history);
    for (size_t i = 0; i < result->task_count; i++) {
        note_task(d, w, &result->tasks[i]);
        answer(w, &result->tasks[i]);
    }
    for (size_t i = 0; i < result->cancelled_count; i++)
        json_array_append_new(d->cancelled, json_integer(result->cancelled[i]));
    w->wake_ms = result->wake_ms;
    d->status = result->status;
    ok = keep_state(w, result->state);
    if (result->status != SH_FLOW_RUNNING) {
        d->output = json_incref(result->output);
        d->error = result->error ? strdup(result->error) : NULL;
        d->cause = result->cause ? strdup(result->cause) : NULL;
        d->end_ms = w->now_ms - DRIVE_START_MS;
    }
    return ok;
}

static bool step(drive *d, world *w, const sh_flow *flow, const json_t *context, const sh_flow_event *event)
{
    sh_flow_env env = {.now_ms = w->now_ms,
                       .context = context,
                       .region = "eu-west-1",
                       .random = drive_random,
                       .hash = toy_hash};
    sh_flow_result result = {0};
    sh_err err = {0};
    bool ok;

    d->steps++;
    if (sh_flow_step(flow, &env, w->state, event, &result, &err)) {
        fprintf(stderr, "step failed: %s\n", err.message);
        return false;
    }
    ok = take(d, w, &result);
    sh_flow_result_free(&result);
    return ok;
}

/* The earliest answer, SIZE_MAX if none comes before the timer. */
static size_t next_event(const world *w)
{
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < w->count; i++)
        if (best == SIZE_MAX || w->queue[i].at_ms < w->queue[best].at_ms)
            best = i;
    return best != SIZE_MAX && w->wake_ms >= 0 && w->wake_ms < w->queue[best].at_ms ? SIZE_MAX : best;
}

static bool advance(drive *d, world *w, const sh_flow *flow, const json_t *context)
{
    sh_flow_event event = {.kind = SH_FLOW_TIMER};
    size_t at = next_event(w);

    if (at == SIZE_MAX && w->wake_ms < 0) {
        fprintf(stderr, "the execution is stuck\n");
        return false;
    }
    if (at == SIZE_MAX) {
        if (w->wake_ms > w->now_ms)
            w->now_ms = w->wake_ms;
        json_array_append_new(d->wakes, json_integer(w->now_ms - DRIVE_START_MS));
    } else {
        if (w->queue[at].at_ms > w->now_ms)
            w->now_ms = w->queue[at].at_ms;
        event = w->queue[at].event;
        memmove(&w->queue[at], &w->queue[at + 1], (--w->count - at) * sizeof(*w->queue));
    }
    return step(d, w, flow, context, &event);
}

bool drive_run(drive *d, const sh_flow *flow, const json_t *input, const json_t *script)
{
    world *w = calloc(1, sizeof(*w));
    sh_flow_event start = {.kind = SH_FLOW_START, .output = input};
    json_t *context = json_pack("{s:{s:s, s:s, s:s}, s:{s:s, s:s}}", "Execution", "Id",
                                "arn:aws:states:eu-west-1:012345678901:execution:m:e", "Name", "e", "RoleArn",
                                "arn:aws:iam::012345678901:role/r", "StateMachine", "Id",
                                "arn:aws:states:eu-west-1:012345678901:stateMachine:m", "Name", "m");
    bool ok;

    *d = (drive){
        .history = json_array(), .tasks = json_array(), .wakes = json_array(), .cancelled = json_array()};
    w->now_ms = DRIVE_START_MS;
    w->script = script;
    ok = step(d, w, flow, context, &start);
    while (ok && d->status == SH_FLOW_RUNNING)
        ok = d->steps < MAX_STEPS && advance(d, w, flow, context);
    json_decref(w->state);
    json_decref(context);
    free(w);
    return ok;
}

void drive_free(drive *d)
{
    json_decref(d->history);
    json_decref(d->tasks);
    json_decref(d->wakes);
    json_decref(d->cancelled);
    json_decref(d->output);
    free(d->error);
    free(d->cause);
    *d = (drive){0};
}

char *drive_types(const drive *d)
{
    char *text = NULL;
    size_t size = 0, i;
    FILE *out = open_memstream(&text, &size);
    json_t *event;

    json_array_foreach(d->history, i, event)
        fprintf(out, "%s%s", i ? " " : "", json_string_value(json_object_get(event, "type")));
    fclose(out);
    return text;
}
