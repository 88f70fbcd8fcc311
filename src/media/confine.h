/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_CONFINE_H
#define SH_MEDIA_CONFINE_H
#include "base/err.h"
#include <stddef.h>
#include <sys/types.h>

/* Makes the calling process the confined child that sandbox.h describes: overwrites its environment, closes
 * every descriptor but stderr, `channel` and those in `keep`, and gives up rights for good. parent: dies at
 * once if that is no longer its parent. */
int sh_confine(const int *keep, size_t count, int channel, pid_t parent, sh_err *err);

#endif
