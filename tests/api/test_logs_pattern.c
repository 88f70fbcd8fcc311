/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Filter patterns against messages: the examples of the user guide in our own words, and the corners. */
#include "cloud/api/logs_pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct row {
    const char *pattern, *message;
    bool matches;
} row;

#define WEB "127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] \"GET /index.html HTTP/1.0\" 404 1534"
#define TRAIL                                                                                                \
    "{\"eventType\": \"UpdateTrail\", \"sourceIPAddress\": \"111.112.113.115\", \"n\": 4, \"f\": 0.5,"       \
    " \"list\": [{\"id\": 2, \"name\": \"foo\"}, {\"id\": 3}], \"a.b\": \"dotted\", \"none\": null,"         \
    " \"yes\": true, \"no\": false, \"status\": \"404\"}"

static const row rows[] = {
    /* terms */
    {"", "anything", true},
    {"ERROR", "[ERROR 400] BAD REQUEST", true},
    {"ERROR", "[error 400]", false},
    {"ERROR ARGUMENTS", "[ERROR] INVALID ARGUMENTS", true},
    {"ERROR ARGUMENTS", "[ERROR] INVALID", false},
    {"\"INTERNAL SERVER ERROR\"", "[ERROR 500] INTERNAL SERVER ERROR", true},
    {"\"INTERNAL SERVER ERROR\"", "INTERNAL ERROR SERVER", false},
    {"?ERROR ?WARN", "a WARNing", true},
    {"?ERROR ?WARN", "fine", false},
    {"?ERROR ?WARN 400", "[INFO] 400", true}, /* a needed term makes ? moot */
    {"?ERROR 400", "[ERROR] 401", false},
    {"ERROR -EXITING", "[ERROR] going on", true},
    {"ERROR -EXITING", "[ERROR] EXITING", false},
    {"-\"not this\"", "but this", true},
    {"%Authorized$%", "User is Authorized", true},
    {"%Authorized$%", "Authorized user", false},
    {"%^\\d{3} %", "404 not found", true},
    {"%^\\d{3} %", "40 not found", false},
    {"\"say \\\"x\\\"\"", "they say \"x\"", true},
    /* JSON */
    {"{ $.eventType = \"UpdateTrail\" }", TRAIL, true},
    {"{ $.eventType = UpdateTrail }", TRAIL, true},
    {"{ $.eventType = \"Update*\" }", TRAIL, true},
    {"{ $.eventType != \"Update*\" }", TRAIL, false},
    {"{ $.sourceIPAddress != 123.123.* }", TRAIL, true},
    {"{ $.list[0].id = 2 }", TRAIL, true},
    {"{ $.list[1].name = \"foo\" }", TRAIL, false},
    {"{ $.list[*].id = 3 }", TRAIL, true},
    {"{ $.list[5].id = 3 }", TRAIL, false},
    {"{ $.n > 3 && $.n <= 4 }", TRAIL, true},
    {"{ $.n > 4 || $.f = 5e-1 }", TRAIL, true},
    {"{ ($.n > 4 || $.f = 0.5) && $.n != 4 }", TRAIL, false},
    {"{ $.n >= 5 }", TRAIL, false},
    {"{ $.none IS NULL }", TRAIL, true},
    {"{ $.n IS NULL }", TRAIL, false},
    {"{ $.nothing NOT EXISTS }", TRAIL, true},
    {"{ $.none NOT EXISTS }", TRAIL, false},
    {"{ $.yes IS TRUE }", TRAIL, true},
    {"{ $.no IS TRUE }", TRAIL, false},
    {"{ $.no is false }", TRAIL, true},
    {"{ $['a.b'] = \"dotted\" }", TRAIL, true},
    {"{ $.status = 404 }", TRAIL, true},
    {"{ $.eventType = %Trail$% }", TRAIL, true},
    {"{ $.eventType = %^Trail% }", TRAIL, false},
    {"{ $.missing != 1 }", TRAIL, false},
    {"{ $.n = 4 }", "n = 4", false},
    {"{ $.n = 4 }", "{\"n\": 4", false},
    /* columns */
    {"[ip, user, username, timestamp, request, status_code, bytes]", WEB, true},
    {"[ip, user, username, timestamp, request, status_code]", WEB, false},
    {"[ip, user, username, timestamp, request = *html*, status_code = 4*, bytes]", WEB, true},
    {"[ip, user, username, timestamp, request = *html*, status_code = 5*, bytes]", WEB, false},
    {"[..., status_code = 404, bytes > 1000]", WEB, true},
    {"[..., status_code = 404, bytes > 2000]", WEB, false},
    {"[ip, ..., bytes]", WEB, true},
    {"[ip, user, ...]", "one", false},
    {"[..., (status = 404 || status = 410), bytes]", WEB, true},
    {"[..., status = 40* && status != 404, bytes]", WEB, false},
    {"[w1 = ERROR, w2]", "ERROR 17", true},
    {"[w1 = ERROR, w2]", "WARN 17", false},
    {"[, , x = c]", "a b c", true},
    {"[ip = %127\\.0\\.0\\.[1-9]%, ...]", WEB, true},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        sh_err err = {0};
        sh_log_pattern *pattern = NULL;
        if (sh_log_pattern_parse(&pattern, rows[i].pattern, &err) < 0)
            fail_msg("%s: %s", rows[i].pattern, err.message);
        if (sh_log_pattern_matches(pattern, rows[i].message) != rows[i].matches)
            fail_msg("%s against %s: not %d", rows[i].pattern, rows[i].message, rows[i].matches);
        sh_log_pattern_free(pattern);
    }
}

static void test_malformed(void **state)
{
    static const char *const malformed[] = {
        "{",
        "{ }",
        "{ $.a }",
        "{ $.a = }",
        "{ $.a = 1",
        "{ a = 1 }",
        "{ $.a > text }",
        "{ $.a IS MAYBE }",
        "{ $.a NOT THERE }",
        "{ ($.a = 1 }",
        "{ $.a = 1 } more",
        "{ $.a = 1 && }",
        "{ $.[0] = 1 }",
        "{ $.a[ = 1 }",
        "{ $.a['b] = 1 }",
        "\"open",
        "%open",
        "%(%",
        "%%",
        "%((a{100}){100}){100}%",
        "?",
        "[a, b",
        "[..., a, ...]",
        "[a = ]",
        "[a > x]",
        "{ ((((((((((((((((((((((((((((((((((((((((((((((((((((($.a = 1",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(malformed) / sizeof(*malformed); i++) {
        sh_err err = {0};
        sh_log_pattern *pattern = NULL;
        if (sh_log_pattern_parse(&pattern, malformed[i], &err) != SH_E_FORMAT)
            fail_msg("%s was taken", malformed[i]);
        assert_null(pattern);
        assert_non_null(strstr(err.message, " at column "));
    }
}

static void check_extract(const char *text, const char *message, const char *wanted)
{
    sh_err err = {0};
    sh_log_pattern *pattern;
    assert_int_equal(sh_log_pattern_parse(&pattern, text, &err), 0);
    json_t *taken = sh_log_pattern_extract(pattern, message);
    char *dumped = json_dumps(taken, JSON_COMPACT);
    assert_string_equal(dumped, wanted);
    free(dumped);
    json_decref(taken);
    sh_log_pattern_free(pattern);
}

static void test_extract(void **state)
{
    (void)state;
    check_extract("[ip, ..., bytes > 10]", WEB, "{\"$ip\":\"127.0.0.1\",\"$bytes\":\"1534\"}");
    check_extract("{ $.n > 1 && $.list[0].name = f* }", TRAIL, "{\"$.n\":\"4\",\"$.list[0].name\":\"foo\"}");
    check_extract("ERROR", "ERROR", "{}");
}

/* Every cut of every pattern is read or refused, never more. */
static void test_cuts(void **state)
{
    char cut[256];
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        for (size_t length = 0; length < strlen(rows[i].pattern); length++) {
            sh_log_pattern *pattern = NULL;
            snprintf(cut, sizeof(cut), "%.*s", (int)length, rows[i].pattern);
            if (sh_log_pattern_parse(&pattern, cut, NULL) == 0)
                sh_log_pattern_matches(pattern, rows[i].message);
            sh_log_pattern_free(pattern);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_malformed),
                                       cmocka_unit_test(test_extract), cmocka_unit_test(test_cuts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
