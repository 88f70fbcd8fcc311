/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_CALLER_H
#define SH_API_CALLER_H
/* Who makes a request: the account's root, a user, a session of a role, a service acting under a role, or
 * nobody (an anonymous request to S3). A value whose strings live in the arena of the request. What a caller
 * may do is in authorize.h. */
#include "base/arena.h"
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct sh_cloud;

typedef struct sh_caller {
    const char *arn;        /* arn:aws:iam::A:root, arn:aws:iam::A:user/NAME,
                               arn:aws:sts::A:assumed-role/NAME/SESSION; NULL: anonymous */
    const char *role_arn;   /* of the role behind a session; NULL: none */
    const char *account;    /* 12 digits; NULL: anonymous */
    const char *id;         /* aws:userid: the account, AIDA…, AROA…:SESSION; NULL: anonymous */
    const char *access_key; /* that signed; NULL: a service that acts under a role, or anonymous */
    const char *service;    /* "states.amazonaws.com": acts for the caller; NULL: none */
    bool root;
    const char *session_policy; /* what limits and tags the session: JSON text of {Policy, PolicyArns, Tags
                                   …}; NULL: nothing */
    int64_t session_ms;         /* when the session began; 0: no session */
    /* of the request, for conditions */
    const char *source_ip; /* NULL: inside the server */
    const char *user_agent;
    const char *referer;
    bool secure; /* over TLS */
} sh_caller;

typedef enum sh_key_state {
    SH_KEY_GOOD,
    SH_KEY_UNKNOWN,   /* nobody has this access key, or it is inactive */
    SH_KEY_BAD_TOKEN, /* the session token does not belong to the key, is missing, or not wanted */
    SH_KEY_EXPIRED,   /* a temporary key whose time is over */
    SH_KEY_FAILED,    /* memory, the database: see err */
} sh_key_state;

/* Finds whose access key it is, and its secret, in *out and *secret (both in the arena). token: NULL when the
 * request has none. */
sh_key_state sh_caller_by_key(const struct sh_cloud *cloud, const char *access_key, const char *token,
                              sh_arena *arena, sh_caller *out, const char **secret, sh_err *err);

#endif
