/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_DOCUMENTS_H
#define SH_STORE_DOCUMENTS_H
/* Documents of Run Command that were made here, and their versions, which count from 1. Strings that
 * functions give live in the arena, or until the row function returns. */
#include "base/arena.h"
#include "cloud/store/db.h"

enum { SH_DOCUMENT_DEFAULT = 0, SH_DOCUMENT_LATEST = -1 };

typedef struct sh_document {
    const char *name;
    int64_t default_version, latest_version; /* of those that are there */
    /* of one version */
    int64_t version;
    const char *content;      /* JSON, checked when it was made */
    const char *version_name; /* "" */
    const char *hash;         /* of the content: hex SHA-256 */
    int64_t created_ms;
} sh_document;

typedef int (*sh_document_fn)(void *opaque, const sh_document *row);
/* Version 1. SH_E_CONFLICT: exists already. */
int sh_document_insert(sh_db *db, const sh_document *row, sh_err *err);
/* The next version; its number is nobody's, not even of one that is gone. In a transaction. */
int sh_document_add_version(sh_db *db, const sh_document *row, sh_err *err);
int sh_document_set_default(sh_db *db, const char *name, int64_t version, sh_err *err);
/* version: its number, or one of the above. SH_E_NOT_FOUND: no such document, or version. */
int sh_document_get(sh_db *db, sh_arena *arena, const char *name, int64_t version, sh_document *out,
                    sh_err *err);
/* The default versions, by name; fn may not write. */
int sh_document_each(sh_db *db, int64_t skip, int64_t limit, sh_document_fn fn, void *opaque, sh_err *err);
/* All of one document, latest first. */
int sh_document_each_version(sh_db *db, const char *name, int64_t skip, int64_t limit, sh_document_fn fn,
                             void *opaque, sh_err *err);
int sh_document_count_versions(sh_db *db, const char *name, int64_t *count, sh_err *err);
int sh_document_delete_version(sh_db *db, const char *name, int64_t version,
                               sh_err *err);                      /* not there: fine */
int sh_document_delete(sh_db *db, const char *name, sh_err *err); /* all of it. SH_E_NOT_FOUND */

#endif
