/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CreateJob: a job that cannot be made is refused here, by the path of the field that is wrong. */
#include "base/size.h"
#include "cloud/api/args.h"
#include "cloud/api/keys.h"
#include "cloud/api/mediaconvert_kept.h"
#include "cloud/jobs/mc_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct creating {
    const char *role, *token;
    sh_mckept queue;
    const json_t *metadata, *tags;
    json_t *template; /* NULL: none; owned, like settings and presets */
    json_t *settings; /* with those of the template under them */
    json_t *resolved; /* with those of presets under them, or NULL */
    int64_t priority;
    char *request, *made; /* JSON texts; made may be NULL */
} creating;

static int bad(sh_call *call, const char *path, const char *why)
{
    return sh_call_fail(call, 400, "BadRequestException", "%s: %s", path, why);
}

/* The members of CreateJob. Those that do nothing here are taken when they ask for nothing. */
static int check_names(sh_call *call)
{
    static const char *const known[] = {"role",
                                        "queue",
                                        "clientRequestToken",
                                        "settings",
                                        "userMetadata",
                                        "tags",
                                        "priority",
                                        "accelerationSettings",
                                        "billingTagsSource",
                                        "hopDestinations",
                                        "jobTemplate",
                                        "simulateReservedQueue",
                                        "statusUpdateInterval",
                                        "jobEngineVersion"};
    const char *name;
    json_t *value;
    char path[256];
    json_object_foreach((json_t *)call->in, name, value)
    {
        size_t i = 0;
        while (i < SH_COUNT(known) && strcmp(known[i], name) != 0)
            i++;
        snprintf(path, sizeof(path), "/%.200s", name);
        if (i == SH_COUNT(known))
            return bad(call, path, "is not a member of CreateJob");
    }
    return 0;
}

static int refuse_unsupported(sh_call *call)
{
    const json_t *acceleration = json_object_get(call->in, "accelerationSettings");
    const char *mode = json_string_value(json_object_get(acceleration, "mode"));
    if (mode && strcmp(mode, "REQUIRED") == 0)
        return bad(call, "/accelerationSettings/mode", "accelerated transcoding is not offered here");
    if (json_array_size(json_object_get(call->in, "hopDestinations")) > 0)
        return bad(call, "/hopDestinations", "jobs stay in their queue here");
    return 0;
}

/* "arn:aws:iam::<12 digits>:role/<name>" */
static bool is_role(const char *text)
{
    static const char start[] = "arn:aws";
    if (strncmp(text, start, sizeof(start) - 1) != 0)
        return false;
    text += sizeof(start) - 1;
    text += strspn(text, "-abcdefghijklmnopqrstuvwxyz");
    if (strncmp(text, ":iam::", 6) != 0 || strspn(text + 6, "0123456789") != 12)
        return false;
    return strncmp(text + 18, ":role/", 6) == 0 && text[24] != '\0';
}

static int read_template(sh_call *call, creating *c)
{
    const char *name;
    const json_t *settings;
    sh_mckept row;
    int status = sh_arg_text(call, "jobTemplate", 1024, &name);
    if (status < 0 || (status = sh_arg_object(call, "settings", &settings)) < 0)
        return status;
    if (name && *name) {
        if ((status = sh_mc_kept_find(call, SH_MC_TEMPLATES, name, &row)) < 0)
            return status;
        c->template = json_loads(row.body, 0, NULL);
        c->settings = json_deep_copy(json_object_get(c->template, "settings"));
        sh_mc_merge(c->settings, settings);
    } else if (!settings) {
        return bad(call, "/settings", "is a required property");
    } else {
        c->settings = json_deep_copy(settings);
    }
    return c->settings ? sh_mc_put_presets(call, c->settings, &c->resolved) : sh_out_done(call, SH_E_MEMORY);
}

static int read_queue(sh_call *call, creating *c)
{
    const char *name;
    int status = sh_arg_text(call, "queue", 1024, &name);
    if (status < 0)
        return status;
    if (!name)
        name = json_string_value(json_object_get(c->template, "queue"));
    return sh_mc_kept_find(call, SH_MC_QUEUES, name ? name : "Default", &c->queue);
}

static int read_priority(sh_call *call, creating *c)
{
    int64_t usual = json_integer_value(json_object_get(c->template, "priority"));
    return sh_arg_int(call, "priority", -50, 50, usual, &c->priority);
}

static int check_map(sh_call *call, const char *path, const json_t *map)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)map, name, value)
    {
        if (!json_is_string(value) || strlen(name) > 256 || json_string_length(value) > 256)
            return bad(call, path, "names and values are texts of at most 256 characters");
    }
    return json_object_size(map) > 50 ? bad(call, path, "has more than 50 members") : 0;
}

static int check_settings(sh_call *call, const json_t *settings)
{
    sh_err err = {0};
    sh_mc_job *job = NULL;
    int status = sh_mc_job_read(&job, settings, &err);
    sh_mc_job_free(job);
    if (status == SH_E_MEMORY || status == SH_E_INTERNAL)
        return sh_call_fail_internal(call, &err);
    return status < 0 ? sh_call_fail(call, 400, "BadRequestException", "%s", err.message) : 0;
}

static int read_call(sh_call *call, creating *c)
{
    int status;
    if ((status = check_names(call)) < 0 || (status = sh_arg_text(call, "role", 2048, &c->role)) < 0 ||
        (status = read_template(call, c)) < 0 || (status = read_queue(call, c)) < 0 ||
        (status = sh_arg_text(call, "clientRequestToken", 256, &c->token)) < 0 ||
        (status = sh_arg_object(call, "userMetadata", &c->metadata)) < 0 ||
        (status = sh_arg_object(call, "tags", &c->tags)) < 0 || (status = read_priority(call, c)) < 0)
        return status;
    if (!c->role)
        return bad(call, "/role", "is a required property");
    if (!is_role(c->role))
        return bad(call, "/role", "should be the ARN of an IAM role, arn:aws:iam::<account>:role/<name>");
    if ((status = check_map(call, "/userMetadata", c->metadata)) < 0 ||
        (status = check_map(call, "/tags", c->tags)) < 0 || (status = refuse_unsupported(call)) < 0)
        return status;
    if (c->token && !*c->token)
        c->token = NULL;
    return check_settings(call, c->resolved ? c->resolved : c->settings);
}

/* As the call says, else as the template, else `fallback`. */
static void put_text_or(int *status, json_t *to, const sh_call *call, const creating *c, const char *name,
                        const char *fallback)
{
    const char *value = json_string_value(json_object_get(call->in, name));
    const char *usual = json_string_value(json_object_get(c->template, name));
    sh_put_text(status, to, name, value ? value : usual ? usual : fallback);
}

static char *request_text(const sh_call *call, const creating *c)
{
    int status = 0;
    json_t *request = json_object();
    sh_put_text(&status, request, "role", c->role);
    sh_put_text(&status, request, "queue", sh_mc_arn(call->cloud, call->arena, "queues", c->queue.name));
    put_text_or(&status, request, call, c, "jobTemplate", NULL);
    sh_put(&status, request, "settings", json_deep_copy(c->settings));
    sh_put(&status, request, "userMetadata", c->metadata ? json_deep_copy(c->metadata) : json_object());
    sh_put(&status, request, "tags", c->tags ? json_deep_copy(c->tags) : json_object());
    sh_put(&status, request, "accelerationSettings", json_pack("{s:s}", "mode", "DISABLED"));
    put_text_or(&status, request, call, c, "billingTagsSource", "JOB");
    put_text_or(&status, request, call, c, "simulateReservedQueue", "DISABLED");
    put_text_or(&status, request, call, c, "statusUpdateInterval", "SECONDS_60");
    char *text = status < 0 ? NULL : json_dumps(request, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(request);
    return text;
}

/* "1700000000000-a1b2c3": milliseconds and six random letters, as AWS's ids look. */
static void make_id(int64_t now_ms, char *id, size_t size)
{
    char uuid[SH_UUID_TEXT];
    sh_uuid(uuid);
    snprintf(id, size, "%013lld-%.6s", (long long)now_ms, uuid);
}

/* The same token again: the job it made, if it asks for the same. */
static int answer_repeat(sh_call *call, const creating *c, sh_mcjob *job, sh_err *err)
{
    int status = sh_mcjob_by_token(call->cloud->db, call->arena, c->token, job, err);
    if (status < 0)
        return status;
    if (strcmp(job->request, c->request) != 0)
        return sh_fail(err, SH_E_CONFLICT, "the client request token was used for another job, %s", job->id);
    return 0;
}

/* In a transaction. */
static int insert(sh_call *call, const creating *c, sh_mcjob *job, sh_err *err)
{
    char id[64];
    if (c->token) {
        int status = answer_repeat(call, c, job, err);
        if (status != SH_E_NOT_FOUND)
            return status;
    }
    make_id(call->now_ms, id, sizeof(id));
    *job = (sh_mcjob){.id = sh_arena_strdup(call->arena, id),
                      .status = "SUBMITTED",
                      .request = c->request,
                      .token = c->token,
                      .priority = c->priority,
                      .created_ms = call->now_ms,
                      .phase = "",
                      .error = "",
                      .details = "{}",
                      .queue = c->queue.name,
                      .settings = c->made};
    if (!job->id)
        return sh_fail(err, SH_E_MEMORY, "no memory for a job");
    return sh_mcjob_insert(call->cloud->db, job, err);
}

static int make_texts(sh_call *call, creating *c)
{
    c->request = request_text(call, c);
    c->made = c->resolved ? json_dumps(c->resolved, JSON_COMPACT) : NULL;
    return !c->request || (c->resolved && !c->made) ? sh_out_done(call, SH_E_MEMORY) : 0;
}

static int create(sh_call *call, creating *c)
{
    sh_mcjob job;
    sh_err err = {0};
    int status = sh_db_begin(call->cloud->db, &err);
    if (status == 0)
        status = sh_db_end(call->cloud->db, insert(call, c, &job, &err), &err);
    if (status == SH_E_CONFLICT)
        return sh_call_fail(call, 409, "ConflictException", "%s", err.message);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    sh_cloud_wake(call->cloud, SH_WAKE_MCJOBS);
    status = sh_out_new(call);
    if (status < 0)
        return status;
    sh_put(&status, call->out, "job", sh_mc_job_json(call->cloud, &job));
    return sh_out_done(call, status);
}

int sh_mc_create_job(sh_call *call)
{
    creating c = {0};
    int status = read_call(call, &c);
    if (status == 0)
        status = make_texts(call, &c);
    if (status == 0)
        status = create(call, &c);
    json_decref(c.template);
    json_decref(c.settings);
    json_decref(c.resolved);
    free(c.request);
    free(c.made);
    return status;
}
