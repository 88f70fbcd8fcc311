/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_OBJECT_FILES_H
#define SH_STORE_OBJECT_FILES_H
/* Files behind objects and parts; used inside the store only. A name is "<two hex>/<32 hex>", relative to
 * DATA/objects. */
#include "cloud/store/objects.h"

#define SH_OBJECT_FILE 40 /* bytes of a name */

typedef struct sh_folder_set {
    bool touched[256]; /* folders of DATA/objects that got a new name */
} sh_folder_set;

/* Syncs the file and moves it in under a new name; its folder is noted, not synced yet. */
int sh_object_file_take(const sh_objects *objects, const char *path, char file[SH_OBJECT_FILE],
                        sh_folder_set *folders, sh_err *err);
int sh_object_folders_sync(const sh_objects *objects, const sh_folder_set *folders, sh_err *err);
/* Afterwards no name; a failure is logged, the file is then an orphan that the next start removes. "" is
 * fine. */
void sh_object_file_drop(const sh_objects *objects, const char *file);
/* A file that holds space back, so that a delete can be recorded on a full disk. Release: true when there was
 * one to give up. Keep: makes it (again) if there is room; a failure is fine. */
bool sh_reserve_release(const sh_objects *objects);
void sh_reserve_keep(const sh_objects *objects);
int sh_object_file_open(const sh_objects *objects, const char *file, int *fd, sh_err *err);
/* Row function: copies column 0 into a char[SH_OBJECT_FILE]. */
int sh_take_file(void *opaque, const sh_row *row);
/* Row function: counts rows into an int. */
int sh_count_row(void *opaque, const sh_row *row);
/* Writes one object row and its event inside the caller's transaction; `old` gets the replaced file or "". */
int sh_object_insert(const sh_objects *objects, const sh_object_new *item, const char *file, int64_t size,
                     const char *etag, const sh_object_cause *cause, char old[SH_OBJECT_FILE], sh_err *err);

#endif
