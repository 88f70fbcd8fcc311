/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_HTTP_DIGEST_H
#define SH_HTTP_DIGEST_H
/* Several digests of one stream of bytes, computed in one pass. */
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SH_DIGEST_MD5 = 1 << 0,
    SH_DIGEST_SHA256 = 1 << 1,
    SH_DIGEST_SHA1 = 1 << 2,
    SH_DIGEST_CRC32 = 1 << 3,
    SH_DIGEST_CRC32C = 1 << 4,
    SH_DIGEST_CRC64NVME = 1 << 5,
    SH_DIGEST_COUNT = 6,
};
#define SH_DIGEST_BYTES 32 /* of the longest */

typedef struct sh_digest sh_digest;

int sh_digest_new(sh_digest **out, unsigned which, sh_err *err);
void sh_digest_free(sh_digest *digest); /* NULL is fine */
void sh_digest_update(sh_digest *digest, const void *bytes, size_t length);
/* Result of one of the digests asked for: its length, 0 if it was not asked for or the library failed.
 * Further updates afterwards are an error. CRCs are big-endian, as AWS writes them. */
size_t sh_digest_final(sh_digest *digest, unsigned one, unsigned char out[SH_DIGEST_BYTES]);

/* One digest of bytes in memory. */
size_t sh_digest_once(unsigned one, const void *bytes, size_t length, unsigned char out[SH_DIGEST_BYTES]);
void sh_hex(const unsigned char *bytes, size_t length, char *text); /* 2 * length + 1 bytes */
/* text holds at least (length + 2) / 3 * 4 + 1 bytes. */
void sh_base64(const unsigned char *bytes, size_t length, char *text);
/* Strict. Number of bytes, or -1 when it is not base64 or longer than size. */
int sh_base64_decode(const char *text, size_t length, unsigned char *out, size_t size);

/* ---- crc.c ---- */
size_t sh_crc_bytes(unsigned one); /* of its result; 0: no CRC */
uint64_t sh_crc(unsigned one, uint64_t before, const void *bytes, size_t length); /* before: 0 at the start */
/* CRC of A followed by B, from both and the length of B. */
uint64_t sh_crc_combine(unsigned one, uint64_t a, uint64_t b, uint64_t length_b);

#endif
