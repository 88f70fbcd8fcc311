/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counting requests: each into its row, from many threads, and more kinds than there are rows. */
#include "base/size.h"
#include "cloud/api/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sh_counters *counters;
static sh_buf text;

static int set_up(void **state)
{
    (void)state;
    counters = sh_counters_new();
    sh_buf_init(&text, 64 << 20);
    return counters ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    sh_counters_free(counters);
    sh_buf_free(&text);
    return 0;
}

static void add(const char *service, const char *operation, int status, int64_t took_us)
{
    sh_http_record record = {
        .service = service, .operation = operation, .status = status, .received = 10, .answered = 100};
    sh_counters_add(counters, &record, took_us);
}

/* The number behind that line's beginning; -1: there is none. */
static long long value(const char *line)
{
    sh_buf_clear(&text);
    sh_counters_write(counters, &text);
    assert_false(text.failed);
    const char *found = strstr(sh_buf_cstr(&text), line);
    return found ? strtoll(found + strlen(line), NULL, 10) : -1;
}

static void counts_by_status(void **state)
{
    (void)state;
    add("s3", "PutObject", 200, 100);
    add("s3", "PutObject", 200, 100);
    add("s3", "PutObject", 403, 100);
    add("sqs", "PutObject", 200, 100);
    assert_int_equal(value("total{service=\"s3\",operation=\"PutObject\",code=\"200\"} "), 2);
    assert_int_equal(value("total{service=\"s3\",operation=\"PutObject\",code=\"403\"} "), 1);
    assert_int_equal(value("total{service=\"sqs\",operation=\"PutObject\",code=\"200\"} "), 1);
    assert_int_equal(value("received_bytes_total{service=\"s3\",operation=\"PutObject\"} "), 30);
    assert_int_equal(value("answered_bytes_total{service=\"s3\",operation=\"PutObject\"} "), 300);
}

static void unnamed_requests(void **state)
{
    (void)state;
    add(NULL, NULL, 400, 1);
    assert_int_equal(value("total{service=\"none\",operation=\"none\",code=\"400\"} "), 1);
}

static void histogram_is_cumulative(void **state)
{
    (void)state;
    add("s3", "GetObject", 200, 500);      /* on the bound */
    add("s3", "GetObject", 200, 501);      /* past it */
    add("s3", "GetObject", 404, 40000000); /* past the last one */
    add("s3", "GetObject", 200, -5);       /* a clock that was set back */
    assert_int_equal(value("bucket{service=\"s3\",operation=\"GetObject\",le=\"0.0005\"} "), 2);
    assert_int_equal(value("bucket{service=\"s3\",operation=\"GetObject\",le=\"0.002\"} "), 3);
    assert_int_equal(value("bucket{service=\"s3\",operation=\"GetObject\",le=\"32.768\"} "), 3);
    assert_int_equal(value("bucket{service=\"s3\",operation=\"GetObject\",le=\"+Inf\"} "), 4);
    assert_int_equal(value("seconds_count{service=\"s3\",operation=\"GetObject\"} "), 4);
    assert_int_equal(value("seconds_sum{service=\"s3\",operation=\"GetObject\"} "), 40);
}

static void *adder(void *opaque)
{
    static const char *const names[] = {"A", "B", "C", "D", "E", "F", "G", "H"};
    (void)opaque;
    for (int i = 0; i < 8000; i++)
        add("s3", names[i % 8], 200 + i % 5, i);
    return NULL;
}

static void many_threads(void **state)
{
    pthread_t threads[8];
    (void)state;
    for (size_t i = 0; i < SH_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, adder, NULL), 0);
    for (size_t i = 0; i < SH_COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(value("total{service=\"s3\",operation=\"A\",code=\"200\"} "), 8 * 200);
    assert_int_equal(value("seconds_count{service=\"s3\",operation=\"H\"} "), 8 * 1000);
}

static void a_full_table_counts_on(void **state)
{
    static char names[4000][8];
    (void)state;
    for (int i = 0; i < 4000; i++) {
        snprintf(names[i], sizeof(names[i]), "o%d", i);
        add("s3", names[i], 200, 1);
    }
    assert_int_equal(value("total{service=\"s3\",operation=\"o0\",code=\"200\"} "), 1);
    assert_int_equal(value("total{service=\"other\",operation=\"other\",code=\"0\"} "), 4000 - 1536);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(counts_by_status, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unnamed_requests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(histogram_is_cumulative, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_threads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_table_counts_on, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
