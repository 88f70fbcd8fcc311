/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/buf.h"
#include "base/err.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sh_buf_init(sh_buf *buf, size_t maximum)
{
    *buf = (sh_buf){.maximum = maximum};
}

void sh_buf_free(sh_buf *buf)
{
    free(buf->data);
    sh_buf_init(buf, buf->maximum);
}

void sh_buf_clear(sh_buf *buf)
{
    buf->length = 0;
    buf->failed = false;
    if (buf->data)
        buf->data[0] = '\0';
}

static int fail(sh_buf *buf)
{
    buf->failed = true;
    return SH_E_MEMORY;
}

int sh_buf_reserve(sh_buf *buf, size_t more)
{
    if (buf->failed || more > buf->maximum || buf->length > buf->maximum - more)
        return fail(buf);
    size_t need = buf->length + more;
    if (buf->data && need <= buf->capacity)
        return 0;
    size_t capacity = buf->capacity < 64 ? 64 : buf->capacity;
    while (capacity < need)
        capacity = capacity > buf->maximum / 2 ? buf->maximum : capacity * 2;
    if (capacity == SIZE_MAX)
        return fail(buf);
    char *data = realloc(buf->data, capacity + 1);
    if (!data)
        return fail(buf);
    if (!buf->data)
        data[0] = '\0';
    buf->data = data;
    buf->capacity = capacity;
    return 0;
}

int sh_buf_append(sh_buf *buf, const void *bytes, size_t length)
{
    int status = sh_buf_reserve(buf, length);
    if (status < 0)
        return status;
    if (length)
        memcpy(buf->data + buf->length, bytes, length);
    buf->length += length;
    buf->data[buf->length] = '\0';
    return 0;
}

int sh_buf_puts(sh_buf *buf, const char *text)
{
    return sh_buf_append(buf, text, strlen(text));
}

int sh_buf_putc(sh_buf *buf, char c)
{
    return sh_buf_append(buf, &c, 1);
}

int sh_buf_printf(sh_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        return fail(buf);
    int status = sh_buf_reserve(buf, (size_t)length);
    if (status < 0)
        return status;
    va_start(args, format);
    vsnprintf(buf->data + buf->length, (size_t)length + 1, format, args);
    va_end(args);
    buf->length += (size_t)length;
    return 0;
}

const char *sh_buf_cstr(const sh_buf *buf)
{
    return buf->data ? buf->data : "";
}

char *sh_buf_take(sh_buf *buf, size_t *length)
{
    char *data = NULL;
    if (sh_buf_reserve(buf, 0) == 0) {
        data = buf->data;
        if (length)
            *length = buf->length;
        buf->data = NULL;
    }
    sh_buf_free(buf);
    return data;
}
