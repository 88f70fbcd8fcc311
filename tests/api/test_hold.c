/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls whose answer comes later: no wake-up is lost, whenever it comes. */
#include "test_states_help.h"

#include "base/clock.h"

#include <pthread.h>

typedef struct held {
    sh_call call;
    sh_hold hold;
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    int released;
} held;

static void release(void *opaque)
{
    held *h = opaque;
    pthread_mutex_lock(&h->mutex);
    h->released++;
    pthread_cond_broadcast(&h->condition);
    pthread_mutex_unlock(&h->mutex);
}

static void prepare(bed *b, held *h)
{
    memset(h, 0, sizeof(*h));
    pthread_mutex_init(&h->mutex, NULL);
    pthread_cond_init(&h->condition, NULL);
    h->hold = (sh_hold){.release = release, .opaque = h};
    h->call = (sh_call){.cloud = b->cloud, .hold = &h->hold};
}

static void test_woken_while_parked(void **state)
{
    bed *b = *state;
    held one, other;
    prepare(b, &one);
    prepare(b, &other);
    sh_call_wait_for(&one.call, "a", -1);
    sh_call_wait_for(&other.call, "b", -1);
    sh_hold_park(b->cloud, &one.hold);
    sh_hold_park(b->cloud, &other.hold);
    sh_hold_wake(b->cloud, "a");
    assert_int_equal(one.released, 1);
    assert_int_equal(other.released, 0);
    sh_hold_wake(b->cloud, "a"); /* it waits no more */
    assert_int_equal(one.released, 1);
    sh_hold_drop(b->cloud, &one.hold);
    sh_hold_drop(b->cloud, &other.hold);
    sh_hold_drop(b->cloud, &other.hold); /* again: no harm */
    sh_hold_wake(b->cloud, "b");
    assert_int_equal(other.released, 0);
}

/* The wake-up comes after the action has looked, but before its call is put aside. */
static void test_woken_before_parked(void **state)
{
    bed *b = *state;
    held one;
    prepare(b, &one);
    sh_call_wait_for(&one.call, "a", -1);
    sh_hold_wake(b->cloud, "a");
    assert_int_equal(one.released, 0);
    sh_hold_park(b->cloud, &one.hold);
    assert_int_equal(one.released, 1);
    sh_call_wait_for(&one.call, "a", -1); /* the call again, which still finds nothing */
    sh_hold_park(b->cloud, &one.hold);
    assert_int_equal(one.released, 1);
    sh_hold_wake(b->cloud, "a");
    assert_int_equal(one.released, 2);
    sh_hold_drop(b->cloud, &one.hold);
}

static void *run(void *cloud)
{
    sh_holds_run(cloud);
    return NULL;
}

static void wait_for_release(held *h)
{
    pthread_mutex_lock(&h->mutex);
    while (!h->released)
        pthread_cond_wait(&h->condition, &h->mutex);
    pthread_mutex_unlock(&h->mutex);
}

/* Times that are over, that come later, and that are said while the runner waits for a later one. */
static void test_times(void **state)
{
    bed *b = *state;
    held rows[3];
    pthread_t thread;
    const int64_t from_now_us[] = {3600000000, 20000, -1000};
    assert_int_equal(pthread_create(&thread, NULL, run, b->cloud), 0);
    for (int i = 0; i < 3; i++) {
        prepare(b, &rows[i]);
        sh_call_wait_for(&rows[i].call, "time", sh_monotonic_us() + from_now_us[i]);
        sh_hold_park(b->cloud, &rows[i].hold);
    }
    wait_for_release(&rows[1]);
    wait_for_release(&rows[2]);
    assert_int_equal(rows[0].released, 0);
    for (int i = 0; i < 3; i++)
        sh_hold_drop(b->cloud, &rows[i].hold);
    sh_holds_stop(b->cloud->holds);
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED(test_woken_while_parked),
        BED(test_woken_before_parked),
        BED(test_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
