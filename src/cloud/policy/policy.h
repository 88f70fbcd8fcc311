/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLOUD_POLICY_POLICY_H
#define SH_CLOUD_POLICY_POLICY_H
/* The policy language of IAM ("IAM JSON policy elements reference", IAM User Guide): text becomes a checked
 * table once (sh_policy_parse), and a decision is a pure function of policies and a request. No I/O, no
 * clock, no database; only src/base and jansson. A policy is immutable: any number of threads may ask it at
 * once.
 *
 * Decisions follow "Policy evaluation logic" of the User Guide for requests within one account. */
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

/* ---- policies ---- */

typedef enum sh_policy_kind {
    SH_POLICY_IDENTITY, /* of a user, group or role; a boundary; a session's: no Principal */
    SH_POLICY_RESOURCE, /* of a bucket and the like: Principal, and Resource */
    SH_POLICY_TRUST,    /* of a role: Principal, and no Resource */
} sh_policy_kind;

typedef struct sh_policy sh_policy;

#define SH_POLICY_MAX 131072 /* bytes of a document; services have smaller limits of their own */

/* SH_E_FORMAT: the document is malformed, and err->message is what IAM says in MalformedPolicyDocument, with
 * the statement it is about. SH_E_LIMIT, SH_E_MEMORY. *out is untouched on failure. */
int sh_policy_parse(sh_policy **out, sh_policy_kind kind, const char *text, size_t length, sh_err *err);
void sh_policy_free(sh_policy *policy); /* NULL is fine */

/* ---- requests ---- */

/* A key of the request's context: "aws:SourceIp", "s3:prefix". Names are compared without regard to case. */
typedef struct sh_policy_key {
    const char *name;
    const char *const *values;
    size_t count; /* 0: as if the key were not there */
} sh_policy_key;

/* Who asks. At least `arn` or `service` is set, but for anonymous requests, where everything is NULL. */
typedef struct sh_policy_caller {
    const char *arn; /* of the user, or of the session: arn:aws:sts::123456789012:assumed-role/NAME/SESSION */
    const char *role_arn; /* of the role behind a session; NULL: none */
    const char *account;  /* 12 digits */
    const char *service;  /* "lambda.amazonaws.com": a service of its own, NULL: none */
} sh_policy_caller;

typedef struct sh_policy_request {
    const char *action;   /* "s3:GetObject" */
    const char *resource; /* an ARN, or "*" for actions that have none */
    sh_policy_caller caller;
    const sh_policy_key *keys;
    size_t key_count;
} sh_policy_request;

/* ---- decisions ---- */

/* What applies to a request. All borrowed; NULL: there is none. */
typedef struct sh_policy_set {
    const sh_policy *const *identity; /* of the user and its groups, or of the role */
    size_t identity_count;
    const sh_policy *boundary;
    const sh_policy *session;
    const sh_policy *resource; /* of the resource; the trust policy of a role for sts:AssumeRole */
    bool root;                 /* the account's own root: allowed what no policy denies */
} sh_policy_set;

typedef enum sh_policy_reason {
    SH_POLICY_ALLOWED,
    SH_POLICY_DENIED_IDENTITY, /* an explicit deny in … */
    SH_POLICY_DENIED_BOUNDARY,
    SH_POLICY_DENIED_SESSION,
    SH_POLICY_DENIED_RESOURCE,
    SH_POLICY_NO_IDENTITY, /* nothing allows it: no identity-based policy … */
    SH_POLICY_NO_BOUNDARY,
    SH_POLICY_NO_SESSION,
    SH_POLICY_NO_RESOURCE, /* nobody with identity policies asks, and the resource's has no word for it */
} sh_policy_reason;

sh_policy_reason sh_policy_decide(const sh_policy_set *set, const sh_policy_request *request);

/* What one policy by itself says, for SimulatePrincipalPolicy and the like. */
typedef enum sh_policy_effect { SH_POLICY_SILENT, SH_POLICY_ALLOW, SH_POLICY_DENY } sh_policy_effect;
/* *sid (may be NULL): the Sid of the statement that decided, "" when it has none, NULL when silent. */
sh_policy_effect sh_policy_says(const sh_policy *policy, const sh_policy_request *request, const char **sid);

/* AWS's sentence for a request that is not allowed, without the "AccessDenied" before it:
 *   User: arn:… is not authorized to perform: s3:GetObject on resource: "arn:…" because no identity-based
 * policy allows the s3:GetObject action Returns the length, or what it would have needed, as snprintf. */
int sh_policy_sentence(char *text, size_t size, sh_policy_reason reason, const sh_policy_request *request);

/* Whether a condition or variable of the policy may be about a key that begins with `prefix` ("s3:Exis…").
 * NULL is no policy. */
bool sh_policy_mentions(const sh_policy *policy, const char *prefix);

/* Whether `text` is matched by a pattern with * and ?. */
bool sh_policy_glob(const char *pattern, const char *text, bool any_case);

#endif
