/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One "StartAt" with "States": reads the states, turns the targets of transitions into positions, and checks
 * that the graph holds together. */
#include "cloud/flow/reader.h"
#include <string.h>

enum { MAX_NAME = 80 };

#define TARGET "MISSING_TRANSITION_TARGET"

const char *sh_state_type_name(sh_state_type type)
{
    static const char *const names[] = {
        [SH_STATE_TASK] = "Task",         [SH_STATE_PASS] = "Pass",       [SH_STATE_WAIT] = "Wait",
        [SH_STATE_CHOICE] = "Choice",     [SH_STATE_SUCCEED] = "Succeed", [SH_STATE_FAIL] = "Fail",
        [SH_STATE_PARALLEL] = "Parallel", [SH_STATE_MAP] = "Map"};

    return (unsigned)type < SH_STATE_TYPES ? names[type] : "?";
}

size_t sh_machine_find(const sh_machine *machine, const char *name)
{
    const json_t *position = name ? json_object_get(machine->index, name) : NULL;

    return position ? (size_t)json_integer_value(position) : SH_NOWHERE;
}

/* Code points, which is what AWS counts. */
static size_t characters(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

static void check_name(sh_reader *r, const char *name)
{
    if (!*name || characters(name) > MAX_NAME)
        sh_reader_problem(r, SH_SCHEMA, "A state name must have 1 to %d characters", MAX_NAME);
    if (json_object_get(r->names, name))
        sh_reader_problem(r, "DUPLICATE_STATE_NAME", "Duplicate State name: %.80s", name);
    else if (json_object_set_new(r->names, name, json_true()))
        r->memory = true;
}

static void add_task(sh_reader *r, const sh_state *state)
{
    sh_flow *flow = r->flow;

    if (flow->task_count == flow->task_capacity) {
        size_t capacity = flow->task_capacity ? 2 * flow->task_capacity : 16;
        const sh_state **tasks = sh_reader_alloc(r, capacity, sizeof(*tasks));

        if (!tasks)
            return;
        if (flow->task_count)
            memcpy(tasks, flow->tasks, flow->task_count * sizeof(*tasks));
        flow->tasks = tasks;
        flow->task_capacity = capacity;
    }
    flow->tasks[flow->task_count++] = state;
}

static void read_one_state(sh_reader *r, sh_machine *machine, const char *name, json_t *value)
{
    sh_state *state = &machine->states[machine->count];

    if (json_object_set_new(machine->index, name, json_integer((json_int_t)machine->count++)))
        r->memory = true;
    state->name = name;
    sh_reader_enter(r, name);
    check_name(r, name);
    if (json_is_object(value))
        sh_state_read(r, state, value);
    else
        sh_reader_problem(r, SH_SCHEMA, "Expected value of type Object");
    if (state->resource.arn)
        add_task(r, state);
    sh_reader_leave(r);
}

static void read_states(sh_reader *r, sh_machine *machine, json_t *value)
{
    const char *name;
    json_t *item;

    if (!json_is_object(value) || !json_object_size(value)) {
        sh_reader_problem(r, SH_SCHEMA, "Expected an object with at least one state");
        return;
    }
    machine->index = sh_build_keep(&r->flow->build, json_object());
    machine->states = sh_reader_alloc(r, json_object_size(value), sizeof(*machine->states));
    if (!machine->index || !machine->states) {
        r->memory = true;
        return;
    }
    json_object_foreach(value, name, item) read_one_state(r, machine, name, item);
}

static void read_language(sh_reader *r, const json_t *value)
{
    const char *text = "";

    if (sh_read_string(r, value, &text) && strcmp(text, "JSONPath") && strcmp(text, "JSONata"))
        sh_reader_problem(r, SH_SCHEMA, "QueryLanguage must be JSONPath or JSONata");
}

static void read_field(sh_reader *r, sh_machine *machine, const char *key, json_t *value)
{
    bool top = r->depth == 1;
    const char *text;

    if (!strcmp(key, "StartAt") || !strcmp(key, "Comment"))
        sh_read_string(r, value, &text);
    else if (!strcmp(key, "States"))
        read_states(r, machine, value);
    else if (top && !strcmp(key, "QueryLanguage"))
        read_language(r, value);
    else if (top && !strcmp(key, "Version"))
        sh_read_string(r, value, &text);
    else if (top && !strcmp(key, "TimeoutSeconds"))
        sh_read_integer(r, value, 1, 99999999, &machine->timeout_s);
    else if (top || strcmp(key, "ProcessorConfig"))
        sh_reader_unsupported(r, key);
}

/* AWS calls the target of a StartAt and of a Default 'Next', too. */
static size_t resolve(sh_reader *r, const sh_machine *machine, const char *kind, const char *name)
{
    size_t target = sh_machine_find(machine, name);

    if (name && target == SH_NOWHERE && !r->alone) {
        sh_reader_enter(r, kind);
        sh_reader_problem(r, TARGET, "Missing 'Next' target: %.100s", name);
        sh_reader_leave(r);
    }
    return target;
}

static void resolve_list(sh_reader *r, const sh_machine *machine, sh_state *state)
{
    for (size_t i = 0; i < state->choice_count; i++) {
        sh_reader_enter(r, "Choices");
        sh_reader_enter_index(r, i);
        state->choices[i].next.index = resolve(r, machine, "Next", state->choices[i].next.name);
        r->depth -= 2;
    }
    for (size_t i = 0; i < state->catcher_count; i++) {
        sh_reader_enter(r, "Catch");
        sh_reader_enter_index(r, i);
        state->catchers[i].next.index = resolve(r, machine, "Next", state->catchers[i].next.name);
        r->depth -= 2;
    }
}

static void visit(size_t target, bool *seen, size_t *queue, size_t *count)
{
    if (target == SH_NOWHERE || seen[target])
        return;
    seen[target] = true;
    queue[(*count)++] = target;
}

static void check_reachable(sh_reader *r, const sh_machine *machine)
{
    bool *seen = sh_reader_alloc(r, machine->count, sizeof(*seen));
    size_t *queue = sh_reader_alloc(r, machine->count, sizeof(*queue)), count = 0;

    if (!seen || !queue)
        return;
    visit(machine->start, seen, queue, &count);
    for (size_t at = 0; at < count; at++) {
        const sh_state *state = &machine->states[queue[at]];

        visit(state->next.index, seen, queue, &count);
        visit(state->default_next.index, seen, queue, &count);
        for (size_t i = 0; i < state->choice_count; i++)
            visit(state->choices[i].next.index, seen, queue, &count);
        for (size_t i = 0; i < state->catcher_count; i++)
            visit(state->catchers[i].next.index, seen, queue, &count);
    }
    for (size_t i = 0; i < machine->count; i++) {
        if (seen[i])
            continue;
        sh_reader_enter(r, machine->states[i].name);
        sh_reader_problem(r, TARGET, "State \"%.100s\" is not reachable.", machine->states[i].name);
        sh_reader_leave(r);
    }
}

static bool ends(const sh_machine *machine)
{
    for (size_t i = 0; i < machine->count; i++) {
        const sh_state *state = &machine->states[i];

        if (state->end || state->type == SH_STATE_SUCCEED || state->type == SH_STATE_FAIL)
            return true;
    }
    return false;
}

static void link_one(sh_reader *r, const sh_machine *machine, sh_state *state)
{
    state->next.index = resolve(r, machine, "Next", state->next.name);
    state->default_next.index = resolve(r, machine, "Default", state->default_next.name);
    resolve_list(r, machine, state);
}

/* Where the states themselves are not right, what can be reached is not known. */
static void link_states(sh_reader *r, sh_machine *machine, const char *start, bool right)
{
    machine->start = resolve(r, machine, "StartAt", start);
    sh_reader_enter(r, "States");
    for (size_t i = 0; i < machine->count; i++) {
        sh_reader_enter(r, machine->states[i].name);
        link_one(r, machine, &machine->states[i]);
        sh_reader_leave(r);
    }
    if (right && start && !r->memory && !r->alone) {
        if (ends(machine))
            check_reachable(r, machine);
        else
            sh_reader_problem_nowhere(r, "MISSING_END_STATE", "Workflow has no terminal state");
    }
    sh_reader_leave(r);
}

/* ---- the variables that states may assign ---- */

struct sh_scope {
    const struct sh_scope *outer;
    json_t *names; /* object */
};

/* Any value but exactly JSONPath counts as JSONata. */
static bool is_jsonata(const json_t *language)
{
    return !json_is_string(language) || strcmp(json_string_value(language), "JSONPath");
}

static void add_names(sh_reader *r, json_t *names, const json_t *assign, bool jsonata)
{
    const char *key;
    json_t *item;

    json_object_foreach((json_t *)assign, key, item)
    {
        size_t length = strlen(key);
        char *name;

        if (!jsonata && length > 2 && !strcmp(key + length - 2, ".$"))
            length -= 2;
        name = sh_arena_strndup(r->flow->build.arena, key, length);
        if (!name || json_object_set_new(names, name, json_true()))
            r->memory = true;
    }
}

/* Every name that a state of this machine assigns, itself, in a rule or in a Catch. */
static json_t *assigned_names(sh_reader *r, const json_t *machine)
{
    static const char *const lists[] = {"Choices", "Catch"};
    json_t *names = json_object(), *state, *rule;
    const char *key;
    size_t i;

    json_object_foreach(json_object_get(machine, "States"), key, state)
    {
        const json_t *language = json_object_get(state, "QueryLanguage");
        bool jsonata = language ? is_jsonata(language) : r->jsonata_all;

        add_names(r, names, json_object_get(state, "Assign"), jsonata);
        for (size_t l = 0; l < 2; l++) {
            json_array_foreach(json_object_get(state, lists[l]), i, rule)
                add_names(r, names, json_object_get(rule, "Assign"), jsonata);
        }
    }
    return names;
}

bool sh_scope_taken(const sh_reader *r, const char *name)
{
    const struct sh_scope *scope = r->scope ? r->scope->outer : NULL;

    for (; scope; scope = scope->outer)
        if (json_object_get(scope->names, name))
            return true;
    return false;
}

/* ---- machines ---- */

static void read_fields(sh_reader *r, sh_machine *machine, json_t *value)
{
    struct sh_scope scope = {.outer = r->scope, .names = assigned_names(r, value)};
    const char *key;
    json_t *item;

    if (!scope.names) {
        r->memory = true;
        return;
    }
    r->scope = &scope;
    json_object_foreach(value, key, item)
    {
        sh_reader_enter(r, key);
        read_field(r, machine, key, item);
        sh_reader_leave(r);
    }
    r->scope = scope.outer;
    json_decref(scope.names);
}

static bool lone_state(sh_reader *r, sh_machine *machine)
{
    machine->index = sh_build_keep(&r->flow->build, json_object());
    machine->states = sh_reader_alloc(r, 1, sizeof(*machine->states));
    if (!machine->index || !machine->states ||
        json_object_set_new(machine->index, SH_FLOW_LONE_STATE, json_integer(0))) {
        r->memory = true;
        return false;
    }
    machine->count = 1;
    machine->states[0].name = SH_FLOW_LONE_STATE;
    return true;
}

const sh_machine *sh_machine_lone(sh_reader *r, json_t *value)
{
    sh_machine *machine = sh_reader_alloc(r, 1, sizeof(*machine));
    size_t errors = r->errors;

    if (!machine || !lone_state(r, machine))
        return NULL;
    if (!json_is_object(value)) {
        sh_reader_problem(r, SH_SCHEMA, "Expected value of type Object");
        return NULL;
    }
    sh_state_read(r, &machine->states[0], value);
    if (machine->states[0].resource.arn)
        add_task(r, &machine->states[0]);
    r->alone = true;
    link_one(r, machine, &machine->states[0]);
    return r->errors == errors ? machine : NULL;
}

const sh_machine *sh_machine_read(sh_reader *r, const json_t *value)
{
    sh_machine *machine = sh_reader_alloc(r, 1, sizeof(*machine));
    const char *start;
    size_t errors = r->errors;

    if (!machine)
        return NULL;
    if (!json_is_object(value)) {
        sh_reader_problem(r, SH_SCHEMA, "Expected value of type Object");
        return NULL;
    }
    if (!r->depth && json_object_get(value, "QueryLanguage"))
        r->jsonata_all = is_jsonata(json_object_get(value, "QueryLanguage"));
    read_fields(r, machine, (json_t *)value);
    start = json_string_value(json_object_get(value, "StartAt"));
    sh_read_require(r, value, "StartAt");
    sh_read_require(r, value, "States");
    if (!r->memory && machine->index)
        link_states(r, machine, start, r->errors == errors);
    return r->errors == errors ? machine : NULL;
}
