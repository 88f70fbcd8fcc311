/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Labels of versions, and tags of parameters. A label stands at one version: put at another, it moves. */
#include "cloud/api/ssm_parameter.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define LABELS_MAX 10

/* ---- labels ---- */

static bool label_valid(const char *label)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t length = label ? strlen(label) : 0;
    return length > 0 && length <= 100 && strspn(label, letters) == length &&
           !isdigit((unsigned char)*label) && strncasecmp(label, "aws", 3) != 0 &&
           strncasecmp(label, "ssm", 3) != 0;
}

static bool holds(const json_t *labels, const char *label, size_t *where)
{
    size_t index;
    const json_t *item;
    json_array_foreach(labels, index, item)
    {
        if (strcmp(json_string_value(item), label) == 0) {
            *where = index;
            return true;
        }
    }
    return false;
}

/* The labels of the versions, by version, taken out of the rows before they are changed. */
typedef struct labelled {
    sh_call *call;
    json_t *all; /* {"3": ["a"]} */
} labelled;

static int take_labels(void *opaque, const sh_parameter *p)
{
    labelled *l = opaque;
    const char *key = sh_arena_printf(l->call->arena, "%lld", (long long)p->version);
    json_t *labels = p->labels ? json_loads(p->labels, 0, NULL) : json_array();
    return key && json_object_set_new(l->all, key, labels) == 0 ? 0 : SH_E_MEMORY;
}

static int save_labels(sh_call *call, const char *name, int64_t version, const json_t *labels, sh_err *err)
{
    char *text = json_dumps(labels, JSON_COMPACT);
    int status = text ? sh_parameter_set_labels(call->cloud->db, name, version, text, err)
                      : sh_fail(err, SH_E_MEMORY, "no memory for labels");
    free(text);
    return status;
}

static int drop_elsewhere(sh_call *call, const char *name, json_t *all, const char *label, int64_t version,
                          sh_err *err)
{
    const char *key;
    json_t *labels;
    size_t where;
    int status = 0;
    json_object_foreach(all, key, labels)
    {
        if (status == 0 && atoll(key) != version && holds(labels, label, &where)) {
            json_array_remove(labels, where);
            status = save_labels(call, name, atoll(key), labels, err);
        }
    }
    return status;
}

typedef struct label_request {
    const char *name;
    int64_t version;
    const json_t *labels;
    json_t *invalid, *removed;
} label_request;

static int change(sh_call *call, label_request *r, json_t *all, bool add, sh_err *err)
{
    size_t index, where;
    json_t *item;
    const char *key = sh_arena_printf(call->arena, "%lld", (long long)r->version);
    json_t *mine = key ? json_object_get(all, key) : NULL;
    int status = mine ? 0 : sh_fail(err, SH_E_NOT_FOUND, "there is no such version");
    json_array_foreach((json_t *)r->labels, index, item)
    {
        const char *label = json_string_value(item);
        if (status < 0)
            break;
        bool there = label && holds(mine, label, &where);
        if (add ? !label_valid(label) : !there) {
            json_array_append(r->invalid, item);
        } else if (add) {
            status = drop_elsewhere(call, r->name, all, label, r->version, err);
            if (!there)
                json_array_append(mine, item);
        } else {
            json_array_remove(mine, where);
            json_array_append(r->removed, item);
        }
    }
    if (status == 0 && json_array_size(mine) > LABELS_MAX)
        return sh_call_fail(call, 400, "ParameterVersionLabelLimitExceeded",
                            "A parameter version can have a maximum of ten labels.");
    return status == 0 ? save_labels(call, r->name, r->version, mine, err) : status;
}

/* In a transaction. */
static int relabel(sh_call *call, label_request *r, bool add, sh_err *err)
{
    sh_parameter p;
    labelled l = {call, json_object()};
    int status = sh_parameter_get(call->cloud->db, call->arena, r->name, r->version, &p, err);
    if (status == 0) {
        r->version = p.version;
        status =
            sh_parameter_versions(call->cloud->db, r->name, 0, SH_PARAMETER_VERSIONS, take_labels, &l, err);
    }
    if (status == 0)
        status = change(call, r, l.all, add, err);
    json_decref(l.all);
    return status;
}

static int read_request(sh_call *call, label_request *r, bool need_version)
{
    const char *given, *selector;
    int status = sh_arg_need(call, "Name", SH_PARAMETER_NAME_MAX, &given);
    if (status == 0)
        status = sh_parameter_name(call, given, &r->name, &selector);
    if (status == 0)
        status = sh_arg_int(call, "ParameterVersion", 0, INT64_MAX - 1, 0, &r->version);
    if (status == 0)
        status = sh_arg_array(call, "Labels", LABELS_MAX, &r->labels);
    if (status < 0)
        return status;
    if (json_array_size(r->labels) == 0 || (need_version && r->version == 0))
        return sh_call_fail(call, 400, "ValidationException", "Name, Labels%s are needed",
                            need_version ? " and ParameterVersion" : "");
    return 0;
}

static int label_action(sh_call *call, bool add)
{
    sh_err err = {0};
    label_request r = {.name = NULL};
    int status = read_request(call, &r, !add);
    if (status < 0)
        return status;
    r.invalid = json_array();
    r.removed = json_array();
    status = sh_db_begin(call->cloud->db, &err);
    if (status == 0)
        status = sh_db_end(call->cloud->db, relabel(call, &r, add, &err), &err);
    if (status == SH_E_NOT_FOUND)
        status = r.version ? sh_call_fail(call, 400, "ParameterVersionNotFound",
                                          "Systems Manager could not find version %lld of %.300s. Verify the "
                                          "version and try again.",
                                          (long long)r.version, r.name)
                           : sh_parameter_missing(call);
    else if (status < 0 && !call->error.code)
        status = sh_call_fail_internal(call, &err);
    if (status == 0)
        status = sh_out_new(call);
    if (status < 0) {
        json_decref(r.invalid);
        json_decref(r.removed);
        return status;
    }
    sh_put(&status, call->out, "InvalidLabels", r.invalid);
    if (add)
        sh_put(&status, call->out, "ParameterVersion", json_integer(r.version));
    if (add)
        json_decref(r.removed);
    else
        sh_put(&status, call->out, "RemovedLabels", r.removed);
    return sh_out_done(call, status);
}

int sh_ssm_label_parameter(sh_call *call)
{
    return label_action(call, true);
}

int sh_ssm_unlabel_parameter(sh_call *call)
{
    return label_action(call, false);
}

/* ---- tags ---- */

static int need_tags(sh_call *call, const char **name, json_t **tags)
{
    sh_err err = {0};
    const char *type, *id, *selector, *text = NULL;
    int status = sh_arg_need(call, "ResourceType", 64, &type);
    if (status == 0)
        status = sh_arg_need(call, "ResourceId", SH_PARAMETER_NAME_MAX, &id);
    if (status < 0)
        return status;
    if (strcmp(type, "Parameter") != 0)
        return sh_call_fail(call, 400, "InvalidResourceType",
                            "tags of %.100s are not kept here: Parameter is", type);
    if ((status = sh_parameter_name(call, id, name, &selector)) < 0)
        return status;
    status = sh_parameter_tags(call->cloud->db, call->arena, *name, &text, &err);
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 400, "InvalidResourceId",
                            "The resource ID is not valid. Verify that you entered "
                            "the correct ID and try again.");
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    *tags = text ? json_loads(text, 0, NULL) : json_object();
    return *tags ? 0 : sh_out_done(call, SH_E_MEMORY);
}

static int save_tags(sh_call *call, const char *name, json_t *tags, int status)
{
    sh_err err = {0};
    char *text = status == 0 ? json_dumps(tags, JSON_COMPACT) : NULL;
    if (status == 0 && (!text || sh_parameter_set_tags(call->cloud->db, name, text, &err) < 0))
        status = sh_call_fail_internal(call, &err);
    free(text);
    json_decref(tags);
    return status < 0 ? status : sh_out_new(call);
}

int sh_ssm_add_tags(sh_call *call)
{
    const char *name;
    json_t *tags;
    const json_t *given;
    int status = sh_arg_array(call, "Tags", 1000, &given);
    if (status < 0 || (status = need_tags(call, &name, &tags)) < 0)
        return status;
    return save_tags(call, name, tags, sh_tags_read(call, given, "Key", "Value", tags));
}

int sh_ssm_remove_tags(sh_call *call)
{
    const char *name;
    json_t *tags;
    const json_t *keys, *key;
    size_t index;
    int status = sh_arg_array(call, "TagKeys", 1000, &keys);
    if (status < 0 || (status = need_tags(call, &name, &tags)) < 0)
        return status;
    json_array_foreach(keys, index, key)
    {
        if (json_is_string(key))
            json_object_del(tags, json_string_value(key));
    }
    return save_tags(call, name, tags, 0);
}

int sh_ssm_list_tags(sh_call *call)
{
    const char *name;
    json_t *tags;
    int status = need_tags(call, &name, &tags);
    if (status < 0)
        return status;
    char *text = json_dumps(tags, JSON_COMPACT);
    json_decref(tags);
    status = text ? sh_out_new(call) : sh_out_done(call, SH_E_MEMORY);
    if (status == 0) {
        sh_put(&status, call->out, "TagList", sh_tags_list(text, "Key", "Value"));
        status = sh_out_done(call, status);
    }
    free(text);
    return status;
}
