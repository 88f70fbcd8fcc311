/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a definition to a graph, and from a history to the outcomes of its states. */
#include "cli/states_graph.h"

#include <stdlib.h>
#include <string.h>

const char *sh_outcome_name(sh_outcome outcome)
{
    static const char *const names[] = {"", "running", "succeeded", "caught", "failed", "stopped"};
    return names[outcome];
}

size_t sh_text_cells(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

/* ---- what is written beside states and edges ---- */

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static const char *detail_of(const json_t *state)
{
    static const char *const keys[] = {"Resource",    "Error",     "ErrorPath",     "Seconds",
                                       "SecondsPath", "Timestamp", "TimestampPath", "ItemsPath"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        const char *text = text_of(state, keys[i]), *service = text ? strstr(text, ":::") : NULL;
        if (text)
            return service && !i ? service + 3 : text;
    }
    return NULL;
}

static void put_rule(const json_t *rule, sh_buf *buf);

static void put_rules(const json_t *rules, const char *word, sh_buf *buf)
{
    size_t i;
    json_t *one;
    json_array_foreach(rules, i, one)
    {
        sh_buf_puts(buf, i ? word : "");
        put_rule(one, buf);
    }
}

static void put_value(const json_t *value, sh_buf *buf)
{
    char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    if (text)
        sh_buf_puts(buf, text);
    else
        sh_buf_printf(buf, "%s", json_string_value(value) ? json_string_value(value) : "");
    free(text);
}

/* NumericLessThanPath: < */
static const char *sign_of(const char *operator)
{
    static const char *const families[] = {"String", "Numeric", "Timestamp", "Boolean"};
    static const struct {
        const char *word, *sign;
    } signs[] = {{"LessThanEquals", "≤"}, {"GreaterThanEquals", "≥"}, {"Equals", "="},
                 {"LessThan", "<"},       {"GreaterThan", ">"},       {"Matches", "~"}};
    const char *rest = operator;
    for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++)
        if (!strncmp(operator, families[i], strlen(families[i])))
            rest = operator+ strlen(families[i]);
    for (size_t i = 0; rest != operator&& i<sizeof(signs) / sizeof(*signs); i++) {
        const char *after = rest + strlen(signs[i].word);
        if (!strncmp(rest, signs[i].word, strlen(signs[i].word)) && (!*after || !strcmp(after, "Path")))
            return signs[i].sign;
    }
    return operator;
}

static void put_rule(const json_t *rule, sh_buf *buf)
{
    const char *variable = text_of(rule, "Variable"), *key;
    json_t *value;
    if (text_of(rule, "Condition")) {
        sh_buf_puts(buf, text_of(rule, "Condition"));
        return;
    }
    put_rules(json_object_get(rule, "And"), " and ", buf);
    put_rules(json_object_get(rule, "Or"), " or ", buf);
    if (json_object_get(rule, "Not")) {
        sh_buf_puts(buf, "not ");
        put_rule(json_object_get(rule, "Not"), buf);
    }
    json_object_foreach((json_t *)rule, key, value)
    {
        static const char *const others[] = {"Variable", "Next", "Comment", "Assign",
                                             "Output",   "And",  "Or",      "Not"};
        bool other = false;
        for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
            other = other || !strcmp(key, others[i]);
        if (other)
            continue;
        sh_buf_printf(buf, "%s %s ", variable ? variable : "", sign_of(key));
        put_value(value, buf);
    }
}

static const char *rule_label(sh_arena *arena, const json_t *rule)
{
    const char *label;
    sh_buf buf;
    sh_buf_init(&buf, 64 * 1024);
    put_rule(rule, &buf);
    label = buf.failed ? NULL : sh_arena_strdup(arena, sh_buf_cstr(&buf));
    sh_buf_free(&buf);
    return label;
}

static const char *catch_label(sh_arena *arena, const json_t *catcher)
{
    const json_t *names = json_object_get(catcher, "ErrorEquals");
    const char *label;
    size_t i;
    json_t *name;
    sh_buf buf;
    sh_buf_init(&buf, 4096);
    json_array_foreach(names, i, name) sh_buf_printf(&buf, "%s%s", i ? ", " : "", json_string_value(name));
    label = sh_arena_strdup(arena, sh_buf_cstr(&buf));
    sh_buf_free(&buf);
    return label;
}

/* ---- the graph ---- */

static size_t find(const sh_graph *graph, const char *name)
{
    for (size_t i = 0; name && i < graph->count; i++)
        if (graph->states[i].name && !strcmp(graph->states[i].name, name))
            return i;
    return graph->count;
}

/* Several ways from one to another that differ in their reasons only are one. */
static void join(sh_arena *arena, sh_graph *graph, size_t from, size_t to, sh_edge_kind kind,
                 const char *label)
{
    if (to >= graph->count)
        return;
    for (size_t i = graph->edge_count; label && i-- > 0 && graph->edges[i].from == from;) {
        sh_graph_edge *other = &graph->edges[i];
        if (other->to != to || !other->label || (other->kind == SH_EDGE_CATCH) != (kind == SH_EDGE_CATCH))
            continue;
        label = sh_arena_printf(arena, "%s / %s", other->label, label);
        other->label = label ? label : other->label;
        return;
    }
    graph->edges[graph->edge_count++] = (sh_graph_edge){.from = from, .to = to, .kind = kind, .label = label};
}

static size_t end_of(const sh_graph *graph)
{
    const sh_graph_state *last = &graph->states[graph->count - 1];
    return last->type ? graph->count : graph->count - 1;
}

static void join_state(sh_arena *arena, sh_graph *graph, size_t from, const json_t *state)
{
    const char *type = graph->states[from].type;
    size_t i;
    json_t *item;
    if (text_of(state, "Next"))
        join(arena, graph, from, find(graph, text_of(state, "Next")), SH_EDGE_NEXT, NULL);
    json_array_foreach(json_object_get(state, "Choices"), i, item)
        join(arena, graph, from, find(graph, text_of(item, "Next")), SH_EDGE_RULE, rule_label(arena, item));
    if (text_of(state, "Default"))
        join(arena, graph, from, find(graph, text_of(state, "Default")), SH_EDGE_DEFAULT, "otherwise");
    if (json_is_true(json_object_get(state, "End")) || !strcmp(type, "Succeed") || !strcmp(type, "Fail"))
        join(arena, graph, from, end_of(graph), SH_EDGE_NEXT, NULL);
    json_array_foreach(json_object_get(state, "Catch"), i, item)
        join(arena, graph, from, find(graph, text_of(item, "Next")), SH_EDGE_CATCH, catch_label(arena, item));
}

static bool fill(sh_arena *arena, sh_graph_state *state, const char *name, const json_t *json)
{
    const json_t *branches = json_object_get(json, "Branches"), *one = json_object_get(json, "ItemProcessor");
    size_t count = json_array_size(branches);
    if (!one)
        one = json_object_get(json, "Iterator");
    state->name = name;
    state->type = text_of(json, "Type");
    state->detail = detail_of(json);
    if (!one && !count)
        return true;
    state->inner = sh_arena_alloc(arena, (count + 1) * sizeof(*state->inner));
    for (size_t i = 0; state->inner && i < (one ? 1 : count); i++) {
        sh_graph *inner = sh_graph_make(arena, one ? one : json_array_get(branches, i), false);
        if (!inner)
            return false;
        state->inner[state->inner_count++] = inner;
    }
    return state->inner != NULL;
}

/* At most this many edges leave a state. */
static size_t edges_of(const json_t *states)
{
    size_t count = 1;
    const char *name;
    json_t *state;
    json_object_foreach((json_t *)states, name, state) count +=
        3 + json_array_size(json_object_get(state, "Choices")) +
        json_array_size(json_object_get(state, "Catch"));
    return count;
}

sh_graph *sh_graph_make(sh_arena *arena, const json_t *machine, bool whole)
{
    const json_t *states = json_object_get(machine, "States");
    sh_graph *graph = sh_arena_alloc(arena, sizeof(*graph));
    const char *name;
    json_t *state;
    size_t at = 0;
    if (!graph)
        return NULL;
    graph->states = sh_arena_alloc(arena, (json_object_size(states) + 2) * sizeof(*graph->states));
    graph->edges = sh_arena_alloc(arena, edges_of(states) * sizeof(*graph->edges));
    if (!graph->states || !graph->edges)
        return NULL;
    json_object_foreach((json_t *)states, name, state)
    {
        if (!fill(arena, &graph->states[graph->count++], name, state))
            return NULL;
    }
    graph->start = find(graph, text_of(machine, "StartAt"));
    if (whole)
        graph->count += 2;
    json_object_foreach((json_t *)states, name, state) join_state(arena, graph, at++, state);
    if (whole) {
        join(arena, graph, graph->count - 2, graph->start, SH_EDGE_NEXT, NULL);
        graph->start = graph->count - 2;
    }
    return graph;
}

/* ---- what a history says ---- */

typedef struct history {
    const json_t *events;
    bool ended, failed;
} history;

static sh_graph_state *find_state(sh_graph *graph, const char *name)
{
    for (size_t i = 0; i < graph->count; i++) {
        sh_graph_state *state = &graph->states[i];
        if (state->name && !strcmp(state->name, name))
            return state;
        for (size_t k = 0; k < state->inner_count; k++) {
            sh_graph_state *found = find_state(state->inner[k], name);
            if (found)
                return found;
        }
    }
    return NULL;
}

/* The Parallel or Map around a state. */
static sh_graph_state *holder_of(sh_graph *graph, const char *name)
{
    for (size_t i = 0; i < graph->count; i++) {
        sh_graph_state *state = &graph->states[i];
        for (size_t k = 0; k < state->inner_count; k++) {
            sh_graph_state *found = holder_of(state->inner[k], name);
            if (found || find(state->inner[k], name) < state->inner[k]->count)
                return found ? found : state;
        }
    }
    return NULL;
}

static const char *entered_or_left(const json_t *event, bool *entered)
{
    const json_t *in = json_object_get(event, "stateEnteredEventDetails");
    *entered = in != NULL;
    return text_of(in ? in : json_object_get(event, "stateExitedEventDetails"), "name");
}

/* The state that an event belongs to: that of the last one entered on the way to it. */
static const char *owner(const json_t *events, const json_t *event)
{
    for (size_t steps = json_array_size(events); steps && event; steps--) {
        bool entered;
        const char *name = entered_or_left(event, &entered);
        json_int_t before = json_integer_value(json_object_get(event, "previousEventId"));
        if (name)
            return entered ? name : NULL;
        event = before > 0 ? json_array_get(events, (size_t)before - 1) : NULL;
    }
    return NULL;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && !strcmp(text + length - tail, end);
}

/* A state that has failed and is left all the same was caught; one that ran again and succeeded was not. */
static void take_event(sh_graph *graph, const history *h, const json_t *event)
{
    const char *type = text_of(event, "type");
    bool entered, fault;
    const char *name = entered_or_left(event, &entered);
    sh_graph_state *state = NULL;
    if (!type)
        return;
    if (name) {
        state = find_state(graph, name);
        if (state && entered) {
            state->outcome = SH_RUNNING;
            state->visits++;
        } else if (state) {
            state->outcome = state->outcome == SH_FAILED ? SH_CAUGHT : SH_SUCCEEDED;
        }
        return;
    }
    fault = ends_with(type, "Failed") || ends_with(type, "TimedOut");
    if (!strncmp(type, "MapIteration", 12) || (!fault && !ends_with(type, "Succeeded")))
        return;
    name = owner(h->events, event);
    state = name ? find_state(graph, name) : NULL;
    if (state && !state->inner_count &&
        (!strcmp(type, "ParallelStateFailed") || !strcmp(type, "MapStateFailed")))
        state = holder_of(graph, name);
    if (state && state->outcome != SH_UNSEEN && (fault || state->outcome == SH_FAILED))
        state->outcome = fault ? SH_FAILED : SH_RUNNING;
}

static bool settle(sh_graph *graph, const history *h)
{
    bool failed = false;
    graph->marked = true;
    for (size_t i = 0; i < graph->count; i++) {
        sh_graph_state *state = &graph->states[i];
        bool inside = false;
        for (size_t k = 0; k < state->inner_count; k++)
            inside = settle(state->inner[k], h) || inside;
        if (h->ended && state->outcome == SH_RUNNING)
            state->outcome = h->failed && (inside || !strcmp(state->type, "Fail")) ? SH_FAILED : SH_STOPPED;
        failed = failed || state->outcome == SH_FAILED;
    }
    return failed;
}

void sh_graph_mark(sh_graph *graph, const json_t *events, const char *status)
{
    history h = {.events = events, .ended = strcmp(status, "RUNNING"), .failed = !strcmp(status, "FAILED")};
    size_t i;
    json_t *event;
    json_array_foreach(events, i, event) take_event(graph, &h, event);
    settle(graph, &h);
    if (!graph->states[graph->count - 1].type) {
        graph->states[graph->count - 2].outcome = SH_SUCCEEDED;
        graph->states[graph->count - 1].outcome = !strcmp(status, "SUCCEEDED") ? SH_SUCCEEDED
                                                  : h.failed                   ? SH_FAILED
                                                  : h.ended                    ? SH_STOPPED
                                                                               : SH_UNSEEN;
    }
}
