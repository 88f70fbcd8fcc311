/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "peer.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

double peer_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int peer_time(peer_fn run, void *opaque, double seconds, peer_timing *timing)
{
    double rates[PEER_ROUNDS], start = peer_now();
    int pictures = 0, failed = 0;
    while (!failed && peer_now() - start < seconds * 0.2) {
        failed = run(opaque);
        pictures++;
    }
    pictures = pictures * 4 / PEER_ROUNDS > 1 ? pictures * 4 / PEER_ROUNDS : 1;
    for (int r = 0; r < PEER_ROUNDS && !failed; r++) {
        start = peer_now();
        for (int i = 0; i < pictures && !failed; i++)
            failed = run(opaque);
        rates[r] = pictures / (peer_now() - start);
    }
    if (failed)
        return failed;
    qsort(rates, PEER_ROUNDS, sizeof(rates[0]), compare);
    timing->fps = rates[PEER_ROUNDS / 2];
    timing->spread = (rates[PEER_ROUNDS * 3 / 4] - rates[PEER_ROUNDS / 4]) / timing->fps;
    return 0;
}

double peer_try(peer_fn run, void *opaque, int times)
{
    double best = -1;
    for (int i = 0; i < times; i++) {
        double start = peer_now();
        if (run(opaque))
            return -1;
        double spent = peer_now() - start;
        best = best < 0 || spent < best ? spent : best;
    }
    return best;
}

void peer_die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

int peer_int(const char *text, const char *what, int low, int high)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (!*text || *end || value < low || value > high)
        peer_die("%s: \"%s\" is not a number of %d to %d", what, text, low, high);
    return (int)value;
}

uint32_t peer_random(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}
