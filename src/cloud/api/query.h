/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_QUERY_H
#define SH_API_QUERY_H
/* The Query protocol of AWS, which IAM and STS speak: a form
 * (Action=CreateRole&Version=…&Tags.member.1.Key=k, as body of a POST or as query of a GET) in, XML out.
 *
 * Actions never see either: like every other action they are a function from a JSON object to a JSON object
 * (cloud.h), so that a state machine can call the same row. The form above becomes
 *     {"Tags": [{"Key": "k"}]}
 * and an output object becomes
 *     <CreateRoleResponse xmlns="…"><CreateRoleResult>…</CreateRoleResult><ResponseMetadata>…
 * in which an array's items are <member>s, true and false are words, a null is left out, and times are ISO
 * 8601 strings made by the action. Everything in a form is a text; the table of members says which names are
 * something else, wherever in the input or output they stand. */
#include "base/buf.h"
#include "cloud/api/cloud.h"
#include "cloud/http/server.h"

/* What a name means that is not a plain text, object or list. */
typedef enum sh_query_kind {
    SH_QUERY_INTEGER = 1, /* input "100" is 100 */
    SH_QUERY_BOOLEAN,     /* input "true" is true */
    SH_QUERY_LIST,        /* input "" is [], as SDKs send an empty list */
    SH_QUERY_MAP,         /* output object: <entry><key>…</key><value>…</value></entry> */
    SH_QUERY_RESULT,      /* an action's name: an empty output has its (empty) Result element all the same */
} sh_query_kind;

typedef struct sh_query_member {
    const char *name;
    sh_query_kind kind;
} sh_query_member;

typedef struct sh_query_service {
    const sh_service *service;      /* name as in the signature's scope ("iam"), and the actions */
    const char *version;            /* "2010-05-08" */
    const char *xmlns;              /* "https://iam.amazonaws.com/doc/2010-05-08/" */
    const sh_query_member *members; /* ends with a row whose name is NULL */
} sh_query_service;

/* NULL-terminated, in query_services.c: a service that speaks this protocol is a row there. */
extern const sh_query_service *const sh_query_services[];
extern const sh_query_service sh_query_iam, sh_query_sts;   /* iam.c, sts.c */
const sh_query_service *sh_query_find(const char *service); /* by the name in the scope, or NULL */

/* Reads the form into *out (an object, owned) and *action (in the arena), NULL when it names none.
 * SH_E_FORMAT: it is no such form, and err says in which parameter; SH_E_LIMIT: too many parameters, or too
 * deep. */
int sh_query_read(const sh_query_service *service, const char *form, size_t length, sh_arena *arena,
                  const char **action, json_t **out, sh_err *err);
/* Writes the document of an action's output. */
void sh_query_write(sh_buf *out, const sh_query_service *service, const char *action, const json_t *output,
                    const char *request_id);
/* Answers an error. service NULL: STS's namespace. */
void sh_query_fail_with(sh_http_request *http, const sh_query_service *service, int status, const char *code,
                        const char *message);

#endif
