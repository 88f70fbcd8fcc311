/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_JOBS_RELAY_LINK_H
#define SH_JOBS_RELAY_LINK_H
/* One end of a relayed connection: a socket that does not block, plain or with TLS. */
#include "base/err.h"
#include <openssl/ssl.h>
#include <stdbool.h>
#include <sys/types.h>

enum { SH_LINK_LATER = -1, SH_LINK_BROKEN = -2 };

typedef struct sh_link {
    int fd; /* -1: none */
    SSL *tls;
    bool read_writes, write_reads; /* TLS wants the other direction first */
} sh_link;

/* Takes the connected socket, on failure too. host: with TLS, and its name where there is no pin; NULL:
 * plain. SH_E_DENIED: the server holds another key. */
int sh_link_open(sh_link *out, int fd, const char *host, const char *pin, sh_err *err);
/* Bytes, 0 at the end (reading), SH_LINK_LATER, SH_LINK_BROKEN. */
ssize_t sh_link_read(sh_link *l, char *bytes, size_t size);
ssize_t sh_link_write(sh_link *l, const char *bytes, size_t length);
/* What poll has to wait for to do what POLLIN or POLLOUT stands for. */
short sh_link_events(const sh_link *l, short wanted);
bool sh_link_pending(const sh_link *l); /* bytes that poll does not see */
void sh_link_finish(sh_link *l);        /* no more is written */
void sh_link_close(sh_link *l);

#endif
