/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_DOCUMENTS_H
#define SH_STORE_DOCUMENTS_H
/* Documents of Run Command that were made here. Strings that functions give live in the arena, or until the
 * row function returns. */
#include "base/arena.h"
#include "cloud/store/db.h"

typedef struct sh_document {
    const char *name, *content; /* JSON, checked when it was made */
    int64_t created_ms;
} sh_document;

typedef int (*sh_document_fn)(void *opaque, const sh_document *row);
int sh_document_insert(sh_db *db, const sh_document *row, sh_err *err); /* SH_E_CONFLICT: exists already */
int sh_document_get(sh_db *db, sh_arena *arena, const char *name, sh_document *out, sh_err *err);
/* By name; fn may not write. */
int sh_document_each(sh_db *db, int64_t skip, int64_t limit, sh_document_fn fn, void *opaque, sh_err *err);
int sh_document_delete(sh_db *db, const char *name, sh_err *err); /* SH_E_NOT_FOUND */

#endif
