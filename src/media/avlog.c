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

static void forward(void *avcl, int level, const char *format, va_list arguments)
{
    char text[400];
    const AVClass *class = avcl ? *(const AVClass *const *)avcl : NULL;
    const int to = atomic_load(&channel);
    if (level <= AV_LOG_WARNING && strstr(format, "ended prematurely"))
        atomic_store(&premature, true);
    if (level > AV_LOG_WARNING || to < 0 || atomic_fetch_add(&lines, 1) >= LINES_MAX)
        return;
    int length = vsnprintf(text, sizeof(text), format, arguments);
    if (length > 0 && length < (int)sizeof(text) && text[length - 1] == '\n')
        text[length - 1] = '\0';
    sh_channel_log(to, SH_LOG_DEBUG, "%s: %s", class ? class->class_name : "libav", text);
}

static void drop(void *avcl, int level, const char *format, va_list arguments)
{
}

void sh_avlog_start(int to)
{
    atomic_store(&channel, to);
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
    av_log_set_callback(drop);
}
