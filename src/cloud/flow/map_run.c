/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A distributed Map: to the interpreter it is a task of the service, whose parameters (flow.h) say everything
 * that is needed to run it. What depends on the state's input is evaluated on entry; ItemSelector is
 * evaluated item by item, by the service, since the items may come from an object. What it sees goes with the
 * parameters: Selector: {Input: $, Context: $$ but for Map, Variables} The chain of events:
 * MapStateStarted, MapRunStarted; MapRunSucceeded, MapStateSucceeded and MapStateExited all follow
 * MapRunStarted, MapStateFailed follows MapRunFailed. */
#include "cloud/flow/engine.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ARN = 2048 };

/* Values are given away. False when memory is short. */
static bool put(json_t *object, const char *key, json_t *value)
{
    return !json_object_set_new(object, key, value);
}

static bool put_shared(json_t *object, const char *key, json_t *value)
{
    return !value || !json_object_set(object, key, value);
}

/* ---- names ---- */

static void uuid(const sh_run *run, char text[40])
{
    unsigned char b[16] = {0};

    if (run->env->random)
        run->env->random(run->env->opaque, b, sizeof(b));
    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;
    snprintf(text, 40, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

/* arn:aws:states:R:A:stateMachine:NAME[/LABEL] -> the part before "stateMachine:", and NAME */
static bool split_machine(const sh_run *run, int *head, const char **start, const char **name, int *length)
{
    const char *arn =
        json_string_value(json_object_get(json_object_get(run->env->context, "StateMachine"), "Id"));
    const char *kind = arn ? strstr(arn, "stateMachine:") : NULL;

    if (!kind)
        return false;
    *start = arn;
    *head = (int)(kind - arn);
    *name = kind + strlen("stateMachine:");
    *length = (int)strcspn(*name, "/:");
    return true;
}

static int put_names(const sh_run *run, const sh_map *map, json_t *parameters)
{
    char id[40], arn[MAX_ARN];
    const char *start = "", *name = "";
    int head = 0, length = 0;
    bool ok;

    split_machine(run, &head, &start, &name, &length);
    uuid(run, id);
    snprintf(arn, sizeof(arn), "%.*smapRun:%.*s/%s:%s", head, start, length, name, map->label, id);
    ok = put(parameters, "MapRunArn", json_string(arn));
    snprintf(arn, sizeof(arn), "%.*sstateMachine:%.*s/%s", head, start, length, name, map->label);
    ok = put(parameters, "StateMachineArn", json_string(arn)) && ok;
    ok = put(parameters, "Label", json_string(map->label)) && ok;
    return put(parameters, "Express", json_boolean(map->express)) && ok ? 0 : SH_E_MEMORY;
}

/* ---- what the run is to do ---- */

static int put_number(const sh_number_field *field, const sh_eval *eval, json_t *parameters, const char *key)
{
    double value = 0;
    int status = field->given ? sh_map_number(field, eval, &value) : 0;
    json_t *number = value == (double)(json_int_t)value ? json_integer((json_int_t)value) : json_real(value);

    if (status || !field->given) {
        json_decref(number);
        return status;
    }
    return put(parameters, key, number) ? 0 : SH_E_MEMORY;
}

static int put_template(const sh_template *template, const sh_eval *eval, json_t *object, const char *key)
{
    json_t *value = NULL;
    int status = template ? sh_template_eval(template, eval, &value) : 0;

    if (!status && value && !put_shared(object, key, value))
        status = SH_E_MEMORY;
    json_decref(value);
    return status;
}

static int put_reader(const sh_map *map, const sh_eval *eval, json_t *parameters)
{
    json_t *reader = json_object();
    int status = put_shared(reader, "Config", map->reader_config) &&
                         put(reader, "Resource", json_string(map->resource))
                     ? 0
                     : SH_E_MEMORY;

    if (!status)
        status = put_template(map->reader, eval, reader, "Parameters");
    if (!status)
        status = put_number(&map->max_items, eval, reader, "MaxItems");
    if (!status && !put_shared(parameters, "Reader", reader))
        status = SH_E_MEMORY;
    json_decref(reader);
    return status;
}

static int put_items(const sh_frame *frame, const sh_eval *eval, json_t *parameters)
{
    json_t *items = NULL;
    int status = sh_map_items(frame, eval, &items);

    if (!status && !put_shared(parameters, "Items", items))
        status = SH_E_MEMORY;
    json_decref(items);
    return status;
}

static int put_batch(const sh_map *map, const sh_eval *eval, json_t *parameters)
{
    json_t *batch = map->batched ? json_object() : NULL;
    int status = map->batched && !batch ? SH_E_MEMORY : 0;

    if (batch)
        status = put_number(&map->batch_items, eval, batch, "MaxItems");
    if (batch && !status)
        status = put_number(&map->batch_bytes, eval, batch, "MaxBytes");
    if (batch && !status)
        status = put_template(map->batch_input, eval, batch, "Input");
    if (!status && !put_shared(parameters, "Batch", batch))
        status = SH_E_MEMORY;
    json_decref(batch);
    return status;
}

static int put_writer(const sh_map *map, const sh_eval *eval, json_t *parameters)
{
    json_t *writer;
    int status;

    if (!map->transformation)
        return 0;
    writer = json_pack("{s:s, s:s}", "Transformation", map->transformation, "OutputType",
                       map->lines ? "JSONL" : "JSON");
    status = writer ? put_template(map->writer, eval, writer, "Parameters") : SH_E_MEMORY;
    if (!status && !put_shared(parameters, "Writer", writer))
        status = SH_E_MEMORY;
    json_decref(writer);
    return status;
}

static int put_selector(const sh_run *run, const sh_frame *frame, const sh_eval *eval, json_t *input,
                        json_t *parameters)
{
    json_t *selector = NULL, *context = NULL;
    int status = 0;

    if (!frame->state->item_selector)
        return 0;
    if (eval->context)
        context = json_incref(eval->context);
    else
        status = sh_context(run, frame, &context);
    selector = json_object();
    if (!status && (!put_shared(selector, "Input", input) || !put_shared(selector, "Context", context) ||
                    !put_shared(selector, "Variables", eval->variables) ||
                    !put_shared(parameters, "Selector", selector)))
        status = SH_E_MEMORY;
    json_decref(selector);
    json_decref(context);
    return status;
}

static int describe(const sh_run *run, const sh_frame *frame, const sh_eval *eval, json_t *input,
                    json_t *parameters)
{
    const sh_map *map = frame->state->map;
    int status = put_names(run, map, parameters);

    if (!status)
        status = map->resource ? put_reader(map, eval, parameters) : put_items(frame, eval, parameters);
    if (!status)
        status = put_number(&frame->state->max_concurrency, eval, parameters, "MaxConcurrency");
    if (!status)
        status = put_number(&map->failure_count, eval, parameters, "FailureCount");
    if (!status)
        status = put_number(&map->failure_percentage, eval, parameters, "FailurePercentage");
    if (!status)
        status = put_batch(map, eval, parameters);
    if (!status)
        status = put_writer(map, eval, parameters);
    return status ? status : put_selector(run, frame, eval, input, parameters);
}

/* ---- the state ---- */

/* The task of the service, once its events are written. */
static int add_task(sh_run *run, sh_frame *frame, json_t *parameters)
{
    json_t *arn = json_object_get(parameters, "MapRunArn");
    sh_flow_task task = {.id = run->last_task + 1,
                         .state = frame->state->name,
                         .resource = &frame->state->resource,
                         .scheduled_event = frame->previous,
                         .parameters = parameters};
    json_t *results = json_pack("[O]", arn); /* says that the state has started, and with which run */
    int status = results ? 0 : SH_E_MEMORY;

    if (!status && !run->overflow)
        status = sh_task_add(run, &task);
    if (status) {
        json_decref(results);
        return status;
    }
    json_decref(frame->results);
    frame->results = results;
    if (run->overflow)
        return 0;
    json_incref(parameters);
    frame->task = run->last_task = task.id;
    frame->phase = SH_PHASE_TASK;
    frame->timeout_ms = frame->heartbeat_ms = -1;
    return 0;
}

static int start(sh_run *run, sh_frame *frame, json_t *parameters)
{
    const char *arn = json_string_value(json_object_get(parameters, "MapRunArn"));
    size_t length = json_array_size(json_object_get(parameters, "Items"));
    int status = sh_emit(run, frame, "MapStateStarted", "mapStateStartedEventDetails",
                         json_pack("{s:I}", "length", (json_int_t)length));

    if (!status)
        status = sh_emit(run, frame, "MapRunStarted", "mapRunStartedEventDetails",
                         json_pack("{s:s}", "mapRunArn", arn));
    return status ? status : add_task(run, frame, parameters);
}

/* The run is driven again. */
static int restart(sh_run *run, sh_frame *frame)
{
    json_t *arn = json_array_get(frame->results, 0);
    const json_t *execution = json_object_get(run->env->context, "Execution");
    json_int_t count = json_integer_value(json_object_get(execution, "RedriveCount"));
    json_t *parameters = json_pack("{s:O, s:b}", "MapRunArn", arn, "Redrive", 1);
    int status = parameters ? sh_emit(run, frame, "MapRunRedriven", "mapRunRedrivenEventDetails",
                                      json_pack("{s:O, s:I}", "mapRunArn", arn, "redriveCount", count))
                            : SH_E_MEMORY;

    if (!status)
        status = add_task(run, frame, parameters);
    json_decref(parameters);
    return status;
}

int sh_map_enter(sh_run *run, sh_frame *frame, const sh_eval *eval, json_t *input)
{
    json_t *parameters;
    int status;

    if (json_array_size(frame->results) == 1)
        return restart(run, frame);
    parameters = json_object();
    status = parameters ? describe(run, frame, eval, input, parameters) : SH_E_MEMORY;
    if (!status)
        status = start(run, frame, parameters);
    json_decref(parameters);
    return status;
}

static int failed(sh_run *run, sh_frame *frame, const char *error, const char *cause)
{
    sh_fault fault = {0};
    json_t *details = json_pack("{s:o}", "error", sh_value_string(error));
    int status;

    if (details && cause && json_object_set_new(details, "cause", sh_value_string(cause))) {
        json_decref(details);
        details = NULL;
    }
    status = sh_emit(run, frame, "MapRunFailed", "mapRunFailedEventDetails", details);
    if (!status)
        status = sh_fault_take(&fault, error, cause);
    fault.runtime = !strcmp(error, "States.Runtime");
    if (status == SH_FAULT)
        status = sh_frame_fail(run, frame, &fault, status);
    sh_fault_clear(&fault);
    return status;
}

static int succeeded(sh_run *run, sh_frame *frame, json_t *output)
{
    int64_t id;
    int status = sh_emit_after(run, frame->previous, "MapRunSucceeded", NULL, NULL, &id);

    if (!status)
        status = sh_emit_after(run, frame->previous, "MapStateSucceeded", NULL, NULL, &id);
    json_decref(frame->results);
    frame->results = NULL;
    return status ? status : sh_frame_leave(run, frame, output);
}

int sh_map_answer(sh_run *run, sh_frame *frame, const sh_flow_event *event)
{
    if (event->kind == SH_FLOW_TASK_SUCCEEDED)
        return succeeded(run, frame, event->output ? (json_t *)event->output : json_null());
    if (event->kind == SH_FLOW_TASK_FAILED)
        return failed(run, frame, event->error ? event->error : "States.Runtime", event->cause);
    return 0;
}

/* ---- what the service asks for ---- */

static const sh_state *find_state(const sh_flow *flow, const char *name)
{
    for (size_t i = 0; i < flow->task_count; i++)
        if (flow->tasks[i]->map && !strcmp(flow->tasks[i]->name, name))
            return flow->tasks[i];
    return NULL;
}

char *sh_flow_map_definition(const sh_flow *flow, const char *state)
{
    const sh_state *found = find_state(flow, state);
    json_t *definition = found ? json_copy(found->map->processor) : NULL;
    json_t *language = json_object_get(flow->definition, "QueryLanguage");
    char *text = NULL;

    if (!definition)
        return NULL;
    json_object_del(definition, "ProcessorConfig");
    if ((!found->map->express || put(definition, "TimeoutSeconds", json_integer(300))) &&
        (json_object_get(definition, "QueryLanguage") || put_shared(definition, "QueryLanguage", language)))
        text = sh_flow_text(definition);
    json_decref(definition);
    return text;
}

/* $$ with Map.Item. */
static json_t *item_context(json_t *base, int64_t index, json_t *value, const json_t *extra)
{
    json_t *context = json_copy(base), *item = json_object(), *map = json_object();
    bool ok = put(item, "Index", json_integer(index)) && put_shared(item, "Value", value) &&
              (!extra || !json_object_update(item, (json_t *)extra)) && put_shared(map, "Item", item) &&
              put_shared(context, "Map", map);

    json_decref(item);
    json_decref(map);
    if (ok)
        return context;
    json_decref(context);
    return NULL;
}

int sh_flow_map_item(const sh_flow *flow, const sh_flow_env *env, const char *state, const json_t *parameters,
                     int64_t index, json_t *value, const json_t *extra, json_t **input, char **error,
                     char **cause)
{
    const sh_state *found = find_state(flow, state);
    const json_t *selector = json_object_get(parameters, "Selector");
    sh_fault fault = {0};
    sh_eval eval = {.input = json_object_get(selector, "Input"),
                    .variables = json_object_get(selector, "Variables"),
                    .env = env,
                    .fault = &fault};
    int status;

    if (!found || (found->item_selector && !eval.input))
        return SH_E_FORMAT;
    if (!found->item_selector) {
        *input = json_incref(value);
        return 0;
    }
    eval.context = item_context(json_object_get(selector, "Context"), index, value, extra);
    status = eval.context ? 0 : SH_E_MEMORY;
    if (!status && found->computed)
        status = sh_eval_bind(&eval, eval.input, NULL, NULL);
    if (!status)
        status = sh_template_eval(found->item_selector, &eval, input);
    json_decref(eval.context);
    json_decref(eval.bindings);
    if (status == SH_FAULT) {
        *error = fault.error;
        *cause = fault.cause;
        fault = (sh_fault){0};
    }
    sh_fault_clear(&fault);
    return status;
}
