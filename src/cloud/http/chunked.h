/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_HTTP_CHUNKED_H
#define SH_HTTP_CHUNKED_H
/* AWS's own chunking of bodies ("aws-chunked"), which is not HTTP's: each chunk is
 *     <hex size>[;chunk-signature=<64 hex>]\r\n <bytes> \r\n
 * and after the chunk of size 0 come trailer lines "name:value", one of which may be
 * x-amz-trailer-signature, then an empty line. Signed chunks form a chain that starts with the signature of
 * the request. A push parser: bytes in any pieces. */
#include "base/err.h"
#include "cloud/http/sigv4.h"

typedef struct sh_chunked sh_chunked;
typedef int (*sh_chunk_fn)(void *opaque, const void *bytes,
                           size_t length); /* negative ends with that status */

/* claim: of the request, checked (key and signature are used when its payload_kind is a signed one). */
int sh_chunked_new(sh_chunked **out, const sh_sigv4 *claim, sh_chunk_fn fn, void *opaque, sh_err *err);
void sh_chunked_free(sh_chunked *chunked); /* NULL is fine */
/* SH_E_FORMAT: not this format; SH_E_CONFLICT: a chunk's or the trailer's signature does not match. */
int sh_chunked_push(sh_chunked *chunked, const void *bytes, size_t length, sh_err *err);
/* At the end of the body: SH_E_FORMAT if it was cut short. */
int sh_chunked_finish(const sh_chunked *chunked, sh_err *err);
/* Value of a trailer line, or NULL. Borrowed. */
const char *sh_chunked_trailer(const sh_chunked *chunked, const char *name);
int64_t sh_chunked_total(const sh_chunked *chunked); /* decoded bytes so far */

#endif
