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

static void addresses(void **state)
{
    static const struct {
        const char *url, *host, *port;
        bool tls;
    } good[] = {
        {"http://127.0.0.1:9000", "127.0.0.1", "9000", false},
        {"https://spyhop.lan", "spyhop.lan", "443", true},
        {"http://spyhop.lan/", "spyhop.lan", "80", false},
        {"https://[::1]:8443/", "::1", "8443", true},
        {"http://[fe80::1]", "fe80::1", "80", false},
    };
    static const char *const bad[] = {"",           "spyhop.lan",    "ftp://a",      "http://",
                                      "http://:80", "http://a:",     "http://a:80x", "http://a:123456",
                                      "http://a/b", "https://[::1]x"};
    sh_server_address address;
    sh_err err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(sh_server_address_read(&address, good[i].url, &err), 0);
        assert_string_equal(address.host, good[i].host);
        assert_string_equal(address.port, good[i].port);
        assert_int_equal(address.tls, good[i].tls);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_true(sh_server_address_read(&address, bad[i], &err) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ended_at_once), cmocka_unit_test(addresses)};
    return cmocka_run_group_tests_name("relay", tests, NULL, NULL);
}
