/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"
#include "base/arena.h"

static void pieces_are_zeroed_aligned_and_apart(void **state)
{
    sh_arena *arena = sh_arena_new(1 << 20);
    unsigned char *pieces[200];
    assert_non_null(arena);
    for (size_t i = 0; i < 200; i++) {
        size_t size = i * 37 % 9000;
        pieces[i] = sh_arena_alloc(arena, size);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        for (size_t b = 0; b < size; b++)
            assert_int_equal(pieces[i][b], 0);
        memset(pieces[i], (int)i, size);
    }
    for (size_t i = 0; i < 200; i++)
        for (size_t b = 0; b < i * 37 % 9000; b++)
            assert_int_equal(pieces[i][b], (unsigned char)i);
    sh_arena_free(arena);
}

static void the_maximum_holds(void **state)
{
    sh_arena *arena = sh_arena_new(100);
    assert_non_null(sh_arena_alloc(arena, 64));
    assert_null(sh_arena_alloc(arena, 64));
    assert_null(sh_arena_alloc(arena, SIZE_MAX));
    assert_non_null(sh_arena_alloc(arena, 32));
    sh_arena_free(arena);
    sh_arena_free(NULL);
}

static void texts(void **state)
{
    sh_arena *arena = sh_arena_new(1 << 16);
    assert_string_equal(sh_arena_strdup(arena, "abc"), "abc");
    assert_string_equal(sh_arena_strndup(arena, "abcdef", 2), "ab");
    assert_string_equal(sh_arena_printf(arena, "%d/%s", 7, "x"), "7/x");
    sh_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_zeroed_aligned_and_apart),
        cmocka_unit_test(the_maximum_holds),
        cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
