/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tags of users, roles, policies and instance profiles. */
#include "cloud/api/iam_inner.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Keys are the same in large and small letters; what was there first keeps its spelling's place. */
static const char *find_key(const json_t *tags, const char *key)
{
    const char *one;
    json_t *value;
    json_object_foreach((json_t *)tags, one, value)
    {
        if (strcasecmp(one, key) == 0)
            return one;
    }
    return NULL;
}

int sh_iam_tags_add(sh_call *call, json_t *tags)
{
    size_t index, other;
    const json_t *tag, *list = sh_iam_array(call, "Tags");
    json_array_foreach(list, index, tag)
    {
        const char *key = json_string_value(json_object_get(tag, "Key"));
        for (other = 0; other < index; other++)
            if (strcasecmp(json_string_value(json_object_get(json_array_get(list, other), "Key")), key) == 0)
                return sh_call_fail(
                    call, 400, "InvalidInput",
                    "Duplicate tag keys found. Please note that Tag keys are case insensitive.");
        if (strncasecmp(key, "aws:", 4) == 0)
            return sh_call_fail(call, 400, "InvalidInput",
                                "Tag keys that begin with aws: are reserved for system use: %s", key);
        const char *before = find_key(tags, key);
        if (before && strcmp(before, key) != 0)
            json_object_del(tags, before);
        json_object_set(tags, key, json_object_get(tag, "Value"));
    }
    if (json_object_size(tags) > SH_IAM_TAGS_MAX)
        return sh_call_fail(call, 409, "LimitExceeded",
                            "The number of tags has reached the maximum limit of %d.", SH_IAM_TAGS_MAX);
    return 0;
}

const char *sh_iam_tags_text(const sh_call *call, const json_t *tags)
{
    char *text = json_object_size(tags) ? json_dumps(tags, JSON_COMPACT) : NULL;
    const char *copy = text ? sh_arena_strdup(call->arena, text) : NULL;
    free(text);
    return copy;
}

static int need(sh_call *call, sh_iam_kind kind, bool to_change, sh_iam_entity *out, sh_err *err)
{
    sh_iam_managed policy;
    if (kind != SH_IAM_POLICY)
        return sh_iam_need(call, kind, out, err);
    int status = sh_iam_managed_need(call, sh_iam_text(call, "PolicyArn"), &policy, err);
    if (status == 0 && policy.aws && to_change)
        return sh_call_fail(call, 400, "InvalidInput", "A policy of AWS has no tags: %s", policy.arn);
    if (status == 0)
        *out = policy.entity;
    return status;
}

static int save(sh_call *call, sh_iam_entity *e, const json_t *tags, sh_err *err)
{
    e->tags = sh_iam_tags_text(call, tags);
    if (!e->tags && json_object_size(tags))
        return sh_fail(err, SH_E_MEMORY, "no memory for tags");
    int status = sh_iam_update(call->cloud->db, e, err);
    return status < 0 ? status : sh_iam_give(call, json_object(), err);
}

static json_t *read_tags(const sh_iam_entity *e)
{
    return e->tags ? json_loads(e->tags, 0, NULL) : json_object();
}

static int tag(sh_call *call, sh_iam_kind kind, sh_err *err)
{
    sh_iam_entity e;
    int status = need(call, kind, true, &e, err);
    if (status < 0)
        return status;
    json_t *tags = read_tags(&e);
    status = tags ? sh_iam_tags_add(call, tags) : sh_fail(err, SH_E_MEMORY, "no memory for tags");
    if (status == 0)
        status = save(call, &e, tags, err);
    json_decref(tags);
    return status;
}

static int untag(sh_call *call, sh_iam_kind kind, sh_err *err)
{
    sh_iam_entity e;
    size_t index;
    const json_t *key;
    int status = need(call, kind, true, &e, err);
    if (status < 0)
        return status;
    json_t *tags = read_tags(&e);
    if (!tags)
        return sh_fail(err, SH_E_MEMORY, "no memory for tags");
    json_array_foreach(sh_iam_array(call, "TagKeys"), index, key)
    {
        const char *found = find_key(tags, json_string_value(key));
        if (found)
            json_object_del(tags, found);
    }
    status = save(call, &e, tags, err);
    json_decref(tags);
    return status;
}

static int list(sh_call *call, sh_iam_kind kind, sh_err *err)
{
    sh_iam_entity e;
    sh_iam_page page;
    size_t index, skip;
    const json_t *item;
    int status = need(call, kind, false, &e, err);
    if (status == 0)
        status = sh_iam_page_begin(call, &page, NULL);
    if (status < 0)
        return status;
    skip = (size_t)strtoul(page.after, NULL, 10);
    json_t *all = sh_iam_tags_json(e.tags);
    json_array_foreach(all, index, item)
    {
        if (index >= skip && !sh_iam_page_add(&page, sh_arena_printf(call->arena, "%zu", index + 1),
                                              json_incref((json_t *)item)))
            break;
    }
    json_decref(all);
    return sh_iam_page_end(&page, 0, "Tags", err);
}

int sh_iam_tag_user(sh_call *call, sh_err *err)
{
    return tag(call, SH_IAM_USER, err);
}

int sh_iam_tag_role(sh_call *call, sh_err *err)
{
    return tag(call, SH_IAM_ROLE, err);
}

int sh_iam_tag_policy(sh_call *call, sh_err *err)
{
    return tag(call, SH_IAM_POLICY, err);
}

int sh_iam_tag_profile(sh_call *call, sh_err *err)
{
    return tag(call, SH_IAM_PROFILE, err);
}

int sh_iam_untag_user(sh_call *call, sh_err *err)
{
    return untag(call, SH_IAM_USER, err);
}

int sh_iam_untag_role(sh_call *call, sh_err *err)
{
    return untag(call, SH_IAM_ROLE, err);
}

int sh_iam_untag_policy(sh_call *call, sh_err *err)
{
    return untag(call, SH_IAM_POLICY, err);
}

int sh_iam_untag_profile(sh_call *call, sh_err *err)
{
    return untag(call, SH_IAM_PROFILE, err);
}

int sh_iam_list_user_tags(sh_call *call, sh_err *err)
{
    return list(call, SH_IAM_USER, err);
}

int sh_iam_list_role_tags(sh_call *call, sh_err *err)
{
    return list(call, SH_IAM_ROLE, err);
}

int sh_iam_list_policy_tags(sh_call *call, sh_err *err)
{
    return list(call, SH_IAM_POLICY, err);
}

int sh_iam_list_profile_tags(sh_call *call, sh_err *err)
{
    return list(call, SH_IAM_PROFILE, err);
}
