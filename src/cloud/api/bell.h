/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_BELL_H
#define SH_API_BELL_H
/* Wake-ups of the server as a descriptor, for a runner that polls children and pipes as well: a thread waits
 * on sh_cloud_wait for it and makes `fd` readable. */
#include "cloud/api/cloud.h"
#include <pthread.h>

typedef struct sh_bell {
    sh_cloud *cloud;
    unsigned who;
    int fd;
    pthread_t thread;
} sh_bell;

int sh_bell_open(sh_bell *bell, sh_cloud *cloud, unsigned who, sh_err *err);
/* Makes fd unreadable again. False: the server ends. */
bool sh_bell_take(sh_bell *bell);
/* Waits for the thread, that is, for the end of the server. */
void sh_bell_close(sh_bell *bell);

#endif
