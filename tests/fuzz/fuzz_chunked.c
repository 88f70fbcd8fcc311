/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz driver for aws-chunked bodies: a letter for the kind (u: unsigned with trailer, s: signed, t: signed
 * with trailer), then the body. However it is cut into pieces, the same comes out. */
#include "fuzz.h"
#include "cloud/http/chunked.h"

#include <string.h>

typedef struct result {
    int status;
    uint64_t hash;
    int64_t total;
    bool trailer;
} result;

static int on_bytes(void *opaque, const void *bytes, size_t length)
{
    uint64_t *hash = opaque;
    for (size_t i = 0; i < length; i++)
        *hash = (*hash ^ ((const unsigned char *)bytes)[i]) * 1099511628211u;
    return 0;
}

static result decode(sh_payload kind, const uint8_t *data, size_t size, size_t step)
{
    sh_chunked *chunked = NULL;
    sh_err err = {0};
    result out = {.hash = 14695981039346656037u};
    sh_sigv4 claim = {.payload_kind = kind,
                      .signature = "0000000000000000000000000000000000000000000000000000000000000000",
                      .stamp = "20130524T000000Z",
                      .date = "20130524",
                      .region = "us-east-1",
                      .service = "s3"};
    CHECK(sh_sigv4_key("secret", claim.date, claim.region, claim.service, claim.key));
    CHECK(sh_chunked_new(&chunked, &claim, on_bytes, &out.hash, &err) == 0);
    for (size_t at = 0; at < size && out.status == 0; at += step)
        out.status = sh_chunked_push(chunked, data + at, size - at < step ? size - at : step, &err);
    if (out.status == 0)
        out.status = sh_chunked_finish(chunked, &err);
    CHECK(out.status == 0 || err.message[0]);
    out.total = sh_chunked_total(chunked);
    out.trailer = sh_chunked_trailer(chunked, "x-amz-checksum-crc32") != NULL;
    sh_chunked_free(chunked);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    sh_payload kind = data[0] == 's'   ? SH_PAYLOAD_CHUNKS
                      : data[0] == 't' ? SH_PAYLOAD_CHUNKS_TRAILER
                                       : SH_PAYLOAD_UNSIGNED_TRAILER;
    result whole = decode(kind, data + 1, size - 1, size);
    for (size_t step = 1; step < 8; step += 3) {
        result pieces = decode(kind, data + 1, size - 1, step);
        CHECK(pieces.status == whole.status);
        if (whole.status == 0)
            CHECK(pieces.hash == whole.hash && pieces.total == whole.total &&
                  pieces.trailer == whole.trailer);
    }
    return 0;
}
