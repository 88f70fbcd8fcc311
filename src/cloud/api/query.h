/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_QUERY_H
#define SH_API_QUERY_H
/* The Query protocol of AWS, which IAM, STS and (with a dialect of its own) EC2 speak: a form
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

/* EC2 writes lists as Filter.1.Value.2 where others have Filters.member.1.Values.member.2, answers with
 * members that begin with a small letter and lists of <item>s, has no Result element and errors of a form and
 * with codes of its own. */
typedef struct sh_query_name {
    const char *name, *wire;
    json_type type; /* in output: of a value of that type only */
} sh_query_name;

typedef struct sh_query_dialect {
    const sh_query_name *lists;  /* in input: the list `wire` is called `name`. End with NULL, both of them */
    const sh_query_name *output; /* that is more than a small first letter */
    const sh_query_name *errors; /* codes of the server (name) and what this service says (wire) */
} sh_query_dialect;

typedef struct sh_query_service {
    const sh_service *service;       /* name as in the signature's scope ("iam"), and the actions */
    const char *version;             /* "2010-05-08" */
    const char *xmlns;               /* "https://iam.amazonaws.com/doc/2010-05-08/" */
    const sh_query_member *members;  /* ends with a row whose name is NULL */
    const sh_query_dialect *dialect; /* EC2's; NULL: that of the others, whose regions are all one */
} sh_query_service;

/* NULL-terminated, in query_services.c: a service that speaks this protocol is a row there. */
extern const sh_query_service *const sh_query_services[];
extern const sh_query_service sh_query_iam, sh_query_sts, sh_query_ec2; /* iam.c, sts.c, ec2.c */
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
