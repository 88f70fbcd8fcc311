/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The configuration of a function: what CreateFunction and UpdateFunctionConfiguration take, checked in the
 * words of AWS, and how it is given back. */
#include "base/clock.h"
#include "cloud/api/iam.h"
#include "cloud/api/lambda_inner.h"

#include <stdio.h>
#include <string.h>

#define ENVIRONMENT_MAX 4096
#define RUNTIMES                                                                                             \
    "[nodejs18.x, nodejs20.x, nodejs22.x, nodejs24.x, provided, provided.al2, provided.al2023, "             \
    "python3.9, python3.10, python3.11, python3.12, python3.13, python3.14]"

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* ---- out ---- */

static void drop(json_t *out, const char *name)
{
    json_object_del(out, name);
}

json_t *sh_fn_json(const sh_cloud *cloud, sh_arena *arena, const char *name, const char *qualifier,
                   const json_t *body)
{
    int status = 0;
    json_t *out = json_deep_copy(body);
    const char *group = sh_arena_printf(arena, "/aws/lambda/%s", name);
    if (!out)
        return NULL;
    drop(out, "Folder");
    drop(out, "LayerFolders");
    sh_put_text(&status, out, "FunctionName", name);
    sh_put_text(&status, out, "FunctionArn", sh_fn_arn(cloud, arena, name, qualifier));
    if (!json_object_get(out, "LoggingConfig"))
        sh_put(&status, out, "LoggingConfig",
               json_pack("{s:s, s:s}", "LogFormat", "Text", "LogGroup", group ? group : ""));
    if (status == 0)
        return out;
    json_decref(out);
    return NULL;
}

/* ---- in ---- */

static int take_int(sh_call *call, json_t *body, const char *name, const char *member, int64_t min,
                    int64_t max, int64_t fallback)
{
    const json_t *given = json_object_get(call->in, name);
    if (!given || json_is_null(given)) {
        if (fallback > 0 && !json_object_get(body, name))
            json_object_set_new(body, name, json_integer(fallback));
        return 0;
    }
    if (!json_is_integer(given))
        return sh_call_fail(call, 400, "SerializationException", "%s is not a number", name);
    int64_t value = json_integer_value(given);
    if (value < min || value > max)
        return sh_call_fail(call, 400, "ValidationException",
                            "1 validation error detected: Value '%lld' at '%s' failed to satisfy constraint: "
                            "Member must have value %s than or equal to %lld",
                            (long long)value, member, value < min ? "greater" : "less",
                            (long long)(value < min ? min : max));
    json_object_set(body, name, (json_t *)given);
    return 0;
}

static int take_text(sh_call *call, json_t *body, const char *name, size_t max)
{
    const char *text;
    int status = sh_arg_text(call, name, max, &text);
    if (status == 0 && text)
        json_object_set_new(body, name, json_string(text));
    return status;
}

static int check_name(sh_call *call, const char *name)
{
    static const char *const kept[] = {"_HANDLER", "_X_AMZN_TRACE_ID", "TZ_", NULL};
    bool first = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z');
    if (!first ||
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != strlen(name) ||
        !name[1])
        return sh_call_fail(call, 400, "ValidationException",
                            "1 validation error detected: Value at 'environment.variables' failed to satisfy "
                            "constraint: Map keys must satisfy constraint: [Member must satisfy regular "
                            "expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]");
    bool reserved = strncmp(name, "AWS_LAMBDA_", 11) == 0 || strncmp(name, "LAMBDA_", 7) == 0;
    static const char *const more[] = {"AWS_REGION",        "AWS_DEFAULT_REGION",    "AWS_ACCESS_KEY",
                                       "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
                                       "AWS_EXECUTION_ENV", "AWS_ENDPOINT_URL",      NULL};
    for (size_t i = 0; kept[i]; i++)
        reserved |= strcmp(kept[i], name) == 0;
    for (size_t i = 0; more[i]; i++)
        reserved |= strcmp(more[i], name) == 0;
    if (strcmp(name, "AWS_LAMBDA_EXEC_WRAPPER") == 0)
        reserved = false;
    return reserved ? sh_fn_bad(call,
                                "Lambda was unable to configure your environment variables because the "
                                "environment variables you have provided contains reserved keys that are "
                                "currently not supported for modification. Reserved keys used in this "
                                "request: %s",
                                name)
                    : 0;
}

static int take_environment(sh_call *call, json_t *body)
{
    const json_t *given;
    const char *name;
    json_t *value;
    size_t size = 2;
    int status = sh_arg_object(call, "Environment", &given);
    if (status < 0 || !given)
        return status;
    json_t *variables = json_object_get(given, "Variables");
    json_object_foreach(variables, name, value)
    {
        if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value))
            return sh_call_fail(call, 400, "SerializationException", "variable %s is not a string", name);
        if ((status = check_name(call, name)) < 0)
            return status;
        size += strlen(name) + json_string_length(value) + 6;
    }
    if (size > ENVIRONMENT_MAX)
        return sh_fn_bad(call,
                         "Lambda was unable to configure your environment variables because the environment "
                         "variables you have provided exceeded the 4KB limit. String measured: %zu bytes",
                         size);
    if (json_object_size(variables) == 0)
        json_object_del(body, "Environment");
    else
        json_object_set_new(body, "Environment", json_pack("{s:O}", "Variables", variables));
    return 0;
}

static int take_runtime(sh_call *call, json_t *body, bool created)
{
    sh_err err = {0};
    const char *runtime;
    int status = sh_arg_text(call, "Runtime", 64, &runtime);
    if (status < 0)
        return status;
    if (!runtime)
        return created ? sh_fn_bad(call, "Runtime is mandatory parameter for ZIP package.") : 0;
    status = sh_lambda_runtime_check(runtime, &err);
    if (status == SH_E_ARGUMENT)
        return sh_fn_bad(call,
                         "Value %s at 'runtime' failed to satisfy constraint: Member must satisfy enum value "
                         "set: " RUNTIMES " or be a valid ARN",
                         runtime);
    if (status < 0)
        return sh_fn_bad(call, "The runtime %s cannot run on this server: %s", runtime, err.message);
    json_object_set_new(body, "Runtime", json_string(runtime));
    return 0;
}

static int take_handler(sh_call *call, json_t *body, bool created)
{
    const char *handler, *runtime = text_of(body, "Runtime");
    int status = sh_arg_text(call, "Handler", 128, &handler);
    if (status < 0)
        return status;
    if (handler && handler[strcspn(handler, " \t\r\n")])
        return sh_call_fail(call, 400, "ValidationException",
                            "1 validation error detected: Value '%s' at 'handler' failed to satisfy "
                            "constraint: Member must satisfy regular expression pattern: [^\\s]+",
                            handler);
    if (handler)
        json_object_set_new(body, "Handler", json_string(handler));
    if (created && !handler && runtime && strncmp(runtime, "provided", 8) != 0)
        return sh_fn_bad(call, "Handler is mandatory parameter for ZIP package.");
    return 0;
}

/* The role has to be there and to trust Lambda; that it may be passed on was asked already. */
static int take_role(sh_call *call, json_t *body, bool created)
{
    sh_err err = {0};
    sh_caller session;
    const char *role;
    int status = sh_arg_text(call, "Role", 2048, &role);
    if (status < 0)
        return status;
    if (!role)
        return created ? sh_call_fail(call, 400, "ValidationException",
                                      "1 validation error detected: Value null at 'role' failed to satisfy "
                                      "constraint: Member must not be null")
                       : 0;
    const sh_iam_taking taking = {
        .role_arn = role, .service = "lambda.amazonaws.com", .session_name = "check"};
    status = sh_caller_by_role(call->cloud, &taking, call->arena, &session, &err);
    if (status == SH_E_ARGUMENT)
        return sh_call_fail(call, 400, "ValidationException",
                            "1 validation error detected: Value '%s' at 'role' failed to satisfy constraint: "
                            "Member must satisfy regular expression pattern: "
                            "arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+",
                            role);
    if (status == SH_E_NOT_FOUND || status == SH_E_DENIED)
        return sh_fn_bad(call, "The role defined for the function cannot be assumed by Lambda.");
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    json_object_set_new(body, "Role", json_string(role));
    return 0;
}

static int take_logging(sh_call *call, json_t *body, const char *name)
{
    const json_t *given;
    int status = sh_arg_object(call, "LoggingConfig", &given);
    if (status < 0 || !given)
        return status;
    const char *format = text_of(given, "LogFormat"), *group = text_of(given, "LogGroup");
    const char *fallback = sh_arena_printf(call->arena, "/aws/lambda/%s", name);
    if (format && strcmp(format, "JSON") != 0 && strcmp(format, "Text") != 0)
        return sh_call_fail(call, 400, "ValidationException",
                            "1 validation error detected: Value '%s' at 'loggingConfig.logFormat' failed to "
                            "satisfy constraint: Member must satisfy enum value set: [JSON, Text]",
                            format);
    json_t *kept = json_copy((json_t *)given);
    json_object_set_new(kept, "LogFormat", json_string(format ? format : "Text"));
    json_object_set_new(kept, "LogGroup", json_string(group ? group : fallback ? fallback : ""));
    json_object_set_new(body, "LoggingConfig", kept);
    return 0;
}

static int take_storage(sh_call *call, json_t *body)
{
    const json_t *given;
    int status = sh_arg_object(call, "EphemeralStorage", &given);
    if (status < 0)
        return status;
    int64_t size = given ? json_integer_value(json_object_get(given, "Size")) : 512;
    if (given && (size < 512 || size > 10240))
        return sh_call_fail(call, 400, "ValidationException",
                            "1 validation error detected: Value '%lld' at 'ephemeralStorage.size' failed to "
                            "satisfy constraint: Member must have value between 512 and 10240",
                            (long long)size);
    if (given || !json_object_get(body, "EphemeralStorage"))
        json_object_set_new(body, "EphemeralStorage", json_pack("{s:I}", "Size", (json_int_t)size));
    return 0;
}

/* What this server has not: said by name, never kept as if it worked. */
static int refuse_absent(sh_call *call)
{
    static const char *const absent[] = {"VpcConfig",   "DeadLetterConfig", "FileSystemConfigs",
                                         "ImageConfig", "SnapStart",        "CodeSigningConfigArn",
                                         "Layers"};
    static const char *const members[] = {"SubnetIds", "TargetArn", NULL, "Command", NULL, NULL, NULL};
    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
        const json_t *given = json_object_get(call->in, absent[i]);
        const json_t *inner = members[i] ? json_object_get(given, members[i]) : given;
        const char *apply = text_of(given, "ApplyOn");
        bool empty = !inner || json_is_null(inner) || (json_is_array(inner) && !json_array_size(inner)) ||
                     (json_is_object(inner) && !json_object_size(inner)) ||
                     (json_is_string(inner) && !json_string_length(inner)) ||
                     (apply && strcmp(apply, "None") == 0);
        if (!empty)
            return sh_fn_bad(call, "%s is not supported by this server%s", absent[i],
                             strcmp(absent[i], "DeadLetterConfig") == 0
                                 ? ": use an on-failure destination (PutFunctionEventInvokeConfig)"
                                 : "");
    }
    return 0;
}

static int take_package(sh_call *call, json_t *body)
{
    const json_t *list;
    const char *type;
    int status = sh_arg_text(call, "PackageType", 16, &type);
    if (status == 0)
        status = sh_arg_array(call, "Architectures", 1, &list);
    if (status < 0)
        return status;
    if (type && strcmp(type, "Zip") != 0)
        return sh_fn_bad(call, "PackageType %s is not supported by this server: only Zip is", type);
    if (!json_object_get(body, "Architectures"))
        json_object_set_new(body, "Architectures", json_pack("[s]", "x86_64"));
    if (list && json_array_size(list) > 0)
        json_object_set(body, "Architectures", (json_t *)list);
    json_object_set_new(body, "PackageType", json_string("Zip"));
    return 0;
}

static int take_tracing(sh_call *call, json_t *body)
{
    const json_t *given;
    int status = sh_arg_object(call, "TracingConfig", &given);
    const char *mode = given ? text_of(given, "Mode") : NULL;
    if (status == 0 && (mode || !json_object_get(body, "TracingConfig")))
        json_object_set_new(
            body, "TracingConfig",
            json_pack("{s:s}", "Mode", mode && strcmp(mode, "Active") == 0 ? "Active" : "PassThrough"));
    return status;
}

int sh_fn_read_config(sh_call *call, json_t *body, bool created)
{
    int status;
    char time[SH_TIME_TEXT];
    sh_fn_name name;
    if ((status = sh_fn_read_name(call, &name)) < 0 || (status = refuse_absent(call)) < 0 ||
        (status = take_package(call, body)) < 0 || (status = take_runtime(call, body, created)) < 0 ||
        (status = take_handler(call, body, created)) < 0 || (status = take_role(call, body, created)) < 0 ||
        (status = take_text(call, body, "Description", 256)) < 0 ||
        (status = take_int(call, body, "Timeout", "timeout", 1, 900, 3)) < 0 ||
        (status = take_int(call, body, "MemorySize", "memorySize", 128, 10240, 128)) < 0 ||
        (status = take_environment(call, body)) < 0 || (status = take_logging(call, body, name.name)) < 0 ||
        (status = take_storage(call, body)) < 0 || (status = take_tracing(call, body)) < 0)
        return status;
    if (!json_object_get(body, "Description"))
        json_object_set_new(body, "Description", json_string(""));
    sh_time_iso_ms(call->now_ms, time);
    size_t length = strlen(time); /* AWS writes +0000 here */
    snprintf(time + length - 1, sizeof(time) - length + 1, "+0000");
    json_object_set_new(body, "LastModified", json_string(time));
    sh_fn_new_revision(call, body);
    return 0;
}
