/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/object_files.h"
#include "base/file.h"
#include "base/log.h"
#include "cloud/store/bodies.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
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

static bool is_hex(const char *text, size_t length)
{
    return strlen(text) == length && strspn(text, "0123456789abcdef") == length;
}

bool sh_object_file_name(const char *file)
{
    return strlen(file) == SH_OBJECT_FILE_LENGTH && file[2] == '/' && is_hex(file + 3, 32) &&
           memcmp(file, file + 3, 2) == 0;
}

/* The name that a file keeps in DATA/tmp until its row is committed. */
static int staged_path(char *path, size_t size, const sh_objects *objects, const char *file, sh_err *err)
{
    return path_in(path, size, objects, "tmp", file + 3, err);
}

/* A file staged by sh_stage_file has its name already; any other gets one. */
static int name_staged(const sh_objects *objects, const char *path, char file[SH_OBJECT_FILE], char *staged,
                       sh_err *err)
{
    size_t data = strlen(objects->data);
    bool named = strncmp(path, objects->data, data) == 0 && strncmp(path + data, "/tmp/", 5) == 0 &&
                 is_hex(path + data + 5, 32);
    int status = 0;
    if (named)
        snprintf(file, SH_OBJECT_FILE, "%.2s/%s", path + data + 5, path + data + 5);
    else
        status = new_name(file, err);
    if (status == 0)
        status = staged_path(staged, PATH_MAX, objects, file, err);
    if (status == 0 && !named && rename(path, staged) < 0)
        status = sh_fail_errno(err, errno, "cannot move %s into the store", path);
    return status;
}

int sh_object_file_take(const sh_objects *objects, const char *path, char file[SH_OBJECT_FILE],
                        sh_folder_set *folders, sh_err *err)
{
    char to[PATH_MAX], staged[PATH_MAX], name[SH_OBJECT_FILE];
    int status = name_staged(objects, path, name, staged, err);
    if (status == 0)
        status = path_in(to, sizeof(to), objects, "objects", name, err);
    if (status < 0)
        return status;
    if (link(staged, to) == 0)
        status = sync_file(to, err);
    else if (errno == EPERM || errno == EOPNOTSUPP)
        status = sh_fail(err, SH_E_UNSUPPORTED,
                         "%s is on a file system without hard links: use another for the data folder",
                         objects->data);
    else
        status = sh_fail_errno(err, errno, "cannot move %s into the store", staged);
    if (status < 0) {
        sh_object_file_drop(objects, name);
        return status;
    }
    folders->touched[strtoul(name, NULL, 16) & 255] = true;
    memcpy(file, name, SH_OBJECT_FILE);
    return 0;
}

void sh_object_file_settle(const sh_objects *objects, const char *file)
{
    char path[PATH_MAX];
    if (file[0] && !sh_body_name(file) && staged_path(path, sizeof(path), objects, file, NULL) == 0 &&
        unlink(path) < 0 && errno != ENOENT)
        sh_log(SH_LOG_WARNING, "store", "cannot remove %s: %s", path, strerror(errno));
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

int sh_object_files_pin(const sh_objects *objects, int *fd, sh_err *err)
{
    char path[PATH_MAX];
    int status = path_in(path, sizeof(path), objects, ".", "backup.pin", err);
    if (status < 0)
        return status;
    int made = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (made < 0)
        return sh_fail_errno(err, errno, "cannot make %s", path);
    if (flock(made, LOCK_EX | LOCK_NB) < 0) {
        status = sh_fail(err, SH_E_CONFLICT, "another backup of %s is being made", objects->data);
        close(made);
        return status;
    }
    *fd = made;
    return 0;
}

void sh_object_files_unpin(const sh_objects *objects, int fd)
{
    char path[PATH_MAX];
    if (path_in(path, sizeof(path), objects, ".", "backup.pin", NULL) == 0)
        unlink(path);
    close(fd);
}

bool sh_object_files_pinned(const sh_objects *objects)
{
    char path[PATH_MAX];
    if (path_in(path, sizeof(path), objects, ".", "backup.pin", NULL) < 0)
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno != ENOENT;
    bool held = flock(fd, LOCK_SH | LOCK_NB) < 0; /* else of a backup that was killed */
    close(fd);
    return held;
}

int sh_object_file_unlink(const sh_objects *objects, const char *file)
{
    char path[PATH_MAX];
    if (path_in(path, sizeof(path), objects, "objects", file, NULL) < 0)
        return SH_E_ARGUMENT;
    if (unlink(path) == 0 || errno == ENOENT)
        return 0;
    sh_log(SH_LOG_WARNING, "store", "cannot remove %s: %s", path, strerror(errno));
    return SH_E_IO;
}

void sh_object_file_drop(const sh_objects *objects, const char *file)
{
    char path[PATH_MAX];
    if (!file[0] || sh_body_name(file) || staged_path(path, sizeof(path), objects, file, NULL) < 0)
        return;
    bool staged = unlink(path) == 0; /* then no row has ever named it */
    if (!staged && sh_object_files_pinned(objects))
        return;
    sh_object_file_unlink(objects, file);
}

static uint64_t free_bytes(const char *folder)
{
    struct statvfs disk;
    return statvfs(folder, &disk) == 0 ? (uint64_t)disk.f_bavail * disk.f_frsize : 0;
}

void sh_reserve_before_start(const char *data)
{
    char path[PATH_MAX];
    if (free_bytes(data) < RESERVE_BYTES &&
        (size_t)snprintf(path, sizeof(path), "%s/reserve", data) < sizeof(path))
        unlink(path);
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
    if (free_bytes(objects->data) < 2 * RESERVE_BYTES)
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
    if (sh_body_name(file))
        return sh_body_open(objects, file, fd, err);
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
    char file[SH_OBJECT_FILE];
    int status = new_name(file, err);
    if (status == 0)
        status = staged_path(path, SH_STAGE_PATH, objects, file, err);
    if (status < 0)
        return status;
    int made = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
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

/* The file made for its name is taken away again: a link needs the name to be free. */
static int link_staged(const sh_objects *objects, const char *file, const char *path, sh_err *err)
{
    char source[PATH_MAX];
    int status = path_in(source, sizeof(source), objects, "objects", file, err);
    unlink(path);
    if (status == 0 && link(source, path) < 0)
        status = sh_fail_errno(err, errno, "cannot share %s", source);
    return status;
}

int sh_object_share(const sh_objects *objects, const sh_object *from, char *path, sh_err *err)
{
    int fd;
    void *bytes = NULL;
    size_t length = 0;
    int status = sh_stage_file(objects, path, &fd, err);
    if (status < 0)
        return status;
    if (!sh_body_name(from->file)) {
        status = link_staged(objects, from->file, path, err);
    } else {
        status = sh_body_get(objects, from->file, &bytes, &length, err);
        if (status == 0)
            status = sh_fd_write(fd, bytes, length, err);
        if (status < 0)
            unlink(path);
    }
    free(bytes);
    close(fd);
    return status;
}
