/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_STEADY_H
#define SH_API_STEADY_H
/* The clock by which executions measure Seconds, delays and time-outs: it runs on, whatever the wall clock is
 * set to, also while the server is down. It began with the wall clock's time when this boot of the machine
 * was first seen; after the next boot it begins anew. */
#include "cloud/api/cloud.h"

/* When the server opens. */
int sh_steady_open(sh_cloud *cloud, sh_err *err);
/* Milliseconds; 0 where the clock of the server has no such side, as in tests. */
int64_t sh_cloud_steady_ms(const sh_cloud *cloud);
/* When the wall clock was set since the last look, what waits is to be looked at again: all waiting
 * executions become due. Called by their runner. */
int sh_steady_look(sh_cloud *cloud, sh_err *err);

#endif
