/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists of parameters: below a path, by filters, and the versions of one. Tokens of pages are the last name,
 * or version, that was given. */
#include "cloud/api/ssm_parameter.h"

#include <stdlib.h>
#include <string.h>

typedef struct listing {
    sh_call *call;
    json_t *list;
    const char *path; /* ends with "/"; NULL: no path */
    bool recursive, decrypt, meta, history;
    const json_t *filters;
    int64_t left;
    const char *last; /* name */
    int64_t last_version;
    bool more;
} listing;

/* ---- filters: {"Key": …, "Option": …, "Values": […]} ---- */

static const char *field_of(const sh_parameter *p, const char *key)
{
    if (strcmp(key, "Name") == 0)
        return p->name;
    if (strcmp(key, "Type") == 0)
        return p->type;
    if (strcmp(key, "KeyId") == 0)
        return p->key ? p->key : "";
    if (strcmp(key, "Tier") == 0)
        return p->tier;
    return strcmp(key, "DataType") == 0 ? p->data_type : NULL;
}

static bool value_fits(const char *field, const char *option, const char *value)
{
    if (strcmp(option, "BeginsWith") == 0)
        return strncmp(field, value, strlen(value)) == 0;
    if (strcmp(option, "Contains") == 0)
        return strstr(field, value) != NULL;
    return strcmp(field, value) == 0;
}

/* Path filters: the parameters below, at any depth or one level. */
static bool path_fits(const char *name, const char *option, const char *path)
{
    size_t length = strlen(path);
    while (length > 0 && path[length - 1] == '/')
        length--;
    if (strncmp(name, path, length) != 0 || name[length] != '/')
        return false;
    return strcmp(option, "Recursive") == 0 || !strchr(name + length + 1, '/');
}

static bool filter_fits(const sh_parameter *p, const json_t *filter)
{
    const char *key = json_string_value(json_object_get(filter, "Key"));
    const char *option = json_string_value(json_object_get(filter, "Option"));
    bool is_path = strcmp(key, "Path") == 0;
    const char *field = is_path ? p->name : field_of(p, key);
    size_t index;
    const json_t *value;
    if (!option)
        option = is_path ? "OneLevel" : "Equals";
    json_array_foreach(json_object_get(filter, "Values"), index, value)
    {
        const char *text = json_string_value(value);
        if (is_path ? path_fits(field, option, text) : value_fits(field, option, text))
            return true;
    }
    return false;
}

static int check_filter(sh_call *call, const json_t *filter)
{
    static const sh_parameter any = {.name = "", .type = "", .tier = "", .data_type = ""};
    const char *key = json_string_value(json_object_get(filter, "Key"));
    const char *option = json_string_value(json_object_get(filter, "Option"));
    const json_t *values = json_object_get(filter, "Values"), *value;
    size_t index;
    bool is_path = key && strcmp(key, "Path") == 0;
    if (!key || (!is_path && !field_of(&any, key)))
        return sh_call_fail(
            call, 400, "InvalidFilterKey",
            "The following filter key is not valid: %.100s. Valid filter keys include: [Path, Name, "
            "Type, KeyId, Tier, DataType].",
            key ? key : "");
    if (option && !(is_path ? strcmp(option, "Recursive") == 0 || strcmp(option, "OneLevel") == 0
                            : strcmp(option, "Equals") == 0 || strcmp(option, "BeginsWith") == 0 ||
                                  strcmp(option, "Contains") == 0))
        return sh_call_fail(call, 400, "InvalidFilterOption",
                            "The following filter option is not valid: %.100s", option);
    if (json_array_size(values) == 0 || json_array_size(values) > 50)
        return sh_call_fail(call, 400, "InvalidFilterValue",
                            "The following filter values are missing or too many "
                            "for filter key %s",
                            key);
    json_array_foreach(values, index, value)
    {
        if (!json_is_string(value))
            return sh_call_fail(call, 400, "SerializationException", "the values of a filter are texts");
    }
    return 0;
}

static int read_filters(sh_call *call, const json_t **out)
{
    size_t index;
    const json_t *filter;
    int status = sh_arg_array(call, "ParameterFilters", 50, out);
    json_array_foreach(*out, index, filter)
    {
        if (status == 0)
            status = check_filter(call, filter);
    }
    return status;
}

static bool wanted(const listing *l, const sh_parameter *p)
{
    size_t index;
    const json_t *filter;
    if (l->path && !l->recursive && strchr(p->name + strlen(l->path), '/'))
        return false;
    json_array_foreach(l->filters, index, filter)
    {
        if (!filter_fits(p, filter))
            return false;
    }
    return true;
}

/* ---- pages ---- */

static int take(void *opaque, const sh_parameter *p)
{
    listing *l = opaque;
    if (!l->history && !wanted(l, p))
        return 0;
    if (l->left == 0) {
        l->more = true;
        return 1;
    }
    json_t *item = l->meta ? sh_parameter_meta(l->call, p, l->history, l->decrypt)
                           : sh_parameter_json(l->call, p, l->decrypt, NULL);
    l->last = sh_arena_strdup(l->call->arena, p->name);
    l->last_version = p->version;
    l->left--;
    if (!item)
        return SH_E_ARGUMENT;
    return l->last && json_array_append_new(l->list, item) == 0 ? 0 : SH_E_MEMORY;
}

static int answer(sh_call *call, listing *l, const char *name, int status, sh_err *err)
{
    if (status < 0) {
        json_decref(l->list);
        return call->error.code ? status : sh_call_fail_internal(call, err);
    }
    if ((status = sh_out_new(call)) < 0) {
        json_decref(l->list);
        return status;
    }
    sh_put(&status, call->out, name, l->list);
    if (l->more && l->history)
        sh_put(&status, call->out, "NextToken", json_sprintf("%lld", (long long)l->last_version));
    else if (l->more)
        sh_put_text(&status, call->out, "NextToken", l->last);
    return sh_out_done(call, status);
}

int sh_ssm_get_by_path(sh_call *call)
{
    sh_err err = {0};
    listing l = {.call = call};
    const char *path, *token;
    int status = sh_arg_need(call, "Path", SH_PARAMETER_NAME_MAX, &path);
    if (status == 0)
        status = sh_arg_bool(call, "Recursive", false, &l.recursive);
    if (status == 0)
        status = sh_arg_bool(call, "WithDecryption", false, &l.decrypt);
    if (status == 0)
        status = sh_arg_int(call, "MaxResults", 1, 10, 10, &l.left);
    if (status == 0)
        status = sh_arg_text(call, "NextToken", SH_PARAMETER_NAME_MAX, &token);
    if (status == 0)
        status = read_filters(call, &l.filters);
    if (status < 0)
        return status;
    if (*path != '/')
        return sh_call_fail(
            call, 400, "ValidationException",
            "The parameter doesn't meet the parameter name requirements. The parameter name must "
            "begin with a forward slash \"/\".");
    l.path = path[strlen(path) - 1] == '/' ? path : sh_arena_printf(call->arena, "%s/", path);
    l.list = json_array();
    status = l.path
                 ? sh_parameters_list(call->cloud->db, l.path, token ? token : "", INT64_MAX, take, &l, &err)
                 : sh_fail(&err, SH_E_MEMORY, "no memory");
    return answer(call, &l, "Parameters", status, &err);
}

int sh_ssm_describe_parameters(sh_call *call)
{
    sh_err err = {0};
    listing l = {.call = call, .meta = true};
    const char *token;
    int status = sh_arg_int(call, "MaxResults", 1, 50, 50, &l.left);
    if (status == 0)
        status = sh_arg_text(call, "NextToken", SH_PARAMETER_NAME_MAX, &token);
    if (status == 0)
        status = read_filters(call, &l.filters);
    if (status < 0)
        return status;
    if (json_object_get(call->in, "Filters"))
        return sh_call_fail(call, 400, "ValidationException",
                            "Filters is no longer used: give ParameterFilters");
    l.list = json_array();
    status = sh_parameters_list(call->cloud->db, "", token ? token : "", INT64_MAX, take, &l, &err);
    return answer(call, &l, "Parameters", status, &err);
}

int sh_ssm_parameter_history(sh_call *call)
{
    sh_err err = {0};
    listing l = {.call = call, .meta = true, .history = true};
    const char *given, *name, *selector, *token;
    sh_parameter p;
    int status = sh_arg_need(call, "Name", SH_PARAMETER_NAME_MAX, &given);
    if (status == 0)
        status = sh_arg_bool(call, "WithDecryption", false, &l.decrypt);
    if (status == 0)
        status = sh_arg_int(call, "MaxResults", 1, 50, 50, &l.left);
    if (status == 0)
        status = sh_arg_text(call, "NextToken", 32, &token);
    if (status == 0)
        status = sh_parameter_name(call, given, &name, &selector);
    if (status < 0)
        return status;
    status = sh_parameter_get(call->cloud->db, call->arena, name, 0, &p, &err);
    if (status == SH_E_NOT_FOUND)
        return sh_parameter_missing(call);
    l.list = json_array();
    if (status == 0)
        status =
            sh_parameter_versions(call->cloud->db, name, token ? atoll(token) : 0, INT64_MAX, take, &l, &err);
    return answer(call, &l, "Parameters", status, &err);
}
