/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int sh_file_read(const char *path, sh_buf *buf, sh_err *err)
{
    int status = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return sh_fail_errno(err, errno, "cannot open %s", path);
    for (;;) {
        char block[16384];
        ssize_t got = read(fd, block, sizeof(block));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            status = sh_fail_errno(err, errno, "cannot read %s", path);
        if (got <= 0)
            break;
        if (sh_buf_append(buf, block, (size_t)got) < 0) {
            status = sh_fail(err, SH_E_LIMIT, "%s is larger than %zu bytes", path, buf->maximum);
            break;
        }
    }
    close(fd);
    return status;
}

int sh_fd_write(int fd, const void *bytes, size_t length, sh_err *err)
{
    const char *at = bytes;
    while (length > 0) {
        ssize_t put = write(fd, at, length);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return sh_fail_errno(err, errno, "cannot write");
        at += put;
        length -= (size_t)put;
    }
    return 0;
}

static void parent_of(const char *path, char *parent, size_t size)
{
    snprintf(parent, size, "%s", path);
    char *slash = strrchr(parent, '/');
    if (!slash)
        snprintf(parent, size, ".");
    else if (slash == parent)
        parent[1] = '\0';
    else
        *slash = '\0';
}

int sh_dir_sync(const char *path, sh_err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return sh_fail_errno(err, errno, "cannot open folder %s", path);
    int status = fsync(fd) < 0 ? sh_fail_errno(err, errno, "cannot sync folder %s", path) : 0;
    close(fd);
    return status;
}

int sh_file_replace(const char *path, const void *bytes, size_t length, unsigned mode, sh_err *err)
{
    char temporary[PATH_MAX];
    char parent[PATH_MAX];
    int status = 0;
    int fd = -1;
    if ((size_t)snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path) >= sizeof(temporary))
        return sh_fail(err, SH_E_ARGUMENT, "path is longer than %d bytes", PATH_MAX - 8);
    fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return sh_fail_errno(err, errno, "cannot make a file beside %s", path);
    if (sh_fd_write(fd, bytes, length, err) < 0) {
        status = sh_err_prefix(err, "%s", path);
        goto done;
    }
    if (fchmod(fd, mode) < 0 || fsync(fd) < 0 || rename(temporary, path) < 0) {
        status = sh_fail_errno(err, errno, "cannot replace %s", path);
        goto done;
    }
    parent_of(path, parent, sizeof(parent));
    close(fd);
    return sh_dir_sync(parent, err);
done:
    close(fd);
    unlink(temporary);
    return status;
}

int sh_dir_make(const char *path, unsigned mode, sh_err *err)
{
    char part[PATH_MAX];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof(part))
        return sh_fail(err, SH_E_ARGUMENT, "folder name is empty or longer than %d bytes", PATH_MAX - 1);
    memcpy(part, path, length + 1);
    for (size_t i = 1; i <= length; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        char kept = part[i];
        part[i] = '\0';
        if (mkdir(part, (mode_t)mode) < 0 && errno != EEXIST)
            return sh_fail_errno(err, errno, "cannot make folder %s", part);
        part[i] = kept;
    }
    struct stat st;
    if (stat(path, &st) < 0)
        return sh_fail_errno(err, errno, "cannot make folder %s", path);
    if (!S_ISDIR(st.st_mode))
        return sh_fail(err, SH_E_IO, "%s is there but not a folder", path);
    return 0;
}

/* Removes what is in the folder behind `fd` and closes fd. Depth is that of the tree, each level one
 * descriptor. */
static int empty_folder(int fd, const char *path, sh_err *err)
{
    int status = 0;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        status = sh_fail_errno(err, errno, "cannot read folder %s", path);
        close(fd);
        return status;
    }
    for (struct dirent *entry; status == 0 && (entry = readdir(dir));) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        if (unlinkat(dirfd(dir), name, 0) == 0 || errno == ENOENT)
            continue;
        int child = openat(dirfd(dir), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child < 0) {
            status = sh_fail_errno(err, errno, "cannot remove %s in %s", name, path);
            break;
        }
        status = empty_folder(child, path, err);
        if (status == 0 && unlinkat(dirfd(dir), name, AT_REMOVEDIR) < 0)
            status = sh_fail_errno(err, errno, "cannot remove folder %s in %s", name, path);
    }
    closedir(dir);
    return status;
}

int sh_dir_remove(const char *path, sh_err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : sh_fail_errno(err, errno, "cannot open folder %s", path);
    int status = empty_folder(fd, path, err);
    if (status == 0 && rmdir(path) < 0)
        status = sh_fail_errno(err, errno, "cannot remove folder %s", path);
    return status;
}
