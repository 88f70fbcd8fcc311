/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_S3_TARGET_H
#define SH_API_S3_TARGET_H
/* What a request of S3 is about: the bucket from the host or the path, the key from the path, decoded once
 * and never normalised, so that a key may hold "//" and "..". */
#include "base/arena.h"
#include "cloud/http/head.h"

struct sh_cloud;

typedef struct sh_s3_target {
    const char *bucket; /* NULL: the service */
    const char *key;    /* NULL: the bucket */
    bool by_host;       /* the host named the bucket */
} sh_s3_target;

/* SH_E_FORMAT: the path is not percent-encoded UTF-8 without NUL; SH_E_MEMORY. */
int sh_s3_target_read(const struct sh_cloud *cloud, const sh_http_head *head, sh_arena *arena,
                      sh_s3_target *out);
/* The bucket that a host names, in the arena: "videos" of "videos.s3.localhost:9000", "videos.localhost" and
 * of the same under each of `domains` ("example.com,example.org" or NULL); NULL: it names none. region:
 * "us-east-1", for "videos.s3.us-east-1.localhost". */
const char *sh_s3_host_bucket(const char *host, const char *domains, const char *region, sh_arena *arena);

#endif
