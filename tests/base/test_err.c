/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"
#include "base/err.h"
#include <errno.h>

static void messages(void **state)
{
    sh_err err = {0};
    assert_int_equal(sh_fail(&err, SH_E_FORMAT, "byte %d", 9), SH_E_FORMAT);
    assert_string_equal(err.message, "byte 9");
    assert_int_equal(sh_err_prefix(&err, "file %s", "a.onnx"), SH_E_FORMAT);
    assert_string_equal(err.message, "file a.onnx: byte 9");
    assert_int_equal(sh_fail_errno(&err, ENOSPC, "cannot write %s", "x"), SH_E_FULL);
    assert_string_equal(err.message, "cannot write x: No space left on device");
    assert_int_equal(sh_fail_errno(NULL, ENOENT, "y"), SH_E_NOT_FOUND);
    assert_int_equal(sh_fail(NULL, SH_E_LIMIT, "z"), SH_E_LIMIT);
}

static void long_messages_are_cut_not_overrun(void **state)
{
    sh_err err = {0};
    char text[2000];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    sh_fail(&err, SH_E_IO, "%s", text);
    sh_err_prefix(&err, "%s", text);
    assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
}

static void every_status_has_a_name(void **state)
{
    for (int status = SH_OK; status >= SH_E_CANCELLED; status--)
        assert_string_not_equal(sh_status_name(status), "unknown error");
    assert_string_equal(sh_status_name(1), "unknown error");
    assert_string_equal(sh_status_name(SH_E_CANCELLED - 1), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages),
        cmocka_unit_test(long_messages_are_cut_not_overrun),
        cmocka_unit_test(every_status_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
