/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H
/* What the programs that time other people's engines share: each is one engine running one network on one
 * picture again and again, timed as `spyhop bench` times itself, and prints one JSON object. peers.py runs
 * them in turn. */
#include <stdint.h>

#define PEER_ROUNDS 15

typedef struct peer_timing {
    double fps;    /* of the median round */
    double spread; /* of the middle half of the rounds, relative to the median */
} peer_timing;

/* Runs one picture; 0, or anything else to stop. */
typedef int (*peer_fn)(void *opaque);

double peer_now(void); /* seconds */
/* A fifth of the time warms up and tells how many pictures make a round. 0, or what `run` returned. */
int peer_time(peer_fn run, void *opaque, double seconds, peer_timing *timing);
/* Of one try: seconds a picture, the best of `times`. Negative when it fails. */
double peer_try(peer_fn run, void *opaque, int times);

/* A whole number between low and high, or the program ends with what the argument is called. */
int peer_int(const char *text, const char *what, int low, int high);
void peer_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
uint32_t peer_random(uint32_t *state);

#endif
