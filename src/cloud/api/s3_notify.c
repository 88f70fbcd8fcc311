/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Notifications of buckets: to EventBridge as a whole, and to functions of Lambda by event and key. Topics
 * and queues are none of this server's, so a configuration with one is refused as AWS refuses one that it
 * cannot reach. What is kept is JSON (store/notices.h), because the store matches it with each change. */
#include "cloud/api/lambda.h"
#include "cloud/api/s3_config.h"
#include "cloud/store/notices.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

enum { FUNCTIONS_MAX = 100, FILTER_MAX = 1024 };

/* ---- checking ---- */

static bool bad(sh_s3 *s3, const char *message)
{
    sh_s3_fail(s3, 400, "InvalidArgument", "%s", message);
    return false;
}

static bool event_known(const char *event)
{
    static const char *const known[] = {
        "s3:ObjectCreated:*",
        "s3:ObjectCreated:Put",
        "s3:ObjectCreated:Post",
        "s3:ObjectCreated:Copy",
        "s3:ObjectCreated:CompleteMultipartUpload",
        "s3:ObjectRemoved:*",
        "s3:ObjectRemoved:Delete",
        "s3:ObjectRemoved:DeleteMarkerCreated",
        "s3:ObjectTagging:*",
        "s3:ObjectTagging:Put",
        "s3:ObjectTagging:Delete",
        "s3:ObjectAcl:Put",
        "s3:LifecycleExpiration:*",
        "s3:LifecycleExpiration:Delete",
        "s3:LifecycleExpiration:DeleteMarkerCreated",
        /* these never happen here */
        "s3:ReducedRedundancyLostObject",
        "s3:ObjectRestore:*",
        "s3:ObjectRestore:Post",
        "s3:ObjectRestore:Completed",
        "s3:ObjectRestore:Delete",
        "s3:Replication:*",
        "s3:Replication:OperationFailedReplication",
        "s3:Replication:OperationMissedThreshold",
        "s3:Replication:OperationReplicatedAfterThreshold",
        "s3:Replication:OperationNotTracked",
        "s3:LifecycleTransition",
        "s3:IntelligentTiering",
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(known[i], event) == 0)
            return true;
    return false;
}

/* arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER] */
static bool function_arn_good(const sh_s3 *s3, const char *arn)
{
    const char *start =
        sh_arena_printf(s3->arena, "arn:aws:lambda:%s:%s:function:", s3->objects.region, s3->objects.account);
    size_t length = start ? strlen(start) : 0;
    const char *name = arn + length;
    return start && strncmp(arn, start, length) == 0 && *name &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_$:") == strlen(name);
}

static bool read_rule(sh_s3 *s3, const sh_xml *rule, json_t *function)
{
    const char *name = sh_xml_text(rule, "Name"), *value = sh_xml_text(rule, "Value");
    bool suffix = name && strcasecmp(name, "suffix") == 0;
    if (!name || !value) {
        sh_s3_malformed(s3, "a <FilterRule> has a <Name> and a <Value>");
        return false;
    }
    if (!suffix && strcasecmp(name, "prefix") != 0)
        return bad(s3, "filter rule name must be either prefix or suffix");
    if (strlen(value) > FILTER_MAX)
        return bad(s3, "Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation");
    if (json_object_get(function, suffix ? "suffix" : "prefix"))
        return bad(s3, suffix ? "Cannot specify more than one suffix rule in a filter."
                              : "Cannot specify more than one prefix rule in a filter.");
    json_object_set_new(function, suffix ? "suffix" : "prefix", json_string(value));
    return true;
}

static bool read_filter(sh_s3 *s3, const sh_xml *node, json_t *function)
{
    const sh_xml *key = sh_xml_child(sh_xml_child(node, "Filter"), "S3Key");
    for (const sh_xml *rule = sh_xml_child(key, "FilterRule"); rule; rule = sh_xml_next(rule, "FilterRule"))
        if (!read_rule(s3, rule, function))
            return false;
    return true;
}

static bool read_events(sh_s3 *s3, const sh_xml *node, json_t *function)
{
    json_t *events = json_array();
    json_object_set_new(function, "events", events);
    for (const sh_xml *at = sh_xml_child(node, "Event"); at; at = sh_xml_next(at, "Event")) {
        if (!event_known(at->text)) {
            sh_s3_bad_argument(s3, "Event", at->text, "A specified event is not supported for notifications");
            return false;
        }
        json_array_append_new(events, json_string(at->text));
    }
    if (json_array_size(events) == 0) {
        sh_s3_malformed(s3, "a configuration has an <Event>");
        return false;
    }
    return true;
}

static bool read_function(sh_s3 *s3, const sh_xml *node, json_t *functions)
{
    static const char *const parts[] = {"Id", "CloudFunction", "LambdaFunctionArn", "Event", "Filter", NULL};
    uint64_t bits[2] = {0};
    const char *id = sh_xml_text(node, "Id");
    const char *arn = sh_xml_text(node, "CloudFunction");
    json_t *function = json_object();
    json_array_append_new(functions, function);
    if (!sh_s3_only_children(s3, node, parts))
        return false;
    if (!arn)
        arn = sh_xml_text(node, "LambdaFunctionArn");
    if (!arn) {
        sh_s3_malformed(s3, "a <CloudFunctionConfiguration> has a <CloudFunction>");
        return false;
    }
    if (!function_arn_good(s3, arn)) {
        sh_s3_bad_argument(s3, "CloudFunction", arn,
                           strncmp(arn, "arn:", 4) == 0
                               ? "Unable to validate the following destination configurations"
                               : "The ARN could not be parsed");
        return false;
    }
    if ((!id || !*id) && getrandom(bits, sizeof(bits), 0) == sizeof(bits))
        id = sh_arena_printf(s3->arena, "%016llx%016llx", (unsigned long long)bits[0],
                             (unsigned long long)bits[1]);
    if (!id || strlen(id) > 255)
        return bad(s3, "The Id of a configuration has at most 255 characters");
    json_object_set_new(function, "id", json_string(id));
    json_object_set_new(function, "arn", json_string(arn));
    return read_events(s3, node, function) && read_filter(s3, node, function);
}

/* ---- overlaps: one change must not go to two functions ---- */

static bool share_event(const json_t *a, const json_t *b)
{
    const json_t *left = json_object_get(a, "events"), *right = json_object_get(b, "events");
    for (size_t i = 0; i < json_array_size(left); i++)
        for (size_t j = 0; j < json_array_size(right); j++) {
            const char *one = json_string_value(json_array_get(left, i));
            const char *two = json_string_value(json_array_get(right, j));
            if (strcmp(one, two) == 0 || sh_policy_glob(one, two, false) || sh_policy_glob(two, one, false))
                return true;
        }
    return false;
}

static const char *text_of(const json_t *function, const char *name)
{
    const char *text = json_string_value(json_object_get(function, name));
    return text ? text : "";
}

static bool share_start(const char *a, const char *b)
{
    size_t left = strlen(a), right = strlen(b);
    return strncmp(a, b, left < right ? left : right) == 0;
}

static bool share_end(const char *a, const char *b)
{
    size_t left = strlen(a), right = strlen(b), less = left < right ? left : right;
    return strcmp(a + left - less, b + right - less) == 0;
}

static bool overlaps_good(sh_s3 *s3, const json_t *functions)
{
    for (size_t i = 0; i < json_array_size(functions); i++)
        for (size_t j = i + 1; j < json_array_size(functions); j++) {
            const json_t *a = json_array_get(functions, i), *b = json_array_get(functions, j);
            if (strcmp(text_of(a, "id"), text_of(b, "id")) == 0)
                return bad(s3, "Same ID used for multiple configurations. IDs must be unique");
            if (share_event(a, b) && share_start(text_of(a, "prefix"), text_of(b, "prefix")) &&
                share_end(text_of(a, "suffix"), text_of(b, "suffix")))
                return bad(s3,
                           "Configuration is ambiguously defined. Cannot have overlapping suffixes in two "
                           "rules if the prefixes are overlapping for the same event type.");
        }
    return true;
}

/* ---- destinations ---- */

/* The function has to be there, and to let this bucket invoke it. */
static bool destination_good(sh_s3 *s3, const char *function)
{
    sh_err err = {0};
    sh_aws_error error = {0};
    const sh_lambda_event event = {.function = function,
                                   .service = "s3.amazonaws.com",
                                   .source_arn = sh_arena_printf(s3->arena, "arn:aws:s3:::%s", s3->bucket)};
    int status = sh_lambda_may_send(s3->cloud, &event, s3->arena, &error, &err);
    if (status == 0)
        return true;
    if (status != SH_E_ARGUMENT) {
        sh_s3_fail_store(s3, &err);
        return false;
    }
    const char *why = error.http_status == 404 ? "The destination Lambda function does not exist"
                                               : "Not authorized to invoke function";
    const char *value = sh_arena_printf(s3->arena, "%s [%s]", why, function);
    const sh_s3_detail details[] = {{"ArgumentName1", function}, {"ArgumentValue1", value}};
    sh_s3_fail_with(s3, 400, "InvalidArgument", details, 2, "%s",
                    "Unable to validate the following destination configurations");
    return false;
}

static bool destinations_good(sh_s3 *s3, const json_t *functions)
{
    const char *skip = sh_http_field_get(s3->head, "x-amz-skip-destination-validation");
    bool good = true;
    for (size_t i = 0; good && !(skip && strcasecmp(skip, "true") == 0) && i < json_array_size(functions);
         i++)
        good = destination_good(s3, text_of(json_array_get(functions, i), "arn"));
    return good;
}

/* ---- operations ---- */

static bool read_part(sh_s3 *s3, const sh_xml *node, json_t *root)
{
    json_t *functions = json_object_get(root, "functions");
    if (strcmp(node->name, "EventBridgeConfiguration") == 0) {
        json_object_set_new(root, "eventbridge", json_true());
        return true;
    }
    if (strcmp(node->name, "CloudFunctionConfiguration") == 0 ||
        strcmp(node->name, "LambdaFunctionConfiguration") == 0) {
        if (json_array_size(functions) == FUNCTIONS_MAX)
            return bad(s3, "A bucket has at most 100 notification configurations");
        return read_function(s3, node, functions);
    }
    if (strcmp(node->name, "TopicConfiguration") == 0 || strcmp(node->name, "QueueConfiguration") == 0) {
        const char *arn = sh_xml_text(node, *node->name == 'T' ? "Topic" : "Queue");
        sh_s3_bad_argument(s3, *node->name == 'T' ? "Topic" : "Queue", arn ? arn : "",
                           "Unable to validate the following destination configurations");
        return false;
    }
    sh_s3_malformed(s3, "an element of <NotificationConfiguration> is unknown");
    return false;
}

static void keep(sh_s3 *s3, const json_t *root)
{
    sh_err err = {0};
    bool functions = json_array_size(json_object_get(root, "functions")) > 0;
    char *text = json_dumps(root, JSON_COMPACT);
    if (!text)
        sh_s3_fail(s3, 500, "InternalError", "We encountered an internal error: no memory");
    else if (sh_bucket_set_notification(&s3->objects, s3->bucket,
                                        json_is_true(json_object_get(root, "eventbridge")), functions,
                                        functions ? text : NULL, &err) < 0)
        sh_s3_fail_store(s3, &err);
    else
        sh_s3_answer_empty(s3, 200);
    free(text);
}

void sh_s3_put_notification(sh_s3 *s3)
{
    bool good = true;
    const sh_xml *document = sh_s3_need_rules(s3) ? sh_s3_need_xml(s3, "NotificationConfiguration") : NULL;
    if (!document)
        return;
    json_t *root = json_pack("{s:b, s:[]}", "eventbridge", 0, "functions");
    for (const sh_xml *node = document->child; good && node; node = node->next)
        good = read_part(s3, node, root);
    if (good && overlaps_good(s3, json_object_get(root, "functions")) &&
        destinations_good(s3, json_object_get(root, "functions")))
        keep(s3, root);
    json_decref(root);
}

static void put_filter(sh_buf *out, const json_t *function)
{
    static const char *const names[][2] = {{"prefix", "Prefix"}, {"suffix", "Suffix"}};
    if (!json_object_get(function, "prefix") && !json_object_get(function, "suffix"))
        return;
    sh_xml_open(out, "Filter");
    sh_xml_open(out, "S3Key");
    for (size_t i = 0; i < 2; i++) {
        const char *value = json_string_value(json_object_get(function, names[i][0]));
        if (!value)
            continue;
        sh_xml_open(out, "FilterRule");
        sh_xml_put(out, "Name", names[i][1]);
        sh_xml_put(out, "Value", value);
        sh_xml_close(out, "FilterRule");
    }
    sh_xml_close(out, "S3Key");
    sh_xml_close(out, "Filter");
}

static void put_function(sh_buf *out, const json_t *function)
{
    const json_t *events = json_object_get(function, "events");
    sh_xml_open(out, "CloudFunctionConfiguration");
    sh_xml_put(out, "Id", text_of(function, "id"));
    sh_xml_put(out, "CloudFunction", text_of(function, "arn"));
    for (size_t i = 0; i < json_array_size(events); i++)
        sh_xml_put(out, "Event", json_string_value(json_array_get(events, i)));
    put_filter(out, function);
    sh_xml_close(out, "CloudFunctionConfiguration");
}

void sh_s3_get_notification(sh_s3 *s3)
{
    sh_buf out;
    const sh_bucket_rules *rules = sh_s3_need_rules(s3);
    if (!rules)
        return;
    json_t *root = rules->notification_text ? json_loads(rules->notification_text, 0, NULL) : NULL;
    const json_t *functions = json_object_get(root, "functions");
    sh_s3_begin_xml(&out, "NotificationConfiguration");
    for (size_t i = 0; i < json_array_size(functions); i++)
        put_function(&out, json_array_get(functions, i));
    if (rules->bucket.eventbridge)
        sh_xml_put(&out, "EventBridgeConfiguration", "");
    sh_xml_close(&out, "NotificationConfiguration");
    json_decref(root);
    sh_s3_answer_xml(s3, &out);
}
