/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tags of rules and buses. */
#include "cloud/api/args.h"
#include "cloud/api/events.h"
#include "cloud/flow/flow.h"

#include <stdlib.h>
#include <string.h>

int sh_events_read_tags(sh_call *call, const char **text)
{
    const json_t *list;
    *text = "{}";
    int status = sh_arg_array(call, "Tags", 200, &list);
    if (status < 0 || !list)
        return status;
    json_t *tags = json_object();
    status = sh_tags_read(call, list, "Key", "Value", tags);
    char *made = status == 0 ? sh_flow_text(tags) : NULL;
    const char *copy = made ? sh_arena_strdup(call->arena, made) : NULL;
    free(made);
    json_decref(tags);
    if (status == 0 && !copy)
        return sh_out_done(call, SH_E_MEMORY);
    if (copy)
        *text = copy;
    return status;
}

/* What is tagged: a rule, or a bus. */
typedef struct tagged {
    const char *rule; /* NULL: a bus */
    const char *bus;
    json_t *tags;  /* object */
    json_t *value; /* of the bus */
} tagged;

static int take_tags(void *opaque, const sh_rule *rule)
{
    ((tagged *)opaque)->tags = json_loads(rule->tags, 0, NULL);
    return 1;
}

static int find(sh_call *call, tagged *t)
{
    const char *arn;
    sh_err err = {0};
    *t = (tagged){0};
    int status = sh_arg_need(call, "ResourceARN", 1600, &arn);
    if (status < 0)
        return status;
    const char *start = sh_events_rule_arn(call->cloud, call->arena, "");
    size_t length = start ? strlen(start) : 0;
    if (length && strncmp(arn, start, length) == 0) {
        t->rule = arn + length;
        status = sh_rule_get(call->cloud->db, t->rule, take_tags, t, &err);
    } else {
        t->bus = strncmp(arn, "arn:", 4) == 0 ? sh_events_bus_name(call->cloud, call->arena, arn) : NULL;
        status =
            t->bus ? sh_events_bus_load(call->cloud, call->arena, t->bus, &t->value, &err) : SH_E_NOT_FOUND;
        t->tags = json_incref(json_object_get(t->value, "tags"));
    }
    if (status == 0 && !t->tags)
        t->tags = json_object();
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 400, "ResourceNotFoundException", "Resource %s does not exist.", arn);
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

static void release(tagged *t)
{
    json_decref(t->tags);
    json_decref(t->value);
}

static int save(sh_call *call, const tagged *t)
{
    sh_err err = {0};
    char *text = sh_flow_text(t->tags);
    int status;
    if (t->value)
        json_object_set(t->value, "tags", t->tags);
    if (!text)
        status = sh_fail(&err, SH_E_MEMORY, "no memory for tags");
    else if (t->rule)
        status = sh_rule_set_tags(call->cloud->db, t->rule, text, &err);
    else
        status = sh_events_bus_save(call->cloud, t->bus, t->value, &err);
    free(text);
    return status < 0 ? sh_call_fail_internal(call, &err) : sh_out_new(call);
}

int sh_events_tag(sh_call *call)
{
    const json_t *list;
    tagged t;
    int status = sh_arg_array(call, "Tags", 200, &list);
    if (status < 0 || (status = find(call, &t)) < 0)
        return status;
    status = sh_tags_read(call, list, "Key", "Value", t.tags);
    if (status == 0)
        status = save(call, &t);
    release(&t);
    return status;
}

int sh_events_untag(sh_call *call)
{
    const json_t *keys, *key;
    size_t index;
    tagged t;
    int status = sh_arg_array(call, "TagKeys", 200, &keys);
    if (status < 0 || (status = find(call, &t)) < 0)
        return status;
    json_array_foreach(keys, index, key)
    {
        if (json_is_string(key))
            json_object_del(t.tags, json_string_value(key));
    }
    status = save(call, &t);
    release(&t);
    return status;
}

int sh_events_list_tags(sh_call *call)
{
    tagged t;
    int failed = 0, status = find(call, &t);
    if (status == 0 && (status = sh_out_new(call)) == 0) {
        char *text = sh_flow_text(t.tags);
        sh_put(&failed, call->out, "Tags", text ? sh_tags_list(text, "Key", "Value") : NULL);
        free(text);
        status = sh_out_done(call, failed);
    }
    release(&t);
    return status;
}
