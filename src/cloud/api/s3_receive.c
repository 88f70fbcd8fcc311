/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way of a body into a staged file, or into memory if the store keeps so few bytes in its database:
 * (aws-chunked decoding) -> digests -> file or memory. Everything the client
 * claims about the body (length; the rest is in s3_checksum.h) is checked before the file can become an
 * object. */
#include "base/file.h"
#include "base/size.h"
#include "cloud/api/s3_checksum.h"
#include "cloud/api/s3_hasher.h"
#include "cloud/http/chunked.h"
#include "cloud/http/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Kept free for the database, so that deletes work on a full disk. */
#define RESERVE ((int64_t)4 << 20)
#define FLOW ((int64_t)8 << 20)

/* ---- what the request claims ---- */

static void fail_too_large(sh_s3 *s3, int64_t size)
{
    char proposed[24], maximum[24];
    snprintf(proposed, sizeof(proposed), "%lld", (long long)size);
    snprintf(maximum, sizeof(maximum), "%lld", (long long)SH_S3_OBJECT_MAX);
    sh_s3_about(s3, "ProposedSize", proposed);
    sh_s3_about(s3, "MaxSizeAllowed", maximum);
    sh_s3_fail(s3, 400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size");
}

static bool claimed_length(sh_s3 *s3, int64_t *out)
{
    int64_t length = sh_http_content_length(s3->http);
    if (sh_s3_is_chunked(s3)) {
        static const char decoded[] = "x-amz-decoded-content-length";
        const char *text = sh_http_field_get(s3->head, decoded);
        if (text && !sh_parse_i64(text, strlen(text), 0, INT64_MAX, &length)) {
            sh_s3_fail_argument(s3, decoded, text, "The value of %s is not a number of bytes", decoded);
            return false;
        }
        length = text ? length : -1;
    }
    if (length < 0) {
        sh_s3_fail(s3, 411, "MissingContentLength", "You must provide the Content-Length HTTP header.");
        return false;
    }
    if (length > SH_S3_OBJECT_MAX) {
        fail_too_large(s3, length);
        return false;
    }
    *out = length;
    return true;
}

/* ---- receiving ---- */

static bool has_room(sh_s3 *s3, int64_t size)
{
    struct statvfs disk;
    sh_err err = {0};
    if (statvfs(s3->objects.data, &disk) < 0 || disk.f_frsize == 0)
        return true;
    uint64_t free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (free_bytes >= (uint64_t)(size + RESERVE))
        return true;
    sh_fail(&err, SH_E_FULL, "no space left on the device for %lld bytes", (long long)size);
    sh_s3_fail_store(s3, &err);
    return false;
}

static int open_place(sh_s3 *s3, int64_t size, sh_err *err)
{
    sh_s3_receiver *r = &s3->receiver;
    if (size <= (int64_t)s3->objects.row_max) {
        r->bytes = sh_arena_alloc(s3->arena, (size_t)size + 1);
        return r->bytes ? 0 : sh_fail(err, SH_E_MEMORY, "no memory");
    }
    char *path = sh_arena_alloc(s3->arena, SH_STAGE_PATH);
    if (!path)
        return sh_fail(err, SH_E_MEMORY, "no memory");
    int status = sh_stage_file(&s3->objects, path, &r->fd, err);
    if (status == 0)
        r->path = path;
    return status;
}

/* size: what will come, at most; it is in memory when it is few. */
static bool open_stage(sh_s3 *s3, int64_t size, unsigned digests)
{
    sh_err err = {0};
    sh_s3_receiver *r = &s3->receiver;
    int status = open_place(s3, size, &err);
    if (status == 0)
        status = sh_digest_new(&r->digest, digests | SH_DIGEST_MD5, &err);
    if (status < 0) {
        sh_s3_fail_store(s3, &err);
        return false;
    }
    r->expected = size;
    return has_room(s3, size);
}

/* Takes decoded bytes; the error is left for the caller to answer. A long body begins to flow to the disk
 * while more of it comes, so that the sync at its end is short. */
static int store_bytes(sh_s3 *s3, const void *bytes, size_t length, sh_err *err)
{
    sh_s3_receiver *r = &s3->receiver;
    if ((int64_t)length > r->expected - r->size)
        return sh_fail(err, SH_E_LIMIT, "the body is longer than announced");
    if (r->bytes) {
        memcpy(r->bytes + r->size, bytes, length);
        r->size += (int64_t)length;
        sh_digest_update(r->digest, bytes, length);
        return 0;
    }
    r->size += (int64_t)length;
    if (!r->hasher && r->size >= SH_HASHER_FROM && !r->alone)
        r->alone = !(r->hasher = sh_hasher_begin(r->digest));
    if (r->hasher)
        sh_hasher_push(r->hasher, bytes, length);
    else
        sh_digest_update(r->digest, bytes, length);
    int status = sh_fd_write(r->fd, bytes, length, err);
    if (status == 0 && r->size - r->flowing >= FLOW) {
        sync_file_range(r->fd, r->flowing, r->size - r->flowing, SYNC_FILE_RANGE_WRITE); /* a hint */
        r->flowing = r->size;
    }
    return status;
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

void sh_s3_receive_begin(sh_s3 *s3, sh_s3_checksum_rule rule)
{
    int64_t length;
    unsigned char md5[16];
    bool given;
    sh_err err = {0};
    sh_s3_receiver *r = &s3->receiver;
    if (!claimed_length(s3, &length) || !sh_s3_claimed_by_rule(s3, rule, &r->algorithm, &r->claimed) ||
        !sh_s3_claimed_md5(s3, md5, &given))
        return;
    if (!open_stage(s3, length,
                    r->algorithm | r->claimed |
                        (s3->claim->payload_kind == SH_PAYLOAD_HASH ? SH_DIGEST_SHA256 : 0)))
        return;
    if (sh_s3_is_chunked(s3) && sh_chunked_new(&r->chunked, s3->claim, on_chunk, s3, &err) < 0) {
        sh_s3_fail_store(s3, &err);
        return;
    }
    sh_http_sink_body(s3->http, on_body, s3);
}

bool sh_s3_receive_open(sh_s3 *s3, int64_t most)
{
    sh_s3_receiver *r = &s3->receiver;
    unsigned char md5[16];
    bool given;
    return sh_s3_claimed_by_rule(s3, (sh_s3_checksum_rule){0}, &r->algorithm, &r->claimed) &&
           sh_s3_claimed_md5(s3, md5, &given) && open_stage(s3, most, r->algorithm | r->claimed);
}

bool sh_s3_receive_bytes(sh_s3 *s3, const void *bytes, size_t length)
{
    return on_chunk(s3, bytes, length) == 0;
}

static void close_stage(sh_s3 *s3)
{
    sh_hasher_end(s3->receiver.hasher);
    s3->receiver.hasher = NULL;
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
    if (sh_s3_check_sha256(s3, r->digest) && sh_s3_check_md5(s3, r->digest, &r->etag) &&
        (!r->claimed || sh_s3_check_checksum(s3, r->digest, r->claimed, &r->brought))) {
        r->checksum =
            r->claimed == r->algorithm ? r->brought : sh_s3_checksum_text(s3, r->digest, r->algorithm);
        if (r->checksum)
            return true;
    }
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
    char text[33];
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
    r->checksum = sh_s3_checksum_text(s3, r->digest, wanted);
    if (r->etag && r->checksum)
        return true;
    sh_s3_fail(s3, 500, "InternalError", "We encountered an internal error: no memory");
    return false;
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
