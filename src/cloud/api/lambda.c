/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lambda: the table of actions, and its REST routes. The first segment of a path is a date, a version of the
 * API for each group of operations; it is not looked at. */
#include "cloud/api/lambda_inner.h"
#include "base/size.h"
#include "cloud/http/head.h"

#include <string.h>

/* X(constant, name as AWS has it, what does it) */
#define ACTIONS(X)                                                                                           \
    X(CREATE, "CreateFunction", sh_fn_create)                                                                \
    X(GET, "GetFunction", sh_fn_get_function)                                                                \
    X(GET_CONFIGURATION, "GetFunctionConfiguration", sh_fn_get_configuration)                                \
    X(UPDATE_CODE, "UpdateFunctionCode", sh_fn_update_code)                                                  \
    X(UPDATE_CONFIGURATION, "UpdateFunctionConfiguration", sh_fn_update_configuration)                       \
    X(DELETE, "DeleteFunction", sh_fn_delete_function)                                                       \
    X(LIST, "ListFunctions", sh_fn_list)                                                                     \
    X(PUBLISH, "PublishVersion", sh_fn_publish)                                                              \
    X(LIST_VERSIONS, "ListVersionsByFunction", sh_fn_list_versions)                                          \
    X(CREATE_ALIAS, "CreateAlias", sh_fn_create_alias)                                                       \
    X(GET_ALIAS, "GetAlias", sh_fn_get_alias)                                                                \
    X(UPDATE_ALIAS, "UpdateAlias", sh_fn_update_alias)                                                       \
    X(DELETE_ALIAS, "DeleteAlias", sh_fn_delete_alias)                                                       \
    X(LIST_ALIASES, "ListAliases", sh_fn_list_aliases)                                                       \
    X(ADD_PERMISSION, "AddPermission", sh_fn_add_permission)                                                 \
    X(REMOVE_PERMISSION, "RemovePermission", sh_fn_remove_permission)                                        \
    X(GET_POLICY, "GetPolicy", sh_fn_get_policy)                                                             \
    X(PUT_CONCURRENCY, "PutFunctionConcurrency", sh_fn_put_concurrency)                                      \
    X(GET_CONCURRENCY, "GetFunctionConcurrency", sh_fn_get_concurrency)                                      \
    X(DELETE_CONCURRENCY, "DeleteFunctionConcurrency", sh_fn_delete_concurrency)                             \
    X(PUT_INVOKE_CONFIG, "PutFunctionEventInvokeConfig", sh_fn_put_invoke_config)                            \
    X(UPDATE_INVOKE_CONFIG, "UpdateFunctionEventInvokeConfig", sh_fn_update_invoke_config)                   \
    X(GET_INVOKE_CONFIG, "GetFunctionEventInvokeConfig", sh_fn_get_invoke_config)                            \
    X(DELETE_INVOKE_CONFIG, "DeleteFunctionEventInvokeConfig", sh_fn_delete_invoke_config)                   \
    X(LIST_INVOKE_CONFIGS, "ListFunctionEventInvokeConfigs", sh_fn_list_invoke_configs)                      \
    X(TAG, "TagResource", sh_fn_tag)                                                                         \
    X(UNTAG, "UntagResource", sh_fn_untag)                                                                   \
    X(LIST_TAGS, "ListTags", sh_fn_list_tags)                                                                \
    X(ACCOUNT_SETTINGS, "GetAccountSettings", sh_fn_account_settings)                                        \
    X(INVOKE, "Invoke", sh_fn_invoke)                                                                        \
    X(INVOKE_STREAM, "InvokeWithResponseStream", sh_fn_invoke_stream)

#define CONSTANT(constant, name, fn) constant,
enum { ACTIONS(CONSTANT) };

#define ROW(constant, name, fn) [constant] = {name, fn},
static const sh_action actions[] = {ACTIONS(ROW){NULL, NULL}};

const sh_service sh_service_lambda = {
    .name = "lambda", .target_prefix = NULL, .json_version = "1.1", .actions = actions};

/* ---- REST ---- */

typedef struct route {
    const char *method, *path; /* behind the date; "{Name}" is a segment and the member it stands for */
    int action, status;
} route;

#define F "functions/{FunctionName}"

static const route routes[] = {
    {"POST", "functions", CREATE, 201},
    {"GET", "functions", LIST, 200},
    {"GET", F, GET, 200},
    {"DELETE", F, DELETE, 204},
    {"GET", F "/configuration", GET_CONFIGURATION, 200},
    {"PUT", F "/configuration", UPDATE_CONFIGURATION, 200},
    {"PUT", F "/code", UPDATE_CODE, 200},
    {"POST", F "/invocations", INVOKE, 200},
    {"POST", F "/response-streaming-invocations", INVOKE_STREAM, 200},
    {"POST", F "/versions", PUBLISH, 201},
    {"GET", F "/versions", LIST_VERSIONS, 200},
    {"POST", F "/aliases", CREATE_ALIAS, 201},
    {"GET", F "/aliases", LIST_ALIASES, 200},
    {"GET", F "/aliases/{Name}", GET_ALIAS, 200},
    {"PUT", F "/aliases/{Name}", UPDATE_ALIAS, 200},
    {"DELETE", F "/aliases/{Name}", DELETE_ALIAS, 204},
    {"POST", F "/policy", ADD_PERMISSION, 201},
    {"GET", F "/policy", GET_POLICY, 200},
    {"DELETE", F "/policy/{StatementId}", REMOVE_PERMISSION, 204},
    {"PUT", F "/concurrency", PUT_CONCURRENCY, 200},
    {"GET", F "/concurrency", GET_CONCURRENCY, 200},
    {"DELETE", F "/concurrency", DELETE_CONCURRENCY, 204},
    {"PUT", F "/event-invoke-config", PUT_INVOKE_CONFIG, 200},
    {"POST", F "/event-invoke-config", UPDATE_INVOKE_CONFIG, 200},
    {"GET", F "/event-invoke-config", GET_INVOKE_CONFIG, 200},
    {"DELETE", F "/event-invoke-config", DELETE_INVOKE_CONFIG, 204},
    {"GET", F "/event-invoke-config/list", LIST_INVOKE_CONFIGS, 200},
    {"POST", "tags/{Resource}", TAG, 204},
    {"DELETE", "tags/{Resource}", UNTAG, 204},
    {"GET", "tags/{Resource}", LIST_TAGS, 200},
    {"GET", "account-settings", ACCOUNT_SETTINGS, 200},
};

/* Behind "/2015-03-31/", or NULL. */
static const char *after_date(const char *path)
{
    static const char form[] = "/dddd-dd-dd/";
    for (size_t i = 0; form[i]; i++) {
        bool digit = path[i] >= '0' && path[i] <= '9';
        if (form[i] == 'd' ? !digit : path[i] != form[i])
            return NULL;
    }
    return path + sizeof(form) - 1;
}

bool sh_lambda_path(const char *path)
{
    const char *at = after_date(path);
    return at && (strncmp(at, "functions", 9) == 0 || strncmp(at, "tags/arn%3Aaws%3Alambda", 23) == 0 ||
                  strncmp(at, "account-settings", 16) == 0);
}

static json_t *decoded(const char *text, size_t length, bool query)
{
    json_t *json = NULL;
    sh_arena *arena = sh_arena_new(64 << 10);
    char *plain = arena ? sh_http_decode(arena, text, length, query) : NULL;
    if (plain && sh_utf8_valid(plain, strlen(plain)))
        json = json_string(plain);
    sh_arena_free(arena);
    return json;
}

static size_t path_length(const char *path)
{
    size_t length = strlen(path);
    return length > 0 && path[length - 1] == '/' ? length - 1 : length;
}

/* Walks both; `in` NULL: only looks. */
static bool match(const char *form, const char *path, json_t *in)
{
    const char *end = path + path_length(path);
    while (*form) {
        if (*form != '{') {
            if (path == end || *form++ != *path++)
                return false;
            continue;
        }
        size_t name = strcspn(form, "}"), length = strcspn(path, "/");
        if (length > (size_t)(end - path))
            length = (size_t)(end - path);
        if (length == 0)
            return false;
        if (in) {
            json_t *value = decoded(path, length, false);
            if (!value || json_object_setn_new(in, form + 1, name - 1, value) < 0)
                return false;
        }
        form += name + 1;
        path += length;
    }
    return path == end;
}

static void merge_one(json_t *in, const char *name, json_t *value)
{
    int64_t number;
    const char *text = json_string_value(value);
    if (strcmp(name, "MaxItems") == 0 && sh_parse_i64(text, strlen(text), INT32_MIN, INT32_MAX, &number)) {
        json_object_set_new(in, name, json_integer(number));
    } else if (strcmp(name, "tagKeys") == 0) {
        if (!json_object_get(in, "TagKeys"))
            json_object_set_new(in, "TagKeys", json_array());
        json_array_append(json_object_get(in, "TagKeys"), value);
    } else {
        json_object_set(in, name, value);
    }
}

static void merge_query(json_t *in, const char *query)
{
    while (query && *query) {
        size_t length = strcspn(query, "&"), equals = strcspn(query, "=&");
        size_t skip = equals < length ? equals + 1 : length;
        json_t *name = decoded(query, equals, true), *value = decoded(query + skip, length - skip, true);
        if (name && value)
            merge_one(in, json_string_value(name), value);
        json_decref(name);
        json_decref(value);
        query += length + (query[length] == '&');
    }
}

const sh_action *sh_lambda_route(const char *method, const char *path, const char *query, json_t *in,
                                 int *status, bool *raw)
{
    const char *at = after_date(path);
    for (size_t i = 0; at && i < SH_COUNT(routes); i++) {
        const route *r = &routes[i];
        if (strcmp(method, r->method) != 0 || !match(r->path, at, NULL))
            continue;
        if (in) {
            merge_query(in, query);
            if (!match(r->path, at, in))
                return NULL;
        }
        *status = r->status;
        *raw = r->action == INVOKE || r->action == INVOKE_STREAM;
        return &actions[r->action];
    }
    return NULL;
}
