/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CORS as "Using cross-origin resource sharing" of the S3 user guide has it: the first rule that fits an
 * origin, a method and all fields a page wants to send decides. */
#include "cloud/api/s3_cors.h"
#include "cloud/api/s3_config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { RULES_MAX = 100, TEXT_MAX = 1 << 20 };

struct sh_cors {
    sh_arena *arena;
    sh_xml *root;
};

int sh_cors_parse(sh_cors **out, const char *text, sh_err *err)
{
    sh_cors *cors = calloc(1, sizeof(*cors));
    if (!cors || !(cors->arena = sh_arena_new(16 * TEXT_MAX))) {
        free(cors);
        return sh_fail(err, SH_E_MEMORY, "no memory for a CORS configuration");
    }
    int status = sh_xml_parse(text, strlen(text), cors->arena, &cors->root, err);
    if (status < 0)
        sh_cors_free(cors);
    else
        *out = cors;
    return status;
}

void sh_cors_free(sh_cors *cors)
{
    if (!cors)
        return;
    sh_arena_free(cors->arena);
    free(cors);
}

/* ---- which rule ---- */

/* A pattern with at most one '*'. */
static bool fits(const char *pattern, const char *text, size_t length, bool any_case)
{
    int (*compare)(const char *, const char *, size_t) = any_case ? strncasecmp : strncmp;
    const char *star = strchr(pattern, '*');
    if (!star)
        return strlen(pattern) == length && compare(pattern, text, length) == 0;
    size_t head = (size_t)(star - pattern), tail = strlen(star + 1);
    return length >= head + tail && compare(pattern, text, head) == 0 &&
           compare(star + 1, text + length - tail, tail) == 0;
}

static const char *fitting(const sh_xml *rule, const char *name, const char *text, size_t length,
                           bool any_case)
{
    for (const sh_xml *at = sh_xml_child(rule, name); at; at = sh_xml_next(at, name))
        if (fits(at->text, text, length, any_case))
            return at->text;
    return NULL;
}

/* Takes the next of a list with commas; false at its end. */
static bool next_name(const char **at, const char **name, size_t *length)
{
    *at += strspn(*at, ", \t");
    if (!**at)
        return false;
    *name = *at;
    *length = strcspn(*at, ",");
    *at += *length;
    while (*length && isspace((unsigned char)(*name)[*length - 1]))
        (*length)--;
    return true;
}

static bool fields_fit(const sh_xml *rule, const char *wanted)
{
    const char *name;
    size_t length;
    while (wanted && next_name(&wanted, &name, &length))
        if (!fitting(rule, "AllowedHeader", name, length, true))
            return false;
    return true;
}

typedef struct question {
    const char *origin, *method, *fields;
} question;

/* The rule, and the pattern of its origins that fits. */
static const sh_xml *find_rule(const sh_cors *cors, const question *q, const char **pattern)
{
    const sh_xml *rule = cors ? sh_xml_child(cors->root, "CORSRule") : NULL;
    for (; rule; rule = sh_xml_next(rule, "CORSRule")) {
        *pattern = fitting(rule, "AllowedOrigin", q->origin, strlen(q->origin), false);
        if (*pattern && fitting(rule, "AllowedMethod", q->method, strlen(q->method), false) &&
            fields_fit(rule, q->fields))
            return rule;
    }
    return NULL;
}

static void add_list(sh_http_request *http, const char *field, const sh_xml *rule, const char *name)
{
    sh_buf list;
    sh_buf_init(&list, 16384);
    for (const sh_xml *at = sh_xml_child(rule, name); at; at = sh_xml_next(at, name))
        sh_buf_printf(&list, "%s%s", list.length ? ", " : "", at->text);
    if (list.length && !list.failed)
        sh_http_add_field(http, field, sh_buf_cstr(&list));
    sh_buf_free(&list);
}

static void add_fields(sh_http_request *http, const sh_xml *rule, const char *pattern, const question *q)
{
    bool everybody = strcmp(pattern, "*") == 0;
    const char *age = sh_xml_text(rule, "MaxAgeSeconds");
    sh_http_add_field(http, "Access-Control-Allow-Origin", everybody ? "*" : q->origin);
    add_list(http, "Access-Control-Allow-Methods", rule, "AllowedMethod");
    add_list(http, "Access-Control-Expose-Headers", rule, "ExposeHeader");
    if (age)
        sh_http_add_field(http, "Access-Control-Max-Age", age);
    if (!everybody)
        sh_http_add_field(http, "Access-Control-Allow-Credentials", "true");
    sh_http_add_field(http, "Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method");
}

void sh_s3_cors_fields(sh_cloud *cloud, sh_http_request *http, const char *bucket)
{
    const sh_http_head *head = sh_http_request_head(http);
    const char *meant = sh_http_field_get(head, "access-control-request-method");
    question q = {sh_http_field_get(head, "origin"), meant ? meant : head->method, NULL};
    const sh_bucket_rules *rules;
    const char *pattern;
    if (!q.origin || !bucket || !sh_bucket_name_valid(bucket) ||
        sh_bucket_rules_get(cloud, bucket, &rules, NULL) < 0)
        return;
    const sh_xml *rule = find_rule(rules->cors, &q, &pattern);
    if (rule)
        add_fields(http, rule, pattern, &q);
    sh_bucket_rules_release(rules);
}

/* ---- preflight ---- */

static bool known_method(const char *method)
{
    static const char *const known[] = {"GET", "PUT", "HEAD", "POST", "DELETE"};
    for (size_t i = 0; method && i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(known[i], method) == 0)
            return true;
    return false;
}

static void forbid(sh_http_request *http, const char *message)
{
    sh_s3_refuse(http, 403, "AccessForbidden", message, NULL, NULL);
}

static void allow(sh_http_request *http, const sh_xml *rule, const char *pattern, const question *q)
{
    add_fields(http, rule, pattern, q);
    if (q->fields && *q->fields)
        sh_http_add_field(http, "Access-Control-Allow-Headers", q->fields);
    sh_http_add_field(http, "x-amz-request-id", sh_http_request_id(http));
    sh_http_add_field(http, "x-amz-id-2", sh_http_request_id(http));
    sh_http_add_field(http, "Server", "Spyhop");
    sh_http_answer(http, 200, "", 0);
}

static void answer_preflight(sh_cloud *cloud, sh_http_request *http, const char *bucket, const question *q)
{
    const sh_bucket_rules *rules;
    const char *pattern;
    sh_err err = {0};
    if (!bucket || !sh_bucket_name_valid(bucket) || sh_bucket_rules_get(cloud, bucket, &rules, &err) < 0) {
        if (!err.status || err.status == SH_E_NOT_FOUND)
            forbid(http, "CORSResponse: Bucket not found");
        else
            sh_s3_refuse(http, 500, "InternalError", "We encountered an internal error. Please try again.",
                         NULL, NULL);
        return;
    }
    const sh_xml *rule = find_rule(rules->cors, q, &pattern);
    if (rule)
        allow(http, rule, pattern, q);
    else if (!rules->cors)
        forbid(http, "CORSResponse: CORS is not enabled for this bucket.");
    else
        forbid(http, "CORSResponse: This CORS request is not allowed. This is usually because the evalution "
                     "of Origin, request method / Access-Control-Request-Method or "
                     "Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.");
    sh_bucket_rules_release(rules);
}

bool sh_s3_cors_preflight(sh_cloud *cloud, sh_http_request *http, const char *bucket)
{
    const sh_http_head *head = sh_http_request_head(http);
    question q = {sh_http_field_get(head, "origin"), sh_http_field_get(head, "access-control-request-method"),
                  sh_http_field_get(head, "access-control-request-headers")};
    if (strcmp(head->method, "OPTIONS") != 0)
        return false;
    if (!q.origin) {
        sh_s3_refuse(http, 400, "BadRequest", "Insufficient information. Origin request header needed.", NULL,
                     NULL);
    } else if (!known_method(q.method)) {
        char *message =
            sh_arena_printf(sh_http_request_arena(http), "Invalid Access-Control-Request-Method: %.100s",
                            q.method ? q.method : "null");
        sh_s3_refuse(http, 400, "BadRequest", message ? message : "no memory", NULL, NULL);
    } else {
        answer_preflight(cloud, http, bucket, &q);
    }
    return true;
}

/* ---- the configuration ---- */

static bool no_two_stars(sh_s3 *s3, const sh_xml *rule, const char *name, const char *field)
{
    for (const sh_xml *at = sh_xml_child(rule, name); at; at = sh_xml_next(at, name)) {
        const char *star = strchr(at->text, '*');
        if (star && strchr(star + 1, '*')) {
            sh_s3_fail(s3, 400, "InvalidRequest", "%s \"%.200s\" can not have more than one wildcard.", field,
                       at->text);
            return false;
        }
    }
    return true;
}

static bool methods_good(sh_s3 *s3, const sh_xml *rule)
{
    for (const sh_xml *at = sh_xml_child(rule, "AllowedMethod"); at; at = sh_xml_next(at, "AllowedMethod"))
        if (!known_method(at->text)) {
            sh_s3_fail(s3, 400, "InvalidRequest",
                       "Found unsupported HTTP method in CORS config. Unsupported method is %.60s", at->text);
            return false;
        }
    return true;
}

static bool expose_good(sh_s3 *s3, const sh_xml *rule)
{
    for (const sh_xml *at = sh_xml_child(rule, "ExposeHeader"); at; at = sh_xml_next(at, "ExposeHeader"))
        if (strchr(at->text, '*')) {
            sh_s3_fail(s3, 400, "InvalidRequest",
                       "ExposeHeader \"%.200s\" contains wildcard. We currently do not support wildcard for "
                       "ExposeHeader.",
                       at->text);
            return false;
        }
    return true;
}

static bool rule_good(sh_s3 *s3, const sh_xml *rule)
{
    static const char *const names[] = {
        "ID", "AllowedHeader", "AllowedMethod", "AllowedOrigin", "ExposeHeader", "MaxAgeSeconds", NULL};
    const char *age = sh_xml_text(rule, "MaxAgeSeconds");
    const char *id = sh_xml_text(rule, "ID");
    if (!sh_s3_only_children(s3, rule, names))
        return false;
    if (!sh_xml_child(rule, "AllowedMethod") || !sh_xml_child(rule, "AllowedOrigin")) {
        sh_s3_malformed(s3, "a <CORSRule> has an <AllowedMethod> and an <AllowedOrigin>");
        return false;
    }
    if (age && (!*age || strlen(age) > 9 || strspn(age, "0123456789") != strlen(age))) {
        sh_s3_malformed(s3, "<MaxAgeSeconds> is a number of seconds");
        return false;
    }
    if (id && strlen(id) > 255) {
        sh_s3_fail(s3, 400, "InvalidRequest", "ID length should not exceed allowed limit of 255");
        return false;
    }
    return methods_good(s3, rule) && no_two_stars(s3, rule, "AllowedOrigin", "AllowedOrigin") &&
           no_two_stars(s3, rule, "AllowedHeader", "AllowedHeader") && expose_good(s3, rule);
}

void sh_s3_put_cors(sh_s3 *s3)
{
    static const char *const only[] = {"CORSRule", NULL};
    int count = 0;
    if (!sh_s3_need_rules(s3) || !sh_s3_need_digest(s3))
        return;
    const sh_xml *root = sh_s3_need_xml(s3, "CORSConfiguration");
    if (!root || !sh_s3_only_children(s3, root, only))
        return;
    for (const sh_xml *rule = root->child; rule; rule = rule->next, count++)
        if (!rule_good(s3, rule))
            return;
    if (count == 0)
        sh_s3_malformed(s3, "a <CORSConfiguration> has a <CORSRule>");
    else if (count > RULES_MAX)
        sh_s3_fail(s3, 400, "InvalidRequest",
                   "The number of CORS rules should not exceed allowed limit of %d rules.", RULES_MAX);
    else
        sh_s3_keep_xml(s3, "cors", root, 200);
}

void sh_s3_get_cors(sh_s3 *s3)
{
    const sh_bucket_rules *rules = sh_s3_need_rules(s3);
    if (rules)
        sh_s3_answer_kept_or(s3, rules->cors_text, "NoSuchCORSConfiguration",
                             "The CORS configuration does not exist");
}

void sh_s3_delete_cors(sh_s3 *s3)
{
    sh_s3_keep(s3, "cors", NULL, 204);
}
