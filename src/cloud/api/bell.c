/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/api/bell.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void ring(const sh_bell *bell)
{
    eventfd_write(bell->fd, 1);
}

static void *listen_for_wakes(void *opaque)
{
    const sh_bell *bell = opaque;
    while (sh_cloud_wait(bell->cloud, bell->who, -1))
        ring(bell);
    ring(bell);
    return NULL;
}

int sh_bell_open(sh_bell *bell, sh_cloud *cloud, unsigned who, sh_err *err)
{
    *bell = (sh_bell){.cloud = cloud, .who = who};
    bell->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (bell->fd < 0)
        return sh_fail_errno(err, errno, "cannot make a descriptor for wake-ups");
    int error = pthread_create(&bell->thread, NULL, listen_for_wakes, bell);
    if (error) {
        close(bell->fd);
        return sh_fail_errno(err, error, "cannot start a thread for wake-ups");
    }
    return 0;
}

bool sh_bell_take(sh_bell *bell)
{
    eventfd_t count;
    eventfd_read(bell->fd, &count);
    return !sh_cloud_stopping(bell->cloud);
}

void sh_bell_close(sh_bell *bell)
{
    pthread_join(bell->thread, NULL);
    close(bell->fd);
}
