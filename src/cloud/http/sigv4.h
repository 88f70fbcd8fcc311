/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_HTTP_SIGV4_H
#define SH_HTTP_SIGV4_H
/* AWS Signature Version 4, the verifier's side: in the Authorization field and in the query of a presigned
 * URL. Pure: time and secrets come as arguments.
 *
 * Verification has two steps, because a service other than S3 signs the hash of a body that has not been read
 * yet: sh_sigv4_parse reads who claims to sign and what, sh_sigv4_check computes the signature. */
#include "base/arena.h"
#include "cloud/http/head.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum sh_auth_fault {
    SH_AUTH_OK = 0,
    SH_AUTH_MISSING,        /* nothing claims to sign this request */
    SH_AUTH_MALFORMED,      /* the Authorization field is not well formed */
    SH_AUTH_QUERY,          /* the presigned query is not well formed */
    SH_AUTH_UNSUPPORTED,    /* another algorithm, such as Signature Version 2 */
    SH_AUTH_REGION,         /* scope names another region */
    SH_AUTH_SERVICE,        /* scope names another service */
    SH_AUTH_DATE,           /* no date, or one that does not fit the scope */
    SH_AUTH_SKEWED,         /* signed more than 15 minutes away from now */
    SH_AUTH_EXPIRED,        /* presigned and too old */
    SH_AUTH_NOT_YET,        /* presigned for a later time */
    SH_AUTH_UNKNOWN_KEY,    /* nobody has this access key */
    SH_AUTH_BAD_TOKEN,      /* the session token does not belong to the key */
    SH_AUTH_EXPIRED_TOKEN,  /* a temporary key whose time is over */
    SH_AUTH_MISMATCH,       /* the signature is another one */
    SH_AUTH_UNSIGNED_FIELD, /* an x-amz-* field or Host is not signed */
    SH_AUTH_ARGUMENT,       /* the Authorization field is of no known kind */
    SH_AUTH_INCOMPLETE,     /* a query of Signature Version 2 that lacks something */
    SH_AUTH_MEMORY,
} sh_auth_fault;

typedef enum sh_payload {
    SH_PAYLOAD_HASH,             /* the hash in `payload` is the body's SHA-256 */
    SH_PAYLOAD_UNSIGNED,         /* UNSIGNED-PAYLOAD */
    SH_PAYLOAD_CHUNKS,           /* STREAMING-AWS4-HMAC-SHA256-PAYLOAD */
    SH_PAYLOAD_CHUNKS_TRAILER,   /* STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER */
    SH_PAYLOAD_UNSIGNED_TRAILER, /* STREAMING-UNSIGNED-PAYLOAD-TRAILER */
    SH_PAYLOAD_ABSENT,           /* the request does not say */
    SH_PAYLOAD_INVALID,          /* it says something else */
} sh_payload;

/* Who signs and what. S3 also takes requests that are signed another way or not at all: front.c fills this
 * for them, too, and `version` says which way it was. */
typedef struct sh_sigv4 {
    int version; /* 4; 2: Signature Version 2; 0: nobody signed */
    bool presigned;
    bool form; /* the fields of a browser's form are what is signed */
    const char *access_key;
    const char *date;    /* 20260131 */
    const char *region;  /* of the scope */
    const char *service; /* of the scope */
    const char *stamp;   /* 20260131T120000Z */
    int64_t time_ms;
    int64_t expires_s; /* presigned only */
    const char *signed_fields;
    const char *signature;
    const char *token;   /* X-Amz-Security-Token or NULL */
    const char *payload; /* what stands for the body in the canonical request; NULL when absent */
    sh_payload payload_kind;
    unsigned char key[32]; /* signing key, after sh_sigv4_check: chunk signatures continue with it */
} sh_sigv4;

#define SH_SIGV4_SKEW_MS ((int64_t)15 * 60 * 1000)
#define SH_SIGV4_MISMATCH                                                                                    \
    "The request signature we calculated does not match the signature you provided. Check your key and "     \
    "signing method."

/* Reads the claim. On a fault *message is a sentence for the client, static or in the arena. */
sh_auth_fault sh_sigv4_parse(const sh_http_head *head, sh_arena *arena, sh_sigv4 *out, const char **message);
/* Times (15 minutes, expiry) against now. */
sh_auth_fault sh_sigv4_check_time(const sh_sigv4 *claim, int64_t now_ms, const char **message);
/* Computes the signature with `secret` over the head and `payload_hash`, and compares in constant time.
 * s3: the path is taken as it is; else it is normalised and encoded once more. */
sh_auth_fault sh_sigv4_check(sh_sigv4 *claim, const sh_http_head *head, const char *secret,
                             const char *payload_hash, bool s3, sh_arena *arena, const char **message);

/* The x-amz-* fields of the head that are not signed, and "host" if that is not: "a, b" in the arena; NULL:
 * there are none. */
const char *sh_sigv4_unsigned(const sh_sigv4 *claim, const sh_http_head *head, sh_arena *arena);
/* "20260131T120000Z". */
bool sh_sigv4_stamp_parse(const char *text, int64_t *ms);
/* <key>/<date>/<region>/<service>/aws4_request into *out, as copies in the arena. */
bool sh_sigv4_credential_parse(sh_sigv4 *out, sh_arena *arena, const char *text);
/* Fills payload_kind from payload. */
void sh_sigv4_payload_parse(sh_sigv4 *claim);

/* The steps, for tests and for error answers that show what the server signed. */
char *sh_sigv4_canonical(const sh_sigv4 *claim, const sh_http_head *head, const char *payload_hash, bool s3,
                         sh_arena *arena);
char *sh_sigv4_string_to_sign(const sh_sigv4 *claim, const char *canonical, sh_arena *arena);
#define SH_SIGV4_SECRET_MAX 255 /* bytes */
/* secret: at most SH_SIGV4_SECRET_MAX bytes. */
bool sh_sigv4_key(const char *secret, const char *date, const char *region, const char *service,
                  unsigned char key[32]); /* false: no memory, or the secret is too long */
/* HMAC-SHA256 in lower-case hex; hex holds 65 bytes. False: no memory. */
bool sh_sigv4_sign(const unsigned char key[32], const char *text, size_t length, char *hex);

#endif
