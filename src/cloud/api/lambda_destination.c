/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Destinations of asynchronous invocations: the record that AWS makes of how one ended goes to a function, an
 * event bus, or (on failure) into a bucket, under the function's role. */
#include "base/log.h"
#include "cloud/api/authorize.h"
#include "cloud/api/front.h"
#include "cloud/api/iam.h"
#include "cloud/api/keys.h"
#include "cloud/api/lambda_inner.h"
#include "cloud/api/s3_authorize.h"
#include "cloud/store/outbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct delivery {
    sh_cloud *cloud;
    sh_arena *arena;
    const sh_fn_ended *ended;
    const char *arn; /* of the destination */
    bool good;
    sh_caller session;
    json_t *record;
} delivery;

static json_t *parsed(const void *bytes, size_t length)
{
    json_t *json = length ? json_loadb(bytes, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;
    return json ? json : json_null();
}

static const char *function_arn(const delivery *d)
{
    const sh_fn_queued *item = d->ended->item;
    const char *qualifier = item->qualifier[0] ? item->qualifier : SH_FN_LATEST;
    return sh_fn_arn(d->cloud, d->arena, item->name, qualifier);
}

static json_t *make_record(const delivery *d)
{
    char time[SH_TIME_TEXT];
    const sh_fn_queued *item = d->ended->item;
    const sh_lambda_result *result = d->ended->result;
    const char *arn = function_arn(d);
    sh_time_iso_ms(sh_now_ms(d->cloud->clock), time);
    json_t *record =
        json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:I}, s:o}", "version", "1.0", "timestamp", time,
                  "requestContext", "requestId", item->request_id, "functionArn", arn ? arn : "", "condition",
                  d->ended->condition, "approximateInvokeCount", (json_int_t)item->attempts, "requestPayload",
                  parsed(item->payload, item->length));
    if (record && result) {
        json_t *context = json_pack("{s:i, s:s}", "statusCode", 200, "executedVersion",
                                    d->ended->version ? d->ended->version : SH_FN_LATEST);
        if (result->function_error)
            json_object_set_new(context, "functionError", json_string(result->function_error));
        json_object_set_new(record, "responseContext", context);
        json_object_set_new(record, "responsePayload", parsed(result->payload, result->length));
    }
    return record;
}

static int may(delivery *d, const char *action, sh_err *err)
{
    const char *sentence = "";
    const sh_asked asked = {.action = action, .resource = d->arn};
    int status = sh_authorize(d->cloud, &d->session, &asked, d->arena, &sentence, err);
    return status == SH_E_DENIED ? sh_fail(err, status, "%s", sentence) : status;
}

static int to_bus(delivery *d, sh_err *err)
{
    char id[SH_UUID_TEXT], time[SH_TIME_TEXT];
    const sh_cloud_settings *s = &d->cloud->settings;
    int status = may(d, "events:PutEvents", err);
    if (status < 0)
        return status;
    sh_uuid(id);
    sh_time_iso_s(sh_now_ms(d->cloud->clock), time);
    const char *arn = function_arn(d);
    json_t *event = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:[s, s], s:O}", "version", "0", "id", id,
                              "detail-type",
                              d->good ? "Lambda Function Invocation Result - Success"
                                      : "Lambda Function Invocation Result - Failure",
                              "source", "lambda", "account", s->account, "time", time, "region", s->region,
                              "resources", d->arn, arn ? arn : "", "detail", d->record);
    char *text = event ? json_dumps(event, JSON_COMPACT) : NULL;
    status =
        text ? sh_outbox_add(d->cloud->db, text, err) : sh_fail(err, SH_E_MEMORY, "no memory for an event");
    free(text);
    json_decref(event);
    return status;
}

static int to_function(delivery *d, const char *text, sh_err *err)
{
    sh_aws_error error = {0};
    json_t *context = json_loads(d->ended->item->context, 0, NULL);
    const sh_lambda_event e = {.function = d->arn,
                               .caller = &d->session,
                               .payload = text,
                               .length = strlen(text),
                               .trace = json_string_value(json_object_get(context, "trace"))};
    int status = sh_lambda_send_event(d->cloud, &e, d->arena, &error, err);
    json_decref(context);
    return status == SH_E_ARGUMENT ? sh_fail(err, status, "%s: %s", error.code, error.message) : status;
}

/* aws/lambda/async/NAME/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-ID, as AWS names it. */
static int to_bucket(delivery *d, const char *text, sh_err *err)
{
    char time[SH_TIME_TEXT], id[SH_UUID_TEXT];
    const char *sentence = "", *bucket = d->arn + strlen("arn:aws:s3:::");
    sh_objects objects = sh_cloud_objects(d->cloud);
    const sh_object_cause cause = {.reason = "PutObject", .requester = "lambda.amazonaws.com"};
    sh_uuid(id);
    sh_time_iso_s(sh_now_ms(d->cloud->clock), time);
    const char *key = sh_arena_printf(d->arena, "aws/lambda/async/%s/%.4s/%.2s/%.2s/%.10sT%.2s.%.2s.%.2s-%s",
                                      d->ended->item->name, time, time + 5, time + 8, time, time + 11,
                                      time + 14, time + 17, id);
    if (!key)
        return sh_fail(err, SH_E_MEMORY, "no memory for a key");
    int status = sh_s3_permit(d->cloud, &d->session, "s3:PutObject", bucket, key, d->arena, &sentence, err);
    if (status == SH_E_DENIED)
        return sh_fail(err, status, "%s", sentence);
    const sh_object_new object = {.bucket = bucket,
                                  .key = key,
                                  .bytes = text,
                                  .length = strlen(text),
                                  .content_type = "application/json"};
    return status < 0 ? status : sh_objects_publish(&objects, &object, 1, &cause, err);
}

static int deliver(delivery *d, sh_err *err)
{
    const sh_iam_taking taking = {.role_arn = d->ended->role ? d->ended->role : "",
                                  .service = "lambda.amazonaws.com",
                                  .session_name = d->ended->item->name};
    int status = sh_caller_by_role(d->cloud, &taking, d->arena, &d->session, err);
    if (status < 0)
        return status;
    d->record = make_record(d);
    char *text = d->record ? json_dumps(d->record, JSON_COMPACT) : NULL;
    if (!text)
        status = sh_fail(err, SH_E_MEMORY, "no memory for a record");
    else if (sh_lambda_is_arn(d->cloud, d->arn))
        status = to_function(d, text, err);
    else if (strncmp(d->arn, "arn:aws:s3:::", 13) == 0)
        status = to_bucket(d, text, err);
    else
        status = to_bus(d, err);
    free(text);
    json_decref(d->record);
    return status;
}

int sh_fn_destine(sh_cloud *cloud, const sh_fn_ended *ended, const sh_fn_rules *rules, sh_err *err)
{
    sh_err why = {0};
    bool good = strcmp(ended->condition, "Success") == 0;
    delivery d = {
        .cloud = cloud, .ended = ended, .arn = good ? rules->on_success : rules->on_failure, .good = good};
    if (!d.arn || !*d.arn)
        return 0;
    d.arena = sh_arena_new((size_t)64 << 20);
    int status = d.arena ? deliver(&d, &why) : sh_fail(&why, SH_E_MEMORY, "no memory for a record");
    sh_arena_free(d.arena);
    if (status == SH_E_FULL || status == SH_E_IO)
        return sh_fail(err, status, "%s", why.message);
    if (status < 0)
        sh_log(SH_LOG_ERROR, "lambda", "the record of request %s cannot go to %s: %s",
               ended->item->request_id, d.arn, why.message);
    return 0;
}
