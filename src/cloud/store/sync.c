/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The log is synced through a descriptor of our own: fdatasync writes what any descriptor of the file has
 * written. SQLite keeps the file as long as a connection is open, and syncs it itself before it copies pages
 * out of it, so that what is overwritten when the log begins anew is in the database, synced. */
#include "cloud/store/sync.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COPY_PAGES 1000 /* of the log, until it is copied into the database */
#define LONG_PAGES 4000 /* until others have to wait for that */

struct sh_sync {
    int fd;
    sqlite3 *copier;
    void (*copy_rest)(void *opaque);
    void *opaque;
    atomic_uint_fast64_t committed;
    atomic_int pages;
    pthread_mutex_t mutex;
    pthread_cond_t synced_more, work;
    atomic_uint_fast64_t synced; /* changed with the mutex held */
    uint64_t count;              /* of syncs; with the mutex held */
    bool syncing, soon, ending, started;
    pthread_t thread;
};

void sh_sync_committed(sh_sync *sync, int pages)
{
    atomic_fetch_add(&sync->committed, 1);
    int before = atomic_exchange(&sync->pages, pages);
    if (pages < COPY_PAGES || before >= pages)
        return;
    pthread_mutex_lock(&sync->mutex);
    pthread_cond_signal(&sync->work);
    pthread_mutex_unlock(&sync->mutex);
}

uint64_t sh_sync_last(const sh_sync *sync)
{
    return atomic_load(&((sh_sync *)sync)->committed);
}

uint64_t sh_sync_count(sh_sync *sync)
{
    pthread_mutex_lock(&sync->mutex);
    uint64_t count = sync->count;
    pthread_mutex_unlock(&sync->mutex);
    return count;
}

static void sync_file(sh_sync *sync)
{
    while (fdatasync(sync->fd) < 0) {
        if (errno == EINTR)
            continue;
        sh_log(SH_LOG_ERROR, "store",
               "the database's log cannot be synced (%s): the server ends, to find at "
               "its next start what the disk has",
               strerror(errno));
        abort();
    }
}

/* With the mutex held. */
static void wait_for(sh_sync *sync, uint64_t number)
{
    while (atomic_load(&sync->synced) < number) {
        if (sync->syncing) {
            pthread_cond_wait(&sync->synced_more, &sync->mutex);
            continue;
        }
        uint64_t target = atomic_load(&sync->committed);
        sync->syncing = true;
        pthread_mutex_unlock(&sync->mutex);
        sync_file(sync);
        pthread_mutex_lock(&sync->mutex);
        sync->syncing = false;
        sync->count++;
        atomic_store(&sync->synced, target);
        pthread_cond_broadcast(&sync->synced_more);
    }
}

void sh_sync_wait(sh_sync *sync, uint64_t number)
{
    if (atomic_load(&sync->synced) >= number)
        return;
    pthread_mutex_lock(&sync->mutex);
    wait_for(sync, number);
    pthread_mutex_unlock(&sync->mutex);
}

void sh_sync_soon(sh_sync *sync)
{
    pthread_mutex_lock(&sync->mutex);
    sync->soon = true;
    pthread_cond_signal(&sync->work);
    pthread_mutex_unlock(&sync->mutex);
}

/* Copies the log into the database. What stands in the way (a full disk) may be gone the next time. `length`
 * is that of the beginning: what was committed meanwhile keeps the log from beginning anew. */
static void copy(sh_sync *sync)
{
    int length = 0, copied = 0;
    int code = sqlite3_wal_checkpoint_v2(sync->copier, NULL, SQLITE_CHECKPOINT_PASSIVE, &length, &copied);
    if (code != SQLITE_OK && code != SQLITE_BUSY)
        sh_log(SH_LOG_WARNING, "store", "the database's log was not copied: %s",
               sqlite3_errmsg(sync->copier));
    if (length > LONG_PAGES && atomic_load(&sync->pages) > copied)
        sync->copy_rest(sync->opaque);
}

static void *thread_main(void *opaque)
{
    sh_sync *sync = opaque;
    int copied =
        0; /* pages there were when it was copied last: a disk that is full is not asked again at once */
    pthread_mutex_lock(&sync->mutex);
    while (!sync->ending) {
        int pages = atomic_load(&sync->pages);
        if (pages < copied)
            copied = 0;
        if (sync->soon) {
            sync->soon = false;
            wait_for(sync, atomic_load(&sync->committed));
        } else if (pages >= copied + COPY_PAGES) {
            copied = pages;
            pthread_mutex_unlock(&sync->mutex);
            copy(sync);
            pthread_mutex_lock(&sync->mutex);
        } else {
            pthread_cond_wait(&sync->work, &sync->mutex);
        }
    }
    pthread_mutex_unlock(&sync->mutex);
    return NULL;
}

static int open_files(sh_sync *sync, const char *path, sh_err *err)
{
    char log[PATH_MAX];
    if ((size_t)snprintf(log, sizeof(log), "%s-wal", path) >= sizeof(log))
        return sh_fail(err, SH_E_ARGUMENT, "the name of the database is too long");
    sync->fd = open(log, O_RDWR | O_CLOEXEC);
    if (sync->fd < 0)
        return sh_fail_errno(err, errno, "cannot open %s", log);
    if (sqlite3_open_v2(path, &sync->copier, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
            SQLITE_OK ||
        sqlite3_exec(sync->copier, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL) != SQLITE_OK)
        return sh_fail(err, SH_E_IO, "database: %s: %s", path,
                       sync->copier ? sqlite3_errmsg(sync->copier) : "no memory");
    return 0;
}

int sh_sync_open(sh_sync **out, const char *path, void (*copy_rest)(void *opaque), void *opaque, sh_err *err)
{
    sh_sync *sync = calloc(1, sizeof(*sync));
    if (!sync)
        return sh_fail(err, SH_E_MEMORY, "no memory for the database");
    *sync = (sh_sync){.fd = -1, .copy_rest = copy_rest, .opaque = opaque};
    pthread_mutex_init(&sync->mutex, NULL);
    pthread_cond_init(&sync->synced_more, NULL);
    pthread_cond_init(&sync->work, NULL);
    int status = open_files(sync, path, err);
    if (status == 0) {
        int error = pthread_create(&sync->thread, NULL, thread_main, sync);
        sync->started = error == 0;
        if (error)
            status = sh_fail_errno(err, error, "cannot start the database's thread");
    }
    if (status < 0) {
        sh_sync_close(sync);
        return status;
    }
    *out = sync;
    return 0;
}

void sh_sync_close(sh_sync *sync)
{
    if (!sync)
        return;
    if (sync->started) {
        pthread_mutex_lock(&sync->mutex);
        sync->ending = true;
        pthread_cond_signal(&sync->work);
        pthread_mutex_unlock(&sync->mutex);
        pthread_join(sync->thread, NULL);
        sync_file(sync);
    }
    sqlite3_close(sync->copier);
    if (sync->fd >= 0)
        close(sync->fd);
    pthread_cond_destroy(&sync->work);
    pthread_cond_destroy(&sync->synced_more);
    pthread_mutex_destroy(&sync->mutex);
    free(sync);
}
