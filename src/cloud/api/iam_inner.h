/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_IAM_INNER_H
#define SH_API_IAM_INNER_H
/* What the files of IAM and STS share. An action is a line of iam_actions.h and a function here: its input is
 * checked before it is called, it runs inside one transaction, and a change raises the generation after it.
 */
#include "base/buf.h"
#include "cloud/api/iam.h"
#include "cloud/store/iam.h"

/* Returns 0 with call->out set; or a negative status, either with call->error set (sh_call_fail) or with
 * *err: then the failure is the server's. */
typedef int (*sh_iam_action_fn)(sh_call *call, sh_err *err);

/* needs: members of the input that are checked, a blank between them, '!' behind those that have to be
 * there. */
int sh_iam_run(sh_call *call, sh_iam_action_fn fn, bool changes, const char *needs);
int sh_iam_check(sh_call *call, const char *needs); /* iam_check.c: ValidationError with all that is wrong */

/* ---- input, once checked ---- */
const char *sh_iam_text(const sh_call *call, const char *name); /* NULL: not there */
int64_t sh_iam_number(const sh_call *call, const char *name, int64_t fallback);
bool sh_iam_bool(const sh_call *call, const char *name, bool fallback);
const json_t *sh_iam_array(const sh_call *call, const char *name); /* NULL: not there */
bool sh_iam_is_name(const char *text);                             /* letters, digits, _+=,.@- */
/* How many characters a text of UTF-8 has. */
size_t sh_iam_characters(const char *text);

/* ---- output ---- */
int sh_iam_give(sh_call *call, json_t *out, sh_err *err);         /* takes it; NULL is want of memory */
json_t *sh_iam_date(int64_t ms);                                  /* "2026-01-31T12:00:00Z" */
json_t *sh_iam_document(const char *text);                        /* percent-encoded, as policies are given */
void sh_iam_set(json_t *object, const char *name, json_t *value); /* NULL value: left out */

/* A page of a list: rows are added until it is full; the marker tells where to go on. */
typedef struct sh_iam_page {
    json_t *list;
    const char *after; /* what the request's Marker stands for, "" at the start */
    int64_t limit;
    bool truncated;
    const char *last;
    sh_call *call;
    const void *about; /* for the row function */
} sh_iam_page;
int sh_iam_page_begin(sh_call *call, sh_iam_page *page, const char *what_is_wrong); /* fails: bad Marker */
/* sh_iam_need, and the page of what it has. */
int sh_iam_page_of(sh_call *call, sh_iam_kind kind, sh_iam_entity *entity, sh_iam_page *page, sh_err *err);
/* Room for one more? False ends the loop. name: what to go on after. */
bool sh_iam_page_add(sh_iam_page *page, const char *name, json_t *item); /* takes the item */
/* {name: list, IsTruncated, Marker} as the answer; status: of the loop. */
int sh_iam_page_end(sh_iam_page *page, int status, const char *name, sh_err *err);

/* ---- entities ---- */

typedef struct sh_iam_kind_row {
    sh_iam_kind kind;
    const char *word;   /* in ARNs: "user" */
    const char *title;  /* "User": member that holds one, and in sentences */
    const char *member; /* "UserName" */
    const char *prefix; /* of ids: "AIDA" */
    int64_t inline_max; /* bytes of all inline policies together */
    int64_t attached_max;
} sh_iam_kind_row;
const sh_iam_kind_row *sh_iam_kind_of(sh_iam_kind kind);

const char *sh_iam_entity_arn(const sh_cloud *cloud, sh_arena *arena, const sh_iam_entity *entity);
void sh_iam_new_id(const char *prefix, size_t letters, char *text); /* prefix and letters: [A-Z2-7] */
/* One of the request: by call's member of that kind. NoSuchEntity as AWS says it. */
int sh_iam_need(sh_call *call, sh_iam_kind kind, sh_iam_entity *out, sh_err *err);
int sh_iam_need_named(sh_call *call, sh_iam_kind kind, const char *name, sh_iam_entity *out, sh_err *err);
/* A user as sh_iam_need; without UserName, the one who calls. root: the root calls for itself. */
int sh_iam_need_user(sh_call *call, sh_iam_entity *out, bool *root, sh_err *err);
/* The members that Create… actions have in common: name, path, description, boundary, tags. */
int sh_iam_fresh(sh_call *call, sh_iam_kind kind, sh_iam_entity *out, sh_err *err);
/* Inserts it; EntityAlreadyExists. */
int sh_iam_add(sh_call *call, sh_iam_entity *entity, sh_err *err);
json_t *sh_iam_user_json(const sh_call *call, const sh_iam_entity *e, bool whole);
json_t *sh_iam_group_json(const sh_call *call, const sh_iam_entity *e);
json_t *sh_iam_role_json(const sh_call *call, const sh_iam_entity *e, bool whole);
json_t *sh_iam_profile_json(const sh_call *call, const sh_iam_entity *e, bool whole, sh_err *err);
json_t *sh_iam_tags_json(const char *tags); /* [{Key, Value}], or NULL when there are none */
/* LimitExceeded: "Cannot exceed quota for WHAT: LIMIT". */
int sh_iam_quota(sh_call *call, const char *what, int64_t limit);
/* That, when the account has `limit` of the kind already. */
int sh_iam_room(sh_call *call, sh_iam_kind kind, const char *what, int64_t limit, sh_err *err);
int sh_iam_caller_entity(const sh_call *call, sh_iam_entity *out,
                         sh_err *err); /* who calls, if it has a row */

/* A list of entities, one page: which of the store's lists is told by fn. */
typedef json_t *(*sh_iam_json_fn)(const sh_call *call, const sh_iam_entity *e);
int sh_iam_list_kind(sh_call *call, sh_iam_kind kind, const char *name, sh_iam_json_fn fn, sh_err *err);

/* ---- policies ---- */

enum { SH_IAM_POLICY_SIZE = 6144, SH_IAM_TRUST_SIZE = 2048, SH_IAM_VERSIONS_MAX = 5 };

/* MalformedPolicyDocument with what the parser says. */
int sh_iam_check_document(sh_call *call, sh_policy_kind kind, const char *text);
/* Characters that count for the quotas: no white space. */
int64_t sh_iam_document_size(const char *text);

/* A managed policy: AWS's own or the account's. */
typedef struct sh_iam_managed {
    bool aws;
    sh_iam_entity entity; /* of AWS's: row 0 */
    const char *arn;
    const char *document; /* of its default version */
} sh_iam_managed;
/* SH_E_NOT_FOUND. */
int sh_iam_managed_get(sh_cloud *cloud, sh_arena *arena, const char *arn, sh_iam_managed *out, sh_err *err);
/* The same with NoSuchEntity: "Policy ARN was not found." */
int sh_iam_managed_need(sh_call *call, const char *arn, sh_iam_managed *out, sh_err *err);

/* managed_policies.c: those of AWS that are here. */
typedef struct sh_aws_policy {
    const char *name, *path, *id, *description, *document;
    int version;
} sh_aws_policy;
extern const sh_aws_policy sh_aws_policies[]; /* in the order of names; ends with a row whose name is NULL */

/* ---- tags: {"k": "v"} as text, from the request's Tags ---- */
enum { SH_IAM_TAGS_MAX = 50 };
/* Adds the request's Tags to an object; InvalidInput for one key twice, LimitExceeded past 50. */
int sh_iam_tags_add(sh_call *call, json_t *tags);
const char *sh_iam_tags_text(const sh_call *call, const json_t *tags); /* in the arena, NULL for none */

/* ---- the state: iam_state.c ---- */

#define SH_IAM_SEAL_EXTRA 28 /* bytes that sealing adds */
/* Seals `length` bytes bound to `name`; out holds length + SH_IAM_SEAL_EXTRA. */
int sh_iam_seal(const sh_cloud *cloud, const char *name, const void *bytes, size_t length, unsigned char *out,
                sh_err *err);
/* out holds length - SH_IAM_SEAL_EXTRA. SH_E_DENIED: it was not sealed here, or for another name. */
int sh_iam_unseal(const sh_cloud *cloud, const char *name, const void *sealed, size_t length,
                  unsigned char *out, sh_err *err);
void sh_iam_changed(sh_cloud *cloud);
int sh_iam_seed(sh_cloud *cloud, sh_err *err); /* iam_seed.c */

/* A secret access key: 40 characters and a NUL. */
#define SH_IAM_SECRET_TEXT 41
void sh_iam_new_secret(char text[SH_IAM_SECRET_TEXT]);

/* ---- sessions: sts_token.c ---- */

/* What a token holds beside its keys. `more` is the text of {Policy, PolicyArns, Tags, Transitive,
 * SourceIdentity}, NULL when there is nothing of these. */
typedef struct sh_session {
    const char *arn, *role_arn, *id;
    const char *more;
    int64_t begun_ms, expires_ms;
} sh_session;
int sh_session_make(const sh_cloud *cloud, const sh_session *session, sh_arena *arena, sh_iam_keys *out,
                    sh_err *err);
/* SH_E_DENIED: not a token of this key. */
int sh_session_read(const sh_cloud *cloud, const char *access_key, const char *token, sh_arena *arena,
                    sh_session *out, const char **secret, sh_err *err);

/* One policy of several documents, for a session. In the arena. */
const char *sh_iam_merge(sh_arena *arena, const char *const *documents, size_t count, sh_err *err);

/* Names of condition keys in a policy, added to a list of texts, each once. */
int sh_iam_context_keys(const char *document, json_t *list);

#define SH_IAM_ACTION(name, fn, changes, needs) int fn(sh_call *call, sh_err *err);
#include "cloud/api/iam_actions.h"
#undef SH_IAM_ACTION

#endif
