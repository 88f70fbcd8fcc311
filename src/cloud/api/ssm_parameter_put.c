/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing and deleting parameters. */
#include "cloud/api/caller.h"
#include "cloud/api/iam_inner.h"
#include "cloud/api/regular.h"
#include "cloud/api/ssm_parameter.h"

#include <stdlib.h>
#include <string.h>

#define STANDARD_MAX 4096 /* bytes of a value */

typedef struct put_request {
    sh_parameter p;
    const char *value;
    bool overwrite;
    const json_t *tags;
} put_request;

static bool is_one_of(const char *text, const char *a, const char *b, const char *c)
{
    return strcmp(text, a) == 0 || strcmp(text, b) == 0 || (c && strcmp(text, c) == 0);
}

static int read_texts(sh_call *call, put_request *r)
{
    const char *given, *selector;
    int status = sh_arg_need(call, "Name", SH_PARAMETER_NAME_MAX, &given);
    if (status == 0)
        status = sh_parameter_name(call, given, &r->p.name, &selector);
    if (status == 0 && (selector || strncmp(given, "arn:", 4) == 0))
        return sh_call_fail(call, 400, "ValidationException",
                            "Parameter name: a version or an ARN is not a name");
    if (status == 0)
        status = sh_arg_need(call, "Value", SH_PARAMETER_VALUE_MAX, &r->value);
    if (status == 0)
        status = sh_arg_text(call, "Type", 64, &r->p.type);
    if (status == 0)
        status = sh_arg_text(call, "Description", 1024, &r->p.description);
    if (status == 0)
        status = sh_arg_text(call, "KeyId", 256, &r->p.key);
    if (status == 0)
        status = sh_arg_text(call, "AllowedPattern", 1024, &r->p.pattern);
    if (status == 0)
        status = sh_arg_text(call, "Tier", 64, &r->p.tier);
    if (status == 0)
        status = sh_arg_text(call, "DataType", 128, &r->p.data_type);
    if (status == 0)
        status = sh_arg_bool(call, "Overwrite", false, &r->overwrite);
    if (status == 0)
        status = sh_arg_array(call, "Tags", 1000, &r->tags);
    return status;
}

static int check_pattern(sh_call *call, const put_request *r)
{
    regex_t regex;
    if (!r->p.pattern)
        return 0;
    if (!sh_regex_compile(&regex, r->p.pattern))
        return sh_call_fail(call, 400, "InvalidAllowedPatternException",
                            "The pattern %.300s is not a regular expression", r->p.pattern);
    bool fits = regexec(&regex, r->value, 0, NULL, 0) == 0;
    regfree(&regex);
    return fits ? 0
                : sh_call_fail(call, 400, "ParameterPatternMismatchException",
                               "Parameter value, cannot be validated against allowedPattern: %.300s",
                               r->p.pattern);
}

static int check(sh_call *call, put_request *r)
{
    const char *type = r->p.type, *tier = r->p.tier;
    if (type && !is_one_of(type, "String", "StringList", "SecureString"))
        return sh_call_fail(
            call, 400, "ValidationException",
            "1 validation error detected: Value '%.100s' at 'type' failed to satisfy constraint: "
            "Member must satisfy enum value set: [SecureString, StringList, String]",
            type);
    if (tier && !is_one_of(tier, "Standard", "Advanced", "Intelligent-Tiering"))
        return sh_call_fail(
            call, 400, "ValidationException",
            "1 validation error detected: Value '%.100s' at 'tier' failed to satisfy constraint: "
            "Member must satisfy enum value set: [Advanced, Intelligent-Tiering, Standard]",
            tier);
    if (r->p.data_type && strcmp(r->p.data_type, "text") != 0)
        return sh_call_fail(call, 400, "ValidationException",
                            "DataType '%.100s' is not supported here: use text", r->p.data_type);
    if (json_object_get(call->in, "Policies"))
        return sh_call_fail(call, 400, "InvalidPolicyTypeException",
                            "parameter policies are not supported here");
    if (r->overwrite && json_array_size(r->tags) > 0)
        return sh_call_fail(
            call, 400, "ValidationException",
            "Invalid request: tags and overwrite can't be used together. To create a parameter "
            "with tags, please remove overwrite flag. To update tags for an existing parameter, "
            "please use AddTagsToResource or RemoveTagsFromResource.");
    if (strlen(r->value) > STANDARD_MAX && (!tier || strcmp(tier, "Standard") == 0))
        return sh_call_fail(
            call, 400, "ValidationException",
            "Standard tier parameters support a maximum parameter value of 4096 characters. To "
            "create a larger parameter value, upgrade the parameter to use the advanced-parameter "
            "tier.");
    if (!tier || strcmp(tier, "Intelligent-Tiering") == 0)
        r->p.tier = strlen(r->value) > STANDARD_MAX ? "Advanced" : "Standard";
    r->p.data_type = "text";
    return check_pattern(call, r);
}

/* What the name has already, and what follows from it for the new version. */
static int follow(sh_call *call, put_request *r)
{
    sh_err err = {0};
    sh_parameter before;
    int status = sh_parameter_get(call->cloud->db, call->arena, r->p.name, 0, &before, &err);
    if (status < 0 && status != SH_E_NOT_FOUND)
        return sh_call_fail_internal(call, &err);
    if (status == 0 && !r->overwrite)
        return sh_call_fail(
            call, 400, "ParameterAlreadyExists",
            "The parameter already exists. To overwrite this value, set the overwrite option in "
            "the request to true.");
    bool is_new = status == SH_E_NOT_FOUND;
    if (!r->p.type && is_new)
        return sh_call_fail(call, 400, "ValidationException",
                            "A parameter type is required when you create a parameter.");
    if (!is_new && strcmp(before.tier, "Advanced") == 0 && strcmp(r->p.tier, "Standard") == 0 &&
        json_object_get(call->in, "Tier"))
        return sh_call_fail(
            call, 400, "ValidationException",
            "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from "
            "the advanced-parameter tier to the standard-parameter tier.");
    r->p.version = is_new ? 1 : before.version + 1;
    if (!r->p.type)
        r->p.type = before.type;
    if (!r->p.description && !is_new)
        r->p.description = before.description;
    if (!is_new && strcmp(before.tier, "Advanced") == 0)
        r->p.tier = "Advanced";
    if (!r->p.key && strcmp(r->p.type, "SecureString") == 0)
        r->p.key = "alias/aws/ssm";
    return 0;
}

static int seal(sh_call *call, put_request *r)
{
    sh_err err = {0};
    size_t length = strlen(r->value);
    r->p.value = r->value;
    r->p.value_length = length;
    if (strcmp(r->p.type, "SecureString") != 0)
        return 0;
    const char *bound = sh_arena_printf(call->arena, "ssm:%s:%lld", r->p.name, (long long)r->p.version);
    unsigned char *sealed = sh_arena_alloc(call->arena, length + SH_IAM_SEAL_EXTRA);
    if (!bound || !sealed)
        return sh_out_done(call, SH_E_MEMORY);
    if (sh_iam_seal(call->cloud, bound, r->value, length, sealed, &err) < 0)
        return sh_call_fail_internal(call, &err);
    r->p.value = sealed;
    r->p.value_length = length + SH_IAM_SEAL_EXTRA;
    return 0;
}

static int put_tags(sh_call *call, const put_request *r)
{
    sh_err err = {0};
    if (json_array_size(r->tags) == 0)
        return 0;
    json_t *tags = json_object();
    int status = sh_tags_read(call, r->tags, "Key", "Value", tags);
    char *text = status == 0 ? json_dumps(tags, JSON_COMPACT) : NULL;
    if (status == 0)
        status = text ? sh_parameter_set_tags(call->cloud->db, r->p.name, text, &err) : SH_E_MEMORY;
    free(text);
    json_decref(tags);
    return status < 0 && !call->error.code ? sh_call_fail_internal(call, &err) : status;
}

/* In a transaction. */
static int put(sh_call *call, put_request *r)
{
    sh_err err = {0};
    int status = follow(call, r);
    if (status == 0)
        status = seal(call, r);
    if (status < 0)
        return status;
    if (sh_parameter_put(call->cloud->db, &r->p, &err) < 0)
        return sh_call_fail_internal(call, &err);
    return put_tags(call, r);
}

int sh_ssm_put_parameter(sh_call *call)
{
    sh_err err = {0};
    put_request r = {.p = {.modified_ms = call->now_ms, .user = call->principal ? call->principal : ""}};
    int status = read_texts(call, &r);
    if (status == 0)
        status = check(call, &r);
    if (status < 0)
        return status;
    if (sh_db_begin(call->cloud->db, &err) < 0)
        return sh_call_fail_internal(call, &err);
    status = sh_db_end(call->cloud->db, put(call, &r), &err);
    if (status < 0)
        return call->error.code ? status : sh_call_fail_internal(call, &err);
    if ((status = sh_out_new(call)) < 0)
        return status;
    sh_put(&status, call->out, "Version", json_integer(r.p.version));
    sh_put_text(&status, call->out, "Tier", r.p.tier);
    return sh_out_done(call, status);
}

/* ---- deleting ---- */

int sh_ssm_delete_parameter(sh_call *call)
{
    sh_err err = {0};
    const char *given, *name, *selector;
    int status = sh_arg_need(call, "Name", SH_PARAMETER_NAME_MAX, &given);
    if (status == 0)
        status = sh_parameter_name(call, given, &name, &selector);
    if (status < 0)
        return status;
    status = sh_parameter_delete(call->cloud->db, name, &err);
    if (status == SH_E_NOT_FOUND)
        return sh_parameter_missing(call);
    return status < 0 ? sh_call_fail_internal(call, &err) : sh_out_new(call);
}

static int delete_each(sh_call *call, const json_t *names, json_t *deleted, json_t *missing)
{
    sh_err err = {0};
    size_t index;
    json_t *given;
    const char *name, *selector;
    json_array_foreach((json_t *)names, index, given)
    {
        int status = json_is_string(given)
                         ? sh_parameter_name(call, json_string_value(given), &name, &selector)
                         : sh_call_fail(call, 400, "SerializationException", "'Names' is a list of texts");
        if (status == 0)
            status = sh_parameter_delete(call->cloud->db, name, &err);
        if (status < 0 && status != SH_E_NOT_FOUND && !call->error.code)
            return sh_call_fail_internal(call, &err);
        call->error = (sh_aws_error){0};
        if (json_array_append(status == 0 ? deleted : missing, given) < 0)
            return sh_out_done(call, SH_E_MEMORY);
    }
    return 0;
}

int sh_ssm_delete_parameters(sh_call *call)
{
    const json_t *names;
    int status = sh_arg_array(call, "Names", 10, &names);
    if (status < 0)
        return status;
    if (json_array_size(names) == 0)
        return sh_call_fail(call, 400, "ValidationException", "Names holds 1 to 10 names");
    json_t *deleted = json_array(), *missing = json_array();
    status = delete_each(call, names, deleted, missing);
    if (status == 0)
        status = sh_out_new(call);
    if (status < 0) {
        json_decref(deleted);
        json_decref(missing);
        return status;
    }
    sh_put(&status, call->out, "DeletedParameters", deleted);
    sh_put(&status, call->out, "InvalidParameters", missing);
    return sh_out_done(call, status);
}
