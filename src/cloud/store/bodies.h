/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_BODIES_H
#define SH_STORE_BODIES_H
/* Small bodies: the bytes of an object or part that are at most sh_objects.row_max long are a row of the
 * table `bodies` instead of a file. They are written in the transaction of the row that names them, so that
 * all of a write is on disk with one sync of the database's log, which is shared with everybody who writes at
 * that moment; a file waits for a sync of its own and one of its folder before that.
 *
 * Such a row is named where a file would be: "row/<19 digits>", its id. An id is never used twice. Nothing
 * but that name tells the two kinds apart, so what copies, versions, lists or retires objects knows neither.
 * Triggers delete a body with the last row that names it. Used inside the store only. */
#include "cloud/store/object_files.h"

#define SH_BODY_PREFIX "row/"
#define SH_BODY_AFTER "row0" /* sorts behind all names, of files and of bodies */
/* In SQL: the id in a name. */
#define SH_BODY_ID(name) "CAST(substr(" name ", 5) AS INTEGER)"

bool sh_body_name(const char *file); /* has that form */

/* Inside the caller's transaction. */
int sh_body_insert(const sh_objects *objects, const void *bytes, size_t length, char file[SH_OBJECT_FILE],
                   sh_err *err);
/* A copy of the bytes; free *bytes. SH_E_NOT_FOUND: there is no such body. */
int sh_body_get(const sh_objects *objects, const char *file, void **bytes, size_t *length, sh_err *err);
/* The same as a file of memory, at its beginning. */
int sh_body_open(const sh_objects *objects, const char *file, int *fd, sh_err *err);
int sh_body_size(const sh_objects *objects, const char *file, int64_t *size, sh_err *err);

/* ---- what is on its way into the store, be it a file or bytes ---- */

typedef struct sh_incoming {
    char file[SH_OBJECT_FILE]; /* "" until it has a place */
    const char *from;          /* of bytes that were read from a file: it, borrowed; else NULL */
    const void *bytes;         /* NULL: it became a file */
    void *own;
    int64_t size;
} sh_incoming;

/* How much of files may be read into memory to become bodies of one transaction. */
enum { SH_INCOMING_MAX = 4 << 20 };

/* Takes the file at `path`, or `bytes` when that is NULL. A short file is read; a longer one is taken into
 * objects/ (sh_object_file_take). *room: what is left of SH_INCOMING_MAX. */
int sh_incoming_take(const sh_objects *objects, const char *path, const void *bytes, size_t length,
                     sh_folder_set *folders, size_t *room, sh_incoming *out, sh_err *err);
/* Inside the transaction, before the row that names in->file. */
int sh_incoming_place(const sh_objects *objects, sh_incoming *in, sh_err *err);
/* After the transaction. Not committed: the file is gone. */
void sh_incoming_end(const sh_objects *objects, sh_incoming *in, bool committed);

#endif
