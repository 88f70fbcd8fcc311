/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"
#include "base/pool.h"
#include <stdatomic.h>

#define ITEMS 1000

static atomic_int seen[ITEMS];
static atomic_int bad_workers;

static void count_item(void *opaque, int item, int worker)
{
    atomic_fetch_add(&seen[item], 1);
    if (worker < 0 || worker >= *(int *)opaque)
        atomic_fetch_add(&bad_workers, 1);
}

static void every_item_runs_exactly_once(void **state)
{
    for (int threads = 1; threads <= 5; threads++) {
        sh_pool *pool = NULL;
        assert_int_equal(sh_pool_new(&pool, threads, NULL), 0);
        assert_int_equal(sh_pool_threads(pool), threads);
        for (int round = 0; round < 50; round++) {
            for (int i = 0; i < ITEMS; i++)
                atomic_store(&seen[i], 0);
            sh_pool_run(pool, count_item, &threads, round * 20);
            for (int i = 0; i < ITEMS; i++)
                assert_int_equal(atomic_load(&seen[i]), i < round * 20);
        }
        sh_pool_free(pool);
    }
    assert_int_equal(atomic_load(&bad_workers), 0);
}

static void bad_counts(void **state)
{
    sh_pool *pool = NULL;
    sh_err err = {0};
    assert_int_equal(sh_pool_new(&pool, -1, &err), SH_E_ARGUMENT);
    assert_int_equal(sh_pool_new(&pool, 257, &err), SH_E_ARGUMENT);
    assert_null(pool);
    assert_int_equal(sh_pool_new(&pool, 0, &err), 0);
    assert_int_equal(sh_pool_threads(pool), sh_cpu_count());
    sh_pool_free(pool);
    sh_pool_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_runs_exactly_once),
        cmocka_unit_test(bad_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
