/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STREAM_FETCH_H
#define SH_STREAM_FETCH_H
/* The files of a stream, from a folder or over HTTP, by names that the stream itself gives: nothing in it is
 * trusted. In a folder a name is a path below it, without "..", and no part of it may be a symbolic link. At
 * a URL a name is a whole http or https URL; at most five redirects are followed, to http and https only, and
 * no more bytes are taken than a file may have. */
#include "base/buf.h"
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SH_FETCH_NAME 2048

typedef struct sh_fetch sh_fetch;

/* location: a folder, or an http(s) URL. seconds: for one request. */
int sh_fetch_open(sh_fetch **out, const char *location, int seconds, sh_err *err);
void sh_fetch_close(sh_fetch *fetch); /* NULL is fine */
/* Asked about once a second while a server is waited for: true ends the request (SH_E_CANCELLED). */
void sh_fetch_watch(sh_fetch *fetch, bool (*cancelled)(void *opaque), void *opaque);
bool sh_fetch_remote(const sh_fetch *fetch);

/* name (of SH_FETCH_NAME bytes): what `reference` means in the file called `base` (NULL: in the location
 * itself). Percent-encoding is undone in a folder. SH_E_FORMAT: a reference that is none, or leads outside.
 */
int sh_fetch_resolve(const sh_fetch *fetch, char *name, const char *base, const char *reference,
                     size_t length, sh_err *err);

typedef struct sh_fetched {
    int redirects;
} sh_fetched;

/* The whole file, into *out (cleared; its maximum bounds the size). SH_E_NOT_FOUND: it is not there (or the
 * server says so); SH_E_LIMIT: it is larger; SH_E_FORMAT: it is no regular file; SH_E_IO: it cannot be read.
 */
int sh_fetch_read(sh_fetch *fetch, const char *name, sh_buf *out, sh_fetched *info, sh_err *err);

/* The names in the folder's top that end in `suffix`, sorted; at most `most`. Each is freed with free(). A
 * URL has none. */
int sh_fetch_list(const sh_fetch *fetch, const char *suffix, char **names, size_t most, size_t *count,
                  sh_err *err);

#endif
