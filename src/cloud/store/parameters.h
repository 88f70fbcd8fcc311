/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_PARAMETERS_H
#define SH_STORE_PARAMETERS_H
/* Parameter Store: a parameter is a name and its versions, the last SH_PARAMETER_VERSIONS of which are kept.
 * Values of SecureString come and go sealed. Functions are thread-safe; strings of lists are borrowed until
 * the function given returns. */
#include "base/arena.h"
#include "base/err.h"
#include "cloud/store/db.h"
#include <stdint.h>

#define SH_PARAMETER_VERSIONS 100

typedef struct sh_parameter {
    const char *name;
    int64_t version; /* from 1 */
    const char *type;
    const void *value;
    size_t value_length;
    const char *description, *pattern, *key; /* NULL: none */
    const char *tier, *data_type, *user;
    const char *labels; /* JSON array of texts, NULL: none */
    int64_t modified_ms;
} sh_parameter;

typedef int (*sh_parameter_fn)(void *opaque, const sh_parameter *parameter); /* non-zero ends */

/* A new version, p->version, of a new or an old name; those that are too many go. */
int sh_parameter_put(sh_db *db, const sh_parameter *p, sh_err *err);
/* version 0: the latest. SH_E_NOT_FOUND. Strings of *out are in the arena. */
int sh_parameter_get(sh_db *db, sh_arena *arena, const char *name, int64_t version, sh_parameter *out,
                     sh_err *err);
/* Versions above `above`, oldest first. */
int sh_parameter_versions(sh_db *db, const char *name, int64_t above, int64_t limit, sh_parameter_fn fn,
                          void *opaque, sh_err *err);
/* The latest of each name that begins with `prefix`, in order of names after `after`. */
int sh_parameters_list(sh_db *db, const char *prefix, const char *after, int64_t limit, sh_parameter_fn fn,
                       void *opaque, sh_err *err);
int sh_parameter_delete(sh_db *db, const char *name, sh_err *err); /* SH_E_NOT_FOUND */
int sh_parameter_set_labels(sh_db *db, const char *name, int64_t version, const char *labels, sh_err *err);
/* Tags as a JSON object; *text NULL: none. SH_E_NOT_FOUND: there is no such name. */
int sh_parameter_tags(sh_db *db, sh_arena *arena, const char *name, const char **text, sh_err *err);
int sh_parameter_set_tags(sh_db *db, const char *name, const char *text, sh_err *err);

#endif
