/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One thread accepts, and one serves each connection: a poll loop over its two ends with a buffer for each
 * direction. An end of file is passed on when all before it has been, so that a client that has sent its
 * request still gets the answer. */
#include "cloud/jobs/relay.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "cloud/jobs/relay_link.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCK = 65536, CONNECTIONS_MAX = 256, STACK = 512 << 10, TRY_MS = 250, CONNECT_S = 10 };
#define PATIENCE_US ((int64_t)30 * 1000000)

static const char *relay_identity; /* of this process, which has one relay */
static atomic_int connections;

/* ---- where to ---- */

int sh_server_address_read(sh_server_address *out, const char *url, sh_err *err)
{
    sh_server_address a = {.tls = strncmp(url, "https://", 8) == 0};
    const char *at = url + (a.tls ? 8 : 7);
    if (!a.tls && strncmp(url, "http://", 7) != 0)
        return sh_fail(err, SH_E_FORMAT, "%.200s is no address: http://HOST:PORT or https://HOST:PORT", url);
    bool bracket = *at == '[';
    at += bracket;
    size_t length = strcspn(at, bracket ? "]" : ":/");
    const char *after = at + length + (bracket && at[length] == ']');
    const char *port = *after == ':' ? after + 1 : a.tls ? "443" : "80";
    size_t digits = strspn(port, "0123456789");
    const char *rest = *after == ':' ? port + digits : after;
    if (length == 0 || length >= sizeof(a.host) || digits == 0 || digits > 5 ||
        (rest[0] && strcmp(rest, "/") != 0))
        return sh_fail(err, SH_E_FORMAT, "%.200s is no address: http://HOST:PORT or https://HOST:PORT", url);
    memcpy(a.host, at, length);
    memcpy(a.port, port, digits);
    *out = a;
    return 0;
}

static int read_identity(sh_server_address *address, char *pin, size_t pin_size, sh_err *err)
{
    sh_buf text;
    sh_buf_init(&text, 65536);
    int status = sh_file_read(relay_identity, &text, err);
    json_t *json = status == 0 ? json_loadb(sh_buf_cstr(&text), text.length, 0, NULL) : NULL;
    const char *server = json_string_value(json_object_get(json, "server"));
    const char *pinned = json_string_value(json_object_get(json, "pin"));
    if (status == 0)
        status = server ? sh_server_address_read(address, server, err)
                        : sh_fail(err, SH_E_FORMAT, "%s names no server", relay_identity);
    snprintf(pin, pin_size, "%s", pinned ? pinned : "");
    json_decref(json);
    sh_buf_free(&text);
    return status;
}

/* A host that does not answer holds a connection up for so long, and no longer. */
static void limit_connect(int fd, int seconds)
{
    const struct timeval limit = {.tv_sec = seconds};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static int dial(const sh_server_address *address, int *out, sh_err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int fd = -1, error = 0;
    int code = getaddrinfo(address->host, address->port, &hints, &list);
    if (code != 0)
        return sh_fail(err, SH_E_NOT_FOUND, "%s: %s", address->host, gai_strerror(code));
    for (struct addrinfo *at = list; at && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
        if (fd >= 0)
            limit_connect(fd, CONNECT_S);
        if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) < 0) {
            error = errno;
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    if (fd < 0)
        return sh_fail_errno(err, error, "cannot reach %s:%s", address->host, address->port);
    limit_connect(fd, 0);
    *out = fd;
    return 0;
}

static int reach(sh_link *server, sh_err *err)
{
    sh_server_address address;
    char pin[64];
    int fd = -1;
    int status = read_identity(&address, pin, sizeof(pin), err);
    if (status == 0)
        status = dial(&address, &fd, err);
    return status == 0 ? sh_link_open(server, fd, address.tls ? address.host : NULL, pin, err) : status;
}

static bool left(int client)
{
    struct pollfd gone = {.fd = client, .events = POLLRDHUP};
    return poll(&gone, 1, TRY_MS) > 0;
}

/* A server that restarts is waited for; one that shows another key is not. */
static int reach_with_patience(sh_link *server, int client, sh_err *err)
{
    const int64_t until = sh_monotonic_us() + PATIENCE_US;
    int status = reach(server, err);
    while (status < 0 && status != SH_E_DENIED && sh_monotonic_us() < until && !left(client))
        status = reach(server, err);
    return status;
}

/* ---- one connection ---- */

typedef struct way {
    sh_link *from, *to;
    char *bytes; /* BLOCK */
    size_t start, end;
    bool over, told; /* no more comes; and that has been passed on */
} way;

static bool is_empty(const way *w)
{
    return w->start == w->end;
}

/* False: the connection is broken. */
static bool move(way *w)
{
    if (is_empty(w) && !w->over) {
        ssize_t got = sh_link_read(w->from, w->bytes, BLOCK);
        if (got == SH_LINK_BROKEN)
            return false;
        w->over = got == 0;
        w->start = 0;
        w->end = got > 0 ? (size_t)got : 0;
    }
    while (!is_empty(w)) {
        ssize_t put = sh_link_write(w->to, w->bytes + w->start, w->end - w->start);
        if (put == SH_LINK_BROKEN)
            return false;
        if (put == SH_LINK_LATER)
            return true;
        w->start += (size_t)put;
    }
    if (w->over && !w->told) {
        sh_link_finish(w->to);
        w->told = true;
    }
    return true;
}

static void ask(const way *w, struct pollfd *from, struct pollfd *to)
{
    if (is_empty(w) && !w->over)
        from->events |= sh_link_events(w->from, POLLIN);
    if (!is_empty(w))
        to->events |= sh_link_events(w->to, POLLOUT);
}

/* Ends when the server has said all it will. */
static void pass(sh_link *client, sh_link *server, char *bytes)
{
    way up = {.from = client, .to = server, .bytes = bytes};
    way down = {.from = server, .to = client, .bytes = bytes + BLOCK};
    while (!down.told) {
        struct pollfd ends[] = {{.fd = client->fd}, {.fd = server->fd}};
        ask(&up, &ends[0], &ends[1]);
        ask(&down, &ends[1], &ends[0]);
        for (int i = 0; i < 2; i++)
            if (!ends[i].events) /* its end would wake us without end */
                ends[i].fd = -1;
        if (!(is_empty(&down) && sh_link_pending(server)) && poll(ends, 2, -1) < 0 && errno != EINTR)
            return;
        if ((ends[0].revents & POLLERR) || !move(&up) || !move(&down))
            return;
    }
}

static void *serve(void *opaque)
{
    sh_link client = {.fd = (int)(intptr_t)opaque}, server = {.fd = -1};
    sh_err err = {0};
    char *bytes = malloc(2 * BLOCK);
    int status = bytes ? reach_with_patience(&server, client.fd, &err)
                       : sh_fail(&err, SH_E_MEMORY, "no memory for a connection");
    if (status == 0) {
        fcntl(client.fd, F_SETFL, O_NONBLOCK);
        pass(&client, &server, bytes);
    } else {
        fprintf(stderr, "spyhop-agent: a command's connection to the server: %s\n", err.message);
    }
    free(bytes);
    sh_link_close(&server);
    sh_link_close(&client);
    atomic_fetch_sub(&connections, 1);
    return NULL;
}

static void accept_all(int listener, const pthread_attr_t *attributes)
{
    for (;;) {
        pthread_t thread;
        int fd =
            atomic_load(&connections) < CONNECTIONS_MAX ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
        if (fd < 0) {
            usleep(10000); /* descriptors or threads are short: what there is has to end first */
            continue;
        }
        atomic_fetch_add(&connections, 1);
        if (pthread_create(&thread, attributes, serve, (void *)(intptr_t)fd) != 0) {
            atomic_fetch_sub(&connections, 1);
            close(fd);
        }
    }
}

/* ---- the process ---- */

static int receive(int channel)
{
    char byte, room[CMSG_SPACE(sizeof(int))];
    struct iovec part = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
    int fd = -1;
    ssize_t got;
    do {
        got = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    struct cmsghdr *extra = got == 1 ? CMSG_FIRSTHDR(&message) : NULL;
    if (extra && extra->cmsg_level == SOL_SOCKET && extra->cmsg_type == SCM_RIGHTS)
        memcpy(&fd, CMSG_DATA(extra), sizeof(fd));
    return fd;
}

static _Noreturn void be_relay(int channel, const char *identity)
{
    pthread_attr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, SIG_IGN); /* meant for commands: what they say while they end still arrives */
    prctl(PR_SET_NAME, "spyhop-relay");
    relay_identity = identity;
    int listener = receive(channel);
    close(channel);
    if (listener < 0)
        _exit(1);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK);
    accept_all(listener, &attributes);
    _exit(1);
}

int sh_relay_start(sh_child *out, const char *identity, int *channel, sh_err *err)
{
    int ends[2];
    pid_t parent = getpid();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return sh_fail_errno(err, errno, "cannot make a channel to a relay");
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || setpgid(0, 0) < 0)
            _exit(1);
        be_relay(ends[1], identity);
    }
    int error = errno;
    close(ends[1]);
    if (pid > 0)
        setpgid(pid, pid); /* as it does itself: whoever ends its group finds one, even at once */
    int pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
    if (pid < 0 || pidfd < 0) {
        close(ends[0]);
        return sh_fail_errno(err, pid < 0 ? error : errno, "cannot start a relay");
    }
    *out = (sh_child){pid, pidfd};
    *channel = ends[0];
    return 0;
}

int sh_relay_listen(int channel, int listener, sh_err *err)
{
    char byte = 0, room[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
    struct cmsghdr *extra = CMSG_FIRSTHDR(&message);
    *extra = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(extra), &listener, sizeof(listener));
    int status = sendmsg(channel, &message, MSG_NOSIGNAL) == 1
                     ? 0
                     : sh_fail_errno(err, errno, "cannot reach the relay of a command");
    close(listener);
    close(channel);
    return status;
}
