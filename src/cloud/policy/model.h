/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLOUD_POLICY_MODEL_H
#define SH_CLOUD_POLICY_MODEL_H
/* The tables of a policy. Everything lives in the arena of its sh_policy. */
#include "base/arena.h"
#include "cloud/policy/policy.h"
#include <stdint.h>

typedef struct sh_patterns {
    const char **list;
    size_t count;
} sh_patterns;

typedef enum sh_principal_kind {
    SH_PRINCIPAL_ANY,     /* "*" */
    SH_PRINCIPAL_ARN,     /* a user, a role, a session */
    SH_PRINCIPAL_ACCOUNT, /* 12 digits, of arn:aws:iam::…:root or by themselves */
    SH_PRINCIPAL_SERVICE,
    SH_PRINCIPAL_OTHER, /* Federated, CanonicalUser: matches nobody here */
} sh_principal_kind;

typedef struct sh_principal {
    sh_principal_kind kind;
    const char *text;
} sh_principal;

/* Whom a Principal matched, from the narrowest to the widest. */
typedef enum sh_match {
    SH_MATCH_NONE,
    SH_MATCH_ACCOUNT, /* the caller's account: its own policies have to allow, too */
    SH_MATCH_ROLE,    /* the role behind the session: boundary and session policy still count */
    SH_MATCH_CALLER,  /* the user, the session, the service, or everybody */
} sh_match;

typedef struct sh_condition sh_condition;

typedef struct sh_statement {
    const char *sid; /* "" : none */
    bool deny, not_action, not_resource, not_principal;
    bool has_resource, has_principal;
    sh_patterns actions, resources;
    sh_principal *principals;
    size_t principal_count;
    const sh_condition *conditions; /* all have to hold */
    size_t condition_count;
} sh_statement;

struct sh_policy {
    sh_arena *arena;
    sh_policy_kind kind;
    bool variables; /* Version 2012-10-17 */
    sh_statement *statements;
    size_t count;
};

/* ---- operators: condition.c ---- */

typedef struct sh_policy_operator sh_policy_operator;
const sh_policy_operator *sh_policy_operator_find(const char *name, size_t length);
/* Whether a value in the policy can be one of this operator (a number, a date, a network …). */
bool sh_policy_operator_takes(const sh_policy_operator *op, const char *value);

struct sh_condition {
    const sh_policy_operator *op;
    enum { SH_SET_NONE, SH_SET_ALL, SH_SET_ANY } set;
    bool if_exists;
    const char *key;
    sh_patterns values;
};

bool sh_condition_holds(const sh_policy *policy, const sh_condition *condition,
                        const sh_policy_request *request);

/* ---- match.c ---- */

/* The key's values, NULL when the request has none. */
const sh_policy_key *sh_request_key(const sh_policy_request *request, const char *name, size_t length);
/* Whether `text` is matched by a pattern in which ${…} stands for keys of the request; false also when such a
 * key is missing. */
bool sh_pattern_matches(const sh_policy *policy, const char *pattern, const char *text, bool any_case,
                        const sh_policy_request *request);
/* The same for ARNs: each of the six parts by itself, so that no * reaches over a colon but in the last one.
 */
bool sh_arn_matches(const sh_policy *policy, const char *pattern, const char *text,
                    const sh_policy_request *request);
/* The pattern with its variables put in (what they bring is literal) is equal to the text. */
bool sh_text_equals(const sh_policy *policy, const char *value, const char *text, bool any_case,
                    const sh_policy_request *request);

#endif
