/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The server over real sockets on 127.0.0.1, by bytes written by hand: what a handler sees, what a client
 * gets. */
#include "cloud/http/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static sh_http_server *server;
static atomic_int begun, ended;
static atomic_long sunk;

static void on_sink(void *opaque, sh_http_request *request, const void *bytes, size_t length)
{
    (void)bytes;
    sunk += (long)length;
    if (opaque && sunk >= 5)
        sh_http_answer(request, 409, "enough", 6);
}

/* The path says what the handler does. */
static void on_begin(void *opaque, sh_http_request *request)
{
    const char *path = sh_http_request_head(request)->path;
    (void)opaque;
    begun++;
    if (strcmp(path, "/early") == 0)
        sh_http_answer(request, 403, "no", 2);
    else if (strcmp(path, "/sink") == 0)
        sh_http_sink_body(request, on_sink, NULL);
    else if (strcmp(path, "/sink-stops") == 0)
        sh_http_sink_body(request, on_sink, request);
    else
        sh_http_keep_body(request, 1000);
}

static void answer_file(sh_http_request *request)
{
    int fd = memfd_create("answer", MFD_CLOEXEC);
    assert_int_equal(write(fd, "0123456789", 10), 10);
    if (strcmp(sh_http_request_head(request)->method, "HEAD") == 0) {
        close(fd);
        sh_http_answer_head(request, 200, 10);
    } else {
        sh_http_answer_file(request, 206, fd, 3, 4);
    }
}

static void on_finish(void *opaque, sh_http_request *request)
{
    const sh_http_head *head = sh_http_request_head(request);
    size_t length;
    bool overflow;
    (void)opaque;
    const char *body = sh_http_body(request, &length, &overflow);
    if (strcmp(head->path, "/file") == 0) {
        answer_file(request);
    } else if (strcmp(head->path, "/echo") == 0) {
        for (size_t i = 0; i < head->field_count; i++)
            if (strncmp(head->fields[i].name, "x-amz-meta-", 11) == 0)
                sh_http_add_field(request, head->fields[i].name, head->fields[i].value);
        sh_http_add_field(request, "x-amz-request-id", sh_http_request_id(request));
        sh_http_answer(request, 200, "echo", 4);
    } else if (strcmp(head->path, "/silent") != 0) {
        char *text = sh_arena_printf(sh_http_request_arena(request), "%s|%s|%s|%zu%s|%lld", head->path,
                                     head->query, body, length, overflow ? " overflow" : "",
                                     (long long)sh_http_content_length(request));
        sh_http_add_field(request, "X-Field", "one\ntwo");
        sh_http_answer(request, 200, text, strlen(text));
    }
}

static void on_end(void *opaque, sh_http_request *request)
{
    (void)opaque, (void)request;
    ended++;
}

static int set_up(void **state)
{
    sh_http_handler handler = {.begin = on_begin, .finish = on_finish, .end = on_end};
    (void)state;
    return sh_http_start(&server, "127.0.0.1:0", &handler, NULL);
}

static int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = 30};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    to.sin_port = htons((uint16_t)strtol(strrchr(sh_http_endpoint(server), ':') + 1, NULL, 10));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static void put(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        assert_true(sent > 0);
        bytes += sent;
        length -= (size_t)sent;
    }
}

/* Everything until the server closes. */
static const char *take(int fd)
{
    static char text[100000];
    size_t used = 0;
    for (;;) {
        ssize_t got = recv(fd, text + used, sizeof(text) - 1 - used, 0);
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    text[used] = '\0';
    close(fd);
    return text;
}

static const char *exchange(const char *request)
{
    int fd = dial();
    put(fd, request, strlen(request));
    return take(fd);
}

#define END "Host: h\r\nConnection: close\r\n"

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no \"%s\" in \"%s\"", part, text ? text : "");
}

static void target_arrives_raw(void **state)
{
    (void)state;
    const char *answer = exchange("GET /b/a%2Fb%00//../c+d?x=%41+%00y HTTP/1.1\r\n" END "\r\n");
    assert_has(answer, "HTTP/1.1 400"); /* a NUL in a query value */
    answer = exchange("GET /b/a%2Fb%00//../c+d?x=%41+y HTTP/1.1\r\n" END "\r\n");
    assert_has(answer, "HTTP/1.1 200");
    assert_has(answer, "/b/a%2Fb%00//../c+d|x=%41+y||0|-1");
    assert_has(answer, "X-Field: one two\r\n");
    assert_has(exchange("GET noslash HTTP/1.1\r\n" END "\r\n"), "HTTP/1.1 400");
}

static void bodies_are_kept_within_bounds(void **state)
{
    char request[3000], body[1201];
    (void)state;
    assert_has(exchange("POST /x HTTP/1.1\r\n" END "Content-Length: 5\r\n\r\nhello"), "|hello|5|5");
    assert_has(exchange("POST /x HTTP/1.1\r\n" END
                        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
               "|abcde|5|-1");
    memset(body, 'b', 1200);
    body[1200] = '\0';
    snprintf(request, sizeof(request), "POST /x HTTP/1.1\r\n" END "Content-Length: 1200\r\n\r\n%s", body);
    assert_has(exchange(request), " overflow|1200");
    snprintf(request, sizeof(request),
             "POST /x HTTP/1.1\r\n" END "Transfer-Encoding: chunked\r\n\r\n4b0\r\n%s\r\n0\r\n\r\n", body);
    assert_has(exchange(request), " overflow|-1");
    assert_has(exchange("POST /x HTTP/1.1\r\n" END "Content-Length: x\r\n\r\n"), "HTTP/1.1 400");
}

static void files_and_heads(void **state)
{
    (void)state;
    const char *answer = exchange("GET /file HTTP/1.1\r\n" END "\r\n");
    assert_has(answer, "HTTP/1.1 206");
    assert_has(answer, "Content-Length: 4\r\n");
    assert_has(answer, "\r\n\r\n3456");
    answer = exchange("HEAD /file HTTP/1.1\r\n" END "\r\n");
    assert_has(answer, "Content-Length: 10\r\n");
    assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
    assert_has(exchange("GET /silent HTTP/1.1\r\n" END "\r\n"), "HTTP/1.1 500");
}

/* The answer to a refused upload reaches a client that sends its body regardless. */
static void early_answers(void **state)
{
    static char block[1 << 20];
    (void)state;
    int fd = dial();
    static const char head[] = "PUT /early HTTP/1.1\r\n" END "Content-Length: 8388608\r\n\r\n";
    put(fd, head, strlen(head));
    for (int i = 0; i < 8; i++)
        put(fd, block, sizeof(block));
    assert_has(take(fd), "HTTP/1.1 403");
    /* One that waits gets it without having sent anything. */
    assert_has(exchange("PUT /early HTTP/1.1\r\n" END "Expect: 100-continue\r\nContent-Length: 100\r\n\r\n"),
               "HTTP/1.1 403");
    fd = dial();
    static const char polite[] =
        "POST /x HTTP/1.1\r\n" END "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    char answer[26] = "";
    put(fd, polite, strlen(polite));
    assert_int_equal(recv(fd, answer, 25, MSG_WAITALL), 25);
    assert_string_equal(answer, "HTTP/1.1 100 Continue\r\n\r\n");
    put(fd, "ok", 2);
    assert_has(take(fd), "|ok|2|2");
}

static void sinks(void **state)
{
    (void)state;
    sunk = 0;
    assert_has(exchange("PUT /sink HTTP/1.1\r\n" END "Content-Length: 10\r\n\r\n0123456789"), "HTTP/1.1 200");
    assert_int_equal(sunk, 10);
    sunk = 0;
    assert_has(exchange("PUT /sink-stops HTTP/1.1\r\n" END "Content-Length: 10\r\n\r\n0123456789"),
               "HTTP/1.1 409");
}

static void limits(void **state)
{
    static char request[200000];
    (void)state;
    memset(request, 'a', sizeof(request) - 1);
    memcpy(request, "GET /", 5);
    snprintf(request + 20000, 100, " HTTP/1.1\r\n" END "\r\n");
    assert_has(exchange(request), "HTTP/1.1 414");
    size_t used = (size_t)snprintf(request, sizeof(request), "GET / HTTP/1.1\r\n" END);
    for (int i = 0; i < 400; i++)
        used += (size_t)snprintf(request + used, sizeof(request) - used, "X-%d: 1\r\n", i);
    snprintf(request + used, sizeof(request) - used, "\r\n");
    assert_has(exchange(request), "HTTP/1.1 431");
    exchange("nonsense\r\n\r\n"); /* whatever is answered, the server lives */
    assert_has(exchange("GET / HTTP/1.1\r\n" END "\r\n"), "HTTP/1.1 200");
}

/* As many fields as a request can have go into an answer, and its own after them. */
static void many_fields(void **state)
{
    static char request[20000];
    char field[40];
    enum { FIELDS = SH_HTTP_FIELDS_MAX - 2 };
    (void)state;
    size_t used = (size_t)snprintf(request, sizeof(request), "GET /echo HTTP/1.1\r\n" END);
    for (int i = 0; i < FIELDS; i++)
        used += (size_t)snprintf(request + used, sizeof(request) - used, "x-amz-meta-%d: v%d\r\n", i, i);
    snprintf(request + used, sizeof(request) - used, "\r\n");
    const char *answer = exchange(request);
    assert_has(answer, "HTTP/1.1 200");
    assert_has(answer, "x-amz-request-id: ");
    for (int i = 0; i < FIELDS; i++) {
        snprintf(field, sizeof(field), "\r\nx-amz-meta-%d: v%d\r\n", i, i);
        assert_has(answer, field);
    }
}

static char wrong[] = "wrong";

static void *one_client(void *opaque)
{
    (void)opaque;
    for (int i = 0; i < 20; i++) {
        char answer[1000] = "";
        int fd = dial();
        static const char request[] = "POST /many HTTP/1.1\r\n" END "Content-Length: 4\r\n\r\nbody";
        put(fd, request, strlen(request));
        if (recv(fd, answer, sizeof(answer) - 1, MSG_WAITALL) <= 0 || !strstr(answer, "/many||body|4|4"))
            return wrong;
        close(fd);
    }
    return NULL;
}

static void many_clients(void **state)
{
    pthread_t threads[16];
    (void)state;
    for (int i = 0; i < 16; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, one_client, NULL), 0);
    for (int i = 0; i < 16; i++) {
        void *answer;
        pthread_join(threads[i], &answer);
        assert_null(answer);
    }
}

static void bad_addresses(void **state)
{
    static const char *const bad[] = {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", ":-1"};
    sh_http_handler handler = {.begin = on_begin, .finish = on_finish, .end = on_end};
    sh_http_server *other = NULL;
    sh_err err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(sh_http_start(&other, bad[i], &handler, &err), SH_E_ARGUMENT);
    assert_int_equal(sh_http_start(&other, sh_http_endpoint(server) + 7, &handler, &err),
                     SH_E_IO); /* taken */
    assert_null(other);
}

/* Last: every request that began has ended once the server has stopped. */
static void stops(void **state)
{
    (void)state;
    int idle = dial(); /* a connection that never asks does not hold the stop up */
    sh_http_stop(server, 1000);
    sh_http_stop(NULL, 0);
    close(idle);
    assert_int_equal(begun, ended);
    assert_true(begun > 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(target_arrives_raw),
        cmocka_unit_test(bodies_are_kept_within_bounds),
        cmocka_unit_test(files_and_heads),
        cmocka_unit_test(early_answers),
        cmocka_unit_test(sinks),
        cmocka_unit_test(limits),
        cmocka_unit_test(many_fields),
        cmocka_unit_test(many_clients),
        cmocka_unit_test(bad_addresses),
        cmocka_unit_test(stops),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
