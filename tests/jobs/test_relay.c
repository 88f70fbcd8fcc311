/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/jobs/relay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <unistd.h>

enum { TIMES = 100, SECONDS = 60 };

/* Whoever ends a relay waits for its end: it may not be missed because it has hardly begun. */
static void ended_at_once(void **state)
{
    sh_err err = {0};
    (void)state;
    alarm(SECONDS);
    for (int i = 0; i < TIMES; i++) {
        sh_child relay = SH_CHILD_NONE;
        int channel = -1;
        assert_int_equal(sh_relay_start(&relay, "/nowhere", &channel, &err), 0);
        pid_t pid = relay.pid;
        sh_child_destroy(&relay);
        assert_int_equal(kill(pid, 0), -1);
        close(channel);
    }
    alarm(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ended_at_once)};
    return cmocka_run_group_tests_name("relay", tests, NULL, NULL);
}
