/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fields that are lists of rules: Choices, Retry, Catch. */
#include "cloud/flow/query.h"
#include "cloud/flow/reader.h"
#include <string.h>

enum { MAX_LIST = 1000, MAX_SECONDS = 99999999 };

void sh_read_result_path(sh_reader *r, json_t *value, sh_path_field *out)
{
    if (json_is_null(value))
        out->null = true;
    else
        sh_read_reference(r, value, &out->path);
    if (out->path && (sh_path_is_context(out->path) || sh_path_variable(out->path)))
        sh_reader_problem(r, SH_SCHEMA, "A ResultPath can write to the state's input only");
}

/* An array of `least` to MAX_LIST objects; false after a finding. */
bool sh_read_list(sh_reader *r, const json_t *value, size_t least, size_t *count)
{
    *count = json_array_size(value);
    if (json_is_array(value) && *count >= least && *count <= MAX_LIST)
        return true;
    sh_reader_problem(r, SH_SCHEMA, "Expected an array of %zu to %d elements", least, MAX_LIST);
    return false;
}

void sh_read_wrong_language(sh_reader *r, const char *field)
{
    const char *has = r->state->jsonata ? "JSONata" : "JSONPath";
    size_t depth = r->depth;

    r->depth = r->state_depth;
    sh_reader_problem(r, SH_SCHEMA,
                      "The QueryLanguage is set to '%s', but field '%.100s' is only supported for the '%s' "
                      "QueryLanguage",
                      has, field, r->state->jsonata ? "JSONPath" : "JSONata");
    r->depth = depth;
}

static void read_condition(sh_reader *r, json_t *value, const sh_template **out)
{
    if (!sh_query_is(value) && !json_is_boolean(value))
        sh_reader_problem(r, SH_SCHEMA, "Expected a JSONata expression in {%% and %%}, or true or false");
    else
        sh_read_template(r, value, out);
}

/* What a rule has in JSONata, or besides its comparison. */
static void read_choice_field(sh_reader *r, sh_choice *choice, const char *key, json_t *value)
{
    bool jsonata = r->state->jsonata;
    const char *text;

    if (!strcmp(key, "Assign"))
        sh_read_assign(r, value, &choice->assign);
    else if (!strcmp(key, "Output") || !strcmp(key, "Condition")) {
        if (!jsonata)
            sh_read_wrong_language(r, key);
        else if (*key == 'O')
            sh_read_template(r, value, &choice->output);
        else
            read_condition(r, value, &choice->condition);
    } else if (!strcmp(key, "Next") || !strcmp(key, "Comment")) {
        sh_read_string(r, value, &text);
    } else if (jsonata && sh_rule_field(key)) {
        sh_read_wrong_language(r, key);
    } else if (jsonata) {
        sh_reader_unsupported(r, key);
    }
}

static void read_choice(sh_reader *r, sh_choice *choice, json_t *item)
{
    const char *key;
    json_t *value;

    if (!r->state->jsonata || !json_is_object(item))
        choice->rule = sh_rule_read(r, item, true, 0);
    json_object_foreach(item, key, value)
    {
        sh_reader_enter(r, key);
        read_choice_field(r, choice, key, value);
        sh_reader_leave(r);
    }
    if (r->state->jsonata && json_is_object(item))
        sh_read_require(r, item, "Condition");
}

void sh_read_choices(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    size_t count;

    if (!sh_read_list(r, value, 1, &count))
        return;
    state->choices = sh_reader_alloc(r, count, sizeof(*state->choices));
    for (size_t i = 0; state->choices && i < count; i++) {
        json_t *item = json_array_get(value, i);
        sh_choice *choice = &state->choices[state->choice_count++];

        sh_reader_enter_index(r, i);
        read_choice(r, choice, item);
        choice->next.name = json_string_value(json_object_get(item, "Next"));
        if (json_is_object(item) && !json_object_get(item, "Next"))
            sh_read_require(r, item, "Next");
        sh_reader_leave(r);
    }
}

static void read_names(sh_reader *r, const json_t *value, bool last, sh_names *out)
{
    size_t count;

    if (!sh_read_list(r, value, 1, &count))
        return;
    out->names = sh_reader_alloc(r, count, sizeof(*out->names));
    for (size_t i = 0; out->names && i < count; i++) {
        const char *text = "";

        sh_reader_enter_index(r, i);
        if (sh_read_string(r, json_array_get(value, i), &text) && !strcmp(text, "States.ALL")) {
            if (count > 1 || !last)
                sh_reader_problem(r, SH_SCHEMA, "States.ALL must appear alone and at end of list");
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
        sh_reader_unsupported(r, key);
}

static void read_catcher_field(sh_reader *r, sh_catcher *catcher, const char *key, json_t *value, bool last)
{
    const char *text;

    if (!strcmp(key, "ErrorEquals")) {
        read_names(r, value, last, &catcher->errors);
    } else if (!strcmp(key, "Next")) {
        sh_read_string(r, value, &catcher->next.name);
    } else if ((!strcmp(key, "ResultPath") && r->state->jsonata) ||
               (!strcmp(key, "Output") && !r->state->jsonata)) {
        sh_read_wrong_language(r, key);
    } else if (!strcmp(key, "ResultPath")) {
        sh_read_result_path(r, value, &catcher->result_path);
    } else if (!strcmp(key, "Comment")) {
        sh_read_string(r, value, &text);
    } else if (!strcmp(key, "Assign")) {
        sh_read_assign(r, value, &catcher->assign);
    } else if (!strcmp(key, "Output")) {
        sh_read_template(r, value, &catcher->output);
    } else {
        sh_reader_unsupported(r, key);
    }
}

void sh_read_retry(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    size_t count;

    if (!sh_read_list(r, value, 0, &count))
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

void sh_read_catch(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    size_t count;

    if (!sh_read_list(r, value, 0, &count))
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
