/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_JOBS_NETNS_H
#define SH_JOBS_NETNS_H
/* A network of one's own: this process, and all it starts from then on, sees an empty one with a loopback
 * device alone. Sockets that there are already stay in the network they were made in. Only for a process with
 * one thread. Who is not root goes into a namespace of users as well, where it stays who it is.
 * SH_E_UNSUPPORTED: this machine does not allow it, err says what would. */
#include "base/err.h"

int sh_netns_enter(sh_err *err);
/* Can a process of this user do so? Tries it in a child. */
int sh_netns_try(sh_err *err);
/* A socket that listens on a free port of 127.0.0.1, in the network of now. */
int sh_loopback_listen(int *listener, int *port, sh_err *err);

#endif
