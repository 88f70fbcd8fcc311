/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_LADDER_BUNDLE_H
#define SH_MEDIA_LADDER_BUNDLE_H
/* What the commit of a ladder puts together: of each segment one bundle from the stage that makes the
 * pictures and one from each video, and the queues that they come through.
 *
 * A queue has room for SH_BUNDLES of them and, however short they are, for SH_BUNDLE_PACKETS packets: more
 * than any encoder holds back. So a video whose encoder gives a segment out late can always be fed up to that
 * point, and no queue waits for another in a circle. A queue of bundles without packets is then never full;
 * where there is no video it has room for SH_BUNDLES. */
#include "base/buf.h"
#include "media/ladder.h"
#include "media/ledger.h"
#include <libavcodec/avcodec.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SH_BUNDLES = 2, SH_BUNDLE_PACKETS = 1024 };

/* A picture that was taken out of the film. */
typedef struct sh_taken {
    int capture;
    int64_t number; /* from 0 */
    int64_t time;   /* ticks */
    char *bytes;    /* owned */
    size_t size;
} sh_taken;

typedef struct sh_bundle {
    struct sh_bundle *next;
    bool stop; /* nothing follows */
    int64_t piece;
    /* of the pictures; all owned */
    int64_t start, last, end; /* ticks: first picture, last picture, its end */
    int64_t frames, duplicates;
    int64_t shown;    /* pictures that the videos got: at another rate more or fewer */
    sh_buf captions;  /* sh_record.captions */
    sh_stills stills; /* in the source; ticks. Short ones only where the segment begins or ends */
    bool still_lost;  /* there was no room for one */
    int level;        /* sh_fallback */
    sh_ledger *ledger;
    bool *duplicate; /* of each frame */
    sh_taken *taken;
    size_t taken_count;
    int64_t due[SH_LADDER_CAPTURES], tiles[SH_LADDER_CAPTURES]; /* sh_record.taken, tiles */
    /* of a video; owned */
    AVPacket **packets; /* decoding order */
    size_t packet_count, packet_capacity, duplicate_capacity;
} sh_bundle;

sh_bundle *sh_bundle_new(int64_t piece); /* NULL: memory */
void sh_bundle_free(sh_bundle *bundle);  /* NULL is fine */
/* Takes the packet over; false: memory, or more than a segment may have. */
bool sh_bundle_add(sh_bundle *bundle, AVPacket *packet);
bool sh_bundle_add_frame(sh_bundle *bundle, bool duplicate);

typedef struct sh_queue sh_queue;
/* packets: how many there is room for, beyond SH_BUNDLES bundles. NULL: memory. */
sh_queue *sh_queue_new(size_t packets);
void sh_queue_free(sh_queue *queue); /* and what is in it; NULL is fine */
/* Takes the bundle over. False: closed, or bundle is NULL. Waits while the queue is full. */
bool sh_queue_push(sh_queue *queue, sh_bundle *bundle);
/* NULL: closed. Waits while the queue is empty. */
sh_bundle *sh_queue_pop(sh_queue *queue);
void sh_queue_close(sh_queue *queue);

#endif
