/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The shapes of MediaConvert: names, jobs, events. */
#include "base/size.h"
#include "cloud/api/args.h"
#include "cloud/api/keys.h"
#include "cloud/api/mediaconvert.h"
#include "cloud/store/flows.h"
#include "cloud/store/outbox.h"

#include <stdlib.h>
#include <string.h>

char *sh_mc_arn(const sh_cloud *cloud, sh_arena *arena, const char *kind, const char *name)
{
    return sh_arena_printf(arena, "arn:aws:mediaconvert:%s:%s:%s/%s", cloud->settings.region,
                           cloud->settings.account, kind, name);
}

static json_t *arn_json(const sh_cloud *cloud, const char *kind, const char *name)
{
    return json_sprintf("arn:aws:mediaconvert:%s:%s:%s/%s", cloud->settings.region, cloud->settings.account,
                        kind, name);
}

static void put_timing(int *status, json_t *json, const sh_mcjob *job)
{
    json_t *timing = json_object();
    sh_put_date(status, timing, "submitTime", job->created_ms);
    if (job->started_ms)
        sh_put_date(status, timing, "startTime", job->started_ms);
    if (job->finished_ms)
        sh_put_date(status, timing, "finishTime", job->finished_ms);
    sh_put(status, json, "timing", timing);
}

static void put_progress(int *status, json_t *json, const sh_mcjob *job)
{
    bool running = strcmp(job->status, "PROGRESSING") == 0;
    if (running && *job->phase)
        sh_put_text(status, json, "currentPhase", job->phase);
    if (running || strcmp(job->status, "COMPLETE") == 0)
        sh_put(status, json, "jobPercentComplete", json_integer(job->percent));
    if (strcmp(job->status, "ERROR") == 0) {
        sh_put(status, json, "errorCode", json_integer(job->error_code));
        sh_put_text(status, json, "errorMessage", job->error);
    }
}

/* What the worker found: details go to the job, warnings to its messages. */
static void put_details(int *status, json_t *json, const sh_mcjob *job)
{
    json_t *details = json_loads(job->details, 0, NULL);
    const json_t *groups = json_object_get(details, "outputGroupDetails");
    const json_t *warnings = json_object_get(details, "warnings");
    if (groups)
        sh_put(status, json, "outputGroupDetails", json_deep_copy(groups));
    sh_put(status, json, "messages",
           json_pack("{s:[], s:o}", "info", "warning", warnings ? json_deep_copy(warnings) : json_array()));
    json_decref(details);
}

json_t *sh_mc_job_json(const sh_cloud *cloud, const sh_mcjob *job)
{
    int status = 0;
    json_t *json = json_loads(job->request, 0, NULL);
    json_object_del(json, "tags"); /* of the resource, not of its description */
    sh_put(&status, json, "arn", arn_json(cloud, "jobs", job->id));
    sh_put_text(&status, json, "id", job->id);
    sh_put_text(&status, json, "status", job->status);
    sh_put_date(&status, json, "createdAt", job->created_ms);
    sh_put(&status, json, "priority", json_integer(job->priority));
    sh_put_text(&status, json, "accelerationStatus", "NOT_APPLICABLE");
    sh_put(&status, json, "retryCount", json_integer(0));
    if (job->token)
        sh_put_text(&status, json, "clientRequestToken", job->token);
    put_timing(&status, json, job);
    put_progress(&status, json, job);
    put_details(&status, json, job);
    if (status < 0) {
        json_decref(json);
        return NULL;
    }
    return json;
}

static void put_event_detail(int *status, json_t *detail, const sh_cloud *cloud, const sh_mcjob *job,
                             int64_t now_ms)
{
    json_t *request = json_loads(job->request, 0, NULL);
    json_t *details = json_loads(job->details, 0, NULL);
    const json_t *queue = json_object_get(request, "queue");
    const json_t *metadata = json_object_get(request, "userMetadata");
    const json_t *groups = json_object_get(details, "eventGroupDetails");
    sh_put(status, detail, "timestamp", json_integer(now_ms));
    sh_put_text(status, detail, "accountId", cloud->settings.account);
    sh_put(status, detail, "queue", json_deep_copy(queue));
    sh_put_text(status, detail, "jobId", job->id);
    sh_put_text(status, detail, "status", job->status);
    sh_put(status, detail, "userMetadata", metadata ? json_deep_copy(metadata) : json_object());
    if (strcmp(job->status, "ERROR") == 0) {
        sh_put(status, detail, "errorCode", json_integer(job->error_code));
        sh_put_text(status, detail, "errorMessage", job->error);
    }
    if (strcmp(job->status, "COMPLETE") == 0 && groups)
        sh_put(status, detail, "outputGroupDetails", json_deep_copy(groups));
    json_decref(request);
    json_decref(details);
}

static json_t *phase_json(const sh_mcjob *job, const char *name, int order, int current)
{
    const char *status = order < current ? "COMPLETE" : order > current ? "PENDING" : "PROGRESSING";
    int64_t percent = order < current ? 100 : order > current ? 0 : job->percent;
    return json_pack("{s:s, s:I}", "status", status, "percentComplete", (json_int_t)percent);
}

/* "STATUS_UPDATE" in place of the job's status, and how far it is. */
static void put_job_progress(int *status, json_t *detail, const sh_mcjob *job)
{
    static const char *const names[] = {"PROBING", "TRANSCODING", "UPLOADING"};
    json_t *phases = json_object(), *progress = json_object();
    int current = 0;
    for (int i = 0; i < 3; i++)
        current = strcmp(job->phase, names[i]) == 0 ? i : current;
    for (int i = 0; i < 3; i++)
        sh_put(status, phases, names[i], phase_json(job, names[i], i, current));
    sh_put(status, progress, "phaseProgress", phases);
    sh_put(status, progress, "jobPercentComplete", json_integer(job->percent));
    sh_put_text(status, progress, "currentPhase", names[current]);
    sh_put(status, progress, "retryCount", json_integer(0));
    sh_put_text(status, detail, "status", "STATUS_UPDATE");
    sh_put(status, detail, "jobProgress", progress);
}

static char *event_text(const sh_cloud *cloud, const sh_mcjob *job, bool progress, int64_t now_ms)
{
    char id[SH_UUID_TEXT], time[SH_TIME_TEXT];
    int status = 0;
    json_t *event = json_object(), *detail = json_object();
    sh_uuid(id);
    sh_time_iso_s(now_ms, time);
    sh_put_text(&status, event, "version", "0");
    sh_put_text(&status, event, "id", id);
    sh_put_text(&status, event, "detail-type", "MediaConvert Job State Change");
    sh_put_text(&status, event, "source", "aws.mediaconvert");
    sh_put_text(&status, event, "account", cloud->settings.account);
    sh_put_text(&status, event, "time", time);
    sh_put_text(&status, event, "region", cloud->settings.region);
    sh_put(&status, event, "resources", json_pack("[o]", arn_json(cloud, "jobs", job->id)));
    put_event_detail(&status, detail, cloud, job, now_ms);
    if (progress)
        put_job_progress(&status, detail, job);
    sh_put(&status, event, "detail", detail);
    char *text = status < 0 ? NULL : json_dumps(event, JSON_COMPACT);
    json_decref(event);
    return text;
}

static int add_event(const sh_cloud *cloud, const sh_mcjob *job, bool progress, int64_t now_ms, sh_err *err)
{
    char *event = event_text(cloud, job, progress, now_ms);
    if (!event)
        return sh_fail(err, SH_E_MEMORY, "no memory for the event of job %s", job->id);
    int status = sh_outbox_add(cloud->db, event, err);
    free(event);
    return status;
}

int sh_mc_announce_progress(const sh_cloud *cloud, const sh_mcjob *job, int64_t now_ms, sh_err *err)
{
    return add_event(cloud, job, true, now_ms, err);
}

int64_t sh_mc_update_interval_s(const sh_mcjob *job)
{
    json_t *request = json_loads(job->request, 0, NULL);
    const char *text = json_string_value(json_object_get(request, "statusUpdateInterval"));
    int64_t seconds = 60;
    if (text && strncmp(text, "SECONDS_", 8) == 0 &&
        !sh_parse_i64(text + 8, strlen(text + 8), 10, 600, &seconds))
        seconds = 60;
    json_decref(request);
    return seconds;
}

int sh_mc_announce(const sh_cloud *cloud, const sh_mcjob *job, int64_t now_ms, sh_err *err)
{
    int status = add_event(cloud, job, false, now_ms, err);
    if (status == 0 && job->finished_ms)
        status = sh_wait_notify(cloud->db, "mediaconvert", job->id, now_ms, err);
    return status;
}
