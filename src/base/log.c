/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static sh_log_fn callback;
static void *callback_opaque;
static atomic_int threshold = SH_LOG_INFO;

void sh_log_set(sh_log_fn fn, void *opaque)
{
    callback = fn;
    callback_opaque = opaque;
}

void sh_log_level(int level)
{
    atomic_store(&threshold, level);
}

/* One write a line, so that lines of several processes do not mix. */
static void write_line(int level, const char *area, const char *message)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    char line[1200];
    int length = snprintf(line, sizeof(line), "%s %s: %s\n", names[level], area, message);
    if (length >= (int)sizeof(line)) {
        length = (int)sizeof(line) - 1;
        line[length - 1] = '\n';
    }
    if (length > 0 && write(STDERR_FILENO, line, (size_t)length) < 0)
        return; /* nowhere left to say it */
}

void sh_log(int level, const char *area, const char *format, ...)
{
    if (level > atomic_load(&threshold) || level < SH_LOG_ERROR)
        return;
    char message[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    for (char *c = message; *c; c++) /* a name from outside may not begin a line of its own */
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = ' ';
    if (level > SH_LOG_DEBUG)
        level = SH_LOG_DEBUG;
    if (callback)
        callback(callback_opaque, level, area, message);
    else
        write_line(level, area, message);
}
