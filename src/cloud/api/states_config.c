/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Logging, tracing and encryption configurations: checked, completed with what AWS takes for granted, kept as
 * text and shown again. */
#include "cloud/api/args.h"
#include "cloud/api/states_api.h"

#include <stdlib.h>
#include <string.h>

#define LOGGING_DEFAULT "{\"level\":\"OFF\",\"includeExecutionData\":false}"
#define TRACING_DEFAULT "{\"enabled\":false}"
#define ENCRYPTION_DEFAULT "{\"type\":\"AWS_OWNED_KEY\"}"
#define REUSE_DEFAULT 300

static int wrong_type(sh_call *call, const char *member)
{
    return sh_call_fail(call, 400, "SerializationException", "a value in '%s' is of the wrong type", member);
}

/* Takes the object; *text is its text in the arena. */
static int keep(sh_call *call, json_t *object, const char **text)
{
    char *dumped = object ? sh_flow_text(object) : NULL;
    const char *kept = dumped ? sh_arena_strdup(call->arena, dumped) : NULL;
    free(dumped);
    json_decref(object);
    if (!kept)
        return sh_out_done(call, SH_E_MEMORY);
    *text = kept;
    return 0;
}

static bool is_one_of(const char *value, const char *const *names)
{
    for (; *names; names++) {
        if (strcmp(value, *names) == 0)
            return true;
    }
    return false;
}

/* ---- logging ---- */

static int bad_logging(sh_call *call, const char *why)
{
    return sh_call_fail(call, 400, "InvalidLoggingConfiguration", "Invalid Logging Configuration: %s", why);
}

static int check_destinations(sh_call *call, const json_t *destinations, bool off)
{
    static const char prefix[] = "arn:aws:logs:";
    size_t index;
    const json_t *destination;
    if (destinations && !json_is_array(destinations))
        return wrong_type(call, "loggingConfiguration");
    if (json_array_size(destinations) > 1 || (!off && json_array_size(destinations) == 0))
        return bad_logging(call, "Must specify exactly one Log Destination.");
    json_array_foreach(destinations, index, destination)
    {
        const json_t *group = json_object_get(destination, "cloudWatchLogsLogGroup");
        const char *arn = json_string_value(json_object_get(group, "logGroupArn"));
        if (!arn || strncmp(arn, prefix, sizeof(prefix) - 1) != 0 || !strstr(arn, ":log-group:") ||
            strcmp(arn + strlen(arn) - 2, ":*") != 0)
            return bad_logging(call, "Must set valid CloudWatch Log Group ARN.");
    }
    return 0;
}

static int read_logging(sh_call *call, const char **text)
{
    static const char *const levels[] = {"ALL", "ERROR", "FATAL", "OFF", NULL};
    const json_t *given;
    int status = sh_arg_object(call, "loggingConfiguration", &given);
    if (status < 0 || !given)
        return status;
    const json_t *level = json_object_get(given, "level");
    const json_t *data = json_object_get(given, "includeExecutionData");
    if ((level && !json_is_string(level)) || (data && !json_is_boolean(data)))
        return wrong_type(call, "loggingConfiguration");
    const char *name = level ? json_string_value(level) : "OFF";
    if (!is_one_of(name, levels))
        return sh_states_refuse(call, "loggingConfiguration.level", name,
                                "Member must satisfy enum value set: [ALL, ERROR, FATAL, OFF]");
    const json_t *destinations = json_object_get(given, "destinations");
    status = check_destinations(call, destinations, strcmp(name, "OFF") == 0);
    if (status < 0)
        return status;
    json_t *full = json_pack("{s:s, s:b}", "level", name, "includeExecutionData", json_is_true(data));
    if (json_array_size(destinations) > 0 &&
        json_object_set(full, "destinations", (json_t *)destinations) < 0) {
        json_decref(full);
        full = NULL;
    }
    return keep(call, full, text);
}

/* ---- tracing ---- */

static int read_tracing(sh_call *call, const char **text)
{
    const json_t *given;
    int status = sh_arg_object(call, "tracingConfiguration", &given);
    if (status < 0 || !given)
        return status;
    const json_t *enabled = json_object_get(given, "enabled");
    if (enabled && !json_is_boolean(enabled))
        return wrong_type(call, "tracingConfiguration");
    return keep(call, json_pack("{s:b}", "enabled", json_is_true(enabled)), text);
}

/* ---- encryption ---- */

static int bad_encryption(sh_call *call, const char *why)
{
    return sh_call_fail(call, 400, "InvalidEncryptionConfiguration", "Invalid Encryption Configuration: %s",
                        why);
}

static int check_key(sh_call *call, const char *type, const char *key, const json_t *period)
{
    json_int_t seconds = json_integer_value(period);
    if (strcmp(type, "AWS_OWNED_KEY") == 0)
        return key || period ? bad_encryption(call, "A KMS key is not allowed with type AWS_OWNED_KEY.") : 0;
    if (!key || !*key)
        return bad_encryption(call, "kmsKeyId must be specified with type CUSTOMER_MANAGED_KMS_KEY.");
    if (period && (seconds < 60 || seconds > 900))
        return bad_encryption(call, "kmsDataKeyReusePeriodSeconds must be between 60 and 900.");
    return 0;
}

static int read_encryption(sh_call *call, const char **text)
{
    static const char *const types[] = {"AWS_OWNED_KEY", "CUSTOMER_MANAGED_KMS_KEY", NULL};
    const json_t *given;
    int status = sh_arg_object(call, "encryptionConfiguration", &given);
    if (status < 0 || !given)
        return status;
    const json_t *type = json_object_get(given, "type"), *key = json_object_get(given, "kmsKeyId");
    const json_t *period = json_object_get(given, "kmsDataKeyReusePeriodSeconds");
    if ((type && !json_is_string(type)) || (key && !json_is_string(key)) ||
        (period && !json_is_integer(period)))
        return wrong_type(call, "encryptionConfiguration");
    if (!type)
        return sh_call_fail(call, 400, "ValidationException",
                            "1 validation error detected: Value null at 'encryptionConfiguration.type' "
                            "failed to satisfy constraint: Member must not be null");
    const char *name = json_string_value(type);
    if (!is_one_of(name, types))
        return sh_states_refuse(
            call, "encryptionConfiguration.type", name,
            "Member must satisfy enum value set: [AWS_OWNED_KEY, CUSTOMER_MANAGED_KMS_KEY]");
    status = check_key(call, name, json_string_value(key), period);
    if (status < 0)
        return status;
    if (!key)
        return keep(call, json_pack("{s:s}", "type", name), text);
    return keep(call,
                json_pack("{s:s, s:s, s:I}", "kmsKeyId", json_string_value(key), "type", name,
                          "kmsDataKeyReusePeriodSeconds",
                          period ? json_integer_value(period) : (json_int_t)REUSE_DEFAULT),
                text);
}

int sh_states_read_configs(sh_call *call, sh_configs *out)
{
    *out = (sh_configs){0};
    int status = read_logging(call, &out->logging);
    if (status == 0)
        status = read_tracing(call, &out->tracing);
    return status == 0 ? read_encryption(call, &out->encryption) : status;
}

static json_t *stored(const char *text, const char *fallback)
{
    return json_loads(text ? text : fallback, 0, NULL);
}

void sh_states_put_configs(int *failed, json_t *out, const sh_machine *m)
{
    sh_put(failed, out, "loggingConfiguration", stored(m->logging, LOGGING_DEFAULT));
    sh_put(failed, out, "tracingConfiguration", stored(m->tracing, TRACING_DEFAULT));
    sh_put(failed, out, "encryptionConfiguration", stored(m->encryption, ENCRYPTION_DEFAULT));
}
