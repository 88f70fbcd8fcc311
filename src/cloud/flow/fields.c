/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fields of a state: one row a field, with the state types that have it and the function that reads it.
 * What has to hold between fields (one of several, one without another) is checked after all were read. */
#include "cloud/flow/query.h"
#include "cloud/flow/reader.h"
#include <stddef.h>
#include <string.h>

#define BIT(type) (1u << SH_STATE_##type)

enum {
    TASK = BIT(TASK),
    PASS = BIT(PASS),
    WAIT = BIT(WAIT),
    CHOICE = BIT(CHOICE),
    SUCCEED = BIT(SUCCEED),
    FAIL = BIT(FAIL),
    PARALLEL = BIT(PARALLEL),
    MAP = BIT(MAP),
    ALL = TASK | PASS | WAIT | CHOICE | SUCCEED | FAIL | PARALLEL | MAP,
    MOVING = TASK | PASS | WAIT | PARALLEL | MAP, /* has Next or End */
    WORKING = TASK | PARALLEL | MAP,              /* can fail */
    MAX_SECONDS = 99999999,
};

typedef void (*read_fn)(sh_reader *r, sh_state *state, json_t *value, const char *name);

static void read_nothing(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
}

static void read_comment(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    const char *text;

    sh_read_string(r, value, &text);
}

static void read_language(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    const char *text = "";

    if (sh_read_string(r, value, &text) && strcmp(text, "JSONPath") && strcmp(text, "JSONata"))
        sh_reader_problem(r, SH_SCHEMA, "QueryLanguage must be JSONPath or JSONata");
}

static void read_next(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    sh_read_string(r, value, &state->next.name);
}

static void read_default(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    sh_read_string(r, value, &state->default_next.name);
}

static void read_end(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    sh_read_bool(r, value, &state->end);
}

static void read_input_path(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    if (json_is_null(value))
        state->input_path.null = true;
    else
        sh_read_path(r, value, &state->input_path.path);
}

static void read_output_path(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    if (json_is_null(value))
        state->output_path.null = true;
    else
        sh_read_path(r, value, &state->output_path.path);
}

static void read_result_path(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    sh_read_result_path(r, value, &state->result_path);
}

static void read_parameters(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    if (state->type == SH_STATE_MAP)
        sh_read_template(r, value, &state->item_selector);
    else
        sh_read_template(r, value, &state->parameters);
    sh_reader_hint(r, value, false);
}

static void read_result_selector(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    if (!json_is_object(value))
        sh_reader_problem(r, SH_SCHEMA, "Expected value of type Object");
    else
        sh_read_template(r, value, &state->result_selector);
}

static void read_result(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    state->result = value;
    sh_reader_hint(r, value, true);
}

static void read_resource(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    const char *arn;
    char why[256] = "";

    if (sh_read_string(r, value, &arn) &&
        !sh_resource_parse(&r->flow->build, arn, &state->resource, why, sizeof(why)))
        sh_reader_problem(r, SH_SCHEMA, "Value is not a valid resource ARN: %s", why);
}

void sh_read_one_of(sh_reader *r, const char *first, const char *second)
{
    sh_reader_problem(r, SH_SCHEMA, "There should only be one of the following fields: [%s, %s]", first,
                      second);
}

void sh_read_number_field(sh_reader *r, json_t *value, const char *name, double least, double most,
                          sh_number_field *out)
{
    size_t length = strlen(name);
    int64_t number = 0;

    if (out->given) {
        sh_read_one_of(r, out->name, name);
        return;
    }
    out->given = true;
    out->name = name;
    if (sh_read_query(r, value, &out->computed))
        return;
    if (length > 4 && !strcmp(name + length - 4, "Path"))
        sh_read_path(r, value, &out->path);
    else if (sh_read_integer(r, value, (int64_t)least, (int64_t)most, &number))
        out->value = (double)number;
}

static void read_timeout(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    sh_read_number_field(r, value, name, 1, MAX_SECONDS, &state->timeout);
}

static void read_heartbeat(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    sh_read_number_field(r, value, name, 1, MAX_SECONDS, &state->heartbeat);
}

static void read_seconds(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    sh_read_number_field(r, value, name, 0, MAX_SECONDS, &state->seconds);
}

static void read_timestamp(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    if (!sh_read_query(r, value, &state->timestamp))
        state->has_timestamp = sh_read_time(r, value, &state->timestamp_ms);
}

static void read_timestamp_path(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    sh_read_path(r, value, &state->timestamp_path);
}

static void read_concurrency(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    sh_read_number_field(r, value, name, 0, 1e9, &state->max_concurrency);
}

static void read_items_path(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    sh_read_path(r, value, &state->items_path.path);
}

static void read_items(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    if (json_is_array(value) || sh_query_is(value))
        sh_read_template(r, value, &state->items);
    else
        sh_reader_problem(r, SH_SCHEMA, "Expected an array or a JSONata expression");
}

static void read_assign(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    sh_read_assign(r, value, &state->assign);
}

static void read_output(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    sh_read_template(r, value, &state->output);
}

static void read_credentials(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    if (!json_is_object(value))
        sh_reader_problem(r, SH_SCHEMA, "Expected value of type Object");
    else
        sh_read_template(r, value, &state->credentials);
}

static void read_error(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    if (state->error_path)
        sh_read_one_of(r, "Error", "ErrorPath");
    if (!sh_read_query(r, value, &state->error_value))
        sh_read_string(r, value, &state->error);
}

static void read_cause(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    if (state->cause_path)
        sh_read_one_of(r, "Cause", "CausePath");
    if (!sh_read_query(r, value, &state->cause_value))
        sh_read_string(r, value, &state->cause);
}

static void read_error_path(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    if (state->error)
        sh_read_one_of(r, "Error", "ErrorPath");
    sh_read_expr(r, value, &state->error_path);
}

static void read_cause_path(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    if (state->cause)
        sh_read_one_of(r, "Cause", "CausePath");
    sh_read_expr(r, value, &state->cause_path);
}

void sh_read_require(sh_reader *r, const json_t *object, const char *name)
{
    if (!json_object_get(object, name))
        sh_reader_problem(r, SH_SCHEMA, "These fields are required: [%s]", name);
}

static void read_branches(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    size_t count;

    if (!sh_read_list(r, value, 1, &count))
        return;
    state->machines = sh_reader_alloc(r, count, sizeof(*state->machines));
    for (size_t i = 0; state->machines && i < count; i++) {
        sh_reader_enter_index(r, i);
        state->machines[state->machine_count++] = sh_machine_read(r, json_array_get(value, i));
        sh_reader_leave(r);
    }
}

static const struct field {
    const char *name;
    unsigned types;
    read_fn read;
    enum { BOTH, PATH_ONLY, JSONATA_ONLY } language;
} fields[] = {
    {"Type", ALL, read_nothing},
    {"Comment", ALL, read_comment},
    {"QueryLanguage", ALL, read_language},
    {"Next", MOVING, read_next},
    {"End", MOVING, read_end},
    {"InputPath", ALL & ~FAIL, read_input_path, PATH_ONLY},
    {"OutputPath", ALL & ~FAIL, read_output_path, PATH_ONLY},
    {"Parameters", WORKING | PASS, read_parameters, PATH_ONLY},
    {"ResultPath", WORKING | PASS, read_result_path, PATH_ONLY},
    {"ResultSelector", WORKING, read_result_selector, PATH_ONLY},
    {"Result", PASS, read_result, PATH_ONLY},
    {"Retry", WORKING, sh_read_retry},
    {"Catch", WORKING, sh_read_catch},
    {"Resource", TASK, read_resource},
    {"TimeoutSeconds", TASK, read_timeout},
    {"TimeoutSecondsPath", TASK, read_timeout, PATH_ONLY},
    {"HeartbeatSeconds", TASK, read_heartbeat},
    {"HeartbeatSecondsPath", TASK, read_heartbeat, PATH_ONLY},
    {"Credentials", TASK, read_credentials},
    {"Seconds", WAIT, read_seconds},
    {"SecondsPath", WAIT, read_seconds, PATH_ONLY},
    {"Timestamp", WAIT, read_timestamp},
    {"TimestampPath", WAIT, read_timestamp_path, PATH_ONLY},
    {"Choices", CHOICE, sh_read_choices},
    {"Default", CHOICE, read_default},
    {"Error", FAIL, read_error},
    {"Cause", FAIL, read_cause},
    {"ErrorPath", FAIL, read_error_path, PATH_ONLY},
    {"CausePath", FAIL, read_cause_path, PATH_ONLY},
    {"Branches", PARALLEL, read_branches},
    {"ItemProcessor", MAP, sh_map_read_processor},
    {"Iterator", MAP, sh_map_read_processor},
    {"ItemsPath", MAP, read_items_path, PATH_ONLY},
    {"ItemSelector", MAP, read_parameters},
    {"MaxConcurrency", MAP, read_concurrency},
    {"MaxConcurrencyPath", MAP, read_concurrency, PATH_ONLY},
    {"ToleratedFailureCount", MAP, sh_map_read_failures},
    {"ToleratedFailureCountPath", MAP, sh_map_read_failures, PATH_ONLY},
    {"ToleratedFailurePercentage", MAP, sh_map_read_failures},
    {"ToleratedFailurePercentagePath", MAP, sh_map_read_failures, PATH_ONLY},
    {"ItemBatcher", MAP, sh_map_read_batcher},
    {"ItemReader", MAP, sh_map_read_reader},
    {"ResultWriter", MAP, sh_map_read_writer},
    {"Label", MAP, sh_map_read_label},
    {"Assign", ALL & ~(FAIL | SUCCEED), read_assign},
    {"Arguments", TASK | PARALLEL, read_parameters, JSONATA_ONLY},
    {"Output", ALL & ~FAIL, read_output, JSONATA_ONLY},
    {"Items", MAP, read_items, JSONATA_ONLY},
};

static const struct field *find_field(const char *name, sh_state_type type)
{
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
        if (!strcmp(fields[i].name, name))
            return fields[i].types & 1u << type ? &fields[i] : NULL;
    return NULL;
}

static bool find_type(const char *name, sh_state_type *out)
{
    for (int type = 0; name && type < SH_STATE_TYPES; type++)
        if (!strcmp(sh_state_type_name((sh_state_type)type), name)) {
            *out = (sh_state_type)type;
            return true;
        }
    return false;
}

static void check_moves(sh_reader *r, const sh_state *state)
{
    if (!(1u << state->type & MOVING))
        return;
    if (state->next.name && state->end)
        sh_reader_problem(r, SH_SCHEMA, "There should only be one of the following fields: [Next, End]");
    else if (!state->next.name && !state->end)
        sh_reader_problem(r, SH_SCHEMA, "These fields are required: [Next] (or 'End': true)");
}

static void check_state(sh_reader *r, const sh_state *state, const json_t *value)
{
    int waits = state->seconds.given + !!json_object_get(value, "Timestamp") +
                !!json_object_get(value, "TimestampPath");

    check_moves(r, state);
    if (state->type == SH_STATE_TASK)
        sh_read_require(r, value, "Resource");
    if (state->type == SH_STATE_WAIT && waits != 1)
        sh_reader_problem(r, SH_SCHEMA,
                          "%s of the following fields: [Seconds, SecondsPath, Timestamp, TimestampPath]",
                          waits ? "There should only be one" : "There should be one");
    if (state->type == SH_STATE_CHOICE)
        sh_read_require(r, value, "Choices");
    if (state->type == SH_STATE_PARALLEL)
        sh_read_require(r, value, "Branches");
    if (state->timeout.given && state->heartbeat.given && !state->timeout.path && !state->heartbeat.path &&
        !state->timeout.computed && !state->heartbeat.computed &&
        state->heartbeat.value >= state->timeout.value)
        sh_reader_problem(r, SH_SCHEMA, "HeartbeatSeconds must be less than TimeoutSeconds");
}

/* Any value but exactly JSONPath counts as JSONata. A definition in JSONata has no states in JSONPath. */
static void check_language(sh_reader *r, sh_state *state, const json_t *value)
{
    bool path = json_is_string(value) && !strcmp(json_string_value(value), "JSONPath");

    state->jsonata = value ? !path : r->jsonata_all;
    if (path && r->jsonata_all)
        sh_reader_problem(
            r, SH_SCHEMA,
            "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine");
}

static void read_field(sh_reader *r, sh_state *state, const char *key, json_t *value)
{
    const struct field *field = find_field(key, state->type);

    if (!field) {
        sh_reader_problem(r, SH_SCHEMA, "Field '%.100s' is not supported", key);
        return;
    }
    if (field->language == (state->jsonata ? PATH_ONLY : JSONATA_ONLY)) {
        sh_read_wrong_language(r, key);
        return;
    }
    sh_reader_enter(r, key);
    field->read(r, state, value, field->name);
    sh_reader_leave(r);
}

void sh_state_read(sh_reader *r, sh_state *state, json_t *value)
{
    json_t *type = json_object_get(value, "Type"), *item;
    sh_build *build = &r->flow->build;
    json_t *outer_reads = build->reads;
    sh_state *outer = r->state;
    size_t outer_depth = r->state_depth;
    const char *key;

    if (!find_type(json_string_value(type), &state->type)) {
        if (type)
            sh_reader_enter(r, "Type");
        sh_reader_problem(
            r, SH_SCHEMA,
            type ? "Value is not a state type: Task, Pass, Wait, Choice, Succeed, Fail, Parallel, Map"
                 : "These fields are required: [Type]");
        if (type)
            sh_reader_leave(r);
        return;
    }
    r->state = state;
    r->state_depth = r->depth;
    build->reads = json_array();
    r->memory = r->memory || !build->reads;
    check_language(r, state, json_object_get(value, "QueryLanguage"));
    json_object_foreach(value, key, item) read_field(r, state, key, item);
    check_state(r, state, value);
    if (state->type == SH_STATE_MAP)
        sh_map_check(r, state, value);
    if (json_array_size(build->reads) && json_object_set(r->flow->reads, state->name, build->reads))
        r->memory = true;
    json_decref(build->reads);
    build->reads = outer_reads;
    r->state = outer;
    r->state_depth = outer_depth;
}
