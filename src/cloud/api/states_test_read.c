/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What TestState is asked for. The state under test is looked up in the definition's JSON as well, because
 * what may be asked depends on its type and on what it calls. */
#include "cloud/api/args.h"
#include "cloud/api/keys.h"
#include "cloud/api/states_test.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 64

static int invalid(sh_call *call, const char *message)
{
    return sh_call_fail(call, 400, "ValidationException", "%s", message);
}

static int invalid_definition(sh_call *call, const char *message)
{
    return sh_call_fail(call, 400, "InvalidDefinition", "Invalid State Machine Definition: %s", message);
}

/* ---- the state ---- */

static const json_t *find_state(const json_t *machine, const char *name, int depth)
{
    const char *key;
    const json_t *state, *branch, *found;
    size_t index;
    const json_t *states = json_object_get(machine, "States");
    if (depth > DEPTH_MAX)
        return NULL;
    if ((found = json_object_get(states, name)))
        return found;
    json_object_foreach((json_t *)states, key, state)
    {
        if ((found = find_state(json_object_get(state, "ItemProcessor"), name, depth + 1)) ||
            (found = find_state(json_object_get(state, "Iterator"), name, depth + 1)))
            return found;
        json_array_foreach(json_object_get(state, "Branches"), index, branch)
        {
            if ((found = find_state(branch, name, depth + 1)))
                return found;
        }
    }
    return NULL;
}

static bool is_type(const json_t *state, const char *type)
{
    const char *is = json_string_value(json_object_get(state, "Type"));
    return is && strcmp(is, type) == 0;
}

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

/* Whether the task cannot be tried without a mock: its end comes from elsewhere. */
static bool is_waited_for(const char *resource)
{
    return strstr(resource, ":activity:") || ends_with(resource, ".sync") || ends_with(resource, ".sync:2") ||
           ends_with(resource, ".waitForTaskToken");
}

static int check_task(sh_call *call, sh_state_test *t, const json_t *state)
{
    char why[512];
    const char *name;
    const sh_flow_resource *r;
    const char *resource = json_string_value(json_object_get(state, "Resource"));
    if (!resource)
        return 0;
    if (is_waited_for(resource))
        return invalid_definition(call,
                                  "'TestState API does not support Activity tasks and the .sync and "
                                  ".waitForTaskToken service integration patterns when no mock is given'");
    if (!t->role)
        return invalid(call, "RoleArn must be specified when testing a Task state");
    for (size_t i = 0; (r = sh_flow_resource_at(t->flow, i, &name)); i++) {
        if (strcmp(r->arn, resource) == 0 && !sh_task_supported(r, why, sizeof(why)))
            return sh_call_fail(call, 400, "InvalidDefinition",
                                "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: The resource "
                                "provided %s is not recognized: %s at /Resource'",
                                r->arn, why);
    }
    return 0;
}

static int check_state(sh_call *call, sh_state_test *t, const json_t *state)
{
    const char *type = json_string_value(json_object_get(state, "Type"));
    bool nested = is_type(state, "Map") || is_type(state, "Parallel");
    if (t->test.mock) {
        if (nested || is_type(state, "Task"))
            return 0;
        return sh_call_fail(call, 400, "ValidationException",
                            "State type '%s' is not supported when a mock is specified", type ? type : "");
    }
    if (nested)
        return sh_call_fail(call, 400, "InvalidDefinition",
                            "TestState API does not support Map or Parallel states. Supported state types "
                            "include: [Task, Wait, Pass, Succeed, Fail, Choice]");
    return is_type(state, "Task") ? check_task(call, t, state) : 0;
}

/* ---- the mock ---- */

/* Optional text of JSON; *out NULL when it is not there. */
static int read_value(sh_call *call, const json_t *object, const char *name, const char *message,
                      json_t **out)
{
    const json_t *text = json_object_get(object, name);
    if (!text || json_is_null(text))
        return 0;
    if (!json_is_string(text))
        return sh_call_fail(call, 400, "SerializationException", "'%s' is not a string", name);
    if (sh_flow_load(out, json_string_value(text), json_string_length(text), NULL) < 0)
        return invalid(call, message);
    return 0;
}

static int check_mode(sh_call *call, const json_t *mock)
{
    const char *mode = json_string_value(json_object_get(mock, "fieldValidationMode"));
    if (!mode || strcmp(mode, "STRICT") == 0 || strcmp(mode, "PRESENT") == 0 || strcmp(mode, "NONE") == 0)
        return 0;
    return sh_states_refuse(call, "mock.fieldValidationMode", mode,
                            "Member must satisfy enum value set: [STRICT, PRESENT, NONE]");
}

static int read_mock(sh_call *call, sh_state_test *t)
{
    const json_t *mock;
    bool reveal;
    int status = sh_arg_object(call, "mock", &mock);
    if (status < 0 || (status = sh_arg_bool(call, "revealSecrets", false, &reveal)) < 0 || !mock)
        return status;
    const json_t *error = json_object_get(mock, "errorOutput");
    if (reveal)
        return invalid(call, "TestState does not support RevealSecrets when a mock is specified.");
    if ((json_object_get(mock, "result") != NULL) == json_is_object(error))
        return invalid(call,
                       "A test mock should have only one of the following fields: [result, errorOutput].");
    if ((status = check_mode(call, mock)) < 0 ||
        (status = read_value(call, mock, "result", "Mocked result must be valid JSON", &t->mock)) < 0)
        return status;
    t->test.mock = true;
    t->test.result = t->mock;
    if (error) {
        const char *name = json_string_value(json_object_get(error, "error"));
        t->test.error = name ? name : "";
        t->test.cause = json_string_value(json_object_get(error, "cause"));
    }
    return 0;
}

/* Of a Map: an array, or with a ResultWriter an object; of a Parallel: an array with a place a branch. */
static int check_mock(sh_call *call, const sh_state_test *t, const json_t *state)
{
    if (!t->mock)
        return 0;
    if (is_type(state, "Map") && json_object_get(state, "ResultWriter"))
        return json_is_object(t->mock) ? 0 : invalid(call, "Mocked result must be a JSON object.");
    if (!is_type(state, "Map") && !is_type(state, "Parallel"))
        return 0;
    if (!json_is_array(t->mock))
        return invalid(call, "Mocked result must be an array.");
    if (is_type(state, "Parallel") &&
        json_array_size(t->mock) != json_array_size(json_object_get(state, "Branches")))
        return invalid(call, "Mocked result must have as many elements as the state has branches.");
    return 0;
}

/* ---- stateConfiguration ---- */

static int read_count(sh_call *call, const json_t *configuration, const char *name, int64_t *out)
{
    const json_t *value = json_object_get(configuration, name);
    *out = value ? json_integer_value(value) : -1;
    if (!value || (json_is_integer(value) && *out >= 0))
        return 0;
    return sh_call_fail(call, 400, "ValidationException",
                        "1 validation error detected: Value at 'stateConfiguration.%s' failed to satisfy "
                        "constraint: Member must have value greater than or equal to 0",
                        name);
}

static json_t *number_of(const json_t *state, const char *name)
{
    json_t *value = json_object_get(state, name);
    return is_type(state, "Map") && json_is_number(value) ? json_incref(value) : NULL;
}

/* More failed iterations than the Map state bears are its error. */
static void apply_failures(sh_state_test *t, const json_t *state, int64_t failed)
{
    size_t items = json_array_size(t->mock);
    bool within = false;
    if (failed <= 0 || !is_type(state, "Map"))
        return;
    if (t->count)
        within = (double)failed <= json_number_value(t->count);
    if (t->percentage && items > 0)
        within = within || (double)failed * 100.0 / (double)items <= json_number_value(t->percentage);
    if (within)
        return;
    t->test.error = "States.ExceedToleratedFailureThreshold";
    t->test.cause = "The specified tolerated failure threshold was exceeded";
}

static int read_configuration(sh_call *call, sh_state_test *t, const json_t *machine, const json_t *state)
{
    const json_t *given;
    int64_t retries, failed;
    int status = sh_arg_object(call, "stateConfiguration", &given);
    if (status < 0 || !given)
        return status;
    if (!t->test.mock)
        return invalid(call, "State configuration can only be specified when a mock is specified.");
    if ((status = read_count(call, given, "retrierRetryCount", &retries)) < 0 ||
        (status = read_count(call, given, "mapIterationFailureCount", &failed)) < 0)
        return status;
    const char *origin = json_string_value(json_object_get(given, "errorCausedByState"));
    if (origin && !find_state(machine, origin, 0))
        return invalid(call, "State not found in definition");
    if (retries > 0)
        t->test.retries = retries;
    apply_failures(t, state, failed);
    return 0;
}

/* ---- the rest ---- */

static json_t *default_context(const sh_call *call, const char *role)
{
    char id[SH_UUID_TEXT];
    const sh_cloud_settings *s = &call->cloud->settings;
    sh_uuid(id);
    const char *arn = sh_arena_printf(call->arena, "arn:aws:states:%s:%s:execution:TestState:%s", s->region,
                                      s->account, id);
    const char *machine = sh_states_machine_arn(call, "TestState");
    return json_pack("{s:{s:s, s:s, s:s}, s:{s:s, s:s}}", "Execution", "Id", arn, "Name", id, "RoleArn",
                     role ? role : "", "StateMachine", "Id", machine, "Name", "TestState");
}

static int read_context(sh_call *call, sh_state_test *t)
{
    const json_t *given = json_object_get(call->in, "context");
    if (given && !json_is_null(given) && !t->test.mock)
        return invalid(call, "Context can only be specified when a mock is specified.");
    int status = read_value(call, call->in, "context", "Context must be valid JSON", &t->context);
    if (status < 0)
        return status;
    if (t->context && !json_is_object(t->context))
        return invalid(call, "Context must be a JSON object");
    if (!t->context)
        t->context = default_context(call, t->role);
    return t->context ? 0 : sh_out_done(call, SH_E_MEMORY);
}

static int read_values(sh_call *call, sh_state_test *t)
{
    int status = sh_states_read_json(call, "input", &t->written);
    if (status < 0 || (status = sh_arg_text(call, "roleArn", 256, &t->role)) < 0 ||
        (t->role && (status = sh_states_check_role(call, t->role)) < 0))
        return status;
    if (sh_flow_load(&t->input, t->written, strlen(t->written), NULL) < 0)
        return sh_out_done(call, SH_E_MEMORY);
    status = read_value(call, call->in, "variables", "Variables must be valid JSON", &t->variables);
    if (status < 0)
        return status;
    if (t->variables && !json_is_object(t->variables))
        return invalid(call, "Variables must be a JSON object");
    t->test.variables = t->variables;
    return 0;
}

static int parse(sh_call *call, sh_state_test *t, const char *definition)
{
    sh_err err = {0};
    size_t length = strlen(definition);
    int status = t->test.state ? sh_flow_parse(&t->flow, definition, length, NULL, &err)
                               : sh_flow_parse_state(&t->flow, definition, length, NULL, &err);
    if (status == SH_E_MEMORY)
        return sh_call_fail_internal(call, &err);
    return status < 0 ? invalid_definition(call, err.message) : 0;
}

/* What depends on the state. */
static int read_state(sh_call *call, sh_state_test *t, const json_t *definition)
{
    const json_t *state = t->test.state ? find_state(definition, t->test.state, 0) : definition;
    if (!state)
        return invalid(call, "State not found in definition");
    t->count = number_of(state, "ToleratedFailureCount");
    t->percentage = number_of(state, "ToleratedFailurePercentage");
    int status = check_state(call, t, state);
    if (status < 0 || (status = check_mock(call, t, state)) < 0 ||
        (status = read_configuration(call, t, definition, state)) < 0)
        return status;
    return read_context(call, t);
}

int sh_state_test_read(sh_call *call, sh_state_test *t)
{
    static const char *const levels[] = {"INFO", "DEBUG", "TRACE", NULL};
    const char *definition, *level;
    int status = sh_arg_need(call, "definition", SH_FLOW_DEFINITION_MAX, &definition);
    t->cloud = call->cloud;
    if (status < 0 || (status = sh_states_enum(call, "inspectionLevel", levels, &level)) < 0 ||
        (status = sh_arg_text(call, "stateName", 80, &t->test.state)) < 0 ||
        (status = read_values(call, t)) < 0 || (status = parse(call, t, definition)) < 0 ||
        (status = read_mock(call, t)) < 0)
        return status;
    t->inspect = level && strcmp(level, "INFO") != 0;
    json_t *parsed = json_loads(definition, JSON_ALLOW_NUL, NULL);
    status = read_state(call, t, parsed);
    json_decref(parsed);
    return status;
}

void sh_state_test_clear(sh_state_test *t)
{
    sh_flow_test_clear(&t->test);
    sh_flow_free(t->flow);
    json_decref(t->input);
    json_decref(t->variables);
    json_decref(t->mock);
    json_decref(t->context);
    json_decref(t->count);
    json_decref(t->percentage);
    json_decref(t->state);
    json_decref(t->output);
    free(t->error);
    free(t->cause);
}
