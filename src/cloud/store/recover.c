/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a start mends, and the table of files to unlink (see object_files.h). Nothing here takes longer the
 * more objects there are, but for the first start with a data folder of a version that did not leave names in
 * DATA/tmp: it reads the whole of objects/ once. */
#include "base/file.h"
#include "base/log.h"
#include "cloud/store/object_files.h"
#include "cloud/store/schema.h"
#include "cloud/store/settings.h"
#include "cloud/store/take.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { SWEEP = 256 };

#define NAMED(file)                                                                                          \
    "(EXISTS (SELECT 1 FROM objects WHERE file = " file ") "                                                 \
    "OR EXISTS (SELECT 1 FROM object_versions WHERE file = " file ") "                                       \
    "OR EXISTS (SELECT 1 FROM parts WHERE file = " file "))"

const char sh_schema_files[] =
    "CREATE TABLE IF NOT EXISTS garbage (file TEXT PRIMARY KEY) WITHOUT ROWID;"
    "CREATE TRIGGER IF NOT EXISTS objects_deleted AFTER DELETE ON objects"
    " WHEN old.file < 'row/' AND NOT EXISTS (SELECT 1 FROM object_versions WHERE file = old.file) BEGIN"
    " INSERT OR IGNORE INTO garbage VALUES (old.file); END;"
    "CREATE TRIGGER IF NOT EXISTS object_versions_deleted AFTER DELETE ON object_versions"
    " WHEN old.file < 'row/' BEGIN INSERT OR IGNORE INTO garbage VALUES (old.file); END;"
    "CREATE TRIGGER IF NOT EXISTS parts_deleted AFTER DELETE ON parts WHEN old.file < 'row/' BEGIN"
    " INSERT OR IGNORE INTO garbage VALUES (old.file); END;"
    "CREATE TRIGGER IF NOT EXISTS objects_replaced AFTER UPDATE OF file ON objects"
    " WHEN old.file <> new.file AND old.file < 'row/' BEGIN"
    " INSERT OR IGNORE INTO garbage VALUES (old.file); END;"
    "CREATE TRIGGER IF NOT EXISTS parts_replaced AFTER UPDATE OF file ON parts"
    " WHEN old.file <> new.file AND old.file < 'row/' BEGIN"
    " INSERT OR IGNORE INTO garbage VALUES (old.file); END;";

/* ---- garbage ---- */

typedef struct sweep {
    char files[SWEEP][SH_OBJECT_FILE];
    bool named[SWEEP]; /* by a row: not garbage */
    size_t count;
} sweep;

static int take_garbage(void *opaque, const sh_row *row)
{
    sweep *s = opaque;
    snprintf(s->files[s->count], SH_OBJECT_FILE, "%s", sh_row_text(row, 0));
    s->named[s->count++] = sh_row_int(row, 1) != 0;
    return 0;
}

static int forget(const sh_objects *objects, const sweep *s, bool named, sh_err *err)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < s->count; i++)
        if (s->named[i] == named)
            status = sh_db_run(objects->db, err, "DELETE FROM garbage WHERE file = ?1", "s", s->files[i]);
    return status;
}

/* Whether a row names a file is asked and its line removed in one transaction, so that no later deletion of
 * the row falls between the two. A file that no row names never gets one again. */
static int look(const sh_objects *objects, sweep *s, int max, sh_err *err)
{
    int status = sh_db_begin_politely(objects->db, err);
    if (status < 0)
        return status;
    status = sh_db_each(objects->db, err, "SELECT file, " NAMED("g.file") " FROM garbage g LIMIT ?1",
                        take_garbage, s, "i", (int64_t)max);
    if (status == 0)
        status = forget(objects, s, true, err);
    return sh_db_end_later(objects->db, status, err);
}

int sh_garbage_sweep(const sh_objects *objects, int max, bool *more, sh_err *err)
{
    sweep s = {.count = 0};
    int limit = max < SWEEP ? max : SWEEP;
    *more = false;
    if (sh_object_files_pinned(objects))
        return 0;
    int status = look(objects, &s, limit, err);
    if (status < 0 || s.count == 0)
        return status;
    for (size_t i = 0; i < s.count; i++)
        if (!s.named[i] && sh_object_file_unlink(objects, s.files[i]) < 0)
            return sh_fail(err, SH_E_IO, "cannot remove %s", s.files[i]);
    status = sh_db_begin_politely(objects->db, err);
    if (status == 0)
        status = sh_db_end_later(objects->db, forget(objects, &s, false, err), err);
    *more = status == 0 && s.count == (size_t)limit;
    return status;
}

/* ---- start ---- */

static int drop_unless_named(const sh_objects *objects, const char *file, int *removed, sh_err *err)
{
    int64_t named = 0;
    int status = sh_db_each(objects->db, err, "SELECT " NAMED("?1"), sh_take_number, &named, "s", file);
    if (status < 0 || named)
        return status;
    ++*removed;
    return sh_object_file_unlink(objects, file) < 0 ? sh_fail(err, SH_E_IO, "cannot remove %s", file) : 0;
}

typedef int (*name_fn)(const sh_objects *objects, const char *folder, const char *name, int *removed,
                       sh_err *err);

static int each_name(const sh_objects *objects, const char *folder, name_fn fn, int *removed, sh_err *err)
{
    char path[PATH_MAX];
    int status = 0;
    if ((size_t)snprintf(path, sizeof(path), "%s/%s", objects->data, folder) >= sizeof(path))
        return sh_fail(err, SH_E_ARGUMENT, "the data folder's path is too long");
    DIR *dir = opendir(path);
    if (!dir)
        return errno == ENOENT ? 0 : sh_fail_errno(err, errno, "cannot read %s", path);
    for (struct dirent *entry; status == 0 && (errno = 0, entry = readdir(dir));)
        if (entry->d_name[0] != '.')
            status = fn(objects, folder, entry->d_name, removed, err);
    if (status == 0 && errno)
        status = sh_fail_errno(err, errno, "cannot read %s", path);
    closedir(dir);
    return status;
}

/* In tmp or in a folder of objects/: the name tells the file that may be there without a row. */
static int on_object(const sh_objects *objects, const char *folder, const char *name, int *removed,
                     sh_err *err)
{
    char file[SH_OBJECT_FILE];
    (void)folder;
    if (snprintf(file, sizeof(file), "%.2s/%s", name, name) != SH_OBJECT_FILE_LENGTH ||
        !sh_object_file_name(file))
        return 0;
    return drop_unless_named(objects, file, removed, err);
}

/* Makes the folders of objects/; with `look_in`, removes files of a version that left no names in tmp. */
static int make_folders(const sh_objects *objects, bool look_in, int *removed, sh_err *err)
{
    int status = 0;
    for (unsigned i = 0; status == 0 && i < 256; i++) {
        char path[PATH_MAX], folder[16];
        snprintf(folder, sizeof(folder), "objects/%02x", i & 255);
        if ((size_t)snprintf(path, sizeof(path), "%s/%s", objects->data, folder) >= sizeof(path))
            return sh_fail(err, SH_E_ARGUMENT, "the data folder's path is too long");
        status = sh_dir_make(path, 0700, err);
        if (status == 0 && look_in)
            status = each_name(objects, folder, on_object, removed, err);
    }
    return status;
}

static int sync_folders(const sh_objects *objects, sh_err *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/objects", objects->data);
    int status = sh_dir_sync(path, err);
    return status < 0 ? status : sh_dir_sync(objects->data, err);
}

/* Whether the folder was looked through whole by a version that leaves names in tmp. */
static int looked_through(const sh_objects *objects, bool *done, sh_err *err)
{
    sh_buf kept;
    sh_buf_init(&kept, 64);
    int status = sh_settings_get(objects->db, "files_staged_by_link", &kept, err);
    sh_buf_free(&kept);
    *done = status == 0;
    return status == SH_E_NOT_FOUND ? 0 : status;
}

static int sweep_all(const sh_objects *objects, sh_err *err)
{
    bool more = true;
    int status = 0;
    while (status == 0 && more)
        status = sh_garbage_sweep(objects, SWEEP, &more, err);
    return status;
}

int sh_objects_recover(const sh_objects *objects, sh_err *err)
{
    char tmp[PATH_MAX];
    bool done = false;
    int removed = 0;
    if ((size_t)snprintf(tmp, sizeof(tmp), "%s/tmp", objects->data) >= sizeof(tmp))
        return sh_fail(err, SH_E_ARGUMENT, "the data folder's path is too long");
    int status = looked_through(objects, &done, err);
    if (status == 0)
        status = make_folders(objects, !done, &removed, err);
    if (status == 0)
        status = each_name(objects, "tmp", on_object, &removed, err);
    if (status < 0 || (status = sh_dir_remove(tmp, err)) < 0 || (status = sh_dir_make(tmp, 0700, err)) < 0)
        return status;
    if (removed)
        sh_log(SH_LOG_INFO, "store", "removed %d files of writes that had not been committed", removed);
    status = sweep_all(objects, err);
    sh_reserve_keep(objects);
    if (status == 0)
        status = sync_folders(objects, err);
    if (status == 0 && !done)
        status = sh_settings_set(objects->db, "files_staged_by_link", "1", err);
    return status;
}
