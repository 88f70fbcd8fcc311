/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/api/s3_hasher.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { RING = 1 << 20, MOST = 8 };

struct sh_hasher {
    sh_digest *digest;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint64_t put, taken; /* bytes since the beginning; RING apart at most */
    bool ended;
    unsigned char ring[RING];
};

static atomic_int running;

static void *hash(void *opaque)
{
    sh_hasher *h = opaque;
    pthread_mutex_lock(&h->mutex);
    while (h->put > h->taken || !h->ended) {
        if (h->put == h->taken) {
            pthread_cond_wait(&h->changed, &h->mutex);
            continue;
        }
        size_t at = h->taken % RING, length = (size_t)(h->put - h->taken);
        if (length > RING - at)
            length = RING - at;
        pthread_mutex_unlock(&h->mutex);
        sh_digest_update(h->digest, h->ring + at, length);
        pthread_mutex_lock(&h->mutex);
        h->taken += length;
        pthread_cond_signal(&h->changed);
    }
    pthread_mutex_unlock(&h->mutex);
    return NULL;
}

sh_hasher *sh_hasher_begin(sh_digest *digest)
{
    sh_hasher *h = NULL;
    if (atomic_fetch_add(&running, 1) >= MOST || !(h = malloc(sizeof(*h))))
        goto none;
    h->digest = digest;
    h->put = h->taken = 0;
    h->ended = false;
    pthread_mutex_init(&h->mutex, NULL);
    pthread_cond_init(&h->changed, NULL);
    if (pthread_create(&h->thread, NULL, hash, h) == 0)
        return h;
    pthread_mutex_destroy(&h->mutex);
    pthread_cond_destroy(&h->changed);
none:
    free(h);
    atomic_fetch_sub(&running, 1);
    return NULL;
}

void sh_hasher_push(sh_hasher *h, const void *bytes, size_t length)
{
    const unsigned char *from = bytes;
    while (length > 0) {
        pthread_mutex_lock(&h->mutex);
        while (h->put - h->taken == RING)
            pthread_cond_wait(&h->changed, &h->mutex);
        size_t at = h->put % RING, room = RING - (size_t)(h->put - h->taken);
        pthread_mutex_unlock(&h->mutex);
        if (room > RING - at)
            room = RING - at;
        if (room > length)
            room = length;
        memcpy(h->ring + at, from, room);
        from += room;
        length -= room;
        pthread_mutex_lock(&h->mutex);
        h->put += room;
        pthread_cond_signal(&h->changed);
        pthread_mutex_unlock(&h->mutex);
    }
}

void sh_hasher_end(sh_hasher *h)
{
    if (!h)
        return;
    pthread_mutex_lock(&h->mutex);
    h->ended = true;
    pthread_cond_signal(&h->changed);
    pthread_mutex_unlock(&h->mutex);
    pthread_join(h->thread, NULL);
    pthread_mutex_destroy(&h->mutex);
    pthread_cond_destroy(&h->changed);
    free(h);
    atomic_fetch_sub(&running, 1);
}
