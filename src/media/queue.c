/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/queue.h"

#include <pthread.h>
#include <stdlib.h>

struct sh_queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool closed;
    int capacity, first, count;
    sh_item items[];
};

sh_queue *sh_queue_new(int capacity)
{
    sh_queue *queue = calloc(1, sizeof(*queue) + (size_t)capacity * sizeof(queue->items[0]));
    if (!queue)
        return NULL;
    queue->capacity = capacity;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->changed, NULL);
    return queue;
}

void sh_item_free(sh_item *item)
{
    av_frame_free(&item->frame);
    av_packet_free(&item->packet);
}

void sh_queue_free(sh_queue *queue)
{
    if (!queue)
        return;
    for (int i = 0; i < queue->count; i++)
        sh_item_free(&queue->items[(queue->first + i) % queue->capacity]);
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

bool sh_queue_push(sh_queue *queue, sh_item item)
{
    pthread_mutex_lock(&queue->lock);
    while (!queue->closed && queue->count == queue->capacity)
        pthread_cond_wait(&queue->changed, &queue->lock);
    bool open = !queue->closed;
    if (open) {
        queue->items[(queue->first + queue->count++) % queue->capacity] = item;
        pthread_cond_broadcast(&queue->changed);
    }
    pthread_mutex_unlock(&queue->lock);
    if (!open)
        sh_item_free(&item);
    return open;
}

bool sh_queue_pop(sh_queue *queue, sh_item *item)
{
    pthread_mutex_lock(&queue->lock);
    while (!queue->closed && queue->count == 0)
        pthread_cond_wait(&queue->changed, &queue->lock);
    bool open = !queue->closed;
    if (open) {
        *item = queue->items[queue->first];
        queue->first = (queue->first + 1) % queue->capacity;
        queue->count--;
        pthread_cond_broadcast(&queue->changed);
    }
    pthread_mutex_unlock(&queue->lock);
    return open;
}

void sh_queue_close(sh_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}
