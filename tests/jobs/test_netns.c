/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Entering a network of one's own changes the process for good: each case is a child. */
#include "cloud/jobs/netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Makes the check fail where it does, from a child too. */
#define NEED(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #condition, strerror(errno));            \
            _exit(1);                                                                                        \
        }                                                                                                    \
    } while (0)

static int outside, outside_port; /* a listener of the machine's network */

static int reach(const char *host, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, host, &address.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int result = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : errno;
    close(fd);
    return result;
}

static void in_a_child(void (*body)(void))
{
    int status = -1;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        body();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void alone(void)
{
    sh_err err = {0};
    int listener = -1, port = 0;
    NEED(sh_netns_enter(&err) == 0);
    NEED(reach("127.0.0.1", outside_port) == ECONNREFUSED); /* another loopback than the machine's */
    NEED(reach("192.0.2.1", 80) == ENETUNREACH);
    NEED(sh_loopback_listen(&listener, &port, &err) == 0);
    NEED(port > 0 && reach("127.0.0.1", port) == 0);
    close(listener);
}

/* A socket that was there before still belongs to the machine's network. */
static void keeps_sockets(void)
{
    sh_err err = {0};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)outside_port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    NEED(fd >= 0);
    NEED(sh_netns_enter(&err) == 0);
    NEED(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    close(fd);
}

static void users(void)
{
    sh_err err = {0};
    if (geteuid() == 0)
        NEED(setgid(65534) == 0 && setuid(65534) == 0);
    const uid_t who = geteuid();
    int status = sh_netns_enter(&err);
    if (status == 0) {
        NEED(geteuid() == who);
        NEED(reach("127.0.0.1", outside_port) == ECONNREFUSED);
    } else { /* where a machine forbids it, that is said, with what would help */
        NEED(status == SH_E_UNSUPPORTED || status == SH_E_DENIED || status == SH_E_IO);
        NEED(err.message[0]);
    }
}

static void is_alone(void **state)
{
    (void)state;
    in_a_child(alone);
}

static void sockets_stay(void **state)
{
    (void)state;
    in_a_child(keeps_sockets);
}

static void for_users(void **state)
{
    (void)state;
    in_a_child(users);
}

static void tried_in_a_child(void **state)
{
    sh_err err = {0};
    (void)state;
    assert_int_equal(sh_netns_try(&err), 0);
    assert_int_equal(reach("127.0.0.1", outside_port), 0); /* we are still where we were */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(is_alone), cmocka_unit_test(sockets_stay),
                                       cmocka_unit_test(for_users), cmocka_unit_test(tried_in_a_child)};
    sh_err err = {0};
    if (sh_loopback_listen(&outside, &outside_port, &err) < 0)
        return 1;
    if (sh_netns_try(&err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        return 77; /* skipped: this machine has no namespaces for us */
    }
    return cmocka_run_group_tests_name("netns", tests, NULL, NULL);
}
