/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_HTTP_ARENA_CASE_H
#define TESTS_HTTP_ARENA_CASE_H
/* An arena for all tests of a program, for its one source: cmocka_run_group_tests(tests, set_up, tear_down).
 */
#include "base/arena.h"

static sh_arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = sh_arena_new(1 << 22);
    return arena ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    sh_arena_free(arena);
    return 0;
}

#endif
