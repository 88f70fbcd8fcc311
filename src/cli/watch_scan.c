/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/watch_scan.h"
#include "base/log.h"
#include "base/size.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define DEPTH_MAX 32

static const char *const endings[] = {"mp4",  "m4v", "mov", "qt",   "mkv", "webm", "ts",
                                      "m2ts", "mts", "mpg", "mpeg", "m2v", "vob",  "avi",
                                      "wmv",  "flv", "3gp", "3g2",  "mxf", "ogv",  "y4m"};

static bool is_video(const char *name)
{
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < SH_COUNT(endings); i++)
        if (strcasecmp(dot + 1, endings[i]) == 0)
            return true;
    return false;
}

static bool is_skipped(const sh_watch_scan *scan, const char *path)
{
    char real[PATH_MAX];
    if (!realpath(path, real))
        return true;
    for (size_t i = 0; scan->skipped[i]; i++)
        if (strcmp(scan->skipped[i], real) == 0)
            return true;
    return false;
}

static int64_t mtime_ns(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* A file that was old when it came was written elsewhere and moved here. */
static int64_t arrival(const sh_watch_scan *scan, const struct stat *st, int64_t now_us)
{
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    int64_t age_us = ((int64_t)wall.tv_sec - st->st_mtim.tv_sec) * 1000000;
    return age_us > scan->settle_us ? now_us - scan->settle_us : now_us;
}

static int note_file(const sh_watch_scan *scan, const char *relative, const struct stat *st, int64_t now_us,
                     sh_err *err)
{
    sh_watch_entry *entry = sh_watch_memory_entry(scan->memory, relative);
    if (!entry)
        return sh_fail(err, SH_E_MEMORY, "too many files in %s", scan->folder);
    bool fresh = entry->since_us == 0;
    bool changed = entry->seen_size != (int64_t)st->st_size || entry->seen_mtime_ns != mtime_ns(st) ||
                   entry->seen_inode != (uint64_t)st->st_ino;
    if (fresh || changed)
        entry->since_us =
            fresh || entry->seen_inode != (uint64_t)st->st_ino ? arrival(scan, st, now_us) : now_us;
    entry->seen_size = st->st_size;
    entry->seen_mtime_ns = mtime_ns(st);
    entry->seen_inode = st->st_ino;
    entry->present = true;
    return 0;
}

static int look_into(const sh_watch_scan *scan, const char *relative, int depth, int64_t now_us, sh_err *err)
{
    char path[PATH_MAX], inner[PATH_MAX];
    struct stat st;
    int status = 0;
    snprintf(path, sizeof(path), "%s%s%s", scan->folder, *relative ? "/" : "", relative);
    DIR *dir = opendir(path);
    if (!dir && !*relative)
        return sh_fail_errno(err, errno, "looking into %s", path);
    if (!dir) { /* gone, or not for us: the others count */
        sh_log(SH_LOG_DEBUG, "watch", "%s: %s", path, strerror(errno));
        return 0;
    }
    for (const struct dirent *item; status == 0 && (item = readdir(dir));) {
        if (item->d_name[0] == '.' ||
            snprintf(inner, sizeof(inner), "%s%s%s", relative, *relative ? "/" : "", item->d_name) >=
                (int)sizeof(inner) ||
            fstatat(dirfd(dir), item->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (S_ISREG(st.st_mode) && st.st_size > 0 && is_video(item->d_name))
            status = note_file(scan, inner, &st, now_us, err);
        if (snprintf(path, sizeof(path), "%s/%s", scan->folder, inner) >= (int)sizeof(path))
            continue;
        if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX && !is_skipped(scan, path))
            status = look_into(scan, inner, depth + 1, now_us, err);
    }
    closedir(dir);
    return status;
}

int sh_watch_scan_once(const sh_watch_scan *scan, int64_t now_us, sh_err *err)
{
    for (size_t i = 0; i < scan->memory->count; i++)
        scan->memory->entries[i]->present = false;
    return look_into(scan, "", 0, now_us, err);
}

/* A lease for reading is refused while anybody has the file open for writing. */
static bool is_being_written(const sh_watch_scan *scan, const sh_watch_entry *entry)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", scan->folder, entry->name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno != EACCES && errno != EPERM; /* not for us to read: said when it is tried */
    bool written = fcntl(fd, F_SETLEASE, F_RDLCK) < 0 && errno == EAGAIN;
    if (!written)
        fcntl(fd, F_SETLEASE, F_UNLCK);
    close(fd);
    return written;
}

static bool is_as_remembered(const sh_watch_entry *e)
{
    return e->digest[0] && e->size == e->seen_size && e->mtime_ns == e->seen_mtime_ns &&
           e->inode == e->seen_inode;
}

sh_watch_entry *sh_watch_scan_next(const sh_watch_scan *scan, int64_t now_us, size_t *waiting)
{
    sh_watch_entry *best = NULL;
    *waiting = 0;
    for (size_t i = 0; i < scan->memory->count; i++) {
        sh_watch_entry *e = scan->memory->entries[i];
        bool over = is_as_remembered(e) && (e->state == SH_WATCH_DONE || e->state == SH_WATCH_ASIDE);
        if (e->state != SH_WATCH_MADE && (!e->present || over))
            continue;
        bool ready = e->state == SH_WATCH_MADE || now_us - e->since_us >= scan->settle_us;
        if (ready && now_us >= e->retry_us && (!best || e->seen_mtime_ns < best->seen_mtime_ns) &&
            (e->state == SH_WATCH_MADE || !is_being_written(scan, e)))
            best = e;
        else
            (*waiting)++;
    }
    return best;
}
