/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arena_case.h"
#include "cloud/http/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static void target_is_split_and_kept_raw(void **state)
{
    sh_http_head head = {0};
    (void)state;
    assert_int_equal(sh_http_head_target(&head, arena, "/b/a%2Fb//../c?x=1%202&flag&&e=&p=a+b", NULL), 0);
    assert_string_equal(head.path, "/b/a%2Fb//../c");
    assert_string_equal(head.query, "x=1%202&flag&&e=&p=a+b");
    assert_int_equal(head.param_count, 4);
    assert_string_equal(sh_http_param_get(&head, "x"), "1 2");
    assert_string_equal(sh_http_param_get(&head, "p"), "a b");
    assert_string_equal(head.params[0].raw_value, "1%202");
    assert_string_equal(sh_http_param_get(&head, "flag"), "");
    assert_false(head.params[1].has_value);
    assert_true(head.params[2].has_value);
    assert_null(sh_http_param_get(&head, "X"));
}

static void bad_targets_are_refused(void **state)
{
    static const char *const bad[] = {"*",      "ftp://host/", "http://host", "/?a=%",
                                      "/?a=%4", "/?a=%zz",     "/?%00=1",     "/?a=%00"};
    char big[SH_HTTP_TARGET_MAX + 2];
    sh_http_head head = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(sh_http_head_target(&head, arena, bad[i], NULL), SH_E_FORMAT);
    memset(big, 'a', sizeof(big));
    big[0] = '/';
    big[sizeof(big) - 1] = '\0';
    assert_int_equal(sh_http_head_target(&head, arena, big, NULL), SH_E_LIMIT);
    for (size_t i = 1; i + 1 < sizeof(big); i++)
        big[i] = i == 1 ? '?' : i % 2 ? '&' : 'a';
    big[1000] = '\0';
    assert_int_equal(sh_http_head_target(&head, arena, big, NULL), SH_E_LIMIT);
}

static void whole_urls_are_paths(void **state)
{
    static const char *const rows[][3] = {{"http://host/", "/", ""},
                                          {"HTTPS://h:1/a/b?c=d", "/a/b", "c=d"},
                                          {"/http://host/", "/http://host/", ""}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sh_http_head head = {0};
        assert_int_equal(sh_http_head_target(&head, arena, rows[i][0], NULL), 0);
        assert_string_equal(head.path, rows[i][1]);
        assert_string_equal(head.query, rows[i][2]);
    }
}

static void heads_whose_body_is_in_doubt(void **state)
{
    static const struct {
        sh_http_field fields[3];
        const char *version;
        int status; /* 0: nothing is wrong */
    } rows[] = {
        {{{"Host", "h"}, {"Content-Length", "1"}, {"X", ""}}, "HTTP/1.1", 0},
        {{{"Host", "h"}, {"Transfer-Encoding", "Chunked"}, {"X", ""}}, "HTTP/1.1", 0},
        {{{"Content-Length", "1"}, {"A-b_c.d", ""}, {"X", ""}}, "HTTP/1.0", 0},
        {{{"Content-Length", "1"}, {"A", ""}, {"X", ""}}, "HTTP/1.1", 400},
        {{{"Host", "h"}, {"host", "h"}, {"X", ""}}, "HTTP/1.1", 400},
        {{{"Host", "h"}, {"Content-Length", "1"}, {"content-length", "1"}}, "HTTP/1.1", 400},
        {{{"Host", "h"}, {"Content-Length", "1"}, {"Transfer-Encoding", "chunked"}}, "HTTP/1.1", 400},
        {{{"Host", "h"}, {"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}},
         "HTTP/1.1",
         400},
        {{{"Host", "h"}, {"Transfer-Encoding", "gzip"}, {"X", ""}}, "HTTP/1.1", 501},
        {{{"Host", "h"}, {"a b", ""}, {"X", ""}}, "HTTP/1.1", 400},
        {{{"Host", "h"}, {"", ""}, {"X", ""}}, "HTTP/1.1", 400},
        {{{"Host", "h"}, {"a:", ""}, {"X", ""}}, "HTTP/1.1", 400},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sh_http_head head = {.fields = (sh_http_field *)(uintptr_t)rows[i].fields, .field_count = 3};
        int status = 0;
        const char *fault = sh_http_head_fault(&head, rows[i].version, &status);
        assert_int_equal(fault ? status : 0, rows[i].status);
    }
}

static void fields_are_found_in_any_case(void **state)
{
    sh_http_field fields[] = {{"Host", "h"}, {"X-Amz-Date", "1"}, {"x-amz-date", "2"}};
    sh_http_head head = {.fields = fields, .field_count = 3};
    (void)state;
    assert_string_equal(sh_http_field_get(&head, "HOST"), "h");
    assert_string_equal(sh_http_field_get(&head, "x-amz-date"), "1");
    assert_int_equal(sh_http_field_total(&head, "x-amz-date"), 2);
    assert_null(sh_http_field_get(&head, "none"));
}

static void encoding_and_decoding(void **state)
{
    const char *text = "a b/+%\n~ü\xF0\x9F\x90\x8B";
    (void)state;
    char *encoded = sh_http_encode(arena, text, strlen(text), true);
    assert_string_equal(encoded, "a%20b/%2B%25%0A~%C3%BC%F0%9F%90%8B");
    assert_string_equal(sh_http_decode(arena, encoded, strlen(encoded), false), text);
    assert_string_equal(sh_http_encode(arena, "a/b", 3, false), "a%2Fb");
    assert_string_equal(sh_http_decode(arena, "a+b%2b", 6, true), "a b+");
    assert_string_equal(sh_http_decode(arena, "a+b%2B", 6, false), "a+b+");
    assert_null(sh_http_decode(arena, "%", 1, false));
    assert_null(sh_http_decode(arena, "%41", 2, false));
    assert_null(sh_http_decode(arena, "a%00", 4, false));
}

static void utf8(void **state)
{
    static const char *const good[] = {"", "a", "ü", "\xE2\x82\xAC", "\xF0\x9F\x90\x8B", "\xF4\x8F\xBF\xBF"};
    static const char *const bad[] = {"\x80",
                                      "\xC0\xAF",
                                      "\xC3",
                                      "\xE0\x80\x80",
                                      "\xED\xA0\x80",
                                      "\xF4\x90\x80\x80",
                                      "\xF8\x88\x80\x80\x80",
                                      "a\xFF"};
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(sh_utf8_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(sh_utf8_valid(bad[i], strlen(bad[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(target_is_split_and_kept_raw),
        cmocka_unit_test(bad_targets_are_refused),
        cmocka_unit_test(whole_urls_are_paths),
        cmocka_unit_test(heads_whose_body_is_in_doubt),
        cmocka_unit_test(fields_are_found_in_any_case),
        cmocka_unit_test(encoding_and_decoding),
        cmocka_unit_test(utf8),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
