/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/http/condition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static void ranges(void **state)
{
    static const struct {
        const char *text;
        int64_t size;
        sh_range_kind kind;
        int64_t first, length;
    } rows[] = {
        {NULL, 10, SH_RANGE_WHOLE, 0, 0},
        {"bytes=0-0", 10, SH_RANGE_PART, 0, 1},
        {"bytes=0-9", 10, SH_RANGE_PART, 0, 10},
        {"bytes=3-", 10, SH_RANGE_PART, 3, 7},
        {"bytes=3-99", 10, SH_RANGE_PART, 3, 7},
        {"bytes=-3", 10, SH_RANGE_PART, 7, 3},
        {"bytes=-99", 10, SH_RANGE_PART, 0, 10},
        {"bytes=9223372036854775806-9223372036854775807", 10, SH_RANGE_UNSATISFIED, 0, 0},
        {"bytes=0-9223372036854775807", 10, SH_RANGE_PART, 0, 10},
        {"bytes=0-99999999999999999999", 10, SH_RANGE_WHOLE, 0, 0},
        {"bytes=10-", 10, SH_RANGE_UNSATISFIED, 0, 0},
        {"bytes=-0", 10, SH_RANGE_UNSATISFIED, 0, 0},
        {"bytes=0-", 0, SH_RANGE_UNSATISFIED, 0, 0},
        {"bytes=-1", 0, SH_RANGE_UNSATISFIED, 0, 0},
        {"bytes=5-2", 10, SH_RANGE_WHOLE, 0, 0},
        {"bytes=-", 10, SH_RANGE_WHOLE, 0, 0},
        {"bytes=1-2,4-5", 10, SH_RANGE_WHOLE, 0, 0},
        {"bytes=a-b", 10, SH_RANGE_WHOLE, 0, 0},
        {"bytes=--3", 10, SH_RANGE_WHOLE, 0, 0},
        {"bytes= 1-2", 10, SH_RANGE_WHOLE, 0, 0},
        {"items=1-2", 10, SH_RANGE_WHOLE, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t first = -1, length = -1;
        assert_int_equal(sh_range_parse(rows[i].text, rows[i].size, &first, &length), rows[i].kind);
        if (rows[i].kind == SH_RANGE_PART) {
            assert_int_equal(first, rows[i].first);
            assert_int_equal(length, rows[i].length);
        }
    }
}

static void dates(void **state)
{
    static const char *const same[] = {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                                       "Sun Nov  6 08:49:37 1994"};
    static const char *const bad[] = {"",
                                      "now",
                                      "Sun, 06 Nov 1994",
                                      "Sun, 99 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 Nix 1994 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 25:49:37 GMT"};
    int64_t ms;
    (void)state;
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        ms = 0;
        assert_true(sh_http_date_parse(same[i], &ms));
        assert_int_equal(ms, 784111777000);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(sh_http_date_parse(bad[i], &ms));
}

static void preconditions(void **state)
{
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define AT "Sun, 06 Nov 1994 08:49:37 GMT"
    static const struct {
        sh_http_field fields[2];
        int status;
    } rows[] = {
        {{{"If-Match", "\"tag\""}}, 0},
        {{{"If-Match", "\"a\", \"tag\""}}, 0},
        {{{"If-Match", "tag"}}, 0},
        {{{"If-Match", "*"}}, 0},
        {{{"If-Match", "\"other\""}}, 412},
        {{{"If-None-Match", "\"tag\""}}, 304},
        {{{"If-None-Match", "W/\"tag\""}}, 304},
        {{{"If-None-Match", "*"}}, 304},
        {{{"If-None-Match", "\"other\""}}, 0},
        {{{"If-Modified-Since", BEFORE}}, 0},
        {{{"If-Modified-Since", AT}}, 304},
        {{{"If-Modified-Since", "nonsense"}}, 0},
        {{{"If-Unmodified-Since", BEFORE}}, 412},
        {{{"If-Unmodified-Since", AT}}, 0},
        /* Entity tags go before dates. */
        {{{"If-Match", "\"tag\""}, {"If-Unmodified-Since", BEFORE}}, 0},
        {{{"If-None-Match", "\"other\""}, {"If-Modified-Since", AT}}, 0},
    };
    const char *failed;
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sh_http_field fields[2] = {rows[i].fields[0], rows[i].fields[1]};
        sh_http_head head = {.fields = fields, .field_count = fields[1].name ? 2 : 1};
        assert_int_equal(sh_precondition(&head, "", "tag", 784111777999, &failed), rows[i].status);
    }
    sh_http_field copy = {"x-amz-copy-source-if-match", "\"other\""};
    sh_http_head head = {.fields = &copy, .field_count = 1};
    assert_int_equal(sh_precondition(&head, "x-amz-copy-source-", "tag", 0, &failed), 412);
    assert_int_equal(sh_precondition(&head, "", "tag", 0, &failed), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges),
        cmocka_unit_test(dates),
        cmocka_unit_test(preconditions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
