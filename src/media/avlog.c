/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/avlog.h"
#include "base/log.h"
#include "media/sandbox.h"

#include <libavutil/log.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define LINES_MAX 500 /* a damaged file makes many */

static atomic_int channel = -1;
static atomic_int lines;
static atomic_bool premature;
static atomic_bool chosen; /* where messages go: not the libraries' own way, standard error */
static _Thread_local char *caught;
static _Thread_local size_t caught_size;

static void keep_caught(const char *format, va_list arguments)
{
    const size_t used = strlen(caught);
    va_list copy;
    va_copy(copy, arguments);
    if (used + 1 < caught_size)
        vsnprintf(caught + used, caught_size - used, format, copy);
    va_end(copy);
}

static void forward(void *avcl, int level, const char *format, va_list arguments)
{
    char text[400];
    const AVClass *class = avcl ? *(const AVClass *const *)avcl : NULL;
    const int to = atomic_load(&channel);
    if (level <= AV_LOG_WARNING && strstr(format, "ended prematurely"))
        atomic_store(&premature, true);
    if (caught && level <= AV_LOG_WARNING)
        keep_caught(format, arguments);
    else if (!atomic_load(&chosen))
        av_log_default_callback(avcl, level, format, arguments);
    if (level > AV_LOG_WARNING || to < 0 || atomic_fetch_add(&lines, 1) >= LINES_MAX)
        return;
    int length = vsnprintf(text, sizeof(text), format, arguments);
    if (length > 0 && length < (int)sizeof(text) && text[length - 1] == '\n')
        text[length - 1] = '\0';
    sh_channel_log(to, SH_LOG_DEBUG, "%s: %s", class ? class->class_name : "libav", text);
}

void sh_avlog_start(int to)
{
    atomic_store(&channel, to);
    atomic_store(&chosen, true);
    av_log_set_callback(forward);
}

void sh_avlog_stop(void)
{
    atomic_store(&channel, -1);
}

bool sh_avlog_premature(void)
{
    return atomic_load(&premature);
}

void sh_avlog_quiet(void)
{
    atomic_store(&chosen, true);
    av_log_set_callback(forward);
}

void sh_avlog_catch(char *text, size_t size)
{
    text[0] = '\0';
    caught_size = size;
    caught = text;
    av_log_set_callback(forward);
}

void sh_avlog_release(void)
{
    caught = NULL;
}
