/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Items are handed out by an atomic counter. A job is announced by raising `generation` under the mutex; a
 * worker that has run out of items reports under the mutex, and the caller waits until all have reported, so
 * that no worker can still look at a job when the next one begins. */
#include "base/pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_THREADS 256

typedef struct worker {
    sh_pool *pool;
    pthread_t thread;
    int index;
} worker;

struct sh_pool {
    pthread_mutex_t callers; /* one job at a time */
    pthread_mutex_t mutex;
    pthread_cond_t wake, done;
    unsigned generation;
    int busy; /* workers that have not reported for this generation */
    int stop;
    sh_pool_fn fn;
    void *opaque;
    int count;
    atomic_int next;
    int threads;
    int started;
    worker workers[];
};

int sh_cpu_count(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    return count < 1 ? 1 : count > MAX_THREADS ? MAX_THREADS : count;
}

static void run_items(sh_pool *pool, int index)
{
    int item;
    while ((item = atomic_fetch_add(&pool->next, 1)) < pool->count)
        pool->fn(pool->opaque, item, index);
}

static void *worker_main(void *opaque)
{
    worker *self = opaque;
    sh_pool *pool = self->pool;
    unsigned seen = 0;
    pthread_mutex_lock(&pool->mutex);
    for (;;) {
        while (!pool->stop && pool->generation == seen)
            pthread_cond_wait(&pool->wake, &pool->mutex);
        if (pool->stop)
            break;
        seen = pool->generation;
        pthread_mutex_unlock(&pool->mutex);
        run_items(pool, self->index);
        pthread_mutex_lock(&pool->mutex);
        if (--pool->busy == 0)
            pthread_cond_signal(&pool->done);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

int sh_pool_new(sh_pool **out, int threads, sh_err *err)
{
    if (threads < 0 || threads > MAX_THREADS)
        return sh_fail(err, SH_E_ARGUMENT, "threads is %d; it must be 0 to %d", threads, MAX_THREADS);
    if (threads == 0)
        threads = sh_cpu_count();
    sh_pool *pool = calloc(1, sizeof(*pool) + (size_t)threads * sizeof(pool->workers[0]));
    if (!pool)
        return sh_fail(err, SH_E_MEMORY, "no memory for %d threads", threads);
    pthread_mutex_init(&pool->callers, NULL);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->done, NULL);
    pool->threads = threads;
    for (int i = 1; i < threads; i++) {
        pool->workers[i] = (worker){.pool = pool, .index = i};
        int error = pthread_create(&pool->workers[i].thread, NULL, worker_main, &pool->workers[i]);
        if (error) {
            int status = sh_fail_errno(err, error, "cannot start thread %d of %d", i + 1, threads);
            sh_pool_free(pool);
            return status;
        }
        pool->started = i;
    }
    *out = pool;
    return 0;
}

void sh_pool_free(sh_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->stop = 1;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
    for (int i = 1; i <= pool->started; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->wake);
    pthread_cond_destroy(&pool->done);
    pthread_mutex_destroy(&pool->mutex);
    pthread_mutex_destroy(&pool->callers);
    free(pool);
}

int sh_pool_threads(const sh_pool *pool)
{
    return pool->threads;
}

void sh_pool_run(sh_pool *pool, sh_pool_fn fn, void *opaque, int count)
{
    pthread_mutex_lock(&pool->callers);
    pthread_mutex_lock(&pool->mutex);
    pool->fn = fn;
    pool->opaque = opaque;
    pool->count = count;
    atomic_store(&pool->next, 0);
    pool->busy = pool->started;
    pool->generation++;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
    run_items(pool, 0);
    pthread_mutex_lock(&pool->mutex);
    while (pool->busy > 0)
        pthread_cond_wait(&pool->done, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
    pthread_mutex_unlock(&pool->callers);
}
