/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_BASE_POOL_H
#define SH_BASE_POOL_H
/* A fixed pool of threads that runs `count` items of one job at a time: fn(opaque, item, worker) for item
 * 0..count-1, each exactly once, on any worker 0..threads-1; the calling thread is worker 0. sh_pool_run
 * returns when all items are done. One job at a time: sh_pool_run is not re-entrant and serialises callers.
 */
#include "base/err.h"

typedef struct sh_pool sh_pool;
typedef void (*sh_pool_fn)(void *opaque, int item, int worker);

/* threads: 1..256; 0 means one for each CPU this process may use (sched_getaffinity). */
int sh_pool_new(sh_pool **out, int threads, sh_err *err);
void sh_pool_free(sh_pool *pool); /* NULL is fine; joins the threads */
int sh_pool_threads(const sh_pool *pool);
void sh_pool_run(sh_pool *pool, sh_pool_fn fn, void *opaque, int count);
int sh_cpu_count(void);

#endif
