/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names and ARNs of functions, and their parts as they are kept. */
#include "cloud/api/keys.h"
#include "cloud/api/lambda_inner.h"

#include <openssl/rand.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
#define NAME_MAX_LENGTH 64
#define QUALIFIER_MAX 128
#define NAME_PATTERN                                                                                         \
    "(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}(-gov)?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?"                \
    "([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?"

/* ---- names ---- */

static bool skip(const char **text, const char *what)
{
    size_t length = strlen(what);
    if (strncmp(*text, what, length) != 0)
        return false;
    *text += length;
    return true;
}

static bool qualifier_good(const char *text)
{
    size_t length = strlen(text);
    return strcmp(text, SH_FN_LATEST) == 0 ||
           (length > 0 && length <= QUALIFIER_MAX && strspn(text, NAME_CHARACTERS) == length);
}

bool sh_fn_split(const sh_cloud *cloud, sh_arena *arena, const char *text, sh_fn_name *out)
{
    char start[128];
    const sh_cloud_settings *s = &cloud->settings;
    snprintf(start, sizeof(start), "arn:aws:lambda:%.80s:%s:function:", s->region, s->account);
    if (!skip(&text, start)) {
        snprintf(start, sizeof(start), "%s:function:", s->account);
        if (!skip(&text, start)) {
            snprintf(start, sizeof(start), "%s:", s->account);
            skip(&text, start);
            skip(&text, "function:");
        }
    }
    size_t length = strcspn(text, ":");
    if (length == 0 || length > NAME_MAX_LENGTH || strspn(text, NAME_CHARACTERS) < length)
        return false;
    if (text[length] && !qualifier_good(text + length + 1))
        return false;
    out->name = sh_arena_strndup(arena, text, length);
    out->qualifier = text[length] ? sh_arena_strdup(arena, text + length + 1) : NULL;
    return out->name && (out->qualifier || !text[length]);
}

int sh_fn_bad(sh_call *call, const char *format, ...)
{
    char message[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    return sh_call_fail(call, 400, "InvalidParameterValueException", "%s", message);
}

int sh_fn_read_name(sh_call *call, sh_fn_name *out)
{
    const char *text, *qualifier;
    int status = sh_arg_need(call, "FunctionName", 256, &text);
    if (status == 0)
        status = sh_arg_text(call, "Qualifier", QUALIFIER_MAX, &qualifier);
    if (status < 0)
        return status;
    if (!sh_fn_split(call->cloud, call->arena, text, out)) {
        const char *other = strncmp(text, "arn:", 4) == 0 ? strstr(text, ":function:") : NULL;
        if (other && sh_fn_split(call->cloud, call->arena, other + 10, out))
            return sh_call_fail(call, 404, "ResourceNotFoundException", "Function not found: %s", text);
        return sh_call_fail(call, 400, "ValidationException",
                            "1 validation error detected: Value '%s' at 'functionName' failed to satisfy "
                            "constraint: Member must satisfy regular expression pattern: " NAME_PATTERN,
                            text);
    }
    if (!qualifier)
        return 0;
    if (!qualifier_good(qualifier))
        return sh_call_fail(call, 400, "ValidationException",
                            "1 validation error detected: Value '%s' at 'qualifier' failed to satisfy "
                            "constraint: Member must satisfy regular expression pattern: "
                            "(|[a-zA-Z0-9$_-]+)",
                            qualifier);
    if (out->qualifier && strcmp(out->qualifier, qualifier) != 0)
        return sh_fn_bad(call, "The derived qualifier from the function name does not match the specified "
                               "qualifier.");
    out->qualifier = qualifier;
    return 0;
}

const char *sh_fn_arn(const sh_cloud *cloud, sh_arena *arena, const char *name, const char *qualifier)
{
    return sh_arena_printf(arena, "arn:aws:lambda:%s:%s:function:%s%s%s", cloud->settings.region,
                           cloud->settings.account, name, qualifier ? ":" : "", qualifier ? qualifier : "");
}

bool sh_lambda_is_arn(const sh_cloud *cloud, const char *arn)
{
    char start[128];
    snprintf(start, sizeof(start), "arn:aws:lambda:%.80s:%s:function:", cloud->settings.region,
             cloud->settings.account);
    return strncmp(arn, start, strlen(start)) == 0;
}

int sh_fn_not_found(sh_call *call, const char *name, const char *qualifier)
{
    const char *arn = sh_fn_arn(call->cloud, call->arena, name, qualifier);
    return sh_call_fail(call, 404, "ResourceNotFoundException", "Function not found: %s", arn ? arn : name);
}

int sh_fn_need(sh_call *call, sh_fn_name *out)
{
    sh_err err = {0};
    sh_fn_part part;
    int status = sh_fn_read_name(call, out);
    if (status < 0)
        return status;
    status = sh_fn_get(call->cloud->db, call->arena, SH_FN_FUNCTION, out->name, "", &part, &err);
    if (status == SH_E_NOT_FOUND)
        return sh_fn_not_found(call, out->name, out->qualifier);
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

/* ---- what is kept ---- */

int sh_fn_load(sh_cloud *cloud, sh_arena *arena, sh_fn_kind kind, const char *name, const char *id,
               json_t **body, sh_err *err)
{
    sh_fn_part part;
    int status = sh_fn_get(cloud->db, arena, kind, name, id, &part, err);
    if (status < 0)
        return status;
    json_t *made = json_loads(part.body, JSON_ALLOW_NUL, NULL);
    if (!made)
        return sh_fail(err, SH_E_FORMAT, "function %s as it is kept cannot be read", name);
    *body = made;
    return 0;
}

int sh_fn_save(sh_cloud *cloud, sh_fn_kind kind, const char *name, const char *id, int64_t place,
               const json_t *body, sh_err *err)
{
    char *text = json_dumps(body, JSON_COMPACT);
    sh_fn_part part = {name, id, place, text};
    int status = text ? sh_fn_put(cloud->db, kind, &part, err)
                      : sh_fail(err, SH_E_MEMORY, "no memory for function %s", name);
    free(text);
    return status;
}

/* One of the versions of an alias. */
static const char *draw(sh_arena *arena, const json_t *alias)
{
    const char *version;
    json_t *weight;
    uint32_t random = 0;
    RAND_bytes((unsigned char *)&random, sizeof(random));
    double at = random / 4294967296.0;
    json_t *weights = json_object_get(json_object_get(alias, "RoutingConfig"), "AdditionalVersionWeights");
    json_object_foreach(weights, version, weight)
    {
        at -= json_number_value(weight);
        if (at < 0)
            return sh_arena_strdup(arena, version);
    }
    version = json_string_value(json_object_get(alias, "FunctionVersion"));
    return sh_arena_strdup(arena, version ? version : "");
}

static bool is_number(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == '\0';
}

static int find_number(sh_cloud *cloud, sh_arena *arena, const sh_fn_name *name, const char **number,
                       sh_err *err)
{
    json_t *alias;
    *number = name->qualifier ? name->qualifier : SH_FN_LATEST;
    if (strcmp(*number, SH_FN_LATEST) == 0 || is_number(*number))
        return 0;
    int status = sh_fn_load(cloud, arena, SH_FN_ALIAS, name->name, name->qualifier, &alias, err);
    if (status < 0)
        return status;
    *number = draw(arena, alias);
    json_decref(alias);
    return *number ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for an alias");
}

int sh_fn_find(sh_cloud *cloud, sh_arena *arena, const sh_fn_name *name, sh_fn_version *out, sh_err *err)
{
    json_t *body, *function;
    const char *number;
    int status = find_number(cloud, arena, name, &number, err);
    if (status == 0)
        status = sh_fn_load(cloud, arena, SH_FN_FUNCTION, name->name, "", &function, err);
    if (status < 0)
        return status;
    const json_t *reserved = json_object_get(function, "Concurrency");
    int64_t count = json_is_integer(reserved) ? json_integer_value(reserved) : -1;
    json_decref(function);
    status = sh_fn_load(cloud, arena, SH_FN_VERSION, name->name, number, &body, err);
    if (status == 0)
        *out = (sh_fn_version){name->name, name->qualifier, number, body, count};
    return status;
}

int sh_fn_need_version(sh_call *call, const sh_fn_name *name, sh_fn_version *out)
{
    sh_err err = {0};
    int status = sh_fn_find(call->cloud, call->arena, name, out, &err);
    if (status == SH_E_NOT_FOUND)
        return sh_fn_not_found(call, name->name, name->qualifier);
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

/* ---- what runs ---- */

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* "arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION" to its folder. */
static int put_layers(sh_cloud *cloud, sh_arena *arena, const json_t *layers, sh_lambda_code *out,
                      sh_err *err)
{
    size_t count = json_array_size(layers);
    const char **folders = sh_arena_alloc(arena, (count + 1) * sizeof(*folders));
    for (size_t i = 0; folders && i < count; i++) {
        const json_t *layer = json_array_get(layers, i);
        folders[i] = sh_fn_folder(cloud, arena, text_of(layer, "Name"), text_of(layer, "Folder"));
    }
    out->layers = folders;
    return folders ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for layers");
}

int sh_fn_code(sh_cloud *cloud, sh_arena *arena, const sh_fn_version *version, sh_lambda_code *out,
               sh_err *err)
{
    const json_t *body = version->body, *logging = json_object_get(body, "LoggingConfig");
    const char *folder = text_of(body, "Folder"), *handler = text_of(body, "Handler");
    const char *format = text_of(logging, "LogFormat");
    const json_t *storage = json_object_get(json_object_get(body, "EphemeralStorage"), "Size");
    *out = (sh_lambda_code){
        .name = version->name,
        .version = version->number,
        .revision = text_of(body, "RevisionId"),
        .folder = folder ? sh_fn_folder(cloud, arena, version->name, folder) : NULL,
        .runtime = text_of(body, "Runtime"),
        .handler = handler ? handler : "",
        .role = text_of(body, "Role"),
        .environment = json_object_get(json_object_get(body, "Environment"), "Variables"),
        .memory_mb = (int)json_integer_value(json_object_get(body, "MemorySize")),
        .timeout_s = (int)json_integer_value(json_object_get(body, "Timeout")),
        .ephemeral_mb = (int)json_integer_value(storage),
        .reserved = (int)version->reserved,
        .log_group = text_of(logging, "LogGroup"),
        .json_logs = format && strcmp(format, "JSON") == 0,
    };
    if (!out->revision || !out->folder || !out->runtime || !out->role)
        return sh_fail(err, SH_E_FORMAT, "function %s as it is kept lacks something", version->name);
    return put_layers(cloud, arena, json_object_get(body, "LayerFolders"), out, err);
}

/* ---- revisions, pages ---- */

int sh_fn_check_revision(sh_call *call, const json_t *body)
{
    const char *wanted, *kept = text_of(body, "RevisionId");
    int status = sh_arg_text(call, "RevisionId", 64, &wanted);
    if (status < 0 || !wanted || (kept && strcmp(wanted, kept) == 0))
        return status;
    return sh_call_fail(call, 412, "PreconditionFailedException",
                        "The RevisionId provided does not match the latest RevisionId. Call the "
                        "GetFunction/GetAlias API to retrieve the latest RevisionId");
}

void sh_fn_new_revision(sh_call *call, json_t *body)
{
    char id[SH_UUID_TEXT];
    (void)call;
    sh_uuid(id);
    json_object_set_new(body, "RevisionId", json_string(id));
}

typedef struct revisions {
    sh_arena *arena;
    const char *ids[1024];
    size_t count;
    bool failed;
} revisions;

static int take_revision(void *opaque, const sh_fn_part *part)
{
    revisions *r = opaque;
    json_t *body = json_loads(part->body, JSON_ALLOW_NUL, NULL);
    const char *id = text_of(body, "RevisionId");
    if (id && !(r->ids[r->count++] = sh_arena_strdup(r->arena, id)))
        r->failed = true;
    json_decref(body);
    return 0;
}

void sh_fn_retire(sh_call *call, const char *name)
{
    sh_err err = {0};
    enum { LIMIT = 1023 };
    revisions *r = sh_arena_alloc(call->arena, sizeof(*r));
    if (!r)
        return;
    r->arena = call->arena;
    if (sh_fn_parts(call->cloud->db, SH_FN_VERSION, name, -1, "", LIMIT, take_revision, r, &err) == 0 &&
        !r->failed)
        sh_lambda_retire(call->cloud, name, r->ids);
}

int sh_fn_read_page(sh_call *call, const char **marker, int64_t *limit)
{
    int status = sh_arg_text(call, "Marker", 1024, marker);
    if (status == 0)
        status = sh_arg_int(call, "MaxItems", 1, 10000, 50, limit);
    if (*limit > 50)
        *limit = 50;
    if (!*marker)
        *marker = "";
    return status;
}
