/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"
#include "base/size.h"

static void overflow_is_refused(void **state)
{
    size_t out = 7;
    assert_false(sh_add_size(SIZE_MAX, 1, &out));
    assert_false(sh_mul_size(SIZE_MAX / 2 + 1, 2, &out));
    assert_int_equal(out, 7);
    assert_true(sh_mul_size(SIZE_MAX, 1, &out));
    assert_int_equal(out, SIZE_MAX);
}

static void integers(void **state)
{
    static const struct {
        const char *text;
        int64_t min, max, value;
        bool ok;
    } rows[] = {
        {"0", 0, 9, 0, true},
        {"-5", -9, 9, -5, true},
        {"9223372036854775807", INT64_MIN, INT64_MAX, INT64_MAX, true},
        {"-9223372036854775808", INT64_MIN, INT64_MAX, INT64_MIN, true},
        {"9223372036854775808", INT64_MIN, INT64_MAX, 0, false},
        {"10", 0, 9, 0, false},
        {"", 0, 9, 0, false},
        {"-", -9, 9, 0, false},
        {"+1", 0, 9, 0, false},
        {" 1", 0, 9, 0, false},
        {"1x", 0, 9, 0, false},
        {"0x1", 0, 9, 0, false},
    };
    for (size_t i = 0; i < SH_COUNT(rows); i++) {
        int64_t value = 0;
        bool ok = sh_parse_i64(rows[i].text, strlen(rows[i].text), rows[i].min, rows[i].max, &value);
        assert_int_equal(ok, rows[i].ok);
        assert_int_equal(value, rows[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(overflow_is_refused), cmocka_unit_test(integers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
