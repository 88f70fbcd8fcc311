/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/notices.h"
#include "base/buf.h"
#include "cloud/store/buckets.h"
#include "cloud/store/outbox.h"
#include "cloud/store/schema.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char sh_schema_notices[] =
    "CREATE TABLE IF NOT EXISTS notices (id INTEGER PRIMARY KEY AUTOINCREMENT, function TEXT NOT NULL,"
    " event TEXT NOT NULL, created_ms INTEGER NOT NULL, trace TEXT);";

/* ---- what happened, as S3 names it ---- */

static const char *event_name(const sh_object_change *change, const sh_object_cause *cause)
{
    static const char *const created[][2] = {
        {"CopyObject", "ObjectCreated:Copy"},
        {"CompleteMultipartUpload", "ObjectCreated:CompleteMultipartUpload"},
        {"POST Object", "ObjectCreated:Post"},
    };
    const char *reason = cause && cause->reason ? cause->reason : "";
    bool aged = strcmp(reason, "Lifecycle Expiration") == 0;
    switch (change->kind) {
    case SH_CHANGE_CREATED:
        for (size_t i = 0; i < sizeof(created) / sizeof(created[0]); i++)
            if (strcmp(created[i][0], reason) == 0)
                return created[i][1];
        return "ObjectCreated:Put";
    case SH_CHANGE_REMOVED:
        return aged ? "LifecycleExpiration:Delete" : "ObjectRemoved:Delete";
    case SH_CHANGE_MARKED:
        return aged ? "LifecycleExpiration:DeleteMarkerCreated" : "ObjectRemoved:DeleteMarkerCreated";
    case SH_CHANGE_TAGGED:
        return "ObjectTagging:Put";
    case SH_CHANGE_UNTAGGED:
        return "ObjectTagging:Delete";
    case SH_CHANGE_ACL:
        return "ObjectAcl:Put";
    }
    return "";
}

/* "s3:ObjectCreated:*" or "s3:ObjectCreated:Put" */
static bool wants_event(const json_t *function, const char *name)
{
    const json_t *events = json_object_get(function, "events");
    for (size_t i = 0; i < json_array_size(events); i++) {
        const char *event = json_string_value(json_array_get(events, i));
        size_t length = event ? strlen(event) : 0;
        if (length < 4)
            continue;
        bool star = event[length - 1] == '*';
        if (star ? strncmp(event + 3, name, length - 4) == 0 : strcmp(event + 3, name) == 0)
            return true;
    }
    return false;
}

static bool wants_key(const json_t *function, const char *key)
{
    const char *prefix = json_string_value(json_object_get(function, "prefix"));
    const char *suffix = json_string_value(json_object_get(function, "suffix"));
    size_t length = strlen(key), tail = suffix ? strlen(suffix) : 0;
    return (!prefix || strncmp(key, prefix, strlen(prefix)) == 0) &&
           (!suffix || (length >= tail && strcmp(key + length - tail, suffix) == 0));
}

/* ---- the event ---- */

/* Keys stand in these events as in a form: percent-encoded, a blank is '+'. */
static json_t *form_text(const char *text)
{
    sh_buf out;
    sh_buf_init(&out, 4 * SH_OBJECT_KEY_MAX);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
            strchr("-._*/", *c))
            sh_buf_putc(&out, (char)*c);
        else if (*c == ' ')
            sh_buf_putc(&out, '+');
        else
            sh_buf_printf(&out, "%%%02X", *c);
    }
    json_t *json = out.failed ? NULL : json_string(sh_buf_cstr(&out));
    sh_buf_free(&out);
    return json;
}

static json_t *object_of(const sh_object_change *c)
{
    char sequencer[32];
    json_t *object = json_pack("{s:o}", "key", form_text(c->key));
    snprintf(sequencer, sizeof(sequencer), "%018llX", (unsigned long long)c->sequence);
    if (c->kind == SH_CHANGE_CREATED)
        json_object_set_new(object, "size", json_integer(c->size));
    if (c->etag)
        json_object_set_new(object, "eTag", json_string(c->etag));
    if (c->version_id)
        json_object_set_new(object, "versionId", json_string(c->version_id));
    if (c->sequence)
        json_object_set_new(object, "sequencer", json_string(sequencer));
    return object;
}

static char *event_text(const sh_objects *objects, const sh_bucket *bucket, const sh_object_change *c,
                        const sh_object_cause *cause, const char *name, const char *id)
{
    char time[SH_TIME_TEXT], arn[SH_BUCKET_NAME_MAX + 32];
    static const sh_object_cause nobody = {0};
    const sh_object_cause *who = cause ? cause : &nobody;
    const char *request = who->request_id ? who->request_id : "";
    sh_time_iso_ms(c->now_ms, time);
    snprintf(arn, sizeof(arn), "arn:aws:s3:::%s", bucket->name);
    json_t *s3 = json_pack("{s:s, s:s, s:{s:s, s:{s:s}, s:s}, s:o}", "s3SchemaVersion", "1.0",
                           "configurationId", id, "bucket", "name", bucket->name, "ownerIdentity",
                           "principalId", objects->account, "arn", arn, "object", object_of(c));
    json_t *event = json_pack(
        "{s:[{s:s, s:s, s:s, s:s, s:s, s:{s:s}, s:{s:s}, s:{s:s, s:s}, s:o}]}", "Records", "eventVersion",
        "2.1", "eventSource", "aws:s3", "awsRegion", bucket->region, "eventTime", time, "eventName", name,
        "userIdentity", "principalId", who->requester ? who->requester : objects->account,
        "requestParameters", "sourceIPAddress", who->source_ip ? who->source_ip : "127.0.0.1",
        "responseElements", "x-amz-request-id", request, "x-amz-id-2", request, "s3", s3);
    char *text = event ? json_dumps(event, JSON_COMPACT) : NULL;
    json_decref(event);
    return text;
}

static int add_notice(const sh_objects *objects, const char *function, const char *text, int64_t now_ms,
                      sh_err *err)
{
    int status = sh_db_run(objects->db, err,
                           "INSERT INTO notices (function, event, created_ms, trace) VALUES (?1, ?2, ?3, ?4)",
                           "ssis", function, text, now_ms, sh_trace());
    if (status < 0)
        return status;
    return sh_db_run(objects->db, err, "DELETE FROM notices WHERE id <= ?1", "i",
                     sh_db_last_id(objects->db) - SH_NOTICES_MAX);
}

static int take_kind(void *opaque, const char *name, const char *value, int64_t modified_ms)
{
    (void)modified_ms;
    if (strcmp(name, "notification") == 0)
        *(json_t **)opaque = json_loads(value, 0, NULL);
    return 0;
}

int sh_notices_add(const sh_objects *objects, const sh_bucket *bucket, const sh_object_change *change,
                   const sh_object_cause *cause, sh_err *err)
{
    json_t *root = NULL;
    const char *name = event_name(change, cause);
    int status = sh_bucket_config_each(objects, bucket->name, take_kind, &root, err);
    const json_t *functions = json_object_get(root, "functions");
    for (size_t i = 0; status == 0 && i < json_array_size(functions); i++) {
        const json_t *function = json_array_get(functions, i);
        const char *arn = json_string_value(json_object_get(function, "arn"));
        const char *id = json_string_value(json_object_get(function, "id"));
        if (!arn || !id || !wants_event(function, name) || !wants_key(function, change->key))
            continue;
        char *text = event_text(objects, bucket, change, cause, name, id);
        status = text ? add_notice(objects, arn, text, change->now_ms, err)
                      : sh_fail(err, SH_E_MEMORY, "no memory for a notification of bucket %s", bucket->name);
        free(text);
    }
    json_decref(root);
    return status;
}

/* ---- rows ---- */

typedef struct notice_walk {
    sh_notice_fn fn;
    void *opaque;
} notice_walk;

static int walk_notice(void *opaque, const sh_row *row)
{
    notice_walk *walk = opaque;
    const sh_notice notice = {.id = sh_row_int(row, 0),
                              .function = sh_row_text(row, 1),
                              .event = sh_row_text(row, 2),
                              .created_ms = sh_row_int(row, 3),
                              .trace = sh_row_text(row, 4)};
    return walk->fn(walk->opaque, &notice);
}

int sh_notices_list(sh_db *db, int64_t limit, sh_notice_fn fn, void *opaque, sh_err *err)
{
    notice_walk walk = {fn, opaque};
    return sh_db_each(db, err,
                      "SELECT id, function, event, created_ms, trace FROM notices ORDER BY id LIMIT ?1",
                      walk_notice, &walk, "i", limit);
}

int sh_notices_remove(sh_db *db, int64_t id, sh_err *err)
{
    return sh_db_run(db, err, "DELETE FROM notices WHERE id = ?1", "i", id);
}
