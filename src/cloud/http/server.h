/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_HTTP_SERVER_H
#define SH_HTTP_SERVER_H
/* An HTTP/1.1 server on libmicrohttpd that knows no service.
 *
 * A request's life: begin() when the head is there; the body goes into the buffer or the sink that begin()
 * chose; finish() when the body is complete; end() in every case, also when the client went away (a request
 * whose head is malformed or too large is refused here and the handler never hears of it). An answer may be
 * given once, from begin(), the sink or finish(). Answered before its body is read, a request that said
 * "Expect: 100-continue" gets its answer at once; another has the rest of its body read and thrown away first
 * (up to SH_HTTP_DRAIN_MAX bytes, past which the connection is cut), because a client that is still writing
 * would see a broken pipe instead of the answer.
 *
 * Callbacks run on one of the server's threads and may block on files. Several requests run at once, one
 * request never on two threads at once. */
#include "base/arena.h"
#include "base/err.h"
#include "cloud/http/head.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SH_HTTP_DRAIN_MAX ((int64_t)64 << 20)
#define SH_HTTP_ARENA_MAX ((size_t)64 << 20)

typedef struct sh_http_server sh_http_server;
typedef struct sh_http_request sh_http_request;

typedef struct sh_http_handler {
    void *opaque;
    void (*begin)(void *opaque, sh_http_request *request);
    void (*finish)(void *opaque, sh_http_request *request); /* not called once answered */
    void (*end)(void *opaque, sh_http_request *request);    /* frees what sh_http_user holds */
    /* Answers a request that is refused for its head, of which the other callbacks never hear. NULL: it is
     * answered in plain text. */
    void (*refuse)(void *opaque, sh_http_request *request, int status, const char *message);
} sh_http_handler;

typedef struct sh_http_options {
    const char *address; /* listen.h; NULL: no socket of its own, only what sh_http_adopt brings */
    bool tls;            /* with the certificate of tls.h */
    unsigned threads;    /* 0: 32 */
    /* Called once for each request whose head came, after end() and whatever became of it. */
    void (*observe)(void *opaque, const sh_http_request *request);
    void *observer;
} sh_http_options;

int sh_http_open(sh_http_server **out, const sh_http_options *options, const sh_http_handler *handler,
                 sh_err *err);
int sh_http_start(sh_http_server **out, const char *address, const sh_http_handler *handler, sh_err *err);
/* "http://127.0.0.1:9000", with the real port and, for "every address", 127.0.0.1. */
const char *sh_http_endpoint(const sh_http_server *server);
/* Serves a connection that was accepted elsewhere: fd is the server's from here on, whatever becomes of it,
 * and does not block. tag: not 0, what sh_http_request_tag says of its requests, for a server without a
 * socket of its own; 0: a client whose address is
 * 192.0.0.8, the one that stands for none: who is in a sandbox is not on this machine. */
void sh_http_adopt(sh_http_server *server, int fd, uint64_t tag);
/* Takes no new connections, lets running requests end for at most wait_ms, and stops. */
void sh_http_stop(sh_http_server *server, int64_t wait_ms); /* NULL is fine */

/* ---- what a callback sees and does ---- */

const sh_http_head *sh_http_request_head(const sh_http_request *request);
sh_arena *sh_http_request_arena(sh_http_request *request); /* freed after end() */
const char *sh_http_request_id(const sh_http_request *request);
const char *sh_http_request_client(const sh_http_request *request); /* numeric address */
uint64_t sh_http_request_tag(const sh_http_request *request);       /* 0: none */
/* In finish(): a field that came after the body, or NULL. Borrowed. */
const char *sh_http_trailer(const sh_http_request *request, const char *name);
void **sh_http_user(sh_http_request *request);                  /* a place for the handler's own state */
int64_t sh_http_content_length(const sh_http_request *request); /* -1: not announced */
bool sh_http_answered(const sh_http_request *request);
bool sh_http_handled(const sh_http_request *request); /* its handler has heard of it */
bool sh_http_secure(const sh_http_request *request);  /* it came over TLS */

/* What a request was, for who watches the server. */
typedef struct sh_http_record {
    const char *service, *operation; /* "s3", "PutObject"; NULL until sh_http_note */
    const char *resource;            /* a bucket; NULL: none */
    int status;                      /* 0: the connection was cut without an answer */
    bool complete;                   /* the answer was sent whole */
    int64_t received, answered;      /* bytes of the body, and of the answer's as announced */
    int64_t started_us;              /* sh_monotonic_us */
} sh_http_record;

/* Says what the request is. service and operation are static strings, resource lives as long as the request.
 */
void sh_http_note(sh_http_request *request, const char *service, const char *operation, const char *resource);
const sh_http_record *sh_http_request_record(const sh_http_request *request);

/* In begin(): keep the body in memory, at most `maximum` bytes; a longer one sets *overflow of
 * sh_http_body. Without this or a sink, a body is thrown away. */
void sh_http_keep_body(sh_http_request *request, size_t maximum);
/* In finish(): the kept bytes, NUL-terminated, borrowed. `overflow`: it was longer than the maximum. */
const char *sh_http_body(const sh_http_request *request, size_t *length, bool *overflow);
/* In begin(): give the body to fn piece by piece. Once fn has answered, the rest is drained. */
typedef void (*sh_http_sink_fn)(void *opaque, sh_http_request *request, const void *bytes, size_t length);
void sh_http_sink_body(sh_http_request *request, sh_http_sink_fn fn, void *opaque);

/* In finish(), instead of an answer: the request is put aside and no thread waits for it; finish() is called
 * again after sh_http_release (from any thread, at any moment until end()), and when the server stops. That
 * the client went away shows only then. False: the server stops, answer now. */
bool sh_http_hold(sh_http_request *request);
void sh_http_release(sh_http_request *request); /* does nothing when it is not held */
/* In a finish() that came again: whether the client has closed its side meanwhile, so that no answer would
 * reach it. */
bool sh_http_gone(const sh_http_request *request);

/* A field of the answer, before sh_http_answer*; strings are copied. Control characters become spaces. */
void sh_http_add_field(sh_http_request *request, const char *name, const char *value);
/* The bytes are copied. */
void sh_http_answer(sh_http_request *request, int status, const void *bytes, size_t length);
/* The bytes are in the request's arena, or outlive the request in another way. */
void sh_http_answer_kept(sh_http_request *request, int status, const void *bytes, size_t length);
/* Bytes offset..offset+length of fd, which is closed in every case. */
void sh_http_answer_file(sh_http_request *request, int status, int fd, int64_t offset, int64_t length);
/* For HEAD: the length is announced, no bytes follow. */
void sh_http_answer_head(sh_http_request *request, int status, int64_t length);

#endif
