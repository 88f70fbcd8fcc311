/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"
#include "base/err.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

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

static void messages_are_utf8_wherever_they_are_cut(void **state)
{
    for (int shift = 0; shift < 3; shift++) {
        sh_err err = {0};
        char text[1001] = "", wanted[512];
        memset(text, 'a', (size_t)shift);
        for (size_t i = (size_t)shift; i + 3 < sizeof(text); i += 3)
            memcpy(text + i, "\xE2\x82\xAC", 4);
        sh_fail(&err, SH_E_IO, "%s", text);
        size_t length = (511 - (size_t)shift) / 3 * 3 + (size_t)shift;
        memcpy(wanted, text, length);
        wanted[length] = '\0';
        assert_string_equal(err.message, wanted);
    }
}

static void mended(void **state)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"plain \xC3\xA9 \xF0\x9F\x98\x80", "plain \xC3\xA9 \xF0\x9F\x98\x80"},
        {"a\xFFz", "a?z"},
        {"\xC0\xAFz", "??z"},
        {"\xE2\x82z", "??z"},
        {"\xED\xA0\x80.", "???."},
        {"\xE0\x9F\xBF.", "???."},
        {"\xF4\x90\x80\x80.", "????."},
        {"\xF0\x8F\xBF\xBF.", "????."},
        {"end\xF0\x9F\x98", "end"},
        {"end\xC3", "end"},
        {"\x80", "?"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[64];
        snprintf(text, sizeof(text), "%s", rows[i][0]);
        sh_text_mend(text);
        assert_string_equal(text, rows[i][1]);
    }
}

static void every_status_has_a_name(void **state)
{
    for (int status = SH_OK; status >= SH_E_DENIED; status--)
        assert_string_not_equal(sh_status_name(status), "unknown error");
    assert_string_equal(sh_status_name(1), "unknown error");
    assert_string_equal(sh_status_name(SH_E_DENIED - 1), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages),
        cmocka_unit_test(long_messages_are_cut_not_overrun),
        cmocka_unit_test(messages_are_utf8_wherever_they_are_cut),
        cmocka_unit_test(mended),
        cmocka_unit_test(every_status_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
