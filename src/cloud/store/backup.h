/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_BACKUP_H
#define SH_STORE_BACKUP_H
/* A data folder copied whole, also while a server works on it, and put back.
 *
 * A backup is a data folder with a file BACKUP, written last: `spyhop fsck` can check it, and what lacks that
 * file is no backup. It is the state of one moment: the database is copied as one snapshot, and from before
 * that until the last file is copied the files of deleted rows are kept (sh_object_files_pin). Files never
 * change once a row names them, so that they may be linked instead of copied where both folders are on one
 * file system; then the backup costs no space, but shares the disk's fate. */
#include "base/clock.h"
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct sh_backup {
    bool link;                                       /* hard links instead of copies */
    void (*damaged)(void *opaque, const char *what); /* a file that is missing or wrong; NULL: only counted */
    void *opaque;
    int64_t files, bytes; /* out: of objects, versions and parts */
    int64_t damages;      /* out: those are in the rows of the copy, without their file */
} sh_backup;

/* data -> to. `to` is made, or is an empty folder; else SH_E_CONFLICT. On failure what was made is removed.
 */
int sh_backup_make(const char *data, const char *to, const sh_clock *clock, sh_backup *backup, sh_err *err);
/* from -> data, which must not be there or be empty. All bytes are read again and compared; what is wrong is
 * told and counted. SH_E_FORMAT: `from` is no backup. */
int sh_backup_restore(const char *from, const char *data, sh_backup *backup, sh_err *err);

#endif
