/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is it? A request is signed with Signature Version 4 (field or query), with Version 2 (S3 only), or by
 * nobody (S3 only, where policies decide what anybody may do). Errors of S3 follow "Error responses" of its
 * API reference: each says what a client needs to find its mistake, and nothing that only the owner of the
 * key may know. */
#include "base/log.h"
#include "base/size.h"
#include "cloud/api/front_call.h"
#include "cloud/api/iam.h"

#include <stdio.h>
#include <string.h>

#define UNKNOWN_KEY "The AWS Access Key Id you provided does not exist in our records."
enum { DETAILS_MAX = 8, TOLD_MAX = 16 * 1024 };

/* ---- claims ---- */

static void read_version_2(front_call *call)
{
    sh_sigv4 *claim = &call->claim;
    call->fault = sh_sigv2_parse(call->head, sh_http_request_arena(call->http), &call->old, &call->message);
    claim->version = 2;
    claim->presigned = call->old.presigned;
    claim->access_key = call->old.access_key;
    claim->token = call->old.token;
}

/* Such a request need not speak of its body; if it does, it is held to it. */
static void settle_payload(front_call *call)
{
    sh_sigv4 *claim = &call->claim;
    claim->signed_fields = claim->signature = claim->stamp = claim->date = claim->region = "";
    claim->payload = sh_http_field_get(call->head, "x-amz-content-sha256");
    if (!claim->payload)
        claim->payload = "UNSIGNED-PAYLOAD";
    sh_sigv4_payload_parse(claim);
    if (claim->payload_kind == SH_PAYLOAD_CHUNKS || claim->payload_kind == SH_PAYLOAD_CHUNKS_TRAILER)
        claim->payload_kind = SH_PAYLOAD_INVALID; /* chunks are signed with a key of Version 4 */
}

static bool known_kind(const char *field)
{
    return strncmp(field, "AWS4-HMAC-SHA256", 16) == 0;
}

void sh_front_read_claim(front_call *call)
{
    const sh_http_head *head = call->head;
    sh_arena *arena = sh_http_request_arena(call->http);
    const char *field = sh_http_field_get(head, "authorization");
    bool query = sh_http_param_has(head, "X-Amz-Algorithm") || sh_http_param_has(head, "X-Amz-Signature") ||
                 sh_http_param_has(head, "X-Amz-Credential");
    bool other = field && *field && !known_kind(field);
    bool both = field && *field && (query || sh_http_param_has(head, "AWSAccessKeyId"));
    if (sh_http_field_total(head, "authorization") > 1 || both || (!other && field && *field) ||
        (query && !sh_sigv2_claimed(head))) {
        call->fault = sh_sigv4_parse(head, arena, &call->claim, &call->message);
        return;
    }
    if (sh_sigv2_claimed(head)) {
        read_version_2(call);
    } else if (other) {
        call->fault = SH_AUTH_ARGUMENT;
        call->message = "Unsupported Authorization Type";
    }
    settle_payload(call);
}

void sh_front_fill_caller(front_call *call)
{
    call->caller.source_ip = sh_http_request_client(call->http);
    call->caller.secure = sh_http_secure(call->http);
    call->caller.user_agent = sh_http_field_get(call->head, "user-agent");
    call->caller.referer = sh_http_field_get(call->head, "referer");
}

sh_auth_fault sh_front_find_caller(front_call *call, const char **secret, const char **message)
{
    sh_err err = {0};
    const sh_sigv4 *claim = &call->claim;
    switch (sh_caller_by_key(call->front->cloud, claim->access_key, claim->token,
                             sh_http_request_arena(call->http), &call->caller, secret, &err)) {
    case SH_KEY_GOOD:
        break;
    case SH_KEY_UNKNOWN:
        *message = UNKNOWN_KEY;
        return SH_AUTH_UNKNOWN_KEY;
    case SH_KEY_BAD_TOKEN: /* a temporary key is nobody's without its token */
        *message = claim->token ? "The provided token is malformed or otherwise invalid." : UNKNOWN_KEY;
        return claim->token ? SH_AUTH_BAD_TOKEN : SH_AUTH_UNKNOWN_KEY;
    case SH_KEY_EXPIRED:
        *message = "The provided token has expired.";
        return SH_AUTH_EXPIRED_TOKEN;
    default:
        sh_log(SH_LOG_ERROR, "front", "%s", err.message);
        *message = "no memory";
        return SH_AUTH_MEMORY;
    }
    sh_front_fill_caller(call);
    return SH_AUTH_OK;
}

/* ---- checks ---- */

/* The services of a whole partition are signed for us-east-1, wherever the server says it is. */
static bool region_fits(const front_call *call, const char *service)
{
    const char *region = call->claim.region;
    const sh_query_service *query = sh_query_find(service);
    return strcmp(region, call->front->cloud->settings.region) == 0 ||
           (query && !query->dialect && strcmp(region, "us-east-1") == 0);
}

static sh_auth_fault check_scope(front_call *call, bool s3, const char *service, const char **message)
{
    sh_arena *arena = sh_http_request_arena(call->http);
    const sh_sigv4 *claim = &call->claim;
    const char *where = !s3                ? ""
                        : claim->presigned ? "Error parsing the X-Amz-Credential parameter; "
                                           : "The authorization header is malformed; ";
    if (!region_fits(call, service)) {
        *message = sh_arena_printf(arena, "%sthe region '%.60s' is wrong; expecting '%s'", where,
                                   claim->region, call->front->cloud->settings.region);
        return SH_AUTH_REGION;
    }
    if (strcmp(claim->service, service) != 0) {
        *message =
            s3 ? sh_arena_printf(arena, "%sincorrect service \"%.60s\". This endpoint belongs to \"%s\".",
                                 where, claim->service, service)
               : sh_arena_printf(arena, "incorrect service '%.60s'; this request belongs to '%s'",
                                 claim->service, service);
        return SH_AUTH_SERVICE;
    }
    return SH_AUTH_OK;
}

sh_auth_fault sh_front_authenticate(front_call *call, const char *payload_hash, bool s3, const char *service,
                                    const char **message)
{
    sh_sigv4 *claim = &call->claim;
    const char *secret = NULL;
    int64_t now = sh_now_ms(call->front->cloud->clock);
    sh_auth_fault fault = call->fault;
    *message = call->message;
    if (!fault && claim->version == 2 && !s3) {
        *message = "Signature Version 2 is not supported by this service";
        return SH_AUTH_UNSUPPORTED;
    }
    if (!fault && claim->version == 4 && (fault = check_scope(call, s3, service, message)) == SH_AUTH_OK)
        fault = sh_sigv4_check_time(claim, now, message);
    if (!fault && claim->version == 2)
        fault = sh_sigv2_check_time(&call->old, now, message);
    if (!fault && claim->version == 0) {
        *message = "Missing Authentication Token";
        return SH_AUTH_MISSING;
    }
    if (!fault)
        fault = sh_front_find_caller(call, &secret, message);
    if (!fault && claim->version == 2)
        fault = sh_sigv2_check(&call->old, call->head, call->host_bucket, secret,
                               sh_http_request_arena(call->http), message);
    else if (!fault)
        fault = sh_sigv4_check(claim, call->head, secret, payload_hash, s3, sh_http_request_arena(call->http),
                               message);
    if (!fault)
        sh_iam_used(call->front->cloud, &call->caller, service);
    return fault;
}

/* ---- S3's answers ---- */

typedef struct telling {
    front_call *call;
    sh_s3_detail details[DETAILS_MAX];
    size_t count;
} telling;

static void tell(telling *t, const char *name, const char *value)
{
    if (value && t->count < DETAILS_MAX)
        t->details[t->count++] = (sh_s3_detail){name, value};
}

static void tell_time(telling *t, const char *name, int64_t ms)
{
    char text[SH_TIME_TEXT];
    sh_time_iso_s(ms, text);
    tell(t, name, sh_arena_strdup(sh_http_request_arena(t->call->http), text));
}

/* "47 45 54": so that a client sees a blank or line end too many. */
static const char *bytes_of(sh_arena *arena, const char *text)
{
    static const char digits[] = "0123456789abcdef";
    size_t length = strlen(text);
    char *out = sh_arena_alloc(arena, length * 3 + 1), *at = out;
    if (!out)
        return NULL;
    for (size_t i = 0; i < length; i++) {
        *at++ = digits[(unsigned char)text[i] >> 4];
        *at++ = digits[(unsigned char)text[i] & 15];
        *at++ = ' ';
    }
    at[length ? -1 : 0] = '\0';
    return out;
}

static void tell_text(telling *t, const char *name, const char *bytes_name, const char *text)
{
    sh_arena *arena = sh_http_request_arena(t->call->http);
    if (!text || strlen(text) > TOLD_MAX)
        return;
    char *said = sh_arena_strdup(arena, text);
    if (said)
        sh_text_mend(said);
    tell(t, name, said);
    tell(t, bytes_name, bytes_of(arena, text));
}

static void tell_mismatch(telling *t)
{
    front_call *call = t->call;
    const sh_sigv4 *claim = &call->claim;
    sh_arena *arena = sh_http_request_arena(call->http);
    bool old = claim->version == 2;
    const char *canonical =
        old ? NULL : sh_sigv4_canonical(claim, call->head, claim->payload ? claim->payload : "", true, arena);
    const char *text = old         ? sh_sigv2_string_to_sign(&call->old, call->head, call->host_bucket, arena)
                       : canonical ? sh_sigv4_string_to_sign(claim, canonical, arena)
                                   : NULL;
    tell(t, "AWSAccessKeyId", claim->access_key);
    tell(t, "SignatureProvided", old ? call->old.signature : claim->signature);
    tell_text(t, "StringToSign", "StringToSignBytes", text);
    tell_text(t, "CanonicalRequest", "CanonicalRequestBytes", canonical);
}

static void tell_times(telling *t, sh_auth_fault fault)
{
    front_call *call = t->call;
    const sh_sigv4 *claim = &call->claim;
    bool old = claim->version == 2;
    int64_t now = sh_now_ms(call->front->cloud->clock);
    if (fault == SH_AUTH_SKEWED) {
        const char *amz = sh_http_field_get(call->head, "x-amz-date");
        tell(t, "RequestTime", old ? (amz ? amz : call->old.date) : claim->stamp);
        tell_time(t, "ServerTime", now);
        tell(t, "MaxAllowedSkewMilliseconds", "900000");
        return;
    }
    if (!old)
        tell(t, "X-Amz-Expires", sh_http_param_get(call->head, "X-Amz-Expires"));
    tell_time(t, "Expires", old ? call->old.time_ms : claim->time_ms + claim->expires_s * 1000);
    tell_time(t, "ServerTime", now);
}

static void tell_fault(telling *t, sh_auth_fault fault)
{
    front_call *call = t->call;
    const char *field = sh_http_field_get(call->head, "authorization");
    switch (fault) {
    case SH_AUTH_REGION:
        tell(t, "Region", call->front->cloud->settings.region);
        break;
    case SH_AUTH_UNKNOWN_KEY:
        tell(t, "AWSAccessKeyId", call->claim.access_key);
        break;
    case SH_AUTH_MISMATCH:
        tell_mismatch(t);
        break;
    case SH_AUTH_SKEWED:
    case SH_AUTH_EXPIRED:
    case SH_AUTH_NOT_YET:
        tell_times(t, fault);
        break;
    case SH_AUTH_ARGUMENT:
        tell(t, "ArgumentName", "Authorization");
        tell(t, "ArgumentValue", field && strlen(field) < TOLD_MAX ? field : "");
        break;
    case SH_AUTH_UNSIGNED_FIELD:
        tell(t, "HeadersNotSigned",
             sh_sigv4_unsigned(&call->claim, call->head, sh_http_request_arena(call->http)));
        break;
    case SH_AUTH_BAD_TOKEN:
    case SH_AUTH_EXPIRED_TOKEN:
        tell(t, "Token-0", call->claim.token);
        break;
    default:
        break;
    }
}

void sh_front_refuse_s3(front_call *call, sh_auth_fault fault, const char *message)
{
    static const struct {
        sh_auth_fault fault;
        int status;
        const char *code;
    } rows[] = {
        {SH_AUTH_MALFORMED, 400, "AuthorizationHeaderMalformed"},
        {SH_AUTH_REGION, 400, "AuthorizationHeaderMalformed"},
        {SH_AUTH_SERVICE, 400, "AuthorizationHeaderMalformed"},
        {SH_AUTH_QUERY, 400, "AuthorizationQueryParametersError"},
        {SH_AUTH_UNSUPPORTED, 400, "InvalidRequest"},
        {SH_AUTH_ARGUMENT, 400, "InvalidArgument"},
        {SH_AUTH_SKEWED, 403, "RequestTimeTooSkewed"},
        {SH_AUTH_UNKNOWN_KEY, 403, "InvalidAccessKeyId"},
        {SH_AUTH_BAD_TOKEN, 400, "InvalidToken"},
        {SH_AUTH_EXPIRED_TOKEN, 400, "ExpiredToken"},
        {SH_AUTH_MISMATCH, 403, "SignatureDoesNotMatch"},
        {SH_AUTH_MEMORY, 500, "InternalError"},
    };
    telling t = {.call = call};
    int status = 403;
    const char *code = "AccessDenied";
    bool scope = fault == SH_AUTH_REGION || fault == SH_AUTH_SERVICE;
    for (size_t i = 0; i < SH_COUNT(rows); i++)
        if (rows[i].fault == fault) {
            status = rows[i].status;
            code = scope && call->claim.presigned ? "AuthorizationQueryParametersError" : rows[i].code;
        }
    tell_fault(&t, fault);
    sh_s3_refuse_with(call->http, status, code, message, t.details, t.count);
}
