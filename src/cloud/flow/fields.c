/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fields of a state: one row a field, with the state types that have it and the function that reads it.
 * What has to hold between fields (one of several, one without another) is checked after all were read. */
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
    MAX_LIST = 1000,
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

    if (!sh_read_string(r, value, &text) || !strcmp(text, "JSONPath"))
        return;
    r->unsupported = r->unsupported || !strcmp(text, "JSONata");
    sh_reader_problem(r, SH_SCHEMA,
                      !strcmp(text, "JSONata") ? "QueryLanguage JSONata is not supported yet in state '%.80s'"
                                               : "QueryLanguage must be JSONPath in state '%.80s'",
                      state->name);
}

static void read_later(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    r->unsupported = true;
    sh_reader_problem(r, SH_SCHEMA, "%s is not supported yet in state '%.80s'", name, state->name);
}

static void read_next(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    sh_read_string(r, value, &state->next_name);
}

static void read_default(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    sh_read_string(r, value, &state->default_name);
}

static void read_end(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    sh_read_bool(r, value, &state->end);
}

static void read_path_field(sh_reader *r, json_t *value, sh_path_field *out, bool reference)
{
    if (json_is_null(value))
        out->null = true;
    else if (reference)
        sh_read_reference(r, value, &out->path);
    else
        sh_read_path(r, value, &out->path);
}

static void read_input_path(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    read_path_field(r, value, &state->input_path, false);
}

static void read_output_path(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    read_path_field(r, value, &state->output_path, false);
}

static void read_result_path_into(sh_reader *r, json_t *value, sh_path_field *out)
{
    read_path_field(r, value, out, true);
    if (out->path && sh_path_is_context(out->path))
        sh_reader_problem(r, SH_SCHEMA, "A ResultPath cannot write to the context object");
}

static void read_result_path(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    read_result_path_into(r, value, &state->result_path);
}

static void read_parameters(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    if (state->type == SH_STATE_MAP)
        sh_read_template(r, value, &state->item_selector);
    else
        sh_read_template(r, value, &state->parameters);
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
}

static void read_resource(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    const char *arn;
    char why[256] = "";

    if (sh_read_string(r, value, &arn) &&
        !sh_resource_parse(&r->flow->build, arn, &state->resource, why, sizeof(why)))
        sh_reader_problem(r, SH_SCHEMA, "Value is not a valid resource ARN: %s", why);
}

void sh_read_number_field(sh_reader *r, json_t *value, const char *name, double least, double most,
                          sh_number_field *out)
{
    size_t length = strlen(name);
    int64_t number = 0;

    if (out->given) {
        sh_reader_problem(r, SH_SCHEMA, "Only one of a field and its Path form may be given");
        return;
    }
    out->given = true;
    out->name = name;
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

static void read_error(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    if (state->error_path)
        sh_reader_problem(r, SH_SCHEMA, "Only one of Error and ErrorPath may be given");
    sh_read_string(r, value, &state->error);
}

static void read_cause(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    if (state->cause_path)
        sh_reader_problem(r, SH_SCHEMA, "Only one of Cause and CausePath may be given");
    sh_read_string(r, value, &state->cause);
}

static void read_error_path(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    if (state->error)
        sh_reader_problem(r, SH_SCHEMA, "Only one of Error and ErrorPath may be given");
    sh_read_expr(r, value, &state->error_path);
}

static void read_cause_path(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    if (state->cause)
        sh_reader_problem(r, SH_SCHEMA, "Only one of Cause and CausePath may be given");
    sh_read_expr(r, value, &state->cause_path);
}

/* An array of `least` to MAX_LIST objects; false after a finding. */
static bool check_list(sh_reader *r, const json_t *value, size_t least, size_t *count)
{
    *count = json_array_size(value);
    if (json_is_array(value) && *count >= least && *count <= MAX_LIST)
        return true;
    sh_reader_problem(r, SH_SCHEMA, "Expected an array of %zu to %d elements", least, MAX_LIST);
    return false;
}

static void read_choices(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    size_t count;

    if (!check_list(r, value, 1, &count))
        return;
    state->choices = sh_reader_alloc(r, count, sizeof(*state->choices));
    for (size_t i = 0; state->choices && i < count; i++) {
        json_t *item = json_array_get(value, i);
        sh_choice *choice = &state->choices[state->choice_count++];

        sh_reader_enter_index(r, i);
        choice->rule = sh_rule_read(r, item, true, 0);
        choice->next_name = json_string_value(json_object_get(item, "Next"));
        if (json_is_object(item) && !json_object_get(item, "Next"))
            sh_reader_problem(r, SH_SCHEMA, "The field 'Next' is required but was missing");
        sh_reader_leave(r);
    }
}

static void read_names(sh_reader *r, const json_t *value, bool last, sh_names *out)
{
    size_t count;

    if (!check_list(r, value, 1, &count))
        return;
    out->names = sh_reader_alloc(r, count, sizeof(*out->names));
    for (size_t i = 0; out->names && i < count; i++) {
        const char *text = "";

        sh_reader_enter_index(r, i);
        if (sh_read_string(r, json_array_get(value, i), &text) && !strcmp(text, "States.ALL")) {
            if (count > 1)
                sh_reader_problem(r, SH_SCHEMA, "States.ALL must appear alone");
            if (!last)
                sh_reader_problem(r, SH_SCHEMA, "States.ALL must be in the last element");
        }
        out->names[out->count++] = text;
        sh_reader_leave(r);
    }
}

static void read_jitter(sh_reader *r, const json_t *value, bool *full)
{
    const char *text = "";

    if (!sh_read_string(r, value, &text))
        return;
    *full = !strcmp(text, "FULL");
    if (!*full && strcmp(text, "NONE"))
        sh_reader_problem(r, SH_SCHEMA, "JitterStrategy must be FULL or NONE");
}

static void read_retrier_field(sh_reader *r, sh_retrier *retrier, const char *key, const json_t *value,
                               bool last)
{
    const char *text;

    if (!strcmp(key, "ErrorEquals"))
        read_names(r, value, last, &retrier->errors);
    else if (!strcmp(key, "IntervalSeconds"))
        sh_read_integer(r, value, 1, MAX_SECONDS, &retrier->interval_s);
    else if (!strcmp(key, "MaxAttempts"))
        sh_read_integer(r, value, 0, MAX_SECONDS, &retrier->max_attempts);
    else if (!strcmp(key, "MaxDelaySeconds"))
        sh_read_integer(r, value, 1, 31622400, &retrier->max_delay_s);
    else if (!strcmp(key, "BackoffRate"))
        sh_read_number(r, value, 1, 1e9, &retrier->backoff);
    else if (!strcmp(key, "JitterStrategy"))
        read_jitter(r, value, &retrier->full_jitter);
    else if (!strcmp(key, "Comment"))
        sh_read_string(r, value, &text);
    else
        sh_reader_problem(r, SH_SCHEMA, "Field '%.100s' is not supported in Retry", key);
}

static void read_catcher_field(sh_reader *r, sh_catcher *catcher, const char *key, json_t *value, bool last)
{
    const char *text;

    if (!strcmp(key, "ErrorEquals")) {
        read_names(r, value, last, &catcher->errors);
    } else if (!strcmp(key, "Next")) {
        sh_read_string(r, value, &catcher->next_name);
    } else if (!strcmp(key, "ResultPath")) {
        read_result_path_into(r, value, &catcher->result_path);
    } else if (!strcmp(key, "Comment")) {
        sh_read_string(r, value, &text);
    } else if (!strcmp(key, "Assign") || !strcmp(key, "Output")) {
        r->unsupported = true;
        sh_reader_problem(r, SH_SCHEMA, "%s is not supported yet in Catch", key);
    } else {
        sh_reader_problem(r, SH_SCHEMA, "Field '%.100s' is not supported in Catch", key);
    }
}

void sh_read_require(sh_reader *r, const json_t *object, const char *name)
{
    if (!json_object_get(object, name))
        sh_reader_problem(r, SH_SCHEMA, "The field '%s' is required but was missing", name);
}

static void read_retry(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    size_t count;

    if (!check_list(r, value, 0, &count))
        return;
    state->retriers = sh_reader_alloc(r, count, sizeof(*state->retriers));
    for (size_t i = 0; state->retriers && i < count; i++) {
        sh_retrier *retrier = &state->retriers[state->retrier_count++];
        json_t *object = json_array_get(value, i), *item;
        const char *key;

        *retrier = (sh_retrier){.interval_s = 1, .max_attempts = 3, .backoff = 2};
        sh_reader_enter_index(r, i);
        sh_read_require(r, object, "ErrorEquals");
        json_object_foreach(object, key, item)
        {
            sh_reader_enter(r, key);
            read_retrier_field(r, retrier, key, item, i == count - 1);
            sh_reader_leave(r);
        }
        sh_reader_leave(r);
    }
}

static void read_catch(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    size_t count;

    if (!check_list(r, value, 0, &count))
        return;
    state->catchers = sh_reader_alloc(r, count, sizeof(*state->catchers));
    for (size_t i = 0; state->catchers && i < count; i++) {
        sh_catcher *catcher = &state->catchers[state->catcher_count++];
        json_t *object = json_array_get(value, i), *item;
        const char *key;

        sh_reader_enter_index(r, i);
        sh_read_require(r, object, "ErrorEquals");
        sh_read_require(r, object, "Next");
        json_object_foreach(object, key, item)
        {
            sh_reader_enter(r, key);
            read_catcher_field(r, catcher, key, item, i == count - 1);
            sh_reader_leave(r);
        }
        sh_reader_leave(r);
    }
}

static void read_branches(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    size_t count;

    if (!check_list(r, value, 1, &count))
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
} fields[] = {
    {"Type", ALL, read_nothing},
    {"Comment", ALL, read_comment},
    {"QueryLanguage", ALL, read_language},
    {"Next", MOVING, read_next},
    {"End", MOVING, read_end},
    {"InputPath", ALL & ~FAIL, read_input_path},
    {"OutputPath", ALL & ~FAIL, read_output_path},
    {"Parameters", WORKING | PASS, read_parameters},
    {"ResultPath", WORKING | PASS, read_result_path},
    {"ResultSelector", WORKING, read_result_selector},
    {"Result", PASS, read_result},
    {"Retry", WORKING, read_retry},
    {"Catch", WORKING, read_catch},
    {"Resource", TASK, read_resource},
    {"TimeoutSeconds", TASK, read_timeout},
    {"TimeoutSecondsPath", TASK, read_timeout},
    {"HeartbeatSeconds", TASK, read_heartbeat},
    {"HeartbeatSecondsPath", TASK, read_heartbeat},
    {"Credentials", TASK, read_later},
    {"Seconds", WAIT, read_seconds},
    {"SecondsPath", WAIT, read_seconds},
    {"Timestamp", WAIT, read_timestamp},
    {"TimestampPath", WAIT, read_timestamp_path},
    {"Choices", CHOICE, read_choices},
    {"Default", CHOICE, read_default},
    {"Error", FAIL, read_error},
    {"Cause", FAIL, read_cause},
    {"ErrorPath", FAIL, read_error_path},
    {"CausePath", FAIL, read_cause_path},
    {"Branches", PARALLEL, read_branches},
    {"ItemProcessor", MAP, sh_map_read_processor},
    {"Iterator", MAP, sh_map_read_processor},
    {"ItemsPath", MAP, read_items_path},
    {"ItemSelector", MAP, read_parameters},
    {"MaxConcurrency", MAP, read_concurrency},
    {"MaxConcurrencyPath", MAP, read_concurrency},
    {"ToleratedFailureCount", MAP, sh_map_read_failures},
    {"ToleratedFailureCountPath", MAP, sh_map_read_failures},
    {"ToleratedFailurePercentage", MAP, sh_map_read_failures},
    {"ToleratedFailurePercentagePath", MAP, sh_map_read_failures},
    {"ItemBatcher", MAP, sh_map_read_batcher},
    {"ItemReader", MAP, sh_map_read_reader},
    {"ResultWriter", MAP, sh_map_read_writer},
    {"Label", MAP, sh_map_read_label},
    {"Assign", ALL & ~FAIL, read_later},
    {"Arguments", WORKING, read_later},
    {"Output", ALL & ~FAIL, read_later},
    {"Items", MAP, read_later},
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
    if (state->next_name && state->end)
        sh_reader_problem(r, SH_SCHEMA, "A state must have either 'Next' or 'End', not both");
    else if (!state->next_name && !state->end)
        sh_reader_problem(r, SH_SCHEMA, "The field 'Next' is required but was missing (or 'End': true)");
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
                          "A Wait state must have exactly one of 'Seconds', 'SecondsPath', 'Timestamp', "
                          "'TimestampPath'");
    if (state->type == SH_STATE_CHOICE)
        sh_read_require(r, value, "Choices");
    if (state->type == SH_STATE_PARALLEL)
        sh_read_require(r, value, "Branches");
    if (state->timeout.given && state->heartbeat.given && !state->timeout.path && !state->heartbeat.path &&
        state->heartbeat.value >= state->timeout.value)
        sh_reader_problem(r, SH_SCHEMA, "HeartbeatSeconds must be less than TimeoutSeconds");
}

void sh_state_read(sh_reader *r, sh_state *state, json_t *value)
{
    json_t *type = json_object_get(value, "Type"), *item;
    const char *key;

    if (!find_type(json_string_value(type), &state->type)) {
        if (type)
            sh_reader_enter(r, "Type");
        sh_reader_problem(
            r, SH_SCHEMA,
            type ? "Value is not a state type: Task, Pass, Wait, Choice, Succeed, Fail, Parallel, Map"
                 : "The field 'Type' is required but was missing");
        if (type)
            sh_reader_leave(r);
        return;
    }
    json_object_foreach(value, key, item)
    {
        const struct field *field = find_field(key, state->type);

        sh_reader_enter(r, key);
        if (field)
            field->read(r, state, item, field->name);
        else
            sh_reader_problem(r, SH_SCHEMA, "Field '%.100s' is not supported in a %s state", key,
                              sh_state_type_name(state->type));
        sh_reader_leave(r);
    }
    check_state(r, state, value);
    if (state->type == SH_STATE_MAP)
        sh_map_check(r, state, value);
}
