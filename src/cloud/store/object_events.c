/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events of objects, as EventBridge has them from S3. They are written to the outbox in the transaction of
 * the change, so that neither is without the other. */
#include "cloud/store/notices.h"
#include "cloud/store/object_rows.h"
#include "cloud/store/outbox.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

/* What each kind of change is called, what it was caused by if nobody says, and the kind of a deletion. */
static const struct {
    const char *type, *reason, *deletion;
} kinds[] = {
    [SH_CHANGE_CREATED] = {"Object Created", "PutObject", NULL},
    [SH_CHANGE_REMOVED] = {"Object Deleted", "DeleteObject", "Permanently Deleted"},
    [SH_CHANGE_MARKED] = {"Object Deleted", "DeleteObject", "Delete Marker Created"},
    [SH_CHANGE_TAGGED] = {"Object Tags Added", NULL, NULL},
    [SH_CHANGE_UNTAGGED] = {"Object Tags Deleted", NULL, NULL},
    [SH_CHANGE_ACL] = {"Object ACL Updated", NULL, NULL},
};

static void random_id(char id[37])
{
    unsigned char b[16] = {0};
    if (getrandom(b, sizeof(b), 0) != sizeof(b))
        abort(); /* an event id must not occur twice */
    b[6] = (unsigned char)((b[6] & 0x0F) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3F) | 0x80);
    for (int i = 0, at = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            id[at++] = '-';
        at += snprintf(id + at, 3, "%02x", b[i]);
    }
}

static json_t *event_object(const sh_object_change *c)
{
    char sequencer[32];
    json_t *object = json_pack("{s:s}", "key", c->key);
    snprintf(sequencer, sizeof(sequencer), "%018llX", (unsigned long long)c->sequence);
    if (c->kind == SH_CHANGE_CREATED)
        json_object_set_new(object, "size", json_integer(c->size));
    if (c->etag)
        json_object_set_new(object, "etag", json_string(c->etag));
    if (c->version_id)
        json_object_set_new(object, "version-id", json_string(c->version_id));
    if (c->sequence)
        json_object_set_new(object, "sequencer", json_string(sequencer));
    return object;
}

static json_t *event_detail(const sh_objects *objects, const sh_bucket *bucket, const sh_object_change *c,
                            const sh_object_cause *who)
{
    char request[37];
    const char *reason = who->reason ? who->reason : kinds[c->kind].reason;
    random_id(request);
    json_t *detail =
        json_pack("{s:s, s:{s:s}, s:o, s:s, s:s, s:s}", "version", "0", "bucket", "name", bucket->name,
                  "object", event_object(c), "request-id", who->request_id ? who->request_id : request,
                  "requester", who->requester ? who->requester : objects->account, "source-ip-address",
                  who->source_ip ? who->source_ip : "127.0.0.1");
    if (detail && kinds[c->kind].reason)
        json_object_set_new(detail, "reason", json_string(reason));
    if (detail && kinds[c->kind].deletion)
        json_object_set_new(detail, "deletion-type", json_string(kinds[c->kind].deletion));
    return detail;
}

static int to_eventbridge(const sh_objects *objects, const sh_bucket *bucket, const sh_object_change *c,
                          const sh_object_cause *who, sh_err *err)
{
    char id[37], time[SH_TIME_TEXT], arn[SH_BUCKET_NAME_MAX + 32];
    char *text = NULL;
    random_id(id);
    sh_time_iso_s(c->now_ms, time);
    snprintf(arn, sizeof(arn), "arn:aws:s3:::%s", bucket->name);
    json_t *event = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:[s], s:o}", "version", "0", "id", id,
                              "detail-type", kinds[c->kind].type, "source", "aws.s3", "account",
                              objects->account, "time", time, "region", objects->region, "resources", arn,
                              "detail", event_detail(objects, bucket, c, who));
    if (event)
        text = json_dumps(event, JSON_COMPACT);
    int status =
        text ? sh_outbox_add(objects->db, text, err)
             : sh_fail(err, SH_E_MEMORY, "no memory for the event of s3://%s/%s", bucket->name, c->key);
    free(text);
    json_decref(event);
    return status;
}

int sh_object_changed(const sh_objects *objects, const sh_bucket *bucket, const sh_object_change *change,
                      const sh_object_cause *cause, sh_err *err)
{
    static const sh_object_cause nobody = {0};
    sh_object_change told = *change;
    int status = 0;
    if (!bucket->eventbridge && !bucket->functions)
        return 0;
    if (told.kind == SH_CHANGE_REMOVED) /* a number above that of every write so far */
        status = sh_sequence_take(objects, &told.sequence, err);
    if (status == 0 && bucket->functions)
        status = sh_notices_add(objects, bucket, &told, cause, err);
    if (status == 0 && bucket->eventbridge)
        status = to_eventbridge(objects, bucket, &told, cause ? cause : &nobody, err);
    return status;
}
