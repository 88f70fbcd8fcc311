/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_BASE_CLOCK_H
#define SH_BASE_CLOCK_H
/* Time is an argument: pure code takes a number, code that needs "now" takes a sh_clock, tests give one they
 * set. */
#include <stddef.h>
#include <stdint.h>

typedef struct sh_clock {
    int64_t (*now_ms)(void *opaque); /* wall clock, milliseconds since 1970-01-01T00:00:00Z */
    void *opaque;
    /* Milliseconds since some moment of this boot of the machine, also of the time it slept; no setting of
     * the clock changes it. NULL: there is no such clock. */
    int64_t (*steady_ms)(void *opaque);
} sh_clock;

extern const sh_clock sh_clock_system;

static inline int64_t sh_now_ms(const sh_clock *clock)
{
    return clock->now_ms(clock->opaque);
}

int64_t sh_monotonic_us(void); /* for measuring durations */
/* "2026-01-31T12:34:56.789Z" (and the form without the fraction). text holds at least SH_TIME_TEXT bytes. */
#define SH_TIME_TEXT 32
void sh_time_iso_ms(int64_t ms, char *text);
void sh_time_iso_s(int64_t ms, char *text);
void sh_time_http(int64_t ms, char *text); /* "Sun, 06 Nov 1994 08:49:37 GMT" */
/* Reads an RFC 3339 time ("T" and zone obligatory, any fraction). False when it is not one. */
int sh_time_parse_iso(const char *text, size_t length, int64_t *ms);

#endif
