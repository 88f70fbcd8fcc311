/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tags of instances: those of the nodes, which Systems Manager shows and selects by, too. */
#include "cloud/api/args.h"
#include "cloud/api/ec2.h"

#include <string.h>

enum { TAGS_MAX = 50, KEY_MAX = 128, VALUE_MAX = 256, RESOURCES_MAX = 1000 }; /* lengths in characters */

static size_t characters(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

static int add_tag(void *opaque, const char *node, const char *key, const char *value)
{
    (void)node;
    return json_array_append_new(opaque, json_pack("{s:s, s:s}", "Key", key, "Value", value)) < 0
               ? SH_E_MEMORY
               : 0;
}

json_t *sh_ec2_tags_of(sh_call *call, const char *node)
{
    sh_err err = {0};
    json_t *list = json_array();
    if (list && sh_node_tag_each(call->cloud->db, node, NULL, add_tag, list, &err) >= 0)
        return list;
    json_decref(list);
    return NULL;
}

/* ---- DescribeTags ---- */

typedef struct listing {
    sh_call *call;
    json_t *list;
    const char *node, *key, *value;
    int64_t skip, limit, seen;
} listing;

static const char *value_of(void *opaque, const char *name)
{
    const listing *l = opaque;
    if (strcmp(name, "resource-id") == 0)
        return l->node;
    if (strcmp(name, "resource-type") == 0)
        return "instance";
    if (strcmp(name, "key") == 0)
        return l->key;
    if (strncmp(name, "tag:", 4) == 0)
        return strcmp(name + 4, l->key) == 0 ? l->value : NULL;
    return strcmp(name, "value") == 0 ? l->value : l->key; /* else tag-key */
}

static int list_tag(void *opaque, const char *node, const char *key, const char *value)
{
    listing *l = opaque;
    l->node = node;
    l->key = key;
    l->value = value;
    if (strncmp(node, "i-", 2) != 0 || !sh_ec2_wanted(l->call, NULL, value_of, l) || ++l->seen <= l->skip)
        return 0;
    if (l->limit && l->seen > l->skip + l->limit)
        return 1;
    return json_array_append_new(l->list, json_pack("{s:s, s:s, s:s, s:s}", "Key", key, "ResourceId", node,
                                                    "ResourceType", "instance", "Value", value)) < 0
               ? SH_E_MEMORY
               : 0;
}

int sh_ec2_describe_tags(sh_call *call)
{
    static const char *const filters[] = {"key", "value", "resource-id", "resource-type", NULL};
    listing l = {.call = call};
    sh_err err = {0};
    int status;
    if ((status = sh_ec2_check_filters(call, filters, true)) < 0 ||
        (status = sh_ec2_page(call, 5, &l.skip, &l.limit)) < 0 || (status = sh_out_new(call)) < 0)
        return status;
    sh_put(&status, call->out, "Tags", l.list = json_array());
    if (status == 0)
        status = sh_node_tag_each(call->cloud->db, NULL, NULL, list_tag, &l, &err);
    if (status < 0 && status != SH_E_MEMORY)
        return sh_call_fail_internal(call, &err);
    if (l.limit && l.seen > l.skip + l.limit)
        sh_put(&status, call->out, "NextToken", json_sprintf("%lld", (long long)(l.skip + l.limit)));
    return sh_out_done(call, status < 0 ? status : 0);
}

/* ---- changes ---- */

static int need_resources(sh_call *call, const json_t **list)
{
    size_t index;
    const json_t *item;
    int status = sh_arg_array(call, "Resources", RESOURCES_MAX, list);
    if (status == 0 && json_array_size(*list) == 0)
        return sh_call_fail(call, 400, "MissingParameter",
                            "The request must contain the parameter resourceIdSet");
    json_array_foreach(*list, index, item)
    {
        const char *id = json_string_value(item);
        if (status == 0 && (!id || strncmp(id, "i-", 2) != 0))
            status =
                sh_call_fail(call, 400, "InvalidID",
                             "The ID '%.100s' is not valid: instances alone have tags here", id ? id : "");
        else if (status == 0 && !sh_ec2_is_instance(id))
            status = sh_ec2_malformed(call, id);
        else if (status == 0)
            status = sh_ec2_need(call, id);
    }
    return status;
}

static int check_tag(sh_call *call, const json_t *tag, const char **key, const char **value)
{
    const json_t *given = json_object_get(tag, "Value");
    *key = json_string_value(json_object_get(tag, "Key"));
    *value = json_string_value(given);
    if (!*key || !**key || characters(*key) > KEY_MAX || (given && !json_is_null(given) && !*value))
        return sh_call_fail(call, 400, "InvalidParameterValue",
                            "Tag keys are texts of 1 to %d characters, values are texts", KEY_MAX);
    if (*value && characters(*value) > VALUE_MAX)
        return sh_call_fail(call, 400, "InvalidParameterValue", "Tag value exceeds the maximum length of %d",
                            VALUE_MAX);
    if (strncmp(*key, "aws:", 4) == 0)
        return sh_call_fail(call, 400, "InvalidParameterValue",
                            "Tag keys starting with 'aws:' are reserved for internal use");
    return 0;
}

static int tag_all(sh_call *call, const json_t *resources, const json_t *tags, sh_err *err)
{
    size_t i, k;
    const json_t *node, *tag;
    json_array_foreach(resources, i, node)
    {
        const char *id = json_string_value(node), *key, *value;
        int64_t count = 0;
        int status = 0;
        json_array_foreach(tags, k, tag)
        {
            if ((status = check_tag(call, tag, &key, &value)) < 0 ||
                (status = sh_node_tag_set(call->cloud->db, id, key, value ? value : "", err)) < 0)
                return status;
        }
        if ((status = sh_node_tag_count(call->cloud->db, id, &count, err)) < 0)
            return status;
        if (count > TAGS_MAX)
            return sh_call_fail(call, 400, "TagLimitExceeded",
                                "You have reached the maximum number of tags (%d) for '%.100s'", TAGS_MAX,
                                id);
    }
    return 0;
}

/* Does this list of {"Key", "Value"} name the tag? One without a value names the key, whatever it is. */
static bool names(const json_t *tags, const char *key, const char *value)
{
    size_t index;
    const json_t *tag;
    json_array_foreach(tags, index, tag)
    {
        const char *one = json_string_value(json_object_get(tag, "Key"));
        const char *only = json_string_value(json_object_get(tag, "Value"));
        if (one && strcmp(one, key) == 0 && (!only || strcmp(only, value) == 0))
            return true;
    }
    return false;
}

static int untag(sh_call *call, const char *id, const json_t *tags, sh_err *err)
{
    size_t index;
    json_t *tag, *there = sh_ec2_tags_of(call, id);
    int status = there ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for tags");
    json_array_foreach(there, index, tag)
    {
        const char *key = json_string_value(json_object_get(tag, "Key"));
        if (status >= 0 && (!tags || names(tags, key, json_string_value(json_object_get(tag, "Value")))))
            status = sh_node_tag_remove(call->cloud->db, id, key, err);
    }
    json_decref(there);
    return status < 0 ? status : 0;
}

static int untag_all(sh_call *call, const json_t *resources, const json_t *tags, sh_err *err)
{
    size_t index;
    const json_t *node;
    int status = 0;
    json_array_foreach(resources, index, node)
    {
        if (status == 0)
            status = untag(call, json_string_value(node), tags, err);
    }
    return status;
}

static int change(sh_call *call, int (*fn)(sh_call *, const json_t *, const json_t *, sh_err *), bool need)
{
    const json_t *resources, *tags;
    sh_err err = {0};
    int status = need_resources(call, &resources);
    if (status == 0)
        status = sh_arg_array(call, "Tags", RESOURCES_MAX, &tags);
    if (status < 0)
        return status;
    if (need && json_array_size(tags) == 0)
        return sh_call_fail(call, 400, "MissingParameter", "The request must contain the parameter tagSet");
    status = sh_db_begin(call->cloud->db, &err);
    if (status == 0)
        status = sh_db_end(call->cloud->db, fn(call, resources, tags, &err), &err);
    if (status < 0)
        return call->error.code ? status : sh_call_fail_internal(call, &err);
    return sh_out_new(call);
}

int sh_ec2_create_tags(sh_call *call)
{
    return change(call, tag_all, true);
}

int sh_ec2_delete_tags(sh_call *call)
{
    return change(call, untag_all, false);
}
