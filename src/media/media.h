/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_MEDIA_H
#define SH_MEDIA_MEDIA_H
/* What all media work shares. */
#include <stdbool.h>

/* Asks the running work, and any later, to stop. Safe in a signal handler. */
void sh_media_cancel(void);
bool sh_media_cancelled(void);
/* How often: 0, 1, or 2 when it was asked again, later than SH_MEDIA_ONE_STOP_MS after the first time. */
#define SH_MEDIA_ONE_STOP_MS 400
int sh_media_cancels(void);
/* SIGINT, SIGTERM and SIGHUP call sh_media_cancel from now on, but for those that are ignored. For programs'
 * main threads. */
void sh_media_catch_signals(void);

/* A path as it is shown in a message: one line of UTF-8 however long the path is and whatever bytes it has
 * (the middle of a long one is left out, other bytes become '?'). Returns `shown`. */
#define SH_SHOWN 160
const char *sh_shown_path(const char *path, char shown[SH_SHOWN]);

#endif
