/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_HTTP_DOOR_H
#define SH_HTTP_DOOR_H
/* Takes connections in, on a thread of its own. Threads that listen side by side do not share them out: the
 * first that wakes takes all that have come, and then they wait for each other while that thread waits for
 * the disk. */
#include "base/err.h"
#include <pthread.h>
#include <sys/socket.h>

typedef struct sh_door {
    int listener, bell;
    pthread_t thread;
    void (*take)(void *opaque, int fd, const struct sockaddr *address, socklen_t length); /* owns fd */
    void *opaque;
} sh_door;

/* The listener does not block; it belongs to the door on success. */
int sh_door_open(sh_door *door, int listener, void (*take)(void *, int, const struct sockaddr *, socklen_t),
                 void *opaque, sh_err *err);
void sh_door_close(sh_door *door);

#endif
