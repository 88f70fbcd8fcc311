/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When schedules are due. */
#include "cloud/api/events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static int64_t at(const char *iso)
{
    int64_t ms;
    if (!sh_time_parse_iso(iso, strlen(iso), &ms))
        fail_msg("%s", iso);
    return ms;
}

static void next(const char *expression, const char *after, const char *expected)
{
    int64_t found_ms = -2;
    char found[SH_TIME_TEXT] = "never";
    sh_err err = {0};
    if (sh_schedule_after(expression, at("2026-01-01T00:00:00Z"), at(after), &found_ms, &err) < 0)
        fail_msg("%s: %s", expression, err.message);
    if (found_ms >= 0)
        sh_time_iso_s(found_ms, found);
    if (strcmp(found, expected) != 0)
        fail_msg("%s after %s: %s, not %s", expression, after, found, expected);
}

static void test_rates(void **state)
{
    next("rate(1 minute)", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z");
    next("rate(5 minutes)", "2026-01-01T00:07:00Z", "2026-01-01T00:10:00Z");
    next("rate(5 minutes)", "2026-01-01T00:10:00Z", "2026-01-01T00:15:00Z");
    next("rate(1 hour)", "2026-01-01T00:59:59Z", "2026-01-01T01:00:00Z");
    next("rate(7 days)", "2026-01-01T00:00:01Z", "2026-01-08T00:00:00Z");
}

static void test_crons(void **state)
{
    next("cron(0 12 * * ? *)", "2026-01-01T11:59:00Z", "2026-01-01T12:00:00Z");
    next("cron(0 12 * * ? *)", "2026-01-01T12:00:00Z", "2026-01-02T12:00:00Z");
    next("cron(0/15 * * * ? *)", "2026-01-01T00:16:30Z", "2026-01-01T00:30:00Z");
    next("cron(5,35 14 * * ? *)", "2026-01-01T14:05:00Z", "2026-01-01T14:35:00Z");
    next("cron(0 18 ? * MON-FRI *)", "2026-01-02T18:00:00Z", "2026-01-05T18:00:00Z");
    next("cron(0/5 8-17 ? * 2-6 *)", "2026-01-03T00:00:00Z", "2026-01-05T08:00:00Z");
    next("cron(0 0 ? * FRI-MON *)", "2026-01-05T00:00:00Z", "2026-01-09T00:00:00Z");
    next("cron(15 10 ? * 6L 2026-2027)", "2026-01-01T00:00:00Z", "2026-01-30T10:15:00Z");
    next("cron(0 9 ? * 2#1 *)", "2026-01-05T09:00:00Z", "2026-02-02T09:00:00Z");
    next("cron(0 0 L * ? *)", "2026-02-01T00:00:00Z", "2026-02-28T00:00:00Z");
    next("cron(0 0 L 2 ? 2028)", "2026-02-01T00:00:00Z", "2028-02-29T00:00:00Z");
    next("cron(0 0 LW * ? *)", "2026-05-01T00:00:00Z", "2026-05-29T00:00:00Z");
    next("cron(0 0 1W * ? *)", "2026-07-31T00:00:00Z", "2026-08-03T00:00:00Z");
    next("cron(0 0 15W * ? *)", "2026-02-01T00:00:00Z", "2026-02-16T00:00:00Z");
    next("cron(0 8 1 * ? *)", "2026-12-02T00:00:00Z", "2027-01-01T08:00:00Z");
    next("cron(0 0 29 FEB ? *)", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z");
    next("cron(0 0 1 1 ? 2020)", "2026-01-01T00:00:00Z", "never");
    next("cron(0 0 31 2 ? *)", "2026-01-01T00:00:00Z", "never");
}

static void test_malformed(void **state)
{
    static const char *const bad[] = {
        "",
        "rate",
        "rate()",
        "rate(1 minutes)",
        "rate(2 minute)",
        "rate(0 minutes)",
        "rate(-1 minutes)",
        "rate(5 seconds)",
        "rate(5 minutes",
        "rate(5minutes)",
        "at(2026-01-01T00:00:00)",
        "cron(0 12 * * * *)",
        "cron(0 12 ? * ? *)",
        "cron(0 12 * * ?)",
        "cron(0 12 * * ? * *)",
        "cron(60 12 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 0 32 * ? *)",
        "cron(0 0 ? * 8 *)",
        "cron(0 0 ? * 2#6 *)",
        "cron(0 0 * 13 ? *)",
        "cron(0 0 * * ? 1969)",
        "cron(? 0 * * ? *)",
        "cron(0, 0 * * ? *)",
        "cron(0/0 0 * * ? *)",
        "cron(a 0 * * ? *)",
        "cron(0 0 * * ? *) ",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        int64_t ignored;
        if (sh_schedule_after(bad[i], 0, 0, &ignored, NULL) != SH_E_FORMAT)
            fail_msg("%s was taken", bad[i]);
    }
}

static void test_trace(void **state)
{
    sh_arena *arena = sh_arena_new(1 << 20);
    const char *trace = NULL, *other;
    for (int i = 0; i < SH_EVENTS_ROUNDS; i++) {
        trace = sh_trace_round(arena, trace, "rule/a");
        assert_non_null(trace);
        assert_true(strlen(trace) <= 256);
        trace = sh_trace_round(arena, trace, i % 2 ? "rule/b" : "rule/c"); /* those count by themselves */
    }
    assert_null(sh_trace_round(arena, trace, "rule/a"));
    other = sh_trace_round(arena, "Root=1-67891233-abcdef012345678912345678;Lineage=1:12345678:3", "rule/a");
    assert_non_null(strstr(other, "Root=1-67891233-abcdef012345678912345678;Lineage=1:12345678:3|"));
    for (int i = 0; i < 100; i++) { /* many rules: never longer than an execution takes */
        char name[16];
        snprintf(name, sizeof(name), "rule/%d", i);
        other = sh_trace_round(arena, other, name);
        assert_true(other && strlen(other) <= 256);
    }
    sh_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_crons),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
