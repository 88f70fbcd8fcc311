/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libmicrohttpd runs a pool of threads, each with its own epoll set; a connection stays with its thread. The
 * raw target is taken in the URI callback, before libmicrohttpd cuts it up, and libmicrohttpd's own
 * unescaping is switched off: what it makes of "%2F" and "%00" must not reach a key. */
#include "cloud/http/server.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/size.h"
#include "cloud/http/door.h"
#include "cloud/http/listen.h"
#include "cloud/http/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    THREADS = 32,
    CONNECTIONS_MAX = 12800,
    CONNECTION_MEMORY = 64 * 1024, /* request head and read buffer */
    KEPT_MAX = 1024, /* with more connections, none outlives its answer: one that asked holds its memory */
    IDLE_SECONDS = 120,
    ANSWER_FIELDS_MAX = SH_HTTP_FIELDS_MAX + 64, /* all that a request can have brought, and our own */
};

struct sh_http_server {
    struct MHD_Daemon *daemon;
    sh_door door;
    sh_http_handler handler;
    void (*observe)(void *opaque, const sh_http_request *request);
    void *observer;
    bool secure;  /* TLS */
    bool listens; /* has a door */
    char endpoint[128];
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    int running;           /* requests between begin and end */
    sh_http_request *held; /* a list */
    atomic_int connections;
    bool stopping; /* none is held any more */
};

struct sh_http_request {
    sh_http_server *server;
    struct MHD_Connection *connection;
    sh_arena *arena;
    char *target;
    sh_http_head head;
    char id[37];
    char client[INET6_ADDRSTRLEN];
    uint64_t tag;
    void *user;
    int64_t content_length;
    bool begun;
    bool handled; /* the handler's begin() was called */
    bool expects; /* Expect: 100-continue */
    bool cut;     /* where its body ends cannot be told */
    bool too_large;
    bool keep;
    bool overflow;
    sh_buf body;
    sh_http_sink_fn sink;
    void *sink_opaque;
    int64_t drained;
    sh_http_field fields[ANSWER_FIELDS_MAX]; /* of the answer */
    size_t field_count;
    struct MHD_Response *response;
    sh_http_record record;
    bool held;
    bool asked; /* sh_http_hold was called by this finish(); touched by the server's thread only */
    sh_http_request *held_next, **held_link;
};

/* ---- what handlers see ---- */

const sh_http_head *sh_http_request_head(const sh_http_request *request)
{
    return &request->head;
}

sh_arena *sh_http_request_arena(sh_http_request *request)
{
    return request->arena;
}

const char *sh_http_request_id(const sh_http_request *request)
{
    return request->id;
}

const char *sh_http_request_client(const sh_http_request *request)
{
    return request->client;
}

uint64_t sh_http_request_tag(const sh_http_request *request)
{
    return request->tag;
}

const char *sh_http_trailer(const sh_http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_FOOTER_KIND, name);
}

void **sh_http_user(sh_http_request *request)
{
    return &request->user;
}

int64_t sh_http_content_length(const sh_http_request *request)
{
    return request->content_length;
}

bool sh_http_handled(const sh_http_request *request)
{
    return request->handled;
}

bool sh_http_secure(const sh_http_request *request)
{
    return request->server->secure;
}

void sh_http_note(sh_http_request *request, const char *service, const char *operation, const char *resource)
{
    request->record.service = service;
    request->record.operation = operation;
    request->record.resource = resource;
}

const sh_http_record *sh_http_request_record(const sh_http_request *request)
{
    return &request->record;
}

bool sh_http_answered(const sh_http_request *request)
{
    return request->response != NULL;
}

void sh_http_keep_body(sh_http_request *request, size_t maximum)
{
    request->keep = true;
    request->body.maximum = maximum;
    if (request->content_length > (int64_t)maximum)
        request->overflow = true;
}

const char *sh_http_body(const sh_http_request *request, size_t *length, bool *overflow)
{
    *length = request->body.length;
    *overflow = request->overflow;
    return sh_buf_cstr(&request->body);
}

void sh_http_sink_body(sh_http_request *request, sh_http_sink_fn fn, void *opaque)
{
    request->sink = fn;
    request->sink_opaque = opaque;
}

/* ---- requests put aside ---- */

/* The list of those held is what a stop has to let go; its lock makes hold and release see each other. */
bool sh_http_hold(sh_http_request *request)
{
    sh_http_server *server = request->server;
    pthread_mutex_lock(&server->mutex);
    bool held = !server->stopping;
    request->asked = held;
    if (held) {
        MHD_suspend_connection(request->connection);
        request->held = true;
        request->held_next = server->held;
        request->held_link = &server->held;
        if (server->held)
            server->held->held_link = &request->held_next;
        server->held = request;
    }
    pthread_mutex_unlock(&server->mutex);
    return held;
}

static void let_go(sh_http_request *request)
{
    *request->held_link = request->held_next;
    if (request->held_next)
        request->held_next->held_link = request->held_link;
    request->held = false;
    MHD_resume_connection(request->connection);
}

void sh_http_release(sh_http_request *request)
{
    sh_http_server *server = request->server;
    pthread_mutex_lock(&server->mutex);
    if (request->held)
        let_go(request);
    pthread_mutex_unlock(&server->mutex);
}

/* Over TLS, unread bytes (the farewell) may lie before the end. */
bool sh_http_gone(const sh_http_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct pollfd look = {.fd = info ? info->connect_fd : -1, .events = POLLRDHUP};
    return poll(&look, 1, 0) == 1 && look.revents;
}

static void let_all_go(sh_http_server *server)
{
    server->stopping = true;
    while (server->held)
        let_go(server->held);
}

/* ---- answers ---- */

void sh_http_add_field(sh_http_request *request, const char *name, const char *value)
{
    char *copy = sh_arena_strdup(request->arena, value);
    const char *kept = sh_arena_strdup(request->arena, name);
    if (!copy || !kept || request->field_count == ANSWER_FIELDS_MAX) {
        sh_log(SH_LOG_ERROR, "http", "no room for the response field %s", name);
        return;
    }
    for (char *c = copy; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = ' ';
    request->fields[request->field_count++] = (sh_http_field){kept, copy};
}

static void set_response(sh_http_request *request, int status, struct MHD_Response *response)
{
    if (!response) {
        sh_log(SH_LOG_ERROR, "http", "no memory for a response");
        return;
    }
    request->record.status = status;
    request->response = response;
    if (atomic_load(&request->server->connections) > KEPT_MAX && !request->cut)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    for (size_t i = 0; i < request->field_count; i++)
        if (request->fields[i].value[0] &&
            MHD_add_response_header(response, request->fields[i].name, request->fields[i].value) != MHD_YES)
            sh_log(SH_LOG_ERROR, "http", "the response field %s could not be set", request->fields[i].name);
}

static void answer_bytes(sh_http_request *request, int status, const void *bytes, size_t length,
                         enum MHD_ResponseMemoryMode mode)
{
    if (request->response)
        return;
    request->record.answered = (int64_t)length;
    set_response(request, status, MHD_create_response_from_buffer(length, (void *)(uintptr_t)bytes, mode));
}

void sh_http_answer(sh_http_request *request, int status, const void *bytes, size_t length)
{
    answer_bytes(request, status, bytes, length, MHD_RESPMEM_MUST_COPY);
}

void sh_http_answer_kept(sh_http_request *request, int status, const void *bytes, size_t length)
{
    answer_bytes(request, status, bytes, length, MHD_RESPMEM_PERSISTENT);
}

void sh_http_answer_file(sh_http_request *request, int status, int fd, int64_t offset, int64_t length)
{
    if (request->response || length == 0) {
        close(fd);
        sh_http_answer(request, status, "", 0);
        return;
    }
    struct MHD_Response *response =
        MHD_create_response_from_fd_at_offset64((uint64_t)length, fd, (uint64_t)offset);
    if (!response)
        close(fd);
    request->record.answered = length;
    set_response(request, status, response);
}

static ssize_t no_bytes(void *opaque, uint64_t position, char *out, size_t length)
{
    (void)opaque, (void)position, (void)out, (void)length;
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

void sh_http_answer_head(sh_http_request *request, int status, int64_t length)
{
    if (request->response)
        return;
    if (length == 0) {
        sh_http_answer(request, status, "", 0);
        return;
    }
    set_response(request, status,
                 MHD_create_response_from_callback((uint64_t)length, 4096, no_bytes, NULL, NULL));
}

/* ---- a request's life ---- */

static void make_id(char id[37])
{
    unsigned char b[16];
    if (getrandom(b, sizeof(b), 0) != sizeof(b))
        memset(b, 0, sizeof(b)); /* an id names a request, it protects nothing */
    b[6] = (unsigned char)((b[6] & 0x0F) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3F) | 0x80);
    snprintf(id, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2],
             b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

static void request_free(sh_http_request *request)
{
    if (!request)
        return;
    if (request->response)
        MHD_destroy_response(request->response);
    sh_buf_free(&request->body);
    sh_arena_free(request->arena);
    free(request->target);
    free(request);
}

static void *on_target(void *opaque, const char *target, struct MHD_Connection *connection)
{
    sh_http_request *request = calloc(1, sizeof(*request));
    if (!request)
        return NULL;
    request->server = opaque;
    request->connection = connection;
    request->arena = sh_arena_new(SH_HTTP_ARENA_MAX);
    request->target = strdup(target);
    if (!request->arena || !request->target) {
        request_free(request);
        return NULL;
    }
    return request;
}

static enum MHD_Result take_field(void *opaque, enum MHD_ValueKind kind, const char *name, const char *value)
{
    sh_http_request *request = opaque;
    sh_http_head *head = &request->head;
    (void)kind;
    if (head->field_count == SH_HTTP_FIELDS_MAX) {
        request->too_large = true;
        return MHD_NO;
    }
    sh_http_field field = {sh_arena_strdup(request->arena, name),
                           sh_arena_strdup(request->arena, value ? value : "")};
    if (!field.name || !field.value)
        return MHD_NO;
    head->fields[head->field_count++] = field;
    return MHD_YES;
}

static void take_client(sh_http_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info && info->client_addr->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)info->client_addr)->sin_addr, request->client,
                  sizeof(request->client));
    else if (info && info->client_addr->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)info->client_addr)->sin6_addr, request->client,
                  sizeof(request->client));
    if (info && !request->server->listens && info->client_addr->sa_family == AF_INET6)
        memcpy(&request->tag, ((const struct sockaddr_in6 *)info->client_addr)->sin6_addr.s6_addr + 8,
               sizeof(request->tag));
}

static void refuse(sh_http_request *request, int status, const char *message)
{
    char text[512];
    const sh_http_handler *handler = &request->server->handler;
    if (handler->refuse)
        handler->refuse(handler->opaque, request, status, message);
    if (request->response)
        return;
    int length = snprintf(text, sizeof(text), "%.400s\n", message);
    sh_http_add_field(request, "Content-Type", "text/plain");
    sh_http_add_field(request, "x-amz-request-id", request->id);
    sh_http_answer(request, status, text, (size_t)length);
}

/* How long the body is, is in doubt: the answer goes at once, and the connection ends with it. */
static bool framed(sh_http_request *request, const char *version)
{
    int status = 400;
    const char *fault = sh_http_head_fault(&request->head, version, &status);
    if (!fault || request->too_large) /* fields that were left out may be the ones missed */
        return true;
    request->cut = true;
    sh_http_add_field(request, "Connection", "close");
    refuse(request, status, fault);
    return false;
}

static void begin(sh_http_request *request, const char *method, const char *version)
{
    sh_err err = {0};
    sh_http_head *head = &request->head;
    request->begun = true;
    request->record.started_us = sh_monotonic_us();
    pthread_mutex_lock(&request->server->mutex);
    request->server->running++;
    pthread_mutex_unlock(&request->server->mutex);
    make_id(request->id);
    take_client(request);
    head->fields = sh_arena_alloc(request->arena, SH_HTTP_FIELDS_MAX * sizeof(*head->fields));
    head->method = sh_arena_strdup(request->arena, method);
    head->path = head->query = "";
    if (!head->fields || !head->method)
        return;
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, take_field, request);
    if (!framed(request, version))
        return;
    const char *length = sh_http_field_get(head, "content-length");
    const char *expect = sh_http_field_get(head, "expect");
    request->content_length = -1;
    if (length && !sh_parse_i64(length, strlen(length), 0, INT64_MAX, &request->content_length)) {
        refuse(request, 400, "Content-Length is not a number");
        return;
    }
    request->expects = expect && strcasecmp(expect, "100-continue") == 0;
    int status = sh_http_head_target(head, request->arena, request->target, &err);
    if (request->too_large)
        refuse(request, 431, "too many header fields");
    else if (status < 0)
        refuse(request, status == SH_E_LIMIT ? 414 : 400, err.message);
    else {
        request->handled = true;
        request->server->handler.begin(request->server->handler.opaque, request);
    }
}

static void take_body(sh_http_request *request, const void *bytes, size_t length)
{
    request->record.received += (int64_t)length;
    if (request->response) {
        request->drained += (int64_t)length;
    } else if (request->sink) {
        request->sink(request->sink_opaque, request, bytes, length);
    } else if (request->keep && !request->overflow) {
        request->overflow = sh_buf_append(&request->body, bytes, length) < 0;
    } else {
        request->drained += (int64_t)length;
    }
}

static enum MHD_Result queue(sh_http_request *request)
{
    if (!request->response) /* no memory for an answer: the connection is cut, which is no success */
        return MHD_NO;
    enum MHD_Result result =
        MHD_queue_response(request->connection, (unsigned)request->record.status, request->response);
    return result;
}

static enum MHD_Result on_request(void *opaque, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *bytes, size_t *length,
                                  void **slot)
{
    sh_http_request *request = *slot;
    sh_http_server *server = opaque;
    (void)connection, (void)url;
    if (!request)
        return MHD_NO;
    if (!request->begun) {
        begin(request, method, version);
        return request->response && (request->expects || request->cut) ? queue(request) : MHD_YES;
    }
    if (*length > 0) {
        take_body(request, bytes, *length);
        *length = 0;
        return request->drained > SH_HTTP_DRAIN_MAX ? MHD_NO : MHD_YES;
    }
    if (!request->response && request->handled) {
        request->asked = false;
        server->handler.finish(server->handler.opaque, request);
    }
    if (!request->response && request->asked)
        return MHD_YES; /* it is held, or was for a moment: finish() comes again */
    if (!request->response)
        refuse(request, 500, "the request was not answered");
    return queue(request);
}

static void on_completed(void *opaque, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode how)
{
    sh_http_request *request = *slot;
    sh_http_server *server = opaque;
    (void)connection;
    *slot = NULL;
    if (!request)
        return;
    bool begun = request->begun;
    request->record.complete = how == MHD_REQUEST_TERMINATED_COMPLETED_OK;
    if (request->handled)
        server->handler.end(server->handler.opaque, request);
    if (begun && server->observe)
        server->observe(server->observer, request);
    request_free(request);
    if (!begun)
        return;
    pthread_mutex_lock(&server->mutex);
    server->running--;
    pthread_cond_broadcast(&server->ended);
    pthread_mutex_unlock(&server->mutex);
}

static void on_connection(void *opaque, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode what)
{
    sh_http_server *server = opaque;
    (void)connection, (void)slot;
    atomic_fetch_add(&server->connections, what == MHD_CONNECTION_NOTIFY_STARTED ? 1 : -1);
}

static size_t leave_escapes(void *opaque, struct MHD_Connection *connection, char *text)
{
    (void)opaque, (void)connection;
    return strlen(text);
}

static void on_log(void *opaque, const char *format, va_list args)
{
    char text[512];
    (void)opaque;
    vsnprintf(text, sizeof(text), format, args);
    text[strcspn(text, "\n")] = '\0';
    sh_log(SH_LOG_DEBUG, "http", "%s", text);
}

/* ---- the server ---- */

static void server_free(sh_http_server *server)
{
    pthread_cond_destroy(&server->ended);
    pthread_mutex_destroy(&server->mutex);
    free(server);
}

/* libmicrohttpd gives it to one of its threads by the number of the descriptor, and closes it if it cannot.
 */
static void take_connection(void *opaque, int fd, const struct sockaddr *address, socklen_t length)
{
    sh_http_server *server = opaque;
    if (MHD_add_connection(server->daemon, fd, address, length) != MHD_YES)
        sh_log(SH_LOG_WARNING, "http", "a connection was refused: %s", strerror(errno));
}

/* A tag travels as the second half of the client's address. */
void sh_http_adopt(sh_http_server *server, int fd, uint64_t tag)
{
    struct sockaddr_in nowhere = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xC0000008)};
    struct sockaddr_in6 tagged = {.sin6_family = AF_INET6};
    memcpy(tagged.sin6_addr.s6_addr + 8, &tag, sizeof(tag));
    if (tag)
        take_connection(server, fd, (struct sockaddr *)&tagged, sizeof(tagged));
    else
        take_connection(server, fd, (struct sockaddr *)&nowhere, sizeof(nowhere));
}

/* The options of libmicrohttpd; those of TLS only where there is TLS. */
static struct MHD_Daemon *start_daemon(sh_http_server *server, const sh_http_options *options)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_USE_ERROR_LOG |
                     MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)sh_tls_pair_for},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)SH_TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL},
    };
    return MHD_start_daemon(
        options->tls ? flags | MHD_USE_TLS : flags, 0, NULL, NULL, on_request, server,
        MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_THREAD_POOL_SIZE,
        options->threads ? options->threads : (unsigned)THREADS, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS, MHD_OPTION_URI_LOG_CALLBACK, on_target, server,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
        server, MHD_OPTION_UNESCAPE_CALLBACK, leave_escapes, NULL, MHD_OPTION_ARRAY,
        options->tls ? tls : tls + 2, MHD_OPTION_END);
}

/* The socket it listens on, if any. */
static int open_door(sh_http_server *server, const sh_http_options *options, sh_err *err)
{
    if (!options->address)
        return 0;
    server->listens = true;
    int fd = sh_listen_open(options->address, err);
    if (fd < 0)
        return fd;
    sh_listen_name(fd, options->tls ? "https" : "http", server->endpoint, sizeof(server->endpoint));
    int status = sh_door_open(&server->door, fd, take_connection, server, err);
    if (status < 0)
        close(fd);
    return status;
}

int sh_http_open(sh_http_server **out, const sh_http_options *options, const sh_http_handler *handler,
                 sh_err *err)
{
    pthread_condattr_t attributes;
    sh_http_server *server = calloc(1, sizeof(*server));
    if (!server)
        return sh_fail(err, SH_E_MEMORY, "no memory for the server");
    pthread_mutex_init(&server->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&server->ended, &attributes);
    pthread_condattr_destroy(&attributes);
    server->handler = *handler;
    server->observe = options->observe;
    server->observer = options->observer;
    server->secure = options->tls;
    server->daemon = start_daemon(server, options);
    int status = server->daemon ? open_door(server, options, err)
                                : sh_fail(err, SH_E_IO, "the HTTP server could not start its threads");
    if (status < 0) {
        if (server->daemon)
            MHD_stop_daemon(server->daemon);
        server_free(server);
        return status;
    }
    *out = server;
    return 0;
}

int sh_http_start(sh_http_server **out, const char *address, const sh_http_handler *handler, sh_err *err)
{
    return sh_http_open(out, &(sh_http_options){.address = address}, handler, err);
}

const char *sh_http_endpoint(const sh_http_server *server)
{
    return server->endpoint;
}

void sh_http_stop(sh_http_server *server, int64_t wait_ms)
{
    struct timespec until;
    if (!server)
        return;
    if (server->listens)
        sh_door_close(&server->door);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&server->mutex);
    let_all_go(server);
    while (server->running > 0 && pthread_cond_timedwait(&server->ended, &server->mutex, &until) != ETIMEDOUT)
        ;
    pthread_mutex_unlock(&server->mutex);
    MHD_stop_daemon(server->daemon);
    server_free(server);
}
