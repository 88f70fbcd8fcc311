/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Filters: [{"Name", "Values"}]. A thing is wanted when each of them has a value that matches; * and ? stand
 * for letters as in a policy. */
#include "cloud/api/args.h"
#include "cloud/api/ec2.h"
#include "cloud/policy/policy.h"

#include <string.h>

enum { FILTERS_MAX = 50, VALUES_MAX = 200 };

int sh_ec2_check_filters(sh_call *call, const char *const *names, bool tags)
{
    const json_t *filters, *filter;
    size_t index;
    int status = sh_arg_array(call, "Filters", FILTERS_MAX, &filters);
    json_array_foreach(filters, index, filter)
    {
        const char *name = json_string_value(json_object_get(filter, "Name"));
        const json_t *values = json_object_get(filter, "Values");
        bool known = tags && name && (strncmp(name, "tag:", 4) == 0 || strcmp(name, "tag-key") == 0);
        for (size_t i = 0; name && names[i]; i++)
            known |= strcmp(name, names[i]) == 0;
        if (!known)
            return sh_call_fail(call, 400, "InvalidParameterValue", "The filter '%.100s' is invalid",
                                name ? name : "null");
        if (json_array_size(values) == 0)
            return sh_call_fail(call, 400, "InvalidParameterValue",
                                "The filter '%.100s' has no values: give it one", name);
        if (json_array_size(values) > VALUES_MAX)
            return sh_call_fail(call, 400, "FilterLimitExceeded",
                                "The maximum number of filter values specified on a single call is %d",
                                VALUES_MAX);
    }
    return status;
}

static bool matches(const json_t *values, const char *text)
{
    size_t index;
    const json_t *value;
    json_array_foreach(values, index, value)
    {
        if (json_is_string(value) && sh_policy_glob(json_string_value(value), text, false))
            return true;
    }
    return false;
}

typedef struct tag_look {
    const json_t *values;
    bool keys, found; /* keys: the key is compared, not the value */
} tag_look;

static int look_at_tag(void *opaque, const char *node, const char *key, const char *value)
{
    tag_look *t = opaque;
    (void)node;
    t->found |= matches(t->values, t->keys ? key : value);
    return 0;
}

static bool tagged(sh_call *call, const char *node, const char *name, const json_t *values)
{
    sh_err err = {0};
    tag_look t = {.values = values, .keys = strcmp(name, "tag-key") == 0};
    sh_node_tag_each(call->cloud->db, node, t.keys ? NULL : name + 4, look_at_tag, &t, &err);
    return t.found;
}

bool sh_ec2_wanted(sh_call *call, const char *node, sh_ec2_value_fn fn, void *opaque)
{
    size_t index;
    const json_t *filter;
    json_array_foreach(json_object_get(call->in, "Filters"), index, filter)
    {
        const char *name = json_string_value(json_object_get(filter, "Name"));
        const json_t *values = json_object_get(filter, "Values");
        bool tag = node && (strncmp(name, "tag:", 4) == 0 || strcmp(name, "tag-key") == 0);
        const char *value = tag ? NULL : fn(opaque, name);
        if (tag ? !tagged(call, node, name, values) : !value || !matches(values, value))
            return false;
    }
    return true;
}
