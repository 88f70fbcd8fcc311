/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"
#include "base/buf.h"
#include "base/err.h"
#include <stdlib.h>

static void grows_to_its_maximum_and_no_further(void **state)
{
    sh_buf buf;
    sh_buf_init(&buf, 1000);
    assert_string_equal(sh_buf_cstr(&buf), "");
    for (int i = 0; i < 100; i++)
        assert_int_equal(sh_buf_puts(&buf, "0123456789"), 0);
    assert_int_equal(buf.length, 1000);
    assert_int_equal(sh_buf_putc(&buf, 'x'), SH_E_MEMORY);
    assert_true(buf.failed);
    assert_int_equal(buf.length, 1000);
    assert_int_equal(sh_buf_puts(&buf, ""), SH_E_MEMORY); /* stays failed */
    assert_null(sh_buf_take(&buf, NULL));
    assert_int_equal(buf.length, 0);
    sh_buf_free(&buf);
}

static void formats_and_is_terminated(void **state)
{
    sh_buf buf;
    size_t length;
    sh_buf_init(&buf, 4096);
    sh_buf_printf(&buf, "%s-%d", "abc", 42);
    sh_buf_append(&buf, "\0z", 2);
    assert_int_equal(buf.length, 8);
    assert_memory_equal(buf.data, "abc-42\0z", 9);
    char *bytes = sh_buf_take(&buf, &length);
    assert_int_equal(length, 8);
    assert_memory_equal(bytes, "abc-42\0z", 9);
    free(bytes);
    sh_buf_free(&buf);
}

static void clear_mends_a_failed_buffer(void **state)
{
    sh_buf buf;
    sh_buf_init(&buf, 4);
    sh_buf_puts(&buf, "12345");
    assert_true(buf.failed);
    sh_buf_clear(&buf);
    assert_int_equal(sh_buf_puts(&buf, "1234"), 0);
    assert_string_equal(sh_buf_cstr(&buf), "1234");
    sh_buf_free(&buf);
}

static void absurd_sizes(void **state)
{
    sh_buf buf;
    sh_buf_init(&buf, SIZE_MAX);
    sh_buf_puts(&buf, "x");
    assert_int_equal(sh_buf_reserve(&buf, SIZE_MAX), SH_E_MEMORY);
    sh_buf_free(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_to_its_maximum_and_no_further),
        cmocka_unit_test(formats_and_is_terminated),
        cmocka_unit_test(clear_mends_a_failed_buffer),
        cmocka_unit_test(absurd_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
