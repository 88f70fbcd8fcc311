/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tags of jobs, queues, presets and job templates, by ARN. A job's are kept in its request, the others' in
 * their rows. */
#include "cloud/api/args.h"
#include "cloud/api/mediaconvert_kept.h"

#include <stdlib.h>
#include <string.h>

#define TAGS_MAX 50

typedef struct tagged {
    const char *arn;
    const char *job; /* id, or NULL: row */
    sh_mckept row;
    json_t *body; /* of the request or the row; owned */
} tagged;

static int find(sh_call *call, tagged *t)
{
    static const char *const kinds[] = {
        [SH_MC_QUEUES] = ":queues/", [SH_MC_PRESETS] = ":presets/", [SH_MC_TEMPLATES] = ":jobTemplates/"};
    sh_mcjob job;
    sh_err err = {0};
    int status = sh_arg_need(call, "arn", 1024, &t->arn);
    if (status < 0)
        return status;
    const char *id = strstr(t->arn, ":jobs/"), *text = NULL;
    if (id && (status = sh_mcjob_get(call->cloud->db, call->arena, id + 6, &job, &err)) == 0) {
        t->job = id + 6;
        text = job.request;
    }
    for (int i = 0; !id && !text && i <= SH_MC_TEMPLATES; i++)
        if (strstr(t->arn, kinds[i])) {
            status = sh_mc_kept_find(call, i, t->arn, &t->row);
            text = status == 0 ? t->row.body : "";
        }
    if (status < 0 && status != SH_E_NOT_FOUND)
        return call->error.code ? status : sh_call_fail_internal(call, &err);
    if (!text || status < 0)
        return sh_call_fail(call, 404, "NotFoundException", "there is no resource %s", t->arn);
    t->body = json_loads(text, 0, NULL);
    return t->body ? 0 : sh_out_done(call, SH_E_MEMORY);
}

static int save(sh_call *call, const tagged *t)
{
    sh_err err = {0};
    sh_mckept row = t->row;
    char *text = json_dumps(t->body, JSON_COMPACT | JSON_SORT_KEYS);
    if (!text)
        return sh_out_done(call, SH_E_MEMORY);
    row.body = text;
    int status;
    if (t->job)
        status = sh_mcjob_set_request(call->cloud->db, t->job, text, &err);
    else if (row.created_ms == 0) { /* the queue Default, for the first time */
        row.created_ms = row.updated_ms = call->now_ms;
        status = sh_mckept_insert(call->cloud->db, &row, &err);
    } else
        status = sh_mckept_save(call->cloud->db, &row, &err);
    free(text);
    return status < 0 ? sh_call_fail_internal(call, &err) : sh_out_new(call);
}

static json_t *tags_of(const tagged *t)
{
    if (!json_is_object(json_object_get(t->body, "tags")))
        json_object_set_new(t->body, "tags", json_object());
    return json_object_get(t->body, "tags");
}

static int put_tags(sh_call *call, json_t *tags)
{
    const json_t *given;
    const char *name;
    json_t *value;
    int status = sh_arg_object(call, "tags", &given);
    if (status < 0)
        return status;
    json_object_foreach((json_t *)given, name, value)
    {
        if (!json_is_string(value) || strlen(name) > 128 * 4 || json_string_length(value) > 256 * 4)
            return sh_call_fail(call, 400, "BadRequestException",
                                "/tags: names and values are texts of at most 128 and "
                                "256 characters");
        json_object_set(tags, name, value);
    }
    return json_object_size(tags) > TAGS_MAX
               ? sh_call_fail(call, 400, "BadRequestException", "/tags: a resource has at most %d", TAGS_MAX)
               : 0;
}

static int drop_tags(sh_call *call, json_t *tags)
{
    const json_t *keys;
    const json_t *key;
    size_t index;
    int status = sh_arg_array(call, "tagKeys", 200, &keys);
    json_array_foreach(keys, index, key)
    {
        if (json_is_string(key))
            json_object_del(tags, json_string_value(key));
    }
    return status;
}

static int change(sh_call *call, int (*how)(sh_call *call, json_t *tags))
{
    tagged t = {0};
    int status = find(call, &t);
    if (status == 0)
        status = how(call, tags_of(&t));
    if (status == 0)
        status = save(call, &t);
    json_decref(t.body);
    return status;
}

int sh_mc_tag(sh_call *call)
{
    return change(call, put_tags);
}

int sh_mc_untag(sh_call *call)
{
    return change(call, drop_tags);
}

int sh_mc_list_tags(sh_call *call)
{
    tagged t = {0};
    int status = find(call, &t);
    if (status == 0)
        status = sh_out_new(call);
    if (status == 0) {
        sh_put(&status, call->out, "resourceTags",
               json_pack("{s:s, s:O}", "arn", t.arn, "tags", tags_of(&t)));
        status = sh_out_done(call, status);
    }
    json_decref(t.body);
    return status;
}
