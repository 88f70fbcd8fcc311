/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Namespaces, and the only network there is: the loopback device of an empty one, with sockets that listen on
 * it. Their descriptors go out to the server, which accepts from them: a socket stays in the namespace it was
 * made in. */
#include "sandbox/sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        sandbox_fail("cannot write %s", path);
    close(fd);
}

/* Who is not root gets the rights it needs in a namespace of users, where it stays who it is. */
static void separate_users(uid_t uid, gid_t gid)
{
    char text[64];
    if (unshare(CLONE_NEWUSER) < 0)
        sandbox_fail("no namespace of users (as root, or with kernel.unprivileged_userns_clone = 1 and "
                     "user.max_user_namespaces above 0, there is)");
    write_file("/proc/self/setgroups", "deny");
    snprintf(text, sizeof(text), "%u %u 1", (unsigned)uid, (unsigned)uid);
    write_file("/proc/self/uid_map", text);
    snprintf(text, sizeof(text), "%u %u 1", (unsigned)gid, (unsigned)gid);
    write_file("/proc/self/gid_map", text);
}

void sandbox_separate(const sandbox *s)
{
    (void)s;
    /* when the machine has no memory left, what runs here is the first to go */
    write_file("/proc/self/oom_score_adj", "1000");
    if (geteuid() != 0)
        separate_users(geteuid(), getegid());
    if (unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
        sandbox_fail("this machine does not let %s make namespaces (in a container: allow CAP_SYS_ADMIN, or "
                     "namespaces of users)",
                     geteuid() == 0 ? "root" : "this user");
    if (sethostname("sandbox", 7) < 0 && errno != EPERM) /* which a hardened unit forbids */
        sandbox_fail("cannot name the sandbox");
}

static void loopback_up(void)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
        sandbox_fail("no loopback device");
    request.ifr_flags |= IFF_UP;
    if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        sandbox_fail("cannot bring the loopback device up");
    close(fd);
}

static int listen_on(int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 64) < 0)
        sandbox_fail("cannot listen on port %d of the sandbox", port);
    return fd;
}

void sandbox_listen(sandbox *s)
{
    loopback_up();
    for (size_t i = 0; i < s->port_count; i++)
        s->listeners[i] = listen_on(s->ports[i]);
}
