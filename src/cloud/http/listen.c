/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/http/listen.h"
#include "base/size.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

/* Cuts "host:port" or "[host]:port" apart. */
static int split_address(const char *address, char *host, size_t size, const char **port, sh_err *err)
{
    const char *colon = strrchr(address, ':');
    const char *from = address;
    if (!colon || !colon[1])
        return sh_fail(err, SH_E_ARGUMENT, "listen address \"%s\": ADDR:PORT is needed, as 127.0.0.1:9000",
                       address);
    size_t length = (size_t)(colon - address);
    if (length >= 2 && from[0] == '[' && from[length - 1] == ']') {
        from++;
        length -= 2;
    }
    if (length >= size)
        return sh_fail(err, SH_E_ARGUMENT, "listen address is too long");
    memcpy(host, from, length);
    host[length] = '\0';
    *port = colon + 1;
    return 0;
}

static int bind_first(const struct addrinfo *list, const char *address, sh_err *err)
{
    int error = EADDRNOTAVAIL;
    for (const struct addrinfo *at = list; at; at = at->ai_next) {
        int on = 1;
        int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
            bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
            return fd;
        error = errno;
        if (fd >= 0)
            close(fd);
    }
    return sh_fail_errno(err, error, "cannot listen on %s", address);
}

static int read_address(const char *address, char *host, size_t size, const char **port, sh_err *err)
{
    int64_t number;
    int status = split_address(address, host, size, port, err);
    if (status == 0 && !sh_parse_i64(*port, strlen(*port), 0, 65535, &number))
        status = sh_fail(err, SH_E_ARGUMENT, "listen address \"%s\": the port is a number from 0 to 65535",
                         address);
    return status;
}

int sh_listen_check(const char *address, sh_err *err)
{
    char host[256];
    const char *port;
    return read_address(address, host, sizeof(host), &port, err);
}

int sh_listen_open(const char *address, sh_err *err)
{
    char host[256];
    const char *port = "";
    struct addrinfo *list = NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    int status = read_address(address, host, sizeof(host), &port, err);
    if (status < 0)
        return status;
    if (!host[0])
        hints.ai_family = AF_INET;
    int code = getaddrinfo(host[0] ? host : NULL, port, &hints, &list);
    if (code)
        return sh_fail(err, SH_E_ARGUMENT, "listen address \"%s\": %s", address, gai_strerror(code));
    int fd = bind_first(list, address, err);
    freeaddrinfo(list);
    return fd;
}

void sh_listen_name(int fd, const char *scheme, char *text, size_t size)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof(address);
    char host[INET6_ADDRSTRLEN] = "127.0.0.1";
    if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        return;
    if (address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address;
        bool any = IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
        snprintf(text, size, "%s://[%s]:%u", scheme, any ? "::1" : host, ntohs(in6->sin6_port));
        return;
    }
    const struct sockaddr_in *in = (const struct sockaddr_in *)&address;
    if (in->sin_addr.s_addr != htonl(INADDR_ANY))
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
    snprintf(text, size, "%s://%s:%u", scheme, host, ntohs(in->sin_port));
}
