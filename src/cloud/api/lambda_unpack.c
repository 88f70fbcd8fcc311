/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A zip archive into a folder that nobody else writes to. An archive comes from outside: a name that is
 * absolute or has a "..", and everything that is neither a file nor a folder, is refused, not skipped; bytes
 * are counted as they are written, whatever the archive says of its sizes. Since no link is ever made, a
 * path below the folder stays below it. */
#include "base/file.h"
#include "cloud/api/lambda_inner.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MAX = 50000, BLOCK = 128 << 10 };

typedef struct unpacking {
    struct archive *archive;
    const char *folder;
    int64_t total;
    int files;
} unpacking;

static bool name_good(const char *name)
{
    if (*name == '/' || *name == '\0' || strchr(name, '\\') || strlen(name) > 1024)
        return false;
    for (const char *at = name; at; at = strchr(at, '/')) {
        at += *at == '/';
        if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || at[2] == '\0'))
            return false;
    }
    return true;
}

static int path_of(const unpacking *u, const char *name, char path[PATH_MAX], sh_err *err)
{
    if ((size_t)snprintf(path, PATH_MAX, "%s/%s", u->folder, name) >= PATH_MAX)
        return sh_fail(err, SH_E_FORMAT, "the archive has a name that is too long: %.100s", name);
    return 0;
}

/* Whatever the umask is, a worker has to get through. */
static int make_folder(const unpacking *u, const char *path, sh_err *err)
{
    char above[PATH_MAX];
    int status = sh_dir_make(path, 0755, err);
    for (const char *at = path + strlen(u->folder); status == 0 && at; at = strchr(at + 1, '/')) {
        snprintf(above, sizeof(above), "%.*s", (int)(at - path), path);
        if (chmod(above, 0755) != 0)
            status = sh_fail_errno(err, errno, "cannot open %s to readers", above);
        if (!*at)
            break;
    }
    return status == 0 && chmod(path, 0755) != 0
               ? sh_fail_errno(err, errno, "cannot open %s to readers", path)
               : status;
}

static int make_parent(const unpacking *u, const char *path, sh_err *err)
{
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
    return make_folder(u, parent, err);
}

static int write_file(unpacking *u, int fd, const char *name, sh_err *err)
{
    char block[BLOCK];
    for (;;) {
        ssize_t got = archive_read_data(u->archive, block, sizeof(block));
        if (got < 0)
            return sh_fail(err, SH_E_FORMAT, "%s of the archive is damaged: %s", name,
                           archive_error_string(u->archive));
        if (got == 0)
            return 0;
        u->total += got;
        if (u->total > SH_FN_UNZIPPED_MAX)
            return sh_fail(err, SH_E_LIMIT, "Unzipped size must be smaller than %d bytes",
                           SH_FN_UNZIPPED_MAX);
        int status = sh_fd_write(fd, block, (size_t)got, err);
        if (status < 0)
            return status;
    }
}

static int take_file(unpacking *u, struct archive_entry *entry, const char *name, sh_err *err)
{
    char path[PATH_MAX];
    int status = path_of(u, name, path, err);
    if (status == 0)
        status = make_parent(u, path, err);
    if (status < 0)
        return status;
    mode_t mode = archive_entry_perm(entry) & 0111 ? 0755 : 0644;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0)
        return sh_fail_errno(err, errno, "cannot make %.200s of an archive", name);
    status = fchmod(fd, mode) == 0 ? write_file(u, fd, name, err)
                                   : sh_fail_errno(err, errno, "cannot open %.200s to readers", name);
    if (close(fd) != 0 && status == 0)
        status = sh_fail_errno(err, errno, "cannot write %.200s of an archive", name);
    return status;
}

static int take_entry(unpacking *u, struct archive_entry *entry, sh_err *err)
{
    char path[PATH_MAX];
    const char *name = archive_entry_pathname_utf8(entry);
    if (!name)
        name = archive_entry_pathname(entry);
    if (!name || !name_good(name))
        return sh_fail(err, SH_E_FORMAT, "the archive has an entry outside of its folder: %.200s",
                       name ? name : "(a name that is not UTF-8)");
    if (++u->files > FILES_MAX)
        return sh_fail(err, SH_E_LIMIT, "the archive has more than %d files", FILES_MAX);
    if (archive_entry_is_encrypted(entry))
        return sh_fail(err, SH_E_FORMAT, "%.200s of the archive is encrypted", name);
    if (archive_entry_filetype(entry) == AE_IFDIR) {
        int status = path_of(u, name, path, err);
        return status < 0 ? status : make_folder(u, path, err);
    }
    if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry))
        return sh_fail(err, SH_E_FORMAT, "the archive has a link or a device: %.200s", name);
    return take_file(u, entry, name, err);
}

static int take_all(unpacking *u, sh_err *err)
{
    struct archive_entry *entry;
    for (;;) {
        int got = archive_read_next_header(u->archive, &entry);
        if (got == ARCHIVE_EOF)
            return 0;
        if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
            return sh_fail(err, SH_E_FORMAT, "it is no zip archive, or a damaged one: %s",
                           archive_error_string(u->archive));
        int status = take_entry(u, entry, err);
        if (status < 0)
            return status;
    }
}

/* The server's mask hides files from others; a function runs as another user. */
static int open_to_all(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)kind, (void)where;
    bool runs = S_ISDIR(st->st_mode) || (st->st_mode & S_IXUSR);
    return chmod(path, runs ? 0755 : 0644);
}

static int sync_folder(const char *folder, sh_err *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status = fd >= 0 && syncfs(fd) == 0 ? 0 : sh_fail_errno(err, errno, "cannot sync %s", folder);
    if (fd >= 0)
        close(fd);
    return status;
}

int sh_fn_unpack(const void *zip, size_t length, const char *folder, int64_t *total, sh_err *err)
{
    unpacking u = {.archive = archive_read_new(), .folder = folder};
    int status =
        u.archive ? sh_dir_make(folder, 0755, err) : sh_fail(err, SH_E_MEMORY, "no memory for an archive");
    if (status == 0 && (archive_read_support_format_zip_seekable(u.archive) != ARCHIVE_OK ||
                        archive_read_open_memory(u.archive, zip, length) != ARCHIVE_OK))
        status = sh_fail(err, SH_E_FORMAT, "it is no zip archive: %s", archive_error_string(u.archive));
    if (status == 0)
        status = take_all(&u, err);
    if (status == 0 && u.files == 0)
        status = sh_fail(err, SH_E_FORMAT, "the archive is empty");
    if (status == 0 && nftw(folder, open_to_all, 16, FTW_PHYS) != 0)
        status = sh_fail_errno(err, errno, "cannot open %s to functions", folder);
    if (status == 0)
        status = sync_folder(folder, err);
    if (status == 0)
        *total = u.total;
    archive_read_free(u.archive);
    return status;
}
