/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_HTTP_LISTEN_H
#define SH_HTTP_LISTEN_H
/* Addresses to listen on: "127.0.0.1:9000", "[::1]:0", ":9000" (every address). Port 0 takes a free one. */
#include "base/err.h"
#include <stddef.h>

/* SH_E_ARGUMENT with the reason when it has not that form. */
int sh_listen_check(const char *address, sh_err *err);
/* A listening socket that does not block, or a negative status. */
int sh_listen_open(const char *address, sh_err *err);
/* "http://127.0.0.1:9000": the real port and, for "every address", the one of loopback. */
void sh_listen_name(int fd, const char *scheme, char *text, size_t size);

#endif
