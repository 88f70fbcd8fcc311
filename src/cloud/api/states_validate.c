/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks of definitions: what the interpreter finds, then what this server does not do, then what an express
 * machine may not have. All as diagnostics of ValidateStateMachineDefinition; CreateStateMachine makes one
 * message of them. */
#include "cloud/api/args.h"
#include "cloud/api/states_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESULTS_MAX 100
#define SCHEMA "SCHEMA_VALIDATION_FAILED"

typedef struct checking {
    const sh_flow *flow;
    json_t *problems;
    const char *type;
    bool memory; /* was short */
} checking;

static void add(checking *c, const char *message, const char *state, const char *field)
{
    char *location = NULL;
    if (asprintf(&location, "/States/%s%s%s", state, field ? "/" : "", field ? field : "") < 0)
        location = NULL;
    json_t *problem = location ? json_pack("{s:s, s:s, s:s, s:s}", "severity", "ERROR", "code", SCHEMA,
                                           "message", message, "location", location)
                               : NULL;
    if (json_array_append_new(c->problems, problem) < 0)
        c->memory = true;
    free(location);
}

/* What is wrong with a resource in an express machine; NULL: nothing. */
static const char *express_fault(const sh_flow_resource *resource)
{
    if (resource->kind == SH_FLOW_ACTIVITY)
        return "Express state machine does not support Activity ARN";
    if (resource->pattern == SH_FLOW_SYNC)
        return "Express state machine does not support '.sync' service integration";
    if (resource->pattern == SH_FLOW_SYNC_2)
        return "Express state machine does not support '.sync:2' service integration";
    if (resource->pattern == SH_FLOW_TASK_TOKEN)
        return "Express state machine does not support '.waitForTaskToken' service integration";
    return NULL;
}

static void check_resource(checking *c, const sh_flow_resource *resource, const char *state)
{
    char why[512], message[1400];
    bool express = strcmp(c->type, "EXPRESS") == 0;
    const char *fault = express ? express_fault(resource) : NULL;
    if (!fault && !sh_task_supported(resource, why, sizeof(why))) {
        snprintf(message, sizeof(message), "The resource provided %.600s is not recognized: %s",
                 resource->arn, why);
        fault = message;
    }
    if (fault)
        add(c, fault, state, "Resource");
}

/* Map states that would start executions of their own, anywhere in the definition. */
static void find_distributed(checking *c, const json_t *machine)
{
    const char *name;
    const json_t *state, *branch;
    size_t index;
    json_object_foreach((json_t *)json_object_get(machine, "States"), name, state)
    {
        const json_t *processor = json_object_get(state, "ItemProcessor");
        const json_t *config = json_object_get(processor, "ProcessorConfig");
        const char *mode = json_string_value(json_object_get(config, "Mode"));
        if (mode && strcmp(mode, "DISTRIBUTED") == 0)
            add(c, "Express state machine does not support Map state in Distributed mode", name, NULL);
        else
            find_distributed(c, processor ? processor : json_object_get(state, "Iterator"));
        json_array_foreach(json_object_get(state, "Branches"), index, branch) find_distributed(c, branch);
    }
}

static void check_express(checking *c, const char *definition)
{
    if (strcmp(c->type, "EXPRESS") != 0)
        return;
    json_t *machine = json_loads(definition, JSON_ALLOW_NUL, NULL);
    find_distributed(c, machine);
    json_decref(machine);
}

/* The parsed definition's faults that the interpreter does not know. New reference, NULL: no memory. */
static json_t *check(const sh_flow *flow, const char *definition, const char *type)
{
    const char *state;
    const sh_flow_resource *resource;
    checking c = {.flow = flow, .problems = json_array(), .type = type};
    for (size_t i = 0; (resource = sh_flow_resource_at(flow, i, &state)); i++)
        check_resource(&c, resource, state);
    check_express(&c, definition);
    if (!c.memory)
        return c.problems;
    json_decref(c.problems);
    return NULL;
}

static int no_memory(sh_call *call)
{
    sh_err err = {SH_E_MEMORY, "no memory for a definition"};
    return sh_call_fail_internal(call, &err);
}

/* The first of them is the message: they are all of one kind. */
static int refuse(sh_call *call, const json_t *problems)
{
    const json_t *first = json_array_get(problems, 0);
    if (!problems)
        return no_memory(call);
    if (!first)
        return 0;
    return sh_call_fail(call, 400, "InvalidDefinition", "Invalid State Machine Definition: '%s: %s at %s'",
                        json_string_value(json_object_get(first, "code")),
                        json_string_value(json_object_get(first, "message")),
                        json_string_value(json_object_get(first, "location")));
}

int sh_states_check_definition(sh_call *call, const char *definition, const char *type)
{
    sh_flow *flow = NULL;
    sh_err err = {0};
    int status = sh_flow_parse(&flow, definition, strlen(definition), NULL, &err);
    if (status == SH_E_MEMORY)
        return sh_call_fail_internal(call, &err);
    if (status < 0)
        return sh_call_fail(call, 400, "InvalidDefinition", "Invalid State Machine Definition: %s",
                            err.message);
    json_t *problems = check(flow, definition, type);
    status = refuse(call, problems);
    json_decref(problems);
    sh_flow_free(flow);
    return status;
}

/* ---- ValidateStateMachineDefinition ---- */

/* Those of at least that severity, errors first, at most `limit`. */
static json_t *select_problems(const json_t *problems, bool warnings, size_t limit, bool *failed,
                               bool *truncated)
{
    static const char *const severities[] = {"ERROR", "WARNING"};
    json_t *chosen = json_array();
    for (size_t s = 0; s < 2; s++) {
        size_t index;
        json_t *problem;
        json_array_foreach(problems, index, problem)
        {
            const char *severity = json_string_value(json_object_get(problem, "severity"));
            if (!severity || strcmp(severity, severities[s]) != 0)
                continue;
            *failed |= s == 0;
            if (s > 0 && !warnings)
                continue;
            *truncated |= json_array_size(chosen) >= limit;
            if (json_array_size(chosen) < limit && json_array_append(chosen, problem) < 0) {
                json_decref(chosen);
                return NULL;
            }
        }
    }
    return chosen;
}

static int find_problems(sh_call *call, const char *definition, const char *type, json_t **problems)
{
    sh_flow *flow = NULL;
    sh_err err = {0};
    int status = sh_flow_parse(&flow, definition, strlen(definition), problems, &err);
    if (status == SH_E_MEMORY || !*problems)
        return no_memory(call);
    if (status < 0) {
        if (json_array_size(*problems) == 0) /* found before there was anything to point at */
            json_array_append_new(*problems, json_pack("{s:s, s:s, s:s, s:s}", "severity", "ERROR", "code",
                                                       "INVALID_JSON_DESCRIPTION", "message", err.message,
                                                       "location", "/"));
        return 0;
    }
    json_t *more = check(flow, definition, type);
    status = more ? json_array_extend(*problems, more) : -1;
    json_decref(more);
    sh_flow_free(flow);
    return status < 0 ? no_memory(call) : 0;
}

int sh_states_validate(sh_call *call)
{
    static const char *const types[] = {"STANDARD", "EXPRESS", NULL};
    static const char *const severities[] = {"ERROR", "WARNING", NULL};
    const char *definition, *type, *severity;
    json_t *problems = NULL;
    int64_t limit;
    bool wrong = false, truncated = false;
    int failed = 0;
    int status = sh_arg_need(call, "definition", SH_FLOW_DEFINITION_MAX, &definition);
    if (status < 0 || (status = sh_states_enum(call, "type", types, &type)) < 0 ||
        (status = sh_states_enum(call, "severity", severities, &severity)) < 0 ||
        (status = sh_arg_int(call, "maxResults", 0, RESULTS_MAX, RESULTS_MAX, &limit)) < 0)
        return status;
    if ((status = find_problems(call, definition, type ? type : "STANDARD", &problems)) < 0)
        goto done;
    if ((status = sh_out_new(call)) < 0)
        goto done;
    json_t *chosen = select_problems(problems, severity && strcmp(severity, "WARNING") == 0,
                                     limit ? (size_t)limit : RESULTS_MAX, &wrong, &truncated);
    sh_put_text(&failed, call->out, "result", wrong ? "FAIL" : "OK");
    sh_put(&failed, call->out, "diagnostics", chosen);
    sh_put(&failed, call->out, "truncated", json_boolean(truncated));
    status = sh_out_done(call, failed);
done:
    json_decref(problems);
    return status;
}
