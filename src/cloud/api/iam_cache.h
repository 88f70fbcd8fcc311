/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_IAM_CACHE_H
#define SH_API_IAM_CACHE_H
/* What was parsed or unsealed once and is asked for at every request: the policies of a user, a role or a
 * session, and the owner and secret of an access key. A thing has a name ("AROA…", "key AKIA…") and is good
 * while the generation is the one it was loaded in. It lives as long as somebody holds it.
 *
 * A load reads the generation before the rows. So a change that commits in between makes what was loaded
 * old at once, never the other way round. What is loaded inside a transaction may be rolled back and is not
 * kept. */
#include "cloud/api/iam_inner.h"
#include <stdatomic.h>

typedef struct sh_iam_kept {
    struct sh_iam_kept *next;
    atomic_uint holders;
    uint64_t generation;
    const char *name;
    sh_arena *arena; /* of everything below */
    /* policies */
    sh_policy **identity;
    size_t identity_count;
    sh_policy *boundary, *session;
    sh_policy_key *keys;
    size_t key_count;
    /* an access key, a role that is taken on */
    sh_caller caller;
    const char *secret, *token;
    int64_t expires_ms; /* 0: never */
    sh_policy *trust;
    const char *id; /* of the entity: AIDA…, AROA… */
    _Atomic int64_t used_ms;
} sh_iam_kept;

/* Fills a new thing. Its name is set. */
typedef int (*sh_iam_load_fn)(sh_cloud *cloud, sh_iam_kept *thing, const void *about, sh_err *err);

/* Holds the thing of that name, loading it when there is none that is good. */
int sh_iam_hold(sh_cloud *cloud, const char *name, sh_iam_load_fn load, const void *about, sh_iam_kept **out,
                sh_err *err);
void sh_iam_let_go(sh_iam_kept *thing); /* NULL is fine */

/* The policies of a user or role, by its id. */
int sh_iam_load_identity(sh_cloud *cloud, sh_iam_kept *thing, const void *id, sh_err *err);

#endif
