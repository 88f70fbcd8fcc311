/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_SHARES_H
#define SH_STORE_SHARES_H
/* Folders of buckets that were shared: what a share's token (api/share.h) stands for. A share that was
 * revoked is not there any more; one that has expired stays for a while, so that its maker finds it. */
#include "base/arena.h"
#include "cloud/store/db.h"

#define SH_SHARES_MAX 10000 /* at once */

typedef struct sh_share {
    const char *id; /* 16 hex digits */
    const char *bucket;
    const char *prefix;     /* ends with '/', or is empty */
    const char *access_key; /* of who made it; what that key may no longer read, the share does not give */
    const char *principal;  /* ARN */
    int64_t created_ms, expires_ms;
} sh_share;

/* Removes, too, what expired before `forget_ms`. SH_E_LIMIT: there are as many as there may be. */
int sh_share_add(sh_db *db, const sh_share *share, int64_t forget_ms, sh_err *err);
int sh_share_get(sh_db *db, const char *id, sh_arena *arena, sh_share *out, sh_err *err); /* NOT_FOUND */
int sh_share_remove(sh_db *db, const char *id, sh_err *err);                              /* NOT_FOUND */
/* In order of creation; strings are borrowed until fn returns. */
typedef int (*sh_share_fn)(void *opaque, const sh_share *share);
int sh_share_each(sh_db *db, sh_share_fn fn, void *opaque, sh_err *err);

#endif
