/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way of a body into a staged file: (aws-chunked decoding) -> digests -> file. Everything the client
 * claims about the body (length, SHA-256, MD5, one checksum in a field or a trailer) is checked before the
 * file can become an object. */
#include "base/file.h"
#include "base/size.h"
#include "cloud/api/s3.h"
#include "cloud/http/chunked.h"
#include "cloud/http/digest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Kept free for the database, so that deletes work on a full disk. */
#define RESERVE ((int64_t)4 << 20)

static const struct {
    unsigned one;
    const char *name;
} algorithms[] = {
    {SH_DIGEST_CRC32, "crc32"}, {SH_DIGEST_CRC32C, "crc32c"}, {SH_DIGEST_CRC64NVME, "crc64nvme"},
    {SH_DIGEST_SHA1, "sha1"},   {SH_DIGEST_SHA256, "sha256"},
};

unsigned sh_s3_digest_of(const char *algorithm)
{
    for (size_t i = 0; i < SH_COUNT(algorithms); i++)
        if (strcasecmp(algorithms[i].name, algorithm) == 0)
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

/* ---- what the request claims ---- */

/* The checksum algorithm of the request, 0 for none. False after having answered. */
static bool claimed_algorithm(sh_s3 *s3, unsigned *out)
{
    static const char prefix[] = "x-amz-checksum-";
    const char *trailer = sh_http_field_get(s3->head, "x-amz-trailer");
    const char *wanted = sh_http_field_get(s3->head, "x-amz-sdk-checksum-algorithm");
    unsigned found = 0;
    char name[64];
    for (size_t i = 0; i < SH_COUNT(algorithms); i++) {
        snprintf(name, sizeof(name), "%s%s", prefix, algorithms[i].name);
        if (!sh_http_field_get(s3->head, name) && !(trailer && strcasecmp(trailer, name) == 0))
            continue;
        if (found) {
            sh_s3_fail(s3, 400, "InvalidRequest",
                       "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
            return false;
        }
        found = algorithms[i].one;
    }
    if (trailer && !found) {
        sh_s3_fail(s3, 400, "InvalidRequest",
                   "The value specified in the x-amz-trailer header is not supported");
        return false;
    }
    if (!found && wanted && !(found = sh_s3_digest_of(wanted))) {
        sh_s3_fail(s3, 400, "InvalidRequest", "Checksum algorithm provided is unsupported: %.40s", wanted);
        return false;
    }
    *out = found;
    return true;
}

static bool is_chunked(const sh_s3 *s3)
{
    return s3->claim->payload_kind == SH_PAYLOAD_CHUNKS ||
           s3->claim->payload_kind == SH_PAYLOAD_CHUNKS_TRAILER ||
           s3->claim->payload_kind == SH_PAYLOAD_UNSIGNED_TRAILER;
}

static bool claimed_length(sh_s3 *s3, int64_t *out)
{
    int64_t length = sh_http_content_length(s3->http);
    if (is_chunked(s3)) {
        const char *text = sh_http_field_get(s3->head, "x-amz-decoded-content-length");
        if (!text || !sh_parse_i64(text, strlen(text), 0, INT64_MAX, &length))
            length = -1;
    }
    if (length < 0) {
        sh_s3_fail(s3, 411, "MissingContentLength", "You must provide the Content-Length HTTP header.");
        return false;
    }
    if (length > SH_S3_OBJECT_MAX) {
        sh_s3_fail(s3, 400, "EntityTooLarge",
                   "Your proposed upload exceeds the maximum allowed size of 5 GiB");
        return false;
    }
    *out = length;
    return true;
}

static bool claimed_md5(sh_s3 *s3, unsigned char md5[16], bool *given)
{
    const char *text = sh_http_field_get(s3->head, "content-md5");
    *given = text != NULL;
    if (text && sh_base64_decode(text, strlen(text), md5, 16) != 16) {
        sh_s3_fail(s3, 400, "InvalidDigest", "The Content-MD5 you specified was invalid.");
        return false;
    }
    return true;
}

/* ---- checks once the body is complete ---- */

static bool check_sha256(sh_s3 *s3, sh_digest *digest)
{
    unsigned char hash[SH_DIGEST_BYTES];
    char hex[65];
    if (s3->claim->payload_kind != SH_PAYLOAD_HASH)
        return true;
    if (sh_digest_final(digest, SH_DIGEST_SHA256, hash) == 32) {
        sh_hex(hash, 32, hex);
        if (strcmp(hex, s3->claim->payload) == 0)
            return true;
    }
    sh_s3_fail(s3, 400, "XAmzContentSHA256Mismatch",
               "The provided 'x-amz-content-sha256' header does not match what was computed.");
    return false;
}

static bool check_md5(sh_s3 *s3, sh_digest *digest)
{
    unsigned char claimed[16], got[SH_DIGEST_BYTES];
    bool given;
    char hex[33];
    if (!claimed_md5(s3, claimed, &given))
        return false;
    if (sh_digest_final(digest, SH_DIGEST_MD5, got) != 16) {
        sh_s3_fail(s3, 500, "InternalError", "We encountered an internal error: MD5 failed");
        return false;
    }
    if (given && memcmp(claimed, got, 16) != 0) {
        sh_s3_fail(s3, 400, "BadDigest", "The Content-MD5 you specified did not match what we received.");
        return false;
    }
    sh_hex(got, 16, hex);
    s3->receiver.etag = sh_arena_strdup(s3->arena, hex);
    return s3->receiver.etag != NULL;
}

static bool check_checksum(sh_s3 *s3, sh_digest *digest, unsigned one)
{
    unsigned char got[SH_DIGEST_BYTES];
    char text[64], field[64];
    if (!one)
        return true;
    size_t length = sh_digest_final(digest, one, got);
    snprintf(field, sizeof(field), "x-amz-checksum-%s", sh_s3_digest_name(one));
    const char *claimed = sh_http_field_get(s3->head, field);
    if (!claimed && s3->receiver.chunked)
        claimed = sh_chunked_trailer(s3->receiver.chunked, field);
    sh_base64(got, length, text);
    if (length == 0 || (claimed && strcmp(claimed, text) != 0)) {
        unsigned char parsed[SH_DIGEST_BYTES];
        if (length && sh_base64_decode(claimed, strlen(claimed), parsed, sizeof(parsed)) != (int)length)
            sh_s3_fail(s3, 400, "InvalidRequest", "Value for %s header is invalid.", field);
        else
            sh_s3_fail(s3, 400, "BadDigest", "The %s you specified did not match the calculated checksum.",
                       sh_s3_digest_name(one));
        return false;
    }
    if (!claimed && sh_http_field_get(s3->head, "x-amz-trailer")) {
        sh_s3_fail(s3, 400, "MalformedTrailerError", "The trailer %s that was announced did not come", field);
        return false;
    }
    s3->receiver.checksum = sh_arena_printf(s3->arena, "%s=%s", sh_s3_digest_name(one), text);
    return s3->receiver.checksum != NULL;
}

bool sh_s3_check_body(sh_s3 *s3)
{
    unsigned algorithm;
    sh_digest *digest;
    if (is_chunked(s3)) {
        sh_s3_fail(s3, 501, "NotImplemented",
                   "aws-chunked bodies are implemented for PutObject and UploadPart");
        return false;
    }
    if (!claimed_algorithm(s3, &algorithm))
        return false;
    if (sh_digest_new(&digest, SH_DIGEST_MD5 | SH_DIGEST_SHA256 | algorithm, NULL) < 0) {
        sh_s3_fail(s3, 500, "InternalError", "We encountered an internal error: no memory");
        return false;
    }
    sh_digest_update(digest, s3->body, s3->body_length);
    bool good = check_sha256(s3, digest) && check_md5(s3, digest);
    /* On CreateMultipartUpload and CompleteMultipartUpload checksum fields speak of the object, not of the
     * body.
     */
    if (good && !s3->key)
        good = check_checksum(s3, digest, algorithm);
    sh_digest_free(digest);
    return good;
}

/* ---- receiving ---- */

static bool has_room(sh_s3 *s3, int64_t size)
{
    struct statvfs disk;
    sh_err err = {0};
    if (fstatvfs(s3->receiver.fd, &disk) < 0 || disk.f_frsize == 0)
        return true;
    uint64_t free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (free_bytes >= (uint64_t)(size + RESERVE))
        return true;
    sh_fail(&err, SH_E_FULL, "no space left on the device for %lld bytes", (long long)size);
    sh_s3_fail_store(s3, &err);
    return false;
}

static bool open_stage(sh_s3 *s3, int64_t size, unsigned digests)
{
    sh_err err = {0};
    sh_s3_receiver *r = &s3->receiver;
    char *path = sh_arena_alloc(s3->arena, SH_STAGE_PATH);
    int status =
        path ? sh_stage_file(&s3->objects, path, &r->fd, &err) : sh_fail(&err, SH_E_MEMORY, "no memory");
    if (status == 0) {
        r->path = path;
        status = sh_digest_new(&r->digest, digests | SH_DIGEST_MD5, &err);
    }
    if (status < 0) {
        sh_s3_fail_store(s3, &err);
        return false;
    }
    r->expected = size;
    return has_room(s3, size);
}

/* Takes decoded bytes; the error is left for the caller to answer. */
static int store_bytes(sh_s3 *s3, const void *bytes, size_t length, sh_err *err)
{
    sh_s3_receiver *r = &s3->receiver;
    if ((int64_t)length > r->expected - r->size)
        return sh_fail(err, SH_E_LIMIT, "the body is longer than announced");
    r->size += (int64_t)length;
    sh_digest_update(r->digest, bytes, length);
    return sh_fd_write(r->fd, bytes, length, err);
}

static int on_chunk(void *opaque, const void *bytes, size_t length)
{
    sh_s3 *s3 = opaque;
    sh_err err = {0};
    int status = store_bytes(s3, bytes, length, &err);
    if (status == SH_E_LIMIT)
        sh_s3_fail(s3, 400, "IncompleteBody",
                   "The request body is longer than the x-amz-decoded-content-length header says");
    else if (status < 0)
        sh_s3_fail_store(s3, &err);
    return status;
}

static void on_body(void *opaque, sh_http_request *request, const void *bytes, size_t length)
{
    sh_s3 *s3 = opaque;
    sh_err err = {0};
    int status;
    (void)request;
    if (!s3->receiver.chunked) {
        on_chunk(s3, bytes, length);
        return;
    }
    status = sh_chunked_push(s3->receiver.chunked, bytes, length, &err);
    if (status < 0 && !sh_http_answered(s3->http)) {
        if (status == SH_E_CONFLICT)
            sh_s3_fail(s3, 403, "SignatureDoesNotMatch",
                       "The request signature we calculated does not match the signature you provided: %s",
                       err.message);
        else if (status == SH_E_FORMAT)
            sh_s3_fail(s3, 400, "InvalidRequest", "%s", err.message);
        else
            sh_s3_fail_store(s3, &err);
    }
}

void sh_s3_receive_begin(sh_s3 *s3, unsigned wanted)
{
    int64_t length;
    unsigned algorithm;
    unsigned char md5[16];
    bool given;
    sh_err err = {0};
    if (!claimed_length(s3, &length) || !claimed_algorithm(s3, &algorithm) || !claimed_md5(s3, md5, &given))
        return;
    if (wanted && algorithm && wanted != algorithm) {
        sh_s3_fail(s3, 400, "InvalidRequest", "Checksum Type mismatch occurred, expected checksum Type: %s",
                   sh_s3_digest_name(wanted));
        return;
    }
    algorithm = algorithm ? algorithm : wanted;
    s3->receiver.algorithm = algorithm;
    if (!open_stage(s3, length,
                    algorithm | (s3->claim->payload_kind == SH_PAYLOAD_HASH ? SH_DIGEST_SHA256 : 0)))
        return;
    if (is_chunked(s3) && sh_chunked_new(&s3->receiver.chunked, s3->claim, on_chunk, s3, &err) < 0) {
        sh_s3_fail_store(s3, &err);
        return;
    }
    sh_http_sink_body(s3->http, on_body, s3);
}

bool sh_s3_receive_open(sh_s3 *s3, int64_t most)
{
    unsigned algorithm;
    unsigned char md5[16];
    bool given;
    if (!claimed_algorithm(s3, &algorithm) || !claimed_md5(s3, md5, &given))
        return false;
    s3->receiver.algorithm = algorithm;
    return open_stage(s3, most, algorithm);
}

bool sh_s3_receive_bytes(sh_s3 *s3, const void *bytes, size_t length)
{
    return on_chunk(s3, bytes, length) == 0;
}

static void close_stage(sh_s3 *s3)
{
    if (s3->receiver.fd >= 0)
        close(s3->receiver.fd);
    s3->receiver.fd = -1;
}

bool sh_s3_receive_finish(sh_s3 *s3)
{
    sh_s3_receiver *r = &s3->receiver;
    sh_err err = {0};
    close_stage(s3);
    if (!r->digest) /* it was refused, but there was no memory to say so */
        return false;
    if (r->chunked && sh_chunked_finish(r->chunked, &err) < 0) {
        sh_s3_fail(s3, 400, "IncompleteBody", "%s", err.message);
        return false;
    }
    if (r->size != r->expected) {
        sh_s3_fail(
            s3, 400, "IncompleteBody",
            "You did not provide the number of bytes specified by the Content-Length HTTP header: %lld of "
            "%lld came",
            (long long)r->size, (long long)r->expected);
        return false;
    }
    if (check_sha256(s3, r->digest) && check_md5(s3, r->digest) &&
        check_checksum(s3, r->digest, r->algorithm))
        return true;
    if (!sh_http_answered(s3->http))
        sh_s3_fail(s3, 500, "InternalError", "We encountered an internal error: no memory");
    return false;
}

static int copy_bytes(sh_s3 *s3, int fd, int64_t offset, int64_t length, sh_err *err)
{
    char block[64 * 1024];
    int status = 0;
    while (status == 0 && length > 0) {
        size_t step = length < (int64_t)sizeof(block) ? (size_t)length : sizeof(block);
        ssize_t got = pread(fd, block, step, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return sh_fail_errno(err, errno, "cannot read the source of the copy");
        if (got == 0)
            return sh_fail(err, SH_E_INTERNAL, "the source of the copy is shorter than its row says");
        status = store_bytes(s3, block, (size_t)got, err);
        offset += got;
        length -= got;
    }
    return status;
}

bool sh_s3_receive_copy(sh_s3 *s3, int fd, int64_t offset, int64_t length, unsigned wanted)
{
    sh_err err = {0};
    unsigned char hash[SH_DIGEST_BYTES];
    char text[65];
    sh_s3_receiver *r = &s3->receiver;
    if (!open_stage(s3, length, wanted))
        return false;
    int status = copy_bytes(s3, fd, offset, length, &err);
    close_stage(s3);
    if (status == 0 && sh_digest_final(r->digest, SH_DIGEST_MD5, hash) != 16)
        status = sh_fail(&err, SH_E_INTERNAL, "MD5 failed");
    if (status < 0) {
        sh_s3_fail_store(s3, &err);
        return false;
    }
    sh_hex(hash, 16, text);
    r->etag = sh_arena_strdup(s3->arena, text);
    if (wanted) {
        sh_base64(hash, sh_digest_final(r->digest, wanted, hash), text);
        r->checksum = sh_arena_printf(s3->arena, "%s=%s", sh_s3_digest_name(wanted), text);
    }
    return true;
}

void sh_s3_receive_end(sh_s3 *s3)
{
    sh_s3_receiver *r = &s3->receiver;
    close_stage(s3);
    if (r->path)
        unlink(r->path); /* gone already when it was published */
    sh_digest_free(r->digest);
    sh_chunked_free(r->chunked);
    *r = (sh_s3_receiver){.fd = -1};
}
