/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Queues, output presets and job templates: the same five actions over one table of rows, and tags.
 *
 * The queue Default is always there, of type SYSTEM; it has a row only once somebody has changed it. A queue
 * that is PAUSED keeps its jobs SUBMITTED. Presets and templates are checked when they are made as jobs are:
 * what no job could use is refused by its path. */
#include "base/size.h"
#include "cloud/api/args.h"
#include "cloud/api/mediaconvert_kept.h"
#include "cloud/jobs/mc_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 20

typedef struct sort {
    const char *kind;       /* as in ARNs and rows */
    const char *one, *many; /* members of answers */
    const char *noun;
    const char *members; /* of Create and Update, each between spaces */
    int (*check)(sh_call *call);
} sort;

static int bad(sh_call *call, const char *path, const char *why)
{
    return sh_call_fail(call, 400, "BadRequestException", "%s: %s", path, why);
}

/* "arn:aws:mediaconvert:REGION:ACCOUNT:KIND/NAME" or the name alone, to the name. */
static const char *name_of(const char *text)
{
    const char *slash = strncmp(text, "arn:", 4) == 0 ? strchr(text, '/') : NULL;
    return slash ? slash + 1 : text;
}

/* ---- what may be said ---- */

/* One of words, each between spaces, where it is given. */
static int one_of(sh_call *call, const char *name, const char *words)
{
    const char *value;
    char word[64], path[96];
    int status = sh_arg_text(call, name, 60, &value);
    if (status < 0 || !value)
        return status;
    snprintf(word, sizeof(word), " %s ", value);
    snprintf(path, sizeof(path), "/%s", name);
    return strstr(words, word) ? 0 : bad(call, path, "is not one of its values");
}

static int check_queue(sh_call *call)
{
    int64_t jobs;
    int status;
    if ((status = one_of(call, "status", " ACTIVE PAUSED ")) < 0 ||
        (status = one_of(call, "pricingPlan", " ON_DEMAND RESERVED ")) < 0 ||
        (status = sh_arg_int(call, "concurrentJobs", 1, 4096, 1, &jobs)) < 0)
        return status;
    const char *plan = json_string_value(json_object_get(call->in, "pricingPlan"));
    if (plan && strcmp(plan, "RESERVED") == 0)
        return bad(call, "/pricingPlan", "there is nothing to reserve here: ON_DEMAND");
    if (json_object_get(call->in, "reservationPlanSettings"))
        return bad(call, "/reservationPlanSettings", "there is nothing to reserve here");
    return 0;
}

/* As CreateJob would say it, with the paths of this resource: `strip` is what the wrapping put in front. */
static int check_as_job(sh_call *call, json_t *settings, const char *strip)
{
    sh_err err = {0};
    sh_mc_job *job = NULL;
    if (!settings)
        return sh_out_done(call, SH_E_MEMORY);
    int status = sh_mc_job_read(&job, settings, &err);
    json_decref(settings);
    sh_mc_job_free(job);
    if (status == SH_E_MEMORY || status == SH_E_INTERNAL)
        return sh_call_fail_internal(call, &err);
    const size_t length = strlen(strip);
    const bool inside = strncmp(err.message, strip, length) == 0;
    return status < 0 ? sh_call_fail(call, 400, "BadRequestException", "/settings%s",
                                     err.message + (inside ? length : 0))
                      : 0;
}

/* The group that a container belongs to: its type and the name of its settings. */
static const char *const groups[][3] = {
    {"M3U8", "HLS_GROUP_SETTINGS", "hlsGroupSettings"},
    {"MPD", "DASH_ISO_GROUP_SETTINGS", "dashIsoGroupSettings"},
    {"CMFC", "CMAF_GROUP_SETTINGS", "cmafGroupSettings"},
    {"", "FILE_GROUP_SETTINGS", "fileGroupSettings"},
};

static int check_preset(sh_call *call)
{
    const json_t *settings;
    size_t i = 0;
    int status = sh_arg_object(call, "settings", &settings);
    if (status < 0)
        return status;
    if (!settings)
        return bad(call, "/settings", "is a required property");
    const char *container =
        json_string_value(json_object_get(json_object_get(settings, "containerSettings"), "container"));
    while (i + 1 < SH_COUNT(groups) && (!container || strcmp(groups[i][0], container) != 0))
        i++;
    json_t *output = json_copy((json_t *)settings);
    json_object_set_new(output, "nameModifier", json_string("_"));
    json_t *job = json_pack("{s:[{s:s,s:{s:{}}}],s:[{s:[o],s:{s:s,s:{s:s,s:i,s:i}}}]}", "inputs", "fileInput",
                            "s3://bucket/input.mp4", "audioSelectors", "Audio Selector 1", "outputGroups",
                            "outputs", output, "outputGroupSettings", "type", groups[i][1], groups[i][2],
                            "destination", "s3://bucket/", "segmentLength", 6, "minSegmentLength", 0);
    json_t *group = json_object_get(
        json_object_get(json_array_get(json_object_get(job, "outputGroups"), 0), "outputGroupSettings"),
        groups[i][2]);
    if (i + 1 == SH_COUNT(groups)) {
        json_object_del(group, "segmentLength");
        json_object_del(group, "minSegmentLength");
    } else if (i > 0) {
        json_object_del(group, "minSegmentLength");
        json_object_set_new(group, "fragmentLength", json_integer(2));
    }
    return check_as_job(call, job, "/outputGroups/0/outputs/0");
}

/* A template may leave to the job what to read and where to write. */
static void fill_template(json_t *settings)
{
    size_t index;
    json_t *group, *input, *inputs = json_object_get(settings, "inputs");
    if (json_array_size(inputs) == 0)
        json_object_set_new(settings, "inputs", inputs = json_pack("[{}]"));
    json_array_foreach(inputs, index, input)
    {
        if (json_is_object(input) && !json_object_get(input, "fileInput"))
            json_object_set_new(input, "fileInput", json_string("s3://bucket/input.mp4"));
    }
    json_array_foreach(json_object_get(settings, "outputGroups"), index, group)
    {
        json_t *outer = json_object_get(group, "outputGroupSettings");
        for (size_t i = 0; i < SH_COUNT(groups); i++) {
            json_t *inner = json_object_get(outer, groups[i][2]);
            if (json_is_object(inner) && !json_object_get(inner, "destination"))
                json_object_set_new(inner, "destination", json_string("s3://bucket/"));
        }
    }
}

static int check_template(sh_call *call)
{
    const json_t *settings;
    int64_t priority;
    int status;
    if ((status = sh_arg_object(call, "settings", &settings)) < 0 ||
        (status = sh_arg_int(call, "priority", -50, 50, 0, &priority)) < 0)
        return status;
    if (!settings)
        return bad(call, "/settings", "is a required property");
    json_t *filled = json_deep_copy(settings);
    fill_template(filled);
    json_t *resolved = NULL;
    if ((status = sh_mc_put_presets(call, filled, &resolved)) < 0) {
        json_decref(filled);
        return status;
    }
    if (resolved) {
        json_decref(filled);
        filled = resolved;
    }
    return check_as_job(call, filled, "");
}

#define COMMON " name description tags "
static const sort sorts[] = {
    [SH_MC_QUEUES] = {"queues", "queue", "queues", "queue",
                      COMMON "pricingPlan status concurrentJobs reservationPlanSettings ", check_queue},
    [SH_MC_PRESETS] = {"presets", "preset", "presets", "preset", COMMON "category settings ", check_preset},
    [SH_MC_TEMPLATES] = {"jobTemplates", "jobTemplate", "jobTemplates", "job template",
                         COMMON "category settings accelerationSettings hopDestinations priority queue "
                                "statusUpdateInterval ",
                         check_template},
};

static int check_members(sh_call *call, const sort *s)
{
    const char *name;
    json_t *value;
    char word[300], path[300];
    json_object_foreach((json_t *)call->in, name, value)
    {
        snprintf(word, sizeof(word), " %.200s ", name);
        snprintf(path, sizeof(path), "/%.200s", name);
        if (!strstr(s->members, word))
            return bad(call, path, "is not a member of this call");
    }
    const char *text;
    const json_t *tags;
    int status;
    if ((status = sh_arg_text(call, "description", 2048, &text)) < 0 ||
        (status = sh_arg_text(call, "category", 256, &text)) < 0)
        return status;
    return sh_arg_object(call, "tags", &tags);
}

/* ---- rows to JSON ---- */

static int put_counts(sh_call *call, json_t *json, const char *name)
{
    static const char *const of[][2] = {{"SUBMITTED", "submittedJobsCount"},
                                        {"PROGRESSING", "progressingJobsCount"}};
    sh_err err = {0};
    int status = 0;
    for (size_t i = 0; i < SH_COUNT(of); i++) {
        int64_t count = 0;
        if (sh_mcjob_count(call->cloud->db, name, of[i][0], &count, &err) < 0)
            return sh_call_fail_internal(call, &err);
        sh_put(&status, json, of[i][1], json_integer(count));
    }
    return sh_out_done(call, status);
}

/* NULL with the call failed. */
static json_t *row_json(sh_call *call, const sort *s, const sh_mckept *row)
{
    const bool system = s == &sorts[SH_MC_QUEUES] && strcmp(row->name, "Default") == 0;
    int status = 0;
    json_t *json = json_loads(row->body, 0, NULL);
    json_object_del(json, "tags");
    sh_put_text(&status, json, "arn", sh_mc_arn(call->cloud, call->arena, s->kind, row->name));
    sh_put_text(&status, json, "name", row->name);
    sh_put_text(&status, json, "type", system ? "SYSTEM" : "CUSTOM");
    sh_put_date(&status, json, "createdAt", row->created_ms);
    sh_put_date(&status, json, "lastUpdated", row->updated_ms);
    status = sh_out_done(call, status);
    if (status == 0 && s == &sorts[SH_MC_QUEUES])
        status = put_counts(call, json, row->name);
    if (status == 0)
        return json;
    json_decref(json);
    return NULL;
}

static int answer(sh_call *call, const sort *s, const sh_mckept *row)
{
    json_t *json = row_json(call, s, row);
    if (!json)
        return call->error.code ? SH_E_ARGUMENT : SH_E_MEMORY;
    int status = sh_out_new(call);
    if (status < 0) {
        json_decref(json);
        return status;
    }
    sh_put(&status, call->out, s->one, json);
    return sh_out_done(call, status);
}

static const sh_mckept default_queue = {.kind = "queues",
                                        .name = "Default",
                                        .category = "",
                                        .body = "{\"pricingPlan\":\"ON_DEMAND\",\"status\":\"ACTIVE\"}"};

int sh_mc_kept_find(sh_call *call, int kind, const char *name, sh_mckept *out)
{
    const sort *s = &sorts[kind];
    sh_err err = {0};
    name = name_of(name);
    int status = sh_mckept_get(call->cloud->db, call->arena, s->kind, name, out, &err);
    if (status == SH_E_NOT_FOUND && kind == SH_MC_QUEUES && strcmp(name, "Default") == 0) {
        *out = default_queue;
        return 0;
    }
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 404, "NotFoundException", "there is no %s %s", s->noun, name);
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

/* ---- the actions ---- */

/* The members of a call over what there was: JSON text, to be freed. */
static char *body_over(const sh_call *call, const char *before)
{
    const char *name;
    json_t *value, *body = json_loads(before, 0, NULL);
    bool whole = body != NULL;
    json_object_foreach((json_t *)call->in, name, value)
    {
        if (strcmp(name, "name") != 0 && !json_is_null(value))
            whole = json_object_set(body, name, value) == 0 && whole;
    }
    char *text = whole ? json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(body);
    return text;
}

static int save(sh_call *call, const sort *s, sh_mckept *row, bool anew)
{
    sh_err err = {0};
    const char *category = json_string_value(json_object_get(call->in, "category"));
    char *body = body_over(call, row->body);
    if (!body)
        return sh_out_done(call, SH_E_MEMORY);
    row->body = body;
    row->kind = s->kind;
    row->category = category ? category : row->category;
    row->updated_ms = call->now_ms;
    row->created_ms = row->created_ms ? row->created_ms : call->now_ms;
    int status =
        anew ? sh_mckept_insert(call->cloud->db, row, &err) : sh_mckept_save(call->cloud->db, row, &err);
    if (status == SH_E_CONFLICT)
        status = sh_call_fail(call, 409, "ConflictException", "there is a %s %s already", s->noun, row->name);
    else if (status < 0)
        status = sh_call_fail_internal(call, &err);
    else
        status = answer(call, s, row);
    free(body);
    return status;
}

static int create(sh_call *call, int kind)
{
    const sort *s = &sorts[kind];
    sh_mckept row = {.category = "", .body = kind == SH_MC_QUEUES ? default_queue.body : "{}"};
    int status;
    if ((status = sh_arg_need(call, "name", 256, &row.name)) < 0 || (status = check_members(call, s)) < 0 ||
        (status = s->check(call)) < 0)
        return status;
    if (strchr(row.name, '/'))
        return bad(call, "/name", "must not contain a slash");
    if (kind == SH_MC_QUEUES && strcmp(row.name, "Default") == 0)
        return sh_call_fail(call, 409, "ConflictException", "there is a queue Default already");
    return save(call, s, &row, true);
}

/* The one that the call names. */
static int find(sh_call *call, int kind, sh_mckept *row)
{
    const char *name;
    int status = sh_arg_need(call, "name", 1024, &name);
    return status < 0 ? status : sh_mc_kept_find(call, kind, name, row);
}

static int update(sh_call *call, int kind)
{
    const sort *s = &sorts[kind];
    sh_mckept row;
    int status = find(call, kind, &row);
    if (status < 0)
        return status;
    if ((status = check_members(call, s)) < 0)
        return status;
    if ((kind == SH_MC_QUEUES || json_object_get(call->in, "settings")) && (status = s->check(call)) < 0)
        return status;
    status = save(call, s, &row, row.created_ms == 0);
    if (status == 0 && kind == SH_MC_QUEUES)
        sh_cloud_wake(call->cloud, SH_WAKE_MCJOBS);
    return status;
}

static int get(sh_call *call, int kind)
{
    sh_mckept row;
    int status = find(call, kind, &row);
    return status < 0 ? status : answer(call, &sorts[kind], &row);
}

/* In a transaction. SH_E_CONFLICT: it has jobs that have not ended. */
static int delete_row(sh_call *call, const sort *s, const char *name, sh_err *err)
{
    int64_t submitted = 0, progressing = 0;
    int status = 0;
    if (s == &sorts[SH_MC_QUEUES] &&
        ((status = sh_mcjob_count(call->cloud->db, name, "SUBMITTED", &submitted, err)) < 0 ||
         (status = sh_mcjob_count(call->cloud->db, name, "PROGRESSING", &progressing, err)) < 0))
        return status;
    if (submitted + progressing > 0)
        return sh_fail(err, SH_E_CONFLICT, "queue %s has %lld jobs that have not ended", name,
                       (long long)(submitted + progressing));
    return sh_mckept_delete(call->cloud->db, s->kind, name, err);
}

static int delete_it(sh_call *call, int kind)
{
    const sort *s = &sorts[kind];
    const char *name;
    sh_err err = {0};
    int status = sh_arg_need(call, "name", 1024, &name);
    if (status < 0)
        return status;
    name = name_of(name);
    if (kind == SH_MC_QUEUES && strcmp(name, "Default") == 0)
        return bad(call, "/name", "the queue Default cannot be deleted");
    status = sh_db_begin(call->cloud->db, &err);
    if (status == 0)
        status = sh_db_end(call->cloud->db, delete_row(call, s, name, &err), &err);
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 404, "NotFoundException", "there is no %s %s", s->noun, name);
    if (status == SH_E_CONFLICT)
        return sh_call_fail(call, 409, "ConflictException", "%s", err.message);
    return status < 0 ? sh_call_fail_internal(call, &err) : sh_out_new(call);
}

typedef struct page {
    sh_call *call;
    const sort *sort;
    json_t *list;
    sh_mckept rows[PAGE + 1];
    int64_t count;
} page;

/* Rows are copied: looking at the counts of a queue's jobs asks the database again. */
static int keep(void *opaque, const sh_mckept *row)
{
    page *p = opaque;
    sh_mckept copy = *row;
    copy.name = sh_arena_strdup(p->call->arena, row->name);
    copy.body = sh_arena_strdup(p->call->arena, row->body);
    if (!copy.name || !copy.body)
        return SH_E_MEMORY;
    p->rows[p->count++] = copy;
    return 0;
}

static int read_list(sh_call *call, const sort *s, sh_mckept_query *q)
{
    const char *token, *order;
    int status;
    *q = (sh_mckept_query){.kind = s->kind};
    if ((status = one_of(call, "listBy", " NAME CREATION_DATE SYSTEM ")) < 0 ||
        (status = one_of(call, "order", " ASCENDING DESCENDING ")) < 0 ||
        (status = sh_arg_text(call, "category", 256, &q->category)) < 0 ||
        (status = sh_arg_text(call, "nextToken", 32, &token)) < 0 ||
        (status = sh_arg_int(call, "maxResults", 1, PAGE, PAGE, &q->limit)) < 0)
        return status;
    if (token && *token && !sh_parse_i64(token, strlen(token), 1, INT32_MAX, &q->skip))
        return bad(call, "/nextToken", "is not one that a list gave");
    const char *by = json_string_value(json_object_get(call->in, "listBy"));
    order = json_string_value(json_object_get(call->in, "order"));
    q->by_name = !by || strcmp(by, "NAME") == 0;
    q->descending = order && strcmp(order, "DESCENDING") == 0;
    q->limit++;
    return 0;
}

static int add_rows(page *p, int64_t limit)
{
    for (int64_t i = 0; i < p->count && i < limit; i++) {
        json_t *json = row_json(p->call, p->sort, &p->rows[i]);
        if (!json || json_array_append_new(p->list, json) < 0)
            return p->call->error.code ? SH_E_ARGUMENT : sh_out_done(p->call, SH_E_MEMORY);
    }
    return 0;
}

static int list(sh_call *call, int kind)
{
    char token[32];
    sh_mckept_query q;
    sh_mckept row;
    sh_err err = {0};
    page *p = sh_arena_alloc(call->arena, sizeof(*p));
    int status = p ? read_list(call, &sorts[kind], &q) : sh_out_done(call, SH_E_MEMORY);
    if (status == 0)
        status = sh_out_new(call);
    if (status < 0)
        return status;
    *p = (page){.call = call, .sort = &sorts[kind], .list = json_array()};
    sh_put(&status, call->out, sorts[kind].many, p->list);
    if ((status = sh_out_done(call, status)) < 0)
        return status;
    if (sh_mckept_list(call->cloud->db, &q, keep, p, &err) < 0)
        return sh_call_fail_internal(call, &err);
    if (kind == SH_MC_QUEUES && q.skip == 0 && sh_mc_kept_find(call, kind, "Default", &row) == 0 &&
        row.created_ms == 0) { /* it has no row */
        json_t *json = row_json(call, p->sort, &row);
        if (!json || json_array_append_new(p->list, json) < 0)
            return call->error.code ? SH_E_ARGUMENT : sh_out_done(call, SH_E_MEMORY);
    }
    if ((status = add_rows(p, q.limit - 1)) < 0)
        return status;
    if (p->count == q.limit) {
        snprintf(token, sizeof(token), "%lld", (long long)(q.skip + q.limit - 1));
        sh_put_text(&status, call->out, "nextToken", token);
    }
    return sh_out_done(call, status);
}

int sh_mc_kept(sh_call *call, int kind, int verb)
{
    static int (*const verbs[])(sh_call * call, int kind) = {
        [SH_MC_CREATE] = create, [SH_MC_GET] = get,          [SH_MC_LIST] = list,
        [SH_MC_UPDATE] = update, [SH_MC_DELETE] = delete_it,
    };
    return verbs[verb](call, kind);
}

/* ---- in jobs ---- */

static void merge_arrays(json_t *under, const json_t *over)
{
    for (size_t i = 0; i < json_array_size(over); i++) {
        const json_t *value = json_array_get(over, i);
        json_t *there = json_array_get(under, i);
        if (json_is_object(there) && json_is_object(value))
            sh_mc_merge(there, value);
        else if (there)
            json_array_set_new(under, i, json_deep_copy(value));
        else
            json_array_append_new(under, json_deep_copy(value));
    }
}

void sh_mc_merge(json_t *under, const json_t *over)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)over, name, value)
    {
        json_t *there = json_object_get(under, name);
        if (json_is_object(there) && json_is_object(value))
            sh_mc_merge(there, value);
        else if (json_is_array(there) && json_is_array(value))
            merge_arrays(there, value);
        else
            json_object_set_new(under, name, json_deep_copy(value));
    }
}

static int put_preset(sh_call *call, json_t *outputs, size_t index)
{
    json_t *output = json_array_get(outputs, index);
    const char *name = json_string_value(json_object_get(output, "preset"));
    sh_mckept row;
    int status = sh_mc_kept_find(call, SH_MC_PRESETS, name, &row);
    if (status < 0)
        return status;
    json_t *body = json_loads(row.body, 0, NULL);
    json_t *merged = json_deep_copy(json_object_get(body, "settings"));
    json_decref(body);
    sh_mc_merge(merged, output);
    json_object_del(merged, "preset");
    return json_array_set_new(outputs, index, merged) < 0 ? sh_out_done(call, SH_E_MEMORY) : 0;
}

int sh_mc_put_presets(sh_call *call, const json_t *settings, json_t **out)
{
    json_t *copy = json_deep_copy(settings), *group;
    size_t g;
    bool any = false;
    int status = copy ? 0 : sh_out_done(call, SH_E_MEMORY);
    json_array_foreach(json_object_get(copy, "outputGroups"), g, group)
    {
        json_t *outputs = json_object_get(group, "outputs");
        for (size_t i = 0; status == 0 && i < json_array_size(outputs); i++)
            if (json_string_value(json_object_get(json_array_get(outputs, i), "preset"))) {
                status = put_preset(call, outputs, i);
                any = true;
            }
    }
    if (status == 0 && any)
        *out = copy;
    else
        json_decref(copy);
    return status;
}
