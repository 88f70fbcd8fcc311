/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A definition from text to tables, and the findings as one message. */
#include "base/size.h"
#include "cloud/flow/reader.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_MAX = 256 * 1024 * 1024 };

void sh_flow_free(sh_flow *flow)
{
    if (!flow)
        return;
    sh_arena_free(flow->build.arena);
    json_decref(flow->build.keep);
    json_decref(flow->reads);
    json_decref(flow->definition);
    free(flow);
}

static sh_flow *new_flow(void)
{
    sh_flow *flow = calloc(1, sizeof(*flow));

    if (!flow)
        return NULL;
    flow->build.arena = sh_arena_new(ARENA_MAX);
    flow->build.keep = json_array();
    flow->reads = json_object();
    if (flow->build.arena && flow->build.keep && flow->reads)
        return flow;
    sh_flow_free(flow);
    return NULL;
}

static void show_problem(const json_t *problem, const char *before, char *text, size_t size)
{
    const json_t *location = json_object_get(problem, "location"), *line = json_object_get(problem, "line");
    int length =
        snprintf(text, size, "%s%s: %s at %s", before, json_string_value(json_object_get(problem, "code")),
                 json_string_value(json_object_get(problem, "message")),
                 location ? json_string_value(location) : "null");

    if (line && length > 0 && (size_t)length < size)
        snprintf(text + length, size - (size_t)length, " (line %d, column %d)", (int)json_integer_value(line),
                 (int)json_integer_value(json_object_get(problem, "column")));
}

/* All errors in the order found, as far as the message holds them. */
static int refuse(const sh_reader *r, sh_err *err)
{
    char text[sizeof(err->message)];
    size_t length = 0, i;
    json_t *problem;
    bool cut = false;

    text[0] = '\0';
    json_array_foreach(r->problems, i, problem)
    {
        char one[1400];
        const char *severity = json_string_value(json_object_get(problem, "severity"));
        size_t room = sizeof(text) - 16 - length, need;

        if (strcmp(severity, "ERROR"))
            continue;
        show_problem(problem, length ? ", " : "", one, sizeof(one));
        need = strlen(one);
        cut = need > room;
        if (cut && length)
            break;
        if (cut) {
            need = room;
            while (need && (one[need] & 0xC0) == 0x80)
                need--;
        }
        memcpy(text + length, one, need);
        length += need;
        text[length] = '\0';
        if (cut)
            break;
    }
    return sh_fail(err, r->unsupported ? SH_E_UNSUPPORTED : SH_E_FORMAT, "'%s%s'", text, cut ? ", …" : "");
}

static void add_json_problem(json_t *problems, const char *message, int line, int column)
{
    json_t *problem =
        json_pack("{s:s, s:s, s:s, s:s, s:i, s:i}", "severity", "ERROR", "code", "INVALID_JSON_DESCRIPTION",
                  "message", message, "location", "/", "line", line, "column", column);

    json_array_append_new(problems, problem);
}

static int refuse_json(const char *text, size_t length, const json_error_t *error, json_t *problems,
                       sh_err *err)
{
    char message[400];
    int line, column;

    snprintf(message, sizeof(message), "%s at line %d, column %d", error->text, error->line, error->column);
    if (sh_misaligned(text, length, &line, &column) && line < error->line)
        snprintf(message, sizeof(message),
                 "%s at line %d, column %d; the brackets do not line up from line %d, column %d on: is one "
                 "missing or too "
                 "many there?",
                 error->text, error->line, error->column, line, column);
    add_json_problem(problems, message, error->line, error->column);
    return sh_fail(err, SH_E_FORMAT, "'INVALID_JSON_DESCRIPTION: %s'", message);
}

static int load(sh_flow *flow, const char *text, size_t length, json_t *problems, sh_err *err)
{
    json_error_t error;
    int status;

    if (length > SH_FLOW_DEFINITION_MAX)
        return sh_fail(err, SH_E_LIMIT,
                       "'INVALID_JSON_DESCRIPTION: the definition has %zu bytes, at most %d are allowed'",
                       length, SH_FLOW_DEFINITION_MAX);
    status = sh_value_load(text, length, JSON_REJECT_DUPLICATES, &flow->definition, &error);
    if (flow->definition && sh_value_deeper(flow->definition, SH_FLOW_DEPTH_MAX))
        return sh_fail(err, SH_E_LIMIT, "'INVALID_JSON_DESCRIPTION: nested deeper than %d levels'",
                       SH_FLOW_DEPTH_MAX);
    if (!status)
        return 0;
    if (status == SH_E_MEMORY)
        return sh_fail(err, SH_E_MEMORY, "out of memory");
    return refuse_json(text, length, &error, problems, err);
}

static int read_all(sh_flow *flow, const char *text, size_t length, bool lone, json_t *problems, sh_err *err)
{
    sh_reader *r = calloc(1, sizeof(*r));
    int status = SH_E_MEMORY;

    if (r) {
        *r = (sh_reader){
            .flow = flow, .text = text, .length = length, .problems = problems, .names = json_object()};
        if (r->names)
            flow->machine =
                lone ? sh_machine_lone(r, flow->definition) : sh_machine_read(r, flow->definition);
        status = r->memory || !r->names ? SH_E_MEMORY
                 : r->errors            ? refuse(r, err)
                 : flow->machine        ? 0
                                        : SH_E_INTERNAL;
        json_decref(r->names);
        free(r);
    }
    return status == SH_E_MEMORY ? sh_fail(err, status, "out of memory") : status;
}

static int parse(sh_flow **out, const char *definition, size_t length, bool lone, json_t **problems,
                 sh_err *err)
{
    json_t *found = json_array();
    sh_flow *flow = new_flow();
    int status = flow && found ? 0 : sh_fail(err, SH_E_MEMORY, "out of memory");

    if (!status)
        status = load(flow, definition, length, found, err);
    if (!status)
        status = read_all(flow, definition, length, lone, found, err);
    if (problems)
        *problems = json_incref(found);
    json_decref(found);
    if (status) {
        sh_flow_free(flow);
        return status;
    }
    *out = flow;
    return 0;
}

int sh_flow_parse(sh_flow **out, const char *definition, size_t length, json_t **problems, sh_err *err)
{
    return parse(out, definition, length, false, problems, err);
}

int sh_flow_parse_state(sh_flow **out, const char *definition, size_t length, json_t **problems, sh_err *err)
{
    return parse(out, definition, length, true, problems, err);
}

const json_t *sh_flow_references(const sh_flow *flow)
{
    return flow->reads;
}

const sh_flow_resource *sh_flow_resource_at(const sh_flow *flow, size_t index, const char **state)
{
    if (index >= flow->task_count)
        return NULL;
    if (state)
        *state = flow->tasks[index]->name;
    return &flow->tasks[index]->resource;
}
