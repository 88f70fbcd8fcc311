/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_S3_CHECKSUM_H
#define SH_API_S3_CHECKSUM_H
/* What a request claims about its body (length, SHA-256, MD5, a checksum in a field or a trailer), read when
 * the head is there and held against the bytes when they are; and checksums as S3 writes them. A checksum is
 * kept as "crc32=<base64>", one of the digests of an upload's parts as "crc32=<base64>-<parts>". */
#include "cloud/api/s3.h"

struct sh_digest;

/* The algorithm of the checksum that the request brings, 0 for none. False after having answered. */
bool sh_s3_claimed_checksum(sh_s3 *s3, unsigned *out);
/* The same against a rule: *keep and *claimed get what to compute. False after having answered. */
bool sh_s3_claimed_by_rule(sh_s3 *s3, sh_s3_checksum_rule rule, unsigned *keep, unsigned *claimed);
/* On CompleteMultipartUpload: the algorithm of the checksum given for the object, 0 for none. */
bool sh_s3_claimed_whole(sh_s3 *s3, unsigned *out);
/* Whether Content-MD5 is one; *given false without one. False after having answered. */
bool sh_s3_claimed_md5(sh_s3 *s3, unsigned char md5[16], bool *given);

/* The claims against what came; `digest` has computed MD5, and SHA-256 where the payload's hash is signed.
 * False after having answered. */
bool sh_s3_check_sha256(sh_s3 *s3, struct sh_digest *digest);
bool sh_s3_check_md5(sh_s3 *s3, struct sh_digest *digest, const char **hex);
/* `one` is the algorithm; *text gets "crc32=…" of what came. */
bool sh_s3_check_checksum(sh_s3 *s3, struct sh_digest *digest, unsigned one, const char **text);
/* "crc32=…" in the arena; NULL: no memory, or it was not computed. */
const char *sh_s3_checksum_text(sh_s3 *s3, struct sh_digest *digest, unsigned one);

bool sh_s3_is_chunked(const sh_s3 *s3);

#endif
