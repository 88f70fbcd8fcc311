/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/api/s3_checksum.h"
#include "base/size.h"
#include "cloud/http/chunked.h"
#include "cloud/http/digest.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
    unsigned one;
    const char *name;
    const char *said; /* in messages */
} algorithms[] = {
    {SH_DIGEST_CRC32, "crc32", "CRC32"},
    {SH_DIGEST_CRC32C, "crc32c", "CRC32C"},
    {SH_DIGEST_CRC64NVME, "crc64nvme", "CRC64NVME"},
    {SH_DIGEST_SHA1, "sha1", "SHA1"},
    {SH_DIGEST_SHA256, "sha256", "SHA256"},
};
static const char prefix[] = "x-amz-checksum-";

unsigned sh_s3_digest_of(const char *algorithm)
{
    for (size_t i = 0; i < SH_COUNT(algorithms); i++)
        if (strcasecmp(algorithms[i].name, algorithm) == 0)
            return algorithms[i].one;
    return 0;
}

unsigned sh_s3_digest_of_checksum(const char *checksum)
{
    size_t length = checksum ? strcspn(checksum, "= ") : 0;
    for (size_t i = 0; i < SH_COUNT(algorithms); i++)
        if (strlen(algorithms[i].name) == length && strncmp(algorithms[i].name, checksum, length) == 0)
            return algorithms[i].one;
    return 0;
}

const char *sh_s3_digest_name(unsigned one)
{
    for (size_t i = 0; i < SH_COUNT(algorithms); i++)
        if (algorithms[i].one == one)
            return algorithms[i].name;
    return NULL;
}

const char *sh_s3_digest_said(unsigned one)
{
    for (size_t i = 0; i < SH_COUNT(algorithms); i++)
        if (algorithms[i].one == one)
            return algorithms[i].said;
    return "null";
}

bool sh_s3_asked_algorithm(sh_s3 *s3, unsigned *out)
{
    const char *name = sh_http_field_get(s3->head, "x-amz-checksum-algorithm");
    unsigned one = name ? sh_s3_digest_of(name) : 0;
    if (name && !one) {
        sh_s3_fail(
            s3, 400, "InvalidRequest",
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
            "[CRC32, CRC32C, CRC64NVME, SHA1, SHA256]");
        return false;
    }
    *out = one;
    return true;
}

/* ---- claims ---- */

/* Fields named x-amz-checksum-… that bring no checksum. */
static bool is_setting(const char *tail)
{
    return strcasecmp(tail, "algorithm") == 0 || strcasecmp(tail, "type") == 0 ||
           strcasecmp(tail, "mode") == 0;
}

static size_t digest_bytes(unsigned one)
{
    return one == SH_DIGEST_SHA256 ? 32 : one == SH_DIGEST_SHA1 ? 20 : one == SH_DIGEST_CRC64NVME ? 8 : 4;
}

static bool value_valid(sh_s3 *s3, unsigned one, const char *value)
{
    unsigned char parsed[SH_DIGEST_BYTES];
    if (sh_base64_decode(value, strlen(value), parsed, sizeof(parsed)) == (int)digest_bytes(one))
        return true;
    sh_s3_fail(s3, 400, "InvalidRequest", "Value for %s%s header is invalid.", prefix,
               sh_s3_digest_name(one));
    return false;
}

/* The field of the head with a checksum. */
static bool claimed_field(sh_s3 *s3, unsigned *found, const char **value)
{
    const sh_http_field *with = NULL;
    for (size_t i = 0; i < s3->head->field_count; i++) {
        const sh_http_field *field = &s3->head->fields[i];
        if (strncasecmp(field->name, prefix, sizeof(prefix) - 1) != 0 ||
            is_setting(field->name + sizeof(prefix) - 1))
            continue;
        if (with) {
            sh_s3_fail(s3, 400, "InvalidRequest",
                       "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
            return false;
        }
        with = field;
    }
    *found = with ? sh_s3_digest_of(with->name + sizeof(prefix) - 1) : 0;
    if (with && !*found) {
        sh_s3_fail(s3, 400, "InvalidRequest",
                   "The algorithm type you specified in x-amz-checksum- header is invalid.");
        return false;
    }
    *value = with ? with->value : NULL;
    return true;
}

/* It may have the number of parts behind it: what stands in front is compared. */
bool sh_s3_claimed_whole(sh_s3 *s3, unsigned *out)
{
    const char *value;
    return claimed_field(s3, out, &value);
}

static bool claimed_in_head(sh_s3 *s3, unsigned *found)
{
    const char *value;
    return claimed_field(s3, found, &value) && (!value || value_valid(s3, *found, value));
}

static bool claimed_in_trailer(sh_s3 *s3, unsigned *found)
{
    const char *trailer = sh_http_field_get(s3->head, "x-amz-trailer");
    unsigned one = 0;
    if (!trailer)
        return true;
    if (strncasecmp(trailer, prefix, sizeof(prefix) - 1) == 0)
        one = sh_s3_digest_of(trailer + sizeof(prefix) - 1);
    if (!one) {
        sh_s3_fail(s3, 400, "InvalidRequest",
                   "The value specified in the x-amz-trailer header is not supported");
        return false;
    }
    if (*found) {
        sh_s3_fail(s3, 400, "InvalidRequest",
                   "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
        return false;
    }
    *found = one;
    return true;
}

bool sh_s3_claimed_checksum(sh_s3 *s3, unsigned *out)
{
    static const char sdk[] = "x-amz-sdk-checksum-algorithm";
    const char *said = sh_http_field_get(s3->head, sdk);
    unsigned found = 0;
    if (!claimed_in_head(s3, &found) || !claimed_in_trailer(s3, &found))
        return false;
    if (said && (!sh_s3_digest_of(said) || (found && sh_s3_digest_of(said) != found))) {
        sh_s3_fail(s3, 400, "InvalidRequest", "Value for %s header is invalid.", sdk);
        return false;
    }
    if (said && !found) {
        sh_s3_fail(s3, 400, "InvalidRequest",
                   "%s specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
                   sdk);
        return false;
    }
    *out = found;
    return true;
}

bool sh_s3_claimed_by_rule(sh_s3 *s3, sh_s3_checksum_rule rule, unsigned *keep, unsigned *claimed)
{
    if (!sh_s3_claimed_checksum(s3, claimed))
        return false;
    if (rule.only ? (*claimed && *claimed != rule.keep) || (rule.demanded && !*claimed) : false) {
        sh_s3_fail(s3, 400, "InvalidRequest",
                   "Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s",
                   sh_s3_digest_name(rule.keep), *claimed ? sh_s3_digest_name(*claimed) : "null");
        return false;
    }
    *keep = rule.keep ? rule.keep : *claimed ? *claimed : (unsigned)SH_DIGEST_CRC64NVME;
    return true;
}

bool sh_s3_is_chunked(const sh_s3 *s3)
{
    return s3->claim->payload_kind == SH_PAYLOAD_CHUNKS ||
           s3->claim->payload_kind == SH_PAYLOAD_CHUNKS_TRAILER ||
           s3->claim->payload_kind == SH_PAYLOAD_UNSIGNED_TRAILER;
}

bool sh_s3_claimed_md5(sh_s3 *s3, unsigned char md5[16], bool *given)
{
    const char *text = sh_http_field_get(s3->head, "content-md5");
    *given = text != NULL;
    if (text && sh_base64_decode(text, strlen(text), md5, 16) != 16) {
        sh_s3_about(s3, "Content-MD5", text);
        sh_s3_fail(s3, 400, "InvalidDigest", "The Content-MD5 you specified was invalid.");
        return false;
    }
    return true;
}

/* ---- checks once the body is complete ---- */

bool sh_s3_check_sha256(sh_s3 *s3, sh_digest *digest)
{
    unsigned char hash[SH_DIGEST_BYTES];
    char hex[65] = "";
    if (s3->claim->payload_kind != SH_PAYLOAD_HASH)
        return true;
    if (sh_digest_final(digest, SH_DIGEST_SHA256, hash) == 32) {
        sh_hex(hash, 32, hex);
        if (strcmp(hex, s3->claim->payload) == 0)
            return true;
    }
    sh_s3_about(s3, "ClientComputedContentSHA256", s3->claim->payload);
    sh_s3_about(s3, "S3ComputedContentSHA256", hex);
    sh_s3_fail(s3, 400, "XAmzContentSHA256Mismatch",
               "The provided 'x-amz-content-sha256' header does not match what was computed.");
    return false;
}

bool sh_s3_check_md5(sh_s3 *s3, sh_digest *digest, const char **hex)
{
    unsigned char claimed[16], got[SH_DIGEST_BYTES];
    bool given;
    char text[64];
    if (!sh_s3_claimed_md5(s3, claimed, &given))
        return false;
    if (sh_digest_final(digest, SH_DIGEST_MD5, got) != 16) {
        sh_s3_fail(s3, 500, "InternalError", "We encountered an internal error: MD5 failed");
        return false;
    }
    if (given && memcmp(claimed, got, 16) != 0) {
        sh_base64(got, 16, text);
        sh_s3_about(s3, "ExpectedDigest", sh_http_field_get(s3->head, "content-md5"));
        sh_s3_about(s3, "CalculatedDigest", text);
        sh_s3_fail(s3, 400, "BadDigest", "The Content-MD5 you specified did not match what we received.");
        return false;
    }
    sh_hex(got, 16, text);
    *hex = sh_arena_strdup(s3->arena, text);
    return *hex != NULL;
}

const char *sh_s3_checksum_text(sh_s3 *s3, sh_digest *digest, unsigned one)
{
    unsigned char got[SH_DIGEST_BYTES];
    char text[64];
    size_t length = sh_digest_final(digest, one, got);
    if (length == 0)
        return NULL;
    sh_base64(got, length, text);
    return sh_arena_printf(s3->arena, "%s=%s", sh_s3_digest_name(one), text);
}

/* What the request says its checksum is; NULL: it came without, which for a trailer is a fault. */
static const char *claimed_value(sh_s3 *s3, unsigned one)
{
    char field[64];
    snprintf(field, sizeof(field), "%s%s", prefix, sh_s3_digest_name(one));
    const char *claimed = sh_http_field_get(s3->head, field);
    if (!claimed && s3->receiver.chunked)
        claimed = sh_chunked_trailer(s3->receiver.chunked, field);
    if (!claimed)
        sh_s3_fail(s3, 400, "MalformedTrailerError",
                   "The request contained trailing data that was not well-formed or did not conform to our "
                   "published schema: the trailer %s that was announced did not come",
                   field);
    return claimed;
}

bool sh_s3_check_checksum(sh_s3 *s3, sh_digest *digest, unsigned one, const char **text)
{
    const char *got = sh_s3_checksum_text(s3, digest, one);
    const char *claimed = claimed_value(s3, one);
    if (!claimed || !value_valid(s3, one, claimed))
        return false;
    if (got && strcmp(strchr(got, '=') + 1, claimed) == 0) {
        *text = got;
        return true;
    }
    sh_s3_fail(s3, 400, "BadDigest", "The %s you specified did not match the calculated checksum.",
               sh_s3_digest_said(one));
    return false;
}

/* Bodies in memory. On CreateMultipartUpload and CompleteMultipartUpload the checksum fields speak of the
 * object, not of the body. */
bool sh_s3_check_body(sh_s3 *s3)
{
    unsigned algorithm = 0;
    const char *ignored;
    sh_digest *digest;
    bool of_object =
        s3->key && (sh_http_param_has(s3->head, "uploads") || sh_http_param_has(s3->head, "uploadId"));
    if (sh_s3_is_chunked(s3)) {
        sh_s3_fail(s3, 501, "NotImplemented",
                   "aws-chunked bodies are implemented for PutObject and UploadPart");
        return false;
    }
    if (!of_object && !sh_s3_claimed_checksum(s3, &algorithm))
        return false;
    if (sh_digest_new(&digest, SH_DIGEST_MD5 | SH_DIGEST_SHA256 | algorithm, NULL) < 0) {
        sh_s3_fail(s3, 500, "InternalError", "We encountered an internal error: no memory");
        return false;
    }
    sh_digest_update(digest, s3->body, s3->body_length);
    bool good = sh_s3_check_sha256(s3, digest) && sh_s3_check_md5(s3, digest, &ignored) &&
                (!algorithm || sh_s3_check_checksum(s3, digest, algorithm, &ignored));
    sh_digest_free(digest);
    return good;
}

/* ---- as fields and elements ---- */

static const char *checksum_type(const char *value)
{
    return strchr(value, '-') ? "COMPOSITE" : "FULL_OBJECT";
}

void sh_s3_checksum_value(sh_s3 *s3, const char *checksum)
{
    char name[64];
    const char *value = checksum ? strchr(checksum, '=') : NULL;
    if (!value)
        return;
    snprintf(name, sizeof(name), "%s%.*s", prefix, (int)(value - checksum), checksum);
    sh_http_add_field(s3->http, name, value + 1);
}

void sh_s3_checksum_field(sh_s3 *s3, const char *checksum)
{
    const char *value = checksum ? strchr(checksum, '=') : NULL;
    if (!value)
        return;
    sh_s3_checksum_value(s3, checksum);
    sh_http_add_field(s3->http, "x-amz-checksum-type", checksum_type(value + 1));
}

void sh_s3_put_checksum(sh_buf *out, const char *checksum)
{
    char name[64];
    const char *value = checksum ? strchr(checksum, '=') : NULL;
    if (!value)
        return;
    int used = snprintf(name, sizeof(name), "Checksum%.*s", (int)(value - checksum), checksum);
    for (int i = 8; i < used; i++)
        name[i] = (char)toupper((unsigned char)name[i]);
    sh_xml_put(out, name, value + 1);
}

void sh_s3_put_checksum_typed(sh_buf *out, const char *checksum)
{
    sh_s3_put_checksum(out, checksum);
    if (checksum)
        sh_xml_put(out, "ChecksumType", checksum_type(checksum));
}
