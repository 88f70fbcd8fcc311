/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/http/door.h"
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PAUSE_MS 100 /* when there are no descriptors or no memory: they who hold them go */

/* False when there is nothing more to take for now; *pause: because something is short. */
static bool take_one(sh_door *door, bool *pause)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    int fd = accept4(door->listener, (struct sockaddr *)&address, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        door->take(door->opaque, fd, (struct sockaddr *)&address, length);
        return true;
    }
    if (errno == EAGAIN)
        return false;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        sh_log(SH_LOG_WARNING, "http", "a connection has to wait: %s", strerror(errno));
        *pause = true;
        return false;
    }
    return true; /* one that was gone again */
}

static void *thread_main(void *opaque)
{
    sh_door *door = opaque;
    bool pause = false;
    for (;;) {
        struct pollfd fds[] = {{.fd = door->bell, .events = POLLIN},
                               {.fd = door->listener, .events = POLLIN}};
        poll(fds, pause ? 1 : 2, pause ? PAUSE_MS : -1);
        if (fds[0].revents)
            return NULL;
        pause = false;
        while (take_one(door, &pause))
            ;
    }
}

int sh_door_open(sh_door *door, int listener, void (*take)(void *, int, const struct sockaddr *, socklen_t),
                 void *opaque, sh_err *err)
{
    *door = (sh_door){.listener = listener, .take = take, .opaque = opaque};
    door->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (door->bell < 0)
        return sh_fail_errno(err, errno, "cannot make a descriptor for the HTTP server");
    int error = pthread_create(&door->thread, NULL, thread_main, door);
    if (error == 0)
        return 0;
    close(door->bell);
    return sh_fail_errno(err, error, "cannot start the HTTP server's thread");
}

void sh_door_close(sh_door *door)
{
    eventfd_write(door->bell, 1);
    pthread_join(door->thread, NULL);
    close(door->bell);
    close(door->listener);
}
