/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A library to preload (LD_PRELOAD) that remembers what of a folder would outlive a power loss, and makes
 * one.
 *
 *   SPYHOP_FAULT_FOLDER  the folder that is watched (absolute, without links)
 *   SPYHOP_FAULT_STATE   a folder elsewhere, for what is durable:
 *                          <inode>   content of a file when it was last synced
 *                          names     "inode name" of each file when the folder was last synced
 *   SPYHOP_FAULT_AFTER   the step before which everything ends: the process group is killed. A step is a call
 * that writes, shortens, syncs, renames or removes within the folder. 0: never SPYHOP_FAULT_COUNT   a file
 * that gets the number of steps that there were, for a run that is not killed
 *
 * A file that was never synced is durable without content if its name is, and content without a name is lost.
 * All processes that are forked count together. What they do must be visible: a program that confines itself
 * so that it can open nothing has to be told not to. faults.py puts the durable state back. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH 4096

static char watched[PATH], state_folder[PATH], count_file[PATH];
static long after;
static struct shared {
    pthread_mutex_t lock;
    long steps;
} * shared;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_renameat2)(int, const char *, int, const char *, unsigned);
static int (*real_rename)(const char *, const char *);
static int (*real_unlinkat)(int, const char *, int);
static int (*real_unlink)(const char *);

static void *next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        abort();
    return found;
}

static void set(char *to, const char *name)
{
    const char *value = getenv(name);
    snprintf(to, PATH, "%s", value ? value : "");
}

__attribute__((constructor)) static void start(void)
{
    char number[PATH];
    pthread_mutexattr_t attributes;
    *(void **)&real_write = next("write");
    *(void **)&real_pwrite = next("pwrite64");
    *(void **)&real_ftruncate = next("ftruncate64");
    *(void **)&real_fsync = next("fsync");
    *(void **)&real_fdatasync = next("fdatasync");
    *(void **)&real_renameat2 = next("renameat2");
    *(void **)&real_rename = next("rename");
    *(void **)&real_unlinkat = next("unlinkat");
    *(void **)&real_unlink = next("unlink");
    set(watched, "SPYHOP_FAULT_FOLDER");
    set(state_folder, "SPYHOP_FAULT_STATE");
    set(count_file, "SPYHOP_FAULT_COUNT");
    set(number, "SPYHOP_FAULT_AFTER");
    after = strtol(number, NULL, 10);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        abort();
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&shared->lock, &attributes);
}

__attribute__((destructor)) static void end(void)
{
    FILE *file = count_file[0] ? fopen(count_file, "w") : NULL;
    if (!file)
        return;
    fprintf(file, "%ld\n", shared->steps);
    fclose(file);
}

/* ---- what is watched ---- */

static bool path_of(int fd, char path[PATH])
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH - 1);
    if (length <= 0)
        return false;
    path[length] = '\0';
    return true;
}

static bool is_watched(int fd)
{
    char path[PATH];
    const size_t length = strlen(watched);
    const int saved = errno;
    const bool found = length > 0 && path_of(fd, path) && strncmp(path, watched, length) == 0 &&
                       (path[length] == '/' || path[length] == '\0');
    errno = saved;
    return found;
}

/* ---- the durable state ---- */

static void copy_content(int from, const char *to)
{
    static char bytes[1 << 16];
    off_t at = 0;
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        abort();
    for (;;) {
        ssize_t got = pread(from, bytes, sizeof(bytes), at);
        if (got < 0 || (got > 0 && real_pwrite(fd, bytes, (size_t)got, at) != got))
            abort();
        if (got == 0)
            break;
        at += got;
    }
    close(fd);
}

static void keep_file(int fd)
{
    struct stat info;
    char path[PATH + 32];
    char self[64];
    if (fstat(fd, &info) < 0)
        abort();
    snprintf(path, sizeof(path), "%s/%llu", state_folder, (unsigned long long)info.st_ino);
    snprintf(self, sizeof(self), "/proc/self/fd/%d", fd); /* the descriptor may be for writing alone */
    int readable = open(self, O_RDONLY | O_CLOEXEC);
    if (readable < 0)
        abort();
    copy_content(readable, path);
    close(readable);
}

static void keep_names(void)
{
    char path[PATH + 32];
    DIR *folder = opendir(watched);
    snprintf(path, sizeof(path), "%s/names", state_folder);
    FILE *file = fopen(path, "w");
    if (!folder || !file)
        abort();
    for (struct dirent *entry; (entry = readdir(folder));)
        if (entry->d_type == DT_REG)
            fprintf(file, "%llu %s\n", (unsigned long long)entry->d_ino, entry->d_name);
    fclose(file);
    closedir(folder);
}

static void keep(int fd)
{
    struct stat info;
    const int saved = errno;
    if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode))
        keep_names();
    else
        keep_file(fd);
    errno = saved;
}

/* Counts a step; returns with the lock held, so that steps come one after the other. */
static void step(void)
{
    pthread_mutex_lock(&shared->lock);
    if (++shared->steps == after) {
        kill(0, SIGKILL);
        for (;;)
            pause();
    }
}

static void done(void)
{
    pthread_mutex_unlock(&shared->lock);
}

/* ---- the calls ---- */

ssize_t write(int fd, const void *bytes, size_t size)
{
    if (!is_watched(fd))
        return real_write(fd, bytes, size);
    step();
    ssize_t put = real_write(fd, bytes, size);
    done();
    return put;
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off_t offset)
{
    if (!is_watched(fd))
        return real_pwrite(fd, bytes, size, offset);
    step();
    ssize_t put = real_pwrite(fd, bytes, size, offset);
    done();
    return put;
}

int ftruncate64(int fd, off_t size)
{
    if (!is_watched(fd))
        return real_ftruncate(fd, size);
    step();
    int status = real_ftruncate(fd, size);
    done();
    return status;
}

static int sync_by(int (*real)(int), int fd)
{
    if (!is_watched(fd))
        return real(fd);
    step();
    keep(fd); /* the disk itself need not turn */
    done();
    return 0;
}

int fsync(int fd)
{
    return sync_by(real_fsync, fd);
}

int fdatasync(int fd)
{
    return sync_by(real_fdatasync, fd);
}

int renameat2(int from, const char *old, int to, const char *name, unsigned flags)
{
    if (!is_watched(to))
        return real_renameat2(from, old, to, name, flags);
    step();
    int status = real_renameat2(from, old, to, name, flags);
    done();
    return status;
}

int rename(const char *old, const char *name)
{
    if (strncmp(name, watched, strlen(watched)) != 0 || !watched[0])
        return real_rename(old, name);
    step();
    int status = real_rename(old, name);
    done();
    return status;
}

int unlinkat(int folder, const char *name, int flags)
{
    if (folder == AT_FDCWD || !is_watched(folder))
        return real_unlinkat(folder, name, flags);
    step();
    int status = real_unlinkat(folder, name, flags);
    done();
    return status;
}

int unlink(const char *name)
{
    if (strncmp(name, watched, strlen(watched)) != 0 || !watched[0])
        return real_unlink(name);
    step();
    int status = real_unlink(name);
    done();
    return status;
}
