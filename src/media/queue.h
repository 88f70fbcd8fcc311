/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_QUEUE_H
#define SH_MEDIA_QUEUE_H
/* A bounded first-in first-out line between two stages of a pipeline. An item is a picture, a packet, or
 * (both NULL) the end. Closing it, from either side, makes both sides return at once: that is how a failure
 * in one stage stops the others. */
#include <libavcodec/avcodec.h>
#include <stdbool.h>

typedef struct sh_queue sh_queue;

typedef struct sh_item {
    AVFrame *frame;
    AVPacket *packet;
} sh_item;

sh_queue *sh_queue_new(int capacity); /* NULL: memory */
void sh_queue_free(sh_queue *queue);  /* and what is in it; NULL is fine */
/* Takes the item over in any case. False: closed. Waits while the line is full. */
bool sh_queue_push(sh_queue *queue, sh_item item);
/* False: closed. Waits while the line is empty. */
bool sh_queue_pop(sh_queue *queue, sh_item *item);
void sh_queue_close(sh_queue *queue);
void sh_item_free(sh_item *item);

#endif
