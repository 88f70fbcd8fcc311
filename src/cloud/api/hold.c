/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One list of all that wait, by the hash of their key: two keys of one hash only cost a second look. */
#include "cloud/api/hold.h"
#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct sh_holds {
    pthread_mutex_t mutex;
    pthread_cond_t condition; /* on CLOCK_MONOTONIC: an earlier time, or the end */
    sh_hold *first;
    bool stopping;
};

struct sh_holds *sh_holds_new(void)
{
    pthread_condattr_t attributes;
    struct sh_holds *holds = calloc(1, sizeof(*holds));
    if (!holds)
        return NULL;
    pthread_mutex_init(&holds->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&holds->condition, &attributes);
    pthread_condattr_destroy(&attributes);
    return holds;
}

void sh_holds_free(struct sh_holds *holds)
{
    if (!holds)
        return;
    pthread_cond_destroy(&holds->condition);
    pthread_mutex_destroy(&holds->mutex);
    free(holds);
}

void sh_holds_stop(struct sh_holds *holds)
{
    if (!holds)
        return;
    pthread_mutex_lock(&holds->mutex);
    holds->stopping = true;
    pthread_cond_broadcast(&holds->condition);
    pthread_mutex_unlock(&holds->mutex);
}

static uint64_t hash(const char *key)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *key; key++)
        h = (h ^ (unsigned char)*key) * 0x100000001b3u;
    return h;
}

static void unlink_hold(sh_hold *hold)
{
    if (!hold->link)
        return;
    *hold->link = hold->next;
    if (hold->next)
        hold->next->link = hold->link;
    hold->link = NULL;
}

void sh_call_wait_for(sh_call *call, const char *key, int64_t until_us)
{
    struct sh_holds *holds = call->cloud->holds;
    sh_hold *hold = call->hold;
    pthread_mutex_lock(&holds->mutex);
    unlink_hold(hold);
    hold->key = hash(key);
    hold->until_us = until_us;
    hold->parked = hold->woken = false;
    hold->next = holds->first;
    hold->link = &holds->first;
    if (holds->first)
        holds->first->link = &hold->next;
    holds->first = hold;
    pthread_cond_broadcast(&holds->condition);
    pthread_mutex_unlock(&holds->mutex);
}

/* It leaves the list when it is let go: the action puts it in again if it has to. */
static void wake(sh_hold *hold)
{
    hold->woken = true;
    if (!hold->parked)
        return;
    unlink_hold(hold);
    hold->parked = false;
    hold->release(hold->opaque);
}

void sh_hold_wake(sh_cloud *cloud, const char *key)
{
    struct sh_holds *holds = cloud->holds;
    uint64_t wanted = hash(key);
    sh_hold *next;
    pthread_mutex_lock(&holds->mutex);
    for (sh_hold *hold = holds->first; hold; hold = next) {
        next = hold->next;
        if (hold->key == wanted)
            wake(hold);
    }
    pthread_mutex_unlock(&holds->mutex);
}

void sh_hold_park(sh_cloud *cloud, sh_hold *hold)
{
    struct sh_holds *holds = cloud->holds;
    pthread_mutex_lock(&holds->mutex);
    hold->parked = true;
    if (hold->woken || !hold->link)
        wake(hold);
    pthread_mutex_unlock(&holds->mutex);
}

void sh_hold_drop(sh_cloud *cloud, sh_hold *hold)
{
    struct sh_holds *holds = cloud->holds;
    pthread_mutex_lock(&holds->mutex);
    unlink_hold(hold);
    hold->parked = false;
    pthread_mutex_unlock(&holds->mutex);
}

/* Wakes those whose time is over; the time of the next, -1: none. */
static int64_t wake_due(struct sh_holds *holds)
{
    int64_t now_us = sh_monotonic_us(), next_us = -1;
    sh_hold *next;
    for (sh_hold *hold = holds->first; hold; hold = next) {
        next = hold->next;
        if (hold->until_us < 0 || hold->woken)
            continue;
        if (hold->until_us <= now_us)
            wake(hold);
        else if (next_us < 0 || hold->until_us < next_us)
            next_us = hold->until_us;
    }
    return next_us;
}

int sh_holds_run(sh_cloud *cloud)
{
    struct sh_holds *holds = cloud->holds;
    pthread_mutex_lock(&holds->mutex);
    while (!holds->stopping) {
        int64_t us = wake_due(holds);
        struct timespec until = {.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000};
        if (us < 0)
            pthread_cond_wait(&holds->condition, &holds->mutex);
        else
            pthread_cond_timedwait(&holds->condition, &holds->mutex, &until);
    }
    pthread_mutex_unlock(&holds->mutex);
    return 0;
}
