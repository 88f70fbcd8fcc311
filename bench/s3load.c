/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client of S3 that costs little, so that what is measured is the server: one thread, connections that are
 * kept alive, one request at a time on each, signed (SigV4 by header, UNSIGNED-PAYLOAD). A connection is a
 * small machine: send the head, send the body from one block over and over, read the head, count the body.
 * A server that ends connections after an answer is met with new ones. Prints one line of JSON. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

enum { BLOCK = 1 << 20, HEAD_MAX = 16 * 1024, CLIENTS_MAX = 4096 };

typedef struct settings {
    struct sockaddr_in address;
    const char *host, *bucket, *operation, *key, *secret, *region, *prefix, *query;
    int64_t size, requests, keys;
    int clients;
} settings;

typedef struct client {
    int fd;
    char head[HEAD_MAX]; /* of the request while it is sent, of the answer then */
    size_t head_length, head_done;
    int64_t body_left; /* to send, then to receive */
    bool reading, in_body, ends;
    int status;
    double begun;
} client;

typedef struct run {
    settings s;
    client *clients;
    char *block;
    double *times;
    int64_t started, done, failed;
    int poll;
    unsigned char signing_key[32];
    char day[16], moment[32];
    time_t signed_at;
} run;

static void die(const char *what)
{
    fprintf(stderr, "s3load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- signature ---- */

static void hmac(const void *key, size_t key_length, const char *text, unsigned char out[32])
{
    unsigned length = 32;
    HMAC(EVP_sha256(), key, (int)key_length, (const unsigned char *)text, strlen(text), out, &length);
}

static void hex(const unsigned char *bytes, char out[65])
{
    for (int i = 0; i < 32; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static void refresh_key(run *r)
{
    time_t t = time(NULL);
    struct tm tm;
    char secret[256];
    unsigned char a[32], b[32];
    if (t == r->signed_at)
        return;
    r->signed_at = t;
    gmtime_r(&t, &tm);
    strftime(r->moment, sizeof(r->moment), "%Y%m%dT%H%M%SZ", &tm);
    strftime(r->day, sizeof(r->day), "%Y%m%d", &tm);
    snprintf(secret, sizeof(secret), "AWS4%s", r->s.secret);
    hmac(secret, strlen(secret), r->day, a);
    hmac(a, 32, r->s.region, b);
    hmac(b, 32, "s3", a);
    hmac(a, 32, "aws4_request", r->signing_key);
}

static void make_request(run *r, client *c, int64_t number)
{
    char canonical[2048], text[512], digest[65], path[1200], body[64] = "";
    unsigned char hash[32], signature[32];
    unsigned length = 32;
    bool put = strcmp(r->s.operation, "put") == 0;
    const char *method = put ? "PUT" : strcmp(r->s.operation, "delete") == 0 ? "DELETE" : "GET";
    refresh_key(r);
    snprintf(path, sizeof(path), "/%s%s%s%lld", r->s.bucket, *r->s.bucket ? "/" : "", r->s.prefix,
             (long long)(number % r->s.keys));
    snprintf(canonical, sizeof(canonical),
             "%s\n%s\n%s\nhost:%s\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:%s\n\n"
             "host;x-amz-content-sha256;x-amz-date\nUNSIGNED-PAYLOAD",
             method, path, r->s.query, r->s.host, r->moment);
    EVP_Digest(canonical, strlen(canonical), hash, &length, EVP_sha256(), NULL);
    hex(hash, digest);
    snprintf(text, sizeof(text), "AWS4-HMAC-SHA256\n%s\n%s/%s/s3/aws4_request\n%s", r->moment, r->day,
             r->s.region, digest);
    hmac(r->signing_key, 32, text, signature);
    hex(signature, digest);
    if (put)
        snprintf(body, sizeof(body), "Content-Length: %lld\r\n", (long long)r->s.size);
    c->head_length = (size_t)snprintf(
        c->head, sizeof(c->head),
        "%s %s%s%s HTTP/1.1\r\nHost: %s\r\nX-Amz-Date: %s\r\nX-Amz-Content-SHA256: UNSIGNED-PAYLOAD\r\n%s"
        "Authorization: AWS4-HMAC-SHA256 Credential=%s/%s/%s/s3/aws4_request, "
        "SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=%s\r\n\r\n",
        method, path, *r->s.query ? "?" : "", r->s.query, r->s.host, r->moment, body, r->s.key, r->day,
        r->s.region, digest);
    c->head_done = 0;
    c->body_left = put ? r->s.size : 0;
    c->reading = c->in_body = c->ends = false;
}

/* ---- connections ---- */

static void watch(run *r, client *c, uint32_t events, bool first)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(r->poll, first ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, c->fd, &event) < 0)
        die("epoll_ctl");
}

static void open_connection(run *r, client *c)
{
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&r->s.address, sizeof(r->s.address)) < 0)
        die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    watch(r, c, EPOLLIN, true);
}

/* True when all of it is sent. A head and a small body go in one packet. */
static bool send_some(run *r, client *c)
{
    for (;;) {
        size_t head = c->head_length - c->head_done;
        size_t body = c->body_left < BLOCK ? (size_t)c->body_left : BLOCK;
        if (head + body == 0)
            return true;
        struct iovec parts[2] = {{c->head + c->head_done, head}, {r->block, body}};
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
        ssize_t put = sendmsg(c->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return false;
        if (put < 0)
            die("send");
        size_t of_head = (size_t)put < head ? (size_t)put : head;
        c->head_done += of_head;
        c->body_left -= (int64_t)((size_t)put - of_head);
    }
}

static void next_request(run *r, client *c)
{
    if (r->started == r->s.requests)
        return;
    c->begun = now();
    make_request(r, c, r->started++);
    bool all = send_some(r, c);
    c->reading = all;
    if (all)
        c->head_length = 0;
    else
        watch(r, c, EPOLLOUT, false);
}

static void end_request(run *r, client *c)
{
    r->times[r->done++] = now() - c->begun;
    r->failed += c->status < 200 || c->status > 299;
    if (c->ends) {
        close(c->fd);
        open_connection(r, c);
    }
    next_request(r, c);
}

/* ---- answers ---- */

static const char *field(const client *c, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = strstr(c->head, "\r\n"); line && line[2] != '\r'; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, name, length) == 0 && line[2 + length] == ':')
            return line + 3 + length;
    return NULL;
}

/* The head is complete; `after` bytes of the body came with it. */
static void take_head(client *c, size_t after)
{
    const char *length = field(c, "Content-Length"), *connection = field(c, "Connection");
    if (sscanf(c->head, "HTTP/1.%*c %d", &c->status) != 1)
        die("an answer that is not HTTP");
    c->in_body = true;
    c->ends = strncmp(c->head, "HTTP/1.0", 8) == 0 ||
              (connection && strncasecmp(connection + strspn(connection, " "), "close", 5) == 0);
    c->body_left = (length ? strtoll(length, NULL, 10) : 0) - (int64_t)after;
}

static void receive(run *r, client *c)
{
    for (;;) {
        char *to = c->in_body ? r->block + BLOCK : c->head + c->head_length;
        size_t room = c->in_body ? BLOCK : HEAD_MAX - 1 - c->head_length;
        ssize_t got = recv(c->fd, to, room, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (got <= 0)
            die("the connection ended");
        if (c->in_body) {
            c->body_left -= got;
        } else {
            c->head_length += (size_t)got;
            c->head[c->head_length] = '\0';
            char *end = strstr(c->head, "\r\n\r\n");
            if (end)
                take_head(c, c->head_length - (size_t)(end + 4 - c->head));
        }
        if (c->in_body && c->body_left <= 0) {
            end_request(r, c);
            return;
        }
    }
}

static void on_event(run *r, client *c, uint32_t events)
{
    if (c->reading) {
        receive(r, c);
    } else if ((events & EPOLLOUT) && send_some(r, c)) {
        c->reading = true;
        c->head_length = 0;
        watch(r, c, EPOLLIN, false);
    } else if (events & (EPOLLERR | EPOLLHUP)) {
        die("the server closed a connection");
    }
}

/* ---- all of it ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(run *r)
{
    struct epoll_event events[64];
    for (int i = 0; i < r->s.clients; i++)
        open_connection(r, &r->clients[i]);
    double begun = now();
    for (int i = 0; i < r->s.clients; i++)
        next_request(r, &r->clients[i]);
    while (r->done < r->s.requests) {
        int count = epoll_wait(r->poll, events, 64, 60000);
        if (count == 0)
            errno = ETIMEDOUT;
        if (count <= 0 && errno != EINTR)
            die("waiting for answers");
        for (int i = 0; i < count; i++)
            on_event(r, events[i].data.ptr, events[i].events);
    }
    double seconds = now() - begun;
    qsort(r->times, (size_t)r->done, sizeof(*r->times), by_value);
    printf("{\"requests\": %lld, \"failed\": %lld, \"seconds\": %.6f, \"rate\": %.1f, \"median_ms\": %.3f, "
           "\"p99_ms\": %.3f}\n",
           (long long)r->done, (long long)r->failed, seconds, (double)r->done / seconds,
           r->times[r->done / 2] * 1e3, r->times[r->done * 99 / 100] * 1e3);
}

static int usage(void)
{
    fprintf(stderr,
            "usage: s3load --host ADDR:PORT [--bucket B] [--prefix P] [--op put|get|delete] [--size BYTES]\n"
            "              [--clients N] [--requests N] [--keys N] [--region R] [--query Q]\n"
            "Keys are PREFIX and a number; with --bucket \"\" they are buckets. Q is in canonical form.\n"
            " AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY sign.\n");
    return 2;
}

static bool read_options(int argc, char **argv, settings *s)
{
    static const struct option names[] = {
        {"host", 1, NULL, 'h'},  {"bucket", 1, NULL, 'b'},  {"op", 1, NULL, 'o'},
        {"size", 1, NULL, 's'},  {"clients", 1, NULL, 'c'}, {"requests", 1, NULL, 'n'},
        {"keys", 1, NULL, 'k'},  {"region", 1, NULL, 'r'},  {"prefix", 1, NULL, 'p'},
        {"query", 1, NULL, 'q'}, {NULL, 0, NULL, 0},
    };
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        const char **texts[128] = {['h'] = &s->host,   ['b'] = &s->bucket, ['o'] = &s->operation,
                                   ['r'] = &s->region, ['p'] = &s->prefix, ['q'] = &s->query};
        int64_t *numbers[128] = {['s'] = &s->size, ['n'] = &s->requests, ['k'] = &s->keys};
        if (c == '?')
            return false;
        if (c == 'c')
            s->clients = (int)strtol(optarg, NULL, 10);
        else if (texts[c])
            *texts[c] = optarg;
        else
            *numbers[c] = strtoll(optarg, NULL, 10);
    }
    return optind == argc && s->host && s->size >= 0 && s->requests > 0 && s->keys > 0 && s->clients > 0 &&
           s->clients <= CLIENTS_MAX;
}

static bool take_address(settings *s)
{
    char name[64];
    const char *colon = strchr(s->host, ':');
    if (!colon || (size_t)(colon - s->host) >= sizeof(name))
        return false;
    snprintf(name, sizeof(name), "%.*s", (int)(colon - s->host), s->host);
    s->address.sin_family = AF_INET;
    s->address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    return inet_pton(AF_INET, name, &s->address.sin_addr) == 1;
}

int main(int argc, char **argv)
{
    const char *key = getenv("AWS_ACCESS_KEY_ID"), *secret = getenv("AWS_SECRET_ACCESS_KEY");
    run r = {.s = {.bucket = "bench",
                   .operation = "put",
                   .prefix = "key-",
                   .query = "",
                   .size = 4096,
                   .requests = 1000,
                   .keys = 1 << 30,
                   .clients = 1,
                   .region = "us-east-1",
                   .key = key ? key : "none",
                   .secret = secret ? secret : "none"}};
    if (!read_options(argc, argv, &r.s) || !take_address(&r.s))
        return usage();
    r.clients = calloc((size_t)r.s.clients, sizeof(*r.clients));
    r.times = calloc((size_t)r.s.requests, sizeof(*r.times));
    r.block = malloc(2 * (size_t)BLOCK);
    r.poll = epoll_create1(EPOLL_CLOEXEC);
    if (!r.clients || !r.times || !r.block || r.poll < 0)
        die("start");
    for (size_t i = 0; i < 2 * (size_t)BLOCK; i++)
        r.block[i] = (char)((i * 2654435761u) >> 13);
    measure(&r);
    free(r.clients);
    free(r.times);
    free(r.block);
    return r.failed ? 1 : 0;
}
