/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* String to sign: method, Content-MD5, Content-Type, date, a line each; the x-amz-* fields in lower case and
 * sorted, a line each; then the resource: bucket, path as it was sent, and the parameters that belong to the
 * resource, sorted and decoded. A client that presigns writes fields that it cannot send into the query;
 * there they count as the fields they stand for. */
#include "cloud/http/sigv2.h"
#include "base/buf.h"
#include "base/size.h"
#include "cloud/http/condition.h"
#include "cloud/http/digest.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { STRING_MAX = 256 * 1024, KEY_MAX = 128 };

/* Parameters that are signed, sorted. */
static const char *const signed_params[] = {
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "defaultObjectAcl",
    "delete",
    "inventory",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "partNumber",
    "policy",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "select",
    "select-type",
    "storageClass",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
};

static sh_auth_fault bad(sh_auth_fault fault, const char **message, const char *text)
{
    *message = text;
    return fault;
}

/* ---- reading the claim ---- */

bool sh_sigv2_claimed(const sh_http_head *head)
{
    const char *field = sh_http_field_get(head, "authorization");
    if (field && *field)
        return strncmp(field, "AWS", 3) == 0 && (field[3] == ' ' || field[3] == '\0');
    return sh_http_param_has(head, "AWSAccessKeyId") || sh_http_param_has(head, "Signature");
}

/* RFC 9110's forms, the zones that mean the same, and ISO 8601's basic form. */
static bool read_time(sh_arena *arena, const char *text, int64_t *ms)
{
    static const char *const zones[] = {" +0000", " -0000", " UTC"};
    size_t length = strlen(text);
    if (sh_http_date_parse(text, ms) || sh_sigv4_stamp_parse(text, ms))
        return true;
    for (size_t i = 0; i < SH_COUNT(zones); i++) {
        size_t tail = strlen(zones[i]);
        if (length <= tail || strcmp(text + length - tail, zones[i]) != 0)
            continue;
        char *plain = sh_arena_printf(arena, "%.*s GMT", (int)(length - tail), text);
        return plain && sh_http_date_parse(plain, ms);
    }
    return false;
}

static sh_auth_fault parse_field(const sh_http_head *head, const char *field, sh_arena *arena, sh_sigv2 *out,
                                 const char **message)
{
    const char *amz = sh_http_field_get(head, "x-amz-date");
    const char *date = amz ? amz : sh_http_field_get(head, "date");
    const char *text = field + 3 + strspn(field + 3, " ");
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text || !colon[1] || strchr(text, ' '))
        return bad(SH_AUTH_ARGUMENT, message,
                   "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature");
    if (colon - text > KEY_MAX)
        return bad(SH_AUTH_UNKNOWN_KEY, message,
                   "The AWS Access Key Id you provided does not exist in our records.");
    out->access_key = sh_arena_strndup(arena, text, (size_t)(colon - text));
    out->signature = colon + 1;
    out->token = sh_http_field_get(head, "x-amz-security-token");
    if (!out->access_key)
        return bad(SH_AUTH_MEMORY, message, "no memory");
    if (!date || !read_time(arena, date, &out->time_ms))
        return bad(SH_AUTH_DATE, message, "AWS authentication requires a valid Date or x-amz-date header");
    out->date = amz ? "" : date;
    return SH_AUTH_OK;
}

/* A field, or the parameter of that name in lower case that stands for it. */
static const char *field_or_param(const sh_http_head *head, const char *name, bool presigned)
{
    const char *value = sh_http_field_get(head, name);
    return value || !presigned ? value : sh_http_param_get(head, name);
}

static sh_auth_fault parse_query(const sh_http_head *head, sh_sigv2 *out, const char **message)
{
    int64_t expires;
    out->presigned = true;
    out->access_key = sh_http_param_get(head, "AWSAccessKeyId");
    out->signature = sh_http_param_get(head, "Signature");
    out->date = sh_http_param_get(head, "Expires");
    out->token = field_or_param(head, "x-amz-security-token", true);
    if (!out->access_key || !out->signature || !out->date)
        return bad(
            SH_AUTH_INCOMPLETE, message,
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters");
    if (!sh_parse_i64(out->date, strlen(out->date), 0, INT64_MAX / 1000, &expires))
        return bad(SH_AUTH_INCOMPLETE, message, "Invalid date (should be seconds since epoch)");
    out->time_ms = expires * 1000;
    return SH_AUTH_OK;
}

sh_auth_fault sh_sigv2_parse(const sh_http_head *head, sh_arena *arena, sh_sigv2 *out, const char **message)
{
    const char *field = sh_http_field_get(head, "authorization");
    *out = (sh_sigv2){0};
    if (field && *field)
        return parse_field(head, field, arena, out, message);
    return parse_query(head, out, message);
}

sh_auth_fault sh_sigv2_check_time(const sh_sigv2 *claim, int64_t now_ms, const char **message)
{
    if (claim->presigned)
        return now_ms <= claim->time_ms ? SH_AUTH_OK : bad(SH_AUTH_EXPIRED, message, "Request has expired");
    if (claim->time_ms > now_ms + SH_SIGV4_SKEW_MS || claim->time_ms < now_ms - SH_SIGV4_SKEW_MS)
        return bad(SH_AUTH_SKEWED, message,
                   "The difference between the request time and the current time is too large.");
    return SH_AUTH_OK;
}

/* ---- string to sign ---- */

typedef struct line {
    const char *name; /* in lower case */
    const char *value;
    size_t order; /* of coming: fields of one name keep it */
} line;

static int by_name(const void *a, const void *b)
{
    const line *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

static bool add_line(line *lines, size_t *count, sh_arena *arena, const char *name, const char *value)
{
    char *low = sh_arena_strdup(arena, name);
    if (!low)
        return false;
    for (char *c = low; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    lines[*count] = (line){low, value, *count};
    ++*count;
    return true;
}

static bool put_fields(sh_buf *out, const sh_sigv2 *claim, const sh_http_head *head, sh_arena *arena)
{
    size_t count = 0;
    line *lines = sh_arena_alloc(arena, (head->field_count + head->param_count + 1) * sizeof(*lines));
    if (!lines)
        return false;
    for (size_t i = 0; i < head->field_count; i++)
        if (strncasecmp(head->fields[i].name, "x-amz-", 6) == 0 &&
            !add_line(lines, &count, arena, head->fields[i].name, head->fields[i].value))
            return false;
    for (size_t i = 0; claim->presigned && i < head->param_count; i++)
        if (strncasecmp(head->params[i].name, "x-amz-", 6) == 0 &&
            !add_line(lines, &count, arena, head->params[i].name, head->params[i].value))
            return false;
    qsort(lines, count, sizeof(*lines), by_name);
    for (size_t i = 0; i < count; i++) {
        const char *value = lines[i].value + strspn(lines[i].value, " \t");
        size_t length = strlen(value);
        while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t'))
            length--;
        if (i > 0 && strcmp(lines[i].name, lines[i - 1].name) == 0) {
            out->length--; /* one line for fields of one name */
            sh_buf_putc(out, ',');
        } else {
            sh_buf_printf(out, "%s:", lines[i].name);
        }
        sh_buf_append(out, value, length);
        sh_buf_putc(out, '\n');
        if (out->failed)
            return false;
    }
    return true;
}

static void put_resource(sh_buf *out, const sh_http_head *head, const char *host_bucket)
{
    char mark = '?';
    if (host_bucket)
        sh_buf_printf(out, "/%s", host_bucket);
    sh_buf_puts(out, head->path);
    for (size_t i = 0; i < SH_COUNT(signed_params); i++) {
        for (size_t j = 0; j < head->param_count; j++) {
            const sh_http_param *param = &head->params[j];
            if (strcmp(param->name, signed_params[i]) != 0)
                continue;
            sh_buf_printf(out, "%c%s", mark, param->name);
            if (param->has_value)
                sh_buf_printf(out, "=%s", param->value);
            mark = '&';
        }
    }
}

char *sh_sigv2_string_to_sign(const sh_sigv2 *claim, const sh_http_head *head, const char *host_bucket,
                              sh_arena *arena)
{
    char *text = NULL;
    sh_buf out;
    const char *md5 = field_or_param(head, "content-md5", claim->presigned);
    const char *type = field_or_param(head, "content-type", claim->presigned);
    sh_buf_init(&out, STRING_MAX);
    sh_buf_printf(&out, "%s\n%s\n%s\n%s\n", head->method, md5 ? md5 : "", type ? type : "", claim->date);
    if (!out.failed && put_fields(&out, claim, head, arena)) {
        put_resource(&out, head, host_bucket);
        if (!out.failed)
            text = sh_arena_strndup(arena, out.data, out.length);
    }
    sh_buf_free(&out);
    return text;
}

/* ---- signatures ---- */

bool sh_sigv2_sign(const char *secret, const char *string, size_t length, char *text)
{
    unsigned char mac[20];
    unsigned mac_length = sizeof(mac);
    if (!HMAC(EVP_sha1(), secret, (int)strlen(secret), (const unsigned char *)string, length, mac,
              &mac_length))
        return false;
    sh_base64(mac, sizeof(mac), text);
    return true;
}

static sh_auth_fault compare(const sh_sigv2 *claim, const char *text, const char *secret,
                             const char **message)
{
    char expected[SH_SIGV2_TEXT];
    if (!text || strlen(secret) > SH_SIGV4_SECRET_MAX || !sh_sigv2_sign(secret, text, strlen(text), expected))
        return bad(SH_AUTH_MEMORY, message, "The request is too large to verify");
    if (strlen(claim->signature) != strlen(expected) ||
        CRYPTO_memcmp(expected, claim->signature, strlen(expected)) != 0)
        return bad(SH_AUTH_MISMATCH, message, SH_SIGV4_MISMATCH);
    return SH_AUTH_OK;
}

sh_auth_fault sh_sigv2_check(const sh_sigv2 *claim, const sh_http_head *head, const char *host_bucket,
                             const char *secret, sh_arena *arena, const char **message)
{
    char *text = sh_sigv2_string_to_sign(claim, head, host_bucket, arena);
    sh_auth_fault fault = compare(claim, text, secret, message);
    if (fault != SH_AUTH_MISMATCH || host_bucket || !head->path[1] || strchr(head->path + 1, '/'))
        return fault;
    sh_http_head folder = *head; /* clients that send "/bucket" sign "/bucket/" */
    folder.path = sh_arena_printf(arena, "%s/", head->path);
    text = folder.path ? sh_sigv2_string_to_sign(claim, &folder, NULL, arena) : NULL;
    return compare(claim, text, secret, message);
}
