/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/output.h"
#include "media/media.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static int split(sh_output *output, const char *path, sh_err *err)
{
    char *real = realpath(path, NULL); /* only an existing file has one; its link is then kept */
    output->path = real ? real : strdup(path);
    if (!output->path)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    char *slash = strrchr(output->path, '/');
    output->name = slash ? slash + 1 : output->path;
    if (!*output->name)
        return sh_fail(err, SH_E_ARGUMENT, "%s: is a folder, not a file name", output->shown);
    char *folder = slash ? strndup(output->path, (size_t)(output->name - output->path)) : strdup(".");
    if (!folder)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    output->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = errno;
    free(folder);
    if (output->folder < 0)
        return sh_fail_errno(err, error, "%s: its folder", output->shown);
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
        status = split(output, path, err);
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
