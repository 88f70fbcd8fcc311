/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/jobs/netns.h"

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
#include <sys/wait.h>
#include <unistd.h>

static int write_text(const char *path, const char *text, sh_err *err)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    int status = 0;
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        status = sh_fail_errno(err, errno, "cannot write %s", path);
    if (fd >= 0)
        close(fd);
    return status;
}

static int refuse(sh_err *err)
{
    return sh_fail(
        err, SH_E_UNSUPPORTED,
        "this machine lets %s make no network of its own (%s): run as root, or allow namespaces of "
        "users (kernel.unprivileged_userns_clone = 1, user.max_user_namespaces above 0), or give "
        "commands the whole network (network = open)",
        geteuid() == 0 ? "root" : "this user", strerror(errno));
}

static int separate_users(sh_err *err)
{
    char text[64];
    const unsigned uid = geteuid(), gid = getegid();
    if (unshare(CLONE_NEWUSER) < 0)
        return refuse(err);
    int status = write_text("/proc/self/setgroups", "deny", err);
    snprintf(text, sizeof(text), "%u %u 1", uid, uid);
    if (status == 0)
        status = write_text("/proc/self/uid_map", text, err);
    snprintf(text, sizeof(text), "%u %u 1", gid, gid);
    return status == 0 ? write_text("/proc/self/gid_map", text, err) : status;
}

static int loopback_up(sh_err *err)
{
    struct ifreq request = {.ifr_name = "lo"};
    int status = 0;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0) {
        status = sh_fail_errno(err, errno, "no loopback device");
        goto done;
    }
    request.ifr_flags |= IFF_UP;
    if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        status = sh_fail_errno(err, errno, "cannot bring the loopback device up");
done:
    if (fd >= 0)
        close(fd);
    return status;
}

int sh_netns_enter(sh_err *err)
{
    int status = geteuid() == 0 ? 0 : separate_users(err);
    if (status == 0 && unshare(CLONE_NEWNET) < 0)
        status = refuse(err);
    return status == 0 ? loopback_up(err) : status;
}

int sh_netns_try(sh_err *err)
{
    int ends[2], result = -1;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return sh_fail_errno(err, errno, "cannot make a pipe");
    pid_t pid = fork();
    if (pid == 0) {
        sh_err why = {0};
        int status = sh_netns_enter(&why);
        ssize_t ignored = status < 0 ? write(ends[1], why.message, strlen(why.message)) : 0;
        (void)ignored;
        _exit(status < 0);
    }
    int error = errno;
    close(ends[1]);
    char message[512];
    ssize_t got = pid > 0 ? read(ends[0], message, sizeof(message) - 1) : 0;
    close(ends[0]);
    if (pid < 0)
        return sh_fail_errno(err, error, "cannot start a process");
    while (waitpid(pid, &result, 0) < 0 && errno == EINTR)
        ;
    if (result == 0)
        return 0;
    message[got > 0 ? got : 0] = '\0';
    return sh_fail(err, SH_E_UNSUPPORTED, "%s", message);
}

int sh_loopback_listen(int *listener, int *port, sh_err *err)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 128) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
        int status = sh_fail_errno(err, errno, "cannot listen on the loopback address");
        if (fd >= 0)
            close(fd);
        return status;
    }
    *listener = fd;
    *port = ntohs(address.sin_port);
    return 0;
}
