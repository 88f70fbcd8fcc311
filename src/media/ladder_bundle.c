/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/ladder_bundle.h"
#include "media/ladder_record.h"

#include <pthread.h>
#include <stdlib.h>

#define SEGMENT_MAX (1 << 20) /* packets, frames */

sh_bundle *sh_bundle_new(int64_t piece)
{
    sh_bundle *bundle = calloc(1, sizeof(*bundle));
    if (bundle) {
        bundle->piece = piece;
        sh_buf_init(&bundle->captions, SH_RECORD_CAPTIONS_MAX);
    }
    return bundle;
}

void sh_bundle_free(sh_bundle *bundle)
{
    if (!bundle)
        return;
    for (size_t i = 0; i < bundle->packet_count; i++)
        av_packet_free(&bundle->packets[i]);
    for (size_t i = 0; i < bundle->taken_count; i++)
        free(bundle->taken[i].bytes);
    if (bundle->ledger)
        sh_ledger_free(bundle->ledger);
    free(bundle->ledger);
    sh_buf_free(&bundle->captions);
    sh_stills_free(&bundle->stills);
    free(bundle->packets);
    free(bundle->taken);
    free(bundle->duplicate);
    free(bundle);
}

bool sh_bundle_add(sh_bundle *bundle, AVPacket *packet)
{
    if (bundle->packet_count == bundle->packet_capacity) {
        const size_t capacity = bundle->packet_capacity ? 2 * bundle->packet_capacity : 256;
        AVPacket **grown =
            capacity <= SEGMENT_MAX ? realloc(bundle->packets, capacity * sizeof(*grown)) : NULL;
        if (!grown) {
            av_packet_free(&packet);
            return false;
        }
        bundle->packets = grown;
        bundle->packet_capacity = capacity;
    }
    bundle->packets[bundle->packet_count++] = packet;
    return true;
}

bool sh_bundle_add_frame(sh_bundle *bundle, bool duplicate)
{
    if ((size_t)bundle->frames == bundle->duplicate_capacity) {
        const size_t capacity = bundle->duplicate_capacity ? 2 * bundle->duplicate_capacity : 256;
        bool *grown = capacity <= SEGMENT_MAX ? realloc(bundle->duplicate, capacity) : NULL;
        if (!grown)
            return false;
        bundle->duplicate = grown;
        bundle->duplicate_capacity = capacity;
    }
    bundle->duplicate[bundle->frames++] = duplicate;
    bundle->duplicates += duplicate;
    return true;
}

/* ---- queues ---- */

struct sh_queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool closed;
    sh_bundle *first, **end;
    size_t bundles, packets, room;
};

sh_queue *sh_queue_new(size_t packets)
{
    sh_queue *queue = calloc(1, sizeof(*queue));
    if (!queue)
        return NULL;
    queue->end = &queue->first;
    queue->room = packets;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->changed, NULL);
    return queue;
}

void sh_queue_free(sh_queue *queue)
{
    if (!queue)
        return;
    for (sh_bundle *bundle = queue->first, *next; bundle; bundle = next) {
        next = bundle->next;
        sh_bundle_free(bundle);
    }
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

static bool full(const sh_queue *queue)
{
    return queue->bundles >= SH_BUNDLES && queue->packets >= queue->room;
}

bool sh_queue_push(sh_queue *queue, sh_bundle *bundle)
{
    if (!bundle)
        return false;
    pthread_mutex_lock(&queue->lock);
    while (!queue->closed && full(queue))
        pthread_cond_wait(&queue->changed, &queue->lock);
    const bool open = !queue->closed;
    if (open) {
        bundle->next = NULL;
        *queue->end = bundle;
        queue->end = &bundle->next;
        queue->bundles++;
        queue->packets += bundle->packet_count;
        pthread_cond_broadcast(&queue->changed);
    }
    pthread_mutex_unlock(&queue->lock);
    if (!open)
        sh_bundle_free(bundle);
    return open;
}

sh_bundle *sh_queue_pop(sh_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    while (!queue->closed && !queue->first)
        pthread_cond_wait(&queue->changed, &queue->lock);
    sh_bundle *bundle = queue->closed ? NULL : queue->first;
    if (bundle) {
        queue->first = bundle->next;
        if (!queue->first)
            queue->end = &queue->first;
        queue->bundles--;
        queue->packets -= bundle->packet_count;
        bundle->next = NULL;
        pthread_cond_broadcast(&queue->changed);
    }
    pthread_mutex_unlock(&queue->lock);
    return bundle;
}

void sh_queue_close(sh_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}
