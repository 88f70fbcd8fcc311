/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_BASE_BUF_H
#define SH_BASE_BUF_H
/* A growing byte buffer that knows its maximum. Once an append fails (memory, or the maximum) the buffer is
 * `failed` and every later append is a no-op, so a run of appends needs one check at its end. The bytes are
 * always followed by a NUL that `length` does not count. */
#include <stdbool.h>
#include <stddef.h>

typedef struct sh_buf {
    char *data; /* owned; NULL while nothing was appended */
    size_t length;
    size_t capacity;
    size_t maximum; /* most bytes it may hold */
    bool failed;
} sh_buf;

void sh_buf_init(sh_buf *buf, size_t maximum);
/* Frees the bytes; the buffer is empty and usable again with the same maximum. */
void sh_buf_free(sh_buf *buf);
void sh_buf_clear(sh_buf *buf); /* length 0, failed false, memory kept */
/* All return 0 or SH_E_MEMORY. */
int sh_buf_append(sh_buf *buf, const void *bytes, size_t length);
int sh_buf_puts(sh_buf *buf, const char *text);
int sh_buf_putc(sh_buf *buf, char c);
int sh_buf_printf(sh_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
int sh_buf_reserve(sh_buf *buf, size_t more);
/* The NUL-terminated bytes, "" when empty. Borrowed. */
const char *sh_buf_cstr(const sh_buf *buf);
/* Gives the bytes to the caller (free()), NULL if the buffer failed or memory is short; the buffer is then
 * empty. */
char *sh_buf_take(sh_buf *buf, size_t *length);

#endif
