/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_TURN_H
#define SH_STORE_TURN_H
/* Whose turn it is at the database: a recursive lock that knows whether somebody waits for it. A thread that
 * has work without end (executions that are due) takes it politely, behind all who wait, and can see that it
 * is wanted; so a short call does not stand in line behind one long batch after another. */
#include <pthread.h>
#include <stdbool.h>

typedef struct sh_turn {
    pthread_mutex_t mutex;
    pthread_cond_t ended, polite_ended; /* on CLOCK_MONOTONIC */
    pthread_t owner;                    /* while held > 0 */
    int held;                           /* how often the owner has taken it */
    int waiting;                        /* threads that are not polite, or no longer */
} sh_turn;

void sh_turn_init(sh_turn *turn);
void sh_turn_destroy(sh_turn *turn);
void sh_turn_take(sh_turn *turn);
/* Lets others go first, but not for longer than a few milliseconds. */
void sh_turn_take_politely(sh_turn *turn);
/* True when the owner has given it back as often as it took it. */
bool sh_turn_give(sh_turn *turn);
bool sh_turn_wanted(sh_turn *turn);

#endif
