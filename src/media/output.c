/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/output.h"
#include "base/crc32c.h"
#include "media/media.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_target(const char *path, const char *shown, bool overwrite, int input, sh_err *err)
{
    struct stat there, in;
    if (stat(path, &there) < 0)
        return 0; /* not there, or a folder on the way is missing: opening the folder will tell */
    if (input >= 0 && fstat(input, &in) == 0 && in.st_dev == there.st_dev && in.st_ino == there.st_ino)
        return sh_fail(err, SH_E_CONFLICT, "%s: input and output are the same file; choose another output",
                       shown);
    if (!S_ISREG(there.st_mode))
        return sh_fail(err, SH_E_CONFLICT, "%s: is there and not a regular file; choose another output",
                       shown);
    if (!overwrite)
        return sh_fail(err, SH_E_CONFLICT, "%s: is there already; --overwrite replaces it", shown);
    return 0;
}

/* The full path (links of an existing file followed, so that it is the link's target that is replaced), its
 * last component, and a descriptor of its folder. On failure all that was set is the caller's to free. */
static int split(const char *path, const char *shown, char **full, char **name, int *folder, sh_err *err)
{
    char *real = realpath(path, NULL); /* only an existing file has one */
    *full = real ? real : strdup(path);
    if (!*full)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    char *slash = strrchr(*full, '/');
    *name = slash ? slash + 1 : *full;
    if (!**name)
        return sh_fail(err, SH_E_ARGUMENT, "%s: is a folder, not a file name", shown);
    char *parent = slash ? strndup(*full, (size_t)(*name - *full)) : strdup(".");
    if (!parent)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    *folder = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = errno;
    free(parent);
    if (*folder < 0)
        return sh_fail_errno(err, error, "%s: its folder", shown);
    return 0;
}

static void make_name(sh_output *output)
{
    unsigned long long number = 0;
    if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
        number = (unsigned long long)getpid();
    snprintf(output->part, sizeof(output->part), ".spyhop-%016llx.part", number);
}

int sh_output_open(sh_output *output, const char *path, bool overwrite, int input, sh_err *err)
{
    *output = (sh_output){.fd = -1, .folder = -1, .overwrite = overwrite};
    sh_shown_path(path, output->shown);
    int status = check_target(path, output->shown, overwrite, input, err);
    if (status == 0)
        status = split(path, output->shown, &output->path, &output->name, &output->folder, err);
    if (status == 0) {
        if (access("/proc/self/fd", X_OK) == 0)
            output->fd = openat(output->folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
        if (output->fd < 0) {
            make_name(output);
            output->fd = openat(output->folder, output->part, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0666);
        }
        if (output->fd < 0) {
            output->part[0] = '\0';
            status = sh_fail_errno(err, errno, "%s", output->shown);
        }
    }
    if (status < 0)
        sh_output_close(output);
    return status;
}

/* Gives the nameless file a name: its final one if nothing may be replaced, so that two writers cannot both
 * win. */
static int give_name(sh_output *output, const char *name)
{
    char self[64];
    snprintf(self, sizeof(self), "/proc/self/fd/%d", output->fd);
    return linkat(AT_FDCWD, self, output->folder, name, AT_SYMLINK_FOLLOW);
}

static int place(sh_output *output)
{
    if (!output->part[0]) {
        if (!output->overwrite)
            return give_name(output, output->name);
        make_name(output);
        if (give_name(output, output->part) < 0) {
            output->part[0] = '\0';
            return -1;
        }
    }
    if (renameat2(output->folder, output->part, output->folder, output->name,
                  output->overwrite ? 0 : RENAME_NOREPLACE) < 0)
        return -1;
    output->part[0] = '\0';
    return 0;
}

int sh_output_commit(sh_output *output, sh_err *err)
{
    if (fsync(output->fd) < 0)
        return sh_fail_errno(err, errno, "%s: sync", output->shown);
    if (place(output) < 0)
        return sh_fail_errno(err, errno, "%s", output->shown);
    if (fsync(output->folder) < 0)
        return sh_fail_errno(err, errno, "%s: sync of its folder", output->shown);
    return 0;
}

void sh_output_close(sh_output *output)
{
    if (output->part[0])
        unlinkat(output->folder, output->part, 0);
    if (output->fd >= 0)
        close(output->fd);
    if (output->folder >= 0)
        close(output->folder);
    free(output->path);
    *output = (sh_output){.fd = -1, .folder = -1};
}

/* ---- a file made over several runs ---- */

#define NAME_BYTES 255 /* that a file's name may have */
#define TRIES 8        /* against a run that ends just now */

/* "." NAME ending; a name too long for that is cut, and told apart from others that begin so by its CRC. */
static char *hidden_name(const char *name, const char *ending)
{
    char *hidden = NULL;
    const size_t room = NAME_BYTES - strlen(ending) - 1;
    int length = strlen(name) <= room ? asprintf(&hidden, ".%s%s", name, ending)
                                      : asprintf(&hidden, ".%.*s.%08x%s", (int)room - 9, name,
                                                 sh_crc32c(0, name, strlen(name)), ending);
    return length < 0 ? NULL : hidden;
}

static int open_hidden(const sh_unfinished *output, const char *name, int *fd, sh_err *err)
{
    struct stat info;
    char shown[SH_SHOWN];
    sh_shown_path(name, shown);
    int opened = openat(output->folder, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
    if (opened < 0)
        return sh_fail_errno(err, errno, "%s: its unfinished file %s", output->shown, shown);
    *fd = opened;
    if (fstat(opened, &info) < 0)
        return sh_fail_errno(err, errno, "%s", shown);
    /* in a folder that others may write to, a file of theirs may lie in wait */
    if (!S_ISREG(info.st_mode) || info.st_nlink > 1 || info.st_uid != geteuid())
        return sh_fail(err, SH_E_CONFLICT, "%s: beside it, %s is not a plain file of this user; remove it",
                       output->shown, shown);
    return 0;
}

/* 1: locked, and still the file of that name; 0: another run has just ended and removed it. */
static int lock(const sh_unfinished *output, sh_err *err)
{
    struct stat mine, named;
    if (flock(output->journal, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK)
            return sh_fail(err, SH_E_CONFLICT, "%s: another process is making it at this moment",
                           output->shown);
        if (errno != ENOLCK && errno != EOPNOTSUPP && errno != ENOSYS)
            return sh_fail_errno(err, errno, "%s: lock", output->shown);
    }
    return fstat(output->journal, &mine) == 0 &&
           fstatat(output->folder, output->journal_name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           mine.st_dev == named.st_dev && mine.st_ino == named.st_ino;
}

static int open_both(sh_unfinished *output, sh_err *err)
{
    struct stat part, journal;
    int status = 0;
    for (int i = 0; i < TRIES && status == 0; i++) {
        if (output->journal >= 0)
            close(output->journal);
        output->journal = -1;
        status = open_hidden(output, output->journal_name, &output->journal, err);
        if (status == 0)
            status = lock(output, err);
    }
    if (status == 0)
        return sh_fail(err, SH_E_CONFLICT, "%s: another process keeps making it", output->shown);
    if (status < 0)
        return status;
    output->held = true;
    status = open_hidden(output, output->part_name, &output->part, err);
    if (status < 0)
        return status;
    if (fstat(output->part, &part) < 0 || fstat(output->journal, &journal) < 0 ||
        ((part.st_size == 0 || journal.st_size == 0) &&
         (ftruncate(output->part, 0) < 0 || ftruncate(output->journal, 0) < 0)))
        return sh_fail_errno(err, errno, "%s: its unfinished file", output->shown);
    return 0;
}

int sh_unfinished_open(sh_unfinished *output, const char *path, bool overwrite, int input, sh_err *err)
{
    *output = SH_UNFINISHED_NONE;
    output->overwrite = overwrite;
    sh_shown_path(path, output->shown);
    int status = check_target(path, output->shown, overwrite, input, err);
    if (status == 0)
        status = split(path, output->shown, &output->path, &output->name, &output->folder, err);
    if (status == 0) {
        output->part_name = hidden_name(output->name, ".spyhop-part");
        output->journal_name = hidden_name(output->name, ".spyhop-journal");
        status = output->part_name && output->journal_name ? open_both(output, err)
                                                           : sh_fail(err, SH_E_MEMORY, "memory is short");
    }
    if (status < 0)
        sh_unfinished_close(output);
    return status;
}

static int rename_part(const sh_unfinished *output)
{
    const unsigned flags = output->overwrite ? 0 : RENAME_NOREPLACE;
    if (renameat2(output->folder, output->part_name, output->folder, output->name, flags) == 0)
        return 0;
    /* some file systems know no flags: a link is never put over another name either */
    if (flags == 0 || errno != EINVAL ||
        linkat(output->folder, output->part_name, output->folder, output->name, 0) < 0)
        return -1;
    return unlinkat(output->folder, output->part_name, 0);
}

int sh_unfinished_commit(sh_unfinished *output, sh_err *err)
{
    if (fsync(output->part) < 0)
        return sh_fail_errno(err, errno, "%s: sync", output->shown);
    if (rename_part(output) < 0)
        return sh_fail_errno(err, errno, "%s", output->shown);
    if (fsync(output->folder) < 0)
        return sh_fail_errno(err, errno, "%s: sync of its folder", output->shown);
    /* only now: until the name is on disk a crash leaves part and journal as they were */
    output->held = false;
    if (unlinkat(output->folder, output->journal_name, 0) < 0 || fsync(output->folder) < 0)
        return sh_fail_errno(err, errno, "%s: is whole, but its journal cannot be removed", output->shown);
    return 0;
}

void sh_unfinished_discard(sh_unfinished *output)
{
    if (!output->held)
        return;
    unlinkat(output->folder, output->part_name, 0);
    unlinkat(output->folder, output->journal_name, 0);
}

void sh_unfinished_close(sh_unfinished *output)
{
    struct stat info;
    if (output->held && fstat(output->journal, &info) == 0 && info.st_size == 0)
        sh_unfinished_discard(output);
    if (output->part >= 0)
        close(output->part);
    if (output->journal >= 0)
        close(output->journal);
    if (output->folder >= 0)
        close(output->folder);
    free(output->path);
    free(output->part_name);
    free(output->journal_name);
    *output = SH_UNFINISHED_NONE;
}
