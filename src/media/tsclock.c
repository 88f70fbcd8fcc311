/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/tsclock.h"

#include <stdlib.h>

#define BACK_US INT64_C(500000)
#define FORWARD_US INT64_C(60000000)

bool sh_tsclock_open(sh_tsclock *clock, unsigned tracks)
{
    *clock = (sh_tsclock){.count = tracks, .next = calloc(tracks ? tracks : 1, sizeof(int64_t))};
    for (unsigned i = 0; clock->next && i < tracks; i++)
        clock->next[i] = AV_NOPTS_VALUE;
    return clock->next != NULL;
}

void sh_tsclock_close(sh_tsclock *clock)
{
    free(clock->next);
    *clock = (sh_tsclock){0};
}

static int64_t distance(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

/* Furthest of all tracks. */
static int64_t furthest(const sh_tsclock *clock)
{
    int64_t most = AV_NOPTS_VALUE;
    for (unsigned i = 0; i < clock->count; i++)
        if (clock->next[i] != AV_NOPTS_VALUE && (most == AV_NOPTS_VALUE || clock->next[i] > most))
            most = clock->next[i];
    return most;
}

static bool counts(const AVStream *stream)
{
    const enum AVMediaType type = stream->codecpar->codec_type;
    return type == AVMEDIA_TYPE_VIDEO || type == AVMEDIA_TYPE_AUDIO;
}

static void add(AVPacket *packet, int64_t shift)
{
    if (packet->pts != AV_NOPTS_VALUE)
        packet->pts += shift;
    if (packet->dts != AV_NOPTS_VALUE)
        packet->dts += shift;
}

bool sh_tsclock_mend(sh_tsclock *clock, const AVStream *stream, AVPacket *packet, int64_t *by)
{
    const int64_t given = packet->dts != AV_NOPTS_VALUE ? packet->dts : packet->pts;
    const unsigned track = (unsigned)packet->stream_index;
    if (given == AV_NOPTS_VALUE || track >= clock->count)
        return false;
    const int64_t at = av_rescale_q(given, stream->time_base, AV_TIME_BASE_Q);
    const int64_t all = furthest(clock);
    const int64_t here = clock->next[track] != AV_NOPTS_VALUE ? clock->next[track] : all;
    bool jumped = false;
    if (here != AV_NOPTS_VALUE) {
        int which = distance(at + clock->shift[1], here) < distance(at + clock->shift[0], here) ? 1 : 0;
        const int64_t now = at + clock->shift[which];
        jumped = counts(stream) && clock->next[track] != AV_NOPTS_VALUE &&
                 (now < here - BACK_US || now > all + FORWARD_US);
        if (jumped || which == 1) {
            const int64_t old = clock->shift[0];
            clock->shift[0] = jumped ? here - at : clock->shift[1];
            clock->shift[1] = old;
        }
        *by = here - now;
        clock->jumps += jumped ? 1 : 0;
    }
    add(packet, av_rescale_q(clock->shift[0], AV_TIME_BASE_Q, stream->time_base));
    if (counts(stream))
        clock->next[track] =
            at + clock->shift[0] + av_rescale_q(packet->duration, stream->time_base, AV_TIME_BASE_Q);
    return jumped;
}
