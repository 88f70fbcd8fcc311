/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules of a lifecycle: checked when they are put, parsed when they are used. */
#include "cloud/api/s3_lifecycle.h"
#include "base/size.h"
#include "cloud/api/s3_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { RULES_MAX = 1000, ID_MAX = 255, KEEP_MAX = 100, ARENA_MAX = 64 << 20 };
#define DAY_MS ((int64_t)24 * 3600 * 1000)

/* ---- parsing ---- */

static int64_t number_of(const sh_xml *node, const char *name, int64_t otherwise)
{
    const char *text = sh_xml_text(node, name);
    int64_t value = otherwise;
    if (text)
        sh_parse_i64(text, strlen(text), 0, INT64_MAX, &value);
    return value;
}

static bool put_tag(json_t *tags, const sh_xml *tag)
{
    const char *key = sh_xml_text(tag, "Key"), *value = sh_xml_text(tag, "Value");
    return key && value && json_object_set_new(tags, key, json_string(value)) == 0;
}

static const char *tags_of(sh_arena *arena, const sh_xml *where)
{
    char *text = NULL;
    const char *out = NULL;
    json_t *tags = sh_xml_child(where, "Tag") ? json_object() : NULL;
    for (const sh_xml *tag = sh_xml_child(where, "Tag"); tags && tag; tag = sh_xml_next(tag, "Tag"))
        put_tag(tags, tag);
    if (tags && (text = json_dumps(tags, JSON_COMPACT)))
        out = sh_arena_strdup(arena, text);
    free(text);
    json_decref(tags);
    return out;
}

static bool day_of(const char *text, int64_t *ms)
{
    char full[40];
    size_t length = strlen(text);
    if (length == 10) /* a date alone is its midnight */
        length = (size_t)snprintf(full, sizeof(full), "%sT00:00:00Z", text);
    else if (length < sizeof(full))
        snprintf(full, sizeof(full), "%s", text);
    else
        return false;
    return sh_time_parse_iso(full, length, ms);
}

static int read_rule(const sh_xml *node, sh_arena *arena, sh_lifecycle_rule *out)
{
    const sh_xml *filter = sh_xml_child(node, "Filter");
    const sh_xml *both = sh_xml_child(filter, "And");
    const sh_xml *where = both ? both : filter;
    const sh_xml *expiry = sh_xml_child(node, "Expiration");
    const sh_xml *old = sh_xml_child(node, "NoncurrentVersionExpiration");
    const char *status = sh_xml_text(node, "Status"), *date = sh_xml_text(expiry, "Date");
    const char *prefix = sh_xml_text(filter ? where : node, "Prefix");
    const char *markers = sh_xml_text(expiry, "ExpiredObjectDeleteMarker");
    *out = (sh_lifecycle_rule){.id = sh_xml_text(node, "ID"),
                               .enabled = status && strcmp(status, "Enabled") == 0,
                               .prefix = prefix ? prefix : "",
                               .tags = tags_of(arena, where),
                               .larger_than = number_of(where, "ObjectSizeGreaterThan", -1),
                               .smaller_than = number_of(where, "ObjectSizeLessThan", -1),
                               .days = number_of(expiry, "Days", 0),
                               .date_ms = -1,
                               .markers = markers && strcmp(markers, "true") == 0,
                               .old_days = number_of(old, "NoncurrentDays", 0),
                               .old_keep = number_of(old, "NewerNoncurrentVersions", 0),
                               .upload_days = number_of(sh_xml_child(node, "AbortIncompleteMultipartUpload"),
                                                        "DaysAfterInitiation", 0)};
    if (!out->id)
        out->id = "";
    if (sh_xml_child(where, "Tag") && !out->tags)
        return SH_E_MEMORY;
    return date && !day_of(date, &out->date_ms) ? SH_E_FORMAT : 0;
}

int sh_lifecycle_parse(sh_lifecycle **out, const char *text, sh_err *err)
{
    sh_xml *root;
    int status = SH_E_MEMORY;
    size_t count = 0;
    sh_lifecycle *lifecycle = calloc(1, sizeof(*lifecycle));
    if (!lifecycle || !(lifecycle->arena = sh_arena_new(ARENA_MAX)))
        goto fail;
    if ((status = sh_xml_parse(text, strlen(text), lifecycle->arena, &root, err)) < 0)
        goto fail;
    for (const sh_xml *rule = root->child; rule; rule = rule->next)
        count++;
    lifecycle->rules = sh_arena_alloc(lifecycle->arena, count * sizeof(*lifecycle->rules));
    if (!lifecycle->rules) {
        status = SH_E_MEMORY;
        goto fail;
    }
    for (const sh_xml *rule = root->child; rule; rule = rule->next)
        if ((status = read_rule(rule, lifecycle->arena, &lifecycle->rules[lifecycle->count++])) < 0)
            goto fail;
    *out = lifecycle;
    return 0;
fail:
    sh_lifecycle_free(lifecycle);
    return status == SH_E_MEMORY ? sh_fail(err, status, "no memory for a lifecycle") : status;
}

void sh_lifecycle_free(sh_lifecycle *lifecycle)
{
    if (!lifecycle)
        return;
    sh_arena_free(lifecycle->arena);
    free(lifecycle);
}

/* ---- when ---- */

int64_t sh_lifecycle_due(int64_t from_ms, int64_t days)
{
    if (days > (INT64_MAX - from_ms) / DAY_MS - 1)
        return INT64_MAX;
    return (from_ms + days * DAY_MS + DAY_MS - 1) / DAY_MS * DAY_MS;
}

static bool has_tags(const char *wanted, const char *tags)
{
    const char *key;
    json_t *value;
    bool all = true;
    if (!wanted)
        return true;
    json_t *need = json_loads(wanted, 0, NULL);
    json_t *have = tags ? json_loads(tags, 0, NULL) : NULL;
    json_object_foreach(need, key, value)
    {
        all = all && json_equal(json_object_get(have, key), value);
    }
    json_decref(need);
    json_decref(have);
    return all;
}

static bool rule_fits(const sh_lifecycle_rule *rule, const sh_object *object)
{
    return rule->enabled && strncmp(object->key, rule->prefix, strlen(rule->prefix)) == 0 &&
           (rule->larger_than < 0 || object->size > rule->larger_than) &&
           (rule->smaller_than < 0 || object->size < rule->smaller_than) &&
           has_tags(rule->tags, object->tags);
}

int64_t sh_lifecycle_expiry(const sh_lifecycle *lifecycle, const sh_object *object,
                            const sh_lifecycle_rule **rule)
{
    int64_t first = -1;
    for (size_t i = 0; i < lifecycle->count; i++) {
        const sh_lifecycle_rule *r = &lifecycle->rules[i];
        if ((r->days == 0 && r->date_ms < 0) || !rule_fits(r, object))
            continue;
        int64_t due = r->days ? sh_lifecycle_due(object->modified_ms, r->days) : r->date_ms;
        if (first < 0 || due < first) {
            first = due;
            *rule = r;
        }
    }
    return first;
}

void sh_s3_expiration_field(sh_s3 *s3, const sh_object *object)
{
    char when[SH_TIME_TEXT];
    const sh_bucket_rules *rules;
    const sh_lifecycle_rule *rule;
    if (sh_s3_rules(s3, &rules, NULL) < 0 || !rules->lifecycle)
        return;
    int64_t due = sh_lifecycle_expiry(rules->lifecycle, object, &rule);
    if (due < 0 || due == INT64_MAX)
        return;
    sh_time_http(due, when);
    const char *id = sh_http_encode(s3->arena, rule->id, strlen(rule->id), false);
    char *text = id ? sh_arena_printf(s3->arena, "expiry-date=\"%s\", rule-id=\"%s\"", when, id) : NULL;
    if (text)
        sh_http_add_field(s3->http, "x-amz-expiration", text);
}

void sh_s3_expiration_written(sh_s3 *s3, int64_t size, const char *tags)
{
    sh_object object = {
        .key = s3->key, .size = size, .tags = tags, .modified_ms = sh_now_ms(s3->objects.clock)};
    sh_s3_expiration_field(s3, &object);
}

/* ---- checking ---- */

static bool is_number(const sh_xml *node, const char *name, int64_t min, int64_t max)
{
    int64_t value;
    const char *text = sh_xml_text(node, name);
    return text && sh_parse_i64(text, strlen(text), min, max, &value);
}

static bool wrong(sh_s3 *s3, const char *code, const char *message)
{
    sh_s3_fail(s3, 400, code, "%s", message);
    return false;
}

static bool schema(sh_s3 *s3, const char *message)
{
    sh_s3_malformed(s3, message);
    return false;
}

static bool sizes_good(sh_s3 *s3, const sh_xml *where)
{
    static const char *const names[] = {"ObjectSizeGreaterThan", "ObjectSizeLessThan"};
    for (size_t i = 0; i < 2; i++)
        if (sh_xml_child(where, names[i]) && !is_number(where, names[i], 0, INT64_MAX))
            return schema(s3, "a size of an object is a number of bytes");
    if (sh_xml_child(where, names[0]) && sh_xml_child(where, names[1]) &&
        number_of(where, names[0], 0) >= number_of(where, names[1], 0))
        return wrong(s3, "InvalidRequest",
                     "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'");
    return true;
}

static bool tags_good(sh_s3 *s3, const sh_xml *where)
{
    for (const sh_xml *tag = sh_xml_child(where, "Tag"); tag; tag = sh_xml_next(tag, "Tag")) {
        const char *key = sh_xml_text(tag, "Key");
        if (!key || !*key || strlen(key) > 512 || !sh_xml_text(tag, "Value"))
            return schema(s3, "a <Tag> has a <Key> and a <Value>");
        for (const sh_xml *other = sh_xml_next(tag, "Tag"); other; other = sh_xml_next(other, "Tag")) {
            const char *same = sh_xml_text(other, "Key");
            if (same && strcmp(same, key) == 0)
                return wrong(s3, "InvalidRequest", "Duplicate Tag Keys are not allowed.");
        }
    }
    return true;
}

static bool filter_good(sh_s3 *s3, const sh_xml *rule)
{
    static const char *const parts[] = {"Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan",
                                        "And",    NULL};
    const sh_xml *filter = sh_xml_child(rule, "Filter");
    const sh_xml *both = sh_xml_child(filter, "And");
    const char *prefix = sh_xml_text(filter ? (both ? both : filter) : rule, "Prefix");
    if (!filter && !sh_xml_child(rule, "Prefix"))
        return schema(s3, "a <Rule> has a <Filter> or a <Prefix>");
    if (filter && sh_xml_child(rule, "Prefix"))
        return schema(s3, "a <Rule> has a <Filter> or a <Prefix>, not both");
    if (prefix && strlen(prefix) > SH_OBJECT_KEY_MAX)
        return wrong(s3, "InvalidRequest", "The maximum size of a prefix is 1024.");
    if (!filter)
        return true;
    if (!sh_s3_only_children(s3, filter, parts) || (both && !sh_s3_only_children(s3, both, parts)))
        return false;
    if (filter->child && filter->child->next)
        return schema(s3, "a <Filter> has one condition, or several in an <And>");
    if (both && (!both->child || !both->child->next))
        return schema(s3, "an <And> has two conditions at least");
    return sizes_good(s3, both ? both : filter) && tags_good(s3, both ? both : filter);
}

static bool expiration_good(sh_s3 *s3, const sh_xml *expiry, const sh_xml *rule)
{
    static const char *const parts[] = {"Days", "Date", "ExpiredObjectDeleteMarker", NULL};
    int64_t date = 0;
    const char *text = sh_xml_text(expiry, "Date"),
               *marker = sh_xml_text(expiry, "ExpiredObjectDeleteMarker");
    const sh_xml *filter = sh_xml_child(rule, "Filter");
    if (!sh_s3_only_children(s3, expiry, parts))
        return false;
    if (!expiry->child || expiry->child->next)
        return schema(s3, "an <Expiration> has one of <Days>, <Date>, <ExpiredObjectDeleteMarker>");
    if (sh_xml_child(expiry, "Days") && !is_number(expiry, "Days", 1, INT32_MAX))
        return wrong(s3, "InvalidArgument", "'Days' for Expiration action must be a positive integer");
    if (text && !day_of(text, &date))
        return schema(s3, "<Date> is a time of ISO 8601");
    if (date % DAY_MS != 0)
        return wrong(s3, "InvalidArgument", "'Date' must be at midnight GMT");
    if (marker && strcmp(marker, "true") != 0 && strcmp(marker, "false") != 0)
        return schema(s3, "<ExpiredObjectDeleteMarker> is true or false");
    if (marker && (sh_xml_child(filter, "Tag") || sh_xml_child(sh_xml_child(filter, "And"), "Tag")))
        return wrong(s3, "InvalidRequest",
                     "'ExpiredObjectDeleteMarker' cannot be specified with Tags in the filter");
    return true;
}

static bool actions_good(sh_s3 *s3, const sh_xml *rule)
{
    const sh_xml *expiry = sh_xml_child(rule, "Expiration");
    const sh_xml *old = sh_xml_child(rule, "NoncurrentVersionExpiration");
    const sh_xml *uploads = sh_xml_child(rule, "AbortIncompleteMultipartUpload");
    const sh_xml *filter = sh_xml_child(rule, "Filter");
    if (sh_xml_child(rule, "Transition") || sh_xml_child(rule, "NoncurrentVersionTransition")) {
        sh_s3_fail(s3, 501, "NotImplemented",
                   "A lifecycle with <Transition> is not implemented: there is one storage class");
        return false;
    }
    if (!expiry && !old && !uploads)
        return wrong(s3, "InvalidRequest", "At least one action needs to be specified in a rule");
    if (expiry && !expiration_good(s3, expiry, rule))
        return false;
    if (old && !is_number(old, "NoncurrentDays", 1, INT32_MAX))
        return wrong(s3, "InvalidArgument",
                     "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer");
    if (sh_xml_child(old, "NewerNoncurrentVersions") &&
        !is_number(old, "NewerNoncurrentVersions", 1, KEEP_MAX))
        return wrong(s3, "InvalidArgument", "'NewerNoncurrentVersions' must be between 1 and 100");
    if (uploads && !is_number(uploads, "DaysAfterInitiation", 1, INT32_MAX))
        return wrong(
            s3, "InvalidArgument",
            "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer");
    if (uploads && (sh_xml_child(filter, "Tag") || sh_xml_child(sh_xml_child(filter, "And"), "Tag")))
        return wrong(s3, "InvalidRequest", "AbortIncompleteMultipartUpload cannot be specified with Tags");
    return true;
}

static bool rule_good(sh_s3 *s3, const sh_xml *rule)
{
    static const char *const parts[] = {"ID",
                                        "Status",
                                        "Prefix",
                                        "Filter",
                                        "Expiration",
                                        "NoncurrentVersionExpiration",
                                        "AbortIncompleteMultipartUpload",
                                        "Transition",
                                        "NoncurrentVersionTransition",
                                        NULL};
    const char *id = sh_xml_text(rule, "ID"), *status = sh_xml_text(rule, "Status");
    if (!sh_s3_only_children(s3, rule, parts))
        return false;
    if (id && strlen(id) > ID_MAX)
        return wrong(s3, "InvalidArgument", "ID length should not exceed allowed limit of 255");
    for (const sh_xml *other = rule->next; id && *id && other; other = other->next) {
        const char *same = sh_xml_text(other, "ID");
        if (same && strcmp(same, id) == 0)
            return wrong(s3, "InvalidArgument",
                         "Rule ID must be unique. Found same ID for more than one rule");
    }
    if (!status || (strcmp(status, "Enabled") != 0 && strcmp(status, "Disabled") != 0))
        return schema(s3, "<Status> is Enabled or Disabled");
    return filter_good(s3, rule) && actions_good(s3, rule);
}

/* A rule without a name gets one. */
static bool name_rule(sh_s3 *s3, sh_xml *rule)
{
    uint64_t bits[2];
    const char *id = sh_xml_text(rule, "ID");
    if (id && *id)
        return true;
    sh_xml *node = (sh_xml *)sh_xml_child(rule, "ID");
    if (!node && (node = sh_arena_alloc(s3->arena, sizeof(*node)))) {
        *node = (sh_xml){.name = "ID", .next = rule->child};
        rule->child = node;
    }
    if (!node || getrandom(bits, sizeof(bits), 0) != sizeof(bits))
        return false;
    node->text = sh_arena_printf(s3->arena, "%016llx%016llx", (unsigned long long)bits[0],
                                 (unsigned long long)bits[1]);
    return node->text != NULL;
}

#define SMALLEST "x-amz-transition-default-minimum-object-size"

void sh_s3_put_lifecycle(sh_s3 *s3)
{
    static const char *const only[] = {"Rule", NULL};
    int count = 0;
    if (!sh_s3_need_rules(s3) || !sh_s3_need_digest(s3))
        return;
    const sh_xml *root = sh_s3_need_xml(s3, "LifecycleConfiguration");
    if (!root || !sh_s3_only_children(s3, root, only))
        return;
    for (sh_xml *rule = root->child; rule; rule = rule->next, count++) {
        if (count == RULES_MAX) {
            wrong(s3, "InvalidRequest",
                  "The number of lifecycle rules must not exceed the allowed limit of "
                  "1000 rules");
            return;
        }
        if (!rule_good(s3, rule))
            return;
        if (!name_rule(s3, rule)) {
            sh_s3_fail(s3, 500, "InternalError", "We encountered an internal error: no memory");
            return;
        }
    }
    if (count == 0) {
        sh_s3_malformed(s3, "a <LifecycleConfiguration> has a <Rule>");
        return;
    }
    sh_http_add_field(s3->http, SMALLEST, "all_storage_classes_128K");
    sh_s3_keep_xml(s3, "lifecycle", root, 200);
    sh_cloud_wake(s3->cloud, SH_WAKE_LIFECYCLE);
}

void sh_s3_get_lifecycle(sh_s3 *s3)
{
    const sh_bucket_rules *rules = sh_s3_need_rules(s3);
    if (rules && rules->lifecycle_text) {
        sh_http_add_field(s3->http, SMALLEST, "all_storage_classes_128K");
        sh_s3_answer_kept(s3, rules->lifecycle_text);
    } else if (rules) {
        sh_s3_fail(s3, 404, "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist");
    }
}

void sh_s3_delete_lifecycle(sh_s3 *s3)
{
    sh_s3_keep(s3, "lifecycle", NULL, 204);
}
