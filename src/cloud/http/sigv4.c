/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Canonical request = method, path, query sorted, signed fields, their names, payload hash, a line each. S3
 * takes the path as the client sent it (decoded and encoded once, so that "%7e" and "~" are the same); other
 * services sign the path after dot segments and double slashes are removed, encoded a second time. The string
 * to sign holds the canonical request's hash, and the key is derived from secret, day, region and service. */
#include "cloud/http/sigv4.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/size.h"
#include "cloud/http/condition.h"
#include "cloud/http/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ALGORITHM "AWS4-HMAC-SHA256"
enum { CANONICAL_MAX = 256 * 1024, EXPIRES_MAX = 604800 };

/* ---- reading the claim ---- */

bool sh_sigv4_stamp_parse(const char *text, int64_t *ms)
{
    char iso[] = "0000-00-00T00:00:00Z";
    if (strlen(text) != 16 || text[8] != 'T' || text[15] != 'Z')
        return false;
    memcpy(iso, text, 4);
    memcpy(iso + 5, text + 4, 2);
    memcpy(iso + 8, text + 6, 2);
    memcpy(iso + 11, text + 9, 2);
    memcpy(iso + 14, text + 11, 2);
    memcpy(iso + 17, text + 13, 2);
    return sh_time_parse_iso(iso, sizeof(iso) - 1, ms);
}

void sh_sigv4_payload_parse(sh_sigv4 *out)
{
    const char *text = out->payload;
    if (!text) {
        out->payload_kind = SH_PAYLOAD_ABSENT;
    } else if (strcmp(text, "UNSIGNED-PAYLOAD") == 0) {
        out->payload_kind = SH_PAYLOAD_UNSIGNED;
    } else if (strcmp(text, "STREAMING-" ALGORITHM "-PAYLOAD") == 0) {
        out->payload_kind = SH_PAYLOAD_CHUNKS;
    } else if (strcmp(text, "STREAMING-" ALGORITHM "-PAYLOAD-TRAILER") == 0) {
        out->payload_kind = SH_PAYLOAD_CHUNKS_TRAILER;
    } else if (strcmp(text, "STREAMING-UNSIGNED-PAYLOAD-TRAILER") == 0) {
        out->payload_kind = SH_PAYLOAD_UNSIGNED_TRAILER;
    } else if (strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64) {
        out->payload_kind = SH_PAYLOAD_HASH;
    } else {
        out->payload_kind = SH_PAYLOAD_INVALID;
    }
}

/* <key>/<date>/<region>/<service>/aws4_request, where the key may hold slashes. */
bool sh_sigv4_credential_parse(sh_sigv4 *out, sh_arena *arena, const char *text)
{
    char *copy = sh_arena_strdup(arena, text);
    char *parts[4];
    if (!copy)
        return false;
    for (int i = 3; i >= 0; i--) {
        parts[i] = strrchr(copy, '/');
        if (!parts[i])
            return false;
        *parts[i]++ = '\0';
    }
    out->access_key = copy;
    out->date = parts[0];
    out->region = parts[1];
    out->service = parts[2];
    return *copy && strlen(out->date) == 8 && strspn(out->date, "0123456789") == 8 && *out->region &&
           *out->service && strcmp(parts[3], "aws4_request") == 0;
}

static sh_auth_fault bad(sh_auth_fault fault, const char **message, const char *text)
{
    *message = text;
    return fault;
}

/* One "Name=value" of the Authorization field. */
static sh_auth_fault read_component(sh_sigv4 *out, sh_arena *arena, const char *text, const char **message)
{
    const char *value = strchr(text, '=');
    if (!value)
        return bad(SH_AUTH_MALFORMED, message,
                   "The authorization header is malformed; a component is not of the form Name=Value");
    size_t name = (size_t)(value++ - text);
    if (name == 10 && memcmp(text, "Credential", name) == 0) {
        if (!sh_sigv4_credential_parse(out, arena, value))
            return bad(SH_AUTH_MALFORMED, message,
                       "The authorization header is malformed; the Credential is mal-formed; expecting "
                       "\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".");
    } else if (name == 13 && memcmp(text, "SignedHeaders", name) == 0) {
        out->signed_fields = value;
    } else if (name == 9 && memcmp(text, "Signature", name) == 0) {
        out->signature = value;
    } else {
        return bad(SH_AUTH_MALFORMED, message, "The authorization header is malformed; unknown component");
    }
    return SH_AUTH_OK;
}

static sh_auth_fault read_date(sh_sigv4 *out, const sh_http_head *head, sh_arena *arena, const char **message)
{
    const char *stamp = sh_http_field_get(head, "x-amz-date");
    if (!stamp) {
        /* A client may sign the Date field instead; the string to sign then has its time in the short form.
         */
        const char *date = sh_http_field_get(head, "date");
        if (!date || !sh_http_date_parse(date, &out->time_ms))
            return bad(SH_AUTH_DATE, message,
                       "AWS authentication requires a valid Date or x-amz-date header");
        char iso[SH_TIME_TEXT];
        sh_time_iso_s(out->time_ms, iso);
        stamp = sh_arena_printf(arena, "%.4s%.2s%.2sT%.2s%.2s%.2sZ", iso, iso + 5, iso + 8, iso + 11,
                                iso + 14, iso + 17);
    } else if (!sh_sigv4_stamp_parse(stamp, &out->time_ms)) {
        return bad(SH_AUTH_DATE, message, "AWS authentication requires a valid Date or x-amz-date header");
    }
    if (!stamp)
        return bad(SH_AUTH_MEMORY, message, "no memory");
    if (strncmp(stamp, out->date, 8) != 0) {
        char *text = sh_arena_printf(arena,
                                     "The authorization header is malformed; Invalid credential date \"%s\". "
                                     "This date is not the same as X-Amz-Date: \"%.8s\".",
                                     out->date, stamp);
        return bad(SH_AUTH_MALFORMED, message, text ? text : "no memory");
    }
    out->stamp = stamp;
    return SH_AUTH_OK;
}

static sh_auth_fault parse_field(const sh_http_head *head, const char *field, sh_arena *arena, sh_sigv4 *out,
                                 const char **message)
{
    if (strncmp(field, ALGORITHM, sizeof(ALGORITHM) - 1) != 0 ||
        (field[sizeof(ALGORITHM) - 1] != ' ' && field[sizeof(ALGORITHM) - 1] != '\0'))
        return bad(SH_AUTH_UNSUPPORTED, message,
                   "The authorization mechanism you have provided is not supported. Please use " ALGORITHM
                   ".");
    for (const char *at = field + sizeof(ALGORITHM) - 1; *(at += strspn(at, ", "));) {
        size_t length = strcspn(at, ", ");
        const char *part = sh_arena_strndup(arena, at, length);
        if (!part)
            return bad(SH_AUTH_MEMORY, message, "no memory");
        sh_auth_fault fault = read_component(out, arena, part, message);
        if (fault)
            return fault;
        at += length;
    }
    if (!out->access_key || !out->signed_fields || !out->signature)
        return bad(SH_AUTH_MALFORMED, message,
                   "The authorization header is malformed; the authorization header requires three "
                   "components: Credential, SignedHeaders, and Signature.");
    out->payload = sh_http_field_get(head, "x-amz-content-sha256");
    out->token = sh_http_field_get(head, "x-amz-security-token");
    sh_sigv4_payload_parse(out);
    return read_date(out, head, arena, message);
}

static sh_auth_fault read_expires(const char *text, int64_t *seconds, const char **message)
{
    size_t length = strlen(text);
    if (!sh_parse_i64(text, length, INT64_MIN, INT64_MAX, seconds) &&
        strspn(text, "0123456789") != (length ? length : 1))
        return bad(SH_AUTH_QUERY, message, "X-Amz-Expires should be a number");
    if (text[0] == '-')
        return bad(SH_AUTH_QUERY, message, "X-Amz-Expires must be non-negative");
    if (!sh_parse_i64(text, length, 0, EXPIRES_MAX, seconds))
        return bad(SH_AUTH_QUERY, message,
                   "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires "
                   "must be less than 604800 seconds");
    return SH_AUTH_OK;
}

static sh_auth_fault parse_query(const sh_http_head *head, sh_arena *arena, sh_sigv4 *out,
                                 const char **message)
{
    const char *algorithm = sh_http_param_get(head, "X-Amz-Algorithm");
    const char *credential = sh_http_param_get(head, "X-Amz-Credential");
    const char *expires = sh_http_param_get(head, "X-Amz-Expires");
    out->presigned = true;
    out->stamp = sh_http_param_get(head, "X-Amz-Date");
    out->signed_fields = sh_http_param_get(head, "X-Amz-SignedHeaders");
    out->signature = sh_http_param_get(head, "X-Amz-Signature");
    out->token = sh_http_param_get(head, "X-Amz-Security-Token");
    if (!algorithm || !credential || !expires || !out->stamp || !out->signed_fields || !out->signature)
        return bad(SH_AUTH_QUERY, message,
                   "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
                   "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.");
    if (strcmp(algorithm, ALGORITHM) != 0)
        return bad(SH_AUTH_QUERY, message,
                   "X-Amz-Algorithm only supports \"" ALGORITHM " and AWS4-ECDSA-P256-SHA256\"");
    if (!sh_sigv4_credential_parse(out, arena, credential))
        return bad(SH_AUTH_QUERY, message,
                   "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting "
                   "\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".");
    sh_auth_fault fault = read_expires(expires, &out->expires_s, message);
    if (fault)
        return fault;
    if (!sh_sigv4_stamp_parse(out->stamp, &out->time_ms))
        return bad(SH_AUTH_QUERY, message,
                   "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
    if (strncmp(out->stamp, out->date, 8) != 0)
        return bad(SH_AUTH_QUERY, message, "Date in Credential scope does not match X-Amz-Date");
    out->payload = sh_http_param_get(head, "X-Amz-Content-Sha256");
    if (!out->payload)
        out->payload = sh_http_field_get(head, "x-amz-content-sha256");
    if (!out->payload)
        out->payload = "UNSIGNED-PAYLOAD";
    sh_sigv4_payload_parse(out);
    return SH_AUTH_OK;
}

sh_auth_fault sh_sigv4_parse(const sh_http_head *head, sh_arena *arena, sh_sigv4 *out, const char **message)
{
    const char *field = sh_http_field_get(head, "authorization");
    bool query = sh_http_param_has(head, "X-Amz-Algorithm") || sh_http_param_has(head, "X-Amz-Signature") ||
                 sh_http_param_has(head, "X-Amz-Credential");
    *out = (sh_sigv4){.version = 4};
    if (field && *field && (query || sh_http_param_has(head, "AWSAccessKeyId")))
        return bad(SH_AUTH_ARGUMENT, message,
                   "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature "
                   "query string parameter or the Authorization header should be specified");
    if (field && sh_http_field_total(head, "authorization") > 1)
        return bad(SH_AUTH_MALFORMED, message, "The authorization header is malformed; there are two");
    if (field && *field)
        return parse_field(head, field, arena, out, message);
    if (query)
        return parse_query(head, arena, out, message);
    if (sh_http_param_has(head, "AWSAccessKeyId") && sh_http_param_has(head, "Signature"))
        return bad(SH_AUTH_UNSUPPORTED, message,
                   "The authorization mechanism you have provided is not supported. Please use " ALGORITHM
                   ".");
    return bad(SH_AUTH_MISSING, message, "Missing Authentication Token");
}

sh_auth_fault sh_sigv4_check_time(const sh_sigv4 *claim, int64_t now_ms, const char **message)
{
    if (claim->presigned) {
        if (claim->time_ms > now_ms + SH_SIGV4_SKEW_MS)
            return bad(SH_AUTH_NOT_YET, message, "Request is not yet valid");
        if (now_ms > claim->time_ms + claim->expires_s * 1000)
            return bad(SH_AUTH_EXPIRED, message, "Request has expired");
    } else if (claim->time_ms > now_ms + SH_SIGV4_SKEW_MS || claim->time_ms < now_ms - SH_SIGV4_SKEW_MS) {
        return bad(SH_AUTH_SKEWED, message,
                   "The difference between the request time and the current time is too large.");
    }
    return SH_AUTH_OK;
}

/* ---- canonical forms ---- */

/* Removes "//", "/./" and "/../" as RFC 3986 does. */
static char *normalised(sh_arena *arena, const char *path)
{
    char *out = sh_arena_alloc(arena, strlen(path) + 2);
    size_t used = 0;
    bool folder = true; /* the path ends in a folder: a slash is due at the end */
    if (!out)
        return NULL;
    for (const char *at = path; *at;) {
        size_t slashes = strspn(at, "/");
        size_t part = strcspn(at + slashes, "/");
        const char *text = at + slashes;
        at = text + part;
        folder = part == 0 || (part == 1 && *text == '.') || (part == 2 && memcmp(text, "..", 2) == 0);
        if (part == 2 && folder) {
            while (used > 0 && out[--used] != '/')
                ;
        } else if (!folder) {
            out[used++] = '/';
            memcpy(out + used, text, part);
            used += part;
        }
    }
    if (folder || used == 0)
        out[used++] = '/';
    out[used] = '\0';
    return out;
}

static const char *canonical_path(const char *path, bool s3, sh_arena *arena)
{
    if (!s3) {
        path = normalised(arena, path);
        return path ? sh_http_encode(arena, path, strlen(path), true) : NULL;
    }
    char *decoded = sh_http_decode(arena, path, strlen(path), false);
    return decoded ? sh_http_encode(arena, decoded, strlen(decoded), true) : path;
}

typedef struct pair {
    const char *name;
    const char *value;
} pair;

static int by_name_then_value(const void *a, const void *b)
{
    const pair *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : strcmp(x->value, y->value);
}

static const char *again_encoded(sh_arena *arena, const char *raw)
{
    char *text = sh_http_decode(arena, raw, strlen(raw), false);
    return text ? sh_http_encode(arena, text, strlen(text), false) : NULL;
}

static bool put_query(sh_buf *out, const sh_sigv4 *claim, const sh_http_head *head, sh_arena *arena)
{
    pair *pairs = sh_arena_alloc(arena, (head->param_count + 1) * sizeof(*pairs));
    size_t count = 0;
    if (!pairs)
        return false;
    for (size_t i = 0; i < head->param_count; i++) {
        const sh_http_param *param = &head->params[i];
        if (claim->presigned && strcmp(param->name, "X-Amz-Signature") == 0)
            continue;
        pairs[count].name = again_encoded(arena, param->raw_name);
        pairs[count].value = again_encoded(arena, param->raw_value);
        if (!pairs[count].name || !pairs[count].value)
            return false;
        count++;
    }
    qsort(pairs, count, sizeof(*pairs), by_name_then_value);
    for (size_t i = 0; i < count; i++)
        sh_buf_printf(out, "%s%s=%s", i ? "&" : "", pairs[i].name, pairs[i].value);
    return sh_buf_putc(out, '\n') == 0;
}

/* Value without blanks at its ends, runs of blanks as one. */
static void put_trimmed(sh_buf *out, const char *value)
{
    bool blank = false, any = false;
    for (; *value; value++) {
        if (*value == ' ' || *value == '\t') {
            blank = true;
            continue;
        }
        if (blank && any)
            sh_buf_putc(out, ' ');
        blank = false;
        any = true;
        sh_buf_putc(out, *value);
    }
}

static void put_fields(sh_buf *out, const sh_sigv4 *claim, const sh_http_head *head)
{
    for (const char *at = claim->signed_fields; *at;) {
        size_t length = strcspn(at, ";");
        bool first = true;
        sh_buf_append(out, at, length);
        sh_buf_putc(out, ':');
        for (size_t i = 0; i < head->field_count; i++) {
            const char *name = head->fields[i].name;
            if (strlen(name) != length || strncasecmp(name, at, length) != 0)
                continue;
            if (!first)
                sh_buf_putc(out, ',');
            first = false;
            put_trimmed(out, head->fields[i].value);
        }
        sh_buf_putc(out, '\n');
        at += length + (at[length] == ';');
    }
    sh_buf_printf(out, "\n%s\n", claim->signed_fields);
}

static char *canonical(const sh_sigv4 *claim, const sh_http_head *head, const char *path,
                       const char *payload_hash, sh_arena *arena)
{
    char *text = NULL;
    sh_buf out;
    sh_buf_init(&out, CANONICAL_MAX);
    sh_buf_printf(&out, "%s\n%s\n", head->method, path);
    if (put_query(&out, claim, head, arena)) {
        put_fields(&out, claim, head);
        if (sh_buf_puts(&out, payload_hash) == 0)
            text = sh_arena_strndup(arena, out.data, out.length);
    }
    sh_buf_free(&out);
    return text;
}

char *sh_sigv4_canonical(const sh_sigv4 *claim, const sh_http_head *head, const char *payload_hash, bool s3,
                         sh_arena *arena)
{
    const char *path = canonical_path(head->path, s3, arena);
    return path ? canonical(claim, head, path, payload_hash, arena) : NULL;
}

char *sh_sigv4_string_to_sign(const sh_sigv4 *claim, const char *canonical, sh_arena *arena)
{
    unsigned char hash[SH_DIGEST_BYTES];
    char hex[65];
    if (sh_digest_once(SH_DIGEST_SHA256, canonical, strlen(canonical), hash) != 32)
        return NULL;
    sh_hex(hash, 32, hex);
    return sh_arena_printf(arena, ALGORITHM "\n%s\n%s/%s/%s/aws4_request\n%s", claim->stamp, claim->date,
                           claim->region, claim->service, hex);
}

/* ---- signatures ---- */

static bool hmac(const void *key, size_t key_length, const char *text, size_t length, unsigned char out[32])
{
    unsigned out_length = 32;
    return HMAC(EVP_sha256(), key, (int)key_length, (const unsigned char *)text, length, out, &out_length) !=
           NULL;
}

bool sh_sigv4_key(const char *secret, const char *date, const char *region, const char *service,
                  unsigned char key[32])
{
    char first[4 + SH_SIGV4_SECRET_MAX] = "AWS4";
    size_t length = strlen(secret);
    if (length > SH_SIGV4_SECRET_MAX)
        return false;
    memcpy(first + 4, secret, length);
    bool made = hmac(first, 4 + length, date, strlen(date), key) &&
                hmac(key, 32, region, strlen(region), key) && hmac(key, 32, service, strlen(service), key) &&
                hmac(key, 32, "aws4_request", 12, key);
    OPENSSL_cleanse(first, sizeof(first));
    return made;
}

bool sh_sigv4_sign(const unsigned char key[32], const char *text, size_t length, char *hex)
{
    unsigned char mac[32];
    if (!hmac(key, 32, text, length, mac))
        return false;
    sh_hex(mac, 32, hex);
    return true;
}

static bool listed(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; *at;) {
        size_t part = strcspn(at, ";");
        if (part == length && strncasecmp(at, name, length) == 0)
            return true;
        at += part + (at[part] == ';');
    }
    return false;
}

const char *sh_sigv4_unsigned(const sh_sigv4 *claim, const sh_http_head *head, sh_arena *arena)
{
    sh_buf names;
    const char *text = NULL;
    sh_buf_init(&names, 16 * 1024);
    if (!listed(claim->signed_fields, "host"))
        sh_buf_puts(&names, "host");
    for (size_t i = 0; i < head->field_count; i++) {
        const char *name = head->fields[i].name;
        if (strncasecmp(name, "x-amz-", 6) == 0 && strcasecmp(name, "x-amz-content-sha256") != 0 &&
            !listed(claim->signed_fields, name))
            sh_buf_printf(&names, "%s%s", names.length ? ", " : "", name);
    }
    if (names.length || names.failed)
        text = sh_arena_strdup(arena, sh_buf_cstr(&names));
    bool any = names.length || names.failed;
    sh_buf_free(&names);
    return any && !text ? "x-amz-" : text; /* never fewer for want of memory */
}

/* claim->key is there. */
static sh_auth_fault compare(const sh_sigv4 *claim, const char *request, sh_arena *arena,
                             const char **message)
{
    char expected[65];
    char *text = request ? sh_sigv4_string_to_sign(claim, request, arena) : NULL;
    if (!text || !sh_sigv4_sign(claim->key, text, strlen(text), expected))
        return bad(SH_AUTH_MEMORY, message, "The request is too large to verify");
    if (strlen(claim->signature) != 64 || CRYPTO_memcmp(expected, claim->signature, 64) != 0)
        return bad(SH_AUTH_MISMATCH, message, SH_SIGV4_MISMATCH);
    return SH_AUTH_OK;
}

sh_auth_fault sh_sigv4_check(sh_sigv4 *claim, const sh_http_head *head, const char *secret,
                             const char *payload_hash, bool s3, sh_arena *arena, const char **message)
{
    if (!sh_sigv4_key(secret, claim->date, claim->region, claim->service, claim->key))
        return bad(SH_AUTH_MEMORY, message, "The request is too large to verify");
    sh_auth_fault fault =
        compare(claim, sh_sigv4_canonical(claim, head, payload_hash, s3, arena), arena, message);
    if (fault == SH_AUTH_MISMATCH && s3) /* clients that send "%2F" sign it, too */
        fault = compare(claim, canonical(claim, head, head->path, payload_hash, arena), arena, message);
    if (!fault && sh_sigv4_unsigned(claim, head, arena))
        return bad(SH_AUTH_UNSIGNED_FIELD, message,
                   "There were headers present in the request which were not signed");
    return fault;
}
