/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Entries of .publish are "NN+NAME" (a manifest to put in place) and "NN-NAME" (one to remove), NN their
 * order; an entry goes when it is done. Entries of .live are "+NAME" (the manifest from before) and "-NAME"
 * (there was none). */
#include "stream/publish_inner.h"

#include "base/buf.h"
#include "base/file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- names and paths ---- */

bool sh_publish_is_version(const char *name)
{
    return strlen(name) == SH_PUBLISH_VERSION && strspn(name, "0123456789abcdef") == SH_PUBLISH_VERSION;
}

static bool is_staging(const char *name)
{
    return strncmp(name, SH_PUBLISH_STAGING, strlen(SH_PUBLISH_STAGING)) == 0;
}

/* The version that an entry of OUT belongs to; NULL: none of ours. */
static const char *version_of(const char *name)
{
    const char *version = is_staging(name) ? name + strlen(SH_PUBLISH_STAGING) : name;
    return sh_publish_is_version(version) ? version : NULL;
}

int sh_publish_path(char *path, const char *folder, const char *a, const char *b, sh_err *err)
{
    int length = snprintf(path, SH_PUBLISH_PATH, "%s/%s%s%s", folder, a, b ? "/" : "", b ? b : "");
    return length < 0 || length >= SH_PUBLISH_PATH
               ? sh_fail(err, SH_E_LIMIT, "a path in %.200s is longer than %d bytes", folder,
                         SH_PUBLISH_PATH - 1)
               : 0;
}

bool sh_publish_has(const char *folder, const char *a, const char *b)
{
    char path[SH_PUBLISH_PATH];
    struct stat st;
    return sh_publish_path(path, folder, a, b, NULL) == 0 && lstat(path, &st) == 0;
}

/* ---- files ---- */

int sh_publish_put(const char *path, const void *bytes, size_t length, sh_err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return sh_fail_errno(err, errno, "cannot make %s", path);
    int status = sh_fd_write(fd, bytes, length, err);
    if (status < 0)
        status = sh_err_prefix(err, "%s", path);
    else if (fsync(fd) < 0)
        status = sh_fail_errno(err, errno, "cannot sync %s", path);
    close(fd);
    return status;
}

int sh_publish_rename(const char *from, const char *to, sh_err *err)
{
    return rename(from, to) < 0 ? sh_fail_errno(err, errno, "cannot rename %s to %s", from, to) : 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All names first: the folder changes while they are visited. */
static int read_names(const char *path, char ***names, size_t *count, sh_err *err)
{
    size_t room = 0;
    int status = 0;
    DIR *dir = opendir(path);
    if (!dir)
        return sh_fail_errno(err, errno, "cannot read folder %s", path);
    errno = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (*count == room) {
            room = room ? room * 2 : 64;
            char **more = realloc(*names, room * sizeof(*more));
            if (!more)
                break;
            *names = more;
        }
        (*names)[*count] = strdup(entry->d_name);
        if (!(*names)[*count])
            break;
        *count += 1;
        errno = 0;
    }
    if (errno != 0)
        status = sh_fail_errno(err, errno, "cannot read the names in %s", path);
    closedir(dir);
    return status;
}

int sh_publish_each(const char *path, int (*visit)(void *opaque, const char *name, sh_err *err), void *opaque,
                    sh_err *err)
{
    char **names = NULL;
    size_t count = 0;
    int status = read_names(path, &names, &count, err);
    if (count > 1)
        qsort(names, count, sizeof(*names), compare);
    for (size_t i = 0; i < count; i++) {
        if (status == 0)
            status = visit(opaque, names[i], err);
        free(names[i]);
    }
    free(names);
    return status;
}

/* ---- syncing ---- */

static int sync_entry(void *opaque, const char *name, sh_err *err)
{
    const char *folder = opaque;
    char path[SH_PUBLISH_PATH];
    struct stat st;
    int status = sh_publish_path(path, folder, name, NULL, err);
    if (status < 0)
        return status;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        status = sh_fail_errno(err, errno, "cannot open %s", path);
    else if (!S_ISDIR(st.st_mode) && fsync(fd) < 0)
        status = sh_fail_errno(err, errno, "cannot sync %s", path);
    if (fd >= 0)
        close(fd);
    if (status < 0 || !S_ISDIR(st.st_mode))
        return status;
    status = sh_publish_each(path, sync_entry, path, err);
    return status < 0 ? status : sh_dir_sync(path, err);
}

static int sync_top(void *opaque, const char *name, sh_err *err)
{
    return name[0] == '.' ? 0 : sync_entry(opaque, name, err);
}

int sh_publish_sync(const char *path, sh_err *err)
{
    int status = sh_publish_each(path, sync_top, (void *)path, err);
    return status < 0 ? status : sh_dir_sync(path, err);
}

/* ---- removing ---- */

/* What a folder has that must not be seen half removed. */
static int remove_aside(const char *folder, sh_err *err)
{
    char path[SH_PUBLISH_PATH];
    int status = sh_publish_path(path, folder, SH_PUBLISH_ASIDE, NULL, err);
    return status < 0 ? status : sh_dir_remove(path, err);
}

int sh_publish_discard(const char *folder, const char *entry, sh_err *err)
{
    char from[SH_PUBLISH_PATH], to[SH_PUBLISH_PATH];
    int status = sh_publish_path(from, folder, entry, NULL, err);
    if (status == 0)
        status = sh_publish_path(to, folder, SH_PUBLISH_ASIDE, NULL, err);
    if (status == 0)
        status = remove_aside(folder, err);
    if (status == 0 && sh_publish_has(folder, entry, NULL))
        status = sh_publish_rename(from, to, err);
    if (status == 0)
        status = remove_aside(folder, err);
    return status < 0 ? status : sh_dir_sync(folder, err);
}

/* ---- the steps after the decision ---- */

typedef struct step {
    const char *folder, *version;
    const char *inner; /* the folder whose entries are visited */
} step;

/* The maker's journal and a preview's marker. */
static int remove_hidden(void *opaque, const char *name, sh_err *err)
{
    const step *s = opaque;
    char path[SH_PUBLISH_PATH];
    struct stat st;
    if (name[0] != '.' || strcmp(name, SH_PUBLISH_DECIDED) == 0 || strcmp(name, SH_PUBLISH_OURS) == 0)
        return 0;
    int status = sh_publish_path(path, s->inner, name, NULL, err);
    if (status < 0)
        return status;
    if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return sh_dir_remove(path, err);
    return unlink(path) < 0 && errno != ENOENT ? sh_fail_errno(err, errno, "cannot remove %s", path) : 0;
}

/* The same version may be there already: both change places at once, where the file system can. */
static int show_version(const char *folder, const char *entry, const char *version, sh_err *err)
{
    char from[SH_PUBLISH_PATH], to[SH_PUBLISH_PATH], aside[SH_PUBLISH_PATH];
    int status = sh_publish_path(from, folder, entry, NULL, err);
    if (status == 0)
        status = sh_publish_path(to, folder, version, NULL, err);
    if (status == 0)
        status = sh_publish_path(aside, folder, SH_PUBLISH_ASIDE, NULL, err);
    if (status < 0)
        return status;
    if (sh_publish_has(folder, version, NULL)) {
        if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) == 0)
            return sh_dir_sync(folder, err);
        status = sh_dir_remove(aside, err);
        if (status == 0)
            status = sh_publish_rename(to, aside, err);
        if (status < 0)
            return status;
    }
    status = sh_publish_rename(from, to, err);
    return status < 0 ? status : sh_dir_sync(folder, err);
}

static int show_manifest(void *opaque, const char *name, sh_err *err)
{
    const step *s = opaque;
    char from[SH_PUBLISH_PATH], to[SH_PUBLISH_PATH];
    if (!isdigit((unsigned char)name[0]) || !isdigit((unsigned char)name[1]) || !strchr("+-", name[2]) ||
        !name[2] || !name[3])
        return 0;
    int status = sh_publish_path(from, s->inner, name, NULL, err);
    if (status == 0)
        status = sh_publish_path(to, s->folder, name + 3, NULL, err);
    if (status < 0)
        return status;
    if (name[2] == '+')
        return sh_publish_rename(from, to, err);
    if (unlink(to) < 0 && errno != ENOENT)
        return sh_fail_errno(err, errno, "cannot remove %s", to);
    return unlink(from) < 0 ? sh_fail_errno(err, errno, "cannot remove %s", from) : 0;
}

/* A version folder without our mark is somebody else's, whatever its name. */
static bool goes(const step *s, const char *name)
{
    if (is_staging(name))
        return version_of(name);
    return version_of(name) && strcmp(name, s->version) != 0 &&
           sh_publish_has(s->folder, name, SH_PUBLISH_OURS);
}

static int remove_other(void *opaque, const char *name, sh_err *err)
{
    const step *s = opaque;
    char path[SH_PUBLISH_PATH];
    struct stat st;
    int status = goes(s, name) ? sh_publish_path(path, s->folder, name, NULL, err) : 1;
    if (status == 0 && lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return sh_publish_discard(s->folder, name, err);
    return status < 0 ? status : 0;
}

/* The manifests, then what they no longer name. The decision goes last. */
static int show_rest(step *s, sh_err *err)
{
    char final[SH_PUBLISH_PATH], decided[SH_PUBLISH_PATH];
    int status = sh_publish_path(final, s->folder, s->version, NULL, err);
    if (status == 0)
        status = sh_publish_path(decided, s->folder, s->version, SH_PUBLISH_DECIDED, err);
    if (status < 0)
        return status;
    s->inner = decided;
    status = sh_publish_each(decided, show_manifest, s, err);
    if (status == 0)
        status = sh_dir_sync(s->folder, err);
    if (status == 0)
        status = sh_publish_each(s->folder, remove_other, s, err);
    if (status == 0)
        status = remove_aside(s->folder, err);
    if (status == 0)
        status = sh_dir_remove(decided, err);
    return status < 0 ? status : sh_dir_sync(final, err);
}

int sh_publish_forward(const char *folder, const char *entry, sh_err *err)
{
    char path[SH_PUBLISH_PATH], version[SH_PUBLISH_VERSION + 1];
    snprintf(version, sizeof(version), "%s", version_of(entry));
    int status = sh_publish_path(path, folder, entry, NULL, err);
    if (status < 0)
        return status;
    step s = {folder, version, path};
    status = sh_publish_each(path, remove_hidden, &s, err);
    if (status == 0 && is_staging(entry))
        status = show_version(folder, entry, version, err);
    return status < 0 ? status : show_rest(&s, err);
}

/* ---- recovery ---- */

typedef struct search {
    const char *folder;
    const char *except;
    char found[SH_PUBLISH_NAME + 1];
} search;

static int find_decided(void *opaque, const char *name, sh_err *err)
{
    search *s = opaque;
    if (!*s->found && version_of(name) && sh_publish_has(s->folder, name, SH_PUBLISH_DECIDED))
        snprintf(s->found, sizeof(s->found), "%s", name);
    return 0;
}

int sh_publish_finish(const char *folder, bool *found, sh_err *err)
{
    search s = {.folder = folder};
    int status = sh_publish_each(folder, find_decided, &s, err);
    if (status == 0 && *s.found) {
        *found = true;
        status = sh_publish_forward(folder, s.found, err);
    }
    return status < 0 ? status : remove_aside(folder, err);
}

/* ---- live preview ---- */

static int restore_manifest(void *opaque, const char *name, sh_err *err)
{
    const step *s = opaque;
    char from[SH_PUBLISH_PATH], to[SH_PUBLISH_PATH];
    if (!name[0] || !strchr("+-", name[0]) || !name[1])
        return 0;
    int status = sh_publish_path(from, s->inner, name, NULL, err);
    if (status == 0)
        status = sh_publish_path(to, s->folder, name + 1, NULL, err);
    if (status < 0)
        return status;
    if (name[0] == '+')
        return sh_publish_rename(from, to, err);
    if (unlink(to) < 0 && errno != ENOENT)
        return sh_fail_errno(err, errno, "cannot remove %s", to);
    return unlink(from) < 0 ? sh_fail_errno(err, errno, "cannot remove %s", from) : 0;
}

int sh_publish_restore(const char *folder, const char *version, sh_err *err)
{
    char live[SH_PUBLISH_PATH];
    int status = sh_publish_path(live, folder, version, SH_PUBLISH_LIVE, err);
    if (status < 0)
        return status;
    step s = {folder, version, live};
    status = sh_publish_each(live, restore_manifest, &s, err);
    return status < 0 ? status : sh_dir_sync(folder, err);
}

/* The staging folder comes to be before the mark goes: a version without a mark would count as published. */
static int demote(void *opaque, const char *name, sh_err *err)
{
    const search *s = opaque;
    char from[SH_PUBLISH_PATH], to[SH_PUBLISH_PATH], live[SH_PUBLISH_PATH], staging[32];
    if (!sh_publish_is_version(name) || (s->except && strcmp(name, s->except) == 0) ||
        !sh_publish_has(s->folder, name, SH_PUBLISH_LIVE))
        return 0;
    snprintf(staging, sizeof(staging), SH_PUBLISH_STAGING "%s", name);
    int status = sh_publish_restore(s->folder, name, err);
    if (status == 0)
        status = sh_publish_path(from, s->folder, name, NULL, err);
    if (status == 0)
        status = sh_publish_path(to, s->folder, staging, NULL, err);
    if (status == 0)
        status = sh_publish_path(live, s->folder, staging, SH_PUBLISH_LIVE, err);
    if (status == 0)
        status = sh_dir_remove(to, err);
    if (status == 0)
        status = sh_publish_rename(from, to, err);
    if (status == 0)
        status = sh_dir_remove(live, err);
    return status < 0 ? status : sh_dir_sync(s->folder, err);
}

int sh_publish_demote(const char *folder, const char *except, sh_err *err)
{
    search s = {.folder = folder, .except = except};
    return sh_publish_each(folder, demote, &s, err);
}
