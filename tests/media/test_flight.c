/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packets that a decoder has been given: which of them are lost, and where decoding begins anew. */
#include "media/flight.h"

#include <libavutil/avutil.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_flight(void **state)
{
    sh_flight *flight = calloc(1, sizeof(*flight));
    sh_flight_packet lost, frame = {.number = 500, .pts = 4920, .epoch = 1};
    for (int64_t i = 0; i < 1000; i++) {
        const sh_flight_packet packet = {.number = i, .pts = i % 2 ? AV_NOPTS_VALUE : i * 10, .epoch = 1};
        sh_flight_add(flight, &packet);
        if (i % 10 == 0)
            sh_flight_key(flight, i, i * 10);
    }
    assert_int_equal(flight->count, SH_FLIGHT_MAX);
    assert_false(sh_flight_take(flight, 1000 - SH_FLIGHT_MAX - 1, NULL));
    assert_true(sh_flight_take(flight, 1000 - SH_FLIGHT_MAX, &lost));
    sh_flight_come(flight, 490 + SH_FLIGHT_NEAR - 1);
    assert_false(sh_flight_lost(flight, &frame, &lost)); /* its time stamp may be wrong */
    sh_flight_come(flight, 490 + SH_FLIGHT_NEAR);
    assert_true(sh_flight_lost(flight, &frame, &lost));
    assert_int_equal(lost.number, 490);
    assert_false(sh_flight_lost(flight, &frame, &lost));
    frame.number = 800;
    assert_true(sh_flight_lost(flight, &frame, &lost));
    assert_int_equal(lost.number, 489);
    frame = (sh_flight_packet){.number = 1000, .pts = 0, .epoch = 2};
    assert_true(sh_flight_lost(flight, &frame, &lost));
    assert_int_equal(sh_flight_epoch(flight, 100, 10), 1);
    assert_int_equal(sh_flight_epoch(flight, AV_NOPTS_VALUE, 10), 1);
    assert_int_equal(sh_flight_epoch(flight, 95, 10), 1);
    assert_int_equal(sh_flight_epoch(flight, 89, 10), 2);
    assert_int_equal(sh_flight_epoch(flight, 100, 10), 2);
    assert_int_equal(sh_flight_from(flight, 505, 5050, 0), 500);
    assert_int_equal(sh_flight_from(flight, 505, 5050, 1), 490);
    assert_int_equal(sh_flight_from(flight, 505, 4990, 0), 490);
    assert_int_equal(sh_flight_from(flight, 5, 50, 1), 0);
    free(flight);
}

/* Nobody begins with a frame while it is not known what becomes of a packet before it. */
static void test_doubts(void **state)
{
    sh_flight *flight = calloc(1, sizeof(*flight));
    const sh_flight_packet frame = {.number = 103, .pts = 1040, .epoch = 1, .from = 100};
    sh_flight_packet lost;
    for (int64_t i = 0; i < 3; i++) {
        const sh_flight_packet packet = {.number = 101 + i, .pts = 1010 + 20 * i, .epoch = 1};
        sh_flight_add(flight, &packet);
    }
    sh_flight_come(flight, frame.number);
    assert_true(sh_flight_doubts(flight, &frame));
    assert_false(sh_flight_lost(flight, &frame, &lost));
    sh_flight_come(flight, 102 + SH_FLIGHT_NEAR);
    assert_false(sh_flight_doubts(flight, &frame));
    assert_true(sh_flight_lost(flight, &frame, &lost));
    assert_int_equal(lost.number, 101);
    sh_flight_begin(flight, &frame);
    assert_int_equal(flight->count, 1);
    assert_true(sh_flight_rest(flight, &lost));
    assert_int_equal(lost.number, 103);
    free(flight);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_flight), cmocka_unit_test(test_doubts)};
    return cmocka_run_group_tests_name("flight", tests, NULL, NULL);
}
