/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/stream_files.h"
#include "base/file.h"
#include "cli/stream_tracks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int join(char path[PATH_MAX], const char *a, const char *b, const char *c, sh_err *err)
{
    const int length =
        snprintf(path, PATH_MAX, "%s%s%s%s%s", a, b ? "/" : "", b ? b : "", c ? "/" : "", c ? c : "");
    return length >= 0 && length < PATH_MAX
               ? 0
               : sh_fail(err, SH_E_LIMIT, "a path in %.200s is longer than %d bytes", a, PATH_MAX - 1);
}

/* The folder is there; it, and the one that it lies in, have changed. */
static int make_folder(sh_stream_files *f, const char *name, sh_err *err)
{
    char path[PATH_MAX];
    size_t i = 0;
    while (i < f->folder_count && strcmp(f->folders[i], name) != 0)
        i++;
    if (i < f->folder_count) {
        f->dirty[i] = true;
        return 0;
    }
    if (f->folder_count == SH_STREAM_FOLDERS || strlen(name) >= sizeof(f->folders[0]))
        return sh_fail(err, SH_E_INTERNAL, "a stream has more than %d folders", SH_STREAM_FOLDERS);
    int status = join(path, f->staging, name, NULL, err);
    if (status == 0 && mkdir(path, 0755) < 0 && errno != EEXIST)
        status = sh_fail_errno(err, errno, "cannot make %s", path);
    if (status < 0)
        return status;
    snprintf(f->folders[f->folder_count], sizeof(f->folders[0]), "%s", name);
    f->dirty[f->folder_count++] = true;
    return 0;
}

static int path_of(const sh_stream_files *f, const sh_ladder_file *file, char path[PATH_MAX],
                   char folder[SH_STREAM_NAME], sh_err *err)
{
    char name[SH_STREAM_NAME];
    sh_stream_name_of(file, name);
    sh_stream_folder_of(file, folder);
    if (file->role == SH_LADDER_WORK)
        folder[0] = '\0';
    return folder[0] ? join(path, f->staging, folder, name, err) : join(path, f->staging, name, NULL, err);
}

int sh_stream_files_open(sh_stream_files *f, const sh_ladder_file *file, sh_err *err)
{
    const int fresh = file->role == SH_LADDER_WORK ? 0 : O_TRUNC;
    char path[PATH_MAX], folder[SH_STREAM_NAME];
    int status = path_of(f, file, path, folder, err);
    if (status == 0 && folder[0])
        status = make_folder(f, folder, err);
    if (status < 0)
        return status;
    const int fd = open(path, O_RDWR | O_CREAT | fresh | O_NOFOLLOW | O_CLOEXEC, 0644);
    return fd >= 0 ? fd : sh_fail_errno(err, errno, "cannot make %s", path);
}

int sh_stream_files_reopen(sh_stream_files *f, const sh_ladder_file *file, sh_err *err)
{
    char path[PATH_MAX], folder[SH_STREAM_NAME];
    int status = path_of(f, file, path, folder, err);
    if (status < 0)
        return status;
    const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 ? fd : sh_fail_errno(err, errno, "cannot read %s", path);
}

int sh_stream_files_sync(sh_stream_files *f, sh_err *err)
{
    char path[PATH_MAX];
    int status = 0;
    for (size_t i = 0; i < f->folder_count && status == 0; i++) {
        if (!f->dirty[i])
            continue;
        status = join(path, f->staging, f->folders[i], NULL, err);
        if (status == 0)
            status = sh_dir_sync(path, err);
        f->dirty[i] = status < 0;
    }
    return status == 0 ? sh_dir_sync(f->staging, err) : status;
}

int sh_stream_files_put(const sh_stream_files *f, const char *folder, const char *name, const void *bytes,
                        size_t length, sh_err *err)
{
    char path[PATH_MAX];
    int status = folder ? join(path, f->staging, folder, name, err) : join(path, f->staging, name, NULL, err);
    return status == 0 ? sh_file_replace(path, bytes, length, 0644, err) : status;
}
