/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/flight.h"

#include <libavutil/avutil.h>
#include <string.h>

static void take_at(sh_flight *flight, int index)
{
    flight->count--;
    memmove(flight->packets + index, flight->packets + index + 1,
            (size_t)(flight->count - index) * sizeof(flight->packets[0]));
}

void sh_flight_add(sh_flight *flight, const sh_flight_packet *packet)
{
    if (flight->count == SH_FLIGHT_MAX)
        take_at(flight, 0);
    flight->packets[flight->count++] = *packet;
}

void sh_flight_key(sh_flight *flight, int64_t number, int64_t pts)
{
    const int64_t at = flight->key_count++ % SH_FLIGHT_MAX;
    flight->keys[at].number = number;
    flight->keys[at].pts = pts;
}

static int find(const sh_flight *flight, int64_t number)
{
    for (int i = 0; i < flight->count; i++)
        if (flight->packets[i].number == number)
            return i;
    return -1;
}

void sh_flight_fail(sh_flight *flight, int64_t number)
{
    const int at = find(flight, number);
    if (at >= 0)
        flight->packets[at].failed = true;
}

bool sh_flight_take(sh_flight *flight, int64_t number, sh_flight_packet *out)
{
    const int at = find(flight, number);
    if (at < 0)
        return false;
    if (out)
        *out = flight->packets[at];
    take_at(flight, at);
    return true;
}

bool sh_flight_take_at(sh_flight *flight, int64_t pts, sh_flight_packet *out)
{
    for (int i = 0; pts != AV_NOPTS_VALUE && i < flight->count; i++)
        if (flight->packets[i].pts == pts && flight->packets[i].epoch == flight->epoch) {
            *out = flight->packets[i];
            take_at(flight, i);
            return true;
        }
    return false;
}

int sh_flight_epoch(sh_flight *flight, int64_t dts, int64_t second)
{
    if (dts == AV_NOPTS_VALUE)
        return flight->epoch > 0 ? flight->epoch : 1;
    const bool first = flight->epoch == 0, back = !first && dts < flight->last_dts - second;
    if (first || back)
        flight->epoch++;
    if (first || back || dts > flight->last_dts)
        flight->last_dts = dts;
    return flight->epoch;
}

void sh_flight_come(sh_flight *flight, int64_t number)
{
    if (number > flight->furthest)
        flight->furthest = number;
}

static bool is_lost(const sh_flight *flight, sh_flight_packet *packet, const sh_flight_packet *frame)
{
    if (packet->epoch != frame->epoch)
        return packet->epoch < frame->epoch;
    if (packet->pts == AV_NOPTS_VALUE || frame->pts == AV_NOPTS_VALUE)
        return frame->number >= 0 && packet->number + SH_FLIGHT_FAR < frame->number;
    if (packet->pts >= frame->pts)
        return false;
    if (!packet->passed)
        packet->before = frame->before;
    packet->passed = true;
    return packet->failed || packet->edit || packet->number < frame->from ||
           packet->number + SH_FLIGHT_NEAR <= flight->furthest;
}

/* Whether a is before b: by time where both have one, else by number. */
static bool before(const sh_flight_packet *a, const sh_flight_packet *b)
{
    if (a->epoch != b->epoch)
        return a->epoch < b->epoch;
    if (a->pts != AV_NOPTS_VALUE && b->pts != AV_NOPTS_VALUE && a->pts != b->pts)
        return a->pts < b->pts;
    return a->number < b->number;
}

/* frame NULL: of all. */
static bool take_first(sh_flight *flight, const sh_flight_packet *frame, sh_flight_packet *out)
{
    int first = -1;
    for (int i = 0; i < flight->count; i++)
        if (!frame || is_lost(flight, &flight->packets[i], frame))
            if (first < 0 || before(&flight->packets[i], &flight->packets[first]))
                first = i;
    if (first < 0)
        return false;
    *out = flight->packets[first];
    take_at(flight, first);
    return true;
}

bool sh_flight_lost(sh_flight *flight, const sh_flight_packet *frame, sh_flight_packet *out)
{
    return take_first(flight, frame, out);
}

static bool is_before(const sh_flight_packet *packet, const sh_flight_packet *frame)
{
    return packet->pts != AV_NOPTS_VALUE && frame->pts != AV_NOPTS_VALUE && packet->epoch == frame->epoch &&
           packet->pts < frame->pts;
}

bool sh_flight_doubts(sh_flight *flight, const sh_flight_packet *frame)
{
    for (int i = 0; i < flight->count; i++)
        if (is_before(&flight->packets[i], frame) && !is_lost(flight, &flight->packets[i], frame))
            return true;
    return false;
}

void sh_flight_begin(sh_flight *flight, const sh_flight_packet *frame)
{
    sh_flight_packet lost;
    while (take_first(flight, frame, &lost))
        ;
    for (int i = flight->count - 1; i >= 0; i--)
        if (is_before(&flight->packets[i], frame))
            take_at(flight, i);
}

bool sh_flight_rest(sh_flight *flight, sh_flight_packet *out)
{
    return take_first(flight, NULL, out);
}

int64_t sh_flight_from(const sh_flight *flight, int64_t number, int64_t pts, int back)
{
    const int64_t oldest = flight->key_count > SH_FLIGHT_MAX ? flight->key_count - SH_FLIGHT_MAX : 0;
    for (int64_t i = flight->key_count - 1; i >= oldest; i--) {
        const int64_t key = flight->keys[i % SH_FLIGHT_MAX].number;
        const int64_t at = flight->keys[i % SH_FLIGHT_MAX].pts;
        const bool known = at != AV_NOPTS_VALUE && pts != AV_NOPTS_VALUE;
        if (key > number || (known && at > pts))
            continue;
        if (back-- == 0)
            return key;
    }
    return oldest == 0 ? 0 : -1;
}
