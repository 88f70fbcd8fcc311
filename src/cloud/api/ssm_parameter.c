/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names, values and reading of parameters. A SecureString is sealed with the server's key (AES-256-GCM, bound
 * to its name and version); there are no KMS keys here, whatever key id was given is shown again. */
#include "cloud/api/ssm_parameter.h"
#include "cloud/api/iam_inner.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

int sh_parameter_missing(sh_call *call)
{
    return sh_call_fail(call, 400, "ParameterNotFound", "%s", "");
}

/* ---- names ---- */

/* "arn:aws:ssm:REGION:ACCOUNT:parameter/a/b" is /a/b, "…:parameter/x" is x: what stands with its slash has
 * more than one. */
static int name_of_arn(sh_call *call, const char *arn, const char **out)
{
    const sh_cloud_settings *s = &call->cloud->settings;
    const char *start = sh_arena_printf(call->arena, "arn:aws:ssm:%s:%s:parameter/", s->region, s->account);
    if (!start)
        return sh_out_done(call, SH_E_MEMORY);
    if (strncmp(arn, start, strlen(start)) != 0)
        return sh_call_fail(call, 400, "ValidationException",
                            "Parameter ARN %.300s is not one of this account and region", arn);
    const char *rest = arn + strlen(start);
    *out = strchr(rest, '/') ? rest - 1 : rest;
    return 0;
}

static bool has_prefix(const char *name, const char *prefix)
{
    return strncasecmp(name, prefix, strlen(prefix)) == 0;
}

static int check_name(sh_call *call, const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/";
    const char *bare = name + (*name == '/');
    size_t levels = 0;
    for (const char *at = name; *at; at++)
        levels += *at == '/';
    if (!*bare || strspn(name, letters) != strlen(name) || strstr(name, "//") ||
        name[strlen(name) - 1] == '/')
        return sh_call_fail(
            call, 400, "ValidationException",
            "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a "
            "path, it can consist of sub-paths divided by slash symbol; each sub-path can be "
            "formed as a mix of letters, numbers and the following 3 symbols .-_");
    if (strchr(name, '/') && *name != '/')
        return sh_call_fail(
            call, 400, "ValidationException",
            "Parameter name must be a fully qualified name: a name with slashes begins with one");
    if (has_prefix(bare, "aws") || has_prefix(bare, "ssm"))
        return sh_call_fail(call, 400, "ValidationException",
                            "Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive)");
    if (levels > 15)
        return sh_call_fail(call, 400, "HierarchyLevelLimitExceededException",
                            "Hierarchy depth exceeds the limit of 15 levels");
    return 0;
}

int sh_parameter_name(sh_call *call, const char *given, const char **name, const char **selector)
{
    const char *text = given;
    *selector = NULL;
    if (strncmp(given, "arn:", 4) == 0) {
        int status = name_of_arn(call, given, &text);
        if (status < 0)
            return status;
    }
    const char *colon = strchr(text, ':');
    if (colon && colon[1]) {
        *selector = sh_arena_strdup(call->arena, colon + 1);
        text = sh_arena_strndup(call->arena, text, (size_t)(colon - text));
        if (!text || !*selector)
            return sh_out_done(call, SH_E_MEMORY);
    }
    *name = text;
    return check_name(call, text);
}

/* ---- finding ---- */

typedef struct label_walk {
    const char *label;
    int64_t version;
} label_walk;

static int look_for_label(void *opaque, const sh_parameter *p)
{
    label_walk *walk = opaque;
    size_t index;
    const json_t *label;
    json_t *labels = p->labels ? json_loads(p->labels, 0, NULL) : NULL;
    json_array_foreach(labels, index, label)
    {
        if (strcmp(json_string_value(label), walk->label) == 0)
            walk->version = p->version;
    }
    json_decref(labels);
    return walk->version > 0;
}

static int version_of(sh_call *call, const char *name, const char *selector, int64_t *version, sh_err *err)
{
    char *end;
    label_walk walk = {.label = selector};
    *version = strtoll(selector, &end, 10);
    if (*end == '\0' && *version > 0)
        return 0;
    int status =
        sh_parameter_versions(call->cloud->db, name, 0, SH_PARAMETER_VERSIONS, look_for_label, &walk, err);
    *version = walk.version > 0 ? walk.version : INT64_MAX;
    return status;
}

int sh_parameter_find(sh_call *call, const char *given, sh_parameter *out, const char **selector)
{
    sh_err err = {0};
    const char *name;
    int64_t version = 0;
    int status = sh_parameter_name(call, given, &name, selector);
    if (status < 0)
        return status;
    status = sh_parameter_get(call->cloud->db, call->arena, name, 0, out, &err);
    if (status == 0 && *selector)
        status = version_of(call, name, *selector, &version, &err);
    if (status == 0 && *selector) {
        status = sh_parameter_get(call->cloud->db, call->arena, name, version, out, &err);
        if (status == SH_E_NOT_FOUND)
            return sh_call_fail(
                call, 400, "ParameterVersionNotFound",
                "Systems Manager could not find version %.100s of %.300s. Verify the version and "
                "try again.",
                *selector, name);
    }
    return status < 0 && status != SH_E_NOT_FOUND ? sh_call_fail_internal(call, &err) : status;
}

/* ---- as JSON ---- */

/* The value as clients see it: a SecureString sealed, in base64, unless it is to be opened. */
static json_t *value_json(sh_call *call, const sh_parameter *p, bool decrypt)
{
    sh_err err = {0};
    bool secure = strcmp(p->type, "SecureString") == 0;
    if (!secure)
        return json_stringn(p->value, p->value_length);
    if (p->value_length < SH_IAM_SEAL_EXTRA)
        return NULL;
    size_t length = p->value_length - SH_IAM_SEAL_EXTRA;
    unsigned char *plain = malloc(length + 1);
    json_t *json = NULL;
    const char *bound = sh_arena_printf(call->arena, "ssm:%s:%lld", p->name, (long long)p->version);
    if (plain && bound && !decrypt) {
        char *text = malloc(2 * p->value_length + 1);
        for (size_t i = 0; text && i < p->value_length; i++)
            snprintf(text + 2 * i, 3, "%02x", ((const unsigned char *)p->value)[i]);
        json = text ? json_string(text) : NULL;
        free(text);
    } else if (plain && bound &&
               sh_iam_unseal(call->cloud, bound, p->value, p->value_length, plain, &err) == 0) {
        json = json_stringn((const char *)plain, length);
    }
    if (plain)
        OPENSSL_cleanse(plain, length + 1);
    free(plain);
    return json;
}

static json_t *arn_json(const sh_call *call, const char *name)
{
    const sh_cloud_settings *s = &call->cloud->settings;
    return json_sprintf("arn:aws:ssm:%s:%s:parameter%s%s", s->region, s->account, *name == '/' ? "" : "/",
                        name);
}

/* What was built, or NULL with the call failed when a part of it could not be. */
static json_t *whole(sh_call *call, const sh_parameter *p, json_t *out, int status)
{
    if (status == 0)
        return out;
    json_decref(out);
    sh_call_fail(call, 500, "InternalServerError", "the value of %s cannot be opened", p->name);
    return NULL;
}

json_t *sh_parameter_json(sh_call *call, const sh_parameter *p, bool decrypt, const char *selector)
{
    int status = 0;
    json_t *out = json_object();
    sh_put_text(&status, out, "Name", p->name);
    sh_put_text(&status, out, "Type", p->type);
    sh_put(&status, out, "Value", value_json(call, p, decrypt));
    sh_put(&status, out, "Version", json_integer(p->version));
    if (selector)
        sh_put(&status, out, "Selector", json_sprintf(":%s", selector));
    sh_put_date(&status, out, "LastModifiedDate", p->modified_ms);
    sh_put(&status, out, "ARN", arn_json(call, p->name));
    sh_put_text(&status, out, "DataType", p->data_type);
    return whole(call, p, out, status);
}

json_t *sh_parameter_meta(sh_call *call, const sh_parameter *p, bool history, bool decrypt)
{
    int status = 0;
    json_t *out = json_object();
    sh_put_text(&status, out, "Name", p->name);
    if (!history)
        sh_put(&status, out, "ARN", arn_json(call, p->name));
    sh_put_text(&status, out, "Type", p->type);
    sh_put_text(&status, out, "KeyId", p->key);
    sh_put_date(&status, out, "LastModifiedDate", p->modified_ms);
    sh_put_text(&status, out, "LastModifiedUser", p->user);
    sh_put_text(&status, out, "Description", p->description);
    sh_put_text(&status, out, "AllowedPattern", p->pattern);
    sh_put(&status, out, "Version", json_integer(p->version));
    if (history) {
        json_t *labels = p->labels ? json_loads(p->labels, 0, NULL) : json_array();
        sh_put(&status, out, "Value", value_json(call, p, decrypt));
        sh_put(&status, out, "Labels", labels);
    }
    sh_put_text(&status, out, "Tier", p->tier);
    sh_put(&status, out, "Policies", json_array());
    sh_put_text(&status, out, "DataType", p->data_type);
    return whole(call, p, out, status);
}

/* ---- reading ---- */

int sh_ssm_get_parameter(sh_call *call)
{
    const char *given, *selector;
    bool decrypt;
    sh_parameter p;
    int status = sh_arg_need(call, "Name", SH_PARAMETER_NAME_MAX, &given);
    if (status == 0)
        status = sh_arg_bool(call, "WithDecryption", false, &decrypt);
    if (status < 0)
        return status;
    status = sh_parameter_find(call, given, &p, &selector);
    if (status == SH_E_NOT_FOUND)
        return sh_parameter_missing(call);
    if (status < 0)
        return status;
    json_t *json = sh_parameter_json(call, &p, decrypt, selector);
    if (!json)
        return SH_E_ARGUMENT;
    status = sh_out_new(call);
    sh_put(&status, call->out, "Parameter", json);
    return sh_out_done(call, status);
}

static int add_parameter(sh_call *call, const json_t *given, bool decrypt, json_t *found, json_t *missing)
{
    sh_parameter p;
    const char *selector;
    if (!json_is_string(given))
        return sh_call_fail(call, 400, "SerializationException", "'Names' is a list of texts");
    int status = sh_parameter_find(call, json_string_value(given), &p, &selector);
    if (status == SH_E_NOT_FOUND || (status < 0 && call->error.http_status == 400)) {
        call->error = (sh_aws_error){0};
        return json_array_append(missing, (json_t *)given) < 0 ? sh_out_done(call, SH_E_MEMORY) : 0;
    }
    if (status < 0)
        return status;
    json_t *json = sh_parameter_json(call, &p, decrypt, selector);
    if (!json)
        return SH_E_ARGUMENT;
    return json_array_append_new(found, json) < 0 ? sh_out_done(call, SH_E_MEMORY) : 0;
}

int sh_ssm_get_parameters(sh_call *call)
{
    const json_t *names, *name;
    size_t index;
    bool decrypt;
    int status = sh_arg_array(call, "Names", 10, &names);
    if (status == 0)
        status = sh_arg_bool(call, "WithDecryption", false, &decrypt);
    if (status < 0)
        return status;
    if (json_array_size(names) == 0)
        return sh_call_fail(call, 400, "ValidationException", "Names holds 1 to 10 names");
    json_t *found = json_array(), *missing = json_array();
    json_array_foreach(names, index, name)
    {
        if (status == 0)
            status = add_parameter(call, name, decrypt, found, missing);
    }
    if (status == 0)
        status = sh_out_new(call);
    if (status < 0) {
        json_decref(found);
        json_decref(missing);
        return status;
    }
    sh_put(&status, call->out, "Parameters", found);
    sh_put(&status, call->out, "InvalidParameters", missing);
    return sh_out_done(call, status);
}
