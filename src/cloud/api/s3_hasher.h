/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_S3_HASHER_H
#define SH_API_S3_HASHER_H
/* A thread that computes the digests of one long body while the connection's thread receives and writes it:
 * MD5 alone takes longer than both. What is handed over is copied into a ring of 1 MiB. Only some bodies at a
 * time have one (there is none to be had otherwise: the caller computes by himself), so that memory and
 * threads are bounded. */
#include "cloud/http/digest.h"

typedef struct sh_hasher sh_hasher;

#define SH_HASHER_FROM ((int64_t)8 << 20) /* bytes of a body from which on it is worth it */

/* NULL: none to be had. The digest is the hasher's until sh_hasher_end. */
sh_hasher *sh_hasher_begin(sh_digest *digest);
void sh_hasher_push(sh_hasher *hasher, const void *bytes, size_t length);
void sh_hasher_end(sh_hasher *hasher); /* all of it is hashed then; NULL is fine */

#endif
