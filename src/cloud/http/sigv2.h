/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_HTTP_SIGV2_H
#define SH_HTTP_SIGV2_H
/* AWS Signature Version 2 of S3, the verifier's side ("Signing and authenticating REST requests", S3 User
 * Guide): "Authorization: AWS KEY:SIGNATURE", and presigned URLs with AWSAccessKeyId, Expires and Signature,
 * which `aws s3 presign` still makes. HMAC-SHA1 over a few fields of the head; the body is not covered. */
#include "cloud/http/sigv4.h"

typedef struct sh_sigv2 {
    bool presigned;
    const char *access_key;
    const char *signature; /* base64 */
    const char *date;      /* what stands in the place of the date: a time, the Expires, or "" */
    const char *token;     /* x-amz-security-token or NULL */
    int64_t time_ms;       /* of signing; presigned: when it ends */
} sh_sigv2;

/* Whether the request claims this version (well formed or not). */
bool sh_sigv2_claimed(const sh_http_head *head);
/* As sh_sigv4_parse. */
sh_auth_fault sh_sigv2_parse(const sh_http_head *head, sh_arena *arena, sh_sigv2 *out, const char **message);
sh_auth_fault sh_sigv2_check_time(const sh_sigv2 *claim, int64_t now_ms, const char **message);
/* host_bucket: the bucket that Host names, NULL when the path does. NULL: no memory. */
char *sh_sigv2_string_to_sign(const sh_sigv2 *claim, const sh_http_head *head, const char *host_bucket,
                              sh_arena *arena);
/* Computes the signature and compares in constant time. */
sh_auth_fault sh_sigv2_check(const sh_sigv2 *claim, const sh_http_head *head, const char *host_bucket,
                             const char *secret, sh_arena *arena, const char **message);
/* base64 of HMAC-SHA1; text holds at least SH_SIGV2_TEXT bytes. False: no memory. */
enum { SH_SIGV2_TEXT = 32 };
bool sh_sigv2_sign(const char *secret, const char *string, size_t length, char *text);

#endif
