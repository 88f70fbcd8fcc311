/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/object_files.h"
#include "base/file.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RESERVE_BYTES = 1 << 20 };

static int path_in(char *path, size_t size, const sh_objects *objects, const char *folder, const char *name,
                   sh_err *err)
{
    if ((size_t)snprintf(path, size, "%s/%s/%s", objects->data, folder, name) >= size)
        return sh_fail(err, SH_E_ARGUMENT, "the data folder's path is too long");
    return 0;
}

static int new_name(char file[SH_OBJECT_FILE], sh_err *err)
{
    unsigned char b[16];
    if (getrandom(b, sizeof(b), 0) != sizeof(b))
        return sh_fail_errno(err, errno, "no random bytes");
    int used = snprintf(file, SH_OBJECT_FILE, "%02x/", b[0]);
    for (size_t i = 0; i < sizeof(b); i++)
        used += snprintf(file + used, SH_OBJECT_FILE - (size_t)used, "%02x", b[i]);
    return 0;
}

static int sync_file(const char *path, sh_err *err)
{
    struct stat st;
    int status = 0;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return sh_fail_errno(err, errno, "cannot open %s", path);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        status = sh_fail(err, SH_E_ARGUMENT, "%s is not a plain file", path);
    else if (fdatasync(fd) < 0)
        status = sh_fail_errno(err, errno, "cannot sync %s", path);
    close(fd);
    return status;
}

int sh_object_file_take(const sh_objects *objects, const char *path, char file[SH_OBJECT_FILE],
                        sh_folder_set *folders, sh_err *err)
{
    char to[PATH_MAX], name[SH_OBJECT_FILE];
    int status = sync_file(path, err);
    if (status == 0)
        status = new_name(name, err);
    if (status == 0)
        status = path_in(to, sizeof(to), objects, "objects", name, err);
    if (status < 0)
        return status;
    if (rename(path, to) < 0)
        return sh_fail_errno(err, errno, "cannot move %s into the store", path);
    folders->touched[strtoul(name, NULL, 16) & 255] = true;
    memcpy(file, name, SH_OBJECT_FILE);
    return 0;
}

int sh_object_folders_sync(const sh_objects *objects, const sh_folder_set *folders, sh_err *err)
{
    int status = 0;
    for (int i = 0; status == 0 && i < 256; i++) {
        char path[PATH_MAX], name[4];
        if (!folders->touched[i])
            continue;
        snprintf(name, sizeof(name), "%02x", (unsigned)i & 255);
        status = path_in(path, sizeof(path), objects, "objects", name, err);
        if (status == 0)
            status = sh_dir_sync(path, err);
    }
    return status;
}

void sh_object_file_drop(const sh_objects *objects, const char *file)
{
    char path[PATH_MAX];
    if (!file[0] || path_in(path, sizeof(path), objects, "objects", file, NULL) < 0)
        return;
    if (unlink(path) < 0)
        sh_log(SH_LOG_WARNING, "store", "cannot remove %s: %s", path, strerror(errno));
}

bool sh_reserve_release(const sh_objects *objects)
{
    char path[PATH_MAX];
    return path_in(path, sizeof(path), objects, ".", "reserve", NULL) == 0 && unlink(path) == 0;
}

void sh_reserve_keep(const sh_objects *objects)
{
    char path[PATH_MAX];
    if (path_in(path, sizeof(path), objects, ".", "reserve", NULL) < 0)
        return;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return; /* there already, as a rule */
    if (posix_fallocate(fd, 0, RESERVE_BYTES) != 0)
        unlink(path);
    close(fd);
}

int sh_object_file_open(const sh_objects *objects, const char *file, int *fd, sh_err *err)
{
    char path[PATH_MAX];
    int status = path_in(path, sizeof(path), objects, "objects", file, err);
    if (status < 0)
        return status;
    int opened = open(path, O_RDONLY | O_CLOEXEC);
    if (opened < 0)
        return sh_fail_errno(err, errno, "cannot open %s", path);
    *fd = opened;
    return 0;
}

int sh_take_file(void *opaque, const sh_row *row)
{
    snprintf(opaque, SH_OBJECT_FILE, "%s", sh_row_text(row, 0));
    return 0;
}

int sh_count_row(void *opaque, const sh_row *row)
{
    (void)row;
    ++*(int *)opaque;
    return 0;
}

/* ---- staging ---- */

int sh_stage_file(const sh_objects *objects, char *path, int *fd, sh_err *err)
{
    int status = path_in(path, SH_STAGE_PATH, objects, "tmp", "put-XXXXXX", err);
    if (status < 0)
        return status;
    int made = mkostemp(path, O_CLOEXEC);
    if (made < 0)
        return sh_fail_errno(err, errno, "cannot make a file in %s/tmp", objects->data);
    *fd = made;
    return 0;
}

int sh_stage_folder(const sh_objects *objects, const char *name, char *path, sh_err *err)
{
    char pattern[NAME_MAX];
    if ((size_t)snprintf(pattern, sizeof(pattern), "%s-XXXXXX", name) >= sizeof(pattern) || strchr(name, '/'))
        return sh_fail(err, SH_E_ARGUMENT, "\"%s\" cannot name a staging folder", name);
    int status = path_in(path, SH_STAGE_PATH, objects, "tmp", pattern, err);
    if (status < 0)
        return status;
    if (!mkdtemp(path))
        return sh_fail_errno(err, errno, "cannot make a folder in %s/tmp", objects->data);
    return 0;
}

/* ---- start ---- */

static int remove_orphans_in(const sh_objects *objects, const char *folder, int *removed, sh_err *err)
{
    char path[PATH_MAX], file[SH_OBJECT_FILE];
    int status = path_in(path, sizeof(path), objects, "objects", folder, err);
    if (status == 0)
        status = sh_dir_make(path, 0700, err);
    if (status < 0)
        return status;
    DIR *dir = opendir(path);
    if (!dir)
        return sh_fail_errno(err, errno, "cannot read %s", path);
    for (struct dirent *entry; status == 0 && (entry = readdir(dir));) {
        int rows = 0;
        if (entry->d_name[0] == '.' ||
            (size_t)snprintf(file, sizeof(file), "%s/%s", folder, entry->d_name) >= sizeof(file))
            continue;
        status =
            sh_db_each(objects->db, err,
                       "SELECT 1 FROM objects WHERE file = ?1 UNION ALL SELECT 1 FROM parts WHERE file = ?1",
                       sh_count_row, &rows, "s", file);
        if (status == 0 && rows == 0) {
            sh_object_file_drop(objects, file);
            ++*removed;
        }
    }
    closedir(dir);
    return status;
}

int sh_objects_recover(const sh_objects *objects, sh_err *err)
{
    char path[PATH_MAX];
    int removed = 0;
    int status = path_in(path, sizeof(path), objects, "tmp", "", err);
    if (status < 0)
        return status;
    path[strlen(path) - 1] = '\0';
    if ((status = sh_dir_remove(path, err)) < 0 || (status = sh_dir_make(path, 0700, err)) < 0)
        return status;
    for (unsigned i = 0; status == 0 && i < 256; i++) {
        char folder[4];
        snprintf(folder, sizeof(folder), "%02x", i & 255);
        status = remove_orphans_in(objects, folder, &removed, err);
    }
    if (status < 0)
        return status;
    if (removed)
        sh_log(SH_LOG_INFO, "store", "removed %d files of writes that had not been committed", removed);
    snprintf(path, sizeof(path), "%s/objects", objects->data);
    sh_reserve_keep(objects);
    status = sh_dir_sync(path, err);
    return status < 0 ? status : sh_dir_sync(objects->data, err);
}
