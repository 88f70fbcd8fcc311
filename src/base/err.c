/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int sh_fail(sh_err *err, int status, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        vsnprintf(err->message, sizeof(err->message), format, args);
        va_end(args);
        err->status = status;
    }
    return status;
}

static int status_of_errno(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        return SH_E_FULL;
    case ENOENT:
        return SH_E_NOT_FOUND;
    case ENOMEM:
        return SH_E_MEMORY;
    case EEXIST:
        return SH_E_CONFLICT;
    default:
        return SH_E_IO;
    }
}

int sh_fail_errno(sh_err *err, int error, const char *format, ...)
{
    int status = status_of_errno(error);
    if (err) {
        char text[400];
        char reason[96];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        snprintf(err->message, sizeof(err->message), "%s: %s", text,
                 strerror_r(error, reason, sizeof(reason)));
        err->status = status;
    }
    return status;
}

int sh_err_prefix(sh_err *err, const char *format, ...)
{
    if (!err)
        return SH_E_INTERNAL;
    char prefix[sizeof(err->message)];
    char rest[sizeof(err->message)];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof(prefix), format, args);
    va_end(args);
    snprintf(rest, sizeof(rest), "%s", err->message);
    size_t used = strnlen(prefix, sizeof(prefix) - 3);
    memcpy(err->message, prefix, used);
    memcpy(err->message + used, ": ", 2);
    size_t left = sizeof(err->message) - used - 3;
    size_t kept = strnlen(rest, left);
    memcpy(err->message + used + 2, rest, kept);
    err->message[used + 2 + kept] = '\0';
    return err->status ? err->status : SH_E_INTERNAL;
}

const char *sh_status_name(int status)
{
    static const char *const names[] = {
        "success",      "invalid argument", "out of memory",  "input/output error",
        "invalid data", "not supported",    "limit exceeded", "internal error",
        "not found",    "conflict",         "no space left",  "cancelled"};
    size_t index = status <= 0 ? (size_t)-status : sizeof(names);
    return index < sizeof(names) / sizeof(names[0]) ? names[index] : "unknown error";
}
