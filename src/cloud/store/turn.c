/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/turn.h"

#include <errno.h>
#include <time.h>

#define POLITE_NS 5000000

void sh_turn_init(sh_turn *turn)
{
    pthread_condattr_t attributes;
    *turn = (sh_turn){.held = 0};
    pthread_mutex_init(&turn->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&turn->ended, &attributes);
    pthread_cond_init(&turn->polite_ended, &attributes);
    pthread_condattr_destroy(&attributes);
}

void sh_turn_destroy(sh_turn *turn)
{
    pthread_cond_destroy(&turn->polite_ended);
    pthread_cond_destroy(&turn->ended);
    pthread_mutex_destroy(&turn->mutex);
}

static bool is_mine(const sh_turn *turn)
{
    return turn->held > 0 && pthread_equal(turn->owner, pthread_self());
}

/* With turn->mutex held, as all that follows. */
static void take(sh_turn *turn)
{
    if (!is_mine(turn)) {
        turn->waiting++;
        while (turn->held > 0)
            pthread_cond_wait(&turn->ended, &turn->mutex);
        turn->waiting--;
        turn->owner = pthread_self();
    }
    turn->held++;
}

void sh_turn_take(sh_turn *turn)
{
    pthread_mutex_lock(&turn->mutex);
    take(turn);
    pthread_mutex_unlock(&turn->mutex);
}

static void stand_back(sh_turn *turn)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += POLITE_NS;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    while (turn->held > 0 || turn->waiting > 0) {
        if (pthread_cond_timedwait(&turn->polite_ended, &turn->mutex, &until) == ETIMEDOUT)
            break;
    }
}

void sh_turn_take_politely(sh_turn *turn)
{
    pthread_mutex_lock(&turn->mutex);
    if (!is_mine(turn))
        stand_back(turn);
    take(turn);
    pthread_mutex_unlock(&turn->mutex);
}

bool sh_turn_give(sh_turn *turn)
{
    pthread_mutex_lock(&turn->mutex);
    bool ended = --turn->held == 0;
    if (ended)
        pthread_cond_signal(turn->waiting > 0 ? &turn->ended : &turn->polite_ended);
    pthread_mutex_unlock(&turn->mutex);
    return ended;
}

bool sh_turn_wanted(sh_turn *turn)
{
    pthread_mutex_lock(&turn->mutex);
    bool wanted = turn->waiting > 0;
    pthread_mutex_unlock(&turn->mutex);
    return wanted;
}
