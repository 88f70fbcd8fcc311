/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Answers of S3: errors, documents, and the checks that several operations begin with. */
#include "base/log.h"
#include "base/size.h"
#include "cloud/api/s3.h"
#include "cloud/api/s3_authorize.h"
#include "cloud/api/s3_acl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void common_fields(sh_http_request *http)
{
    sh_http_add_field(http, "x-amz-request-id", sh_http_request_id(http));
    sh_http_add_field(http, "x-amz-id-2", sh_http_request_id(http));
    sh_http_add_field(http, "Server", "Spyhop");
}

enum { REFUSAL_MAX = 512 * 1024, FAIL_DETAILS_MAX = 8, MESSAGE_MAX = 4096 };

static void refuse(sh_http_request *http, int status, const char *code, const char *message,
                   const sh_s3_detail *details, size_t count)
{
    sh_buf out;
    sh_buf_init(&out, REFUSAL_MAX);
    sh_xml_begin(&out);
    sh_xml_open(&out, "Error");
    sh_xml_put(&out, "Code", code);
    sh_xml_put(&out, "Message", message ? message : "");
    for (size_t i = 0; i < count; i++)
        if (details[i].value)
            sh_xml_put(&out, details[i].name, details[i].value);
    sh_xml_put(&out, "RequestId", sh_http_request_id(http));
    sh_xml_put(&out, "HostId", sh_http_request_id(http));
    sh_xml_close(&out, "Error");
    common_fields(http);
    sh_http_add_field(http, "Content-Type", "application/xml");
    sh_http_answer(http, status, sh_buf_cstr(&out), out.failed ? 0 : out.length);
    sh_buf_free(&out);
}

void sh_s3_refuse(sh_http_request *http, int status, const char *code, const char *message,
                  const char *extra_name, const char *extra_value)
{
    sh_s3_detail detail = {extra_name, extra_value};
    sh_s3_refuse_with(http, status, code, message, &detail, extra_name ? 1 : 0);
}

static void fill(sh_s3_detail *to, size_t *used, size_t max, const sh_s3_detail *from, size_t count)
{
    for (size_t i = 0; i < count && *used < max; i++)
        to[(*used)++] = from[i];
}

void sh_s3_refuse_with(sh_http_request *http, int status, const char *code, const char *message,
                       const sh_s3_detail *details, size_t count)
{
    sh_s3_detail all[FAIL_DETAILS_MAX * 2];
    sh_s3_detail resource = {"Resource", sh_http_request_head(http)->path};
    size_t used = 0;
    fill(all, &used, SH_COUNT(all), details, count);
    fill(all, &used, SH_COUNT(all), &resource, 1);
    refuse(http, status, code, message, all, used);
}

static void fail(sh_s3 *s3, int status, const char *code, const char *message, const sh_s3_detail *details,
                 size_t count)
{
    sh_s3_detail all[FAIL_DETAILS_MAX * 2];
    sh_s3_detail own[] = {{"BucketName", s3->bucket}, {"Key", s3->key}, {"Resource", s3->head->path}};
    size_t used = 0;
    fill(all, &used, FAIL_DETAILS_MAX, details, count);
    fill(all, &used, SH_COUNT(all) - SH_COUNT(own), s3->details, s3->detail_count);
    fill(all, &used, SH_COUNT(all), own, SH_COUNT(own));
    refuse(s3->http, status, code, message, all, used);
}

void sh_s3_fail(sh_s3 *s3, int status, const char *code, const char *format, ...)
{
    char message[MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    fail(s3, status, code, message, NULL, 0);
}

void sh_s3_fail_with(sh_s3 *s3, int status, const char *code, const sh_s3_detail *details, size_t count,
                     const char *format, ...)
{
    char message[MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    fail(s3, status, code, message, details, count);
}

void sh_s3_about(sh_s3 *s3, const char *name, const char *value)
{
    if (s3->detail_count < SH_S3_DETAILS_MAX)
        s3->details[s3->detail_count++] = (sh_s3_detail){name, value};
}

void sh_s3_fail_argument(sh_s3 *s3, const char *name, const char *value, const char *format, ...)
{
    char message[MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    sh_s3_about(s3, "ArgumentName", name);
    sh_s3_about(s3, "ArgumentValue", value ? value : "");
    fail(s3, 400, "InvalidArgument", message, NULL, 0);
}

void sh_s3_fail_header(sh_s3 *s3, const char *name)
{
    sh_s3_about(s3, "Header", name);
    sh_s3_fail(s3, 501, "NotImplemented",
               "A header you provided implies functionality that is not implemented: %.80s", name);
}

void sh_s3_fail_not_found(sh_s3 *s3)
{
    sh_bucket bucket;
    sh_err err = {0};
    const char *sentence = "Access Denied";
    int status = sh_bucket_get(&s3->objects, s3->bucket, &bucket, &err);
    if (status == SH_E_NOT_FOUND)
        sh_s3_fail(s3, 404, "NoSuchBucket", "The specified bucket does not exist");
    else if (status < 0)
        sh_s3_fail_store(s3, &err);
    else if (s3->caller && !s3->caller->root &&
             sh_s3_may(s3, "s3:ListBucket", NULL, NULL, &sentence, &err) < 0)
        sh_s3_fail(s3, 403, "AccessDenied", "%s", sentence); /* who may not list is not told what is there */
    else
        sh_s3_fail(s3, 404, "NoSuchKey", "The specified key does not exist.");
}

/* A full disk is 507: a client that retries 500 and 503 would only hold its user up. */
void sh_s3_fail_store(sh_s3 *s3, const sh_err *err)
{
    const char *operation = s3->operation ? s3->operation->name : "S3";
    if (err->status == SH_E_NOT_FOUND) {
        sh_s3_fail_not_found(s3);
        return;
    }
    sh_log(SH_LOG_ERROR, "s3", "%s, request %s: %s", operation, sh_http_request_id(s3->http), err->message);
    if (err->status == SH_E_FULL)
        sh_s3_fail(
            s3, 507, "InsufficientStorage",
            "There is no space left on the server's disk; nothing was stored. Free space and try again.");
    else
        sh_s3_fail(
            s3, 500, "InternalError",
            "We encountered an internal error. The server's log has the reason under this request id.");
}

void sh_s3_answer_xml(sh_s3 *s3, sh_buf *out)
{
    if (out->failed) {
        sh_s3_fail(s3, 500, "InternalError", "The answer is too large");
    } else {
        common_fields(s3->http);
        sh_http_add_field(s3->http, "Content-Type", "application/xml");
        sh_http_answer(s3->http, 200, sh_buf_cstr(out), out->length);
    }
    sh_buf_free(out);
}

void sh_s3_answer_empty(sh_s3 *s3, int status)
{
    common_fields(s3->http);
    sh_http_answer(s3->http, status, "", 0);
}

void sh_s3_answer_bytes(sh_s3 *s3, int status, const void *bytes, size_t length)
{
    common_fields(s3->http);
    sh_http_answer(s3->http, status, bytes, length);
}

void sh_s3_begin_xml(sh_buf *out, const char *root)
{
    sh_buf_init(out, SH_S3_ANSWER_MAX);
    sh_xml_begin(out);
    sh_buf_printf(out, "<%s " SH_S3_XMLNS ">", root);
}

void sh_s3_field_quoted(sh_s3 *s3, const char *name, const char *value)
{
    char *text = sh_arena_printf(s3->arena, "\"%s\"", value);
    if (text)
        sh_http_add_field(s3->http, name, text);
}

void sh_s3_put_time(sh_buf *out, const char *name, int64_t ms)
{
    char text[SH_TIME_TEXT];
    sh_time_iso_ms(ms, text);
    sh_xml_put(out, name, text);
}

void sh_s3_put_etag(sh_buf *out, const char *etag)
{
    sh_buf_printf(out, "<ETag>&quot;%s&quot;</ETag>", etag);
}

void sh_s3_put_owner(sh_buf *out, const sh_s3 *s3, const char *name)
{
    char id[SH_CANONICAL_ID];
    sh_canonical_id(s3->objects.account, id);
    sh_xml_open(out, name);
    sh_xml_put(out, "ID", id);
    sh_xml_put(out, "DisplayName", s3->objects.account);
    sh_xml_close(out, name);
}

bool sh_s3_need_bucket(sh_s3 *s3, sh_bucket *bucket)
{
    const sh_bucket_rules *rules = sh_s3_need_rules(s3);
    if (rules)
        *bucket = rules->bucket;
    return rules != NULL;
}

const sh_xml *sh_s3_need_xml(sh_s3 *s3, const char *root)
{
    sh_xml *node;
    sh_err err = {0};
    if (sh_xml_parse(s3->body, s3->body_length, s3->arena, &node, &err) < 0) {
        sh_s3_fail(s3, 400, "MalformedXML", "The XML you provided was not well-formed: %s", err.message);
        return NULL;
    }
    if (strcmp(node->name, root) != 0) {
        sh_s3_fail(s3, 400, "MalformedXML",
                   "The XML you provided did not validate against our published schema: <%.60s> stands where "
                   "<%s> should",
                   node->name, root);
        return NULL;
    }
    return node;
}

bool sh_s3_int_param(sh_s3 *s3, const char *name, int64_t min, int64_t max, int64_t otherwise, int64_t *out)
{
    const char *text = sh_http_param_get(s3->head, name);
    int64_t value = otherwise;
    if (text && *text && !sh_parse_i64(text, strlen(text), min, max, &value)) {
        sh_s3_fail(s3, 400, "InvalidArgument", "Argument %s must be an integer between %lld and %lld", name,
                   (long long)min, (long long)max);
        return false;
    }
    *out = value;
    return true;
}
