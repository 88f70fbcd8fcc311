/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_OBJECT_FILES_H
#define SH_STORE_OBJECT_FILES_H
/* Files behind objects and parts; used inside the store only. A name is "<two hex>/<32 hex>", relative to
 * DATA/objects. Where a name is of a body in the database (bodies.h), opening gives a file of memory, and
 * what drops or settles files does nothing.
 *
 * A file has two names while it is on its way: it is written as DATA/tmp/<32 hex>, linked to its place in
 * objects/, synced, the folder synced, then a transaction makes its row; only then is the name in tmp removed
 * (sh_object_file_settle). So a start finds every file that may have no row in DATA/tmp alone, however many
 * objects there are. (It is linked before it is synced because the sync of a file carries the new names of
 * it on journalling file systems: one wait for the disk fewer. Without a row it is not an object either way.)
 *
 * The other way round, triggers put the file of each row that goes into the table `garbage`, in the same
 * transaction. Whoever deleted the row unlinks the file at once (sh_object_file_drop); what a crash or a
 * backup has left is unlinked by sh_garbage_sweep, which looks at each file of the table once more and
 * leaves alone what a row still names (a current object that became an older version of its key). */
#include "cloud/store/objects.h"

#define SH_OBJECT_FILE 40 /* bytes of a name */
#define SH_OBJECT_FILE_LENGTH 35

bool sh_object_file_name(const char *file); /* has that form */

typedef struct sh_folder_set {
    bool touched[256]; /* folders of DATA/objects that got a new name */
} sh_folder_set;

/* Links the file in under a new name and syncs it; its folder is noted, not synced yet. On failure the file
 * is gone. */
int sh_object_file_take(const sh_objects *objects, const char *path, char file[SH_OBJECT_FILE],
                        sh_folder_set *folders, sh_err *err);
int sh_object_folders_sync(const sh_objects *objects, const sh_folder_set *folders, sh_err *err);
/* After the commit of its row. "" is fine. */
void sh_object_file_settle(const sh_objects *objects, const char *file);
/* For a file that no row names (any more): afterwards it has no name, unless a backup is being made of a row
 * that it had; then sh_garbage_sweep does it. A failure is logged and also left to that. "" is fine. */
void sh_object_file_drop(const sh_objects *objects, const char *file);
int sh_object_file_unlink(const sh_objects *objects, const char *file); /* no such file: fine */

/* Unlinks up to `max` files of deleted rows; *more: there may be others. Nothing while a backup is made. */
int sh_garbage_sweep(const sh_objects *objects, int max, bool *more, sh_err *err);

/* While a process holds the pin, files of rows that are deleted stay. It ends with the process. CONFLICT:
 * held. */
int sh_object_files_pin(const sh_objects *objects, int *fd, sh_err *err);
void sh_object_files_unpin(const sh_objects *objects, int fd);
bool sh_object_files_pinned(const sh_objects *objects);
/* A file that holds space back, so that a delete can be recorded on a full disk. Release: true when there was
 * one to give up. Keep: makes it (again) if as much again stays free; a failure is fine. Before a start:
 * gives it up where nothing else is free, for what a start has to write. */
bool sh_reserve_release(const sh_objects *objects);
void sh_reserve_keep(const sh_objects *objects);
void sh_reserve_before_start(const char *data);
int sh_object_file_open(const sh_objects *objects, const char *file, int *fd, sh_err *err);
/* Row function: copies column 0 into a char[SH_OBJECT_FILE]. */
int sh_take_file(void *opaque, const sh_row *row);
/* Row function: counts rows into an int. */
int sh_count_row(void *opaque, const sh_row *row);
/* Writes one object row and its event inside the caller's transaction; `old` gets the replaced file or "". */
int sh_object_insert(const sh_objects *objects, const sh_object_new *item, const char *file, int64_t size,
                     const char *etag, const sh_object_cause *cause, char old[SH_OBJECT_FILE], sh_err *err);

#endif
