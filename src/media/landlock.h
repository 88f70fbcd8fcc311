/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_LANDLOCK_H
#define SH_MEDIA_LANDLOCK_H
/* A set of Landlock rules that allows nothing: no file by name, no TCP, no signal or abstract socket outside.
 * Descriptors that are open stay what they are. */
#include <stdbool.h>

/* For the calling thread and those that it starts. The version of Landlock that was used, 0 where the kernel
 * has none. old: no more than Linux 6.1 knows (version 2). The caller has set no_new_privs. */
int sh_landlock_nothing(bool old);

#endif
