/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_IAM_H
#define SH_STORE_IAM_H
/* The rows of IAM: entities (users, groups, roles, managed policies, instance profiles), and what hangs on
 * them: inline policies, attachments of managed policies, members, versions of policies, access keys. An
 * entity is known by its kind and name; names are unique without regard to case. Secrets come and go sealed.
 *
 * Deleting an entity deletes nothing that hangs on it: who calls has checked that nothing does.
 * Texts handed to a row function are borrowed until it returns; those of a get are in the arena. Lists are in
 * the order of names and begin after `after` ("" : from the start). */
#include "base/arena.h"
#include "cloud/store/db.h"

typedef enum sh_iam_kind {
    SH_IAM_USER = 1,
    SH_IAM_GROUP,
    SH_IAM_ROLE,
    SH_IAM_POLICY,
    SH_IAM_PROFILE,
} sh_iam_kind;

typedef struct sh_iam_entity {
    int64_t row; /* 0: none */
    sh_iam_kind kind;
    const char *name, *id, *path;
    int64_t created_ms;
    const char *description; /* or NULL */
    const char *trust;       /* a role's trust policy; else NULL */
    const char *boundary;    /* ARN of a managed policy, or NULL */
    const char *tags;        /* JSON object, or NULL */
    int64_t max_session_s;   /* of a role */
    int64_t version;         /* the default version of a policy */
    int64_t last_version;    /* ever made */
    int64_t updated_ms;      /* of a policy */
    int64_t used_ms;         /* of a role; 0: never */
} sh_iam_entity;

typedef int (*sh_iam_entity_fn)(void *opaque, const sh_iam_entity *entity);

/* Gives entity->row. SH_E_CONFLICT: the name is taken. */
int sh_iam_insert(sh_db *db, sh_iam_entity *entity, sh_err *err);
/* Everything but row, kind, id and created_ms. SH_E_CONFLICT: the new name is taken. */
int sh_iam_update(sh_db *db, const sh_iam_entity *entity, sh_err *err);
int sh_iam_delete(sh_db *db, int64_t row, sh_err *err);
/* SH_E_NOT_FOUND. */
int sh_iam_get(sh_db *db, sh_arena *arena, sh_iam_kind kind, const char *name, sh_iam_entity *out,
               sh_err *err);
int sh_iam_get_row(sh_db *db, sh_arena *arena, int64_t row, sh_iam_entity *out, sh_err *err);
int sh_iam_get_id(sh_db *db, sh_arena *arena, const char *id, sh_iam_entity *out, sh_err *err);
/* path: what theirs has to begin with. */
int sh_iam_list(sh_db *db, sh_iam_kind kind, const char *path, const char *after, int64_t limit,
                sh_iam_entity_fn fn, void *opaque, sh_err *err);
int sh_iam_count(sh_db *db, sh_iam_kind kind, int64_t *count, sh_err *err);
int sh_iam_role_used(sh_db *db, const char *id, int64_t ms, sh_err *err);

/* ---- inline policies ---- */

typedef int (*sh_iam_named_fn)(void *opaque, const char *name, const char *document);

int sh_iam_inline_put(sh_db *db, int64_t owner, const char *name, const char *document, sh_err *err);
int sh_iam_inline_get(sh_db *db, sh_arena *arena, int64_t owner, const char *name, const char **document,
                      sh_err *err);
int sh_iam_inline_list(sh_db *db, int64_t owner, const char *after, int64_t limit, sh_iam_named_fn fn,
                       void *opaque, sh_err *err);
/* SH_E_NOT_FOUND. */
int sh_iam_inline_delete(sh_db *db, int64_t owner, const char *name, sh_err *err);

/* ---- attachments of managed policies, by ARN ---- */

typedef int (*sh_iam_text_fn)(void *opaque, const char *text);

int sh_iam_attach(sh_db *db, int64_t owner, const char *arn, sh_err *err); /* twice is once */
int sh_iam_detach(sh_db *db, int64_t owner, const char *arn, sh_err *err); /* SH_E_NOT_FOUND */
int sh_iam_attached(sh_db *db, int64_t owner, const char *after, int64_t limit, sh_iam_text_fn fn,
                    void *opaque, sh_err *err);
/* To how many, and as a boundary of how many. */
int sh_iam_attachments(sh_db *db, const char *arn, int64_t *count, int64_t *boundaries, sh_err *err);
/* Entities of a kind that have it, attached or (boundary) as their boundary. */
int sh_iam_attached_to(sh_db *db, const char *arn, sh_iam_kind kind, bool boundary, const char *after,
                       int64_t limit, sh_iam_entity_fn fn, void *opaque, sh_err *err);

/* ---- members: users of a group, the role of an instance profile ---- */

int sh_iam_join(sh_db *db, int64_t parent, int64_t child, sh_err *err);  /* twice is once */
int sh_iam_leave(sh_db *db, int64_t parent, int64_t child, sh_err *err); /* SH_E_NOT_FOUND */
int sh_iam_members(sh_db *db, int64_t parent, const char *after, int64_t limit, sh_iam_entity_fn fn,
                   void *opaque, sh_err *err);
/* Groups of a user, profiles of a role. */
int sh_iam_parents(sh_db *db, int64_t child, const char *after, int64_t limit, sh_iam_entity_fn fn,
                   void *opaque, sh_err *err);

/* What hangs on an entity. */
typedef struct sh_iam_load {
    int64_t inlines, attached, members, parents, keys, versions;
} sh_iam_load;
int sh_iam_load_of(sh_db *db, int64_t row, sh_iam_load *out, sh_err *err);

/* ---- versions of a managed policy ---- */

typedef struct sh_iam_policy_version {
    int64_t number, created_ms;
    const char *document;
} sh_iam_policy_version;
typedef int (*sh_iam_version_fn)(void *opaque, const sh_iam_policy_version *version);

int sh_iam_version_put(sh_db *db, int64_t policy, const sh_iam_policy_version *version, sh_err *err);
int sh_iam_version_get(sh_db *db, sh_arena *arena, int64_t policy, int64_t number, sh_iam_policy_version *out,
                       sh_err *err);
/* Newest first, those below that number (0: all). */
int sh_iam_version_list(sh_db *db, int64_t policy, int64_t below, int64_t limit, sh_iam_version_fn fn,
                        void *opaque, sh_err *err);
int sh_iam_version_delete(sh_db *db, int64_t policy, int64_t number, sh_err *err);

/* ---- access keys ---- */

typedef struct sh_iam_key {
    const char *id;
    int64_t user; /* row */
    bool active;
    int64_t created_ms, used_ms; /* 0: never used */
    const char *used_service;    /* or NULL */
    const unsigned char *sealed; /* the secret */
    size_t sealed_length;
} sh_iam_key;
typedef int (*sh_iam_key_fn)(void *opaque, const sh_iam_key *key);

int sh_iam_key_insert(sh_db *db, const sh_iam_key *key, sh_err *err);
int sh_iam_key_get(sh_db *db, sh_arena *arena, const char *id, sh_iam_key *out, sh_err *err);
int sh_iam_key_list(sh_db *db, int64_t user, const char *after, int64_t limit, sh_iam_key_fn fn, void *opaque,
                    sh_err *err);
int sh_iam_key_activate(sh_db *db, const char *id, bool active, sh_err *err);
int sh_iam_key_delete(sh_db *db, const char *id, sh_err *err);
int sh_iam_key_used(sh_db *db, const char *id, int64_t ms, const char *service, sh_err *err);

#endif
