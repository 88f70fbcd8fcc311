/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The runner of lifecycles. It looks at all buckets that have one at the start, at each midnight UTC (rules
 * count whole days) and when a lifecycle is put. Everything it does is found again by the same look, so a
 * crash costs nothing. */
#include "base/buf.h"
#include "base/log.h"
#include "cloud/api/front.h"
#include "cloud/api/s3_lifecycle.h"
#include "cloud/api/s3_rules.h"
#include "cloud/store/buckets.h"
#include "cloud/store/multipart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 500, UPLOADS = 1000, LONGEST_WAIT_MS = 3600 * 1000, RETRY_MS = 60 * 1000 };
#define DAY_MS ((int64_t)24 * 3600 * 1000)

static const sh_object_cause lifecycle_cause = {.reason = "Lifecycle Expiration",
                                                .requester = "s3.amazonaws.com"};

typedef int (*expire_fn)(const sh_objects *objects, sh_expiry *expiry, const sh_object_cause *cause,
                         sh_err *err);

typedef struct work {
    sh_cloud *cloud;
    sh_objects objects;
    const char *bucket;
    int64_t now_ms;
    int64_t deleted;
} work;

/* What was made up to here is due after `days` by now. */
static int64_t made_before(int64_t now_ms, int64_t days)
{
    return now_ms / DAY_MS * DAY_MS - days * DAY_MS + 1;
}

static int expire(work *w, const sh_lifecycle_rule *rule, expire_fn fn, int64_t before_ms, sh_err *err)
{
    int status = 0;
    sh_expiry expiry = {.bucket = w->bucket,
                        .prefix = rule->prefix,
                        .tags = rule->tags,
                        .larger_than = rule->larger_than,
                        .smaller_than = rule->smaller_than,
                        .before_ms = before_ms,
                        .keep = rule->old_keep,
                        .limit = BATCH};
    while (status == 0 && !expiry.done && !sh_cloud_stopping(w->cloud))
        status = fn(&w->objects, &expiry, &lifecycle_cause, err);
    w->deleted += expiry.deleted;
    return status;
}

static int end_uploads(work *w, const sh_lifecycle_rule *rule, sh_err *err)
{
    int status = 0;
    size_t count = UPLOADS;
    int64_t before_ms = made_before(w->now_ms, rule->upload_days);
    char key[SH_OBJECT_KEY_MAX + 1] = "", id[SH_UPLOAD_ID_MAX] = "";
    while (status == 0 && count == UPLOADS && !sh_cloud_stopping(w->cloud)) {
        sh_upload *uploads;
        sh_arena *arena = sh_arena_new((size_t)64 << 20);
        if (!arena)
            return sh_fail(err, SH_E_MEMORY, "no memory for the uploads of %s", w->bucket);
        status = sh_uploads_list(&w->objects, w->bucket, rule->prefix, key, id, UPLOADS, arena, &uploads,
                                 &count, err);
        for (size_t i = 0; status == 0 && i < count; i++)
            if (uploads[i].created_ms < before_ms) {
                status = sh_upload_abort(&w->objects, uploads[i].id, err);
                status = status == SH_E_NOT_FOUND ? 0 : status; /* it ended meanwhile */
                w->deleted++;
            }
        if (status == 0 && count > 0) {
            snprintf(key, sizeof(key), "%s", uploads[count - 1].key);
            snprintf(id, sizeof(id), "%s", uploads[count - 1].id);
        }
        sh_arena_free(arena);
    }
    return status;
}

static int apply_rule(work *w, const sh_lifecycle_rule *rule, sh_err *err)
{
    int status = 0;
    if (!rule->enabled)
        return 0;
    if (rule->days) {
        status = expire(w, rule, sh_objects_expire, made_before(w->now_ms, rule->days), err);
        if (status == 0 && !rule->tags)
            status = expire(w, rule, sh_objects_expire_markers, made_before(w->now_ms, rule->days), err);
    }
    if (status == 0 && rule->date_ms >= 0 && rule->date_ms <= w->now_ms)
        status = expire(w, rule, sh_objects_expire, INT64_MAX, err);
    if (status == 0 && rule->old_days)
        status = expire(w, rule, sh_objects_expire_noncurrent, made_before(w->now_ms, rule->old_days), err);
    if (status == 0 && rule->markers)
        status = expire(w, rule, sh_objects_expire_markers, INT64_MAX, err);
    if (status == 0 && rule->upload_days)
        status = end_uploads(w, rule, err);
    return status;
}

static int apply(work *w, sh_err *err)
{
    const sh_bucket_rules *rules;
    int status = sh_bucket_rules_get(w->cloud, w->bucket, &rules, err);
    if (status < 0)
        return status;
    for (size_t i = 0; status == 0 && rules->lifecycle && i < rules->lifecycle->count; i++)
        status = apply_rule(w, &rules->lifecycle->rules[i], err);
    sh_bucket_rules_release(rules);
    return status;
}

static int take_name(void *opaque, const char *name, const char *value, int64_t modified_ms)
{
    (void)value, (void)modified_ms;
    return sh_buf_append(opaque, name, strlen(name) + 1);
}

int sh_lifecycle_pump(sh_cloud *cloud, int64_t *next_ms, sh_err *err)
{
    sh_buf names;
    work w = {.cloud = cloud, .objects = sh_cloud_objects(cloud), .now_ms = sh_now_ms(cloud->clock)};
    sh_buf_init(&names, 64 << 20);
    *next_ms = (w.now_ms / DAY_MS + 1) * DAY_MS;
    int status = sh_bucket_config_with(&w.objects, "lifecycle", take_name, &names, err);
    for (size_t at = 0; status == 0 && at < names.length; at += strlen(names.data + at) + 1) {
        w.bucket = names.data + at;
        status = apply(&w, err);
        if (status == SH_E_NOT_FOUND) /* the bucket is gone */
            status = 0;
    }
    sh_buf_free(&names);
    if (w.deleted) {
        sh_log(SH_LOG_INFO, "s3", "lifecycle rules ended %lld objects, versions and uploads",
               (long long)w.deleted);
        sh_cloud_wake(cloud, SH_WAKE_NOTICES);
    }
    return status;
}

int sh_lifecycle_run(sh_cloud *cloud)
{
    int64_t next_ms, wait_ms;
    do {
        sh_err err = {0};
        if (sh_lifecycle_pump(cloud, &next_ms, &err) < 0) {
            sh_log(SH_LOG_ERROR, "s3", "lifecycle: %s", err.message);
            wait_ms = RETRY_MS;
        } else {
            wait_ms = next_ms - sh_now_ms(cloud->clock);
        }
        if (wait_ms > LONGEST_WAIT_MS) /* the clock may be set */
            wait_ms = LONGEST_WAIT_MS;
        if (wait_ms < 0)
            wait_ms = 0;
    } while (sh_cloud_wait(cloud, SH_WAKE_LIFECYCLE, sh_monotonic_us() / 1000 + wait_ms));
    return 0;
}
