/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MediaConvert: the table of actions, its REST paths, and the actions that look at jobs or end them. */
#include "cloud/api/mediaconvert_kept.h"
#include "base/size.h"
#include "cloud/api/args.h"

#include <stdio.h>
#include <string.h>

#define PAGE 20
#define VERSION "/2017-08-29/"

/* ---- jobs ---- */

static int answer_job(sh_call *call, const sh_mcjob *job)
{
    int status = sh_out_new(call);
    if (status < 0)
        return status;
    sh_put(&status, call->out, "job", sh_mc_job_json(call->cloud, job));
    return sh_out_done(call, status);
}

static int no_job(sh_call *call, const char *id)
{
    return sh_call_fail(call, 404, "NotFoundException", "there is no job %s", id);
}

static int get_job(sh_call *call)
{
    const char *id;
    sh_mcjob job;
    sh_err err = {0};
    int status = sh_arg_need(call, "id", 256, &id);
    if (status < 0)
        return status;
    status = sh_mcjob_get(call->cloud->db, call->arena, id, &job, &err);
    if (status == SH_E_NOT_FOUND)
        return no_job(call, id);
    return status < 0 ? sh_call_fail_internal(call, &err) : answer_job(call, &job);
}

/* In a transaction. SH_E_CONFLICT: it has ended. */
static int cancel_row(sh_call *call, const char *id, sh_err *err)
{
    sh_mcjob job;
    int status = sh_mcjob_get(call->cloud->db, call->arena, id, &job, err);
    if (status < 0)
        return status;
    const char *before = job.status;
    if (strcmp(before, "SUBMITTED") != 0 && strcmp(before, "PROGRESSING") != 0)
        return sh_fail(err, SH_E_CONFLICT, "job %s is %s and cannot be canceled", id, before);
    job.status = "CANCELED";
    job.finished_ms = call->now_ms;
    status = sh_mcjob_save(call->cloud->db, &job, before, err);
    return status < 0 ? status : sh_mc_announce(call->cloud, &job, call->now_ms, err);
}

static int cancel_job(sh_call *call)
{
    const char *id;
    sh_err err = {0};
    int status = sh_arg_need(call, "id", 256, &id);
    if (status < 0)
        return status;
    status = sh_db_begin(call->cloud->db, &err);
    if (status == 0)
        status = sh_db_end(call->cloud->db, cancel_row(call, id, &err), &err);
    if (status == SH_E_NOT_FOUND)
        return no_job(call, id);
    if (status == SH_E_CONFLICT)
        return sh_call_fail(call, 409, "ConflictException", "%s", err.message);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    sh_cloud_wake(call->cloud, SH_WAKE_MCJOBS | SH_WAKE_FLOWS | SH_WAKE_EVENTS);
    return sh_out_new(call);
}

typedef struct page {
    const sh_cloud *cloud;
    json_t *list;
    int64_t limit, count, last;
} page;

static int add_job(void *opaque, const sh_mcjob *job)
{
    page *p = opaque;
    if (++p->count > p->limit)
        return 1;
    p->last = job->sequence;
    return json_array_append_new(p->list, sh_mc_job_json(p->cloud, job)) < 0 ? SH_E_MEMORY : 0;
}

typedef struct job_query {
    const char *status, *order, *token, *queue;
    int64_t limit, after;
} job_query;

static int one_of(sh_call *call, const char *name, const char *value, const char *const *allowed)
{
    if (!value)
        return 0;
    for (size_t i = 0; allowed[i]; i++)
        if (strcmp(allowed[i], value) == 0)
            return 0;
    return sh_call_fail(call, 400, "BadRequestException", "/%s: '%s' is not one of its values", name, value);
}

static int read_query(sh_call *call, job_query *q)
{
    static const char *const statuses[] = {"SUBMITTED", "PROGRESSING", "COMPLETE", "CANCELED", "ERROR", NULL};
    static const char *const orders[] = {"ASCENDING", "DESCENDING", NULL};
    int status;
    if ((status = sh_arg_text(call, "status", 32, &q->status)) < 0 ||
        (status = one_of(call, "status", q->status, statuses)) < 0 ||
        (status = sh_arg_text(call, "order", 32, &q->order)) < 0 ||
        (status = one_of(call, "order", q->order, orders)) < 0 ||
        (status = sh_arg_text(call, "queue", 1024, &q->queue)) < 0 ||
        (status = sh_arg_text(call, "nextToken", 64, &q->token)) < 0 ||
        (status = sh_arg_int(call, "maxResults", 1, PAGE, PAGE, &q->limit)) < 0)
        return status;
    if (q->token && *q->token && !sh_parse_i64(q->token, strlen(q->token), 1, INT64_MAX, &q->after))
        return sh_call_fail(call, 400, "BadRequestException", "/nextToken: is not one that a list gave");
    return 0;
}

static int list_jobs(sh_call *call)
{
    job_query q = {0};
    sh_err err = {0};
    char token[32];
    sh_mckept queue = {0};
    page p = {.cloud = call->cloud};
    int status = read_query(call, &q);
    if (status == 0)
        status = sh_out_new(call);
    if (status < 0)
        return status;
    p.limit = q.limit;
    p.list = json_array();
    sh_put(&status, call->out, "jobs", p.list);
    if (status < 0)
        return sh_out_done(call, status);
    if (q.queue && (status = sh_mc_kept_find(call, SH_MC_QUEUES, q.queue, &queue)) < 0)
        return status;
    const sh_mcjob_query query = {.status = q.status,
                                  .queue = queue.name,
                                  .ascending = q.order && strcmp(q.order, "ASCENDING") == 0,
                                  .after = q.after,
                                  .limit = q.limit + 1};
    status = sh_mcjob_list(call->cloud->db, &query, add_job, &p, &err);
    if (status == SH_E_MEMORY)
        return sh_out_done(call, status);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    if (p.count > p.limit) {
        snprintf(token, sizeof(token), "%lld", (long long)p.last);
        sh_put_text(&status, call->out, "nextToken", token);
    }
    return sh_out_done(call, status);
}

/* ---- endpoints ---- */

static int describe_endpoints(sh_call *call)
{
    int status = sh_out_new(call);
    if (status < 0)
        return status;
    const char *url = call->cloud->endpoint ? call->cloud->endpoint : "";
    sh_put(&status, call->out, "endpoints", json_pack("[{s:s}]", "url", url));
    return sh_out_done(call, status);
}

/* ---- the table ---- */

/* Faults have other names in this service than in those of the JSON protocol. */
static int in_own_words(sh_call *call, int status)
{
    const char *code = call->error.code;
    if (status == 0 || !code)
        return status;
    if (strcmp(code, "ValidationException") == 0 || strcmp(code, "SerializationException") == 0)
        call->error.code = "BadRequestException";
    if (strcmp(code, "InternalServerError") == 0)
        call->error.code = "InternalServerErrorException";
    return status;
}

/* X(constant, name as AWS has it, what does it) */
#define ACTIONS(X)                                                                                           \
    X(CREATE_JOB, "CreateJob", sh_mc_create_job(call))                                                       \
    X(GET_JOB, "GetJob", get_job(call))                                                                      \
    X(LIST_JOBS, "ListJobs", list_jobs(call))                                                                \
    X(CANCEL_JOB, "CancelJob", cancel_job(call))                                                             \
    X(DESCRIBE_ENDPOINTS, "DescribeEndpoints", describe_endpoints(call))                                     \
    X(CREATE_QUEUE, "CreateQueue", sh_mc_kept(call, SH_MC_QUEUES, SH_MC_CREATE))                             \
    X(GET_QUEUE, "GetQueue", sh_mc_kept(call, SH_MC_QUEUES, SH_MC_GET))                                      \
    X(LIST_QUEUES, "ListQueues", sh_mc_kept(call, SH_MC_QUEUES, SH_MC_LIST))                                 \
    X(UPDATE_QUEUE, "UpdateQueue", sh_mc_kept(call, SH_MC_QUEUES, SH_MC_UPDATE))                             \
    X(DELETE_QUEUE, "DeleteQueue", sh_mc_kept(call, SH_MC_QUEUES, SH_MC_DELETE))                             \
    X(CREATE_PRESET, "CreatePreset", sh_mc_kept(call, SH_MC_PRESETS, SH_MC_CREATE))                          \
    X(GET_PRESET, "GetPreset", sh_mc_kept(call, SH_MC_PRESETS, SH_MC_GET))                                   \
    X(LIST_PRESETS, "ListPresets", sh_mc_kept(call, SH_MC_PRESETS, SH_MC_LIST))                              \
    X(UPDATE_PRESET, "UpdatePreset", sh_mc_kept(call, SH_MC_PRESETS, SH_MC_UPDATE))                          \
    X(DELETE_PRESET, "DeletePreset", sh_mc_kept(call, SH_MC_PRESETS, SH_MC_DELETE))                          \
    X(CREATE_TEMPLATE, "CreateJobTemplate", sh_mc_kept(call, SH_MC_TEMPLATES, SH_MC_CREATE))                 \
    X(GET_TEMPLATE, "GetJobTemplate", sh_mc_kept(call, SH_MC_TEMPLATES, SH_MC_GET))                          \
    X(LIST_TEMPLATES, "ListJobTemplates", sh_mc_kept(call, SH_MC_TEMPLATES, SH_MC_LIST))                     \
    X(UPDATE_TEMPLATE, "UpdateJobTemplate", sh_mc_kept(call, SH_MC_TEMPLATES, SH_MC_UPDATE))                 \
    X(DELETE_TEMPLATE, "DeleteJobTemplate", sh_mc_kept(call, SH_MC_TEMPLATES, SH_MC_DELETE))                 \
    X(TAG, "TagResource", sh_mc_tag(call))                                                                   \
    X(UNTAG, "UntagResource", sh_mc_untag(call))                                                             \
    X(LIST_TAGS, "ListTagsForResource", sh_mc_list_tags(call))

#define FUNCTION(constant, name, work)                                                                       \
    static int do_##constant(sh_call *call)                                                                  \
    {                                                                                                        \
        return in_own_words(call, work);                                                                     \
    }
ACTIONS(FUNCTION)

#define CONSTANT(constant, name, work) constant,
enum { ACTIONS(CONSTANT) };

#define ROW(constant, name, work) [constant] = {name, do_##constant},
static const sh_action actions[] = {ACTIONS(ROW){NULL, NULL}};

const sh_service sh_service_mediaconvert = {
    .name = "mediaconvert", .target_prefix = NULL, .json_version = "1.1", .actions = actions};

/* ---- REST ---- */

typedef struct route {
    const char *method, *path; /* under VERSION; a last "*" is one segment, named by `parameter` */
    const char *parameter;
    int action;
} route;

static const route routes[] = {
    {"POST", "jobs", NULL, CREATE_JOB},
    {"GET", "jobs", NULL, LIST_JOBS},
    {"GET", "jobs/*", "id", GET_JOB},
    {"DELETE", "jobs/*", "id", CANCEL_JOB},
    {"POST", "endpoints", NULL, DESCRIBE_ENDPOINTS},
    {"GET", "endpoints", NULL, DESCRIBE_ENDPOINTS},
    {"POST", "queues", NULL, CREATE_QUEUE},
    {"GET", "queues", NULL, LIST_QUEUES},
    {"GET", "queues/*", "name", GET_QUEUE},
    {"PUT", "queues/*", "name", UPDATE_QUEUE},
    {"DELETE", "queues/*", "name", DELETE_QUEUE},
    {"POST", "presets", NULL, CREATE_PRESET},
    {"GET", "presets", NULL, LIST_PRESETS},
    {"GET", "presets/*", "name", GET_PRESET},
    {"PUT", "presets/*", "name", UPDATE_PRESET},
    {"DELETE", "presets/*", "name", DELETE_PRESET},
    {"POST", "jobTemplates", NULL, CREATE_TEMPLATE},
    {"GET", "jobTemplates", NULL, LIST_TEMPLATES},
    {"GET", "jobTemplates/*", "name", GET_TEMPLATE},
    {"PUT", "jobTemplates/*", "name", UPDATE_TEMPLATE},
    {"DELETE", "jobTemplates/*", "name", DELETE_TEMPLATE},
    {"POST", "tags", NULL, TAG},
    {"GET", "tags/*", "arn", LIST_TAGS},
    {"PUT", "tags/*", "arn", UNTAG},
};

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The text with its %XX undone, NULL when it is not a text then. */
static json_t *decoded(const char *text, size_t length, bool query)
{
    char out[2048];
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (c == '%' && length - i > 2 && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
            c = (char)(hex(text[i + 1]) << 4 | hex(text[i + 2]));
            i += 2;
        } else if (c == '+' && query) {
            c = ' ';
        }
        if (!c || count == sizeof(out))
            return NULL;
        out[count++] = c;
    }
    return json_stringn(out, count);
}

/* Query values are texts but for the one that is a number. */
static void merge_query(json_t *in, const char *query)
{
    while (query && *query) {
        size_t length = strcspn(query, "&");
        size_t name_length = strcspn(query, "=&");
        json_t *name = decoded(query, name_length, true);
        size_t skip = name_length < length ? name_length + 1 : length;
        json_t *value = decoded(query + skip, length - skip, true);
        const char *text = json_string_value(value);
        int64_t number;
        if (name && text && strcmp(json_string_value(name), "maxResults") == 0 &&
            sh_parse_i64(text, strlen(text), INT32_MIN, INT32_MAX, &number)) {
            json_decref(value);
            value = json_integer(number);
        }
        if (name && value)
            json_object_set(in, json_string_value(name), value);
        json_decref(name);
        json_decref(value);
        query += length + (query[length] == '&');
    }
}

/* NULL: does not match; else the segment that "*" stands for, or "" when the route has none. */
static const char *match(const route *r, const char *path)
{
    size_t fixed = r->parameter ? strlen(r->path) - 1 : strlen(r->path);
    if (strncmp(path, r->path, fixed) != 0)
        return NULL;
    path += fixed;
    if (!r->parameter)
        return *path ? NULL : path;
    return *path && !strchr(path, '/') ? path : NULL;
}

const sh_action *sh_mediaconvert_route(const char *method, const char *path, const char *query, json_t *in)
{
    static const size_t version = sizeof(VERSION) - 1;
    if (strncmp(path, VERSION, version) != 0)
        return NULL;
    for (size_t i = 0; i < SH_COUNT(routes); i++) {
        const route *r = &routes[i];
        const char *segment = strcmp(method, r->method) == 0 ? match(r, path + version) : NULL;
        if (!segment)
            continue;
        merge_query(in, query);
        if (r->parameter) {
            json_t *value = decoded(segment, strlen(segment), false);
            if (!value || json_object_set_new(in, r->parameter, value) < 0)
                return NULL;
        }
        return &actions[r->action];
    }
    return NULL;
}
