/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"
#include "base/clock.h"
#include "base/size.h"

static void writes_the_three_forms(void **state)
{
    char text[SH_TIME_TEXT];
    sh_time_iso_ms(784111777123, text);
    assert_string_equal(text, "1994-11-06T08:49:37.123Z");
    sh_time_iso_s(784111777999, text);
    assert_string_equal(text, "1994-11-06T08:49:37Z");
    sh_time_http(784111777000, text); /* the example of RFC 9110, section 5.6.7 */
    assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
    sh_time_iso_ms(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999Z");
}

static void reads_what_rfc_3339_allows(void **state)
{
    static const struct {
        const char *text;
        int ok;
        int64_t ms;
    } rows[] = {
        {"1994-11-06T08:49:37Z", 1, 784111777000},
        {"1994-11-06T08:49:37.5Z", 1, 784111777500},
        {"1994-11-06T08:49:37.123456789Z", 1, 784111777123},
        {"1994-11-06T09:49:37+01:00", 1, 784111777000},
        {"1994-11-06T08:19:37-00:30", 1, 784111777000},
        {"1994-11-06 08:49:37Z", 0, 0},
        {"1994-11-06T08:49:37", 0, 0},
        {"1994-11-06T08:49:37.Z", 0, 0},
        {"1994-13-06T08:49:37Z", 0, 0},
        {"1994-11-06T24:49:37Z", 0, 0},
        {"1994-11-06T08:49:37Zx", 0, 0},
        {"-994-11-06T08:49:37Z", 0, 0},
        {"", 0, 0},
        {"1994", 0, 0},
    };
    for (size_t i = 0; i < SH_COUNT(rows); i++) {
        int64_t ms = 0;
        assert_int_equal(sh_time_parse_iso(rows[i].text, strlen(rows[i].text), &ms), rows[i].ok);
        assert_int_equal(ms, rows[i].ms);
    }
}

static void the_system_clock_runs(void **state)
{
    assert_true(sh_now_ms(&sh_clock_system) > 1600000000000);
    int64_t before = sh_monotonic_us();
    assert_true(sh_monotonic_us() >= before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_the_three_forms),
        cmocka_unit_test(reads_what_rfc_3339_allows),
        cmocka_unit_test(the_system_clock_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
