/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_SHARE_H
#define SH_API_SHARE_H
/* A folder of a bucket, shared by an address that expires: /_spyhop/share/TOKEN/ and then what follows the
 * prefix in a key. The token stands in the path, so that a player finds the segments of a playlist by their
 * relative addresses; a presigned playlist would not let it have them. Reading only.
 *
 * A share gives what the key that made it may read at the moment of reading, as a presigned URL does: it goes
 * dead with the key, and a policy that denies its maker denies it. */
#include "cloud/api/cloud.h"
#include "cloud/api/s3.h"
#include "cloud/store/shares.h"

#define SH_SHARE_PATH "/_spyhop/share/"
#define SH_SHARE_TOKEN_TEXT 40               /* with its NUL */
#define SH_SHARE_EXPIRES_MAX_S (366 * 86400) /* a year */

/* The token of a share: base64url of id, expiry and HMAC-SHA-256, cut to 16 bytes, under a key that only this
 * use derives from the server's. */
bool sh_share_token(const sh_cloud *cloud, const char *id, int64_t expires_ms,
                    char token[SH_SHARE_TOKEN_TEXT]);

typedef enum sh_share_state { SH_SHARE_GOOD, SH_SHARE_FORGED, SH_SHARE_EXPIRED } sh_share_state;
/* Pure. On GOOD the id (16 hex digits and NUL). `length` bytes of token. */
sh_share_state sh_share_check(const sh_cloud *cloud, const char *token, size_t length, int64_t now_ms,
                              char id[17]);

/* Content-Type of a file of a stream, by the name's end, or NULL. What players demand, whatever type the
 * uploader gave. */
const char *sh_share_type(const char *name);

/* Answers GET, HEAD and OPTIONS of an address under SH_SHARE_PATH. */
void sh_share_serve(sh_cloud *cloud, sh_http_request *http);

/* {"bucket","prefix","expires"} (seconds) -> {"id","path","bucket","prefix","expires"}; the answer is made
 * here. `caller` is authenticated. */
void sh_share_create(sh_cloud *cloud, sh_http_request *http, const sh_caller *caller, const json_t *in);
void sh_share_list(sh_cloud *cloud, sh_http_request *http, const sh_caller *caller);
void sh_share_revoke(sh_cloud *cloud, sh_http_request *http, const sh_caller *caller, const char *id);

/* JSON answers of the server's own paths: own.c. */
void sh_own_answer(sh_http_request *http, int status, const json_t *body);
void sh_own_fail(sh_http_request *http, int status, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
